/* SPDX-License-Identifier: Apache-2.0
 *
 * Names are looked up beside the loop. getaddrinfo() is ours here for what is no number: it takes
 * its time, and says where the host is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/resolve.h"

#include "lib/tls_fixture.h"
#include "net/link.h"

#include <dlfcn.h>
#include <netdb.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SLOW_MS 300

static atomic_uint asked;
static _Atomic int answer; /* of names; 0: 127.0.0.1 */

int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
            struct addrinfo **found)
{
    typedef int function(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    static function *real;
    const bool name = strncmp(node, "host", 4) == 0;

    if (real == NULL) {
        real = (function *)dlsym(RTLD_NEXT, "getaddrinfo");
    }
    if (name && (hints == NULL || (hints->ai_flags & AI_NUMERICHOST) == 0)) {
        nanosleep(&(struct timespec){ 0, SLOW_MS * 1000000L }, NULL);
        asked++;
        return answer != 0 ? answer : real("127.0.0.1", service, hints, found);
    }
    return real(node, service, hints, found);
}

struct fixture {
    struct loop *loop;
    struct listener *listener;
    unsigned accepted;
    unsigned ticks;
    unsigned done;
    struct timer *tick;
};

static void
on_accepted(void *arg, int fd)
{
    ((struct fixture *)arg)->accepted++;
    close(fd);
}

static void
on_tick(void *arg)
{
    ((struct fixture *)arg)->ticks++;
}

static void
on_done(void *arg)
{
    ((struct fixture *)arg)->done++;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->loop = loop_new();
    f->listener = listener_new(f->loop, "127.0.0.1:0", on_accepted, f);
    assert_non_null(f->listener);
    f->tick = timer_new(f->loop, 10, true, on_tick, f);
    asked = 0;
    answer = 0;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    timer_free(f->tick);
    listener_free(f->listener);
    loop_free(f->loop);
    free(f);
    return 0;
}

static bool
is_done(void *arg)
{
    return ((struct fixture *)arg)->done > 0;
}

static bool
is_accepted(void *arg)
{
    return ((struct fixture *)arg)->accepted > 0;
}

static void
an_address_in_numbers_is_connected_to_at_once(void **state)
{
    struct fixture *f = *state;
    struct resolver *resolver = resolver_new(f->loop, "127.0.0.1", on_done, f);
    int fd = resolver_connect(resolver, listener_port(f->listener));

    assert_true(fd >= 0);
    assert_false(resolver_looks(resolver));
    assert_true(loop_until(f->loop, is_accepted, f, 5000));
    assert_int_equal(asked, 0);
    close(fd);
    resolver_free(resolver);
}

static void
the_loop_goes_on_while_a_name_is_looked_up(void **state)
{
    struct fixture *f = *state;
    struct resolver *resolver = resolver_new(f->loop, "host.example", on_done, f);
    int fd;

    assert_int_equal(resolver_connect(resolver, listener_port(f->listener)), -1);
    assert_true(resolver_looks(resolver));
    assert_int_equal(resolver_connect(resolver, listener_port(f->listener)), -1);
    assert_true(loop_until(f->loop, is_done, f, 10000));
    assert_in_range(f->ticks, 3, 100000); /* of thirty, on an idle machine */
    assert_false(resolver_looks(resolver));
    assert_true(resolver_knows(resolver));
    fd = resolver_connect(resolver, listener_port(f->listener));
    assert_true(fd >= 0);
    assert_true(loop_until(f->loop, is_accepted, f, 5000));
    assert_int_equal(asked, 1);
    close(fd);
    resolver_free(resolver);
}

static void
a_name_that_is_not_known_is_asked_for_again(void **state)
{
    struct fixture *f = *state;
    struct resolver *resolver = resolver_new(f->loop, "host.unknown", on_done, f);

    answer = EAI_NONAME;
    assert_int_equal(resolver_connect(resolver, 1), -1);
    assert_true(loop_until(f->loop, is_done, f, 10000));
    assert_false(resolver_knows(resolver));
    answer = 0;
    f->done = 0;
    assert_int_equal(resolver_connect(resolver, 1), -1);
    assert_true(resolver_looks(resolver));
    assert_true(loop_until(f->loop, is_done, f, 10000));
    assert_true(resolver_knows(resolver));
    resolver_free(resolver);
}

static void
who_goes_meanwhile_is_not_called(void **state)
{
    struct fixture *f = *state;
    struct resolver *resolver = resolver_new(f->loop, "host.example", on_done, f);

    assert_int_equal(resolver_connect(resolver, 1), -1);
    resolver_free(resolver);
    for (int i = 0; i < 100 && asked == 0; i++) {
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    }
    loop_for(f->loop, 50);
    assert_int_equal(asked, 1);
    assert_int_equal(f->done, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_address_in_numbers_is_connected_to_at_once),
        TEST(the_loop_goes_on_while_a_name_is_looked_up),
        TEST(a_name_that_is_not_known_is_asked_for_again),
        TEST(who_goes_meanwhile_is_not_called),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
