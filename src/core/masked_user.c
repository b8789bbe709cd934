/* SPDX-License-Identifier: Apache-2.0
 *
 * Masked users: one as a blob that this HSM, and every one with the same master key and store,
 * makes again, password, number and all: where another of its servers lacks him, or when his
 * deletion is taken back. It says nothing to anyone else, and is good for minutes: nobody comes
 * back as he was before he changed his password, or took himself out of the officers' hands.
 */
#include "core/manage.h"

#include <string.h>

#define MASK_MAGIC VIEW_TEXT("OCMU")
#define MASK_NAME VIEW_TEXT("masked user")
#define MASK_PLAIN_MAX 2048u
#define MASK_LIFE_MS (10u * 60u * 1000u)

/* What is sealed: when it ends, and his record as the store has it. */
static CK_RV
masked_write(struct hsm *hsm, const struct user *user, struct writer *out)
{
    struct writer plain;
    CK_RV rv;

    writer_init(&plain, MASK_PLAIN_MAX);
    write_u64(&plain, hsm_time(hsm) + MASK_LIFE_MS);
    write_u32(&plain, user->id);
    rv = user_record(&hsm->sealer, user, &plain);
    write_raw(out, MASK_MAGIC);
    if (rv == CKR_OK) {
        rv = writer_ok(&plain)
                 ? record_seal(&hsm->sealer, MASK_NAME, 0, 1, writer_view(&plain), out)
                 : CKR_HOST_MEMORY;
    }
    writer_clear(&plain);
    return rv;
}

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
    writer_init(&blob, MASK_PLAIN_MAX + 128);
    rv = masked_write(r->hsm, &user, &blob);
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
    struct writer plain;
    struct reader reader;
    uint64_t version, until;
    uint32_t id;
    CK_RV rv = CKR_WRAPPED_KEY_INVALID;

    writer_init(&plain, MASK_PLAIN_MAX);
    if (view_equal(view_slice(blob, 0, MASK_MAGIC.len), MASK_MAGIC) &&
        record_open(&hsm->sealer, MASK_NAME, 0, view_slice(blob, MASK_MAGIC.len, blob.len),
                    &version, &plain) == CKR_OK) {
        reader = reader_of(writer_view(&plain));
        if (read_u64(&reader, &until) && until > hsm_time(hsm) && read_u32(&reader, &id) &&
            user_from_record(&hsm->sealer, id, view_of(reader.next, reader.left), 0, ret_user) ==
                CKR_OK) {
            rv = CKR_OK;
        }
    }
    writer_clear(&plain);
    return rv;
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
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        wipe(&user, sizeof user);
        return rv;
    }
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
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}
