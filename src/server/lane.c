/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections and their requests. All of a peer belongs to who runs its lane's loop. A job that is
 * away, in a pool or with who ran the loop before, keeps its peer alive by being counted there; the
 * link may be gone by the time it comes back.
 */
#include "server/lane_private.h"

#include "base/log.h"
#include "base/urgency.h"
#include "net/meter.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define DRAIN_LOOK_MS 10u
#define GIVE_WAY_US 400u
/*
 * A peer that does not fetch its replies is not read until it has. What counts is the length
 * of the output buffer, sent part included: it is the buffer that must not reach its limit.
 */
#define OUTPUT_HIGH (16u * 1024u * 1024u)
#define OUTPUT_LOW (1u * 1024u * 1024u)
#define OUTPUT_LOOK_MS 5u
/* So many may have come and not be met yet. */
#define ARRIVALS_MAX 1024u
#define CERTIFICATE_MAX 16384u /* of a node, PEM */
/* So many connections in all; a further one takes the place of the one not heard of for longest. */
#define PEERS_MAX 8192u
/* A daemon pings four times a second; a person at a management tool may think for an hour. */
#define TICK_MS 5000u
#define SILENT_TICKS_CLIENT (30000u / TICK_MS)
#define SILENT_TICKS_MANAGE (3600000u / TICK_MS)

static _Atomic uint64_t *
peer_count_of(const struct peer *peer)
{
    return &peer->lane->service->counts
                .connections[peer->who.port == PORTS_client ? LANE_CLIENT : LANE_MANAGE];
}

void
peer_free_unused(struct peer *peer)
{
    if (peer->link != NULL || peer->jobs > 0) {
        return;
    }
    *peer->at = peer->next;
    if (peer->next != NULL) {
        peer->next->at = peer->at;
    }
    peer->lane->peer_count--;
    atomic_fetch_sub(peer_count_of(peer), 1);
    writer_clear(&peer->certificate);
    free(peer);
}

/* Ends the connection; the peer may be gone afterwards. */
static void
peer_end(struct peer *peer)
{
    struct link *link = peer->link;

    peer->link = NULL;
    link_free(link);
    peer_free_unused(peer);
}

/* Who has gone without a word holds memory for nothing. */
static void
lane_tick(void *arg)
{
    struct lane *lane = arg;
    struct peer *next;

    lane->tick++;
    for (struct peer *peer = lane->peers; peer != NULL; peer = next) {
        uint64_t limit =
            peer->who.port == PORTS_client ? SILENT_TICKS_CLIENT : SILENT_TICKS_MANAGE;

        next = peer->next;
        if (peer->link != NULL && peer->up && lane->tick - peer->heard > limit) {
            log_inf("%s: dropped: not heard of for too long", link_name(peer->link));
            peer_end(peer);
        }
    }
}

static void
lane_make_room(struct lane *lane)
{
    struct peer *longest = NULL;

    for (struct peer *peer = lane->peers; peer != NULL; peer = peer->next) {
        if (peer->link != NULL && peer->up &&
            (longest == NULL || peer->heard <= longest->heard)) {
            longest = peer;
        }
    }
    if (longest != NULL) {
        log_wrn("%s: dropped: there are %zu connections", link_name(longest->link),
                lane->peer_count);
        peer_end(longest);
    }
}

static void
lane_look_at_output(void *arg)
{
    struct lane *lane = arg;
    bool waiting = false;

    for (struct peer *peer = lane->peers; peer != NULL; peer = peer->next) {
        if (!peer->paused || peer->link == NULL) {
            continue;
        }
        if (link_output(peer->link)->len <= OUTPUT_LOW) {
            peer->paused = false;
            link_resume(peer->link);
        } else {
            waiting = true;
        }
    }
    if (!waiting) {
        timer_free(lane->output_timer);
        lane->output_timer = NULL;
    }
}

void
peer_send(struct peer *peer)
{
    struct lane *lane = peer->lane;

    if (!writer_ok(link_output(peer->link))) {
        log_wrn("%s: dropped: it does not fetch its replies", link_name(peer->link));
        peer_end(peer);
        return;
    }
    link_flush(peer->link);
    if (peer->paused || lane->draining || link_output(peer->link)->len < OUTPUT_HIGH) {
        return;
    }
    if (lane->output_timer == NULL) {
        lane->output_timer = timer_new(lane->loop, OUTPUT_LOOK_MS, true, lane_look_at_output,
                                        lane);
    }
    if (lane->output_timer != NULL) {
        peer->paused = true;
        link_pause(peer->link);
    }
}

static void
peer_up(void *arg, struct link *link)
{
    struct peer *peer = arg;

    peer->up = true;
    peer->heard = peer->lane->tick;
    if (peer->who.port == PORTS_manage) {
        link_certificate(link, &peer->certificate);
        peer->who.certificate = writer_ok(&peer->certificate) ? writer_view(&peer->certificate)
                                                              : VIEW_EMPTY;
    }
    log_dbg("%s: connection %llu is up", link_name(link), (unsigned long long)peer->who.connection);
}

static void
peer_down(void *arg, struct link *link, const char *reason)
{
    struct peer *peer = arg;

    log_dbg("%s: connection %llu ends: %s", link_name(link),
            (unsigned long long)peer->who.connection, reason);
    peer_end(peer);
}

static void
peer_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct peer *peer = arg;
    struct lane_service *service = peer->lane->service;
    const uint64_t began = service->meter == NULL ? 0 : meter_now();
    const bool is_first = link_backlog(link) == 0;
    struct hsm_told told = { .place = PLACE_LOOP };

    if (!peer->up) {
        log_wrn("%s: dropped: a frame before the handshake's end", link_name(link));
        peer_end(peer);
        return;
    }
    peer->heard = peer->lane->tick;
    if (hsm_handle(service->hsm, &peer->who, PLACE_LOOP, frame, body, link_output(link),
                   &told) == HSM_DONE) {
        lane_is_not_alone(peer->lane);
        meter_request(service->meter, frame->operation, told.mechanism, told.code, began);
        lane_hurry(service, frame);
        seat_look(&peer->lane->seat, &service->seats, link, is_first);
        peer_send(peer);
        return;
    }

    struct job *job = job_new(&peer->lane->shelf, peer, told.place, frame, body);

    if (job == NULL) {
        frame_reply(link_output(link), frame, CKR_DEVICE_MEMORY, 0, VIEW_EMPTY);
        meter_request(service->meter, frame->operation, METER_NO_MECHANISM,
                      (uint32_t)CKR_DEVICE_MEMORY, began);
        peer_send(peer);
        return;
    }
    job->began = began;
    peer->jobs++;
    if (job->place != PLACE_STORE) {
        lane_is_not_alone(peer->lane);
        job_queue(service, job);
    } else if (lane_writes_alone(peer->lane, job)) {
        peer->lane->aside = job;
    } else {
        lane_hurry(service, frame);
        job_queue(service, job);
    }
}

static const struct link_events peer_events = { peer_up, peer_frame, peer_down };

/* A connection on its way to its lane. */
struct arrival {
    struct arrival *next;
    struct lane *lane;
    struct link_pack pack;
    unsigned port;
};

static void
arrival_free(struct arrival *arrival)
{
    link_pack_free(&arrival->pack);
    free(arrival);
}

static struct arrival *
lane_arrival_next(struct lane *lane)
{
    struct arrival *arrival = lane->arrivals;

    lane->arrivals = arrival->next;
    if (lane->arrivals == NULL) {
        lane->arrivals_last = &lane->arrivals;
    }
    lane->arrival_count--;
    return arrival;
}

/* Makes a peer of a connection, which is the link's then. */
static void
lane_meet(struct lane *lane, struct arrival *arrival)
{
    static _Atomic uint64_t connections;
    struct peer *peer = lane->draining ? NULL : calloc(1, sizeof *peer);

    if (peer == NULL) {
        return;
    }
    if (lane->tick_timer == NULL) {
        lane->tick_timer = timer_new(lane->loop, TICK_MS, true, lane_tick, lane);
    }
    if (lane->peer_count >= PEERS_MAX) {
        lane_make_room(lane);
    }
    lane->peer_count++;
    peer->lane = lane;
    writer_init(&peer->certificate, CERTIFICATE_MAX);
    peer->who.port = arrival->port;
    peer->who.connection = atomic_fetch_add(&connections, 1) + 1;
    atomic_fetch_add(peer_count_of(peer), 1);
    peer->next = lane->peers;
    peer->at = &lane->peers;
    if (peer->next != NULL) {
        peer->next->at = &peer->next;
    }
    lane->peers = peer;
    peer->link = link_unpack(lane->loop, &arrival->pack, &peer_events, peer);
    if (peer->link == NULL) {
        peer_free_unused(peer);
        return;
    }
    snprintf(peer->name, sizeof peer->name, "%s", link_name(peer->link));
    peer->who.name = peer->name;
}

/* One at a time, for requests are there as well. */
static void
lane_next_arrival(void *arg)
{
    struct lane *lane = arg;
    struct arrival *arrival = lane_arrival_next(lane);

    lane_meet(lane, arrival);
    arrival_free(arrival);
    if (lane->arrivals != NULL) {
        loop_chore(lane->loop, &lane->arriving);
    }
}

static void
lane_arrive(void *arg)
{
    struct arrival *arrival = arg;
    struct lane *lane = arrival->lane;

    *lane->arrivals_last = arrival;
    lane->arrivals_last = &arrival->next;
    if (++lane->arrival_count > ARRIVALS_MAX) {
        arrival_free(lane_arrival_next(lane));
    }
    loop_chore(lane->loop, &lane->arriving);
}

void
lane_take(struct lane *lane, struct link_pack *pack, unsigned port)
{
    struct arrival *arrival = malloc(sizeof *arrival);

    if (arrival == NULL) {
        link_pack_free(pack);
        return;
    }
    *arrival = (struct arrival){ NULL, lane, *pack, port };
    if (!loop_post(lane->loop, lane_arrive, arrival)) {
        arrival_free(arrival);
    }
}

static void
lane_drain_look(void *arg)
{
    struct lane *lane = arg;
    struct peer *next;

    for (struct peer *peer = lane->peers; peer != NULL; peer = next) {
        next = peer->next;
        if (peer->link != NULL &&
            (!peer->up || (peer->jobs == 0 && link_backlog(peer->link) == 0))) {
            peer_end(peer);
        }
    }
    if (lane->peers == NULL) {
        timer_free(lane->drain_timer);
        lane->drain_timer = NULL;
        lane->drained(lane->drained_arg);
    }
}

static void
lane_drain_begin(void *arg)
{
    struct lane *lane = arg;

    lane->draining = true;
    for (struct peer *peer = lane->peers; peer != NULL; peer = peer->next) {
        if (peer->link != NULL && peer->up && !peer->paused) {
            peer->paused = true;
            link_pause(peer->link);
        }
    }
    timer_free(lane->output_timer);
    lane->output_timer = NULL;
    lane->drain_timer = timer_new(lane->loop, DRAIN_LOOK_MS, true, lane_drain_look, lane);
}

void
lane_drain(struct lane *lane, void (*drained)(void *arg), void *arg)
{
    lane->drained = drained;
    lane->drained_arg = arg;
    /* When memory is short the caller's limit of time ends the wait. */
    if (!loop_post(lane->loop, lane_drain_begin, lane)) {
        log_wrn("no memory for an orderly end of connections");
    }
}

static void *
lane_run(void *arg)
{
    struct lane *lane = arg;
    struct urgency urgency;

    pthread_setname_np(pthread_self(), "lane");
    urgency_start(&urgency, GIVE_WAY_US);
    while (relay_take(&lane->relay)) {
        bool here = true;

        while (here && loop_turn(lane->loop)) {
            urgency_look(&urgency);
            here = lane->aside == NULL || lane_write(lane);
        }
        if (here) {
            relay_end(&lane->relay);
        }
    }
    return NULL;
}

struct lane *
lane_new(struct lane_service *service)
{
    struct lane *lane = calloc(1, sizeof *lane);

    if (lane == NULL || (lane->loop = loop_new()) == NULL) {
        log_err("no memory for an event loop");
        free(lane);
        return NULL;
    }
    lane->service = service;
    lane->arrivals_last = &lane->arrivals;
    lane->arriving.call = lane_next_arrival;
    lane->arriving.arg = lane;
    relay_init(&lane->relay);
    while (lane->thread_count < ARRAY_COUNT(lane->threads)) {
        if (pthread_create(&lane->threads[lane->thread_count], NULL, lane_run, lane) != 0) {
            log_err("the threads of an event loop do not start");
            lane_free(lane);
            return NULL;
        }
        lane->thread_count++;
    }
    return lane;
}

void
lane_free(struct lane *lane)
{
    struct peer *next;

    if (lane == NULL) {
        return;
    }
    loop_stop(lane->loop);
    while (lane->thread_count > 0) {
        pthread_join(lane->threads[--lane->thread_count], NULL);
    }
    /* A write that the lane did itself may have outlived its loop, or not have begun. */
    if (lane->aside != NULL) {
        lane_drop(&lane->aside->item);
    }
    loop_settle(lane->loop);
    for (struct peer *peer = lane->peers; peer != NULL; peer = next) {
        next = peer->next;
        peer->jobs = 0;
        if (peer->link != NULL) {
            peer_end(peer);
        } else {
            peer_free_unused(peer);
        }
    }
    while (lane->arrivals != NULL) {
        arrival_free(lane_arrival_next(lane));
    }
    timer_free(lane->tick_timer);
    timer_free(lane->output_timer);
    timer_free(lane->drain_timer);
    job_shelf_clear(&lane->shelf);
    relay_clear(&lane->relay);
    loop_free(lane->loop);
    free(lane);
}
