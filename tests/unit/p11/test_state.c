/* SPDX-License-Identifier: Apache-2.0
 *
 * States of digests, saved and taken up again.
 */
#include "p11_test.h"

static CK_BYTE in[200000], state_bytes[140000];

static void
digest_begin(CK_SESSION_HANDLE session, size_t len)
{
    CK_MECHANISM sha = { CKM_SHA384, NULL, 0 };

    assert_ok(C_DigestInit(session, &sha));
    assert_ok(C_DigestUpdate(session, in, len));
}

static void
digest_end(CK_SESSION_HANDLE session, CK_BYTE out[48])
{
    CK_ULONG len = 48;

    assert_ok(C_DigestUpdate(session, in, sizeof in));
    assert_ok(C_DigestFinal(session, out, &len));
}

static void
a_digest_goes_on_where_it_was_saved(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_SESSION_HANDLE other = open_session(0);
    const size_t lens[] = { 0, 1, 65536 };
    CK_BYTE expected[48], digest[48];
    CK_ULONG len = 0, short_len;

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        digest_begin(session, lens[i]);
        assert_ok(C_GetOperationState(session, NULL, &len));
        short_len = len - 1;
        assert_code(C_GetOperationState(session, state_bytes, &short_len), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(short_len, len);
        assert_ok(C_GetOperationState(session, state_bytes, &len));
        digest_end(session, expected); /* the saved one goes on as well */

        digest_begin(other, 77); /* which the state takes the place of */
        assert_ok(C_SetOperationState(other, state_bytes, len, 0, 0));
        digest_end(other, digest);
        assert_memory_equal(digest, expected, 48);
    }
}

static void
what_the_hsm_holds_is_unsaveable(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };
    CK_BYTE digest[48];
    CK_ULONG len = sizeof state_bytes;

    assert_code(C_GetOperationState(session, NULL, &len), CKR_OPERATION_NOT_INITIALIZED);
    digest_begin(session, 65537);
    assert_code(C_GetOperationState(session, state_bytes, &len), CKR_STATE_UNSAVEABLE);
    digest_end(session, digest); /* not affected */
    assert_ok(C_SignInit(session, &hmac, make_generic()));
    assert_code(C_GetOperationState(session, NULL, &len), CKR_STATE_UNSAVEABLE);
    assert_ok(C_SessionCancel(session, CKF_SIGN));
    assert_ok(C_FindObjectsInit(session, NULL, 0));
    assert_code(C_GetOperationState(session, NULL, &len), CKR_STATE_UNSAVEABLE);
    assert_code(C_GetOperationState(session, NULL, NULL), CKR_ARGUMENTS_BAD);
}

static void
no_other_state_is_taken(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_BYTE digest[48];
    CK_ULONG len = sizeof state_bytes;

    digest_begin(session, 10);
    assert_ok(C_GetOperationState(session, state_bytes, &len));
    assert_code(C_SetOperationState(session, NULL, len, 0, 0), CKR_ARGUMENTS_BAD);
    assert_code(C_SetOperationState(session, state_bytes, len, 5, 0), CKR_KEY_NOT_NEEDED);
    assert_code(C_SetOperationState(session, state_bytes, ~0ul, 0, 0), CKR_SAVED_STATE_INVALID);
    for (size_t cut = 0; cut < len; cut++) {
        assert_code(C_SetOperationState(session, state_bytes, cut, 0, 0),
                    CKR_SAVED_STATE_INVALID);
    }
    assert_code(C_SetOperationState(session, state_bytes, len + 1, 0, 0),
                CKR_SAVED_STATE_INVALID);
    state_bytes[9] ^= 0xff; /* in the mechanism's number */
    assert_code(C_SetOperationState(session, state_bytes, len, 0, 0), CKR_SAVED_STATE_INVALID);
    digest_end(session, digest); /* a failed call changes nothing */
}

static void
azure_saves_none(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ULONG len = 0;

    assert_code(C_GetOperationState(session, NULL, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_SetOperationState(session, state_bytes, 0, 0, 0), CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(a_digest_goes_on_where_it_was_saved),
        TEST(what_the_hsm_holds_is_unsaveable),
        TEST(no_other_state_is_taken),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_saves_none),
    };

    fill_bytes(in, sizeof in);
    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
