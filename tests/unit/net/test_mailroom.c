/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes, their process played by the test: one that keeps to the rules, and one that does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/link_private.h"
#include "net/mailroom.h"
#include "wire/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINKS (MAILBOXES + 2)
#define LIMIT_TURNS 5000u /* of a millisecond or less */
#define PATTERN 0x5a

enum manner {
    MANNER_ECHO,
    MANNER_LARGE,  /* a reply that no mailbox takes */
    MANNER_SILENT, /* none */
    MANNER_FLUSH,  /* nothing to send, and sends it */
    MANNER_PAUSE,  /* as silent, and hears no more */
    MANNER_FREE
};

struct end {
    struct link *link;
    int fd; /* the process's */
    uint32_t number;
    enum manner manner;
    struct frame last;
    size_t last_len;
    size_t frames, downs;
    char reason[64];
};

struct fixture {
    struct loop *loop;
    struct timer *timer; /* so that no turn sleeps for long */
    struct mailroom *room;
    struct mailroom_memory *memory; /* mapped once more, as by the process */
    int fds[MAILROOM_FDS];
    struct end ends[LINKS];
};

static uint8_t bytes[2 * MAILBOX_SIZE];

/* ---- the daemon ---- */

static void
answer(struct end *end, size_t len)
{
    memset(bytes, PATTERN, len);
    frame_reply(link_output(end->link), &end->last, 0, 0, view_of(bytes, len));
    link_flush(end->link);
}

static void
on_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct end *end = arg;

    end->frames++;
    end->last = *frame;
    end->last_len = body.len;
    for (size_t i = 0; i < body.len; i++) {
        bytes[i] = body.data[i]; /* the address sanitizer looks */
    }
    switch (end->manner) {
    case MANNER_ECHO:
        answer(end, body.len);
        break;
    case MANNER_LARGE:
        answer(end, sizeof bytes);
        break;
    case MANNER_FLUSH:
        link_flush(link);
        break;
    case MANNER_PAUSE:
        link_pause(link);
        break;
    case MANNER_FREE:
        end->link = NULL;
        link_free(link);
        break;
    case MANNER_SILENT:
        break;
    }
}

static void
on_down(void *arg, struct link *link, const char *reason)
{
    struct end *end = arg;

    end->downs++;
    end->link = NULL;
    snprintf(end->reason, sizeof end->reason, "%s", reason);
    link_free(link);
}

static const struct link_events end_events = { .frame = on_frame, .down = on_down };

static void
on_timer(void *arg)
{
    UNUSED(arg);
}

static void
turn(struct fixture *f)
{
    assert_true(loop_turn(f->loop));
}

/* Enough of them for what is to happen, and for what is not. */
static void
turns(struct fixture *f)
{
    for (unsigned i = 0; i < 20; i++) {
        turn(f);
    }
}

static void
turn_until_rest(struct fixture *f)
{
    for (unsigned i = 0; i < LIMIT_TURNS && atomic_load(&f->memory->awake) != 0; i++) {
        turn(f);
    }
    assert_int_equal(atomic_load(&f->memory->awake), 0);
}

/* ---- the process ---- */

static struct mailbox *
box_of(struct fixture *f, const struct end *end)
{
    return &f->memory->boxes[end->number];
}

static uint32_t
state_of(struct fixture *f, const struct end *end)
{
    return atomic_load(&box_of(f, end)->state);
}

static void
ring(struct fixture *f)
{
    const uint64_t one = 1;

    assert_int_equal(write(f->fds[1], &one, sizeof one), sizeof one);
}

static void
bit_set(struct fixture *f, uint32_t number)
{
    atomic_fetch_or(&f->memory->asked, UINT64_C(1) << number);
}

/* All but the bell. */
static void
put(struct fixture *f, struct end *end, uint64_t request, size_t body_len)
{
    struct mailbox *box = box_of(f, end);
    const struct frame frame = { .operation = 3,
                                 .request = request,
                                 .body_len = (uint32_t)body_len };

    frame_encode(&frame, box->frame);
    memset(box->frame + FRAME_HEADER_LEN, 1, body_len);
    box->len = (uint32_t)(FRAME_HEADER_LEN + body_len);
    atomic_store(&box->state, MAILBOX_ASKED);
    bit_set(f, end->number);
}

static void
ask(struct fixture *f, struct end *end, uint64_t request, size_t body_len)
{
    put(f, end, request, body_len);
    ring(f);
    turns(f);
}

static bool
is_answered(struct fixture *f, struct end *end, uint64_t request, size_t body_len)
{
    struct mailbox *box = box_of(f, end);
    struct frame frame;

    return state_of(f, end) == MAILBOX_ANSWERED && box->len == FRAME_HEADER_LEN + body_len &&
           frame_decode(box->frame, &frame) && frame.request == request &&
           frame.body_len == body_len;
}

/* Whatever was done to others, this one is served. */
static void
is_well(struct fixture *f, struct end *end)
{
    end->manner = MANNER_ECHO;
    ask(f, end, 77, 10);

    assert_true(is_answered(f, end, 77, 10));
    assert_int_equal(end->downs, 0);
}

static size_t
socket_bytes(const struct end *end)
{
    ssize_t got = recv(end->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    return got < 0 ? 0 : (size_t)got;
}

/* ---- the two together ---- */

static void
end_open(struct fixture *f, struct end *end)
{
    int fds[2];

    *end = (struct end){ .fd = -1 };
    assert_int_equal(
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    end->fd = fds[0];
    end->link = link_new(f->loop, fds[1], NULL, true, &end_events, end);
    assert_non_null(end->link);
    /* Its first frame comes by the socket, as HELLO does. */
    end->manner = MANNER_SILENT;

    uint8_t header[FRAME_HEADER_LEN];
    const struct frame hello = { .operation = 1, .request = 1 };

    frame_encode(&hello, header);
    assert_int_equal(write(end->fd, header, sizeof header), sizeof header);
    for (unsigned i = 0; i < LIMIT_TURNS && end->frames == 0; i++) {
        turn(f);
    }
    assert_int_equal(end->frames, 1);
    end->frames = 0;
    end->manner = MANNER_ECHO;
}

static struct end *
end_with_box(struct fixture *f, unsigned i)
{
    end_open(f, &f->ends[i]);
    assert_true(mailroom_give(f->room, f->ends[i].link, &f->ends[i].number));
    return &f->ends[i];
}

static void
end_close(struct end *end)
{
    if (end->fd >= 0) {
        close(end->fd);
        end->fd = -1;
    }
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    for (unsigned i = 0; i < LINKS; i++) {
        f->ends[i].fd = -1;
    }
    f->loop = loop_new();
    f->timer = timer_new(f->loop, 1, true, on_timer, f);
    f->room = mailroom_new(f->loop);
    assert_non_null(f->timer);
    assert_non_null(f->room);
    mailroom_fds(f->room, f->fds);
    f->memory = mmap(NULL, sizeof *f->memory, PROT_READ | PROT_WRITE, MAP_SHARED, f->fds[0], 0);
    assert_true(f->memory != MAP_FAILED);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < LINKS; i++) {
        link_free(f->ends[i].link);
        end_close(&f->ends[i]);
    }
    mailroom_free(f->room);
    munmap(f->memory, sizeof *f->memory);
    timer_free(f->timer);
    loop_free(f->loop);
    free(f);
    return 0;
}

/* ---- by the rules ---- */

static void
a_request_is_answered_where_it_was_asked(void **state)
{
    static const size_t lens[] = { 0, 1, 1000, MAILBOX_ROOM - FRAME_HEADER_LEN };
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        ask(f, end, i + 1, lens[i]);

        assert_true(is_answered(f, end, i + 1, lens[i]));
    }
    assert_int_equal(end->frames, ARRAY_COUNT(lens));
    assert_int_equal(socket_bytes(end), 0);
}

static void
a_room_that_has_gone_to_rest_is_woken_by_its_bell(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);

    ring(f);
    turn(f);
    assert_int_equal(atomic_load(&f->memory->awake), 1);
    turn_until_rest(f);

    put(f, end, 1, 0);
    turns(f);
    assert_int_equal(end->frames, 0);
    ring(f);
    turns(f);
    assert_true(is_answered(f, end, 1, 0));
}

static void
a_reply_that_is_too_large_goes_by_the_socket(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    const size_t len = FRAME_HEADER_LEN + sizeof bytes;
    size_t got = 0;

    end->manner = MANNER_LARGE;
    ask(f, end, 1, 5);
    assert_int_equal(state_of(f, end), MAILBOX_ELSEWHERE);
    for (unsigned i = 0; i < 100 && got < len; i++) {
        got += socket_bytes(end);
    }
    assert_int_equal(got, len);

    is_well(f, end);
    assert_int_equal(socket_bytes(end), 0);
}

static void
a_request_on_the_socket_is_answered_there(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    uint8_t header[FRAME_HEADER_LEN];
    const struct frame frame = { .operation = 3, .request = 5 };

    frame_encode(&frame, header);
    assert_int_equal(write(end->fd, header, sizeof header), sizeof header);
    turns(f);

    assert_int_equal(socket_bytes(end), FRAME_HEADER_LEN);
    assert_int_equal(state_of(f, end), MAILBOX_EMPTY);
}

/* A round in which the link writes, for something that has left already, answers nobody. */
static void
nothing_is_no_answer(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);

    end->manner = MANNER_FLUSH;
    ask(f, end, 1, 5);
    assert_int_equal(end->frames, 1);
    assert_int_equal(state_of(f, end), MAILBOX_ASKED);

    answer(end, 20);
    turns(f);
    assert_true(is_answered(f, end, 1, 20));
}

static void
a_paused_link_hands_its_request_out_later(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);

    end->manner = MANNER_PAUSE;
    ask(f, end, 1, 5);
    answer(end, 5);
    turns(f);
    assert_true(is_answered(f, end, 1, 5));

    end->manner = MANNER_ECHO;
    ask(f, end, 2, 6);
    assert_int_equal(end->frames, 1);
    link_resume(end->link);
    turns(f);
    assert_true(is_answered(f, end, 2, 6));
}

static void
the_sixty_fifth_gets_none(void **state)
{
    struct fixture *f = *state;
    uint32_t number = 1000;

    for (unsigned i = 0; i < MAILBOXES; i++) {
        assert_int_equal(end_with_box(f, i)->number, i);
    }
    end_open(f, &f->ends[MAILBOXES]);

    assert_false(mailroom_give(f->room, f->ends[MAILBOXES].link, &number));
    assert_int_equal(number, 1000);
    for (unsigned i = 0; i < MAILBOXES; i++) {
        put(f, &f->ends[i], i + 1, i);
    }
    ring(f);
    turns(f);
    for (unsigned i = 0; i < MAILBOXES; i++) {
        assert_true(is_answered(f, &f->ends[i], i + 1, i));
    }
}

/* Else who never reads has as many descriptors on their way as he likes. */
static void
no_link_gets_a_second_one(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    uint32_t number = 1000;

    assert_false(mailroom_give(f->room, end->link, &number));
    assert_int_equal(number, 1000);
    is_well(f, end);
}

static void
a_number_is_given_again_with_nothing_left_in_it(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    struct end *next;

    put(f, end, 1, 100);
    end_close(end);
    link_free(end->link); /* before anybody looked into the room */
    end->link = NULL;
    next = end_with_box(f, 1);

    assert_int_equal(next->number, end->number);
    assert_int_equal(state_of(f, next), MAILBOX_EMPTY);
    assert_int_equal(atomic_load(&f->memory->asked), 0);
    turns(f);
    assert_int_equal(next->downs, 0);
    is_well(f, next);
}

static void
a_reply_that_came_too_late_is_wiped(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    static const uint8_t nothing[MAILBOX_ROOM];

    end->manner = MANNER_SILENT;
    ask(f, end, 1, 100);
    memset(box_of(f, end)->frame, 0, MAILBOX_ROOM);
    atomic_store(&box_of(f, end)->state, MAILBOX_EMPTY);
    answer(end, 100);
    turn(f);
    turn(f);
    assert_int_equal(box_of(f, end)->frame[FRAME_HEADER_LEN], PATTERN);
    end_close(end);
    turns(f);

    assert_int_equal(end->downs, 1);
    assert_memory_equal(box_of(f, end)->frame, nothing, sizeof nothing);
}

/* Its process was killed, say. The bell came too late, or never. */
static void
a_request_that_nobody_took_is_wiped(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    static const uint8_t nothing[MAILBOX_ROOM];

    put(f, end, 1, MAILBOX_ROOM - FRAME_HEADER_LEN);
    end_close(end);
    turns(f);

    assert_int_equal(end->frames, 0);
    assert_int_equal(end->downs, 1);
    assert_memory_equal(box_of(f, end)->frame, nothing, sizeof nothing);
}

/* The daemon stops: what it has answered may be fetched after that. */
static void
a_reply_outlives_its_link(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);

    ask(f, end, 1, 100);
    link_free(end->link);
    end->link = NULL;

    assert_true(is_answered(f, end, 1, 100));
}

static void
a_link_that_ends_in_its_request_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0), *other = end_with_box(f, 1);

    end->manner = MANNER_FREE;
    put(f, end, 1, 5);
    put(f, other, 1, 5);
    ring(f);
    turns(f);

    assert_null(end->link);
    assert_true(is_answered(f, other, 1, 5));
    bit_set(f, end->number);
    ring(f);
    turns(f);
    is_well(f, other);
}

/* ---- against them ---- */

static void
what_is_no_request_ends_its_link_alone(void **state)
{
    static const struct {
        uint32_t state, len;
        bool reads;
    } lies[] = {
        { MAILBOX_ASKED, MAILBOX_ROOM + 1, true },
        { MAILBOX_ASKED, UINT32_MAX, true },
        { MAILBOX_AWAITED, MAILBOX_SIZE, true },
        { MAILBOX_EMPTY, FRAME_HEADER_LEN, true },
        { MAILBOX_ANSWERED, FRAME_HEADER_LEN, true },
        { MAILBOX_ELSEWHERE, FRAME_HEADER_LEN, true },
        { 77, FRAME_HEADER_LEN, true },
        { MAILBOX_ASKED, FRAME_HEADER_LEN, false },
        { MAILBOX_ASKED, MAILBOX_ROOM, false },
    };
    struct fixture *f = *state;
    struct end *other = end_with_box(f, 0);

    for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
        struct end *end = end_with_box(f, 1);
        struct mailbox *box = box_of(f, end);

        put(f, end, 1, 0);
        if (!lies[i].reads) {
            memset(box->frame, 0xff, sizeof box->frame);
        }
        box->len = lies[i].len;
        atomic_store(&box->state, lies[i].state);
        ring(f);
        turns(f);

        assert_int_equal(end->downs, 1);
        assert_string_equal(end->reason, lies[i].reads ? "a mailbox that is not as it should be"
                                                       : "a frame that does not read");
        assert_int_equal(end->frames, 0);
        is_well(f, other);
        end_close(end);
    }
}

/* Less than a frame waits for the rest, which the socket may bring. */
static void
a_part_of_a_frame_is_no_request_yet(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    const uint8_t rest[7] = { 0 };

    put(f, end, 1, 10);
    box_of(f, end)->len -= (uint32_t)sizeof rest;
    ring(f);
    turns(f);
    assert_int_equal(end->frames + end->downs, 0);

    assert_int_equal(write(end->fd, rest, sizeof rest), sizeof rest);
    turns(f);
    assert_int_equal(end->frames, 1);
    assert_int_equal(end->last_len, 10);
}

static void
who_asks_twice_before_the_answer_has_to_go(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0), *other = end_with_box(f, 1);

    end->manner = MANNER_SILENT;
    ask(f, end, 1, 5);
    ask(f, end, 2, 5);

    assert_int_equal(end->frames, 1);
    assert_int_equal(end->downs, 1);
    is_well(f, other);
}

static void
bits_without_a_mailbox_keep_nobody_awake(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0);
    struct timespec before, after;

    ring(f);
    clock_gettime(CLOCK_MONOTONIC, &before);
    for (unsigned i = 0; i < 100; i++) {
        atomic_fetch_or(&f->memory->asked, ~UINT64_C(1));
        turn(f);
    }
    clock_gettime(CLOCK_MONOTONIC, &after);

    /* Turns that sleep take a millisecond; those that do not, a few microseconds. */
    assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 >
                40);
    is_well(f, end);
}

static void
a_bell_that_is_full_harms_its_own_room_alone(void **state)
{
    struct fixture *f = *state;
    struct mailroom *other = mailroom_new(f->loop);
    const uint64_t most = UINT64_MAX - 1;
    struct end *end = &f->ends[0];
    struct mailroom_memory *memory = f->memory;
    int fds[MAILROOM_FDS];

    assert_int_equal(write(f->fds[1], &most, sizeof most), sizeof most);
    turn_until_rest(f);
    assert_int_equal(write(f->fds[1], &most, sizeof most), -1);

    assert_non_null(other);
    mailroom_fds(other, fds);
    end_open(f, end);
    assert_true(mailroom_give(other, end->link, &end->number));
    f->memory = mmap(NULL, sizeof *memory, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    assert_true(f->memory != MAP_FAILED);
    f->fds[1] = fds[1];
    is_well(f, end);
    munmap(f->memory, sizeof *memory);
    f->memory = memory;
    link_free(end->link);
    end->link = NULL;
    mailroom_free(other);
}

static void
memory_can_be_emptied_but_not_taken_away(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0), *other = end_with_box(f, 1);
    int fd = f->fds[0];

    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 2 * (off_t)sizeof *f->memory), -1);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);

    put(f, end, 1, 5);
    assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                               (off_t)sizeof *f->memory),
                     0);
    bit_set(f, end->number);
    ring(f);
    turns(f);

    assert_int_equal(end->downs, 1);
    is_well(f, other);
}

/* ---- descriptors on their way ---- */

#define FILES 256
#define PASSED 250
#define SKIPPED 77
#define NOBODY 65534

/* False when no more may be on their way. */
static bool
descriptors_leave(int fd, int passed)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(PASSED * sizeof(int))];
    } control = { .room = { 0 } };
    struct iovec part = { bytes, 1 };
    struct msghdr message = { .msg_iov = &part,
                              .msg_iovlen = 1,
                              .msg_control = &control,
                              .msg_controllen = sizeof control };

    control.head.cmsg_level = SOL_SOCKET;
    control.head.cmsg_type = SCM_RIGHTS;
    control.head.cmsg_len = CMSG_LEN(PASSED * sizeof(int));
    for (size_t i = 0; i < PASSED; i++) {
        memcpy(CMSG_DATA(&control.head) + i * sizeof passed, &passed, sizeof passed);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL) == 1;
}

/* Has the link said its word, though nothing could go with it? */
static int
child_passes_one_more(void)
{
    const struct rlimit few = { FILES, FILES };
    struct fixture *f;
    struct end *end;
    int fds[2];

    setup((void **)&f);
    end = &f->ends[0];
    end_open(f, end);
    if (setrlimit(RLIMIT_NOFILE, &few) != 0 ||
        (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0) ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0) {
        return SKIPPED;
    }
    for (int i = 0; descriptors_leave(fds[0], f->fds[0]); i++) {
        if (i == 4) {
            return SKIPPED; /* it may */
        }
    }
    if (errno != ETOOMANYREFS) {
        return SKIPPED;
    }
    link_pass(end->link, f->fds, MAILROOM_FDS);
    answer(end, 10);
    turns(f);
    return end->downs == 0 && socket_bytes(end) == FRAME_HEADER_LEN + 10 ? 0 : 1;
}

static void
too_many_descriptors_on_their_way_end_no_link(void **state)
{
    int status = -1;
    pid_t child = fork();

    UNUSED(state);
    if (child == 0) {
        _exit(child_passes_one_more());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SKIPPED) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void
who_leaves_in_the_middle_is_missed_by_nobody(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0), *other = end_with_box(f, 1);

    end->manner = MANNER_SILENT;
    ask(f, end, 1, 5);
    end_close(end);
    turns(f);
    assert_int_equal(end->downs, 1);

    put(f, end, 2, 5);
    ring(f);
    turns(f);
    assert_int_equal(end->frames, 1);
    is_well(f, other);
}

/* ---- and while it is read ---- */

struct scribbler {
    struct mailbox *box;
    atomic_bool stop;
};

static void *
scribble(void *arg)
{
    struct scribbler *s = arg;
    const struct frame frames[2] = { { .operation = 3, .request = 1, .body_len = 10 },
                                     { .operation = 3, .request = 1, .body_len = 2000 } };

    for (size_t i = 0; !atomic_load(&s->stop); i++) {
        frame_encode(&frames[i % 2], s->box->frame);
        *(volatile uint32_t *)&s->box->len =
            i % 7 == 0 ? UINT32_MAX : FRAME_HEADER_LEN + frames[i / 2 % 2].body_len;
    }
    return NULL;
}

/* The address sanitizer watches what on_frame() reads. (The race is the point: not for the race
 * detector, to which the two mappings are different memory.) */
static void
a_frame_that_changes_while_it_is_read_is_one_or_none(void **state)
{
    struct fixture *f = *state;
    struct end *end = end_with_box(f, 0), *other = end_with_box(f, 1);
    struct scribbler s = { .box = box_of(f, end) };
    size_t heard = 0, ended = 0;
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, scribble, &s), 0);
    for (unsigned i = 0; i < 1000; i++) {
        if (end->downs > 0) {
            ended++;
            end_close(end);
            end = end_with_box(f, 0);
        }
        end->manner = MANNER_ECHO;
        atomic_store(&box_of(f, end)->state, MAILBOX_ASKED);
        bit_set(f, end->number);
        ring(f);
        turn(f);
        heard += end->frames;
        end->frames = 0;
    }
    atomic_store(&s.stop, true);
    pthread_join(thread, NULL);

    assert_true(heard > 0 && ended > 0);
    is_well(f, other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_request_is_answered_where_it_was_asked),
        TEST(a_room_that_has_gone_to_rest_is_woken_by_its_bell),
        TEST(a_reply_that_is_too_large_goes_by_the_socket),
        TEST(a_request_on_the_socket_is_answered_there),
        TEST(nothing_is_no_answer),
        TEST(a_paused_link_hands_its_request_out_later),
        TEST(the_sixty_fifth_gets_none),
        TEST(no_link_gets_a_second_one),
        TEST(a_number_is_given_again_with_nothing_left_in_it),
        TEST(a_reply_that_came_too_late_is_wiped),
        TEST(a_request_that_nobody_took_is_wiped),
        TEST(a_reply_outlives_its_link),
        TEST(a_link_that_ends_in_its_request_is_forgotten),
        TEST(what_is_no_request_ends_its_link_alone),
        TEST(a_part_of_a_frame_is_no_request_yet),
        TEST(who_asks_twice_before_the_answer_has_to_go),
        TEST(bits_without_a_mailbox_keep_nobody_awake),
        TEST(a_bell_that_is_full_harms_its_own_room_alone),
        TEST(memory_can_be_emptied_but_not_taken_away),
        cmocka_unit_test(too_many_descriptors_on_their_way_end_no_link),
        TEST(who_leaves_in_the_middle_is_missed_by_nobody),
        TEST(a_frame_that_changes_while_it_is_read_is_one_or_none),
    };

    return cmocka_run_group_tests_name("net/mailroom", tests, NULL, NULL);
}
