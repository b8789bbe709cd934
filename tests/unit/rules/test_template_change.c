/* SPDX-License-Identifier: Apache-2.0
 *
 * What an object has when its template says nothing, what may be changed on it or on its
 * copy, and which searches it matches, in the three policies.
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
#define P256 BYTES(EC_PARAMS, "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")

static CK_RV
change(struct rules rules, enum object_kind kind, view current, view changes)
{
    return template_check_change(rules, kind, false, false, current, changes);
}

static CK_RV
copy(struct rules rules, enum object_kind kind, view current, view changes)
{
    return template_check_change(rules, kind, true, false, current, changes);
}

/* What the completed template says of a BOOL: 0, 1, or -1 when it is absent. */
static int
completed_bool(struct rules rules, enum object_kind kind, enum origin origin, view template,
               CK_ATTRIBUTE_TYPE type)
{
    struct writer w;
    bool value = false;

    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    template_complete(rules, kind, origin, template, &w);
    assert_true(writer_ok(&w));

    bool there = attributes_bool(writer_view(&w), type, &value);

    writer_clear(&w);
    return there ? value : -1;
}

/* ---- completion ---- */

static void
the_callers_values_stand_first_and_secrets_do_not(void **state)
{
    struct writer w;
    view template = LIST(AES_CREATE, BOOL(TOKEN, true), BYTES(LABEL, "k"));
    struct reader r;
    struct attribute attribute;
    view value;
    static const uint32_t order[] = { CKA_CLASS, CKA_KEY_TYPE, CKA_TOKEN, CKA_LABEL };

    UNUSED(state);
    writer_init(&w, 10000);
    template_complete(standard, KIND_AES, ORIGIN_CREATE, template, &w);
    r = reader_of(writer_view(&w));
    for (size_t i = 0; i < ARRAY_COUNT(order); i++) {
        assert_true(attributes_next(&r, &attribute));
        assert_int_equal(attribute.type, order[i]);
    }
    assert_false(attributes_find(writer_view(&w), CKA_VALUE, &value));
    assert_true(attributes_valid(writer_view(&w)));
    writer_clear(&w);
}

static void
a_completed_template_names_nothing_twice(void **state)
{
    UNUSED(state);
    for (enum policy policy = 0; policy < POLICY_COUNT; policy++) {
        for (enum object_kind kind = 0; kind < KIND_COUNT; kind++) {
            struct rules rules = { policy, INTERFACE_P11, 0 };
            struct attribute attribute;
            struct writer w;
            view first;

            writer_init(&w, 10000);
            template_complete(rules, kind, ORIGIN_GENERATE, LIST(BOOL(TOKEN, true)), &w);

            struct reader r = reader_of(writer_view(&w));

            while (attributes_next(&r, &attribute)) {
                assert_true(attributes_find(writer_view(&w), attribute.type, &first));
                assert_ptr_equal(first.data, attribute.value.data);
                assert_non_null(use_row(kind, attribute.type));
            }
            assert_true(reader_done(&r));
            writer_clear(&w);
        }
    }
}

static void
defaults_are_those_of_the_policy(void **state)
{
    static const struct {
        enum object_kind kind;
        enum origin origin;
        CK_ATTRIBUTE_TYPE type;
        int standard, azure;
    } defaults[] = {
        { KIND_AES, ORIGIN_GENERATE, CKA_TOKEN, 0, 0 },
        { KIND_AES, ORIGIN_GENERATE, CKA_PRIVATE, 1, 1 },
        { KIND_AES, ORIGIN_GENERATE, CKA_SENSITIVE, 0, 1 },
        { KIND_AES, ORIGIN_GENERATE, CKA_EXTRACTABLE, 0, 1 },
        { KIND_AES, ORIGIN_GENERATE, CKA_ENCRYPT, 1, 0 },
        { KIND_AES, ORIGIN_GENERATE, CKA_SIGN, 1, 1 },
        { KIND_AES, ORIGIN_CREATE, CKA_SIGN, 1, 0 },
        { KIND_RSA_PUBLIC, ORIGIN_GENERATE, CKA_PRIVATE, 0, 1 },
        { KIND_RSA_PUBLIC, ORIGIN_GENERATE, CKA_VERIFY, 1, 0 },
        { KIND_RSA_PRIVATE, ORIGIN_GENERATE, CKA_SIGN, 1, 0 },
        { KIND_RSA_PRIVATE, ORIGIN_GENERATE, CKA_SENSITIVE, 1, 1 },
        { KIND_RSA_PRIVATE, ORIGIN_GENERATE, CKA_ALWAYS_AUTHENTICATE, 0, 0 },
        { KIND_RSA_PRIVATE, ORIGIN_GENERATE, CKA_LOCAL, -1, -1 },
        { KIND_RSA_PRIVATE, ORIGIN_GENERATE, CKA_ALWAYS_SENSITIVE, -1, -1 },
        { KIND_X509, ORIGIN_CREATE, CKA_MODIFIABLE, 1, 1 },
        { KIND_DATA, ORIGIN_CREATE, CKA_PRIVATE, 0, 0 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(defaults); i++) {
        assert_int_equal(completed_bool(standard, defaults[i].kind, defaults[i].origin, VIEW_EMPTY,
                                        defaults[i].type),
                         defaults[i].standard);
        assert_int_equal(completed_bool(azure, defaults[i].kind, defaults[i].origin, VIEW_EMPTY,
                                        defaults[i].type),
                         defaults[i].azure);
        assert_int_equal(completed_bool(fips, defaults[i].kind, defaults[i].origin, VIEW_EMPTY,
                                        defaults[i].type),
                         defaults[i].azure);
    }
}

static void
an_empty_default_is_present_and_none_is_absent(void **state)
{
    struct writer w;
    uint64_t number = 1;
    view value;

    UNUSED(state);
    writer_init(&w, 10000);
    template_complete(standard, KIND_X509, ORIGIN_CREATE, VIEW_EMPTY, &w);
    assert_true(attributes_find(writer_view(&w), CKA_LABEL, &value));
    assert_int_equal(value.len, 0);
    assert_true(attributes_ulong(writer_view(&w), CKA_CERTIFICATE_CATEGORY, &number));
    assert_int_equal(number, 0);
    assert_true(attributes_ulong(writer_view(&w), CKA_NAME_HASH_ALGORITHM, &number));
    assert_int_equal(number, CKM_SHA_1);
    writer_truncate(&w, 0);
    template_complete(standard, KIND_AES, ORIGIN_CREATE, VIEW_EMPTY, &w);
    assert_false(attributes_find(writer_view(&w), CKA_WRAP_TEMPLATE, &value));
    writer_clear(&w);
}

static void
azure_recover_flags_follow_sign_and_verify(void **state)
{
    view sign = LIST(BOOL(SIGN, true));
    view verify = LIST(P256, BOOL(VERIFY, true));
    view both = LIST(BOOL(SIGN, true), BOOL(SIGN_RECOVER, false));

    UNUSED(state);
    assert_int_equal(
        completed_bool(azure, KIND_RSA_PRIVATE, ORIGIN_GENERATE, sign, CKA_SIGN_RECOVER), 1);
    assert_int_equal(
        completed_bool(azure, KIND_RSA_PRIVATE, ORIGIN_GENERATE, VIEW_EMPTY, CKA_SIGN_RECOVER), 0);
    assert_int_equal(
        completed_bool(azure, KIND_EC_PUBLIC, ORIGIN_GENERATE, verify, CKA_VERIFY_RECOVER), 1);
    assert_int_equal(
        completed_bool(azure, KIND_RSA_PRIVATE, ORIGIN_GENERATE, both, CKA_SIGN_RECOVER), 0);
}

/* ---- changes ---- */

static void
settable_attributes_change(void **state)
{
    view current = LIST(BYTES(LABEL, "old"), BOOL(ENCRYPT, true));

    UNUSED(state);
    assert_int_equal(change(standard, KIND_AES, current,
                            LIST(BYTES(LABEL, "new"), BOOL(ENCRYPT, false), BYTES(ID, "i"))),
                     CKR_OK);
    assert_int_equal(change(standard, KIND_AES, current, VIEW_EMPTY), CKR_OK);
}

static void
fixed_attributes_do_not(void **state)
{
    static const struct item fixed[] = {
        { CKA_CLASS, ITEM_ULONG, CKO_SECRET_KEY, { NULL, 0 } },
        { CKA_TOKEN, ITEM_BOOL, 1, { NULL, 0 } },
        { CKA_PRIVATE, ITEM_BOOL, 1, { NULL, 0 } },
        { CKA_MODIFIABLE, ITEM_BOOL, 0, { NULL, 0 } },
        { CKA_LOCAL, ITEM_BOOL, 1, { NULL, 0 } },
        { CKA_UNIQUE_ID, ITEM_BYTES, 0, { NULL, 0 } },
        { CKA_KEY_TYPE, ITEM_ULONG, CKK_AES, { NULL, 0 } },
        { CKA_VALUE, ITEM_BYTES, 0, { (const uint8_t *)AES_KEY_BYTES, 16 } },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(fixed); i++) {
        assert_int_equal(change(standard, KIND_AES, VIEW_EMPTY, LIST(fixed[i])),
                         CKR_ATTRIBUTE_READ_ONLY);
        assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY, LIST(fixed[i])),
                         CKR_ATTRIBUTE_READ_ONLY);
    }
}

static void
sensitive_goes_up_and_extractable_down_only(void **state)
{
    view open = LIST(BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true));
    view closed = LIST(BOOL(SENSITIVE, true), BOOL(EXTRACTABLE, false));

    UNUSED(state);
    assert_int_equal(change(standard, KIND_AES, open, closed), CKR_OK);
    assert_int_equal(change(standard, KIND_AES, open, open), CKR_OK);
    assert_int_equal(change(standard, KIND_AES, closed, closed), CKR_OK);
    assert_int_equal(change(standard, KIND_AES, closed, LIST(BOOL(SENSITIVE, false))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(change(standard, KIND_AES, closed, LIST(BOOL(EXTRACTABLE, true))),
                     CKR_ATTRIBUTE_READ_ONLY);
}

static void
copies_keep_one_way_attributes(void **state)
{
    view closed = LIST(BOOL(SENSITIVE, true), BOOL(EXTRACTABLE, false), BOOL(COPYABLE, false));

    UNUSED(state);
    assert_int_equal(copy(standard, KIND_AES, closed, LIST(BOOL(SENSITIVE, false))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(copy(standard, KIND_AES, closed, LIST(BOOL(EXTRACTABLE, true))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(copy(standard, KIND_AES, closed, LIST(BOOL(COPYABLE, true))),
                     CKR_ATTRIBUTE_READ_ONLY);
}

static void
a_copy_may_differ_in_four_fixed_attributes(void **state)
{
    view changes = LIST(BOOL(TOKEN, true), BOOL(PRIVATE, false), BOOL(MODIFIABLE, false),
                        BOOL(DESTROYABLE, false), BYTES(LABEL, "copy"));

    UNUSED(state);
    assert_int_equal(copy(standard, KIND_AES, VIEW_EMPTY, changes), CKR_OK);
    assert_int_equal(template_check(standard, KIND_AES, ORIGIN_COPY, false, changes), CKR_OK);
    assert_int_equal(copy(azure, KIND_AES, VIEW_EMPTY, changes), CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(copy(standard, KIND_AES, VIEW_EMPTY, LIST(ULONG(KEY_TYPE, CKK_AES))),
                     CKR_ATTRIBUTE_READ_ONLY);
}

static void
a_copy_of_what_is_private_stays_private(void **state)
{
    view current = LIST(BOOL(ALWAYS_AUTHENTICATE, true), BOOL(PRIVATE, true));

    UNUSED(state);
    assert_int_equal(copy(standard, KIND_RSA_PRIVATE, current, LIST(BOOL(PRIVATE, false))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(copy(standard, KIND_RSA_PRIVATE, current, LIST(BOOL(PRIVATE, true))), CKR_OK);
}

static void
changes_rank_their_codes_like_templates(void **state)
{
    UNUSED(state);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY,
                            LIST(VIEW(CKA_VENDOR_DEFINED, VIEW_EMPTY))),
                     CKR_ATTRIBUTE_TYPE_INVALID);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY, LIST(BYTES(MODULUS, "m"))),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY, LIST(BYTES(ENCRYPT, "x"))),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY, LIST(BOOL(SENSITIVE, false))),
                     CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY,
                            LIST(BYTES(LABEL, "a"), BYTES(LABEL, "b"))),
                     CKR_TEMPLATE_INCONSISTENT);
}

static void
only_an_officer_touches_trust(void **state)
{
    view trusted = LIST(BOOL(TRUSTED, true));

    UNUSED(state);
    assert_int_equal(template_check_change(standard, KIND_AES, false, false, VIEW_EMPTY, trusted),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(template_check_change(standard, KIND_AES, false, true, VIEW_EMPTY, trusted),
                     CKR_OK);
    assert_int_equal(template_check_change(standard, KIND_X509, false, false, trusted,
                                           LIST(BYTES(LABEL, "l"))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(template_check_change(standard, KIND_X509, false, true, trusted,
                                           LIST(BOOL(TRUSTED, false))),
                     CKR_OK);
}

/* Seeds: under azure the identifier of a key is fixed, its wrapping template is not. */
static void
azure_differs_in_what_may_be_set(void **state)
{
    UNUSED(state);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY, LIST(BYTES(ID, "i"))),
                     CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(change(standard, KIND_AES, VIEW_EMPTY, LIST(BYTES(ID, "i"))), CKR_OK);
    assert_int_equal(change(azure, KIND_AES, VIEW_EMPTY, LIST(BOOL(DESTROYABLE, false))), CKR_OK);
    assert_int_equal(change(standard, KIND_AES, VIEW_EMPTY, LIST(BOOL(DESTROYABLE, false))),
                     CKR_ATTRIBUTE_READ_ONLY);
}

/* Under azure the type of a certificate may be set; it still has to stay this kind. */
static void
a_change_keeps_the_kind(void **state)
{
    UNUSED(state);
    assert_int_equal(
        change(azure, KIND_X509, VIEW_EMPTY, LIST(ULONG(CERTIFICATE_TYPE, CKC_X_509))), CKR_OK);
    assert_int_equal(
        change(azure, KIND_X509, VIEW_EMPTY, LIST(ULONG(CERTIFICATE_TYPE, CKC_WTLS))),
        CKR_TEMPLATE_INCONSISTENT);
}

/* ---- matching ---- */

static void
a_search_matches_byte_for_byte(void **state)
{
    view object = LIST(ULONG(CLASS, CKO_SECRET_KEY), BYTES(LABEL, "key"), BYTES(ID, ""));

    UNUSED(state);
    assert_true(template_matches(VIEW_EMPTY, object));
    assert_true(template_matches(LIST(BYTES(LABEL, "key"), BYTES(ID, "")), object));
    assert_false(template_matches(LIST(BYTES(LABEL, "ke")), object));
    assert_false(template_matches(LIST(BYTES(LABEL, "key"), BYTES(ID, "1")), object));
    assert_false(template_matches(LIST(BYTES(SUBJECT, "")), object));
    assert_false(template_matches(LIST(VIEW(CKA_VENDOR_DEFINED, VIEW_EMPTY)), object));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_callers_values_stand_first_and_secrets_do_not),
        cmocka_unit_test(a_completed_template_names_nothing_twice),
        cmocka_unit_test(defaults_are_those_of_the_policy),
        cmocka_unit_test(an_empty_default_is_present_and_none_is_absent),
        cmocka_unit_test(azure_recover_flags_follow_sign_and_verify),
        cmocka_unit_test(settable_attributes_change),
        cmocka_unit_test(fixed_attributes_do_not),
        cmocka_unit_test(sensitive_goes_up_and_extractable_down_only),
        cmocka_unit_test(copies_keep_one_way_attributes),
        cmocka_unit_test(a_copy_may_differ_in_four_fixed_attributes),
        cmocka_unit_test(a_copy_of_what_is_private_stays_private),
        cmocka_unit_test(changes_rank_their_codes_like_templates),
        cmocka_unit_test(only_an_officer_touches_trust),
        cmocka_unit_test(azure_differs_in_what_may_be_set),
        cmocka_unit_test(a_change_keeps_the_kind),
        cmocka_unit_test(a_search_matches_byte_for_byte),
    };

    return cmocka_run_group_tests_name("template_change", tests, NULL, NULL);
}
