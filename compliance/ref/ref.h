/* SPDX-License-Identifier: Apache-2.0
 *
 * What mechanisms give, computed with libcrypto and keys that the suite knows.
 */
#ifndef COMPLIANCE_REF_H
#define COMPLIANCE_REF_H

#include "model/model.h"

#define REF_MOST 4096

extern const char *const ref_pem[KEY_COUNT];

/* The values of a key's attributes: the secret of a secret key, or the numbers of a pair. */
struct ref_key {
    uint8_t value[64];                  /* secret key, or the private number of an EC key */
    size_t value_len;
    uint8_t part[8][512];               /* RSA: n e d p q dp dq qinv; EC: point */
    size_t part_len[8];
};

bool ref_key(enum key key, struct ref_key *ret_key);

/* The message of tests, byte after byte; never what would pass for padding. */
uint8_t ref_byte(size_t at);

extern const uint8_t ref_iv[16];

/* Encrypts or digests or authenticates; deterministic mechanisms only. `last` false gives what
 * Updates alone would. */
bool ref_output(const struct work *work, const uint8_t *in, size_t len, bool last, uint8_t *ret_out,
                size_t *ret_len);
bool ref_is_deterministic(const struct work *work);

/* A right ciphertext or signature, also by mechanisms that draw random numbers. */
bool ref_make(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_out,
              size_t *ret_len);

/* Whether out is what the module may have made of in. */
bool ref_check(const struct work *work, const uint8_t *in, size_t len, const uint8_t *out,
               size_t out_len);

/* What decryption gives, padding and tags left aside. */
bool ref_plain(const struct work *work, const uint8_t *in, size_t len, uint8_t *ret_out,
               size_t *ret_len);

/* With a tag of its own: by the mechanism of a test under its key, or AES-GCM under one that is given. */
bool ref_seal_aead(const struct work *work, const uint8_t nonce[12], const uint8_t *aad,
                   size_t aad_len, const uint8_t *in, size_t len, uint8_t *ret_out,
                   uint8_t ret_tag[16]);
bool ref_seal_key(const uint8_t *key, size_t key_len, const uint8_t *nonce, size_t nonce_len,
                  const uint8_t *aad, size_t aad_len, const uint8_t *in, size_t len,
                  uint8_t *ret_out, uint8_t ret_tag[16]);

/* ---- keys that travel ---- */

bool ref_secret(enum key key, uint8_t ret_value[64], size_t *ret_len);

/* Under KEY_AES32, by libcrypto's name of the cipher; under KEY_RSA2048. */
bool ref_wrap(const char *cipher, const uint8_t *value, size_t len, uint8_t *ret_out,
              size_t *ret_len);
bool ref_seal(bool oaep, const uint8_t *value, size_t len, uint8_t *ret_out, size_t *ret_len);
bool ref_unseal(bool oaep, const uint8_t *in, size_t len, uint8_t *ret_out, size_t *ret_len);

/* By RSA-OAEP with SHA-1, to a public key with the exponent 65537; what the suite's EC256 pair and a
 * point agree on; and by RFC 3394. */
bool ref_seal_to(const uint8_t *n, size_t n_len, const uint8_t *value, size_t len,
                 uint8_t *ret_out, size_t *ret_len);
bool ref_agree(const uint8_t *point, size_t len, uint8_t ret_secret[32]);
bool ref_wrap_under(const uint8_t kek[32], const uint8_t *value, size_t len, uint8_t *ret_out,
                    size_t *ret_len);

/* HMAC with SHA-256 under any bytes. */
bool ref_hmac(const uint8_t *key, size_t key_len, const uint8_t *in, size_t len,
              uint8_t ret_mac[32]);

/* A block under an AES key of 16 bytes. */
bool ref_block(const uint8_t key[16], const uint8_t in[16], uint8_t ret_out[16]);

/* What a pair of the suite agrees on with itself. */
bool ref_ecdh(enum key key, uint8_t ret_secret[64]);

/* ---- what numbers give away ---- */

/* The number that an ECDSA signature of KEY_EC256 drew. */
bool ref_nonce(const uint8_t hash[32], const uint8_t sig[64], uint8_t ret_nonce[32]);

/* Whether one of the moduli, each of len bytes, can be factored at once: one with the fingerprint of
 * a faulty generator, with primes that are close, or with one that another has as well. */
bool ref_weak_moduli(const uint8_t *moduli, size_t count, size_t len);

#endif /* COMPLIANCE_REF_H */
