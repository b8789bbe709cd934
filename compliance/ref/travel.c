/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys on their way to a token: sealed to a public key of the token's, or under a key that the two
 * agree on.
 */
#include "ref/ref.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <string.h>

static EVP_PKEY *
rsa_public(const uint8_t *n, size_t n_len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL), *e = BN_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *key = NULL;

    if (ctx != NULL && build != NULL && modulus != NULL && e != NULL && BN_set_word(e, 65537) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) &&
        (params = OSSL_PARAM_BLD_to_param(build)) != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(e);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool
ref_seal_to(const uint8_t *n, size_t n_len, const uint8_t *value, size_t len, uint8_t *ret_out,
            size_t *ret_len)
{
    EVP_PKEY *key = rsa_public(n, n_len);
    EVP_PKEY_CTX *ctx = key != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    bool good;

    *ret_len = n_len;
    good = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 &&
           EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_encrypt(ctx, ret_out, ret_len, value, len) == 1;
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    return good;
}

static EVP_PKEY *
ec_public(const uint8_t *point, size_t len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    char group[] = "prime256v1";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point, len),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY *key = NULL;

    if (ctx != NULL && EVP_PKEY_fromdata_init(ctx) == 1) {
        (void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    }
    EVP_PKEY_CTX_free(ctx);
    return key;
}

bool
ref_agree(const uint8_t *point, size_t len, uint8_t ret_secret[32])
{
    BIO *pem = BIO_new_mem_buf(ref_pem[KEY_EC256], -1);
    EVP_PKEY *own = pem != NULL ? PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL) : NULL;
    EVP_PKEY *peer = ec_public(point, len);
    EVP_PKEY_CTX *ctx = own != NULL ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    size_t secret_len = 32;
    bool good = ctx != NULL && peer != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
                EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
                EVP_PKEY_derive(ctx, ret_secret, &secret_len) == 1 && secret_len == 32;

    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    BIO_free(pem);
    return good;
}

/* RFC 3394. */
bool
ref_wrap_under(const uint8_t kek[32], const uint8_t *value, size_t len, uint8_t *ret_out,
               size_t *ret_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = EVP_CIPHER_fetch(NULL, "AES-256-WRAP", NULL);
    int part = 0, more = 0;
    bool good = ctx != NULL && cipher != NULL;

    if (good) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        good = EVP_EncryptInit_ex(ctx, cipher, NULL, kek, NULL) == 1 &&
               EVP_EncryptUpdate(ctx, ret_out, &part, value, (int)len) == 1 &&
               EVP_EncryptFinal_ex(ctx, ret_out + part, &more) == 1;
    }
    *ret_len = (size_t)(part + more);
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

bool
ref_hmac(const uint8_t *key, size_t key_len, const uint8_t *in, size_t len, uint8_t ret_mac[32])
{
    size_t mac_len = 0;

    return EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_len, in, len, ret_mac, 32,
                     &mac_len) != NULL &&
           mac_len == 32;
}
