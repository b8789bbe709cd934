/* SPDX-License-Identifier: Apache-2.0
 *
 * Links over socket pairs and over TLS, in all the pieces that a network makes of a stream.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/link_private.h"

#include "lib/tls_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 30000u

/* One end and what it met. */
struct end {
    struct link *link;
    size_t ups, downs, frames;
    uint64_t last_request;
    size_t last_len;
    bool in_order;
    bool echo;        /* each frame is answered as it came */
    size_t free_at;   /* the link is freed inside this frame's event; 0: never */
    size_t pause_at;
    bool free_when_up;
    struct link_pack *pack_when_up; /* into that */
    char reason[256];
};

struct fixture {
    struct tls_fixture tls;
    struct loop *loop;
    struct end a, b;
};

static void
end_up(void *arg, struct link *link)
{
    struct end *end = arg;

    end->ups++;
    if (end->pack_when_up != NULL) {
        end->link = NULL;
        link_pack(link, end->pack_when_up);
        end->pack_when_up = NULL;
    } else if (end->free_when_up) {
        end->link = NULL;
        link_free(link);
    }
}

static void
end_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct end *end = arg;

    end->frames++;
    end->in_order = end->in_order && frame->request == end->last_request + 1;
    end->last_request = frame->request;
    end->last_len = body.len;
    for (size_t i = 0; i < body.len; i++) {
        assert_int_equal(body.data[i], (uint8_t)(frame->request + i));
    }
    if (end->echo) {
        frame_reply(link_output(link), frame, 0, 0, body);
        link_flush(link);
    }
    if (end->frames == end->free_at) {
        end->link = NULL;
        link_free(link);
    }
    if (end->frames == end->pause_at) {
        link_pause(link);
    }
}

static void
end_down(void *arg, struct link *link, const char *reason)
{
    struct end *end = arg;

    end->downs++;
    end->link = NULL;
    snprintf(end->reason, sizeof end->reason, "%s", reason);
    link_free(link);
}

static const struct link_events end_events = { end_up, end_frame, end_down };

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    tls_fixture_init(&f->tls);
    f->loop = loop_new();
    f->a.in_order = f->b.in_order = true;
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    link_free(f->a.link);
    link_free(f->b.link);
    loop_free(f->loop);
    tls_fixture_clear(&f->tls);
    free(f);
    return 0;
}

static void
pair_of(int fds[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
}

/* b serves, a asks. The contexts are the callee's. */
static void
connect_ends(struct fixture *f, struct tls_context *server, struct tls_context *client)
{
    int fds[2];

    pair_of(fds);
    f->a.link = link_new(f->loop, fds[0], client, false, &end_events, &f->a);
    f->b.link = link_new(f->loop, fds[1], server, true, &end_events, &f->b);
    tls_context_free(client);
    tls_context_free(server);
    assert_non_null(f->a.link);
    assert_non_null(f->b.link);
}

static void
connect_tls(struct fixture *f)
{
    connect_ends(f, tls_fixture_server(&f->tls, "node", "ca"),
                 tls_fixture_client(&f->tls, "client"));
}

/* b is a link, the other end is ours. */
static int
connect_raw(struct fixture *f, struct tls_context *server)
{
    int fds[2];

    pair_of(fds);
    f->b.link = link_new(f->loop, fds[1], server, true, &end_events, &f->b);
    tls_context_free(server);
    return fds[0];
}

static void
frame_append(struct writer *out, uint64_t request, size_t len)
{
    struct frame frame = { .operation = 3, .request = request };
    size_t start = frame_begin(out);
    uint8_t *space = write_space(out, len);

    for (size_t i = 0; i < len; i++) {
        space[i] = (uint8_t)(request + i);
    }
    assert_true(frame_end(out, start, &frame));
}

static bool
both_up(void *arg)
{
    struct fixture *f = arg;

    return f->a.ups == 1 && f->b.ups == 1;
}

static bool
b_is_up(void *arg)
{
    return ((struct fixture *)arg)->b.ups == 1;
}

static bool
b_is_down(void *arg)
{
    return ((struct fixture *)arg)->b.downs > 0;
}

static bool
a_is_down(void *arg)
{
    return ((struct fixture *)arg)->a.downs > 0;
}

static size_t wanted;

static bool
b_has_wanted(void *arg)
{
    return ((struct fixture *)arg)->b.frames >= wanted;
}

static bool
a_has_wanted(void *arg)
{
    return ((struct fixture *)arg)->a.frames >= wanted;
}

/* Frames of many sizes there and back. */
static void
exchange(struct fixture *f)
{
    f->b.echo = true;
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));
    for (size_t i = 1; i <= 300; i++) {
        frame_append(link_output(f->a.link), i, i % 7 == 0 ? i * 500 : i);
    }
    frame_append(link_output(f->a.link), 301, FRAME_BODY_MAX);
    frame_append(link_output(f->a.link), 302, 0);
    link_flush(f->a.link);

    wanted = 302;
    assert_true(loop_until(f->loop, a_has_wanted, f, 2 * LIMIT_MS));

    assert_true(f->a.in_order && f->b.in_order);
    assert_int_equal(f->b.frames, 302);
    assert_int_equal(link_backlog(f->a.link), 0);
}

static void
many_frames_in_one_write_arrive_one_by_one(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, NULL, NULL);

    exchange(f);
}

static void
many_frames_in_one_write_arrive_over_tls(void **state)
{
    struct fixture *f = *state;

    connect_tls(f);

    exchange(f);
}

static void
a_frame_arrives_in_single_bytes(void **state)
{
    struct fixture *f = *state;
    int fd = connect_raw(f, NULL);
    struct writer out;

    writer_init(&out, FRAME_MAX);
    frame_append(&out, 1, 100);
    for (size_t i = 0; i < out.len; i++) {
        assert_int_equal(f->b.frames, 0);
        assert_int_equal(write(fd, out.data + i, 1), 1);
        loop_for(f->loop, 1);
    }

    wanted = 1;
    assert_true(loop_until(f->loop, b_has_wanted, f, LIMIT_MS));
    assert_int_equal(f->b.last_len, 100);
    writer_clear(&out);
    close(fd);
}

static void
raw_bytes_end_the_link(struct fixture *f, const void *bytes, size_t len)
{
    int fd = connect_raw(f, NULL);

    assert_int_equal(write(fd, bytes, len), len);

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
    assert_string_equal(f->b.reason, "a frame that does not read");
    assert_int_equal(f->b.frames, 0);
    close(fd);
}

static void
an_oversized_length_ends_the_link(void **state)
{
    struct frame frame = { .operation = 3, .body_len = FRAME_BODY_MAX + 1 };
    uint8_t header[FRAME_HEADER_LEN];

    frame_encode(&frame, header);
    raw_bytes_end_the_link(*state, header, sizeof header);
}

static void
garbage_ends_the_link(void **state)
{
    uint8_t garbage[200];

    memset(garbage, 0xff, sizeof garbage);
    raw_bytes_end_the_link(*state, garbage, sizeof garbage);
}

static void
a_body_over_the_limit_of_the_link_ends_it(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, NULL, NULL);
    link_body_max(f->b.link, 64);
    frame_append(link_output(f->a.link), 1, 64);
    frame_append(link_output(f->a.link), 2, 65);
    link_flush(f->a.link);

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));

    assert_int_equal(f->b.frames, 1);
    assert_string_equal(f->b.reason, "a frame that does not read");
}

static void
the_peers_end_is_told_once(void **state)
{
    struct fixture *f = *state;
    int fd = connect_raw(f, NULL);

    assert_true(loop_until(f->loop, b_is_up, f, LIMIT_MS));
    close(fd);

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
    loop_for(f->loop, 20);
    assert_int_equal(f->b.downs, 1);
    assert_string_equal(f->b.reason, "closed by the peer");
}

static void
close_notify_ends_a_tls_link(void **state)
{
    struct fixture *f = *state;

    connect_tls(f);
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));

    link_free(f->a.link);
    f->a.link = NULL;

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
    assert_string_equal(f->b.reason, "closed by the peer");
}

static void
another_anchor_is_a_signature_failure(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, tls_fixture_server(&f->tls, "impostor", "ca"),
                 tls_fixture_client(&f->tls, "client"));

    assert_true(loop_until(f->loop, a_is_down, f, LIMIT_MS));

    assert_string_equal(f->a.reason, "Certificate ERROR: [Certificate signature failure]");
    assert_int_equal(f->a.ups, 0);
    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
}

static void
an_expired_certificate_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, tls_fixture_server(&f->tls, "expired", "ca"),
                 tls_fixture_client(&f->tls, "client"));

    assert_true(loop_until(f->loop, a_is_down, f, LIMIT_MS));

    assert_non_null(strstr(f->a.reason, "Certificate ERROR"));
    assert_int_equal(f->a.ups, 0);
}

static void
a_client_without_certificate_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, tls_fixture_server(&f->tls, "node", "ca"), tls_fixture_client(&f->tls, NULL));

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));

    assert_int_equal(f->b.ups, 0);
    assert_int_equal(f->b.frames, 0);
    assert_true(loop_until(f->loop, a_is_down, f, LIMIT_MS));
}

static void
a_client_of_another_ca_is_refused(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, tls_fixture_server(&f->tls, "node", "ca"),
                 tls_fixture_client(&f->tls, "impostor"));

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));

    assert_int_equal(f->b.ups, 0);
}

static void
plaintext_on_a_tls_link_ends_it(void **state)
{
    struct fixture *f = *state;
    int fd = connect_raw(f, tls_fixture_server(&f->tls, "node", "ca"));

    assert_int_equal(write(fd, "GET / HTTP/1.0\r\n\r\n", 18), 18);

    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
    assert_int_equal(f->b.ups, 0);
    close(fd);
}

static void
a_handshake_has_five_seconds(void **state)
{
    struct fixture *f = *state;
    int fd = connect_raw(f, tls_fixture_server(&f->tls, "node", "ca"));

    assert_false(loop_until(f->loop, b_is_down, f, 4500));
    assert_true(loop_until(f->loop, b_is_down, f, 2000));
    assert_string_equal(f->b.reason, "the handshake took too long");
    close(fd);
}

static void
pause_stops_in_the_middle_of_a_buffer(struct fixture *f)
{
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));
    f->b.pause_at = 3;
    for (size_t i = 1; i <= 400; i++) {
        frame_append(link_output(f->a.link), i, 1000);
    }
    link_flush(f->a.link);
    loop_for(f->loop, 50);
    assert_int_equal(f->b.frames, 3);

    link_resume(f->b.link);

    wanted = 400;
    assert_true(loop_until(f->loop, b_has_wanted, f, LIMIT_MS));
    assert_true(f->b.in_order);
}

static void
a_pause_loses_nothing(void **state)
{
    struct fixture *f = *state;

    connect_ends(f, NULL, NULL);
    pause_stops_in_the_middle_of_a_buffer(f);
}

static void
a_pause_loses_nothing_that_tls_has_read_already(void **state)
{
    struct fixture *f = *state;

    connect_tls(f);
    pause_stops_in_the_middle_of_a_buffer(f);
}

static void
a_pause_during_the_handshake_lets_it_end(void **state)
{
    struct fixture *f = *state;

    connect_tls(f);
    link_pause(f->b.link);
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));
    frame_append(link_output(f->a.link), 1, 10);
    link_flush(f->a.link);
    loop_for(f->loop, 30);
    assert_int_equal(f->b.frames, 0);

    link_resume(f->b.link);

    wanted = 1;
    assert_true(loop_until(f->loop, b_has_wanted, f, LIMIT_MS));
}

static void
a_link_may_be_freed_inside_its_events(void **state)
{
    struct fixture *f = *state;

    connect_tls(f);
    f->b.free_at = 2;
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));
    for (size_t i = 1; i <= 50; i++) {
        frame_append(link_output(f->a.link), i, 3000);
    }
    link_flush(f->a.link);

    assert_true(loop_until(f->loop, a_is_down, f, LIMIT_MS));

    assert_int_equal(f->b.frames, 2);
    assert_int_equal(f->b.downs, 0);
}

static void
a_link_may_be_freed_when_it_comes_up(void **state)
{
    struct fixture *f = *state;

    f->b.free_when_up = true;
    connect_tls(f);

    assert_true(loop_until(f->loop, a_is_down, f, LIMIT_MS));

    assert_int_equal(f->b.downs, 0);
}

static void
a_peer_that_never_reads_is_not_read_either(void **state)
{
    struct fixture *f = *state;
    int fd = connect_raw(f, NULL);
    struct writer out;
    ssize_t sent = 1;
    size_t total = 0;

    f->b.echo = true;
    link_output_high(f->b.link, 100000);
    writer_init(&out, FRAME_MAX);
    for (uint64_t i = 1; i <= 1000; i++) {
        writer_reset(&out);
        frame_append(&out, i, 10000);
        sent = send(fd, out.data, out.len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent != (ssize_t)out.len) {
            break; /* its side of the pipe is full: we are held */
        }
        total += out.len;
        loop_for(f->loop, 1);
    }
    assert_true(sent != (ssize_t)out.len);
    assert_true(total < 4u * 1024u * 1024u);
    assert_int_equal(f->b.downs, 0);
    assert_true(link_backlog(f->b.link) < 200000 + FRAME_MAX);

    /* It reads, and all goes on. */
    size_t before = f->b.frames;
    uint8_t *sink = malloc(1 << 20);

    for (int i = 0; i < 200; i++) {
        (void)!recv(fd, sink, 1 << 20, MSG_DONTWAIT);
        loop_for(f->loop, 1);
    }
    assert_true(f->b.frames > before);
    assert_int_equal(link_backlog(f->b.link), 0);
    free(sink);
    writer_clear(&out);
    close(fd);
}

/* ---- listeners ---- */

struct door {
    int fds[8];
    size_t count;
};

static void
door_accepted(void *arg, int fd)
{
    struct door *door = arg;

    if (door->count < 8) {
        door->fds[door->count++] = fd;
    } else {
        close(fd);
    }
}

static bool
door_has_one(void *arg)
{
    return ((struct door *)arg)->count > 0;
}

/* A link that serves TLS at b, and the other end, over TCP. */
static int
connect_tcp(struct fixture *f)
{
    struct tls_context *server = tls_fixture_server(&f->tls, "node", "ca");
    struct door door = { .count = 0 };
    struct listener *listener = listener_new(f->loop, "127.0.0.1:0", door_accepted, &door);
    int fd;

    assert_non_null(listener);
    fd = link_connect("127.0.0.1", listener_port(listener));
    assert_true(fd >= 0);
    assert_true(loop_until(f->loop, door_has_one, &door, LIMIT_MS));
    f->b.link = link_new(f->loop, door.fds[0], server, true, &end_events, &f->b);
    tls_context_free(server);
    listener_free(listener);
    return fd;
}

static void
a_handshake_waits_for_its_first_record_without_work(void **state)
{
    static const uint8_t beginning[] = { 22, 3, 1, 2, 0, 1, 0, 1, 0xfc };
    struct fixture *f = *state;
    int fd = connect_tcp(f);
    struct timespec before, after;

    loop_for(f->loop, 50);
    for (size_t i = 0; i < sizeof beginning; i++) {
        assert_int_equal(write(fd, beginning + i, 1), 1);
        loop_for(f->loop, 10);
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    loop_for(f->loop, 500);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    assert_int_equal(f->b.downs, 0);
    /* A loop that is woken without end takes all of it. */
    assert_true((after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000 <
                250);
    close(fd);
    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
    assert_string_equal(f->b.reason, "closed by the peer");
}

static void
a_first_record_without_sense_ends_the_link(void **state)
{
    static const uint8_t long_one[] = { 22, 3, 1, 0xff, 0xff };
    struct fixture *f = *state;
    int fd = connect_tcp(f);

    assert_int_equal(write(fd, long_one, sizeof long_one), sizeof long_one);
    assert_true(loop_until(f->loop, b_is_down, f, LIMIT_MS));
    assert_string_equal(f->b.reason, "not a TLS handshake");
    close(fd);
}

/* What passes bytes on in small pieces, as a slow network does. */
struct trickle {
    int from, to;
};

static void
on_trickle(void *arg)
{
    const struct trickle *trickle = arg;
    uint8_t bytes[23];
    ssize_t got = read(trickle->from, bytes, sizeof bytes);

    if (got > 0) {
        assert_int_equal(write(trickle->to, bytes, (size_t)got), got);
    }
}

static void
a_handshake_may_come_in_pieces(void **state)
{
    struct fixture *f = *state;
    struct tls_context *client = tls_fixture_client(&f->tls, "client");
    struct trickle there, back;
    struct timer *timers[2];
    int fds[2];
    int fd = connect_tcp(f);

    pair_of(fds);
    f->a.link = link_new(f->loop, fds[0], client, false, &end_events, &f->a);
    tls_context_free(client);
    there = (struct trickle){ fds[1], fd };
    back = (struct trickle){ fd, fds[1] };
    timers[0] = timer_new(f->loop, 1, true, on_trickle, &there);
    timers[1] = timer_new(f->loop, 1, true, on_trickle, &back);
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));
    timer_free(timers[0]);
    timer_free(timers[1]);
    close(fd);
    close(fds[1]);
}

/* ---- moving ---- */

static bool
b_is_packed(void *arg)
{
    const struct fixture *f = arg;

    return f->b.ups == 1 && f->b.link == NULL && f->a.ups == 1;
}

static bool
b_has_three(void *arg)
{
    return ((struct fixture *)arg)->b.frames == 3;
}

static bool
a_has_three(void *arg)
{
    return ((struct fixture *)arg)->a.frames == 3;
}

/* What came meanwhile is there, too. */
static void
a_link_that_is_up_goes_on_in_another_loop(void **state)
{
    struct fixture *f = *state;
    struct loop *other = loop_new();
    struct link_pack pack;

    f->b.pack_when_up = &pack;
    f->b.echo = true;
    connect_tls(f);
    assert_true(loop_until(f->loop, b_is_packed, f, LIMIT_MS));
    for (uint64_t i = 1; i <= 3; i++) {
        frame_append(link_output(f->a.link), i, 20000);
    }
    link_flush(f->a.link);
    loop_for(f->loop, 20);
    assert_int_equal(f->b.frames, 0);

    f->b.link = link_unpack(other, &pack, &end_events, &f->b);
    assert_non_null(f->b.link);
    assert_true(loop_until(other, b_has_three, f, LIMIT_MS));
    assert_int_equal(f->b.ups, 2);
    loop_for(other, 20);
    assert_true(loop_until(f->loop, a_has_three, f, LIMIT_MS));
    assert_true(f->a.in_order && f->b.in_order);
    link_free(f->b.link);
    f->b.link = NULL;
    loop_free(other);
}

/* Two ends of a connection of TCP. */
static void
tcp_pair_of(int fds[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t len = sizeof address;
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(door, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(door, 1), 0);
    assert_int_equal(getsockname(door, (struct sockaddr *)&address, &len), 0);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fds[0], (struct sockaddr *)&address, len), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    fds[1] = accept4(door, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    assert_true(fds[1] >= 0);
    close(door);
}

/* Who asks and is gone at once is named all the same: what he asked for is still done. */
static void
a_pack_keeps_its_name_when_the_other_end_is_gone(void **state)
{
    struct fixture *f = *state;
    const struct linger none = { 1, 0 };
    struct loop *other = loop_new();
    struct tls_context *server = tls_fixture_server(&f->tls, "node", "ca");
    struct tls_context *client = tls_fixture_client(&f->tls, "client");
    struct sockaddr_storage address;
    struct link_pack pack;
    char name[LINK_NAME_SIZE];
    int fds[2];

    tcp_pair_of(fds);
    f->b.pack_when_up = &pack;
    f->a.link = link_new(f->loop, fds[0], client, false, &end_events, &f->a);
    f->b.link = link_new(f->loop, fds[1], server, true, &end_events, &f->b);
    tls_context_free(client);
    tls_context_free(server);
    snprintf(name, sizeof name, "%s", link_name(f->b.link));
    assert_true(loop_until(f->loop, b_is_packed, f, LIMIT_MS));
    assert_int_equal(setsockopt(fds[0], SOL_SOCKET, SO_LINGER, &none, sizeof none), 0);
    link_free(f->a.link);
    f->a.link = NULL;
    assert_false(link_pack_address(&pack, &address));

    f->b.link = link_unpack(other, &pack, &end_events, &f->b);
    assert_non_null(f->b.link);
    assert_string_equal(link_name(f->b.link), name);
    assert_ptr_equal(strstr(name, "127.0.0.1:"), name);
    link_free(f->b.link);
    f->b.link = NULL;
    loop_free(other);
}

static void
a_pack_may_be_given_up(void **state)
{
    struct fixture *f = *state;
    struct link_pack pack;

    f->b.pack_when_up = &pack;
    connect_tls(f);
    assert_true(loop_until(f->loop, b_is_packed, f, LIMIT_MS));
    link_pack_free(&pack);
    link_pack_free(&pack);
    loop_for(f->loop, 20);
    assert_int_equal(f->a.downs, 1);
}

/* ---- chores ---- */

struct chores {
    struct loop *loop;
    struct chore all[400];
    size_t done;
    size_t done_at_tick;
};

static void
on_chore(void *arg)
{
    struct chores *chores = arg;
    const struct timespec pause = { .tv_nsec = 1000000 };

    nanosleep(&pause, NULL);
    chores->done++;
}

static void
on_tick(void *arg)
{
    struct chores *chores = arg;

    if (chores->done_at_tick == 0) {
        chores->done_at_tick = chores->done;
    }
}

static bool
chores_done(void *arg)
{
    struct chores *chores = arg;

    return chores->done == ARRAY_COUNT(chores->all) - 1;
}

static void
chores_let_others_go_first(void **state)
{
    static struct chores chores;
    struct fixture *f = *state;

    chores = (struct chores){ .loop = f->loop };
    for (size_t i = 0; i < ARRAY_COUNT(chores.all); i++) {
        chores.all[i].call = on_chore;
        chores.all[i].arg = &chores;
        loop_chore(f->loop, &chores.all[i]);
        loop_chore(f->loop, &chores.all[i]); /* waits once */
    }
    loop_chore_drop(f->loop, &chores.all[7]);
    loop_chore_drop(f->loop, &chores.all[7]);

    struct timer *tick = timer_new(f->loop, 5, false, on_tick, &chores);

    assert_true(loop_until(f->loop, chores_done, &chores, LIMIT_MS));
    assert_in_range(chores.done_at_tick, 1, 100);
    timer_free(tick);
}

static void
a_listener_gives_its_port_and_takes_connections(void **state)
{
    struct fixture *f = *state;
    struct door door = { .count = 0 };
    struct listener *listener = listener_new(f->loop, "127.0.0.1:0", door_accepted, &door);

    assert_non_null(listener);

    int fd = link_connect("127.0.0.1", listener_port(listener));

    assert_true(fd >= 0);
    assert_true(loop_until(f->loop, door_has_one, &door, LIMIT_MS));
    close(fd);
    close(door.fds[0]);
    listener_free(listener);
}

static void
a_listener_without_descriptors_rests_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct door door = { .count = 0 };
    struct listener *listener = listener_new(f->loop, "127.0.0.1:0", door_accepted, &door);
    struct rlimit before, tight;
    int fd = link_connect("127.0.0.1", listener_port(listener));
    struct rusage usage_before, usage_after;

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = (struct rlimit){ (rlim_t)fd + 1, before.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    getrusage(RUSAGE_SELF, &usage_before);
    loop_for(f->loop, 300);
    getrusage(RUSAGE_SELF, &usage_after);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(door.count, 0);

    assert_true(loop_until(f->loop, door_has_one, &door, LIMIT_MS));

    assert_true(usage_after.ru_utime.tv_sec - usage_before.ru_utime.tv_sec < 2);
    close(fd);
    close(door.fds[0]);
    listener_free(listener);
}

static void
a_socket_path_that_somebody_listens_on_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct door door = { .count = 0 };
    const char *path = tls_fixture_path(&f->tls, "door.sock");
    struct listener *first = listener_unix_new(f->loop, path, 0600, door_accepted, &door);

    assert_non_null(first);
    assert_null(listener_unix_new(f->loop, path, 0600, door_accepted, &door));
    assert_int_equal(access(path, F_OK), 0);

    listener_free(first);
    assert_int_not_equal(access(path, F_OK), 0);

    /* One that was left behind is replaced. */
    FILE *left = fopen(path, "we");

    fclose(left);
    first = listener_unix_new(f->loop, path, 0600, door_accepted, &door);
    assert_non_null(first);
    listener_free(first);
}

static bool
b_is_warm(void *arg)
{
    return ((struct fixture *)arg)->b.link->warmth != NULL;
}

static bool
b_is_cold(void *arg)
{
    return !b_is_warm(arg);
}

static bool
b_has_what_a_asked(void *arg)
{
    struct fixture *f = arg;

    return f->b.frames >= f->a.last_request;
}

/* a.last_request counts what a has asked. */
static void
ask_one_by_one(struct fixture *f, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        frame_append(link_output(f->a.link), ++f->a.last_request, 10);
        link_flush(f->a.link);
        assert_true(loop_until(f->loop, b_has_what_a_asked, f, LIMIT_MS));
    }
}

/* Some pings a second are no reason; requests one after the other are. */
static void
a_busy_connection_keeps_its_buffers_until_it_is_quiet(void **state)
{
    struct fixture *f = *state;

    connect_tls(f);
    assert_true(loop_until(f->loop, both_up, f, LIMIT_MS));
    ask_one_by_one(f, 8);
    assert_false(b_is_warm(f));
    assert_true((SSL_get_mode(f->b.link->ssl) & SSL_MODE_RELEASE_BUFFERS) != 0);
    for (unsigned i = 0; i < 100 && !b_is_warm(f); i++) { /* on a busy machine in more seconds */
        ask_one_by_one(f, 100);
    }
    assert_true(b_is_warm(f));
    assert_true((SSL_get_mode(f->b.link->ssl) & SSL_MODE_RELEASE_BUFFERS) == 0);
    assert_true(loop_until(f->loop, b_is_cold, f, LIMIT_MS));
    assert_true((SSL_get_mode(f->b.link->ssl) & SSL_MODE_RELEASE_BUFFERS) != 0);
    ask_one_by_one(f, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(many_frames_in_one_write_arrive_one_by_one),
        TEST(many_frames_in_one_write_arrive_over_tls),
        TEST(a_frame_arrives_in_single_bytes),
        TEST(an_oversized_length_ends_the_link),
        TEST(garbage_ends_the_link),
        TEST(a_busy_connection_keeps_its_buffers_until_it_is_quiet),
        TEST(a_body_over_the_limit_of_the_link_ends_it),
        TEST(the_peers_end_is_told_once),
        TEST(close_notify_ends_a_tls_link),
        TEST(another_anchor_is_a_signature_failure),
        TEST(an_expired_certificate_is_refused),
        TEST(a_client_without_certificate_is_refused),
        TEST(a_client_of_another_ca_is_refused),
        TEST(plaintext_on_a_tls_link_ends_it),
        TEST(a_handshake_has_five_seconds),
        TEST(a_handshake_waits_for_its_first_record_without_work),
        TEST(a_first_record_without_sense_ends_the_link),
        TEST(a_handshake_may_come_in_pieces),
        TEST(a_link_that_is_up_goes_on_in_another_loop),
        TEST(a_pack_keeps_its_name_when_the_other_end_is_gone),
        TEST(a_pack_may_be_given_up),
        TEST(chores_let_others_go_first),
        TEST(a_pause_loses_nothing),
        TEST(a_pause_loses_nothing_that_tls_has_read_already),
        TEST(a_pause_during_the_handshake_lets_it_end),
        TEST(a_link_may_be_freed_inside_its_events),
        TEST(a_link_may_be_freed_when_it_comes_up),
        TEST(a_peer_that_never_reads_is_not_read_either),
        TEST(a_listener_gives_its_port_and_takes_connections),
        TEST(a_listener_without_descriptors_rests_and_goes_on),
        TEST(a_socket_path_that_somebody_listens_on_is_left_alone),
    };

    return cmocka_run_group_tests_name("net/link", tests, NULL, NULL);
}
