/* SPDX-License-Identifier: Apache-2.0
 *
 * An event loop: one thread's libevent base, timers, and a queue into which other threads
 * post work. Loops share nothing; a link belongs to one loop.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include "base/base.h"

struct event_base;
struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *loop);
struct event_base *loop_base(struct loop *loop);

/* The clock's second as of this round's beginning. On the loop's thread. */
uint64_t loop_second(const struct loop *loop);

/* Before it runs: its thread is to be of low urgency, as long as it does not wait longer for its
 * turns than twice what is usual and more_us (base/urgency.h). */
void loop_give_way(struct loop *loop, unsigned more_us);
/* Runs until loop_stop(), which may have been called before. Each of those ends one run. */
void loop_run(struct loop *loop);
/* One round of it. Several threads may do that in turn, if no two are there at once. False: it was
 * stopped. */
MUST_USE bool loop_turn(struct loop *loop);
/* From any thread. What was posted before is still run. */
void loop_stop(struct loop *loop);
/* Nobody runs it any more, nor posts: what was posted since it was stopped is run,
 * on the calling thread. */
void loop_settle(struct loop *loop);

/*
 * What follows is likely to come within microseconds: before it sleeps again the loop looks for it,
 * 60 us at most, for a processor that sleeps is woken for more than that. A loop that looked in
 * vain does so more and more seldom. On the loop's thread.
 */
void loop_linger(struct loop *loop);
/* It came. */
void loop_hear(struct loop *loop);

/*
 * Somebody who is not to be heard of by a descriptor: call(arg, false) in each round before the
 * descriptors' turn, and call(arg, true) before the loop sleeps, as long as it is on the list. True:
 * there was something, and the loop does not sleep. On the loop's thread; call may take itself off.
 */
struct looker {
    struct looker *next;
    struct looker **at; /* who points at it; NULL: it is not on the list */
    bool (*call)(void *arg, bool last);
    void *arg;
};
void loop_look(struct loop *loop, struct looker *looker);
void loop_look_not(struct loop *loop, struct looker *looker);

/* Runs call(arg) on the loop's thread, in the order of posting. From any thread. False when
 * memory is short: then it will not run. */
MUST_USE bool loop_post(struct loop *loop, void (*call)(void *arg), void *arg);
/* The same with memory of the caller's, which has to stay until call begins. */
struct post {
    struct post *next;
    void (*call)(void *arg);
    void *arg;
    bool own; /* of the loop */
};
void loop_post_in(struct loop *loop, struct post *post, void (*call)(void *arg), void *arg);

/*
 * Work that can wait: in each round of the loop a little of it is done, the oldest first, after
 * the round's events; so thousands of newcomers do not hold up those whose requests are there.
 * The item lives in what it is about; call and arg are set by its owner. On the loop's thread.
 */
struct chore {
    struct chore *next;
    struct chore **at; /* who points at it; NULL: it does not wait */
    void (*call)(void *arg);
    void *arg;
};
/* One that waits already stays where it is. */
void loop_chore(struct loop *loop, struct chore *chore);
void loop_chore_drop(struct loop *loop, struct chore *chore);

/* A repeated or single timer on the loop's own thread; NULL when memory is short. */
struct timer;
struct timer *timer_new(struct loop *loop, unsigned interval_ms, bool repeat,
                        void (*call)(void *arg), void *arg);
void timer_free(struct timer *timer);

/* SIGTERM and the like, delivered on the loop. */
struct signal_watch;
struct signal_watch *signal_watch_new(struct loop *loop, int number, void (*call)(void *arg),
                                      void *arg);
void signal_watch_free(struct signal_watch *watch);

#endif
