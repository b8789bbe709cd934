/* SPDX-License-Identifier: Apache-2.0
 *
 * Private RSA keys from outside: whatever way they come, their numbers are looked at once, and
 * where nobody else waits for it.
 */
#include "unit/core/core_test.h"
#include "unit/core/rsa_sample.h"

#define GOOD RSA_CREATE(RSA_MODULUS, RSA_EXPONENT)
#define BAD RSA_CREATE(RSA_BAD_MODULUS, RSA_BAD_EXPONENT), \
            BYTES(PRIME_1, RSA_BAD_PRIME_1), BYTES(PRIME_2, RSA_BAD_PRIME_2)

static void
a_good_key_works(void **state)
{
    struct fixture *f = *state;
    uint32_t private = create(&f->cu1, LIST(GOOD, SIGN_USES));
    uint32_t public = create(&f->cu1, LIST(ULONG(CLASS, CKO_PUBLIC_KEY), ULONG(KEY_TYPE, CKK_RSA),
                                           BYTES(MODULUS, RSA_MODULUS), VERIFY_USES,
                                           BYTES(PUBLIC_EXPONENT, "\x01\x00\x01")));
    uint8_t signature[128];
    view made;

    assert_ok(app_sign(&f->cu1, mechanism_plain(CKM_RSA_PKCS), private, VIEW_TEXT("data"), &made));
    assert_int_equal(made.len, sizeof signature);
    memcpy(signature, made.data, made.len);
    assert_ok(app_verify(&f->cu1, mechanism_plain(CKM_RSA_PKCS), public, VIEW_TEXT("data"),
                         view_of(signature, sizeof signature)));
}

/* Both primes fit modulus and exponent, but one is none: a signature would give them away. */
static void
a_product_in_place_of_a_prime_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t before = app_count(&f->cu1);
    struct key_info info;

    assert_code(app_create(&f->cu1, LIST(BAD, SIGN_USES), &info), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(app_create(&f->cu1, LIST(BAD, SIGN_USES, TOKEN_YES), &info),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(app_count(&f->cu1), before);
}

static void
unwrapping_looks_as_well(void **state)
{
    struct fixture *f = *state;
    struct mechanism kwp = { .type = CKM_AES_KEY_WRAP_PAD, .shape = PARAMS_wrap_iv };
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN,
                            LIST(ULONG(VALUE_LEN, 32), BOOL(ENCRYPT, true), BOOL(UNWRAP, true)));
    struct unwrap_request m = { .mechanism = kwp, .unwrapping = key, .handle = f->cu1.handle++,
                                .template = LIST(ULONG(CLASS, CKO_PRIVATE_KEY),
                                                 ULONG(KEY_TYPE, CKK_RSA), SIGN_USES) };
    struct unwrap_reply reply;
    uint8_t blob[1000];
    view out;

    assert_ok(app_encrypt(&f->cu1, kwp, key, VIEW_TEXT(RSA_BAD_INFO), &out));
    memcpy(blob, out.data, out.len);
    m.wrapped = view_of(blob, out.len);
    assert_code(app_send_unwrap(&f->cu1, &m, &reply), CKR_WRAPPED_KEY_INVALID);
}

/* A broken exponent for one prime would give the other one away with the first signature. */
static void
an_exponent_that_does_not_fit_is_refused(void **state)
{
    struct fixture *f = *state;
    struct key_info info;

    assert_code(app_create(&f->cu1, LIST(GOOD, BYTES(EXPONENT_1, "\x03")), &info),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(app_create(&f->cu1, LIST(RSA_CREATE(RSA_MODULUS, RSA_BAD_EXPONENT)), &info),
                CKR_ATTRIBUTE_VALUE_INVALID);
}

/* As primes are looked at for long, it is no loop and no thread of the store that does it. */
static void
private_rsa_keys_are_made_at_the_slow_place(void **state)
{
    static const enum hsm_place places[] = { PLACE_LOOP, PLACE_CPU, PLACE_STORE };
    struct fixture *f = *state;
    const struct object_create_request m = { f->cu1.handle++, LIST(GOOD, SIGN_USES) };
    struct writer body;
    enum hsm_place place;

    writer_init(&body, 10000);
    object_create_request_write(&body, &m);
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        assert_true(app_put_off(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&body), places[i],
                                &place));
        assert_int_equal(place, PLACE_SLOW);
    }
    assert_false(app_put_off(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&body), PLACE_SLOW,
                             &place));
    assert_ok(f->cu1.answer.code);
    writer_clear(&body);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(a_good_key_works),
        AZURE(a_good_key_works),
        STANDARD(a_product_in_place_of_a_prime_is_refused),
        AZURE(a_product_in_place_of_a_prime_is_refused),
        AZURE(unwrapping_looks_as_well),
        AZURE(an_exponent_that_does_not_fit_is_refused),
        AZURE(private_rsa_keys_are_made_at_the_slow_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
