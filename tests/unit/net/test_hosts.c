/* SPDX-License-Identifier: Apache-2.0
 *
 * Who is known, and what it is good for: a crowd of strangers holds up no host that is known.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/hosts.h"
#include "net/link.h"

#include "lib/tls_fixture.h"
#include "unit/net/addresses.h"

#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 30000u
#define CROWD 300u
#define ROUNDS 5u

static void
who_was_met_is_known_for_a_day(void **state)
{
    struct hosts *hosts = hosts_new();

    (void)state;
    assert_non_null(hosts);
    assert_false(hosts_know(hosts, v4(0x0a000001), 5));
    hosts_meet(hosts, v4(0x0a000001), 5);
    assert_true(hosts_know(hosts, v4(0x0a000001), 5));
    assert_true(hosts_know(hosts, v4(0x0a000001), 4)); /* by a clock that was read before */
    assert_false(hosts_know(hosts, v4(0x0a000002), 5));
    assert_true(hosts_know(hosts, v6("::ffff:10.0.0.1"), 4 + HOSTS_KNOWN_MS));
    assert_false(hosts_know(hosts, v4(0x0a000001), 5 + HOSTS_KNOWN_MS));
    hosts_meet(hosts, v4(0x0a000001), 5 + HOSTS_KNOWN_MS);
    assert_true(hosts_know(hosts, v4(0x0a000001), 5 + HOSTS_KNOWN_MS));

    hosts_meet(hosts, v6("2001:db8::1"), 9);
    assert_true(hosts_know(hosts, v6("2001:db8::2"), 9));
    assert_false(hosts_know(hosts, v6("2001:db8:0:1::1"), 9));
    hosts_free(hosts);
}

static void
what_is_no_address_is_not_known(void **state)
{
    struct hosts *hosts = hosts_new();

    (void)state;
    assert_non_null(hosts);
    memset(&address, 0, sizeof address);
    address.path.sun_family = AF_UNIX;
    hosts_meet(hosts, &address.any, 1);
    assert_false(hosts_know(hosts, &address.any, 1));
    hosts_free(hosts);
}

static void
those_met_last_are_remembered(void **state)
{
    struct hosts *hosts = hosts_new();
    unsigned known = 0;

    (void)state;
    assert_non_null(hosts);
    for (uint32_t i = 0; i < 100000; i++) {
        hosts_meet(hosts, v4(i), i);
    }
    for (uint32_t i = 99000; i < 100000; i++) {
        known += hosts_know(hosts, v4(i), 100000);
    }
    assert_in_range(known, 990, 1000);
    hosts_free(hosts);
}

/* ---- at a listener ---- */

#define KNOWN 0x7f090909u
#define STRANGER 0x7f010000u

struct door {
    unsigned strangers;
    unsigned before; /* strangers that came before the known one */
    bool known;
};

static void
on_accepted(void *arg, int fd)
{
    struct door *door = arg;
    struct sockaddr_in from;
    socklen_t len = sizeof from;

    assert_int_equal(getpeername(fd, (struct sockaddr *)&from, &len), 0);
    if (ntohl(from.sin_addr.s_addr) == KNOWN) {
        door->known = true;
        door->before = door->strangers;
    } else {
        door->strangers++;
    }
    close(fd);
}

static bool
all_are_in(void *arg)
{
    const struct door *door = arg;

    return door->known && door->strangers == CROWD;
}

static int
dial(uint32_t from, unsigned port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, v4(from), sizeof(struct sockaddr_in)), 0);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)!connect(fd, (const struct sockaddr *)&to, sizeof to);
    return fd;
}

/* How many strangers were let in before the host that came last. */
static unsigned
strangers_before(bool met)
{
    struct loop *loop = loop_new();
    struct hosts *hosts = hosts_new();
    struct door door = { 0, 0, false };
    struct listener *listener = listener_new(loop, "127.0.0.1:0", on_accepted, &door);
    int fds[CROWD + 1];

    assert_non_null(hosts);
    assert_non_null(listener);
    listener_hosts(listener, hosts);
    if (met) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        hosts_meet(hosts, v4(KNOWN), (uint64_t)now.tv_sec * 1000u);
    }
    for (unsigned i = 0; i < CROWD; i++) {
        fds[i] = dial(STRANGER + 1 + i % 200, listener_port(listener));
    }
    fds[CROWD] = dial(KNOWN, listener_port(listener));
    assert_true(loop_until(loop, all_are_in, &door, LIMIT_MS));
    for (unsigned i = 0; i <= CROWD; i++) {
        close(fds[i]);
    }
    listener_free(listener);
    hosts_free(hosts);
    loop_free(loop);
    return door.before;
}

/* On a machine that stands still for long there may be time for all, so more than once. */
static void
a_known_host_does_not_wait_for_a_crowd_of_strangers(void **state)
{
    unsigned before = CROWD;

    (void)state;
    assert_in_range(strangers_before(false), CROWD - CROWD / 20, CROWD);
    for (unsigned i = 0; i < ROUNDS && before >= CROWD - CROWD / 10; i++) {
        before = strangers_before(true);
    }
    assert_in_range(before, 0, CROWD - CROWD / 10);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_was_met_is_known_for_a_day),
        cmocka_unit_test(what_is_no_address_is_not_known),
        cmocka_unit_test(those_met_last_are_remembered),
        cmocka_unit_test(a_known_host_does_not_wait_for_a_crowd_of_strangers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
