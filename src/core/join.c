/* SPDX-License-Identifier: Apache-2.0 */
#include "core/join.h"

#include "core/hsm.h"
#include "crypto/algo.h"
#include "crypto/cert.h"

#include <string.h>

#define TRANSCRIPT_MAX 512u

/* ---- what both sides do ---- */

bool
join_side_draw(struct entropy *entropy, struct join_side *side,
               uint8_t ret_private[JOIN_SHARE_LEN])
{
    return entropy->fill(entropy, side->nonce, sizeof side->nonce) &&
           entropy->fill(entropy, ret_private, JOIN_SHARE_LEN) &&
           algo_x25519_public(ret_private, side->share);
}

static void
side_write(struct writer *w, const struct join_side *side)
{
    write_bytes(w, view_str(side->serial));
    write_raw(w, view_of(side->print, sizeof side->print));
    write_raw(w, view_of(side->nonce, sizeof side->nonce));
    write_raw(w, view_of(side->share, sizeof side->share));
}

bool
join_hash(const struct join_talk *talk, uint8_t ret_hash[JOIN_HASH_LEN])
{
    uint8_t room[TRANSCRIPT_MAX];
    struct writer w;

    writer_init_fixed(&w, room, sizeof room);
    write_bytes(&w, VIEW_TEXT("OpenCloudHSM join"));
    write_u32(&w, JOIN_VERSION);
    write_raw(&w, view_of(talk->store_id, sizeof talk->store_id));
    side_write(&w, &talk->newcomer);
    side_write(&w, &talk->member);
    return writer_ok(&w) && algo_sha256(writer_view(&w), ret_hash);
}

void
join_signed(struct writer *w, bool member, const uint8_t hash[JOIN_HASH_LEN])
{
    write_bytes(w, member ? VIEW_TEXT("OpenCloudHSM join: member")
                          : VIEW_TEXT("OpenCloudHSM join: newcomer"));
    write_raw(w, view_of(hash, JOIN_HASH_LEN));
}

/* The nonce may be zero: a key seals one thing. */
static const uint8_t no_nonce[12];

static bool
shared_key(const uint8_t hash[JOIN_HASH_LEN], const uint8_t own[JOIN_SHARE_LEN],
           const uint8_t other[JOIN_SHARE_LEN], uint8_t ret_key[32])
{
    uint8_t secret[JOIN_SHARE_LEN];
    bool made = algo_x25519(own, other, secret) &&
                algo_hkdf(view_of(secret, sizeof secret), view_of(hash, JOIN_HASH_LEN),
                          VIEW_TEXT("OpenCloudHSM master key"), ret_key, 32);

    wipe(secret, sizeof secret);
    return made;
}

bool
join_seal(const uint8_t hash[JOIN_HASH_LEN], const uint8_t own[JOIN_SHARE_LEN],
          const uint8_t other[JOIN_SHARE_LEN], view master, struct writer *out)
{
    uint8_t key[32];
    bool sealed = shared_key(hash, own, other, key) &&
                  algo_seal(key, no_nonce, view_of(hash, JOIN_HASH_LEN), master, out);

    wipe(key, sizeof key);
    return sealed;
}

/* False also where it was not sealed in this exchange. */
static bool
join_open(const uint8_t hash[JOIN_HASH_LEN], const uint8_t own[JOIN_SHARE_LEN],
          const uint8_t other[JOIN_SHARE_LEN], view sealed, struct writer *out)
{
    uint8_t key[32];
    bool opened = shared_key(hash, own, other, key) &&
                  algo_unseal(key, no_nonce, view_of(hash, JOIN_HASH_LEN), sealed, out);

    wipe(key, sizeof key);
    return opened;
}

/* ---- the newcomer ---- */

CK_RV
join_begin(struct joiner *joiner, const struct join_identity *identity, struct entropy *entropy,
           uint64_t now, struct writer *out)
{
    struct join_side *self = &joiner->talk.newcomer;
    CK_RV rv;

    *joiner = (struct joiner){ .identity = *identity };
    if ((rv = cert_check_member(identity->owner, identity->certificate, now, self->serial)) !=
            CKR_OK ||
        (rv = cert_fingerprint(identity->certificate, self->print)) != CKR_OK) {
        return rv;
    }
    if (!join_side_draw(entropy, self, joiner->private_key)) {
        return CKR_FUNCTION_FAILED;
    }

    const struct join_request request = {
        .version = JOIN_VERSION,
        .nonce = view_of(self->nonce, sizeof self->nonce),
        .share = view_of(self->share, sizeof self->share),
    };

    join_request_write(out, &request);
    return writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
}

static bool
reply_take(struct joiner *joiner, const struct join_reply *reply)
{
    struct join_side *member = &joiner->talk.member;

    if (reply->store.len != sizeof joiner->talk.store_id ||
        reply->nonce.len != sizeof member->nonce || reply->share.len != sizeof member->share) {
        return false;
    }
    memcpy(joiner->talk.store_id, reply->store.data, reply->store.len);
    memcpy(member->nonce, reply->nonce.data, reply->nonce.len);
    memcpy(member->share, reply->share.data, reply->share.len);
    return true;
}

/* Is it a node of our owner's that speaks, and of this? */
static CK_RV
member_check(struct joiner *joiner, const struct join_reply *reply, uint64_t now)
{
    struct join_side *member = &joiner->talk.member;
    struct writer key, text;
    CK_RV rv;

    writer_init(&key, CERT_PEM_MAX);
    writer_init(&text, TRANSCRIPT_MAX);
    rv = cert_check_member(joiner->identity.owner, reply->certificate, now, member->serial);
    if (rv == CKR_OK && (rv = cert_fingerprint(reply->certificate, member->print)) == CKR_OK &&
        (rv = cert_public_key(reply->certificate, &key)) == CKR_OK) {
        if (join_hash(&joiner->talk, joiner->hash)) {
            join_signed(&text, true, joiner->hash);
            rv = cert_verify(writer_view(&key), writer_view(&text), reply->signature);
        } else {
            rv = CKR_FUNCTION_FAILED;
        }
    }
    writer_clear(&text);
    writer_clear(&key);
    return rv;
}

CK_RV
join_go_on(struct joiner *joiner, view bytes, uint64_t now, struct writer *out)
{
    struct join_reply reply;
    struct writer text, signature;
    CK_RV rv;

    if (!join_reply_read(bytes, &reply) || !reply_take(joiner, &reply)) {
        return CODE_BAD_FRAME;
    }
    if ((rv = member_check(joiner, &reply, now)) != CKR_OK) {
        return rv;
    }
    writer_init(&text, TRANSCRIPT_MAX);
    writer_init(&signature, CERT_PEM_MAX);
    join_signed(&text, false, joiner->hash);
    rv = cert_sign(joiner->identity.private_key, writer_view(&text), &signature);
    if (rv == CKR_OK) {
        const struct join_key_request request = { .signature = writer_view(&signature) };

        join_key_request_write(out, &request);
        rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
    }
    writer_clear(&signature);
    writer_clear(&text);
    return rv;
}

CK_RV
join_end(struct joiner *joiner, view bytes, struct secret **ret_master)
{
    struct join_key_reply reply;
    struct writer master;
    CK_RV rv = CKR_ENCRYPTED_DATA_INVALID;

    if (!join_key_reply_read(bytes, &reply)) {
        return CODE_BAD_FRAME;
    }
    writer_init(&master, HSM_MASTER_KEY_LEN + 64);
    if (join_open(joiner->hash, joiner->private_key, joiner->talk.member.share, reply.sealed,
                  &master) &&
        master.len == HSM_MASTER_KEY_LEN) {
        *ret_master = secret_dup(writer_view(&master));
        rv = *ret_master == NULL ? CKR_HOST_MEMORY : CKR_OK;
    }
    writer_clear(&master);
    return rv;
}

void
join_clear(struct joiner *joiner)
{
    wipe(joiner, sizeof *joiner);
}
