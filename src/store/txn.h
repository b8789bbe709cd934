/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions as engines see them: the limits that every engine keeps, a copy that outlives
 * the submitter's, and the journal.
 */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "core/ports.h"

/* False, with a line in the log, when a count, a key or a value is over the store's limits. */
MUST_USE bool txn_fits(const struct store_txn *txn);
/* A copy in one piece of memory, released by free(); NULL when memory is short. */
MUST_USE struct store_txn *txn_dup(const struct store_txn *txn);

/* The journal of an engine: where its chain ends, and who makes its records. */
struct journal {
    struct chain end;
    store_entry *entry; /* NULL until the store was given it */
    void *arg;
};

/* A record of the journal: a change like any other, with its bytes. */
struct journal_record {
    struct store_change change;
    struct writer key;
    struct writer value;
    uint8_t key_room[STORE_KEY_MAX];
    uint8_t value_room[2 * CHAIN_RECORD_MAX];
};

/* Moves the end; who does not carry the transaction through puts it back. */
MUST_USE bool journal_make(struct journal *journal, view entry, struct journal_record *record);

#endif
