/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon between applications on socket pairs and a node of ours on loopback TLS, which
 * answers as each test says, or dies.
 */
#include "unit/daemon/fixture.h"

#include <errno.h>

/* ---- ways there and back ---- */

static void
a_request_is_attached_and_answered(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_RANDOM, 2, VIEW_TEXT("body"));

    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(app->last.request, 2);
    assert_int_equal(app->last.revision, 42);
    assert_string_equal(app->body, "body");
    assert_int_equal(f->node.seen[0].operation, OPERATION_ATTACH);
    assert_int_equal(f->node.seen[1].operation, OPERATION_RANDOM);
    assert_ptr_equal(f->node.seen_on[0], f->node.seen_on[1]);
    /* The node knows a name of the context, not its key; the application sees neither. */
    assert_memory_not_equal(f->node.seen[1].context, KEY, FRAME_CONTEXT_LEN);
    assert_memory_equal(f->node.seen[1].context, f->node.seen[0].context, FRAME_CONTEXT_LEN);
    for (size_t i = 0; i < FRAME_CONTEXT_LEN; i++) {
        assert_int_equal(app->last.context[i], 0);
    }
}

/* create_object_minimum_nodes: the node is told with what may make something. */
static void
requests_ask_for_as_many_nodes_as_are_configured(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->daemon.settings.minimum_nodes = 2;
    app_send(app, OPERATION_RANDOM, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    app_send(app, OPERATION_OBJECT_CREATE, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));

    assert_int_equal(frame_nodes(&f->node.seen[1]), 1);
    assert_int_equal(f->node.seen[2].operation, OPERATION_OBJECT_CREATE);
    assert_int_equal(frame_nodes(&f->node.seen[2]), 2);
}

/* A flag is sent to those that know it; which those are, ATTACH tells. */
static void
nodes_are_told_how_many_when_they_know_what_that_is(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->daemon.settings.minimum_nodes = 2;
    app_send(app, OPERATION_OBJECT_CREATE, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_int_equal(f->node.seen_count, 2);
    assert_int_equal(f->node.seen[0].operation, OPERATION_ATTACH);
    assert_int_equal(frame_nodes(&f->node.seen[1]), 2);

    /* It has come back as an earlier one, which knows the context, and not the flag. */
    f->daemon.nodes[0].release = 0;
    f->node.manner = EARLIER;
    app_send(app, OPERATION_OBJECT_CREATE, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(f->node.seen_count, 4);
    assert_int_equal(f->node.seen[2].operation, OPERATION_ATTACH);
    assert_int_equal(f->node.seen[3].flags, 0);

    /* An application that asks for it by itself, in whatever it likes, ends no connection. */
    app_send_with(app, OPERATION_SIGN, 4, 3 << 8, VIEW_EMPTY);
    assert_true(answered(f, app, 4));
    assert_int_equal(f->node.seen[4].flags, 0);
}

/* A node that takes nobody in never says what it is of. */
static void
who_is_not_taken_in_does_not_wait_for_a_release(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->daemon.settings.minimum_nodes = 2;
    f->node.refuses = true;
    app_send(app, OPERATION_OBJECT_CREATE, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_in_range(f->node.seen_count, ATTACHES_MAX, ATTACHES_MAX + 1);
    assert_int_equal(seen_of(f, OPERATION_OBJECT_CREATE), 0);
}

static void
many_requests_of_many_contexts_find_their_way(void **state)
{
    struct fixture *f = *state;
    static const char *const keys[] = { KEY, KEY, OTHER };

    for (size_t i = 0; i < 3; i++) {
        app_begin(f, i, keys[i]);
    }
    for (uint64_t k = 0; k < 40; k++) {
        for (size_t i = 0; i < 3; i++) {
            char text[16];

            snprintf(text, sizeof text, "app %zu", i);
            /* Contexts count for themselves: the third uses the numbers of the first. */
            app_send(&f->apps[i], OPERATION_SIGN, 10 + k * 2 + i % 2, view_str(text));
        }
    }
    for (size_t i = 0; i < 3; i++) {
        char text[16];

        snprintf(text, sizeof text, "app %zu", i);
        assert_true(answered(f, &f->apps[i], 41));
        assert_string_equal(f->apps[i].body, text);
    }
    assert_int_equal(seen_of(f, OPERATION_ATTACH), 2);
}

static void
what_is_no_applications_business_is_refused(void **state)
{
    static const enum operation wrong[] = { OPERATION_ATTACH, OPERATION_HELLO,
                                            OPERATION_USER_CREATE, (enum operation)999 };
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        app_send(app, wrong[i], 2 + i, VIEW_EMPTY);
        assert_true(answered(f, app, 2 + i));
        assert_int_equal(app->last.code, CKR_FUNCTION_NOT_SUPPORTED);
    }
    app_send(app, OPERATION_RANDOM, 0, VIEW_EMPTY); /* the daemon's own number */
    assert_true(answered(f, app, 6));
    assert_int_equal(app->last.code, CKR_FUNCTION_NOT_SUPPORTED);
    assert_int_equal(f->node.seen_count, 0);
}

/* ---- the change page ---- */

static bool
page_is_good(void *arg)
{
    return page_is_valid(((struct fixture *)arg)->daemon.page, daemon_now());
}

static bool
page_is_out(void *arg)
{
    return !page_is_good(arg);
}

static bool
node_was_asked(void *arg)
{
    return ((struct fixture *)arg)->node.asked >= wanted;
}

static void
a_node_feeds_the_page(void **state)
{
    struct fixture *f = *state;
    struct page *page = f->daemon.page;
    uint64_t one, other;

    assert_true(loop_until(f->daemon.loop, page_is_good, f, LIMIT_MS));
    one = page_stamp(page, 0x40001);
    other = page_stamp(page, 0x40002);
    f->node.changed = 0x40001;
    f->node.sequence = 1;
    wanted = f->node.asked + 3;
    assert_true(loop_until(f->daemon.loop, node_was_asked, f, LIMIT_MS));
    assert_int_not_equal(page_stamp(page, 0x40001), one);
    assert_int_equal(page_stamp(page, 0x40002), other);

    /* Another node, or the same one started again. */
    f->node.boot = 6;
    wanted = f->node.asked + 3;
    assert_true(loop_until(f->daemon.loop, node_was_asked, f, LIMIT_MS));
    assert_int_not_equal(page_stamp(page, 0x40002), other);
}

static void
a_node_that_tells_nothing_lets_the_page_run_out(void **state)
{
    struct fixture *f = *state;

    assert_true(loop_until(f->daemon.loop, page_is_good, f, LIMIT_MS));
    f->node.tells_nothing = true;
    assert_true(loop_until(f->daemon.loop, page_is_out, f, LIMIT_MS));
    /* The next link is asked afresh. */
    f->node.tells_nothing = false;
    node_kill(&f->node);
    node_begin(&f->node);
    assert_true(loop_until(f->daemon.loop, page_is_good, f, LIMIT_MS));
}

static void
a_lost_node_ends_the_page_at_once(void **state)
{
    struct fixture *f = *state;

    assert_true(loop_until(f->daemon.loop, page_is_good, f, LIMIT_MS));
    node_kill(&f->node);
    assert_true(loop_until(f->daemon.loop, page_is_out, f, 500));
}

static void
what_an_application_changes_is_shown_before_its_answer(void **state)
{
    static const enum operation changing[] = { OPERATION_OBJECT_SET, OPERATION_OBJECT_DESTROY };
    struct fixture *f = *state;
    struct page *page = f->daemon.page;
    struct app *app = app_begin(f, 0, KEY);
    uint64_t stamp, other = page_stamp(page, 0x40002);

    assert_true(loop_until(f->daemon.loop, page_is_good, f, LIMIT_MS));
    other = page_stamp(page, 0x40002);
    for (size_t i = 0; i < ARRAY_COUNT(changing); i++) {
        stamp = page_stamp(page, 0x40001);
        app_send(app, changing[i], 2 + i, VIEW_TEXT("\x01\0\x04\0rest"));
        assert_true(answered(f, app, 2 + i));
        assert_int_not_equal(page_stamp(page, 0x40001), stamp);
    }
    stamp = page_stamp(page, 0x40001);
    app_send(app, OPERATION_OBJECT_GET, 4, VIEW_TEXT("\x01\0\x04\0"));
    assert_true(answered(f, app, 4));
    assert_int_equal(page_stamp(page, 0x40001), stamp);
    assert_int_equal(page_stamp(page, 0x40002), other);
    /* A request without a handle in it can only be about all. */
    app_send(app, OPERATION_OBJECT_SET, 5, VIEW_TEXT("\x01"));
    assert_true(answered(f, app, 5));
    assert_int_not_equal(page_stamp(page, 0x40002), other);
    /* And one whose outcome nobody knows counts as done. */
    stamp = page_stamp(page, 0x40001);
    f->node.manner = SILENT;
    app_send(app, OPERATION_OBJECT_SET, 6, VIEW_TEXT("\x01\0\x04\0"));
    assert_true(node_saw(f, 6)); /* with ATTACH */
    clock_ahead += REQUEST_STORE_MS + 1;
    assert_true(answered(f, app, 6));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_not_equal(page_stamp(page, 0x40001), stamp);
}

/* ---- contexts ---- */

static void
a_connection_has_to_say_hello(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_connect(f, 0);

    app_send(app, OPERATION_RANDOM, 1, VIEW_EMPTY);

    assert_true(loop_until(f->daemon.loop, is_down, app, LIMIT_MS));
    assert_int_equal(app->answers, 0);
}

/* Garbage that is there when it is taken, and other requests, need no more than a look. */
static void
what_is_no_hello_is_closed_at_once(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[3][FRAME_HEADER_LEN] = { { 0 } };
    const struct frame random = { .operation = OPERATION_RANDOM, .request = 1 };
    const struct frame large = { .operation = OPERATION_HELLO, .request = 1,
                                 .body_len = HELLO_BODY_MAX + 1 };

    memset(bytes[0], 0xff, sizeof bytes[0]);
    frame_encode(&random, bytes[1]);
    frame_encode(&large, bytes[2]);
    for (size_t i = 0; i < ARRAY_COUNT(bytes); i++) {
        int fds[2];
        uint8_t byte;

        assert_int_equal(
            socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
        assert_int_equal(write(fds[0], bytes[i], sizeof bytes[i]), sizeof bytes[i]);
        peer_accepted(&f->daemon, fds[1]);
        assert_null(f->daemon.strangers.first);
        assert_true(recv(fds[0], &byte, 1, 0) == 0 || errno == ECONNRESET);
        close(fds[0]);
    }
}

static void
hello_has_little_room_and_little_time(void **state)
{
    struct fixture *f = *state;
    struct app *large = app_connect(f, 0);
    struct app *slow = app_connect(f, 1);
    static uint8_t zeros[HELLO_BODY_MAX + 1];

    app_send(large, OPERATION_HELLO, 1, view_of(zeros, sizeof zeros));
    assert_true(loop_until(f->daemon.loop, is_down, large, LIMIT_MS));

    loop_for(f->daemon.loop, 50);
    assert_int_equal(slow->downs, 0);
    clock_ahead += STRANGER_MS + 1;
    assert_true(loop_until(f->daemon.loop, is_down, slow, LIMIT_MS));
}

static void
another_uid_is_refused_with_the_right_key(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct app *thief = app_connect(f, 1);
    struct owner *owner = f->daemon.contexts->owner;

    app_send(app, OPERATION_RANDOM, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));

    /* The context is another's: as if its process had another uid. */
    struct owner other = { .uid = 12345, .contexts = 1, .peers = 2 };

    f->daemon.contexts->owner = &other;
    app_say_hello(thief, KEY, "");
    assert_true(loop_until(f->daemon.loop, is_down, thief, LIMIT_MS));
    assert_int_equal(thief->answers, 0);
    f->daemon.contexts->owner = owner;
}

static void
a_uid_that_is_full_loses_strangers_first(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct app *stranger = app_connect(f, 1);

    f->daemon.uid_peers_max = 2;

    struct app *next = app_begin(f, 2, KEY);

    assert_true(loop_until(f->daemon.loop, is_down, stranger, LIMIT_MS));
    assert_int_equal(app->downs + next->downs, 0);

    struct app *more = app_connect(f, 3);

    assert_true(loop_until(f->daemon.loop, is_down, more, LIMIT_MS));
    assert_int_equal(app->downs + next->downs, 0);
}

static void
a_ticket_comes_with_hello_and_goes_with_attach(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_connect(f, 0);

    app_say_hello(app, KEY, "of a login");
    app_send(app, OPERATION_RANDOM, 2, VIEW_EMPTY);

    assert_true(answered(f, app, 2));
    assert_string_equal(f->node.ticket, "of a login");
}

static void
a_logins_ticket_is_kept_until_logout(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    const struct login_reply login = { .user = 1, .role = 2, .ticket = VIEW_TEXT("fresh") };
    struct writer body;

    writer_init(&body, 512);
    login_reply_write(&body, &login);
    app_send(app, OPERATION_LOGIN, 2, writer_view(&body)); /* the node turns it round */
    assert_true(answered(f, app, 2));
    writer_clear(&body);
    node_kill(&f->node);
    f->node.forgetful = true;
    node_begin(&f->node);
    app_send(app, OPERATION_RANDOM, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_string_equal(f->node.ticket, "fresh");

    app_send(app, OPERATION_LOGOUT, 4, VIEW_EMPTY);
    assert_true(answered(f, app, 4));
    f->node.known = false;
    app_send(app, OPERATION_RANDOM, 5, VIEW_EMPTY);
    assert_true(answered(f, app, 5));
    assert_string_equal(f->node.ticket, "");
}

static void
the_last_connection_gone_a_context_has_ten_seconds(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_RANDOM, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    link_free(app->link);
    app->link = NULL;
    loop_for(f->daemon.loop, 60);
    assert_non_null(f->daemon.contexts);
    assert_int_equal(seen_of(f, OPERATION_DETACH), 0);

    clock_ahead += GRACE_MS + 1;

    assert_true(node_saw(f, 3));
    assert_int_equal(f->node.seen[2].operation, OPERATION_DETACH);
    assert_null(f->daemon.contexts);
}

static void
app_end(struct fixture *f, struct app *app)
{
    link_free(app->link);
    app->link = NULL;
    loop_for(f->daemon.loop, 60);
}

/* A uid has few mailrooms: who left, and may come back, does not keep one from those that are here. */
static void
mailboxes_go_with_the_last_connection(void **state)
{
    struct fixture *f = *state;
    struct app *apps[] = { app_begin(f, 0, KEY), app_begin(f, 1, KEY), app_begin(f, 2, OTHER) };

    for (size_t i = 0; i < ARRAY_COUNT(apps); i++) {
        app_send(apps[i], OPERATION_MAILBOX, 2, VIEW_EMPTY);
        assert_true(answered(f, apps[i], 2));
        assert_int_equal(apps[i]->last.code, CKR_OK);
    }
    assert_int_equal(f->daemon.mailrooms, 2);

    app_end(f, apps[0]);
    assert_int_equal(f->daemon.mailrooms, 2);
    app_end(f, apps[1]);
    assert_int_equal(f->daemon.mailrooms, 1);
    assert_int_equal(f->daemon.contexts_by_id.count, 2);

    app_begin(f, 3, KEY);
    app_send(&f->apps[3], OPERATION_MAILBOX, 2, VIEW_EMPTY);
    assert_true(answered(f, &f->apps[3], 2));
    assert_int_equal(f->apps[3].last.code, CKR_OK);
    assert_int_equal(f->daemon.mailrooms, 2);
}

static void
detach_is_told_to_the_node_and_answered(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_RANDOM, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    app_send(app, OPERATION_DETACH, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK);

    link_free(app->link);
    app->link = NULL;
    loop_for(f->daemon.loop, 60);

    assert_int_equal(seen_of(f, OPERATION_DETACH), 1);
    assert_null(f->daemon.contexts);
}

static void
connections_that_vanish_under_way_leave_nothing(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->node.manner = SILENT;
    for (uint64_t i = 2; i < 30; i++) {
        app_send(app, i % 2 == 0 ? OPERATION_SIGN : OPERATION_OBJECT_CREATE, i, VIEW_EMPTY);
    }
    assert_true(node_saw(f, 29));
    link_free(app->link);
    app->link = NULL;
    loop_for(f->daemon.loop, 30);
    assert_int_equal(f->daemon.pending_count, 28);

    node_kill(&f->node);
    loop_for(f->daemon.loop, 60);

    /* Nobody waits for them: they are not sent again. */
    assert_int_equal(f->daemon.pending_count, 0);
}

/* ---- death and return of the node ---- */

static void
what_is_harmless_twice_is_sent_again(struct fixture *f, enum operation operation)
{
    struct app *app = app_begin(f, 0, KEY);

    f->node.manner = SILENT;
    app_send(app, operation, 7, VIEW_TEXT("again"));
    assert_true(node_saw(f, 2));
    node_kill(&f->node);
    loop_for(f->daemon.loop, 300);
    assert_int_equal(app->answers, 1);
    f->node.manner = ANSWER;
    f->node.forgetful = true;
    node_begin(&f->node);

    assert_true(answered(f, app, 2));

    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(app->last.request, 7);
    assert_string_equal(app->body, "again");
    for (size_t i = 0; i < f->node.seen_count; i++) {
        assert_true(f->node.seen[i].operation != operation || f->node.seen[i].request == 7);
    }
    assert_int_equal(seen_of(f, operation), 3); /* unknown in between */
    loop_for(f->daemon.loop, 50);
    assert_int_equal(app->answers, 2);
}

static void
repeat_requests_outlive_the_node(void **state)
{
    what_is_harmless_twice_is_sent_again(*state, OPERATION_SIGN);
}

static void
once_requests_outlive_the_node_under_their_number(void **state)
{
    what_is_harmless_twice_is_sent_again(*state, OPERATION_OBJECT_CREATE);
}

/* A node that could not reach its store for seconds may reach it now, and there is no other. */
static void
what_the_only_node_gave_up_after_seconds_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->node.manner = SILENT;
    app_send(app, OPERATION_OBJECT_CREATE, 2, VIEW_TEXT("again"));
    assert_true(node_saw(f, 2)); /* with ATTACH */
    clock_ahead += GAVE_UP_MS + 1;
    f->node.manner = ANSWER;
    frame_reply(link_output(f->node.seen_on[1]), &f->node.seen[1], (uint32_t)CKR_DEVICE_ERROR, 0,
                VIEW_EMPTY);
    link_flush(f->node.seen_on[1]);
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_OK);
    assert_string_equal(app->body, "again");
    assert_int_equal(seen_of(f, OPERATION_OBJECT_CREATE), 2);

    /* A failure at once has another reason. */
    f->node.manner = BROKEN;
    app_send(app, OPERATION_OBJECT_CREATE, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(seen_of(f, OPERATION_OBJECT_CREATE), 3);
}

static void
bound_steps_fail_with_the_node(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->node.manner = SILENT;
    app_send(app, OPERATION_UPDATE, 2, VIEW_EMPTY);
    assert_true(node_saw(f, 2));
    node_kill(&f->node);

    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(seen_of(f, OPERATION_UPDATE), 1);
}

/* The other link is the less busy one each time; the order of steps is kept on one alone. */
static void
steps_under_way_together_go_the_same_way(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_START, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    f->node.manner = SILENT;
    for (uint64_t i = 0; i < 6; i++) {
        app_send(app, OPERATION_UPDATE, 3 + i, VIEW_TEXT("some data"));
    }
    assert_true(node_saw(f, 8)); /* ATTACH and START before them */
    for (size_t i = 2; i < 8; i++) {
        assert_int_equal(f->node.seen[i].request, 1 + i);
        assert_int_equal(f->node.seen[i].body_len, 9);
        assert_ptr_equal(f->node.seen_on[i], f->node.seen_on[2]);
    }
}

/* What comes in one round leaves in one record; many are shared out all the same. */
static void
few_requests_leave_together(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    const struct link *way = NULL; /* of the first eight */
    size_t together = 0;

    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    f->node.manner = SILENT;
    for (uint64_t i = 0; i < 30; i++) {
        app_send(app, OPERATION_SIGN, 3 + i, VIEW_TEXT("some data"));
    }
    assert_true(node_saw(f, 32)); /* ATTACH and the first one before them */
    for (size_t i = 2; i < 32; i++) {
        if (f->node.seen[i].request < 3 + 8) {
            way = way == NULL ? f->node.seen_on[i] : way;
            assert_ptr_equal(f->node.seen_on[i], way);
        }
    }
    for (size_t i = 2; i < 32; i++) {
        together += f->node.seen_on[i] == way;
    }
    assert_in_range(together, 11, 19);
}

static void
bound_steps_fail_where_the_context_was_forgotten(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_START, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_OK);
    f->node.forgetful = true;
    f->node.known = false;

    app_send(app, OPERATION_UPDATE, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(seen_of(f, OPERATION_UPDATE), 1);

    app_send(app, OPERATION_START, 4, VIEW_EMPTY); /* a new one may begin */
    assert_true(answered(f, app, 4));
    assert_int_equal(app->last.code, CKR_OK);
}

static void
without_a_node_a_request_fails_in_time(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    node_kill(&f->node);
    loop_for(f->daemon.loop, 50);
    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    loop_for(f->daemon.loop, 100);
    assert_int_equal(app->answers, 1);
    clock_ahead += UNREACHABLE_MS + 1;
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);

    /* And from then on at once. */
    app_send(app, OPERATION_SIGN, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
}

static bool
a_link_is_down(void *arg)
{
    return !links_up(arg);
}

static bool
both_links_are_down(void *arg)
{
    return !node_is_reached(&((struct fixture *)arg)->daemon.nodes[0]);
}

/* Contexts that it knows are not attached again, so nothing would tell the release anew. */
static void
a_node_is_of_its_release_as_long_as_a_link_is_there(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_RANDOM, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_int_equal(f->daemon.nodes[0].release, FRAME_VERSION);

    node_end(&f->node, f->node.links[0] != NULL ? f->node.links[0] : f->node.links[1]);
    assert_true(loop_until(f->daemon.loop, a_link_is_down, f, LIMIT_MS));
    assert_int_equal(f->daemon.nodes[0].release, FRAME_VERSION);

    node_kill(&f->node);
    assert_true(loop_until(f->daemon.loop, both_links_are_down, f, LIMIT_MS));
    assert_int_equal(f->daemon.nodes[0].release, 0);
    node_begin(&f->node);
}

static void
a_node_is_looked_for_soon_while_requests_wait(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    uint64_t start;

    f->daemon.settings.reconnect_interval_ms = 60000;
    node_kill(&f->node);
    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    loop_for(f->daemon.loop, 2000);
    node_begin(&f->node);
    start = daemon_now();

    assert_true(answered(f, app, 2));
    assert_true(daemon_now() - start < 500);
}

static void
a_silent_node_has_its_deadline(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->node.manner = SILENT;
    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    app_send(app, OPERATION_GENERATE_PAIR, 3, VIEW_EMPTY);
    assert_true(node_saw(f, 3));
    clock_ahead += REQUEST_MS + 1;
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(app->last.request, 2);

    clock_ahead += REQUEST_SLOW_MS - REQUEST_MS;
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.request, 3);
}

static uint32_t own_code;

static void
own_ended(void *arg, uint32_t code, view body)
{
    UNUSED(arg);
    UNUSED(body);
    own_code = code;
}

static bool
own_has_ended(void *arg)
{
    UNUSED(arg);
    return own_code != UINT32_MAX;
}

/* Asks for something slow, which gets so much time. */
static void
own_begin(struct fixture *f, uint64_t ms)
{
    static uint64_t request = 1ull << 63;
    const struct frame frame = { .operation = OPERATION_TOKEN_CHECK, .request = request++ };
    const size_t seen = seen_of(f, OPERATION_TOKEN_CHECK);

    own_code = UINT32_MAX;
    assert_true(route_own(&f->daemon, f->daemon.contexts, &frame, VIEW_EMPTY, daemon_now() + ms,
                          own_ended, NULL));
    assert_true(node_saw(f, f->node.seen_count + 1));
    assert_int_equal(seen_of(f, OPERATION_TOKEN_CHECK), seen + 1);
}

static void
a_request_of_our_own_has_no_more_time_than_it_is_given(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    f->node.manner = SILENT;

    own_begin(f, 1000);
    clock_ahead += 1001;
    assert_true(loop_until(f->daemon.loop, own_has_ended, NULL, LIMIT_MS));
    assert_int_equal(own_code, CKR_DEVICE_ERROR);

    own_begin(f, UINT32_MAX);
    clock_ahead += 1001;
    loop_for(f->daemon.loop, 300);
    assert_false(own_has_ended(NULL));
    clock_ahead += REQUEST_SLOW_MS;
    assert_true(loop_until(f->daemon.loop, own_has_ended, NULL, LIMIT_MS));
}

static void
a_node_that_never_knows_a_context_is_not_asked_for_ever(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->node.manner = UNKNOWN;
    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_true(seen_of(f, OPERATION_SIGN) <= ATTACHES_MAX + 1);

    f->node.manner = ANSWER;
    f->node.forgetful = true;
    f->node.refuses = true;
    f->node.known = false;
    app_send(app, OPERATION_SIGN, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
}

static void
the_same_number_on_two_connections_is_answered_on_both(void **state)
{
    struct fixture *f = *state;
    struct app *first = app_begin(f, 0, KEY);
    struct app *second = app_begin(f, 1, KEY);

    f->node.manner = SILENT;
    app_send(first, OPERATION_OBJECT_CREATE, 5, VIEW_EMPTY);
    assert_true(node_saw(f, 2));
    link_free(first->link); /* the application has lost patience, and asks again */
    first->link = NULL;
    loop_for(f->daemon.loop, 30);
    app_send(second, OPERATION_OBJECT_CREATE, 5, VIEW_TEXT("x"));
    assert_true(node_saw(f, 3));
    assert_int_equal(f->daemon.pending_count, 2);

    /* Both answers come, from whichever link. */
    for (size_t i = 2; i > 0; i--) {
        frame_reply(link_output(f->node.seen_on[i]), &f->node.seen[i], CKR_OK, 0,
                    VIEW_TEXT("done"));
        link_flush(f->node.seen_on[i]);
    }

    assert_true(answered(f, second, 2));
    assert_string_equal(second->body, "done");
    loop_for(f->daemon.loop, 30);
    assert_int_equal(f->daemon.pending_count, 0);
}

static void
replies_that_nobody_asked_for_are_passed_over(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct frame strange;

    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    strange = f->node.seen[1];
    for (uint64_t number = 0; number < 5; number++) {
        strange.request = number;
        frame_reply(link_output(f->node.seen_on[1]), &strange, CKR_OK, 0, VIEW_EMPTY);
    }
    link_flush(f->node.seen_on[1]);
    loop_for(f->daemon.loop, 30);
    assert_int_equal(app->answers, 2);

    app_send(app, OPERATION_SIGN, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
}

/* ---- flow ---- */

static void
a_greedy_context_is_paused_and_goes_on(void **state)
{
    struct fixture *f = *state;
    struct app *greedy = app_begin(f, 0, KEY);
    struct app *honest = app_begin(f, 1, OTHER);

    f->node.manner = SILENT;
    for (uint64_t i = 0; i < 200; i++) {
        app_send(greedy, OPERATION_SIGN, 10 + i, VIEW_TEXT("greedy"));
    }
    loop_for(f->daemon.loop, 100);
    assert_int_equal(f->daemon.pending_count, CONTEXT_REQUESTS_MAX);

    f->node.manner = ANSWER;
    app_send(honest, OPERATION_SIGN, 2, VIEW_TEXT("honest"));
    assert_true(answered(f, honest, 2));

    /* What was held back until now is answered by hand; the rest follows. */
    size_t silent = f->node.seen_count;

    for (size_t i = 0; i < silent; i++) {
        if (f->node.seen[i].operation == OPERATION_SIGN && f->node.seen[i].request >= 10) {
            frame_reply(link_output(f->node.seen_on[i]), &f->node.seen[i], CKR_OK, 0, VIEW_EMPTY);
            link_flush(f->node.seen_on[i]);
        }
    }
    assert_true(answered(f, greedy, 201));
    assert_int_equal(f->daemon.pending_count, 0);
}

static void
a_paused_connection_may_vanish(void **state)
{
    struct fixture *f = *state;
    struct app *greedy = app_begin(f, 0, KEY);

    f->node.manner = SILENT;
    for (uint64_t i = 0; i < 100; i++) {
        app_send(greedy, OPERATION_SIGN, 10 + i, VIEW_EMPTY);
    }
    loop_for(f->daemon.loop, 50);
    assert_non_null(f->daemon.contexts->paused);
    link_free(greedy->link);
    greedy->link = NULL;
    clock_ahead += REQUEST_MS + GRACE_MS + 1;

    loop_for(f->daemon.loop, 100);

    assert_int_equal(f->daemon.pending_count, 0);
}

#define GREEDY 4u
#define EACH 60u

static void
greedy_begin(struct fixture *f)
{
    static const char *const keys[GREEDY] = { "greedy sixteen 1", "greedy sixteen 2",
                                              "greedy sixteen 3", "greedy sixteen 4" };

    f->node.manner = SILENT;
    for (size_t i = 0; i < GREEDY; i++) {
        struct app *app = app_connect(f, i);

        app_say_hello(app, keys[i], "");
        assert_true(answered(f, app, 1));
        for (uint64_t k = 0; k < EACH; k++) {
            app_send(app, OPERATION_SIGN, 10 + k, VIEW_TEXT("greedy"));
        }
    }
    loop_for(f->daemon.loop, 100);
    assert_int_equal(f->daemon.pending_count, GREEDY * EACH);
}

/* Few of many requests are on their way, and who asks little is asked for at once. */
static void
a_crowd_of_requests_takes_turns(void **state)
{
    struct fixture *f = *state;
    struct app *honest = app_begin(f, GREEDY, OTHER);
    uint8_t ids[GREEDY][FRAME_CONTEXT_LEN];
    uint64_t last[GREEDY] = { 0 };
    size_t done = 0, known = 0;

    greedy_begin(f);
    assert_in_range(f->daemon.on_way, ON_WAY_MAX, ON_WAY_MAX + GREEDY * ON_WAY_EACH);
    assert_int_equal(seen_of(f, OPERATION_SIGN), f->daemon.on_way);
    f->node.manner = ANSWER;
    app_send(honest, OPERATION_SIGN, 2, VIEW_TEXT("honest"));
    assert_true(answered(f, honest, 2));
    f->node.manner = SILENT;

    /* Each answer lets another one go, of whose turn it is, and each context's in its order. */
    for (; done < f->node.seen_count; done++) {
        const struct frame *frame = &f->node.seen[done];

        if (frame->operation == OPERATION_SIGN && frame->request >= 10) {
            size_t i = 0;

            while (i < known && memcmp(ids[i], frame->context, FRAME_CONTEXT_LEN) != 0) {
                i++;
            }
            if (i == known) {
                assert_in_range(known++, 0, GREEDY - 1);
                memcpy(ids[i], frame->context, FRAME_CONTEXT_LEN);
                last[i] = 9;
            }
            assert_int_equal(frame->request, ++last[i]);
            frame_reply(link_output(f->node.seen_on[done]), frame, CKR_OK, 0, VIEW_EMPTY);
            link_flush(f->node.seen_on[done]);
            loop_for(f->daemon.loop, 1);
        }
    }
    for (size_t i = 0; i < GREEDY; i++) {
        assert_true(answered(f, &f->apps[i], 1 + EACH));
    }
    assert_int_equal(f->daemon.pending_count, 0);
    assert_int_equal(f->daemon.on_way, 0);
    assert_null(f->daemon.turn);
}

static void
who_waits_for_his_turn_may_vanish(void **state)
{
    struct fixture *f = *state;

    greedy_begin(f);
    for (size_t i = 0; i < GREEDY - 1; i++) {
        link_free(f->apps[i].link);
        f->apps[i].link = NULL;
    }
    loop_for(f->daemon.loop, 50);
    f->node.manner = ANSWER;
    node_kill(&f->node);
    node_begin(&f->node);
    assert_true(answered(f, &f->apps[GREEDY - 1], 1 + EACH));
    clock_ahead += REQUEST_MS + GRACE_MS + 1;
    loop_for(f->daemon.loop, 100);
    assert_int_equal(f->daemon.pending_count, 0);
    assert_int_equal(f->daemon.on_way, 0);
    assert_null(f->daemon.turn);
}

static void
a_stopping_daemon_leaves_the_question_to_its_successor(void **state)
{
    struct fixture *f = *state;
    struct app *idle = app_begin(f, 0, KEY);
    struct app *busy = app_begin(f, 1, KEY);

    f->node.manner = SILENT;
    app_send(busy, OPERATION_SIGN, 2, VIEW_EMPTY);
    assert_true(node_saw(f, 2));
    f->daemon.stopping = true;
    peers_stop(&f->daemon);
    assert_true(loop_until(f->daemon.loop, is_down, idle, LIMIT_MS));
    assert_int_equal(busy->downs, 0);

    frame_reply(link_output(f->node.seen_on[1]), &f->node.seen[1], CKR_OK, 0, VIEW_EMPTY);
    link_flush(f->node.seen_on[1]);
    assert_true(answered(f, busy, 2));
    app_send(busy, OPERATION_SIGN, 3, VIEW_EMPTY);

    assert_true(loop_until(f->daemon.loop, is_down, busy, LIMIT_MS));
    assert_int_equal(busy->answers, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* ---- answers to the daemon's own questions ---- */

static void
an_answer_to_an_earlier_question_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct daemon *daemon = &f->daemon;
    struct app *app = app_begin(f, 0, KEY);
    struct context *context = daemon->contexts;
    struct attachment *at = &context->attachments[0];
    struct node_link *link = &daemon->nodes[0].links[0];
    const struct changes_reply told = { .boot = 5 };
    const struct attach_reply attached = { .version = FRAME_VERSION, .role = 2 };
    struct frame frame = { .operation = OPERATION_CHANGES, .flags = FRAME_REPLY };
    struct writer body;

    writer_init(&body, 256);
    changes_reply_write(&body, &told);
    timer_free(f->ping);
    f->ping = NULL;
    daemon->feed.link = link;
    daemon->feed.asked_at = daemon_now() + 100000;
    daemon->feed.number = frame.session = 7;
    frame.session--;
    feed_answer(daemon, link, &frame, writer_view(&body));
    assert_int_not_equal(daemon->feed.asked_at, 0);
    assert_false(page_is_valid(daemon->page, daemon_now() + 50000));
    frame.session++;
    feed_answer(daemon, link, &frame, writer_view(&body));
    assert_int_equal(daemon->feed.asked_at, 0);
    assert_true(page_is_valid(daemon->page, daemon_now() + 50000));

    /* What was said of the login before says nothing of the next one. */
    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_int_equal(at->state, ATTACHMENT_DONE);
    at->state = ATTACHMENT_ASKED;
    writer_reset(&body);
    attach_reply_write(&body, &attached);
    frame.operation = OPERATION_ATTACH;
    memcpy(frame.context, context->id, sizeof frame.context);
    frame.session = at->number - 1;
    attachment_answer(daemon, at->link, &frame, writer_view(&body));
    assert_int_equal(at->state, ATTACHMENT_ASKED);
    assert_false(at->in);
    frame.session = at->number;
    attachment_answer(daemon, at->link, &frame, writer_view(&body));
    assert_int_equal(at->state, ATTACHMENT_DONE);
    assert_true(at->in);
    writer_clear(&body);
}

/* ---- a node that does not read ---- */

#define FLOODERS 20u
#define FLOOD_EACH 16u
#define FLOOD_LEN 250000u /* 80 MB in all: more than an output buffer takes */

static bool
is_flooded(void *arg)
{
    const struct daemon *daemon = arg;
    size_t blocked = 0;

    for (const struct context *context = daemon->contexts; context != NULL;
         context = context->next) {
        blocked += context->blocked > 0;
    }
    return blocked >= FLOODERS / 2;
}

static void
flooders_begin(struct fixture *f)
{
    for (size_t i = 0; i < FLOODERS; i++) {
        char key[FRAME_CONTEXT_LEN + 1];

        snprintf(key, sizeof key, "flooding %06zu.", i);
        app_begin(f, i, key);
    }
    timer_free(f->ping); /* it answers none */
    f->ping = NULL;
}

static void
flooders_flood(struct fixture *f)
{
    static uint8_t body[FLOOD_LEN];

    for (size_t i = 0; i < FLOODERS; i++) {
        for (size_t k = 0; k < FLOOD_EACH; k++) {
            app_send(&f->apps[i], OPERATION_GENERATE_KEY, 2 + k, view_of(body, sizeof body));
        }
    }
}

static void
node_pauses(struct fixture *f)
{
    for (size_t i = 0; i < ARRAY_COUNT(f->node.links); i++) {
        if (f->node.links[i] != NULL) {
            link_pause(f->node.links[i]);
        }
    }
}

static void
node_goes_on(struct fixture *f)
{
    for (size_t i = 0; i < ARRAY_COUNT(f->node.links); i++) {
        if (f->node.links[i] != NULL) {
            link_resume(f->node.links[i]);
        }
    }
    for (size_t i = 0; i < FLOODERS; i++) {
        wanted = 1 + FLOOD_EACH;
        assert_true(loop_until(f->daemon.loop, has_wanted, &f->apps[i], 60000));
        assert_int_equal(f->apps[i].last.code, CKR_OK);
    }
}

/* However slow this machine is, nothing has waited for long. */
static void
wait_anew(struct daemon *daemon)
{
    if (daemon->unreachable_since != 0) {
        daemon->unreachable_since = daemon_now();
    }
    for (struct pending *pending = daemon->pending_first; pending != NULL;
         pending = pending->next) {
        if (pending->waiting_since != 0) {
            pending->waiting_since = daemon_now();
        }
    }
}

static bool
all_wait(void *arg)
{
    struct daemon *daemon = arg;

    wait_anew(daemon);
    return daemon->pending_count == FLOODERS * FLOOD_EACH;
}

/* It reads nothing from the beginning. */
static bool
is_flooded_again(void *arg)
{
    struct fixture *f = arg;

    wait_anew(&f->daemon);
    node_pauses(f);
    return links_up(f) && is_flooded(&f->daemon);
}

static void
who_waits_for_room_does_not_wait_for_a_node(void **state)
{
    struct fixture *f = *state;

    flooders_begin(f);
    node_kill(&f->node);
    assert_true(loop_until(f->daemon.loop, both_links_are_down, f, LIMIT_MS));
    flooders_flood(f);
    assert_true(loop_until(f->daemon.loop, all_wait, &f->daemon, 60000));
    node_begin(&f->node);
    assert_true(loop_until(f->daemon.loop, is_flooded_again, f, 60000));

    clock_ahead += UNREACHABLE_MS + 1;
    loop_for(f->daemon.loop, 100);

    for (size_t i = 0; i < FLOODERS; i++) {
        assert_int_equal(f->apps[i].answers, 1);
    }
    node_goes_on(f);
}

static void
a_node_that_does_not_read_is_sent_no_more_for_now(void **state)
{
    struct fixture *f = *state;
    const struct link *links[NODE_LINKS];
    size_t seen;

    for (size_t k = 0; k < NODE_LINKS; k++) {
        links[k] = f->daemon.nodes[0].links[k].link;
    }
    flooders_begin(f);
    node_pauses(f);
    seen = f->node.seen_count;
    flooders_flood(f);
    assert_true(loop_until(f->daemon.loop, is_flooded, &f->daemon, 60000));
    for (size_t k = 0; k < NODE_LINKS; k++) {
        assert_ptr_equal(f->daemon.nodes[0].links[k].link, links[k]);
        assert_in_range(link_backlog(links[k]), 1, NODE_OUTPUT_HIGH + FRAME_MAX);
    }
    node_goes_on(f);
    /* Each once, and attached once. */
    assert_int_equal(f->node.seen_count - seen, FLOODERS * (FLOOD_EACH + 1));
    assert_int_equal(f->daemon.pending_count, 0);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_request_is_attached_and_answered),
        TEST(requests_ask_for_as_many_nodes_as_are_configured),
        TEST(nodes_are_told_how_many_when_they_know_what_that_is),
        TEST(who_is_not_taken_in_does_not_wait_for_a_release),
        TEST(many_requests_of_many_contexts_find_their_way),
        TEST(what_is_no_applications_business_is_refused),
        TEST(a_node_feeds_the_page),
        TEST(a_node_that_tells_nothing_lets_the_page_run_out),
        TEST(a_lost_node_ends_the_page_at_once),
        TEST(what_an_application_changes_is_shown_before_its_answer),
        TEST(a_connection_has_to_say_hello),
        TEST(what_is_no_hello_is_closed_at_once),
        TEST(hello_has_little_room_and_little_time),
        TEST(another_uid_is_refused_with_the_right_key),
        TEST(a_uid_that_is_full_loses_strangers_first),
        TEST(a_ticket_comes_with_hello_and_goes_with_attach),
        TEST(a_logins_ticket_is_kept_until_logout),
        TEST(the_last_connection_gone_a_context_has_ten_seconds),
        TEST(mailboxes_go_with_the_last_connection),
        TEST(detach_is_told_to_the_node_and_answered),
        TEST(connections_that_vanish_under_way_leave_nothing),
        TEST(repeat_requests_outlive_the_node),
        TEST(once_requests_outlive_the_node_under_their_number),
        TEST(what_the_only_node_gave_up_after_seconds_is_asked_again),
        TEST(bound_steps_fail_with_the_node),
        TEST(steps_under_way_together_go_the_same_way),
        TEST(few_requests_leave_together),
        TEST(bound_steps_fail_where_the_context_was_forgotten),
        TEST(without_a_node_a_request_fails_in_time),
        TEST(a_node_is_of_its_release_as_long_as_a_link_is_there),
        TEST(a_node_is_looked_for_soon_while_requests_wait),
        TEST(a_silent_node_has_its_deadline),
        TEST(a_request_of_our_own_has_no_more_time_than_it_is_given),
        TEST(a_node_that_never_knows_a_context_is_not_asked_for_ever),
        TEST(the_same_number_on_two_connections_is_answered_on_both),
        TEST(replies_that_nobody_asked_for_are_passed_over),
        TEST(a_greedy_context_is_paused_and_goes_on),
        TEST(a_paused_connection_may_vanish),
        TEST(a_crowd_of_requests_takes_turns),
        TEST(who_waits_for_his_turn_may_vanish),
        TEST(an_answer_to_an_earlier_question_counts_for_nothing),
        TEST(a_node_that_does_not_read_is_sent_no_more_for_now),
        TEST(who_waits_for_room_does_not_wait_for_a_node),
        TEST(a_stopping_daemon_leaves_the_question_to_its_successor),
    };

    return cmocka_run_group_tests_name("daemon/route", tests, NULL, NULL);
}
