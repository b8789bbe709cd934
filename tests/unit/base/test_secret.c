/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets are born zero, and leave nothing behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/secret.h"

static bool
all_zero(view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] != 0) {
            return false;
        }
    }
    return true;
}

static void
new_secret_is_zero(void **state)
{
    struct secret *secret = secret_new(100);

    UNUSED(state);
    assert_non_null(secret);
    assert_int_equal(secret_view(secret).len, 100);
    assert_true(all_zero(secret_view(secret)));
    secret_free(secret);
}

/* Small secrets reuse each other's pages, so this is where a forgotten wipe would show. */
static void
reused_memory_is_zero(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < 100; i++) {
        struct secret *secret = secret_new(4096);

        assert_non_null(secret);
        assert_true(all_zero(secret_view(secret)));
        memset(secret_data(secret), 0xa5, 4096);
        secret_shorten(secret, i);
        secret_free(secret);
    }
}

static void
shortening_wipes_the_rest(void **state)
{
    struct secret *secret = secret_dup(VIEW_TEXT("password"));

    UNUSED(state);
    assert_non_null(secret);
    secret_shorten(secret, 4);
    assert_true(view_equal(secret_view(secret), VIEW_TEXT("pass")));
    assert_memory_equal(secret_data(secret), "pass\0\0\0\0", 8);
    secret_free(secret);
}

static void
copy_is_apart_from_its_source(void **state)
{
    uint8_t source[] = "secret";
    struct secret *secret = secret_dup(view_of(source, 6));

    UNUSED(state);
    assert_non_null(secret);
    wipe(source, sizeof source);
    assert_true(view_equal(secret_view(secret), VIEW_TEXT("secret")));
    secret_free(secret);
}

static void
large_and_empty_secrets_work(void **state)
{
    struct secret *large = secret_new(100000);
    struct secret *empty = secret_dup(VIEW_EMPTY);

    UNUSED(state);
    assert_non_null(large);
    assert_true(all_zero(secret_view(large)));
    memset(secret_data(large), 1, 100000);
    assert_non_null(empty);
    assert_int_equal(secret_view(empty).len, 0);
    secret_free(large);
    secret_free(empty);
}

static void
nothing_is_fine_where_the_header_says_so(void **state)
{
    UNUSED(state);
    secret_free(NULL);
    wipe(NULL, 0);
    assert_int_equal(secret_view(NULL).len, 0);
    assert_null(secret_new(SIZE_MAX));
    assert_null(secret_new(SIZE_MAX / 2));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_secret_is_zero),
        cmocka_unit_test(reused_memory_is_zero),
        cmocka_unit_test(shortening_wipes_the_rest),
        cmocka_unit_test(copy_is_apart_from_its_source),
        cmocka_unit_test(large_and_empty_secrets_work),
        cmocka_unit_test(nothing_is_fine_where_the_header_says_so),
    };

    return cmocka_run_group_tests_name("secret", tests, NULL, NULL);
}
