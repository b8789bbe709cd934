/* SPDX-License-Identifier: Apache-2.0
 *
 * The library as a whole: what lives between C_Initialize and C_Finalize, and how every call
 * comes in and goes out. Each call holds a reference, so a C_Finalize by another thread ends
 * nothing under its feet. In a child of fork the parent's library is gone at once, before any
 * lock is touched that another of its threads may have held.
 */
#ifndef P11_LIBRARY_H
#define P11_LIBRARY_H

#include "api/client.h"
#include "p11/cache.h"
#include "p11/seen.h"

#include <pthread.h>
#include <stdatomic.h>

#define SLOT_ID ((CK_SLOT_ID)1)

/* PKCS #11 v3.1, 5.6: one login for all sessions of the application. */
enum login { LOGIN_NONE, LOGIN_USER, LOGIN_SO };

/* What OPERATION_TOKEN said; asked once. */
struct token {
    struct rules rules;
    CK_VERSION firmware;
    CK_UTF8CHAR label[32];
    CK_UTF8CHAR model[16];
    CK_UTF8CHAR serial[16];
};

struct session;

/* Numbers carry a generation, so that a closed handle is not soon another session's. */
struct session_table {
    struct session_slot *slots;
    uint32_t size;
    uint32_t free; /* index + 1 of the first free slot, 0 when there is none */
    uint32_t count;
    uint32_t read_write_count;
};

struct library {
    unsigned refs; /* under the lock: one for being current, one for each call */
    struct client *client;
    struct cache *cache;
    struct seen *seen;
    struct session_table sessions; /* under the lock */

    pthread_mutex_t token_lock; /* one asks, the others wait */
    _Atomic bool token_known;
    struct token token; /* constant once known */

    pthread_mutex_t login_lock; /* one login or logout at a time */
    _Atomic enum login login;
    _Atomic uint64_t epoch; /* logouts so far: operations of an earlier epoch are over */

    _Atomic bool lost; /* what C_WaitForSlotEvent told last: no node is reachable */

    _Atomic uint32_t next_handle; /* of session objects */
    struct library *next_abandoned;
};

/* The current library, with the lock held until library_unlock(); NULL, and no lock, when
 * there is none (or it is the parent's). */
MUST_USE struct library *library_lock(void);
/* Takes the lock again in a call that holds a reference. */
void library_relock(void);
void library_unlock(void);

/* A reference for this call; CKR_CRYPTOKI_NOT_INITIALIZED. */
MUST_USE CK_RV library_enter(struct library **ret_library);
void library_leave(struct library *library);
/* Has C_Finalize not been called since this call came in? */
MUST_USE bool library_is_current(const struct library *library);

/* The rules in force; asks the HSM the first time. */
MUST_USE CK_RV library_rules(struct library *library, struct rules *ret_rules);
MUST_USE CK_RV library_token(struct library *library, const struct token **ret_token);

/* The login is over, here or at the HSM: what was private is forgotten. */
void library_forget_login(struct library *library);

/* A number for a session object. */
uint32_t library_new_handle(struct library *library);

#endif
