/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of the model was asked for: combinations of a state, a call and the rules that it
 * breaks. What can be reached is what the level full reaches. The level quick, and a part of a
 * level that a user chose, are measured by themselves: to find all the rest takes longer than such
 * a run should.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

struct keys {
    uint64_t *slot;
    size_t size, count;
};

static void
add_key(struct keys *keys, uint64_t key)
{
    size_t at = (size_t)(key % keys->size);

    while (keys->slot[at] != 0 && keys->slot[at] != key) {
        at = (at + 1) % keys->size;
    }
    keys->count += keys->slot[at] == 0;
    keys->slot[at] = key;
}

/* Whether two tests begin in one state, by the same way. */
static bool
test_leads(const struct test *a, const struct test *b)
{
    if (a->area != b->area || a->setup != b->setup ||
        memcmp(&a->object, &b->object, sizeof a->object) != 0) {
        return false;
    }
    for (size_t i = 0; i < a->setup; i++) {
        if (!step_is(&a->step[i], &b->step[i])) {
            return false;
        }
    }
    return true;
}

/* State, call and rule of the call that a test is about, as a number. */
static uint64_t
combination(const struct report *report, const struct test *test)
{
    const struct world *world = &report->pool->sheet->world;
    const struct step *step = &test->step[test->setup];
    struct mstate state = base_state(areas[test->area].base);
    static const struct test *last;     /* tests of one state stand together */
    static struct mstate reached;
    uint64_t key = 0, rule;
    struct expect expect;

    if (areas[test->area].base == BASE_CASES || areas[test->area].base == BASE_VECTORS) {
        return (uint64_t)test->row << 40 | (uint64_t)test->arg << 8 | step->fn;
    }
    if (step->fn == FN_PLAN) {
        for (size_t i = 0; i < test->count; i++) {
            key = (key * 521 + test->step[i].value[0]) * 521 + test->step[i].value[1];
        }
        return key;
    }
    if (areas[test->area].base == BASE_OBJECTS) {
        for (size_t i = 0; i < ROLES_MAX; i++) {
            key = key * 521 + step->value[i];
        }
        return key * 257 + step->fn;
    }
    if (last != NULL && test_leads(last, test)) {
        state = reached;
    } else {
        for (size_t i = 0; i < test->setup; i++) {
            oracle(world, &test->object, &state, &test->step[i], &expect);
            state = expect.outcome[0].post;
        }
    }
    last = test;
    reached = state;
    oracle(world, &test->object, &state, step, &expect);
    rule = set_hash(&expect.violated) ^ (uint64_t)step->fn << 56;
    return state_key(&state) * UINT64_C(0x9e3779b97f4a7c15) ^ rule;
}

/* The same in its area; not 0. */
static uint64_t
test_key(const struct report *report, const struct test *test)
{
    return (combination(report, test) * 2 + 1) * (test->area * UINT64_C(2) + 1);
}

static bool
keys_new(struct keys *keys, size_t most)
{
    keys->size = 2 * most + 16;
    keys->slot = calloc(keys->size, sizeof *keys->slot);
    return keys->slot != NULL;
}

static bool
has_key(const struct keys *keys, uint64_t key)
{
    size_t at = (size_t)(key % keys->size);

    while (keys->slot[at] != 0 && keys->slot[at] != key) {
        at = (at + 1) % keys->size;
    }
    return keys->slot[at] == key;
}

/* Tests that were run, and those that the module cannot be asked. */
static void
add_results(struct report *report, struct keys *run, struct keys *skipped)
{
    const struct pool *pool = report->pool;

    for (size_t i = 0; i < pool->suite->count; i++) {
        const struct test *test = &pool->suite->test[i];
        enum verdict verdict = pool->result[i].verdict;
        uint64_t key = test_key(report, test);

        if (verdict == VERDICT_SKIPPED) {
            add_key(skipped, key);
        } else if (verdict != VERDICT_NONE && verdict != VERDICT_BLOCKED) {
            size_t before = run->count;

            add_key(run, key);
            report->covered_of[test->area] += run->count - before;
        }
    }
}

static void
add_reachable(struct report *report, const struct suite *suite, const struct keys *run,
              const struct keys *skipped, struct keys *all)
{
    for (size_t i = 0; i < suite->count; i++) {
        uint64_t key = test_key(report, &suite->test[i]);
        size_t before = all->count;

        if (has_key(run, key) || !has_key(skipped, key)) {
            add_key(all, key);
            report->reachable_of[suite->test[i].area] += all->count - before;
        }
    }
}

bool
coverage_is_whole(const struct report *report)
{
    return !report->pool->suite->kept && report->pool->suite->depth > DEPTH_QUICK;
}

bool
coverage_measure(struct report *report)
{
    const struct suite *suite = report->pool->suite;
    struct suite whole = { 0 };
    struct keys all = { 0 }, run = { 0 }, skipped = { 0 };
    bool wants_whole = suite->depth == DEPTH_DEFAULT && coverage_is_whole(report);
    bool good = (!wants_whole || suite_make(&whole, &report->pool->sheet->world, suite->wanted,
                                            DEPTH_FULL)) &&
                keys_new(&run, suite->count) && keys_new(&skipped, suite->count) &&
                keys_new(&all, suite->count + whole.count);

    if (good) {
        add_results(report, &run, &skipped);
        add_reachable(report, suite, &run, &skipped, &all);
        add_reachable(report, &whole, &run, &skipped, &all);
        report->covered = run.count;
        report->reachable = all.count;
    }
    suite_clear(&whole);
    free(all.slot);
    free(run.slot);
    free(skipped.slot);
    return good;
}
