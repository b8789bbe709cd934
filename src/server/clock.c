/* SPDX-License-Identifier: Apache-2.0
 *
 * CLOCK_REALTIME for records, CLOCK_BOOTTIME for spans: a lease or a lock-out must not grow
 * because the host slept, or because somebody set its clock.
 */
#include "server/clock.h"

#include "base/clock.h"

static uint64_t
clock_wall(struct clock *clock)
{
    UNUSED(clock);
    return clock_ms(CLOCK_REALTIME);
}

static uint64_t
clock_monotonic(struct clock *clock)
{
    UNUSED(clock);
    return clock_ms(CLOCK_BOOTTIME);
}

struct clock *
clock_host(void)
{
    static struct clock host = { clock_wall, clock_monotonic };

    return &host;
}
