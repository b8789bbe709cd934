/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside a parsed key: the library's form of it, and the contexts prepared with it that wait
 * for their next use. Only files of crypto/ include this.
 */
#ifndef CRYPTO_KEY_H
#define CRYPTO_KEY_H

#include "crypto/algo.h"

#include <openssl/evp.h>

struct ready_pool;

struct algo_key {
    enum object_kind kind;
    EVP_PKEY *pkey;                 /* of a pair; a private key's knows the public one too */
    struct secret *value;           /* secret keys, as the library wants them; private RSA:
                                       see rsa_reject.h */
    const struct curve_row *curve;  /* of keys on curves */
    size_t len;                     /* of the modulus, curve_len(), or the value, in bytes */
    struct ready_pool *pool;
};

/* What one kind of key does: each fills or reads the part of struct algo_key that is its own. */
struct key_parser {
    CK_RV (*parse)(struct algo_key *key, view attributes, view secrets);
    CK_RV (*made)(const struct algo_key *key, view given, struct writer *attributes,
                  struct writer *secrets);
};

extern const struct key_parser rsa_public_parser;
extern const struct key_parser rsa_private_parser;
extern const struct key_parser ec_public_parser;
extern const struct key_parser ec_private_parser;
extern const struct key_parser okp_public_parser;
extern const struct key_parser okp_private_parser;
extern const struct key_parser aes_parser;
extern const struct key_parser generic_parser;
extern const struct key_parser des_parser;
extern const struct key_parser xts_parser;

/* Of algo_key_check(), for both halves of a pair. */
MUST_USE CK_RV rsa_check(const struct algo_key *key);

/* A block of zeros, encrypted with an AES key: the start of a check value, and GCM's H. */
MUST_USE CK_RV aes_zero_block(const struct algo_key *key, uint8_t out[16]);

/*
 * One attribute that is to be made: written when given has none. When given has another one:
 * ATTRIBUTE_VALUE_INVALID; an empty one is left as it is, where may_be_empty.
 */
MUST_USE CK_RV made_bytes(CK_ATTRIBUTE_TYPE type, view value, bool may_be_empty, view given,
                          struct writer *attributes);
MUST_USE CK_RV made_ulong(CK_ATTRIBUTE_TYPE type, uint64_t value, view given,
                          struct writer *attributes);
/* PUBLIC_KEY_INFO of a key with a pkey. */
MUST_USE CK_RV made_public_key_info(const struct algo_key *key, view given,
                                    struct writer *attributes);

/*
 * Sets curve and len of a key on a curve. PKCS #11 v3.1, 6.3.4: a name that is unknown, or of a
 * curve for keys of another type, is CURVE_NOT_SUPPORTED; what is no name DOMAIN_PARAMS_INVALID.
 */
MUST_USE CK_RV key_curve(struct algo_key *key, view attributes);
/* The curve that CKA_EC_PARAMS names, with the same codes. */
MUST_USE CK_RV curve_find(view attributes, const struct curve_row **ret_curve);
/*
 * The point of CKA_EC_POINT, of one of these two lengths in bytes; borrowed from attributes. It is
 * the DER of an OCTET STRING (PKCS #11 v3.1, 6.3.3); the bare point, as many applications give it,
 * is taken as well. False: there is none such.
 */
MUST_USE bool key_point(view attributes, size_t len, size_t other_len, view *ret_point);
/* As CKA_EC_POINT, in an OCTET STRING. */
void key_point_write(struct writer *w, view point);

/* A number of the library as an attribute, at least len bytes long. */
MUST_USE bool key_number_write(struct writer *w, CK_ATTRIBUTE_TYPE type, const BIGNUM *number,
                           size_t len);

#endif
