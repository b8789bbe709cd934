/* SPDX-License-Identifier: Apache-2.0
 *
 * The planner: it finds the ways that are known from publications, no way that could do without one of
 * its moves, and none by what a module lacks.
 */
#include "gen/test.h"
#include "model/planner.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct plan *plans;
static size_t plans_count;

static int
set_up(void **state)
{
    (void)state;
    return planner_find(8, &plans, &plans_count) ? 0 : -1;
}

static int
tear_down(void **state)
{
    (void)state;
    free(plans);
    return 0;
}

/* "mt gwd wt dt" */
static struct plan
plan_of(const char *text)
{
    struct plan plan = { 0 };

    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        int m = 0;

        while (m < MOVE_COUNT &&
               (strlen(moves[m].tag) != len || strncmp(moves[m].tag, text, len) != 0)) {
            m++;
        }
        assert_true(m < MOVE_COUNT && plan.count < PLAN_MOST);
        plan.move[plan.count++] = (uint8_t)m;
        text += len + strspn(text + len, " ");
    }
    return plan;
}

static bool
is_found(const char *text)
{
    struct plan plan = plan_of(text);

    for (size_t i = 0; i < plans_count; i++) {
        if (memcmp(&plans[i], &plan, sizeof plan) == 0) {
            return true;
        }
    }
    return false;
}

static void
the_attacks_of_publications_are_found(void **state)
{
    static const char *const known[] = {
        "mt gwd wt dt", /* SEC-01: Clulow, wrap and decrypt */
        "mt gue ex ux wtx otx", /* SEC-02: a key of the intruder's own by encrypt and unwrap */
        "mt gw gt wt wat uhd dtb", /* SEC-03: one key unwrapped in two roles */
        "mt gw wt twd dt", /* SEC-04: one role after the other */
        "mt gw kd wt dtb", /* SEC-05: a copy with another role */
        "mt kt yo", /* and one that is less sensitive */
        "mt yt", /* SEC-06 */
        "mt cp wtp otp", /* SEC-07: the intruder's public key */
        "mq gwd wt dt", /* SEC-08: under a key that nobody trusts */
        "md dx yc", /* SEC-12: a readable child */
        "mt rw rs wtr it", /* SEC-17: signing decrypts */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (!is_found(known[i])) {
            fail_msg("%s is not found", known[i]);
        }
    }
}

static void
every_plan_works_and_needs_each_of_its_moves(void **state)
{
    (void)state;
    assert_true(plans_count > 300);
    for (size_t i = 0; i < plans_count; i++) {
        assert_true(plan_works(&plans[i]));
        for (size_t k = 0; k < plans[i].count; k++) {
            struct plan less = { .count = (uint8_t)(plans[i].count - 1) };

            memcpy(less.move, plans[i].move, k);
            memcpy(less.move + k, plans[i].move + k + 1, plans[i].count - k - 1u);
            /* A role that is taken away may stay: that is a way of its own. */
            if (moves[plans[i].move[k]].act != ACT_LOSE_W &&
                moves[plans[i].move[k]].act != ACT_LOSE_E) {
                assert_false(plan_works(&less));
            }
        }
    }
}

static void
plans_come_in_one_order_and_once(void **state)
{
    struct plan *again;
    size_t count;

    (void)state;
    assert_true(planner_find(8, &again, &count));
    assert_int_equal(count, plans_count);
    assert_memory_equal(again, plans, count * sizeof *again);
    for (size_t i = 1; i < count; i++) {
        assert_true(plans[i - 1].count < plans[i].count ||
                    (plans[i - 1].count == plans[i].count &&
                     memcmp(plans[i - 1].move, plans[i].move, sizeof plans[i].move) < 0));
    }
    free(again);
}

static void
what_leads_nowhere_does_not_work(void **state)
{
    static const char *const bad[] = {
        "mt", /* no bytes */
        "mt gw wt dt", /* cannot decrypt */
        "gwd wt dt mt", /* wraps what is not there */
        "mt gw twd wt dt", /* can no longer wrap */
        "mt yt yt", /* further than the goal */
        "mt gwd gw wt dt", /* A twice */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct plan plan = plan_of(bad[i]);

        assert_false(plan_works(&plan));
        assert_false(is_found(bad[i]));
    }
}

static size_t
tests_of(const struct world *world)
{
    struct suite suite;
    size_t count;

    assert_true(suite_make(&suite, world, UINT32_C(1) << AREA_SEC, DEPTH_DEFAULT));
    suite_keep(&suite, "SEC/-/pl");
    count = suite.count;
    suite_clear(&suite);
    return count;
}

static void
ways_by_what_a_module_lacks_are_left_out(void **state)
{
    static const CK_MECHANISM_TYPE mechs[] = {
        CKM_AES_CBC_PAD, CKM_AES_GCM,       CKM_AES_KEY_WRAP,
        CKM_RSA_PKCS,    CKM_RSA_PKCS_OAEP, CKM_XOR_BASE_AND_DATA,
    };
    static struct world world;
    size_t all, fewer;

    (void)state;
    for (int fn = 0; fn < FN_COUNT; fn++) {
        world.has_fn[fn] = true;
    }
    assert_true(tests_of(&world) > 0); /* C_GetAttributeValue needs no mechanism */
    for (size_t i = 0; i < COUNT(mechs); i++) {
        world.listed[i] = mechs[i];
        world.listed_flags[i] = CKF_WRAP | CKF_UNWRAP | CKF_ENCRYPT | CKF_DECRYPT | CKF_DERIVE;
    }
    world.listed_count = COUNT(mechs);
    all = tests_of(&world);
    assert_true(all > 500);

    world.listed_flags[0] &= ~(CK_FLAGS)CKF_DECRYPT;
    fewer = tests_of(&world);
    assert_true(fewer < all);
    world.has_fn[FN_C_UnwrapKey] = false;
    assert_true(tests_of(&world) < fewer);
    fewer = tests_of(&world);
    world.has_fn[FN_C_WrapKey] = false;
    assert_true(tests_of(&world) < fewer && tests_of(&world) > 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_attacks_of_publications_are_found),
        cmocka_unit_test(every_plan_works_and_needs_each_of_its_moves),
        cmocka_unit_test(plans_come_in_one_order_and_once),
        cmocka_unit_test(what_leads_nowhere_does_not_work),
        cmocka_unit_test(ways_by_what_a_module_lacks_are_left_out),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
