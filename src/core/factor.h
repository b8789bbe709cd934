/* SPDX-License-Identifier: Apache-2.0
 *
 * The second factor of an officer: an RSA key of 2048 bits, whose public half his record has.
 * The node draws a challenge for one context, one user and one purpose; it is good once and for
 * CHALLENGE_LIFE_MS. What leaves the node is its SHA-256, which the officer signs as PKCS #1 v1.5
 * does (openssl pkeyutl -sign -pkeyopt digest:sha256). Its text cannot be any other thing that is
 * signed here: it begins otherwise.
 */
#ifndef CORE_FACTOR_H
#define CORE_FACTOR_H

#include "core/state.h"

#define CHALLENGE_LIFE_MS (10u * 60u * 1000u)

/* Who has this key: what he signed says so. */
struct factor_proof {
    view key; /* PEM */
    view signature;
};

/* Is it the signature of this challenge, for that purpose and user, by that factor? CKR_OK or
 * CKR_SIGNATURE_INVALID, also when there is no challenge, no factor, or no time left. */
MUST_USE CK_RV factor_check(struct request *r, const struct context_challenge *challenge,
                            uint32_t purpose, uint32_t role, view name,
                            const struct factor *factor, view signature);
/* The key as a user's second factor. CKR_FUNCTION_NOT_SUPPORTED: a node that shares the records
 * could not read it yet; CKR_USER_TYPE_INVALID: he is no officer; CODE_CERT_BAD: no RSA key of 2048
 * bits in PEM; CKR_SIGNATURE_INVALID. */
MUST_USE CK_RV factor_accept(struct request *r, const struct context_challenge *challenge,
                             uint32_t role, view name, const struct factor_proof *proof,
                             struct factor *ret_factor);

#endif
