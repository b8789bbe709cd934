/* SPDX-License-Identifier: Apache-2.0
 *
 * The clock algorithm: a hand goes round, passes over what was used since it came by last, and
 * takes what was not.
 */
#include "core/keyed.h"

#include <stdlib.h>

bool
keyed_init(struct keyed *keyed, size_t max)
{
    *keyed = (struct keyed){ .max = max, .handles = calloc(max, sizeof *keyed->handles) };
    pthread_mutex_init(&keyed->lock, NULL);
    return keyed->handles != NULL;
}

void
keyed_clear(struct keyed *keyed)
{
    free(keyed->handles);
    pthread_mutex_destroy(&keyed->lock);
}

uint32_t
keyed_enter(struct keyed *keyed, uint32_t handle, bool (*spared)(void *arg, uint32_t handle),
            void *arg)
{
    uint32_t victim = 0;

    pthread_mutex_lock(&keyed->lock);
    if (keyed->count < keyed->max) {
        keyed->handles[keyed->count++] = handle;
    } else {
        for (unsigned look = 0; look < KEYED_LOOKS && spared(arg, keyed->handles[keyed->hand]);
             look++) {
            keyed->hand = (keyed->hand + 1) % keyed->max;
        }
        victim = keyed->handles[keyed->hand];
        keyed->handles[keyed->hand] = handle;
        keyed->hand = (keyed->hand + 1) % keyed->max;
    }
    pthread_mutex_unlock(&keyed->lock);
    return victim == handle ? 0 : victim;
}
