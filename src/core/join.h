/* SPDX-License-Identifier: Apache-2.0
 *
 * How a node gets the master key from a member. Each side draws a nonce and an X25519 key for this
 * alone; both sign, with the keys of their certificates, a transcript of all that was said. The
 * master key is sealed with AES-256-GCM under HKDF-SHA256 of the shared secret, with the transcript
 * as salt, so it opens in this exchange and in no other. Here is the newcomer's side; the member's
 * is core/admit.c.
 */
#ifndef CORE_JOIN_H
#define CORE_JOIN_H

#include "base/secret.h"
#include "core/ports.h"

#define JOIN_VERSION 1u
#define JOIN_NONCE_LEN 32u
#define JOIN_SHARE_LEN 32u
#define JOIN_HASH_LEN 32u

/* What a side of the exchange is known by. */
struct join_side {
    char serial[17];
    uint8_t print[32]; /* SHA-256 of its certificate's public key */
    uint8_t nonce[JOIN_NONCE_LEN];
    uint8_t share[JOIN_SHARE_LEN];
};

struct join_talk {
    uint8_t store_id[16];
    struct join_side newcomer;
    struct join_side member;
};

/* Draws nonce and share; the private key goes to ret_private. False without entropy. */
MUST_USE bool join_side_draw(struct entropy *entropy, struct join_side *side,
                             uint8_t ret_private[JOIN_SHARE_LEN]);
MUST_USE bool join_hash(const struct join_talk *talk, uint8_t ret_hash[JOIN_HASH_LEN]);
/* What the member (else the newcomer) signs. */
void join_signed(struct writer *w, bool member, const uint8_t hash[JOIN_HASH_LEN]);
/* The master key, sealed, appended to out. False: the other's share is none. */
MUST_USE bool join_seal(const uint8_t hash[JOIN_HASH_LEN], const uint8_t own[JOIN_SHARE_LEN],
                        const uint8_t other[JOIN_SHARE_LEN], view master, struct writer *out);

/* ---- the newcomer ---- */

/* What it has: PEM, PKCS #8, PEM. */
struct join_identity {
    view certificate;
    view private_key;
    view owner;
};

struct joiner {
    struct join_identity identity; /* borrowed */
    struct join_talk talk;
    uint8_t hash[JOIN_HASH_LEN];
    uint8_t private_key[JOIN_SHARE_LEN];
};

/* Writes the body of JOIN. CODE_CERT_...: what is wrong with its own certificate. */
MUST_USE CK_RV join_begin(struct joiner *joiner, const struct join_identity *identity,
                          struct entropy *entropy, uint64_t now, struct writer *out);
/* Reads the reply to JOIN and writes the body of JOIN_KEY. CODE_CERT_...: what is wrong with the
 * member's certificate; CKR_SIGNATURE_INVALID; CODE_BAD_FRAME. */
MUST_USE CK_RV join_go_on(struct joiner *joiner, view reply, uint64_t now, struct writer *out);
/* Reads the reply to JOIN_KEY. CKR_ENCRYPTED_DATA_INVALID. */
MUST_USE CK_RV join_end(struct joiner *joiner, view reply, struct secret **ret_master);
void join_clear(struct joiner *joiner);

#endif
