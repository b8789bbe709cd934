/* SPDX-License-Identifier: Apache-2.0
 *
 * What a SoftHSM2 token has encrypted (tools/softhsm.h).
 */
#include "tools/host.h"

#include <openssl/evp.h>

#define BLOCK_LEN 16u
#define SEALED_MAX (1024u * 1024u)
#define ROUNDS_BASE 1500u /* and the salt's last byte more */

bool
host_softhsm_open(view key, view sealed, struct writer *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const size_t start = out->len;
    uint8_t *space;
    int len = 0;
    int rest = 0;
    bool good = false;

    if (ctx != NULL && key.len == HOST_SOFTHSM_KEY_LEN && sealed.len > BLOCK_LEN &&
        sealed.len % BLOCK_LEN == 0 && sealed.len <= SEALED_MAX &&
        (space = write_space(out, sealed.len)) != NULL) {
        good = EVP_DecryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key.data, sealed.data) == 1 &&
               EVP_DecryptUpdate(ctx, space, &len, sealed.data + BLOCK_LEN,
                                 (int)(sealed.len - BLOCK_LEN)) == 1 &&
               EVP_DecryptFinal_ex(ctx, space + len, &rest) == 1;
        writer_truncate(out, start + (good ? (size_t)(len + rest) : 0));
    }
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

bool
host_softhsm_key(view salt, view pin, uint8_t ret_key[HOST_SOFTHSM_KEY_LEN])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    unsigned rounds = ROUNDS_BASE + salt.data[salt.len - 1];
    bool good = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(ctx, salt.data, salt.len) == 1 &&
                EVP_DigestUpdate(ctx, pin.data, pin.len) == 1 &&
                EVP_DigestFinal_ex(ctx, ret_key, NULL) == 1;

    while (good && --rounds > 0) {
        good = EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1 &&
               EVP_DigestUpdate(ctx, ret_key, HOST_SOFTHSM_KEY_LEN) == 1 &&
               EVP_DigestFinal_ex(ctx, ret_key, NULL) == 1;
    }
    EVP_MD_CTX_free(ctx);
    return good;
}
