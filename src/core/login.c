/* SPDX-License-Identifier: Apache-2.0
 *
 * Login and logout. The order matters: a keyed hash of this boot first (writes nothing, costs
 * nothing); else the failure is counted durably, then scrypt runs, then the count goes back.
 * An unknown name takes the same way on a dummy, so that time tells nothing. A second factor that
 * does not fit (factor.h) takes the slow way, too, and ends there like a wrong password.
 */
#include "core/factor.h"
#include "core/load.h"

#include <string.h>

#define NO_USER 0u
#define RESETS_MAX 8

struct password_gate *
password_gate(struct hsm *hsm, view name)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < name.len; i++) {
        hash = (hash ^ name.data[i]) * 0x100000001b3u;
    }
    return &hsm->gates[hash % PASSWORD_GATES];
}

/* A copy of the user, or a dummy of number 0 that no password fits. */
static void
user_look(struct hsm *hsm, uint32_t role, view name, struct user *ret_user)
{
    struct user *user;

    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_name(&hsm->users, role, name);
    if (user != NULL) {
        *ret_user = *user;
    } else {
        *ret_user = (struct user){ .id = NO_USER };
    }
    pthread_rwlock_unlock(&hsm->lock);
}

/* Is this the password that was right before, in this boot, for this very record? */
static bool
quick_matches(struct hsm *hsm, const struct user *user, view password)
{
    uint8_t quick[32];
    bool same = user->known &&
                user_quick_hash(secret_view(hsm->boot_sealer.key), user, password, quick) &&
                view_equal_secret(view_of(quick, sizeof quick),
                                  view_of(user->quick, sizeof user->quick));

    wipe(quick, sizeof quick);
    return same;
}

static void
quick_remember(struct hsm *hsm, const struct user *user, view password)
{
    uint8_t quick[32];
    struct user *kept;

    if (!user_quick_hash(secret_view(hsm->boot_sealer.key), user, password, quick)) {
        return;
    }
    pthread_rwlock_wrlock(&hsm->lock);
    kept = user_by_id(&hsm->users, user->id);
    if (kept != NULL && kept->version == user->version) {
        memcpy(kept->quick, quick, sizeof quick);
        kept->known = true;
    }
    pthread_rwlock_unlock(&hsm->lock);
    wipe(quick, sizeof quick);
}

/*
 * Makes the count of failures durable and known, with the login's audit record: an attempt counts
 * as failed, and is recorded so, before the password is looked at. Under the gate's lock.
 */
static CK_RV
failures_set(struct request *r, struct user *user, uint32_t failures)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = record_name('f', user->id);
    uint8_t journal_room[CHAIN_RECORD_MAX];
    struct writer record, journal;
    uint64_t revision;
    CK_RV rv;

    writer_init(&record, 256);
    writer_init_fixed(&journal, journal_room, sizeof journal_room);
    if (failures > 0) {
        note_detail(r, "name=%s attempt=%u", user->name, (unsigned)failures);
    } else {
        note_detail(r, "name=%s", user->name);
    }
    note_record(r, failures == 0 ? CKR_OK : CKR_PIN_INCORRECT, &journal);
    rv = failures_record(&hsm->sealer, user, failures, &record);
    if (rv == CKR_OK) {
        const struct store_compare compare = { record_name_view(&name),
                                               user->failures_revision };
        const struct store_change change = { record_name_view(&name), writer_view(&record),
                                             false };
        const struct store_txn txn = { &compare, 1, &change, 1, writer_view(&journal) };

        rv = hsm_commit(hsm, &txn, &revision);
    }
    writer_clear(&record);
    if (rv != CKR_OK) {
        return rv;
    }
    r->note.revision = revision;
    user->failures = failures;
    user->failures_revision = revision;
    failures_enter(hsm, user->id, failures, revision);
    return CKR_OK;
}

/* Stands for a user who is not there, or who is locked: his attempt is counted on the gate's
 * record, as a first one, and no password is right. */
static struct user
gate_user(struct hsm *hsm, const struct password_gate *gate, view name)
{
    struct user user = { .id = gate->user };

    pthread_rwlock_rdlock(&hsm->lock);
    user.failures_revision = gate->failures_revision;
    pthread_rwlock_unlock(&hsm->lock);
    memcpy(user.name, name.data, name.len);
    return user;
}

/* After the right password. Failures that were counted meanwhile, elsewhere, are forgotten with the
 * others: they came before this success. Under the gate's lock, which is let go for a while. */
static CK_RV
failures_reset(struct request *r, struct password_gate *gate, uint32_t role, view name,
               struct user *user)
{
    CK_RV rv = failures_set(r, user, 0);

    for (int i = 0; rv == CODE_CONFLICT && i < RESETS_MAX; i++) {
        struct user now;
        bool caught;

        /* Who waits for the gate does not wait for the store's news. */
        pthread_mutex_unlock(&gate->lock);
        caught = follow_catch_up(r->hsm);
        pthread_mutex_lock(&gate->lock);
        if (!caught) {
            break;
        }
        user_look(r->hsm, role, name, &now);
        user->failures_revision = now.failures_revision;
        rv = now.id != user->id || now.version != user->version ? CKR_PIN_INCORRECT
                                                                : failures_set(r, user, 0);
        wipe(&now, sizeof now);
    }
    return rv;
}

/* The same request, asked once more because its connection was lost, is one attempt.
 * Under the gate's lock. */
static CK_RV
refused_before(struct request *r)
{
    const CK_RV refused =
        r->run == NULL ? CKR_OK : replies_refusal(&r->hsm->replies, r->run->key);

    r->note.nothing = r->note.nothing || refused != CKR_OK;
    return refused;
}

static void
refusal_keep(struct request *r, CK_RV refused)
{
    if (r->run != NULL) {
        replies_keep_refusal(&r->hsm->replies, r->run, hsm_time(r->hsm), refused);
    }
}

/* The slow way; fits: nothing but the password is missing. CKR_OK, CKR_PIN_INCORRECT,
 * CKR_PIN_LOCKED, or what the store says. */
static CK_RV
password_check(struct request *r, uint32_t role, view name, view password, bool fits,
               struct user *ret_user)
{
    struct hsm *hsm = r->hsm;
    struct password_gate *gate = password_gate(hsm, name);
    struct user user;
    CK_RV refused = CKR_PIN_INCORRECT;
    CK_RV rv;

    pthread_mutex_lock(&gate->lock);
    rv = refused_before(r);
    if (rv != CKR_OK) {
        pthread_mutex_unlock(&gate->lock);
        return rv;
    }
    user_look(hsm, role, name, &user);
    if (user.failures >= USER_FAILURES_MAX) {
        refused = CKR_PIN_LOCKED;
    }
    if (user.id == NO_USER || refused == CKR_PIN_LOCKED) {
        user = gate_user(hsm, gate, user_name_valid(name) ? name : VIEW_TEXT("?"));
    }
    /* The same work for all of them: one write, one scrypt. */
    rv = failures_set(r, &user, user.failures + 1);
    if (rv == CKR_OK &&
        (!user_check_password(&user, password) || user.id == gate->user || !fits)) {
        rv = refused;
        refusal_keep(r, rv);
    }
    if (rv == CKR_OK && (rv = failures_reset(r, gate, role, name, &user)) == CKR_OK) {
        quick_remember(hsm, &user, password);
        *ret_user = user;
    }
    pthread_mutex_unlock(&gate->lock);
    wipe(&user, sizeof user);
    return rv;
}

static CK_RV
login_try_if(struct request *r, uint32_t role, view name, view password, bool fits,
             struct user *ret_user)
{
    user_look(r->hsm, role, name, ret_user);
    /* After a failure the slow way: it is the one that sets the count back. */
    if (fits && ret_user->failures == 0 && ret_user->id != NO_USER &&
        quick_matches(r->hsm, ret_user, password)) {
        return CKR_OK;
    }
    return request_may(r, PLACE_SLOW) ? password_check(r, role, name, password, fits, ret_user)
                                      : CODE_LATER;
}

CK_RV
login_try(struct request *r, uint32_t role, view name, view password, struct user *ret_user)
{
    return login_try_if(r, role, name, password, true, ret_user);
}

CK_RV
login_own_name(struct request *r, char ret_name[USER_NAME_MAX + 1])
{
    const struct user *user;

    pthread_rwlock_rdlock(&r->hsm->lock);
    user = user_by_id(&r->hsm->users, r->who.user);
    if (user != NULL) {
        memcpy(ret_name, user->name, USER_NAME_MAX + 1);
    }
    pthread_rwlock_unlock(&r->hsm->lock);
    return user == NULL ? CKR_USER_NOT_LOGGED_IN : CKR_OK;
}

/* A name that no user can have is anyone's text and does not speak in the audit. */
static void
login_note(struct request *r, uint32_t role, view name, const struct user *user)
{
    name = user_name_valid(name) ? name : VIEW_TEXT("?");
    r->who.role = (enum role)role;
    r->who.user = user->id;
    note_detail(r, "name=%.*s", (int)name.len, (const char *)name.data);
}

bool
login_take_up(struct hsm *hsm, struct context *context, const struct ticket *ticket)
{
    struct user *user;
    bool holds;

    /* All under the lock: who deletes the user ends the logins that he finds afterwards. */
    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_id(&hsm->users, ticket->user);
    holds = user != NULL && user->role == ticket->role &&
            user->version == ticket->user_version && !logouts_has(&hsm->logouts, ticket->login);
    if (holds) {
        context_login(context, (enum role)ticket->role, ticket->user, ticket->login);
    }
    pthread_rwlock_unlock(&hsm->lock);
    return holds;
}

/* A ticket of that login, from now on for its life. */
static CK_RV
ticket_make(struct request *r, uint64_t login, const struct user *user, struct ticket *ret_ticket,
            struct writer *out)
{
    struct hsm *hsm = r->hsm;

    *ret_ticket = (struct ticket){
        .uid = r->context->uid,
        .user = user->id,
        .role = user->role,
        .user_version = user->version,
        .login = login,
        .expires = hsm_time(hsm) + life_own(hsm),
    };
    memcpy(ret_ticket->context, r->context->id, FRAME_CONTEXT_LEN);
    return ticket_seal(&hsm->sealer, ret_ticket, out);
}

/* The context is the user's now; the reply carries the ticket. */
static CK_RV
login_done(struct request *r, const struct user *user)
{
    struct hsm *hsm = r->hsm;
    struct ticket ticket;
    struct writer sealed;
    CK_RV rv;

    writer_init(&sealed, 256);
    rv = ticket_make(r, atomic_fetch_add(&hsm->logins, 1) + 1, user, &ticket, &sealed);
    if (rv == CKR_OK && !login_take_up(hsm, r->context, &ticket)) {
        rv = CKR_PIN_INCORRECT; /* deleted, or given another password, in the meantime */
    }
    if (rv == CKR_OK) {
        const struct login_reply answer = {
            .user = user->id,
            .role = user->role,
            .ticket = writer_view(&sealed),
            .life = (uint32_t)life_own(hsm),
        };

        login_reply_write(r->reply, &answer);
    }
    writer_clear(&sealed);
    return rv;
}

void
hsm_lack_user(struct hsm *hsm, view name)
{
    if (user_name_valid(name)) {
        memcpy(hsm->lacking, name.data, name.len);
        hsm->lacking[name.len] = '\0';
    }
}

/* May somebody log in here, whoever he is? */
static CK_RV
login_may(const struct request *r, uint32_t role)
{
    if (r->who.role != ROLE_NONE) {
        return r->who.role == (enum role)role ? CKR_USER_ALREADY_LOGGED_IN
                                              : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    }
    return CKR_OK;
}

CK_RV
handle_LOGIN(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct login_request m;
    struct user user = { 0 };
    CK_RV rv;

    if (!login_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (atomic_load(&hsm->owner.missing) && m.role != ROLE_PRECO) {
        return CODE_UNOWNED;
    }
    if ((rv = login_may(r, m.role)) != CKR_OK) {
        return rv;
    }
    user_look(hsm, m.role, m.name, &user);
    login_note(r, m.role, m.name, &user);
    /* Who has a second factor is in the list of users, which anybody sees; whether the password is
     * right is not looked at, and nothing is counted. */
    rv = user.factor.len > 0 ? CODE_SECOND_FACTOR
                             : login_try(r, m.role, m.name, m.password, &user);
    if (rv == CKR_OK && user.factor.len > 0) {
        rv = CODE_SECOND_FACTOR; /* he got it in the meantime */
    }
    if (rv != CODE_LATER && m.name.len > 0 && view_equal(m.name, view_str(hsm->lacking))) {
        rv = CODE_USER_UNKNOWN;
    }
    if (rv == CKR_OK) {
        rv = login_done(r, &user);
    }
    wipe(&user, sizeof user);
    return rv;
}

CK_RV
handle_LOGIN_SIGNED(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct login_signed_request m;
    struct context_challenge challenge;
    struct user user = { 0 };
    uint64_t version;
    bool fits;
    CK_RV rv;

    if (!login_signed_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if ((rv = login_may(r, m.role)) != CKR_OK) {
        return rv;
    }
    user_look(hsm, m.role, m.name, &user);
    login_note(r, m.role, m.name, &user);
    if (!request_may(r, PLACE_SLOW)) {
        wipe(&user, sizeof user);
        return CODE_LATER;
    }
    version = user.version;
    challenge = context_take_challenge(r->context);
    fits = factor_check(r, &challenge, CHALLENGE_LOGIN, m.role, m.name, &user.factor,
                        m.signature) == CKR_OK;
    rv = login_try_if(r, m.role, m.name, m.password, fits, &user);
    if (rv == CODE_CONFLICT) {
        context_put_challenge(r->context, &challenge); /* this is run again */
    }
    if (rv == CKR_OK && user.version != version) {
        rv = CKR_PIN_INCORRECT; /* his second factor may be another by now */
    }
    if (rv == CKR_OK) {
        rv = login_done(r, &user);
    }
    wipe(&user, sizeof user);
    return rv;
}

/* The password of who is logged in, and of nobody else. name may be empty. */
static CK_RV
own_password_try(struct request *r, view name, view password)
{
    char own[USER_NAME_MAX + 1];
    struct user user = { 0 };
    CK_RV rv = login_own_name(r, own);

    if (rv != CKR_OK) {
        return rv;
    }
    name = name.len == 0 ? view_str(own) : name;
    rv = login_try(r, r->who.role, name, password, &user);
    if (rv == CKR_OK && user.id != r->who.user) {
        rv = CKR_PIN_INCORRECT;
    }
    wipe(&user, sizeof user);
    return rv;
}

/* PKCS #11 v3.1, 4.9: CKA_ALWAYS_AUTHENTICATE. */
CK_RV
handle_AUTHENTICATE(struct request *r)
{
    struct authenticate_request m;
    struct object *key;
    CK_RV rv;

    if (!authenticate_request_read(r->body, &m) ||
        (m.function != CKF_SIGN && m.function != CKF_DECRYPT &&
         m.function != CKF_SIGN_RECOVER)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.key, AUDIT_NO_MECHANISM);
    key = request_object(r, m.key);
    if (key == NULL) {
        return CKR_KEY_HANDLE_INVALID;
    }
    if ((key->info.flags & KEY_FLAG_ALWAYS_AUTHENTICATE) == 0) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else if ((rv = own_password_try(r, m.name, m.password)) == CKR_OK) {
        rv = context_put_permit(r->context, r->frame->session, m.function, key)
                 ? CKR_OK
                 : CKR_DEVICE_MEMORY;
    } else if (rv == CKR_PIN_LOCKED) {
        context_logout(r->context); /* PKCS #11 v3.1, 5.6.8 */
    }
    object_unref(key);
    return rv;
}

CK_RV
handle_RENEW(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct renew_request m;
    struct user user;
    struct ticket ticket;
    struct writer sealed;
    uint64_t login;
    CK_RV rv;

    if (!renew_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    login = context_identity(r->context).login;
    pthread_rwlock_rdlock(&hsm->lock);

    const struct user *there = user_by_id(&hsm->users, r->who.user);

    user = there == NULL ? (struct user){ .id = NO_USER } : *there;
    pthread_rwlock_unlock(&hsm->lock);
    /* Whom the owner let in to change his password is logged in as less than he is. */
    if (login == 0 || user.id == NO_USER || user.role != (uint32_t)r->who.role) {
        wipe(&user, sizeof user);
        return CKR_USER_NOT_LOGGED_IN;
    }
    writer_init(&sealed, 256);
    rv = ticket_make(r, login, &user, &ticket, &sealed);
    if (rv == CKR_OK) {
        const struct renew_reply answer = {
            .ticket = writer_view(&sealed),
            .life = (uint32_t)life_own(hsm),
        };

        renew_reply_write(r->reply, &answer);
    }
    writer_clear(&sealed);
    wipe(&user, sizeof user);
    return rv;
}

/* Ended in the store first: no ticket of this login may bring it back once this was answered. */
CK_RV
handle_LOGOUT(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct logout_request m;
    struct ended_login *ended;
    struct writer record;
    uint64_t login, until, revision;
    CK_RV rv;

    if (!logout_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    login = context_identity(r->context).login;
    until = life_end(hsm);
    ended = ended_login_new(login, until);
    if (ended == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    writer_init(&record, 256);
    rv = logout_record(&hsm->sealer, login, until, &record);
    if (rv == CKR_OK) {
        const struct logout_name name = logout_name(login);
        const struct store_change change = { logout_name_view(&name), writer_view(&record),
                                             false };

        rv = request_commit(r, NULL, 0, &change, 1, &revision);
    }
    writer_clear(&record);
    if (rv != CKR_OK) {
        ended_login_free(ended);
        return rv;
    }
    /* Who takes a ticket up looks and logs in under this lock: he sees it, or is logged out. */
    pthread_rwlock_wrlock(&hsm->lock);
    logouts_take(&hsm->logouts, ended);
    pthread_rwlock_unlock(&hsm->lock);
    context_logout(r->context);
    return CKR_OK;
}
