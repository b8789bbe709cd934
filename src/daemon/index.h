/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table whose items live in what they find: contexts, requests, users of this host. It
 * grows with its items; where memory is short it becomes slower and nothing else.
 */
#ifndef DAEMON_INDEX_H
#define DAEMON_INDEX_H

#include "base/base.h"

struct index_item {
    struct index_item *next;
    uint64_t hash;
};

struct index {
    struct index_item **buckets;
    size_t size; /* of buckets, a power of two; 0 before the first item */
    size_t count;
};

/* False when there is no memory for the first item. */
MUST_USE bool index_put(struct index *index, struct index_item *item, uint64_t hash);
/* The item must be in it. */
void index_take(struct index *index, struct index_item *item);
/* The newest item of that hash, and the one before it; NULL when there is none. */
struct index_item *index_find(const struct index *index, uint64_t hash);
struct index_item *index_next(const struct index_item *item);
void index_clear(struct index *index);

/* Mixes two words; differs from one run to the next, so that nobody can prepare collisions. */
uint64_t index_hash(uint64_t a, uint64_t b);

#endif
