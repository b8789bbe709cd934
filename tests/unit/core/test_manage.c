/* SPDX-License-Identifier: Apache-2.0
 *
 * Users as an officer manages them: made, listed, given a new password, deleted.
 */
#include "unit/core/core_test.h"

#define NEW_NAME "new_user"
#define NEW_PASSWORD "password"

static size_t
users(struct fixture *f)
{
    struct hsm_counts counts;

    hsm_count(f->hsm.hsm, &counts);
    return counts.users;
}

/* ---- list ---- */

static void
the_list_names_every_user_with_role_and_number(void **state)
{
    static const struct {
        uint32_t id;
        uint32_t role;
        const char *name;
    } expected[] = {
        { OFFICER_USER, ROLE_CO, OFFICER_NAME },
        { SERVICE_USER, ROLE_AU, "app_user" },
        { USER1, ROLE_CU, USER1_NAME },
        { USER2, ROLE_CU, USER2_NAME },
    };
    struct fixture *f = *state;
    struct user_list_reply answer;
    struct user_info user;

    const struct user_list_request all = { 0, 0 };

    assert_ok(app_send_user_list(&f->nobody, &all, &answer));

    struct reader r = reader_of(answer.users.bytes);

    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        assert_true(user_array_next(&r, &user));
        assert_int_equal(user.id, expected[i].id);
        assert_int_equal(user.role, expected[i].role);
        assert_view_equal(user.name, view_str(expected[i].name));
        assert_int_equal(user.failures, 0);
    }
    assert_false(user_array_next(&r, &user));
}

/* ---- create ---- */

static void
a_new_user_can_log_in_before_and_after_a_restart(void **state)
{
    struct fixture *f = *state;
    const struct user_create_request m = { ROLE_CU, VIEW_TEXT(NEW_NAME),
                                           VIEW_TEXT(NEW_PASSWORD) };
    struct user_create_reply answer;

    assert_ok(app_send_user_create(&f->officer, &m, &answer));

    assert_int_equal(answer.user, USER2 + 1);
    assert_ok(app_login(&f->nobody, ROLE_CU, NEW_NAME, NEW_PASSWORD));
    hsm_fixture_reopen(&f->hsm);
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));
    assert_ok(app_login(&f->nobody, ROLE_CU, NEW_NAME, NEW_PASSWORD));
}

static void
a_name_is_taken_whatever_the_role(void **state)
{
    struct fixture *f = *state;

    assert_code(app_make_user(&f->officer, ROLE_CU, USER1_NAME, NEW_PASSWORD), CODE_USER_EXISTS);
    assert_code(app_make_user(&f->officer, ROLE_CO, USER1_NAME, NEW_PASSWORD), CODE_USER_EXISTS);
    assert_code(app_make_user(&f->officer, ROLE_CU, "app_user", NEW_PASSWORD), CODE_USER_EXISTS);
    assert_int_equal(users(f), 4);
}

static void
only_roles_that_can_be_made_are(void **state)
{
    static const uint32_t refused[] = { ROLE_NONE, ROLE_PRECO, 3, 4, 7, UINT32_MAX };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        assert_code(app_make_user(&f->officer, refused[i], NEW_NAME, NEW_PASSWORD),
                    CKR_USER_TYPE_INVALID);
    }
    assert_ok(app_make_user(&f->officer, ROLE_CO, "co2", NEW_PASSWORD));
    assert_ok(app_make_user(&f->officer, ROLE_AU, "au2", NEW_PASSWORD));
}

static void
bad_names_and_passwords_are_refused_at_once(void **state)
{
    struct fixture *f = *state;

    assert_code(app_make_user(&f->officer, ROLE_CU, "", NEW_PASSWORD), CKR_ARGUMENTS_BAD);
    assert_code(app_make_user(&f->officer, ROLE_CU, "a:b", NEW_PASSWORD), CKR_ARGUMENTS_BAD);
    assert_code(app_make_user(&f->officer, ROLE_CU, NEW_NAME, "1234567"), CKR_PIN_LEN_RANGE);
    assert_code(app_make_user(&f->officer, ROLE_CU, NEW_NAME,
                              "123456789012345678901234567890123"), CKR_PIN_LEN_RANGE);
    assert_int_equal(f->officer.place_count, 0);
    assert_int_equal(users(f), 4);
}

static void
a_second_officer_is_an_officer(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_make_user(&f->officer, ROLE_CO, "co2", NEW_PASSWORD));
    f->nobody.port = PORTS_manage;
    assert_ok(app_login(&f->nobody, ROLE_CO, "co2", NEW_PASSWORD));

    assert_ok(app_make_user(&f->nobody, ROLE_CU, NEW_NAME, NEW_PASSWORD));
}

static void
numbers_of_users_are_never_given_again(void **state)
{
    struct fixture *f = *state;
    const struct user_create_request m = { ROLE_CU, VIEW_TEXT(NEW_NAME),
                                           VIEW_TEXT(NEW_PASSWORD) };
    struct user_create_reply first, second;

    assert_ok(app_send_user_create(&f->officer, &m, &first));
    assert_ok(app_delete_user(&f->officer, ROLE_CU, NEW_NAME));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->officer));
    assert_ok(app_send_user_create(&f->officer, &m, &second));

    assert_true(second.user > first.user);
}

static void
the_password_is_not_in_store_or_audit(void **state)
{
    struct fixture *f = *state;
    struct writer record;

    assert_ok(app_make_user(&f->officer, ROLE_CU, NEW_NAME, "pass-phrase"));

    writer_init(&record, STORE_VALUE_MAX);
    assert_true(outside_record(&f->hsm.outside, "u/00000005", &record));
    assert_null(memmem(record.data, record.len, "pass-phrase", 11));
    assert_null(memmem(record.data, record.len, NEW_NAME, 8));
    assert_true(outside_audit_has(&f->hsm.outside, "USER_CREATE user=1 role=CO code=CKR_OK"));
    assert_true(outside_audit_has(&f->hsm.outside, "id=5 role=1 name=new_user"));
    assert_false(outside_audit_has(&f->hsm.outside, "pass-phrase"));
    writer_clear(&record);
}

/* ---- passwords ---- */

static void
users_change_their_own_password_only(void **state)
{
    struct fixture *f = *state;

    f->cu1.port = PORTS_manage;
    assert_ok(app_set_password(&f->cu1, ROLE_CU, USER1_NAME, "another1"));
    assert_code(app_set_password(&f->cu1, ROLE_CU, USER2_NAME, "another1"),
                CKR_ACTION_PROHIBITED);
    assert_code(app_set_password(&f->cu1, ROLE_CO, OFFICER_NAME, "another1"),
                CKR_ACTION_PROHIBITED);

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, "another1"));
    assert_ok(app_logout(&f->nobody));
    assert_ok(app_login(&f->nobody, ROLE_CU, USER2_NAME, USER2_PASSWORD));
}

static void
an_officer_changes_anyones_password(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another1"));
    assert_ok(app_set_password(&f->officer, ROLE_CO, OFFICER_NAME, "another2"));

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, "another1"));
    assert_ok(app_logout(&f->nobody));
    assert_ok(app_login(&f->nobody, ROLE_CO, OFFICER_NAME, "another2"));
}

static void
a_new_password_has_to_be_one(void **state)
{
    struct fixture *f = *state;

    assert_code(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "1234567"),
                CKR_PIN_LEN_RANGE);
    assert_code(app_set_password(&f->officer, ROLE_CU, "unknown", NEW_PASSWORD),
                CODE_USER_UNKNOWN);
    assert_code(app_set_password(&f->officer, ROLE_CO, USER1_NAME, NEW_PASSWORD),
                CODE_USER_UNKNOWN);

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
}

static void
a_new_password_outlives_a_restart(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another1"));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->nobody));

    assert_code(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, "another1"));
}

/* The lock is open in the moment in which the password is new, or both are as before. */
static void
a_failed_change_neither_unlocks_nor_changes(void **state)
{
    struct fixture *f = *state;
    int n = 1;
    CK_RV rv;

    for (unsigned i = 0; i < USER_FAILURES_MAX; i++) {
        assert_code(app_login(&f->nobody, ROLE_CU, USER1_NAME, "wrong one"), CKR_PIN_INCORRECT);
    }
    for (;; n++) {
        outside_fail(&f->hsm.outside, CALL_ANY, n);
        rv = app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another1");
        if (!outside_mend(&f->hsm.outside)) {
            break;
        }
        assert_int_not_equal(rv, CKR_OK);
        assert_int_equal(app_failures(&f->nobody, USER1_NAME), USER_FAILURES_MAX);
    }

    assert_ok(rv);
    assert_true(n > 3);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, "another1"));
}

/* ---- delete ---- */

static void
a_deleted_user_is_gone_for_good(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER1_NAME));

    assert_int_equal(users(f), 3);
    assert_code(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_code(app_delete_user(&f->officer, ROLE_CU, USER1_NAME), CODE_USER_UNKNOWN);
    hsm_fixture_reopen(&f->hsm);
    assert_int_equal(users(f), 3);
}

static void
the_failures_of_a_deleted_user_go_too(void **state)
{
    struct fixture *f = *state;

    assert_code(app_login(&f->nobody, ROLE_CU, USER1_NAME, "wrong one"), CKR_PIN_INCORRECT);
    assert_int_equal(outside_count(&f->hsm.outside, "f/"), 1);
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER1_NAME));

    assert_int_equal(outside_count(&f->hsm.outside, "f/"), 0);
}

static void
nobody_deletes_himself_or_the_service(void **state)
{
    struct fixture *f = *state;

    assert_code(app_delete_user(&f->officer, ROLE_CO, OFFICER_NAME), CKR_ACTION_PROHIBITED);
    assert_code(app_delete_user(&f->officer, ROLE_AU, "app_user"), CKR_ACTION_PROHIBITED);
    assert_int_equal(users(f), 4);
}

static void
who_owns_objects_stays(void **state)
{
    struct fixture *f = *state;
    uint32_t object = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));

    assert_code(app_delete_user(&f->officer, ROLE_CU, USER1_NAME), CODE_USER_OWNS_KEYS);
    assert_ok(app_destroy(&f->cu1, object));

    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER1_NAME));
}

static void
a_deleted_user_is_logged_out_everywhere(void **state)
{
    struct fixture *f = *state;
    uint32_t object = create(&f->cu1, LIST(PRIVATE_DATA));
    view random;

    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER1_NAME));

    assert_code(app_call(&f->cu1, OPERATION_RANDOM, VIEW_TEXT("\x01\0\0\0"), &random),
                CKR_USER_NOT_LOGGED_IN);
    assert_false(app_finds(&f->cu1, object));
    assert_code(app_logout(&f->cu1), CKR_USER_NOT_LOGGED_IN);
    assert_ok(app_call(&f->cu2, OPERATION_RANDOM, VIEW_TEXT("\x01\0\0\0"), &random));
}

static void
azure_sets_passwords_by_the_tools_alone(void **state)
{
    struct fixture *f = *state;
    const struct pin_set_request set = { VIEW_EMPTY, VIEW_TEXT(USER1_PASSWORD),
                                         VIEW_TEXT("new password") };
    const struct pin_init_request init = { VIEW_TEXT(USER1_NAME), VIEW_TEXT("new password") };
    struct pin_set_reply set_answer;
    struct pin_init_reply init_answer;

    assert_code(app_send_pin_set(&f->cu1, &set, &set_answer), CKR_FUNCTION_NOT_SUPPORTED);
    f->officer.port = PORTS_client;
    assert_code(app_send_pin_init(&f->officer, &init, &init_answer), CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(azure_sets_passwords_by_the_tools_alone),
        AZURE(the_list_names_every_user_with_role_and_number),
        AZURE(a_new_user_can_log_in_before_and_after_a_restart),
        AZURE(a_name_is_taken_whatever_the_role),
        AZURE(only_roles_that_can_be_made_are),
        AZURE(bad_names_and_passwords_are_refused_at_once),
        AZURE(a_second_officer_is_an_officer),
        AZURE(numbers_of_users_are_never_given_again),
        AZURE(the_password_is_not_in_store_or_audit),
        AZURE(users_change_their_own_password_only),
        AZURE(an_officer_changes_anyones_password),
        AZURE(a_new_password_has_to_be_one),
        AZURE(a_new_password_outlives_a_restart),
        AZURE(a_failed_change_neither_unlocks_nor_changes),
        AZURE(a_deleted_user_is_gone_for_good),
        AZURE(the_failures_of_a_deleted_user_go_too),
        AZURE(nobody_deletes_himself_or_the_service),
        AZURE(who_owns_objects_stays),
        AZURE(a_deleted_user_is_logged_out_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
