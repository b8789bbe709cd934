/* SPDX-License-Identifier: Apache-2.0
 *
 * Lines, arguments and the tables of commands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tools/code.h"
#include "tools/command.h"
#include "tools/mgmt.h"
#include "wire/role.h"
#include "tools/util.h"

#include <stdlib.h>
#include <string.h>

/* A line of the test, cut into words that may be changed. */
struct line {
    char text[512];
    char *words[COMMAND_WORDS_MAX];
    size_t count;
};

static void
line_make(const char *text, struct line *line)
{
    snprintf(line->text, sizeof line->text, "%s", text);
    assert_true(words_split(line->text, line->words, COMMAND_WORDS_MAX, &line->count));
}

static bool
parse(const struct command_table *table, const char *text, struct values *ret_values,
      size_t *ret_used)
{
    static struct line line; /* values borrow from it */

    line_make(text, &line);
    return command_parse(table, line.words, line.count, ret_used, ret_values);
}

static void
quotes_hold_a_word_together(void **state)
{
    struct line line;

    (void)state;
    line_make("  genSymKey -l \"my 'own' key\" -id '' a\"b c\"d\t\r\n", &line);

    assert_int_equal(line.count, 6);
    assert_string_equal(line.words[0], "genSymKey");
    assert_string_equal(line.words[2], "my 'own' key");
    assert_string_equal(line.words[4], "");
    assert_string_equal(line.words[5], "ab cd");
}

static void
an_open_quote_and_too_many_words_are_refused(void **state)
{
    char open[] = "findKey -l \"x";
    char many[] = "a b c d";
    char *words[3];
    size_t count;

    (void)state;
    assert_false(words_split(open, words, 3, &count));
    assert_false(words_split(many, words, 3, &count));
}

static void
options_stand_in_any_order(void **state)
{
    static const char *const lines[] = {
        "loginHSM -u CU -s cu1 -p user1234",
        "loginHSM -p user1234 -u CU -s cu1",
        "loginHSM -s cu1 -p user1234 -u PCU",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        struct values values;
        size_t used;

        assert_true(parse(&util_commands, lines[i], &values, &used));
        assert_int_equal(used, 7);
        assert_int_equal(values_number(&values, "-u", 0), ROLE_CU);
        assert_string_equal(values_text(&values, "-s"), "cu1");
        assert_true(view_equal(values_secret(&values, "-p"), VIEW_TEXT("user1234")));
        assert_false(values_given(&values, "-hpswd"));
        values_clear(&values);
    }
}

static void
a_command_ends_where_the_next_begins(void **state)
{
    struct values values;
    struct line line;
    size_t used;

    (void)state;
    line_make("loginHSM -u CU -s cu1 -p user1234 findKey -c 4", &line);
    assert_true(command_parse(&util_commands, line.words, line.count, &used, &values));
    assert_int_equal(used, 7);
    values_clear(&values);

    assert_true(command_parse(&util_commands, line.words + 7, line.count - 7, &used, &values));
    assert_string_equal(values.command->name, "findKey");
    assert_int_equal(values_number(&values, "-c", 0), 4);
    values_clear(&values);
}

static void
a_password_is_wiped_from_the_words(void **state)
{
    struct values values;
    struct line line;
    size_t used;

    (void)state;
    line_make("loginHSM -u CU -s cu1 -p user1234", &line);
    assert_true(command_parse(&util_commands, line.words, line.count, &used, &values));

    assert_memory_equal(line.words[6], "\0\0\0\0\0\0\0\0", 8);
    assert_null(values_text(&values, "-p"));
    values_clear(&values);
}

static void
what_does_not_fit_is_refused(void **state)
{
    static const char *const wrong[] = {
        "noSuchCommand",
        "findkey",
        "genSymKey -t 31 -l a",
        "genSymKey -t 31 -s 32 -l",
        "genSymKey -t 31 -s 32 -l a -what b",
        "genSymKey -t 31 -t 31 -s 32 -l a",
        "genSymKey -t x -s 32 -l a",
        "genSymKey -t 31 -s 3585 -l a",
        "genSymKey -t 31 -s -1 -l a",
        "genSymKey -t 31 -s 32 -l a -wrap_with_trusted 2",
        "genRSAKeyPair -m 2048 -e 3 -l a",
        "findKey -c 5",
        "deleteKey -k 4294967296",
        "loginHSM -u XX -s cu1 -p user1234",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct values values;
        size_t used;

        assert_false(parse(&util_commands, wrong[i], &values, &used));
    }
}

static void
positions_are_filled_in_order(void **state)
{
    struct values values;
    size_t used;

    (void)state;
    assert_true(parse(&mgmt_commands, "createUser CU cu1 -hpswd", &values, &used));
    assert_int_equal(used, 4);
    assert_int_equal(values_number(&values, "type", 0), ROLE_CU);
    assert_string_equal(values_text(&values, "user"), "cu1");
    assert_true(view_equal(values_secret(&values, "password"), VIEW_TEXT("-hpswd")));
    values_clear(&values);

    assert_false(parse(&mgmt_commands, "createUser CU cu1", &values, &used));
}

static void
a_unique_prefix_names_a_command_of_the_management_tool(void **state)
{
    const char *error = NULL;

    (void)state;
    assert_string_equal(command_find(&mgmt_commands, "findA", &error)->name, "findAllKeys");
    assert_string_equal(command_find(&mgmt_commands, "cr", &error)->name, "createUser");
    assert_null(command_find(&mgmt_commands, "log", &error));
    assert_non_null(strstr(error, "more than one"));
    assert_null(command_find(&util_commands, "findK", &error));
}

static void
help_is_asked_for_anywhere(void **state)
{
    struct values values;
    size_t used;

    (void)state;
    assert_true(parse(&util_commands, "genSymKey -h", &values, &used));
    assert_true(values.help);
    values_clear(&values);
}

static const struct command_table *const tables[] = { &util_commands, &mgmt_commands };

/* Whatever its words would have meant. */
static void
a_command_that_is_not_here_says_why(void **state)
{
    struct values values;
    size_t used = 0;

    (void)state;
    assert_true(parse(&mgmt_commands, "setUserAttributes CU cu1 -x 3 quit", &values, &used));
    assert_int_equal(used, 6);
    assert_false(values.help);
    assert_int_equal(command_run(NULL, &values), STATUS_REFUSED);
    assert_true(parse(&util_commands, "parkObject -h", &values, &used));
    assert_true(values.help);
    assert_int_equal(command_run(NULL, &values), STATUS_DONE);
}

static bool
has_command(const struct command_table *table, const char *name)
{
    const char *error;
    const struct command *row = command_find(table, name, &error);

    return row != NULL && strcmp(row->name, name) == 0;
}

/* The lists that the original's help prints. */
static void
each_command_of_the_original_has_a_row(void **state)
{
    static const char *const mgmt[] = {
        "approveToken", "changePswd", "createUser", "deleteUser", "delToken",
        "enable_e2e", "findAllKeys",
        "getAttribute", "getAuditUDD", "getChallenge", "getClusterInfo",
        "getConfigPreGenCacheSize", "getHSMInfo", "getKeyDiffMap", "getKeyInfo", "getMValue",
        "getPolicy", "getPreGenCacheSize", "getSingleUserHash", "getToken", "getTokenTimeout",
        "getUserHash", "getUserInfo", "help", "info", "listAttributes", "listKBKSlots",
        "listTokens", "listUsers", "loginHSM", "logoutHSM",
        "modifyKeyOwner", "quit", "registerMofnPubKey", "registerQuorumPubKey",
        "server", "setAttribute",
        "setAuditUDD", "setConfigPreGenCacheSize", "setHSMConfig", "setKBKPrimary", "setMValue",
        "setPolicy", "setTokenTimeout", "setUserAttributes", "shareKey",
        "smAppCtrl", "smAppDelete", "smAppDiagInfo", "smAppUpdate", "storeFixedKey", "unlockCO",
        "unlockUser", "backupPartition", "clone", "exit", "generateKEK",
        "getCert", "getCertReq", "getPartitionInfo", "getUserDiffMap", "reconnect",
        "restorePartition", "storeCert", "syncKey", "syncUser", "renamePCO", "disableUserAccess",
        "registerUserAuthPubKey", "updateUserAuthPubKey", "setUserAuthPubKey",
        "resetUserAuthPubKey", "deregisterUserAuthPubKey", "listUserAuthPubKeys",
    };
    static const char *const util[] = {
        "help", "exit", "getAuditUDD", "setAuditUDD", "getCert", "getHSMInfo",
        "getPartitionInfo", "listUsers", "loginHSM", "loginStatus", "logoutHSM", "allocContext",
        "authUser", "freeContext", "Error2String", "getCaviumPrivKey", "IsValidKeyHandlefile",
        "listAttributes", "listECCCurveIds", "deriveSymKey", "genDSAKeyPair", "genECCKeyPair",
        "genRSAKeyPair", "genParkingKey", "genPBEKey", "genSymKey", "splitKey",
        "atomicGenAndWrapASymKey", "atomicGenAndWrapSymKey", "createPublicKey",
        "exportPrivateKey", "exportPubKey", "exSymKey", "importPrivateKey", "importPubKey",
        "imSymKey", "unWrapKey", "unWrapKeyWithSize", "wrapKey", "deleteKey", "findKey",
        "findSingleKey", "getAttribute", "getKeyInfo", "setAttribute", "extractMaskedObject",
        "insertMaskedObject", "parkObject", "unparkObject", "approveToken", "delToken",
        "getToken", "listTokens", "aesUnwrapPkcs5Buffer", "aesWrapUnwrap", "sign", "verify",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(mgmt); i++) {
        if (!has_command(&mgmt_commands, mgmt[i])) {
            fail_msg("azcloudhsm_mgmt_util has no %s", mgmt[i]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(util); i++) {
        if (!has_command(&util_commands, util[i])) {
            fail_msg("azcloudhsm_util has no %s", util[i]);
        }
    }
}

static void
every_row_is_whole_and_its_name_unique(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_COUNT(tables); t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct command *row = &tables[t]->rows[i];

            assert_non_null(row->run);
            assert_true(row->help != NULL && strlen(row->help) > 8);
            for (size_t j = 0; j < i; j++) {
                assert_string_not_equal(row->name, tables[t]->rows[j].name);
            }
        }
    }
}

static void
every_argument_is_whole_and_its_name_unique(void **state)
{
    (void)state;
    for (size_t t = 0; t < ARRAY_COUNT(tables); t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct argument *list = tables[t]->rows[i].arguments;

            for (size_t a = 0; a < COMMAND_ARGUMENTS_MAX && list[a].name != NULL; a++) {
                assert_non_null(list[a].help);
                assert_true((list[a].what == NULL) == (list[a].type == ARGUMENT_FLAG));
                assert_true(list[a].type != ARGUMENT_NUMBER || list[a].min <= list[a].max);
                for (size_t b = 0; b < a; b++) {
                    assert_string_not_equal(list[a].name, list[b].name);
                }
            }
        }
    }
}

static void
every_code_has_a_text_and_stands_once(void **state)
{
    size_t count;
    const struct code *codes = code_rows(&count);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_non_null(codes[i].class);
        assert_true(strlen(codes[i].text) > 3);
        for (size_t j = 0; j < i; j++) {
            assert_int_not_equal(codes[i].rv, codes[j].rv);
        }
    }
    assert_int_equal(code_of(CKR_OK)->shown, 0);
    assert_int_equal(code_of(CKR_PIN_INCORRECT)->shown, 0xa3);
    assert_string_equal(code_of(CKR_LOGIN_FAILURE)->text, "RET_USER_LOGIN_FAILURE");
    assert_string_equal(code_of(CKR_CANCEL)->text, "CKR_CANCEL");
}

static void
roles_have_the_names_of_both_tools(void **state)
{
    uint32_t role = 0;

    (void)state;
    assert_true(role_parse("PCO", &role));
    assert_int_equal(role, ROLE_CO);
    assert_string_equal(role_name(role), "CO");
    assert_true(role_parse("PRECO", &role));
    assert_int_equal(role, ROLE_PRECO);
    assert_false(role_parse("cu", &role));
    assert_string_equal(role_name(77), "UNKNOWN");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_hold_a_word_together),
        cmocka_unit_test(an_open_quote_and_too_many_words_are_refused),
        cmocka_unit_test(options_stand_in_any_order),
        cmocka_unit_test(a_command_ends_where_the_next_begins),
        cmocka_unit_test(a_password_is_wiped_from_the_words),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(positions_are_filled_in_order),
        cmocka_unit_test(a_unique_prefix_names_a_command_of_the_management_tool),
        cmocka_unit_test(help_is_asked_for_anywhere),
        cmocka_unit_test(a_command_that_is_not_here_says_why),
        cmocka_unit_test(each_command_of_the_original_has_a_row),
        cmocka_unit_test(every_row_is_whole_and_its_name_unique),
        cmocka_unit_test(every_argument_is_whole_and_its_name_unique),
        cmocka_unit_test(every_code_has_a_text_and_stands_once),
        cmocka_unit_test(roles_have_the_names_of_both_tools),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
