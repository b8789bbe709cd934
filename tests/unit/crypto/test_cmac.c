/* SPDX-License-Identifier: Apache-2.0
 *
 * CMAC: the examples of NIST SP 800-38B (RFC 4493 has those of 128 bits), at once and in
 * parts, and every length that it may be cut to.
 */
#include "algo_fixture.h"

#define K128 "2b7e151628aed2a6abf7158809cf4f3c"
#define K192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define K256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define TEXT                                                             \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"   \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"

static const struct {
    const char *key;
    size_t len;
    const char *mac;
} examples[] = {
    { K128, 0, "bb1d6929e95937287fa37d129b756746" },
    { K128, 16, "070a16b46b4d4144f79bdd9dd04a287c" },
    { K128, 40, "dfa66747de9ae63030ca32611497c827" },
    { K128, 64, "51f0bebf7e3b9d92fc49741779363cfe" },
    { K192, 0, "d17ddf46adaacde531cac483de7a9367" },
    { K192, 16, "9e99a7bf31e710900662f65e617c5184" },
    { K192, 40, "8a1de5be2eb31aad089a82e6ee908b0e" },
    { K192, 64, "a1d5df0eed790f794d77589659f39a11" },
    { K256, 0, "028962f61b7bf89efc6b551f4667d983" },
    { K256, 16, "28a7023f452e8f82bd4bf28d8c37c35c" },
    { K256, 40, "aaf3d8f1de5640c232f5b169b9c911e6" },
    { K256, 64, "e1992190549f6ed5696a2c056c315410" },
};

static struct mechanism
cut_to(uint32_t len)
{
    struct mechanism m = plain_mechanism(CKM_AES_CMAC_GENERAL);

    m.params.number.number = len;
    return m;
}

static void
cmac_agrees_with_sp_800_38b(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_AES_CMAC);
    struct writer none = { 0 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        struct algo_key *key = secret_key(KIND_AES, hex(examples[i].key));
        view text = view_slice(hex(TEXT), 0, examples[i].len);

        assert_known(&m, CKF_SIGN, key, text, hex(examples[i].mac));
        assert_int_equal(run_once(&m, CKF_VERIFY, key, text, hex(examples[i].mac), &none), CKR_OK);
        assert_int_equal(run_parts(&m, CKF_VERIFY, key, text, 7, hex(examples[i].mac), &none),
                         CKR_OK);
        algo_key_free(key);
    }
}

static void
a_shorter_mac_is_the_start_of_the_whole(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K256));
    view text = hex(TEXT), mac = hex(examples[11].mac);
    struct writer none = { 0 };

    UNUSED(state);
    for (uint32_t len = 1; len <= 16; len++) {
        const struct mechanism m = cut_to(len);

        assert_known(&m, CKF_SIGN, key, text, view_slice(mac, 0, len));
        assert_int_equal(run_once(&m, CKF_VERIFY, key, text, view_slice(mac, 0, len), &none),
                         CKR_OK);
        assert_refused(&m, CKF_VERIFY, key, text, view_slice(mac, 0, len - 1),
                       CKR_SIGNATURE_LEN_RANGE);
        assert_refused(&m, CKF_VERIFY, key, view_slice(text, 1, 63), view_slice(mac, 0, len),
                       CKR_SIGNATURE_INVALID);
    }
    algo_key_free(key);
}

static void
a_length_that_no_mac_has_is_refused(void **state)
{
    static const uint32_t lengths[] = { 0, 17, 0x80000000, UINT32_MAX };
    struct algo_key *key = secret_key(KIND_AES, hex(K128));

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        const struct mechanism m = cut_to(lengths[i]);

        assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_SIGN, NULL, &m),
                         CKR_MECHANISM_PARAM_INVALID);
        assert_refused(&m, CKF_SIGN, key, hex(TEXT), VIEW_EMPTY, CKR_MECHANISM_PARAM_INVALID);
    }
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cmac_agrees_with_sp_800_38b),
        cmocka_unit_test(a_shorter_mac_is_the_start_of_the_whole),
        cmocka_unit_test(a_length_that_no_mac_has_is_refused),
    };

    return cmocka_run_group_tests_name("cmac", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
