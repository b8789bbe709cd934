/* SPDX-License-Identifier: Apache-2.0
 *
 * Modes of AES that steal ciphertext, so that what comes out is as long as what went in, and that
 * the library does in one go: XTS (SP 800-38E) and CBC-CTS, of which ours is CS1 of the addendum
 * to SP 800-38A.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <string.h>

#define DATA_MAX ((size_t)1 << 24) /* of one data unit: 2^20 blocks, SP 800-38E, 4 */

static CK_RV
stealing_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    const bool encrypt = call->function == CKF_ENCRYPT;
    view key = secret_view(call->key->value), iv = call->mechanism->params.iv.bytes;
    EVP_CIPHER_CTX *ctx;
    uint8_t *space;
    int len = 0;
    CK_RV rv = CKR_OK;

    UNUSED(signature);
    if (call->mechanism->shape != PARAMS_iv || iv.len != BLOCK_LEN) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if (in.len < BLOCK_LEN || in.len > DATA_MAX) {
        return encrypt ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    space = write_space(out, in.len);
    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL ||
        EVP_CipherInit_ex2(ctx, library_cipher(cipher_row(call->row)->mode, key.len), key.data,
                           iv.data, encrypt ? 1 : 0, NULL) != 1 ||
        EVP_CipherUpdate(ctx, space, &len, in.data, (int)in.len) != 1 ||
        (size_t)len != in.len) {
        rv = library_failed("run a mode that steals");
    }
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}

const struct algo algo_stealing = {
    .kinds = 1u << KIND_AES | 1u << KIND_AES_XTS,
    .once = stealing_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
