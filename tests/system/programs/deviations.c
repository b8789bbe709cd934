/* SPDX-License-Identifier: Apache-2.0
 *
 * The 54 deviations of the published compliance report on the original's sibling, each looked at
 * under its id: where the report saw the rule broken, it has to hold here. Where a policy keeps
 * what it says on purpose, the row declares it, and then exactly that has to be seen.
 *
 *   deviations MODULE standard|azure|fips
 */
#include "p11.h"

enum { STANDARD = 1, AZURE = 2, FIPS = 4 };
enum finding { DEVIATES, HOLDS, DECLARED };

static CK_SESSION_HANDLE session;
static unsigned policy;
static CK_OBJECT_HANDLE aes, generic, rsa_public, rsa_private, ec_public, ec_private;
static uint8_t data[16] = "0123456789abcdef";
static uint8_t out[1024];
static const uint8_t p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";

#define FLAG(type, value) { (type), (value) ? &yes : &no, sizeof(CK_BBOOL) }
#define NOT_A_HANDLE 0x12345u

static enum finding
holds(bool it)
{
    return it ? HOLDS : DEVIATES;
}

/* ---- keys ---- */

static CK_RV
make_secret(CK_MECHANISM_TYPE type, CK_ATTRIBUTE_TYPE attribute, void *value, CK_ULONG len,
            CK_OBJECT_HANDLE *ret_key)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_ULONG size = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, size), { attribute, value, len } };

    *ret_key = 0;
    return p11->C_GenerateKey(session, &mechanism, template, attribute == 0 ? 1 : 2, ret_key);
}

static CK_RV
make_pair(bool rsa, CK_ATTRIBUTE *public, CK_ULONG public_count, CK_ATTRIBUTE *private,
          CK_ULONG private_count, CK_OBJECT_HANDLE *ret_public, CK_OBJECT_HANDLE *ret_private)
{
    CK_MECHANISM mechanism = { rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 2048;
    CK_ATTRIBUTE all[8] = { ATTR(CKA_MODULUS_BITS, bits) };
    CK_ATTRIBUTE none[] = { FLAG(CKA_TOKEN, false) };

    if (!rsa) {
        all[0] = (CK_ATTRIBUTE)ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof p256 - 1);
    }
    for (CK_ULONG i = 0; i < public_count; i++) {
        all[1 + i] = public[i];
    }
    *ret_public = *ret_private = 0;
    return p11->C_GenerateKeyPair(session, &mechanism, all, 1 + public_count,
                                  private_count == 0 ? none : private,
                                  private_count == 0 ? 1 : private_count, ret_public, ret_private);
}

static bool
reads(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, const void *value, CK_ULONG len)
{
    uint8_t got[600];
    CK_ATTRIBUTE attribute = { type, got, sizeof got };

    return p11->C_GetAttributeValue(session, object, &attribute, 1) == CKR_OK &&
           (value == NULL ? attribute.ulValueLen > 0
                          : attribute.ulValueLen == len && memcmp(got, value, len) == 0);
}

static bool
reads_flag(CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type, bool on)
{
    return reads(object, type, on ? &yes : &no, 1);
}

/* A secret key of each kind takes the attribute and says it again. */
static bool
secret_takes(CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG len)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_AES_KEY_GEN, CKM_GENERIC_SECRET_KEY_GEN };
    bool all = true;

    for (size_t i = 0; i < COUNT(types); i++) {
        CK_OBJECT_HANDLE key;

        all = make_secret(types[i], type, value, len, &key) == CKR_OK &&
              reads(key, type, value, len) && all;
    }
    return all;
}

/* So does one half of an RSA and of an EC pair. */
static bool
pair_takes(bool public, CK_ATTRIBUTE_TYPE type, void *value, CK_ULONG len)
{
    CK_ATTRIBUTE attribute[] = { { type, value, len } };
    bool all = true;

    for (int rsa = 0; rsa < 2; rsa++) {
        CK_OBJECT_HANDLE halves[2];

        all = make_pair(rsa, attribute, public ? 1 : 0, attribute, public ? 0 : 1, &halves[0],
                        &halves[1]) == CKR_OK &&
              reads(halves[public ? 0 : 1], type, value, len) && all;
    }
    return all;
}

static void
keys_make(void)
{
    CK_MECHANISM make_aes = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_MECHANISM make_generic = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG size = 32;
    CK_ATTRIBUTE aes_template[] = { ATTR(CKA_VALUE_LEN, size), FLAG(CKA_ENCRYPT, true),
                                    FLAG(CKA_DECRYPT, true), FLAG(CKA_WRAP, true),
                                    FLAG(CKA_SIGN, true), FLAG(CKA_VERIFY, true) };
    CK_ATTRIBUTE generic_template[] = { ATTR(CKA_VALUE_LEN, size), FLAG(CKA_SIGN, true),
                                        FLAG(CKA_VERIFY, true) };
    CK_ATTRIBUTE public[] = { FLAG(CKA_VERIFY, true), FLAG(CKA_ENCRYPT, true) };
    CK_ATTRIBUTE private[] = { FLAG(CKA_SIGN, true), FLAG(CKA_DECRYPT, true) };

    MUST(p11->C_GenerateKey(session, &make_aes, aes_template, COUNT(aes_template), &aes));
    MUST(p11->C_GenerateKey(session, &make_generic, generic_template, COUNT(generic_template),
                            &generic));
    MUST(make_pair(true, public, 2, private, 2, &rsa_public, &rsa_private));
    MUST(make_pair(false, public, 1, private, 1, &ec_public, &ec_private));
}

/* Private objects of the session went with the logout. */
static void
login_again(void)
{
    MUST(p11_login(session, PIN));
    keys_make();
}

/* ---- sessions ---- */

static enum finding
login_without_pin(void)
{
    CK_RV rv;

    MUST(p11->C_Logout(session));
    rv = p11->C_Login(session, CKU_USER, NULL, 0);
    login_again();
    return holds(rv == CKR_ARGUMENTS_BAD || rv == CKR_PIN_INCORRECT);
}

static enum finding
two_searches(void)
{
    CK_RV rv;

    MUST(p11->C_FindObjectsInit(session, NULL, 0));
    rv = p11->C_FindObjectsInit(session, NULL, 0);
    MUST(p11->C_FindObjectsFinal(session));
    return holds(rv == CKR_OPERATION_ACTIVE);
}

/* ---- sign and verify ---- */

static CK_MECHANISM hmac = { CKM_SHA_1_HMAC, NULL, 0 };
static CK_MECHANISM rsa_pkcs = { CKM_RSA_PKCS, NULL, 0 };

/* C_SignInit and C_VerifyInit have the same type, and so do those of the recover functions. */
typedef CK_RV (*init_function)(CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE);

static enum finding
without_right(init_function init, CK_ATTRIBUTE_TYPE right)
{
    CK_OBJECT_HANDLE key;
    CK_RV rv;

    MUST(make_secret(CKM_GENERIC_SECRET_KEY_GEN, right, &no, 1, &key));
    rv = init(session, &hmac, key);
    return holds(rv == CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static enum finding
sign_not_permitted(void)
{
    return without_right(p11->C_SignInit, CKA_SIGN);
}

static enum finding
verify_not_permitted(void)
{
    return without_right(p11->C_VerifyInit, CKA_VERIFY);
}

static enum finding
sign_after_update(void)
{
    CK_ULONG len = sizeof out;

    MUST(p11->C_SignInit(session, &hmac, generic));
    MUST(p11->C_SignUpdate(session, data, sizeof data));
    return holds(p11->C_Sign(session, data, sizeof data, out, &len) == CKR_OPERATION_ACTIVE);
}

/* A key of the token, whose handle is from when somebody was logged in. */
static enum finding
without_login(init_function init)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG size = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, size), FLAG(CKA_TOKEN, true),
                                FLAG(CKA_SIGN, true), FLAG(CKA_VERIFY, true) };
    CK_OBJECT_HANDLE key;
    CK_RV rv;

    MUST(p11->C_GenerateKey(session, &mechanism, template, COUNT(template), &key));
    MUST(p11->C_Logout(session));
    rv = init(session, &hmac, key);
    login_again();
    return holds(rv == CKR_USER_NOT_LOGGED_IN || rv == CKR_KEY_HANDLE_INVALID);
}

static enum finding
sign_without_login(void)
{
    return without_login(p11->C_SignInit);
}

static enum finding
verify_without_login(void)
{
    return without_login(p11->C_VerifyInit);
}

/* Of a function that a policy does not offer. */
static enum finding
offered(CK_RV rv, CK_RV wanted)
{
    return rv == CKR_FUNCTION_NOT_SUPPORTED ? DECLARED : holds(rv == wanted);
}

static enum finding
sign_recover_parameter(void)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, data, sizeof data };

    return offered(p11->C_SignRecoverInit(session, &mechanism, rsa_private),
                   CKR_MECHANISM_PARAM_INVALID);
}

static enum finding
verify_recover_parameter(void)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, data, sizeof data };

    return offered(p11->C_VerifyRecoverInit(session, &mechanism, rsa_public),
                   CKR_MECHANISM_PARAM_INVALID);
}

static enum finding
hmac_with_aes(init_function init)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_SHA_1_HMAC, CKM_SHA224_HMAC, CKM_SHA256_HMAC,
                                               CKM_SHA384_HMAC, CKM_SHA512_HMAC };
    bool all = true;

    for (size_t i = 0; i < COUNT(types); i++) {
        CK_MECHANISM mechanism = { types[i], NULL, 0 };

        all = init(session, &mechanism, aes) == CKR_KEY_TYPE_INCONSISTENT && all;
    }
    return holds(all);
}

static enum finding
sign_hmac_with_aes(void)
{
    return hmac_with_aes(p11->C_SignInit);
}

static enum finding
verify_hmac_with_aes(void)
{
    return hmac_with_aes(p11->C_VerifyInit);
}

static enum finding
sign_handle(void)
{
    return holds(p11->C_SignInit(session, &hmac, NOT_A_HANDLE) == CKR_KEY_HANDLE_INVALID);
}

static enum finding
verify_handle(void)
{
    return holds(p11->C_VerifyInit(session, &hmac, NOT_A_HANDLE) == CKR_KEY_HANDLE_INVALID);
}

static enum finding
sign_recover_handle(void)
{
    return offered(p11->C_SignRecoverInit(session, &rsa_pkcs, NOT_A_HANDLE),
                   CKR_KEY_HANDLE_INVALID);
}

static enum finding
verify_recover_handle(void)
{
    return offered(p11->C_VerifyRecoverInit(session, &rsa_pkcs, NOT_A_HANDLE),
                   CKR_KEY_HANDLE_INVALID);
}

static enum finding
sign_recover_key_type(void)
{
    return offered(p11->C_SignRecoverInit(session, &rsa_pkcs, ec_private),
                   CKR_KEY_TYPE_INCONSISTENT);
}

static enum finding
verify_recover_key_type(void)
{
    return offered(p11->C_VerifyRecoverInit(session, &rsa_pkcs, ec_public),
                   CKR_KEY_TYPE_INCONSISTENT);
}

/* ---- digests ---- */

static CK_MECHANISM sha256 = { CKM_SHA256, NULL, 0 };

static enum finding
digest_after_update(void)
{
    CK_ULONG len = sizeof out;

    MUST(p11->C_DigestInit(session, &sha256));
    MUST(p11->C_DigestUpdate(session, data, sizeof data));
    return holds(p11->C_Digest(session, data, sizeof data, out, &len) == CKR_OPERATION_ACTIVE);
}

static enum finding
digest_ends(void)
{
    CK_ULONG len = sizeof out;

    MUST(p11->C_DigestInit(session, &sha256));
    MUST(p11->C_Digest(session, data, sizeof data, out, &len));
    return holds(p11->C_Digest(session, data, sizeof data, out, &len) ==
                     CKR_OPERATION_NOT_INITIALIZED &&
                 p11->C_DigestUpdate(session, data, 1) == CKR_OPERATION_NOT_INITIALIZED);
}

static enum finding
digest_without_login(void)
{
    CK_ULONG len = sizeof out;
    CK_RV rv;

    MUST(p11->C_Logout(session));
    rv = p11->C_DigestInit(session, &sha256);
    if (rv == CKR_OK) {
        MUST(p11->C_Digest(session, data, sizeof data, out, &len));
    }
    login_again();
    /* The standard wants no login for it, and so says policy standard. */
    return rv == CKR_OK ? DECLARED : holds(rv == CKR_USER_NOT_LOGGED_IN);
}

/* ---- encrypt and decrypt ---- */

static enum finding
encrypt_update_after_end(void)
{
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
    CK_ULONG len = sizeof out;

    MUST(p11->C_EncryptInit(session, &ecb, aes));
    MUST(p11->C_Encrypt(session, data, sizeof data, out, &len));
    len = sizeof out;
    return holds(p11->C_EncryptUpdate(session, data, sizeof data, out, &len) ==
                 CKR_OPERATION_NOT_INITIALIZED);
}

static enum finding
decrypt_update_after_end(void)
{
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
    CK_ULONG len = sizeof out;

    MUST(p11->C_DecryptInit(session, &ecb, aes));
    MUST(p11->C_Decrypt(session, data, sizeof data, out, &len));
    len = sizeof out;
    return holds(p11->C_DecryptUpdate(session, data, sizeof data, out, &len) ==
                 CKR_OPERATION_NOT_INITIALIZED);
}

/* Two IVs make two ciphertexts, one IV makes one, and it stands in its place unchanged. */
static enum finding
gcm_iv(void)
{
    uint8_t iv[12] = "twelve bytes", again[12] = "twelve bytes", cipher[2][32];
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .ulTagBits = 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG len = sizeof out;
    CK_RV rv;

    for (int i = 0; i < 2; i++) {
        rv = p11->C_EncryptInit(session, &gcm, aes);
        if (rv == CKR_MECHANISM_PARAM_INVALID) {
            return DECLARED; /* refused, where it may not be the caller's; never passed over */
        }
        len = sizeof cipher[i];
        if (rv != CKR_OK ||
            p11->C_Encrypt(session, data, sizeof data, cipher[i], &len) != CKR_OK || len != 32) {
            return DEVIATES;
        }
    }
    return holds(memcmp(iv, again, sizeof iv) == 0 && memcmp(cipher[0], cipher[1], 32) == 0);
}

/* The same where a key is wrapped: two wraps under one IV are alike. */
static enum finding
gcm_wrap_iv(void)
{
    uint8_t iv[12] = "twelve bytes", again[12] = "twelve bytes", wrapped[2][64];
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .ulTagBits = 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &params, sizeof params };
    CK_OBJECT_HANDLE key;

    MUST(make_secret(CKM_AES_KEY_GEN, CKA_EXTRACTABLE, &yes, 1, &key));
    for (int i = 0; i < 2; i++) {
        CK_ULONG len = sizeof wrapped[i];
        CK_RV rv = p11->C_WrapKey(session, &gcm, aes, key, wrapped[i], &len);

        if (rv == CKR_MECHANISM_PARAM_INVALID) {
            return DECLARED;
        }
        if (rv != CKR_OK || len != 48) {
            return DEVIATES;
        }
    }
    return holds(memcmp(iv, again, sizeof iv) == 0 && memcmp(wrapped[0], wrapped[1], 48) == 0);
}

/* What Init takes works afterwards; what has no such function is refused there. */
static enum finding
mechanism_of_function(bool encrypt)
{
    CK_MECHANISM kw = { CKM_AES_KEY_WRAP, NULL, 0 }, ecdsa = { CKM_ECDSA, NULL, 0 };
    init_function init = encrypt ? p11->C_EncryptInit : p11->C_DecryptInit;
    CK_ULONG len = sizeof out;
    uint8_t wrapped[24];

    if (init(session, &ecdsa, aes) != CKR_MECHANISM_INVALID ||
        p11->C_EncryptInit(session, &kw, aes) != CKR_OK ||
        p11->C_Encrypt(session, data, sizeof data, wrapped, &len) != CKR_OK || len != 24) {
        return DEVIATES;
    }
    if (encrypt) {
        return HOLDS;
    }
    len = sizeof out;
    return holds(p11->C_DecryptInit(session, &kw, aes) == CKR_OK &&
                 p11->C_Decrypt(session, wrapped, sizeof wrapped, out, &len) == CKR_OK &&
                 len == sizeof data && memcmp(out, data, len) == 0);
}

static enum finding
encrypt_mechanism(void)
{
    return mechanism_of_function(true);
}

static enum finding
decrypt_mechanism(void)
{
    return mechanism_of_function(false);
}

static enum finding
parameters(init_function init, CK_OBJECT_HANDLE rsa)
{
    uint8_t iv[12] = { 1 };
    CK_GCM_PARAMS gcm_params = { .pIv = iv, .ulIvLen = 0, .ulIvBits = 0, .ulTagBits = 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &gcm_params, sizeof gcm_params };
    CK_RSA_PKCS_OAEP_PARAMS oaep_params = { CKM_AES_GCM, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
                                            NULL, 0 };
    CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &oaep_params, sizeof oaep_params };
    CK_MECHANISM nothing = { CKM_AES_GCM, NULL, 0 };

    return holds(init(session, &gcm, aes) == CKR_MECHANISM_PARAM_INVALID &&
                 init(session, &nothing, aes) == CKR_MECHANISM_PARAM_INVALID &&
                 init(session, &oaep, rsa) == CKR_MECHANISM_PARAM_INVALID);
}

static enum finding
encrypt_parameters(void)
{
    return parameters(p11->C_EncryptInit, rsa_public);
}

static enum finding
decrypt_parameters(void)
{
    return parameters(p11->C_DecryptInit, rsa_private);
}

static enum finding
crypt_handle(init_function init)
{
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };

    return holds(init(session, &ecb, NOT_A_HANDLE) == CKR_KEY_HANDLE_INVALID);
}

static enum finding
encrypt_handle(void)
{
    return crypt_handle(p11->C_EncryptInit);
}

static enum finding
decrypt_handle(void)
{
    return crypt_handle(p11->C_DecryptInit);
}

static enum finding
both_wrong(init_function init)
{
    CK_MECHANISM pair = { CKM_RSA_X9_31_KEY_PAIR_GEN, NULL, 0 };

    return holds(init(session, &pair, aes) == CKR_MECHANISM_INVALID);
}

static enum finding
encrypt_both_wrong(void)
{
    return both_wrong(p11->C_EncryptInit);
}

static enum finding
decrypt_both_wrong(void)
{
    return both_wrong(p11->C_DecryptInit);
}

/* ---- derive and wrap ---- */

static CK_RV
derive(CK_OBJECT_HANDLE base, bool permitted)
{
    static uint8_t point[128];
    CK_ATTRIBUTE ask = { CKA_EC_POINT, point, sizeof point };
    CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, 0, point };
    CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &params, sizeof params };
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type) };
    CK_ATTRIBUTE right[] = { FLAG(CKA_DERIVE, permitted) };
    CK_OBJECT_HANDLE public, private, key;

    MUST(make_pair(false, NULL, 0, right, 1, &public, &private));
    MUST(p11->C_GetAttributeValue(session, public, &ask, 1));
    params.ulPublicDataLen = ask.ulValueLen;
    return p11->C_DeriveKey(session, &ecdh, base == 0 ? private : base, template, COUNT(template),
                            &key);
}

static enum finding
derive_not_permitted(void)
{
    return holds(derive(0, true) == CKR_OK && derive(0, false) == CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static enum finding
derive_handle(void)
{
    return holds(derive(NOT_A_HANDLE, true) == CKR_KEY_HANDLE_INVALID);
}

static enum finding
derive_key_type(void)
{
    CK_OBJECT_HANDLE key;

    MUST(make_secret(CKM_AES_KEY_GEN, CKA_DERIVE, &yes, 1, &key));
    return holds(derive(key, true) == CKR_KEY_TYPE_INCONSISTENT);
}

/* RFC 3394 adds eight bytes and nothing else. */
static enum finding
wrap_without_padding(void)
{
    CK_MECHANISM kw = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_OBJECT_HANDLE key;
    CK_ULONG len = sizeof out;

    MUST(make_secret(CKM_AES_KEY_GEN, CKA_EXTRACTABLE, &yes, 1, &key));
    return holds(p11->C_WrapKey(session, &kw, aes, key, out, &len) == CKR_OK && len == 32 + 8);
}

/* ---- attributes ---- */

static enum finding
always_authenticate(void)
{
    return holds(pair_takes(false, CKA_ALWAYS_AUTHENTICATE, &yes, 1));
}

static enum finding
dates(void)
{
    static CK_DATE start = { "2020", "01", "02" }, end = { "2030", "01", "02" };

    return holds(secret_takes(CKA_START_DATE, &start, sizeof start) &&
                 secret_takes(CKA_END_DATE, &end, sizeof end) &&
                 pair_takes(true, CKA_START_DATE, &start, sizeof start) &&
                 pair_takes(false, CKA_END_DATE, &end, sizeof end));
}

static enum finding
key_gen_mechanism(void)
{
    CK_MECHANISM_TYPE rsa = CKM_RSA_PKCS_KEY_PAIR_GEN, ec = CKM_EC_KEY_PAIR_GEN;
    CK_MECHANISM_TYPE secret = CKM_AES_KEY_GEN;

    return holds(reads(rsa_public, CKA_KEY_GEN_MECHANISM, &rsa, sizeof rsa) &&
                 reads(rsa_private, CKA_KEY_GEN_MECHANISM, &rsa, sizeof rsa) &&
                 reads(ec_private, CKA_KEY_GEN_MECHANISM, &ec, sizeof ec) &&
                 reads(aes, CKA_KEY_GEN_MECHANISM, &secret, sizeof secret));
}

/* It is taken, told, and binds. */
static enum finding
allowed_mechanisms(void)
{
    static CK_MECHANISM_TYPE only[] = { CKM_AES_ECB };
    CK_MECHANISM cbc = { CKM_AES_CBC, data, sizeof data }, ecb = { CKM_AES_ECB, NULL, 0 };
    CK_ULONG size = 32, len = sizeof out;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, size), FLAG(CKA_ENCRYPT, true),
                                ATTR(CKA_ALLOWED_MECHANISMS, only) };
    CK_MECHANISM make = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_OBJECT_HANDLE key;
    CK_RV rv;

    MUST(p11->C_GenerateKey(session, &make, template, COUNT(template), &key));
    rv = p11->C_EncryptInit(session, &cbc, key);
    if (rv == CKR_OK) {
        rv = p11->C_Encrypt(session, data, sizeof data, out, &len);
    }
    len = sizeof out;
    return holds(rv == CKR_MECHANISM_INVALID && reads(key, CKA_ALLOWED_MECHANISMS, only, sizeof only) &&
                 p11->C_EncryptInit(session, &ecb, key) == CKR_OK &&
                 p11->C_Encrypt(session, data, sizeof data, out, &len) == CKR_OK &&
                 secret_takes(CKA_ALLOWED_MECHANISMS, only, sizeof only) &&
                 pair_takes(false, CKA_ALLOWED_MECHANISMS, only, sizeof only));
}

static enum finding
private_both_ways(void)
{
    CK_ATTRIBUTE public[] = { FLAG(CKA_PRIVATE, false) };
    CK_OBJECT_HANDLE a, b;
    CK_RV rv = make_pair(false, public, 1, NULL, 0, &a, &b);

    if (rv == CKR_TEMPLATE_INCONSISTENT) {
        return DECLARED; /* keys are private in these policies */
    }
    return holds(rv == CKR_OK && reads_flag(a, CKA_PRIVATE, false) &&
                 pair_takes(true, CKA_PRIVATE, &yes, 1) && secret_takes(CKA_PRIVATE, &no, 1));
}

static enum finding
modifiable(void)
{
    CK_ATTRIBUTE change = ATTR_BYTES(CKA_LABEL, "new", 3);
    CK_OBJECT_HANDLE key;

    MUST(make_secret(CKM_AES_KEY_GEN, CKA_MODIFIABLE, &no, 1, &key));
    return holds(p11->C_SetAttributeValue(session, key, &change, 1) == CKR_ACTION_PROHIBITED &&
                 secret_takes(CKA_MODIFIABLE, &no, 1) && pair_takes(true, CKA_MODIFIABLE, &no, 1));
}

static enum finding
copyable(void)
{
    CK_ATTRIBUTE none[] = { FLAG(CKA_TOKEN, false) };
    CK_OBJECT_HANDLE key, copy;

    MUST(make_secret(CKM_AES_KEY_GEN, CKA_COPYABLE, &no, 1, &key));
    return holds(p11->C_CopyObject(session, key, none, 0, &copy) == CKR_ACTION_PROHIBITED &&
                 secret_takes(CKA_COPYABLE, &no, 1) && pair_takes(true, CKA_COPYABLE, &no, 1));
}

static enum finding
encrypt_attribute(void)
{
    return holds(pair_takes(true, CKA_ENCRYPT, &no, 1) && secret_takes(CKA_ENCRYPT, &no, 1));
}

/* Also otherwise than CKA_VERIFY. */
static enum finding
recover_attribute(bool public, CK_ATTRIBUTE_TYPE recover, CK_ATTRIBUTE_TYPE plain)
{
    CK_ATTRIBUTE rights[] = { FLAG(plain, true), FLAG(recover, false) };
    CK_OBJECT_HANDLE halves[2];
    CK_RV rv;

    if (!pair_takes(public, recover, &no, 1)) {
        return DEVIATES;
    }
    rv = make_pair(true, rights, public ? 2 : 0, rights, public ? 0 : 2, &halves[0], &halves[1]);
    return holds(rv == CKR_OK && reads_flag(halves[public ? 0 : 1], plain, true) &&
                 reads_flag(halves[public ? 0 : 1], recover, false));
}

static enum finding
verify_recover_attribute(void)
{
    return recover_attribute(true, CKA_VERIFY_RECOVER, CKA_VERIFY);
}

static enum finding
sign_recover_attribute(void)
{
    return recover_attribute(false, CKA_SIGN_RECOVER, CKA_SIGN);
}

static enum finding
wrap_attribute(void)
{
    return holds(pair_takes(true, CKA_WRAP, &no, 1) && secret_takes(CKA_WRAP, &no, 1));
}

static enum finding
trusted_attribute(void)
{
    return holds(pair_takes(true, CKA_TRUSTED, &no, 1) && secret_takes(CKA_TRUSTED, &no, 1));
}

static CK_ATTRIBUTE inner[] = { FLAG(CKA_EXTRACTABLE, true) };

static bool
template_taken(CK_MECHANISM_TYPE make, CK_ATTRIBUTE_TYPE type)
{
    CK_ATTRIBUTE place[] = { { CKA_EXTRACTABLE, out, sizeof(CK_BBOOL) } };
    CK_ATTRIBUTE ask = { type, place, sizeof place };
    CK_OBJECT_HANDLE key;

    out[0] = CK_FALSE;
    return make_secret(make, type, inner, sizeof inner, &key) == CKR_OK &&
           p11->C_GetAttributeValue(session, key, &ask, 1) == CKR_OK &&
           ask.ulValueLen == sizeof place && place[0].type == CKA_EXTRACTABLE && out[0] == CK_TRUE;
}

static enum finding
wrap_template(void)
{
    return holds(template_taken(CKM_AES_KEY_GEN, CKA_WRAP_TEMPLATE) &&
                 template_taken(CKM_GENERIC_SECRET_KEY_GEN, CKA_WRAP_TEMPLATE));
}

static enum finding
unwrap_template(void)
{
    return holds(template_taken(CKM_AES_KEY_GEN, CKA_UNWRAP_TEMPLATE) &&
                 template_taken(CKM_GENERIC_SECRET_KEY_GEN, CKA_UNWRAP_TEMPLATE));
}

static enum finding
public_key_info(void)
{
    uint8_t halves[2][600];
    CK_ULONG lens[2];
    const CK_OBJECT_HANDLE pairs[][2] = { { rsa_public, rsa_private }, { ec_public, ec_private } };
    bool all = true;

    for (size_t i = 0; i < COUNT(pairs); i++) {
        for (size_t half = 0; half < 2; half++) {
            CK_ATTRIBUTE ask = { CKA_PUBLIC_KEY_INFO, halves[half], sizeof halves[half] };

            all = p11->C_GetAttributeValue(session, pairs[i][half], &ask, 1) == CKR_OK && all;
            lens[half] = ask.ulValueLen;
        }
        /* A SubjectPublicKeyInfo, and the same for both. */
        all = all && lens[0] == lens[1] && lens[0] > 80 && halves[0][0] == 0x30 &&
              memcmp(halves[0], halves[1], lens[0]) == 0;
    }
    return holds(all);
}

static enum finding
decrypt_attribute(void)
{
    return holds(pair_takes(false, CKA_DECRYPT, &no, 1) && secret_takes(CKA_DECRYPT, &no, 1));
}

static enum finding
unwrap_attribute(void)
{
    return holds(pair_takes(false, CKA_UNWRAP, &no, 1) && secret_takes(CKA_UNWRAP, &no, 1));
}

/* ---- the report ---- */

/* clang-format off */
static const struct {
    const char *id;
    enum finding (*look)(void);
    unsigned declared; /* policies that keep it, as docs/pkcs11.md says */
} issues[] = {
    { "SESS-1",    login_without_pin,        0 },
    { "SESS-2",    two_searches,             0 },
    { "SIGN-1",    sign_not_permitted,       0 },
    { "SIGN-2",    sign_after_update,        0 },
    { "SIGN-3",    sign_without_login,       0 },
    { "SIGN-4",    sign_recover_parameter,   AZURE | FIPS },
    { "SIGN-5",    sign_hmac_with_aes,       0 },
    { "SIGN-6",    sign_handle,              0 },
    { "SIGN-7",    sign_recover_handle,      AZURE | FIPS },
    { "SIGN-8",    sign_recover_key_type,    AZURE | FIPS },
    { "VERIFY-1",  verify_not_permitted,     0 },
    { "VERIFY-2",  verify_without_login,     0 },
    { "VERIFY-3",  verify_recover_parameter, AZURE | FIPS },
    { "VERIFY-4",  verify_handle,            0 },
    { "VERIFY-5",  verify_handle,            0 },
    { "VERIFY-6",  verify_hmac_with_aes,     0 },
    { "VERIFY-7",  verify_recover_handle,    AZURE | FIPS },
    { "VERIFY-8",  verify_recover_key_type,  AZURE | FIPS },
    { "DIGEST-1",  digest_after_update,      0 },
    { "DIGEST-2",  digest_ends,              0 },
    { "DIGEST-3",  digest_without_login,     STANDARD },
    { "ENCRYPT-1", encrypt_update_after_end, 0 },
    { "ENCRYPT-2", gcm_iv,                   FIPS },
    { "ENCRYPT-3", encrypt_mechanism,        0 },
    { "ENCRYPT-4", encrypt_parameters,       0 },
    { "ENCRYPT-5", encrypt_handle,           0 },
    { "ENCRYPT-6", encrypt_both_wrong,       0 },
    { "DECRYPT-1", decrypt_update_after_end, 0 },
    { "DECRYPT-2", decrypt_mechanism,        0 },
    { "DECRYPT-3", decrypt_parameters,       0 },
    { "DECRYPT-4", decrypt_handle,           0 },
    { "DECRYPT-5", decrypt_both_wrong,       0 },
    { "DERIVE-1",  derive_not_permitted,     0 },
    { "DERIVE-2",  derive_handle,            0 },
    { "DERIVE-3",  derive_key_type,          0 },
    { "MANAGE-1",  wrap_without_padding,     0 },
    { "MANAGE-2",  gcm_wrap_iv,              FIPS },
    { "ATTRIB-1",  always_authenticate,      0 },
    { "ATTRIB-2",  dates,                    0 },
    { "ATTRIB-3",  key_gen_mechanism,        0 },
    { "ATTRIB-4",  allowed_mechanisms,       0 },
    { "ATTRIB-5",  private_both_ways,        AZURE | FIPS },
    { "ATTRIB-6",  modifiable,               0 },
    { "ATTRIB-7",  copyable,                 0 },
    { "ATTRIB-8",  encrypt_attribute,        0 },
    { "ATTRIB-9",  verify_recover_attribute, 0 },
    { "ATTRIB-10", wrap_attribute,           0 },
    { "ATTRIB-11", trusted_attribute,        0 },
    { "ATTRIB-12", wrap_template,            0 },
    { "ATTRIB-13", unwrap_template,          0 },
    { "ATTRIB-14", public_key_info,          0 },
    { "ATTRIB-15", decrypt_attribute,        0 },
    { "ATTRIB-16", sign_recover_attribute,   0 },
    { "ATTRIB-17", unwrap_attribute,         0 },
};
/* clang-format on */

int
main(int argc, char **argv)
{
    unsigned held = 0, declared = 0;

    policy = argc != 3                          ? 0
             : strcmp(argv[2], "standard") == 0 ? STANDARD
             : strcmp(argv[2], "azure") == 0    ? AZURE
             : strcmp(argv[2], "fips") == 0     ? FIPS
                                                : 0;
    if (policy == 0) {
        die("usage: deviations MODULE standard|azure|fips");
    }
    session = p11_start(argv[1], PIN);
    keys_make();
    for (size_t i = 0; i < COUNT(issues); i++) {
        const enum finding wanted = (issues[i].declared & policy) != 0 ? DECLARED : HOLDS;
        const enum finding found = issues[i].look();

        held += found == HOLDS;
        declared += found == DECLARED;
        check(found == wanted, "%s, %s%s", argv[2], issues[i].id,
              wanted == DECLARED ? " (the policy keeps it)" : "");
    }
    printf("# %s: of %zu deviations %u are none here, and %u are the policy's own\n", argv[2],
           COUNT(issues), held, declared);
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
