/* SPDX-License-Identifier: Apache-2.0
 *
 * A hostile neighbour of a socket.
 *
 *   hostile KIND TARGET COUNT SECONDS [SOURCE]
 *   hostile sink TARGET... SECONDS
 *
 * TARGET is a path or HOST:PORT. SOURCE is the address to come from; with its last part 0, 65,536 of them.
 * Kinds, each for at most SECONDS:
 *
 *   garbage      COUNT times: random bytes until the other side closes
 *   truncated    COUNT times: the beginning of something good, then the end
 *   oversized    COUNT times: a frame that claims to be 4 GiB long
 *   half-closed  COUNT connections: a beginning, our direction closed, then waiting
 *   slow         COUNT connections: one byte a second of something good
 *   many         COUNT connections, held
 *   hello        COUNT times: the beginning of a good handshake, which makes the server work, then the end
 *   deaf         COUNT connections: says HELLO and asks without end, and never reads
 *   mailbox      COUNT contexts: take a mailbox each, and keep to none of its rules
 *
 * sink is somebody else whom they attack, to tell what their own work costs: it takes connections, and closes
 * each at its first bytes. Its TARGETs are HOST:0, or paths; it prints the first lines' ports.
 * Prints one line: connections made, connections that the other side ended.
 */
#include "wire/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HEADER 48u
#define HELLO_LEN 51u /* of a process without ticket, page and certificate storage */

static union {
    struct sockaddr any;
    struct sockaddr_un path;
    struct sockaddr_in host;
} target;
static socklen_t target_len;
static struct sockaddr_in source; /* family 0: any */
static uint64_t end;
static unsigned long made, ended, unheard;
static int patience_ms; /* 0: without end */

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void
target_set(const char *text)
{
    const char *colon = strrchr(text, ':');

    memset(&target, 0, sizeof target);
    if (text[0] == '/' || colon == NULL) {
        target.path.sun_family = AF_UNIX;
        snprintf(target.path.sun_path, sizeof target.path.sun_path, "%s", text);
        target_len = sizeof target.path;
    } else {
        target.host.sin_family = AF_INET;
        target.host.sin_port = htons((uint16_t)atoi(colon + 1));
        target.host.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        target_len = sizeof target.host;
    }
}

/* Who opens connections one by one does not wait for one that is not heard. */
static bool
is_not_heard(int fd)
{
    struct pollfd entry = { .fd = fd, .events = POLLOUT };

    return patience_ms > 0 && poll(&entry, 1, patience_ms) == 0;
}

/* -1 when it is refused. */
static int
dial(void)
{
    int fd = socket(target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return -1;
    }
    if (source.sin_family != 0 && target.any.sa_family == AF_INET) {
        struct sockaddr_in from = source;

        if ((ntohl(from.sin_addr.s_addr) & 0xff) == 0) {
            from.sin_addr.s_addr = htonl(ntohl(from.sin_addr.s_addr) | ((uint32_t)random() & 0xffff));
        }
        (void)!bind(fd, (struct sockaddr *)&from, sizeof from);
    }
    while (connect(fd, &target.any, target_len) != 0 && errno != EINPROGRESS) {
        if (errno != EAGAIN || now_ms() > end) {
            close(fd);
            return -1;
        }
        usleep(1000);
    }
    if (is_not_heard(fd)) {
        unheard++;
        close(fd);
        return -1;
    }
    made++;
    return fd;
}

/* Until the other side closes, or the time is over. */
static bool
wait_closed(int fd)
{
    uint8_t sink[4096];

    while (now_ms() < end) {
        struct pollfd entry = { .fd = fd, .events = POLLIN };

        if (poll(&entry, 1, 100) > 0) {
            ssize_t got = recv(fd, sink, sizeof sink, 0);

            if (got == 0 || (got < 0 && errno != EAGAIN)) {
                ended++;
                return true;
            }
        }
    }
    return false;
}

static void
put_u32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

/* HELLO of a context of its own; on a TLS port, the beginning of a record. */
static size_t
something_good(uint8_t out[128])
{
    static uint32_t number;

    memset(out, 0, 128);
    if (target.any.sa_family == AF_INET) {
        static const uint8_t hello[] = { 0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3 };

        memcpy(out, hello, sizeof hello);
        return 128;
    }
    put_u32(out, HELLO_LEN); /* body */
    out[4] = 1;       /* HELLO */
    out[24] = 1;      /* request */
    put_u32(out + HEADER, 1);
    put_u32(out + HEADER + 4, 16);
    put_u32(out + HEADER + 8, (uint32_t)getpid());
    put_u32(out + HEADER + 12, ++number);
    return HEADER + HELLO_LEN;
}

static void
garbage(unsigned count)
{
    uint8_t bytes[8192];

    for (unsigned i = 0; i < count && now_ms() < end; i++) {
        int fd = dial();

        for (size_t k = 0; k < sizeof bytes; k++) {
            bytes[k] = (uint8_t)random();
        }
        if (fd >= 0) {
            (void)!send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
            (void)wait_closed(fd);
            close(fd);
        }
    }
}

static void
truncated(unsigned count)
{
    uint8_t bytes[128];

    for (unsigned i = 0; i < count && now_ms() < end; i++) {
        int fd = dial();
        size_t len = something_good(bytes);

        if (fd >= 0) {
            (void)!send(fd, bytes, i % len, MSG_NOSIGNAL);
            close(fd);
        }
    }
}

/* ClientHello of TLS 1.3 with a share on X25519. */
static size_t
client_hello(uint8_t out[256])
{
    static const uint8_t begin[] = { 0x16, 3, 1, 0, 0, 1, 0, 0, 0, 3, 3 };
    static const uint8_t middle[] = {
        0, 6, 0x13, 1, 0x13, 2, 0x13, 3, 1, 0, 0, 74,
        0, 10, 0, 4, 0, 2, 0, 29,
        0, 13, 0, 10, 0, 8, 4, 3, 8, 4, 8, 5, 4, 1,
        0, 43, 0, 3, 2, 3, 4,
        0, 51, 0, 38, 0, 36, 0, 29, 0, 32,
    };
    uint8_t *at = out;

    memcpy(at, begin, sizeof begin);
    at += sizeof begin;
    for (int i = 0; i < 32; i++) {
        *at++ = (uint8_t)random();
    }
    *at++ = 0; /* no session */
    memcpy(at, middle, sizeof middle);
    at += sizeof middle;
    for (int i = 0; i < 32; i++) {
        *at++ = (uint8_t)random();
    }
    size_t len = (size_t)(at - out);

    out[4] = (uint8_t)(len - 5);
    out[8] = (uint8_t)(len - 9);
    out[len - 32 - sizeof middle + 11] = (uint8_t)(sizeof middle - 12 + 32);
    return len;
}

static void
hello(unsigned count)
{
    uint8_t bytes[256], sink[4096];
    unsigned long answered = 0;

    for (unsigned i = 0; i < count && now_ms() < end; i++) {
        int fd = dial();
        size_t len = client_hello(bytes);
        struct pollfd entry = { .fd = fd, .events = POLLIN };

        if (fd >= 0) {
            (void)!send(fd, bytes, len, MSG_NOSIGNAL);
            if (poll(&entry, 1, 1000) > 0 && recv(fd, sink, sizeof sink, 0) > 100) {
                answered++;
            }
            close(fd);
        }
    }
    printf("answered %lu times, ", answered);
}

static void
oversized(unsigned count)
{
    uint8_t bytes[128];

    for (unsigned i = 0; i < count && now_ms() < end; i++) {
        int fd = dial();

        (void)something_good(bytes);
        put_u32(bytes, 0xffffffffu);
        if (fd >= 0) {
            (void)!send(fd, bytes, sizeof bytes, MSG_NOSIGNAL);
            (void)wait_closed(fd);
            close(fd);
        }
    }
}

/* Waits on all of them; byte_each_second: says the next byte of something good meanwhile. */
static void
hold(int *fds, unsigned count, bool byte_each_second)
{
    uint8_t bytes[128], sink[4096];
    size_t len = something_good(bytes);
    struct pollfd *entries = calloc(count, sizeof *entries);
    size_t at = 0;

    while (now_ms() < end) {
        for (unsigned i = 0; i < count; i++) {
            entries[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        }
        if (poll(entries, count, 1000) > 0) {
            for (unsigned i = 0; i < count; i++) {
                if (entries[i].revents != 0) {
                    ssize_t got = recv(fds[i], sink, sizeof sink, 0);

                    if (got == 0 || (got < 0 && errno != EAGAIN)) {
                        ended++;
                        close(fds[i]);
                        fds[i] = -1;
                    }
                }
            }
            usleep(100000);
        }
        if (byte_each_second && at < len) {
            for (unsigned i = 0; i < count; i++) {
                (void)!send(fds[i], bytes + at, 1, MSG_NOSIGNAL);
            }
            at++;
            sleep(1);
        }
    }
    free(entries);
}

static void
open_many(unsigned count, bool half, bool slow)
{
    int *fds = calloc(count, sizeof *fds);
    uint8_t bytes[128];

    for (unsigned i = 0; i < count; i++) {
        fds[i] = dial();
        if (half && fds[i] >= 0) {
            (void)something_good(bytes);
            (void)!send(fds[i], bytes, 20, MSG_NOSIGNAL);
            shutdown(fds[i], SHUT_WR);
        }
    }
    hold(fds, count, slow);
    free(fds);
}

/* Asks for the token's name, 48 bytes each time. */
static void
deaf(unsigned count)
{
    uint8_t bytes[128], ask[HEADER * 64] = { 0 };
    int *fds = calloc(count, sizeof *fds);
    size_t *sent = calloc(count, sizeof *sent);
    size_t total = 0;

    for (size_t i = 0; i < 64; i++) {
        ask[i * HEADER + 4] = 5;                 /* TOKEN */
        ask[i * HEADER + 24] = (uint8_t)(i + 1); /* numbers come again and again */
        ask[i * HEADER + 25] = 1;
    }
    for (unsigned i = 0; i < count; i++) {
        size_t len = something_good(bytes);

        fds[i] = dial();
        (void)!send(fds[i], bytes, len, MSG_NOSIGNAL);
    }
    while (now_ms() < end) {
        for (unsigned i = 0; i < count; i++) {
            if (fds[i] < 0) {
                continue;
            }

            size_t at = sent[i] % sizeof ask;
            ssize_t more = send(fds[i], ask + at, sizeof ask - at, MSG_NOSIGNAL | MSG_DONTWAIT);

            if (more > 0) {
                sent[i] += (size_t)more;
                total += (size_t)more;
            } else if (more < 0 && errno != EAGAIN) {
                ended++;
                close(fds[i]);
                fds[i] = -1;
            }
        }
        usleep(1000);
    }
    printf("asked %zu times, ", total / HEADER);
    free(fds);
    free(sent);
}

/* ---- mailboxes ---- */

static struct holder {
    uint32_t context; /* 0: none yet */
    int fd, memory_fd, bell;
    struct mailroom_memory *memory; /* NULL: it has none */
    uint32_t number;
} *holders;
static unsigned long given, refused, tricks;

static void
holder_end(struct holder *h)
{
    if (h->memory != NULL) {
        munmap(h->memory, sizeof *h->memory);
        close(h->memory_fd);
        close(h->bell);
    }
    if (h->fd >= 0) {
        close(h->fd);
    }
    *h = (struct holder){ .context = h->context, .fd = -1 };
}

/* The reply to MAILBOX, and what comes with it. */
static bool
holder_hears(struct holder *h)
{
    uint8_t bytes[256];
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec part = { bytes, sizeof bytes };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };
    struct pollfd entry = { .fd = h->fd, .events = POLLIN };
    ssize_t got;
    int fds[2];

    if (poll(&entry, 1, 2000) <= 0 ||
        (got = recvmsg(h->fd, &message, MSG_CMSG_CLOEXEC)) < (ssize_t)HEADER) {
        return false;
    }
    if (message.msg_controllen < CMSG_LEN(sizeof fds) || got < (ssize_t)HEADER + 4) {
        refused += bytes[4] == 7;
        return bytes[4] == 7;
    }
    memcpy(fds, CMSG_DATA(&control.head), sizeof fds);
    memcpy(&h->number, bytes + HEADER, sizeof h->number);
    h->memory_fd = fds[0];
    h->bell = fds[1];
    h->memory = mmap(NULL, sizeof *h->memory, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    if (h->memory == MAP_FAILED || h->number >= MAILBOXES) {
        h->memory = NULL;
        return false;
    }
    given++;
    return true;
}

static void
holder_begin(struct holder *h)
{
    uint8_t bytes[128], mailbox[HEADER] = { 0 }, sink[256];
    size_t len = something_good(bytes);
    struct pollfd entry;

    /* Of the same context again and again: who comes back soon finds its mailboxes. */
    if (h->context == 0) {
        memcpy(&h->context, bytes + HEADER + 12, sizeof h->context);
    }
    put_u32(bytes + HEADER + 12, h->context);
    mailbox[4] = 7;
    mailbox[24] = 2;
    h->fd = dial();
    entry = (struct pollfd){ .fd = h->fd, .events = POLLIN };
    if (h->fd < 0 || send(h->fd, bytes, len, MSG_NOSIGNAL) < 0 || poll(&entry, 1, 2000) <= 0 ||
        recv(h->fd, sink, sizeof sink, 0) < (ssize_t)HEADER ||
        send(h->fd, mailbox, sizeof mailbox, MSG_NOSIGNAL) < 0 || !holder_hears(h)) {
        holder_end(h);
    }
}

static void
holder_rings(struct holder *h, unsigned count)
{
    const uint64_t one = 1;

    for (unsigned i = 0; i < count; i++) {
        (void)!write(h->bell, &one, sizeof one);
    }
}

/* One of the things that are not done. */
static void
holder_plays(struct holder *h)
{
    struct mailbox *box = &h->memory->boxes[h->number];
    uint8_t ask[HEADER] = { 0 };
    unsigned trick = (unsigned)random() % 12;

    tricks++;
    ask[4] = 5; /* TOKEN */
    ask[24] = (uint8_t)(tricks % 200 + 3);
    memcpy(box->frame, ask, sizeof ask);
    box->len = HEADER;
    atomic_store(&box->state, MAILBOX_ASKED);
    switch (trick) {
    case 0:
        box->len = (uint32_t)random();
        break;
    case 1:
        atomic_store(&box->state, (uint32_t)random() % 8);
        break;
    case 2:
        memset(box->frame, (int)random(), sizeof box->frame);
        break;
    case 3:
        atomic_fetch_or(&h->memory->asked, ~(UINT64_C(1) << h->number));
        break;
    case 4:
        (void)!fallocate(h->memory_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                         (off_t)sizeof *h->memory);
        (void)!ftruncate(h->memory_fd, 0);
        break;
    case 5:
        holder_rings(h, 1000);
        break;
    case 6: /* and never hears of it */
        for (int i = 0; i < 1000; i++) {
            ask[4] = 7;
            (void)!send(h->fd, ask, sizeof ask, MSG_NOSIGNAL | MSG_DONTWAIT);
        }
        break;
    case 7:
        box->len = HEADER / 2;
        break;
    default: /* as it should be; or the second before the answer to the first */
        break;
    }
    atomic_fetch_or(&h->memory->asked, UINT64_C(1) << h->number);
    holder_rings(h, 1);
    if (trick == 8) {
        holder_end(h);
    }
    for (int i = 0; trick == 9 && i < 10000; i++) {
        box->len = i % 2 == 0 ? HEADER : UINT32_MAX;
        memset(box->frame, i, HEADER);
    }
}

static void
mailbox(unsigned count)
{
    uint8_t early[HEADER] = { 0 };
    char byte;

    holders = calloc(count, sizeof *holders);
    early[4] = 7;
    early[24] = 1;
    for (unsigned i = 0; i < count; i++) {
        holders[i].fd = -1;
    }
    for (unsigned i = 0; now_ms() < end; i = (i + 1) % count) {
        struct holder *h = &holders[i];
        ssize_t got = h->fd < 0 ? 0 : recv(h->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

        if (h->fd < 0) {
            holder_begin(h);
        } else if (got == 0 || (got < 0 && errno != EAGAIN)) {
            ended++;
            holder_end(h);
        } else if (h->memory != NULL) {
            holder_plays(h);
        } else if (random() % 100 == 0) {
            holder_end(h);
        }
        if (i == 0) {
            int fd = dial(); /* MAILBOX, and it did not say who it is */

            (void)!send(fd, early, sizeof early, MSG_NOSIGNAL);
            close(fd);
        }
    }
    printf("mailboxes given %lu, refused %lu, tricks %lu, ", given, refused, tricks);
}

/* Takes what comes until the time is over. */
static int
sink(char **targets, int count)
{
    enum { MANY = 20000 };
    struct pollfd *entries = calloc(MANY, sizeof *entries);
    nfds_t used = 0;
    uint8_t bytes[65536];

    for (int i = 0; i < count; i++) {
        int fd;

        target_set(targets[i]);
        fd = socket(target.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || bind(fd, &target.any, target_len) != 0 || listen(fd, 1024) != 0) {
            perror(targets[i]);
            return 1;
        }
        target_len = sizeof target;
        if (target.any.sa_family == AF_INET && getsockname(fd, &target.any, &target_len) == 0) {
            printf("127.0.0.1:%u\n", ntohs(target.host.sin_port));
        }
        entries[used++] = (struct pollfd){ .fd = fd, .events = POLLIN };
    }
    puts("listening");
    fflush(stdout);
    while (now_ms() < end) {
        nfds_t had = used;

        if (poll(entries, used, 100) <= 0) {
            continue;
        }
        for (nfds_t i = had; i-- > (nfds_t)count;) {
            if (entries[i].revents != 0 && (recv(entries[i].fd, bytes, sizeof bytes, 0) >= 0 || errno != EAGAIN)) {
                close(entries[i].fd);
                entries[i] = entries[--used];
            }
        }
        for (int i = 0; i < count; i++) {
            for (int k = 0; k < 8 && used < MANY && entries[i].revents != 0; k++) {
                int fd = accept4(entries[i].fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

                if (fd < 0) {
                    break;
                }
                entries[used++] = (struct pollfd){ .fd = fd, .events = POLLIN };
            }
        }
    }
    free(entries);
    return 0;
}

int
main(int argc, char **argv)
{
    struct rlimit files;
    unsigned count;

    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    signal(SIGPIPE, SIG_IGN);
    if (argc > 3 && strcmp(argv[1], "sink") == 0) {
        end = now_ms() + 1000u * (uint64_t)atoi(argv[argc - 1]);
        return sink(argv + 2, argc - 3);
    }
    if (argc == 6) {
        source.sin_family = AF_INET;
        source.sin_addr.s_addr = inet_addr(argv[5]);
    }
    if (argc != 5 && argc != 6) {
        fputs("usage: hostile KIND TARGET COUNT SECONDS\n", stderr);
        return 2;
    }
    target_set(argv[2]);
    count = (unsigned)atoi(argv[3]);
    end = now_ms() + 1000u * (uint64_t)atoi(argv[4]);
    if (target.any.sa_family == AF_INET && strchr("gho", argv[1][0]) != NULL &&
        strcmp(argv[1], "half-closed") != 0) {
        patience_ms = 5;
    }
    if (strcmp(argv[1], "garbage") == 0) {
        garbage(count);
    } else if (strcmp(argv[1], "truncated") == 0) {
        truncated(count);
    } else if (strcmp(argv[1], "hello") == 0) {
        hello(count);
    } else if (strcmp(argv[1], "oversized") == 0) {
        oversized(count);
    } else if (strcmp(argv[1], "half-closed") == 0) {
        open_many(count, true, false);
    } else if (strcmp(argv[1], "slow") == 0) {
        open_many(count, false, true);
    } else if (strcmp(argv[1], "many") == 0) {
        open_many(count, false, false);
    } else if (strcmp(argv[1], "deaf") == 0) {
        deaf(count);
    } else if (strcmp(argv[1], "mailbox") == 0) {
        mailbox(count);
    } else {
        return 2;
    }
    printf("%s: %lu connections, %lu ended by the other side; %lu were not heard\n", argv[1], made, ended, unheard);
    return 0;
}
