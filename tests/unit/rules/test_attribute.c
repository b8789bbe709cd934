/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of attributes as a table, and attribute lists at their limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "unit/rules/list.h"

static void
rows_are_sorted_and_found(void **state)
{
    size_t count;
    const struct attribute_row *rows = attribute_rows(&count);

    UNUSED(state);
    assert_true(count > 50);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(attribute_row(rows[i].type), &rows[i]);
        assert_true(i == 0 || rows[i - 1].type < rows[i].type);
        assert_memory_equal(rows[i].name, "CKA_", 4);
    }
}

static void
unknown_types_have_no_row(void **state)
{
    UNUSED(state);
    assert_null(attribute_row(5));
    assert_null(attribute_row(CKA_VENDOR_DEFINED));
    assert_null(attribute_row(~(CK_ATTRIBUTE_TYPE)0));
    assert_null(attribute_row((CK_ATTRIBUTE_TYPE)1 << 32 | CKA_TOKEN));
}

static void
flags_are_single_bits_used_once(void **state)
{
    size_t count;
    const struct attribute_row *rows = attribute_rows(&count);
    uint32_t seen = 0;

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        uint32_t flag = rows[i].flag;

        assert_int_equal(flag & (flag - 1), 0);
        assert_int_equal(seen & flag, 0);
        assert_true(flag == 0 || rows[i].form == FORM_BOOL || rows[i].form == FORM_MECHANISMS);
        seen |= flag;
    }
    assert_int_equal(seen, (1u << 23) - 1);
}

static void
a_list_has_the_form_that_the_wire_shows(void **state)
{
    static const uint8_t golden[] = {
        0x03, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 'k',  'e',  'y',
        0x08, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x01,
        0x00, 0x00, 0x00, 0x00, 0x08, 0x00, 0x00, 0x00, 0x04, 0, 0, 0, 0, 0, 0, 0,
    };
    view list = LIST(BYTES(LABEL, "key"), BOOL(SIGN, true), ULONG(CLASS, CKO_SECRET_KEY));

    UNUSED(state);
    assert_true(view_equal(list, view_of(golden, sizeof golden)));
    assert_true(attributes_valid(list));
    assert_int_equal(attributes_count(list), 3);
}

static void
values_are_found_by_type_and_form(void **state)
{
    view list = LIST(BYTES(LABEL, "first"), BOOL(SIGN, true), ULONG(CLASS, 4),
                     BYTES(LABEL, "second"), BYTES(ID, ""));
    view value;
    bool sign = false;
    uint64_t number = 0;

    UNUSED(state);
    assert_true(attributes_find(list, CKA_LABEL, &value));
    assert_true(view_equal(value, VIEW_TEXT("first")));
    assert_true(attributes_find(list, CKA_ID, &value));
    assert_int_equal(value.len, 0);
    assert_true(attributes_bool(list, CKA_SIGN, &sign) && sign);
    assert_true(attributes_ulong(list, CKA_CLASS, &number) && number == 4);
    assert_false(attributes_find(list, CKA_VALUE, &value));
    assert_false(attributes_bool(list, CKA_CLASS, &sign));
    assert_false(attributes_ulong(list, CKA_SIGN, &number));
    assert_false(attributes_find(VIEW_EMPTY, CKA_LABEL, &value));
}

static void
an_entry_without_a_value_is_not_found(void **state)
{
    uint8_t buffer[100];
    struct writer w;
    struct attribute attribute;
    view value;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    attribute_write_status(&w, CKA_VALUE, ATTRIBUTE_SENSITIVE);
    attribute_write_status(&w, CKA_URL, ATTRIBUTE_UNKNOWN);
    attribute_write(&w, CKA_ID, VIEW_EMPTY);

    struct reader r = reader_of(writer_view(&w));

    assert_int_equal(w.len, 24);
    assert_true(attributes_valid(writer_view(&w)));
    assert_false(attributes_find(writer_view(&w), CKA_VALUE, &value));
    assert_true(attributes_next(&r, &attribute));
    assert_int_equal(attribute.type, CKA_VALUE);
    assert_int_equal(attribute.status, ATTRIBUTE_SENSITIVE);
    assert_true(attributes_next(&r, &attribute));
    assert_int_equal(attribute.status, ATTRIBUTE_UNKNOWN);
    assert_true(attributes_next(&r, &attribute));
    assert_int_equal(attribute.status, ATTRIBUTE_PRESENT);
    assert_false(attributes_next(&r, &attribute));
    assert_true(reader_done(&r));
}

static void
every_truncation_of_a_list_is_refused(void **state)
{
    view list = LIST(BYTES(LABEL, "key"), BOOL(SIGN, true), ULONG(CLASS, 4));
    size_t whole = 0;

    UNUSED(state);
    for (size_t len = 0; len < list.len; len++) {
        uint8_t *copy = malloc(len + 1); /* its own allocation: reading past it shows */

        assert_non_null(copy);
        memcpy(copy, list.data, len);
        whole += attributes_valid(view_of(copy, len)) ? 1 : 0;
        free(copy);
    }
    assert_int_equal(whole, 3); /* empty, after the first and after the second attribute */
}

static void
a_value_longer_than_the_list_is_refused(void **state)
{
    static const uint8_t longer[] = { 3, 0, 0, 0, 4, 0, 0, 0, 'k', 'e', 'y' };
    static const uint8_t huge[] = { 3, 0, 0, 0, 0xfd, 0xff, 0xff, 0xff, 'k', 'e', 'y' };

    UNUSED(state);
    assert_false(attributes_valid(view_of(longer, sizeof longer)));
    assert_false(attributes_valid(view_of(huge, sizeof huge)));
}

static void
a_list_may_have_1024_attributes_and_no_more(void **state)
{
    struct writer w;

    UNUSED(state);
    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    for (size_t i = 0; i < ATTRIBUTES_MAX; i++) {
        attribute_write(&w, CKA_ID, VIEW_EMPTY);
    }
    assert_true(attributes_valid(writer_view(&w)));
    attribute_write(&w, CKA_ID, VIEW_EMPTY);
    assert_false(attributes_valid(writer_view(&w)));
    writer_clear(&w);
}

static void
a_list_may_have_128_kib_and_no_more(void **state)
{
    uint8_t *value = calloc(1, ATTRIBUTES_BYTES_MAX);
    struct writer w;

    UNUSED(state);
    assert_non_null(value);
    writer_init(&w, 2 * ATTRIBUTES_BYTES_MAX);
    attribute_write(&w, CKA_VALUE, view_of(value, ATTRIBUTES_BYTES_MAX - 8));
    assert_true(attributes_valid(writer_view(&w)));
    writer_reset(&w);
    attribute_write(&w, CKA_VALUE, view_of(value, ATTRIBUTES_BYTES_MAX - 7));
    assert_false(attributes_valid(writer_view(&w)));
    writer_clear(&w);
    free(value);
}

static void
templates_nest_twice_and_no_deeper(void **state)
{
    view flat = LIST(BOOL(SIGN, true));
    view once = LIST(VIEW(CKA_WRAP_TEMPLATE, flat));
    view twice = LIST(VIEW(CKA_WRAP_TEMPLATE, once));
    view thrice = LIST(VIEW(CKA_WRAP_TEMPLATE, twice));

    UNUSED(state);
    assert_true(attributes_valid(once));
    assert_true(attributes_valid(twice));
    assert_false(attributes_valid(thrice));
}

static void
a_nested_template_has_to_be_a_list_itself(void **state)
{
    UNUSED(state);
    assert_false(attributes_valid(LIST(BYTES(WRAP_TEMPLATE, "no list"))));
    assert_true(attributes_valid(LIST(BYTES(WRAP_TEMPLATE, ""))));
    assert_true(attributes_valid(LIST(BYTES(VALUE, "no list"))));
}

static void
what_a_list_cannot_hold_fails_the_writer(void **state)
{
    uint8_t buffer[64];
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, buffer, sizeof buffer);
    attribute_write(&w, (CK_ATTRIBUTE_TYPE)1 << 32, VIEW_EMPTY);
    assert_false(writer_ok(&w));
    assert_int_equal(w.len, 0);
    writer_reset(&w);
    attribute_write(&w, CKA_VALUE, view_of(buffer, (size_t)ATTRIBUTES_BYTES_MAX + 1));
    assert_false(writer_ok(&w));
    assert_int_equal(w.len, 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_found),
        cmocka_unit_test(unknown_types_have_no_row),
        cmocka_unit_test(flags_are_single_bits_used_once),
        cmocka_unit_test(a_list_has_the_form_that_the_wire_shows),
        cmocka_unit_test(values_are_found_by_type_and_form),
        cmocka_unit_test(an_entry_without_a_value_is_not_found),
        cmocka_unit_test(every_truncation_of_a_list_is_refused),
        cmocka_unit_test(a_value_longer_than_the_list_is_refused),
        cmocka_unit_test(a_list_may_have_1024_attributes_and_no_more),
        cmocka_unit_test(a_list_may_have_128_kib_and_no_more),
        cmocka_unit_test(templates_nest_twice_and_no_deeper),
        cmocka_unit_test(a_nested_template_has_to_be_a_list_itself),
        cmocka_unit_test(what_a_list_cannot_hold_fails_the_writer),
    };

    return cmocka_run_group_tests_name("attribute", tests, NULL, NULL);
}
