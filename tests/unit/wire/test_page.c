/* SPDX-License-Identifier: Apache-2.0
 *
 * What the change page says, and that a stamp is good for one state of one object.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/page.h"

static struct page page;

static int
setup(void **state)
{
    UNUSED(state);
    page_init(&page, 7);
    return 0;
}

static void
it_is_valid_until_its_time(void **state)
{
    UNUSED(state);
    assert_false(page_is_valid(&page, 0));
    page_extend(&page, 1000);
    assert_true(page_is_valid(&page, 0));
    assert_true(page_is_valid(&page, 999));
    assert_false(page_is_valid(&page, 1000));
    page_extend(&page, 0);
    assert_false(page_is_valid(&page, 0));
}

static void
it_is_calm_until_its_time(void **state)
{
    UNUSED(state);
    assert_false(page_is_calm(&page, 0));
    page_calm(&page, 1000);
    assert_true(page_is_calm(&page, 999));
    assert_false(page_is_calm(&page, 1000));
}

static void
a_change_ends_the_stamp_of_its_object(void **state)
{
    uint64_t one = page_stamp(&page, 0x40000), other = page_stamp(&page, 0x40001);
    uint64_t sequence = page_sequence(&page);

    UNUSED(state);
    page_change(&page, 0x40000);
    assert_int_not_equal(page_stamp(&page, 0x40000), one);
    assert_int_equal(page_stamp(&page, 0x40001), other);
    assert_int_not_equal(page_sequence(&page), sequence);
    /* Who shares its counter asks once more. */
    assert_int_equal(page_stamp(&page, 0x40000 + PAGE_COUNTERS), page_stamp(&page, 0x40000));
}

static void
a_change_of_all_ends_every_stamp(void **state)
{
    uint64_t stamps[PAGE_COUNTERS];
    uint64_t sequence = page_sequence(&page);

    UNUSED(state);
    for (uint32_t i = 0; i < PAGE_COUNTERS; i++) {
        stamps[i] = page_stamp(&page, i);
    }
    page_change_all(&page);
    for (uint32_t i = 0; i < PAGE_COUNTERS; i++) {
        assert_int_not_equal(page_stamp(&page, i), stamps[i]);
    }
    assert_int_not_equal(page_sequence(&page), sequence);
}

static void
no_stamp_comes_twice(void **state)
{
    static const uint64_t starts[] = { 0, 1, UINT64_MAX, UINT64_MAX / 2, UINT64_C(1) << 63 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(starts); i++) {
        page_init(&page, starts[i]);
        uint64_t last = page_stamp(&page, 1);

        assert_int_not_equal(last, PAGE_NO_STAMP);
        for (unsigned k = 0; k < 10; k++) {
            if (k % 3 == 0) {
                page_change_all(&page);
            } else {
                page_change(&page, 1);
            }
            assert_true(page_stamp(&page, 1) > last);
            last = page_stamp(&page, 1);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_is_valid_until_its_time, setup),
        cmocka_unit_test_setup(it_is_calm_until_its_time, setup),
        cmocka_unit_test_setup(a_change_ends_the_stamp_of_its_object, setup),
        cmocka_unit_test_setup(a_change_of_all_ends_every_stamp, setup),
        cmocka_unit_test_setup(no_stamp_comes_twice, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
