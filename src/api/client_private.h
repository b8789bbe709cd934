/* SPDX-License-Identifier: Apache-2.0
 *
 * A client from inside: what its connections (client.c) and the calls on them (call.c) share.
 */
#ifndef API_CLIENT_PRIVATE_H
#define API_CLIENT_PRIVATE_H

#include "api/appcfg.h"
#include "api/call.h"
#include "api/open.h"
#include "api/page.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/un.h>

#define CLIENT_TICKET_MAX 256u
#define CLIENT_TRUST_MAX 64u

struct connection;

enum linger_for {
    LINGER_QUICK, /* what is done at once */
    LINGER_DISK,  /* what waits for a disk, or is slow */
    LINGER_KINDS
};

/* What looking for a reply instead of sleeping has been worth. */
struct lingering {
    _Atomic unsigned trust;
    _Atomic unsigned not_tried; /* requests, for want of trust */
};

struct client {
    enum interface interface;
    /* Names the context to the daemon. No struct secret: those share a lock, which another
     * thread may have held when a fork made the child that abandons us. */
    uint8_t key[FRAME_CONTEXT_LEN];
    struct sockaddr_un address;
    struct appcfg_storage storage;
    _Atomic uint64_t requests;
    _Atomic uint64_t revision;
    _Atomic bool local;       /* a node has something of ours in its memory */
    _Atomic bool unreachable; /* the daemon was waited for in vain */
    pthread_mutex_t lock;
    struct open_requests open; /* under lock */
    struct pages pages; /* taken under lock */
    struct mail *mail;       /* under lock: the memory of the last mailbox that came; NULL: none */
    struct connection *idle; /* under lock */
    size_t idle_count;       /* under lock */
    _Atomic size_t taken;    /* connections that threads have; changed under lock */
    struct lingering lingering[LINGER_KINDS];
    uint8_t ticket[CLIENT_TICKET_MAX]; /* under lock: of the login, which outlives the daemon so */
    size_t ticket_len;          /* under lock */
    int64_t ticket_renew_at;    /* under lock: half of its life is over then */
    bool ticket_renewing;       /* under lock: by one thread */
    /* Under lock. Each change is one store of a pointer, so that a child of fork, which may
     * come at any moment, always finds a whole list. */
    struct connection *_Atomic all;
};

/* The warmest idle connection; NULL: none is idle. */
struct connection *client_take(struct client *client);
/* Gives a connection back; a dead one, or one too many, ends here. */
void client_give(struct client *client, struct connection *connection);
/* A connection of ours, not open yet. */
struct connection *client_add(struct client *client);
/* A daemon that left one connection has left them all. */
void client_drop_idle(struct client *client);
/* Opens the connection and says HELLO. False with errno, which is 0 when a daemon is there but does
 * not speak with us. */
MUST_USE bool client_reach(struct client *client, struct connection *connection,
                           int64_t deadline);
/* The same. A daemon that is being restarted is waited for; once it was waited for in vain, the
 * next calls only look whether it is back. */
MUST_USE bool client_reach_again(struct client *client, struct connection *connection,
                                 int64_t until);

#endif
