/* SPDX-License-Identifier: Apache-2.0
 *
 * Calls: a request on one of the client's connections until its reply is there. Daemons that are
 * restarted are waited for, and the ticket of the login is renewed on the way.
 */
#include "api/client_private.h"

#include "api/connection.h"
#include "api/local.h"
#include "api/series.h"
#include "base/secret.h"

#include <string.h>

/* The daemon itself answers within 5 s, within 15 s what waits for the store, and within 60 s where
 * the work is slow. */
#define LIMIT_STORE_MS 16000
#define LIMIT_SLOW_MS 65000
#define LIMIT_RENEW_MS 1000
#define LIMIT_LOCAL_MS 12000 /* more, for session objects that have to live again first */
#define LIMIT_REACH_MS 4500
#define TICKET_AGAIN_MS 1000 /* between attempts to renew */
#define TRIES_MAX 4u
#define LINGER_LOSS 2u /* of trust, for a look in vain */
/* Without trust, so many in a row of so many requests linger all the same: the first of them may
 * have found the node on our own processor, which then moves away. */
#define LINGER_TRIES 32u
#define LINGER_TRY 2048u

static void
client_saw(struct client *client, uint64_t revision)
{
    uint64_t seen = atomic_load(&client->revision);

    while (seen < revision &&
           !atomic_compare_exchange_weak(&client->revision, &seen, revision)) {
    }
}

CK_RV
call_begin(struct client *client, struct call *call)
{
    *call = (struct call){ .client = client };

    struct connection *connection = client_take(client);

    if (connection == NULL) {
        connection = client_add(client);
        if (connection == NULL) {
            return CKR_HOST_MEMORY;
        }
    }
    call->connection = connection;
    call->body = &connection->body;
    return CKR_OK;
}

/* ---- the ticket ---- */

/* In place of the one there was; empty for none. life is in milliseconds. */
static void
client_keep_ticket(struct client *client, view ticket, uint32_t life)
{
    pthread_mutex_lock(&client->lock);
    wipe(client->ticket, client->ticket_len);
    client->ticket_len = 0;
    if (ticket.len > 0 && ticket.len <= CLIENT_TICKET_MAX) {
        memcpy(client->ticket, ticket.data, ticket.len);
        client->ticket_len = ticket.len;
        client->ticket_renew_at = connection_clock() + life / 2;
    }
    pthread_mutex_unlock(&client->lock);
}

/* Is it time to renew the ticket, and for this thread to do it? *ret_old is the ticket. */
static bool
client_renews(struct client *client, uint8_t old[CLIENT_TICKET_MAX], size_t *ret_old_len)
{
    bool renews;

    pthread_mutex_lock(&client->lock);
    renews = client->ticket_len > 0 && !client->ticket_renewing &&
             connection_clock() >= client->ticket_renew_at;
    if (renews) {
        client->ticket_renewing = true;
        memcpy(old, client->ticket, client->ticket_len);
        *ret_old_len = client->ticket_len;
    }
    pthread_mutex_unlock(&client->lock);
    return renews;
}

/* After a logout, or another login, the new one is of no use. Without a new one: soon again. */
static void
client_renewed(struct client *client, view old, view ticket, uint32_t life)
{
    bool same;

    pthread_mutex_lock(&client->lock);
    client->ticket_renewing = false;
    client->ticket_renew_at = connection_clock() + TICKET_AGAIN_MS;
    same = view_equal(view_of(client->ticket, client->ticket_len), old);
    pthread_mutex_unlock(&client->lock);
    if (same && ticket.len > 0) {
        client_keep_ticket(client, ticket, life);
    }
}

/* A request that comes when half of the ticket's life is over brings a new one first. */
static void
client_renew(struct client *client)
{
    struct renew_reply answer = { .ticket = VIEW_EMPTY };
    uint8_t old[CLIENT_TICKET_MAX];
    size_t old_len;
    struct call call;

    if (!client_renews(client, old, &old_len)) {
        return;
    }
    if (call_begin(client, &call) == CKR_OK) {
        if (call_send(&call, OPERATION_RENEW, 0, 0) != CKR_OK ||
            !renew_reply_read(call.reply, &answer)) {
            answer = (struct renew_reply){ .ticket = VIEW_EMPTY };
        }
        client_renewed(client, view_of(old, old_len), answer.ticket, answer.life);
        call_end(&call);
    } else {
        client_renewed(client, view_of(old, old_len), VIEW_EMPTY, 0);
    }
    wipe(old, sizeof old);
}

/* ---- one request ---- */

/* Certificates that are kept elsewhere take as long as networks do. */
static bool
is_slow(const struct client *client, const struct operation_row *row)
{
    return row->work == OPERATION_WORK_slow ||
           (client->storage.url[0] != '\0' &&
            (row->operation == OPERATION_FIND || row->operation == OPERATION_OBJECT_CREATE ||
             row->operation == OPERATION_OBJECT_COPY || row->operation == OPERATION_OBJECT_GET ||
             row->operation == OPERATION_OBJECT_SET || row->operation == OPERATION_OBJECT_SIZE ||
             row->operation == OPERATION_OBJECT_DESTROY));
}

/* ---- lingering ---- */

static const unsigned linger_us[LINGER_KINDS] = { [LINGER_QUICK] = 150, [LINGER_DISK] = 1000 };

/*
 * On a host that has a processor to spare, a thread that is alone looks for the reply for a moment
 * before it sleeps: to be woken takes longer than most replies, and a processor that was kept awake
 * is there at once for others, too. Where they take longer, as the node is far or busy, or makes an
 * RSA key, that is tried seldom.
 */
static unsigned
client_lingers(struct client *client, enum linger_for what)
{
    struct lingering *lingering = &client->lingering[what];

    if (atomic_load_explicit(&client->taken, memory_order_relaxed) != 1 ||
        !page_is_calm(client_page(client), client_clock()) ||
        (atomic_load_explicit(&lingering->trust, memory_order_relaxed) == 0 &&
         atomic_fetch_add_explicit(&lingering->not_tried, 1, memory_order_relaxed) % LINGER_TRY >=
             LINGER_TRIES)) {
        return 0;
    }
    return linger_us[what];
}

static void
client_lingered(struct client *client, enum linger_for what, bool was_quick)
{
    struct lingering *lingering = &client->lingering[what];
    unsigned trust = atomic_load_explicit(&lingering->trust, memory_order_relaxed);

    trust = was_quick ? trust + (trust < CLIENT_TRUST_MAX)
                      : trust - (unsigned)size_min(trust, LINGER_LOSS);
    atomic_store_explicit(&lingering->trust, trust, memory_order_relaxed);
}

/*
 * A request may be sent again under its number: a node runs what is harmless once more, and
 * answers what wrote the store as it did the first time. Only a step of an operation that is
 * bound to a node's memory is not; it is not sent into a dead connection either. A new ticket is
 * asked for once and not waited for long: another request is waiting for it to be over.
 */
static bool
call_exchange(struct call *call, const struct operation_row *row, const struct frame *request,
              struct frame *ret_reply)
{
    struct client *client = call->client;
    struct connection *connection = call->connection;
    const bool renews = row->operation == OPERATION_RENEW;
    const bool again = row->repeat != REPEAT_bound && !renews;
    const bool local = (request->flags & FRAME_LOCAL) != 0 ||
                       (row->operation == OPERATION_SESSION_CLOSE && atomic_load(&client->local));
    const bool waits = row->work == OPERATION_WORK_slow || row->work == OPERATION_WORK_store;
    const enum linger_for what = waits ? LINGER_DISK : LINGER_QUICK;
    const int64_t start = connection_clock();
    const int64_t deadline = start + (renews                               ? LIMIT_RENEW_MS
                                      : is_slow(client, row)               ? LIMIT_SLOW_MS
                                      : row->work == OPERATION_WORK_store ? LIMIT_STORE_MS
                                                                           : CONNECTION_LIMIT_MS) +
                             (local ? LIMIT_LOCAL_MS : 0);

    if (!again && connection->fd >= 0 && connection_is_stale(connection)) {
        client_drop_idle(client);
        connection_close(connection);
    }
    for (unsigned tries = 1;; tries++) {
        if (connection->fd < 0 &&
            !(renews ? client_reach(client, connection, deadline)
                     : client_reach_again(client, connection, start + LIMIT_REACH_MS))) {
            return false;
        }
        connection_watch(connection,
                         local || waits ? atomic_load(&client->pages.current) : NULL);

        const unsigned lingers = client_lingers(client, what);

        connection_linger(connection, lingers);
        if (connection_exchange(connection, request, writer_view(call->body), deadline,
                                ret_reply) == OUTCOME_ANSWERED) {
            if (lingers > 0) {
                client_lingered(client, what, connection->was_quick);
            }
            return true;
        }
        client_drop_idle(client);
        if (!again || tries == TRIES_MAX || connection_clock() >= deadline) {
            return false;
        }
    }
}

/* The next number, and what is told of those before it. */
static uint64_t
client_number(struct client *client, bool once, struct open_request *open, uint32_t *ret_back)
{
    uint64_t number;

    *ret_back = 0;
    if (!once) {
        return atomic_fetch_add(&client->requests, 1) + 1;
    }
    pthread_mutex_lock(&client->lock);
    number = atomic_fetch_add(&client->requests, 1) + 1;
    *ret_back = open_add(&client->open, open, number);
    pthread_mutex_unlock(&client->lock);
    return number;
}

static void
client_settle(struct client *client, struct open_request *open)
{
    pthread_mutex_lock(&client->lock);
    open_remove(&client->open, open);
    pthread_mutex_unlock(&client->lock);
}

CK_RV
call_send(struct call *call, enum operation operation, uint32_t session, uint16_t flags)
{
    struct client *client = call->client;
    const struct operation_row *row = operation_row((uint16_t)operation);
    const bool once = row != NULL && row->repeat == REPEAT_once;
    struct login_reply login;
    struct open_request open;
    struct frame reply;
    uint64_t number;
    uint32_t back;

    call->reply = VIEW_EMPTY;
    if (call->connection == NULL || row == NULL) {
        return CKR_GENERAL_ERROR;
    }
    if (!writer_ok(call->body)) {
        return CKR_HOST_MEMORY;
    }
    if (row->access != ACCESS_any && operation != OPERATION_RENEW &&
        operation != OPERATION_LOGOUT) {
        client_renew(client);
    }
    if (request_is_local(client->interface, operation, writer_view(call->body), &client->local)) {
        flags |= FRAME_LOCAL;
    }
    number = client_number(client, once, &open, &back);

    const struct frame request = {
        .body_len = (uint32_t)call->body->len,
        .operation = (uint16_t)operation,
        .flags = flags,
        .request = number,
        .session = session,
        .code = back,
        .revision = client_revision(client),
    };
    const bool answered = call_exchange(call, row, &request, &reply);

    if (once) {
        client_settle(client, &open);
    }

    if (operation == OPERATION_LOGOUT) {
        /* Also when the answer was lost: no new connection may bring this login back. */
        client_keep_ticket(client, VIEW_EMPTY, 0);
    }
    if (!answered) {
        return CKR_DEVICE_ERROR;
    }
    client_saw(client, reply.revision);
    if (reply.code == CODE_UNKNOWN_CONTEXT || reply.code == CODE_BAD_FRAME) {
        return CKR_DEVICE_ERROR;
    }
    if (reply.code == CKR_OK || reply.code == CKR_BUFFER_TOO_SMALL) {
        call->reply = connection_reply_body(call->connection);
    }
    if (reply.code == CKR_OK && operation == OPERATION_LOGIN &&
        login_reply_read(call->reply, &login)) {
        client_keep_ticket(client, login.ticket, login.life);
    }
    return reply.code;
}

/* ---- many ---- */

/* Steps that are under way. */
struct stepping {
    struct client *client;
    const struct steps *steps;
    struct frame frame; /* of all of them, but for its number */
    CK_RV rv;
};

static view
stepping_ask(void *arg, size_t at, struct frame *ret_frame, struct writer *head)
{
    struct stepping *stepping = arg;

    *ret_frame = stepping->frame;
    ret_frame->request = client_number(stepping->client, false, NULL, &ret_frame->code);
    return stepping->steps->ask(stepping->steps->arg, at, head);
}

static bool
stepping_hear(void *arg, size_t at, const struct frame *reply, view body)
{
    struct stepping *stepping = arg;

    client_saw(stepping->client, reply->revision);
    if (stepping->rv == CKR_OK) {
        stepping->rv = reply->code == CODE_UNKNOWN_CONTEXT || reply->code == CODE_BAD_FRAME
                           ? CKR_DEVICE_ERROR
                           : reply->code;
        if (stepping->rv == CKR_OK) {
            stepping->rv = stepping->steps->hear(stepping->steps->arg, at, body);
        }
    }
    return stepping->rv == CKR_OK;
}

CK_RV
call_steps(struct call *call, const struct steps *steps, uint32_t session, uint16_t flags)
{
    struct client *client = call->client;
    struct connection *connection = call->connection;
    struct stepping stepping = {
        .client = client,
        .steps = steps,
        .frame = { .operation = (uint16_t)steps->operation,
                   .flags = flags,
                   .session = session,
                   .revision = client_revision(client) },
    };
    const struct series series = { steps->count, stepping_ask, stepping_hear, &stepping };

    if (connection->fd >= 0 && connection_is_stale(connection)) {
        /* What the steps belong to has gone with it. */
        client_drop_idle(client);
        connection_close(connection);
        return CKR_DEVICE_ERROR;
    }
    /* Other threads have all there are. */
    if (connection->fd < 0 &&
        !client_reach(client, connection, connection_clock() + CONNECTION_LIMIT_MS)) {
        return CKR_DEVICE_ERROR;
    }
    if (connection_series(connection, &series, CONNECTION_LIMIT_MS) != OUTCOME_ANSWERED) {
        client_drop_idle(client);
        return CKR_DEVICE_ERROR;
    }
    return stepping.rv;
}

void
call_end(struct call *call)
{
    struct connection *connection = call->connection;

    if (connection != NULL) {
        writer_reset(&connection->body);
        connection_forget_reply(connection);
        client_give(call->client, connection);
    }
    *call = (struct call){ 0 };
}
