/* SPDX-License-Identifier: Apache-2.0
 *
 * The report as a document: summary, methodology, results by area with a card for each issue.
 */
#include "report/doc.h"
#include "report/report.h"

#include <string.h>

static const char *const impacts[CLASS_COUNT] = {
    [CLASS_CODES] = "Applications that look at the code are misled; they have to take both.",
    [CLASS_STATE] =
        "An application that makes calls in a wrong order is not told, and may get wrong results.",
    [CLASS_INIT] =
        "A wrong argument is found late or never; applications have to check it themselves.",
    [CLASS_ARGS] = "What the standard lets an application do does not work here.",
    [CLASS_KEYATTR] = "An attribute does not do what an application relies on.",
    [CLASS_RESTRICT] = "Keys can be used for what they are not for.",
    [CLASS_OUTPUT] = "Results differ from those of other libraries, or data are lost.",
    [CLASS_ROBUST] = "A mistake of the application ends its process or spoils its memory.",
    [CLASS_SECURITY] = "What was to be protected is not.",
};

static size_t
area_total(const struct report *report, int area)
{
    size_t total = 0;

    for (int v = 0; v < VERDICT_COUNT; v++) {
        total += report->of_area[area][v];
    }
    return total;
}

static void
put_issue(struct doc *doc, const struct report *report, const struct issue *issue)
{
    char name[24], rule[256], result[256], id[ID_MAX], attrs[1024] = "", mechs[2048] = "";
    const struct cond_row *row = cond_row((enum cond)issue->cond);
    size_t len = 0;

    issue_name(issue, name);
    issue_rule(issue, rule);
    issue_result(issue, result);
    test_print(&report->pool->suite->test[issue->first], id);
    doc_card(doc);
    doc_row(doc, "Issue ID", "%s", name);
    doc_row(doc, "PKCS#11 Rule", "%s (v3.1, section %s)", rule, row != NULL ? row->section : "5");
    doc_row(doc, "Result", "%s", result);
    for (int a = 0; a < ATTRIBUTES; a++) {
        if (set_has(&issue->attrs, (size_t)a) && len < sizeof attrs) {
            len += (size_t)snprintf(attrs + len, sizeof attrs - len, "%s%s", len > 0 ? ", " : "",
                                    attributes[a].name);
        }
    }
    if (len > 0) {
        doc_row(doc, "Attributes", "%s", attrs);
    }
    len = 0;
    for (int m = 0; m < MECH_COUNT; m++) {
        if (set_has(&issue->mechs, (size_t)m) && len < sizeof mechs) {
            len += (size_t)snprintf(mechs + len, sizeof mechs - len, "%s%s", len > 0 ? ", " : "",
                                    mechanisms[m].tag);
        }
    }
    if (len > 0) {
        doc_row(doc, "Mechanisms", "%s", mechs);
    }
    doc_row(doc, "Strength", "certain");
    doc_row(doc, "Classification", "%s", class_names[issue->class]);
    doc_row(doc, "Impact", "%s",
            issue->documented != NULL && issue->documented->impact[0] != '\0'
                ? issue->documented->impact
                : (impacts[issue->class] != NULL ? impacts[issue->class] : "-"));
    if (issue->documented != NULL) {
        doc_row(doc, "Documented", "%s: %s", issue->documented->name, issue->documented->doc);
    }
    doc_row(doc, "Tests", "%zu; p11comply --trace '%s' prints the first as a program", issue->count,
            id);
    doc_row(doc, "Signature", "fn=%s cond=%s seen=%s", functions[issue->fn].name,
            cond_name((enum cond)issue->cond), code_name(issue->seen));
    doc_card_end(doc);
}

/* Attacks by how they ended: those that the text forbids have a card where they succeed. */
static void
put_attacks(struct doc *doc, const struct report *report)
{
    static const char *const names[] = { "Stopped", "Open by the text's leave", "Not tried" };
    char lists[COUNT(names)][512] = { "" };
    size_t len[COUNT(names)] = { 0 };

    for (size_t i = 0; i < report->pool->suite->count; i++) {
        const struct test *test = &report->pool->suite->test[i];
        enum verdict verdict = report->pool->result[i].verdict;
        size_t list = verdict == VERDICT_PASS ? 0 : verdict == VERDICT_ADVISORY ? 1 : 2;

        if (test->area == AREA_SEC && test->step[0].fn == FN_ATTACK && verdict <= VERDICT_BLOCKED && len[list] < sizeof lists[0]) {
            enum cond rule = (enum cond)(RULE_SEC_01 + step_value(&test->step[0], ROLE_ATTACK) -
                                         V_ATTACK_S01);

            len[list] += (size_t)snprintf(lists[list] + len[list], sizeof lists[0] - len[list],
                                          "%s ", cond_name(rule));
        }
    }
    doc_card(doc);
    for (size_t i = 0; i < COUNT(names); i++) {
        doc_row(doc, names[i], "%s", len[i] > 0 ? lists[i] : "none");
    }
    doc_card_end(doc);
}

static void
put_summary(struct doc *doc, const struct report *report)
{
    size_t of_class[CLASS_COUNT] = { 0 }, documented = 0, area_count = 0;
    const struct sheet *sheet = report->pool->sheet;

    for (size_t i = 0; i < report->issue_count; i++) {
        of_class[report->issue[i].class]++;
        documented += report->issue[i].documented != NULL;
    }
    for (int area = 0; area < AREA_COUNT; area++) {
        area_count += area_total(report, area) > 0;
    }
    doc_heading(doc, 2, "Executive Summary");
    doc_text(
        doc,
        "The library, version %u.%u, was tested with %zu generated tests of %zu areas. %zu issues were found, of which "
        "the module's profile documents %zu.",
        sheet->info.libraryVersion.major, sheet->info.libraryVersion.minor,
        report->pool->suite->count, area_count, report->issue_count, documented);
    doc_card(doc);
    doc_row(doc, "Tests", "%zu", report->pool->suite->count);
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (report->of_verdict[v] > 0) {
            doc_row(doc, verdict_names[v], "%zu", report->of_verdict[v]);
        }
    }
    if (report->pool->again > 0) {
        doc_row(doc, "Tried again", "%zu; what counts is the second result", report->pool->again);
    }
    doc_row(doc, "Model", "%zu of %zu %scombinations of state, call and rule%s", report->covered,
            report->reachable, coverage_is_whole(report) ? "reachable " : "",
            coverage_is_whole(report) ? "" : " that these tests are for");
    doc_card_end(doc);
    doc_card(doc);
    doc_row(doc, "Issues", "%zu", report->issue_count);
    for (int c = 0; c < CLASS_COUNT; c++) {
        if (of_class[c] > 0) {
            doc_row(doc, class_names[c], "%zu", of_class[c]);
        }
    }
    for (enum fn fn = 0; report->profile != NULL && fn < FN_COUNT; fn++) {
        if ((fn = profile_claim(report->profile, &sheet->world, fn)) < FN_COUNT) {
            doc_row(doc, "False limit", "%s is there, and the profile says that it is not",
                    functions[fn].name);
        }
    }
    for (size_t i = 0; report->profile != NULL && i < report->profile->count; i++) {
        if (report->profile->deviation[i].used == 0) {
            doc_row(doc, "Stale", "%s: nothing that was tested deviates so",
                    report->profile->deviation[i].name);
        }
    }
    doc_card_end(doc);
}

static void
put_method(struct doc *doc)
{
    doc_heading(doc, 2, "Understanding the Methodology");
    doc_text(
        doc,
        "The suite holds a model of PKCS #11 as tables: functions, what their arguments may be, the "
        "conditions that the standard names with their return codes and their order, mechanisms, and "
        "attributes. From the model it derives the states that calls lead to, and in each of them "
        "tries every call with one argument wrong and with two. What is right follows from the model "
        "for any sequence of calls; results of mechanisms are compared with another implementation.");
    doc_text(
        doc,
        "ADVISORY counts answers that are not the ones the text names but that it leaves open. "
        "BLOCKED counts tests whose way to the state under test failed already; the failure itself is "
        "told once. An issue gathers all tests with the same function, rule and answer. All of them "
        "are certain: the text names the right answers, and the answer is none of them. How much of "
        "the model was asked is told in combinations of a state, a call and the rules that it "
        "breaks, of those that the level full reaches.");
    doc_heading(doc, 2, "Advantages and Limitations");
    doc_text(
        doc,
        "A model finds combinations that nobody would write down, and each report can be made again "
        "by a program of a few calls. But tests show deviations and not their absence: data are "
        "examples, and of what a client cannot bring about, such as a token that breaks, only the "
        "faults of area FAULT are tested, when the user allows them.");
}

void
report_write(const struct report *report, FILE *file, bool html)
{
    struct doc doc = { file, html };
    const struct sheet *sheet = report->pool->sheet;
    char title[128];
    size_t i = 0;
    int end = 32, maker = 32;

    while (end > 0 && sheet->info.libraryDescription[end - 1] == ' ') {
        end--;
    }
    while (maker > 0 && sheet->info.manufacturerID[maker - 1] == ' ') {
        maker--;
    }
    snprintf(title, sizeof title, "PKCS#11 Compliance Report: %.*s%s%.*s %u.%u", maker,
             (const char *)sheet->info.manufacturerID, maker > 0 ? ", " : "", end,
             (const char *)sheet->info.libraryDescription, sheet->info.libraryVersion.major,
             sheet->info.libraryVersion.minor);
    doc_begin(&doc, title);
    put_summary(&doc, report);
    put_method(&doc);
    doc_heading(&doc, 2, "Coverage");
    sheet_write(&doc, sheet);
    doc_heading(&doc, 2, "Details of Results");
    for (int area = 0; area < AREA_COUNT; area++) {
        char names[1024] = "";
        size_t len = 0, issues = 0;

        if (area_total(report, area) == 0) {
            continue;
        }
        for (int fn = 0; fn < FN_COUNT; fn++) {
            if (area_has(&areas[area], (enum fn)fn) && sheet->world.has_fn[fn] &&
                functions[fn].part != PART_ATTACK &&
                len < sizeof names) {
                len += (size_t)snprintf(names + len, sizeof names - len, "%s%s",
                                        len > 0 ? ", " : "", functions[fn].name);
            }
        }
        for (size_t k = 0; k < report->issue_count; k++) {
            issues += report->issue[k].area == area;
        }
        doc_heading(&doc, 3, areas[area].title);
        doc_text(&doc, "%zu tests (%zu blocked, %zu skipped)%s%s: %zu of %zu combinations. %s",
                 area_total(report, area), report->of_area[area][VERDICT_BLOCKED],
                 report->of_area[area][VERDICT_SKIPPED], len > 0 ? " of " : "", names,
                 report->covered_of[area], report->reachable_of[area],
                 issues == 0 ? "No issues." : "");
        if (area == AREA_SEC) {
            put_attacks(&doc, report);
            plans_write(&doc, report);
        }
        for (; i < report->issue_count && report->issue[i].area == area; i++) {
            put_issue(&doc, report, &report->issue[i]);
        }
    }
    doc_heading(&doc, 2, "Document Revisions");
    doc_text(&doc, "Made by p11comply, model 2. A module's later reports replace this one.");
    doc_end(&doc);
}
