/* SPDX-License-Identifier: Apache-2.0
 *
 * What the requests that change users share.
 */
#ifndef CORE_MANAGE_H
#define CORE_MANAGE_H

#include "core/load.h"

/* A copy, to be wiped; or CODE_USER_UNKNOWN. */
MUST_USE CK_RV user_copy(struct hsm *hsm, uint32_t role, view name, struct user *ret_user);
/* Has somebody that name, whatever the role; and may there be one more user? */
bool user_is_there(struct hsm *hsm, view name, bool *ret_room);
/*
 * Seals and stores the user, then puts it into the table. Failed logins of before are
 * forgotten in the same transaction. Under the lock for changes, and that of the gate where the
 * user is not new; directory is NULL where neither the user nor the name is new.
 */
MUST_USE CK_RV user_store(struct request *r, struct user *user,
                          const struct directory *directory);

#endif
