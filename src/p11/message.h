/* SPDX-License-Identifier: Apache-2.0
 *
 * The two levels of message-based use (PKCS #11 v3.1, 5.9, 5.11, 5.14, 5.16): the process, from
 * Init to Final, which has the key, and inside it one message after the other. The process is
 * the session's active operation; a message is an ordinary operation of the HSM, and what is
 * wrong with it does not end the process.
 */
#ifndef P11_MESSAGE_H
#define P11_MESSAGE_H

#include "p11/task.h"

/* Init and Final. function is one CKF_MESSAGE_ bit. mechanism NULL ends process and message. */
MUST_USE CK_RV message_init(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
                            const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
MUST_USE CK_RV message_final(CK_SESSION_HANDLE handle, enum rules_function called,
                             CK_FLAGS function);

enum message_call { MESSAGE_WHOLE, MESSAGE_BEGIN, MESSAGE_NEXT };

/* One call on a message. */
struct message {
    struct session *session;
    struct task *process;
    struct task *part; /* the message; what MESSAGE_WHOLE and MESSAGE_BEGIN begin with is new */
};

/*
 * Finds session, process and message. CKR_OPERATION_NOT_INITIALIZED, CKR_OPERATION_ACTIVE for
 * another message while one is open, CKR_USER_NOT_LOGGED_IN when the key wants a login for it.
 */
MUST_USE CK_RV message_enter(CK_SESSION_HANDLE handle, enum rules_function called,
                             CK_FLAGS function, enum message_call call, struct message *ret);

enum message_end {
    MESSAGE_OPEN,  /* more calls follow */
    MESSAGE_ASKED, /* nothing was done: a length was asked for, or there was no room */
    MESSAGE_OVER   /* it is whole, or failed */
};

/* Gives rv back. A message that is new and was only asked about is as if it had not been. */
MUST_USE CK_RV message_leave(struct message *m, enum message_call call, enum message_end end,
                             CK_RV rv);

#endif
