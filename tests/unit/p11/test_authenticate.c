/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys with CKA_ALWAYS_AUTHENTICATE: a context-specific login before each use.
 */
#include "p11_test.h"

static CK_BYTE hash[32], long_data[200000];

static CK_OBJECT_HANDLE
make_cautious(void)
{
    CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_ALWAYS_AUTHENTICATE, yes) };
    CK_OBJECT_HANDLE other = 0, key = 0;

    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), &other, &key));
    return key;
}

static CK_RV
sign(CK_SESSION_HANDLE session)
{
    CK_BYTE out[64];
    CK_ULONG len = sizeof out;

    return C_Sign(session, hash, sizeof hash, out, &len);
}

static CK_RV
login_again(CK_SESSION_HANDLE session, const char *pin)
{
    return log_in(session, CKU_CONTEXT_SPECIFIC, pin);
}

static void
each_use_wants_its_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
    CK_OBJECT_HANDLE key = make_cautious();

    for (unsigned i = 0; i < 2; i++) {
        assert_code(login_again(session, PIN1), CKR_OPERATION_NOT_INITIALIZED);
        assert_ok(C_SignInit(session, &ecdsa, key));
        assert_code(sign(session), CKR_USER_NOT_LOGGED_IN);
        assert_code(login_again(session, USER1_NAME ":wrong password"), CKR_PIN_INCORRECT);
        assert_code(C_Login(session, CKU_CONTEXT_SPECIFIC, NULL, 0), CKR_ARGUMENTS_BAD);
        assert_code(sign(session), CKR_USER_NOT_LOGGED_IN);
        assert_ok(login_again(session, i == 0 ? PIN1 : USER1_PASSWORD));
        assert_ok(sign(session));
        assert_code(sign(session), CKR_OPERATION_NOT_INITIALIZED);
    }
}

static void
a_login_lasts_to_the_end_of_its_operation(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_cautious();
    CK_BYTE out[64];
    CK_ULONG len = 0;

    assert_ok(C_SignInit(session, &ecdsa, key));
    assert_code(C_SignUpdate(session, long_data, 10), CKR_USER_NOT_LOGGED_IN);
    assert_ok(login_again(session, PIN1));
    assert_ok(C_SignUpdate(session, long_data, sizeof long_data));
    assert_ok(C_SignFinal(session, NULL, &len));
    assert_int_equal(len, 64);
    assert_ok(C_SignFinal(session, out, &len));
    assert_ok(C_SignInit(session, &ecdsa, key));
    assert_code(C_SignUpdate(session, long_data, sizeof long_data), CKR_USER_NOT_LOGGED_IN);
}

static void
other_keys_want_none(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
    CK_OBJECT_HANDLE public, private;

    make_ec(&public, &private);
    assert_ok(C_SignInit(session, &ecdsa, private));
    assert_code(login_again(session, PIN1), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(sign(session)); /* not affected */
}

static void
a_name_may_be_given_apart(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
    CK_UTF8CHAR pin[] = USER1_PASSWORD, name[] = USER1_NAME, other[] = USER2_NAME;

    assert_ok(C_SignInit(session, &ecdsa, make_cautious()));
    assert_code(C_LoginUser(session, CKU_CONTEXT_SPECIFIC, pin, sizeof pin - 1, other,
                            sizeof other - 1),
                CKR_PIN_INCORRECT);
    assert_ok(C_LoginUser(session, CKU_CONTEXT_SPECIFIC, pin, sizeof pin - 1, name,
                          sizeof name - 1));
    assert_ok(sign(session));
}

static void
azure_answers_as_any_failed_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };

    assert_ok(C_SignInit(session, &ecdsa, make_cautious()));
    assert_code(login_again(session, USER1_NAME ":wrong password"), CKR_LOGIN_FAILURE);
    assert_ok(login_again(session, PIN1));
    assert_ok(sign(session));
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(each_use_wants_its_login),
        TEST(a_login_lasts_to_the_end_of_its_operation),
        TEST(other_keys_want_none),
        TEST(a_name_may_be_given_apart),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_answers_as_any_failed_login),
    };

    fill_bytes(hash, sizeof hash);
    fill_bytes(long_data, sizeof long_data);
    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
