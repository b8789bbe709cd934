/* SPDX-License-Identifier: Apache-2.0
 *
 * What the files of a lane share.
 */
#ifndef SERVER_LANE_PRIVATE_H
#define SERVER_LANE_PRIVATE_H

#include "net/link.h"
#include "server/job.h"
#include "server/lane.h"
#include "server/relay.h"
#include "server/seat.h"

struct peer {
    struct lane *lane;
    struct peer *next;
    struct peer **at; /* who points at it */
    struct link *link; /* NULL once the connection is over */
    struct hsm_peer who;
    char name[64]; /* the link's, which may be gone while a job is away */
    struct writer certificate; /* where who.certificate points; on the port for management */
    size_t jobs; /* away in the pools */
    uint64_t heard; /* tick of its last frame */
    bool up;
    bool paused;
};

struct lane {
    struct lane_service *service;
    struct loop *loop;
    struct relay relay;    /* whose place is at the loop */
    pthread_t threads[2];
    size_t thread_count;
    struct job *aside;     /* what who runs the loop does next, away from it */
    int alone;             /* writes without anything else between; below 0: so many are missing */
    unsigned slow;         /* of those it did itself, the last ones that took long */
    struct peer *peers;
    struct arrival *arrivals; /* the first to have come first */
    struct arrival **arrivals_last;
    size_t arrival_count;
    struct chore arriving;    /* waits while there are any */
    size_t peer_count;
    uint64_t tick;
    struct timer *tick_timer;
    struct timer *output_timer; /* runs while a peer is paused */
    struct timer *drain_timer;   /* runs while draining */
    struct job_shelf shelf;
    struct seat seat;
    void (*drained)(void *arg);
    void *drained_arg;
    bool draining;
};

/* Releases the peer as soon as nothing refers to it any more. */
void peer_free_unused(struct peer *peer);
/* After something was appended. The peer may be gone afterwards. */
void peer_send(struct peer *peer);

/*
 * What is asked for takes little: it must not wait for the end of a turn of those who compute.
 * Where nobody asks for such, they may have their turns.
 */
void lane_hurry(const struct lane_service *service, const struct frame *request);
/* Hands the job to the pool of its place; what does not fit is answered at once. */
void job_queue(struct lane_service *service, struct job *job);
/* Counts a job of the store's: is there nobody else who would wait for it? */
bool lane_writes_alone(struct lane *lane, struct job *job);
/* Something else came, which would not want to wait for a disk. */
void lane_is_not_alone(struct lane *lane);
/* Does what was put aside. False: another has stepped in at the loop. */
MUST_USE bool lane_write(struct lane *lane);

#endif
