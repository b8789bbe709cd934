/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups of this node's partition. What is made, and what comes in, is in files without a name
 * in the state folder, so that nothing of them outlives the process. A restore that was checked
 * leaves a folder beside the store; the next start of the node, which comes at once, puts its
 * contents in place.
 */
#ifndef SERVER_BACKUP_H
#define SERVER_BACKUP_H

#include "core/archive.h"
#include "core/hsm.h"
#include "net/settings.h"
#include "server/folder.h"

/* What is read from the settings, each time it is needed, and who is told of a restore. */
struct backup_plan {
    const struct server_settings *settings;
    void (*restored)(void *arg); /* on any thread: end the node, and start it again */
    void *arg;
};

/* The port; folder and plan's settings outlive it. NULL when memory is short. */
struct backups *backup_new(struct folder *folder, const struct backup_plan *plan);
/* Before the first request. */
void backup_begin(struct backups *backups, struct store *store, struct hsm *hsm);
void backup_free(struct backups *backups);

/* At the start, before the partition is opened: a restore that was checked is put in place; one
 * that was cut short is removed. False, with a line in the log, when that fails. */
MUST_USE bool backup_settle(struct folder *folder, const struct settings_store *settings);

#endif
