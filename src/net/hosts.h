/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts that are known: they have shaken hands lately. Strangers cannot take what is kept for them.
 * What is remembered is bounded; of those that might be forgotten the one that was met longest ago
 * is. An IPv6 host is known with its /64. Any thread may call.
 */
#ifndef NET_HOSTS_H
#define NET_HOSTS_H

#include "base/base.h"

#include <sys/socket.h>

#define HOSTS_KNOWN_MS (24u * 60u * 60u * 1000u)

#define ADDRESS_KEY_LEN 9u

/* 4 or 6, and IPv4 or the first half of IPv6 in network order; zeros behind. An IPv4 address that
 * is mapped into IPv6 (RFC 4291, 2.5.5.2) is IPv4. False: it is no address of a host. */
bool address_key(const struct sockaddr *address, uint8_t ret_key[ADDRESS_KEY_LEN]);
/* Of which nobody knows the order who does not know the seed. */
uint64_t address_hash(uint64_t seed, const uint8_t key[ADDRESS_KEY_LEN]);

struct hosts;

/* NULL when memory is short. */
MUST_USE struct hosts *hosts_new(void);
void hosts_free(struct hosts *hosts);

/* now: any clock's milliseconds, the same one for both. */
void hosts_meet(struct hosts *hosts, const struct sockaddr *address, uint64_t now);
bool hosts_know(struct hosts *hosts, const struct sockaddr *address, uint64_t now);

#endif
