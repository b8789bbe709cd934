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
    enum object_kind kind;

    writer_init(&attributes, 1000);
    writer_init(&secrets, 1000);
    attribute_write(&attributes, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    attribute_write(&secrets, CKA_VALUE, scalar);
    assert_true(kind_of(CKO_PRIVATE_KEY, curve->key_type, &kind));
    assert_int_equal(algo_key_new(kind, writer_view(&attributes), writer_view(&secrets), &key),
                     CKR_OK);
    writer_clear(&attributes);
    writer_clear(&secrets);
    return key;
}

static CK_RV
derive(const struct mechanism *m, const struct algo_key *base, size_t len, struct writer *out)
{
    const struct algo_derivation d = { mechanism_row(m->type), m, base, { NULL }, 1, { len } };
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
head_write(struct writer *w, uint8_t tag, size_t len)
{
    write_u8(w, tag);
    if (len >= 0x80) {
        write_u8(w, 0x81);
    }
    write_u8(w, (uint8_t)len);
}

static size_t
head_len(size_t len)
{
    return len < 0x80 ? 2 : 3;
}

/* The point out of a SubjectPublicKeyInfo that is as it should be, with the curve's name. */
static bool
info_point(view info, const struct curve_row *curve, view *ret_point)
{
    static const char id[] = "\x06\x07\x2a\x86\x48\xce\x3d\x02\x01";
    const size_t lens[] = { 1 + 2 * curve_len(curve), 1 + curve_len(curve) };

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        size_t name_len = sizeof id - 1 + curve->oid_len;
        uint8_t start[100];
        struct writer w;

        writer_init_fixed(&w, start, sizeof start);
        head_write(&w, 0x30, head_len(name_len) + name_len + head_len(lens[i] + 1) + lens[i] + 1);
        head_write(&w, 0x30, name_len);
        write_raw(&w, view_of(id, sizeof id - 1));
        write_raw(&w, view_of(curve->oid, curve->oid_len));
        head_write(&w, 3, lens[i] + 1);
        write_u8(&w, 0);
        if (info.len == w.len + lens[i] &&
            view_equal(view_slice(info, 0, w.len), writer_view(&w))) {
            *ret_point = view_slice(info, w.len, lens[i]);
            return true;
        }
    }
    return false;
}

static bool
is_zero(view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Acceptable may be refused when it is all zeros, or when it is the encoding around that is odd. */
static bool
is_good(const json_t *test, bool info, CK_RV rv, view found)
{
    const char *result = text_of(test, "result");
    view shared = hex(text_of(test, "shared"));

    if (strcmp(result, "acceptable") == 0 && is_zero(shared)) {
        return rv == CKR_PUBLIC_KEY_INVALID;
    }
    if (rv == CKR_PUBLIC_KEY_INVALID) {
        return strcmp(result, "invalid") == 0 || (info && strcmp(result, "acceptable") == 0);
    }
    return rv == CKR_OK && strcmp(result, "invalid") != 0 && view_equal(found, shared);
}

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
        { "x25519_test.json", 26 },
        { "x448_test.json", 27 },
        { "ecdh_brainpoolP224r1_test.json", 20 },
        { "ecdh_brainpoolP256r1_test.json", 21 },
        { "ecdh_brainpoolP320r1_test.json", 22 },
        { "ecdh_brainpoolP384r1_test.json", 23 },
        { "ecdh_brainpoolP512r1_test.json", 24 },
        { "ecdh_secp256k1_test.json", 16 },
    };

    UNUSED(state);
    for (size_t f = 0; f < ARRAY_COUNT(files); f++) {
        json_t *file = vectors(files[f].file), *group, *test;
        bool info = strncmp(files[f].file, "ecdh_", 5) == 0 &&
                    strstr(files[f].file, "ecpoint") == NULL;
        unsigned run = 0, wrong = 0;
        size_t i, k;

        if (file == NULL) {
            print_message("no %s in %s\n", files[f].file, folder());
            continue;
        }
        json_array_foreach(json_object_get(file, "testGroups"), i, group) {
            json_array_foreach(json_object_get(group, "tests"), k, test) {
                view point = hex(text_of(test, "public"));
                struct algo_key *key;
                struct mechanism m;
                struct writer out;
                CK_RV rv;

                if (info && !info_point(point, curve_by_tool_id(files[f].tool_id), &point)) {
                    continue; /* a test of a decoder that we have not */
                }
                key = ec_key(files[f].tool_id, hex(text_of(test, "private")));
                m = ecdh(CKD_NULL, VIEW_EMPTY, point);
                writer_init(&out, 1000);
                rv = derive(&m, key, 0, &out);
                if (!is_good(test, info, rv, writer_view(&out))) {
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
        assert_int_not_equal(run, 0);
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
    /* Compressed; the agreed value is the same for both points of an x. */
    for (unsigned sign = 2; sign <= 3; sign++) {
        uint8_t point[33];

        memcpy(point, hex(POINT_R).data, sizeof point);
        point[0] = (uint8_t)sign;
        m = ecdh(CKD_NULL, VIEW_EMPTY, view_of(point, sizeof point));
        assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
        assert_view(writer_view(&out), hex(AGREED));
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* RFC 7748, 5.2 and 6; RFC 7027, A.1 to A.3. */
static const struct {
    unsigned tool_id;
    const char *scalar, *point, *agreed;
} agreements[] = {
    { 26,
      "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
      "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c",
      "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552" },
    { 26,
      "4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
      "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493",
      "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957" },
    { 27,
      "3d262fddf9ec8e88495266fea19a34d28882acef045104d0d1aae121700a779c"
      "984c24f8cdd78fbff44943eba368f54b29259a4f1c600ad3",
      "06fce640fa3487bfda5f6cf2d5263f8aad88334cbd07437f020f08f9814dc031"
      "ddbdc38c19c6da2583fa5429db94ada18aa7a7fb4ef8a086",
      "ce3e4ff95a60dc6697da1db1d85e6afbdf79b50a2412d7546d5f239fe14fbaad"
      "eb445fc66a01b0779d98223961111e21766282f73dd96b6f" },
    { 27,
      "203d494428b8399352665ddca42f9de8fef600908e0d461cb021f8c538345dd7"
      "7c3e4806e25f46d3315c44e0a5b4371282dd2c8d5be3095f",
      "0fbcc2f993cd56d3305b0b7d9e55d4c1a8fb5dbb52f8e9a1e9b6201b165d0158"
      "94e56c4d3570bee52fe205e28a78b91cdfbde71ce8d157db",
      "884a02576239ff7a2f2f63b2db6a9ff37047ac13568e1e30fe63c4a7ad1b3ee3"
      "a5700df34321d62077e63633c575c1c954514e99da7c179d" },
    { 21,
      "81db1ee100150ff2ea338d708271be38300cb54241d79950f77b063039804f1d",
      "048d2d688c6cf93e1160ad04cc4429117dc2c41825e1e9fca0addd34e6f1b39f"
      "7b990c57520812be512641e47034832106bc7d3e8dd0e4c7f1136d7006547cec"
      "6a",
      "89afc39d41d3b327814b80940b042590f96556ec91e6ae7939bce31f3a18bf2b" },
    { 21,
      "55e40bc41e37e3e2ad25c3c6654511ffa8474a91a0032087593852d3e7d76bd3",
      "0444106e913f92bc02a1705d9953a8414db95e1aaa49e81d9e85f929a8e3100b"
      "e58ab4846f11caccb73ce49cbdd120f5a900a69fd32c272223f789ef10eb089b"
      "dc",
      "89afc39d41d3b327814b80940b042590f96556ec91e6ae7939bce31f3a18bf2b" },
    { 23,
      "1e20f5e048a5886f1f157c74e91bde2b98c8b52d58e5003d57053fc4b0bd65d6"
      "f15eb5d1ee1610df870795143627d042",
      "044d44326f269a597a5b58bba565da5556ed7fd9a8a9eb76c25f46db69d19dc8"
      "ce6ad18e404b15738b2086df37e71d1eb462d692136de56cbe93bf5fa3188ef5"
      "8bc8a3a0ec6c1e151a21038a42e9185329b5b275903d192f8d4e1f32fe9cc78c"
      "48",
      "0bd9d3a7ea0b3d519d09d8e48d0785fb744a6b355e6304bc51c229fbbce239bb"
      "adf6403715c35d4fb2a5444f575d4f42" },
    { 23,
      "032640bc6003c59260f7250c3db58ce647f98e1260acce4acda3dd869f74e01f"
      "8ba5e0324309db6a9831497abac96670",
      "0468b665dd91c195800650cdd363c625f4e742e8134667b767b1b476793588f8"
      "85ab698c852d4a6e77a252d6380fcaf06855bc91a39c9ec01dee36017b7d673a"
      "931236d2f1f5c83942d049e3fa20607493e0d038ff2fd30c2ab67d15c85f7faa"
      "59",
      "0bd9d3a7ea0b3d519d09d8e48d0785fb744a6b355e6304bc51c229fbbce239bb"
      "adf6403715c35d4fb2a5444f575d4f42" },
    { 24,
      "16302ff0dbbb5a8d733dab7141c1b45acbc8715939677f6a56850a38bd87bd59"
      "b09e80279609ff333eb9d4c061231fb26f92eeb04982a5f1d1764cad57665422",
      "049d45f66de5d67e2e6db6e93a59ce0bb48106097ff78a081de781cdb31fce8c"
      "cbaaea8dd4320c4119f1e9cd437a2eab3731fa9668ab268d871deda55a547319"
      "9f2fdc313095bcdd5fb3a91636f07a959c8e86b5636a1e930e8396049cb48196"
      "1d365cc11453a06c719835475b12cb52fc3c383bce35e27ef194512b71876285"
      "fa",
      "a7927098655f1f9976fa50a9d566865dc530331846381c87256baf3226244b76"
      "d36403c024d7bbf0aa0803eaff405d3d24f11a9b5c0bef679fe1454b21c4cd1f" },
    { 24,
      "230e18e1bcc88a362fa54e4ea3902009292f7f8033624fd471b5d8ace49d12cf"
      "abbc19963dab8e2f1eba00bffb29e4d72d13f2224562f405cb80503666b25429",
      "040a420517e406aac0acdce90fcd71487718d3b953efd7fbec5f7f27e28c6149"
      "999397e91e029e06457db2d3e640668b392c2a7e737a7f0bf04436d11640fd09"
      "fd72e6882e8db28aad36237cd25d580db23783961c8dc52dfa2ec138ad472a0f"
      "cef3887cf62b623b2a87de5c588301ea3e5fc269b373b60724f5e82a6ad147fd"
      "e7",
      "a7927098655f1f9976fa50a9d566865dc530331846381c87256baf3226244b76"
      "d36403c024d7bbf0aa0803eaff405d3d24f11a9b5c0bef679fe1454b21c4cd1f" },
};

static void
agreements_are_those_of_the_rfcs(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(agreements); i++) {
        struct algo_key *key = ec_key(agreements[i].tool_id, hex(agreements[i].scalar));
        struct mechanism m = ecdh(CKD_NULL, VIEW_EMPTY, hex(agreements[i].point));
        view agreed = hex(agreements[i].agreed);
        uint8_t wrapped[2 + 129] = { 4 };
        struct writer out;

        writer_init(&out, 1000);
        assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
        assert_view(writer_view(&out), agreed);
        assert_int_equal(derive(&m, key, 10, &out), CKR_OK);
        assert_view(writer_view(&out), view_slice(agreed, agreed.len - 10, 10));
        assert_int_equal(derive(&m, key, agreed.len + 1, &out), CKR_TEMPLATE_INCONSISTENT);
        if (m.params.ecdh.point.len < 128) {
            wrapped[1] = (uint8_t)m.params.ecdh.point.len;
            memcpy(wrapped + 2, m.params.ecdh.point.data, m.params.ecdh.point.len);
            m.params.ecdh.point = view_of(wrapped, 2u + wrapped[1]);
            assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
            assert_view(writer_view(&out), agreed);
        }
        writer_clear(&out);
        algo_key_free(key);
    }
}

/* All zeros come of points of small order, by whatever private key. */
static void
montgomery_points_of_small_order_are_refused(void **state)
{
    static const struct {
        unsigned tool_id;
        const char *point;
    } points[] = {
        { 26, "0000000000000000000000000000000000000000000000000000000000000000" },
        { 26, "0100000000000000000000000000000000000000000000000000000000000000" },
        { 26, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
        { 26, "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800" },
        { 26, "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157" },
        { 26, "09000000000000000000000000000000000000000000000000000000000000" },
        { 26, "" },
        { 26, "090000000000000000000000000000000000000000000000000000000000000000" },
        { 27, "00000000000000000000000000000000000000000000000000000000"
              "00000000000000000000000000000000000000000000000000000000" },
        { 27, "01000000000000000000000000000000000000000000000000000000"
              "00000000000000000000000000000000000000000000000000000000" },
        { 27, "0500000000000000000000000000000000000000000000000000000000000000" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(points); i++) {
        struct algo_key *key = ec_key(points[i].tool_id,
                                      hex(agreements[points[i].tool_id == 26 ? 0 : 2].scalar));
        struct mechanism m = ecdh(CKD_NULL, VIEW_EMPTY, hex(points[i].point));
        struct writer out;

        writer_init(&out, 1000);
        assert_int_equal(derive(&m, key, 0, &out), CKR_PUBLIC_KEY_INVALID);
        writer_clear(&out);
        algo_key_free(key);
    }
}

/* CKM_ECDH1_COFACTOR_DERIVE is for CKK_EC alone (PKCS #11 v3.1, 6.3.18), Edwards keys agree on
 * nothing. */
static void
each_mechanism_has_its_kinds_of_key(void **state)
{
    const struct key_info montgomery = { .class = CKO_PRIVATE_KEY, .key_type = CKK_EC_MONTGOMERY,
                                         .bits = 255, .curve = 26, .flags = KEY_FLAG_DERIVE };
    const struct key_info edwards = { .class = CKO_PRIVATE_KEY, .key_type = CKK_EC_EDWARDS,
                                      .bits = 255, .curve = 28, .flags = KEY_FLAG_DERIVE };
    const struct key_info mixed = { .class = CKO_PRIVATE_KEY, .key_type = CKK_EC,
                                    .bits = 255, .curve = 26, .flags = KEY_FLAG_DERIVE };
    const struct mechanism_row *plain = mechanism_row(CKM_ECDH1_DERIVE);
    const struct mechanism_row *cofactor = mechanism_row(CKM_ECDH1_COFACTOR_DERIVE);

    UNUSED(state);
    assert_int_equal(key_check(standard, plain, CKF_DERIVE, &montgomery), CKR_OK);
    assert_int_equal(key_check(fips, plain, CKF_DERIVE, &montgomery), CKR_KEY_SIZE_RANGE);
    assert_int_equal(key_check(standard, cofactor, CKF_DERIVE, &montgomery),
                     CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(key_check(standard, plain, CKF_DERIVE, &edwards), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(key_check(standard, plain, CKF_DERIVE, &mixed), CKR_KEY_SIZE_RANGE);
}

static void
a_point_that_is_none_is_refused(void **state)
{
    static const char *const points[] = {
        "00",                         /* infinity */
        "04", "0441", "0400", "",     /* cut short */
        "020000000000000000000000000000000000000000000000000000000000000001", /* no such x */
        "01d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63",
        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63",
        "02ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", /* not below p */
        POINT_R "00",
        "0442" POINT_R,
        ("04000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
         "00000000000000000000000000000000000000000000000000"),
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

/* ---- NIST SP 800-108 ---- */

#define PACKAGE "/usr/lib/python3/dist-packages/cryptography_vectors/KDF/"

/* Lines `NAME = value` and `[NAME=value]` of a file of the distribution's vectors, gathered
 * until one named `last`, upon which run is called with all values so far. */
#define FIELDS_MAX 32u
struct fields {
    char names[FIELDS_MAX][32];
    char *values[FIELDS_MAX];
    size_t count;
};

static const char *
field(const struct fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++) {
        if (strcmp(fields->names[i], name) == 0) {
            return fields->values[i];
        }
    }
    return "";
}

static void
field_set(struct fields *fields, const char *name, const char *value)
{
    size_t i = 0;

    while (i < fields->count && strcmp(fields->names[i], name) != 0) {
        i++;
    }
    assert_in_range(i, 0, FIELDS_MAX - 1);
    snprintf(fields->names[i], sizeof fields->names[i], "%s", name);
    free(i < fields->count ? fields->values[i] : NULL);
    fields->values[i] = strdup(value);
    fields->count += i == fields->count;
}

static unsigned
package_run(const char *file, const char *last, unsigned (*run)(const struct fields *fields))
{
    static char line[16384];
    struct fields fields = { .count = 0 };
    unsigned runs = 0;
    char path[512];
    FILE *in;

    snprintf(path, sizeof path, PACKAGE "%s", file);
    in = fopen(path, "r");
    if (in == NULL) {
        print_message("skipped: no %s\n", path);
        skip();
    }
    while (fgets(line, sizeof line, in) != NULL) {
        char name[32] = "", value[16000] = "";

        line[strcspn(line, "\r\n]")] = '\0';
        if (sscanf(line, line[0] == '[' ? "[%31[^=]=%15999s" : "%31[^= ] = %15999s", name, value) >=
                1 &&
            name[0] != '#' && name[0] != '\t') {
            field_set(&fields, name, value);
            runs += strcmp(name, last) == 0 ? run(&fields) : 0;
        }
    }
    fclose(in);
    for (size_t i = 0; i < fields.count; i++) {
        free(fields.values[i]);
    }
    print_message("%s: %u vectors\n", file, runs);
    return runs;
}

static struct mechanism
kbkdf(CK_MECHANISM_TYPE type, CK_MECHANISM_TYPE prf, const struct params_item *items, size_t count)
{
    struct mechanism m = plain_mechanism(type);

    m.params.kbkdf.prf = (uint32_t)prf;
    m.params.kbkdf.items.count = (uint32_t)count;
    memcpy(m.params.kbkdf.items.item, items, count * sizeof *items);
    return m;
}

static CK_RV
kbkdf_check(const struct mechanism *m)
{
    const struct key_info key = { .key_type = CKK_GENERIC_SECRET };

    return params_check(standard, mechanism_row(m->type), CKF_DERIVE, &key, m);
}

static struct params_item
bytes_item(view bytes)
{
    return (struct params_item){ .type = CK_SP800_108_BYTE_ARRAY, .bytes = bytes };
}

static struct params_item
number_item(uint32_t type, uint8_t method, uint8_t width, bool little_endian)
{
    return (struct params_item){ type, method, width, little_endian, VIEW_EMPTY, 0 };
}

static unsigned
counter_run(const struct fields *fields)
{
    static const struct {
        const char *name;
        CK_MECHANISM_TYPE type;
    } prfs[] = {
        { "HMAC_SHA1", CKM_SHA_1_HMAC },     { "HMAC_SHA224", CKM_SHA224_HMAC },
        { "HMAC_SHA256", CKM_SHA256_HMAC }, { "HMAC_SHA384", CKM_SHA384_HMAC },
        { "HMAC_SHA512", CKM_SHA512_HMAC }, { "CMAC_AES128", CKM_AES_CMAC },
        { "CMAC_AES192", CKM_AES_CMAC },    { "CMAC_AES256", CKM_AES_CMAC },
    };
    const char *location = field(fields, "CTRLOCATION");
    bool middle = strcmp(location, "MIDDLE_FIXED") == 0;
    struct params_item counter = number_item(
        CK_SP800_108_ITERATION_VARIABLE, 0, (uint8_t)atoi(field(fields, "RLEN")), false);
    struct params_item before = bytes_item(
        hex(field(fields, middle ? "DataBeforeCtrData" : "FixedInputData")));
    struct params_item after = bytes_item(hex(field(fields, middle ? "DataAfterCtrData" : "KI")));
    struct params_item items[3] = { before, counter, after };
    struct mechanism m;
    struct algo_key *key;
    struct writer out;

    for (size_t i = 0; i < ARRAY_COUNT(prfs); i++) {
        if (strcmp(prfs[i].name, field(fields, "PRF")) == 0) {
            if (strcmp(location, "BEFORE_FIXED") == 0) {
                items[0] = counter;
                items[1] = before;
            }
            m = kbkdf(CKM_SP800_108_COUNTER_KDF, prfs[i].type, items, middle ? 3 : 2);
            bool cmac = prfs[i].type == CKM_AES_CMAC;

            key = secret_key(cmac ? KIND_AES : KIND_GENERIC, hex(field(fields, "KI")));
            writer_init(&out, 1000);
            assert_int_equal(kbkdf_check(&m), cmac ? CKR_KEY_TYPE_INCONSISTENT : CKR_OK);
            assert_int_equal(derive(&m, key, (size_t)atoi(field(fields, "L")) / 8, &out), CKR_OK);
            assert_view(writer_view(&out), hex(field(fields, "KO")));
            writer_clear(&out);
            algo_key_free(key);
            return 1;
        }
    }
    return 0; /* CMAC with DES */
}

static void
counter_mode_agrees_with_the_vectors_of_nist(void **state)
{
    UNUSED(state);
    assert_int_equal(package_run("nist-800-108-KBKDF-CTR.txt", "KO", counter_run), 3840);
}

/* The library's KBKDF has counter, label, zero, context and length in fixed form. */
static void
library_kbkdf(const char *mode, view seed, uint8_t *out, size_t len)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "KBKDF", NULL);
    EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MODE, (char *)(uintptr_t)mode, 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_MAC, (char *)(uintptr_t) "HMAC", 0),
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t) "base key", 8),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t) "label", 5),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t) "context", 7),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, (void *)(uintptr_t)seed.data,
                                          seed.len),
        OSSL_PARAM_construct_end(),
    };

    if (seed.len == 0) {
        params[6] = OSSL_PARAM_construct_end();
    }
    assert_int_equal(EVP_KDF_derive(ctx, out, len, params), 1);
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
}

static const struct params_item fixed_input[] = {
    { CK_SP800_108_COUNTER, 0, 32, false, { NULL, 0 }, 0 },
    { CK_SP800_108_BYTE_ARRAY, 0, 0, false, { (const uint8_t *)"label\0context", 13 }, 0 },
    { CK_SP800_108_DKM_LENGTH, CK_SP800_108_DKM_LENGTH_SUM_OF_KEYS, 32, false, { NULL, 0 }, 0 },
};

static void
counter_and_feedback_agree_with_the_library(void **state)
{
    static const size_t lens[] = { 1, 16, 32, 33, 200, 3072 };
    static const uint8_t seed[32] = "a seed of thirty-two bytes, all.";
    struct algo_key *key = secret_key(KIND_GENERIC, VIEW_TEXT("base key"));
    struct params_item items[4];
    uint8_t expected[3072];
    struct writer out;

    UNUSED(state);
    writer_init(&out, sizeof expected);
    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        struct mechanism m;

        memcpy(items, fixed_input, sizeof fixed_input);
        items[0].type = CK_SP800_108_ITERATION_VARIABLE;
        m = kbkdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, items, 3);
        library_kbkdf("counter", VIEW_EMPTY, expected, lens[i]);
        assert_int_equal(kbkdf_check(&m), CKR_OK);
        assert_int_equal(derive(&m, key, lens[i], &out), CKR_OK);
        assert_view(writer_view(&out), view_of(expected, lens[i]));

        items[0] = number_item(CK_SP800_108_ITERATION_VARIABLE, 0, 0, false);
        memcpy(items + 1, fixed_input, sizeof fixed_input);
        m = plain_mechanism(CKM_SP800_108_FEEDBACK_KDF);
        m.params.feedback.prf = CKM_SHA256_HMAC;
        m.params.feedback.items.count = 4;
        memcpy(m.params.feedback.items.item, items, sizeof items);
        m.params.feedback.iv = view_of(seed, sizeof seed);
        library_kbkdf("feedback", view_of(seed, sizeof seed), expected, lens[i]);
        assert_int_equal(kbkdf_check(&m), CKR_OK);
        assert_int_equal(derive(&m, key, lens[i], &out), CKR_OK);
        assert_view(writer_view(&out), view_of(expected, lens[i]));
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* SP 800-108, 4.3, written out for two blocks. */
static void
the_double_pipeline_is_that_of_the_recommendation(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, VIEW_TEXT("base key"));
    static const uint8_t fixed[] = "label\0context\0\0\2"; /* and the NUL: 512 bits */
    struct params_item items[4] = { number_item(CK_SP800_108_ITERATION_VARIABLE, 0, 0, false) };
    uint8_t a[2][32], k[64], in[32 + 4 + sizeof fixed];
    struct mechanism m;
    struct writer out;

    UNUSED(state);
    memcpy(items + 1, fixed_input, sizeof fixed_input);
    m = kbkdf(CKM_SP800_108_DOUBLE_PIPELINE_KDF, CKM_SHA256_HMAC, items, 4);
    assert_true(algo_hmac_sha256(VIEW_TEXT("base key"), view_of(fixed, sizeof fixed), a[0]));
    assert_true(algo_hmac_sha256(VIEW_TEXT("base key"), view_of(a[0], 32), a[1]));
    for (size_t i = 0; i < 2; i++) {
        memcpy(in, a[i], 32);
        memcpy(in + 32, i == 0 ? "\0\0\0\1" : "\0\0\0\2", 4);
        memcpy(in + 36, fixed, sizeof fixed);
        assert_true(algo_hmac_sha256(VIEW_TEXT("base key"), view_of(in, sizeof in), k + 32 * i));
    }
    writer_init(&out, 1000);
    assert_int_equal(kbkdf_check(&m), CKR_OK);
    assert_int_equal(derive(&m, key, 64, &out), CKR_OK);
    assert_view(writer_view(&out), view_of(k, 64));
    writer_clear(&out);
    algo_key_free(key);
}

static void
each_key_begins_with_a_block_of_its_own(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, VIEW_TEXT("base key"));
    struct params_item items[2] = { number_item(CK_SP800_108_ITERATION_VARIABLE, 0, 8, true),
                                    bytes_item(VIEW_TEXT("label")) };
    struct mechanism m = kbkdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, items, 2);
    struct algo_derivation d = { mechanism_row(m.type), &m, key, { NULL }, 3, { 16, 40, 32 } };
    struct writer out, all;

    UNUSED(state);
    writer_init(&out, 20000);
    writer_init(&all, 1000);
    assert_int_equal(derive(&m, key, 128, &all), CKR_OK);
    assert_int_equal(algo_derive(standard, &d, &out), CKR_OK);
    assert_view(view_slice(writer_view(&out), 0, 16), view_slice(writer_view(&all), 0, 16));
    assert_view(view_slice(writer_view(&out), 16, 40), view_slice(writer_view(&all), 32, 40));
    assert_view(view_slice(writer_view(&out), 56, 32), view_slice(writer_view(&all), 96, 32));
    writer_reset(&out);
    d.lens[1] = 0;
    assert_int_equal(algo_derive(standard, &d, &out), CKR_TEMPLATE_INCOMPLETE);
    assert_int_equal(out.len, 0);
    writer_clear(&out);
    writer_clear(&all);
    algo_key_free(key);
}

/* A counter of 8 bits numbers 255 blocks. */
static void
a_counter_does_not_wrap(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, VIEW_TEXT("base key"));
    struct params_item items[1] = { number_item(CK_SP800_108_ITERATION_VARIABLE, 0, 8, false) };
    struct mechanism m = kbkdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA_1_HMAC, items, 1);
    struct algo_derivation d = { mechanism_row(m.type), &m, key, { NULL }, 2, { 3072, 2020 } };
    struct writer out;

    UNUSED(state);
    writer_init(&out, 20000);
    assert_int_equal(algo_derive(standard, &d, &out), CKR_OK); /* 154 and 101 blocks */
    d.lens[1] = 2021;
    assert_int_equal(algo_derive(standard, &d, &out), CKR_KEY_SIZE_RANGE);
    writer_clear(&out);
    algo_key_free(key);
}

static void
pieces_that_do_not_fit_are_refused(void **state)
{
    const struct params_item variable = number_item(CK_SP800_108_ITERATION_VARIABLE, 0, 8, false);
    const struct params_item bare = number_item(CK_SP800_108_ITERATION_VARIABLE, 0, 0, false);
    const struct params_item length = number_item(CK_SP800_108_DKM_LENGTH, 1, 64, false);
    const struct {
        CK_MECHANISM_TYPE type;
        struct params_item items[2];
        size_t count;
    } bad[] = {
        { CKM_SP800_108_COUNTER_KDF, { variable }, 0 },
        { CKM_SP800_108_COUNTER_KDF, { bare }, 1 },
        { CKM_SP800_108_COUNTER_KDF, { variable, variable }, 2 },
        { CKM_SP800_108_COUNTER_KDF, { length, length }, 2 },
        { CKM_SP800_108_COUNTER_KDF, { variable, bytes_item(VIEW_EMPTY) }, 2 },
        { CKM_SP800_108_COUNTER_KDF, { variable, number_item(CK_SP800_108_COUNTER, 0, 8, 0) }, 2 },
        { CKM_SP800_108_COUNTER_KDF, { number_item(1, 0, 7, false) }, 1 },
        { CKM_SP800_108_COUNTER_KDF, { number_item(1, 0, 40, false) }, 1 },
        { CKM_SP800_108_COUNTER_KDF, { variable, number_item(3, 1, 72, false) }, 2 },
        { CKM_SP800_108_COUNTER_KDF, { variable, number_item(3, 3, 32, false) }, 2 },
        { CKM_SP800_108_COUNTER_KDF, { variable, number_item(5, 0, 0, false) }, 2 },
        { CKM_SP800_108_DOUBLE_PIPELINE_KDF, { variable }, 1 },
        { CKM_SP800_108_DOUBLE_PIPELINE_KDF, { length }, 1 },
    };
    const struct key_info aes = { .key_type = CKK_AES };
    struct mechanism m;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
        m = kbkdf(bad[i].type, CKM_SHA256_HMAC, bad[i].items, bad[i].count);
        assert_int_equal(kbkdf_check(&m), CKR_MECHANISM_PARAM_INVALID);
    }
    m = kbkdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA256, &variable, 1);
    assert_int_equal(kbkdf_check(&m), CKR_MECHANISM_PARAM_INVALID);
    m = kbkdf(CKM_SP800_108_COUNTER_KDF, CKM_AES_CMAC, &variable, 1);
    assert_int_equal(kbkdf_check(&m), CKR_KEY_TYPE_INCONSISTENT);
    assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_DERIVE, &aes, &m), CKR_OK);
    m = kbkdf(CKM_SP800_108_COUNTER_KDF, CKM_SHA256_HMAC, &variable, 1);
    assert_int_equal(kbkdf_check(&m), CKR_OK);
    assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_DERIVE, &aes, &m),
                     CKR_KEY_TYPE_INCONSISTENT);
}

/* ---- HKDF ---- */

static struct mechanism
hkdf(enum hash hash, bool extract, bool expand, view salt, view info)
{
    struct mechanism m = plain_mechanism(CKM_HKDF_DERIVE);

    m.params.hkdf = (struct params_hkdf){
        .extract = extract,
        .expand = expand,
        .hash = (uint32_t)hash_row(hash)->mechanism,
        .salt_type = salt.len == 0 ? CKF_HKDF_SALT_NULL : CKF_HKDF_SALT_DATA,
        .salt = salt,
        .info = info,
    };
    assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_DERIVE, NULL, &m), CKR_OK);
    return m;
}

static void
wycheproof_agrees_on_hkdf(void **state)
{
    static const struct {
        const char *file;
        enum hash hash;
    } files[] = {
        { "hkdf_sha1_test.json", HASH_SHA1 },
        { "hkdf_sha256_test.json", HASH_SHA256 },
        { "hkdf_sha384_test.json", HASH_SHA384 },
        { "hkdf_sha512_test.json", HASH_SHA512 },
    };

    UNUSED(state);
    for (size_t f = 0; f < ARRAY_COUNT(files); f++) {
        json_t *file = vectors(files[f].file), *group, *test;
        unsigned run = 0;
        size_t i, k;

        if (file == NULL) {
            print_message("skipped: no %s in %s\n", files[f].file, folder());
            skip();
        }
        json_array_foreach(json_object_get(file, "testGroups"), i, group) {
            json_array_foreach(json_object_get(group, "tests"), k, test) {
                bool valid = strcmp(text_of(test, "result"), "valid") == 0;
                size_t len = (size_t)json_integer_value(json_object_get(test, "size"));
                struct algo_key *key = secret_key(KIND_GENERIC, hex(text_of(test, "ikm")));
                struct mechanism m = hkdf(files[f].hash, true, true, hex(text_of(test, "salt")),
                                          hex(text_of(test, "info")));
                struct writer out;

                writer_init(&out, 20000);
                assert_int_equal(derive(&m, key, len, &out), valid ? CKR_OK : CKR_KEY_SIZE_RANGE);
                assert_view(writer_view(&out), hex(text_of(test, "okm")));
                writer_clear(&out);
                algo_key_free(key);
                run++;
            }
        }
        print_message("%s: %u checks\n", files[f].file, run);
        json_decref(file);
        assert_int_not_equal(run, 0);
    }
}

/* RFC 5869, A.1: both halves, and each alone. */
static void
the_halves_of_hkdf_are_those_of_rfc_5869(void **state)
{
    static const char prk[] = "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5";
    static const char okm[] = "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                              "34007208d5b887185865";
    struct algo_key *ikm = secret_key(KIND_GENERIC,
                                      hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"));
    struct algo_key *middle = secret_key(KIND_GENERIC, hex(prk));
    struct algo_key *salt_key = secret_key(KIND_GENERIC, hex("000102030405060708090a0b0c"));
    view salt = hex("000102030405060708090a0b0c"), info = hex("f0f1f2f3f4f5f6f7f8f9");
    struct mechanism m = hkdf(HASH_SHA256, true, true, salt, info);
    struct algo_derivation d = { mechanism_row(CKM_HKDF_DERIVE), &m, ikm, { salt_key }, 1, { 0 } };
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, ikm, 42, &out), CKR_OK);
    assert_view(writer_view(&out), hex(okm));
    assert_int_equal(derive(&m, ikm, 0, &out), CKR_TEMPLATE_INCOMPLETE);
    m = hkdf(HASH_SHA256, false, true, VIEW_EMPTY, info);
    assert_int_equal(derive(&m, middle, 42, &out), CKR_OK);
    assert_view(writer_view(&out), hex(okm));
    m = hkdf(HASH_SHA256, true, false, salt, VIEW_EMPTY);
    assert_int_equal(derive(&m, ikm, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex(prk));
    assert_int_equal(derive(&m, ikm, 31, &out), CKR_TEMPLATE_INCONSISTENT);
    m.params.hkdf.salt_type = CKF_HKDF_SALT_KEY;
    m.params.hkdf.salt = VIEW_EMPTY;
    writer_reset(&out);
    assert_int_equal(algo_derive(standard, &d, &out), CKR_OK);
    assert_view(writer_view(&out), hex(prk));
    writer_clear(&out);
    algo_key_free(ikm);
    algo_key_free(middle);
    algo_key_free(salt_key);
}

/* ---- PBKDF2 ---- */

static void
pbkdf2_agrees_with_the_rfcs(void **state)
{
    static const struct {
        const char *password, *salt;
        size_t salt_len;
        uint32_t iterations, prf;
        const char *key;
    } vectors_of[] = {
        /* RFC 6070 */
        { "password", "salt", 4, 1, CKP_PKCS5_PBKD2_HMAC_SHA1,
          "0c60c80f961f0e71f3a9b524af6012062fe037a6" },
        { "password", "salt", 4, 4096, CKP_PKCS5_PBKD2_HMAC_SHA1,
          "4b007901b765489abead49d926f721d065a429c1" },
        { "passwordPASSWORDpassword", "saltSALTsaltSALTsaltSALTsaltSALTsalt", 36, 4096,
          CKP_PKCS5_PBKD2_HMAC_SHA1, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038" },
        /* RFC 7914, 11 */
        { "passwd", "salt", 4, 1, CKP_PKCS5_PBKD2_HMAC_SHA256,
          "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc" },
        { "Password", "NaCl", 4, 80000, CKP_PKCS5_PBKD2_HMAC_SHA256,
          "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
          "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d" },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(vectors_of); i++) {
        const struct params_pbkd2 params = {
            CKZ_SALT_SPECIFIED,
            view_of(vectors_of[i].salt, vectors_of[i].salt_len),
            vectors_of[i].iterations,
            vectors_of[i].prf,
            VIEW_EMPTY,
            view_str(vectors_of[i].password),
        };
        view expected = hex(vectors_of[i].key);
        struct writer out;

        writer_init(&out, 1000);
        assert_int_equal(algo_pbkdf2(&params, expected.len, &out), CKR_OK);
        assert_view(writer_view(&out), expected);
        writer_clear(&out);
    }
}

/* ---- the simple ones ---- */

static struct mechanism
data_mechanism(CK_MECHANISM_TYPE type, view data)
{
    struct mechanism m = plain_mechanism(type);

    m.params.data.bytes = data;
    return m;
}

/* The examples of PKCS #11 v3.1, 6.43.3 to 6.43.7. */
static void
keys_are_mixed_as_the_standard_shows(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex("01234567"));
    struct algo_key *other = secret_key(KIND_AES, hex("89abcdef89abcdef89abcdef89abcdef"));
    struct algo_key *long_key = secret_key(KIND_GENERIC, hex("329f84a9"));
    struct mechanism m = data_mechanism(CKM_CONCATENATE_BASE_AND_DATA, hex("89abcdef"));
    struct mechanism join = plain_mechanism(CKM_CONCATENATE_BASE_AND_KEY);
    struct algo_derivation d = { mechanism_row(join.type), &join, key, { other }, 1, { 8 } };
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex("0123456789abcdef"));
    assert_int_equal(derive(&m, key, 5, &out), CKR_OK);
    assert_view(writer_view(&out), hex("0123456789"));
    assert_int_equal(derive(&m, key, 9, &out), CKR_TEMPLATE_INCONSISTENT);
    m = data_mechanism(CKM_CONCATENATE_DATA_AND_BASE, hex("89abcdef"));
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex("89abcdef01234567"));
    m = data_mechanism(CKM_XOR_BASE_AND_DATA, hex("89abcdef"));
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex("88888888"));
    m = data_mechanism(CKM_XOR_BASE_AND_DATA, hex("89abcdef00"));
    assert_int_equal(derive(&m, key, 5, &out), CKR_TEMPLATE_INCONSISTENT);

    m = plain_mechanism(CKM_EXTRACT_KEY_FROM_KEY);
    m.params.number.number = 21;
    assert_int_equal(derive(&m, long_key, 2, &out), CKR_OK);
    assert_view(writer_view(&out), hex("9526"));
    assert_int_equal(derive(&m, long_key, 0, &out), CKR_TEMPLATE_INCOMPLETE);
    assert_int_equal(derive(&m, long_key, 5, &out), CKR_TEMPLATE_INCONSISTENT);

    writer_reset(&out);
    assert_int_equal(algo_derive(standard, &d, &out), CKR_OK);
    assert_view(writer_view(&out), hex("0123456789abcdef"));
    d.lens[0] = 21;
    assert_int_equal(algo_derive(standard, &d, &out), CKR_TEMPLATE_INCONSISTENT);
    d.others[0] = NULL;
    assert_int_equal(algo_derive(standard, &d, &out), CKR_KEY_HANDLE_INVALID);
    writer_clear(&out);
    algo_key_free(key);
    algo_key_free(other);
    algo_key_free(long_key);
}

/* FIPS 180-4's examples: the digest of "abc", and its start. */
static void
a_key_is_hashed_to_another(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, VIEW_TEXT("abc"));
    struct mechanism m = plain_mechanism(CKM_SHA256_KEY_DERIVATION);
    static const char digest[] =
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex(digest));
    assert_int_equal(derive(&m, key, 16, &out), CKR_OK);
    assert_view(writer_view(&out), view_slice(hex(digest), 0, 16));
    assert_int_equal(derive(&m, key, 33, &out), CKR_TEMPLATE_INCONSISTENT);
    m = plain_mechanism(CKM_SHA1_KEY_DERIVATION);
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex("a9993e364706816aba3e25717850c26c9cd0d89d"));
    writer_clear(&out);
    algo_key_free(key);
}

/* NIST SP 800-38A, F.1.1 and F.2.1: what the key encrypts is the key. */
static void
a_key_is_what_a_key_encrypts(void **state)
{
    static const char plain[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51";
    struct algo_key *key = secret_key(KIND_AES, hex("2b7e151628aed2a6abf7158809cf4f3c"));
    struct algo_key *generic = secret_key(KIND_GENERIC, VIEW_TEXT("abc"));
    struct mechanism m = data_mechanism(CKM_AES_ECB_ENCRYPT_DATA, hex(plain));
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out),
                hex("3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"));
    assert_int_equal(derive(&m, key, 16, &out), CKR_OK);
    assert_view(writer_view(&out), hex("3ad77bb40d7a3660a89ecaf32466ef97"));
    assert_int_equal(derive(&m, key, 33, &out), CKR_DATA_LEN_RANGE);
    assert_int_equal(derive(&m, generic, 0, &out), CKR_KEY_TYPE_INCONSISTENT);
    m = plain_mechanism(CKM_AES_CBC_ENCRYPT_DATA);
    m.params.cbc_data = (struct params_cbc_data){ hex("000102030405060708090a0b0c0d0e0f"),
                                                  hex(plain) };
    assert_int_equal(derive(&m, key, 0, &out), CKR_OK);
    assert_view(writer_view(&out),
                hex("7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"));
    writer_clear(&out);
    algo_key_free(key);
    algo_key_free(generic);
}

/* ---- TLS ---- */

static struct mechanism
tls_kdf(uint32_t prf, view label, view client, view server, view context)
{
    struct mechanism m = plain_mechanism(CKM_TLS_KDF);

    m.params.tls_kdf = (struct params_tls_kdf){ prf, label, client, server, context };
    assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_DERIVE, NULL, &m), CKR_OK);
    return m;
}

/* The vector that went around in the working group for the PRF of TLS 1.2 with SHA-256. */
static void
the_prf_of_tls_is_the_working_groups(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex("9bbe436ba940f017b17652849a71db35"));
    struct mechanism m = tls_kdf(CKM_SHA256, VIEW_TEXT("test label"), hex("a0ba9f936cda3118"),
                                 hex("27a6f796ffd5198c"), VIEW_EMPTY);
    struct writer out;

    UNUSED(state);
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, key, 100, &out), CKR_OK);
    assert_view(writer_view(&out),
                hex("e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a"
                    "6b301791e90d35c9c9a46b4e14baf9af0fa022f7077def17abfd3797c0564bab"
                    "4fbc91666e9def9b97fce34f796789baa48082d122ee42c5a72e5a5110fff701"
                    "87347b66"));
    assert_int_equal(derive(&m, key, 0, &out), CKR_TEMPLATE_INCOMPLETE);
    writer_clear(&out);
    algo_key_free(key);
}

/* NIST CAVS, TLS 1.2 with SHA-256, the first of its samples. */
#define PREMASTER                                                      \
    "f8938ecc9edebc5030c0c6a441e213cd24e6f770a50dda07876f8d55da062bca" \
    "db386b411fd4fe4313a604fce6c17fbc"
#define MASTER                                                         \
    "202c88c00f84a17a20027079604787461176455539e705be730890602c289a50" \
    "01e34eeb3a043e5d52a65e66125188bf"
#define KEY_BLOCK                                                      \
    "d06139889fffac1e3a71865f504aa5d0d2a2e89506c6f2279b670c3e1b74f531" \
    "016a2530c51a3a0f7e1d6590d0f0566b2f387f8d11fd4f731cdd572d2eae927f" \
    "6f2f81410b25e6960be68985add6c38445ad9f8c64bf8068bf9a6679485d966f" \
    "1ad6f68b43495b10a683755ea2b858d70ccac7ec8b053c6bd41ca299d4e51928"

static void
master_secret_and_keys_are_those_of_nist(void **state)
{
    struct algo_key *premaster = secret_key(KIND_GENERIC, hex(PREMASTER));
    struct algo_key *master = secret_key(KIND_GENERIC, hex(MASTER));
    struct mechanism m = plain_mechanism(CKM_TLS12_MASTER_KEY_DERIVE);
    struct writer out;

    UNUSED(state);
    m.params.tls_master = (struct params_tls_master){
        hex("36c129d01a3200894b9179faac589d9835d58775f9b5ea3587cb8fd0364cae8c"),
        hex("f6c9575ed7ddd73e1f7d16eca115415812a43c2b747daaaae043abfb50053fce"),
        0, CKM_SHA256,
    };
    writer_init(&out, 1000);
    assert_int_equal(derive(&m, premaster, 48, &out), CKR_OK);
    assert_view(writer_view(&out), hex(MASTER));
    m.params.tls_master.version = 1;
    assert_int_equal(derive(&m, premaster, 48, &out), CKR_OK);
    assert_view(view_slice(writer_view(&out), 48, 9), hex("f893"));
    assert_int_equal(derive(&m, premaster, 32, &out), CKR_TEMPLATE_INCONSISTENT);

    m = plain_mechanism(CKM_TLS12_KEY_AND_MAC_DERIVE);
    m.params.tls_keys = (struct params_tls_keys){
        160, 256, 96, 0,
        hex("62e1fd91f23f558a605f28478c58cf72637b89784d959df7e946d3f07bd1b616"),
        hex("ae6c806f8ad4d80784549dff28a4b58fd837681a51d928c3e30ee5ff14f39868"),
        1, CKM_SHA256,
    };
    assert_int_equal(derive(&m, master, 0, &out), CKR_OK);
    assert_view(writer_view(&out), hex(KEY_BLOCK));
    m.type = CKM_TLS12_KEY_SAFE_DERIVE;
    assert_int_equal(derive(&m, master, 0, &out), CKR_OK);
    assert_view(writer_view(&out), view_slice(hex(KEY_BLOCK), 0, 104));
    writer_clear(&out);
    algo_key_free(premaster);
    algo_key_free(master);
}

/* RFC 7627, 4, and RFC 5705, 4: the same PRF over other seeds. */
static void
extended_master_and_exporter_are_that_prf(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex(PREMASTER));
    struct mechanism extended = plain_mechanism(CKM_TLS12_EXTENDED_MASTER_KEY_DERIVE);
    struct mechanism m = tls_kdf(CKM_SHA384, VIEW_TEXT("extended master secret"),
                                 VIEW_TEXT("session hash"), VIEW_EMPTY, VIEW_EMPTY);
    struct writer out, other;

    UNUSED(state);
    writer_init(&out, 1000);
    writer_init(&other, 1000);
    extended.params.tls_extended = (struct params_tls_extended){ CKM_SHA384,
                                                                 VIEW_TEXT("session hash"), 0 };
    assert_int_equal(derive(&extended, key, 48, &out), CKR_OK);
    assert_int_equal(derive(&m, key, 48, &other), CKR_OK);
    assert_view(writer_view(&out), writer_view(&other));

    m = tls_kdf(CKM_SHA256, VIEW_TEXT("label"), VIEW_TEXT("c"), VIEW_TEXT("s"),
                VIEW_TEXT("context"));
    assert_int_equal(derive(&m, key, 64, &out), CKR_OK);
    m = tls_kdf(CKM_SHA256, VIEW_TEXT("label"), VIEW_TEXT("cs"), VIEW_TEXT("\0\7context"),
                VIEW_EMPTY);
    assert_int_equal(derive(&m, key, 64, &other), CKR_OK);
    assert_view(writer_view(&out), writer_view(&other));
    m.params.tls_kdf.prf = CKM_TLS_PRF; /* TLS 1.0 */
    assert_int_equal(derive(&m, key, 64, &other), CKR_OK);
    assert_false(view_equal(writer_view(&out), writer_view(&other)));
    writer_clear(&out);
    writer_clear(&other);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wycheproof_agrees_on_points),
        cmocka_unit_test(the_value_is_that_of_rfc_5903),
        cmocka_unit_test(agreements_are_those_of_the_rfcs),
        cmocka_unit_test(montgomery_points_of_small_order_are_refused),
        cmocka_unit_test(each_mechanism_has_its_kinds_of_key),
        cmocka_unit_test(a_point_that_is_none_is_refused),
        cmocka_unit_test(a_secret_key_agrees_on_nothing),
        cmocka_unit_test(every_function_agrees_with_the_library),
        cmocka_unit_test(counter_mode_agrees_with_the_vectors_of_nist),
        cmocka_unit_test(counter_and_feedback_agree_with_the_library),
        cmocka_unit_test(the_double_pipeline_is_that_of_the_recommendation),
        cmocka_unit_test(each_key_begins_with_a_block_of_its_own),
        cmocka_unit_test(a_counter_does_not_wrap),
        cmocka_unit_test(pieces_that_do_not_fit_are_refused),
        cmocka_unit_test(wycheproof_agrees_on_hkdf),
        cmocka_unit_test(the_halves_of_hkdf_are_those_of_rfc_5869),
        cmocka_unit_test(pbkdf2_agrees_with_the_rfcs),
        cmocka_unit_test(keys_are_mixed_as_the_standard_shows),
        cmocka_unit_test(a_key_is_hashed_to_another),
        cmocka_unit_test(a_key_is_what_a_key_encrypts),
        cmocka_unit_test(the_prf_of_tls_is_the_working_groups),
        cmocka_unit_test(master_secret_and_keys_are_those_of_nist),
        cmocka_unit_test(extended_master_and_exporter_are_that_prf),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
