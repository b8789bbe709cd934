/* SPDX-License-Identifier: Apache-2.0
 *
 * Backups as bytes: what was written is read, in these bytes; chunks open in their place alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/archive.h"

#include <string.h>

static const struct archive_header sample = {
    .time = 0x0102030405060708,
    .store_id = "0123456789abcdef",
    .serial = { (const uint8_t *)"77", 2 },
    .label = { (const uint8_t *)"part", 4 },
    .needed = 1,
    .count = 2,
    .owners = { { "11111111111111111111111111111111", { (const uint8_t *)"s1", 2 } },
                { "22222222222222222222222222222222", { (const uint8_t *)"share2", 6 } } },
    .certificate = { (const uint8_t *)"der", 3 },
};

static const char golden[] = "\x08\7\6\5\4\3\2\1"
                             "0123456789abcdef"
                             "\2\0\0\0"
                             "77"
                             "\4\0\0\0part"
                             "\1\2"
                             "11111111111111111111111111111111"
                             "\2\0\0\0s1"
                             "22222222222222222222222222222222"
                             "\6\0\0\0share2"
                             "\3\0\0\0"
                             "der";

static void
a_header_is_these_bytes(void **state)
{
    struct archive_header read;
    struct writer w;

    UNUSED(state);
    writer_init(&w, ARCHIVE_HEADER_MAX);
    archive_header_write(&w, &sample);

    assert_true(view_equal(writer_view(&w), view_of(golden, sizeof golden - 1)));
    assert_true(archive_header_read(writer_view(&w), &read));
    assert_int_equal(read.time, sample.time);
    assert_int_equal(read.count, 2);
    assert_true(view_equal(read.owners[1].share, VIEW_TEXT("share2")));
    assert_true(view_equal(read.certificate, VIEW_TEXT("der")));
    writer_clear(&w);
}

static void
a_header_that_is_cut_or_longer_does_not_read(void **state)
{
    struct archive_header read;

    UNUSED(state);
    for (size_t len = 0; len < sizeof golden - 1; len++) {
        assert_false(archive_header_read(view_of(golden, len), &read));
    }
    assert_false(archive_header_read(view_of(golden, sizeof golden), &read));
}

static void
nobody_or_more_than_there_are_cannot_be_needed(void **state)
{
    const unsigned wrong[][2] = { { 0, 2 }, { 3, 2 }, { 0, 0 }, { 1, 0 } };
    struct archive_header read;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        struct archive_header header = sample;
        struct writer w;

        writer_init(&w, ARCHIVE_HEADER_MAX);
        header.needed = (uint8_t)wrong[i][0];
        header.count = (uint8_t)wrong[i][1];
        archive_header_write(&w, &header);
        assert_false(archive_header_read(writer_view(&w), &read));
        writer_clear(&w);
    }
}

static void
entries_read_as_they_were_written(void **state)
{
    const struct archive_entry entries[] = {
        { ARCHIVE_KEY, VIEW_EMPTY, VIEW_TEXT("key"), 0 },
        { ARCHIVE_RECORD, VIEW_TEXT("o/1"), VIEW_TEXT("value"), 7 },
        { ARCHIVE_COUNTER, VIEW_TEXT("handle"), VIEW_EMPTY, 8 },
        { ARCHIVE_END, VIEW_EMPTY, VIEW_EMPTY, 9 },
    };
    struct archive_entry read;
    struct reader r;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 1000);
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        archive_entry_write(&w, &entries[i]);
    }

    r = reader_of(writer_view(&w));
    for (size_t i = 0; i < ARRAY_COUNT(entries); i++) {
        assert_true(archive_entry_read(&r, &read));
        assert_int_equal(read.kind, entries[i].kind);
        assert_true(view_equal(read.name, entries[i].name));
        assert_true(view_equal(read.value, entries[i].value));
        assert_int_equal(read.number, entries[i].number);
    }
    assert_true(reader_done(&r));
    assert_false(archive_entry_read(&r, &read));
    writer_clear(&w);
}

/* Not as another number, not as the last, not behind another beginning, not changed. */
static void
a_chunk_opens_in_its_place_alone(void **state)
{
    const uint8_t key[ARCHIVE_KEY_LEN] = { 1 };
    const uint8_t begin[32] = { 2 };
    const uint8_t other[32] = { 3 };
    struct writer sealed, plain;

    UNUSED(state);
    writer_init(&sealed, 1000);
    writer_init(&plain, 1000);
    assert_true(archive_chunk_seal(key, begin, 5, false, VIEW_TEXT("plain"), &sealed));

    assert_true(archive_chunk_open(key, begin, 5, false, writer_view(&sealed), &plain));
    assert_true(view_equal(writer_view(&plain), VIEW_TEXT("plain")));
    assert_false(archive_chunk_open(key, begin, 6, false, writer_view(&sealed), &plain));
    assert_false(archive_chunk_open(key, begin, 5, true, writer_view(&sealed), &plain));
    assert_false(archive_chunk_open(key, other, 5, false, writer_view(&sealed), &plain));
    assert_false(archive_chunk_open(other, begin, 5, false, writer_view(&sealed), &plain));
    sealed.data[0] ^= 1;
    assert_false(archive_chunk_open(key, begin, 5, false, writer_view(&sealed), &plain));
    writer_clear(&plain);
    writer_clear(&sealed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_is_these_bytes),
        cmocka_unit_test(a_header_that_is_cut_or_longer_does_not_read),
        cmocka_unit_test(nobody_or_more_than_there_are_cannot_be_needed),
        cmocka_unit_test(entries_read_as_they_were_written),
        cmocka_unit_test(a_chunk_opens_in_its_place_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
