/* SPDX-License-Identifier: Apache-2.0
 *
 * One connection to the daemon: a Unix socket, maybe a mailbox beside it, and the buffers of the
 * request that is under way. It belongs to one thread at a time. Times are those of connection_clock().
 */
#ifndef API_CONNECTION_H
#define API_CONNECTION_H

#include "api/mail.h"
#include "wire/message.h"
#include "wire/page.h"

#include <sys/un.h>

/* The longest that one wait of a usual request may take. */
#define CONNECTION_LIMIT_MS 6000

struct connection {
    int fd; /* -1 while there is none */
    int passed[MAIL_FDS]; /* descriptors that came with a reply */
    size_t passed_count;
    bool takes_fds; /* the next reply may bring such */
    struct mail *mail; /* NULL: it has no mailbox */
    uint32_t box;      /* the number of its mailbox */
    uint64_t exchanges; /* since it was opened */
    bool asked_mail;    /* since then */
    struct connection *next_idle; /* under client->lock */
    struct connection *next;      /* under client->lock */
    struct writer body;
    uint8_t *reply; /* header and body as they came */
    size_t reply_len;
    size_t reply_size;
    unsigned hurry_ms; /* limit of a wait; 0: the deadline alone */
    unsigned linger_us; /* see connection_linger() */
    bool was_quick;    /* the last reply came while it lingered */
    const struct page *watched; /* NULL: none; see connection_watch() */
};

enum outcome {
    OUTCOME_ANSWERED,
    OUTCOME_DIED,  /* the peer went away before a byte of the answer came */
    OUTCOME_BROKEN /* silence, half an answer, or one that is not ours */
};

/* Milliseconds that only rise. */
int64_t connection_clock(void);

/* Not connected yet; NULL when memory is short. */
struct connection *connection_new(void);
void connection_free(struct connection *connection);

/* Connects anew; what was open before is closed. False with errno. */
MUST_USE bool connection_open(struct connection *connection, const struct sockaddr_un *address,
                              int64_t deadline);
void connection_close(struct connection *connection);
/* Shortens the longest wait. */
void connection_hurry(struct connection *connection, unsigned limit_ms);
/* A long wait ends when the page has not been valid for CONNECTION_LIMIT_MS: a daemon that runs
 * keeps it valid, or answers. A page that is not valid now, or NULL, is not looked at. */
void connection_watch(struct connection *connection, const struct page *page);
/* So long, in microseconds, the next exchange looks for its reply before it sleeps; then was_quick
 * tells whether that was of use. */
void connection_linger(struct connection *connection, unsigned limit_us);
/* Nothing comes unasked: a connection that has something to say is at its end. */
bool connection_is_stale(const struct connection *connection);

/* One request and its reply. Whatever is no answer to it closes the connection. */
enum outcome connection_exchange(struct connection *connection, const struct frame *request,
                                 view body, int64_t deadline, struct frame *ret_reply);
/* The next reply may bring descriptors, as the first one may. */
void connection_expect(struct connection *connection);
/* Those that came, for the caller to close; their number. */
size_t connection_take_passed(struct connection *connection, int ret_fds[MAIL_FDS]);
/* Small requests go by this mailbox from now on, until it is closed. mail becomes the connection's. */
void connection_mail(struct connection *connection, struct mail *mail, uint32_t number);
/* The reply's body, borrowed until the next exchange or connection_forget_reply(). */
view connection_reply_body(const struct connection *connection);
void connection_forget_reply(struct connection *connection);
/* Room for a reply of that many bytes, header and body. False: memory is short. */
MUST_USE bool connection_grow(struct connection *connection, size_t size);

#endif
