/* SPDX-License-Identifier: Apache-2.0
 *
 * What the requests that change users share.
 */
#ifndef CORE_MANAGE_H
#define CORE_MANAGE_H

#include "core/directory.h"
#include "core/load.h"

struct factor;

/* A copy, to be wiped; or CODE_USER_UNKNOWN. */
MUST_USE CK_RV user_copy(struct hsm *hsm, uint32_t role, view name, struct user *ret_user);
/* Has somebody that name, whatever the role; and may there be one more user? */
bool user_is_there(struct hsm *hsm, view name, bool *ret_room);
/*
 * Seals and stores the user, then puts it into the table. Failed logins of before are
 * forgotten in the same transaction. Under the lock for changes, and that of the gate where the
 * user is not new; directory is NULL where neither the user nor the name is new.
 */
MUST_USE CK_RV user_store(struct request *r, struct user *user, const struct directory *directory);

/*
 * A new user; the role and the form of name and password were looked at. factor is NULL where he
 * has none. before, which may be NULL, is called when all but the store is done: it writes the
 * reply. CODE_USER_EXISTS, CKR_DEVICE_MEMORY: there are too many. Slow; takes the lock for changes.
 */
MUST_USE CK_RV user_make(struct request *r, uint32_t role, view name, view password,
                         const struct factor *factor,
                         void (*before)(struct request *r, uint32_t id));
/*
 * Another password. version is that of the user's record when the old one was looked at, or 0
 * where nobody asked for it. factor: the second factor from then on; NULL: the one that he has.
 * CODE_USER_UNKNOWN; CKR_PIN_INCORRECT: it was changed since; CKR_ACTION_PROHIBITED: another's, and
 * no officer asks. Slow; takes the lock for changes and that of the gate.
 */
MUST_USE CK_RV user_change(struct request *r, uint32_t role, view name, view password,
                           uint64_t version, const struct factor *factor);

#endif
