/* SPDX-License-Identifier: Apache-2.0
 *
 * AES in its modes: the examples of NIST SP 800-38A and the test cases of the GCM
 * specification, at once and in parts, and every wrong length, padding, tag and counter.
 */
#include "algo_fixture.h"

#include "crypto/gcm_iv.h"

#define K128 "2b7e151628aed2a6abf7158809cf4f3c"
#define K192 "8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define K256 "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define TEXT                                                             \
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"   \
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
#define IV "000102030405060708090a0b0c0d0e0f"
#define COUNTER "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static const struct {
    CK_MECHANISM_TYPE type;
    const char *key;
    const char *out;
} modes[] = {
    { CKM_AES_ECB, K128,
      "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
      "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4" },
    { CKM_AES_ECB, K192,
      "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
      "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e" },
    { CKM_AES_ECB, K256,
      "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
      "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7" },
    { CKM_AES_CBC, K128,
      "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
      "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7" },
    { CKM_AES_CBC, K192,
      "4f021db243bc633d7178183a9fa071e8b4d9ada9ad7dedf4e5e738763f69145a"
      "571b242012fb7ae07fa9baac3df102e008b0e27988598881d920a9e64f5615cd" },
    { CKM_AES_CBC, K256,
      "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
      "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b" },
    { CKM_AES_CTR, K128,
      "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
      "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee" },
    { CKM_AES_CTR, K192,
      "1abc932417521ca24f2b0459fe7e6e0b090339ec0aa6faefd5ccc2c6f4ce8e94"
      "1e36b26bd1ebc670d1bd1d665620abf74f78a7f6d29809585a97daec58c6b050" },
    { CKM_AES_CTR, K256,
      "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
      "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6" },
};

static struct mechanism
mode_mechanism(CK_MECHANISM_TYPE type)
{
    switch (type) {
    case CKM_AES_ECB:
        return plain_mechanism(type);
    case CKM_AES_CTR:
        return ctr_mechanism(hex(COUNTER), 128);
    default:
        return iv_mechanism(type, hex(IV));
    }
}

static void
modes_agree_with_sp_800_38a(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        struct algo_key *key = secret_key(KIND_AES, hex(modes[i].key));
        const struct mechanism m = mode_mechanism(modes[i].type);
        view text = hex(TEXT);
        view out = hex(modes[i].out);

        assert_known(&m, CKF_ENCRYPT, key, text, out);
        assert_known(&m, CKF_DECRYPT, key, out, text);
        assert_known(&m, CKF_ENCRYPT, key, VIEW_EMPTY, VIEW_EMPTY);
        algo_key_free(key);
    }
}

/* NIST SP 800-38A, F.3.1, F.3.3 and F.3.5: sixteen segments of one bit. */
static void
bits_feed_back_as_sp_800_38a_has_it(void **state)
{
    static const char *const keys[] = { K128, K192, K256 };
    static const char *const outs[] = { "68b3", "9359", "9029" };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        struct algo_key *key = secret_key(KIND_AES, hex(keys[i]));
        const struct mechanism m = iv_mechanism(CKM_AES_CFB1, hex(IV));

        assert_known(&m, CKF_ENCRYPT, key, hex("6bc1"), hex(outs[i]));
        assert_known(&m, CKF_DECRYPT, key, hex(outs[i]), hex("6bc1"));
        algo_key_free(key);
    }
}

static void
partial_blocks_are_refused(void **state)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_AES_ECB, CKM_AES_CBC };
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        const struct mechanism m = mode_mechanism(types[i]);

        for (size_t len = 1; len < 48; len += len % 16 == 15 ? 2 : 1) {
            view in = view_slice(hex(TEXT), 0, len);

            assert_refused(&m, CKF_ENCRYPT, key, in, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
            assert_refused(&m, CKF_DECRYPT, key, in, VIEW_EMPTY, CKR_ENCRYPTED_DATA_LEN_RANGE);
            assert_int_equal(run_parts(&m, CKF_ENCRYPT, key, in, 5, VIEW_EMPTY, &out),
                             CKR_DATA_LEN_RANGE);
            assert_int_equal(run_parts(&m, CKF_DECRYPT, key, in, 5, VIEW_EMPTY, &out),
                             CKR_ENCRYPTED_DATA_LEN_RANGE);
        }
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* ---- padding ---- */

static void
padding_comes_and_goes_at_every_length(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K192));
    const struct mechanism m = iv_mechanism(CKM_AES_CBC_PAD, hex(IV));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t len = 0; len <= 64; len++) {
        view text = view_slice(hex(TEXT), 0, len);
        uint8_t sealed[80];

        writer_reset(&out);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, text, VIEW_EMPTY, &out), CKR_OK);
        assert_int_equal(out.len, (len / 16 + 1) * 16);
        memcpy(sealed, out.data, out.len);
        assert_runs(&m, CKF_ENCRYPT, key, text, view_of(sealed, out.len));
        assert_runs(&m, CKF_DECRYPT, key, view_of(sealed, out.len), text);
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* PKCS #11 v3.1, 5.10: one block is held back, and no more than what may be the last one. */
static void
a_padded_block_comes_out_once_something_follows_it(void **state)
{
    static const size_t given[] = { 0, 0, 16, 16, 16, 32 };
    static const size_t fed[] = { 15, 16, 17, 31, 32, 33 };
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    const struct mechanism m = iv_mechanism(CKM_AES_CBC_PAD, hex(IV));
    const struct mechanism_row *row = mechanism_row(CKM_AES_CBC_PAD);
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(fed); i++) {
        struct algo_op *op = NULL;

        writer_reset(&out);
        assert_int_equal(algo_start(standard, row, CKF_DECRYPT, &m, key, &op), CKR_OK);
        assert_int_equal(algo_update(op, view_slice(hex(TEXT), 0, fed[i]), &out), CKR_OK);
        assert_int_equal(out.len, given[i]);
        algo_op_free(op);
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* Every last byte with every number of right bytes before it, made with plain CBC. */
static void
wrong_padding_has_one_code(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K256));
    const struct mechanism cbc = iv_mechanism(CKM_AES_CBC, hex(IV));
    const struct mechanism padded = iv_mechanism(CKM_AES_CBC_PAD, hex(IV));
    struct writer out, plain;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    writer_init(&plain, OUT_MAX);
    for (unsigned last = 0; last < 256; last++) {
        for (size_t same = 1; same <= 16; same++) {
            bool good = last >= 1 && last <= 16 && same >= last;
            uint8_t block[32];

            memset(block, 0xa5, sizeof block);
            memset(block + 32 - same, (int)last, same);
            writer_reset(&out);
            writer_reset(&plain);
            assert_int_equal(run_once(&cbc, CKF_ENCRYPT, key, view_of(block, 32), VIEW_EMPTY,
                                      &out), CKR_OK);
            /* 0xa5 is no padding, so only what was put there counts. */
            assert_int_equal(run_once(&padded, CKF_DECRYPT, key, writer_view(&out), VIEW_EMPTY,
                                      &plain),
                             good ? CKR_OK : CKR_ENCRYPTED_DATA_INVALID);
            assert_view(writer_view(&plain),
                        good ? view_of(block, 32 - last) : VIEW_EMPTY);
        }
    }
    writer_clear(&out);
    writer_clear(&plain);
    algo_key_free(key);
}

static void
wrong_length_of_padded_data_has_another_code(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    const struct mechanism m = iv_mechanism(CKM_AES_CBC_PAD, hex(IV));

    UNUSED(state);
    assert_refused(&m, CKF_DECRYPT, key, VIEW_EMPTY, VIEW_EMPTY, CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_refused(&m, CKF_DECRYPT, key, view_slice(hex(TEXT), 0, 15), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_refused(&m, CKF_DECRYPT, key, view_slice(hex(TEXT), 0, 33), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_LEN_RANGE);
    algo_key_free(key);
}

/* ---- counters ---- */

static const struct {
    const char *block;
    uint32_t bits;
    size_t blocks; /* how many there are; SIZE_MAX: more than can be tried */
} counters[] = {
    { "00000000000000000000000000000001", 2, 3 }, /* the standard's own example */
    { "00000000000000000000000000000000", 2, 4 },
    { "ffffffffffffffffffffffffffffffff", 1, 1 },
    { "fffffffffffffffffffffffffffffffe", 1, 2 },
    { "ffffffffffffffffffffffffffffffff", 128, 1 },
    { "ffffffffffffffffffffffffffffffff", 64, 1 },
    { "fffffffffffffffffffffffffffffffc", 65, 4 },
    { "fffffffffffffffefffffffffffffffc", 65, SIZE_MAX },
    { "0000000000000000fffffffffffffffd", 64, 3 },
    { "0000000000000000fffffffffffffffd", 63, 3 },
    { "00000000000000000000000000000000", 64, SIZE_MAX },
    { "00000000000000000000000000000000", 128, SIZE_MAX },
    { "f0f1f2f3f4f5f6f7f8f9fafbfcfdff00", 8, 256 },
};

static void
counter_runs_to_its_end_and_no_further(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    static const uint8_t zeros[300 * 16];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(counters); i++) {
        const struct mechanism m = ctr_mechanism(hex(counters[i].block), counters[i].bits);
        bool ends = counters[i].blocks != SIZE_MAX;
        size_t room = ends ? counters[i].blocks * 16 : sizeof zeros;
        struct writer out;

        writer_init(&out, OUT_MAX);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, view_of(zeros, room), VIEW_EMPTY, &out),
                         CKR_OK);
        writer_reset(&out);
        assert_int_equal(run_parts(&m, CKF_DECRYPT, key, view_of(zeros, room), 7, VIEW_EMPTY,
                                   &out), CKR_OK);
        if (ends) {
            assert_refused(&m, CKF_ENCRYPT, key, view_of(zeros, room + 1), VIEW_EMPTY,
                           CKR_DATA_LEN_RANGE);
            assert_int_equal(run_parts(&m, CKF_ENCRYPT, key, view_of(zeros, room + 1), 7,
                                       VIEW_EMPTY, &out), CKR_DATA_LEN_RANGE);
        }
        writer_clear(&out);
    }
    algo_key_free(key);
}

/* ---- GCM ---- */

#define GCM_KEY "feffe9928665731c6d6a8f9467308308"
#define GCM_TEXT                                                       \
    "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72" \
    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
#define GCM_AAD "feedfacedeadbeeffeedfacedeadbeefabaddad2"
#define GCM_LONG_IV                                                    \
    "9313225df88406e555909c5aff5269aa6a7a9538534f7da1e4c303d2a318a728" \
    "c3c0c95156809539fcf0e2429a6b525416aedbf5a0de6a57a637b39b"

static const struct {
    const char *key;
    const char *iv;
    const char *aad;
    const char *text;
    const char *out; /* with the tag */
} gcms[] = {
    { "00000000000000000000000000000000", "000000000000000000000000", "", "",
      "58e2fccefa7e3061367f1d57a4e7455a" },
    { "00000000000000000000000000000000", "000000000000000000000000", "",
      "00000000000000000000000000000000",
      "0388dace60b6a392f328c2b971b2fe78ab6e47d42cec13bdf53a67b21257bddf" },
    { GCM_KEY, "cafebabefacedbaddecaf888", "", GCM_TEXT "1aafd255",
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091473f5985"
      "4d5c2af327cd64a62cf35abd2ba6fab4" },
    { GCM_KEY, "cafebabefacedbaddecaf888", GCM_AAD, GCM_TEXT,
      "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
      "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091"
      "5bc94fbc3221a5db94fae95ae7121a47" },
    { GCM_KEY, "cafebabefacedbad", GCM_AAD, GCM_TEXT,
      "61353b4c2806934a777ff51fa22a4755699b2a714fcdc6f83766e5f97b6c7423"
      "73806900e49f24b22b097544d4896b424989b5e1ebac0f07c23f4598"
      "3612d2e79e3b0785561be14aaca2fccb" },
    { GCM_KEY, GCM_LONG_IV, GCM_AAD, GCM_TEXT,
      "8ce24998625615b603a033aca13fb894be9112a5c3a211a8ba262a3cca7e2ca7"
      "01e4a9a4fba43c90ccdcb281d48c7c6fd62875d2aca417034c34aee5"
      "619cc5aefffe0bfa462af43c1699d050" },
};

static void
gcm_agrees_with_its_specification(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(gcms); i++) {
        struct algo_key *key = secret_key(KIND_AES, hex(gcms[i].key));
        view text = hex(gcms[i].text);
        view out = hex(gcms[i].out);
        const struct mechanism m = gcm_mechanism(hex(gcms[i].iv), hex(gcms[i].aad), 128);

        assert_known(&m, CKF_ENCRYPT, key, text, out);
        assert_known(&m, CKF_DECRYPT, key, out, text);
        algo_key_free(key);
    }
}

/* A shorter tag is the start of the longer one; decryption takes just so many bytes. */
static void
gcm_tags_of_every_length(void **state)
{
    static const uint32_t lengths[] = { 4, 8, 12, 13, 14, 15, 16 };
    struct algo_key *key = secret_key(KIND_AES, hex(GCM_KEY));

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        view text = hex(GCM_TEXT);
        const struct mechanism m =
            gcm_mechanism(hex(gcms[3].iv), hex(GCM_AAD), 8 * lengths[i]);
        view out = view_slice(hex(gcms[3].out), 0, text.len + lengths[i]);
        uint8_t wrong[100];

        assert_runs(&m, CKF_ENCRYPT, key, text, out);
        assert_runs(&m, CKF_DECRYPT, key, out, text);
        memcpy(wrong, out.data, out.len);
        for (size_t at = 0; at < out.len; at += at < text.len ? 11 : 1) {
            wrong[at] ^= 0x40;
            assert_refused(&m, CKF_DECRYPT, key, view_of(wrong, out.len), VIEW_EMPTY,
                           CKR_ENCRYPTED_DATA_INVALID);
            wrong[at] ^= 0x40;
        }
        assert_refused(&m, CKF_DECRYPT, key, view_slice(out, 0, lengths[i] - 1), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
    algo_key_free(key);
}

/* Folding an IV that the library takes too gives what the library gives. */
static void
folded_iv_works_as_the_long_one(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(GCM_KEY));
    const struct mechanism ecb = plain_mechanism(CKM_AES_ECB);
    uint8_t hash_key[16] = { 0 };
    uint8_t iv[GCM_IV_LIBRARY_MAX];
    struct writer out, direct;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    writer_init(&direct, OUT_MAX);
    assert_int_equal(run_once(&ecb, CKF_ENCRYPT, key, view_of(hash_key, 16), VIEW_EMPTY, &out),
                     CKR_OK);
    memcpy(hash_key, out.data, sizeof hash_key);
    for (size_t i = 0; i < sizeof iv; i++) {
        iv[i] = (uint8_t)(i * 37 + 1);
    }
    for (size_t len = 1; len <= sizeof iv; len++) {
        uint8_t folded[GCM_IV_FOLDED_LEN];
        struct mechanism m = gcm_mechanism(view_of(iv, len), hex(GCM_AAD), 128);

        if (len == 12) {
            continue;
        }
        writer_reset(&out);
        writer_reset(&direct);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, hex(GCM_TEXT), VIEW_EMPTY, &direct),
                         CKR_OK);
        gcm_iv_fold(hash_key, view_of(iv, len), folded);
        m.params.gcm.iv = view_of(folded, sizeof folded);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, hex(GCM_TEXT), VIEW_EMPTY, &out), CKR_OK);
        assert_view(writer_view(&out), writer_view(&direct));
    }
    writer_clear(&out);
    writer_clear(&direct);
    algo_key_free(key);
}

static void
ivs_up_to_the_longest_work(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K256));
    static uint8_t iv[256];
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t len = 1; len <= sizeof iv; len++) {
        const struct mechanism m = gcm_mechanism(view_of(iv, len), VIEW_EMPTY, 96);

        writer_reset(&out);
        assert_int_equal(run_once(&m, CKF_ENCRYPT, key, hex(TEXT), VIEW_EMPTY, &out), CKR_OK);
        assert_runs(&m, CKF_DECRYPT, key, writer_view(&out), hex(TEXT));
    }
    writer_clear(&out);
    algo_key_free(key);
}

/* ---- what is left behind ---- */

/* A fixed writer of just the right size is enough, one byte less is an error and not a crash. */
static void
room_of_just_the_right_size_is_enough(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex(K128));
    const struct mechanism m = iv_mechanism(CKM_AES_CBC_PAD, hex(IV));
    uint8_t room[80];
    struct writer out;

    UNUSED(state);
    writer_init_fixed(&out, room, 80);
    assert_int_equal(run_once(&m, CKF_ENCRYPT, key, hex(TEXT), VIEW_EMPTY, &out), CKR_OK);
    writer_init_fixed(&out, room, 79);
    assert_int_equal(run_once(&m, CKF_ENCRYPT, key, hex(TEXT), VIEW_EMPTY, &out),
                     CKR_DEVICE_MEMORY);
    assert_int_equal(out.len, 0);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_agree_with_sp_800_38a),
        cmocka_unit_test(bits_feed_back_as_sp_800_38a_has_it),
        cmocka_unit_test(partial_blocks_are_refused),
        cmocka_unit_test(padding_comes_and_goes_at_every_length),
        cmocka_unit_test(a_padded_block_comes_out_once_something_follows_it),
        cmocka_unit_test(wrong_padding_has_one_code),
        cmocka_unit_test(wrong_length_of_padded_data_has_another_code),
        cmocka_unit_test(counter_runs_to_its_end_and_no_further),
        cmocka_unit_test(gcm_agrees_with_its_specification),
        cmocka_unit_test(gcm_tags_of_every_length),
        cmocka_unit_test(folded_iv_works_as_the_long_one),
        cmocka_unit_test(ivs_up_to_the_longest_work),
        cmocka_unit_test(room_of_just_the_right_size_is_enough),
    };

    return RUN_GROUP("aes", tests, 1);
}
