/* SPDX-License-Identifier: Apache-2.0
 *
 * Which rule is about wrapping, unwrapping or deriving a key with one thing wrong.
 */
#include "model/model.h"

const struct way_row ways[WAYS] = {
#define WAY(name, tag, number, key, param, cipher) \
    [V_WAY_##name - V_WAY_KW] = { number, KEY_##key, PARAM_##param, cipher },
#include "model/ways.def"
};

enum cond
keym_rule(enum fn fn, enum value way, enum value target, enum value fault)
{
    bool wraps = fn == FN_C_WrapKey, unwraps = fn == FN_C_UnwrapKey;

    switch (fault) {
    case V_FAULT_SESSION:
        return COND_SESSION;
    case V_FAULT_MECH:
        return COND_MECHANISM;
    case V_FAULT_FUNCTION:
        return COND_FUNCTION;
    case V_FAULT_PARAM:
        return COND_PARAMETER;
    case V_FAULT_HANDLE:
        return wraps ? RULE_WRAPPER : unwraps ? RULE_UNWRAPPER : COND_KEY_HANDLE;
    case V_FAULT_TYPE:
        return wraps ? RULE_WRAPPER_TYPE : unwraps ? RULE_UNWRAPPER_TYPE : COND_KEY_TYPE;
    case V_FAULT_FLAG:
        return wraps ? RULE_WRAPPER_FLAG : unwraps ? RULE_UNWRAPPER_FLAG : RULE_BASE_FLAG;
    case V_FAULT_TARGET:
        return COND_KEY_HANDLE;
    case V_FAULT_KEPT:
        return RULE_EXTRACTS;
    case V_FAULT_SHORT:
    case V_FAULT_ZERO:
        return COND_SMALL;
    case V_FAULT_NOLEN:
        return COND_NO_LENGTH;
    case V_FAULT_BLOB_LEN:
        return RULE_BLOB_LEN;
    case V_FAULT_BLOB:
        return way == V_WAY_PKCS ? RULE_BLOB_OPEN : RULE_BLOB;
    case V_FAULT_NO_TYPE:
        return RULE_REQUIRED;
    case V_FAULT_FOREIGN:
        return RULE_FOREIGN;
    case V_FAULT_COMPUTED:
        return RULE_FORBIDDEN;
    case V_FAULT_PEER:
        return RULE_PEER;
    case V_FAULT_LONG:
        return RULE_LONG;
    default:
        return wraps && (target == V_TARGET_RSA || target == V_TARGET_EC) ? RULE_MAY_WRAP
                                                                          : COND_NOTHING;
    }
}

bool
keym_wanted(enum fn fn, enum value way, enum value target, enum value fault)
{
    bool wraps = fn == FN_C_WrapKey, unwraps = fn == FN_C_UnwrapKey;
    bool rsa = way == V_WAY_PKCS || way == V_WAY_OAEP;

    if ((fn == FN_C_DeriveKey) != (way == V_WAY_ECDH) || (!wraps && target != V_TARGET_AES)) {
        return false;
    }
    if (rsa && (target == V_TARGET_RSA || target == V_TARGET_EC)) {
        return false;
    }
    switch (fault) {
    case V_FAULT_TARGET:
    case V_FAULT_KEPT:
    case V_FAULT_ASK:
    case V_FAULT_SHORT:
    case V_FAULT_ZERO:
    case V_FAULT_NOLEN:
        return wraps;
    case V_FAULT_BLOB_LEN:
    case V_FAULT_BLOB:
    case V_FAULT_NO_TYPE:
        return unwraps;
    case V_FAULT_FOREIGN:
    case V_FAULT_COMPUTED:
        return !wraps;
    case V_FAULT_PEER:
    case V_FAULT_LONG:
        return fn == FN_C_DeriveKey;
    default:
        return true;
    }
}
