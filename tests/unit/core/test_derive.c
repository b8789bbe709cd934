/* SPDX-License-Identifier: Apache-2.0
 *
 * Derivation in the core: who may, from which key, what the template may say, and what the
 * new key inherits.
 */
#include "unit/core/core_test.h"

#include "rules/derivation.h"

#define GENERIC_KEY ULONG(KEY_TYPE, CKK_GENERIC_SECRET)
#define AES_KEY ULONG(KEY_TYPE, CKK_AES)
#define READABLE BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true)
#define P192_OID "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x01"

static struct mechanism
ecdh(CK_ULONG kdf, view shared, view point)
{
    struct mechanism m = { .type = CKM_ECDH1_DERIVE, .shape = PARAMS_ecdh };

    m.params.ecdh = (struct params_ecdh){ (uint32_t)kdf, shared, point };
    return m;
}

static struct mechanism
ecdh_plain(void)
{
    return ecdh(CKD_NULL, VIEW_EMPTY, VIEW_TEXT(P256_POINT));
}

/* A private key that may derive; more is what else its template has. */
static uint32_t
base_of(struct app *app, view more)
{
    struct writer w;
    uint32_t key;

    writer_init(&w, 1000);
    attribute_write_bool(&w, CKA_DERIVE, true);
    write_raw(&w, more);
    key = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                        writer_view(&w)).private;
    writer_clear(&w);
    return key;
}

static uint32_t
derive(struct app *app, uint32_t base, view template)
{
    struct key_info info = { 0 };

    assert_ok(app_derive(app, ecdh_plain(), base, template, &info));
    return info.handle;
}

static CK_RV
code_of(struct app *app, struct mechanism mechanism, uint32_t base, view template)
{
    size_t count = app_count(app);
    CK_RV rv = app_derive(app, mechanism, base, template, NULL);

    if (rv != CKR_OK) {
        assert_int_equal(app_count(app), count); /* a failed call changes nothing */
    }
    return rv;
}

static void
two_parties_agree(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    struct pair a = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                  LIST(BOOL(DERIVE, true)));
    struct pair b = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                  LIST(BOOL(DERIVE, true)));
    uint8_t point_a[80], point_b[80], text[] = "a block of bytes", out[16];
    struct key_info one, other;
    view v;

    v = get(app, a.public, CKA_EC_POINT);
    memcpy(point_a, v.data, v.len);
    v = get(app, b.public, CKA_EC_POINT);
    memcpy(point_b, v.data, v.len);
    /* One with its DER around the point, the other without. */
    assert_ok(app_derive(app, ecdh(CKD_SHA256_KDF, VIEW_TEXT("info"), view_of(point_b, v.len)),
                         a.private, LIST(AES_KEY, ULONG(VALUE_LEN, 32), AES_USES), &one));
    assert_ok(app_derive(app, ecdh(CKD_SHA256_KDF, VIEW_TEXT("info"), view_of(point_a + 2, 65)),
                         b.private, LIST(AES_KEY, ULONG(VALUE_LEN, 32), AES_USES), &other));
    assert_ok(app_encrypt(app, mechanism_plain(CKM_AES_ECB), one.handle, view_of(text, 16), &v));
    memcpy(out, v.data, sizeof out);
    assert_ok(app_decrypt(app, mechanism_plain(CKM_AES_ECB), other.handle, view_of(out, 16), &v));
    assert_view_equal(v, view_of(text, 16));
}

static void
the_base_key_has_to_be_there_fit_and_be_meant_for_it(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    struct pair plain = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                      LIST(SIGN_USES));
    uint32_t aes = create(app, LIST(AES_CREATE, BOOL(DERIVE, true)));
    uint32_t base = base_of(app, VIEW_EMPTY);
    view template = LIST(GENERIC_KEY);
    struct mechanism m = ecdh_plain();

    assert_code(code_of(app, m, 0x12345, template), CKR_KEY_HANDLE_INVALID);
    assert_code(code_of(app, m, 0, template), CKR_KEY_HANDLE_INVALID);
    assert_code(code_of(app, m, create(app, LIST(PRIVATE_DATA)), template),
                CKR_KEY_HANDLE_INVALID);
    assert_code(code_of(&f->cu2, m, base, template), CKR_KEY_HANDLE_INVALID);
    assert_code(code_of(app, m, aes, template), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(code_of(app, m, plain.public, template), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(code_of(app, m, plain.private, template), CKR_KEY_FUNCTION_NOT_PERMITTED);
    m.type = CKM_ECDSA;
    assert_code(code_of(app, m, base, template), CKR_MECHANISM_INVALID);
    m.type = CKM_ECDH1_DERIVE;
    m.shape = PARAMS_none;
    m.params.none.bytes = VIEW_EMPTY;
    assert_code(code_of(app, m, base, template), CKR_MECHANISM_PARAM_INVALID);
}

static void
allowed_mechanisms_bind_derivation_too(void **state)
{
    struct fixture *f = *state;
    uint32_t bound = base_of(&f->cu1,
                             LIST(BYTES(ALLOWED_MECHANISMS, "\x41\x10\0\0\0\0\0\0")));
    uint32_t free_ = base_of(&f->cu1,
                             LIST(BYTES(ALLOWED_MECHANISMS, "\x50\x10\0\0\0\0\0\0")));

    assert_code(code_of(&f->cu1, ecdh_plain(), bound, LIST(GENERIC_KEY)), CKR_MECHANISM_INVALID);
    assert_ok(code_of(&f->cu1, ecdh_plain(), free_, LIST(GENERIC_KEY)));
}

static void
a_bad_parameter_has_its_code(void **state)
{
    struct fixture *f = *state;
    uint32_t base = base_of(&f->cu1, VIEW_EMPTY);
    view good = VIEW_TEXT(P256_POINT), template = LIST(GENERIC_KEY, ULONG(VALUE_LEN, 32));
    uint8_t point[66];
    struct app *app = &f->cu1;

    memcpy(point, good.data, 65);
    point[64] ^= 1; /* off the curve */
    assert_code(code_of(app, ecdh(CKD_NULL, VIEW_EMPTY, view_of(point, 65)), base, template),
                CKR_PUBLIC_KEY_INVALID);
    assert_code(code_of(app, ecdh(CKD_NULL, VIEW_EMPTY, view_of(point, 64)), base, template),
                CKR_PUBLIC_KEY_INVALID);
    assert_code(code_of(app, ecdh(CKD_NULL, VIEW_EMPTY, view_of(point, 66)), base, template),
                CKR_PUBLIC_KEY_INVALID);
    assert_code(code_of(app, ecdh(CKD_NULL, VIEW_EMPTY, VIEW_TEXT("\0")), base, template),
                CKR_PUBLIC_KEY_INVALID); /* infinity */
    assert_code(code_of(app, ecdh(CKD_NULL, VIEW_EMPTY, VIEW_EMPTY), base, template),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(code_of(app, ecdh(CKD_NULL, VIEW_TEXT("x"), good), base, template),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(code_of(app, ecdh(CKD_SHA1_KDF_ASN1, VIEW_EMPTY, good), base, template),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(code_of(app, ecdh(0, VIEW_EMPTY, good), base, template),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(code_of(app, ecdh(CKD_SHA3_256_KDF, VIEW_EMPTY, good), base, template),
                f->hsm.policy == POLICY_STANDARD ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
    assert_code(code_of(app, ecdh(CKD_SHA256_KDF_SP800, VIEW_EMPTY, good), base, template),
                f->hsm.policy == POLICY_STANDARD ? CKR_OK : CKR_MECHANISM_PARAM_INVALID);
    assert_ok(code_of(app, ecdh(CKD_SHA1_KDF, VIEW_EMPTY, good), base, template));
}

static void
curves_are_those_of_the_policy(void **state)
{
    static const struct {
        const char *oid;
        size_t len;
        CK_RV fips;
    } curves[] = {
        { P192_OID, 10, CKR_OK }, /* fips makes no such pair at all */
        { P256_OID, 10, CKR_OK },
        { P521_OID, 7, CKR_KEY_SIZE_RANGE },
    };
    struct fixture *f = *state;
    struct app *app = &f->cu1;

    for (size_t i = f->hsm.policy == POLICY_FIPS; i < ARRAY_COUNT(curves); i++) {
        struct pair pair = generate_pair(app, CKM_EC_KEY_PAIR_GEN,
                                         LIST(VIEW(CKA_EC_PARAMS,
                                                   view_of(curves[i].oid, curves[i].len))),
                                         LIST(BOOL(DERIVE, true)));
        uint8_t point[200];
        view v = get(app, pair.public, CKA_EC_POINT);

        memcpy(point, v.data, v.len);
        assert_code(code_of(app, ecdh(CKD_NULL, VIEW_EMPTY, view_of(point, v.len)), pair.private,
                            LIST(GENERIC_KEY)),
                    f->hsm.policy == POLICY_FIPS ? curves[i].fips : CKR_OK);
    }
}

static void
the_template_says_what_it_is(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t base = base_of(app, VIEW_EMPTY);
    struct mechanism plain = ecdh_plain();
    struct mechanism hashed = ecdh(CKD_SHA512_KDF, VIEW_EMPTY, VIEW_TEXT(P256_POINT));

    assert_code(code_of(app, plain, base, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
    assert_code(code_of(app, plain, base, LIST(AES_KEY)), CKR_TEMPLATE_INCOMPLETE);
    assert_code(code_of(app, hashed, base, LIST(GENERIC_KEY)), CKR_TEMPLATE_INCOMPLETE);
    assert_code(code_of(app, plain, base, LIST(GENERIC_KEY, ULONG(CLASS, CKO_PRIVATE_KEY))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(code_of(app, plain, base, LIST(ULONG(KEY_TYPE, 0x7fffffff))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(code_of(app, plain, base, LIST(BYTES(KEY_TYPE, "x"))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(code_of(app, plain, base, LIST(AES_KEY, ULONG(VALUE_LEN, 15))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(code_of(app, plain, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 0))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(code_of(app, plain, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 33))),
                CKR_TEMPLATE_INCONSISTENT); /* more than P-256 agrees on */
    assert_code(code_of(app, hashed, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 3073))),
                CKR_KEY_SIZE_RANGE);
    assert_code(code_of(app, plain, base, LIST(GENERIC_KEY, BYTES(VALUE, "value"))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(code_of(app, plain, base, LIST(GENERIC_KEY, BOOL(LOCAL, false))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(code_of(app, plain, base, LIST(GENERIC_KEY, BYTES(MODULUS, "x"))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_ok(code_of(app, hashed, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 3072))));
    assert_ok(code_of(app, plain, base, LIST(GENERIC_KEY, ULONG(CLASS, CKO_SECRET_KEY))));
    assert_ok(code_of(app, plain, base, LIST(ULONG(KEY_TYPE, CKK_SHA256_HMAC))));
}

/* PKCS #11 v3.1, 6.43: whatever a DES key is made of, its parity is set; its length is known. */
static void
a_derived_des_key_has_its_length_and_parity(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t base = base_of(app, VIEW_EMPTY);
    uint32_t whole = derive(app, base, LIST(GENERIC_KEY, READABLE));
    uint32_t key = derive(app, base, LIST(ULONG(KEY_TYPE, CKK_DES3), READABLE));
    uint8_t value[32];
    view made;

    made = get(app, whole, CKA_VALUE);
    assert_int_equal(made.len, sizeof value);
    memcpy(value, made.data, sizeof value);
    made = get(app, key, CKA_VALUE);
    assert_int_equal(made.len, 24);
    for (size_t i = 0; i < made.len; i++) {
        assert_int_equal(made.data[i] >> 1, value[8 + i] >> 1);
        assert_int_equal(__builtin_popcount(made.data[i]) % 2, 1);
    }
    assert_code(code_of(app, ecdh_plain(), base, LIST(ULONG(KEY_TYPE, CKK_DES3),
                                                      ULONG(VALUE_LEN, 24))),
                CKR_TEMPLATE_INCONSISTENT);
}

/* PKCS #11 v3.1, 6.3.17: bytes are removed from the leading end. */
static void
a_shorter_key_is_the_end_of_the_value(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t base = base_of(app, VIEW_EMPTY);
    uint32_t whole = derive(app, base, LIST(GENERIC_KEY, READABLE));
    uint32_t end = derive(app, base, LIST(AES_KEY, ULONG(VALUE_LEN, 16), READABLE));
    uint8_t value[32];
    view v = get(app, whole, CKA_VALUE);

    assert_int_equal(v.len, 32);
    memcpy(value, v.data, 32);
    assert_view_equal(get(app, end, CKA_VALUE), view_of(value + 16, 16));
    assert_int_equal(get_ulong(app, whole, CKA_VALUE_LEN), 32);
}

static void
a_derived_key_was_not_made_here(void **state)
{
    struct fixture *f = *state;
    uint32_t key = derive(&f->cu1, base_of(&f->cu1, VIEW_EMPTY), LIST(GENERIC_KEY));

    assert_false(get_bool(&f->cu1, key, CKA_LOCAL));
    assert_true(get_ulong(&f->cu1, key, CKA_KEY_GEN_MECHANISM) == UINT64_MAX);
    assert_int_equal(get_ulong(&f->cu1, key, CKA_CLASS), CKO_SECRET_KEY);
    assert_int_equal(get(&f->cu1, key, CKA_CHECK_VALUE).len, 3);
}

/* PKCS #11 v3.1, 6.3.17, by base key and template. */
static void
history_is_that_of_base_and_key(void **state)
{
    static const struct {
        bool base_sensitive, base_extractable, sensitive, extractable;
    } cases[] = {
        { true, false, true, false }, { true, false, false, false }, { true, false, true, true },
        { false, false, true, false }, { true, true, true, false }, { false, true, true, true },
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint32_t base = base_of(&f->cu1, LIST(BOOL(SENSITIVE, cases[i].base_sensitive),
                                              BOOL(EXTRACTABLE, cases[i].base_extractable)));
        uint32_t key = derive(&f->cu1, base, LIST(GENERIC_KEY,
                                                  BOOL(SENSITIVE, cases[i].sensitive),
                                                  BOOL(EXTRACTABLE, cases[i].extractable)));

        assert_int_equal(get_bool(&f->cu1, key, CKA_ALWAYS_SENSITIVE),
                         cases[i].base_sensitive && cases[i].sensitive);
        assert_int_equal(get_bool(&f->cu1, key, CKA_NEVER_EXTRACTABLE),
                         !cases[i].base_extractable && !cases[i].extractable);
    }
}

static void
azure_keys_are_sensitive_and_private(void **state)
{
    struct fixture *f = *state;
    uint32_t base = base_of(&f->cu1, VIEW_EMPTY);
    uint32_t key = derive(&f->cu1, base, LIST(GENERIC_KEY));

    assert_true(get_bool(&f->cu1, key, CKA_SENSITIVE));
    assert_true(get_bool(&f->cu1, key, CKA_PRIVATE));
    assert_code(code_of(&f->cu1, ecdh_plain(), base, LIST(GENERIC_KEY, BOOL(SENSITIVE, false))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(code_of(&f->cu1, ecdh_plain(), base, LIST(GENERIC_KEY, BOOL(PRIVATE, false))),
                CKR_TEMPLATE_INCONSISTENT);
}

static void
a_derive_template_is_added_and_cannot_be_overridden(void **state)
{
    struct fixture *f = *state;
    view inner = LIST(BOOL(SENSITIVE, true), BOOL(EXTRACTABLE, false), BYTES(LABEL, "derived"));
    uint32_t base = base_of(&f->cu1, LIST(VIEW(CKA_DERIVE_TEMPLATE, inner)));
    uint32_t key = derive(&f->cu1, base, LIST(GENERIC_KEY, BOOL(SENSITIVE, true)));

    assert_true(get_bool(&f->cu1, key, CKA_SENSITIVE));
    assert_false(get_bool(&f->cu1, key, CKA_EXTRACTABLE));
    assert_view_equal(get(&f->cu1, key, CKA_LABEL), VIEW_TEXT("derived"));
    assert_code(code_of(&f->cu1, ecdh_plain(), base, LIST(GENERIC_KEY, BOOL(EXTRACTABLE, true))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(code_of(&f->cu1, ecdh_plain(), base, LIST(GENERIC_KEY, BYTES(LABEL, "x"))),
                CKR_TEMPLATE_INCONSISTENT);
}

static void
a_derived_key_may_be_stored(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t base = base_of(app, VIEW_EMPTY);
    uint32_t key = derive(app, base, LIST(GENERIC_KEY, TOKEN_YES));

    assert_true(key >= HANDLE_TOKEN_FIRST && key < HANDLE_SESSION_FIRST);
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 1);
    app->read_write = false;
    assert_code(code_of(app, ecdh_plain(), base, LIST(GENERIC_KEY, TOKEN_YES)),
                CKR_SESSION_READ_ONLY);
    assert_ok(code_of(app, ecdh_plain(), base, LIST(GENERIC_KEY)));
}

static void
who_is_not_logged_in_derives_nothing_private(void **state)
{
    struct fixture *f = *state;
    uint32_t base = base_of(&f->nobody, LIST(BOOL(PRIVATE, false)));

    assert_code(code_of(&f->nobody, ecdh_plain(), base, LIST(GENERIC_KEY)),
                CKR_USER_NOT_LOGGED_IN);
    assert_ok(code_of(&f->nobody, ecdh_plain(), base, LIST(GENERIC_KEY, BOOL(PRIVATE, false))));
}

static void
as_many_handles_as_keys(void **state)
{
    struct fixture *f = *state;
    struct derive_request m = { .mechanism = ecdh_plain(),
                                .key = base_of(&f->cu1, VIEW_EMPTY),
                                .template = LIST(GENERIC_KEY) };
    struct derive_reply answer;

    assert_code(app_send_derive(&f->cu1, &m, &answer), CODE_BAD_FRAME);
    m.handles.bytes = VIEW_TEXT("\x69\0\0\x80\x6a\0\0\x80");
    assert_code(app_send_derive(&f->cu1, &m, &answer), CODE_BAD_FRAME);
    m.handles.bytes = VIEW_TEXT("\0\0\0\0"); /* no number for a session object */
    assert_code(app_send_derive(&f->cu1, &m, &answer), CKR_ARGUMENTS_BAD);
}

/* ---- secret base keys ---- */

static uint32_t
secret_of(struct app *app, bool sensitive, bool extractable, bool generated)
{
    view create_template = LIST(ULONG(CLASS, CKO_SECRET_KEY), GENERIC_KEY,
                                BYTES(VALUE, "\x01\x23\x45\x67"), BOOL(DERIVE, true),
                                BOOL(SENSITIVE, sensitive), BOOL(EXTRACTABLE, extractable));
    view generate_template = LIST(ULONG(VALUE_LEN, 32), BOOL(DERIVE, true),
                                  BOOL(SENSITIVE, sensitive), BOOL(EXTRACTABLE, extractable));

    return generated ? generate(app, CKM_GENERIC_SECRET_KEY_GEN, generate_template)
                     : create(app, create_template);
}

static struct mechanism
joined_with(uint32_t key)
{
    return (struct mechanism){ .type = CKM_CONCATENATE_BASE_AND_KEY,
                               .shape = PARAMS_number,
                               .params.number = { key } };
}

/* PKCS #11 v3.1, 6.43.3: by the two keys, whatever the template leaves out. */
static void
joined_keys_hand_on_their_protection(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;

    for (unsigned i = 0; i < 32; i++) {
        bool sensitive[2] = { i & 1, i >> 1 & 1 }, extractable[2] = { i >> 2 & 1, i >> 3 & 1 };
        bool generated = i >> 4 & 1;
        uint32_t one = secret_of(app, sensitive[0], extractable[0], true);
        uint32_t other = secret_of(app, sensitive[1], extractable[1], generated);
        struct key_info info = { 0 };

        assert_ok(app_derive(app, joined_with(other), one, VIEW_EMPTY, &info));
        assert_int_equal(get_bool(app, info.handle, CKA_SENSITIVE), sensitive[0] || sensitive[1]);
        if (!extractable[0] || !extractable[1]) {
            assert_false(get_bool(app, info.handle, CKA_EXTRACTABLE));
            assert_code(code_of(app, joined_with(other), one, LIST(BOOL(EXTRACTABLE, true))),
                        CKR_TEMPLATE_INCONSISTENT);
        }
        if (sensitive[0] || sensitive[1]) {
            assert_code(code_of(app, joined_with(other), one, LIST(BOOL(SENSITIVE, false))),
                        CKR_TEMPLATE_INCONSISTENT);
        }
        assert_int_equal(get_bool(app, info.handle, CKA_ALWAYS_SENSITIVE),
                         sensitive[0] && sensitive[1] && generated);
        assert_int_equal(get_bool(app, info.handle, CKA_NEVER_EXTRACTABLE),
                         !extractable[0] && !extractable[1] && generated);
        assert_int_equal(get_ulong(app, info.handle, CKA_KEY_TYPE), CKK_GENERIC_SECRET);
        assert_ok(app_destroy(app, info.handle));
        assert_ok(app_destroy(app, one));
        assert_ok(app_destroy(app, other));
    }
}

static void
a_second_key_has_to_be_there_and_may_derive(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t one = secret_of(app, true, false, true);
    uint32_t mute = generate(app, CKM_GENERIC_SECRET_KEY_GEN, LIST(ULONG(VALUE_LEN, 16)));
    struct mechanism salted = { .type = CKM_HKDF_DERIVE, .shape = PARAMS_hkdf };
    view template = LIST(GENERIC_KEY, ULONG(VALUE_LEN, 16));

    assert_code(code_of(app, joined_with(0x12345), one, VIEW_EMPTY), CKR_KEY_HANDLE_INVALID);
    assert_code(code_of(app, joined_with(0), one, VIEW_EMPTY), CKR_MECHANISM_PARAM_INVALID);
    assert_code(code_of(app, joined_with(base_of(app, VIEW_EMPTY)), one, VIEW_EMPTY),
                CKR_KEY_TYPE_INCONSISTENT);
    assert_code(code_of(app, joined_with(mute), one, VIEW_EMPTY), CKR_KEY_FUNCTION_NOT_PERMITTED);
    salted.params.hkdf = (struct params_hkdf){ .extract = 1, .expand = 1, .hash = CKM_SHA256,
                                               .salt_type = CKF_HKDF_SALT_KEY,
                                               .salt_key = 0x12345 };
    assert_code(code_of(app, salted, one, template), CKR_KEY_HANDLE_INVALID);
    salted.params.hkdf.salt_key = one;
    assert_ok(code_of(app, salted, one, template));
    salted.params.hkdf.extract = 0; /* the salt is not looked at */
    salted.params.hkdf.salt_key = 0x12345;
    assert_ok(code_of(app, salted, one, template));
}

static void
what_is_like_its_base_takes_its_protection_by_default(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    struct mechanism m = { .type = CKM_SP800_108_COUNTER_KDF, .shape = PARAMS_kbkdf };

    m.params.kbkdf.prf = CKM_SHA256_HMAC;
    m.params.kbkdf.items.count = 1;
    m.params.kbkdf.items.item[0] =
        (struct params_item){ .type = CK_SP800_108_ITERATION_VARIABLE, .width = 8 };
    for (unsigned i = 0; i < 4; i++) {
        uint32_t base = secret_of(app, i & 1, i >> 1 & 1, true);
        struct key_info info = { 0 };

        assert_ok(app_derive(app, m, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 16)), &info));
        assert_int_equal(get_bool(app, info.handle, CKA_SENSITIVE), i & 1);
        assert_int_equal(get_bool(app, info.handle, CKA_EXTRACTABLE), i >> 1 & 1);
        assert_ok(code_of(app, m, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 16),
                                             BOOL(SENSITIVE, !(i & 1)))));
    }
}

static void
hkdf_makes_data_objects_too(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t base = secret_of(app, false, true, false);
    struct mechanism m = { .type = CKM_HKDF_DATA, .shape = PARAMS_hkdf };
    struct key_info data = { 0 }, key = { 0 };
    uint8_t value[40];
    view v;

    m.params.hkdf = (struct params_hkdf){ .extract = 1, .expand = 1, .hash = CKM_SHA256,
                                          .salt_type = CKF_HKDF_SALT_NULL };
    assert_ok(app_derive(app, m, base, LIST(ULONG(CLASS, CKO_DATA), ULONG(VALUE_LEN, 40),
                                            BYTES(LABEL, "iv")), &data));
    v = get(app, data.handle, CKA_VALUE);
    assert_int_equal(v.len, 40);
    memcpy(value, v.data, 40);
    assert_int_equal(get_ulong(app, data.handle, CKA_CLASS), CKO_DATA);
    assert_view_equal(get(app, data.handle, CKA_LABEL), VIEW_TEXT("iv"));
    m.type = CKM_HKDF_DERIVE;
    assert_ok(app_derive(app, m, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 40), READABLE), &key));
    assert_view_equal(get(app, key.handle, CKA_VALUE), view_of(value, 40));
    m.type = CKM_HKDF_DATA;
    assert_code(code_of(app, m, base, LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(VALUE_LEN, 40))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(code_of(app, m, base, LIST(GENERIC_KEY, ULONG(VALUE_LEN, 40))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(code_of(app, m, base, VIEW_EMPTY), CKR_TEMPLATE_INCOMPLETE);
}

static void
a_password_makes_a_key_of_any_type(void **state)
{
    struct fixture *f = *state;
    struct generate_key_request m = {
        .mechanism = { .type = CKM_PKCS5_PBKD2, .shape = PARAMS_pbkd2 },
        .handle = HANDLE_SESSION_FIRST + 1000,
        .template = LIST(AES_KEY, ULONG(VALUE_LEN, 32), READABLE),
    };
    struct generate_key_reply answer;
    uint32_t key;

    m.mechanism.params.pbkd2 = (struct params_pbkd2){
        CKZ_SALT_SPECIFIED, VIEW_TEXT("NaCl"), 80000, CKP_PKCS5_PBKD2_HMAC_SHA256, VIEW_EMPTY,
        VIEW_TEXT("Password"),
    };
    assert_ok(app_send_generate_key(&f->cu1, &m, &answer));
    key = info_array_get(answer.made, 0).handle;
    assert_view_equal(get(&f->cu1, key, CKA_VALUE), /* RFC 7914, 11 */
                      VIEW_TEXT("\x4d\xdc\xd8\xf6\x0b\x98\xbe\x21\x83\x0c\xee\x5e\xf2\x27\x01"
                                "\xf9\x64\x1a\x44\x18\xd0\x4c\x04\x14\xae\xff\x08\x87\x6b\x34"
                                "\xab\x56"));
    assert_int_equal(get_ulong(&f->cu1, key, CKA_KEY_TYPE), CKK_AES);
    assert_int_equal(get_ulong(&f->cu1, key, CKA_KEY_GEN_MECHANISM), CKM_PKCS5_PBKD2);
    m.template = LIST(ULONG(KEY_TYPE, CKK_DES3), READABLE);
    m.handle++;
    assert_ok(app_send_generate_key(&f->cu1, &m, &answer));
    key = info_array_get(answer.made, 0).handle;
    assert_view_equal(get(&f->cu1, key, CKA_VALUE), /* the same, with parity */
                      VIEW_TEXT("\x4c\xdc\xd9\xf7\x0b\x98\xbf\x20\x83\x0d\xef\x5e\xf2\x26\x01"
                                "\xf8\x64\x1a\x45\x19\xd0\x4c\x04\x15"));
    m.template = LIST(AES_KEY);
    assert_code(app_send_generate_key(&f->cu1, &m, &answer), CKR_TEMPLATE_INCOMPLETE);
    m.template = LIST(AES_KEY, ULONG(VALUE_LEN, 15));
    assert_code(app_send_generate_key(&f->cu1, &m, &answer), CKR_ATTRIBUTE_VALUE_INVALID);
    m.mechanism.params.pbkd2.iterations = 0;
    assert_code(app_send_generate_key(&f->cu1, &m, &answer), CKR_MECHANISM_PARAM_INVALID);
    m.mechanism.params.pbkd2.iterations = 10000001;
    assert_code(app_send_generate_key(&f->cu1, &m, &answer), CKR_MECHANISM_PARAM_INVALID);
}

static void
four_stored_keys_are_one_transaction(void **state)
{
    struct fixture *f = *state;
    view one = LIST(GENERIC_KEY, ULONG(VALUE_LEN, 16), TOKEN_YES);
    struct derive_request m = {
        .mechanism = { .type = CKM_SP800_108_COUNTER_KDF, .shape = PARAMS_kbkdf },
        .key = generate(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN,
                        LIST(ULONG(VALUE_LEN, 32), BOOL(DERIVE, true))),
        .handles.bytes = VIEW_TEXT("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        .template = one,
        .more = LIST(VIEW(CKA_DERIVE_TEMPLATE, one), VIEW(CKA_DERIVE_TEMPLATE, one),
                     VIEW(CKA_DERIVE_TEMPLATE, one)),
    };
    struct derive_reply answer;
    uint64_t revision = f->cu1.answer.revision;

    m.mechanism.params.kbkdf.prf = CKM_SHA256_HMAC;
    m.mechanism.params.kbkdf.items.count = 1;
    m.mechanism.params.kbkdf.items.item[0] =
        (struct params_item){ .type = CK_SP800_108_ITERATION_VARIABLE, .width = 8 };
    assert_ok(app_send_derive(&f->cu1, &m, &answer));
    assert_int_equal(info_array_count(answer.made), 4);
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 4);
    assert_int_equal(f->cu1.answer.revision, revision + 1);

    m.more = LIST(VIEW(CKA_DERIVE_TEMPLATE, one), VIEW(CKA_DERIVE_TEMPLATE, VIEW_EMPTY),
                  VIEW(CKA_DERIVE_TEMPLATE, one));
    assert_code(app_send_derive(&f->cu1, &m, &answer), CKR_TEMPLATE_INCOMPLETE);
    m.more = LIST(VIEW(CKA_LABEL, one), VIEW(CKA_LABEL, one), VIEW(CKA_LABEL, one));
    assert_code(app_send_derive(&f->cu1, &m, &answer), CODE_BAD_FRAME);
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 4);
}

static void
every_mechanism_that_derives_has_its_rule(void **state)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        CK_FLAGS functions = rows[i].limit[POLICY_STANDARD].functions |
                             rows[i].limit[POLICY_AZURE].functions |
                             rows[i].limit[POLICY_FIPS].functions;

        if (((functions & CKF_DERIVE) != 0) != (derivation_row(rows[i].type) != NULL)) {
            fail_msg("%s derives, or has a rule, but not both", rows[i].name);
        }
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(two_parties_agree),
        AZURE(two_parties_agree),
        FIPS(two_parties_agree),
        STANDARD(the_base_key_has_to_be_there_fit_and_be_meant_for_it),
        AZURE(the_base_key_has_to_be_there_fit_and_be_meant_for_it),
        STANDARD(allowed_mechanisms_bind_derivation_too),
        STANDARD(a_bad_parameter_has_its_code),
        AZURE(a_bad_parameter_has_its_code),
        FIPS(a_bad_parameter_has_its_code),
        STANDARD(curves_are_those_of_the_policy),
        AZURE(curves_are_those_of_the_policy),
        FIPS(curves_are_those_of_the_policy),
        STANDARD(the_template_says_what_it_is),
        STANDARD(a_derived_des_key_has_its_length_and_parity),
        AZURE(the_template_says_what_it_is),
        STANDARD(a_shorter_key_is_the_end_of_the_value),
        STANDARD(a_derived_key_was_not_made_here),
        STANDARD(history_is_that_of_base_and_key),
        AZURE(azure_keys_are_sensitive_and_private),
        STANDARD(a_derive_template_is_added_and_cannot_be_overridden),
        AZURE(a_derived_key_may_be_stored),
        STANDARD(who_is_not_logged_in_derives_nothing_private),
        STANDARD(as_many_handles_as_keys),
        STANDARD(joined_keys_hand_on_their_protection),
        STANDARD(a_second_key_has_to_be_there_and_may_derive),
        STANDARD(what_is_like_its_base_takes_its_protection_by_default),
        STANDARD(hkdf_makes_data_objects_too),
        STANDARD(a_password_makes_a_key_of_any_type),
        AZURE(four_stored_keys_are_one_transaction),
        cmocka_unit_test(every_mechanism_that_derives_has_its_rule),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
