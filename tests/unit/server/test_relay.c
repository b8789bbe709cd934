/* SPDX-License-Identifier: Apache-2.0
 *
 * A place between two threads: nobody else steps in while what it was lent for is quick, somebody does
 * when it is not, and there are never two in it.
 */
#include "server/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

struct other {
    struct relay *relay;
    pthread_t thread;
    atomic_uint steps; /* how often it got the place */
    atomic_bool in;
    atomic_bool leave; /* it is to lend the place, until somebody has it */
    atomic_bool had;
};

static void *
other_run(void *arg)
{
    struct other *other = arg;

    while (relay_take(other->relay)) {
        atomic_store(&other->in, true);
        atomic_fetch_add(&other->steps, 1);
        while (!atomic_load(&other->leave)) {
            usleep(200);
        }
        atomic_store(&other->leave, false);
        atomic_store(&other->in, false);
        (void)!relay_lend(other->relay);
        while (!atomic_load(&other->had)) {
            usleep(200);
        }
        atomic_store(&other->had, false);
    }
    return NULL;
}

static void
begin(struct relay *relay, struct other *other)
{
    relay_init(relay);
    assert_true(relay_take(relay));
    *other = (struct other){ .relay = relay };
    assert_int_equal(pthread_create(&other->thread, NULL, other_run, other), 0);
}

/* Gets the place from the other, which is in it. */
static void
take_from(struct other *other)
{
    atomic_store(&other->leave, true);
    assert_true(relay_take(other->relay));
    atomic_store(&other->had, true);
}

static void
end(struct relay *relay, struct other *other)
{
    relay_end(relay);
    atomic_store(&other->leave, true);
    atomic_store(&other->had, true);
    pthread_join(other->thread, NULL);
    assert_false(relay_take(relay));
    relay_clear(relay);
}

static void
await(atomic_bool *what)
{
    for (unsigned i = 0; i < 100000 && !atomic_load(what); i++) {
        usleep(200);
    }
    assert_true(atomic_load(what));
}

static void
what_is_not_lent_is_kept(void **state)
{
    struct relay relay;
    struct other other;

    (void)state;
    begin(&relay, &other);

    usleep(20000);

    assert_int_equal(atomic_load(&other.steps), 0);
    end(&relay, &other);
}

static void
what_is_lent_for_long_goes_to_the_other(void **state)
{
    struct relay relay;
    struct other other;
    uint64_t loan;

    (void)state;
    begin(&relay, &other);

    loan = relay_lend(&relay);
    await(&other.in);

    assert_false(relay_back(&relay, loan));
    take_from(&other); /* and comes back when that one takes long */
    end(&relay, &other);
}

static void
a_loan_that_is_over_is_not_mistaken_for_a_later_one(void **state)
{
    struct relay relay;
    struct other other;
    uint64_t loan;

    (void)state;
    begin(&relay, &other);
    loan = relay_lend(&relay);
    await(&other.in);
    atomic_store(&other.leave, true);
    while (atomic_load(&other.in)) {
        usleep(100);
    }
    usleep(1000); /* by now it has lent it, most likely */

    assert_false(relay_back(&relay, loan));

    end(&relay, &other);
}

/* With many quick loans there is hardly one that the other takes; on a machine that is busy with
 * other things some are not quick. Both count in a place that is theirs alone. */
static void
two_are_never_in_it(void **state)
{
    struct relay relay;
    struct other other;
    unsigned kept = 0;

    (void)state;
    begin(&relay, &other);

    for (unsigned i = 0; i < 20000; i++) {
        const uint64_t loan = relay_lend(&relay);

        if (relay_back(&relay, loan)) {
            kept++;
        } else {
            await(&other.in);
            take_from(&other);
        }
        assert_false(atomic_load(&other.in));
    }

    assert_true(kept > 10000);
    end(&relay, &other);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_lent_is_kept),
        cmocka_unit_test(what_is_lent_for_long_goes_to_the_other),
        cmocka_unit_test(a_loan_that_is_over_is_not_mistaken_for_a_later_one),
        cmocka_unit_test(two_are_never_in_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
