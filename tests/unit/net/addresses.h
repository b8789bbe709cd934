/* SPDX-License-Identifier: Apache-2.0
 *
 * Addresses that peers might have. Each holds until the next is made. Include after <cmocka.h>.
 */
#ifndef UNIT_NET_ADDRESSES_H
#define UNIT_NET_ADDRESSES_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un path;
} address;

static inline const struct sockaddr *
v4(uint32_t number)
{
    memset(&address, 0, sizeof address);
    address.v4.sin_family = AF_INET;
    address.v4.sin_addr.s_addr = htonl(number);
    return &address.any;
}

static inline const struct sockaddr *
v6(const char *text)
{
    memset(&address, 0, sizeof address);
    address.v6.sin6_family = AF_INET6;
    assert_int_equal(inet_pton(AF_INET6, text, &address.v6.sin6_addr), 1);
    return &address.any;
}

#endif
