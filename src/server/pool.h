/* SPDX-License-Identifier: Apache-2.0
 *
 * A pool of worker threads behind a fair, bounded queue. Signals are for the main thread, so
 * pools are made while they are blocked.
 */
#ifndef SERVER_POOL_H
#define SERVER_POOL_H

#include "server/queue.h"

struct pool;

/*
 * What becomes of items, on threads of the pool. Who waits for an item is mostly asleep, and to
 * wake him for each one alone costs both sides more than to hear of several at once. So a thread
 * may gather what it has done: while at least as many wait as there are threads, so that nobody
 * runs dry meanwhile, and the next one is of the same context, so that nobody waits for what
 * another has asked for.
 */
struct pool_work {
    bool (*run)(struct queue_item *item);  /* false: it is somebody else's by now */
    void (*give)(struct queue_item *item); /* what was run, to who waits for it */
    unsigned gather_us; /* so long, since the first of them was begun; 0: each is given at once */
};

/* nice: how much its threads give way to others, as setpriority() has it; 0: they do not. At most
 * queue_max items wait. NULL with a line in the log. */
struct pool *pool_new(const char *name, size_t threads, int nice, size_t queue_max,
                      const struct pool_work *work);
/* From any thread. False: full or stopped; item is still the caller's. */
MUST_USE bool pool_put(struct pool *pool, const uint8_t context[FRAME_CONTEXT_LEN],
                       struct queue_item *item);
/* Does anything wait or work? From any thread. */
bool pool_is_busy(const struct pool *pool);
/* How many wait. From any thread. */
size_t pool_waiting(struct pool *pool);
/* Waits for the work that runs now; what still waits is handed to drop. pool_put() gives
 * false from here on. */
void pool_stop(struct pool *pool, void (*drop)(struct queue_item *item));
/* Stopped, or never used. */
void pool_free(struct pool *pool);

#endif
