/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket of tokens for each address, in a table of fixed size: an address has a few places that it can
 * be at, by a hash that nobody outside knows. A bucket that has filled up again is as good as none.
 */
#include "net/throttle.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACES 4096u /* a power of two */
#define LOOK_AT 8u   /* places for one address */
#define FULL ((uint64_t)THROTTLE_AT_ONCE * 1000u)

struct bucket {
    uint8_t address[9];   /* family, and IPv4 or the first half of IPv6; all 0: nobody's */
    uint32_t drops;       /* of a thousand drops is one connection */
    uint64_t filled;      /* when .drops was counted */
};

struct throttle {
    uint64_t seed;
    struct bucket buckets[PLACES];
};

struct throttle *
throttle_new(void)
{
    struct throttle *throttle = calloc(1, sizeof *throttle);

    if (throttle != NULL &&
        getrandom(&throttle->seed, sizeof throttle->seed, 0) != (ssize_t)sizeof throttle->seed) {
        free(throttle);
        throttle = NULL;
    }
    return throttle;
}

void
throttle_free(struct throttle *throttle)
{
    free(throttle);
}

/* False: it is no address of a host. */
static bool
address_key(const struct sockaddr *address, uint8_t key[9])
{
    memset(key, 0, 9);
    if (address->sa_family == AF_INET) {
        struct sockaddr_in v4;

        memcpy(&v4, address, sizeof v4);
        key[0] = 4;
        memcpy(key + 1, &v4.sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 v6;

        memcpy(&v6, address, sizeof v6);
        key[0] = 6;
        memcpy(key + 1, &v6.sin6_addr, 8);
        if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
            key[0] = 4;
            memset(key + 1, 0, 8);
            memcpy(key + 1, v6.sin6_addr.s6_addr + 12, 4);
        }
        return true;
    }
    return false;
}

static uint64_t
key_hash(const struct throttle *throttle, const uint8_t key[9])
{
    uint64_t hash = throttle->seed;

    for (size_t i = 0; i < 9; i++) {
        hash = (hash ^ key[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static uint64_t
drops_at(const struct bucket *bucket, uint64_t now)
{
    uint64_t passed = now - bucket->filled;

    if (bucket->address[0] == 0 || passed > FULL / THROTTLE_PER_SECOND) {
        return FULL;
    }
    passed = bucket->drops + passed * THROTTLE_PER_SECOND;
    return passed < FULL ? passed : FULL;
}

bool
throttle_allows(struct throttle *throttle, const struct sockaddr *address, uint64_t now)
{
    struct bucket *mine = NULL;
    uint8_t key[9];
    uint64_t drops, most = 0;

    if (!address_key(address, key)) {
        return true;
    }
    for (uint64_t i = 0, hash = key_hash(throttle, key); i < LOOK_AT; i++) {
        struct bucket *bucket = &throttle->buckets[(hash + i) % PLACES];

        if (memcmp(bucket->address, key, sizeof key) == 0) {
            mine = bucket;
            break;
        }
        drops = drops_at(bucket, now);
        if (mine == NULL || drops > most) {
            mine = bucket;
            most = drops;
        }
    }
    if (memcmp(mine->address, key, sizeof key) != 0) {
        memcpy(mine->address, key, sizeof key);
        mine->drops = FULL;
        mine->filled = now;
    }
    drops = drops_at(mine, now);
    mine->filled = now;
    mine->drops = (uint32_t)(drops < 1000 ? drops : drops - 1000);
    return drops >= 1000;
}
