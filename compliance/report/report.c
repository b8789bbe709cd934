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

/* What a failing test is about. */
static void
add_subject(struct issue *issue, const struct test *test, const struct result *result)
{
    enum kind kind = test_kind(test);

    if (result->attr >= ATTR_BASE) {
        set_add(&issue->attrs, result->attr - ATTR_BASE);
    }
    if (kind < KINDS && test->object.mech[kind] != NO_MECH) {
        set_add(&issue->mechs, test->object.mech[kind]);
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
            add_subject(issue, test, result);
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
    add_subject(&grown[report->issue_count - 1], test, result);
    return true;
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
    if (!coverage_measure(report)) {
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
