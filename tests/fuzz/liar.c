/* SPDX-License-Identifier: Apache-2.0
 *
 * The connections, and what becomes of a reply on its way. What it says is in lies.c.
 */
#include "fuzz/liar.h"

#include "api/appcfg.h"
#include "api/call.h"
#include "api/client_private.h"
#include "api/connection.h"
#include "api/local.h"
#include "fuzz/fuzz.h"
#include "fuzz/liar_mail.h"
#include "fuzz/lies.h"
#include "wire/page.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define FD_FIRST 1000000 /* numbers that are no files */
#define LINES 70
#define SLACK_MS 60
#define CONNECT_MS 500 /* what a refusal takes: the daemon's end is not to be waited for */
#define STEP_MS 4   /* up to 255 of them for each byte of a slow reply */
#define LIMIT_MS CONNECTION_LIMIT_MS
#define LIMIT_STORE_MS 16000
#define LIMIT_SLOW_MS 65000
#define LIMIT_RENEW_MS 1000
#define LIMIT_LOCAL_MS 12000 /* more, where session objects are asked for */
#define LIMIT_MAIL_MS 1000   /* more, where the connection of a renewal asks for a mailbox */
#define MAIL_AFTER 64u       /* exchanges: then the library asks for a mailbox */
#define MAIL_AT 5u           /* so many calls make it so many here */

struct line {
    bool used;
    struct writer in;
    struct writer out;
    size_t at;       /* of out: received by the library */
    size_t step;     /* bytes that one recv gives */
    int64_t step_ms; /* what it takes */
    bool closes;     /* after out; else silence */
    bool has_box;
    uint32_t box;
    bool brings_mail; /* the next bytes do */
};

static struct {
    struct reader *input;
    struct line lines[LINES];
    int open;
    unsigned trips;
    unsigned calls;
    uint64_t last;
    unsigned refusals; /* so many connects fail */
    int64_t now_ms;
} liar;

uint8_t
liar_u8(void)
{
    uint8_t value = 0;

    (void)read_u8(liar.input, &value);
    return value;
}

uint32_t
liar_u32(void)
{
    uint32_t value = 0;

    (void)read_u32(liar.input, &value);
    return value;
}

view
liar_bytes(size_t max)
{
    view bytes = VIEW_EMPTY;
    size_t len = size_min(size_min(liar_u8(), max), liar.input->left);

    (void)read_raw(liar.input, len, &bytes);
    return bytes;
}

size_t
liar_len(size_t near)
{
    uint8_t b = liar_u8();

    switch (b >> 4) {
    case 0:
        return near + (b & 15) + 1;
    case 1:
        return near - size_min(near, (b & 15) + 1u);
    case 2:
        return b & 15;
    case 3:
        return 16u << (b & 15);
    case 4:
        return liar_u32() & 0x1ffff;
    default:
        return near;
    }
}

int
liar_open(void)
{
    return liar.open;
}

unsigned
liar_trips(void)
{
    return liar.trips;
}

void
liar_begin(struct reader *input)
{
    liar.input = input;
    liar.trips = 0;
    liar.calls = 0;
    liar.last = 0;
    liar.refusals = 0;
    mail_forget();
}

static void
line_end(struct line *line)
{
    writer_clear(&line->in);
    writer_clear(&line->out);
    line->used = false;
}

void
liar_end(void)
{
    HOLDS(liar.open == 0);
}

/* ---- replies ---- */

/* Turns a reply, whole in line->out from start on, into something else. */
static void
reply_spoil(struct line *line, size_t start, uint8_t manner)
{
    struct writer *out = &line->out;
    size_t len = out->len - start;

    switch (manner) {
    case 0xc0: /* another request's */
        out->data[start + 24]++;
        break;
    case 0xc1: /* another operation's */
        out->data[start + 4] ^= (uint8_t)(liar_u8() | 1);
        break;
    case 0xc2: /* no reply */
        out->data[start + 6] = (uint8_t)(liar_u8() & ~1u);
        break;
    case 0xc3:
        write_raw(out, liar_bytes(255));
        write_u8(out, 0);
        break;
    case 0xc4: /* cut, and the connection closed */
        writer_truncate(out, start + liar_u32() % len);
        line->closes = true;
        break;
    case 0xc5:
        writer_truncate(out, start);
        line->closes = true;
        break;
    case 0xc6: /* cut, and silence */
        writer_truncate(out, start + liar_u32() % len);
        break;
    case 0xc7:
        writer_truncate(out, start);
        break;
    case 0xc8: /* any length */
        store_u32(out->data + start, liar_u32());
        line->closes = (liar_u8() & 1) != 0;
        break;
    case 0xc9: /* slowly */
        line->step = 1;
        line->step_ms = liar_u8() * STEP_MS;
        break;
    case 0xca: /* in pieces */
        line->step = liar_u8() + 1u;
        break;
    case 0xcb: /* and then there is nobody for a while */
        writer_truncate(out, start);
        line->closes = true;
        liar.refusals = liar_u8();
        break;
    default: /* a few bytes of the header, or more */
        for (unsigned i = 0; i <= manner % 4u; i++) {
            out->data[start + liar_u32() % len] ^= liar_u8();
        }
        break;
    }
}

static void
answer(struct line *line, const struct frame *request, view body)
{
    const bool hello = request->operation == OPERATION_HELLO;
    uint8_t manner = liar_u8();
    size_t start;
    uint32_t code = CKR_OK;
    struct writer lie;

    if (line->at == line->out.len) {
        writer_reset(&line->out);
        line->at = 0;
    }
    start = line->out.len;
    /* Without a HELLO nothing else happens. */
    if (hello && (manner & 7) != 0) {
        manner = 0;
    } else if (hello) {
        manner = liar_u8();
    }
    if (liar.input->left == 0) {
        line->closes = true;
        return;
    }
    writer_init(&lie, FRAME_BODY_MAX);
    if (manner < 0xa0 || manner >= 0xb0) {
        lie_write((enum operation)request->operation, body, &lie);
    } else if (manner < 0xa8) {
        code = lie_code();
        write_raw(&lie, liar_bytes(8));
    } else if (manner < 0xac) {
        code = CKR_BUFFER_TOO_SMALL;
        write_u32(&lie, (uint32_t)liar_len(64));
    } else {
        write_raw(&lie, liar_bytes(255));
    }
    HOLDS(writer_ok(&lie));
    if (request->operation == OPERATION_MAILBOX && lie.len >= sizeof(uint32_t)) {
        line->has_box = true;
        line->box = load_u32(lie.data);
        line->brings_mail = true;
    }
    frame_reply(&line->out, request, code, liar_u8(), writer_view(&lie));
    writer_clear(&lie);
    HOLDS(writer_ok(&line->out));
    if (manner >= 0xc0 && manner < 0xe0) {
        reply_spoil(line, start, manner);
    }
}

/* Whatever the library sends is one request as it should be. */
static void
line_hear(struct line *line)
{
    struct frame request;
    view body;

    if (line->in.len < FRAME_HEADER_LEN) {
        return;
    }
    HOLDS(frame_decode(line->in.data, &request));
    HOLDS((request.flags & FRAME_REPLY) == 0 && request.request > 0);
    HOLDS(request.code <= request.request); /* how far back; frame_settled() */
    if (line->in.len < FRAME_HEADER_LEN + request.body_len) {
        return;
    }
    HOLDS(line->in.len == FRAME_HEADER_LEN + request.body_len);
    body = view_slice(writer_view(&line->in), FRAME_HEADER_LEN, request.body_len);
    HOLDS(lie_request_reads((enum operation)request.operation, body));
    if (request.operation != OPERATION_HELLO && request.operation != OPERATION_MAILBOX &&
        request.request != liar.last) {
        liar.last = request.request;
        liar.trips++;
    }
    answer(line, &request, body);
    writer_reset(&line->in);
}

/* A request that is in a mailbox is answered as on the socket, and then the answer is moved. */
static void
box_hear(uint32_t number)
{
    struct line *line = NULL;
    size_t start;

    for (size_t i = 0; i < LINES; i++) {
        if (liar.lines[i].used && liar.lines[i].has_box && liar.lines[i].box == number) {
            line = &liar.lines[i];
        }
    }
    if (line == NULL || (line->closes && line->at == line->out.len)) {
        return;
    }
    writer_reset(&line->in);
    write_raw(&line->in, mail_request(number));
    start = line->at == line->out.len ? 0 : line->out.len;
    line_hear(line);
    if (mail_answer(number, view_slice(writer_view(&line->out), start, SIZE_MAX))) {
        writer_truncate(&line->out, start);
        line->at = size_min(line->at, start);
    }
}

/* ---- system calls ---- */

/* The library sleeps on a mailbox: the daemon looks into all of them. */
long __wrap_syscall(long number, ...);
long
__wrap_syscall(long number, ...)
{
    const struct timespec *limit;
    uint64_t asked = mail_asked();
    va_list rest;

    va_start(rest, number);
    (void)va_arg(rest, void *);
    HOLDS(number == SYS_futex && va_arg(rest, int) == FUTEX_WAIT);
    (void)va_arg(rest, uint32_t);
    limit = va_arg(rest, const struct timespec *);
    va_end(rest);
    HOLDS(limit->tv_sec == 0 && limit->tv_nsec > 0);
    if (asked == 0) {
        liar.now_ms += limit->tv_nsec / 1000000 + 1;
    }
    for (uint32_t i = 0; i < MAILBOXES; i++) {
        if ((asked & UINT64_C(1) << i) != 0) {
            box_hear(i);
        }
    }
    return 0;
}

static struct line *
line_of(int fd)
{
    if (fd < FD_FIRST) {
        return NULL;
    }
    HOLDS(fd < FD_FIRST + LINES && liar.lines[fd - FD_FIRST].used);
    return &liar.lines[fd - FD_FIRST];
}

int __wrap_socket(int domain, int type, int protocol);
int
__wrap_socket(int domain, int type, int protocol)
{
    HOLDS(domain == AF_UNIX && (type & SOCK_CLOEXEC) != 0 && protocol == 0);
    for (int i = 0; i < LINES; i++) {
        struct line *line = &liar.lines[i];

        if (!line->used) {
            *line = (struct line){ .used = true, .step = SIZE_MAX };
            writer_init(&line->in, FRAME_MAX);
            writer_init(&line->out, 2 * FRAME_MAX);
            liar.open++;
            return FD_FIRST + i;
        }
    }
    HOLDS(liar.open < LINES);
    return -1;
}

int __wrap_connect(int fd, const struct sockaddr *address, socklen_t len);
int
__wrap_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    UNUSED(address);
    UNUSED(len);
    HOLDS(line_of(fd) != NULL);
    if (liar.refusals > 0 || liar.input->left == 0) {
        liar.refusals -= liar.refusals > 0;
        liar.now_ms += CONNECT_MS;
        errno = ECONNREFUSED;
        return -1;
    }
    return 0;
}

int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
    struct line *line = line_of(fd);

    if (line == NULL) {
        return __real_close(fd);
    }
    line_end(line);
    liar.open--;
    return 0;
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *message, int flags);
ssize_t
__wrap_sendmsg(int fd, const struct msghdr *message, int flags)
{
    struct line *line = line_of(fd);
    size_t sent = 0, most = SIZE_MAX;

    HOLDS((flags & MSG_NOSIGNAL) != 0);
    if (line->closes && line->at == line->out.len) {
        errno = EPIPE;
        return -1;
    }
    if (liar_u8() == 0xff) {
        most = liar_u32() % 100 + 1;
    }
    for (size_t i = 0; i < message->msg_iovlen && most > 0; i++) {
        size_t len = size_min(message->msg_iov[i].iov_len, most);

        write_raw(&line->in, view_of(message->msg_iov[i].iov_base, len));
        sent += len;
        most -= len;
    }
    HOLDS(writer_ok(&line->in));
    line_hear(line);
    return (ssize_t)sent;
}

ssize_t __wrap_recv(int fd, void *out, size_t size, int flags);
ssize_t
__wrap_recv(int fd, void *out, size_t size, int flags)
{
    struct line *line = line_of(fd);
    size_t len = size_min(size_min(line->out.len - line->at, line->step), size);

    if (len == 0) {
        if (line->closes && line->at == line->out.len) {
            return 0;
        }
        HOLDS((flags & MSG_DONTWAIT) != 0);
        errno = EAGAIN;
        return -1;
    }
    memcpy(out, line->out.data + line->at, len);
    if ((flags & MSG_PEEK) == 0) {
        liar.now_ms += line->step_ms;
        line->at += len;
    }
    return (ssize_t)len;
}

/* A page that changes as the fuzzer likes; memory that is none; and what is no memory. */
static int
some_descriptor(void)
{
    static int page_fd = -1, short_fd = -1;
    static struct page *page;
    uint8_t b = liar_u8();

    if (page_fd < 0) {
        page_fd = memfd_create("page", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        short_fd = memfd_create("short", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        HOLDS(ftruncate(page_fd, sizeof *page) == 0 && ftruncate(short_fd, 100) == 0);
        page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, page_fd, 0);
        HOLDS(page != MAP_FAILED && fcntl(page_fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0 &&
              fcntl(short_fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
        page_init(page, 1);
    }
    if (b < 0xc0) {
        page_extend(page, b < 0x80 ? UINT64_MAX : b);
        if ((b & 7) == 0) {
            page_change_all(page);
        }
        return dup(page_fd);
    }
    return b < 0xe0 ? dup(short_fd) : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *message, int flags);
ssize_t
__wrap_recvmsg(int fd, struct msghdr *message, int flags)
{
    struct cmsghdr *head = message->msg_control;
    ssize_t got;

    HOLDS(message->msg_iovlen == 1 && (flags & MSG_CMSG_CLOEXEC) != 0);
    got = __wrap_recv(fd, message->msg_iov[0].iov_base, message->msg_iov[0].iov_len, flags);
    if (got > 0 && line_of(fd)->brings_mail) {
        line_of(fd)->brings_mail = false;
        mail_pass(message);
    } else if (got > 0 && message->msg_controllen >= CMSG_LEN(sizeof(int)) && liar_u8() < 0x80) {
        int passed = some_descriptor();

        HOLDS(passed >= 0);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &passed, sizeof passed);
        message->msg_controllen = CMSG_LEN(sizeof(int));
    } else {
        message->msg_controllen = 0;
    }
    return got;
}

int __wrap_poll(struct pollfd *entries, nfds_t count, int timeout);
int
__wrap_poll(struct pollfd *entries, nfds_t count, int timeout)
{
    struct line *line = line_of(entries[0].fd);

    HOLDS(count == 1 && timeout > 0);
    if ((entries[0].events & POLLOUT) != 0 || line->at < line->out.len || line->closes) {
        entries[0].revents = entries[0].events;
        return 1;
    }
    liar.now_ms += timeout;
    return 0;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_time);
int
__wrap_clock_gettime(clockid_t clock, struct timespec *ret_time)
{
    UNUSED(clock);
    *ret_time = (struct timespec){ .tv_sec = liar.now_ms / 1000,
                                   .tv_nsec = liar.now_ms % 1000 * 1000000 };
    return 0;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *ret_left);
int
__wrap_nanosleep(const struct timespec *time, struct timespec *ret_left)
{
    UNUSED(ret_left);
    liar.now_ms += time->tv_sec * 1000 + time->tv_nsec / 1000000;
    return 0;
}

/* ---- what is between ---- */

bool __wrap_appcfg_read(bool say_missing, struct appcfg *ret_config);
bool
__wrap_appcfg_read(bool say_missing, struct appcfg *ret_config)
{
    UNUSED(say_missing);
    *ret_config = (struct appcfg){ .socket_path = "/nowhere" };
    return true;
}

/* Each request within its time. */
CK_RV __real_call_send(struct call *call, enum operation operation, uint32_t session,
                       uint16_t flags);
CK_RV __wrap_call_send(struct call *call, enum operation operation, uint32_t session,
                       uint16_t flags);
CK_RV
__wrap_call_send(struct call *call, enum operation operation, uint32_t session, uint16_t flags)
{
    const enum operation_work work = operation_row((uint16_t)operation)->work;
    const int64_t limit = work == OPERATION_WORK_slow    ? LIMIT_SLOW_MS
                          : work == OPERATION_WORK_store ? LIMIT_STORE_MS
                                                         : LIMIT_MS;
    _Atomic bool some = atomic_load(&call->client->local);
    const bool local = (flags & FRAME_LOCAL) != 0 || operation == OPERATION_SESSION_CLOSE ||
                       request_is_local(call->client->interface, operation,
                                        writer_view(call->body), &some);
    int64_t start = liar.now_ms;
    CK_RV rv;

    if (++liar.calls == MAIL_AT && call->connection != NULL) {
        call->connection->exchanges = MAIL_AFTER;
    }
    rv = __real_call_send(call, operation, session, flags);

    /* A new ticket may be due before; and a step that has begun is pretended to its end. */
    HOLDS(liar.now_ms - start <=
          limit + (local ? LIMIT_LOCAL_MS : 0) + LIMIT_RENEW_MS + LIMIT_MAIL_MS +
              2 * (SLACK_MS + CONNECT_MS + 255 * STEP_MS));
    return rv;
}
