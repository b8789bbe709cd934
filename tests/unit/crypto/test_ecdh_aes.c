/* SPDX-License-Identifier: Apache-2.0
 *
 * ECDH and AES key wrap in one: there and back, against its two halves by themselves, and each of
 * them spoiled.
 */
#include "pair_fixture.h"

#define POINT_LEN 65u

static struct pair pair;
static uint8_t bytes[4096];

static int
setup(void **state)
{
    UNUSED(state);
    ec_pair(&pair, curve_by_tool_id(2));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 7 + 1);
    }
    return 0;
}

static int
teardown(void **state)
{
    UNUSED(state);
    pair_clear(&pair);
    return 0;
}

static struct mechanism
wrap_mechanism(uint32_t aes_bits, uint32_t kdf, view shared)
{
    struct mechanism m = plain_mechanism(CKM_ECDH_AES_KEY_WRAP);

    m.params.ecdh_aes = (struct params_ecdh_aes){ aes_bits, kdf, shared };
    return m;
}

static view
wrap(const struct mechanism *m, view in, uint8_t *room)
{
    struct writer out;
    size_t len;

    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(m, CKF_ENCRYPT, pair.public, in, VIEW_EMPTY, &out), CKR_OK);
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
    static const uint32_t kdfs[] = { CKD_NULL, CKD_SHA1_KDF, CKD_SHA256_KDF, CKD_SHA512_KDF };
    static uint8_t first[5000], second[5000];

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths) * ARRAY_COUNT(sizes) * ARRAY_COUNT(kdfs); i++) {
        const size_t len = lengths[i % ARRAY_COUNT(lengths)];
        const uint32_t kdf = kdfs[i / ARRAY_COUNT(lengths) % ARRAY_COUNT(kdfs)];
        const struct mechanism m =
            wrap_mechanism(sizes[i / ARRAY_COUNT(lengths) / ARRAY_COUNT(kdfs)], kdf,
                           kdf == CKD_NULL ? VIEW_EMPTY : VIEW_TEXT("shared"));
        view blob = wrap(&m, view_of(bytes, len), first);

        assert_int_equal(blob.len, POINT_LEN + 8 + (len + 7) / 8 * 8);
        assert_runs(&m, CKF_DECRYPT, pair.private, blob, view_of(bytes, len));
        /* Another pair each time. */
        (void)wrap(&m, view_of(bytes, len), second);
        assert_memory_not_equal(first + 1, second + 1, POINT_LEN - 1);
    }
}

/* The key is the one of CKM_ECDH1_DERIVE with the point in front. */
static void
the_halves_are_those_of_other_mechanisms(void **state)
{
    static const uint32_t kdfs[] = { CKD_NULL, CKD_SHA256_KDF };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(kdfs); i++) {
        const struct mechanism m = wrap_mechanism(192, kdfs[i], VIEW_EMPTY);
        const struct mechanism kwp = plain_mechanism(CKM_AES_KEY_WRAP_KWP);
        struct mechanism ecdh = plain_mechanism(CKM_ECDH1_DERIVE);
        struct algo_derivation d = { .row = mechanism_row(CKM_ECDH1_DERIVE),
                                     .mechanism = &ecdh,
                                     .base = pair.private,
                                     .count = 1,
                                     .lens = { 32 } };
        uint8_t room[500];
        view blob = wrap(&m, view_of(bytes, 50), room);
        struct algo_key *aes;
        struct writer out;

        writer_init(&out, OUT_MAX);
        ecdh.params.ecdh = (struct params_ecdh){ kdfs[i], VIEW_EMPTY, view_of(room, POINT_LEN) };
        assert_int_equal(algo_derive(standard, &d, &out), CKR_OK);
        aes = secret_key(KIND_AES, view_slice(writer_view(&out), 0, 24));
        assert_runs(&kwp, CKF_DECRYPT, aes, view_slice(blob, POINT_LEN, blob.len),
                    view_of(bytes, 50));
        algo_key_free(aes);
        writer_clear(&out);
    }
}

static void
every_wrong_byte_has_one_code(void **state)
{
    const struct mechanism m = wrap_mechanism(256, CKD_SHA256_KDF, VIEW_TEXT("shared"));
    const struct mechanism other = wrap_mechanism(256, CKD_SHA256_KDF, VIEW_TEXT("shares"));
    uint8_t room[500];
    view blob = wrap(&m, view_of(bytes, 33), room);
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (size_t i = 0; i < blob.len; i++) {
        room[i] ^= 0x40;
        assert_int_equal(run_once(&m, CKF_DECRYPT, pair.private, blob, VIEW_EMPTY, &out),
                         CKR_ENCRYPTED_DATA_INVALID);
        assert_int_equal(out.len, 0);
        room[i] ^= 0x40;
    }
    assert_int_equal(run_once(&other, CKF_DECRYPT, pair.private, blob, VIEW_EMPTY, &out),
                     CKR_ENCRYPTED_DATA_INVALID);
    assert_int_equal(run_once(&m, CKF_DECRYPT, pair.private, view_slice(blob, 0, POINT_LEN),
                              VIEW_EMPTY, &out),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_int_equal(run_once(&m, CKF_DECRYPT, pair.private, VIEW_EMPTY, VIEW_EMPTY, &out),
                     CKR_ENCRYPTED_DATA_LEN_RANGE);
    writer_clear(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_wrapped_comes_back),
        cmocka_unit_test(the_halves_are_those_of_other_mechanisms),
        cmocka_unit_test(every_wrong_byte_has_one_code),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
