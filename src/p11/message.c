/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes and their messages.
 */
#include "p11/message.h"

/* An AEAD's parameter comes with each message, whatever stands in the mechanism of Init. */
static bool
is_cipher(CK_FLAGS function)
{
    return function == CKF_MESSAGE_ENCRYPT || function == CKF_MESSAGE_DECRYPT;
}

static CK_RV
cipher_take(struct session *session, struct rules rules, struct task *process, CK_OBJECT_HANDLE key)
{
    CK_RV rv = task_key(session, key, &process->key);

    if (rv != CKR_OK) {
        return rv;
    }
    process->wants_login = (process->key.flags & KEY_FLAG_ALWAYS_AUTHENTICATE) != 0;
    return key_check(rules, process->row, task_function(process), &process->key);
}

static CK_RV
process_take(struct session *session, struct task *process, const CK_MECHANISM *mechanism,
             CK_OBJECT_HANDLE key)
{
    struct rules rules;
    CK_RV rv = library_rules(session->library, &rules);

    if (rv != CKR_OK) {
        return rv;
    }
    process->row = mechanism_for(rules, mechanism->mechanism, task_function(process));
    if (process->row == NULL ||
        (mechanism_messages(rules, process->row) & process->function) == 0) {
        return CKR_MECHANISM_INVALID;
    }
    return is_cipher(process->function)
               ? cipher_take(session, rules, process, key)
               : task_take(session, process, task_function(process), mechanism, key);
}

static CK_RV
process_begin(struct session *session, CK_FLAGS function, const CK_MECHANISM *mechanism,
              CK_OBJECT_HANDLE key)
{
    struct task *process = task_of(session, function);
    CK_RV rv;

    /* PKCS #11 v3.1, 5.9.1: no mechanism ends the process, and a message that is open. */
    if (mechanism == NULL) {
        if (process != NULL) {
            task_end(session, process);
        }
        return CKR_OK;
    }
    if (session->tasks != NULL) {
        return CKR_OPERATION_ACTIVE;
    }
    process = task_new(session, function);
    if (process == NULL) {
        return CKR_HOST_MEMORY;
    }
    rv = process_take(session, process, mechanism, key);
    if (rv != CKR_OK) {
        task_free(process);
        return rv;
    }
    task_put(session, process);
    return CKR_OK;
}

CK_RV
message_init(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
             const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    struct session *session;
    CK_RV rv = session_begin_offered(handle, called, &session);

    if (rv == CKR_OK) {
        rv = process_begin(session, function, mechanism, key);
        session_end(session);
    }
    return rv;
}

CK_RV
message_final(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function)
{
    struct session *session;
    struct task *process;
    CK_RV rv = session_begin_offered(handle, called, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    process = task_of(session, function);
    if (process == NULL) {
        rv = CKR_OPERATION_NOT_INITIALIZED;
    } else if (process->part != NULL) {
        rv = CKR_OPERATION_ACTIVE;
    } else {
        task_end(session, process);
    }
    session_end(session);
    return rv;
}

/* ---- one message ---- */

/* A task of its own, with the key and, of signatures, the parameter of the process. */
static CK_RV
part_begin(struct message *m)
{
    struct task *part = task_new(m->session, task_function(m->process));

    if (part == NULL) {
        return CKR_HOST_MEMORY;
    }
    part->row = m->process->row;
    part->key = m->process->key;
    part->mechanism = m->process->mechanism;
    m->process->part = m->part = part;
    return CKR_OK;
}

static CK_RV
part_find(struct message *m, enum message_call call)
{
    if (m->process == NULL) {
        return CKR_OPERATION_NOT_INITIALIZED;
    }
    m->part = m->process->part;
    if (call == MESSAGE_NEXT) {
        return m->part == NULL ? CKR_OPERATION_NOT_INITIALIZED : CKR_OK;
    }
    if (m->part != NULL) {
        return CKR_OPERATION_ACTIVE;
    }
    /* PKCS #11 v3.1, 4.9: each message is a use of the key. */
    return m->process->wants_login ? CKR_USER_NOT_LOGGED_IN : part_begin(m);
}

CK_RV
message_enter(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
              enum message_call call, struct message *ret)
{
    struct message m = { 0 };
    CK_RV rv = session_begin_offered(handle, called, &m.session);

    if (rv != CKR_OK) {
        return rv;
    }
    m.process = task_of(m.session, function);
    rv = part_find(&m, call);
    if (rv != CKR_OK) {
        session_end(m.session);
        return rv;
    }
    *ret = m;
    return CKR_OK;
}

CK_RV
message_leave(struct message *m, enum message_call call, enum message_end end, CK_RV rv)
{
    bool again = end == MESSAGE_ASKED && call != MESSAGE_NEXT;

    if (end == MESSAGE_OVER || again) {
        m->process->part = NULL;
        task_discard(m->session, m->part);
    }
    if (end == MESSAGE_OVER) {
        m->process->wants_login = (m->process->key.flags & KEY_FLAG_ALWAYS_AUTHENTICATE) != 0;
    }
    session_end(m->session);
    return rv;
}
