/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA as arithmetic: numbers below the modulus, in and out, without any padding. Only files of
 * crypto/ include this.
 */
#ifndef CRYPTO_RSA_RAW_H
#define CRYPTO_RSA_RAW_H

#include "crypto/pkey.h"

/*
 * number^e (CKF_ENCRYPT) or, blinded, number^d (CKF_DECRYPT) mod n; out is as long as the
 * modulus, number at most so. too_big is the code for a number that is not below the modulus.
 */
MUST_USE CK_RV rsa_raw(const struct algo_key *key, CK_FLAGS function, view number, CK_RV too_big,
                       uint8_t *out);

/* CKM_RSA_X_509, all functions. */
MUST_USE CK_RV rsa_raw_once(const struct algo_call *call, view in, view signature,
                            struct writer *out);

#endif
