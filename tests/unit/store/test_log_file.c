/* SPDX-License-Identifier: Apache-2.0
 *
 * The log as SQLite sees it: what was written is there for who reads or measures, synced or not,
 * and what the disk refuses is told by the call that finds it out. The disk is a VFS in front of
 * SQLite's own, which counts writes and refuses them when a test says so.
 */
#include "store/log_file.h"

#include "unit/store/store_fixture.h"

#include <sqlite3.h>

#define LARGE 100000 /* more than is gathered */

static sqlite3_vfs disk;
static sqlite3_vfs *real_disk;
static sqlite3_io_methods disk_methods;
static const sqlite3_io_methods *real_methods;
static int write_code;
static int write_count;
static int sync_count;

struct log {
    struct fixture fixture;
    sqlite3_file *file;
};

static int
disk_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    write_count++;
    return write_code != SQLITE_OK ? write_code
                                   : real_methods->xWrite(file, bytes, len, offset);
}

static int
disk_sync(sqlite3_file *file, int flags)
{
    sync_count++;
    return real_methods->xSync(file, flags);
}

static int
disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    UNUSED(vfs);

    int code = real_disk->xOpen(real_disk, name, file, flags, ret_flags);

    if (code == SQLITE_OK) {
        real_methods = file->pMethods;
        disk_methods = *real_methods;
        disk_methods.xWrite = disk_write;
        disk_methods.xSync = disk_sync;
        file->pMethods = &disk_methods;
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
    static const int flags = SQLITE_OPEN_WAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    struct log *log = calloc(1, sizeof *log);
    sqlite3_vfs *vfs = sqlite3_vfs_find(log_file_vfs());

    assert_non_null(vfs);
    fixture_folder(&log->fixture);
    UNUSED(counting); /* the fixture's */
    log->file = calloc(1, (size_t)vfs->szOsFile);
    assert_int_equal(vfs->xOpen(vfs, log->fixture.path, log->file, flags, NULL), SQLITE_OK);
    write_code = SQLITE_OK;
    write_count = 0;
    sync_count = 0;
    *state = log;
    return 0;
}

static int
teardown(void **state)
{
    struct log *log = *state;

    log->file->pMethods->xClose(log->file);
    free(log->file);
    fixture_clean(&log->fixture);
    free(log);
    return 0;
}

static int
log_write(struct log *log, const char *text, sqlite3_int64 offset)
{
    return log->file->pMethods->xWrite(log->file, text, (int)strlen(text), offset);
}

static void
assert_log(struct log *log, const char *text)
{
    char read[64] = "";
    sqlite3_int64 size = 0;

    assert_int_equal(log->file->pMethods->xFileSize(log->file, &size), SQLITE_OK);
    assert_int_equal(size, strlen(text));
    assert_int_equal(log->file->pMethods->xRead(log->file, read, (int)size, 0), SQLITE_OK);
    assert_string_equal(read, text);
}

static void
what_follows_each_other_is_written_at_once(void **state)
{
    struct log *log = *state;

    assert_int_equal(log_write(log, "head", 0), SQLITE_OK);
    assert_int_equal(log_write(log, "page", 4), SQLITE_OK);
    assert_int_equal(log_write(log, "head", 8), SQLITE_OK);
    assert_int_equal(write_count, 0);
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);

    assert_int_equal(write_count, 1);
    assert_int_equal(sync_count, 1);
    assert_log(log, "headpagehead");
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(write_count, 1);
    assert_int_equal(sync_count, 2);
}

static void
what_is_not_synced_is_read_and_measured(void **state)
{
    struct log *log = *state;

    assert_int_equal(log_write(log, "0123456789", 0), SQLITE_OK);
    assert_log(log, "0123456789");
    assert_int_equal(log_write(log, "ab", 10), SQLITE_OK);
    assert_int_equal(log_write(log, "CD", 4), SQLITE_OK); /* back into what is there */
    assert_log(log, "0123CD6789ab");
    assert_int_equal(log_write(log, "ef", 12), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xTruncate(log->file, 13), SQLITE_OK);
    assert_log(log, "0123CD6789abe");
}

static void
what_is_too_large_keeps_its_order(void **state)
{
    struct log *log = *state;
    char *large = malloc(LARGE);
    char end[8] = "";
    sqlite3_int64 size;

    assert_non_null(large);
    memset(large, 'l', LARGE);
    assert_int_equal(log_write(log, "first", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xWrite(log->file, large, LARGE, 5), SQLITE_OK);
    for (int i = 0; i < 5; i++) { /* and what fills the room more than once */
        assert_int_equal(log->file->pMethods->xWrite(log->file, large, LARGE / 4,
                                                     5 + LARGE + i * (LARGE / 4)),
                         SQLITE_OK);
    }
    assert_int_equal(log_write(log, "last", 5 + LARGE + 5 * (LARGE / 4)), SQLITE_OK);

    assert_int_equal(log->file->pMethods->xFileSize(log->file, &size), SQLITE_OK);
    assert_int_equal(size, 9 + LARGE + 5 * (LARGE / 4));
    assert_int_equal(log->file->pMethods->xRead(log->file, end, 5, size - 5), SQLITE_OK);
    assert_string_equal(end, "llast");
    assert_int_equal(log->file->pMethods->xRead(log->file, end, 6, 0), SQLITE_OK);
    assert_string_equal(end, "firstl");
    free(large);
}

static void
a_write_that_is_refused_fails_the_sync(void **state)
{
    struct log *log = *state;

    assert_int_equal(log_write(log, "kept", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(log_write(log, "lost", 4), SQLITE_OK);
    write_code = SQLITE_FULL;
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_FULL);
    assert_int_equal(sync_count, 1);

    /* It is not written later: SQLite has taken it back. */
    write_code = SQLITE_OK;
    assert_log(log, "kept");
    assert_int_equal(log_write(log, "new", 4), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_log(log, "keptnew");
}

static void
a_write_that_is_refused_fails_who_reads_or_measures(void **state)
{
    struct log *log = *state;
    sqlite3_int64 size;
    char read[4];

    write_code = SQLITE_IOERR_WRITE;
    assert_int_equal(log_write(log, "lost", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xRead(log->file, read, 4, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(log_write(log, "lost", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xFileSize(log->file, &size), SQLITE_IOERR_WRITE);
    assert_int_equal(log_write(log, "lost", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xTruncate(log->file, 0), SQLITE_IOERR_WRITE);
    assert_int_equal(log_write(log, "lost", 0), SQLITE_OK);
    assert_int_equal(log_write(log, "elsewhere", 100), SQLITE_IOERR_WRITE);
}

/* A transaction goes on whose statement was undone, as a read was told of a full disk. */
static void
nothing_is_written_or_read_behind_what_was_lost(void **state)
{
    struct log *log = *state;
    char read[8] = "";

    assert_int_equal(log_write(log, "kept", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(log_write(log, "lost", 4), SQLITE_OK);
    write_code = SQLITE_FULL;
    assert_int_equal(log->file->pMethods->xRead(log->file, read, 4, 4), SQLITE_FULL);
    write_code = SQLITE_OK;

    assert_int_equal(log_write(log, "commit", 8), SQLITE_IOERR_WRITE);
    assert_int_equal(log->file->pMethods->xRead(log->file, read, 4, 4), SQLITE_IOERR_READ);
    assert_int_equal(log->file->pMethods->xRead(log->file, read, 4, 0), SQLITE_OK);
    assert_log(log, "kept");
    assert_int_equal(log_write(log, "LO", 2), SQLITE_OK); /* before it */
    assert_int_equal(log_write(log, "commit", 8), SQLITE_IOERR_WRITE);

    /* Taken back, and written anew. */
    assert_int_equal(log_write(log, "new", 4), SQLITE_OK);
    assert_int_equal(log_write(log, "commit", 7), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_log(log, "keLOnewcommit");
}

static void
who_reads_something_else_does_not_wait_for_a_write(void **state)
{
    struct log *log = *state;
    char read[8] = "";

    assert_int_equal(log_write(log, "kept", 0), SQLITE_OK);
    assert_int_equal(log->file->pMethods->xSync(log->file, SQLITE_SYNC_NORMAL), SQLITE_OK);
    assert_int_equal(log_write(log, "more", 4), SQLITE_OK);
    write_count = 0;

    assert_int_equal(log->file->pMethods->xRead(log->file, read, 4, 0), SQLITE_OK);
    assert_string_equal(read, "kept");
    assert_int_equal(write_count, 0);
    assert_int_equal(log->file->pMethods->xRead(log->file, read, 4, 1), SQLITE_OK);
    assert_string_equal(read, "eptm");
    assert_int_equal(write_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_follows_each_other_is_written_at_once),
        TEST(what_is_not_synced_is_read_and_measured),
        TEST(what_is_too_large_keeps_its_order),
        TEST(a_write_that_is_refused_fails_the_sync),
        TEST(a_write_that_is_refused_fails_who_reads_or_measures),
        TEST(nothing_is_written_or_read_behind_what_was_lost),
        TEST(who_reads_something_else_does_not_wait_for_a_write),
    };

    return cmocka_run_group_tests(tests, disk_install, NULL);
}
