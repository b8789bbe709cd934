/* SPDX-License-Identifier: Apache-2.0
 *
 * What watchers of a store in memory are told: the changes of all its handles, kept from the
 * first watch on, and for each watcher a thread that tells them.
 */
#ifndef STORE_MEMORY_WATCH_H
#define STORE_MEMORY_WATCH_H

#include "core/ports.h"

#include <pthread.h>

/* Under the lock of the store that it is of. */
struct memory_log {
    bool kept;      /* somebody watches, or did */
    uint64_t first; /* changes after this revision are there */
    struct store_event **events;
    size_t count;
    size_t size;
    pthread_cond_t more;
};

void memory_log_init(struct memory_log *log);
void memory_log_clear(struct memory_log *log);
void memory_log_add(struct memory_log *log, const struct store_change *change, uint64_t revision);

struct memory_watch {
    struct store_watcher watcher;
    pthread_t thread;
    bool running;
    struct memory_log *log;
    pthread_mutex_t *lock;
    const uint64_t *revision;
    bool stop; /* under lock, as all below */
    bool drop;
    bool hold;
    bool lost;
    size_t next;
};

/* From now on a thread tells the watcher what came after that revision, or, where the log does not
 * reach back so far, that something is lost. lock and revision are the store's, borrowed until
 * memory_watch_end(), which waits for the thread. False, logged: it does not start. */
MUST_USE bool memory_watch_start(struct memory_watch *watch, struct memory_log *log,
                                 pthread_mutex_t *lock, const uint64_t *revision, uint64_t after,
                                 const struct store_watcher *watcher);
void memory_watch_end(struct memory_watch *watch);
/* Under the lock, which may be let go meanwhile: from now on changes are told to nobody, or they
 * are again. */
void memory_watch_drop(struct memory_watch *watch, bool drop);

#endif
