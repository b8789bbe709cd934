/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for a store transaction. The record of a wait belongs to both sides, waiter and
 * completion: whoever leaves it last releases it, so a completion that comes after the limit
 * finds no memory of a stack that is gone.
 */
#include "core/ports.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    unsigned sides;        /* that have not left it; under lock, as all below */
    bool done;
    enum store_result result;
    uint64_t revision;
};

struct store_late {
    struct wait *wait;
    struct store_change *changes;
    size_t count;
};

static struct wait *
wait_new(void)
{
    struct wait *wait = calloc(1, sizeof *wait);
    pthread_condattr_t attributes;

    if (wait == NULL) {
        return NULL;
    }
    wait->sides = 2;
    pthread_mutex_init(&wait->lock, NULL);
    /* The limit is a span of time; setting the host's clock must not stretch it. */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return wait;
}

static void
wait_leave(struct wait *wait)
{
    bool last;

    pthread_mutex_lock(&wait->lock);
    last = --wait->sides == 0;
    pthread_mutex_unlock(&wait->lock);
    if (last) {
        pthread_cond_destroy(&wait->ended);
        pthread_mutex_destroy(&wait->lock);
        free(wait);
    }
}

static void
wait_end(void *arg, enum store_result result, uint64_t revision)
{
    struct wait *wait = arg;

    pthread_mutex_lock(&wait->lock);
    wait->done = true;
    wait->result = result;
    wait->revision = revision;
    pthread_cond_signal(&wait->ended);
    pthread_mutex_unlock(&wait->lock);
    wait_leave(wait);
}

/* ---- one that ends late ---- */

static view
bytes_keep(uint8_t **next, view bytes)
{
    const view kept = view_of(*next, bytes.len);

    if (bytes.len > 0) {
        memcpy(*next, bytes.data, bytes.len);
        *next += bytes.len;
    }
    return kept;
}

/* One allocation: the record, its changes, and their bytes. The waiter's side of wait is its
 * own. */
static struct store_late *
late_new(struct wait *wait, const struct store_txn *txn)
{
    size_t size = sizeof(struct store_late) + txn->change_count * sizeof *txn->changes;
    struct store_late *late;
    uint8_t *next;

    for (size_t i = 0; i < txn->change_count; i++) {
        size += txn->changes[i].key.len + txn->changes[i].value.len;
    }
    late = malloc(size);
    if (late == NULL) {
        return NULL;
    }
    *late = (struct store_late){ wait, (struct store_change *)(late + 1), txn->change_count };
    next = (uint8_t *)(late->changes + late->count);
    for (size_t i = 0; i < late->count; i++) {
        const struct store_change *change = txn->changes + i;

        late->changes[i] = (struct store_change){ bytes_keep(&next, change->key),
                                                  bytes_keep(&next, change->value),
                                                  change->delete };
    }
    return late;
}

bool
store_late_ended(struct store_late *late, enum store_result *ret_result, uint64_t *ret_revision)
{
    struct wait *wait = late->wait;
    bool done;

    pthread_mutex_lock(&wait->lock);
    done = wait->done;
    if (done) {
        *ret_result = wait->result;
        *ret_revision = wait->revision;
    }
    pthread_mutex_unlock(&wait->lock);
    return done;
}

const struct store_change *
store_late_changes(const struct store_late *late, size_t *ret_count)
{
    *ret_count = late->count;
    return late->changes;
}

void
store_late_free(struct store_late *late)
{
    if (late != NULL) {
        wait_leave(late->wait);
        free(late);
    }
}

/* ---- committing ---- */

static enum store_result
commit_wait(struct store *store, const struct store_txn *txn, uint64_t *ret_revision,
            struct store_late **ret_late)
{
    struct store_late *late = NULL;
    enum store_result result;
    struct timespec limit;
    struct wait *wait;
    int waited = 0;

    if ((wait = wait_new()) == NULL) {
        return STORE_FAILED;
    }
    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += STORE_WAIT_MS / 1000;
    store->submit(store, txn, wait_end, wait);

    pthread_mutex_lock(&wait->lock);
    while (!wait->done && waited != ETIMEDOUT) {
        waited = pthread_cond_timedwait(&wait->ended, &wait->lock, &limit);
    }
    result = wait->done ? wait->result : STORE_UNKNOWN;
    if (result == STORE_OK) {
        *ret_revision = wait->revision;
    }
    if (!wait->done && ret_late != NULL && (late = late_new(wait, txn)) != NULL) {
        *ret_late = late;
    }
    pthread_mutex_unlock(&wait->lock);
    if (late == NULL) {
        wait_leave(wait);
    }
    return result;
}

/* Was it written all the same? */
static bool
commit_found(struct store *store, const struct store_txn *txn, uint64_t *ret_revision)
{
    const struct store_change *change = txn->changes;
    const struct store_change *end = txn->changes + txn->change_count;
    struct writer value;
    uint64_t revision = 0;
    bool found;

    while (change < end && change->delete) {
        change++;
    }
    if (change == end) {
        return false;
    }
    writer_init(&value, STORE_VALUE_MAX);
    found = store->get(store, change->key, &revision, &value) && revision != 0 &&
            view_equal(writer_view(&value), change->value);
    writer_clear(&value);
    if (found) {
        log_wrn("store: a transaction that was said to have failed is there");
        *ret_revision = revision;
    }
    return found;
}

enum store_result
store_commit_late(struct store *store, const struct store_txn *txn, bool alone,
                  uint64_t *ret_revision, struct store_late **ret_late)
{
    enum store_result result;

    if (!alone || store->commit_alone == NULL ||
        !store->commit_alone(store, txn, &result, ret_revision)) {
        result = commit_wait(store, txn, ret_revision, ret_late);
    }
    return result == STORE_FAILED && commit_found(store, txn, ret_revision) ? STORE_OK : result;
}

enum store_result
store_commit(struct store *store, const struct store_txn *txn, uint64_t *ret_revision)
{
    return store_commit_late(store, txn, false, ret_revision, NULL);
}

enum store_result
store_commit_alone(struct store *store, const struct store_txn *txn, uint64_t *ret_revision)
{
    return store_commit_late(store, txn, true, ret_revision, NULL);
}
