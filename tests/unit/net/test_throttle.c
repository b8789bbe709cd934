/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/throttle.h"

#include "unit/net/addresses.h"

#include <string.h>
#include <sys/un.h>

static unsigned
allowed(struct throttle *throttle, const struct sockaddr *from, unsigned tries, uint64_t now)
{
    unsigned count = 0;

    for (unsigned i = 0; i < tries; i++) {
        count += throttle_allows(throttle, from, now);
    }
    return count;
}

static void
crowd_then_rate(void **state)
{
    struct throttle *throttle = throttle_new();
    uint64_t now = 12345;

    (void)state;
    assert_non_null(throttle);
    assert_int_equal(allowed(throttle, v4(0x0a000001), 10000, now), THROTTLE_AT_ONCE);
    /* The next host is not held up by it. */
    assert_int_equal(allowed(throttle, v4(0x0a000002), 10000, now), THROTTLE_AT_ONCE);
    /* In steps of a millisecond, nothing of the rate is lost. */
    unsigned count = 0;

    for (unsigned i = 0; i < 10000; i++) {
        count += throttle_allows(throttle, v4(0x0a000001), ++now);
    }
    assert_in_range(count, 10 * THROTTLE_PER_SECOND - 1, 10 * THROTTLE_PER_SECOND + 1);
    /* After a rest the crowd may come again, and no larger one. */
    now += 1000000000;
    assert_int_equal(allowed(throttle, v4(0x0a000001), 10000, now), THROTTLE_AT_ONCE);
    throttle_free(throttle);
}

static void
hosts_of_ipv6(void **state)
{
    struct throttle *throttle = throttle_new();

    (void)state;
    assert_int_equal(allowed(throttle, v6("2001:db8:1:2::1"), 10000, 0), THROTTLE_AT_ONCE);
    assert_int_equal(allowed(throttle, v6("2001:db8:1:2:ffff::9"), 100, 0), 0);
    assert_int_equal(allowed(throttle, v6("2001:db8:1:3::1"), 100, 0), 100);
    /* Mapped, it is the IPv4 host. */
    assert_int_equal(allowed(throttle, v4(0xc0000201), 10000, 0), THROTTLE_AT_ONCE);
    assert_int_equal(allowed(throttle, v6("::ffff:192.0.2.1"), 100, 0), 0);
    assert_int_equal(allowed(throttle, v6("::ffff:192.0.2.2"), 100, 0), 100);
    throttle_free(throttle);
}

static void
others_may(void **state)
{
    struct throttle *throttle = throttle_new();

    (void)state;
    memset(&address, 0, sizeof address);
    address.path.sun_family = AF_UNIX;
    assert_int_equal(allowed(throttle, &address.any, 10000, 0), 10000);
    throttle_free(throttle);
}

/* A million addresses fit the same table, and one that is at it all the time stays in it. */
static void
more_than_remembered(void **state)
{
    struct throttle *throttle = throttle_new();
    unsigned count = 0;

    (void)state;
    assert_int_equal(allowed(throttle, v4(1), 10000, 0), THROTTLE_AT_ONCE);
    for (uint32_t i = 0; i < 1000000; i++) {
        (void)throttle_allows(throttle, v4(0x0b000000 + i), 0);
        count += throttle_allows(throttle, v4(1), 0);
    }
    assert_int_equal(count, 0);
    throttle_free(throttle);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crowd_then_rate),
        cmocka_unit_test(hosts_of_ipv6),
        cmocka_unit_test(others_may),
        cmocka_unit_test(more_than_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
