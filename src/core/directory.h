/* SPDX-License-Identifier: Apache-2.0
 *
 * The record that everybody compares and changes who makes or removes users, or changes who has
 * to agree, where several nodes write: two that do so at once do not both succeed, and the second
 * looks again.
 */
#ifndef CORE_DIRECTORY_H
#define CORE_DIRECTORY_H

#include "core/state.h"

#define DIRECTORY_NUMBER 1u /* of the record: g/00000001 */

/* What a transaction compares and changes, too. It points into itself: it stays where it is. */
struct directory {
    struct record_name name;
    uint8_t room[64];
    struct writer record;
    size_t count; /* 1; 0: this node is alone, and there is nothing to be added */
    struct store_compare compare;
    struct store_change change;
};
/* Before the tables are looked at, under the lock for changes. CKR_FUNCTION_FAILED: no entropy. */
MUST_USE CK_RV directory_begin(struct hsm *hsm, struct directory *directory);
/* When that transaction was committed. Takes hsm->lock. */
void directory_done(struct hsm *hsm, uint64_t revision);

#endif
