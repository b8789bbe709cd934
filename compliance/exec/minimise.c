/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes a failing test shorter. The oracle judges any sequence of calls, so steps are left out and
 * arguments made usual as long as the failure stays the same.
 */
#include "exec/minimise.h"

#include <string.h>

static bool
is_same(const struct result *a, const struct result *b)
{
    return a->verdict == b->verdict && a->fn == b->fn && a->cond == b->cond && a->seen == b->seen &&
           a->detail == b->detail;
}

/* Takes the shorter test if it fails as the first one did. */
static bool
try_test(struct runner *runner, const struct test *shorter, struct test *test,
         struct result *result)
{
    struct result seen;

    runner->dirty = true;
    runner_run(runner, shorter, &seen);
    if (!is_same(&seen, result)) {
        return false;
    }
    *test = *shorter;
    *result = seen;
    return true;
}

static bool
drop_steps(struct runner *runner, struct test *test, struct result *result)
{
    for (size_t i = 0; i < test->count && test->count > 1; i++) {
        struct test shorter = *test;

        memmove(&shorter.step[i], &shorter.step[i + 1],
                (shorter.count - i - 1) * sizeof shorter.step[0]);
        shorter.count--;
        if (try_test(runner, &shorter, test, result)) {
            return true;
        }
    }
    return false;
}

static bool
drop_values(struct runner *runner, struct test *test, struct result *result)
{
    for (size_t i = 0; i < test->count; i++) {
        for (size_t k = 0; k < ROLES_MAX; k++) {
            struct test plainer = *test;
            enum role role = functions[test->step[i].fn].roles[k];

            if (role == ROLE_NONE || test->step[i].value[k] == role_default(role)) {
                continue;
            }
            plainer.step[i].value[k] = (uint16_t)role_default(role);
            if (try_test(runner, &plainer, test, result)) {
                return true;
            }
        }
    }
    return false;
}

void
minimise(struct runner *runner, struct test *test, struct result *result)
{
    test->setup = 0;            /* nobody else judges the way */
    runner->dirty = true;
    runner_run(runner, test, result);
    if (result->verdict < VERDICT_CODE) {
        return;
    }
    while (drop_steps(runner, test, result) || drop_values(runner, test, result)) {
    }
}
