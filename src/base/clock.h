/* SPDX-License-Identifier: Apache-2.0
 *
 * What a clock of the system says, since its own beginning (clock_gettime(2)). Waits and limits go by
 * CLOCK_MONOTONIC.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t
clock_ns(clockid_t clock)
{
    struct timespec now = { 0, 0 };

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t
clock_us(clockid_t clock)
{
    return clock_ns(clock) / 1000u;
}

static inline uint64_t
clock_ms(clockid_t clock)
{
    return clock_ns(clock) / 1000000u;
}

#endif
