/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: backups to a file, and back. The key of a backup is put together here,
 * from what the owners' private keys open; those keys stay on this host.
 */
#include "tools/mgmt.h"

#include "core/archive.h"
#include "crypto/owner.h"
#include "tools/console.h"
#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536u
#define KEY_FILE_MAX 16384u
#define KEYS_MAX 8u

/* ---- out ---- */

static bool
file_failed(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

static bool
bytes_write(int fd, const char *path, view bytes)
{
    while (bytes.len > 0) {
        ssize_t wrote = write(fd, bytes.data, bytes.len);

        if (wrote <= 0) {
            return file_failed(path);
        }
        bytes = view_slice(bytes, (size_t)wrote, bytes.len);
    }
    return true;
}

/* One call whose request is in body, which is cleared. */
static CK_RV
call_once(struct mgmt_server *server, enum operation operation, struct writer *body,
          view *ret_reply)
{
    CK_RV rv = mgmt_call(server, operation, body, ret_reply);

    writer_clear(body);
    return rv;
}

static CK_RV
piece_fetch(struct mgmt_server *server, uint64_t offset, view *ret_data)
{
    const struct backup_read_request request = { offset, PIECE };
    struct backup_read_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    backup_read_request_write(&body, &request);
    rv = call_once(server, OPERATION_BACKUP_READ, &body, &bytes);
    if (rv == CKR_OK && !backup_read_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        *ret_data = reply.data;
    }
    return rv;
}

static enum status
backup_fetch(struct mgmt_server *server, uint64_t size, int fd, const char *path)
{
    uint64_t at = 0;

    while (at < size) {
        view data;
        CK_RV rv = piece_fetch(server, at, &data);

        if (rv == CKR_OK && data.len == 0) {
            rv = CKR_DEVICE_ERROR;
        }
        if (rv != CKR_OK) {
            mgmt_failed("backupPartition", "reading the backup", server, rv);
            return STATUS_REFUSED;
        }
        if (!bytes_write(fd, path, data)) {
            return STATUS_REFUSED;
        }
        at += data.len;
    }
    /* A pipe has no disk behind it. */
    return fsync(fd) == 0 || errno == EINVAL ? STATUS_DONE : (file_failed(path), STATUS_REFUSED);
}

enum status
mgmt_backup(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct mgmt_server *server = mgmt->scope;
    const char *path = values_text(values, "file");
    struct backup_reply reply = { 0 };
    struct writer body;
    const bool special = file_is_special(path);
    char place[FILE_PATH_MAX];
    char part[FILE_PATH_MAX + sizeof ".part"];
    view bytes;
    CK_RV rv;

    if (!file_place(path, place)) {
        return STATUS_MISUSED;
    }
    snprintf(part, sizeof part, "%s.part", place);
    writer_init(&body, MGMT_BODY_MAX);
    rv = call_once(server, OPERATION_BACKUP, &body, &bytes);
    if (rv == CKR_OK && !backup_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        mgmt_failed("backupPartition", "backing up", server, rv);
        return STATUS_REFUSED;
    }

    int fd = special ? file_open_special(path)
                     : open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    enum status status = STATUS_REFUSED;

    if (fd < 0) {
        (void)file_failed(special ? path : part);
        return STATUS_REFUSED;
    }
    status = backup_fetch(server, reply.size, fd, special ? path : part);
    close(fd);
    if (status == STATUS_DONE && !special && rename(part, place) != 0) {
        (void)file_failed(path);
        status = STATUS_REFUSED;
    }
    if (status != STATUS_DONE) {
        if (!special) {
            unlink(part);
        }
        return status;
    }
    printf("backupPartition success on server %u(%s)\nWritten to: %s file, %llu bytes\n",
           server->number, server->settings->hostname, path, (unsigned long long)reply.size);
    return STATUS_DONE;
}

/* ---- the header ---- */

/* The front of the file into room; the header's views point there. */
static bool
header_load(const char *path, struct writer *room, struct archive_header *ret_header)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *data = write_space(room, ARCHIVE_HEADER_MAX);
    ssize_t got = fd < 0 || data == NULL ? -1 : read(fd, data, ARCHIVE_HEADER_MAX);
    size_t len;

    if (got < 0) {
        (void)file_failed(path);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (got < 0) {
        return false;
    }
    writer_truncate(room, (size_t)got);
    if (!archive_begin_read(writer_view(room), ret_header, &len)) {
        fprintf(stderr, "%s: this is no backup, or its beginning was altered\n", path);
        return false;
    }
    return true;
}

static void
time_text(uint64_t ms, char *text, size_t size)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm when;

    if (gmtime_r(&seconds, &when) == NULL || strftime(text, size, "%FT%TZ", &when) == 0) {
        snprintf(text, size, "?");
    }
}

static void
print_text(const struct archive_owner *owner, char text[2 * ARCHIVE_PRINT_LEN + 1])
{
    hex_encode(view_of(owner->print, ARCHIVE_PRINT_LEN), text);
}

static void
header_print(const struct archive_header *header, bool json)
{
    char when[64], id[33], print[2 * ARCHIVE_PRINT_LEN + 1];

    time_text(header->time, when, sizeof when);
    hex_encode(view_of(header->store_id, sizeof header->store_id), id);
    if (json) {
        json_t *owners = json_array();

        for (unsigned i = 0; i < header->count; i++) {
            print_text(&header->owners[i], print);
            json_array_append_new(owners, json_string(print));
        }

        json_t *all = json_pack("{s:s%,s:s%,s:s,s:s,s:i,s:o}", "label", header->label.data,
                                header->label.len, "serial", header->serial.data,
                                header->serial.len, "time", when, "store", id, "needed",
                                (int)header->needed, "owners", owners);

        if (all != NULL) {
            json_dumpf(all, stdout, JSON_COMPACT);
            putchar('\n');
        }
        json_decref(all);
        return;
    }
    printf("Partition %.*s, serial %.*s, store %s\nMade at %s\n%u of these owners open it:\n",
           (int)header->label.len, (const char *)header->label.data, (int)header->serial.len,
           (const char *)header->serial.data, id, when, (unsigned)header->needed);
    for (unsigned i = 0; i < header->count; i++) {
        print_text(&header->owners[i], print);
        printf("    %u: public key with SHA-256 %s\n", i + 1, print);
    }
}

enum status
mgmt_backup_info(void *tool, const struct values *values)
{
    struct archive_header header;
    struct writer room;
    bool good;

    UNUSED(tool);
    writer_init(&room, ARCHIVE_HEADER_MAX);
    good = header_load(values_text(values, "file"), &room, &header);
    if (good) {
        header_print(&header, values_given(values, "--json"));
    }
    writer_clear(&room);
    return good ? STATUS_DONE : STATUS_REFUSED;
}

/* ---- the key ---- */

static const char *const key_names[KEYS_MAX] = { "key1", "key2", "key3", "key4",
                                                 "key5", "key6", "key7", "key8" };

static struct secret *
ask_passphrase(void *arg)
{
    char prompt[512];

    snprintf(prompt, sizeof prompt, "Enter passphrase of %.480s: ", (const char *)arg);
    return console_secret(prompt);
}

/* The share that a private key opens. */
static struct secret *
share_of_key(const struct archive_header *header, view pem, const char *path)
{
    struct owner_key *key = owner_key_read(pem, ask_passphrase, (void *)(uintptr_t)path);
    uint8_t print[OWNER_PRINT_LEN];
    struct secret *share = NULL;

    if (key == NULL || !owner_key_print(key, print)) {
        fprintf(stderr, "%s: neither a private key in PEM, nor a share of %u bytes\n", path,
                ARCHIVE_KEY_LEN + 1);
        owner_key_free(key);
        return NULL;
    }
    for (unsigned i = 0; i < header->count && share == NULL; i++) {
        if (memcmp(header->owners[i].print, print, sizeof print) == 0) {
            share = owner_key_open(key, header->owners[i].share);
        }
    }
    if (share == NULL || secret_view(share).len != ARCHIVE_KEY_LEN + 1) {
        fprintf(stderr, "%s: the backup is not sealed to this key\n", path);
        secret_free(share);
        share = NULL;
    }
    owner_key_free(key);
    return share;
}

static struct secret *
share_load(const struct archive_header *header, const char *path)
{
    struct secret *share = NULL;
    struct writer bytes;

    writer_init(&bytes, KEY_FILE_MAX);
    if (mgmt_file_read(path, KEY_FILE_MAX, &bytes)) {
        share = bytes.len == ARCHIVE_KEY_LEN + 1
                    ? secret_dup(writer_view(&bytes))
                    : share_of_key(header, writer_view(&bytes), path);
    }
    writer_clear(&bytes);
    return share;
}

/* From the keys that were named; NULL, said why. */
static struct secret *
key_gather(const struct archive_header *header, const struct values *values)
{
    struct secret *shares[KEYS_MAX] = { NULL };
    view views[KEYS_MAX];
    struct secret *key = NULL;
    unsigned count = 0;
    bool good = true;

    while (good && count < KEYS_MAX && values_given(values, key_names[count])) {
        shares[count] = share_load(header, values_text(values, key_names[count]));
        good = shares[count] != NULL;
        views[count] = secret_view(shares[count]);
        count += good;
    }
    if (good && count < header->needed) {
        fprintf(stderr, "this backup takes %u owners; %u were named\n", (unsigned)header->needed,
                count);
    } else if (good && !shares_join(views, header->needed, &key)) {
        fputs("the same owner was named twice\n", stderr);
    }
    for (unsigned i = 0; i < count; i++) {
        secret_free(shares[i]);
    }
    return key;
}

/* For owners whose keys are elsewhere. */
static enum status
shares_write(const struct archive_header *header, const char *file)
{
    char path[4096];

    for (unsigned i = 0; i < header->count; i++) {
        snprintf(path, sizeof path, "%.4000s.owner%u", file, i + 1);
        if (!file_write_shared(path, header->owners[i].share)) {
            return STATUS_REFUSED;
        }
        printf("Sealed share of owner %u written to: %s\n", i + 1, path);
    }
    printf("It takes %u of %u. Each owner opens his with\n"
           "    openssl pkeyutl -decrypt -inkey PO.key -in FILE.ownerN -out shareN"
           " -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256"
           " -pkeyopt rsa_mgf1_md:sha256\n"
           "and then it is restorePartition FILE shareN...\n",
           (unsigned)header->needed, (unsigned)header->count);
    return STATUS_DONE;
}

/* ---- in ---- */

static CK_RV
piece_send(struct mgmt_server *server, uint64_t offset, view data)
{
    const struct restore_write_request request = { offset, data };
    struct writer body;
    view bytes;

    writer_init(&body, PIECE + 64);
    restore_write_request_write(&body, &request);
    return call_once(server, OPERATION_RESTORE_WRITE, &body, &bytes);
}

static CK_RV
backup_send(struct mgmt_server *server, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t room[PIECE];
    uint64_t at = 0;
    CK_RV rv = CKR_OK;

    if (fd < 0) {
        (void)file_failed(path);
        return CKR_ARGUMENTS_BAD;
    }
    while (rv == CKR_OK) {
        ssize_t got = read(fd, room, sizeof room);

        if (got < 0) {
            (void)file_failed(path);
            rv = CKR_ARGUMENTS_BAD;
        } else if (got == 0) {
            break;
        } else {
            rv = piece_send(server, at, view_of(room, (size_t)got));
            at += (uint64_t)got;
        }
    }
    close(fd);
    return rv;
}

enum status
mgmt_restore(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct mgmt_server *server = mgmt->scope;
    const char *path = values_text(values, "file");
    struct restore_request request;
    struct archive_header header;
    struct secret *key = NULL;
    struct writer room, body;
    enum status status = STATUS_MISUSED;
    view bytes;
    CK_RV rv;

    writer_init(&room, ARCHIVE_HEADER_MAX);
    if (!header_load(path, &room, &header)) {
        goto out;
    }
    if (!values_given(values, "key1")) {
        status = shares_write(&header, path);
        goto out;
    }
    if ((key = key_gather(&header, values)) == NULL) {
        goto out;
    }
    status = STATUS_REFUSED;
    header_print(&header, false);
    if (!mgmt_confirmed()) {
        goto out;
    }
    rv = backup_send(server, path);
    if (rv == CKR_OK) {
        request.key = secret_view(key);
        writer_init(&body, MGMT_BODY_MAX);
        restore_request_write(&body, &request);
        rv = call_once(server, OPERATION_RESTORE, &body, &bytes);
    }
    if (rv != CKR_OK) {
        mgmt_failed("restorePartition", "restoring", server, rv);
        goto out;
    }
    printf("restorePartition success on server %u(%s)\n"
           "The server starts anew with the users and keys of the backup; reconnect, and log in.\n",
           server->number, server->settings->hostname);
    status = STATUS_DONE;
out:
    secret_free(key);
    writer_clear(&room);
    return status;
}
