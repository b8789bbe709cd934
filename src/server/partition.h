/* SPDX-License-Identifier: Apache-2.0
 *
 * The partition on disk: its birth (--initialize), and its opening by a server that runs.
 */
#ifndef SERVER_PARTITION_H
#define SERVER_PARTITION_H

#include "core/hsm.h"
#include "net/settings.h"
#include "server/folder.h"

/* In the state folder: three files and a folder. */
#define PARTITION_KEY_NAME "master.key"
#define PARTITION_STORE_NAME "store.db"
#define PARTITION_AUDIT_NAME "audit"
#define PARTITION_NODE_NAME "node.serial" /* where several nodes share a store */

struct partition_plan {
    enum policy policy;
    const char *switches;
    const char *label;
    const char *officer; /* NULL: an owner has to come */
};

/* The store that the settings name; NULL with a line in the log. waits: an etcd that does
 * not answer is waited for, until a signal ends the server (they have to be blocked);
 * else for ten seconds. */
struct store *partition_store(const struct folder *folder, const struct settings_store *settings,
                              struct entropy *entropy, bool waits);

/* Puts the records of that store where the settings name an etcd, in place of what is there. False,
 * with a line in the log. */
MUST_USE bool partition_restore(const struct settings_store *settings, struct store *from);

/* Makes master key and store, which are in the state folder or as the settings say; the officer's
 * password, if there is one, is the first line of standard input. False, with a line in the log:
 * one exists already, or it fails. */
MUST_USE bool partition_make(const struct server_settings *settings,
                             const struct partition_plan *plan);

/* For a node that is to join: its serial, key and request for a certificate;
 * see identity_request(). */
MUST_USE bool partition_request(const struct server_settings *settings);

/* What a running server holds. */
struct partition {
    struct hsm_ports ports;
    char node[17]; /* where ports.node points */
    struct hsm *hsm;
};

/* Without a master key, where others are to give it (join), waits for that, and where the records
 * are in etcd, for that; signals that end a server have to be blocked. False with a line in the
 * log; *ret_partition is untouched then. accept_older: see audit_start(). backups (server/backup.h)
 * may be NULL, and outlives it. */
MUST_USE bool partition_open(struct folder *folder, const struct server_settings *settings,
                             bool accept_older, struct backups *backups,
                             struct partition *ret_partition);
/* Nothing handles requests any more. A partition of zeros is fine. */
void partition_close(struct partition *partition);

#endif
