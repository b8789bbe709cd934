/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail on disk: a folder of files as core/trail.h has them. Records wait in memory;
 * a thread of its own writes and syncs them every 100 ms, and a signed head every 10 s. While
 * writing fails, or more wait than fit, nothing can be reserved, and so nothing is done that
 * would have to be recorded. A crash loses what waits; what it leaves is whole.
 */
#ifndef SERVER_AUDIT_H
#define SERVER_AUDIT_H

#include "core/hsm.h"

/* Opens the folder at path, or makes it (0700). Nothing can be reserved before audit_start().
 * NULL with a line in the log. */
struct audit *audit_open(const char *path);

/*
 * Begins a new file behind what is there. False, with a line in the log: it cannot be written, or
 * the store is older than the last head says (an old copy was put back) and accept_older is
 * false. The HSM has to stay until audit_stop().
 */
MUST_USE bool audit_start(struct audit *audit, struct hsm *hsm, bool accept_older);
/*
 * From now on: records also go to the datagram socket syslog as JSON (see audit_export.h), unless
 * it is ""; the oldest files go when all have more than limit bytes, unless it is 0. Also while
 * it runs.
 */
void audit_set(struct audit *audit, const char *syslog, uint64_t limit);
/* Writes what waits, and a last head. Fine without a start. */
void audit_stop(struct audit *audit);
void audit_close(struct audit *audit);

#endif
