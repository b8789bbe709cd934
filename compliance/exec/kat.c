/* SPDX-License-Identifier: Apache-2.0
 *
 * Known answers: each as a whole, byte by byte, in parts, in place, and after a buffer that was too
 * small.
 */
#include "exec/kat.h"
#include "ref/ref.h"

#include <string.h>

#define BYTES_MOST 1024

/* A vector while it is tried. */
struct kat {
    struct runner *runner;
    const struct vector_row *row;
    uint32_t form;
    bool back;
    uint8_t key[BYTES_MOST], iv[64], aad[BYTES_MOST], in[BYTES_MOST], out[BYTES_MOST];
    size_t key_len, iv_len, aad_len, in_len, out_len;
    CK_GCM_PARAMS gcm;
    CK_AES_CTR_PARAMS ctr;
    CK_MECHANISM mech;
    CK_OBJECT_HANDLE handle;
    struct result *result;
    enum cond rule;
};

static size_t
unhex(const char *text, uint8_t *ret_bytes, size_t room)
{
    size_t len = strlen(text) / 2;

    for (size_t i = 0; i < len && i < room; i++) {
        unsigned high = (unsigned)text[2 * i], low = (unsigned)text[2 * i + 1];

        high = high <= '9' ? high - '0' : (high | 0x20) - 'a' + 10;
        low = low <= '9' ? low - '0' : (low | 0x20) - 'a' + 10;
        ret_bytes[i] = (uint8_t)(high << 4 | low);
    }
    return len < room ? len : room;
}

static void
read_row(struct kat *k)
{
    const struct vector_row *row = k->row;
    bool cipher = row->kind == VECTOR_CIPHER || row->kind == VECTOR_AEAD;
    bool swap = k->back && cipher;

    k->key_len = unhex(row->key, k->key, sizeof k->key);
    k->iv_len = unhex(row->iv, k->iv, sizeof k->iv);
    k->aad_len = unhex(row->aad, k->aad, sizeof k->aad);
    k->in_len = unhex(swap ? row->out : row->in, k->in, sizeof k->in);
    k->out_len = unhex(swap ? row->in : row->out, k->out, sizeof k->out);
    k->mech.mechanism = row->mech;
    if (row->kind == VECTOR_AEAD) {
        k->gcm = (CK_GCM_PARAMS){ k->iv,
                                  k->iv_len,
                                  8 * k->iv_len,
                                  k->aad_len > 0 ? k->aad : NULL,
                                  k->aad_len,
                                  128 };
        k->mech.pParameter = &k->gcm;
        k->mech.ulParameterLen = sizeof k->gcm;
    } else if (row->mech == CKM_AES_CTR) {
        k->ctr.ulCounterBits = 128;
        memcpy(k->ctr.cb, k->iv, sizeof k->ctr.cb);
        k->mech.pParameter = &k->ctr;
        k->mech.ulParameterLen = sizeof k->ctr;
    } else if (k->iv_len > 0) {
        k->mech.pParameter = k->iv;
        k->mech.ulParameterLen = k->iv_len;
    }
}

/* ---- keys ---- */

/* A public key on the curve of the row; the row's key is its point. */
static CK_OBJECT_HANDLE
public_key(struct kat *k)
{
    static CK_BYTE p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
    static CK_BYTE p384[] = { 6, 5, 0x2b, 0x81, 4, 0, 0x22 };
    static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    static CK_OBJECT_CLASS class = CKO_PUBLIC_KEY;
    static CK_KEY_TYPE type = CKK_EC;
    bool small = k->row->curve == 256;
    uint8_t point[256] = { 0x04, (uint8_t)k->key_len };
    CK_ATTRIBUTE attrs[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_KEY_TYPE, &type, sizeof type },
        { CKA_TOKEN, &no, sizeof no },
        { CKA_VERIFY, &yes, sizeof yes },
        { CKA_EC_PARAMS, small ? p256 : p384, small ? sizeof p256 : sizeof p384 },
        { CKA_EC_POINT, point, k->key_len + 2 },
    };
    CK_OBJECT_HANDLE handle = CK_INVALID_HANDLE;

    memcpy(point + 2, k->key, k->key_len);
    return k->key_len <= 127 && call_create(k->runner->fixture.module, k->runner->fixture.home,
                                            attrs, COUNT(attrs), &handle) == CKR_OK
               ? handle
               : CK_INVALID_HANDLE;
}

static bool
get_key(struct kat *k, uint32_t rung)
{
    CK_KEY_TYPE type = k->row->kind == VECTOR_MAC && k->row->mech != CKM_AES_CMAC
                           ? CKK_GENERIC_SECRET
                           : CKK_AES;

    if (k->row->kind == VECTOR_DIGEST) {
        return true;
    }
    k->handle = k->row->kind == VECTOR_VERIFY
                    ? public_key(k)
                    : ladder_climb(k->runner, rung, type, k->key, k->key_len);
    return k->handle != CK_INVALID_HANDLE;
}

/* ---- calls ---- */

enum step_kind { STEP_ONE, STEP_UPDATE, STEP_FINAL };

static enum fn
step_fn(const struct kat *k, enum step_kind step)
{
    static const enum fn table[5][3] = {
        { FN_C_Encrypt, FN_C_EncryptUpdate, FN_C_EncryptFinal },
        { FN_C_Decrypt, FN_C_DecryptUpdate, FN_C_DecryptFinal },
        { FN_C_Digest, FN_C_DigestUpdate, FN_C_DigestFinal },
        { FN_C_Sign, FN_C_SignUpdate, FN_C_SignFinal },
        { FN_C_Verify, FN_C_VerifyUpdate, FN_C_VerifyFinal },
    };
    size_t line = k->row->kind == VECTOR_DIGEST ? 2
                  : k->row->kind == VECTOR_MAC || k->row->kind == VECTOR_VERIFY
                      ? (k->back ? 4 : 3)
                  : k->back ? 1
                            : 0;

    return table[line][step];
}

/* One call; what comes out is put behind what did. */
static CK_RV
make(struct kat *k, enum step_kind step, const uint8_t *in, size_t in_len, uint8_t *all,
     size_t *given)
{
    struct bag bag = { .session = k->runner->fixture.session[0], .in_len = in_len };
    enum fn fn = step_fn(k, step);
    CK_RV rv;

    bag.in = guard_tail(&k->runner->in, in_len);
    memcpy(bag.in, in, in_len);
    bag.out_room = BYTES_MOST;
    bag.out = guard_tail(&k->runner->out, bag.out_room);
    bag.out_len = &bag.out_room;
    bag.sig = guard_tail(&k->runner->sig, k->out_len);
    bag.sig_len = k->out_len;
    memcpy(bag.sig, k->out, k->out_len);
    k->result->fn = (uint8_t)fn;
    if (step == STEP_ONE && k->form == FORM_IN_PLACE) {
        bag.out = guard_tail(&k->runner->out, BYTES_MOST);
        memcpy(bag.out, in, in_len);
        bag.in = bag.out;
    }
    if (step == STEP_ONE && k->form == FORM_SHORT && k->out_len > 0) {
        bag.out_room = 0;
        rv = call(k->runner->fixture.module, fn, &bag);
        if (rv != CKR_BUFFER_TOO_SMALL) {
            return rv;
        }
        bag.out_room = BYTES_MOST;
    }
    rv = call(k->runner->fixture.module, fn, &bag);
    if (rv == CKR_OK && has_role(fn, ROLE_OUT) && *given + bag.out_room <= BYTES_MOST) {
        memcpy(all + *given, bag.out, bag.out_room);
        *given += bag.out_room;
    }
    return rv;
}

/* All calls of the form; the code of the first that fails. */
static CK_RV
run_form(struct kat *k, uint8_t *all, size_t *given)
{
    CK_RV rv = CKR_OK;
    size_t at = 0;

    if (k->form != FORM_BYTES && k->form != FORM_PARTS) {
        return make(k, STEP_ONE, k->in, k->in_len, all, given);
    }
    do {
        size_t left = k->in_len - at, len = k->form == FORM_BYTES || left == 0 ? 1
                                            : at == 0                          ? 7
                                                                               : left;

        len = len < left ? len : left;
        rv = make(k, STEP_UPDATE, k->in + at, len, all, given);
        at += len;
    } while (rv == CKR_OK && at < k->in_len);
    return rv == CKR_OK ? make(k, STEP_FINAL, k->in, 0, all, given) : rv;
}

static void
try_vector(struct kat *k, enum fn init)
{
    struct bag bag = { .session = k->runner->fixture.session[0],
                       .mech = &k->mech,
                       .key = k->handle,
                       .param = k->row->kind == VECTOR_AEAD ? PARAM_GCM : PARAM_NONE };
    uint8_t all[BYTES_MOST];
    size_t given = 0;
    CK_RV rv;

    k->result->fn = (uint8_t)init;
    rv = call(k->runner->fixture.module, init, &bag);
    if (rv != CKR_OK) {
        if (rv == CKR_KEY_SIZE_RANGE) {
            k->result->verdict = VERDICT_SKIPPED;   /* a token may want longer keys */
        } else if (k->row->valid) {
            (void)result_judge(k->result, k->rule, rv);
        }
        return;     /* that it does not even begin is as good, when it is wrong */
    }
    rv = run_form(k, all, &given);
    if (!k->row->valid) {
        (void)result_judge(k->result, k->rule, rv);
        return;
    }
    if (result_judge(k->result, k->rule, rv) && has_role((enum fn)k->result->fn, ROLE_OUT) &&
        (given != k->out_len || memcmp(all, k->out, given) != 0)) {
        k->result->verdict = VERDICT_OUTPUT;
        k->result->detail = given != k->out_len ? DETAIL_LENGTH : DETAIL_BYTES;
        k->result->class = CLASS_OUTPUT;
        if (k->rule == RULE_K_ZEROS) {
            k->result->fn = (uint8_t)init;      /* it was told the IV */
        }
    }
}

void
kat_run(struct runner *runner, const struct test *test, struct result *ret_result)
{
    struct kat k = { .runner = runner,
                     .row = &vectors[test->row],
                     .form = VECTOR_FORM(test->arg),
                     .back = VECTOR_BACK(test->arg),
                     .result = ret_result,
                     .rule = vector_rule(&vectors[test->row], test->arg) };

    ret_result->fn = test->step[0].fn;
    read_row(&k);
    if (!get_key(&k, VECTOR_RUNG(test->arg))) {
        ret_result->verdict = VERDICT_SKIPPED;      /* no way in for such a key */
        return;
    }
    try_vector(&k, (enum fn)test->step[0].fn);
    if (k.handle != CK_INVALID_HANDLE) {
        (void)call_destroy(runner->fixture.module, runner->fixture.home, k.handle);
    }
    if (ret_result->verdict == VERDICT_NONE) {
        ret_result->verdict = ret_result->advisory ? VERDICT_ADVISORY : VERDICT_PASS;
    } else if (ret_result->verdict != VERDICT_SKIPPED) {
        runner->dirty = true;
    }
}
