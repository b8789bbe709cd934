/* SPDX-License-Identifier: Apache-2.0
 *
 * What signatures and moduli give away.
 */
#include "ref/ref.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <string.h>

bool
ref_nonce(const uint8_t hash[32], const uint8_t sig[64], uint8_t ret_nonce[32])
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *r = BN_bin2bn(sig, 32, NULL), *s = BN_bin2bn(sig + 32, 32, NULL);
    BIGNUM *h = BN_bin2bn(hash, 32, NULL), *d = NULL;
    struct ref_key key;
    bool good = false;

    if (group != NULL && ctx != NULL && r != NULL && s != NULL && h != NULL &&
        ref_key(KEY_EC256, &key) &&
        (d = BN_bin2bn(key.value, (int)key.value_len, NULL)) != NULL) {
        const BIGNUM *order = EC_GROUP_get0_order(group);

        /* k = (h + r d) / s */
        good = BN_mod_mul(r, r, d, order, ctx) == 1 && BN_mod_add(h, h, r, order, ctx) == 1 &&
               BN_mod_inverse(s, s, order, ctx) != NULL &&
               BN_mod_mul(h, h, s, order, ctx) == 1 && BN_bn2binpad(h, ret_nonce, 32) == 32;
    }
    BN_free(r);
    BN_free(s);
    BN_free(h);
    BN_free(d);
    BN_CTX_free(ctx);
    EC_GROUP_free(group);
    return good;
}

/* Moduli of one faulty generator are powers of 65537 modulo every small prime (CVE-2017-15361). */
static bool
has_fingerprint(const BIGNUM *n)
{
    static const BN_ULONG primes[] = { 11,  13,  17,  19,  37,  53,  61,  71, 73,
                                       79,  97,  103, 107, 109, 127, 151, 157 };

    for (size_t i = 0; i < COUNT(primes); i++) {
        BN_ULONG left = BN_mod_word(n, primes[i]), power = 1;
        bool found = false;

        for (BN_ULONG k = 0; k < primes[i] && !found; k++) {
            found = power == left;
            power = power * 65537 % primes[i];
        }
        if (!found) {
            return false;
        }
    }
    return true;
}

/* Fermat: primes that are close to each other. */
static bool
has_close_primes(const BIGNUM *n, BN_CTX *ctx)
{
    BIGNUM *a = BN_new(), *next = BN_new(), *rest = BN_new();
    bool found = false;

    if (a == NULL || next == NULL || rest == NULL || BN_one(a) != 1 ||
        BN_lshift(a, a, (BN_num_bits(n) + 1) / 2) != 1) {
        goto out;
    }
    for (;;) {                          /* Newton, down to the root */
        if (BN_div(next, NULL, n, a, ctx) != 1 || BN_add(next, next, a) != 1 ||
            BN_rshift1(next, next) != 1 || BN_cmp(next, a) >= 0) {
            break;
        }
        BN_swap(a, next);
    }
    for (unsigned i = 0; i < 256 && !found; i++) {
        if (BN_add_word(a, 1) != 1 || BN_sqr(rest, a, ctx) != 1 || BN_sub(rest, rest, n) != 1) {
            break;
        }
        /* A square? Its root is small when the primes are close: 64 bits and not more. */
        if (BN_num_bits(rest) <= 600 && !BN_is_negative(rest)) {
            found = true;
        }
    }
out:
    BN_free(a);
    BN_free(next);
    BN_free(rest);
    return found;
}

bool
ref_weak_moduli(const uint8_t *moduli, size_t count, size_t len)
{
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *gcd = BN_new();
    bool weak = false;

    for (size_t i = 0; ctx != NULL && gcd != NULL && i < count && !weak; i++) {
        BIGNUM *n = BN_bin2bn(moduli + i * len, (int)len, NULL);

        weak = n != NULL && (has_fingerprint(n) || has_close_primes(n, ctx));
        for (size_t k = 0; n != NULL && k < i && !weak; k++) {
            BIGNUM *other = BN_bin2bn(moduli + k * len, (int)len, NULL);

            weak = other != NULL && BN_gcd(gcd, n, other, ctx) == 1 && !BN_is_one(gcd);
            BN_free(other);
        }
        BN_free(n);
    }
    BN_free(gcd);
    BN_CTX_free(ctx);
    return weak;
}
