/* SPDX-License-Identifier: Apache-2.0
 *
 * The planner's ways as tests: each by every mechanism that the module has for it.
 */
#include "gen/explorer.h"
#include "model/planner.h"

#include <stdlib.h>

/* Moves of a plan, and mechanisms that are tried. */
static const struct {
    size_t moves;
    int lines, seals;
} depths[] = {
    [DEPTH_QUICK] = { 6, 3, 1 },
    [DEPTH_DEFAULT] = { 8, LINES, SEALS },
    [DEPTH_FULL] = { PLAN_MOST, LINES, SEALS },
    [DEPTH_DEEP] = { PLAN_MOST, LINES, SEALS },
};

static void
write_plan(struct explorer *x, const struct plan *plan, int line, int seal)
{
    struct test *test;

    if (!plan_fits(x->world, plan, (enum value)line, (enum value)seal)) {
        return;
    }
    test = explorer_test(x);
    if (test == NULL) {
        return;
    }
    test->step[0] = (struct step){ FN_PLAN, { (uint16_t)line, (uint16_t)seal } };
    test->count = 1;
    for (size_t i = 0; i < plan->count; i++) {
        test->step[test->count++] = (struct step){
            FN_MOVE, { (uint16_t)(V_MOVE_NONE + 1 + plan->move[i]) }
        };
    }
}

void
write_plans(struct explorer *x)
{
    struct plan *plans;
    size_t count;

    if (!planner_find(depths[x->depth].moves, &plans, &count)) {
        x->full = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        bool pair = plan_has_seal(&plans[i]);

        if (!plan_has_line(&plans[i])) {
            for (int s = pair ? 1 : 0; s <= (pair ? depths[x->depth].seals : 0); s++) {
                write_plan(x, &plans[i], V_LINE_NONE, V_SEAL_NONE + s);
            }
            continue;
        }
        /* Where both take part the pair's mechanisms go round. */
        for (int l = 1; l <= depths[x->depth].lines; l++) {
            write_plan(x, &plans[i], V_LINE_NONE + l,
                       pair ? V_SEAL_NONE + 1 + l % depths[x->depth].seals : V_SEAL_NONE);
        }
    }
    free(plans);
}

bool
plan_fits_test(const struct test *test)
{
    struct plan plan = { 0 };
    enum value line = step_value(&test->step[0], ROLE_LINE);
    enum value seal = step_value(&test->step[0], ROLE_SEAL);

    if (test->count - 1 > PLAN_MOST) {
        return false;
    }
    for (size_t i = 1; i < test->count; i++) {
        enum value move = step_value(&test->step[i], ROLE_MOVE);

        if (test->step[i].fn != FN_MOVE || move == V_MOVE_NONE) {
            return false;
        }
        plan.move[plan.count++] = (uint8_t)(move - V_MOVE_NONE - 1);
    }
    return plan_works(&plan) && (line != V_LINE_NONE) == plan_has_line(&plan) &&
           (seal != V_SEAL_NONE) == plan_has_seal(&plan);
}
