/* SPDX-License-Identifier: Apache-2.0
 *
 * A file is SQLite's own with some of its methods replaced, and what they need lies behind it.
 * What is gathered is written before it is read, before anything is measured, and before a sync.
 *
 * What could not be written is dropped, and the call that found it out fails. SQLite mostly takes
 * the transaction back then, but not always: a statement that reads and is told of a full disk is
 * undone alone. So nothing is written behind what was dropped, nor read there, before SQLite has
 * written it anew, as it does after it has taken something back: a commit behind a hole would be
 * gone after a crash.
 */
#include "store/log_file.h"

#include "base/base.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* SQLite's own write() takes less than 128 KiB at once; no page is larger than this. */
#define GATHER_MAX 65536u
#define ALIGNMENT 8u
#define NOTHING_LOST INT64_MAX

struct log_file {
    const sqlite3_io_methods *real;
    sqlite3_io_methods methods;
    uint8_t *bytes; /* gathered */
    size_t len;
    sqlite3_int64 offset; /* where they belong */
    sqlite3_int64 lost;   /* from here on something was dropped; NOTHING_LOST */
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;

static struct log_file *
log_of(sqlite3_file *file)
{
    return (struct log_file *)(void *)((uint8_t *)file + vfs.szOsFile - sizeof(struct log_file));
}

/* Of what is not written nobody knows how much is there. */
static int
log_put(struct log_file *log, sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    const int code = log->real->xWrite(file, bytes, len, offset);

    if (code != SQLITE_OK && offset < log->lost) {
        log->lost = offset;
    }
    return code;
}

static int
log_flush(struct log_file *log, sqlite3_file *file)
{
    const size_t len = log->len;

    log->len = 0;
    return len == 0 ? SQLITE_OK : log_put(log, file, log->bytes, (int)len, log->offset);
}

static int
log_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset)
{
    struct log_file *log = log_of(file);
    int code;

    if (log->len > 0 && (offset != log->offset + (sqlite3_int64)log->len ||
                         (size_t)len > GATHER_MAX - log->len) &&
        (code = log_flush(log, file)) != SQLITE_OK) {
        return code;
    }
    if (offset > log->lost) {
        return SQLITE_IOERR_WRITE;
    }
    if (offset + len > log->lost) {
        log->lost = NOTHING_LOST;
    }
    if ((size_t)len > GATHER_MAX) {
        return log_put(log, file, bytes, len, offset);
    }
    if (log->len == 0) {
        log->offset = offset;
    }
    memcpy(log->bytes + log->len, bytes, (size_t)len);
    log->len += (size_t)len;
    return SQLITE_OK;
}

static int
log_sync(sqlite3_file *file, int flags)
{
    struct log_file *log = log_of(file);
    const int code = log_flush(log, file);

    return code != SQLITE_OK ? code : log->real->xSync(file, flags);
}

static int
log_read(sqlite3_file *file, void *bytes, int len, sqlite3_int64 offset)
{
    struct log_file *log = log_of(file);
    const bool gathered = offset + len > log->offset &&
                          offset < log->offset + (sqlite3_int64)log->len;
    const int code = gathered ? log_flush(log, file) : SQLITE_OK;

    if (code != SQLITE_OK) {
        return code;
    }
    return offset + len > log->lost ? SQLITE_IOERR_READ
                                    : log->real->xRead(file, bytes, len, offset);
}

static int
log_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct log_file *log = log_of(file);
    const int code = log_flush(log, file);

    return code != SQLITE_OK ? code : log->real->xTruncate(file, size);
}

static int
log_size(sqlite3_file *file, sqlite3_int64 *ret_size)
{
    struct log_file *log = log_of(file);
    const int code = log_flush(log, file);

    return code != SQLITE_OK ? code : log->real->xFileSize(file, ret_size);
}

static int
log_close(sqlite3_file *file)
{
    struct log_file *log = log_of(file);
    const int code = log_flush(log, file);
    const int closed = log->real->xClose(file);

    free(log->bytes);
    return code != SQLITE_OK ? code : closed;
}

/* A log whose memory is short is SQLite's own. */
static void
log_begin(sqlite3_file *file)
{
    struct log_file *log = log_of(file);

    *log = (struct log_file){ .real = file->pMethods,
                              .methods = *file->pMethods,
                              .lost = NOTHING_LOST };
    log->bytes = malloc(GATHER_MAX);
    if (log->bytes == NULL) {
        return;
    }
    log->methods.xWrite = log_write;
    log->methods.xSync = log_sync;
    log->methods.xRead = log_read;
    log->methods.xTruncate = log_truncate;
    log->methods.xFileSize = log_size;
    log->methods.xClose = log_close;
    file->pMethods = &log->methods;
}

static int
vfs_open(sqlite3_vfs *unused, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
    const int code = real_vfs->xOpen(real_vfs, name, file, flags, ret_flags);

    UNUSED(unused);
    if (code == SQLITE_OK && (flags & SQLITE_OPEN_WAL) != 0) {
        log_begin(file);
    }
    return code;
}

static void
vfs_make(void)
{
    const size_t mask = ALIGNMENT - 1;

    real_vfs = sqlite3_vfs_find(NULL);
    if (real_vfs == NULL) {
        return;
    }
    vfs = *real_vfs;
    vfs.szOsFile = (int)((((size_t)vfs.szOsFile + mask) & ~mask) + sizeof(struct log_file));
    vfs.zName = "opencloudhsm";
    vfs.xOpen = vfs_open;
    if (sqlite3_vfs_register(&vfs, 0) != SQLITE_OK) {
        vfs.zName = NULL;
    }
}

const char *
log_file_vfs(void)
{
    pthread_once(&once, vfs_make);
    return vfs.zName;
}
