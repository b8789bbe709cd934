/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of session objects at the daemon: kept, and handed to the next home before anything that
 * is about them goes there.
 */
#include "unit/daemon/fixture.h"

#define OBJECT 0x80000001u

static struct fake_node *
node_that_saw(struct fixture *f, enum operation operation)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (node_seen_of(&f->nodes[i], operation) > 0) {
            return &f->nodes[i];
        }
    }
    return NULL;
}

static struct fake_node *
node_that_signed(struct fixture *f)
{
    return node_that_saw(f, OPERATION_SIGN);
}

static struct fake_node *
home_of(struct fixture *f)
{
    struct fake_node *home = node_that_saw(f, OPERATION_GENERATE_KEY);

    assert_non_null(home);
    return home;
}

/* What all of them say when copies are handed in. */
static void
copies_code(struct fixture *f, uint32_t code)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].copies_code = code;
    }
}

/* Asks for a signature by the session object, which its home makes. */
static void
ask_to_sign(struct app *app, uint64_t request)
{
    app_send_with(app, OPERATION_SIGN, request, FRAME_LOCAL, VIEW_TEXT("sign"));
}

/* It is answered; the node that did it. */
static struct fake_node *
sign(struct fixture *f, struct app *app, uint64_t request)
{
    ask_to_sign(app, request);
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_OK);
    return node_that_signed(f);
}

/* An application with a session object at its home, of which the daemon has a copy. */
static struct fake_node *
begin(struct fixture *f, struct app **ret_app)
{
    struct app *app = app_connect(f, 0);

    app_say_hello(app, KEY, "ticket");
    assert_true(answered(f, app, 1));
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].gives = OBJECT;
    }
    app_send_with(app, OPERATION_GENERATE_KEY, 1, FRAME_LOCAL, VIEW_TEXT("key"));
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_OK);
    assert_string_equal(app->body, "key");
    *ret_app = app;
    return home_of(f);
}

static size_t handed;

static bool
was_handed(void *arg)
{
    struct fixture *f = arg;
    size_t count = 0;

    for (size_t i = 0; i < FAKE_NODES; i++) {
        count += f->nodes[i].copies_asked;
    }
    return count >= handed;
}

static bool
asked_in_all(struct fixture *f, size_t count)
{
    handed = count;
    return loop_until(f->daemon.loop, was_handed, f, LIMIT_MS);
}

static bool
never(void *arg)
{
    UNUSED(arg);
    return false;
}

static void
the_home_is_told_once(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    for (uint64_t i = 2; i < 6; i++) {
        assert_ptr_equal(sign(f, app, i), home);
    }
    assert_int_equal(home->copies_asked, 1);
    assert_int_equal(home->copies_handed, 0);
}

static void
who_has_no_login_is_not_asked_for(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    app_send_with(app, OPERATION_GENERATE_KEY, 1, FRAME_LOCAL, VIEW_TEXT("key"));
    assert_true(answered(f, app, 2));
    assert_int_equal(home_of(f)->copies_asked, 0);
}

static void
the_next_home_gets_them_first(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);
    struct fake_node *next;

    node_kill(home);
    next = sign(f, app, 2);
    assert_ptr_not_equal(next, home);
    assert_int_equal(next->copies_handed, 1);
    assert_int_equal(next->copies_last, OBJECT);
    assert_int_equal(node_seen_of(next, OPERATION_ATTACH), 1);
}

static void
what_is_about_them_waits_for_the_lease(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    copies_code(f, CODE_LAGGING);
    node_kill(home);
    ask_to_sign(app, 2);
    assert_true(asked_in_all(f, home->copies_asked + 3)); /* again and again */
    assert_null(node_that_signed(f));
    /* Others do not wait. */
    app_connect(f, 1);
    app_say_hello(&f->apps[1], KEY, "ticket");
    assert_true(answered(f, &f->apps[1], 1));
    app_send(&f->apps[1], OPERATION_VERIFY, 3, VIEW_TEXT("verify"));
    assert_true(answered(f, &f->apps[1], 2));
    assert_int_equal(f->apps[1].last.code, CKR_OK);
    /* So long a request would not wait for anything else. */
    clock_ahead = REQUEST_MS + 1000;
    UNUSED(loop_until(f->daemon.loop, never, NULL, 100));
    assert_int_equal(app->answers, 2);

    copies_code(f, CKR_OK);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK);
    assert_string_equal(app->body, "sign");
}

static bool
is_in_doubt(void *arg)
{
    struct fixture *f = arg;

    return f->daemon.contexts->copies.doubt;
}

/* Nobody asked for them for longer than anybody would wait. */
static void
they_are_not_given_up_while_nobody_waits(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);
    struct fake_node *next;

    node_kill(home);
    assert_true(loop_until(f->daemon.loop, is_in_doubt, f, LIMIT_MS));
    clock_ahead += COPIES_MS + 1000;

    next = sign(f, app, 2);
    assert_ptr_not_equal(next, home);
    assert_int_equal(next->copies_handed, 1);
    assert_int_equal(f->daemon.contexts->copies.count, 1);
}

/* It was not dead: what it has is better than any copy. */
static void
the_home_may_come_back(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].copies_code = &f->nodes[i] == home ? CKR_OK : CODE_LAGGING;
    }
    node_kill(home);
    ask_to_sign(app, 2);
    assert_true(asked_in_all(f, home->copies_asked + 2));
    /* Whatever is asked of it first: it is not told to forget what it has. */
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].manner = &f->nodes[i] == home ? ANSWER : LAGGING;
    }
    app_connect(f, 1);
    app_say_hello(&f->apps[1], KEY, "ticket");
    app_send(&f->apps[1], OPERATION_VERIFY, 3, VIEW_TEXT("verify"));
    node_begin(home);
    assert_true(answered(f, &f->apps[1], 2));
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK);
    assert_ptr_equal(node_that_signed(f), home);
    assert_int_equal(node_seen_of(home, OPERATION_DETACH), 0);
}

static void
a_node_that_was_started_anew_gets_them(void **state)
{
    struct fixture *f = *state;
    struct fake_node *node = &f->node;
    struct app *app;

    node->forgetful = true;
    assert_ptr_equal(begin(f, &app), node);
    node_kill(node);
    ask_to_sign(app, 2);
    UNUSED(loop_until(f->daemon.loop, never, NULL, 50));
    node_begin(node);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(node->copies_handed, 1);
}

/* It forgot the context while the connections stood. */
static void
a_node_that_has_forgotten_gets_them(void **state)
{
    struct fixture *f = *state;
    struct fake_node *node = &f->node;
    struct app *app;

    node->forgetful = true;
    UNUSED(begin(f, &app));
    node->known = false;
    assert_ptr_equal(sign(f, app, 2), node);
    assert_int_equal(node->copies_handed, 1);
}

static void
close_session(struct fixture *f, struct app *app)
{
    struct frame close = { .operation = OPERATION_SESSION_CLOSE, .request = 2, .session = 1 };
    size_t start = frame_begin(link_output(app->link));

    assert_true(frame_end(link_output(app->link), start, &close));
    link_flush(app->link);
    assert_true(answered(f, app, 3));
}

/* The process renews its ticket. */
static void
renew(struct fixture *f, struct app *app, uint64_t request)
{
    const struct renew_reply m = { VIEW_TEXT("renewed"), 600000 };
    struct writer body;

    writer_init(&body, 64);
    renew_reply_write(&body, &m);
    app_send(app, OPERATION_RENEW, request, writer_view(&body)); /* which comes back */
    writer_clear(&body);
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_OK);
}

static bool
is_handed(void *arg)
{
    struct fixture *f = arg;

    clock_ahead += 100;
    return !f->daemon.contexts->copies.doubt;
}

/* It works with other keys meanwhile, for longer than copies are good. */
static void
they_live_again_while_nobody_waits(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);
    size_t asked = 0;

    copies_code(f, CODE_LAGGING);
    node_kill(home);
    assert_true(loop_until(f->daemon.loop, is_in_doubt, f, LIMIT_MS));
    renew(f, app, 2);
    copies_code(f, CKR_OK);
    assert_true(loop_until(f->daemon.loop, is_handed, f, LIMIT_MS));
    for (size_t i = 0; i < FAKE_NODES; i++) {
        asked += f->nodes[i].copies_handed;
    }
    assert_true(asked > 0);
    assert_int_equal(f->daemon.contexts->copies.count, 1);
    assert_false(f->daemon.contexts->copies.renew);
}

static bool
is_asked(void *arg)
{
    struct fixture *f = arg;

    return f->daemon.contexts->copies.asked == NULL && !f->daemon.contexts->copies.renew;
}

/* Those that are on their way may have been sealed before it. */
static void
a_ticket_that_is_renewed_while_they_come_asks_again(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);
    struct copies *copies = &f->daemon.contexts->copies;
    size_t asked;

    assert_true(loop_until(f->daemon.loop, is_asked, f, LIMIT_MS));
    asked = home->copies_asked;
    copies_renew(&f->daemon, f->daemon.contexts);
    assert_non_null(copies->asked);
    copies_renew(&f->daemon, f->daemon.contexts);
    assert_true(copies->renew);
    assert_true(loop_until(f->daemon.loop, is_asked, f, LIMIT_MS));
    assert_int_equal(home->copies_asked, asked + 2);
}

/* A node that does not answer that is asked later. */
static void
a_node_that_cannot_renew_them_is_asked_again(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    assert_true(loop_until(f->daemon.loop, is_asked, f, LIMIT_MS));
    home->copies_code = CODE_LAGGING;
    renew(f, app, 2);
    assert_true(asked_in_all(f, home->copies_asked + 1));
    home->copies_code = CKR_OK;
    clock_ahead += 5000;
    assert_true(loop_until(f->daemon.loop, is_asked, f, LIMIT_MS));
    assert_int_equal(f->daemon.contexts->copies.count, 1);
}

static void
a_session_takes_them_along(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    close_session(f, app);
    node_kill(home);
    assert_int_equal(sign(f, app, 3)->copies_handed, 0);
}

/* Its node could not store that: the session is over all the same. */
static void
a_session_takes_them_along_without_the_store(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    home->manner = BROKEN;
    close_session(f, app);
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(f->daemon.contexts->copies.count, 0);
}

static void
a_logout_takes_them_along(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    app_send(app, OPERATION_LOGOUT, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    node_kill(home);
    assert_int_equal(sign(f, app, 3)->copies_handed, 0);
}

static void
they_are_given_up_in_the_end(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    copies_code(f, CODE_LAGGING);
    node_kill(home);
    ask_to_sign(app, 2);
    assert_true(asked_in_all(f, home->copies_asked + 1));
    clock_ahead = COPIES_MS + 100;
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK); /* it is asked, and will say that there is none */
    assert_int_equal(f->daemon.contexts->copies.count, 0);
}

static void
a_context_has_so_many(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    for (uint32_t i = 2; i <= COPIES_MAX + 5; i++) {
        home->gives = OBJECT + i;
        app_send_with(app, OPERATION_GENERATE_KEY, i, FRAME_LOCAL, VIEW_TEXT("key"));
        assert_true(answered(f, app, i + 1));
    }
    assert_int_equal(f->daemon.contexts->copies.count, COPIES_MAX);
    node_kill(home);
    assert_int_equal(sign(f, app, 5000)->copies_handed, COPIES_MAX);
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define THREE(test) cmocka_unit_test_setup_teardown(test, setup_three, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        THREE(the_home_is_told_once),
        THREE(who_has_no_login_is_not_asked_for),
        THREE(the_next_home_gets_them_first),
        THREE(what_is_about_them_waits_for_the_lease),
        THREE(they_are_not_given_up_while_nobody_waits),
        THREE(they_live_again_while_nobody_waits),
        THREE(a_ticket_that_is_renewed_while_they_come_asks_again),
        THREE(a_node_that_cannot_renew_them_is_asked_again),
        THREE(the_home_may_come_back),
        ONE(a_node_that_was_started_anew_gets_them),
        ONE(a_node_that_has_forgotten_gets_them),
        THREE(a_session_takes_them_along),
        THREE(a_session_takes_them_along_without_the_store),
        THREE(a_logout_takes_them_along),
        THREE(they_are_given_up_in_the_end),
        THREE(a_context_has_so_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
