/* SPDX-License-Identifier: Apache-2.0
 *
 * The report as text.
 */
#include "report/report.h"

static void
put_issue(const struct report *report, const struct issue *issue, FILE *file)
{
    char name[24], text[256], id[ID_MAX];
    const struct cond_row *row = cond_row((enum cond)issue->cond);
    const char *section = row != NULL ? row->section : "5";

    issue_name(issue, name);
    issue_rule(issue, text);
    test_print(&report->pool->suite->test[issue->first], id);
    fprintf(file, "Issue ID        %s\n", name);
    fprintf(file, "PKCS#11 Rule    %s (v3.1, %s)\n", text, section);
    issue_result(issue, text);
    fprintf(file, "Result          %s\n", text);
    fprintf(file, "Classification  %s\n", class_names[issue->class]);
    fprintf(file, "Tests           %zu, first %s\n", issue->count, id);
    fprintf(file, "Signature       fn=%s cond=%s seen=%s%s%s\n", functions[issue->fn].name,
            cond_name((enum cond)issue->cond), code_name(issue->seen),
            issue->attr != V_NONE ? " attr=" : "",
            issue->attr != V_NONE ? values[issue->attr].meaning : "");
    if (issue->documented != NULL) {
        fprintf(file, "Documented      %s: %s\n", issue->documented->name, issue->documented->doc);
        fprintf(file, "Impact          %s\n", issue->documented->impact);
    }
    fputc('\n', file);
}

static size_t
area_total(const struct report *report, int area)
{
    size_t total = 0;

    for (int v = 0; v < VERDICT_COUNT; v++) {
        total += report->of_area[area][v];
    }
    return total;
}

void
report_text(const struct report *report, FILE *file)
{
    size_t of_class[CLASS_COUNT] = { 0 };

    fprintf(file, "PKCS#11 Compliance Report\n=========================\n\n");
    sheet_print(report->pool->sheet, file);
    fprintf(file, "\nTests          %zu\n", report->pool->suite->count);
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (report->of_verdict[v] > 0) {
            fprintf(file, "  %-18s %zu\n", verdict_names[v], report->of_verdict[v]);
        }
    }
    for (size_t i = 0; i < report->issue_count; i++) {
        of_class[report->issue[i].class]++;
    }
    fprintf(file, "Issues         %zu\n", report->issue_count);
    for (int c = 0; c < CLASS_COUNT; c++) {
        if (of_class[c] > 0) {
            fprintf(file, "  %-28s %zu\n", class_names[c], of_class[c]);
        }
    }
    for (size_t i = 0; report->profile != NULL && i < report->profile->count; i++) {
        if (report->profile->deviation[i].used == 0) {
            fprintf(file, "Stale          %s: nothing that was tested deviates so\n",
                    report->profile->deviation[i].name);
        }
    }
    for (int area = 0, i = 0; area < AREA_COUNT; area++) {
        if (area_total(report, area) == 0) {
            continue;
        }
        fprintf(file, "\n%s\n", areas[area].title);
        fprintf(file, "%zu tests, %zu blocked, %zu skipped.\n\n", area_total(report, area),
                report->of_area[area][VERDICT_BLOCKED], report->of_area[area][VERDICT_SKIPPED]);
        for (; (size_t)i < report->issue_count && report->issue[i].area == area; i++) {
            put_issue(report, &report->issue[i], file);
        }
    }
}
