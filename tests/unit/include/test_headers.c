/* SPDX-License-Identifier: Apache-2.0
 *
 * What no distribution's header can tell about ours: the vendor's numbers, the numbers of 3.x that
 * are easy to get wrong (written down here a second time, from the text of the standard), the
 * layouts that callers fill by position, and the lists of functions made of the rows. The rest is
 * the task of compare_headers.py and compile_headers.py.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "pkcs11_headers/include/cryptoki.h"
#include "pkcs11_headers/include/pkcs11t.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct number {
    const char *name;
    CK_ULONG ours;
    CK_ULONG expected;
};

#define N(name, expected) { #name, name, expected }

static void
check_numbers(const struct number *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rows[i].ours != rows[i].expected) {
            fail_msg("%s is %#lx, should be %#lx", rows[i].name, rows[i].ours, rows[i].expected);
        }
    }
}

/* clang-format off */

static void
vendor_numbers_are_those_of_the_vendor(void **state)
{
    static const struct number rows[] = {
        N(CKM_CLOUDHSM_SP800_108_COUNTER_KDF,   0x80000001),
        N(CKM_CLOUDHSM_AES_GCM,                 0x80001087),
        N(CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD,     0x80002109),
        N(CKM_AES_KEY_WRAP_NO_PAD,              0x80002109),
        N(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD,  0x8000210a),
        N(CKM_AES_KEY_WRAP_PKCS5_PAD,           0x8000210a),
        N(CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD,   0x8000216f),
        N(CKM_AES_KEY_WRAP_ZERO_PAD,            0x8000216f),
        N(CKM_DES3_NIST_WRAP,                   0x80008000),
        N(SP800_108_COUNTER_FORMAT,             4),
        N(SP800_108_PRF_LABEL,                  5),
        N(SP800_108_PRF_CONTEXT,                6),
        N(SP800_108_DKM_FORMAT,                 7),
        N(SP800_108_BYTE_ARRAY,                 8),
        N(SP800_108_DKM_LENGTH_SUM_OF_KEYS,     1),
        N(SP800_108_DKM_LENGTH_SUM_OF_SEGMENTS, 2),
    };

    (void)state;
    check_numbers(rows, COUNT(rows));
}

static void
easily_mistaken_numbers_are_right(void **state)
{
    static const struct number rows[] = {
        /* Neighbours easily swapped; SHA-224 and SHA3-224 often come after the others. */
        N(CKM_EC_EDWARDS_KEY_PAIR_GEN,      0x1055), N(CKM_EC_MONTGOMERY_KEY_PAIR_GEN, 0x1056),
        N(CKM_EDDSA,                        0x1057), N(CKM_XEDDSA,                     0x4029),
        N(CKM_ECDH1_DERIVE,                 0x1050), N(CKM_ECDH_AES_KEY_WRAP,          0x1053),
        N(CKM_RSA_AES_KEY_WRAP,             0x1054), N(CKM_ECDSA_SHA3_512,             0x104a),
        N(CKM_AES_KEY_WRAP,                 0x2109), N(CKM_AES_KEY_WRAP_PAD,           0x210a),
        N(CKM_AES_KEY_WRAP_KWP,             0x210b), N(CKM_AES_KEY_WRAP_PKCS7,         0x210c),
        N(CKM_AES_CTR,                      0x1086), N(CKM_AES_GMAC,                   0x108e),
        N(CKM_SHA3_256,                     0x2b0),  N(CKM_SHA3_224,                   0x2b5),
        N(CKM_SHA3_384,                     0x2c0),  N(CKM_SHA3_512_KEY_GEN,           0x2d3),
        N(CKM_SHA3_256_KEY_DERIVATION,      0x397),  N(CKM_SHA3_224_KEY_DERIVATION,    0x398),
        N(CKM_SHAKE_256_KEY_DERIVE,         0x39c),  N(CKM_SHA3_224_RSA_PKCS,          0x66),
        N(CKM_SHA3_256_RSA_PKCS_PSS,        0x63),   N(CKM_SHA3_224_RSA_PKCS_PSS,      0x67),
        N(CKG_MGF1_SHA1,                    1),      N(CKG_MGF1_SHA224,                5),
        N(CKG_MGF1_SHA512,                  4),      N(CKG_MGF1_SHA3_512,              9),
        N(CKD_SHA224_KDF,                   5),      N(CKD_SHA3_224_KDF,               0xa),
        N(CKD_SHA1_KDF_SP800,               0xe),    N(CKD_SHA3_512_KDF_SP800,         0x16),
        N(CKM_HKDF_DERIVE,                  0x402a), N(CKM_HKDF_KEY_GEN,               0x402c),
        N(CKF_HKDF_SALT_KEY,                4),      N(CKM_CHACHA20,                   0x1226),
        N(CKM_CHACHA20_POLY1305,            0x4021), N(CKM_SALSA20_POLY1305,           0x4022),
        N(CKM_SP800_108_COUNTER_KDF,        0x3ac),  N(CKM_SP800_108_FEEDBACK_KDF,     0x3ad),
        N(CK_SP800_108_ITERATION_VARIABLE,  1),      N(CK_SP800_108_COUNTER,           2),
        N(CK_SP800_108_DKM_LENGTH,          3),      N(CK_SP800_108_BYTE_ARRAY,        4),
        N(CK_SP800_108_KEY_HANDLE,          5),

        /* 3.2 */
        N(CKM_ML_KEM_KEY_PAIR_GEN,          0xf),    N(CKM_ML_KEM,                     0x17),
        N(CKM_ML_DSA_KEY_PAIR_GEN,          0x1c),   N(CKM_ML_DSA,                     0x1d),
        N(CKM_HASH_ML_DSA,                  0x1f),   N(CKM_HASH_ML_DSA_SHA224,         0x23),
        N(CKM_HASH_ML_DSA_SHAKE256,         0x2c),   N(CKM_SLH_DSA_KEY_PAIR_GEN,       0x2d),
        N(CKM_SLH_DSA,                      0x2e),   N(CKM_HASH_SLH_DSA,               0x34),
        N(CKM_HASH_SLH_DSA_SHA224,          0x36),   N(CKM_HASH_SLH_DSA_SHAKE256,      0x3f),
        N(CKP_ML_KEM_1024,                  3),      N(CKP_ML_DSA_87,                  3),
        N(CKP_SLH_DSA_SHA2_128F,            3),      N(CKP_SLH_DSA_SHAKE_256F,         0xc),
        N(CKH_HEDGE_PREFERRED,              0),      N(CKH_DETERMINISTIC_REQUIRED,     2),
        N(CKK_EC_EDWARDS,                   0x40),   N(CKK_EC_MONTGOMERY,              0x41),
        N(CKK_HKDF,                         0x42),   N(CKK_CHACHA20,                   0x33),
        N(CKK_SHA224_HMAC,                  0x2e),   N(CKK_SHA256_HMAC,                0x2b),
        N(CKK_SHA3_224_HMAC,                0x36),   N(CKK_SHA512_224_HMAC,            0x43),
        N(CKK_ML_KEM,                       0x49),   N(CKK_ML_DSA,                     0x4a),
        N(CKK_SLH_DSA,                      0x4b),   N(CKO_TRUST,                      0xb),
        N(CKA_UNIQUE_ID,                    4),      N(CKA_PUBLIC_KEY_INFO,            0x129),
        N(CKA_SUBPRIME_BITS,                0x134),  N(CKA_SUB_PRIME_BITS,             0x134),
        N(CKA_COPYABLE,                     0x171),  N(CKA_DESTROYABLE,                0x172),
        N(CKA_WRAP_TEMPLATE,           0x40000211),  N(CKA_UNWRAP_TEMPLATE,       0x40000212),
        N(CKA_DERIVE_TEMPLATE,         0x40000213),  N(CKA_ALLOWED_MECHANISMS,    0x40000600),
        N(CKA_PROFILE_ID,                   0x601),  N(CKA_PARAMETER_SET,              0x61d),
        N(CKA_ENCAPSULATE_TEMPLATE,         0x62a),  N(CKA_DECAPSULATE_TEMPLATE,       0x62b),
        N(CKA_ENCAPSULATE,                  0x633),  N(CKA_DECAPSULATE,                0x634),
        N(CKA_SEED,                         0x637),  N(CKP_COMPLETE_PROVIDER,          5),
        N(CKF_MESSAGE_ENCRYPT,              2),      N(CKF_FIND_OBJECTS,               0x40),
        N(CKF_ENCAPSULATE,             0x10000000),  N(CKF_DECAPSULATE,           0x20000000),
        N(CKF_EC_COMPRESS,              0x2000000),  N(CKF_EC_CURVENAME,           0x4000000),
        N(CKF_ASYNC_SESSION,                8),      N(CKG_GENERATE_COUNTER_XOR,       4),
        N(CKR_ACTION_PROHIBITED,            0x1b),   N(CKR_PIN_EXPIRED,                0xa3),
        N(CKR_EXCEEDED_MAX_ITERATIONS,      0x1b5),  N(CKR_PUBLIC_KEY_INVALID,         0x1b9),
        N(CKR_AEAD_DECRYPT_FAILED,          0x42),   N(CKR_OPERATION_CANCEL_FAILED,    0x202),
        N(CKR_PARAMETER_SET_NOT_SUPPORTED,  0x209),  N(CKR_VENDOR_DEFINED,        0x80000000),
    };

    (void)state;
    check_numbers(rows, COUNT(rows));
}

/* clang-format on */

static void
unavailable_information_is_all_ones(void **state)
{
    (void)state;
    assert_true(CK_UNAVAILABLE_INFORMATION == (CK_ULONG)-1);
    assert_true(CK_EFFECTIVELY_INFINITE == 0 && CK_INVALID_HANDLE == 0);
    assert_true(TRUE == 1 && FALSE == 0 && CK_TRUE == 1 && CK_FALSE == 0);
    assert_null(NULL_PTR);
}

static void
cipher_parameters_stand_in_the_order_of_the_standard(void **state)
{
    CK_BYTE iv[12], aad[5], tag[16];
    CK_GCM_PARAMS gcm = { iv, 12, 96, aad, 5, 128 };
    CK_GCM_MESSAGE_PARAMS message = { iv, 12, 32, CKG_GENERATE, tag, 128 };
    CK_GCM_WRAP_PARAMS wrap = { iv, 12, 32, CKG_GENERATE, aad, 5, 128 };
    CK_CCM_WRAP_PARAMS ccm = { 64, iv, 12, 32, CKG_GENERATE, aad, 5, 16 };

    (void)state;
    assert_true(gcm.pIv == iv && gcm.ulIvLen == 12 && gcm.ulIvBits == 96);
    assert_true(gcm.pAAD == aad && gcm.ulAADLen == 5 && gcm.ulTagBits == 128);
    assert_true(message.ulIvFixedBits == 32 && message.pTag == tag && message.ulTagBits == 128);
    assert_true(wrap.ivGenerator == CKG_GENERATE && wrap.pAAD == aad && wrap.ulTagBits == 128);
    assert_true(ccm.ulDataLen == 64 && ccm.ulNonceFixedBits == 32 && ccm.ulMACLen == 16);
    assert_int_equal(sizeof(CK_AES_GCM_PARAMS), sizeof gcm);
    assert_int_equal(sizeof(CK_AES_CCM_PARAMS), sizeof(CK_CCM_PARAMS));
}

static void
vendor_kdf_parameters_stand_in_the_order_of_the_vendor(void **state)
{
    CK_CLOUDHSM_SP800_108_COUNTER_FORMAT counter = { 32 };
    CK_CLOUDHSM_SP800_108_DKM_LENGTH_FORMAT length = { SP800_108_DKM_LENGTH_SUM_OF_KEYS, 16 };
    CK_CLOUDHSM_PRF_DATA_PARAM data[] = {
        { SP800_108_COUNTER_FORMAT, &counter, sizeof counter },
        { SP800_108_DKM_FORMAT, &length, sizeof length },
    };
    CK_CLOUDHSM_SP800_108_KDF_PARAMS params = { CKM_SHA256_HMAC, COUNT(data), data };

    (void)state;
    assert_true(params.prftype == CKM_SHA256_HMAC && params.ulNumberOfDataParams == 2);
    assert_ptr_equal(params.pDataParams, data);
    assert_int_equal(sizeof counter, sizeof(CK_ULONG));
    assert_int_equal(sizeof length, 2 * sizeof(CK_ULONG));
    assert_true(length.ulWidthInBits == 16);
    assert_true(sizeof params < sizeof(CK_SP800_108_KDF_PARAMS));
}

/* { "C_Initialize", offsetof(CK_FUNCTION_LIST_3_2, C_Initialize) }, */
#define CK_FUNCTION_ROW(name, params, args) { #name, offsetof(CK_FUNCTION_LIST_3_2, name) },
static const struct {
    const char *name;
    size_t offset;
} rows_3_2[] = {
#include "pkcs11_headers/include/pkcs11f.h"
};

/* The place of a function behind the version, counted from 0. */
#define PLACE(list, name) ((offsetof(list, name) - offsetof(list, C_Initialize)) / sizeof(void *))

static void
function_lists_have_the_lengths_of_their_versions(void **state)
{
    size_t start = offsetof(CK_FUNCTION_LIST, C_Initialize);

    (void)state;
    assert_int_equal(sizeof(CK_FUNCTION_LIST), start + 68 * sizeof(void *));
    assert_int_equal(sizeof(CK_FUNCTION_LIST_3_0), start + 92 * sizeof(void *));
    assert_int_equal(sizeof(CK_FUNCTION_LIST_3_2), start + 104 * sizeof(void *));
    assert_int_equal(COUNT(rows_3_2), 104);
}

static void
function_lists_keep_the_order_of_the_standard(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows_3_2); i++) {
        assert_int_equal(rows_3_2[i].offset, rows_3_2[0].offset + i * sizeof(void *));
    }
    assert_string_equal(rows_3_2[0].name, "C_Initialize");
    assert_int_equal(PLACE(CK_FUNCTION_LIST, C_GetFunctionList), 3);
    assert_int_equal(PLACE(CK_FUNCTION_LIST, C_WaitForSlotEvent), 67);
    assert_int_equal(PLACE(CK_FUNCTION_LIST_3_0, C_WaitForSlotEvent), 67);
    assert_int_equal(PLACE(CK_FUNCTION_LIST_3_0, C_GetInterfaceList), 68);
    assert_int_equal(PLACE(CK_FUNCTION_LIST_3_0, C_MessageVerifyFinal), 91);
    assert_int_equal(PLACE(CK_FUNCTION_LIST_3_2, C_MessageVerifyFinal), 91);
    assert_int_equal(PLACE(CK_FUNCTION_LIST_3_2, C_EncapsulateKey), 92);
    assert_int_equal(PLACE(CK_FUNCTION_LIST_3_2, C_UnwrapKeyAuthenticated), 103);
}

/* A library of stubs, each calling through `target`: in each row `args` has to fit `params`. */
static const CK_FUNCTION_LIST_3_2 *target;

/* static CK_RV stub_C_CloseSession(CK_SESSION_HANDLE hSession)
 * { return target->C_CloseSession(hSession); } */
#define CK_FUNCTION_ROW(name, params, args)                                                        \
    static CK_RV stub_##name params { return target->name args; }
#include "pkcs11_headers/include/pkcs11f.h"

static const CK_FUNCTION_LIST_3_2 stubs = {
    { CRYPTOKI_VERSION_MAJOR, CRYPTOKI_VERSION_MINOR },
#define CK_FUNCTION_ROW(name, params, args) stub_##name,
#include "pkcs11_headers/include/pkcs11f.h"
};

static CK_RV
answer_with_length(CK_SESSION_HANDLE session, CK_BYTE_PTR seed, CK_ULONG seed_len)
{
    return session == 7 && seed[0] == 's' ? seed_len : CKR_ARGUMENTS_BAD;
}

static void
rows_make_stubs_that_forward_their_arguments(void **state)
{
    CK_FUNCTION_LIST_3_2 list = stubs;
    CK_BYTE seed[] = "seed";

    (void)state;
    list.C_SeedRandom = answer_with_length;
    target = &list;

    assert_int_equal(stubs.C_SeedRandom(7, seed, 4), 4);
    assert_int_equal(stubs.version.minor, 2);
    target = NULL;
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vendor_numbers_are_those_of_the_vendor),
        cmocka_unit_test(easily_mistaken_numbers_are_right),
        cmocka_unit_test(unavailable_information_is_all_ones),
        cmocka_unit_test(cipher_parameters_stand_in_the_order_of_the_standard),
        cmocka_unit_test(vendor_kdf_parameters_stand_in_the_order_of_the_vendor),
        cmocka_unit_test(function_lists_have_the_lengths_of_their_versions),
        cmocka_unit_test(function_lists_keep_the_order_of_the_standard),
        cmocka_unit_test(rows_make_stubs_that_forward_their_arguments),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
