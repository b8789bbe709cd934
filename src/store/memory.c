/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in memory: records in an array sorted by key, under one lock. A transaction first
 * checks all compares and makes all copies it needs, so that nothing can fail half-way.
 */
#include "store/memory.h"

#include "store/txn.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define COUNTERS_MAX 16
#define COUNTER_NAME_MAX 32u

struct record {
    view key; /* one allocation holds key and value */
    view value;
    uint64_t revision;
};

struct counter {
    char name[COUNTER_NAME_MAX];
    uint64_t next;
};

struct memory {
    struct store store; /* first, so that a store is its memory */
    uint8_t id[16];
    pthread_mutex_t lock;
    struct record *records; /* under lock, as all below */
    size_t count;
    size_t size;
    uint64_t revision;
    struct counter counters[COUNTERS_MAX];
    struct journal journal;
};

/* Byte order, the shorter first where one begins with the other: SQLite's order of blobs. */
static int
key_order(view a, view b)
{
    int order = memcmp(a.data, b.data, size_min(a.len, b.len));

    if (order != 0 || a.len == b.len) {
        return order;
    }
    return a.len < b.len ? -1 : 1;
}

/* Where key stands, or would stand. */
static size_t
memory_find(const struct memory *memory, view key, bool *ret_there)
{
    size_t low = 0;
    size_t high = memory->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (key_order(memory->records[middle].key, key) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_there = low < memory->count && key_order(memory->records[low].key, key) == 0;
    return low;
}

static bool
memory_holds(const struct memory *memory, const struct store_txn *txn)
{
    for (size_t i = 0; i < txn->compare_count; i++) {
        bool there;
        size_t at = memory_find(memory, txn->compares[i].key, &there);

        if ((there ? memory->records[at].revision : 0) != txn->compares[i].revision) {
            return false;
        }
    }
    return true;
}

static bool
memory_reserve(struct memory *memory, size_t more)
{
    if (more <= memory->size - memory->count) {
        return true;
    }

    size_t size = memory->size * 2 + more;
    struct record *records = reallocarray(memory->records, size, sizeof *records);

    if (records == NULL) {
        return false;
    }
    memory->records = records;
    memory->size = size;
    return true;
}

static uint8_t *
record_dup(const struct store_change *change)
{
    uint8_t *bytes = malloc(change->key.len + change->value.len);

    if (bytes != NULL) {
        memcpy(bytes, change->key.data, change->key.len);
        if (change->value.len > 0) {
            memcpy(bytes + change->key.len, change->value.data, change->value.len);
        }
    }
    return bytes;
}

static void
record_free(const struct record *record)
{
    free((uint8_t *)(uintptr_t)record->key.data);
}

/* Cannot fail: room is reserved, and bytes (NULL for a delete) is taken. */
static void
memory_change(struct memory *memory, const struct store_change *change, uint8_t *bytes)
{
    bool there;
    size_t at = memory_find(memory, change->key, &there);

    if (change->delete && !there) {
        return;
    }

    struct record *record = memory->records + at;

    if (there) {
        record_free(record);
    }
    if (change->delete) {
        memory->count--;
        memmove(record, record + 1, (memory->count - at) * sizeof *record);
        return;
    }
    if (!there) {
        memmove(record + 1, record, (memory->count - at) * sizeof *record);
        memory->count++;
    }
    record->key = view_of(bytes, change->key.len);
    record->value = view_of(bytes + change->key.len, change->value.len);
    record->revision = memory->revision;
}

/* Copies of all values; false when memory is short, and then there are none. */
static bool
values_dup(const struct store_change *const changes[], size_t count, uint8_t *bytes[])
{
    for (size_t i = 0; i < count; i++) {
        bytes[i] = changes[i]->delete ? NULL : record_dup(changes[i]);
        if (bytes[i] == NULL && !changes[i]->delete) {
            while (i > 0) {
                free(bytes[--i]);
            }
            return false;
        }
    }
    return true;
}

static enum store_result
memory_apply(struct memory *memory, const struct store_txn *txn)
{
    const struct store_change *changes[STORE_TXN_MAX + 1];
    uint8_t *bytes[STORE_TXN_MAX + 1];
    const struct chain journal_before = memory->journal.end;
    struct journal_record record;
    size_t count = txn->change_count;

    if (!memory_holds(memory, txn)) {
        return STORE_CONFLICT;
    }
    for (size_t i = 0; i < count; i++) {
        changes[i] = txn->changes + i;
    }
    if (txn->journal.len > 0) {
        if (!journal_make(&memory->journal, txn->journal, &record)) {
            return STORE_FAILED;
        }
        changes[count++] = &record.change;
    }
    if (!memory_reserve(memory, count) || !values_dup(changes, count, bytes)) {
        memory->journal.end = journal_before;
        return STORE_FAILED;
    }
    memory->revision++;
    for (size_t i = 0; i < count; i++) {
        memory_change(memory, changes[i], bytes[i]);
    }
    return STORE_OK;
}

static void
memory_submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    struct memory *memory = (struct memory *)store;
    enum store_result result = STORE_FAILED;
    uint64_t revision = 0;

    if (txn_fits(txn)) {
        pthread_mutex_lock(&memory->lock);
        result = memory_apply(memory, txn);
        revision = memory->revision;
        pthread_mutex_unlock(&memory->lock);
    }
    done(arg, result, revision);
}

static bool
memory_get(struct store *store, view key, uint64_t *ret_revision, struct writer *out)
{
    struct memory *memory = (struct memory *)store;
    bool there;

    pthread_mutex_lock(&memory->lock);

    size_t at = memory_find(memory, key, &there);

    *ret_revision = there ? memory->records[at].revision : 0;
    if (there) {
        write_raw(out, memory->records[at].value);
    }
    pthread_mutex_unlock(&memory->lock);
    return writer_ok(out);
}

static void
memory_id(struct store *store, uint8_t ret_id[16])
{
    memcpy(ret_id, ((struct memory *)store)->id, 16);
}

static bool
memory_load_all(struct store *store, store_visit *visit, void *arg)
{
    struct memory *memory = (struct memory *)store;
    bool going = true;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; going && i < memory->count; i++) {
        const struct record *record = memory->records + i;

        going = visit(arg, record->key, record->value, record->revision);
    }
    pthread_mutex_unlock(&memory->lock);
    return going;
}

static bool
memory_next_numbers(struct store *store, const char *name, uint32_t count, uint64_t start,
                    uint64_t *ret_first)
{
    struct memory *memory = (struct memory *)store;
    bool given = false;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < COUNTERS_MAX; i++) {
        struct counter *counter = memory->counters + i;

        if (counter->name[0] == '\0' && strlen(name) < COUNTER_NAME_MAX) {
            strcpy(counter->name, name);
        }
        if (strcmp(counter->name, name) == 0) {
            uint64_t first = counter->next > start ? counter->next : start;

            given = first <= (uint64_t)INT64_MAX - count;
            if (given) {
                counter->next = first + count;
                *ret_first = first;
            }
            break;
        }
    }
    pthread_mutex_unlock(&memory->lock);
    return given;
}

static void
memory_journal(struct store *store, const struct chain *end, store_entry *entry, void *arg)
{
    struct memory *memory = (struct memory *)store;

    pthread_mutex_lock(&memory->lock);
    memory->journal = (struct journal){ *end, entry, arg };
    pthread_mutex_unlock(&memory->lock);
}

static void
memory_journal_end(struct store *store, struct chain *ret_end)
{
    struct memory *memory = (struct memory *)store;

    pthread_mutex_lock(&memory->lock);
    *ret_end = memory->journal.end;
    pthread_mutex_unlock(&memory->lock);
}

static uint64_t
memory_revision(struct store *store)
{
    struct memory *memory = (struct memory *)store;

    pthread_mutex_lock(&memory->lock);

    uint64_t revision = memory->revision;

    pthread_mutex_unlock(&memory->lock);
    return revision;
}

static bool
memory_backup(struct store *store, const char *path)
{
    UNUSED(store);
    UNUSED(path);
    return false;
}

static void
memory_close(struct store *store)
{
    struct memory *memory = (struct memory *)store;

    for (size_t i = 0; i < memory->count; i++) {
        record_free(memory->records + i);
    }
    free(memory->records);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

struct store *
memory_store_new(const uint8_t id[16])
{
    struct memory *memory = calloc(1, sizeof *memory);

    if (memory == NULL) {
        return NULL;
    }
    memory->store = (struct store){
        .id = memory_id,
        .load_all = memory_load_all,
        .get = memory_get,
        .submit = memory_submit,
        .next_numbers = memory_next_numbers,
        .journal = memory_journal,
        .journal_end = memory_journal_end,
        .revision = memory_revision,
        .backup = memory_backup,
        .close = memory_close,
    };
    memcpy(memory->id, id, sizeof memory->id);
    pthread_mutex_init(&memory->lock, NULL);
    return &memory->store;
}
