/* SPDX-License-Identifier: Apache-2.0
 *
 * Replies that are kept: a `once` request that comes again, because its reply was lost with
 * a connection, gets the reply of the first time and has no second effect. What wrote the
 * store keeps its reply there in the same transaction, under r/<context>/<number>, so that
 * a restart of the node does not forget it; the rest is kept in memory alone.
 *
 * A context tells with its requests which of them are settled, that is, no longer waited for
 * (frame_settled()). Their replies go: from memory at once, from the store with the context's
 * next transaction. A settled request that comes again is refused, for its reply is not known
 * any more. What is never settled goes after REPLY_LIFE_MS.
 */
#ifndef CORE_REPLIES_H
#define CORE_REPLIES_H

#include "core/reply.h"

#include <pthread.h>

#define REPLY_LIFE_MS (10u * 60u * 1000u)
/* Where other nodes write, too, a settled one stays so long: the request may have been asked of two
 * nodes, and the slower one, which is stopped or hangs on the store, must find it taken whenever
 * it goes on. */
#define REPLY_REST_MS (60u * 1000u)

struct kept_reply;
struct reply_owner;

/* Records of settled replies that one transaction takes along. */
#define REPLIES_OVER_MAX 8u

/* A request that is being handled, on its handler's stack. */
struct reply_run {
    struct reply_run *next;      /* under lock */
    const struct reply_key *key;
    struct reply_owner *owner;   /* NULL: memory was short, and nothing can be kept */
    bool failed;                 /* under lock: nobody need wait for it */
    CK_RV refused;               /* as the first time, where that was so */
    struct kept_reply *room;     /* for its reply; what has happened can then be kept */
    struct kept_reply *over;     /* settled ones whose records its transaction removes */
};

struct replies {
    pthread_mutex_t lock;
    struct kept_reply **buckets; /* under lock */
    struct reply_owner **owners; /* under lock: buckets, too */
    size_t count;                /* under lock: of replies that are kept */
    struct reply_run *runs;      /* under lock */
    pthread_cond_t ended;        /* a run did */
};

MUST_USE bool replies_init(struct replies *replies);
void replies_clear(struct replies *replies);

/* Appends the kept body to out; false when there is none for that key. */
bool replies_find(struct replies *replies, const struct reply_key *key, struct writer *out);

enum reply_state {
    REPLY_NEW,    /* it counts as being handled from now on, until replies_leave() */
    REPLY_KEPT,   /* the first time's was appended to out */
    REPLY_REFUSED, /* the first time it was refused with run->refused */
    REPLY_SETTLED /* nobody waits for it, and what it did is not known any more */
};
/* settled: see frame_settled(). */
enum reply_state replies_enter(struct replies *replies, struct reply_run *run,
                               const struct reply_key *key, uint64_t settled,
                               struct writer *out);
void replies_leave(struct replies *replies, struct reply_run *run);
/* Makes room for a body of that length; false when memory is short. Before anything happens. */
MUST_USE bool replies_room(struct reply_run *run, size_t len);
/* Keeps the run's body (of a reply with CKR_OK). at: clock.wall. stored: it has a record too. A
 * body without room is lost, and a repeat runs again. */
void replies_keep_run(struct replies *replies, struct reply_run *run, uint64_t at, bool stored,
                      view body);
/* The same of a refusal that counts, as that of a wrong password does: who repeats the request
 * makes no other attempt. */
void replies_keep_refusal(struct replies *replies, struct reply_run *run, uint64_t at, CK_RV code);
/* The refusal of that request; CKR_OK: none is kept. */
CK_RV replies_refusal(struct replies *replies, const struct reply_key *key);
/* Settled requests of its context, kept then or before, whose records are to be removed with what
 * it writes itself; at most REPLIES_OVER_MAX. They come again if
 * replies_over_done() is not called. */
size_t replies_over(struct replies *replies, struct reply_run *run, uint64_t before,
                    struct reply_key keys[REPLIES_OVER_MAX]);
void replies_over_done(struct reply_run *run);
/* What its context has settled, as the record of its reply tells it. */
uint64_t replies_settled(struct replies *replies, const struct reply_run *run);
/* After a failure: is the same request being handled by another thread, whose reply may come? */
bool replies_has_twin(struct replies *replies, struct reply_run *run);
/* Waits until it has ended, a moment at most. */
void replies_await_twin(struct replies *replies, struct reply_run *run);

/* Is it kept, whatever its operation, or settled? */
bool replies_knows(struct replies *replies, const struct reply_key *key);
/* Keeps the body of a record that was found at the start. False: memory is short. */
MUST_USE bool replies_load(struct replies *replies, const struct reply_key *key, uint64_t at,
                           uint64_t settled, view body);
/* What it tells of was taken back: it has an empty body from now on, where it is kept. */
void replies_void(struct replies *replies, const struct reply_key *key);
/* Another node has removed its record: whatever its operation, it is settled. */
void replies_forget(struct replies *replies, const struct reply_key *key);
/* Forgets those kept before; gone is called for each that has a record. */
void replies_sweep(struct replies *replies, uint64_t before,
                   void (*gone)(void *arg, const struct reply_key *key), void *arg);

#endif
