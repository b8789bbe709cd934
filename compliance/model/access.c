/* SPDX-License-Identifier: Apache-2.0
 *
 * Who sees what: objects are of the session or of the token, public or private, and the state of a
 * session says what may be done with each (Usage Guide, "Permitted object accesses"; PKCS #11 v3.1,
 * 5.6 of logouts, 5.7 of sessions that only read).
 */
#include "model/model.h"

bool
access_is_user(uint32_t arg)
{
    return ACCESS_STATE(arg) == ACCESS_RO_USER || ACCESS_STATE(arg) == ACCESS_RW_USER;
}

bool
access_sees(uint32_t arg)
{
    return !ACCESS_PRIVATE(arg) || access_is_user(arg);
}

static bool
may_write(uint32_t arg)
{
    bool reads = ACCESS_STATE(arg) == ACCESS_RO_PUBLIC || ACCESS_STATE(arg) == ACCESS_RO_USER;

    return !reads || !ACCESS_TOKEN(arg);
}

/* Of an object that is there: a token may want a login for all it does. */
static enum cond
works(uint32_t arg)
{
    return access_is_user(arg) ? RULE_O_SEES : RULE_O_OPEN;
}

enum cond
access_rule(enum fn fn, uint32_t arg)
{
    switch (fn) {
    case FN_C_CreateObject:
    case FN_C_GenerateKey:
        if (!access_sees(arg)) {
            return may_write(arg) ? RULE_O_USER : RULE_O_EITHER;
        }
        return may_write(arg) ? RULE_O_MAKES : RULE_O_READS;
    case FN_C_CopyObject:
        if (!access_sees(arg)) {
            return RULE_O_HIDDEN;
        }
        return may_write(arg) ? RULE_O_MAKES : RULE_O_READS;
    case FN_C_DestroyObject:
    case FN_C_SetAttributeValue:
        if (!access_sees(arg)) {
            return RULE_O_HIDDEN;
        }
        return may_write(arg) ? works(arg) : RULE_O_READS;
    case FN_C_GetAttributeValue:
        return access_sees(arg) ? works(arg) : RULE_O_HIDDEN;
    case FN_C_GetObjectSize:
        return access_sees(arg) ? RULE_O_SIZE : RULE_O_HIDDEN;
    case FN_C_FindObjectsInit:
        return RULE_O_FINDS;
    case FN_C_DigestKey:
        return access_sees(arg) ? RULE_O_DIGEST : RULE_O_NO_KEY;
    case FN_C_WrapKey:
        return access_sees(arg) ? works(arg) : RULE_O_NO_WRAP;
    default:
        return access_sees(arg) ? works(arg) : RULE_O_NO_KEY;
    }
}
