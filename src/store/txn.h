/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions as engines see them: the limits that every engine keeps, and a copy that
 * outlives the submitter's.
 */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "core/ports.h"

/* False, with a line in the log, when a count, a key or a value is over the store's limits. */
MUST_USE bool txn_fits(const struct store_txn *txn);
/* A copy in one piece of memory, released by free(); NULL when memory is short. */
MUST_USE struct store_txn *txn_dup(const struct store_txn *txn);

#endif
