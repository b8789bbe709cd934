/* SPDX-License-Identifier: Apache-2.0
 *
 * The guard: a keyed multiset hash over (key, revision) of all records, so that a record that
 * was removed, brought back or put back to an older state behind our back is noticed at the
 * next start. Each record adds HMAC-SHA-256(key, its name and revision) to a sum of four
 * 64-bit lanes. What is stored is the sum under a mask of the store's revision, and a MAC:
 * differences between two copies of the file tell nothing that could be used to mend a sum.
 * A whole file that is put back is not noticed; nothing inside the file could tell.
 */
#ifndef STORE_GUARD_H
#define STORE_GUARD_H

#include "base/bytes.h"

#define GUARD_KEY_LEN 32u
#define GUARD_VALUE_LEN 64u

struct guard {
    bool on; /* false until a key is given: then nothing is counted */
    uint8_t key[GUARD_KEY_LEN];
    uint64_t lanes[4];
};

/* A record came to be, or went, with that revision. False: the hash function failed. */
MUST_USE bool guard_add(struct guard *guard, view key, uint64_t revision);
MUST_USE bool guard_remove(struct guard *guard, view key, uint64_t revision);

/* The masked sum and its MAC, as they are stored with the store's revision. False: the hash
 * function failed. */
MUST_USE bool guard_value(const struct guard *guard, uint64_t revision,
                          uint8_t ret_value[GUARD_VALUE_LEN]);

#endif
