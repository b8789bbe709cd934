/* SPDX-License-Identifier: Apache-2.0
 *
 * Data through the library: every mechanism whole and in parts, short and long, with the
 * buffer rules and the number of trips.
 */
#include "p11_test.h"

#include <pthread.h>
#include <stdio.h>

#define LARGE (300u * 1024u + 7u)
#define TRIP_MAX 65536u

static struct {
    CK_OBJECT_HANDLE aes, xts, des3, rc4, chacha20, poly1305, generic;
    CK_OBJECT_HANDLE ec_public, ec_private, rsa_public, rsa_private;
    CK_OBJECT_HANDLE edwards_public, edwards_private;
} keys;

static CK_BYTE iv[16] = { 1, 2, 3 };
static CK_BYTE aad[] = "header";
static CK_AES_CTR_PARAMS ctr = { 64, { 9 } };
static CK_GCM_PARAMS gcm = { iv, 12, 96, aad, sizeof aad, 128 };
static CK_CHACHA20_PARAMS chacha20 = { iv, 32, iv + 4, 96 };
static CK_SALSA20_CHACHA20_POLY1305_PARAMS chacha_poly = { iv, 96, aad, sizeof aad };
static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_RSA_PKCS_PSS_PARAMS pss = { CKM_SHA256, CKG_MGF1_SHA256, 32 };

static CK_BYTE plain[LARGE], out[LARGE + 600], back[LARGE + 600];

struct cipher {
    CK_MECHANISM mechanism;
    CK_OBJECT_HANDLE *encrypt, *decrypt;
    bool parts;
    size_t unit; /* input comes in multiples of it */
    size_t most; /* longest input, 0: any */
    size_t least;
};

static const struct cipher ciphers[] = {
    { { CKM_AES_ECB, NULL, 0 }, &keys.aes, &keys.aes, true, 16, 0, 0 },
    { { CKM_AES_CBC, iv, 16 }, &keys.aes, &keys.aes, true, 16, 0, 0 },
    { { CKM_AES_CBC_PAD, iv, 16 }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_AES_CTR, &ctr, sizeof ctr }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_AES_GCM, &gcm, sizeof gcm }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_RSA_PKCS, NULL, 0 }, &keys.rsa_public, &keys.rsa_private, false, 1, 245, 0 },
    { { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep }, &keys.rsa_public, &keys.rsa_private, false, 1,
      190, 0 },
    { { CKM_DES3_ECB, NULL, 0 }, &keys.des3, &keys.des3, true, 8, 0, 0 },
    { { CKM_DES3_CBC, iv, 8 }, &keys.des3, &keys.des3, true, 8, 0, 0 },
    { { CKM_DES3_CBC_PAD, iv, 8 }, &keys.des3, &keys.des3, true, 1, 0, 0 },
    { { CKM_RC4, NULL, 0 }, &keys.rc4, &keys.rc4, true, 1, 0, 0 },
    { { CKM_AES_OFB, iv, 16 }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_AES_CFB8, iv, 16 }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_AES_CFB128, iv, 16 }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_CHACHA20, &chacha20, sizeof chacha20 }, &keys.chacha20, &keys.chacha20, true, 1, 0, 0 },
    { { CKM_CHACHA20_POLY1305, &chacha_poly, sizeof chacha_poly }, &keys.chacha20, &keys.chacha20,
      true, 1, 0, 0 },
    { { CKM_AES_XTS, iv, 16 }, &keys.xts, &keys.xts, false, 1, TRIP_MAX, 16 },
    { { CKM_AES_CTS, iv, 16 }, &keys.aes, &keys.aes, false, 1, TRIP_MAX, 16 },
    { { CKM_AES_CFB64, iv, 16 }, &keys.aes, &keys.aes, true, 1, 0, 0 },
    { { CKM_AES_CFB1, iv, 16 }, &keys.aes, &keys.aes, true, 1, 0, 0 },
};

static size_t
length_for(const struct cipher *c, size_t len)
{
    len = size_max(len - len % c->unit, c->least);
    return c->most != 0 && len > c->most ? c->most : len;
}

static CK_ULONG
encrypt(const struct cipher *c, size_t len)
{
    CK_MECHANISM mechanism = c->mechanism;
    CK_ULONG out_len = sizeof out;

    assert_ok(C_EncryptInit(fixture.session, &mechanism, *c->encrypt));
    assert_ok(C_Encrypt(fixture.session, plain, len, out, &out_len));
    return out_len;
}

static void
what_is_encrypted_is_decrypted(void **state)
{
    static const size_t lengths[] = { 0, 1, 15, 16, 17, 100, TRIP_MAX - 16, TRIP_MAX, TRIP_MAX + 16,
                                      LARGE };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(ciphers); i++) {
        for (size_t k = 0; k < ARRAY_COUNT(lengths); k++) {
            const struct cipher *c = &ciphers[i];
            size_t len = length_for(c, lengths[k]);
            CK_MECHANISM mechanism = c->mechanism;
            CK_ULONG out_len = encrypt(c, len), back_len = sizeof back;

            assert_ok(C_DecryptInit(fixture.session, &mechanism, *c->decrypt));
            assert_ok(C_Decrypt(fixture.session, out, out_len, back, &back_len));
            assert_int_equal(back_len, len);
            assert_memory_equal(back, plain, len);
        }
    }
}

typedef CK_RV (*part_function)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);

/* Feeds data in parts with exactly as much room as each query says; how much comes out. */
static size_t
in_parts(part_function update, CK_RV (*final)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR),
         CK_BYTE *in, size_t len, size_t chunk, CK_BYTE *to)
{
    size_t done = 0;
    CK_ULONG part;

    for (size_t at = 0; at < len; at += chunk) {
        CK_ULONG some = size_min(chunk, len - at), need = 0;

        assert_ok(update(fixture.session, in + at, some, NULL, &need));
        if (need > 0) {
            part = need - 1;
            assert_code(update(fixture.session, in + at, some, to + done, &part),
                        CKR_BUFFER_TOO_SMALL);
            assert_int_equal(part, need);
        }
        part = need;
        assert_ok(update(fixture.session, in + at, some, to + done, &part));
        assert_true(part <= need);
        done += part;
    }
    part = 0;
    assert_ok(final(fixture.session, NULL, &part));
    if (part > 0) {
        CK_RV rv;

        part = 0;
        rv = final(fixture.session, to + done, &part);
        if (rv == CKR_OK) {
            return done; /* nothing but padding */
        }
        assert_code(rv, CKR_BUFFER_TOO_SMALL);
    }
    assert_ok(final(fixture.session, to + done, &part));
    return done + part;
}

static void
parts_give_what_the_whole_gives(void **state)
{
    static const size_t lengths[] = { 0, 16, 48, 1000, 70000 };
    static const size_t chunks[] = { 1, 7, 16, 17, 64, 999, 65536, 100000 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(ciphers); i++) {
        const struct cipher *c = &ciphers[i];
        CK_MECHANISM mechanism = c->mechanism;

        for (size_t k = 0; k < ARRAY_COUNT(lengths) * ARRAY_COUNT(chunks) && c->parts; k++) {
            size_t len = length_for(c, lengths[k / ARRAY_COUNT(chunks)]);
            size_t chunk = chunks[k % ARRAY_COUNT(chunks)];
            static CK_BYTE piece[LARGE];
            CK_ULONG whole;

            if (len / chunk > 200) {
                continue;
            }
            whole = encrypt(c, len);
            assert_ok(C_EncryptInit(fixture.session, &mechanism, *c->encrypt));
            assert_int_equal(in_parts(C_EncryptUpdate, C_EncryptFinal, plain, len, chunk, piece),
                             whole);
            assert_memory_equal(piece, out, whole);

            assert_ok(C_DecryptInit(fixture.session, &mechanism, *c->decrypt));
            assert_int_equal(in_parts(C_DecryptUpdate, C_DecryptFinal, out, whole, chunk, back),
                             len);
            assert_memory_equal(back, plain, len);
        }
    }
}

static void
a_short_message_is_one_trip(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecdsa = { CKM_ECDSA_SHA256, NULL, 0 }, sha = { CKM_SHA256, NULL, 0 };
    CK_ULONG len;

    for (size_t i = 0; i < ARRAY_COUNT(ciphers); i++) {
        const struct cipher *c = &ciphers[i];
        CK_MECHANISM mechanism = c->mechanism;

        transport_reset();
        len = encrypt(c, 160);
        assert_int_equal(transport_trips(), 1);
        assert_ok(C_DecryptInit(session, &mechanism, *c->decrypt));
        assert_ok(C_Decrypt(session, out, len, back, &(CK_ULONG){ sizeof back }));
        assert_int_equal(transport_trips(), 2);
    }

    transport_reset();
    len = sizeof out;
    assert_ok(C_SignInit(session, &ecdsa, keys.ec_private));
    assert_ok(C_SignUpdate(session, plain, 1000));
    assert_ok(C_SignUpdate(session, plain + 1000, TRIP_MAX - 1000));
    assert_ok(C_SignFinal(session, out, &len));
    assert_int_equal(transport_trips(), 1);
    assert_ok(C_VerifyInit(session, &ecdsa, keys.ec_public));
    assert_ok(C_Verify(session, plain, TRIP_MAX, out, len));
    assert_int_equal(transport_trips(), 2);
    assert_ok(C_DigestInit(session, &sha));
    len = sizeof out;
    assert_ok(C_Digest(session, plain, 5, NULL, &len));
    assert_ok(C_Digest(session, plain, 5, out, &len));
    assert_int_equal(transport_trips(), 3);
}

/* CCM is told the length of its message, so it has a table of none of the above. */
static void
ccm_goes_there_and_back_whole_and_in_parts(void **state)
{
    static const size_t lengths[] = { 0, 1, 16, 1000, TRIP_MAX, LARGE };
    static const size_t chunks[] = { 999, 65536, LARGE + 16 };
    CK_CCM_PARAMS ccm = { 0, iv, 7, aad, sizeof aad, 12 };
    CK_MECHANISM mechanism = { CKM_AES_CCM, &ccm, sizeof ccm };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        size_t len = lengths[i];
        CK_ULONG out_len = 0, back_len = sizeof back;

        ccm.ulDataLen = len;
        assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
        assert_ok(C_Encrypt(session, plain, len, NULL, &out_len));
        assert_int_equal(out_len, len + 12);
        out_len--;
        assert_code(C_Encrypt(session, plain, len, out, &out_len), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(out_len, len + 12);
        assert_ok(C_Encrypt(session, plain, len, out, &out_len));
        for (size_t k = 0; k < ARRAY_COUNT(chunks); k++) {
            assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
            assert_int_equal(in_parts(C_EncryptUpdate, C_EncryptFinal, plain, len, chunks[k],
                                      back), out_len);
            assert_memory_equal(back, out, out_len);
            assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
            assert_int_equal(in_parts(C_DecryptUpdate, C_DecryptFinal, out, out_len, chunks[k],
                                      back), len);
            assert_memory_equal(back, plain, len);
        }
        memcpy(back, out, out_len); /* in place */
        assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
        assert_ok(C_Decrypt(session, back, out_len, back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, plain, len);

        out[out_len / 2] ^= 1;
        back_len = sizeof back;
        assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
        assert_code(C_Decrypt(session, out, out_len, back, &back_len),
                    CKR_ENCRYPTED_DATA_INVALID);
        assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
        back_len = sizeof back;
        assert_code(C_Encrypt(session, plain, len == 0 ? 1 : len - 1, back, &back_len),
                    CKR_DATA_LEN_RANGE);
    }
}

/* The vendor's GCM: an IV of the HSM's own before the ciphertext, another one each time. */
static void
sealed_gcm_brings_its_iv_along(void **state)
{
    static const size_t lengths[] = { 0, 1, 100, TRIP_MAX - 28 };
    CK_GCM_PARAMS params = { NULL, 0, 0, aad, sizeof aad, 128 };
    CK_MECHANISM mechanism = { CKM_CLOUDHSM_AES_GCM, &params, sizeof params };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        size_t len = lengths[i];
        CK_ULONG need = 0, out_len = sizeof out, back_len = sizeof back;
        CK_GCM_PARAMS plain_params = { out, 12, 96, aad, sizeof aad, 128 };
        CK_MECHANISM plain_gcm = { CKM_AES_GCM, &plain_params, sizeof plain_params };

        assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
        assert_ok(C_Encrypt(session, plain, len, NULL, &need));
        assert_int_equal(need, len + 28);
        need--;
        assert_code(C_Encrypt(session, plain, len, out, &need), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(need, len + 28);
        assert_ok(C_Encrypt(session, plain, len, out, &out_len));
        assert_int_equal(out_len, len + 28);

        assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
        assert_ok(C_Decrypt(session, out, out_len, back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, plain, len);
        back_len = sizeof back;
        assert_ok(C_DecryptInit(session, &plain_gcm, keys.aes));
        assert_ok(C_Decrypt(session, out + 12, out_len - 12, back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, plain, len);

        assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
        back_len = sizeof back;
        assert_ok(C_Encrypt(session, plain, len, back, &back_len));
        assert_memory_not_equal(back, out, 12);

        for (size_t at = 0; at < out_len; at += out_len / 5) {
            out[at] ^= 1;
            back_len = sizeof back;
            assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
            assert_code(C_Decrypt(session, out, out_len, back, &back_len),
                        CKR_ENCRYPTED_DATA_INVALID);
            out[at] ^= 1;
        }
    }
}

static void
sealed_gcm_takes_no_iv_no_parts_and_nothing_too_long(void **state)
{
    CK_GCM_PARAMS params = { iv, 12, 96, NULL, 0, 128 };
    CK_MECHANISM mechanism = { CKM_CLOUDHSM_AES_GCM, &params, sizeof params };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ULONG len = sizeof out;

    assert_code(C_EncryptInit(session, &mechanism, keys.aes), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_DecryptInit(session, &mechanism, keys.aes), CKR_MECHANISM_PARAM_INVALID);
    params.pIv = NULL;
    params.ulIvLen = 0;
    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    assert_code(C_EncryptUpdate(session, plain, 5, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    assert_code(C_Encrypt(session, plain, TRIP_MAX - 27, out, &len), CKR_DATA_LEN_RANGE);
    len = sizeof back;
    assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
    assert_code(C_Decrypt(session, plain, 27, back, &len), CKR_ENCRYPTED_DATA_LEN_RANGE);
}

/* ---- signatures and digests ---- */

static CK_MAC_GENERAL_PARAMS short_mac = 9, shorter_mac = 7;
static CK_GCM_PARAMS gmac = { iv, 12, 96, NULL, 0, 104 };

static const struct signer {
    CK_MECHANISM mechanism;
    CK_OBJECT_HANDLE *sign, *verify;
    size_t most;  /* longest input of one without parts, 0: it has parts */
    size_t length;
} signers[] = {
    { { CKM_RSA_PKCS, NULL, 0 }, &keys.rsa_private, &keys.rsa_public, 245, 256 },
    { { CKM_RSA_X_509, NULL, 0 }, &keys.rsa_private, &keys.rsa_public, 256, 256 },
    { { CKM_SHA256_RSA_PKCS, NULL, 0 }, &keys.rsa_private, &keys.rsa_public, 0, 256 },
    { { CKM_RSA_PKCS_PSS, &pss, sizeof pss }, &keys.rsa_private, &keys.rsa_public, 32, 256 },
    { { CKM_SHA256_RSA_PKCS_PSS, &pss, sizeof pss }, &keys.rsa_private, &keys.rsa_public, 0,
      256 },
    { { CKM_ECDSA, NULL, 0 }, &keys.ec_private, &keys.ec_public, 32, 64 },
    { { CKM_ECDSA_SHA384, NULL, 0 }, &keys.ec_private, &keys.ec_public, 0, 64 },
    { { CKM_EDDSA, NULL, 0 }, &keys.edwards_private, &keys.edwards_public, 0, 64 },
    { { CKM_SHA_1_HMAC, NULL, 0 }, &keys.generic, &keys.generic, 0, 20 },
    { { CKM_SHA512_HMAC, NULL, 0 }, &keys.generic, &keys.generic, 0, 64 },
    { { CKM_SHA3_256_HMAC_GENERAL, &short_mac, sizeof short_mac }, &keys.generic, &keys.generic, 0,
      9 },
    { { CKM_DES3_MAC_GENERAL, &shorter_mac, sizeof shorter_mac }, &keys.des3, &keys.des3, 0, 7 },
    { { CKM_AES_MAC, NULL, 0 }, &keys.aes, &keys.aes, 0, 8 },
    { { CKM_POLY1305, NULL, 0 }, &keys.poly1305, &keys.poly1305, 0, 16 },
    { { CKM_DES3_CMAC, NULL, 0 }, &keys.des3, &keys.des3, 0, 8 },
    { { CKM_AES_CMAC, NULL, 0 }, &keys.aes, &keys.aes, 0, 16 },
    { { CKM_AES_GMAC, &gmac, sizeof gmac }, &keys.aes, &keys.aes, 0, 13 },
    { { CKM_AES_CMAC_GENERAL, &short_mac, sizeof short_mac }, &keys.aes, &keys.aes, 0, 9 },
};

static void
sign_in_parts(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, size_t len, size_t chunk,
              CK_BYTE *signature, CK_ULONG *signature_len)
{
    CK_SESSION_HANDLE session = fixture.session;
    CK_ULONG none = 0;

    assert_ok(C_SignInit(session, mechanism, key));
    for (size_t at = 0; at < len; at += chunk) {
        assert_ok(C_SignUpdate(session, plain + at, size_min(chunk, len - at)));
    }
    assert_code(C_SignFinal(session, signature, &none), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(none, *signature_len);
    assert_ok(C_SignFinal(session, signature, signature_len));
}

static void
verify_in_parts(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, size_t len, size_t chunk,
                CK_BYTE *signature, CK_ULONG signature_len, CK_RV code)
{
    CK_SESSION_HANDLE session = fixture.session;

    assert_ok(C_VerifyInit(session, mechanism, key));
    for (size_t at = 0; at < len; at += chunk) {
        assert_ok(C_VerifyUpdate(session, plain + at, size_min(chunk, len - at)));
    }
    assert_code(C_VerifyFinal(session, signature, signature_len), code);
}

static void
what_is_signed_is_verified(void **state)
{
    static const size_t lengths[] = { 0, 1, 32, 1000, TRIP_MAX, TRIP_MAX + 1, LARGE };
    static const size_t chunks[] = { 999, 65536, 100000, LARGE };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t i = 0; i < ARRAY_COUNT(signers); i++) {
        const struct signer *s = &signers[i];
        CK_MECHANISM mechanism = s->mechanism;
        CK_BYTE signature[512];
        CK_ULONG len;

        for (size_t k = 0; k < ARRAY_COUNT(lengths); k++) {
            size_t in_len = s->most == 0 ? lengths[k] : s->most;

            len = sizeof signature;
            assert_ok(C_SignInit(session, &mechanism, *s->sign));
            assert_ok(C_Sign(session, plain, in_len, NULL, &len));
            assert_int_equal(len, s->length);
            len--;
            assert_code(C_Sign(session, plain, in_len, signature, &len), CKR_BUFFER_TOO_SMALL);
            assert_int_equal(len, s->length);
            assert_ok(C_Sign(session, plain, in_len, signature, &len));
            assert_ok(C_VerifyInit(session, &mechanism, *s->verify));
            assert_ok(C_Verify(session, plain, in_len, signature, len));
            for (size_t c = 0; c < ARRAY_COUNT(chunks) && s->most == 0; c++) {
                verify_in_parts(&mechanism, *s->verify, in_len, chunks[c], signature, len, CKR_OK);
                sign_in_parts(&mechanism, *s->sign, in_len, chunks[c], back, &len);
                assert_ok(C_VerifyInit(session, &mechanism, *s->verify));
                assert_ok(C_Verify(session, plain, in_len, back, len));
            }
            signature[5] ^= 1;
            assert_ok(C_VerifyInit(session, &mechanism, *s->verify));
            assert_code(C_Verify(session, plain, in_len, signature, len), CKR_SIGNATURE_INVALID);
            if (s->most == 0) {
                verify_in_parts(&mechanism, *s->verify, in_len, 65536, signature, len,
                                CKR_SIGNATURE_INVALID);
            }
        }
    }
}

static void
digests_are_the_same_whole_and_in_parts(void **state)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_SHA_1, CKM_SHA224, CKM_SHA256, CKM_SHA384,
                                               CKM_SHA512 };
    static const size_t lengths[] = { 20, 28, 32, 48, 64 };
    static const size_t chunks[] = { 1000, 65535, 65536, 65537, LARGE };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        CK_MECHANISM mechanism = { types[i], NULL, 0 };
        CK_BYTE whole[64], parts[64];
        CK_ULONG len = 0;

        assert_ok(C_DigestInit(session, &mechanism));
        assert_code(C_Digest(session, plain, LARGE, whole, &len), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(len, lengths[i]);
        assert_ok(C_Digest(session, plain, LARGE, whole, &len));
        for (size_t k = 0; k < ARRAY_COUNT(chunks); k++) {
            assert_ok(C_DigestInit(session, &mechanism));
            for (size_t at = 0; at < LARGE; at += chunks[k]) {
                assert_ok(C_DigestUpdate(session, plain + at, size_min(chunks[k], LARGE - at)));
            }
            len = sizeof parts;
            assert_ok(C_DigestFinal(session, parts, &len));
            assert_int_equal(len, lengths[i]);
            assert_memory_equal(parts, whole, len);
        }
    }
}

static void
a_known_digest_comes_out(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_BYTE digest[32];
    CK_ULONG len = sizeof digest;

    assert_ok(C_DigestInit(session, &mechanism));
    assert_ok(C_DigestUpdate(session, (CK_BYTE_PTR)(uintptr_t)"a", 1));
    assert_ok(C_DigestUpdate(session, NULL, 0));
    assert_ok(C_DigestUpdate(session, (CK_BYTE_PTR)(uintptr_t)"bc", 2));
    assert_ok(C_DigestFinal(session, digest, &len));
    assert_memory_equal(digest, "\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                                "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
                        32);
}

/* ---- buffers ---- */

static void
an_exact_length_is_told_before_a_trip(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_CBC_PAD, iv, 16 };
    CK_ULONG len = 0;

    transport_reset();
    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    assert_ok(C_Encrypt(session, plain, 100, NULL, &len));
    assert_int_equal(len, 112);
    len = 111;
    memset(out, 0x5a, 200);
    assert_code(C_Encrypt(session, plain, 100, out, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 112);
    assert_int_equal(transport_trips(), 0);
    assert_ok(C_Encrypt(session, plain, 100, out, &len));
    for (size_t i = 112; i < 200; i++) {
        assert_int_equal(out[i], 0x5a); /* never beyond the end */
    }
}

/* The plaintext of padded ciphertext is shorter than any bound: the HSM tells. */
static void
padding_makes_room_exact(size_t len)
{
    CK_MECHANISM mechanism = { CKM_AES_CBC_PAD, iv, 16 };
    CK_ULONG cipher_len = encrypt(&ciphers[2], len), back_len;

    for (CK_ULONG room = len > 0 ? len - 1 : 0; room <= len; room++) {
        assert_ok(C_DecryptInit(fixture.session, &mechanism, keys.aes));
        back_len = 0;
        assert_ok(C_Decrypt(fixture.session, out, cipher_len, NULL, &back_len));
        assert_true(back_len >= len && back_len <= cipher_len);
        back_len = room;
        if (room < len) {
            assert_code(C_Decrypt(fixture.session, out, cipher_len, back, &back_len),
                        CKR_BUFFER_TOO_SMALL);
            assert_int_equal(back_len, len);
        }
        memset(back, 0x5a, len + 20);
        assert_ok(C_Decrypt(fixture.session, out, cipher_len, back, &back_len));
        assert_int_equal(back_len, len);
        assert_memory_equal(back, plain, len);
        assert_int_equal(back[len], 0x5a);
    }
}

static void
padded_plaintext_needs_no_more_than_it_is(void **state)
{
    UNUSED(state);
    padding_makes_room_exact(0);
    padding_makes_room_exact(1);
    padding_makes_room_exact(31);
    padding_makes_room_exact(32);
    padding_makes_room_exact(TRIP_MAX - 1);
    padding_makes_room_exact(LARGE);
}

static void
rsa_tells_the_exact_length_too(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
    CK_ULONG cipher_len = encrypt(&ciphers[5], 20), len = 19;

    assert_ok(C_DecryptInit(session, &mechanism, keys.rsa_private));
    assert_code(C_Decrypt(session, out, cipher_len, back, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 20);
    assert_ok(C_Decrypt(session, out, cipher_len, back, &len));
    assert_memory_equal(back, plain, 20);
}

static void
input_and_output_may_overlap(void **state)
{
    static const long shifts[] = { 0, 1, 15, 4096, 65536, -1, -4096 };
    static CK_BYTE room[LARGE + 200000];
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t i = 0; i < 5; i++) {
        const struct cipher *c = &ciphers[i];
        CK_MECHANISM mechanism = c->mechanism;
        size_t len = length_for(c, LARGE);
        CK_ULONG whole = encrypt(c, len), got;

        for (size_t k = 0; k < ARRAY_COUNT(shifts); k++) {
            CK_BYTE *in = room + 10000, *to = in + shifts[k];

            memcpy(in, plain, len);
            got = whole;
            assert_ok(C_EncryptInit(session, &mechanism, *c->encrypt));
            assert_ok(C_Encrypt(session, in, len, to, &got));
            assert_memory_equal(to, out, whole);

            memcpy(in, out, whole);
            got = sizeof room - 100000;
            assert_ok(C_DecryptInit(session, &mechanism, *c->decrypt));
            assert_ok(C_Decrypt(session, in, whole, to, &got));
            assert_int_equal(got, len);
            assert_memory_equal(to, plain, len);
        }
    }
}

static void
long_input_without_parts_has_a_code(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_RSA_PKCS, NULL, 0 };
    CK_ULONG len = sizeof out;

    assert_ok(C_SignInit(session, &mechanism, keys.rsa_private));
    assert_code(C_Sign(session, plain, LARGE, out, &len), CKR_DATA_LEN_RANGE);
    len = sizeof out;
    assert_ok(C_DecryptInit(session, &mechanism, keys.rsa_private));
    assert_code(C_Decrypt(session, plain, LARGE, out, &len), CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_ok(C_VerifyInit(session, &mechanism, keys.rsa_public));
    assert_code(C_Verify(session, plain, 20, plain, LARGE), CKR_SIGNATURE_LEN_RANGE);
    len = sizeof out;
    assert_ok(C_EncryptInit(session, &mechanism, keys.rsa_public));
    assert_code(C_Encrypt(session, plain, 246, out, &len), CKR_DATA_LEN_RANGE);
}

static void
half_blocks_are_refused(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_ULONG len = sizeof out;

    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    assert_code(C_Encrypt(session, plain, 17, out, &len), CKR_DATA_LEN_RANGE);
    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    len = sizeof out;
    assert_ok(C_EncryptUpdate(session, plain, 17, out, &len));
    assert_int_equal(len, 16);
    len = sizeof out;
    assert_code(C_EncryptFinal(session, out, &len), CKR_DATA_LEN_RANGE);
    assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
    len = sizeof out;
    assert_code(C_Decrypt(session, plain, 15, out, &len), CKR_ENCRYPTED_DATA_LEN_RANGE);
}

/* ---- authenticated encryption ---- */

static void
no_plaintext_comes_before_the_tag_was_checked(void **state)
{
    static const size_t lengths[] = { 100, TRIP_MAX - 16, LARGE };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof gcm };

    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        CK_ULONG whole = encrypt(&ciphers[4], lengths[i]), len;

        out[whole - 1] ^= 1;
        memset(back, 0x5a, sizeof back);
        assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
        len = sizeof back;
        assert_code(C_Decrypt(session, out, whole, back, &len), CKR_ENCRYPTED_DATA_INVALID);

        assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
        for (size_t at = 0; at < whole; at += 5000) {
            len = sizeof back;
            assert_ok(C_DecryptUpdate(session, out + at, size_min(5000, whole - at), back, &len));
            assert_int_equal(len, 0);
        }
        len = sizeof back;
        assert_code(C_DecryptFinal(session, back, &len), CKR_ENCRYPTED_DATA_INVALID);
        for (size_t k = 0; k < sizeof back; k++) {
            assert_true(back[k] == 0x5a || back[k] == 0);
        }
        assert_true(memcmp(back, plain, 100) != 0);
    }
}

static void
a_long_ciphertext_is_sent_twice(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof gcm };
    CK_ULONG whole = encrypt(&ciphers[4], 2 * TRIP_MAX), len = sizeof back;

    transport_reset();
    assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
    assert_ok(C_Decrypt(session, out, whole, back, &len));
    assert_int_equal(transport_count(OPERATION_START), 2);
    assert_int_equal(transport_count(OPERATION_UPDATE), 6);
    assert_int_equal(transport_count(OPERATION_FINAL), 2);
    assert_int_equal(transport_trips(), 10);
}

static void
too_short_for_a_tag_is_refused(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, &gcm, sizeof gcm };
    CK_ULONG len = sizeof back;
    CK_RV rv;

    assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
    rv = C_Decrypt(session, plain, 15, back, &len);
    assert_true(rv == CKR_ENCRYPTED_DATA_LEN_RANGE || rv == CKR_ENCRYPTED_DATA_INVALID);
}

/* In azure twelve zeros ask for an IV. It is there with success, and not before. */
static void
a_generated_iv_is_written_back(void **state)
{
    static const size_t lengths[] = { 100, LARGE };
    static const CK_BYTE zeros[12];
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        CK_BYTE made[12] = { 0 };
        CK_GCM_PARAMS params = { made, 12, 96, aad, sizeof aad, 128 };
        CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
        CK_ULONG len = 0, back_len = sizeof back;

        assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
        assert_ok(C_Encrypt(session, plain, lengths[i], NULL, &len));
        assert_memory_equal(made, zeros, 12);
        assert_ok(C_Encrypt(session, plain, lengths[i], out, &len));
        assert_memory_not_equal(made, zeros, 12);
        assert_ok(C_DecryptInit(session, &mechanism, keys.aes));
        assert_ok(C_Decrypt(session, out, len, back, &back_len));
        assert_memory_equal(back, plain, lengths[i]);
    }
}

/* ---- failure ---- */

static void
an_error_ends_the_operation_and_shows_nothing(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_CTR, &ctr, sizeof ctr };
    CK_ULONG len = sizeof out;

    memset(out, 0, sizeof out);
    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    transport_fail(OPERATION_FINAL, CKR_DEVICE_MEMORY);
    assert_code(C_Encrypt(session, plain, LARGE, out, &len), CKR_DEVICE_MEMORY);
    for (size_t i = 0; i < sizeof out; i++) {
        assert_int_equal(out[i], 0);
    }
    assert_code(C_Encrypt(session, plain, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    encrypt(&ciphers[3], 16);
}

static CK_OBJECT_HANDLE
make_token_aes(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_BBOOL yes = CK_TRUE;
    CK_ATTRIBUTE template[] = {
        { CKA_TOKEN, &yes, sizeof yes },     { CKA_VALUE_LEN, &len, sizeof len },
        { CKA_ENCRYPT, &yes, sizeof yes },   { CKA_DECRYPT, &yes, sizeof yes },
        { CKA_SENSITIVE, &yes, sizeof yes },
    };
    CK_OBJECT_HANDLE key;

    assert_ok(C_GenerateKey(session, &mechanism, template, ARRAY_COUNT(template), &key));
    return key;
}

#define PART 70000u

/* Encrypts plain in parts; before part number lost, and before the end if that is its number,
 * the node forgets everything. What comes out is in out; in place if that is asked. */
static size_t
encrypt_in_parts(CK_SESSION_HANDLE session, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key,
                 size_t lost, bool in_place)
{
    size_t total = 0;
    size_t number = 0;
    CK_ULONG len;

    assert_ok(C_EncryptInit(session, mechanism, key));
    for (size_t at = 0; at < LARGE; at += PART, number++) {
        size_t part = size_min(PART, LARGE - at);

        if (number == lost) {
            transport_restart();
        }
        len = sizeof out - total;
        if (in_place) {
            assert_int_equal(total, at);
            memcpy(out + at, plain + at, part);
        }
        assert_ok(C_EncryptUpdate(session, in_place ? out + at : plain + at, part, out + total,
                                  &len));
        total += len;
    }
    if (number == lost) {
        transport_restart();
    }
    len = sizeof out - total;
    assert_ok(C_EncryptFinal(session, out + total, &len));
    return total + len;
}

static void
parts_go_on_after_the_loss_of_a_node(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_aes(session);
    CK_GCM_PARAMS given = { iv, 12, 96, aad, sizeof aad, 128 };
    CK_MECHANISM mechanisms[] = {
        { CKM_AES_CTR, &ctr, sizeof ctr },
        { CKM_AES_CBC_PAD, iv, sizeof iv },
        { CKM_AES_GCM, &given, sizeof given },
    };

    for (size_t i = 0; i < ARRAY_COUNT(mechanisms); i++) {
        size_t expected = encrypt_in_parts(session, &mechanisms[i], key, SIZE_MAX, false);

        memcpy(back, out, expected);
        for (size_t lost = 0; lost <= LARGE / PART + 1; lost++) {
            assert_int_equal(encrypt_in_parts(session, &mechanisms[i], key, lost, false),
                             expected);
            assert_memory_equal(out, back, expected);
        }
    }
    assert_int_equal(encrypt_in_parts(session, &mechanisms[0], key, 2, true), LARGE);
    assert_ok(C_EncryptInit(session, &mechanisms[0], key));
    CK_ULONG len = sizeof back;
    assert_ok(C_Encrypt(session, plain, LARGE, back, &len));
    assert_memory_equal(out, back, LARGE);
    assert_ok(C_DestroyObject(session, key));
}

/* The IV that the node made first is the one of the whole message. */
static void
a_generated_iv_survives_the_loss_of_a_node(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_aes(session);
    CK_BYTE made[12] = { 0 };
    CK_GCM_PARAMS params = { made, 12, 96, aad, sizeof aad, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    size_t total = encrypt_in_parts(session, &mechanism, key, 3, false);
    CK_ULONG len = sizeof back;

    assert_ok(C_DecryptInit(session, &mechanism, key));
    assert_ok(C_Decrypt(session, out, total, back, &len));
    assert_int_equal(len, LARGE);
    assert_memory_equal(back, plain, LARGE);
    assert_ok(C_DestroyObject(session, key));
}

static void
a_digest_goes_on_after_the_loss_of_a_node(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_BYTE expected[32], digest[32];
    CK_ULONG len = 32;

    assert_ok(C_DigestInit(session, &mechanism));
    assert_ok(C_Digest(session, plain, LARGE, expected, &len));
    for (size_t lost = 0; lost <= LARGE / PART + 1; lost++) {
        assert_ok(C_DigestInit(session, &mechanism));
        for (size_t at = 0; at < LARGE; at += PART) {
            if (at == lost * PART) {
                transport_restart();
            }
            assert_ok(C_DigestUpdate(session, plain + at, size_min(PART, LARGE - at)));
        }
        transport_restart();
        len = 32;
        assert_ok(C_DigestFinal(session, digest, &len));
        assert_memory_equal(digest, expected, 32);
    }
}

/* What was sent is kept up to 1 MiB; beyond it the operation cannot be begun again. */
static void
parts_of_more_than_is_kept_end_with_their_node(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_token_aes(session);
    CK_MECHANISM mechanism = { CKM_AES_CTR, &ctr, sizeof ctr };
    CK_ULONG len;

    assert_ok(C_EncryptInit(session, &mechanism, key));
    for (size_t fed = 0; fed <= 1024 * 1024; fed += LARGE) {
        len = sizeof out;
        assert_ok(C_EncryptUpdate(session, plain, LARGE, out, &len));
    }
    transport_restart();
    len = sizeof out;
    assert_code(C_EncryptUpdate(session, plain, LARGE, out, &len), CKR_DEVICE_ERROR);
    assert_ok(C_DestroyObject(session, key));
}

static void
parts_on_a_key_that_went_with_the_node_end(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_CTR, &ctr, sizeof ctr };
    CK_ULONG len = sizeof out;

    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    assert_ok(C_EncryptUpdate(session, plain, 100, out, &len));
    transport_lose_contexts();
    len = sizeof out;
    assert_code(C_EncryptUpdate(session, plain, 100, out, &len), CKR_DEVICE_ERROR);
    assert_code(C_EncryptUpdate(session, plain, 100, out, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void
codes_of_the_protocol_do_not_come_out(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_ULONG len = sizeof out;

    assert_ok(C_EncryptInit(session, &mechanism, keys.aes));
    transport_fail(OPERATION_ENCRYPT, CODE_BAD_FRAME);
    assert_code(C_Encrypt(session, plain, 16, out, &len), CKR_GENERAL_ERROR);
}

static void
a_key_that_is_gone_is_noticed(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_ULONG len = sizeof out;

    assert_ok(C_EncryptInit(session, &mechanism, key));
    assert_ok(C_DestroyObject(session, key));
    assert_true(C_Encrypt(session, plain, 16, out, &len) != CKR_OK);
    assert_code(C_EncryptInit(session, &mechanism, key), CKR_KEY_HANDLE_INVALID);
}

/* ---- threads ---- */

struct worker {
    pthread_t thread;
    unsigned rounds;
};

static void *
work(void *arg)
{
    struct worker *worker = arg;
    CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 }, cbc = { CKM_AES_CBC_PAD, iv, 16 };

    for (unsigned i = 0; i < 30; i++) {
        CK_SESSION_HANDLE session;
        CK_OBJECT_HANDLE found[8];
        CK_BYTE mac[32], sealed[2000];
        CK_ULONG len = sizeof mac, count;
        bool good;

        good = C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session) == CKR_OK &&
               C_SignInit(session, &hmac, keys.generic) == CKR_OK &&
               C_Sign(session, plain, 1000, mac, &len) == CKR_OK &&
               C_VerifyInit(session, &hmac, keys.generic) == CKR_OK &&
               C_Verify(session, plain, 1000, mac, len) == CKR_OK &&
               C_FindObjectsInit(session, NULL, 0) == CKR_OK &&
               C_FindObjects(session, found, 8, &count) == CKR_OK && count > 0 &&
               C_FindObjectsFinal(session) == CKR_OK;
        len = sizeof sealed;
        good = good && C_EncryptInit(session, &cbc, keys.aes) == CKR_OK &&
               C_EncryptUpdate(session, plain, 1000, sealed, &len) == CKR_OK &&
               C_CloseSession(session) == CKR_OK;
        worker->rounds += good;
    }
    return NULL;
}

static void
threads_work_side_by_side(void **state)
{
    struct worker workers[4] = { 0 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
        assert_int_equal(workers[i].rounds, 30);
    }
}

static int
setup_crypt(void **state)
{
    setup(state);
    if (plain[LARGE - 1] == 0) {
        fill_bytes(plain, LARGE);
    }
    keys.aes = make_aes();
    keys.des3 = make_key_of(CKM_DES3_KEY_GEN, 0);
    keys.rc4 = make_key_of(CKM_RC4_KEY_GEN, 16);
    if (fixture.hsm.policy == POLICY_STANDARD) {
        keys.xts = make_key_of(CKM_AES_XTS_KEY_GEN, 64);
        keys.chacha20 = make_key_of(CKM_CHACHA20_KEY_GEN, 0);
        keys.poly1305 = make_key_of(CKM_POLY1305_KEY_GEN, 32);
    }
    keys.generic = make_generic();
    make_ec(&keys.ec_public, &keys.ec_private);
    make_rsa(&keys.rsa_public, &keys.rsa_private);
    make_edwards(&keys.edwards_public, &keys.edwards_private);
    return 0;
}

#define CRYPT_TEST(name) cmocka_unit_test_setup_teardown(name, setup_crypt, teardown)

int
main(void)
{
    const struct CMUnitTest standard[] = {
        CRYPT_TEST(what_is_encrypted_is_decrypted),
        CRYPT_TEST(parts_give_what_the_whole_gives),
        CRYPT_TEST(a_short_message_is_one_trip),
        CRYPT_TEST(ccm_goes_there_and_back_whole_and_in_parts),
        CRYPT_TEST(sealed_gcm_brings_its_iv_along),
        CRYPT_TEST(sealed_gcm_takes_no_iv_no_parts_and_nothing_too_long),
        CRYPT_TEST(what_is_signed_is_verified),
        CRYPT_TEST(digests_are_the_same_whole_and_in_parts),
        CRYPT_TEST(a_known_digest_comes_out),
        CRYPT_TEST(an_exact_length_is_told_before_a_trip),
        CRYPT_TEST(padded_plaintext_needs_no_more_than_it_is),
        CRYPT_TEST(rsa_tells_the_exact_length_too),
        CRYPT_TEST(input_and_output_may_overlap),
        CRYPT_TEST(long_input_without_parts_has_a_code),
        CRYPT_TEST(half_blocks_are_refused),
        CRYPT_TEST(no_plaintext_comes_before_the_tag_was_checked),
        CRYPT_TEST(a_long_ciphertext_is_sent_twice),
        CRYPT_TEST(too_short_for_a_tag_is_refused),
        CRYPT_TEST(an_error_ends_the_operation_and_shows_nothing),
        CRYPT_TEST(parts_go_on_after_the_loss_of_a_node),
        CRYPT_TEST(a_digest_goes_on_after_the_loss_of_a_node),
        CRYPT_TEST(parts_of_more_than_is_kept_end_with_their_node),
        CRYPT_TEST(parts_on_a_key_that_went_with_the_node_end),
        CRYPT_TEST(codes_of_the_protocol_do_not_come_out),
        CRYPT_TEST(a_key_that_is_gone_is_noticed),
        CRYPT_TEST(threads_work_side_by_side),
    };
    const struct CMUnitTest azure[] = {
        CRYPT_TEST(a_generated_iv_is_written_back),
        CRYPT_TEST(a_generated_iv_survives_the_loss_of_a_node),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
