/* SPDX-License-Identifier: Apache-2.0
 *
 * Every function of every mechanism, through the calls that applications make: whole and in parts
 * of several sizes, asked for the length, with a buffer that is too small (the operation stays),
 * one that just does and a larger one, in place, and never a byte behind the buffer. What is tried
 * follows from the rows; a function that nobody tried fails, unless it stands in `elsewhere`.
 */
#include "p11_test.h"
#include "rules/mechanism.h"
#include "rules/template.h"
#include "wire/params.h"

#define DATA_LEN 1040u /* whole blocks of every cipher */
#define ROOM 2048u
#define MORE 32u
#define CANARY 0xc5

static const CK_ULONG chunks[] = { 1, 15, 16, 17, 1000, DATA_LEN };

static CK_BYTE data[DATA_LEN];
static const struct mechanism_row *row; /* that is tried */
static struct rules rules;
static CK_SESSION_HANDLE session;

/* Functions that need what this test does not have, and who tries them. */
static const struct {
    CK_MECHANISM_TYPE type;
    enum policy policy;
    CK_FLAGS functions;
    const char *reason;
} elsewhere[] = {
    { CKM_AES_GCM, POLICY_FIPS,
      CKF_ENCRYPT | CKF_DECRYPT | CKF_WRAP | CKF_UNWRAP | CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT,
      "the HSM draws the IV: below, and test_crypt, test_wrap, test_message have the rest" },
};

#define TRIED_ALL                                                                                  \
    (CKF_ENCRYPT | CKF_DECRYPT | CKF_DIGEST | CKF_SIGN | CKF_SIGN_RECOVER | CKF_VERIFY |           \
     CKF_VERIFY_RECOVER | CKF_GENERATE | CKF_GENERATE_KEY_PAIR | CKF_WRAP | CKF_UNWRAP |           \
     CKF_DERIVE | CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MESSAGE_SIGN |                   \
     CKF_MESSAGE_VERIFY)

/* ---- keys ---- */

static CK_BYTE x25519[] = { 0x06, 0x03, 0x2b, 0x65, 0x6e };

static const struct {
    CK_KEY_TYPE type;
    CK_BYTE *oid;
    CK_ULONG len;
} curves[] = {
    { CKK_EC, p256, sizeof p256 },
    { CKK_EC_EDWARDS, ed25519, sizeof ed25519 },
    { CKK_EC_MONTGOMERY, x25519, sizeof x25519 },
};

struct keys {
    CK_KEY_TYPE type;
    CK_ULONG len;              /* of a secret one */
    CK_OBJECT_HANDLE forward;  /* encrypts, verifies, wraps */
    CK_OBJECT_HANDLE backward; /* decrypts, signs, unwraps, derives */
};

static struct keys made[40];
static size_t made_count;

static bool
is_pair(CK_KEY_TYPE type)
{
    return type == CKK_RSA || type == CKK_EC || type == CKK_EC_EDWARDS ||
           type == CKK_EC_MONTGOMERY;
}

/* The mechanism that makes keys of that type. */
static CK_MECHANISM_TYPE
maker_of(CK_KEY_TYPE type)
{
    size_t count;
    const struct mechanism_row *rows = mechanism_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].key_type == type && rows[i].params == PARAMS_none &&
            (mechanism_limit(rules, &rows[i])->functions &
             (CKF_GENERATE | CKF_GENERATE_KEY_PAIR)) != 0) {
            return rows[i].type;
        }
    }
    return CKM_EC_KEY_PAIR_GEN; /* of all curves, where there is but one */
}

static void
pair_make(CK_MECHANISM *mechanism, struct keys *keys)
{
    CK_ULONG bits = 2048;
    CK_BBOOL recovers = rules_function_code(rules, FUNCTION_SignRecoverInit) == CKR_OK;
    bool rsa = keys->type == CKK_RSA, signs = keys->type != CKK_EC_MONTGOMERY;
    CK_ATTRIBUTE public[8] = { ATTR(CKA_MODULUS_BITS, bits) }, private[8];
    CK_ULONG public_count = 1, private_count = 0;

    for (size_t i = 0; i < ARRAY_COUNT(curves); i++) {
        if (curves[i].type == keys->type) {
            public[0] = (CK_ATTRIBUTE){ CKA_EC_PARAMS, curves[i].oid, curves[i].len };
        }
    }
    if (rsa) {
        public[public_count++] = (CK_ATTRIBUTE)ATTR(CKA_ENCRYPT, yes);
        public[public_count++] = (CK_ATTRIBUTE)ATTR(CKA_WRAP, yes);
        public[public_count++] = (CK_ATTRIBUTE)ATTR(CKA_VERIFY_RECOVER, recovers);
        private[private_count++] = (CK_ATTRIBUTE)ATTR(CKA_DECRYPT, yes);
        private[private_count++] = (CK_ATTRIBUTE)ATTR(CKA_UNWRAP, yes);
        private[private_count++] = (CK_ATTRIBUTE)ATTR(CKA_SIGN_RECOVER, recovers);
    }
    if (signs) {
        public[public_count++] = (CK_ATTRIBUTE)ATTR(CKA_VERIFY, yes);
        private[private_count++] = (CK_ATTRIBUTE)ATTR(CKA_SIGN, yes);
    }
    if (keys->type == CKK_EC && mechanism_for(rules, CKM_ECDH_AES_KEY_WRAP, CKF_WRAP) != NULL) {
        public[public_count++] = (CK_ATTRIBUTE)ATTR(CKA_WRAP, yes);
        private[private_count++] = (CK_ATTRIBUTE)ATTR(CKA_UNWRAP, yes);
    }
    if (keys->type == CKK_EC || keys->type == CKK_EC_MONTGOMERY) {
        private[private_count++] = (CK_ATTRIBUTE)ATTR(CKA_DERIVE, yes);
    }
    assert_ok(C_GenerateKeyPair(session, mechanism, public, public_count, private, private_count,
                                &keys->forward, &keys->backward));
}

static CK_ULONG
secret_uses(CK_ATTRIBUTE *template)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN,
                                               CKA_VERIFY,  CKA_WRAP,    CKA_UNWRAP,
                                               CKA_DERIVE,  CKA_EXTRACTABLE };

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        template[i] = (CK_ATTRIBUTE){ types[i], &yes, sizeof yes };
    }
    return ARRAY_COUNT(types);
}

static void
secret_make(CK_MECHANISM *mechanism, struct keys *keys)
{
    CK_ATTRIBUTE template[12];
    CK_ULONG count = secret_uses(template);

    if (secret_len_fixed(keys->type) == 0) {
        template[count++] = (CK_ATTRIBUTE)ATTR(CKA_VALUE_LEN, keys->len);
    }
    assert_ok(C_GenerateKey(session, mechanism, template, count, &keys->forward));
    keys->backward = keys->forward;
}

static const struct keys *
keys_with(CK_KEY_TYPE type, CK_ULONG len)
{
    struct keys *keys = &made[0];

    if (type == KEY_TYPE_SECRET) {
        type = CKK_GENERIC_SECRET;
    }
    for (; keys < made + made_count; keys++) {
        if (keys->type == type && keys->len == len) {
            return keys;
        }
    }
    assert_true(made_count++ < ARRAY_COUNT(made));
    keys->type = type;
    keys->len = len;
    if (type != KEY_TYPE_NONE) {
        CK_MECHANISM mechanism = { maker_of(type), NULL, 0 };

        if (is_pair(type)) {
            pair_make(&mechanism, keys);
        } else {
            secret_make(&mechanism, keys);
        }
    }
    return keys;
}

static const struct keys *
keys_of(CK_KEY_TYPE type)
{
    return keys_with(type, 32);
}

/* Those of the row: secret ones of 32 bytes, or as near to that as its sizes allow. */
static const struct keys *
own_keys(void)
{
    const struct mechanism_limit *limit = mechanism_limit(rules, row);
    CK_ULONG unit = row->unit == UNIT_BITS ? 8 : 1, len = 32;

    if (is_pair(row->key_type) || limit->max == 0) {
        return keys_of(row->key_type);
    }
    len = len > limit->max / unit ? limit->max / unit : len;
    len = len < limit->min / unit ? limit->min / unit : len;
    return keys_with(row->key_type, len);
}

/* ---- parameters ---- */

#define IV_LEN 12u

/* What a row's parameter points to. Filled anew for each Init. */
static struct {
    CK_BYTE iv[16];
    CK_BYTE tag[16];
    CK_BYTE point[80];
    CK_VERSION version;
    CK_SSL3_KEY_MAT_OUT keys;
    CK_SP800_108_COUNTER_FORMAT counter;
    CK_PRF_DATA_PARAM piece;
    CK_RSA_PKCS_OAEP_PARAMS inner;
    union {
        CK_AES_CTR_PARAMS ctr;
        CK_GCM_PARAMS gcm;
        CK_CCM_PARAMS ccm;
        CK_RSA_PKCS_OAEP_PARAMS oaep;
        CK_RSA_PKCS_PSS_PARAMS pss;
        CK_RSA_AES_KEY_WRAP_PARAMS rsa_aes;
        CK_ECDH_AES_KEY_WRAP_PARAMS ecdh_aes;
        CK_ECDH1_DERIVE_PARAMS ecdh;
        CK_SP800_108_KDF_PARAMS kbkdf;
        CK_SP800_108_FEEDBACK_KDF_PARAMS feedback;
        CK_HKDF_PARAMS hkdf;
        CK_PKCS5_PBKD2_PARAMS2 pbkd2;
        CK_KEY_DERIVATION_STRING_DATA data;
        CK_AES_CBC_ENCRYPT_DATA_PARAMS cbc_data;
        CK_ULONG number;
        CK_TLS12_MASTER_KEY_DERIVE_PARAMS tls_master;
        CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS tls_extended;
        CK_TLS12_KEY_MAT_PARAMS tls_keys;
        CK_TLS_KDF_PARAMS tls_kdf;
        CK_CHACHA20_PARAMS chacha20;
        CK_SALSA20_CHACHA20_POLY1305_PARAMS chacha_poly;
        CK_TLS_MAC_PARAMS tls_mac;
        CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS chacha_message;
        CK_GCM_MESSAGE_PARAMS gcm_message;
        CK_CCM_MESSAGE_PARAMS ccm_message;
    } at;
} sample;

static CK_BYTE text[] = "text that is used for this and that";
#define RANDOMS { text, 8, text + 8, 8 }

/* Our own point: the peer of an agreement may be oneself. */
static CK_ULONG
point_read(void)
{
    CK_ATTRIBUTE read[] = { { CKA_EC_POINT, sample.point, sizeof sample.point } };

    assert_ok(C_GetAttributeValue(session, own_keys()->forward, read, 1));
    return read[0].ulValueLen;
}

#define GIVE(member) (CK_MECHANISM){ row->type, &sample.at.member, sizeof sample.at.member }

/* len: of the plaintext. */
static CK_MECHANISM
mechanism_of(CK_ULONG len)
{
    const struct hash_row *hash = hash_row(row->hash == HASH_NONE ? HASH_SHA256 : row->hash);
    bool sealed = row->out == OUT_sealed;

    memset(&sample, 0, sizeof sample);
    memcpy(sample.iv, "an iv of 16 byte", 16);
    switch (row->params) {
    case PARAMS_none:
    case PARAMS_wrap_iv:
    case PARAMS_eddsa:
        return (CK_MECHANISM){ row->type, NULL, 0 };
    case PARAMS_iv:
        return (CK_MECHANISM){ row->type, sample.iv, cipher_row(row)->block };
    case PARAMS_ctr:
        sample.at.ctr.ulCounterBits = 32;
        memcpy(sample.at.ctr.cb, sample.iv, 12);
        return GIVE(ctr);
    case PARAMS_gcm:
        sample.at.gcm = (CK_GCM_PARAMS){ .pIv = sealed ? NULL : sample.iv,
                                         .ulIvLen = sealed ? 0 : IV_LEN,
                                         .ulIvBits = sealed ? 0 : 8 * IV_LEN,
                                         .pAAD = row->out == OUT_mac ? NULL : text,
                                         .ulAADLen = row->out == OUT_mac ? 0 : sizeof text,
                                         .ulTagBits = 128 };
        return GIVE(gcm);
    case PARAMS_ccm:
        sample.at.ccm = (CK_CCM_PARAMS){ len, sample.iv, IV_LEN, text, sizeof text, 10 };
        return GIVE(ccm);
    case PARAMS_oaep:
        sample.at.oaep = (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256,
                                                    CKZ_DATA_SPECIFIED, text, 5 };
        return GIVE(oaep);
    case PARAMS_pss:
        sample.at.pss = (CK_RSA_PKCS_PSS_PARAMS){ hash->mechanism, hash->mgf, hash->length };
        return GIVE(pss);
    case PARAMS_ecdh_aes:
        sample.at.ecdh_aes = (CK_ECDH_AES_KEY_WRAP_PARAMS){ 192, CKD_SHA256_KDF, 4, text };
        return GIVE(ecdh_aes);
    case PARAMS_rsa_aes:
        sample.inner = (CK_RSA_PKCS_OAEP_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
                                                  NULL, 0 };
        sample.at.rsa_aes = (CK_RSA_AES_KEY_WRAP_PARAMS){ 256, &sample.inner };
        return GIVE(rsa_aes);
    case PARAMS_ecdh:
        sample.at.ecdh = (CK_ECDH1_DERIVE_PARAMS){ CKD_SHA256_KDF, 4, text, point_read(),
                                                   sample.point };
        return GIVE(ecdh);
    case PARAMS_kbkdf:
        sample.counter = (CK_SP800_108_COUNTER_FORMAT){ CK_FALSE, 16 };
        sample.piece.type = CK_SP800_108_ITERATION_VARIABLE;
        if (row->type != CKM_SP800_108_DOUBLE_PIPELINE_KDF) {
            sample.piece.pValue = &sample.counter;
            sample.piece.ulValueLen = sizeof sample.counter;
        }
        sample.at.kbkdf = (CK_SP800_108_KDF_PARAMS){ CKM_SHA256_HMAC, 1, &sample.piece, 0, NULL };
        return GIVE(kbkdf);
    case PARAMS_feedback:
        sample.piece.type = CK_SP800_108_ITERATION_VARIABLE;
        sample.at.feedback = (CK_SP800_108_FEEDBACK_KDF_PARAMS){
            CKM_SHA256_HMAC, 1, &sample.piece, 16, sample.iv, 0, NULL
        };
        return GIVE(feedback);
    case PARAMS_hkdf:
        sample.at.hkdf = (CK_HKDF_PARAMS){ .bExtract = CK_TRUE,
                                           .bExpand = CK_TRUE,
                                           .prfHashMechanism = CKM_SHA256,
                                           .ulSaltType = CKF_HKDF_SALT_NULL };
        return GIVE(hkdf);
    case PARAMS_pbkd2:
        sample.at.pbkd2 = (CK_PKCS5_PBKD2_PARAMS2){ CKZ_SALT_SPECIFIED,
                                                    text,
                                                    8,
                                                    1000,
                                                    CKP_PKCS5_PBKD2_HMAC_SHA256,
                                                    NULL,
                                                    0,
                                                    text,
                                                    8 };
        return GIVE(pbkd2);
    case PARAMS_data:
        sample.at.data = (CK_KEY_DERIVATION_STRING_DATA){ data, 48 };
        return GIVE(data);
    case PARAMS_cbc_data:
        sample.at.cbc_data.pData = data;
        sample.at.cbc_data.length = 48;
        return GIVE(cbc_data);
    case PARAMS_number:
        sample.at.number = row->out == OUT_mac                     ? 5
                           : row->type == CKM_EXTRACT_KEY_FROM_KEY ? 21
                                                                   : keys_of(CKK_AES)->forward;
        return GIVE(number);
    case PARAMS_tls_master:
        sample.at.tls_master =
            (CK_TLS12_MASTER_KEY_DERIVE_PARAMS){ RANDOMS, NULL, CKM_SHA256 };
        if (row->type == CKM_TLS12_MASTER_KEY_DERIVE) {
            sample.at.tls_master.pVersion = &sample.version;
        }
        return GIVE(tls_master);
    case PARAMS_tls_extended:
        sample.at.tls_extended =
            (CK_TLS12_EXTENDED_MASTER_KEY_DERIVE_PARAMS){ CKM_SHA256, text, 32, NULL };
        return GIVE(tls_extended);
    case PARAMS_tls_keys:
        sample.keys.pIVClient = sample.iv;
        sample.keys.pIVServer = sample.tag;
        sample.at.tls_keys = (CK_TLS12_KEY_MAT_PARAMS){ 160,     256,          96,        CK_FALSE,
                                                        RANDOMS, &sample.keys, CKM_SHA256 };
        return GIVE(tls_keys);
    case PARAMS_tls_kdf:
        sample.at.tls_kdf = (CK_TLS_KDF_PARAMS){ CKM_SHA256, text, 8, RANDOMS, NULL, 0 };
        return GIVE(tls_kdf);
    case PARAMS_chacha20:
        sample.at.chacha20 = (CK_CHACHA20_PARAMS){ sample.tag, 32, sample.iv, 96 };
        return GIVE(chacha20);
    case PARAMS_chacha_poly:
        sample.at.chacha_poly =
            (CK_SALSA20_CHACHA20_POLY1305_PARAMS){ sample.iv, 96, text, sizeof text };
        return GIVE(chacha_poly);
    case PARAMS_tls_mac:
        sample.at.tls_mac = (CK_TLS_MAC_PARAMS){ CKM_SHA256, 12, 1 };
        return GIVE(tls_mac);
    default:
        fail_msg("%s: no sample of its parameter", row->name);
        return (CK_MECHANISM){ 0, NULL, 0 };
    }
}

/* What a row takes: whole blocks, a hash, something of the modulus' length. */
static CK_ULONG
data_len(void)
{
    if (!row->multi || row->params == PARAMS_tls_mac) {
        return row->out == OUT_raw ? 256 : 32;
    }
    return row->out == OUT_same ? DATA_LEN : DATA_LEN - 5;
}

/* Does the same input give the same output? */
static bool
is_steady(CK_FLAGS function)
{
    bool backward = function == CKF_DECRYPT || function == CKF_VERIFY_RECOVER;

    return backward || (row->out != OUT_sealed && row->params != PARAMS_pss &&
                        row->params != PARAMS_oaep && row->out != OUT_curve &&
                        (row->out != OUT_modulus || function != CKF_ENCRYPT));
}

/* ---- calls with output ---- */

static CK_RV
digest_init(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key)
{
    UNUSED(key);
    return C_DigestInit(handle, mechanism);
}

static const struct verb {
    CK_FLAGS function;
    CK_RV (*init)(CK_SESSION_HANDLE handle, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key);
    CK_RV (*single)(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                    CK_ULONG *out_len);
    CK_RV (*update)(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG len, CK_BYTE *out,
                    CK_ULONG *out_len);
    CK_RV (*feed)(CK_SESSION_HANDLE handle, CK_BYTE *in, CK_ULONG len);
    CK_RV (*final)(CK_SESSION_HANDLE handle, CK_BYTE *out, CK_ULONG *out_len);
} verbs[] = {
    { CKF_ENCRYPT, C_EncryptInit, C_Encrypt, C_EncryptUpdate, NULL, C_EncryptFinal },
    { CKF_DECRYPT, C_DecryptInit, C_Decrypt, C_DecryptUpdate, NULL, C_DecryptFinal },
    { CKF_SIGN, C_SignInit, C_Sign, NULL, C_SignUpdate, C_SignFinal },
    { CKF_DIGEST, digest_init, C_Digest, NULL, C_DigestUpdate, C_DigestFinal },
    { CKF_SIGN_RECOVER, C_SignRecoverInit, C_SignRecover, NULL, NULL, NULL },
    { CKF_VERIFY_RECOVER, C_VerifyRecoverInit, C_VerifyRecover, NULL, NULL, NULL },
};

static const struct verb *
verb_of(CK_FLAGS function)
{
    size_t i = 0;

    while (verbs[i].function != function) {
        i++;
    }
    return &verbs[i];
}

#define assert_row(condition)                                                                      \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("%s:\n", row->name);                                                       \
            assert_true(condition);                                                                \
        }                                                                                          \
    } while (0)

#define assert_row_code(call, expected)                                                            \
    do {                                                                                           \
        CK_RV code_ = (call);                                                                      \
                                                                                                   \
        if (code_ != (expected)) {                                                                 \
            print_error("%s:\n", row->name);                                                       \
            code_check(code_, expected, #call, __FILE__, __LINE__);                                \
        }                                                                                          \
    } while (0)

/* One call with a buffer of that size; behind it nothing changes. */
struct output {
    CK_BYTE room[ROOM + MORE];
    CK_ULONG len;
};

static void
output_begin(struct output *out, CK_ULONG size)
{
    assert_row(size <= ROOM);
    memset(out->room + size, CANARY, MORE);
    out->len = size;
}

static void
output_check(const struct output *out, CK_ULONG size)
{
    assert_row(out->len <= size);
    for (size_t i = 0; i < MORE; i++) {
        assert_row(out->room[size + i] == CANARY);
    }
}

struct input {
    const struct verb *verb;
    CK_OBJECT_HANDLE key;
    CK_BYTE *bytes;
    CK_ULONG len;
    CK_ULONG plain_len;
};

static void
begin(const struct input *in)
{
    CK_MECHANISM mechanism = mechanism_of(in->plain_len);

    assert_row_code(in->verb->init(session, &mechanism, in->key), CKR_OK);
}

static void
steady_check(const struct input *in, const struct output *a, const struct output *b)
{
    if (is_steady(in->verb->function)) {
        assert_row(a->len == b->len);
        assert_row(memcmp(a->room, b->room, a->len) == 0);
    }
}

/* In one part: asked for, with too little room, exactly enough, more, and in place. *ret is what
 * came. */
static void
whole(const struct input *in, struct output *ret)
{
    static struct output out;
    CK_BYTE *bytes = in->bytes;
    CK_ULONG asked = 0, size;

    begin(in);
    assert_row_code(in->verb->single(session, bytes, in->len, NULL, &asked), CKR_OK);
    output_begin(ret, asked);
    assert_row_code(in->verb->single(session, bytes, in->len, ret->room, &ret->len), CKR_OK);
    output_check(ret, asked);

    begin(in);
    if (ret->len > 0) {
        output_begin(&out, ret->len - 1);
        assert_row_code(in->verb->single(session, bytes, in->len, out.room, &out.len),
                        CKR_BUFFER_TOO_SMALL);
        assert_row(out.len >= ret->len && out.len <= asked);
        out.len = ret->len - 1;
        output_check(&out, ret->len - 1);
    }
    output_begin(&out, ret->len);
    assert_row_code(in->verb->single(session, bytes, in->len, out.room, &out.len), CKR_OK);
    output_check(&out, ret->len);
    steady_check(in, ret, &out);

    begin(in);
    output_begin(&out, asked + 100);
    assert_row_code(in->verb->single(session, bytes, in->len, out.room, &out.len), CKR_OK);
    output_check(&out, asked + 100);
    steady_check(in, ret, &out);

    begin(in);
    size = asked > in->len ? asked : in->len;
    output_begin(&out, size);
    memcpy(out.room, bytes, in->len);
    assert_row_code(in->verb->single(session, out.room, in->len, out.room, &out.len), CKR_OK);
    output_check(&out, size);
    steady_check(in, ret, &out);
}

/* One call of Update or Final that gives output, appended to *all. */
static void
step(const struct input *in, CK_BYTE *part, CK_ULONG len, bool final, bool in_place,
     struct output *all)
{
    static struct output out;
    CK_ULONG asked = 0, size;
    CK_RV rv = final ? in->verb->final(session, NULL, &asked)
                     : in->verb->update(session, part, len, NULL, &asked);

    assert_row_code(rv, CKR_OK);
    size = asked > len && in_place ? asked : in_place ? len : asked;
    output_begin(&out, size);
    if (in_place) {
        memcpy(out.room, part, len);
        part = out.room;
    }
    rv = final ? in->verb->final(session, out.room, &out.len)
               : in->verb->update(session, part, len, out.room, &out.len);
    assert_row_code(rv, CKR_OK);
    output_check(&out, size);
    assert_row(all->len + out.len <= ROOM);
    memcpy(all->room + all->len, out.room, out.len);
    all->len += out.len;
}

/* A buffer that is one byte too short takes nothing and ends nothing. */
static void
step_short(const struct input *in, CK_BYTE *part, CK_ULONG len, bool final)
{
    static struct output out;
    CK_ULONG asked = 0;
    CK_RV rv = final ? in->verb->final(session, NULL, &asked)
                     : in->verb->update(session, part, len, NULL, &asked);
    bool exact = in->verb->function != CKF_DECRYPT || row->out != OUT_pad;

    assert_row_code(rv, CKR_OK);
    if (asked == 0 || !exact) {
        return;
    }
    output_begin(&out, asked - 1);
    rv = final ? in->verb->final(session, out.room, &out.len)
               : in->verb->update(session, part, len, out.room, &out.len);
    assert_row_code(rv, CKR_BUFFER_TOO_SMALL);
    assert_row(out.len == asked);
    out.len = 0;
    output_check(&out, asked - 1);
}

/* In parts of one size. */
static void
parts(const struct input *in, CK_ULONG chunk, bool in_place, struct output *all)
{
    begin(in);
    all->len = 0;
    for (CK_ULONG at = 0; at < in->len; at += chunk) {
        CK_ULONG len = in->len - at < chunk ? in->len - at : chunk;

        if (in->verb->feed != NULL) {
            assert_row_code(in->verb->feed(session, in->bytes + at, len), CKR_OK);
            continue;
        }
        if (at % 7 == 0) {
            step_short(in, in->bytes + at, len, false);
        }
        step(in, in->bytes + at, len, false, in_place, all);
    }
    step_short(in, NULL, 0, true);
    step(in, NULL, 0, true, false, all);
}

/* All ways to the same output. */
static void
all_ways(const struct input *in, struct output *ret)
{
    static struct output all;

    whole(in, ret);
    for (size_t i = 0; row->multi && in->verb->final != NULL && i < ARRAY_COUNT(chunks); i++) {
        for (unsigned k = 0; k < 2; k++) {
            parts(in, chunks[i], k == 1, &all);
            steady_check(in, ret, &all);
        }
    }
}

/* ---- functions ---- */

static void
try_encryption(void)
{
    static struct output cipher, plain;
    const struct keys *keys = own_keys();
    struct input in = { verb_of(CKF_ENCRYPT), keys->forward, data, data_len(), data_len() };

    all_ways(&in, &cipher);
    assert_row(cipher.len != in.len || memcmp(cipher.room, data, in.len) != 0);
    in = (struct input){ verb_of(CKF_DECRYPT), keys->backward, cipher.room, cipher.len, in.len };
    all_ways(&in, &plain);
    assert_row(plain.len == in.plain_len && memcmp(plain.room, data, plain.len) == 0);
}

static CK_RV
verify(CK_ULONG chunk, CK_BYTE *signature, CK_ULONG len)
{
    CK_MECHANISM mechanism = mechanism_of(data_len());

    assert_row_code(C_VerifyInit(session, &mechanism, own_keys()->forward), CKR_OK);
    if (chunk == 0) {
        return C_Verify(session, data, data_len(), signature, len);
    }
    for (CK_ULONG at = 0; at < data_len(); at += chunk) {
        CK_ULONG part = data_len() - at < chunk ? data_len() - at : chunk;

        assert_row_code(C_VerifyUpdate(session, data + at, part), CKR_OK);
    }
    return C_VerifyFinal(session, signature, len);
}

static void
try_signature(void)
{
    static struct output signature, all;
    struct input in = { verb_of(CKF_SIGN), own_keys()->backward, data, data_len(),
                        data_len() };

    all_ways(&in, &signature);
    assert_row_code(verify(0, signature.room, signature.len), CKR_OK);
    for (size_t i = 0; row->multi && i < ARRAY_COUNT(chunks); i++) {
        assert_row_code(verify(chunks[i], signature.room, signature.len), CKR_OK);
        parts(&in, chunks[i], false, &all);
        assert_row_code(verify(chunks[i], all.room, all.len), CKR_OK);
    }
    assert_row_code(verify(0, signature.room, signature.len - 1), CKR_SIGNATURE_LEN_RANGE);
    signature.room[signature.len / 2] ^= 1;
    assert_row_code(verify(0, signature.room, signature.len), CKR_SIGNATURE_INVALID);
    if (row->multi) {
        assert_row_code(verify(100, signature.room, signature.len), CKR_SIGNATURE_INVALID);
    }
}

static void
try_recovery(void)
{
    static struct output signature, recovered;
    const struct keys *keys = own_keys();
    struct input in = { verb_of(CKF_SIGN_RECOVER), keys->backward, data, data_len(), data_len() };

    all_ways(&in, &signature);
    in = (struct input){ verb_of(CKF_VERIFY_RECOVER), keys->forward, signature.room, signature.len,
                         in.len };
    all_ways(&in, &recovered);
    assert_row(recovered.len == in.plain_len && memcmp(recovered.room, data, in.plain_len) == 0);
}

static void
try_digest(void)
{
    static struct output digest;
    struct input in = { verb_of(CKF_DIGEST), 0, data, data_len(), data_len() };

    all_ways(&in, &digest);
    assert_row(digest.len == hash_row(row->hash)->length);
}

static void
made_by_check(CK_OBJECT_HANDLE key)
{
    CK_MECHANISM_TYPE maker = 0;
    CK_BBOOL local = CK_FALSE;
    CK_ATTRIBUTE read[] = { ATTR(CKA_KEY_GEN_MECHANISM, maker), ATTR(CKA_LOCAL, local) };

    assert_row_code(C_GetAttributeValue(session, key, read, 2), CKR_OK);
    assert_row(maker == row->type && local == CK_TRUE);
    assert_row_code(C_DestroyObject(session, key), CKR_OK);
}

static void
try_generation(void)
{
    CK_MECHANISM mechanism = mechanism_of(0);
    struct keys keys = { .type = row->key_type, .len = own_keys()->len };

    if (is_pair(row->key_type)) {
        pair_make(&mechanism, &keys);
        made_by_check(keys.backward);
    } else {
        secret_make(&mechanism, &keys);
    }
    made_by_check(keys.forward);
}

/* What an AES key makes of a block. */
static void
block_encrypt(CK_OBJECT_HANDLE key, CK_BYTE out[16])
{
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
    CK_ULONG len = 16;

    assert_row_code(C_EncryptInit(session, &ecb, key), CKR_OK);
    assert_row_code(C_Encrypt(session, data, 16, out, &len), CKR_OK);
}

static CK_OBJECT_CLASS secret_class = CKO_SECRET_KEY;
static CK_KEY_TYPE aes_type = CKK_AES;

static void
try_wrapping(void)
{
    const struct keys *keys = own_keys();
    CK_OBJECT_HANDLE target = keys_of(CKK_AES)->forward, back = 0;
    CK_ULONG asked = 0, len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, aes_type),
                                ATTR(CKA_ENCRYPT, yes), ATTR(CKA_VALUE_LEN, len) };
    CK_MECHANISM mechanism = mechanism_of(32);
    CK_BYTE before[16], after[16];
    static struct output out;

    assert_row_code(C_WrapKey(session, &mechanism, keys->forward, target, NULL, &asked), CKR_OK);
    output_begin(&out, asked - 1);
    assert_row_code(C_WrapKey(session, &mechanism, keys->forward, target, out.room, &out.len),
                    CKR_BUFFER_TOO_SMALL);
    assert_row(out.len == asked);
    out.len = 0;
    output_check(&out, asked - 1);
    for (CK_ULONG more = 0; more <= 100; more += 100) {
        output_begin(&out, asked + more);
        assert_row_code(C_WrapKey(session, &mechanism, keys->forward, target, out.room, &out.len),
                        CKR_OK);
        output_check(&out, asked + more);
        assert_row(out.len == asked);
        assert_row_code(C_UnwrapKey(session, &mechanism, keys->backward, out.room, out.len,
                                    template, ARRAY_COUNT(template), &back),
                        CKR_OK);
        block_encrypt(target, before);
        block_encrypt(back, after);
        assert_row(memcmp(before, after, 16) == 0);
        assert_row_code(C_DestroyObject(session, back), CKR_OK);
    }
}

/* A cipher that encrypts what is to be unwrapped. */
static void
try_unwrapping(void)
{
    const struct keys *keys = own_keys();
    CK_OBJECT_HANDLE back = 0;
    CK_ULONG wrapped_len = 64, padded = row->out == OUT_pad ? 16 : 0;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, secret_class), ATTR(CKA_KEY_TYPE, aes_type),
                                ATTR(CKA_ENCRYPT, yes) };
    CK_MECHANISM mechanism = mechanism_of(32);
    CK_OBJECT_HANDLE other = 0;
    CK_BYTE wrapped[64];

    assert_row_code(C_EncryptInit(session, &mechanism, keys->forward), CKR_OK);
    assert_row_code(C_Encrypt(session, data, 32, wrapped, &wrapped_len), CKR_OK);
    assert_row(wrapped_len == 32 + padded);
    assert_row_code(C_UnwrapKey(session, &mechanism, keys->backward, wrapped, wrapped_len, template,
                                ARRAY_COUNT(template), &back), CKR_OK);
    assert_row_code(C_WrapKey(session, &mechanism, keys->forward, back, wrapped, &wrapped_len),
                    CKR_MECHANISM_INVALID);
    assert_row_code(C_UnwrapKey(session, &mechanism, keys->backward, wrapped, 17, template,
                                ARRAY_COUNT(template), &other), CKR_WRAPPED_KEY_LEN_RANGE);
    assert_ok(C_DestroyObject(session, back));
}

/* Of TLS: 48 bytes. */
static CK_OBJECT_HANDLE
premaster_make(void)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    struct keys keys = { .type = CKK_GENERIC_SECRET, .len = 48 };

    secret_make(&mechanism, &keys);
    return keys.backward;
}

/* What a derived key is, as far as one can see it. */
static void
derived_read(CK_OBJECT_HANDLE key, CK_BYTE out[32])
{
    CK_OBJECT_CLASS class = 0;
    CK_KEY_TYPE type = 0;
    CK_ATTRIBUTE read[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type) };
    CK_ATTRIBUTE value[] = { { CKA_VALUE, out, 32 } };

    memset(out, 0, 32);
    (void)C_GetAttributeValue(session, key, read, 2);
    if (class == CKO_DATA) {
        assert_row_code(C_GetAttributeValue(session, key, value, 1), CKR_OK);
    } else if (type == CKK_AES) {
        block_encrypt(key, out);
    }
    assert_row_code(C_DestroyObject(session, key), CKR_OK);
}

static void
try_derivation(void)
{
    bool tls = row->driver == DRIVER_tls && row->params != PARAMS_tls_kdf;
    bool is_data = row->type == CKM_HKDF_DATA;
    CK_ULONG len = row->hash != HASH_NONE && hash_row(row->hash)->length < 32 ? 16 : 32;
    CK_OBJECT_HANDLE base = tls ? premaster_make() : own_keys()->backward;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_KEY_TYPE, aes_type),
                                ATTR(CKA_ENCRYPT, yes) };
    CK_ULONG count = is_data ? 1 : row->params == PARAMS_tls_keys ? 0 : tls ? 0 : 3;
    CK_BYTE value[2][32];

    for (unsigned i = 0; i < 2; i++) {
        CK_MECHANISM mechanism = mechanism_of(0);
        CK_OBJECT_HANDLE key = 0;

        if (row->params == PARAMS_tls_keys) {
            CK_ATTRIBUTE keys[] = { ATTR(CKA_KEY_TYPE, aes_type), ATTR(CKA_ENCRYPT, yes) };

            assert_row_code(C_DeriveKey(session, &mechanism, base, keys, 2, NULL), CKR_OK);
            assert_row(sample.keys.hClientMacSecret != 0 && sample.keys.hServerMacSecret != 0 &&
                       sample.keys.hServerKey != 0);
            key = sample.keys.hClientKey;
        } else {
            assert_row_code(C_DeriveKey(session, &mechanism, base, template, count, &key), CKR_OK);
        }
        assert_row(key != 0);
        derived_read(key, value[i]);
    }
    assert_row(memcmp(value[0], value[1], 32) == 0);
}

/* ---- messages ---- */

/* Its form when it comes with each message. */
static void *
message_params(CK_ULONG len, CK_ULONG *ret_size)
{
    memset(&sample.at, 0, sizeof sample.at);
    memcpy(sample.iv, "an iv of 16 byte", 16);
    switch (row->params) {
    case PARAMS_gcm:
        sample.at.gcm_message = (CK_GCM_MESSAGE_PARAMS){ sample.iv, IV_LEN, 0, CKG_NO_GENERATE,
                                                         sample.tag, 128 };
        *ret_size = sizeof sample.at.gcm_message;
        break;
    case PARAMS_ccm:
        sample.at.ccm_message = (CK_CCM_MESSAGE_PARAMS){ len, sample.iv, IV_LEN, 0,
                                                         CKG_NO_GENERATE, sample.tag, 10 };
        *ret_size = sizeof sample.at.ccm_message;
        break;
    case PARAMS_chacha_poly:
        sample.at.chacha_message =
            (CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS){ sample.iv, 96, sample.tag };
        *ret_size = sizeof sample.at.chacha_message;
        break;
    default:
        fail_msg("%s: no sample of its message's parameter", row->name);
    }
    return &sample.at;
}

static void
try_message_encryption(void)
{
    static struct output whole_out, out, plain;
    CK_MECHANISM mechanism = { row->type, NULL, 0 };
    CK_OBJECT_HANDLE key = own_keys()->forward;
    CK_ULONG len = data_len(), asked = 0, size = 0;
    void *params = message_params(len, &size);

    assert_row_code(C_MessageEncryptInit(session, &mechanism, key), CKR_OK);
    assert_row_code(C_EncryptMessage(session, params, size, text, 9, data, len, NULL, &asked),
                    CKR_OK);
    output_begin(&out, asked - 1);
    assert_row_code(C_EncryptMessage(session, params, size, text, 9, data, len, out.room,
                                     &out.len),
                    CKR_BUFFER_TOO_SMALL);
    out.len = 0;
    output_check(&out, asked - 1);
    output_begin(&whole_out, asked);
    assert_row_code(C_EncryptMessage(session, params, size, text, 9, data, len, whole_out.room,
                                     &whole_out.len),
                    CKR_OK);
    output_check(&whole_out, asked);
    assert_row(whole_out.len == len && memcmp(whole_out.room, data, len) != 0);
    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        CK_ULONG at = 0;

        assert_row_code(C_EncryptMessageBegin(session, params, size, text, 9), CKR_OK);
        while (at < len) {
            CK_ULONG part = len - at < chunks[i] ? len - at : chunks[i];

            output_begin(&out, part);
            memcpy(out.room, data + at, part); /* in place */
            assert_row_code(C_EncryptMessageNext(session, params, size, out.room, part, out.room,
                                                 &out.len,
                                                 at + part == len ? CKF_END_OF_MESSAGE : 0),
                            CKR_OK);
            output_check(&out, part);
            assert_row(out.len == part && memcmp(out.room, whole_out.room + at, part) == 0);
            at += part;
        }
    }
    assert_row_code(C_MessageEncryptFinal(session), CKR_OK);

    assert_row_code(C_MessageDecryptInit(session, &mechanism, key), CKR_OK);
    output_begin(&plain, len);
    assert_row_code(C_DecryptMessage(session, params, size, text, 9, whole_out.room, len,
                                     plain.room, &plain.len),
                    CKR_OK);
    output_check(&plain, len);
    assert_row(plain.len == len && memcmp(plain.room, data, len) == 0);
    for (size_t i = 0; i < ARRAY_COUNT(chunks); i++) {
        CK_ULONG at = 0;

        assert_row_code(C_DecryptMessageBegin(session, params, size, text, 9), CKR_OK);
        while (at < len) {
            CK_ULONG part = len - at < chunks[i] ? len - at : chunks[i];
            bool last = at + part == len;

            if (last) {
                plain.len = len - 1;
                assert_row_code(C_DecryptMessageNext(session, params, size, whole_out.room + at,
                                                     part, plain.room, &plain.len,
                                                     CKF_END_OF_MESSAGE),
                                CKR_BUFFER_TOO_SMALL);
                assert_row(plain.len == len);
            }
            output_begin(&plain, last ? len : 0);
            assert_row_code(C_DecryptMessageNext(session, params, size, whole_out.room + at, part,
                                                 plain.room, &plain.len,
                                                 last ? CKF_END_OF_MESSAGE : 0),
                            CKR_OK);
            output_check(&plain, last ? len : 0);
            at += part;
        }
        assert_row(plain.len == len && memcmp(plain.room, data, len) == 0);
    }
    sample.tag[0] ^= 1;
    output_begin(&plain, len);
    assert_row_code(C_DecryptMessage(session, params, size, text, 9, whole_out.room, len,
                                     plain.room, &plain.len),
                    CKR_AEAD_DECRYPT_FAILED);
    assert_row_code(C_MessageDecryptFinal(session), CKR_OK);
}

static void
try_message_signature(void)
{
    static struct output out;
    const struct keys *keys = own_keys();
    CK_MECHANISM mechanism = mechanism_of(data_len());
    CK_ULONG len = data_len(), asked = 0;

    assert_row_code(C_MessageSignInit(session, &mechanism, keys->backward), CKR_OK);
    assert_row_code(C_SignMessage(session, NULL, 0, data, len, NULL, &asked), CKR_OK);
    output_begin(&out, asked - 1);
    assert_row_code(C_SignMessage(session, NULL, 0, data, len, out.room, &out.len),
                    CKR_BUFFER_TOO_SMALL);
    assert_row(out.len == asked);
    output_begin(&out, asked);
    assert_row_code(C_SignMessage(session, NULL, 0, data, len, out.room, &out.len), CKR_OK);
    output_check(&out, asked);
    if (row->multi) {
        assert_row_code(C_SignMessageBegin(session, NULL, 0), CKR_OK);
        assert_row_code(C_SignMessageNext(session, NULL, 0, data, 17, NULL, NULL), CKR_OK);
        output_begin(&out, asked);
        assert_row_code(C_SignMessageNext(session, NULL, 0, data + 17, len - 17, out.room,
                                          &out.len),
                        CKR_OK);
        output_check(&out, asked);
    }
    assert_row_code(C_MessageSignFinal(session), CKR_OK);

    assert_row_code(C_MessageVerifyInit(session, &mechanism, keys->forward), CKR_OK);
    assert_row_code(C_VerifyMessage(session, NULL, 0, data, len, out.room, out.len), CKR_OK);
    if (row->multi) {
        assert_row_code(C_VerifyMessageBegin(session, NULL, 0), CKR_OK);
        assert_row_code(C_VerifyMessageNext(session, NULL, 0, data, 9, NULL, 0), CKR_OK);
        assert_row_code(C_VerifyMessageNext(session, NULL, 0, data + 9, len - 9, out.room,
                                            out.len),
                        CKR_OK);
    }
    out.room[out.len / 2] ^= 1;
    assert_row_code(C_VerifyMessage(session, NULL, 0, data, len, out.room, out.len),
                    CKR_SIGNATURE_INVALID);
    assert_row_code(C_MessageVerifyFinal(session), CKR_OK);
}

/* ---- the table ---- */

static const struct {
    CK_FLAGS functions; /* all of them, or it is not tried */
    void (*try_it)(void);
} tries[] = {
    { CKF_ENCRYPT | CKF_DECRYPT, try_encryption },
    { CKF_SIGN | CKF_VERIFY, try_signature },
    { CKF_SIGN_RECOVER | CKF_VERIFY_RECOVER, try_recovery },
    { CKF_DIGEST, try_digest },
    { CKF_GENERATE, try_generation },
    { CKF_GENERATE_KEY_PAIR, try_generation },
    { CKF_WRAP | CKF_UNWRAP, try_wrapping },
    { CKF_UNWRAP, try_unwrapping }, /* where the policy has no more of it */
    { CKF_DERIVE, try_derivation },
    { CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT, try_message_encryption },
    { CKF_MESSAGE_SIGN | CKF_MESSAGE_VERIFY, try_message_signature },
};

/* What the row does not have is refused at once. */
static void
others_are_refused(CK_FLAGS functions)
{
    CK_MECHANISM mechanism = { row->type, NULL, 0 };

    for (size_t i = 0; i < ARRAY_COUNT(verbs); i++) {
        CK_RV rv;

        if ((functions & verbs[i].function) != 0) {
            continue;
        }
        rv = verbs[i].init(session, &mechanism, keys_of(CKK_AES)->forward);
        if (rv != CKR_FUNCTION_NOT_SUPPORTED) {
            assert_row_code(rv, CKR_MECHANISM_INVALID);
        }
    }
}

static CK_FLAGS
tried_elsewhere(void)
{
    for (size_t i = 0; i < ARRAY_COUNT(elsewhere); i++) {
        if (elsewhere[i].type == row->type && elsewhere[i].policy == rules.policy) {
            return elsewhere[i].functions;
        }
    }
    return 0;
}

static void
every_function_of_every_mechanism_works(void **state)
{
    const struct mechanism_row *rows;
    unsigned mechanisms = 0, functions = 0;
    size_t count;

    rules = (struct rules){ .policy = ((struct fixture *)*state)->hsm.policy,
                            .interface = INTERFACE_P11 };
    session = ((struct fixture *)*state)->session;
    made_count = 0;
    rows = mechanism_rows(&count);
    for (row = rows; row < rows + count; row++) {
        CK_FLAGS has = (mechanism_limit(rules, row)->functions | mechanism_messages(rules, row)) &
                       TRIED_ALL;
        CK_FLAGS tried = tried_elsewhere();

        others_are_refused(has);
        for (size_t i = 0; i < ARRAY_COUNT(tries); i++) {
            if ((has & ~tried & tries[i].functions) == tries[i].functions) {
                tries[i].try_it();
                tried |= tries[i].functions;
                functions++;
            }
        }
        if ((has & ~tried) != 0) {
            fail_msg("%s: nobody tried 0x%lx", row->name, has & ~tried);
        }
        mechanisms += has != 0;
    }
    print_message("%u mechanisms, %u pairs of functions\n", mechanisms, functions);
    assert_true(mechanisms > 30);
}

static void
in_fips_the_hsm_draws_the_iv(void **state)
{
    const CK_SESSION_HANDLE s = ((struct fixture *)*state)->session;
    CK_BYTE iv[12] = { 0 }, zeros[12] = { 0 }, sealed[128], opened[128];
    CK_GCM_PARAMS params_ = { iv, sizeof iv, 8 * sizeof iv, text, sizeof text, 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &params_, sizeof params_ };
    CK_ULONG sealed_len = sizeof sealed, opened_len = sizeof opened;
    CK_OBJECT_HANDLE key = make_aes();

    assert_ok(C_EncryptInit(s, &gcm, key));
    assert_ok(C_Encrypt(s, data, 100, sealed, &sealed_len));
    assert_int_equal(sealed_len, 116);
    assert_memory_not_equal(iv, zeros, sizeof iv);
    assert_ok(C_DecryptInit(s, &gcm, key));
    assert_ok(C_Decrypt(s, sealed, sealed_len, opened, &opened_len));
    assert_int_equal(opened_len, 100);
    assert_memory_equal(opened, data, 100);
    assert_code(C_EncryptInit(s, &gcm, key), CKR_MECHANISM_PARAM_INVALID); /* ours, now */
}

int
main(void)
{
    const struct CMUnitTest fips_tests[] = {
        TEST(every_function_of_every_mechanism_works),
        TEST(in_fips_the_hsm_draws_the_iv),
    };
    const struct CMUnitTest tests[] = {
        TEST(every_function_of_every_mechanism_works),
    };

    fill_bytes(data, sizeof data);
    data[0] = 0; /* below every modulus */
    return cmocka_run_group_tests(tests, group_standard, group_teardown) +
           cmocka_run_group_tests(tests, group_azure, group_teardown) +
           cmocka_run_group_tests(fips_tests, group_fips, group_teardown);
}
