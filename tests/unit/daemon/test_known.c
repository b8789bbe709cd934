/* SPDX-License-Identifier: Apache-2.0
 *
 * The nodes that a daemon has learned are there when it starts again while those of its settings are
 * away; a file that is damaged, or of other settings, counts for nothing.
 */
#include "unit/daemon/fixture.h"

#include <fcntl.h>
#include <sys/stat.h>

static char path[600];

static int
setup_kept(void **state)
{
    const char *base = getenv("TMPDIR");
    struct fixture *f;

    setup_one_of_three(state);
    f = *state;
    snprintf(f->daemon.settings.state, sizeof f->daemon.settings.state, "%s/known-XXXXXX",
             base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(f->daemon.settings.state));
    snprintf(path, sizeof path, "%s/nodes", f->daemon.settings.state);
    return 0;
}

static int
teardown_kept(void **state)
{
    struct fixture *f = *state;

    unlink(path);
    rmdir(f->daemon.settings.state);
    return teardown(state);
}

static bool
is_kept(void *arg)
{
    UNUSED(arg);
    return access(path, R_OK) == 0;
}

static bool
all_are_known(void *arg)
{
    struct fixture *f = arg;

    return f->daemon.node_count == FAKE_NODES && links_up(arg);
}

/* They are asked for now, and kept. */
static void
learn(struct fixture *f)
{
    assert_true(loop_until(f->daemon.loop, all_are_known, f, LIMIT_MS));
    roster_ask(&f->daemon.nodes[0].links[0]);
    assert_true(loop_until(f->daemon.loop, is_kept, NULL, LIMIT_MS));
}

/* The daemon ends, and another one begins with the same settings. */
static void
begin_again(struct fixture *f)
{
    struct daemon *daemon = &f->daemon;

    daemon->stopping = true;
    nodes_stop(daemon);
    memset(daemon->nodes, 0, sizeof daemon->nodes);
    daemon->node_count = 0;
    daemon->roster_revision = 0;
    daemon->rostered = false;
    memset(daemon->store, 0, sizeof daemon->store);
    daemon->stopping = false;
    node_start(daemon);
    known_load(daemon);
}

static void
they_are_found_while_those_of_the_settings_are_away(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    learn(f);
    node_kill(&f->nodes[0]);
    begin_again(f);
    assert_int_equal(f->daemon.node_count, FAKE_NODES);
    assert_int_equal(f->daemon.nodes[0].id, 1);
    app = app_begin(f, 0, KEY);
    app_send(app, OPERATION_SIGN, 2, VIEW_TEXT("body"));
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_OK);
}

static void
what_is_kept_is_written_once(void **state)
{
    struct fixture *f = *state;

    learn(f);
    unlink(path);
    known_save(&f->daemon);
    assert_false(is_kept(NULL));
    node_leave(&f->daemon.nodes[2]);
    known_save(&f->daemon);
    assert_true(is_kept(NULL));
}

static bool
one_is_asked_no_more(void *arg)
{
    struct fixture *f = arg;

    return node_is_reached(&f->daemon.nodes[0]) && f->daemon.nodes[1].gone &&
           f->daemon.nodes[2].gone;
}

static bool
store_is_told(void *arg)
{
    return ((struct fixture *)arg)->daemon.store[0] == 1 && all_are_known(arg);
}

static bool
first_is_reached(void *arg)
{
    return node_is_reached(&((struct fixture *)arg)->daemon.nodes[0]);
}

static void
set_stores(struct fixture *f, uint8_t first, uint8_t others)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].store = i == 0 ? first : others;
    }
}

/* What is kept is of a store that all have told. */
static void
learn_of_store(struct fixture *f)
{
    learn(f);
    set_stores(f, 1, 1);
    begin_again(f);
    assert_true(loop_until(f->daemon.loop, store_is_told, f, LIMIT_MS));
    known_save(&f->daemon);
}

/* The settings lead to another cluster by the same names, and the old one lives on. */
static void
nodes_of_another_store_are_left(void **state)
{
    struct fixture *f = *state;

    learn_of_store(f);

    set_stores(f, 2, 1);
    f->nodes[0].list[1] = f->nodes[0].list[2] = NULL;
    begin_again(f);
    assert_int_equal(f->daemon.node_count, FAKE_NODES);
    assert_true(loop_until(f->daemon.loop, one_is_asked_no_more, f, LIMIT_MS));
    assert_int_equal(f->daemon.store[0], 2);
}

/* One that is alone tells of no nodes: what was kept would be asked first at each start. */
static void
what_is_of_another_store_is_kept_no_more(void **state)
{
    struct fixture *f = *state;

    learn_of_store(f);
    assert_true(is_kept(NULL));

    set_stores(f, 2, 1);
    f->nodes[0].id = 0;
    begin_again(f);
    assert_true(loop_until(f->daemon.loop, one_is_asked_no_more, f, LIMIT_MS));
    assert_false(is_kept(NULL));
}

/* What is told of by one of the right store, and is of another, is asked nothing at all. */
static void
a_learned_node_says_first_whose_it_is(void **state)
{
    struct fixture *f = *state;

    set_stores(f, 1, 2);
    begin_again(f);
    assert_true(loop_until(f->daemon.loop, first_is_reached, f, LIMIT_MS));
    roster_ask(&f->daemon.nodes[0].links[0]);
    assert_true(loop_until(f->daemon.loop, one_is_asked_no_more, f, LIMIT_MS));
    assert_int_equal(f->daemon.store[0], 1);
    assert_int_equal(f->nodes[1].seen_count, 0);
    assert_int_equal(f->nodes[1].asked, 0);
}

static void
other_settings_know_nothing(void **state)
{
    struct fixture *f = *state;

    learn(f);
    f->daemon.settings.servers[0].manage_port++;
    begin_again(f);
    assert_int_equal(f->daemon.node_count, 1);
}

static void
a_file_that_is_damaged_counts_for_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[KNOWN_BYTES_MAX];
    struct known known;
    ssize_t len;
    int fd;

    learn(f);
    fd = open(path, O_RDWR | O_CLOEXEC);
    len = read(fd, bytes, sizeof bytes);
    assert_true(len > 0 && known_read(view_of(bytes, (size_t)len), &known));
    assert_int_equal(known.count, FAKE_NODES);
    for (ssize_t i = 0; i < len; i++) {
        bytes[i] ^= 1;
        assert_false(known_read(view_of(bytes, (size_t)len), &known));
        bytes[i] ^= 1;
        assert_false(known_read(view_of(bytes, (size_t)i), &known));
    }
    assert_int_equal(pwrite(fd, "x", 1, 60), 1);
    close(fd);
    begin_again(f);
    assert_int_equal(f->daemon.node_count, 1);
}

static void
no_more_than_there_may_be_are_read(void **state)
{
    static struct known known;
    struct writer bytes;

    UNUSED(state);
    known.count = SETTINGS_SERVERS_MAX;
    for (size_t i = 0; i < known.count; i++) {
        known.nodes[i] = (struct known_node){ .id = 1, .client_port = 1 };
        memset(known.nodes[i].hostname, 'x', sizeof known.nodes[i].hostname - 1);
    }
    writer_init(&bytes, KNOWN_BYTES_MAX);
    assert_true(known_write(&known, &bytes));
    assert_true(known_read(writer_view(&bytes), &known));
    assert_int_equal(known.count, SETTINGS_SERVERS_MAX);
    known.nodes[7].id = 0;
    writer_reset(&bytes);
    assert_true(known_write(&known, &bytes));
    assert_false(known_read(writer_view(&bytes), &known));
    writer_clear(&bytes);
}

#define KEPT(test) cmocka_unit_test_setup_teardown(test, setup_kept, teardown_kept)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        KEPT(they_are_found_while_those_of_the_settings_are_away),
        KEPT(what_is_kept_is_written_once),
        KEPT(nodes_of_another_store_are_left),
        KEPT(what_is_of_another_store_is_kept_no_more),
        KEPT(a_learned_node_says_first_whose_it_is),
        KEPT(other_settings_know_nothing),
        KEPT(a_file_that_is_damaged_counts_for_nothing),
        cmocka_unit_test(no_more_than_there_may_be_are_read),
    };

    return cmocka_run_group_tests_name("daemon/known", tests, NULL, NULL);
}
