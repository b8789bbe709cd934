/* SPDX-License-Identifier: Apache-2.0
 *
 * Covering arrays: every pair of values is there, and rows are few.
 */
#include "gen/cover.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

static uint8_t rows[COVER_ROWS][COVER_DIMS];

static bool
is_covered(size_t count, size_t a, uint8_t value_a, size_t b, uint8_t value_b)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i][a] == value_a && rows[i][b] == value_b) {
            return true;
        }
    }
    return false;
}

/* All pairs are there, in at most so many rows. */
static void
assert_covers(const uint8_t *sizes, size_t dims, size_t most)
{
    size_t count = cover_pairs(sizes, dims, rows);

    assert_in_range(count, 1, most);
    for (size_t a = 0; a < dims; a++) {
        for (size_t b = 0; b < a; b++) {
            for (uint8_t i = 0; i < sizes[a]; i++) {
                for (uint8_t k = 0; k < sizes[b]; k++) {
                    assert_true(is_covered(count, a, i, b, k));
                }
            }
        }
    }
    for (size_t r = 0; r < count; r++) {
        for (size_t d = 0; d < dims; d++) {
            assert_true(rows[r][d] < sizes[d]);
        }
    }
}

static void
every_pair_is_covered(void **state)
{
    (void)state;
    assert_covers((const uint8_t[]){ 3, 4 }, 2, 12);
    assert_covers((const uint8_t[]){ 1, 1, 1 }, 3, 1);
    assert_covers((const uint8_t[]){ 2, 2, 2, 2 }, 4, 6);
    assert_covers((const uint8_t[]){ 6, 5, 6, 5, 6, 5, 5 }, 7, 60);
    assert_covers((const uint8_t[]){ 2, 3, 4, 5, 6, 7, 8, 9 }, 8, 110);
    assert_covers((const uint8_t[]){ 1, 15, 2 }, 3, 30);
}

static void
what_would_be_too_many_rows_is_none(void **state)
{
    (void)state;
    assert_int_equal(cover_pairs((const uint8_t[]){ 16, 16, 2 }, 3, rows), 256);
    assert_int_equal(cover_pairs((const uint8_t[]){ 16, 16, 16, 16, 16 }, 5, rows), 0);
}

static void
rows_are_the_same_each_time(void **state)
{
    static uint8_t before[COVER_ROWS][COVER_DIMS];
    const uint8_t sizes[] = { 6, 5, 6, 5, 6, 5, 5 };

    (void)state;
    memset(before, 0x5a, sizeof before);
    memset(rows, 0xa5, sizeof rows);
    size_t count = cover_pairs(sizes, 7, before);

    assert_int_equal(cover_pairs(sizes, 7, rows), count);
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(before[i], rows[i], 7);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_is_covered),
        cmocka_unit_test(what_would_be_too_many_rows_is_none),
        cmocka_unit_test(rows_are_the_same_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
