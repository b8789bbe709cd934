/* SPDX-License-Identifier: Apache-2.0
 *
 * The hash table of the daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/index.h"

#include <stdlib.h>

#define COUNT 5000u

static void
items_are_found_while_it_grows_and_shrinks(void **state)
{
    struct index_item *items = calloc(COUNT, sizeof *items);
    struct index index = { NULL, 0, 0 };

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        assert_true(index_put(&index, &items[i], index_hash(i, i / 2)));
    }
    assert_int_equal(index.count, COUNT);
    for (size_t i = 0; i < COUNT; i += 2) {
        index_take(&index, &items[i]);
    }

    for (size_t i = 0; i < COUNT; i++) {
        assert_ptr_equal(index_find(&index, index_hash(i, i / 2)), i % 2 == 0 ? NULL : &items[i]);
    }
    index_clear(&index);
    free(items);
}

static void
equal_hashes_are_found_one_after_the_other(void **state)
{
    struct index_item items[3], others[200];
    struct index index = { NULL, 0, 0 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(index_put(&index, &items[i], 7));
    }
    for (size_t i = 0; i < 200; i++) {
        assert_true(index_put(&index, &others[i], index_hash(i, 0)));
    }

    assert_ptr_equal(index_find(&index, 7), &items[2]);
    assert_ptr_equal(index_next(&items[2]), &items[1]);
    assert_ptr_equal(index_next(&items[1]), &items[0]);
    assert_null(index_next(&items[0]));
    index_clear(&index);
}

static void
an_empty_index_has_nothing(void **state)
{
    struct index index = { NULL, 0, 0 };

    (void)state;
    assert_null(index_find(&index, 0));
    index_clear(&index);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_are_found_while_it_grows_and_shrinks),
        cmocka_unit_test(equal_hashes_are_found_one_after_the_other),
        cmocka_unit_test(an_empty_index_has_nothing),
    };

    return cmocka_run_group_tests_name("daemon/index", tests, NULL, NULL);
}
