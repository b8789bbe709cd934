/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates of a container as they are known, by rising handle.
 */
#include "daemon/storage.h"

#include <stdlib.h>
#include <string.h>

void
entry_free(struct entry *entry)
{
    if (entry != NULL) {
        writer_clear(&entry->list);
        free(entry);
    }
}

static uint64_t
hash_of(view bytes)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    }
    return hash;
}

struct entry *
entry_new(uint32_t handle, const char *tag, view list, const uint8_t hash[32])
{
    struct entry *entry = calloc(1, sizeof *entry);
    view id = VIEW_EMPTY;

    if (entry == NULL) {
        return NULL;
    }
    entry->handle = handle;
    memcpy(entry->tag, tag, strnlen(tag, BLOB_TAG_MAX - 1));
    memcpy(entry->hash, hash, sizeof entry->hash);
    entry->seen = daemon_now();
    (void)attributes_find(list, CKA_ID, &id);
    entry->id_hash = hash_of(id);
    writer_init(&entry->list, ATTRIBUTES_BYTES_MAX);
    write_raw(&entry->list, list);
    if (!writer_ok(&entry->list)) {
        entry_free(entry);
        return NULL;
    }
    return entry;
}

static size_t
place_of(const struct storage *storage, uint32_t handle)
{
    size_t low = 0, high = storage->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (storage->entries[middle]->handle < handle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct entry *
storage_find(struct storage *storage, uint32_t handle)
{
    size_t at = place_of(storage, handle);

    return at < storage->count && storage->entries[at]->handle == handle ? storage->entries[at]
                                                                          : NULL;
}

bool
storage_put(struct storage *storage, struct entry *entry)
{
    size_t at = place_of(storage, entry->handle);

    if (at < storage->count && storage->entries[at]->handle == entry->handle) {
        entry_free(storage->entries[at]);
        storage->entries[at] = entry;
        return true;
    }
    if (storage->count == storage->size) {
        size_t size = storage->size == 0 ? 64 : 2 * storage->size;
        struct entry **entries = realloc(storage->entries, size * sizeof(struct entry *));

        if (entries == NULL) {
            return false;
        }
        storage->entries = entries;
        storage->size = size;
    }
    memmove(storage->entries + at + 1, storage->entries + at,
            (storage->count - at) * sizeof(struct entry *));
    storage->entries[at] = entry;
    storage->count++;
    return true;
}

void
storage_drop(struct storage *storage, uint32_t handle)
{
    size_t at = place_of(storage, handle);

    if (at < storage->count && storage->entries[at]->handle == handle) {
        entry_free(storage->entries[at]);
        storage->count--;
        memmove(storage->entries + at, storage->entries + at + 1,
                (storage->count - at) * sizeof(struct entry *));
    }
}
