/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of a link. What is there is read into one buffer and handed out frame by frame;
 * what was appended leaves in one write. Both buffers are bounded, for each link and, where
 * they are large, for the process; what has left them is wiped.
 */
#include "net/link_private.h"

#include "base/secret.h"

#include <errno.h>
#include <linux/futex.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Who has sent no frame yet gets little; then the usual largest one, 64 KiB of data and what
 * belongs to it, has room at once. */
#define INPUT_NEW 1024u
#define INPUT_FIRST (FRAME_DATA_MAX + 4096u)
#define INPUT_MAX (2u * FRAME_MAX)
/* What all inputs together may have beyond their first size. */
#define INPUT_LARGE_MAX (256u * 1024u * 1024u)
#define OUTPUT_KEEP (256u * 1024u)
#define READS_PER_ROUND 16u
#define PATIENCE_MS 30000u
#define WARM_READS 16u /* a second */
#define WARM_MS 1000u

static _Atomic size_t input_large;

/* ---- writing ---- */

/* As send(); the descriptors that are to be passed go with the first byte. */
static ssize_t
plain_send(struct link *link, const uint8_t *data, size_t len)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof link->passed)];
    } control = { .room = { 0 } };
    const size_t passed_len = link->passed_count * sizeof link->passed[0];
    struct iovec part = { (void *)(uintptr_t)data, len };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = CMSG_SPACE(passed_len) };
    ssize_t sent;

    if (link->passed_count == 0) {
        return send(link->fd, data, len, MSG_NOSIGNAL);
    }
    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(passed_len);
    memcpy(CMSG_DATA(&control.head), link->passed, passed_len);
    sent = sendmsg(link->fd, &message, MSG_NOSIGNAL);
    if (sent < 0 && errno == ETOOMANYREFS) {
        /* Others leave theirs unread, and a user may have so many on their way. These are for speed
         * alone: who does not get them goes on without. */
        sent = send(link->fd, data, len, MSG_NOSIGNAL);
    }
    if (sent > 0) {
        link->passed_count = 0;
    }
    return sent;
}

/* What is left of earlier failures on this thread. To look is far cheaper than to clear, and mostly
 * there is nothing. */
static void
errors_forget(void)
{
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

/* Bytes sent, 0 when it would block, -1 after the link went down. */
static ssize_t
link_send(struct link *link, const uint8_t *data, size_t len)
{
    char reason[256];

    if (link->ssl == NULL) {
        ssize_t sent = plain_send(link, data, len);

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
    errors_forget();
    tls_more(link->ssl, len > SSL3_RT_MAX_PLAIN_LENGTH);
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

/* All has been sent. */
static void
output_empty(struct link *link)
{
    if (link->output.size > OUTPUT_KEEP) {
        writer_clear(&link->output);
    } else {
        writer_reset(&link->output);
    }
    link->output_sent = 0;
}

/* Half of it is enough to begin again, so that not each byte wakes us. */
static void
output_unhold(struct link *link)
{
    if (link->held && link_backlog(link) < link->output_high / 2) {
        link->held = false;
        link->patience_for = UINT64_MAX; /* the wait was ours */
        link_want(link, link_backlog(link) > 0);
        event_active(link->readable, EV_READ, 0); /* whole frames may wait in the buffer */
    }
}

static void
box_tell(struct mailbox *box, enum mailbox_state state)
{
    if (atomic_exchange(&box->state, (uint32_t)state) == MAILBOX_AWAITED) {
        (void)syscall(SYS_futex, &box->state, FUTEX_WAKE, 1, NULL, NULL, 0);
    }
}

/* Answers in the mailbox. False: it has to be on the socket. */
static bool
link_post(struct link *link)
{
    struct mailbox *box = link->box;
    const struct writer *output = &link->output;

    link->boxed = false;
    if (link->output_sent > 0 || output->len > sizeof box->frame) {
        box_tell(box, MAILBOX_ELSEWHERE);
        return false;
    }
    memcpy(box->frame, output->data, output->len);
    box->len = (uint32_t)output->len;
    box_tell(box, MAILBOX_ANSWERED);
    output_empty(link);
    return true;
}

void
link_write(struct link *link)
{
    /* A round may write for what has left already; that is no reply. */
    if (link->boxed && link_backlog(link) > 0 && link_post(link)) {
        return;
    }
    while (link->output_sent < link->output.len) {
        ssize_t sent = link_send(link, link->output.data + link->output_sent,
                                 link->output.len - link->output_sent);

        if (sent < 0) {
            return;
        }
        if (sent == 0) {
            output_compact(link);
            link_want(link, true);
            output_unhold(link);
            return;
        }
        link->output_sent += (size_t)sent;
    }
    output_empty(link);
    link_want(link, false);
    output_unhold(link);
}

/* ---- TLS's own buffers ---- */

/*
 * OpenSSL gives its buffer for reading back after each read, for thousands of connections are
 * quiet; and wipes all of it then, which for a small record is twice the work of everything else.
 * A busy connection keeps it. What was read is wiped in both cases.
 *
 * OpenSSL 3.5 must be told with care: what is cleared of the modes reaches the records only with
 * the next that is set, and what was given back already must not be asked for again.
 */
static void
on_warmth(void *arg)
{
    struct link *link = arg;
    const bool busy = link->frames - link->warm_frames >= WARM_READS;

    link->warm_frames = link->frames;
    if (!busy && (!link->warm_buffer || SSL_free_buffers(link->ssl) == 1)) {
        SSL_set_mode(link->ssl, SSL_MODE_RELEASE_BUFFERS);
        timer_free(link->warmth);
        link->warmth = NULL;
    }
}

static void
link_warm(struct link *link)
{
    const uint64_t second = loop_second(link->loop);

    link->warm_reads = link->warm_second == second ? link->warm_reads + 1 : 1;
    link->warm_second = second;
    if (link->warm_reads < WARM_READS) {
        return;
    }
    link->warmth = timer_new(link->loop, WARM_MS, true, on_warmth, link);
    if (link->warmth != NULL) {
        link->warm_frames = link->frames;
        link->warm_buffer = false;
        SSL_clear_mode(link->ssl, SSL_MODE_RELEASE_BUFFERS);
        SSL_set_mode(link->ssl, 0);
    }
}

/* ---- reading ---- */

void
link_input_free(struct link *link)
{
    if (link->input_size > INPUT_FIRST) {
        atomic_fetch_sub(&input_large, link->input_size - INPUT_FIRST);
    }
    if (link->input != NULL) {
        wipe(link->input, link->input_len);
        free(link->input);
    }
    link->input = NULL;
    link->input_len = 0;
    link->input_size = 0;
}

static bool
input_grow(struct link *link)
{
    size_t size = link->input_size * 2;
    size_t larger;
    uint8_t *input;

    if (link->input_size >= INPUT_MAX) {
        return false;
    }
    if (link->input_size < INPUT_FIRST) {
        size = link->input_size == 0 && link->frames == 0 ? INPUT_NEW : INPUT_FIRST;
    }
    size = size_min(size, INPUT_MAX);
    larger = size > INPUT_FIRST ? size - link->input_size : 0;
    if (atomic_fetch_add(&input_large, larger) + larger > INPUT_LARGE_MAX ||
        (input = malloc(size)) == NULL) {
        atomic_fetch_sub(&input_large, larger);
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

static bool
input_room(struct link *link, size_t len)
{
    while (link->input_size - link->input_len < len) {
        if (!input_grow(link)) {
            return false;
        }
    }
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
    errors_forget();
    link->warm_buffer = true; /* should there be none, this makes it */
    result = SSL_read_ex(link->ssl, room, size, &got);
    if (result == 1) {
        if (link->warmth == NULL && link->up) {
            link_warm(link);
        }
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

/* The rest of a frame may not take for ever: who sends a byte now and then would hold its
 * buffer as long as he likes. */
static void
on_patience(void *arg)
{
    struct link *link = arg;
    bool same = link->frames == link->patience_for && link_reads(link);

    link->patience_for = link->frames;
    if (link->input_len == 0) {
        timer_free(link->patience);
        link->patience = NULL;
    } else if (same && link->up) {
        link_fail(link, "the rest of a frame did not come");
    }
}

static void
input_settle(struct link *link)
{
    if (link->input_len == 0) {
        if (link->input_size > INPUT_FIRST) {
            link_input_free(link);
        }
        return;
    }
    if (link->patience == NULL) {
        link->patience_for = link->frames;
        link->patience = timer_new(link->loop, PATIENCE_MS, true, on_patience, link);
    }
}

/* Hands out the whole frames of the buffer. False after the link ended. */
static bool
link_frames(struct link *link)
{
    size_t at = 0;

    while (link->input_len - at >= FRAME_HEADER_LEN && link_reads(link)) {
        struct frame frame;

        if (!frame_decode(link->input + at, &frame) || frame.body_len > link->body_max) {
            link_fail(link, "a frame that does not read");
            return false;
        }
        if (link->input_len - at - FRAME_HEADER_LEN < frame.body_len) {
            break;
        }
        link->frames++;
        link->events->frame(link->arg, link, &frame,
                            view_of(link->input + at + FRAME_HEADER_LEN, frame.body_len));
        if (link_is_over(link)) {
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

/* Is there nothing more to read at this moment? (What comes later raises its event.) */
static bool
link_is_read(const struct link *link)
{
    return link->ssl == NULL ? link->input_len < link->input_size
                             : SSL_has_pending(link->ssl) == 0;
}

void
link_read(struct link *link)
{
    bool all = false;

    /* Frames may have been left in the buffer by a pause. */
    if (!link_frames(link)) {
        return;
    }
    for (unsigned i = 0; i < READS_PER_ROUND && link_reads(link) && !all; i++) {
        ssize_t got;

        if (!input_room(link, 1)) {
            link_fail(link, "no room for its input");
            return;
        }
        got = link_receive(link);
        if (got < 0) {
            return;
        }
        link->input_len += (size_t)got;
        all = got == 0 || link_is_read(link);
        if (!link_frames(link)) {
            return;
        }
    }
    input_settle(link);
    /* What OpenSSL has taken from the socket already raises no event. (Half a record counts as
     * pending, too: one that gave nothing is not asked again.) */
    if (!all && link->ssl != NULL && link_reads(link)) {
        event_active(link->readable, EV_READ, 0);
    }
}

/* The request of the mailbox is taken as if it had come on the socket. Its sender may write there
 * at any time: what counts is the copy. */
void
link_unbox(struct link *link)
{
    const struct mailbox *box = link->box;
    const uint32_t state = atomic_load(&box->state);
    const size_t len = *(const volatile uint32_t *)&box->len;

    if (link->boxed || (state != MAILBOX_ASKED && state != MAILBOX_AWAITED) ||
        len > sizeof box->frame) {
        link_fail(link, "a mailbox that is not as it should be");
        return;
    }
    if (!input_room(link, len)) {
        link_fail(link, "no room for its input");
        return;
    }
    memcpy(link->input + link->input_len, box->frame, len);
    link->input_len += len;
    link->boxed = true;
    if (link_frames(link)) {
        input_settle(link);
    }
}
