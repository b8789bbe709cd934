/* SPDX-License-Identifier: Apache-2.0
 *
 * For between.c: what stands between library and daemon, or daemon and node, and befalls what they
 * say. arm() says what befalls the next request of an operation, or its reply.
 */
#ifndef TESTS_SYSTEM_PROXY_H
#define TESTS_SYSTEM_PROXY_H

#include "p11.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER_LEN 48u
#define BODY_MAX (256u * 1024u)
#define RECORD_MAX (1u << 20)

/* docs/protocol.md */
enum operation {
    HELLO = 1,
    LOGIN = 10,
    LOGOUT = 11,
    CREATE = 31,
    GENERATE = 40,
    SIGN = 52,
    START = 60,
    UPDATE = 61,
    FINAL = 62
};

enum manner { FAITHFUL, CUT_REPLY, CUT_REQUEST, CRUMBS, SILENT };

static const char *daemon_path;
static int node_port;
static atomic_int manner, armed; /* the operation that it befalls, once */
static atomic_size_t cut_at;
static atomic_size_t request_len, reply_len; /* of the last frame of any kind */
static atomic_uint befell;

/* What the library sent, frame after frame. */
static uint8_t record[RECORD_MAX];
static size_t record_len;
static pthread_mutex_t record_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- sockets ---- */

static bool
read_all(int fd, void *out, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t got = recv(fd, (uint8_t *)out + at, len - at, 0);

        if (got <= 0) {
            return false;
        }
        at += (size_t)got;
    }
    return true;
}

static bool
send_all(int fd, const uint8_t *bytes, size_t len, size_t step)
{
    for (size_t at = 0; at < len;) {
        ssize_t sent = send(fd, bytes + at, len - at < step ? len - at : step, MSG_NOSIGNAL);

        if (sent <= 0) {
            return false;
        }
        at += (size_t)sent;
    }
    return true;
}

static uint32_t
load(const uint8_t *bytes, size_t width)
{
    uint32_t value = 0;

    for (size_t i = width; i > 0; i--) {
        value = value << 8 | bytes[i - 1];
    }
    return value;
}

/* One frame; 0 when there is none. */
static size_t
frame_read(int fd, uint8_t *frame)
{
    size_t len;

    if (!read_all(fd, frame, HEADER_LEN) || (len = load(frame, 4)) > BODY_MAX ||
        !read_all(fd, frame + HEADER_LEN, len)) {
        return 0;
    }
    return HEADER_LEN + len;
}

static int
connect_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static struct sockaddr_in
local(int port)
{
    return (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                 .sin_addr = { htonl(INADDR_LOOPBACK) } };
}

/* ---- the proxy ---- */

static void
note(const uint8_t *frame, size_t len)
{
    pthread_mutex_lock(&record_lock);
    if (len <= sizeof record - record_len) {
        memcpy(record + record_len, frame, len);
        record_len += len;
    }
    pthread_mutex_unlock(&record_lock);
}

/* One request and its reply; false ends the connection. */
static bool
relay(int library, int daemon, uint8_t *frame)
{
    size_t len = frame_read(library, frame);
    int operation = (int)load(frame + 4, 2), befalls = operation;
    int how = FAITHFUL;

    if (len == 0) {
        return false;
    }
    note(frame, len);
    if (atomic_compare_exchange_strong(&armed, &befalls, 0)) {
        how = manner;
        befell++;
        request_len = len;
    }
    if (how == CUT_REQUEST) {
        send_all(daemon, frame, cut_at < len ? cut_at : len, SIZE_MAX);
        return false;
    }
    if (!send_all(daemon, frame, len, SIZE_MAX) || (len = frame_read(daemon, frame)) == 0) {
        return false;
    }
    reply_len = how == FAITHFUL ? (size_t)reply_len : len;
    if (how == CUT_REPLY) {
        send_all(library, frame, cut_at < len ? cut_at : len, SIZE_MAX);
        return false;
    }
    if (how == SILENT) {
        return read_all(library, frame, 1);
    }
    return send_all(library, frame, len, how == CRUMBS ? 1 : SIZE_MAX);
}

static void *
relay_run(void *arg)
{
    int library = *(int *)arg, daemon = connect_unix(daemon_path);
    uint8_t *frame = malloc(HEADER_LEN + BODY_MAX);

    free(arg);
    while (daemon >= 0 && relay(library, daemon, frame)) {
    }
    close(library);
    close(daemon);
    free(frame);
    return NULL;
}

/* TLS is not looked into: so many bytes of the node's go through after it was armed. */
static void *
pass_run(void *arg)
{
    struct sockaddr_in address = local(node_port);
    int node = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), daemon = *(int *)arg;
    struct pollfd entries[] = { { .fd = daemon, .events = POLLIN },
                                { .fd = node, .events = POLLIN } };
    bool goes = connect(node, (struct sockaddr *)&address, sizeof address) == 0;
    uint8_t bytes[16384];

    free(arg);
    while (goes && poll(entries, 2, -1) > 0) {
        for (size_t i = 0; i < 2 && goes; i++) {
            int befalls = SIGN;
            ssize_t got;
            size_t len;

            if (entries[i].revents == 0) {
                continue;
            }
            got = recv(entries[i].fd, bytes, sizeof bytes, 0);
            len = got > 0 ? (size_t)got : 0;
            goes = got > 0;
            if (goes && armed != 0 && (manner == CUT_REPLY) == (i == 1)) {
                if (cut_at < len) {
                    len = cut_at;
                    goes = false;
                    befell += atomic_compare_exchange_strong(&armed, &befalls, 0);
                } else {
                    cut_at -= len;
                }
            }
            goes = send_all(entries[1 - i].fd, bytes, len, SIZE_MAX) && goes;
        }
    }
    close(daemon);
    close(node);
    return NULL;
}

struct listener {
    int fd;
    void *(*run)(void *);
};

static void *
listener_run(void *arg)
{
    struct listener *listener = arg;

    for (;;) {
        int *fd = malloc(sizeof *fd);
        pthread_t thread;

        *fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);
        if (*fd >= 0 && pthread_create(&thread, NULL, listener->run, fd) == 0) {
            pthread_detach(thread);
        }
    }
    return NULL;
}

static void
listener_start(int fd, const struct sockaddr *address, socklen_t len, void *(*run)(void *))
{
    static struct listener listener;
    int one = 1;
    pthread_t thread;

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address, len) != 0 || listen(fd, 64) != 0) {
        die("the proxy cannot listen");
    }
    listener = (struct listener){ fd, run };
    pthread_create(&thread, NULL, listener_run, &listener);
}

static void
arm(enum manner how, int operation, size_t at)
{
    manner = how;
    cut_at = at;
    armed = operation;
}

#endif
