/* SPDX-License-Identifier: Apache-2.0
 *
 * Mechanisms and curves as tables, and what follows from a row: what a policy offers, what
 * running costs, how long the output is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rules/key.h"

static const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
static const struct rules standard_api = { POLICY_STANDARD, INTERFACE_API, 0 };
static const struct rules azure = { POLICY_AZURE, INTERFACE_P11, 0 };
static const struct rules azure_api = { POLICY_AZURE, INTERFACE_API, 0 };
static const struct rules fips = { POLICY_FIPS, INTERFACE_P11, 0 };
static const struct rules fips_api = { POLICY_FIPS, INTERFACE_API, 0 };

static void
rows_are_sorted_and_found(void **state)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    assert_true(count > 30);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(mechanism_row(rows[i].type), &rows[i]);
        assert_true(i == 0 || rows[i - 1].type < rows[i].type);
        assert_memory_equal(rows[i].name, "CKM_", 4);
    }
    assert_null(mechanism_row(CKM_BLOWFISH_CBC));
    assert_null(mechanism_row(~(CK_MECHANISM_TYPE)0));
}

/* The rows of ciphers.def are found by their number, and say what their mechanism's row says. */
static void
ciphers_have_rows(void **state)
{
    size_t count, found = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        const struct cipher_row *cipher = cipher_row(&rows[i]);
        const bool block = rows[i].driver == DRIVER_cipher || rows[i].driver == DRIVER_cbcmac ||
                           rows[i].driver == DRIVER_cmac || rows[i].driver == DRIVER_stealing;

        assert_true(cipher->type == rows[i].type || !block);
        assert_true(cipher->mode != MODE_COUNT || !block);
        assert_true(rows[i].out != OUT_pad || cipher->unit == cipher->block);
        assert_true(rows[i].out != OUT_mac || mechanism_mac_len(&rows[i]) > 0);
        found += cipher->type == rows[i].type;
    }
    assert_true(found > 30);
    assert_int_equal(cipher_row(mechanism_row(CKM_DES3_CBC))->block, 8);
    assert_int_equal(cipher_row(mechanism_row(CKM_AES_CBC))->block, 16);
    assert_int_equal(cipher_row(mechanism_row(CKM_AES_OFB))->unit, 1);
}

/* What would use a nonce or a key again and again is none for messages. */
static void
messages_are_for_those_that_can_go_on(void **state)
{
    UNUSED(state);
    assert_true(mechanism_messages(standard, mechanism_row(CKM_SHA256_HMAC)) & CKF_MESSAGE_SIGN);
    assert_true(mechanism_messages(standard, mechanism_row(CKM_CHACHA20_POLY1305)) &
                CKF_MESSAGE_ENCRYPT);
    assert_int_equal(mechanism_messages(standard, mechanism_row(CKM_POLY1305)), 0);
    assert_int_equal(mechanism_messages(standard, mechanism_row(CKM_AES_GMAC)), 0);
    assert_int_equal(mechanism_messages(standard, mechanism_row(CKM_CHACHA20)), 0);
}

static void
rows_agree_with_themselves(void **state)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        const struct mechanism_row *row = &rows[i];

        assert_true(row->driver < DRIVER_COUNT);
        assert_int_equal(row->key_type == KEY_TYPE_NONE, row->driver == DRIVER_digest);
        assert_true(row->out != OUT_hash || row->hash != HASH_NONE);
        for (size_t policy = 0; policy < POLICY_COUNT; policy++) {
            const struct mechanism_limit *limit = &row->limit[policy];

            assert_true(limit->min <= limit->max);
            assert_true(limit->functions != 0 || limit->max == 0);
            /* What azure offers, standard offers; what fips offers, azure offers. */
            assert_int_equal(limit->functions & ~row->limit[POLICY_STANDARD].functions, 0);
        }
        assert_int_equal(row->limit[POLICY_FIPS].functions & ~row->limit[POLICY_AZURE].functions,
                         0);
    }
}

static void
a_mechanism_is_offered_for_its_functions_only(void **state)
{
    UNUSED(state);
    assert_non_null(mechanism_for(azure, CKM_AES_GCM, CKF_ENCRYPT));
    assert_null(mechanism_for(azure, CKM_AES_GCM, CKF_SIGN));
    assert_null(mechanism_for(azure, CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_ENCRYPT));
    assert_non_null(mechanism_for(azure, CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR));
    assert_null(mechanism_for(azure, CKM_BLOWFISH_CBC, CKF_ENCRYPT));
    assert_null(mechanism_for(azure, CKM_RSA_X_509, CKF_DECRYPT));
    assert_null(mechanism_for(azure, CKM_AES_ECB, 0));
}

static void
fips_withholds_and_narrows(void **state)
{
    static const CK_MECHANISM_TYPE withheld[] = { CKM_DES_CBC, CKM_DES_CBC_PAD,
                                                  CKM_RC4 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(withheld); i++) {
        assert_non_null(mechanism_for(azure, withheld[i], CKF_ENCRYPT));
        assert_null(mechanism_for(fips, withheld[i], CKF_ENCRYPT));
    }
    assert_non_null(mechanism_for(fips, CKM_DES3_CBC, CKF_ENCRYPT));
    assert_null(mechanism_for(azure, CKM_DES3_CBC, CKF_WRAP));
    assert_true(mechanism_offers_type(azure, CKK_DES));
    assert_false(mechanism_offers_type(fips, CKK_DES));
    assert_false(mechanism_offers_type(azure, CKK_DES2));
    assert_true(mechanism_offers_type(standard, CKK_DES2));
    assert_non_null(mechanism_for(azure, CKM_ECDSA_SHA1, CKF_SIGN));
    assert_null(mechanism_for(fips, CKM_ECDSA_SHA1, CKF_SIGN));
    assert_int_equal(mechanism_limit(azure, mechanism_row(CKM_RSA_PKCS))->min, 1024);
    assert_int_equal(mechanism_limit(fips, mechanism_row(CKM_RSA_PKCS))->min, 2048);
}

/* The rows of the seeds' tables for RSA, by hand; sizes as seed-requirements C-7 and C-8 settle
 * them. What they do not list is in neither policy. */
static const struct {
    CK_MECHANISM_TYPE type;
    CK_FLAGS functions;
    bool fips;
} seeds_rsa[] = {
    { CKM_RSA_X9_31_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, true },
    { CKM_RSA_PKCS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR, true },
    { CKM_RSA_PKCS,
      CKF_ENCRYPT | CKF_DECRYPT | CKF_SIGN | CKF_VERIFY | CKF_WRAP | CKF_UNWRAP, true },
    { CKM_RSA_PKCS_OAEP, CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP, true },
    { CKM_MD5_RSA_PKCS, CKF_SIGN | CKF_VERIFY, false },
    { CKM_SHA1_RSA_PKCS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA224_RSA_PKCS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA256_RSA_PKCS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA384_RSA_PKCS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA512_RSA_PKCS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_RSA_PKCS_PSS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA1_RSA_PKCS_PSS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA224_RSA_PKCS_PSS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA256_RSA_PKCS_PSS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA384_RSA_PKCS_PSS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_SHA512_RSA_PKCS_PSS, CKF_SIGN | CKF_VERIFY, true },
    { CKM_RSA_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP, true },
};

static void
rsa_is_as_in_the_tables_of_the_seeds(void **state)
{
    size_t count, rsa = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(seeds_rsa); i++) {
        const struct mechanism_row *row = mechanism_row(seeds_rsa[i].type);

        assert_non_null(row);
        assert_int_equal(mechanism_limit(azure, row)->functions, seeds_rsa[i].functions);
        assert_int_equal(mechanism_limit(azure, row)->min, 1024);
        assert_int_equal(mechanism_limit(azure, row)->max, 4096);
        assert_int_equal(mechanism_limit(fips, row)->functions,
                         seeds_rsa[i].fips ? seeds_rsa[i].functions : 0);
        assert_int_equal(mechanism_limit(fips, row)->min, seeds_rsa[i].fips ? 2048 : 0);
        assert_int_equal(mechanism_limit(fips, row)->max, seeds_rsa[i].fips ? 4096 : 0);
    }
    for (size_t i = 0; i < count; i++) {
        rsa += rows[i].key_type == CKK_RSA && mechanism_limit(azure, &rows[i])->functions != 0;
    }
    assert_int_equal(rsa, ARRAY_COUNT(seeds_rsa));
}

static void
private_rsa_and_slow_curves_leave_the_loop(void **state)
{
    const struct mechanism_row *rsa = mechanism_row(CKM_SHA256_RSA_PKCS);
    const struct mechanism_row *ecdsa = mechanism_row(CKM_ECDSA);
    const struct key_info p256 = { .bits = 256, .curve = 2 };
    const struct key_info p384 = { .bits = 384, .curve = 14 };
    const struct key_info secp256k1 = { .bits = 256, .curve = 16 };
    const struct key_info ed25519 = { .bits = 255, .curve = 28 };
    const struct key_info ed448 = { .bits = 448, .curve = 29 };

    UNUSED(state);
    assert_int_equal(mechanism_work(rsa, CKF_SIGN, NULL), WORK_cpu);
    assert_int_equal(mechanism_work(rsa, CKF_VERIFY, NULL), WORK_inline);
    assert_int_equal(mechanism_work(mechanism_row(CKM_RSA_PKCS), CKF_DECRYPT, NULL), WORK_cpu);
    assert_int_equal(mechanism_work(mechanism_row(CKM_RSA_PKCS), CKF_ENCRYPT, NULL), WORK_inline);
    assert_int_equal(mechanism_work(ecdsa, CKF_SIGN, &p256), WORK_inline);
    assert_int_equal(mechanism_work(ecdsa, CKF_SIGN, &p384), WORK_cpu);
    assert_int_equal(mechanism_work(ecdsa, CKF_SIGN, &secp256k1), WORK_cpu);
    assert_int_equal(mechanism_work(mechanism_row(CKM_EDDSA), CKF_SIGN, &ed25519), WORK_inline);
    assert_int_equal(mechanism_work(mechanism_row(CKM_EDDSA), CKF_SIGN, &ed448), WORK_cpu);
    assert_int_equal(mechanism_work(mechanism_row(CKM_EDDSA), CKF_SIGN, NULL), WORK_cpu);
    assert_int_equal(mechanism_work(mechanism_row(CKM_AES_GCM), CKF_ENCRYPT, NULL), WORK_inline);
    assert_int_equal(
        mechanism_work(mechanism_row(CKM_RSA_PKCS_KEY_PAIR_GEN), CKF_GENERATE_KEY_PAIR, NULL),
        WORK_slow);
}

static void
every_row_has_a_class_of_work(void **state)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        assert_true(mechanism_work(&rows[i], CKF_SIGN, NULL) <= WORK_slow);
    }
}

struct length {
    CK_MECHANISM_TYPE type;
    CK_FLAGS function;
    uint32_t key_bits;
    size_t tag_len, in, out;
    bool exact;
};

static void
output_lengths_follow_from_the_input(void **state)
{
    static const struct length lengths[] = {
        { CKM_AES_ECB, CKF_ENCRYPT, 256, 0, 32, 32, true },
        { CKM_AES_CTR, CKF_DECRYPT, 256, 0, 7, 7, true },
        { CKM_AES_CBC_PAD, CKF_ENCRYPT, 256, 0, 0, 16, true },
        { CKM_AES_CBC_PAD, CKF_ENCRYPT, 256, 0, 15, 16, true },
        { CKM_AES_CBC_PAD, CKF_ENCRYPT, 256, 0, 16, 32, true },
        { CKM_AES_CBC_PAD, CKF_DECRYPT, 256, 0, 32, 32, false },
        { CKM_DES3_CBC_PAD, CKF_ENCRYPT, 192, 0, 7, 8, true },
        { CKM_DES3_CBC_PAD, CKF_ENCRYPT, 192, 0, 8, 16, true },
        { CKM_DES3_CMAC, CKF_SIGN, 192, 8, 100, 8, true },
        { CKM_AES_GCM, CKF_ENCRYPT, 256, 16, 5, 21, true },
        { CKM_AES_GCM, CKF_DECRYPT, 256, 16, 21, 5, true },
        { CKM_AES_GCM, CKF_DECRYPT, 256, 16, 16, 0, true },
        { CKM_AES_GCM, CKF_DECRYPT, 256, 16, 15, 0, true },
        { CKM_RSA_PKCS, CKF_SIGN, 2048, 0, 1, 256, true },
        { CKM_RSA_PKCS, CKF_ENCRYPT, 2047, 0, 1, 256, true },
        { CKM_RSA_PKCS, CKF_DECRYPT, 2048, 0, 256, 256, false },
        { CKM_RSA_X_509, CKF_SIGN, 2048, 0, 1, 256, true },
        { CKM_RSA_X_509, CKF_DECRYPT, 2048, 0, 256, 256, true },
        { CKM_ECDSA, CKF_SIGN, 256, 0, 32, 64, true },
        { CKM_ECDSA_SHA256, CKF_SIGN, 521, 0, 1000, 132, true },
        { CKM_SHA224, CKF_DIGEST, 0, 0, 1000, 28, true },
        { CKM_SHA512_HMAC, CKF_SIGN, 8, 0, 0, 64, true },
        { CKM_SHA512_HMAC_GENERAL, CKF_SIGN, 8, 33, 0, 33, true },
        { CKM_CLOUDHSM_AES_GCM, CKF_ENCRYPT, 256, 16, 5, 33, true },
        { CKM_CLOUDHSM_AES_GCM, CKF_DECRYPT, 256, 16, 33, 5, true },
        { CKM_CLOUDHSM_AES_GCM, CKF_DECRYPT, 256, 16, 27, 0, true },
        { CKM_AES_CCM, CKF_ENCRYPT, 256, 6, 100, 106, true },
        { CKM_AES_CCM, CKF_DECRYPT, 256, 6, 106, 100, true },
        { CKM_AES_CMAC, CKF_SIGN, 256, 16, 1000, 16, true },
        { CKM_AES_CMAC_GENERAL, CKF_SIGN, 256, 5, 1000, 5, true },
        { CKM_AES_KEY_GEN, CKF_GENERATE, 0, 0, 0, 0, true },
        { CKM_AES_GCM, CKF_ENCRYPT, 256, 16, SIZE_MAX, SIZE_MAX, true },
        { CKM_AES_CBC_PAD, CKF_ENCRYPT, 256, 0, SIZE_MAX, SIZE_MAX, true },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        const struct length *l = &lengths[i];
        const struct key_info key = { .bits = l->key_bits };
        bool exact = !l->exact;
        size_t out = mechanism_output_len(mechanism_row(l->type), l->function, &key, l->tag_len,
                                          l->in, &exact);

        assert_int_equal(out, l->out);
        assert_int_equal(exact, l->exact);
    }
}

static void
curves_are_found_by_both_names(void **state)
{
    size_t count;
    const struct curve_row *rows = curve_rows(&count);

    UNUSED(state);
    assert_int_equal(count, 16);
    for (size_t i = 0; i < count; i++) {
        assert_ptr_equal(curve_by_params(view_of(rows[i].oid, rows[i].oid_len)), &rows[i]);
        assert_ptr_equal(curve_by_tool_id(rows[i].tool_id), &rows[i]);
        assert_null(curve_by_params(view_of(rows[i].oid, rows[i].oid_len - 1)));
        /* DER: tag, length, content */
        assert_int_equal(rows[i].oid[0], 6);
        assert_int_equal(rows[i].oid[1], rows[i].oid_len - 2);
    }
    assert_ptr_equal(curve_by_params(VIEW_TEXT("\x13\x0c" "edwards25519")), curve_by_tool_id(28));
    assert_ptr_equal(curve_by_params(VIEW_TEXT("\x13\x0a" "edwards448")), curve_by_tool_id(29));
    assert_ptr_equal(curve_by_params(VIEW_TEXT("\x06\x09\x2b\x06\x01\x04\x01\xda\x47\x0f\x01")),
                     curve_by_tool_id(28));
    assert_ptr_equal(curve_by_params(VIEW_TEXT("\x13\x0a" "curve25519")), curve_by_tool_id(26));
    assert_ptr_equal(curve_by_params(VIEW_TEXT("\x13\x08" "curve448")), curve_by_tool_id(27));
    assert_null(curve_by_params(VIEW_EMPTY));
    assert_null(curve_by_params(VIEW_TEXT("edwards25519")));
    assert_null(curve_by_params(VIEW_TEXT("\x06\x03\x2b\x65\x00")));
    assert_null(curve_by_tool_id(0));
}

/* Seed-requirements C-12: PKCS #11 signs with P-256 and P-384, the tools with all. */
static void
the_interface_decides_which_curves_sign(void **state)
{
    const struct curve_row *p521 = curve_by_tool_id(15);
    const struct curve_row *p256 = curve_by_tool_id(2);
    const struct curve_row *p192 = curve_by_tool_id(1);

    UNUSED(state);
    assert_true(curve_functions(standard, p521) & CKF_SIGN);
    assert_false(curve_functions(azure, p521) & CKF_SIGN);
    assert_true(curve_functions(azure_api, p521) & CKF_SIGN);
    assert_true(curve_functions(azure, p521) & CKF_GENERATE_KEY_PAIR);
    assert_true(curve_functions(azure, p256) & CKF_SIGN);
    assert_true(curve_functions(fips, p256) & CKF_SIGN);
    assert_true(curve_functions(azure_api, p192) & CKF_SIGN);
    assert_int_equal(curve_functions(fips_api, p192), 0);
}

/* Edwards keys are a bit longer than their field: RFC 8032, 5.1 and 5.2. */
static void
edwards_signatures_follow_from_the_curve(void **state)
{
    const struct mechanism_row *row = mechanism_row(CKM_EDDSA);
    const struct key_info ed25519 = { .bits = 255, .curve = 28 };
    const struct key_info ed448 = { .bits = 448, .curve = 29 };
    bool exact = false;

    UNUSED(state);
    assert_int_equal(curve_len(curve_by_tool_id(28)), 32);
    assert_int_equal(curve_len(curve_by_tool_id(29)), 57);
    assert_int_equal(curve_len(curve_by_tool_id(15)), 66);
    assert_int_equal(curve_len(curve_by_tool_id(26)), 32);
    assert_int_equal(curve_len(curve_by_tool_id(27)), 56);
    assert_int_equal(mechanism_output_len(row, CKF_SIGN, &ed25519, 0, 1000, &exact), 64);
    assert_true(exact);
    assert_int_equal(mechanism_output_len(row, CKF_SIGN, &ed448, 0, 0, &exact), 114);
}

/* Seeds/000: in azure CKM_EC_KEY_PAIR_GEN makes Ed25519 keys; the standard has one for each kind. */
static void
generators_have_their_curves(void **state)
{
    const struct mechanism_row *ec = mechanism_row(CKM_EC_KEY_PAIR_GEN);
    const struct mechanism_row *edwards = mechanism_row(CKM_EC_EDWARDS_KEY_PAIR_GEN);
    const struct curve_row *p256 = curve_by_tool_id(2);
    const struct curve_row *ed25519 = curve_by_tool_id(28);

    UNUSED(state);
    assert_true(curve_fits_generator(standard, p256, ec));
    assert_true(curve_fits_generator(standard, ed25519, edwards));
    assert_false(curve_fits_generator(standard, ed25519, ec));
    assert_false(curve_fits_generator(standard, p256, edwards));
    assert_true(curve_fits_generator(azure, ed25519, ec));
    assert_true(curve_fits_generator(fips, ed25519, ec));
    assert_false(curve_fits_generator(azure, p256, edwards));
    assert_true(curve_fits_generator(standard_api, ed25519, ec));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_sorted_and_found),
        cmocka_unit_test(ciphers_have_rows),
        cmocka_unit_test(messages_are_for_those_that_can_go_on),
        cmocka_unit_test(rows_agree_with_themselves),
        cmocka_unit_test(a_mechanism_is_offered_for_its_functions_only),
        cmocka_unit_test(fips_withholds_and_narrows),
        cmocka_unit_test(rsa_is_as_in_the_tables_of_the_seeds),
        cmocka_unit_test(private_rsa_and_slow_curves_leave_the_loop),
        cmocka_unit_test(every_row_has_a_class_of_work),
        cmocka_unit_test(output_lengths_follow_from_the_input),
        cmocka_unit_test(curves_are_found_by_both_names),
        cmocka_unit_test(the_interface_decides_which_curves_sign),
        cmocka_unit_test(edwards_signatures_follow_from_the_curve),
        cmocka_unit_test(generators_have_their_curves),
    };

    return cmocka_run_group_tests_name("mechanism", tests, NULL, NULL);
}
