/* SPDX-License-Identifier: Apache-2.0
 *
 * The MAC of TLS Finished messages: against the PRF of RFC 5246 and RFC 2246 built here from
 * HMACs, which are tested against their own vectors, and one recorded handshake.
 */
#include "algo_fixture.h"

#define MASTER                                                                        \
    "916abf9da55973e13614ae0a3f5d3f37b023ba129aee02cc9134338127cd7049"                \
    "781c8e19fc1eb2a7387ac06ae237344c"

static struct mechanism
mac_mechanism(uint32_t hash, uint32_t len, uint32_t side)
{
    struct mechanism m = plain_mechanism(CKM_TLS_MAC);

    m.params.tls_mac = (struct params_tls_mac){ hash, len, side };
    return m;
}

/* RFC 5246, 5: P_hash, so many bytes of it, xored onto out. */
static void
p_hash(CK_MECHANISM_TYPE hmac, view secret, view seed, uint8_t *out, size_t len)
{
    const struct mechanism m = plain_mechanism(hmac);
    struct algo_key *key = secret_key(KIND_GENERIC, secret);
    struct writer a, block, text;

    writer_init(&a, OUT_MAX);
    writer_init(&block, OUT_MAX);
    writer_init(&text, OUT_MAX);
    write_raw(&a, seed);
    for (size_t at = 0; at < len;) {
        struct writer next;

        writer_init(&next, OUT_MAX);
        assert_int_equal(run_once(&m, CKF_SIGN, key, writer_view(&a), VIEW_EMPTY, &next), CKR_OK);
        writer_clear(&a);
        a = next;
        writer_reset(&text);
        write_raw(&text, writer_view(&a));
        write_raw(&text, seed);
        writer_reset(&block);
        assert_int_equal(run_once(&m, CKF_SIGN, key, writer_view(&text), VIEW_EMPTY, &block),
                         CKR_OK);
        for (size_t i = 0; i < block.len && at < len; i++, at++) {
            out[at] ^= block.data[i];
        }
    }
    writer_clear(&a);
    writer_clear(&block);
    writer_clear(&text);
    algo_key_free(key);
}

static void
the_mac_is_the_prf_over_label_and_data(void **state)
{
    static const struct {
        uint32_t hash;
        CK_MECHANISM_TYPE hmac;
    } hashes[] = { { CKM_SHA256, CKM_SHA256_HMAC }, { CKM_SHA384, CKM_SHA384_HMAC } };
    static const uint32_t lens[] = { 12, 13, 32, 64 };
    view master = hex(MASTER), data = VIEW_TEXT("what a handshake comes to");
    struct algo_key *key = secret_key(KIND_GENERIC, master);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(hashes) * ARRAY_COUNT(lens) * 2; i++) {
        const uint32_t len = lens[i / 2 % ARRAY_COUNT(lens)];
        const uint32_t side = i % 2 == 0 ? TLS_MAC_SERVER : TLS_MAC_CLIENT;
        const size_t hash = i / (2 * ARRAY_COUNT(lens));
        const struct mechanism m = mac_mechanism(hashes[hash].hash, len, side);
        struct writer seed, none = { 0 };
        uint8_t expected[64] = { 0 };

        writer_init(&seed, OUT_MAX);
        write_raw(&seed, side == TLS_MAC_SERVER ? VIEW_TEXT("server finished")
                                                : VIEW_TEXT("client finished"));
        write_raw(&seed, data);
        p_hash(hashes[hash].hmac, master, writer_view(&seed), expected, len);
        assert_runs(&m, CKF_SIGN, key, data, view_of(expected, len));
        assert_int_equal(run_once(&m, CKF_VERIFY, key, data, view_of(expected, len), &none),
                         CKR_OK);
        assert_refused(&m, CKF_VERIFY, key, data, view_of(expected, len - 1),
                       CKR_SIGNATURE_LEN_RANGE);
        expected[0] ^= 1;
        assert_refused(&m, CKF_VERIFY, key, data, view_of(expected, len), CKR_SIGNATURE_INVALID);
        writer_clear(&seed);
    }
    algo_key_free(key);
}

/* The client's Finished of a connection of TLS 1.2 that was written down byte by byte
 * (tls12.xargs.org, which was tls12.ulfheim.net). */
static void
a_recorded_handshake_ends_with_its_mac(void **state)
{
    struct algo_key *key = secret_key(KIND_GENERIC, hex(MASTER));
    const struct mechanism m = mac_mechanism(CKM_SHA256, 12, TLS_MAC_CLIENT);

    UNUSED(state);
    assert_known(&m, CKF_SIGN, key,
                hex("061dda04b3c2217ff73bd79b9cf88a2bb6ec505404aac8722db03ef417b54cb4"),
                hex("cf919626f1360c536aaad73a"));
    algo_key_free(key);
}

/* RFC 2246, 5: each hash with its half of the secret. */
static void
the_older_prf_is_two_hashes(void **state)
{
    view master = hex(MASTER), data = VIEW_TEXT("two hashes, one after the other.....");
    const struct mechanism m = mac_mechanism(CKM_TLS_PRF, 12, TLS_MAC_CLIENT);
    struct algo_key *key = secret_key(KIND_GENERIC, master);
    uint8_t expected[12] = { 0 };
    struct writer seed;

    UNUSED(state);
    writer_init(&seed, OUT_MAX);
    write_raw(&seed, VIEW_TEXT("client finished"));
    write_raw(&seed, data);
    p_hash(CKM_MD5_HMAC, view_slice(master, 0, 24), writer_view(&seed), expected, 12);
    p_hash(CKM_SHA_1_HMAC, view_slice(master, 24, 24), writer_view(&seed), expected, 12);
    assert_runs(&m, CKF_SIGN, key, data, view_of(expected, 12));
    writer_clear(&seed);
    algo_key_free(key);
}

static void
parameters_are_what_tls_has(void **state)
{
    static const struct {
        uint32_t hash, len, side;
        bool good;
    } cases[] = {
        { CKM_SHA256, 12, 1, true },   { CKM_SHA256, 12, 2, true },   { CKM_SHA256, 12, 0, false },
        { CKM_SHA256, 12, 3, false },  { CKM_SHA256, 11, 1, false },  { CKM_SHA256, 0, 1, false },
        { CKM_SHA256, 64, 1, true },   { CKM_SHA256, 65, 1, false },  { CKM_TLS_PRF, 12, 1, true },
        { CKM_TLS_PRF, 13, 1, false }, { CKM_AES_ECB, 12, 1, false }, { 0, 12, 1, false },
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        const struct mechanism m = mac_mechanism(cases[i].hash, cases[i].len, cases[i].side);

        assert_int_equal(params_check(standard, mechanism_row(m.type), CKF_SIGN, NULL, &m),
                         cases[i].good ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
    }
}

static void
too_much_data_is_refused(void **state)
{
    static const uint8_t data[600];
    struct algo_key *key = secret_key(KIND_GENERIC, hex(MASTER));
    const struct mechanism m = mac_mechanism(CKM_SHA256, 12, TLS_MAC_SERVER);
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(&m, CKF_SIGN, key, view_of(data, 512), VIEW_EMPTY, &out), CKR_OK);
    assert_refused(&m, CKF_SIGN, key, view_of(data, 513), VIEW_EMPTY, CKR_DATA_LEN_RANGE);
    assert_int_equal(run_parts(&m, CKF_SIGN, key, view_of(data, 513), 100, VIEW_EMPTY, &out),
                     CKR_DATA_LEN_RANGE);
    writer_clear(&out);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_mac_is_the_prf_over_label_and_data),
        cmocka_unit_test(a_recorded_handshake_ends_with_its_mac),
        cmocka_unit_test(the_older_prf_is_two_hashes),
        cmocka_unit_test(parameters_are_what_tls_has),
        cmocka_unit_test(too_much_data_is_refused),
    };

    return cmocka_run_group_tests_name("tls_mac", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
