/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups to bytes and back.
 */
#include "core/archive.h"

#include "crypto/algo.h"

#include <string.h>

#define TEXT_MAX 64u
#define CERTIFICATE_MAX 16384u
#define BEGIN_LEN (sizeof archive_mark + 4)

const char archive_mark[8] = { 'O', 'C', 'H', 'S', 'M', 'B', 'K', '1' };

void
archive_header_write(struct writer *w, const struct archive_header *header)
{
    write_u64(w, header->time);
    write_raw(w, view_of(header->store_id, sizeof header->store_id));
    write_bytes(w, header->serial);
    write_bytes(w, header->label);
    write_u8(w, header->needed);
    write_u8(w, header->count);
    for (unsigned i = 0; i < header->count; i++) {
        write_raw(w, view_of(header->owners[i].print, ARCHIVE_PRINT_LEN));
        write_bytes(w, header->owners[i].share);
    }
    write_bytes(w, header->certificate);
}

static bool
owner_read(struct reader *r, struct archive_owner *owner)
{
    view print;

    if (!read_raw(r, ARCHIVE_PRINT_LEN, &print) ||
        !read_bytes(r, ARCHIVE_SHARE_MAX, &owner->share)) {
        return false;
    }
    memcpy(owner->print, print.data, ARCHIVE_PRINT_LEN);
    return true;
}

bool
archive_header_read(view bytes, struct archive_header *ret_header)
{
    struct archive_header header = { .time = 0 };
    struct reader r = reader_of(bytes);
    view id;

    if (!read_u64(&r, &header.time) || !read_raw(&r, sizeof header.store_id, &id) ||
        !read_bytes(&r, TEXT_MAX, &header.serial) || !read_bytes(&r, TEXT_MAX, &header.label) ||
        !read_u8(&r, &header.needed) || !read_u8(&r, &header.count) || header.needed == 0 ||
        header.count > ARCHIVE_OWNERS_MAX || header.needed > header.count) {
        return false;
    }
    memcpy(header.store_id, id.data, sizeof header.store_id);
    for (unsigned i = 0; i < header.count; i++) {
        if (!owner_read(&r, &header.owners[i])) {
            return false;
        }
    }
    if (!read_bytes(&r, CERTIFICATE_MAX, &header.certificate) || !reader_done(&r)) {
        return false;
    }
    *ret_header = header;
    return true;
}

bool
archive_begin_read(view bytes, struct archive_header *ret_header, size_t *ret_len)
{
    struct reader r = reader_of(bytes);
    view mark, header;

    if (!read_raw(&r, sizeof archive_mark, &mark) ||
        memcmp(mark.data, archive_mark, sizeof archive_mark) != 0 ||
        !read_bytes(&r, ARCHIVE_HEADER_MAX, &header) || !archive_header_read(header, ret_header)) {
        return false;
    }
    *ret_len = BEGIN_LEN + header.len;
    return true;
}

static const struct shape {
    bool name;
    bool value;
    bool number;
} shapes[] = {
    [ARCHIVE_KEY] = { .value = true },
    [ARCHIVE_RECORD] = { true, true, true },
    [ARCHIVE_COUNTER] = { .name = true, .number = true },
    [ARCHIVE_END] = { .number = true },
};

void
archive_entry_write(struct writer *w, const struct archive_entry *entry)
{
    const struct shape *shape = &shapes[entry->kind];

    write_u8(w, (uint8_t)entry->kind);
    if (shape->name) {
        write_bytes(w, entry->name);
    }
    if (shape->value) {
        write_bytes(w, entry->value);
    }
    if (shape->number) {
        write_u64(w, entry->number);
    }
}

bool
archive_entry_read(struct reader *r, struct archive_entry *ret_entry)
{
    struct archive_entry entry = { .number = 0 };
    struct reader at = *r;
    uint8_t kind;

    if (!read_u8(&at, &kind) || kind < ARCHIVE_KEY || kind > ARCHIVE_END) {
        return false;
    }
    entry.kind = (enum archive_kind)kind;
    if ((shapes[kind].name && !read_bytes(&at, STORE_KEY_MAX, &entry.name)) ||
        (shapes[kind].value && !read_bytes(&at, STORE_VALUE_MAX, &entry.value)) ||
        (shapes[kind].number && !read_u64(&at, &entry.number))) {
        return false;
    }
    *r = at;
    *ret_entry = entry;
    return true;
}

static void
chunk_nonce(uint64_t number, bool last, uint8_t nonce[12])
{
    store_u64(nonce, number);
    store_u32(nonce + 8, last ? 1 : 0);
}

bool
archive_chunk_seal(const uint8_t key[ARCHIVE_KEY_LEN], const uint8_t begin[32], uint64_t number,
                   bool last, view plain, struct writer *out)
{
    uint8_t nonce[12];

    chunk_nonce(number, last, nonce);
    return algo_seal(key, nonce, view_of(begin, 32), plain, out);
}

bool
archive_chunk_open(const uint8_t key[ARCHIVE_KEY_LEN], const uint8_t begin[32], uint64_t number,
                   bool last, view sealed, struct writer *out)
{
    uint8_t nonce[12];

    chunk_nonce(number, last, nonce);
    return algo_unseal(key, nonce, view_of(begin, 32), sealed, out);
}

bool
archive_digest_begin(struct archive_digest *digest, view begin)
{
    return algo_sha256(begin, digest->hash);
}

bool
archive_digest_chunk(struct archive_digest *digest, view sealed)
{
    uint8_t both[64];

    memcpy(both, digest->hash, 32);
    return algo_sha256(sealed, both + 32) &&
           algo_sha256(view_of(both, sizeof both), digest->hash);
}
