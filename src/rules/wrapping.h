/* SPDX-License-Identifier: Apache-2.0
 *
 * What may wrap what: the rows of wrappings.def, and the checks of C_WrapKey and C_UnwrapKey that
 * need no more than key information, in the order of model-notes 6.
 */
#ifndef RULES_WRAPPING_H
#define RULES_WRAPPING_H

#include "rules/attribute.h"
#include "rules/key.h"
#include "rules/mechanism.h"

struct wrapping_row {
    CK_MECHANISM_TYPE mechanism;
    bool any_key;    /* private keys, too */
    bool class_given;
    size_t zeros;
};

/* NULL when the mechanism wraps nothing. */
const struct wrapping_row *wrapping_row(CK_MECHANISM_TYPE mechanism);

/* The key that wraps (function CKF_WRAP) or unwraps (CKF_UNWRAP): WRAPPING_KEY_TYPE_INCONSISTENT
 * and UNWRAPPING_..., ..._SIZE_RANGE, KEY_FUNCTION_NOT_PERMITTED. */
MUST_USE CK_RV wrapping_key_check(struct rules rules, const struct mechanism_row *row,
                                  CK_FLAGS function, const struct key_info *key);
/* The key to be wrapped by that one: KEY_UNEXTRACTABLE, KEY_NOT_WRAPPABLE. */
MUST_USE CK_RV wrapped_key_check(const struct wrapping_row *row, const struct key_info *wrapping,
                                 const struct key_info *key);
/* The code of a failed encryption or decryption as one of wrapping or unwrapping. */
CK_RV wrapping_code(CK_FLAGS function, CK_RV rv);

#endif
