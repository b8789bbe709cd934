/* SPDX-License-Identifier: Apache-2.0
 *
 * Transactions in etcd's words: built step by step, sent, and their answers read. Keys are given
 * as they are in etcd, with the prefix. Formats: etcd.proto.
 */
#ifndef STORE_ETCD_TXN_H
#define STORE_ETCD_TXN_H

#include "store/grpc.h"

#define ETCD_STEPS_MAX 128u                  /* etcd's own limit, unless it was set otherwise */
#define ETCD_TXN_BYTES_MAX (1024u * 1024u)   /* etcd takes 1.5 MiB */

struct etcd_txn;

/* NULL: memory is short. */
struct etcd_txn *etcd_txn_new(void);
void etcd_txn_free(struct etcd_txn *txn);
/* The record's revision is that (0: it is not there). What views point at must stay; the same
 * holds below. False: there are too many. */
MUST_USE bool etcd_txn_compare(struct etcd_txn *txn, view key, uint64_t revision);
MUST_USE bool etcd_txn_put(struct etcd_txn *txn, view key, view value);
MUST_USE bool etcd_txn_delete(struct etcd_txn *txn, view key);
/* Where a compare does not hold, this record is read. */
void etcd_txn_probe(struct etcd_txn *txn, view key);

/* A record that was read; key and value are borrowed from who read it. */
struct etcd_record {
    view key;
    view value;
    uint64_t revision; /* of its last change; 0: it is not there */
};

struct etcd_answer {
    uint64_t cluster;
    uint64_t revision;         /* of the whole etcd */
    bool held;                 /* all compares did */
    struct etcd_record probed; /* where one did not */
    void *memory;              /* what views point at */
};
void etcd_answer_clear(struct etcd_answer *answer);

/* One transaction, as grpc_call(); *ret_answer is to be cleared after GRPC_OK only. */
MUST_USE enum grpc_result etcd_txn_run(struct grpc *grpc, const struct etcd_txn *txn,
                                       uint32_t timeout_ms, struct etcd_answer *ret_answer);
/* An answer's bytes; false: they are none. Released by etcd_answer_clear() in either case. */
MUST_USE bool etcd_answer_read(view message, struct etcd_answer *ret_answer);

/* Records from a key up to an end (empty: the one of that key) at a revision (0: now). */
struct etcd_range {
    view key;
    view end;
    uint32_t limit;
    uint64_t revision;
    bool keys_only;
};

struct etcd_records {
    uint64_t cluster;
    uint64_t revision;
    size_t count;
    struct etcd_record *records; /* in the order of keys */
    bool more;                   /* than the limit */
    void *memory;
};
void etcd_records_clear(struct etcd_records *records);

/* As grpc_call(); *ret_records are to be cleared after GRPC_OK only. */
MUST_USE enum grpc_result etcd_range_run(struct grpc *grpc, const struct etcd_range *range,
                                         uint32_t timeout_ms, struct etcd_records *ret_records);
/* Of an answer's bytes; false: they are none. Released by etcd_records_clear() in either case. */
MUST_USE bool etcd_records_read(view message, struct etcd_records *ret_records);

#endif
