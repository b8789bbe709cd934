/* SPDX-License-Identifier: Apache-2.0
 *
 * The operation that a session has active, and its states (PKCS #11 v3.1, 5.8 to 5.16): Init
 * checks and remembers, the request travels with the call that gives the result. Two are active
 * only as one of the pairs that the dual-function calls serve (5.17), where the policy has them.
 * All functions are called with the session held.
 */
#ifndef P11_TASK_H
#define P11_TASK_H

#include "p11/nonce.h"
#include "p11/session.h"

/* States of an active operation. */
enum phase {
    PHASE_FRESH,       /* after Init */
    PHASE_ASKED,       /* a single-part call was only told a length */
    PHASE_PARTS,       /* at least one Update */
    PHASE_FINAL_ASKED, /* Final was only told a length */
    PHASE_COUNT
};

enum step { STEP_SINGLE, STEP_UPDATE, STEP_FINAL, STEP_COUNT };

struct search; /* find.c */

struct task {
    struct task *next;  /* of the session */
    CK_FLAGS function; /* one CKF_ bit; CKF_FIND_OBJECTS for a search */
    enum phase phase;
    uint64_t epoch; /* of the login under which it began */

    const struct mechanism_row *row;
    struct writer encoded; /* our copy of the parameter, which mechanism has views of */
    struct mechanism mechanism;
    struct key_info key;
    bool wants_login; /* the key always authenticates, and nobody has for this use */
    uint8_t *iv_out; /* the application's memory for an IV that the HSM makes; or NULL */
    size_t iv_out_len;

    struct writer gathered; /* input that has not left yet */
    bool bound;             /* the HSM holds the operation */
    uint32_t step;          /* the next one there */
    bool begun;             /* it did, once */
    struct writer sent;     /* input that it was given, to begin again elsewhere */
    bool sent_whole;        /* it is all there */
    uint64_t got;           /* bytes of output that it gave for that */
    uint64_t fed;           /* bytes of input in EncryptUpdate, DecryptUpdate */
    uint64_t given;         /* bytes of output they gave */
    struct writer held;     /* a final part that did not fit the caller's buffer */
    bool is_held;

    struct search *search;

    /* of a message process: what nonces it made, and the message that it is at */
    struct nonces nonces;
    struct task *part;
};

/* Checks and begins. mechanism NULL cancels (PKCS #11 v3.0, 5.8.1). */
MUST_USE CK_RV task_init(CK_SESSION_HANDLE handle, CK_FLAGS function,
                         const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);

/* What Init asks and remembers, of a task that is to do that function (of the HSM). */
MUST_USE CK_RV task_take(struct session *session, struct task *task, CK_FLAGS function,
                         const CK_MECHANISM *mechanism, CK_OBJECT_HANDLE handle);
/* The task has a copy of the mechanism and its parameter from now on. */
MUST_USE CK_RV task_keep(struct task *task, const struct mechanism *taken);

/* The active operation of this function; NULL when there is none. */
struct task *task_of(const struct session *session, CK_FLAGS function);

/* A key as an Init takes it: CKR_KEY_HANDLE_INVALID for what is none, or cannot be used. */
MUST_USE CK_RV task_key(struct session *session, CK_OBJECT_HANDLE handle,
                        struct key_info *ret_key);

/*
 * The active operation of this function, when it may take this step. Otherwise
 * CKR_OPERATION_NOT_INITIALIZED, or CKR_OPERATION_ACTIVE, which ends it.
 */
MUST_USE CK_RV task_step(struct session *session, CK_FLAGS function, enum step step,
                         struct task **ret_task);

/* What the outcome of a step does to the operation; gives rv back. only_asked: the call was
 * a question for the length. */
MUST_USE CK_RV task_after(struct session *session, struct task *task, enum step step, CK_RV rv,
                          bool only_asked);

/* Makes it active. */
void task_put(struct session *session, struct task *task);
/* Ends an active operation, also where the HSM holds it. */
void task_end(struct session *session, struct task *task);
/* Ends one that was never made active; the HSM is told. */
void task_discard(struct session *session, struct task *task);
/* Those that a logout has ended. */
void task_drop_stale(struct session *session);
/* Does the HSM hold any? */
bool task_is_any_bound(const struct session *session);
/* Ends all of a session that is over; the HSM is not told. */
void task_free_all(struct session *session);
/* An empty one that nobody has yet; NULL when memory is short. */
MUST_USE struct task *task_new(struct session *session, CK_FLAGS function);
/* What it is to the HSM: one CKF_ bit of those that it knows. */
CK_FLAGS task_function(const struct task *task);
/* Wipes and releases; the HSM is not told. */
void task_free(struct task *task);

/* Bytes of output after `fed` bytes of input and before Final, of functions whose Update
 * gives output. */
uint64_t task_output(const struct task *task, uint64_t fed);
/* Does its output wait for the tag? */
bool task_is_aead_decryption(const struct task *task);

#endif
