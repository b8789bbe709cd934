/* SPDX-License-Identifier: Apache-2.0
 *
 * What came of the planner's ways: who stopped them, and which are open.
 */
#include "model/planner.h"
#include "report/report.h"

#include <string.h>

#define TOLD 12 /* open ways that are told in full */

static bool
is_plan(const struct report *report, size_t at)
{
    return report->pool->suite->test[at].step[0].fn == FN_PLAN &&
           report->pool->suite->test[at].area == AREA_SEC;
}

size_t
plans_count(const struct report *report, enum verdict verdict)
{
    size_t count = 0;

    for (size_t i = 0; i < report->pool->suite->count; i++) {
        count += is_plan(report, i) && report->pool->result[i].verdict == verdict;
    }
    return count;
}

static enum move
move_of(const struct step *step)
{
    return (enum move)(step_value(step, ROLE_MOVE) - V_MOVE_NONE - 1);
}

/* Whether two tests go one way, by whatever mechanisms. */
static bool
is_same_way(const struct test *a, const struct test *b)
{
    if (a->count != b->count) {
        return false;
    }
    for (size_t i = 1; i < a->count; i++) {
        if (move_of(&a->step[i]) != move_of(&b->step[i])) {
            return false;
        }
    }
    return true;
}

/* "C_WrapKey 12, C_CreateObject 3": the functions whose answer ended a way. */
static void
put_stoppers(struct doc *doc, const struct report *report)
{
    size_t of_fn[FN_COUNT] = { 0 }, len = 0;
    char text[1024] = "none";

    for (size_t i = 0; i < report->pool->suite->count; i++) {
        const struct result *result = &report->pool->result[i];

        if (is_plan(report, i) && result->verdict == VERDICT_PASS) {
            of_fn[moves[move_of(&report->pool->suite->test[i].step[result->step])].fn]++;
        }
    }
    for (int fn = 0; fn < FN_COUNT && len < sizeof text; fn++) {
        if (of_fn[fn] > 0) {
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%s %zu", len > 0 ? ", " : "",
                                    functions[fn].name, of_fn[fn]);
        }
    }
    doc_row(doc, "by", "%s", text);
}

/* The moves of a way, and the mechanisms by which it is open. */
static void
put_way(struct doc *doc, const struct report *report, size_t first, size_t number)
{
    const struct suite *suite = report->pool->suite;
    char name[32], text[1024] = "", by[512] = "";
    size_t len = 0, by_len = 0;

    for (size_t i = 1; i < suite->test[first].count && len < sizeof text; i++) {
        const struct move_row *row = &moves[move_of(&suite->test[first].step[i])];

        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s", i > 1 ? "; " : "",
                                row->meaning);
    }
    for (size_t i = first; i < suite->count && by_len < sizeof by; i++) {
        const struct step *step = &suite->test[i].step[0];

        if (is_plan(report, i) && report->pool->result[i].verdict == VERDICT_ADVISORY &&
            is_same_way(&suite->test[first], &suite->test[i])) {
            const char *line = values[step_value(step, ROLE_LINE)].tag;
            const char *seal = values[step_value(step, ROLE_SEAL)].tag;

            by_len += (size_t)snprintf(by + by_len, sizeof by - by_len, "%s%s%s%s",
                                       by_len > 0 ? ", " : "", line,
                                       line[0] != '\0' && seal[0] != '\0' ? " and " : "", seal);
        }
    }
    snprintf(name, sizeof name, "Way %zu", number);
    doc_row(doc, name, "%s (%s)", text, by);
}

void
plans_write(struct doc *doc, const struct report *report)
{
    const struct suite *suite = report->pool->suite;
    size_t longest = 0, tests = 0, ways = 0, open = 0;

    for (size_t i = 0; i < suite->count; i++) {
        size_t count = suite->test[i].count - 1u;

        if (is_plan(report, i)) {
            tests++;
            longest = count > longest ? count : longest;
            ways += i == 0 || !is_plan(report, i - 1) ||
                    !is_same_way(&suite->test[i - 1], &suite->test[i]);
        }
    }
    if (tests == 0) {
        return;
    }
    doc_text(
        doc,
        "The planner knows %d moves of an intruder with a login. Of all ways of up to %zu moves "
        "to the value of a protected key that cannot do without one of them, %zu can be gone by "
        "this module's mechanisms, which makes %zu tests. Each was gone; what is not among them "
        "was not looked at. T is the key under attack; A and B are one key of the token's, TOP "
        "another, RP and RS a pair; X and Y are keys of the intruder's own, P is a public one. In "
        "brackets stand the mechanisms.",
        MOVE_COUNT, longest, ways, tests);
    doc_card(doc);
    doc_row(doc, "Ways that are stopped", "%zu", plans_count(report, VERDICT_PASS));
    put_stoppers(doc, report);
    doc_row(doc, "Ways the text leaves open", "%zu", plans_count(report, VERDICT_ADVISORY));
    doc_row(doc, "Ways open though forbidden", "%zu", plans_count(report, VERDICT_SECRET));
    for (size_t i = 0; i < suite->count; i++) {
        bool known = false;

        if (!is_plan(report, i) || report->pool->result[i].verdict != VERDICT_ADVISORY) {
            continue;
        }
        for (size_t k = 0; k < i && !known; k++) {
            known = is_plan(report, k) && report->pool->result[k].verdict == VERDICT_ADVISORY &&
                    is_same_way(&suite->test[k], &suite->test[i]);
        }
        if (!known && ++open <= TOLD) {
            put_way(doc, report, i, open);
        }
    }
    if (open > TOLD) {
        doc_row(doc, "Further ways", "%zu; p11comply --areas SEC --list has their ids",
                open - TOLD);
    }
    doc_card_end(doc);
}
