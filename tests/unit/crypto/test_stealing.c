/* SPDX-License-Identifier: Apache-2.0
 *
 * XTS and CBC-CTS: the examples of IEEE 1619 and of RFC 3962 (whose order of the last two blocks
 * is another), every length, and what is no key of XTS. CFB64 against ECB, of which it is made.
 */
#include "algo_fixture.h"

#define K128 "2b7e151628aed2a6abf7158809cf4f3c"
#define IV "000102030405060708090a0b0c0d0e0f"
#define CHICKEN "636869636b656e207465726979616b69" /* RFC 3962's key: "chicken teriyaki" */

/* IEEE 1619, vectors 2 and 15. */
static void
xts_agrees_with_ieee_1619(void **state)
{
    static const struct {
        const char *key, *unit, *plain, *out;
    } cases[] = {
        { "1111111111111111111111111111111122222222222222222222222222222222",
          "33333333330000000000000000000000",
          "4444444444444444444444444444444444444444444444444444444444444444",
          "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0" },
        { "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0",
          "9a785634120000000000000000000000", "000102030405060708090a0b0c0d0e0f10",
          "6c1625db4671522d3d7599601de7ca09ed" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct algo_key *key = secret_key(KIND_AES_XTS, hex(cases[i].key));
        const struct mechanism m = iv_mechanism(CKM_AES_XTS, hex(cases[i].unit));

        assert_known(&m, CKF_ENCRYPT, key, hex(cases[i].plain), hex(cases[i].out));
        assert_known(&m, CKF_DECRYPT, key, hex(cases[i].out), hex(cases[i].plain));
        algo_key_free(key);
    }
}

static CK_RV
parse(view value)
{
    struct algo_key *key = NULL;
    struct writer secrets;
    CK_RV rv;

    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&secrets, CKA_VALUE, value);
    rv = algo_key_new(KIND_AES_XTS, VIEW_EMPTY, writer_view(&secrets), &key);
    writer_clear(&secrets);
    algo_key_free(key);
    return rv;
}

static void
a_key_of_xts_is_two_that_differ(void **state)
{
    uint8_t value[80] = { 1 };

    UNUSED(state);
    for (size_t len = 1; len <= sizeof value; len++) {
        assert_int_equal(parse(view_of(value, len)),
                         len == 32 || len == 64 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
    }
    value[16] = 1;
    assert_int_equal(parse(view_of(value, 32)), CKR_ATTRIBUTE_VALUE_INVALID);
    value[31] = 1;
    assert_int_equal(parse(view_of(value, 32)), CKR_OK);
}

/* RFC 3962, appendix B, has CS3: the last two blocks change places, also where both are whole. */
static void
cts_agrees_with_rfc_3962(void **state)
{
    static const struct {
        size_t len;
        const char *out; /* as CS3 */
    } cases[] = {
        { 17, "c6353568f2bf8cb4d8a580362da7ff7f97" },
        { 31, "fc00783e0efdb2c1d445d4c8eff7ed2297687268d6ecccc0c07b25e25ecfe5" },
        { 32, "39312523a78662d5be7fcbcc98ebf5a897687268d6ecccc0c07b25e25ecfe584" },
        { 47, "97687268d6ecccc0c07b25e25ecfe584b3fffd940c16a18c1b5549d2f838029e"
              "39312523a78662d5be7fcbcc98ebf5" },
    };
    view text = VIEW_TEXT("I would like the General Gau's Chicken, please, ");
    struct algo_key *key = secret_key(KIND_AES, hex(CHICKEN));
    const struct mechanism m =
        iv_mechanism(CKM_AES_CTS, hex("00000000000000000000000000000000"));

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const size_t len = cases[i].len, before = (len - 17) / 16 * 16, rest = len - before - 16;
        view swapped = hex(cases[i].out);
        uint8_t ours[64];

        memcpy(ours, swapped.data, before);
        memcpy(ours + before, swapped.data + before + 16, rest);
        memcpy(ours + before + rest, swapped.data + before, 16);
        assert_known(&m, CKF_ENCRYPT, key, view_slice(text, 0, len), view_of(ours, len));
        assert_known(&m, CKF_DECRYPT, key, view_of(ours, len), view_slice(text, 0, len));
    }
    algo_key_free(key);
}

static void
whole_blocks_of_cts_are_cbc(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    const struct mechanism cts = iv_mechanism(CKM_AES_CTS, hex(IV));
    const struct mechanism cbc = iv_mechanism(CKM_AES_CBC, hex(IV));
    static uint8_t data[64];
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t len = 16; len <= 64; len += 16) {
        writer_reset(&out);
        assert_int_equal(run_once(&cbc, CKF_ENCRYPT, key, view_of(data, len), VIEW_EMPTY, &out),
                         CKR_OK);
        assert_runs(&cts, CKF_ENCRYPT, key, view_of(data, len), writer_view(&out));
    }
    writer_clear(&out);
    algo_key_free(key);
}

static void
any_length_from_a_block_on_goes_there_and_back(void **state)
{
    static uint8_t data[300];
    struct algo_key *xts = secret_key(KIND_AES_XTS, hex(K128 IV));
    struct algo_key *aes = secret_key(KIND_AES, hex(K128));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t i = 0; i < 2 * sizeof data; i++) {
        const size_t len = i / 2;
        const struct algo_key *key = i % 2 == 0 ? xts : aes;
        const struct mechanism m = iv_mechanism(i % 2 == 0 ? CKM_AES_XTS : CKM_AES_CTS, hex(IV));

        if (len < 16) {
            assert_refused(&m, CKF_ENCRYPT, key, view_of(data, len), VIEW_EMPTY,
                           CKR_DATA_LEN_RANGE);
            assert_refused(&m, CKF_DECRYPT, key, view_of(data, len), VIEW_EMPTY,
                           CKR_ENCRYPTED_DATA_LEN_RANGE);
            continue;
        }
        writer_reset(&out);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, view_of(data, len), VIEW_EMPTY, &out),
                         CKR_OK);
        assert_int_equal(out.len, len);
        assert_memory_not_equal(out.data, data, len);
        assert_runs(&m, CKF_DECRYPT, key, writer_view(&out), view_of(data, len));
    }
    writer_clear(&out);
    algo_key_free(xts);
    algo_key_free(aes);
}

/* SP 800-38A, 6.3: each segment is xored with the start of the encrypted register, into which
 * its ciphertext is shifted then. */
static void
cfb64_is_made_of_single_blocks(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    const struct mechanism ecb = plain_mechanism(CKM_AES_ECB);
    const struct mechanism cfb = iv_mechanism(CKM_AES_CFB64, hex(IV));
    uint8_t plain[43], expected[48], reg[16];
    struct writer block;

    UNUSED(state);
    writer_init(&block, OUT_MAX);
    for (size_t i = 0; i < sizeof plain; i++) {
        plain[i] = (uint8_t)(i * 11);
    }
    memcpy(reg, hex(IV).data, sizeof reg);
    for (size_t at = 0; at < sizeof plain; at += 8) {
        writer_reset(&block);
        assert_int_equal(run_once(&ecb, CKF_ENCRYPT, key, view_of(reg, 16), VIEW_EMPTY, &block),
                         CKR_OK);
        memmove(reg, reg + 8, 8);
        for (size_t i = 0; i < 8; i++) {
            expected[at + i] =
                (uint8_t)((at + i < sizeof plain ? plain[at + i] : 0) ^ block.data[i]);
            reg[8 + i] = expected[at + i];
        }
    }
    for (size_t len = 0; len <= sizeof plain; len++) {
        assert_runs(&cfb, CKF_ENCRYPT, key, view_of(plain, len), view_of(expected, len));
        assert_runs(&cfb, CKF_DECRYPT, key, view_of(expected, len), view_of(plain, len));
    }
    writer_clear(&block);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(xts_agrees_with_ieee_1619),
        cmocka_unit_test(a_key_of_xts_is_two_that_differ),
        cmocka_unit_test(cts_agrees_with_rfc_3962),
        cmocka_unit_test(whole_blocks_of_cts_are_cbc),
        cmocka_unit_test(any_length_from_a_block_on_goes_there_and_back),
        cmocka_unit_test(cfb64_is_made_of_single_blocks),
    };

    return cmocka_run_group_tests_name("stealing", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
