/* SPDX-License-Identifier: Apache-2.0
 *
 * The node: a partition, its listeners, lanes and pools, from start to orderly end.
 */
#ifndef SERVER_NODE_H
#define SERVER_NODE_H

#include "net/settings.h"

/*
 * Runs until SIGTERM or SIGINT; then what was asked is answered, for at most 5 s. SIGHUP reads
 * the settings file at path again: certificates (for new connections) and log level. The
 * status to exit with: 0, or 1 with a line in the log when it did not start.
 */
int node_run(const char *path, const struct server_settings *settings, bool accept_older);

#endif
