/* SPDX-License-Identifier: Apache-2.0
 *
 * How an object comes to be: rights, number, the attributes that the HSM adds, and its place
 * in the store or in its context. Import, generation and copies all end here.
 */
#ifndef CORE_MAKE_H
#define CORE_MAKE_H

#include "core/state.h"
#include "rules/template.h"

/* A new object on its way. init, fill, then make_commit; clear in any case. */
struct make {
    enum object_kind kind;
    enum origin origin;
    CK_MECHANISM_TYPE mechanism; /* of generation */
    bool always_sensitive;       /* what it is made of always was; of ORIGIN_DERIVE */
    bool never_extractable;
    uint32_t handle;             /* what the request asked for */
    struct writer attributes;
    struct writer secrets;
    struct object *object; /* once made */
};

void make_init(struct make *make, enum object_kind kind, enum origin origin, uint32_t handle);
void make_clear(struct make *make);

/* The value of a secret key, derived or made otherwise than by algo_generate(). */
void make_value(struct make *make, view value);

/* May the one who asks have such an object? SESSION_READ_ONLY (token object in a read-only
 * session), USER_NOT_LOGGED_IN (private, and no crypto user). attributes are complete. */
MUST_USE CK_RV make_allowed(const struct request *request, view attributes);

/* Where an object of this kind that comes from outside is made: primes take long to look at. */
enum hsm_place make_place(enum object_kind kind);

/* Adds CLASS, type, LOCAL, KEY_GEN_MECHANISM, ALWAYS_SENSITIVE, NEVER_EXTRACTABLE, UNIQUE_ID
 * and what algo_key_made() adds; checks the key material. */
MUST_USE CK_RV make_finish(struct request *request, struct make *make);

/* Adds a fresh UNIQUE_ID (part of finish; a copy needs nothing else of it). */
MUST_USE CK_RV make_unique_id(struct request *request, struct make *make);

/* Gives numbers, stores all (token objects in one transaction) and puts them into their
 * tables; then make->object of each is set, and the reply's infos are written. Nothing
 * happens on failure. */
#define MAKE_MAX ALGO_KEYS_MAX
MUST_USE CK_RV make_commit(struct request *request, struct make *const makes[], size_t count);

/* Takes the session objects that the request has made out of their table again. */
void make_undo(struct request *request);

#endif
