/* SPDX-License-Identifier: Apache-2.0
 *
 * Message-based encryption with AES-GCM, against the ordinary calls.
 */
#include "p11_test.h"

#define LONG_LEN 150000u

static CK_BYTE in[LONG_LEN], out[LONG_LEN], back[LONG_LEN], whole[LONG_LEN + 16];
static CK_BYTE aad[] = "associated";

static CK_GCM_MESSAGE_PARAMS
params(CK_BYTE iv[12], CK_BYTE tag[16], CK_GENERATOR_FUNCTION generator, CK_ULONG fixed)
{
    return (CK_GCM_MESSAGE_PARAMS){ iv, 12, fixed, generator, tag, 128 };
}

static CK_RV
encrypt(CK_GCM_MESSAGE_PARAMS p, CK_ULONG len)
{
    CK_ULONG out_len = sizeof out;

    return C_EncryptMessage(fixture.session, &p, sizeof p, aad, sizeof aad, in, len, out,
                            &out_len);
}

static CK_RV
decrypt(CK_GCM_MESSAGE_PARAMS p, CK_ULONG len)
{
    CK_ULONG back_len = sizeof back;

    return C_DecryptMessage(fixture.session, &p, sizeof p, aad, sizeof aad, out, len, back,
                            &back_len);
}

static void
messages_are_what_single_calls_give(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    const CK_ULONG lens[] = { 0, 1, 100, LONG_LEN };
    CK_BYTE iv[12] = "initialvecto", tag[16];
    CK_GCM_PARAMS plain = { iv, 12, 96, aad, sizeof aad, 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &plain, sizeof plain };
    CK_OBJECT_HANDLE key = make_aes();

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        CK_ULONG len = sizeof whole;

        assert_ok(C_EncryptInit(session, &gcm, key));
        assert_ok(C_Encrypt(session, in, lens[i], whole, &len));
        assert_ok(C_MessageEncryptInit(session, &mechanism, key));
        assert_ok(encrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i]));
        assert_memory_equal(out, whole, lens[i]);
        assert_memory_equal(tag, whole + lens[i], 16);
        assert_ok(C_MessageEncryptFinal(session));

        assert_ok(C_MessageDecryptInit(session, &mechanism, key));
        assert_ok(decrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i]));
        assert_memory_equal(back, in, lens[i]);
        tag[3] ^= 1;
        memset(back, 0, sizeof back);
        assert_code(decrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i]),
                    CKR_AEAD_DECRYPT_FAILED);
        assert_int_equal(back[0], 0);
        tag[3] ^= 1;
        assert_ok(decrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i])); /* it goes on */
        assert_ok(C_MessageDecryptFinal(session));
    }
}

static void
ivs_are_drawn_after_their_fixed_bits(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_BYTE first[12] = "abcdefghijkl", second[12] = "abcdefghijkl", tag[16];
    CK_OBJECT_HANDLE key = make_aes();

    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(encrypt(params(first, tag, CKG_GENERATE_RANDOM, 28), 10));
    assert_ok(encrypt(params(second, tag, CKG_GENERATE, 28), 10));
    assert_memory_equal(first, "abc", 3);
    assert_int_equal(first[3] >> 4, 'd' >> 4);
    assert_memory_not_equal(first + 4, "efghijkl", 8);
    assert_memory_not_equal(first, second, 12);
    assert_code(encrypt(params(first, tag, CKG_GENERATE, 33), 10), CKR_MECHANISM_PARAM_INVALID);
    assert_code(encrypt(params(first, tag, CKG_GENERATE_COUNTER, 0), 10),
                CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_MessageEncryptInit(session, NULL, 0));
    assert_ok(C_MessageDecryptInit(session, &mechanism, key));
    assert_ok(decrypt(params(second, tag, CKG_NO_GENERATE, 0), 10));
    assert_memory_equal(back, in, 10);
}

static void
messages_give_their_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE iv[12] = { 1 }, tag[16];
    CK_GCM_MESSAGE_PARAMS p = params(iv, tag, CKG_NO_GENERATE, 0);
    CK_OBJECT_HANDLE key = make_aes();
    CK_ULONG len = 9;

    assert_code(encrypt(p, 10), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_MessageEncryptFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_MessageEncryptInit(session, &ecb, key), CKR_MECHANISM_INVALID);
    assert_code(C_MessageEncryptInit(session, &mechanism, make_generic()),
                CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_MessageEncryptInit(session, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_code(C_MessageEncryptInit(session, &mechanism, key), CKR_OPERATION_ACTIVE);
    assert_code(C_EncryptInit(session, &ecb, key), CKR_OPERATION_ACTIVE);
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len),
                CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 10);
    assert_ok(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 20, NULL, &len));
    assert_int_equal(len, 20);
    assert_code(C_EncryptMessage(session, &p, sizeof p - 1, NULL, 0, in, 20, out, &len),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_EncryptMessage(session, NULL, 0, NULL, 0, in, 20, out, &len),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 1, in, 20, out, &len),
                CKR_ARGUMENTS_BAD);
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 20, out, NULL),
                CKR_ARGUMENTS_BAD);
    p.pTag = NULL;
    assert_code(encrypt(p, 10), CKR_MECHANISM_PARAM_INVALID);
    p.pTag = tag;
    p.ulTagBits = 136;
    assert_code(encrypt(p, 10), CKR_MECHANISM_PARAM_INVALID);
    p.ulTagBits = 128;
    assert_ok(encrypt(p, 10)); /* after all of that */
    assert_ok(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT));
    assert_code(encrypt(p, 10), CKR_OPERATION_NOT_INITIALIZED);
}

static void
azure_has_no_messages(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };

    assert_code(C_MessageEncryptInit(session, &mechanism, make_aes()),
                CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_MessageDecryptFinal(session), CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(messages_are_what_single_calls_give),
        TEST(ivs_are_drawn_after_their_fixed_bits),
        TEST(messages_give_their_codes),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_has_no_messages),
    };

    fill_bytes(in, sizeof in);
    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
