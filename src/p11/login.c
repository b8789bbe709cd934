/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Login and C_Logout. The HSM compares passwords; which code a failure has is the policy's
 * choice (DESIGN, section 5), so that malformed PINs and wrong ones look alike.
 */
#include "p11/login.h"

#include "p11/session.h"
#include "p11/task.h"
#include "p11/trip.h"

#include <string.h>

#define PASSWORD_MAX 1024u /* far above any that the HSM takes */

static CK_RV
login_send(struct session *session, enum role role, view name, view password)
{
    struct library *library = session->library;
    const struct login_request request = { .role = role, .name = name, .password = password };
    struct login_reply reply;
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(library, &call)) != CKR_OK) {
        goto out;
    }
    login_request_write(call.body, &request);
    if (!writer_ok(call.body)) {
        rv = CKR_PIN_INCORRECT; /* a name that is no text is nobody's */
        goto out;
    }
    rv = trip_send(library, session, &call, OPERATION_LOGIN);
    if (rv == CKR_OK && !login_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
out:
    call_end(&call);
    return rv;
}

static CK_RV
logout_send(struct library *library, const struct session *session)
{
    struct call call;
    CK_RV rv = trip_begin(library, &call);

    if (rv == CKR_OK) {
        rv = trip_send(library, session, &call, OPERATION_LOGOUT);
    }
    call_end(&call);
    return rv;
}

void
login_end_without_sessions(struct library *library)
{
    bool over;

    pthread_mutex_lock(&library->login_lock);
    library_relock();
    over = library->sessions.count == 0 && atomic_load(&library->login) != LOGIN_NONE;
    library_unlock();
    if (over) {
        CK_RV rv;

        library_forget_login(library);
        /* Not heard, it stays open there; the next C_Login closes it first. */
        rv = logout_send(library, NULL);
        UNUSED(rv);
    }
    pthread_mutex_unlock(&library->login_lock);
}

bool
login_pin_parse(view pin, bool without_colon, view *ret_name, view *ret_password)
{
    const uint8_t *colon;

    /* A length without sense is not followed. */
    if (pin.len == 0 || pin.len > TEXT_MAX + 1 + PASSWORD_MAX ||
        memchr(pin.data, '\0', pin.len) != NULL) {
        return false;
    }
    colon = memchr(pin.data, ':', pin.len);
    if (colon == NULL) {
        *ret_name = VIEW_TEXT("user");
        *ret_password = pin;
        return without_colon && pin.len <= PASSWORD_MAX;
    }
    *ret_name = view_of(pin.data, (size_t)(colon - pin.data));
    *ret_password = view_slice(pin, ret_name->len + 1, pin.len);
    return ret_name->len > 0 && ret_name->len <= TEXT_MAX && ret_password->len > 0 &&
           ret_password->len <= PASSWORD_MAX;
}

/* Which codes a failed login has: DESIGN, section 5. */
static CK_RV
failure_code(struct rules rules, CK_RV rv)
{
    if (rv == CKR_PIN_LOCKED && rules_switch_on(rules, SWITCH_login_tells_locked)) {
        return CKR_PIN_LOCKED;
    }
    return rules_switch_on(rules, SWITCH_login_pin_incorrect) ? CKR_PIN_INCORRECT
                                                              : CKR_LOGIN_FAILURE;
}

/* May someone of this kind log in now? */
static CK_RV
login_check(struct session *session, struct rules rules, CK_USER_TYPE type, enum login *ret_login)
{
    struct library *library = session->library;
    enum login now = atomic_load(&library->login);
    uint32_t read_only;

    if (type != CKU_USER && (type != CKU_SO || !rules_switch_on(rules, SWITCH_so_login))) {
        return CKR_USER_TYPE_INVALID;
    }
    *ret_login = type == CKU_SO ? LOGIN_SO : LOGIN_USER;
    if (now != LOGIN_NONE) {
        return now == *ret_login ? CKR_USER_ALREADY_LOGGED_IN
                                 : CKR_USER_ANOTHER_ALREADY_LOGGED_IN;
    }
    library_relock();
    read_only = session_table_read_only(&library->sessions);
    library_unlock();
    return type == CKU_SO && read_only > 0 ? CKR_SESSION_READ_ONLY_EXISTS : CKR_OK;
}

/* Asks the HSM. A login that it still has, of which we know nothing, was left over by a
 * logout that it did not hear. */
static CK_RV
login_try(struct session *session, struct rules rules, enum role role, view name, view password)
{
    CK_RV rv = login_send(session, role, name, password);

    if (rv == CKR_USER_ALREADY_LOGGED_IN || rv == CKR_USER_ANOTHER_ALREADY_LOGGED_IN) {
        rv = logout_send(session->library, session);
        if (rv == CKR_OK) {
            rv = login_send(session, role, name, password);
        }
    }
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED ? failure_code(rules, rv) : rv;
}

static CK_RV
authenticate_send(struct session *session, const struct task *task, view name, view password)
{
    const struct authenticate_request request = { (uint32_t)task_function(task),
                                                  task->key.handle, name, password };
    struct call call;
    CK_RV rv;

    if ((rv = trip_begin(session->library, &call)) != CKR_OK) {
        goto out;
    }
    authenticate_request_write(call.body, &request);
    if (!writer_ok(call.body)) {
        rv = CKR_PIN_INCORRECT; /* a name that is no text is nobody's */
        goto out;
    }
    session->remote = true;
    session->local = true;
    rv = trip_send(session->library, session, &call, OPERATION_AUTHENTICATE);
out:
    call_end(&call);
    return rv;
}

/* CKU_CONTEXT_SPECIFIC, for the operation that waits for it. A PIN without a colon is the
 * password of who is logged in. */
static CK_RV
login_for_task(struct session *session, struct rules rules, view pin, const view *given_name)
{
    view name = given_name != NULL ? *given_name : VIEW_EMPTY;
    view password = pin;
    struct task *task = session->tasks;
    CK_RV rv;

    while (task != NULL && !task->wants_login) {
        task = task->next;
    }
    if (task == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    if (pin.data == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (pin.len == 0 || pin.len > TEXT_MAX + 1 + PASSWORD_MAX || name.len > TEXT_MAX ||
        (given_name == NULL && memchr(pin.data, ':', pin.len) != NULL &&
         !login_pin_parse(pin, false, &name, &password))) {
        return failure_code(rules, CKR_PIN_INCORRECT);
    }
    rv = authenticate_send(session, task, name, password);
    if (rv == CKR_OK) {
        task->wants_login = false;
    } else if (rv == CKR_PIN_LOCKED) {
        library_forget_login(session->library); /* the HSM ended it */
    }
    return rv == CKR_PIN_INCORRECT || rv == CKR_PIN_LOCKED ? failure_code(rules, rv) : rv;
}

/* name NULL: it is in the PIN. */
static CK_RV
login(CK_SESSION_HANDLE handle, CK_USER_TYPE type, const void *pin, CK_ULONG pin_len,
      const view *given_name)
{
    struct session *session;
    struct library *library;
    struct rules rules;
    enum login becomes;
    view name, password;
    bool parsed;
    CK_RV rv = session_begin(handle, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    library = session->library;
    pthread_mutex_lock(&library->login_lock);
    if ((rv = library_rules(library, &rules)) != CKR_OK) {
        goto out;
    }
    if (type == CKU_CONTEXT_SPECIFIC) {
        rv = login_for_task(session, rules, view_of(pin, pin_len), given_name);
        goto out;
    }
    if ((rv = login_check(session, rules, type, &becomes)) != CKR_OK) {
        goto out;
    }
    if (pin == NULL) {
        rv = CKR_ARGUMENTS_BAD;
        goto out;
    }
    if (given_name != NULL) {
        name = *given_name;
        password = view_of(pin, pin_len);
        parsed = name.len > 0 && name.len <= TEXT_MAX && pin_len > 0 && pin_len <= PASSWORD_MAX;
    } else {
        parsed = login_pin_parse(view_of(pin, pin_len),
                                 rules_switch_on(rules, SWITCH_pin_without_colon), &name,
                                 &password);
    }
    if (!parsed) {
        rv = failure_code(rules, CKR_PIN_INCORRECT);
        goto out;
    }
    rv = login_try(session, rules, becomes == LOGIN_SO ? ROLE_CO : ROLE_CU, name, password);
    if (rv == CKR_OK) {
        atomic_store(&library->login, becomes);
    }
out:
    pthread_mutex_unlock(&library->login_lock);
    session_end(session);
    return rv;
}

PUBLIC CK_RV
C_Login(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen)
{
    return login(hSession, userType, pPin, ulPinLen, NULL);
}

PUBLIC CK_RV
C_LoginUser(CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin,
            CK_ULONG ulPinLen, CK_UTF8CHAR_PTR pUsername, CK_ULONG ulUsernameLen)
{
    const view name = view_of(pUsername, ulUsernameLen);

    /* No name at all is C_Login; a name without bytes is nobody's. */
    if (pUsername == NULL && ulUsernameLen > 0) {
        struct session *session;
        CK_RV rv = session_begin(hSession, &session);

        if (rv == CKR_OK) {
            session_end(session);
            rv = CKR_ARGUMENTS_BAD;
        }
        return rv;
    }
    return login(hSession, userType, pPin, ulPinLen, pUsername == NULL ? NULL : &name);
}

PUBLIC CK_RV
C_Logout(CK_SESSION_HANDLE hSession)
{
    struct session *session;
    struct library *library;
    CK_RV rv = session_begin(hSession, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    library = session->library;
    pthread_mutex_lock(&library->login_lock);
    if (atomic_load(&library->login) == LOGIN_NONE) {
        rv = CKR_USER_NOT_LOGGED_IN;
        goto out;
    }
    /* Forgotten here in any case: who asked to be logged out must not go on. */
    library_forget_login(library);
    rv = logout_send(library, session);
    if (rv == CKR_USER_NOT_LOGGED_IN) {
        rv = CKR_OK; /* the HSM had lost the login before */
    }
out:
    pthread_mutex_unlock(&library->login_lock);
    task_drop_stale(session);
    session_end(session);
    return rv;
}
