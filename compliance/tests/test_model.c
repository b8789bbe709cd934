/* SPDX-License-Identifier: Apache-2.0
 *
 * The model asked about calls whose answer the standard spells out, and ids of tests written and
 * read.
 */
#include "gen/test.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct world world;

static int
set_up(void **state)
{
    (void)state;
    world.version = (CK_VERSION){ 3, 0 };
    world.so = true;
    for (int i = 0; i < FN_COUNT; i++) {
        world.has_fn[i] = true;
    }
    for (int i = 0; i < KEY_COUNT; i++) {
        world.has_key[i] = true;
    }
    for (int i = 0; i < MECH_COUNT; i++) {
        world.mech_flags[i] = ~(CK_FLAGS)0;
    }
    return 0;
}

/* Walks along an id, always the way of success or of the single right code, and gives the codes
 * that are right at its last call, the strict ones first. */
static void
right_codes(const char *id, CK_RV ret_codes[8], size_t *ret_strict, size_t *ret_all)
{
    struct test test;
    struct mstate at;
    struct expect expect;

    assert_true(test_parse(&world, id, &test));
    at = base_state(areas[test.area].base);
    for (size_t i = 0; i < test.count; i++) {
        oracle(&world, &test.object, &at, &test.step[i], &expect);
        assert_true(expect.count > 0);
        at = expect.outcome[expect.count - 1].post;
    }
    *ret_all = 0;
    for (int level = 0; level < 2; level++) {
        for (size_t i = 0; i < expect.count && *ret_all < 8; i++) {
            bool known = false;

            for (size_t k = 0; k < *ret_all; k++) {
                known = known || ret_codes[k] == expect.outcome[i].code;
            }
            if ((int)expect.outcome[i].level == level && !known) {
                ret_codes[(*ret_all)++] = expect.outcome[i].code;
            }
        }
        if (level == 0) {
            *ret_strict = *ret_all;
        }
    }
}

static void
assert_right(const char *id, CK_RV code)
{
    CK_RV codes[8];
    size_t strict, all;

    right_codes(id, codes, &strict, &all);
    assert_int_equal(strict, 1);
    assert_int_equal(codes[0], code);
}

static void
the_tables_are_sound(void **state)
{
    (void)state;
    assert_int_equal(model_selfcheck(), 0);
}

static void
calls_have_the_codes_of_the_text(void **state)
{
    (void)state;
    assert_right("ENC/AES_CBC.AES16/ei", CKR_OK);
    assert_right("ENC/AES_CBC.AES16/ei.sx", CKR_SESSION_HANDLE_INVALID);
    assert_right("ENC/AES_CBC.AES16/ei.sx.mu.kx", CKR_SESSION_HANDLE_INVALID);
    assert_right("ENC/AES_CBC.AES16/ei.kd", CKR_KEY_HANDLE_INVALID);
    assert_right("ENC/AES_CBC.AES16/ei.mu.kt", CKR_MECHANISM_INVALID);
    assert_right("ENC/AES_CBC.AES16/eo", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("ENC/AES_CBC.AES16/ei-ei", CKR_OPERATION_ACTIVE);
    assert_right("ENC/AES_CBC.AES16/ei-eu-eo", CKR_OPERATION_ACTIVE);
    assert_right("ENC/AES_CBC.AES16/ei-eo-ef", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("ENC/AES_CBC.AES16/ei-eo.d17", CKR_DATA_LEN_RANGE);
    assert_right("ENC/AES_CBC.AES16/ei-eo.os", CKR_BUFFER_TOO_SMALL);
    assert_right("DEC/AES_GCM.AES16/di-do.dx", CKR_ENCRYPTED_DATA_INVALID);
    assert_right("VER/ECDSA.EC256/vi-vo.gx", CKR_SIGNATURE_INVALID);
    assert_right("VER/ECDSA.EC256/vi-vo.gs", CKR_SIGNATURE_LEN_RANGE);
    assert_right("SIG/RSA_PKCS.RSA2048/gi-gu", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("SESS/-/ini", CKR_CRYPTOKI_ALREADY_INITIALIZED);
    assert_right("SESS/-/fin-ope", CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_right("SESS/-/ope.ro-lin.so", CKR_SESSION_READ_ONLY_EXISTS);
    assert_right("SESS/-/ope-lin.so-ope.ro", CKR_SESSION_READ_WRITE_SO_EXISTS);
    assert_right("SESS/-/ope-lin-lin", CKR_USER_ALREADY_LOGGED_IN);
}

static void
messages_have_the_codes_of_the_text(void **state)
{
    (void)state;
    assert_right("MSG/AES_GCM.AES16/meo", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("MSG/AES_GCM.AES16/mei-meo", CKR_OK);
    assert_right("MSG/AES_GCM.AES16/mei-mei", CKR_OPERATION_ACTIVE);
    assert_right("MSG/AES_GCM.AES16/mei-men", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("MSG/AES_GCM.AES16/mei-meb-meo", CKR_OPERATION_ACTIVE);
    assert_right("MSG/AES_GCM.AES16/mei-meb.zb-men", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("MSG/AES_GCM.AES16/mei-meb-men.zl-mef", CKR_OK);
    assert_right("MSG/AES_GCM.AES16/mei-meo.os", CKR_BUFFER_TOO_SMALL);
    assert_right("MSG/AES_GCM.AES16/mei-meo.zt", CKR_MECHANISM_PARAM_INVALID);
    assert_right("MSG/AES_GCM.AES16/mei-meb-sca-men", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("MSG/AES_GCM.AES16/mei-mei.mn-mef", CKR_OPERATION_NOT_INITIALIZED);
    assert_right("MSG/SHA256_HMAC.GEN64/mvi-mvo.gx", CKR_SIGNATURE_INVALID);
    assert_right("MSG/SHA256_HMAC.GEN64/mvi-mvb-mvn.gn-mvn.gx-mvo", CKR_OK);
    assert_right("MSG/ECDSA.EC256/mgi-mgb", CKR_OPERATION_NOT_INITIALIZED);
}

static void
two_wrong_arguments_have_either_code(void **state)
{
    CK_RV codes[8];
    size_t strict, all;

    (void)state;
    right_codes("ENC/AES_CBC.AES16/ei.mu.kx", codes, &strict, &all);
    assert_int_equal(strict, 2);
    assert_int_equal(codes[0] + codes[1], CKR_MECHANISM_INVALID + CKR_KEY_HANDLE_INVALID);
}

static void
ids_are_read_as_they_were_written(void **state)
{
    struct suite suite;

    (void)state;
    assert_true(suite_make(&suite, &world, UINT32_MAX, DEPTH_QUICK));
    assert_true(suite.count > 10000);
    for (size_t i = 0; i < suite.count; i++) {
        char id[ID_MAX], again[ID_MAX];
        struct test test;

        test_print(&suite.test[i], id);
        assert_true(test_parse(&world, id, &test));
        assert_memory_equal(&test.object, &suite.test[i].object, sizeof test.object);
        test_print(&test, again);
        assert_string_equal(id, again);
    }
    suite_clear(&suite);
}

static int
compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
no_test_is_there_twice(void **state)
{
    struct suite suite;
    char **ids;

    (void)state;
    assert_true(suite_make(&suite, &world, UINT32_MAX, DEPTH_QUICK));
    ids = calloc(suite.count, sizeof *ids);
    assert_non_null(ids);
    for (size_t i = 0; i < suite.count; i++) {
        char id[ID_MAX];

        test_print(&suite.test[i], id);
        ids[i] = strdup(id);
    }
    qsort(ids, suite.count, sizeof *ids, compare);
    for (size_t i = 1; i < suite.count; i++) {
        assert_string_not_equal(ids[i - 1], ids[i]);
    }
    for (size_t i = 0; i < suite.count; i++) {
        free(ids[i]);
    }
    free(ids);
    suite_clear(&suite);
}

static void
what_is_no_id_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "ENC",
        "ENC/AES_CBC.AES16",
        "ENC/AES_CBC.AES16/",
        "ENC/AES_CBC.GEN64/ei",
        "ENC/NONE.AES16/ei",
        "NONE/AES_CBC.AES16/ei",
        "ENC/AES_CBC.AES16/ei-",
        "ENC/AES_CBC.AES16/ei.",
        "ENC/AES_CBC.AES16/ei.d17",
        "ENC/AES_CBC.AES16/ei-zz",
        "MSG/AES_CBC/mei",
        "MSG/AES_GCM.AES16/sca.meo",
        "IFACE/none/gfl",
        "IFACE/list_null/gsl",
        "IFACE/list_null.1/gfl",
        "IFACE/list_entry/gfl",
        "IFACE/list_entry.ff/gfl",
        "OBJ/access_mk/mk",
        "OBJ/access_mk.14/mk",
        "OBJ/entries.7d/ga",
        "OBJ/finds.14/fi",
        "KAT/gcm_1/ei",
        "KAT/gcm_1.0/di",
        "KAT/gcm_1.5/ei",
        "KAT/gcm_1.fffffffff/ei",
        "ENC/AES_CBC.AES16/ei-ei-ei-ei-ei-ei-ei-ei-ei-ei-ei-ei-ei",
    };
    struct test test;

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        assert_false(test_parse(&world, bad[i], &test));
    }
}

/* The table of the Usage Guide, "Permitted object accesses": RW, R or nothing, for an object of the
 * session and one of the token, public and private. */
static void
objects_are_seen_as_the_text_says(void **state)
{
    static const char *const table[ACCESS_STATES][4] = {
        /*                    public   private  of the token: public, private */
        [ACCESS_RO_PUBLIC] = { "RW",    "",      "R",              "" },
        [ACCESS_RW_PUBLIC] = { "RW",    "",      "RW",             "" },
        [ACCESS_RO_USER] = {   "RW",    "RW",    "R",              "R" },
        [ACCESS_RW_USER] = {   "RW",    "RW",    "RW",             "RW" },
        [ACCESS_RW_SO] = {     "RW",    "",      "RW",             "" },
    };

    (void)state;
    for (uint32_t arg = 0; arg < ACCESS_MOST; arg++) {
        const char *may = table[ACCESS_STATE(arg)][arg % 4];
        enum cond change = access_rule(FN_C_DestroyObject, arg);
        enum cond read = access_rule(FN_C_GetAttributeValue, arg);

        assert_true(access_sees(arg) == (may[0] != '\0'));
        if (may[0] == '\0') {
            assert_int_equal(change, RULE_O_HIDDEN);
            assert_int_equal(read, RULE_O_HIDDEN);
            assert_int_equal(access_rule(FN_C_SignInit, arg), RULE_O_NO_KEY);
        } else {
            assert_true((change == RULE_O_READS) == (may[1] == '\0'));
            assert_true(read == RULE_O_SEES || read == RULE_O_OPEN);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_tables_are_sound),
        cmocka_unit_test(calls_have_the_codes_of_the_text),
        cmocka_unit_test(messages_have_the_codes_of_the_text),
        cmocka_unit_test(two_wrong_arguments_have_either_code),
        cmocka_unit_test(ids_are_read_as_they_were_written),
        cmocka_unit_test(no_test_is_there_twice),
        cmocka_unit_test(what_is_no_id_is_refused),
        cmocka_unit_test(objects_are_seen_as_the_text_says),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
