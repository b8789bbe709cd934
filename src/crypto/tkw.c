/* SPDX-License-Identifier: Apache-2.0
 *
 * Key wrap with Triple-DES, NIST SP 800-38F's TKW: as RFC 3394, but over semiblocks of 4 bytes.
 * What RFC 3217 calls Triple-DES key wrap is something else.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <openssl/crypto.h>
#include <string.h>

#define HALF_LEN 4u
#define ROUNDS 6u
#define WRAPPED_MAX ((size_t)1 << 20)

static const uint8_t icv[HALF_LEN] = { 0xa6, 0xa6, 0xa6, 0xa6 };

static EVP_CIPHER_CTX *
cipher_new(const struct algo_key *key, int encrypt)
{
    view value = secret_view(key->value);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    if (ctx != NULL && (EVP_CipherInit_ex2(ctx, library_cipher(MODE_DES3_ECB, value.len),
                                           value.data, NULL, encrypt, NULL) != 1 ||
                        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1)) {
        EVP_CIPHER_CTX_free(ctx);
        ctx = NULL;
    }
    return ctx;
}

/* The number of a step goes into the first half of the block. */
static void
step_mix(uint8_t half[HALF_LEN], uint32_t step)
{
    for (size_t i = 0; i < HALF_LEN; i++) {
        half[HALF_LEN - 1 - i] ^= (uint8_t)(step >> 8 * i);
    }
}

/* One step with the semiblock at `half`: block[0..4) is what goes on to the next. */
static bool
step(EVP_CIPHER_CTX *ctx, bool wraps, uint32_t number, uint8_t block[2 * HALF_LEN], uint8_t *half)
{
    int len = 0;

    if (!wraps) {
        step_mix(block, number);
    }
    memcpy(block + HALF_LEN, half, HALF_LEN);
    if (EVP_CipherUpdate(ctx, block, &len, block, 2 * HALF_LEN) != 1) {
        return false;
    }
    if (wraps) {
        step_mix(block, number);
    }
    memcpy(half, block + HALF_LEN, HALF_LEN);
    return true;
}

/* SP 800-38F, algorithms 1 and 2, by index as RFC 3394, 2.2 has them. */
static bool
pass(EVP_CIPHER_CTX *ctx, bool wraps, uint8_t block[2 * HALF_LEN], uint8_t *halves, size_t count)
{
    const size_t steps = ROUNDS * count;
    bool done = true;

    for (size_t i = 0; i < steps && done; i++) {
        size_t at = wraps ? i : steps - 1 - i;

        done = step(ctx, wraps, (uint32_t)at + 1, block, halves + at % count * HALF_LEN);
    }
    return done;
}

static CK_RV
tkw_wrap(EVP_CIPHER_CTX *ctx, view in, struct writer *out)
{
    uint8_t block[2 * HALF_LEN];
    uint8_t *space = write_space(out, HALF_LEN + in.len);
    CK_RV rv = CKR_OK;

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    memcpy(block, icv, HALF_LEN);
    memcpy(space + HALF_LEN, in.data, in.len);
    if (!pass(ctx, true, block, space + HALF_LEN, in.len / HALF_LEN)) {
        rv = library_failed("wrap with Triple-DES");
    }
    memcpy(space, block, HALF_LEN);
    wipe(block, sizeof block);
    return rv;
}

static CK_RV
tkw_unwrap(EVP_CIPHER_CTX *ctx, view in, struct writer *out)
{
    uint8_t block[2 * HALF_LEN];
    uint8_t *space = write_space(out, in.len - HALF_LEN);
    CK_RV rv;

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    memcpy(block, in.data, HALF_LEN);
    memcpy(space, in.data + HALF_LEN, in.len - HALF_LEN);
    if (!pass(ctx, false, block, space, in.len / HALF_LEN - 1)) {
        rv = library_failed("unwrap with Triple-DES");
    } else {
        rv = CRYPTO_memcmp(block, icv, HALF_LEN) == 0 ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID;
    }
    wipe(block, sizeof block);
    return rv;
}

/* At least two semiblocks of key, whole ones. */
static CK_RV
tkw_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    const bool wraps = call->function == CKF_ENCRYPT;
    const size_t least = wraps ? 2 * HALF_LEN : 3 * HALF_LEN;
    EVP_CIPHER_CTX *ctx;
    CK_RV rv;

    UNUSED(signature);
    if (in.len < least || in.len > WRAPPED_MAX || in.len % HALF_LEN != 0) {
        return wraps ? CKR_DATA_LEN_RANGE : CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    ctx = cipher_new(call->key, wraps);
    if (ctx == NULL) {
        return library_failed("begin to wrap with Triple-DES");
    }
    rv = wraps ? tkw_wrap(ctx, in, out) : tkw_unwrap(ctx, in, out);
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}

const struct algo algo_tkw = {
    .kinds = 1u << KIND_DES,
    .once = tkw_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
