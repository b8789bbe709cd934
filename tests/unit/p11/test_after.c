/* SPDX-License-Identifier: Apache-2.0
 *
 * What was logged out, closed, destroyed or has lost its permission yields nothing any more: every
 * kind of operation, before its Init, after it, and in the middle of little and of much data. The
 * end is somebody else's doing: another session's of the same application.
 */
#include "p11_test.h"

#define MUCH 200000u /* more than the library gathers */
#define ROOM (MUCH + 1000u)
#define CANARY 0xc5

enum event { LOGOUT, CLOSE, CLOSE_ALL, DESTROY, PERMISSION, EVENT_COUNT };
enum stage { BEFORE_INIT, AFTER_INIT, AFTER_LITTLE, AFTER_MUCH, STAGE_COUNT };

static const char *const events[] = { "logout", "close", "close of all", "destruction",
                                      "loss of permission" };
static const char *const stages[] = { "before Init", "after Init", "after a little", "after much" };

static CK_BYTE data[MUCH], out[ROOM], iv[16], blob[1000];
static CK_ULONG blob_len;
static CK_BYTE nonce[12];
static CK_BYTE tag[16];
static CK_GCM_MESSAGE_PARAMS message_params = { nonce, sizeof nonce, 0, CKG_NO_GENERATE, tag, 128 };

/* A kind of operation: the permission that it takes, and how it goes. */
struct kind {
    const char *name;
    CK_ATTRIBUTE_TYPE right;
    CK_RV (*init)(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key);
    CK_RV (*update)(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len, CK_ULONG *out_len);
    CK_RV (*finish)(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len);
    CK_OBJECT_HANDLE (*make)(CK_ATTRIBUTE_TYPE right);
};

/* ---- keys: of the token, private, with one permission ---- */

static CK_OBJECT_HANDLE
secret_of(CK_MECHANISM_TYPE type, CK_ATTRIBUTE_TYPE right)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_TOKEN, yes),
                                ATTR(CKA_PRIVATE, yes),   ATTR(right, yes),
                                ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(fixture.session, &mechanism, template, 5, &key));
    return key;
}

static CK_OBJECT_HANDLE
aes_of(CK_ATTRIBUTE_TYPE right)
{
    return secret_of(CKM_AES_KEY_GEN, right);
}

static CK_OBJECT_HANDLE
generic_of(CK_ATTRIBUTE_TYPE right)
{
    return secret_of(CKM_GENERIC_SECRET_KEY_GEN, right);
}

/* The half that has the permission. */
static CK_OBJECT_HANDLE
rsa_of(CK_ATTRIBUTE_TYPE right)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 1024;
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_TOKEN, yes),
                              ATTR(CKA_PRIVATE, yes), ATTR(CKA_VERIFY_RECOVER, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_TOKEN, yes), ATTR(CKA_SIGN_RECOVER, yes) };
    CK_OBJECT_HANDLE keys[2] = { 0, 0 };
    CK_MECHANISM raw = { CKM_RSA_PKCS, NULL, 0 };

    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, 4, private, 2, &keys[0],
                                &keys[1]));
    if (right == CKA_VERIFY_RECOVER) {
        blob_len = sizeof blob;
        assert_ok(C_SignRecoverInit(fixture.session, &raw, keys[1]));
        assert_ok(C_SignRecover(fixture.session, data, 20, blob, &blob_len));
    }
    return keys[right == CKA_VERIFY_RECOVER ? 0 : 1];
}

/* ---- kinds ---- */

static CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof iv };
static CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };
static CK_MECHANISM pkcs1 = { CKM_RSA_PKCS, NULL, 0 };
static CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };

static CK_RV
encrypt_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_EncryptInit(s, &cbc, key);
}

static CK_RV
encrypt_update(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len, CK_ULONG *out_len)
{
    return C_EncryptUpdate(s, in, len, out, out_len);
}

static CK_RV
encrypt_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_Encrypt(s, data, 64, out, out_len);
}

static CK_RV
encrypt_more(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_EncryptUpdate(s, data, 64, out, out_len);
}

static CK_RV
decrypt_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_DecryptInit(s, &cbc, key);
}

static CK_RV
decrypt_update(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len, CK_ULONG *out_len)
{
    return C_DecryptUpdate(s, in, len, out, out_len);
}

static CK_RV
decrypt_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_Decrypt(s, data, 64, out, out_len);
}

static CK_RV
decrypt_more(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_DecryptUpdate(s, data, 64, out, out_len);
}

static CK_RV
sign_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_SignInit(s, &hmac, key);
}

static CK_RV
sign_update(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len, CK_ULONG *out_len)
{
    UNUSED(out_len);
    return C_SignUpdate(s, in, len);
}

static CK_RV
sign_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_Sign(s, data, 64, out, out_len);
}

static CK_RV
sign_final(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_SignFinal(s, out, out_len);
}

/* Its verdict is its output: CKR_SIGNATURE_INVALID says as much as CKR_OK. */
static CK_RV
verdict(CK_RV rv)
{
    return rv == CKR_SIGNATURE_INVALID ? CKR_OK : rv;
}

static CK_RV
verify_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_VerifyInit(s, &hmac, key);
}

static CK_RV
verify_update(CK_SESSION_HANDLE s, CK_BYTE *in, CK_ULONG len, CK_ULONG *out_len)
{
    UNUSED(out_len);
    return C_VerifyUpdate(s, in, len);
}

static CK_RV
verify_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    UNUSED(out_len);
    return verdict(C_Verify(s, data, 64, data, 32));
}

static CK_RV
verify_final(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    UNUSED(out_len);
    return verdict(C_VerifyFinal(s, data, 32));
}

static CK_RV
sign_recover_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_SignRecoverInit(s, &pkcs1, key);
}

static CK_RV
sign_recover_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_SignRecover(s, data, 20, out, out_len);
}

static CK_RV
verify_recover_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_VerifyRecoverInit(s, &pkcs1, key);
}

static CK_RV
verify_recover_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_VerifyRecover(s, blob, blob_len, out, out_len);
}

static CK_RV
wrap_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    CK_MECHANISM kwp = { CKM_AES_KEY_WRAP_KWP, NULL, 0 };

    return C_WrapKey(s, &kwp, key, key, out, out_len);
}

static CK_RV
unwrap_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type) };
    CK_OBJECT_HANDLE made = 0;

    UNUSED(out_len);
    return C_UnwrapKey(s, &cbc, key, data, 64, template, 2, &made);
}

static CK_RV
derive_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    CK_KEY_DERIVATION_STRING_DATA more = { data, 16 };
    CK_MECHANISM mechanism = { CKM_CONCATENATE_BASE_AND_DATA, &more, sizeof more };
    CK_OBJECT_HANDLE made = 0;

    UNUSED(out_len);
    return C_DeriveKey(s, &mechanism, key, NULL, 0, &made);
}

static CK_RV
message_encrypt_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_MessageEncryptInit(s, &gcm, key);
}

static CK_RV
message_encrypt_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_EncryptMessage(s, &message_params, sizeof message_params, NULL, 0, data, 64, out,
                            out_len);
}

static CK_RV
message_decrypt_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_MessageDecryptInit(s, &gcm, key);
}

/* That the tag is wrong is said by the key. */
static CK_RV
message_decrypt_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    CK_RV rv = C_DecryptMessage(s, &message_params, sizeof message_params, NULL, 0, data, 64, out,
                                out_len);

    UNUSED(key);
    return rv == CKR_AEAD_DECRYPT_FAILED || rv == CKR_ENCRYPTED_DATA_INVALID ? CKR_OK : rv;
}

static CK_RV
message_sign_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_MessageSignInit(s, &hmac, key);
}

static CK_RV
message_sign_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    return C_SignMessage(s, NULL, 0, data, 64, out, out_len);
}

static CK_RV
message_verify_init(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key)
{
    return C_MessageVerifyInit(s, &hmac, key);
}

static CK_RV
message_verify_finish(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ULONG *out_len)
{
    UNUSED(key);
    UNUSED(out_len);
    return verdict(C_VerifyMessage(s, NULL, 0, data, 64, data, 32));
}

/* Without an update: whole; with one: in parts, which finish then ends. */
static const struct kind kinds[] = {
    { "encryption", CKA_ENCRYPT, encrypt_init, NULL, encrypt_finish, aes_of },
    { "encryption in parts", CKA_ENCRYPT, encrypt_init, encrypt_update, encrypt_more, aes_of },
    { "decryption", CKA_DECRYPT, decrypt_init, NULL, decrypt_finish, aes_of },
    { "decryption in parts", CKA_DECRYPT, decrypt_init, decrypt_update, decrypt_more, aes_of },
    { "signature", CKA_SIGN, sign_init, NULL, sign_finish, generic_of },
    { "signature in parts", CKA_SIGN, sign_init, sign_update, sign_final, generic_of },
    { "verification", CKA_VERIFY, verify_init, NULL, verify_finish, generic_of },
    { "verification in parts", CKA_VERIFY, verify_init, verify_update, verify_final, generic_of },
    { "signature with recovery", CKA_SIGN_RECOVER, sign_recover_init, NULL, sign_recover_finish,
      rsa_of },
    { "recovery", CKA_VERIFY_RECOVER, verify_recover_init, NULL, verify_recover_finish, rsa_of },
    { "wrapping", CKA_WRAP, NULL, NULL, wrap_finish, aes_of },
    { "unwrapping", CKA_UNWRAP, NULL, NULL, unwrap_finish, aes_of },
    { "derivation", CKA_DERIVE, NULL, NULL, derive_finish, generic_of },
    { "encryption of a message", CKA_ENCRYPT, message_encrypt_init, NULL, message_encrypt_finish,
      aes_of },
    { "decryption of a message", CKA_DECRYPT, message_decrypt_init, NULL, message_decrypt_finish,
      aes_of },
    { "signature of a message", CKA_SIGN, message_sign_init, NULL, message_sign_finish, generic_of },
    { "verification of a message", CKA_VERIFY, message_verify_init, NULL, message_verify_finish,
      generic_of },
};

/* ---- what happens to them ---- */

static void
happens(enum event event, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, CK_ATTRIBUTE_TYPE right)
{
    CK_ATTRIBUTE without = ATTR(right, no);

    switch (event) {
    case LOGOUT:
        assert_ok(C_Logout(fixture.session));
        break;
    case CLOSE:
        assert_ok(C_CloseSession(s));
        break;
    case CLOSE_ALL:
        assert_ok(C_CloseAllSessions(SLOT));
        break;
    case DESTROY:
        assert_ok(C_DestroyObject(fixture.session, key));
        break;
    default:
        assert_ok(C_SetAttributeValue(fixture.session, key, &without, 1));
        break;
    }
}

static bool
reaches(const struct kind *kind, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, enum stage stage)
{
    CK_ULONG len = ROOM;

    if (stage == BEFORE_INIT) {
        return true;
    }
    if (kind->init == NULL || (stage > AFTER_INIT && kind->update == NULL)) {
        return false;
    }
    assert_ok(kind->init(s, key));
    if (stage > AFTER_INIT) {
        assert_ok(kind->update(s, data, stage == AFTER_LITTLE ? 64 : MUCH, &len));
    }
    return true;
}

static CK_RV
goes_on(const struct kind *kind, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE key, enum stage stage)
{
    CK_ULONG len = ROOM;
    CK_RV rv = CKR_OK;

    memset(out, CANARY, sizeof out);
    if (stage == BEFORE_INIT && kind->init != NULL) {
        rv = kind->init(s, key);
    }
    if (rv == CKR_OK) {
        len = ROOM;
        rv = kind->finish(s, key, &len);
    }
    return rv;
}

static void
one_end(const struct kind *kind, enum event event, enum stage stage)
{
    CK_SESSION_HANDLE s = open_session(CKF_RW_SESSION);
    CK_OBJECT_HANDLE key = kind->make(kind->right);
    CK_RV rv;

    if (reaches(kind, s, key, stage)) {
        happens(event, s, key, kind->right);
        rv = goes_on(kind, s, key, stage);
        if (rv == CKR_OK) {
            fail_msg("%s, %s: it goes on after %s", kind->name, stages[stage], events[event]);
        }
        for (size_t i = 0; i < sizeof out; i++) {
            if (out[i] != CANARY) {
                fail_msg("%s, %s: something came out after %s", kind->name, stages[stage],
                         events[event]);
            }
        }
    }
    if (event == CLOSE_ALL) {
        fixture.session = open_session(CKF_RW_SESSION);
        s = CK_INVALID_HANDLE;
    }
    if (log_in(fixture.session, CKU_USER, PIN1) != CKR_USER_ALREADY_LOGGED_IN || event == LOGOUT) {
        assert_ok(C_SessionCancel(fixture.session, ~(CK_FLAGS)0));
    }
    (void)C_CloseSession(s);
    (void)C_DestroyObject(fixture.session, key);
}

static void
nothing_comes_after_the_end(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        for (enum event event = 0; event < EVENT_COUNT; event++) {
            for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
                one_end(&kinds[i], event, stage);
            }
        }
    }
}

/* The test can fail: left alone, each of them ends well. */
static void
left_alone_all_goes_well(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
            CK_SESSION_HANDLE s = open_session(CKF_RW_SESSION);
            CK_OBJECT_HANDLE key = kinds[i].make(kinds[i].right);

            if (reaches(&kinds[i], s, key, stage)) {
                CK_RV rv = goes_on(&kinds[i], s, key, stage);

                if (rv != CKR_OK) {
                    fail_msg("%s, %s: %s", kinds[i].name, stages[stage], return_name(rv));
                }
            }
            assert_ok(C_CloseSession(s));
            assert_ok(C_DestroyObject(fixture.session, key));
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(left_alone_all_goes_well),
        TEST(nothing_comes_after_the_end),
    };

    fill_bytes(data, sizeof data);
    return cmocka_run_group_tests(tests, group_standard, group_teardown);
}
