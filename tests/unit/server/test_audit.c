/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail: whole lines, only appended, and an honest answer when the disk is full.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/audit.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 8
#define LINES 50

static char path[64];

static int
setup(void **state)
{
    const char *base = getenv("TMPDIR");
    int fd;

    snprintf(path, sizeof path, "%s/audit-XXXXXX", base == NULL ? "/tmp" : base);
    fd = mkstemp(path);
    close(fd);
    *state = audit_open(path);
    return *state == NULL;
}

static int
teardown(void **state)
{
    audit_close(*state);
    unlink(path);
    return 0;
}

static void
assert_file(const char *expected)
{
    char text[256] = "";
    FILE *file = fopen(path, "r");

    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(text, expected);
}

static void
lines_are_appended_and_kept(void **state)
{
    struct audit *audit = *state;

    assert_true(audit->append(audit, VIEW_TEXT("one")));
    audit_close(audit);
    audit = audit_open(path);
    *state = audit;
    assert_true(audit->append(audit, VIEW_TEXT("two")));

    assert_file("one\ntwo\n");
}

static void
line_cut_short_by_a_crash_is_closed_first(void **state)
{
    struct audit *audit = *state;

    assert_true(audit->append(audit, VIEW_TEXT("one")));
    audit_close(audit);
    assert_int_equal(truncate(path, 2), 0);
    audit = audit_open(path);
    *state = audit;
    assert_true(audit->append(audit, VIEW_TEXT("two")));

    assert_file("on\ntwo\n");
}

static void
full_disk_is_told_and_works_again(void **state)
{
    struct audit *audit = *state;
    struct rlimit before, limit;

    assert_true(audit->append(audit, VIEW_TEXT("one")));
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 6;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);

    bool torn = audit->append(audit, VIEW_TEXT("lost"));
    bool none = audit->append(audit, VIEW_TEXT("lost"));

    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_false(torn);
    assert_false(none);
    assert_true(audit->append(audit, VIEW_TEXT("two")));
    assert_file("one\nlo\ntwo\n");
}

static void *
append_lines(void *arg)
{
    struct audit *audit = arg;
    size_t good = 0;

    for (int i = 0; i < LINES; i++) {
        good += audit->append(audit, VIEW_TEXT("0123456789"));
    }
    return (void *)(uintptr_t)good;
}

static void
lines_of_threads_do_not_mix(void **state)
{
    pthread_t threads[THREADS];
    size_t good = 0;
    char line[32];
    size_t count = 0;
    FILE *file;

    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, append_lines, *state), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result;

        pthread_join(threads[i], &result);
        good += (size_t)(uintptr_t)result;
    }

    assert_int_equal(good, THREADS * LINES);
    file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        assert_string_equal(line, "0123456789\n");
        count++;
    }
    fclose(file);
    assert_int_equal(count, THREADS * LINES);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(lines_are_appended_and_kept),
        CASE(line_cut_short_by_a_crash_is_closed_first),
        CASE(full_disk_is_told_and_works_again),
        CASE(lines_of_threads_do_not_mix),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
