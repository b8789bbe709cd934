/* SPDX-License-Identifier: Apache-2.0
 *
 * Nodes of neighbouring releases on one store: it is of the lowest, rises with the last, and does
 * not open for who is too early then.
 */
#include "unit/core/core_test.h"

#include "lib/nodes.h"
#include "store/memory.h"

#define NEXT (FRAME_VERSION + 1)

/* It is started anew with that release. */
static void
renew(struct hsm_fixture *f, uint32_t release, const char *hostname)
{
    f->outside.ports.release = release;
    hsm_fixture_reopen(f);
    assert_ok(hsm_fixture_enter(f, hostname));
}

/* What it says when it has heard of all that was written. */
static uint32_t
told(struct hsm_fixture *f)
{
    assert_true(follow_catch_up(f->hsm));
    return hsm_release(f->hsm);
}

static int
setup(void **state)
{
    struct nodes *n = nodes_new(POLICY_STANDARD);

    nodes_enter(n);
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

static void
it_rises_when_the_last_node_is_renewed(void **state)
{
    struct nodes *n = *state;

    assert_int_equal(told(&n->one), FRAME_VERSION);
    renew(&n->one, NEXT, "one");
    assert_int_equal(told(&n->one), FRAME_VERSION);
    assert_int_equal(told(&n->two), FRAME_VERSION);
    renew(&n->two, NEXT, "two");
    assert_int_equal(told(&n->two), NEXT);
    assert_int_equal(told(&n->one), NEXT);
}

static void
until_then_a_node_may_go_back(void **state)
{
    struct nodes *n = *state;

    renew(&n->one, NEXT, "one");
    renew(&n->one, FRAME_VERSION, "one");
    renew(&n->two, NEXT, "two");
    assert_int_equal(told(&n->two), FRAME_VERSION);
    assert_int_equal(told(&n->one), FRAME_VERSION);
}

static void
after_that_it_does_not(void **state)
{
    struct nodes *n = *state;

    renew(&n->one, NEXT, "one");
    renew(&n->two, NEXT, "two");
    hsm_close(n->one.hsm); /* who watches a store watches it once */
    n->one.hsm = NULL;
    n->one.outside.ports.release = FRAME_VERSION;
    assert_code(hsm_fixture_try_open(&n->one), CKR_GENERAL_ERROR);
    n->one.outside.ports.release = NEXT + 1;
    assert_code(hsm_fixture_try_open(&n->one), CKR_OK);
}

/* It has read everything before, and writes what it is when it is too late. */
static void
who_comes_in_meanwhile_is_refused(void **state)
{
    struct nodes *n = *state;

    nodes_join_third(n);
    renew(&n->one, NEXT, "one");
    renew(&n->two, NEXT, "two");
    assert_code(hsm_fixture_enter(&n->three, "late"), CKR_GENERAL_ERROR);
    assert_int_equal(told(&n->two), NEXT);
}

static void
a_node_that_was_removed_holds_nothing_up(void **state)
{
    struct nodes *n = *state;
    const struct node_remove_request m = { 2 };
    struct node_remove_reply answer;

    renew(&n->one, NEXT, "one");
    hsm_sweep(n->one.hsm, 1000);
    assert_int_equal(told(&n->one), FRAME_VERSION);
    assert_ok(app_attach(&n->officer));
    assert_ok(app_send_node_remove(&n->officer, &m, &answer));
    hsm_sweep(n->one.hsm, 1000);
    assert_int_equal(told(&n->one), NEXT);
}

static void
a_store_that_fails_is_asked_again(void **state)
{
    struct nodes *n = *state;

    renew(&n->one, NEXT, "one");
    n->two.outside.ports.release = NEXT;
    hsm_fixture_reopen(&n->two);
    outside_fail(&n->two.outside, CALL_SUBMIT, 2); /* the first is its own entry */
    assert_ok(hsm_fixture_enter(&n->two, "two"));
    assert_true(outside_mend(&n->two.outside));
    assert_int_equal(told(&n->one), FRAME_VERSION);
    hsm_sweep(n->two.hsm, 1000);
    assert_int_equal(told(&n->one), NEXT);
}

/* Both of the release before. */
static int
setup_before(void **state)
{
    struct nodes *n = calloc(1, sizeof *n);

    hsm_fixture_init(&n->one, POLICY_STANDARD);
    n->one.outside.ports.release = FRAME_VERSION - 1;
    hsm_fixture_follow(&n->one, NODE_ONE);
    assert_ok(hsm_fixture_enter(&n->one, "one"));
    n->one.outside.ports.release = 0;
    *state = n;
    return 0;
}

static void
join_before(struct nodes *n)
{
    hsm_fixture_join(&n->two, &n->one, NODE_TWO);
    n->two.outside.ports.release = FRAME_VERSION - 1;
    hsm_fixture_reopen(&n->two);
    assert_ok(hsm_fixture_enter(&n->two, "two"));
    renew(&n->one, FRAME_VERSION, "one");
    assert_int_equal(told(&n->one), FRAME_VERSION - 1);
}

static CK_RV
ask_copies(struct app *app)
{
    struct copies_reply answer;

    assert_ok(app_attach(app));
    return app_send_copies(app, &(struct copies_request){ .after = 0 }, &answer);
}

/* A node of the release before would read no record that ends one. */
static void
copies_are_given_when_all_nodes_know_their_end(void **state)
{
    struct nodes *n = *state;
    struct app app;

    join_before(n);
    app_init(&app, &n->one, USER1);
    assert_code(ask_copies(&app), CODE_LAGGING);
    renew(&n->two, FRAME_VERSION, "two");
    assert_int_equal(told(&n->one), FRAME_VERSION);
    assert_ok(ask_copies(&app));
    app_clear(&app);
}

/* Nor a record of the list that says so. */
static void
nobody_is_fenced_before_all_nodes_read_it(void **state)
{
    struct nodes *n = *state;
    const struct member *two;

    join_before(n);
    hsm_beat(n->two.hsm);
    assert_int_equal(told(&n->one), FRAME_VERSION - 1);
    memory_store_hold(n->two.outside.inner, true);
    for (int i = 0; i < 20; i++) {
        outside_move_clock(&n->one.outside, 4000);
        assert_int_equal(told(&n->one), FRAME_VERSION - 1);
        hsm_beat(n->one.hsm);
    }
    assert_int_equal(told(&n->one), FRAME_VERSION - 1);
    two = members_by_serial(&n->one.hsm->members, VIEW_TEXT(NODE_TWO));
    assert_int_equal(two->fenced, 0);
    memory_store_hold(n->two.outside.inner, false);
    assert_int_equal(told(&n->two), FRAME_VERSION - 1);
}

static void
who_is_alone_is_of_his_own(void **state)
{
    struct hsm_fixture f;

    UNUSED(state);
    hsm_fixture_init(&f, POLICY_STANDARD);
    assert_int_equal(hsm_release(f.hsm), FRAME_VERSION);
    assert_ok(hsm_fixture_enter(&f, "alone"));
    hsm_sweep(f.hsm, 1000);
    assert_int_equal(outside_count(&f.outside, "v/"), 0);
    hsm_fixture_clear(&f);
}

#define OF_TWO(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define OF_BEFORE(test) cmocka_unit_test_setup_teardown(test, setup_before, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        OF_TWO(it_rises_when_the_last_node_is_renewed),
        OF_TWO(until_then_a_node_may_go_back),
        OF_TWO(after_that_it_does_not),
        OF_TWO(who_comes_in_meanwhile_is_refused),
        OF_TWO(a_node_that_was_removed_holds_nothing_up),
        OF_TWO(a_store_that_fails_is_asked_again),
        OF_BEFORE(copies_are_given_when_all_nodes_know_their_end),
        OF_BEFORE(nobody_is_fenced_before_all_nodes_read_it),
        cmocka_unit_test(who_is_alone_is_of_his_own),
    };

    return cmocka_run_group_tests_name("core/release", tests, NULL, NULL);
}
