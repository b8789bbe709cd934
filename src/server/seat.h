/* SPDX-License-Identifier: Apache-2.0
 *
 * The processor that a lane runs on. Where one small thing is asked at a time, who asked may
 * keep his own processor busy by looking for the reply, and a lane that the scheduler has put
 * there waits for him to give up. So it then moves to where its requests come in: on a host
 * that has the daemon as well, that is where the daemon has just gone to sleep. The scheduler
 * is free to move it again.
 */
#ifndef SERVER_SEAT_H
#define SERVER_SEAT_H

#include "base/base.h"

#include <stdatomic.h>

struct link;

/* Of one lane. */
struct seat {
    uint64_t tick;   /* of the kernel's clock, some milliseconds */
    unsigned frames; /* handled in it */
    unsigned first;  /* of them those that came alone, or before others */
};
/* Of all lanes: which had requests last. */
struct seats {
    const struct seat *_Atomic last;
};

/* After a request was answered on the spot that came by link. On the lane's thread. */
void seat_look(struct seat *seat, struct seats *seats, const struct link *link, bool is_first);

#endif
