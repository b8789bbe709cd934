/* SPDX-License-Identifier: Apache-2.0
 *
 * The release of a store that several nodes share, record v/00000001: nodes of that one and of
 * later ones read all that is in it, and no earlier one opens it. It rises when the last node has
 * come up with the next release. What a release writes that the one before does not read, it
 * writes when hsm_release() is as high; until then nodes may go back.
 */
#ifndef CORE_RELEASE_H
#define CORE_RELEASE_H

#include "core/hsm.h"
#include "core/record.h"

/* Guarded by the HSM's lock. */
struct release {
    uint32_t number;   /* 0: nobody has said */
    uint64_t revision;
};

/* The sealed record of a release. */
MUST_USE CK_RV release_record(const struct sealer *sealer, uint32_t number, struct writer *out);
MUST_USE CK_RV release_from_record(const struct sealer *sealer, view record,
                                   uint32_t *ret_number);

/* What another node has written. CKR_GENERAL_ERROR: it does not open, or is
 * later than this node. */
MUST_USE CK_RV release_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision);
/* Looks it up. CKR_GENERAL_ERROR, with a line in the log: this node is too early for the store. */
MUST_USE CK_RV release_look(struct hsm *hsm);
/* The name of its record, and what a node's entry compares it with. */
struct record_name release_name(void);
uint64_t release_revision(struct hsm *hsm);
/* Raises it to the lowest of all members, where that is higher. */
void release_raise(struct hsm *hsm);

/* This node's own. */
uint32_t release_own(const struct hsm *hsm);
/* What may be written: forms of this release and of earlier ones. */
uint32_t hsm_release(struct hsm *hsm);

#endif
