/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-256-GCM for records and tickets. Nonce and key are the caller's business: a key per
 * record makes a random nonce of twelve bytes enough.
 */
#include "crypto/library.h"

#include "crypto/algo.h"

#include <limits.h>

#define TAG_LEN 16u

static bool
begin(EVP_CIPHER_CTX *ctx, int encrypt, const uint8_t key[32], const uint8_t nonce[12], view aad)
{
    int unused;

    return ctx != NULL && aad.len <= INT_MAX &&
           EVP_CipherInit_ex2(ctx, library_cipher(MODE_GCM, 32), key, nonce, encrypt, NULL) == 1 &&
           (aad.len == 0 || EVP_CipherUpdate(ctx, NULL, &unused, aad.data, (int)aad.len) == 1);
}

static bool
feed(EVP_CIPHER_CTX *ctx, view in, uint8_t *out)
{
    int unused;

    return in.len == 0 || EVP_CipherUpdate(ctx, out, &unused, in.data, (int)in.len) == 1;
}

bool
algo_seal(const uint8_t key[32], const uint8_t nonce[12], view aad, view plain, struct writer *out)
{
    EVP_CIPHER_CTX *ctx = NULL;
    size_t start = out->len;
    uint8_t none[TAG_LEN];
    uint8_t *text;
    int unused;
    bool done;

    if (plain.len > INT_MAX || (text = write_space(out, plain.len + TAG_LEN)) == NULL) {
        return false;
    }
    ctx = EVP_CIPHER_CTX_new();
    done = begin(ctx, 1, key, nonce, aad) && feed(ctx, plain, text) &&
           EVP_EncryptFinal_ex(ctx, none, &unused) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, text + plain.len) == 1;
    if (!done) {
        writer_truncate(out, start);
        library_report("seal");
    }
    EVP_CIPHER_CTX_free(ctx);
    return done;
}

bool
algo_unseal(const uint8_t key[32], const uint8_t nonce[12], view aad, view sealed,
            struct writer *out)
{
    EVP_CIPHER_CTX *ctx = NULL;
    size_t start = out->len;
    uint8_t none[TAG_LEN];
    uint8_t *text = none;
    int unused;
    bool done;

    if (sealed.len < TAG_LEN || sealed.len > INT_MAX) {
        return false;
    }

    view cipher = view_slice(sealed, 0, sealed.len - TAG_LEN);
    uint8_t *tag = (uint8_t *)(uintptr_t)(sealed.data + cipher.len); /* only read */

    if (cipher.len > 0 && (text = write_space(out, cipher.len)) == NULL) {
        return false;
    }
    ctx = EVP_CIPHER_CTX_new();
    done = begin(ctx, 0, key, nonce, aad) && feed(ctx, cipher, text) &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag) == 1 &&
           EVP_DecryptFinal_ex(ctx, none, &unused) == 1;
    if (!done) {
        writer_truncate(out, start);
    }
    EVP_CIPHER_CTX_free(ctx);
    library_forget();
    return done;
}
