/* SPDX-License-Identifier: Apache-2.0
 *
 * How many connections an address may open: a crowd at once, and then so many a second. One host
 * that opens connections without end then costs a look at its address each, and no handshake; the
 * others are served as before. An IPv6 host counts with its /64, for it has all of that. What is
 * remembered is bounded: of those that are remembered the most patient gives way.
 */
#ifndef NET_THROTTLE_H
#define NET_THROTTLE_H

#include "base/base.h"

#include <sys/socket.h>

#define THROTTLE_AT_ONCE 256u
#define THROTTLE_PER_SECOND 100u

struct throttle;

/* NULL when memory is short. */
MUST_USE struct throttle *throttle_new(void);
void throttle_free(struct throttle *throttle);

/* May this address open one more? Others than IP addresses always may. now: any
 * clock's milliseconds. */
bool throttle_allows(struct throttle *throttle, const struct sockaddr *address, uint64_t now);

#endif
