/* SPDX-License-Identifier: Apache-2.0
 *
 * Key generation in the three policies: every generator, every size at its limits, every
 * curve, and that a refused one leaves nothing.
 */
#include "unit/core/core_test.h"

/* The code of a generation, and that a refused one leaves nothing. */
static CK_RV
key_code(struct app *app, CK_MECHANISM_TYPE type, view template)
{
    size_t before = app_count(app);
    CK_RV rv = app_generate(app, type, template, NULL);

    assert_int_equal(app_count(app), before + (rv == CKR_OK ? 1 : 0));
    return rv;
}

static CK_RV
pair_code(struct app *app, CK_MECHANISM_TYPE type, view public_template, view private_template)
{
    size_t before = app_count(app);
    CK_RV rv = app_generate_pair(app, type, public_template, private_template, NULL, NULL);

    assert_int_equal(app_count(app), before + (rv == CKR_OK ? 2 : 0));
    return rv;
}

/* ---- secret keys ---- */

static void
aes_keys_have_16_24_or_32_bytes(void **state)
{
    struct fixture *f = *state;

    for (uint64_t len = 0; len <= 40; len++) {
        bool good = len == 16 || len == 24 || len == 32;

        assert_code(key_code(&f->cu1, CKM_AES_KEY_GEN, LIST(ULONG(VALUE_LEN, len))),
                    good ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
    }
    assert_code(key_code(&f->cu1, CKM_AES_KEY_GEN, LIST(ULONG(VALUE_LEN, UINT64_MAX))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(key_code(&f->cu1, CKM_AES_KEY_GEN, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
}

static void
generic_secrets_have_the_sizes_of_their_policy(void **state)
{
    struct fixture *f = *state;
    uint64_t max = f->hsm.policy == POLICY_STANDARD ? 3072 : 800;
    static const uint64_t refused[] = { 3073, 0x20000000, 0x2000000000000001, UINT64_MAX };

    assert_ok(key_code(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, LIST(ULONG(VALUE_LEN, 1))));
    assert_ok(key_code(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, LIST(ULONG(VALUE_LEN, max))));
    assert_code(key_code(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, LIST(ULONG(VALUE_LEN, max + 1))),
                CKR_KEY_SIZE_RANGE);
    assert_code(key_code(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, LIST(ULONG(VALUE_LEN, 0))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        assert_code(key_code(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN,
                             LIST(ULONG(VALUE_LEN, refused[i]))), CKR_KEY_SIZE_RANGE);
    }
}

static void
a_generated_key_has_its_length_and_a_value_of_its_own(void **state)
{
    struct fixture *f = *state;
    view template = LIST(ULONG(VALUE_LEN, 20), BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true));
    uint32_t one = generate(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, template);
    uint32_t two = generate(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, template);
    uint8_t value[20];
    view first = get(&f->cu1, one, CKA_VALUE);

    assert_int_equal(first.len, 20);
    memcpy(value, first.data, 20);
    assert_false(view_equal(get(&f->cu1, two, CKA_VALUE), view_of(value, 20)));
    assert_int_equal(get_ulong(&f->cu1, one, CKA_VALUE_LEN), 20);
    assert_int_equal(get_ulong(&f->cu1, one, CKA_KEY_TYPE), CKK_GENERIC_SECRET);
    assert_int_equal(get_ulong(&f->cu1, one, CKA_CLASS), CKO_SECRET_KEY);
}

static void
the_template_has_to_fit_the_generator(void **state)
{
    struct fixture *f = *state;

    assert_code(key_code(&f->cu1, CKM_AES_KEY_GEN,
                         LIST(AES_GENERATE, ULONG(KEY_TYPE, CKK_GENERIC_SECRET))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(key_code(&f->cu1, CKM_AES_KEY_GEN,
                         LIST(AES_GENERATE, ULONG(CLASS, CKO_PRIVATE_KEY))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(key_code(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, BYTES(VALUE, AES_BYTES))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(key_code(&f->cu1, CKM_AES_KEY_GEN,
                       LIST(AES_GENERATE, ULONG(CLASS, CKO_SECRET_KEY),
                            ULONG(KEY_TYPE, CKK_AES))));
    assert_ok(key_code(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN,
                       LIST(ULONG(VALUE_LEN, 32), ULONG(KEY_TYPE, CKK_SHA256_HMAC))));
}

/* PKCS #11 v3.1, 6.17 and 6.18: nobody says how long a DES key is. */
static void
des_keys_have_one_length_and_the_right_parity(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE generates;
        CK_KEY_TYPE type;
        size_t len;
    } keys[] = { { CKM_DES_KEY_GEN, CKK_DES, 8 },
                 { CKM_DES2_KEY_GEN, CKK_DES2, 16 },
                 { CKM_DES3_KEY_GEN, CKK_DES3, 24 } };
    struct app *app = &((struct fixture *)*state)->cu1;

    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        struct key_info info = { 0 };
        view value;

        assert_ok(app_generate(app, keys[i].generates,
                               LIST(BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true)), &info));
        assert_int_equal(info.key_type, keys[i].type);
        assert_int_equal(info.bits, 8 * keys[i].len);
        value = get(app, info.handle, CKA_VALUE);
        assert_int_equal(value.len, keys[i].len);
        for (size_t k = 0; k < value.len; k++) {
            assert_int_equal(__builtin_popcount(value.data[k]) % 2, 1);
        }
        assert_int_equal(get(app, info.handle, CKA_CHECK_VALUE).len, 3);
        assert_code(key_code(app, keys[i].generates, LIST(ULONG(VALUE_LEN, keys[i].len))),
                    CKR_TEMPLATE_INCONSISTENT);
        assert_code(key_code(app, keys[i].generates,
                             LIST(ULONG(KEY_TYPE, keys[(i + 1) % 3].type))),
                    CKR_TEMPLATE_INCONSISTENT);
    }
}

/* Seed-requirements REQ-119: from one byte to 256. */
static void
rc4_keys_have_any_length(void **state)
{
    static const uint64_t lens[] = { 1, 5, 16, 255, 256 };
    struct app *app = &((struct fixture *)*state)->cu1;

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        uint32_t key = generate(app, CKM_RC4_KEY_GEN, LIST(ULONG(VALUE_LEN, lens[i]), AES_USES));
        const struct mechanism rc4 = mechanism_plain(CKM_RC4);
        uint8_t cipher[5];
        view out;

        assert_ok(app_encrypt(app, rc4, key, VIEW_TEXT("plain"), &out));
        memcpy(cipher, out.data, sizeof cipher);
        assert_ok(app_decrypt(app, rc4, key, view_of(cipher, sizeof cipher), &out));
        assert_view_equal(out, VIEW_TEXT("plain"));
    }
    assert_code(key_code(app, CKM_RC4_KEY_GEN, LIST(ULONG(VALUE_LEN, 0))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(key_code(app, CKM_RC4_KEY_GEN, LIST(ULONG(VALUE_LEN, 257))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(key_code(app, CKM_RC4_KEY_GEN, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
}

/* PKCS #11 v3.0: a key that is for one HMAC alone. */
static void
a_key_for_a_mac_has_its_type(void **state)
{
    struct app *app = &((struct fixture *)*state)->cu1;
    struct key_info info = { 0 };
    uint32_t key;
    view mac;

    assert_ok(app_generate(app, CKM_SHA256_KEY_GEN, LIST(ULONG(VALUE_LEN, 20), SIGN_USES), &info));
    key = info.handle;
    assert_int_equal(info.key_type, CKK_SHA256_HMAC);
    assert_int_equal(info.bits, 160);
    assert_ok(app_sign(app, mechanism_plain(CKM_SHA256_HMAC), key, VIEW_TEXT("data"), &mac));
    assert_code(app_sign(app, mechanism_plain(CKM_SHA384_HMAC), key, VIEW_TEXT("data"), &mac),
                CKR_KEY_TYPE_INCONSISTENT);
    assert_code(key_code(app, CKM_SHA256_KEY_GEN,
                         LIST(ULONG(VALUE_LEN, 32), ULONG(KEY_TYPE, CKK_SHA384_HMAC))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(key_code(app, CKM_SHA256_KEY_GEN, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
    assert_code(key_code(app, CKM_SHA256_KEY_GEN, LIST(ULONG(VALUE_LEN, 801))),
                CKR_KEY_SIZE_RANGE);
}

static void
a_generator_wants_no_parameter_and_its_own_operation(void **state)
{
    struct fixture *f = *state;
    struct generate_key_request m = {
        .mechanism = mechanism_iv(CKM_AES_KEY_GEN, VIEW_TEXT("0123456789abcdef")),
        .handle = HANDLE_SESSION_FIRST,
        .template = LIST(AES_GENERATE),
    };
    struct generate_key_reply answer;

    assert_code(app_send_generate_key(&f->cu1, &m, &answer), CKR_MECHANISM_PARAM_INVALID);
    m.mechanism = mechanism_plain(CKM_AES_KEY_GEN);
    m.mechanism.params.none.bytes = VIEW_EMPTY;
    assert_ok(app_send_generate_key(&f->cu1, &m, &answer));

    assert_code(key_code(&f->cu1, CKM_AES_ECB, LIST(AES_GENERATE)), CKR_MECHANISM_INVALID);
    assert_code(key_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(AES_GENERATE)),
                CKR_MECHANISM_INVALID);
    assert_code(pair_code(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE), VIEW_EMPTY),
                CKR_MECHANISM_INVALID);
    assert_code(key_code(&f->cu1, 0x12345678, LIST(AES_GENERATE)), CKR_MECHANISM_INVALID);
}

/* ---- RSA ---- */

static void
rsa_keys_have_the_sizes_of_their_policy(void **state)
{
    struct fixture *f = *state;
    uint64_t min = f->hsm.policy == POLICY_FIPS ? 2048 : 1024;
    const uint64_t refused[] = { 0, 512, min - 256, min - 1, min + 1, min + 8, min + 255,
                                 4096 + 256, 0x100000000 + min, UINT64_MAX };

    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        assert_code(pair_code(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                              LIST(ULONG(MODULUS_BITS, refused[i])), VIEW_EMPTY),
                    CKR_KEY_SIZE_RANGE);
    }
    assert_ok(pair_code(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN, LIST(ULONG(MODULUS_BITS, min)),
                        VIEW_EMPTY));
    assert_ok(pair_code(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN, LIST(ULONG(MODULUS_BITS, min + 256)),
                        VIEW_EMPTY));
}

static void
the_largest_rsa_key_has_4096_bits(void **state)
{
    struct fixture *f = *state;

    assert_ok(pair_code(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN, LIST(ULONG(MODULUS_BITS, 4096)),
                        VIEW_EMPTY));
}

static void
an_rsa_pair_is_one_key_in_two_halves(void **state)
{
    struct fixture *f = *state;
    struct pair pair = generate_pair(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                     LIST(ULONG(MODULUS_BITS, 2048), BYTES(LABEL, "public")),
                                     LIST(BYTES(LABEL, "private")));
    view modulus = get(&f->cu1, pair.public, CKA_MODULUS);
    uint8_t bytes[256];

    assert_int_equal(modulus.len, sizeof bytes);
    memcpy(bytes, modulus.data, sizeof bytes);
    assert_view_equal(get(&f->cu1, pair.private, CKA_MODULUS), view_of(bytes, sizeof bytes));
    assert_int_equal(get_ulong(&f->cu1, pair.public, CKA_MODULUS_BITS), 2048);
    assert_view_equal(get(&f->cu1, pair.public, CKA_PUBLIC_EXPONENT), VIEW_TEXT("\x01\0\x01"));
    assert_view_equal(get(&f->cu1, pair.private, CKA_PUBLIC_EXPONENT), VIEW_TEXT("\x01\0\x01"));
    assert_view_equal(get(&f->cu1, pair.public, CKA_LABEL), VIEW_TEXT("public"));
    assert_view_equal(get(&f->cu1, pair.private, CKA_LABEL), VIEW_TEXT("private"));
    assert_int_equal(get_ulong(&f->cu1, pair.private, CKA_CLASS), CKO_PRIVATE_KEY);
    assert_int_equal(get_ulong(&f->cu1, pair.private, CKA_KEY_TYPE), CKK_RSA);
    assert_true(get_bool(&f->cu1, pair.private, CKA_LOCAL));
}

/* ---- EC ---- */

static void
curves_are_those_of_the_policy(void **state)
{
    /* Of each curve: where CKM_EC_KEY_PAIR_GEN makes keys on it. */
    enum { STANDARD = 1 << POLICY_STANDARD, AZURE = 1 << POLICY_AZURE, FIPS = 1 << POLICY_FIPS };
    static const struct {
        const char *name;
        int policies;
    } makes[] = {
        { "prime192v1", STANDARD | AZURE },
        { "secp224r1", STANDARD | AZURE | FIPS },
        { "prime256v1", STANDARD | AZURE | FIPS },
        { "secp256k1", STANDARD | AZURE | FIPS },
        { "secp384r1", STANDARD | AZURE | FIPS },
        { "secp521r1", STANDARD | AZURE | FIPS },
        { "brainpoolP192r1", STANDARD },
        { "brainpoolP224r1", STANDARD },
        { "brainpoolP256r1", STANDARD },
        { "brainpoolP320r1", STANDARD },
        { "brainpoolP384r1", STANDARD },
        { "brainpoolP512r1", STANDARD },
        { "ED25519", AZURE | FIPS },
        { "ED448", 0 },
        { "X25519", AZURE | FIPS },
        { "X448", 0 },
    };
    struct fixture *f = *state;
    size_t count;
    const struct curve_row *rows = curve_rows(&count);

    assert_int_equal(count, ARRAY_COUNT(makes));
    for (size_t i = 0; i < count; i++) {
        view params = LIST(VIEW(CKA_EC_PARAMS, view_of(rows[i].oid, rows[i].oid_len)));
        bool offered = (makes[i].policies >> f->hsm.policy & 1) != 0;

        assert_string_equal(rows[i].name, makes[i].name);
        assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, params, VIEW_EMPTY),
                    offered ? CKR_OK : CKR_CURVE_NOT_SUPPORTED);
    }
    /* sect163k1, and what is no curve at all. */
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                          LIST(BYTES(EC_PARAMS, "\x06\x05\x2b\x81\x04\x00\x01")),
                          VIEW_EMPTY), CKR_CURVE_NOT_SUPPORTED);
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, "no DER")),
                          VIEW_EMPTY), CKR_DOMAIN_PARAMS_INVALID);
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, VIEW_EMPTY, VIEW_EMPTY),
                CKR_TEMPLATE_INCOMPLETE);
}

static void
an_ec_pair_is_one_key_in_two_halves(void **state)
{
    struct fixture *f = *state;
    struct pair pair = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P521_OID)),
                                     VIEW_EMPTY);

    assert_view_equal(get(&f->cu1, pair.public, CKA_EC_PARAMS), VIEW_TEXT(P521_OID));
    assert_view_equal(get(&f->cu1, pair.private, CKA_EC_PARAMS), VIEW_TEXT(P521_OID));
    assert_int_equal(get_status(&f->cu1, pair.private, CKA_EC_POINT), ATTRIBUTE_UNKNOWN);
    assert_int_equal(get(&f->cu1, pair.public, CKA_EC_POINT).len, 3 + 133);
}

/* PKCS #11 v3.1, 6.3.8: a mechanism for each kind of curve, where the policy has not one for all. */
static void
assert_makes(struct fixture *f, CK_MECHANISM_TYPE type, CK_KEY_TYPE key_type, view params,
             size_t point_len)
{
    bool standard = f->hsm.policy == POLICY_STANDARD;
    CK_MECHANISM_TYPE used = standard ? type : CKM_EC_KEY_PAIR_GEN;
    view public_template = LIST(VIEW(CKA_EC_PARAMS, params));
    struct pair pair = generate_pair(&f->cu1, used, public_template,
                                     LIST(ULONG(KEY_TYPE, key_type)));

    assert_view_equal(get(&f->cu1, pair.public, CKA_EC_PARAMS), params);
    assert_view_equal(get(&f->cu1, pair.private, CKA_EC_PARAMS), params);
    assert_int_equal(get_ulong(&f->cu1, pair.public, CKA_KEY_TYPE), key_type);
    assert_int_equal(get_ulong(&f->cu1, pair.private, CKA_KEY_TYPE), key_type);
    assert_int_equal(get_ulong(&f->cu1, pair.private, CKA_KEY_GEN_MECHANISM), used);
    assert_int_equal(get(&f->cu1, pair.public, CKA_EC_POINT).len, point_len);
    assert_int_equal(get_status(&f->cu1, pair.private, CKA_EC_POINT), ATTRIBUTE_UNKNOWN);
    assert_code(pair_code(&f->cu1, used, public_template, LIST(ULONG(KEY_TYPE, CKK_EC))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(pair_code(&f->cu1, type, LIST(BYTES(EC_PARAMS, P256_OID)), VIEW_EMPTY),
                standard ? CKR_CURVE_NOT_SUPPORTED : CKR_MECHANISM_INVALID);
}

static void
each_kind_of_curve_has_its_keys(void **state)
{
    assert_makes(*state, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKK_EC_EDWARDS, VIEW_TEXT(ED25519_NAME), 34);
    assert_makes(*state, CKM_EC_MONTGOMERY_KEY_PAIR_GEN, CKK_EC_MONTGOMERY, VIEW_TEXT(X25519_OID),
                 34);
}

/* ---- pairs ---- */

static void
both_templates_have_to_be_good(void **state)
{
    struct fixture *f = *state;
    view curve = LIST(BYTES(EC_PARAMS, P256_OID));

    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, curve,
                          LIST(ULONG(CLASS, CKO_PUBLIC_KEY))), CKR_TEMPLATE_INCONSISTENT);
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, curve, LIST(BYTES(EC_PARAMS, P256_OID))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                          LIST(BYTES(EC_PARAMS, P256_OID), BOOL(SIGN, true)), VIEW_EMPTY),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, curve,
                          LIST(ULONG(KEY_TYPE, CKK_RSA))), CKR_TEMPLATE_INCONSISTENT);
}

static void
a_pair_may_be_half_stored(void **state)
{
    struct fixture *f = *state;
    struct pair pair = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                     LIST(TOKEN_YES));

    assert_true(handle_is_session(pair.public));
    assert_false(handle_is_session(pair.private));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_false(app_finds(&f->cu1, pair.public));
    assert_true(app_finds(&f->cu1, pair.private));
}

static void
a_stored_pair_is_one_transaction(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    (void)app_count(&f->cu1);
    revision = f->cu1.answer.revision;
    generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID), TOKEN_YES),
                  LIST(TOKEN_YES));

    assert_int_equal(f->cu1.answer.revision, revision + 1);
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 2);
}

static void
two_halves_do_not_share_a_number(void **state)
{
    struct fixture *f = *state;
    const struct generate_pair_request m = {
        .mechanism = mechanism_plain(CKM_EC_KEY_PAIR_GEN),
        .public_handle = HANDLE_SESSION_FIRST,
        .private_handle = HANDLE_SESSION_FIRST,
        .public_template = LIST(BYTES(EC_PARAMS, P256_OID)),
    };
    struct generate_pair_reply answer;

    assert_code(app_send_generate_pair(&f->cu1, &m, &answer), CKR_ARGUMENTS_BAD);
    assert_int_equal(app_count(&f->cu1), 0);
}

static void
half_a_pair_is_none(void **state)
{
    struct fixture *f = *state;

    /* The private half is for crypto users. */
    assert_code(pair_code(&f->nobody, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                          VIEW_EMPTY), CKR_USER_NOT_LOGGED_IN);
    /* The private half's number is taken. */
    f->cu1.handle = HANDLE_SESSION_FIRST + 1;
    create(&f->cu1, LIST(PUBLIC_DATA));
    f->cu1.handle = HANDLE_SESSION_FIRST;
    assert_code(pair_code(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                          VIEW_EMPTY), CKR_ARGUMENTS_BAD);
}

/* FIPS 186-4, B.3.1; in azure and standard 3 will do. */
static void
exponents_are_those_of_the_policy(void **state)
{
    struct fixture *f = *state;
    const bool fips = f->hsm.policy == POLICY_FIPS;
    const struct {
        view exponent;
        bool always;
    } cases[] = {
        { VIEW_TEXT("\x03"), false },
        { VIEW_TEXT("\xff\xff"), false },
        { VIEW_TEXT("\0\0\0\0\x03"), false },
        { VIEW_TEXT("\x01\0\x01"), true },
        { VIEW_TEXT("\0\x01\0\x01"), true },
        { VIEW_TEXT("\x01\0\0\0\x0f"), true },
    };

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct key_info public, private;

        assert_code(app_generate_pair(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                      LIST(ULONG(MODULUS_BITS, 2048),
                                           VIEW(CKA_PUBLIC_EXPONENT, cases[i].exponent)),
                                      VIEW_EMPTY, &public, &private),
                    cases[i].always || !fips ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(aes_keys_have_16_24_or_32_bytes),
        AZURE(aes_keys_have_16_24_or_32_bytes),
        STANDARD(generic_secrets_have_the_sizes_of_their_policy),
        AZURE(generic_secrets_have_the_sizes_of_their_policy),
        FIPS(generic_secrets_have_the_sizes_of_their_policy),
        STANDARD(a_generated_key_has_its_length_and_a_value_of_its_own),
        AZURE(the_template_has_to_fit_the_generator),
        STANDARD(des_keys_have_one_length_and_the_right_parity),
        STANDARD(rc4_keys_have_any_length),
        AZURE(rc4_keys_have_any_length),
        STANDARD(a_key_for_a_mac_has_its_type),
        AZURE(a_generator_wants_no_parameter_and_its_own_operation),
        STANDARD(rsa_keys_have_the_sizes_of_their_policy),
        AZURE(rsa_keys_have_the_sizes_of_their_policy),
        FIPS(rsa_keys_have_the_sizes_of_their_policy),
        AZURE(exponents_are_those_of_the_policy),
        FIPS(exponents_are_those_of_the_policy),
        AZURE(the_largest_rsa_key_has_4096_bits),
        AZURE(an_rsa_pair_is_one_key_in_two_halves),
        STANDARD(curves_are_those_of_the_policy),
        AZURE(curves_are_those_of_the_policy),
        FIPS(curves_are_those_of_the_policy),
        AZURE(an_ec_pair_is_one_key_in_two_halves),
        STANDARD(each_kind_of_curve_has_its_keys),
        AZURE(each_kind_of_curve_has_its_keys),
        FIPS(each_kind_of_curve_has_its_keys),
        AZURE(both_templates_have_to_be_good),
        AZURE(a_pair_may_be_half_stored),
        AZURE(a_stored_pair_is_one_transaction),
        AZURE(two_halves_do_not_share_a_number),
        STANDARD(half_a_pair_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
