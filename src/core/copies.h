/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies on request (core/copy.h): handed to the daemon that keeps them, before the reply to what
 * made or changed an object; taken back when the node that gave them is no more.
 */
#ifndef CORE_COPIES_H
#define CORE_COPIES_H

#include "core/state.h"

/* After a request that was answered CKR_OK: what its daemon has to know, as a frame of its own. For
 * most requests that is nothing. */
void copies_tell(struct request *request, struct writer *out);
/* Puts that frame before the reply that begins at start. */
void copies_insert(struct writer *reply, size_t start, const struct writer *told);

/* Are copies given of such an object? Under the context's lock. */
bool copies_are_of(const struct context *context, const struct object *object);

/*
 * Stores that no copy of a lower version than this lives again (TOMB_VERSION_ALL: none), with the
 * request's reply. Under the lock for changes of it, before the object goes or is replaced;
 * only where object->copied says that there may be one. CODE_LATER.
 */
MUST_USE CK_RV copies_end(struct request *request, const struct object *object, uint64_t version);
/* Ends a session (0: all of them), and the copies of what goes with it first. Where the store
 * does not take that, the session ends all the same, and its copies may live until their time is
 * over: CKR_DEVICE_ERROR. */
MUST_USE CK_RV copies_close_session(struct request *request, uint32_t session);

#endif
