/* SPDX-License-Identifier: Apache-2.0 */
#include "store/memory_watch.h"

#include "base/log.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>

void
memory_log_init(struct memory_log *log)
{
    pthread_cond_init(&log->more, NULL);
}

void
memory_log_clear(struct memory_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->events[i]);
    }
    free(log->events);
    pthread_cond_destroy(&log->more);
}

/* In one piece of memory. */
static struct store_event *
event_new(const struct store_change *change, uint64_t revision)
{
    size_t value_len = change->delete ? 0 : change->value.len;
    struct store_event *event = malloc(sizeof *event + change->key.len + value_len);
    uint8_t *bytes = (uint8_t *)(event + 1);

    if (event == NULL) {
        return NULL;
    }
    memcpy(bytes, change->key.data, change->key.len);
    if (value_len > 0) {
        memcpy(bytes + change->key.len, change->value.data, value_len);
    }
    *event = (struct store_event){ view_of(bytes, change->key.len),
                                   view_of(bytes + change->key.len, value_len), change->delete,
                                   revision };
    return event;
}

/* What cannot be kept for want of memory cannot be told: all who watch have lost it. */
void
memory_log_add(struct memory_log *log, const struct store_change *change, uint64_t revision)
{
    struct store_event *event;

    if (!log->kept) {
        return;
    }
    if (log->count == log->size) {
        size_t size = log->size == 0 ? 64 : log->size * 2;
        struct store_event **events = reallocarray(log->events, size, sizeof *events);

        if (events == NULL) {
            log->first = revision;
            return;
        }
        log->events = events;
        log->size = size;
    }
    event = event_new(change, revision);
    if (event == NULL) {
        log->first = revision;
        return;
    }
    log->events[log->count++] = event;
    pthread_cond_broadcast(&log->more);
}

/* Under the lock, which is let go meanwhile. */
static void
tell_lost(struct memory_watch *watch)
{
    uint64_t revision = *watch->revision;

    watch->lost = false;
    watch->next = watch->log->count;
    pthread_mutex_unlock(watch->lock);
    watch->watcher.lost(watch->watcher.arg);
    watch->watcher.reached(watch->watcher.arg, revision);
    pthread_mutex_lock(watch->lock);
}

static void
tell_next(struct memory_watch *watch)
{
    const struct store_event *event = watch->log->events[watch->next++];
    bool last = watch->next == watch->log->count ||
                watch->log->events[watch->next]->revision != event->revision;
    bool drop = watch->drop;

    pthread_mutex_unlock(watch->lock);
    if (!drop) {
        watch->watcher.change(watch->watcher.arg, event);
        if (last) {
            watch->watcher.reached(watch->watcher.arg, event->revision);
        }
    }
    pthread_mutex_lock(watch->lock);
}

/* What was written before it ends is dropped as well, however far behind the thread is. */
void
memory_watch_drop(struct memory_watch *watch, bool drop)
{
    while (!drop && watch->running && !watch->hold && watch->next < watch->log->count) {
        pthread_mutex_unlock(watch->lock);
        sched_yield();
        pthread_mutex_lock(watch->lock);
    }
    watch->drop = drop;
}

static void *
watch_run(void *arg)
{
    struct memory_watch *watch = arg;

    pthread_mutex_lock(watch->lock);
    while (!watch->stop) {
        if (watch->lost && !watch->hold) {
            tell_lost(watch);
        } else if (watch->next < watch->log->count && !watch->hold) {
            tell_next(watch);
        } else {
            pthread_cond_wait(&watch->log->more, watch->lock);
        }
    }
    pthread_mutex_unlock(watch->lock);
    return NULL;
}

bool
memory_watch_start(struct memory_watch *watch, struct memory_log *log, pthread_mutex_t *lock,
                   const uint64_t *revision, uint64_t after, const struct store_watcher *watcher)
{
    watch->watcher = *watcher;
    watch->log = log;
    watch->lock = lock;
    watch->revision = revision;
    pthread_mutex_lock(lock);
    if (!log->kept) {
        log->kept = true;
        log->first = *revision;
    }
    watch->stop = false;
    watch->lost = watch->lost || after < log->first;
    watch->next = 0;
    while (watch->next < log->count && log->events[watch->next]->revision <= after) {
        watch->next++;
    }
    watch->running = pthread_create(&watch->thread, NULL, watch_run, watch) == 0;
    pthread_mutex_unlock(lock);
    if (!watch->running) {
        log_err("store: the watcher's thread does not start");
    }
    return watch->running;
}

void
memory_watch_end(struct memory_watch *watch)
{
    if (!watch->running) {
        return;
    }
    pthread_mutex_lock(watch->lock);
    watch->stop = true;
    pthread_cond_broadcast(&watch->log->more);
    pthread_mutex_unlock(watch->lock);
    pthread_join(watch->thread, NULL);
    watch->running = false;
}
