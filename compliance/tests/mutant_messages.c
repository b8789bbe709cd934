/* SPDX-License-Identifier: Apache-2.0
 *
 * The module that errs: messages of 3.0.
 */
#include "tests/mutant.h"

#include <string.h>

/* What is done to the parameter of a message after the call: a tag or a nonce that is not the one. */
static void
twist(const char *function, CK_RV rv, void *param, CK_ULONG len)
{
    CK_GCM_MESSAGE_PARAMS *gcm = param;

    if (rv != CKR_OK || !mutant_errs(function) || param == NULL || len != sizeof *gcm) {
        return;
    }
    if (mutant_does("tag") && gcm->pTag != NULL) {
        gcm->pTag[0] ^= 1;
    } else if (mutant_does("nonce") && gcm->pIv != NULL && gcm->ulIvLen > 0) {
        gcm->pIv[gcm->ulIvLen - 1] ^= 1;
    }
}

/* A message without its associated data. */
static CK_ULONG
data_len(const char *function, CK_ULONG len)
{
    return mutant_errs(function) && mutant_does("aad") ? 0 : len;
}

#define WHOLES(X)         \
    X(C_EncryptMessage)   \
    X(C_DecryptMessage)
#define BEGINNINGS(X)          \
    X(C_EncryptMessageBegin)   \
    X(C_DecryptMessageBegin)
#define NEXTS(X)             \
    X(C_EncryptMessageNext)  \
    X(C_DecryptMessageNext)
#define SIGNS(X)          \
    X(C_SignMessage)      \
    X(C_SignMessageNext)

#define WHOLE(name)                                                                              \
    static CK_RV special_##name(CK_SESSION_HANDLE session, void *param, CK_ULONG param_len,      \
                                CK_BYTE *aad, CK_ULONG aad_len, CK_BYTE *in, CK_ULONG in_len,    \
                                CK_BYTE *out, CK_ULONG *out_len)                                 \
    {                                                                                            \
        CK_ULONG room = out_len != NULL ? *out_len : 0;                                          \
        CK_RV rv;                                                                                \
                                                                                                 \
        if (mutant_stops(#name, &rv)) {                                                          \
            return rv;                                                                           \
        }                                                                                        \
        rv = mutant_behind.name(session, param, param_len, aad, data_len(#name, aad_len), in,    \
                                in_len, out, out_len);                                           \
        mutant_distort(#name, session, rv, out, room, out_len);                                  \
        twist(#name, rv, param, param_len);                                                      \
        return mutant_after(#name, rv);                                                          \
    }
WHOLES(WHOLE)

#define BEGINNING(name)                                                                          \
    static CK_RV special_##name(CK_SESSION_HANDLE session, void *param, CK_ULONG param_len,      \
                                CK_BYTE *aad, CK_ULONG aad_len)                                  \
    {                                                                                            \
        CK_RV rv;                                                                                \
                                                                                                 \
        if (mutant_stops(#name, &rv)) {                                                          \
            return rv;                                                                           \
        }                                                                                        \
        rv = mutant_behind.name(session, param, param_len, aad, data_len(#name, aad_len));       \
        twist(#name, rv, param, param_len);                                                      \
        return mutant_after(#name, rv);                                                          \
    }
BEGINNINGS(BEGINNING)

#define NEXT(name)                                                                               \
    static CK_RV special_##name(CK_SESSION_HANDLE session, void *param, CK_ULONG param_len,      \
                                CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len,   \
                                CK_FLAGS flags)                                                  \
    {                                                                                            \
        CK_ULONG room = out_len != NULL ? *out_len : 0;                                          \
        CK_RV rv;                                                                                \
                                                                                                 \
        if (mutant_stops(#name, &rv)) {                                                          \
            return rv;                                                                           \
        }                                                                                        \
        rv = mutant_behind.name(session, param, param_len, in, in_len, out, out_len,             \
                                mutant_errs(#name) && mutant_does("go") ? 0 : flags);            \
        mutant_distort(#name, session, rv, out, room, out_len);                                  \
        twist(#name, rv, param, param_len);                                                      \
        return mutant_after(#name, rv);                                                          \
    }
NEXTS(NEXT)

#define SIGN(name)                                                                               \
    static CK_RV special_##name(CK_SESSION_HANDLE session, void *param, CK_ULONG param_len,      \
                                CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out, CK_ULONG *out_len)   \
    {                                                                                            \
        CK_ULONG room = out_len != NULL ? *out_len : 0;                                          \
        CK_RV rv;                                                                                \
                                                                                                 \
        if (mutant_stops(#name, &rv)) {                                                          \
            return rv;                                                                           \
        }                                                                                        \
        rv = mutant_behind.name(session, param, param_len, in, in_len, out, out_len);            \
        if (out_len != NULL) {                                                                   \
            mutant_distort(#name, session, rv, out, room, out_len);                              \
        }                                                                                        \
        return mutant_after(#name, rv);                                                          \
    }
SIGNS(SIGN)

void
mutant_messages(CK_FUNCTION_LIST_3_0 *list)
{
    WHOLES(SPECIAL)
    BEGINNINGS(SPECIAL)
    NEXTS(SPECIAL)
    SIGNS(SPECIAL)
}
