/* SPDX-License-Identifier: Apache-2.0
 *
 * The report as JSON, one issue a line, and the comparison with an older one.
 */
#include "report/report.h"

#include <stdlib.h>
#include <string.h>

/* What stays the same from version to version. */
static void
signature(const struct issue *issue, char ret_text[256])
{
    snprintf(ret_text, 256, "%s %s %s %s %s %d", areas[issue->area].tag, functions[issue->fn].name,
             cond_name((enum cond)issue->cond), verdict_names[issue->verdict],
             code_name(issue->seen), issue->detail);
}

void
report_json(const struct report *report, FILE *file)
{
    const struct sheet *sheet = report->pool->sheet;
    bool first = true;

    fprintf(file, "{\n\"format\": 1,\n\"library\": \"%u.%u\",\n\"tests\": %zu,\n",
            sheet->info.libraryVersion.major, sheet->info.libraryVersion.minor,
            report->pool->suite->count);
    fputs("\"verdicts\": {", file);
    for (int v = 0; v < VERDICT_COUNT; v++) {
        fprintf(file, "%s\"%s\": %zu", v > 0 ? ", " : "", verdict_names[v], report->of_verdict[v]);
    }
    fprintf(file, "},\n\"covered\": %zu,\n\"reachable\": %zu,\n\"areas\": {", report->covered,
            report->reachable);
    for (int area = 0; area < AREA_COUNT; area++) {
        if (report->pool->suite->of_area[area] > 0) {
            fprintf(file, "%s\"%s\": %zu", first ? "" : ", ", areas[area].tag,
                    report->pool->suite->of_area[area]);
            first = false;
        }
    }
    fputs("},\n\"coverage\": {", file);
    first = true;
    for (int area = 0; area < AREA_COUNT; area++) {
        if (report->pool->suite->of_area[area] > 0) {
            fprintf(file, "%s\"%s\": [%zu, %zu]", first ? "" : ", ", areas[area].tag,
                    report->covered_of[area], report->reachable_of[area]);
            first = false;
        }
    }
    fprintf(file, "},\n\"plans\": {\"stopped\": %zu, \"open\": %zu, \"forbidden\": %zu", plans_count(report, VERDICT_PASS),
            plans_count(report, VERDICT_ADVISORY), plans_count(report, VERDICT_SECRET));
    fputs("},\n\"issues\": [", file);
    for (size_t i = 0; i < report->issue_count; i++) {
        const struct issue *issue = &report->issue[i];
        char name[24], text[256], id[ID_MAX], rule[256], result[256];

        issue_name(issue, name);
        signature(issue, text);
        issue_rule(issue, rule);
        issue_result(issue, result);
        test_print(&report->pool->suite->test[issue->first], id);
        fprintf(file,
                "%s\n{\"signature\": \"%s\", \"id\": \"%s\", \"rule\": \"%s\", \"result\": \"%s\", "
                "\"class\": \"%s\", \"strength\": \"certain\", \"tests\": %zu, \"first\": \"%s\", \"documented\": \"%s\"}",
                i > 0 ? "," : "", text, name, rule, result, class_names[issue->class], issue->count,
                id, issue->documented != NULL ? issue->documented->name : "");
    }
    fputs("\n]\n}\n", file);
}

/* Reads back the signatures of a report that report_json wrote. */
bool
report_compare(const struct report *report, const char *path, FILE *out)
{
    FILE *file = fopen(path, "r");
    bool *known = calloc(report->issue_count + 1, sizeof *known);
    char line[2048];
    size_t same = 0, fixed = 0;

    if (file == NULL || known == NULL) {
        fprintf(stderr, "p11comply: %s cannot be read\n", path);
        free(known);
        if (file != NULL) {
            fclose(file);
        }
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        static const char start[] = "{\"signature\": \"";
        char *text = line + sizeof start - 1, *end, now[256];
        bool found = false;

        if (strncmp(line, start, sizeof start - 1) != 0 || (end = strchr(text, '"')) == NULL) {
            continue;
        }
        *end = '\0';
        for (size_t i = 0; i < report->issue_count; i++) {
            signature(&report->issue[i], now);
            if (strcmp(now, text) == 0) {
                found = known[i] = true;
            }
        }
        same += found;
        if (!found) {
            fixed++;
            fprintf(out, "fixed      %s\n", text);
        }
    }
    for (size_t i = 0; i < report->issue_count; i++) {
        char now[256];

        signature(&report->issue[i], now);
        if (!known[i]) {
            fprintf(out, "new        %s\n", now);
        }
    }
    fprintf(out, "unchanged  %zu, fixed %zu, new %zu\n", same, fixed, report->issue_count - same);
    fclose(file);
    free(known);
    return true;
}
