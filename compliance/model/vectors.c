/* SPDX-License-Identifier: Apache-2.0
 *
 * Known answers, and in how many ways each is asked for.
 */
#include "model/model.h"

#include <string.h>

const struct vector_row vectors[] = {
#define VECTOR_KEY(tag, n, e, d, p, q, dp, dq, qinv)
#define VECTOR(kind, tag, mech, key, iv, aad, in, out, valid, extra) \
    { VECTOR_##kind, #tag, mech, key, iv, aad, in, out, valid, extra },
#include "model/vectors.def"
};
const size_t vectors_count = COUNT(vectors);

static const struct {
    const char *tag;
    const char *part[8];
} rsa_keys[] = {
#define VECTOR_KEY(tag, n, e, d, p, q, dp, dq, qinv) { #tag, { n, e, d, p, q, dp, dq, qinv } },
#define VECTOR(kind, tag, mech, key, iv, aad, in, out, valid, extra)
#include "model/vectors.def"
};

const char *const *
vector_key(const struct vector_row *row)
{
    for (size_t i = 0; i < COUNT(rsa_keys); i++) {
        if (strcmp(rsa_keys[i].tag, row->key) == 0) {
            return rsa_keys[i].part;
        }
    }
    return NULL;
}

enum fn
vector_fn(const struct vector_row *row, uint32_t arg)
{
    bool back = VECTOR_BACK(arg);

    switch (row->kind) {
    case VECTOR_CIPHER:
    case VECTOR_AEAD:
    case VECTOR_RSA_OPEN:
        return back ? FN_C_DecryptInit : FN_C_EncryptInit;
    case VECTOR_DIGEST:
        return FN_C_DigestInit;
    case VECTOR_WRAP:
        return back ? FN_C_UnwrapKey : FN_C_WrapKey;
    case VECTOR_AGREE:
        return FN_C_DeriveKey;
    default:
        return back ? FN_C_VerifyInit : FN_C_SignInit;
    }
}

/* What is wrong is only shown to the side that can tell. */
bool
vector_fits(const struct vector_row *row, uint32_t arg)
{
    uint32_t form = VECTOR_FORM(arg), rung = VECTOR_RUNG(arg);
    bool back = VECTOR_BACK(arg), parts = form == FORM_BYTES || form == FORM_PARTS;

    if (arg > 0xfff || form >= FORMS || rung > RUNGS || (arg & 0xf0) > 0x10) {
        return false;
    }
    switch (row->kind) {
    case VECTOR_DIGEST:
        return !back && rung == 0 && form != FORM_IN_PLACE;
    case VECTOR_VERIFY:
    case VECTOR_RSA_VERIFY:
        return back && rung == 0 && form < FORM_IN_PLACE;
    case VECTOR_RSA_OPEN:
        return back && rung == 0 && !parts;
    case VECTOR_WRAP:
        return rung == 0 && form == FORM_ONE && (back || row->valid);
    case VECTOR_AGREE:
        return !back && rung == 0 && form == FORM_ONE;
    default:
        break;
    }
    if ((!back && !row->valid) || (parts && row->mech == CKM_AES_CCM)) {
        return false;
    }
    if (row->kind == VECTOR_MAC && (form == FORM_IN_PLACE || (back && form == FORM_SHORT))) {
        return false;
    }
    return rung == 0 || form == FORM_ONE;
}

CK_FLAGS
vector_flag(const struct vector_row *row, uint32_t arg)
{
    switch (vector_fn(row, arg)) {
    case FN_C_EncryptInit:
        return CKF_ENCRYPT;
    case FN_C_DecryptInit:
        return CKF_DECRYPT;
    case FN_C_DigestInit:
        return CKF_DIGEST;
    case FN_C_SignInit:
        return CKF_SIGN;
    case FN_C_WrapKey:
        return CKF_WRAP;
    case FN_C_UnwrapKey:
        return CKF_UNWRAP;
    case FN_C_DeriveKey:
        return CKF_DERIVE;
    default:
        return CKF_VERIFY;
    }
}

enum cond
vector_rule(const struct vector_row *row, uint32_t arg)
{
    bool zeros = row->iv[0] != '\0' && row->iv[strspn(row->iv, "0")] == '\0';

    if (!row->valid) {
        return row->kind == VECTOR_WRAP    ? RULE_K_BLOB
               : row->kind == VECTOR_AGREE ? RULE_K_POINT
                                           : RULE_K_FORGED;
    }
    return row->mech == CKM_AES_GCM && zeros && !VECTOR_BACK(arg) ? RULE_K_ZEROS : RULE_K_ANSWER;
}
