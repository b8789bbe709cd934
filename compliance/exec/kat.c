/* SPDX-License-Identifier: Apache-2.0
 *
 * Known answers: each as a whole, byte by byte, in parts, in place, and after a buffer that was too
 * small.
 */
#include "exec/katkey.h"
#include "ref/ref.h"

#include <string.h>

size_t
kat_unhex(const char *text, uint8_t *ret_bytes, size_t room)
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

/* Bytes that a text in hexadecimal is. */
static size_t
kat_len(const char *text)
{
    return strlen(text) / 2;
}

static void
read_row(struct kat *k)
{
    const struct vector_row *row = k->row;
    bool cipher = row->kind == VECTOR_CIPHER || row->kind == VECTOR_AEAD ||
                  row->kind == VECTOR_RSA_OPEN || row->kind == VECTOR_WRAP;
    bool swap = k->back && cipher;

    if (vector_key(row) == NULL) {
        k->key_len = kat_unhex(row->key, k->key, sizeof k->key);
    }
    k->iv_len = kat_unhex(row->iv, k->iv, sizeof k->iv);
    k->aad_len = kat_unhex(row->aad, k->aad, sizeof k->aad);
    k->in_len = kat_unhex(swap ? row->out : row->in, k->in, sizeof k->in);
    k->out_len = kat_unhex(swap ? row->in : row->out, k->out, sizeof k->out);
    k->mech.mechanism = row->mech;
    if (row->mech == CKM_AES_CCM) {
        k->ccm = (CK_CCM_PARAMS){ kat_len(row->in),
                                  k->iv,
                                  k->iv_len,
                                  k->aad_len > 0 ? k->aad : NULL,
                                  k->aad_len,
                                  16 };
        k->mech.pParameter = &k->ccm;
        k->mech.ulParameterLen = sizeof k->ccm;
    } else if (row->mech == CKM_CHACHA20_POLY1305) {
        k->chacha = (CK_SALSA20_CHACHA20_POLY1305_PARAMS){
            k->iv, k->iv_len, k->aad_len > 0 ? k->aad : NULL, k->aad_len
        };
        k->mech.pParameter = &k->chacha;
        k->mech.ulParameterLen = sizeof k->chacha;
    } else if (row->mech == CKM_RSA_PKCS_OAEP) {
        bool old = row->extra == 1;

        k->oaep = (CK_RSA_PKCS_OAEP_PARAMS){ old ? CKM_SHA_1 : CKM_SHA256,
                                             old ? CKG_MGF1_SHA1 : CKG_MGF1_SHA256,
                                             CKZ_DATA_SPECIFIED, NULL, 0 };
        k->mech.pParameter = &k->oaep;
        k->mech.ulParameterLen = sizeof k->oaep;
    } else if (row->mech == CKM_SHA1_RSA_PKCS_PSS || row->mech == CKM_SHA256_RSA_PKCS_PSS ||
               row->mech == CKM_SHA384_RSA_PKCS_PSS) {
        k->pss = row->mech == CKM_SHA1_RSA_PKCS_PSS
                     ? (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA_1, CKG_MGF1_SHA1, row->extra }
                 : row->mech == CKM_SHA256_RSA_PKCS_PSS
                     ? (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA256, CKG_MGF1_SHA256, row->extra }
                     : (CK_RSA_PKCS_PSS_PARAMS){ CKM_SHA384, CKG_MGF1_SHA384, row->extra };
        k->mech.pParameter = &k->pss;
        k->mech.ulParameterLen = sizeof k->pss;
    } else if (row->kind == VECTOR_AEAD) {
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
                  : k->row->kind == VECTOR_MAC || k->row->kind == VECTOR_VERIFY ||
                          k->row->kind == VECTOR_RSA_VERIFY
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
                       .param = k->row->mech == CKM_AES_GCM               ? PARAM_GCM
                                : k->row->mech == CKM_AES_CCM           ? PARAM_CCM
                                : k->row->mech == CKM_CHACHA20_POLY1305 ? PARAM_CHACHA
                                : k->row->mech == CKM_RSA_PKCS_OAEP     ? PARAM_OAEP
                                                                        : PARAM_NONE };
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
    if (!kat_key(&k, VECTOR_RUNG(test->arg))) {
        ret_result->verdict = VERDICT_SKIPPED;      /* no way in for such a key */
        return;
    }
    if (k.row->kind == VECTOR_WRAP || k.row->kind == VECTOR_AGREE) {
        kat_travel(&k);
    } else {
        try_vector(&k, (enum fn)test->step[0].fn);
    }
    if (ret_result->verdict == VERDICT_NONE) {
        ret_result->verdict = ret_result->advisory ? VERDICT_ADVISORY : VERDICT_PASS;
    } else if (ret_result->verdict == VERDICT_OUTPUT) {
        kat_key_drop(runner);       /* it was given to its end */
    } else if (ret_result->verdict != VERDICT_SKIPPED) {
        runner->dirty = true;
    }
}
