/* SPDX-License-Identifier: Apache-2.0
 *
 * Profile and mechanism objects: found by who asks for them, read, and nothing else.
 */
#include "unit/core/core_test.h"

/* The one object of that class and number, or 0. */
static uint32_t
find_one(struct app *app, uint64_t class, CK_ATTRIBUTE_TYPE type, uint64_t number)
{
    struct find_request m = { .max = FIND_MAX };
    struct find_reply reply;
    struct writer w;
    size_t count;
    uint32_t handle;

    writer_init(&w, 100);
    attribute_write_ulong(&w, CKA_CLASS, class);
    attribute_write_ulong(&w, type, number);
    m.template = writer_view(&w);
    assert_ok(app_send_find(app, &m, &reply));
    count = info_array_count(reply.found);
    assert_in_range(count, 0, 1);
    handle = count == 1 ? info_array_get(reply.found, 0).handle : 0;
    writer_clear(&w);
    return handle;
}

static uint32_t
mechanism(struct app *app, CK_MECHANISM_TYPE type)
{
    return find_one(app, CKO_MECHANISM, CKA_MECHANISM_TYPE, type);
}

static void
each_mechanism_of_the_policy_has_one(void **state)
{
    struct fixture *f = *state;
    const bool standard = f->hsm.policy == POLICY_STANDARD;

    assert_true(mechanism(&f->nobody, CKM_AES_GCM) != 0);
    assert_true(mechanism(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN) != 0);
    assert_true(mechanism(&f->cu1, CKM_SHA256) != 0);
    assert_true((mechanism(&f->cu1, CKM_AES_CMAC) != 0) == standard);
    assert_true(mechanism(&f->cu1, CKM_SKIPJACK_KEY_GEN) == 0);
    assert_true(find_one(&f->nobody, CKO_PROFILE, CKA_PROFILE_ID, CKP_BASELINE_PROVIDER) != 0);
    assert_true(find_one(&f->nobody, CKO_PROFILE, CKA_PROFILE_ID, CKP_EXTENDED_PROVIDER) != 0);
    assert_true(find_one(&f->nobody, CKO_PROFILE, CKA_PROFILE_ID, CKP_HKDF_TLS_TOKEN) == 0);
}

static void
they_say_what_they_are(void **state)
{
    struct fixture *f = *state;
    const uint32_t gcm = mechanism(&f->nobody, CKM_AES_GCM);

    assert_int_equal(get_ulong(&f->nobody, gcm, CKA_CLASS), CKO_MECHANISM);
    assert_int_equal(get_ulong(&f->nobody, gcm, CKA_MECHANISM_TYPE), CKM_AES_GCM);
    assert_true(get_bool(&f->nobody, gcm, CKA_TOKEN));
    assert_false(get_bool(&f->nobody, gcm, CKA_PRIVATE));
    assert_false(get_bool(&f->nobody, gcm, CKA_MODIFIABLE));
    assert_int_equal(get_status(&f->nobody, gcm, CKA_VALUE), ATTRIBUTE_UNKNOWN);
}

static void
who_lists_all_objects_does_not_see_them(void **state)
{
    struct fixture *f = *state;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(ULONG(VALUE_LEN, 32)));

    assert_int_equal(app_count(&f->cu1), 1);
    assert_true(app_finds(&f->cu1, key));
    assert_int_equal(found(&f->cu1, LIST(BOOL(MODIFIABLE, false))), 0);
}

static void
nothing_changes_them_and_nobody_makes_one(void **state)
{
    struct fixture *f = *state;
    const uint32_t gcm = mechanism(&f->cu1, CKM_AES_GCM);
    struct app *const apps[] = { &f->nobody, &f->cu1 };
    view out;

    for (size_t i = 0; i < ARRAY_COUNT(apps); i++) {
        assert_code(app_set(apps[i], gcm, LIST(BYTES(LABEL, "x"))), CKR_ACTION_PROHIBITED);
        assert_code(app_destroy(apps[i], gcm), CKR_ACTION_PROHIBITED);
    }
    assert_code(app_copy(&f->cu1, gcm, VIEW_EMPTY, NULL), CKR_ACTION_PROHIBITED);
    assert_code(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), gcm,
                            VIEW_TEXT("0123456789abcdef"), &out), CKR_KEY_HANDLE_INVALID);
    assert_code(app_create(&f->cu1, LIST(ULONG(CLASS, CKO_PROFILE)), NULL),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(app_create(&f->cu1, LIST(ULONG(CLASS, CKO_MECHANISM),
                                         ULONG(MECHANISM_TYPE, CKM_AES_GCM)), NULL),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(app_create(&f->cu1, LIST(ULONG(CLASS, CKO_MECHANISM),
                                         ULONG(KEY_TYPE, 0xfffffffe)), NULL),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(get_ulong(&f->nobody, gcm, CKA_MECHANISM_TYPE), CKM_AES_GCM);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(each_mechanism_of_the_policy_has_one),
        AZURE(each_mechanism_of_the_policy_has_one),
        FIPS(each_mechanism_of_the_policy_has_one),
        AZURE(they_say_what_they_are),
        STANDARD(they_say_what_they_are),
        AZURE(who_lists_all_objects_does_not_see_them),
        STANDARD(nothing_changes_them_and_nobody_makes_one),
        AZURE(nothing_changes_them_and_nobody_makes_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
