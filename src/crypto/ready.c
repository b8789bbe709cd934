/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool is a few slots, each empty or with the pointer to one context. Whoever exchanges a
 * pointer for NULL owns it, so nobody ever looks into a context that another thread may have.
 */
#include "crypto/ready.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8u

struct ready_pool {
    struct ready *_Atomic slots[SLOTS];
};

struct ready *
ready_new(const struct ready_setup *setup)
{
    struct ready *ready = calloc(1, sizeof *ready);

    if (ready != NULL) {
        ready->setup = *setup;
    }
    return ready;
}

void
ready_free(struct ready *ready)
{
    if (ready == NULL) {
        return;
    }
    EVP_CIPHER_CTX_free(ready->cipher);
    EVP_MAC_CTX_free(ready->mac);
    EVP_PKEY_CTX_free(ready->pkey);
    free(ready);
}

struct ready_pool *
ready_pool_new(void)
{
    return calloc(1, sizeof(struct ready_pool));
}

void
ready_pool_free(struct ready_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    for (size_t i = 0; i < SLOTS; i++) {
        ready_free(atomic_load(&pool->slots[i]));
    }
    free(pool);
}

static bool
slot_fill(struct ready *_Atomic *slot, struct ready *ready)
{
    struct ready *empty = NULL;

    return atomic_load_explicit(slot, memory_order_relaxed) == NULL &&
           atomic_compare_exchange_strong(slot, &empty, ready);
}

struct ready *
ready_take(const struct algo_key *key, const struct ready_setup *setup)
{
    struct ready_pool *pool = key->pool;

    for (size_t i = 0; i < SLOTS; i++) {
        struct ready *ready;

        if (atomic_load_explicit(&pool->slots[i], memory_order_relaxed) == NULL ||
            (ready = atomic_exchange(&pool->slots[i], NULL)) == NULL) {
            continue;
        }
        if (memcmp(&ready->setup, setup, sizeof *setup) == 0) {
            return ready;
        }
        if (!slot_fill(&pool->slots[i], ready)) {
            ready_give(key, ready);
        }
    }
    return NULL;
}

void
ready_give(const struct algo_key *key, struct ready *ready)
{
    struct ready_pool *pool = key->pool;

    for (size_t i = 0; i < SLOTS; i++) {
        if (slot_fill(&pool->slots[i], ready)) {
            return;
        }
    }
    /* All full: the newest is the likeliest to be wanted, so one of the others goes. */
    ready_free(atomic_exchange(&pool->slots[ready->setup.function % SLOTS], ready));
}
