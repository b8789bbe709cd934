/* SPDX-License-Identifier: Apache-2.0
 *
 * ChaCha20 and ChaCha20-Poly1305: the examples of RFC 8439, the counter's end, forms of the
 * parameter, and every spoiled bit of a sealed message. test_vectors.c and test_wycheproof.c have
 * the rest.
 */
#include "algo_fixture.h"

#include "crypto/xchacha.h"

#define KEY "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SUNSCREEN                                                                         \
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the " \
    "future, sunscreen would be it."

static struct mechanism
stream(view counter, view nonce)
{
    struct mechanism m = plain_mechanism(CKM_CHACHA20);

    m.params.chacha20 = (struct params_chacha20){ counter, nonce };
    return m;
}

static struct mechanism
sealed(view nonce, view aad)
{
    struct mechanism m = plain_mechanism(CKM_CHACHA20_POLY1305);

    m.params.chacha_poly = (struct params_chacha_poly){ nonce, aad };
    return m;
}

static CK_RV
check(const struct mechanism *m)
{
    return params_check(standard, mechanism_row(m->type), CKF_ENCRYPT, NULL, m);
}

/* RFC 8439, 2.4.2. */
static void
the_stream_agrees_with_rfc_8439(void **state)
{
    struct algo_key *key = secret_key(KIND_CHACHA20, hex(KEY));
    const struct mechanism m = stream(hex("01000000"), hex("000000000000004a00000000"));
    view out = hex("6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0b"
                   "f91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c359f0861d8"
                   "07ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab7793736"
                   "5af90bbf74a35be6b40b8eedf2785e42874d");

    UNUSED(state);
    assert_int_equal(check(&m), CKR_OK);
    assert_known(&m, CKF_ENCRYPT, key, VIEW_TEXT(SUNSCREEN), out);
    assert_known(&m, CKF_DECRYPT, key, out, VIEW_TEXT(SUNSCREEN));
    algo_key_free(key);
}

/* As it was first: counter and nonce of 64 bits; with zeros above both forms are the same. */
static void
both_forms_of_counter_and_nonce_count_alike(void **state)
{
    static const uint8_t zeros[1000];
    struct algo_key *key = secret_key(KIND_CHACHA20, hex(KEY));
    const struct mechanism later = stream(hex("07000000"), hex("000000000102030405060708"));
    const struct mechanism first = stream(hex("0700000000000000"), hex("0102030405060708"));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    assert_int_equal(check(&first), CKR_OK);
    assert_int_equal(run_once(&later, CKF_ENCRYPT, key, view_of(zeros, sizeof zeros), VIEW_EMPTY,
                              &out), CKR_OK);
    assert_runs(&first, CKF_ENCRYPT, key, view_of(zeros, sizeof zeros), writer_view(&out));
    writer_clear(&out);
    algo_key_free(key);
}

/* RFC 8439, 2.4: no block number comes twice. */
static void
a_counter_of_32_bits_ends(void **state)
{
    static const uint8_t zeros[300];
    struct algo_key *key = secret_key(KIND_CHACHA20, hex(KEY));
    const struct mechanism m = stream(hex("fdffffff"), hex("000000000000004a00000000"));
    const struct mechanism wide = stream(hex("fdffffff00000000"), hex("0000004a00000000"));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    assert_int_equal(run_once(&m, CKF_ENCRYPT, key, view_of(zeros, 192), VIEW_EMPTY, &out),
                     CKR_OK);
    assert_refused(&m, CKF_ENCRYPT, key, view_of(zeros, 193), VIEW_EMPTY, CKR_DATA_LEN_RANGE);
    assert_int_equal(run_parts(&m, CKF_ENCRYPT, key, view_of(zeros, 193), 64, VIEW_EMPTY, &out),
                     CKR_DATA_LEN_RANGE);
    /* The other form goes on counting: the next block is that of a counter with its fifth byte. */
    writer_reset(&out);
    assert_int_equal(run_once(&wide, CKF_ENCRYPT, key, view_of(zeros, 256), VIEW_EMPTY, &out),
                     CKR_OK);

    const struct mechanism next = stream(hex("0000000001000000"), hex("0000004a00000000"));

    assert_runs(&next, CKF_ENCRYPT, key, view_of(zeros, 64),
                view_slice(writer_view(&out), 192, 64));
    writer_clear(&out);
    algo_key_free(key);
}

static void
other_lengths_of_counter_and_nonce_are_refused(void **state)
{
    static const uint8_t bytes[24];

    UNUSED(state);
    for (size_t counter = 0; counter <= 8; counter++) {
        for (size_t nonce = 0; nonce <= 24; nonce++) {
            const struct mechanism m = stream(view_of(bytes, counter), view_of(bytes, nonce));
            bool good = (counter == 4 && nonce == 12) ||
                        (counter == 8 && (nonce == 8 || nonce == 24));

            assert_int_equal(check(&m), good ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
        }
    }
    for (size_t nonce = 0; nonce <= 24; nonce++) {
        const struct mechanism m = sealed(view_of(bytes, nonce), VIEW_EMPTY);

        assert_int_equal(check(&m), nonce == 12 || nonce == 24 ? CKR_OK
                                                               : CKR_MECHANISM_PARAM_INVALID);
    }
}

/* PKCS #11 v3.1, 6.58 and 6.61 tell lengths in bits; many applications tell bytes. */
static void
lengths_are_told_in_bits_or_bytes(void **state)
{
    uint8_t counter[8] = { 1 }, nonce[24] = { 2 };
    CK_SALSA20_CHACHA20_POLY1305_PARAMS poly = { nonce, 96, NULL, 0 };
    CK_CHACHA20_PARAMS chacha = { counter, 32, nonce, 96 };
    CK_MECHANISM given = { CKM_CHACHA20_POLY1305, &poly, sizeof poly };
    struct mechanism m;

    UNUSED(state);
    assert_int_equal(params_take(mechanism_row(given.mechanism), &given, &m), CKR_OK);
    assert_int_equal(m.params.chacha_poly.nonce.len, 12);
    poly.ulNonceLen = 12;
    assert_int_equal(params_take(mechanism_row(given.mechanism), &given, &m), CKR_OK);
    assert_int_equal(m.params.chacha_poly.nonce.len, 12);
    poly.ulNonceLen = 200;
    assert_int_equal(params_take(mechanism_row(given.mechanism), &given, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    poly.ulNonceLen = 97;
    assert_int_equal(params_take(mechanism_row(given.mechanism), &given, &m),
                     CKR_MECHANISM_PARAM_INVALID);
    given = (CK_MECHANISM){ CKM_CHACHA20, &chacha, sizeof chacha };
    assert_int_equal(params_take(mechanism_row(given.mechanism), &given, &m), CKR_OK);
    assert_int_equal(m.params.chacha20.counter.len, 4);
    assert_int_equal(m.params.chacha20.nonce.len, 12);
    chacha.blockCounterBits = 64;
    chacha.ulNonceBits = 64;
    assert_int_equal(params_take(mechanism_row(given.mechanism), &given, &m), CKR_OK);
    assert_int_equal(m.params.chacha20.counter.len, 8);
    assert_int_equal(m.params.chacha20.nonce.len, 8);
}

/* RFC 8439, 2.8.2. */
static void
the_aead_agrees_with_rfc_8439(void **state)
{
    struct algo_key *key = secret_key(
        KIND_CHACHA20, hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
    const struct mechanism m =
        sealed(hex("070000004041424344454647"), hex("50515253c0c1c2c3c4c5c6c7"));
    view out = hex("d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
                   "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
                   "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
                   "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691");
    uint8_t spoiled[256];

    UNUSED(state);
    assert_known(&m, CKF_ENCRYPT, key, VIEW_TEXT(SUNSCREEN), out);
    assert_known(&m, CKF_DECRYPT, key, out, VIEW_TEXT(SUNSCREEN));
    for (size_t bit = 0; bit < 8 * out.len; bit++) {
        memcpy(spoiled, out.data, out.len);
        spoiled[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(&m, CKF_DECRYPT, key, view_of(spoiled, out.len), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_INVALID);
    }
    for (size_t len = 0; len < 16; len++) {
        assert_refused(&m, CKF_DECRYPT, key, view_slice(out, 0, len), VIEW_EMPTY,
                       CKR_ENCRYPTED_DATA_LEN_RANGE);
    }
    algo_key_free(key);
}

/* draft-irtf-cfrg-xchacha-03, 2.2.1. */
static void
the_key_of_a_long_nonce_agrees_with_the_draft(void **state)
{
    uint8_t out[32];

    UNUSED(state);
    assert_true(xchacha_key(hex(KEY), hex("000000090000004a0000000031415927").data, out));
    assert_view(view_of(out, sizeof out),
                hex("82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"));
}

/* The same, A.3.1. */
static void
the_aead_with_a_long_nonce_agrees_with_the_draft(void **state)
{
    struct algo_key *key = secret_key(
        KIND_CHACHA20, hex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f"));
    const struct mechanism m = sealed(hex("404142434445464748494a4b4c4d4e4f5051525354555657"),
                                      hex("50515253c0c1c2c3c4c5c6c7"));
    view out = hex("bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb"
                   "731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452"
                   "2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
                   "21f9664c97637da9768812f615c68b13b52e"
                   "c0875924c1c7987947deafd8780acf49");
    view spoiled = view_slice(out, 1, out.len);

    UNUSED(state);
    assert_known(&m, CKF_ENCRYPT, key, VIEW_TEXT(SUNSCREEN), out);
    assert_known(&m, CKF_DECRYPT, key, out, VIEW_TEXT(SUNSCREEN));
    assert_refused(&m, CKF_DECRYPT, key, spoiled, VIEW_EMPTY, CKR_ENCRYPTED_DATA_INVALID);
    algo_key_free(key);
}

/* The stream is ChaCha20's with the other key, a counter of 64 bits and the rest of the nonce;
 * and no context of one key is used with another. */
static void
the_stream_with_a_long_nonce_is_that_of_its_key(void **state)
{
    static const uint8_t zeros[200];
    struct algo_key *key = secret_key(KIND_CHACHA20, hex(KEY));
    struct writer out;

    UNUSED(state);
    writer_init(&out, OUT_MAX);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t nonce[24] = { (uint8_t)(i + 1), 2, 3 }, subkey[32];
        const struct mechanism m = stream(hex("0100000000000000"), view_of(nonce, sizeof nonce));
        const struct mechanism plain =
            stream(hex("0100000000000000"), view_of(nonce + 16, sizeof nonce - 16));
        struct algo_key *other;

        nonce[20] = 9;
        assert_true(xchacha_key(hex(KEY), nonce, subkey));
        other = secret_key(KIND_CHACHA20, view_of(subkey, sizeof subkey));
        writer_reset(&out);
        assert_int_equal(run_once(&plain, CKF_ENCRYPT, other, view_of(zeros, sizeof zeros),
                                  VIEW_EMPTY, &out), CKR_OK);
        assert_runs(&m, CKF_ENCRYPT, key, view_of(zeros, sizeof zeros), writer_view(&out));
        assert_runs(&m, CKF_DECRYPT, key, writer_view(&out), view_of(zeros, sizeof zeros));
        algo_key_free(other);
    }
    writer_clear(&out);
    algo_key_free(key);
}

static void
keys_have_32_bytes(void **state)
{
    static const uint8_t bytes[33];

    UNUSED(state);
    for (size_t len = 31; len <= 33; len++) {
        struct algo_key *key = NULL;
        struct writer secrets;

        writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
        attribute_write(&secrets, CKA_VALUE, view_of(bytes, len));
        assert_int_equal(algo_key_new(KIND_CHACHA20, VIEW_EMPTY, writer_view(&secrets), &key),
                         len == 32 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        algo_key_free(key);
        writer_clear(&secrets);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_stream_agrees_with_rfc_8439),
        cmocka_unit_test(both_forms_of_counter_and_nonce_count_alike),
        cmocka_unit_test(a_counter_of_32_bits_ends),
        cmocka_unit_test(other_lengths_of_counter_and_nonce_are_refused),
        cmocka_unit_test(lengths_are_told_in_bits_or_bytes),
        cmocka_unit_test(the_aead_agrees_with_rfc_8439),
        cmocka_unit_test(the_key_of_a_long_nonce_agrees_with_the_draft),
        cmocka_unit_test(the_aead_with_a_long_nonce_agrees_with_the_draft),
        cmocka_unit_test(the_stream_with_a_long_nonce_is_that_of_its_key),
        cmocka_unit_test(keys_have_32_bytes),
    };

    return cmocka_run_group_tests_name("chacha20", tests, GROUP_SETUP, GROUP_TEARDOWN);
}
