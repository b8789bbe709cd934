/* SPDX-License-Identifier: Apache-2.0
 *
 * C_SetPIN and C_InitPIN. Each test leaves the users of the fixture as they were.
 */
#include "p11_test.h"

static CK_RV
set_pin(CK_SESSION_HANDLE session, const char *old, const char *new)
{
    return C_SetPIN(session, (CK_UTF8CHAR_PTR)(uintptr_t)old, strlen(old),
                    (CK_UTF8CHAR_PTR)(uintptr_t)new, strlen(new));
}

static CK_RV
init_pin(CK_SESSION_HANDLE session, const char *pin)
{
    return C_InitPIN(session, (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin));
}

static void
a_user_sets_his_own_pin(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    static const struct {
        const char *old;
        const char *new;
        const char *login;
    } rows[] = {
        { PIN1, "new password", USER1_NAME ":new password" },
        { "new password", USER1_NAME ":other password", USER1_NAME ":other password" },
        { USER1_NAME ":other password", USER1_PASSWORD, PIN1 },
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CK_SESSION_INFO info;

        assert_ok(set_pin(session, rows[i].old, rows[i].new));
        assert_ok(C_GetSessionInfo(session, &info));
        assert_int_equal(info.state, CKS_RW_USER_FUNCTIONS); /* login unchanged */
        assert_ok(C_Logout(session));
        if (i > 0) {
            assert_code(log_in(session, CKU_USER, rows[i - 1].login), CKR_PIN_INCORRECT);
        }
        assert_ok(log_in(session, CKU_USER, rows[i].login));
    }
}

static void
a_pin_can_be_set_without_a_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_code(set_pin(session, USER1_NAME ":wrong password", "new password"),
                CKR_PIN_INCORRECT);
    assert_ok(set_pin(session, PIN1, "new password"));
    assert_code(set_pin(session, PIN1, "new password"), CKR_PIN_INCORRECT);
    assert_ok(set_pin(session, USER1_NAME ":new password", USER1_PASSWORD));
    assert_ok(log_in(session, CKU_USER, PIN1));
}

static void
set_pin_gives_its_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE reader = open_session(0);
    CK_UTF8CHAR pin[] = PIN1;

    assert_code(set_pin(session, PIN1, "short"), CKR_PIN_LEN_RANGE);
    assert_code(set_pin(session, PIN1, "a password that is longer than any may be"),
                CKR_PIN_LEN_RANGE);
    assert_code(set_pin(session, USER2_NAME ":" USER2_PASSWORD, "new password"),
                CKR_PIN_INCORRECT); /* another's */
    assert_code(set_pin(reader, PIN1, "new password"), CKR_SESSION_READ_ONLY);
    assert_code(C_SetPIN(session, NULL, 0, pin, sizeof pin - 1), CKR_ARGUMENTS_BAD);
    assert_code(C_SetPIN(session, pin, sizeof pin - 1, NULL, 0), CKR_ARGUMENTS_BAD);
    assert_code(C_SetPIN(session, pin, ~0ul, pin, sizeof pin - 1), CKR_PIN_INCORRECT);
    assert_code(set_pin(session + 9, PIN1, "new password"), CKR_SESSION_HANDLE_INVALID);
    assert_ok(C_Logout(session));
    assert_ok(log_in(session, CKU_USER, PIN1)); /* none of that changed it */
}

static void
an_officer_initialises_a_users_pin(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_code(init_pin(session, "password"), CKR_USER_NOT_LOGGED_IN);
    assert_ok(log_in(session, CKU_SO, PIN_OFFICER));
    assert_ok(init_pin(session, "first password")); /* user `user` is made */
    assert_ok(init_pin(session, "other password"));
    assert_ok(init_pin(session, USER1_NAME ":new password"));
    assert_code(init_pin(session, "short"), CKR_PIN_LEN_RANGE);
    assert_code(init_pin(session, "no name:new password"), CKR_PIN_INVALID);
    assert_code(init_pin(session, OFFICER_NAME ":new password"), CKR_PIN_INVALID);
    assert_code(C_InitPIN(session, NULL, 0), CKR_ARGUMENTS_BAD);
    assert_ok(C_Logout(session));

    assert_ok(log_in(session, CKU_USER, "other password"));
    assert_code(init_pin(session, "password"), CKR_USER_NOT_LOGGED_IN);
    assert_ok(C_Logout(session));
    assert_ok(set_pin(session, USER1_NAME ":new password", USER1_PASSWORD));
}

static void
azure_sets_no_pins(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_code(set_pin(session, PIN1, "new password"), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(init_pin(session, "new password"), CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(a_user_sets_his_own_pin),
        TEST_PUBLIC(a_pin_can_be_set_without_a_login),
        TEST(set_pin_gives_its_codes),
        TEST_PUBLIC(an_officer_initialises_a_users_pin),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_sets_no_pins),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
