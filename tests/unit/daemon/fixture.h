/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon between applications on socket pairs and nodes of ours on loopback TLS, which
 * answer as each test says, or die. For one test program at a time.
 */
#ifndef TESTS_UNIT_DAEMON_FIXTURE_H
#define TESTS_UNIT_DAEMON_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/daemon.h"

#include "lib/tls_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIMIT_MS 30000u
#define SEEN_MAX 512u
#define FAKE_NODES 3u

/* ---- a node ---- */

enum manner {
    ANSWER, /* with the body turned round */
    SILENT,
    UNKNOWN, /* always UNKNOWN_CONTEXT */
    LAGGING, /* always LAGGING */
    BROKEN,  /* gives up on its store */
    STRANGE, /* knows nobody's login */
    EARLIER, /* of the release before: does not know what it is asked */
    FROZEN,  /* not even pings are answered */
    DIE      /* closes the connection */
};

struct fake_node {
    struct loop *loop;
    struct tls_context *tls;
    struct listener *listener;
    struct link *links[16];
    size_t link_count;
    enum manner manner;
    bool forgetful;  /* knows no context until it was attached */
    bool known;
    bool refuses;    /* ATTACH */
    bool keeps;      /* does not answer DETACH */
    uint64_t told;   /* revision that CHANGES are told with */
    uint32_t id;     /* NODES: 0: it does not know the question */
    uint8_t store;   /* CLUSTER: each byte of the id; 0: it does not know the question */
    uint64_t list_revision;
    struct fake_node *list[3]; /* whom it names */
    struct frame seen[SEEN_MAX]; /* but for pings */
    struct link *seen_on[SEEN_MAX];
    size_t seen_count;
    char ticket[64]; /* of the last ATTACH */
    uint32_t gives;  /* handle of a session object, a copy of which comes before each GENERATE_KEY */
    uint32_t copies_code; /* of COPIES: */
    size_t copies_asked;
    size_t copies_handed; /* in, all in all */
    uint32_t copies_last;
    unsigned port;
    uint64_t boot;     /* CHANGES: */
    uint64_t sequence;
    uint32_t changed;  /* by the last change */
    size_t asked;
    bool tells_nothing;
};

static inline void
node_end(struct fake_node *node, struct link *link)
{
    for (size_t i = 0; i < ARRAY_COUNT(node->links); i++) {
        if (node->links[i] == link) {
            node->links[i] = NULL;
            node->link_count--;
        }
    }
    link_free(link);
}

/* Answers CHANGES, unless the node is to say nothing of them. */
static inline void
node_tell(struct fake_node *node, struct link *link, const struct frame *frame, view body)
{
    struct changes_request m;
    struct changes_reply reply = { .boot = node->boot, .sequence = node->sequence };
    struct writer handles, out;

    assert_true(changes_request_read(body, &m));
    node->asked++;
    if (node->tells_nothing) {
        return;
    }
    writer_init(&handles, 64);
    writer_init(&out, 256);
    reply.all = m.boot != node->boot;
    if (!reply.all && m.since < node->sequence) {
        number_write(&handles, node->changed);
    }
    reply.handles.bytes = writer_view(&handles);
    changes_reply_write(&out, &reply);
    frame_reply(link_output(link), frame, CKR_OK, node->told, writer_view(&out));
    link_flush(link);
    writer_clear(&handles);
    writer_clear(&out);
}

/* Answers NODES. */
static inline void
node_list(struct fake_node *node, struct link *link, const struct frame *frame)
{
    static const uint8_t print[NODE_PRINT_LEN];
    struct nodes_reply reply = { .self = node->id, .revision = node->list_revision };
    struct writer nodes, out;

    writer_init(&nodes, 4096);
    writer_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(node->list); i++) {
        if (node->list[i] != NULL) {
            const struct node_info info = { .id = node->list[i]->id,
                                            .present = true,
                                            .serial = VIEW_TEXT("1"),
                                            .print = view_of(print, sizeof print),
                                            .hostname = VIEW_TEXT("127.0.0.1"),
                                            .client_port = (uint16_t)node->list[i]->port };

            node_info_write(&nodes, &info);
        }
    }
    reply.nodes.bytes = writer_view(&nodes);
    nodes_reply_write(&out, &reply);
    frame_reply(link_output(link), frame,
                node->id == 0 ? (uint32_t)CKR_FUNCTION_NOT_SUPPORTED : CKR_OK, 0,
                node->id == 0 ? VIEW_EMPTY : writer_view(&out));
    link_flush(link);
    writer_clear(&nodes);
    writer_clear(&out);
}

/* Answers CLUSTER. */
static inline void
node_greet(struct fake_node *node, struct link *link, const struct frame *frame)
{
    uint8_t store[STORE_ID_LEN];
    const struct cluster_reply reply = { .store = view_of(store, sizeof store), .release = 2 };
    struct writer out;

    memset(store, node->store, sizeof store);
    writer_init(&out, 256);
    cluster_reply_write(&out, &reply);
    frame_reply(link_output(link), frame,
                node->store == 0 ? (uint32_t)CKR_FUNCTION_NOT_SUPPORTED : CKR_OK, 0,
                node->store == 0 ? VIEW_EMPTY : writer_view(&out));
    link_flush(link);
    writer_clear(&out);
}

static inline void
node_copies_write(struct fake_node *node, struct link *link, const struct frame *frame, bool asked,
                  uint32_t handle)
{
    const struct copy_info copy = { handle, 1, 1, VIEW_TEXT("sealed") };
    struct copies_reply reply = { .asked = asked };
    struct frame told = *frame;
    struct writer copies, out;

    writer_init(&copies, 256);
    writer_init(&out, 512);
    if (handle != 0) {
        copy_info_write(&copies, &copy);
    }
    reply.copies.bytes = writer_view(&copies);
    copies_reply_write(&out, &reply);
    told.operation = OPERATION_COPIES;
    told.request = 0;
    frame_reply(link_output(link), &told, asked ? node->copies_code : CKR_OK, 0,
                asked && node->copies_code != CKR_OK ? VIEW_EMPTY : writer_view(&out));
    link_flush(link);
    writer_clear(&copies);
    writer_clear(&out);
}

/* Answers COPIES. */
static inline void
node_copies(struct fake_node *node, struct link *link, const struct frame *frame, view body)
{
    struct copies_request m;
    struct copy_info copy;

    assert_true(copies_request_read(body, &m));
    if (node->forgetful && !node->known) {
        frame_reply(link_output(link), frame, CODE_UNKNOWN_CONTEXT, 0, VIEW_EMPTY);
        link_flush(link);
        return;
    }

    struct reader r = reader_of(m.copies.bytes);

    node->copies_asked++;
    while (copy_array_next(&r, &copy)) {
        assert_true(view_equal(copy.sealed, VIEW_TEXT("sealed")));
        node->copies_handed++;
        node->copies_last = copy.handle;
    }
    node_copies_write(node, link, frame, true, 0);
}

static inline void
node_attached(struct fake_node *node, struct link *link, const struct frame *frame, bool in)
{
    const struct attach_reply reply = {
        .version = node->manner == EARLIER ? FRAME_VERSION - 1 : FRAME_VERSION,
        .role = in ? 2 : 0,
    };
    struct writer out;

    writer_init(&out, 256);
    attach_reply_write(&out, &reply);
    frame_reply(link_output(link), frame, node->refuses ? (uint32_t)CKR_DEVICE_MEMORY : CKR_OK, 0,
                node->refuses ? VIEW_EMPTY : writer_view(&out));
    link_flush(link);
    writer_clear(&out);
}

static inline void
node_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct fake_node *node = arg;
    uint32_t code = CKR_OK;

    if (node->manner == FROZEN) {
        return;
    }
    if (frame->operation == OPERATION_PING) {
        frame_reply(link_output(link), frame, CKR_OK, 0, VIEW_EMPTY);
        link_flush(link);
        return;
    }
    if (frame->operation == OPERATION_CHANGES) {
        node_tell(node, link, frame, body);
        return;
    }
    if (frame->operation == OPERATION_NODES) {
        node_list(node, link, frame);
        return;
    }
    if (frame->operation == OPERATION_CLUSTER) {
        node_greet(node, link, frame);
        return;
    }
    if (frame->operation == OPERATION_COPIES) {
        node_copies(node, link, frame, body);
        return;
    }
    if (frame->operation == OPERATION_GENERATE_KEY && node->gives != 0) {
        node_copies_write(node, link, frame, false, node->gives);
    }
    if (node->seen_count < SEEN_MAX) {
        node->seen_on[node->seen_count] = link;
        node->seen[node->seen_count++] = *frame;
    }
    if (frame->operation == OPERATION_ATTACH) {
        struct attach_request m;

        assert_true(attach_request_read(body, &m));
        snprintf(node->ticket, sizeof node->ticket, "%.*s", (int)m.ticket.len,
                 (const char *)m.ticket.data);
        node->known = !node->refuses;
        node_attached(node, link, frame, m.ticket.len > 0 && node->manner != STRANGE);
        return;
    }
    if (node->manner == SILENT || (frame->operation == OPERATION_DETACH && node->keeps)) {
        return;
    }
    if (node->manner == DIE) {
        node_end(node, link);
        return;
    }
    if (node->manner == UNKNOWN || (node->forgetful && !node->known)) {
        code = CODE_UNKNOWN_CONTEXT;
    } else if (node->manner == LAGGING) {
        code = CODE_LAGGING;
    } else if (node->manner == BROKEN) {
        code = (uint32_t)CKR_DEVICE_ERROR;
    } else if (node->manner == STRANGE) {
        code = (uint32_t)CKR_USER_NOT_LOGGED_IN;
    } else if (node->manner == EARLIER) {
        code = (uint32_t)CKR_FUNCTION_NOT_SUPPORTED;
    }
    frame_reply(link_output(link), frame, code, 42, code == CKR_OK ? body : VIEW_EMPTY);
    link_flush(link);
}

static inline void
node_down(void *arg, struct link *link, const char *reason)
{
    UNUSED(reason);
    node_end(arg, link);
}

static const struct link_events node_events = { NULL, node_frame, node_down };

static inline void
node_accepted(void *arg, int fd)
{
    struct fake_node *node = arg;

    for (size_t i = 0; i < ARRAY_COUNT(node->links); i++) {
        if (node->links[i] == NULL) {
            node->links[i] = link_new(node->loop, fd, node->tls, true, &node_events, node);
            assert_non_null(node->links[i]);
            node->link_count++;
            return;
        }
    }
    close(fd);
}

static inline void
node_kill(struct fake_node *node)
{
    listener_free(node->listener);
    node->listener = NULL;
    for (size_t i = 0; i < ARRAY_COUNT(node->links); i++) {
        if (node->links[i] != NULL) {
            node_end(node, node->links[i]);
        }
    }
    node->known = false;
}

static inline void
node_begin(struct fake_node *node)
{
    char address[32];

    snprintf(address, sizeof address, "127.0.0.1:%u", node->port);
    node->listener = listener_new(node->loop, address, node_accepted, node);
    assert_non_null(node->listener);
    node->port = listener_port(node->listener);
}

/* ---- the fixture ---- */

/* An application's connection: what came back on it. */
struct app {
    struct link *link;
    size_t answers;
    size_t downs;
    struct frame last;
    char body[64];
};

struct fixture {
    struct tls_fixture tls;
    struct daemon daemon;
    union {
        struct fake_node node; /* the first */
        struct fake_node nodes[FAKE_NODES];
    };
    struct app apps[24];
    struct timer *ping;
    struct timer *check;
};

static uint64_t clock_ahead; /* ms */

uint64_t
daemon_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u + clock_ahead;
}

static inline void
on_check(void *arg)
{
    struct daemon *daemon = arg;

    route_check(daemon);
    peers_check(daemon);
    contexts_check(daemon);
}

static inline bool
links_up(void *arg)
{
    struct fixture *f = arg;

    for (size_t i = 0; i < f->daemon.node_count * NODE_LINKS; i++) {
        if (!f->daemon.nodes[i / NODE_LINKS].links[i % NODE_LINKS].up) {
            return false;
        }
    }
    return true;
}

static inline void
app_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct app *app = arg;

    UNUSED(link);
    app->answers++;
    app->last = *frame;
    snprintf(app->body, sizeof app->body, "%.*s", (int)size_min(body.len, 60),
             body.len == 0 ? "" : (const char *)body.data);
}

static inline void
app_down(void *arg, struct link *link, const char *reason)
{
    struct app *app = arg;

    UNUSED(reason);
    app->downs++;
    app->link = NULL;
    link_free(link);
}

static const struct link_events app_events = { NULL, app_frame, app_down };

static inline void
fixture_begin(void **state, size_t node_count, size_t configured)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct daemon *daemon = &f->daemon;

    clock_ahead = 0;
    tls_fixture_init(&f->tls);
    daemon->loop = loop_new();
    daemon->uid_peers_max = 100;
    daemon->tls = tls_fixture_client(&f->tls, "client");
    daemon->settings.reconnect_interval_ms = 1000;
    daemon->settings.server_count = configured;
    for (size_t i = 0; i < node_count; i++) {
        struct settings_server *server = &daemon->settings.servers[i];
        struct fake_node *node = &f->nodes[i];

        node->loop = daemon->loop;
        node->tls = tls_fixture_server(&f->tls, "node", "ca");
        node->boot = 5 + i;
        node_begin(node);
        node->id = configured < node_count ? (uint32_t)i + 1 : 0;
        for (size_t k = 0; k < node_count; k++) {
            node->list[k] = &f->nodes[k];
        }
        *server = (struct settings_server){ .hostname = "127.0.0.1",
                                            .client_port = node->port,
                                            .enable = true };
        snprintf(server->name, sizeof server->name, "hsm%zu", i + 1);
    }
    daemon->unreachable_since = daemon_now();
    page_open(daemon);
    assert_non_null(daemon->page);
    f->ping = timer_new(daemon->loop, 250, true, node_ping, daemon);
    f->check = timer_new(daemon->loop, 20, true, on_check, daemon);
    node_start(daemon);
    assert_true(loop_until(daemon->loop, links_up, f, LIMIT_MS));
    *state = f;
}

static inline int
setup(void **state)
{
    fixture_begin(state, 1, 1);
    return 0;
}

static inline int
setup_three(void **state)
{
    fixture_begin(state, 3, 3);
    return 0;
}

/* Three, of which the daemon is told of the first. */
static inline int
setup_one_of_three(void **state)
{
    fixture_begin(state, 3, 1);
    return 0;
}

static inline int
teardown(void **state)
{
    struct fixture *f = *state;
    struct daemon *daemon = &f->daemon;

    daemon->stopping = true;
    pendings_clear(daemon);
    nodes_stop(daemon);
    peers_clear(daemon);
    contexts_clear(daemon);
    index_clear(&daemon->owners);
    for (size_t i = 0; i < ARRAY_COUNT(f->apps); i++) {
        link_free(f->apps[i].link);
    }
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (f->nodes[i].tls != NULL) {
            node_kill(&f->nodes[i]);
            tls_context_free(f->nodes[i].tls);
        }
    }
    page_close(daemon);
    tls_context_free(daemon->tls);
    timer_free(f->ping);
    timer_free(f->check);
    loop_free(daemon->loop);
    tls_fixture_clear(&f->tls);
    assert_int_equal(daemon->pending_count, 0);
    assert_int_equal(daemon->owners.count, 0);
    free(f);
    return 0;
}

static inline struct app *
app_connect(struct fixture *f, size_t number)
{
    struct app *app = &f->apps[number];
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    app->link = link_new(f->daemon.loop, fds[0], NULL, false, &app_events, app);
    assert_non_null(app->link);
    peer_accepted(&f->daemon, fds[1]);
    return app;
}

static inline void
app_send_with(struct app *app, enum operation operation, uint64_t request, uint16_t flags,
              view body)
{
    struct frame frame = { .operation = (uint16_t)operation,
                           .request = request,
                           .flags = flags };
    size_t start = frame_begin(link_output(app->link));

    write_raw(link_output(app->link), body);
    assert_true(frame_end(link_output(app->link), start, &frame));
    link_flush(app->link);
}

static inline void
app_send(struct app *app, enum operation operation, uint64_t request, view body)
{
    app_send_with(app, operation, request, 0, body);
}

static inline void
app_say_hello(struct app *app, const char key[FRAME_CONTEXT_LEN + 1], const char *ticket)
{
    const struct hello_request m = { .version = FRAME_VERSION,
                                     .key = view_of(key, FRAME_CONTEXT_LEN),
                                     .pid = 1,
                                     .ticket = view_str(ticket) };
    struct writer body;

    writer_init(&body, 512);
    hello_request_write(&body, &m);
    app_send(app, OPERATION_HELLO, 1, writer_view(&body));
    writer_clear(&body);
}

static size_t wanted;

static inline bool
has_wanted(void *arg)
{
    return ((struct app *)arg)->answers >= wanted;
}

static inline bool
is_down(void *arg)
{
    return ((struct app *)arg)->downs > 0;
}

static inline bool
node_has_wanted(void *arg)
{
    return ((struct fixture *)arg)->node.seen_count >= wanted;
}

/* Until the connection has had so many answers in all. */
static inline bool
answered(struct fixture *f, struct app *app, size_t count)
{
    wanted = count;
    return loop_until(f->daemon.loop, has_wanted, app, LIMIT_MS);
}

static inline bool
node_saw(struct fixture *f, size_t count)
{
    wanted = count;
    return loop_until(f->daemon.loop, node_has_wanted, f, LIMIT_MS);
}

#define KEY "sixteen bytes..."
#define OTHER "another sixteen."

static inline struct app *
app_begin(struct fixture *f, size_t number, const char *key)
{
    struct app *app = app_connect(f, number);

    app_say_hello(app, key, "");
    assert_true(answered(f, app, 1));
    assert_int_equal(app->last.code, CKR_OK);
    return app;
}

static inline size_t
node_seen_of(const struct fake_node *node, enum operation operation)
{
    size_t count = 0;

    for (size_t i = 0; i < node->seen_count; i++) {
        count += node->seen[i].operation == operation;
    }
    return count;
}

/* By the first node. */
static inline size_t
seen_of(const struct fixture *f, enum operation operation)
{
    return node_seen_of(&f->node, operation);
}

#endif
