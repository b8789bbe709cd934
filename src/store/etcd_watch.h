/* SPDX-License-Identifier: Apache-2.0
 *
 * Changes of the store as etcd tells them: one stream, and a thread that reads it. A stream that
 * ends, or in which nothing is heard for a while, is begun anew at the next endpoint, after the
 * last revision that was told in full.
 */
#ifndef STORE_ETCD_WATCH_H
#define STORE_ETCD_WATCH_H

#include "store/etcd_place.h"
#include "store/etcd_txn.h"

#include <pthread.h>

/* Nothing for so long: the stream may be dead. Nodes of a cluster write each second. */
#define ETCD_WATCH_IDLE_MS 2500u

struct etcd_watch {
    struct etcd_place *place;
    struct grpc *grpc; /* the thread's alone */
    struct store_watcher watcher;
    pthread_t thread;
    bool running;
    atomic_bool stop;  /* of the connection, too */
    uint64_t reached;  /* of etcd; the thread's alone, as all below */
    bool lost;         /* etcd does not have what comes next any more */
};

/* grpc's stop is watch->stop, and it is taken over. after: the store's. False: logged. */
MUST_USE bool etcd_watch_start(struct etcd_watch *watch, struct etcd_place *place,
                               struct grpc *grpc, uint64_t after,
                               const struct store_watcher *watcher);
void etcd_watch_end(struct etcd_watch *watch);

/* One message of the stream. Views point into its memory. */
struct etcd_news {
    uint64_t cluster;
    uint64_t revision;  /* of the etcd member that tells */
    uint64_t compacted; /* what was asked for is older than this and is gone; 0: it is there */
    bool canceled;
    bool partial;       /* the next message goes on with it, perhaps within a revision */
    const char *reason;
    size_t count;
    struct etcd_news_event {
        struct etcd_record record;
        bool deleted;
    } *events;
    void *memory;
};
MUST_USE bool etcd_news_read(view message, struct etcd_news *ret_news);
void etcd_news_clear(struct etcd_news *news);

#endif
