/* SPDX-License-Identifier: Apache-2.0
 *
 * Token objects whose key is parsed, within a budget: a parsed key is its secret in the open and
 * takes some ten kilobytes. When one more is parsed than may be, one that was not used of late
 * loses its key: an object without one takes its place in the table, and the old one goes with
 * the last that uses it. Any thread may call.
 */
#ifndef CORE_KEYED_H
#define CORE_KEYED_H

#include "base/base.h"

#include <pthread.h>

#define KEYED_MAX 8192u
#define KEYED_LOOKS 8u /* so many used ones are spared before one goes all the same */

struct keyed {
    pthread_mutex_t lock;
    uint32_t *handles; /* under lock: a ring */
    size_t max;
    size_t count;
    size_t hand; /* the next place to look at */
};

/* False: memory is short. */
MUST_USE bool keyed_init(struct keyed *keyed, size_t max);
void keyed_clear(struct keyed *keyed);
/*
 * The object of that handle has a parsed key now. Gives the handle of the one that has to lose
 * its key, 0 for none. spared(arg, handle): was it used since it was looked at last? Then it
 * stays once more.
 */
MUST_USE uint32_t keyed_enter(struct keyed *keyed, uint32_t handle,
                              bool (*spared)(void *arg, uint32_t handle), void *arg);

#endif
