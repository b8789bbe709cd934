/* SPDX-License-Identifier: Apache-2.0
 *
 * Primes from the exponents (SP 800-56B rev. 2, appendix C.1), the rest from the primes. Each
 * number that was given is compared with the one computed.
 */
#include "crypto/rsa_parts.h"

#define TRIES 100u

static BIGNUM *
secret_number(void)
{
    BIGNUM *number = BN_secure_new();

    if (number != NULL) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
    }
    return number;
}

static BIGNUM *
secret_minus_one(const BIGNUM *number)
{
    BIGNUM *less = secret_number();

    if (less != NULL && (BN_copy(less, number) == NULL || BN_sub_word(less, 1) != 1)) {
        BN_clear_free(less);
        return NULL;
    }
    return less;
}

/*
 * One base: squares g^odd until 1 appears; the number before it, if neither 1 nor n - 1, shares
 * a factor with n. *ret_p stays NULL when this base gives none.
 */
static bool
factor_try(const BIGNUM *n, const BIGNUM *odd, int twos, BN_ULONG g, BN_CTX *ctx, BIGNUM **ret_p)
{
    BIGNUM *x = secret_number();
    BIGNUM *y = secret_number();
    BIGNUM *top = secret_minus_one(n);
    bool done = x != NULL && y != NULL && top != NULL && BN_set_word(x, g) == 1 &&
                BN_mod_exp(y, x, odd, n, ctx) == 1;

    for (int i = 0; done && i < twos && !BN_is_one(y) && BN_cmp(y, top) != 0; i++) {
        done = BN_copy(x, y) != NULL && BN_mod_sqr(y, x, n, ctx) == 1;
        if (done && BN_is_one(y)) {
            done = BN_sub_word(x, 1) == 1 && BN_gcd(y, x, n, ctx) == 1;
            if (done) {
                *ret_p = y;
                y = NULL;
            }
            break;
        }
    }
    BN_clear_free(x);
    BN_clear_free(y);
    BN_free(top);
    return done;
}

/* p from d e - 1, a multiple of the order of every number; half of all bases find it. */
static enum rsa_parts_state
prime_recover(struct rsa_parts *parts, BN_CTX *ctx)
{
    enum rsa_parts_state state = RSA_PARTS_FAILED;
    BIGNUM *odd = secret_number();
    int twos = 0;

    if (odd == NULL || BN_mul(odd, parts->d, parts->e, ctx) != 1 || BN_sub_word(odd, 1) != 1) {
        goto out;
    }
    if (BN_is_zero(odd) || BN_is_odd(odd)) {
        state = RSA_PARTS_WRONG;
        goto out;
    }
    while (BN_is_bit_set(odd, twos) == 0) {
        twos++;
    }
    if (BN_rshift(odd, odd, twos) != 1) {
        goto out;
    }
    for (BN_ULONG g = 2; g < TRIES + 2 && parts->crt[CRT_P] == NULL; g++) {
        if (!factor_try(parts->n, odd, twos, g, ctx, &parts->crt[CRT_P])) {
            goto out;
        }
    }
    state = parts->crt[CRT_P] == NULL ? RSA_PARTS_WRONG : RSA_PARTS_GOOD;
out:
    BN_clear_free(odd);
    return state;
}

/* Of primes that nobody named, the larger one is the first, as is the custom. */
static void
primes_order(struct rsa_parts *parts)
{
    if (BN_cmp(parts->crt[CRT_P], parts->crt[CRT_Q]) < 0) {
        BN_swap(parts->crt[CRT_P], parts->crt[CRT_Q]);
    }
}

/* Takes over a number just computed, or compares it with the one given. */
static enum rsa_parts_state
part_take(struct rsa_parts *parts, size_t which, BIGNUM *computed)
{
    bool same;

    if (parts->crt[which] == NULL) {
        parts->crt[which] = computed;
        return RSA_PARTS_GOOD;
    }
    same = BN_cmp(parts->crt[which], computed) == 0;
    BN_clear_free(computed);
    return same ? RSA_PARTS_GOOD : RSA_PARTS_WRONG;
}

/* The other prime: n divided by this one, without remainder. */
static enum rsa_parts_state
prime_other(struct rsa_parts *parts, size_t from, size_t to, BN_CTX *ctx)
{
    const BIGNUM *prime = parts->crt[from];
    BIGNUM *other = secret_number();
    BIGNUM *rest = secret_number();
    enum rsa_parts_state state = RSA_PARTS_FAILED;

    if (other == NULL || rest == NULL) {
        goto out;
    }
    if (BN_is_zero(prime) || BN_is_one(prime) || BN_cmp(prime, parts->n) >= 0) {
        state = RSA_PARTS_WRONG;
        goto out;
    }
    if (BN_div(other, rest, parts->n, prime, ctx) != 1) {
        goto out;
    }
    if (!BN_is_zero(rest)) {
        state = RSA_PARTS_WRONG;
        goto out;
    }
    state = part_take(parts, to, other);
    other = NULL;
out:
    BN_clear_free(other);
    BN_clear_free(rest);
    return state;
}

static enum rsa_parts_state
primes_complete(struct rsa_parts *parts, BN_CTX *ctx)
{
    bool found = parts->crt[CRT_P] == NULL && parts->crt[CRT_Q] == NULL;
    enum rsa_parts_state state;

    if (parts->crt[CRT_P] == NULL && parts->crt[CRT_Q] != NULL) {
        return prime_other(parts, CRT_Q, CRT_P, ctx);
    }
    if (found && (state = prime_recover(parts, ctx)) != RSA_PARTS_GOOD) {
        return state;
    }
    state = prime_other(parts, CRT_P, CRT_Q, ctx);
    if (state == RSA_PARTS_GOOD && found) {
        primes_order(parts);
    }
    return state;
}

/* d mod (prime - 1), and that d e is 1 there: with both primes, 1 mod lcm(p - 1, q - 1). */
static enum rsa_parts_state
exponent_complete(struct rsa_parts *parts, size_t prime, size_t which, BN_CTX *ctx)
{
    BIGNUM *less = secret_minus_one(parts->crt[prime]);
    BIGNUM *exponent = secret_number();
    BIGNUM *product = secret_number();
    enum rsa_parts_state state = RSA_PARTS_FAILED;

    if (less == NULL || exponent == NULL || product == NULL ||
        BN_mod(exponent, parts->d, less, ctx) != 1 ||
        BN_mod_mul(product, exponent, parts->e, less, ctx) != 1) {
        goto out;
    }
    if (!BN_is_one(product)) {
        state = RSA_PARTS_WRONG;
        goto out;
    }
    state = part_take(parts, which, exponent);
    exponent = NULL;
out:
    BN_clear_free(less);
    BN_clear_free(exponent);
    BN_clear_free(product);
    return state;
}

static enum rsa_parts_state
coefficient_complete(struct rsa_parts *parts, BN_CTX *ctx)
{
    BIGNUM *inverse = secret_number();

    if (inverse == NULL) {
        return RSA_PARTS_FAILED;
    }
    /* There is none when the primes are equal, or not prime at all. */
    if (BN_mod_inverse(inverse, parts->crt[CRT_Q], parts->crt[CRT_P], ctx) == NULL) {
        BN_clear_free(inverse);
        return RSA_PARTS_WRONG;
    }
    return part_take(parts, CRT_QINV, inverse);
}

enum rsa_parts_state
rsa_parts_complete(struct rsa_parts *parts)
{
    enum rsa_parts_state state;
    BN_CTX *ctx;

    if (parts->d == NULL || BN_is_zero(parts->d) || BN_cmp(parts->d, parts->n) >= 0) {
        return RSA_PARTS_WRONG;
    }
    ctx = BN_CTX_secure_new();
    if (ctx == NULL) {
        return RSA_PARTS_FAILED;
    }
    if ((state = primes_complete(parts, ctx)) == RSA_PARTS_GOOD &&
        (state = exponent_complete(parts, CRT_P, CRT_DP, ctx)) == RSA_PARTS_GOOD &&
        (state = exponent_complete(parts, CRT_Q, CRT_DQ, ctx)) == RSA_PARTS_GOOD) {
        state = coefficient_complete(parts, ctx);
    }
    BN_CTX_free(ctx);
    return state;
}

void
rsa_parts_clear(struct rsa_parts *parts)
{
    BN_free(parts->n);
    BN_free(parts->e);
    BN_clear_free(parts->d);
    for (size_t i = 0; i < CRT_COUNT; i++) {
        BN_clear_free(parts->crt[i]);
    }
    *parts = (struct rsa_parts){ 0 };
}
