/* SPDX-License-Identifier: Apache-2.0
 *
 * PKCS #1 v1.5 decryption that never tells whether the padding was right: to a wrong one the
 * answer is a message too, made from key and ciphertext (draft-irtf-cfrg-rsa-guidance). Only files
 * of crypto/ include this.
 */
#ifndef CRYPTO_RSA_REJECT_H
#define CRYPTO_RSA_REJECT_H

#include "crypto/key.h"

#include <openssl/bn.h>

/* What such messages are made with, from the private exponent; part of a parsed private key. */
MUST_USE CK_RV rsa_reject_prepare(struct algo_key *key, const BIGNUM *d);

/* in is as long as the modulus. ENCRYPTED_DATA_INVALID for what is not below it. */
MUST_USE CK_RV rsa_reject_decrypt(const struct algo_key *key, view in, struct writer *out);

#endif
