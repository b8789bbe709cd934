/* SPDX-License-Identifier: Apache-2.0
 *
 * A log line arrives whole, on one line, and only at its level.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

/* What a line wrote to stderr, NUL-terminated. */
struct heard {
    int pipe[2];
    int stderr_kept;
    char text[4096];
};

static void
listen_to_stderr(struct heard *heard)
{
    assert_int_equal(pipe(heard->pipe), 0);
    heard->stderr_kept = dup(STDERR_FILENO);
    assert_true(heard->stderr_kept >= 0);
    assert_true(dup2(heard->pipe[1], STDERR_FILENO) >= 0);
    close(heard->pipe[1]);
}

static void
stop_listening(struct heard *heard)
{
    assert_true(dup2(heard->stderr_kept, STDERR_FILENO) >= 0);
    close(heard->stderr_kept);

    ssize_t len = read(heard->pipe[0], heard->text, sizeof heard->text - 1);

    close(heard->pipe[0]);
    heard->text[len > 0 ? len : 0] = '\0';
}

static void
lines_carry_their_level(void **state)
{
    struct heard heard;

    UNUSED(state);
    log_set_level(LOG_LEVEL_DBG);
    listen_to_stderr(&heard);
    log_err("one %d", 1);
    log_wrn("two");
    log_inf("three");
    log_dbg("four");
    stop_listening(&heard);

    assert_string_equal(heard.text, "ERR: one 1\nWRN: two\nINF: three\nDBG: four\n");
}

static void
lines_above_the_level_are_dropped(void **state)
{
    struct heard heard;

    UNUSED(state);
    log_set_level(LOG_LEVEL_WRN);
    listen_to_stderr(&heard);
    log_err("kept");
    log_inf("dropped");
    stop_listening(&heard);

    assert_string_equal(heard.text, "ERR: kept\n");
}

static void
control_characters_cannot_forge_a_line(void **state)
{
    struct heard heard;

    UNUSED(state);
    log_set_level(LOG_LEVEL_INF);
    listen_to_stderr(&heard);
    log_inf("user %s", "a\nERR: b\x1b[0m");
    stop_listening(&heard);

    assert_string_equal(heard.text, "INF: user a?ERR: b?[0m\n");
}

static void
a_long_line_is_cut_and_ends_in_one_newline(void **state)
{
    struct heard heard;
    char name[3000];

    UNUSED(state);
    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    log_set_level(LOG_LEVEL_INF);
    listen_to_stderr(&heard);
    log_inf("%s", name);
    stop_listening(&heard);

    size_t len = strlen(heard.text);

    assert_true(len > 1000 && len <= 1024);
    assert_ptr_equal(strchr(heard.text, '\n'), heard.text + len - 1);
    assert_null(memchr(heard.text, '?', len));
}

static void
levels_are_read_in_both_spellings(void **state)
{
    enum log_level level = LOG_LEVEL_ERR;

    UNUSED(state);
    assert_true(log_level_parse("DEBUG", &level));
    assert_int_equal(level, LOG_LEVEL_DBG);
    assert_true(log_level_parse("wrn", &level));
    assert_int_equal(level, LOG_LEVEL_WRN);
    assert_true(log_level_parse("Info", &level));
    assert_int_equal(level, LOG_LEVEL_INF);
    assert_false(log_level_parse("loud", &level));
    assert_int_equal(level, LOG_LEVEL_INF);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_carry_their_level),
        cmocka_unit_test(lines_above_the_level_are_dropped),
        cmocka_unit_test(control_characters_cannot_forge_a_line),
        cmocka_unit_test(a_long_line_is_cut_and_ends_in_one_newline),
        cmocka_unit_test(levels_are_read_in_both_spellings),
    };

    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
