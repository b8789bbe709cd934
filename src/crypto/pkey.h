/* SPDX-License-Identifier: Apache-2.0
 *
 * Signing and verifying with a prepared context, as RSA and ECDSA share it. Only files of
 * crypto/ include this.
 */
#ifndef CRYPTO_PKEY_H
#define CRYPTO_PKEY_H

#include "crypto/digest.h"

#define RSA_LEN_MAX 2048u /* 16384 bits */

/*
 * A context for the setup, made or taken; the caller gives it back after success and frees it
 * else. mode is RSA's padding (0 for EC); of PSS hash, mgf and number (the length of the
 * salt) are used, of OAEP hash and mgf, of PKCS #1 v1.5 signatures hash, unless it is none.
 */
MUST_USE CK_RV pkey_ready(const struct algo_key *key, const struct ready_setup *setup,
                          struct ready **ret_ready);

/* *ret_len is the room at signature before, what was used of it after. */
MUST_USE CK_RV pkey_sign(const struct algo_key *key, struct ready_setup setup, view digest,
                         uint8_t *signature, size_t *ret_len);
/* In the library's form. CKR_SIGNATURE_INVALID. */
MUST_USE CK_RV pkey_verify(const struct algo_key *key, struct ready_setup setup, view digest,
                           view signature);
/* Is a signature to be verified before it is released? (switch verify_after_sign) */
bool pkey_rechecks(const struct algo_call *call);
/* What comes of that: anything but CKR_OK is a fault of this host. */
MUST_USE CK_RV pkey_rechecked(CK_RV verified);

/* The data of a library's call: it wants a pointer even for no bytes. */
static inline const uint8_t *
pkey_data(view v)
{
    static const uint8_t none;

    return v.len == 0 ? &none : v.data;
}

#endif
