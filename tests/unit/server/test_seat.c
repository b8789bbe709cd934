/* SPDX-License-Identifier: Apache-2.0
 *
 * A lane that is asked one thing at a time moves to where its requests come in.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/link.h"
#include "net/loop.h"
#include "server/seat.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ASKS 20u

struct bench {
    struct loop *loop;
    struct link *link;
    int fd; /* of the other end */
};

static const struct link_events no_events = { 0 };

static void
bench_init(struct bench *b)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int accepted;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(b->fd, (struct sockaddr *)&address, len), 0);
    accepted = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(accepted >= 0);
    close(listener);
    b->loop = loop_new();
    b->link = link_new(b->loop, accepted, NULL, true, &no_events, NULL);
    assert_non_null(b->link);
}

static void
bench_clear(struct bench *b)
{
    link_free(b->link);
    loop_free(b->loop);
    close(b->fd);
}

/* A tick with nothing but requests that came one by one; then the next begins. */
static void
ask(const struct bench *b, struct seat *seat, struct seats *seats)
{
    const struct timespec pause = { .tv_nsec = 12000000 };

    for (unsigned i = 0; i < 20; i++) {
        seat_look(seat, seats, b->link, true);
    }
    nanosleep(&pause, NULL);
}

/* Away from where the requests come in. False: there is no other processor. */
static bool
stand_elsewhere(const struct bench *b, const cpu_set_t *all)
{
    const int processor = link_processor(b->link);
    cpu_set_t others = *all;

    assert_in_range(processor, 0, CPU_SETSIZE - 1);
    CPU_CLR((unsigned)processor, &others);
    if (CPU_COUNT(&others) == 0) {
        return false;
    }
    assert_int_equal(sched_setaffinity(0, sizeof others, &others), 0);
    assert_int_equal(sched_setaffinity(0, sizeof *all, all), 0);
    return true;
}

/* The scheduler may move us at any time, but it does so seldom. */
static void
it_moves_to_where_its_requests_come_in(void **state)
{
    struct seats seats = { NULL };
    struct seat seat = { 0 };
    cpu_set_t before, after;
    unsigned right = 0;
    struct bench b;

    UNUSED(state);
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    bench_init(&b);
    for (unsigned i = 0; i < ASKS; i++) {
        assert_int_equal(send(b.fd, "x", 1, MSG_NOSIGNAL), 1);
        ask(&b, &seat, &seats);
        if (!stand_elsewhere(&b, &before)) {
            skip();
        }
        seat_look(&seat, &seats, b.link, true);
        right += sched_getcpu() == link_processor(b.link);
    }
    assert_in_range(right, ASKS / 2 + 1, ASKS);
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
    bench_clear(&b);
}

/* Of two lanes that are busy each stays where it is. */
static void
it_stays_while_others_are_busy(void **state)
{
    struct seats seats = { NULL };
    struct seat one = { 0 }, two = { 0 };
    unsigned moved = 0;
    cpu_set_t all;
    struct bench b;

    UNUSED(state);
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    bench_init(&b);
    assert_int_equal(send(b.fd, "x", 1, MSG_NOSIGNAL), 1);
    for (unsigned i = 0; i < ASKS; i++) {
        ask(&b, &one, &seats);
        ask(&b, &two, &seats);
        seat_look(&two, &seats, b.link, true);
        if (!stand_elsewhere(&b, &all)) {
            skip();
        }
        seat_look(&one, &seats, b.link, true);
        moved += sched_getcpu() == link_processor(b.link);
    }
    assert_in_range(moved, 0, ASKS / 2);
    bench_clear(&b);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_moves_to_where_its_requests_come_in),
        cmocka_unit_test(it_stays_while_others_are_busy),
    };

    return cmocka_run_group_tests_name("server/seat", tests, NULL, NULL);
}
