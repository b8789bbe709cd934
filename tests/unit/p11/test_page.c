/* SPDX-License-Identifier: Apache-2.0
 *
 * Init goes by what is remembered about a key for as long as the change page allows, and asks
 * otherwise: what another process does is seen at once.
 */
#include "p11_test.h"

#include "lib/app.h"
#include "unit/rules/list.h"

static CK_OBJECT_HANDLE
make_token_generic(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes),
                                ATTR(CKA_TOKEN, yes) };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(session, &mechanism, template, ARRAY_COUNT(template), &key));
    return key;
}

/* One Init, and the FINDs that it made. */
static CK_RV
init_asks(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, unsigned expected_finds)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_RV rv;

    transport_reset();
    rv = C_SignInit(session, &mechanism, key);
    assert_int_equal(transport_count(OPERATION_FIND), expected_finds);
    if (rv == CKR_OK) {
        assert_ok(C_SignInit(session, NULL, 0));
    }
    return rv;
}

static void
init_asks_only_what_the_page_does_not_tell(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session);

    assert_ok(init_asks(session, key, 0));
    page_change(transport_page(), (uint32_t)key);
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 0));
    page_change_all(transport_page());
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 0));
    page_extend(transport_page(), 0); /* no node, no daemon, or none that has a page */
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 1));
    page_extend(transport_page(), UINT64_MAX);
    assert_ok(init_asks(session, key, 0));
    page_init(transport_page(), 99); /* of another daemon */
    page_extend(transport_page(), UINT64_MAX);
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 0));
}

static void
another_process_changes_what_init_says(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session);
    struct app other;

    app_init(&other, &fixture.hsm, USER1);
    assert_ok(init_asks(session, key, 0));
    assert_ok(app_set(&other, (uint32_t)key, LIST(BOOL(SIGN, false))));
    page_change(transport_page(), (uint32_t)key);
    assert_code(init_asks(session, key, 1), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_code(init_asks(session, key, 0), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_ok(app_set(&other, (uint32_t)key, LIST(BOOL(SIGN, true))));
    page_change(transport_page(), (uint32_t)key);
    assert_ok(init_asks(session, key, 1));
    assert_ok(app_destroy(&other, (uint32_t)key));
    page_change(transport_page(), (uint32_t)key);
    assert_code(init_asks(session, key, 1), CKR_KEY_HANDLE_INVALID);
    app_clear(&other);
}

/* The page may be late by what a node is asked for it. */
static void
a_refusal_in_use_is_believed_and_the_handle_stays(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session);
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_BYTE mac[32];
    CK_ULONG len = sizeof mac;
    struct app other;

    app_init(&other, &fixture.hsm, USER1);
    assert_ok(app_set(&other, (uint32_t)key, LIST(BOOL(SIGN, false))));
    assert_ok(C_SignInit(session, &mechanism, key));
    assert_code(C_Sign(session, mac, 0, mac, &len), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_code(init_asks(session, key, 1), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_ok(app_set(&other, (uint32_t)key, LIST(BOOL(SIGN, true))));
    page_change(transport_page(), (uint32_t)key);
    assert_ok(init_asks(session, key, 1));
    app_clear(&other);
}

/* A change that comes while a reply is on its way may be in it or not. */
static void
what_changed_meanwhile_is_not_believed(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session), found[64];
    CK_ULONG count = 0;

    transport_during(OPERATION_FIND, page_change_all);
    assert_ok(C_FindObjectsInit(session, NULL, 0));
    assert_ok(C_FindObjects(session, found, ARRAY_COUNT(found), &count));
    assert_ok(C_FindObjectsFinal(session));
    transport_during(OPERATION_NONE, NULL);
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 0));
    transport_during(OPERATION_FIND, page_change_all);
    page_change(transport_page(), (uint32_t)key);
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 1));
    transport_during(OPERATION_NONE, NULL);
    assert_ok(init_asks(session, key, 1));
    assert_ok(init_asks(session, key, 0));
}

/* One C_GetAttributeValue of an attribute, and the requests that it made. */
static CK_RV
read_asks(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE type,
          unsigned expected_gets)
{
    CK_BYTE value[64];
    CK_ATTRIBUTE template[] = { { CKA_CLASS, value, sizeof(CK_OBJECT_CLASS) },
                                { type, value + 8, sizeof value - 8 } };
    CK_RV rv;

    transport_reset();
    rv = C_GetAttributeValue(session, key, template, ARRAY_COUNT(template));
    assert_int_equal(transport_count(OPERATION_OBJECT_GET), expected_gets);
    return rv;
}

static void
what_was_read_is_read_again_without_a_trip(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session), other = make_token_generic(session);

    assert_ok(read_asks(session, key, CKA_KEY_TYPE, 1));
    assert_ok(read_asks(session, key, CKA_KEY_TYPE, 0));
    assert_ok(read_asks(session, other, CKA_KEY_TYPE, 1));
    assert_ok(read_asks(session, key, CKA_ID, 1)); /* beside what is known already */
    assert_ok(read_asks(session, key, CKA_ID, 0));
    assert_ok(read_asks(session, key, CKA_KEY_TYPE, 0));
    assert_code(read_asks(session, key, CKA_MODULUS, 1), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_code(read_asks(session, key, CKA_MODULUS, 0), CKR_ATTRIBUTE_TYPE_INVALID);
    page_change(transport_page(), (uint32_t)key);
    assert_ok(read_asks(session, key, CKA_ID, 1));
    page_extend(transport_page(), 0);
    assert_ok(read_asks(session, key, CKA_ID, 1));
    assert_ok(read_asks(session, key, CKA_ID, 1));
    page_extend(transport_page(), UINT64_MAX);
}

/* A label that is empty, then of another length: the lengths are those of now. */
static void
what_was_read_and_then_changed_is_read_as_it_is(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session);
    CK_BYTE value[8] = { 0 };
    CK_ATTRIBUTE label = { CKA_LABEL, value, sizeof value };
    struct app other;

    assert_ok(C_GetAttributeValue(session, key, &label, 1));
    assert_int_equal(label.ulValueLen, 0);
    app_init(&other, &fixture.hsm, USER1);
    assert_ok(app_set(&other, (uint32_t)key, LIST(BYTES(LABEL, "mine"))));
    page_change(transport_page(), (uint32_t)key);
    label.ulValueLen = sizeof value;
    assert_ok(C_GetAttributeValue(session, key, &label, 1));
    assert_int_equal(label.ulValueLen, 4);
    label.pValue = NULL;
    assert_ok(C_GetAttributeValue(session, key, &label, 1));
    assert_int_equal(label.ulValueLen, 4);
    label = (CK_ATTRIBUTE){ CKA_LABEL, value, 3 };
    transport_reset();
    assert_code(C_GetAttributeValue(session, key, &label, 1), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(transport_count(OPERATION_OBJECT_GET), 0);
    assert_true(label.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    app_clear(&other);
}

static void
secrets_are_asked_for_each_time(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_BBOOL no_sensitive = CK_FALSE;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_EXTRACTABLE, yes),
                                ATTR(CKA_SENSITIVE, no_sensitive) };
    CK_OBJECT_HANDLE open = 0, hidden = make_token_generic(session);

    assert_ok(C_GenerateKey(session, &mechanism, template, ARRAY_COUNT(template), &open));
    assert_ok(read_asks(session, open, CKA_VALUE, 1));
    assert_ok(read_asks(session, open, CKA_VALUE, 1));
    assert_code(read_asks(session, hidden, CKA_VALUE, 1), CKR_ATTRIBUTE_SENSITIVE);
    assert_code(read_asks(session, hidden, CKA_VALUE, 0), CKR_ATTRIBUTE_SENSITIVE);
}

static void
after_a_logout_nothing_is_remembered(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_generic(session), found = 0;
    CK_ULONG count = 0;

    assert_ok(read_asks(session, key, CKA_ID, 1));
    assert_ok(C_Logout(session));
    assert_code(read_asks(session, key, CKA_ID, 0), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(log_in(session, CKU_USER, PIN1));
    assert_ok(C_FindObjectsInit(session, NULL, 0));
    do {
        assert_ok(C_FindObjects(session, &found, 1, &count));
    } while (count > 0 && found != key);
    assert_ok(C_FindObjectsFinal(session));
    assert_ok(read_asks(session, key, CKA_ID, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(init_asks_only_what_the_page_does_not_tell),
        TEST(another_process_changes_what_init_says),
        TEST(a_refusal_in_use_is_believed_and_the_handle_stays),
        TEST(what_changed_meanwhile_is_not_believed),
        TEST(what_was_read_is_read_again_without_a_trip),
        TEST(what_was_read_and_then_changed_is_read_as_it_is),
        TEST(secrets_are_asked_for_each_time),
        TEST(after_a_logout_nothing_is_remembered),
    };

    return cmocka_run_group_tests(tests, group_standard, group_teardown);
}
