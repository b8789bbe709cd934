/* SPDX-License-Identifier: Apache-2.0
 *
 * Worker threads. The lock covers the queue only; work runs without it.
 */
#include "server/pool.h"

#include "base/clock.h"
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
    struct pool_work work;
    size_t wanted; /* threads; as many as count, once it has been made */
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct queue *queue; /* under lock */
    bool stopping;       /* under lock */
    _Atomic size_t busy; /* items that wait or are worked on */
    size_t count;
    pthread_t threads[];
};

/* What one thread has done and not given yet. */
struct tray {
    struct queue_item *first;
    struct queue_item **last;
    uint8_t context[FRAME_CONTEXT_LEN]; /* of all of them */
    uint64_t began; /* the first one, microseconds */
};

static void
tray_give(struct tray *tray, const struct pool *pool)
{
    while (tray->first != NULL) {
        struct queue_item *item = tray->first;

        tray->first = item->next;
        pool->work.give(item);
    }
    tray->last = &tray->first;
}

/* An item of the context that the tray has, if it has any. */
static void
tray_run(struct tray *tray, const struct pool *pool, struct queue_item *item)
{
    const unsigned limit = pool->work.gather_us;

    if (tray->first == NULL && limit > 0) {
        tray->began = clock_us(CLOCK_MONOTONIC);
    }
    if (pool->work.run(item)) {
        item->next = NULL;
        *tray->last = item;
        tray->last = &item->next;
    }
    if (limit == 0 || clock_us(CLOCK_MONOTONIC) - tray->began >= limit) {
        tray_give(tray, pool);
    }
}

/* Is the tray to be emptied before its thread goes on? Under the lock. */
static bool
pool_gives(const struct pool *pool, const struct tray *tray)
{
    const uint8_t *turn = queue_turn(pool->queue);

    return tray->first != NULL &&
           (turn == NULL || queue_count(pool->queue) < pool->wanted ||
            memcmp(turn, tray->context, sizeof tray->context) != 0);
}

/* Under the lock, which it lets go for as long as it works or waits. */
static void
pool_step(struct pool *pool, struct tray *tray, struct urgency *urgency)
{
    struct queue_item *item;

    if (pool_gives(pool, tray)) {
        pthread_mutex_unlock(&pool->lock);
        tray_give(tray, pool);
        pthread_mutex_lock(&pool->lock);
    } else if (queue_turn(pool->queue) == NULL) {
        pthread_cond_wait(&pool->filled, &pool->lock);
    } else {
        memcpy(tray->context, queue_turn(pool->queue), sizeof tray->context);
        item = queue_take(pool->queue);
        pthread_mutex_unlock(&pool->lock);
        tray_run(tray, pool, item);
        atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_relaxed);
        urgency_look(urgency);
        pthread_mutex_lock(&pool->lock);
    }
}

static void *
pool_run(void *arg)
{
    struct pool *pool = arg;
    struct tray tray = { .first = NULL };
    struct urgency urgency;

    tray.last = &tray.first;
    urgency_start(&urgency, GIVE_WAY_US);
    urgency.computes = true;
    pthread_setname_np(pthread_self(), pool->name);
    if (pool->nice != 0) {
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), pool->nice);
    }
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        pool_step(pool, &tray, &urgency);
    }
    pthread_mutex_unlock(&pool->lock);
    tray_give(&tray, pool);
    return NULL;
}

struct pool *
pool_new(const char *name, size_t threads, int nice, size_t queue_max,
         const struct pool_work *work)
{
    struct pool *pool = calloc(1, sizeof *pool + threads * sizeof pool->threads[0]);

    if (pool == NULL || (pool->queue = queue_new(queue_max)) == NULL) {
        log_err("no memory for the %s threads", name);
        free(pool);
        return NULL;
    }
    strncpy(pool->name, name, sizeof pool->name - 1);
    pool->nice = nice;
    pool->work = *work;
    pool->wanted = threads;
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
