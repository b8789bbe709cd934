/* SPDX-License-Identifier: Apache-2.0
 *
 * Gathers failing tests into issues, in an order that does not depend on who ran what when.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

static bool
is_same(const struct issue *issue, const struct result *result, uint8_t area,
        const struct deviation *documented)
{
    return issue->area == area && issue->fn == result->fn && issue->cond == result->cond &&
           issue->detail == result->detail && issue->documented == documented &&
           issue->verdict == result->verdict && issue->seen == result->seen;
}

static void
add_attr(struct set *set, const struct result *result)
{
    if (result->attr >= ATTR_BASE) {
        set_add(set, result->attr - ATTR_BASE);
    }
}

static int
compare(const void *a, const void *b)
{
    const struct issue *x = a, *y = b;

    if (x->area != y->area) {
        return x->area < y->area ? -1 : 1;
    }
    if (x->fn != y->fn) {
        return x->fn < y->fn ? -1 : 1;
    }
    if (x->cond != y->cond) {
        return x->cond < y->cond ? -1 : 1;
    }
    if (x->verdict != y->verdict) {
        return x->verdict < y->verdict ? -1 : 1;
    }
    if (x->first != y->first && x->seen == y->seen && x->detail == y->detail) {
        return x->first < y->first ? -1 : 1;    /* documented and not */
    }
    return x->seen != y->seen ? (x->seen < y->seen ? -1 : 1) : (int)x->detail - (int)y->detail;
}

static bool
count_result(struct report *report, size_t at)
{
    const struct test *test = &report->pool->suite->test[at];
    const struct result *result = &report->pool->result[at];
    struct deviation *documented = NULL;
    enum verdict verdict = result->verdict;
    struct issue *grown;

    if (verdict >= VERDICT_CODE && report->profile != NULL) {
        documented = profile_find(report->profile, result);
    }
    if (documented != NULL) {
        documented->used++;
        verdict = VERDICT_DOCUMENTED;
    }
    report->of_verdict[verdict]++;
    report->of_area[test->area][verdict]++;
    if (result->verdict < VERDICT_CODE) {
        return true;
    }
    report->deviations += documented == NULL;
    for (size_t i = 0; i < report->issue_count; i++) {
        struct issue *issue = &report->issue[i];

        if (is_same(issue, result, test->area, documented)) {
            issue->count++;
            add_attr(&issue->attrs, result);
            if (test->count < report->pool->suite->test[issue->first].count) {
                issue->first = at;
            }
            return true;
        }
    }
    grown = realloc(report->issue, (report->issue_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    report->issue = grown;
    grown[report->issue_count++] = (struct issue){
        .area = test->area,
        .fn = result->fn,
        .cond = result->cond,
        .class = result->class,
        .detail = result->detail,
        .verdict = result->verdict,
        .seen = result->seen,
        .want = result->want,
        .count = 1,
        .documented = documented,
        .first = at,
    };
    add_attr(&grown[report->issue_count - 1].attrs, result);
    return true;
}

/* ---- coverage of the model ---- */

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

/* State, call and rule of the call that a test is about, as a number that is not 0. */
static uint64_t
test_key(const struct report *report, const struct test *test)
{
    const struct world *world = &report->pool->sheet->world;
    const struct step *step = &test->step[test->setup];
    struct mstate state = base_state(areas[test->area].base);
    uint64_t key = 0, rule;
    struct expect expect;

    if (areas[test->area].base == BASE_CASES || areas[test->area].base == BASE_VECTORS) {
        return ((uint64_t)test->row << 40 | (uint64_t)test->arg << 8 | step->fn) * 2 + 1;
    }
    if (step->fn == FN_PLAN) {
        for (size_t i = 0; i < test->count; i++) {
            key = (key * 521 + test->step[i].value[0]) * 521 + test->step[i].value[1];
        }
        return key * 2 + 1;
    }
    if (areas[test->area].base == BASE_OBJECTS) {
        for (size_t i = 0; i < ROLES_MAX; i++) {
            key = key * 521 + step->value[i];
        }
        return (key * 257 + step->fn) * 2 + 1;
    }
    for (size_t i = 0; i < test->setup; i++) {
        oracle(world, &test->object, &state, &test->step[i], &expect);
        state = expect.outcome[0].post;
    }
    oracle(world, &test->object, &state, step, &expect);
    rule = set_hash(&expect.violated) ^ (uint64_t)step->fn << 56;
    return (state_key(&state) * UINT64_C(0x9e3779b97f4a7c15) ^ rule) | 1;
}

static bool
measure(struct report *report)
{
    size_t size = 4 * report->pool->suite->count + 16;
    struct keys all = { calloc(size, sizeof(uint64_t)), size, 0 };
    struct keys run = { calloc(size, sizeof(uint64_t)), size, 0 };
    bool good = all.slot != NULL && run.slot != NULL;

    for (size_t i = 0; good && i < report->pool->suite->count; i++) {
        uint64_t key = test_key(report, &report->pool->suite->test[i]);
        enum verdict verdict = report->pool->result[i].verdict;

        if (verdict == VERDICT_SKIPPED) {
            continue;       /* with what this module has it cannot be reached */
        }
        add_key(&all, key);
        if (verdict != VERDICT_NONE && verdict != VERDICT_BLOCKED) {
            add_key(&run, key);
        }
    }
    report->reachable = all.count;
    report->covered = run.count;
    free(all.slot);
    free(run.slot);
    return good;
}

bool
report_make(struct report *report, const struct pool *pool, struct profile *profile)
{
    memset(report, 0, sizeof *report);
    report->pool = pool;
    report->profile = profile;
    for (size_t i = 0; i < pool->suite->count; i++) {
        if (!count_result(report, i)) {
            return false;
        }
    }
    if (!measure(report)) {
        return false;
    }
    if (report->issue_count > 0) {
        qsort(report->issue, report->issue_count, sizeof *report->issue, compare);
    }
    for (size_t i = 0; i < report->issue_count; i++) {
        bool first = i == 0 || report->issue[i].area != report->issue[i - 1].area;

        report->issue[i].number = first ? 1 : report->issue[i - 1].number + 1;
    }
    return true;
}

void
report_clear(struct report *report)
{
    free(report->issue);
    memset(report, 0, sizeof *report);
}

void
issue_name(const struct issue *issue, char *ret_name)
{
    snprintf(ret_name, 24, "%s-%zu", areas[issue->area].tag, issue->number);
}

/* The rule's text with the function's name in the place of %s. */
static void
fill_in(const char *rule, const char *name, char *ret_text)
{
    const char *place = strstr(rule, "%s");

    if (place == NULL) {
        snprintf(ret_text, 256, "%s", rule);
    } else {
        snprintf(ret_text, 256, "%.*s%s%s", (int)(place - rule), rule, name, place + 2);
    }
}

void
issue_rule(const struct issue *issue, char *ret_text)
{
    const char *name = functions[issue->fn].name;

    if (!set_is_empty(&issue->attrs) && issue->verdict == VERDICT_OUTPUT) {
        fill_in("After %s the values of attributes shall be those of the text.", name, ret_text);
    } else if (issue->detail == DETAIL_SESSION) {
        fill_in(
            "After %s the state of every session follows from the login and from how it was opened.",
            name, ret_text);
    } else if (issue->verdict == VERDICT_OUTPUT && issue->detail != DETAIL_CONTENT) {
        fill_in("%s shall return what the mechanism gives, and its length.", name, ret_text);
    } else if (issue->verdict == VERDICT_CRASH || issue->verdict == VERDICT_HANG ||
               issue->verdict == VERDICT_CORRUPT) {
        fill_in("%s shall return.", name, ret_text);
    } else if (issue->cond == COND_NOTHING) {
        fill_in("%s shall succeed when nothing is wrong with the call.", name, ret_text);
    } else {
        fill_in(cond_row((enum cond)issue->cond)->rule, name, ret_text);
    }
}

void
issue_result(const struct issue *issue, char *ret_text)
{
    switch (issue->verdict) {
    case VERDICT_CRASH:
        snprintf(ret_text, 256, "The process ended in this call.");
        break;
    case VERDICT_HANG:
        snprintf(ret_text, 256, "The call did not return.");
        break;
    case VERDICT_SECRET:
        snprintf(ret_text, 256, "The attack succeeds: every call of it returns CKR_OK.");
        break;
    case VERDICT_OUTPUT:
    case VERDICT_STATE:
    case VERDICT_CORRUPT:
        snprintf(ret_text, 256, "The library returns %s, with %s.", code_name(issue->seen),
                 detail_texts[issue->detail]);
        break;
    default:
        snprintf(ret_text, 256, "The library returns %s instead of %s.", code_name(issue->seen),
                 code_name(issue->want));
        break;
    }
}
