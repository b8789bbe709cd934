/* SPDX-License-Identifier: Apache-2.0
 *
 * Making a backup: all records of the store as they are at one moment, sealed with a key that is
 * drawn for it and goes to the owners alone, signed with the node's key.
 */
#include "server/backup_private.h"

#include "base/log.h"
#include "crypto/owner.h"
#include "server/clock.h"
#include "server/entropy.h"
#include "server/partition.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MADE_NAME "backup.part"

/* ---- files ---- */

/* A file without a name in the state folder. */
MUST_USE static bool
file_make(struct backup_host *host, struct backup_file *file)
{
    char path[FOLDER_PATH_MAX];

    backup_file_close(file);
    folder_path(host->folder, MADE_NAME, path);
    unlink(path);
    file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file->fd < 0) {
        log_err("backup: %s: %s", path, strerror(errno));
        return false;
    }
    unlink(path);
    return true;
}

void
backup_file_close(struct backup_file *file)
{
    if (file->fd >= 0) {
        close(file->fd);
    }
    *file = (struct backup_file){ .fd = -1 };
}

MUST_USE static bool
file_add(struct backup_file *file, view bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = pwrite(file->fd, bytes.data, bytes.len, (off_t)file->size);

        if (wrote <= 0) {
            log_err("backup: %s", strerror(errno));
            return false;
        }
        file->size += (uint64_t)wrote;
        bytes = view_slice(bytes, (size_t)wrote, bytes.len);
    }
    return true;
}

bool
backup_file_get(const struct backup_file *file, uint64_t offset, size_t len, struct writer *out)
{
    uint8_t *room;

    if (offset > file->size || len > file->size - offset ||
        (room = write_space(out, len)) == NULL) {
        return false;
    }
    while (len > 0) {
        ssize_t got = pread(file->fd, room, len, (off_t)offset);

        if (got <= 0) {
            log_err("backup: %s", got < 0 ? strerror(errno) : "its file is shorter than it was");
            return false;
        }
        room += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return true;
}

/* A small file as a whole; logged. */
MUST_USE static bool
text_read(const char *path, struct writer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *room = write_space(out, BACKUP_FILE_MAX * 4);
    ssize_t got = fd < 0 || room == NULL ? -1 : read(fd, room, BACKUP_FILE_MAX * 4);

    if (fd >= 0) {
        close(fd);
    }
    if (got <= 0) {
        log_err("backup: %s: %s", path, got < 0 ? strerror(errno) : "empty");
        return false;
    }
    writer_truncate(out, (size_t)got);
    return true;
}

/* ---- the header ---- */

bool
backup_identity(struct backup_host *host, struct writer *owner, struct writer *certificate,
                struct owner_key **ret_key)
{
    const struct server_settings *settings = host->plan.settings;
    struct hsm_identity identity = { .version = 0 };
    struct writer pem;
    bool got;

    if (hsm_identity_get(host->hsm, &identity) && identity.owner != NULL) {
        write_raw(owner, view_str(identity.owner));
        got = writer_ok(owner);
        if (certificate != NULL) {
            write_raw(certificate, view_str(identity.certificate));
            got = got && writer_ok(certificate);
        }
        if (got && ret_key != NULL) {
            *ret_key = owner_key_read_der(secret_view(identity.private_key));
            got = *ret_key != NULL;
        }
        hsm_identity_clear(&identity);
        return got;
    }
    hsm_identity_clear(&identity);
    writer_init(&pem, BACKUP_FILE_MAX * 4);
    got = text_read(settings->owner_certificate, owner) &&
          (certificate == NULL || text_read(settings->certificate, certificate)) &&
          (ret_key == NULL ||
           (text_read(settings->private_key, &pem) &&
            (*ret_key = owner_key_read(writer_view(&pem), NULL, NULL)) != NULL));
    writer_clear(&pem);
    return got;
}

/* Of one owner; sealed is a writer of fixed room, so views into it stay. */
static bool
owner_add(struct archive_header *header, view pem, view share, struct writer *sealed)
{
    struct archive_owner *owner = &header->owners[header->count];
    size_t start = sealed->len;

    if (!owner_print(pem, owner->print) || !owner_seal(pem, share, sealed)) {
        return false;
    }
    owner->share = view_of(sealed->data + start, sealed->len - start);
    header->count++;
    return true;
}

/* The owners' certificates: those of the settings, else the owner's alone. */
static bool
owner_add_at(const struct backup_host *host, struct archive_header *header, unsigned at,
             view owner, view share, struct writer *sealed)
{
    const struct server_settings *settings = host->plan.settings;
    struct writer pem;
    bool added;

    if (settings->backup_owner_count == 0) {
        return owner_add(header, owner, share, sealed);
    }
    writer_init(&pem, BACKUP_FILE_MAX * 4);
    added = text_read(settings->backup_owners[at], &pem) &&
            owner_add(header, writer_view(&pem), share, sealed);
    writer_clear(&pem);
    return added;
}

static bool
owners_add(const struct backup_host *host, struct archive_header *header, view owner, view key,
           struct writer *sealed)
{
    const struct server_settings *settings = host->plan.settings;
    struct entropy *entropy = entropy_host();
    uint8_t random[SHARES_MAX * ARCHIVE_KEY_LEN];
    uint8_t shares[SHARES_MAX * (ARCHIVE_KEY_LEN + 1)];
    unsigned count = settings->backup_owner_count == 0 ? 1 : (unsigned)settings->backup_owner_count;
    unsigned needed = settings->backup_owner_count == 0 ? 1 : settings->backup_needed;
    bool added = count <= SHARES_MAX && needed <= count &&
                 entropy->fill(entropy, random, sizeof random);

    if (added) {
        shares_make(key, view_of(random, sizeof random), needed, count, shares);
        header->needed = (uint8_t)needed;
    }
    for (unsigned i = 0; added && i < count; i++) {
        added = owner_add_at(host, header, i, owner,
                             view_of(shares + i * (ARCHIVE_KEY_LEN + 1), ARCHIVE_KEY_LEN + 1),
                             sealed);
    }
    wipe(random, sizeof random);
    wipe(shares, sizeof shares);
    return added;
}

/* ---- making ---- */

struct making {
    struct backup_host *host;
    struct backup_file file;
    const uint8_t *key;
    uint8_t begin[32];
    struct archive_digest digest;
    uint64_t chunks;
    struct writer plain;
    struct writer sealed;
    uint64_t revision; /* the highest of a record */
};

static bool
begin_put(struct making *m, const uint8_t store_id[16], const char *serial, const char *label)
{
    struct clock *clock = clock_host();
    uint8_t shares[SHARES_MAX * OWNER_SEALED_MAX];
    struct archive_header header = { .time = clock->wall(clock),
                                     .serial = view_str(serial),
                                     .label = view_str(label) };
    struct writer sealed, owner, pem, der, out;
    bool put;

    memcpy(header.store_id, store_id, sizeof header.store_id);
    writer_init_fixed(&sealed, shares, sizeof shares);
    writer_init(&owner, BACKUP_FILE_MAX * 4);
    writer_init(&pem, BACKUP_FILE_MAX * 4);
    writer_init(&der, BACKUP_FILE_MAX * 4);
    writer_init(&out, ARCHIVE_HEADER_MAX + 64);
    put = backup_identity(m->host, &owner, &pem, NULL) &&
          owners_add(m->host, &header, writer_view(&owner), view_of(m->key, ARCHIVE_KEY_LEN),
                     &sealed) &&
          owner_certificate_der(writer_view(&pem), &der);
    if (put) {
        header.certificate = writer_view(&der);
        write_raw(&out, view_of(archive_mark, sizeof archive_mark));
        write_u32(&out, 0);
        archive_header_write(&out, &header);
        writer_patch_u32(&out, sizeof archive_mark,
                         (uint32_t)(out.len - sizeof archive_mark - 4));
        put = writer_ok(&out) && archive_digest_begin(&m->digest, writer_view(&out)) &&
              file_add(&m->file, writer_view(&out));
        memcpy(m->begin, m->digest.hash, sizeof m->begin);
    }
    writer_clear(&out);
    writer_clear(&der);
    writer_clear(&pem);
    writer_clear(&owner);
    return put;
}

static bool
chunk_put(struct making *m, bool last)
{
    uint8_t len[4];
    bool put;

    writer_reset(&m->sealed);
    put = writer_ok(&m->plain) && archive_chunk_seal(m->key, m->begin, m->chunks, last,
                                                     writer_view(&m->plain), &m->sealed);
    if (put) {
        store_u32(len, (uint32_t)m->sealed.len);
        put = archive_digest_chunk(&m->digest, writer_view(&m->sealed)) &&
              file_add(&m->file, view_of(len, sizeof len)) &&
              file_add(&m->file, writer_view(&m->sealed));
    }
    m->chunks++;
    writer_reset(&m->plain);
    return put;
}

static bool
entry_put(struct making *m, const struct archive_entry *entry)
{
    archive_entry_write(&m->plain, entry);
    return m->plain.len < ARCHIVE_CHUNK_FULL || chunk_put(m, false);
}

static bool
record_put(void *arg, view key, view value, uint64_t revision)
{
    struct making *m = arg;

    if (revision > m->revision) {
        m->revision = revision;
    }
    return entry_put(m, &(struct archive_entry){ ARCHIVE_RECORD, key, value, revision });
}

static bool
counter_put(void *arg, view counter, uint64_t next)
{
    return entry_put(arg, &(struct archive_entry){ ARCHIVE_COUNTER, counter, VIEW_EMPTY, next });
}

/* Counters after the records: no record has a number that its counter has not passed. */
static bool
contents_put(struct making *m)
{
    struct store *store = m->host->store;
    struct secret *master = NULL;
    bool put;

    if (!folder_key_read(m->host->folder, PARTITION_KEY_NAME, HSM_MASTER_KEY_LEN, &master) ||
        master == NULL) {
        return false;
    }
    put = entry_put(m, &(struct archive_entry){ ARCHIVE_KEY, VIEW_EMPTY, secret_view(master), 0 });
    secret_free(master);
    if (!put || !store->load_all(store, record_put, m) ||
        !store->each_number(store, counter_put, m)) {
        return false;
    }

    uint64_t revision = store->revision(store);

    archive_entry_write(&m->plain,
                        &(struct archive_entry){ ARCHIVE_END, VIEW_EMPTY, VIEW_EMPTY,
                                                 revision > m->revision ? revision
                                                                        : m->revision });
    return chunk_put(m, true);
}

static bool
signature_put(struct making *m)
{
    struct writer owner, out;
    struct owner_key *key = NULL;
    size_t start;
    bool put;

    writer_init(&owner, BACKUP_FILE_MAX * 4);
    writer_init(&out, ARCHIVE_SIGNATURE_MAX + 16);
    write_u32(&out, 0); /* no more chunks */
    start = out.len;
    write_u32(&out, 0);
    put = backup_identity(m->host, &owner, NULL, &key) &&
          owner_key_sign(key, view_of(m->digest.hash, sizeof m->digest.hash), &out);
    if (put) {
        writer_patch_u32(&out, start, (uint32_t)(out.len - start - 4));
        put = writer_ok(&out) && file_add(&m->file, writer_view(&out));
    }
    owner_key_free(key);
    writer_clear(&out);
    writer_clear(&owner);
    return put;
}

static CK_RV
backup_make(struct backups *backups, const uint8_t store_id[16], const char *serial,
            const char *label, uint64_t *ret_size)
{
    struct backup_host *host = (struct backup_host *)backups;
    struct entropy *entropy = entropy_host();
    struct secret *key = secret_new(ARCHIVE_KEY_LEN);
    struct making m = { .host = host, .file = { .fd = -1 } };
    bool made;

    if (key == NULL) {
        return CKR_HOST_MEMORY;
    }
    m.key = secret_data(key);
    writer_init(&m.plain, ARCHIVE_CHUNK_MAX);
    writer_init(&m.sealed, ARCHIVE_CHUNK_MAX + 64);
    pthread_mutex_lock(&host->lock);
    backup_file_close(&host->made);
    made = file_make(host, &m.file) &&
           entropy->fill(entropy, secret_data(key), ARCHIVE_KEY_LEN) &&
           begin_put(&m, store_id, serial, label) && contents_put(&m) && signature_put(&m);
    if (made) {
        host->made = m.file;
        *ret_size = m.file.size;
        log_inf("backup made: %llu bytes", (unsigned long long)m.file.size);
    } else {
        backup_file_close(&m.file);
        log_err("the backup was not made");
    }
    pthread_mutex_unlock(&host->lock);
    writer_clear(&m.plain);
    writer_clear(&m.sealed);
    secret_free(key);
    return made ? CKR_OK : CKR_DEVICE_ERROR;
}

/* ---- out and in ---- */

static CK_RV
backup_read(struct backups *backups, uint64_t offset, size_t max, struct writer *out)
{
    struct backup_host *host = (struct backup_host *)backups;
    CK_RV rv = CKR_ARGUMENTS_BAD;

    pthread_mutex_lock(&host->lock);
    if (host->made.fd >= 0 && offset <= host->made.size) {
        uint64_t left = host->made.size - offset;

        rv = backup_file_get(&host->made, offset, left < max ? (size_t)left : max, out)
                 ? CKR_OK
                 : CKR_DEVICE_ERROR;
    }
    pthread_mutex_unlock(&host->lock);
    return rv;
}

static CK_RV
backup_take(struct backups *backups, uint64_t offset, view bytes)
{
    struct backup_host *host = (struct backup_host *)backups;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&host->lock);
    if (offset == 0 && !file_make(host, &host->coming)) {
        rv = CKR_DEVICE_ERROR;
    } else if (host->coming.fd < 0 || offset != host->coming.size) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (bytes.len > BACKUP_SIZE_MAX - offset) {
        rv = CKR_DEVICE_MEMORY;
    } else if (!file_add(&host->coming, bytes)) {
        rv = CKR_DEVICE_ERROR;
    }
    pthread_mutex_unlock(&host->lock);
    return rv;
}

static CK_RV
backup_restore(struct backups *backups, view key)
{
    struct backup_host *host = (struct backup_host *)backups;
    CK_RV rv;

    if (!hsm_is_alone(host->hsm)) {
        log_err("restore: other nodes have this partition, too: remove them (removeNode), and let "
                "them join when it is restored");
        return CODE_NOT_FRESH;
    }
    pthread_mutex_lock(&host->lock);
    rv = restore_check(host, key);
    pthread_mutex_unlock(&host->lock);
    if (rv == CKR_OK) {
        host->plan.restored(host->plan.arg);
    }
    return rv;
}

struct backups *
backup_new(struct folder *folder, const struct backup_plan *plan)
{
    struct backup_host *host = calloc(1, sizeof *host);

    if (host == NULL) {
        return NULL;
    }
    *host = (struct backup_host){
        .backups = { backup_make, backup_read, backup_take, backup_restore },
        .folder = folder,
        .plan = *plan,
        .made = { .fd = -1 },
        .coming = { .fd = -1 },
    };
    pthread_mutex_init(&host->lock, NULL);
    return &host->backups;
}

void
backup_begin(struct backups *backups, struct store *store, struct hsm *hsm)
{
    struct backup_host *host = (struct backup_host *)backups;

    host->store = store;
    host->hsm = hsm;
}

void
backup_free(struct backups *backups)
{
    struct backup_host *host = (struct backup_host *)backups;

    if (host == NULL) {
        return;
    }
    backup_file_close(&host->made);
    backup_file_close(&host->coming);
    pthread_mutex_destroy(&host->lock);
    free(host);
}
