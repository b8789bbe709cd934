/* SPDX-License-Identifier: Apache-2.0
 *
 * Checking and copying transactions. A copy is one allocation: the record, its two arrays,
 * then the bytes of all keys and values and of the journal's entry.
 */
#include "store/txn.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

static bool
key_fits(view key)
{
    return key.len > 0 && key.len <= STORE_KEY_MAX;
}

bool
txn_fits(const struct store_txn *txn)
{
    bool fits = txn->compare_count <= STORE_TXN_MAX && txn->change_count <= STORE_TXN_MAX &&
                txn->journal.len <= CHAIN_RECORD_MAX;

    for (size_t i = 0; fits && i < txn->compare_count; i++) {
        fits = key_fits(txn->compares[i].key);
    }
    for (size_t i = 0; fits && i < txn->change_count; i++) {
        fits = key_fits(txn->changes[i].key) && txn->changes[i].value.len <= STORE_VALUE_MAX;
    }
    if (!fits) {
        log_err("store: transaction refused: a count, key or value is over the limits");
    }
    return fits;
}

static view
bytes_dup(uint8_t **next, view bytes)
{
    view copy = view_of(*next, bytes.len);

    if (bytes.len > 0) {
        memcpy(*next, bytes.data, bytes.len);
        *next += bytes.len;
    }
    return copy;
}

struct store_txn *
txn_dup(const struct store_txn *txn)
{
    size_t size = sizeof *txn + txn->compare_count * sizeof *txn->compares +
                  txn->change_count * sizeof *txn->changes + txn->journal.len;

    for (size_t i = 0; i < txn->compare_count; i++) {
        size += txn->compares[i].key.len;
    }
    for (size_t i = 0; i < txn->change_count; i++) {
        size += txn->changes[i].key.len + txn->changes[i].value.len;
    }

    struct store_txn *copy = malloc(size);

    if (copy == NULL) {
        return NULL;
    }

    struct store_compare *compares = (struct store_compare *)(copy + 1);
    struct store_change *changes = (struct store_change *)(compares + txn->compare_count);
    uint8_t *next = (uint8_t *)(changes + txn->change_count);

    for (size_t i = 0; i < txn->compare_count; i++) {
        compares[i].key = bytes_dup(&next, txn->compares[i].key);
        compares[i].revision = txn->compares[i].revision;
    }
    for (size_t i = 0; i < txn->change_count; i++) {
        changes[i].key = bytes_dup(&next, txn->changes[i].key);
        changes[i].value = bytes_dup(&next, txn->changes[i].value);
        changes[i].delete = txn->changes[i].delete;
    }
    *copy = (struct store_txn){ compares, txn->compare_count, changes, txn->change_count,
                                bytes_dup(&next, txn->journal) };
    return copy;
}

bool
journal_make(struct journal *journal, view entry, struct journal_record *record)
{
    writer_init_fixed(&record->key, record->key_room, sizeof record->key_room);
    writer_init_fixed(&record->value, record->value_room, sizeof record->value_room);
    if (journal->entry == NULL) {
        log_err("store: not written: nobody is there any more who keeps its journal");
        return false;
    }
    if (!journal->entry(journal->arg, &journal->end, entry, &record->key, &record->value) ||
        !writer_ok(&record->key) || !writer_ok(&record->value)) {
        return false;
    }
    record->change =
        (struct store_change){ writer_view(&record->key), writer_view(&record->value), false };
    return true;
}
