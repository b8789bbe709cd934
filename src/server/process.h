/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server asks of the kernel for its own process: no core dumps, no swap, files for
 * its owner alone.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "base/base.h"

#include <sys/types.h>

/* Best effort but for what cannot fail; what the host refuses is a line in the log. */
void process_harden(void);
/* Root becomes this user, for good, and keeps of its rights those to read all files and to lock
 * memory. Before any thread is started. False, logged. */
MUST_USE bool process_become(uid_t user, gid_t group);
/* Cores that this process may run on, at least 1. */
size_t process_cores(void);

/* A pause in which SIGTERM and SIGINT, which are blocked, are listened to: true: one has come. The
 * service manager hears what is waited for, and that it takes longer. */
MUST_USE bool process_pause(unsigned seconds, const char *what);

#endif
