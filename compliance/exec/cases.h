/* SPDX-License-Identifier: Apache-2.0
 *
 * Runs the cases of model/cases.def.
 */
#ifndef COMPLIANCE_CASES_H
#define COMPLIANCE_CASES_H

#include "exec/run.h"

/* A case while it runs. */
struct case_run {
    struct runner *runner;
    struct module *module;
    const struct world *world;
    const struct case_row *row;
    uint32_t arg;
    struct result *result;
};

void case_run(struct runner *runner, const struct test *test, struct result *ret_result);

/* Whether the code is right by the row's rule; the verdict is set when it is not. */
bool case_judge(struct case_run *r, CK_RV rv);
/* The code is right, and what comes with it is not. */
void case_wrong(struct case_run *r);

/* A function of the list by its number there, called with words of which all but the first two are
 * 0. Arguments of PKCS #11 are words, each of them, on all machines that we know. */
CK_RV case_words(struct case_run *r, size_t at, CK_ULONG first, CK_ULONG second);

void case_wrong_unless(struct case_run *r, bool right);

/* The checks, one for each CHECK row: they call case_judge and case_wrong. */
#define SCRIPT(area, tag, quick, fn, rule, text)
#define CHECK(area, tag, quick, fn, sweep, rule) void check_##tag(struct case_run *r);
#include "model/cases.def"

#endif /* COMPLIANCE_CASES_H */
