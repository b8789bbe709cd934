/* SPDX-License-Identifier: Apache-2.0
 *
 * A node's part in its cluster: that others know where it is and by what key.
 */
#ifndef SERVER_CLUSTER_H
#define SERVER_CLUSTER_H

#include "core/hsm.h"
#include "core/join.h"
#include "net/settings.h"

/* Enters the node into the list of members, with the ports that it got. False, with a line in the
 * log: it was removed from the list, or the store fails. Nothing where it shares no store. */
MUST_USE bool cluster_enter(struct hsm *hsm, const struct server_settings *settings,
                            unsigned client_port, unsigned manage_port);

/*
 * Asks the members that the settings name for the master key, again and again until one gives it.
 * False: SIGTERM or SIGINT came, which are blocked here, or a member refuses for good (logged).
 * store_id: of the store whose key it is.
 */
MUST_USE bool cluster_join(const struct server_settings *settings, struct secret **ret_master,
                           uint8_t ret_store_id[16]);

#endif
