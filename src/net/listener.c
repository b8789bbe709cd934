/* SPDX-License-Identifier: Apache-2.0
 *
 * Listening sockets, and the first step of connecting.
 */
#include "net/link.h"

#include "base/clock.h"
#include "base/log.h"
#include "net/hosts.h"
#include "net/sieve.h"
#include "net/throttle.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024
/* Connections are taken a few at a time, a crowd of them at once and more at a rate: what they
 * cost is time of those who are in. Of one host fewer are taken (throttle.h). */
#define ACCEPTS_PER_ROUND 1u
#define ACCEPTS_AT_ONCE 64u
#define ACCEPTS_PER_MS 2u
#define ACCEPTS_PAUSE_MS 2u
/* A handshake costs more than the taking: of those there are fewer, whoever begins them. Hosts that
 * are known (hosts.h) have a share of their own; strangers wait for theirs, where there is room. */
#define HANDSHAKES_AT_ONCE 128u
#define HANDSHAKES_PER_SECOND 500u
#define WAITING_MAX 256u
#define WAITING_LOOK_MS 4u
#define SIEVE_LOOK_MS 50u
#define FULL_PAUSE_MS 100u
#define TELL_MS 10000u

/* Handshakes that may begin. */
struct share {
    uint64_t thousandths;
};

struct listener {
    struct loop *loop;
    struct event *event;
    struct timer *pause; /* runs while no connection is taken */
    bool full;           /* and said so */
    uint64_t counted_at; /* milliseconds: when .allowed was counted */
    uint64_t allowed;    /* connections that may come at this moment */
    struct share strangers;
    struct share known;
    struct hosts *hosts;     /* NULL: all are strangers */
    int waiting[WAITING_MAX]; /* strangers', a ring */
    size_t waiting_first;
    size_t waiting_count;
    struct timer *waiting_look; /* runs while there are any */
    struct sieve sieve;         /* those whom the throttle refused too often */
    struct timer *sieve_look;   /* runs while some are dropped */
    int fd;
    struct throttle *throttle; /* NULL: a Unix socket's hosts are all one */
    uint64_t refused;          /* connections, since .told */
    uint64_t told;             /* when the log last spoke of it */
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
    void (*accepted)(void *arg, int fd);
    void *arg;
};

static void
no_delay(int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static void
on_pause_over(void *arg)
{
    struct listener *listener = arg;

    timer_free(listener->pause);
    listener->pause = NULL;
    event_add(listener->event, NULL);
}

static void
listener_pause(struct listener *listener, unsigned ms)
{
    listener->pause = timer_new(listener->loop, ms, false, on_pause_over, listener);
    if (listener->pause != NULL) {
        event_del(listener->event);
    }
}

/* Out of descriptors or memory: the connection waits in the kernel's queue, and would wake us
 * again at once. */
static void
listener_full(struct listener *listener, int error)
{
    if (!listener->full) {
        log_wrn("no connection can be taken at the moment: %s", strerror(error));
        listener->full = true;
    }
    listener_pause(listener, FULL_PAUSE_MS);
}

static void
share_grow(struct share *share, uint64_t ms)
{
    share->thousandths += ms * HANDSHAKES_PER_SECOND;
    if (share->thousandths > HANDSHAKES_AT_ONCE * 1000u) {
        share->thousandths = HANDSHAKES_AT_ONCE * 1000u;
    }
}

static bool
share_take(struct share *share)
{
    if (share->thousandths < 1000) {
        return false;
    }
    share->thousandths -= 1000;
    return true;
}

/* How many may be taken now. */
static unsigned
listener_allows(struct listener *listener)
{
    uint64_t now = clock_ms(CLOCK_MONOTONIC);

    listener->allowed += (now - listener->counted_at) * ACCEPTS_PER_MS;
    if (listener->allowed > ACCEPTS_AT_ONCE) {
        listener->allowed = ACCEPTS_AT_ONCE;
    }
    share_grow(&listener->strangers, now - listener->counted_at);
    share_grow(&listener->known, now - listener->counted_at);
    listener->counted_at = now;
    return listener->allowed < ACCEPTS_PER_ROUND ? (unsigned)listener->allowed : ACCEPTS_PER_ROUND;
}

/* Closes a connection that is too many, at once and without a trace. */
static void
listener_refuse(struct listener *listener, int fd, const struct sockaddr *address, socklen_t len,
                bool greedy)
{
    const struct linger none = { 1, 0 };
    const uint64_t now = listener->counted_at;
    char host[64] = "?";

    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
    listener->refused++;
    if (listener->told != 0 && now - listener->told <= TELL_MS) {
        return;
    }
    (void)getnameinfo(address, len, host, sizeof host, NULL, 0, NI_NUMERICHOST);
    if (greedy) {
        log_wrn("%s opens connections faster than %u a second; %llu were refused", host,
                THROTTLE_PER_SECOND, (unsigned long long)listener->refused);
    } else {
        log_wrn("hosts that are not known, as %s, open connections faster than %u a second; %llu "
                "were refused", host, HANDSHAKES_PER_SECOND,
                (unsigned long long)listener->refused);
    }
    listener->refused = 0;
    listener->told = now;
}

/* Strangers that wait go on, the first to have come first. */
static void
on_waiting_look(void *arg)
{
    struct listener *listener = arg;

    (void)listener_allows(listener);
    while (listener->waiting_count > 0 && share_take(&listener->strangers)) {
        const int fd = listener->waiting[listener->waiting_first];

        listener->waiting_first = (listener->waiting_first + 1) % WAITING_MAX;
        listener->waiting_count--;
        listener->accepted(listener->arg, fd);
    }
    if (listener->waiting_count == 0) {
        timer_free(listener->waiting_look);
        listener->waiting_look = NULL;
    }
}

/* False: there is no room. */
static bool
listener_keep(struct listener *listener, int fd)
{
    if (listener->waiting_count == WAITING_MAX) {
        return false;
    }
    if (listener->waiting_look == NULL) {
        listener->waiting_look =
            timer_new(listener->loop, WAITING_LOOK_MS, true, on_waiting_look, listener);
    }
    if (listener->waiting_look == NULL) {
        return false;
    }
    listener->waiting[(listener->waiting_first + listener->waiting_count++) % WAITING_MAX] = fd;
    return true;
}

static void
on_sieve_look(void *arg)
{
    struct listener *listener = arg;

    sieve_look(&listener->sieve, listener->fd, clock_ms(CLOCK_MONOTONIC));
    if (listener->sieve.dropped == 0) {
        timer_free(listener->sieve_look);
        listener->sieve_look = NULL;
    }
}

/* Without the timer nobody would be let through again. */
static void
listener_sieve(struct listener *listener, const struct sockaddr *address)
{
    if (listener->sieve_look == NULL) {
        listener->sieve_look =
            timer_new(listener->loop, SIEVE_LOOK_MS, true, on_sieve_look, listener);
    }
    if (listener->sieve_look != NULL) {
        sieve_refused(&listener->sieve, listener->fd, address, listener->counted_at);
    }
}

/* Whose handshake may begin does; else it waits, or is refused. */
static void
listener_take(struct listener *listener, int fd, const struct sockaddr *address, socklen_t len)
{
    const uint64_t now = listener->counted_at;

    if (!throttle_allows(listener->throttle, address, now)) {
        listener_refuse(listener, fd, address, len, true);
        listener_sieve(listener, address);
        return;
    }
    sieve_lift(&listener->sieve, fd);
    no_delay(fd);
    if ((listener->hosts != NULL && hosts_know(listener->hosts, address, now) &&
         share_take(&listener->known)) ||
        (listener->waiting_count == 0 && share_take(&listener->strangers))) {
        listener->accepted(listener->arg, fd);
    } else if (!listener_keep(listener, fd)) {
        listener_refuse(listener, fd, address, len, false);
    }
}

static void
on_accept(evutil_socket_t fd, short what, void *arg)
{
    struct listener *listener = arg;
    unsigned allowed = listener_allows(listener);

    UNUSED(what);
    for (unsigned i = 0; i < allowed; i++) {
        struct sockaddr_storage storage;
        struct sockaddr *address = (struct sockaddr *)&storage;
        socklen_t len = sizeof storage;
        int peer = accept4(fd, address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (peer < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
                listener_full(listener, errno);
            } else if (errno == EAGAIN) {
                listener->full = false;
            } else if (errno != EINTR && errno != ECONNABORTED) {
                log_wrn("accept: %s", strerror(errno));
            }
            return;
        }
        listener->allowed--;
        if (listener->throttle != NULL) {
            listener_take(listener, peer, address, len);
        } else {
            listener->accepted(listener->arg, peer);
        }
    }
    if (listener->allowed == 0) {
        listener_pause(listener, ACCEPTS_PAUSE_MS);
    }
}

static struct listener *
listener_start(struct loop *loop, int fd, const char *name, void (*accepted)(void *arg, int fd),
               void *arg)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (listener == NULL) {
        close(fd);
        return NULL;
    }
    listener->loop = loop;
    listener->fd = fd;
    listener->accepted = accepted;
    listener->arg = arg;
    if (listen(fd, BACKLOG) != 0) {
        log_err("cannot listen on %s: %s", name, strerror(errno));
        listener_free(listener);
        return NULL;
    }
    listener->event = event_new(loop_base(loop), fd, EV_READ | EV_PERSIST, on_accept, listener);
    if (listener->event == NULL || event_add(listener->event, NULL) != 0) {
        listener_free(listener);
        return NULL;
    }
    return listener;
}

/* "host:port" or "[v6]:port" into its parts. */
static bool
address_split(const char *address, char *host, size_t host_size, const char **ret_port)
{
    const char *colon = strrchr(address, ':');
    size_t len;

    if (colon == NULL || colon == address) {
        return false;
    }
    len = (size_t)(colon - address);
    if (address[0] == '[' && address[len - 1] == ']') {
        address++;
        len -= 2;
    }
    if (len >= host_size) {
        return false;
    }
    memcpy(host, address, len);
    host[len] = '\0';
    *ret_port = colon + 1;
    return true;
}

struct listener *
listener_new(struct loop *loop, const char *address, void (*accepted)(void *arg, int fd),
             void *arg)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                    .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    struct listener *listener;
    char host[128];
    const char *port;
    const int on = 1;
    int fd, error;

    if (!address_split(address, host, sizeof host, &port)) {
        log_err("listen address %s: want HOST:PORT", address);
        return NULL;
    }
    error = getaddrinfo(host, port, &hints, &found);
    if (error != 0) {
        log_err("listen address %s: %s", address, gai_strerror(error));
        return NULL;
    }
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0) {
        const bool taken = errno == EADDRINUSE;

        log_err("cannot listen on %s: %s%s", address, strerror(errno),
                taken ? "; stop what has it, or set another port in the configuration" : "");
        if (fd >= 0) {
            close(fd);
        }
        freeaddrinfo(found);
        return NULL;
    }
    freeaddrinfo(found);
    listener = listener_start(loop, fd, address, accepted, arg);
    if (listener != NULL) {
        listener->throttle = throttle_new();
        if (listener->throttle == NULL) {
            listener_free(listener);
            listener = NULL;
        }
    }
    return listener;
}

/* Is somebody listening there? A file that nobody listens on is left from before. */
static bool
socket_is_alive(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool alive;

    if (fd < 0) {
        return false;
    }
    alive = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ||
            errno == EAGAIN;
    close(fd);
    return alive;
}

struct listener *
listener_unix_new(struct loop *loop, const char *path, unsigned mode,
                  void (*accepted)(void *arg, int fd), void *arg)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct listener *listener;
    mode_t old_mask;
    int fd, result;

    if (strlen(path) >= sizeof address.sun_path) {
        log_err("socket path %s: longer than %zu bytes", path, sizeof address.sun_path - 1);
        return NULL;
    }
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (socket_is_alive(&address)) {
        log_err("another daemon listens on %s; stop it or use another daemon_id", path);
        return NULL;
    }
    (void)unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        log_err("cannot listen on %s: %s", path, strerror(errno));
        return NULL;
    }
    old_mask = umask(0177); /* nobody comes in before the mode is what it should be */
    result = bind(fd, (const struct sockaddr *)&address, sizeof address);
    umask(old_mask);
    if (result != 0 || chmod(path, mode) != 0) {
        log_err("cannot listen on %s: %s", path, strerror(errno));
        close(fd);
        return NULL;
    }
    listener = listener_start(loop, fd, path, accepted, arg);
    if (listener != NULL) {
        memcpy(listener->path, path, strlen(path) + 1);
    }
    return listener;
}

unsigned
listener_port(const struct listener *listener)
{
    struct sockaddr_storage address;
    socklen_t len = sizeof address;

    if (getsockname(listener->fd, (struct sockaddr *)&address, &len) != 0) {
        return 0;
    }
    if (address.ss_family == AF_INET6) {
        return ntohs(((struct sockaddr_in6 *)&address)->sin6_port);
    }
    return ntohs(((struct sockaddr_in *)&address)->sin_port);
}

void
listener_hosts(struct listener *listener, struct hosts *hosts)
{
    listener->hosts = hosts;
}

void
listener_free(struct listener *listener)
{
    if (listener == NULL) {
        return;
    }
    timer_free(listener->pause);
    timer_free(listener->waiting_look);
    timer_free(listener->sieve_look);
    for (size_t i = 0; i < listener->waiting_count; i++) {
        close(listener->waiting[(listener->waiting_first + i) % WAITING_MAX]);
    }
    if (listener->event != NULL) {
        event_free(listener->event);
    }
    /* While it still listens the path is ours; afterwards it may be a successor's. */
    if (listener->path[0] != '\0') {
        (void)unlink(listener->path);
    }
    throttle_free(listener->throttle);
    close(listener->fd);
    free(listener);
}

int
link_connect(const char *host, unsigned port)
{
    const struct addrinfo hints = { .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char service[8];
    int fd, error;

    snprintf(service, sizeof service, "%u", port % 65536u);
    error = getaddrinfo(host, service, &hints, &found);
    if (error != 0) {
        log_wrn("host %s: %s", host, gai_strerror(error));
        return -1;
    }
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0) {
        no_delay(fd);
        if (connect(fd, found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS) {
            log_dbg("connect to %s:%u: %s", host, port, strerror(errno));
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(found);
    return fd;
}
