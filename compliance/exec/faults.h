/* SPDX-License-Identifier: Apache-2.0
 *
 * Faults of the machine that a module lives on. They are brought about in the suite's own process,
 * or in a daemon that the user names.
 */
#ifndef COMPLIANCE_FAULTS_H
#define COMPLIANCE_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether functions of the C library can be stood before: a sanitizer does so already. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define FAULTS_INSIDE 0
#endif
#endif
#if !defined(FAULTS_INSIDE)
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define FAULTS_INSIDE 0
#else
#define FAULTS_INSIDE 1
#endif
#endif

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

/* From now on the connection is cut at the transfer of that number over one of them, once: before it,
 * or in its middle. */
void sockets_fail(long count, bool middle);
/* Ends that. Whether there was one. */
bool sockets_failed(void);

/* Stops a process, and lets it go on after so many ms. False when it cannot be stopped. The child
 * that does so is to be waited for: *ret_child. */
bool daemon_stop(pid_t daemon, unsigned ms, pid_t *ret_child);

#endif /* COMPLIANCE_FAULTS_H */
