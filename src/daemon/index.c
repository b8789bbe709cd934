/* SPDX-License-Identifier: Apache-2.0
 *
 * Chains in buckets, twice as many when they are full.
 */
#include "daemon/index.h"

#include <stdlib.h>
#include <sys/random.h>

#define SIZE_FIRST 64u

static struct index_item **
bucket_of(const struct index *index, uint64_t hash)
{
    return &index->buckets[hash & (index->size - 1)];
}

static void
index_grow(struct index *index)
{
    const struct index old = *index;
    size_t size = old.size == 0 ? SIZE_FIRST : old.size * 2;
    struct index_item **buckets = calloc(size, sizeof(struct index_item *));

    if (buckets == NULL) {
        return;
    }
    index->buckets = buckets;
    index->size = size;
    for (size_t i = 0; i < old.size; i++) {
        struct index_item *reversed = NULL;

        /* Twice turned round: equal hashes stay in their order. */
        while (old.buckets[i] != NULL) {
            struct index_item *item = old.buckets[i];

            old.buckets[i] = item->next;
            item->next = reversed;
            reversed = item;
        }
        while (reversed != NULL) {
            struct index_item *item = reversed;
            struct index_item **bucket = bucket_of(index, item->hash);

            reversed = item->next;
            item->next = *bucket;
            *bucket = item;
        }
    }
    free(old.buckets);
}

bool
index_put(struct index *index, struct index_item *item, uint64_t hash)
{
    struct index_item **bucket;

    if (index->count >= index->size) {
        index_grow(index);
    }
    if (index->size == 0) {
        return false;
    }
    bucket = bucket_of(index, hash);
    item->hash = hash;
    item->next = *bucket;
    *bucket = item;
    index->count++;
    return true;
}

void
index_take(struct index *index, struct index_item *item)
{
    struct index_item **at = bucket_of(index, item->hash);

    while (*at != item) {
        at = &(*at)->next;
    }
    *at = item->next;
    index->count--;
}

static struct index_item *
first_of(struct index_item *item, uint64_t hash)
{
    while (item != NULL && item->hash != hash) {
        item = item->next;
    }
    return item;
}

struct index_item *
index_find(const struct index *index, uint64_t hash)
{
    return index->size == 0 ? NULL : first_of(*bucket_of(index, hash), hash);
}

struct index_item *
index_next(const struct index_item *item)
{
    return first_of(item->next, item->hash);
}

void
index_clear(struct index *index)
{
    free(index->buckets);
    *index = (struct index){ NULL, 0, 0 };
}

uint64_t
index_hash(uint64_t a, uint64_t b)
{
    static uint64_t seeds[2];
    uint64_t hash;

    while (seeds[0] == 0) {
        if (getrandom(seeds, sizeof seeds, 0) != (ssize_t)sizeof seeds) {
            seeds[0] = 0;
        }
    }
    hash = (a ^ seeds[0]) * 0x9e3779b97f4a7c15u;
    hash ^= hash >> 32;
    hash = (hash + b + seeds[1]) * 0xd6e8feb86659fd93u;
    hash ^= hash >> 32;
    hash *= 0xd6e8feb86659fd93u;
    return hash ^ hash >> 32;
}
