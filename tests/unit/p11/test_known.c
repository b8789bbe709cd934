/* SPDX-License-Identifier: Apache-2.0
 *
 * Published answers of mechanisms that derive and wrap, through the calls: keys are made of the
 * vector's bytes, C_DeriveKey or C_WrapKey does its work, and the new key's value is read.
 */
#include "p11_test.h"

#include "counts.h"

#include <jansson.h>
#include <stdio.h>

#define PACKAGE "/usr/lib/python3/dist-packages/cryptography_vectors/"
#define HEX_SIZE 16384u

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE generic_type = CKK_GENERIC_SECRET;

/* The bytes live until sixteen more were made. */
static view
hex(const char *text)
{
    static uint8_t memory[16][HEX_SIZE];
    static size_t next;
    uint8_t *bytes = memory[next++ % 16];
    size_t len = 0;

    assert_true(hex_decode(text, bytes, HEX_SIZE, &len));
    return view_of(bytes, len);
}

static CK_BYTE *
bytes(view v)
{
    return (CK_BYTE *)(uintptr_t)v.data;
}

static CK_OBJECT_HANDLE
secret(CK_KEY_TYPE type, view value)
{
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, type),
        { CKA_VALUE, bytes(value), value.len }, ATTR(CKA_DERIVE, yes), ATTR(CKA_WRAP, yes),
        ATTR(CKA_UNWRAP, yes), ATTR(CKA_DECRYPT, yes), ATTR(CKA_EXTRACTABLE, yes),
        ATTR(CKA_SENSITIVE, no),
    };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_CreateObject(fixture.session, template, ARRAY_COUNT(template), &key));
    return key;
}

static void
destroy(CK_OBJECT_HANDLE key)
{
    assert_ok(C_DestroyObject(fixture.session, key));
    writer_truncate(&fixture.hsm.outside.lines, 0); /* nobody reads this audit */
}

static void
assert_value(CK_OBJECT_HANDLE key, view expected)
{
    static CK_BYTE value[HEX_SIZE];
    CK_ATTRIBUTE read[] = { { CKA_VALUE, value, sizeof value } };

    assert_ok(C_GetAttributeValue(fixture.session, key, read, 1));
    assert_int_equal(read[0].ulValueLen, expected.len);
    assert_memory_equal(value, expected.data, expected.len);
}

static CK_RV
derive_made(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE base, size_t len, CK_OBJECT_HANDLE *ret_key)
{
    CK_ULONG value_len = len;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic_type),
        ATTR(CKA_EXTRACTABLE, yes), ATTR(CKA_SENSITIVE, no), ATTR(CKA_VALUE_LEN, value_len),
    };

    return C_DeriveKey(fixture.session, mechanism, base, template, len == 0 ? 4 : 5, ret_key);
}

/* The derived key is those bytes. len: what the template says, 0 for nothing. */
static void
assert_derives(CK_MECHANISM_TYPE type, void *params, size_t params_len, CK_OBJECT_HANDLE base,
               size_t len, view expected)
{
    CK_MECHANISM mechanism = { type, params, params_len };
    CK_OBJECT_HANDLE made = 0;

    assert_ok(derive_made(&mechanism, base, len, &made));
    assert_value(made, expected);
    destroy(made);
    counts_add(type);
}

/* ---- agreement and HKDF: Wycheproof ---- */

static json_t *
wycheproof(const char *name)
{
    const char *folder = getenv("WYCHEPROOF_DIR");
    char path[1024];
    json_t *file;

    snprintf(path, sizeof path, "%s/%s",
             folder != NULL ? folder : TESTS_DIR "/../../shared/vectors/wycheproof", name);
    file = json_load_file(path, 0, NULL);
    if (file == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    return file;
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    return text;
}

static void
agree(const json_t *test, const struct curve_row *curve, CK_MECHANISM_TYPE type)
{
    const char *result = text_of(test, "result");
    view scalar = hex(text_of(test, "private")), point = hex(text_of(test, "public"));
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_KEY_TYPE key_type = curve->key_type;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, key_type),
        { CKA_EC_PARAMS, (void *)(uintptr_t)curve->oid, curve->oid_len },
        { CKA_VALUE, bytes(scalar), scalar.len }, ATTR(CKA_DERIVE, yes),
    };
    CK_ECDH1_DERIVE_PARAMS params = { CKD_NULL, 0, NULL, point.len, bytes(point) };
    CK_MECHANISM mechanism = { type, &params, sizeof params };
    CK_OBJECT_HANDLE base = 0, made = 0;
    CK_RV rv;

    assert_ok(C_CreateObject(fixture.session, template, ARRAY_COUNT(template), &base));
    rv = derive_made(&mechanism, base, 0, &made);
    if (rv == CKR_OK) {
        assert_string_not_equal(result, "invalid");
        assert_value(made, hex(text_of(test, "shared")));
        destroy(made);
    } else {
        assert_true(rv == CKR_PUBLIC_KEY_INVALID || rv == CKR_MECHANISM_PARAM_INVALID);
        assert_string_not_equal(result, "valid");
    }
    destroy(base);
    counts_add(type);
}

static void
two_parties_agree_as_wycheproof_has_it(void **state)
{
    static const struct {
        const char *file;
        unsigned tool_id;
    } files[] = {
        { "ecdh_secp224r1_ecpoint_test.json", 13 }, { "ecdh_secp256r1_ecpoint_test.json", 2 },
        { "ecdh_secp384r1_ecpoint_test.json", 14 }, { "ecdh_secp521r1_ecpoint_test.json", 15 },
        { "x25519_test.json", 26 },                 { "x448_test.json", 27 },
    };

    UNUSED(state);
    for (size_t f = 0; f < ARRAY_COUNT(files); f++) {
        const struct curve_row *curve = curve_by_tool_id(files[f].tool_id);
        json_t *file = wycheproof(files[f].file), *group, *test;
        size_t i, k;

        json_array_foreach(json_object_get(file, "testGroups"), i, group) {
            json_array_foreach(json_object_get(group, "tests"), k, test) {
                agree(test, curve, CKM_ECDH1_DERIVE);
                if (curve->key_type == CKK_EC) { /* their cofactor is 1 */
                    agree(test, curve, CKM_ECDH1_COFACTOR_DERIVE);
                }
            }
        }
        json_decref(file);
    }
}

static void
hkdf(const json_t *test, CK_MECHANISM_TYPE hash)
{
    const bool valid = strcmp(text_of(test, "result"), "valid") == 0;
    const size_t len = (size_t)json_integer_value(json_object_get(test, "size"));
    view salt = hex(text_of(test, "salt")), info = hex(text_of(test, "info"));
    view okm = hex(text_of(test, "okm"));
    CK_HKDF_PARAMS params = {
        CK_TRUE, CK_TRUE, hash, salt.len == 0 ? CKF_HKDF_SALT_NULL : CKF_HKDF_SALT_DATA,
        salt.len == 0 ? NULL : bytes(salt), salt.len, 0, bytes(info), info.len,
    };
    CK_MECHANISM mechanism = { CKM_HKDF_DERIVE, &params, sizeof params };
    CK_OBJECT_CLASS data_class = CKO_DATA;
    CK_ULONG value_len = len;
    CK_ATTRIBUTE data[] = { ATTR(CKA_CLASS, data_class), ATTR(CKA_VALUE_LEN, value_len) };
    CK_OBJECT_HANDLE made = 0, base;

    base = secret(CKK_GENERIC_SECRET, hex(text_of(test, "ikm")));
    if (valid && len <= 3072) {
        assert_derives(CKM_HKDF_DERIVE, &params, sizeof params, base, len, okm);
        mechanism.mechanism = CKM_HKDF_DATA;
        assert_ok(C_DeriveKey(fixture.session, &mechanism, base, data, 2, &made));
        assert_value(made, okm);
        destroy(made);
        counts_add(CKM_HKDF_DATA);
    } else {
        assert_code(derive_made(&mechanism, base, len, &made), CKR_KEY_SIZE_RANGE);
        counts_add(CKM_HKDF_DERIVE);
    }
    destroy(base);
}

static void
hkdf_derives_as_wycheproof_has_it(void **state)
{
    static const struct {
        const char *file;
        CK_MECHANISM_TYPE hash;
    } files[] = {
        { "hkdf_sha1_test.json", CKM_SHA_1 },     { "hkdf_sha256_test.json", CKM_SHA256 },
        { "hkdf_sha384_test.json", CKM_SHA384 }, { "hkdf_sha512_test.json", CKM_SHA512 },
    };

    UNUSED(state);
    for (size_t f = 0; f < ARRAY_COUNT(files); f++) {
        json_t *file = wycheproof(files[f].file), *group, *test;
        size_t i, k;

        json_array_foreach(json_object_get(file, "testGroups"), i, group) {
            json_array_foreach(json_object_get(group, "tests"), k, test) {
                hkdf(test, files[f].hash);
            }
        }
        json_decref(file);
    }
}

/* ---- SP 800-108: the package's answers of NIST ---- */

enum field { PRF, PLACE, WIDTH, LENGTH, KEY, FIXED, BEFORE, AFTER, OUT, FIELDS };

static char fields[FIELDS][HEX_SIZE];

static void
counter_kdf(void)
{
    static const struct {
        const char *name;
        CK_MECHANISM_TYPE type;
        CK_KEY_TYPE key;
    } prfs[] = {
        { "HMAC_SHA1", CKM_SHA_1_HMAC, CKK_GENERIC_SECRET },
        { "HMAC_SHA224", CKM_SHA224_HMAC, CKK_GENERIC_SECRET },
        { "HMAC_SHA256", CKM_SHA256_HMAC, CKK_GENERIC_SECRET },
        { "HMAC_SHA384", CKM_SHA384_HMAC, CKK_GENERIC_SECRET },
        { "HMAC_SHA512", CKM_SHA512_HMAC, CKK_GENERIC_SECRET },
        { "CMAC_AES128", CKM_AES_CMAC, CKK_AES },
        { "CMAC_AES192", CKM_AES_CMAC, CKK_AES },
        { "CMAC_AES256", CKM_AES_CMAC, CKK_AES },
    };
    CK_SP800_108_COUNTER_FORMAT format = { CK_FALSE, strtoul(fields[WIDTH], NULL, 10) };
    const bool middle = strcmp(fields[PLACE], "MIDDLE_FIXED") == 0;
    const bool first = strcmp(fields[PLACE], "BEFORE_FIXED") == 0;
    view before = hex(fields[middle ? BEFORE : FIXED]), after = hex(fields[AFTER]);
    const CK_PRF_DATA_PARAM counter = { CK_SP800_108_ITERATION_VARIABLE, &format, sizeof format };
    const CK_PRF_DATA_PARAM fixed = { CK_SP800_108_BYTE_ARRAY, bytes(before), before.len };
    CK_PRF_DATA_PARAM items[] = { first ? counter : fixed, first ? fixed : counter,
                                  { CK_SP800_108_BYTE_ARRAY, bytes(after), after.len } };
    CK_SP800_108_KDF_PARAMS params = { 0, middle ? 3 : 2, items, 0, NULL };

    for (size_t i = 0; i < ARRAY_COUNT(prfs); i++) {
        if (strcmp(prfs[i].name, fields[PRF]) == 0) {
            const size_t len = strtoul(fields[LENGTH], NULL, 10) / 8;
            view out = hex(fields[OUT]);
            CK_OBJECT_HANDLE base = secret(prfs[i].key, hex(fields[KEY]));

            params.prfType = prfs[i].type;
            assert_derives(CKM_SP800_108_COUNTER_KDF, &params, sizeof params, base, len, out);
            assert_derives(CKM_CLOUDHSM_SP800_108_COUNTER_KDF, &params, sizeof params, base, len,
                           out);
            destroy(base);
        }
    }
}

static void
counter_mode_derives_as_nist_has_it(void **state)
{
    static const char *const names[FIELDS] = { "PRF", "CTRLOCATION", "RLEN", "L", "KI",
                                               "FixedInputData", "DataBeforeCtrData",
                                               "DataAfterCtrData", "KO" };
    static char line[HEX_SIZE + 100];
    FILE *file = fopen(PACKAGE "KDF/nist-800-108-KBKDF-CTR.txt", "r");

    UNUSED(state);
    if (file == NULL) {
        print_message("skipped: no %s\n", PACKAGE);
        skip();
    }
    while (fgets(line, sizeof line, file) != NULL) {
        char name[32] = "", value[HEX_SIZE] = "";
        bool last = false;

        line[strcspn(line, "\r\n]")] = '\0';
        if (sscanf(line, line[0] == '[' ? "[%31[^=]=%16383s" : "%31[^= ] = %16383s", name,
                   value) < 1 || name[0] == '#' || name[0] == '\t') {
            continue;
        }
        for (size_t i = 0; i < FIELDS; i++) {
            if (strcmp(names[i], name) == 0) {
                char *end = strstr(value, "_BITS");

                if (end != NULL) {
                    *end = '\0';
                }
                strcpy(fields[i], value);
                last = i == OUT;
            }
        }
        if (last) {
            counter_kdf();
        }
    }
    fclose(file);
}

/* ---- PBKDF2 ---- */

static void
pbkdf2_generates_as_the_rfcs_have_it(void **state)
{
    static const struct {
        const char *password, *salt;
        CK_ULONG iterations, prf;
        const char *key;
    } cases[] = {
        /* RFC 6070 */
        { "password", "salt", 4096, CKP_PKCS5_PBKD2_HMAC_SHA1,
          "4b007901b765489abead49d926f721d065a429c1" },
        { "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 4096,
          CKP_PKCS5_PBKD2_HMAC_SHA1, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038" },
        /* RFC 7914, 11 */
        { "passwd", "salt", 1, CKP_PKCS5_PBKD2_HMAC_SHA256,
          "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        view salt = view_str(cases[i].salt), password = view_str(cases[i].password);
        view expected = hex(cases[i].key);
        CK_PKCS5_PBKD2_PARAMS2 params = {
            CKZ_SALT_SPECIFIED, bytes(salt), salt.len, cases[i].iterations, cases[i].prf, NULL, 0,
            bytes(password), password.len,
        };
        CK_MECHANISM mechanism = { CKM_PKCS5_PBKD2, &params, sizeof params };
        CK_ULONG len = expected.len;
        CK_ATTRIBUTE template[] = {
            ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic_type),
            ATTR(CKA_EXTRACTABLE, yes), ATTR(CKA_SENSITIVE, no), ATTR(CKA_VALUE_LEN, len),
        };
        CK_OBJECT_HANDLE made = 0;

        assert_ok(C_GenerateKey(fixture.session, &mechanism, template, 5, &made));
        assert_value(made, expected);
        destroy(made);
        counts_add(CKM_PKCS5_PBKD2);
    }
}

/* ---- the simple ones ---- */

/* The examples of PKCS #11 v3.1, 6.43.3 to 6.43.7. */
static void
keys_are_mixed_as_the_standard_shows(void **state)
{
    CK_OBJECT_HANDLE key = secret(CKK_GENERIC_SECRET, hex("01234567"));
    CK_OBJECT_HANDLE other = secret(CKK_GENERIC_SECRET, hex("89abcdef"));
    CK_OBJECT_HANDLE bits = secret(CKK_GENERIC_SECRET, hex("329f84a9"));
    view data = hex("89abcdef");
    CK_KEY_DERIVATION_STRING_DATA string = { bytes(data), data.len };
    CK_EXTRACT_PARAMS at = 21;

    UNUSED(state);
    assert_derives(CKM_CONCATENATE_BASE_AND_KEY, &other, sizeof other, key, 0,
                   hex("0123456789abcdef"));
    assert_derives(CKM_CONCATENATE_BASE_AND_DATA, &string, sizeof string, key, 0,
                   hex("0123456789abcdef"));
    assert_derives(CKM_CONCATENATE_DATA_AND_BASE, &string, sizeof string, key, 0,
                   hex("89abcdef01234567"));
    assert_derives(CKM_XOR_BASE_AND_DATA, &string, sizeof string, key, 0, hex("88888888"));
    assert_derives(CKM_EXTRACT_KEY_FROM_KEY, &at, sizeof at, bits, 2, hex("9526"));
    destroy(key);
    destroy(other);
    destroy(bits);
}

/* NIST SP 800-38A, F.1.1 and F.2.1: what the key encrypts is the key. */
static void
a_key_is_what_a_key_encrypts(void **state)
{
    view plain = hex("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51");
    CK_OBJECT_HANDLE key = secret(CKK_AES, hex("2b7e151628aed2a6abf7158809cf4f3c"));
    CK_KEY_DERIVATION_STRING_DATA string = { bytes(plain), plain.len };
    CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc = { { 0 }, bytes(plain), plain.len };

    UNUSED(state);
    assert_derives(CKM_AES_ECB_ENCRYPT_DATA, &string, sizeof string, key, 0,
                   hex("3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"));
    memcpy(cbc.iv, hex("000102030405060708090a0b0c0d0e0f").data, 16);
    assert_derives(CKM_AES_CBC_ENCRYPT_DATA, &cbc, sizeof cbc, key, 0,
                   hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"));
    destroy(key);
}

/* ---- TLS ---- */

/* The vector that went around in the working group for the PRF of TLS 1.2 with SHA-256. */
static void
the_prf_of_tls_is_the_working_groups(void **state)
{
    CK_OBJECT_HANDLE key = secret(CKK_GENERIC_SECRET, hex("9bbe436ba940f017b17652849a71db35"));
    view label = VIEW_TEXT("test label"), one = hex("a0ba9f936cda3118");
    view two = hex("27a6f796ffd5198c");
    CK_TLS_KDF_PARAMS params = {
        CKM_SHA256, bytes(label), label.len, { bytes(one), one.len, bytes(two), two.len }, NULL, 0,
    };
    view out = hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
                   "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
                   "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
                   "87347b66");

    UNUSED(state);
    assert_derives(CKM_TLS_KDF, &params, sizeof params, key, out.len, out);
    assert_derives(CKM_TLS12_KDF, &params, sizeof params, key, out.len, out);
    destroy(key);
}

#define MASTER                                                         \
    "202c88c00f84a17a20027079604787461176455539e705be730890602c289a50" \
    "01e34eeb3a043e5d52a65e66125188bf"

/* NIST CAVS, TLS 1.2 with SHA-256, the first of its samples. */
static void
the_master_secret_is_nists(void **state)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_TLS12_MASTER_KEY_DERIVE,
                                               CKM_TLS12_MASTER_KEY_DERIVE_DH };
    CK_OBJECT_HANDLE premaster = secret(
        CKK_GENERIC_SECRET, hex("f8938ecc9edebc5030c0c6a441e213cd24e6f770a50dda07876f8d55da062bca"
                                "db386b411fd4fe4313a604fce6c17fbc"));
    view client = hex("36c129d01a3200894b9179faac589d9835d58775f9b5ea3587cb8fd0364cae8c");
    view server = hex("f6c9575ed7ddd73e1f7d16eca115415812a43c2b747daaaae043abfb50053fce");
    CK_ATTRIBUTE template[] = { ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes) };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        CK_VERSION version = { 0, 0 };
        CK_TLS12_MASTER_KEY_DERIVE_PARAMS params = {
            { bytes(client), client.len, bytes(server), server.len }, i == 0 ? &version : NULL,
            CKM_SHA256,
        };
        CK_MECHANISM mechanism = { types[i], &params, sizeof params };
        CK_OBJECT_HANDLE made = 0;

        assert_ok(C_DeriveKey(fixture.session, &mechanism, premaster, template, 2, &made));
        assert_value(made, hex(MASTER));
        destroy(made);
        counts_add(types[i]);
        assert_int_equal(version.major, i == 0 ? 0xf8 : 0);
    }
    destroy(premaster);
}

/* Of the same sample: four keys, then two IVs. */
static void
the_key_block_is_nists(void **state)
{
    static const char block[] = "d06139889fffac1e3a71865f504aa5d0d2a2e89506c6f2279b670c3e1b74f531"
                                "016a2530c51a3a0f7e1d6590d0f0566b2f387f8d11fd4f731cdd572d2eae927f"
                                "6f2f81410b25e6960be68985add6c38445ad9f8c64bf8068bf9a6679485d966f"
                                "1ad6f68b43495b10a683755ea2b858d70ccac7ec8b053c6bd41ca299d4e51928";
    CK_OBJECT_HANDLE master = secret(CKK_GENERIC_SECRET, hex(MASTER));
    view client = hex("62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616");
    view server = hex("ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868");
    CK_ATTRIBUTE template[] = { ATTR(CKA_KEY_TYPE, generic_type) };

    UNUSED(state);
    for (size_t i = 0; i < 2; i++) {
        const bool safe = i == 1; /* gives no IVs */
        CK_BYTE ivs[2][12];
        CK_SSL3_KEY_MAT_OUT out = { 0, 0, 0, 0, safe ? NULL : ivs[0], safe ? NULL : ivs[1] };
        CK_TLS12_KEY_MAT_PARAMS params = {
            160, 256, safe ? 0 : 96, CK_FALSE,
            { bytes(client), client.len, bytes(server), server.len }, &out, CKM_SHA256,
        };
        CK_MECHANISM mechanism = {
            safe ? CKM_TLS12_KEY_SAFE_DERIVE : CKM_TLS12_KEY_AND_MAC_DERIVE, &params, sizeof params
        };
        view whole = hex(block);

        assert_ok(C_DeriveKey(fixture.session, &mechanism, master, template, 1, NULL));
        assert_value(out.hClientMacSecret, view_slice(whole, 0, 20));
        assert_value(out.hServerMacSecret, view_slice(whole, 20, 20));
        assert_value(out.hClientKey, view_slice(whole, 40, 32));
        assert_value(out.hServerKey, view_slice(whole, 72, 32));
        if (!safe) {
            assert_memory_equal(ivs[0], whole.data + 104, 12);
            assert_memory_equal(ivs[1], whole.data + 116, 12);
        }
        counts_add(mechanism.mechanism);
    }
    destroy(master);
}

/* ---- wrapping ---- */

/* The forward examples of NIST's own tests of TKW; the parity is what DES ignores. */
static void
triple_des_wraps_as_nist_has_it(void **state)
{
    static const struct {
        const char *plain, *wrapped;
    } cases[] = {
        { "0011223344556677", "16277d1db80d82a76de53a76" },
        { "00112233445566778899aabbccddeeff", "75f5f26521d739ba33f9619b52d2ab0d29822081" },
    };
    CK_OBJECT_HANDLE kek = secret(CKK_DES3, hex("010102020404070708080b0b0d0d0e0e1010131315151616"));
    CK_MECHANISM mechanism = { CKM_DES3_NIST_WRAP, NULL, 0 };
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, generic_type),
                                ATTR(CKA_SENSITIVE, no), ATTR(CKA_EXTRACTABLE, yes) };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        view wrapped = hex(cases[i].wrapped), plain = hex(cases[i].plain);
        CK_OBJECT_HANDLE key = secret(CKK_GENERIC_SECRET, plain), back = 0;
        CK_BYTE blob[64];
        CK_ULONG len = sizeof blob;

        assert_ok(C_WrapKey(fixture.session, &mechanism, kek, key, blob, &len));
        assert_int_equal(len, wrapped.len);
        assert_memory_equal(blob, wrapped.data, len);
        assert_ok(C_UnwrapKey(fixture.session, &mechanism, kek, blob, len, template, 4, &back));
        assert_value(back, plain);
        destroy(back);
        destroy(key);
        counts_add(CKM_DES3_NIST_WRAP);
    }
    destroy(kek);
}

/* The fourth test case of GCM's specification, its IV in front as the vendor has it. */
static void
the_vendors_gcm_opens_gcm(void **state)
{
    CK_OBJECT_HANDLE key = secret(CKK_AES, hex("feffe9928665731c6d6a8f9467308308"));
    view sealed = hex("cafebabefacedbaddecaf888"
                      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
                      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
                      "5bc94fbc3221a5db94fae95ae7121a47");
    view plain = hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    view aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    CK_GCM_PARAMS params = { NULL, 0, 0, bytes(aad), aad.len, 128 };
    CK_MECHANISM mechanism = { CKM_CLOUDHSM_AES_GCM, &params, sizeof params };
    CK_BYTE out[200];
    CK_ULONG len = sizeof out;

    UNUSED(state);
    assert_ok(C_DecryptInit(fixture.session, &mechanism, key));
    assert_ok(C_Decrypt(fixture.session, bytes(sealed), sealed.len, out, &len));
    assert_int_equal(len, plain.len);
    assert_memory_equal(out, plain.data, len);
    destroy(key);
    counts_add(CKM_CLOUDHSM_AES_GCM);
}

static int
counts_teardown(void **state)
{
    counts_write();
    return group_teardown(state);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_parties_agree_as_wycheproof_has_it),
        TEST(hkdf_derives_as_wycheproof_has_it),
        TEST(counter_mode_derives_as_nist_has_it),
        TEST(pbkdf2_generates_as_the_rfcs_have_it),
        TEST(keys_are_mixed_as_the_standard_shows),
        TEST(a_key_is_what_a_key_encrypts),
        TEST(the_prf_of_tls_is_the_working_groups),
        TEST(the_master_secret_is_nists),
        TEST(the_key_block_is_nists),
        TEST(triple_des_wraps_as_nist_has_it),
        TEST(the_vendors_gcm_opens_gcm),
    };

    return cmocka_run_group_tests_name("known", tests, group_standard, counts_teardown);
}
