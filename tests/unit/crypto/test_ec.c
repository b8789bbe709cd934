/* SPDX-License-Identifier: Apache-2.0
 *
 * ECDSA on every curve and with every hash: r || s of the order's length, at once and in
 * parts, also by many threads with one key.
 */
#include "pair_fixture.h"

#include <pthread.h>

#define ORDER_LEN_MAX 66u

static size_t
order_len(const struct curve_row *curve)
{
    return (curve->bits + 7) / 8;
}

static CK_RV
verify(const struct mechanism *m, const struct algo_key *key, view data, view signature)
{
    struct writer none = { 0 };

    return run_once(m, CKF_VERIFY, key, data, signature, &none);
}

static void
assert_signs(const struct mechanism *m, const struct pair *pair, size_t len, view data)
{
    uint8_t wrong[2 * ORDER_LEN_MAX + 2] = { 0 };
    struct writer out;

    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(m, CKF_SIGN, pair->private, data, VIEW_EMPTY, &out), CKR_OK);
    assert_int_equal(out.len, 2 * len);
    assert_int_equal(verify(m, pair->public, data, writer_view(&out)), CKR_OK);
    assert_int_equal(verify(m, pair->private, data, writer_view(&out)), CKR_OK);
    memcpy(wrong, out.data, out.len);
    for (size_t n = 0; n <= 2 * len + 2; n++) {
        if (n != 2 * len) {
            assert_int_equal(verify(m, pair->public, data, view_of(wrong, n)),
                             CKR_SIGNATURE_LEN_RANGE);
        }
    }
    wrong[len] ^= 1;
    assert_int_equal(verify(m, pair->public, data, view_of(wrong, 2 * len)),
                     CKR_SIGNATURE_INVALID);
    memset(wrong, 0, sizeof wrong);
    assert_int_equal(verify(m, pair->public, data, view_of(wrong, 2 * len)),
                     CKR_SIGNATURE_INVALID);
    memset(wrong, 0xff, sizeof wrong);
    assert_int_equal(verify(m, pair->public, data, view_of(wrong, 2 * len)),
                     CKR_SIGNATURE_INVALID);
    if (mechanism_row(m->type)->multi) {
        writer_reset(&out);
        assert_int_equal(run_parts(m, CKF_SIGN, pair->private, data, 3, VIEW_EMPTY, &out),
                         CKR_OK);
        memcpy(wrong, out.data, out.len);
        assert_int_equal(run_parts(m, CKF_VERIFY, pair->public, data, 4, view_of(wrong, out.len),
                                   &out), CKR_OK);
    }
    writer_clear(&out);
}

static void
every_curve_signs_with_every_row(void **state)
{
    size_t curve_count = 0, row_count = 0;
    const struct curve_row *curves = curve_rows(&curve_count);
    const struct mechanism_row *rows = mechanism_rows(&row_count);

    UNUSED(state);
    for (size_t i = 0; i < curve_count; i++) {
        struct pair pair;

        if (!ec_pair(&pair, &curves[i])) {
            continue;
        }
        assert_int_equal(list_value(writer_view(&pair.secrets), CKA_VALUE).len,
                         order_len(&curves[i]));
        for (size_t j = 0; j < row_count; j++) {
            if (rows[j].driver == DRIVER_ec && rows[j].out == OUT_curve) {
                const struct mechanism m = plain_mechanism(rows[j].type);

                assert_signs(&m, &pair, order_len(&curves[i]), VIEW_TEXT("some data"));
                assert_signs(&m, &pair, order_len(&curves[i]), VIEW_EMPTY);
            }
        }
        pair_clear(&pair);
    }
}

/* Leading zeros of r or s come up once in 128 signatures: they stay in their places. */
static void
short_numbers_keep_their_places(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_ECDSA);
    struct pair pair;
    unsigned seen = 0;

    UNUSED(state);
    assert_true(ec_pair(&pair, curve_by_tool_id(2)));
    for (unsigned i = 0; i < 20000 && seen < 4; i++) {
        struct writer out;
        uint8_t data[4];

        store_u32(data, i);
        writer_init(&out, 100);
        assert_int_equal(run_once(&m, CKF_SIGN, pair.private, view_of(data, 4), VIEW_EMPTY, &out),
                         CKR_OK);
        if (out.data[0] == 0 || out.data[32] == 0) {
            assert_int_equal(out.len, 64);
            assert_int_equal(verify(&m, pair.public, view_of(data, 4), writer_view(&out)), CKR_OK);
            seen++;
        }
        writer_clear(&out);
    }
    assert_int_equal(seen, 4);
    pair_clear(&pair);
}

/* PKCS #11 v3.1, 6.3.12: longer data is cut to the leftmost bits of the order's length. */
static void
raw_data_is_cut_to_the_order(void **state)
{
    size_t count = 0;
    const struct curve_row *curves = curve_rows(&count);
    const struct mechanism m = plain_mechanism(CKM_ECDSA);
    uint8_t data[128], other[128];

    UNUSED(state);
    memset(data, 0x5a, sizeof data);
    for (size_t i = 0; i < count; i++) {
        size_t len = order_len(&curves[i]);
        struct writer out;
        struct pair pair;

        if (!ec_pair(&pair, &curves[i])) {
            continue;
        }
        writer_init(&out, 200);
        assert_int_equal(run_once(&m, CKF_SIGN, pair.private, view_of(data, sizeof data),
                                  VIEW_EMPTY, &out), CKR_OK);
        memcpy(other, data, sizeof data);
        memset(other + len, 0, sizeof other - len);
        /* P-521: of the last byte only the first bit counts. */
        other[len - 1] ^= (uint8_t)(curves[i].bits % 8 == 0 ? 0 : 0x7f);
        assert_int_equal(verify(&m, pair.public, view_of(other, sizeof other),
                                writer_view(&out)), CKR_OK);
        other[0] ^= 1;
        assert_int_equal(verify(&m, pair.public, view_of(other, sizeof other),
                                writer_view(&out)), CKR_SIGNATURE_INVALID);
        writer_clear(&out);
        pair_clear(&pair);
    }
}

/* The hashed mechanism is the raw one over the digest. */
static void
raw_signature_of_a_digest_is_the_hashed_one(void **state)
{
    const struct mechanism raw = plain_mechanism(CKM_ECDSA);
    const struct mechanism hashed = plain_mechanism(CKM_ECDSA_SHA256);
    uint8_t digest[32];
    struct writer out;
    struct pair pair;

    UNUSED(state);
    assert_true(ec_pair(&pair, curve_by_tool_id(2)));
    assert_true(algo_sha256(VIEW_TEXT("abc"), digest));
    writer_init(&out, 200);
    assert_int_equal(run_once(&raw, CKF_SIGN, pair.private, view_of(digest, 32), VIEW_EMPTY, &out),
                     CKR_OK);
    assert_int_equal(verify(&hashed, pair.public, VIEW_TEXT("abc"), writer_view(&out)), CKR_OK);
    writer_clear(&out);
    pair_clear(&pair);
}

/* The digests of "abc" from FIPS 202, handed to the raw mechanism. */
static void
sha3_rows_sign_the_digest_of_fips_202(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE hashed;
        const char *digest;
    } rows[] = {
        { CKM_ECDSA_SHA3_224, "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
        { CKM_ECDSA_SHA3_256, "3a985da74fe225b2045c172d6bd390bd"
                              "855f086e3e9d525b46bfe24511431532" },
        { CKM_ECDSA_SHA3_384, "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c25"
                              "96da7cf0e49be4b298d88cea927ac7f539f1edf228376d25" },
        { CKM_ECDSA_SHA3_512, "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
                              "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
    };
    const struct mechanism raw = plain_mechanism(CKM_ECDSA);
    struct writer out;
    struct pair pair;

    UNUSED(state);
    assert_true(ec_pair(&pair, curve_by_tool_id(2)));
    writer_init(&out, 200);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct mechanism hashed = plain_mechanism(rows[i].hashed);

        writer_reset(&out);
        assert_int_equal(run_once(&raw, CKF_SIGN, pair.private, hex(rows[i].digest), VIEW_EMPTY,
                                  &out), CKR_OK);
        assert_int_equal(verify(&hashed, pair.public, VIEW_TEXT("abc"), writer_view(&out)),
                         CKR_OK);
    }
    writer_clear(&out);
    pair_clear(&pair);
}

static void
signatures_are_checked_where_the_policy_says_so(void **state)
{
    const struct mechanism m = plain_mechanism(CKM_ECDSA_SHA384);
    struct writer out;
    struct pair pair;

    UNUSED(state);
    assert_true(ec_pair(&pair, curve_by_tool_id(14)));
    writer_init(&out, 200);
    assert_int_equal(algo_once(fips, mechanism_row(m.type), CKF_SIGN, &m, pair.private,
                               VIEW_TEXT("data"), VIEW_EMPTY, &out), CKR_OK);
    assert_int_equal(verify(&m, pair.public, VIEW_TEXT("data"), writer_view(&out)), CKR_OK);
    writer_clear(&out);
    pair_clear(&pair);
}

#define THREADS 8
#define ROUNDS 200

/* More threads than a key keeps contexts, and mechanisms that take turns. */
static void *
signer(void *argument)
{
    const struct pair *pair = argument;
    static const CK_MECHANISM_TYPE types[] = { CKM_ECDSA, CKM_ECDSA_SHA256, CKM_ECDSA_SHA512 };

    for (size_t i = 0; i < ROUNDS; i++) {
        const struct mechanism m = plain_mechanism(types[i % ARRAY_COUNT(types)]);
        struct writer out;
        bool good;

        writer_init(&out, 200);
        good = run_once(&m, CKF_SIGN, pair->private, VIEW_TEXT("data"), VIEW_EMPTY, &out) ==
                   CKR_OK &&
               verify(&m, pair->public, VIEW_TEXT("data"), writer_view(&out)) == CKR_OK &&
               verify(&m, pair->public, VIEW_TEXT("other"), writer_view(&out)) ==
                   CKR_SIGNATURE_INVALID;
        writer_clear(&out);
        if (!good) {
            return "a signature went wrong";
        }
    }
    return NULL;
}

static void
threads_share_a_key(void **state)
{
    pthread_t threads[THREADS];
    struct pair pair;

    UNUSED(state);
    assert_true(ec_pair(&pair, curve_by_tool_id(2)));
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, signer, &pair), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *wrong = NULL;

        assert_int_equal(pthread_join(threads[i], &wrong), 0);
        assert_null(wrong);
    }
    pair_clear(&pair);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_curve_signs_with_every_row),
        cmocka_unit_test(short_numbers_keep_their_places),
        cmocka_unit_test(raw_data_is_cut_to_the_order),
        cmocka_unit_test(raw_signature_of_a_digest_is_the_hashed_one),
        cmocka_unit_test(sha3_rows_sign_the_digest_of_fips_202),
        cmocka_unit_test(signatures_are_checked_where_the_policy_says_so),
        cmocka_unit_test(threads_share_a_key),
    };

    return cmocka_run_group_tests_name("ec", tests, NULL, NULL);
}
