/* SPDX-License-Identifier: Apache-2.0
 *
 * Strong primes: what FIPS 186-4, B.3.6 says of them is asked of those that are made.
 */
#include "pair_fixture.h"

#include "crypto/key.h"
#include "crypto/rsa_strong.h"

#define TRIES 3

static BN_CTX *ctx;

static BIGNUM *
number_of(unsigned long word)
{
    BIGNUM *number = BN_new();

    assert_int_equal(BN_set_word(number, word), 1);
    return number;
}

/* (number + add) mod divisor == 0 */
static bool
divides(const BIGNUM *divisor, const BIGNUM *number, int add)
{
    BIGNUM *x = BN_dup(number);
    bool zero;

    assert_int_equal(add > 0 ? BN_add_word(x, 1) : BN_sub_word(x, 1), 1);
    assert_int_equal(BN_nnmod(x, x, divisor, ctx), 1);
    zero = BN_is_zero(x);
    BN_free(x);
    return zero;
}

static void
assert_apart(const BIGNUM *a, const BIGNUM *b, int bits)
{
    BIGNUM *difference = BN_new();

    assert_int_equal(BN_sub(difference, a, b), 1);
    assert_true(BN_num_bits(difference) > bits - 100);
    BN_free(difference);
}

static void
assert_strong(const struct rsa_strong *p, const BIGNUM *e, int bits)
{
    BIGNUM *square = BN_new(), *common = BN_new(), *less = BN_dup(p->prime);

    assert_int_equal(BN_num_bits(p->prime), bits / 2);
    assert_int_equal(BN_check_prime(p->prime, ctx, NULL), 1);
    assert_true(BN_cmp(p->prime, p->start) >= 0);
    /* Above the square root of 2^(bits - 1). */
    assert_int_equal(BN_sqr(square, p->prime, ctx), 1);
    assert_int_equal(BN_num_bits(square), bits);
    assert_int_equal(BN_check_prime(p->below, ctx, NULL), 1);
    assert_int_equal(BN_check_prime(p->above, ctx, NULL), 1);
    assert_true(BN_num_bits(p->below) >= rsa_strong_aux_bits(bits));
    assert_true(BN_num_bits(p->above) >= rsa_strong_aux_bits(bits));
    assert_true(divides(p->below, p->prime, -1));
    assert_true(divides(p->above, p->prime, 1));
    assert_int_equal(BN_sub_word(less, 1), 1);
    assert_int_equal(BN_gcd(common, less, e, ctx), 1);
    assert_true(BN_is_one(common));
    BN_free(square);
    BN_free(common);
    BN_free(less);
}

static void
primes_are_strong(void **state)
{
    static const int sizes[] = { 1024, 1280, 2048 };

    UNUSED(state);
    for (size_t i = 0; i < TRIES * ARRAY_COUNT(sizes); i++) {
        const int bits = sizes[i / TRIES];
        BIGNUM *e = number_of(i % TRIES == 0 ? 3 : 65537);
        struct rsa_strong p, q;

        assert_true(rsa_strong_prime(bits, e, NULL, ctx, &p));
        assert_true(rsa_strong_prime(bits, e, &p, ctx, &q));
        assert_strong(&p, e, bits);
        assert_strong(&q, e, bits);
        assert_apart(p.prime, q.prime, bits / 2);
        assert_apart(p.start, q.start, bits / 2);
        rsa_strong_clear(&p);
        rsa_strong_clear(&q);
        BN_free(e);
    }
}

/* By hand, from the tables of the standards. */
static void
auxiliary_primes_grow_with_the_modulus(void **state)
{
    UNUSED(state);
    assert_int_equal(rsa_strong_aux_bits(1024), 101);
    assert_int_equal(rsa_strong_aux_bits(1792), 101);
    assert_int_equal(rsa_strong_aux_bits(2048), 141);
    assert_int_equal(rsa_strong_aux_bits(3072), 171);
    assert_int_equal(rsa_strong_aux_bits(4096), 201);
}

static void
pairs_sign_and_have_all_their_parts(void **state)
{
    static const char *const exponents[] = { "03", "010001", "0100000001" };
    const struct mechanism m = plain_mechanism(CKM_SHA256_RSA_PKCS);

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(exponents); i++) {
        struct writer template, out;
        struct pair pair;

        writer_init(&template, 1000);
        writer_init(&out, 1000);
        attribute_write_ulong(&template, CKA_MODULUS_BITS, 1024);
        attribute_write(&template, CKA_PUBLIC_EXPONENT, hex(exponents[i]));
        assert_int_equal(pair_generate(standard, CKM_RSA_X9_31_KEY_PAIR_GEN,
                                       writer_view(&template), &pair), CKR_OK);
        pair_parse(&pair, KIND_RSA_PUBLIC, KIND_RSA_PRIVATE);
        assert_int_equal(pair.public->len, 128);
        assert_int_equal(list_value(writer_view(&pair.public_part), CKA_MODULUS).len, 128);
        assert_int_equal(attributes_count(writer_view(&pair.secrets)), 6);
        assert_int_equal(run_once(&m, CKF_SIGN, pair.private, VIEW_TEXT("data"), VIEW_EMPTY, &out),
                         CKR_OK);
        assert_int_equal(run_once(&m, CKF_VERIFY, pair.public, VIEW_TEXT("data"),
                                  writer_view(&out), &out), CKR_OK);
        pair_clear(&pair);
        writer_clear(&template);
        writer_clear(&out);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(primes_are_strong),
        cmocka_unit_test(auxiliary_primes_grow_with_the_modulus),
        cmocka_unit_test(pairs_sign_and_have_all_their_parts),
    };
    int failed;

    ctx = BN_CTX_new();
    failed = cmocka_run_group_tests_name("rsa_strong", tests, NULL, NULL);
    BN_CTX_free(ctx);
    return failed;
}
