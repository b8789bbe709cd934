/* SPDX-License-Identifier: Apache-2.0
 *
 * What a driver is to algo.c: one const struct algo. Rows with multi = true are served by
 * start, update and final, single-part calls included (so both ways give the same bytes);
 * the others by once. Only files of crypto/ include this.
 */
#ifndef CRYPTO_DRIVER_H
#define CRYPTO_DRIVER_H

#include "crypto/key.h"
#include "crypto/ready.h"

#define BLOCK_LEN 16u

/* What algo_once() or algo_start() was asked. */
struct algo_call {
    struct rules rules;
    const struct mechanism_row *row;
    CK_FLAGS function;
    const struct mechanism *mechanism; /* only until start returns */
    const struct algo_key *key;
};

/* The state of all drivers; each uses what it needs. */
struct algo_op {
    const struct algo *algo;
    struct algo_call call;
    EVP_MD_CTX *md;
    struct ready *ready;
    EVP_CIPHER_CTX *mac_cipher;  /* of CCM, and what it has come to, and what masks it */
    uint8_t mac[BLOCK_LEN];
    uint8_t mask[BLOCK_LEN];
    uint8_t mask_filled[BLOCK_LEN]; /* of XCBC, where the last block was filled up */
    struct ready_setup setup;    /* of the signature that the digest will get */
    uint8_t held[BLOCK_LEN];     /* the end of the input, while it may be a tag or padding */
    size_t held_len;
    size_t keep_len;             /* how much is held back */
    size_t tag_len;
    bool kept;                   /* its context begins again for the same key, another time */
    size_t unit;                 /* what comes out together */
    uint64_t fed;                /* bytes that went into the cipher */
    uint64_t fed_max;            /* until the counter would overflow, or all there is to be */
    struct writer message;       /* of EdDSA and TLS, which read it at the end */
};

/* All functions: on failure the writers are cut back by the caller. */
struct algo {
    uint32_t kinds; /* of its keys, bits of 1 << enum object_kind; 0 when there is no key */
    CK_RV (*once)(const struct algo_call *call, view in, view signature, struct writer *out);
    CK_RV (*start)(struct algo_op *op);
    CK_RV (*update)(struct algo_op *op, view in, struct writer *out);
    CK_RV (*final)(struct algo_op *op, view signature, struct writer *out);
    CK_RV (*generate)(const struct mechanism_limit *limit, const struct mechanism_row *row,
                      view template, struct algo_source source, struct writer *public_part,
                      struct writer *private_part, struct writer *secrets);
};

extern const struct algo algo_digest;
extern const struct algo algo_hmac;
extern const struct algo algo_cipher;
extern const struct algo algo_cbcmac;
extern const struct algo algo_ccm;
extern const struct algo algo_cfb64;
extern const struct algo algo_stealing;
extern const struct algo algo_cmac;
extern const struct algo algo_poly1305;
extern const struct algo algo_tls_mac;
extern const struct algo algo_gcm_sealed;
extern const struct algo algo_gmac;
extern const struct algo algo_kw;
extern const struct algo algo_tkw;
extern const struct algo algo_rsa;
extern const struct algo algo_rsa_aes;
extern const struct algo algo_ecdh_aes;
extern const struct algo algo_ec;
extern const struct algo algo_eddsa;
extern const struct algo algo_secret;
extern const struct algo algo_derived; /* of all rows that derive and do nothing else */

/* For slots that do not apply: CKR_MECHANISM_INVALID. */
CK_RV refuse_once(const struct algo_call *call, view in, view signature, struct writer *out);
CK_RV refuse_start(struct algo_op *op);
CK_RV refuse_update(struct algo_op *op, view in, struct writer *out);
CK_RV refuse_final(struct algo_op *op, view signature, struct writer *out);
CK_RV refuse_generate(const struct mechanism_limit *limit, const struct mechanism_row *row,
                      view template, struct algo_source source, struct writer *public_part,
                      struct writer *private_part, struct writer *secrets);

/* The generators of key pairs stand beside the parsers of those keys. */
CK_RV rsa_generate(const struct mechanism_limit *limit, const struct mechanism_row *row,
                   view template, struct algo_source source, struct writer *public_part,
                   struct writer *private_part, struct writer *secrets);
CK_RV ec_generate(const struct mechanism_limit *limit, const struct mechanism_row *row,
                  view template, struct algo_source source, struct writer *public_part,
                  struct writer *private_part, struct writer *secrets);

/* AES key wrap with padding (RFC 5649), for mechanisms that draw its key and bring it along: the
 * call's function, with the key of these bytes. */
CK_RV kwp_run(const struct algo_call *call, view aes, view in, struct writer *out);

#endif
