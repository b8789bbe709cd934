/* SPDX-License-Identifier: Apache-2.0
 *
 * Users with another name, out of the officers' hands, and as blobs that make them again.
 */
#include "unit/core/core_test.h"

#define CALLS (CALL_SUBMIT | CALL_NUMBERS | CALL_ENTROPY | CALL_AUDIT)

/* ---- another name ---- */

static CK_RV
rename_user(struct app *app, const char *name, const char *to)
{
    const struct user_rename_request m = { view_str(name), view_str(to) };
    struct user_rename_reply answer;

    return app_send_user_rename(app, &m, &answer);
}

static void
an_officer_has_his_new_name_from_then_on(void **state)
{
    struct fixture *f = *state;

    assert_code(rename_user(&f->officer, OFFICER_NAME, USER1_NAME), CODE_USER_EXISTS);
    assert_code(rename_user(&f->officer, OFFICER_NAME, "x y"), CKR_ARGUMENTS_BAD);
    assert_code(rename_user(&f->officer, USER1_NAME, "boss"), CODE_USER_UNKNOWN);
    assert_ok(app_make_user(&f->officer, ROLE_CO, "second", "secondpassword"));
    assert_code(rename_user(&f->officer, "second", "boss"), CKR_ACTION_PROHIBITED);
    assert_ok(rename_user(&f->officer, OFFICER_NAME, "boss"));

    assert_true(outside_audit_has(&f->hsm.outside, "name=admin to=boss"));
    assert_code(app_login(&f->nobody, ROLE_CO, OFFICER_NAME, OFFICER_PASSWORD), CKR_PIN_INCORRECT);
    hsm_fixture_reopen(&f->hsm);
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));
    assert_ok(app_login(&f->nobody, ROLE_CO, "boss", OFFICER_PASSWORD));
}

/* ---- out of the officers' hands ---- */

static CK_RV
close_user(struct app *app, uint32_t role, const char *name)
{
    const struct user_close_request m = { role, view_str(name) };
    struct user_close_reply answer;

    return app_send_user_close(app, &m, &answer);
}

static CK_RV
unlock_user(struct app *app, const char *name)
{
    const struct user_unlock_request m = { ROLE_CU, view_str(name) };
    struct user_unlock_reply answer;

    return app_send_user_unlock(app, &m, &answer);
}

static CK_RV
give_key(struct app *app, uint32_t key, uint32_t user)
{
    const struct key_owner_request m = { key, user };
    struct key_owner_reply answer;

    return app_send_key_owner(app, &m, &answer);
}

static void
no_officer_acts_for_who_closed_his_access(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    f->cu1.port = PORTS_manage;
    assert_code(close_user(&f->officer, ROLE_CU, USER1_NAME), CKR_ACTION_PROHIBITED);
    assert_code(close_user(&f->officer, ROLE_CO, OFFICER_NAME), CKR_USER_TYPE_INVALID);
    assert_code(close_user(&f->cu1, ROLE_CU, USER2_NAME), CKR_ACTION_PROHIBITED);
    assert_ok(unlock_user(&f->officer, USER1_NAME));
    assert_ok(close_user(&f->cu1, ROLE_CU, USER1_NAME));

    for (int i = 0; i < 2; i++) { /* before and after a restart */
        assert_code(unlock_user(&f->officer, USER1_NAME), CKR_ACTION_PROHIBITED);
        assert_code(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "password9"),
                    CKR_ACTION_PROHIBITED);
        assert_code(give_key(&f->officer, key, USER2), CKR_ACTION_PROHIBITED);
        hsm_fixture_reopen(&f->hsm);
        assert_ok(app_attach(&f->officer));
        assert_ok(app_attach(&f->cu1));
    }
    assert_ok(app_set_password(&f->cu1, ROLE_CU, USER1_NAME, "password9"));
    assert_code(unlock_user(&f->officer, USER1_NAME), CKR_ACTION_PROHIBITED);
    assert_ok(unlock_user(&f->officer, USER2_NAME));
}

/* ---- blobs ---- */

static CK_RV
mask_user(struct app *app, const char *name, uint8_t room[512], view *ret_blob)
{
    const struct user_mask_request m = { ROLE_CU, view_str(name) };
    struct user_mask_reply answer;
    CK_RV rv = app_send_user_mask(app, &m, &answer);

    if (rv == CKR_OK) {
        assert_true(answer.masked.len <= 512);
        memcpy(room, answer.masked.data, answer.masked.len);
        *ret_blob = view_of(room, answer.masked.len);
    }
    return rv;
}

static CK_RV
unmask_user(struct app *app, view blob)
{
    const struct user_unmask_request m = { blob };
    struct user_unmask_reply answer;
    CK_RV rv = app_send_user_unmask(app, &m, &answer);

    if (rv == CKR_OK) {
        assert_int_equal(answer.user, USER2);
    }
    return rv;
}

static void
a_deletion_is_taken_back(void **state)
{
    struct fixture *f = *state;
    uint8_t room[512];
    view blob;

    assert_code(mask_user(&f->officer, "nobody", room, &blob), CODE_USER_UNKNOWN);
    assert_ok(mask_user(&f->officer, USER2_NAME, room, &blob));
    assert_code(unmask_user(&f->officer, blob), CODE_USER_EXISTS);
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
    assert_ok(unmask_user(&f->officer, blob));

    assert_code(unmask_user(&f->officer, blob), CODE_USER_EXISTS);
    /* He is logged in nowhere: tickets of before are of another record. */
    assert_code(app_logout(&f->cu2), CKR_USER_NOT_LOGGED_IN);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu2));
    assert_code(app_logout(&f->cu2), CKR_USER_NOT_LOGGED_IN);
    assert_ok(app_login(&f->cu2, ROLE_CU, USER2_NAME, USER2_PASSWORD));
}

/* As he was before he changed his password, or closed his access, nobody comes back later. */
static void
a_blob_is_good_for_minutes(void **state)
{
    struct fixture *f = *state;
    uint8_t room[512];
    view blob;

    assert_ok(mask_user(&f->officer, USER2_NAME, room, &blob));
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
    outside_move_clock(&f->hsm.outside, 10 * 60 * 1000);
    assert_code(unmask_user(&f->officer, blob), CKR_WRAPPED_KEY_INVALID);
}

static CK_RV
share_key(struct app *app, uint32_t key, uint32_t user, bool share)
{
    const struct key_share_request m = { .object = key, .user = user, .share = share };
    struct key_share_reply answer;

    return app_send_key_share(app, &m, &answer);
}

/* Whoever made him again would have what is shared with him. */
static void
who_closed_his_access_stays_while_keys_are_shared_with_him(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    f->cu1.port = PORTS_manage;
    f->cu2.port = PORTS_manage;
    assert_ok(share_key(&f->cu1, key, USER2, true));
    assert_ok(close_user(&f->cu2, ROLE_CU, USER2_NAME));

    assert_code(app_delete_user(&f->officer, ROLE_CU, USER2_NAME), CODE_USER_SHARED);
    assert_ok(share_key(&f->cu1, key, USER2, false));
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
}

static void
a_blob_that_was_altered_makes_nobody(void **state)
{
    struct fixture *f = *state;
    struct hsm_state before;
    uint8_t room[512];
    view blob;

    assert_ok(mask_user(&f->officer, USER2_NAME, room, &blob));
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
    before = hsm_fixture_state(&f->hsm);
    for (size_t i = 0; i < blob.len; i++) {
        room[i] ^= 1;
        assert_code(unmask_user(&f->officer, blob), CKR_WRAPPED_KEY_INVALID);
        room[i] ^= 1;
        assert_code(unmask_user(&f->officer, view_slice(blob, 0, i)), CKR_WRAPPED_KEY_INVALID);
    }
    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
    assert_ok(unmask_user(&f->officer, blob));
}

/* On a server that has not come so far yet numbers go on behind his. */
static void
the_number_is_not_given_again(void **state)
{
    struct fixture *f = *state;
    uint8_t room[512];
    view blob;
    uint64_t number = 0;

    assert_ok(mask_user(&f->officer, USER2_NAME, room, &blob));
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
    for (size_t i = 0; i < OUTSIDE_COUNTERS; i++) {
        if (strcmp(f->hsm.outside.counters[i].name, "user") == 0) {
            f->hsm.outside.counters[i].next = USER_FIRST_ID;
        }
    }
    assert_ok(unmask_user(&f->officer, blob));
    assert_true(f->hsm.outside.ports.store->next_numbers(f->hsm.outside.ports.store, "user", 1,
                                                         USER_FIRST_ID, &number));
    assert_true(number > USER2);
}

/* ---- the outside world fails ---- */

static void
each_succeeds_or_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t room[512];
    view blob;

    f->cu1.port = PORTS_manage;
    for (int act = 0; act < 3; act++) {
        struct hsm_state before;
        CK_RV rv;
        int n = 1;

        if (act == 2) {
            assert_ok(mask_user(&f->officer, USER2_NAME, room, &blob));
            assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
        }
        before = hsm_fixture_state(&f->hsm);
        for (;; n++) {
            outside_fail(&f->hsm.outside, CALLS, n);
            rv = act == 0   ? rename_user(&f->officer, OFFICER_NAME, "boss")
                 : act == 1 ? close_user(&f->cu1, ROLE_CU, USER1_NAME)
                            : unmask_user(&f->officer, blob);
            if (!outside_mend(&f->hsm.outside)) {
                break;
            }
            if (rv != CKR_DEVICE_ERROR && rv != CKR_FUNCTION_FAILED) {
                fail_msg("act %d, call %d: %s", act, n, return_name(rv));
            }
            assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
            assert_ok(act == 1 ? unlock_user(&f->officer, USER1_NAME) : CKR_OK);
            before = hsm_fixture_state(&f->hsm);
        }
        assert_ok(rv);
        assert_true(n > 3); /* audit, entropy, store */
        assert_false(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(an_officer_has_his_new_name_from_then_on),
        AZURE(no_officer_acts_for_who_closed_his_access),
        AZURE(a_deletion_is_taken_back),
        AZURE(a_blob_is_good_for_minutes),
        AZURE(who_closed_his_access_stays_while_keys_are_shared_with_him),
        AZURE(a_blob_that_was_altered_makes_nobody),
        AZURE(the_number_is_not_given_again),
        AZURE(each_succeeds_or_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
