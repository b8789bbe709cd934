/* SPDX-License-Identifier: Apache-2.0
 *
 * Conversion between the application's templates and the HSM's lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "p11/template.h"

static CK_RV
take(const CK_ATTRIBUTE *attributes, CK_ULONG count, struct writer *w)
{
    writer_init(w, ATTRIBUTES_BYTES_MAX);
    return template_take(attributes, count, w);
}

static void
numbers_have_eight_bytes_in_lists(void **state)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BBOOL token = CK_TRUE;
    CK_ATTRIBUTE attributes[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_TOKEN, &token, sizeof token },
        { CKA_LABEL, (void *)(uintptr_t)"key", 3 },
        { CKA_ID, NULL, 0 },
    };
    struct writer w;
    uint64_t number;
    view value;

    UNUSED(state);
    assert_int_equal(take(attributes, ARRAY_COUNT(attributes), &w), CKR_OK);

    assert_true(attributes_valid(writer_view(&w)));
    assert_int_equal(attributes_count(writer_view(&w)), 4);
    assert_true(attributes_ulong(writer_view(&w), CKA_CLASS, &number));
    assert_int_equal(number, CKO_SECRET_KEY);
    assert_true(template_is_token(writer_view(&w)));
    assert_true(attributes_find(writer_view(&w), CKA_LABEL, &value));
    assert_true(view_equal(value, VIEW_TEXT("key")));
    assert_true(attributes_find(writer_view(&w), CKA_ID, &value));
    assert_int_equal(value.len, 0);
    writer_clear(&w);
}

static void
nested_templates_become_nested_lists(void **state)
{
    CK_KEY_TYPE type = CKK_AES;
    CK_MECHANISM_TYPE allowed[] = { CKM_AES_CBC, CKM_AES_GCM };
    CK_ATTRIBUTE inner[] = {
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_LABEL, (void *)(uintptr_t)"x", 1 },
    };
    CK_ATTRIBUTE attributes[] = {
        { CKA_UNWRAP_TEMPLATE, inner, sizeof inner },
        { CKA_ALLOWED_MECHANISMS, allowed, sizeof allowed },
    };
    struct writer w;
    uint64_t number;
    view value;

    UNUSED(state);
    assert_int_equal(take(attributes, ARRAY_COUNT(attributes), &w), CKR_OK);

    assert_true(attributes_valid(writer_view(&w)));
    assert_true(attributes_find(writer_view(&w), CKA_UNWRAP_TEMPLATE, &value));
    assert_int_equal(attributes_count(value), 2);
    assert_true(attributes_ulong(value, CKA_KEY_TYPE, &number));
    assert_int_equal(number, CKK_AES);
    assert_true(attributes_find(writer_view(&w), CKA_ALLOWED_MECHANISMS, &value));
    assert_int_equal(value.len, 16);
    assert_int_equal(load_u64(value.data + 8), CKM_AES_GCM);
    writer_clear(&w);
}

static void
a_value_may_lie_at_an_odd_address(void **state)
{
    uint8_t room[sizeof(CK_ULONG) + 1];
    CK_ULONG value = CKO_DATA;
    CK_ATTRIBUTE attribute = { CKA_CLASS, room + 1, sizeof value };
    struct writer w;
    uint64_t number;

    UNUSED(state);
    memcpy(room + 1, &value, sizeof value);
    assert_int_equal(take(&attribute, 1, &w), CKR_OK);

    assert_true(attributes_ulong(writer_view(&w), CKA_CLASS, &number));
    assert_int_equal(number, CKO_DATA);
    writer_clear(&w);
}

static void
what_no_list_can_hold_is_refused(void **state)
{
    CK_ULONG number = 1;
    CK_ATTRIBUTE deep3 = { CKA_LABEL, NULL, 0 };
    CK_ATTRIBUTE deep2 = { CKA_WRAP_TEMPLATE, &deep3, sizeof deep3 };
    CK_ATTRIBUTE deep1 = { CKA_WRAP_TEMPLATE, &deep2, sizeof deep2 };
    const struct {
        CK_ATTRIBUTE attribute;
        CK_RV code;
    } rows[] = {
        { { CKA_CLASS, &number, 4 }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_CLASS, NULL, 0 }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_CLASS, NULL, sizeof number }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_TOKEN, &number, sizeof number }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_LABEL, NULL, 3 }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_LABEL, &number, CK_UNAVAILABLE_INFORMATION }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_LABEL, &number, ATTRIBUTES_BYTES_MAX }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_ALLOWED_MECHANISMS, &number, 3 }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { CKA_WRAP_TEMPLATE, &number, 5 }, CKR_ATTRIBUTE_VALUE_INVALID },
        { { (CK_ATTRIBUTE_TYPE)1 << 40, &number, 1 }, CKR_ATTRIBUTE_TYPE_INVALID },
        { { CKA_WRAP_TEMPLATE, &deep1, sizeof deep1 }, CKR_ATTRIBUTE_VALUE_INVALID },
    };
    struct writer w;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_int_equal(take(&rows[i].attribute, 1, &w), rows[i].code);
        writer_clear(&w);
    }
    assert_int_equal(take(NULL, 1, &w), CKR_ARGUMENTS_BAD);
    writer_clear(&w);
    assert_int_equal(take(NULL, 0, &w), CKR_OK);
    writer_clear(&w);
}

/* PKCS #11 v3.1, 5.7.5, the five cases. */
static void
values_are_given_by_the_five_cases(void **state)
{
    struct attribute label = { .type = CKA_LABEL, .value = VIEW_TEXT("label") };
    struct attribute hidden = { .type = CKA_VALUE, .status = ATTRIBUTE_SENSITIVE };
    struct attribute none = { .type = CKA_VALUE, .status = ATTRIBUTE_UNKNOWN };
    char room[8] = "-------";
    CK_ATTRIBUTE to = { CKA_LABEL, room, sizeof room };

    UNUSED(state);
    assert_int_equal(template_give(&label, &to), CKR_OK);
    assert_int_equal(to.ulValueLen, 5);
    assert_memory_equal(room, "label--", 8);

    to = (CK_ATTRIBUTE){ CKA_LABEL, NULL, 0 };
    assert_int_equal(template_give(&label, &to), CKR_OK);
    assert_int_equal(to.ulValueLen, 5);

    to = (CK_ATTRIBUTE){ CKA_LABEL, room, 4 };
    assert_int_equal(template_give(&label, &to), CKR_BUFFER_TOO_SMALL);
    assert_true(to.ulValueLen == CK_UNAVAILABLE_INFORMATION);

    to = (CK_ATTRIBUTE){ CKA_VALUE, NULL, 0 };
    assert_int_equal(template_give(&hidden, &to), CKR_ATTRIBUTE_SENSITIVE);
    assert_true(to.ulValueLen == CK_UNAVAILABLE_INFORMATION);

    to = (CK_ATTRIBUTE){ CKA_VALUE, room, sizeof room };
    assert_int_equal(template_give(&none, &to), CKR_ATTRIBUTE_TYPE_INVALID);
    assert_true(to.ulValueLen == CK_UNAVAILABLE_INFORMATION);
}

static void
a_nested_list_fills_the_callers_attributes(void **state)
{
    CK_KEY_TYPE type = CKK_AES;
    CK_ATTRIBUTE stored[] = {
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_LABEL, (void *)(uintptr_t)"label", 5 },
    };
    struct attribute from = { .type = CKA_UNWRAP_TEMPLATE };
    CK_ATTRIBUTE inner[2] = { { 0, NULL, 0 }, { 0, NULL, 0 } };
    CK_ATTRIBUTE to = { CKA_UNWRAP_TEMPLATE, NULL, 0 };
    CK_ULONG number = 0;
    char room[5];
    struct writer w;

    UNUSED(state);
    assert_int_equal(take(stored, 2, &w), CKR_OK);
    from.value = writer_view(&w);

    assert_int_equal(template_give(&from, &to), CKR_OK);
    assert_int_equal(to.ulValueLen, sizeof inner);

    to.pValue = inner;
    assert_int_equal(template_give(&from, &to), CKR_OK);
    assert_int_equal(inner[0].type, CKA_KEY_TYPE);
    assert_int_equal(inner[0].ulValueLen, sizeof(CK_ULONG));
    assert_int_equal(inner[1].type, CKA_LABEL);
    assert_int_equal(inner[1].ulValueLen, 5);

    inner[0].pValue = &number;
    inner[1].pValue = room;
    assert_int_equal(template_give(&from, &to), CKR_OK);
    assert_int_equal(number, CKK_AES);
    assert_memory_equal(room, "label", 5);

    inner[1].ulValueLen = 4;
    assert_int_equal(template_give(&from, &to), CKR_BUFFER_TOO_SMALL);
    assert_true(inner[1].ulValueLen == CK_UNAVAILABLE_INFORMATION);

    to.ulValueLen = sizeof inner[0];
    assert_int_equal(template_give(&from, &to), CKR_BUFFER_TOO_SMALL);
    assert_true(to.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    writer_clear(&w);
}

/* Found by fuzz_library: a daemon could have the library write to wherever the bytes of a buffer
 * point, by saying that a label is a template. */
static void
only_the_application_says_where_pointers_are(void **state)
{
    static char wild[1] = { 'w' };
    CK_ATTRIBUTE label = { CKA_LABEL, (void *)(uintptr_t)"!", 1 };
    CK_ATTRIBUTE stored = { CKA_WRAP_TEMPLATE, &label, sizeof label };
    struct attribute from = { .type = CKA_UNWRAP_TEMPLATE };
    CK_ATTRIBUTE bytes = { CKA_LABEL, wild, sizeof wild };
    CK_ATTRIBUTE inner = { CKA_LABEL, &bytes, sizeof bytes };
    CK_ATTRIBUTE to = { CKA_UNWRAP_TEMPLATE, &inner, sizeof inner };
    struct writer w;

    UNUSED(state);
    assert_int_equal(take(&stored, 1, &w), CKR_OK);
    from.value = writer_view(&w);

    assert_int_equal(template_give(&from, &to), CKR_ATTRIBUTE_TYPE_INVALID);

    assert_int_equal(wild[0], 'w');
    assert_int_equal(inner.type, CKA_WRAP_TEMPLATE);
    assert_true(inner.ulValueLen == CK_UNAVAILABLE_INFORMATION);
    writer_clear(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_have_eight_bytes_in_lists),
        cmocka_unit_test(nested_templates_become_nested_lists),
        cmocka_unit_test(a_value_may_lie_at_an_odd_address),
        cmocka_unit_test(what_no_list_can_hold_is_refused),
        cmocka_unit_test(values_are_given_by_the_five_cases),
        cmocka_unit_test(a_nested_list_fills_the_callers_attributes),
        cmocka_unit_test(only_the_application_says_where_pointers_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
