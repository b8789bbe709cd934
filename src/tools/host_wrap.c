/* SPDX-License-Identifier: Apache-2.0
 *
 * AES key wrap with a key whose value the user has, as the HSM does it.
 */
#include "tools/host.h"

#include <openssl/evp.h>

#define SEMIBLOCK_LEN 8u
#define PLAIN_MAX HOST_KEY_MAX

static const EVP_CIPHER *
wrap_cipher(size_t key_len)
{
    switch (key_len) {
    case 16:
        return EVP_aes_128_wrap();
    case 24:
        return EVP_aes_192_wrap();
    case 32:
        return EVP_aes_256_wrap();
    default:
        return NULL;
    }
}

/* RFC 3394 and nothing else. */
static bool
host_pass(view key, bool wraps, view in, struct writer *out)
{
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const EVP_CIPHER *cipher = wrap_cipher(key.len);
    const size_t start = out->len;
    uint8_t *space = write_space(out, in.len + 2 * SEMIBLOCK_LEN);
    int len = 0;
    int rest = 0;
    bool ok = false;

    if (ctx != NULL && cipher != NULL && space != NULL && in.len <= PLAIN_MAX) {
        EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
        ok = EVP_CipherInit_ex(ctx, cipher, NULL, key.data, NULL, wraps) == 1 &&
             EVP_CipherUpdate(ctx, space, &len, in.data, (int)in.len) == 1 &&
             EVP_CipherFinal_ex(ctx, space + len, &rest) == 1;
    }
    if (space != NULL) {
        writer_truncate(out, ok ? start + (size_t)len + (size_t)rest : start);
    }
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

CK_RV
host_wrap(view key, view plain, struct writer *out)
{
    const size_t pad = SEMIBLOCK_LEN - plain.len % SEMIBLOCK_LEN;
    struct writer padded;
    CK_RV rv;

    if (wrap_cipher(key.len) == NULL) {
        return CKR_WRAPPING_KEY_SIZE_RANGE;
    }
    writer_init(&padded, PLAIN_MAX + SEMIBLOCK_LEN);
    write_raw(&padded, plain);
    for (size_t i = 0; i < pad; i++) {
        write_u8(&padded, (uint8_t)pad);
    }
    rv = writer_ok(&padded) && host_pass(key, true, writer_view(&padded), out)
             ? CKR_OK
             : CKR_KEY_SIZE_RANGE;
    writer_clear(&padded);
    return rv;
}

/* The check value of RFC 3394 has vouched for the padding. */
CK_RV
host_unwrap(view key, view blob, struct writer *out)
{
    const size_t start = out->len;

    if (wrap_cipher(key.len) == NULL) {
        return CKR_WRAPPING_KEY_SIZE_RANGE;
    }
    if (blob.len < 3 * SEMIBLOCK_LEN || blob.len % SEMIBLOCK_LEN != 0 ||
        !host_pass(key, false, blob, out) || out->len == start) {
        return CKR_WRAPPED_KEY_INVALID;
    }

    const uint8_t pad = out->data[out->len - 1];

    if (pad == 0 || pad > SEMIBLOCK_LEN || pad > out->len - start) {
        return CKR_WRAPPED_KEY_INVALID;
    }
    for (size_t i = 1; i <= pad; i++) {
        if (out->data[out->len - i] != pad) {
            return CKR_WRAPPED_KEY_INVALID;
        }
    }
    writer_truncate(out, out->len - pad);
    return CKR_OK;
}
