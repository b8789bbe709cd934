/* SPDX-License-Identifier: Apache-2.0
 *
 * A mutex for who does not wait for it without end.
 */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include "base/base.h"

#include <pthread.h>
#include <time.h>

/* False: it was not free within so many milliseconds. */
MUST_USE static inline bool
lock_within(pthread_mutex_t *lock, unsigned ms)
{
#if defined(__SANITIZE_THREAD__)
    const clockid_t clock = CLOCK_REALTIME; /* the sanitizer does not see the other function */
#else
    const clockid_t clock = CLOCK_MONOTONIC;
#endif
    struct timespec limit;

    if (pthread_mutex_trylock(lock) == 0) {
        return true;
    }
    clock_gettime(clock, &limit);
    limit.tv_sec += (time_t)(ms / 1000);
    limit.tv_nsec += (long)(ms % 1000) * 1000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
#if defined(__SANITIZE_THREAD__)
    return pthread_mutex_timedlock(lock, &limit) == 0;
#else
    return pthread_mutex_clocklock(lock, clock, &limit) == 0;
#endif
}

#endif
