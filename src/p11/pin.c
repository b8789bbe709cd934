/* SPDX-License-Identifier: Apache-2.0
 *
 * C_InitPIN and C_SetPIN. A PIN is `user:password`, as for C_Login. Without a colon the old PIN
 * is the password of who is logged in, or of user `user`; a new PIN may do without a name, and
 * has no other one.
 */
#include "p11/login.h"
#include "p11/session.h"
#include "p11/trip.h"

#include <string.h>

#define PIN_LEN_MAX 1024u /* far above any that the HSM takes */

/* Only what is sent tells the two apart. */
static CK_RV
pin_send(struct session *session, struct call *call, enum operation operation, CK_RV rv)
{
    if (rv == CKR_OK && !writer_ok(call->body)) {
        rv = CKR_PIN_INVALID; /* a name that is no text */
    }
    if (rv == CKR_OK) {
        rv = trip_send(session->library, session, call, operation);
    }
    call_end(call);
    return rv;
}

static CK_RV
set_pin(struct session *session, view old, view new)
{
    struct pin_set_request request = { .old = old, .password = new };
    struct call call;
    CK_RV rv;

    if (memchr(old.data, ':', old.len) != NULL ||
        atomic_load(&session->library->login) == LOGIN_NONE) {
        if (!login_pin_parse(old, true, &request.name, &request.old)) {
            return CKR_PIN_INCORRECT;
        }
    }
    rv = trip_begin(session->library, &call);
    if (rv == CKR_OK) {
        pin_set_request_write(call.body, &request);
    }
    return pin_send(session, &call, OPERATION_PIN_SET, rv);
}

PUBLIC CK_RV
C_SetPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pOldPin, CK_ULONG ulOldLen,
         CK_UTF8CHAR_PTR pNewPin, CK_ULONG ulNewLen)
{
    struct session *session;
    CK_RV rv = session_begin_offered(hSession, FUNCTION_SetPIN, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if (!session->read_write) {
        rv = CKR_SESSION_READ_ONLY;
    } else if (pOldPin == NULL || pNewPin == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (ulOldLen == 0 || ulOldLen > PIN_LEN_MAX) {
        rv = CKR_PIN_INCORRECT;
    } else if (ulNewLen > PIN_LEN_MAX) {
        rv = CKR_PIN_LEN_RANGE;
    } else {
        rv = set_pin(session, view_of(pOldPin, ulOldLen), view_of(pNewPin, ulNewLen));
    }
    session_end(session);
    return rv;
}

static CK_RV
init_pin(struct session *session, view pin)
{
    struct pin_init_request request = { 0 };
    struct call call;
    CK_RV rv;

    if (!login_pin_parse(pin, true, &request.name, &request.password)) {
        return pin.len == 0 ? CKR_PIN_LEN_RANGE : CKR_PIN_INVALID;
    }
    rv = trip_begin(session->library, &call);
    if (rv == CKR_OK) {
        pin_init_request_write(call.body, &request);
    }
    return pin_send(session, &call, OPERATION_PIN_INIT, rv);
}

PUBLIC CK_RV
C_InitPIN(CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen)
{
    struct session *session;
    CK_RV rv = session_begin_offered(hSession, FUNCTION_InitPIN, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    /* PKCS #11 v3.1, 5.5.8: in the state R/W SO Functions only. */
    if (atomic_load(&session->library->login) != LOGIN_SO) {
        rv = CKR_USER_NOT_LOGGED_IN;
    } else if (pPin == NULL) {
        rv = CKR_ARGUMENTS_BAD;
    } else if (ulPinLen > PIN_LEN_MAX) {
        rv = CKR_PIN_LEN_RANGE;
    } else {
        rv = init_pin(session, view_of(pPin, ulPinLen));
    }
    session_end(session);
    return rv;
}
