/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts coming, going and asking for what is not about objects: ATTACH with or without a
 * ticket, DETACH, PING, TOKEN, SESSION_CLOSE, RANDOM and SEED.
 */
#include "core/again.h"
#include "core/copies.h"

#include <string.h>

#define TOKEN_MODEL "OpenCloudHSM"
#define TOKEN_FIRMWARE "0.1"

/* The login it stands for is taken up, in place of one that another node has ended since. */
static void
ticket_take_up(struct hsm *hsm, struct context *context, const struct ticket *ticket)
{
    const uint64_t login = context_identity(context).login;

    if (ticket->login == login) {
        return;
    }
    if (login != 0) {
        context_logout(context);
    }
    if (hsm_time(hsm) <= ticket->expires) {
        (void)login_take_up(hsm, context, ticket);
    }
}

/* Does the ticket still hold for this context? A node that is behind may not know its user, his
 * password or that the login is over. Nothing waits here: what is asked next comes right behind. */
static void
ticket_use(struct request *r, struct context *context, view sealed)
{
    struct hsm *hsm = r->hsm;
    const uint64_t seen = r->frame->revision;
    struct ticket ticket;

    if (!ticket_open(&hsm->sealer, sealed, &ticket) ||
        memcmp(ticket.context, context->id, FRAME_CONTEXT_LEN) != 0 ||
        ticket.uid != context->uid) {
        return;
    }
    pthread_mutex_lock(&context->attaching);
    if (atomic_load(&hsm->follow.on) && !follow_passed(hsm, seen)) {
        context->late = ticket;
        atomic_store(&context->behind, seen);
    } else {
        atomic_store(&context->behind, 0);
        ticket_take_up(hsm, context, &ticket);
    }
    pthread_mutex_unlock(&context->attaching);
}

void
attach_late(struct request *r)
{
    struct context *context = r->context;

    pthread_mutex_lock(&context->attaching);
    if (atomic_load(&context->behind) != 0 &&
        follow_passed(r->hsm, atomic_load(&context->behind))) {
        ticket_take_up(r->hsm, context, &context->late);
        atomic_store(&context->behind, 0);
    }
    pthread_mutex_unlock(&context->attaching);
}

CK_RV
handle_ATTACH(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct attach_request m;
    bool is_new;

    if (!attach_request_read(r->body, &m) || m.interface >= INTERFACE_COUNT) {
        return CODE_BAD_FRAME;
    }
    if (!frame_version_fits(m.version)) {
        return CODE_RELEASE;
    }

    struct context *context = context_attach(&hsm->contexts, r->frame->context, &is_new);

    if (context == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    r->context = context; /* the request's reference from here on */
    atomic_store(&context->last_used, hsm->ports.clock->monotonic(hsm->ports.clock));
    if (is_new) {
        pthread_mutex_lock(&context->lock);
        context->interface = (enum interface)m.interface;
        context->uid = m.uid;
        context->pid = m.pid;
        pthread_mutex_unlock(&context->lock);
    }
    if (m.ticket.len > 0) {
        ticket_use(r, context, m.ticket);
    }
    if (is_new) {
        /* Before, a request on another connection would find it without its login. */
        atomic_store(&context->ready, true);
    }

    const struct attach_reply answer = {
        .version = frame_version,
        .store = view_of(hsm->sealer.store_id, sizeof hsm->sealer.store_id),
        .role = atomic_load(&context->behind) != 0 ? (uint32_t)ROLE_NONE
                                                   : (uint32_t)context_identity(context).role,
    };

    attach_reply_write(r->reply, &answer);
    return CKR_OK;
}

CK_RV
handle_DETACH(struct request *r)
{
    struct detach_request m;

    if (!detach_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    context_detach(&r->hsm->contexts, r->frame->context);
    return CKR_OK;
}

CK_RV
handle_PING(struct request *r)
{
    struct ping_request m;

    return ping_request_read(r->body, &m) ? CKR_OK : CODE_BAD_FRAME;
}

CK_RV
handle_CHANGES(struct request *r)
{
    struct changes_request m;
    struct changes_reply answer;
    struct writer handles;
    CK_RV rv = CKR_OK;

    if (!changes_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    writer_init(&handles, CHANGES_KEPT * sizeof(uint32_t));
    answer.boot = r->hsm->changes.boot;
    answer.sequence = changes_since(&r->hsm->changes, m.boot, m.since, &handles, &answer.all);
    answer.handles.bytes = writer_view(&handles);
    if (writer_ok(&handles)) {
        changes_reply_write(r->reply, &answer);
    } else {
        rv = CKR_DEVICE_MEMORY;
    }
    writer_clear(&handles);
    return rv;
}

CK_RV
handle_TOKEN(struct request *r)
{
    struct token_request m;

    if (!token_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }

    struct writer switches;

    writer_init(&switches, RULES_SWITCHES_TEXT_MAX);
    rules_switches_write(r->hsm->rules, &switches);

    const struct token_reply answer = {
        .policy = (uint8_t)r->hsm->rules.policy,
        .switches = writer_view(&switches),
        .label = view_str(r->hsm->label),
        .model = VIEW_TEXT(TOKEN_MODEL),
        .serial = view_str(r->hsm->serial),
        .firmware = VIEW_TEXT(TOKEN_FIRMWARE),
    };

    token_reply_write(r->reply, &answer);
    writer_clear(&switches);
    return CKR_OK;
}

CK_RV
handle_SESSION_CLOSE(struct request *r)
{
    struct session_close_request m;

    if (!session_close_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    return copies_close_session(r, r->frame->session);
}

CK_RV
handle_RANDOM(struct request *r)
{
    struct random_request m;
    uint8_t *space;

    if (!random_request_read(r->body, &m) || m.len > FRAME_DATA_MAX) {
        return CODE_BAD_FRAME;
    }
    write_u32(r->reply, m.len);
    space = write_space(r->reply, m.len);
    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    return r->hsm->ports.entropy->fill(r->hsm->ports.entropy, space, m.len)
               ? CKR_OK
               : CKR_FUNCTION_FAILED;
}

CK_RV
handle_SEED(struct request *r)
{
    struct seed_request m;

    /* The kernel's generator needs no seed from a caller and takes no harm from one: the
     * call is accepted and changes nothing that anyone could predict. */
    return seed_request_read(r->body, &m) ? CKR_OK : CODE_BAD_FRAME;
}
