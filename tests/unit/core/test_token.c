/* SPDX-License-Identifier: Apache-2.0
 *
 * What the HSM knows of certificates that are kept elsewhere: which token is the present one, also in
 * the middle of a change and after a restart.
 */
#include "unit/core/core_test.h"

#include "base/base64.h"

#define CONTAINER VIEW_TEXT("0123456789abcdef")
#define KEY VIEW_TEXT("signer")
#define FIRST HANDLE_CERTIFICATE_FIRST
#define DAY_MS (24u * 3600u * 1000u)

/* A token as its container has it. */
struct made {
    const char *input;
    uint8_t signature[256];
    size_t signature_len;
    uint8_t hash[32];
};

static void
signer_make(struct app *app)
{
    (void)generate_pair(app, CKM_RSA_PKCS_KEY_PAIR_GEN,
                        LIST(ULONG(MODULUS_BITS, 2048), BOOL(TOKEN, true), BYTES(ID, "signer"),
                             BOOL(VERIFY, true)),
                        LIST(BOOL(TOKEN, true), BYTES(ID, "signer"), BOOL(SIGN, true)));
}

static CK_RV
sign(struct app *app, uint32_t handle, const struct made *before, const char *input,
     uint32_t *ret_handle, struct made *ret_made)
{
    const struct token_sign_request m = {
        .container = CONTAINER,
        .handle = handle,
        .key = KEY,
        .before = before == NULL ? VIEW_EMPTY : view_of(before->hash, 32),
        .input = view_str(input),
    };
    struct token_sign_reply answer;
    struct writer token;
    CK_RV rv = app_send_token_sign(app, &m, &answer);

    if (rv != CKR_OK) {
        return rv;
    }
    *ret_handle = answer.handle;
    ret_made->input = input;
    ret_made->signature_len = answer.signature.len;
    assert_int_equal(answer.signature.len, 256);
    memcpy(ret_made->signature, answer.signature.data, answer.signature.len);
    writer_init(&token, 10000);
    write_raw(&token, view_str(input));
    write_u8(&token, '.');
    base64_write(&token, BASE64_URL, view_of(ret_made->signature, ret_made->signature_len));
    assert_true(algo_sha256(writer_view(&token), ret_made->hash));
    writer_clear(&token);
    return rv;
}

/* made: what the container has; dropped: what did not get there. */
static CK_RV
settle_both(struct app *app, uint32_t handle, const struct made *made, const struct made *dropped)
{
    const struct token_drop_request m = {
        .container = CONTAINER,
        .handle = handle,
        .token = view_of(made->hash, 32),
        .dropped = view_of(dropped->hash, 32),
    };
    struct token_drop_reply answer;

    return app_send_token_drop(app, &m, &answer);
}

static CK_RV
settle(struct app *app, uint32_t handle, const struct made *made)
{
    const struct token_settle_request m = {
        .container = CONTAINER,
        .handle = handle,
        .token = made == NULL ? VIEW_EMPTY : view_of(made->hash, 32),
    };
    struct token_settle_reply answer;

    return app_send_token_settle(app, &m, &answer);
}

static CK_RV
check(struct app *app, uint32_t handle, const struct made *made, bool adopt)
{
    const struct token_check_request m = {
        .container = CONTAINER,
        .handle = handle,
        .adopt = adopt,
        .key = KEY,
        .input = view_str(made->input),
        .signature = view_of(made->signature, made->signature_len),
    };
    struct token_check_reply answer;

    return app_send_token_check(app, &m, &answer);
}

static void
reopen(struct fixture *f)
{
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_ok(app_attach(&f->nobody));
}

static void
the_present_token_is_known_to_everyone(void **state)
{
    struct fixture *f = *state;
    struct made one;
    uint32_t handle;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_int_equal(handle, FIRST);
    assert_ok(settle(&f->cu1, handle, &one));
    assert_ok(check(&f->nobody, handle, &one, false));
    reopen(f);
    assert_ok(check(&f->nobody, handle, &one, false));
}

static void
another_handles_token_and_a_changed_one_are_refused(void **state)
{
    struct fixture *f = *state;
    struct made one, two;
    uint32_t first, second;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &first, &one));
    assert_ok(settle(&f->cu1, first, &one));
    assert_ok(sign(&f->cu1, 0, NULL, "a.c", &second, &two));
    assert_ok(settle(&f->cu1, second, &two));
    assert_int_equal(second, first + 1);

    assert_code(check(&f->cu1, first, &two, false), CKR_DATA_INVALID);
    assert_code(check(&f->cu1, first, &two, true), CKR_DATA_INVALID);
    assert_code(check(&f->cu1, second + 1, &two, false), CKR_DATA_INVALID);
    one.signature[20] ^= 1;
    assert_code(check(&f->cu1, first, &one, false), CKR_SIGNATURE_INVALID);
    one.signature_len = 0;
    assert_code(check(&f->cu1, first, &one, false), CKR_SIGNATURE_INVALID);
}

static void
in_a_change_both_are_good_until_one_is_read(void **state)
{
    struct fixture *f = *state;
    struct made one, two, three;
    uint32_t handle;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_ok(settle(&f->cu1, handle, &one));
    assert_ok(sign(&f->cu1, handle, &one, "a.c", &handle, &two));

    assert_ok(check(&f->nobody, handle, &one, false));
    assert_code(sign(&f->cu1, handle, &one, "a.d", &handle, &three), CKR_OPERATION_ACTIVE);
    reopen(f);
    assert_ok(check(&f->nobody, handle, &two, false));
    assert_code(check(&f->nobody, handle, &one, false), CKR_DATA_INVALID);
    assert_code(sign(&f->cu1, handle, &one, "a.d", &handle, &three), CKR_DATA_INVALID);
    assert_ok(settle(&f->cu1, handle, &two));
}

static void
a_change_that_failed_is_taken_back(void **state)
{
    struct fixture *f = *state;
    struct made one, two;
    uint32_t handle;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_ok(settle(&f->cu1, handle, &one));
    assert_ok(sign(&f->cu1, handle, &one, "a.c", &handle, &two));
    assert_ok(settle_both(&f->cu1, handle, &one, &two));
    assert_code(check(&f->nobody, handle, &two, false), CKR_DATA_INVALID);
    assert_code(settle(&f->cu1, handle, &two), CKR_DATA_INVALID);
    assert_ok(check(&f->nobody, handle, &one, false));
}

/* One host writes, another reads that and is at the next change before the first one tells. */
static void
who_settles_late_takes_no_other_change_back(void **state)
{
    struct fixture *f = *state;
    struct made one, two, three;
    uint32_t handle;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_ok(settle(&f->cu1, handle, &one));
    assert_ok(sign(&f->cu1, handle, &one, "a.c", &handle, &two));
    assert_ok(check(&f->cu2, handle, &two, false));
    assert_ok(sign(&f->cu1, handle, &two, "a.d", &handle, &three));

    assert_ok(settle(&f->cu1, handle, &two));
    assert_ok(settle_both(&f->cu1, handle, &two, &one));

    assert_ok(check(&f->cu2, handle, &two, false));
    assert_ok(settle(&f->cu1, handle, &three));
    assert_ok(check(&f->cu2, handle, &three, false));
}

static void
one_that_was_removed_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    struct made one, two;
    uint32_t handle, other;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_ok(settle(&f->cu1, handle, &one));
    assert_ok(settle(&f->cu1, handle, NULL));
    assert_code(check(&f->cu1, handle, &one, false), CKR_DATA_INVALID);
    assert_code(check(&f->cu1, handle, &one, true), CKR_DATA_INVALID);
    reopen(f);
    assert_code(check(&f->cu1, handle, &one, true), CKR_DATA_INVALID);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &other, &two));
    assert_int_equal(other, handle + 1);
    outside_move_clock(&f->hsm.outside, DAY_MS + 2000);
    hsm_sweep(f->hsm.hsm, 2 * DAY_MS);
    assert_int_equal(outside_count(&f->hsm.outside, "c/"), 0); /* nobody settled the other one */
}

static void
one_made_elsewhere_is_taken_in_when_asked(void **state)
{
    struct fixture *f = *state;
    struct made one;
    uint32_t handle;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_code(check(&f->nobody, FIRST + 10, &one, false), CKR_DATA_INVALID);
    assert_ok(check(&f->nobody, FIRST + 10, &one, true));
    assert_ok(check(&f->nobody, FIRST + 10, &one, false));
    assert_ok(sign(&f->cu1, 0, NULL, "a.c", &handle, &one));
    assert_int_equal(handle, FIRST + 11);
}

static void
only_who_has_the_pair_signs(void **state)
{
    struct fixture *f = *state;
    struct made one;
    uint32_t handle;

    assert_code(sign(&f->cu1, 0, NULL, "a.b", &handle, &one), CKR_KEY_HANDLE_INVALID);
    signer_make(&f->cu1);
    assert_code(sign(&f->nobody, 0, NULL, "a.b", &handle, &one), CKR_USER_NOT_LOGGED_IN);
    assert_code(sign(&f->cu2, 0, NULL, "a.b", &handle, &one), CKR_KEY_HANDLE_INVALID);
    assert_code(settle(&f->nobody, FIRST, NULL), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(outside_count(&f->hsm.outside, "c/"), 0);
}

/* A container has numbers of its own: 1,048,575 at one time, each given again a day after it was left. */
static void
numbers_end_and_rest_for_a_day(void **state)
{
    struct fixture *f = *state;
    struct numbers *numbers;
    struct made one, two;
    uint32_t handle, last;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    assert_ok(settle(&f->cu1, handle, &one));
    numbers = &container_find(&f->hsm.hsm->containers, CONTAINER, false)->numbers;
    for (uint32_t other = FIRST + 1; other < HANDLE_CERTIFICATE_LAST; other++) {
        numbers_load(numbers, other, 0);
    }
    assert_ok(sign(&f->cu1, 0, NULL, "a.c", &last, &two));
    assert_int_equal(last, 0xfffffffe);
    assert_ok(settle(&f->cu1, last, &two));
    assert_code(sign(&f->cu1, 0, NULL, "a.d", &handle, &two), CKR_DEVICE_MEMORY);

    assert_ok(settle(&f->cu1, FIRST, NULL));
    outside_move_clock(&f->hsm.outside, DAY_MS - 2000);
    assert_code(sign(&f->cu1, 0, NULL, "a.d", &handle, &two), CKR_DEVICE_MEMORY);
    outside_move_clock(&f->hsm.outside, 4000);
    assert_ok(app_attach(&f->cu1));
    assert_ok(sign(&f->cu1, 0, NULL, "a.d", &handle, &two));
    assert_int_equal(handle, FIRST);
}

static void
a_full_disk_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct made one, two;
    uint32_t handle;
    CK_RV rv;

    signer_make(&f->cu1);
    assert_ok(sign(&f->cu1, 0, NULL, "a.b", &handle, &one));
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    rv = settle(&f->cu1, handle, NULL);
    outside_mend(&f->hsm.outside);
    assert_code(rv, CKR_DEVICE_ERROR);
    assert_ok(settle(&f->cu1, handle, &one));
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    rv = sign(&f->cu1, handle, &one, "a.c", &handle, &two);
    outside_mend(&f->hsm.outside);
    assert_code(rv, CKR_DEVICE_ERROR);
    assert_ok(check(&f->cu1, handle, &one, false));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(the_present_token_is_known_to_everyone),
        AZURE(another_handles_token_and_a_changed_one_are_refused),
        AZURE(in_a_change_both_are_good_until_one_is_read),
        AZURE(a_change_that_failed_is_taken_back),
        AZURE(who_settles_late_takes_no_other_change_back),
        AZURE(one_that_was_removed_does_not_come_back),
        AZURE(one_made_elsewhere_is_taken_in_when_asked),
        AZURE(only_who_has_the_pair_signs),
        AZURE(numbers_end_and_rest_for_a_day),
        AZURE(a_full_disk_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
