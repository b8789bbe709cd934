/* SPDX-License-Identifier: Apache-2.0
 *
 * Restoring: first everything about the file is checked, then it becomes a store in a folder of
 * its own, which is opened as a partition would be; then that folder gets the name by which the
 * next start of the node knows it. Until then nothing of this partition has changed.
 */
#include "server/backup_private.h"

#include "base/log.h"
#include "core/owner.h"
#include "crypto/owner.h"
#include "server/clock.h"
#include "server/entropy.h"
#include "server/partition.h"
#include "store/restore.h"
#include "store/sqlite.h"
#include "wire/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PART_NAME "restore.part"
#define READY_NAME "restore.ready"

/* ---- small things with files ---- */

/* Of the files that such a folder has. */
static const char *const names[] = {
    PARTITION_KEY_NAME,
    PARTITION_STORE_NAME,
    PARTITION_STORE_NAME "-wal",
    PARTITION_STORE_NAME "-shm",
    PARTITION_STORE_NAME "-journal", /* of a moment, while SQLite makes the database */
    PARTITION_NODE_NAME,
};

static void
folder_within(const struct folder *folder, const char *within, const char *name,
              char path[FOLDER_PATH_MAX])
{
    char both[64];

    snprintf(both, sizeof both, "%.30s/%.30s", within, name);
    folder_path(folder, both, path);
}

static void
part_remove(const struct folder *folder)
{
    char path[FOLDER_PATH_MAX];

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        folder_within(folder, PART_NAME, names[i], path);
        unlink(path);
    }
    folder_path(folder, PART_NAME, path);
    rmdir(path);
}

static bool
path_failed(const char *path)
{
    log_err("restore: %s: %s", path, strerror(errno));
    return false;
}

static bool
path_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;

    if (!synced) {
        (void)path_failed(path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return synced;
}

static bool
file_write(const char *path, view key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool wrote = fd >= 0 && write(fd, key.data, key.len) == (ssize_t)key.len && fsync(fd) == 0;

    if (!wrote) {
        (void)path_failed(path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return wrote;
}

/* ---- walking through the file ---- */

struct walk {
    const struct backup_file *file;
    uint64_t at;
    struct writer piece; /* what was read last */
};

static bool
walk_get(struct walk *walk, size_t len)
{
    writer_reset(&walk->piece);
    if (!backup_file_get(walk->file, walk->at, len, &walk->piece)) {
        return false;
    }
    walk->at += len;
    return true;
}

/* A u32 length, at most max, then as many bytes. *ret_any is false for a length of 0. */
static bool
walk_chunk(struct walk *walk, size_t max, bool *ret_any)
{
    size_t len;

    if (!walk_get(walk, 4)) {
        return false;
    }
    len = load_u32(walk->piece.data);
    *ret_any = len > 0;
    return len <= max && walk_get(walk, len);
}

/* Begins anew, at the first chunk. */
static bool
walk_begin(struct walk *walk, struct archive_digest *digest, struct archive_header *ret_header)
{
    size_t len = ARCHIVE_HEADER_MAX + 12;

    walk->at = 0;
    if (len > walk->file->size) {
        len = (size_t)walk->file->size;
    }
    if (!walk_get(walk, len) ||
        !archive_begin_read(writer_view(&walk->piece), ret_header, &len)) {
        return false;
    }
    walk->at = len;
    return archive_digest_begin(digest, view_of(walk->piece.data, len));
}

/* Is it whole, and signed by a node of our owner's? *ret_chunks: how many there are. */
static bool
signature_holds(struct backup_host *host, struct walk *walk, uint64_t *ret_chunks)
{
    struct archive_digest digest;
    struct archive_header header;
    struct writer anchor, certificate;
    uint64_t chunks = 0;
    bool any = true;
    bool holds;

    if (!walk_begin(walk, &digest, &header)) {
        return false;
    }
    writer_init(&anchor, BACKUP_FILE_MAX * 4);
    writer_init(&certificate, ARCHIVE_HEADER_MAX);
    write_raw(&certificate, header.certificate); /* which the walk's piece holds until now */
    holds = writer_ok(&certificate) &&
            backup_identity(host, &anchor, NULL, NULL);
    while (holds && (holds = walk_chunk(walk, ARCHIVE_CHUNK_MAX + 64, &any)) && any) {
        chunks++;
        holds = archive_digest_chunk(&digest, writer_view(&walk->piece));
    }
    holds = holds && walk_chunk(walk, ARCHIVE_SIGNATURE_MAX, &any) &&
            walk->at == walk->file->size &&
            owner_verify(writer_view(&anchor), writer_view(&certificate),
                         view_of(digest.hash, sizeof digest.hash), writer_view(&walk->piece));
    writer_clear(&certificate);
    writer_clear(&anchor);
    *ret_chunks = chunks;
    return holds;
}

/* ---- the store that comes of it ---- */

struct rebuild {
    struct backup_host *host;
    const uint8_t *store_id;
    enum archive_kind last; /* kinds come in order */
    struct secret *master;
    struct restoring *restoring;
    bool certified; /* the store has the key of its node */
};

static bool
master_take(struct rebuild *b, view master)
{
    char path[FOLDER_PATH_MAX];
    uint8_t guard_key[32];

    if (b->master != NULL || master.len != HSM_MASTER_KEY_LEN ||
        (b->master = secret_dup(master)) == NULL ||
        !hsm_guard_key(master, b->store_id, guard_key)) {
        return false;
    }
    folder_within(b->host->folder, PART_NAME, PARTITION_STORE_NAME, path);
    b->restoring = restoring_new(path, b->store_id, guard_key);
    wipe(guard_key, sizeof guard_key);
    folder_within(b->host->folder, PART_NAME, PARTITION_KEY_NAME, path);
    return b->restoring != NULL && file_write(path, master);
}

static bool
entry_take(struct rebuild *b, const struct archive_entry *entry)
{
    if (entry->kind < b->last || b->last == ARCHIVE_END ||
        (entry->kind == ARCHIVE_KEY) == (b->restoring != NULL)) {
        return false;
    }
    b->last = entry->kind;
    switch (entry->kind) {
    case ARCHIVE_KEY:
        return master_take(b, entry->value);
    case ARCHIVE_RECORD:
        b->certified = b->certified || owner_name_is(entry->name);
        return restoring_put(b->restoring, entry->name, entry->value, entry->number);
    case ARCHIVE_COUNTER:
        return restoring_number(b->restoring, entry->name, entry->number);
    case ARCHIVE_END:
        return restoring_end(b->restoring, entry->number);
    }
    return false;
}

static bool
chunk_take(struct rebuild *b, view plain)
{
    struct reader r = reader_of(plain);
    struct archive_entry entry;

    while (!reader_done(&r)) {
        if (!archive_entry_read(&r, &entry) || !entry_take(b, &entry)) {
            return false;
        }
    }
    return true;
}

/* Whose key and certificate are in the store is that node from now on, also
 * where the store is shared. */
static bool
serial_keep(const struct rebuild *b, struct walk *walk)
{
    struct archive_digest digest;
    struct archive_header header;
    char path[FOLDER_PATH_MAX], text[32];
    int len;

    if (!b->host->plan.settings->store.etcd || !b->certified) {
        return true;
    }
    if (!walk_begin(walk, &digest, &header) || header.serial.len > 16) {
        return false;
    }
    len = snprintf(text, sizeof text, "%.*s\n", (int)header.serial.len,
                   (const char *)header.serial.data);
    folder_within(b->host->folder, PART_NAME, PARTITION_NODE_NAME, path);
    return file_write(path, view_of(text, (size_t)len));
}

static bool
rebuild_run(struct rebuild *b, struct walk *walk, view key, uint64_t chunks)
{
    struct archive_digest digest;
    struct archive_header header;
    struct writer plain;
    uint8_t store_id[16];
    bool any;
    bool good = key.len == ARCHIVE_KEY_LEN && walk_begin(walk, &digest, &header);

    if (!good) {
        return false;
    }
    memcpy(store_id, header.store_id, sizeof store_id);
    b->store_id = store_id;
    writer_init(&plain, ARCHIVE_CHUNK_MAX);
    for (uint64_t i = 0; good && i < chunks; i++) {
        writer_reset(&plain);
        good = walk_chunk(walk, ARCHIVE_CHUNK_MAX + 64, &any) &&
               archive_chunk_open(key.data, digest.hash, i, i + 1 == chunks,
                                  writer_view(&walk->piece), &plain) &&
               chunk_take(b, writer_view(&plain));
    }
    writer_clear(&plain);
    return good && b->last == ARCHIVE_END && serial_keep(b, walk);
}

static bool
never(struct audit *audit)
{
    UNUSED(audit);
    return false;
}

static void
unused_append(struct audit *audit, view record)
{
    UNUSED(audit);
    UNUSED(record);
}

static void
unused_release(struct audit *audit)
{
    UNUSED(audit);
}

/* Every record opens, as at a start of the node. */
static bool
rebuild_opens(const struct rebuild *b)
{
    struct audit audit = { never, unused_append, unused_release };
    struct hsm_ports ports = { .clock = clock_host(), .entropy = entropy_host(), .audit = &audit };
    struct hsm *hsm = NULL;
    char path[FOLDER_PATH_MAX];
    CK_RV rv = CKR_DEVICE_ERROR;

    folder_within(b->host->folder, PART_NAME, PARTITION_STORE_NAME, path);
    ports.store = sqlite_store_open(path, ports.entropy);
    if (ports.store != NULL) {
        rv = hsm_open(&ports, secret_view(b->master), &hsm);
        if (rv == CKR_OK) {
            hsm_close(hsm);
        }
        ports.store->close(ports.store);
    }
    return rv == CKR_OK;
}

/* From here on the next start brings it. */
static bool
part_commit(const struct folder *folder)
{
    char part[FOLDER_PATH_MAX], ready[FOLDER_PATH_MAX], path[FOLDER_PATH_MAX];

    folder_path(folder, PART_NAME, part);
    folder_path(folder, READY_NAME, ready);
    folder_path(folder, ".", path);
    if (!path_sync(part)) {
        return false;
    }
    if (rename(part, ready) != 0) {
        return path_failed(ready);
    }
    return path_sync(path);
}

CK_RV
restore_check(struct backup_host *host, view key)
{
    struct walk walk = { .file = &host->coming };
    struct rebuild rebuild = { .host = host };
    char path[FOLDER_PATH_MAX];
    uint64_t chunks = 0;
    bool good;

    if (host->coming.fd < 0) {
        return CODE_BAD_BACKUP;
    }
    writer_init(&walk.piece, ARCHIVE_CHUNK_MAX + ARCHIVE_HEADER_MAX);
    part_remove(host->folder);
    folder_path(host->folder, PART_NAME, path);
    good = signature_holds(host, &walk, &chunks);
    if (!good) {
        log_wrn("restore: the file is truncated, altered, or not signed by a node of this owner");
    } else if (mkdir(path, 0700) != 0) {
        good = path_failed(path);
    } else {
        good = rebuild_run(&rebuild, &walk, key, chunks);
        restoring_free(rebuild.restoring);
        good = good && rebuild_opens(&rebuild) && part_commit(host->folder);
        if (!good) {
            log_wrn("restore: the file does not open with the key that was given");
        }
    }
    if (!good) {
        part_remove(host->folder);
    }
    secret_free(rebuild.master);
    writer_clear(&walk.piece);
    backup_file_close(&host->coming);
    return good ? CKR_OK : CODE_BAD_BACKUP;
}

/* ---- at the start ---- */

static bool
move(const struct folder *folder, const char *name)
{
    char from[FOLDER_PATH_MAX], to[FOLDER_PATH_MAX];

    folder_within(folder, READY_NAME, name, from);
    folder_path(folder, name, to);
    return rename(from, to) == 0 || errno == ENOENT || path_failed(to);
}

/* The trail of the partition that was: kept, and out of the way. */
static bool
trail_aside(const struct folder *folder)
{
    struct clock *clock = clock_host();
    char from[FOLDER_PATH_MAX], to[FOLDER_PATH_MAX], name[64];

    snprintf(name, sizeof name, PARTITION_AUDIT_NAME ".before-%llu",
             (unsigned long long)(clock->wall(clock) / 1000));
    folder_path(folder, PARTITION_AUDIT_NAME, from);
    folder_path(folder, name, to);
    return rename(from, to) == 0 || errno == ENOENT || path_failed(to);
}

/* Into etcd, where all of it is done again if a start was cut short; not any more when it is done,
 * for then others may have written there. */
static bool
ready_upload(const struct folder *folder, const struct settings_store *settings)
{
    struct store *store;
    char path[FOLDER_PATH_MAX];
    bool uploaded;

    folder_within(folder, READY_NAME, PARTITION_STORE_NAME, path);
    if (access(path, F_OK) != 0) {
        return errno == ENOENT || path_failed(path);
    }
    store = sqlite_store_open(path, entropy_host());
    if (store == NULL) {
        return false;
    }
    uploaded = partition_restore(settings, store);
    store->close(store);
    if (!uploaded) {
        return false;
    }
    if (unlink(path) != 0) {
        return path_failed(path);
    }
    folder_path(folder, READY_NAME, path);
    return path_sync(path);
}

static bool
ready_drop(const struct folder *folder)
{
    char path[FOLDER_PATH_MAX];
    bool dropped = true;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        folder_within(folder, READY_NAME, names[i], path);
        dropped = dropped && (unlink(path) == 0 || errno == ENOENT || path_failed(path));
    }
    return dropped;
}

/* Each step may have been done already by a start that was cut short. */
bool
backup_settle(struct folder *folder, const struct settings_store *settings)
{
    char ready[FOLDER_PATH_MAX], path[FOLDER_PATH_MAX];
    struct stat st;

    part_remove(folder);
    folder_path(folder, READY_NAME, ready);
    if (stat(ready, &st) != 0) {
        return errno == ENOENT || path_failed(ready);
    }
    folder_within(folder, READY_NAME, PARTITION_STORE_NAME, path);
    if (!settings->etcd && stat(path, &st) == 0) {
        folder_remove(folder, PARTITION_STORE_NAME "-wal");
        folder_remove(folder, PARTITION_STORE_NAME "-shm");
    }
    folder_path(folder, ".", path);
    if ((settings->etcd && !ready_upload(folder, settings)) || !trail_aside(folder) ||
        !move(folder, PARTITION_KEY_NAME) || !move(folder, PARTITION_NODE_NAME) ||
        !(settings->etcd ? ready_drop(folder) : move(folder, PARTITION_STORE_NAME)) ||
        !path_sync(path)) {
        return false;
    }
    if (rmdir(ready) != 0) {
        return path_failed(ready);
    }
    log_inf("a backup was restored");
    return path_sync(path);
}
