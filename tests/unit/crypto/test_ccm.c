/* SPDX-License-Identifier: Apache-2.0
 *
 * CCM: the four examples of NIST SP 800-38C, at once and in parts, and every wrong byte,
 * length and parameter.
 */
#include "algo_fixture.h"

#define KEY "404142434445464748494a4b4c4d4e4f"
#define TEXT "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"
#define NONCE "101112131415161718191a1b1c"

static const struct {
    size_t nonce_len, aad_len, len;
    uint32_t mac_len;
    const char *out;
} examples[] = {
    { 7, 8, 4, 4, "7162015b4dac255d" },
    { 8, 16, 16, 6, "d2a1f0e051ea5f62081a7792073d593d1fc64fbfaccd" },
    { 12, 20, 24, 8, "e3b201a9f5b71a7a9b1ceaeccd97e70b6176aad9a4428aa5484392fbc1b09951" },
    { 13, 65536, 32, 14,
      "69915dad1e84c6376a68c2967e4dab615ae0fd1faec44cc484828529463ccf72b4ac6bec93e8598e"
      "7f0dadbcea5b" },
};

static uint8_t aad[65536];

static struct mechanism
ccm_mechanism(size_t len, size_t nonce_len, size_t aad_len, uint32_t mac_len)
{
    static uint8_t nonce[16];
    struct mechanism m = plain_mechanism(CKM_AES_CCM);

    memcpy(nonce, hex(NONCE).data, 13);
    for (size_t i = 0; i < sizeof aad; i++) {
        aad[i] = (uint8_t)i;
    }
    m.params.ccm = (struct params_ccm){ (uint32_t)len, view_of(nonce, nonce_len),
                                        view_of(aad, aad_len), mac_len };
    return m;
}

static struct mechanism
example(size_t i)
{
    return ccm_mechanism(examples[i].len, examples[i].nonce_len, examples[i].aad_len,
                         examples[i].mac_len);
}

static void
ccm_agrees_with_sp_800_38c(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(KEY));

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(examples); i++) {
        const struct mechanism m = example(i);
        view text = view_slice(hex(TEXT), 0, examples[i].len), out = hex(examples[i].out);

        assert_known(&m, CKF_ENCRYPT, key, text, out);
        assert_known(&m, CKF_DECRYPT, key, out, text);
    }
    algo_key_free(key);
}

static void
every_wrong_byte_has_one_code(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(KEY));
    const struct mechanism m = example(2);
    view out = hex(examples[2].out);
    uint8_t wrong[64];

    UNUSED(state);
    memcpy(wrong, out.data, out.len);
    for (size_t i = 0; i < out.len; i++) {
        wrong[i] ^= 0x10;
        assert_refused(&m, CKF_DECRYPT, key, view_of(wrong, out.len), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_INVALID);
        wrong[i] ^= 0x10;
    }
    algo_key_free(key);
}

static void
a_message_is_as_long_as_was_said(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(KEY));
    const struct mechanism m = example(2);
    uint8_t sealed[64] = { 0 };
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    memcpy(sealed, hex(examples[2].out).data, 32);
    for (size_t len = 0; len < sizeof sealed; len++) {
        if (len != 24) {
            assert_refused(&m, CKF_ENCRYPT, key, view_of(sealed, len), VIEW_EMPTY,
                           CKR_DATA_LEN_RANGE);
            assert_int_equal(run_parts(&m, CKF_ENCRYPT, key, view_of(sealed, len), 5, VIEW_EMPTY,
                                       &out), CKR_DATA_LEN_RANGE);
        }
        if (len != 32) {
            assert_refused(&m, CKF_DECRYPT, key, view_of(sealed, len), VIEW_EMPTY,
                           CKR_ENCRYPTED_DATA_LEN_RANGE);
            assert_int_equal(run_parts(&m, CKF_DECRYPT, key, view_of(sealed, len), 5, VIEW_EMPTY,
                                       &out), CKR_ENCRYPTED_DATA_LEN_RANGE);
        }
    }
    writer_clear(&out);
    algo_key_free(key);
}

static void
parameters_are_held_to_the_standard(void **state)
{
    static const struct {
        size_t len, nonce_len;
        uint32_t mac_len;
        CK_RV rv;
    } cases[] = {
        { 9, 6, 16, CKR_MECHANISM_PARAM_INVALID },
        { 9, 7, 16, CKR_OK },
        { 65535, 13, 16, CKR_OK },
        { 65536, 13, 16, CKR_MECHANISM_PARAM_INVALID },
        { 0xffffff, 12, 16, CKR_OK },
        { 0x1000000, 12, 16, CKR_MECHANISM_PARAM_INVALID },
        { UINT32_MAX, 11, 16, CKR_OK },
        { 9, 14, 16, CKR_MECHANISM_PARAM_INVALID },
        { 9, 12, 2, CKR_MECHANISM_PARAM_INVALID },
        { 9, 12, 4, CKR_OK },
        { 9, 12, 5, CKR_MECHANISM_PARAM_INVALID },
        { 9, 12, 18, CKR_MECHANISM_PARAM_INVALID },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct mechanism m =
            ccm_mechanism(cases[i].len, cases[i].nonce_len, 0, cases[i].mac_len);

        assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_ENCRYPT, NULL, &m),
                         cases[i].rv);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ccm_agrees_with_sp_800_38c),
        cmocka_unit_test(every_wrong_byte_has_one_code),
        cmocka_unit_test(a_message_is_as_long_as_was_said),
        cmocka_unit_test(parameters_are_held_to_the_standard),
    };

    return cmocka_run_group_tests_name("ccm", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
