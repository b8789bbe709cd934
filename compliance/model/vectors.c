/* SPDX-License-Identifier: Apache-2.0
 *
 * Known answers, and in how many ways each is asked for.
 */
#include "model/model.h"

#include <string.h>

const struct vector_row vectors[] = {
#define VECTOR(kind, tag, mech, key, iv, aad, in, out, valid, curve) \
    { VECTOR_##kind, #tag, mech, key, iv, aad, in, out, valid, curve },
#include "model/vectors.def"
};
const size_t vectors_count = COUNT(vectors);

enum fn
vector_fn(const struct vector_row *row, uint32_t arg)
{
    bool back = VECTOR_BACK(arg);

    switch (row->kind) {
    case VECTOR_CIPHER:
    case VECTOR_AEAD:
        return back ? FN_C_DecryptInit : FN_C_EncryptInit;
    case VECTOR_DIGEST:
        return FN_C_DigestInit;
    default:
        return back ? FN_C_VerifyInit : FN_C_SignInit;
    }
}

/* What is wrong is only shown to the side that can tell. */
bool
vector_fits(const struct vector_row *row, uint32_t arg)
{
    uint32_t form = VECTOR_FORM(arg), rung = VECTOR_RUNG(arg);
    bool back = VECTOR_BACK(arg);

    if (arg > 0xfff || form >= FORMS || rung > RUNGS || (arg & 0xf0) > 0x10) {
        return false;
    }
    if (row->kind == VECTOR_DIGEST) {
        return !back && rung == 0 && form != FORM_IN_PLACE;
    }
    if (row->kind == VECTOR_VERIFY) {
        return back && rung == 0 && form < FORM_IN_PLACE;
    }
    if (!back && !row->valid) {
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
    default:
        return CKF_VERIFY;
    }
}

enum cond
vector_rule(const struct vector_row *row, uint32_t arg)
{
    bool zeros = row->iv[0] != '\0' && row->iv[strspn(row->iv, "0")] == '\0';

    return !row->valid                                                   ? RULE_K_FORGED
           : row->kind == VECTOR_AEAD && zeros && !VECTOR_BACK(arg) ? RULE_K_ZEROS
                                                                         : RULE_K_ANSWER;
}
