/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/linear.h"

#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 4000000u
#define NOT_THERE 0u

/* A call, or the return of one. */
struct event {
    const struct linear_op *op;
    uint64_t time;
    bool call;
    size_t number;      /* of the operation */
    size_t after;       /* that of one that has to come before it; as many as there are: none */
    struct event *mate; /* a call's return, NULL where there is none */
    struct event *previous, *next;
};

/* What was linearized, and the state after it; key is bits, then the state. */
struct seen {
    uint64_t *slots; /* of width words each; the first word is a hash, 0: free */
    size_t width;
    size_t size, used;
};

struct search {
    struct event *events; /* a list head, then all in the order of time */
    struct event **calls; /* those that were linearized */
    uint64_t *states;     /* before each of them */
    size_t depth;
    uint64_t *bits; /* of those, and in the last word the state */
    size_t words;
    size_t count;
    struct seen seen;
};

/* ---- what an object does ---- */

static bool
step(const struct linear_op *op, uint64_t state, uint64_t *ret_state)
{
    *ret_state = state;
    if (op->outcome == LINEAR_ABSENT) {
        return state == NOT_THERE;
    }
    switch (op->act) {
    case LINEAR_CREATE:
        *ret_state = op->value;
        return state == NOT_THERE;
    case LINEAR_SET:
        *ret_state = op->value;
        return state != NOT_THERE;
    case LINEAR_DESTROY:
        *ret_state = NOT_THERE;
        return state != NOT_THERE;
    case LINEAR_READ:
        return state == op->value;
    case LINEAR_FIND:
        return state != NOT_THERE;
    }
    return false;
}

/* ---- what was tried ---- */

static uint64_t
hash(const uint64_t *words, size_t count)
{
    uint64_t sum = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < count; i++) {
        sum ^= words[i];
        sum *= 0xff51afd7ed558ccdu;
        sum ^= sum >> 32;
    }
    return sum == 0 ? 1 : sum;
}

static uint64_t *
slot(const struct seen *seen, const uint64_t *key, uint64_t sum)
{
    size_t at = sum & (seen->size - 1);

    for (;; at = (at + 1) & (seen->size - 1)) {
        uint64_t *place = seen->slots + at * seen->width;

        if (place[0] == 0 || (place[0] == sum && memcmp(place + 1, key,
                                                         (seen->width - 1) * sizeof *key) == 0)) {
            return place;
        }
    }
}

/* False: it was there. */
static bool
seen_add(struct seen *seen, const uint64_t *key)
{
    const uint64_t sum = hash(key, seen->width - 1);
    uint64_t *place;

    if (2 * seen->used >= seen->size) {
        struct seen more = { .width = seen->width, .size = seen->size * 2, .used = seen->used };

        more.slots = calloc(more.size * more.width, sizeof *more.slots);
        for (size_t i = 0; i < seen->size; i++) {
            const uint64_t *old = seen->slots + i * seen->width;

            if (old[0] != 0) {
                memcpy(slot(&more, old + 1, old[0]), old, seen->width * sizeof *old);
            }
        }
        free(seen->slots);
        *seen = more;
    }
    place = slot(seen, key, sum);
    if (place[0] != 0) {
        return false;
    }
    place[0] = sum;
    memcpy(place + 1, key, (seen->width - 1) * sizeof *key);
    seen->used++;
    return true;
}

/* ---- the search ---- */

static void
unlink_event(struct event *event)
{
    event->previous->next = event->next;
    if (event->next != NULL) {
        event->next->previous = event->previous;
    }
}

static void
relink_event(struct event *event)
{
    event->previous->next = event;
    if (event->next != NULL) {
        event->next->previous = event;
    }
}

static void
lift(struct event *call)
{
    unlink_event(call);
    if (call->mate != NULL) {
        unlink_event(call->mate);
    }
}

static void
unlift(struct event *call)
{
    if (call->mate != NULL) {
        relink_event(call->mate);
    }
    relink_event(call);
}

/* Would it be new to linearize this one next? Then it is done. */
static bool
advance(struct search *search, struct event *call, uint64_t *state)
{
    const uint64_t bit = (uint64_t)1 << call->number % 64;
    uint64_t next;

    if (!step(call->op, *state, &next) ||
        (call->after < search->count &&
         (search->bits[call->after / 64] >> call->after % 64 & 1) == 0)) {
        return false;
    }
    search->bits[call->number / 64] |= bit;
    search->bits[search->words] = next;
    if (!seen_add(&search->seen, search->bits)) {
        search->bits[call->number / 64] &= ~bit;
        return false;
    }
    search->calls[search->depth] = call;
    search->states[search->depth++] = *state;
    *state = next;
    lift(call);
    return true;
}

static enum linear_result
search_run(struct search *search)
{
    struct event *head = search->events;
    struct event *at = head->next;
    uint64_t state = NOT_THERE;

    /* At the end of the list there are only calls without a return: they need not have happened. */
    for (size_t steps = 0; at != NULL; steps++) {
        if (steps > STEPS_MAX) {
            return LINEAR_GAVE_UP;
        }
        if (at->call) {
            at = advance(search, at, &state) ? head->next : at->next;
            continue;
        }
        if (search->depth == 0) {
            return LINEAR_BAD;
        }
        at = search->calls[--search->depth];
        state = search->states[search->depth];
        search->bits[at->number / 64] &= ~((uint64_t)1 << at->number % 64);
        unlift(at);
        at = at->next;
    }
    return LINEAR_GOOD;
}

/* Calls before returns: what touches in time may have overlapped. */
static int
by_time(const void *a, const void *b)
{
    const struct event *one = a, *other = b;

    if (one->time != other->time) {
        return one->time < other->time ? -1 : 1;
    }
    return (int)other->call - (int)one->call;
}

static bool
is_read(const struct linear_op *op)
{
    return op->act == LINEAR_READ || op->act == LINEAR_FIND;
}

/* The operation that the client had an answer to before this one, which has to come after it; count:
 * none. That something was found tells nothing of the value that is remembered of it. */
static size_t
own_before(const struct linear_op *ops, size_t count, const struct linear_op *op)
{
    size_t last = count;

    for (size_t i = 0; i < count; i++) {
        if (ops[i].client == op->client && ops[i].outcome != LINEAR_UNKNOWN &&
            (op->act == LINEAR_FIND || ops[i].act != LINEAR_FIND) &&
            ops[i].returned <= op->called && ops + i != op &&
            (last == count || ops[i].returned > ops[last].returned)) {
            last = i;
        }
    }
    return last;
}

static enum linear_result
object_check(const struct linear_op *ops, size_t count, uint64_t stale)
{
    struct search search = { .words = (count + 63) / 64, .count = count };
    struct event *events = calloc(2 * count + 1, sizeof *events);
    enum linear_result result;
    size_t made = 1;

    for (size_t i = 0; i < count; i++) {
        const struct linear_op *op = ops + i;

        if (is_read(op) && op->outcome == LINEAR_UNKNOWN) {
            continue; /* tells nothing */
        }
        events[made++] = (struct event){
            .op = op,
            .time = !is_read(op) ? op->called : op->called > stale ? op->called - stale : 0,
            .call = true,
            .number = i,
            .after = is_read(op) && stale > 0 ? own_before(ops, count, op) : count,
        };
        if (op->outcome != LINEAR_UNKNOWN) {
            events[made++] = (struct event){ .op = op, .time = op->returned, .number = i };
        }
    }
    qsort(events + 1, made - 1, sizeof *events, by_time);
    for (size_t i = 1; i < made; i++) {
        events[i].previous = events + i - 1;
        events[i - 1].next = events + i;
        for (size_t k = i + 1; events[i].call && k < made && events[i].mate == NULL; k++) {
            events[i].mate = events[k].number == events[i].number ? events + k : NULL;
        }
    }
    search.events = events;
    search.calls = calloc(count, sizeof *search.calls);
    search.states = calloc(count, sizeof *search.states);
    search.bits = calloc(search.words + 1, sizeof *search.bits);
    search.seen = (struct seen){ .width = search.words + 2, .size = 1024 };
    search.seen.slots = calloc(search.seen.size * search.seen.width, sizeof *search.seen.slots);
    result = search_run(&search);
    free(search.seen.slots);
    free(search.bits);
    free(search.states);
    free(search.calls);
    free(events);
    return result;
}

static int
by_object(const void *a, const void *b)
{
    const struct linear_op *one = a, *other = b;

    if (one->object != other->object) {
        return one->object < other->object ? -1 : 1;
    }
    return one->called < other->called ? -1 : one->called > other->called;
}

enum linear_result
linear_check(struct linear_op *ops, size_t count, uint64_t stale, uint64_t *ret_object)
{
    enum linear_result result = LINEAR_GOOD;

    qsort(ops, count, sizeof *ops, by_object);
    for (size_t first = 0, end; first < count && result == LINEAR_GOOD; first = end) {
        for (end = first; end < count && ops[end].object == ops[first].object; end++) {
        }
        result = object_check(ops + first, end - first, stale);
        if (result != LINEAR_GOOD) {
            *ret_object = ops[first].object;
        }
    }
    return result;
}
