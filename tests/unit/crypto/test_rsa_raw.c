/* SPDX-License-Identifier: Apache-2.0
 *
 * Raw RSA: held against arithmetic done here, at the limits of every length and of the modulus.
 */
#include "pair_fixture.h"

#include <openssl/bn.h>

#define K 128u /* bytes of the modulus */

static struct pair rsa;
static uint8_t bytes[2 * K], modulus[K];
static struct mechanism raw;

static int
setup(void **state)
{
    view n;

    UNUSED(state);
    raw = plain_mechanism(CKM_RSA_X_509);
    rsa_pair(&rsa, 8 * K);
    n = list_value(writer_view(&rsa.public_part), CKA_MODULUS);
    assert_int_equal(n.len, K);
    memcpy(modulus, n.data, K);
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

/* in^exponent mod n. */
static void
power(view in, view exponent, uint8_t out[K])
{
    BIGNUM *n = BN_bin2bn(modulus, K, NULL);
    BIGNUM *x = BN_bin2bn(in.data, (int)in.len, NULL);
    BIGNUM *e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
    BN_CTX *ctx = BN_CTX_new();

    assert_int_equal(BN_mod_exp(x, x, e, n, ctx), 1);
    assert_int_equal(BN_bn2binpad(x, out, K), K);
    BN_free(n);
    BN_free(x);
    BN_free(e);
    BN_CTX_free(ctx);
}

static CK_RV
verify(view data, view signature)
{
    struct writer none = { 0 };

    return run_once(&raw, CKF_VERIFY, rsa.public, data, signature, &none);
}

/* The data as a block: zeros before it. */
static view
filled(view data, uint8_t block[K])
{
    memset(block, 0, K);
    if (data.len > 0) {
        memcpy(block + K - data.len, data.data, data.len);
    }
    return view_of(block, K);
}

static void
raw_rsa_is_nothing_but_arithmetic(void **state)
{
    static const size_t lengths[] = { 1, 2, 20, K - 11, K - 1, K };
    view e = list_value(writer_view(&rsa.public_part), CKA_PUBLIC_EXPONENT);
    view d = list_value(writer_view(&rsa.secrets), CKA_PRIVATE_EXPONENT);

    UNUSED(state);
    bytes[0] = 3; /* below any modulus, whose first bit is set */
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        view data = view_of(bytes, lengths[i]);
        uint8_t sealed[K], signature[K], block[K];

        power(data, e, sealed);
        power(data, d, signature);
        assert_runs(&raw, CKF_ENCRYPT, rsa.public, data, view_of(sealed, K));
        assert_runs(&raw, CKF_DECRYPT, rsa.private, view_of(sealed, K), filled(data, block));
        assert_runs(&raw, CKF_SIGN, rsa.private, data, view_of(signature, K));
        assert_int_equal(verify(data, view_of(signature, K)), CKR_OK);
        assert_int_equal(verify(view_of(block, K), view_of(signature, K)), CKR_OK);
        assert_int_equal(verify(view_of(bytes + 1, lengths[i]), view_of(signature, K)),
                         CKR_SIGNATURE_INVALID);
        signature[K / 2] ^= 1;
        assert_int_equal(verify(data, view_of(signature, K)), CKR_SIGNATURE_INVALID);
    }
}

static void
nothing_is_the_number_zero(void **state)
{
    static const uint8_t zeros[K];

    UNUSED(state);
    assert_runs(&raw, CKF_ENCRYPT, rsa.public, VIEW_EMPTY, view_of(zeros, K));
    assert_runs(&raw, CKF_DECRYPT, rsa.private, view_of(zeros, K), view_of(zeros, K));
    assert_runs(&raw, CKF_SIGN, rsa.private, VIEW_EMPTY, view_of(zeros, K));
    assert_int_equal(verify(VIEW_EMPTY, view_of(zeros, K)), CKR_OK);
}

static void
lengths_have_their_codes(void **state)
{
    view long_data = view_of(bytes, K + 1);

    UNUSED(state);
    assert_refused(&raw, CKF_ENCRYPT, rsa.public, long_data, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
    assert_refused(&raw, CKF_SIGN, rsa.private, long_data, VIEW_EMPTY, CKR_DATA_LEN_RANGE);
    assert_refused(&raw, CKF_DECRYPT, rsa.private, long_data, VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_refused(&raw, CKF_DECRYPT, rsa.private, view_of(bytes, K - 1), VIEW_EMPTY,
                   CKR_ENCRYPTED_DATA_LEN_RANGE);
    assert_int_equal(verify(long_data, view_of(bytes, K)), CKR_DATA_LEN_RANGE);
    assert_int_equal(verify(VIEW_EMPTY, view_of(bytes, K - 1)), CKR_SIGNATURE_LEN_RANGE);
    assert_int_equal(verify(VIEW_EMPTY, long_data), CKR_SIGNATURE_LEN_RANGE);
}

/* The modulus itself is the first number that is too big; the one before it is -1. */
static void
numbers_are_below_the_modulus(void **state)
{
    view n = view_of(modulus, K), last;
    uint8_t less[K];

    UNUSED(state);
    memcpy(less, modulus, K);
    less[K - 1]--;
    last = view_of(less, K);
    assert_runs(&raw, CKF_ENCRYPT, rsa.public, last, last);
    assert_runs(&raw, CKF_DECRYPT, rsa.private, last, last);
    assert_runs(&raw, CKF_SIGN, rsa.private, last, last);
    assert_int_equal(verify(last, last), CKR_OK);
    assert_refused(&raw, CKF_ENCRYPT, rsa.public, n, VIEW_EMPTY, CKR_DATA_INVALID);
    assert_refused(&raw, CKF_SIGN, rsa.private, n, VIEW_EMPTY, CKR_DATA_INVALID);
    assert_refused(&raw, CKF_DECRYPT, rsa.private, n, VIEW_EMPTY, CKR_ENCRYPTED_DATA_INVALID);
    assert_int_equal(verify(VIEW_EMPTY, n), CKR_SIGNATURE_INVALID);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(raw_rsa_is_nothing_but_arithmetic),
        cmocka_unit_test(nothing_is_the_number_zero),
        cmocka_unit_test(lengths_have_their_codes),
        cmocka_unit_test(numbers_are_below_the_modulus),
    };

    return cmocka_run_group_tests_name("rsa_raw", tests, setup, teardown);
}
