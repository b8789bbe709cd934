/* SPDX-License-Identifier: Apache-2.0
 *
 * Shared secrets: any so many give it back, fewer or wrong ones do not, and the arithmetic is that
 * of AES's field.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/owner.h"

#include <string.h>

#define LEN 5u

static const uint8_t secret[LEN] = { 0x00, 0x01, 0x53, 0x80, 0xff };
static const uint8_t chance[3 * LEN] = { 1, 2, 3, 4, 5, 0xca, 7, 8, 9, 10, 11, 12, 13, 14, 0xfe };

static view
share_of(const uint8_t *shares, unsigned at)
{
    return view_of(shares + at * (LEN + 1), LEN + 1);
}

static bool
joined(const view *shares, unsigned count)
{
    struct secret *got = NULL;
    bool same = shares_join(shares, count, &got) &&
                view_equal(secret_view(got), view_of(secret, LEN));

    secret_free(got);
    return same;
}

static void
every_three_of_five_give_the_secret(void **state)
{
    uint8_t shares[5 * (LEN + 1)];

    UNUSED(state);
    shares_make(view_of(secret, LEN), view_of(chance, sizeof chance), 3, 5, shares);

    for (unsigned a = 0; a < 5; a++) {
        for (unsigned b = 0; b < 5; b++) {
            for (unsigned c = 0; c < 5; c++) {
                const view of[] = { share_of(shares, a), share_of(shares, b), share_of(shares, c) };

                assert_true(joined(of, 3) == (a != b && b != c && a != c));
            }
        }
    }
}

static void
fewer_do_not(void **state)
{
    uint8_t shares[3 * (LEN + 1)];

    UNUSED(state);
    shares_make(view_of(secret, LEN), view_of(chance, sizeof chance), 3, 3, shares);

    const view of[] = { share_of(shares, 0), share_of(shares, 1) };

    assert_false(joined(of, 2));
    assert_false(joined(of, 1));
    assert_false(joined(of, 0));
}

static void
one_of_one_is_the_secret(void **state)
{
    uint8_t shares[LEN + 1];
    const view of[] = { { shares, LEN + 1 } };

    UNUSED(state);
    shares_make(view_of(secret, LEN), VIEW_EMPTY, 1, 1, shares);
    assert_memory_equal(shares + 1, secret, LEN);
    assert_true(joined(of, 1));
}

/* FIPS 197, 4.2: {57} x {83} = {c1}: the secret 0 on a line of slope 0x57, at 0x83. */
static void
the_field_is_that_of_aes(void **state)
{
    static const uint8_t zero;
    static const uint8_t slope = 0x57;
    uint8_t shares[0x83 * 2];

    UNUSED(state);
    shares_make(view_of(&zero, 1), view_of(&slope, 1), 2, 0x83, shares);
    assert_int_equal(shares[0x82 * 2], 0x83);
    assert_int_equal(shares[0x82 * 2 + 1], 0xc1);
}

static void
odd_shares_are_refused(void **state)
{
    const view zero[] = { VIEW_TEXT("\0a"), VIEW_TEXT("\1a") };
    const view lengths[] = { VIEW_TEXT("\1ab"), VIEW_TEXT("\2a") };
    const view empty[] = { VIEW_TEXT("\1") };

    UNUSED(state);
    assert_false(joined(zero, 2));
    assert_false(joined(lengths, 2));
    assert_false(joined(empty, 1));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_three_of_five_give_the_secret),
        cmocka_unit_test(fewer_do_not),
        cmocka_unit_test(one_of_one_is_the_secret),
        cmocka_unit_test(the_field_is_that_of_aes),
        cmocka_unit_test(odd_shares_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
