/* SPDX-License-Identifier: Apache-2.0
 *
 * Files of the tools: all or nothing, behind links, with the mode that others count on, and never in the
 * place of what is no file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[200];
static char path[300];

static int
setup(void **state)
{
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(folder, sizeof folder, "%s/file-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a", folder);
    return 0;
}

static size_t
names_count(bool remove)
{
    DIR *names = opendir(folder);
    const struct dirent *entry;
    size_t count = 0;

    assert_non_null(names);
    while ((entry = readdir(names)) != NULL) {
        if (entry->d_name[0] != '.') {
            count++;
            if (remove) {
                assert_int_equal(unlinkat(dirfd(names), entry->d_name, 0), 0);
            }
        }
    }
    closedir(names);
    return count;
}

static int
teardown(void **state)
{
    (void)state;
    (void)names_count(true);
    return rmdir(folder);
}

static void
has(const char *file, const char *text)
{
    struct secret *read = file_read(file, 1000);

    assert_non_null(read);
    assert_int_equal(secret_view(read).len, strlen(text));
    assert_memory_equal(secret_view(read).data, text, strlen(text));
    secret_free(read);
}

static mode_t
mode_of(const char *file)
{
    struct stat status;

    assert_int_equal(lstat(file, &status), 0);
    return status.st_mode;
}

static void
a_full_disk_takes_nothing_away(void **state)
{
    const struct rlimit small = { 5, RLIM_INFINITY };
    struct rlimit before;
    bool put, put_shared;

    (void)state;
    assert_true(file_write_shared(path, VIEW_TEXT("old")));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    put = file_write(path, VIEW_TEXT("longer than five"));
    put_shared = file_write_shared(path, VIEW_TEXT("longer than five"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(put);
    assert_false(put_shared);
    has(path, "old");
    assert_int_equal(names_count(false), 1);
}

static void
others_read_what_is_for_them(void **state)
{
    const mode_t mask = umask(027);

    (void)state;
    assert_true(file_write_shared(path, VIEW_TEXT("new")));
    assert_int_equal(mode_of(path) & 0777, 0640);
    assert_int_equal(chmod(path, 0604), 0);
    assert_true(file_write_shared(path, VIEW_TEXT("again")));
    assert_int_equal(mode_of(path) & 0777, 0604);
    has(path, "again");
    assert_true(file_write(path, VIEW_TEXT("secret")));
    assert_int_equal(mode_of(path) & 0777, 0600);
    assert_int_equal(umask(mask), 027);
}

static void
a_link_stays(void **state)
{
    char link[300];

    (void)state;
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("a", link), 0);
    assert_true(file_write(path, VIEW_TEXT("old")));
    assert_true(file_write(link, VIEW_TEXT("new")));
    has(path, "new");
    assert_true(file_write_shared(link, VIEW_TEXT("newer")));
    has(path, "newer");
    assert_true(S_ISLNK(mode_of(link)));
    assert_int_equal(names_count(false), 2);
}

/* As /dev/stdout, when that goes to a file: in order with what is said there. */
static void
standard_output_is_written_to(void **state)
{
    char link[300];
    bool put;
    int before, fd;

    (void)state;
    snprintf(link, sizeof link, "%s/link", folder);
    assert_int_equal(symlink("/proc/self/fd/1", link), 0);
    fflush(stdout);
    before = dup(STDOUT_FILENO);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(before >= 0 && fd >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    fputs("before ", stdout);
    put = file_is_special(link) && file_write(link, VIEW_TEXT("bytes ")) &&
          file_write_shared(path, VIEW_TEXT("more "));
    fputs("after", stdout);
    fflush(stdout);
    assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
    close(before);
    close(fd);
    assert_true(put);
    has(path, "before bytes more after");
    assert_true(S_ISLNK(mode_of(link)));
    assert_int_equal(names_count(false), 2);
}

static void
a_device_is_written_to(void **state)
{
    char link[300];

    (void)state;
    snprintf(link, sizeof link, "%s/full", folder);
    assert_int_equal(symlink("/dev/full", link), 0);
    assert_false(file_write(link, VIEW_TEXT("x")));
    assert_false(file_write_shared(link, VIEW_TEXT("x")));
    assert_true(S_ISLNK(mode_of(link)));
    assert_int_equal(names_count(false), 1);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        FILES(a_full_disk_takes_nothing_away),
        FILES(others_read_what_is_for_them),
        FILES(a_link_stays),
        FILES(standard_output_is_written_to),
        FILES(a_device_is_written_to),
    };

    return cmocka_run_group_tests_name("tools/file", tests, NULL, NULL);
}
