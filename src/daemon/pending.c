/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests without their reply yet: in the order of coming, and by context and number. A request is
 * routed on its header alone and kept until its reply.
 */
#include "daemon/daemon.h"

#include <stdlib.h>
#include <string.h>

/* What it takes of memory. */
static size_t
pending_size(const struct pending *pending)
{
    const size_t len = pending->frame.body_len;

    return sizeof *pending + (len > sizeof pending->room ? len : 0);
}

/* Empty where it was not kept. */
static view
pending_body(const struct pending *pending)
{
    return pending->body == NULL ? VIEW_EMPTY : view_of(pending->body, pending->frame.body_len);
}

static uint64_t
number_hash(const struct frame *frame)
{
    return index_hash(load_u64(frame->context), frame->request);
}

/* From those that are over; NULL when memory is short. */
static struct pending *
pending_take_spare(struct daemon *daemon)
{
    struct pending *pending = daemon->spares;

    if (pending == NULL) {
        pending = malloc(sizeof *pending);
    } else {
        daemon->spares = pending->next;
        daemon->spare_count--;
    }
    if (pending != NULL) {
        memset(pending, 0, offsetof(struct pending, room));
    }
    return pending;
}

/* It is linked nowhere. */
static void
pending_release(struct daemon *daemon, struct pending *pending)
{
    if (pending->body != NULL) {
        wipe(pending->body, pending->frame.body_len);
        if (pending->body != pending->room) {
            free(pending->body);
        }
    }
    if (daemon->spare_count < SPARES_MAX) {
        pending->next = daemon->spares;
        daemon->spares = pending;
        daemon->spare_count++;
    } else {
        free(pending);
    }
}

/* A node that does not read is sent no more: who asks is not read either, so that what he asks in
 * one go keeps its order. */
static void
pending_block(struct pending *pending)
{
    if (!pending->blocked) {
        pending->blocked = true;
        pending->context->blocked++;
    }
    pending->waiting_since = 0; /* the node is there */
    if (pending->peer != NULL) {
        peer_pause(pending->peer);
    }
}

static void
pending_unblock(struct pending *pending)
{
    if (pending->blocked) {
        pending->blocked = false;
        pending->context->blocked--;
    }
}

void
context_resume(struct context *context)
{
    if (context->paused != NULL && context->blocked == 0 &&
        context->requests < CONTEXT_REQUESTS_MAX / 2 && context->bytes < CONTEXT_BYTES_MAX / 2) {
        peers_resume(context);
    }
}

void
pending_free(struct daemon *daemon, struct pending *pending)
{
    struct context *context = pending->context;

    feed_request_done(daemon, pending->row, pending_body(pending), pending->revision);
    index_take(&daemon->pendings, &pending->by_number);
    if (pending->previous != NULL) {
        pending->previous->next = pending->next;
    } else {
        daemon->pending_first = pending->next;
    }
    if (pending->next != NULL) {
        pending->next->previous = pending->previous;
    } else {
        daemon->pending_last = pending->previous;
    }
    daemon->pending_count--;
    turn_over(daemon, pending);
    pending_unblock(pending);
    if (pending->sent_on != NULL) {
        pending->sent_on->load--;
    }
    if (pending->peer != NULL) {
        pending->peer->requests--;
    }
    context->requests--;
    context->bytes -= pending_size(pending);
    context->owner->bytes -= pending_size(pending);
    pending_release(daemon, pending);
    context_resume(context);
}

void
pending_fail(struct daemon *daemon, struct pending *pending, uint32_t code)
{
    struct peer *peer = pending->peer;
    struct frame frame = pending->frame;
    own_done *done = pending->done;
    void *arg = pending->done_arg;

    meter_request(daemon->meter, frame.operation, METER_NO_MECHANISM, code, pending->began);
    pending_free(daemon, pending);
    if (done != NULL) {
        done(arg, code, VIEW_EMPTY);
    }
    if (peer != NULL) {
        peer_answer(peer, &frame, code, frame.revision, VIEW_EMPTY);
    }
}

struct pending *
pending_new(struct daemon *daemon, struct context *context, struct peer *peer,
            const struct operation_row *row, const struct frame *frame)
{
    struct pending *pending = pending_take_spare(daemon);
    uint64_t now = daemon_now();

    if (pending == NULL) {
        return NULL;
    }
    pending->frame = *frame;
    memcpy(pending->frame.context, context->id, FRAME_CONTEXT_LEN);
    if (!index_put(&daemon->pendings, &pending->by_number, number_hash(&pending->frame))) {
        pending_release(daemon, pending);
        return NULL;
    }
    pending->context = context;
    pending->peer = peer;
    pending->row = row;
    pending->began = daemon->meter == NULL ? 0 : meter_now();
    pending->deadline = now + (row->work == OPERATION_WORK_slow    ? REQUEST_SLOW_MS
                               : row->work == OPERATION_WORK_store ? REQUEST_STORE_MS
                                                                   : REQUEST_MS);
    pending->previous = daemon->pending_last;
    if (daemon->pending_last != NULL) {
        daemon->pending_last->next = pending;
    } else {
        daemon->pending_first = pending;
    }
    daemon->pending_last = pending;
    daemon->pending_count++;
    if (peer != NULL) {
        peer->requests++;
    }
    context->requests++;
    context->bytes += pending_size(pending);
    context->owner->bytes += pending_size(pending);
    return pending;
}

/* Who asks again on a new connection has the same number twice for a while, so operation and
 * link count as well. */
struct pending *
pending_find(struct daemon *daemon, const struct node_link *link, const struct frame *frame)
{
    for (struct index_item *item = index_find(&daemon->pendings, number_hash(frame));
         item != NULL; item = index_next(item)) {
        struct pending *pending =
            (struct pending *)(void *)((char *)item - offsetof(struct pending, by_number));

        if (pending->sent_on == link && pending->frame.request == frame->request &&
            pending->frame.operation == frame->operation &&
            memcmp(pending->frame.context, frame->context, FRAME_CONTEXT_LEN) == 0) {
            return pending;
        }
    }
    return NULL;
}

void
pendings_clear(struct daemon *daemon)
{
    while (daemon->pending_first != NULL) {
        pending_fail(daemon, daemon->pending_first, (uint32_t)CKR_DEVICE_ERROR);
    }
    while (daemon->spares != NULL) {
        struct pending *spare = daemon->spares;

        daemon->spares = spare->next;
        free(spare);
    }
    daemon->spare_count = 0;
    index_clear(&daemon->pendings);
}

/* ---- their way ---- */

enum tie
pending_tie(const struct pending *pending)
{
    const bool local = (pending->frame.flags & FRAME_LOCAL) != 0;

    return pending->row->tie == TIE_none && local ? TIE_home : pending->row->tie;
}

void
pending_unsent(struct daemon *daemon, struct pending *pending)
{
    turn_over(daemon, pending);
    pending->sent_on->load--;
    pending->sent_on = NULL;
}

/* Steps of an operation that are under way together keep their order: on one link. */
static struct node_link *
pending_way(struct daemon *daemon, const struct pending *pending)
{
    struct node_link *link =
        node_choose(daemon, pending->context, pending_tie(pending), pending->avoid);
    const struct peer *peer = pending->peer;

    if (link != NULL && pending->row->repeat == REPEAT_bound && peer != NULL &&
        peer->requests > 1 && peer->way != NULL && peer->way->up &&
        peer->way->node == link->node) {
        return peer->way;
    }
    return link;
}

/* So many nodes are to have what it makes. One of the release before ends the connection for a flag
 * that it does not know, so a node is told when its answer to ATTACH has said what it is of. False:
 * that is awaited. */
static bool
pending_tell_nodes(struct daemon *daemon, struct pending *pending, struct node_link *link,
                   struct frame *frame)
{
    unsigned nodes = 1;

    if (pending->row->repeat == REPEAT_once) {
        nodes = (unsigned)size_max(frame_nodes(frame), daemon->settings.minimum_nodes);
    }
    frame->flags = (uint16_t)(frame->flags & ~(unsigned)FRAME_NODES);
    if (nodes > 1 && link->node->release == 0) {
        if (pending->context->attachments[link->node->index].state != ATTACHMENT_ASKED) {
            pending->attaches++;
            node_attach(link, pending->context);
            link_flush(link->link);
        }
        return false;
    }
    if (link->node->release >= FRAME_NODES_SINCE) {
        frame_nodes_raise(frame, nodes);
    }
    return true;
}

/* Sends it, or leaves it waiting when no node is there: false. A step whose node is away while
 * others are there is over, and the pending with it. */
static bool
pending_go(struct daemon *daemon, struct pending *pending, view body)
{
    struct context *context = pending->context;
    struct frame frame = pending->frame;
    struct node_link *link;
    struct writer *out;
    uint8_t header[FRAME_HEADER_LEN];

    context->local = context->local || (frame.flags & FRAME_LOCAL) != 0;
    link = pending_way(daemon, pending);
    if (link == NULL && pending_tie(pending) == TIE_step && context->home != 0 &&
        nodes_are_there(daemon)) {
        pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
        return true;
    }
    if (link == NULL) {
        if (pending->waiting_since == 0) {
            pending->waiting_since = daemon_now();
        }
        return false;
    }
    if (link_backlog(link->link) >= NODE_OUTPUT_HIGH) {
        pending_block(pending);
        return false;
    }
    if (pending_tie(pending) == TIE_home &&
        !copies_ready(daemon, context, link,
                      (frame.flags & FRAME_LOCAL) != 0 ||
                          pending->row->operation == OPERATION_SESSION_CLOSE,
                      pending->reviving_since)) {
        pending->deadline += pending->patient ? 0 : COPIES_MS;
        pending->patient = true;
        pending->reviving_since =
            pending->reviving_since == 0 ? daemon_now() : pending->reviving_since;
        pending->waiting_since = 0;
        return false;
    }
    if (!pending_tell_nodes(daemon, pending, link, &frame)) {
        pending->waiting_since = 0;
        if (pending->attaches > ATTACHES_MAX) {
            pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
            return true;
        }
        return false;
    }
    if (attachment_is_wanted(link, context)) {
        node_attach(link, context);
    }
    frame.revision = feed_revision(daemon, &frame);
    out = link_output(link->link);
    frame_encode(&frame, header);
    write_raw(out, view_of(header, sizeof header));
    write_raw(out, body);
    pending->sent_on = link;
    if (pending->peer != NULL) {
        pending->peer->way = link;
    }
    pending->sent_at = daemon_now();
    pending->waiting_since = 0;
    pending->reviving_since = 0;
    turn_sent(daemon, pending);
    link->load++;
    link_flush(link->link);
    if (pending->blocked) {
        pending_unblock(pending);
        context_resume(context);
    }
    return true;
}

void
pending_send(struct daemon *daemon, struct pending *pending)
{
    if (!turn_hold(daemon, pending)) {
        (void)pending_go(daemon, pending, pending_body(pending));
    }
}

void
pendings_release(struct daemon *daemon)
{
    struct pending *pending;

    while ((pending = turn_next(daemon)) != NULL) {
        (void)pending_go(daemon, pending, pending_body(pending));
    }
}

bool
pending_take(struct daemon *daemon, struct pending *pending, view body)
{
    /* What cannot be sent again leaves from where it came to. */
    if (pending_tie(pending) == TIE_step && !turn_waits(daemon, pending) &&
        pending_go(daemon, pending, body)) {
        return true;
    }
    pending->body = body.len <= sizeof pending->room ? pending->room : malloc(body.len);
    if (pending->body == NULL) {
        pending_free(daemon, pending);
        return false;
    }
    if (body.len > 0) {
        memcpy(pending->body, body.data, body.len);
    }
    pending_send(daemon, pending);
    return true;
}
