/* SPDX-License-Identifier: Apache-2.0
 *
 * Sessions. They cost the HSM nothing until one needs something there: objects, or a
 * multi-part operation. A session serves one call at a time.
 */
#ifndef P11_SESSION_H
#define P11_SESSION_H

#include "p11/library.h"

struct task;

struct session {
    struct library *library;
    uint32_t number; /* the handle, and the session of the frames */
    bool read_write;
    unsigned refs; /* under the library's lock */

    pthread_mutex_t lock; /* held by the call that works in the session */
    bool closed;
    bool remote;                 /* the HSM may have something of it */
    bool local;                  /* one node has a permission of it (C_Login for one use) */
    struct task *tasks;          /* what is active: none, one, or a dual pair */
    struct task *spare;          /* an empty one, for the next operation */
};

/* Finds the session and has it for this call alone. CKR_CRYPTOKI_NOT_INITIALIZED,
 * CKR_SESSION_HANDLE_INVALID. */
MUST_USE CK_RV session_begin(CK_SESSION_HANDLE handle, struct session **ret_session);
/* The same for a function that the policy may withhold: its code then. */
MUST_USE CK_RV session_begin_offered(CK_SESSION_HANDLE handle, enum rules_function function,
                                     struct session **ret_session);
void session_end(struct session *session);

bool session_is_user(const struct session *session);

/* The table of a library that nobody uses any more. */
void session_table_clear(struct session_table *table);
uint32_t session_table_read_only(const struct session_table *table);

#endif
