/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests under way together, against a peer on a socket pair that does what a test tells it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/series.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define COUNT 40u
#define LIMIT_MS 30000

enum manner {
    ECHO,
    LATE,         /* reads all that comes before it answers the first */
    CRUMBS,       /* seven bytes at a time */
    REFUSES,      /* from the fourth on */
    WRONG_NUMBER, /* in the fourth reply */
    TOO_MANY,     /* answers the fourth twice */
    SILENT,
    DIES          /* in the middle of the fourth reply */
};

struct bench {
    struct connection *connection;
    int fd; /* the peer's */
    pthread_t thread;
    enum manner manner;
    size_t len;       /* of each body, beyond its head */
    size_t most;      /* requests that were there before the first was answered */
    uint8_t *data;    /* COUNT bodies */
    size_t asked;
    size_t heard;
    size_t refused;
};

/* All or false. */
static bool
read_all(int fd, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = recv(fd, out + at, len - at, 0);

        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static bool
send_all(int fd, view bytes, size_t step)
{
    for (size_t at = 0; at < bytes.len;) {
        ssize_t sent = send(fd, bytes.data + at, size_min(step, bytes.len - at), MSG_NOSIGNAL);

        if (sent <= 0) {
            return false;
        }
        at += (size_t)sent;
    }
    return true;
}

/* Answers a request with its own body. */
static bool
answer(const struct bench *b, size_t number, struct frame frame, const uint8_t *body)
{
    struct writer reply;
    bool sent;

    frame.request += b->manner == WRONG_NUMBER && number == 3;
    writer_init(&reply, FRAME_MAX);
    if (b->manner == REFUSES && number >= 3) {
        frame_reply(&reply, &frame, number == 3 ? CKR_DATA_LEN_RANGE : CKR_FUNCTION_FAILED, 0,
                    VIEW_EMPTY);
    } else {
        frame_reply(&reply, &frame, CKR_OK, 0, view_of(body, frame.body_len));
    }
    if (b->manner == DIES && number == 3) {
        writer_truncate(&reply, reply.len / 2);
    }
    sent = send_all(b->fd, writer_view(&reply), b->manner == CRUMBS ? 7 : SIZE_MAX);
    if (b->manner == TOO_MANY && number == 3) {
        sent = send_all(b->fd, writer_view(&reply), SIZE_MAX);
    }
    writer_clear(&reply);
    return sent && !(b->manner == DIES && number == 3);
}

static bool
next(int fd, struct frame *ret_frame, uint8_t **ret_body)
{
    uint8_t header[FRAME_HEADER_LEN];

    if (!read_all(fd, header, sizeof header) || !frame_decode(header, ret_frame)) {
        return false;
    }
    *ret_body = malloc(ret_frame->body_len + 1);
    if (!read_all(fd, *ret_body, ret_frame->body_len)) {
        free(*ret_body);
        return false;
    }
    return true;
}

static void *
peer(void *arg)
{
    struct bench *b = arg;
    struct frame frames[SERIES_UNDER_WAY_MAX];
    uint8_t *bodies[SERIES_UNDER_WAY_MAX];
    const size_t wait = b->manner == LATE ? SERIES_UNDER_WAY_MAX : 1;
    bool goes_on = true;

    for (size_t number = 0; goes_on && number < COUNT;) {
        size_t there = 0;

        while (there < wait && next(b->fd, &frames[there], &bodies[there])) {
            there++;
        }
        goes_on = there == wait;
        b->most = size_max(b->most, there);
        for (size_t i = 0; i < there; i++) {
            goes_on = goes_on &&
                      (b->manner == SILENT || answer(b, number + i, frames[i], bodies[i]));
            free(bodies[i]);
        }
        number += there;
    }
    if (b->manner != SILENT) {
        shutdown(b->fd, SHUT_RDWR);
    }
    return NULL;
}

static view
ask(void *arg, size_t at, struct frame *ret_frame, struct writer *head)
{
    struct bench *b = arg;

    assert_int_equal(at, b->asked++);
    *ret_frame = (struct frame){ .operation = OPERATION_UPDATE, .request = 100 + at };
    write_u32(head, (uint32_t)at);
    return view_of(b->data + at * b->len, b->len);
}

static bool
hear(void *arg, size_t at, const struct frame *reply, view body)
{
    struct bench *b = arg;

    assert_int_equal(at, b->heard++);
    if (reply->code != CKR_OK) {
        b->refused++;
        return false;
    }
    assert_int_equal(body.len, b->len + 4);
    assert_int_equal(load_u32(body.data), at);
    if (b->len > 0) {
        assert_memory_equal(body.data + 4, b->data + at * b->len, b->len);
    }
    return true;
}

static enum outcome
series(struct bench *b, enum manner manner, size_t len)
{
    const struct series series = { COUNT, ask, hear, b };
    int fds[2];
    enum outcome outcome;

    *b = (struct bench){ .manner = manner, .len = len };
    b->data = malloc(COUNT * len + 1);
    for (size_t i = 0; i < COUNT * len; i++) {
        b->data[i] = (uint8_t)(i * 7 + i / 251);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    b->fd = fds[1];
    b->connection = connection_new();
    assert_non_null(b->connection);
    b->connection->fd = fds[0];
    assert_int_equal(pthread_create(&b->thread, NULL, peer, b), 0);
    outcome = connection_series(b->connection, &series, manner == SILENT ? 50 : LIMIT_MS);
    if (outcome == OUTCOME_BROKEN) {
        assert_int_equal(b->connection->fd, -1);
    }
    assert_int_equal(b->connection->reply_len, 0);
    connection_free(b->connection);
    pthread_join(b->thread, NULL);
    close(b->fd);
    free(b->data);
    return outcome;
}

static void
all_are_asked_and_heard_in_their_order(void **state)
{
    static const size_t lengths[] = { 0, 1, 5000, FRAME_DATA_MAX, FRAME_BODY_MAX - 4 };
    struct bench b;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        assert_int_equal(series(&b, ECHO, lengths[i]), OUTCOME_ANSWERED);
        assert_int_equal(b.heard, COUNT);
        assert_int_equal(series(&b, CRUMBS, size_min(lengths[i], 5000)), OUTCOME_ANSWERED);
        assert_int_equal(b.heard, COUNT);
    }
}

static void
eight_are_under_way_together(void **state)
{
    struct bench b;

    UNUSED(state);
    assert_int_equal(series(&b, LATE, 1000), OUTCOME_ANSWERED);
    assert_int_equal(b.most, SERIES_UNDER_WAY_MAX);
    assert_int_equal(b.heard, COUNT);
}

/* Eight of them fill the socket's room in both directions several times over. */
static void
neither_side_waits_for_the_other_to_read(void **state)
{
    struct bench b;

    UNUSED(state);
    assert_int_equal(series(&b, LATE, FRAME_DATA_MAX), OUTCOME_ANSWERED);
    assert_int_equal(b.heard, COUNT);
}

static void
after_a_refusal_what_is_under_way_is_heard_and_nothing_asked(void **state)
{
    struct bench b;

    UNUSED(state);
    assert_int_equal(series(&b, REFUSES, 1000), OUTCOME_ANSWERED);
    assert_in_range(b.asked, 4, 4 + SERIES_UNDER_WAY_MAX);
    assert_int_equal(b.heard, b.asked);
    assert_int_equal(b.refused, b.asked - 3);
}

static void
what_is_no_answer_closes_the_connection(void **state)
{
    static const enum manner manners[] = { WRONG_NUMBER, TOO_MANY, SILENT, DIES };
    struct bench b;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(manners); i++) {
        assert_int_equal(series(&b, manners[i], 1000), OUTCOME_BROKEN);
        assert_in_range(b.heard, 0, 4); /* fewer where sending fails before all was read */
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_asked_and_heard_in_their_order),
        cmocka_unit_test(eight_are_under_way_together),
        cmocka_unit_test(neither_side_waits_for_the_other_to_read),
        cmocka_unit_test(after_a_refusal_what_is_under_way_is_heard_and_nothing_asked),
        cmocka_unit_test(what_is_no_answer_closes_the_connection),
    };

    return cmocka_run_group_tests_name("api/series", tests, NULL, NULL);
}
