/* SPDX-License-Identifier: Apache-2.0
 *
 * Another policy for a partition that is in use: what was made before stays, and is used as far as
 * the new one would have taken it.
 */
#include "unit/core/core_test.h"

static CK_RV
set_policy(struct fixture *f, uint8_t policy, const char *switches, uint32_t *ret_unusable)
{
    const struct policy_set_request m = { policy, view_str(switches) };
    struct policy_set_reply answer = { 0 };
    CK_RV rv = app_send_policy_set(&f->officer, &m, &answer);

    *ret_unusable = answer.unusable;
    return rv;
}

static void
reopen(struct fixture *f)
{
    hsm_fixture_reopen(&f->hsm);
    app_ticket(&f->cu1, &f->hsm, USER1, UINT64_MAX);
    assert_ok(app_attach(&f->cu1));
    app_ticket(&f->officer, &f->hsm, OFFICER_USER, UINT64_MAX);
    assert_ok(app_attach(&f->officer));
}

static CK_RV
encrypt(struct fixture *f, uint32_t key)
{
    const struct encrypt_request m = {
        .mechanism = { .type = CKM_AES_ECB, .shape = PARAMS_none },
        .key = key,
        .data = VIEW_TEXT("0123456789abcdef"),
        .max = APP_ROOM_MAX,
    };
    struct encrypt_reply answer;

    return app_send_encrypt(&f->cu1, &m, &answer);
}

/* Is the value to be read? */
static bool
value_is_readable(struct fixture *f, uint32_t key)
{
    struct writer types;
    struct object_get_reply answer;
    bool readable;

    writer_init(&types, 64);
    number_write(&types, CKA_VALUE);

    const struct object_get_request m = { key, { writer_view(&types) } };
    struct reader r;
    struct attribute attribute;

    assert_ok(app_send_object_get(&f->cu1, &m, &answer));
    r = reader_of(answer.attributes);
    assert_true(attributes_next(&r, &attribute));
    readable = attribute.status == ATTRIBUTE_PRESENT;
    writer_clear(&types);
    return readable;
}

static void
new_policy_holds_from_the_next_start_on(void **state)
{
    struct fixture *f = *state;
    uint32_t unusable;

    assert_ok(set_policy(f, POLICY_AZURE, "enforce_dates=on", &unusable));
    assert_int_equal(f->hsm.hsm->rules.policy, POLICY_STANDARD);
    reopen(f);

    assert_int_equal(f->hsm.hsm->rules.policy, POLICY_AZURE);
    assert_true(rules_switch_on(f->hsm.hsm->rules, SWITCH_enforce_dates));
    assert_true(outside_audit_has(&f->hsm.outside, "POLICY_SET"));
    /* And again, over the record that is there now. */
    assert_ok(set_policy(f, POLICY_FIPS, "", &unusable));
    reopen(f);
    assert_int_equal(f->hsm.hsm->rules.policy, POLICY_FIPS);
    assert_false(rules_switch_on(f->hsm.hsm->rules, SWITCH_enforce_dates));
}

static void
keys_that_the_new_policy_refuses_cannot_be_used(void **state)
{
    struct fixture *f = *state;
    uint32_t unusable = 0;
    uint32_t open = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BOOL(SENSITIVE, false),
                                         BOOL(EXTRACTABLE, true)));
    uint32_t closed = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BOOL(SENSITIVE, true),
                                           BOOL(EXTRACTABLE, false)));

    assert_ok(encrypt(f, open));
    assert_ok(encrypt(f, closed));
    assert_true(value_is_readable(f, open));
    assert_ok(set_policy(f, POLICY_AZURE, "", &unusable));
    assert_int_equal(unusable, 1);
    reopen(f);

    assert_code(encrypt(f, open), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_ok(encrypt(f, closed));
    assert_false(value_is_readable(f, open));
    /* They are as they were when their policy comes back. */
    assert_ok(set_policy(f, POLICY_STANDARD, "", &unusable));
    assert_int_equal(unusable, 0);
    reopen(f);
    assert_ok(encrypt(f, open));
    assert_true(value_is_readable(f, open));
}

static void
what_is_no_policy_is_refused(void **state)
{
    struct fixture *f = *state;
    uint32_t unusable;

    assert_code(set_policy(f, POLICY_COUNT, "", &unusable), CKR_ARGUMENTS_BAD);
    assert_code(set_policy(f, POLICY_AZURE, "no_such_switch=on", &unusable), CKR_ARGUMENTS_BAD);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(set_policy(f, POLICY_AZURE, "", &unusable), CKR_DEVICE_ERROR);
    reopen(f);

    assert_int_equal(f->hsm.hsm->rules.policy, POLICY_STANDARD);
}

static int renewed;

static void
count_renewal(struct renewal *renewal)
{
    UNUSED(renewal);
    renewed++;
}

static void
partition_is_opened_again_when_it_took(void **state)
{
    struct fixture *f = *state;
    struct renewal renewal = { count_renewal };
    uint32_t unusable;

    renewed = 0;
    hsm_set_renewal(f->hsm.hsm, &renewal);
    assert_code(set_policy(f, POLICY_COUNT, "", &unusable), CKR_ARGUMENTS_BAD);
    assert_int_equal(renewed, 0);
    assert_ok(set_policy(f, POLICY_AZURE, "", &unusable));
    assert_int_equal(renewed, 1);
    hsm_set_renewal(f->hsm.hsm, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(new_policy_holds_from_the_next_start_on),
        STANDARD(keys_that_the_new_policy_refuses_cannot_be_used),
        STANDARD(what_is_no_policy_is_refused),
        STANDARD(partition_is_opened_again_when_it_took),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
