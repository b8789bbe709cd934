/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-GCM, AES-CCM and ChaCha20-Poly1305 with associated data, and a tag that stands apart.
 */
#include "ref/ref.h"

#include <openssl/evp.h>

#include <stdio.h>

bool
ref_seal_key(const uint8_t *key, size_t key_len, const uint8_t *nonce, size_t nonce_len,
             const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len, uint8_t *ret_out,
             uint8_t ret_tag[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = key_len == 16   ? EVP_aes_128_gcm()
                               : key_len == 24 ? EVP_aes_192_gcm()
                                               : EVP_aes_256_gcm();
    int part = 0, more = 0;
    bool good = ctx != NULL && EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, NULL) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)nonce_len, NULL) == 1 &&
                EVP_EncryptInit_ex(ctx, NULL, NULL, key, nonce) == 1 &&
                (aad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &part, aad, (int)aad_len) == 1) &&
                (len == 0 || EVP_EncryptUpdate(ctx, ret_out, &part, in, (int)len) == 1) &&
                EVP_EncryptFinal_ex(ctx, ret_out + len, &more) == 1 &&
                EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, ret_tag) == 1;

    EVP_CIPHER_CTX_free(ctx);
    return good;
}

/* CCM wants to know all lengths before anything else. */
static bool
seal(const struct work *work, const uint8_t *key, const uint8_t nonce[12], const uint8_t *aad,
     size_t aad_len, const uint8_t *in, size_t len, uint8_t *ret_out, uint8_t ret_tag[16])
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ccm = work->mech->cipher == CIPHER_CCM, good;
    EVP_CIPHER *cipher;
    char name[32];
    int part = 0, more = 0;

    snprintf(name, sizeof name, ccm ? "AES-%zu-CCM" : "ChaCha20-Poly1305", work->key->bytes * 8);
    cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    good = ctx != NULL && cipher != NULL &&
           EVP_EncryptInit_ex(ctx, cipher, NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, 12, NULL) == 1 &&
           (!ccm || EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, NULL) == 1) &&
           EVP_EncryptInit_ex(ctx, NULL, NULL, key, nonce) == 1 &&
           (!ccm || EVP_EncryptUpdate(ctx, NULL, &part, NULL, (int)len) == 1) &&
           (aad_len == 0 || EVP_EncryptUpdate(ctx, NULL, &part, aad, (int)aad_len) == 1) &&
           EVP_EncryptUpdate(ctx, ret_out, &part, in, (int)len) == 1 &&
           EVP_EncryptFinal_ex(ctx, ret_out + len, &more) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, ret_tag) == 1;
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

bool
ref_seal_aead(const struct work *work, const uint8_t nonce[12], const uint8_t *aad, size_t aad_len,
              const uint8_t *in, size_t len, uint8_t *ret_out, uint8_t ret_tag[16])
{
    uint8_t key[64];
    size_t key_len;

    if (!ref_secret((enum key)(work->key - keys), key, &key_len)) {
        return false;
    }
    return work->mech->param == PARAM_GCM
               ? ref_seal_key(key, key_len, nonce, 12, aad, aad_len, in, len, ret_out, ret_tag)
               : seal(work, key, nonce, aad, aad_len, in, len, ret_out, ret_tag);
}
