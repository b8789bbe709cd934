/* SPDX-License-Identifier: Apache-2.0
 *
 * A node's part in its cluster: that others know where it is and by what key.
 */
#ifndef SERVER_CLUSTER_H
#define SERVER_CLUSTER_H

#include "core/hsm.h"
#include "net/settings.h"

/* Enters the node into the list of members, with the ports that it got. False, with a line in the
 * log: it was removed from the list, or the store fails. Nothing where it shares no store. */
MUST_USE bool cluster_enter(struct hsm *hsm, const struct server_settings *settings,
                            unsigned client_port, unsigned manage_port);

#endif
