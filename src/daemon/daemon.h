/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon from inside. One thread, one loop: local connections on one side, few long-lived
 * links to the nodes on the other, and between them the requests that wait for a reply.
 */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "base/secret.h"
#include "daemon/index.h"
#include "net/link.h"
#include "net/mailroom.h"
#include "net/meter.h"
#include "net/resolve.h"
#include "net/scrape.h"
#include "net/settings.h"
#include "wire/message.h"
#include "wire/page.h"

#define NODE_LINKS 2u
#define CONTEXT_REQUESTS_MAX 64u
#define CONTEXT_BYTES_MAX (4u * 1024u * 1024u)
#define UID_CONTEXTS_MAX 16384u
#define UID_PEERS_MAX 32768u
#define UID_MAILROOMS_MAX 64u  /* of 1.3 MiB at most, and two descriptors */
#define MAILROOMS_MAX 256u
#define UID_BYTES_MAX (256u * 1024u * 1024u) /* of requests without a reply */
#define REQUEST_MS 5000u
#define REQUEST_STORE_MS 15000u /* of what waits for the store */
#define REQUEST_SLOW_MS 60000u
#define HURRY_MS 2000u /* so long a request may take before another node is asked as well */
#define ROSTER_MS 5000u /* between questions which nodes there are */
#define LEAVE_MS 1000u /* so long a logout waits for nodes to forget the context */
#define UNREACHABLE_MS 4000u /* so long a request waits for a node to come (back) */
#define GRACE_MS 10000u      /* so long a context outlives its last connection */
#define STRANGER_MS 5000u    /* so long a connection may take to say HELLO */
#define ON_WAY_MAX 128u      /* so many requests are on their way before each context gets its turn */
#define ON_WAY_EACH 4u       /* and so many any context may have on the way in any case */
#define PENDING_ROOM 2048u   /* so long a body needs no memory of its own */
#define SPARES_MAX 128u
#define GIVEN_UP_MAX 3u      /* so many nodes may fail to reach the store for one request */
#define GAVE_UP_MS 3000u     /* who could not reach the store has tried for longer than that */
#define ATTACHES_MAX 8u      /* so often a node may ask for ATTACH before one request */
#define NODE_OUTPUT_HIGH (8u * 1024u * 1024u) /* so much waits for a node that does not read it */
#define PEER_OUTPUT_HIGH (128u * 1024u) /* beyond it, who does not read is not read */
#define HELLO_BODY_MAX 8192u
#define COPIES_MAX 1024u     /* of session objects of a context */
#define COPIES_BYTES_MAX (4u * 1024u * 1024u) /* of them */
#define COPIES_PATH_MAX 272u /* of the folder that has them */
#define COPIES_MS 12000u     /* so long requests wait for session objects to live again: more than a lease */

/* ---- uids of this host ---- */

/* What one uid has, for its limits. Goes with its last connection and context. */
struct owner {
    struct index_item by_uid;
    uint32_t uid;
    size_t contexts;
    size_t peers;
    size_t bytes;
    size_t copies_bytes; /* of sealed copies */
    size_t mailrooms;
};

/* ---- contexts ---- */

struct peer;

/* How far a context is known to a node. */
struct attachment {
    enum { ATTACHMENT_NONE, ATTACHMENT_ASKED, ATTACHMENT_DONE } state;
    struct node_link *link; /* where ATTACH is on its way */
    uint64_t logins;        /* of the context, when it was asked */
    bool in;                /* the node has taken its login up */
    bool stale;             /* the node may have what is over: DETACH first */
    uint32_t number;        /* of the ATTACH that was asked last */
    uint32_t left;          /* of the DETACH that a logout waits for */
};

struct kept_copy;

/* Sealed copies of session objects (copies.c). */
struct copies {
    struct kept_copy *list; /* by rising handle */
    size_t count;
    size_t size;
    size_t bytes;
    struct node_link *asked; /* where COPIES is on its way */
    uint32_t cursor;  /* the last handle that was handed in, or came */
    unsigned told;    /* node that knows that they are kept, + 1 */
    bool doubt;       /* the home may not have what they are of */
    bool renew;       /* the ticket was renewed, and they were not given since */
    unsigned left;    /* node that had it, + 1, when the context was moved away from it */
    uint64_t again_at;
    uint64_t look_at; /* when they are looked after though nobody waits for them */
    unsigned pause_ms;
    size_t filed;     /* bytes in their file (copies_file.c); 0: there is none */
    uint32_t filed_home;
    uint64_t file_again_at;
};

/* One application process. Its key is what the process drew and shows on each connection;
 * its id, a digest of the key, is its name towards the nodes. */
struct context {
    struct index_item by_id;
    struct context *next;
    struct context *previous;
    struct owner *owner;
    uint8_t key[FRAME_CONTEXT_LEN];
    uint8_t id[FRAME_CONTEXT_LEN];
    enum interface interface;
    uint32_t pid;
    struct secret *ticket; /* of the login, NULL without one */
    uint8_t role;          /* of it */
    struct storage *storage; /* of its certificates; NULL: the HSM's own */
    uint64_t logins;       /* logins and logouts so far: who was told fewer is told again */
    uint64_t revision;     /* of the store: the highest that a reply has shown */
    struct attachment attachments[SETTINGS_SERVERS_MAX];
    unsigned home;         /* node that has its session objects and operations, + 1; 0: none */
    uint32_t home_number;  /* of the node that was the home for the daemon before; 0: not known */
    unsigned near;         /* node that was asked last, + 1 */
    struct copies copies;  /* of session objects */
    bool local;            /* it has session objects, or the like, at its home */
    struct mailroom *mailroom; /* of its busy connections; NULL: none is busy yet */
    struct peer *paused;   /* connections that are not read at the moment */
    size_t peers;
    size_t requests;
    size_t bytes;
    size_t on_way;         /* requests that were sent and count (turn.c) */
    size_t blocked;        /* requests that a node has no room for */
    struct pending *held_first; /* that wait for their turn, in the order of coming */
    struct pending *held_last;
    struct context *turn_next; /* the ring of those that have such */
    uint64_t idle_since;   /* when its last connection went, 0 while it has one */
    bool ended;            /* detached: goes when its requests are done */
};

/* One local connection. A stranger, with a context NULL, has not said HELLO. */
struct peer {
    struct peer *next;
    struct peer *previous;
    struct daemon *daemon;
    struct link *link;
    struct owner *owner;
    struct context *context;
    struct peer *paused_next;
    uint64_t since;
    uint32_t pid;
    size_t requests; /* that wait for their reply */
    struct node_link *way; /* of the last that was sent */
    bool paused;
};

struct peer_list {
    struct peer *first; /* the oldest */
    struct peer *last;
};

/* ---- requests ---- */

/* body is borrowed, and empty when code is not CKR_OK. */
typedef void own_done(void *arg, uint32_t code, view body);

/* A request without its reply yet. Kept whole where it can be sent again. */
struct pending {
    struct index_item by_number; /* context and request */
    struct pending *next; /* in the order of coming */
    struct pending *previous;
    struct context *context;
    struct peer *peer;         /* NULL once the asker is gone */
    own_done *done;            /* of one of our own: called once, with the reply */
    void *done_arg;
    struct node_link *sent_on; /* NULL: waits for a node */
    const struct operation_row *row;
    struct frame frame;
    uint8_t *body;             /* NULL: it has left, and is never sent again */
    struct pending *held_next;
    uint64_t deadline;
    uint64_t began; /* for the meter */
    uint64_t waiting_since;
    uint64_t reviving_since; /* session objects have to live again before it is sent; 0: they have */
    uint64_t sent_at;
    uint64_t revision; /* of the store, as the reply had it */
    uint32_t avoid;    /* bits of the nodes that could not */
    uint32_t leaving;  /* LOGOUT, answered: bits of the nodes that have to forget first */
    struct frame answer; /* of it */
    bool held;         /* until it is its context's turn */
    bool blocked;      /* until its node reads what it was sent before */
    bool on_way;       /* sent, and counted as such */
    bool patient;      /* it has more time, as session objects have to live again first */
    bool hurried;      /* asked of a second node, as the first took long */
    unsigned given_up; /* answers of nodes that could not reach the store */
    unsigned attaches; /* UNKNOWN_CONTEXT so far */
    uint8_t room[PENDING_ROOM]; /* for a body that fits */
};

/* ---- nodes ---- */

/* What the node that feeds the change page has told. */
struct feed {
    struct node_link *link; /* that is asked; NULL: none */
    uint64_t asked_at;      /* 0: no answer is awaited */
    uint32_t number;        /* of the question */
    uint64_t boot;
    uint64_t sequence;
    uint64_t shown; /* store revision up to which the page may show changes */
};

struct node_link {
    struct node *node;
    struct link *link; /* NULL while there is none */
    bool up;
    bool greeted;      /* it is there; up, or asked of which store it is */
    unsigned silent;   /* pings since anything came */
    size_t load;       /* requests on it */
    unsigned backoff_ms;
    uint64_t down_since;
    struct timer *retry;
};

struct node {
    struct daemon *daemon;
    size_t index;
    uint32_t id; /* in the cluster; 0: not known, or alone */
    uint32_t release; /* that it is of; 0: not known yet */
    bool gone;   /* it is no more, or another one is the same: its links stay down */
    bool learned; /* it was told of, or kept; the settings do not name it */
    struct settings_server settings;
    struct resolver *resolver; /* of its host's name */
    struct node_link links[NODE_LINKS];
};

/* What <state>/nodes keeps (known.c). */
#define KNOWN_SUM_LEN 32u
#define STORE_ID_LEN 16u
#define KNOWN_BYTES_MAX 16384u

struct known_node {
    uint32_t id;
    uint16_t client_port;
    uint16_t manage_port;
    char hostname[256];
};

struct known {
    uint8_t settings[KNOWN_SUM_LEN]; /* a sum over those that led to it */
    uint8_t store[STORE_ID_LEN];     /* zeros: not known */
    size_t count;
    struct known_node nodes[SETTINGS_SERVERS_MAX];
};

struct daemon {
    struct loop *loop;
    const char *settings_path;
    struct client_settings settings;
    struct tls_context *tls;
    struct listener *listener;
    struct node nodes[SETTINGS_SERVERS_MAX];
    size_t node_count;
    struct peer_list strangers;
    struct peer_list peers;
    struct index owners;
    struct index contexts_by_id;
    struct context *contexts;
    size_t mailrooms;
    struct index pendings;
    struct pending *pending_first;
    struct pending *pending_last;
    size_t pending_count;
    struct pending *spares;     /* linked by .next: memory for the next requests */
    size_t spare_count;
    size_t on_way;            /* requests that were sent and count (turn.c) */
    uint32_t questions;       /* of our own, so far: daemon_number() */
    struct context *turn;     /* in the ring: who had the last turn */
    uint64_t started_at;
    uint64_t roster_asked_at;
    uint64_t roster_revision;
    size_t roster_turn;       /* node that was asked last */
    bool rostered;            /* a node has said which ones there are */
    uint8_t store[STORE_ID_LEN]; /* of the nodes; zeros: none has said */
    uint8_t known[KNOWN_SUM_LEN]; /* of what was kept last */
    uint64_t unreachable_since; /* 0 while a node is there */
    struct page *page; /* NULL: this system has no sealed memory */
    int page_fd;
    uint64_t calm_until; /* as on the page */
    struct feed feed;
    struct meter *meter;   /* NULL, both: no metrics */
    struct scrape *scrape;
    struct storage_jobs *storage; /* NULL until one is wanted */
    struct timer *ping;
    struct timer *check;
    struct timer *give_up;
    struct signal_watch *watches[3];
    char socket_path[256];
    char copies_path[COPIES_PATH_MAX]; /* "": they are in memory alone */
    uint64_t copies_sweep_at;
    size_t uid_peers_max; /* UID_PEERS_MAX, less where descriptors are few */
    uint64_t said_in;     /* the second of the last complaint */
    unsigned said;        /* complaints in it */
    unsigned critical_files; /* written so far */
    bool stopping;
};

uint64_t daemon_now(void);
/* The number of a question of our own. It travels as the session, which replies repeat: the request
 * number of them all is 0. */
uint32_t daemon_number(struct daemon *daemon);
/* Complaints about applications are few a second: nobody floods the log. */
bool daemon_may_say(struct daemon *daemon);

/* gauges.c: the daemon's metrics, where the settings ask for them. False with a line in the log. */
MUST_USE bool gauges_open(struct daemon *daemon);
void gauges_close(struct daemon *daemon);

/* critical.c: a node says that it lacks the user of a login. */
void critical_user_missing(struct daemon *daemon, const struct node *node);

/* peer.c: connections of applications, and the uids behind them */
void peer_accepted(void *arg, int fd);
void peer_answer(struct peer *peer, const struct frame *request, uint32_t code, uint64_t revision,
                 view body);
void peer_pause(struct peer *peer);
/* Reads again from the paused connections of a context. */
void peers_resume(struct context *context);
void peers_check(struct daemon *daemon);
/* Ends all connections that wait for nothing. */
void peers_stop(struct daemon *daemon);
void peers_clear(struct daemon *daemon);
/* An owner that has nothing left goes. */
void owner_free_unused(struct daemon *daemon, struct owner *owner);

/* context.c: the processes that the connections speak for */
/* The context that a HELLO names, new where there is none; NULL: the connection has to go. */
struct context *context_enter(struct peer *peer, const struct hello_request *hello);
struct context *context_by_id(struct daemon *daemon, const uint8_t id[FRAME_CONTEXT_LEN]);
/* Mailboxes for it, if it may have them. */
MUST_USE bool context_mailroom(struct daemon *daemon, struct context *context);
void contexts_check(struct daemon *daemon);
void contexts_clear(struct daemon *daemon);

/* node.c: links to the nodes */
void node_start(struct daemon *daemon);
void node_ping(void *arg);
void nodes_stop(struct daemon *daemon);
/* A further node, which is connected to. NULL: there are too many, or memory is short. */
struct node *node_add(struct daemon *daemon, const struct settings_server *settings);
/* One that the settings do not name. */
struct node *node_learn(struct daemon *daemon, const struct settings_server *settings);
/* It is reached elsewhere from now on. */
void node_move(struct node *node, const struct settings_server *settings);
/* Its links end, for good. */
void node_leave(struct node *node);
/* Connects those links that are down. */
void node_links_begin(struct node *node);
/* It may be asked from now on. */
void node_link_up(struct node_link *link);

/* roster.c: which nodes there are */
void roster_ask(struct node_link *link);
/* The first question on each connection: of which store is it? */
void roster_greet(struct node_link *link);
void roster_greeted(struct node_link *link, const struct frame *frame, view body);
/* Has it to answer that before it is asked anything? */
bool roster_doubts(const struct node *node);
/* Asks a node from time to time. */
void roster_check(struct daemon *daemon);
void roster_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame,
                   view body);
/* It is where it was, has moved, or is new. */
void roster_enter(struct daemon *daemon, const struct node_info *info);

/* known.c: the nodes that were told last, in <state>/nodes */
/* False: memory is short. */
MUST_USE bool known_write(const struct known *known, struct writer *out);
MUST_USE bool known_read(view bytes, struct known *ret_known);
/* At the start: connects to those as well. */
void known_load(struct daemon *daemon);
/* Keeps them, where they are others than were kept. */
void known_save(struct daemon *daemon);
/* They are not those of the settings' store. */
void known_forget(struct daemon *daemon);

/* choice.c: which node does it */
bool node_is_reached(const struct node *node);
/* Requests that are on their way to it. */
size_t node_load(const struct node *node);
/* Is one of them reached? */
bool nodes_are_there(const struct daemon *daemon);
/* Is another one there that answers? */
bool node_has_other(const struct daemon *daemon, const struct node *node);
/* Is another one there that may be of a later release, and is not to be avoided? */
bool node_has_later(const struct daemon *daemon, const struct node *node, uint32_t avoid);
/* The one of its links for a request of this context; NULL: it is not there. */
struct node_link *node_best_link(struct node *node, const struct context *context);
/* The link for a request of this context, at none of the nodes to avoid: NULL when none is there. */
struct node_link *node_choose(struct daemon *daemon, struct context *context, enum tie tie,
                              uint32_t avoid);

/* attachment.c: contexts at nodes */
bool attachment_is_wanted(const struct node_link *link, const struct context *context);
/* Appends ATTACH for the context. */
void node_attach(struct node_link *link, struct context *context);
void node_detach(struct daemon *daemon, struct context *context);
void attachment_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame,
                       view body);
/* ATTACH will not be answered on it. */
void attachments_link_down(struct daemon *daemon, const struct node_link *link);
/* The context has another login from that node on, or none: the others hear of it when they are
 * asked next. */
void attachments_login(struct context *context, const struct node *node, bool in);
/* All but that node have to forget the context. Gives the bits of those that will say so. */
uint32_t attachments_leave(struct daemon *daemon, struct context *context, const struct node *node);
/* What the context has at its home is given up. */
void attachments_move(struct context *context);
/* Might another node know the login that this one does not? */
bool attachment_is_worse(const struct daemon *daemon, const struct context *context,
                         const struct node *node);

/* copies.c: session objects outlive their node */
/* Before what needs the home goes to it. local: it is about session objects. False: they have to
 * live again there first; route_context() tells. since: so long it has waited for that already, 0: it
 * has not; after COPIES_MS they are given up. */
bool copies_ready(struct daemon *daemon, struct context *context, struct node_link *link,
                  bool local, uint64_t since);
void copies_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame,
                   view body);
/* The login's ticket was renewed: copies are to be good as long. */
void copies_renew(struct daemon *daemon, struct context *context);
/* From time to time: that they are good, and their objects somewhere, though nobody asks. */
void copies_check(struct daemon *daemon, struct context *context);
/* The home may not have what they are of. left: the node that has, + 1; 0: not known. */
void copies_doubt(struct context *context, unsigned left);
void copies_link_down(struct daemon *daemon, const struct node_link *link);
/* Is it the one that has the session objects, which no other one has taken over? */
bool copies_may_return(const struct context *context, const struct node *node);
void copies_close_session(struct daemon *daemon, struct context *context, uint32_t session);
/* None is good any more. */
void copies_end(struct daemon *daemon, struct context *context);
/* Memory goes; the next daemon may have them. */
void copies_clear(struct context *context);

/* page.c: the change page (wire/page.h), and what feeds it */
/* Without one, libraries ask more often; a line in the log tells. */
void page_open(struct daemon *daemon);
void page_close(struct daemon *daemon);
/* Asks a node for changes, on the link that is up; from then on every 250 ms. */
void feed_ask(struct daemon *daemon);
/* The store revision that a reply about objects has to have at least, for who asked to remember
 * it: what the page has shown must not be missing. */
uint64_t feed_revision(const struct daemon *daemon, const struct frame *frame);
void feed_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame,
                 view body);
void feed_link_down(struct daemon *daemon, const struct node_link *link);
/* A request has its reply, whatever it says: what it may have changed is no more believed. */
void feed_request_done(struct daemon *daemon, const struct operation_row *row, view body,
                       uint64_t revision);

/* calm.c: has this host a processor to spare? */
void calm_look(struct daemon *daemon, uint64_t now);
/* Running threads, of a line of /proc/loadavg. */
MUST_USE bool calm_read(const char *text, unsigned *ret_running);

/* turn.c: who may send next, when many want to */
/* Does a request of this kind have to wait? */
bool turn_waits(const struct daemon *daemon, const struct pending *pending);
/* The same; it is in its context's queue then. */
bool turn_hold(struct daemon *daemon, struct pending *pending);
void turn_sent(struct daemon *daemon, struct pending *pending);
/* It has its reply, or is on its way no more; or it is given up while it waits. */
void turn_over(struct daemon *daemon, struct pending *pending);
/* The next request that may go; NULL: none. */
struct pending *turn_next(struct daemon *daemon);

/* pending.c: requests without their reply yet */
/* Its body is not kept yet. NULL: memory is short. */
struct pending *pending_new(struct daemon *daemon, struct context *context, struct peer *peer,
                            const struct operation_row *row, const struct frame *frame);
/* Sends it, now or later. False: memory is short, and it is no more. */
MUST_USE bool pending_take(struct daemon *daemon, struct pending *pending, view body);
/* At once, or when it is its context's turn. */
void pending_send(struct daemon *daemon, struct pending *pending);
/* It is on its way no more. */
void pending_unsent(struct daemon *daemon, struct pending *pending);
/* By column `tie`, and by what the request names. */
enum tie pending_tie(const struct pending *pending);
/* What a reply on that link answers; NULL: nothing that is waited for. */
struct pending *pending_find(struct daemon *daemon, const struct node_link *link,
                             const struct frame *frame);
/* It is unlinked and wiped; its context may be read from again. */
void pending_free(struct daemon *daemon, struct pending *pending);
/* Ends a request with a code and no body. */
void pending_fail(struct daemon *daemon, struct pending *pending, uint32_t code);
/* The context's paused connections are read again when it has room, and the nodes have. */
void context_resume(struct context *context);
/* Some are on their way no more: it is others' turn. */
void pendings_release(struct daemon *daemon);
/* Ends them all. */
void pendings_clear(struct daemon *daemon);

/* route.c: requests and replies */
/* False: the connection has to go. */
MUST_USE bool route_request(struct daemon *daemon, struct peer *peer, const struct frame *frame,
                            view body);
/* A request of our own in the name of a context, under a number of ours, which has no more time than
 * until (daemon_now()). False: it is not on its way, and done is not called. */
MUST_USE bool route_own(struct daemon *daemon, struct context *context, const struct frame *frame,
                        view body, uint64_t until, own_done *done, void *arg);
void route_reply(struct daemon *daemon, struct node_link *link, const struct frame *frame,
                 view body);
void route_node_up(struct daemon *daemon);
/* What waits for the context's session objects, or for its node's release, goes. */
void route_context(struct daemon *daemon, const struct context *context);
void route_node_down(struct daemon *daemon, struct node_link *link);
/* A node has forgotten a context, or all of them where that is NULL, or cannot say so. */
void route_left(struct daemon *daemon, const struct context *context, const struct node *node);
void route_peer_gone(struct daemon *daemon, struct peer *peer);
void route_check(struct daemon *daemon);

#endif
