/* SPDX-License-Identifier: Apache-2.0
 *
 * What quorum.c and approve.c share of the quorum's state. All under the quorum's lock.
 */
#ifndef CORE_APPROVE_H
#define CORE_APPROVE_H

#include "core/state.h"

/* NULL when the user has none. */
struct quorum_key *quorum_key_of(struct quorum *quorum, uint32_t user);
/* Room for one more. */
MUST_USE bool quorum_reserve(struct quorum *quorum);
/* In place of the user's own, or into room that was reserved. */
void quorum_put(struct quorum *quorum, const struct quorum_key *key);
/* Forgets tokens that have ended. */
void quorum_sweep(struct quorum *quorum, uint64_t now);
/* Was it drawn by this login, in this session? */
bool quorum_token_is_of(const struct quorum_token *token, const struct request *request);

#endif
