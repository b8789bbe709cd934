/* SPDX-License-Identifier: Apache-2.0
 *
 * A small exchange of a busy connection goes by its mailbox: it costs a sleep, and a ring where the
 * daemon sleeps. Others are one sendmsg, one poll and one recv. The poll is no waste: who sleeps
 * in recv on a Unix socket is woken twice, as the kernel tells him also that there is room to write
 * as soon as the daemon has read; poll asks for what it wants.
 */
#include "api/connection.h"

#include "base/clock.h"
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WATCH_MS 500 /* between looks at the page */
#define REPLY_SIZE_FIRST 4096u
#define LINGER_PAUSES 16 /* between looks, some tenths of a microsecond */
#define MAIL_SLEEP_NS 50000000 /* between looks whether the daemon is still there */

int64_t
connection_clock(void)
{
    return (int64_t)clock_ms(CLOCK_MONOTONIC);
}

/* False when the deadline comes first. */
static bool
socket_wait(int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd entry = { .fd = fd, .events = events };
        int64_t left = deadline - connection_clock();

        if (left <= 0) {
            return false;
        }

        int count = poll(&entry, 1, (int)left);

        if (count > 0) {
            return true;
        }
        if (count < 0 && errno != EINTR) {
            return false;
        }
    }
}

/* A connected socket that does not block; -1 with errno. */
static int
socket_connect(const struct sockaddr_un *address, int64_t deadline)
{
    const struct timespec pause = { .tv_nsec = 1000000 };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    /* An application that closed its standard streams must not find us in their place. */
    if (fd >= 0 && fd <= STDERR_FILENO) {
        int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

        close(fd);
        fd = moved;
    }
    if (fd < 0) {
        return -1;
    }

    /* EAGAIN: the daemon's queue of new connections is full at the moment. */
    while (connect(fd, (const struct sockaddr *)address, sizeof *address) < 0) {
        if ((errno != EAGAIN && errno != EINTR) || connection_clock() >= deadline) {
            goto failed;
        }
        nanosleep(&pause, NULL);
    }
    return fd;

failed:;
    int error = errno;

    close(fd);
    errno = error;
    return -1;
}

bool
connection_open(struct connection *connection, const struct sockaddr_un *address, int64_t deadline)
{
    connection_close(connection);
    connection->hurry_ms = 0;
    connection->takes_fds = true;
    connection->exchanges = 0;
    connection->asked_mail = false;
    connection->fd = socket_connect(address, deadline);
    return connection->fd >= 0;
}

void
connection_hurry(struct connection *connection, unsigned limit_ms)
{
    connection->hurry_ms = limit_ms;
}

void
connection_expect(struct connection *connection)
{
    connection->takes_fds = true;
}

size_t
connection_take_passed(struct connection *connection, int ret_fds[MAIL_FDS])
{
    size_t count = connection->passed_count;

    memcpy(ret_fds, connection->passed, count * sizeof *ret_fds);
    connection->passed_count = 0;
    return count;
}

static void
connection_close_passed(struct connection *connection)
{
    int fds[MAIL_FDS];
    size_t count = connection_take_passed(connection, fds);

    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
}

void
connection_mail(struct connection *connection, struct mail *mail, uint32_t number)
{
    struct mail *before = connection->mail;

    /* Forgotten first, for the sake of a child of fork (see connection_close()). */
    connection->mail = mail;
    connection->box = number;
    mail_release(before);
}

void
connection_close(struct connection *connection)
{
    int fd = connection->fd;

    /* Forgotten first: a child of fork closes what it finds here, and the number may by then be
     * another file's. */
    connection->fd = -1;
    if (fd >= 0) {
        close(fd);
    }
    connection_close_passed(connection);
    connection_mail(connection, NULL, 0);
}

void
connection_forget_reply(struct connection *connection)
{
    if (connection->reply_len > 0) {
        wipe(connection->reply, connection->reply_len);
        connection->reply_len = 0;
    }
}

void
connection_free(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    connection_close(connection);
    writer_clear(&connection->body);
    connection_forget_reply(connection);
    free(connection->reply);
    free(connection);
}

struct connection *
connection_new(void)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL || (connection->reply = malloc(REPLY_SIZE_FIRST)) == NULL) {
        free(connection);
        return NULL;
    }
    connection->fd = -1;
    connection->reply_size = REPLY_SIZE_FIRST;
    writer_init(&connection->body, FRAME_BODY_MAX);
    return connection;
}

bool
connection_is_stale(const struct connection *connection)
{
    uint8_t byte;

    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
           (errno != EAGAIN && errno != EINTR);
}

static bool
connection_send(struct connection *connection, const uint8_t *header, view body, int64_t deadline)
{
    struct iovec parts[2] = {
        { (void *)(uintptr_t)header, FRAME_HEADER_LEN },
        { (void *)(uintptr_t)body.data, body.len },
    };
    struct msghdr message = { .msg_iov = parts, .msg_iovlen = 2 };
    size_t left = FRAME_HEADER_LEN + body.len;

    for (;;) {
        ssize_t sent = sendmsg(connection->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0) {
            if (errno != EINTR &&
                (errno != EAGAIN || !socket_wait(connection->fd, POLLOUT, deadline))) {
                return false;
            }
            continue;
        }
        left -= (size_t)sent;
        if (left == 0) {
            return true;
        }
        for (size_t i = 0; i < 2; i++) {
            size_t step = size_min((size_t)sent, parts[i].iov_len);

            if (step > 0) { /* an empty body has no address */
                parts[i].iov_base = (uint8_t *)parts[i].iov_base + step;
                parts[i].iov_len -= step;
                sent -= (ssize_t)step;
            }
        }
    }
}

bool
connection_grow(struct connection *connection, size_t size)
{
    if (size <= connection->reply_size) {
        return true;
    }

    uint8_t *larger = malloc(size);

    if (larger == NULL) {
        return false;
    }
    memcpy(larger, connection->reply, connection->reply_len);
    wipe(connection->reply, connection->reply_len);
    free(connection->reply);
    connection->reply = larger;
    connection->reply_size = size;
    return true;
}

/* As recv(). What descriptors come when none are expected, the kernel drops. */
static ssize_t
connection_recv(struct connection *connection, uint8_t *room, size_t size)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof connection->passed)];
    } control;
    struct iovec part = { room, size };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    ssize_t got;

    if (!connection->takes_fds) {
        return recv(connection->fd, room, size, MSG_DONTWAIT);
    }
    got = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got > 0 && message.msg_controllen >= CMSG_LEN(sizeof(int)) &&
        control.head.cmsg_level == SOL_SOCKET && control.head.cmsg_type == SCM_RIGHTS &&
        control.head.cmsg_len >= CMSG_LEN(sizeof(int))) {
        const size_t len =
            size_min(control.head.cmsg_len - CMSG_LEN(0), sizeof connection->passed);

        connection_close_passed(connection);
        /* Counted last: a child of fork closes what is counted. */
        memcpy(connection->passed, CMSG_DATA(&control.head), len);
        connection->passed_count = len / sizeof(int);
    }
    return got;
}

void
connection_watch(struct connection *connection, const struct page *page)
{
    bool valid = page != NULL && page_is_valid(page, (uint64_t)connection_clock());

    connection->watched = valid ? page : NULL;
}

void
connection_linger(struct connection *connection, unsigned limit_us)
{
    connection->linger_us = limit_us;
    connection->was_quick = false;
}

/* Tells the processor that we do nothing, so that others on the same core do more. */
static void
processor_pause(void)
{
    for (int i = 0; i < LINGER_PAUSES; i++) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#endif
    }
}

/* As connection_recv(), for a short while. */
static ssize_t
connection_look(struct connection *connection, uint8_t *room, size_t size)
{
    const uint64_t end = clock_ns(CLOCK_MONOTONIC) + connection->linger_us * UINT64_C(1000);

    connection->linger_us = 0;
    for (;;) {
        ssize_t got = connection_recv(connection, room, size);

        if (got >= 0 || (errno != EAGAIN && errno != EINTR)) {
            connection->was_quick = got > 0;
            return got;
        }
        if (clock_ns(CLOCK_MONOTONIC) >= end) {
            errno = EAGAIN;
            return -1;
        }
        processor_pause();
    }
}

static int64_t
connection_hurried(const struct connection *connection, int64_t deadline)
{
    const int64_t hurried = connection_clock() + connection->hurry_ms;

    return connection->hurry_ms != 0 && hurried < deadline ? hurried : deadline;
}

/* Has the watched page not been valid for so long that nobody is there to keep it so? */
static bool
connection_stands_still(const struct connection *connection)
{
    const int64_t then = connection_clock() - CONNECTION_LIMIT_MS;

    return connection->watched != NULL && then > 0 &&
           !page_is_valid(connection->watched, (uint64_t)then);
}

/* Waits for the reply; false when the deadline comes first, or the daemon stands still. */
static bool
connection_wait(const struct connection *connection, int64_t deadline)
{
    while (connection->watched != NULL && connection_clock() + WATCH_MS < deadline) {
        if (socket_wait(connection->fd, POLLIN, connection_clock() + WATCH_MS)) {
            return true;
        }
        if (connection_stands_still(connection)) {
            return false;
        }
    }
    return socket_wait(connection->fd, POLLIN, deadline);
}

/* Receives one frame. It must be all that comes: there is one request at a time. */
static enum outcome
connection_receive(struct connection *connection, int64_t deadline, struct frame *ret_frame)
{
    struct frame frame = { 0 };
    size_t need = FRAME_HEADER_LEN;
    bool decoded = false;

    deadline = connection_hurried(connection, deadline);
    connection->reply_len = 0;
    for (;;) {
        if (connection->reply_len >= FRAME_HEADER_LEN && !decoded) {
            if (!frame_decode(connection->reply, &frame)) {
                return OUTCOME_BROKEN;
            }
            decoded = true;
            need += frame.body_len;
            if (!connection_grow(connection, need)) {
                return OUTCOME_BROKEN;
            }
        }
        if (decoded && connection->reply_len >= need) {
            break;
        }

        uint8_t *room = connection->reply + connection->reply_len;
        const size_t size = connection->reply_size - connection->reply_len;
        ssize_t got = -1;

        if (connection->linger_us > 0) {
            got = connection_look(connection, room, size);
            if (got < 0 && errno == EAGAIN) {
                continue;
            }
        } else if (!connection_wait(connection, deadline)) {
            return OUTCOME_BROKEN;
        } else {
            got = connection_recv(connection, room, size);
        }
        if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
            return connection->reply_len == 0 ? OUTCOME_DIED : OUTCOME_BROKEN;
        }
        if (got > 0) {
            connection->reply_len += (size_t)got;
        }
    }
    if (connection->reply_len > need) {
        return OUTCOME_BROKEN;
    }
    connection->takes_fds = false;
    *ret_frame = frame;
    return OUTCOME_ANSWERED;
}

/* ---- by its mailbox ---- */

/* For a short while. */
static void
mail_linger(struct connection *connection)
{
    const uint64_t end = clock_ns(CLOCK_MONOTONIC) + connection->linger_us * UINT64_C(1000);

    connection->linger_us = 0;
    while (!connection->was_quick && clock_ns(CLOCK_MONOTONIC) < end) {
        processor_pause();
        connection->was_quick = mail_state(connection->mail, connection->box) != MAILBOX_ASKED;
    }
}

/* Until the reply is there. A daemon that is no more has closed the socket. */
static enum outcome
mail_wait(struct connection *connection, int64_t deadline)
{
    deadline = connection_hurried(connection, deadline);
    if (connection->linger_us > 0) {
        mail_linger(connection);
    }
    while (mail_state(connection->mail, connection->box) == MAILBOX_ASKED) {
        const int64_t left = (deadline - connection_clock()) * 1000000;

        if (left <= 0 || connection_stands_still(connection)) {
            return OUTCOME_BROKEN;
        }
        mail_sleep(connection->mail, connection->box,
                   left < MAIL_SLEEP_NS ? (long)left : MAIL_SLEEP_NS);
        if (mail_state(connection->mail, connection->box) == MAILBOX_ASKED) {
            if (connection_is_stale(connection)) {
                break;
            }
            mail_ring(connection->mail, connection->box);
        }
    }
    /* Looked at once more: the reply may have come while we looked at the socket, or lie there. */
    return mail_state(connection->mail, connection->box) == MAILBOX_ASKED ? OUTCOME_DIED
                                                                          : OUTCOME_ANSWERED;
}

static enum outcome
mail_exchange(struct connection *connection, const uint8_t *header, view body, int64_t deadline,
              struct frame *ret_frame)
{
    struct mail *mail = connection->mail;
    enum mailbox_state state;
    enum outcome outcome;

    mail_put(mail, connection->box, view_of(header, FRAME_HEADER_LEN), body);
    outcome = mail_wait(connection, deadline);
    state = mail_state(mail, connection->box);
    if (outcome == OUTCOME_ANSWERED && state == MAILBOX_ANSWERED) {
        connection->reply_len =
            connection_grow(connection, mail_len(mail, connection->box))
                ? mail_get(mail, connection->box, connection->reply, connection->reply_size)
                : 0;
        if (connection->reply_len < FRAME_HEADER_LEN ||
            !frame_decode(connection->reply, ret_frame) ||
            connection->reply_len != FRAME_HEADER_LEN + ret_frame->body_len) {
            outcome = OUTCOME_BROKEN;
        }
    } else if (outcome == OUTCOME_ANSWERED && state != MAILBOX_ELSEWHERE) {
        outcome = OUTCOME_BROKEN; /* it was taken back */
    }
    mail_clear(mail, connection->box);
    return outcome == OUTCOME_ANSWERED && state == MAILBOX_ELSEWHERE
               ? connection_receive(connection, deadline, ret_frame)
               : outcome;
}

/* ---- one exchange ---- */

static enum outcome
socket_exchange(struct connection *connection, const uint8_t *header, view body, int64_t deadline,
                struct frame *ret_frame)
{
    if (!connection_send(connection, header, body, deadline)) {
        return errno == EPIPE || errno == ECONNRESET ? OUTCOME_DIED : OUTCOME_BROKEN;
    }
    return connection_receive(connection, deadline, ret_frame);
}

enum outcome
connection_exchange(struct connection *connection, const struct frame *request, view body,
                    int64_t deadline, struct frame *ret_reply)
{
    uint8_t header[FRAME_HEADER_LEN];
    struct frame reply;
    enum outcome outcome;

    frame_encode(request, header);
    connection_forget_reply(connection);
    connection->exchanges++;
    outcome = connection->mail != NULL && body.len <= MAILBOX_ROOM - FRAME_HEADER_LEN
                  ? mail_exchange(connection, header, body, deadline, &reply)
                  : socket_exchange(connection, header, body, deadline, &reply);
    if (outcome == OUTCOME_ANSWERED &&
        ((reply.flags & FRAME_REPLY) == 0 || reply.operation != request->operation ||
         reply.request != request->request)) {
        outcome = OUTCOME_BROKEN;
    }
    if (outcome != OUTCOME_ANSWERED) {
        connection_forget_reply(connection);
        connection_close(connection);
        return outcome;
    }
    *ret_reply = reply;
    return outcome;
}

view
connection_reply_body(const struct connection *connection)
{
    return view_slice(view_of(connection->reply, connection->reply_len), FRAME_HEADER_LEN,
                      FRAME_BODY_MAX);
}
