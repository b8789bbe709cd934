/* SPDX-License-Identifier: Apache-2.0
 *
 * Unlocking: of a user by an officer, of an officer by the owner. The owner signs a challenge
 * with PO.key; the officer is then logged in as one who may change his password and nothing else.
 * A challenge is sealed by a tag of this boot over the user, the revision of his failures and its
 * end, so nothing of it is kept here, and it is good once.
 */
#include "core/load.h"

#include "crypto/algo.h"
#include "crypto/cert.h"

#include <string.h>

#define CHALLENGE_LIFE_MS (10u * 60u * 1000u)
#define TAG_LEN 32u
#define NONCE_LEN 32u

static const view magic = VIEW_TEXT("OCHC");

static bool
challenge_tag(struct hsm *hsm, view text, uint8_t ret_tag[TAG_LEN])
{
    return algo_hmac_sha256(secret_view(hsm->boot_sealer.key), text, ret_tag);
}

/* A copy of the officer; number 0 where there is none of that name. */
static struct user
officer_look(struct hsm *hsm, view name)
{
    struct user officer = { .id = 0 };
    const struct user *user;

    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_name(&hsm->users, ROLE_CO, name);
    if (user != NULL) {
        officer = *user;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return officer;
}

CK_RV
handle_CHALLENGE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct challenge_request m;
    uint8_t nonce[NONCE_LEN];
    uint8_t tag[TAG_LEN];
    uint8_t room[256];
    struct writer text;
    struct user officer;
    CK_RV rv = CKR_FUNCTION_FAILED;

    if (!challenge_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    officer = officer_look(hsm, m.name);
    writer_init_fixed(&text, room, sizeof room);
    write_raw(&text, magic);
    write_bytes(&text, view_str(hsm->node));
    write_u32(&text, officer.id);
    write_u64(&text, officer.version);
    write_u64(&text, officer.failures_revision);
    write_u64(&text, hsm_time(hsm) + CHALLENGE_LIFE_MS);
    wipe(&officer, sizeof officer);
    if (hsm->ports.entropy->fill(hsm->ports.entropy, nonce, sizeof nonce)) {
        write_raw(&text, view_of(nonce, sizeof nonce));
        if (writer_ok(&text) && challenge_tag(hsm, writer_view(&text), tag)) {
            write_raw(&text, view_of(tag, sizeof tag));

            const struct challenge_reply answer = { writer_view(&text) };

            challenge_reply_write(r->reply, &answer);
            rv = writer_ok(&text) ? CKR_OK : CKR_FUNCTION_FAILED;
        }
    }
    return rv;
}

/* What a challenge of ours says, whose time is not over. */
static CK_RV
challenge_read(struct hsm *hsm, view challenge, struct user *ret_said)
{
    struct reader r;
    uint8_t tag[TAG_LEN];
    uint64_t until;
    view begin, serial, nonce;
    struct user said = { .id = 0 };

    if (challenge.len <= TAG_LEN ||
        !challenge_tag(hsm, view_slice(challenge, 0, challenge.len - TAG_LEN), tag) ||
        !view_equal_secret(view_of(tag, sizeof tag),
                           view_slice(challenge, challenge.len - TAG_LEN, challenge.len))) {
        return CODE_CHALLENGE_BAD;
    }
    r = reader_of(view_slice(challenge, 0, challenge.len - TAG_LEN));
    if (!read_raw(&r, magic.len, &begin) || !view_equal(begin, magic) ||
        !read_bytes(&r, sizeof hsm->node - 1, &serial) || !read_u32(&r, &said.id) ||
        !read_u64(&r, &said.version) || !read_u64(&r, &said.failures_revision) ||
        !read_u64(&r, &until) || !read_raw(&r, NONCE_LEN, &nonce) || !reader_done(&r) ||
        until <= hsm_time(hsm)) {
        return CODE_CHALLENGE_BAD;
    }
    *ret_said = said;
    return CKR_OK;
}

/* Sets the count of failures back. Under the lock for changes and that of the gate. */
static CK_RV
failures_forget(struct request *r, const struct user *user)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = record_name('f', user->id);
    struct writer record;
    uint64_t revision = 0;
    CK_RV rv;

    writer_init(&record, 256);
    rv = failures_record(&hsm->sealer, user, 0, &record);
    if (rv == CKR_OK) {
        const struct store_compare compare = { record_name_view(&name),
                                               user->failures_revision };
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };

        rv = request_commit(r, &compare, 1, &change, 1, &revision);
    }
    writer_clear(&record);
    if (rv != CKR_OK) {
        return rv;
    }
    failures_enter(hsm, user->id, 0, revision);
    return CKR_OK;
}

/* The user of that number as he is now, with his gate's lock held until gate_leave(). */
static CK_RV
gate_enter(struct hsm *hsm, uint32_t id, struct password_gate **ret_gate, struct user *ret_user)
{
    struct password_gate *gate;
    struct user user = { .id = 0 };
    const struct user *there;

    pthread_rwlock_rdlock(&hsm->lock);
    there = user_by_id(&hsm->users, id);
    user = there == NULL ? user : *there;
    pthread_rwlock_unlock(&hsm->lock);
    if (user.id == 0) {
        return CODE_USER_UNKNOWN;
    }
    gate = password_gate(hsm, view_str(user.name));
    pthread_mutex_lock(&gate->lock);
    /* Once more: a login may have been counted meanwhile. Names stay under hsm->change. */
    pthread_rwlock_rdlock(&hsm->lock);
    there = user_by_id(&hsm->users, id);
    user = there == NULL ? (struct user){ .id = 0 } : *there;
    pthread_rwlock_unlock(&hsm->lock);
    *ret_gate = gate;
    *ret_user = user;
    return user.id == 0 ? CODE_USER_UNKNOWN : CKR_OK;
}

static void
gate_leave(struct password_gate *gate)
{
    if (gate != NULL) {
        pthread_mutex_unlock(&gate->lock);
    }
}

static CK_RV
owner_signed(struct hsm *hsm, const struct officer_unlock_request *m)
{
    struct hsm_identity identity = { .version = 0 };
    struct writer key;
    CK_RV rv = CODE_CERT_NONE;

    if (!hsm_identity_get(hsm, &identity)) {
        return CODE_CERT_NONE; /* by hand: this node does not know its owner's key */
    }
    writer_init(&key, CERT_PEM_MAX);
    if (identity.owner != NULL &&
        (rv = cert_public_key(view_str(identity.owner), &key)) == CKR_OK) {
        rv = cert_verify(writer_view(&key), m->challenge, m->signature);
    }
    writer_clear(&key);
    hsm_identity_clear(&identity);
    return rv;
}

CK_RV
handle_OFFICER_UNLOCK(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct officer_unlock_request m;
    struct password_gate *gate = NULL;
    struct user said;
    struct user user = { .id = 0 };
    CK_RV rv;

    if (!officer_unlock_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (r->who.role != ROLE_NONE) {
        return CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    }
    if ((rv = challenge_read(hsm, m.challenge, &said)) != CKR_OK) {
        return rv;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = owner_signed(hsm, &m)) != CKR_OK) {
        return rv;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = gate_enter(hsm, said.id, &gate, &user);
    if (rv == CKR_OK && (user.version != said.version ||
                         user.failures_revision != said.failures_revision)) {
        rv = CODE_CHALLENGE_BAD; /* used, or he has logged in since */
    }
    if (rv == CKR_OK) {
        const struct officer_unlock_reply answer = { view_str(user.name) };

        note_detail(r, "id=%u name=%s", (unsigned)user.id, user.name);
        officer_unlock_reply_write(r->reply, &answer);
        rv = failures_forget(r, &user);
    }
    if (rv == CKR_OK) {
        context_login(r->context, ROLE_PRECO, user.id, atomic_fetch_add(&hsm->logins, 1) + 1);
    }
    gate_leave(gate);
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}

CK_RV
handle_USER_UNLOCK(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct user_unlock_request m;
    struct password_gate *gate = NULL;
    struct quorum_token *token = NULL;
    struct user user = { .id = 0 };
    const struct user *there;
    uint32_t id;
    CK_RV rv;

    if (!user_unlock_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    there = user_by_name(&hsm->users, m.role, m.name);
    id = there == NULL ? 0 : there->id;
    pthread_rwlock_unlock(&hsm->lock);
    rv = gate_enter(hsm, id, &gate, &user);
    if (rv == CKR_OK && user.closed) {
        rv = CKR_ACTION_PROHIBITED;
    }
    if (rv == CKR_OK && (rv = quorum_take(r, SERVICE_USERS, &token)) == CKR_OK) {
        note_detail(r, "id=%u name=%s", (unsigned)user.id, user.name);
        rv = quorum_done(r, token, failures_forget(r, &user));
    }
    gate_leave(gate);
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}
