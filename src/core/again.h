/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests where other nodes write the store, too: what a node has to know before it answers one,
 * and what it does when it meets something that it did not know of.
 */
#ifndef CORE_AGAIN_H
#define CORE_AGAIN_H

#include "core/state.h"

/* Does this node know all that who asks has seen, and is it heard of? Else CODE_LAGGING, or
 * CODE_LATER. */
MUST_USE CK_RV request_follows(struct request *request);
/* The ticket that came too early, if this node has come so far. */
void attach_late(struct request *request);
/*
 * Calls the handler. One that met what another node did (CODE_CONFLICT), or missed what another
 * node has made, is called again when that is in the tables: it has changed nothing. CODE_LAGGING:
 * the store does not answer. Where the request turns out to have been carried out by another node,
 * its reply is that one's.
 */
MUST_USE CK_RV request_again(struct request *request, CK_RV (*call)(struct request *request));

/* What was revoked is answered when every node knows of it, or uses no keys any more; also where
 * the reply is that of another time. CODE_LATER. */
MUST_USE CK_RV request_barrier(struct request *request);

#endif
