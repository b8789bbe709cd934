/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA and AES key wrap in one: there and back, each half spoiled, and a blob that somebody made
 * to fit a wrong half.
 */
#include "pair_fixture.h"

#define K 128u

static struct pair rsa;
static uint8_t bytes[4096];

static int
setup(void **state)
{
    UNUSED(state);
    rsa_pair(&rsa, 8 * K);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + 1);
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

static struct mechanism
wrap_mechanism(uint32_t aes_bits, enum hash hash, view label)
{
    struct mechanism m = plain_mechanism(CKM_RSA_AES_KEY_WRAP);

    m.params.rsa_aes.aes_bits = aes_bits;
    m.params.rsa_aes.oaep = oaep_mechanism(hash, HASH_SHA1, label).params.oaep;
    return m;
}

static view
wrap(const struct mechanism *m, view in, uint8_t *room)
{
    struct writer out;
    size_t len;

    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(m, CKF_ENCRYPT, rsa.public, in, VIEW_EMPTY, &out), CKR_OK);
    len = out.len;
    memcpy(room, out.data, len);
    writer_clear(&out);
    return view_of(room, len);
}

static void
what_is_wrapped_comes_back(void **state)
{
    static const size_t lengths[] = { 1, 7, 8, 9, 16, 32, 1217, 4096 };
    static const uint32_t sizes[] = { 128, 192, 256 };
    static uint8_t first[5000], second[5000];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths) * ARRAY_COUNT(sizes); i++) {
        const struct mechanism m = wrap_mechanism(sizes[i / ARRAY_COUNT(lengths)], HASH_SHA256,
                                                  VIEW_TEXT("label"));
        const size_t len = lengths[i % ARRAY_COUNT(lengths)];
        view blob = wrap(&m, view_of(bytes, len), first);

        assert_int_equal(blob.len, K + 8 + (len + 7) / 8 * 8);
        assert_runs(&m, CKF_DECRYPT, rsa.private, blob, view_of(bytes, len));
        /* Another key each time: no part is as it was. */
        (void)wrap(&m, view_of(bytes, len), second);
        assert_memory_not_equal(first, second, K);
        assert_memory_not_equal(first + K, second + K, 8);
    }
}

static void
the_halves_are_those_of_other_mechanisms(void **state)
{
    const struct mechanism m = wrap_mechanism(192, HASH_SHA1, VIEW_EMPTY);
    const struct mechanism oaep = oaep_mechanism(HASH_SHA1, HASH_SHA1, VIEW_EMPTY);
    const struct mechanism kwp = plain_mechanism(CKM_AES_KEY_WRAP_KWP);
    uint8_t room[500];
    view blob = wrap(&m, view_of(bytes, 50), room);
    struct algo_key *aes;
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(&oaep, CKF_DECRYPT, rsa.private, view_slice(blob, 0, K), VIEW_EMPTY,
                              &out), CKR_OK);
    assert_int_equal(out.len, 24);
    aes = secret_key(KIND_AES, writer_view(&out));
    assert_runs(&kwp, CKF_DECRYPT, aes, view_slice(blob, K, blob.len), view_of(bytes, 50));
    algo_key_free(aes);
    writer_clear(&out);
}

static void
every_wrong_byte_has_one_code(void **state)
{
    const struct mechanism m = wrap_mechanism(256, HASH_SHA256, VIEW_EMPTY);
    uint8_t room[500];
    view blob = wrap(&m, view_of(bytes, 33), room);

    UNUSED(state);
    for (size_t i = 1; i < blob.len; i += 3) {
        room[i] ^= 0x40;
        assert_refused(&m, CKF_DECRYPT, rsa.private, blob, VIEW_EMPTY, CKR_ENCRYPTED_DATA_INVALID);
        room[i] ^= 0x40;
    }
    memset(room, 0xff, K); /* not below the modulus */
    assert_refused(&m, CKF_DECRYPT, rsa.private, blob, VIEW_EMPTY, CKR_ENCRYPTED_DATA_INVALID);
}

static void
lengths_have_their_code(void **state)
{
    const struct mechanism m = wrap_mechanism(256, HASH_SHA256, VIEW_EMPTY);
    uint8_t room[500];
    view blob = wrap(&m, view_of(bytes, 33), room);

    UNUSED(state);
    for (size_t len = 0; len < K + 16; len += len < K - 2 ? 21 : 1) {
        assert_refused(&m, CKF_DECRYPT, rsa.private, view_slice(blob, 0, len), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
    assert_refused(&m, CKF_DECRYPT, rsa.private, view_slice(blob, 0, blob.len - 1), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_refused(&m, CKF_ENCRYPT, rsa.public, VIEW_EMPTY, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
}

/* The key inside has the length that the parameter says, and the parameter's label. */
static void
parameters_are_part_of_it(void **state)
{
    const struct mechanism m = wrap_mechanism(256, HASH_SHA1, VIEW_EMPTY);
    const struct mechanism shorter = wrap_mechanism(128, HASH_SHA1, VIEW_EMPTY);
    const struct mechanism labelled = wrap_mechanism(256, HASH_SHA1, VIEW_TEXT("x"));
    const struct mechanism wrong = wrap_mechanism(0, HASH_SHA1, VIEW_EMPTY);
    uint8_t room[500];
    view blob = wrap(&m, view_of(bytes, 16), room);

    UNUSED(state);
    assert_refused(&shorter, CKF_DECRYPT, rsa.private, blob, VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_INVALID);
    assert_refused(&labelled, CKF_DECRYPT, rsa.private, blob, VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_INVALID);
    assert_refused(&wrong, CKF_DECRYPT, rsa.private, blob, VIEW_EMPTY,
                   CKR_MECHANISM_PARAM_INVALID);
}

/* The key that stands in for one that is wrong wraps what anyone likes; nothing comes of it. */
static void
the_key_that_stands_in_opens_nothing(void **state)
{
    const struct mechanism m = wrap_mechanism(256, HASH_SHA1, VIEW_EMPTY);
    const struct mechanism kwp = plain_mechanism(CKM_AES_KEY_WRAP_KWP);
    static const uint8_t zeros[32];
    struct algo_key *aes = secret_key(KIND_AES, view_of(zeros, sizeof zeros));
    uint8_t forged[K] = { 0, 1, 2, 3 };
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    write_raw(&out, view_of(forged, sizeof forged));
    assert_int_equal(run_once(&kwp, CKF_ENCRYPT, aes, view_of(bytes, 16), VIEW_EMPTY, &out),
                     CKR_OK);
    assert_refused(&m, CKF_DECRYPT, rsa.private, writer_view(&out), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_INVALID);
    algo_key_free(aes);
    writer_clear(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrapped_comes_back),
        cmocka_unit_test(the_halves_are_those_of_other_mechanisms),
        cmocka_unit_test(every_wrong_byte_has_one_code),
        cmocka_unit_test(lengths_have_their_code),
        cmocka_unit_test(parameters_are_part_of_it),
        cmocka_unit_test(the_key_that_stands_in_opens_nothing),
    };

    return cmocka_run_group_tests_name("rsa_aes", tests, setup, teardown);
}
