/* SPDX-License-Identifier: Apache-2.0
 *
 * What link.c (life of a link), link_io.c (its bytes) and mailroom.c (whose mailbox is whose) share;
 * nothing else in src includes this.
 */
#ifndef NET_LINK_PRIVATE_H
#define NET_LINK_PRIVATE_H

#include "net/link.h"
#include "net/mailroom.h"
#include "net/tls_private.h"
#include "wire/mailbox.h"

#include <event2/event.h>

struct link {
    struct loop *loop;
    int fd;
    SSL *ssl;
    struct tls_context *tls;
    const struct link_events *events;
    void *arg;
    struct event *readable;
    struct event *writable;
    struct event *flush;   /* activated by hand, runs at the end of the round */
    struct timer *limit;   /* of the handshake; of the last words */
    struct timer *patience; /* runs while a frame is there in part */
    struct timer *warmth;  /* runs while TLS keeps its buffers (link_io.c) */
    uint64_t warm_second;  /* reads in it, counted while TLS does not */
    unsigned warm_reads;
    uint64_t warm_frames;  /* .frames when its second began */
    bool warm_buffer;      /* there was a read since it runs */
    uint8_t *input;
    size_t input_len;
    size_t input_size;
    uint64_t frames;       /* handed out so far */
    uint64_t patience_for; /* .frames when patience began */
    uint32_t body_max;
    struct writer output;
    size_t output_sent;
    int passed[LINK_PASS_MAX]; /* descriptors that go with the next bytes */
    size_t passed_count;
    size_t output_high;    /* held from there on; 0: never */
    char name[LINK_NAME_SIZE];
    struct chore chore;    /* its next step, while it has sent no frame */
    int awaited;           /* bytes of the first record that the kernel waits for */
    bool late;             /* its limit is over */
    struct mailroom *room; /* of its mailbox; NULL: it has none */
    uint32_t box_number;
    struct mailbox *box;
    bool boxed;            /* the request that is under way came there */
    bool connecting;
    bool up;
    bool down;
    bool paused;           /* by the owner */
    bool held;             /* the peer does not fetch its output */
    bool freed;
    unsigned busy;         /* events on the stack */
};

/* Ends the link and says so, once. */
void link_fail(struct link *link, const char *reason);
/* Which events it waits for. */
void link_want(struct link *link, bool write);
/* Sends what it can. */
void link_write(struct link *link);
/* Reads what is there and hands it out. */
void link_read(struct link *link);
void link_input_free(struct link *link);
/* This mailbox is its own from now on. */
void link_box(struct link *link, struct mailroom *room, uint32_t number, struct mailbox *box);
/* A request waits there. */
void link_boxed(struct link *link);
/* The same, inside an event. */
void link_unbox(struct link *link);

static inline bool
link_is_over(const struct link *link)
{
    return link->down || link->freed;
}

static inline bool
link_reads(const struct link *link)
{
    return !link->paused && !link->held;
}

#endif
