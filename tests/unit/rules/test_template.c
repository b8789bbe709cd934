/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of uses, and templates that make objects: which attributes are taken, and with
 * which code they are refused, in the three policies.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rules/template.h"
#include "unit/rules/list.h"

static const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
static const struct rules azure = { POLICY_AZURE, INTERFACE_P11, 0 };
static const struct rules fips = { POLICY_FIPS, INTERFACE_P11, 0 };

#define AES_KEY_BYTES "0123456789abcdef"
#define AES_CREATE \
    ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES), BYTES(VALUE, AES_KEY_BYTES)
#define AES_GENERATE ULONG(VALUE_LEN, 32)
#define P256 BYTES(EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")

/* As a crypto user. */
static CK_RV
check(struct rules rules, enum object_kind kind, enum origin origin, view template)
{
    return template_check(rules, kind, origin, false, template);
}

/* ---- the table ---- */

static void
every_row_is_of_a_known_attribute_and_kind(void **state)
{
    size_t count;
    const struct use_row *rows = use_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        assert_non_null(attribute_row(rows[i].type));
        assert_true(rows[i].kinds != 0 && rows[i].kinds >> KIND_COUNT == 0);
    }
}

static void
an_attribute_has_one_row_per_kind(void **state)
{
    size_t count;
    const struct use_row *rows = use_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        for (size_t k = i + 1; k < count; k++) {
            assert_true(rows[i].type != rows[k].type || (rows[i].kinds & rows[k].kinds) == 0);
        }
        for (enum object_kind kind = 0; kind < KIND_COUNT; kind++) {
            if ((rows[i].kinds & 1u << kind) != 0) {
                assert_ptr_equal(use_row(kind, rows[i].type), &rows[i]);
            }
        }
    }
}

static void
defaults_have_the_form_of_their_attribute(void **state)
{
    size_t count;
    const struct use_row *rows = use_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        enum attribute_form form = attribute_row(rows[i].type)->form;
        const struct use_rule *rules[] = { &rows[i].standard, &rows[i].azure };

        for (size_t k = 0; k < ARRAY_COUNT(rules); k++) {
            enum attribute_default defaults[] = { rules[k]->value, rules[k]->generated };

            for (size_t d = 0; d < ARRAY_COUNT(defaults); d++) {
                bool is_bool = defaults[d] == DEFAULT_true || defaults[d] == DEFAULT_false;

                assert_true(!is_bool || form == FORM_BOOL);
                assert_true(defaults[d] != DEFAULT_zero || form == FORM_ULONG);
                assert_true(defaults[d] != DEFAULT_empty || form == FORM_BYTES ||
                            form == FORM_DATE);
            }
            assert_true((rules[k]->set != SET_up && rules[k]->set != SET_down) ||
                        form == FORM_BOOL);
            assert_true(rules[k]->only == ONLY_any || form == FORM_BOOL);
        }
    }
}

/* A default that the policy itself refuses could never be. */
static void
defaults_are_values_that_the_policy_takes(void **state)
{
    size_t count;
    const struct use_row *rows = use_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        const struct use_rule *rule = &rows[i].azure;

        assert_true(rule->only != ONLY_true ||
                    (rule->value == DEFAULT_true && rule->generated == DEFAULT_true));
        assert_true(rule->only != ONLY_false ||
                    (rule->value == DEFAULT_false && rule->generated == DEFAULT_false));
        assert_int_equal(rows[i].standard.only, ONLY_any);
    }
}

static void
secret_parts_are_those_of_footnote_7(void **state)
{
    UNUSED(state);
    assert_true(use_is_secret(KIND_AES, CKA_VALUE));
    assert_true(use_is_secret(KIND_EC_PRIVATE, CKA_VALUE));
    assert_true(use_is_secret(KIND_RSA_PRIVATE, CKA_PRIVATE_EXPONENT));
    assert_true(use_is_secret(KIND_RSA_PRIVATE, CKA_COEFFICIENT));
    assert_false(use_is_secret(KIND_RSA_PRIVATE, CKA_MODULUS));
    assert_false(use_is_secret(KIND_DATA, CKA_VALUE));
    assert_false(use_is_secret(KIND_X509, CKA_VALUE));
    assert_false(use_is_secret(KIND_AES, CKA_MODULUS));
}

static void
azure_and_fips_share_their_rules(void **state)
{
    const struct use_row *row = use_row(KIND_AES, CKA_SENSITIVE);

    UNUSED(state);
    assert_ptr_equal(use_rule(standard, row), &row->standard);
    assert_ptr_equal(use_rule(azure, row), &row->azure);
    assert_ptr_equal(use_rule(fips, row), &row->azure);
}

/* ---- one attribute ---- */

static void
a_whole_template_is_fine_in_every_policy(void **state)
{
    view create = LIST(AES_CREATE, BYTES(LABEL, "k"), BOOL(TOKEN, true), BOOL(ENCRYPT, true));
    view generate = LIST(AES_GENERATE, BOOL(EXTRACTABLE, false), BYTES(ID, "\x01"));

    UNUSED(state);
    for (enum policy policy = 0; policy < POLICY_COUNT; policy++) {
        struct rules rules = { policy, INTERFACE_P11, 0 };

        assert_int_equal(check(rules, KIND_AES, ORIGIN_CREATE, create), CKR_OK);
        assert_int_equal(check(rules, KIND_AES, ORIGIN_GENERATE, generate), CKR_OK);
        assert_int_equal(check(rules, KIND_EC_PUBLIC, ORIGIN_GENERATE, LIST(P256)), CKR_OK);
        assert_int_equal(check(rules, KIND_EC_PRIVATE, ORIGIN_GENERATE, VIEW_EMPTY), CKR_OK);
    }
}

static void
an_unknown_type_is_invalid(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, VIEW(CKA_VENDOR_DEFINED, VIEW_EMPTY))),
                     CKR_ATTRIBUTE_TYPE_INVALID);
}

static void
an_attribute_of_another_kind_is_inconsistent(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, ULONG(MODULUS_BITS, 2048))),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(
        check(azure, KIND_EC_PUBLIC, ORIGIN_GENERATE, LIST(P256, BOOL(SIGN, true))),
        CKR_TEMPLATE_INCONSISTENT);
}

static void
what_the_hsm_makes_is_read_only(void **state)
{
    UNUSED(state);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_CREATE, LIST(AES_CREATE, BOOL(LOCAL, true))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_CREATE,
                           LIST(AES_CREATE, ULONG(KEY_GEN_MECHANISM, CKM_AES_KEY_GEN))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_CREATE,
                           LIST(AES_CREATE, BOOL(NEVER_EXTRACTABLE, true))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(check(standard, KIND_DATA, ORIGIN_CREATE,
                           LIST(ULONG(CLASS, CKO_DATA), BYTES(UNIQUE_ID, "1"))),
                     CKR_ATTRIBUTE_READ_ONLY);
}

static void
what_is_forbidden_depends_on_the_origin(void **state)
{
    UNUSED(state);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_CREATE,
                           LIST(AES_CREATE, ULONG(VALUE_LEN, 16))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, BYTES(VALUE, AES_KEY_BYTES))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_UNWRAP,
                           LIST(ULONG(KEY_TYPE, CKK_AES), ULONG(VALUE_LEN, 16))),
                     CKR_OK);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_DERIVE,
                           LIST(ULONG(KEY_TYPE, CKK_AES), BYTES(VALUE, AES_KEY_BYTES))),
                     CKR_ATTRIBUTE_READ_ONLY);
}

static void
a_value_of_another_form_is_invalid(void **state)
{
    static const struct item bad[] = {
        { CKA_TOKEN, ITEM_BYTES, 0, { (const uint8_t *)"\x02", 1 } },
        { CKA_TOKEN, ITEM_BYTES, 0, { (const uint8_t *)"\x01\x00", 2 } },
        { CKA_TOKEN, ITEM_BYTES, 0, { NULL, 0 } },
        { CKA_START_DATE, ITEM_BYTES, 0, { (const uint8_t *)"2030010", 7 } },
        { CKA_START_DATE, ITEM_BYTES, 0, { (const uint8_t *)"20301301", 8 } },
        { CKA_END_DATE, ITEM_BYTES, 0, { (const uint8_t *)"2030010x", 8 } },
        { CKA_END_DATE, ITEM_BYTES, 0, { (const uint8_t *)"20300100", 8 } },
        { CKA_CLASS, ITEM_BYTES, 0, { (const uint8_t *)"\x04\x00\x00\x00", 4 } },
        { CKA_ALLOWED_MECHANISMS, ITEM_BYTES, 0, { (const uint8_t *)"1234567", 7 } },
        { CKA_WRAP_TEMPLATE, ITEM_BYTES, 0, { (const uint8_t *)"1234567", 7 } },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE, LIST(AES_GENERATE, bad[i])),
                         CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

static void
dates_lists_and_numbers_are_taken_in_their_form(void **state)
{
    view inner = LIST(BOOL(EXTRACTABLE, false));

    UNUSED(state);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, BYTES(START_DATE, "20300131"), BYTES(END_DATE, ""),
                                BYTES(ALLOWED_MECHANISMS, "\x87\x10\0\0\0\0\0\0"),
                                VIEW(CKA_WRAP_TEMPLATE, inner))),
                     CKR_OK);
    assert_int_equal(template_check_value(attribute_row(CKA_MODULUS), VIEW_TEXT("\xff")), CKR_OK);
    assert_int_equal(template_check_value(attribute_row(CKA_MODULUS), VIEW_EMPTY),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

static void
a_nested_template_is_judged_inside(void **state)
{
    view unknown = LIST(VIEW(CKA_VENDOR_DEFINED, VIEW_EMPTY));
    view bad = LIST(BYTES(SIGN, "\x02"));

    UNUSED(state);
    assert_int_equal(template_check_value(attribute_row(CKA_WRAP_TEMPLATE), unknown),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(template_check_value(attribute_row(CKA_WRAP_TEMPLATE), bad),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

static void
an_entry_without_a_value_is_no_value(void **state)
{
    uint8_t buffer[100];
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    attribute_write_ulong(&w, CKA_VALUE_LEN, 16);
    attribute_write_status(&w, CKA_LABEL, ATTRIBUTE_UNKNOWN);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE, writer_view(&w)),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(template_check_change(standard, KIND_AES, false, false, VIEW_EMPTY,
                                           view_slice(writer_view(&w), 16, 8)),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

static void
azure_keys_are_private_and_sensitive(void **state)
{
    view public_key = LIST(AES_GENERATE, BOOL(PRIVATE, false));
    view readable = LIST(AES_GENERATE, BOOL(SENSITIVE, false));

    UNUSED(state);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE, public_key),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(check(fips, KIND_AES, ORIGIN_GENERATE, readable), CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE, public_key), CKR_OK);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE, readable), CKR_OK);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, BOOL(PRIVATE, true), BOOL(SENSITIVE, true))),
                     CKR_OK);
}

static void
azure_data_and_certificates_may_be_public(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, KIND_DATA, ORIGIN_CREATE,
                           LIST(ULONG(CLASS, CKO_DATA), BOOL(PRIVATE, false))),
                     CKR_OK);
}

static void
azure_public_keys_do_not_derive(void **state)
{
    view template = LIST(P256, BOOL(DERIVE, true));

    UNUSED(state);
    assert_int_equal(check(azure, KIND_EC_PUBLIC, ORIGIN_GENERATE, template),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(check(standard, KIND_EC_PUBLIC, ORIGIN_GENERATE, template), CKR_OK);
}

static void
trust_is_given_by_an_officer(void **state)
{
    view trusted = LIST(AES_GENERATE, BOOL(TRUSTED, true));
    view plain = LIST(AES_GENERATE, BOOL(TRUSTED, false));

    UNUSED(state);
    assert_int_equal(template_check(standard, KIND_AES, ORIGIN_GENERATE, false, trusted),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(template_check(standard, KIND_AES, ORIGIN_GENERATE, true, trusted), CKR_OK);
    assert_int_equal(template_check(standard, KIND_AES, ORIGIN_GENERATE, false, plain), CKR_OK);
}

static void
the_same_value_twice_does_no_harm(void **state)
{
    view twice = LIST(AES_GENERATE, BYTES(LABEL, "a"), BYTES(LABEL, "a"));
    view different = LIST(AES_GENERATE, BYTES(LABEL, "a"), BYTES(LABEL, "b"));
    struct writer w;
    view label;

    UNUSED(state);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE, twice), CKR_OK);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE, different),
                     CKR_TEMPLATE_INCONSISTENT);
    writer_init(&w, 10000);
    template_complete(azure, KIND_AES, ORIGIN_GENERATE, twice, &w);
    attributes_find(writer_view(&w), CKA_LABEL, &label);
    assert_int_equal(label.len, 1);
    writer_clear(&w);
}

static void
the_first_bad_attribute_gives_the_code(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE,
                           LIST(BOOL(LOCAL, true), VIEW(CKA_VENDOR_DEFINED, VIEW_EMPTY))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE,
                           LIST(VIEW(CKA_VENDOR_DEFINED, VIEW_EMPTY), BOOL(LOCAL, true))),
                     CKR_ATTRIBUTE_TYPE_INVALID);
}

/* ---- the whole template ---- */

static void
a_missing_attribute_is_incomplete(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
    assert_int_equal(check(azure, KIND_EC_PUBLIC, ORIGIN_GENERATE, VIEW_EMPTY),
                     CKR_TEMPLATE_INCOMPLETE);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_CREATE,
                           LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES))),
                     CKR_TEMPLATE_INCOMPLETE);
    assert_int_equal(check(azure, KIND_AES, ORIGIN_UNWRAP, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
}

static void
always_authenticate_wants_a_private_object(void **state)
{
    view both = LIST(BOOL(ALWAYS_AUTHENTICATE, true), BOOL(PRIVATE, false));
    view one = LIST(BOOL(ALWAYS_AUTHENTICATE, true));

    UNUSED(state);
    assert_int_equal(check(standard, KIND_RSA_PRIVATE, ORIGIN_GENERATE, both),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(check(standard, KIND_RSA_PRIVATE, ORIGIN_GENERATE, one), CKR_OK);
}

static void
class_and_type_have_to_agree_with_the_kind(void **state)
{
    UNUSED(state);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, ULONG(CLASS, CKO_PRIVATE_KEY))),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(check(standard, KIND_AES, ORIGIN_GENERATE,
                           LIST(AES_GENERATE, ULONG(KEY_TYPE, CKK_DES3))),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(check(standard, KIND_GENERIC, ORIGIN_GENERATE,
                           LIST(ULONG(VALUE_LEN, 32), ULONG(KEY_TYPE, CKK_SHA256_HMAC))),
                     CKR_OK);
    assert_int_equal(check(standard, KIND_X509, ORIGIN_CREATE,
                           LIST(ULONG(CLASS, CKO_CERTIFICATE), ULONG(CERTIFICATE_TYPE, CKC_WTLS),
                                BYTES(SUBJECT, "s"), BYTES(VALUE, "v"))),
                     CKR_TEMPLATE_INCONSISTENT);
}

static void
aes_keys_have_16_24_or_32_bytes(void **state)
{
    static const uint8_t zeros[65];

    UNUSED(state);
    for (size_t len = 0; len < sizeof zeros; len++) {
        CK_RV expected = len == 16 || len == 24 || len == 32 ? CKR_OK
                                                             : CKR_ATTRIBUTE_VALUE_INVALID;
        view create = LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES),
                           VIEW(CKA_VALUE, view_of(zeros, len)));

        assert_int_equal(check(azure, KIND_AES, ORIGIN_CREATE, create), expected);
        assert_int_equal(check(azure, KIND_AES, ORIGIN_GENERATE, LIST(ULONG(VALUE_LEN, len))),
                         expected);
    }
}

static void
generic_keys_are_of_any_length_but_none(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, KIND_GENERIC, ORIGIN_CREATE,
                           LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                BYTES(VALUE, ""))),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(check(azure, KIND_GENERIC, ORIGIN_CREATE,
                           LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                BYTES(VALUE, "x"))),
                     CKR_OK);
    assert_int_equal(check(azure, KIND_GENERIC, ORIGIN_GENERATE, LIST(ULONG(VALUE_LEN, 0))),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_of_a_known_attribute_and_kind),
        cmocka_unit_test(an_attribute_has_one_row_per_kind),
        cmocka_unit_test(defaults_have_the_form_of_their_attribute),
        cmocka_unit_test(defaults_are_values_that_the_policy_takes),
        cmocka_unit_test(secret_parts_are_those_of_footnote_7),
        cmocka_unit_test(azure_and_fips_share_their_rules),
        cmocka_unit_test(a_whole_template_is_fine_in_every_policy),
        cmocka_unit_test(an_unknown_type_is_invalid),
        cmocka_unit_test(an_attribute_of_another_kind_is_inconsistent),
        cmocka_unit_test(what_the_hsm_makes_is_read_only),
        cmocka_unit_test(what_is_forbidden_depends_on_the_origin),
        cmocka_unit_test(a_value_of_another_form_is_invalid),
        cmocka_unit_test(dates_lists_and_numbers_are_taken_in_their_form),
        cmocka_unit_test(a_nested_template_is_judged_inside),
        cmocka_unit_test(an_entry_without_a_value_is_no_value),
        cmocka_unit_test(azure_keys_are_private_and_sensitive),
        cmocka_unit_test(azure_data_and_certificates_may_be_public),
        cmocka_unit_test(azure_public_keys_do_not_derive),
        cmocka_unit_test(trust_is_given_by_an_officer),
        cmocka_unit_test(the_same_value_twice_does_no_harm),
        cmocka_unit_test(the_first_bad_attribute_gives_the_code),
        cmocka_unit_test(a_missing_attribute_is_incomplete),
        cmocka_unit_test(always_authenticate_wants_a_private_object),
        cmocka_unit_test(class_and_type_have_to_agree_with_the_kind),
        cmocka_unit_test(aes_keys_have_16_24_or_32_bytes),
        cmocka_unit_test(generic_keys_are_of_any_length_but_none),
    };

    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
