/* SPDX-License-Identifier: Apache-2.0
 *
 * A job: a request on its way through the pools, with copies of all that its connection lent
 * for a moment, and the reply that it gathers. Bodies may hold secrets and are wiped.
 */
#ifndef SERVER_JOB_H
#define SERVER_JOB_H

#include "core/hsm.h"
#include "net/loop.h"
#include "server/queue.h"

struct peer;

struct job {
    struct queue_item item; /* first, so that an item is its job */
    struct peer *peer;
    enum hsm_place place;
    bool writes; /* it is counted among the service's writers */
    bool slow;   /* the lane did it itself, and had better not have */
    struct frame request;
    struct writer body;
    struct writer reply;
    struct hsm_told told;
    uint64_t began; /* when the request came, where somebody counts */
    struct post post;
    struct job *next; /* of those that are over */
};

/* Jobs that are over, on one thread: the next ones take their memory. All zero to begin with. */
struct job_shelf {
    struct job *first;
    size_t count;
};

/* NULL when memory is short. */
struct job *job_new(struct job_shelf *shelf, struct peer *peer, enum hsm_place place,
                    const struct frame *request, view body);
/* Wipes it. */
void job_free(struct job_shelf *shelf, struct job *job);
void job_shelf_clear(struct job_shelf *shelf);

/* Handles the request; false when it has to go on to job->place. */
MUST_USE bool job_run(struct job *job, struct hsm *hsm, const struct hsm_peer *who);
/* The reply of a request that finds no room. */
void job_refuse(struct job *job);

#endif
