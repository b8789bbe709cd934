/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue that is fair between contexts: each context has a line of its own, and
 * the lines are served in turn, so one that floods the queue delays only itself. Not locked.
 */
#ifndef SERVER_QUEUE_H
#define SERVER_QUEUE_H

#include "wire/frame.h"

struct queue;

/* The queue's part of a job, first in the job's struct. */
struct queue_item {
    struct queue_item *next;
};

/* At most max items; NULL when memory is short. */
struct queue *queue_new(size_t max);
/* The queue is empty. */
void queue_free(struct queue *queue);

/* False when the queue is full, or memory is short. */
MUST_USE bool queue_put(struct queue *queue, const uint8_t context[FRAME_CONTEXT_LEN],
                        struct queue_item *item);
/* The oldest item of the context whose turn it is; NULL when the queue is empty. */
struct queue_item *queue_take(struct queue *queue);
/* Of the context whose turn it is, valid until the queue changes; NULL when it is empty. */
const uint8_t *queue_turn(const struct queue *queue);
size_t queue_count(const struct queue *queue);

#endif
