/* SPDX-License-Identifier: Apache-2.0 */
#include "store/etcd_group.h"

#include <stdlib.h>

#define GROUP_NAMES (2 * ETCD_STEPS_MAX + 2)

void
etcd_group_clear(struct etcd_group *group)
{
    for (size_t i = 0; i < group->record_count; i++) {
        free(group->records[i]);
    }
    etcd_txn_free(group->txn);
    free(group->names);
}

static view
group_name(const struct etcd_place *place, struct etcd_group *group, view key)
{
    struct etcd_name *name = group->names + group->name_count++;

    etcd_name_make(place, "k/", key, name);
    return etcd_name_view(name);
}

/* Of several changes of one key the last counts, and etcd takes only one. */
static bool
change_counts(const struct store_txn *txn, size_t at)
{
    for (size_t i = at + 1; i < txn->change_count; i++) {
        if (view_equal(txn->changes[i].key, txn->changes[at].key)) {
            return false;
        }
    }
    return true;
}

static bool
txn_changes(const struct store_txn *txn, view key)
{
    for (size_t i = 0; i < txn->change_count; i++) {
        if (view_equal(txn->changes[i].key, key)) {
            return true;
        }
    }
    return false;
}

/* Compares hold for all of a group at once, so none may look at what an earlier one changes. */
static bool
txn_follows(const struct store_txn *earlier, const struct store_txn *txn)
{
    for (size_t i = 0; i < txn->compare_count; i++) {
        if (txn_changes(earlier, txn->compares[i].key)) {
            return true;
        }
    }
    for (size_t i = 0; i < txn->change_count; i++) {
        if (txn_changes(earlier, txn->changes[i].key)) {
            return true;
        }
    }
    return false;
}

static size_t
txn_bytes(const struct store_txn *txn)
{
    size_t bytes = sizeof(struct journal_record);

    for (size_t i = 0; i < txn->change_count; i++) {
        bytes += txn->changes[i].key.len + txn->changes[i].value.len;
    }
    return bytes;
}

static bool
group_has_room(const struct etcd_group *group, const struct etcd_waiting *first,
               const struct etcd_waiting *s)
{
    size_t steps = size_max(s->txn->compare_count, s->txn->change_count) + 1;

    if (s == first) {
        return true;
    }
    if (group->steps + steps > ETCD_GROUP_STEPS || group->record_count == ETCD_GROUP_STEPS ||
        group->bytes + txn_bytes(s->txn) > STORE_VALUE_MAX) {
        return false;
    }
    for (const struct etcd_waiting *earlier = first; earlier != s; earlier = earlier->next) {
        if (txn_follows(earlier->txn, s->txn)) {
            return false;
        }
    }
    return true;
}

static bool
group_add_journal(const struct etcd_place *place, struct etcd_group *group, view entry)
{
    struct journal_record *record = malloc(sizeof *record);
    view name;

    if (record == NULL || !journal_make(&group->journal, entry, record)) {
        free(record);
        return false;
    }
    group->records[group->record_count++] = record;
    name = group_name(place, group, record->change.key);
    return etcd_txn_compare(group->txn, name, 0) &&
           etcd_txn_put(group->txn, name, record->change.value);
}

static bool
group_add(const struct etcd_place *place, struct etcd_group *group, const struct store_txn *txn)
{
    for (size_t i = 0; i < txn->compare_count; i++) {
        if (!etcd_txn_compare(group->txn, group_name(place, group, txn->compares[i].key),
                              etcd_absolute(place, txn->compares[i].revision))) {
            return false;
        }
    }
    for (size_t i = 0; i < txn->change_count; i++) {
        const struct store_change *change = txn->changes + i;

        if (change_counts(txn, i)) {
            view name = group_name(place, group, change->key);

            if (!(change->delete ? etcd_txn_delete(group->txn, name)
                                 : etcd_txn_put(group->txn, name, change->value))) {
                return false;
            }
        }
    }
    group->steps += size_max(txn->compare_count, txn->change_count) + 1;
    group->bytes += txn_bytes(txn);
    return txn->journal.len == 0 || group_add_journal(place, group, txn->journal);
}

static bool
group_begin(struct etcd_mark *mark, struct etcd_group *group)
{
    const view name = etcd_name_view(&mark->name);

    group->txn = etcd_txn_new();
    group->names = calloc(GROUP_NAMES, sizeof *group->names);
    store_u64(group->number, ++mark->number);
    if (group->txn == NULL || group->names == NULL ||
        !etcd_txn_compare(group->txn, name, mark->revision) ||
        (group->fence.name.len > 0 &&
         !etcd_txn_compare(group->txn, etcd_name_view(&group->fence.name),
                           group->fence.revision)) ||
        !etcd_txn_put(group->txn, name, view_of(group->number, sizeof group->number))) {
        return false;
    }
    etcd_txn_probe(group->txn, name);
    return true;
}

void
etcd_group_make(const struct etcd_place *place, struct etcd_mark *mark,
                const struct etcd_fence *fence, const struct journal *journal,
                const struct etcd_waiting *first, size_t max, struct etcd_group *ret_group)
{
    struct etcd_group *group = ret_group;

    *group = (struct etcd_group){ .journal = *journal, .fence = *fence };
    group->broken = !group_begin(mark, group);
    for (const struct etcd_waiting *s = first; s != NULL && group->count < max; s = s->next) {
        if (!group_has_room(group, first, s)) {
            break;
        }
        group->count++;
        if (group->broken || !group_add(place, group, s->txn)) {
            group->broken = true;
            break;
        }
    }
}
