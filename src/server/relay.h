/* SPDX-License-Identifier: Apache-2.0
 *
 * A place that two threads share: one is in it, the other waits. Who is in it may lend it while he
 * does something that may take long; when it does, the other steps in. So a loop runs what is
 * mostly quick without waking anybody, and is held up for a moment at most when it is not.
 */
#ifndef SERVER_RELAY_H
#define SERVER_RELAY_H

#include "base/base.h"

#include <pthread.h>

#define RELAY_LOOK_MS 2u /* the other steps in after one to two of those */

struct relay {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool taken;    /* under lock, as all below */
    bool lent;
    bool over;
    bool watched;  /* who waits looks every RELAY_LOOK_MS */
    uint64_t loans; /* how many there were */
};

void relay_init(struct relay *relay);
void relay_clear(struct relay *relay);
/* Waits until the place is the caller's. False: there is no more to do. */
MUST_USE bool relay_take(struct relay *relay);
/* The caller is in it, and leaves it for as long as nobody else steps in. The number of the
 * loan. */
MUST_USE uint64_t relay_lend(struct relay *relay);
/* Whether it is still his. If not he has nothing to do there until relay_take(). */
MUST_USE bool relay_back(struct relay *relay, uint64_t loan);
/* From now on nobody takes it. */
void relay_end(struct relay *relay);

#endif
