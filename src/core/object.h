/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects: immutable once made, counted, shared between threads. A change makes a new
 * object that takes the old one's place in its table. Attributes stand open; secret parts
 * stay sealed and are opened for a use; the parsed key is made at the first use and kept.
 */
#ifndef CORE_OBJECT_H
#define CORE_OBJECT_H

#include "core/record.h"
#include "crypto/algo.h"

#include <stdatomic.h>

#define OBJECT_SHARES_MAX 256u

struct object {
    _Atomic uint32_t refs;
    uint32_t handle;
    enum object_kind kind;
    uint32_t owner;        /* number of the user; 0: made without a login */
    uint32_t session;      /* session objects: the session that made it, else 0 */
    uint64_t version;      /* of its record */
    uint64_t revision;     /* of the store's record, 0 for session objects */
    struct key_info info;
    uint32_t *shares;      /* numbers of users */
    size_t share_count;
    uint8_t *attributes;   /* an attribute list, without secret parts */
    size_t attributes_len;
    uint8_t *sealed;       /* secret parts, a sealed part of its record; NULL when none */
    size_t sealed_len;
    struct algo_key *_Atomic key;
    bool revived;        /* a session object, that came of a copy: under its context's lock */
    _Atomic bool copied; /* a session object: there may be sealed copies of it (copies.h) */
    _Atomic bool used; /* the key, since somebody took that back (keyed.h) */
    struct object *label_next; /* chains of the table that holds it, under its lock */
    struct object *id_next;
    struct object **label_at; /* what points to it there; NULL: it is in none */
    struct object **id_at;
};

struct object *object_ref(struct object *object);
void object_unref(struct object *object);

view object_attributes(const struct object *object);
bool object_is_token(const struct object *object);
bool object_is_private(const struct object *object);

/* Is the mechanism among its CKA_ALLOWED_MECHANISMS, where it has them? PKCS #11 v3.1, 4.7. */
bool object_allows(const struct object *object, CK_MECHANISM_TYPE type);

/* What an object is made of. secrets is an attribute list, empty when there are none. */
struct object_parts {
    uint32_t handle;
    uint32_t session;
    enum object_kind kind;
    uint32_t owner;
    uint64_t version;
    const uint32_t *shares;
    size_t share_count;
    view attributes;
    view secrets;
};

/* CKR_HOST_MEMORY, or what sealing says. The parts are copied. */
MUST_USE CK_RV object_new(const struct sealer *sealer, const struct object_parts *parts,
                          struct object **ret_object);

/* The value of the object's record in the store: u32 length and the sealed head (kind, owner,
 * shares, attributes), then the sealed secrets. */
MUST_USE CK_RV object_record(const struct sealer *sealer, const struct object *object,
                             struct writer *out);
/* CKR_GENERAL_ERROR when the record does not open or read. */
MUST_USE CK_RV object_from_record(const struct sealer *sealer, uint32_t handle, view record,
                                  uint64_t revision, struct object **ret_object);

/* Is it the kind that its attributes say? What is parsed as a key goes by the one, what may be
 * done with it by the other. */
bool object_kind_fits(const struct object *object);

/* Opens the secret parts into a writer that wipes (its max allows ATTRIBUTES_BYTES_MAX). */
MUST_USE CK_RV object_open_secrets(const struct sealer *sealer, const struct object *object,
                                   struct writer *out);
/* The parsed key, borrowed from the object; made at the first call, which *ret_parsed tells. */
MUST_USE CK_RV object_key(const struct sealer *sealer, struct object *object,
                          const struct algo_key **ret_key, bool *ret_parsed);
/* The same object without a parsed key; NULL: memory is short. */
MUST_USE struct object *object_without_key(const struct object *object);

#endif
