/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects that say what the token can do: a profile object for each profile that it follows, and
 * a mechanism object for each mechanism of its policy (PKCS #11 v3.1, 4.11 and 4.12). They are
 * the same in each node, are nobody's, stand in no store, and nothing changes them.
 */
#ifndef CORE_BUILTIN_H
#define CORE_BUILTIN_H

#include "core/table.h"

/* Token objects with handles below those of all others. */
bool handle_is_builtin(uint32_t handle);

/* Fills an empty table. CKR_HOST_MEMORY. */
MUST_USE CK_RV builtin_fill(const struct sealer *sealer, struct rules rules, struct table *table);

/* Are they meant? A search finds them by their class alone: applications that list all objects
 * want those that somebody made. */
bool builtin_is_sought(view template);

#endif
