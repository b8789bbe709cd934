/* SPDX-License-Identifier: Apache-2.0
 *
 * Reading fills one buffer with all that is there and hands out the whole frames in it;
 * writing gathers in one writer that leaves with one call when the round of events is done.
 * A link that is freed inside one of its events is taken apart when that event returns.
 */
#include "net/link.h"

#include "base/log.h"
#include "base/secret.h"
#include "net/tls_private.h"

#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_FIRST 65536u
#define READ_MAX (2u * FRAME_MAX)
#define OUTPUT_MAX (64u * 1024u * 1024u)
#define HANDSHAKE_MS 5000u
#define LINGER_MS 1000u
#define READS_PER_ROUND 16u

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
    struct timer *limit;
    uint8_t *input;
    size_t input_len;
    size_t input_size;
    struct writer output;
    size_t output_sent;
    char name[64];
    bool server;
    bool connecting;
    bool up;
    bool down;
    bool paused;
    bool lingering;
    bool freed;
    unsigned busy;         /* events on the stack */
};

/* Where the other end is. */
static void
link_name_find(struct link *link)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;
    char host[48], port[8];

    if (getpeername(link->fd, (struct sockaddr *)&address, &len) == 0 &&
        (address.ss_family == AF_INET || address.ss_family == AF_INET6) &&
        getnameinfo((struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        snprintf(link->name, sizeof link->name, "%s:%s", host, port);
    } else {
        snprintf(link->name, sizeof link->name, "unix");
    }
}

static void
link_destroy(struct link *link)
{
    if (link->readable != NULL) {
        event_free(link->readable);
    }
    if (link->writable != NULL) {
        event_free(link->writable);
    }
    if (link->flush != NULL) {
        event_free(link->flush);
    }
    timer_free(link->limit);
    if (link->ssl != NULL) {
        SSL_free(link->ssl);
    }
    if (link->fd >= 0) {
        close(link->fd);
    }
    tls_context_free(link->tls);
    writer_clear(&link->output);
    if (link->input != NULL) {
        wipe(link->input, link->input_len);
        free(link->input);
    }
    free(link);
}

static void
link_leave(struct link *link)
{
    if (--link->busy == 0 && link->freed) {
        link_destroy(link);
    }
}

/* Says it once. */
static void
link_fail(struct link *link, const char *reason)
{
    if (link->down || link->freed) {
        return;
    }
    link->down = true;
    event_del(link->readable);
    event_del(link->writable);
    if (link->lingering) {
        link_free(link);
        return;
    }
    link->busy++;
    link->events->down(link->arg, link, reason);
    link_leave(link);
}

static void
link_want(struct link *link, bool read, bool write)
{
    if (read && !link->paused) {
        event_add(link->readable, NULL);
    }
    if (write) {
        event_add(link->writable, NULL);
    } else {
        event_del(link->writable);
    }
}

/* False after the link went down. */
static bool
link_handshake(struct link *link)
{
    char reason[256];
    int result;

    if (link->connecting) {
        int error = 0;
        socklen_t len = sizeof error;

        if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 || error != 0) {
            link_fail(link, strerror(error));
            return false;
        }
        link->connecting = false;
    }
    if (link->ssl != NULL) {
        errno = 0;
        ERR_clear_error();
        result = SSL_do_handshake(link->ssl);
        if (result != 1) {
            int error = SSL_get_error(link->ssl, result);

            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
                link_want(link, true, error == SSL_ERROR_WANT_WRITE);
                return true;
            }
            tls_reason(link->ssl, error, reason, sizeof reason);
            link_fail(link, reason);
            return false;
        }
    }
    timer_free(link->limit);
    link->limit = NULL;
    link->up = true;
    link_want(link, true, false);
    if (link->events->up != NULL) {
        link->events->up(link->arg, link);
    }
    return !link->down && !link->freed;
}

/* ---- writing ---- */

/* Bytes sent, 0 when it would block, -1 after the link went down. */
static ssize_t
link_send(struct link *link, const uint8_t *data, size_t len)
{
    char reason[256];

    if (link->ssl == NULL) {
        ssize_t sent = send(link->fd, data, len, MSG_NOSIGNAL);

        if (sent < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        if (sent < 0) {
            link_fail(link, strerror(errno));
        }
        return sent;
    }

    size_t sent = 0;
    int result;

    errno = 0;
    ERR_clear_error();
    result = SSL_write_ex(link->ssl, data, len, &sent);
    if (result == 1) {
        return (ssize_t)sent;
    }

    int error = SSL_get_error(link->ssl, result);

    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
        return 0;
    }
    tls_reason(link->ssl, error, reason, sizeof reason);
    link_fail(link, reason);
    return -1;
}

/* A link that is always a little behind must not grow without end: what is sent makes room
 * once it is the larger part. */
static void
output_compact(struct link *link)
{
    struct writer *output = &link->output;
    size_t left = output->len - link->output_sent;

    if (link->output_sent > left) {
        memmove(output->data, output->data + link->output_sent, left);
        writer_truncate(output, left);
        link->output_sent = 0;
    }
}

static void
link_write(struct link *link)
{
    while (link->output_sent < link->output.len) {
        ssize_t sent = link_send(link, link->output.data + link->output_sent,
                                 link->output.len - link->output_sent);

        if (sent < 0) {
            return;
        }
        if (sent == 0) {
            output_compact(link);
            link_want(link, true, true);
            return;
        }
        link->output_sent += (size_t)sent;
    }
    writer_reset(&link->output);
    link->output_sent = 0;
    event_del(link->writable);
    if (link->lingering) {
        link_free(link);
    }
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    if (link->up && !link->down && !link->freed) {
        link->busy++;
        if (writer_ok(&link->output)) {
            link_write(link);
        } else {
            link_fail(link, "more output than its buffer takes");
        }
        link_leave(link);
    }
}

void
link_flush(struct link *link)
{
    if (!link->down && !link->freed) {
        event_active(link->flush, EV_TIMEOUT, 0);
    }
}

/* ---- reading ---- */

static bool
input_room(struct link *link)
{
    size_t size = link->input_size == 0 ? READ_FIRST : link->input_size * 2;
    uint8_t *input;

    if (link->input_len < link->input_size) {
        return true;
    }
    if (link->input_size >= READ_MAX) {
        return false;
    }
    size = size_min(size, READ_MAX);
    input = malloc(size);
    if (input == NULL) {
        return false;
    }
    if (link->input_len > 0) {
        memcpy(input, link->input, link->input_len);
        wipe(link->input, link->input_len);
    }
    free(link->input);
    link->input = input;
    link->input_size = size;
    return true;
}

/* Bytes read, 0 when there are none now, -1 after the link went down. */
static ssize_t
link_receive(struct link *link)
{
    uint8_t *room = link->input + link->input_len;
    size_t size = link->input_size - link->input_len;
    char reason[256];

    if (link->ssl == NULL) {
        ssize_t got = recv(link->fd, room, size, 0);

        if (got > 0) {
            return got;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        link_fail(link, got == 0 ? "closed by the peer" : strerror(errno));
        return -1;
    }

    size_t got = 0;
    int result;

    errno = 0;
    ERR_clear_error();
    result = SSL_read_ex(link->ssl, room, size, &got);
    if (result == 1) {
        return (ssize_t)got;
    }

    int error = SSL_get_error(link->ssl, result);

    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return 0;
    }
    tls_reason(link->ssl, error, reason, sizeof reason);
    link_fail(link, reason);
    return -1;
}

/* Hands out the whole frames of the buffer. False after the link ended. */
static bool
link_frames(struct link *link)
{
    size_t at = 0;

    while (link->input_len - at >= FRAME_HEADER_LEN && !link->paused) {
        struct frame frame;

        if (!frame_decode(link->input + at, &frame)) {
            link_fail(link, "a frame that does not read");
            return false;
        }
        if (link->input_len - at - FRAME_HEADER_LEN < frame.body_len) {
            break;
        }
        link->events->frame(link->arg, link, &frame,
                            view_of(link->input + at + FRAME_HEADER_LEN, frame.body_len));
        if (link->down || link->freed) {
            return false;
        }
        at += FRAME_HEADER_LEN + frame.body_len;
    }
    if (at > 0) {
        size_t left = link->input_len - at;

        memmove(link->input, link->input + at, left);
        wipe(link->input + left, at);
        link->input_len = left;
    }
    return true;
}

static void
link_read(struct link *link)
{
    /* Frames may have been left in the buffer by a pause. */
    if (!link_frames(link)) {
        return;
    }
    for (unsigned i = 0; i < READS_PER_ROUND && !link->paused; i++) {
        ssize_t got;

        if (!input_room(link)) {
            link_fail(link, "no room for its input");
            return;
        }
        got = link_receive(link);
        if (got < 0) {
            return;
        }
        if (got == 0) {
            return;
        }
        link->input_len += (size_t)got;
        if (!link_frames(link)) {
            return;
        }
    }
    /* What OpenSSL has taken from the socket already raises no event. */
    if (link->ssl != NULL && SSL_has_pending(link->ssl) && !link->paused) {
        event_active(link->readable, EV_READ, 0);
    }
}

static void
link_work(struct link *link)
{
    link->busy++;
    if (link->up || link_handshake(link)) {
        if (link->up && !link->lingering) {
            link_read(link);
        }
    }
    link_leave(link);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    if (!link->down && !link->freed) {
        link_work(link);
    }
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    if (link->down || link->freed) {
        return;
    }
    if (!link->up) {
        link_work(link);
        return;
    }
    link->busy++;
    link_write(link);
    link_leave(link);
}

static void
on_limit(void *arg)
{
    struct link *link = arg;

    link->busy++;
    if (link->lingering) {
        link_free(link);
    } else {
        link_fail(link, "the handshake took too long");
    }
    link_leave(link);
}

/* ---- life ---- */

struct link *
link_new(struct loop *loop, int fd, struct tls_context *tls, bool server,
         const struct link_events *events, void *arg)
{
    struct link *link = calloc(1, sizeof *link);
    struct event_base *base = loop_base(loop);

    if (link == NULL) {
        close(fd);
        return NULL;
    }
    link->loop = loop;
    link->fd = fd;
    link->events = events;
    link->arg = arg;
    link->server = server;
    link->connecting = !server;
    link_name_find(link);
    writer_init(&link->output, OUTPUT_MAX);
    if (tls != NULL) {
        link->tls = tls_context_ref(tls);
        link->ssl = tls_connection(tls, fd, server);
    }
    link->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(base, fd, EV_WRITE | EV_PERSIST, on_writable, link);
    link->flush = event_new(base, -1, 0, on_flush, link);
    link->limit = timer_new(loop, HANDSHAKE_MS, false, on_limit, link);
    if ((tls != NULL && link->ssl == NULL) || link->readable == NULL || link->writable == NULL ||
        link->flush == NULL || link->limit == NULL) {
        link_destroy(link);
        return NULL;
    }
    /* The first work is done from the loop, never under the caller's feet. */
    event_add(link->writable, NULL);
    return link;
}

void
link_free(struct link *link)
{
    if (link == NULL || link->freed) {
        return;
    }
    link->freed = true;
    if (link->ssl != NULL && !link->connecting) {
        ERR_clear_error();
        if (SSL_is_init_finished(link->ssl)) {
            (void)SSL_shutdown(link->ssl);
        }
        ERR_clear_error();
    }
    event_del(link->readable);
    event_del(link->writable);
    event_del(link->flush);
    if (link->busy == 0) {
        link_destroy(link);
    }
}

void
link_free_later(struct link *link)
{
    if (link->down || link->freed || link->output_sent == link->output.len || !link->up) {
        link_free(link);
        return;
    }
    link->lingering = true;
    event_del(link->readable);
    timer_free(link->limit);
    link->limit = timer_new(link->loop, LINGER_MS, false, on_limit, link);
    if (link->limit == NULL) {
        link_free(link);
        return;
    }
    event_active(link->flush, EV_TIMEOUT, 0);
}

struct writer *
link_output(struct link *link)
{
    return &link->output;
}

size_t
link_backlog(const struct link *link)
{
    return link->output.len - link->output_sent;
}

void
link_pause(struct link *link)
{
    if (!link->paused && !link->down && !link->freed) {
        link->paused = true;
        event_del(link->readable);
    }
}

void
link_resume(struct link *link)
{
    if (link->paused && !link->down && !link->freed) {
        link->paused = false;
        event_add(link->readable, NULL);
        event_active(link->readable, EV_READ, 0); /* whole frames may wait in the buffer */
    }
}

bool
link_peer(const struct link *link, uint32_t *ret_uid, uint32_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 || peer.pid == 0) {
        return false;
    }
    *ret_uid = (uint32_t)peer.uid;
    *ret_pid = (uint32_t)peer.pid;
    return true;
}

const char *
link_name(const struct link *link)
{
    return link->name;
}
