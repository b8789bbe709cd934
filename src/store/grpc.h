/* SPDX-License-Identifier: Apache-2.0
 *
 * A gRPC client, as much of one as a store needs: one call at a time with one message each way,
 * over HTTP/2 and TLS by libcurl. Framing, status and trailers: the protocol description of gRPC,
 * "gRPC over HTTP2", sections Requests and Responses.
 */
#ifndef STORE_GRPC_H
#define STORE_GRPC_H

#include "base/bytes.h"

#include <stdatomic.h>

struct grpc_settings {
    const char *endpoints;   /* "https://10.0.0.4:2379,https://10.0.0.5:2379" */
    const char *ca;          /* files; NULL: none. What a server's certificate chains to, */
    const char *certificate; /* and what we show */
    const char *key;
    const atomic_bool *stop; /* ends calls that run, within a second */
};

/* A connection to one of the endpoints at a time, for one thread at a time. */
struct grpc;

/* NULL, with a line in the log: no endpoint in the list, or memory is short. Connects when it is
 * used. What settings point at is copied, but for stop. */
struct grpc *grpc_new(const struct grpc_settings *settings);
void grpc_free(struct grpc *grpc);

enum grpc_result {
    GRPC_OK,
    GRPC_REFUSED, /* the server says no, and nothing has happened */
    GRPC_UNSENT,  /* no server was reached: nothing has happened */
    GRPC_LOST     /* no answer: it may have happened, or may happen still */
};

/*
 * Calls a method, "/etcdserverpb.KV/Range", and appends its reply, which is as long as the writer
 * allows. Takes at most timeout_ms. A call that found no server or got no answer turns to the next
 * endpoint; the caller says whether it is repeated.
 */
MUST_USE enum grpc_result grpc_call(struct grpc *grpc, const char *method, view request,
                                    uint32_t timeout_ms, struct writer *reply);
/*
 * Calls a method whose reply is a stream of messages, each of at most max bytes, and hands them to
 * on_message until that gives false, the stream ends, nothing has come for idle_ms, or stop is set.
 * What it was that ended it is for who called to judge; the next call goes to the next endpoint.
 */
typedef bool grpc_message_in(void *arg, view message);
void grpc_stream(struct grpc *grpc, const char *method, view request, uint32_t idle_ms, size_t max,
                 grpc_message_in *on_message, void *arg);
/* What the last call that failed had to say; never empty. */
const char *grpc_error(const struct grpc *grpc);

/* One message out of a reply's bytes: a byte 0, a length in network order, and that many bytes.
 * False: there is not exactly one, or it is compressed. */
MUST_USE bool grpc_message(view body, view *ret_message);
/* The first of several: how many bytes it takes with its head, 0: not all of it is there yet,
 * GRPC_NO_PIECE: it is none. */
#define GRPC_NO_PIECE SIZE_MAX
size_t grpc_piece(view bytes, view *ret_message);

#endif
