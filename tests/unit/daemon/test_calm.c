/* SPDX-License-Identifier: Apache-2.0
 *
 * What a line of /proc/loadavg says of the threads that run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "daemon/daemon.h"

static void
the_fourth_word_says_how_many_run(void **state)
{
    unsigned running = 7;

    UNUSED(state);
    assert_true(calm_read("0.20 0.18 0.12 3/80 11206\n", &running));
    assert_int_equal(running, 3);
    assert_true(calm_read("112.02 48.15 9.12 41/1024 1\n", &running));
    assert_int_equal(running, 41);
}

static void
another_text_says_nothing(void **state)
{
    static const char *const texts[] = { "", "\n", "0.20 0.18", "0.20 0.18 0.12 /80 1", "a b c 1/2" };
    unsigned running;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_false(calm_read(texts[i], &running));
    }
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fourth_word_says_how_many_run),
        cmocka_unit_test(another_text_says_nothing),
    };

    return cmocka_run_group_tests_name("daemon/calm", tests, NULL, NULL);
}
