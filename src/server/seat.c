/* SPDX-License-Identifier: Apache-2.0
 *
 * What came in a tick is looked at when the next has begun, so that looking costs next to nothing.
 */
#include "server/seat.h"

#include "base/clock.h"

#include "net/link.h"

#include <sched.h>

#define FRAMES_MIN 8u /* in a tick; who asks less is not in a hurry */

static uint64_t
tick_now(void)
{
    return clock_ns(CLOCK_MONOTONIC_COARSE);
}

/* To the processor, if we may, and with all that we may from there on. */
static void
thread_move(int processor)
{
    cpu_set_t all, one;

    if (sched_getaffinity(0, sizeof all, &all) != 0 || processor >= CPU_SETSIZE ||
        !CPU_ISSET((unsigned)processor, &all)) {
        return;
    }
    CPU_ZERO(&one);
    CPU_SET((unsigned)processor, &one);
    if (sched_setaffinity(0, sizeof one, &one) == 0) {
        (void)sched_setaffinity(0, sizeof all, &all);
    }
}

void
seat_look(struct seat *seat, struct seats *seats, const struct link *link, bool is_first)
{
    const uint64_t now = tick_now();
    bool alone;
    int processor;

    seat->frames++;
    seat->first += is_first;
    if (now == seat->tick) {
        return;
    }
    alone = seat->frames >= FRAMES_MIN && seat->first == seat->frames &&
            atomic_load_explicit(&seats->last, memory_order_relaxed) == seat;
    atomic_store_explicit(&seats->last, seat, memory_order_relaxed);
    *seat = (struct seat){ .tick = now };
    if (alone && (processor = link_processor(link)) >= 0 && processor != sched_getcpu()) {
        thread_move(processor);
    }
}
