/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints the tables of docs/pkcs11.md from the rows that the product itself goes by. script/docs
 * runs it; a test holds the file in the tree to what it prints.
 */
#include "rules/mechanism.h"
#include "rules/template.h"

#include <stdio.h>

static const struct rules policies[] = {
    { POLICY_STANDARD, INTERFACE_P11, 0 },
    { POLICY_AZURE, INTERFACE_P11, 0 },
    { POLICY_FIPS, INTERFACE_P11, 0 },
};

/* ---- mechanisms ---- */

static void
functions_print(CK_FLAGS functions)
{
    static const struct {
        CK_FLAGS function;
        const char *name;
    } names[] = {
        { CKF_ENCRYPT, "encrypt" },
        { CKF_DECRYPT, "decrypt" },
        { CKF_DIGEST, "digest" },
        { CKF_SIGN, "sign" },
        { CKF_SIGN_RECOVER, "sign recover" },
        { CKF_VERIFY, "verify" },
        { CKF_VERIFY_RECOVER, "verify recover" },
        { CKF_GENERATE, "generate" },
        { CKF_GENERATE_KEY_PAIR, "generate pair" },
        { CKF_WRAP, "wrap" },
        { CKF_UNWRAP, "unwrap" },
        { CKF_DERIVE, "derive" },
        { CKF_MESSAGE_ENCRYPT, "encrypt messages" },
        { CKF_MESSAGE_DECRYPT, "decrypt messages" },
        { CKF_MESSAGE_SIGN, "sign messages" },
        { CKF_MESSAGE_VERIFY, "verify messages" },
    };
    const char *before = "";

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if ((functions & names[i].function) != 0) {
            printf("%s%s", before, names[i].name);
            before = ", ";
        }
    }
}

static void
mechanisms_print(void)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    printf("| mechanism | number | parts | unit | standard | azure | fips |\n"
           "| --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        printf("| `%s` | 0x%08lx | %s | %s |", rows[i].name, rows[i].type,
               rows[i].multi ? "multi" : "single", rows[i].unit == UNIT_BITS ? "bits" : "bytes");
        for (size_t k = 0; k < ARRAY_COUNT(policies); k++) {
            const struct mechanism_limit *limit = mechanism_limit(policies[k], &rows[i]);

            if (limit->functions == 0) {
                printf(" - |");
                continue;
            }
            printf(" ");
            functions_print(limit->functions | mechanism_messages(policies[k], &rows[i]));
            if (limit->max > 0) {
                printf("; %lu to %lu", limit->min, limit->max);
            }
            printf(" |");
        }
        printf("\n");
    }
}

static void
curves_print(void)
{
    size_t count;
    const struct curve_row *rows = curve_rows(&count);

    printf("| curve | bits | standard | azure | fips |\n| --- | ---: | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        printf("| `%s` | %zu |", rows[i].name, rows[i].bits);
        for (size_t k = 0; k < ARRAY_COUNT(policies); k++) {
            CK_FLAGS functions = curve_functions(policies[k], &rows[i]);

            printf(" ");
            functions_print(functions);
            printf("%s |", functions == 0 ? "-" : "");
        }
        printf("\n");
    }
}

/* ---- functions ---- */

/* CKR_OK where no row withholds it. */
static CK_RV
function_code(struct rules rules, const char *name)
{
    static const char *const names[] = {
#define FUNCTION(name, standard, azure, fips, code) "C_" #name,
#include "rules/functions.def"
#undef FUNCTION
    };

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (view_equal(view_str(names[i]), view_str(name))) {
            return rules_function_code(rules, (enum rules_function)i);
        }
    }
    return CKR_OK;
}

static void
functions_of_list_print(void)
{
    static const char *const names[] = {
#define CK_FUNCTION_ROW(name, params, args) #name,
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"
    };

    printf("| function | standard | azure | fips |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        printf("| `%s` |", names[i]);
        for (size_t k = 0; k < ARRAY_COUNT(policies); k++) {
            CK_RV rv = function_code(policies[k], names[i]);

            if (rv == CKR_OK) {
                printf(" yes |");
            } else {
                printf(" `%s` |", return_name(rv));
            }
        }
        printf("\n");
    }
}

/* ---- attributes ---- */

static void
kinds_print(uint32_t kinds)
{
    static const char *const names[KIND_COUNT] = {
#define KIND(kind, class, type) [KIND_##kind] = #kind,
#define KIND_ALSO(kind, class, type)
#include "rules/kinds.def"
#undef KIND
#undef KIND_ALSO
    };
    const char *before = "";

    if (kinds == (1u << KIND_COUNT) - 1) {
        printf("all");
        return;
    }
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if ((kinds & 1u << i) != 0) {
            printf("%s%s", before, names[i]);
            before = ", ";
        }
    }
}

static void
rule_print(const struct use_rule *rule)
{
    static const char *const defaults[] = {
        [DEFAULT_none] = "-",        [DEFAULT_empty] = "empty", [DEFAULT_false] = "FALSE",
        [DEFAULT_true] = "TRUE", [DEFAULT_zero] = "0",      [DEFAULT_made] = "made",
        [DEFAULT_sha1] = "`CKM_SHA_1`",
    };
    static const char *const sets[] = {
        [SET_no] = "fixed",           [SET_yes] = "may change",
        [SET_up] = "FALSE to TRUE", [SET_down] = "TRUE to FALSE",
        [SET_co] = "by a crypto officer",
    };
    static const char *const only[] = { [ONLY_any] = "", [ONLY_true] = "; only TRUE",
                                        [ONLY_false] = "; only FALSE" };

    printf(" %s", defaults[rule->value]);
    if (rule->generated != rule->value) {
        printf(", generated %s", defaults[rule->generated]);
    }
    printf("; %s%s |", sets[rule->set], only[rule->only]);
}

static void
attributes_print(void)
{
    static const char *const needs[] = { [NEED_optional] = "may", [NEED_required] = "must",
                                         [NEED_forbidden] = "not" };
    size_t count;
    const struct use_row *rows = use_rows(&count);

    printf("| attribute | objects | create | generate | unwrap, derive | hidden | standard | azure, "
           "fips |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for (size_t i = 0; i < count; i++) {
        printf("| `%s` | ", attribute_row(rows[i].type)->name);
        kinds_print(rows[i].kinds);
        printf(" | %s | %s | %s | %s |", needs[rows[i].create], needs[rows[i].generate],
               needs[rows[i].unwrap], rows[i].secret ? "yes" : "");
        rule_print(&rows[i].standard);
        rule_print(&rows[i].azure);
        printf("\n");
    }
}

/* ---- switches ---- */

static void
switches_print(void)
{
    static const char *const names[] = {
#define SWITCH(name, standard, azure, fips) #name,
#include "rules/policies.def"
#undef SWITCH
    };

    printf("| switch | standard | azure | fips |\n| --- | --- | --- | --- |\n");
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        printf("| `%s` |", names[i]);
        for (size_t k = 0; k < ARRAY_COUNT(policies); k++) {
            printf(" %s |", rules_switch_on(policies[k], (enum rules_switch)i) ? "on" : "off");
        }
        printf("\n");
    }
}

int
main(void)
{
    printf("# PKCS#11\n\n"
           "Made by script/docs from the tables in [src/rules](../src/rules); do not edit.\n\n"
           "## Mechanisms\n\n"
           "What each policy offers, and the sizes of keys in the unit of `C_GetMechanismInfo`.\n\n");
    mechanisms_print();
    printf("\n## Curves\n\nThrough PKCS#11.\n\n");
    curves_print();
    printf("\n## Functions\n\nThose of the lists of 2.40 and 3.0.\n\n");
    functions_of_list_print();
    printf("\n## Attributes\n\n"
           "Whether the caller's template must, may or must not have it; then its default and "
           "whether it may be set\nlater. *made*: the HSM computes it. *hidden*: not shown when "
           "the key is sensitive or not extractable.\n\n");
    attributes_print();
    printf("\n## Switches\n\nWhat they mean stands in "
           "[policies.def](../src/rules/policies.def).\n\n");
    switches_print();
    return 0;
}
