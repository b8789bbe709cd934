/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_server: arguments, then one of three things: make the partition, read
 * the audit, or run the node.
 */
#include "base/log.h"
#include "server/audit_report.h"
#include "server/node.h"
#include "server/partition.h"
#include "server/process.h"

#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: azcloudhsm_server azcloudhsm_server.cfg [--accept-older-store]\n"
    "       azcloudhsm_server azcloudhsm_server.cfg --initialize [--officer NAME]\n"
    "                         [--label LABEL] [--policy azure|fips|standard]\n"
    "                         [--switches NAME=on,NAME=off...]\n"
    "       azcloudhsm_server azcloudhsm_server.cfg --request\n"
    "       azcloudhsm_server azcloudhsm_server.cfg --audit [--json] [--journal] [--quiet]\n"
    "The first form runs the node. The second makes its partition, which then waits for its\n"
    "owner (azcloudhsm_mgmt_util: getCertReq, storeCert). With --officer it has no owner to wait\n"
    "for: certificates are files, the officer's password is one line of standard input. The third makes\n"
    "serial, key and request for a certificate of a node that is to join others. The last prints the audit trail (or the store's\n"
    "journal) and checks it: status 0 when it is whole, 1 when it is broken.\n";

struct arguments {
    const char *path;
    bool initialize;
    struct partition_plan plan;
    bool request;
    bool audit;
    struct audit_report_plan report;
    bool accept_older;
};

/* Words without a value; NULL when it is none. */
static bool *
arguments_flag(struct arguments *a, const char *word)
{
    const struct {
        const char *word;
        bool *flag;
    } flags[] = {
        { "--request", &a->request },
        { "--initialize", &a->initialize },     { "--audit", &a->audit },
        { "--json", &a->report.json },          { "--journal", &a->report.journal },
        { "--quiet", &a->report.quiet },        { "--accept-older-store", &a->accept_older },
    };

    for (size_t i = 0; i < ARRAY_COUNT(flags); i++) {
        if (strcmp(flags[i].word, word) == 0) {
            return flags[i].flag;
        }
    }
    return NULL;
}

static bool
arguments_read(int count, char **words, struct arguments *ret_arguments)
{
    struct arguments a = { .plan = { POLICY_AZURE, "", "cloudhsm", NULL } };

    for (int i = 1; i < count; i++) {
        const char *word = words[i];
        bool *flag = arguments_flag(&a, word);

        if (word[0] != '-' && a.path == NULL) {
            a.path = word;
        } else if (flag != NULL) {
            *flag = true;
        } else if (i + 1 == count) {
            fprintf(stderr, "%s: unknown, or its value is missing\n", word);
            return false;
        } else if (strcmp(word, "--label") == 0) {
            a.plan.label = words[++i];
        } else if (strcmp(word, "--officer") == 0) {
            a.plan.officer = words[++i];
        } else if (strcmp(word, "--switches") == 0) {
            struct rules rules = { POLICY_AZURE, INTERFACE_P11, 0 };

            a.plan.switches = words[++i];
            if (!rules_switches_read(&rules, view_str(words[i]))) {
                fprintf(stderr, "--switches %s: see \"Switches\" in docs/pkcs11.md\n", words[i]);
                return false;
            }
        } else if (strcmp(word, "--policy") != 0) {
            fprintf(stderr, "%s: unknown\n", word);
            return false;
        } else if (!policy_parse(words[++i], &a.plan.policy)) {
            fprintf(stderr, "--policy %s: not azure, fips or standard\n", words[i]);
            return false;
        }
    }
    if (a.path == NULL || (a.plan.officer != NULL && !a.initialize) ||
        a.initialize + a.request + a.audit + a.accept_older > 1 ||
        ((a.report.json || a.report.journal || a.report.quiet) && !a.audit)) {
        return false;
    }
    *ret_arguments = a;
    return true;
}

int
main(int count, char **words)
{
    struct arguments arguments;
    struct server_settings settings;

    if (count == 2 && (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0)) {
        fputs(usage, stdout);
        return 0;
    }
    if (!arguments_read(count, words, &arguments)) {
        fputs(usage, stderr);
        return 2;
    }
    if (!server_settings_read(arguments.path, &settings)) {
        return 1;
    }
    log_set_level(settings.log_level);
    process_harden();
    if (arguments.initialize) {
        return partition_make(&settings, &arguments.plan) ? 0 : 1;
    }
    if (arguments.request) {
        return partition_request(&settings) ? 0 : 1;
    }
    if (arguments.audit) {
        return audit_report(&settings, &arguments.report);
    }
    return node_run(arguments.path, &settings, arguments.accept_older);
}
