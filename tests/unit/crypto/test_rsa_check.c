/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA keys that fit together and are none all the same: attacks SEC-25 at their import.
 */
#include "pair_fixture.h"

#include <openssl/bn.h>

#define BITS 1024

static BN_CTX *ctx;

struct numbers {
    BIGNUM *p, *q, *n, *d;
};

static BIGNUM *
prime_make(int bits)
{
    BIGNUM *prime = BN_new();
    BN_ULONG rest;

    do { /* e is prime to prime - 1 */
        assert_int_equal(BN_generate_prime_ex(prime, bits, 0, NULL, NULL, NULL), 1);
        rest = BN_mod_word(prime, 65537);
    } while (rest == 1);
    return prime;
}

/* Swallows p and q; gives what belongs to them as if they were primes. */
static struct numbers
numbers_of(BIGNUM *p, BIGNUM *q)
{
    struct numbers numbers = { p, q, BN_new(), BN_new() };
    BIGNUM *a = BN_dup(p), *b = BN_dup(q), *product = BN_new(), *common = BN_new();
    BIGNUM *e = BN_new();

    assert_int_equal(BN_set_word(e, 65537), 1);
    assert_int_equal(BN_mul(numbers.n, p, q, ctx), 1);
    assert_int_equal(BN_sub_word(a, 1) & BN_sub_word(b, 1), 1);
    assert_int_equal(BN_mul(product, a, b, ctx), 1);
    assert_int_equal(BN_gcd(common, a, b, ctx), 1);
    assert_int_equal(BN_div(product, NULL, product, common, ctx), 1);
    assert_non_null(BN_mod_inverse(numbers.d, e, product, ctx));
    BN_free(a);
    BN_free(b);
    BN_free(product);
    BN_free(common);
    BN_free(e);
    return numbers;
}

static void
number_write(struct writer *w, CK_ATTRIBUTE_TYPE type, const BIGNUM *number)
{
    uint8_t bytes[512];

    attribute_write(w, type, view_of(bytes, (size_t)BN_bn2bin(number, bytes)));
}

/* What the check says of a key that the parser takes. */
static CK_RV
check(enum object_kind kind, const struct numbers *numbers)
{
    struct writer attributes, secrets;
    struct algo_key *key = NULL;
    CK_RV rv;

    writer_init(&attributes, ATTRIBUTES_BYTES_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    number_write(&attributes, CKA_MODULUS, numbers->n);
    attribute_write(&attributes, CKA_PUBLIC_EXPONENT, hex("010001"));
    if (kind == KIND_RSA_PRIVATE) {
        number_write(&secrets, CKA_PRIVATE_EXPONENT, numbers->d);
        number_write(&secrets, CKA_PRIME_1, numbers->p);
        number_write(&secrets, CKA_PRIME_2, numbers->q);
    }
    assert_int_equal(algo_key_new(kind, writer_view(&attributes), writer_view(&secrets), &key),
                     CKR_OK);
    rv = algo_key_check(key);
    assert_int_equal(ERR_peek_error(), 0);
    algo_key_free(key);
    writer_clear(&attributes);
    writer_clear(&secrets);
    return rv;
}

static void
numbers_clear(struct numbers *numbers)
{
    BN_free(numbers->p);
    BN_free(numbers->q);
    BN_free(numbers->n);
    BN_free(numbers->d);
}

static void
a_good_pair_passes(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 5; i++) {
        struct numbers numbers = numbers_of(prime_make(BITS / 2), prime_make(BITS / 2));

        assert_int_equal(check(KIND_RSA_PRIVATE, &numbers), CKR_OK);
        assert_int_equal(check(KIND_RSA_PUBLIC, &numbers), CKR_OK);
        numbers_clear(&numbers);
    }
}

/* Either of the two is no prime; all that parsing asks holds nevertheless. */
static void
a_product_is_no_prime(void **state)
{
    UNUSED(state);
    for (int i = 0; i < 2; i++) {
        BIGNUM *a = prime_make(BITS / 4), *b = prime_make(BITS / 4), *product = BN_new();
        BIGNUM *prime = prime_make(BITS / 2);
        struct numbers numbers;

        assert_int_equal(BN_mul(product, a, b, ctx), 1);
        while (BN_mod_word(product, 65537) == 1) {
            BN_free(b);
            b = prime_make(BITS / 4);
            assert_int_equal(BN_mul(product, a, b, ctx), 1);
        }
        numbers = i == 0 ? numbers_of(product, prime) : numbers_of(prime, product);
        assert_int_equal(check(KIND_RSA_PRIVATE, &numbers), CKR_ATTRIBUTE_VALUE_INVALID);
        numbers_clear(&numbers);
        BN_free(a);
        BN_free(b);
    }
}

static void
close_primes_are_refused(void **state)
{
    BIGNUM *p = prime_make(BITS / 2), *q = BN_dup(p);
    struct numbers numbers;

    UNUSED(state);
    do {
        assert_int_equal(BN_add_word(q, 2), 1);
    } while (BN_check_prime(q, ctx, NULL) != 1 || BN_mod_word(q, 65537) == 1);
    numbers = numbers_of(p, q);
    assert_int_equal(check(KIND_RSA_PRIVATE, &numbers), CKR_ATTRIBUTE_VALUE_INVALID);
    numbers_clear(&numbers);
}

static void
a_prime_is_no_modulus(void **state)
{
    struct numbers numbers = { .n = prime_make(BITS) };

    UNUSED(state);
    assert_int_equal(check(KIND_RSA_PUBLIC, &numbers), CKR_ATTRIBUTE_VALUE_INVALID);
    numbers_clear(&numbers);
}

/* A power of 65537 modulo the product of the first primes, and anything times that above it. */
static void
a_modulus_with_the_mark_of_roca_is_refused(void **state)
{
    BIGNUM *product = BN_new(), *power = BN_new(), *above = BN_new();
    struct numbers numbers = { .n = BN_new() };

    UNUSED(state);
    assert_int_equal(BN_set_word(product, 2), 1);
    for (BN_ULONG i = 3; i <= 167; i += 2) {
        bool prime = true;

        for (BN_ULONG k = 3; k < i; k += 2) {
            prime = prime && i % k != 0;
        }
        assert_int_equal(!prime || BN_mul_word(product, i) == 1, 1);
    }
    assert_int_equal(BN_num_bits(product), 220); /* as published */
    assert_int_equal(BN_set_word(power, 65537), 1);
    assert_int_equal(BN_set_word(above, 12345), 1);
    assert_int_equal(BN_mod_exp(power, power, above, product, ctx), 1);
    assert_int_equal(BN_set_bit(above, BITS - 220), 1);
    assert_int_equal(BN_mul(numbers.n, above, product, ctx), 1);
    assert_int_equal(BN_add(numbers.n, numbers.n, power), 1);
    assert_int_equal(BN_check_prime(numbers.n, ctx, NULL), 0);
    assert_int_equal(check(KIND_RSA_PUBLIC, &numbers), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(BN_add_word(numbers.n, 2), 1); /* its neighbour does not have it */
    assert_int_equal(BN_check_prime(numbers.n, ctx, NULL), 0);
    assert_int_equal(check(KIND_RSA_PUBLIC, &numbers), CKR_OK);
    BN_free(product);
    BN_free(power);
    BN_free(above);
    numbers_clear(&numbers);
}

static void
other_keys_have_nothing_to_check(void **state)
{
    struct algo_key *key = secret_key(KIND_AES, hex("000102030405060708090a0b0c0d0e0f"));

    UNUSED(state);
    assert_int_equal(algo_key_check(key), CKR_OK);
    algo_key_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_pair_passes),
        cmocka_unit_test(a_product_is_no_prime),
        cmocka_unit_test(close_primes_are_refused),
        cmocka_unit_test(a_prime_is_no_modulus),
        cmocka_unit_test(a_modulus_with_the_mark_of_roca_is_refused),
        cmocka_unit_test(other_keys_have_nothing_to_check),
    };
    int failed;

    ctx = BN_CTX_new();
    failed = cmocka_run_group_tests_name("rsa_check", tests, NULL, NULL);
    BN_CTX_free(ctx);
    return failed;
}
