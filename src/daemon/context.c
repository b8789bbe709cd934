/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: the application processes. One belongs to the uid that began it; nobody else gets
 * in, not even with its key.
 */
#include "daemon/copies_file.h"
#include "daemon/storage.h"

#include "base/log.h"
#include "crypto/algo.h"

#include <stdlib.h>
#include <string.h>

static uint64_t
id_hash(const uint8_t id[FRAME_CONTEXT_LEN])
{
    return index_hash(load_u64(id), load_u64(id + 8));
}

static struct context *
context_of(struct index_item *item)
{
    return (struct context *)(void *)((char *)item - offsetof(struct context, by_id));
}

struct context *
context_by_id(struct daemon *daemon, const uint8_t id[FRAME_CONTEXT_LEN])
{
    for (struct index_item *item = index_find(&daemon->contexts_by_id, id_hash(id)); item != NULL;
         item = index_next(item)) {
        struct context *context = context_of(item);

        if (memcmp(context->id, id, FRAME_CONTEXT_LEN) == 0) {
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

static bool
owner_has_room(struct daemon *daemon, const struct owner *owner)
{
    if (owner->contexts >= UID_CONTEXTS_MAX) {
        contexts_check(daemon); /* those that have ended meanwhile do not count */
    }
    if (owner->contexts >= UID_CONTEXTS_MAX) {
        if (daemon_may_say(daemon)) {
            log_wrn("uid %u has %u contexts; no more are given", owner->uid, UID_CONTEXTS_MAX);
        }
        return false;
    }
    return true;
}

static struct context *
context_new(struct peer *peer, const struct hello_request *hello,
            const uint8_t id[FRAME_CONTEXT_LEN])
{
    struct daemon *daemon = peer->daemon;
    struct context *context;

    if (!owner_has_room(daemon, peer->owner)) {
        return NULL;
    }
    context = calloc(1, sizeof *context);
    if (context == NULL || !index_put(&daemon->contexts_by_id, &context->by_id, id_hash(id))) {
        free(context);
        return NULL;
    }
    memcpy(context->id, id, FRAME_CONTEXT_LEN);
    memcpy(context->key, hello->key.data, sizeof context->key);
    context->interface = (enum interface)hello->interface;
    context->owner = peer->owner;
    context->owner->contexts++;
    context->pid = peer->pid;
    if (!storage_attach(daemon, context, hello)) {
        log_wrn("pid %u: its CERTSTORAGE settings are none", peer->pid);
        index_take(&daemon->contexts_by_id, &context->by_id);
        context->owner->contexts--;
        free(context);
        return NULL;
    }
    context->ticket = hello->ticket.len > 0 ? secret_dup(hello->ticket) : NULL;
    context->logins = 1;
    copies_file_load(daemon, context);
    context->next = daemon->contexts;
    if (context->next != NULL) {
        context->next->previous = context;
    }
    daemon->contexts = context;
    return context;
}

struct context *
context_enter(struct peer *peer, const struct hello_request *hello)
{
    uint8_t id[FRAME_CONTEXT_LEN];
    struct context *context;

    if (!context_name(hello->key, id)) {
        return NULL;
    }
    context = context_by_id(peer->daemon, id);
    if (context == NULL) {
        return context_new(peer, hello, id);
    }
    if (context->owner != peer->owner) {
        log_wrn("uid %u showed the key of a context of uid %u: refused", peer->owner->uid,
                context->owner->uid);
        return NULL;
    }
    if (context->ended || context->interface != (enum interface)hello->interface ||
        !view_equal_secret(view_of(context->key, sizeof context->key), hello->key)) {
        if (daemon_may_say(peer->daemon)) {
            log_wrn("pid %u: a connection for a context that is no more, or another", peer->pid);
        }
        return NULL;
    }
    return context;
}

static void
context_end_mail(struct daemon *daemon, struct context *context)
{
    if (context->mailroom != NULL) {
        mailroom_free(context->mailroom);
        context->mailroom = NULL;
        context->owner->mailrooms--;
        daemon->mailrooms--;
    }
}

static void
context_free(struct daemon *daemon, struct context *context)
{
    struct owner *owner = context->owner;

    index_take(&daemon->contexts_by_id, &context->by_id);
    if (context->previous != NULL) {
        context->previous->next = context->next;
    } else {
        daemon->contexts = context->next;
    }
    if (context->next != NULL) {
        context->next->previous = context->previous;
    }
    context_end_mail(daemon, context);
    secret_free(context->ticket);
    copies_clear(context);
    storage_detach(daemon, context);
    wipe(context, sizeof *context);
    free(context);
    owner->contexts--;
    owner_free_unused(daemon, owner);
}

bool
context_mailroom(struct daemon *daemon, struct context *context)
{
    struct owner *owner = context->owner;

    if (context->mailroom == NULL && owner->mailrooms < UID_MAILROOMS_MAX &&
        daemon->mailrooms < MAILROOMS_MAX) {
        context->mailroom = mailroom_new(daemon->loop);
        owner->mailrooms += context->mailroom != NULL;
        daemon->mailrooms += context->mailroom != NULL;
    }
    return context->mailroom != NULL;
}

/* Contexts whose last connection has been gone for a while, or that said they end. Their mailboxes are
 * others' at once; here, as those that are looked into at the moment have a connection. */
void
contexts_check(struct daemon *daemon)
{
    uint64_t now = daemon_now();
    struct context *next;

    for (struct context *context = daemon->contexts; context != NULL; context = next) {
        next = context->next;
        if (context->peers == 0) {
            context_end_mail(daemon, context);
        }
        if (context->peers == 0 && context->requests == 0 &&
            (context->ended || now - context->idle_since > GRACE_MS)) {
            node_detach(daemon, context);
            copies_file_remove(daemon, context);
            context_free(daemon, context);
        } else {
            copies_check(daemon, context);
        }
    }
}

void
contexts_clear(struct daemon *daemon)
{
    while (daemon->contexts != NULL) {
        context_free(daemon, daemon->contexts);
    }
    index_clear(&daemon->contexts_by_id);
}
