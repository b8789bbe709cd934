/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests and HMAC against the published vectors: the examples of FIPS 180, FIPS 202, RFC 1321
 * and RFC 4231, and for SHA-1 of RFC 2202.
 */
#include "algo_fixture.h"

#define ABC "616263"
#define TWO_BLOCKS "6162636462636465636465666465666765666768666768696768696a68696a6b696a6b6c" \
                   "6a6b6c6d6b6c6d6e6c6d6e6f6d6e6f706e6f7071"

static const struct {
    CK_MECHANISM_TYPE type;
    const char *in;
    const char *out;
} digests[] = {
    { CKM_SHA_1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
    { CKM_SHA_1, ABC, "a9993e364706816aba3e25717850c26c9cd0d89d" },
    { CKM_SHA_1, TWO_BLOCKS, "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
    { CKM_SHA224, ABC, "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
    { CKM_SHA224, TWO_BLOCKS, "75388b16512776cc5dba5da1fd890150b0c6455cb4f58b1952522525" },
    { CKM_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
    { CKM_SHA256, ABC, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
    { CKM_SHA256, TWO_BLOCKS, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
    { CKM_SHA384, ABC,
      "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca13"
      "4c825a7" },
    { CKM_SHA512, ABC,
      "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a"
      "3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    { CKM_MD5, ABC,
      "900150983cd24fb0d6963f7d28e17f72" },
    { CKM_SHA512_224, ABC,
      "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa" },
    { CKM_SHA512_256, ABC,
      "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23" },
    { CKM_SHA3_224, ABC,
      "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
    { CKM_SHA3_256, ABC,
      "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
    { CKM_SHA3_384, ABC,
      "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1ed"
      "f228376d25" },
    { CKM_SHA3_512, ABC,
      "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e10e116e9192af3c91a7ec5"
      "7647e3934057340b4cf408d5a56592f8274eec53f0" },
};

static void
digests_agree_with_fips_180(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(digests); i++) {
        const struct mechanism m = plain_mechanism(digests[i].type);

        assert_known(&m, CKF_DIGEST, NULL, hex(digests[i].in), hex(digests[i].out));
    }
}

/* Every hash that a signature may use can be had as a digest, and the other way round. */
static void
every_digest_row_has_a_vector(void **state)
{
    size_t count = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        bool found = rows[i].driver != DRIVER_digest;

        for (size_t j = 0; j < ARRAY_COUNT(digests); j++) {
            found = found || digests[j].type == rows[i].type;
        }
        assert_true(found);
    }
}

static const struct {
    const char *key;
    const char *data;
    const char *out[5]; /* SHA-1 (RFC 2202 where it has the case), 224, 256, 384, 512 */
} macs[] = {
    { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
      { "b617318655057264e28bc0b6fb378c8ef146be00",
        "896fb1128abbdf196832107cd49df33f47b4b1169912ba4f53684b22",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        "afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8"
        "b2fa9cb6",
        "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274e"
        "aea3f4e4be9d914eeb61f1702e696c203a126854" } },
    { "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
      { "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
        "a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ec"
        "fab21649",
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65"
        "f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" } },
};

static const CK_MECHANISM_TYPE mac_types[5] = { CKM_SHA_1_HMAC, CKM_SHA224_HMAC, CKM_SHA256_HMAC,
                                                CKM_SHA384_HMAC, CKM_SHA512_HMAC };

static void
macs_agree_with_the_rfcs(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(macs); i++) {
        struct algo_key *key = secret_key(KIND_GENERIC, hex(macs[i].key));

        for (size_t j = 0; j < ARRAY_COUNT(mac_types); j++) {
            const struct mechanism m = plain_mechanism(mac_types[j]);
            view data = hex(macs[i].data);
            view mac = hex(macs[i].out[j]);
            uint8_t wrong[64];

            assert_known(&m, CKF_SIGN, key, data, mac);
            assert_int_equal(run_once(&m, CKF_VERIFY, key, data, mac, &(struct writer){ 0 }),
                             CKR_OK);
            memcpy(wrong, mac.data, mac.len);
            wrong[mac.len - 1] ^= 1;
            assert_refused(&m, CKF_VERIFY, key, data, view_of(wrong, mac.len),
                           CKR_SIGNATURE_INVALID);
            assert_refused(&m, CKF_VERIFY, key, data, view_slice(mac, 0, mac.len - 1),
                           CKR_SIGNATURE_LEN_RANGE);
        }
        algo_key_free(key);
    }
}

/*
 * The first case of RFC 4231 with the hashes that came later, from an implementation of RFC 2104
 * over the digests of FIPS 180-4 and FIPS 202 that shares nothing with the library's HMAC.
 */
static const struct {
    CK_MECHANISM_TYPE type;
    const char *out;
} later_macs[] = {
    { CKM_SHA3_224_HMAC,
      "3b16546bbc7be2706a031dcafd56373d9884367641d8c59af3c860f7" },
    { CKM_SHA3_256_HMAC,
      "ba85192310dffa96e2a3a40e69774351140bb7185e1202cdcc917589f95e16bb" },
    { CKM_SHA3_384_HMAC,
      "68d2dcf7fd4ddd0a2240c8a437305f61fb7334cfb5d0226e1bc27dc10a2e723a20d370b47743130e26ac7e"
      "3d532886bd" },
    { CKM_SHA3_512_HMAC,
      "eb3fbd4b2eaab8f5c504bd3a41465aacec15770a7cabac531e482f860b5ec7ba47ccb2c6f2afce8f88d22b"
      "6dc61380f23a668fd3888bb80537c0a0b86407689e" },
    { CKM_SHA512_224_HMAC,
      "b244ba01307c0e7a8ccaad13b1067a4cf6b961fe0c6a20bda3d92039" },
    { CKM_SHA512_256_HMAC,
      "9f9126c3d9c3c330d760425ca8a217e31feae31bfe70196ff81642b868402eab" },
};

static void
later_hashes_make_macs(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex(macs[0].key));

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(later_macs); i++) {
        const struct mechanism m = plain_mechanism(later_macs[i].type);
        view mac = hex(later_macs[i].out);

        assert_runs(&m, CKF_SIGN, key, hex(macs[0].data), mac);
        assert_refused(&m, CKF_VERIFY, key, hex(macs[1].data), mac, CKR_SIGNATURE_INVALID);
    }
    algo_key_free(key);
}

/* RFC 2202, 2. */
static void
md5_makes_macs(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_MD5_HMAC);
    struct algo_key *key = secret_key(KIND_GENERIC, VIEW_TEXT("Jefe"));

    UNUSED(state);
    assert_known(&m, CKF_SIGN, key, VIEW_TEXT("what do ya want for nothing?"),
                hex("750c783e6ab0b503eaa86e310a5db738"));
    algo_key_free(key);
    key = secret_key(KIND_GENERIC, hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b"));
    assert_known(&m, CKF_SIGN, key, VIEW_TEXT("Hi There"), hex("9294727a3638bb1c13f48ef8158bfc9d"));
    algo_key_free(key);
}

static struct mechanism
cut_to(CK_MECHANISM_TYPE type, uint32_t len)
{
    struct mechanism m = plain_mechanism(type);

    m.params.number.number = len;
    return m;
}

/* The fifth case of RFC 4231 and of RFC 2202 (there with 96 bits). */
static void
short_macs_agree_with_the_rfcs(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        const char *out;
    } cases[] = {
        { CKM_SHA_1_HMAC_GENERAL, "4c1a03424b55e07fe7f27be1" },
        { CKM_SHA224_HMAC_GENERAL, "0e2aea68a90c8d37c988bcdb9fca6fa8" },
        { CKM_SHA256_HMAC_GENERAL, "a3b6167473100ee06e0c796c2955552b" },
        { CKM_SHA384_HMAC_GENERAL, "3abf34c3503b2a23a46efc619baef897" },
        { CKM_SHA512_HMAC_GENERAL, "415fad6271580a531d4179bc891d87a6" },
    };
    struct algo_key *key =
        secret_key(KIND_GENERIC, hex("0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c"));

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        view mac = hex(cases[i].out);
        const struct mechanism m = cut_to(cases[i].type, (uint32_t)mac.len);

        assert_known(&m, CKF_SIGN, key, VIEW_TEXT("Test With Truncation"), mac);
    }
    algo_key_free(key);
}

/* Each HMAC that may be cut, to each length: the start of the whole one, and nothing else. */
static void
a_short_mac_is_the_start_of_the_whole(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex(macs[0].key));
    view data = hex(macs[0].data), other = hex(macs[1].data);
    size_t count = 0, tried = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        const struct mechanism_row *row = &rows[i];
        struct mechanism m = { .type = (uint32_t)(row->type - 1) };
        struct writer whole, none = { 0 };

        if (row->driver != DRIVER_hmac || row->out != OUT_mac) {
            continue;
        }
        assert_non_null(mechanism_row(m.type)); /* the whole one has the number before */
        assert_int_equal(mechanism_row(m.type)->hash, row->hash);
        writer_init(&whole, OUT_MAX);
        assert_int_equal(run_once(&m, CKF_SIGN, key, data, VIEW_EMPTY, &whole), CKR_OK);
        for (uint32_t len = 1; len <= whole.len; len++) {
            view mac = view_slice(writer_view(&whole), 0, len);

            m = cut_to(row->type, len);
            assert_int_equal(params_check(standard, row, CKF_SIGN, NULL, &m), CKR_OK);
            assert_int_equal(params_tag_len(&m), len);
            assert_runs(&m, CKF_SIGN, key, data, mac);
            assert_int_equal(run_once(&m, CKF_VERIFY, key, data, mac, &none), CKR_OK);
            assert_refused(&m, CKF_VERIFY, key, data, view_slice(mac, 0, len - 1),
                           CKR_SIGNATURE_LEN_RANGE);
            assert_refused(&m, CKF_VERIFY, key, other, mac, CKR_SIGNATURE_INVALID);
        }
        for (uint32_t wrong = 0; wrong < 2; wrong++) {
            m = cut_to(row->type, wrong == 0 ? 0 : (uint32_t)whole.len + 1);
            assert_int_equal(params_check(standard, row, CKF_SIGN, NULL, &m),
                             CKR_MECHANISM_PARAM_INVALID);
            assert_refused(&m, CKF_SIGN, key, data, VIEW_EMPTY, CKR_MECHANISM_PARAM_INVALID);
        }
        writer_clear(&whole);
        tried++;
    }
    assert_int_equal(tried, 12);
    algo_key_free(key);
}

static void
every_mac_row_has_a_vector(void **state)
{
    size_t count = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        bool found = rows[i].driver != DRIVER_hmac || rows[i].out == OUT_mac ||
                     rows[i].hash == HASH_MD5; /* the tests above have those */

        for (size_t j = 0; j < ARRAY_COUNT(mac_types); j++) {
            found = found || mac_types[j] == rows[i].type;
        }
        for (size_t j = 0; j < ARRAY_COUNT(later_macs); j++) {
            found = found || later_macs[j].type == rows[i].type;
        }
        assert_true(found);
    }
}

/* The kept context starts from the key each time, also after a run that was given up. */
static void
mac_is_the_same_again(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex(macs[0].key));
    const struct mechanism m = plain_mechanism(CKM_SHA256_HMAC);
    struct algo_op *op = NULL;

    UNUSED(state);
    for (int i = 0; i < 3; i++) {
        struct writer none = { 0 };

        assert_int_equal(algo_start(standard, mechanism_row(m.type), CKF_SIGN, &m, key, &op),
                         CKR_OK);
        assert_int_equal(algo_update(op, VIEW_TEXT("given up"), &none), CKR_OK);
        algo_op_free(op);
        assert_runs(&m, CKF_SIGN, key, hex(macs[0].data), hex(macs[0].out[2]));
    }
    algo_key_free(key);
}

static void
wrong_kind_of_key_is_refused(void **state)
{
    struct algo_key *aes = secret_key(KIND_AES, hex("000102030405060708090a0b0c0d0e0f"));
    const struct mechanism mac = plain_mechanism(CKM_SHA256_HMAC);
    const struct mechanism digest = plain_mechanism(CKM_SHA256);

    UNUSED(state);
    assert_refused(&mac, CKF_SIGN, aes, VIEW_EMPTY, VIEW_EMPTY, CKR_KEY_TYPE_INCONSISTENT);
    assert_refused(&mac, CKF_SIGN, NULL, VIEW_EMPTY, VIEW_EMPTY, CKR_KEY_TYPE_INCONSISTENT);
    assert_refused(&digest, CKF_DIGEST, aes, VIEW_EMPTY, VIEW_EMPTY, CKR_KEY_TYPE_INCONSISTENT);
    algo_key_free(aes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_agree_with_fips_180),
        cmocka_unit_test(every_digest_row_has_a_vector),
        cmocka_unit_test(macs_agree_with_the_rfcs),
        cmocka_unit_test(later_hashes_make_macs),
        cmocka_unit_test(md5_makes_macs),
        cmocka_unit_test(short_macs_agree_with_the_rfcs),
        cmocka_unit_test(a_short_mac_is_the_start_of_the_whole),
        cmocka_unit_test(every_mac_row_has_a_vector),
        cmocka_unit_test(mac_is_the_same_again),
        cmocka_unit_test(wrong_kind_of_key_is_refused),
    };

    return RUN_GROUP("digest", tests, 1);
}
