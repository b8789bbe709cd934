/* SPDX-License-Identifier: Apache-2.0
 *
 * Readers stop at their end, writers at their largest size, and neither half-does anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"

static const uint8_t counted[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };

static void
integers_are_little_endian(void **state)
{
    struct reader r;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    UNUSED(state);
    r = reader_of(view_of(counted, sizeof counted));
    assert_true(read_u8(&r, &u8));
    assert_int_equal(u8, 1);
    r = reader_of(view_of(counted, sizeof counted));
    assert_true(read_u16(&r, &u16));
    assert_int_equal(u16, 0x0201);
    r = reader_of(view_of(counted, sizeof counted));
    assert_true(read_u32(&r, &u32));
    assert_int_equal(u32, 0x04030201);
    r = reader_of(view_of(counted, sizeof counted));
    assert_true(read_u64(&r, &u64));
    assert_true(u64 == 0x0807060504030201u);
    assert_int_equal(r.left, 1);
    assert_int_equal(load_u32(counted), 0x04030201);
    assert_true(load_u64(counted) == 0x0807060504030201u);
}

static void
what_is_written_reads_back(void **state)
{
    struct writer w;
    struct reader r;
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;
    view bytes;

    UNUSED(state);
    writer_init(&w, 100);
    write_u8(&w, 0xfe);
    write_u16(&w, 0xfedc);
    write_u32(&w, 0xfedcba98u);
    write_u64(&w, 0xfedcba9876543210u);
    write_bytes(&w, VIEW_TEXT("hello"));
    write_raw(&w, VIEW_TEXT("!"));
    r = reader_of(writer_view(&w));

    assert_true(writer_ok(&w));
    assert_int_equal(w.len, 1 + 2 + 4 + 8 + 4 + 5 + 1);
    assert_true(read_u8(&r, &u8) && u8 == 0xfe);
    assert_true(read_u16(&r, &u16) && u16 == 0xfedc);
    assert_true(read_u32(&r, &u32) && u32 == 0xfedcba98u);
    assert_true(read_u64(&r, &u64) && u64 == 0xfedcba9876543210u);
    assert_true(read_bytes(&r, 5, &bytes) && view_equal(bytes, VIEW_TEXT("hello")));
    assert_true(read_raw(&r, 1, &bytes) && view_equal(bytes, VIEW_TEXT("!")));
    assert_true(reader_done(&r));
    writer_clear(&w);
}

static void
reader_stays_where_it_was_when_too_little_is_left(void **state)
{
    struct reader r = reader_of(view_of(counted, 1));
    uint16_t u16 = 7;
    uint32_t u32 = 7;
    uint64_t u64 = 7;
    view bytes = VIEW_TEXT("old");

    UNUSED(state);
    assert_false(read_u16(&r, &u16));
    assert_false(read_u32(&r, &u32));
    assert_false(read_u64(&r, &u64));
    assert_false(read_raw(&r, 2, &bytes));
    assert_false(read_bytes(&r, 100, &bytes));

    assert_int_equal(u16, 7);
    assert_int_equal(u32, 7);
    assert_true(u64 == 7);
    assert_true(view_equal(bytes, VIEW_TEXT("old")));
    assert_ptr_equal(r.next, counted);
    assert_int_equal(r.left, 1);
}

static void
read_bytes_refuses_a_length_over_its_cap_or_the_end(void **state)
{
    static const uint8_t five[] = { 5, 0, 0, 0, 'h', 'e', 'l', 'l', 'o' };
    static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 'h' };
    struct reader r = reader_of(view_of(five, sizeof five));
    view bytes;

    UNUSED(state);
    assert_false(read_bytes(&r, 4, &bytes));
    assert_int_equal(r.left, sizeof five);
    assert_true(read_bytes(&r, 5, &bytes));
    r = reader_of(view_of(five, sizeof five - 1));
    assert_false(read_bytes(&r, 5, &bytes));
    assert_int_equal(r.left, sizeof five - 1);
    r = reader_of(view_of(huge, sizeof huge));
    assert_false(read_bytes(&r, SIZE_MAX, &bytes));
}

static void
an_empty_input_reads_as_nothing(void **state)
{
    struct reader r = reader_of(VIEW_EMPTY);
    uint8_t u8;
    view bytes;

    UNUSED(state);
    assert_true(reader_done(&r));
    assert_false(read_u8(&r, &u8));
    assert_true(read_raw(&r, 0, &bytes));
    assert_int_equal(bytes.len, 0);
}

static void
fixed_writer_stops_at_the_size_of_its_buffer(void **state)
{
    uint8_t buffer[4] = { 0 };
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, 3);
    write_u16(&w, 0x0201);
    write_u16(&w, 0x0403);
    write_u8(&w, 9); /* would fit, but the writer has failed */

    assert_false(writer_ok(&w));
    assert_int_equal(w.len, 2);
    assert_memory_equal(buffer, "\x01\x02\x00\x00", 4);
}

static void
growing_writer_stops_at_its_largest_size(void **state)
{
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    for (size_t i = 0; i < 1000; i++) {
        write_u8(&w, (uint8_t)i);
    }
    assert_true(writer_ok(&w));
    assert_int_equal(w.len, 1000);
    for (size_t i = 0; i < 1000; i++) {
        assert_int_equal(w.data[i], i & 0xff);
    }
    write_u8(&w, 0);
    assert_false(writer_ok(&w));
    assert_int_equal(w.len, 1000);
    writer_clear(&w);
}

static void
writer_is_good_again_after_reset(void **state)
{
    struct writer w;

    UNUSED(state);
    writer_init(&w, 4);
    write_u64(&w, 1);
    assert_false(writer_ok(&w));
    writer_reset(&w);
    write_u32(&w, 1);
    assert_true(writer_ok(&w));
    assert_int_equal(w.len, 4);
    writer_clear(&w);
    assert_null(w.data);
    assert_int_equal(w.len, 0);
    write_u32(&w, 2); /* the largest size is kept */
    assert_true(writer_ok(&w));
    writer_clear(&w);
}

static void
truncation_wipes_what_it_forgets(void **state)
{
    uint8_t buffer[8];
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    write_raw(&w, VIEW_TEXT("password"));
    writer_truncate(&w, 4);
    writer_truncate(&w, 6); /* longer than what there is: nothing */

    assert_int_equal(w.len, 4);
    assert_memory_equal(buffer, "pass\0\0\0\0", 8);
    writer_reset(&w);
    assert_memory_equal(buffer, "\0\0\0\0\0\0\0\0", 8);
}

static void
a_patch_lands_inside_or_not_at_all(void **state)
{
    uint8_t buffer[8];
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    memset(buffer, 0xee, sizeof buffer);
    write_u32(&w, 0);
    write_u8(&w, 0);
    writer_patch_u32(&w, 1, 0x04030201);
    writer_patch_u32(&w, 2, 0xffffffffu);
    writer_patch_u32(&w, SIZE_MAX, 0xffffffffu);

    assert_memory_equal(buffer, "\x00\x01\x02\x03\x04\xee\xee\xee", 8);
}

static void
write_space_gives_room_or_fails_the_writer(void **state)
{
    uint8_t buffer[8];
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    assert_ptr_equal(write_space(&w, 3), buffer);
    assert_ptr_equal(write_space(&w, 5), buffer + 3);
    assert_true(writer_ok(&w));
    assert_null(write_space(&w, SIZE_MAX));
    assert_false(writer_ok(&w));
}

static void
views_compare_by_length_and_content(void **state)
{
    UNUSED(state);
    assert_true(view_equal(VIEW_EMPTY, VIEW_TEXT("")));
    assert_true(view_equal(view_str(NULL), VIEW_EMPTY));
    assert_true(view_equal(view_str("abc"), VIEW_TEXT("abc")));
    assert_false(view_equal(VIEW_TEXT("abc"), VIEW_TEXT("abd")));
    assert_false(view_equal(VIEW_TEXT("abc"), VIEW_TEXT("ab")));
    assert_true(view_equal_secret(VIEW_TEXT("abc"), VIEW_TEXT("abc")));
    assert_true(view_equal_secret(VIEW_EMPTY, VIEW_EMPTY));
    assert_false(view_equal_secret(VIEW_TEXT("abc"), VIEW_TEXT("Abc")));
    assert_false(view_equal_secret(VIEW_TEXT("abc"), VIEW_TEXT("abcd")));
}

static void
a_slice_is_clipped_to_what_there_is(void **state)
{
    view abc = VIEW_TEXT("abc");

    UNUSED(state);
    assert_true(view_equal(view_slice(abc, 1, 1), VIEW_TEXT("b")));
    assert_true(view_equal(view_slice(abc, 1, SIZE_MAX), VIEW_TEXT("bc")));
    assert_int_equal(view_slice(abc, 3, 1).len, 0);
    assert_int_equal(view_slice(abc, SIZE_MAX, SIZE_MAX).len, 0);
}

static void
stores_and_loads_are_each_others_inverse(void **state)
{
    uint8_t p[8];

    UNUSED(state);
    store_u16(p, 0x1234);
    assert_memory_equal(p, "\x34\x12", 2);
    store_u32(p, 0x12345678);
    assert_int_equal(load_u32(p), 0x12345678);
    store_u64(p, 0x123456789abcdef0u);
    assert_true(load_u64(p) == 0x123456789abcdef0u);
}

static void
hex_goes_both_ways(void **state)
{
    char text[9];
    uint8_t bytes[4];
    size_t len = 0;

    UNUSED(state);
    hex_encode(view_of("\x00\x7f\xab\xff", 4), text);
    assert_string_equal(text, "007fabff");
    assert_true(hex_decode("007FaBff", bytes, sizeof bytes, &len));
    assert_int_equal(len, 4);
    assert_memory_equal(bytes, "\x00\x7f\xab\xff", 4);
    hex_encode(VIEW_EMPTY, text);
    assert_string_equal(text, "");
}

static void
hex_refuses_what_is_odd_too_long_or_no_hex(void **state)
{
    uint8_t bytes[2];
    size_t len = 99;

    UNUSED(state);
    assert_false(hex_decode("abc", bytes, sizeof bytes, &len));
    assert_false(hex_decode("aabbcc", bytes, sizeof bytes, &len));
    assert_false(hex_decode("ag", bytes, sizeof bytes, &len));
    assert_false(hex_decode("0x", bytes, sizeof bytes, &len));
    assert_int_equal(len, 99);
    assert_true(hex_decode("", bytes, sizeof bytes, &len));
    assert_int_equal(len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_are_little_endian),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(reader_stays_where_it_was_when_too_little_is_left),
        cmocka_unit_test(read_bytes_refuses_a_length_over_its_cap_or_the_end),
        cmocka_unit_test(an_empty_input_reads_as_nothing),
        cmocka_unit_test(fixed_writer_stops_at_the_size_of_its_buffer),
        cmocka_unit_test(growing_writer_stops_at_its_largest_size),
        cmocka_unit_test(writer_is_good_again_after_reset),
        cmocka_unit_test(truncation_wipes_what_it_forgets),
        cmocka_unit_test(a_patch_lands_inside_or_not_at_all),
        cmocka_unit_test(write_space_gives_room_or_fails_the_writer),
        cmocka_unit_test(views_compare_by_length_and_content),
        cmocka_unit_test(a_slice_is_clipped_to_what_there_is),
        cmocka_unit_test(stores_and_loads_are_each_others_inverse),
        cmocka_unit_test(hex_goes_both_ways),
        cmocka_unit_test(hex_refuses_what_is_odd_too_long_or_no_hex),
    };

    return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
