/* SPDX-License-Identifier: Apache-2.0
 *
 * What single-part requests (crypt.c) and bound operations (bound.c) share.
 */
#ifndef CORE_CRYPT_H
#define CORE_CRYPT_H

#include "core/state.h"

/* What a request works with, once everything was checked. */
struct crypt_job {
    const struct mechanism_row *row;
    struct object *object; /* held; NULL for a digest */
    const struct algo_key *key;
};

/* The checks of C_XInit, in their order. CODE_LATER when the work belongs elsewhere. The caller
 * clears the job in any case. */
MUST_USE CK_RV crypt_begin(struct request *r, CK_FLAGS function, const struct mechanism *mechanism,
                           uint32_t handle, bool runs_now, struct crypt_job *job);
void crypt_clear(struct crypt_job *job);

/* A field of bytes that grows in the reply: its length, which field_end() gives, is put in when it
 * is done. */
size_t field_begin(struct writer *w);
size_t field_end(struct writer *w, size_t start);

#endif
