/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes whose tickets live for different times: what ends a login outlives them all.
 */
#include "unit/core/core_test.h"

#include "lib/nodes.h"
#include "store/memory.h"

#include <pthread.h>

#define LONG_MS (3 * TICKET_LIFE_MS)

/* As the edge does it when it starts. */
static void
begin(struct hsm_fixture *f, const char *hostname, uint64_t life)
{
    hsm_set_ticket_life(f->hsm, life);
    assert_ok(hsm_fixture_enter(f, hostname));
    assert_ok(hsm_keep_ticket_life(f->hsm));
}

static int
setup(void **state)
{
    struct nodes *n = nodes_new(POLICY_STANDARD);

    begin(&n->one, "one", TICKET_LIFE_MS);
    begin(&n->two, "two", TICKET_LIFE_MS);
    app_clear(&n->cu1);
    app_init(&n->cu1, &n->one, APP_NOBODY); /* who logs in by himself */
    nodes_be_patient(n);
    *state = n;
    return 0;
}

static int
teardown(void **state)
{
    nodes_free(*state);
    return 0;
}

struct keeper {
    pthread_t thread;
    struct hsm *hsm;
    CK_RV rv;
};

static void *
keeper_run(void *arg)
{
    struct keeper *k = arg;

    k->rv = hsm_keep_ticket_life(k->hsm);
    return NULL;
}

static void
keep_begin(struct keeper *k, struct hsm_fixture *f, uint64_t life)
{
    k->hsm = f->hsm;
    hsm_set_ticket_life(k->hsm, life);
    assert_int_equal(pthread_create(&k->thread, NULL, keeper_run, k), 0);
}

#define BEATS_MAX 500

/* Who keeps it waits for the other node, whose beats are nobody's but the test's. */
static CK_RV
keep_end(struct keeper *k, struct hsm_fixture *other)
{
    int beats = 0;

    do {
        assert_true(beats++ < BEATS_MAX);
        hsm_beat(other->hsm);
    } while (!thread_ends_within(k->thread, 10));
    return k->rv;
}

static CK_RV
keep(struct hsm_fixture *f, uint64_t life, struct hsm_fixture *other)
{
    struct keeper k;

    keep_begin(&k, f, life);
    return keep_end(&k, other);
}

static void
pass(struct nodes *n, uint64_t ms)
{
    outside_move_clock(&n->one.outside, ms);
    outside_move_clock(&n->two.outside, ms);
    assert_true(follow_catch_up(n->one.hsm));
    assert_true(follow_catch_up(n->two.hsm));
    hsm_sweep(n->one.hsm, UINT64_MAX);
    hsm_sweep(n->two.hsm, UINT64_MAX);
}

/* Does the ticket bring the login back on that node? */
static bool
comes_back(struct app *app, struct hsm_fixture *to)
{
    assert_ok(app_move(app, to));
    return app_create(app, LIST(AES_CREATE), NULL) == CKR_OK;
}

static void
a_logout_outlives_the_longest_ticket_of_all_nodes(void **state)
{
    struct nodes *n = *state;

    assert_ok(keep(&n->two, LONG_MS, &n->one));
    assert_ok(app_move(&n->cu1, &n->two));
    assert_ok(app_login(&n->cu1, ROLE_CU, USER1_NAME, USER1_PASSWORD)); /* with a long ticket */
    assert_true(comes_back(&n->cu1, &n->one));
    assert_ok(app_logout(&n->cu1)); /* where they are short */
    pass(n, LONG_MS - 1000);
    assert_int_equal(outside_count(&n->one.outside, "t/"), 1);
    assert_ok(app_detach(&n->cu1));
    assert_false(comes_back(&n->cu1, &n->two));
    pass(n, 1000 + LIFE_MARGIN_MS + 1);
    assert_int_equal(outside_count(&n->one.outside, "t/"), 0);
    assert_ok(app_detach(&n->cu1));
    assert_false(comes_back(&n->cu1, &n->two));
}

/* The ticket of a time before is still about. */
static void
it_is_known_after_the_setting_was_lowered(void **state)
{
    struct nodes *n = *state;

    assert_ok(keep(&n->two, LONG_MS, &n->one));
    assert_ok(app_move(&n->cu1, &n->two));
    assert_ok(app_login(&n->cu1, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    hsm_fixture_reopen(&n->two);
    begin(&n->two, "two", TICKET_LIFE_MS);
    assert_true(comes_back(&n->cu1, &n->two));
    assert_ok(app_logout(&n->cu1));
    pass(n, LONG_MS - 1000);
    assert_ok(app_detach(&n->cu1));
    assert_false(comes_back(&n->cu1, &n->two));
}

static void
the_longest_of_two_stays(void **state)
{
    struct nodes *n = *state;

    assert_ok(keep(&n->one, LONG_MS, &n->two));
    hsm_set_ticket_life(n->two.hsm, 2 * TICKET_LIFE_MS);
    assert_ok(hsm_keep_ticket_life(n->two.hsm));
    assert_int_equal(n->two.hsm->life.longest, LONG_MS);
    assert_ok(keep(&n->two, 2 * LONG_MS, &n->one));
    assert_int_equal(n->one.hsm->life.longest, 2 * LONG_MS);
}

/* Before a ticket that lives so long is made, who ends logins has to know. */
static void
it_is_kept_when_the_other_node_knows_of_it(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->one.outside.inner;
    struct keeper k;

    memory_store_hold(store, true);
    keep_begin(&k, &n->two, LONG_MS);
    assert_false(thread_ends_within(k.thread, 200));
    memory_store_hold(store, false);
    assert_ok(keep_end(&k, &n->one));
    assert_int_equal(n->one.hsm->life.longest, LONG_MS);
}

static void
what_everybody_has_needs_no_record(void **state)
{
    struct nodes *n = *state;

    hsm_set_ticket_life(n->two.hsm, 5000);
    assert_ok(hsm_keep_ticket_life(n->two.hsm));
    assert_int_equal(outside_count(&n->one.outside, "e/"), 0);
}

static void
a_store_that_does_not_take_it_is_told_of(void **state)
{
    struct nodes *n = *state;

    hsm_set_ticket_life(n->one.hsm, LONG_MS);
    outside_fail(&n->one.outside, CALL_SUBMIT, 1);
    assert_code(hsm_keep_ticket_life(n->one.hsm), CKR_DEVICE_ERROR);
    assert_true(outside_mend(&n->one.outside));
    assert_ok(keep(&n->one, LONG_MS, &n->two));
    assert_int_equal(outside_count(&n->one.outside, "e/"), 1);
}

/* One of the release before would not read it; and who ends a login does not know how long it lives. */
static void
it_is_written_when_all_nodes_read_it(void **state)
{
    struct hsm_fixture f;

    UNUSED(state);
    hsm_fixture_init(&f, POLICY_STANDARD);
    f.outside.ports.release = FRAME_VERSION - 1;
    hsm_fixture_follow(&f, NODE_ONE);
    begin(&f, "one", LONG_MS);
    assert_int_equal(outside_count(&f.outside, "e/"), 0);
    assert_int_equal(life_own(f.hsm), TICKET_LIFE_MS);
    f.outside.ports.release = FRAME_VERSION;
    hsm_fixture_reopen(&f);
    begin(&f, "one", LONG_MS);
    assert_int_equal(outside_count(&f.outside, "e/"), 1);
    assert_int_equal(life_own(f.hsm), LONG_MS);
    hsm_fixture_clear(&f);
}

static void
who_is_alone_keeps_it_as_well(void **state)
{
    struct hsm_fixture f;

    UNUSED(state);
    hsm_fixture_init(&f, POLICY_STANDARD);
    begin(&f, "alone", LONG_MS);
    hsm_fixture_reopen(&f);
    begin(&f, "alone", 5000);
    assert_int_equal(f.hsm->life.longest, LONG_MS);
    hsm_fixture_clear(&f);
}

#define OF_TWO(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        OF_TWO(a_logout_outlives_the_longest_ticket_of_all_nodes),
        OF_TWO(it_is_known_after_the_setting_was_lowered),
        OF_TWO(the_longest_of_two_stays),
        OF_TWO(it_is_kept_when_the_other_node_knows_of_it),
        OF_TWO(what_everybody_has_needs_no_record),
        OF_TWO(a_store_that_does_not_take_it_is_told_of),
        cmocka_unit_test(it_is_written_when_all_nodes_read_it),
        cmocka_unit_test(who_is_alone_keeps_it_as_well),
    };

    return cmocka_run_group_tests_name("core/life", tests, NULL, NULL);
}
