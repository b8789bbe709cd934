/* SPDX-License-Identifier: Apache-2.0
 *
 * Key derivation: published vectors, the crypto library's own derivation functions as a
 * second opinion on ours, and what a peer may send. Wycheproof's vectors are looked for as in
 * test_wycheproof.c.
 */
#include "algo_fixture.h"

#include <jansson.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

static const char *
folder(void)
{
    const char *named = getenv("WYCHEPROOF_DIR");

    return named != NULL ? named : TESTS_DIR "/../../shared/vectors/wycheproof";
}

/* NULL when the file is not there. */
static json_t *
vectors(const char *name)
{
    char path[1024];

    snprintf(path, sizeof path, "%s/%s", folder(), name);
    return json_load_file(path, 0, NULL);
}

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    return text;
}

static struct algo_key *
ec_key(unsigned tool_id, view scalar)
{
    const struct curve_row *curve = curve_by_tool_id(tool_id);
    struct writer attributes, secrets;
    struct algo_key *key = NULL;

    writer_init(&attributes, 1000);
    writer_init(&secrets, 1000);
    attribute_write(&attributes, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    attribute_write(&secrets, CKA_VALUE, scalar);
    assert_int_equal(algo_key_new(KIND_EC_PRIVATE, writer_view(&attributes), writer_view(&secrets),
                                  &key), CKR_OK);
    writer_clear(&attributes);
    writer_clear(&secrets);
    return key;
}

static CK_RV
derive(const struct mechanism *m, const struct algo_key *base, size_t len, struct writer *out)
{
    const struct algo_derivation d = { mechanism_row(m->type), m, base, NULL, len };
    CK_RV rv;

    writer_reset(out);
    rv = algo_derive(standard, &d, out);
    assert_int_equal(ERR_peek_error(), 0);
    assert_true(rv == CKR_OK || out->len == 0);
    return rv;
}

static struct mechanism
ecdh(CK_ULONG kdf, view shared, view point)
{
    struct mechanism m = plain_mechanism(CKM_ECDH1_DERIVE);

    m.params.ecdh = (struct params_ecdh){ (uint32_t)kdf, shared, point };
    return m;
}

/* ---- agreement ---- */

static void
wycheproof_agrees_on_points(void **state)
{
    static const struct {
        const char *file;
        unsigned tool_id;
    } files[] = {
        { "ecdh_secp224r1_ecpoint_test.json", 13 },
        { "ecdh_secp256r1_ecpoint_test.json", 2 },
        { "ecdh_secp384r1_ecpoint_test.json", 14 },
        { "ecdh_secp521r1_ecpoint_test.json", 15 },
    };

    UNUSED(state);
    for (size_t f = 0; f < ARRAY_COUNT(files); f++) {
        json_t *file = vectors(files[f].file), *group, *test;
        unsigned run = 0, wrong = 0;
        size_t i, k;

        if (file == NULL) {
            print_message("skipped: no %s in %s\n", files[f].file, folder());
            skip();
        }
        json_array_foreach(json_object_get(file, "testGroups"), i, group) {
            json_array_foreach(json_object_get(group, "tests"), k, test) {
                const char *result = text_of(test, "result");
                struct algo_key *key = ec_key(files[f].tool_id, hex(text_of(test, "private")));
                struct mechanism m = ecdh(CKD_NULL, VIEW_EMPTY, hex(text_of(test, "public")));
                struct writer out;
                CK_RV rv;

                writer_init(&out, 1000);
                rv = derive(&m, key, 0, &out);
                if (strcmp(result, "valid") == 0
                        ? rv != CKR_OK ||
                              !view_equal(writer_view(&out), hex(text_of(test, "shared")))
                        : rv != CKR_PUBLIC_KEY_INVALID) {
                    print_error("%s, test %d\n", files[f].file,
                                (int)json_integer_value(json_object_get(test, "tcId")));
                    wrong++;
                }
                run++;
                writer_clear(&out);
                algo_key_free(key);
            }
        }
        print_message("%s: %u checks, %u wrong\n", files[f].file, run, wrong);
        json_decref(file);
        assert_int_equal(wrong, 0);
    }
}

/* RFC 5903, 8.1: the first exchange of P-256. */
#define SCALAR_I "c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433"
#define POINT_R                                                                        \
    "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63"               \
    "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab"
#define AGREED "d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de"

static void
the_value_is_that_of_rfc_5903(void **state)
{
    struct algo_key *key = ec_key(2, hex(SCALAR_I));
    struct mechanism m = ecdh(CKD_NULL, VIEW_EMPTY, hex(POINT_R));
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex(AGREED));
    assert_int_equal(derive(&m, key, 10, &out), CKR_OK);
    assert_view(writer_view(&out), view_slice(hex(AGREED), 22, 10));
    assert_int_equal(derive(&m, key, 33, &out), CKR_TEMPLATE_INCONSISTENT);
    m = ecdh(CKD_NULL, VIEW_EMPTY, hex("0441" POINT_R)); /* in its OCTET STRING */
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex(AGREED));
    writer_clear(&out);
    algo_key_free(key);
}

static void
a_point_that_is_none_is_refused(void **state)
{
    static const char *const points[] = {
        "00",                         /* infinity */
        "04", "0441", "0400", "",     /* cut short */
        "02d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63", /* compressed */
        POINT_R "00",
        "0442" POINT_R,
        "04000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
        "00000000000000000000000000000000000000000000000000",
    };
    struct algo_key *key = ec_key(2, hex(SCALAR_I));
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    for (size_t i = 0; i < ARRAY_COUNT(points); i++) {
        struct mechanism m = ecdh(CKD_NULL, VIEW_EMPTY, hex(points[i]));

        assert_int_equal(derive(&m, key, 0, &out), CKR_PUBLIC_KEY_INVALID);
    }
    writer_clear(&out);
    algo_key_free(key);
}

static void
a_secret_key_agrees_on_nothing(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, VIEW_TEXT("0123456789abcdef"));
    struct mechanism m = ecdh(CKD_NULL, VIEW_EMPTY, hex(POINT_R));
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, key, 0, &out), CKR_KEY_TYPE_INCONSISTENT);
    writer_clear(&out);
    algo_key_free(key);
}

/* ---- derivation functions after it ---- */

/* The crypto library's word: X963KDF and SSKDF take the agreed value as their key. */
static void
library_kdf(const char *name, const char *digest, view value, view info, uint8_t *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t)digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)value.data,
                                          value.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.data,
                                          info.len),
        OSSL_PARAM_construct_end(),
    };

    assert_int_equal(EVP_KDF_derive(ctx, out, len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static void
every_function_agrees_with_the_library(void **state)
{
    static const struct {
        CK_ULONG number;
        const char *name;
        const char *digest;
    } kdfs[] = {
        { CKD_SHA1_KDF, "X963KDF", "SHA1" },
        { CKD_SHA224_KDF, "X963KDF", "SHA224" },
        { CKD_SHA256_KDF, "X963KDF", "SHA256" },
        { CKD_SHA384_KDF, "X963KDF", "SHA384" },
        { CKD_SHA512_KDF, "X963KDF", "SHA512" },
        { CKD_SHA3_224_KDF, "X963KDF", "SHA3-224" },
        { CKD_SHA3_256_KDF, "X963KDF", "SHA3-256" },
        { CKD_SHA3_384_KDF, "X963KDF", "SHA3-384" },
        { CKD_SHA3_512_KDF, "X963KDF", "SHA3-512" },
        { CKD_SHA1_KDF_SP800, "SSKDF", "SHA1" },
        { CKD_SHA224_KDF_SP800, "SSKDF", "SHA224" },
        { CKD_SHA256_KDF_SP800, "SSKDF", "SHA256" },
        { CKD_SHA384_KDF_SP800, "SSKDF", "SHA384" },
        { CKD_SHA512_KDF_SP800, "SSKDF", "SHA512" },
        { CKD_SHA3_224_KDF_SP800, "SSKDF", "SHA3-224" },
        { CKD_SHA3_256_KDF_SP800, "SSKDF", "SHA3-256" },
        { CKD_SHA3_384_KDF_SP800, "SSKDF", "SHA3-384" },
        { CKD_SHA3_512_KDF_SP800, "SSKDF", "SHA3-512" },
    };
    static const size_t lens[] = { 1, 16, 20, 32, 33, 64, 65, 300, 3072 };
    static const view infos[] = { { NULL, 0 }, { (const uint8_t *)"info", 4 } };
    struct algo_key *key = ec_key(2, hex(SCALAR_I));
    uint8_t expected[3072];
    struct writer out;

    UNUSED(state);
    writer_init(&out, sizeof expected);
    for (size_t i = 0; i < ARRAY_COUNT(kdfs); i++) {
        for (size_t k = 0; k < ARRAY_COUNT(lens) * ARRAY_COUNT(infos); k++) {
            size_t len = lens[k / ARRAY_COUNT(infos)];
            view info = infos[k % ARRAY_COUNT(infos)];
            struct mechanism m = ecdh(kdfs[i].number, info, hex(POINT_R));

            assert_int_equal(derive(&m, key, len, &out), CKR_OK);
            library_kdf(kdfs[i].name, kdfs[i].digest, hex(AGREED), info, expected, len);
            assert_view(writer_view(&out), view_of(expected, len));
            assert_int_equal(derive(&m, key, 0, &out), CKR_TEMPLATE_INCOMPLETE);
        }
    }
    writer_clear(&out);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wycheproof_agrees_on_points),
        cmocka_unit_test(the_value_is_that_of_rfc_5903),
        cmocka_unit_test(a_point_that_is_none_is_refused),
        cmocka_unit_test(a_secret_key_agrees_on_nothing),
        cmocka_unit_test(every_function_agrees_with_the_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
