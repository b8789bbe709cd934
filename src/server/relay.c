/* SPDX-License-Identifier: Apache-2.0
 *
 * Who waits looks by himself while the place is being lent now and again: to be woken each time
 * would cost what lending spares.
 */
#include "server/relay.h"

#include <time.h>

#define QUIET_LOOKS 16u /* without a loan; then he sleeps until there is one */

void
relay_init(struct relay *relay)
{
    pthread_condattr_t attributes;

    *relay = (struct relay){ .taken = false };
    pthread_mutex_init(&relay->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&relay->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

void
relay_clear(struct relay *relay)
{
    pthread_cond_destroy(&relay->wake);
    pthread_mutex_destroy(&relay->lock);
}

/* Under the lock. */
static void
relay_look_later(struct relay *relay)
{
    struct timespec limit;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_nsec += (long)RELAY_LOOK_MS * 1000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&relay->wake, &relay->lock, &limit);
}

bool
relay_take(struct relay *relay)
{
    uint64_t seen = 0;    /* loans, at the last look */
    bool seen_lent = false;
    unsigned quiet = 0;
    bool taken;

    pthread_mutex_lock(&relay->lock);
    while (!relay->over && relay->taken &&
           !(relay->lent && seen_lent && relay->loans == seen)) {
        quiet = relay->loans == seen ? quiet + 1 : 0;
        seen = relay->loans;
        seen_lent = relay->lent;
        relay->watched = relay->lent || quiet < QUIET_LOOKS;
        if (relay->watched) {
            relay_look_later(relay);
        } else {
            pthread_cond_wait(&relay->wake, &relay->lock);
        }
    }
    taken = !relay->over;
    if (taken) {
        relay->taken = true;
        relay->lent = false;
        relay->watched = false;
    }
    pthread_mutex_unlock(&relay->lock);
    return taken;
}

uint64_t
relay_lend(struct relay *relay)
{
    uint64_t loan;
    bool watched;

    pthread_mutex_lock(&relay->lock);
    relay->lent = true;
    loan = ++relay->loans;
    watched = relay->watched;
    relay->watched = true;
    pthread_mutex_unlock(&relay->lock);
    if (!watched) {
        pthread_cond_signal(&relay->wake);
    }
    return loan;
}

bool
relay_back(struct relay *relay, uint64_t loan)
{
    bool mine;

    pthread_mutex_lock(&relay->lock);
    mine = relay->lent && relay->loans == loan && !relay->over;
    relay->lent = relay->lent && relay->loans != loan;
    pthread_mutex_unlock(&relay->lock);
    return mine;
}

void
relay_end(struct relay *relay)
{
    pthread_mutex_lock(&relay->lock);
    relay->over = true;
    pthread_mutex_unlock(&relay->lock);
    pthread_cond_broadcast(&relay->wake);
}
