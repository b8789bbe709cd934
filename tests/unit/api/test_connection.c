/* SPDX-License-Identifier: Apache-2.0
 *
 * One request and its reply, against a peer on a socket pair that answers soon, late, in pieces or
 * not at all; with and without a look for the reply before sleeping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "api/connection.h"

#include <pthread.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

struct peer {
    int fd;
    long wait_ns; /* before the reply */
    size_t piece; /* bytes that go first; 0: it leaves without a reply */
};

static void
pause_for(long ns)
{
    const struct timespec pause = { ns / 1000000000, ns % 1000000000 };

    nanosleep(&pause, NULL);
}

static void *
peer_run(void *arg)
{
    const struct peer *peer = arg;
    uint8_t header[FRAME_HEADER_LEN];
    struct frame frame;
    struct writer reply;

    if (recv(peer->fd, header, sizeof header, MSG_WAITALL) == (ssize_t)sizeof header &&
        frame_decode(header, &frame) && peer->piece > 0) {
        pause_for(peer->wait_ns);
        writer_init(&reply, FRAME_MAX);
        frame_reply(&reply, &frame, CKR_OK, 0, VIEW_TEXT("a body"));
        (void)send(peer->fd, reply.data, size_min(peer->piece, reply.len), MSG_NOSIGNAL);
        if (peer->piece < reply.len) {
            pause_for(peer->wait_ns);
            (void)send(peer->fd, reply.data + peer->piece, reply.len - peer->piece,
                       MSG_NOSIGNAL);
        }
        writer_clear(&reply);
    }
    close(peer->fd);
    return NULL;
}

static enum outcome
exchange(struct peer *peer, bool lingers, bool *ret_quick)
{
    const struct frame request = { .operation = 3, .request = 7 };
    struct connection *connection = connection_new();
    struct frame reply;
    enum outcome outcome;
    pthread_t thread;
    int fds[2];

    assert_non_null(connection);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    connection->fd = fds[0];
    peer->fd = fds[1];
    assert_int_equal(pthread_create(&thread, NULL, peer_run, peer), 0);
    connection_linger(connection, lingers ? 150 : 0);
    outcome = connection_exchange(connection, &request, VIEW_EMPTY, connection_clock() + 20000,
                                  &reply);
    if (outcome == OUTCOME_ANSWERED) {
        assert_true(view_equal(connection_reply_body(connection), VIEW_TEXT("a body")));
    }
    *ret_quick = connection->was_quick;
    pthread_join(thread, NULL);
    connection_free(connection);
    return outcome;
}

static void
a_reply_is_heard_soon_or_late_whole_or_in_pieces(void **state)
{
    static const size_t pieces[] = { 1000, 1, FRAME_HEADER_LEN, FRAME_HEADER_LEN + 2 };
    bool quick;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(pieces); i++) {
        struct peer soon = { .piece = pieces[i] };
        struct peer late = { .piece = pieces[i], .wait_ns = 100000000 };

        assert_int_equal(exchange(&soon, false, &quick), OUTCOME_ANSWERED);
        assert_false(quick);
        assert_int_equal(exchange(&soon, true, &quick), OUTCOME_ANSWERED);
        assert_int_equal(exchange(&late, false, &quick), OUTCOME_ANSWERED);
        assert_int_equal(exchange(&late, true, &quick), OUTCOME_ANSWERED);
        assert_false(quick); /* the look was over long before */
    }
}

static void
a_peer_that_leaves_is_noticed_by_who_lingers(void **state)
{
    bool quick;

    UNUSED(state);
    for (unsigned i = 0; i < 2; i++) {
        struct peer peer = { .piece = 0 };

        assert_int_equal(exchange(&peer, i == 1, &quick), OUTCOME_DIED);
        assert_false(quick);
    }
}

/* Without an end to it a look would take the processor until the reply is there. */
static void
a_look_has_an_end(void **state)
{
    struct peer late = { .piece = 1000, .wait_ns = 400000000 };
    struct timespec before, after;
    bool quick;

    UNUSED(state);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    assert_int_equal(exchange(&late, true, &quick), OUTCOME_ANSWERED);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    assert_in_range((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec,
                    0, 40000000);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_heard_soon_or_late_whole_or_in_pieces),
        cmocka_unit_test(a_peer_that_leaves_is_noticed_by_who_lingers),
        cmocka_unit_test(a_look_has_an_end),
    };

    return cmocka_run_group_tests_name("api/connection", tests, NULL, NULL);
}
