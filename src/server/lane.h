/* SPDX-License-Identifier: Apache-2.0
 *
 * A lane: one event loop with the connections it was given. It handles on the spot what is quick;
 * the rest goes to the pools, and the replies come back to it. Who writes to the store all alone is
 * spared the way there and back: the lane's thread does that as well, and a second one steps in for
 * it at the loop when the disk takes longer than a moment.
 */
#ifndef SERVER_LANE_H
#define SERVER_LANE_H

#include "core/hsm.h"
#include "net/tls.h"
#include "server/pool.h"
#include "server/seat.h"

enum lane_port { LANE_CLIENT, LANE_MANAGE, LANE_PORT_COUNT };

/* What all lanes share. Outlives them. */
struct lane_service {
    struct hsm *hsm;
    struct pool *pools[PLACE_STORE + 1]; /* by enum hsm_place; none for PLACE_LOOP */
    struct seats seats;
    struct meter *meter; /* NULL: nobody counts requests */
    struct {
        _Atomic uint64_t connections[LANE_PORT_COUNT];
        _Atomic uint64_t refused[PLACE_STORE + 1]; /* they found the pool's queue full */
    } counts;
    _Atomic uint64_t writers; /* jobs that began as the store's and are not over */
};

struct lane;
struct link_pack;

/* Starts the thread; signals are blocked by the caller. NULL with a line in the log. */
struct lane *lane_new(struct lane_service *service);
/* From any thread. Takes a connection that has shaken hands (net/link.h); port is PORTS_client or
 * PORTS_manage. */
void lane_take(struct lane *lane, struct link_pack *pack, unsigned port);
/* From any thread, once. Reads no more; ends each connection when its requests are answered
 * and the answers have left; then calls drained(arg) on the lane's thread. */
void lane_drain(struct lane *lane, void (*drained)(void *arg), void *arg);
/* Ends the thread, then all connections. The pools are stopped. */
void lane_free(struct lane *lane);

/* The pools' work (server/pool.h), and what becomes of a job that a stopped pool leaves. */
bool lane_work(struct queue_item *job);
void lane_give(struct queue_item *job);
void lane_drop(struct queue_item *job);

#endif
