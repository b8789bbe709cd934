/* SPDX-License-Identifier: Apache-2.0
 *
 * One row for each kind of record with a number; the others have names of their own. What may be
 * told by another node takes the locks that a handler would.
 */
#include "core/load.h"

#include "core/approve.h"
#include "core/birth.h"
#include "core/directory.h"
#include "core/follow.h"
#include "core/journal.h"

#include <string.h>

#define KEPT_NOT UINT64_MAX

/* ---- objects ---- */

void
objects_enter(struct hsm *hsm, struct object *object)
{
    pthread_rwlock_wrlock(&hsm->lock);
    if (follow_passed(hsm, object->revision) ||
        table_find(&hsm->objects, object->handle) != NULL) {
        table_unreserve(&hsm->objects, 1); /* it was told, and what became of it too */
    } else {
        table_put_reserved(&hsm->objects, object);
    }
    pthread_rwlock_unlock(&hsm->lock);
}

void
objects_change(struct hsm *hsm, struct object *object)
{
    const struct object *before;

    pthread_rwlock_wrlock(&hsm->lock);
    before = table_find(&hsm->objects, object->handle);
    if (before != NULL && before->revision < object->revision) {
        table_replace(&hsm->objects, object);
    }
    pthread_rwlock_unlock(&hsm->lock);
    changes_add(&hsm->changes, object->handle);
}

void
objects_leave(struct hsm *hsm, uint32_t handle, uint64_t revision)
{
    const struct object *before;

    pthread_rwlock_wrlock(&hsm->lock);
    before = table_find(&hsm->objects, handle);
    if (before != NULL && before->revision < revision) {
        table_remove(&hsm->objects, handle);
    }
    pthread_rwlock_unlock(&hsm->lock);
    changes_add(&hsm->changes, handle);
}

static CK_RV
object_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    struct object *object = NULL;
    const struct object *before;
    bool changed = false;
    CK_RV rv = object_from_record(&hsm->sealer, number, value, revision, &object);

    if (rv != CKR_OK) {
        return rv;
    }
    pthread_rwlock_wrlock(&hsm->lock);
    before = table_find(&hsm->objects, number);
    if (before == NULL || before->revision < revision) {
        changed = before != NULL;
        rv = table_put(&hsm->objects, object) ? CKR_OK : CKR_HOST_MEMORY;
    }
    pthread_rwlock_unlock(&hsm->lock);
    object_unref(object);
    if (rv == CKR_OK && handle_is_certificate(number)) {
        numbers_load(&hsm->certificates, number, 0);
    }
    if (changed) {
        changes_add(&hsm->changes, number);
    }
    return rv;
}

static void
object_gone(struct hsm *hsm, uint32_t number, uint64_t revision)
{
    objects_leave(hsm, number, revision);
}

/* ---- users and failed logins ---- */

/* What the table knows beside the record stays. Under hsm->lock. */
static void
user_follow(struct user *user, const struct user *before)
{
    if (user->failures_revision < before->failures_revision) {
        user->failures = before->failures;
        user->failures_revision = before->failures_revision;
    }
}

void
users_enter(struct hsm *hsm, const struct user *user)
{
    struct user next = *user;
    const struct user *before;

    pthread_rwlock_wrlock(&hsm->lock);
    before = user_by_id(&hsm->users, user->id);
    if (before == NULL ? !follow_passed(hsm, user->revision)
                       : before->revision < user->revision) {
        if (before != NULL) {
            user_follow(&next, before);
        }
        /* The room of before may have been taken by another node's user meanwhile. */
        if (user_table_reserve(&hsm->users)) {
            user_table_put(&hsm->users, &next);
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    wipe(&next, sizeof next);
    changes_add(&hsm->changes, CHANGE_OF_ALL);
}

void
users_leave(struct hsm *hsm, uint32_t id, uint64_t revision)
{
    const struct user *before;
    bool gone;

    pthread_rwlock_wrlock(&hsm->lock);
    before = user_by_id(&hsm->users, id);
    gone = before != NULL && before->revision < revision;
    if (gone) {
        user_table_remove(&hsm->users, id);
    }
    pthread_rwlock_unlock(&hsm->lock);
    if (gone) {
        context_logout_user(&hsm->contexts, id);
        quorum_forget(&hsm->quorum, id);
        changes_add(&hsm->changes, CHANGE_OF_ALL);
    }
}

static CK_RV
user_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    struct user user;
    const struct user *before;
    bool changed = false, other = false;
    CK_RV rv = user_from_record(&hsm->sealer, number, value, revision, &user);

    if (rv != CKR_OK) {
        return rv;
    }
    pthread_rwlock_wrlock(&hsm->lock);
    before = user_by_id(&hsm->users, number);
    if (before == NULL || before->revision < revision) {
        changed = before != NULL;
        other = changed && before->role != user.role;
        if (changed) {
            user_follow(&user, before);
        }
        if (user_table_reserve(&hsm->users)) {
            user_table_put(&hsm->users, &user);
        } else {
            rv = CKR_HOST_MEMORY;
        }
    }
    pthread_rwlock_unlock(&hsm->lock);
    wipe(&user, sizeof user);
    if (other) {
        context_logout_user(&hsm->contexts, number); /* as what he was */
    }
    if (changed) {
        changes_add(&hsm->changes, CHANGE_OF_ALL);
    }
    return rv;
}

void
failures_enter(struct hsm *hsm, uint32_t id, uint32_t failures, uint64_t revision)
{
    struct user *user;

    pthread_rwlock_wrlock(&hsm->lock);
    user = user_by_id(&hsm->users, id);
    if (user != NULL && user->failures_revision < revision) {
        user->failures = failures;
        user->failures_revision = revision;
    } else if (id >= GATE_USER_FIRST && id - GATE_USER_FIRST < PASSWORD_GATES &&
               hsm->gates[id - GATE_USER_FIRST].failures_revision < revision) {
        hsm->gates[id - GATE_USER_FIRST].failures_revision = revision;
    }
    pthread_rwlock_unlock(&hsm->lock);
}

static CK_RV
failures_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    uint32_t failures = 0;
    CK_RV rv = failures_from_record(&hsm->sealer, number, value, &failures);

    if (rv == CKR_OK) {
        failures_enter(hsm, number, failures, revision);
    }
    return rv;
}

/* ---- quorum, owner, directory: what handlers read and change under hsm->change ---- */

static CK_RV
quorum_key_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    const struct quorum_key *before;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&hsm->change);
    pthread_mutex_lock(&hsm->quorum.lock);
    before = quorum_key_of(&hsm->quorum, number);
    if (before == NULL || before->revision < revision) {
        rv = quorum_load_key(&hsm->quorum, &hsm->sealer, number, value, revision);
    }
    pthread_mutex_unlock(&hsm->quorum.lock);
    pthread_mutex_unlock(&hsm->change);
    return rv;
}

static CK_RV
quorum_settings_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&hsm->change);
    pthread_mutex_lock(&hsm->quorum.lock);
    if (hsm->quorum.revision < revision) {
        rv = quorum_load_settings(&hsm->quorum, &hsm->sealer, number, value, revision);
    }
    pthread_mutex_unlock(&hsm->quorum.lock);
    pthread_mutex_unlock(&hsm->change);
    return rv;
}

static CK_RV
owner_cert_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    CK_RV rv;

    pthread_mutex_lock(&hsm->change);
    pthread_rwlock_wrlock(&hsm->lock);
    rv = owner_load_cert(&hsm->owner, &hsm->sealer, number, value, revision);
    pthread_rwlock_unlock(&hsm->lock);
    pthread_mutex_unlock(&hsm->change);
    return rv;
}

static CK_RV
directory_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    UNUSED(value); /* it says nothing; its revision does */
    if (number != DIRECTORY_NUMBER) {
        return CKR_GENERAL_ERROR;
    }
    directory_done(hsm, revision);
    return CKR_OK;
}

static CK_RV
member_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    struct member member;
    CK_RV rv = member_from_record(&hsm->sealer, number, value, revision, &member);

    if (rv == CKR_OK) {
        pthread_rwlock_wrlock(&hsm->lock);
        rv = members_put(&hsm->members, &member) ? CKR_OK : CKR_GENERAL_ERROR;
        pthread_rwlock_unlock(&hsm->lock);
        fence_told(hsm, &member);
    }
    return rv;
}

/* ---- certificates ---- */

static CK_RV
rest_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision)
{
    uint32_t since = 0;
    CK_RV rv = rest_from_record(&hsm->sealer, number, value, &since);

    UNUSED(revision);
    if (rv == CKR_OK) {
        numbers_load(&hsm->certificates, number, since == 0 ? 1 : since);
    }
    return rv;
}

static CK_RV
token_put(struct hsm *hsm, const struct token_name *name, view value, uint64_t revision)
{
    struct container *container;
    const struct token_record *before;
    CK_RV rv = CKR_OK;

    pthread_mutex_lock(&hsm->change);
    container = container_find(&hsm->containers, view_of(name->container, CONTAINER_ID_LEN), false);
    before = container == NULL ? NULL : container_record(container, name->handle);
    if (before == NULL || before->revision < revision) {
        rv = containers_load(&hsm->containers, &hsm->sealer, name, value, revision);
    }
    pthread_mutex_unlock(&hsm->change);
    return rv;
}

static void
token_gone(struct hsm *hsm, const struct token_name *name, uint64_t revision)
{
    struct container *container;
    const struct token_record *before;

    pthread_mutex_lock(&hsm->change);
    container = container_find(&hsm->containers, view_of(name->container, CONTAINER_ID_LEN), false);
    before = container == NULL ? NULL : container_record(container, name->handle);
    if (before != NULL && before->revision < revision) {
        container_drop(container, name->handle);
        numbers_give_back(&container->numbers, name->handle);
    }
    pthread_mutex_unlock(&hsm->change);
}

/* ---- contexts' ---- */

static CK_RV
reply_put(struct hsm *hsm, struct reply_key *key, view value)
{
    struct writer body;
    uint64_t at, settled;
    CK_RV rv;

    writer_init(&body, FRAME_BODY_MAX);
    rv = reply_from_record(&hsm->sealer, key, value, &at, &settled, &body);
    if (rv == CKR_OK) {
        /* The other node's clock may be behind; by ours it has just come. */
        at = atomic_load(&hsm->follow.on) ? hsm_time(hsm) : at;
        rv = replies_load(&hsm->replies, key, at, settled, writer_view(&body)) ? CKR_OK
                                                                                : CKR_HOST_MEMORY;
        if (rv == CKR_OK && body.len == 0) {
            replies_void(&hsm->replies, key); /* another was kept for it, and was taken back */
        }
    }
    writer_clear(&body);
    return rv;
}

static CK_RV
logout_put(struct hsm *hsm, uint64_t login, view value)
{
    struct ended_login *ended;
    uint64_t until;
    CK_RV rv = logout_from_record(&hsm->sealer, login, value, &until);

    if (rv != CKR_OK || logouts_has(&hsm->logouts, login)) {
        return rv;
    }
    ended = ended_login_new(login, until);
    if (ended == NULL) {
        return CKR_HOST_MEMORY;
    }
    /* Who takes a ticket up looks and logs in under this lock: he sees it, or is found below. */
    pthread_rwlock_wrlock(&hsm->lock);
    logouts_take(&hsm->logouts, ended);
    pthread_rwlock_unlock(&hsm->lock);
    context_logout_login(&hsm->contexts, login);
    return CKR_OK;
}

/* What another node has ended may be here as well, where a daemon went from one to the other. */
static CK_RV
tomb_put(struct hsm *hsm, const uint8_t identity[COPY_IDENTITY_LEN], view value,
         uint64_t revision)
{
    struct tomb tomb = { .handle = 0 };
    struct tomb_entry *entry;
    struct context *context;
    CK_RV rv;

    memcpy(tomb.identity, identity, sizeof tomb.identity);
    rv = tomb_from_record(&hsm->sealer, value, revision, &tomb);
    if (rv != CKR_OK) {
        return rv;
    }
    entry = tomb_entry_new(&tomb);
    if (entry == NULL) {
        return CKR_HOST_MEMORY;
    }
    tombs_take(&hsm->tombs, entry, revision);
    context = tomb.boot == hsm->changes.boot ? NULL : context_find(&hsm->contexts, tomb.context);
    if (context != NULL) {
        context_bury(context, &tomb);
        context_unref(context);
    }
    return CKR_OK;
}

/* ---- by name ---- */

bool
load_is_apart(view key)
{
    char node[JOURNAL_NODE_MAX + 1];

    return view_equal(key, PARTITION_NAME) || owner_name_is(key) || beat_name_is(key) ||
           journal_name_parse(key, node) || journal_first_parse(key, node);
}

/* Handlers read the quorum under hsm->change. */
static void
user_gone(struct hsm *hsm, uint32_t number, uint64_t revision)
{
    pthread_mutex_lock(&hsm->change);
    users_leave(hsm, number, revision);
    pthread_mutex_unlock(&hsm->change);
}

/* ---- what the tables have ---- */

static uint64_t
object_had(struct hsm *hsm, uint32_t number)
{
    const struct object *object = table_find(&hsm->objects, number);

    return object == NULL ? 0 : object->revision;
}

static uint64_t
user_had(struct hsm *hsm, uint32_t number)
{
    const struct user *user = user_by_id(&hsm->users, number);

    return user == NULL ? 0 : user->revision;
}

static uint64_t
failures_had(struct hsm *hsm, uint32_t number)
{
    const struct user *user = user_by_id(&hsm->users, number);

    return user == NULL ? KEPT_NOT : user->failures_revision; /* a gate's are not kept */
}

static uint64_t
owner_cert_had(struct hsm *hsm, uint32_t number)
{
    UNUSED(number);
    return owner_revision(&hsm->owner);
}

static uint64_t
life_had(struct hsm *hsm, uint32_t number)
{
    UNUSED(number);
    return hsm->life.revision;
}

static uint64_t
directory_had(struct hsm *hsm, uint32_t number)
{
    UNUSED(number);
    return hsm->directory;
}

/* Also of one that was removed. */
static uint64_t
member_had(struct hsm *hsm, uint32_t number)
{
    uint64_t revision = 0;

    for (size_t i = 0; i < hsm->members.count; i++) {
        if (hsm->members.members[i].number == number) {
            revision = hsm->members.members[i].revision;
        }
    }
    return revision;
}

static uint64_t
quorum_key_had(struct hsm *hsm, uint32_t number)
{
    const struct quorum_key *key;
    uint64_t revision;

    pthread_mutex_lock(&hsm->quorum.lock);
    key = quorum_key_of(&hsm->quorum, number);
    revision = key == NULL ? 0 : key->revision;
    pthread_mutex_unlock(&hsm->quorum.lock);
    return revision;
}

static uint64_t
quorum_settings_had(struct hsm *hsm, uint32_t number)
{
    uint64_t revision;

    UNUSED(number);
    pthread_mutex_lock(&hsm->quorum.lock);
    revision = hsm->quorum.revision;
    pthread_mutex_unlock(&hsm->quorum.lock);
    return revision;
}

static uint64_t
release_had(struct hsm *hsm, uint32_t number)
{
    UNUSED(number);
    return hsm->release.revision;
}

/* clang-format off */
static const struct load_row {
    char prefix;
    CK_RV (*put)(struct hsm *hsm, uint32_t number, view value, uint64_t revision);
    /* The revision of what the tables have, 0: not that record; under hsm->lock. NULL, or KEPT_NOT:
     * they keep none of it. */
    uint64_t (*had)(struct hsm *hsm, uint32_t number);
    void (*gone)(struct hsm *hsm, uint32_t number, uint64_t revision); /* NULL: it says nothing */
} rows[] = {
    { 'c', owner_cert_put,      owner_cert_had,      NULL },
    { 'd', rest_put,            NULL,                NULL },
    { 'e', life_put,            life_had,            NULL },
    { 'f', failures_put,        failures_had,        NULL },
    { 'g', directory_put,       directory_had,       NULL },
    { 'h', member_put,          member_had,          NULL },
    { 'k', quorum_key_put,      quorum_key_had,      NULL },
    { 'm', quorum_settings_put, quorum_settings_had, NULL },
    { 'o', object_put,          object_had,          object_gone },
    { 'u', user_put,            user_had,            user_gone },
    { 'v', release_put,         release_had,         NULL },
};
/* clang-format on */

static const struct load_row *
row_of(char prefix)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].prefix == prefix) {
            return &rows[i];
        }
    }
    return NULL;
}

bool
load_is_behind(struct hsm *hsm, char prefix, uint32_t number, uint64_t revision)
{
    const struct load_row *row = row_of(prefix);
    uint64_t had;

    if (row == NULL || row->had == NULL) {
        return false;
    }
    pthread_rwlock_rdlock(&hsm->lock);
    had = row->had(hsm, number);
    pthread_rwlock_unlock(&hsm->lock);
    return had < revision;
}

CK_RV
load_put(struct hsm *hsm, view key, view value, uint64_t revision)
{
    const struct load_row *row;
    struct token_name token;
    struct reply_key reply;
    uint8_t identity[COPY_IDENTITY_LEN];
    uint64_t login;
    char prefix;
    uint32_t number;

    if (record_name_parse(key, &prefix, &number)) {
        row = row_of(prefix);
        return row == NULL ? CKR_GENERAL_ERROR : row->put(hsm, number, value, revision);
    }
    if (token_name_parse(key, &token)) {
        return token_put(hsm, &token, value, revision);
    }
    if (logout_name_parse(key, &login)) {
        return logout_put(hsm, login, value);
    }
    if (tomb_name_parse(key, identity)) {
        return tomb_put(hsm, identity, value, revision);
    }
    if (reply_name_parse(key, &reply)) {
        return reply_put(hsm, &reply, value);
    }
    return CKR_GENERAL_ERROR;
}

void
load_gone(struct hsm *hsm, view key, uint64_t revision)
{
    const struct load_row *row;
    struct token_name token;
    struct reply_key reply;
    char prefix;
    uint32_t number;

    if (record_name_parse(key, &prefix, &number)) {
        row = row_of(prefix);
        if (row != NULL && row->gone != NULL) {
            row->gone(hsm, number, revision);
        }
    } else if (token_name_parse(key, &token)) {
        token_gone(hsm, &token, revision);
    } else if (reply_name_parse(key, &reply)) {
        replies_forget(&hsm->replies, &reply);
    }
}
