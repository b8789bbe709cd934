/* SPDX-License-Identifier: Apache-2.0
 *
 * Copies of objects: what they keep, what may differ, and who may make one.
 */
#include "unit/core/core_test.h"

#define OPEN_AES AES_CREATE, BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true)

static uint32_t
copy(struct app *app, uint32_t object, view template)
{
    struct key_info info = { 0 };

    assert_ok(app_copy(app, object, template, &info));
    return info.handle;
}

static CK_RV
copy_code(struct app *app, uint32_t object, view template)
{
    size_t before = app_count(app);
    CK_RV rv = app_copy(app, object, template, NULL);

    assert_int_equal(app_count(app), before + (rv == CKR_OK ? 1 : 0));
    return rv;
}

static void
a_copy_has_everything_but_number_and_id(void **state)
{
    static const CK_ATTRIBUTE_TYPE same[] = { CKA_LABEL, CKA_VALUE_LEN, CKA_CHECK_VALUE, CKA_LOCAL,
                                              CKA_KEY_GEN_MECHANISM, CKA_ALWAYS_SENSITIVE,
                                              CKA_NEVER_EXTRACTABLE, CKA_ENCRYPT, CKA_TOKEN };
    struct fixture *f = *state;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN,
                            LIST(AES_GENERATE, TOKEN_YES, BYTES(LABEL, "label"),
                                 BOOL(EXTRACTABLE, false)));
    uint32_t other = copy(&f->cu1, key, VIEW_EMPTY);
    uint8_t value[64];

    assert_int_not_equal(other, key);
    for (size_t i = 0; i < ARRAY_COUNT(same); i++) {
        view first = get(&f->cu1, key, same[i]);
        size_t len = first.len;

        assert_true(len <= sizeof value);
        memcpy(value, first.data, len);
        assert_view_equal(get(&f->cu1, other, same[i]), view_of(value, len));
    }
    view id = get(&f->cu1, key, CKA_UNIQUE_ID);
    size_t len = id.len;

    assert_true(len <= sizeof value);
    memcpy(value, id.data, len);
    assert_false(view_equal(get(&f->cu1, other, CKA_UNIQUE_ID), view_of(value, len)));
}

static void
a_copy_is_the_same_key_and_lives_alone(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    uint32_t other = copy(&f->cu1, key, VIEW_EMPTY);
    view plain = VIEW_TEXT("0123456789abcdef");
    view out;
    uint8_t cipher[16];

    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key, plain, &out));
    memcpy(cipher, out.data, sizeof cipher);
    assert_ok(app_destroy(&f->cu1, key));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));

    assert_ok(app_decrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), other,
                          view_of(cipher, sizeof cipher), &out));
    assert_view_equal(out, plain);
}

static void
azure_copies_as_it_is_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE));

    assert_ok(copy_code(&f->cu1, key, VIEW_EMPTY));
    assert_code(copy_code(&f->cu1, key, LIST(BYTES(LABEL, "copy"))), CKR_TEMPLATE_INCONSISTENT);
}

static void
standard_copies_with_changes(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(OPEN_AES, BYTES(LABEL, "key")));
    uint32_t token = copy(&f->cu1, key, LIST(TOKEN_YES, BYTES(LABEL, "copy"),
                                             BOOL(SENSITIVE, true)));

    assert_true(token < HANDLE_SESSION_FIRST);
    assert_view_equal(get(&f->cu1, token, CKA_LABEL), VIEW_TEXT("copy"));
    assert_int_equal(get_status(&f->cu1, token, CKA_VALUE), ATTRIBUTE_SENSITIVE);
    assert_view_equal(get(&f->cu1, key, CKA_VALUE), VIEW_TEXT(AES_BYTES));
    assert_true(handle_is_session(copy(&f->cu1, token, LIST(BOOL(TOKEN, false)))));
}

static void
a_copy_gives_nothing_back_that_was_given_up(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, BOOL(SENSITIVE, true),
                                        BOOL(EXTRACTABLE, false)));

    assert_code(copy_code(&f->cu1, key, LIST(BOOL(SENSITIVE, false))), CKR_ATTRIBUTE_READ_ONLY);
    assert_code(copy_code(&f->cu1, key, LIST(BOOL(EXTRACTABLE, true))), CKR_ATTRIBUTE_READ_ONLY);
    assert_code(copy_code(&f->cu1, key, LIST(BYTES(VALUE, AES_BYTES))), CKR_ATTRIBUTE_READ_ONLY);
    assert_code(copy_code(&f->cu1, key, LIST(BOOL(LOCAL, true))), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(get_status(&f->cu1, copy(&f->cu1, key, VIEW_EMPTY), CKA_VALUE),
                     ATTRIBUTE_SENSITIVE);
}

static void
a_copy_is_as_private_as_its_source(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, BOOL(PRIVATE, true)));
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA));

    assert_code(copy_code(&f->cu1, key, LIST(BOOL(PRIVATE, false))), CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(copy_code(&f->cu1, key, LIST(BOOL(PRIVATE, true))));
    assert_ok(copy_code(&f->cu1, data, LIST(BOOL(PRIVATE, true))));
    assert_ok(copy_code(&f->cu1, data, LIST(BOOL(PRIVATE, false))));
}

static void
what_is_not_copyable_is_not_copied(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, BOOL(COPYABLE, false)));

    assert_code(copy_code(&f->cu1, key, VIEW_EMPTY), CKR_ACTION_PROHIBITED);
}

static void
a_copy_has_the_rights_of_a_new_object(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->nobody, LIST(PUBLIC_DATA));

    assert_code(copy_code(&f->nobody, data, LIST(BOOL(PRIVATE, true))), CKR_USER_NOT_LOGGED_IN);
    f->nobody.read_write = false;
    assert_code(copy_code(&f->nobody, data, LIST(TOKEN_YES)), CKR_SESSION_READ_ONLY);
    assert_ok(copy_code(&f->nobody, data, VIEW_EMPTY));
}

static void
a_copy_belongs_to_who_made_it(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));
    struct key_details_request m = { copy(&f->cu2, data, VIEW_EMPTY) };
    struct key_details_reply answer;

    assert_ok(app_send_key_details(&f->cu2, &m, &answer));
    assert_int_equal(answer.owner, USER2);
}

static void
a_session_copy_wants_a_free_number(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA));

    f->cu1.handle = data;
    assert_code(copy_code(&f->cu1, data, VIEW_EMPTY), CKR_ARGUMENTS_BAD);
    f->cu1.handle = 5;
    assert_code(copy_code(&f->cu1, data, VIEW_EMPTY), CKR_ARGUMENTS_BAD);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(a_copy_has_everything_but_number_and_id),
        AZURE(a_copy_is_the_same_key_and_lives_alone),
        AZURE(azure_copies_as_it_is_or_not_at_all),
        FIPS(azure_copies_as_it_is_or_not_at_all),
        STANDARD(standard_copies_with_changes),
        STANDARD(a_copy_gives_nothing_back_that_was_given_up),
        STANDARD(a_copy_is_as_private_as_its_source),
        STANDARD(what_is_not_copyable_is_not_copied),
        STANDARD(a_copy_has_the_rights_of_a_new_object),
        AZURE(a_copy_belongs_to_who_made_it),
        STANDARD(a_session_copy_wants_a_free_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
