/* SPDX-License-Identifier: Apache-2.0
 *
 * Block ciphers in their modes. Padding is taken off here, not in the library, so that all wrong
 * ones look alike. What may turn out to be padding or a tag is held back until the end is known.
 */
#include "crypto/driver.h"
#include "crypto/gcm_iv.h"
#include "crypto/library.h"
#include "crypto/xchacha.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <string.h>

#define FEED_MAX ((size_t)1 << 30) /* the library counts in int */
#define CHACHA_BLOCK_LEN 64u
#define MODE_PADDED 0x100u         /* in ready_setup.mode */

/* ---- what the row says ---- */

static bool
is_padded(const struct mechanism_row *row)
{
    return row->out == OUT_pad;
}

/* The nonce of XChaCha20, which makes a key of its own; else empty. */
static view
long_nonce(const struct mechanism *mechanism)
{
    view nonce = mechanism->shape == PARAMS_chacha20      ? mechanism->params.chacha20.nonce
                 : mechanism->shape == PARAMS_chacha_poly ? mechanism->params.chacha_poly.nonce
                                                          : VIEW_EMPTY;

    return nonce.len == XCHACHA_NONCE_LEN ? nonce : VIEW_EMPTY;
}

/* Can its context begin again without the key? RC4's state is the key, used up. */
static bool
is_kept(const struct algo_call *call)
{
    return call->row->key_type != CKK_RC4 && long_nonce(call->mechanism).len == 0;
}

static bool
encrypts(const struct algo_op *op)
{
    return op->call.function == CKF_ENCRYPT;
}

static bool
is_aead(const struct mechanism_row *row)
{
    return row->out == OUT_tag;
}

/* The IV as the library takes it; one that is put together comes to room. ChaCha20's is the
 * counter, low byte first, and the nonce, or what XChaCha20's key has left of it. */
static view
iv_of(const struct mechanism *mechanism, uint8_t room[BLOCK_LEN])
{
    const view rest = view_slice(long_nonce(mechanism), XCHACHA_KEY_NONCE_LEN, BLOCK_LEN);
    struct writer iv;

    switch (mechanism->shape) {
    case PARAMS_iv:
        return mechanism->params.iv.bytes;
    case PARAMS_ctr:
        return mechanism->params.ctr.block;
    case PARAMS_gcm:
        return mechanism->params.gcm.iv;
    case PARAMS_chacha_poly:
        if (rest.len == 0) {
            return mechanism->params.chacha_poly.nonce;
        }
        writer_init_fixed(&iv, room, BLOCK_LEN);
        write_u32(&iv, 0);
        write_raw(&iv, rest);
        return writer_view(&iv);
    case PARAMS_chacha20:
        writer_init_fixed(&iv, room, BLOCK_LEN);
        write_raw(&iv, mechanism->params.chacha20.counter);
        write_raw(&iv, rest.len == 0 ? mechanism->params.chacha20.nonce : rest);
        return writer_ok(&iv) && iv.len == BLOCK_LEN ? writer_view(&iv) : VIEW_EMPTY;
    default:
        return VIEW_EMPTY;
    }
}

static view
aad_of(const struct mechanism *mechanism)
{
    switch (mechanism->shape) {
    case PARAMS_gcm:
        return mechanism->params.gcm.aad;
    case PARAMS_chacha_poly:
        return mechanism->params.chacha_poly.aad;
    default:
        return VIEW_EMPTY;
    }
}

/*
 * How many bytes there are before the low `bits` of the counter block would overflow. PKCS #11
 * v3.1, 6.13.3: CKR_DATA_LEN_RANGE beyond; the increment after the last block is free.
 */
static uint64_t
counter_room(view block, uint32_t bits)
{
    uint64_t high = 0;
    uint64_t low = 0;

    for (size_t i = 0; i < 8; i++) {
        high = high << 8 | block.data[i];
        low = low << 8 | block.data[i + 8];
    }
    if (bits > 64) {
        uint64_t mask = bits == 128 ? UINT64_MAX : ((uint64_t)1 << (bits - 64)) - 1;

        if ((high & mask) != mask) {
            return UINT64_MAX;
        }
    } else if (bits < 64) {
        low |= UINT64_MAX << bits; /* as if the bits above were about to carry */
    }

    uint64_t blocks = 0 - low; /* 2^64 - low, where 0 stands for 2^64 */

    return blocks == 0 || blocks > UINT64_MAX / BLOCK_LEN ? UINT64_MAX : blocks * BLOCK_LEN;
}

/* RFC 8439, 2.4 and 2.8: a counter of 32 bits, of which an AEAD has used one. */
static uint64_t
chacha_room(const struct mechanism *mechanism)
{
    const view counter = mechanism->params.chacha20.counter;
    uint64_t next = 1;

    if (mechanism->shape == PARAMS_chacha20) {
        if (counter.len != 4) {
            return UINT64_MAX;
        }
        next = (uint64_t)counter.data[3] << 24 | (uint64_t)counter.data[2] << 16 |
               (uint64_t)counter.data[1] << 8 | counter.data[0];
    }
    return (((uint64_t)1 << 32) - next) * CHACHA_BLOCK_LEN;
}

static uint64_t
input_room(const struct mechanism *mechanism)
{
    switch (mechanism->shape) {
    case PARAMS_ctr:
        return counter_room(mechanism->params.ctr.block, mechanism->params.ctr.bits);
    case PARAMS_chacha20:
    case PARAMS_chacha_poly:
        return chacha_room(mechanism);
    default:
        return UINT64_MAX;
    }
}

/* ---- contexts ---- */

static bool
cipher_prepare(struct ready *ready, const struct algo_op *op, view key, size_t iv_len)
{
    const struct mechanism_row *row = op->call.row;
    int encrypt = encrypts(op) ? 1 : 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    ready->cipher = ctx;
    if (ctx == NULL ||
        EVP_CipherInit_ex2(ctx, library_cipher(cipher_row(row)->mode, key.len), NULL, NULL, encrypt,
                           NULL) != 1) {
        return false;
    }
    if (row->params == PARAMS_gcm &&
        EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, (int)iv_len, NULL) != 1) {
        return false;
    }
    if (row->key_type == CKK_RC4 && EVP_CIPHER_CTX_set_key_length(ctx, (int)key.len) != 1) {
        return false;
    }
    return EVP_CIPHER_CTX_set_padding(ctx, is_padded(row) && encrypt) == 1 &&
           EVP_CipherInit_ex2(ctx, NULL, key.data, NULL, encrypt, NULL) == 1;
}

static bool
cipher_restart(EVP_CIPHER_CTX *ctx, const struct mechanism *mechanism, view iv)
{
    view aad = aad_of(mechanism);
    int unused;

    return EVP_CipherInit_ex2(ctx, NULL, NULL, iv.data, -1, NULL) == 1 &&
           (aad.len == 0 || EVP_CipherUpdate(ctx, NULL, &unused, aad.data, (int)aad.len) == 1);
}

/* A context for key, direction and length of the IV. */
static CK_RV
cipher_ready(struct algo_op *op, view key, size_t iv_len)
{
    const struct mechanism_row *row = op->call.row;
    const struct ready_setup setup = {
        .function = (uint32_t)op->call.function,
        .mode = (uint32_t)cipher_row(row)->mode | (is_padded(row) ? MODE_PADDED : 0),
        .number = (uint32_t)iv_len,
    };

    op->ready = op->kept ? ready_take(op->call.key, &setup) : NULL;
    if (op->ready != NULL) {
        return CKR_OK;
    }
    op->ready = ready_new(&setup);
    if (op->ready == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    return cipher_prepare(op->ready, op, key, iv_len) ? CKR_OK
                                                      : library_failed("prepare a key");
}

static CK_RV
cipher_start(struct algo_op *op)
{
    const struct mechanism *mechanism = op->call.mechanism;
    const struct mechanism_row *row = op->call.row;
    uint8_t room[GCM_IV_FOLDED_LEN];
    view iv = iv_of(mechanism, room), nonce = long_nonce(mechanism);
    view key = secret_view(op->call.key->value);
    uint8_t subkey[32];
    CK_RV rv;

    if (row->params != PARAMS_none && iv.len == 0) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    op->unit = cipher_row(row)->unit;
    op->tag_len = params_tag_len(mechanism);
    if (!encrypts(op)) {
        op->keep_len = is_padded(row) ? op->unit : op->tag_len;
    }
    op->fed_max = input_room(mechanism);
    op->kept = is_kept(&op->call);
    if (row->params == PARAMS_gcm && (rv = gcm_iv_fit(op->call.key, iv, room, &iv)) != CKR_OK) {
        return rv;
    }
    if (nonce.len > 0) {
        if (!xchacha_key(key, nonce.data, subkey)) {
            return library_failed("make a key of a nonce");
        }
        key = view_of(subkey, sizeof subkey);
    }
    rv = cipher_ready(op, key, iv.len);
    wipe(subkey, sizeof subkey);
    if (rv != CKR_OK) {
        return rv;
    }
    return cipher_restart(op->ready->cipher, mechanism, iv) ? CKR_OK
                                                            : library_failed("start a cipher");
}

/* ---- input ---- */

static CK_RV
length_error(const struct algo_op *op)
{
    return encrypts(op) ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
}

/* Bytes that come out when len more go in: block modes give whole blocks only. */
static size_t
output_len(const struct algo_op *op, size_t len)
{
    return ((size_t)(op->fed % op->unit) + len) / op->unit * op->unit;
}

static CK_RV
feed(struct algo_op *op, view in, struct writer *out)
{
    for (view part; (part = view_slice(in, 0, FEED_MAX)).len > 0;
         in = view_slice(in, part.len, in.len)) {
        size_t len = output_len(op, part.len);
        uint8_t none[BLOCK_LEN];
        uint8_t *space = len == 0 ? none : write_space(out, len);
        int done = 0;

        if (space == NULL) {
            return CKR_DEVICE_MEMORY;
        }
        if (EVP_CipherUpdate(op->ready->cipher, space, &done, part.data, (int)part.len) != 1) {
            return library_failed("continue a cipher");
        }
        assert((size_t)done == len);
        op->fed += part.len;
    }
    return CKR_OK;
}

/*
 * How much of what has come so far cannot be the tail: all but the tag of an AEAD, or, of
 * padded blocks, every whole block that something follows.
 */
static size_t
leave_len(const struct algo_op *op, size_t total)
{
    if (op->tag_len > 0) {
        return total - size_min(total, op->keep_len);
    }
    return total == 0 ? 0 : (total - 1) / op->unit * op->unit;
}

/* Feeds all but the tail of what has come so far. */
static CK_RV
feed_but_tail(struct algo_op *op, view in, struct writer *out)
{
    size_t total = op->held_len + in.len;
    size_t leave = leave_len(op, total);
    size_t from_held = size_min(leave, op->held_len);
    CK_RV rv;

    if ((rv = feed(op, view_of(op->held, from_held), out)) != CKR_OK ||
        (rv = feed(op, view_slice(in, 0, leave - from_held), out)) != CKR_OK) {
        return rv;
    }

    view tail = view_slice(in, leave - from_held, in.len);

    memmove(op->held, op->held + from_held, op->held_len - from_held);
    op->held_len -= from_held;
    if (tail.len > 0) {
        memcpy(op->held + op->held_len, tail.data, tail.len);
        op->held_len += tail.len;
    }
    return CKR_OK;
}

static CK_RV
cipher_update(struct algo_op *op, view in, struct writer *out)
{
    if (in.len > op->fed_max - op->fed) {
        return CKR_DATA_LEN_RANGE;
    }
    return op->keep_len > 0 ? feed_but_tail(op, in, out) : feed(op, in, out);
}

/* ---- the end ---- */

/* 1 when a < b, else 0; both below 2^31. */
static unsigned
is_less(unsigned a, unsigned b)
{
    return (a - b) >> 31;
}

/*
 * PKCS #7 padding of a last block of so many bytes: its length, or 0 when it is wrong, always by
 * the same steps.
 */
static size_t
padding_len(const uint8_t *block, unsigned len)
{
    unsigned pad = block[len - 1];
    unsigned wrong = is_less(pad, 1) | is_less(len, pad);

    for (unsigned i = 0; i < len; i++) {
        unsigned inside = 0u - is_less(i, pad);

        wrong |= inside & (block[len - 1 - i] ^ pad);
    }
    return pad & (0u - is_less(wrong, 1));
}

static CK_RV
end_unpadding(struct algo_op *op, struct writer *out)
{
    uint8_t block[BLOCK_LEN];
    CK_RV rv = CKR_ENCRYPTED_DATA_INVALID;
    int len = 0;

    if (op->held_len != op->unit || op->fed % op->unit != 0) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    if (EVP_DecryptUpdate(op->ready->cipher, block, &len, op->held, (int)op->unit) != 1) {
        return library_failed("end a cipher");
    }
    assert(len == (int)op->unit);

    size_t pad = padding_len(block, (unsigned)op->unit);

    if (pad > 0) {
        write_raw(out, view_of(block, op->unit - pad));
        rv = CKR_OK;
    }
    wipe(block, sizeof block);
    return rv;
}

static CK_RV
end_padding(struct algo_op *op, struct writer *out)
{
    uint8_t *space = write_space(out, op->unit);
    int len = 0;

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    return EVP_EncryptFinal_ex(op->ready->cipher, space, &len) == 1
               ? CKR_OK
               : library_failed("end a cipher");
}

static CK_RV
end_tagging(struct algo_op *op, struct writer *out)
{
    uint8_t none[BLOCK_LEN];
    uint8_t *tag = write_space(out, op->tag_len);
    int len = 0;

    if (tag == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    if (EVP_EncryptFinal_ex(op->ready->cipher, none, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(op->ready->cipher, EVP_CTRL_AEAD_GET_TAG, (int)op->tag_len, tag) !=
            1) {
        return library_failed("make a tag");
    }
    return CKR_OK;
}

static CK_RV
end_checking(struct algo_op *op)
{
    uint8_t none[BLOCK_LEN];
    int len = 0;

    if (op->held_len != op->tag_len) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    if (EVP_CIPHER_CTX_ctrl(op->ready->cipher, EVP_CTRL_AEAD_SET_TAG, (int)op->tag_len,
                            op->held) != 1) {
        return library_failed("take a tag");
    }
    return EVP_DecryptFinal_ex(op->ready->cipher, none, &len) == 1 ? CKR_OK
                                                                   : CKR_ENCRYPTED_DATA_INVALID;
}

static CK_RV
end(struct algo_op *op, struct writer *out)
{
    const struct mechanism_row *row = op->call.row;

    if (is_padded(row)) {
        return encrypts(op) ? end_padding(op, out) : end_unpadding(op, out);
    }
    if (is_aead(row)) {
        return encrypts(op) ? end_tagging(op, out) : end_checking(op);
    }
    if (op->fed % op->unit != 0) {
        return length_error(op);
    }
    return CKR_OK;
}

static CK_RV
cipher_final(struct algo_op *op, view signature, struct writer *out)
{
    CK_RV rv = end(op, out);

    UNUSED(signature);
    if (rv == CKR_OK && op->kept) {
        ready_give(op->call.key, op->ready);
        op->ready = NULL;
    }
    return rv;
}

const struct algo algo_cipher = {
    .kinds = 1u << KIND_AES | 1u << KIND_DES | 1u << KIND_RC4 | 1u << KIND_CHACHA20,
    .once = refuse_once,
    .start = cipher_start,
    .update = cipher_update,
    .final = cipher_final,
    .generate = refuse_generate,
};
