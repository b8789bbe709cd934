/* SPDX-License-Identifier: Apache-2.0
 *
 * What the key tool does with keys on this host: PEM in and out, wrapping by a value that the user
 * has, the two forms of signatures. Nothing here talks to an HSM.
 */
#ifndef TOOLS_HOST_H
#define TOOLS_HOST_H

#include "base/secret.h"
#include "rules/attribute.h"

/* First of all in a program: no core file, and what the library frees is wiped. */
void host_begin(void);

#define HOST_KEY_MAX 65536u /* bytes of a key in a file */

/* The private key of a PEM file without a password, as PrivateKeyInfo; NULL when there is none.
 * CKK_DSA is such a type, though the HSM has no keys of it. */
MUST_USE struct secret *host_private_read(view pem, CK_KEY_TYPE *ret_type);
/* Appends what a public key has: MODULUS and PUBLIC_EXPONENT, or EC_PARAMS and EC_POINT. False when
 * the file has no public key of RSA or a named curve. */
MUST_USE bool host_public_read(view pem, CK_KEY_TYPE *ret_type, struct writer *attributes);
/* PEM of a PrivateKeyInfo or of a SubjectPublicKeyInfo. */
MUST_USE bool host_private_write(view info, struct writer *pem);
MUST_USE bool host_public_write(view info, struct writer *pem);
/* The first bytes of the SHA-1 of a public key stand for its check value. */
MUST_USE bool host_public_check(view info, uint8_t ret_check[3]);

/* RFC 3394 over PKCS #5, as mechanism 4 of wrapKey. WRAPPING_KEY_SIZE_RANGE, KEY_SIZE_RANGE,
 * WRAPPED_KEY_INVALID. */
MUST_USE CK_RV host_wrap(view key, view plain, struct writer *blob);
MUST_USE CK_RV host_unwrap(view key, view blob, struct writer *plain);

/* Of SoftHSM2: appends what an IV and a ciphertext after it open to (AES-256-CBC, PKCS #5). False:
 * another key, or damaged. */
#define HOST_SOFTHSM_KEY_LEN 32u
MUST_USE bool host_softhsm_open(view key, view sealed, struct writer *out);
/* And the key that a PIN and a salt (of a byte at least) give: SHA-256 of both, and of that again
 * and again. */
MUST_USE bool host_softhsm_key(view salt, view pin, uint8_t ret_key[HOST_SOFTHSM_KEY_LEN]);

/* An ECDSA signature: the two numbers one after the other, as the HSM has them, into DER in their
 * place; and back, each number half bytes long. What is no DER comes out as it is. */
MUST_USE bool host_signature_to_der(struct writer *signature);
void host_signature_from_der(view signature, size_t half, struct writer *out);

#endif
