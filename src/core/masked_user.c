/* SPDX-License-Identifier: Apache-2.0
 *
 * Masked users: one as a blob that this HSM, and every one with the same master key and store,
 * makes again, password, number and all: where another of its servers lacks him, or when his
 * deletion is taken back. It is his record as the store has it, so it says nothing to anyone else.
 */
#include "core/manage.h"

#include <string.h>

static const view magic = VIEW_TEXT("OCMU");

CK_RV
handle_USER_MASK(struct request *r)
{
    struct user_mask_request m;
    struct user user = { .id = 0 };
    struct writer blob;
    CK_RV rv;

    if (!user_mask_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if ((rv = user_copy(r->hsm, m.role, m.name, &user)) != CKR_OK) {
        return rv;
    }
    note_detail(r, "id=%u name=%s", (unsigned)user.id, user.name);
    writer_init(&blob, 2048);
    write_raw(&blob, magic);
    write_u32(&blob, user.id);
    rv = user_record(&r->hsm->sealer, &user, &blob);
    if (rv == CKR_OK) {
        const struct user_mask_reply answer = { writer_view(&blob) };

        user_mask_reply_write(r->reply, &answer);
    }
    writer_clear(&blob);
    wipe(&user, sizeof user);
    return rv;
}

static CK_RV
masked_read(struct hsm *hsm, view blob, struct user *ret_user)
{
    struct reader reader = reader_of(blob);
    uint32_t id;
    view begin;

    if (!read_raw(&reader, magic.len, &begin) || !view_equal(begin, magic) ||
        !read_u32(&reader, &id)) {
        return CKR_WRAPPED_KEY_INVALID;
    }
    return user_from_record(&hsm->sealer, id, view_slice(blob, magic.len + 4, blob.len), 0,
                            ret_user) == CKR_OK
               ? CKR_OK
               : CKR_WRAPPED_KEY_INVALID;
}

/* Numbers that are given from now on are higher than id. */
static bool
number_pass(struct hsm *hsm, uint32_t id)
{
    struct store *store = hsm->ports.store;
    uint64_t number;

    return store->next_numbers(store, "user", 1, USER_FIRST_ID, &number) &&
           (number >= id ||
            store->next_numbers(store, "user", (uint32_t)(id - number), USER_FIRST_ID, &number));
}

static bool
user_has_number(struct hsm *hsm, uint32_t id)
{
    bool has;

    pthread_rwlock_rdlock(&hsm->lock);
    has = user_by_id(&hsm->users, id) != NULL;
    pthread_rwlock_unlock(&hsm->lock);
    return has;
}

CK_RV
handle_USER_UNMASK(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct user_unmask_request m;
    struct quorum_token *token = NULL;
    struct directory directory;
    struct user user = { .id = 0 };
    bool room;
    CK_RV rv;

    if (!user_unmask_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = masked_read(hsm, m.masked, &user)) != CKR_OK) {
        return rv;
    }
    note_detail(r, "id=%u role=%u name=%s", (unsigned)user.id, (unsigned)user.role, user.name);
    pthread_mutex_lock(&hsm->change);
    if ((rv = directory_begin(hsm, &directory)) != CKR_OK) {
        goto out;
    }
    if (user_is_there(hsm, view_str(user.name), &room) || user_has_number(hsm, user.id)) {
        rv = CODE_USER_EXISTS;
        goto out;
    }
    if (!room) {
        rv = CKR_DEVICE_MEMORY;
        goto out;
    }
    if ((rv = quorum_take(r, SERVICE_USERS, &token)) != CKR_OK) {
        goto out;
    }
    /* No ticket of before fits: his record has a version that it never had. */
    user.version = hsm_time(hsm) > user.version ? hsm_time(hsm) : user.version + 1;
    rv = number_pass(hsm, user.id) ? CKR_OK : CKR_DEVICE_ERROR;
    if (rv == CKR_OK) {
        const struct user_unmask_reply answer = { .user = user.id };

        user_unmask_reply_write(r->reply, &answer);
        rv = user_store(r, &user, &directory);
    }
    rv = quorum_done(r, token, rv);
out:
    pthread_mutex_unlock(&hsm->change);
    wipe(&user, sizeof user);
    return rv;
}
