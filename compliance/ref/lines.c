/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrapping by AES, both ways, with libcrypto.
 */
#include "ref/lines.h"

#include <openssl/evp.h>

#include <stdio.h>
#include <string.h>

static const struct {
    CK_MECHANISM_TYPE mech;
    const char *name; /* with the bits of the key */
    size_t iv_len, tag_len;
    bool pads;
} rows[] = {
    { CKM_AES_ECB, "AES-%zu-ECB", 0, 0, false },
    { CKM_AES_CBC, "AES-%zu-CBC", 16, 0, false },
    { CKM_AES_CBC_PAD, "AES-%zu-CBC", 16, 0, true },
    { CKM_AES_GCM, "AES-%zu-GCM", 12, 16, false },
    { CKM_AES_KEY_WRAP, "AES-%zu-WRAP", 0, 0, false },
    { CKM_AES_KEY_WRAP_KWP, "AES-%zu-WRAP-PAD", 0, 0, false },
};

static bool
turn(CK_MECHANISM_TYPE mech, bool seals, const uint8_t *key, size_t key_len, const uint8_t *in,
     size_t len, uint8_t *ret_out, size_t *ret_len)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    EVP_CIPHER *cipher = NULL;
    char name[32];
    size_t row = 0;
    int part = 0, more = 0;
    bool good;

    while (row < COUNT(rows) && rows[row].mech != mech) {
        row++;
    }
    if (ctx == NULL || row == COUNT(rows) || (!seals && len < rows[row].tag_len)) {
        EVP_CIPHER_CTX_free(ctx);
        return false;
    }
    snprintf(name, sizeof name, rows[row].name, key_len * 8);
    cipher = EVP_CIPHER_fetch(NULL, name, NULL);
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    len -= seals ? 0 : rows[row].tag_len;
    good = cipher != NULL &&
           EVP_CipherInit_ex(ctx, cipher, NULL, key, rows[row].iv_len > 0 ? ref_iv : NULL, seals) ==
               1 &&
           EVP_CIPHER_CTX_set_padding(ctx, rows[row].pads) == 1 &&
           (seals || rows[row].tag_len == 0 ||
            EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, (int)rows[row].tag_len,
                                (void *)(uintptr_t)(in + len)) == 1) &&
           EVP_CipherUpdate(ctx, ret_out, &part, in, (int)len) == 1 &&
           EVP_CipherFinal_ex(ctx, ret_out + part, &more) == 1;
    *ret_len = good ? (size_t)(part + more) : 0;
    if (good && seals && rows[row].tag_len > 0) {
        good = EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, (int)rows[row].tag_len,
                                   ret_out + *ret_len) == 1;
        *ret_len += rows[row].tag_len;
    }
    EVP_CIPHER_free(cipher);
    EVP_CIPHER_CTX_free(ctx);
    return good;
}

bool
ref_line_seal(CK_MECHANISM_TYPE mech, const uint8_t *key, size_t key_len, const uint8_t *in,
              size_t len, uint8_t *ret_out, size_t *ret_len)
{
    return turn(mech, true, key, key_len, in, len, ret_out, ret_len);
}

bool
ref_line_open(CK_MECHANISM_TYPE mech, const uint8_t *key, size_t key_len, const uint8_t *in,
              size_t len, uint8_t *ret_out, size_t *ret_len)
{
    return turn(mech, false, key, key_len, in, len, ret_out, ret_len);
}

bool
ref_unwrap_by(ref_block_opener opener, void *context, const uint8_t *in, size_t len,
              uint8_t *ret_out, size_t *ret_len)
{
    uint8_t block[16], out[16], r[64];
    size_t n = len / 8 - 1;

    if (len < 24 || len > 8 + sizeof r || len % 8 != 0) {
        return false;
    }
    memcpy(block, in, 8);
    memcpy(r, in + 8, len - 8);
    for (size_t t = 6 * n; t > 0; t--) {
        size_t i = (t - 1) % n;

        block[7] ^= (uint8_t)t;
        memcpy(block + 8, r + 8 * i, 8);
        if (opener(context, block, out) != CKR_OK) {
            return false;
        }
        memcpy(block, out, 8);
        memcpy(r + 8 * i, out + 8, 8);
    }
    memcpy(ret_out, r, len - 8);
    *ret_len = len - 8;
    return memcmp(block, (const uint8_t[8]){ 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6, 0xa6 }, 8) ==
           0;
}
