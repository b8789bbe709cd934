/* SPDX-License-Identifier: Apache-2.0
 *
 * The thread that writes: what waits goes to etcd in groups; where a group's compares do not
 * hold, each of it goes alone. A transaction whose answer was lost is sent again, and the mark
 * tells whether it has happened, so it happens once.
 */
#ifndef STORE_ETCD_WRITER_H
#define STORE_ETCD_WRITER_H

#include "store/etcd_group.h"

#include <pthread.h>

struct etcd_writer {
    struct etcd_place *place;
    struct grpc *grpc;     /* the thread's alone, as mark is */
    struct etcd_mark mark;
    uint64_t usual_ms;     /* that an answer takes, as mark */
    pthread_t thread;

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    struct etcd_waiting *first; /* under queue_lock, as the two below */
    struct etcd_waiting **last;
    bool closing;

    pthread_mutex_t journal_lock;
    struct journal journal; /* under journal_lock; as far as it was acknowledged */
    struct etcd_fence fence; /* under journal_lock */
};

/* Takes the connection over. False, with a line in the log: it did not start, and nothing has to
 * be ended. */
MUST_USE bool etcd_writer_start(struct etcd_writer *writer, struct etcd_place *place,
                                struct grpc *grpc, struct entropy *entropy);
/* Ends what waits, and the thread; stops the place if etcd does not answer. */
void etcd_writer_end(struct etcd_writer *writer);

/* As in struct store. */
void etcd_writer_submit(struct etcd_writer *writer, const struct store_txn *txn, store_done *done,
                        void *arg);
void etcd_writer_journal(struct etcd_writer *writer, const struct journal *journal);
void etcd_writer_fence(struct etcd_writer *writer, view key, uint64_t revision);
void etcd_writer_journal_end(struct etcd_writer *writer, struct chain *ret_end);

#endif
