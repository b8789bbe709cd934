/* SPDX-License-Identifier: Apache-2.0
 *
 * Searches: in order, page by page, by template, over token and session objects alike.
 */
#include "unit/core/core_test.h"

#define MANY 1300u

/* Handles that the template finds, as they come; the test fails when there are more than max. */
static size_t
find(struct app *app, view template, uint32_t page, uint32_t *handles, size_t max)
{
    size_t count = 0;

    assert_ok(app_find(app, template, page, handles, max, &count));
    assert_true(count <= max);
    return count;
}

/* Every third is a token object; labels and ids repeat. */
static void
make_many(struct app *app, uint32_t *handles)
{
    char label[16], id[16];

    for (unsigned i = 0; i < MANY; i++) {
        snprintf(label, sizeof label, "label %u", i % 10);
        snprintf(id, sizeof id, "id %u", i % 7);
        handles[i] = create(app, LIST(ULONG(CLASS, CKO_DATA), BOOL(PRIVATE, i % 2 == 0),
                                      BOOL(TOKEN, i % 3 == 0), VIEW(CKA_LABEL, view_str(label)),
                                      VIEW(CKA_APPLICATION, view_str(id))));
    }
}

static void
pages_of_any_size_give_all_in_order(void **state)
{
    static const uint32_t pages[] = { 1, 7, 511, FIND_MAX };
    struct fixture *f = *state;
    static uint32_t made[MANY], handles[MANY];

    make_many(&f->cu1, made);
    for (size_t p = 0; p < ARRAY_COUNT(pages); p++) {
        assert_int_equal(find(&f->cu1, VIEW_EMPTY, pages[p], handles, MANY), MANY);
        for (size_t i = 0; i < MANY; i++) {
            assert_true(i == 0 || handles[i - 1] < handles[i]);
        }
        /* Rising, so each once; and as many as were made. */
        for (size_t i = 0; i < MANY; i++) {
            size_t at = 0;

            while (at < MANY && handles[at] != made[i]) {
                at++;
            }
            assert_true(at < MANY);
        }
    }
}

static void
a_template_finds_what_fits_in_all_of_it(void **state)
{
    struct fixture *f = *state;
    static uint32_t handles[MANY];
    size_t expected;

    make_many(&f->cu1, handles);

    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "label 3"))), MANY / 10);
    assert_int_equal(found(&f->cu1, LIST(TOKEN_YES)), (MANY + 2) / 3);
    expected = 0;
    for (unsigned i = 0; i < MANY; i++) {
        expected += i % 10 == 3 && i % 7 == 5;
    }
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "label 3"), BYTES(APPLICATION, "id 5"))),
                     expected);
    expected = 0;
    for (unsigned i = 0; i < MANY; i++) {
        expected += i % 10 == 3 && i % 2 == 0 && i % 3 == 0;
    }
    assert_int_equal(found(&f->cu1, LIST(BOOL(PRIVATE, true), TOKEN_YES,
                                         BYTES(LABEL, "label 3"))), expected);
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "label"))), 0);
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "label 3 "))), 0);
}

static void
pages_by_label_give_all_in_order(void **state)
{
    struct fixture *f = *state;
    uint32_t made[600], handles[600];

    for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
        made[i] = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES, BYTES(LABEL, "same")));
        create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES, BYTES(LABEL, "other")));
    }

    assert_int_equal(find(&f->cu1, LIST(BYTES(LABEL, "same")), FIND_MAX, handles, 600), 600);
    assert_memory_equal(handles, made, sizeof made);
    assert_int_equal(find(&f->cu1, LIST(BYTES(LABEL, "same")), 17, handles, 600), 600);
    assert_memory_equal(handles, made, sizeof made);
}

static void
keys_are_found_by_label_by_id_and_by_both(void **state)
{
    struct fixture *f = *state;
    uint32_t handles[4];
    uint32_t a1 = create(&f->cu1, LIST(AES_CREATE, BYTES(LABEL, "a"), BYTES(ID, "1")));
    uint32_t a2 = create(&f->cu1, LIST(AES_CREATE, BYTES(LABEL, "a"), BYTES(ID, "2")));
    uint32_t b1 = create(&f->cu1, LIST(AES_CREATE, BYTES(LABEL, "b"), BYTES(ID, "1")));

    assert_int_equal(find(&f->cu1, LIST(BYTES(LABEL, "a")), FIND_MAX, handles, 4), 2);
    assert_int_equal(handles[0], a1);
    assert_int_equal(handles[1], a2);
    assert_int_equal(find(&f->cu1, LIST(BYTES(ID, "1")), FIND_MAX, handles, 4), 2);
    assert_int_equal(handles[1], b1);
    assert_int_equal(find(&f->cu1, LIST(BYTES(ID, "1"), BYTES(LABEL, "a")), FIND_MAX, handles, 4),
                     1);
    assert_int_equal(handles[0], a1);
    assert_int_equal(found(&f->cu1, LIST(BYTES(ID, ""))), 0);
    assert_int_equal(found(&f->cu1, LIST(BYTES(ID, "1"), ULONG(CLASS, CKO_DATA))), 0);
}

static void
an_empty_label_finds_those_without_one(void **state)
{
    struct fixture *f = *state;

    create(&f->cu1, LIST(PUBLIC_DATA));
    create(&f->cu1, LIST(PUBLIC_DATA, BYTES(LABEL, "")));
    create(&f->cu1, LIST(PUBLIC_DATA, BYTES(LABEL, "a")));

    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, ""))), 2);
}

static void
what_is_found_comes_with_its_facts(void **state)
{
    struct fixture *f = *state;
    const struct find_request m = { LIST(ULONG(CLASS, CKO_SECRET_KEY)), 0, FIND_MAX };
    struct find_reply answer;
    struct key_info made = { 0 };
    struct key_info info;

    assert_ok(app_create(&f->cu1, LIST(AES_CREATE), &made));
    assert_ok(app_send_find(&f->cu1, &m, &answer));

    assert_int_equal(info_array_count(answer.found), 1);
    assert_false(answer.more);
    info = info_array_get(answer.found, 0);
    assert_memory_equal(&info, &made, sizeof info);
    assert_int_equal(info.bits, 256);
    assert_true(info.flags & KEY_FLAG_ENCRYPT);
}

static void
private_objects_of_others_are_passed_over(void **state)
{
    struct fixture *f = *state;
    static uint32_t handles[MANY];

    make_many(&f->cu1, handles);

    /* Session objects are cu1's alone; of the token objects every second is private. */
    assert_int_equal(app_count(&f->cu2), (MANY + 2) / 6);
    assert_int_equal(app_count(&f->nobody), (MANY + 2) / 6);
    assert_int_equal(found(&f->cu2, LIST(BOOL(PRIVATE, true))), 0);
}

static void
what_is_removed_between_pages_is_passed_over(void **state)
{
    struct fixture *f = *state;
    struct find_request m = { VIEW_EMPTY, 0, 2 };
    struct find_reply answer;
    uint32_t made[6];

    for (size_t i = 0; i < ARRAY_COUNT(made); i++) {
        made[i] = create(&f->cu1, LIST(PUBLIC_DATA));
    }
    assert_ok(app_send_find(&f->cu1, &m, &answer));
    assert_true(answer.more);
    assert_int_equal(info_array_get(answer.found, 1).handle, made[1]);
    assert_ok(app_destroy(&f->cu1, made[1]));
    assert_ok(app_destroy(&f->cu1, made[2]));

    m.after = made[1];
    m.max = FIND_MAX;
    assert_ok(app_send_find(&f->cu1, &m, &answer));

    assert_int_equal(info_array_count(answer.found), 3);
    assert_int_equal(info_array_get(answer.found, 0).handle, made[3]);
    assert_false(answer.more);
}

static void
the_last_page_says_that_it_is_the_last(void **state)
{
    struct fixture *f = *state;
    struct find_request m = { VIEW_EMPTY, 0, 3 };
    struct find_reply answer;

    for (unsigned i = 0; i < 3; i++) {
        create(&f->cu1, LIST(PUBLIC_DATA));
    }
    assert_ok(app_send_find(&f->cu1, &m, &answer));
    assert_int_equal(info_array_count(answer.found), 3);
    assert_false(answer.more);

    create(&f->cu1, LIST(PUBLIC_DATA));
    assert_ok(app_send_find(&f->cu1, &m, &answer));
    assert_int_equal(info_array_count(answer.found), 3);
    assert_true(answer.more);

    m.after = UINT32_MAX;
    assert_ok(app_send_find(&f->cu1, &m, &answer));
    assert_int_equal(info_array_count(answer.found), 0);
    assert_false(answer.more);
}

static void
a_page_is_of_1_to_512(void **state)
{
    struct fixture *f = *state;
    struct find_request m = { VIEW_EMPTY, 0, 0 };
    struct find_reply answer;

    assert_code(app_send_find(&f->cu1, &m, &answer), CODE_BAD_FRAME);
    m.max = FIND_MAX + 1;
    assert_code(app_send_find(&f->cu1, &m, &answer), CODE_BAD_FRAME);
    m.max = FIND_MAX;
    assert_ok(app_send_find(&f->cu1, &m, &answer));
}

static void
an_unknown_attribute_finds_nothing(void **state)
{
    struct fixture *f = *state;

    create(&f->cu1, LIST(PUBLIC_DATA));

    assert_int_equal(found(&f->cu1, LIST(VIEW(0x80001234, VIEW_EMPTY))), 0);
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, ""), VIEW(0x80001234, VIEW_EMPTY))), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(pages_of_any_size_give_all_in_order),
        AZURE(a_template_finds_what_fits_in_all_of_it),
        AZURE(pages_by_label_give_all_in_order),
        AZURE(keys_are_found_by_label_by_id_and_by_both),
        AZURE(an_empty_label_finds_those_without_one),
        AZURE(what_is_found_comes_with_its_facts),
        AZURE(private_objects_of_others_are_passed_over),
        AZURE(what_is_removed_between_pages_is_passed_over),
        AZURE(the_last_page_says_that_it_is_the_last),
        AZURE(a_page_is_of_1_to_512),
        AZURE(an_unknown_attribute_finds_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
