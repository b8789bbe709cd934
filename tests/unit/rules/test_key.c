/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kind an object is, what of a key travels, and when a key may serve.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "rules/key.h"
#include "unit/rules/list.h"

static const struct rules standard = { POLICY_STANDARD, INTERFACE_P11, 0 };
static const struct rules azure = { POLICY_AZURE, INTERFACE_P11, 0 };
static const struct rules azure_api = { POLICY_AZURE, INTERFACE_API, 0 };

static const struct key_info aes = {
    .class = CKO_SECRET_KEY, .key_type = CKK_AES, .flags = KEY_FLAG_ENCRYPT, .bits = 256,
};
static const struct key_info rsa_private = {
    .class = CKO_PRIVATE_KEY, .key_type = CKK_RSA, .flags = KEY_FLAG_SIGN, .bits = 2048,
};
static const struct key_info rsa_public = {
    .class = CKO_PUBLIC_KEY, .key_type = CKK_RSA, .flags = KEY_FLAG_VERIFY, .bits = 2048,
};
static const struct key_info p521_private = {
    .class = CKO_PRIVATE_KEY, .key_type = CKK_EC, .flags = KEY_FLAG_SIGN, .bits = 521, .curve = 15,
};
static const struct key_info generic = {
    .class = CKO_SECRET_KEY, .key_type = CKK_GENERIC_SECRET, .flags = KEY_FLAG_SIGN, .bits = 256,
};

static CK_RV
check(struct rules rules, CK_MECHANISM_TYPE type, CK_FLAGS function, const struct key_info *key)
{
    const struct mechanism_row *row = mechanism_row(type);

    assert_non_null(row);
    return key_check(rules, row, function, key);
}

static void
class_and_type_name_the_kind(void **state)
{
    enum object_kind kind = KIND_COUNT;

    UNUSED(state);
    assert_true(kind_of(CKO_DATA, 12345, &kind));
    assert_int_equal(kind, KIND_DATA);
    assert_true(kind_of(CKO_CERTIFICATE, CKC_X_509, &kind));
    assert_int_equal(kind, KIND_X509);
    assert_true(kind_of(CKO_PRIVATE_KEY, CKK_EC, &kind));
    assert_int_equal(kind, KIND_EC_PRIVATE);
    assert_true(kind_of(CKO_SECRET_KEY, CKK_SHA384_HMAC, &kind));
    assert_int_equal(kind, KIND_GENERIC);
}

static void
what_no_row_names_is_no_kind(void **state)
{
    enum object_kind kind = KIND_COUNT;

    UNUSED(state);
    assert_false(kind_of(CKO_SECRET_KEY, CKK_RSA, &kind));
    assert_false(kind_of(CKO_SECRET_KEY, CKK_BLOWFISH, &kind));
    assert_false(kind_of(CKO_CERTIFICATE, CKC_WTLS, &kind));
    assert_false(kind_of(CKO_HW_FEATURE, 0, &kind));
    assert_false(kind_of(UINT64_MAX, UINT64_MAX, &kind));
    assert_int_equal(kind, KIND_COUNT);
}

/* The length of some keys is a fact of their type. */
static void
secret_keys_have_the_lengths_of_their_type(void **state)
{
    static const struct {
        CK_KEY_TYPE type;
        uint64_t len;
        bool fits;
    } lengths[] = {
        { CKK_AES, 15, false },  { CKK_AES, 16, true },   { CKK_AES, 20, false },
        { CKK_AES, 32, true },   { CKK_AES, 40, false },  { CKK_AES, UINT64_MAX, false },
        { CKK_DES, 8, true },    { CKK_DES, 16, false },  { CKK_DES2, 16, true },
        { CKK_DES2, 8, false },  { CKK_DES3, 24, true },  { CKK_DES3, 16, false },
        { CKK_DES3, 25, false }, { CKK_DES3, 0, false },  { CKK_GENERIC_SECRET, 1, true },
        { CKK_HKDF, 0, false },  { CKK_SHA256_HMAC, 999, true },
    };
    uint8_t bytes[64];
    struct writer w;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        assert_int_equal(secret_len_fits(lengths[i].type, lengths[i].len), lengths[i].fits);
    }
    assert_int_equal(secret_len_fixed(CKK_DES2), 16);
    assert_int_equal(secret_len_fixed(CKK_AES), 0);
    assert_int_equal(secret_len_fixed(CKK_GENERIC_SECRET), 0);
    assert_int_equal(kind_type(KIND_DES), CKK_DES);
    assert_int_equal(kind_type(KIND_RSA_PRIVATE), CKK_RSA);
    assert_int_equal(kind_type(KIND_X509), KEY_TYPE_NONE);

    writer_init_fixed(&w, bytes, sizeof bytes);
    attribute_write_ulong(&w, CKA_CLASS, CKO_SECRET_KEY);
    attribute_write_ulong(&w, CKA_KEY_TYPE, CKK_DES3);
    assert_int_equal(key_info_of(writer_view(&w), 1).bits, 192);
}

static void
every_kind_has_its_class(void **state)
{
    UNUSED(state);
    assert_int_equal(kind_class(KIND_DATA), CKO_DATA);
    assert_int_equal(kind_class(KIND_X509), CKO_CERTIFICATE);
    assert_int_equal(kind_class(KIND_RSA_PUBLIC), CKO_PUBLIC_KEY);
    assert_int_equal(kind_class(KIND_EC_PRIVATE), CKO_PRIVATE_KEY);
    assert_int_equal(kind_class(KIND_GENERIC), CKO_SECRET_KEY);
    assert_false(kind_is_key(KIND_DATA));
    assert_false(kind_is_key(KIND_X509));
    assert_true(kind_is_key(KIND_RSA_PUBLIC));
    assert_true(kind_is_key(KIND_AES));
}

static void
an_rsa_key_shows_the_bits_of_its_modulus(void **state)
{
    view list = LIST(ULONG(CLASS, CKO_PUBLIC_KEY), ULONG(KEY_TYPE, CKK_RSA), BOOL(VERIFY, true),
                     BOOL(ENCRYPT, false), BYTES(MODULUS, "\x00\x00\x41\xff\xff"));
    struct key_info info = key_info_of(list, 77);

    UNUSED(state);
    assert_int_equal(info.handle, 77);
    assert_int_equal(info.class, CKO_PUBLIC_KEY);
    assert_int_equal(info.key_type, CKK_RSA);
    assert_int_equal(info.flags, KEY_FLAG_VERIFY);
    assert_int_equal(info.bits, 23);
    assert_int_equal(info.curve, 0);
}

static void
an_ec_key_shows_its_curve(void **state)
{
    view list = LIST(ULONG(CLASS, CKO_PRIVATE_KEY), ULONG(KEY_TYPE, CKK_EC),
                     BYTES(EC_PARAMS, "\x06\x05\x2b\x81\x04\x00\x22"));
    struct key_info info = key_info_of(list, 1);

    UNUSED(state);
    assert_int_equal(info.bits, 384);
    assert_int_equal(info.curve, 14);
}

static void
a_secret_key_shows_eight_bits_a_byte(void **state)
{
    view list = LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES), ULONG(VALUE_LEN, 24),
                     VIEW(CKA_ALLOWED_MECHANISMS, VIEW_EMPTY), BOOL(TOKEN, true));
    struct key_info info = key_info_of(list, 1);

    UNUSED(state);
    assert_int_equal(info.bits, 192);
    assert_int_equal(info.flags, KEY_FLAG_TOKEN | KEY_FLAG_ALLOWED_MECHANISMS);
}

static void
what_is_no_key_has_no_key_type(void **state)
{
    struct key_info info = key_info_of(LIST(ULONG(CLASS, CKO_DATA), BYTES(VALUE, "v")), 1);

    UNUSED(state);
    assert_int_equal(info.class, CKO_DATA);
    assert_int_equal(info.key_type, 0xffffffffu);
    assert_int_equal(info.bits, 0);
    assert_int_equal(check(standard, CKM_AES_ECB, CKF_ENCRYPT, &info), CKR_KEY_TYPE_INCONSISTENT);
}

static void
a_fitting_key_may_serve(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, CKM_AES_GCM, CKF_ENCRYPT, &aes), CKR_OK);
    assert_int_equal(check(azure, CKM_SHA256_RSA_PKCS, CKF_SIGN, &rsa_private), CKR_OK);
    assert_int_equal(check(azure, CKM_SHA256_RSA_PKCS, CKF_VERIFY, &rsa_public), CKR_OK);
    assert_int_equal(check(azure, CKM_SHA256_HMAC, CKF_SIGN, &generic), CKR_OK);
}

static void
a_key_of_another_type_is_inconsistent(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, CKM_SHA256_HMAC, CKF_SIGN, &aes), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(check(azure, CKM_AES_GCM, CKF_ENCRYPT, &generic), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(check(azure, CKM_ECDSA, CKF_SIGN, &rsa_private), CKR_KEY_TYPE_INCONSISTENT);
}

static void
the_other_half_of_a_pair_is_inconsistent(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_SIGN, &rsa_public), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_DECRYPT, &rsa_public),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_VERIFY, &rsa_private),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_ENCRYPT, &rsa_private),
                     CKR_KEY_TYPE_INCONSISTENT);
}

static void
the_hmac_type_of_the_same_hash_fits_too(void **state)
{
    struct key_info key = generic;

    UNUSED(state);
    key.key_type = CKK_SHA256_HMAC;
    assert_int_equal(check(azure, CKM_SHA256_HMAC, CKF_SIGN, &key), CKR_OK);
    assert_int_equal(check(azure, CKM_SHA384_HMAC, CKF_SIGN, &key), CKR_KEY_TYPE_INCONSISTENT);
}

static void
a_key_without_the_flag_is_not_permitted(void **state)
{
    UNUSED(state);
    assert_int_equal(check(azure, CKM_AES_GCM, CKF_DECRYPT, &aes), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_DECRYPT, &rsa_private),
                     CKR_KEY_FUNCTION_NOT_PERMITTED);
}

/* PKCS #11 v3.1, 5.1.6: the type is looked at before the permission. */
static void
type_beats_size_beats_permission(void **state)
{
    struct key_info key = rsa_private;

    UNUSED(state);
    key.flags = 0;
    key.bits = 512;
    assert_int_equal(check(azure, CKM_ECDSA, CKF_SIGN, &key), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
    key.bits = 1024;
    assert_int_equal(check(azure, CKM_RSA_PKCS, CKF_SIGN, &key), CKR_KEY_FUNCTION_NOT_PERMITTED);
}

static void
rsa_sizes_follow_the_policy(void **state)
{
    const struct rules fips = { POLICY_FIPS, INTERFACE_P11, 0 };
    struct key_info key = rsa_private;

    UNUSED(state);
    key.bits = 1024;
    assert_int_equal(check(azure, CKM_SHA256_RSA_PKCS, CKF_SIGN, &key), CKR_OK);
    assert_int_equal(check(fips, CKM_SHA256_RSA_PKCS, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
    key.bits = 4097;
    assert_int_equal(check(azure, CKM_SHA256_RSA_PKCS, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
}

static void
curves_follow_policy_and_interface(void **state)
{
    struct key_info key = p521_private;

    UNUSED(state);
    assert_int_equal(check(standard, CKM_ECDSA, CKF_SIGN, &key), CKR_OK);
    assert_int_equal(check(azure, CKM_ECDSA, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
    assert_int_equal(check(azure_api, CKM_ECDSA, CKF_SIGN, &key), CKR_OK);
    key.curve = 0;
    assert_int_equal(check(standard, CKM_ECDSA, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
    /* secp256k1 has the size of P-256 and still is another curve */
    key.curve = 16;
    key.bits = 256;
    assert_int_equal(check(azure, CKM_ECDSA, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
}

/* Seed-requirements C-11: longer imported keys are used as RFC 2104 says. */
static void
an_hmac_key_may_be_long_but_not_empty(void **state)
{
    struct key_info key = generic;

    UNUSED(state);
    key.bits = 8 * 3000;
    assert_int_equal(check(azure, CKM_SHA256_HMAC, CKF_SIGN, &key), CKR_OK);
    key.bits = 8;
    assert_int_equal(check(azure, CKM_SHA256_HMAC, CKF_SIGN, &key), CKR_OK);
    key.bits = 0;
    assert_int_equal(check(azure, CKM_SHA256_HMAC, CKF_SIGN, &key), CKR_KEY_SIZE_RANGE);
}

static void
functions_have_their_flags(void **state)
{
    UNUSED(state);
    assert_int_equal(key_flag_for(CKF_ENCRYPT), KEY_FLAG_ENCRYPT);
    assert_int_equal(key_flag_for(CKF_VERIFY_RECOVER), KEY_FLAG_VERIFY_RECOVER);
    assert_int_equal(key_flag_for(CKF_UNWRAP), KEY_FLAG_UNWRAP);
    assert_int_equal(key_flag_for(CKF_DIGEST), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_and_type_name_the_kind),
        cmocka_unit_test(what_no_row_names_is_no_kind),
        cmocka_unit_test(secret_keys_have_the_lengths_of_their_type),
        cmocka_unit_test(every_kind_has_its_class),
        cmocka_unit_test(an_rsa_key_shows_the_bits_of_its_modulus),
        cmocka_unit_test(an_ec_key_shows_its_curve),
        cmocka_unit_test(a_secret_key_shows_eight_bits_a_byte),
        cmocka_unit_test(what_is_no_key_has_no_key_type),
        cmocka_unit_test(a_fitting_key_may_serve),
        cmocka_unit_test(a_key_of_another_type_is_inconsistent),
        cmocka_unit_test(the_other_half_of_a_pair_is_inconsistent),
        cmocka_unit_test(the_hmac_type_of_the_same_hash_fits_too),
        cmocka_unit_test(a_key_without_the_flag_is_not_permitted),
        cmocka_unit_test(type_beats_size_beats_permission),
        cmocka_unit_test(rsa_sizes_follow_the_policy),
        cmocka_unit_test(curves_follow_policy_and_interface),
        cmocka_unit_test(an_hmac_key_may_be_long_but_not_empty),
        cmocka_unit_test(functions_have_their_flags),
    };

    return cmocka_run_group_tests_name("key", tests, NULL, NULL);
}
