/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes that came late: a transaction whose end nobody could wait for, as the disk hung, may have
 * happened all the same. Where other nodes write, too, it is told like theirs (follow.h). Where
 * this node is alone it is kept here, and taken into the tables when it has ended; else they would
 * be behind the store until the next start, and what was changed could not be changed again.
 */
#ifndef CORE_LATES_H
#define CORE_LATES_H

#include "core/ports.h"

#include <pthread.h>

struct hsm;
struct late;

struct lates {
    pthread_mutex_t lock;
    struct late *first; /* under lock, as last: in the order in which they were submitted */
    struct late **last;
};

MUST_USE bool lates_init(struct lates *lates);
void lates_clear(struct lates *lates);
/* Takes it over. */
void lates_take(struct lates *lates, struct store_late *txn);
/* Those that have ended go into the tables. Takes the lock for changes, and hsm->lock. */
void lates_settle(struct hsm *hsm);

#endif
