/* SPDX-License-Identifier: Apache-2.0
 *
 * What an RSA key is asked once, when it comes from outside, beyond what parsing asks each time:
 * SP 800-56B rev. 2, 6.4.1 and 6.4.2, and whether it is one of those whose primes can be found
 * from the modulus (Nemec and others, "The Return of Coppersmith's Attack", 2017).
 */
#include "crypto/key.h"
#include "crypto/library.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>

#define APART_BITS 100

/* The moduli of the library in question are powers of 65537 modulo each of these. */
static const unsigned char small_primes[] = {
    3,  5,  7,  11, 13, 17, 19, 23,  29,  31,  37,  41,  43,  47,  53,  59,  61,  67,  71,
    73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
};

static bool
is_power_of_65537(unsigned number, unsigned prime)
{
    unsigned power = 1;

    do {
        if (power == number) {
            return true;
        }
        power = power * (65537u % prime) % prime;
    } while (power != 1);
    return false;
}

/* Of other moduli one in some hundred million looks so. */
static bool
is_predictable(const BIGNUM *n)
{
    for (size_t i = 0; i < ARRAY_COUNT(small_primes); i++) {
        if (!is_power_of_65537((unsigned)BN_mod_word(n, small_primes[i]), small_primes[i])) {
            return false;
        }
    }
    return true;
}

/* No prime, for which anyone knows the private exponent. */
static CK_RV
modulus_check(const BIGNUM *n, BN_CTX *ctx)
{
    int prime = BN_check_prime(n, ctx, NULL);

    if (prime < 0) {
        return library_failed("check a modulus");
    }
    return prime == 1 || is_predictable(n) ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
}

/* Two primes that are close are the first that one tries (Fermat's method). */
static CK_RV
primes_check(const BIGNUM *p, const BIGNUM *q, int modulus_bits, BN_CTX *ctx)
{
    BIGNUM *difference = BN_secure_new();
    int p_prime, q_prime = 1;
    CK_RV rv = CKR_ATTRIBUTE_VALUE_INVALID;

    if (difference == NULL || BN_sub(difference, p, q) != 1 ||
        (p_prime = BN_check_prime(p, ctx, NULL)) < 0 ||
        (p_prime == 1 && (q_prime = BN_check_prime(q, ctx, NULL)) < 0)) {
        rv = library_failed("check the primes of an RSA key");
    } else if (p_prime == 1 && q_prime == 1 &&
               BN_num_bits(difference) > modulus_bits / 2 - APART_BITS) {
        rv = CKR_OK;
    }
    BN_clear_free(difference);
    return rv;
}

CK_RV
rsa_check(const struct algo_key *key)
{
    const bool private = key->kind == KIND_RSA_PRIVATE;
    BIGNUM *n = NULL, *p = NULL, *q = NULL;
    BN_CTX *ctx = BN_CTX_secure_new();
    CK_RV rv;

    if (ctx == NULL || EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        (private && (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR1, &p) != 1 ||
                     EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_FACTOR2, &q) != 1))) {
        rv = library_failed("read an RSA key");
    } else if ((rv = modulus_check(n, ctx)) == CKR_OK && private) {
        rv = primes_check(p, q, BN_num_bits(n), ctx);
    }
    BN_free(n);
    BN_clear_free(p);
    BN_clear_free(q);
    BN_CTX_free(ctx);
    return rv;
}
