/* SPDX-License-Identifier: Apache-2.0
 *
 * What the results say: deviations gathered into issues, and reports of them.
 */
#ifndef COMPLIANCE_REPORT_H
#define COMPLIANCE_REPORT_H

#include "exec/pool.h"
#include "report/doc.h"
#include "report/profile.h"

#include <stdio.h>

/* Failing tests with one cause: function, rule and answer are the same. */
struct issue {
    uint8_t area, fn, class, detail, verdict;
    uint16_t cond;
    uint32_t seen, want;
    size_t count;           /* tests */
    size_t first;           /* the shortest of them */
    size_t number;          /* in its area, from 1 */
    const struct deviation *documented;
    struct set attrs, mechs;    /* that it is about */
};

struct report {
    const struct pool *pool;
    struct profile *profile;        /* NULL when none was named */
    struct issue *issue;
    size_t issue_count;
    size_t of_verdict[VERDICT_COUNT];
    size_t of_area[AREA_COUNT][VERDICT_COUNT];
    size_t covered, reachable;      /* combinations of state, call and rule */
    size_t covered_of[AREA_COUNT], reachable_of[AREA_COUNT];
    size_t deviations;              /* failing tests that no profile names */
};

bool report_make(struct report *report, const struct pool *pool, struct profile *profile);
void report_clear(struct report *report);

/* "SIGN-1"; text of at least 24 bytes. */
void issue_name(const struct issue *issue, char *ret_name);
/* One sentence each; text of at least 256 bytes. */
void issue_rule(const struct issue *issue, char *ret_text);
void issue_result(const struct issue *issue, char *ret_text);

/* What came of the planner's ways, as a part of a document; and how many ended so. */
void plans_write(struct doc *doc, const struct report *report);
size_t plans_count(const struct report *report, enum verdict verdict);

/* Counts the combinations; where it is whole, of all that there are, else of those of its tests. */
bool coverage_is_whole(const struct report *report);
bool coverage_measure(struct report *report);

/* As text, or as one page of HTML. */
void report_write(const struct report *report, FILE *file, bool html);
void report_json(const struct report *report, FILE *file);

/* How long the tests of each area took, added up over the workers, and the slowest ones. */
void times_write(const struct pool *pool, FILE *file);

/* Tells what is new and what is gone since a report that report_json wrote. False when it cannot be
 * read. */
bool report_compare(const struct report *report, const char *path, FILE *out);

#endif /* COMPLIANCE_REPORT_H */
