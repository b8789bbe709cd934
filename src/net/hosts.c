/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of fixed size: a host has a few places that it can be at, by a hash
 * that nobody outside knows.
 */
#include "net/hosts.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACES 8192u /* a power of two */
#define LOOK_AT 8u   /* places for one address */

struct host {
    uint8_t key[ADDRESS_KEY_LEN]; /* all 0: nobody's */
    uint64_t met;
};

struct hosts {
    uint64_t seed;
    pthread_mutex_t lock;
    struct host places[PLACES]; /* under lock */
};

bool
address_key(const struct sockaddr *address, uint8_t ret_key[ADDRESS_KEY_LEN])
{
    memset(ret_key, 0, ADDRESS_KEY_LEN);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        ret_key[0] = 4;
        memcpy(ret_key + 1, &v4.sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        ret_key[0] = 6;
        memcpy(ret_key + 1, &v6.sin6_addr, 8);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            ret_key[0] = 4;
            memset(ret_key + 1, 0, 8);
            memcpy(ret_key + 1, v6.sin6_addr.s6_addr + 12, 4);
        }
        return true;
    }
    return false;
}

uint64_t
address_hash(uint64_t seed, const uint8_t key[ADDRESS_KEY_LEN])
{
    uint64_t hash = seed;

    for (size_t i = 0; i < ADDRESS_KEY_LEN; i++) {
        hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

struct hosts *
hosts_new(void)
{
    struct hosts *hosts = calloc(1, sizeof *hosts);

    if (hosts == NULL) {
        return NULL;
    }
    if (getrandom(&hosts->seed, sizeof hosts->seed, 0) != (ssize_t)sizeof hosts->seed ||
        pthread_mutex_init(&hosts->lock, NULL) != 0) {
        free(hosts);
        return NULL;
    }
    return hosts;
}

void
hosts_free(struct hosts *hosts)
{
    if (hosts != NULL) {
        pthread_mutex_destroy(&hosts->lock);
        free(hosts);
    }
}

/* Its place; else the one of those it may have that is nobody's, or whose host was met longest
 * ago. */
static struct host *
place_of(struct hosts *hosts, const uint8_t key[ADDRESS_KEY_LEN], bool *ret_its)
{
    const uint64_t hash = address_hash(hosts->seed, key);
    struct host *place = NULL;

    *ret_its = false;
    for (uint64_t i = 0; i < LOOK_AT; i++) {
        struct host *host = &hosts->places[(hash + i) % PLACES];

        if (memcmp(host->key, key, ADDRESS_KEY_LEN) == 0) {
            *ret_its = true;
            return host;
        }
        if (place == NULL || host->met < place->met) {
            place = host;
        }
    }
    return place;
}

void
hosts_meet(struct hosts *hosts, const struct sockaddr *address, uint64_t now)
{
    uint8_t key[ADDRESS_KEY_LEN];
    struct host *host;
    bool its;

    if (!address_key(address, key)) {
        return;
    }
    pthread_mutex_lock(&hosts->lock);
    host = place_of(hosts, key, &its);
    memcpy(host->key, key, sizeof host->key);
    host->met = now;
    pthread_mutex_unlock(&hosts->lock);
}

bool
hosts_know(struct hosts *hosts, const struct sockaddr *address, uint64_t now)
{
    uint8_t key[ADDRESS_KEY_LEN];
    bool known;

    if (!address_key(address, key)) {
        return false;
    }
    pthread_mutex_lock(&hosts->lock);

    const struct host *host = place_of(hosts, key, &known);

    /* It may have been met since the caller looked at the clock. */
    known = known && (now < host->met || now - host->met < HOSTS_KNOWN_MS);
    pthread_mutex_unlock(&hosts->lock);
    return known;
}
