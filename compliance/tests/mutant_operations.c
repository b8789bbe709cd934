/* SPDX-License-Identifier: Apache-2.0
 *
 * The module that errs: operations with a key, and digests.
 */
#include "tests/mutant.h"

#include <string.h>

/* What the last operation was begun with. */
static struct {
    CK_MECHANISM mech;
    CK_BYTE param[256];
    CK_OBJECT_HANDLE key;
} begun;

static void
begin(const CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
    if (mech == NULL || mech->ulParameterLen > sizeof begun.param) {
        begun.mech.mechanism = CK_UNAVAILABLE_INFORMATION;
        return;
    }
    begun.mech = (CK_MECHANISM){ mech->mechanism, NULL, mech->ulParameterLen };
    if (mech->pParameter != NULL) {
        memcpy(begun.param, mech->pParameter, mech->ulParameterLen);
        begun.mech.pParameter = begun.param;
    }
    begun.key = key;
}

/* The IV that was asked for is not the one that is used. */
CK_MECHANISM *
mutant_other_iv(CK_MECHANISM *mech)
{
    static CK_GCM_PARAMS params;
    static CK_BYTE iv[64];
    static CK_MECHANISM other;

    if (mech == NULL || mech->mechanism != CKM_AES_GCM || mech->pParameter == NULL ||
        mech->ulParameterLen != sizeof params) {
        return mech;
    }
    memset(iv, 1, sizeof iv);
    memcpy(&params, mech->pParameter, sizeof params);
    if (params.ulIvLen <= sizeof iv) {
        params.pIv = iv;
    }
    other = (CK_MECHANISM){ CKM_AES_GCM, &params, sizeof params };
    return &other;
}

/* Functions that begin an operation with a key. */
#define BEGINS(X)        \
    X(C_EncryptInit)     \
    X(C_DecryptInit)     \
    X(C_SignInit)        \
    X(C_VerifyInit)      \
    X(C_SignRecoverInit) \
    X(C_VerifyRecoverInit)

#define BEGIN(name)                                                                             \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_MECHANISM *mech,                  \
                                CK_OBJECT_HANDLE key)                                           \
    {                                                                                           \
        CK_RV rv;                                                                               \
                                                                                                \
        if (mutant_stops(#name, &rv)) {                                                         \
            return rv;                                                                          \
        }                                                                                       \
        rv = mutant_behind.name(                                                                \
            session, mutant_errs(#name) && mutant_does("spoil") ? mutant_other_iv(mech) : mech, \
            key);                                                                               \
        if (rv == CKR_OK) {                                                                     \
            begin(mech, key);                                                                   \
        }                                                                                       \
        return mutant_after(#name, rv);                                                         \
    }
BEGINS(BEGIN)

static CK_RV
special_C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech)
{
    CK_RV rv;

    if (mutant_stops("C_DigestInit", &rv)) {
        return rv;
    }
    rv = mutant_behind.C_DigestInit(session, mech);
    if (rv == CKR_OK) {
        begin(mech, CK_INVALID_HANDLE);
    }
    return mutant_after("C_DigestInit", rv);
}

/* The operation that a function belongs to, once more. */
static void
begin_again(const char *function, CK_SESSION_HANDLE session)
{
    if (begun.mech.mechanism == CK_UNAVAILABLE_INFORMATION) {
        return;
    }
    if (strncmp(function, "C_Digest", 8) == 0) {
        (void)mutant_behind.C_DigestInit(session, &begun.mech);
    } else {
        CK_RV (*init)
        (CK_SESSION_HANDLE, CK_MECHANISM *,
         CK_OBJECT_HANDLE) = strncmp(function, "C_Encrypt", 9) == 0   ? mutant_behind.C_EncryptInit
                             : strncmp(function, "C_Decrypt", 9) == 0 ? mutant_behind.C_DecryptInit
                             : strncmp(function, "C_SignRecover", 13) == 0
                                 ? mutant_behind.C_SignRecoverInit
                             : strncmp(function, "C_VerifyRecover", 15) == 0
                                 ? mutant_behind.C_VerifyRecoverInit
                             : strncmp(function, "C_Verify", 8) == 0 ? mutant_behind.C_VerifyInit
                                                                     : mutant_behind.C_SignInit;

        (void)init(session, &begun.mech, begun.key);
    }
}

/* What is done to output after the call. */
void
mutant_distort(const char *function, CK_SESSION_HANDLE session, CK_RV rv, CK_BYTE *out,
               CK_ULONG room, CK_ULONG *out_len)
{
    CK_ULONG len = out_len != NULL ? *out_len : 0;

    if (!mutant_errs(function)) {
        return;
    }
    if (rv != CKR_OK) {
        if (rv == CKR_BUFFER_TOO_SMALL && mutant_does("mute")) {
            *out_len = 0;
        } else if (rv != CKR_BUFFER_TOO_SMALL && rv != CKR_OPERATION_NOT_INITIALIZED &&
                   mutant_does("keep")) {
            begin_again(function, session);
        }
        return;
    }
    if (out == NULL) {
        *out_len -= mutant_does("told") && len > 0;
        return;
    }
    if (mutant_does("overrun")) {
        out[room] = 0;
    } else if (mutant_does("under")) {
        out[-1] ^= 1;
    } else if (mutant_does("spoil") && len > 0) {
        out[0] ^= 1;
    } else if (mutant_does("last") && len > 0) {
        out[len - 1] ^= 1;
    } else if (mutant_does("short") && len > 0) {
        *out_len -= 1;
    } else if (mutant_does("long")) {
        *out_len += 1;
    } else if (mutant_does("stay")) {
        begin_again(function, session);
    }
}

/* Functions that take input and give output, and those that give output. */
#define TURNS(X)       \
    X(C_Encrypt)       \
    X(C_EncryptUpdate) \
    X(C_Decrypt)       \
    X(C_DecryptUpdate) \
    X(C_Digest)        \
    X(C_Sign)          \
    X(C_SignRecover)   \
    X(C_VerifyRecover)
#define GIVES(X)      \
    X(C_EncryptFinal) \
    X(C_DecryptFinal) \
    X(C_DigestFinal)  \
    X(C_SignFinal)
#define TAKES(X)      \
    X(C_DigestUpdate) \
    X(C_SignUpdate)   \
    X(C_VerifyUpdate)
/* What else a result is changed to. */
static CK_RV
twist(const char *function, CK_RV rv, CK_BYTE *out)
{
    static CK_BYTE half[32];
    static bool signs, failed;

    if (mutant_errs(function) && mutant_does("apart") && out != NULL &&
        (rv != CKR_OK || out[0] != 's')) {
        rv = failed ? CKR_ENCRYPTED_DATA_INVALID : CKR_DATA_INVALID;
        failed = true;
        return rv;
    }
    if (mutant_errs(function) && mutant_does("stale") && rv == CKR_OK && out != NULL) {
        memcpy(signs ? out : half, signs ? half : out, sizeof half);
        signs = true;
    }
    return rv;
}

#define TURN(name)                                                                       \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, \
                                CK_BYTE *out, CK_ULONG *out_len)                         \
    {                                                                                    \
        CK_ULONG room = out_len != NULL ? *out_len : 0, enough = sizeof(CK_BYTE[8192]);  \
        CK_BYTE place[8192];                                                             \
        CK_RV rv;                                                                        \
                                                                                         \
        if (mutant_stops(#name, &rv)) {                                                  \
            return rv;                                                                   \
        }                                                                                \
        rv = mutant_behind.name(session, in, in_len, out, out_len);                      \
        if (mutant_errs(#name) && mutant_does("end") && out_len != NULL &&               \
            (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && out == NULL))) {             \
            (void)mutant_behind.name(session, in, in_len, place, &enough);               \
        }                                                                                \
        mutant_distort(#name, session, rv, out, room, out_len);                          \
        return mutant_after(#name, twist(#name, rv, out));                               \
    }
TURNS(TURN)

#define GIVE(name)                                                                          \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len) \
    {                                                                                       \
        CK_ULONG room = out_len != NULL ? *out_len : 0, enough = sizeof(CK_BYTE[8192]);     \
        CK_BYTE place[8192];                                                                \
        CK_RV rv;                                                                           \
                                                                                            \
        if (mutant_stops(#name, &rv)) {                                                     \
            return rv;                                                                      \
        }                                                                                   \
        rv = mutant_behind.name(session, out, out_len);                                     \
        if (mutant_errs(#name) && mutant_does("end") && out_len != NULL &&                  \
            (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && out == NULL))) {                \
            (void)mutant_behind.name(session, place, &enough);                              \
        }                                                                                   \
        mutant_distort(#name, session, rv, out, room, out_len);                             \
        return mutant_after(#name, rv);                                                     \
    }
GIVES(GIVE)

#define TAKE(name)                                                                       \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len) \
    {                                                                                    \
        CK_RV rv;                                                                        \
                                                                                         \
        if (mutant_stops(#name, &rv)) {                                                  \
            return rv;                                                                   \
        }                                                                                \
        rv = mutant_behind.name(session, in, in_len);                                    \
        if (mutant_errs(#name) && rv == CKR_OK && mutant_does("twice")) {                \
            (void)mutant_behind.name(session, in, in_len);                               \
        }                                                                                \
        if (mutant_errs(#name) && rv != CKR_OK && rv != CKR_OPERATION_NOT_INITIALIZED && \
            mutant_does("keep")) {                                                       \
            begin_again(#name, session);                                                 \
        }                                                                                \
        return mutant_after(#name, rv);                                                  \
    }
TAKES(TAKE)

static CK_RV
special_C_Verify(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig,
                 CK_ULONG sig_len)
{
    CK_RV rv;

    if (mutant_stops("C_Verify", &rv)) {
        return rv;
    }
    rv = mutant_behind.C_Verify(session, in, in_len, sig, sig_len);
    if (mutant_errs("C_Verify") && rv != CKR_OPERATION_NOT_INITIALIZED &&
        mutant_does(rv == CKR_OK ? "stay" : "keep")) {
        begin_again("C_Verify", session);
    }
    return mutant_after("C_Verify", rv);
}

static CK_RV
special_C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_len)
{
    CK_RV rv;

    if (mutant_stops("C_VerifyFinal", &rv)) {
        return rv;
    }
    rv = mutant_behind.C_VerifyFinal(session, sig, sig_len);
    if (mutant_errs("C_VerifyFinal") && rv != CKR_OPERATION_NOT_INITIALIZED &&
        mutant_does(rv == CKR_OK ? "stay" : "keep")) {
        begin_again("C_VerifyFinal", session);
    }
    return mutant_after("C_VerifyFinal", rv);
}

void
mutant_operations(CK_FUNCTION_LIST_3_0 *list)
{
    BEGINS(SPECIAL)
    TURNS(SPECIAL)
    GIVES(SPECIAL)
    TAKES(SPECIAL)
    SPECIAL(C_Verify)
    SPECIAL(C_VerifyFinal)
    SPECIAL(C_DigestInit)
}
