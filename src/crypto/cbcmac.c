/* SPDX-License-Identifier: Apache-2.0
 *
 * MACs that are the last block of CBC: FIPS 113's with DES and AES, zeros filling up the last
 * block, cut to half a block or to what the parameter names; and XCBC (RFC 3566), which masks
 * the last block by how it was filled.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <openssl/crypto.h>
#include <string.h>

#define CHUNK_LEN 4096u

static bool
is_xcbc(const struct mechanism_row *row)
{
    return row->type == CKM_AES_XCBC_MAC || row->type == CKM_AES_XCBC_MAC_96;
}

static EVP_CIPHER_CTX *
cipher_new(enum cipher_mode mode, view key)
{
    static const uint8_t zeros[BLOCK_LEN];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && (EVP_EncryptInit_ex2(ctx, library_cipher(mode, key.len), key.data, zeros,
                                            NULL) != 1 ||
                        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* RFC 3566, 4: K1, K2 and K3 are the encryptions of blocks of ones, twos and threes. */
static bool
xcbc_keys(view key, uint8_t keys[3 * BLOCK_LEN])
{
    EVP_CIPHER_CTX *ctx = cipher_new(MODE_ECB, key);
    bool done = ctx != NULL;
    int len = 0;

    for (unsigned i = 0; i < 3 && done; i++) {
        memset(keys + i * BLOCK_LEN, (int)i + 1, BLOCK_LEN);
        done = EVP_EncryptUpdate(ctx, keys + i * BLOCK_LEN, &len, keys + i * BLOCK_LEN,
                                 BLOCK_LEN) == 1;
    }
    EVP_CIPHER_CTX_free(ctx);
    return done;
}

static CK_RV
cbcmac_start(struct algo_op *op)
{
    const struct mechanism_row *row = op->call.row;
    view key = secret_view(op->call.key->value);
    uint8_t keys[3 * BLOCK_LEN];
    CK_RV rv = CKR_OK;

    op->unit = cipher_row(row)->block;
    op->tag_len = params_tag_len(op->call.mechanism);
    if (op->tag_len == 0 || op->tag_len > mechanism_mac_len(row)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    if (!is_xcbc(row)) {
        op->mac_cipher = cipher_new(cipher_row(row)->mode, key);
    } else if (xcbc_keys(key, keys)) {
        op->mac_cipher = cipher_new(MODE_CBC, view_of(keys, BLOCK_LEN));
        memcpy(op->mask, keys + BLOCK_LEN, BLOCK_LEN);
        memcpy(op->mask_filled, keys + 2 * BLOCK_LEN, BLOCK_LEN);
    }
    if (op->mac_cipher == NULL) {
        rv = library_failed("start a CBC-MAC");
    }
    wipe(keys, sizeof keys);
    return rv;
}

/* Of CBC's output only the last block counts. Whole blocks only. */
static CK_RV
feed(struct algo_op *op, view in)
{
    uint8_t chunk[CHUNK_LEN];
    CK_RV rv = CKR_OK;

    for (view part; rv == CKR_OK && (part = view_slice(in, 0, CHUNK_LEN)).len > 0;
         in = view_slice(in, part.len, in.len)) {
        int len = 0;

        if (EVP_EncryptUpdate(op->mac_cipher, chunk, &len, part.data, (int)part.len) != 1) {
            rv = library_failed("continue a CBC-MAC");
        } else {
            memcpy(op->mac, chunk + part.len - op->unit, op->unit);
        }
    }
    wipe(chunk, sizeof chunk);
    return rv;
}

/* The last block is held back, for it may be filled up and masked. */
static CK_RV
cbcmac_update(struct algo_op *op, view in, struct writer *out)
{
    size_t fill = size_min(op->unit - op->held_len, in.len);
    CK_RV rv;

    UNUSED(out);
    if (in.len == 0) {
        return CKR_OK;
    }
    memcpy(op->held + op->held_len, in.data, fill);
    op->held_len += fill;
    in = view_slice(in, fill, in.len);
    if (in.len == 0) {
        return CKR_OK;
    }

    size_t whole = (in.len - 1) / op->unit * op->unit;

    if ((rv = feed(op, view_of(op->held, op->unit))) != CKR_OK ||
        (rv = feed(op, view_slice(in, 0, whole))) != CKR_OK) {
        return rv;
    }
    op->held_len = in.len - whole;
    memcpy(op->held, in.data + whole, op->held_len);
    return CKR_OK;
}

/* FIPS 113 fills up with zeros; XCBC with one bit and zeros, and tells by the mask. */
static void
last_block(struct algo_op *op)
{
    const bool xcbc = is_xcbc(op->call.row);
    const bool filled = op->held_len < op->unit;
    const uint8_t *mask = filled ? op->mask_filled : op->mask;

    memset(op->held + op->held_len, 0, op->unit - op->held_len);
    if (xcbc && filled) {
        op->held[op->held_len] = 0x80;
    }
    for (size_t i = 0; xcbc && i < op->unit; i++) {
        op->held[i] ^= mask[i];
    }
}

static CK_RV
cbcmac_final(struct algo_op *op, view signature, struct writer *out)
{
    bool verify = op->call.function == CKF_VERIFY;
    CK_RV rv;

    if (verify && signature.len != op->tag_len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    last_block(op);
    rv = feed(op, view_of(op->held, op->unit));
    if (rv == CKR_OK && !verify) {
        write_raw(out, view_of(op->mac, op->tag_len));
    } else if (rv == CKR_OK && !view_equal_secret(view_of(op->mac, op->tag_len), signature)) {
        rv = CKR_SIGNATURE_INVALID;
    }
    return rv;
}

const struct algo algo_cbcmac = {
    .kinds = 1u << KIND_AES | 1u << KIND_DES,
    .once = refuse_once,
    .start = cbcmac_start,
    .update = cbcmac_update,
    .final = cbcmac_final,
    .generate = refuse_generate,
};
