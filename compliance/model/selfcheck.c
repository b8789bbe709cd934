/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of the model checked against themselves.
 */
#include "model/model.h"

#include <stdio.h>
#include <string.h>

static size_t complaints;

#define COMPLAIN(...) (complaints++, printf("model: " __VA_ARGS__), putchar('\n'))

/* In one function's id a tag says one thing. */
static bool
are_together(enum role a, enum role b)
{
    for (int fn = 0; fn < FN_COUNT && a != b; fn++) {
        if (has_role((enum fn)fn, a) && has_role((enum fn)fn, b)) {
            return true;
        }
    }
    return a == b;
}

static void
check_values(void)
{
    for (int r = 1; r < ROLE_COUNT; r++) {
        enum value first = role_default((enum role)r);

        if (first == V_NONE || values[first].tag[0] != '\0') {
            COMPLAIN("role %d does not begin with a value without a tag", r);
        }
    }
    for (int v = 1; v < V_COUNT; v++) {
        if (values[v].tag[0] == '\0' && role_default(values[v].role) != (enum value)v) {
            COMPLAIN("a value without a tag that is not the first: %s", values[v].meaning);
        }
        if (strpbrk(values[v].tag, ".-/ ") != NULL) {
            COMPLAIN("tag \"%s\" has a character of the grammar of ids", values[v].tag);
        }
        for (int w = 1; w < v; w++) {
            if (values[v].tag[0] != '\0' && strcmp(values[v].tag, values[w].tag) == 0 &&
                are_together(values[v].role, values[w].role)) {
                COMPLAIN("tag \"%s\" is there twice", values[v].tag);
            }
        }
    }
}

static void
check_functions(void)
{
    for (int f = 0; f < FN_COUNT; f++) {
        for (int g = 0; g < f; g++) {
            if (strcmp(functions[f].tag, functions[g].tag) == 0) {
                COMPLAIN("functions %s and %s have one tag", functions[f].name, functions[g].name);
            }
        }
        if (strpbrk(functions[f].tag, ".-/ ") != NULL) {
            COMPLAIN("%s: a tag with a character of the grammar of ids", functions[f].name);
        }
    }
}

/* Whether cond can be reached from what from needs. */
static bool
leads_to(enum cond from, enum cond cond, size_t depth)
{
    struct set needs = cond_needs(from);

    if (depth > COND_COUNT || set_has(&needs, cond)) {
        return true;
    }
    for (enum cond c = 0; c < COND_COUNT; c++) {
        if (set_has(&needs, c) && leads_to(c, cond, depth + 1)) {
            return true;
        }
    }
    return false;
}

static void
check_conditions(void)
{
    for (enum cond c = 0; c < COND_COUNT; c++) {
        bool strict = false, any = false;
        const char *percent = strchr(conditions[c].rule, '%');

        for (size_t i = 0; i < answers_count; i++) {
            if (answers[i].cond == c) {
                any = true;
                strict = strict || answers[i].level == LEVEL_STRICT;
            }
        }
        if (!any) {
            COMPLAIN("condition %s has no answer", conditions[c].name);
        }
        /* Those that only add a tolerated answer to another condition. */
        if (!strict && c != COND_ENDED && c != COND_KEY_EITHER && c != COND_FLAG_EITHER) {
            COMPLAIN("condition %s has no strict answer", conditions[c].name);
        }
        if (leads_to(c, c, 0)) {
            COMPLAIN("condition %s needs itself", conditions[c].name);
        }
        if (percent == NULL || strncmp(percent, "%s", 2) != 0 || strchr(percent + 1, '%') != NULL) {
            COMPLAIN("condition %s: its rule has not one %%s", conditions[c].name);
        }
    }
    for (size_t i = 0; i < answers_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (answers[i].cond == answers[k].cond && answers[i].code == answers[k].code) {
                COMPLAIN("condition %s answers %s twice", conditions[answers[i].cond].name,
                         code_name(answers[i].code));
            }
        }
    }
}

static void
check_mechanisms(void)
{
    for (int m = 0; m < MECH_COUNT; m++) {
        for (int n = 0; n < m; n++) {
            if (mechanisms[m].number == mechanisms[n].number) {
                COMPLAIN("mechanisms %s and %s have one number", mechanisms[m].tag,
                         mechanisms[n].tag);
            }
        }
    }
    /* What Updates gave and what Final adds make the whole, however the input is cut. */
    for (int m = 0; m < MECH_COUNT; m++) {
        for (int k = 0; k < KEY_COUNT; k++) {
            struct work work = { &mechanisms[m], &keys[k], KIND_ENC };

            if (mechanisms[m].family != keys[k].family || mechanisms[m].cipher == CIPHER_NONE) {
                continue;
            }
            for (size_t len = 0; len < 80; len++) {
                if (work_given(&work, len) > work_total(&work, len) ||
                    (len > 0 && work_given(&work, len) < work_given(&work, len - 1))) {
                    COMPLAIN("%s: lengths of parts do not fit at %zu", mechanisms[m].tag, len);
                }
            }
        }
    }
}

size_t
model_selfcheck(void)
{
    complaints = 0;
    check_values();
    check_functions();
    check_conditions();
    check_mechanisms();
    return complaints;
}
