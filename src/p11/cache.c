/* SPDX-License-Identifier: Apache-2.0
 *
 * A hash table with open addressing; handle 0 marks an empty place. Nothing in it is secret.
 */
#include "p11/cache.h"

#include "wire/page.h"

#include <pthread.h>
#include <stdlib.h>

#define SIZE_FIRST 64u
#define SIZE_MAX_ENTRIES (1u << 24)

struct entry {
    struct key_info info; /* info.handle 0: empty */
    uint32_t session;
    uint64_t stamp;
};

struct cache {
    pthread_mutex_t lock;
    struct entry *entries; /* a power of two of them */
    size_t size;
    size_t count;
};

struct cache *
cache_new(void)
{
    struct cache *cache = calloc(1, sizeof *cache);

    if (cache == NULL || pthread_mutex_init(&cache->lock, NULL) != 0) {
        free(cache);
        return NULL;
    }
    return cache;
}

void
cache_free(struct cache *cache)
{
    if (cache == NULL) {
        return;
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache->entries);
    free(cache);
}

/* Handles come in rows; the factor (2^32 over the golden ratio) spreads them. */
static size_t
home_of(const struct cache *cache, uint32_t handle)
{
    return (size_t)(handle * 2654435769u) & (cache->size - 1);
}

/* The place of the handle, or the empty one where it would go. */
static struct entry *
entry_at(const struct cache *cache, uint32_t handle)
{
    size_t i = home_of(cache, handle);

    while (cache->entries[i].info.handle != 0 && cache->entries[i].info.handle != handle) {
        i = (i + 1) & (cache->size - 1);
    }
    return &cache->entries[i];
}

static bool
cache_grow(struct cache *cache)
{
    struct cache larger = { .size = cache->size == 0 ? SIZE_FIRST : cache->size * 2 };

    if (cache->count < cache->size / 2) {
        return true;
    }
    if (larger.size > SIZE_MAX_ENTRIES ||
        (larger.entries = calloc(larger.size, sizeof *larger.entries)) == NULL) {
        return false;
    }
    for (size_t i = 0; i < cache->size; i++) {
        if (cache->entries[i].info.handle != 0) {
            *entry_at(&larger, cache->entries[i].info.handle) = cache->entries[i];
        }
    }
    free(cache->entries);
    cache->entries = larger.entries;
    cache->size = larger.size;
    return true;
}

bool
cache_put(struct cache *cache, const struct key_info *info, uint64_t stamp, uint32_t session)
{
    bool done = false;

    if (info->handle == 0) {
        return true;
    }
    pthread_mutex_lock(&cache->lock);
    if (cache_grow(cache)) {
        struct entry *entry = entry_at(cache, info->handle);

        if (entry->info.handle == 0) {
            cache->count++;
            entry->session = 0;
        }
        entry->info = *info;
        entry->stamp = stamp;
        if (session != 0) {
            entry->session = session;
        }
        done = true;
    }
    pthread_mutex_unlock(&cache->lock);
    return done;
}

bool
cache_get(struct cache *cache, uint32_t handle, struct key_info *ret_info, uint64_t *ret_stamp)
{
    bool found = false;

    if (handle == 0) {
        return false;
    }
    pthread_mutex_lock(&cache->lock);
    if (cache->size > 0) {
        const struct entry *entry = entry_at(cache, handle);

        found = entry->info.handle == handle;
        if (found) {
            *ret_info = entry->info;
            *ret_stamp = entry->stamp;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

/* Empties a place and moves up those behind it that would not be found any more. */
static void
entry_remove(struct cache *cache, size_t hole)
{
    size_t mask = cache->size - 1;

    cache->count--;
    for (size_t i = (hole + 1) & mask; cache->entries[i].info.handle != 0; i = (i + 1) & mask) {
        size_t home = home_of(cache, cache->entries[i].info.handle);

        if (((i - home) & mask) >= ((i - hole) & mask)) {
            cache->entries[hole] = cache->entries[i];
            hole = i;
        }
    }
    cache->entries[hole] = (struct entry){ 0 };
}

void
cache_doubt(struct cache *cache, uint32_t handle)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->size > 0 && handle != 0) {
        struct entry *entry = entry_at(cache, handle);

        if (entry->info.handle == handle) {
            entry->stamp = PAGE_NO_STAMP;
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

void
cache_drop(struct cache *cache, uint32_t handle)
{
    pthread_mutex_lock(&cache->lock);
    if (cache->size > 0 && handle != 0) {
        struct entry *entry = entry_at(cache, handle);

        if (entry->info.handle == handle) {
            entry_remove(cache, (size_t)(entry - cache->entries));
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

/* A removal moves others into the hole, so a place is looked at again until it stays; one
 * that wrapped round to a place already seen is met by the second pass. */
static void
drop_where(struct cache *cache, bool (*matches)(const struct entry *, uint32_t), uint32_t number)
{
    pthread_mutex_lock(&cache->lock);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < cache->size; i++) {
            while (cache->entries[i].info.handle != 0 && matches(&cache->entries[i], number)) {
                entry_remove(cache, i);
            }
        }
    }
    pthread_mutex_unlock(&cache->lock);
}

static bool
is_private(const struct entry *entry, uint32_t unused)
{
    UNUSED(unused);
    return (entry->info.flags & KEY_FLAG_PRIVATE) != 0;
}

static bool
is_of_session(const struct entry *entry, uint32_t session)
{
    return entry->session == session;
}

void
cache_drop_private(struct cache *cache)
{
    drop_where(cache, is_private, 0);
}

void
cache_drop_session(struct cache *cache, uint32_t session)
{
    drop_where(cache, is_of_session, session);
}
