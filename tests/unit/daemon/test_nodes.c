/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon with three nodes: who is asked, what stays with one node, and what happens when one
 * dies, falls silent or cannot.
 */
#include "unit/daemon/fixture.h"

/* Requests of that operation at all nodes. */
static size_t
all_seen(const struct fixture *f, enum operation operation)
{
    size_t count = 0;

    for (size_t i = 0; i < FAKE_NODES; i++) {
        count += node_seen_of(&f->nodes[i], operation);
    }
    return count;
}

static enum operation wanted_operation;

static bool
all_have_wanted(void *arg)
{
    return all_seen(arg, wanted_operation) >= wanted;
}

static bool
all_saw(struct fixture *f, enum operation operation, size_t count)
{
    wanted_operation = operation;
    wanted = count;
    return loop_until(f->daemon.loop, all_have_wanted, f, LIMIT_MS);
}

static void
all_are(struct fixture *f, enum manner manner)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].manner = manner;
    }
}

/* The node that was asked such a thing; of several the first. */
static struct fake_node *
node_of(struct fixture *f, enum operation operation)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (node_seen_of(&f->nodes[i], operation) > 0) {
            return &f->nodes[i];
        }
    }
    fail_msg("no node was asked operation %u", (unsigned)operation);
    return NULL;
}

/* The node that answers the next request, and the request's number. */
static struct fake_node *
node_next(struct fixture *f, struct app *app, uint64_t number)
{
    size_t before[FAKE_NODES];

    for (size_t i = 0; i < FAKE_NODES; i++) {
        before[i] = node_seen_of(&f->nodes[i], OPERATION_RANDOM);
    }
    app_send(app, OPERATION_RANDOM, number, VIEW_EMPTY);
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_OK);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (node_seen_of(&f->nodes[i], OPERATION_RANDOM) > before[i]) {
            return &f->nodes[i];
        }
    }
    return NULL;
}

static void
login(struct fixture *f, struct app *app, const char *ticket, uint64_t number)
{
    const struct login_reply reply = { .user = 1, .role = 2, .ticket = view_str(ticket) };
    struct writer body;

    writer_init(&body, 512);
    login_reply_write(&body, &reply);
    app_send(app, OPERATION_LOGIN, number, writer_view(&body));
    writer_clear(&body);
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_OK);
}

/* Each node is asked something, so that each has attached the context; in what was unanswered
 * before. Numbers from 1000 on are taken. */
static void
spread(struct fixture *f, struct app *app)
{
    static uint64_t number = 1000;
    const size_t before = app->answers;
    size_t seen[FAKE_NODES];
    const size_t count = 18;

    all_are(f, SILENT);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        seen[i] = f->nodes[i].seen_count;
    }
    wanted = all_seen(f, OPERATION_SEED);
    for (size_t i = 0; i < count; i++) {
        app_send(app, OPERATION_SEED, number++, VIEW_EMPTY);
    }
    assert_true(all_saw(f, OPERATION_SEED, wanted + count));
    all_are(f, ANSWER);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        struct fake_node *node = &f->nodes[i];

        for (size_t k = seen[i]; k < node->seen_count; k++) {
            if (node->seen[k].operation == OPERATION_SEED) {
                frame_reply(link_output(node->seen_on[k]), &node->seen[k], CKR_OK, 0, VIEW_EMPTY);
                link_flush(node->seen_on[k]);
            }
        }
    }
    assert_true(answered(f, app, before + count));
}

/* ---- who is asked ---- */

static void
work_is_shared_out(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    all_are(f, SILENT);
    for (uint64_t i = 0; i < 30; i++) {
        app_send(app, OPERATION_SIGN, 2 + i, VIEW_EMPTY);
    }
    assert_true(all_saw(f, OPERATION_SIGN, 30));
    for (size_t i = 0; i < FAKE_NODES; i++) {
        assert_in_range(node_seen_of(&f->nodes[i], OPERATION_SIGN), 8, 12);
        assert_int_equal(node_seen_of(&f->nodes[i], OPERATION_ATTACH), 1);
    }
}

static void
who_asks_one_thing_at_a_time_stays_where_he_was(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *first = node_next(f, app, 2);

    for (uint64_t i = 3; i < 20; i++) {
        assert_ptr_equal(node_next(f, app, i), first);
    }
}

static void
what_is_local_stays_at_its_home(void **state)
{
    static const enum operation steps[] = { OPERATION_START, OPERATION_UPDATE, OPERATION_FINAL,
                                            OPERATION_SESSION_CLOSE, OPERATION_AUTHENTICATE };
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home;

    all_are(f, SILENT);
    app_send_with(app, OPERATION_SIGN, 2, FRAME_LOCAL, VIEW_EMPTY);
    assert_true(all_saw(f, OPERATION_SIGN, 1));
    home = node_of(f, OPERATION_SIGN);
    for (uint64_t i = 0; i < 20; i++) {
        app_send_with(app, OPERATION_VERIFY, 3 + i, FRAME_LOCAL, VIEW_EMPTY);
    }
    for (size_t i = 0; i < ARRAY_COUNT(steps); i++) {
        app_send(app, steps[i], 30 + i, VIEW_EMPTY);
        assert_true(all_saw(f, steps[i], 1));
        assert_int_equal(node_seen_of(home, steps[i]), 1);
    }
    assert_int_equal(node_seen_of(home, OPERATION_VERIFY), 20);
    app_send(app, OPERATION_SIGN, 40, VIEW_EMPTY);
    assert_true(all_saw(f, OPERATION_SIGN, 2));
    assert_int_equal(node_seen_of(home, OPERATION_SIGN), 1);
}

static void
a_restarted_daemon_finds_the_home_again(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home;

    app_send_with(app, OPERATION_SIGN, 2, FRAME_LOCAL, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    home = node_of(f, OPERATION_SIGN);
    /* As a new daemon: it knows nothing, and this node is not there yet. */
    *f->daemon.contexts->attachments = (struct attachment){ .state = ATTACHMENT_NONE };
    f->daemon.contexts->home = 0;
    f->daemon.contexts->near = 0;
    f->daemon.started_at = daemon_now();
    node_kill(home);
    loop_for(f->daemon.loop, 50);
    app_send_with(app, OPERATION_SIGN, 3, FRAME_LOCAL, VIEW_EMPTY);
    loop_for(f->daemon.loop, 100);
    assert_int_equal(app->answers, 2);
    node_begin(home);
    assert_true(answered(f, app, 3));
    assert_int_equal(node_seen_of(home, OPERATION_SIGN), 2);
}

/* A home that nobody can take the place of keeps what it has. */
static void
a_home_is_not_left_for_nothing(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home;

    app_send_with(app, OPERATION_SIGN, 2, FRAME_LOCAL, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    home = node_of(f, OPERATION_SIGN);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        node_kill(&f->nodes[i]);
    }
    loop_for(f->daemon.loop, 50);
    app_send_with(app, OPERATION_SIGN, 3, FRAME_LOCAL, VIEW_EMPTY);
    loop_for(f->daemon.loop, 50);
    node_begin(home);
    assert_true(answered(f, app, 3));
    assert_int_equal(node_seen_of(home, OPERATION_SIGN), 2);
    assert_int_equal(node_seen_of(home, OPERATION_DETACH), 0);
}

/* ---- nodes that die, or fall silent, or cannot ---- */

static void
requests_of_a_dead_node_go_elsewhere_at_once(void **state)
{
    static const enum operation asked[] = { OPERATION_SIGN, OPERATION_OBJECT_CREATE };
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    for (uint64_t i = 0; i < ARRAY_COUNT(asked); i++) {
        struct fake_node *node;
        uint64_t start;

        all_are(f, SILENT);
        app_send(app, asked[i], 7 + i, VIEW_TEXT("again"));
        assert_true(all_saw(f, asked[i], 1));
        node = node_of(f, asked[i]);
        all_are(f, ANSWER);
        start = daemon_now();
        node_kill(node);
        assert_true(answered(f, app, 2 + i));
        assert_true(daemon_now() - start < 200);
        assert_int_equal(app->last.code, CKR_OK);
        assert_int_equal(app->last.request, 7 + i);
        assert_string_equal(app->body, "again");
        assert_int_equal(all_seen(f, asked[i]), 2);
        node_begin(node);
        assert_true(loop_until(f->daemon.loop, links_up, f, LIMIT_MS));
    }
}

static void
a_frozen_node_is_given_up_after_three_pings(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *node = node_next(f, app, 2);
    uint64_t start = daemon_now();

    node->manner = FROZEN;
    app_send(app, OPERATION_SIGN, 3, VIEW_TEXT("x"));
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK);
    assert_in_range(daemon_now() - start, 500, 20000);
    /* And when it is back it is asked again. */
    node->manner = ANSWER;
    assert_true(loop_until(f->daemon.loop, links_up, f, LIMIT_MS));
}

static void
a_silent_node_is_not_asked_before_it_is_given_up(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *node = node_next(f, app, 2);
    uint64_t start;

    node->manner = FROZEN;
    loop_for(f->daemon.loop, 600); /* two pings without an answer, not three */
    start = daemon_now();
    assert_ptr_not_equal(node_next(f, app, 3), node);
    assert_true(daemon_now() - start < 100);
}

static void
a_node_that_lags_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *node = node_next(f, app, 2);

    node->manner = LAGGING;
    for (uint64_t i = 3; i < 10; i++) {
        assert_ptr_not_equal(node_next(f, app, i), node);
    }
    /* When all of them lag, they are asked until one does not. */
    all_are(f, LAGGING);
    app_send(app, OPERATION_SIGN, 20, VIEW_EMPTY);
    loop_for(f->daemon.loop, 300);
    assert_int_equal(app->last.request, 9);
    assert_in_range(all_seen(f, OPERATION_SIGN), 6, 60);
    node->manner = ANSWER;
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(app->last.request, 20);
    /* Or until the time is up. */
    all_are(f, LAGGING);
    app_send(app, OPERATION_SIGN, 21, VIEW_EMPTY);
    loop_for(f->daemon.loop, 50);
    clock_ahead += REQUEST_MS + 1;
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
}

static void
what_a_node_does_not_know_a_later_one_may(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    f->nodes[0].manner = f->nodes[2].manner = EARLIER;
    for (uint64_t i = 2; i < 8; i++) {
        app_send(app, OPERATION_SIGN, i, VIEW_EMPTY);
        assert_true(answered(f, app, (size_t)i));
        assert_int_equal(app->last.code, CKR_OK);
    }
    /* When none is left, that is the answer; and what a node of this release says always is. */
    all_are(f, EARLIER);
    f->daemon.nodes[1].release = FRAME_VERSION - 1;
    app_send(app, OPERATION_SIGN, 8, VIEW_EMPTY);
    assert_true(answered(f, app, 8));
    assert_int_equal(app->last.code, CKR_FUNCTION_NOT_SUPPORTED);
    f->daemon.nodes[0].release = f->daemon.nodes[1].release = f->daemon.nodes[2].release =
        FRAME_VERSION;
    f->nodes[0].seen_count = f->nodes[1].seen_count = f->nodes[2].seen_count = 0;
    app_send(app, OPERATION_SIGN, 9, VIEW_EMPTY);
    assert_true(answered(f, app, 9));
    assert_int_equal(app->last.code, CKR_FUNCTION_NOT_SUPPORTED);
    assert_int_equal(all_seen(f, OPERATION_SIGN), 1);
}

static void
what_a_node_cannot_store_another_one_may(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *node = node_next(f, app, 2);

    node->manner = BROKEN;
    app_send(app, OPERATION_OBJECT_CREATE, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(node_seen_of(node, OPERATION_OBJECT_CREATE), 1);
    assert_int_equal(all_seen(f, OPERATION_OBJECT_CREATE), 2);
    /* A failure of all is one in the end, and that of what has no number at once. */
    all_are(f, BROKEN);
    app_send(app, OPERATION_OBJECT_CREATE, 4, VIEW_EMPTY);
    assert_true(answered(f, app, 4));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(all_seen(f, OPERATION_OBJECT_CREATE), 2 + 1 + GIVEN_UP_MAX);
    app_send(app, OPERATION_SIGN, 5, VIEW_EMPTY);
    assert_true(answered(f, app, 5));
    assert_int_equal(all_seen(f, OPERATION_SIGN), 1);
}

static void
what_takes_long_is_asked_of_a_second_node(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    all_are(f, SILENT);
    app_send(app, OPERATION_SIGN, 2, VIEW_EMPTY);
    app_send(app, OPERATION_GENERATE_KEY, 3, VIEW_EMPTY);
    app_send(app, OPERATION_OBJECT_DESTROY, 4, VIEW_EMPTY);
    assert_true(all_saw(f, OPERATION_SIGN, 1));
    clock_ahead += HURRY_MS + 1;
    assert_true(all_saw(f, OPERATION_SIGN, 2));
    clock_ahead += HURRY_MS + 1;
    loop_for(f->daemon.loop, 60);
    assert_int_equal(all_seen(f, OPERATION_SIGN), 2);
    assert_int_equal(all_seen(f, OPERATION_GENERATE_KEY), 1); /* that is slow by its nature, */
    assert_int_equal(all_seen(f, OPERATION_OBJECT_DESTROY), 1); /* that may wait for the others */
    for (size_t i = 0; i < FAKE_NODES; i++) {
        assert_in_range(node_seen_of(&f->nodes[i], OPERATION_SIGN), 0, 1);
    }
}

static void
a_running_operation_ends_with_its_node_and_begins_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home;
    size_t attaches;

    app_send(app, OPERATION_START, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    home = node_of(f, OPERATION_START);
    attaches = node_seen_of(home, OPERATION_ATTACH);
    node_kill(home);
    loop_for(f->daemon.loop, 50);
    app_send(app, OPERATION_UPDATE, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_int_equal(app->last.code, CKR_DEVICE_ERROR);
    assert_int_equal(all_seen(f, OPERATION_UPDATE), 0);
    app_send(app, OPERATION_START, 4, VIEW_EMPTY);
    assert_true(answered(f, app, 4));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(node_seen_of(home, OPERATION_START), 1);
    app_send(app, OPERATION_UPDATE, 5, VIEW_EMPTY);
    assert_true(answered(f, app, 5));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(node_seen_of(home, OPERATION_UPDATE), 0);

    /* Back again, it may still have what has gone on elsewhere: it forgets that first. */
    node_begin(home);
    assert_true(loop_until(f->daemon.loop, links_up, f, LIMIT_MS));
    assert_int_equal(node_seen_of(home, OPERATION_DETACH), 0);
    spread(f, app);
    assert_int_equal(node_seen_of(home, OPERATION_DETACH), 1);
    assert_int_equal(node_seen_of(home, OPERATION_ATTACH), attaches + 1);
    for (size_t i = 0; i < home->seen_count; i++) {
        if (home->seen[i].operation == OPERATION_DETACH) {
            assert_int_equal(home->seen[i + 1].operation, OPERATION_ATTACH);
        }
    }
}

/* ---- logins ---- */

static void
a_login_is_known_to_all_nodes(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);

    spread(f, app);
    login(f, app, "one", 2);
    spread(f, app);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        const bool home = node_seen_of(&f->nodes[i], OPERATION_LOGIN) > 0;

        assert_string_equal(f->nodes[i].ticket, home ? "" : "one");
        assert_int_equal(node_seen_of(&f->nodes[i], OPERATION_ATTACH), home ? 1 : 2);
    }
    spread(f, app);
    assert_int_equal(all_seen(f, OPERATION_ATTACH), 5);
}

static void
a_logout_is_answered_when_all_nodes_have_heard(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home, *slow;
    size_t answers;

    login(f, app, "one", 2);
    home = node_of(f, OPERATION_LOGIN);
    spread(f, app);
    answers = app->answers;
    slow = home == &f->nodes[0] ? &f->nodes[1] : &f->nodes[0];
    slow->keeps = true;
    app_send(app, OPERATION_LOGOUT, 3, VIEW_EMPTY);
    assert_true(all_saw(f, OPERATION_DETACH, 2));
    loop_for(f->daemon.loop, 50);
    assert_int_equal(node_seen_of(home, OPERATION_DETACH), 0);
    assert_int_equal(app->answers, answers);
    frame_reply(link_output(slow->seen_on[slow->seen_count - 1]),
                &slow->seen[slow->seen_count - 1], CKR_OK, 0, VIEW_EMPTY);
    link_flush(slow->seen_on[slow->seen_count - 1]);
    assert_true(answered(f, app, answers + 1));
    assert_int_equal(app->last.operation, OPERATION_LOGOUT);
    assert_int_equal(app->last.code, CKR_OK);

    /* All of them begin with nobody logged in. */
    spread(f, app);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        assert_true(&f->nodes[i] == home || f->nodes[i].ticket[0] == '\0');
    }
}

static void
a_logout_does_not_wait_for_ever(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home, *slow;

    for (unsigned round = 0; round < 2; round++) {
        const size_t detached = all_seen(f, OPERATION_DETACH);
        size_t answers;

        login(f, app, "one", 2 + round * 2);
        home = node_of(f, OPERATION_LOGIN);
        spread(f, app);
        answers = app->answers;
        slow = home == &f->nodes[0] ? &f->nodes[1] : &f->nodes[0];
        slow->keeps = true;
        app_send(app, OPERATION_LOGOUT, 3 + round * 2, VIEW_EMPTY);
        assert_true(all_saw(f, OPERATION_DETACH, detached + 2));
        if (round == 0) {
            clock_ahead += LEAVE_MS + 1;
        } else {
            node_kill(slow); /* nothing to wait for */
        }
        assert_true(answered(f, app, answers + 1));
        assert_int_equal(app->last.code, CKR_OK);
    }
    assert_int_equal(f->daemon.pending_count, 0);
}

static void
a_node_that_does_not_take_the_ticket_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *home;

    login(f, app, "old", 2);
    home = node_of(f, OPERATION_LOGIN);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].manner = &f->nodes[i] == home ? ANSWER : STRANGE;
    }
    for (uint64_t i = 0; i < 30; i++) {
        app_send(app, OPERATION_SIGN, 10 + i, VIEW_EMPTY);
    }
    assert_true(answered(f, app, app->answers + 30));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(node_seen_of(home, OPERATION_SIGN), 30);
    assert_true(all_seen(f, OPERATION_SIGN) > 30);
}

/* ---- the change page ---- */

static bool
page_is_good(void *arg)
{
    return page_is_valid(((struct fixture *)arg)->daemon.page, daemon_now());
}

static struct fake_node *
feeding(struct fixture *f)
{
    return &f->nodes[f->daemon.feed.link->node->index];
}

static void
another_node_feeds_the_page_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;
    struct page *page = f->daemon.page;
    struct fake_node *node;
    uint64_t stamp;

    /* It dies. */
    assert_true(loop_until(f->daemon.loop, page_is_good, f, LIMIT_MS));
    node = feeding(f);
    stamp = page_stamp(page, 0x40001);
    node_kill(node);
    loop_for(f->daemon.loop, 100);
    assert_true(page_is_good(f));
    assert_ptr_not_equal(feeding(f), node);
    assert_int_not_equal(page_stamp(page, 0x40001), stamp);
    node_begin(node);
    assert_true(loop_until(f->daemon.loop, links_up, f, LIMIT_MS));

    /* It tells nothing. The page stays valid. */
    node = feeding(f);
    node->tells_nothing = true;
    for (unsigned i = 0; i < 20; i++) {
        loop_for(f->daemon.loop, 100);
        assert_true(page_is_good(f));
    }
    assert_ptr_not_equal(feeding(f), node);
}

/* What the page has shown is in the answer of whichever node is asked about an object. */
static void
who_asks_to_remember_is_told_nothing_older_than_the_page(void **state)
{
    struct fixture *f = *state;
    struct app *app = app_begin(f, 0, KEY);
    struct fake_node *node;

    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].told = 77;
    }
    loop_for(f->daemon.loop, 600);
    app_send(app, OPERATION_FIND, 2, VIEW_EMPTY);
    app_send(app, OPERATION_SIGN, 3, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    node = node_of(f, OPERATION_FIND);
    for (size_t i = 0; i < node->seen_count; i++) {
        const uint64_t revision = node->seen[i].operation == OPERATION_FIND ? 77 : 0;

        assert_int_equal(node->seen[i].revision, revision);
    }
}

/* ---- which nodes there are ---- */

static bool
all_are_up(void *arg)
{
    struct fixture *f = arg;

    return f->daemon.node_count == FAKE_NODES && links_up(f);
}

static bool
second_is_left(void *arg)
{
    return ((struct fixture *)arg)->nodes[1].link_count == 0;
}

static void
one_node_tells_of_the_others(void **state)
{
    struct fixture *f = *state;

    assert_true(loop_until(f->daemon.loop, all_are_up, f, LIMIT_MS));
    loop_for(f->daemon.loop, 100);
    assert_int_equal(f->daemon.node_count, FAKE_NODES); /* each once, whoever tells */
    for (size_t i = 0; i < FAKE_NODES; i++) {
        assert_int_equal(f->daemon.nodes[i].id, i + 1);
        assert_int_equal(f->daemon.nodes[i].settings.client_port, f->nodes[i].port);
        assert_int_equal(f->nodes[i].link_count, NODE_LINKS);
    }
}

static void
one_that_was_removed_is_left_and_one_that_comes_back_is_found(void **state)
{
    struct fixture *f = *state;

    assert_true(loop_until(f->daemon.loop, all_are_up, f, LIMIT_MS));
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].list[1] = NULL;
        f->nodes[i].list_revision = i == 1 ? 0 : 5;
    }
    clock_ahead += ROSTER_MS + 1;
    assert_true(loop_until(f->daemon.loop, second_is_left, f, LIMIT_MS));
    loop_for(f->daemon.loop, 300);
    assert_int_equal(f->nodes[1].link_count, 0);

    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].list[1] = &f->nodes[1];
        f->nodes[i].list_revision = 4; /* older than what was told */
    }
    clock_ahead += ROSTER_MS + 1;
    loop_for(f->daemon.loop, 400);
    assert_int_equal(f->nodes[1].link_count, 0);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].list_revision = 6;
    }
    clock_ahead += ROSTER_MS + 1;
    assert_true(loop_until(f->daemon.loop, all_are_up, f, LIMIT_MS));
}

/* The daemon may not have noticed yet that it is gone. */
static bool
second_is_where_it_went(void *arg)
{
    const struct fixture *f = arg;

    return f->daemon.nodes[1].settings.client_port == f->nodes[1].port && all_are_up(arg);
}

static void
one_that_has_moved_is_found(void **state)
{
    struct fixture *f = *state;
    const unsigned old = f->nodes[1].port;

    assert_true(loop_until(f->daemon.loop, all_are_up, f, LIMIT_MS));
    node_kill(&f->nodes[1]);
    f->nodes[1].port = 0;
    node_begin(&f->nodes[1]);
    loop_for(f->daemon.loop, 50);
    assert_int_not_equal(f->nodes[1].port, old);
    clock_ahead += ROSTER_MS + 1;
    assert_true(loop_until(f->daemon.loop, second_is_where_it_went, f, LIMIT_MS));
}

/* What the node says it is counts, not what it is called in the settings. */
static void
two_names_of_one_node_are_one(void **state)
{
    struct fixture *f = *state;
    struct settings_server again = f->daemon.settings.servers[0];

    assert_true(loop_until(f->daemon.loop, all_are_up, f, LIMIT_MS));
    snprintf(again.hostname, sizeof again.hostname, "localhost");
    assert_non_null(node_add(&f->daemon, &again));
    loop_for(f->daemon.loop, 300);
    assert_true(f->daemon.nodes[FAKE_NODES].gone);
    assert_int_equal(f->nodes[0].link_count, NODE_LINKS);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_three, teardown)
#define TEST_ROSTER(name) cmocka_unit_test_setup_teardown(name, setup_one_of_three, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(work_is_shared_out),
        TEST(who_asks_one_thing_at_a_time_stays_where_he_was),
        TEST(what_is_local_stays_at_its_home),
        TEST(a_restarted_daemon_finds_the_home_again),
        TEST(a_home_is_not_left_for_nothing),
        TEST(requests_of_a_dead_node_go_elsewhere_at_once),
        TEST(a_frozen_node_is_given_up_after_three_pings),
        TEST(a_silent_node_is_not_asked_before_it_is_given_up),
        TEST(a_node_that_lags_is_passed_over),
        TEST(what_a_node_does_not_know_a_later_one_may),
        TEST(what_a_node_cannot_store_another_one_may),
        TEST(what_takes_long_is_asked_of_a_second_node),
        TEST(a_running_operation_ends_with_its_node_and_begins_elsewhere),
        TEST(a_login_is_known_to_all_nodes),
        TEST(a_logout_is_answered_when_all_nodes_have_heard),
        TEST(a_logout_does_not_wait_for_ever),
        TEST(a_node_that_does_not_take_the_ticket_is_passed_over),
        TEST(another_node_feeds_the_page_and_nothing_is_lost),
        TEST(who_asks_to_remember_is_told_nothing_older_than_the_page),
        TEST_ROSTER(one_node_tells_of_the_others),
        TEST_ROSTER(one_that_was_removed_is_left_and_one_that_comes_back_is_found),
        TEST_ROSTER(one_that_has_moved_is_found),
        TEST_ROSTER(two_names_of_one_node_are_one),
    };

    return cmocka_run_group_tests_name("daemon/nodes", tests, NULL, NULL);
}
