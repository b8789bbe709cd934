/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker threads. The lock covers the queue only; work runs without it.
 */
#include "server/pool.h"

#include "base/log.h"
#include "base/urgency.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define GIVE_WAY_US 400u
#define NAME_MAX_LEN 16u /* the kernel's limit for a thread's name */

struct pool {
    char name[NAME_MAX_LEN];
    int nice;
    void (*work)(struct queue_item *item);
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct queue *queue; /* under lock */
    bool stopping;       /* under lock */
    _Atomic size_t busy; /* items that wait or are worked on */
    size_t count;
    pthread_t threads[];
};

static void *
pool_run(void *arg)
{
    struct pool *pool = arg;
    struct urgency urgency;

    urgency_start(&urgency, GIVE_WAY_US);
    urgency.computes = true;
    pthread_setname_np(pthread_self(), pool->name);
    if (pool->nice != 0) {
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), pool->nice);
    }
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        struct queue_item *item = queue_take(pool->queue);

        if (item == NULL) {
            pthread_cond_wait(&pool->filled, &pool->lock);
            continue;
        }
        pthread_mutex_unlock(&pool->lock);
        pool->work(item);
        atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_relaxed);
        urgency_look(&urgency);
        pthread_mutex_lock(&pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

struct pool *
pool_new(const char *name, size_t threads, int nice, size_t queue_max,
         void (*work)(struct queue_item *item))
{
    struct pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);

    if (pool == NULL || (pool->queue = queue_new(queue_max)) == NULL) {
        log_err("no memory for the %s threads", name);
        free(pool);
        return NULL;
    }
    strncpy(pool->name, name, sizeof pool->name - 1);
    pool->nice = nice;
    pool->work = work;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->filled, NULL);
    while (pool->count < threads) {
        if (pthread_create(&pool->threads[pool->count], NULL, pool_run, pool) != 0) {
            log_err("the %s threads do not start", name);
            pool_free(pool);
            return NULL;
        }
        pool->count++;
    }
    return pool;
}

bool
pool_put(struct pool *pool, const uint8_t context[FRAME_CONTEXT_LEN], struct queue_item *item)
{
    pthread_mutex_lock(&pool->lock);

    bool put = !pool->stopping && queue_put(pool->queue, context, item);

    if (put) {
        atomic_fetch_add_explicit(&pool->busy, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&pool->lock);
    if (put) {
        pthread_cond_signal(&pool->filled); /* without the lock, which who wakes takes first */
    }
    return put;
}

bool
pool_is_busy(const struct pool *pool)
{
    return atomic_load_explicit(&pool->busy, memory_order_relaxed) > 0;
}

size_t
pool_waiting(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);

    size_t count = queue_count(pool->queue);

    pthread_mutex_unlock(&pool->lock);
    return count;
}

void
pool_stop(struct pool *pool, void (*drop)(struct queue_item *item))
{
    struct queue_item *item;

    pthread_mutex_lock(&pool->lock);
    pool->stopping = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->lock);
    while (pool->count > 0) {
        pthread_join(pool->threads[--pool->count], NULL);
    }
    while ((item = queue_take(pool->queue)) != NULL) {
        drop(item);
    }
}

void
pool_free(struct pool *pool)
{
    if (pool == NULL) {
        return;
    }
    pool_stop(pool, NULL); /* nothing waits */
    queue_free(pool->queue);
    pthread_cond_destroy(&pool->filled);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
