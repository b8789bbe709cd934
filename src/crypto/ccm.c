/* SPDX-License-Identifier: Apache-2.0
 *
 * CCM (NIST SP 800-38C, RFC 3610) with AES. The library wants a message in one piece; here it
 * is CBC-MAC and counter mode side by side, so that a message may come in parts of any size
 * and none is kept. The length of the message is known from the start, so in decryption
 * nothing is held back but the tag itself.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <string.h>

#define CHUNK_LEN 4096u
#define FEED_MAX ((size_t)1 << 30) /* the library counts in int */
#define AAD_SHORT_MAX 0xff00u      /* SP 800-38C, A.2.2: longer ones have their length in 6 bytes */

static bool
encrypts(const struct algo_op *op)
{
    return op->call.function == CKF_ENCRYPT;
}

static EVP_CIPHER_CTX *
cipher_new(const struct algo_key *key, enum cipher_mode mode, const uint8_t iv[BLOCK_LEN])
{
    view value = secret_view(key->value);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && (EVP_EncryptInit_ex2(ctx, library_cipher(mode, value.len), value.data, iv,
                                            NULL) != 1 ||
                        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* ---- CBC-MAC ---- */

/* Of CBC's output only the last block counts. */
static bool
mac_feed(struct algo_op *op, view in)
{
    uint8_t chunk[CHUNK_LEN + BLOCK_LEN];
    bool done = true;

    for (view part; done && (part = view_slice(in, 0, CHUNK_LEN)).len > 0;
         in = view_slice(in, part.len, in.len)) {
        int len = 0;

        done = EVP_EncryptUpdate(op->mac_cipher, chunk, &len, part.data, (int)part.len) == 1;
        if (done && len >= (int)BLOCK_LEN) {
            memcpy(op->mac, chunk + len - BLOCK_LEN, BLOCK_LEN);
        }
    }
    wipe(chunk, sizeof chunk);
    return done;
}

/* Zeros up to the next block. */
static bool
mac_fill(struct algo_op *op, uint64_t len)
{
    static const uint8_t zeros[BLOCK_LEN];

    return mac_feed(op, view_of(zeros, (BLOCK_LEN - len % BLOCK_LEN) % BLOCK_LEN));
}

static bool
mac_begin(struct algo_op *op, const struct params_ccm *ccm)
{
    size_t size_len = BLOCK_LEN - 1 - ccm->nonce.len;
    uint8_t block[BLOCK_LEN] = { 0 };
    uint8_t head[6];
    size_t head_len = ccm->aad.len < AAD_SHORT_MAX ? 2 : 6;

    block[0] = (uint8_t)((ccm->aad.len > 0 ? 0x40 : 0) | (ccm->mac_len - 2) / 2 << 3 |
                         (size_len - 1));
    memcpy(block + 1, ccm->nonce.data, ccm->nonce.len);
    for (size_t i = 0; i < size_len && i < sizeof ccm->data_len; i++) {
        block[BLOCK_LEN - 1 - i] = (uint8_t)(ccm->data_len >> 8 * i);
    }
    if (!mac_feed(op, view_of(block, sizeof block))) {
        return false;
    }
    if (ccm->aad.len == 0) {
        return true;
    }
    head[0] = 0xff;
    head[1] = 0xfe;
    for (size_t i = 0; i < (head_len == 2 ? 2u : 4u); i++) {
        head[head_len - 1 - i] = (uint8_t)(ccm->aad.len >> 8 * i);
    }
    return mac_feed(op, view_of(head, head_len)) && mac_feed(op, ccm->aad) &&
           mac_fill(op, head_len + ccm->aad.len);
}

/* ---- the operation ---- */

/* Counter 0 masks the MAC, 1 and up the message. */
static bool
counter_begin(struct algo_op *op, const struct params_ccm *ccm)
{
    static const uint8_t zeros[BLOCK_LEN];
    uint8_t block[BLOCK_LEN] = { 0 };
    int len = 0;

    block[0] = (uint8_t)(BLOCK_LEN - 2 - ccm->nonce.len);
    memcpy(block + 1, ccm->nonce.data, ccm->nonce.len);
    op->ready->cipher = cipher_new(op->call.key, MODE_CTR, block);
    return op->ready->cipher != NULL &&
           EVP_EncryptUpdate(op->ready->cipher, op->mask, &len, zeros, BLOCK_LEN) == 1;
}

static CK_RV
ccm_start(struct algo_op *op)
{
    static const uint8_t zeros[BLOCK_LEN];
    const struct params_ccm *ccm = &op->call.mechanism->params.ccm;
    const struct ready_setup setup = { .function = (uint32_t)op->call.function };

    if (ccm->nonce.len < 7 || ccm->nonce.len > 13 || ccm->mac_len < 4 ||
        ccm->mac_len > BLOCK_LEN) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    op->tag_len = ccm->mac_len;
    op->fed_max = ccm->data_len;
    op->ready = ready_new(&setup);
    if (op->ready == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    op->mac_cipher = cipher_new(op->call.key, MODE_CBC, zeros);
    return op->mac_cipher != NULL && mac_begin(op, ccm) && counter_begin(op, ccm)
               ? CKR_OK
               : library_failed("start CCM");
}

/* Text, which is no longer than what is left of it. */
static CK_RV
feed(struct algo_op *op, view in, struct writer *out)
{
    for (view part; (part = view_slice(in, 0, FEED_MAX)).len > 0;
         in = view_slice(in, part.len, in.len)) {
        uint8_t *space = write_space(out, part.len);
        int len = 0;

        if (space == NULL) {
            return CKR_DEVICE_MEMORY;
        }
        if (EVP_EncryptUpdate(op->ready->cipher, space, &len, part.data, (int)part.len) != 1 ||
            !mac_feed(op, encrypts(op) ? part : view_of(space, part.len))) {
            return library_failed("continue CCM");
        }
        op->fed += part.len;
    }
    return CKR_OK;
}

static CK_RV
length_error(const struct algo_op *op)
{
    return encrypts(op) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

static CK_RV
ccm_update(struct algo_op *op, view in, struct writer *out)
{
    uint64_t left = op->fed_max - op->fed;
    size_t text_len = left < in.len ? (size_t)left : in.len;
    view tag = view_slice(in, text_len, in.len);

    if (tag.len > (encrypts(op) ? 0 : op->tag_len - op->held_len)) {
        return length_error(op);
    }
    if (tag.len > 0) {
        memcpy(op->held + op->held_len, tag.data, tag.len);
        op->held_len += tag.len;
    }
    return feed(op, view_slice(in, 0, text_len), out);
}

static CK_RV
ccm_final(struct algo_op *op, view signature, struct writer *out)
{
    UNUSED(signature);
    if (op->fed != op->fed_max || op->held_len != (encrypts(op) ? 0 : op->tag_len)) {
        return length_error(op);
    }
    if (!mac_fill(op, op->fed)) {
        return library_failed("end CCM");
    }
    for (size_t i = 0; i < op->tag_len; i++) {
        op->mac[i] ^= op->mask[i];
    }
    if (encrypts(op)) {
        write_raw(out, view_of(op->mac, op->tag_len));
        return CKR_OK;
    }
    return view_equal_secret(view_of(op->mac, op->tag_len), view_of(op->held, op->held_len))
               ? CKR_OK
               : CKR_ENCRYPTED_DATA_INVALID;
}

const struct algo algo_ccm = {
    .kinds = 1u << KIND_AES,
    .once = refuse_once,
    .start = ccm_start,
    .update = ccm_update,
    .final = ccm_final,
    .generate = refuse_generate,
};
