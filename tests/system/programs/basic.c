/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function and every mechanism of the module, through daemon and server: whole messages
 * and parts in several chunkings, with queries and exact and short buffers, and the codes of
 * what is refused.
 *
 *   basic MODULE
 */
#include "p11.h"

#define MOST (200u * 1024u + 13u)

static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, generic, ec_public, ec_private, rsa_public, rsa_private;
static uint8_t plain[MOST], out[MOST + 512], back[MOST + 512], piece[MOST + 512];

static uint8_t iv[16] = "initial vector.";
static uint8_t aad[] = "header";
static CK_AES_CTR_PARAMS ctr = { 128, { 1 } };
static CK_GCM_PARAMS gcm = { iv, 12, 96, aad, sizeof aad, 128 };

#define OAEP(hash) \
    &(CK_RSA_PKCS_OAEP_PARAMS){ CKM_##hash, CKG_MGF1_##hash, CKZ_DATA_SPECIFIED, NULL, 0 }
#define PSS(type, hash, salt) &(CK_RSA_PKCS_PSS_PARAMS){ type, CKG_MGF1_##hash, salt }
#define OAEP_LEN sizeof(CK_RSA_PKCS_OAEP_PARAMS)
#define PSS_LEN sizeof(CK_RSA_PKCS_PSS_PARAMS)

struct row {
    const char *name;
    CK_MECHANISM mechanism;
    CK_OBJECT_HANDLE *first, *second; /* encrypt and decrypt, or sign and verify */
    size_t unit;                      /* input is a multiple of it */
    size_t most;                      /* longest input of one without parts; 0: it has parts */
};

/* ---- encryption ---- */

static void
encrypt_whole(const struct row *row, size_t len, CK_ULONG *ret_len)
{
    CK_MECHANISM mechanism = row->mechanism;
    CK_ULONG need = 0, less;

    MUST(p11->C_EncryptInit(session, &mechanism, *row->first));
    MUST(p11->C_Encrypt(session, plain, len, NULL, &need));
    if (need > 0) {
        less = need - 1;
        if (p11->C_Encrypt(session, plain, len, out, &less) != CKR_BUFFER_TOO_SMALL) {
            check(false, "%s: a short buffer is told of", row->name);
        }
    }
    MUST(p11->C_Encrypt(session, plain, len, out, &need));
    *ret_len = need;
}

static bool
decrypts_whole(const struct row *row, size_t len, CK_ULONG cipher_len)
{
    CK_MECHANISM mechanism = row->mechanism;
    CK_ULONG back_len = len; /* exactly what is needed */

    MUST(p11->C_DecryptInit(session, &mechanism, *row->second));
    MUST(p11->C_Decrypt(session, out, cipher_len, back, &back_len));
    return back_len == len && memcmp(back, plain, len) == 0;
}

typedef CK_RV (*update_function)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR,
                                 CK_ULONG_PTR);
typedef CK_RV (*final_function)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR);

static size_t
parts(update_function update, final_function final, uint8_t *in, size_t len, size_t chunk,
      uint8_t *to)
{
    size_t done = 0;
    CK_ULONG part;

    for (size_t at = 0; at < len; at += chunk) {
        CK_ULONG some = chunk < len - at ? chunk : len - at;

        part = 0;
        MUST(update(session, in + at, some, NULL, &part));
        MUST(update(session, in + at, some, to + done, &part));
        done += part;
    }
    MUST(final(session, NULL, &part));
    MUST(final(session, to + done, &part));
    return done + part;
}

static void
test_cipher(const struct row *row)
{
    static const size_t lengths[] = { 0, 16, 32, 1000, 65536, MOST };
    static const size_t chunks[] = { 16, 17, 4096, 65536, MOST };
    bool same = true, same_parts = true;
    CK_MECHANISM mechanism = row->mechanism;

    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t len = row->most != 0 && lengths[i] > row->most ? row->most : lengths[i];
        CK_ULONG cipher_len;

        len -= len % row->unit;
        encrypt_whole(row, len, &cipher_len);
        same = same && decrypts_whole(row, len, cipher_len);
        for (size_t k = 0; k < COUNT(chunks) && row->most == 0; k++) {
            if (len / chunks[k] > 100) {
                continue;
            }
            MUST(p11->C_EncryptInit(session, &mechanism, *row->first));
            same_parts = same_parts &&
                         parts(p11->C_EncryptUpdate, p11->C_EncryptFinal, plain, len, chunks[k],
                               piece) == cipher_len &&
                         memcmp(piece, out, cipher_len) == 0;
            MUST(p11->C_DecryptInit(session, &mechanism, *row->second));
            same_parts = same_parts &&
                         parts(p11->C_DecryptUpdate, p11->C_DecryptFinal, out, cipher_len,
                               chunks[k], back) == len &&
                         memcmp(back, plain, len) == 0;
        }
    }
    check(same, "%s: what is encrypted is decrypted", row->name);
    if (row->most == 0) {
        check(same_parts, "%s: parts give what the whole gives", row->name);
    }
}

/* ---- signatures ---- */

static CK_RV
verify(const struct row *row, size_t len, size_t chunk, uint8_t *signature, CK_ULONG signature_len)
{
    CK_MECHANISM mechanism = row->mechanism;

    MUST(p11->C_VerifyInit(session, &mechanism, *row->second));
    if (chunk == 0) {
        return p11->C_Verify(session, plain, len, signature, signature_len);
    }
    for (size_t at = 0; at < len; at += chunk) {
        MUST(p11->C_VerifyUpdate(session, plain + at, chunk < len - at ? chunk : len - at));
    }
    return p11->C_VerifyFinal(session, signature, signature_len);
}

static void
test_signer(const struct row *row)
{
    static const size_t lengths[] = { 0, 1, 65536, 65537, MOST };
    static const size_t chunks[] = { 0, 999, 65536, MOST };
    CK_MECHANISM mechanism = row->mechanism;
    uint8_t signature[512];
    bool good = true, refused = true;

    for (size_t i = 0; i < COUNT(lengths); i++) {
        size_t len = row->most != 0 ? row->most : lengths[i];

        for (size_t k = 0; k < COUNT(chunks) && (k == 0 || row->most == 0); k++) {
            CK_ULONG signature_len = 0;

            MUST(p11->C_SignInit(session, &mechanism, *row->first));
            if (chunks[k] == 0) {
                MUST(p11->C_Sign(session, plain, len, NULL, &signature_len));
                MUST(p11->C_Sign(session, plain, len, signature, &signature_len));
            } else {
                for (size_t at = 0; at < len; at += chunks[k]) {
                    MUST(p11->C_SignUpdate(session, plain + at,
                                           chunks[k] < len - at ? chunks[k] : len - at));
                }
                MUST(p11->C_SignFinal(session, NULL, &signature_len));
                MUST(p11->C_SignFinal(session, signature, &signature_len));
            }
            good = good && verify(row, len, 0, signature, signature_len) == CKR_OK;
            good = good && (row->most != 0 ||
                            verify(row, len, 777, signature, signature_len) == CKR_OK);
            signature[9] ^= 4;
            refused = refused &&
                      verify(row, len, 0, signature, signature_len) == CKR_SIGNATURE_INVALID;
        }
    }
    check(good, "%s: what is signed is verified, whole and in parts", row->name);
    check(refused, "%s: a changed signature is not", row->name);
}

static void
test_digest(const char *name, CK_MECHANISM_TYPE type, CK_ULONG len)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    uint8_t whole[64], in_parts[64];
    CK_ULONG whole_len = 0, parts_len = sizeof in_parts;

    MUST(p11->C_DigestInit(session, &mechanism));
    MUST(p11->C_Digest(session, plain, MOST, NULL, &whole_len));
    MUST(p11->C_Digest(session, plain, MOST, whole, &whole_len));
    MUST(p11->C_DigestInit(session, &mechanism));
    for (size_t at = 0; at < MOST; at += 10001) {
        MUST(p11->C_DigestUpdate(session, plain + at, 10001 < MOST - at ? 10001 : MOST - at));
    }
    MUST(p11->C_DigestFinal(session, in_parts, &parts_len));
    check(whole_len == len && parts_len == len && memcmp(whole, in_parts, len) == 0,
          "%s: whole and in parts", name);
}

/* ---- objects, sessions, and what is refused ---- */

static void
test_objects(void)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_TOKEN, yes),
        ATTR_BYTES(CKA_LABEL, "basic", 5),
        ATTR_BYTES(CKA_VALUE, plain, 3000),
    };
    CK_ATTRIBUTE value = ATTR_BYTES(CKA_VALUE, back, 3000);
    CK_ATTRIBUTE change = ATTR_BYTES(CKA_VALUE, plain + 9, 7);
    CK_OBJECT_HANDLE object = 0, copy = 0, found[4];

    check_code(p11->C_CreateObject(session, template, COUNT(template), &object), CKR_OK,
               "C_CreateObject");
    check_code(p11->C_GetAttributeValue(session, object, &value, 1), CKR_OK,
               "C_GetAttributeValue");
    check(memcmp(back, plain, 3000) == 0, "the value is the one that was given");
    check_code(p11->C_SetAttributeValue(session, object, &change, 1), CKR_OK,
               "C_SetAttributeValue");
    check_code(p11->C_CopyObject(session, object, NULL, 0, &copy), CKR_OK, "C_CopyObject");
    check(p11_find_label(session, "basic", found, 4) == 2, "both are found");
    check_code(p11->C_DestroyObject(session, object), CKR_OK, "C_DestroyObject");
    check_code(p11->C_DestroyObject(session, object), CKR_OBJECT_HANDLE_INVALID,
               "C_DestroyObject again");
    check_code(p11->C_DestroyObject(session, copy), CKR_OK, "the copy is another object");
    check_code(p11->C_GenerateRandom(session, back, MOST), CKR_OK, "C_GenerateRandom");
    check_code(p11->C_SeedRandom(session, back, 100), CKR_OK, "C_SeedRandom");
}

static void
test_refusals(void)
{
    CK_MECHANISM unknown = { 0x7fff0000, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
    CK_MECHANISM gcm_mechanism = { CKM_AES_GCM, &gcm, sizeof gcm };
    CK_MECHANISM pkcs = { CKM_RSA_PKCS, NULL, 0 };
    CK_ULONG len = sizeof back, cipher_len = sizeof out;

    check_code(p11->C_EncryptInit(session, &unknown, aes), CKR_MECHANISM_INVALID,
               "an unknown mechanism");
    check_code(p11->C_EncryptInit(session, &ecb, generic), CKR_KEY_TYPE_INCONSISTENT,
               "a key of another type");
    check_code(p11->C_EncryptInit(session, &ecb, 0x7ffffff0), CKR_KEY_HANDLE_INVALID,
               "no such key");
    check_code(p11->C_EncryptInit(session + 99, &ecb, aes), CKR_SESSION_HANDLE_INVALID,
               "no such session");
    check_code(p11->C_Encrypt(session, plain, 16, back, &len), CKR_OPERATION_NOT_INITIALIZED,
               "no Init before");
    MUST(p11->C_EncryptInit(session, &ecb, aes));
    check_code(p11->C_EncryptInit(session, &ecb, aes), CKR_OPERATION_ACTIVE, "Init twice");
    check_code(p11->C_Encrypt(session, plain, 17, back, &len), CKR_DATA_LEN_RANGE, "half a block");
    MUST(p11->C_SignInit(session, &pkcs, rsa_private));
    check_code(p11->C_Sign(session, plain, 246, back, &len), CKR_DATA_LEN_RANGE,
               "more than a modulus holds");

    for (size_t size = 100; size < MOST; size += MOST - 200) {
        cipher_len = sizeof out;
        MUST(p11->C_EncryptInit(session, &gcm_mechanism, aes));
        MUST(p11->C_Encrypt(session, plain, size, out, &cipher_len));
        out[3] ^= 1;
        len = sizeof back;
        memset(back, 0, sizeof back);
        MUST(p11->C_DecryptInit(session, &gcm_mechanism, aes));
        check_code(p11->C_Decrypt(session, out, cipher_len, back, &len),
                   CKR_ENCRYPTED_DATA_INVALID, "changed ciphertext of GCM");
        check(back[50] == 0 && back[51] == 0 && back[52] == 0, "and nothing of it comes out");
    }
    check_code(p11->C_DeriveKey(session, &ecb, aes, NULL, 0, &aes), CKR_MECHANISM_INVALID,
               "a mechanism that derives nothing");
    check_code(p11->C_GetFunctionStatus(session), CKR_FUNCTION_NOT_PARALLEL, "nothing is parallel");
}

static void
test_login(void)
{
    CK_SESSION_INFO info;

    check_code(p11_login(session, PIN), CKR_USER_ALREADY_LOGGED_IN, "C_Login twice");
    check_code(p11->C_Logout(session), CKR_OK, "C_Logout");
    check_code(p11->C_Logout(session), CKR_USER_NOT_LOGGED_IN, "C_Logout twice");
    MUST(p11->C_GetSessionInfo(session, &info));
    check(info.state == CKS_RW_PUBLIC_SESSION, "the session is public again");
    check_code(p11->C_CloseAllSessions(SLOT), CKR_OK, "C_CloseAllSessions");
    check_code(p11->C_CloseSession(session), CKR_SESSION_HANDLE_INVALID, "C_CloseSession after it");
    check_code(p11->C_Finalize(NULL), CKR_OK, "C_Finalize");
}

static void
make_keys(void)
{
    CK_MECHANISM secret = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_MECHANISM pair = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 2048, len = 64;
    CK_ATTRIBUTE generic_template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes),
                                        ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_VERIFY, yes),
                              ATTR(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_DECRYPT, yes) };

    MUST(p11_generate_aes(session, NULL, &aes));
    MUST(p11_generate_ec(session, NULL, &ec_public, &ec_private));
    MUST(p11->C_GenerateKey(session, &secret, generic_template, 3, &generic));
    MUST(p11->C_GenerateKeyPair(session, &pair, public, 3, private, 2, &rsa_public, &rsa_private));
}

int
main(int argc, char **argv)
{
    if (argc != 2) {
        die("usage: basic MODULE");
    }
    session = p11_start(argv[1], PIN);
    make_keys();
    MUST(p11->C_GenerateRandom(session, plain, MOST));

    const struct row ciphers[] = {
        { "AES_ECB", { CKM_AES_ECB, NULL, 0 }, &aes, &aes, 16, 0 },
        { "AES_CBC", { CKM_AES_CBC, iv, 16 }, &aes, &aes, 16, 0 },
        { "AES_CBC_PAD", { CKM_AES_CBC_PAD, iv, 16 }, &aes, &aes, 1, 0 },
        { "AES_CTR", { CKM_AES_CTR, &ctr, sizeof ctr }, &aes, &aes, 1, 0 },
        { "AES_GCM", { CKM_AES_GCM, &gcm, sizeof gcm }, &aes, &aes, 1, 0 },
        { "RSA_PKCS", { CKM_RSA_PKCS, NULL, 0 }, &rsa_public, &rsa_private, 1, 245 },
        { "RSA_PKCS_OAEP, SHA1", { CKM_RSA_PKCS_OAEP, &(CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA_1,
          CKG_MGF1_SHA1, CKZ_DATA_SPECIFIED, NULL, 0 }, OAEP_LEN }, &rsa_public, &rsa_private, 1,
          214 },
        { "RSA_PKCS_OAEP, SHA256", { CKM_RSA_PKCS_OAEP, OAEP(SHA256), OAEP_LEN }, &rsa_public,
          &rsa_private, 1, 190 },
        { "RSA_PKCS_OAEP, SHA512", { CKM_RSA_PKCS_OAEP, OAEP(SHA512), OAEP_LEN }, &rsa_public,
          &rsa_private, 1, 126 },
    };
#define RSA_SIGNER(type) { #type, { CKM_##type, NULL, 0 }, &rsa_private, &rsa_public, 1, 0 }
#define PSS_SIGNER(hash, type, salt) \
    { #hash "_RSA_PKCS_PSS", { CKM_##hash##_RSA_PKCS_PSS, PSS(type, hash, salt), PSS_LEN }, \
      &rsa_private, &rsa_public, 1, 0 }
#define EC_SIGNER(type) { #type, { CKM_##type, NULL, 0 }, &ec_private, &ec_public, 1, 0 }
#define MAC(type) { #type, { CKM_##type, NULL, 0 }, &generic, &generic, 1, 0 }
    const struct row signers[] = {
        { "RSA_PKCS", { CKM_RSA_PKCS, NULL, 0 }, &rsa_private, &rsa_public, 1, 245 },
        RSA_SIGNER(SHA1_RSA_PKCS), RSA_SIGNER(SHA224_RSA_PKCS), RSA_SIGNER(SHA256_RSA_PKCS),
        RSA_SIGNER(SHA384_RSA_PKCS), RSA_SIGNER(SHA512_RSA_PKCS),
        { "RSA_PKCS_PSS", { CKM_RSA_PKCS_PSS, PSS(CKM_SHA256, SHA256, 32), PSS_LEN },
          &rsa_private, &rsa_public, 1, 32 },
        PSS_SIGNER(SHA1, CKM_SHA_1, 20), PSS_SIGNER(SHA224, CKM_SHA224, 28),
        PSS_SIGNER(SHA256, CKM_SHA256, 32), PSS_SIGNER(SHA384, CKM_SHA384, 0),
        PSS_SIGNER(SHA512, CKM_SHA512, 64),
        { "ECDSA", { CKM_ECDSA, NULL, 0 }, &ec_private, &ec_public, 1, 32 },
        EC_SIGNER(ECDSA_SHA1), EC_SIGNER(ECDSA_SHA224), EC_SIGNER(ECDSA_SHA256),
        EC_SIGNER(ECDSA_SHA384), EC_SIGNER(ECDSA_SHA512),
        MAC(SHA_1_HMAC), MAC(SHA224_HMAC), MAC(SHA256_HMAC), MAC(SHA384_HMAC), MAC(SHA512_HMAC),
    };

    for (size_t i = 0; i < COUNT(ciphers); i++) {
        test_cipher(&ciphers[i]);
    }
    for (size_t i = 0; i < COUNT(signers); i++) {
        test_signer(&signers[i]);
    }
    test_digest("SHA_1", CKM_SHA_1, 20);
    test_digest("SHA224", CKM_SHA224, 28);
    test_digest("SHA256", CKM_SHA256, 32);
    test_digest("SHA384", CKM_SHA384, 48);
    test_digest("SHA512", CKM_SHA512, 64);
    test_objects();
    test_refusals();
    test_login();
    return checks_failed != 0;
}
