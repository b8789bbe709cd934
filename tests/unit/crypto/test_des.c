/* SPDX-License-Identifier: Apache-2.0
 *
 * DES with one, two and three keys: the examples of FIPS 81 and SP 800-67, parity, padding in
 * blocks of 8, CMAC, and key wrap (the forward examples of NIST's own tests of TKW).
 */
#include "algo_fixture.h"

#define K1 "0123456789abcdef"
#define K2 "23456789abcdef01"
#define K3 "456789abcdef0123"
#define IV "1234567890abcdef"
#define TEXT VIEW_TEXT("Now is the time for all ")

/* FIPS 81, tables B1 and C1. */
static void
one_key_agrees_with_fips_81(void **state)
{
    struct algo_key *key = secret_key(KIND_DES, hex(K1));
    const struct mechanism ecb = plain_mechanism(CKM_DES_ECB);
    const struct mechanism cbc = iv_mechanism(CKM_DES_CBC, hex(IV));

    UNUSED(state);
    assert_known(&ecb, CKF_ENCRYPT, key, TEXT,
                hex("3fa40e8a984d48156a271787ab8883f9893d51ec4b563b53"));
    assert_known(&cbc, CKF_ENCRYPT, key, TEXT,
                hex("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"));
    assert_known(&cbc, CKF_DECRYPT, key, hex("e5c7cdde872bf27c43e934008c389c0f683788499a7c05f6"),
                TEXT);
    algo_key_free(key);
}

/* SP 800-67, appendix B. */
static void
three_keys_agree_with_sp_800_67(void **state)
{
    struct algo_key *key = secret_key(KIND_DES, hex(K1 K2 K3));
    const struct mechanism ecb = plain_mechanism(CKM_DES3_ECB);
    view plain = VIEW_TEXT("The qufck brown fox jump");
    view out = hex("a826fd8ce53b855fcce21c8112256fe668d5c05dd9b6b900");

    UNUSED(state);
    assert_known(&ecb, CKF_ENCRYPT, key, plain, out);
    assert_known(&ecb, CKF_DECRYPT, key, out, plain);
    algo_key_free(key);
}

static void
two_keys_are_three_of_which_the_third_is_the_first(void **state)
{
    struct algo_key *two = secret_key(KIND_DES, hex(K1 K2));
    struct algo_key *three = secret_key(KIND_DES, hex(K1 K2 K1));
    const struct mechanism cbc = iv_mechanism(CKM_DES3_CBC, hex(IV));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(&cbc, CKF_ENCRYPT, three, TEXT, VIEW_EMPTY, &out), CKR_OK);
    assert_runs(&cbc, CKF_ENCRYPT, two, TEXT, writer_view(&out));
    assert_runs(&cbc, CKF_DECRYPT, two, writer_view(&out), TEXT);
    writer_clear(&out);
    algo_key_free(two);
    algo_key_free(three);
}

/* ---- blocks of 8 ---- */

static void
padding_comes_and_goes_at_every_length(void **state)
{
    struct algo_key *key = secret_key(KIND_DES, hex(K1 K2 K3));
    const struct mechanism m = iv_mechanism(CKM_DES3_CBC_PAD, hex(IV));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t len = 0; len <= TEXT.len; len++) {
        view text = view_slice(TEXT, 0, len);
        uint8_t sealed[40];

        writer_reset(&out);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, text, VIEW_EMPTY, &out), CKR_OK);
        assert_int_equal(out.len, (len / 8 + 1) * 8);
        memcpy(sealed, out.data, out.len);
        assert_runs(&m, CKF_ENCRYPT, key, text, view_of(sealed, out.len));
        assert_runs(&m, CKF_DECRYPT, key, view_of(sealed, out.len), text);
        assert_refused(&m, CKF_DECRYPT, key, view_slice(view_of(sealed, out.len), 0, out.len - 1),
                       VIEW_EMPTY, CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* Every last byte there may be, over a last block that is known. */
static void
wrong_padding_is_told_in_one_way(void **state)
{
    struct algo_key *key = secret_key(KIND_DES, hex(K1 K2 K3));
    const struct mechanism plain = iv_mechanism(CKM_DES3_CBC, hex(IV));
    const struct mechanism padded = iv_mechanism(CKM_DES3_CBC_PAD, hex(IV));
    struct writer out, back;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    writer_init(&back, OUT_MAX);
    for (unsigned last = 0; last < 256; last++) {
        uint8_t text[16] = { 0 };
        bool good = last == 1 || last == 8;

        memset(text + 8, 8, 8);
        text[15] = (uint8_t)last;
        writer_reset(&out);
        writer_reset(&back);
        assert_int_equal(run_once(&plain, CKF_ENCRYPT, key, view_of(text, 16), VIEW_EMPTY, &out),
                         CKR_OK);
        assert_int_equal(run_once(&padded, CKF_DECRYPT, key, writer_view(&out), VIEW_EMPTY, &back),
                         good ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID);
        assert_int_equal(back.len, last == 1 ? 15 : last == 8 ? 8 : 0);
    }
    writer_clear(&out);
    writer_clear(&back);
    algo_key_free(key);
}

static void
partial_blocks_and_long_ivs_are_refused(void **state)
{
    struct algo_key *key = secret_key(KIND_DES, hex(K1 K2 K3));
    const struct mechanism m = iv_mechanism(CKM_DES3_CBC, hex(IV));
    const struct mechanism aes = iv_mechanism(CKM_DES3_CBC, hex(IV IV));

    UNUSED(state);
    for (size_t len = 1; len < 24; len += len % 8 == 7 ? 2 : 1) {
        view in = view_slice(TEXT, 0, len);

        assert_refused(&m, CKF_ENCRYPT, key, in, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
        assert_refused(&m, CKF_DECRYPT, key, in, VIEW_EMPTY, CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
    assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_ENCRYPT, NULL, &m), CKR_OK);
    assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_ENCRYPT, NULL, &aes),
                     CKR_MECHANISM_PARAM_INVALID);
    algo_key_free(key);
}

/* ---- keys ---- */

static CK_RV
parse(view attributes, view value)
{
    struct algo_key *key = NULL;
    struct writer w;
    CK_RV rv;

    writer_init(&w, ATTRIBUTES_BYTES_MAX);
    attribute_write(&w, CKA_VALUE, value);
    rv = algo_key_new(KIND_DES, attributes, writer_view(&w), &key);
    writer_clear(&w);
    algo_key_free(key);
    return rv;
}

static void
a_key_has_its_length_and_its_parity(void **state)
{
    uint8_t value[32], room[16];
    struct writer type;

    UNUSED(state);
    writer_init_fixed(&type, room, sizeof room);
    attribute_write_ulong(&type, CKA_KEY_TYPE, CKK_DES3);
    memset(value, 1, sizeof value);
    for (size_t len = 0; len <= sizeof value; len++) {
        bool good = len == 8 || len == 16 || len == 24;

        assert_int_equal(parse(VIEW_EMPTY, view_of(value, len)),
                         good ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        assert_int_equal(parse(writer_view(&type), view_of(value, len)),
                         len == 24 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
    }
    for (size_t bit = 0; bit < 8 * 24; bit++) {
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(parse(VIEW_EMPTY, view_of(value, 24)), CKR_ATTRIBUTE_VALUE_INVALID);
        value[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}

static void
derived_bytes_get_their_parity(void **state)
{
    uint8_t value[256];

    UNUSED(state);
    for (unsigned i = 0; i < 256; i++) {
        value[i] = (uint8_t)i;
    }
    algo_value_adjust(KIND_GENERIC, value, sizeof value);
    assert_int_equal(value[3], 3);
    algo_value_adjust(KIND_DES, value, sizeof value);
    for (unsigned i = 0; i < 256; i++) {
        assert_int_equal(__builtin_popcount(value[i]) % 2, 1);
        assert_int_equal(value[i] >> 1, i >> 1);
    }
}

static void
the_check_value_is_a_block_of_zeros_encrypted(void **state)
{
    struct algo_key *key = secret_key(KIND_DES, hex(K1));
    const struct mechanism ecb = plain_mechanism(CKM_DES_ECB);
    struct writer attributes, none, block;
    uint64_t len;
    view check;

    UNUSED(state);
    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&none, 1);
    writer_init(&block, OUT_MAX);
    assert_int_equal(algo_key_made(KIND_DES, key, VIEW_EMPTY, &attributes, &none), CKR_OK);
    assert_true(attributes_find(writer_view(&attributes), CKA_CHECK_VALUE, &check));
    assert_view(check, hex("d5d44f")); /* E(0123456789abcdef, 0) = d5d44ff720683d0d */
    assert_false(attributes_ulong(writer_view(&attributes), CKA_VALUE_LEN, &len));
    assert_int_equal(run_once(&ecb, CKF_ENCRYPT, key, hex("0000000000000000"), VIEW_EMPTY, &block),
                     CKR_OK);
    assert_view(writer_view(&block), hex("d5d44ff720683d0d"));
    writer_clear(&block);
    writer_clear(&attributes);
    writer_clear(&none);
    algo_key_free(key);
}

/* ---- MACs ---- */

/* SP 800-38B, D.4 and D.5, as corrected. */
static void
cmac_agrees_with_sp_800_38b(void **state)
{
    static const struct {
        const char *key, *text, *mac;
    } examples[] = {
        { "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "", "b7a688e122ffaf95" },
        { "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5", "6bc1bee22e409f96",
          "8e8f293136283797" },
        { "8aa83bf8cbda10620bc1bf19fbb6cd58bc313d4a371ca8b5",
          "6bc1bee22e409f96e93d7e117393172aae2d8a57", "743ddbe0ce2dc2ed" },
        { "4cf15134a2850dd58a3d10ba80570d38", "", "bd2ebf9a3ba00361" },
        { "4cf15134a2850dd58a3d10ba80570d38", "6bc1bee22e409f96", "4ff2ab813c53ce83" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        struct algo_key *key = secret_key(KIND_DES, hex(examples[i].key));
        view text = hex(examples[i].text), mac = hex(examples[i].mac);
        struct mechanism cut = plain_mechanism(CKM_DES3_CMAC_GENERAL);
        const struct mechanism m = plain_mechanism(CKM_DES3_CMAC);

        assert_known(&m, CKF_SIGN, key, text, mac);
        for (uint32_t len = 1; len <= 9; len++) {
            cut.params.number.number = len;
            if (len <= 8) {
                assert_known(&cut, CKF_SIGN, key, text, view_slice(mac, 0, len));
            } else {
                assert_refused(&cut, CKF_SIGN, key, text, VIEW_EMPTY, CKR_MECHANISM_PARAM_INVALID);
            }
        }
        algo_key_free(key);
    }
}

/* ---- key wrap ---- */

static void
tkw_agrees_with_nist(void **state)
{
    static const struct {
        const char *plain, *wrapped;
    } cases[] = {
        { "0011223344556677", "16277d1db80d82a76de53a76" },
        { "00112233445566778899aabbccddeeff", "75f5f26521d739ba33f9619b52d2ab0d29822081" },
    };
    /* 00 01 02 ... 17 with the parity that DES ignores. */
    struct algo_key *key =
        secret_key(KIND_DES, hex("010102020404070708080b0b0d0d0e0e1010131315151616"));
    const struct mechanism m = plain_mechanism(CKM_DES3_NIST_WRAP);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        view plain = hex(cases[i].plain), wrapped = hex(cases[i].wrapped);
        uint8_t spoiled[32];

        assert_runs(&m, CKF_ENCRYPT, key, plain, wrapped);
        assert_runs(&m, CKF_DECRYPT, key, wrapped, plain);
        for (size_t bit = 0; bit < 8 * wrapped.len; bit++) {
            memcpy(spoiled, wrapped.data, wrapped.len);
            spoiled[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_refused(&m, CKF_DECRYPT, key, view_of(spoiled, wrapped.len), VIEW_EMPTY,
                           CKR_ENCRYPTED_DATA_INVALID);
        }
    }
    for (size_t len = 0; len <= 14; len++) {
        view in = view_slice(TEXT, 0, len);

        if (len % 4 != 0 || len < 8) {
            assert_refused(&m, CKF_ENCRYPT, key, in, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
        }
        if (len % 4 != 0 || len < 12) {
            assert_refused(&m, CKF_DECRYPT, key, in, VIEW_EMPTY, CKR_ENCRYPTED_DATA_LEN_RANGE);
        }
    }
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_key_agrees_with_fips_81),
        cmocka_unit_test(three_keys_agree_with_sp_800_67),
        cmocka_unit_test(two_keys_are_three_of_which_the_third_is_the_first),
        cmocka_unit_test(padding_comes_and_goes_at_every_length),
        cmocka_unit_test(wrong_padding_is_told_in_one_way),
        cmocka_unit_test(partial_blocks_and_long_ivs_are_refused),
        cmocka_unit_test(cmac_agrees_with_sp_800_38b),
        cmocka_unit_test(a_key_has_its_length_and_its_parity),
        cmocka_unit_test(derived_bytes_get_their_parity),
        cmocka_unit_test(the_check_value_is_a_block_of_zeros_encrypted),
        cmocka_unit_test(tkw_agrees_with_nist),
    };

    return RUN_GROUP("des", tests, 4);
}
