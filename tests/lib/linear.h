/* SPDX-License-Identifier: Apache-2.0
 *
 * Is a history of what several clients did linearizable? That is: could each operation have
 * happened at one moment between its call and its return? Searched as Wing and Gong do it, with a
 * memory of what was tried (Lowe), for each object alone: a history is linearizable when those of all its
 * objects are.
 *
 * An object is there with a value, or it is not there. It comes once, by a creation.
 */
#ifndef TESTS_LINEAR_H
#define TESTS_LINEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum linear_act {
    LINEAR_CREATE,  /* with a value */
    LINEAR_SET,     /* another value */
    LINEAR_DESTROY,
    LINEAR_READ,    /* gives the value */
    LINEAR_FIND     /* gives whether it is there */
};

enum linear_outcome {
    LINEAR_DONE,
    LINEAR_ABSENT, /* there was no such object */
    LINEAR_UNKNOWN /* no answer: it happened at any time after the call, or never */
};

struct linear_op {
    uint64_t object;
    uint32_t client;
    enum linear_act act;
    enum linear_outcome outcome;
    uint64_t value;            /* given or read; not 0 */
    uint64_t called, returned; /* one clock for all clients */
};

enum linear_result { LINEAR_GOOD, LINEAR_BAD, LINEAR_GAVE_UP };

/*
 * Sorts ops by object. stale: for so long a client may go on reading what was so before others
 * changed it; never what was so before its own last operation on that object (before it
 * last found it: a value that is remembered may be older than that). A result that is not good leaves the
 * object in *ret_object.
 */
enum linear_result linear_check(struct linear_op *ops, size_t count, uint64_t stale,
                                uint64_t *ret_object);

#endif
