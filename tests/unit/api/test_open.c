/* SPDX-License-Identifier: Apache-2.0
 *
 * What a request tells of those before it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/open.h"
#include "wire/frame.h"

static uint64_t
settled(uint64_t number, uint32_t back)
{
    const struct frame frame = { .request = number, .code = back };

    return frame_settled(&frame);
}

static void
the_oldest_that_is_open_settles_those_before_it(void **state)
{
    struct open_requests open = { NULL };
    struct open_request five, nine, ten, eleven;

    UNUSED(state);
    assert_int_equal(settled(5, open_add(&open, &five, 5)), 5);
    assert_int_equal(settled(9, open_add(&open, &nine, 9)), 5);
    open_remove(&open, &nine);
    assert_int_equal(settled(10, open_add(&open, &ten, 10)), 5);
    open_remove(&open, &five);
    assert_int_equal(settled(11, open_add(&open, &eleven, 11)), 10);
    open_remove(&open, &eleven);
    open_remove(&open, &ten);
    assert_null(open.oldest);
}

static void
too_far_back_tells_nothing(void **state)
{
    struct open_requests open = { NULL };
    struct open_request first, far, farther;

    UNUSED(state);
    assert_int_equal(open_add(&open, &first, 1), 1);
    assert_int_equal(open_add(&open, &far, UINT32_MAX), UINT32_MAX);
    assert_int_equal(open_add(&open, &farther, (uint64_t)UINT32_MAX + 1), 0);
    assert_int_equal(settled(7, 0), 0);
    assert_int_equal(settled(7, 8), 0); /* no such number */
    assert_int_equal(settled(7, 7), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_oldest_that_is_open_settles_those_before_it),
        cmocka_unit_test(too_far_back_tells_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
