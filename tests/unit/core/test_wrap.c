/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrapping and unwrapping: each mechanism of each policy there and back, who may wrap what, and
 * what becomes of a key that comes back.
 */
#include "unit/core/core_test.h"

#include "rules/wrapping.h"

#define BLOB_MAX 4096u
#define EXTRACTABLE BOOL(EXTRACTABLE, true)
#define WRAPS BOOL(WRAP, true), BOOL(UNWRAP, true)
#define AES_TYPE ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES)
#define BLOCK VIEW_TEXT("0123456789abcdef")

static uint8_t blob[BLOB_MAX];

static struct mechanism
mechanism_of(CK_MECHANISM_TYPE type)
{
    struct mechanism m = { .type = (uint32_t)type, .shape = mechanism_row(type)->params };

    if (m.shape == PARAMS_iv) {
        m.params.iv.bytes = view_slice(VIEW_TEXT("an iv of 16 byte"), 0,
                                       cipher_row(mechanism_row(type))->block);
    } else if (m.shape == PARAMS_gcm) {
        m.params.gcm.iv = VIEW_TEXT("twelve bytes");
        m.params.gcm.aad = VIEW_TEXT("additional data");
        m.params.gcm.tag_bits = 128;
    } else if (m.shape == PARAMS_oaep) {
        m.params.oaep.hash = CKM_SHA256;
        m.params.oaep.mgf = CKG_MGF1_SHA256;
        m.params.oaep.source = CKZ_DATA_SPECIFIED;
    } else if (m.shape == PARAMS_ecdh_aes) {
        m.params.ecdh_aes = (struct params_ecdh_aes){ 128, CKD_SHA256_KDF, VIEW_TEXT("shared") };
    } else if (m.shape == PARAMS_rsa_aes) {
        m.params.rsa_aes = (struct params_rsa_aes){ 192, { CKM_SHA256, CKG_MGF1_SHA256,
                                                           CKZ_DATA_SPECIFIED, VIEW_EMPTY } };
    }
    return m;
}

/* The blob stays until the next one. */
static CK_RV
wrap(struct app *app, struct mechanism mechanism, uint32_t wrapping, uint32_t key, view *ret_blob)
{
    const struct wrap_request m = { mechanism, wrapping, key, BLOB_MAX };
    struct wrap_reply reply;
    CK_RV rv = app_send_wrap(app, &m, &reply);

    if (rv == CKR_OK) {
        assert_true(reply.data.len <= BLOB_MAX);
        memcpy(blob, reply.data.data, reply.data.len);
        *ret_blob = view_of(blob, reply.data.len);
    }
    return rv;
}

static CK_RV
unwrap(struct app *app, struct mechanism mechanism, uint32_t unwrapping, view wrapped,
       view template, uint32_t *ret_key)
{
    const struct unwrap_request m = { mechanism, unwrapping, wrapped, app->handle++, template };
    struct unwrap_reply reply;
    CK_RV rv = app_send_unwrap(app, &m, &reply);

    if (rv == CKR_OK) {
        assert_int_equal(info_array_count(reply.made), 1);
        *ret_key = info_array_get(reply.made, 0).handle;
    }
    return rv;
}

struct ends {
    uint32_t wraps;
    uint32_t unwraps;
};

static struct ends
ends_for(struct fixture *f, const struct mechanism_row *row)
{
    struct pair pair;
    uint32_t key;

    if (row->key_type == CKK_RSA) {
        pair = generate_pair(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                             LIST(ULONG(MODULUS_BITS, 2048), BOOL(WRAP, true)),
                             LIST(BOOL(UNWRAP, true)));
        return (struct ends){ pair.public, pair.private };
    }
    if (row->key_type == CKK_EC) {
        pair = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                             LIST(BYTES(EC_PARAMS, P256_OID), BOOL(WRAP, true)),
                             LIST(BOOL(UNWRAP, true)));
        return (struct ends){ pair.public, pair.private };
    }
    if (row->key_type == CKK_AES) {
        key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(ULONG(VALUE_LEN, 32), WRAPS));
    } else {
        key = generate(&f->cu1, row->key_type == CKK_DES ? CKM_DES_KEY_GEN : CKM_DES3_KEY_GEN,
                       LIST(WRAPS));
    }
    return (struct ends){ key, key };
}

/* ---- there and back ---- */

static void
try_secret(struct fixture *f, const struct mechanism_row *row, struct ends ends, bool both)
{
    static const CK_ULONG lens[] = { 16, 24, 32 };

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN,
                                LIST(ULONG(VALUE_LEN, lens[i]), AES_USES, EXTRACTABLE));
        uint32_t back = 0;
        uint8_t cipher[16];
        view wrapped, out;

        if (!both) {
            continue;
        }
        assert_ok(wrap(&f->cu1, mechanism_of(row->type), ends.wraps, key, &wrapped));
        /* AES-192 in blocks of 16 has to say how long it is. */
        if (wrapping_row(row->type)->zeros == 16 && lens[i] == 24) {
            continue;
        }
        assert_ok(unwrap(&f->cu1, mechanism_of(row->type), ends.unwraps, wrapped,
                         row->out == OUT_raw ? LIST(AES_TYPE, AES_USES, ULONG(VALUE_LEN, lens[i]))
                                             : LIST(AES_TYPE, AES_USES), &back));
        assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key, BLOCK, &out));
        memcpy(cipher, out.data, sizeof cipher);
        assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), back, BLOCK, &out));
        assert_view_equal(out, view_of(cipher, sizeof cipher));
        assert_int_equal(get_ulong(&f->cu1, back, CKA_VALUE_LEN), lens[i]);
        assert_false(get_bool(&f->cu1, back, CKA_LOCAL));
        assert_false(get_bool(&f->cu1, back, CKA_ALWAYS_SENSITIVE));
        assert_false(get_bool(&f->cu1, back, CKA_NEVER_EXTRACTABLE));

        /* Whatever is spoiled, no key comes of it, where there is something to see it by. */
        blob[wrapped.len - 1] ^= 1;
        if (row->out != OUT_same && row->out != OUT_raw && row->type != CKM_RSA_PKCS) {
            CK_RV rv = unwrap(&f->cu1, mechanism_of(row->type), ends.unwraps, wrapped,
                              LIST(AES_TYPE, AES_USES), &back);

            assert_true(rv == CKR_WRAPPED_KEY_INVALID || rv == CKR_WRAPPED_KEY_LEN_RANGE);
        }
    }
}

static void
try_private(struct fixture *f, const struct mechanism_row *row, struct ends ends)
{
    struct pair rsa = generate_pair(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                    LIST(ULONG(MODULUS_BITS, 2048), VERIFY_USES),
                                    LIST(SIGN_USES, EXTRACTABLE));
    struct pair ec = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                                   LIST(BYTES(EC_PARAMS, P256_OID), VERIFY_USES),
                                   LIST(SIGN_USES, EXTRACTABLE));
    const bool one = rules_switch_on(f->hsm.hsm->rules, SWITCH_one_ec_generator);
    struct pair edwards = generate_pair(
        &f->cu1, one ? CKM_EC_KEY_PAIR_GEN : CKM_EC_EDWARDS_KEY_PAIR_GEN,
        LIST(BYTES(EC_PARAMS, ED25519_OID), VERIFY_USES), LIST(SIGN_USES, EXTRACTABLE));
    const struct {
        struct pair pair;
        uint64_t type;
        CK_MECHANISM_TYPE signs;
    } keys[] = { { rsa, CKK_RSA, CKM_SHA256_RSA_PKCS },
                 { ec, CKK_EC, CKM_ECDSA_SHA256 },
                 { edwards, CKK_EC_EDWARDS, CKM_EDDSA } };

    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        uint8_t signature[512];
        uint32_t back = 0;
        view wrapped, made;

        CK_RV rv = wrap(&f->cu1, mechanism_of(row->type), ends.wraps, keys[i].pair.private,
                        &wrapped);

        if (row->out == OUT_kw && wrapping_row(row->type)->zeros == 1 && rv != CKR_OK) {
            assert_code(rv, CKR_KEY_SIZE_RANGE); /* PrivateKeyInfo has any length */
            continue;
        }
        assert_ok(rv);
        assert_ok(unwrap(&f->cu1, mechanism_of(row->type), ends.unwraps, wrapped,
                         LIST(ULONG(CLASS, CKO_PRIVATE_KEY), ULONG(KEY_TYPE, keys[i].type),
                              SIGN_USES), &back));
        assert_ok(app_sign(&f->cu1, mechanism_of(keys[i].signs), back, BLOCK, &made));
        memcpy(signature, made.data, made.len);
        assert_ok(app_verify(&f->cu1, mechanism_of(keys[i].signs), keys[i].pair.public, BLOCK,
                             view_of(signature, made.len)));
        /* It is no key of another type. */
        assert_code(unwrap(&f->cu1, mechanism_of(row->type), ends.unwraps, wrapped,
                           LIST(ULONG(CLASS, CKO_PRIVATE_KEY),
                                ULONG(KEY_TYPE, keys[(i + 1) % ARRAY_COUNT(keys)].type), SIGN_USES), &back),
                    CKR_WRAPPED_KEY_INVALID);
    }
}

static void
each_mechanism_goes_there_and_back(void **state)
{
    struct fixture *f = *state;
    struct rules rules = f->hsm.hsm->rules;
    size_t count, tried = 0;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        const CK_FLAGS functions = mechanism_limit(rules, &rows[i])->functions;
        const bool both = (functions & CKF_WRAP) != 0;
        struct ends ends;

        /* The tables have to agree. */
        assert_true((functions & (CKF_WRAP | CKF_UNWRAP)) == 0 ||
                    wrapping_row(rows[i].type) != NULL);
        if ((functions & CKF_UNWRAP) == 0 ||
            (rows[i].type == CKM_AES_GCM && !rules_switch_on(rules, SWITCH_caller_iv))) {
            continue;
        }
        ends = ends_for(f, &rows[i]);
        try_secret(f, &rows[i], ends, both);
        if (both && wrapping_row(rows[i].type)->any_key) {
            try_private(f, &rows[i], ends);
        }
        tried++;
    }
    assert_in_range(tried, 5, count);
}

/* ---- lengths ---- */

static void
filling_is_taken_off_by_the_length(void **state)
{
    struct fixture *f = *state;
    struct ends ends = ends_for(f, mechanism_row(CKM_AES_KEY_WRAP));
    struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    uint32_t key = create(&f->cu1, LIST(ULONG(CLASS, CKO_SECRET_KEY),
                                        ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                        BYTES(VALUE, "nineteen bytes here"), BOOL(SIGN, true),
                                        BOOL(SENSITIVE, false), EXTRACTABLE));
    uint32_t back = 0;
    view wrapped;

    assert_ok(wrap(&f->cu1, kw, ends.wraps, key, &wrapped));
    assert_int_equal(wrapped.len, 32);
#define BACK(len)                                                                           \
    unwrap(&f->cu1, kw, ends.unwraps, wrapped,                                              \
           LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_GENERIC_SECRET),          \
                ULONG(VALUE_LEN, len), BOOL(SENSITIVE, false), EXTRACTABLE), &back)
    assert_ok(BACK(19));
    assert_view_equal(get(&f->cu1, back, CKA_VALUE), VIEW_TEXT("nineteen bytes here"));
    assert_ok(BACK(24));
    assert_code(BACK(18), CKR_WRAPPED_KEY_INVALID); /* not only zeros follow */
    assert_code(BACK(16), CKR_WRAPPED_KEY_LEN_RANGE);
    assert_code(BACK(25), CKR_WRAPPED_KEY_LEN_RANGE);
    /* Where nothing is filled up there is nothing to take off. */
    assert_code(wrap(&f->cu1, mechanism_of(CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD), ends.wraps, key,
                     &wrapped), CKR_KEY_SIZE_RANGE);
}

/* A DES key says by its type how long it is, and its parity is looked at again. */
static void
filling_is_taken_off_by_the_type(void **state)
{
    struct fixture *f = *state;
    struct ends ends = ends_for(f, mechanism_row(CKM_AES_CBC));
    struct mechanism cbc = mechanism_of(CKM_AES_CBC);
    uint32_t key = create(&f->cu1, LIST(ULONG(CLASS, CKO_SECRET_KEY),
                                        ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                        BYTES(VALUE, "aaaaaaaabbbbbbbbdddddddd"),
                                        BOOL(SIGN, true), BOOL(SENSITIVE, false), EXTRACTABLE));
    uint32_t odd = create(&f->cu1, LIST(ULONG(CLASS, CKO_SECRET_KEY),
                                        ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                        BYTES(VALUE, "aaaaaaaabbbbbbbbcccccccc"),
                                        BOOL(SIGN, true), BOOL(SENSITIVE, false), EXTRACTABLE));
    uint32_t back = 0;
    view wrapped;

#define DES(type)                                                                        \
    unwrap(&f->cu1, cbc, ends.unwraps, wrapped,                                          \
           LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, type), BOOL(SENSITIVE, false), \
                EXTRACTABLE), &back)
    assert_ok(wrap(&f->cu1, cbc, ends.wraps, key, &wrapped));
    assert_int_equal(wrapped.len, 32);
    assert_ok(DES(CKK_DES3));
    assert_view_equal(get(&f->cu1, back, CKA_VALUE), VIEW_TEXT("aaaaaaaabbbbbbbbdddddddd"));
    assert_code(DES(CKK_DES2), CKR_WRAPPED_KEY_LEN_RANGE);
    assert_ok(wrap(&f->cu1, cbc, ends.wraps, odd, &wrapped));
    assert_code(DES(CKK_DES3), CKR_WRAPPED_KEY_INVALID);
#undef DES
}

/* PKCS #11 v3.1, 6.1.13: as many bytes as the template says, from the end of the block. */
static void
raw_rsa_gives_the_end_of_the_block(void **state)
{
    struct fixture *f = *state;
    struct ends ends = ends_for(f, mechanism_row(CKM_RSA_X_509));
    struct mechanism raw = mechanism_of(CKM_RSA_X_509);
    uint32_t key = create(&f->cu1, LIST(ULONG(CLASS, CKO_SECRET_KEY),
                                        ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                        BYTES(VALUE, "nineteen bytes here"), BOOL(SIGN, true),
                                        BOOL(SENSITIVE, false), EXTRACTABLE));
    uint32_t back = 0;
    view wrapped;

    assert_ok(wrap(&f->cu1, raw, ends.wraps, key, &wrapped));
    assert_int_equal(wrapped.len, 256);
#define END(len)                                                                            \
    unwrap(&f->cu1, raw, ends.unwraps, wrapped,                                             \
           LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_GENERIC_SECRET),          \
                ULONG(VALUE_LEN, len), BOOL(SENSITIVE, false), EXTRACTABLE), &back)
    assert_ok(END(19));
    assert_view_equal(get(&f->cu1, back, CKA_VALUE), VIEW_TEXT("nineteen bytes here"));
    assert_ok(END(4));
    assert_view_equal(get(&f->cu1, back, CKA_VALUE), VIEW_TEXT("here"));
    assert_ok(END(256));
    assert_code(END(257), CKR_WRAPPED_KEY_LEN_RANGE);
    assert_code(unwrap(&f->cu1, raw, ends.unwraps, wrapped, LIST(AES_TYPE, AES_USES), &back),
                CKR_TEMPLATE_INCOMPLETE);
    assert_code(unwrap(&f->cu1, raw, ends.unwraps, view_slice(wrapped, 0, 255),
                       LIST(AES_TYPE, ULONG(VALUE_LEN, 16)), &back), CKR_WRAPPED_KEY_LEN_RANGE);
    memset(blob, 0xff, 256);
    assert_code(END(16), CKR_WRAPPED_KEY_INVALID);
}

/* A wrong padding is not told: another key comes of it, always the same, or none for its length. */
static void
pkcs1_padding_is_not_told(void **state)
{
    struct fixture *f = *state;
    struct ends ends = ends_for(f, mechanism_row(CKM_RSA_PKCS));
    struct mechanism pkcs1 = mechanism_of(CKM_RSA_PKCS);
    uint32_t key = create(&f->cu1, LIST(ULONG(CLASS, CKO_SECRET_KEY),
                                        ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                                        BYTES(VALUE, "nineteen bytes here"), BOOL(SIGN, true),
                                        BOOL(SENSITIVE, false), EXTRACTABLE));
    view template = LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_GENERIC_SECRET),
                         BOOL(SENSITIVE, false), EXTRACTABLE);
    unsigned made = 0;
    uint32_t back = 0;
    view wrapped;

    assert_ok(wrap(&f->cu1, pkcs1, ends.wraps, key, &wrapped));
    for (unsigned i = 0; i < 20; i++) {
        uint8_t value[256];
        size_t len = 0;

        blob[i * 12 + 5] ^= 1;
        for (unsigned k = 0; k < 2; k++) {
            CK_RV rv = unwrap(&f->cu1, pkcs1, ends.unwraps, wrapped, template, &back);

            if (rv != CKR_OK) {
                assert_code(rv, CKR_WRAPPED_KEY_INVALID); /* there is no key of no bytes */
            } else if (k == 0) {
                view there = get(&f->cu1, back, CKA_VALUE);

                assert_false(view_equal(there, VIEW_TEXT("nineteen bytes here")));
                len = there.len;
                memcpy(value, there.data, len);
                made++;
            } else {
                assert_view_equal(get(&f->cu1, back, CKA_VALUE), view_of(value, len));
            }
        }
    }
    assert_in_range(made, 15, 20);
    memset(blob, 0xff, 256);
    assert_code(unwrap(&f->cu1, pkcs1, ends.unwraps, wrapped, template, &back),
                CKR_WRAPPED_KEY_INVALID); /* a number as big as that has no padding to tell of */
}

static void
too_little_room_says_how_much(void **state)
{
    struct fixture *f = *state;
    struct ends ends = ends_for(f, mechanism_row(CKM_AES_KEY_WRAP));
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, EXTRACTABLE));
    struct wrap_request m = { mechanism_of(CKM_AES_KEY_WRAP), ends.wraps, key, 39 };
    struct wrap_reply reply;

    assert_code(app_send_wrap(&f->cu1, &m, &reply), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(f->cu1.needed, 40);
    m.max = 40;
    assert_ok(app_send_wrap(&f->cu1, &m, &reply));
}

/* ---- who may ---- */

static void
refusals_have_their_codes(void **state)
{
    struct fixture *f = *state;
    struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    struct ends ends = ends_for(f, mechanism_row(CKM_AES_KEY_WRAP));
    uint32_t plain = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, EXTRACTABLE));
    uint32_t bound = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE,
                                                             BOOL(EXTRACTABLE, false)));
    uint32_t careful = generate(&f->cu1, CKM_AES_KEY_GEN,
                                LIST(AES_GENERATE, EXTRACTABLE, BOOL(WRAP_WITH_TRUSTED, true)));
    struct pair rsa = generate_pair(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                    LIST(ULONG(MODULUS_BITS, 2048), BOOL(WRAP, true)),
                                    LIST(BOOL(UNWRAP, true), EXTRACTABLE));
    uint32_t back = 0;
    view out;

    assert_code(wrap(&f->cu1, kw, 0x7777, plain, &out), CKR_WRAPPING_KEY_HANDLE_INVALID);
    assert_code(wrap(&f->cu1, kw, rsa.public, plain, &out), CKR_WRAPPING_KEY_TYPE_INCONSISTENT);
    assert_code(wrap(&f->cu1, kw, plain, plain, &out), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_code(wrap(&f->cu1, kw, ends.wraps, 0x7777, &out), CKR_KEY_HANDLE_INVALID);
    assert_code(wrap(&f->cu1, kw, ends.wraps, bound, &out), CKR_KEY_UNEXTRACTABLE);
    assert_code(wrap(&f->cu1, kw, ends.wraps, careful, &out), CKR_KEY_NOT_WRAPPABLE);
    assert_code(wrap(&f->cu1, kw, ends.wraps, rsa.public, &out), CKR_KEY_NOT_WRAPPABLE);
    assert_code(wrap(&f->cu1, mechanism_of(CKM_RSA_PKCS), rsa.public, rsa.private, &out),
                CKR_KEY_NOT_WRAPPABLE);
    assert_code(wrap(&f->cu1, mechanism_plain(CKM_SHA256), ends.wraps, plain, &out),
                CKR_MECHANISM_INVALID);

    assert_ok(wrap(&f->cu1, kw, ends.wraps, plain, &out));
    assert_code(unwrap(&f->cu1, kw, 0x7777, out, LIST(AES_TYPE), &back),
                CKR_UNWRAPPING_KEY_HANDLE_INVALID);
    assert_code(unwrap(&f->cu1, kw, rsa.private, out, LIST(AES_TYPE), &back),
                CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT);
    assert_code(unwrap(&f->cu1, kw, plain, out, LIST(AES_TYPE), &back),
                CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_code(unwrap(&f->cu1, kw, ends.unwraps, out, VIEW_EMPTY, &back),
                CKR_TEMPLATE_INCOMPLETE);
    assert_code(unwrap(&f->cu1, kw, ends.unwraps, out, LIST(ULONG(CLASS, CKO_SECRET_KEY)), &back),
                CKR_TEMPLATE_INCOMPLETE);
    assert_code(unwrap(&f->cu1, kw, ends.unwraps, out, LIST(ULONG(CLASS, CKO_PUBLIC_KEY),
                                                            ULONG(KEY_TYPE, CKK_RSA)), &back),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(unwrap(&f->cu1, kw, ends.unwraps, view_slice(out, 0, 20), LIST(AES_TYPE), &back),
                CKR_WRAPPED_KEY_LEN_RANGE);
    assert_int_equal(back, 0);
}

static void
a_template_of_the_wrapping_key_chooses_what_it_wraps(void **state)
{
    struct fixture *f = *state;
    struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    view only = LIST(ULONG(KEY_TYPE, CKK_AES), BOOL(ENCRYPT, true));
    uint32_t wrapping = generate(&f->cu1, CKM_AES_KEY_GEN,
                                 LIST(ULONG(VALUE_LEN, 32), WRAPS,
                                      VIEW(CKA_WRAP_TEMPLATE, only)));
    uint32_t good = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, EXTRACTABLE));
    uint32_t other = generate(&f->cu1, CKM_AES_KEY_GEN,
                              LIST(ULONG(VALUE_LEN, 32), BOOL(ENCRYPT, false), EXTRACTABLE));
    view out;

    assert_ok(wrap(&f->cu1, kw, wrapping, good, &out));
    assert_code(wrap(&f->cu1, kw, wrapping, other, &out), CKR_KEY_HANDLE_INVALID);
}

static void
a_template_of_the_unwrapping_key_is_not_overridden(void **state)
{
    struct fixture *f = *state;
    struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    view always = LIST(BOOL(SENSITIVE, true), BOOL(EXTRACTABLE, false));
    uint32_t unwrapping = generate(&f->cu1, CKM_AES_KEY_GEN,
                                   LIST(ULONG(VALUE_LEN, 32), WRAPS,
                                        VIEW(CKA_UNWRAP_TEMPLATE, always)));
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, EXTRACTABLE));
    uint32_t back = 0;
    view out;

    assert_ok(wrap(&f->cu1, kw, unwrapping, key, &out));
    assert_ok(unwrap(&f->cu1, kw, unwrapping, out, LIST(AES_TYPE, AES_USES), &back));
    assert_true(get_bool(&f->cu1, back, CKA_SENSITIVE));
    assert_false(get_bool(&f->cu1, back, CKA_EXTRACTABLE));
    assert_code(unwrap(&f->cu1, kw, unwrapping, out, LIST(AES_TYPE, EXTRACTABLE), &back),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(unwrap(&f->cu1, kw, unwrapping, out, LIST(AES_TYPE, BOOL(SENSITIVE, false)),
                       &back), CKR_TEMPLATE_INCONSISTENT);
}

static void
in_azure_what_comes_back_is_sensitive(void **state)
{
    struct fixture *f = *state;
    struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    struct ends ends = ends_for(f, mechanism_row(CKM_AES_KEY_WRAP));
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, EXTRACTABLE));
    uint32_t back = 0;
    view out;

    assert_ok(wrap(&f->cu1, kw, ends.wraps, key, &out));
    assert_ok(unwrap(&f->cu1, kw, ends.unwraps, out, LIST(AES_TYPE, AES_USES), &back));
    assert_true(get_bool(&f->cu1, back, CKA_SENSITIVE));
    assert_int_equal(get_status(&f->cu1, back, CKA_VALUE), ATTRIBUTE_SENSITIVE);
    /* A caller's own initial value is not taken. */
    kw.params.wrap_iv.bytes = VIEW_TEXT("8 bytes!");
    assert_code(wrap(&f->cu1, kw, ends.wraps, key, &out), CKR_MECHANISM_PARAM_INVALID);
    kw.params.wrap_iv.bytes = VIEW_TEXT("\xa6\xa6\xa6\xa6\xa6\xa6\xa6\xa6");
    assert_ok(wrap(&f->cu1, kw, ends.wraps, key, &out));
}

static void
a_token_key_comes_back_for_good(void **state)
{
    struct fixture *f = *state;
    struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    struct ends ends = ends_for(f, mechanism_row(CKM_AES_KEY_WRAP));
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, EXTRACTABLE));
    struct unwrap_request m = { .mechanism = kw, .unwrapping = ends.unwraps,
                                .template = LIST(AES_TYPE, AES_USES, TOKEN_YES) };
    struct unwrap_reply reply;
    uint32_t back;
    view out;

    assert_ok(wrap(&f->cu1, kw, ends.wraps, key, &out));
    m.wrapped = out;
    assert_ok(app_send_unwrap(&f->cu1, &m, &reply));
    back = info_array_get(reply.made, 0).handle;
    assert_true(app_finds(&f->cu1, back));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_true(app_finds(&f->cu1, back));
}

/* The sibling's CKM_AES_KEY_WRAP, for who has its blobs. */
static void
a_switch_brings_the_siblings_padding_back(void **state)
{
    struct fixture *f = *state;
    const struct mechanism kw = mechanism_of(CKM_AES_KEY_WRAP);
    const struct mechanism padded = mechanism_of(CKM_CLOUDHSM_AES_KEY_WRAP_PKCS5_PAD);
    uint32_t kek = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(ULONG(VALUE_LEN, 32), WRAPS));
    uint32_t key = generate(&f->cu1, CKM_AES_KEY_GEN,
                            LIST(ULONG(VALUE_LEN, 16), AES_USES, EXTRACTABLE));
    uint32_t back = 0;
    uint8_t with[32];
    view wrapped;

    assert_ok(wrap(&f->cu1, kw, kek, key, &wrapped));
    assert_int_equal(wrapped.len, 24); /* RFC 3394 */

    assert_true(rules_switches_read(&f->hsm.hsm->rules, VIEW_TEXT("wrap_pkcs5=on")));
    assert_ok(wrap(&f->cu1, kw, kek, key, &wrapped));
    assert_int_equal(wrapped.len, sizeof with);
    memcpy(with, wrapped.data, sizeof with);
    assert_ok(unwrap(&f->cu1, kw, kek, view_of(with, sizeof with), LIST(AES_TYPE, AES_USES), &back));
    assert_int_equal(get_ulong(&f->cu1, back, CKA_VALUE_LEN), 16);
    assert_ok(wrap(&f->cu1, padded, kek, key, &wrapped));
    assert_view_equal(wrapped, view_of(with, sizeof with));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(each_mechanism_goes_there_and_back),
        AZURE(each_mechanism_goes_there_and_back),
        FIPS(each_mechanism_goes_there_and_back),
        STANDARD(filling_is_taken_off_by_the_length),
        STANDARD(filling_is_taken_off_by_the_type),
        STANDARD(raw_rsa_gives_the_end_of_the_block),
        STANDARD(pkcs1_padding_is_not_told),
        STANDARD(too_little_room_says_how_much),
        STANDARD(refusals_have_their_codes),
        STANDARD(a_template_of_the_wrapping_key_chooses_what_it_wraps),
        STANDARD(a_template_of_the_unwrapping_key_is_not_overridden),
        AZURE(in_azure_what_comes_back_is_sensitive),
        STANDARD(a_token_key_comes_back_for_good),
        STANDARD(a_switch_brings_the_siblings_padding_back),
        AZURE(a_switch_brings_the_siblings_padding_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
