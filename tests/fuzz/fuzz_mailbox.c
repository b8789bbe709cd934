/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as what a process leaves in its mailbox, between others on its socket. The input is a
 * play: for each step a byte of how, a length to claim, and the bytes themselves. What the link
 * hands out is what was taken, in its order and once; what is no request ends the link; and one
 * that came in the mailbox is answered there, or it is told there that the answer is elsewhere.
 */
#include "fuzz/fuzz.h"

#include "net/link_private.h"
#include "net/mailroom.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEPS_MAX 16u
#define ROUNDS 4u /* of the loop, for what one step brings */

enum how {
    HOW_SOCKET = 1 << 0, /* not in the mailbox */
    HOW_CLAIM = 1 << 1,  /* the length is the one that is claimed */
    HOW_STATE = 1 << 2,  /* a state that is none of a request */
    HOW_SILENT = 1 << 3, /* no answers from now on; or again */
    HOW_LARGE = 1 << 4,  /* answers that no mailbox takes; or smaller ones again */
    HOW_PAUSE = 1 << 5,  /* the link is paused; or no more */
    HOW_BITS = 1 << 6,   /* the bits of others, too */
    HOW_HOLE = 1 << 7    /* the memory is emptied when the link has looked */
};

static struct loop *loop;
static struct mailroom *room;
static struct mailroom_memory *memory;

static struct play {
    struct link *link;
    int fd;
    uint32_t number;
    struct writer taken; /* what the link has to hand out */
    size_t at;           /* of it: handed out */
    bool silent, large, paused;
} play;

static uint8_t bytes[2 * MAILBOX_SIZE];

/* ---- the daemon ---- */

static void
on_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    const view taken = writer_view(&play.taken);
    uint8_t header[FRAME_HEADER_LEN];

    UNUSED(arg);
    frame_encode(frame, header);
    HOLDS(frame->body_len == body.len);
    HOLDS(view_equal(view_slice(taken, play.at, sizeof header), view_of(header, sizeof header)));
    HOLDS(view_equal(view_slice(taken, play.at + sizeof header, body.len), body));
    play.at += sizeof header + body.len;
    if (!play.silent) {
        frame_reply(link_output(link), frame, 0, 0, view_of(bytes, play.large ? sizeof bytes : 10));
        link_flush(link);
    }
}

static void
on_down(void *arg, struct link *link, const char *reason)
{
    UNUSED(arg);
    UNUSED(reason);
    play.link = NULL;
    link_free(link);
}

static const struct link_events events = { .frame = on_frame, .down = on_down };

static void
rounds(void)
{
    uint8_t sink[4096];

    for (unsigned i = 0; i < ROUNDS; i++) {
        (void)event_base_loop(loop_base(loop), EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
        while (recv(play.fd, sink, sizeof sink, MSG_DONTWAIT) > 0) {
        }
    }
}

static void
daemon_start(void)
{
    int fds[MAILROOM_FDS];

    loop = loop_new();
    room = mailroom_new(loop);
    HOLDS(room != NULL);
    mailroom_fds(room, fds);
    memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    HOLDS(memory != MAP_FAILED);
}

/* ---- the process ---- */

static void
by_socket(view what)
{
    if (play.paused || what.len == 0) {
        return; /* else it would come after what is in the mailbox later */
    }
    HOLDS(send(play.fd, what.data, what.len, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)what.len);
    write_raw(&play.taken, what);
    rounds();
}

static void
ring(void)
{
    const uint64_t one = 1;
    int fds[MAILROOM_FDS];

    mailroom_fds(room, fds);
    HOLDS(write(fds[1], &one, sizeof one) == (ssize_t)sizeof one);
    rounds();
}

static void
by_mailbox(view what, uint8_t how, uint32_t claim)
{
    struct mailbox *box = &memory->boxes[play.number];
    const uint32_t len = (how & HOW_CLAIM) != 0 ? claim : (uint32_t)what.len;
    const bool wrong_state = (how & HOW_STATE) != 0 && claim % 8 != MAILBOX_ASKED &&
                             claim % 8 != MAILBOX_AWAITED;
    const bool good = !play.link->boxed && !wrong_state && len <= MAILBOX_ROOM;

    memcpy(box->frame, what.data, what.len);
    box->len = len;
    atomic_store(&box->state, (how & HOW_STATE) != 0 ? claim % 8 : MAILBOX_ASKED);
    if (good) {
        write_raw(&play.taken, view_of(box->frame, len));
    }
    atomic_fetch_or(&memory->asked,
                    (how & HOW_BITS) != 0 ? UINT64_MAX : UINT64_C(1) << play.number);
    ring();
    HOLDS(good || play.link == NULL);
    if (play.link != NULL && !play.link->boxed) {
        const uint32_t state = atomic_load(&box->state);

        HOLDS(state == MAILBOX_ANSWERED || state == MAILBOX_ELSEWHERE);
        HOLDS(state == MAILBOX_ELSEWHERE ||
              (box->len >= FRAME_HEADER_LEN && box->len <= MAILBOX_ROOM));
    }
    if ((how & HOW_HOLE) != 0) {
        memset(box, 0, sizeof *box);
    }
}

static void
step(struct reader *r)
{
    uint8_t how = 0;
    uint32_t claim = 0;
    uint16_t len = 0;
    view what = VIEW_EMPTY;

    if (!read_u8(r, &how) || !read_u32(r, &claim) || !read_u16(r, &len) ||
        !read_raw(r, size_min(size_min(len, r->left), MAILBOX_ROOM), &what)) {
        r->left = 0;
        return;
    }
    play.silent ^= (how & HOW_SILENT) != 0;
    play.large ^= (how & HOW_LARGE) != 0;
    if ((how & HOW_PAUSE) != 0) {
        play.paused = !play.paused;
        (play.paused ? link_pause : link_resume)(play.link);
        rounds();
    }
    if (play.link != NULL && (how & HOW_SOCKET) != 0) {
        by_socket(what);
    } else if (play.link != NULL) {
        by_mailbox(what, how, claim);
    }
}

static void
play_begin(void)
{
    static const struct frame hello = { .operation = 1, .request = 1 };
    uint8_t header[FRAME_HEADER_LEN];
    int fds[2];

    memset(&play, 0, sizeof play);
    HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    play.fd = fds[0];
    play.link = link_new(loop, fds[1], NULL, true, &events, NULL);
    HOLDS(play.link != NULL);
    writer_init(&play.taken, STEPS_MAX * MAILBOX_SIZE);
    frame_encode(&hello, header);
    by_socket(view_of(header, sizeof header));
    HOLDS(play.at == sizeof header);
    HOLDS(mailroom_give(room, play.link, &play.number));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reader r = reader_of(view_of(data, size));

    if (loop == NULL) {
        daemon_start();
    }
    play_begin();
    for (unsigned i = 0; i < STEPS_MAX && play.link != NULL && r.left > 0; i++) {
        step(&r);
    }
    link_free(play.link);
    close(play.fd);
    writer_clear(&play.taken);
    return 0;
}
