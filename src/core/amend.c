/* SPDX-License-Identifier: Apache-2.0
 *
 * Users changed otherwise than by their passwords: another name, and a crypto user out of the
 * officers' hands.
 */
#include "core/manage.h"

#include <string.h>

#define CLOSED_RELEASE 2u /* the first that reads the record of a closed user */

/* The user as he is now, for a change, with his gate locked; under the lock for changes. */
static CK_RV
amend_begin(struct request *r, uint32_t role, view name, struct password_gate **ret_gate,
            struct user *ret_user)
{
    struct password_gate *gate = password_gate(r->hsm, name);

    pthread_mutex_lock(&gate->lock); /* a login that is being counted would write over it */
    *ret_gate = gate;
    return user_copy(r->hsm, role, name, ret_user);
}

/* An officer gives himself another name; his login, his key and his number stay. */
CK_RV
handle_USER_RENAME(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct user_rename_request m;
    struct password_gate *gate = NULL;
    struct quorum_token *token = NULL;
    struct directory directory;
    struct user user = { .id = 0 };
    bool room;
    CK_RV rv;

    if (!user_rename_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!user_name_valid(m.name) || !user_name_valid(m.to)) {
        return CKR_ARGUMENTS_BAD;
    }
    note_detail(r, "name=%.*s to=%.*s", (int)m.name.len, (const char *)m.name.data, (int)m.to.len,
                (const char *)m.to.data);
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = amend_begin(r, ROLE_CO, m.name, &gate, &user);
    if (rv == CKR_OK && user.id != r->who.user) {
        rv = CKR_ACTION_PROHIBITED;
    }
    if (rv == CKR_OK && (rv = directory_begin(hsm, &directory)) == CKR_OK &&
        user_is_there(hsm, m.to, &room)) {
        rv = CODE_USER_EXISTS;
    }
    if (rv == CKR_OK && (rv = quorum_take(r, SERVICE_USERS, &token)) == CKR_OK) {
        note_detail(r, "id=%u name=%s to=%.*s", (unsigned)user.id, user.name, (int)m.to.len,
                    (const char *)m.to.data);
        memset(user.name, 0, sizeof user.name);
        memcpy(user.name, m.to.data, m.to.len);
        rv = quorum_done(r, token, user_store(r, &user, &directory));
    }
    pthread_mutex_unlock(&gate->lock);
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}

/* From then on no officer changes his password, unlocks him or gives his keys away: nobody can act
 * as him. He says so himself; there is no way back. */
CK_RV
handle_USER_CLOSE(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct user_close_request m;
    struct password_gate *gate = NULL;
    struct user user = { .id = 0 };
    CK_RV rv;

    if (!user_close_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if (!user_name_valid(m.name)) {
        return CKR_ARGUMENTS_BAD;
    }
    note_detail(r, "name=%.*s", (int)m.name.len, (const char *)m.name.data);
    if (m.role != ROLE_CU) {
        return CKR_USER_TYPE_INVALID;
    }
    if (hsm_release(hsm) < CLOSED_RELEASE) {
        return CKR_FUNCTION_NOT_SUPPORTED; /* some node would not read it */
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = amend_begin(r, ROLE_CU, m.name, &gate, &user);
    if (rv == CKR_OK && user.id != r->who.user) {
        rv = CKR_ACTION_PROHIBITED;
    }
    if (rv == CKR_OK) {
        note_detail(r, "id=%u name=%s", (unsigned)user.id, user.name);
        user.closed = true;
        rv = user_store(r, &user, NULL);
        r->barrier = rv == CKR_OK; /* no node lets an officer in any more */
    }
    pthread_mutex_unlock(&gate->lock);
    hsm_change_end(hsm);
    wipe(&user, sizeof user);
    return rv;
}
