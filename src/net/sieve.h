/* SPDX-License-Identifier: Apache-2.0
 *
 * Whose packets the kernel drops before a listening socket sees them: IPv4 hosts that open
 * connections without end, though they are refused. To refuse one more costs a look at its address
 * then, and none of our time. A few at a time, for a moment each: then they are looked at again.
 * Where the kernel does not take a filter, they are refused as before.
 */
#ifndef NET_SIEVE_H
#define NET_SIEVE_H

#include "base/base.h"

#include <sys/socket.h>

#define SIEVE_REFUSALS 64u /* before it comes to that */
#define SIEVE_MS 500u      /* for so long */
#define SIEVE_AGAIN 8u     /* refusals after that, before the next time */
#define SIEVE_HOSTS 16u

struct sieve {
    struct sieve_host {
        uint32_t address; /* in network order; 0: nobody's */
        unsigned refused;
        uint64_t seen;
        uint64_t until;   /* dropped; 0: not now */
    } hosts[SIEVE_HOSTS];
    size_t dropped;       /* how many are */
    bool attached;        /* ever: those who were accepted since may have it, too */
};

/* A connection from there was refused. now: any clock's milliseconds. */
void sieve_refused(struct sieve *sieve, int fd, const struct sockaddr *address, uint64_t now);
/* Lets those through again whose time is over. */
void sieve_look(struct sieve *sieve, int fd, uint64_t now);
/* Takes the filter off a connection, which gets it from its listener. */
void sieve_lift(const struct sieve *sieve, int connection);

#endif
