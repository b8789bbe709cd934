/* SPDX-License-Identifier: Apache-2.0
 *
 * What the server asks of the kernel for its own process: no core dumps, no swap, files for
 * its owner alone.
 */
#ifndef SERVER_PROCESS_H
#define SERVER_PROCESS_H

#include "base/base.h"

/* Best effort but for what cannot fail; what the host refuses is a line in the log. */
void process_harden(void);
/* Cores that this process may run on, at least 1. */
size_t process_cores(void);

#endif
