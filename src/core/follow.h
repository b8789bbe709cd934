/* SPDX-License-Identifier: Apache-2.0
 *
 * Following: where several nodes share a store, each hears what the others commit and takes it
 * into its tables, in the order of revisions. How far it has come is told in its reply frames, and
 * asked for in request frames, so that who has seen a change never sees a state before it.
 *
 * Each second, and when something was done that all have to know of, a node writes a beat, the
 * record l/<serial>: how far it has come. When a node hears its own beat it knows all that was
 * committed before it was sent: so long it is fresh, and for a while. Others know of a node whose
 * beat they have not heard for LEASE_MS that it is fresh no more.
 */
#ifndef CORE_FOLLOW_H
#define CORE_FOLLOW_H

#include "core/ports.h"
#include "rules/rules.h"

#include <pthread.h>
#include <stdatomic.h>

struct hsm;

#define FOLLOW_NODES_MAX 256u /* as many as the list can have (member.h), and all that have gone */
#define FOLLOW_BEATS 256u /* of ours under way: more than requests that catch up at once */
#define LEASE_MS 6000u
#define FENCE_MS 5000u   /* a second less, for clocks that do not run alike */
#define LAG_MS 100u      /* how long a request waits for what it has to see */
#define STALE_MS 300000u /* unless it is set otherwise */

struct follow_member {
    char node[17];
    uint64_t boot;
    uint64_t applied;
    uint64_t heard; /* clock.monotonic */
    uint64_t revision; /* of that beat */
    bool missed;    /* since then, and it was logged */
};

struct follow_link;

struct follow {
    _Atomic bool on;            /* others write the store, too; fixed at the start */
    _Atomic uint64_t reached;   /* all up to it is in the tables */
    _Atomic uint64_t stuck;     /* reached, when a request had waited in vain */
    _Atomic uint64_t stuck_for; /* for this revision */
    _Atomic uint64_t fresh;     /* when the last own beat that was heard was sent */
    _Atomic uint64_t stale_limit;
    struct follow_link *link;   /* of beats under way */
    bool hurry;                 /* the watcher's alone, as the next */
    bool missed;                /* there was no memory for a change */

    pthread_mutex_t lock;
    pthread_cond_t moved;       /* reached, or a member */
    struct follow_member members[FOLLOW_NODES_MAX]; /* under lock, as all below */
    size_t member_count;
    uint64_t sent[FOLLOW_BEATS];
    uint64_t beats;
    bool beating;
    bool again;
    bool said_stale;
};

MUST_USE bool follow_init(struct follow *follow);
void follow_clear(struct follow *follow);
/* Begins with what came after that revision; a store that has nothing to tell is not followed.
 * Where it cannot be heard yet, the node begins stale. False: logged. */
MUST_USE bool follow_start(struct hsm *hsm, uint64_t after);
/* Hears nothing from here on. Before the tables go. */
void follow_stop(struct hsm *hsm);

/* Was all of that revision told, and perhaps more on top of it? Under hsm->lock, where what a
 * handler has committed itself goes into a table. */
bool follow_passed(struct hsm *hsm, uint64_t revision);
/* Replies tell of that revision from here on: before what it has changed goes into a table. */
void follow_seen(struct hsm *hsm, uint64_t revision);
/* Waits until all up to it is in the tables. False: it is not, after ms. */
bool follow_await(struct hsm *hsm, uint64_t revision, uint32_t ms);
/* Waits until all that was committed before this call is in the tables. False: without quorum. */
bool follow_catch_up(struct hsm *hsm);
/* Waits until every node has it or is known not to be fresh. */
void follow_barrier(struct hsm *hsm, uint64_t revision);
/* The same for all that was committed before this call. */
void follow_barrier_all(struct hsm *hsm);
/* Asks all nodes to tell how far they are: who has heard of *ret_revision has all that was
 * committed before this call. False: the store does not take it. */
MUST_USE bool follow_ask(struct hsm *hsm, uint64_t *ret_revision);
/* May keys be used, as far as this node has heard? */
bool follow_is_fresh(struct hsm *hsm);
/* Was that boot of another node over: ended, begun anew, or not heard for LEASE_MS? By
 * what this node has heard. at: clock.monotonic before follow_catch_up(), for this node
 * may have been stopped since. */
bool follow_is_over(struct hsm *hsm, view node, uint64_t boot, uint64_t at);

/* A beat that is found at the start. */
bool beat_name_is(view key);
void follow_found(struct hsm *hsm, view key, view value, uint64_t revision);

/* Holds all of the store against the tables, and mends these where changes were not told; wait: for
 * those that are on their way. False: the store was not read. */
bool follow_compare(struct hsm *hsm, bool wait);

#endif
