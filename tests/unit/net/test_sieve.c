/* SPDX-License-Identifier: Apache-2.0
 *
 * The sieve at a real socket: whose packets are dropped is not there for it, and nobody else notices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/sieve.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define GREEDY 0x7f000301u
#define HONEST 0x7f000302u
#define MANY 0x7f000400u

static struct sieve sieve;
static int door;
static struct sockaddr_in place;

static struct sockaddr_in
from(uint32_t number)
{
    struct sockaddr_in address = { .sin_family = AF_INET };

    address.sin_addr.s_addr = htonl(number);
    return address;
}

static void
refused(uint32_t number, unsigned times, uint64_t now)
{
    const struct sockaddr_in address = from(number);

    for (unsigned i = 0; i < times; i++) {
        sieve_refused(&sieve, door, (const struct sockaddr *)&address, now);
    }
}

static int
setup(void **state)
{
    socklen_t len = sizeof place;

    (void)state;
    memset(&sieve, 0, sizeof sieve);
    place = from(INADDR_LOOPBACK);
    door = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    return bind(door, (const struct sockaddr *)&place, sizeof place) == 0 &&
                   listen(door, 64) == 0 && getsockname(door, (struct sockaddr *)&place, &len) == 0
               ? 0
               : -1;
}

static int
teardown(void **state)
{
    (void)state;
    close(door);
    return 0;
}

#define LET_IN_MS 30000
#define DROPPED_MS 100 /* before the kernel tries again */

/* The end that the door gave, -1: none came meanwhile. */
static int
comes_from(uint32_t number, int wait_ms, int *ret_own)
{
    const struct sockaddr_in address = from(number);
    struct pollfd look = { .fd = door, .events = POLLIN };

    *ret_own = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(*ret_own, (const struct sockaddr *)&address, sizeof address), 0);
    (void)!connect(*ret_own, (const struct sockaddr *)&place, sizeof place);
    return poll(&look, 1, wait_ms) == 1 ? accept(door, NULL, NULL) : -1;
}

static bool
comes_in(uint32_t number, int wait_ms)
{
    int own, end = comes_from(number, wait_ms, &own);

    close(own);
    if (end >= 0) {
        close(end);
    }
    return end >= 0;
}

static bool
is_let_in(uint32_t number)
{
    return comes_in(number, LET_IN_MS);
}

static bool
is_dropped(uint32_t number)
{
    return !comes_in(number, DROPPED_MS);
}

static void
who_is_refused_without_end_is_not_heard_for_a_moment(void **state)
{
    (void)state;
    assert_true(is_let_in(GREEDY));
    refused(GREEDY, SIEVE_REFUSALS - 1, 1000);
    assert_true(is_let_in(GREEDY));
    refused(GREEDY, 1, 1000);
    if (!sieve.attached) {
        skip(); /* this kernel does not take it */
    }
    assert_true(is_dropped(GREEDY));
    assert_true(is_let_in(HONEST));
    sieve_look(&sieve, door, 999 + SIEVE_MS);
    assert_true(is_dropped(GREEDY));

    sieve_look(&sieve, door, 1000 + SIEVE_MS);
    assert_true(is_let_in(GREEDY));
    refused(GREEDY, SIEVE_AGAIN, 1010 + SIEVE_MS); /* it has not learned */
    assert_true(is_dropped(GREEDY));
    sieve_look(&sieve, door, 5000);
    assert_true(is_let_in(GREEDY));
    refused(GREEDY, SIEVE_AGAIN, 9000); /* it has been quiet */
    assert_true(is_let_in(GREEDY));
}

static void
a_connection_that_is_there_stays(void **state)
{
    int greedy, honest, ends[2];
    char byte = 'a';

    (void)state;
    ends[0] = comes_from(GREEDY, LET_IN_MS, &greedy);
    refused(GREEDY, SIEVE_REFUSALS, 1000);
    if (!sieve.attached) {
        skip();
    }
    ends[1] = comes_from(HONEST, LET_IN_MS, &honest);
    assert_true(ends[0] >= 0 && ends[1] >= 0);
    sieve_lift(&sieve, ends[1]);
    assert_int_equal(write(greedy, &byte, 1), 1);
    assert_int_equal(write(honest, &byte, 1), 1);
    for (int i = 0; i < 2; i++) {
        struct pollfd look = { .fd = ends[i], .events = POLLIN };

        assert_int_equal(poll(&look, 1, 30000), 1);
        assert_int_equal(read(ends[i], &byte, 1), 1);
        close(ends[i]);
    }
    close(greedy);
    close(honest);
}

static void
of_many_some_are_dropped(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < SIEVE_HOSTS + 4; i++) {
        refused(MANY + i, SIEVE_REFUSALS, 1000);
    }
    if (!sieve.attached) {
        skip();
    }
    assert_int_equal(sieve.dropped, SIEVE_HOSTS);
    for (uint32_t i = 0; i < SIEVE_HOSTS + 4; i++) {
        assert_true(i < SIEVE_HOSTS ? is_dropped(MANY + i) : is_let_in(MANY + i));
    }
    sieve_look(&sieve, door, 1000 + SIEVE_MS);
    assert_int_equal(sieve.dropped, 0);
    assert_true(is_let_in(MANY));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_is_refused_without_end_is_not_heard_for_a_moment, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_connection_that_is_there_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(of_many_some_are_dropped, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
