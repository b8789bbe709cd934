/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults of the machine that a module lives on. They are brought about in the suite's own process,
 * or in a daemon that the user names.
 */
#ifndef COMPLIANCE_FAULTS_H
#define COMPLIANCE_FAULTS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether memory can be made to fail here. */
bool memory_can_fail(void);
/* From now on the allocation of that number fails, once: 1 for the next one. */
void memory_fail(long count);
/* Ends that. Whether there was one. */
bool memory_failed(void);

/* Before any module is loaded: sockets that are there already are not the module's. */
void sockets_begin(void);
/* Ends all connections of the module, as a peer would that went away; how many there were. */
unsigned sockets_cut(void);

/* Stops a process, and lets it go on after so many ms. False when it cannot be stopped. The child
 * that does so is to be waited for: *ret_child. */
bool daemon_stop(pid_t daemon, unsigned ms, pid_t *ret_child);

#endif /* COMPLIANCE_FAULTS_H */
