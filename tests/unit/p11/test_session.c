/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions and the one login that they share (PKCS #11 v3.1, 5.6; model-notes 3.2 and 3.3).
 */
#include "p11_test.h"

static CK_STATE
state_of(CK_SESSION_HANDLE session)
{
    CK_SESSION_INFO info;

    assert_ok(C_GetSessionInfo(session, &info));
    assert_int_equal(info.slotID, SLOT);
    assert_int_equal(info.flags & CKF_SERIAL_SESSION, CKF_SERIAL_SESSION);
    return info.state;
}

static void
states_follow_mode_and_login(void **state)
{
    CK_SESSION_HANDLE rw = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE ro = open_session(0);

    assert_int_equal(state_of(rw), CKS_RW_PUBLIC_SESSION);
    assert_int_equal(state_of(ro), CKS_RO_PUBLIC_SESSION);
    assert_ok(log_in(ro, CKU_USER, PIN1));
    assert_int_equal(state_of(rw), CKS_RW_USER_FUNCTIONS);
    assert_int_equal(state_of(ro), CKS_RO_USER_FUNCTIONS);
    assert_int_equal(state_of(open_session(0)), CKS_RO_USER_FUNCTIONS);
    assert_ok(C_Logout(rw));
    assert_int_equal(state_of(ro), CKS_RO_PUBLIC_SESSION);
    assert_code(C_Logout(rw), CKR_USER_NOT_LOGGED_IN);
}

static void
open_and_close_give_their_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE other;
    CK_SESSION_INFO info;

    assert_code(C_OpenSession(SLOT, CKF_RW_SESSION, NULL, NULL, &other),
                CKR_SESSION_PARALLEL_NOT_SUPPORTED);
    assert_code(C_OpenSession(0, CKF_SERIAL_SESSION, NULL, NULL, &other), CKR_SLOT_ID_INVALID);
    assert_code(C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_GetSessionInfo(session, NULL), CKR_ARGUMENTS_BAD);

    assert_ok(C_CloseSession(session));
    assert_code(C_CloseSession(session), CKR_SESSION_HANDLE_INVALID);
    assert_code(C_GetSessionInfo(session, &info), CKR_SESSION_HANDLE_INVALID);
    assert_code(C_GetSessionInfo(0, &info), CKR_SESSION_HANDLE_INVALID);
    assert_code(C_GetSessionInfo((CK_SESSION_HANDLE)1 << 40, &info), CKR_SESSION_HANDLE_INVALID);
    assert_true(open_session(0) != session); /* a handle is not soon another's */
    assert_code(C_CloseAllSessions(7), CKR_SLOT_ID_INVALID);
    assert_ok(C_CloseAllSessions(SLOT));
    assert_ok(C_CloseAllSessions(SLOT));
}

static void
sessions_cost_no_trip(void **state)
{
    CK_SESSION_HANDLE sessions[200];

    UNUSED(state);
    transport_reset();
    for (size_t i = 0; i < ARRAY_COUNT(sessions); i++) {
        sessions[i] = open_session(i % 2 == 0 ? CKF_RW_SESSION : 0);
        assert_true(sessions[i] != 0);
        for (size_t k = 0; k < i; k++) {
            assert_true(sessions[i] != sessions[k]);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(sessions); i++) {
        assert_ok(C_CloseSession(sessions[i]));
    }
    assert_int_equal(transport_trips(), 0);
}

static void
the_last_session_takes_the_login_along(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_ok(log_in(session, CKU_USER, PIN1));
    transport_reset();
    assert_ok(C_CloseSession(session));
    assert_int_equal(transport_count(OPERATION_LOGOUT), 1);
    assert_int_equal(state_of(open_session(0)), CKS_RO_PUBLIC_SESSION);
}

static void
close_all_ends_the_login_too(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    open_session(0);
    assert_ok(log_in(session, CKU_USER, PIN1));
    assert_ok(C_CloseAllSessions(SLOT));
    assert_int_equal(state_of(open_session(CKF_RW_SESSION)), CKS_RW_PUBLIC_SESSION);
}

static CK_RV
log_in_bytes(CK_SESSION_HANDLE session, const void *pin, size_t len)
{
    return C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)pin, len);
}

/* DESIGN, section 5: all that fails looks alike. */
static void
failures_have_one_code(CK_SESSION_HANDLE session, CK_RV code)
{
    static char long_pin[10000];

    memset(long_pin, 'x', sizeof long_pin);
    long_pin[3] = ':';
    assert_code(log_in(session, CKU_USER, USER1_NAME ":wrongpassword"), code);
    assert_code(log_in(session, CKU_USER, "nobody:user1234"), code);
    assert_code(log_in(session, CKU_USER, PIN_OFFICER), code); /* a CO is no CU */
    assert_code(log_in(session, CKU_USER, USER1_NAME), code);
    assert_code(log_in(session, CKU_USER, ":"), code);
    assert_code(log_in(session, CKU_USER, ":" USER1_PASSWORD), code);
    assert_code(log_in(session, CKU_USER, USER1_NAME ":"), code);
    assert_code(log_in_bytes(session, "", 0), code);
    assert_code(log_in_bytes(session, long_pin, sizeof long_pin), code);
    assert_code(log_in_bytes(session, PIN1 "\0x", sizeof PIN1 + 1), code);
    assert_code(log_in_bytes(session, "c\0u1:user1234", 13), code);
    assert_code(log_in_bytes(session, "\xff\xfe:user1234", 11), code);
    assert_code(log_in_bytes(session, NULL, 0), CKR_ARGUMENTS_BAD);
    assert_code(log_in_bytes(session, NULL, 5), CKR_ARGUMENTS_BAD);
    assert_int_equal(state_of(session), CKS_RW_PUBLIC_SESSION);
}

static void
failed_logins_are_told_as_the_standard_says(void **state)
{
    failures_have_one_code(((struct fixture *)*state)->session, CKR_PIN_INCORRECT);
}

static void
failed_logins_are_told_as_azure_says(void **state)
{
    failures_have_one_code(((struct fixture *)*state)->session, CKR_LOGIN_FAILURE);
}

static void
user_types_have_their_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_code(log_in(session, CKU_CONTEXT_SPECIFIC, PIN1), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(log_in(session, 3, PIN1), CKR_USER_TYPE_INVALID);
    assert_code(log_in(session + 1, CKU_USER, PIN1), CKR_SESSION_HANDLE_INVALID);
    assert_ok(log_in(session, CKU_USER, PIN1));
    assert_code(log_in(session, CKU_USER, PIN1), CKR_USER_ALREADY_LOGGED_IN);
}

static void
an_officer_is_so_in_the_standard(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE ro = open_session(0), other;

    assert_code(log_in(session, CKU_SO, PIN_OFFICER), CKR_SESSION_READ_ONLY_EXISTS);
    assert_ok(C_CloseSession(ro));
    assert_code(log_in(session, CKU_SO, PIN1), CKR_PIN_INCORRECT);
    /* Who has a second factor is none for a PIN. */
    transport_fail(OPERATION_LOGIN, CODE_SECOND_FACTOR);
    assert_code(log_in(session, CKU_SO, PIN_OFFICER), CKR_USER_TYPE_INVALID);
    assert_ok(log_in(session, CKU_SO, PIN_OFFICER));
    assert_int_equal(state_of(session), CKS_RW_SO_FUNCTIONS);
    assert_code(log_in(session, CKU_SO, PIN_OFFICER), CKR_USER_ALREADY_LOGGED_IN);
    assert_code(log_in(session, CKU_USER, PIN1), CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    assert_code(C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &other),
                CKR_SESSION_READ_WRITE_SO_EXISTS);
    assert_ok(C_Logout(session));
    assert_ok(log_in(session, CKU_USER, PIN1));
}

static void
there_is_no_so_in_azure(void **state)
{
    assert_code(log_in(((struct fixture *)*state)->session, CKU_SO, PIN_OFFICER),
                CKR_USER_TYPE_INVALID);
}

static void
login_user_takes_the_name_apart(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_UTF8CHAR name[] = USER1_NAME, password[] = USER1_PASSWORD, pin[] = PIN1;

    assert_code(C_LoginUser(session, CKU_USER, password, sizeof password - 1, NULL, 3),
                CKR_ARGUMENTS_BAD);
    assert_code(C_LoginUser(session, CKU_USER, pin, sizeof pin - 1, name, sizeof name - 1),
                CKR_PIN_INCORRECT);
    assert_code(C_LoginUser(session, CKU_USER, password, sizeof password - 1, name, 0),
                CKR_PIN_INCORRECT);
    assert_ok(C_LoginUser(session, CKU_USER, password, sizeof password - 1, name,
                          sizeof name - 1));
    assert_ok(C_Logout(session));
    assert_ok(C_LoginUser(session, CKU_USER, pin, sizeof pin - 1, NULL, 0));
}

static void
a_login_that_the_hsm_lost_is_over_here_too(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_aes();
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE block[16] = { 0 };
    CK_ULONG len = sizeof block;

    assert_ok(C_EncryptInit(session, &mechanism, key));
    transport_lose_contexts();
    assert_true(C_Encrypt(session, block, 16, block, &len) != CKR_OK);
    transport_fail(OPERATION_FIND, CKR_USER_NOT_LOGGED_IN);
    assert_code(C_FindObjectsInit(session, NULL, 0), CKR_USER_NOT_LOGGED_IN);

    assert_int_equal(state_of(session), CKS_RW_PUBLIC_SESSION);
    assert_ok(log_in(session, CKU_USER, PIN1));
}

static void
a_logout_that_was_not_heard_does_not_lock_out(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    transport_fail(OPERATION_LOGOUT, CKR_DEVICE_ERROR);
    assert_code(C_Logout(session), CKR_DEVICE_ERROR);

    assert_int_equal(state_of(session), CKS_RW_PUBLIC_SESSION);
    assert_ok(log_in(session, CKU_USER, PIN1));
}

static void
a_logout_ends_operations_and_handles(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE other = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE key = make_aes(), found;
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE block[16] = { 0 };
    CK_ULONG len = sizeof block, count;

    assert_ok(C_EncryptInit(session, &mechanism, key));
    assert_ok(C_FindObjectsInit(other, NULL, 0));
    assert_ok(C_Logout(session));

    assert_code(C_Encrypt(session, block, 16, block, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_FindObjects(other, &found, 1, &count), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(log_in(session, CKU_USER, PIN1));
    assert_code(C_EncryptInit(session, &mechanism, key), CKR_KEY_HANDLE_INVALID);
    assert_code(C_DestroyObject(session, key), CKR_OBJECT_HANDLE_INVALID);
}

static void
a_session_takes_its_objects_along(void **state)
{
    CK_SESSION_HANDLE other = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE key;
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_SESSION_HANDLE first = ((struct fixture *)*state)->session;

    fixture.session = other;
    key = make_aes();
    assert_ok(C_EncryptInit(first, &mechanism, key)); /* all sessions see it */
    assert_ok(C_SessionCancel(first, CKF_ENCRYPT));
    transport_reset();
    assert_ok(C_CloseSession(other));
    assert_int_equal(transport_count(OPERATION_SESSION_CLOSE), 1);
    assert_code(C_EncryptInit(first, &mechanism, key), CKR_KEY_HANDLE_INVALID);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST_PUBLIC(states_follow_mode_and_login),
        TEST_PUBLIC(open_and_close_give_their_codes),
        TEST_PUBLIC(sessions_cost_no_trip),
        TEST_PUBLIC(the_last_session_takes_the_login_along),
        TEST_PUBLIC(close_all_ends_the_login_too),
        TEST_PUBLIC(failed_logins_are_told_as_the_standard_says),
        TEST_PUBLIC(user_types_have_their_codes),
        TEST_PUBLIC(an_officer_is_so_in_the_standard),
        TEST_PUBLIC(login_user_takes_the_name_apart),
        TEST(a_login_that_the_hsm_lost_is_over_here_too),
        TEST(a_logout_that_was_not_heard_does_not_lock_out),
        TEST(a_logout_ends_operations_and_handles),
        TEST(a_session_takes_its_objects_along),
    };
    const struct CMUnitTest azure[] = {
        TEST_PUBLIC(failed_logins_are_told_as_azure_says),
        TEST_PUBLIC(there_is_no_so_in_azure),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
