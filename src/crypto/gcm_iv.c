/* SPDX-License-Identifier: Apache-2.0
 *
 * NIST SP 800-38D, 6 and 7.1, step 2: an IV that is not 96 bits long gives the counter block
 *
 *     J0 = (Y ^ L) H     Y = GHASH over the IV, padded    L = its length in bits
 *
 * For an IV X of one block Y is X H, so the X wanted is (Y ^ L ^ 128) / H. H is secret: no
 * branch and no table here depends on it. About 50 us, for a parameter that hardly anyone has.
 */
#include "crypto/gcm_iv.h"

#include "base/secret.h"

#include <string.h>

/* An element of GF(2^128) as SP 800-38D writes it: the first bit is the highest of high. */
struct element {
    uint64_t high;
    uint64_t low;
};

static uint64_t
load_be(const uint8_t *p)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++) {
        value = value << 8 | p[i];
    }
    return value;
}

static void
store_be(uint8_t *p, uint64_t value)
{
    for (size_t i = 0; i < 8; i++) {
        p[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static struct element
element_add(struct element a, struct element b)
{
    return (struct element){ a.high ^ b.high, a.low ^ b.low };
}

/* SP 800-38D, 6.3, algorithm 1. */
static struct element
element_multiply(struct element a, struct element b)
{
    struct element sum = { 0, 0 };

    for (unsigned i = 0; i < 128; i++) {
        uint64_t bit = (i < 64 ? a.high >> (63 - i) : a.low >> (127 - i)) & 1;
        uint64_t carry = 0 - (b.low & 1);

        sum.high ^= b.high & (0 - bit);
        sum.low ^= b.low & (0 - bit);
        b.low = b.low >> 1 | b.high << 63;
        b.high = b.high >> 1 ^ (carry & (uint64_t)0xe1 << 56);
    }
    return sum;
}

/* a to the power of 2^128 - 2: the product of a^2, a^4, ... a^(2^127). */
static struct element
element_invert(struct element a)
{
    struct element product = { (uint64_t)1 << 63, 0 }; /* 1 */

    for (unsigned i = 1; i < 128; i++) {
        a = element_multiply(a, a);
        product = element_multiply(product, a);
    }
    return product;
}

void
gcm_iv_fold(const uint8_t hash_key[16], view iv, uint8_t out[GCM_IV_FOLDED_LEN])
{
    struct element h = { load_be(hash_key), load_be(hash_key + 8) };
    struct element y = { 0, 0 };

    for (size_t at = 0; at < iv.len; at += 16) {
        view part = view_slice(iv, at, 16);
        uint8_t block[16] = { 0 };

        memcpy(block, part.data, part.len);
        y = element_add(y, (struct element){ load_be(block), load_be(block + 8) });
        y = element_multiply(y, h);
    }
    y.low ^= 8 * (uint64_t)iv.len ^ 8 * GCM_IV_FOLDED_LEN;
    y = element_multiply(y, element_invert(h));
    store_be(out, y.high);
    store_be(out + 8, y.low);
    wipe(&h, sizeof h);
    wipe(&y, sizeof y);
}

CK_RV
gcm_iv_fit(const struct algo_key *key, view iv, uint8_t room[GCM_IV_FOLDED_LEN], view *ret_iv)
{
    uint8_t hash_key[16];
    CK_RV rv;

    if (iv.len <= GCM_IV_LIBRARY_MAX) {
        *ret_iv = iv;
        return CKR_OK;
    }
    rv = aes_zero_block(key, hash_key);
    if (rv == CKR_OK) {
        gcm_iv_fold(hash_key, iv, room);
        *ret_iv = view_of(room, GCM_IV_FOLDED_LEN);
    }
    wipe(hash_key, sizeof hash_key);
    return rv;
}
