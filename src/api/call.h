/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the HSM, one at a time on a connection of the client's.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include "api/client.h"

struct connection;

/*
 * One call. Begin takes a connection; the request's body is written to call->body (by
 * NAME_write of wire/message.h); send sends and waits for the reply, whose body is then
 * call->reply, borrowed until end. End wipes both and gives the connection back; it must
 * follow every begin, also one that failed.
 *
 * call_send returns the reply's code as it is; the reply's body is then there for CKR_OK and
 * CKR_BUFFER_TOO_SMALL. What the transport adds:
 * CKR_DEVICE_ERROR (the daemon cannot be reached, no node answered in time, or the reply does
 * not read), CKR_HOST_MEMORY (the body did not fit). A daemon that is restarted meanwhile is
 * waited for, at most 4.5 s, and the request is sent again under its number, unless it is a
 * step of a bound operation.
 */
struct call {
    struct client *client;
    struct connection *connection;
    struct writer *body;
    view reply;
};

MUST_USE CK_RV call_begin(struct client *client, struct call *call);
MUST_USE CK_RV call_send(struct call *call, enum operation operation, uint32_t session,
                         uint16_t flags);
void call_end(struct call *call);

/*
 * The steps of a bound operation in one go, several of them under way at a time. The first that
 * fails, or whose reply does not please, is the last that is asked; its code is returned.
 */
struct steps {
    enum operation operation;
    size_t count;
    /* Body of step `at`: its beginning to head, at most 64 bytes, and the rest, borrowed until the
     * end of the call. */
    view (*ask)(void *arg, size_t at, struct writer *head);
    /* The reply's body, borrowed for the call; in the order of the steps. */
    CK_RV (*hear)(void *arg, size_t at, view reply);
    void *arg;
};
MUST_USE CK_RV call_steps(struct call *call, const struct steps *steps, uint32_t session,
                          uint16_t flags);

#endif
