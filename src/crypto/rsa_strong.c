/* SPDX-License-Identifier: Apache-2.0
 *
 * FIPS 186-4, B.3.6 and C.9: probable primes with conditions based on auxiliary probable primes.
 * The names in comments are those of the standard.
 */
#include "crypto/rsa_strong.h"

#define APART_BITS 100 /* p and q, and where they began, differ within so many leading bits */
#define TRIES_PER_BIT 5

int
rsa_strong_aux_bits(int modulus_bits)
{
    /* FIPS 186-4, table B.1; from 4096 on FIPS 186-5, table A.1. */
    return modulus_bits >= 4096 ? 201 : modulus_bits >= 3072 ? 171 : modulus_bits >= 2048 ? 141
                                                                                          : 101;
}

static BIGNUM *
secret_number(void)
{
    BIGNUM *number = BN_secure_new();

    if (number != NULL) {
        BN_set_flags(number, BN_FLG_CONSTTIME);
    }
    return number;
}

static bool
strong_init(struct rsa_strong *strong)
{
    *strong = (struct rsa_strong){ secret_number(), secret_number(), secret_number(),
                                   secret_number() };
    return strong->prime != NULL && strong->start != NULL && strong->below != NULL &&
           strong->above != NULL;
}

void
rsa_strong_clear(struct rsa_strong *strong)
{
    BN_clear_free(strong->prime);
    BN_clear_free(strong->start);
    BN_clear_free(strong->below);
    BN_clear_free(strong->above);
    *strong = (struct rsa_strong){ 0 };
}

/* The first prime from a random odd number on. */
static bool
auxiliary_find(int bits, BN_CTX *ctx, BIGNUM *prime)
{
    int found;

    if (BN_priv_rand(prime, bits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ODD) != 1) {
        return false;
    }
    while ((found = BN_check_prime(prime, ctx, NULL)) == 0) {
        if (BN_add_word(prime, 2) != 1) {
            return false;
        }
    }
    return found == 1;
}

/* R: 1 modulo 2 r1, -1 modulo r2; and step = 2 r1 r2. */
static bool
residue_find(const struct rsa_strong *strong, BN_CTX *ctx, BIGNUM *residue, BIGNUM *step)
{
    BIGNUM *twice = secret_number();
    BIGNUM *a = secret_number();
    BIGNUM *b = secret_number();
    bool done = twice != NULL && a != NULL && b != NULL &&
                BN_lshift1(twice, strong->below) == 1 &&
                BN_mod_inverse(a, strong->above, twice, ctx) != NULL &&
                BN_mul(a, a, strong->above, ctx) == 1 &&
                BN_mod_inverse(b, twice, strong->above, ctx) != NULL &&
                BN_mul(b, b, twice, ctx) == 1 &&
                BN_mul(step, twice, strong->above, ctx) == 1 && BN_sub(a, a, b) == 1 &&
                BN_nnmod(residue, a, step, ctx) == 1;

    BN_clear_free(twice);
    BN_clear_free(a);
    BN_clear_free(b);
    return done;
}

/* Do they differ by more than 2^(bits - APART_BITS)? */
static bool
apart(const BIGNUM *a, const BIGNUM *b, int bits, bool *ret_apart)
{
    BIGNUM *difference = secret_number();
    bool done = difference != NULL && BN_sub(difference, a, b) == 1;

    if (done) {
        *ret_apart = BN_num_bits(difference) > bits - APART_BITS;
    }
    BN_clear_free(difference);
    return done;
}

/* Is Y a prime that e goes with? */
static bool
candidate_check(const BIGNUM *candidate, const BIGNUM *e, BN_CTX *ctx, bool *ret_good)
{
    BIGNUM *less = secret_number();
    BIGNUM *common = secret_number();
    int prime = 0;
    bool done = less != NULL && common != NULL && BN_copy(less, candidate) != NULL &&
                BN_sub_word(less, 1) == 1 && BN_gcd(common, less, e, ctx) == 1;

    if (done && BN_is_one(common)) {
        prime = BN_check_prime(candidate, ctx, NULL);
        done = prime >= 0;
    }
    *ret_good = prime == 1;
    BN_clear_free(less);
    BN_clear_free(common);
    return done;
}

/* X, and Y: the first number from there on that leaves R. The two top bits of X are set, so it is
 * above the square root of 2 times half its range. */
static bool
search_begin(int bits, const struct rsa_strong *other, const BIGNUM *residue, const BIGNUM *step,
             BN_CTX *ctx, struct rsa_strong *strong)
{
    bool far = true;

    do {
        if (BN_priv_rand(strong->start, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ANY) != 1 ||
            (other != NULL && !apart(strong->start, other->start, bits, &far))) {
            return false;
        }
    } while (!far);
    return BN_mod_sub(strong->prime, residue, strong->start, step, ctx) == 1 &&
           BN_add(strong->prime, strong->prime, strong->start) == 1;
}

static bool
search(int bits, const BIGNUM *e, const struct rsa_strong *other, const BIGNUM *residue,
       const BIGNUM *step, BN_CTX *ctx, struct rsa_strong *strong)
{
    bool good = false;

    while (!good) {
        if (!search_begin(bits, other, residue, step, ctx, strong)) {
            return false;
        }
        for (int i = 0; i < TRIES_PER_BIT * bits && BN_num_bits(strong->prime) == bits; i++) {
            if (!candidate_check(strong->prime, e, ctx, &good)) {
                return false;
            }
            if (good) {
                break;
            }
            if (BN_add(strong->prime, strong->prime, step) != 1) {
                return false;
            }
        }
        if (good && other != NULL && !apart(strong->prime, other->prime, bits, &good)) {
            return false;
        }
    }
    return true;
}

bool
rsa_strong_prime(int modulus_bits, const BIGNUM *e, const struct rsa_strong *other, BN_CTX *ctx,
                 struct rsa_strong *ret_prime)
{
    const int aux_bits = rsa_strong_aux_bits(modulus_bits);
    BIGNUM *residue = secret_number();
    BIGNUM *step = secret_number();
    bool done = strong_init(ret_prime) && residue != NULL && step != NULL &&
                auxiliary_find(aux_bits, ctx, ret_prime->below) &&
                auxiliary_find(aux_bits, ctx, ret_prime->above) &&
                residue_find(ret_prime, ctx, residue, step) &&
                search(modulus_bits / 2, e, other, residue, step, ctx, ret_prime);

    BN_clear_free(residue);
    BN_clear_free(step);
    return done;
}

/* d: the inverse of e modulo lcm(p - 1, q - 1). */
static bool
exponent_find(const BIGNUM *p, const BIGNUM *q, const BIGNUM *e, BN_CTX *ctx, BIGNUM *d)
{
    BIGNUM *a = secret_number();
    BIGNUM *b = secret_number();
    BIGNUM *common = secret_number();
    BIGNUM *multiple = secret_number();
    bool done = a != NULL && b != NULL && common != NULL && multiple != NULL &&
                BN_copy(a, p) != NULL && BN_sub_word(a, 1) == 1 && BN_copy(b, q) != NULL &&
                BN_sub_word(b, 1) == 1 && BN_gcd(common, a, b, ctx) == 1 &&
                BN_mul(multiple, a, b, ctx) == 1 &&
                BN_div(multiple, NULL, multiple, common, ctx) == 1 &&
                BN_mod_inverse(d, e, multiple, ctx) != NULL;

    BN_clear_free(a);
    BN_clear_free(b);
    BN_clear_free(common);
    BN_clear_free(multiple);
    return done;
}

bool
rsa_strong_pair(int modulus_bits, struct rsa_parts *parts)
{
    struct rsa_strong p = { 0 }, q = { 0 };
    BN_CTX *ctx = BN_CTX_secure_new();
    bool done = false;

    parts->n = BN_new();
    parts->d = secret_number();
    if (ctx == NULL || parts->n == NULL || parts->d == NULL) {
        goto out;
    }
    do { /* once, but for a d of less than half of the bits: about never */
        rsa_strong_clear(&p);
        rsa_strong_clear(&q);
        if (!rsa_strong_prime(modulus_bits, parts->e, NULL, ctx, &p) ||
            !rsa_strong_prime(modulus_bits, parts->e, &p, ctx, &q) ||
            !exponent_find(p.prime, q.prime, parts->e, ctx, parts->d)) {
            goto out;
        }
    } while (BN_num_bits(parts->d) <= modulus_bits / 2);
    done = BN_mul(parts->n, p.prime, q.prime, ctx) == 1;
    if (BN_cmp(p.prime, q.prime) < 0) {
        BN_swap(p.prime, q.prime); /* the larger one first, as is the custom */
    }
    parts->crt[CRT_P] = p.prime;
    parts->crt[CRT_Q] = q.prime;
    p.prime = q.prime = NULL;
out:
    rsa_strong_clear(&p);
    rsa_strong_clear(&q);
    BN_CTX_free(ctx);
    return done;
}
