/* SPDX-License-Identifier: Apache-2.0
 *
 * How long tickets live. Each node has its own setting; but who ends a login on one node ends
 * tickets that another one made. So the longest life that any node of the store ever had, where it
 * is longer than TICKET_LIFE_MS, is its record e/00000001, and what ends logins and copies is kept
 * for so long. It never falls: a ticket of a time before may still be about.
 */
#ifndef CORE_LIFE_H
#define CORE_LIFE_H

#include "core/record.h"

struct hsm;

/* Guarded by the HSM's lock. */
struct life {
    uint64_t longest; /* milliseconds; 0: nobody has said */
    uint64_t revision;
};

/* The record of the store. CKR_GENERAL_ERROR: it does not open or read. */
MUST_USE CK_RV life_put(struct hsm *hsm, uint32_t number, view value, uint64_t revision);
/* Writes it where this node's tickets live longer than it says, and comes back when all nodes know
 * of it. Until every node reads it nothing is written. */
MUST_USE CK_RV life_raise(struct hsm *hsm);
/* Of a ticket that is made now: as set, but no longer than the store says, for who ends logins on
 * another node knows no more. This and the next take hsm->lock. */
uint64_t life_own(struct hsm *hsm);
/* Until when (hsm_time()) there may be a ticket that was made by now: on whichever node, whose
 * clock may be LIFE_MARGIN_MS ahead. */
uint64_t life_end(struct hsm *hsm);

#define LIFE_MARGIN_MS 60000u /* clocks of nodes are that much alike */

#endif
