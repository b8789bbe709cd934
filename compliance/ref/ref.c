/* SPDX-License-Identifier: Apache-2.0
 *
 * Reference values by libcrypto.
 */
#include "ref/ref.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <stdio.h>
#include <string.h>

const uint8_t ref_iv[16] = { 0x1b, 0x2c, 0x3d, 0x4e, 0x5f, 0x60, 0x71, 0x82,
                             0x93, 0xa4, 0xb5, 0xc6, 0xd7, 0xe8, 0xf9, 0x0a };

#define TAG 16

uint8_t
ref_byte(size_t at)
{
    return (uint8_t)(0x20 + (at * 7 + at / 16) % 0x5f);
}

/* Secret keys: any bytes do; those of DES3 have odd parity. */
static void
secret_value(enum key key, uint8_t *ret_value)
{
    for (size_t i = 0; i < keys[key].bytes; i++) {
        uint8_t byte = (uint8_t)(0x31 + 37 * i + 11 * (size_t)key);

        if (keys[key].family == FAMILY_DES3) {
            byte &= 0xfe;
            byte |= (uint8_t) !(__builtin_popcount(byte) & 1);
        }
        ret_value[i] = byte;
    }
}

static EVP_PKEY *
pair(enum key key)
{
    static EVP_PKEY *kept[KEY_COUNT];

    if (kept[key] == NULL && ref_pem[key] != NULL) {
        BIO *bio = BIO_new_mem_buf(ref_pem[key], -1);

        kept[key] = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
        BIO_free(bio);
    }
    return kept[key];
}

static bool
number(EVP_PKEY *pkey, const char *name, size_t len, uint8_t *ret_value, size_t *ret_len)
{
    BIGNUM *bn = NULL;
    bool good = EVP_PKEY_get_bn_param(pkey, name, &bn) == 1;

    if (good) {
        *ret_len = len != 0 ? len : (size_t)BN_num_bytes(bn);
        good = BN_bn2binpad(bn, ret_value, (int)*ret_len) >= 0;
    }
    BN_free(bn);
    return good;
}

bool
ref_key(enum key key, struct ref_key *ret_key)
{
    static const char *const names[8] = {
        OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
        OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
        OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
        OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
    };

    memset(ret_key, 0, sizeof *ret_key);
    switch (keys[key].family) {
    case FAMILY_RSA:
        for (size_t i = 0; i < COUNT(names); i++) {
            if (!number(pair(key), names[i], 0, ret_key->part[i], &ret_key->part_len[i])) {
                return false;
            }
        }
        return true;
    case FAMILY_EC:
        return number(pair(key), OSSL_PKEY_PARAM_PRIV_KEY, keys[key].bytes, ret_key->value,
                      &ret_key->value_len) &&
               EVP_PKEY_get_octet_string_param(pair(key), OSSL_PKEY_PARAM_PUB_KEY, ret_key->part[0],
                                               sizeof ret_key->part[0], &ret_key->part_len[0]) == 1;
    default:
        secret_value(key, ret_key->value);
        ret_key->value_len = keys[key].bytes;
        return true;
    }
}

/* The row's name, with the bits of the key where it has a place for them. */
static void
libcrypto_name(const struct work *work, char *ret_name, size_t size)
{
    const char *place = strstr(work->mech->name, "%u");

    if (place == NULL) {
        snprintf(ret_name, size, "%s", work->mech->name);
    } else {
        snprintf(ret_name, size, "%.*s%zu%s", (int)(place - work->mech->name), work->mech->name,
                 work->key->bytes * 8, place + 2);
    }
}

/* ---- ciphers ---- */

static bool
cipher_run(const struct work *work, bool encrypt, const uint8_t *in, size_t len, bool pad,
           bool last, uint8_t *ret_out, size_t *ret_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t key[64];
    char name[32];
    EVP_CIPHER *cipher;
    int part = 0, more = 0;
    bool aead = work->mech->cipher == CIPHER_AEAD, good;

    secret_value((enum key)(work->key - keys), key);
    libcrypto_name(work, name, sizeof name);
    cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    good = ctx != NULL && cipher != NULL &&
           EVP_CipherInit_ex(ctx, cipher, NULL, key, ref_iv, encrypt) == 1 &&
           EVP_CIPHER_CTX_set_padding(ctx, pad) == 1 &&
           EVP_CipherUpdate(ctx, ret_out, &part, in, (int)len) == 1;
    /* Without its tag GCM has a result, but says no. */
    if (good && last && (!aead || encrypt)) {
        good = EVP_CipherFinal_ex(ctx, ret_out + part, &more) == 1;
    }
    if (good && last && aead && encrypt) {
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, ret_out + part + more) == 1;
        more += TAG;
    }
    *ret_len = (size_t)(part + more);
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* ---- hashes and MACs ---- */

static bool
digest_run(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_out,
           size_t *ret_len)
{
    unsigned out = 0;
    EVP_MD *md = EVP_MD_fetch(NULL, work->mech->name, NULL);
    bool good = md != NULL && EVP_Digest(in, len, ret_out, &out, md, NULL) == 1;

    EVP_MD_free(md);
    *ret_len = out;
    return good;
}

static bool
mac_run(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    bool cmac = work->mech->signer == SIGNER_CMAC;
    EVP_MAC *mac = EVP_MAC_fetch(NULL, cmac ? "CMAC" : "HMAC", NULL);
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
    uint8_t key[64];
    char name[32];
    OSSL_PARAM params[2];
    bool good;

    secret_value((enum key)(work->key - keys), key);
    libcrypto_name(work, name, sizeof name);
    params[0] = OSSL_PARAM_construct_utf8_string(
        cmac ? OSSL_MAC_PARAM_CIPHER : OSSL_MAC_PARAM_DIGEST, name, 0);
    params[1] = OSSL_PARAM_construct_end();
    good = ctx != NULL && EVP_MAC_init(ctx, key, work->key->bytes, params) == 1 &&
           EVP_MAC_update(ctx, in, len) == 1 && EVP_MAC_final(ctx, ret_out, ret_len, 64) == 1;
    EVP_MAC_CTX_free(ctx);
    EVP_MAC_free(mac);
    return good;
}

/* ---- RSA and ECDSA ---- */

static bool
is_pss(const struct work *work)
{
    return work->mech->signer == SIGNER_PSS || work->mech->signer == SIGNER_PSSH;
}

static bool
signer_options(const struct work *work, EVP_PKEY_CTX *ctx, const EVP_MD *md)
{
    if (is_pss(work)) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1 &&
               (md == NULL || (EVP_PKEY_CTX_set_signature_md(ctx, md) == 1 &&
                               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1));
    }
    if (work->mech->signer == SIGNER_RSA1) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
    }
    if (work->mech->signer == SIGNER_RSA0) {
        return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING) == 1;
    }
    return true;
}

/* ECDSA signatures are r and s side by side here, and a DER sequence in libcrypto. */
static bool
der_to_plain(const uint8_t *der, size_t len, size_t half, uint8_t *ret_out)
{
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
    bool good = sig != NULL && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret_out, (int)half) > 0 &&
                BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret_out + half, (int)half) > 0;

    ECDSA_SIG_free(sig);
    return good;
}

static bool
plain_to_der(const uint8_t *plain, size_t half, uint8_t *ret_der, size_t *ret_len)
{
    ECDSA_SIG *sig = ECDSA_SIG_new();
    bool good = ECDSA_SIG_set0(sig, BN_bin2bn(plain, (int)half, NULL),
                               BN_bin2bn(plain + half, (int)half, NULL)) == 1;
    int len = good ? i2d_ECDSA_SIG(sig, &ret_der) : -1;

    ECDSA_SIG_free(sig);
    *ret_len = len > 0 ? (size_t)len : 0;
    return len > 0;
}

/* What is signed: the data, their hash, or, without padding, the data behind zeros. */
static bool
signed_data(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_data,
            size_t *ret_len)
{
    if (work->mech->signer == SIGNER_RSA0) {
        size_t k = work->key->bytes;

        if (len > k) {
            return false;
        }
        memset(ret_data, 0, k - len);
        memcpy(ret_data + k - len, in, len);
        *ret_len = k;
        return true;
    }
    if (work->mech->signer == SIGNER_RSA1H || work->mech->signer == SIGNER_PSSH ||
        work->mech->signer == SIGNER_ECDSAH) {
        return digest_run(work, in, len, ret_data, ret_len);
    }
    if (len > REF_MOST) {
        return false;
    }
    memcpy(ret_data, in, len);
    *ret_len = len;
    return true;
}

static bool
pair_sign(const struct work *work, bool verify, const uint8_t *in, size_t len, uint8_t *sig,
          size_t *sig_len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pair((enum key)(work->key - keys)), NULL);
    EVP_MD *md = work->mech->name[0] != '\0' ? EVP_MD_fetch(NULL, work->mech->name, NULL) : NULL;
    bool hashed = work->mech->signer == SIGNER_RSA1H;
    bool ec = work->mech->family == FAMILY_EC;
    uint8_t data[REF_MOST], der[256];
    size_t data_len, der_len = sizeof der;
    bool good = ctx != NULL && signed_data(work, in, len, data, &data_len) &&
                (verify ? EVP_PKEY_verify_init(ctx) : EVP_PKEY_sign_init(ctx)) == 1;

    if (good && hashed) {
        good = EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1 &&
               EVP_PKEY_CTX_set_signature_md(ctx, md) == 1;
    } else if (good) {
        good = signer_options(work, ctx, is_pss(work) ? md : NULL);
    }
    if (good && verify && ec) {
        good = *sig_len == 2 * work->key->bytes &&
               plain_to_der(sig, work->key->bytes, der, &der_len) &&
               EVP_PKEY_verify(ctx, der, der_len, data, data_len) == 1;
    } else if (good && verify) {
        good = EVP_PKEY_verify(ctx, sig, *sig_len, data, data_len) == 1;
    } else if (good && ec) {
        good = EVP_PKEY_sign(ctx, der, &der_len, data, data_len) == 1 &&
               der_to_plain(der, der_len, work->key->bytes, sig);
        *sig_len = 2 * work->key->bytes;
    } else if (good) {
        *sig_len = REF_MOST;
        good = EVP_PKEY_sign(ctx, sig, sig_len, data, data_len) == 1;
    }
    EVP_MD_free(md);
    EVP_PKEY_CTX_free(ctx);
    return good;
}

static bool
pair_crypt(const struct work *work, bool encrypt, const uint8_t *in, size_t len, uint8_t *ret_out,
           size_t *ret_len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pair((enum key)(work->key - keys)), NULL);
    int padding = work->mech->cipher == CIPHER_OAEP   ? RSA_PKCS1_OAEP_PADDING
                  : work->mech->cipher == CIPHER_RSA1 ? RSA_PKCS1_PADDING
                                                      : RSA_NO_PADDING;
    uint8_t data[REF_MOST];
    bool good;

    memset(data, 0, sizeof data);
    if (padding == RSA_NO_PADDING && encrypt && len < work->key->bytes) {
        memcpy(data + work->key->bytes - len, in, len);
        in = data;
        len = work->key->bytes;
    }
    *ret_len = REF_MOST;
    good = ctx != NULL &&
           (encrypt ? EVP_PKEY_encrypt_init(ctx) : EVP_PKEY_decrypt_init(ctx)) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, padding) == 1 &&
           (encrypt ? EVP_PKEY_encrypt(ctx, ret_out, ret_len, in, len)
                    : EVP_PKEY_decrypt(ctx, ret_out, ret_len, in, len)) == 1;
    EVP_PKEY_CTX_free(ctx);
    return good;
}

/* ---- what the rest of the suite asks ---- */

bool
ref_is_deterministic(const struct work *work)
{
    switch (work->kind) {
    case KIND_ENC:
        return work->mech->cipher != CIPHER_RSA1 && work->mech->cipher != CIPHER_OAEP;
    case KIND_SIG:
    case KIND_VER:
    case KIND_SGR:
        return !is_pss(work) && work->mech->family != FAMILY_EC;
    default:
        return true;
    }
}

bool
ref_output(const struct work *work, const uint8_t *in, size_t len, bool last, uint8_t *ret_out,
           size_t *ret_len)
{
    *ret_len = 0;
    switch (work->kind) {
    case KIND_ENC:
        if (work->mech->cipher == CIPHER_CCM) {
            *ret_len = len + TAG;
            return ref_seal_aead(work, ref_iv, NULL, 0, in, len, ret_out, ret_out + len);
        }
        if (work->mech->family == FAMILY_RSA) {
            return pair_crypt(work, true, in, len, ret_out, ret_len);
        }
        return cipher_run(work, true, in, len, work->mech->cipher == CIPHER_PAD, last, ret_out,
                          ret_len);
    case KIND_DEC:
        return ref_plain(work, in, len, ret_out, ret_len);
    case KIND_DIG:
        return digest_run(work, in, len, ret_out, ret_len);
    default:
        if (work->mech->signer == SIGNER_HMAC || work->mech->signer == SIGNER_CMAC) {
            return mac_run(work, in, len, ret_out, ret_len);
        }
        return pair_sign(work, false, in, len, ret_out, ret_len);
    }
}

bool
ref_make(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    return ref_output(work, in, len, true, ret_out, ret_len);
}

bool
ref_check(const struct work *work, const uint8_t *in, size_t len, const uint8_t *out,
          size_t out_len)
{
    uint8_t buffer[REF_MOST];
    size_t buffer_len = out_len;

    if (out_len > sizeof buffer) {
        return false;
    }
    if (ref_is_deterministic(work)) {
        return ref_output(work, in, len, true, buffer, &buffer_len) && buffer_len == out_len &&
               memcmp(buffer, out, out_len) == 0;
    }
    if (work->kind == KIND_ENC) {
        return pair_crypt(work, false, out, out_len, buffer, &buffer_len) && buffer_len == len &&
               memcmp(buffer, in, len) == 0;
    }
    memcpy(buffer, out, out_len);
    return pair_sign(work, true, in, len, buffer, &buffer_len);
}

bool
ref_plain(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    if (work->mech->family == FAMILY_RSA) {
        return pair_crypt(work, false, in, len, ret_out, ret_len);
    }
    if (mech_has_tag(work->mech)) {
        len = len > TAG ? len - TAG : 0;
    }
    if (work->mech->cipher == CIPHER_CCM) {
        return false;       /* libcrypto gives nothing without a right tag */
    }
    if (work->mech->cipher != CIPHER_STREAM && work->mech->cipher != CIPHER_AEAD) {
        len -= len % work->mech->size;
    }
    return cipher_run(work, false, in, len, false, false, ret_out, ret_len);
}

/* ---- keys that travel ---- */

bool
ref_secret(enum key key, uint8_t ret_value[64], size_t *ret_len)
{
    secret_value(key, ret_value);
    *ret_len = keys[key].bytes;
    return *ret_len <= 64;
}

bool
ref_wrap(const char *name, const uint8_t *value, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t key[64];
    int part = 0, more = 0;
    bool cbc = strstr(name, "CBC") != NULL, good;

    secret_value(KEY_AES32, key);
    if (strstr(name, "GCM") != NULL) {
        EVP_CIPHER_CTX_free(ctx);
        EVP_CIPHER_free(cipher);
        *ret_len = len + 16;
        return ref_seal_key(key, 32, ref_iv, 12, NULL, 0, value, len, ret_out, ret_out + len);
    }
    if (ctx != NULL) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    }
    good = cipher != NULL && ctx != NULL &&
           EVP_EncryptInit_ex(ctx, cipher, NULL, key, cbc ? ref_iv : NULL) == 1 &&
           EVP_EncryptUpdate(ctx, ret_out, &part, value, (int)len) == 1 &&
           EVP_EncryptFinal_ex(ctx, ret_out + part, &more) == 1;
    *ret_len = (size_t)(part + more);
    EVP_CIPHER_CTX_free(ctx);
    EVP_CIPHER_free(cipher);
    return good;
}

static const struct work sealing[2] = {
    { &mechanisms[MECH_RSA_PKCS], &keys[KEY_RSA2048], KIND_ENC },
    { &mechanisms[MECH_RSA_PKCS_OAEP], &keys[KEY_RSA2048], KIND_ENC },
};

bool
ref_seal(bool oaep, const uint8_t *value, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    return pair_crypt(&sealing[oaep], true, value, len, ret_out, ret_len);
}

bool
ref_unseal(bool oaep, const uint8_t *in, size_t len, uint8_t *ret_out, size_t *ret_len)
{
    return pair_crypt(&sealing[oaep], false, in, len, ret_out, ret_len);
}

bool
ref_block(const uint8_t key[16], const uint8_t in[16], uint8_t ret_out[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t out[32];
    int len = 0;
    bool good = ctx != NULL && EVP_EncryptInit_ex(ctx, EVP_aes_128_ecb(), NULL, key, NULL) == 1 &&
                EVP_EncryptUpdate(ctx, out, &len, in, 16) == 1 && len == 16;

    if (good) {
        memcpy(ret_out, out, 16);
    }
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

bool
ref_ecdh(enum key key, uint8_t ret_secret[64])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pair(key), NULL);
    size_t len = 64;
    bool good = ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, pair(key)) == 1 &&
                EVP_PKEY_derive(ctx, ret_secret, &len) == 1;

    EVP_PKEY_CTX_free(ctx);
    return good;
}
