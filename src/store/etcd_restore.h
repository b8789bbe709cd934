/* SPDX-License-Identifier: Apache-2.0
 *
 * The records of a store put into an etcd in place of what is there: the same store (its id and
 * counters go on; revisions begin anew), in another place. What is cut short is done anew from the
 * beginning; until it is done nobody else opens the store.
 */
#ifndef STORE_ETCD_RESTORE_H
#define STORE_ETCD_RESTORE_H

#include "store/etcd.h"

/* settings->restores is not looked at. Leaves out which nodes there were, for those are others.
 * False, with a line in the log. */
MUST_USE bool etcd_restore(const struct etcd_settings *settings, struct entropy *entropy,
                           struct store *from);

#endif
