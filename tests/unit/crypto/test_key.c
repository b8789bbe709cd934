/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys: what is parsed, what is refused with which code, and what the HSM adds by itself.
 */
#include "pair_fixture.h"

/* One pair of each family for all tests; making them takes longer than using them. */
static struct pair rsa;
static struct pair ec;
#define P256 (curve_by_tool_id(2))

static int
setup(void **state)
{
    UNUSED(state);
    rsa_pair(&rsa, 1024);
    return ec_pair(&ec, P256) ? 0 : -1;
}

static int
teardown(void **state)
{
    UNUSED(state);
    pair_clear(&rsa);
    pair_clear(&ec);
    return 0;
}

static view
rsa_attributes(void)
{
    return writer_view(&rsa.private_part);
}

static view
rsa_secrets(void)
{
    return writer_view(&rsa.secrets);
}

/* ---- RSA ---- */

static const CK_ATTRIBUTE_TYPE crt[] = { CKA_PRIME_1, CKA_PRIME_2, CKA_EXPONENT_1, CKA_EXPONENT_2,
                                         CKA_COEFFICIENT };

/* What algo_key_made() writes when any set of CRT parts is missing: the same numbers again. */
static void
missing_crt_parts_are_recovered(void **state)
{
    UNUSED(state);
    for (unsigned missing = 0; missing < 1u << ARRAY_COUNT(crt); missing++) {
        bool primes = (missing & 3) != 3;
        struct algo_key *key = NULL;
        struct writer made, secrets;

        if (!primes && missing != (1u << ARRAY_COUNT(crt)) - 1) {
            continue; /* exponents of primes that are not named: which is whose? */
        }
        writer_init(&made, ATTRIBUTES_BYTES_MAX);
        writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
        attribute_write(&secrets, CKA_PRIVATE_EXPONENT,
                        list_value(rsa_secrets(), CKA_PRIVATE_EXPONENT));
        for (size_t i = 0; i < ARRAY_COUNT(crt); i++) {
            if ((missing >> i & 1) == 0) {
                attribute_write(&secrets, crt[i], list_value(rsa_secrets(), crt[i]));
            }
        }
        assert_int_equal(algo_key_new(KIND_RSA_PRIVATE, rsa_attributes(), writer_view(&secrets),
                                      &key), CKR_OK);
        assert_int_equal(algo_key_made(KIND_RSA_PRIVATE, key, rsa_attributes(), &made, &secrets),
                         CKR_OK);
        assert_int_equal(attributes_count(writer_view(&secrets)), 1 + ARRAY_COUNT(crt));
        if (primes) {
            for (size_t i = 0; i < ARRAY_COUNT(crt); i++) {
                assert_view(list_value(writer_view(&secrets), crt[i]),
                            list_value(rsa_secrets(), crt[i]));
            }
        }
        assert_int_equal(parse(KIND_RSA_PRIVATE, rsa_attributes(), writer_view(&secrets)), CKR_OK);
        algo_key_free(key);
        writer_clear(&made);
        writer_clear(&secrets);
    }
}

static void
rsa_numbers_that_do_not_fit_are_refused(void **state)
{
    static const CK_ATTRIBUTE_TYPE numbers[] = { CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
                                                 CKA_EXPONENT_1, CKA_EXPONENT_2,
                                                 CKA_COEFFICIENT };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++) {
        view value = list_value(rsa_secrets(), numbers[i]);
        uint8_t changed[200];

        memcpy(changed, value.data, value.len);
        for (size_t at = 0; at < value.len; at += 21) {
            changed[at] ^= 4;
            assert_int_equal(parse(KIND_RSA_PRIVATE, rsa_attributes(),
                                   list_change(rsa_secrets(), numbers[i],
                                               view_of(changed, value.len))),
                             CKR_ATTRIBUTE_VALUE_INVALID);
            changed[at] ^= 4;
        }
        memset(changed, 0, sizeof changed);
        assert_int_equal(parse(KIND_RSA_PRIVATE, rsa_attributes(),
                               list_change(rsa_secrets(), numbers[i], view_of(changed, 1))),
                         CKR_ATTRIBUTE_VALUE_INVALID);
        changed[0] = 1;
        assert_int_equal(parse(KIND_RSA_PRIVATE, rsa_attributes(),
                               list_change(rsa_secrets(), numbers[i], view_of(changed, 1))),
                         CKR_ATTRIBUTE_VALUE_INVALID);
    }
    assert_int_equal(parse(KIND_RSA_PRIVATE, rsa_attributes(),
                           list_change(rsa_secrets(), CKA_PRIVATE_EXPONENT, VIEW_EMPTY)),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

/* Both primes n and 1, and one prime twice, multiply to something all the same. */
static void
trivial_factors_are_refused(void **state)
{
    view n = list_value(rsa_attributes(), CKA_MODULUS);
    static const uint8_t one = 1;
    view secrets = list_change(rsa_secrets(), CKA_PRIME_1, n);

    UNUSED(state);
    secrets = list_change(secrets, CKA_PRIME_2, view_of(&one, 1));
    assert_int_equal(parse(KIND_RSA_PRIVATE, rsa_attributes(), secrets),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

static void
leading_zeros_change_nothing(void **state)
{
    uint8_t padded[200] = { 0 };
    view n = list_value(rsa_attributes(), CKA_MODULUS);
    struct algo_key *key = NULL;
    struct writer made, none = { 0 };

    UNUSED(state);
    memcpy(padded + 1, n.data, n.len);

    view list = list_change(rsa_attributes(), CKA_MODULUS, view_of(padded, n.len + 1));

    writer_init(&made, ATTRIBUTES_BYTES_MAX);
    assert_int_equal(parse(KIND_RSA_PRIVATE, list, rsa_secrets()), CKR_OK);
    assert_int_equal(algo_key_new(KIND_RSA_PUBLIC, list, VIEW_EMPTY, &key), CKR_OK);
    assert_int_equal(algo_key_made(KIND_RSA_PUBLIC, key, list, &made, &none), CKR_OK);
    assert_int_equal(load_u64(list_value(writer_view(&made), CKA_MODULUS_BITS).data), 1024);
    algo_key_free(key);
    writer_clear(&made);
}

static const struct {
    size_t bits;
    const char *exponent;
    bool odd;
    CK_RV rv;
} moduli[] = {
    { 512, "03", true, CKR_OK },
    { 504, "03", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 511, "03", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "03", true, CKR_OK },
    { 1024, "03", false, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "00", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "01", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "02", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "010000", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 1024, "0000000000010001", true, CKR_OK },
    { 1024, "ffffffffffffffffffffff", true, CKR_OK },
    { 4096, "ffffffffffffffff", true, CKR_OK },
    { 4096, "ffffffffffffffffff", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 16384, "010001", true, CKR_OK },
    { 16392, "010001", true, CKR_ATTRIBUTE_VALUE_INVALID },
    { 32768, "010001", true, CKR_ATTRIBUTE_VALUE_INVALID },
};

static void
public_numbers_have_their_limits(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(moduli); i++) {
        size_t len = (moduli[i].bits + 7) / 8;
        uint8_t n[4096];
        struct writer list;

        memset(n, 0xff, sizeof n);
        n[0] = (uint8_t)(0xff >> (8 * len - moduli[i].bits));
        n[len - 1] = moduli[i].odd ? 0xff : 0xfe;
        writer_init(&list, ATTRIBUTES_BYTES_MAX);
        attribute_write(&list, CKA_MODULUS, view_of(n, len));
        attribute_write(&list, CKA_PUBLIC_EXPONENT, hex(moduli[i].exponent));
        assert_int_equal(parse(KIND_RSA_PUBLIC, writer_view(&list), VIEW_EMPTY), moduli[i].rv);
        writer_clear(&list);
    }
    assert_int_equal(parse(KIND_RSA_PUBLIC, VIEW_EMPTY, VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
}

/* ---- EC ---- */

static const struct {
    const char *what;
    const char *der;
    CK_RV rv;
} params[] = {
    { "sect163k1", "06052b81040001", CKR_CURVE_NOT_SUPPORTED },
    { "P-256 by name", "1305502d323536", CKR_CURVE_NOT_SUPPORTED },
    { "implicit", "0500", CKR_DOMAIN_PARAMS_INVALID },
    { "explicit", "3003020101", CKR_DOMAIN_PARAMS_INVALID },
    { "nothing", "", CKR_DOMAIN_PARAMS_INVALID },
    { "a tag alone", "06", CKR_DOMAIN_PARAMS_INVALID },
    { "an empty OID", "0600", CKR_DOMAIN_PARAMS_INVALID },
    { "cut off", "06082a8648ce3d0301", CKR_DOMAIN_PARAMS_INVALID },
    { "something behind", "06082a8648ce3d03010700", CKR_DOMAIN_PARAMS_INVALID },
    { "an arc without end", "06032a8686", CKR_DOMAIN_PARAMS_INVALID },
    { "an arc with a leading zero", "06042a808601", CKR_DOMAIN_PARAMS_INVALID },
    { "a long form of a short length", "0681082a8648ce3d030107", CKR_DOMAIN_PARAMS_INVALID },
};

static void
curves_are_known_or_named_or_wrong(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(params); i++) {
        view list = list_change(writer_view(&ec.public_part), CKA_EC_PARAMS, hex(params[i].der));
        struct pair none;

        print_message("%s\n", params[i].what);
        assert_int_equal(parse(KIND_EC_PUBLIC, list, VIEW_EMPTY), params[i].rv);
        assert_int_equal(parse(KIND_EC_PRIVATE, list, writer_view(&ec.secrets)), params[i].rv);
        assert_int_equal(pair_generate(standard, CKM_EC_KEY_PAIR_GEN, list, &none), params[i].rv);
        pair_clear(&none);
    }
}

static void
points_are_on_their_curve(void **state)
{
    view public = writer_view(&ec.public_part);
    view der = list_value(public, CKA_EC_POINT);
    uint8_t changed[80];

    UNUSED(state);
    assert_int_equal(der.len, 67);
    /* Bare, as many tools hand it over. */
    assert_int_equal(parse(KIND_EC_PUBLIC,
                           list_change(public, CKA_EC_POINT, view_slice(der, 2, 65)), VIEW_EMPTY),
                     CKR_OK);
    for (size_t at = 0; at < der.len; at++) {
        memcpy(changed, der.data, der.len);
        changed[at] ^= 1;
        assert_int_equal(parse(KIND_EC_PUBLIC,
                               list_change(public, CKA_EC_POINT, view_of(changed, der.len)),
                               VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
    }
    for (size_t len = 0; len < der.len; len++) {
        assert_int_equal(parse(KIND_EC_PUBLIC,
                               list_change(public, CKA_EC_POINT, view_of(der.data, len)),
                               VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
    }
    /* Compressed, bare and not; no such x; a form that is none; at infinity; coordinates of 0. */
    memcpy(changed + 2, der.data + 2, 33);
    changed[0] = 4;
    changed[1] = 33;
    changed[2] = (uint8_t)(2 + (der.data[66] & 1));
    assert_int_equal(parse(KIND_EC_PUBLIC, list_change(public, CKA_EC_POINT, view_of(changed, 35)),
                           VIEW_EMPTY), CKR_OK);
    assert_int_equal(parse(KIND_EC_PUBLIC,
                           list_change(public, CKA_EC_POINT, view_of(changed + 2, 33)),
                           VIEW_EMPTY), CKR_OK);
    changed[2] = 6;
    assert_int_equal(parse(KIND_EC_PUBLIC,
                           list_change(public, CKA_EC_POINT, view_of(changed + 2, 33)),
                           VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
    memset(changed, 0, sizeof changed);
    changed[0] = 2;
    changed[32] = 1;
    assert_int_equal(parse(KIND_EC_PUBLIC, list_change(public, CKA_EC_POINT, view_of(changed, 33)),
                           VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
    assert_int_equal(parse(KIND_EC_PUBLIC, list_change(public, CKA_EC_POINT, hex("040100")),
                           VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
    memset(changed, 0, sizeof changed);
    changed[0] = 4;
    assert_int_equal(parse(KIND_EC_PUBLIC, list_change(public, CKA_EC_POINT, view_of(changed, 65)),
                           VIEW_EMPTY), CKR_ATTRIBUTE_VALUE_INVALID);
}

#define ORDER "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
#define ORDER_LESS_ONE "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550"

static const struct {
    const char *value;
    CK_RV rv;
} scalars[] = {
    { "", CKR_ATTRIBUTE_VALUE_INVALID },       { "00", CKR_ATTRIBUTE_VALUE_INVALID },
    { "01", CKR_OK },                          { "000001", CKR_OK },
    { ORDER_LESS_ONE, CKR_OK },                { "00" ORDER_LESS_ONE, CKR_OK },
    { ORDER, CKR_ATTRIBUTE_VALUE_INVALID },    { "01" ORDER, CKR_ATTRIBUTE_VALUE_INVALID },
};

static void
scalars_are_between_one_and_the_order(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(scalars); i++) {
        struct writer secrets;

        writer_init(&secrets, 1000);
        attribute_write(&secrets, CKA_VALUE, hex(scalars[i].value));
        assert_int_equal(parse(KIND_EC_PRIVATE, writer_view(&ec.private_part),
                               writer_view(&secrets)), scalars[i].rv);
        writer_clear(&secrets);
    }
    assert_int_equal(parse(KIND_EC_PRIVATE, writer_view(&ec.private_part), VIEW_EMPTY),
                     CKR_ATTRIBUTE_VALUE_INVALID);
}

/* ---- secret keys ---- */

static void
aes_keys_have_three_lengths(void **state)
{
    static const uint8_t bytes[64] = { 1 };

    UNUSED(state);
    for (size_t len = 0; len <= sizeof bytes; len++) {
        bool good = len == 16 || len == 24 || len == 32;
        struct writer secrets;

        writer_init(&secrets, 1000);
        attribute_write(&secrets, CKA_VALUE, view_of(bytes, len));
        assert_int_equal(parse(KIND_AES, VIEW_EMPTY, writer_view(&secrets)),
                         good ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        assert_int_equal(parse(KIND_GENERIC, VIEW_EMPTY, writer_view(&secrets)),
                         len > 0 ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
        writer_clear(&secrets);
    }
}

static bool
fill_counting(void *arg, void *bytes, size_t len)
{
    unsigned *calls = arg;

    memset(bytes, 0x77, len);
    return (*calls)++ == 0;
}

static const struct {
    CK_MECHANISM_TYPE type;
    uint64_t len;
    CK_RV rv;
} lengths[] = {
    { CKM_AES_KEY_GEN, 16, CKR_OK },
    { CKM_AES_KEY_GEN, 24, CKR_OK },
    { CKM_AES_KEY_GEN, 32, CKR_OK },
    { CKM_AES_KEY_GEN, 0, CKR_ATTRIBUTE_VALUE_INVALID },
    { CKM_AES_KEY_GEN, 20, CKR_ATTRIBUTE_VALUE_INVALID },
    { CKM_AES_KEY_GEN, 128, CKR_ATTRIBUTE_VALUE_INVALID },
    { CKM_GENERIC_SECRET_KEY_GEN, 0, CKR_ATTRIBUTE_VALUE_INVALID },
    { CKM_GENERIC_SECRET_KEY_GEN, 1, CKR_OK },
    { CKM_GENERIC_SECRET_KEY_GEN, 3072, CKR_OK },
    { CKM_GENERIC_SECRET_KEY_GEN, 3073, CKR_ATTRIBUTE_VALUE_INVALID },
    { CKM_GENERIC_SECRET_KEY_GEN, UINT64_MAX, CKR_ATTRIBUTE_VALUE_INVALID },
};

static void
secret_keys_come_from_the_source(void **state)
{
    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        unsigned calls = 0;
        const struct algo_source source = { fill_counting, &calls };
        struct writer template, none, secrets;

        writer_init(&template, 100);
        writer_init(&none, 0);
        writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
        attribute_write_ulong(&template, CKA_VALUE_LEN, lengths[i].len);
        assert_int_equal(algo_generate(standard, mechanism_row(lengths[i].type),
                                       writer_view(&template), source, &none, &none, &secrets),
                         lengths[i].rv);
        if (lengths[i].rv == CKR_OK) {
            view value = list_value(writer_view(&secrets), CKA_VALUE);

            assert_int_equal(value.len, lengths[i].len);
            assert_int_equal(value.data[value.len - 1], 0x77);
            /* The second time the source fails, and nothing is left. */
            writer_reset(&secrets);
            assert_int_equal(algo_generate(standard, mechanism_row(lengths[i].type),
                                           writer_view(&template), source, &none, &none,
                                           &secrets), CKR_FUNCTION_FAILED);
        }
        assert_int_equal(secrets.len, 0);
        assert_int_equal(algo_generate(standard, mechanism_row(lengths[i].type), VIEW_EMPTY,
                                       source, &none, &none, &secrets), CKR_TEMPLATE_INCOMPLETE);
        writer_clear(&template);
        writer_clear(&secrets);
    }
}

/* ---- what is made ---- */

static CK_RV
made(enum object_kind kind, const struct algo_key *key, view given, struct writer *out)
{
    struct writer secrets;
    CK_RV rv;

    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    writer_init(out, ATTRIBUTES_BYTES_MAX);
    rv = algo_key_made(kind, key, given, out, &secrets);
    writer_clear(&secrets);
    return rv;
}

/* Given nothing it is written, given right it is left alone, given wrong it is refused. */
static void
assert_made(enum object_kind kind, const struct algo_key *key, view given, CK_ATTRIBUTE_TYPE type,
            view expected, bool may_be_empty)
{
    uint8_t wrong[512];
    struct writer out;
    view none;

    assert_int_equal(made(kind, key, list_change(given, type, VIEW_EMPTY), &out), CKR_OK);
    assert_view(list_value(writer_view(&out), type), expected);
    writer_clear(&out);
    assert_int_equal(made(kind, key, list_change(given, type, expected), &out), CKR_OK);
    assert_false(attributes_find(writer_view(&out), type, &none));
    writer_clear(&out);
    memcpy(wrong, expected.data, expected.len);
    wrong[0] ^= 1;
    assert_int_equal(made(kind, key, list_change(given, type, view_of(wrong, expected.len)), &out),
                     CKR_ATTRIBUTE_VALUE_INVALID);
    writer_clear(&out);
    assert_int_equal(made(kind, key, list_change(given, type, view_of(wrong, 0)), &out),
                     may_be_empty ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
    assert_false(attributes_find(writer_view(&out), type, &none));
    writer_clear(&out);
}

static view
ulong_bytes(uint8_t room[8], uint64_t number)
{
    store_u64(room, number);
    return view_of(room, 8);
}

static void
secret_keys_get_check_value_and_length(void **state)
{
    struct algo_key *aes = secret_key(KIND_AES, hex("00000000000000000000000000000000"));
    struct algo_key *generic = secret_key(KIND_GENERIC, VIEW_TEXT("abc"));
    uint8_t len[8];

    UNUSED(state);
    assert_made(KIND_AES, aes, VIEW_EMPTY, CKA_CHECK_VALUE, hex("66e94b"), true);
    assert_made(KIND_AES, aes, VIEW_EMPTY, CKA_VALUE_LEN, ulong_bytes(len, 16), false);
    assert_made(KIND_GENERIC, generic, VIEW_EMPTY, CKA_CHECK_VALUE, hex("a9993e"), true);
    assert_made(KIND_GENERIC, generic, VIEW_EMPTY, CKA_VALUE_LEN, ulong_bytes(len, 3), false);
    algo_key_free(aes);
    algo_key_free(generic);
}

static void
certificates_get_a_check_value(void **state)
{
    struct writer given;

    UNUSED(state);
    writer_init(&given, 1000);
    attribute_write(&given, CKA_VALUE, VIEW_TEXT("abc"));
    assert_made(KIND_X509, NULL, writer_view(&given), CKA_CHECK_VALUE, hex("a9993e"), true);
    writer_clear(&given);
}

static void
data_objects_get_nothing(void **state)
{
    struct writer out;

    UNUSED(state);
    assert_int_equal(made(KIND_DATA, NULL, VIEW_EMPTY, &out), CKR_OK);
    assert_int_equal(out.len, 0);
}

/* SubjectPublicKeyInfo of P-256: a head of 26 bytes, always the same, and the point. */
static void
public_key_info_is_that_of_both_halves(void **state)
{
    view point = view_slice(list_value(writer_view(&ec.public_part), CKA_EC_POINT), 2, 65);
    struct writer info;

    UNUSED(state);
    writer_init(&info, 200);
    write_raw(&info, hex("3059301306072a8648ce3d020106082a8648ce3d030107034200"));
    write_raw(&info, point);
    assert_made(KIND_EC_PUBLIC, ec.public, writer_view(&ec.public_part), CKA_PUBLIC_KEY_INFO,
                writer_view(&info), true);
    assert_made(KIND_EC_PRIVATE, ec.private, writer_view(&ec.private_part), CKA_PUBLIC_KEY_INFO,
                writer_view(&info), true);
    writer_reset(&info);
    write_raw(&info, hex("30819f300d06092a864886f70d010101050003818d0030818902818100"));
    write_raw(&info, list_value(rsa_attributes(), CKA_MODULUS));
    write_raw(&info, hex("0203010001"));
    assert_made(KIND_RSA_PUBLIC, rsa.public, writer_view(&rsa.public_part), CKA_PUBLIC_KEY_INFO,
                writer_view(&info), true);
    assert_made(KIND_RSA_PRIVATE, rsa.private, rsa_attributes(), CKA_PUBLIC_KEY_INFO,
                writer_view(&info), true);
    writer_clear(&info);
}

static void
rsa_public_keys_get_their_bits(void **state)
{
    uint8_t bits[8];

    UNUSED(state);
    assert_made(KIND_RSA_PUBLIC, rsa.public, writer_view(&rsa.public_part), CKA_MODULUS_BITS,
                ulong_bytes(bits, 1024), false);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_crt_parts_are_recovered),
        cmocka_unit_test(rsa_numbers_that_do_not_fit_are_refused),
        cmocka_unit_test(trivial_factors_are_refused),
        cmocka_unit_test(leading_zeros_change_nothing),
        cmocka_unit_test(public_numbers_have_their_limits),
        cmocka_unit_test(curves_are_known_or_named_or_wrong),
        cmocka_unit_test(points_are_on_their_curve),
        cmocka_unit_test(scalars_are_between_one_and_the_order),
        cmocka_unit_test(aes_keys_have_three_lengths),
        cmocka_unit_test(secret_keys_come_from_the_source),
        cmocka_unit_test(secret_keys_get_check_value_and_length),
        cmocka_unit_test(certificates_get_a_check_value),
        cmocka_unit_test(data_objects_get_nothing),
        cmocka_unit_test(public_key_info_is_that_of_both_halves),
        cmocka_unit_test(rsa_public_keys_get_their_bits),
    };

    return cmocka_run_group_tests_name("key", tests, setup, teardown);
}
