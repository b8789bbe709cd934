/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys as management sees them: lists, what a key is like, whom it belongs to and who may use it.
 * An officer sees every key's open attributes and its owner, and uses none.
 */
#include "core/load.h"

#include <string.h>

#define LIST_MAX 4096u /* keys of one reply */

/* ---- what is there ---- */

enum custody { CUSTODY_NONE, CUSTODY_OWNED, CUSTODY_SHARED }; /* on the wire, too */

static enum custody
key_is_of(const struct object *object, uint32_t user)
{
    if (object->owner == user) {
        return CUSTODY_OWNED;
    }
    for (size_t i = 0; i < object->share_count; i++) {
        if (object->shares[i] == user) {
            return CUSTODY_SHARED;
        }
    }
    return CUSTODY_NONE;
}

static bool
is_key(const struct object *object)
{
    const uint32_t class = object->info.class;

    return class == CKO_PUBLIC_KEY || class == CKO_PRIVATE_KEY || class == CKO_SECRET_KEY;
}

/* An officer or an auditor may ask about everyone, a crypto user about himself. */
static bool
may_ask_about(const struct request *r, uint32_t user)
{
    return r->who.role == ROLE_CO || r->who.role == ROLE_AU ||
           (r->who.role == ROLE_CU && r->who.user == user);
}

CK_RV
handle_KEY_LIST(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct key_list_request m;
    struct writer handles, kinds, versions;
    struct object *object;
    uint32_t max;
    uint32_t count = 0;
    bool more = false;

    if (!key_list_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!may_ask_about(r, m.user)) {
        return CKR_USER_TYPE_INVALID;
    }
    max = m.max == 0 || m.max > LIST_MAX ? LIST_MAX : m.max;
    writer_init(&handles, LIST_MAX * 4);
    writer_init(&kinds, LIST_MAX);
    writer_init(&versions, LIST_MAX * 4);
    pthread_rwlock_rdlock(&hsm->lock);
    for (uint32_t at = m.after; (object = table_next(&hsm->objects, at)) != NULL;) {
        enum custody kind = m.user == 0 ? CUSTODY_OWNED : key_is_of(object, m.user);

        at = object->handle;
        if (kind == CUSTODY_NONE || !is_key(object)) {
            continue;
        }
        if (count == max) {
            more = true;
            break;
        }
        number_write(&handles, object->handle);
        write_u8(&kinds, (uint8_t)kind);
        number_write(&versions, (uint32_t)object->version);
        count++;
    }
    pthread_rwlock_unlock(&hsm->lock);

    const struct key_list_reply answer = { { writer_view(&handles) },
                                           writer_view(&kinds),
                                           { writer_view(&versions) },
                                           more };
    CK_RV rv = writer_ok(&handles) && writer_ok(&kinds) && writer_ok(&versions)
                   ? CKR_OK
                   : CKR_DEVICE_MEMORY;

    if (rv == CKR_OK) {
        key_list_reply_write(r->reply, &answer);
    }
    writer_clear(&handles);
    writer_clear(&kinds);
    writer_clear(&versions);
    return rv;
}

/* Any token key; a crypto user's own, or shared with him, or public. */
static struct object *
key_asked(struct request *r, uint32_t handle)
{
    struct hsm *hsm = r->hsm;
    struct object *object;

    pthread_rwlock_rdlock(&hsm->lock);
    object = table_find(&hsm->objects, handle);
    object = object != NULL && (r->who.role != ROLE_CU || request_sees(r, object))
                 ? object_ref(object)
                 : NULL;
    pthread_rwlock_unlock(&hsm->lock);
    return object;
}

CK_RV
handle_KEY_LOOK(struct request *r)
{
    struct key_look_request m;
    struct writer shares, info, list;
    struct object *object;
    view value;
    CK_RV rv = CKR_DEVICE_MEMORY;

    if (!key_look_request_read(r->body, &m) || number_array_count(m.types) > ATTRIBUTES_MAX) {
        return CODE_BAD_FRAME;
    }
    object = key_asked(r, m.object);
    if (object == NULL) {
        return CKR_OBJECT_HANDLE_INVALID;
    }
    writer_init(&shares, OBJECT_SHARES_MAX * 4);
    writer_init(&info, KEY_INFO_LEN);
    writer_init(&list, ATTRIBUTES_BYTES_MAX);
    for (size_t i = 0; i < object->share_count; i++) {
        number_write(&shares, object->shares[i]);
    }
    key_info_write(&info, &object->info);
    /* Secret attributes are not among these: they lie sealed, in another place. */
    for (size_t i = 0; i < number_array_count(m.types); i++) {
        const CK_ATTRIBUTE_TYPE type = number_array_get(m.types, i);

        if (attributes_find(object_attributes(object), type, &value)) {
            attribute_write(&list, type, value);
        }
    }

    const struct key_look_reply answer = { .owner = object->owner,
                                           .shared = { writer_view(&shares) },
                                           .info = { writer_view(&info) },
                                           .attributes = writer_view(&list) };

    if (writer_ok(&shares) && writer_ok(&info) && writer_ok(&list)) {
        key_look_reply_write(r->reply, &answer);
        rv = CKR_OK;
    }
    writer_clear(&shares);
    writer_clear(&info);
    writer_clear(&list);
    object_unref(object);
    return rv;
}

/* ---- changes; all under hsm->change ---- */

/* The same key with another owner or other users, in the store and the table. */
static CK_RV
key_hand_over(struct request *r, struct object *old, uint32_t owner, const uint32_t *shares,
              size_t share_count)
{
    struct hsm *hsm = r->hsm;
    struct record_name name = record_name('o', old->handle);
    struct object_parts parts = {
        .handle = old->handle,
        .kind = old->kind,
        .owner = owner,
        .version = old->version + 1,
        .shares = shares,
        .share_count = share_count,
        .attributes = object_attributes(old),
    };
    struct object *object = NULL;
    struct writer secrets, record;
    CK_RV rv;

    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    writer_init(&record, STORE_VALUE_MAX);
    if ((rv = object_open_secrets(&hsm->sealer, old, &secrets)) != CKR_OK) {
        goto out;
    }
    parts.secrets = writer_view(&secrets);
    if ((rv = object_new(&hsm->sealer, &parts, &object)) != CKR_OK ||
        (rv = object_record(&hsm->sealer, object, &record)) != CKR_OK) {
        goto out;
    }

    const struct store_compare compare = { record_name_view(&name), old->revision };
    const struct store_change change = { record_name_view(&name), writer_view(&record), false };

    rv = request_commit(r, &compare, 1, &change, 1, &object->revision);
    if (rv == CKR_OK) {
        objects_change(hsm, object);
    }
out:
    object_unref(object);
    writer_clear(&secrets);
    writer_clear(&record);
    return rv;
}

/* Did he take himself out of the officers' hands? */
static bool
user_is_closed(struct hsm *hsm, uint32_t id)
{
    const struct user *user;
    bool closed;

    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_id(&hsm->users, id);
    closed = user != NULL && user->closed;
    pthread_rwlock_unlock(&hsm->lock);
    return closed;
}

static bool
user_is_cu(struct hsm *hsm, uint32_t id)
{
    const struct user *user;
    bool is;

    pthread_rwlock_rdlock(&hsm->lock);
    user = user_by_id(&hsm->users, id);
    is = user != NULL && user->role == ROLE_CU;
    pthread_rwlock_unlock(&hsm->lock);
    return is;
}

/* Without the user, then with him at the end if he is to have it. */
static size_t
shares_change(const struct object *object, uint32_t user, bool share, uint32_t *ret_shares)
{
    size_t count = 0;

    for (size_t i = 0; i < object->share_count; i++) {
        if (object->shares[i] != user) {
            ret_shares[count++] = object->shares[i];
        }
    }
    if (share) {
        ret_shares[count++] = user;
    }
    return count;
}

static CK_RV
key_share(struct request *r, struct object *object, uint32_t user, bool share)
{
    uint32_t shares[OBJECT_SHARES_MAX + 1];
    size_t count;

    if (r->who.role != ROLE_CU || object->owner != r->who.user) {
        return CKR_ACTION_PROHIBITED;
    }
    if (user == object->owner || (share && !user_is_cu(r->hsm, user))) {
        return CODE_USER_UNKNOWN;
    }
    count = shares_change(object, user, share, shares);
    if (count > OBJECT_SHARES_MAX) {
        return CKR_DEVICE_MEMORY;
    }
    return key_hand_over(r, object, object->owner, shares, count);
}

CK_RV
handle_KEY_SHARE(struct request *r)
{
    struct key_share_request m;
    struct object *object;
    CK_RV rv;

    if (!key_share_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.object, AUDIT_NO_MECHANISM);
    note_detail(r, "%s=%u", m.share ? "share" : "unshare", (unsigned)m.user);
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(r->hsm)) != CKR_OK) {
        return rv;
    }
    object = key_asked(r, m.object);
    rv = object == NULL ? CKR_OBJECT_HANDLE_INVALID : key_share(r, object, m.user, m.share);
    object_unref(object);
    hsm_change_end(r->hsm);
    return rv;
}

CK_RV
handle_KEY_OWNER(struct request *r)
{
    uint32_t shares[OBJECT_SHARES_MAX + 1];
    struct key_owner_request m;
    struct object *object;
    CK_RV rv;

    if (!key_owner_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.object, AUDIT_NO_MECHANISM);
    note_detail(r, "owner=%u", (unsigned)m.user);
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(r->hsm)) != CKR_OK) {
        return rv;
    }
    object = key_asked(r, m.object);
    if (object == NULL) {
        rv = CKR_OBJECT_HANDLE_INVALID;
    } else if (!user_is_cu(r->hsm, m.user)) {
        rv = CODE_USER_UNKNOWN;
    } else if (user_is_closed(r->hsm, object->owner)) {
        rv = CKR_ACTION_PROHIBITED;
    } else {
        /* What was shared with the new owner is his now. */
        size_t count = shares_change(object, m.user, false, shares);

        rv = key_hand_over(r, object, m.user, shares, count);
    }
    object_unref(object);
    hsm_change_end(r->hsm);
    return rv;
}

/* An officer says which keys are to be trusted, and nothing else about them. */
static CK_RV
key_may_set(const struct request *r, const struct object *object, view changes)
{
    struct reader reader = reader_of(changes);
    struct attribute change;

    if (r->who.role == ROLE_CU) {
        return object->owner == r->who.user ? CKR_OK : CKR_ACTION_PROHIBITED;
    }
    if (r->who.role != ROLE_CO) {
        return CKR_USER_TYPE_INVALID;
    }
    while (attributes_next(&reader, &change)) {
        if (change.type != CKA_TRUSTED) {
            return CKR_ACTION_PROHIBITED;
        }
    }
    return CKR_OK;
}

CK_RV
handle_KEY_SET(struct request *r)
{
    struct key_set_request m;
    struct object *object;
    CK_RV rv;

    if (!key_set_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    note_key(r, m.object, AUDIT_NO_MECHANISM);
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(r->hsm)) != CKR_OK) {
        return rv;
    }
    object = key_asked(r, m.object);
    rv = object == NULL ? CKR_OBJECT_HANDLE_INVALID : key_may_set(r, object, m.changes);
    if (rv == CKR_OK) {
        rv = object_set(r, object, m.changes);
    }
    object_unref(object);
    hsm_change_end(r->hsm);
    return rv;
}
