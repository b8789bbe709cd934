/* SPDX-License-Identifier: Apache-2.0
 *
 * The audit trail as a file: one line per record, only ever appended. A record is on the
 * disk when append() returns true; threads that append at once share a sync.
 */
#ifndef SERVER_AUDIT_H
#define SERVER_AUDIT_H

#include "core/ports.h"

/* Opens or makes the file, for its owner alone. NULL with a line in the log. */
struct audit *audit_open(const char *path);
void audit_close(struct audit *audit);

/*
 * Called on a thread that must not wait (a loop): what it appends is with the kernel when
 * append() returns, and on the disk by the next sync. Only acts that end with the process
 * itself (session objects) are handled on loops.
 */
void audit_thread_never_waits(void);

#endif
