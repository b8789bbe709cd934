/* SPDX-License-Identifier: Apache-2.0
 *
 * The types of users by the names that people write and read.
 */
#ifndef WIRE_ROLE_H
#define WIRE_ROLE_H

#include "base/base.h"

/* "CU" and "PCU" are ROLE_CU, and so on; false when it is no such name. */
MUST_USE bool role_parse(const char *name, uint32_t *ret_role);
/* "CU"; "UNKNOWN" for a number without a name. */
const char *role_name(uint32_t role);
/* " CU PCU CO ..." for messages. */
const char *role_list(void);

#endif
