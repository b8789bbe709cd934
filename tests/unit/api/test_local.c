/* SPDX-License-Identifier: Apache-2.0
 *
 * Which requests carry FRAME_LOCAL.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/local.h"

#include <stdatomic.h>

#define TOKEN 0x40001u
#define SESSION 0x80000001u
#define CERTIFICATE 0xfff00001u

static struct writer body;
static _Atomic bool some;

static bool
is_local(enum operation operation)
{
    bool local = request_is_local(INTERFACE_P11, operation, writer_view(&body), &some);

    writer_reset(&body);
    return local;
}

static int
setup(void **state)
{
    UNUSED(state);
    atomic_store(&some, false);
    writer_init(&body, 4096);
    return 0;
}

static int
teardown(void **state)
{
    UNUSED(state);
    writer_clear(&body);
    return 0;
}

static const struct mechanism mechanism = { .type = CKM_ECDSA };

static bool
sign_is_local(uint32_t key)
{
    const struct sign_request m = { .mechanism = mechanism, .key = key, .max = SESSION };

    sign_request_write(&body, &m);
    return is_local(OPERATION_SIGN);
}

static bool
find_is_local(void)
{
    const struct find_request m = { .after = SESSION, .max = 1 };

    find_request_write(&body, &m);
    return is_local(OPERATION_FIND);
}

static void
session_keys_are_local_and_what_may_be_about_them_from_then_on(void **state)
{
    UNUSED(state);
    assert_false(sign_is_local(TOKEN));
    assert_false(find_is_local());
    assert_false(sign_is_local(CERTIFICATE));
    assert_true(sign_is_local(SESSION));
    assert_true(find_is_local());
    assert_true(sign_is_local(CERTIFICATE));
    assert_false(sign_is_local(TOKEN));
}

static void
what_is_made_counts_by_its_number(void **state)
{
    struct generate_pair_request pair = { .mechanism = mechanism };
    uint8_t handles[8] = { 0 };
    struct derive_request derive = { .mechanism = mechanism,
                                     .key = TOKEN,
                                     .handles = { view_of(handles, sizeof handles) } };

    UNUSED(state);
    generate_pair_request_write(&body, &pair);
    assert_false(is_local(OPERATION_GENERATE_PAIR));
    derive_request_write(&body, &derive);
    assert_false(is_local(OPERATION_DERIVE));
    store_u32(handles + 4, SESSION);
    derive_request_write(&body, &derive);
    assert_true(is_local(OPERATION_DERIVE));
    pair.private_handle = SESSION;
    generate_pair_request_write(&body, &pair);
    assert_true(is_local(OPERATION_GENERATE_PAIR));
    /* The parameter may name a session key. */
    store_u32(handles + 4, 0);
    derive_request_write(&body, &derive);
    assert_true(is_local(OPERATION_DERIVE));
}

static void
both_keys_of_a_wrap_count(void **state)
{
    static const uint32_t keys[][2] = { { TOKEN, TOKEN }, { TOKEN, SESSION }, { SESSION, TOKEN } };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        const struct wrap_request m = { .mechanism = mechanism,
                                        .wrapping = keys[i][0],
                                        .key = keys[i][1] };

        wrap_request_write(&body, &m);
        assert_int_equal(is_local(OPERATION_WRAP), i > 0);
    }
}

static void
an_object_that_is_unwrapped_counts_behind_its_bytes(void **state)
{
    struct unwrap_request m = { .mechanism = mechanism, .wrapped = VIEW_TEXT("wrapped") };

    UNUSED(state);
    unwrap_request_write(&body, &m);
    assert_false(is_local(OPERATION_UNWRAP));
    m.handle = SESSION;
    unwrap_request_write(&body, &m);
    assert_true(is_local(OPERATION_UNWRAP));
}

static void
a_permission_is_local(void **state)
{
    UNUSED(state);
    assert_true(is_local(OPERATION_AUTHENTICATE));
    assert_true(find_is_local());
}

static void
tools_leave_the_number_to_the_hsm(void **state)
{
    const struct object_create_request m = { .handle = 0 };

    UNUSED(state);
    object_create_request_write(&body, &m);
    assert_false(request_is_local(INTERFACE_P11, OPERATION_OBJECT_CREATE, writer_view(&body),
                                  &some));
    assert_true(request_is_local(INTERFACE_API, OPERATION_OBJECT_CREATE, writer_view(&body),
                                 &some));
}

static void
a_body_that_does_not_read_is_nobodys(void **state)
{
    const struct sign_request m = { .mechanism = mechanism, .key = SESSION };

    UNUSED(state);
    sign_request_write(&body, &m);
    for (size_t len = 0; len < 13; len++) {
        assert_false(request_is_local(INTERFACE_P11, OPERATION_SIGN,
                                      view_slice(writer_view(&body), 0, len == 0 ? 1 : len),
                                      &some));
    }
    writer_reset(&body);
    assert_false(is_local(OPERATION_RANDOM));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(session_keys_are_local_and_what_may_be_about_them_from_then_on),
        TEST(what_is_made_counts_by_its_number),
        TEST(both_keys_of_a_wrap_count),
        TEST(an_object_that_is_unwrapped_counts_behind_its_bytes),
        TEST(a_permission_is_local),
        TEST(tools_leave_the_number_to_the_hsm),
        TEST(a_body_that_does_not_read_is_nobodys),
    };

    return cmocka_run_group_tests_name("api/local", tests, NULL, NULL);
}
