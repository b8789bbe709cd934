/* SPDX-License-Identifier: Apache-2.0
 *
 * GMAC (NIST SP 800-38D, 3): GCM of nothing, where the message is the additional data and the
 * tag is the MAC. The IV is the caller's, and must never serve two messages under one key.
 */
#include "crypto/driver.h"
#include "crypto/gcm_iv.h"
#include "crypto/library.h"

#define FEED_MAX ((size_t)1 << 30) /* the library counts in int */

static bool
gmac_prepare(struct ready *ready, const struct algo_key *key, view iv)
{
    view value = secret_view(key->value);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    ready->cipher = ctx;
    return ctx != NULL &&
           EVP_EncryptInit_ex2(ctx, library_cipher(MODE_GCM, value.len), NULL, NULL, NULL) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv.len, NULL) == 1 &&
           EVP_EncryptInit_ex2(ctx, NULL, value.data, iv.data, NULL) == 1;
}

static CK_RV
gmac_start(struct algo_op *op)
{
    const struct ready_setup setup = { .function = (uint32_t)op->call.function };
    uint8_t room[GCM_IV_FOLDED_LEN];
    view iv;
    CK_RV rv;

    op->tag_len = params_tag_len(op->call.mechanism);
    if (op->call.mechanism->params.gcm.iv.len == 0 || op->tag_len == 0 ||
        op->tag_len > BLOCK_LEN) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    rv = gcm_iv_fit(op->call.key, op->call.mechanism->params.gcm.iv, room, &iv);
    if (rv != CKR_OK) {
        return rv;
    }
    op->ready = ready_new(&setup);
    if (op->ready == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    return gmac_prepare(op->ready, op->call.key, iv) ? CKR_OK : library_failed("start a GMAC");
}

static CK_RV
gmac_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(out);
    for (view part; (part = view_slice(in, 0, FEED_MAX)).len > 0;
         in = view_slice(in, part.len, in.len)) {
        int unused;

        if (EVP_EncryptUpdate(op->ready->cipher, NULL, &unused, part.data, (int)part.len) != 1) {
            return library_failed("continue a GMAC");
        }
    }
    return CKR_OK;
}

static CK_RV
gmac_final(struct algo_op *op, view signature, struct writer *out)
{
    bool verify = op->call.function == CKF_VERIFY;
    uint8_t none[BLOCK_LEN], mac[BLOCK_LEN];
    CK_RV rv = CKR_OK;
    int len = 0;

    if (verify && signature.len != op->tag_len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    if (EVP_EncryptFinal_ex(op->ready->cipher, none, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(op->ready->cipher, EVP_CTRL_AEAD_GET_TAG, (int)op->tag_len, mac) !=
            1) {
        return library_failed("end a GMAC");
    }
    if (!verify) {
        write_raw(out, view_of(mac, op->tag_len));
    } else if (!view_equal_secret(view_of(mac, op->tag_len), signature)) {
        rv = CKR_SIGNATURE_INVALID;
    }
    wipe(mac, sizeof mac);
    return rv;
}

const struct algo algo_gmac = {
    .kinds = 1u << KIND_AES,
    .once = refuse_once,
    .start = gmac_start,
    .update = gmac_update,
    .final = gmac_final,
    .generate = refuse_generate,
};
