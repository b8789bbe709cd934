/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of the store into the tables: all of them when a partition is opened, and from then on
 * those that other nodes write. Each table keeps the revision of what it holds, so what comes
 * again, or comes late, changes nothing.
 */
#ifndef CORE_LOAD_H
#define CORE_LOAD_H

#include "core/state.h"

/* Takes a record in. CKR_GENERAL_ERROR: it does not open, or nobody knows its name;
 * CKR_HOST_MEMORY. Records of journals, of beats and of the partition are not for here. */
MUST_USE CK_RV load_put(struct hsm *hsm, view key, view value, uint64_t revision);
/* The record was removed by that transaction. */
void load_gone(struct hsm *hsm, view key, uint64_t revision);

/* Is what the tables have of that record older than revision, or not there at all? False for
 * records of which they keep no revision. Takes hsm->lock. */
bool load_is_behind(struct hsm *hsm, char prefix, uint32_t number, uint64_t revision);

/* Is it a record that load_put() does not take: of a journal, of a node itself, the partition's? */
bool load_is_apart(view key);

/*
 * What a handler has committed goes into the tables by these, so that what another node has
 * committed on top of it, and was told first, stays. All take hsm->lock.
 */
/* A new object, for which there is room that was reserved. */
void objects_enter(struct hsm *hsm, struct object *object);
/* In place of the one before. */
void objects_change(struct hsm *hsm, struct object *object);
void objects_leave(struct hsm *hsm, uint32_t handle, uint64_t revision);
/* New or changed; there is room. */
void users_enter(struct hsm *hsm, const struct user *user);
void users_leave(struct hsm *hsm, uint32_t id, uint64_t revision);
/* A count of failed logins: of a user, or of a gate. */
void failures_enter(struct hsm *hsm, uint32_t user, uint32_t failures, uint64_t revision);

#endif
