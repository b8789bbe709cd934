/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines of contexts, found by a hash of the context and served round robin. A line exists as
 * long as it holds an item.
 */
#include "server/queue.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BUCKET_COUNT 256u
#define SPARES_MAX 64u

struct line {
    uint8_t context[FRAME_CONTEXT_LEN];
    struct queue_item *first;
    struct queue_item **last;
    struct line *turn_next;   /* who is served after it */
    struct line *bucket_next;
};

struct queue {
    size_t count;
    size_t max;
    struct line *turn_first;
    struct line **turn_last;
    struct line *buckets[BUCKET_COUNT];
    struct line *spares; /* by bucket_next */
    size_t spare_count;
};

struct queue *
queue_new(size_t max)
{
    struct queue *queue = calloc(1, sizeof *queue);

    if (queue != NULL) {
        queue->max = max;
        queue->turn_last = &queue->turn_first;
    }
    return queue;
}

void
queue_free(struct queue *queue)
{
    assert(queue == NULL || queue->count == 0);
    while (queue != NULL && queue->spares != NULL) {
        struct line *line = queue->spares;

        queue->spares = line->bucket_next;
        free(line);
    }
    free(queue);
}

/* An empty line; NULL when memory is short. */
static struct line *
line_new(struct queue *queue)
{
    struct line *line = queue->spares;

    if (line == NULL) {
        return calloc(1, sizeof *line);
    }
    queue->spares = line->bucket_next;
    queue->spare_count--;
    *line = (struct line){ 0 };
    return line;
}

static void
line_free(struct queue *queue, struct line *line)
{
    if (queue->spare_count >= SPARES_MAX) {
        free(line);
        return;
    }
    line->bucket_next = queue->spares;
    queue->spares = line;
    queue->spare_count++;
}

/* Where the line of the context hangs, or would hang. Contexts are random, so any part will do. */
static struct line **
line_find(struct queue *queue, const uint8_t context[FRAME_CONTEXT_LEN])
{
    struct line **at = &queue->buckets[load_u32(context) % BUCKET_COUNT];

    while (*at != NULL && memcmp((*at)->context, context, FRAME_CONTEXT_LEN) != 0) {
        at = &(*at)->bucket_next;
    }
    return at;
}

static void
turn_append(struct queue *queue, struct line *line)
{
    line->turn_next = NULL;
    *queue->turn_last = line;
    queue->turn_last = &line->turn_next;
}

bool
queue_put(struct queue *queue, const uint8_t context[FRAME_CONTEXT_LEN], struct queue_item *item)
{
    struct line **at = line_find(queue, context);

    if (queue->count == queue->max) {
        return false;
    }
    if (*at == NULL) {
        struct line *line = line_new(queue);

        if (line == NULL) {
            return false;
        }
        memcpy(line->context, context, FRAME_CONTEXT_LEN);
        line->last = &line->first;
        *at = line;
        turn_append(queue, line);
    }
    item->next = NULL;
    *(*at)->last = item;
    (*at)->last = &item->next;
    queue->count++;
    return true;
}

struct queue_item *
queue_take(struct queue *queue)
{
    struct line *line = queue->turn_first;

    if (line == NULL) {
        return NULL;
    }
    queue->turn_first = line->turn_next;
    if (queue->turn_first == NULL) {
        queue->turn_last = &queue->turn_first;
    }

    struct queue_item *item = line->first;

    line->first = item->next;
    queue->count--;
    if (line->first != NULL) {
        turn_append(queue, line);
    } else {
        *line_find(queue, line->context) = line->bucket_next;
        line_free(queue, line);
    }
    return item;
}

const uint8_t *
queue_turn(const struct queue *queue)
{
    return queue->turn_first == NULL ? NULL : queue->turn_first->context;
}

size_t
queue_count(const struct queue *queue)
{
    return queue->count;
}
