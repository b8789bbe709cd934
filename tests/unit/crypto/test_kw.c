/* SPDX-License-Identifier: Apache-2.0
 *
 * AES key wrap: the vectors of RFC 3394, section 4, and RFC 5649, section 6; lengths, padding and
 * spoiled bytes.
 */
#include "algo_fixture.h"

static const struct vector {
    CK_MECHANISM_TYPE mechanism;
    const char *key, *plain, *wrapped;
} vectors[] = {
    { CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f", "00112233445566778899aabbccddeeff",
      "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
    { CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f1011121314151617",
      "00112233445566778899aabbccddeeff", "96778b25ae6ca435f92b5b97c050aed2468ab8a17ad84e5d" },
    { CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      "00112233445566778899aabbccddeeff", "64e8c3f9ce0f5ba263e9777905818a2a93c8191e7d6e8ae7" },
    { CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f1011121314151617",
      "00112233445566778899aabbccddeeff0001020304050607",
      "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2" },
    { CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD,
      "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      "00112233445566778899aabbccddeeff0001020304050607",
      "a8f9bc1612c68b3ff6e6f4fbe30e71e4769c8b80a32cb8958cd5d17d6b254da1" },
    { CKM_AES_KEY_WRAP, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
      "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
      "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21" },
    { CKM_AES_KEY_WRAP_KWP, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
      "c37b7e6492584340bed12207808941155068f738",
      "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a" },
    { CKM_AES_KEY_WRAP_PAD, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8", "466f7250617369",
      "afbeb0f07dfbf5419200f2ccb50bb24f" },
    { CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, "5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8",
      "466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f" },
};

/* One pass; the writer has what came. */
static CK_RV
pass(CK_MECHANISM_TYPE type, CK_FLAGS function, const struct algo_key *key, view in,
     struct writer *out)
{
    const struct mechanism m = plain_mechanism(type);

    writer_reset(out);
    return run_once(&m, function, key, in, VIEW_EMPTY, out);
}

static void
the_vectors_are_met(void **state)
{
    struct writer out;

    UNUSED(state);
    writer_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        const struct vector *v = &vectors[i];
        struct algo_key *key = secret_key(KIND_AES, hex(v->key));

        assert_int_equal(pass(v->mechanism, CKF_ENCRYPT, key, hex(v->plain), &out), CKR_OK);
        assert_view(writer_view(&out), hex(v->wrapped));
        assert_int_equal(pass(v->mechanism, CKF_DECRYPT, key, hex(v->wrapped), &out), CKR_OK);
        assert_view(writer_view(&out), hex(v->plain));
        VECTOR(v->mechanism);
        algo_key_free(key);
    }
    writer_clear(&out);
}

static void
a_spoiled_byte_is_found_anywhere(void **state)
{
    struct writer out;

    UNUSED(state);
    writer_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(vectors); i++) {
        struct algo_key *key = secret_key(KIND_AES, hex(vectors[i].key));
        uint8_t blob[64];
        view good = hex(vectors[i].wrapped);

        memcpy(blob, good.data, good.len);
        for (size_t k = 0; k < good.len; k++) {
            blob[k] ^= 0x40;
            assert_int_equal(pass(vectors[i].mechanism, CKF_DECRYPT, key, view_of(blob, good.len),
                                  &out), CKR_ENCRYPTED_DATA_INVALID);
            assert_int_equal(out.len, 0);
            blob[k] ^= 0x40;
            if (k % 8 != 0) {
                assert_int_equal(pass(vectors[i].mechanism, CKF_DECRYPT, key, view_of(blob, k),
                                      &out), CKR_ENCRYPTED_DATA_LEN_RANGE);
            }
        }
        algo_key_free(key);
    }
    writer_clear(&out);
}

/* Every length there and back, with the length that the rules foretell. */
static void
lengths_are_as_foretold(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE mechanism;
        size_t least, step;
    } rows[] = {
        { CKM_AES_KEY_WRAP, 16, 8 },
        { CKM_AES_KEY_WRAP_KWP, 1, 1 },
        { CKM_AES_KEY_WRAP_PAD, 1, 1 },
        { CKM_AES_KEY_WRAP_PKCS7, 8, 1 },
        { CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD, 8, 1 },
    };
    struct algo_key *key = secret_key(KIND_AES, hex(vectors[0].key));
    uint8_t data[80], blob[128];
    struct writer out;

    UNUSED(state);
    memset(data, 8, sizeof data); /* looks like padding */
    writer_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct mechanism_row *row = mechanism_row(rows[i].mechanism);

        for (size_t len = 0; len < sizeof data; len++) {
            CK_RV rv = pass(row->type, CKF_ENCRYPT, key, view_of(data, len), &out);
            size_t made = out.len;
            bool exact;

            if (len < rows[i].least || len % rows[i].step != 0) {
                assert_int_equal(rv, CKR_DATA_LEN_RANGE);
                continue;
            }
            assert_int_equal(rv, CKR_OK);
            assert_int_equal(made,
                             mechanism_output_len(row, CKF_ENCRYPT, NULL, 0, len, &exact));
            assert_true(exact);
            memcpy(blob, out.data, made);
            assert_int_equal(pass(row->type, CKF_DECRYPT, key, view_of(blob, made), &out), CKR_OK);
            assert_view(writer_view(&out), view_of(data, len));
            assert_true(len <=
                        mechanism_output_len(row, CKF_DECRYPT, NULL, 0, made, &exact));
        }
    }
    algo_key_free(key);
    writer_clear(&out);
}

/* What RFC 3394 has wrapped without padding ends in none. */
static void
wrong_padding_is_an_invalid_blob(void **state)
{
    static const char *const plains[] = {
        "00000000000000000000000000000000", "00000000000000000000000000000009",
        "00000000000000000000000000000302", "000000000000000000000000000000ff",
    };
    struct algo_key *key = secret_key(KIND_AES, hex(vectors[0].key));
    uint8_t blob[64];
    struct writer out;

    UNUSED(state);
    writer_init(&out, 4096);
    for (size_t i = 0; i < ARRAY_COUNT(plains); i++) {
        size_t len;

        assert_int_equal(pass(CKM_AES_KEY_WRAP, CKF_ENCRYPT, key, hex(plains[i]), &out), CKR_OK);
        len = out.len;
        memcpy(blob, out.data, len);
        assert_int_equal(pass(CKM_AES_KEY_WRAP_PKCS7, CKF_DECRYPT, key, view_of(blob, len), &out),
                         CKR_ENCRYPTED_DATA_INVALID);
        assert_int_equal(out.len, 0);
    }
    algo_key_free(key);
    writer_clear(&out);
}

static void
another_initial_value_is_another_blob(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(vectors[0].key));
    struct mechanism m = plain_mechanism(CKM_AES_KEY_WRAP);
    uint8_t blob[64];
    struct writer out;
    size_t len;

    UNUSED(state);
    writer_init(&out, 4096);
    m.params.wrap_iv.bytes = VIEW_TEXT("8 bytes!");
    assert_int_equal(run_once(&m, CKF_ENCRYPT, key, hex(vectors[0].plain), VIEW_EMPTY, &out),
                     CKR_OK);
    len = out.len;
    memcpy(blob, out.data, len);
    assert_int_equal(pass(CKM_AES_KEY_WRAP, CKF_DECRYPT, key, view_of(blob, len), &out),
                     CKR_ENCRYPTED_DATA_INVALID);
    writer_reset(&out);
    assert_int_equal(run_once(&m, CKF_DECRYPT, key, view_of(blob, len), VIEW_EMPTY, &out), CKR_OK);
    assert_view(writer_view(&out), hex(vectors[0].plain));
    algo_key_free(key);
    writer_clear(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_vectors_are_met),
        cmocka_unit_test(a_spoiled_byte_is_found_anywhere),
        cmocka_unit_test(lengths_are_as_foretold),
        cmocka_unit_test(wrong_padding_is_an_invalid_blob),
        cmocka_unit_test(another_initial_value_is_another_blob),
    };

    return cmocka_run_group_tests(tests, GROUP_SETUP, GROUP_TEARDOWN);
}
