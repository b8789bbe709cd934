/* SPDX-License-Identifier: Apache-2.0
 *
 * Owners and nodes by their certificates and keys, in PEM or DER: what is sealed to an owner, what
 * a node signed. And a secret shared among several owners. Nothing here is for applications' keys.
 */
#ifndef CRYPTO_OWNER_H
#define CRYPTO_OWNER_H

#include "base/secret.h"

#define OWNER_PRINT_LEN 32u
#define OWNER_SEALED_MAX 1024u

/* SHA-256 of the public key (SubjectPublicKeyInfo) of a certificate, PEM. */
MUST_USE bool owner_print(view certificate, uint8_t ret_print[OWNER_PRINT_LEN]);
/* Seals a few bytes to the RSA key of a certificate (OAEP with SHA-256), appended to out. False,
 * logged: the certificate does not read, its key is not RSA of at least 2048 bits. */
MUST_USE bool owner_seal(view certificate, view secret, struct writer *out);

/* A private key, PEM; passphrase is asked for only when the key wants one, and its answer is the
 * caller's to give: NULL ends it. */
struct owner_key;
typedef struct secret *owner_ask(void *arg);
struct owner_key *owner_key_read(view pem, owner_ask *ask, void *arg);
/* PKCS #8 in DER. */
struct owner_key *owner_key_read_der(view der);
void owner_key_free(struct owner_key *key);
/* As owner_print() of its certificate. */
MUST_USE bool owner_key_print(const struct owner_key *key, uint8_t ret_print[OWNER_PRINT_LEN]);
/* NULL when it was not sealed to this key, or was changed. */
struct secret *owner_key_open(const struct owner_key *key, view sealed);
/* Signs (RSA and ECDSA with SHA-256, Ed25519); the signature is appended to out. */
MUST_USE bool owner_key_sign(const struct owner_key *key, view in, struct writer *out);

/* A PEM certificate as DER. */
MUST_USE bool owner_certificate_der(view pem, struct writer *out);
/* Did the anchor (PEM) sign this certificate (DER), or is it the anchor, and did its key make
 * the signature? Dates are not asked: what was signed yesterday stays signed. */
MUST_USE bool owner_verify(view anchor, view certificate, view in, view signature);

/*
 * Shamir's sharing over GF(256): any needed of count shares give the secret, fewer tell nothing.
 * A share is its number from 1, then as many bytes as the secret. random has needed - 1 times as
 * many random bytes. shares has room for count shares, one after the other.
 */
#define SHARES_MAX 16u
void shares_make(view secret, view random, unsigned needed, unsigned count, uint8_t *shares);
/* len bytes each; false when a number is 0 or there twice. */
MUST_USE bool shares_join(const view *shares, unsigned count, struct secret **ret_secret);

#endif
