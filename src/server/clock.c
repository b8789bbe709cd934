/* SPDX-License-Identifier: Apache-2.0
 *
 * CLOCK_REALTIME for records, CLOCK_BOOTTIME for spans: a lease or a lock-out must not grow
 * because the host slept, or because somebody set its clock.
 */
#include "server/clock.h"

#include <time.h>

static uint64_t
clock_read(clockid_t id)
{
    struct timespec now = { 0, 0 };

    clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t
clock_wall(struct clock *clock)
{
    UNUSED(clock);
    return clock_read(CLOCK_REALTIME);
}

static uint64_t
clock_monotonic(struct clock *clock)
{
    UNUSED(clock);
    return clock_read(CLOCK_BOOTTIME);
}

struct clock *
clock_host(void)
{
    static struct clock host = { clock_wall, clock_monotonic };

    return &host;
}
