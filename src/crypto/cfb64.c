/* SPDX-License-Identifier: Apache-2.0
 *
 * AES-CFB with segments of 64 bits (SP 800-38A, 6.3), which the library has for ciphers with
 * blocks of that length only.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <string.h>

#define SEGMENT_LEN 8u

/* op->mac is the shift register, op->mask its encryption, op->held_len how much of that is used. */
static CK_RV
cfb64_start(struct algo_op *op)
{
    view key = secret_view(op->call.key->value), iv = op->call.mechanism->params.iv.bytes;
    EVP_CIPHER_CTX *ctx;

    if (op->call.mechanism->shape != PARAMS_iv || iv.len != BLOCK_LEN) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    memcpy(op->mac, iv.data, BLOCK_LEN);
    op->mac_cipher = ctx = EVP_CIPHER_CTX_new();
    return ctx != NULL &&
                   EVP_EncryptInit_ex2(ctx, library_cipher(MODE_ECB, key.len), key.data, NULL,
                                       NULL) == 1 &&
                   EVP_CIPHER_CTX_set_padding(ctx, 0) == 1
               ? CKR_OK
               : library_failed("prepare a key");
}

/* The next segment: what is encrypted makes room for the ciphertext that it will make. */
static bool
segment_begin(struct algo_op *op)
{
    int len = 0;

    if (EVP_EncryptUpdate(op->mac_cipher, op->mask, &len, op->mac, BLOCK_LEN) != 1) {
        return false;
    }
    memmove(op->mac, op->mac + SEGMENT_LEN, BLOCK_LEN - SEGMENT_LEN);
    return true;
}

static CK_RV
cfb64_update(struct algo_op *op, view in, struct writer *out)
{
    const bool encrypts = op->call.function == CKF_ENCRYPT;
    uint8_t *space = in.len == 0 ? op->held : write_space(out, in.len);

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    for (size_t i = 0; i < in.len; i++) {
        if (op->held_len == 0 && !segment_begin(op)) {
            return library_failed("continue a cipher");
        }

        const uint8_t from = in.data[i]; /* in and out may be the same bytes */

        space[i] = (uint8_t)(from ^ op->mask[op->held_len]);
        op->mac[BLOCK_LEN - SEGMENT_LEN + op->held_len] = encrypts ? space[i] : from;
        op->held_len = (op->held_len + 1) % SEGMENT_LEN;
    }
    return CKR_OK;
}

static CK_RV
cfb64_final(struct algo_op *op, view signature, struct writer *out)
{
    UNUSED(op);
    UNUSED(signature);
    UNUSED(out);
    return CKR_OK;
}

const struct algo algo_cfb64 = {
    .kinds = 1u << KIND_AES,
    .once = refuse_once,
    .start = cfb64_start,
    .update = cfb64_update,
    .final = cfb64_final,
    .generate = refuse_generate,
};
