/* SPDX-License-Identifier: Apache-2.0
 *
 * The application's side: connections, and the contexts that they name with HELLO. A context
 * belongs to the uid that began it; nobody else gets in, not even with its key.
 */
#include "daemon/daemon.h"

#include "base/log.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static size_t
uid_contexts(const struct daemon *daemon, uint32_t uid)
{
    size_t count = 0;

    for (const struct context *context = daemon->contexts; context != NULL;
         context = context->next) {
        count += context->uid == uid;
    }
    return count;
}

static size_t
uid_peers(const struct daemon *daemon, uint32_t uid)
{
    size_t count = 0;

    for (const struct peer *peer = daemon->peers; peer != NULL; peer = peer->next) {
        count += peer->uid == uid;
    }
    return count;
}

struct context *
context_by_id(struct daemon *daemon, const uint8_t id[FRAME_CONTEXT_LEN])
{
    struct context *context = daemon->contexts;

    while (context != NULL && memcmp(context->id, id, FRAME_CONTEXT_LEN) != 0) {
        context = context->next;
    }
    return context;
}

static struct context *
context_by_key(struct daemon *daemon, view key)
{
    for (struct context *context = daemon->contexts; context != NULL; context = context->next) {
        if (!context->ended &&
            view_equal_secret(view_of(context->key, sizeof context->key), key)) {
            return context;
        }
    }
    return NULL;
}

/* Towards the nodes a context is called by a digest of its key: a restarted daemon finds the
 * same name again, and no node learns the key. */
static bool
context_name(view key, uint8_t id[FRAME_CONTEXT_LEN])
{
    static const char use[] = "opencloudhsm context";
    uint8_t bytes[sizeof use + FRAME_CONTEXT_LEN];
    uint8_t digest[32];
    bool done;

    memcpy(bytes, use, sizeof use);
    memcpy(bytes + sizeof use, key.data, FRAME_CONTEXT_LEN);
    done = algo_sha256(view_of(bytes, sizeof bytes), digest);
    memcpy(id, digest, FRAME_CONTEXT_LEN);
    wipe(bytes, sizeof bytes);
    return done;
}

static struct context *
context_new(struct peer *peer, const struct hello_request *hello)
{
    struct daemon *daemon = peer->daemon;
    struct context *context;

    if (uid_contexts(daemon, peer->uid) >= UID_CONTEXTS_MAX) {
        contexts_check(daemon); /* those that have ended meanwhile do not count */
    }
    if (uid_contexts(daemon, peer->uid) >= UID_CONTEXTS_MAX) {
        log_wrn("uid %u has %u contexts; no more are given", peer->uid, UID_CONTEXTS_MAX);
        return NULL;
    }
    context = calloc(1, sizeof *context);
    if (context == NULL || !context_name(hello->key, context->id)) {
        free(context);
        return NULL;
    }
    memcpy(context->key, hello->key.data, sizeof context->key);
    context->interface = (enum interface)hello->interface;
    context->uid = peer->uid;
    context->pid = peer->pid;
    context->ticket = hello->ticket.len > 0 ? secret_dup(hello->ticket) : NULL;
    context->next = daemon->contexts;
    daemon->contexts = context;
    return context;
}

static void
context_free(struct context *context)
{
    secret_free(context->ticket);
    wipe(context, sizeof *context);
    free(context);
}

/* Contexts whose last connection has been gone for a while, or that said they end. */
void
contexts_check(struct daemon *daemon)
{
    struct context **at = &daemon->contexts;
    uint64_t now = daemon_now();

    while (*at != NULL) {
        struct context *context = *at;
        bool over = context->ended ||
                    (context->peers == 0 && now - context->idle_since > GRACE_MS);

        if (over && context->requests == 0 && context->peers == 0) {
            *at = context->next;
            node_detach(daemon, context);
            context_free(context);
        } else {
            at = &context->next;
        }
    }
}

void
contexts_clear(struct daemon *daemon)
{
    while (daemon->contexts != NULL) {
        struct context *context = daemon->contexts;

        daemon->contexts = context->next;
        context_free(context);
    }
}

/* ---- connections ---- */

static void
peer_free(struct peer *peer)
{
    struct daemon *daemon = peer->daemon;
    struct context *context = peer->context;

    route_peer_gone(daemon, peer);
    if (context != NULL && --context->peers == 0) {
        context->idle_since = daemon_now();
    }
    if (peer->previous != NULL) {
        peer->previous->next = peer->next;
    } else {
        daemon->peers = peer->next;
    }
    if (peer->next != NULL) {
        peer->next->previous = peer->previous;
    }
    link_free(peer->link);
    free(peer);
}

void
peers_clear(struct daemon *daemon)
{
    while (daemon->peers != NULL) {
        peer_free(daemon->peers);
    }
}

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
peers_resume(struct daemon *daemon, const struct context *context)
{
    for (struct peer *peer = daemon->peers; peer != NULL; peer = peer->next) {
        if (peer->paused && peer->context == context) {
            peer->paused = false;
            link_resume(peer->link);
        }
    }
}

/* Whose connection is it? False: it has to go. */
static bool
peer_hello(struct peer *peer, const struct frame *frame, view body)
{
    const struct hello_reply answer = { .version = FRAME_VERSION };
    struct hello_request hello;
    struct context *context;
    struct writer reply;
    uint8_t buffer[16];

    if (frame->operation != OPERATION_HELLO || !hello_request_read(body, &hello) ||
        hello.version != FRAME_VERSION || hello.key.len != FRAME_CONTEXT_LEN ||
        hello.interface >= INTERFACE_COUNT) {
        log_wrn("pid %u: a connection that does not begin as it should", peer->pid);
        return false;
    }
    context = context_by_key(peer->daemon, hello.key);
    if (context != NULL && context->uid != peer->uid) {
        log_wrn("uid %u showed the key of a context of uid %u: refused", peer->uid,
                context->uid);
        return false;
    }
    if (context == NULL) {
        context = context_new(peer, &hello);
    }
    if (context == NULL) {
        return false;
    }
    context->peers++;
    context->idle_since = 0;
    peer->context = context;
    writer_init_fixed(&reply, buffer, sizeof buffer);
    hello_reply_write(&reply, &answer);
    peer_answer(peer, frame, CKR_OK, 0, writer_view(&reply));
    return true;
}

static void
on_peer_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct peer *peer = arg;

    UNUSED(link);
    if (peer->context == NULL) {
        if (!peer_hello(peer, frame, body)) {
            peer_free(peer);
        }
        return;
    }
    if (frame->operation == OPERATION_DETACH) {
        /* The process is done with its context. The nodes hear of it when the last of its
         * connections has gone, or at the next check. */
        peer->context->ended = true;
        node_detach(peer->daemon, peer->context);
        peer_answer(peer, frame, CKR_OK, 0, VIEW_EMPTY);
        return;
    }
    route_request(peer->daemon, peer, frame, body);
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

void
peer_accepted(void *arg, int fd)
{
    struct daemon *daemon = arg;
    struct peer *peer = calloc(1, sizeof *peer);

    if (peer == NULL) {
        close(fd);
        return;
    }
    peer->daemon = daemon;
    peer->link = link_new(daemon->loop, fd, NULL, true, &peer_events, peer);
    if (peer->link == NULL) {
        free(peer);
        return;
    }
    if (!link_peer(peer->link, &peer->uid, &peer->pid) ||
        uid_peers(daemon, peer->uid) >= UID_PEERS_MAX) {
        log_wrn("a connection of uid %u is refused: it has too many", peer->uid);
        link_free(peer->link);
        free(peer);
        return;
    }
    peer->next = daemon->peers;
    if (peer->next != NULL) {
        peer->next->previous = peer;
    }
    daemon->peers = peer;
}
