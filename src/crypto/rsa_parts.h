/* SPDX-License-Identifier: Apache-2.0
 *
 * The numbers of an RSA private key and whether they belong together. Only files of crypto/
 * include this.
 */
#ifndef CRYPTO_RSA_PARTS_H
#define CRYPTO_RSA_PARTS_H

#include "base/base.h"

#include <openssl/bn.h>

enum { CRT_P, CRT_Q, CRT_DP, CRT_DQ, CRT_QINV, CRT_COUNT };

/* What is not known is NULL. */
struct rsa_parts {
    BIGNUM *n;
    BIGNUM *e;
    BIGNUM *d;
    BIGNUM *crt[CRT_COUNT];
};

enum rsa_parts_state { RSA_PARTS_GOOD, RSA_PARTS_WRONG, RSA_PARTS_FAILED };

/*
 * Checks what is given (n is odd) and computes what is missing; n, e and d have to be there.
 * FAILED: the library or the memory did.
 */
MUST_USE enum rsa_parts_state rsa_parts_complete(struct rsa_parts *parts);
void rsa_parts_clear(struct rsa_parts *parts);

#endif
