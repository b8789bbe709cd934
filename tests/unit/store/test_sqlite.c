/* SPDX-License-Identifier: Apache-2.0
 *
 * What SQLite alone promises: everything acknowledged is there after a crash, one owner, and
 * a disk that refuses. The disk is a VFS in front of SQLite's own, whose writes and syncs
 * fail when a test says so.
 */
#include "unit/store/store_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>

static sqlite3_vfs disk;
static sqlite3_vfs *real_disk;
static sqlite3_io_methods disk_methods[2]; /* SQLite has one table for the file, one for its log */
static const sqlite3_io_methods *real_methods;
static _Atomic int write_code; /* what a write gives instead of happening; 0: it happens */
static _Atomic int write_count;
static _Atomic int sync_code;
static _Atomic int sync_count;
static _Atomic bool sync_hangs; /* until it is false again */
static _Atomic int hanging;

static int
disk_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    int code = atomic_load(&write_code);

    atomic_fetch_add(&write_count, 1);
    return code != SQLITE_OK ? code : real_methods->xWrite(file, bytes, len, offset);
}

static int
disk_sync(sqlite3_file *file, int flags)
{
    int code = atomic_load(&sync_code);

    atomic_fetch_add(&sync_count, 1);
    atomic_fetch_add(&hanging, 1);
    while (atomic_load(&sync_hangs)) {
        usleep(1000);
    }
    atomic_fetch_sub(&hanging, 1);
    return code != SQLITE_OK ? code : real_methods->xSync(file, flags);
}

static int
disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    UNUSED(vfs);

    int code = real_disk->xOpen(real_disk, name, file, flags, ret_flags);

    if (file->pMethods != NULL) {
        sqlite3_io_methods *methods = &disk_methods[(flags & SQLITE_OPEN_MAIN_DB) != 0];

        real_methods = file->pMethods;      /* whose writes and syncs are the same in both */
        *methods = *real_methods;
        methods->xWrite = disk_write;
        methods->xSync = disk_sync;
        file->pMethods = methods;
    }
    return code;
}

static int
disk_install(void **state)
{
    UNUSED(state);
    real_disk = sqlite3_vfs_find(NULL);
    disk = *real_disk;
    disk.zName = "disk";
    disk.xOpen = disk_open;
    return sqlite3_vfs_register(&disk, 1);
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    fixture_folder(f);
    f->store = sqlite_store_open(f->path, &counting);
    assert_non_null(f->store);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    write_code = SQLITE_OK;
    sync_code = SQLITE_OK;
    sync_hangs = false;
    if (f->store != NULL) {
        f->store->close(f->store);
    }
    fixture_clean(f);
    free(f);
    return 0;
}

static void
reopen(struct fixture *f)
{
    f->store->close(f->store);
    f->store = sqlite_store_open(f->path, &counting);
    assert_non_null(f->store);
}

static void
reopened_store_has_everything_and_its_id_and_revision(void **state)
{
    struct fixture *f = *state;
    uint8_t before[16], after[16];

    put(f->store, "b", "1");
    put(f->store, "a", "2");
    put(f->store, "c", "3");
    delete(f->store, "c");
    f->store->id(f->store, before);
    reopen(f);
    f->store->id(f->store, after);

    assert_memory_equal(before, after, sizeof before);
    assert_int_equal(f->store->revision(f->store), 4);
    assert_holds(f->store, "a=2@2 b=1@1 ");
    assert_int_equal(put(f->store, "d", "4"), 5);
}

static void
reopened_store_gives_no_number_twice(void **state)
{
    struct fixture *f = *state;
    uint64_t first;

    assert_true(f->store->next_numbers(f->store, "handle", 1024, 5, &first));
    reopen(f);
    assert_true(f->store->next_numbers(f->store, "handle", 1024, 5, &first));

    assert_int_equal(first, 5 + 1024);
}

/* What a child was told by the store, and told its parent at once. */
struct report {
    uint64_t revision;
    uint64_t number;
};

/* Commits and takes numbers until it is killed. */
static void
child_run(const char *path, int round, int told)
{
    struct store *store = sqlite_store_open(path, &counting);

    for (int i = 0; store != NULL; i++) {
        char key[32];
        struct report report = { 0, 0 };

        snprintf(key, sizeof key, "%02d-%06d", round, i);
        if (put_if(store, key, VIEW_TEXT("kept"), 0, &report.revision) != STORE_OK ||
            !store->next_numbers(store, "handle", 3, 1, &report.number) ||
            write(told, &report, sizeof report) != (ssize_t)sizeof report) {
            break;
        }
    }
    _exit(1);
}

/* The last report of a child that was killed after about `reports` of them. */
static struct report
child_kill(const char *path, int round, int reports)
{
    struct report report = { 0, 0 };
    struct report next;
    int ends[2];

    assert_int_equal(pipe(ends), 0);

    pid_t child = fork();

    if (child == 0) {
        close(ends[0]);
        child_run(path, round, ends[1]);
    }
    close(ends[1]);
    for (int i = 0; i < reports; i++) {
        assert_int_equal(read(ends[0], &report, sizeof report), sizeof report);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    while (read(ends[0], &next, sizeof next) == (ssize_t)sizeof next) {
        report = next;
    }
    close(ends[0]);
    return report;
}

static bool
count_kept(void *arg, view key, view value, uint64_t revision)
{
    UNUSED(key);
    UNUSED(revision);
    ++*(uint64_t *)arg;
    return view_equal(value, VIEW_TEXT("kept"));
}

static void
acknowledged_survives_sigkill(void **state)
{
    struct fixture *f = *state;
    struct report last = { 0, 0 };
    uint64_t kept = 0;
    uint64_t first = 0;
    uint8_t before[16], after[16];

    f->store->id(f->store, before);
    f->store->close(f->store);
    f->store = NULL;
    for (int round = 0; round < 5; round++) {
        struct report report = child_kill(f->path, round, 10 + 7 * round);

        assert_true(report.revision > last.revision);
        assert_true(report.number >= last.number + 3);
        last = report;
    }
    f->store = sqlite_store_open(f->path, &counting);
    assert_non_null(f->store);
    f->store->id(f->store, after);

    assert_memory_equal(before, after, sizeof before);
    assert_true(f->store->revision(f->store) >= last.revision);
    assert_true(f->store->load_all(f->store, count_kept, &kept));
    assert_int_equal(kept, f->store->revision(f->store));
    assert_true(f->store->next_numbers(f->store, "handle", 3, 1, &first));
    assert_true(first >= last.number + 3);
}

static void
second_process_is_refused(void **state)
{
    struct fixture *f = *state;

    pid_t child = fork();

    if (child == 0) {
        _exit(sqlite_store_open(f->path, &counting) == NULL ? 7 : 8);
    }

    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
    put(f->store, "a", "1");                /* and the first goes on */
}

static void
file_is_readable_by_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;

    put(f->store, "a", "1");
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(path, sizeof path, "%s-wal", f->path);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void
full_disk_fails_what_it_meets_and_later_ones_work(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 99;
    uint64_t first = 99;

    put(f->store, "a", "1");
    write_code = SQLITE_FULL;
    assert_int_equal(put_if(f->store, "b", VIEW_TEXT("1"), 0, &revision), STORE_FAILED);
    assert_int_equal(put_if(f->store, "b", VIEW_TEXT("1"), 0, &revision), STORE_FAILED);
    assert_false(f->store->next_numbers(f->store, "handle", 1, 1, &first));
    assert_int_equal(revision, 99);
    assert_int_equal(first, 99);
    assert_int_equal(f->store->revision(f->store), 1);
    assert_holds(f->store, "a=1@1 ");

    write_code = SQLITE_OK;
    assert_int_equal(put_if(f->store, "b", VIEW_TEXT("1"), 0, &revision), STORE_OK);
    assert_int_equal(revision, 2);
    reopen(f);
    assert_holds(f->store, "a=1@1 b=1@2 ");
}

static void
failed_sync_is_not_acknowledged(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 99;

    put(f->store, "a", "1");
    sync_code = SQLITE_IOERR_FSYNC;
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 1, &revision), STORE_FAILED);
    assert_holds(f->store, "a=1@1 ");

    sync_code = SQLITE_OK;
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("3"), 1, &revision), STORE_OK);
    assert_int_equal(revision, 2);
    reopen(f);
    assert_holds(f->store, "a=3@2 ");
}

static void
a_commit_is_one_write_and_one_sync(void **state)
{
    struct fixture *f = *state;
    int writes, syncs;

    put(f->store, "a", "1"); /* begins the log */
    writes = write_count;
    syncs = sync_count;
    put(f->store, "b", "2");

    assert_int_equal(write_count, writes + 1);
    assert_int_equal(sync_count, syncs + 1);
}

/* ---- a disk that hangs ---- */

struct commit {
    struct store *store;
    const char *key;
    bool alone;
    enum store_result result;
    uint64_t revision;
    pthread_t thread;
};

static void *
commit_run(void *arg)
{
    struct commit *commit = arg;
    const struct store_change change = { view_str(commit->key), VIEW_TEXT("1"), false };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };

    commit->result = commit->alone
                         ? store_commit_alone(commit->store, &txn, &commit->revision)
                         : store_commit(commit->store, &txn, &commit->revision);
    return NULL;
}

static void
commit_begin(struct commit *commit)
{
    assert_int_equal(pthread_create(&commit->thread, NULL, commit_run, commit), 0);
}

static uint64_t
seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec;
}

static bool
any_record(void *arg, view key, view value, uint64_t revision)
{
    UNUSED(arg);
    UNUSED(key);
    UNUSED(value);
    UNUSED(revision);
    return true;
}

/* While one who writes alone hangs, nobody else does for longer than his limit. */
static void
a_disk_that_hangs_holds_up_nobody_for_ever(void **state)
{
    struct fixture *f = *state;
    struct commit alone = { f->store, "alone", true, STORE_FAILED, 0, 0 };
    struct commit other = { f->store, "other", false, STORE_FAILED, 0, 0 };
    const uint64_t limit = STORE_WAIT_MS / 1000;
    uint64_t began, revision = 0, first;
    struct writer value;
    struct chain end;

    put(f->store, "a", "1");
    put(f->store, "a", "2"); /* the last one was alone, too */
    writer_init(&value, 64);
    sync_hangs = true;
    commit_begin(&alone);
    while (atomic_load(&hanging) == 0) {
        usleep(1000);
    }

    /* The first to come waits for his time, and does not know what becomes of it. */
    began = seconds();
    commit_begin(&other);
    assert_false(f->store->next_numbers(f->store, "handle", 1, 1, &first));
    pthread_join(other.thread, NULL);
    assert_int_equal(other.result, STORE_UNKNOWN);
    assert_in_range(seconds() - began, limit - 1, 4 * limit);

    /* Later ones are refused, and nothing is done. */
    began = seconds();
    for (int i = 0; i < 20; i++) {
        assert_int_equal(put_if(f->store, "c", VIEW_TEXT("1"), 0, &revision), STORE_FAILED);
        assert_false(f->store->next_numbers(f->store, "handle", 1, 1, &first));
        assert_false(f->store->get(f->store, VIEW_TEXT("a"), &revision, &value));
        assert_false(f->store->load_all(f->store, any_record, NULL));
    }
    assert_in_range(seconds() - began, 0, limit);
    f->store->journal_end(f->store, &end);

    sync_hangs = false;
    pthread_join(alone.thread, NULL);
    assert_int_equal(alone.result, STORE_OK);
    while (put_if(f->store, "c", VIEW_TEXT("1"), 0, &revision) == STORE_FAILED) {
        usleep(1000); /* what was queued goes first */
    }
    reopen(f);
    assert_holds(f->store, "a=2@2 alone=1@3 c=1@5 other=1@4 ");
    writer_clear(&value);
}

static void
note_done(void *arg, enum store_result result, uint64_t revision)
{
    UNUSED(revision);
    atomic_fetch_add((_Atomic int *)arg, result == STORE_OK);
}

static void
submissions_that_wait_share_a_sync(void **state)
{
    struct fixture *f = *state;
    _Atomic int good = 0;

    put(f->store, "a", "1");
    sync_count = 0;
    for (int i = 0; i < 1000; i++) {
        char key[16];

        snprintf(key, sizeof key, "%03d", i);

        const struct store_change change = { view_str(key), VIEW_TEXT("x"), false };
        const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };

        f->store->submit(f->store, &txn, note_done, &good);
    }
    put(f->store, "z", "");

    assert_int_equal(good, 1000);
    assert_in_range(sync_count, 1, 500);
}

/* Some write by themselves, some are written for: each once, under a revision of its own. */
#define HANDS 8
#define EACH 40

struct hand {
    struct store *store;
    int number;
    uint64_t revisions[EACH];
};

static void *
commit_each(void *arg)
{
    struct hand *hand = arg;

    for (int i = 0; i < EACH; i++) {
        char key[16];

        snprintf(key, sizeof key, "%d.%02d", hand->number, i);

        const struct store_change change = { view_str(key), VIEW_TEXT("x"), false };
        const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };

        if (store_commit(hand->store, &txn, &hand->revisions[i]) != STORE_OK) {
            break;
        }
    }
    return NULL;
}

static void
commits_of_many_threads_each_have_their_revision(void **state)
{
    struct fixture *f = *state;
    struct hand hands[HANDS];
    pthread_t threads[HANDS];
    bool seen[HANDS * EACH + 1] = { false };
    const uint64_t before = f->store->revision(f->store);

    for (int i = 0; i < HANDS; i++) {
        hands[i] = (struct hand){ f->store, i, { 0 } };
        assert_int_equal(pthread_create(&threads[i], NULL, commit_each, &hands[i]), 0);
    }
    for (int i = 0; i < HANDS; i++) {
        pthread_join(threads[i], NULL);
    }
    for (int i = 0; i < HANDS; i++) {
        for (int k = 0; k < EACH; k++) {
            const uint64_t at = hands[i].revisions[k] - before;

            assert_in_range(at, 1, HANDS * EACH);
            assert_false(seen[at]);
            seen[at] = true;
        }
    }
    assert_int_equal(f->store->revision(f->store), before + HANDS * EACH);
    reopen(f);
    assert_int_equal(f->store->revision(f->store), before + HANDS * EACH);
}

static void
close_first_ends_what_was_submitted(void **state)
{
    struct fixture *f = *state;
    _Atomic int good = 0;
    uint64_t kept = 0;

    for (int i = 0; i < 100; i++) {
        char key[16];

        snprintf(key, sizeof key, "%03d", i);

        const struct store_change change = { view_str(key), VIEW_TEXT("kept"), false };
        const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };

        f->store->submit(f->store, &txn, note_done, &good);
    }
    reopen(f);

    assert_int_equal(good, 100);
    assert_true(f->store->load_all(f->store, count_kept, &kept));
    assert_int_equal(kept, 100);
}

static void
backup_is_a_store_of_its_own(void **state)
{
    struct fixture *f = *state;
    char path[128];
    struct stat st;

    put(f->store, "a", "1");
    put(f->store, "b", "2");
    snprintf(path, sizeof path, "%s/copy.db", f->folder);
    assert_true(f->store->backup(f->store, path));
    assert_false(f->store->backup(f->store, path));     /* never over a file */
    put(f->store, "c", "3");

    struct store *copy = sqlite_store_open(path, &counting);

    assert_non_null(copy);
    assert_holds(copy, "a=1@1 b=2@2 ");
    assert_int_equal(copy->revision(copy), 2);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    copy->close(copy);
}

/* Leaves the fixture without a store, and its file as sql made it. */
static void
spoil(struct fixture *f, const char *sql)
{
    sqlite3 *handle = NULL;

    if (f->store != NULL) {
        f->store->close(f->store);
        f->store = NULL;
    }
    assert_int_equal(sqlite3_open(f->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void
other_formats_are_refused(void **state)
{
    struct fixture *f = *state;

    spoil(f, "PRAGMA user_version = 2");
    assert_null(sqlite_store_open(f->path, &counting));
    spoil(f, "PRAGMA user_version = 0");
    assert_null(sqlite_store_open(f->path, &counting));
}

static void
database_of_another_program_is_refused(void **state)
{
    struct fixture *f = *state;

    spoil(f, "PRAGMA application_id = 1");

    assert_null(sqlite_store_open(f->path, &counting));
}

static void
file_that_is_no_database_is_refused_and_kept(void **state)
{
    struct fixture *f = *state;
    char text[2048];
    struct stat st;

    f->store->close(f->store);
    f->store = NULL;

    FILE *file = fopen(f->path, "w");

    assert_non_null(file);
    memset(text, '#', sizeof text);
    assert_int_equal(fwrite(text, 1, sizeof text, file), sizeof text);
    fclose(file);

    assert_null(sqlite_store_open(f->path, &counting));
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, sizeof text);
}

static void
folder_that_is_missing_is_refused(void **state)
{
    UNUSED(state);
    assert_null(sqlite_store_open("/nowhere/at/all/store.db", &counting));
}

static bool
empty_fill(struct entropy *entropy, void *bytes, size_t len)
{
    UNUSED(entropy);
    UNUSED(bytes);
    UNUSED(len);
    return false;
}

static void
store_is_not_made_without_random_bytes(void **state)
{
    struct fixture *f = *state;
    struct entropy empty = { empty_fill };
    char path[128];

    snprintf(path, sizeof path, "%s/copy.db", f->folder);
    assert_null(sqlite_store_open(path, &empty));

    struct store *store = sqlite_store_open(path, &counting);

    assert_non_null(store);                 /* the attempt left nothing in the way */
    store->close(store);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(reopened_store_has_everything_and_its_id_and_revision),
        CASE(reopened_store_gives_no_number_twice),
        CASE(acknowledged_survives_sigkill),
        CASE(second_process_is_refused),
        CASE(file_is_readable_by_its_owner_alone),
        CASE(full_disk_fails_what_it_meets_and_later_ones_work),
        CASE(failed_sync_is_not_acknowledged),
        CASE(a_commit_is_one_write_and_one_sync),
        CASE(a_disk_that_hangs_holds_up_nobody_for_ever),
        CASE(submissions_that_wait_share_a_sync),
        CASE(commits_of_many_threads_each_have_their_revision),
        CASE(close_first_ends_what_was_submitted),
        CASE(backup_is_a_store_of_its_own),
        CASE(other_formats_are_refused),
        CASE(database_of_another_program_is_refused),
        CASE(file_that_is_no_database_is_refused_and_kept),
        CASE(folder_that_is_missing_is_refused),
        CASE(store_is_not_made_without_random_bytes),
    };

    return cmocka_run_group_tests(tests, disk_install, NULL);
}
