/* SPDX-License-Identifier: Apache-2.0 */
#include "server/ticker.h"

#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct ticker {
    uint32_t pause_ms;
    void (*tick)(void *arg);
    void *arg;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop; /* under lock */
};

/* True when it is to go on. */
static bool
ticker_pause(struct ticker *ticker)
{
    struct timespec limit;
    int waited = 0;
    bool stop;

    clock_gettime(CLOCK_MONOTONIC, &limit);
    limit.tv_sec += ticker->pause_ms / 1000;
    limit.tv_nsec += (long)(ticker->pause_ms % 1000) * 1000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    pthread_mutex_lock(&ticker->lock);
    while (!ticker->stop && waited != ETIMEDOUT) {
        waited = pthread_cond_clockwait(&ticker->stopped, &ticker->lock, CLOCK_MONOTONIC, &limit);
    }
    stop = ticker->stop;
    pthread_mutex_unlock(&ticker->lock);
    return !stop;
}

static void *
ticker_run(void *arg)
{
    struct ticker *ticker = arg;

    while (ticker_pause(ticker)) {
        ticker->tick(ticker->arg);
    }
    return NULL;
}

struct ticker *
ticker_new(uint32_t pause_ms, void (*tick)(void *arg), void *arg)
{
    struct ticker *ticker = calloc(1, sizeof *ticker);

    if (ticker == NULL) {
        log_err("no memory for a thread");
        return NULL;
    }
    *ticker = (struct ticker){ .pause_ms = pause_ms, .tick = tick, .arg = arg };
    pthread_mutex_init(&ticker->lock, NULL);
    pthread_cond_init(&ticker->stopped, NULL);
    if (pthread_create(&ticker->thread, NULL, ticker_run, ticker) != 0) {
        log_err("a thread does not start");
        pthread_cond_destroy(&ticker->stopped);
        pthread_mutex_destroy(&ticker->lock);
        free(ticker);
        return NULL;
    }
    return ticker;
}

void
ticker_free(struct ticker *ticker)
{
    if (ticker == NULL) {
        return;
    }
    pthread_mutex_lock(&ticker->lock);
    ticker->stop = true;
    pthread_cond_signal(&ticker->stopped);
    pthread_mutex_unlock(&ticker->lock);
    pthread_join(ticker->thread, NULL);
    pthread_cond_destroy(&ticker->stopped);
    pthread_mutex_destroy(&ticker->lock);
    free(ticker);
}
