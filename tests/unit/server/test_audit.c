/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail on disk: what was appended is in its files, chained and signed; a full disk
 * refuses, and loses nothing; every changed byte is found.
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
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    struct hsm_fixture hsm;
    char path[64];
    struct audit *audit;
};

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    const char *base = getenv("TMPDIR");

    hsm_fixture_init(&f->hsm, POLICY_AZURE);
    snprintf(f->path, sizeof f->path, "%s/audit-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->path));
    f->audit = audit_open(f->path);
    *state = f;
    return f->audit == NULL;
}

static void
empty(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *found;

    while ((found = readdir(dir)) != NULL) {
        unlinkat(dirfd(dir), found->d_name, 0);
    }
    closedir(dir);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    audit_close(f->audit);
    empty(f->path);
    rmdir(f->path);
    hsm_fixture_clear(&f->hsm);
    free(f);
    return 0;
}

static void
restart(struct fixture *f)
{
    audit_close(f->audit);
    f->audit = audit_open(f->path);
    assert_non_null(f->audit);
    assert_true(audit_start(f->audit, f->hsm.hsm, false));
}

/* What the files hold. */
struct found {
    char records[512]; /* their bodies, each with a blank */
    size_t heads;
    size_t begins;
    size_t files;
    size_t left;
    bool chained; /* each file begins where the one before it ended */
    struct chain end;
    uint8_t key[AUDIT_KEY_LEN];
};

static bool
found_visit(void *arg, const struct audit_entry *entry)
{
    struct found *found = arg;
    struct trail_begin begin;
    struct audit_head head;
    size_t len = strlen(found->records);

    switch (entry->kind) {
    case TRAIL_BEGIN:
        assert_true(trail_begin_read(entry->body, &begin));
        memcpy(found->key, begin.key, sizeof begin.key);
        found->begins++;
        break;
    case TRAIL_RECORD:
        snprintf(found->records + len, sizeof found->records - len, "%.*s ",
                 (int)entry->body.len, (const char *)entry->body.data);
        break;
    case TRAIL_HEAD:
        assert_true(audit_head_read(entry->body, found->key, &head));
        found->heads++;
        break;
    }
    return true;
}

static struct found
look(const struct fixture *f)
{
    struct found found = { .chained = true };
    int folder = open(f->path, O_RDONLY | O_DIRECTORY);
    struct audit_file *files;
    size_t left;

    assert_true(audit_files_list(folder, &files, &found.files));
    for (size_t i = 0; i < found.files; i++) {
        struct chain before = found.end;

        assert_true(audit_file_walk(folder, &files[i], &found.end, found_visit, &found, &left));
        found.left += left;
        found.chained = found.chained && found.end.count > before.count;
    }
    free(files);
    close(folder);
    return found;
}

static void
nothing_is_reserved_before_the_start_or_after_the_stop(void **state)
{
    struct fixture *f = *state;

    assert_false(audit_append_text(f->audit, "early"));
    assert_true(audit_start(f->audit, f->hsm.hsm, false));
    assert_true(audit_append_text(f->audit, "one"));
    audit_stop(f->audit);
    assert_false(audit_append_text(f->audit, "late"));

    assert_string_equal(look(f).records, "one ");
}

static void
records_are_on_disk_within_moments_and_a_head_at_the_end(void **state)
{
    struct fixture *f = *state;

    assert_true(audit_start(f->audit, f->hsm.hsm, false));
    assert_true(audit_append_text(f->audit, "one"));
    assert_true(audit_append_text(f->audit, "two"));
    for (int i = 0; i < 50 && strcmp(look(f).records, "one two ") != 0; i++) {
        pause_ms(100);
    }
    assert_string_equal(look(f).records, "one two ");
    audit_stop(f->audit);

    assert_true(look(f).heads >= 1);
    assert_int_equal(look(f).left, 0);
}

static void
each_start_goes_on_in_a_file_of_its_own(void **state)
{
    struct fixture *f = *state;

    assert_true(audit_start(f->audit, f->hsm.hsm, false));
    assert_true(audit_append_text(f->audit, "one"));
    restart(f);
    assert_true(audit_append_text(f->audit, "two"));
    restart(f);
    audit_stop(f->audit);

    struct found found = look(f);

    assert_string_equal(found.records, "one two ");
    assert_int_equal(found.files, 3);
    assert_int_equal(found.begins, 3);
    assert_true(found.chained);
}

static void
a_torn_end_is_left_behind(void **state)
{
    struct fixture *f = *state;
    struct audit_file first = audit_file_name(1);
    char path[128];
    int fd;

    assert_true(audit_start(f->audit, f->hsm.hsm, false));
    assert_true(audit_append_text(f->audit, "one"));
    audit_stop(f->audit);
    snprintf(path, sizeof path, "%s/%s", f->path, first.name);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "\x20\x00torn", 6), 6);
    close(fd);
    restart(f);
    assert_true(audit_append_text(f->audit, "two"));
    audit_stop(f->audit);

    struct found found = look(f);

    assert_string_equal(found.records, "one two ");
    assert_int_equal(found.left, 6);
}

static void
a_full_disk_refuses_and_what_was_taken_is_written_later(void **state)
{
    struct fixture *f = *state;
    struct rlimit before, tight = { 4096, RLIM_INFINITY };
    char expected[512] = "";
    bool refused = false;

    signal(SIGXFSZ, SIG_IGN);
    assert_true(audit_start(f->audit, f->hsm.hsm, false));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    tight.rlim_cur = 300; /* the first file is longer already */
    tight.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);

    for (int i = 0; i < 10 && !refused; i++) {
        refused = !audit_append_text(f->audit, "x");
        strcat(expected, refused ? "" : "x ");
        pause_ms(150);
    }
    setrlimit(RLIMIT_FSIZE, &before);
    assert_true(refused);
    assert_true(strlen(expected) > 0);

    bool again = false;

    for (int i = 0; i < 50 && !again; i++) {
        pause_ms(100);
        again = audit_append_text(f->audit, "again");
    }
    assert_true(again);
    strcat(expected, "again ");
    audit_stop(f->audit);

    struct found found = look(f);

    assert_string_equal(found.records, expected);
    assert_int_equal(found.left, 0);
}

/* The head that is signed at the end says how far the journal was. */
static void
an_older_store_is_refused_unless_told_otherwise(void **state)
{
    struct fixture *f = *state;
    struct outside older;
    struct hsm *hsm = NULL;
    const struct store_txn txn = { .journal = VIEW_TEXT("an entry") };
    uint64_t revision;

    outside_init_copy(&older, &f->hsm.outside);
    assert_int_equal(store_commit(f->hsm.outside.ports.store, &txn, &revision), STORE_OK);
    assert_true(audit_start(f->audit, f->hsm.hsm, false));
    audit_close(f->audit);
    f->audit = audit_open(f->path);
    assert_int_equal(hsm_open(&older.ports, view_of(fixture_master_key, HSM_MASTER_KEY_LEN), &hsm),
                     CKR_OK);

    assert_false(audit_start(f->audit, hsm, false));
    audit_close(f->audit);
    f->audit = audit_open(f->path);
    assert_true(audit_start(f->audit, hsm, true));

    audit_close(f->audit);
    f->audit = NULL;
    hsm_close(hsm);
    outside_clear(&older);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_reserved_before_the_start_or_after_the_stop),
        TEST(records_are_on_disk_within_moments_and_a_head_at_the_end),
        TEST(each_start_goes_on_in_a_file_of_its_own),
        TEST(a_torn_end_is_left_behind),
        TEST(a_full_disk_refuses_and_what_was_taken_is_written_later),
        TEST(an_older_store_is_refused_unless_told_otherwise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
