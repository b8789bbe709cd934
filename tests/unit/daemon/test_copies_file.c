/* SPDX-License-Identifier: Apache-2.0
 *
 * What a daemon leaves behind of sealed copies, for the next one: bounded, for itself alone, and gone
 * when it is good for nothing.
 */
#include "unit/daemon/fixture.h"

#include "daemon/copies_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <utime.h>

#define OBJECT 0x80000001u

static char folder[200];

static void
place_make(struct fixture *f)
{
    const char *base = getenv("TMPDIR");

    snprintf(folder, sizeof folder, "%s/copies-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(folder));
    snprintf(f->daemon.socket_path, sizeof f->daemon.socket_path, "%s/s", folder);
    copies_files_open(&f->daemon);
}

/* The name of the only file; "": there is none. */
static const char *
file_name(const struct fixture *f)
{
    static char path[600];
    const struct dirent *entry;
    DIR *files = opendir(f->daemon.copies_path);

    assert_non_null(files);
    path[0] = '\0';
    while ((entry = readdir(files)) != NULL) {
        if (entry->d_name[0] != '.') {
            assert_string_equal(path, "");
            snprintf(path, sizeof path, "%.270s/%.255s", f->daemon.copies_path, entry->d_name);
        }
    }
    closedir(files);
    return path;
}

static int
setup_files(void **state)
{
    setup_one_of_three(state);
    place_make(*state);
    return 0;
}

static int
teardown_files(void **state)
{
    struct fixture *f = *state;
    char path[300];

    snprintf(path, sizeof path, "%s.copies", f->daemon.socket_path);
    if (f->daemon.copies_path[0] != '\0' && file_name(f)[0] != '\0') {
        unlink(file_name(f));
    }
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(rmdir(folder), 0);
    return teardown(state);
}

static bool
all_are_known(void *arg)
{
    struct fixture *f = arg;

    return f->daemon.node_count == FAKE_NODES && f->daemon.nodes[1].id != 0 &&
           f->daemon.nodes[2].id != 0 && links_up(arg);
}

static struct app *
app_in(struct fixture *f, size_t number)
{
    struct app *app = app_connect(f, number);

    app_say_hello(app, KEY, "ticket");
    assert_true(answered(f, app, 1));
    return app;
}

static struct fake_node *
node_that_saw(struct fixture *f, enum operation operation)
{
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (node_seen_of(&f->nodes[i], operation) > 0) {
            return &f->nodes[i];
        }
    }
    fail_msg("no node was asked");
    return NULL;
}

/* An application with a session object at its home, of which the daemon has a copy. */
static struct fake_node *
begin(struct fixture *f, struct app **ret_app)
{
    assert_true(loop_until(f->daemon.loop, all_are_known, f, LIMIT_MS));
    *ret_app = app_in(f, 0);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->nodes[i].gives = OBJECT;
    }
    app_send_with(*ret_app, OPERATION_GENERATE_KEY, 1, FRAME_LOCAL, VIEW_TEXT("key"));
    assert_true(answered(f, *ret_app, 2));
    return node_that_saw(f, OPERATION_GENERATE_KEY);
}

/* As when the daemon is killed: nothing of what it has in memory is there any more, and nobody was
 * told. */
static void
die(struct fixture *f)
{
    peers_clear(&f->daemon);
    contexts_clear(&f->daemon);
    for (size_t i = 0; i < ARRAY_COUNT(f->apps); i++) {
        link_free(f->apps[i].link);
        f->apps[i] = (struct app){ .link = NULL };
    }
}

static const struct context *
first(const struct fixture *f)
{
    return f->daemon.contexts;
}

static void
sign(struct fixture *f, struct app *app)
{
    app_send_with(app, OPERATION_SIGN, 2, FRAME_LOCAL, VIEW_TEXT("sign"));
    assert_true(answered(f, app, app->answers + 1));
    assert_int_equal(app->last.code, CKR_OK);
}

static void
the_next_daemon_hands_them_in(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    die(f);
    node_kill(home);
    app = app_in(f, 1);
    assert_int_equal(first(f)->copies.count, 1);
    assert_true(first(f)->copies.doubt);
    sign(f, app);
    assert_ptr_not_equal(node_that_saw(f, OPERATION_SIGN), home);
    assert_int_equal(node_that_saw(f, OPERATION_SIGN)->copies_handed, 1);
    assert_int_equal(node_that_saw(f, OPERATION_SIGN)->copies_last, OBJECT);

    /* The home of before, which may have been cut off alone, forgets what it has before it is one again. */
    node_begin(home);
    assert_true(loop_until(f->daemon.loop, links_up, f, LIMIT_MS));
    for (size_t i = 0; i < FAKE_NODES; i++) {
        if (&f->nodes[i] != home) {
            node_kill(&f->nodes[i]);
        }
    }
    home->seen_count = 0;
    sign(f, app);
    assert_int_equal(node_seen_of(home, OPERATION_DETACH), 1);
    assert_int_equal(home->seen[0].operation, OPERATION_DETACH);
}

/* Wherever the lot would fall. */
static void
the_next_daemon_finds_the_home(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app), *next;

    node_kill(home);
    sign(f, app);
    next = node_that_saw(f, OPERATION_SIGN);
    next->seen_count = 0;
    node_begin(home);
    /* What lives again is asked for, as it is the new home's now: that goes to the file. */
    next->gives = OBJECT + 1;
    app_send_with(app, OPERATION_GENERATE_KEY, 3, FRAME_LOCAL, VIEW_TEXT("key"));
    assert_true(answered(f, app, 4));
    assert_int_equal(node_seen_of(next, OPERATION_GENERATE_KEY), 1);
    assert_true(loop_until(f->daemon.loop, links_up, f, LIMIT_MS));
    die(f);
    app = app_in(f, 1);
    assert_int_equal(first(f)->copies.count, 2);
    next->seen_count = 0;
    sign(f, app);
    assert_int_equal(node_seen_of(next, OPERATION_SIGN), 1);
}

static bool
is_waited_for(void *arg)
{
    return ((struct fixture *)arg)->daemon.pending_count == 1;
}

/* Also where nodes come late: until one of them says so nobody knows which of them has that number. */
static void
the_home_is_found_when_numbers_are_known(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct fake_node *home = begin(f, &app);

    die(f);
    for (size_t i = 0; i < FAKE_NODES; i++) {
        f->daemon.nodes[i].id = 0;
        f->nodes[i].seen_count = 0;
    }
    f->daemon.rostered = false;
    f->daemon.roster_asked_at = daemon_now();
    app = app_in(f, 1);
    app_send_with(app, OPERATION_SIGN, 2, FRAME_LOCAL, VIEW_TEXT("sign"));
    assert_true(loop_until(f->daemon.loop, is_waited_for, f, LIMIT_MS));
    roster_ask(&f->daemon.nodes[0].links[0]);
    assert_true(answered(f, app, 2));
    assert_int_equal(app->last.code, CKR_OK);
    assert_int_equal(node_seen_of(home, OPERATION_SIGN), 1);
}

static void
only_who_has_a_login_gets_them(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    UNUSED(begin(f, &app));
    assert_string_not_equal(file_name(f), "");
    die(f);
    app_begin(f, 1, OTHER);
    assert_int_equal(first(f)->copies.count, 0);
    app_begin(f, 2, KEY);
    assert_int_equal(first(f)->copies.count, 0);
    assert_string_equal(file_name(f), "");
}

static void
a_logout_takes_the_file_along(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    UNUSED(begin(f, &app));
    assert_string_not_equal(file_name(f), "");
    app_send(app, OPERATION_LOGOUT, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 3));
    assert_string_equal(file_name(f), "");
}

static void
a_logout_takes_that_of_before_along(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    UNUSED(begin(f, &app));
    die(f);
    app = app_in(f, 1);
    app_send(app, OPERATION_LOGOUT, 2, VIEW_EMPTY);
    assert_true(answered(f, app, 2));
    assert_string_equal(file_name(f), "");
}

static bool
has_no_context(void *arg)
{
    return ((struct fixture *)arg)->daemon.contexts == NULL;
}

static void
the_end_of_the_process_takes_it_along(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    UNUSED(begin(f, &app));
    link_free(app->link);
    app->link = NULL;
    clock_ahead = GRACE_MS - 1000;
    assert_string_not_equal(file_name(f), "");
    clock_ahead = 2 * GRACE_MS;
    assert_true(loop_until(f->daemon.loop, has_no_context, f, LIMIT_MS));
    assert_string_equal(file_name(f), "");
}

static void
a_closed_session_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    UNUSED(begin(f, &app));
    copies_close_session(&f->daemon, f->daemon.contexts, 2);
    die(f);
    UNUSED(app_in(f, 1));
    assert_int_equal(first(f)->copies.count, 1);
    copies_close_session(&f->daemon, f->daemon.contexts, 1);
    die(f);
    UNUSED(app_in(f, 2));
    assert_int_equal(first(f)->copies.count, 0);
}

/* However much comes and goes: of copies that are there now, and some. */
static void
it_does_not_grow(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    struct copies_line line = { .kind = COPIES_LINE_COPY, .copy = { OBJECT + 9, 1, 1, VIEW_EMPTY } };
    static uint8_t sealed[COPY_MAX];
    struct writer out;
    struct stat st;

    UNUSED(begin(f, &app));
    line.copy.sealed = view_of(sealed, sizeof sealed);
    writer_init(&out, 2 * COPY_MAX);
    copies_line_write(&out, &line);
    for (size_t i = 0; i < 200; i++) {
        line.copy.version++;
        copies_apply(f->daemon.contexts, &line);
        copies_file_note(&f->daemon, f->daemon.contexts, writer_view(&out));
        assert_int_equal(stat(file_name(f), &st), 0);
        assert_true(st.st_size < 400000);
    }
    assert_int_equal(st.st_mode & 0777, 0600);
    /* Where the uid has as many processes as it may, each one's takes less. */
    first(f)->owner->contexts += UID_CONTEXTS_MAX;
    for (size_t i = 0; i < 200; i++) {
        line.copy.version++;
        copies_apply(f->daemon.contexts, &line);
        copies_file_note(&f->daemon, f->daemon.contexts, writer_view(&out));
        assert_int_equal(stat(file_name(f), &st), 0);
        assert_true(st.st_size < 60000);
    }
    first(f)->owner->contexts -= UID_CONTEXTS_MAX;
    writer_clear(&out);
    die(f);
    UNUSED(app_in(f, 1));
    assert_int_equal(first(f)->copies.count, 2);
}

/* Of what was cut off anywhere, whole lines count. */
static void
a_damaged_file_does_no_harm(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    uint8_t bytes[500];
    char path[600];
    ssize_t len;
    int fd;

    UNUSED(begin(f, &app));
    die(f);
    snprintf(path, sizeof path, "%s", file_name(f));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    len = read(fd, bytes, sizeof bytes);
    close(fd);
    assert_true(len >= 40 && len < (ssize_t)sizeof bytes);
    for (ssize_t i = 0; i <= len; i++) {
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(write(fd, bytes, (size_t)i), i);
        close(fd);
        app = app_in(f, 1);
        assert_int_equal(first(f)->copies.count, i == len ? 1 : 0);
        die(f);
    }
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    UNUSED(app_in(f, 1));
    assert_int_equal(first(f)->copies.count, 0);
    rmdir(path);
}

static void
what_nobody_wants_goes(void **state)
{
    struct fixture *f = *state;
    struct app *app;
    const struct utimbuf long_ago = { time(NULL) - 700, time(NULL) - 700 };
    const struct utimbuf just_now = { time(NULL) - 600, time(NULL) - 600 };

    UNUSED(begin(f, &app));
    die(f);
    assert_int_equal(utime(file_name(f), &just_now), 0);
    clock_ahead += 61000;
    copies_files_sweep(&f->daemon);
    assert_string_not_equal(file_name(f), "");
    assert_int_equal(utime(file_name(f), &long_ago), 0);
    copies_files_sweep(&f->daemon);
    assert_string_not_equal(file_name(f), ""); /* once a minute */
    clock_ahead += 61000;
    copies_files_sweep(&f->daemon);
    assert_string_equal(file_name(f), "");
}

static void
a_folder_that_others_may_enter_is_not_used(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    assert_int_equal(chmod(f->daemon.copies_path, 0710), 0);
    copies_files_open(&f->daemon);
    assert_string_equal(f->daemon.copies_path, "");
    UNUSED(begin(f, &app));
    assert_int_equal(first(f)->copies.count, 1);
}

static void
where_nothing_can_be_written_they_are_in_memory(void **state)
{
    struct fixture *f = *state;
    struct app *app;

    snprintf(f->daemon.copies_path, sizeof f->daemon.copies_path, "%s/none", folder);
    UNUSED(begin(f, &app));
    assert_int_equal(first(f)->copies.count, 1);
    assert_int_equal(first(f)->copies.filed, 0);
    copies_files_open(&f->daemon);
    assert_string_equal(file_name(f), "");
}

static bool
is_asked(void *arg)
{
    return ((struct fixture *)arg)->daemon.contexts->copies.asked == NULL;
}

/* Neither the file of before, which is not true any more, nor what was begun of the next one. */
static void
a_full_disk_keeps_nothing_of_them(void **state)
{
    struct fixture *f = *state;
    const struct rlimit small = { 20, RLIM_INFINITY };
    struct rlimit before;
    struct app *app;

    UNUSED(begin(f, &app));
    assert_true(loop_until(f->daemon.loop, is_asked, f, LIMIT_MS));
    assert_string_not_equal(file_name(f), "");
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    copies_file_note(&f->daemon, f->daemon.contexts, VIEW_TEXT("line"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_string_equal(file_name(f), "");
    assert_int_equal(first(f)->copies.count, 1);
    assert_int_equal(first(f)->copies.filed, 0);
}

#define FILES(test) cmocka_unit_test_setup_teardown(test, setup_files, teardown_files)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        FILES(the_next_daemon_hands_them_in),
        FILES(the_next_daemon_finds_the_home),
        FILES(the_home_is_found_when_numbers_are_known),
        FILES(only_who_has_a_login_gets_them),
        FILES(a_logout_takes_the_file_along),
        FILES(a_logout_takes_that_of_before_along),
        FILES(the_end_of_the_process_takes_it_along),
        FILES(a_closed_session_does_not_come_back),
        FILES(it_does_not_grow),
        FILES(a_damaged_file_does_no_harm),
        FILES(what_nobody_wants_goes),
        FILES(a_folder_that_others_may_enter_is_not_used),
        FILES(where_nothing_can_be_written_they_are_in_memory),
        FILES(a_full_disk_keeps_nothing_of_them),
    };

    return cmocka_run_group_tests_name("daemon/copies_file", tests, NULL, NULL);
}
