/* SPDX-License-Identifier: Apache-2.0
 *
 * libevent underneath: readiness, timers and signals. Posted work goes through a list under
 * a lock and an eventfd, so one wake-up serves many posts.
 */
#include "net/loop.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/urgency.h"

#include <event2/event.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define CHORES_US 200u /* of each round */
#define LINGER_US 60u
#define LINGER_TRUST_MAX 8u
#define LINGER_LOSS 2u  /* of trust, for a look in vain */
#define LINGER_TRY 64u  /* without trust, one of so many lingers all the same */

struct loop {
    struct event_base *base;
    struct event *work; /* there are chores */
    struct chore *chores;
    struct chore **chores_last;
    struct looker *lookers;
    struct looker *looker_next; /* whose turn is next, while they have it */
    struct event *wake;
    int wake_fd;
    pthread_mutex_t lock;
    struct post *first; /* under lock */
    struct post **last; /* under lock */
    bool stop;          /* under lock */
    bool over;
    unsigned more_us;      /* see loop_give_way(); 0: it does not */
    bool heard;            /* something came since the last look */
    uint64_t linger_until; /* microseconds; 0: it sleeps when there is nothing to do */
    unsigned linger_trust;
    unsigned linger_not;   /* how often it did not, for want of trust */
};

struct timer {
    struct event *event;
    void (*call)(void *arg);
    void *arg;
};

struct signal_watch {
    struct event *event;
    void (*call)(void *arg);
    void *arg;
};

static void
loop_wake(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    struct post *posts;
    bool stop;

    UNUSED(fd);
    UNUSED(what);
    pthread_mutex_lock(&loop->lock);
    posts = loop->first;
    loop->first = NULL;
    loop->last = &loop->first;
    stop = loop->stop;
    loop->stop = false;
    pthread_mutex_unlock(&loop->lock);
    while (posts != NULL) {
        const struct post post = *posts;

        if (post.own) {
            free(posts);
        }
        posts = post.next;
        post.call(post.arg);
    }
    if (stop) {
        loop->over = true;
        event_base_loopbreak(loop->base);
    }
}

uint64_t
loop_second(const struct loop *loop)
{
    struct timeval now;

    return event_base_gettimeofday_cached(loop->base, &now) == 0 ? (uint64_t)now.tv_sec : 0;
}

/* ---- chores ---- */

static void
loop_chores(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    const uint64_t end = clock_us(CLOCK_MONOTONIC) + CHORES_US;

    UNUSED(fd);
    UNUSED(what);
    while (loop->chores != NULL) {
        struct chore *chore = loop->chores;

        loop_chore_drop(loop, chore);
        chore->call(chore->arg);
        if (clock_us(CLOCK_MONOTONIC) >= end) {
            break;
        }
    }
    if (loop->chores != NULL) {
        const struct timeval at_once = { 0, 0 };

        /* By a timer, which waits for the next look at the sockets; event_active() does not. */
        event_add(loop->work, &at_once);
    }
}

void
loop_chore(struct loop *loop, struct chore *chore)
{
    if (chore->at != NULL) {
        return;
    }
    chore->next = NULL;
    chore->at = loop->chores_last;
    *loop->chores_last = chore;
    loop->chores_last = &chore->next;
    if (loop->chores == chore) {
        const struct timeval at_once = { 0, 0 };

        event_add(loop->work, &at_once);
    }
}

void
loop_chore_drop(struct loop *loop, struct chore *chore)
{
    if (chore->at == NULL) {
        return;
    }
    *chore->at = chore->next;
    if (chore->next != NULL) {
        chore->next->at = chore->at;
    } else {
        loop->chores_last = chore->at;
    }
    chore->at = NULL;
}

/* ---- lookers ---- */

void
loop_look(struct loop *loop, struct looker *looker)
{
    if (looker->at != NULL) {
        return;
    }
    looker->next = loop->lookers;
    looker->at = &loop->lookers;
    if (looker->next != NULL) {
        looker->next->at = &looker->next;
    }
    loop->lookers = looker;
}

void
loop_look_not(struct loop *loop, struct looker *looker)
{
    if (looker->at == NULL) {
        return;
    }
    if (loop->looker_next == looker) {
        loop->looker_next = looker->next;
    }
    *looker->at = looker->next;
    if (looker->next != NULL) {
        looker->next->at = looker->at;
    }
    looker->at = NULL;
}

/* Any of them may take itself or others off meanwhile. */
static bool
loop_looks(struct loop *loop, bool last)
{
    bool found = false;

    loop->looker_next = loop->lookers;
    while (loop->looker_next != NULL) {
        struct looker *looker = loop->looker_next;

        loop->looker_next = looker->next;
        found = looker->call(looker->arg, last) || found;
    }
    return found;
}

/* ---- lingering ---- */

void
loop_linger(struct loop *loop)
{
    if (loop->linger_trust == 0 && ++loop->linger_not % LINGER_TRY != 0) {
        return;
    }
    loop->linger_until = clock_us(CLOCK_MONOTONIC) + LINGER_US;
    loop->heard = false;
}

void
loop_hear(struct loop *loop)
{
    loop->heard = true;
}

/* Is it to look again without sleeping? */
static bool
loop_lingers(struct loop *loop)
{
    if (loop->linger_until == 0) {
        return false;
    }
    if (loop->heard) {
        loop->linger_trust += loop->linger_trust < LINGER_TRUST_MAX;
        loop->linger_until = 0;
    } else if (clock_us(CLOCK_MONOTONIC) >= loop->linger_until) {
        loop->linger_trust -= (unsigned)size_min(loop->linger_trust, LINGER_LOSS);
        loop->linger_until = 0;
    }
    return loop->linger_until != 0;
}

struct loop *
loop_new(void)
{
    struct loop *loop = calloc(1, sizeof *loop);

    if (loop == NULL) {
        return NULL;
    }
    loop->last = &loop->first;
    loop->chores_last = &loop->chores;
    loop->linger_trust = LINGER_TRUST_MAX;
    pthread_mutex_init(&loop->lock, NULL);
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->base = event_base_new();
    if (loop->wake_fd < 0 || loop->base == NULL) {
        goto fail;
    }
    /* Each write is an edge, so the counter is not read: it does not come to its end. */
    loop->wake = event_new(loop->base, loop->wake_fd, EV_READ | EV_PERSIST | EV_ET, loop_wake,
                           loop);
    loop->work = evtimer_new(loop->base, loop_chores, loop);
    if (loop->wake == NULL || loop->work == NULL || event_add(loop->wake, NULL) != 0) {
        goto fail;
    }
    return loop;
fail:
    loop_free(loop);
    return NULL;
}

void
loop_free(struct loop *loop)
{
    if (loop == NULL) {
        return;
    }
    while (loop->first != NULL) {
        struct post *post = loop->first;

        loop->first = post->next;
        if (post->own) {
            free(post);
        }
    }
    if (loop->wake != NULL) {
        event_free(loop->wake);
    }
    if (loop->work != NULL) {
        event_free(loop->work);
    }
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    if (loop->wake_fd >= 0) {
        close(loop->wake_fd);
    }
    pthread_mutex_destroy(&loop->lock);
    free(loop);
}

struct event_base *
loop_base(struct loop *loop)
{
    return loop->base;
}

void
loop_give_way(struct loop *loop, unsigned more_us)
{
    loop->more_us = more_us;
}

bool
loop_turn(struct loop *loop)
{
    const bool goes_on = loop_looks(loop, false) || loop_lingers(loop) || loop_looks(loop, true);
    const int look = goes_on ? EVLOOP_NONBLOCK : EVLOOP_ONCE;

    if (event_base_loop(loop->base, look | EVLOOP_NO_EXIT_ON_EMPTY) < 0) {
        log_err("an event loop failed");
        return false;
    }
    return !loop->over;
}

void
loop_run(struct loop *loop)
{
    struct urgency urgency;

    urgency_start(&urgency, loop->more_us);
    loop->over = false;
    while (loop_turn(loop)) {
        if (loop->more_us > 0) {
            urgency_look(&urgency);
        }
    }
}

static void
loop_poke(struct loop *loop)
{
    const uint64_t one = 1;

    if (write(loop->wake_fd, &one, sizeof one) < 0) {
        return; /* the counter is full: it is awake already */
    }
}

void
loop_stop(struct loop *loop)
{
    pthread_mutex_lock(&loop->lock);
    loop->stop = true;
    pthread_mutex_unlock(&loop->lock);
    loop_poke(loop);
}

void
loop_settle(struct loop *loop)
{
    loop_wake(-1, 0, loop);
}

static void
loop_put(struct loop *loop, struct post *post)
{
    bool first;

    pthread_mutex_lock(&loop->lock);
    first = loop->first == NULL;
    *loop->last = post;
    loop->last = &post->next;
    pthread_mutex_unlock(&loop->lock);
    if (first) {
        loop_poke(loop);
    }
}

void
loop_post_in(struct loop *loop, struct post *post, void (*call)(void *arg), void *arg)
{
    *post = (struct post){ .call = call, .arg = arg };
    loop_put(loop, post);
}

bool
loop_post(struct loop *loop, void (*call)(void *arg), void *arg)
{
    struct post *post = malloc(sizeof *post);

    if (post == NULL) {
        return false;
    }
    *post = (struct post){ .call = call, .arg = arg, .own = true };
    loop_put(loop, post);
    return true;
}

static void
timer_fire(evutil_socket_t fd, short what, void *arg)
{
    struct timer *timer = arg;

    UNUSED(fd);
    UNUSED(what);
    timer->call(timer->arg);
}

struct timer *
timer_new(struct loop *loop, unsigned interval_ms, bool repeat, void (*call)(void *arg), void *arg)
{
    struct timer *timer = calloc(1, sizeof *timer);
    const struct timeval interval = { interval_ms / 1000,
                                      (suseconds_t)(interval_ms % 1000) * 1000 };

    if (timer == NULL) {
        return NULL;
    }
    timer->call = call;
    timer->arg = arg;
    timer->event =
        event_new(loop->base, -1, (short)(repeat ? EV_PERSIST : 0), timer_fire, timer);
    if (timer->event == NULL || event_add(timer->event, &interval) != 0) {
        timer_free(timer);
        return NULL;
    }
    return timer;
}

void
timer_free(struct timer *timer)
{
    if (timer == NULL) {
        return;
    }
    if (timer->event != NULL) {
        event_free(timer->event);
    }
    free(timer);
}

static void
signal_fire(evutil_socket_t fd, short what, void *arg)
{
    struct signal_watch *watch = arg;

    UNUSED(fd);
    UNUSED(what);
    watch->call(watch->arg);
}

struct signal_watch *
signal_watch_new(struct loop *loop, int number, void (*call)(void *arg), void *arg)
{
    struct signal_watch *watch = calloc(1, sizeof *watch);

    if (watch == NULL) {
        return NULL;
    }
    watch->call = call;
    watch->arg = arg;
    watch->event = evsignal_new(loop->base, number, signal_fire, watch);
    if (watch->event == NULL || event_add(watch->event, NULL) != 0) {
        signal_watch_free(watch);
        return NULL;
    }
    return watch;
}

void
signal_watch_free(struct signal_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    if (watch->event != NULL) {
        event_free(watch->event);
    }
    free(watch);
}
