/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are signed and verified, whole and in parts, against the ordinary calls.
 */
#include "p11_test.h"

#define LONG_LEN 150000u

static CK_BYTE in[LONG_LEN], out[512], other[512];

static CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };

enum keys { KEYS_RSA, KEYS_EC, KEYS_GENERIC };

static const struct row {
    CK_MECHANISM mechanism;
    enum keys keys;
    bool same; /* each time the same signature */
} rows[] = {
    { { CKM_SHA256_RSA_PKCS, NULL, 0 }, KEYS_RSA, true },
    { { CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss }, KEYS_RSA, false },
    { { CKM_ECDSA_SHA256, NULL, 0 }, KEYS_EC, false },
    { { CKM_SHA256_HMAC, NULL, 0 }, KEYS_GENERIC, true },
};

static void
make_keys(enum keys keys, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    switch (keys) {
    case KEYS_RSA:
        make_rsa(ret_public, ret_private);
        break;
    case KEYS_EC:
        make_ec(ret_public, ret_private);
        break;
    default:
        *ret_public = *ret_private = make_generic();
        break;
    }
}

static void
signatures_are_those_of_single_calls(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    static const CK_ULONG lens[] = { 0, 1, 100, LONG_LEN };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CK_MECHANISM mechanism = rows[i].mechanism;
        CK_OBJECT_HANDLE public, private;

        make_keys(rows[i].keys, &public, &private);
        for (size_t k = 0; k < ARRAY_COUNT(lens); k++) {
            CK_ULONG len = lens[k], half = len / 3, out_len = sizeof out, other_len, asked = 0;

            assert_ok(C_MessageSignInit(session, &mechanism, private));
            assert_ok(C_SignMessage(session, NULL, 0, in, len, NULL, &asked));
            assert_ok(C_SignMessage(session, NULL, 0, in, len, out, &out_len));
            assert_int_equal(out_len, asked);
            assert_ok(C_SignMessageBegin(session, NULL, 0));
            assert_ok(C_SignMessageNext(session, NULL, 0, in, half, NULL, NULL));
            assert_ok(C_SignMessageNext(session, NULL, 0, in + half, half, NULL, NULL));
            other_len = out_len - 1;
            assert_code(C_SignMessageNext(session, NULL, 0, in + 2 * half, len - 2 * half, other,
                                          &other_len),
                        CKR_BUFFER_TOO_SMALL);
            assert_int_equal(other_len, out_len);
            assert_ok(C_SignMessageNext(session, NULL, 0, in + 2 * half, len - 2 * half, NULL,
                                        &other_len));
            assert_ok(C_SignMessageNext(session, NULL, 0, in + 2 * half, len - 2 * half, other,
                                        &other_len));
            assert_ok(C_MessageSignFinal(session));
            if (rows[i].same) {
                assert_memory_equal(out, other, out_len);
            }
            for (unsigned round = 0; round < 2; round++) {
                const CK_BYTE *signature = round == 0 ? out : other;

                assert_ok(C_VerifyInit(session, &mechanism, public));
                assert_ok(C_Verify(session, in, len, (CK_BYTE *)(uintptr_t)signature, out_len));
            }
            assert_ok(C_MessageVerifyInit(session, &mechanism, public));
            assert_ok(C_VerifyMessage(session, NULL, 0, in, len, other, out_len));
            assert_ok(C_VerifyMessageBegin(session, NULL, 0));
            assert_ok(C_VerifyMessageNext(session, NULL, 0, in, half, NULL, 0));
            assert_ok(C_VerifyMessageNext(session, NULL, 0, in + half, len - half, out, out_len));
            other[3] ^= 1;
            assert_code(C_VerifyMessage(session, NULL, 0, in, len, other, out_len),
                        CKR_SIGNATURE_INVALID);
            assert_ok(C_VerifyMessageBegin(session, NULL, 0));
            assert_code(C_VerifyMessageNext(session, NULL, 0, in, len, other, out_len),
                        CKR_SIGNATURE_INVALID);
            assert_code(C_VerifyMessage(session, NULL, 0, in, len, out, out_len - 1),
                        CKR_SIGNATURE_LEN_RANGE);
            assert_ok(C_VerifyMessage(session, NULL, 0, in, len, out, out_len)); /* it goes on */
            assert_ok(C_MessageVerifyFinal(session));
        }
    }
}

static void
signing_has_its_states(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 }, gcm = { CKM_AES_GCM, NULL, 0 };
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
    CK_OBJECT_HANDLE key = make_generic(), public, private;
    CK_ULONG len = sizeof out;

    assert_code(C_SignMessage(session, NULL, 0, in, 9, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_SignMessageBegin(session, NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_MessageSignFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_MessageSignInit(session, &gcm, make_aes()), CKR_MECHANISM_INVALID);
    assert_code(C_MessageSignInit(session, &ecdsa, key), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_MessageSignInit(session, &hmac, 0), CKR_KEY_HANDLE_INVALID);
    hmac.ulParameterLen = 1;
    hmac.pParameter = in;
    assert_code(C_MessageSignInit(session, &hmac, key), CKR_MECHANISM_PARAM_INVALID);
    hmac.ulParameterLen = 0;
    hmac.pParameter = NULL;
    assert_ok(C_MessageSignInit(session, &hmac, key));
    assert_code(C_MessageSignInit(session, &hmac, key), CKR_OPERATION_ACTIVE);
    assert_code(C_SignInit(session, &hmac, key), CKR_OPERATION_ACTIVE);
    assert_code(C_MessageVerifyInit(session, &hmac, key), CKR_OPERATION_ACTIVE);
    assert_code(C_SignMessageNext(session, NULL, 0, in, 9, NULL, NULL),
                CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_SignMessage(session, in, 1, in, 9, out, &len), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_SignMessage(session, NULL, 0, NULL, 9, out, &len), CKR_ARGUMENTS_BAD);
    assert_code(C_SignMessage(session, NULL, 0, in, 9, out, NULL), CKR_ARGUMENTS_BAD);
    assert_ok(C_SignMessageBegin(session, NULL, 0));
    assert_code(C_SignMessageBegin(session, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_code(C_SignMessage(session, NULL, 0, in, 9, out, &len), CKR_OPERATION_ACTIVE);
    assert_code(C_MessageSignFinal(session), CKR_OPERATION_ACTIVE);
    /* An error ends the message and not the process. */
    assert_code(C_SignMessageNext(session, NULL, 0, NULL, 9, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_SignMessageNext(session, NULL, 0, in, 9, out, &len),
                CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_SignMessageBegin(session, NULL, 0));
    assert_ok(C_SignMessageNext(session, NULL, 0, in, LONG_LEN, NULL, NULL));
    assert_ok(C_SessionCancel(session, CKF_MESSAGE_SIGN));
    assert_code(C_SignMessageNext(session, NULL, 0, in, 9, out, &len),
                CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_MessageSignInit(session, NULL, 0));
    /* What the HSM held is gone: the place is free. */
    assert_ok(C_SignInit(session, &hmac, key));
    assert_ok(C_SignUpdate(session, in, LONG_LEN));
    assert_ok(C_SignFinal(session, out, &len));

    /* A mechanism without parts signs messages whole. */
    make_ec(&public, &private);
    assert_ok(C_MessageSignInit(session, &ecdsa, private));
    assert_code(C_SignMessageBegin(session, NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
    len = sizeof out;
    assert_ok(C_SignMessage(session, NULL, 0, in, 32, out, &len));
    assert_ok(C_MessageSignFinal(session));
    assert_ok(C_MessageVerifyInit(session, &ecdsa, public));
    assert_code(C_VerifyMessageBegin(session, NULL, 0), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_VerifyMessage(session, NULL, 0, in, 32, out, len));
    assert_code(C_VerifyMessage(session, NULL, 0, in, 32, NULL, 64), CKR_ARGUMENTS_BAD);
    assert_ok(C_SessionCancel(session, CKF_MESSAGE_VERIFY));
}

/* A login for each message, not for each call. */
static void
each_message_wants_its_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM make = { CKM_EC_KEY_PAIR_GEN, NULL, 0 }, ecdsa = { CKM_ECDSA_SHA256, NULL, 0 };
    CK_ATTRIBUTE public[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_ALWAYS_AUTHENTICATE, yes) };
    CK_OBJECT_HANDLE pub = 0, key = 0;
    CK_ULONG len = sizeof out;

    assert_ok(C_GenerateKeyPair(session, &make, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), &pub, &key));
    assert_ok(C_MessageSignInit(session, &ecdsa, key));
    for (unsigned i = 0; i < 2; i++) {
        assert_code(C_SignMessage(session, NULL, 0, in, 32, out, &len), CKR_USER_NOT_LOGGED_IN);
        assert_code(C_SignMessageBegin(session, NULL, 0), CKR_USER_NOT_LOGGED_IN);
        assert_ok(log_in(session, CKU_CONTEXT_SPECIFIC, PIN1));
        assert_ok(C_SignMessage(session, NULL, 0, in, 32, NULL, &len));
        assert_ok(C_SignMessage(session, NULL, 0, in, 32, out, &len));
        assert_ok(log_in(session, CKU_CONTEXT_SPECIFIC, PIN1));
        assert_ok(C_SignMessageBegin(session, NULL, 0));
        assert_ok(C_SignMessageNext(session, NULL, 0, in, LONG_LEN, NULL, NULL));
        assert_ok(C_SignMessageNext(session, NULL, 0, in, 32, out, &len));
    }
    assert_ok(C_MessageSignFinal(session));
}

static void
mechanisms_say_that_they_sign_messages(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_FLAGS flags;
    } expected[] = {
        { CKM_ECDSA, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY },
        { CKM_ECDSA_SHA384, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE },
        { CKM_SHA512_HMAC, CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE },
        { CKM_AES_GMAC, 0 }, /* its IV would come again */
        { CKM_SHA256, 0 },
    };
    const CK_FLAGS all = CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MESSAGE_SIGN |
                         CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        CK_MECHANISM_INFO info;

        assert_ok(C_GetMechanismInfo(SLOT, expected[i].type, &info));
        assert_int_equal(info.flags & all, expected[i].flags);
    }
}

static void
azure_signs_no_messages(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };
    CK_MECHANISM_INFO info;

    assert_code(C_MessageSignInit(session, &hmac, make_generic()), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_VerifyMessageBegin(session, NULL, 0), CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(C_GetMechanismInfo(SLOT, CKM_SHA256_HMAC, &info));
    assert_int_equal(info.flags, CKF_SIGN | CKF_VERIFY);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(signatures_are_those_of_single_calls),
        TEST(signing_has_its_states),
        TEST(each_message_wants_its_login),
        TEST(mechanisms_say_that_they_sign_messages),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_signs_no_messages),
    };

    fill_bytes(in, sizeof in);
    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
