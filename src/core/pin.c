/* SPDX-License-Identifier: Apache-2.0
 *
 * Passwords through PKCS #11: C_SetPIN, and C_InitPIN of an officer. A PIN may name its user.
 */
#include "core/manage.h"

#include <string.h>

/* A password after `name:`, where that stands before it. */
static view
password_of(view pin, view name)
{
    bool named = name.len > 0 && pin.len > name.len + 1 && pin.data[name.len] == ':' &&
                 memcmp(pin.data, name.data, name.len) == 0;

    return named ? view_slice(pin, name.len + 1, pin.len) : pin;
}

/* C_SetPIN: whoever knows the old password, logged in or not, but none other's than one's own. */
CK_RV
handle_PIN_SET(struct request *r)
{
    struct pin_set_request m;
    char own[USER_NAME_MAX + 1];
    struct user user = { 0 };
    uint32_t role = r->who.role == ROLE_NONE ? ROLE_CU : (uint32_t)r->who.role;
    CK_RV rv;

    if (!pin_set_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if ((rv = rules_function_code(r->rules, FUNCTION_SetPIN)) != CKR_OK) {
        return rv;
    }
    if (m.name.len == 0) {
        if ((rv = login_own_name(r, own)) != CKR_OK) {
            return rv;
        }
        m.name = view_str(own);
    }
    m.password = password_of(m.password, m.name);
    if (!user_password_valid(m.password)) {
        return CKR_PIN_LEN_RANGE;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }
    rv = login_try(r, role, m.name, m.old, &user);
    if (rv == CKR_OK && r->who.user != 0 && user.id != r->who.user) {
        rv = CKR_PIN_INCORRECT;
    }
    if (rv == CKR_OK) {
        rv = user_change(r, role, m.name, m.password, user.version, NULL);
    }
    wipe(&user, sizeof user);
    return rv;
}

/* C_InitPIN: of the crypto user of that name, who is made when there is none. */
CK_RV
handle_PIN_INIT(struct request *r)
{
    struct pin_init_request m;
    CK_RV rv;

    if (!pin_init_request_read(r->body, &m)) {
        return CODE_BAD_FRAME;
    }
    if ((rv = rules_function_code(r->rules, FUNCTION_InitPIN)) != CKR_OK) {
        return rv;
    }
    if (!user_name_valid(m.name)) {
        return CKR_PIN_INVALID;
    }
    note_detail(r, "name=%.*s", (int)m.name.len, (const char *)m.name.data);
    if (!user_password_valid(m.password)) {
        return CKR_PIN_LEN_RANGE;
    }
    if (!request_may(r, PLACE_SLOW)) {
        return CODE_LATER;
    }

    struct quorum_token *token;

    if (quorum_take(r, SERVICE_USERS, &token) != CKR_OK) {
        return CKR_ACTION_PROHIBITED; /* where officers have to agree, by mgmt_util alone */
    }
    rv = user_change(r, ROLE_CU, m.name, m.password, 0, NULL);
    if (rv == CODE_USER_UNKNOWN) {
        rv = user_make(r, ROLE_CU, m.name, m.password, NULL, NULL);
    }
    rv = quorum_done(r, token, rv);
    return rv == CODE_USER_EXISTS ? CKR_PIN_INVALID : rv; /* one of another role */
}
