/* SPDX-License-Identifier: Apache-2.0
 *
 * GMAC: a vector of NIST's GCM suite without plaintext, and agreement with GCM of nothing for
 * messages, IVs and tags of many lengths.
 */
#include "algo_fixture.h"

#define KEY "77be63708971c4e240d1cb79e8d77feb"
#define NIST_IV "e0e00f19fed7ba0136a797f3"
#define NIST_TEXT "7a43ec1d9c0a5a78a0b16533a6213cab"
#define NIST_TAG "209fcc8d3675ed938e9c7166709dd946"

static struct mechanism
gmac_mechanism(view iv, uint32_t tag_bits)
{
    struct mechanism m = plain_mechanism(CKM_AES_GMAC);

    m.params.gcm.iv = iv;
    m.params.gcm.tag_bits = tag_bits;
    return m;
}

static void
gmac_agrees_with_nists_vector(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(KEY));
    const struct mechanism m = gmac_mechanism(hex(NIST_IV), 128);
    struct writer none = { 0 };

    UNUSED(state);
    assert_known(&m, CKF_SIGN, key, hex(NIST_TEXT), hex(NIST_TAG));
    assert_int_equal(run_once(&m, CKF_VERIFY, key, hex(NIST_TEXT), hex(NIST_TAG), &none), CKR_OK);
    assert_refused(&m, CKF_VERIFY, key, hex(NIST_IV), hex(NIST_TAG), CKR_SIGNATURE_INVALID);
    assert_refused(&m, CKF_VERIFY, key, hex(NIST_TEXT), view_slice(hex(NIST_TAG), 0, 15),
                   CKR_SIGNATURE_LEN_RANGE);
    algo_key_free(key);
}

static void
gmac_is_the_tag_of_gcm_of_nothing(void **state)
{
    static const size_t iv_lengths[] = { 1, 12, 16, 128, 129, 256 };
    static const uint32_t tag_bits[] = { 32, 64, 96, 104, 128 };
    struct algo_key *key = secret_key(KIND_AES, hex(KEY KEY));
    uint8_t bytes[300];
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 53 + 7);
    }
    for (size_t i = 0; i < ARRAY_COUNT(iv_lengths) * ARRAY_COUNT(tag_bits); i++) {
        view iv = view_of(bytes, iv_lengths[i % ARRAY_COUNT(iv_lengths)]);
        view text = view_of(bytes, 10 * i);
        uint32_t bits = tag_bits[i / ARRAY_COUNT(iv_lengths)];
        const struct mechanism gcm = gcm_mechanism(iv, text, bits);
        const struct mechanism m = gmac_mechanism(iv, bits);

        writer_reset(&out);
        assert_int_equal(run_once(&gcm, CKF_ENCRYPT, key, VIEW_EMPTY, VIEW_EMPTY, &out), CKR_OK);
        assert_int_equal(out.len, bits / 8);
        assert_runs(&m, CKF_SIGN, key, text, writer_view(&out));
    }
    writer_clear(&out);
    algo_key_free(key);
}

static void
additional_data_and_a_missing_iv_are_refused(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(KEY));
    const struct mechanism_row *row = mechanism_row(CKM_AES_GMAC);
    struct mechanism m = gmac_mechanism(VIEW_EMPTY, 128);

    UNUSED(state);
    assert_int_equal(params_check(standard, row, CKF_SIGN, NULL, &m), CKR_MECHANISM_PARAM_INVALID);
    assert_refused(&m, CKF_SIGN, key, hex(NIST_TEXT), VIEW_EMPTY, CKR_MECHANISM_PARAM_INVALID);
    m.params.gcm.iv = hex(NIST_IV);
    assert_int_equal(params_check(standard, row, CKF_SIGN, NULL, &m), CKR_OK);
    m.params.gcm.aad = hex(NIST_TEXT);
    assert_int_equal(params_check(standard, row, CKF_SIGN, NULL, &m), CKR_MECHANISM_PARAM_INVALID);
    algo_key_free(key);
}

static void
a_mark_is_of_its_number_and_bytes(void **state)
{
    uint8_t key[32] = { 1 }, piece[100] = { 0 }, mark[ALGO_PIECE_LEN], other[ALGO_PIECE_LEN];
    struct algo_pieces *pieces = algo_pieces_new(key);
    struct algo_pieces *others;

    UNUSED(state);
    assert_non_null(pieces);
    assert_true(algo_pieces_mark(pieces, 7, view_of(piece, sizeof piece), mark));
    assert_true(algo_pieces_mark(pieces, 8, view_of(piece, sizeof piece), other));
    assert_memory_not_equal(mark, other, sizeof mark);
    for (size_t i = 0; i < 8 * sizeof piece; i++) {
        piece[i / 8] ^= (uint8_t)(1 << i % 8);
        assert_true(algo_pieces_mark(pieces, 7, view_of(piece, sizeof piece), other));
        assert_memory_not_equal(mark, other, sizeof mark);
        piece[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t len = 0; len < sizeof piece; len++) {
        assert_true(algo_pieces_mark(pieces, 7, view_of(piece, len), other));
        assert_memory_not_equal(mark, other, sizeof mark);
    }
    assert_true(algo_pieces_mark(pieces, 7, view_of(piece, sizeof piece), other));
    assert_memory_equal(mark, other, sizeof mark);
    key[31] = 1;
    others = algo_pieces_new(key);
    assert_non_null(others);
    assert_true(algo_pieces_mark(others, 7, view_of(piece, sizeof piece), other));
    assert_memory_not_equal(mark, other, sizeof mark);
    algo_pieces_free(others);
    algo_pieces_free(pieces);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gmac_agrees_with_nists_vector),
        cmocka_unit_test(gmac_is_the_tag_of_gcm_of_nothing),
        cmocka_unit_test(additional_data_and_a_missing_iv_are_refused),
        cmocka_unit_test(a_mark_is_of_its_number_and_bytes),
    };

    return cmocka_run_group_tests_name("gmac", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
