/* SPDX-License-Identifier: Apache-2.0
 *
 * JOIN and JOIN_KEY: the master key for a node whose certificate the owner signed, whose serial and
 * key an officer has put on the list, and who has just signed for it. Its certificate is the one
 * that TLS has seen, so a signature that somebody else got hold of is of no use.
 */
#include "core/state.h"

#include "base/log.h"
#include "crypto/cert.h"

#include <stdlib.h>
#include <string.h>

bool
admissions_init(struct admissions *admissions)
{
    return pthread_mutex_init(&admissions->lock, NULL) == 0;
}

static void
identity_forget(struct admissions *a)
{
    secret_free(a->private_key);
    free(a->certificate);
    free(a->owner);
    a->private_key = NULL;
    a->certificate = NULL;
    a->owner = NULL;
}

void
admissions_clear(struct admissions *admissions)
{
    wipe(admissions->list, sizeof admissions->list);
    identity_forget(admissions);
    pthread_mutex_destroy(&admissions->lock);
}

bool
hsm_set_identity(struct hsm *hsm, const struct hsm_identity *identity)
{
    struct admissions *a = &hsm->admissions;
    bool set;

    pthread_mutex_lock(&a->lock);
    identity_forget(a);
    if (identity->owner != NULL) {
        a->private_key = secret_dup(secret_view(identity->private_key));
        a->certificate = strdup(identity->certificate);
        a->owner = strdup(identity->owner);
    }
    set = identity->owner == NULL ||
          (a->private_key != NULL && a->certificate != NULL && a->owner != NULL);
    if (!set) {
        identity_forget(a);
    }
    pthread_mutex_unlock(&a->lock);
    return set;
}

/* ---- who asks ---- */

/* Is that node on the list, with this key? */
static CK_RV
list_check(struct hsm *hsm, const struct join_side *newcomer, struct member *ret_member)
{
    const struct member *member;
    CK_RV rv = CKR_OK;

    pthread_rwlock_rdlock(&hsm->lock);
    member = members_by_serial(&hsm->members, view_str(newcomer->serial));
    if (member == NULL || member->state == MEMBER_REMOVED) {
        rv = CODE_NODE_UNKNOWN;
    } else if (memcmp(member->print, newcomer->print, sizeof member->print) != 0) {
        rv = CODE_NODE_KEY;
    } else {
        *ret_member = *member;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return rv;
}

/* By the certificate that it showed: is it a node of our owner's? Under the lock of admissions. */
static CK_RV
newcomer_name(struct request *r, struct join_side *newcomer)
{
    struct hsm *hsm = r->hsm;
    const struct admissions *a = &hsm->admissions;
    char print[2 * MEMBER_PRINT_LEN + 1];
    CK_RV rv;

    if (hsm->ports.node == NULL) {
        return CODE_NODE_ALONE;
    }
    if (a->private_key == NULL) {
        return CODE_UNOWNED;
    }
    if (r->peer->certificate.len == 0) {
        return CODE_CERT_NONE;
    }
    rv = cert_check_member(view_str(a->owner), r->peer->certificate,
                           hsm->ports.clock->wall(hsm->ports.clock), newcomer->serial);
    if (rv == CKR_OK) {
        rv = cert_fingerprint(r->peer->certificate, newcomer->print);
    }
    if (rv == CKR_OK) {
        hex_encode(view_of(newcomer->print, sizeof newcomer->print), print);
        note_detail(r, "serial=%s key=%s", newcomer->serial, print);
    }
    return rv;
}

/* And is it on the list? */
static CK_RV
newcomer_check(struct request *r, struct join_side *newcomer)
{
    struct member member;
    CK_RV rv = newcomer_name(r, newcomer);

    return rv == CKR_OK ? list_check(r->hsm, newcomer, &member) : rv;
}

/* The list may have been changed elsewhere, and is read anew where it does not have the node as it
 * is: but not for anybody, for that takes as many reads as there were nodes. */
static CK_RV
newcomer_refresh(struct request *r)
{
    struct admissions *a = &r->hsm->admissions;
    struct join_side newcomer = { .serial = "" };
    struct member member;
    CK_RV rv;

    pthread_mutex_lock(&a->lock);
    rv = newcomer_name(r, &newcomer);
    pthread_mutex_unlock(&a->lock);
    if (rv == CKR_OK && list_check(r->hsm, &newcomer, &member) != CKR_OK) {
        hsm_refresh_members(r->hsm);
    }
    return rv;
}

/* Its own one, or one that nobody comes back for, or the oldest. */
static struct admission *
admission_place(struct admissions *a, const uint8_t context[FRAME_CONTEXT_LEN])
{
    struct admission *best = &a->list[0];

    for (size_t i = 0; i < ADMISSIONS_MAX; i++) {
        struct admission *at = &a->list[i];

        if (at->open && memcmp(at->context, context, FRAME_CONTEXT_LEN) == 0) {
            return at;
        }
        if (!at->open || (best->open && at->until < best->until)) {
            best = at;
        }
    }
    return best;
}

/* ---- JOIN ---- */

static CK_RV
answer_write(struct request *r, const struct admission *admission)
{
    const struct admissions *a = &r->hsm->admissions;
    const struct join_side *member = &admission->talk.member;
    uint8_t hash[JOIN_HASH_LEN];
    struct writer text, signature;
    CK_RV rv = CKR_FUNCTION_FAILED;

    writer_init(&text, 256);
    writer_init(&signature, CERT_PEM_MAX);
    if (join_hash(&admission->talk, hash)) {
        join_signed(&text, true, hash);
        rv = cert_sign(secret_view(a->private_key), writer_view(&text), &signature);
    }
    if (rv == CKR_OK) {
        const struct join_reply answer = {
            .store = view_of(admission->talk.store_id, sizeof admission->talk.store_id),
            .nonce = view_of(member->nonce, sizeof member->nonce),
            .share = view_of(member->share, sizeof member->share),
            .certificate = view_str(a->certificate),
            .signature = writer_view(&signature),
        };

        join_reply_write(r->reply, &answer);
    }
    writer_clear(&signature);
    writer_clear(&text);
    return rv;
}

/* Under the lock of admissions. */
static CK_RV
admission_open(struct request *r, const struct join_request *m)
{
    struct hsm *hsm = r->hsm;
    struct admissions *a = &hsm->admissions;
    struct admission admission = { .open = true };
    struct join_side *member = &admission.talk.member;
    CK_RV rv = newcomer_check(r, &admission.talk.newcomer);

    if (rv != CKR_OK) {
        return rv;
    }
    memcpy(admission.context, r->context->id, sizeof admission.context);
    admission.until = hsm->ports.clock->monotonic(hsm->ports.clock) + ADMISSION_LIFE_MS;
    memcpy(admission.talk.store_id, hsm->sealer.store_id, sizeof admission.talk.store_id);
    memcpy(admission.talk.newcomer.nonce, m->nonce.data, m->nonce.len);
    memcpy(admission.talk.newcomer.share, m->share.data, m->share.len);
    memcpy(member->serial, hsm->node, sizeof member->serial);
    if ((rv = cert_fingerprint(view_str(a->certificate), member->print)) == CKR_OK) {
        rv = join_side_draw(hsm->ports.entropy, member, admission.private_key)
                 ? answer_write(r, &admission)
                 : CKR_FUNCTION_FAILED;
    }
    if (rv == CKR_OK) {
        *admission_place(a, admission.context) = admission;
    }
    wipe(&admission, sizeof admission);
    return rv;
}

CK_RV
handle_JOIN(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct join_request m;
    CK_RV rv;

    if (!join_request_read(r->body, &m) || m.version != JOIN_VERSION ||
        m.nonce.len != JOIN_NONCE_LEN || m.share.len != JOIN_SHARE_LEN) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = newcomer_refresh(r)) != CKR_OK) {
        return rv;
    }
    pthread_mutex_lock(&hsm->admissions.lock);
    rv = admission_open(r, &m);
    pthread_mutex_unlock(&hsm->admissions.lock);
    return rv;
}

/* ---- JOIN_KEY ---- */

/* What was begun; whatever comes of it, once. */
static bool
admission_take(struct request *r, struct admission *ret_admission)
{
    struct admissions *a = &r->hsm->admissions;
    struct clock *clock = r->hsm->ports.clock;
    bool taken = false;

    for (size_t i = 0; i < ADMISSIONS_MAX; i++) {
        struct admission *at = &a->list[i];

        if (at->open && memcmp(at->context, r->context->id, FRAME_CONTEXT_LEN) == 0) {
            taken = clock->monotonic(clock) <= at->until;
            *ret_admission = *at;
            wipe(at, sizeof *at);
        }
    }
    return taken;
}

/* Is it the same node as before, and did it sign? Under the lock of admissions. */
static CK_RV
signature_check(struct request *r, const struct admission *admission, view signature,
                const uint8_t hash[JOIN_HASH_LEN])
{
    struct join_side now = { .serial = "" };
    struct writer text, key;
    CK_RV rv = newcomer_check(r, &now);

    if (rv != CKR_OK) {
        return rv;
    }
    if (memcmp(now.print, admission->talk.newcomer.print, sizeof now.print) != 0 ||
        strcmp(now.serial, admission->talk.newcomer.serial) != 0) {
        return CODE_NODE_KEY;
    }
    writer_init(&text, 256);
    writer_init(&key, CERT_PEM_MAX);
    join_signed(&text, false, hash);
    rv = cert_public_key(r->peer->certificate, &key);
    if (rv == CKR_OK) {
        rv = cert_verify(writer_view(&key), writer_view(&text), signature);
    }
    writer_clear(&key);
    writer_clear(&text);
    return rv;
}

/* Under the lock for changes: the record of this and the key go together, or not at all. */
static CK_RV
master_hand_over(struct request *r, const struct admission *admission,
                 const uint8_t hash[JOIN_HASH_LEN])
{
    struct hsm *hsm = r->hsm;
    uint8_t room[HSM_MASTER_KEY_LEN + 64];
    struct member member;
    struct writer sealed;
    CK_RV rv = list_check(hsm, &admission->talk.newcomer, &member);

    if (rv != CKR_OK) {
        return rv;
    }
    member.state = MEMBER_IN;
    member.fenced++; /* one that runs under this name is not it */
    member.version++;
    writer_init_fixed(&sealed, room, sizeof room);
    if (!join_seal(hash, admission->private_key, admission->talk.newcomer.share,
                   secret_view(hsm->sealer.key), &sealed)) {
        return CKR_ARGUMENTS_BAD;
    }

    const struct join_key_reply answer = { .id = member.number, .sealed = writer_view(&sealed) };

    join_key_reply_write(r->reply, &answer);
    return member_keep(r, &member, NULL);
}

CK_RV
handle_JOIN_KEY(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct join_key_request m;
    struct admission admission;
    uint8_t hash[JOIN_HASH_LEN];
    CK_RV rv;

    if (!join_key_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = newcomer_refresh(r)) != CKR_OK) {
        return rv;
    }
    pthread_mutex_lock(&hsm->admissions.lock);
    if (!admission_take(r, &admission)) {
        rv = CODE_JOIN_STATE;
    } else if (!join_hash(&admission.talk, hash)) {
        rv = CKR_FUNCTION_FAILED;
    } else {
        rv = signature_check(r, &admission, m.signature, hash);
    }
    pthread_mutex_unlock(&hsm->admissions.lock);
    if (rv == CKR_OK && (rv = hsm_change_begin(hsm)) == CKR_OK) {
        rv = master_hand_over(r, &admission, hash);
        hsm_change_end(hsm);
    }
    if (rv == CKR_OK) {
        log_inf("node %s was given the master key", admission.talk.newcomer.serial);
    }
    wipe(&admission, sizeof admission);
    return rv;
}
