/* SPDX-License-Identifier: Apache-2.0
 *
 * The store in memory: records in an array sorted by key, under one lock. A transaction first
 * checks all compares and makes all copies it needs, so that nothing can fail half-way. Several
 * handles may share the records; what the watcher of one is told is in memory_watch.c.
 */
#include "store/memory.h"

#include "store/memory_watch.h"
#include "store/txn.h"

#include <pthread.h>
#include <stdatomic.h>
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
    uint8_t id[16];
    pthread_mutex_t lock;
    size_t handles;         /* under lock, as all below */
    struct record *records;
    size_t count;
    size_t size;
    uint64_t revision;
    struct counter counters[COUNTERS_MAX];
    struct memory_log log;
};

struct handle {
    struct store store; /* first, so that a store is its handle */
    struct memory *memory;
    struct journal journal; /* under memory->lock, as the fence */
    uint8_t fence[STORE_KEY_MAX];
    size_t fence_len;
    uint64_t fence_revision;
    struct memory_watch watch;
    atomic_bool cut;
};

static struct handle *
handle_of(struct store *store)
{
    return (struct handle *)store;
}

static struct memory *
memory_of(struct store *store)
{
    return handle_of(store)->memory;
}

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
memory_apply(struct memory *memory, struct journal *journal, const struct store_txn *txn)
{
    const struct store_change *changes[STORE_TXN_MAX + 1];
    uint8_t *bytes[STORE_TXN_MAX + 1];
    const struct chain journal_before = journal->end;
    struct journal_record record;
    size_t count = txn->change_count;

    if (!memory_holds(memory, txn)) {
        return STORE_CONFLICT;
    }
    for (size_t i = 0; i < count; i++) {
        changes[i] = txn->changes + i;
    }
    if (txn->journal.len > 0) {
        if (!journal_make(journal, txn->journal, &record)) {
            return STORE_FAILED;
        }
        changes[count++] = &record.change;
    }
    if (!memory_reserve(memory, count) || !values_dup(changes, count, bytes)) {
        journal->end = journal_before;
        return STORE_FAILED;
    }
    memory->revision++;
    for (size_t i = 0; i < count; i++) {
        memory_change(memory, changes[i], bytes[i]);
        memory_log_add(&memory->log, changes[i], memory->revision);
    }
    return STORE_OK;
}

static void
memory_fence(struct store *store, view key, uint64_t revision)
{
    struct handle *handle = handle_of(store);

    pthread_mutex_lock(&handle->memory->lock);
    handle->fence_len = size_min(key.len, sizeof handle->fence);
    if (handle->fence_len > 0) {
        memcpy(handle->fence, key.data, handle->fence_len);
    }
    handle->fence_revision = revision;
    pthread_mutex_unlock(&handle->memory->lock);
}

static bool
handle_may_write(const struct handle *handle)
{
    const struct store_compare compare = { view_of(handle->fence, handle->fence_len),
                                           handle->fence_revision };
    const struct store_txn txn = { .compares = &compare, .compare_count = 1 };

    return handle->fence_len == 0 || memory_holds(handle->memory, &txn);
}

static void
memory_submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    struct memory *memory = memory_of(store);
    enum store_result result = STORE_FAILED;
    uint64_t revision = 0;

    if (txn_fits(txn) && !atomic_load(&handle_of(store)->cut)) {
        pthread_mutex_lock(&memory->lock);
        result = handle_may_write(handle_of(store))
                     ? memory_apply(memory, &handle_of(store)->journal, txn)
                     : STORE_CONFLICT;
        revision = memory->revision;
        pthread_mutex_unlock(&memory->lock);
    }
    done(arg, result, revision);
}

static bool
memory_get(struct store *store, view key, uint64_t *ret_revision, struct writer *out)
{
    struct memory *memory = memory_of(store);
    bool there;

    if (atomic_load(&handle_of(store)->cut)) {
        return false;
    }
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
    memcpy(ret_id, memory_of(store)->id, 16);
}

/* The records as they are, in one block, with their bytes behind them unless
 * only keys are wanted. */
static struct record *
memory_copy(struct memory *memory, bool keys_only, size_t *ret_count, uint64_t *ret_revision)
{
    struct record *copy;
    uint8_t *bytes;
    size_t size = 0;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; i < memory->count; i++) {
        size += memory->records[i].key.len + (keys_only ? 0 : memory->records[i].value.len);
    }
    *ret_count = memory->count;
    *ret_revision = memory->revision;
    copy = malloc(memory->count * sizeof *copy + size + 1);
    bytes = copy == NULL ? NULL : (uint8_t *)(copy + memory->count);
    for (size_t i = 0; copy != NULL && i < memory->count; i++) {
        const struct record *record = memory->records + i;
        const view value = keys_only ? VIEW_EMPTY : record->value;

        copy[i] = *record;
        copy[i].key = view_of(bytes, record->key.len);
        copy[i].value = view_of(bytes + record->key.len, value.len);
        memcpy(bytes, record->key.data, record->key.len);
        if (value.len > 0) {
            memcpy(bytes + record->key.len, value.data, value.len);
        }
        bytes += record->key.len + value.len;
    }
    pthread_mutex_unlock(&memory->lock);
    return copy;
}

/* Who visits may take locks under which others write, so none is held here. */
static bool
memory_visit(struct store *store, bool keys_only, store_visit *visit, void *arg,
             uint64_t *ret_revision)
{
    size_t count;
    struct record *records = memory_copy(memory_of(store), keys_only, &count, ret_revision);
    bool going = records != NULL && !atomic_load(&handle_of(store)->cut);

    for (size_t i = 0; going && i < count; i++) {
        going = visit(arg, records[i].key, records[i].value, records[i].revision);
    }
    free(records);
    return going;
}

static bool
memory_load_all(struct store *store, store_visit *visit, void *arg)
{
    uint64_t revision;

    return memory_visit(store, false, visit, arg, &revision);
}

static bool
memory_list(struct store *store, store_visit *visit, void *arg, uint64_t *ret_revision)
{
    return memory_visit(store, true, visit, arg, ret_revision);
}

static bool
memory_next_numbers(struct store *store, const char *name, uint32_t count, uint64_t start,
                    uint64_t *ret_first)
{
    struct memory *memory = memory_of(store);
    bool given = false;

    if (atomic_load(&handle_of(store)->cut)) {
        return false;
    }

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

static bool
memory_each_number(struct store *store, store_count *count, void *arg)
{
    struct memory *memory = memory_of(store);
    bool going = true;

    pthread_mutex_lock(&memory->lock);
    for (size_t i = 0; going && i < COUNTERS_MAX && memory->counters[i].name[0] != '\0'; i++) {
        going = count(arg, view_str(memory->counters[i].name), memory->counters[i].next);
    }
    pthread_mutex_unlock(&memory->lock);
    return going;
}

static void
memory_journal(struct store *store, const struct chain *end, store_entry *entry, void *arg)
{
    struct memory *memory = memory_of(store);

    pthread_mutex_lock(&memory->lock);
    handle_of(store)->journal = (struct journal){ *end, entry, arg };
    pthread_mutex_unlock(&memory->lock);
}

static void
memory_journal_end(struct store *store, struct chain *ret_end)
{
    struct memory *memory = memory_of(store);

    pthread_mutex_lock(&memory->lock);
    *ret_end = handle_of(store)->journal.end;
    pthread_mutex_unlock(&memory->lock);
}

static uint64_t
memory_revision(struct store *store)
{
    struct memory *memory = memory_of(store);

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

/* ---- watching ---- */

static bool
memory_watch(struct store *store, uint64_t after, const struct store_watcher *watcher)
{
    struct handle *handle = handle_of(store);
    struct memory *memory = handle->memory;

    return memory_watch_start(&handle->watch, &memory->log, &memory->lock, &memory->revision,
                              after, watcher);
}

static void
memory_unwatch(struct store *store)
{
    memory_watch_end(&handle_of(store)->watch);
}

void
memory_store_drop(struct store *store, bool drop)
{
    pthread_mutex_lock(&memory_of(store)->lock);
    memory_watch_drop(&handle_of(store)->watch, drop);
    pthread_mutex_unlock(&memory_of(store)->lock);
}

void
memory_store_hold(struct store *store, bool hold)
{
    pthread_mutex_lock(&memory_of(store)->lock);
    handle_of(store)->watch.hold = hold;
    pthread_cond_broadcast(&memory_of(store)->log.more);
    pthread_mutex_unlock(&memory_of(store)->lock);
}

void
memory_store_lose(struct store *store)
{
    pthread_mutex_lock(&memory_of(store)->lock);
    handle_of(store)->watch.lost = true;
    pthread_cond_broadcast(&memory_of(store)->log.more);
    pthread_mutex_unlock(&memory_of(store)->lock);
}

void
memory_store_cut(struct store *store, bool cut)
{
    atomic_store(&handle_of(store)->cut, cut);
    memory_store_hold(store, cut);
}

/* ---- handles ---- */

static void
memory_free(struct memory *memory)
{
    for (size_t i = 0; i < memory->count; i++) {
        record_free(memory->records + i);
    }
    free(memory->records);
    memory_log_clear(&memory->log);
    pthread_mutex_destroy(&memory->lock);
    free(memory);
}

static void
memory_close(struct store *store)
{
    struct memory *memory = memory_of(store);
    bool last;

    memory_unwatch(store);
    pthread_mutex_lock(&memory->lock);
    last = --memory->handles == 0;
    pthread_mutex_unlock(&memory->lock);
    free(handle_of(store));
    if (last) {
        memory_free(memory);
    }
}

static struct store *
handle_new(struct memory *memory)
{
    struct handle *handle = calloc(1, sizeof *handle);

    if (handle == NULL) {
        return NULL;
    }
    handle->memory = memory;
    handle->store = (struct store){
        .id = memory_id,
        .load_all = memory_load_all,
        .get = memory_get,
        .submit = memory_submit,
        .next_numbers = memory_next_numbers,
        .each_number = memory_each_number,
        .journal = memory_journal,
        .journal_end = memory_journal_end,
        .revision = memory_revision,
        .watch = memory_watch,
        .unwatch = memory_unwatch,
        .fence = memory_fence,
        .list = memory_list,
        .backup = memory_backup,
        .close = memory_close,
    };
    pthread_mutex_lock(&memory->lock);
    memory->handles++;
    pthread_mutex_unlock(&memory->lock);
    return &handle->store;
}

struct store *
memory_store_share(struct store *store)
{
    return handle_new(memory_of(store));
}

struct store *
memory_store_new(const uint8_t id[16])
{
    struct memory *memory = calloc(1, sizeof *memory);
    struct store *store;

    if (memory == NULL) {
        return NULL;
    }
    memcpy(memory->id, id, sizeof memory->id);
    pthread_mutex_init(&memory->lock, NULL);
    memory_log_init(&memory->log);
    store = handle_new(memory);
    if (store == NULL) {
        memory_free(memory);
    }
    return store;
}
