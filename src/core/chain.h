/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash chain over records: the hash after a record is SHA-256 of the hash before it and the
 * record. Who holds the end can tell whether any record before it was changed, removed,
 * added or moved.
 */
#ifndef CORE_CHAIN_H
#define CORE_CHAIN_H

#include "base/bytes.h"

#define CHAIN_HASH_LEN 32u
#define CHAIN_RECORD_MAX 1024u

/* The end of a chain. All zero: no record yet. */
struct chain {
    uint64_t count;
    uint8_t hash[CHAIN_HASH_LEN];
};

/* Moves the end over one record of at most CHAIN_RECORD_MAX bytes; false when the digest fails,
 * and then nothing moved. */
MUST_USE bool chain_add(struct chain *chain, view record);
bool chain_equal(const struct chain *a, const struct chain *b);

void chain_write(struct writer *w, const struct chain *chain);
MUST_USE bool chain_read(struct reader *r, struct chain *ret_chain);

#endif
