/* SPDX-License-Identifier: Apache-2.0
 *
 * Masked objects: what they keep, and for whom they open.
 */
#include "unit/core/core_test.h"

static uint8_t kept[FRAME_DATA_MAX];

/* The blob, which outlives the next reply. */
static CK_RV
mask(struct app *app, uint32_t key, view *ret_blob)
{
    const struct object_mask_request m = { key };
    struct object_mask_reply answer;
    CK_RV rv = app_send_object_mask(app, &m, &answer);

    if (rv == CKR_OK) {
        assert_true(answer.masked.len <= sizeof kept);
        memcpy(kept, answer.masked.data, answer.masked.len);
        *ret_blob = view_of(kept, answer.masked.len);
    }
    return rv;
}

static CK_RV
unmask(struct app *app, view blob, uint32_t wanted, bool token, uint32_t *ret_key)
{
    const struct object_unmask_request m = { blob, wanted, token };
    struct object_unmask_reply answer;
    size_t before = app_count(app);
    CK_RV rv = app_send_object_unmask(app, &m, &answer);

    if (rv == CKR_OK) {
        *ret_key = info_array_get(answer.made, 0).handle;
    }
    assert_int_equal(app_count(app), before + (rv == CKR_OK ? 1 : 0));
    return rv;
}

static void
a_key_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN,
                            LIST(AES_GENERATE, TOKEN_YES, BYTES(LABEL, "label"),
                                 BOOL(EXTRACTABLE, false), BOOL(ENCRYPT, true),
                                 BOOL(DECRYPT, true)));
    view plain = VIEW_TEXT("0123456789abcdef");
    uint8_t cipher[16];
    uint32_t back = 0;
    view blob, out;

    assert_ok(mask(&f->cu1, key, &blob));
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key, plain, &out));
    memcpy(cipher, out.data, sizeof cipher);
    assert_ok(app_destroy(&f->cu1, key));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_ok(unmask(&f->cu1, blob, 0, false, &back));

    assert_int_not_equal(back, key);
    assert_view_equal(get(&f->cu1, back, CKA_LABEL), VIEW_TEXT("label"));
    assert_view_equal(get(&f->cu1, back, CKA_EXTRACTABLE), VIEW_TEXT("\0"));
    assert_view_equal(get(&f->cu1, back, CKA_NEVER_EXTRACTABLE), VIEW_TEXT("\1"));
    assert_ok(app_decrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), back,
                          view_of(cipher, sizeof cipher), &out));
    assert_view_equal(out, plain);
}

static void
a_session_key_may_become_a_token_key(void **state)
{
    struct fixture *f = *state;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE));
    uint32_t back = 0;
    view blob;

    assert_ok(mask(&f->cu1, key, &blob));
    assert_ok(unmask(&f->cu1, blob, 0, true, &back));
    assert_true(back < HANDLE_SESSION_FIRST);
    assert_view_equal(get(&f->cu1, back, CKA_TOKEN), VIEW_TEXT("\1"));
    assert_ok(unmask(&f->cu1, blob, key + 50, false, &back));
    assert_int_equal(back, key + 50);
}

static void
it_is_its_owners_alone(void **state)
{
    struct fixture *f = *state;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, TOKEN_YES));
    uint32_t back = 0;
    view blob;

    assert_code(mask(&f->cu2, key, &blob), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(mask(&f->cu1, key, &blob));
    assert_code(unmask(&f->cu2, blob, 0, false, &back), CKR_ACTION_PROHIBITED);
}

static void
what_is_no_key_or_not_to_be_copied_is_not_masked(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN,
                            LIST(AES_GENERATE, TOKEN_YES, BOOL(COPYABLE, false)));
    view blob;

    assert_code(mask(&f->cu1, data, &blob), CKR_OBJECT_HANDLE_INVALID);
    assert_code(mask(&f->cu1, key, &blob), CKR_ACTION_PROHIBITED);
}

static void
a_changed_or_shortened_blob_makes_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, TOKEN_YES));
    uint32_t back = 0;
    view blob;

    assert_ok(mask(&f->cu1, key, &blob));
    for (size_t i = 0; i < blob.len; i++) {
        kept[i] ^= 0x40;
        assert_code(unmask(&f->cu1, blob, 0, false, &back), CKR_WRAPPED_KEY_INVALID);
        kept[i] ^= 0x40;
        assert_code(unmask(&f->cu1, view_slice(blob, 0, i), 0, false, &back),
                    CKR_WRAPPED_KEY_INVALID);
    }
    assert_ok(unmask(&f->cu1, blob, 0, false, &back));
}

static void
another_hsm_does_not_open_it(void **state)
{
    struct fixture *f = *state;
    void *second = (void *)(uintptr_t)&standard_policy;
    struct fixture *other;
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, TOKEN_YES));
    uint32_t back = 0;
    view blob;

    assert_ok(mask(&f->cu1, key, &blob));
    assert_int_equal(fixture_setup(&second), 0);
    other = second;
    assert_code(unmask(&other->cu1, blob, 0, false, &back), CKR_WRAPPED_KEY_INVALID);
    assert_int_equal(fixture_teardown(&second), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(a_key_comes_back_as_it_was),
        STANDARD(a_key_comes_back_as_it_was),
        AZURE(a_session_key_may_become_a_token_key),
        AZURE(it_is_its_owners_alone),
        AZURE(what_is_no_key_or_not_to_be_copied_is_not_masked),
        AZURE(a_changed_or_shortened_blob_makes_nothing),
        AZURE(another_hsm_does_not_open_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
