/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel counts for each thread how often it ran and how long it waited before.
 */
#include "base/clock.h"
#include "base/urgency.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define WINDOW_MS 100u
#define TURNS_MIN 16u      /* fewer say nothing */
#define LOW_MS 10000u      /* then what is usual is looked at again */
#define REST_FIRST_MS 2000u
#define REST_MAX_MS 32000u
#define HOLD_MS 250u
#define HOLD_STEP_MS 20u  /* so often it is written that all read */

static _Atomic uint64_t hold_until; /* milliseconds */
static _Thread_local bool low_here; /* by us, and SCHED_OTHER before */

static bool
counters_read(uint64_t *ret_waited, uint64_t *ret_turns)
{
    int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    char text[96];
    ssize_t len;

    if (fd < 0) {
        return false;
    }
    len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0) {
        return false;
    }
    text[len] = '\0';
    return sscanf(text, "%*u %" SCNu64 " %" SCNu64, ret_waited, ret_turns) == 2;
}

static bool
policy_set(int policy)
{
    const struct sched_param none = { 0 };

    return sched_setscheduler(0, policy, &none) == 0;
}

void
urgency_start(struct urgency *urgency, unsigned more_us)
{
    *urgency = (struct urgency){ .more = more_us * UINT64_C(1000), .rest = REST_FIRST_MS };
    urgency->fixed = sched_getscheduler(0) != SCHED_OTHER ||
                     !counters_read(&urgency->waited, &urgency->turns);
}

bool
urgency_judge(struct urgency *urgency, uint64_t now, uint64_t waited, uint64_t turns)
{
    const uint64_t count = turns - urgency->turns;
    uint64_t each;

    if (count < TURNS_MIN) {
        return urgency->low;
    }
    each = (waited - urgency->waited) / count;
    urgency->waited = waited;
    urgency->turns = turns;
    if (!urgency->low) {
        urgency->usual = each;
        if (now >= urgency->turn_at) {
            urgency->turn_at = now + LOW_MS;
            return true;
        }
        return false;
    }
    if (each > 2 * urgency->usual + urgency->more) {
        urgency->turn_at = now + urgency->rest;
        urgency->rest = size_min(2 * urgency->rest, REST_MAX_MS);
        return false;
    }
    if (now >= urgency->turn_at) {
        urgency->turn_at = 0;
        urgency->rest = REST_FIRST_MS;
        return false;
    }
    return true;
}

void
urgency_hold(void)
{
    const uint64_t until = clock_ms(CLOCK_MONOTONIC_COARSE) + HOLD_MS;

    if (until >= atomic_load_explicit(&hold_until, memory_order_relaxed) + HOLD_STEP_MS) {
        atomic_store_explicit(&hold_until, until, memory_order_relaxed);
    }
}

static void
urgency_set(struct urgency *urgency, bool low)
{
    if (low != urgency->low) {
        urgency->fixed = !policy_set(low ? SCHED_BATCH : SCHED_OTHER);
        urgency->low = low;
        low_here = low && !urgency->fixed;
    }
}

/* SCHED_RESET_ON_FORK would not do: the kernel takes back real-time policies alone (sched(7)). */
void
urgency_attributes(pthread_attr_t *attributes)
{
    if (low_here) {
        (void)pthread_attr_setinheritsched(attributes, PTHREAD_EXPLICIT_SCHED);
        (void)pthread_attr_setschedpolicy(attributes, SCHED_OTHER);
    }
}

void
urgency_look(struct urgency *urgency)
{
    uint64_t now, waited, turns;
    int saved = errno;

    if (urgency->fixed) {
        return;
    }
    now = clock_ms(CLOCK_MONOTONIC_COARSE);
    if (!urgency->computes && now < atomic_load_explicit(&hold_until, memory_order_relaxed)) {
        urgency_set(urgency, false);
        urgency->turn_at = 0;
        return;
    }
    if (now < urgency->look_at) {
        return;
    }
    urgency->look_at = now + WINDOW_MS;
    if (counters_read(&waited, &turns)) {
        urgency_set(urgency, urgency_judge(urgency, now, waited, turns));
    }
    errno = saved;
}
