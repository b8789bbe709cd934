/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys and certificates by which a node is known: its request, what the owner signs, and whether
 * that is what it has to be. Also the signatures of owners and officers, who sign with openssl.
 * No type of the crypto library is named here. Certificates are PEM, private keys PKCS #8 (DER),
 * public keys SubjectPublicKeyInfo (DER). Times are milliseconds since 1970.
 */
#ifndef CRYPTO_CERT_H
#define CRYPTO_CERT_H

#include "base/bytes.h"
#include "rules/rules.h"

#define CERT_PEM_MAX 16384u /* of one certificate or public key, as it comes from outside */
#define CERT_NAME_MAX 64u   /* of a common name (RFC 5280, ub-common-name) */

/* A new private key of a node, on P-256, appended; the writer is to wipe. */
MUST_USE CK_RV cert_key_new(struct writer *out);
/* What cert_key_new() gave, as PEM ("BEGIN PRIVATE KEY"); the writer is to wipe. */
MUST_USE CK_RV cert_key_pem(view key, struct writer *out);
/* The request for a certificate of that name, PEM: C=US, ST=CA, O=Cavium, OU=N3FIPS, L=SanJose. */
MUST_USE CK_RV cert_request(view key, const char *name, struct writer *out);
/* A certificate that the key signs itself, for a node without an owner; good for a year. */
MUST_USE CK_RV cert_self(view key, const char *name, uint64_t now, struct writer *out);

/*
 * Is it an owner's certificate (PO.crt)? CODE_CERT_BAD: no single certificate in PEM;
 * CODE_CERT_OWNER: not self-signed, no CA, or its key is neither RSA of 2048 bits nor EC of 256
 * or more; CODE_CERT_TIME: expired, or not valid yet.
 */
MUST_USE CK_RV cert_check_owner(view owner, uint64_t now);
/*
 * Is it the node's certificate (POAC.crt), signed by that owner? CODE_CERT_BAD; CODE_CERT_KEY: of
 * another key or name than the request's; CODE_CERT_CHAIN: not signed by owner, or not good for a
 * TLS server; CODE_CERT_TIME.
 */
MUST_USE CK_RV cert_check_node(view owner, view node, view key, const char *name, uint64_t now);

/*
 * Is it the certificate of a node of that owner's, by its name "HSM:<serial>:PARTN:<n>"? Room for
 * 16 letters or digits and an end. CODE_CERT_BAD; CODE_CERT_CHAIN; CODE_CERT_TIME; CODE_CERT_KEY:
 * of another kind of name.
 */
#define CERT_SERIAL_MAX 16u
MUST_USE CK_RV cert_check_member(view owner, view node, uint64_t now,
                                 char ret_serial[CERT_SERIAL_MAX + 1]);
/* The name alone. */
MUST_USE CK_RV cert_member_serial(view node, char ret_serial[CERT_SERIAL_MAX + 1]);

/* SHA-256 of the public key (SubjectPublicKeyInfo) of a certificate or a request. CODE_CERT_BAD. */
#define CERT_FINGERPRINT_LEN 32u
MUST_USE CK_RV cert_fingerprint(view pem, uint8_t ret_print[CERT_FINGERPRINT_LEN]);

/* The public key of a certificate or of "BEGIN PUBLIC KEY", appended; RSA of 2048 bits or EC of
 * 256 or more. CODE_CERT_BAD. */
MUST_USE CK_RV cert_public_key(view pem, struct writer *out);
/* A private key as PEM, without a password, as PKCS #8; the writer is to wipe. CODE_CERT_BAD. */
MUST_USE CK_RV cert_key_read(view pem, struct writer *out);
/* Signs with SHA-256 (RSA: PKCS #1 v1.5). */
MUST_USE CK_RV cert_sign(view key, view data, struct writer *out);
/* Is it the key's signature with SHA-256 (RSA: PKCS #1 v1.5)? CKR_SIGNATURE_INVALID. */
MUST_USE CK_RV cert_verify(view public_key, view data, view signature);

#endif
