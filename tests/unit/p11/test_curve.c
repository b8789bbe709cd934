/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of RFC 8032 and RFC 7748 through the calls of an application: made, imported, used, and
 * refused.
 */
#include "p11_test.h"

static CK_BYTE ed448[] = { 0x06, 0x03, 0x2b, 0x65, 0x71 };
static CK_BYTE x25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x6e };
static CK_BYTE edwards_name[] = "\x13\x0c" "edwards25519";

/* RFC 8032, 7.1, the first vector. */
static CK_BYTE seed[] = {
    0x9d, 0x61, 0xb1, 0x9d, 0xef, 0xfd, 0x5a, 0x60, 0xba, 0x84, 0x4a, 0xf4, 0x92, 0xec, 0x2c, 0xc4,
    0x44, 0x49, 0xc5, 0x69, 0x7b, 0x32, 0x69, 0x19, 0x70, 0x3b, 0xac, 0x03, 0x1c, 0xae, 0x7f, 0x60,
};
static CK_BYTE point[] = {
    0x04, 0x20,
    0xd7, 0x5a, 0x98, 0x01, 0x82, 0xb1, 0x0a, 0xb7, 0xd5, 0x4b, 0xfe, 0xd3, 0xc9, 0x64, 0x07, 0x3a,
    0x0e, 0xe1, 0x72, 0xf3, 0xda, 0xa6, 0x23, 0x25, 0xaf, 0x02, 0x1a, 0x68, 0xf7, 0x07, 0x51, 0x1a,
};
static const CK_BYTE signature[] = {
    0xe5, 0x56, 0x43, 0x00, 0xc3, 0x60, 0xac, 0x72, 0x90, 0x86, 0xe2, 0xcc, 0x80, 0x6e, 0x82, 0x8a,
    0x84, 0x87, 0x7f, 0x1e, 0xb8, 0xe5, 0xd9, 0x74, 0xd8, 0x73, 0xe0, 0x65, 0x22, 0x49, 0x01, 0x55,
    0x5f, 0xb8, 0x82, 0x15, 0x90, 0xa3, 0x3b, 0xac, 0xc6, 0x1e, 0x39, 0x70, 0x1c, 0xf9, 0xb4, 0x6b,
    0xd2, 0x5b, 0xf5, 0xf0, 0x59, 0x5b, 0xbe, 0x24, 0x65, 0x51, 0x41, 0x43, 0x8e, 0x7a, 0x10, 0x0b,
};

static CK_OBJECT_CLASS public_class = CKO_PUBLIC_KEY, private_class = CKO_PRIVATE_KEY;
static CK_KEY_TYPE edwards = CKK_EC_EDWARDS, ec = CKK_EC;

static CK_RV
import_public(CK_BYTE *params, CK_ULONG params_len, CK_BYTE *bytes, CK_ULONG len,
              CK_OBJECT_HANDLE *ret_key)
{
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, public_class),       ATTR(CKA_KEY_TYPE, edwards),
        { CKA_EC_PARAMS, params, params_len }, { CKA_EC_POINT, bytes, len },
        ATTR(CKA_VERIFY, yes),
    };

    return C_CreateObject(fixture.session, template, ARRAY_COUNT(template), ret_key);
}

static CK_RV
import_private(CK_KEY_TYPE *type, CK_ULONG len, CK_OBJECT_HANDLE *ret_key)
{
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, private_class), { CKA_KEY_TYPE, type, sizeof *type },
        ATTR(CKA_EC_PARAMS, ed25519),   { CKA_VALUE, seed, len },
        ATTR(CKA_SIGN, yes),
    };

    return C_CreateObject(fixture.session, template, ARRAY_COUNT(template), ret_key);
}

/* ---- import ---- */

static void
imported_halves_belong_together(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM eddsa = { CKM_EDDSA, NULL, 0 };
    CK_OBJECT_HANDLE private = 0, public[3] = { 0 };
    CK_BYTE made[64], room[100], none;
    CK_ULONG len = sizeof made;

    assert_ok(import_private(&edwards, sizeof seed, &private));
    assert_ok(import_public(ed25519, sizeof ed25519, point, sizeof point, &public[0]));
    assert_ok(import_public(ed25519, sizeof ed25519, point + 2, 32, &public[1]));
    assert_ok(import_public(edwards_name, sizeof edwards_name - 1, point + 2, 32, &public[2]));
    assert_ok(C_SignInit(session, &eddsa, private));
    assert_ok(C_Sign(session, &none, 0, made, &len));
    assert_int_equal(len, sizeof signature);
    assert_memory_equal(made, signature, sizeof signature);
    for (size_t i = 0; i < ARRAY_COUNT(public); i++) {
        CK_ATTRIBUTE got = { CKA_EC_POINT, room, sizeof room };

        assert_ok(C_VerifyInit(session, &eddsa, public[i]));
        assert_ok(C_Verify(session, &none, 0, made, len));
        assert_ok(C_GetAttributeValue(session, public[i], &got, 1));
        assert_int_equal(got.ulValueLen, i == 0 ? 34 : 32); /* as it was given */
    }
}

static void
what_is_no_key_is_refused(void **state)
{
    CK_BYTE bytes[34] = { 1 }; /* the neutral element */
    CK_OBJECT_HANDLE key = 0;

    UNUSED(state);
    assert_code(import_public(ed25519, sizeof ed25519, bytes, 32, &key),
                CKR_ATTRIBUTE_VALUE_INVALID);
    bytes[0] = 2; /* no point */
    assert_code(import_public(ed25519, sizeof ed25519, bytes, 32, &key),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(import_public(ed25519, sizeof ed25519, point + 2, 31, &key),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(import_public(p256, sizeof p256, point, sizeof point, &key),
                CKR_CURVE_NOT_SUPPORTED);
    assert_code(import_public(x25519, sizeof x25519, point, sizeof point, &key),
                CKR_CURVE_NOT_SUPPORTED);
    assert_code(import_private(&edwards, 31, &key), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(import_private(&ec, sizeof seed, &key), CKR_CURVE_NOT_SUPPORTED);
}

/* ---- use ---- */

/* PKCS #11 v3.1, 6.3.15: which scheme a parameter asks for. */
static void
parameters_are_looked_at(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_BYTE context[] = "foo", made[114];
    CK_EDDSA_PARAMS params = { CK_FALSE, 0, NULL };
    CK_MECHANISM eddsa = { CKM_EDDSA, &params, sizeof params };
    CK_MECHANISM generate = { CKM_EC_EDWARDS_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public_template[] = { ATTR(CKA_EC_PARAMS, ed448), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private_template[] = { ATTR(CKA_SIGN, yes) };
    CK_OBJECT_HANDLE small = 0, small_public = 0, public = 0, private = 0;
    CK_ULONG len = 113;

    make_edwards(&small_public, &small);
    assert_ok(C_GenerateKeyPair(session, &generate, public_template, 2, private_template, 1,
                                &public, &private));
    assert_code(C_SignInit(session, &eddsa, small), CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_SignInit(session, &eddsa, private));
    assert_code(C_Sign(session, context, 3, made, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, sizeof made);
    assert_ok(C_Sign(session, context, 3, made, &len));
    assert_int_equal(len, sizeof made);
    eddsa = (CK_MECHANISM){ CKM_EDDSA, NULL, 0 };
    assert_ok(C_VerifyInit(session, &eddsa, public));
    assert_ok(C_Verify(session, context, 3, made, len));
    assert_ok(C_VerifyInit(session, &eddsa, public));
    assert_code(C_Verify(session, context, 3, made, len - 1), CKR_SIGNATURE_LEN_RANGE);

    eddsa = (CK_MECHANISM){ CKM_EDDSA, &params, sizeof params };
    params = (CK_EDDSA_PARAMS){ CK_FALSE, 3, context };
    assert_code(C_SignInit(session, &eddsa, private), CKR_MECHANISM_PARAM_INVALID);
    params = (CK_EDDSA_PARAMS){ CK_TRUE, 0, NULL };
    assert_code(C_SignInit(session, &eddsa, private), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_VerifyInit(session, &eddsa, public), CKR_MECHANISM_PARAM_INVALID);
}

static void
keys_serve_their_own_mechanisms(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM eddsa = { CKM_EDDSA, NULL, 0 }, ecdsa = { CKM_ECDSA, NULL, 0 };
    CK_OBJECT_HANDLE public = 0, private = 0, ec_public = 0, ec_private = 0;

    make_edwards(&public, &private);
    make_ec(&ec_public, &ec_private);
    assert_code(C_SignInit(session, &ecdsa, private), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_SignInit(session, &eddsa, ec_private), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_SignInit(session, &eddsa, public), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_VerifyInit(session, &eddsa, private), CKR_KEY_TYPE_INCONSISTENT);
}

static void
make_montgomery(CK_OBJECT_HANDLE *ret_private, CK_BYTE bytes[34])
{
    const bool one = fixture.hsm.policy != POLICY_STANDARD;
    CK_MECHANISM generate = { one ? CKM_EC_KEY_PAIR_GEN : CKM_EC_MONTGOMERY_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public_template[] = { ATTR(CKA_EC_PARAMS, x25519) };
    CK_ATTRIBUTE private_template[] = { ATTR(CKA_DERIVE, yes) };
    CK_ATTRIBUTE got = { CKA_EC_POINT, bytes, 34 };
    CK_OBJECT_HANDLE public = 0;

    assert_ok(C_GenerateKeyPair(fixture.session, &generate, public_template, 1, private_template,
                                1, &public, ret_private));
    assert_ok(C_GetAttributeValue(fixture.session, public, &got, 1));
    assert_int_equal(got.ulValueLen, 34);
}

static CK_RV
agree(CK_OBJECT_HANDLE private, CK_BYTE *bytes, CK_ULONG len, CK_OBJECT_HANDLE *ret_key)
{
    CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, len, bytes };
    CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &params, sizeof params };
    CK_KEY_TYPE aes = CKK_AES;
    CK_ULONG value_len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, aes), ATTR(CKA_VALUE_LEN, value_len),
                                ATTR(CKA_ENCRYPT, yes) };

    return C_DeriveKey(fixture.session, &ecdh, private, template, ARRAY_COUNT(template), ret_key);
}

static void
two_sides_agree(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
    CK_OBJECT_HANDLE a = 0, b = 0, keys[3] = { 0 };
    CK_BYTE a_point[34], b_point[34], block[3][16];
    CK_BYTE zero[32] = { 0 };

    make_montgomery(&a, a_point);
    make_montgomery(&b, b_point);
    assert_ok(agree(a, b_point, 34, &keys[0]));
    assert_ok(agree(b, a_point, 34, &keys[1]));
    assert_ok(agree(b, a_point + 2, 32, &keys[2]));
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        CK_ULONG len = sizeof block[i];

        assert_ok(C_EncryptInit(session, &ecb, keys[i]));
        assert_ok(C_Encrypt(session, zero, 16, block[i], &len));
    }
    assert_memory_equal(block[0], block[1], 16);
    assert_memory_equal(block[0], block[2], 16);
    assert_code(agree(a, zero, 32, &keys[0]), CKR_PUBLIC_KEY_INVALID);
    assert_code(agree(a, b_point + 2, 31, &keys[0]), CKR_PUBLIC_KEY_INVALID);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(imported_halves_belong_together), TEST(what_is_no_key_is_refused),
        TEST(parameters_are_looked_at),        TEST(keys_serve_their_own_mechanisms),
        TEST(two_sides_agree),
    };
    const struct CMUnitTest azure[] = {
        TEST(imported_halves_belong_together),
        TEST(keys_serve_their_own_mechanisms),
        TEST(two_sides_agree),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
