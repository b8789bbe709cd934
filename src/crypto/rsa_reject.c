/* SPDX-License-Identifier: Apache-2.0
 *
 * Implicit rejection. The padding is looked at by masks alone: every block of one length goes
 * the same way, and both messages, the one inside and the one in its place, are there each time.
 * The result is what OpenSSL gives from 3.2 on, so that it is the same on every node.
 */
#include "crypto/rsa_reject.h"

#include "crypto/rsa_raw.h"

#include <string.h>

#define HASH_LEN 32u
#define PADDING_MIN 8u          /* bytes that are not 0 */
#define HEAD_LEN 2u             /* 00 02 */
#define LENGTHS 128u            /* tries at the length of the message in its place */

/* All ones when a < b, else 0; both below 2^31. */
static uint32_t
mask_less(uint32_t a, uint32_t b)
{
    return 0u - ((a - b) >> 31);
}

static uint32_t
mask_equal(uint32_t a, uint32_t b)
{
    return mask_less(a ^ b, 1);
}

static uint32_t
mask_choose(uint32_t mask, uint32_t yes, uint32_t no)
{
    return (mask & yes) | (~mask & no);
}

CK_RV
rsa_reject_prepare(struct algo_key *key, const BIGNUM *d)
{
    uint8_t number[RSA_LEN_MAX], hash[HASH_LEN];
    CK_RV rv = CKR_FUNCTION_FAILED;

    if (BN_bn2binpad(d, number, (int)key->len) >= 0 &&
        algo_sha256(view_of(number, key->len), hash)) {
        key->value = secret_dup(view_of(hash, sizeof hash));
        rv = key->value == NULL ? CKR_DEVICE_MEMORY : CKR_OK;
    }
    wipe(number, sizeof number);
    wipe(hash, sizeof hash);
    return rv;
}

/* HMAC of block number, label and length in bits, block after block. */
static bool
expand(view key, const char *label, uint8_t *out, size_t len)
{
    for (size_t at = 0; at < len; at += HASH_LEN) {
        uint8_t block[HASH_LEN], text[16];
        struct writer w;

        writer_init_fixed(&w, text, sizeof text);
        write_u8(&w, (uint8_t)(at / HASH_LEN >> 8));
        write_u8(&w, (uint8_t)(at / HASH_LEN));
        write_raw(&w, view_str(label));
        write_u8(&w, (uint8_t)(len * 8 >> 8));
        write_u8(&w, (uint8_t)(len * 8));
        if (!algo_hmac_sha256(key, writer_view(&w), block)) {
            return false;
        }
        memcpy(out + at, block, size_min(len - at, HASH_LEN));
        wipe(block, sizeof block);
    }
    return true;
}

/* The last of the tries that the padding leaves room for. */
static uint32_t
length_choose(const uint8_t lengths[2 * LENGTHS], size_t modulus_len)
{
    const uint32_t limit = (uint32_t)modulus_len - HEAD_LEN - PADDING_MIN;
    uint32_t mask = limit, chosen = 0;

    for (unsigned shift = 1; shift < 16; shift *= 2) {
        mask |= mask >> shift;
    }
    for (size_t i = 0; i < 2 * LENGTHS; i += 2) {
        uint32_t length = ((uint32_t)lengths[i] << 8 | lengths[i + 1]) & mask;

        chosen = mask_choose(mask_less(length, limit), length, chosen);
    }
    return chosen;
}

/* What stands in for the message inside: a block whose end it is, and where it begins. */
static bool
other_make(const struct algo_key *key, view in, uint8_t *block, uint32_t *ret_at)
{
    uint8_t own[HASH_LEN], lengths[2 * LENGTHS];
    const view own_view = view_of(own, sizeof own);
    bool done = algo_hmac_sha256(secret_view(key->value), in, own) &&
                expand(own_view, "message", block, key->len) &&
                expand(own_view, "length", lengths, sizeof lengths);

    if (done) {
        *ret_at = (uint32_t)key->len - length_choose(lengths, key->len);
    }
    wipe(own, sizeof own);
    wipe(lengths, sizeof lengths);
    return done;
}

/* RFC 8017, 7.2.2, step 3: 00 02, at least eight bytes that are not 0, then 0 and the message. */
static uint32_t
padding_check(view block, uint32_t *ret_at)
{
    uint32_t good = mask_equal(block.data[0], 0) & mask_equal(block.data[1], 2);
    uint32_t found = 0, zero_at = 0;

    for (uint32_t i = HEAD_LEN; i < block.len; i++) {
        uint32_t first = mask_equal(block.data[i], 0) & ~found;

        zero_at |= first & i;
        found |= first;
    }
    *ret_at = zero_at + 1;
    return good & found & ~mask_less(zero_at, HEAD_LEN + PADDING_MIN);
}

CK_RV
rsa_reject_decrypt(const struct algo_key *key, view in, struct writer *out)
{
    uint8_t block[RSA_LEN_MAX], other[RSA_LEN_MAX];
    uint32_t at = 0, other_at = 0, good;
    CK_RV rv;

    if ((rv = rsa_raw(key, CKF_DECRYPT, in, CKR_ENCRYPTED_DATA_INVALID, block)) != CKR_OK) {
        goto out;
    }
    if (!other_make(key, in, other, &other_at)) {
        rv = CKR_FUNCTION_FAILED;
        goto out;
    }
    good = padding_check(view_of(block, key->len), &at);
    for (size_t i = 0; i < key->len; i++) {
        block[i] = (uint8_t)mask_choose(good, block[i], other[i]);
    }
    at = mask_choose(good, at, other_at);
    write_raw(out, view_slice(view_of(block, key->len), at, key->len));
out:
    wipe(block, sizeof block);
    wipe(other, sizeof other);
    return rv;
}
