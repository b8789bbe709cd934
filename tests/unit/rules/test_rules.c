/* SPDX-License-Identifier: Apache-2.0
 *
 * Policies, switches, return codes and hashes as tables.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rules/rules.h"

static const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
static const struct rules azure = { POLICY_AZURE, INTERFACE_P11, 0 };
static const struct rules fips = { POLICY_FIPS, INTERFACE_P11, 0 };

static void
every_policy_parses_from_its_name(void **state)
{
    UNUSED(state);
    for (enum policy policy = 0; policy < POLICY_COUNT; policy++) {
        enum policy parsed = POLICY_COUNT;

        assert_true(policy_parse(policy_name(policy), &parsed));
        assert_int_equal(parsed, policy);
    }
}

static void
other_names_are_no_policies(void **state)
{
    enum policy policy = POLICY_FIPS;

    UNUSED(state);
    assert_false(policy_parse("", &policy));
    assert_false(policy_parse("Azure", &policy));
    assert_false(policy_parse("azure ", &policy));
    assert_int_equal(policy, POLICY_FIPS);
}

static void
switches_differ_by_policy(void **state)
{
    UNUSED(state);
    assert_false(rules_switch_on(standard, SWITCH_login_before_digest));
    assert_true(rules_switch_on(azure, SWITCH_login_before_digest));
    assert_true(rules_switch_on(standard, SWITCH_copy_with_template));
    assert_false(rules_switch_on(azure, SWITCH_copy_with_template));
    assert_true(rules_switch_on(azure, SWITCH_caller_iv));
    assert_false(rules_switch_on(fips, SWITCH_caller_iv));
}

static void
switches_are_turned_by_name(void **state)
{
    static const struct {
        const char *text;
        bool all;
        const char *back;
    } cases[] = {
        { "", true, "" },
        { "wrap_iv=on", true, "wrap_iv=on" },
        { "wrap_iv=off", true, "" }, /* as azure has it */
        { "enforce_dates=on,owner_wraps=off", true, "owner_wraps=off,enforce_dates=on" },
        { "wrap_iv=on,wrap_iv=off", true, "" },
        { "no_such_thing=on,wrap_iv=on", false, "wrap_iv=on" },
        { "wrap_iv", false, "" },
        { "wrap_iv=", false, "" },
        { "wrap_iv=1", false, "" },
        { "wrap_iv=online", false, "" },
        { "wrap_i=on", false, "" },
        { ",", false, "" },
        { "wrap_iv=on,", false, "wrap_iv=on" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct rules rules = azure;
        struct writer out;

        writer_init(&out, RULES_SWITCHES_TEXT_MAX);
        assert_int_equal(rules_switches_read(&rules, view_str(cases[i].text)), cases[i].all);
        rules_switches_write(rules, &out);
        assert_true(view_equal(writer_view(&out), view_str(cases[i].back)));
        writer_clear(&out);
    }

    struct rules all = standard;
    struct writer out;

    /* The longest text there can be is one that may be stored. */
    all.turned = (uint32_t)((UINT64_C(1) << SWITCH_COUNT) - 1);
    writer_init(&out, RULES_SWITCHES_TEXT_MAX);
    rules_switches_write(all, &out);
    assert_true(writer_ok(&out));
    writer_clear(&out);
}

static void
the_interface_changes_no_switch(void **state)
{
    UNUSED(state);
    for (enum policy policy = 0; policy < POLICY_COUNT; policy++) {
        for (enum rules_switch which = 0; which < SWITCH_COUNT; which++) {
            struct rules p11 = { policy, INTERFACE_P11, 0 };
            struct rules api = { policy, INTERFACE_API, 0 };

            assert_int_equal(rules_switch_on(p11, which), rules_switch_on(api, which));
        }
    }
}

#define RETURN(name, rank) { CKR_##name, rank, "CKR_" #name },
static const struct {
    CK_RV rv;
    int rank;
    const char *name;
} returns[] = {
#include "rules/returns.def"
};
#undef RETURN

static void
every_code_stands_once_and_has_its_name(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(returns); i++) {
        assert_string_equal(return_name(returns[i].rv), returns[i].name);
        for (size_t k = i + 1; k < ARRAY_COUNT(returns); k++) {
            assert_true(returns[i].rv != returns[k].rv);
        }
    }
}

static void
a_code_without_a_row_is_named_by_its_number(void **state)
{
    UNUSED(state);
    assert_string_equal(return_name(0xdead), "CKR_0x0000dead");
    assert_true(return_is_known(CKR_OK));
    assert_true(return_is_known(CKR_VENDOR_DEFINED));
    assert_false(return_is_known(~(CK_RV)0));
    assert_string_equal(return_name(~(CK_RV)0), sizeof(CK_RV) == 8 ? "CKR_0xffffffffffffffff"
                                                                   : "CKR_0xffffffff");
}

static void
the_smaller_rank_wins_from_either_side(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(returns); i++) {
        assert_int_equal(return_first(CKR_OK, returns[i].rv), returns[i].rv);
        assert_int_equal(return_first(returns[i].rv, CKR_OK), returns[i].rv);
        for (size_t k = 0; k < ARRAY_COUNT(returns); k++) {
            if (returns[i].rank < returns[k].rank && returns[i].rv != CKR_OK) {
                assert_int_equal(return_first(returns[i].rv, returns[k].rv), returns[i].rv);
                assert_int_equal(return_first(returns[k].rv, returns[i].rv), returns[i].rv);
            }
        }
    }
}

static void
an_unknown_code_wins_over_ok_only(void **state)
{
    UNUSED(state);
    assert_int_equal(return_first(0xdead, CKR_OK), 0xdead);
    assert_int_equal(return_first(0xdead, CKR_VENDOR_DEFINED), CKR_VENDOR_DEFINED);
    assert_int_equal(return_first(CKR_VENDOR_DEFINED, 0xdead), CKR_VENDOR_DEFINED);
}

/* PKCS #11 v3.1, 5.1.6 and 5.1.7: the left code beats the right one. */
static void
the_pairs_of_the_standard_are_kept(void **state)
{
    static const struct {
        CK_RV left, right;
    } pairs[] = {
        { CKR_GENERAL_ERROR, CKR_HOST_MEMORY },
        { CKR_HOST_MEMORY, CKR_FUNCTION_FAILED },
        { CKR_FUNCTION_FAILED, CKR_SESSION_HANDLE_INVALID },
        { CKR_SESSION_HANDLE_INVALID, CKR_DEVICE_REMOVED },
        { CKR_DEVICE_REMOVED, CKR_SESSION_CLOSED },
        { CKR_SESSION_CLOSED, CKR_DEVICE_MEMORY },
        { CKR_DEVICE_MEMORY, CKR_DEVICE_ERROR },
        { CKR_DEVICE_ERROR, CKR_TOKEN_NOT_PRESENT },
        { CKR_TOKEN_NOT_PRESENT, CKR_ARGUMENTS_BAD },
        { CKR_DATA_LEN_RANGE, CKR_DATA_INVALID },
        { CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_ENCRYPTED_DATA_INVALID },
        { CKR_SIGNATURE_LEN_RANGE, CKR_SIGNATURE_INVALID },
        { CKR_SIGNATURE_INVALID, CKR_BUFFER_TOO_SMALL },
        { CKR_WRAPPED_KEY_LEN_RANGE, CKR_WRAPPED_KEY_INVALID },
        { CKR_KEY_TYPE_INCONSISTENT, CKR_KEY_FUNCTION_NOT_PERMITTED },
        { CKR_TOKEN_WRITE_PROTECTED, CKR_SESSION_READ_ONLY },
        { CKR_RANDOM_NO_RNG, CKR_RANDOM_SEED_NOT_SUPPORTED },
        { CKR_OPERATION_NOT_INITIALIZED, CKR_STATE_UNSAVEABLE },
        { CKR_FIPS_SELF_TEST_FAILED, CKR_GENERAL_ERROR },
        { CKR_EXCEEDED_MAX_ITERATIONS, CKR_FUNCTION_FAILED },
        { CKR_PUBLIC_KEY_INVALID, CKR_MECHANISM_PARAM_INVALID },
        { CKR_PIN_LEN_RANGE, CKR_PIN_TOO_WEAK },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        assert_int_equal(return_first(pairs[i].left, pairs[i].right), pairs[i].left);
        assert_int_equal(return_first(pairs[i].right, pairs[i].left), pairs[i].left);
    }
}

static void
the_vendors_login_failure_is_the_seeds_number(void **state)
{
    UNUSED(state);
    assert_int_equal(CKR_LOGIN_FAILURE, CKR_PIN_EXPIRED);
}

static void
every_hash_is_found_by_its_numbers(void **state)
{
    UNUSED(state);
    for (enum hash hash = HASH_NONE + 1; hash < HASH_COUNT; hash++) {
        const struct hash_row *row = hash_row(hash);

        assert_int_equal(hash_by_mechanism(row->mechanism), hash);
        assert_int_equal(hash_by_mgf(row->mgf), row->mgf == 0 ? HASH_NONE : hash);
        assert_true(row->length >= 16 && row->length <= 64);
        assert_true(row->block >= 64 && row->block <= 144 && row->block > row->length);
        assert_true(strlen(row->library_name) > 0);
    }
}

static void
other_numbers_are_no_hash(void **state)
{
    UNUSED(state);
    assert_int_equal(hash_by_mechanism(CKM_RSA_PKCS_KEY_PAIR_GEN), HASH_NONE);
    assert_int_equal(hash_by_mechanism(CKM_SHA256_HMAC), HASH_NONE);
    assert_int_equal(hash_by_mechanism(~(CK_ULONG)0), HASH_NONE);
    assert_int_equal(hash_by_mgf(0), HASH_NONE);
}

static void
a_function_is_offered_by_policy(void **state)
{
    const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
    const struct rules azure = { POLICY_AZURE, INTERFACE_P11, 0 };

    UNUSED(state);
    assert_int_equal(rules_function_code(standard, FUNCTION_GetObjectSize), CKR_OK);
    assert_int_equal(rules_function_code(azure, FUNCTION_GetObjectSize),
                     CKR_FUNCTION_NOT_SUPPORTED);
    assert_int_equal(rules_function_code(standard, FUNCTION_InitToken),
                     CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_policy_parses_from_its_name),
        cmocka_unit_test(other_names_are_no_policies),
        cmocka_unit_test(switches_differ_by_policy),
        cmocka_unit_test(switches_are_turned_by_name),
        cmocka_unit_test(the_interface_changes_no_switch),
        cmocka_unit_test(a_function_is_offered_by_policy),
        cmocka_unit_test(every_code_stands_once_and_has_its_name),
        cmocka_unit_test(a_code_without_a_row_is_named_by_its_number),
        cmocka_unit_test(the_smaller_rank_wins_from_either_side),
        cmocka_unit_test(an_unknown_code_wins_over_ok_only),
        cmocka_unit_test(the_pairs_of_the_standard_are_kept),
        cmocka_unit_test(the_vendors_login_failure_is_the_seeds_number),
        cmocka_unit_test(every_hash_is_found_by_its_numbers),
        cmocka_unit_test(other_numbers_are_no_hash),
    };

    return cmocka_run_group_tests_name("rules", tests, NULL, NULL);
}
