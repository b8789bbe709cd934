/* SPDX-License-Identifier: Apache-2.0
 *
 * The header byte by byte, and frames built in place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/frame.h"

static const struct frame sample = {
    .body_len = 0x030201,
    .operation = 0x0504,
    .flags = FRAME_REPLY | FRAME_READ_WRITE,
    .context = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c,
                 0x1d, 0x1e, 0x1f },
    .request = 0x2726252423222120,
    .session = 0x33323130,
    .code = 0x43424140,
    .revision = 0x5756555453525150,
};

static const uint8_t golden[FRAME_HEADER_LEN] = {
    0x01, 0x02, 0x03, 0x00, 0x04, 0x05, 0x03, 0x00, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
    0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
    0x30, 0x31, 0x32, 0x33, 0x40, 0x41, 0x42, 0x43, 0x50, 0x51, 0x52, 0x53, 0x54, 0x55, 0x56, 0x57,
};

static void
a_header_is_these_48_bytes(void **state)
{
    uint8_t header[FRAME_HEADER_LEN];

    UNUSED(state);
    assert_int_equal(FRAME_HEADER_LEN, 48);
    frame_encode(&sample, header);
    assert_memory_equal(header, golden, sizeof golden);
}

static void
a_header_reads_back(void **state)
{
    struct frame frame;

    UNUSED(state);
    assert_true(frame_decode(golden, &frame));
    assert_int_equal(frame.body_len, sample.body_len);
    assert_int_equal(frame.operation, sample.operation);
    assert_int_equal(frame.flags, sample.flags);
    assert_memory_equal(frame.context, sample.context, FRAME_CONTEXT_LEN);
    assert_true(frame.request == sample.request);
    assert_int_equal(frame.session, sample.session);
    assert_int_equal(frame.code, sample.code);
    assert_true(frame.revision == sample.revision);
}

static void
a_body_over_the_cap_is_refused(void **state)
{
    struct frame frame = { .body_len = FRAME_BODY_MAX };
    uint8_t header[FRAME_HEADER_LEN];

    UNUSED(state);
    frame_encode(&frame, header);
    assert_true(frame_decode(header, &frame));
    frame.body_len = FRAME_BODY_MAX + 1;
    frame_encode(&frame, header);
    frame.request = 99;
    assert_false(frame_decode(header, &frame));
    assert_int_equal(frame.request, 99);
}

static void
an_unknown_flag_is_refused(void **state)
{
    UNUSED(state);
    for (unsigned bit = 0; bit < 16; bit++) {
        struct frame frame = { .flags = (uint16_t)(1u << bit) };
        uint8_t header[FRAME_HEADER_LEN];

        frame_encode(&frame, header);
        assert_int_equal(frame_decode(header, &frame), bit < 3 || (bit >= 8 && bit < 13));
    }
}

static void
a_request_asks_for_nodes(void **state)
{
    struct frame frame = { .flags = FRAME_READ_WRITE };
    uint8_t header[FRAME_HEADER_LEN];

    UNUSED(state);
    assert_int_equal(frame_nodes(&frame), 1);
    frame_nodes_raise(&frame, 1);
    assert_int_equal(frame.flags, FRAME_READ_WRITE);
    frame_nodes_raise(&frame, 2);
    frame_nodes_raise(&frame, FRAME_NODES_MAX);
    frame_nodes_raise(&frame, 3);
    frame_encode(&frame, header);
    assert_true(frame_decode(header, &frame));
    assert_int_equal(frame_nodes(&frame), FRAME_NODES_MAX);
    assert_int_equal(frame.flags & ~FRAME_NODES, FRAME_READ_WRITE);
}

static void
a_frame_is_built_behind_another(void **state)
{
    struct frame frame = sample;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    write_raw(&w, VIEW_TEXT("before"));

    size_t start = frame_begin(&w);

    write_raw(&w, VIEW_TEXT("body"));
    assert_true(frame_end(&w, start, &frame));
    assert_int_equal(frame.body_len, 4);
    assert_int_equal(w.len, 6 + FRAME_HEADER_LEN + 4);
    assert_true(frame_decode(w.data + 6, &frame));
    assert_int_equal(frame.body_len, 4);
    assert_memory_equal(w.data + 6 + FRAME_HEADER_LEN, "body", 4);
    writer_clear(&w);
}

static void
a_failed_body_leaves_the_writer_as_it_was(void **state)
{
    uint8_t buffer[100];
    struct frame frame = sample;
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    write_raw(&w, VIEW_TEXT("before"));

    size_t start = frame_begin(&w);

    assert_null(write_space(&w, 50));
    assert_false(writer_ok(&w));
    assert_false(frame_end(&w, start, &frame));
    assert_int_equal(w.len, 6);
    assert_true(writer_ok(&w));
    assert_int_equal(frame.body_len, sample.body_len);
    start = frame_begin(&w);
    assert_true(frame_end(&w, start, &frame));
}

static void
a_writer_that_failed_before_stays_failed(void **state)
{
    uint8_t buffer[100];
    struct frame frame = sample;
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    write_u8(&w, 1);
    assert_null(write_space(&w, 100));

    size_t start = frame_begin(&w);

    assert_false(frame_end(&w, start, &frame));
    assert_false(writer_ok(&w));
    assert_int_equal(w.len, 1);
}

static void
a_body_may_be_as_long_as_the_cap_and_no_longer(void **state)
{
    struct frame frame = sample;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 3 * FRAME_MAX);

    size_t start = frame_begin(&w);

    assert_non_null(write_space(&w, FRAME_BODY_MAX));
    assert_true(frame_end(&w, start, &frame));
    start = frame_begin(&w);
    assert_non_null(write_space(&w, FRAME_BODY_MAX + 1));
    assert_false(frame_end(&w, start, &frame));
    assert_int_equal(w.len, FRAME_MAX);
    writer_clear(&w);
}

static void
a_reply_turns_the_request_round(void **state)
{
    struct frame request = sample;
    struct frame reply;
    struct writer w;

    UNUSED(state);
    request.flags = FRAME_READ_WRITE;
    writer_init(&w, 1000);
    frame_reply(&w, &request, 5, 77, VIEW_TEXT("yes"));

    assert_true(writer_ok(&w));
    assert_int_equal(w.len, FRAME_HEADER_LEN + 3);
    assert_true(frame_decode(w.data, &reply));
    assert_int_equal(reply.body_len, 3);
    assert_int_equal(reply.flags, FRAME_REPLY);
    assert_int_equal(reply.operation, request.operation);
    assert_memory_equal(reply.context, request.context, FRAME_CONTEXT_LEN);
    assert_true(reply.request == request.request);
    assert_int_equal(reply.code, 5);
    assert_true(reply.revision == 77);
    assert_memory_equal(w.data + FRAME_HEADER_LEN, "yes", 3);
    writer_clear(&w);
}

static void
a_reply_that_does_not_fit_fails_the_writer(void **state)
{
    uint8_t buffer[FRAME_HEADER_LEN + 2];
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    frame_reply(&w, &sample, 0, 0, VIEW_TEXT("yes"));
    assert_false(writer_ok(&w));
    assert_int_equal(w.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_these_48_bytes),
        cmocka_unit_test(a_header_reads_back),
        cmocka_unit_test(a_body_over_the_cap_is_refused),
        cmocka_unit_test(an_unknown_flag_is_refused),
        cmocka_unit_test(a_request_asks_for_nodes),
        cmocka_unit_test(a_frame_is_built_behind_another),
        cmocka_unit_test(a_failed_body_leaves_the_writer_as_it_was),
        cmocka_unit_test(a_writer_that_failed_before_stays_failed),
        cmocka_unit_test(a_body_may_be_as_long_as_the_cap_and_no_longer),
        cmocka_unit_test(a_reply_turns_the_request_round),
        cmocka_unit_test(a_reply_that_does_not_fit_fails_the_writer),
    };

    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
