/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder as container, on a disk that fails, does a part, or is interrupted: a change is whole or not there, says
 * which, and leaves nothing beside it. What was acknowledged was brought to the disk in the order that a power cut
 * asks for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "certs/blob.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HANDLE 4293918720u

/* ---- the disk ---- */

enum fault { GOOD, WRITE_FULL, WRITE_BROKEN, WRITE_HALF, SYNC_BROKEN, NAME_BROKEN, FOLDER_BROKEN, SHORT, INTERRUPTED };

static enum fault fault;
static unsigned calls;
static char order[256]; /* what reached the disk, a letter each: Write, Sync, Name, Folder */

static void
happened(char letter)
{
    size_t len = strlen(order);

    if ((len == 0 || order[len - 1] != letter) && len + 1 < sizeof order) {
        order[len] = letter;
        order[len + 1] = '\0';
    }
}

static bool
is_file(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

ssize_t
write(int fd, const void *bytes, size_t len)
{
    if (!is_file(fd)) {
        return syscall(SYS_write, fd, bytes, len);
    }
    calls++;
    if (fault == WRITE_FULL || (fault == WRITE_HALF && calls > 1)) {
        errno = ENOSPC;
        return -1;
    }
    if (fault == WRITE_BROKEN) {
        errno = EIO;
        return -1;
    }
    if (fault == INTERRUPTED && calls % 2 == 1) {
        errno = EINTR;
        return -1;
    }
    happened('W');
    return syscall(SYS_write, fd, bytes,
                   fault == SHORT || fault == WRITE_HALF ? (len < 5 ? len : 5) : len);
}

int
fsync(int fd)
{
    bool file = is_file(fd);

    if (fault == (file ? SYNC_BROKEN : FOLDER_BROKEN)) {
        errno = EIO;
        return -1;
    }
    happened(file ? 'S' : 'F');
    return 0;
}

int
linkat(int from, const char *name, int to, const char *other, int flags)
{
    if (fault == NAME_BROKEN) {
        errno = ENOSPC;
        return -1;
    }
    happened('N');
    return (int)syscall(SYS_linkat, from, name, to, other, flags);
}

int
renameat(int from, const char *name, int to, const char *other)
{
    if (fault == NAME_BROKEN) {
        errno = EIO;
        return -1;
    }
    happened('N');
    return (int)syscall(SYS_renameat2, from, name, to, other, 0);
}

/* ---- the container ---- */

struct fixture {
    char path[64];
    struct blob_container *container;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");
    char url[80];
    struct blob_settings settings = { .url = url, .secret = "", .identity = "", .ca_file = "",
                                      .metadata = "", .uid = geteuid() };

    fault = GOOD;
    snprintf(f->path, sizeof f->path, "%s/folder-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->path));
    snprintf(url, sizeof url, "file://%s", f->path);
    f->container = blob_open(&settings);
    *state = f;
    return f->container == NULL;
}

/* How many files the folder has; removes them when asked to. */
static unsigned
files(const struct fixture *f, bool removes)
{
    DIR *dir = opendir(f->path);
    const struct dirent *found;
    unsigned count = 0;

    while ((found = readdir(dir)) != NULL) {
        if (strcmp(found->d_name, ".") != 0 && strcmp(found->d_name, "..") != 0) {
            count++;
            if (removes) {
                unlinkat(dirfd(dir), found->d_name, 0);
            }
        }
    }
    closedir(dir);
    return count;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    blob_close(f->container);
    (void)files(f, true);
    rmdir(f->path);
    free(f);
    return 0;
}

static enum blob_result
put(struct fixture *f, enum fault kind, const char *tag, const char *text, char ret_tag[BLOB_TAG_MAX])
{
    enum blob_result result;

    fault = kind;
    calls = 0;
    order[0] = '\0';
    result = f->container->ops->put(f->container, HANDLE, tag, view_str(text), ret_tag);
    fault = GOOD;
    return result;
}

static void
assert_holds(struct fixture *f, const char *text)
{
    char tag[BLOB_TAG_MAX] = "";
    struct writer out;

    writer_init(&out, 4096);
    assert_int_equal(f->container->ops->get(f->container, HANDLE, "", &out, tag), BLOB_OK);
    assert_true(view_equal(writer_view(&out), view_str(text)));
    writer_clear(&out);
}

static void
a_failure_leaves_what_was(void **state)
{
    static const enum fault faults[] = { WRITE_FULL, WRITE_BROKEN, WRITE_HALF, SYNC_BROKEN, NAME_BROKEN };
    struct fixture *f = *state;
    char tag[BLOB_TAG_MAX] = "", next[BLOB_TAG_MAX] = "";
    struct writer out;

    writer_init(&out, 64);
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        assert_int_equal(put(f, faults[i], "", "a first token", tag), BLOB_FAILED);
        assert_int_equal(f->container->ops->get(f->container, HANDLE, "", &out, tag), BLOB_NONE);
        assert_int_equal(files(f, false), 0);
    }
    writer_clear(&out);
    assert_int_equal(put(f, GOOD, "", "a first token", tag), BLOB_OK);
    for (size_t i = 0; i < ARRAY_COUNT(faults); i++) {
        assert_int_equal(put(f, faults[i], tag, "the next", next), BLOB_FAILED);
        assert_holds(f, "a first token");
        assert_int_equal(files(f, false), 1);
    }
    assert_int_equal(put(f, GOOD, tag, "the next", next), BLOB_OK);
    assert_holds(f, "the next");
}

/* Nobody knows whether the name survives a power cut. */
static void
a_folder_that_is_not_synced_is_not_known(void **state)
{
    struct fixture *f = *state;
    char tag[BLOB_TAG_MAX] = "";

    assert_int_equal(put(f, FOLDER_BROKEN, "", "a token", tag), BLOB_UNKNOWN);
    fault = FOLDER_BROKEN;
    assert_int_equal(f->container->ops->remove(f->container, HANDLE, ""), BLOB_UNKNOWN);
    fault = GOOD;
    assert_int_equal(files(f, false), 0);
}

static void
short_and_interrupted_writes_are_whole(void **state)
{
    struct fixture *f = *state;
    char tag[BLOB_TAG_MAX] = "", next[BLOB_TAG_MAX] = "";

    assert_int_equal(put(f, SHORT, "", "a token that is longer than a write", tag), BLOB_OK);
    assert_holds(f, "a token that is longer than a write");
    assert_int_equal(put(f, INTERRUPTED, tag, "the next token", next), BLOB_OK);
    assert_holds(f, "the next token");
    assert_int_equal(files(f, false), 1);
}

static void
nothing_is_overwritten(void **state)
{
    struct fixture *f = *state;
    char tag[BLOB_TAG_MAX] = "", next[BLOB_TAG_MAX] = "";

    assert_int_equal(put(f, GOOD, "", "ours", tag), BLOB_OK);
    assert_int_equal(put(f, GOOD, "", "another's", next), BLOB_CONFLICT);
    assert_int_equal(put(f, GOOD, tag, "ours again", next), BLOB_OK);
    assert_int_equal(put(f, GOOD, tag, "of an old tag", next), BLOB_CONFLICT);
    assert_holds(f, "ours again");
    assert_int_equal(f->container->ops->remove(f->container, HANDLE, tag), BLOB_CONFLICT);
    assert_int_equal(files(f, false), 1);
}

/* The bytes are on the disk before the name is, and both before it is said. */
static void
a_power_cut_finds_it_whole(void **state)
{
    struct fixture *f = *state;
    char tag[BLOB_TAG_MAX] = "", next[BLOB_TAG_MAX] = "";

    assert_int_equal(put(f, GOOD, "", "a token", tag), BLOB_OK);
    assert_string_equal(order, "WSNF");
    assert_int_equal(put(f, SHORT, tag, "the next token", next), BLOB_OK);
    assert_string_equal(order, "WSNF");
    order[0] = '\0';
    assert_int_equal(f->container->ops->remove(f->container, HANDLE, next), BLOB_OK);
    assert_string_equal(order, "F");
}

/* Somebody who was killed between the draft and its name. */
static void
drafts_of_the_killed_go(void **state)
{
    static const char *const names[] = { ".pkcs11_certificate_4293918721.17", "another's", ".hidden" };
    struct fixture *f = *state;
    char tag[BLOB_TAG_MAX] = "";
    char url[80];
    const struct blob_settings settings = { .url = url, .secret = "", .identity = "", .ca_file = "",
                                            .metadata = "", .uid = geteuid() };
    struct blob_container *other;
    int folder = open(f->path, O_RDONLY | O_DIRECTORY);
    int lock = open(f->path, O_RDONLY | O_DIRECTORY);

    assert_int_equal(put(f, GOOD, "", "a token", tag), BLOB_OK);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        close(openat(folder, names[i], O_WRONLY | O_CREAT, 0600));
    }
    snprintf(url, sizeof url, "file://%s", f->path);

    /* While somebody writes, a draft may be theirs. */
    assert_int_equal(flock(lock, LOCK_EX), 0);
    assert_non_null(other = blob_open(&settings));
    blob_close(other);
    assert_int_equal(files(f, false), 4);

    close(lock);
    assert_non_null(other = blob_open(&settings));
    assert_int_equal(files(f, false), 3);
    assert_int_equal(faccessat(folder, names[0], F_OK, 0), -1);
    assert_holds(f, "a token");
    blob_close(other);
    close(folder);
}

static void
a_token_is_its_owners_alone(void **state)
{
    struct fixture *f = *state;
    const mode_t mask = umask(0);
    char tag[BLOB_TAG_MAX] = "", next[BLOB_TAG_MAX] = "";
    char path[128];
    struct stat status;

    snprintf(path, sizeof path, "%s/pkcs11_certificate_%u", f->path, HANDLE);
    assert_int_equal(put(f, GOOD, "", "a token", tag), BLOB_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(put(f, GOOD, tag, "the next", next), BLOB_OK);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    umask(mask);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_failure_leaves_what_was),
        TEST(a_folder_that_is_not_synced_is_not_known),
        TEST(short_and_interrupted_writes_are_whole),
        TEST(nothing_is_overwritten),
        TEST(a_power_cut_finds_it_whole),
        TEST(drafts_of_the_killed_go),
        TEST(a_token_is_its_owners_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
