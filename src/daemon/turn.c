/* SPDX-License-Identifier: Apache-2.0
 *
 * Turns. A node answers in the order in which it is asked, so whoever sends a thousand requests at
 * once would have everyone wait for all of them. As long as few are on their way all go at once;
 * beyond that a context may have few, and what it wants more waits here until it is its turn. What
 * takes long by its nature does not count: the node has queues for that, which take turns as well.
 */
#include "daemon/daemon.h"

static bool
counts(const struct pending *pending)
{
    return pending->row->work != OPERATION_WORK_slow;
}

static bool
may_send(const struct daemon *daemon, const struct context *context)
{
    return daemon->on_way < ON_WAY_MAX || context->on_way < ON_WAY_EACH;
}

/* ---- the ring of contexts that wait ---- */

static void
ring_enter(struct daemon *daemon, struct context *context)
{
    if (daemon->turn == NULL) {
        context->turn_next = context;
    } else {
        context->turn_next = daemon->turn->turn_next;
        daemon->turn->turn_next = context;
    }
    daemon->turn = context; /* the last, as the turn goes */
}

static void
ring_leave(struct daemon *daemon, struct context *context)
{
    struct context *before = context;

    while (before->turn_next != context) {
        before = before->turn_next;
    }
    before->turn_next = context->turn_next;
    if (daemon->turn == context) {
        daemon->turn = before == context ? NULL : before;
    }
    context->turn_next = NULL;
}

/* ---- the queue of a context ---- */

bool
turn_waits(const struct daemon *daemon, const struct pending *pending)
{
    const struct context *context = pending->context;

    return counts(pending) && (context->held_first != NULL || !may_send(daemon, context));
}

bool
turn_hold(struct daemon *daemon, struct pending *pending)
{
    struct context *context = pending->context;

    if (!turn_waits(daemon, pending)) {
        return false;
    }
    pending->held = true;
    pending->held_next = NULL;
    if (context->held_first == NULL) {
        context->held_first = pending;
        ring_enter(daemon, context);
    } else {
        context->held_last->held_next = pending;
    }
    context->held_last = pending;
    return true;
}

static void
held_remove(struct daemon *daemon, struct pending *pending)
{
    struct context *context = pending->context;
    struct pending *before = NULL, *at = context->held_first;

    while (at != pending) {
        before = at;
        at = at->held_next;
    }
    if (before == NULL) {
        context->held_first = pending->held_next;
    } else {
        before->held_next = pending->held_next;
    }
    if (context->held_last == pending) {
        context->held_last = before;
    }
    if (context->held_first == NULL) {
        ring_leave(daemon, context);
    }
    pending->held = false;
    pending->held_next = NULL;
}

void
turn_sent(struct daemon *daemon, struct pending *pending)
{
    if (counts(pending)) {
        pending->on_way = true;
        pending->context->on_way++;
        daemon->on_way++;
    }
}

void
turn_over(struct daemon *daemon, struct pending *pending)
{
    if (pending->on_way) {
        pending->on_way = false;
        pending->context->on_way--;
        daemon->on_way--;
    }
    if (pending->held) {
        held_remove(daemon, pending);
    }
}

struct pending *
turn_next(struct daemon *daemon)
{
    struct context *last = daemon->turn, *context = last;

    while (context != NULL) {
        context = context->turn_next;
        if (may_send(daemon, context)) {
            struct pending *pending = context->held_first;

            daemon->turn = context;
            held_remove(daemon, pending);
            return pending;
        }
        if (context == last) {
            break;
        }
    }
    return NULL;
}
