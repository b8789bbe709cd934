/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_restore.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BYTES_MAX (STORE_VALUE_MAX / 2)
#define COUNTER_MAX 64u

/* Changes that wait to be made together; each has one allocation for key and value. */
struct copying {
    struct store *to;
    struct store_change changes[STORE_TXN_MAX - 1];
    uint8_t *memory[STORE_TXN_MAX - 1];
    size_t count;
    size_t bytes;
    uint64_t total;
};

static bool
copying_flush(struct copying *copying)
{
    const struct store_txn txn = { .changes = copying->changes, .change_count = copying->count };
    uint64_t revision;
    bool flushed = copying->count == 0 ||
                   store_commit(copying->to, &txn, &revision) == STORE_OK;

    copying->total += copying->count;
    while (copying->count > 0) {
        free(copying->memory[--copying->count]);
    }
    copying->bytes = 0;
    return flushed;
}

static bool
copying_add(struct copying *copying, view key, view value, bool delete)
{
    uint8_t *memory;

    if ((copying->count == STORE_TXN_MAX - 1 ||
         copying->bytes + key.len + value.len > BYTES_MAX) &&
        !copying_flush(copying)) {
        return false;
    }
    memory = malloc(key.len + value.len + 1);
    if (memory == NULL) {
        log_err("restore: no memory");
        return false;
    }
    memcpy(memory, key.data, key.len);
    if (value.len > 0) {
        memcpy(memory + key.len, value.data, value.len);
    }
    copying->memory[copying->count] = memory;
    copying->changes[copying->count++] = (struct store_change){
        view_of(memory, key.len), view_of(memory + key.len, value.len), delete
    };
    copying->bytes += key.len + value.len;
    return true;
}

static bool
visit_old(void *arg, view key, view value, uint64_t revision)
{
    UNUSED(value);
    UNUSED(revision);
    return copying_add(arg, key, VIEW_EMPTY, true);
}

/* The list of nodes, and their beats. */
static bool
is_of_nodes(view key)
{
    return key.len > 2 && (key.data[0] == 'h' || key.data[0] == 'l') && key.data[1] == '/';
}

static bool
visit_new(void *arg, view key, view value, uint64_t revision)
{
    UNUSED(revision);
    return is_of_nodes(key) || copying_add(arg, key, value, false);
}

static bool
visit_counter(void *arg, view counter, uint64_t next)
{
    struct copying *copying = arg;
    char name[COUNTER_MAX + 1] = { 0 };
    uint64_t first;

    if (counter.len > COUNTER_MAX || next == 0) {
        return next == 0;
    }
    memcpy(name, counter.data, counter.len);
    return copying->to->next_numbers(copying->to, name, 1, next - 1, &first);
}

static bool
copying_run(struct copying *copying, struct store *from)
{
    uint64_t revision;

    if (!copying->to->list(copying->to, visit_old, copying, &revision) ||
        !copying_flush(copying)) {
        return false;
    }
    copying->total = 0;
    return from->load_all(from, visit_new, copying) && copying_flush(copying) &&
           from->each_number(from, visit_counter, copying);
}

bool
etcd_restore(const struct etcd_settings *settings, struct entropy *entropy, struct store *from)
{
    struct etcd_settings anew = *settings;
    struct copying copying = { .count = 0 };
    uint8_t id[16];
    bool restored;

    from->id(from, id);
    anew.restores = id;
    copying.to = etcd_store_open(&anew, entropy);
    if (copying.to == NULL) {
        return false;
    }
    restored = copying_run(&copying, from);
    while (copying.count > 0) {
        free(copying.memory[--copying.count]);
    }
    restored = restored && etcd_store_restored(copying.to);
    copying.to->close(copying.to);
    if (restored) {
        log_inf("restore: %llu records are in etcd", (unsigned long long)copying.total);
    } else {
        log_err("restore: not all records are in etcd: start the node again to go on");
    }
    return restored;
}
