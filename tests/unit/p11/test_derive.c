/* SPDX-License-Identifier: Apache-2.0
 *
 * C_DeriveKey through the library: arguments, codes, trips, and what comes out.
 */
#include "p11_test.h"

static CK_KEY_TYPE generic_type = CKK_GENERIC_SECRET;
static CK_KEY_TYPE aes_type = CKK_AES;
static CK_ULONG len_32 = 32;

struct party {
    CK_OBJECT_HANDLE private;
    CK_BYTE point[80]; /* with its DER */
    CK_ULONG point_len;
};

static void
party_make(struct party *party)
{
    CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ATTRIBUTE public[] = { ATTR(CKA_EC_PARAMS, p256) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_DERIVE, yes) };
    CK_ATTRIBUTE read[] = { ATTR(CKA_EC_POINT, party->point) };
    CK_OBJECT_HANDLE half = 0;

    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, 1, private, 1, &half,
                                &party->private));
    assert_ok(C_GetAttributeValue(fixture.session, half, read, 1));
    party->point_len = read[0].ulValueLen;
}

/* One derives with the point of the other. */
static CK_OBJECT_HANDLE
agree(const struct party *own, struct party *other, CK_ULONG skip, CK_EC_KDF_TYPE kdf)
{
    CK_ECDH1_DERIVE_PARAMS params = { kdf, 0, NULL, other->point_len - skip, other->point + skip };
    CK_MECHANISM mechanism = { CKM_ECDH1_DERIVE, &params, sizeof params };
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, generic_type), ATTR(CKA_VALUE_LEN, len_32),
                                ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_HANDLE key = 0;

    transport_reset();
    assert_ok(C_DeriveKey(fixture.session, &mechanism, own->private, template, 4, &key));
    assert_int_equal(transport_trips(), 1);
    return key;
}

static void
value_read(CK_OBJECT_HANDLE key, CK_BYTE value[32])
{
    CK_ATTRIBUTE read[] = { { CKA_VALUE, value, 32 } };

    assert_ok(C_GetAttributeValue(fixture.session, key, read, 1));
    assert_int_equal(read[0].ulValueLen, 32);
}

static void
two_parties_agree_in_one_trip_each(void **state)
{
    static const CK_EC_KDF_TYPE kdfs[] = { CKD_NULL, CKD_SHA1_KDF, CKD_SHA512_KDF,
                                           CKD_SHA3_256_KDF, CKD_SHA256_KDF_SP800 };
    struct party one, other;
    CK_BYTE value[2][32];

    UNUSED(state);
    party_make(&one);
    party_make(&other);
    for (size_t i = 0; i < ARRAY_COUNT(kdfs); i++) {
        value_read(agree(&one, &other, 0, kdfs[i]), value[0]);
        value_read(agree(&other, &one, 2, kdfs[i]), value[1]);
        assert_memory_equal(value[0], value[1], 32);
    }
}

static CK_ECDH1_DERIVE_PARAMS params;
static CK_MECHANISM ecdh = { CKM_ECDH1_DERIVE, &params, sizeof params };
static CK_ATTRIBUTE aes_template[] = { ATTR(CKA_KEY_TYPE, aes_type), ATTR(CKA_VALUE_LEN, len_32) };

static void
arguments_have_their_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    struct party party;
    CK_MECHANISM unknown = { 0x12345678, NULL, 0 }, none = { CKM_ECDH1_DERIVE, NULL, 0 };
    CK_OBJECT_HANDLE key = 77;

    party_make(&party);
    params = (CK_ECDH1_DERIVE_PARAMS){ CKD_NULL, 0, NULL, party.point_len, party.point };
    assert_code(C_DeriveKey(session + 99, &ecdh, party.private, aes_template, 2, &key),
                CKR_SESSION_HANDLE_INVALID);
    assert_code(C_DeriveKey(session, NULL, party.private, aes_template, 2, &key),
                CKR_ARGUMENTS_BAD);
    assert_code(C_DeriveKey(session, &ecdh, party.private, aes_template, 2, NULL),
                CKR_ARGUMENTS_BAD);
    assert_code(C_DeriveKey(session, &ecdh, party.private, NULL, 2, &key), CKR_ARGUMENTS_BAD);
    assert_code(C_DeriveKey(session, &unknown, party.private, aes_template, 2, &key),
                CKR_MECHANISM_INVALID);
    assert_code(C_DeriveKey(session, &ecdh, 12345, aes_template, 2, &key), CKR_KEY_HANDLE_INVALID);
    assert_code(C_DeriveKey(session, &ecdh, make_aes(), aes_template, 2, &key),
                CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_DeriveKey(session, &none, party.private, aes_template, 2, &key),
                CKR_MECHANISM_PARAM_INVALID);
    params.ulPublicDataLen--;
    assert_code(C_DeriveKey(session, &ecdh, party.private, aes_template, 2, &key),
                CKR_PUBLIC_KEY_INVALID);
    params.ulPublicDataLen++;
    params.ulSharedDataLen = 1;
    assert_code(C_DeriveKey(session, &ecdh, party.private, aes_template, 2, &key),
                CKR_MECHANISM_PARAM_INVALID);
    params.ulSharedDataLen = 0;
    assert_int_equal(key, 77);
    assert_ok(C_DeriveKey(session, &ecdh, party.private, aes_template, 2, &key));
    assert_int_not_equal(key, 77);
}

static void
a_key_without_the_right_derives_nothing(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE public = 0, private = 0, key = 0;
    struct party party;

    party_make(&party);
    make_ec(&public, &private);
    params = (CK_ECDH1_DERIVE_PARAMS){ CKD_NULL, 0, NULL, party.point_len, party.point };
    assert_code(C_DeriveKey(session, &ecdh, private, aes_template, 2, &key),
                CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_code(C_DeriveKey(session, &ecdh, public, aes_template, 2, &key),
                CKR_KEY_TYPE_INCONSISTENT);
}

static void
a_token_key_wants_a_read_write_session(void **state)
{
    CK_SESSION_HANDLE read_only = open_session(0);
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, aes_type), ATTR(CKA_VALUE_LEN, len_32),
                                ATTR(CKA_TOKEN, yes) };
    CK_OBJECT_HANDLE key = 0;
    struct party party;

    UNUSED(state);
    party_make(&party);
    params = (CK_ECDH1_DERIVE_PARAMS){ CKD_NULL, 0, NULL, party.point_len, party.point };
    assert_code(C_DeriveKey(read_only, &ecdh, party.private, template, 3, &key),
                CKR_SESSION_READ_ONLY);
    assert_ok(C_DeriveKey(read_only, &ecdh, party.private, template, 2, &key));
    assert_ok(C_DeriveKey(fixture.session, &ecdh, party.private, template, 3, &key));
    assert_true(key < 0x80000000u);
    assert_ok(C_DestroyObject(fixture.session, key));
}

/* ---- NIST SP 800-108 ---- */

static CK_OBJECT_HANDLE
generic_base(void)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len_32), ATTR(CKA_DERIVE, yes),
                                ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(fixture.session, &mechanism, template, 4, &key));
    return key;
}

static CK_SP800_108_COUNTER_FORMAT counter = { CK_FALSE, 16 };
static CK_PRF_DATA_PARAM pieces[] = {
    { CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter },
    { CK_SP800_108_BYTE_ARRAY, p256, sizeof p256 },
};

static void
several_keys_come_of_one_call(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, generic_type), ATTR(CKA_VALUE_LEN, len_32) };
    CK_OBJECT_HANDLE key[4] = { 0 }, base = generic_base();
    CK_DERIVED_KEY further[] = { { template, 2, &key[1] }, { template, 2, &key[2] },
                                 { template, 2, &key[3] } };
    CK_SP800_108_KDF_PARAMS kdf = { CKM_SHA256_HMAC, 2, pieces, 3, further };
    CK_MECHANISM mechanism = { CKM_SP800_108_COUNTER_KDF, &kdf, sizeof kdf };
    CK_BYTE value[4][32];

    transport_reset();
    assert_ok(C_DeriveKey(session, &mechanism, base, template, 2, &key[0]));
    assert_int_equal(transport_trips(), 1);
    for (size_t i = 0; i < 4; i++) {
        value_read(key[i], value[i]); /* SENSITIVE and EXTRACTABLE as the base key's */
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(value[i], value[k], 32);
        }
    }

    kdf.ulAdditionalDerivedKeys = 0;
    kdf.pAdditionalDerivedKeys = NULL;
    assert_ok(C_DeriveKey(session, &mechanism, base, template, 2, &key[1]));
    value_read(key[1], value[1]);
    assert_memory_equal(value[0], value[1], 32);
}

static void
further_keys_are_all_or_none(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, generic_type), ATTR(CKA_VALUE_LEN, len_32) };
    CK_ATTRIBUTE bad[] = { ATTR(CKA_KEY_TYPE, generic_type) }; /* no length */
    CK_OBJECT_HANDLE key[5] = { 77, 77, 77, 77, 77 }, base = generic_base();
    CK_DERIVED_KEY further[] = { { bad, 1, &key[1] }, { template, 2, &key[2] },
                                 { template, 2, &key[3] }, { template, 2, &key[4] } };
    CK_SP800_108_KDF_PARAMS kdf = { CKM_SHA256_HMAC, 2, pieces, 1, further };
    CK_MECHANISM mechanism = { CKM_SP800_108_COUNTER_KDF, &kdf, sizeof kdf };

    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &key[0]),
                CKR_TEMPLATE_INCOMPLETE);
    kdf.ulAdditionalDerivedKeys = 4; /* more than this HSM makes at once */
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &key[0]),
                CKR_MECHANISM_PARAM_INVALID);
    kdf.pAdditionalDerivedKeys = NULL;
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &key[0]),
                CKR_MECHANISM_PARAM_INVALID);
    kdf.ulAdditionalDerivedKeys = 1;
    kdf.pAdditionalDerivedKeys = further + 1;
    further[1].phKey = NULL;
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &key[0]),
                CKR_MECHANISM_PARAM_INVALID);
    for (size_t i = 0; i < ARRAY_COUNT(key); i++) {
        assert_int_equal(key[i], 77);
    }
}

/* A secret key of known bytes. */
static CK_OBJECT_HANDLE
known_key(CK_KEY_TYPE type, CK_BYTE *bytes, CK_ULONG len, CK_BBOOL derives)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type),
                                { CKA_VALUE, bytes, len }, ATTR(CKA_DERIVE, derives),
                                ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_CreateObject(fixture.session, template, ARRAY_COUNT(template), &key));
    return key;
}

/* The value of a key as a piece is what its bytes are, wherever it stands. */
static void
a_key_is_a_piece_as_its_bytes_are(void **state)
{
    static const CK_MECHANISM_TYPE modes[] = { CKM_SP800_108_COUNTER_KDF,
                                               CKM_SP800_108_FEEDBACK_KDF,
                                               CKM_SP800_108_DOUBLE_PIPELINE_KDF };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, generic_type), ATTR(CKA_VALUE_LEN, len_32) };
    CK_BYTE first[24] = "a key of 24 bytes, known", second[5] = "other";
    CK_OBJECT_HANDLE base = generic_base(), key[2];
    CK_OBJECT_HANDLE firsts = known_key(CKK_GENERIC_SECRET, first, sizeof first, CK_TRUE);
    CK_OBJECT_HANDLE seconds = known_key(CKK_GENERIC_SECRET, second, sizeof second, CK_TRUE);
    CK_PRF_DATA_PARAM keys[] = {
        { CK_SP800_108_KEY_HANDLE, &seconds, sizeof seconds },
        { CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter },
        { CK_SP800_108_BYTE_ARRAY, p256, sizeof p256 },
        { CK_SP800_108_KEY_HANDLE, &firsts, sizeof firsts },
        { CK_SP800_108_KEY_HANDLE, &seconds, sizeof seconds },
    };
    CK_PRF_DATA_PARAM bytes[] = {
        { CK_SP800_108_BYTE_ARRAY, second, sizeof second },
        { CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter },
        { CK_SP800_108_BYTE_ARRAY, p256, sizeof p256 },
        { CK_SP800_108_BYTE_ARRAY, first, sizeof first },
        { CK_SP800_108_BYTE_ARRAY, second, sizeof second },
    };

    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        CK_BYTE value[2][32];

        for (size_t k = 0; k < 2; k++) {
            CK_PRF_DATA_PARAM *data = k == 0 ? keys : bytes;
            CK_SP800_108_KDF_PARAMS kdf = { CKM_SHA256_HMAC, 5, data, 0, NULL };
            CK_SP800_108_FEEDBACK_KDF_PARAMS feedback = { CKM_SHA256_HMAC, 5, data, 0, NULL, 0,
                                                          NULL };
            CK_MECHANISM mechanism = { modes[i], &kdf, sizeof kdf };

            /* Without a counter the variable has no form. */
            if (modes[i] != CKM_SP800_108_COUNTER_KDF) {
                data[1].pValue = NULL;
                data[1].ulValueLen = 0;
            }
            if (modes[i] == CKM_SP800_108_FEEDBACK_KDF) {
                mechanism.pParameter = &feedback;
                mechanism.ulParameterLen = sizeof feedback;
            }
            assert_ok(C_DeriveKey(session, &mechanism, base, template, 2, &key[k]));
            value_read(key[k], value[k]);
        }
        assert_memory_equal(value[0], value[1], 32);
    }
}

static void
a_key_that_is_a_piece_has_to_derive(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, generic_type), ATTR(CKA_VALUE_LEN, len_32) };
    CK_BYTE bytes[16] = "sixteen bytes";
    CK_OBJECT_HANDLE base = generic_base(), made = 77, public, private, other = 0;
    CK_PRF_DATA_PARAM data[7] = {
        { CK_SP800_108_ITERATION_VARIABLE, &counter, sizeof counter },
        { CK_SP800_108_KEY_HANDLE, &other, sizeof other },
    };
    CK_SP800_108_KDF_PARAMS kdf = { CKM_SHA256_HMAC, 2, data, 0, NULL };
    CK_MECHANISM mechanism = { CKM_SP800_108_COUNTER_KDF, &kdf, sizeof kdf };

    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_MECHANISM_PARAM_INVALID);
    other = 0x7ffffff0;
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_KEY_HANDLE_INVALID);
    other = known_key(CKK_GENERIC_SECRET, bytes, sizeof bytes, CK_FALSE);
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_KEY_FUNCTION_NOT_PERMITTED);
    make_ec(&public, &private);
    other = private;
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_KEY_TYPE_INCONSISTENT);
    other = known_key(CKK_GENERIC_SECRET, bytes, sizeof bytes, CK_TRUE);
    data[1].ulValueLen--;
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_MECHANISM_PARAM_INVALID);
    data[1].ulValueLen++;
    data[1].pValue = NULL;
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_MECHANISM_PARAM_INVALID);
    for (size_t i = 1; i < ARRAY_COUNT(data); i++) {
        data[i] = (CK_PRF_DATA_PARAM){ CK_SP800_108_KEY_HANDLE, &other, sizeof other };
    }
    kdf.ulNumberOfDataParams = 6; /* five keys */
    assert_code(C_DeriveKey(session, &mechanism, base, template, 2, &made),
                CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(made, 77);
    kdf.ulNumberOfDataParams = 5;
    assert_ok(C_DeriveKey(session, &mechanism, base, template, 2, &made));
}

/* ---- TLS 1.2 ---- */

static CK_BYTE random_bytes[2][32];
static CK_SSL3_RANDOM_DATA randoms = { random_bytes[0], 32, random_bytes[1], 32 };

/* 48 bytes with a version in front, and the master secret made of them. */
static CK_OBJECT_HANDLE
master_make(CK_VERSION *ret_version)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_BYTE bytes[48] = { 3, 3, 7 };
    CK_ATTRIBUTE premaster[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, generic_type),
                                 ATTR(CKA_VALUE, bytes), ATTR(CKA_DERIVE, yes) };
    CK_TLS12_MASTER_KEY_DERIVE_PARAMS params_ = { randoms, ret_version, CKM_SHA256 };
    CK_MECHANISM mechanism = { CKM_TLS12_MASTER_KEY_DERIVE, &params_, sizeof params_ };
    CK_ATTRIBUTE template[] = { ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_HANDLE base = 0, master = 0;

    assert_ok(C_CreateObject(fixture.session, premaster, 4, &base));
    assert_ok(C_DeriveKey(fixture.session, &mechanism, base, template, 2, &master));
    return master;
}

static void
a_master_secret_tells_its_version_and_its_use(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_VERSION version = { 0, 0 };
    CK_OBJECT_HANDLE master = master_make(&version), key = 0;
    CK_MECHANISM hash = { CKM_SHA256_KEY_DERIVATION, NULL, 0 };
    CK_ULONG len = 0;
    CK_ATTRIBUTE read[] = { ATTR(CKA_VALUE_LEN, len) };

    assert_int_equal(version.major, 3);
    assert_int_equal(version.minor, 3);
    assert_ok(C_GetAttributeValue(session, master, read, 1));
    assert_int_equal(len, 48);
    assert_code(C_DeriveKey(session, &hash, master, NULL, 0, &key), CKR_MECHANISM_INVALID);
    assert_ok(C_DestroyObject(session, master_make(NULL)));
}

static void
keys_macs_and_ivs_come_of_one_call(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE master = master_make(NULL);
    CK_BYTE iv[2][12] = { { 0 } }, zeros[12] = { 0 };
    CK_SSL3_KEY_MAT_OUT out = { 0, 0, 0, 0, iv[0], iv[1] };
    CK_TLS12_KEY_MAT_PARAMS params_ = { 256, 256, 96, CK_FALSE, randoms, &out, CKM_SHA256 };
    CK_MECHANISM mechanism = { CKM_TLS12_KEY_AND_MAC_DERIVE, &params_, sizeof params_ };
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, aes_type), ATTR(CKA_ENCRYPT, yes) };
    CK_BYTE value[4][32];
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE read[] = { ATTR(CKA_KEY_TYPE, type) };

    assert_ok(C_DeriveKey(session, &mechanism, master, template, 2, NULL));
    value_read(out.hClientMacSecret, value[0]);
    value_read(out.hServerMacSecret, value[1]);
    value_read(out.hClientKey, value[2]);
    value_read(out.hServerKey, value[3]);
    for (size_t i = 1; i < 4; i++) {
        assert_memory_not_equal(value[0], value[i], 32);
    }
    assert_memory_not_equal(iv[0], zeros, 12);
    assert_memory_not_equal(iv[0], iv[1], 12);
    assert_ok(C_GetAttributeValue(session, out.hClientMacSecret, read, 1));
    assert_int_equal(type, CKK_GENERIC_SECRET);
    assert_ok(C_GetAttributeValue(session, out.hServerKey, read, 1));
    assert_int_equal(type, CKK_AES);

    /* An AEAD has no MAC keys; the safe kind gives no IVs. */
    params_.ulMacSizeInBits = 0;
    out = (CK_SSL3_KEY_MAT_OUT){ 1, 2, 0, 0, NULL, NULL };
    assert_code(C_DeriveKey(session, &mechanism, master, template, 2, NULL),
                CKR_MECHANISM_PARAM_INVALID);
    mechanism.mechanism = CKM_TLS12_KEY_SAFE_DERIVE;
    assert_ok(C_DeriveKey(session, &mechanism, master, template, 2, NULL));
    assert_int_equal(out.hClientMacSecret, 1);
    assert_int_not_equal(out.hClientKey, 0);
    assert_int_not_equal(out.hServerKey, 0);
}

static void
tls_keys_are_protected_as_their_master_is(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE master = master_make(NULL);
    CK_SSL3_KEY_MAT_OUT out = { 7, 7, 7, 7, NULL, NULL };
    CK_TLS12_KEY_MAT_PARAMS params_ = { 0, 256, 0, CK_FALSE, randoms, &out, CKM_SHA256 };
    CK_MECHANISM mechanism = { CKM_TLS12_KEY_AND_MAC_DERIVE, &params_, sizeof params_ };
    CK_ULONG len = 16;
    CK_ATTRIBUTE sensitive[] = { ATTR(CKA_KEY_TYPE, aes_type), ATTR(CKA_SENSITIVE, yes) };
    CK_ATTRIBUTE other_len[] = { ATTR(CKA_KEY_TYPE, aes_type), ATTR(CKA_VALUE_LEN, len) };

    assert_code(C_DeriveKey(session, &mechanism, master, sensitive, 2, NULL),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(C_DeriveKey(session, &mechanism, master, other_len, 2, NULL),
                CKR_TEMPLATE_INCONSISTENT);
    params_.bIsExport = CK_TRUE;
    assert_code(C_DeriveKey(session, &mechanism, master, sensitive, 1, NULL),
                CKR_MECHANISM_PARAM_INVALID);
    assert_int_equal(out.hClientKey, 7);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_parties_agree_in_one_trip_each),
        TEST(arguments_have_their_codes),
        TEST(a_key_without_the_right_derives_nothing),
        TEST(a_token_key_wants_a_read_write_session),
        TEST(several_keys_come_of_one_call),
        TEST(further_keys_are_all_or_none),
        TEST(a_key_is_a_piece_as_its_bytes_are),
        TEST(a_key_that_is_a_piece_has_to_derive),
        TEST(a_master_secret_tells_its_version_and_its_use),
        TEST(keys_macs_and_ivs_come_of_one_call),
        TEST(tls_keys_are_protected_as_their_master_is),
    };

    return cmocka_run_group_tests(tests, group_standard, group_teardown);
}
