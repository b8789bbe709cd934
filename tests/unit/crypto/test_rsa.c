/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA both ways: what one function makes the other takes, at the limits of every length; and
 * a key with a broken part never gives away a wrong signature.
 */
#include "pair_fixture.h"

#include "crypto/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

static struct pair rsa;
static uint8_t bytes[1024];

#define K 128u /* bytes of the modulus */

static int
setup(void **state)
{
    UNUSED(state);
    rsa_pair(&rsa, 8 * K);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 5 + 3);
    }
    return 0;
}

static int
teardown(void **state)
{
    UNUSED(state);
    pair_clear(&rsa);
    return 0;
}

/* ---- signatures ---- */

static view
sign(const struct mechanism *m, view data, uint8_t room[K])
{
    struct writer out;

    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(m, CKF_SIGN, rsa.private, data, VIEW_EMPTY, &out), CKR_OK);
    assert_int_equal(out.len, K);
    memcpy(room, out.data, K);
    writer_clear(&out);
    return view_of(room, K);
}

static CK_RV
verify(const struct mechanism *m, view data, view signature)
{
    struct writer none = { 0 };

    return run_once(m, CKF_VERIFY, rsa.public, data, signature, &none);
}

static void
assert_signs(const struct mechanism *m, view data)
{
    uint8_t room[K], wrong[K];
    view signature = sign(m, data, room);
    struct writer out;

    assert_int_equal(verify(m, data, signature), CKR_OK);
    assert_int_equal(verify(m, data, view_slice(signature, 0, K - 1)), CKR_SIGNATURE_LEN_RANGE);
    assert_int_equal(verify(m, data, VIEW_EMPTY), CKR_SIGNATURE_LEN_RANGE);
    memcpy(wrong, signature.data, K);
    wrong[K / 2] ^= 1;
    assert_int_equal(verify(m, data, view_of(wrong, K)), CKR_SIGNATURE_INVALID);
    memset(wrong, 0xff, K); /* not below the modulus */
    assert_int_equal(verify(m, data, view_of(wrong, K)), CKR_SIGNATURE_INVALID);
    if (!mechanism_row(m->type)->multi) {
        return;
    }
    writer_init(&out, OUT_MAX);
    assert_int_equal(run_parts(m, CKF_SIGN, rsa.private, data, 11, VIEW_EMPTY, &out), CKR_OK);
    assert_int_equal(verify(m, data, writer_view(&out)), CKR_OK);
    assert_int_equal(run_parts(m, CKF_VERIFY, rsa.public, data, 11, signature, &out), CKR_OK);
    assert_int_equal(run_parts(m, CKF_VERIFY, rsa.public, data, 11, view_of(wrong, K), &out),
                     CKR_SIGNATURE_INVALID);
    assert_int_equal(run_parts(m, CKF_VERIFY, rsa.public, data, 11, view_of(wrong, K - 1), &out),
                     CKR_SIGNATURE_LEN_RANGE);
    writer_clear(&out);
}

/* Every row of the driver that signs and hashes, with what it asks for. */
static void
every_hashed_row_signs(void **state)
{
    size_t count = 0, seen = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        if (rows[i].driver != DRIVER_rsa || !rows[i].multi) {
            continue;
        }
        enum hash hash = rows[i].hash;
        /* A key of 1024 bits has no room for SHA-512 and a salt as long. */
        size_t salt_len = size_min(hash_row(hash)->length, K - 2 - hash_row(hash)->length);
        const struct mechanism m = rows[i].params == PARAMS_pss
                                       ? pss_mechanism(rows[i].type, hash, hash, salt_len)
                                       : plain_mechanism(rows[i].type);

        assert_signs(&m, VIEW_TEXT("some data"));
        assert_signs(&m, VIEW_EMPTY);
        assert_signs(&m, view_of(bytes, sizeof bytes));
        seen++;
    }
    assert_int_equal(seen, 19);
}

static void
raw_signatures_take_up_to_k_less_11(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_RSA_PKCS);

    UNUSED(state);
    for (size_t len = 0; len <= K - 11; len += len < 8 || len > K - 14 ? 1 : 12) {
        assert_signs(&m, view_of(bytes, len));
    }
    assert_refused(&m, CKF_SIGN, rsa.private, view_of(bytes, K - 10), VIEW_EMPTY,
                   CKR_DATA_LEN_RANGE);
    assert_int_equal(verify(&m, view_of(bytes, K - 10), view_of(bytes, K)), CKR_DATA_LEN_RANGE);
}

/* "abc" as a DigestInfo: RFC 8017, 9.2, note 1, and the numbers of FIPS 202 that NIST gave. */
static const struct {
    CK_MECHANISM_TYPE hashed;
    const char *info;
} infos[] = {
    { CKM_MD5_RSA_PKCS, "3020300c06082a864886f70d020505000410900150983cd24fb0d6963f7d28e17f72" },
    { CKM_SHA256_RSA_PKCS, "3031300d060960864801650304020105000420"
                           "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { CKM_SHA3_224_RSA_PKCS, "302d300d06096086480165030402070500041c"
                             "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
    { CKM_SHA3_256_RSA_PKCS, "3031300d060960864801650304020805000420"
                             "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
    { CKM_SHA3_384_RSA_PKCS, "3041300d060960864801650304020905000430"
                             "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b2"
                             "98d88cea927ac7f539f1edf228376d25" },
    { CKM_SHA3_512_RSA_PKCS, "3051300d060960864801650304020a05000440"
                             "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                             "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
};

/* The hashed mechanism signs a DigestInfo, which the raw one can be handed. */
static void
raw_signature_of_a_digest_info_is_the_hashed_one(void **state)
{
    const struct mechanism raw = plain_mechanism(CKM_RSA_PKCS);
    uint8_t a[K], b[K];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(infos); i++) {
        const struct mechanism hashed = plain_mechanism(infos[i].hashed);

        assert_view(sign(&raw, hex(infos[i].info), a), sign(&hashed, VIEW_TEXT("abc"), b));
    }
}

static void
raw_pss_takes_a_digest_of_its_hash(void **state)
{
    const struct mechanism m = pss_mechanism(CKM_RSA_PKCS_PSS, HASH_SHA256, HASH_SHA1, 20);
    const struct mechanism hashed =
        pss_mechanism(CKM_SHA256_RSA_PKCS_PSS, HASH_SHA256, HASH_SHA1, 20);
    uint8_t room[K], digest[32];

    UNUSED(state);
    assert_signs(&m, view_of(bytes, 32));
    assert_true(algo_sha256(VIEW_TEXT("abc"), digest));
    assert_int_equal(verify(&hashed, VIEW_TEXT("abc"), sign(&m, view_of(digest, 32), room)),
                     CKR_OK);
    assert_refused(&m, CKF_SIGN, rsa.private, view_of(bytes, 31), VIEW_EMPTY, CKR_DATA_LEN_RANGE);
    assert_refused(&m, CKF_SIGN, rsa.private, view_of(bytes, 33), VIEW_EMPTY, CKR_DATA_LEN_RANGE);
    assert_int_equal(verify(&m, view_of(bytes, 20), view_of(bytes, K)), CKR_DATA_LEN_RANGE);
}

/* The parameter is part of what was signed. */
static void
pss_parameters_are_kept_apart(void **state)
{
    struct mechanism m = pss_mechanism(CKM_SHA256_RSA_PKCS_PSS, HASH_SHA256, HASH_SHA256, 32);
    uint8_t room[K];
    view signature = sign(&m, VIEW_TEXT("data"), room);

    UNUSED(state);
    for (size_t salt_len = 0; salt_len <= K - 2 - 32; salt_len++) {
        m.params.pss.salt_len = (uint32_t)salt_len;
        assert_int_equal(verify(&m, VIEW_TEXT("data"), signature),
                         salt_len == 32 ? CKR_OK : CKR_SIGNATURE_INVALID);
    }
    m = pss_mechanism(CKM_SHA256_RSA_PKCS_PSS, HASH_SHA256, HASH_SHA384, 32);
    assert_int_equal(verify(&m, VIEW_TEXT("data"), signature), CKR_SIGNATURE_INVALID);
}

/* ---- encryption ---- */

static void
assert_encrypts(const struct mechanism *m, view data)
{
    struct writer out, back;

    writer_init(&out, OUT_MAX);
    writer_init(&back, OUT_MAX);
    assert_int_equal(run_once(m, CKF_ENCRYPT, rsa.public, data, VIEW_EMPTY, &out), CKR_OK);
    assert_int_equal(out.len, K);
    assert_int_equal(run_once(m, CKF_DECRYPT, rsa.private, writer_view(&out), VIEW_EMPTY, &back),
                     CKR_OK);
    assert_view(writer_view(&back), data);
    writer_clear(&out);
    writer_clear(&back);
}

static void
ciphertext_has_the_length_of_the_modulus(void **state)
{
    const struct mechanism pkcs1 = plain_mechanism(CKM_RSA_PKCS);
    const struct mechanism oaep = oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_EMPTY);
    static const size_t wrong[] = { 0, 1, K - 1, K + 1, 2 * K };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++) {
        assert_refused(&pkcs1, CKF_DECRYPT, rsa.private, view_of(bytes, wrong[i]), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_LEN_RANGE);
        assert_refused(&oaep, CKF_DECRYPT, rsa.private, view_of(bytes, wrong[i]), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
}

static void
pkcs1_encrypts_up_to_k_less_11(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_RSA_PKCS);

    UNUSED(state);
    for (size_t len = 0; len <= K - 11; len += len < 3 || len > K - 14 ? 1 : 13) {
        assert_encrypts(&m, view_of(bytes, len));
    }
    assert_refused(&m, CKF_ENCRYPT, rsa.public, view_of(bytes, K - 10), VIEW_EMPTY,
                   CKR_DATA_LEN_RANGE);
}

static void
oaep_encrypts_up_to_what_its_hash_leaves(void **state)
{
    static const enum hash hashes[] = { HASH_SHA1, HASH_SHA224, HASH_SHA256, HASH_SHA384 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(hashes); i++) {
        size_t room = K - 2 - 2 * hash_row(hashes[i])->length;
        const struct mechanism m = oaep_mechanism(hashes[i], HASH_SHA1, VIEW_EMPTY);

        assert_encrypts(&m, VIEW_EMPTY);
        assert_encrypts(&m, view_of(bytes, 1));
        assert_encrypts(&m, view_of(bytes, room));
        assert_refused(&m, CKF_ENCRYPT, rsa.public, view_of(bytes, room + 1), VIEW_EMPTY,
                       CKR_DATA_LEN_RANGE);
    }
    /* 2 * 64 + 2 is more than 128: no message at all. */
    const struct mechanism m = oaep_mechanism(HASH_SHA512, HASH_SHA1, VIEW_EMPTY);

    assert_refused(&m, CKF_ENCRYPT, rsa.public, VIEW_EMPTY, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
}

/* A label of one call does not stay in the context of the next. */
static void
oaep_labels_are_kept_apart(void **state)
{
    const struct mechanism with = oaep_mechanism(HASH_SHA256, HASH_SHA256, VIEW_TEXT("label"));
    const struct mechanism other = oaep_mechanism(HASH_SHA256, HASH_SHA256, VIEW_TEXT("lable"));
    const struct mechanism without = oaep_mechanism(HASH_SHA256, HASH_SHA256, VIEW_EMPTY);
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (int i = 0; i < 2; i++) {
        assert_encrypts(&with, VIEW_TEXT("data"));
        assert_encrypts(&without, VIEW_TEXT("data"));
        writer_reset(&out);
        assert_int_equal(run_once(&with, CKF_ENCRYPT, rsa.public, VIEW_TEXT("data"), VIEW_EMPTY,
                                  &out), CKR_OK);
        assert_refused(&without, CKF_DECRYPT, rsa.private, writer_view(&out), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_INVALID);
        assert_refused(&other, CKF_DECRYPT, rsa.private, writer_view(&out), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_INVALID);
    }
    writer_clear(&out);
}

/* m^e mod n: any block, padded right or wrong, as ciphertext. */
static void
encrypt_block(const uint8_t block[K], uint8_t out[K])
{
    view n_bytes = list_value(writer_view(&rsa.public_part), CKA_MODULUS);
    BIGNUM *n = BN_bin2bn(n_bytes.data, (int)n_bytes.len, NULL);
    BIGNUM *m = BN_bin2bn(block, K, NULL);
    BIGNUM *e = BN_new();
    BN_CTX *ctx = BN_CTX_new();

    assert_int_equal(BN_set_word(e, 65537), 1);
    assert_int_equal(BN_mod_exp(m, m, e, n, ctx), 1);
    assert_int_equal(BN_bn2binpad(m, out, K), K);
    BN_free(n);
    BN_free(m);
    BN_free(e);
    BN_CTX_free(ctx);
}

static const struct {
    const char *what;
    size_t at;
    uint8_t value;
    size_t zero_at;
    bool good;
} paddings[] = {
    { "right", 0, 0, 60, true },
    { "the shortest padding", 0, 0, 10, true },
    { "an empty message", 0, 0, K - 1, true },
    { "not 0 first", 0, 1, 60, false },
    { "type 1", 1, 1, 60, false },
    { "type 0", 1, 0, 60, false },
    { "a zero too early", 0, 0, 9, false },
    { "a zero at once", 0, 0, 2, false },
    { "no zero", 0, 0, K, false },
};

/* Implicit rejection answers with other bytes. */
static void
wrong_pkcs1_padding_is_not_told(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_RSA_PKCS);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(paddings); i++) {
        uint8_t block[K + 1], sealed[K];
        view inside = view_slice(view_of(block, K), paddings[i].zero_at + 1, K);
        struct writer out;

        memset(block, 0xaa, sizeof block);
        block[0] = 0;
        block[1] = 2;
        if (paddings[i].value != block[paddings[i].at]) {
            block[paddings[i].at] = paddings[i].value;
        }
        block[paddings[i].zero_at] = 0;
        encrypt_block(block, sealed);
        writer_init(&out, OUT_MAX);
        print_message("%s\n", paddings[i].what);
        assert_int_equal(run_once(&m, CKF_DECRYPT, rsa.private, view_of(sealed, K), VIEW_EMPTY,
                                  &out), CKR_OK);
        if (paddings[i].good) {
            assert_view(writer_view(&out), inside);
        } else {
            assert_true(paddings[i].zero_at == K || !view_equal(writer_view(&out), inside));
            assert_true(out.len <= K - 11);
        }
        writer_clear(&out);
    }
}

static void
ciphertext_above_the_modulus_is_invalid(void **state)
{
    const struct mechanism oaep = oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_EMPTY);
    const struct mechanism pkcs1 = plain_mechanism(CKM_RSA_PKCS);
    uint8_t top[K];

    UNUSED(state);
    memset(top, 0xff, sizeof top);
    assert_refused(&oaep, CKF_DECRYPT, rsa.private, view_of(top, K), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_INVALID);
    assert_refused(&pkcs1, CKF_DECRYPT, rsa.private, view_of(top, K), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_INVALID);
}

/* ---- generation ---- */

static const struct {
    uint64_t bits;
    const char *exponent;
    CK_RV rv;
} generations[] = {
    { 1024, "010001", CKR_OK },
    { 1024, "03", CKR_OK },
    { 1031, NULL, CKR_OK },
    { 2048, "0100000001", CKR_OK },
    { 1024, "", CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "01", CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "04", CKR_ATTRIBUTE_VALUE_INVALID },
    { 1023, NULL, CKR_ATTRIBUTE_VALUE_INVALID },
    { 4097, NULL, CKR_ATTRIBUTE_VALUE_INVALID },
    { 0, NULL, CKR_ATTRIBUTE_VALUE_INVALID },
    { UINT64_MAX, NULL, CKR_ATTRIBUTE_VALUE_INVALID },
};

static void
pairs_have_the_size_and_exponent_asked_for(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(generations); i++) {
        struct writer template;
        struct pair pair;

        writer_init(&template, 1000);
        attribute_write_ulong(&template, CKA_MODULUS_BITS, generations[i].bits);
        if (generations[i].exponent != NULL) {
            attribute_write(&template, CKA_PUBLIC_EXPONENT, hex(generations[i].exponent));
        }
        assert_int_equal(pair_generate(standard, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                       writer_view(&template), &pair), generations[i].rv);
        if (generations[i].rv == CKR_OK) {
            const char *exponent =
                generations[i].exponent == NULL ? "010001" : generations[i].exponent;

            pair_parse(&pair, KIND_RSA_PUBLIC, KIND_RSA_PRIVATE);
            assert_int_equal(pair.public->len, (generations[i].bits + 7) / 8);
            assert_view(list_value(writer_view(&pair.private_part), CKA_PUBLIC_EXPONENT),
                        hex(exponent));
            assert_int_equal(attributes_count(writer_view(&pair.secrets)), 6);
        } else {
            assert_int_equal(pair.secrets.len, 0);
        }
        pair_clear(&pair);
        writer_clear(&template);
    }
}

static void
fips_makes_no_small_pairs(void **state)
{
    struct writer template;
    struct pair pair;

    UNUSED(state);
    writer_init(&template, 1000);
    attribute_write_ulong(&template, CKA_MODULUS_BITS, 1024);
    assert_int_equal(pair_generate(fips, CKM_RSA_PKCS_KEY_PAIR_GEN, writer_view(&template), &pair),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    pair_clear(&pair);
    assert_int_equal(pair_generate(fips, CKM_RSA_PKCS_KEY_PAIR_GEN, VIEW_EMPTY, &pair),
                     CKR_TEMPLATE_INCOMPLETE);
    pair_clear(&pair);
    writer_clear(&template);
}

/* ---- faults ---- */

/*
 * The key of the pair with one number one bit off, past all checks: as if memory had failed
 * after the key was parsed.
 */
static EVP_PKEY *
broken_pkey(const char *broken)
{
    static const struct {
        const char *name;
        CK_ATTRIBUTE_TYPE type;
    } numbers[] = {
        { OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS },
        { OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT },
        { OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT },
        { OSSL_PKEY_PARAM_RSA_FACTOR1, CKA_PRIME_1 },
        { OSSL_PKEY_PARAM_RSA_FACTOR2, CKA_PRIME_2 },
        { OSSL_PKEY_PARAM_RSA_EXPONENT1, CKA_EXPONENT_1 },
        { OSSL_PKEY_PARAM_RSA_EXPONENT2, CKA_EXPONENT_2 },
        { OSSL_PKEY_PARAM_RSA_COEFFICIENT1, CKA_COEFFICIENT },
    };
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    BIGNUM *all[ARRAY_COUNT(numbers)];
    EVP_PKEY *pkey = NULL;

    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        view value = list_value(i < 2 ? writer_view(&rsa.private_part)
                                      : writer_view(&rsa.secrets), numbers[i].type);

        all[i] = BN_bin2bn(value.data, (int)value.len, NULL);
        if (strcmp(numbers[i].name, broken) == 0) {
            assert_int_equal(BN_is_bit_set(all[i], 77) ? BN_clear_bit(all[i], 77)
                                                       : BN_set_bit(all[i], 77), 1);
        }
        assert_int_equal(OSSL_PARAM_BLD_push_BN(build, numbers[i].name, all[i]), 1);
    }

    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);

    assert_int_equal(EVP_PKEY_fromdata_init(ctx), 1);
    assert_int_equal(EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_KEYPAIR, params), 1);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        BN_free(all[i]);
    }
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return pkey;
}

static void
broken_crt_part_gives_no_wrong_signature(void **state)
{
    static const char *const parts[] = { OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                         OSSL_PKEY_PARAM_RSA_EXPONENT2,
                                         OSSL_PKEY_PARAM_RSA_COEFFICIENT1 };
    const struct mechanism m = plain_mechanism(CKM_SHA256_RSA_PKCS);
    const struct mechanism raw = plain_mechanism(CKM_RSA_X_509);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        struct algo_key *key = NULL;
        struct writer out;
        CK_RV rv;

        assert_int_equal(algo_key_new(KIND_RSA_PRIVATE, writer_view(&rsa.private_part),
                                      writer_view(&rsa.secrets), &key), CKR_OK);
        EVP_PKEY_free(key->pkey);
        key->pkey = broken_pkey(parts[i]);
        writer_init(&out, OUT_MAX);
        rv = run_once(&m, CKF_SIGN, key, VIEW_TEXT("data"), VIEW_EMPTY, &out);
        print_message("%s: %s\n", parts[i], rv == CKR_OK ? "a right signature" : "refused");
        if (rv == CKR_OK) {
            assert_int_equal(verify(&m, VIEW_TEXT("data"), writer_view(&out)), CKR_OK);
        } else {
            assert_int_equal(out.len, 0);
        }
        writer_reset(&out);
        rv = run_once(&raw, CKF_SIGN, key, VIEW_TEXT("data"), VIEW_EMPTY, &out);
        assert_true(rv != CKR_OK ||
                    verify(&raw, VIEW_TEXT("data"), writer_view(&out)) == CKR_OK);
        writer_clear(&out);
        algo_key_free(key);
    }
}

/* Where the policy asks for it, a signature by a key that is wrong all over is held back. */
static void
signature_that_does_not_verify_is_not_released(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_SHA256_RSA_PKCS);
    struct algo_key *key = NULL;
    struct writer out;

    UNUSED(state);
    assert_int_equal(algo_key_new(KIND_RSA_PRIVATE, writer_view(&rsa.private_part),
                                  writer_view(&rsa.secrets), &key), CKR_OK);
    EVP_PKEY_free(key->pkey);
    key->pkey = broken_pkey(OSSL_PKEY_PARAM_RSA_FACTOR1);
    writer_init(&out, OUT_MAX);
    if (algo_once(fips, mechanism_row(m.type), CKF_SIGN, &m, key, VIEW_TEXT("data"), VIEW_EMPTY,
                  &out) == CKR_OK) {
        assert_int_equal(verify(&m, VIEW_TEXT("data"), writer_view(&out)), CKR_OK);
    } else {
        assert_int_equal(out.len, 0);
    }
    writer_clear(&out);
    algo_key_free(key);
}

static void
public_key_does_nothing_private(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_RSA_PKCS);

    UNUSED(state);
    assert_refused(&m, CKF_SIGN, rsa.public, view_of(bytes, 1), VIEW_EMPTY,
                   CKR_KEY_TYPE_INCONSISTENT);
    assert_refused(&m, CKF_DECRYPT, rsa.public, view_of(bytes, K), VIEW_EMPTY,
                   CKR_KEY_TYPE_INCONSISTENT);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_hashed_row_signs),
        cmocka_unit_test(raw_signatures_take_up_to_k_less_11),
        cmocka_unit_test(raw_signature_of_a_digest_info_is_the_hashed_one),
        cmocka_unit_test(raw_pss_takes_a_digest_of_its_hash),
        cmocka_unit_test(pss_parameters_are_kept_apart),
        cmocka_unit_test(ciphertext_has_the_length_of_the_modulus),
        cmocka_unit_test(pkcs1_encrypts_up_to_k_less_11),
        cmocka_unit_test(oaep_encrypts_up_to_what_its_hash_leaves),
        cmocka_unit_test(oaep_labels_are_kept_apart),
        cmocka_unit_test(wrong_pkcs1_padding_is_not_told),
        cmocka_unit_test(ciphertext_above_the_modulus_is_invalid),
        cmocka_unit_test(pairs_have_the_size_and_exponent_asked_for),
        cmocka_unit_test(fips_makes_no_small_pairs),
        cmocka_unit_test(broken_crt_part_gives_no_wrong_signature),
        cmocka_unit_test(signature_that_does_not_verify_is_not_released),
        cmocka_unit_test(public_key_does_nothing_private),
    };

    return cmocka_run_group_tests_name("rsa", tests, setup, teardown);
}
