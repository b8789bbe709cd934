/* SPDX-License-Identifier: Apache-2.0
 *
 * The checker of histories, on made-up ones: those that can be put in an order, and those that
 * cannot. And on many drawn ones: what a real object did is good, and with one answer changed it is
 * bad as often as a search through all orders says.
 */
#include "lib/linear.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define UNUSED(x) ((void)(x))
#define OPS(...) { __VA_ARGS__ }
#define ROW_MAX 12u

#define C LINEAR_CREATE
#define S LINEAR_SET
#define D LINEAR_DESTROY
#define R LINEAR_READ
#define F LINEAR_FIND
#define YES LINEAR_DONE
#define NONE LINEAR_ABSENT
#define LOST LINEAR_UNKNOWN

/* clang-format off */
static const struct row {
    const char *what;
    uint64_t stale;
    enum linear_result result;
    struct linear_op ops[ROW_MAX]; /* object, client, act, outcome, value, called, returned; object 0 ends */
} rows[] = {
    { "one after the other", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, R, YES, 1, 30, 40 }, { 1, 1, S, YES, 2, 50, 60 },
        { 1, 2, R, YES, 2, 70, 80 }, { 1, 1, D, YES, 0, 90, 100 }, { 1, 2, F, NONE, 0, 110, 120 }) },
    { "a read that overlaps may see either", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 60 }, { 1, 2, R, YES, 2, 35, 40 },
        { 1, 3, R, YES, 1, 32, 50 }) },
    { "but not the old one after somebody saw the new one", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 60 }, { 1, 2, R, YES, 2, 35, 40 },
        { 1, 3, R, YES, 1, 45, 50 }) },
    { "a write that is acknowledged is seen", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 40 }, { 1, 2, R, YES, 1, 50, 60 }) },
    { "what was destroyed is not back", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, D, YES, 0, 30, 40 }, { 1, 2, F, YES, 0, 50, 60 }) },
    { "what was made is there", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, F, NONE, 0, 30, 40 }) },
    { "two cannot destroy one object", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, D, YES, 0, 30, 50 }, { 1, 2, D, YES, 0, 30, 50 }) },
    { "one of two can", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, D, YES, 0, 30, 50 }, { 1, 2, D, NONE, 0, 30, 50 }) },
    { "nor is it set after that", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, D, YES, 0, 30, 50 }, { 1, 2, S, YES, 2, 60, 70 }) },
    { "two creations are one too many", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, C, YES, 1, 30, 40 }) },
    { "a read of what nobody wrote", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, R, YES, 7, 15, 40 }) },
    { "a lost write: readers differ about one order only", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 80 }, { 1, 2, S, YES, 3, 30, 80 },
        { 1, 3, R, YES, 2, 40, 45 }, { 1, 3, R, YES, 3, 50, 55 }, { 1, 4, R, YES, 2, 60, 65 }) },
    { "no answer, and it happened", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, LOST, 2, 30, 40 }, { 1, 2, R, YES, 2, 50, 60 }) },
    { "no answer, and it happened late", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, LOST, 2, 30, 40 }, { 1, 2, R, YES, 1, 50, 60 },
        { 1, 2, R, YES, 2, 70, 80 }) },
    { "no answer, and it never happened", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, D, LOST, 0, 30, 40 }, { 1, 2, R, YES, 1, 50, 60 }) },
    { "no answer, and it happened twice", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, LOST, 2, 30, 40 }, { 1, 2, R, YES, 2, 50, 60 },
        { 1, 2, S, YES, 3, 70, 80 }, { 1, 2, R, YES, 2, 90, 95 }) },
    { "no answer to a creation, and it is there", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, LOST, 1, 10, 20 }, { 1, 2, F, NONE, 0, 30, 40 }, { 1, 2, R, YES, 1, 50, 60 }) },
    { "it cannot happen before it was asked for", 0, LINEAR_BAD, OPS(
        { 1, 2, F, YES, 0, 1, 5 }, { 1, 1, C, LOST, 1, 10, 20 }) },
    { "a read without an answer tells nothing", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, R, LOST, 9, 30, 40 }) },
    { "objects do not touch each other", 0, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 2, 1, C, YES, 1, 30, 40 }, { 1, 1, D, YES, 0, 50, 60 },
        { 2, 2, R, YES, 1, 70, 80 }, { 1, 2, R, NONE, 0, 70, 80 }) },
    { "one bad object is enough", 0, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 2, 1, C, YES, 1, 30, 40 }, { 1, 1, D, YES, 0, 50, 60 },
        { 2, 2, R, NONE, 1, 70, 80 }) },
    { "staleness that is allowed", 30, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 40 }, { 1, 2, R, YES, 1, 60, 70 }) },
    { "and more than is", 30, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 40 }, { 1, 2, R, YES, 1, 80, 90 }) },
    { "nobody is stale about what he wrote himself", 1000, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 40 }, { 1, 1, R, YES, 1, 50, 60 }) },
    { "nor about what he has read", 1000, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, S, YES, 2, 30, 40 }, { 1, 2, R, YES, 2, 50, 60 },
        { 1, 2, R, YES, 1, 70, 80 }) },
    { "a remembered value may be older than what was found", 1000, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, R, YES, 1, 22, 25 }, { 1, 1, S, YES, 2, 30, 40 },
        { 1, 2, F, YES, 0, 50, 60 }, { 1, 2, R, YES, 1, 70, 80 }) },
    { "who is behind may stay behind", 1000, LINEAR_GOOD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, F, NONE, 0, 30, 40 }, { 1, 2, F, NONE, 0, 50, 60 }) },
    { "what was found is not lost again", 1000, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 2, F, YES, 0, 50, 60 }, { 1, 2, F, NONE, 0, 70, 80 }) },
    { "writers are never stale", 1000, LINEAR_BAD, OPS(
        { 1, 1, C, YES, 1, 10, 20 }, { 1, 1, D, YES, 0, 30, 40 }, { 1, 2, S, YES, 2, 50, 60 }) },
};
/* clang-format on */

static void
made_up_histories_are_told_apart(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct linear_op ops[ROW_MAX];
        uint64_t object = 0;
        size_t count = 0;

        while (count < ROW_MAX && rows[i].ops[count].object != 0) {
            ops[count] = rows[i].ops[count];
            count++;
        }
        if (linear_check(ops, count, rows[i].stale, &object) != rows[i].result) {
            fail_msg("%s", rows[i].what);
        }
        assert_true((object != 0) == (rows[i].result != LINEAR_GOOD));
    }
}

/* ---- drawn ones ---- */

static uint64_t seed = 1;

static uint32_t
draw(uint32_t below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % below;
}

/* What clients did with a real object: each operation happens at a moment that is drawn. */
static void
history_draw(struct linear_op *ops, size_t count, uint32_t clients)
{
    uint64_t busy[8] = { 0 }, value = 0, moment = 0;

    for (size_t i = 0; i < count;) {
        struct linear_op *op = ops + i;
        const uint32_t client = draw(clients);

        moment += 20;
        if (busy[client] >= moment) {
            continue; /* calls of one client do not overlap */
        }
        *op = (struct linear_op){ .object = 1, .client = client, .value = ++i };
        op->called = moment - draw(20);
        op->called = op->called > busy[client] ? op->called : busy[client] + 1;
        op->returned = moment + draw(60);
        busy[client] = op->returned;
        op->act = i == 1 ? C : draw(3) == 0 ? S : draw(12) == 0 ? D : draw(2) == 0 ? R : F;
        op->outcome = i > 1 && value == 0 ? NONE : YES;
        if (op->outcome == YES && (op->act == C || op->act == S)) {
            value = op->value;
        } else if (op->outcome == YES && op->act == R) {
            op->value = value;
        } else if (op->outcome == YES && op->act == D) {
            value = 0;
        }
    }
}

/* Through all orders, without any cleverness. */
static bool
orders_try(const struct linear_op *ops, size_t count, unsigned done, uint64_t value)
{
    uint64_t first_return = UINT64_MAX;

    if (done == (1u << count) - 1) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        if ((done >> i & 1) == 0 && ops[i].returned < first_return) {
            first_return = ops[i].returned;
        }
    }
    for (size_t i = 0; i < count; i++) {
        const struct linear_op *op = ops + i;
        const bool there = value != 0;
        const bool writes = op->act == C || op->act == S;

        if ((done >> i & 1) != 0 || op->called > first_return ||
            (op->outcome == NONE ? there : (op->act == C) == there) ||
            (op->outcome == YES && op->act == R && op->value != value)) {
            continue;
        }
        if (orders_try(ops, count, done | 1u << i,
                       op->outcome == NONE ? 0 : writes ? op->value : op->act == D ? 0 : value)) {
            return true;
        }
    }
    return false;
}

static void
drawn_histories_are_as_a_search_through_all_orders_says(void **state)
{
    size_t bad = 0, good = 0;

    UNUSED(state);
    for (int round = 0; round < 4000; round++) {
        struct linear_op ops[10];
        const size_t count = 10;
        const size_t changed = draw(10);
        uint64_t object;
        bool expected;

        history_draw(ops, count, 4);
        assert_int_equal(linear_check(ops, count, 0, &object), LINEAR_GOOD);
        if (round % 2 == 0) {
            ops[changed].value = 1 + draw((uint32_t)count);
        } else {
            ops[changed].outcome = ops[changed].outcome == YES ? NONE : YES;
        }
        expected = orders_try(ops, count, 0, 0);
        assert_int_equal(linear_check(ops, count, 0, &object),
                         expected ? LINEAR_GOOD : LINEAR_BAD);
        good += expected;
        bad += !expected;
    }
    assert_true(good > 200 && bad > 200);
}

static void
a_long_history_is_checked_in_no_time(void **state)
{
    static struct linear_op ops[2000];
    uint64_t object;

    UNUSED(state);
    history_draw(ops, 2000, 8);
    assert_int_equal(linear_check(ops, 2000, 0, &object), LINEAR_GOOD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(made_up_histories_are_told_apart),
        cmocka_unit_test(drawn_histories_are_as_a_search_through_all_orders_says),
        cmocka_unit_test(a_long_history_is_checked_in_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
