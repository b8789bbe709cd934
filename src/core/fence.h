/* SPDX-License-Identifier: Apache-2.0
 *
 * Fencing. A node that stands still in the middle of a creation, for longer than replies rest,
 * finds nothing of what another one did in its place when it goes on. So a node writes only
 * while its own record on the list of members is as it was when it opened (fence() of the
 * store): an officer who removes the node changes it, and whoever hears well changes it for one
 * that has not been heard for FENCE_SILENT_MS. As long as somebody is silent and not fenced no
 * reply is removed from the store.
 *
 * Who finds its own record changed answers LAGGING, and opens the partition anew: what waits on its
 * connections, and may be as old, ends with them.
 */
#ifndef CORE_FENCE_H
#define CORE_FENCE_H

#include "rules/rules.h"

#include <stdatomic.h>
#include <stdint.h>

#define FENCE_SILENT_MS 60000u

struct hsm;
struct member;

struct fence {
    bool on;           /* under hsm->lock, as `times` */
    uint32_t times;    /* how often it was fenced before it opened */
    _Atomic bool lost; /* until it opens anew */
    uint64_t hearing;  /* under follow->lock: since when it hears without a gap; 0: never yet */
};

/* When the list has been read, the load over, or this node has written its own record. */
void fence_begin(struct hsm *hsm);
/* Before it does. */
void fence_lift(struct hsm *hsm);
/* A record of the list was told. */
void fence_told(struct hsm *hsm, const struct member *member);
bool fence_is_lost(struct hsm *hsm);
/* The store did not take what this node wrote: is that why? Asks the store. */
bool fence_check(struct hsm *hsm);

/* Its own beat was heard, the last one before that ms earlier. Under follow->lock. */
void fence_heard(struct hsm *hsm, uint64_t ms);
/* Every second: fences who has been silent for so long, when this node hears.
 * May wait for the store. */
void fence_others(struct hsm *hsm);
/* Has everybody who may write been heard just now? Not before this node has heard for
 * LEASE_MS without a gap. */
bool fence_hears_all(struct hsm *hsm);

#endif
