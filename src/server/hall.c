/* SPDX-License-Identifier: Apache-2.0
 *
 * Arrivals become links one at a time, in what the loop has for chores; a link that is
 * up is packed and goes on.
 */
#include "server/hall.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/hosts.h"
#include "net/link.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* So many connections may shake hands at once; a further one takes the place of the oldest, for
 * who means it is done in no time. */
#define GUESTS_MAX 1024u
#define NICE 5

struct guest {
    struct hall *hall;
    struct guest *next; /* the next that came */
    struct guest **at;  /* who points at it */
    struct link *link;  /* NULL: it waits for one */
    struct tls_context *tls; /* until then, as .fd */
    int fd;
    unsigned port;
};

struct hall {
    struct loop *loop;
    struct hosts *hosts;
    hall_passed *passed;
    void *arg;
    pthread_t thread;
    struct guest *first; /* the oldest first */
    struct guest **last;
    struct guest *without; /* of those, the first without a link; NULL: all have one */
    size_t count;
    struct chore linking;
};

static void
guest_free(struct guest *guest)
{
    if (guest->link != NULL) {
        link_free(guest->link);
    } else if (guest->fd >= 0) {
        close(guest->fd);
    }
    tls_context_free(guest->tls);
    free(guest);
}

static void
guest_leave(struct guest *guest)
{
    struct hall *hall = guest->hall;

    if (hall->without == guest) {
        hall->without = guest->next;
    }
    *guest->at = guest->next;
    if (guest->next != NULL) {
        guest->next->at = guest->at;
    } else {
        hall->last = guest->at;
    }
    hall->count--;
    guest_free(guest);
}

static void
guest_up(void *arg, struct link *link)
{
    struct guest *guest = arg;
    struct hall *hall = guest->hall;
    struct sockaddr_storage from;
    struct link_pack pack;

    guest->link = NULL;
    guest->fd = -1;
    link_pack(link, &pack);
    if (link_pack_address(&pack, &from)) {
        hosts_meet(hall->hosts, (const struct sockaddr *)&from, clock_ms(CLOCK_MONOTONIC));
    }
    hall->passed(hall->arg, &pack, guest->port);
    guest_leave(guest);
}

/* It never comes to that: a link hands out no frame before it is up. */
static void
guest_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    UNUSED(link);
    UNUSED(frame);
    UNUSED(body);
    guest_leave(arg);
}

static void
guest_down(void *arg, struct link *link, const char *reason)
{
    log_dbg("%s: no handshake: %s", link_name(link), reason);
    guest_leave(arg);
}

static const struct link_events guest_events = { guest_up, guest_frame, guest_down };

/* The next one without a link gets one. */
static void
hall_link(void *arg)
{
    struct hall *hall = arg;
    struct guest *guest = hall->without;

    if (guest == NULL) {
        return;
    }
    hall->without = guest->next;
    if (hall->without != NULL) {
        loop_chore(hall->loop, &hall->linking);
    }
    guest->link = link_new(hall->loop, guest->fd, guest->tls, true, &guest_events, guest);
    guest->fd = -1;
    if (guest->link == NULL) {
        guest_leave(guest);
    }
}

static void
hall_enter(void *arg)
{
    struct guest *guest = arg;
    struct hall *hall = guest->hall;

    guest->at = hall->last;
    *hall->last = guest;
    hall->last = &guest->next;
    hall->without = hall->without == NULL ? guest : hall->without;
    if (++hall->count > GUESTS_MAX) {
        guest_leave(hall->first);
    }
    loop_chore(hall->loop, &hall->linking);
}

void
hall_take(struct hall *hall, int fd, struct tls_context *tls, unsigned port)
{
    struct guest *guest = calloc(1, sizeof *guest);

    if (guest == NULL) {
        close(fd);
        return;
    }
    *guest = (struct guest){ .hall = hall, .tls = tls_context_ref(tls), .fd = fd, .port = port };
    if (!loop_post(hall->loop, hall_enter, guest)) {
        guest_free(guest);
    }
}

static void *
hall_run(void *arg)
{
    struct hall *hall = arg;
    const struct sched_param none = { 0 };

    pthread_setname_np(pthread_self(), "hall");
    /* It takes nobody's turn when it wakes, and gets less where all is busy. */
    (void)sched_setscheduler(0, SCHED_BATCH, &none);
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICE);
    loop_run(hall->loop);
    return NULL;
}

struct hall *
hall_new(struct hosts *hosts, hall_passed *passed, void *arg)
{
    struct hall *hall = calloc(1, sizeof *hall);

    if (hall == NULL || (hall->loop = loop_new()) == NULL) {
        log_err("no memory for an event loop");
        free(hall);
        return NULL;
    }
    hall->hosts = hosts;
    hall->passed = passed;
    hall->arg = arg;
    hall->last = &hall->first;
    hall->linking.call = hall_link;
    hall->linking.arg = hall;
    if (pthread_create(&hall->thread, NULL, hall_run, hall) != 0) {
        log_err("the thread for handshakes does not start");
        loop_free(hall->loop);
        free(hall);
        return NULL;
    }
    return hall;
}

void
hall_free(struct hall *hall)
{
    if (hall == NULL) {
        return;
    }
    loop_stop(hall->loop);
    pthread_join(hall->thread, NULL);
    while (hall->first != NULL) {
        guest_leave(hall->first);
    }
    loop_free(hall->loop);
    free(hall);
}
