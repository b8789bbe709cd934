/* SPDX-License-Identifier: Apache-2.0
 *
 * What the library remembers of objects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "p11/cache.h"

#define MANY 5000u

static int
setup(void **state)
{
    *state = cache_new();
    return *state == NULL;
}

static int
teardown(void **state)
{
    cache_free(*state);
    return 0;
}

/* Every third is private, every fifth of session 7. */
static struct key_info
info_of(uint32_t handle)
{
    return (struct key_info){
        .handle = handle,
        .bits = handle * 3,
        .flags = handle % 3 == 0 ? KEY_FLAG_PRIVATE : 0,
    };
}

static void
put_many(struct cache *cache)
{
    for (uint32_t handle = 1; handle <= MANY; handle++) {
        struct key_info info = info_of(handle);

        assert_true(cache_put(cache, &info, handle + 100, handle % 5 == 0 ? 7 : 0));
    }
}

static void
what_was_put_is_found(void **state)
{
    struct key_info info;
    uint64_t stamp;

    assert_false(cache_get(*state, 1, &info, &stamp));
    put_many(*state);

    for (uint32_t handle = 1; handle <= MANY; handle++) {
        assert_true(cache_get(*state, handle, &info, &stamp));
        assert_int_equal(info.bits, handle * 3);
        assert_int_equal(stamp, handle + 100);
    }
    assert_false(cache_get(*state, MANY + 1, &info, &stamp));
    assert_false(cache_get(*state, 0, &info, &stamp));
}

static void
dropping_one_leaves_the_others(void **state)
{
    struct key_info info;
    uint64_t stamp;

    put_many(*state);
    for (uint32_t handle = 1; handle <= MANY; handle += 2) {
        cache_drop(*state, handle);
    }
    cache_drop(*state, MANY + 10);

    for (uint32_t handle = 1; handle <= MANY; handle++) {
        assert_int_equal(cache_get(*state, handle, &info, &stamp), handle % 2 == 0);
    }
}

static void
what_is_doubted_is_known_still(void **state)
{
    struct key_info info;
    uint64_t stamp;

    cache_doubt(*state, 1);
    put_many(*state);
    cache_doubt(*state, 5);
    cache_doubt(*state, MANY + 10);
    assert_true(cache_get(*state, 5, &info, &stamp));
    assert_int_equal(stamp, 0);
    assert_true(cache_get(*state, 6, &info, &stamp));
    assert_int_equal(stamp, 106);
}

static void
a_logout_drops_what_is_private(void **state)
{
    struct key_info info;
    uint64_t stamp;

    put_many(*state);
    cache_drop_private(*state);

    for (uint32_t handle = 1; handle <= MANY; handle++) {
        assert_int_equal(cache_get(*state, handle, &info, &stamp), handle % 3 != 0);
    }
}

static void
a_session_takes_its_objects_along(void **state)
{
    struct key_info again = info_of(10);
    struct key_info info;
    uint64_t stamp;

    put_many(*state);
    assert_true(cache_put(*state, &again, 1, 0)); /* found once more: still of session 7 */
    cache_drop_session(*state, 7);

    for (uint32_t handle = 1; handle <= MANY; handle++) {
        assert_int_equal(cache_get(*state, handle, &info, &stamp), handle % 5 != 0);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(dropping_one_leaves_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_doubted_is_known_still, setup, teardown),
        cmocka_unit_test_setup_teardown(a_logout_drops_what_is_private, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_takes_its_objects_along, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
