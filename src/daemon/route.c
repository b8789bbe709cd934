/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests on their way to a node, replies on their way back. When a node dies, or cannot do what
 * it was asked, another one is sent what is harmless twice, and what the nodes know by its number;
 * a step of a bound operation is lost with the node's memory and fails.
 */
#include "daemon/storage.h"

#include "base/log.h"

#include <string.h>

/* ---- from applications ---- */

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
          uint64_t until, own_done *done, void *arg)
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
    if (until < pending->deadline + COPIES_MS) {
        pending->deadline = until < pending->deadline ? until : pending->deadline;
        pending->patient = true; /* it gets no more */
    }
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

/* Is the login over by this reply? Also where the node no longer knew of it. */
static bool
is_logout(const struct pending *pending, const struct frame *frame)
{
    return pending->row->operation == OPERATION_LOGOUT &&
           (frame->code == CKR_OK || frame->code == CKR_USER_NOT_LOGGED_IN);
}

/* A login's ticket is kept, so that the login outlives the node and is known to the others. */
static void
ticket_watch(struct daemon *daemon, struct context *context, const struct node *node,
             const struct pending *pending, const struct frame *frame, view body)
{
    struct login_reply login;
    struct renew_reply renewed;

    if (is_logout(pending, frame)) {
        secret_free(context->ticket);
        context->ticket = NULL;
        copies_end(daemon, context);
        attachments_login(context, node, false);
    }
    if (pending->row->operation == OPERATION_SESSION_CLOSE) {
        copies_close_session(daemon, context, pending->frame.session); /* stored or not */
    }
    if (frame->code != CKR_OK) {
        return;
    }
    if (pending->row->operation == OPERATION_LOGIN && login_reply_read(body, &login)) {
        secret_free(context->ticket);
        context->ticket = secret_dup(login.ticket);
        context->role = (uint8_t)login.role;
        attachments_login(context, node, true);
    } else if (pending->row->operation == OPERATION_RENEW && context->ticket != NULL &&
               renew_reply_read(body, &renewed)) {
        secret_free(context->ticket);
        context->ticket = secret_dup(renewed.ticket);
        copies_renew(daemon, context);
    }
}

/* Answers to the daemon's own words (PING needs no look). */
static void
own_reply(struct daemon *daemon, struct node_link *link, const struct frame *frame, view body)
{
    if (frame->operation == OPERATION_CHANGES) {
        feed_answer(daemon, link, frame, body);
    } else if (frame->operation == OPERATION_NODES) {
        roster_answer(daemon, link, frame, body);
    } else if (frame->operation == OPERATION_CLUSTER) {
        roster_greeted(link, frame, body);
    } else if (frame->operation == OPERATION_COPIES) {
        copies_answer(daemon, link, frame, body);
    } else if (frame->operation == OPERATION_ATTACH || frame->operation == OPERATION_DETACH) {
        if (frame->operation == OPERATION_ATTACH && frame->code != CKR_OK) {
            log_wrn("%s does not take a context in: %s", link->node->settings.name,
                    code_name(frame->code));
        }
        attachment_answer(daemon, link, frame, body);
    }
}

/* The node has forgotten the context, by a restart or with time; it did nothing. What began
 * there is gone with it, so a later step of it fails; anything else is asked again. */
static void
context_unknown(struct daemon *daemon, struct node_link *link, struct pending *pending)
{
    struct attachment *at = &pending->context->attachments[link->node->index];

    pending_unsent(daemon, pending);
    if (at->state == ATTACHMENT_DONE) {
        at->state = ATTACHMENT_NONE;
    }
    if (pending->context->home == link->node->index + 1) {
        copies_doubt(pending->context, 0);
    }
    if (pending_tie(pending) == TIE_step || !is_awaited(pending) ||
        ++pending->attaches > ATTACHES_MAX) {
        pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
    } else {
        pending_send(daemon, pending);
    }
}

/* The node did nothing; another one may. When none is left, they are asked again after a while. */
static void
pending_elsewhere(struct daemon *daemon, struct pending *pending)
{
    pending->avoid |= UINT32_C(1) << pending->sent_on->node->index;
    pending_unsent(daemon, pending);
    if (pending_tie(pending) == TIE_step || !is_awaited(pending)) {
        pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
    } else {
        pending_send(daemon, pending);
    }
}

/* A node that gave up on the store may be the only one that is cut off from it; the number keeps
 * what it may have done from being done twice. Where there is no other, it is asked again while
 * there is time: the store may be back. */
static bool
is_given_up(const struct daemon *daemon, const struct pending *pending, uint32_t code)
{
    return code == CKR_DEVICE_ERROR && pending->row->repeat == REPEAT_once &&
           pending_tie(pending) == TIE_none && pending->given_up < GIVEN_UP_MAX &&
           (node_has_other(daemon, pending->sent_on->node) ||
            daemon_now() - pending->sent_at > GAVE_UP_MS);
}

/* A node of an earlier release did nothing with what it does not know. */
static bool
is_too_late(const struct daemon *daemon, const struct pending *pending, const struct node *node,
            uint32_t code)
{
    return (code == CKR_FUNCTION_NOT_SUPPORTED || code == CODE_BAD_FRAME) && node->release != 0 &&
           node->release < frame_version && pending_tie(pending) == TIE_none &&
           node_has_later(daemon, node, pending->avoid);
}

/* Is this no answer, but the node's own trouble? */
static bool
is_for_another(const struct daemon *daemon, struct pending *pending,
               const struct node_link *link, uint32_t code)
{
    if (is_given_up(daemon, pending, code)) {
        pending->given_up++;
        return true;
    }
    return code == CODE_LAGGING || is_too_late(daemon, pending, link->node, code) ||
           (code == CKR_USER_NOT_LOGGED_IN && pending_tie(pending) == TIE_none &&
            attachment_is_worse(daemon, pending->context, link->node));
}

/* ---- logouts ---- */

/* Answered by the node, to be passed on when the other nodes have forgotten the context. True: they
 * are asked now. */
static bool
pending_leaves(struct daemon *daemon, struct pending *pending, const struct frame *frame)
{
    uint32_t leaving;

    if (!is_logout(pending, frame)) {
        return false;
    }
    leaving = attachments_leave(daemon, pending->context, pending->sent_on->node);
    if (leaving == 0) {
        return false;
    }
    pending_unsent(daemon, pending);
    pending->leaving = leaving;
    pending->answer = *frame;
    pending->deadline = daemon_now() + LEAVE_MS;
    return true;
}

/* The answer that was held back. */
static void
pending_left(struct daemon *daemon, struct pending *pending)
{
    const struct frame answer = pending->answer;
    struct peer *peer = pending->peer;

    pending_free(daemon, pending);
    if (peer != NULL) {
        peer_answer(peer, &answer, answer.code, answer.revision, VIEW_EMPTY);
    }
}

void
route_left(struct daemon *daemon, const struct context *context, const struct node *node)
{
    struct pending *pending = daemon->pending_first;

    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->leaving != 0 && (context == NULL || pending->context == context)) {
            pending->leaving &= ~(UINT32_C(1) << node->index);
            if (pending->leaving == 0) {
                pending_left(daemon, pending);
            }
        }
        pending = next;
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
    if (is_for_another(daemon, pending, link, code)) {
        pending_elsewhere(daemon, pending);
        pendings_release(daemon);
        return;
    }
    pending->revision = frame->revision;
    if (frame->revision > pending->context->revision) {
        pending->context->revision = frame->revision;
    }
    ticket_watch(daemon, pending->context, link->node, pending, frame, body);
    if (pending_leaves(daemon, pending, frame)) {
        pendings_release(daemon);
        return;
    }
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
    /* Nothing more is under way, and who was answered may ask the next at once. */
    if (daemon->pending_count == 0 && daemon_now() < daemon->calm_until) {
        loop_linger(daemon->loop);
    }
}

void
route_node_up(struct daemon *daemon)
{
    struct pending *pending = daemon->pending_first;

    daemon->unreachable_since = 0;
    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->sent_on == NULL && !pending->held && pending->leaving == 0) {
            pending_send(daemon, pending);
        }
        pending = next;
    }
    pendings_release(daemon);
}

void
route_context(struct daemon *daemon, const struct context *context)
{
    struct pending *pending = daemon->pending_first;

    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->context == context && pending->sent_on == NULL && !pending->held &&
            pending->leaving == 0) {
            pending_send(daemon, pending);
        }
        pending = next;
    }
    pendings_release(daemon);
}

/* Requests of a link that has gone: again elsewhere, or failed. The node may live on, and
 * then it still knows the contexts; where it does not, it says so. */
void
route_node_down(struct daemon *daemon, struct node_link *link)
{
    struct pending *pending;

    attachments_link_down(daemon, link);
    copies_link_down(daemon, link);
    route_left(daemon, NULL, link->node);
    pending = daemon->pending_first;
    if (!nodes_are_there(daemon) && daemon->unreachable_since == 0) {
        daemon->unreachable_since = daemon_now();
    }
    while (pending != NULL) {
        struct pending *next = pending->next;

        if (pending->sent_on == link) {
            pending_unsent(daemon, pending);
            if (pending->row->repeat == REPEAT_bound || !is_awaited(pending) ||
                daemon->stopping) {
                pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
            } else {
                pending_send(daemon, pending);
            }
        }
        pending = next;
    }
    pendings_release(daemon);
}

/* A node that takes long over what is quickly done may be cut off from the store, or worse. Another
 * one is asked then, once; the first answer counts no more. What changes an object may wait for all
 * nodes to know of it, and is left to. */
static bool
is_overdue(const struct daemon *daemon, const struct pending *pending, uint64_t now)
{
    return pending->sent_on != NULL && !pending->hurried && is_awaited(pending) &&
           pending->row->work != OPERATION_WORK_slow &&
           pending->row->changes == CHANGES_none && pending_tie(pending) == TIE_none &&
           now - pending->sent_at > HURRY_MS && node_has_other(daemon, pending->sent_on->node);
}

/* Deadlines, and what waits for nodes that could not. */
void
route_check(struct daemon *daemon)
{
    struct pending *pending = daemon->pending_first;
    const bool there = nodes_are_there(daemon);
    uint64_t now = daemon_now();

    while (pending != NULL) {
        struct pending *next = pending->next;
        bool waited = pending->sent_on == NULL && pending->waiting_since != 0 &&
                      now - pending->waiting_since > UNREACHABLE_MS;

        if (pending->leaving != 0) {
            if (now > pending->deadline) {
                pending_left(daemon, pending);
            }
        } else if (now > pending->deadline || waited) {
            pending_fail(daemon, pending, (uint32_t)CKR_DEVICE_ERROR);
        } else if (is_overdue(daemon, pending, now)) {
            pending->hurried = true;
            pending_elsewhere(daemon, pending);
        } else if (pending->sent_on == NULL && !pending->held && there) {
            pending->avoid = 0;
            pending_send(daemon, pending);
        }
        pending = next;
    }
    pendings_release(daemon);
}
