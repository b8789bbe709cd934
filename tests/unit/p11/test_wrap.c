/* SPDX-License-Identifier: Apache-2.0
 *
 * C_WrapKey and C_UnwrapKey through the library: lengths, buffers, codes, and an IV that comes back.
 */
#include "p11_test.h"

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE aes_type = CKK_AES;

static CK_OBJECT_HANDLE
make_key(CK_SESSION_HANDLE session, CK_BBOOL *wraps, CK_BBOOL *extractable)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes), { CKA_WRAP, wraps, 1 },
        { CKA_UNWRAP, wraps, 1 }, { CKA_EXTRACTABLE, extractable, 1 },
    };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(session, &mechanism, template, ARRAY_COUNT(template), &key));
    return key;
}

/* What a key makes of a block. */
static void
encrypt_block(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_BYTE out[16])
{
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE block[16] = { 1, 2, 3 };
    CK_ULONG len = 16;

    assert_ok(C_EncryptInit(session, &mechanism, key));
    assert_ok(C_Encrypt(session, block, sizeof block, out, &len));
}

static void
a_key_goes_there_and_back(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE wrapping = make_key(session, &yes, &no), key = make_key(session, &no, &yes);
    CK_MECHANISM kw = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, aes_type),
                                ATTR(CKA_ENCRYPT, yes) };
    CK_BYTE room[64], before[16], after[16];
    CK_OBJECT_HANDLE back = 0;
    CK_ULONG len = 0;

    assert_ok(C_WrapKey(session, &kw, wrapping, key, NULL, &len));
    assert_int_equal(len, 40);
    memset(room, 0xcc, sizeof room);
    len = 39;
    assert_code(C_WrapKey(session, &kw, wrapping, key, room, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 40);
    assert_int_equal(room[0], 0xcc);
    assert_ok(C_WrapKey(session, &kw, wrapping, key, room, &len));
    assert_int_equal(len, 40);
    assert_int_equal(room[40], 0xcc);
    len = sizeof room;
    assert_ok(C_WrapKey(session, &kw, wrapping, key, room, &len));
    assert_int_equal(len, 40);

    assert_ok(C_UnwrapKey(session, &kw, wrapping, room, len, template, ARRAY_COUNT(template),
                          &back));
    encrypt_block(session, key, before);
    encrypt_block(session, back, after);
    assert_memory_equal(before, after, sizeof before);

    room[3] ^= 1;
    back = 77;
    assert_code(C_UnwrapKey(session, &kw, wrapping, room, len, template, ARRAY_COUNT(template),
                            &back), CKR_WRAPPED_KEY_INVALID);
    assert_int_equal(back, 77);
    assert_code(C_UnwrapKey(session, &kw, wrapping, room, 0, template, ARRAY_COUNT(template),
                            &back), CKR_WRAPPED_KEY_LEN_RANGE);
    assert_code(C_UnwrapKey(session, &kw, wrapping, room, 100000, template,
                            ARRAY_COUNT(template), &back), CKR_WRAPPED_KEY_LEN_RANGE);
}

static void
arguments_come_before_keys(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE wrapping = make_key(session, &yes, &no), key = make_key(session, &no, &yes);
    CK_MECHANISM kw = { CKM_AES_KEY_WRAP, NULL, 0 }, digest = { CKM_SHA256, NULL, 0 };
    CK_MECHANISM bad = { CKM_AES_KEY_WRAP, &kw, 3 };
    CK_BYTE room[64];
    CK_ULONG len = sizeof room;
    CK_OBJECT_HANDLE back = 0;

    assert_code(C_WrapKey(session + 1, &kw, wrapping, key, room, &len),
                CKR_SESSION_HANDLE_INVALID);
    assert_code(C_WrapKey(session, NULL, wrapping, key, room, &len), CKR_ARGUMENTS_BAD);
    assert_code(C_WrapKey(session, &kw, wrapping, key, room, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_WrapKey(session, &digest, wrapping, key, room, &len), CKR_MECHANISM_INVALID);
    assert_code(C_WrapKey(session, &bad, wrapping, key, room, &len),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_WrapKey(session, &kw, 0, key, room, &len), CKR_WRAPPING_KEY_HANDLE_INVALID);
    assert_code(C_WrapKey(session, &kw, wrapping, 0, room, &len), CKR_KEY_HANDLE_INVALID);
    assert_code(C_WrapKey(session, &kw, wrapping, wrapping, room, &len), CKR_KEY_UNEXTRACTABLE);
    assert_code(C_UnwrapKey(session, &kw, wrapping, NULL, 40, NULL, 0, &back),
                CKR_ARGUMENTS_BAD);
    assert_code(C_UnwrapKey(session, &kw, wrapping, room, 40, NULL, 0, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_UnwrapKey(session, &kw, wrapping, room, 40, NULL, 1, &back),
                CKR_ARGUMENTS_BAD);
    assert_code(C_UnwrapKey(session, &kw, 0, room, 40, NULL, 0, &back),
                CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    assert_code(C_UnwrapKey(session, &kw, wrapping, room, 40, NULL, 0, &back),
                CKR_TEMPLATE_INCOMPLETE);
}

static void
in_azure_the_iv_is_made_and_comes_back(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE wrapping = make_key(session, &yes, &no), key = make_key(session, &no, &yes);
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, aes_type),
                                ATTR(CKA_ENCRYPT, yes) };
    CK_BYTE iv[12] = { 0 }, zeros[12] = { 0 }, room[80], before[16], after[16];
    CK_GCM_PARAMS params = { iv, 12, 96, NULL, 0, 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG len = sizeof room;
    CK_OBJECT_HANDLE back = 0;

    assert_ok(C_WrapKey(session, &gcm, wrapping, key, room, &len));
    assert_int_equal(len, 48);
    assert_memory_not_equal(iv, zeros, sizeof iv);
    assert_ok(C_UnwrapKey(session, &gcm, wrapping, room, len, template, ARRAY_COUNT(template),
                          &back));
    encrypt_block(session, key, before);
    encrypt_block(session, back, after);
    assert_memory_equal(before, after, sizeof before);
}

/* With a key of RSA a key of any kind, its own kind too. */
static void
rsa_and_aes_wrap_together(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
    CK_RSA_AES_KEY_WRAP_PARAMS params = { 256, &oaep };
    CK_MECHANISM both = { CKM_RSA_AES_KEY_WRAP, &params, sizeof params };
    CK_MECHANISM generate = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM sha = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_ULONG bits = 2048, len = 0, signature_len = 256;
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_WRAP, yes),
                              ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_UNWRAP, yes), ATTR(CKA_SIGN, yes),
                               ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_CLASS private_class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE rsa_type = CKK_RSA;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, private_class), ATTR(CKA_KEY_TYPE, rsa_type),
                                ATTR(CKA_SIGN, yes) };
    static CK_BYTE room[2048], signature[256], before[16], after[16];
    CK_OBJECT_HANDLE wraps = 0, unwraps = 0, back = 0, key = make_key(session, &no, &yes);
    CK_ATTRIBUTE aes[] = { ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, aes_type),
                           ATTR(CKA_ENCRYPT, yes) };

    assert_ok(C_GenerateKeyPair(session, &generate, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), &wraps, &unwraps));
    assert_code(C_EncryptInit(session, &both, wraps), CKR_MECHANISM_INVALID);
    assert_code(C_DecryptInit(session, &both, unwraps), CKR_MECHANISM_INVALID);

    assert_ok(C_WrapKey(session, &both, wraps, key, NULL, &len));
    assert_int_equal(len, 256 + 40);
    len--;
    assert_code(C_WrapKey(session, &both, wraps, key, room, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 256 + 40);
    room[len] = 0xcc;
    assert_ok(C_WrapKey(session, &both, wraps, key, room, &len));
    assert_int_equal(room[256 + 40], 0xcc);
    assert_ok(C_UnwrapKey(session, &both, unwraps, room, len, aes, ARRAY_COUNT(aes), &back));
    encrypt_block(session, key, before);
    encrypt_block(session, back, after);
    assert_memory_equal(before, after, sizeof before);
    room[300 - 8] ^= 1;
    assert_code(C_UnwrapKey(session, &both, unwraps, room, len, aes, ARRAY_COUNT(aes), &back),
                CKR_WRAPPED_KEY_INVALID);
    assert_code(C_UnwrapKey(session, &both, unwraps, room, 256, aes, ARRAY_COUNT(aes), &back),
                CKR_WRAPPED_KEY_LEN_RANGE);
    assert_code(C_UnwrapKey(session, &both, wraps, room, len, aes, ARRAY_COUNT(aes), &back),
                CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);

    len = sizeof room;
    assert_ok(C_WrapKey(session, &both, wraps, unwraps, room, &len));
    assert_ok(C_UnwrapKey(session, &both, unwraps, room, len, template, ARRAY_COUNT(template),
                          &back));
    assert_ok(C_SignInit(session, &sha, back));
    assert_ok(C_Sign(session, before, 16, signature, &signature_len));
    assert_ok(C_VerifyInit(session, &sha, wraps));
    assert_ok(C_Verify(session, before, 16, signature, signature_len));

    params.ulAESKeyBits = 100;
    assert_code(C_WrapKey(session, &both, wraps, key, room, &len), CKR_MECHANISM_PARAM_INVALID);
    params = (CK_RSA_AES_KEY_WRAP_PARAMS){ 128, NULL };
    assert_code(C_WrapKey(session, &both, wraps, key, room, &len), CKR_MECHANISM_PARAM_INVALID);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(a_key_goes_there_and_back),
        TEST(arguments_come_before_keys),
        TEST(rsa_and_aes_wrap_together),
    };
    const struct CMUnitTest azure[] = {
        TEST(a_key_goes_there_and_back),
        TEST(in_azure_the_iv_is_made_and_comes_back),
        TEST(rsa_and_aes_wrap_together),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
