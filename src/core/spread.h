/* SPDX-License-Identifier: Apache-2.0
 *
 * Creations that count when so many nodes have what was made (frame_nodes(), which daemons set by
 * create_object_minimum_nodes). What is stored any node will have; but a node that is cut off has
 * it later, and who wants to go on there at once asks for more than one. Where fewer are heard of
 * nothing is made, and where fewer say in time that they have it, it is removed again, with an
 * empty body in the place of its reply.
 */
#ifndef CORE_SPREAD_H
#define CORE_SPREAD_H

#include "core/state.h"

/* Are as many nodes heard of as the request asks for? Logged. Before anything happens. */
bool spread_can(const struct request *request);
/* After a request that may have made token objects, also at another time: CKR_OK when the nodes
 * have them, else CKR_DEVICE_ERROR, and they are gone. CODE_LATER. */
MUST_USE CK_RV request_spread(struct request *request);

#endif
