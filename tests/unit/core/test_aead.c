/* SPDX-License-Identifier: Apache-2.0
 *
 * Decryption of an AEAD in parts: no plaintext before its tag was checked, by a first pass
 * with the same key, parameter and length that returns nothing.
 */
#include "unit/core/core_test.h"

#define IV VIEW_TEXT("twelve bytes")
#define AAD VIEW_TEXT("additional data")
#define LEN 100u

struct bench {
    struct fixture *f;
    struct app *app;
    uint32_t key;
    struct mechanism gcm;
    uint8_t plain[LEN];
    uint8_t cipher[LEN + 16];
};

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    view cipher;

    assert_non_null(b);
    if (fixture_setup(state) != 0) {
        return -1;
    }
    b->f = *state;
    b->app = &b->f->cu1;
    b->key = create(b->app, LIST(AES_CREATE));
    b->gcm = mechanism_gcm(IV, AAD, 128);
    for (size_t i = 0; i < LEN; i++) {
        b->plain[i] = (uint8_t)i;
    }
    assert_ok(app_encrypt(b->app, b->gcm, b->key, view_of(b->plain, LEN), &cipher));
    assert_int_equal(cipher.len, sizeof b->cipher);
    memcpy(b->cipher, cipher.data, cipher.len);
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;
    void *f = b->f;

    free(b);
    return fixture_teardown(&f);
}

static view
cipher(const struct bench *b)
{
    return view_of(b->cipher, sizeof b->cipher);
}

static CK_RV
start(struct bench *b, struct mechanism mechanism, uint32_t key, bool tag_only)
{
    const struct start_request m = { CKF_DECRYPT, mechanism, key, tag_only };
    struct start_reply answer;

    *app_step(b->app, CKF_DECRYPT) = 0;
    return app_send_start(b->app, &m, &answer);
}

/* Feeds and ends; all that comes out goes into out. */
static CK_RV
feed(struct bench *b, view data, size_t chunk, struct writer *out)
{
    view part;
    CK_RV rv;

    writer_reset(out);
    for (size_t at = 0; at < data.len; at += chunk) {
        rv = app_update(b->app, CKF_DECRYPT, view_slice(data, at, chunk), &part);
        if (rv != CKR_OK) {
            return rv;
        }
        write_raw(out, part);
    }
    rv = app_final(b->app, CKF_DECRYPT, VIEW_EMPTY, &part);
    if (rv == CKR_OK) {
        write_raw(out, part);
    }
    return rv;
}

/* The first pass over this data, in such chunks; nothing may come out of it. */
static CK_RV
tag_pass_in(struct bench *b, view data, size_t chunk)
{
    struct writer out;
    CK_RV rv;

    writer_init(&out, 1024);
    assert_ok(start(b, b->gcm, b->key, true));
    rv = feed(b, data, chunk, &out);
    assert_int_equal(out.len, 0);
    writer_clear(&out);
    return rv;
}

static CK_RV
tag_pass(struct bench *b, view data)
{
    return tag_pass_in(b, data, 50);
}

/* ---- the way it is meant ---- */

static void
the_second_pass_gives_the_plaintext(void **state)
{
    static const size_t chunks[] = { 1, 16, 50, LEN, LEN + 16 };
    struct bench *b = *state;
    struct writer out;

    writer_init(&out, 1024);
    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        assert_ok(tag_pass_in(b, cipher(b), chunks[i]));
        assert_ok(start(b, b->gcm, b->key, false));
        assert_ok(feed(b, cipher(b), chunks[i], &out));
        assert_view_equal(writer_view(&out), view_of(b->plain, LEN));
    }
    writer_clear(&out);
}

static void
nothing_but_the_tag_goes_the_same_way(void **state)
{
    struct bench *b = *state;
    uint8_t tag[16];
    struct writer out;
    view made;

    assert_ok(app_encrypt(b->app, b->gcm, b->key, VIEW_EMPTY, &made));
    assert_int_equal(made.len, sizeof tag);
    memcpy(tag, made.data, sizeof tag);
    writer_init(&out, 64);

    assert_ok(tag_pass(b, view_of(tag, sizeof tag)));
    assert_ok(start(b, b->gcm, b->key, false));
    assert_ok(feed(b, view_of(tag, sizeof tag), 50, &out));
    assert_int_equal(out.len, 0);
    writer_clear(&out);
}

/* ---- and the ways it is not ---- */

static void
without_a_first_pass_there_is_no_second(void **state)
{
    struct bench *b = *state;
    view out;

    assert_code(start(b, b->gcm, b->key, false), CKR_ENCRYPTED_DATA_INVALID);
    assert_code(app_update(b->app, CKF_DECRYPT, cipher(b), &out), CKR_OPERATION_NOT_INITIALIZED);
}

static void
a_wrong_tag_ends_the_first_pass_and_permits_no_second(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < sizeof b->cipher; i += 23) {
        b->cipher[i] ^= 1;
        assert_code(tag_pass(b, cipher(b)), CKR_ENCRYPTED_DATA_INVALID);
        assert_code(start(b, b->gcm, b->key, false), CKR_ENCRYPTED_DATA_INVALID);
        b->cipher[i] ^= 1;
    }
}

static void
too_little_for_a_tag_ends_the_first_pass(void **state)
{
    struct bench *b = *state;

    for (size_t len = 0; len < 16; len++) {
        assert_int_not_equal(tag_pass(b, view_slice(cipher(b), 0, len)), CKR_OK);
        assert_code(start(b, b->gcm, b->key, false), CKR_ENCRYPTED_DATA_INVALID);
    }
}

static void
an_unfinished_first_pass_permits_nothing(void **state)
{
    struct bench *b = *state;
    view out;

    assert_ok(start(b, b->gcm, b->key, true));
    assert_ok(app_update(b->app, CKF_DECRYPT, cipher(b), &out));

    assert_code(start(b, b->gcm, b->key, false), CKR_ENCRYPTED_DATA_INVALID);
    assert_code(app_final(b->app, CKF_DECRYPT, VIEW_EMPTY, &out), CKR_OPERATION_NOT_INITIALIZED);
}

static void
after_the_first_pass_nothing_can_be_fed_to_it(void **state)
{
    struct bench *b = *state;
    view out;

    assert_ok(tag_pass(b, cipher(b)));
    assert_code(app_update(b->app, CKF_DECRYPT, cipher(b), &out), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(tag_pass(b, cipher(b)));
    assert_code(app_final(b->app, CKF_DECRYPT, VIEW_EMPTY, &out), CKR_OPERATION_NOT_INITIALIZED);
}

static void
the_second_pass_has_to_be_the_first_ones(void **state)
{
    struct bench *b = *state;
    uint32_t twin = create(b->app, LIST(AES_CREATE)); /* the same value, another key */
    const struct {
        struct mechanism mechanism;
        uint32_t key;
        uint32_t session;
    } rows[] = {
        { mechanism_gcm(VIEW_TEXT("other  bytes"), AAD, 128), b->key, 1 },
        { mechanism_gcm(VIEW_TEXT("twelve bytes."), AAD, 128), b->key, 1 },
        { mechanism_gcm(IV, VIEW_TEXT("additional Data"), 128), b->key, 1 },
        { mechanism_gcm(IV, VIEW_EMPTY, 128), b->key, 1 },
        { mechanism_gcm(IV, AAD, 96), b->key, 1 },
        { b->gcm, twin, 1 },
        { b->gcm, b->key, 2 },
    };

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_ok(tag_pass(b, cipher(b)));
        b->app->session = rows[i].session;
        assert_code(start(b, rows[i].mechanism, rows[i].key, false), CKR_ENCRYPTED_DATA_INVALID);
        b->app->session = 1;
    }
}

static void
a_first_pass_permits_one_second_pass(void **state)
{
    struct bench *b = *state;
    struct writer out;

    writer_init(&out, 1024);
    assert_ok(tag_pass(b, cipher(b)));
    assert_ok(start(b, b->gcm, b->key, false));
    assert_ok(feed(b, cipher(b), 50, &out));

    assert_code(start(b, b->gcm, b->key, false), CKR_ENCRYPTED_DATA_INVALID);
    writer_clear(&out);
}

static void
a_second_pass_over_more_gives_none_of_the_surplus(void **state)
{
    struct bench *b = *state;
    view out;

    assert_ok(tag_pass_in(b, cipher(b), LEN + 16));
    assert_ok(start(b, b->gcm, b->key, false));
    assert_ok(app_update(b->app, CKF_DECRYPT, cipher(b), &out));

    assert_code(app_update(b->app, CKF_DECRYPT, VIEW_TEXT("x"), &out), CKR_ENCRYPTED_DATA_INVALID);
    assert_code(app_final(b->app, CKF_DECRYPT, VIEW_EMPTY, &out), CKR_OPERATION_NOT_INITIALIZED);
}

/* Each byte of the second pass is held to the first one's before its plaintext leaves. */
static void
a_second_pass_over_other_bytes_gives_none_of_them(void **state)
{
    struct bench *b = *state;
    view out = VIEW_EMPTY;

    for (size_t i = 0; i < 50; i += 7) {
        assert_ok(tag_pass(b, cipher(b)));
        assert_ok(start(b, b->gcm, b->key, false));
        b->cipher[i] ^= 1;
        assert_code(app_update(b->app, CKF_DECRYPT, view_slice(cipher(b), 0, 50), &out),
                    CKR_ENCRYPTED_DATA_INVALID);
        b->cipher[i] ^= 1;
        assert_int_equal(out.len, 0);
        assert_code(app_update(b->app, CKF_DECRYPT, view_slice(cipher(b), 0, 50), &out),
                    CKR_OPERATION_NOT_INITIALIZED);
    }
    /* The same bytes, but not piece by piece. */
    assert_ok(tag_pass(b, cipher(b)));
    assert_ok(start(b, b->gcm, b->key, false));
    assert_code(app_update(b->app, CKF_DECRYPT, view_slice(cipher(b), 0, 49), &out),
                CKR_ENCRYPTED_DATA_INVALID);
}

static void
a_second_pass_over_less_fails(void **state)
{
    struct bench *b = *state;
    struct writer out;

    writer_init(&out, 1024);
    assert_ok(tag_pass(b, cipher(b)));
    assert_ok(start(b, b->gcm, b->key, false));

    assert_code(feed(b, view_slice(cipher(b), 0, LEN), 50, &out), CKR_ENCRYPTED_DATA_INVALID);
    writer_clear(&out);
}

static void
the_second_pass_checks_the_tag_again(void **state)
{
    struct bench *b = *state;
    struct writer out;

    writer_init(&out, 1024);
    assert_ok(tag_pass(b, cipher(b)));
    assert_ok(start(b, b->gcm, b->key, false));
    b->cipher[LEN - 1] ^= 1;

    assert_code(feed(b, cipher(b), 50, &out), CKR_ENCRYPTED_DATA_INVALID);
    writer_clear(&out);
}

/* What the order on the way might not keep: a step that is missing, or comes twice. */
static void
a_step_has_its_place(void **state)
{
    static const int places[] = { -1, 1, 2 };
    struct bench *b = *state;
    view out;

    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        for (int final = 0; final < 2; final++) {
            assert_ok(app_start(b->app, CKF_ENCRYPT, b->gcm, b->key));
            assert_ok(app_update(b->app, CKF_ENCRYPT, VIEW_TEXT("first"), &out));
            *app_step(b->app, CKF_ENCRYPT) += (uint32_t)places[i];
            assert_code(final ? app_final(b->app, CKF_ENCRYPT, VIEW_EMPTY, &out)
                              : app_update(b->app, CKF_ENCRYPT, VIEW_TEXT("x"), &out),
                        CKR_OPERATION_NOT_INITIALIZED);
            *app_step(b->app, CKF_ENCRYPT) = 1; /* there is none any more */
            assert_code(app_final(b->app, CKF_ENCRYPT, VIEW_EMPTY, &out),
                        CKR_OPERATION_NOT_INITIALIZED);
        }
    }
}

/* In one part there is one pass, and all or nothing. */
static void
in_one_part_a_wrong_tag_gives_nothing(void **state)
{
    struct bench *b = *state;
    view out = VIEW_TEXT("untouched");

    for (size_t i = 0; i < sizeof b->cipher; i++) {
        b->cipher[i] ^= 0x80;
        assert_code(app_decrypt(b->app, b->gcm, b->key, cipher(b), &out),
                    CKR_ENCRYPTED_DATA_INVALID);
        b->cipher[i] ^= 0x80;
    }
    assert_code(app_decrypt(b->app, mechanism_gcm(IV, VIEW_EMPTY, 128), b->key, cipher(b), &out),
                CKR_ENCRYPTED_DATA_INVALID);
    assert_view_equal(out, VIEW_TEXT("untouched"));
}

#define BENCH(test)                                                    \
    cmocka_unit_test_prestate_setup_teardown(test, setup, teardown, \
                                             (void *)(uintptr_t)&azure_policy)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(the_second_pass_gives_the_plaintext),
        BENCH(nothing_but_the_tag_goes_the_same_way),
        BENCH(without_a_first_pass_there_is_no_second),
        BENCH(a_wrong_tag_ends_the_first_pass_and_permits_no_second),
        BENCH(too_little_for_a_tag_ends_the_first_pass),
        BENCH(an_unfinished_first_pass_permits_nothing),
        BENCH(after_the_first_pass_nothing_can_be_fed_to_it),
        BENCH(the_second_pass_has_to_be_the_first_ones),
        BENCH(a_first_pass_permits_one_second_pass),
        BENCH(a_second_pass_over_more_gives_none_of_the_surplus),
        BENCH(a_second_pass_over_other_bytes_gives_none_of_them),
        BENCH(a_second_pass_over_less_fails),
        BENCH(the_second_pass_checks_the_tag_again),
        BENCH(a_step_has_its_place),
        BENCH(in_one_part_a_wrong_tag_gives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
