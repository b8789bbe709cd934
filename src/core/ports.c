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
#include <time.h>

struct wait {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;             /* under lock, as all below */
    bool abandoned;
    enum store_result result;
    uint64_t revision;
};

static struct wait *
wait_new(void)
{
    struct wait *wait = calloc(1, sizeof *wait);
    pthread_condattr_t attributes;

    if (wait == NULL) {
        return NULL;
    }
    pthread_mutex_init(&wait->lock, NULL);
    /* The limit is a span of time; setting the host's clock must not stretch it. */
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&wait->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return wait;
}

static void
wait_free(struct wait *wait)
{
    pthread_cond_destroy(&wait->ended);
    pthread_mutex_destroy(&wait->lock);
    free(wait);
}

static void
wait_end(void *arg, enum store_result result, uint64_t revision)
{
    struct wait *wait = arg;

    pthread_mutex_lock(&wait->lock);
    wait->done = true;
    wait->result = result;
    wait->revision = revision;

    bool abandoned = wait->abandoned;

    pthread_cond_signal(&wait->ended);
    pthread_mutex_unlock(&wait->lock);
    if (abandoned) {
        wait_free(wait);
    }
}

static enum store_result
commit_wait(struct store *store, const struct store_txn *txn, uint64_t *ret_revision)
{
    enum store_result result = STORE_FAILED;
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

    bool done = wait->done;

    wait->abandoned = !done;
    result = done ? wait->result : STORE_UNKNOWN;
    if (result == STORE_OK) {
        *ret_revision = wait->revision;
    }
    pthread_mutex_unlock(&wait->lock);
    if (done) {
        wait_free(wait);
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
store_commit(struct store *store, const struct store_txn *txn, uint64_t *ret_revision)
{
    enum store_result result = commit_wait(store, txn, ret_revision);

    return result == STORE_FAILED && commit_found(store, txn, ret_revision) ? STORE_OK : result;
}

enum store_result
store_commit_alone(struct store *store, const struct store_txn *txn, uint64_t *ret_revision)
{
    enum store_result result;

    if (store->commit_alone == NULL ||
        !store->commit_alone(store, txn, &result, ret_revision)) {
        return store_commit(store, txn, ret_revision);
    }
    return result == STORE_FAILED && commit_found(store, txn, ret_revision) ? STORE_OK : result;
}
