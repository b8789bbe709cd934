/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed copies of session objects. A session object is in the memory of one node alone; so that
 * it outlives that, the node hands the daemon a copy when it makes or changes one. It is sealed
 * with a key that HKDF derives from the master key under a label of its own and the context's
 * name, and says whose object it was: which version, of which node and boot, in which login. The
 * daemon cannot read it, and whether it may live again is looked at by the node that opens it
 * (core/copies.c).
 */
#ifndef CORE_COPY_H
#define CORE_COPY_H

#include "core/object.h"
#include "wire/message.h"

#define COPY_NODE_MAX 16u
#define COPY_IDENTITY_LEN 16u

struct copy {
    uint32_t handle;
    uint32_t session;
    uint64_t version; /* of the object */
    uint32_t uid;     /* of the context */
    uint64_t login;   /* in which it was given; never 0 */
    char node[COPY_NODE_MAX + 1]; /* that gave it: serial, */
    uint64_t boot;                /* and which start of it */
    uint64_t until;   /* as the login's ticket at that time: hsm_time() */
    enum object_kind kind;
    uint32_t owner;
    view attributes;
    view secrets;     /* empty where it has none */
};

/* What names a session object wherever it lives: its CKA_UNIQUE_ID. False: it has none. */
MUST_USE bool copy_identity(view attributes, uint8_t ret_identity[COPY_IDENTITY_LEN]);

/* The plaintext. What reads is written alike; views are borrowed from it. */
void copy_write(struct writer *w, const struct copy *copy);
MUST_USE bool copy_read(view plain, struct copy *ret_copy);

/* Appends the sealed copy to out. CKR_DATA_LEN_RANGE: it would be longer than COPY_MAX. */
MUST_USE CK_RV copy_seal(const struct sealer *sealer, const uint8_t context[FRAME_CONTEXT_LEN],
                         const struct copy *copy, struct writer *out);
/* False: it is none of this context's, or was altered. plain takes what the views are of (its max
 * allows COPY_MAX). */
MUST_USE bool copy_open(const struct sealer *sealer, const uint8_t context[FRAME_CONTEXT_LEN],
                        view sealed, struct writer *plain, struct copy *ret_copy);

#endif
