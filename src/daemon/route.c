/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests on their way to a node, replies on their way back. A request is routed on its
 * header alone and kept until its reply: when its node dies, what is harmless twice, and what
 * the node knows by its number, is sent again; a step of a bound operation is lost with the
 * node's memory and fails.
 */
#include "daemon/storage.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static size_t
pending_size(const struct pending *pending)
{
    return FRAME_HEADER_LEN + pending->frame.body_len;
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

/* It is unlinked and wiped; its context may be read from again. */
static void
pending_free(struct daemon *daemon, struct pending *pending)
{
    struct context *context = pending->context;

    feed_request_done(daemon, pending->row, pending_body(pending));
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
    if (pending->sent_on != NULL) {
        pending->sent_on->load--;
    }
    if (pending->peer != NULL) {
        pending->peer->requests--;
    }
    context->requests--;
    context->bytes -= pending_size(pending);
    context->owner->bytes -= pending_size(pending);
    if (pending->body != NULL) {
        wipe(pending->body, pending->frame.body_len);
        free(pending->body);
    }
    free(pending);
    if (context->paused != NULL && context->requests < CONTEXT_REQUESTS_MAX / 2 &&
        context->bytes < CONTEXT_BYTES_MAX / 2) {
        peers_resume(context);
    }
}

/* Ends a request with a code and no body. */
static void
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

static bool
is_bound(const struct pending *pending)
{
    return pending->row->repeat == REPEAT_bound;
}

/* It is on its way no more. */
static void
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
    struct node_link *link = node_choose(daemon, pending->context, is_bound(pending));
    const struct peer *peer = pending->peer;

    if (link != NULL && is_bound(pending) && peer != NULL && peer->requests > 1 &&
        peer->way != NULL && peer->way->up && peer->way->node == link->node) {
        return peer->way;
    }
    return link;
}

/* Sends it, or leaves it waiting when no node is there: false. */
static bool
pending_go(struct daemon *daemon, struct pending *pending, view body)
{
    struct node_link *link = pending_way(daemon, pending);
    struct writer *out;
    uint8_t header[FRAME_HEADER_LEN];

    if (link == NULL) {
        if (pending->waiting_since == 0) {
            pending->waiting_since = daemon_now();
        }
        return false;
    }
    if (pending->context->attachments[link->node->index] == ATTACHMENT_NONE) {
        node_attach(link, pending->context);
    }
    out = link_output(link->link);
    frame_encode(&pending->frame, header);
    write_raw(out, view_of(header, sizeof header));
    write_raw(out, body);
    pending->sent_on = link;
    if (pending->peer != NULL) {
        pending->peer->way = link;
    }
    pending->waiting_since = 0;
    turn_sent(daemon, pending);
    link->load++;
    link_flush(link->link);
    return true; /* the link may have gone down, and the request with it */
}

/* At once, or when it is its context's turn. */
static void
pending_send(struct daemon *daemon, struct pending *pending)
{
    if (!turn_hold(daemon, pending)) {
        (void)pending_go(daemon, pending, pending_body(pending));
    }
}

/* Some are on their way no more: it is others' turn. */
static void
pendings_release(struct daemon *daemon)
{
    struct pending *pending;

    while ((pending = turn_next(daemon)) != NULL &&
           pending_go(daemon, pending, pending_body(pending))) {
    }
}

/* ---- from applications ---- */

/* Its body is not kept yet. */
static struct pending *
pending_new(struct daemon *daemon, struct context *context, struct peer *peer,
            const struct operation_row *row, const struct frame *frame)
{
    struct pending *pending = calloc(1, sizeof *pending);
    uint64_t now = daemon_now();

    if (pending == NULL) {
        return NULL;
    }
    pending->frame = *frame;
    memcpy(pending->frame.context, context->id, FRAME_CONTEXT_LEN);
    if (!index_put(&daemon->pendings, &pending->by_number, number_hash(&pending->frame))) {
        free(pending);
        return NULL;
    }
    pending->context = context;
    pending->peer = peer;
    pending->row = row;
    pending->began = daemon->meter == NULL ? 0 : meter_now();
    pending->deadline =
        now + (row->work == OPERATION_WORK_slow ? REQUEST_SLOW_MS : REQUEST_MS);
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

/* It is sent once or not at all: what it belongs to is lost with the node. */
static bool
is_step(const struct pending *pending)
{
    return is_bound(pending) && pending->row->operation != OPERATION_START;
}

/* Sends it, now or later. False: memory is short, and it is no more. */
static bool
pending_take(struct daemon *daemon, struct pending *pending, view body)
{
    /* What cannot be sent again leaves from where it came to. */
    if (is_step(pending) && !turn_waits(daemon, pending) && pending_go(daemon, pending, body)) {
        return true;
    }
    pending->body = malloc(size_max(body.len, 1));
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

/* Each connection of a context may bring one more before it is paused; all together have an
 * end here. */
static bool
has_room(const struct context *context)
{
    return context->requests < UID_PEERS_MAX && context->bytes < 2 * CONTEXT_BYTES_MAX &&
           context->owner->bytes < UID_BYTES_MAX;
}

bool
route_request(struct daemon *daemon, struct peer *peer, const struct frame *frame, view body)
{
    const struct operation_row *row = operation_row(frame->operation);
    struct context *context = peer->context;
    struct pending *pending;
    bool unreachable = daemon->unreachable_since != 0 &&
                       daemon_now() - daemon->unreachable_since > UNREACHABLE_MS;

    /* HELLO and ATTACH are the daemon's own words; 0 is the number of its own requests. */
    if (row == NULL || (row->ports & PORTS_client) == 0 || row->operation == OPERATION_ATTACH ||
        frame->request == 0 || (frame->flags & FRAME_REPLY) != 0) {
        peer_answer(peer, frame, (uint32_t)CKR_FUNCTION_NOT_SUPPORTED, 0, VIEW_EMPTY);
        return true;
    }
    if (daemon->stopping) {
        return false; /* the library waits for our successor and asks it */
    }
    if (unreachable) {
        peer_answer(peer, frame, (uint32_t)CKR_DEVICE_ERROR, frame->revision, VIEW_EMPTY);
        return true;
    }
    if (storage_request(daemon, peer, row, frame, body)) {
        return true;
    }
    pending = has_room(context) ? pending_new(daemon, context, peer, row, frame) : NULL;
    if (pending != NULL &&
        (context->requests >= CONTEXT_REQUESTS_MAX || context->bytes >= CONTEXT_BYTES_MAX)) {
        peer_pause(peer);
    }
    if (pending == NULL || !pending_take(daemon, pending, body)) {
        peer_answer(peer, frame, (uint32_t)CKR_DEVICE_MEMORY, frame->revision, VIEW_EMPTY);
    }
    return true;
}

bool
route_own(struct daemon *daemon, struct context *context, const struct frame *frame, view body,
          own_done *done, void *arg)
{
    const struct operation_row *row = operation_row(frame->operation);
    struct pending *pending;

    if (daemon->stopping) {
        return false;
    }
    pending = pending_new(daemon, context, NULL, row, frame);
    if (pending == NULL) {
        return false;
    }
    pending->done = done;
    pending->done_arg = arg;
    return pending_take(daemon, pending, body);
}

/* Does anyone wait for it? */
static bool
is_awaited(const struct pending *pending)
{
    return pending->peer != NULL || pending->done != NULL;
}

void
route_peer_gone(struct daemon *daemon, struct peer *peer)
{
    struct pending *pending = daemon->pending_first;

    storage_peer_gone(daemon, peer);
    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->peer == peer) {
            pending->peer = NULL;
            peer->requests--;
            if (pending->sent_on == NULL) {
                pending_free(daemon, pending);
            }
        }
        pending = next;
    }
}

/* ---- from nodes ---- */

/* Who asks again on a new connection has the same number twice for a while, so operation and
 * link count as well. */
static struct pending *
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

/* A login's ticket is kept, so that the login outlives the node. */
static void
ticket_watch(struct context *context, const struct pending *pending, const struct frame *frame,
             view body)
{
    struct login_reply login;
    struct renew_reply renewed;

    if (frame->code != CKR_OK) {
        return;
    }
    if (pending->row->operation == OPERATION_LOGIN && login_reply_read(body, &login)) {
        secret_free(context->ticket);
        context->ticket = secret_dup(login.ticket);
        context->role = (uint8_t)login.role;
    } else if (pending->row->operation == OPERATION_RENEW && context->ticket != NULL &&
               renew_reply_read(body, &renewed)) {
        secret_free(context->ticket);
        context->ticket = secret_dup(renewed.ticket);
    } else if (pending->row->operation == OPERATION_LOGOUT) {
        secret_free(context->ticket);
        context->ticket = NULL;
    }
}

/* Answers to the daemon's own ATTACH and CHANGES (DETACH and PING need no look). */
static void
own_reply(struct daemon *daemon, struct node_link *link, const struct frame *frame, view body)
{
    struct attach_reply attached;
    struct context *context;

    if (frame->operation == OPERATION_CHANGES) {
        feed_answer(daemon, link, frame, body);
        return;
    }
    if (frame->operation != OPERATION_ATTACH) {
        return;
    }
    context = context_by_id(daemon, frame->context);
    if (context == NULL || context->attach_link[link->node->index] != link) {
        return;
    }
    context->attachments[link->node->index] =
        frame->code == CKR_OK ? ATTACHMENT_DONE : ATTACHMENT_NONE;
    if (frame->code == CKR_OK && attach_reply_read(body, &attached) && attached.role != 0) {
        context->role = (uint8_t)attached.role;
    }
    if (frame->code != CKR_OK) {
        log_wrn("%s does not take a context in: %s", link->node->settings.name,
                return_name(frame->code));
    }
}

/* The node has forgotten the context, by a restart or with time; it did nothing. What began
 * there is gone with it, so a later step of it fails; anything else is asked again. */
static void
context_unknown(struct daemon *daemon, struct node_link *link, struct pending *pending)
{
    struct context *context = pending->context;
    const bool step = is_bound(pending) && pending->row->operation != OPERATION_START;

    pending_unsent(daemon, pending);
    if (context->attachments[link->node->index] == ATTACHMENT_DONE) {
        context->attachments[link->node->index] = ATTACHMENT_NONE;
    }
    if (step || !is_awaited(pending) || ++pending->attaches > ATTACHES_MAX) {
        pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
    } else {
        pending_send(daemon, pending);
    }
}

void
route_reply(struct daemon *daemon, struct node_link *link, const struct frame *frame, view body)
{
    uint32_t code = frame->code;
    struct pending *pending;
    struct peer *peer;
    own_done *done;
    void *arg;

    if ((frame->flags & FRAME_REPLY) == 0) {
        return;
    }
    if (frame->request == 0) {
        own_reply(daemon, link, frame, body);
        return;
    }
    pending = pending_find(daemon, link, frame);
    if (pending == NULL) {
        return; /* late: it has failed or was sent another way */
    }
    if (frame->code == CODE_UNKNOWN_CONTEXT) {
        context_unknown(daemon, link, pending);
        pendings_release(daemon);
        return;
    }
    ticket_watch(pending->context, pending, frame, body);
    if (pending->row->operation == OPERATION_LOGIN && code == CODE_USER_UNKNOWN) {
        critical_user_missing(daemon, link->node);
        code = (uint32_t)CKR_PIN_INCORRECT; /* who asks hears what a wrong password gives */
    }
    peer = pending->peer;
    done = pending->done;
    arg = pending->done_arg;
    meter_request(daemon->meter, frame->operation, METER_NO_MECHANISM, code, pending->began);
    pending_free(daemon, pending);
    if (done != NULL) {
        done(arg, frame->code, frame->code == CKR_OK ? body : VIEW_EMPTY);
    }
    if (peer != NULL) {
        peer_answer(peer, frame, code, frame->revision, body);
    }
    pendings_release(daemon);
}

void
route_node_up(struct daemon *daemon)
{
    struct pending *pending = daemon->pending_first;

    daemon->unreachable_since = 0;
    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->sent_on == NULL && !pending->held) {
            pending_send(daemon, pending);
        }
        pending = next;
    }
    pendings_release(daemon);
}

static bool
node_is_there(const struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        for (size_t k = 0; k < NODE_LINKS; k++) {
            if (daemon->nodes[i].links[k].up) {
                return true;
            }
        }
    }
    return false;
}

/* Requests of a link that has gone: again elsewhere, or failed. The node may live on, and
 * then it still knows the contexts; where it does not, it says so. */
void
route_node_down(struct daemon *daemon, struct node_link *link)
{
    struct pending *pending = daemon->pending_first;

    for (struct context *context = daemon->contexts; context != NULL; context = context->next) {
        if (context->attach_link[link->node->index] == link &&
            context->attachments[link->node->index] == ATTACHMENT_ASKED) {
            context->attachments[link->node->index] = ATTACHMENT_NONE;
        }
    }
    if (!node_is_there(daemon) && daemon->unreachable_since == 0) {
        daemon->unreachable_since = daemon_now();
    }
    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->sent_on == link) {
            pending_unsent(daemon, pending);
            if (is_bound(pending) || !is_awaited(pending) || daemon->stopping) {
                pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
            } else {
                pending_send(daemon, pending);
            }
        }
        pending = next;
    }
    pendings_release(daemon);
}

/* Deadlines. */
void
route_check(struct daemon *daemon)
{
    struct pending *pending = daemon->pending_first;
    uint64_t now = daemon_now();

    while (pending != NULL) {
        struct pending *next = pending->next;
        bool waited = pending->sent_on == NULL && pending->waiting_since != 0 &&
                      now - pending->waiting_since > UNREACHABLE_MS;

        if (now > pending->deadline || waited) {
            pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
        }
        pending = next;
    }
    pendings_release(daemon);
}

void
route_clear(struct daemon *daemon)
{
    while (daemon->pending_first != NULL) {
        pending_fail(daemon, daemon->pending_first, (uint32_t)CKR_DEVICE_ERROR);
    }
    index_clear(&daemon->pendings);
}
