/* SPDX-License-Identifier: Apache-2.0
 *
 * Every row of the mechanism table does what it says, in one part and in many, and nothing
 * else. A row that nobody exercises here fails.
 */
#include "unit/core/core_test.h"

#define DATA_LEN 4096u

struct bench {
    struct fixture *f;
    struct app *app;
    struct rules rules;
    struct pair rsa;
    struct pair ec;
    struct pair edwards;
    uint32_t aes;
    uint32_t generic;
    uint32_t aes16;
    uint32_t des, des3;
    uint32_t rc4; /* 0, as des, where the policy has none */
    uint32_t chacha20, poly1305, xts;
    uint32_t premaster; /* of TLS: 48 bytes */
    uint8_t data[DATA_LEN];
};

/* What a row is tried with. */
struct sample {
    const struct mechanism_row *row;
    struct mechanism mechanism;
    uint32_t forward;  /* encrypts or verifies */
    uint32_t backward; /* decrypts or signs */
    view data;
};

static struct bench *
bench_new(struct fixture *f)
{
    struct bench *b = calloc(1, sizeof *b);
    struct app *app = &f->cu1;

    assert_non_null(b);
    b->f = f;
    b->app = app;
    b->rules = (struct rules){ f->hsm.policy, INTERFACE_P11, 0 };
    b->rsa = generate_pair(app, CKM_RSA_PKCS_KEY_PAIR_GEN,
                           LIST(ULONG(MODULUS_BITS, 2048), BOOL(ENCRYPT, true),
                                BOOL(VERIFY_RECOVER, true), VERIFY_USES),
                           LIST(BOOL(DECRYPT, true), BOOL(SIGN_RECOVER, true), SIGN_USES));
    b->ec = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID), VERIFY_USES),
                          LIST(SIGN_USES, BOOL(DERIVE, true)));
    b->edwards = generate_pair(
        app, rules_switch_on(b->rules, SWITCH_one_ec_generator) ? CKM_EC_KEY_PAIR_GEN
                                                               : CKM_EC_EDWARDS_KEY_PAIR_GEN,
        LIST(BYTES(EC_PARAMS, ED25519_OID), VERIFY_USES), LIST(SIGN_USES));
    b->aes = generate(app, CKM_AES_KEY_GEN, LIST(AES_GENERATE, BOOL(DERIVE, true)));
    b->generic = generate(app, CKM_GENERIC_SECRET_KEY_GEN,
                          LIST(AES_GENERATE, BOOL(DERIVE, true)));
    b->aes16 = generate(app, CKM_AES_KEY_GEN, LIST(ULONG(VALUE_LEN, 16), AES_USES));
    if (b->rules.policy != POLICY_FIPS) {
        b->des = generate(app, CKM_DES_KEY_GEN, LIST(AES_USES));
        b->rc4 = generate(app, CKM_RC4_KEY_GEN, LIST(AES_GENERATE));
    }
    if (b->rules.policy == POLICY_STANDARD) {
        b->chacha20 = generate(app, CKM_CHACHA20_KEY_GEN, LIST(AES_USES));
        b->xts = generate(app, CKM_AES_XTS_KEY_GEN, LIST(ULONG(VALUE_LEN, 64), AES_USES));
        b->poly1305 = generate(app, CKM_POLY1305_KEY_GEN, LIST(AES_USES));
    }
    b->des3 = generate(app, CKM_DES3_KEY_GEN, LIST(AES_USES));
    b->premaster = generate(app, CKM_GENERIC_SECRET_KEY_GEN,
                            LIST(ULONG(VALUE_LEN, 48), BOOL(DERIVE, true)));
    for (size_t i = 0; i < DATA_LEN; i++) {
        b->data[i] = (uint8_t)(i * 7 + i / 256);
    }
    return b;
}

/* ---- samples ---- */

static struct mechanism
sample_mechanism(const struct bench *b, const struct mechanism_row *row, CK_FLAGS function)
{
    static const uint8_t zeros[12];
    struct mechanism m = { .type = (uint32_t)row->type, .shape = row->params };
    const struct hash_row *hash = hash_row(row->hash == HASH_NONE ? HASH_SHA256 : row->hash);
    bool own_iv = rules_switch_on(b->rules, SWITCH_caller_iv) || function != CKF_ENCRYPT;

    switch (row->params) {
    case PARAMS_none:
    case PARAMS_eddsa:
        break;
    case PARAMS_iv:
        m.params.iv.bytes =
            view_slice(VIEW_TEXT("an iv of 16 byte"), 0, cipher_row(row)->block);
        break;
    case PARAMS_wrap_iv:
        break;
    case PARAMS_ctr:
        m.params.ctr.bits = 64;
        m.params.ctr.block = VIEW_TEXT("an iv of 16 byte");
        break;
    case PARAMS_gcm:
        m.params.gcm.iv = row->out == OUT_sealed ? VIEW_EMPTY
                          : own_iv               ? VIEW_TEXT("twelve bytes")
                                                 : view_of(zeros, sizeof zeros);
        m.params.gcm.aad = row->out == OUT_mac ? VIEW_EMPTY : VIEW_TEXT("additional data");
        m.params.gcm.tag_bits = 128;
        break;
    case PARAMS_ccm:
        m.params.ccm = (struct params_ccm){ DATA_LEN - 5, VIEW_TEXT("twelve bytes"),
                                            VIEW_TEXT("additional data"), 10 };
        break;
    case PARAMS_chacha20:
        m.params.chacha20 = (struct params_chacha20){ VIEW_TEXT("\x01\0\0\0"),
                                                      VIEW_TEXT("twelve bytes") };
        break;
    case PARAMS_chacha_poly:
        m.params.chacha_poly = (struct params_chacha_poly){ VIEW_TEXT("twelve bytes"),
                                                            VIEW_TEXT("additional data") };
        break;
    case PARAMS_tls_mac:
        m.params.tls_mac = (struct params_tls_mac){ CKM_SHA256, 12, TLS_MAC_SERVER };
        break;
    case PARAMS_oaep:
        m.params.oaep.hash = CKM_SHA256;
        m.params.oaep.mgf = CKG_MGF1_SHA256;
        m.params.oaep.source = CKZ_DATA_SPECIFIED;
        break;
    case PARAMS_ecdh_aes:
        m.params.ecdh_aes = (struct params_ecdh_aes){ 256, CKD_SHA256_KDF, VIEW_TEXT("shared") };
        break;
    case PARAMS_rsa_aes:
        m.params.rsa_aes = (struct params_rsa_aes){ 256, { CKM_SHA256, CKG_MGF1_SHA256,
                                                           CKZ_DATA_SPECIFIED, VIEW_EMPTY } };
        break;
    case PARAMS_pss:
        m.params.pss.hash = (uint32_t)hash->mechanism;
        m.params.pss.mgf = (uint32_t)hash->mgf;
        m.params.pss.salt_len = (uint32_t)hash->length;
        break;
    case PARAMS_hkdf:
        m.params.hkdf = (struct params_hkdf){ .extract = 1, .expand = 1, .hash = CKM_SHA256,
                                              .salt_type = CKF_HKDF_SALT_NULL };
        break;
    case PARAMS_pbkd2:
        m.params.pbkd2 = (struct params_pbkd2){ CKZ_SALT_SPECIFIED, VIEW_TEXT("salt"), 1000,
                                                CKP_PKCS5_PBKD2_HMAC_SHA256, VIEW_EMPTY,
                                                VIEW_TEXT("password") };
        break;
    case PARAMS_data:
        m.params.data.bytes = view_of(b->data, 48);
        break;
    case PARAMS_cbc_data:
        m.params.cbc_data = (struct params_cbc_data){ VIEW_TEXT("an iv of 16 byte"),
                                                      view_of(b->data, 48) };
        break;
    case PARAMS_number:
        m.params.number.number = row->out == OUT_mac                     ? 5
                                 : row->type == CKM_EXTRACT_KEY_FROM_KEY ? 21
                                                                         : b->generic;
        break;
    case PARAMS_tls_master:
        m.params.tls_master = (struct params_tls_master){ VIEW_TEXT("client"), VIEW_TEXT("server"),
                                                          0, CKM_SHA256 };
        break;
    case PARAMS_tls_extended:
        m.params.tls_extended = (struct params_tls_extended){ CKM_SHA256, VIEW_TEXT("hash"), 0 };
        break;
    case PARAMS_tls_keys:
        m.params.tls_keys = (struct params_tls_keys){ 0, 0, 0, 0, VIEW_TEXT("client"),
                                                      VIEW_TEXT("server"), 1, CKM_SHA256 };
        break;
    case PARAMS_tls_kdf:
        m.params.tls_kdf = (struct params_tls_kdf){ CKM_SHA256, VIEW_TEXT("label"),
                                                    VIEW_TEXT("client"), VIEW_TEXT("server"),
                                                    VIEW_EMPTY };
        break;
    case PARAMS_kbkdf:
        m.params.kbkdf.prf = CKM_SHA256_HMAC;
        m.params.kbkdf.items.count = 1;
        m.params.kbkdf.items.item[0].type = CK_SP800_108_ITERATION_VARIABLE;
        m.params.kbkdf.items.item[0].width = row->type == CKM_SP800_108_DOUBLE_PIPELINE_KDF ? 0 : 16;
        break;
    case PARAMS_feedback:
        m.params.feedback.prf = CKM_SHA256_HMAC;
        m.params.feedback.items.count = 1;
        m.params.feedback.items.item[0].type = CK_SP800_108_ITERATION_VARIABLE;
        break;
    case PARAMS_ecdh:
        m.params.ecdh.kdf = CKD_SHA256_KDF;
        m.params.ecdh.point = VIEW_TEXT(P256_POINT);
        break;
    }
    return m;
}

static struct sample
sample_of(const struct bench *b, const struct mechanism_row *row, CK_FLAGS function)
{
    struct sample sample = { .row = row, .mechanism = sample_mechanism(b, row, function) };
    size_t len = DATA_LEN - 5;

    switch (row->key_type) {
    case CKK_RSA:
        sample.forward = b->rsa.public;
        sample.backward = b->rsa.private;
        break;
    case CKK_EC:
        sample.forward = b->ec.public;
        sample.backward = b->ec.private;
        break;
    case CKK_EC_EDWARDS:
        sample.forward = b->edwards.public;
        sample.backward = b->edwards.private;
        break;
    case CKK_AES:
        sample.forward = sample.backward =
            row->limit[POLICY_STANDARD].max == 16 ? b->aes16 : b->aes;
        break;
    case CKK_CHACHA20:
        sample.forward = sample.backward = b->chacha20;
        break;
    case CKK_AES_XTS:
        sample.forward = sample.backward = b->xts;
        break;
    case CKK_POLY1305:
        sample.forward = sample.backward = b->poly1305;
        break;
    case CKK_RC4:
        sample.forward = sample.backward = b->rc4;
        break;
    case CKK_DES:
        sample.forward = sample.backward = b->des;
        break;
    case CKK_DES3:
        sample.forward = sample.backward = b->des3;
        break;
    case CKK_GENERIC_SECRET:
    case KEY_TYPE_SECRET:
        sample.forward = sample.backward = b->generic;
        break;
    default:
        break;
    }
    if (!row->multi) {
        len = row->out == OUT_raw ? 256 : 32; /* a block, a hash, a wrapped key */
    } else if (row->params == PARAMS_tls_mac) {
        len = 64; /* of a hash */
    } else if (row->out == OUT_same && row->params != PARAMS_ctr) {
        len = DATA_LEN; /* whole blocks */
    }
    sample.data = view_of(b->data, len);
    return sample;
}

/* ---- in many parts ---- */

static const size_t chunks[] = { 1, 15, 16, 17, 1000, DATA_LEN };

/* All of the output; false when a step failed, with the code of the last one in app->answer. */
static bool
in_parts(struct app *app, CK_FLAGS function, struct mechanism mechanism, uint32_t key, view data,
         size_t chunk, view signature, struct writer *out)
{
    view part;

    writer_reset(out);
    if (app_start(app, function, mechanism, key) != CKR_OK) {
        return false;
    }
    for (size_t at = 0; at < data.len; at += chunk) {
        if (app_update(app, function, view_slice(data, at, chunk), &part) != CKR_OK) {
            return false;
        }
        write_raw(out, part);
    }
    if (app_final(app, function, signature, &part) != CKR_OK) {
        return false;
    }
    write_raw(out, part);
    assert_true(writer_ok(out));
    return true;
}

/* Decryption of an AEAD: once for the tag, once for the plaintext. */
static bool
in_two_passes(struct app *app, struct mechanism mechanism, uint32_t key, view data, size_t chunk,
              struct writer *out)
{
    const struct start_request m = { CKF_DECRYPT, mechanism, key, true };
    struct start_reply answer;
    view part;

    *app_step(app, CKF_DECRYPT) = 0;
    assert_ok(app_send_start(app, &m, &answer));
    for (size_t at = 0; at < data.len; at += chunk) {
        assert_ok(app_update(app, CKF_DECRYPT, view_slice(data, at, chunk), &part));
        assert_int_equal(part.len, 0);
    }
    assert_ok(app_final(app, CKF_DECRYPT, VIEW_EMPTY, &part));
    assert_int_equal(part.len, 0);
    return in_parts(app, CKF_DECRYPT, mechanism, key, data, chunk, VIEW_EMPTY, out);
}

/* ---- functions ---- */

static bool
is_generated_iv(const struct bench *b, const struct sample *sample)
{
    return params_wants_iv(b->rules, CKF_ENCRYPT, &sample->mechanism);
}

static void
try_encryption(struct bench *b, struct sample *sample)
{
    const struct encrypt_request m = { sample->mechanism, sample->forward, APP_ROOM_MAX,
                                       sample->data };
    struct encrypt_reply answer;
    struct mechanism back = sample->mechanism;
    uint8_t cipher[DATA_LEN + 64], iv[12];
    struct writer out;
    view plain;
    size_t len;

    writer_init(&out, DATA_LEN * 2);
    assert_ok(app_send_encrypt(b->app, &m, &answer));
    len = answer.data.len;
    assert_true(len <= sizeof cipher);
    memcpy(cipher, answer.data.data, len);
    if (is_generated_iv(b, sample)) {
        assert_int_equal(answer.iv.len, sizeof iv);
        memcpy(iv, answer.iv.data, sizeof iv);
        if (sample->row->out != OUT_sealed) {
            back.params.gcm.iv = view_of(iv, sizeof iv);
        }
    } else {
        assert_int_equal(answer.iv.len, 0);
    }
    assert_false(view_equal(view_of(cipher, len), sample->data));

    assert_ok(app_decrypt(b->app, back, sample->backward, view_of(cipher, len), &plain));
    assert_view_equal(plain, sample->data);

    for (size_t i = 0; sample->row->multi && i < ARRAY_COUNT(chunks); i++) {
        if (!is_generated_iv(b, sample)) {
            assert_true(in_parts(b->app, CKF_ENCRYPT, sample->mechanism, sample->forward,
                                 sample->data, chunks[i], VIEW_EMPTY, &out));
            assert_view_equal(writer_view(&out), view_of(cipher, len));
        }
        if (sample->row->out == OUT_tag) {
            assert_true(in_two_passes(b->app, back, sample->backward, view_of(cipher, len),
                                      chunks[i], &out));
        } else {
            assert_true(in_parts(b->app, CKF_DECRYPT, back, sample->backward,
                                 view_of(cipher, len), chunks[i], VIEW_EMPTY, &out));
        }
        assert_view_equal(writer_view(&out), sample->data);
    }
    writer_clear(&out);
}

static void
try_signature(struct bench *b, struct sample *sample)
{
    uint8_t signature[512], other[DATA_LEN];
    size_t len = sample->data.len;
    struct writer out;
    view made;

    writer_init(&out, 1024);
    assert_ok(app_sign(b->app, sample->mechanism, sample->backward, sample->data, &made));
    assert_in_range(made.len, sample->row->out == OUT_mac ? 4 : 16, sizeof signature);
    memcpy(signature, made.data, made.len);
    made.data = signature;
    assert_ok(app_verify(b->app, sample->mechanism, sample->forward, sample->data, made));

    memcpy(other, sample->data.data, len);
    other[len - 1] ^= 1;
    assert_code(app_verify(b->app, sample->mechanism, sample->forward, view_of(other, len), made),
                CKR_SIGNATURE_INVALID);
    signature[made.len - 1] ^= 1;
    assert_code(app_verify(b->app, sample->mechanism, sample->forward, sample->data, made),
                CKR_SIGNATURE_INVALID);
    signature[made.len - 1] ^= 1;
    assert_code(app_verify(b->app, sample->mechanism, sample->forward, sample->data,
                           view_slice(made, 0, made.len - 1)), CKR_SIGNATURE_LEN_RANGE);

    for (size_t i = 0; sample->row->multi && i < ARRAY_COUNT(chunks); i++) {
        assert_true(in_parts(b->app, CKF_VERIFY, sample->mechanism, sample->forward, sample->data,
                             chunks[i], made, &out));
        assert_int_equal(out.len, 0);
        assert_false(in_parts(b->app, CKF_VERIFY, sample->mechanism, sample->forward,
                              view_of(other, len), chunks[i], made, &out));
        assert_code(b->app->answer.code, CKR_SIGNATURE_INVALID);
        assert_true(in_parts(b->app, CKF_SIGN, sample->mechanism, sample->backward, sample->data,
                             chunks[i], VIEW_EMPTY, &out));
        assert_ok(app_verify(b->app, sample->mechanism, sample->forward, sample->data,
                             writer_view(&out)));
    }
    writer_clear(&out);
}

static void
try_digest(struct bench *b, struct sample *sample)
{
    uint8_t digest[64];
    struct writer out;
    view made;

    writer_init(&out, 1024);
    assert_ok(app_digest(b->app, sample->row->type, sample->data, &made));
    assert_int_equal(made.len, hash_row(sample->row->hash)->length);
    memcpy(digest, made.data, made.len);
    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        assert_true(in_parts(b->app, CKF_DIGEST, sample->mechanism, 0, sample->data, chunks[i],
                             VIEW_EMPTY, &out));
        assert_view_equal(writer_view(&out), view_of(digest, made.len));
    }
    writer_clear(&out);
}

static void
try_generation(struct bench *b, const struct mechanism_row *row)
{
    view template = row->key_type == CKK_EC ? LIST(BYTES(EC_PARAMS, P256_OID))
                    : row->key_type == CKK_EC_EDWARDS ? LIST(BYTES(EC_PARAMS, ED25519_OID))
                    : row->key_type == CKK_EC_MONTGOMERY
                        ? LIST(BYTES(EC_PARAMS, X25519_OID))
                        : LIST(ULONG(MODULUS_BITS, 2048));

    if ((mechanism_limit(b->rules, row)->functions & CKF_GENERATE) != 0) {
        const bool fixed = secret_len_fixed(row->key_type) != 0;
        struct generate_key_request m = { sample_mechanism(b, row, CKF_GENERATE), b->app->handle++,
                                          fixed ? LIST(AES_USES) : LIST(AES_GENERATE) };
        struct generate_key_reply answer;

        assert_ok(app_send_generate_key(b->app, &m, &answer));
    } else {
        generate_pair(b->app, row->type, template, VIEW_EMPTY);
    }
}

static void
try_derivation(struct bench *b, struct sample *sample)
{
    struct key_info info = { 0 };

    bool data = sample->row->type == CKM_HKDF_DATA;
    bool master = sample->row->driver == DRIVER_tls && sample->row->params != PARAMS_tls_kdf;
    uint64_t len = sample->row->hash != HASH_NONE && hash_row(sample->row->hash)->length < 32 ? 16
                                                                                             : 32;
    view template = data ? LIST(ULONG(VALUE_LEN, len))
                         : LIST(ULONG(KEY_TYPE, CKK_AES), ULONG(VALUE_LEN, len), AES_USES);

    if (sample->row->params == PARAMS_tls_keys) {
        return; /* makes keys in pairs; test_derive.c has them */
    }
    if (master) {
        len = 48;
        template = VIEW_EMPTY;
        sample->backward = b->premaster;
    }
    assert_ok(app_derive(b->app, sample->mechanism, sample->backward, template, &info));
    assert_int_equal(info.bits, data ? 0 : 8 * len);
}

/* What policies without the functions answer; a raw client can ask all the same. */
static void
try_recovery(struct bench *b, struct sample *sample, bool offered)
{
    const uint32_t rsa_private = sample->row->key_type == CKK_RSA ? b->rsa.private : b->aes;
    struct sign_recover_request sign = { sample->mechanism, rsa_private, APP_ROOM_MAX,
                                         sample->data };
    struct verify_recover_request verify = { sample->mechanism, b->rsa.public, APP_ROOM_MAX,
                                             VIEW_EMPTY };
    struct sign_recover_reply signed_by;
    struct verify_recover_reply recovered;
    uint8_t signature[512];

    if (!offered) {
        assert_code(app_send_sign_recover(b->app, &sign, &signed_by), CKR_MECHANISM_INVALID);
        assert_code(app_send_verify_recover(b->app, &verify, &recovered), CKR_MECHANISM_INVALID);
        return;
    }
    assert_ok(app_send_sign_recover(b->app, &sign, &signed_by));
    memcpy(signature, signed_by.data.data, signed_by.data.len);
    verify.signature = view_of(signature, signed_by.data.len);
    assert_ok(app_send_verify_recover(b->app, &verify, &recovered));
    assert_view_equal(recovered.data, sample->data);
    verify.max = (uint32_t)sample->data.len - 1;
    assert_code(app_send_verify_recover(b->app, &verify, &recovered), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(b->app->needed, sample->data.len);
    sign.max = 255;
    assert_code(app_send_sign_recover(b->app, &sign, &signed_by), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(b->app->needed, 256);
}

/* ---- the table ---- */

static void
every_mechanism_does_what_its_row_says(void **state)
{
    struct bench *b = bench_new(*state);
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        CK_FLAGS functions = mechanism_limit(b->rules, &rows[i])->functions;
        struct sample sample = sample_of(b, &rows[i], CKF_ENCRYPT);
        unsigned tried = 0;

        if ((functions & CKF_ENCRYPT) != 0 && (functions & CKF_DECRYPT) != 0) {
            try_encryption(b, &sample);
            tried++;
        }
        if ((functions & CKF_SIGN) != 0 && (functions & CKF_VERIFY) != 0) {
            try_signature(b, &sample);
            tried++;
        }
        try_recovery(b, &sample, (functions & CKF_SIGN_RECOVER) != 0);
        if ((functions & CKF_DIGEST) != 0) {
            try_digest(b, &sample);
            tried++;
        }
        if ((functions & (CKF_GENERATE | CKF_GENERATE_KEY_PAIR)) != 0) {
            try_generation(b, &rows[i]);
            tried++;
        }
        if ((functions & CKF_DERIVE) != 0) {
            try_derivation(b, &sample);
            tried++;
        }
        if ((functions & (CKF_WRAP | CKF_UNWRAP)) != 0) {
            tried++; /* test_wrap.c has those */
        }
        if (tried == 0 && functions != 0) {
            fail_msg("nobody tried %s", rows[i].name);
        }
    }
    free(b);
}

static CK_RV
try_function(struct bench *b, const struct sample *sample, CK_FLAGS function)
{
    view out;

    switch (function) {
    case CKF_ENCRYPT:
        return app_encrypt(b->app, sample->mechanism, sample->forward, sample->data, &out);
    case CKF_DECRYPT:
        return app_decrypt(b->app, sample->mechanism, sample->backward, sample->data, &out);
    case CKF_SIGN:
        return app_sign(b->app, sample->mechanism, sample->backward, sample->data, &out);
    case CKF_VERIFY:
        return app_verify(b->app, sample->mechanism, sample->forward, sample->data, sample->data);
    default:
        return app_digest(b->app, sample->row->type, sample->data, &out);
    }
}

static void
no_mechanism_does_anything_else(void **state)
{
    static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY,
                                          CKF_DIGEST };
    struct bench *b = bench_new(*state);
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        struct sample sample = sample_of(b, &rows[i], CKF_SIGN);

        for (size_t k = 0; k < ARRAY_COUNT(functions); k++) {
            bool offered = (mechanism_limit(b->rules, &rows[i])->functions & functions[k]) != 0;

            if (!offered) {
                assert_code(try_function(b, &sample, functions[k]), CKR_MECHANISM_INVALID);
                assert_code(app_start(b->app, functions[k], sample.mechanism, sample.forward),
                            CKR_MECHANISM_INVALID);
            } else if (!rows[i].multi) {
                bool forward = functions[k] == CKF_ENCRYPT || functions[k] == CKF_VERIFY;

                assert_code(app_start(b->app, functions[k], sample.mechanism,
                                      forward ? sample.forward : sample.backward),
                            CKR_MECHANISM_INVALID);
            }
        }
    }
    free(b);
}

static void
no_mechanism_takes_another_ones_key(void **state)
{
    struct bench *b = bench_new(*state);
    const uint32_t keys[] = { b->rsa.public, b->rsa.private, b->ec.public, b->ec.private, b->aes,
                              b->generic, b->des3 };
    static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY };
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < ARRAY_COUNT(functions) * ARRAY_COUNT(keys); k++) {
            CK_FLAGS function = functions[k % ARRAY_COUNT(functions)];
            uint32_t key = keys[k / ARRAY_COUNT(functions)];
            struct sample sample = sample_of(b, &rows[i], function);
            bool forward = function == CKF_ENCRYPT || function == CKF_VERIFY;

            if ((mechanism_limit(b->rules, &rows[i])->functions & function) == 0 ||
                key == (forward ? sample.forward : sample.backward) ||
                (key == b->aes && rows[i].key_type == CKK_AES)) {
                continue;
            }
            sample.forward = sample.backward = key;
            assert_code(try_function(b, &sample, function), CKR_KEY_TYPE_INCONSISTENT);
        }
    }
    free(b);
}

/* Lengths around the block, and nothing at all. */
static void
any_length_of_data_goes_there_and_back(void **state)
{
    static const CK_MECHANISM_TYPE types[] = { CKM_AES_CBC_PAD, CKM_AES_CTR, CKM_AES_GCM };
    struct bench *b = bench_new(*state);
    uint8_t cipher[128];

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        const struct mechanism_row *row = mechanism_row(types[i]);
        struct mechanism mechanism = sample_mechanism(b, row, CKF_ENCRYPT);

        for (size_t len = 0; len <= 50; len++) {
            view data = view_of(b->data, len);
            bool exact;
            view out;

            assert_ok(app_encrypt(b->app, mechanism, b->aes, data, &out));
            assert_int_equal(out.len, mechanism_output_len(row, CKF_ENCRYPT, NULL,
                                                           params_tag_len(&mechanism), len,
                                                           &exact));
            assert_true(out.len <= sizeof cipher);
            memcpy(cipher, out.data, out.len);
            assert_ok(app_decrypt(b->app, mechanism, b->aes, view_of(cipher, out.len), &out));
            assert_view_equal(out, data);
        }
    }
    free(b);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(every_mechanism_does_what_its_row_says),
        AZURE(every_mechanism_does_what_its_row_says),
        FIPS(every_mechanism_does_what_its_row_says),
        STANDARD(no_mechanism_does_anything_else),
        AZURE(no_mechanism_does_anything_else),
        FIPS(no_mechanism_does_anything_else),
        STANDARD(no_mechanism_takes_another_ones_key),
        AZURE(no_mechanism_takes_another_ones_key),
        STANDARD(any_length_of_data_goes_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
