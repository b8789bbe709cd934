/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit records on their way out of the node: each as one datagram of syslog (facility authpriv),
 * whose text is the record as JSON. systemd's journal reads them from /dev/log as well. The trail
 * on disk is what counts: nobody waits for a receiver, and what it does not take is missing there,
 * seen by a gap in the sequence.
 */
#ifndef SERVER_AUDIT_EXPORT_H
#define SERVER_AUDIT_EXPORT_H

#include "base/bytes.h"

struct export;

/* path is that of a datagram socket, which need not be there yet. NULL when memory is short. */
struct export *export_new(const char *path);
const char *export_path(const struct export *export);
/* The records among the entries of a trail (core/trail.h), which follow each other. */
void export_entries(struct export *export, view entries, view node, uint64_t first);
void export_free(struct export *export);

#endif
