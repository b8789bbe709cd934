/* SPDX-License-Identifier: Apache-2.0
 *
 * One look-up at a time: a detached thread that posts its result to the loop. Who is freed
 * meanwhile leaves it to itself; a thread inside getaddrinfo() cannot be called back.
 */
#include "net/resolve.h"

#include "net/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/urgency.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define FOUND_MS 5000u
#define HOST_SIZE 256u

struct lookup {
    atomic_int owners; /* its thread, and whom it posts to */
    pthread_mutex_t lock;
    struct resolver *resolver; /* under lock; NULL: it has gone */
    struct loop *loop;
    char host[HOST_SIZE];
    char found[HOST_SIZE]; /* the address in numbers, empty: none */
    int error;
};

struct resolver {
    struct loop *loop;
    struct lookup *lookup; /* that is on its way */
    char host[HOST_SIZE];
    char found[HOST_SIZE];
    uint64_t found_at;
    bool numeric;
    bool missed; /* and said so */
    void (*done)(void *arg);
    void *arg;
};

static void
lookup_drop(struct lookup *lookup)
{
    if (atomic_fetch_sub(&lookup->owners, 1) == 1) {
        pthread_mutex_destroy(&lookup->lock);
        free(lookup);
    }
}

/* On the loop. */
static void
lookup_ended(void *arg)
{
    struct lookup *lookup = arg;
    struct resolver *resolver = lookup->resolver;

    if (resolver != NULL) {
        resolver->lookup = NULL;
        resolver->found_at = clock_ms(CLOCK_MONOTONIC);
        memcpy(resolver->found, lookup->found, sizeof resolver->found);
        if (lookup->found[0] == '\0' && !resolver->missed) {
            log_wrn("host %s: %s", lookup->host, gai_strerror(lookup->error));
        }
        resolver->missed = lookup->found[0] == '\0';
    }
    lookup_drop(lookup);
    if (resolver != NULL) {
        resolver->done(resolver->arg);
    }
}

static void *
lookup_run(void *arg)
{
    const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
    struct lookup *lookup = arg;
    struct addrinfo *found = NULL;
    bool posted = false;

    lookup->error = getaddrinfo(lookup->host, NULL, &hints, &found);
    if (lookup->error == 0 &&
        getnameinfo(found->ai_addr, found->ai_addrlen, lookup->found, sizeof lookup->found, NULL,
                    0, NI_NUMERICHOST) != 0) {
        lookup->found[0] = '\0';
    }
    if (lookup->error == 0) {
        freeaddrinfo(found);
    }
    /* As long as there is a resolver, there is its loop. */
    for (bool wanted = true; wanted && !posted;) {
        pthread_mutex_lock(&lookup->lock);
        wanted = lookup->resolver != NULL;
        posted = wanted && loop_post(lookup->loop, lookup_ended, lookup);
        pthread_mutex_unlock(&lookup->lock);
        if (wanted && !posted) { /* memory is short */
            nanosleep(&(struct timespec){ 0, 100000000 }, NULL);
        }
    }
    if (!posted) {
        lookup_drop(lookup);
    }
    lookup_drop(lookup);
    return NULL;
}

/* False when there is no thread to be had. */
static bool
lookup_start(struct resolver *resolver)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_t thread;
    int result;

    if (lookup == NULL) {
        return false;
    }
    atomic_init(&lookup->owners, 2);
    pthread_mutex_init(&lookup->lock, NULL);
    lookup->resolver = resolver;
    lookup->loop = resolver->loop;
    memcpy(lookup->host, resolver->host, sizeof lookup->host);
    resolver->lookup = lookup;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    urgency_attributes(&attributes);
    sigfillset(&all); /* signals are the loop's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    result = pthread_create(&thread, &attributes, lookup_run, lookup);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (result != 0) {
        resolver->lookup = NULL;
        lookup_drop(lookup);
        lookup_drop(lookup);
    }
    return result == 0;
}

static bool
is_numeric(const char *host)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST };
    struct addrinfo *found = NULL;
    bool numeric = getaddrinfo(host, NULL, &hints, &found) == 0;

    if (numeric) {
        freeaddrinfo(found);
    }
    return numeric;
}

struct resolver *
resolver_new(struct loop *loop, const char *host, void (*done)(void *arg), void *arg)
{
    struct resolver *resolver = calloc(1, sizeof *resolver);

    if (resolver == NULL) {
        return NULL;
    }
    resolver->loop = loop;
    resolver->done = done;
    resolver->arg = arg;
    snprintf(resolver->host, sizeof resolver->host, "%s", host);
    resolver->numeric = is_numeric(host);
    return resolver;
}

void
resolver_free(struct resolver *resolver)
{
    if (resolver == NULL) {
        return;
    }
    if (resolver->lookup != NULL) {
        pthread_mutex_lock(&resolver->lookup->lock);
        resolver->lookup->resolver = NULL;
        pthread_mutex_unlock(&resolver->lookup->lock);
    }
    free(resolver);
}

bool
resolver_looks(const struct resolver *resolver)
{
    return resolver->lookup != NULL;
}

bool
resolver_knows(const struct resolver *resolver)
{
    return resolver->numeric || (resolver->found[0] != '\0' &&
                                 clock_ms(CLOCK_MONOTONIC) - resolver->found_at < FOUND_MS);
}

int
resolver_connect(struct resolver *resolver, unsigned port)
{
    if (resolver->numeric) {
        return link_connect(resolver->host, port);
    }
    if (resolver_knows(resolver)) {
        return link_connect(resolver->found, port);
    }
    if (resolver->lookup == NULL) {
        (void)lookup_start(resolver);
    }
    return -1;
}
