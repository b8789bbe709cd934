/* SPDX-License-Identifier: Apache-2.0
 *
 * C_CreateObject for algo_key_new(), C_XInit and C_X for algo_once(), C_XUpdate and C_XFinal for
 * the rest.
 */
#include "unit/p11/p11_test.h"

#include "unit/p11/through.h"

#include "crypto/algo.h"

#define CANARY 0xc5u
#define CANARY_LEN 32u
#define ATTRIBUTES 32u

struct algo_key {
    CK_OBJECT_HANDLE handle;
};

struct algo_op {
    CK_FLAGS function;
};

int
through_setup(void **state)
{
    group_standard(state);
    return setup(state);
}

int
through_teardown(void **state)
{
    counts_write();
    teardown(state);
    return group_teardown(state);
}

/* ---- keys ---- */

static size_t
attributes_add(view list, CK_ATTRIBUTE *template, size_t count)
{
    struct reader r = reader_of(list);
    struct attribute attribute;

    while (attributes_next(&r, &attribute)) {
        assert_in_range(count, 0, ATTRIBUTES - 1);
        template[count++] = (CK_ATTRIBUTE){ attribute.type, (void *)(uintptr_t)attribute.value.data,
                                            attribute.value.len };
    }
    return count;
}

/* Several types are of one kind: of DES each has its length, and Poly1305's are told by a test. */
CK_KEY_TYPE through_chacha = CKK_CHACHA20;

static CK_KEY_TYPE
type_of(enum object_kind kind, view secrets)
{
    view value;

    if (kind == KIND_CHACHA20) {
        return through_chacha;
    }
    if (kind != KIND_DES || !attributes_find(secrets, CKA_VALUE, &value)) {
        return kind_type(kind);
    }
    return value.len == 8 ? CKK_DES : value.len == 16 ? CKK_DES2 : CKK_DES3;
}

CK_RV
algo_key_new(enum object_kind kind, view attributes, view secrets, struct algo_key **ret_key)
{
    static const struct {
        CK_OBJECT_CLASS class;
        CK_ATTRIBUTE_TYPE rights[4];
    } rows[] = {
        { CKO_PUBLIC_KEY, { CKA_ENCRYPT, CKA_VERIFY } },
        { CKO_PRIVATE_KEY, { CKA_DECRYPT, CKA_SIGN } },
        { CKO_SECRET_KEY, { CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_VERIFY } },
    };
    CK_OBJECT_CLASS class = kind_class(kind);
    CK_KEY_TYPE type = type_of(kind, secrets);
    CK_ATTRIBUTE template[ATTRIBUTES] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type) };
    size_t count = 2;
    CK_OBJECT_HANDLE handle = 0;
    CK_RV rv;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        for (size_t k = 0; rows[i].class == class && k < 4 && rows[i].rights[k] != 0; k++) {
            template[count++] = (CK_ATTRIBUTE)ATTR(rows[i].rights[k], yes);
        }
    }
    count = attributes_add(attributes, template, count);
    count = attributes_add(secrets, template, count);
    rv = C_CreateObject(fixture.session, template, count, &handle);
    if (rv == CKR_OK) {
        *ret_key = calloc(1, sizeof **ret_key);
        assert_non_null(*ret_key);
        (*ret_key)->handle = handle;
    }
    return rv;
}

void
algo_key_free(struct algo_key *key)
{
    if (key != NULL) {
        assert_ok(C_DestroyObject(fixture.session, key->handle));
        free(key);
        writer_truncate(&fixture.hsm.outside.lines, 0); /* nobody reads this audit */
    }
}

/* ---- mechanisms ---- */

union parameter {
    CK_AES_CTR_PARAMS ctr;
    CK_GCM_PARAMS gcm;
    CK_CCM_PARAMS ccm;
    CK_RSA_PKCS_OAEP_PARAMS oaep;
    CK_RSA_PKCS_PSS_PARAMS pss;
    CK_CHACHA20_PARAMS chacha20;
    CK_SALSA20_CHACHA20_POLY1305_PARAMS chacha_poly;
    CK_TLS_MAC_PARAMS tls_mac;
    CK_ULONG number;
};

static void *
bytes(view v)
{
    return (void *)(uintptr_t)v.data;
}

/* The C structure that the application fills. */
static CK_MECHANISM
mechanism_from(const struct mechanism *m, union parameter *p)
{
    CK_MECHANISM mechanism = { m->type, NULL, 0 };

    switch (m->shape) {
    case PARAMS_iv:
        mechanism.pParameter = bytes(m->params.iv.bytes);
        mechanism.ulParameterLen = m->params.iv.bytes.len;
        return mechanism;
    case PARAMS_wrap_iv:
        mechanism.pParameter = bytes(m->params.wrap_iv.bytes);
        mechanism.ulParameterLen = m->params.wrap_iv.bytes.len;
        return mechanism;
    case PARAMS_ctr:
        p->ctr.ulCounterBits = m->params.ctr.bits;
        memcpy(p->ctr.cb, m->params.ctr.block.data, sizeof p->ctr.cb);
        mechanism.ulParameterLen = sizeof p->ctr;
        break;
    case PARAMS_gcm:
        p->gcm = (CK_GCM_PARAMS){ bytes(m->params.gcm.iv), m->params.gcm.iv.len,
                                  8 * m->params.gcm.iv.len, bytes(m->params.gcm.aad),
                                  m->params.gcm.aad.len, m->params.gcm.tag_bits };
        mechanism.ulParameterLen = sizeof p->gcm;
        break;
    case PARAMS_ccm:
        p->ccm = (CK_CCM_PARAMS){ m->params.ccm.data_len, bytes(m->params.ccm.nonce),
                                  m->params.ccm.nonce.len, bytes(m->params.ccm.aad),
                                  m->params.ccm.aad.len, m->params.ccm.mac_len };
        mechanism.ulParameterLen = sizeof p->ccm;
        break;
    case PARAMS_oaep:
        p->oaep = (CK_RSA_PKCS_OAEP_PARAMS){ m->params.oaep.hash, m->params.oaep.mgf,
                                             m->params.oaep.source, bytes(m->params.oaep.label),
                                             m->params.oaep.label.len };
        mechanism.ulParameterLen = sizeof p->oaep;
        break;
    case PARAMS_pss:
        p->pss = (CK_RSA_PKCS_PSS_PARAMS){ m->params.pss.hash, m->params.pss.mgf,
                                           m->params.pss.salt_len };
        mechanism.ulParameterLen = sizeof p->pss;
        break;
    case PARAMS_chacha20:
        p->chacha20 = (CK_CHACHA20_PARAMS){ bytes(m->params.chacha20.counter),
                                            8 * m->params.chacha20.counter.len,
                                            bytes(m->params.chacha20.nonce),
                                            8 * m->params.chacha20.nonce.len };
        mechanism.ulParameterLen = sizeof p->chacha20;
        break;
    case PARAMS_chacha_poly:
        p->chacha_poly = (CK_SALSA20_CHACHA20_POLY1305_PARAMS){
            bytes(m->params.chacha_poly.nonce), 8 * m->params.chacha_poly.nonce.len,
            bytes(m->params.chacha_poly.aad), m->params.chacha_poly.aad.len
        };
        mechanism.ulParameterLen = sizeof p->chacha_poly;
        break;
    case PARAMS_tls_mac:
        p->tls_mac = (CK_TLS_MAC_PARAMS){ m->params.tls_mac.hash, m->params.tls_mac.len,
                                          m->params.tls_mac.side };
        mechanism.ulParameterLen = sizeof p->tls_mac;
        break;
    case PARAMS_number:
        p->number = m->params.number.number;
        mechanism.ulParameterLen = sizeof p->number;
        break;
    default:
        return mechanism; /* may be left out */
    }
    mechanism.pParameter = p;
    return mechanism;
}

static CK_RV
init(CK_FLAGS function, const struct mechanism *m, const struct algo_key *key)
{
    union parameter parameter;
    CK_MECHANISM mechanism = mechanism_from(m, &parameter);

    switch (function) {
    case CKF_ENCRYPT:
        return C_EncryptInit(fixture.session, &mechanism, key->handle);
    case CKF_DECRYPT:
        return C_DecryptInit(fixture.session, &mechanism, key->handle);
    case CKF_SIGN:
        return C_SignInit(fixture.session, &mechanism, key->handle);
    case CKF_VERIFY:
        return C_VerifyInit(fixture.session, &mechanism, key->handle);
    case CKF_DIGEST:
        return C_DigestInit(fixture.session, &mechanism);
    default:
        fail_msg("no such function");
        return CKR_FUNCTION_FAILED;
    }
}

/* ---- functions with output ---- */

enum step { WHOLE, UPDATE, FINAL };

static CK_RV
step_call(CK_FLAGS function, enum step step, view in, uint8_t *out, CK_ULONG *len)
{
    const CK_SESSION_HANDLE s = fixture.session;
    CK_BYTE *from = bytes(in);

    switch (function) {
    case CKF_ENCRYPT:
        return step == WHOLE    ? C_Encrypt(s, from, in.len, out, len)
               : step == UPDATE ? C_EncryptUpdate(s, from, in.len, out, len)
                                : C_EncryptFinal(s, out, len);
    case CKF_DECRYPT:
        return step == WHOLE    ? C_Decrypt(s, from, in.len, out, len)
               : step == UPDATE ? C_DecryptUpdate(s, from, in.len, out, len)
                                : C_DecryptFinal(s, out, len);
    case CKF_SIGN:
        return step == WHOLE ? C_Sign(s, from, in.len, out, len) : C_SignFinal(s, out, len);
    default:
        return step == WHOLE ? C_Digest(s, from, in.len, out, len) : C_DigestFinal(s, out, len);
    }
}

/* Asks for the length, offers too little where that is known, then gives as much as was asked. */
static CK_RV
step_out(CK_FLAGS function, enum step step, view in, struct writer *out)
{
    static uint8_t none;
    const view from = in.data == NULL ? view_of(&none, 0) : in;
    CK_ULONG needed = 0, len;
    uint8_t *place;
    CK_RV rv = step_call(function, step, from, NULL, &needed);

    if (rv != CKR_OK) {
        return rv;
    }
    place = malloc(needed + CANARY_LEN);
    assert_non_null(place);
    memset(place, CANARY, needed + CANARY_LEN);
    if (needed > 0 && function != CKF_DECRYPT) {
        len = needed - 1;
        assert_code(step_call(function, step, from, place, &len), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(len, needed);
    }
    len = needed;
    rv = step_call(function, step, from, place, &len);
    for (size_t i = 0; i < CANARY_LEN; i++) {
        assert_int_equal(place[needed + i], CANARY);
    }
    if (rv == CKR_OK) {
        assert_in_range(len, 0, needed);
        write_raw(out, view_of(place, len));
    }
    free(place);
    return rv;
}

/* Input and output in one buffer: the same comes out. */
static void
in_place(CK_FLAGS function, view in, CK_RV expected_rv, view expected)
{
    const size_t size = (in.len > expected.len ? in.len : expected.len) + 64;
    uint8_t *place = calloc(1, size + CANARY_LEN);
    CK_ULONG len = size;

    assert_non_null(place);
    if (in.len > 0) {
        memcpy(place, in.data, in.len);
    }
    memset(place + size, CANARY, CANARY_LEN);
    assert_code(step_call(function, WHOLE, view_of(place, in.len), place, &len), expected_rv);
    if (expected_rv == CKR_OK) {
        assert_int_equal(len, expected.len);
        assert_memory_equal(place, expected.data == NULL ? place : expected.data, len);
    }
    for (size_t i = 0; i < CANARY_LEN; i++) {
        assert_int_equal(place[size + i], CANARY);
    }
    free(place);
}

CK_RV
algo_once(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
          const struct mechanism *m, const struct algo_key *key, view in, view signature,
          struct writer *out)
{
    const size_t start = out->len;
    CK_RV rv = init(function, m, key);

    UNUSED(rules);
    if (rv != CKR_OK) {
        return rv;
    }
    if (function == CKF_VERIFY) {
        return C_Verify(fixture.session, bytes(in), in.len, bytes(signature), signature.len);
    }
    rv = step_out(function, WHOLE, in, out);
    /* RSA's encryption draws its padding, and CCM and the wraps are like the others. */
    if (function == CKF_DECRYPT || (function == CKF_ENCRYPT && row->driver != DRIVER_rsa)) {
        assert_ok(init(function, m, key));
        in_place(function, in, rv, view_of(out->data + start, out->len - start));
    }
    return rv;
}

/* ---- in parts ---- */

CK_RV
algo_start(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
           const struct mechanism *m, const struct algo_key *key, struct algo_op **ret_op)
{
    CK_RV rv = init(function, m, key);

    UNUSED(rules);
    UNUSED(row);
    if (rv == CKR_OK) {
        *ret_op = calloc(1, sizeof **ret_op);
        assert_non_null(*ret_op);
        (*ret_op)->function = function;
    }
    return rv;
}

CK_RV
algo_update(struct algo_op *op, view in, struct writer *out)
{
    switch (op->function) {
    case CKF_SIGN:
        return C_SignUpdate(fixture.session, bytes(in), in.len);
    case CKF_VERIFY:
        return C_VerifyUpdate(fixture.session, bytes(in), in.len);
    case CKF_DIGEST:
        return C_DigestUpdate(fixture.session, bytes(in), in.len);
    default:
        return step_out(op->function, UPDATE, in, out);
    }
}

CK_RV
algo_final(struct algo_op *op, view signature, struct writer *out)
{
    return op->function == CKF_VERIFY
               ? C_VerifyFinal(fixture.session, bytes(signature), signature.len)
               : step_out(op->function, FINAL, VIEW_EMPTY, out);
}

/* Whatever is left of it. */
void
algo_op_free(struct algo_op *op)
{
    if (op != NULL) {
        assert_ok(C_SessionCancel(fixture.session, op->function));
        free(op);
    }
}
