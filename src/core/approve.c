/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests about the quorum: an officer's key, the values of M, tokens and their approval.
 * The settings can only be changed by the quorum that they ask for, so no officer gets round it
 * alone.
 */
#include "core/approve.h"

#include "core/directory.h"
#include "core/load.h"
#include "crypto/cert.h"

#include <stdlib.h>
#include <string.h>

#define NONCE_LEN 32u

/* The sealed record in place of what was there at *revision, which is its own then. Of several
 * nodes none has changed users or who has to agree meanwhile. Under the lock for changes. */
static CK_RV
record_keep(struct request *r, struct record_name name, uint64_t version, view plain,
            const struct directory *directory, uint64_t *revision)
{
    struct writer record;
    CK_RV rv;

    writer_init(&record, plain.len + RECORD_OVERHEAD);
    rv = record_seal(&r->hsm->sealer, record_name_view(&name), 0, version, plain, &record);
    if (rv == CKR_OK) {
        const struct store_compare compares[] = {
            { record_name_view(&name), *revision },
            directory->compare,
        };
        const struct store_change changes[] = {
            { record_name_view(&name), writer_view(&record), false },
            directory->change,
        };
        const size_t count = 1 + directory->count;

        rv = request_commit(r, compares, count, changes, count, revision);
    }
    writer_clear(&record);
    if (rv == CKR_OK) {
        directory_done(r->hsm, *revision);
    }
    return rv;
}

/* ---- an officer's key ---- */

static CK_RV
key_keep(struct request *r, struct quorum_key *key, const struct directory *directory)
{
    struct hsm *hsm = r->hsm;
    bool room;
    CK_RV rv;

    pthread_mutex_lock(&hsm->quorum.lock);
    room = quorum_reserve(&hsm->quorum);
    pthread_mutex_unlock(&hsm->quorum.lock);
    if (!room) {
        return CKR_DEVICE_MEMORY;
    }
    rv = record_keep(r, record_name('k', key->user), key->version, view_of(key->der, key->len),
                     directory, &key->revision);
    if (rv == CKR_OK) {
        pthread_mutex_lock(&hsm->quorum.lock);
        quorum_put(&hsm->quorum, key);
        pthread_mutex_unlock(&hsm->quorum.lock);
    }
    return rv;
}

/* Does another officer have that key? One key, one voice. */
static bool
key_is_anothers(struct quorum *quorum, const struct quorum_key *key)
{
    bool is = false;

    pthread_mutex_lock(&quorum->lock);
    for (size_t i = 0; i < quorum->key_count; i++) {
        const struct quorum_key *other = &quorum->keys[i];

        is = is || (other->user != key->user &&
                    view_equal(view_of(other->der, other->len), view_of(key->der, key->len)));
    }
    pthread_mutex_unlock(&quorum->lock);
    return is;
}

/* His own, and what he had before goes on with its version. */
static CK_RV
key_read(struct request *r, const struct quorum_key_request *m, struct quorum_key *key)
{
    struct hsm *hsm = r->hsm;
    char own[USER_NAME_MAX + 1];
    struct writer der;
    CK_RV rv = login_own_name(r, own);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!view_equal(m->name, view_str(own)) || m->role != (uint32_t)r->who.role) {
        return CKR_ACTION_PROHIBITED;
    }
    writer_init_fixed(&der, key->der, sizeof key->der);
    rv = cert_public_key(m->key, &der);
    key->user = r->who.user;
    key->len = der.len;
    if (rv == CKR_OK) {
        rv = cert_verify(view_of(key->der, key->len), m->proof, m->signature);
    }
    if (rv == CKR_OK && key_is_anothers(&hsm->quorum, key)) {
        rv = CKR_ACTION_PROHIBITED;
    }
    return rv;
}

CK_RV
handle_QUORUM_KEY(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct quorum_key_request m;
    struct quorum_key key = { .version = 1 };
    struct quorum_token *token = NULL;
    const struct quorum_key *before;
    struct directory directory;
    CK_RV rv;

    if (!quorum_key_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (m.proof.len == 0 || m.proof.len > QUORUM_PROOF_MAX) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    /* Looked at where nobody changes it: who was deleted meanwhile leaves no key, and no
     * two officers have one. */
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    if ((rv = directory_begin(hsm, &directory)) != CKR_OK ||
        (rv = key_read(r, &m, &key)) != CKR_OK) {
        goto out;
    }
    pthread_mutex_lock(&hsm->quorum.lock);
    before = quorum_key_of(&hsm->quorum, key.user);
    if (before != NULL) {
        key.version = before->version + 1;
        key.revision = before->revision;
    }
    pthread_mutex_unlock(&hsm->quorum.lock);
    rv = quorum_take(r, SERVICE_MISC, &token);
    if (rv == CKR_OK) {
        rv = quorum_done(r, token, key_keep(r, &key, &directory));
    }
out:
    hsm_change_end(hsm);
    return rv;
}

/* ---- settings ---- */

struct settings {
    uint32_t users;
    uint32_t misc;
    uint32_t seconds;
};

/* Under the lock for changes. */
static CK_RV
settings_keep(struct request *r, const struct settings *settings,
              const struct directory *directory)
{
    struct quorum *quorum = &r->hsm->quorum;
    uint64_t revision = quorum->revision;
    uint8_t plain[12];
    CK_RV rv;

    store_u32(plain, settings->users);
    store_u32(plain + 4, settings->misc);
    store_u32(plain + 8, settings->seconds);
    rv = record_keep(r, record_name('m', 1), quorum->version + 1, view_of(plain, sizeof plain),
                     directory, &revision);
    if (rv == CKR_OK) {
        pthread_mutex_lock(&quorum->lock);
        quorum->needed_users = settings->users;
        quorum->needed_misc = settings->misc;
        quorum->seconds = settings->seconds;
        quorum->version++;
        quorum->revision = revision;
        pthread_mutex_unlock(&quorum->lock);
    }
    return rv;
}

uint32_t
quorum_settings_service(const struct quorum *quorum)
{
    return quorum->needed_misc > 0 ? SERVICE_MISC : SERVICE_USERS;
}

CK_RV
handle_QUORUM_SET(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct quorum *quorum = &hsm->quorum;
    struct quorum_set_request m;
    struct quorum_token *token = NULL;
    struct directory directory;
    struct settings settings;
    CK_RV rv;

    if (!quorum_set_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_detail(r, "service=%u m=%u", (unsigned)m.service, (unsigned)m.needed);
    if ((m.service != SERVICE_USERS && m.service != SERVICE_MISC) || m.needed < QUORUM_MIN ||
        m.needed > QUORUM_MAX) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = directory_begin(hsm, &directory);
    settings = (struct settings){ quorum->needed_users, quorum->needed_misc, quorum->seconds };
    *(m.service == SERVICE_USERS ? &settings.users : &settings.misc) = m.needed;
    if (rv == CKR_OK && m.needed > quorum->key_count) {
        rv = CODE_QUORUM_SIZE; /* they could never agree on anything again */
    } else if (rv == CKR_OK &&
               (rv = quorum_take(r, quorum_settings_service(quorum), &token)) == CKR_OK) {
        rv = quorum_done(r, token, settings_keep(r, &settings, &directory));
        r->barrier = rv == CKR_OK; /* from then on no node acts for fewer officers */
    }
    hsm_change_end(hsm);
    return rv;
}

CK_RV
handle_QUORUM_TIME(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct quorum *quorum = &hsm->quorum;
    struct quorum_time_request m;
    struct quorum_token *token = NULL;
    struct directory directory;
    CK_RV rv;

    if (!quorum_time_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_detail(r, "seconds=%u", (unsigned)m.seconds);
    if (m.seconds < QUORUM_TIME_MIN || m.seconds > QUORUM_TIME_MAX) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }

    const struct settings settings = { quorum->needed_users, quorum->needed_misc, m.seconds };

    if ((rv = directory_begin(hsm, &directory)) == CKR_OK &&
        (rv = quorum_take(r, quorum_settings_service(quorum), &token)) == CKR_OK) {
        rv = quorum_done(r, token, settings_keep(r, &settings, &directory));
    }
    hsm_change_end(hsm);
    return rv;
}

CK_RV
handle_QUORUM_GET(struct request *r)
{
    struct quorum *quorum = &r->hsm->quorum;
    struct quorum_get_request m;

    if (!quorum_get_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    pthread_mutex_lock(&quorum->lock);

    const struct quorum_get_reply answer = { quorum->needed_users, quorum->needed_misc,
                                             quorum->seconds };

    pthread_mutex_unlock(&quorum->lock);
    quorum_get_reply_write(r->reply, &answer);
    return CKR_OK;
}

/* ---- tokens ---- */

static bool
token_fill(struct request *r, struct quorum_token *token, uint32_t seconds)
{
    struct hsm *hsm = r->hsm;
    uint8_t nonce[NONCE_LEN];
    struct writer bytes;
    struct quorum_token_text text = { .service = token->service,
                                      .id = token->id,
                                      .user = token->user,
                                      .nonce = view_of(nonce, sizeof nonce) };

    if (!hsm->ports.entropy->fill(hsm->ports.entropy, nonce, sizeof nonce)) {
        return false;
    }
    token->until = hsm_time(hsm) + seconds * (uint64_t)1000;
    text.until = token->until;
    memcpy(text.serial, hsm->node, sizeof text.serial);
    writer_init_fixed(&bytes, token->bytes, sizeof token->bytes);
    quorum_token_write(&bytes, &text);
    return writer_ok(&bytes) && bytes.len == QUORUM_TOKEN_LEN;
}

CK_RV
handle_QUORUM_TOKEN(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct quorum *quorum = &hsm->quorum;
    struct quorum_token_request m;
    struct quorum_token *token;
    char own[USER_NAME_MAX + 1];
    CK_RV rv = CKR_OK;

    if (!quorum_token_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_detail(r, "service=%u", (unsigned)m.service);
    if (m.service != SERVICE_USERS && m.service != SERVICE_MISC) {
        return CKR_ARGUMENTS_BAD;
    }
    if ((rv = login_own_name(r, own)) != CKR_OK) {
        return rv;
    }
    if (!view_equal(m.name, view_str(own))) {
        return CODE_TOKEN_USER;
    }
    token = calloc(1, sizeof *token);
    if (token == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    token->service = m.service;
    token->user = r->who.user;
    token->login = r->who.login;
    memcpy(token->context, r->context->id, sizeof token->context);
    pthread_mutex_lock(&quorum->lock);
    quorum_sweep(quorum, hsm_time(hsm));
    if (quorum->token_count == QUORUM_TOKENS_MAX) {
        rv = CKR_DEVICE_MEMORY;
    } else {
        token->id = ++quorum->last_id;
        rv = token_fill(r, token, quorum->seconds) ? CKR_OK : CKR_FUNCTION_FAILED;
    }
    if (rv == CKR_OK) {
        const struct quorum_token_reply answer = { token->id, view_of(token->bytes,
                                                                      QUORUM_TOKEN_LEN) };

        quorum_token_reply_write(r->reply, &answer);
        note_detail(r, "service=%u id=%u", (unsigned)m.service, (unsigned)token->id);
        token->next = quorum->tokens;
        quorum->tokens = token;
        quorum->token_count++;
        token = NULL;
    }
    pthread_mutex_unlock(&quorum->lock);
    free(token);
    return rv;
}

/* The officer who is said to have signed; his key. Under the quorum's lock. */
static CK_RV
approver_check(struct quorum *quorum, uint32_t approver, view file, view signature)
{
    const struct quorum_key *key = quorum_key_of(quorum, approver);

    return approver == 0 || key == NULL
               ? CODE_TOKEN_APPROVER
               : cert_verify(view_of(key->der, key->len), file, signature);
}

static uint32_t
approver_id(struct hsm *hsm, uint32_t role, view name)
{
    const struct user *user;
    uint32_t id;

    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_name(&hsm->users, role, name);
    id = user == NULL ? 0 : user->id;
    pthread_rwlock_unlock(&hsm->lock);
    return id;
}

/* The token that these bytes were when it was drawn; under the quorum's lock. */
static CK_RV
token_find(struct request *r, view bytes, struct quorum_token **ret_token)
{
    struct quorum_token_text text;
    const uint64_t now = hsm_time(r->hsm);

    if (!quorum_token_read(bytes, &text)) {
        return CODE_TOKEN_BAD;
    }
    if (text.until <= now) {
        return CODE_TOKEN_EXPIRED;
    }
    for (struct quorum_token *token = r->hsm->quorum.tokens; token != NULL; token = token->next) {
        if (view_equal(view_of(token->bytes, QUORUM_TOKEN_LEN), bytes)) {
            *ret_token = token;
            return quorum_token_is_of(token, r) ? CKR_OK : CODE_TOKEN_USER;
        }
    }
    return CODE_TOKEN_UNKNOWN; /* used up, deleted, or never drawn */
}

static CK_RV
token_approve(struct request *r, struct quorum_token *token, uint32_t approver,
              const struct quorum_approve_request *m)
{
    struct quorum *quorum = &r->hsm->quorum;
    CK_RV rv = approver_check(quorum, approver, m->file, m->signature);

    for (uint32_t i = 0; i < token->approvals && rv == CKR_OK; i++) {
        rv = token->approvers[i] == approver ? CODE_TOKEN_TWICE : CKR_OK;
    }
    if (rv == CKR_OK && token->approvals == QUORUM_MAX) {
        rv = CODE_TOKEN_TWICE;
    }
    if (rv == CKR_OK) {
        token->approvers[token->approvals++] = approver;
    }
    return rv;
}

CK_RV
handle_QUORUM_APPROVE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct quorum *quorum = &hsm->quorum;
    struct quorum_approve_request m;
    struct quorum_token *token = NULL;
    uint32_t approver;
    view bytes;
    CK_RV rv;

    if (!quorum_approve_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (user_name_valid(m.name)) {
        note_detail(r, "approver=%.*s", (int)m.name.len, (const char *)m.name.data);
    }
    if (!quorum_file_find(m.file, hsm->node, &bytes)) {
        return CODE_TOKEN_BAD; /* or of other nodes */
    }
    if (!request_may(r, PLACE_CPU)) {
        return CODE_LATER;
    }
    approver = approver_id(hsm, m.role, m.name);
    pthread_mutex_lock(&quorum->lock);
    rv = token_find(r, bytes, &token);
    if (rv == CKR_OK) {
        rv = token_approve(r, token, approver, &m);
        note_detail(r, "id=%u service=%u approver=%u approvals=%u", (unsigned)token->id,
                    (unsigned)token->service, (unsigned)approver, (unsigned)token->approvals);
    }
    if (rv == CKR_OK) {
        const struct quorum_approve_reply answer = {
            token->id, token->approvals,
            token->service == SERVICE_USERS ? quorum->needed_users : quorum->needed_misc
        };

        quorum_approve_reply_write(r->reply, &answer);
    }
    pthread_mutex_unlock(&quorum->lock);
    return rv;
}

CK_RV
handle_QUORUM_LIST(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct quorum *quorum = &hsm->quorum;
    struct quorum_list_request m;
    struct writer numbers;
    uint64_t now = hsm_time(hsm);

    if (!quorum_list_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    writer_init(&numbers, FRAME_BODY_MAX / 2);
    pthread_mutex_lock(&quorum->lock);
    quorum_sweep(quorum, now);
    for (const struct quorum_token *token = quorum->tokens; token != NULL; token = token->next) {
        number_write(&numbers, token->id);
        number_write(&numbers, token->service);
        number_write(&numbers, token->user);
        number_write(&numbers, (uint32_t)((token->until - now + 999) / 1000));
        number_write(&numbers, token->service == SERVICE_USERS ? quorum->needed_users
                                                               : quorum->needed_misc);
        number_write(&numbers, token->approvals);
        for (size_t i = 0; i < QUORUM_MAX; i++) {
            number_write(&numbers, i < token->approvals ? token->approvers[i] : 0);
        }
    }
    pthread_mutex_unlock(&quorum->lock);

    const struct quorum_list_reply answer = { { writer_view(&numbers) } };
    CK_RV rv = writer_ok(&numbers) ? CKR_OK : CKR_DEVICE_MEMORY;

    if (rv == CKR_OK) {
        quorum_list_reply_write(r->reply, &answer);
    }
    writer_clear(&numbers);
    return rv;
}

CK_RV
handle_QUORUM_DELETE(struct request *r)
{
    struct quorum *quorum = &r->hsm->quorum;
    struct quorum_delete_request m;
    struct quorum_token **at;
    CK_RV rv;

    if (!quorum_delete_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_detail(r, "id=%u", (unsigned)m.id);
    pthread_mutex_lock(&quorum->lock);
    rv = m.id == 0 ? CKR_OK : CODE_TOKEN_UNKNOWN;
    at = &quorum->tokens;
    while (*at != NULL) {
        struct quorum_token *token = *at;

        /* By its number, or all that one has drawn. */
        if (m.id == 0 ? token->user != r->who.user : token->id != m.id) {
            at = &token->next;
            continue;
        }
        if (token->user != r->who.user) {
            rv = CODE_TOKEN_USER;
            break;
        }
        *at = token->next;
        quorum->token_count--;
        free(token);
        rv = CKR_OK;
    }
    pthread_mutex_unlock(&quorum->lock);
    return rv;
}
