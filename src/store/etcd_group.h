/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions that wait, gathered into one of etcd's: under the compares of all of them, and
 * under the writer's mark. Those that look at what an earlier one changes do not go together.
 */
#ifndef STORE_ETCD_GROUP_H
#define STORE_ETCD_GROUP_H

#include "store/etcd_place.h"
#include "store/etcd_txn.h"
#include "store/txn.h"

#define ETCD_GROUP_STEPS 64u

struct etcd_waiting {
    struct etcd_waiting *next;
    struct store_txn *txn;
    store_done *done;
    void *arg;
};

/* A record of this process, whose value is the number of its last transaction. */
struct etcd_mark {
    struct etcd_name name;
    uint64_t revision; /* of etcd; 0 before the first */
    uint64_t number;
};

/* A record that has to be as it was; an empty name: none. */
struct etcd_fence {
    struct etcd_name name;
    uint64_t revision; /* of etcd */
};

struct etcd_group {
    struct etcd_txn *txn;
    size_t count;             /* of transactions that are in it */
    struct journal journal;   /* as it is after them */
    struct etcd_fence fence;
    uint8_t number[8];        /* the mark's value */
    bool broken;              /* the last one cannot be sent */

    struct etcd_name *names;  /* what txn points at */
    size_t name_count;
    struct journal_record *records[ETCD_GROUP_STEPS];
    size_t record_count;
    size_t steps;
    size_t bytes;
};

/* As many from first on as go together, but at most max; at least one. */
void etcd_group_make(const struct etcd_place *place, struct etcd_mark *mark,
                     const struct etcd_fence *fence, const struct journal *journal,
                     const struct etcd_waiting *first, size_t max, struct etcd_group *ret_group);
void etcd_group_clear(struct etcd_group *group);

#endif
