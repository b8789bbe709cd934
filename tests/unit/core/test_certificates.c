/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates in the HSM's own store: their numbers, what may be changed, and how they leave the
 * store and come back (seed 002).
 */
#include "unit/core/core_test.h"

#define DAY_MS (24u * 3600u * 1000u)
#define CERTIFICATE                                                               \
    ULONG(CLASS, CKO_CERTIFICATE), ULONG(CERTIFICATE_TYPE, CKC_X_509), BYTES(SUBJECT, "s"), \
        BYTES(VALUE, "v")
#define FIRST HANDLE_CERTIFICATE_FIRST

static void
numbers_begin_with_the_first_and_go_on_after_a_restart(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES)), FIRST + i);
        if (i % 2 == 1) {
            hsm_fixture_reopen(&f->hsm);
            assert_ok(app_attach(&f->cu1));
        }
    }
}

static void
a_number_rests_for_a_day(void **state)
{
    struct fixture *f = *state;
    struct numbers *numbers = &f->hsm.hsm->certificates;
    uint32_t handle;

    handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));
    assert_ok(app_destroy(&f->cu1, handle));
    assert_int_equal(create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES)), FIRST + 1);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    numbers = &f->hsm.hsm->certificates;
    for (uint32_t other = FIRST + 1; other <= HANDLE_CERTIFICATE_LAST; other++) {
        numbers_load(numbers, other, 0);
    }

    assert_code(app_create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES), NULL), CKR_DEVICE_MEMORY);
    outside_move_clock(&f->hsm.outside, DAY_MS - 2000);
    assert_code(app_create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES), NULL), CKR_DEVICE_MEMORY);
    outside_move_clock(&f->hsm.outside, 4000);
    assert_ok(app_attach(&f->nobody));
    assert_int_equal(create(&f->nobody, LIST(CERTIFICATE, TOKEN_YES)), handle);
}

static void
a_rest_that_is_over_leaves_the_store(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_destroy(&f->cu1, create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES))));
    hsm_sweep(f->hsm.hsm, DAY_MS);
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 1);

    outside_move_clock(&f->hsm.outside, DAY_MS + 2000);
    hsm_sweep(f->hsm.hsm, DAY_MS);

    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 0);
}

/* Each attribute of the seed's table, to a value that it has not yet. */
static void
every_attribute_of_the_table_may_be_set(void **state)
{
    struct fixture *f = *state;
    const struct item changes[] = {
        ULONG(CLASS, CKO_CERTIFICATE),
        BOOL(PRIVATE, true),
        BYTES(LABEL, "label"),
        BOOL(COPYABLE, false),
        ULONG(CERTIFICATE_TYPE, CKC_X_509),
        BOOL(TRUSTED, false),
        ULONG(CERTIFICATE_CATEGORY, 2),
        BYTES(CHECK_VALUE, "abc"),
        BYTES(START_DATE, "20260101"),
        BYTES(END_DATE, "20270101"),
        BYTES(PUBLIC_KEY_INFO, "info"),
        BYTES(SUBJECT, "subject"),
        BYTES(ID, "id"),
        BYTES(ISSUER, "issuer"),
        BYTES(SERIAL_NUMBER, "serial"),
        BYTES(VALUE, "value"),
        BYTES(URL, "https://example.com/"),
        BYTES(HASH_OF_SUBJECT_PUBLIC_KEY, "one"),
        BYTES(HASH_OF_ISSUER_PUBLIC_KEY, "two"),
        ULONG(JAVA_MIDP_SECURITY_DOMAIN, 1),
        ULONG(NAME_HASH_ALGORITHM, CKM_SHA256),
        BOOL(DESTROYABLE, false),
        BOOL(TOKEN, false),
        BOOL(TOKEN, true),
        BOOL(MODIFIABLE, false),
    };
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));

    for (size_t i = 0; i < ARRAY_COUNT(changes); i++) {
        view change = list_of(&changes[i], 1);
        struct reader r = reader_of(change);
        struct attribute wanted;

        assert_ok(app_set(&f->cu1, handle, change));
        assert_true(attributes_next(&r, &wanted));
        assert_view_equal(get(&f->cu1, handle, wanted.type), wanted.value);
        assert_int_equal(found(&f->cu1, change), 1);
    }
    assert_code(app_set(&f->cu1, handle, LIST(BYTES(LABEL, "no more"))), CKR_ACTION_PROHIBITED);
}

static void
another_attribute_fails_the_call_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));

    assert_code(app_set(&f->cu1, handle, LIST(BYTES(LABEL, "new"), BYTES(MODULUS, "m"))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(app_set(&f->cu1, handle, LIST(BYTES(LABEL, "new"), BOOL(TRUSTED, true))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(app_set(&f->cu1, handle, LIST(ULONG(CLASS, CKO_DATA))), CKR_TEMPLATE_INCONSISTENT);
    assert_int_equal(get(&f->cu1, handle, CKA_LABEL).len, 0);
}

static CK_RV
officer_trusts(struct fixture *f, uint32_t handle, bool trusted)
{
    const struct key_set_request m = { handle, LIST(BOOL(TRUSTED, trusted)) };
    struct key_set_reply answer;

    f->officer.port = PORTS_manage;
    return app_send_key_set(&f->officer, &m, &answer);
}

/* The officer's to give and to take; meanwhile nobody else changes it. */
static void
trust_is_the_officers_to_give(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));

    assert_code(app_create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES, BOOL(TRUSTED, true)), NULL),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(officer_trusts(f, handle, true));
    assert_true(get_bool(&f->cu1, handle, CKA_TRUSTED));
    assert_code(app_set(&f->cu1, handle, LIST(BYTES(VALUE, "another"))), CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(officer_trusts(f, handle, false));
    assert_ok(app_set(&f->cu1, handle, LIST(BYTES(VALUE, "another"))));
}

static void
the_check_value_follows_the_value(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE));
    uint8_t before[3];

    memcpy(before, get(&f->cu1, handle, CKA_CHECK_VALUE).data, sizeof before);
    assert_ok(app_set(&f->cu1, handle, LIST(BYTES(VALUE, "other"))));

    assert_memory_not_equal(get(&f->cu1, handle, CKA_CHECK_VALUE).data, before, sizeof before);
    /* SHA-1 of "other" */
    assert_memory_equal(get(&f->cu1, handle, CKA_CHECK_VALUE).data, "\xd0\x94\x1e", 3);
}

/* ---- out of the store and back ---- */

static void
one_that_leaves_the_store_is_its_sessions(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));

    assert_ok(app_set(&f->cu1, handle, LIST(BOOL(TOKEN, false), BYTES(LABEL, "mine"))));

    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "mine"))), 1);
    assert_int_equal(found(&f->cu2, LIST(BYTES(LABEL, "mine"))), 0);
    assert_ok(app_set(&f->cu1, handle, LIST(BYTES(LABEL, "still mine"))));
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 0);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_false(app_finds(&f->cu1, handle));
}

static void
one_that_comes_back_is_everybodys(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));

    assert_ok(app_set(&f->cu1, handle, LIST(BOOL(TOKEN, false))));
    assert_int_equal(create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES)), handle + 1);
    assert_ok(app_set(&f->cu1, handle, LIST(BOOL(TOKEN, true))));

    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu2));
    assert_true(app_finds(&f->cu2, handle));
    assert_true(app_finds(&f->cu2, handle + 1));
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 0);
}

static void
a_full_disk_leaves_it_where_it_was(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE, TOKEN_YES));
    CK_RV rv;

    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    rv = app_set(&f->cu1, handle, LIST(BOOL(TOKEN, false)));
    outside_mend(&f->hsm.outside);
    assert_code(rv, CKR_DEVICE_ERROR);
    assert_true(app_finds(&f->cu2, handle));

    assert_ok(app_set(&f->cu1, handle, LIST(BOOL(TOKEN, false))));
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    rv = app_set(&f->cu1, handle, LIST(BOOL(TOKEN, true)));
    outside_mend(&f->hsm.outside);
    assert_code(rv, CKR_DEVICE_ERROR);
    assert_true(app_finds(&f->cu1, handle));
    assert_false(app_finds(&f->cu2, handle));
    assert_ok(app_set(&f->cu1, handle, LIST(BOOL(TOKEN, true))));
    assert_true(app_finds(&f->cu2, handle));
}

static void
one_that_never_had_a_number_cannot_be_stored(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->cu1, LIST(CERTIFICATE));

    assert_code(app_set(&f->cu1, handle, LIST(BOOL(TOKEN, true))), CKR_ATTRIBUTE_READ_ONLY);
}

static void
it_is_private_only_with_a_login(void **state)
{
    struct fixture *f = *state;
    uint32_t handle = create(&f->nobody, LIST(CERTIFICATE, TOKEN_YES));

    assert_code(app_set(&f->nobody, handle, LIST(BOOL(PRIVATE, true))), CKR_USER_NOT_LOGGED_IN);
    assert_ok(app_set(&f->cu1, handle, LIST(BOOL(PRIVATE, true))));
    assert_false(app_finds(&f->nobody, handle));
    assert_true(app_finds(&f->cu1, handle));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(numbers_begin_with_the_first_and_go_on_after_a_restart),
        AZURE(a_number_rests_for_a_day),
        AZURE(a_rest_that_is_over_leaves_the_store),
        AZURE(every_attribute_of_the_table_may_be_set),
        AZURE(another_attribute_fails_the_call_and_changes_nothing),
        AZURE(trust_is_the_officers_to_give),
        AZURE(the_check_value_follows_the_value),
        AZURE(one_that_leaves_the_store_is_its_sessions),
        AZURE(one_that_comes_back_is_everybodys),
        AZURE(a_full_disk_leaves_it_where_it_was),
        AZURE(one_that_never_had_a_number_cannot_be_stored),
        AZURE(it_is_private_only_with_a_login),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
