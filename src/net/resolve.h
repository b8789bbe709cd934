/* SPDX-License-Identifier: Apache-2.0
 *
 * Connecting by a host's name. Looking a name up may take as long as a name server is silent, so it
 * happens on a thread of its own while the loop goes on; an address in numbers needs none of that.
 */
#ifndef NET_RESOLVE_H
#define NET_RESOLVE_H

#include "net/loop.h"

struct resolver;

/* done is called on the loop when a look-up has ended, well or not. NULL when memory is short. */
struct resolver *resolver_new(struct loop *loop, const char *host, void (*done)(void *arg),
                              void *arg);
void resolver_free(struct resolver *resolver);

/*
 * A socket that connects to the host, as link_connect() gives it; -1 when that failed, or the
 * address is not known yet: then it is being looked up (resolver_looks()). What was found counts
 * for a moment, so that a host that moves is found again.
 */
int resolver_connect(struct resolver *resolver, unsigned port);
bool resolver_looks(const struct resolver *resolver);
/* An address, for the moment. */
bool resolver_knows(const struct resolver *resolver);

#endif
