/* SPDX-License-Identifier: Apache-2.0
 *
 * Birth and opening of a partition, with the real core and store: made once, opened with its
 * own key alone, and a birth that failed leaves nothing in the way of the next.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct partition_plan plan = { POLICY_FIPS, "", "a label", "admin" };

static const struct server_settings sqlite = { .store = { .etcd = false } };

struct fixture {
    char base[64];
    char path[96];
    int input; /* the standard input that the test had */
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");

    snprintf(f->base, sizeof f->base, "%s/partition-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->base));
    snprintf(f->path, sizeof f->path, "%s/state", f->base);
    f->input = dup(STDIN_FILENO);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    static const char *const names[] = { "server.lock", "master.key", "store.db",
                                         "store.db-wal" };
    struct fixture *f = *state;
    char path[128];

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "rm -r %s/audit 2>/dev/null", f->path);
    (void)!system(path);
    rmdir(f->path);
    rmdir(f->base);
    dup2(f->input, STDIN_FILENO);
    close(f->input);
    free(f);
    return 0;
}

/* Makes a partition with this on standard input. */
static bool
make(const struct fixture *f, const char *input)
{
    int ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], input, strlen(input)), strlen(input));
    close(ends[1]);
    dup2(ends[0], STDIN_FILENO);
    close(ends[0]);
    struct server_settings settings = { .state = "" };

    snprintf(settings.state, sizeof settings.state, "%s", f->path);
    return partition_make(&settings, &plan);
}

static bool
opens(const struct fixture *f)
{
    struct folder *folder = folder_open(f->path);
    struct partition partition = { .hsm = NULL };
    bool opened;

    assert_non_null(folder);
    opened = partition_open(folder, &sqlite, false, NULL, &partition);
    partition_close(&partition);
    folder_close(folder);
    return opened;
}

static void
made_partition_opens_and_has_its_officer(void **state)
{
    struct fixture *f = *state;
    struct partition partition = { .hsm = NULL };
    struct hsm_counts counts = { .objects = 1 };
    struct folder *folder;

    assert_true(make(f, "adminpassword\nnot ours\n"));
    folder = folder_open(f->path);
    assert_true(partition_open(folder, &sqlite, false, NULL, &partition));
    hsm_count(partition.hsm, &counts);
    partition_close(&partition);
    folder_close(folder);

    assert_true(counts.users >= 1);
    assert_int_equal(counts.objects, 0);
}

static void
second_birth_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_true(make(f, "adminpassword\n"));
    assert_false(make(f, "adminpassword\n"));
    assert_true(opens(f));
}

static void
folder_without_partition_does_not_open(void **state)
{
    struct fixture *f = *state;

    assert_false(opens(f));
}

static void
bad_password_leaves_room_for_another_try(void **state)
{
    struct fixture *f = *state;

    assert_false(make(f, "\n"));
    assert_false(make(f, ""));
    assert_false(opens(f));
    assert_true(make(f, "adminpassword\r\n"));
    assert_true(opens(f));
}

static void
another_master_key_does_not_open(void **state)
{
    struct fixture *f = *state;
    char path[128];
    uint8_t key[HSM_MASTER_KEY_LEN] = { 1 };

    assert_true(make(f, "adminpassword\n"));
    snprintf(path, sizeof path, "%s/master.key", f->path);

    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_int_equal(fwrite(key, 1, sizeof key, file), sizeof key);
    fclose(file);

    assert_false(opens(f));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(made_partition_opens_and_has_its_officer),
        CASE(second_birth_is_refused),
        CASE(folder_without_partition_does_not_open),
        CASE(bad_password_leaves_room_for_another_try),
        CASE(another_master_key_does_not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
