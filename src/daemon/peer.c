/* SPDX-License-Identifier: Apache-2.0
 *
 * Connections of applications. The first frame is HELLO and says whose it is; until then a
 * connection is a stranger, who gets little room and little time. Limits count by uid.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "daemon/storage.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SAID_MAX 10u
#define STRANGERS_PER_CHECK 64u

bool
daemon_may_say(struct daemon *daemon)
{
    uint64_t second = daemon_now() / 1000u;

    if (daemon->said_in != second) {
        daemon->said_in = second;
        daemon->said = 0;
    }
    return daemon->said++ < SAID_MAX;
}

/* ---- uids ---- */

static struct owner *
owner_of(struct daemon *daemon, uint32_t uid)
{
    uint64_t hash = index_hash(uid, 0);
    struct owner *owner;

    for (struct index_item *item = index_find(&daemon->owners, hash); item != NULL;
         item = index_next(item)) {
        owner = (struct owner *)(void *)((char *)item - offsetof(struct owner, by_uid));
        if (owner->uid == uid) {
            return owner;
        }
    }
    owner = calloc(1, sizeof *owner);
    if (owner == NULL || !index_put(&daemon->owners, &owner->by_uid, hash)) {
        free(owner);
        return NULL;
    }
    owner->uid = uid;
    return owner;
}

void
owner_free_unused(struct daemon *daemon, struct owner *owner)
{
    if (owner->peers == 0 && owner->contexts == 0) {
        index_take(&daemon->owners, &owner->by_uid);
        free(owner);
    }
}

/* ---- lists ---- */

static void
list_append(struct peer_list *list, struct peer *peer)
{
    peer->next = NULL;
    peer->previous = list->last;
    if (list->last != NULL) {
        list->last->next = peer;
    } else {
        list->first = peer;
    }
    list->last = peer;
}

static void
list_remove(struct peer_list *list, struct peer *peer)
{
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        list->first = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    } else {
        list->last = peer->previous;
    }
}

/* ---- end ---- */

static void
peer_unpause(struct peer *peer)
{
    struct peer **at = &peer->context->paused;

    while (*at != peer) {
        at = &(*at)->paused_next;
    }
    *at = peer->paused_next;
    peer->paused = false;
}

static void
peer_free(struct peer *peer)
{
    struct daemon *daemon = peer->daemon;
    struct context *context = peer->context;
    struct owner *owner = peer->owner;

    if (peer->paused) {
        peer_unpause(peer);
    }
    if (peer->requests > 0) {
        route_peer_gone(daemon, peer);
    }
    if (context != NULL && --context->peers == 0) {
        context->idle_since = daemon_now();
    }
    list_remove(context == NULL ? &daemon->strangers : &daemon->peers, peer);
    link_free(peer->link);
    free(peer);
    owner->peers--;
    owner_free_unused(daemon, owner);
}

void
peers_stop(struct daemon *daemon)
{
    struct peer *next;

    while (daemon->strangers.first != NULL) {
        peer_free(daemon->strangers.first);
    }
    for (struct peer *peer = daemon->peers.first; peer != NULL; peer = next) {
        next = peer->next;
        if (peer->requests == 0 && link_backlog(peer->link) == 0) {
            peer_free(peer);
        }
    }
}

void
peers_clear(struct daemon *daemon)
{
    while (daemon->strangers.first != NULL) {
        peer_free(daemon->strangers.first);
    }
    while (daemon->peers.first != NULL) {
        peer_free(daemon->peers.first);
    }
}

/* Strangers stand in the order of their coming. Not all of thousands go at
 * once, for others wait. */
void
peers_check(struct daemon *daemon)
{
    uint64_t now = daemon_now();

    for (unsigned i = 0; i < STRANGERS_PER_CHECK && daemon->strangers.first != NULL &&
                         now - daemon->strangers.first->since > STRANGER_MS;
         i++) {
        if (daemon_may_say(daemon)) {
            log_wrn("pid %u: a connection that did not say who it is",
                    daemon->strangers.first->pid);
        }
        peer_free(daemon->strangers.first);
    }
}

/* ---- words ---- */

void
peer_answer(struct peer *peer, const struct frame *request, uint32_t code, uint64_t revision,
            view body)
{
    struct frame outside = *request;

    memset(outside.context, 0, sizeof outside.context);
    frame_reply(link_output(peer->link), &outside, code, revision, body);
    link_flush(peer->link);
}

void
peer_pause(struct peer *peer)
{
    if (!peer->paused) {
        peer->paused = true;
        peer->paused_next = peer->context->paused;
        peer->context->paused = peer;
        link_pause(peer->link);
    }
}

void
peers_resume(struct context *context)
{
    while (context->paused != NULL) {
        struct peer *peer = context->paused;

        peer_unpause(peer);
        link_resume(peer->link);
    }
}

static bool
hello_look(const struct peer *peer, const struct frame *frame, view body,
           struct hello_request *ret_hello)
{
    const bool reads =
        frame->operation == OPERATION_HELLO && hello_request_read(body, ret_hello);

    if (reads && frame_version_fits(ret_hello->version) &&
        ret_hello->key.len == FRAME_CONTEXT_LEN && ret_hello->interface < INTERFACE_COUNT) {
        return true;
    }
    if (reads && !frame_version_fits(ret_hello->version) && daemon_may_say(peer->daemon)) {
        log_wrn("pid %u: a library of release %u does not work with this one, %u", peer->pid,
                (unsigned)ret_hello->version, (unsigned)frame_version);
    } else if (daemon_may_say(peer->daemon)) {
        log_wrn("pid %u: a connection that does not begin as it should", peer->pid);
    }
    return false;
}

/* Whose connection is it? False: it has to go. */
static bool
peer_hello(struct peer *peer, const struct frame *frame, view body)
{
    struct hello_reply answer = { .version = frame_version };
    struct hello_request hello;
    struct context *context;
    struct writer reply;
    uint8_t buffer[16];

    if (!hello_look(peer, frame, body, &hello)) {
        return false;
    }
    context = context_enter(peer, &hello);
    if (context == NULL) {
        return false;
    }
    list_remove(&peer->daemon->strangers, peer);
    peer->context = context;
    list_append(&peer->daemon->peers, peer);
    context->peers++;
    context->idle_since = 0;
    link_body_max(peer->link, FRAME_BODY_MAX);
    answer.page = hello.page && peer->daemon->page != NULL;
    if (answer.page) {
        link_pass(peer->link, &peer->daemon->page_fd, 1);
    }
    writer_init_fixed(&reply, buffer, sizeof buffer);
    hello_reply_write(&reply, &answer);
    peer_answer(peer, frame, CKR_OK, 0, writer_view(&reply));
    return true;
}

/* A connection that is busy. Where the process can have no mailboxes, it goes on without. */
static void
peer_mailbox(struct peer *peer, const struct frame *frame)
{
    struct context *context = peer->context;
    struct mailbox_reply answer;
    int fds[MAILROOM_FDS];
    struct writer reply;
    uint8_t buffer[16];

    if (!context_mailroom(peer->daemon, context) ||
        !mailroom_give(context->mailroom, peer->link, &answer.number)) {
        peer_answer(peer, frame, (uint32_t)CKR_DEVICE_MEMORY, 0, VIEW_EMPTY);
        return;
    }
    mailroom_fds(context->mailroom, fds);
    link_pass(peer->link, fds, MAILROOM_FDS);
    writer_init_fixed(&reply, buffer, sizeof buffer);
    mailbox_reply_write(&reply, &answer);
    peer_answer(peer, frame, CKR_OK, 0, writer_view(&reply));
}

/* The process is done with its context. The nodes hear of it now, and once more when the last
 * of its connections has gone, if anything came in between. */
static void
peer_detach(struct peer *peer, const struct frame *frame)
{
    peer->context->ended = true;
    node_detach(peer->daemon, peer->context);
    peer_answer(peer, frame, CKR_OK, 0, VIEW_EMPTY);
}

static void
on_peer_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct peer *peer = arg;
    bool stays = true;

    UNUSED(link);
    if (peer->context == NULL) {
        stays = !peer->daemon->stopping && peer_hello(peer, frame, body);
    } else if (frame->operation == OPERATION_DETACH) {
        peer_detach(peer, frame);
    } else if (frame->operation == OPERATION_MAILBOX) {
        peer_mailbox(peer, frame);
    } else if (frame->operation == OPERATION_STORAGE_STATE && frame->request != 0) {
        const uint64_t began = peer->daemon->meter == NULL ? 0 : meter_now();

        storage_state(peer, frame);
        meter_request(peer->daemon->meter, frame->operation, METER_NO_MECHANISM, CKR_OK, began);
    } else {
        stays = route_request(peer->daemon, peer, frame, body);
    }
    if (!stays) {
        peer_free(peer);
    }
}

static void
on_peer_down(void *arg, struct link *link, const char *reason)
{
    UNUSED(link);
    UNUSED(reason);
    peer_free(arg);
}

static const struct link_events peer_events = {
    .frame = on_peer_frame,
    .down = on_peer_down,
};

/* ---- coming ---- */

/* A uid that has all it may have loses its oldest stranger first. */
static bool
owner_make_room(struct daemon *daemon, const struct owner *owner)
{
    if (owner->peers < daemon->uid_peers_max) {
        return true;
    }
    for (struct peer *peer = daemon->strangers.first; peer != NULL; peer = peer->next) {
        if (peer->owner == owner) {
            peer_free(peer); /* the owner has others */
            return true;
        }
    }
    if (daemon_may_say(daemon)) {
        log_wrn("uid %u has %zu connections; no more are taken", owner->uid, owner->peers);
    }
    return false;
}

/* Has it said already what is no HELLO? Then no more is done for it: who sends garbage without end
 * costs little of the others' time. */
static bool
is_no_peer(struct daemon *daemon, int fd)
{
    uint8_t head[FRAME_HEADER_LEN];
    struct frame frame;
    struct ucred who = { .pid = 0 };
    socklen_t len = sizeof who;

    if (recv(fd, head, sizeof head, MSG_PEEK | MSG_DONTWAIT) != (ssize_t)sizeof head ||
        (frame_decode(head, &frame) && frame.operation == OPERATION_HELLO &&
         frame.body_len <= HELLO_BODY_MAX)) {
        return false;
    }
    if (daemon_may_say(daemon)) {
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
        log_wrn("pid %u: a connection that does not begin as it should", (unsigned)who.pid);
    }
    return true;
}

void
peer_accepted(void *arg, int fd)
{
    struct daemon *daemon = arg;
    struct peer *peer = is_no_peer(daemon, fd) ? NULL : calloc(1, sizeof *peer);
    uint32_t uid;

    if (peer == NULL) {
        close(fd);
        return;
    }
    peer->daemon = daemon;
    peer->since = daemon_now();
    peer->link = link_new(daemon->loop, fd, NULL, true, &peer_events, peer);
    if (peer->link == NULL) {
        free(peer);
        return;
    }
    if (!link_peer(peer->link, &uid, &peer->pid) || (peer->owner = owner_of(daemon, uid)) == NULL) {
        link_free(peer->link);
        free(peer);
        return;
    }
    if (!owner_make_room(daemon, peer->owner)) {
        owner_free_unused(daemon, peer->owner);
        link_free(peer->link);
        free(peer);
        return;
    }
    link_body_max(peer->link, HELLO_BODY_MAX);
    link_output_high(peer->link, PEER_OUTPUT_HIGH);
    peer->owner->peers++;
    list_append(&daemon->strangers, peer);
}
