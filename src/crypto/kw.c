/* SPDX-License-Identifier: Apache-2.0
 *
 * AES key wrap: RFC 3394, its extended form of RFC 5649, and RFC 3394 over PKCS #7 padding to
 * blocks of 8 bytes. Padding is taken off here, so that a wrong one looks like a wrong tag.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include "base/secret.h"

#include <openssl/crypto.h>
#include <string.h>

#define SEMIBLOCK_LEN 8u
#define WRAPPED_MAX ((size_t)1 << 20)

/* The library's own IV where the parameter has none. */
static CK_RV
kw_pass(const struct algo_call *call, view in, struct writer *out)
{
    const bool wraps = call->function == CKF_ENCRYPT;
    const enum cipher_mode mode = call->row->out == OUT_kwp ? MODE_KWP : MODE_KW;
    const view iv = call->mechanism->params.wrap_iv.bytes;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *space = write_space(out, in.len + 2 * SEMIBLOCK_LEN);
    const size_t start = out->len - in.len - 2 * SEMIBLOCK_LEN;
    int len = 0, rest = 0;
    CK_RV rv = CKR_OK;

    if (ctx == NULL || space == NULL) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
    if (EVP_CipherInit_ex(ctx, library_cipher(mode, call->key->len), NULL,
                          secret_view(call->key->value).data, iv.len == 0 ? NULL : iv.data,
                          wraps) != 1) {
        rv = library_failed("begin to wrap with AES");
        goto out;
    }
    if (EVP_CipherUpdate(ctx, space, &len, in.data, (int)in.len) != 1 ||
        EVP_CipherFinal_ex(ctx, space + len, &rest) != 1) {
        rv = wraps ? library_failed("wrap with AES") : CKR_ENCRYPTED_DATA_INVALID;
        goto out;
    }
    writer_truncate(out, start + (size_t)len + (size_t)rest);
out:
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}

static CK_RV
kw_wrap(const struct algo_call *call, view in, struct writer *out)
{
    const size_t pad = SEMIBLOCK_LEN - in.len % SEMIBLOCK_LEN;
    struct writer padded;
    CK_RV rv;

    switch (call->row->out) {
    case OUT_kw:
        return in.len < 2 * SEMIBLOCK_LEN || pad != SEMIBLOCK_LEN ? CKR_DATA_LEN_RANGE
                                                                  : kw_pass(call, in, out);
    case OUT_kwp:
        return in.len == 0 ? CKR_DATA_LEN_RANGE : kw_pass(call, in, out);
    default:
        break;
    }
    if (in.len < SEMIBLOCK_LEN) {
        return CKR_DATA_LEN_RANGE; /* one semiblock is too little for RFC 3394 */
    }
    writer_init(&padded, WRAPPED_MAX + SEMIBLOCK_LEN);
    write_raw(&padded, in);
    for (size_t i = 0; i < pad; i++) {
        write_u8(&padded, (uint8_t)pad);
    }
    rv = writer_ok(&padded) ? kw_pass(call, writer_view(&padded), out) : CKR_DEVICE_MEMORY;
    writer_clear(&padded);
    return rv;
}

/* The tag of RFC 3394 has vouched for the bytes, so there is nothing to learn from time. */
static bool
padding_cut(struct writer *out, size_t start)
{
    const size_t len = out->len - start;
    const uint8_t pad = len == 0 ? 0 : out->data[out->len - 1];

    if (pad == 0 || pad > SEMIBLOCK_LEN || pad > len) {
        return false;
    }
    for (size_t i = 0; i < pad; i++) {
        if (out->data[out->len - 1 - i] != pad) {
            return false;
        }
    }
    writer_truncate(out, out->len - pad);
    return true;
}

static CK_RV
kw_unwrap(const struct algo_call *call, view in, struct writer *out)
{
    const size_t least = call->row->out == OUT_kwp ? 2 * SEMIBLOCK_LEN : 3 * SEMIBLOCK_LEN;
    const size_t start = out->len;
    CK_RV rv;

    if (in.len < least || in.len % SEMIBLOCK_LEN != 0) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    rv = kw_pass(call, in, out);
    if (rv == CKR_OK && call->row->out == OUT_kw_pkcs7 && !padding_cut(out, start)) {
        rv = CKR_ENCRYPTED_DATA_INVALID;
    }
    return rv;
}

static CK_RV
kw_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    UNUSED(signature);
    if (in.len > WRAPPED_MAX) {
        return call->function == CKF_ENCRYPT ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    return call->function == CKF_ENCRYPT ? kw_wrap(call, in, out) : kw_unwrap(call, in, out);
}

const struct algo algo_kw = {
    .kinds = 1u << KIND_AES,
    .once = kw_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
