/* SPDX-License-Identifier: Apache-2.0
 *
 * Primes with conditions, as X9.31 and FIPS 186-4 (B.3.6) ask for: p - 1 has a large prime
 * factor, p + 1 has one, and p and q are far apart. Only files of crypto/ include this.
 */
#ifndef CRYPTO_RSA_STRONG_H
#define CRYPTO_RSA_STRONG_H

#include "crypto/rsa_parts.h"

struct rsa_strong {
    BIGNUM *prime;
    BIGNUM *start; /* where the search began */
    BIGNUM *below; /* divides prime - 1 */
    BIGNUM *above; /* divides prime + 1 */
};

/* Auxiliary primes of a modulus of so many bits have at least so many. */
int rsa_strong_aux_bits(int modulus_bits);

/* A prime for a modulus of so many bits, far from the other one's (NULL for the first). False when
 * the library fails. Clear it in any case. */
MUST_USE bool rsa_strong_prime(int modulus_bits, const BIGNUM *e, const struct rsa_strong *other,
                               BN_CTX *ctx, struct rsa_strong *ret_prime);
void rsa_strong_clear(struct rsa_strong *strong);

/* n, d, p and q for this e, which parts has; the rest is rsa_parts_complete()'s. */
MUST_USE bool rsa_strong_pair(int modulus_bits, struct rsa_parts *parts);

#endif
