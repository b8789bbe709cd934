/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail on a bad disk. The calls by which its writer reaches the disk are ours here: they fail, do a
 * part, or find the power cut at the n-th of them. What the trail took is in it, once and in order, when the disk is
 * good again; what was synced before the power failed is there, whatever became of the rest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/hsm_fixture.h"
#include "server/audit.h"
#include "store/audit_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the disk ---- */

enum fault { GOOD, WRITE_FULL, WRITE_BROKEN, WRITE_SHORT, WRITE_HALF, INTERRUPTED, SYNC_BROKEN, FAULTS };

#define FILES_MAX 8

static _Atomic int fault;
static _Atomic int calls;     /* so far */
static _Atomic int calls_max; /* the one after that finds no power */

/* A file of the trail: what was synced. */
static struct image {
    char name[64];
    int fd;
    bool exists;     /* in the folder, whatever happens */
    uint8_t safe[65536];
    size_t safe_len;
} images[FILES_MAX];
static size_t image_count;

static struct image *
image_of(int fd)
{
    for (size_t i = image_count; i-- > 0;) {
        if (images[i].fd == fd) {
            return &images[i];
        }
    }
    return NULL;
}

static bool
power_is_off(void)
{
    if (atomic_fetch_add(&calls, 1) < atomic_load(&calls_max)) {
        return false;
    }
    errno = EIO;
    return true;
}

static ssize_t
disk_write(int fd, const void *bytes, size_t len, off_t offset)
{
    if (power_is_off()) {
        return -1;
    }
    switch (atomic_load(&fault)) {
    case WRITE_FULL:
        errno = ENOSPC;
        return -1;
    case WRITE_BROKEN:
        errno = EIO;
        return -1;
    case WRITE_SHORT: /* a few bytes each time, which is no failure */
        return syscall(SYS_pwrite64, fd, bytes, len < 7 ? len : 7, offset);
    case WRITE_HALF: /* and then nothing goes any more */
        if (len > 40) {
            return syscall(SYS_pwrite64, fd, bytes, 40, offset);
        }
        errno = ENOSPC;
        return -1;
    case INTERRUPTED:
        if (atomic_load(&calls) % 3 != 0) {
            errno = EINTR;
            return -1;
        }
        break;
    default:
        break;
    }
    return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

/* With large files these names are those of pwrite64() and openat64(). */
ssize_t
pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
    return disk_write(fd, bytes, len, offset);
}

int
fdatasync(int fd)
{
    struct image *image = image_of(fd);

    if (power_is_off()) {
        return -1;
    }
    if (atomic_load(&fault) == SYNC_BROKEN) {
        errno = EIO;
        return -1;
    }
    if (image != NULL) {
        image->safe_len = (size_t)syscall(SYS_pread64, fd, image->safe, sizeof image->safe, 0);
    }
    return 0;
}

/* Of the folder alone. */
int
fsync(int fd)
{
    (void)fd;
    if (power_is_off()) {
        return -1;
    }
    if (atomic_load(&fault) == SYNC_BROKEN) {
        errno = EIO;
        return -1;
    }
    for (size_t i = 0; i < image_count; i++) {
        images[i].exists = true;
    }
    return 0;
}

static int
disk_open(int folder, const char *name, int flags, mode_t mode)
{
    int fd;

    if ((flags & O_CREAT) != 0 && power_is_off()) {
        return -1;
    }
    fd = (int)syscall(SYS_openat, folder, name, flags, mode);
    if (fd >= 0 && (flags & O_CREAT) != 0 && image_count < FILES_MAX) {
        struct image *image = &images[image_count];

        for (size_t i = 0; i < image_count; i++) {
            if (strcmp(images[i].name, name) == 0) {
                image = &images[i]; /* made anew */
            }
            if (images[i].fd == fd) {
                images[i].fd = -1;
            }
        }
        image_count += image == &images[image_count];
        snprintf(image->name, sizeof image->name, "%s", name);
        image->fd = fd;
    }
    return fd;
}

static mode_t
mode_of(int flags, va_list arguments)
{
    return (flags & O_CREAT) != 0 ? va_arg(arguments, mode_t) : 0;
}

int
openat(int folder, const char *name, int flags, ...)
{
    va_list arguments;

    va_start(arguments, flags);

    mode_t mode = mode_of(flags, arguments);

    va_end(arguments);
    return disk_open(folder, name, flags, mode);
}

/* ---- the trail ---- */

struct fixture {
    struct hsm_fixture hsm;
    char path[64];
    struct audit *audit;
};

static void
fixture_init(struct fixture *f)
{
    const char *base = getenv("TMPDIR");

    atomic_store(&fault, GOOD);
    atomic_store(&calls, 0);
    atomic_store(&calls_max, INT32_MAX);
    memset(images, 0, sizeof images);
    image_count = 0;
    hsm_fixture_init(&f->hsm, POLICY_AZURE);
    snprintf(f->path, sizeof f->path, "%s/audit-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->path));
    f->audit = NULL;
}

static void
fixture_clear(struct fixture *f)
{
    DIR *dir;
    const struct dirent *found;

    audit_close(f->audit);
    dir = opendir(f->path);
    while ((found = readdir(dir)) != NULL) {
        unlinkat(dirfd(dir), found->d_name, 0);
    }
    closedir(dir);
    rmdir(f->path);
    hsm_fixture_clear(&f->hsm);
}

static bool
start(struct fixture *f)
{
    audit_close(f->audit);
    f->audit = audit_open(f->path);
    return f->audit != NULL && audit_start(f->audit, f->hsm.hsm, false);
}

struct found {
    char records[4096];
    size_t left;
};

static bool
found_visit(void *arg, const struct audit_entry *entry)
{
    struct found *found = arg;
    size_t len = strlen(found->records);

    if (entry->kind == TRAIL_RECORD) {
        snprintf(found->records + len, sizeof found->records - len, "%.*s ", (int)entry->body.len,
                 (const char *)entry->body.data);
    }
    return true;
}

/* The records of the whole chain, as a reader finds them. */
static struct found
look(const char *path)
{
    struct found found = { .left = 0 };
    struct chain chain = { 0 };
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    struct audit_file *files;
    size_t count, left;

    assert_true(audit_files_list(folder, &files, &count));
    for (size_t i = 0; i < count; i++) {
        assert_true(audit_file_walk(folder, &files[i], &chain, found_visit, &found, &left));
        found.left += left;
    }
    free(files);
    close(folder);
    return found;
}

/* ---- faults ---- */

/* May more be taken while the disk is like this? Those that only do less than they are asked do no harm. */
static bool
is_harmless(int kind)
{
    return kind == WRITE_SHORT || kind == INTERRUPTED;
}

static void
one_fault(int kind)
{
    struct fixture f;
    char expected[4096] = "one ";
    bool refused = false, again = false;

    fixture_init(&f);
    assert_true(start(&f));
    assert_true(audit_append_text(f.audit, "one"));
    for (int i = 0; i < 500 && strcmp(look(f.path).records, expected) != 0; i++) {
        pause_ms(20);
    }
    atomic_store(&fault, kind);
    for (int i = 0; i < (is_harmless(kind) ? 10 : 500) && !refused; i++) {
        char text[16];

        snprintf(text, sizeof text, "x%d", i);
        refused = !audit_append_text(f.audit, text);
        if (!refused) {
            strcat(strcat(expected, text), " ");
        }
        pause_ms(20);
    }
    assert_int_equal(refused, !is_harmless(kind));
    atomic_store(&fault, GOOD);
    for (int i = 0; i < 500 && !again; i++) {
        pause_ms(20);
        again = audit_append_text(f.audit, "again");
    }
    assert_true(again);
    strcat(expected, "again ");
    audit_stop(f.audit);

    struct found found = look(f.path);

    assert_string_equal(found.records, expected);
    assert_int_equal(found.left, 0);
    fixture_clear(&f);
}

static void
what_was_taken_is_there_when_the_disk_is_good_again(void **state)
{
    UNUSED(state);
    for (int kind = GOOD + 1; kind < FAULTS; kind++) {
        one_fault(kind);
    }
}

/* ---- power ---- */

enum luck { NOTHING, ALL, THE_FIRST, THE_LAST, ZEROS, LUCKS };

/* What the disk holds of a file afterwards: what was synced, and of the rest what luck leaves. */
static void
image_settle(const char *path, const struct image *image, enum luck luck)
{
    static uint8_t bytes[65536];
    int folder = open(path, O_RDONLY | O_DIRECTORY);
    int fd = (int)syscall(SYS_openat, folder, image->name, O_RDWR, 0);
    size_t safe = image->safe_len;
    size_t len = fd < 0 ? 0 : (size_t)syscall(SYS_pread64, fd, bytes, sizeof bytes, 0);

    if (fd >= 0 && !image->exists && luck == NOTHING) {
        unlinkat(folder, image->name, 0);
    } else if (fd >= 0 && len >= safe) {
        assert_memory_equal(bytes, image->safe, safe); /* what was synced is never written again */
        switch (luck) {
        case NOTHING:
            len = safe;
            break;
        case THE_FIRST:
            len = safe + (len - safe) / 2;
            break;
        case THE_LAST:
            memset(bytes + safe, 0, (len - safe) / 2);
            break;
        case ZEROS:
            memset(bytes + safe, 0, len - safe);
            break;
        default:
            break;
        }
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(syscall(SYS_pwrite64, fd, bytes, len, 0), (long)len);
    }
    if (fd >= 0) {
        close(fd);
    }
    close(folder);
}

/* Three starts with three records each. How many records were taken; *ret_ended: before an end with power. */
static int
run(struct fixture *f, int *ret_ended)
{
    int taken = 0;

    for (int i = 0; i < 3; i++) {
        if (!start(f)) {
            break;
        }
        for (int k = 0; k < 3; k++) {
            char text[16];

            snprintf(text, sizeof text, "%d", taken + 1);
            if (audit_append_text(f->audit, text)) {
                taken++;
            }
        }
        audit_stop(f->audit);
        if (atomic_load(&calls) <= atomic_load(&calls_max)) {
            *ret_ended = taken;
        }
    }
    audit_close(f->audit);
    f->audit = NULL;
    return taken;
}

/* What was synced, alone. */
static struct found
look_at_safe(const char *path)
{
    char folder[80];
    struct found found;
    int dir;

    snprintf(folder, sizeof folder, "%s.safe", path);
    assert_int_equal(mkdir(folder, 0700), 0);
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    for (size_t i = 0; i < image_count; i++) {
        int fd = (int)syscall(SYS_openat, dir, images[i].name, O_WRONLY | O_CREAT, 0600);

        assert_int_equal(write(fd, images[i].safe, images[i].safe_len), (long)images[i].safe_len);
        close(fd);
    }
    found = look(folder);
    for (size_t i = 0; i < image_count; i++) {
        unlinkat(dir, images[i].name, 0);
    }
    close(dir);
    rmdir(folder);
    return found;
}

/* How many calls there were in all. */
static int
one_cut(int cut, enum luck luck)
{
    struct fixture f;
    struct found safe, found;
    size_t len;
    int taken, total, ended = 0, last = 0;

    fixture_init(&f);
    atomic_store(&calls_max, cut);
    taken = run(&f, &ended);
    total = atomic_load(&calls);
    atomic_store(&calls_max, INT32_MAX);
    for (size_t i = 0; i < image_count; i++) {
        image_settle(f.path, &images[i], luck);
    }
    safe = look_at_safe(f.path);

    /* The trail goes on behind what is good. */
    assert_true(start(&f));
    assert_true(audit_append_text(f.audit, "after"));
    audit_stop(f.audit);
    found = look(f.path);
    len = strlen(safe.records);
    assert_int_equal(strncmp(found.records, safe.records, len), 0);
    assert_true(strlen(found.records) >= 6);
    assert_string_equal(found.records + strlen(found.records) - 6, "after ");
    /* In between only what was taken, in order. */
    for (const char *at = found.records; strncmp(at, "after", 5) != 0; at = strchr(at, ' ') + 1) {
        assert_int_equal(atoi(at), ++last);
    }
    assert_in_range(last, ended, taken);
    if (cut == INT32_MAX) {
        assert_string_equal(found.records, "1 2 3 4 5 6 7 8 9 after ");
    }
    fixture_clear(&f);
    return total;
}

static void
after_a_power_cut_what_was_synced_is_there(void **state)
{
    int total = one_cut(INT32_MAX, ALL);

    UNUSED(state);
    assert_true(total >= 12);
    for (int cut = 1; cut < total; cut++) {
        for (int luck = NOTHING; luck < LUCKS; luck++) {
            one_cut(cut, (enum luck)luck);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_taken_is_there_when_the_disk_is_good_again),
        cmocka_unit_test(after_a_power_cut_what_was_synced_is_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
