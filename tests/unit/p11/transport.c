/* SPDX-License-Identifier: Apache-2.0
 *
 * Each client is a context of the HSM. A call has memory of its own, so that the address
 * sanitizer sees who looks at a reply after its end.
 */
#include "p11/transport.h"

#include "lib/outside.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define OPERATIONS 128
#define CLIENTS 8

struct connection {
    struct writer body;
    struct writer reply;
};

struct client {
    uint8_t context[FRAME_CONTEXT_LEN];
    _Atomic uint64_t requests;
    _Atomic uint64_t revision;
    uint8_t ticket[256]; /* of the last login */
    size_t ticket_len;
};

static struct hsm *const *hsm;
static _Atomic unsigned counts[OPERATIONS];
static _Atomic unsigned fail_operation;
static _Atomic CK_RV fail_code;
static _Atomic(struct client *) clients[CLIENTS];
static bool refuses;
static struct page page;
static enum operation during;
static void (*during_act)(struct page *);

void
transport_use(struct hsm *const *which)
{
    hsm = which;
    page_init(&page, 1);
    page_extend(&page, UINT64_MAX);
}

void
transport_during(enum operation operation, void (*act)(struct page *))
{
    during = operation;
    during_act = act;
}

struct page *
transport_page(void)
{
    return &page;
}

const struct page *
client_page(const struct client *client)
{
    UNUSED(client);
    return &page;
}

uint64_t
client_clock(void)
{
    return 1;
}

unsigned
transport_trips(void)
{
    unsigned sum = 0;

    for (size_t i = 0; i < OPERATIONS; i++) {
        sum += atomic_load(&counts[i]);
    }
    return sum;
}

unsigned
transport_count(enum operation operation)
{
    return atomic_load(&counts[operation]);
}

void
transport_reset(void)
{
    for (size_t i = 0; i < OPERATIONS; i++) {
        atomic_store(&counts[i], 0);
    }
}

int
transport_open(void)
{
    int open = 0;

    for (size_t i = 0; i < CLIENTS; i++) {
        open += atomic_load(&clients[i]) != NULL;
    }
    return open;
}

void
transport_refuse(bool refuse)
{
    refuses = refuse;
}

void
transport_fail(enum operation operation, CK_RV code)
{
    atomic_store(&fail_code, code);
    atomic_store(&fail_operation, operation);
}

/* One request wherever it has to be handled. */
static CK_RV
exchange(struct client *client, enum operation operation, uint32_t session, uint16_t flags,
         view body, struct writer *reply)
{
    const struct hsm_peer peer = { PORTS_client, 1, "test", VIEW_EMPTY };
    struct hsm_told told = { .place = PLACE_LOOP };
    struct frame answer;
    struct frame frame = {
        .body_len = (uint32_t)body.len,
        .operation = (uint16_t)operation,
        .flags = flags,
        .request = atomic_fetch_add(&client->requests, 1) + 1,
        .session = session,
        .revision = atomic_load(&client->revision),
    };

    LIB_HOLDS(body.len <= FRAME_BODY_MAX);
    memcpy(frame.context, client->context, FRAME_CONTEXT_LEN);
    while (hsm_handle(*hsm, &peer, told.place, &frame, body, reply, &told) == HSM_LATER) {
    }
    LIB_HOLDS(writer_ok(reply) && frame_decode(reply->data, &answer));
    atomic_store(&client->revision, answer.revision);
    return answer.code;
}

static void
attach(struct client *client, view ticket)
{
    const struct attach_request request = { .version = FRAME_VERSION,
                                            .interface = INTERFACE_P11,
                                            .ticket = ticket };
    struct writer body, reply;

    writer_init(&body, FRAME_BODY_MAX);
    writer_init(&reply, FRAME_MAX);
    attach_request_write(&body, &request);
    LIB_HOLDS(exchange(client, OPERATION_ATTACH, 0, 0, writer_view(&body), &reply) == CKR_OK);
    writer_clear(&body);
    writer_clear(&reply);
}

static void
detach(struct client *client)
{
    struct writer reply;

    writer_init(&reply, FRAME_MAX);
    LIB_HOLDS(exchange(client, OPERATION_DETACH, 0, 0, VIEW_EMPTY, &reply) == CKR_OK);
    writer_clear(&reply);
}

static void
attach_all_again(bool with_tickets)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *client = atomic_load(&clients[i]);

        if (client != NULL) {
            detach(client);
            attach(client, view_of(client->ticket, with_tickets ? client->ticket_len : 0));
        }
    }
}

void
transport_lose_contexts(void)
{
    attach_all_again(false);
}

void
transport_restart(void)
{
    attach_all_again(true);
}

static void
ticket_keep(struct client *client, view body)
{
    struct login_reply login;

    LIB_HOLDS(login_reply_read(body, &login) && login.ticket.len <= sizeof client->ticket);
    memcpy(client->ticket, login.ticket.data, login.ticket.len);
    client->ticket_len = login.ticket.len;
}

static void
client_note(struct client *was, struct client *is)
{
    for (size_t i = 0; i < CLIENTS; i++) {
        struct client *expected = was;

        if (atomic_compare_exchange_strong(&clients[i], &expected, is)) {
            return;
        }
    }
    LIB_HOLDS(false);
}

CK_RV
client_open(const struct client_options *options, struct client **ret_client)
{
    struct client *client;

    LIB_HOLDS(options->interface == INTERFACE_P11);
    if (refuses) {
        return CKR_GENERAL_ERROR;
    }
    client = calloc(1, sizeof *client);
    LIB_HOLDS(client != NULL);
    LIB_HOLDS(getrandom(client->context, FRAME_CONTEXT_LEN, 0) == FRAME_CONTEXT_LEN);
    attach(client, VIEW_EMPTY);
    client_note(NULL, client);
    *ret_client = client;
    return CKR_OK;
}

void
client_abandon(struct client *client)
{
    if (client != NULL) {
        client_note(client, NULL);
        free(client);
    }
}

void
client_disown(struct client *client)
{
    if (client != NULL) {
        client_note(client, NULL);
    }
}

void
client_close(struct client *client)
{
    if (client != NULL) {
        detach(client);
        client_abandon(client);
    }
}

uint64_t
client_revision(const struct client *client)
{
    return atomic_load(&client->revision);
}

CK_RV
call_begin(struct client *client, struct call *call)
{
    *call = (struct call){ .client = client };
    call->connection = calloc(1, sizeof *call->connection);
    LIB_HOLDS(call->connection != NULL);
    writer_init(&call->connection->body, FRAME_BODY_MAX);
    writer_init(&call->connection->reply, FRAME_MAX);
    call->body = &call->connection->body;
    return CKR_OK;
}

CK_RV
call_send(struct call *call, enum operation operation, uint32_t session, uint16_t flags)
{
    struct writer *reply = &call->connection->reply;
    unsigned failing = operation;
    CK_RV rv;

    atomic_fetch_add(&counts[operation], 1);
    if (!writer_ok(call->body)) {
        return CKR_HOST_MEMORY;
    }
    if (atomic_compare_exchange_strong(&fail_operation, &failing, OPERATION_NONE)) {
        return atomic_load(&fail_code);
    }
    rv = exchange(call->client, operation, session, flags, writer_view(call->body), reply);
    if (operation_row((uint16_t)operation)->changes == CHANGES_object) {
        page_change(&page, load_u32(call->body->data)); /* as the daemon does */
    }
    if (operation == during) {
        during_act(&page);
    }
    if (rv == CKR_OK || rv == CKR_BUFFER_TOO_SMALL) {
        call->reply = view_slice(writer_view(reply), FRAME_HEADER_LEN, FRAME_BODY_MAX);
        if (rv == CKR_OK && operation == OPERATION_LOGIN) {
            ticket_keep(call->client, call->reply);
        }
    }
    return rv;
}

CK_RV
call_steps(struct call *call, const struct steps *steps, uint32_t session, uint16_t flags)
{
    CK_RV rv = CKR_OK;

    for (size_t at = 0; at < steps->count && rv == CKR_OK; at++) {
        view rest;

        writer_reset(call->body);
        writer_reset(&call->connection->reply);
        rest = steps->ask(steps->arg, at, call->body);
        LIB_HOLDS(call->body->len <= 64);
        write_raw(call->body, rest);
        rv = call_send(call, steps->operation, session, flags);
        if (rv == CKR_OK) {
            rv = steps->hear(steps->arg, at, call->reply);
        }
    }
    return rv;
}

void
call_end(struct call *call)
{
    if (call->connection != NULL) {
        writer_clear(&call->connection->body);
        writer_clear(&call->connection->reply);
        free(call->connection);
    }
    *call = (struct call){ 0 };
}
