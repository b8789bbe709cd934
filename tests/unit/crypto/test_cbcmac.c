/* SPDX-License-Identifier: Apache-2.0
 *
 * MACs from CBC: the example of FIPS 113, those of RFC 3566, and for the rest the last block of
 * CBC itself.
 */
#include "algo_fixture.h"

#define K1 "0123456789abcdef"
#define K2 "23456789abcdef01"
#define K3 "456789abcdef0123"
#define K128 "000102030405060708090a0b0c0d0e0f"
#define K256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"

static struct mechanism
cut_to(CK_MECHANISM_TYPE type, uint32_t len)
{
    struct mechanism m = plain_mechanism(type);

    m.params.number.number = len;
    return m;
}

/* FIPS 113, appendix. */
static void
des_agrees_with_fips_113(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_DES_MAC);
    const struct mechanism whole = cut_to(CKM_DES_MAC_GENERAL, 8);
    struct algo_key *key = secret_key(KIND_DES, hex(K1));
    view text = VIEW_TEXT("7654321 Now is the time for ");

    UNUSED(state);
    assert_known(&m, CKF_SIGN, key, text, hex("f1d30f68"));
    assert_known(&whole, CKF_SIGN, key, text, hex("f1d30f6849312ca4"));
    algo_key_free(key);
}

/* RFC 3566, 4.6. */
static void
xcbc_agrees_with_rfc_3566(void **state)
{
    static const struct {
        size_t len;
        const char *mac;
    } cases[] = {
        { 0, "75f0251d528ac01c4573dfd584d79f29" },  { 3, "5b376580ae2f19afe7219ceef172756f" },
        { 16, "d2a246fa349b68a79998a4394ff7a263" }, { 20, "47f51b4564966215b8985c63055ed308" },
        { 32, "f54f0ec8d2b9f3d36807734bd5283fd4" }, { 34, "becbb3bccdb518a30677d5481fb6b4d8" },
    };
    static uint8_t zeros[1000];
    const struct mechanism m = plain_mechanism(CKM_AES_XCBC_MAC);
    const struct mechanism cut = plain_mechanism(CKM_AES_XCBC_MAC_96);
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    view text = hex(K128 "101112131415161718191a1b1c1d1e1f2021");

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        view in = view_slice(text, 0, cases[i].len), mac = hex(cases[i].mac);

        assert_known(&m, CKF_SIGN, key, in, mac);
        assert_known(&cut, CKF_SIGN, key, in, view_slice(mac, 0, 12));
    }
    assert_known(&m, CKF_SIGN, key, view_of(zeros, sizeof zeros),
                hex("f0dafee895db30253761103b5d84528f"));
    algo_key_free(key);
}

/* At every length: what CBC makes of it with zeros to the end of the block, and no less than one
 * block of it. */
static void
a_mac_is_the_last_block_of_cbc(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE mac, general, cbc;
        enum object_kind kind;
        size_t block;
        const char *key;
    } kinds[] = {
        { CKM_DES_MAC, CKM_DES_MAC_GENERAL, CKM_DES_CBC, KIND_DES, 8, K1 },
        { CKM_DES3_MAC, CKM_DES3_MAC_GENERAL, CKM_DES3_CBC, KIND_DES, 8, K1 K2 K3 },
        { CKM_AES_MAC, CKM_AES_MAC_GENERAL, CKM_AES_CBC, KIND_AES, 16, K256 },
    };
    static uint8_t data[10000];
    static const uint8_t zeros[16];
    struct writer out, none = { 0 };

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        const size_t block = kinds[i].block;
        const struct mechanism cbc = iv_mechanism(kinds[i].cbc, view_of(zeros, block));
        struct algo_key *key = secret_key(kinds[i].kind, hex(kinds[i].key));

        for (size_t len = 0; len <= sizeof data; len += len < 40 ? 1 : 3320) {
            size_t filled = len == 0 ? block : (len + block - 1) / block * block;
            struct mechanism m = plain_mechanism(kinds[i].mac);
            view mac;

            memset(data, 0, sizeof data);
            memset(data, 'x', len);
            writer_reset(&out);
            assert_int_equal(run_once(&cbc, CKF_ENCRYPT, key, view_of(data, filled), VIEW_EMPTY,
                                      &out), CKR_OK);
            mac = view_slice(writer_view(&out), filled - block, block);
            assert_runs(&m, CKF_SIGN, key, view_of(data, len), view_slice(mac, 0, block / 2));
            for (uint32_t cut = 1; cut <= block; cut++) {
                m = cut_to(kinds[i].general, cut);
                assert_runs(&m, CKF_SIGN, key, view_of(data, len), view_slice(mac, 0, cut));
                assert_int_equal(run_once(&m, CKF_VERIFY, key, view_of(data, len),
                                          view_slice(mac, 0, cut), &none), CKR_OK);
                assert_refused(&m, CKF_VERIFY, key, view_of(data, len),
                               view_slice(mac, 0, cut - 1), CKR_SIGNATURE_LEN_RANGE);
            }
            data[0] ^= 1;
            assert_refused(&m, CKF_VERIFY, key, view_of(data, size_max(len, 1)), mac,
                           CKR_SIGNATURE_INVALID);
        }
        for (uint32_t wrong = 0; wrong < 2; wrong++) {
            const struct mechanism m =
                cut_to(kinds[i].general, wrong == 0 ? 0 : (uint32_t)block + 1);

            assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_SIGN, NULL, &m),
                             CKR_MECHANISM_PARAM_INVALID);
            assert_refused(&m, CKF_SIGN, key, VIEW_EMPTY, VIEW_EMPTY,
                           CKR_MECHANISM_PARAM_INVALID);
        }
        algo_key_free(key);
    }
    writer_clear(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(des_agrees_with_fips_113),
        cmocka_unit_test(xcbc_agrees_with_rfc_3566),
        cmocka_unit_test(a_mac_is_the_last_block_of_cbc),
    };

    return cmocka_run_group_tests_name("cbcmac", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
