/* SPDX-License-Identifier: Apache-2.0
 *
 * Neither side may wait for the other to read while it does not read itself: this one sends what
 * the socket takes, and waits for room and for replies together.
 */
#include "api/series.h"

#include "base/secret.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define HEAD_MAX 64u
/* One reply with its data, and the beginning of the next. */
#define REPLY_SIZE (FRAME_HEADER_LEN + FRAME_DATA_MAX + 4096u)

struct flight {
    struct connection *connection;
    const struct series *series;
    struct frame asked[SERIES_UNDER_WAY_MAX]; /* by number */
    size_t sent;  /* whole requests */
    size_t heard;
    bool stopped; /* nothing more is asked */
    bool blocked; /* the socket takes no more for now */
    /* The request that is leaving: header and head, and the rest of its body. */
    uint8_t room[FRAME_HEADER_LEN + HEAD_MAX];
    struct iovec parts[2];
};

static bool
is_leaving(const struct flight *flight)
{
    return flight->parts[0].iov_len > 0 || flight->parts[1].iov_len > 0;
}

static bool
may_ask(const struct flight *flight)
{
    return !flight->stopped && flight->sent < flight->series->count &&
           flight->sent - flight->heard < SERIES_UNDER_WAY_MAX;
}

/* The next request is made ready to leave. */
static bool
flight_ask(struct flight *flight)
{
    const struct series *series = flight->series;
    struct frame *frame = &flight->asked[flight->sent % SERIES_UNDER_WAY_MAX];
    struct writer head;
    view rest;

    writer_init_fixed(&head, flight->room + FRAME_HEADER_LEN, HEAD_MAX);
    rest = series->ask(series->arg, flight->sent, frame, &head);
    if (!writer_ok(&head)) {
        return false;
    }
    frame->body_len = (uint32_t)(head.len + rest.len);
    frame_encode(frame, flight->room);
    flight->parts[0] = (struct iovec){ flight->room, FRAME_HEADER_LEN + head.len };
    flight->parts[1] = (struct iovec){ (void *)(uintptr_t)rest.data, rest.len };
    return true;
}

/* Sends what the socket takes. False: it is broken. */
static bool
flight_send(struct flight *flight)
{
    struct msghdr message = { .msg_iov = flight->parts, .msg_iovlen = 2 };

    flight->blocked = false;
    while (is_leaving(flight) || may_ask(flight)) {
        ssize_t sent;

        if (!is_leaving(flight) && !flight_ask(flight)) {
            return false;
        }
        sent = sendmsg(flight->connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        if (sent < 0) {
            flight->blocked = errno == EAGAIN;
            return flight->blocked;
        }
        for (size_t i = 0; i < 2; i++) {
            size_t step = size_min((size_t)sent, flight->parts[i].iov_len);

            if (step > 0) { /* an empty rest has no address */
                flight->parts[i].iov_base = (uint8_t *)flight->parts[i].iov_base + step;
                flight->parts[i].iov_len -= step;
                sent -= (ssize_t)step;
            }
        }
        if (!is_leaving(flight)) {
            flight->sent++;
        }
    }
    return true;
}

/* Is that the reply to the oldest request? */
static bool
is_next(const struct flight *flight, const struct frame *reply)
{
    const struct frame *asked = &flight->asked[flight->heard % SERIES_UNDER_WAY_MAX];

    return flight->heard < flight->sent && (reply->flags & FRAME_REPLY) != 0 &&
           reply->operation == asked->operation && reply->request == asked->request;
}

/* Hands out the whole replies of the buffer. False: what is there is none. */
static bool
flight_hear(struct flight *flight)
{
    struct connection *connection = flight->connection;
    size_t at = 0;

    while (connection->reply_len - at >= FRAME_HEADER_LEN) {
        const uint8_t *header = connection->reply + at;
        struct frame reply;

        if (!frame_decode(header, &reply) || !is_next(flight, &reply)) {
            return false;
        }
        if (connection->reply_len - at - FRAME_HEADER_LEN < reply.body_len) {
            if (!connection_grow(connection, FRAME_HEADER_LEN + reply.body_len)) {
                return false;
            }
            break;
        }

        const view body = view_of(connection->reply + at + FRAME_HEADER_LEN, reply.body_len);

        if (!flight->series->hear(flight->series->arg, flight->heard, &reply, body)) {
            flight->stopped = true;
        }
        flight->heard++;
        at += FRAME_HEADER_LEN + reply.body_len;
    }
    if (at > 0) {
        connection->reply_len -= at;
        memmove(connection->reply, connection->reply + at, connection->reply_len);
        wipe(connection->reply + connection->reply_len, at);
    }
    return true;
}

/* Takes what is there. False: the other side is gone, or says what it should not. */
static bool
flight_receive(struct flight *flight)
{
    struct connection *connection = flight->connection;
    ssize_t got = recv(connection->fd, connection->reply + connection->reply_len,
                       connection->reply_size - connection->reply_len, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got <= 0) {
        return false;
    }
    connection->reply_len += (size_t)got;
    return flight_hear(flight);
}

/* Waits until something can be done. False when the limit comes first. */
static bool
flight_wait(const struct flight *flight, int64_t limit_ms)
{
    struct pollfd entry = { .fd = flight->connection->fd,
                            .events = (short)(POLLIN | (flight->blocked ? POLLOUT : 0)) };
    const int64_t deadline = connection_clock() + limit_ms;

    for (;;) {
        int64_t left = deadline - connection_clock();
        int count;

        if (left <= 0) {
            return false;
        }
        count = poll(&entry, 1, (int)left);
        if (count > 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            return false;
        }
    }
}

static bool
flight_run(struct flight *flight, int64_t limit_ms)
{
    for (;;) {
        if (!flight_send(flight)) {
            return false;
        }
        if (flight->heard == flight->sent && !is_leaving(flight)) {
            return flight->connection->reply_len == 0;
        }
        if (!flight_wait(flight, limit_ms) || !flight_receive(flight)) {
            return false;
        }
    }
}

enum outcome
connection_series(struct connection *connection, const struct series *series, int64_t limit_ms)
{
    struct flight flight = { .connection = connection, .series = series };
    bool done;

    connection_forget_reply(connection);
    done = connection_grow(connection, REPLY_SIZE) && flight_run(&flight, limit_ms);
    connection_forget_reply(connection);
    if (!done) {
        connection_close(connection);
        return OUTCOME_BROKEN;
    }
    return OUTCOME_ANSWERED;
}
