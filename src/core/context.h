/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: one initialised application process each, as its daemon names it. Login,
 * session objects and running operations belong to the context. Counted: a request holds it
 * while it runs.
 */
#ifndef CORE_CONTEXT_H
#define CORE_CONTEXT_H

#include "core/table.h"
#include "core/ticket.h"
#include "core/tomb.h"
#include "wire/message.h"

#include <pthread.h>

#define CONTEXT_OBJECTS_MAX 16384u /* session objects of one context */
#define CONTEXT_RUNNING_MAX 1024u
#define CONTEXT_CHANGES 8u /* locks: changes of different objects rarely wait for each other */
#define CONTEXTS_MAX 100000u      /* of a node */
#define RUNNING_PIECES_MAX 16384u /* at 64 KiB each a ciphertext of 1 GiB */

/* A running multi-part operation, found by session and function. */
struct running {
    struct running *next;
    uint32_t session;
    CK_FLAGS function;
    const struct mechanism_row *row;
    struct object *key;      /* held; NULL for a digest */
    bool has_key;            /* a digest that a private key's value went into */
    struct algo_op *op;      /* NULL once a tag was checked: the second pass may begin */
    bool permit;             /* no operation: one use of the key, which always authenticates */
    bool tag_only;           /* first pass of an AEAD decryption: nothing is returned */
    struct secret *mechanism; /* AEAD decryption: the mechanism as it was sent */
    struct algo_pieces *marker; /* AEAD decryption: marks the pieces, */
    struct writer marks;     /* and the marks of the first pass */
    uint32_t step;           /* the next one */
    uint64_t started;        /* number of the request that began it; 0: a permit */
};

void running_free(struct running *running);

/* What was drawn for a second factor to sign (factor.h). */
struct context_challenge {
    uint32_t purpose; /* 0: nothing */
    uint32_t role;
    char name[32];
    uint64_t until;
    uint8_t nonce[32];
};

struct context {
    _Atomic uint32_t refs;
    struct context *next; /* chain of the contexts table, under its lock */
    uint8_t id[FRAME_CONTEXT_LEN];
    uint8_t tag[8]; /* names it in the audit, where its id must not stand */
    enum interface interface;
    uint32_t uid;
    uint32_t pid;
    _Atomic uint64_t last_used; /* clock.monotonic */
    _Atomic bool copies; /* its daemon keeps copies of session objects (copies.h) */
    _Atomic bool ready; /* attached whole, its ticket's login taken up: may be found */

    /* A ticket that came before this node knew all that its login may rest on: it is taken up by
     * the first request after that. */
    _Atomic uint64_t behind; /* the revision; 0: there is none. Changed under attaching */
    struct ticket late;      /* under attaching */
    pthread_mutex_t attaching; /* taken before all others */

    /* One change or removal of a session object at a time; see context_change(). They may be held
     * while the store is waited for, where copies are kept: then no loop takes them. */
    pthread_mutex_t changes[CONTEXT_CHANGES];
    pthread_mutex_t lock;   /* guards what follows */
    enum role role;
    uint32_t user;
    uint64_t login;           /* number of the login, 0 when there is none */
    struct table objects;     /* session objects */
    bool closing;             /* copies_close_session() is at it; */
    uint32_t closing_session; /* 0: of all */
    struct running *running;
    size_t running_count;
    struct context_challenge challenge;
};

/* The lock for changes of that session object. */
static inline pthread_mutex_t *
context_change(struct context *context, uint32_t handle)
{
    return &context->changes[handle % CONTEXT_CHANGES];
}

/* The last one frees it, with all that runs in it. NULL is fine. */
void context_unref(struct context *context);

/* Who is logged in, read once under the lock. */
struct identity {
    enum role role;
    uint32_t user;
    uint64_t login;
    enum interface interface;
};
struct identity context_identity(struct context *context);
void context_login(struct context *context, enum role role, uint32_t user, uint64_t login);
/* Drops the login, private session objects, and operations on keys. */
void context_logout(struct context *context);
/* In place of one that was there. */
void context_put_challenge(struct context *context, const struct context_challenge *challenge);
/* Takes it out: it is good once. */
struct context_challenge context_take_challenge(struct context *context);
/* Ends a session (0: all of them): its objects and operations go. */
void context_close_session(struct context *context, uint32_t session);

/* The object goes, if it is here in a version that may live no more. */
void context_bury(struct context *context, const struct tomb *tomb);

/* Takes the operation out, so that this request alone runs it; NULL when there is none. */
struct running *context_take_running(struct context *context, uint32_t session,
                                         CK_FLAGS function);
/* Puts one in (or back), in place of an older one. False: too many, or one that began later is
 * there; it is freed then. */
MUST_USE bool context_put_running(struct context *context, struct running *running);

/* The same for one use of a key that always authenticates. */
MUST_USE bool context_put_permit(struct context *context, uint32_t session, CK_FLAGS function,
                                 struct object *key);

/* All contexts. */
struct context_table {
    pthread_mutex_t lock;
    struct context **buckets; /* under lock */
    size_t count;             /* under lock */
};

MUST_USE bool context_table_init(struct context_table *table);
void context_table_clear(struct context_table *table);
/* With a reference for the caller; NULL when it is not there, or not ready yet. */
struct context *context_find(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN]);
/* The context of that id, made when it is new. NULL: memory is short, or there are too many. */
struct context *context_attach(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN],
                               bool *ret_new);
void context_detach(struct context_table *table, const uint8_t id[FRAME_CONTEXT_LEN]);
/* Logs that user out of every context: the user is no more. */
void context_logout_user(struct context_table *table, uint32_t user);
/* And that login. */
void context_logout_login(struct context_table *table, uint64_t login);
/* What all of them have: logins, session objects, running operations. */
void context_count(struct context_table *table, size_t *ret_logins, size_t *ret_objects,
                   size_t *ret_running);
/* Forgets those not used since before. */
void context_sweep(struct context_table *table, uint64_t before);

#endif
