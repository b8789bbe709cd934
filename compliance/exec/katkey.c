/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys of known answers; and answers that are keys: wrapped ones, and those that two agreed on. What
 * such a key is shows in the HMAC that it makes, so none has to be read.
 */
#include "exec/katkey.h"
#include "ref/ref.h"

#include <string.h>

static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
static CK_BYTE p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
static CK_BYTE p384[] = { 6, 5, 0x2b, 0x81, 4, 0, 0x22 };

/* What C_CreateObject is told; the values live where the caller has them. */
struct made {
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE type;
    CK_ATTRIBUTE attr[16];
    CK_ULONG count;
};

static void
put(struct made *m, CK_ATTRIBUTE_TYPE type, void *value, size_t len)
{
    m->attr[m->count++] = (CK_ATTRIBUTE){ type, value, len };
}

static void
begin(struct made *m, CK_OBJECT_CLASS class, CK_KEY_TYPE type)
{
    m->class = class;
    m->type = type;
    m->count = 0;
    put(m, CKA_CLASS, &m->class, sizeof m->class);
    put(m, CKA_KEY_TYPE, &m->type, sizeof m->type);
    put(m, CKA_TOKEN, &no, sizeof no);
}

static CK_OBJECT_HANDLE
end(struct kat *k, struct made *m)
{
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    return call_create(k->runner->fixture.module, k->runner->fixture.home, m->attr, m->count,
                       &handle) == CKR_OK
               ? handle
               : CK_INVALID_HANDLE;
}

static void
put_curve(struct kat *k, struct made *m)
{
    put(m, CKA_EC_PARAMS, k->row->extra == 256 ? p256 : p384,
        k->row->extra == 256 ? sizeof p256 : sizeof p384);
}

/* A public key on the curve of the row; the row's key is its point. */
static CK_OBJECT_HANDLE
ec_public(struct kat *k)
{
    uint8_t point[256] = { 0x04, (uint8_t)k->key_len };
    struct made m;

    if (k->key_len > 127) {
        return CK_INVALID_HANDLE;
    }
    memcpy(point + 2, k->key, k->key_len);
    begin(&m, CKO_PUBLIC_KEY, CKK_EC);
    put(&m, CKA_VERIFY, &yes, sizeof yes);
    put_curve(k, &m);
    put(&m, CKA_EC_POINT, point, k->key_len + 2);
    return end(k, &m);
}

static CK_OBJECT_HANDLE
ec_private(struct kat *k)
{
    struct made m;

    begin(&m, CKO_PRIVATE_KEY, CKK_EC);
    put(&m, CKA_DERIVE, &yes, sizeof yes);
    put_curve(k, &m);
    put(&m, CKA_VALUE, k->key, k->key_len);
    return end(k, &m);
}

static CK_OBJECT_HANDLE
rsa(struct kat *k, bool private)
{
    static const CK_ATTRIBUTE_TYPE types[8] = {
        CKA_MODULUS, CKA_PUBLIC_EXPONENT, CKA_PRIVATE_EXPONENT, CKA_PRIME_1,
        CKA_PRIME_2, CKA_EXPONENT_1,      CKA_EXPONENT_2,       CKA_COEFFICIENT,
    };
    const char *const *part = vector_key(k->row);
    uint8_t number[8][512];
    struct made m;

    begin(&m, private ? CKO_PRIVATE_KEY : CKO_PUBLIC_KEY, CKK_RSA);
    put(&m, private ? CKA_DECRYPT : CKA_VERIFY, &yes, sizeof yes);
    for (size_t i = 0; part != NULL && i < (private ? 8 : 2); i++) {
        put(&m, types[i], number[i], kat_unhex(part[i], number[i], sizeof number[i]));
    }
    return part != NULL ? end(k, &m) : CK_INVALID_HANDLE;
}

static CK_OBJECT_HANDLE
wrapper(struct kat *k)
{
    struct made m;

    begin(&m, CKO_SECRET_KEY, CKK_AES);
    put(&m, CKA_VALUE, k->key, k->key_len);
    put(&m, CKA_WRAP, k->back ? &no : &yes, sizeof yes);
    put(&m, CKA_UNWRAP, k->back ? &yes : &no, sizeof yes);
    return end(k, &m);
}

static CK_OBJECT_HANDLE
key_new(struct kat *k, uint32_t rung)
{
    CK_KEY_TYPE type = k->row->mech == CKM_CHACHA20_POLY1305 ? CKK_CHACHA20
                       : k->row->kind == VECTOR_MAC && k->row->mech != CKM_AES_CMAC
                           ? CKK_GENERIC_SECRET
                           : CKK_AES;

    switch (k->row->kind) {
    case VECTOR_VERIFY:
        return ec_public(k);
    case VECTOR_RSA_OPEN:
        return rsa(k, true);
    case VECTOR_RSA_VERIFY:
        return rsa(k, false);
    case VECTOR_WRAP:
        return wrapper(k);
    case VECTOR_AGREE:
        return ec_private(k);
    default:
        return ladder_climb(k->runner, rung, type, k->key, k->key_len);
    }
}

/* A key of the same value, type and use. */
static bool
is_alike(const struct vector_row *a, const struct vector_row *b)
{
    return a->kind == b->kind && a->mech == b->mech && a->extra == b->extra &&
           strcmp(a->key, b->key) == 0;
}

void
kat_key_drop(struct runner *runner)
{
    fixture_drop(&runner->fixture, &runner->fixture.answer.key);
    runner->fixture.answer.row = NULL;
}

/* Vectors come in groups with one key, and each is tried in both directions: the last key stays for
 * the next test. */
bool
kat_key(struct kat *k, uint32_t rung)
{
    struct fixture *f = &k->runner->fixture;

    if (k->row->kind == VECTOR_DIGEST) {
        return true;
    }
    rung = 2 * rung + (k->back && k->row->kind == VECTOR_WRAP);     /* a wrapping key does one thing */
    if (f->answer.row == NULL || f->answer.rung != rung || !is_alike(f->answer.row, k->row)) {
        kat_key_drop(k->runner);
        f->answer.key = key_new(k, rung / 2);
        f->answer.row = f->answer.key != CK_INVALID_HANDLE ? k->row : NULL;
        f->answer.rung = rung;
    }
    k->handle = f->answer.key;
    return k->handle != CK_INVALID_HANDLE;
}

/* ---- keys that are answers ---- */

static void
generic(struct made *m)
{
    begin(m, CKO_SECRET_KEY, CKK_GENERIC_SECRET);
    put(m, CKA_SIGN, &yes, sizeof yes);
    put(m, CKA_EXTRACTABLE, &yes, sizeof yes);
}

/* Whether the key makes the HMAC that these bytes make. */
static void
check_key(struct kat *k, CK_OBJECT_HANDLE key, const uint8_t *value, size_t len)
{
    static uint8_t data[] = "what the key is shows here";
    CK_MECHANISM mech = { CKM_SHA256_HMAC, NULL, 0 };
    struct bag bag = { .session = k->runner->fixture.session[0], .mech = &mech, .key = key };
    uint8_t want[32], out[64];

    if (call(k->runner->fixture.module, FN_C_SignInit, &bag) != CKR_OK) {
        return;             /* a token may want longer keys */
    }
    bag.in = data;
    bag.in_len = sizeof data - 1;
    bag.out = out;
    bag.out_room = sizeof out;
    bag.out_len = &bag.out_room;
    if (call(k->runner->fixture.module, FN_C_Sign, &bag) != CKR_OK || bag.out_room != 32 ||
        (ref_hmac(value, len, data, sizeof data - 1, want) && memcmp(want, out, 32) != 0)) {
        k->result->verdict = VERDICT_OUTPUT;
        k->result->detail = DETAIL_BYTES;
        k->result->class = CLASS_OUTPUT;
    }
}

static void
run_wrap(struct kat *k)
{
    uint8_t *blob = guard_tail(&k->runner->out, BYTES_MOST);
    CK_ULONG len = BYTES_MOST;
    CK_OBJECT_HANDLE target;
    struct made m;
    CK_RV rv;

    generic(&m);
    put(&m, CKA_VALUE, k->in, k->in_len);
    target = end(k, &m);
    if (target == CK_INVALID_HANDLE) {
        k->result->verdict = VERDICT_SKIPPED;
        return;
    }
    rv = call_wrap(k->runner->fixture.module, k->runner->fixture.home, &k->mech, k->handle, target,
                   blob, &len);
    (void)call_destroy(k->runner->fixture.module, k->runner->fixture.home, target);
    if (result_judge(k->result, k->rule, rv) &&
        (len != k->out_len || memcmp(blob, k->out, len) != 0)) {
        k->result->verdict = VERDICT_OUTPUT;
        k->result->detail = len != k->out_len ? DETAIL_LENGTH : DETAIL_BYTES;
        k->result->class = CLASS_OUTPUT;
    }
}

static void
run_unwrap(struct kat *k)
{
    uint8_t *blob = guard_tail(&k->runner->in, k->in_len);
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct made m;
    CK_RV rv;

    memcpy(blob, k->in, k->in_len);
    generic(&m);
    rv = call_unwrap(k->runner->fixture.module, k->runner->fixture.home, &k->mech, k->handle, blob,
                     k->in_len, m.attr, m.count, &key);
    if (result_judge(k->result, k->rule, rv) && rv == CKR_OK) {
        check_key(k, key, k->out, k->out_len);
    }
    if (rv == CKR_OK) {
        (void)call_destroy(k->runner->fixture.module, k->runner->fixture.home, key);
    }
}

static void
run_agree(struct kat *k)
{
    uint8_t *point = guard_tail(&k->runner->in, k->in_len);
    CK_ECDH1_DERIVE_PARAMS ecdh = { CKD_NULL, 0, NULL, k->in_len, point };
    CK_ULONG len = k->row->extra / 8;
    CK_OBJECT_HANDLE key = CK_INVALID_HANDLE;
    struct made m;
    CK_RV rv;

    memcpy(point, k->in, k->in_len);
    k->mech = (CK_MECHANISM){ CKM_ECDH1_DERIVE, &ecdh, sizeof ecdh };
    generic(&m);
    put(&m, CKA_VALUE_LEN, &len, sizeof len);
    rv = call_derive(k->runner->fixture.module, k->runner->fixture.home, &k->mech, k->handle, m.attr,
                     m.count, &key);
    if (result_judge(k->result, k->rule, rv) && rv == CKR_OK) {
        check_key(k, key, k->out, k->out_len);
    }
    if (rv == CKR_OK) {
        (void)call_destroy(k->runner->fixture.module, k->runner->fixture.home, key);
    }
}

void
kat_travel(struct kat *k)
{
    if (k->row->kind == VECTOR_AGREE) {
        run_agree(k);
    } else if (k->back) {
        run_unwrap(k);
    } else {
        run_wrap(k);
    }
}
