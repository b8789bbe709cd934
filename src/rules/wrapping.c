/* SPDX-License-Identifier: Apache-2.0
 *
 * Codes of ordinary use, under the names that wrapping has for them.
 */
#include "rules/wrapping.h"

#define OF_secret false
#define OF_any true
#define CLASS_given true
#define CLASS_asked false

/* { CKM_AES_CBC, false, false, 16 } */
#define WRAPPING(mechanism, of, class, zeros) { CKM_##mechanism, OF_##of, CLASS_##class, zeros },
static const struct wrapping_row rows[] = {
#include "rules/wrappings.def"
};
#undef WRAPPING

const struct wrapping_row *
wrapping_row(CK_MECHANISM_TYPE mechanism)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (rows[i].mechanism == mechanism) {
            return &rows[i];
        }
    }
    return NULL;
}

static const struct {
    CK_RV usual;
    CK_RV wrap;
    CK_RV unwrap;
} codes[] = {
    { CKR_KEY_HANDLE_INVALID, CKR_WRAPPING_KEY_HANDLE_INVALID, CKR_UNWRAPPING_KEY_HANDLE_INVALID },
    { CKR_KEY_TYPE_INCONSISTENT, CKR_WRAPPING_KEY_TYPE_INCONSISTENT,
      CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT },
    { CKR_KEY_SIZE_RANGE, CKR_WRAPPING_KEY_SIZE_RANGE, CKR_UNWRAPPING_KEY_SIZE_RANGE },
    { CKR_DATA_LEN_RANGE, CKR_KEY_SIZE_RANGE, CKR_WRAPPED_KEY_LEN_RANGE },
    { CKR_DATA_INVALID, CKR_KEY_NOT_WRAPPABLE, CKR_WRAPPED_KEY_INVALID },
    { CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_FUNCTION_FAILED, CKR_WRAPPED_KEY_LEN_RANGE },
    { CKR_ENCRYPTED_DATA_INVALID, CKR_FUNCTION_FAILED, CKR_WRAPPED_KEY_INVALID },
};

CK_RV
wrapping_code(CK_FLAGS function, CK_RV rv)
{
    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (codes[i].usual == rv) {
            return function == CKF_WRAP ? codes[i].wrap : codes[i].unwrap;
        }
    }
    return rv;
}

CK_RV
wrapping_key_check(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
                   const struct key_info *key)
{
    return wrapping_code(function, key_check(rules, row, function, key));
}

CK_RV
wrapped_key_check(const struct wrapping_row *row, const struct key_info *wrapping,
                  const struct key_info *key)
{
    const bool fits = key->class == CKO_SECRET_KEY ||
                      (key->class == CKO_PRIVATE_KEY && row->any_key);

    if (key->class != CKO_SECRET_KEY && key->class != CKO_PRIVATE_KEY) {
        return CKR_KEY_NOT_WRAPPABLE;
    }
    if ((key->flags & KEY_FLAG_EXTRACTABLE) == 0) {
        return CKR_KEY_UNEXTRACTABLE;
    }
    if ((key->flags & KEY_FLAG_WRAP_WITH_TRUSTED) != 0 &&
        (wrapping->flags & KEY_FLAG_TRUSTED) == 0) {
        return CKR_KEY_NOT_WRAPPABLE;
    }
    return fits ? CKR_OK : CKR_KEY_NOT_WRAPPABLE;
}
