/* SPDX-License-Identifier: Apache-2.0
 *
 * A bucket of tokens for each address, in a table of fixed size: an address has a few
 * places that it can be at, by a hash that nobody outside knows. A bucket that has filled
 * up again is as good as none.
 */
#include "net/throttle.h"

#include "net/hosts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define PLACES 4096u /* a power of two */
#define LOOK_AT 8u   /* places for one address */
#define FULL ((uint64_t)THROTTLE_AT_ONCE * 1000u)

struct bucket {
    uint8_t address[ADDRESS_KEY_LEN]; /* all 0: nobody's */
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
    uint8_t key[ADDRESS_KEY_LEN];
    uint64_t drops, most = 0;

    if (!address_key(address, key)) {
        return true;
    }
    for (uint64_t i = 0, hash = address_hash(throttle->seed, key); i < LOOK_AT; i++) {
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
