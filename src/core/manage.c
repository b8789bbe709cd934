/* SPDX-License-Identifier: Apache-2.0
 *
 * Users: list, create, delete, change a password. Only a crypto officer changes others.
 */
#include "core/manage.h"

#include "core/factor.h"

#include <string.h>

#define USERS_MAX 16384u

CK_RV
handle_USER_LIST(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct user_list_request m;
    struct writer users;
    size_t count = 0;
    size_t i;

    if (!user_list_request_read(r->body, &m) || m.max > USERS_PAGE_MAX) {
        return CODE_BAD_FRAME;
    }
    m.max = m.max == 0 ? USERS_PAGE_MAX : m.max;
    writer_init(&users, FRAME_BODY_MAX / 2);
    pthread_rwlock_rdlock(&hsm->lock);
    for (i = user_after(&hsm->users, m.after); i < hsm->users.count && count < m.max; i++) {
        const struct user *user = &hsm->users.users[i];
        const struct user_info info = {
            .id = user->id,
            .role = user->role,
            .name = view_str(user->name),
            .failures = user->failures,
            .quorum_key = user->role == ROLE_CO && quorum_has_key(&hsm->quorum, user->id),
            .second_factor = user->factor.len > 0,
        };

        user_info_write(&users, &info);
        count++;
    }

    bool more = i < hsm->users.count;

    pthread_rwlock_unlock(&hsm->lock);

    const struct user_list_reply answer = { .users = { writer_view(&users) }, .more = more };
    CK_RV rv = writer_ok(&users) ? CKR_OK : CKR_DEVICE_MEMORY;

    if (rv == CKR_OK) {
        user_list_reply_write(r->reply, &answer);
    }
    writer_clear(&users);
    return rv;
}

CK_RV
user_store(struct request *r, struct user *user, const struct directory *directory)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = record_name('u', user->id);
    struct record_name failures_name = record_name('f', user->id);
    struct writer record, failures;
    size_t count = user->failures > 0 ? 2 : 1;
    uint64_t revision = 0;
    CK_RV rv;
    bool room;

    pthread_rwlock_wrlock(&hsm->lock);
    room = user_table_reserve(&hsm->users);
    pthread_rwlock_unlock(&hsm->lock);
    if (!room) {
        return CKR_DEVICE_MEMORY;
    }
    writer_init(&record, 2048);
    writer_init(&failures, 256);
    if ((rv = user_record(&hsm->sealer, user, &record)) == CKR_OK &&
        (rv = failures_record(&hsm->sealer, user, 0, &failures)) == CKR_OK) {
        struct store_compare compares[] = {
            { record_name_view(&name), user->revision },
            { record_name_view(&failures_name), user->failures_revision },
            { VIEW_EMPTY, 0 },
        };
        struct store_change changes[] = {
            { record_name_view(&name), writer_view(&record), false },
            { record_name_view(&failures_name), writer_view(&failures), false },
            { VIEW_EMPTY, VIEW_EMPTY, false },
        };

        if (directory != NULL && directory->count > 0) {
            compares[count] = directory->compare;
            changes[count++] = directory->change;
        }
        rv = request_commit(r, compares, count, changes, count, &revision);
    }
    writer_clear(&record);
    writer_clear(&failures);
    if (rv != CKR_OK) {
        return rv;
    }
    user->revision = revision;
    if (user->failures > 0) {
        user->failures = 0;
        user->failures_revision = revision;
    }
    if (directory != NULL) {
        directory_done(hsm, revision);
    }
    users_enter(hsm, user);
    return CKR_OK;
}

static bool
role_can_be_made(uint32_t role)
{
    return role == ROLE_CU || role == ROLE_CO || role == ROLE_AU;
}

bool
user_is_there(struct hsm *hsm, view name, bool *ret_room)
{
    bool there;

    pthread_rwlock_rdlock(&hsm->lock);
    there = user_named(&hsm->users, name) != NULL;
    *ret_room = hsm->users.count < USERS_MAX;
    pthread_rwlock_unlock(&hsm->lock);
    return there;
}

/* The user as the audit shall have him. */
static void
user_note(struct request *r, const struct user *user)
{
    note_detail(r, "id=%u role=%u name=%s%s", (unsigned)user->id, (unsigned)user->role, user->name,
                user->factor.len > 0 ? " 2fa=yes" : "");
}

CK_RV
user_make(struct request *r, uint32_t role, view name, view password, const struct factor *factor,
          void (*before)(struct request *r, uint32_t id))
{
    struct hsm *hsm = r->hsm;
    struct user user = { .version = 1 };
    struct directory directory;
    uint64_t id = 0;
    bool room;
    CK_RV rv;

    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    if ((rv = directory_begin(hsm, &directory)) != CKR_OK) {
        goto out;
    }
    if (user_is_there(hsm, name, &room)) {
        rv = CODE_USER_EXISTS;
        goto out;
    }
    if (!room) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    if (!hsm->ports.store->next_numbers(hsm->ports.store, "user", 1, USER_FIRST_ID, &id) ||
        id > UINT32_MAX) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    user.id = (uint32_t)id;
    user.role = role;
    memcpy(user.name, name.data, name.len);
    if (factor != NULL) {
        user.factor = *factor;
    }
    rv = user_set_password(hsm->ports.entropy, &user, password);
    if (rv != CKR_OK) {
        goto out;
    }
    user_note(r, &user);
    if (before != NULL) {
        before(r, user.id);
    }
    rv = user_store(r, &user, &directory);
out:
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}

static void
create_answer(struct request *r, uint32_t id)
{
    const struct user_create_reply answer = { .user = id };

    user_create_reply_write(r->reply, &answer);
}

/* What a request asks for that brings a password; proof is NULL where no second factor is. */
struct wanted {
    uint32_t role;
    view name;
    view password;
    const struct factor_proof *proof;
};

typedef CK_RV wanted_act(struct request *r, const struct wanted *m, const struct factor *factor);

/* Looks at the proof, asks the officers unless he is alone with it, and acts. */
static CK_RV
wanted_run(struct request *r, const struct wanted *m, bool alone, wanted_act *act)
{
    struct quorum_token *token = NULL;
    struct factor factor = { .len = 0 };
    struct context_challenge challenge = { .purpose = 0 };
    CK_RV rv = CKR_OK;

    if (!user_password_valid(m->password)) {
        return CKR_PIN_LEN_RANGE;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }
    if (m->proof != NULL) {
        challenge = context_take_challenge(r->context);
        rv = factor_accept(r, &challenge, m->role, m->name, m->proof, &factor);
    }
    if (rv == CKR_OK && !alone) {
        rv = quorum_take(r, SERVICE_USERS, &token);
    }
    if (rv == CKR_OK) {
        rv = quorum_done(r, token, act(r, m, &factor));
    }
    if (rv == CODE_CONFLICT && m->proof != NULL) {
        context_put_challenge(r->context, &challenge); /* this is run again */
    }
    return rv;
}

static CK_RV
create_act(struct request *r, const struct wanted *m, const struct factor *factor)
{
    return user_make(r, m->role, m->name, m->password, factor, create_answer);
}

static CK_RV
user_create(struct request *r, const struct wanted *m)
{
    if (!role_can_be_made(m->role)) {
        return CKR_USER_TYPE_INVALID;
    }
    if (!user_name_valid(m->name)) {
        return CKR_ARGUMENTS_BAD;
    }
    note_detail(r, "role=%u name=%.*s", (unsigned)m->role, (int)m->name.len,
                (const char *)m->name.data);
    return wanted_run(r, m, false, create_act);
}

CK_RV
handle_USER_CREATE(struct request *r)
{
    struct user_create_request m;

    return user_create_request_read(r->body, &m)
               ? user_create(r, &(struct wanted){ m.role, m.name, m.password, NULL })
               : CODE_BAD_FRAME;
}

CK_RV
handle_USER_CREATE_SIGNED(struct request *r)
{
    struct user_create_signed_request m;

    if (!user_create_signed_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }

    const struct factor_proof proof = { m.key, m.signature };

    return user_create(r, &(struct wanted){ m.role, m.name, m.password, &proof });
}

CK_RV
user_copy(struct hsm *hsm, uint32_t role, view name, struct user *ret_user)
{
    struct user *user;

    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_name(&hsm->users, role, name);
    if (user != NULL) {
        *ret_user = *user;
    }
    pthread_rwlock_unlock(&hsm->lock);
    return user == NULL ? CODE_USER_UNKNOWN : CKR_OK;
}

static bool
is_shared_with(const struct object *object, uint32_t id)
{
    for (size_t i = 0; i < object->share_count; i++) {
        if (object->shares[i] == id) {
            return true;
        }
    }
    return false;
}

/* What keeps a user: his objects; and of who has closed his access also what is shared with him,
 * for nobody is to come back as him. */
static CK_RV
user_may_go(struct hsm *hsm, const struct user *user)
{
    struct object *object;
    CK_RV rv = CKR_OK;

    pthread_rwlock_rdlock(&hsm->lock);
    for (object = table_next(&hsm->objects, 0); object != NULL && rv != CODE_USER_OWNS_KEYS;
         object = table_next(&hsm->objects, object->handle)) {
        if (object->owner == user->id) {
            rv = CODE_USER_OWNS_KEYS;
        } else if (user->closed && is_shared_with(object, user->id)) {
            rv = CODE_USER_SHARED;
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    return rv;
}

CK_RV
handle_USER_DELETE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct user_delete_request m;
    struct password_gate *gate;
    struct quorum_token *token = NULL;
    struct directory directory;
    struct user user = { .id = 0 };
    uint64_t revision;
    CK_RV rv;

    if (!user_delete_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    note_detail(r, "role=%u name=%.*s", (unsigned)m.role, (int)m.name.len,
                (const char *)m.name.data);
    gate = password_gate(hsm, m.name);
    pthread_mutex_lock(&gate->lock); /* no login counts its failure for one who is gone */
    if ((rv = directory_begin(hsm, &directory)) != CKR_OK) {
        goto out;
    }
    rv = user_copy(hsm, m.role, m.name, &user);
    if (rv != CKR_OK) {
        goto out;
    }
    if (user.id == r->who.user || user.id == USER_FIRST_ID - 1) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    if ((rv = user_may_go(hsm, &user)) != CKR_OK) {
        goto out;
    }
    if (!quorum_can_lose(&hsm->quorum, user.id)) {
        rv = CODE_QUORUM_SIZE;
        goto out;
    }
    if ((rv = quorum_take(r, SERVICE_USERS, &token)) != CKR_OK) {
        goto out;
    }
    note_detail(r, "id=%u name=%s", (unsigned)user.id, user.name);

    struct record_name record = record_name('u', user.id);
    struct record_name key = record_name('k', user.id);
    struct record_name failures = record_name('f', user.id);
    const struct store_compare compares[] = {
        { record_name_view(&record), user.revision },
        directory.compare,
    };
    struct store_change changes[] = {
        { record_name_view(&record), VIEW_EMPTY, true },
        { record_name_view(&failures), VIEW_EMPTY, true },
        { record_name_view(&key), VIEW_EMPTY, true },
        { VIEW_EMPTY, VIEW_EMPTY, true },
    };
    size_t count = quorum_has_key(&hsm->quorum, user.id) ? 3 : 2;

    if (directory.count > 0) {
        changes[count++] = directory.change;
    }
    rv = request_commit(r, compares, 1 + directory.count, changes, count, &revision);
    rv = quorum_done(r, token, rv);
    if (rv == CKR_OK) {
        directory_done(hsm, revision);
        users_leave(hsm, user.id, revision);
        r->barrier = true;
    }
out:
    pthread_mutex_unlock(&gate->lock);
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}

CK_RV
user_change(struct request *r, uint32_t role, view name, view password, uint64_t version,
            const struct factor *factor)
{
    struct hsm *hsm = r->hsm;
    struct password_gate *gate;
    struct user user;
    CK_RV rv;

    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    /* A login that is being counted would be written over, or write over this. */
    gate = password_gate(hsm, name);
    pthread_mutex_lock(&gate->lock);
    rv = user_copy(hsm, role, name, &user);
    if (rv != CKR_OK) {
        goto out;
    }
    if (version != 0 && user.version != version) {
        rv = CKR_PIN_INCORRECT; /* it was another one's already */
        goto out;
    }
    if (version == 0 && user.id != r->who.user && (r->who.role != ROLE_CO || user.closed)) {
        rv = CKR_ACTION_PROHIBITED;
        goto out;
    }
    user.version++;
    /* His first own password makes him an officer. */
    user.role = user.role == ROLE_PRECO ? ROLE_CO : user.role;
    if (factor != NULL) {
        user.factor = *factor;
    }
    rv = user_set_password(hsm->ports.entropy, &user, password);
    if (rv != CKR_OK) {
        goto out;
    }
    user_note(r, &user);
    rv = user_store(r, &user, NULL);
    r->barrier = rv == CKR_OK;
    if (rv == CKR_OK && user.role != role) {
        context_logout_user(&hsm->contexts, user.id); /* as what he was */
    }
out:
    pthread_mutex_unlock(&gate->lock);
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}

static bool
user_is_self(struct request *r, uint32_t role, view name)
{
    const struct user *user;
    bool self;

    pthread_rwlock_rdlock(&r->hsm->lock);
    user = user_by_name(&r->hsm->users, role, name);
    self = user != NULL && user->id == r->who.user;
    pthread_rwlock_unlock(&r->hsm->lock);
    return self;
}

static CK_RV
renew_act(struct request *r, const struct wanted *m, const struct factor *factor)
{
    return user_change(r, m->role, m->name, m->password, 0, factor);
}

/* Without a proof a second factor ends: what is not given again is taken away, as by the
 * original. */
static CK_RV
user_renew(struct request *r, const struct wanted *m)
{
    return wanted_run(r, m, user_is_self(r, m->role, m->name), renew_act);
}

CK_RV
handle_USER_PASSWORD(struct request *r)
{
    struct user_password_request m;

    return user_password_request_read(r->body, &m)
               ? user_renew(r, &(struct wanted){ m.role, m.name, m.password, NULL })
               : CODE_BAD_FRAME;
}

CK_RV
handle_USER_PASSWORD_SIGNED(struct request *r)
{
    struct user_password_signed_request m;

    if (!user_password_signed_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }

    const struct factor_proof proof = { m.key, m.signature };

    return user_renew(r, &(struct wanted){ m.role, m.name, m.password, &proof });
}
