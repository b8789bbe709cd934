/* SPDX-License-Identifier: Apache-2.0
 *
 * A backup as bytes: what backupPartition writes and restorePartition reads (docs/backup.md). A
 * header in the open, chunks that are sealed with a key of this backup's own, and a signature
 * over all before it by the node that made it. The key is shared among the owners, each share
 * sealed to an owner's certificate.
 *
 *   the mark, u32 length, header; chunks of u32 length and bytes; u32 0; the signature
 *
 * A chunk holds whole entries. Its nonce is its number, with a mark on the last one; its
 * associated data the SHA-256 of all before the first chunk.
 */
#ifndef CORE_ARCHIVE_H
#define CORE_ARCHIVE_H

#include "base/secret.h"
#include "core/ports.h"

#define ARCHIVE_KEY_LEN 32u
#define ARCHIVE_OWNERS_MAX 16u
#define ARCHIVE_SHARE_MAX 1024u /* sealed */
#define ARCHIVE_PRINT_LEN 32u
#define ARCHIVE_HEADER_MAX (64u * 1024u)
#define ARCHIVE_CHUNK_MAX (1024u * 1024u)
#define ARCHIVE_CHUNK_FULL (256u * 1024u) /* when a writer begins the next one */
#define ARCHIVE_SIGNATURE_MAX 2048u

extern const char archive_mark[8];

struct archive_owner {
    uint8_t print[ARCHIVE_PRINT_LEN]; /* SHA-256 of its public key */
    view share;                       /* sealed to it */
};

struct archive_header {
    uint64_t time; /* wall clock, milliseconds */
    uint8_t store_id[16];
    view serial;
    view label;
    uint8_t needed; /* of the owners */
    uint8_t count;
    struct archive_owner owners[ARCHIVE_OWNERS_MAX];
    view certificate; /* of the node, DER */
};

void archive_header_write(struct writer *w, const struct archive_header *header);
MUST_USE bool archive_header_read(view bytes, struct archive_header *ret_header);
/* From the front of a file: the mark, the length, the header. *ret_len: how long all that is. */
MUST_USE bool archive_begin_read(view bytes, struct archive_header *ret_header, size_t *ret_len);

/* What a backup consists of, in this order: one key, records, counters, one end. */
enum archive_kind {
    ARCHIVE_KEY = 1,     /* value: the partition's master key */
    ARCHIVE_RECORD = 2,  /* name, value, number: its revision */
    ARCHIVE_COUNTER = 3, /* name, number: the next to be given */
    ARCHIVE_END = 4      /* number: the store's revision */
};

struct archive_entry {
    enum archive_kind kind;
    view name;
    view value;
    uint64_t number;
};

void archive_entry_write(struct writer *w, const struct archive_entry *entry);
MUST_USE bool archive_entry_read(struct reader *r, struct archive_entry *ret_entry);

/*
 * What is signed: the SHA-256 of everything before the first chunk, and for each chunk SHA-256 of
 * what stood before and the chunk's own SHA-256.
 */
struct archive_digest {
    uint8_t hash[32];
};
MUST_USE bool archive_digest_begin(struct archive_digest *digest, view begin);
MUST_USE bool archive_digest_chunk(struct archive_digest *digest, view sealed);

/*
 * AES-256-GCM, appended; begin is the SHA-256 of everything before the first chunk, number counts
 * from 0, last: it is the last one. False: the library fails, or, opened, it is not that chunk of
 * that archive; nothing is appended then.
 */
MUST_USE bool archive_chunk_seal(const uint8_t key[ARCHIVE_KEY_LEN], const uint8_t begin[32],
                                 uint64_t number, bool last, view plain, struct writer *out);
MUST_USE bool archive_chunk_open(const uint8_t key[ARCHIVE_KEY_LEN], const uint8_t begin[32],
                                 uint64_t number, bool last, view sealed, struct writer *out);

#endif
