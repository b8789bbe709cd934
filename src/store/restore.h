/* SPDX-License-Identifier: Apache-2.0
 *
 * A new database file with the records of a backup: the same store (its id, revisions and
 * counters go on), in another place.
 */
#ifndef STORE_RESTORE_H
#define STORE_RESTORE_H

#include "core/ports.h"

struct restoring;

/* The file must not exist. NULL with a line in the log. */
struct restoring *restoring_new(const char *path, const uint8_t store_id[16],
                                const uint8_t guard_key[32]);
MUST_USE bool restoring_number(struct restoring *restoring, view counter, uint64_t next);
/* False too when the record is there already. */
MUST_USE bool restoring_put(struct restoring *restoring, view key, view value, uint64_t revision);
/* Writes all to the disk, at this revision. False too when a record is of a later one. */
MUST_USE bool restoring_end(struct restoring *restoring, uint64_t revision);
/* Also after a failure, when the file is good for nothing. */
void restoring_free(struct restoring *restoring);

#endif
