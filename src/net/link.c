/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of a link: handshake, events, end. A link that is freed inside one of its events is
 * taken apart when that event returns.
 */
#include "net/link_private.h"

#include "base/log.h"
#include "base/secret.h"

#include <errno.h>
#include <netdb.h>
#include <openssl/err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define OUTPUT_MAX (64u * 1024u * 1024u)
#define RECORD_HEAD_LEN 5
#define RECORD_HANDSHAKE 22
#define RECORD_MAX (RECORD_HEAD_LEN + 16384)
#define HANDSHAKE_MS 5000u

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
    timer_free(link->patience);
    timer_free(link->warmth);
    if (link->ssl != NULL) {
        SSL_free(link->ssl);
    }
    if (link->fd >= 0) {
        close(link->fd);
    }
    tls_context_free(link->tls);
    writer_clear(&link->output);
    link_input_free(link);
    free(link);
}

static void
link_leave(struct link *link)
{
    if (--link->busy == 0 && link->freed) {
        link_destroy(link);
    }
}

void
link_fail(struct link *link, const char *reason)
{
    if (link_is_over(link)) {
        return;
    }
    link->down = true;
    event_del(link->readable);
    event_del(link->writable);
    link->busy++;
    link->events->down(link->arg, link, reason);
    link_leave(link);
}

void
link_want(struct link *link, bool write)
{
    if (link_reads(link) || !link->up) {
        event_add(link->readable, NULL);
    } else {
        event_del(link->readable);
    }
    if (write) {
        event_add(link->writable, NULL);
    } else {
        event_del(link->writable);
    }
}

/* The kernel wakes us when so many bytes are there, or no more can come. */
static void
link_await(struct link *link, int bytes)
{
    if (setsockopt(link->fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) != 0) {
        link_fail(link, strerror(errno));
        return;
    }
    link->awaited = bytes;
    link_want(link, false);
}

static bool
link_is_left(const struct link *link)
{
    struct pollfd look = { .fd = link->fd, .events = POLLRDHUP };

    return poll(&look, 1, 0) > 0;
}

/*
 * A server's TLS state, some 40 KiB, is made when the client's first record is there (RFC 8446,
 * 5.1: type, version, length, fragment): who says less, or slowly, costs a descriptor. True when
 * the handshake can begin.
 */
static bool
link_hears_hello(struct link *link)
{
    uint8_t head[RECORD_HEAD_LEN];
    ssize_t got = recv(link->fd, head, sizeof head, MSG_PEEK);
    int there = 0, need = RECORD_HEAD_LEN;

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        link_await(link, RECORD_HEAD_LEN);
        return false;
    }
    if (got > 0 && head[0] != RECORD_HANDSHAKE) {
        link_fail(link, "not a TLS handshake");
        return false;
    }
    if (got == RECORD_HEAD_LEN) {
        need += head[3] << 8 | head[4];
    }
    if (got <= 0 || need > RECORD_MAX || ioctl(link->fd, FIONREAD, &there) != 0) {
        link_fail(link, got == 0 ? "closed by the peer" : "not a TLS handshake");
        return false;
    }
    if (there < need && there >= link->awaited) {
        link_await(link, need);
        return false;
    }
    if (there < need && link_is_left(link)) {
        link_fail(link, "closed by the peer");
        return false;
    }
    /* Or this kind of socket does not wait for so many; then OpenSSL does. */
    link_await(link, 1);
    link->ssl = tls_connection(link->tls, link->fd, true);
    if (link->ssl == NULL) {
        link_fail(link, "no memory for a handshake");
    }
    return link->ssl != NULL;
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
    if (link->tls != NULL && link->ssl == NULL && !link_hears_hello(link)) {
        return !link_is_over(link);
    }
    if (link->ssl != NULL) {
        errno = 0;
        ERR_clear_error();
        result = SSL_do_handshake(link->ssl);
        if (result != 1) {
            int error = SSL_get_error(link->ssl, result);

            if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
                link_want(link, error == SSL_ERROR_WANT_WRITE);
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
    link_want(link, link_backlog(link) > 0);
    if (link->events->up != NULL) {
        link->events->up(link->arg, link);
    }
    return !link_is_over(link);
}

static void
on_flush(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    if (link->up && !link_is_over(link)) {
        link->busy++;
        if (writer_ok(&link->output)) {
            link_write(link);
        } else {
            link_fail(link, "more output than its buffer takes");
        }
        link_leave(link);
    }
}

static void
link_work(struct link *link)
{
    link->busy++;
    if (link->up || link_handshake(link)) {
        if (link->up && link_reads(link)) {
            link_read(link);
        }
    }
    link_leave(link);
}

void
link_boxed(struct link *link)
{
    link->busy++;
    if (!link_is_over(link)) {
        loop_hear(link->loop);
        link_unbox(link);
    }
    link_leave(link);
}

void
link_box(struct link *link, struct mailroom *room, uint32_t number, struct mailbox *box)
{
    link->room = room;
    link->box_number = number;
    link->box = box;
}

/* Who has not sent one whole frame yet waits for those who have. */
static bool
link_waits(struct link *link)
{
    if (link->frames > 0) {
        return false;
    }
    event_del(link->readable);
    event_del(link->writable);
    loop_chore(link->loop, &link->chore);
    return true;
}

static void
on_chore(void *arg)
{
    struct link *link = arg;

    if (link_is_over(link)) {
        return;
    }
    if (link->late) {
        link->busy++;
        link_fail(link, "the handshake took too long");
        link_leave(link);
        return;
    }
    link->busy++;
    link_want(link, link_backlog(link) > 0);
    link_work(link);
    link_leave(link);
}

static void
on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    loop_hear(link->loop);
    if (!link_is_over(link) && !link_waits(link)) {
        link_work(link);
    }
}

static void
on_writable(evutil_socket_t fd, short what, void *arg)
{
    struct link *link = arg;

    UNUSED(fd);
    UNUSED(what);
    if (link_is_over(link)) {
        return;
    }
    if (!link->up) {
        if (!link_waits(link)) {
            link_work(link);
        }
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

    link->late = true;
    loop_chore(link->loop, &link->chore);
}

/* ---- life ---- */

/* Takes all of the pack, also when it fails. */
static struct link *
link_make(struct loop *loop, const struct link_pack *pack, bool server,
          const struct link_events *events, void *arg)
{
    struct link *link = calloc(1, sizeof *link);
    struct event_base *base = loop_base(loop);

    if (link == NULL) {
        struct link_pack taken = *pack;

        link_pack_free(&taken);
        return NULL;
    }
    link->loop = loop;
    link->fd = pack->fd;
    link->ssl = pack->ssl;
    link->tls = pack->tls;
    link->chore.call = on_chore;
    link->chore.arg = link;
    link->events = events;
    link->arg = arg;
    link->connecting = !server;
    link->body_max = FRAME_BODY_MAX;
    memcpy(link->name, pack->name, sizeof link->name);
    if (link->name[0] == '\0') {
        link_name_find(link);
    }
    writer_init(&link->output, OUTPUT_MAX);
    link->readable = event_new(base, link->fd, EV_READ | EV_PERSIST, on_readable, link);
    link->writable = event_new(base, link->fd, EV_WRITE | EV_PERSIST, on_writable, link);
    link->flush = event_new(base, -1, 0, on_flush, link);
    link->limit = timer_new(loop, HANDSHAKE_MS, false, on_limit, link);
    if ((link->tls != NULL && !server && link->ssl == NULL) || link->readable == NULL ||
        link->writable == NULL || link->flush == NULL || link->limit == NULL) {
        link_destroy(link);
        return NULL;
    }
    /* The first work is done from the loop, never under the caller's feet. */
    event_add(link->writable, NULL);
    return link;
}

struct link *
link_new(struct loop *loop, int fd, struct tls_context *tls, bool server,
         const struct link_events *events, void *arg)
{
    const struct link_pack pack = {
        .fd = fd,
        .ssl = tls == NULL || server ? NULL : tls_connection(tls, fd, false),
        .tls = tls == NULL ? NULL : tls_context_ref(tls),
    };

    return link_make(loop, &pack, server, events, arg);
}

void
link_pack(struct link *link, struct link_pack *ret_pack)
{
    *ret_pack = (struct link_pack){ .fd = link->fd, .ssl = link->ssl, .tls = link->tls };
    memcpy(ret_pack->name, link->name, sizeof ret_pack->name);
    event_del(link->readable);
    event_del(link->writable);
    link->fd = -1;
    link->ssl = NULL;
    link->tls = NULL;
    link_free(link);
}

struct link *
link_unpack(struct loop *loop, struct link_pack *pack, const struct link_events *events, void *arg)
{
    const struct link_pack taken = *pack;

    *pack = (struct link_pack){ .fd = -1 };
    return link_make(loop, &taken, true, events, arg);
}

void
link_pack_free(struct link_pack *pack)
{
    SSL_free(pack->ssl);
    if (pack->fd >= 0) {
        close(pack->fd);
    }
    tls_context_free(pack->tls);
    *pack = (struct link_pack){ .fd = -1 };
}

bool
link_pack_address(const struct link_pack *pack, struct sockaddr_storage *ret_address)
{
    socklen_t len = sizeof *ret_address;

    return getpeername(pack->fd, (struct sockaddr *)ret_address, &len) == 0;
}

void
link_free(struct link *link)
{
    if (link == NULL || link->freed) {
        return;
    }
    link->freed = true;
    if (link->room != NULL) {
        if (link->down) {
            /* A reply that came too late may lie there, or a request that nobody took. While the
             * link is up, a reply may be fetched yet. */
            wipe(link->box->frame, sizeof link->box->frame);
        }
        mailroom_take_back(link->room, link->box_number);
        link->room = NULL;
    }
    if (link->ssl != NULL && !link->connecting) {
        ERR_clear_error();
        if (!link->down && SSL_is_init_finished(link->ssl)) {
            (void)SSL_shutdown(link->ssl);
        }
        ERR_clear_error();
    }
    event_del(link->readable);
    event_del(link->writable);
    event_del(link->flush);
    loop_chore_drop(link->loop, &link->chore);
    timer_free(link->patience);
    link->patience = NULL;
    timer_free(link->warmth);
    link->warmth = NULL;
    if (link->busy == 0) {
        link_destroy(link);
    }
}

struct writer *
link_output(struct link *link)
{
    return &link->output;
}

void
link_pass(struct link *link, const int *fds, size_t count)
{
    link->passed_count = size_min(count, LINK_PASS_MAX);
    memcpy(link->passed, fds, link->passed_count * sizeof *fds);
}

size_t
link_backlog(const struct link *link)
{
    return link->output.len - link->output_sent;
}

void
link_flush(struct link *link)
{
    if (link_is_over(link)) {
        return;
    }
    event_active(link->flush, EV_TIMEOUT, 0);
    if (link->output_high > 0 && !link->held && link_backlog(link) >= link->output_high) {
        link->held = true;
        event_del(link->readable);
    }
}

void
link_body_max(struct link *link, size_t max)
{
    link->body_max = (uint32_t)size_min(max, FRAME_BODY_MAX);
}

void
link_output_high(struct link *link, size_t high)
{
    link->output_high = high;
}

void
link_pause(struct link *link)
{
    if (!link->paused && !link_is_over(link)) {
        link->paused = true;
        if (link->up) {
            event_del(link->readable);
        }
    }
}

void
link_resume(struct link *link)
{
    if (!link->paused || link_is_over(link)) {
        return;
    }
    link->paused = false;
    link->patience_for = UINT64_MAX; /* the pause was ours */
    if (link_reads(link) && link->up) {
        event_add(link->readable, NULL);
        event_active(link->readable, EV_READ, 0); /* whole frames may wait in the buffer */
    }
}

bool
link_peer(const struct link *link, uint32_t *ret_uid, uint32_t *ret_pid)
{
    struct ucred peer;
    socklen_t len = sizeof peer;

    /* The pid is 0 for a process of another pid namespace; a socket without a peer's uid has -1. */
    if (getsockopt(link->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) != 0 ||
        peer.uid == (uid_t)-1) {
        return false;
    }
    *ret_uid = (uint32_t)peer.uid;
    *ret_pid = (uint32_t)peer.pid;
    return true;
}

int
link_processor(const struct link *link)
{
    int processor = -1;
    socklen_t len = sizeof processor;

    return getsockopt(link->fd, SOL_SOCKET, SO_INCOMING_CPU, &processor, &len) == 0 ? processor
                                                                                    : -1;
}

const char *
link_name(const struct link *link)
{
    return link->name;
}

void
link_certificate(const struct link *link, struct writer *out)
{
    if (link->ssl != NULL) {
        tls_peer_certificate(link->ssl, out);
    }
}
