/* SPDX-License-Identifier: Apache-2.0
 *
 * Project Wycheproof's vectors, one test for each kind of file. They are not part of this
 * repository: they are looked for beside it, in ../shared/vectors/wycheproof, or where
 * WYCHEPROOF_DIR says; without them the tests are skipped.
 */
#include "algo_fixture.h"

#include <dirent.h>
#include <jansson.h>

#define FILES_MAX 64u

static char folder[512];

/* ---- reading ---- */

static const char *
text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    assert_non_null(text);
    return text;
}

static view
bytes_of(const json_t *object, const char *key)
{
    return hex(text_of(object, key));
}

static enum hash
hash_of(const json_t *group, const char *key)
{
    static const struct {
        const char *name;
        enum hash hash;
    } names[] = {
        { "SHA-1", HASH_SHA1 },     { "SHA-224", HASH_SHA224 }, { "SHA-256", HASH_SHA256 },
        { "SHA-384", HASH_SHA384 }, { "SHA-512", HASH_SHA512 },
        { "SHA3-224", HASH_SHA3_224 }, { "SHA3-256", HASH_SHA3_256 },
        { "SHA3-384", HASH_SHA3_384 }, { "SHA3-512", HASH_SHA3_512 },
    };
    const char *name = text_of(group, key);

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(names[i].name, name) == 0) {
            return names[i].hash;
        }
    }
    return HASH_NONE; /* the truncated ones: no mechanism of PKCS #11 */
}

/* The multi-part mechanism of a driver that hashes with this. */
static CK_MECHANISM_TYPE
mechanism_with(enum driver driver, enum hash hash, enum params_shape shape)
{
    size_t count = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].driver == driver && rows[i].hash == hash && rows[i].params == shape) {
            return rows[i].type;
        }
    }
    fail_msg("no mechanism");
    return 0;
}

static struct algo_key *
key_of(enum object_kind kind, struct writer *attributes, struct writer *secrets)
{
    struct algo_key *key = NULL;

    assert_int_equal(algo_key_new(kind, writer_view(attributes), writer_view(secrets), &key),
                     CKR_OK);
    writer_clear(attributes);
    writer_clear(secrets);
    return key;
}

static struct algo_key *
rsa_key(const json_t *numbers, bool private)
{
    static const struct {
        const char *name;
        CK_ATTRIBUTE_TYPE type;
    } parts[] = {
        { "privateExponent", CKA_PRIVATE_EXPONENT }, { "prime1", CKA_PRIME_1 },
        { "prime2", CKA_PRIME_2 },                   { "exponent1", CKA_EXPONENT_1 },
        { "exponent2", CKA_EXPONENT_2 },             { "coefficient", CKA_COEFFICIENT },
    };
    struct writer attributes, secrets;

    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&attributes, CKA_MODULUS, bytes_of(numbers, "modulus"));
    attribute_write(&attributes, CKA_PUBLIC_EXPONENT, bytes_of(numbers, "publicExponent"));
    for (size_t i = 0; private && i < ARRAY_COUNT(parts); i++) {
        attribute_write(&secrets, parts[i].type, bytes_of(numbers, parts[i].name));
    }
    return key_of(private ? KIND_RSA_PRIVATE : KIND_RSA_PUBLIC, &attributes, &secrets);
}

/* Does the parser take it? */
static bool
is_aes_key(view value)
{
    struct algo_key *key = NULL;
    struct writer secrets;
    CK_RV rv;

    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&secrets, CKA_VALUE, value);
    rv = algo_key_new(KIND_AES, VIEW_EMPTY, writer_view(&secrets), &key);
    writer_clear(&secrets);
    algo_key_free(key);
    return rv == CKR_OK;
}

/* ---- counting ---- */

struct count {
    unsigned run;
    unsigned wrong;
    unsigned skipped;
};

enum verdict { VALID, INVALID, EITHER };

static enum verdict
verdict_of(const json_t *test)
{
    const char *result = text_of(test, "result");

    return strcmp(result, "valid") == 0 ? VALID : strcmp(result, "invalid") == 0 ? INVALID : EITHER;
}

static void
count_result(struct count *count, const json_t *test, bool accepted)
{
    enum verdict verdict = verdict_of(test);

    count->run++;
    if ((verdict == VALID && !accepted) || (verdict == INVALID && accepted)) {
        count->wrong++;
        print_error("test %d is %s, and was %s: %s\n",
                    (int)json_integer_value(json_object_get(test, "tcId")),
                    text_of(test, "result"), accepted ? "accepted" : "refused",
                    text_of(test, "comment"));
    }
}

/* ---- one group of each kind ---- */

static void
run_hmac(const json_t *group, struct count *count, enum hash hash)
{
    size_t tag_len = (size_t)json_integer_value(json_object_get(group, "tagSize")) / 8;
    const struct mechanism m = plain_mechanism(mechanism_with(DRIVER_hmac, hash, PARAMS_none));
    struct mechanism cut = plain_mechanism(mechanism_with(DRIVER_hmac, hash, PARAMS_number));
    size_t i;
    json_t *test;

    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct algo_key *key = secret_key(KIND_GENERIC, bytes_of(test, "key"));
        view tag = bytes_of(test, "tag");
        view data = bytes_of(test, "msg");
        struct writer out;

        cut.params.number.number = (uint32_t)tag_len;
        writer_init(&out, OUT_MAX);
        assert_int_equal(run_once(&cut, CKF_SIGN, key, data, VIEW_EMPTY, &out), CKR_OK);
        VECTOR(cut.type);
        count_result(count, test, view_equal(writer_view(&out), tag));
        count_result(count, test, run_once(&cut, CKF_VERIFY, key, data, tag, &out) == CKR_OK);
        if (tag_len == hash_row(hash)->length) {
            VECTOR(m.type);
            count_result(count, test, run_once(&m, CKF_VERIFY, key, data, tag, &out) == CKR_OK);
        }
        writer_clear(&out);
        algo_key_free(key);
    }
}

static void
run_cmac(const json_t *group, struct count *count, enum hash hash)
{
    const struct mechanism m = plain_mechanism(CKM_AES_CMAC);
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        view value = bytes_of(test, "key");
        struct algo_key *key;
        struct writer none = { 0 };

        if (value.len != 16 && value.len != 24 && value.len != 32) {
            assert_int_equal(verdict_of(test), INVALID);
            count_result(count, test, is_aes_key(value));
            continue;
        }
        key = secret_key(KIND_AES, value);
        VECTOR(m.type);
        count_result(count, test,
                     run_once(&m, CKF_VERIFY, key, bytes_of(test, "msg"), bytes_of(test, "tag"),
                              &none) == CKR_OK);
        if (verdict_of(test) == VALID) {
            assert_runs(&m, CKF_SIGN, key, bytes_of(test, "msg"), bytes_of(test, "tag"));
        }
        algo_key_free(key);
    }
}

/* Encryption gives the vector's ciphertext, decryption its message. */
static void
run_cipher(const struct mechanism *m, const json_t *test, struct algo_key *key, view sealed,
           struct count *count)
{
    const bool multi = mechanism_row(m->type)->multi;
    view data = bytes_of(test, "msg");
    struct writer out;
    CK_RV rv;

    writer_init(&out, OUT_MAX);
    rv = run_once(m, CKF_DECRYPT, key, sealed, VIEW_EMPTY, &out);
    assert_true(rv == CKR_OK || rv == CKR_ENCRYPTED_DATA_INVALID ||
                rv == CKR_ENCRYPTED_DATA_LEN_RANGE);
    VECTOR(m->type);
    count_result(count, test, rv == CKR_OK && view_equal(writer_view(&out), data));
    if (multi) {
        assert_int_equal(run_parts(m, CKF_DECRYPT, key, sealed, 13, VIEW_EMPTY, &out), rv);
    }
    writer_reset(&out);
    if (verdict_of(test) == VALID) {
        assert_int_equal(run_once(m, CKF_ENCRYPT, key, data, VIEW_EMPTY, &out), CKR_OK);
        assert_view(writer_view(&out), sealed);
    }
    if (verdict_of(test) == VALID && multi) {
        writer_reset(&out);
        assert_int_equal(run_parts(m, CKF_ENCRYPT, key, data, 13, VIEW_EMPTY, &out), CKR_OK);
        assert_view(writer_view(&out), sealed);
    }
    writer_clear(&out);
}

static void
run_cbc(const json_t *group, struct count *count, enum hash hash)
{
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct algo_key *key = secret_key(KIND_AES, bytes_of(test, "key"));
        const struct mechanism m = iv_mechanism(CKM_AES_CBC_PAD, bytes_of(test, "iv"));

        run_cipher(&m, test, key, bytes_of(test, "ct"), count);
        algo_key_free(key);
    }
}

static void
run_gcm(const json_t *group, struct count *count, enum hash hash)
{
    uint32_t tag_bits = (uint32_t)json_integer_value(json_object_get(group, "tagSize"));
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct algo_key *key = secret_key(KIND_AES, bytes_of(test, "key"));
        const struct mechanism m =
            gcm_mechanism(bytes_of(test, "iv"), bytes_of(test, "aad"), tag_bits);
        char sealed[HEX_SIZE];

        if (m.params.gcm.iv.len == 0) {
            assert_refused(&m, CKF_ENCRYPT, key, VIEW_EMPTY, VIEW_EMPTY,
                           CKR_MECHANISM_PARAM_INVALID);
            count_result(count, test, false);
        } else {
            snprintf(sealed, sizeof sealed, "%s%s", text_of(test, "ct"), text_of(test, "tag"));
            run_cipher(&m, test, key, hex(sealed), count);
        }
        algo_key_free(key);
    }
}

/* Nonces of other lengths than 12 bytes are refused before there is a cipher. */
static void
run_chacha20_poly1305(const json_t *group, struct count *count, enum hash hash)
{
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct algo_key *key = secret_key(KIND_CHACHA20, bytes_of(test, "key"));
        struct mechanism m = plain_mechanism(CKM_CHACHA20_POLY1305);
        char sealed[HEX_SIZE];

        m.params.chacha_poly =
            (struct params_chacha_poly){ bytes_of(test, "iv"), bytes_of(test, "aad") };
        if (params_check(standard, mechanism_row(m.type), CKF_DECRYPT, NULL, &m) != CKR_OK) {
            count_result(count, test, false);
        } else {
            snprintf(sealed, sizeof sealed, "%s%s", text_of(test, "ct"), text_of(test, "tag"));
            run_cipher(&m, test, key, hex(sealed), count);
        }
        algo_key_free(key);
    }
}

/* Shorter than two blocks no key is. */
static void
run_wrap(const json_t *group, struct count *count, enum hash hash, CK_MECHANISM_TYPE type)
{
    const struct mechanism m = plain_mechanism(type);
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct algo_key *key = secret_key(KIND_AES, bytes_of(test, "key"));

        run_cipher(&m, test, key, bytes_of(test, "ct"), count);
        algo_key_free(key);
    }
}

static void
run_kw(const json_t *group, struct count *count, enum hash hash)
{
    run_wrap(group, count, hash, CKM_AES_KEY_WRAP);
}

static void
run_kwp(const json_t *group, struct count *count, enum hash hash)
{
    run_wrap(group, count, hash, CKM_AES_KEY_WRAP_KWP);
}

static void
run_ccm(const json_t *group, struct count *count, enum hash hash)
{
    uint32_t tag_bits = (uint32_t)json_integer_value(json_object_get(group, "tagSize"));
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        struct algo_key *key = secret_key(KIND_AES, bytes_of(test, "key"));
        struct mechanism m = plain_mechanism(CKM_AES_CCM);
        char sealed[HEX_SIZE];

        m.params.ccm = (struct params_ccm){ (uint32_t)strlen(text_of(test, "ct")) / 2,
                                            bytes_of(test, "iv"), bytes_of(test, "aad"),
                                            tag_bits / 8 };
        if (params_check(standard, mechanism_row(m.type), CKF_DECRYPT, NULL, &m) != CKR_OK) {
            count_result(count, test, false);
        } else {
            snprintf(sealed, sizeof sealed, "%s%s", text_of(test, "ct"), text_of(test, "tag"));
            run_cipher(&m, test, key, hex(sealed), count);
        }
        algo_key_free(key);
    }
}

static void
run_verify(const json_t *group, struct count *count, const struct mechanism *m,
           struct algo_key *key)
{
    size_t i;
    json_t *test;

    json_array_foreach(json_object_get(group, "tests"), i, test) {
        view data = bytes_of(test, "msg");
        view signature = bytes_of(test, "sig");
        struct writer none = { 0 };
        CK_RV rv = run_once(m, CKF_VERIFY, key, data, signature, &none);

        assert_true(rv == CKR_OK || rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE);
        VECTOR(m->type);
        count_result(count, test, rv == CKR_OK);
        assert_int_equal(run_parts(m, CKF_VERIFY, key, data, 5, signature, &none), rv);
    }
    algo_key_free(key);
}

static void
run_rsa_signature(const json_t *group, struct count *count, enum hash hash)
{
    const struct mechanism m = plain_mechanism(mechanism_with(DRIVER_rsa, hash, PARAMS_none));

    run_verify(group, count, &m, rsa_key(json_object_get(group, "publicKey"), false));
}

static void
run_rsa_pss(const json_t *group, struct count *count, enum hash hash)
{
    size_t salt_len = (size_t)json_integer_value(json_object_get(group, "sLen"));
    const struct mechanism m = pss_mechanism(mechanism_with(DRIVER_rsa, hash, PARAMS_pss), hash,
                                             hash_of(group, "mgfSha"), salt_len);

    run_verify(group, count, &m, rsa_key(json_object_get(group, "publicKey"), false));
}

static void
run_ecdsa(const json_t *group, struct count *count, enum hash hash)
{
    static const struct {
        const char *name;
        unsigned tool_id;
    } curves[] = {
        { "secp224r1", 13 }, { "secp256r1", 2 }, { "secp256k1", 16 },
        { "secp384r1", 14 }, { "secp521r1", 15 }, { "brainpoolP224r1", 20 },
        { "brainpoolP256r1", 21 }, { "brainpoolP320r1", 22 }, { "brainpoolP384r1", 23 },
        { "brainpoolP512r1", 24 }, { "secp192r1", 1 },
    };
    const json_t *public = json_object_get(group, "publicKey");
    const struct mechanism m = plain_mechanism(mechanism_with(DRIVER_ec, hash, PARAMS_none));
    const struct curve_row *curve = NULL;
    struct writer attributes, secrets;

    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        if (strcmp(curves[i].name, text_of(public, "curve")) == 0) {
            curve = curve_by_tool_id(curves[i].tool_id);
        }
    }
    assert_non_null(curve);
    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&attributes, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    attribute_write(&attributes, CKA_EC_POINT, bytes_of(public, "uncompressed"));
    run_verify(group, count, &m, key_of(KIND_EC_PUBLIC, &attributes, &secrets));
}

static bool
has_flag(const json_t *test, const char *flag)
{
    size_t i;
    json_t *each;

    json_array_foreach(json_object_get(test, "flags"), i, each) {
        if (strcmp(json_string_value(each), flag) == 0) {
            return true;
        }
    }
    return false;
}

static void
run_eddsa(const json_t *group, struct count *count, enum hash hash)
{
    const struct mechanism m = plain_mechanism(CKM_EDDSA);
    const json_t *public = json_object_get(group, "publicKey");
    bool small = strcmp(text_of(public, "curve"), "edwards25519") == 0;
    const struct curve_row *curve = curve_by_tool_id(small ? 28 : 29);
    struct writer attributes, secrets;

    UNUSED(hash);
    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    attribute_write(&attributes, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    attribute_write(&attributes, CKA_EC_POINT, bytes_of(public, "pk"));
    run_verify(group, count, &m, key_of(KIND_EDWARDS_PUBLIC, &attributes, &secrets));
}

static void
run_decrypt(const json_t *test, struct count *count, const struct mechanism *m,
            struct algo_key *key)
{
    struct writer out;
    CK_RV rv;

    writer_init(&out, OUT_MAX);
    rv = run_once(m, CKF_DECRYPT, key, bytes_of(test, "ct"), VIEW_EMPTY, &out);
    assert_true(rv == CKR_OK || rv == CKR_ENCRYPTED_DATA_INVALID ||
                rv == CKR_ENCRYPTED_DATA_LEN_RANGE);
    /* Implicit rejection gives other bytes instead of a code; they are not the message. */
    assert_true(m->type != CKM_RSA_PKCS || rv != CKR_ENCRYPTED_DATA_INVALID ||
                has_flag(test, "InvalidCiphertextFormat"));
    VECTOR(m->type);
    count_result(count, test,
                 rv == CKR_OK && view_equal(writer_view(&out), bytes_of(test, "msg")));
    writer_clear(&out);
}

static void
run_rsa_oaep(const json_t *group, struct count *count, enum hash hash)
{
    struct algo_key *key = rsa_key(json_object_get(group, "privateKey"), true);
    size_t i;
    json_t *test;

    json_array_foreach(json_object_get(group, "tests"), i, test) {
        const struct mechanism m =
            oaep_mechanism(hash, hash_of(group, "mgfSha"), bytes_of(test, "label"));

        run_decrypt(test, count, &m, key);
    }
    algo_key_free(key);
}

static void
run_rsa_pkcs1(const json_t *group, struct count *count, enum hash hash)
{
    struct algo_key *key = rsa_key(json_object_get(group, "privateKey"), true);
    const struct mechanism m = plain_mechanism(CKM_RSA_PKCS);
    size_t i;
    json_t *test;

    UNUSED(hash);
    json_array_foreach(json_object_get(group, "tests"), i, test) {
        run_decrypt(test, count, &m, key);
    }
    algo_key_free(key);
}

/* ---- all files of a kind ---- */

typedef void run_group(const json_t *group, struct count *count, enum hash hash);

/* RSA moduli of 1,024 to 4,096 bits in steps of 256: seed-requirements C-8. */
static bool
is_size_offered(const json_t *group)
{
    const bool rsa = json_object_get(json_object_get(group, "publicKey"), "modulus") != NULL ||
                     json_object_get(json_object_get(group, "privateKey"), "modulus") != NULL;
    const json_int_t bits = json_integer_value(json_object_get(group, "keySize"));

    return !rsa || (bits >= 1024 && bits <= 4096 && bits % 256 == 0);
}

/* hash is the name of the group's field with the hash, NULL when there is none. */
static void
run_file(const char *name, run_group *run, bool hashes)
{
    char path[1024];
    struct count count = { 0 };
    json_error_t error;
    json_t *file, *group;
    size_t i;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = json_load_file(path, 0, &error);
    if (file == NULL) {
        fail_msg("%s line %d: %s", path, error.line, error.text);
    }
    json_array_foreach(json_object_get(file, "testGroups"), i, group) {
        enum hash hash = hashes ? hash_of(group, "sha") : HASH_NONE;
        bool mgf = json_object_get(group, "mgfSha") != NULL;

        if ((hashes && hash == HASH_NONE) || (mgf && hash_of(group, "mgfSha") == HASH_NONE) ||
            !is_size_offered(group)) {
            count.skipped += (unsigned)json_array_size(json_object_get(group, "tests"));
        } else {
            run(group, &count, hash);
        }
    }
    print_message("%s: %u checks, %u wrong, %u skipped\n", name, count.run, count.wrong,
                  count.skipped);
    json_decref(file);
    assert_int_equal(count.wrong, 0);
}

static int
name_compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Files whose names have this start and this end. */
static void
run_files(const char *start, const char *end, run_group *run, bool hashes)
{
    static char names[FILES_MAX][128];
    size_t count = 0;
    DIR *listing = opendir(folder);
    struct dirent *entry;

    if (listing == NULL) {
        print_message("skipped: no vectors in %s\n", folder);
        skip();
    }
    while ((entry = readdir(listing)) != NULL) {
        size_t len = strlen(entry->d_name);

        if (strncmp(entry->d_name, start, strlen(start)) == 0 && len > strlen(end) &&
            strcmp(entry->d_name + len - strlen(end), end) == 0 && len < sizeof names[0]) {
            assert_in_range(count, 0, FILES_MAX - 1);
            strcpy(names[count++], entry->d_name);
        }
    }
    closedir(listing);
    assert_int_not_equal(count, 0);
    qsort(names, count, sizeof names[0], name_compare);
    for (size_t i = 0; i < count; i++) {
        run_file(names[i], run, hashes);
    }
}

static void
gcm_agrees(void **state)
{
    UNUSED(state);
    run_files("aes_gcm_test", ".json", run_gcm, false);
}

static void
ccm_agrees(void **state)
{
    UNUSED(state);
    run_files("aes_ccm_test", ".json", run_ccm, false);
}

static void
chacha20_poly1305_agrees(void **state)
{
    UNUSED(state);
    run_files("chacha20_poly1305_test", ".json", run_chacha20_poly1305, false);
}

static void
cmac_agrees(void **state)
{
    UNUSED(state);
    run_files("aes_cmac_test", ".json", run_cmac, false);
}

static void
key_wrap_agrees(void **state)
{
    UNUSED(state);
    run_files("aes_wrap_test", ".json", run_kw, false);
    run_files("aes_kwp_test", ".json", run_kwp, false);
}

static void
cbc_agrees(void **state)
{
    UNUSED(state);
    run_files("aes_cbc_pkcs5", ".json", run_cbc, false);
}

/* The hash stands in the file's name only. */
static void
hmac_agrees(void **state)
{
    static const struct {
        const char *name;
        enum hash hash;
    } files[] = {
        { "hmac_sha1_test.json", HASH_SHA1 },     { "hmac_sha224_test.json", HASH_SHA224 },
        { "hmac_sha256_test.json", HASH_SHA256 }, { "hmac_sha384_test.json", HASH_SHA384 },
        { "hmac_sha512_test.json", HASH_SHA512 },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        char path[1024];
        struct count count = { 0 };
        size_t j;
        json_t *file, *group;

        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        file = json_load_file(path, 0, NULL);
        if (file == NULL) {
            print_message("skipped: no %s\n", path);
            skip();
        }
        json_array_foreach(json_object_get(file, "testGroups"), j, group) {
            run_hmac(group, &count, files[i].hash);
        }
        print_message("%s: %u checks, %u wrong\n", files[i].name, count.run, count.wrong);
        json_decref(file);
        assert_int_equal(count.wrong, 0);
    }
}

static void
rsa_signatures_agree(void **state)
{
    UNUSED(state);
    run_files("rsa_signature_", ".json", run_rsa_signature, true);
}

static void
rsa_pss_agrees(void **state)
{
    UNUSED(state);
    run_files("rsa_pss_", ".json", run_rsa_pss, true);
}

static void
rsa_oaep_agrees(void **state)
{
    UNUSED(state);
    run_files("rsa_oaep_", ".json", run_rsa_oaep, true);
}

static void
rsa_pkcs1_agrees(void **state)
{
    UNUSED(state);
    run_files("rsa_pkcs1_", ".json", run_rsa_pkcs1, false);
}

static void
ecdsa_agrees(void **state)
{
    UNUSED(state);
    run_files("ecdsa_", "_p1363_test.json", run_ecdsa, true);
}

static void
eddsa_agrees(void **state)
{
    UNUSED(state);
    run_files("ed25519_", ".json", run_eddsa, false);
    run_files("ed448_", ".json", run_eddsa, false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_agrees),
        cmocka_unit_test(key_wrap_agrees),
        cmocka_unit_test(cbc_agrees),
        cmocka_unit_test(ccm_agrees),
        cmocka_unit_test(chacha20_poly1305_agrees),
        cmocka_unit_test(cmac_agrees),
        cmocka_unit_test(hmac_agrees),
        cmocka_unit_test(rsa_signatures_agree),
        cmocka_unit_test(rsa_pss_agrees),
        cmocka_unit_test(rsa_oaep_agrees),
        cmocka_unit_test(rsa_pkcs1_agrees),
        cmocka_unit_test(ecdsa_agrees),
        cmocka_unit_test(eddsa_agrees),
    };
    const char *given = getenv("WYCHEPROOF_DIR");

    if (given != NULL) {
        snprintf(folder, sizeof folder, "%s", given);
    } else {
        snprintf(folder, sizeof folder, "%s/../../shared/vectors/wycheproof", TESTS_DIR);
    }
    return cmocka_run_group_tests_name("wycheproof", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
