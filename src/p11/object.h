/* SPDX-License-Identifier: Apache-2.0
 *
 * What all functions share that make objects.
 */
#ifndef P11_OBJECT_H
#define P11_OBJECT_H

#include "p11/session.h"
#include "p11/trip.h"

/* The handle to ask for: 0 for a token object, else a number of ours. CKR_SESSION_READ_ONLY. */
MUST_USE CK_RV object_place(struct session *session, bool token, uint32_t *ret_handle);

/* The HSM made these objects in the session: remembers them. CKR_DEVICE_ERROR when they are
 * not count, or one has no handle. */
MUST_USE CK_RV object_made(struct session *session, struct moment before, struct info_array made,
                           size_t count);

#endif
