/* SPDX-License-Identifier: Apache-2.0
 *
 * Algorithms, as core/ sees them; no type of the crypto library is named here. Keys come in
 * as attribute lists (public part, secret part), are parsed once and then used by any number
 * of threads. A driver is one const struct algo at the end of its own file.
 *
 * Mechanisms and parameters were checked by rules/ and params_check() before they come here;
 * what only arithmetic can know is answered with the standard's code.
 */
#ifndef CRYPTO_ALGO_H
#define CRYPTO_ALGO_H

#include "base/secret.h"
#include "rules/key.h"
#include "wire/params.h"

/* A key in the form that is ready for use. Immutable; shared between threads. */
struct algo_key;
/* A running multi-part operation. Used by one thread at a time. */
struct algo_op;

/*
 * Parses a key of this kind. attributes and secrets are valid attribute lists. Validates
 * (point on its curve, modulus and exponents, CRT parts that fit): CKR_ATTRIBUTE_VALUE_INVALID
 * or CKR_PUBLIC_KEY_INVALID, CKR_CURVE_NOT_SUPPORTED, CKR_DOMAIN_PARAMS_INVALID,
 * CKR_DEVICE_MEMORY. The lists are not kept.
 */
MUST_USE CK_RV algo_key_new(enum object_kind kind, view attributes, view secrets,
                            struct algo_key **ret_key);
void algo_key_free(struct algo_key *key);

/*
 * What a key that comes from outside is asked once, as it takes long: are the primes prime and
 * apart, is the modulus none that is known to be weak? CKR_ATTRIBUTE_VALUE_INVALID.
 */
MUST_USE CK_RV algo_key_check(const struct algo_key *key);

/*
 * What an object of this kind has to have and its maker did not give: PUBLIC_KEY_INFO,
 * CHECK_VALUE, MODULUS_BITS, VALUE_LEN, and the like (DEFAULT_made of attributes.def). They
 * are written as attributes to `attributes`; completed secret parts (CRT numbers) to
 * `secrets`. given is the list that exists so far; what stands there already is not written.
 * A CHECK_VALUE or PUBLIC_KEY_INFO in given that is not the key's: ATTRIBUTE_VALUE_INVALID.
 */
MUST_USE CK_RV algo_key_made(enum object_kind kind, const struct algo_key *key, view given,
                             struct writer *attributes, struct writer *secrets);

/*
 * Generates for a row with CKF_GENERATE or CKF_GENERATE_KEY_PAIR. template: of the (public)
 * key, for VALUE_LEN, MODULUS_BITS, PUBLIC_EXPONENT, EC_PARAMS. Writes the attributes that
 * the key material gives: to public_part (public key: MODULUS, EC_POINT, ...; for a secret
 * key nothing), to private_part (not secret, e.g. MODULUS and EC_PARAMS of the private key),
 * to secrets. Entropy of secret keys is drawn from fill, which gives false on failure
 * (CKR_FUNCTION_FAILED then).
 */
struct algo_source {
    bool (*fill)(void *arg, void *bytes, size_t len);
    void *arg;
};
MUST_USE CK_RV algo_generate(struct rules rules, const struct mechanism_row *row, view template,
                             struct algo_source source, struct writer *public_part,
                             struct writer *private_part, struct writer *secrets);

/* Derived bytes as a value of that kind: DES keys get their parity. */
void algo_value_adjust(enum object_kind kind, uint8_t *value, size_t len);

/*
 * Derives for a row with CKF_DERIVE: the bytes of the new key (or keys, one after the other)
 * are appended to out. lens is how many each of count keys wants; 0, for one key alone, when
 * as many as there are. others are further keys that the parameter names, or NULL. Codes:
 * PUBLIC_KEY_INVALID (the peer's point), TEMPLATE_INCOMPLETE (a length is needed),
 * TEMPLATE_INCONSISTENT (more than there is).
 */
#define ALGO_KEYS_MAX 4u
struct algo_derivation {
    const struct mechanism_row *row;
    const struct mechanism *mechanism;
    const struct algo_key *base;
    const struct algo_key *others[PARAMS_KEYS_MAX];
    size_t count;
    size_t lens[ALGO_KEYS_MAX];
};
MUST_USE CK_RV algo_derive(struct rules rules, const struct algo_derivation *derivation,
                           struct writer *out);

/* A private key as PrivateKeyInfo (PKCS #8), appended to out, which wipes. KEY_NOT_WRAPPABLE. */
MUST_USE CK_RV algo_key_encode(const struct algo_key *key, struct writer *out);
/* Such bytes as a key of that kind: what stands open to attributes, the rest to secrets; it is
 * not checked yet. zero_padded: zeros may follow. WRAPPED_KEY_INVALID. */
MUST_USE CK_RV algo_key_decode(enum object_kind kind, view der, bool zero_padded,
                               struct writer *attributes, struct writer *secrets);

/*
 * Single-part. function is CKF_ENCRYPT, DECRYPT, SIGN, VERIFY, SIGN_RECOVER, VERIFY_RECOVER or
 * DIGEST; key is NULL for a digest. in: the data (of VERIFY_RECOVER the signature); signature: for
 * VERIFY; out: what comes out is appended (AEAD: the
 * tag follows the ciphertext, on decryption the input ends with it). verify_after_sign: a
 * signature is checked before it is written. Codes: DATA_LEN_RANGE, ENCRYPTED_DATA_LEN_RANGE,
 * ENCRYPTED_DATA_INVALID (padding and tag alike), SIGNATURE_LEN_RANGE, SIGNATURE_INVALID.
 * On failure nothing is appended.
 */
MUST_USE CK_RV algo_once(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
                         const struct mechanism *mechanism, const struct algo_key *key, view in,
                         view signature, struct writer *out);

/*
 * Multi-part. The key must outlive the operation, the mechanism only the call of start. update
 * appends what is ready (for DECRYPT of an AEAD: plaintext before its tag was checked; who must not
 * see it is core's business), final the rest; final on VERIFY takes the signature. start, beside
 * the codes of algo_once(): MECHANISM_INVALID (single-part only), KEY_TYPE_INCONSISTENT. After any
 * error the operation is only good for algo_op_free().
 */
MUST_USE CK_RV algo_start(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
                          const struct mechanism *mechanism, const struct algo_key *key,
                          struct algo_op **ret_op);
MUST_USE CK_RV algo_update(struct algo_op *op, view in, struct writer *out);
MUST_USE CK_RV algo_final(struct algo_op *op, view signature, struct writer *out);
void algo_op_free(struct algo_op *op);

/* PBKDF2 with parameters that params_check() has seen: len bytes are appended to out. */
MUST_USE CK_RV algo_pbkdf2(const struct params_pbkd2 *params, size_t len, struct writer *out);

/* What core/ needs for itself. All give false when the library fails or memory is short. */
MUST_USE bool algo_sha256(view in, uint8_t out[32]);
MUST_USE bool algo_hmac_sha256(view key, view in, uint8_t out[32]);
/* HKDF-SHA256, RFC 5869, extract and expand. */
MUST_USE bool algo_hkdf(view key, view salt, view info, uint8_t *out, size_t len);
/* scrypt, RFC 7914. */
MUST_USE bool algo_scrypt(view password, view salt, uint64_t n, uint32_t r, uint32_t p,
                          uint8_t *out, size_t len);
/* Ed25519, RFC 8032: the public key of a seed, a signature, and whether one is right. */
MUST_USE bool algo_ed25519_public(const uint8_t seed[32], uint8_t out[32]);
MUST_USE bool algo_ed25519_sign(const uint8_t seed[32], view in, uint8_t out[64]);
MUST_USE bool algo_ed25519_verify(const uint8_t public_key[32], view in,
                                  const uint8_t signature[64]);
/* X25519, RFC 7748: the public key of a private one, and the secret of one and another's public key
 * (false too where that is of small order). */
MUST_USE bool algo_x25519_public(const uint8_t private_key[32], uint8_t out[32]);
MUST_USE bool algo_x25519(const uint8_t private_key[32], const uint8_t public_key[32],
                          uint8_t out[32]);
/* AES-256-GCM with a 12-byte nonce; the tag (16 bytes) is the end of the sealed bytes. */
MUST_USE bool algo_seal(const uint8_t key[32], const uint8_t nonce[12], view aad, view plain,
                        struct writer *out);
MUST_USE bool algo_unseal(const uint8_t key[32], const uint8_t nonce[12], view aad, view sealed,
                          struct writer *out);

/*
 * Tells pieces of data apart: a mark for each, which is the same again only for the same number and
 * bytes. Whoever knows a mark could make others: they are for comparison by who has the key.
 */
#define ALGO_PIECE_LEN 16u
struct algo_pieces;
struct algo_pieces *algo_pieces_new(const uint8_t key[32]);
void algo_pieces_free(struct algo_pieces *pieces);
MUST_USE bool algo_pieces_mark(struct algo_pieces *pieces, uint32_t number, view piece,
                               uint8_t out[ALGO_PIECE_LEN]);

#endif
