/* SPDX-License-Identifier: Apache-2.0
 *
 * Sealed records: what was sealed opens, and nothing else does.
 */
#include "unit/core/core_test.h"

#define NAME VIEW_TEXT("o/00040000")
#define PLAIN VIEW_TEXT("attributes and values")

struct sealed {
    struct outside outside;
    struct sealer sealer;
    struct writer bytes; /* PLAIN under NAME, part 1, version 7 */
};

static int
setup(void **state)
{
    struct sealed *s = calloc(1, sizeof *s);

    assert_non_null(s);
    outside_init(&s->outside);
    s->sealer.key = secret_dup(view_of(fixture_master_key, sizeof fixture_master_key));
    s->sealer.entropy = s->outside.ports.entropy;
    s->outside.ports.store->id(s->outside.ports.store, s->sealer.store_id);
    writer_init(&s->bytes, STORE_VALUE_MAX);
    assert_ok(record_seal(&s->sealer, NAME, 1, 7, PLAIN, &s->bytes));
    *state = s;
    return 0;
}

static int
teardown(void **state)
{
    struct sealed *s = *state;

    writer_clear(&s->bytes);
    secret_free(s->sealer.key);
    outside_clear(&s->outside);
    free(s);
    return 0;
}

/* The code; after a failure, that nothing came out. */
static CK_RV
open_as(const struct sealer *sealer, view name, unsigned part, view sealed)
{
    struct writer out;
    uint64_t version = 99;
    CK_RV rv;

    writer_init(&out, STORE_VALUE_MAX);
    write_u8(&out, 'x');
    rv = record_open(sealer, name, part, sealed, &version, &out);
    if (rv != CKR_OK) {
        assert_int_equal(out.len, 1);
        assert_int_equal(version, 99);
    }
    writer_clear(&out);
    return rv;
}

static void
what_was_sealed_opens_with_its_version(void **state)
{
    struct sealed *s = *state;
    struct writer out;
    uint64_t version = 0;

    writer_init(&out, STORE_VALUE_MAX);
    assert_ok(record_open(&s->sealer, NAME, 1, writer_view(&s->bytes), &version, &out));

    assert_view_equal(writer_view(&out), PLAIN);
    assert_int_equal(version, 7);
    assert_int_equal(s->bytes.len, PLAIN.len + RECORD_OVERHEAD);
    writer_clear(&out);
}

static void
nothing_at_all_can_be_sealed_too(void **state)
{
    struct sealed *s = *state;

    writer_reset(&s->bytes);
    assert_ok(record_seal(&s->sealer, NAME, 1, 7, VIEW_EMPTY, &s->bytes));

    assert_int_equal(s->bytes.len, RECORD_OVERHEAD);
    assert_ok(open_as(&s->sealer, NAME, 1, writer_view(&s->bytes)));
}

static void
the_plaintext_is_not_in_the_record(void **state)
{
    struct sealed *s = *state;

    assert_null(memmem(s->bytes.data, s->bytes.len, PLAIN.data, 4));
}

static void
two_seals_of_the_same_have_nothing_in_common_but_the_header(void **state)
{
    struct sealed *s = *state;
    struct writer other;

    writer_init(&other, STORE_VALUE_MAX);
    assert_ok(record_seal(&s->sealer, NAME, 1, 7, PLAIN, &other));

    assert_int_equal(other.len, s->bytes.len);
    assert_memory_equal(other.data, s->bytes.data, 9);
    assert_memory_not_equal(other.data + 9, s->bytes.data + 9, 12);
    assert_memory_not_equal(other.data + 21, s->bytes.data + 21, PLAIN.len);
    writer_clear(&other);
}

static void
spoiled_in_any_bit_it_does_not_open(void **state)
{
    struct sealed *s = *state;

    for (size_t bit = 0; bit < 8 * s->bytes.len; bit++) {
        s->bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_code(open_as(&s->sealer, NAME, 1, writer_view(&s->bytes)), CKR_GENERAL_ERROR);
        s->bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
cut_or_extended_it_does_not_open(void **state)
{
    struct sealed *s = *state;

    for (size_t len = 0; len < s->bytes.len; len++) {
        assert_code(open_as(&s->sealer, NAME, 1, view_of(s->bytes.data, len)),
                    CKR_GENERAL_ERROR);
    }
    write_u8(&s->bytes, 0);
    assert_code(open_as(&s->sealer, NAME, 1, writer_view(&s->bytes)), CKR_GENERAL_ERROR);
}

static void
it_does_not_open_under_another_name_or_part(void **state)
{
    struct sealed *s = *state;
    view sealed = writer_view(&s->bytes);

    assert_code(open_as(&s->sealer, VIEW_TEXT("o/00040001"), 1, sealed), CKR_GENERAL_ERROR);
    assert_code(open_as(&s->sealer, VIEW_TEXT("o/0004000"), 1, sealed), CKR_GENERAL_ERROR);
    assert_code(open_as(&s->sealer, VIEW_EMPTY, 1, sealed), CKR_GENERAL_ERROR);
    assert_code(open_as(&s->sealer, NAME, 0, sealed), CKR_GENERAL_ERROR);
}

static void
it_does_not_open_in_another_store_or_with_another_key(void **state)
{
    struct sealed *s = *state;
    struct sealer other = s->sealer;

    other.store_id[15] ^= 1;
    assert_code(open_as(&other, NAME, 1, writer_view(&s->bytes)), CKR_GENERAL_ERROR);

    other = s->sealer;
    other.key = secret_dup(VIEW_TEXT("another key of thirty-two bytes."));
    assert_code(open_as(&other, NAME, 1, writer_view(&s->bytes)), CKR_GENERAL_ERROR);
    secret_free(other.key);
}

static void
without_entropy_nothing_is_sealed(void **state)
{
    struct sealed *s = *state;
    size_t len = s->bytes.len;

    outside_fail(&s->outside, CALL_ENTROPY, 1);

    assert_code(record_seal(&s->sealer, NAME, 1, 7, PLAIN, &s->bytes), CKR_FUNCTION_FAILED);
    assert_int_equal(s->bytes.len, len);
}

static void
a_full_writer_is_short_memory(void **state)
{
    struct sealed *s = *state;
    uint8_t room[PLAIN.len + RECORD_OVERHEAD];

    for (size_t size = 0; size < sizeof room; size++) {
        struct writer w;

        writer_init_fixed(&w, room, size);
        assert_int_not_equal(record_seal(&s->sealer, NAME, 1, 7, PLAIN, &w), CKR_OK);
    }
}

static void
names_are_a_letter_and_eight_digits(void **state)
{
    struct record_name name = record_name('o', 0xa000);

    UNUSED(state);
    assert_string_equal(name.text, "o/0000a000");
    assert_int_equal(record_name_view(&name).len, RECORD_NAME_LEN);
    name = record_name('u', 0xffffffff);
    assert_string_equal(name.text, "u/ffffffff");
}

#define SEALED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        SEALED(what_was_sealed_opens_with_its_version),
        SEALED(nothing_at_all_can_be_sealed_too),
        SEALED(the_plaintext_is_not_in_the_record),
        SEALED(two_seals_of_the_same_have_nothing_in_common_but_the_header),
        SEALED(spoiled_in_any_bit_it_does_not_open),
        SEALED(cut_or_extended_it_does_not_open),
        SEALED(it_does_not_open_under_another_name_or_part),
        SEALED(it_does_not_open_in_another_store_or_with_another_key),
        SEALED(without_entropy_nothing_is_sealed),
        SEALED(a_full_writer_is_short_memory),
        cmocka_unit_test(names_are_a_letter_and_eight_digits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
