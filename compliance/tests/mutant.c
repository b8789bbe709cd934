/* SPDX-License-Identifier: Apache-2.0
 *
 * A PKCS #11 module that passes every call on to another one and does one thing wrong. The suite
 * has to notice. The environment tells what:
 *
 *     MUTANT_MODULE      the module behind
 *     MUTANT_FN          the function that errs, C_SignInit
 *     MUTANT_FROM        where it would return this number ...
 *     MUTANT_TO          ... it returns that one
 *     MUTANT_DO          or it does one of
 *       crash, hang, exit, close    when it is called; close: all descriptors
 *       drop       returns CKR_OK and passes nothing on
 *       overrun, under   writes a byte behind the output, before it
 *       spoil, last      changes the first byte of the output, the last one
 *       short, long      tells a byte less of output, or more
 *       told             tells a byte less when it is asked for the length
 *       mute             tells no length when the buffer is too small
 *       end              asked for the length, ends the operation
 *       stay             does not end the operation when it gives the result
 *       keep             does not end the operation when it fails
 *       twice            passes data on twice
 *       pad, iv          of C_WrapKey: pads where nothing is to be padded; takes another IV
 *       state, flags, slot, none    a wrong answer of C_GetSessionInfo; C_FindObjects finds nothing
 *       attr, lose       refuses templates with the attribute of number MUTANT_ATTR; leaves it out
 *       flip, less       tells another value of it, or a shorter one
 *       weaken           makes a copy, or derives a key, whose value can be read whatever it is
 *       leak             C_GetOperationState shows the last key that was created
 *       fake             takes an object that it should refuse
 *       same             C_CreateObject gives the handle of the object before
 *       apart            answers bad input one way and then another; what begins with s is good
 *       stale            C_Sign gives the first half of an earlier signature
 *       even             tells another last byte of the attribute
 *       once             returns CKR_DEVICE_ERROR the tenth time; counts in the file MUTANT_ONCE
 *
 * In the file MUTANT_LOG each login leaves a line: the code.
 */
#include "pkcs11_headers/include/cryptoki.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST *behind;

/* What the last operation was begun with. */
static struct {
    CK_MECHANISM mech;
    CK_BYTE param[256];
    CK_OBJECT_HANDLE key;
} begun;

static CK_OBJECT_HANDLE weak[64], last_object;
static size_t weak_count;
static CK_BYTE last_value[16];

static const char *
told(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? text : "";
}

static bool
errs(const char *function)
{
    return strcmp(told("MUTANT_FN"), function) == 0;
}

static bool
does(const char *what)
{
    return strcmp(told("MUTANT_DO"), what) == 0;
}

/* Counts across processes: each call is a byte of a file. */
static bool
is_tenth(void)
{
    int fd = open(told("MUTANT_ONCE"), O_CREAT | O_APPEND | O_WRONLY, 0600);
    bool tenth = fd >= 0 && write(fd, "", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 10;

    if (fd >= 0) {
        close(fd);
    }
    return tenth;
}

/* True when the call is not to be passed on; *ret_rv is its answer then. */
static bool
stops(const char *function, CK_RV *ret_rv)
{
    if (!errs(function)) {
        return false;
    }
    if (does("crash")) {
        raise(SIGSEGV);
    }
    if (does("hang")) {
        for (;;) {
            pause();
        }
    }
    if (does("exit")) {
        exit(0);
    }
    if (does("close")) {
        for (int fd = 0; fd < 256; fd++) {
            close(fd);
        }
    }
    *ret_rv = does("once") ? CKR_DEVICE_ERROR : CKR_OK;
    return does("drop") || (does("once") && is_tenth());
}

static CK_RV
after(const char *function, CK_RV rv)
{
    if (errs(function) && told("MUTANT_FROM")[0] != '\0' &&
        rv == strtoul(told("MUTANT_FROM"), NULL, 0)) {
        return strtoul(told("MUTANT_TO"), NULL, 0);
    }
    return rv;
}

/* Every function, as it is passed on. */
#define CK_FUNCTION_ROW(name, params, args)                                  \
    static CK_RV mutant_##name params                                        \
    {                                                                        \
        CK_RV rv;                                                            \
                                                                             \
        return stops(#name, &rv) ? rv : after(#name, behind->name args);     \
    }
#define CK_FUNCTION_ROWS_UNTIL 0x0228
#include "pkcs11_headers/include/pkcs11f.h"

/* ---- operations ---- */

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
static CK_MECHANISM *
other_iv(CK_MECHANISM *mech)
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
#define BEGINS(X)                   \
    X(C_EncryptInit)                \
    X(C_DecryptInit)                \
    X(C_SignInit)                   \
    X(C_VerifyInit)                 \
    X(C_SignRecoverInit)            \
    X(C_VerifyRecoverInit)

#define BEGIN(name)                                                                     \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_MECHANISM *mech,          \
                                CK_OBJECT_HANDLE key)                                   \
    {                                                                                   \
        CK_RV rv;                                                                       \
                                                                                        \
        if (stops(#name, &rv)) {                                                        \
            return rv;                                                                  \
        }                                                                               \
        rv = behind->name(session, errs(#name) && does("spoil") ? other_iv(mech) : mech, key); \
        if (rv == CKR_OK) {                                                             \
            begin(mech, key);                                                           \
        }                                                                               \
        return after(#name, rv);                                                        \
    }
BEGINS(BEGIN)

static CK_RV
special_C_DigestInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech)
{
    CK_RV rv;

    if (stops("C_DigestInit", &rv)) {
        return rv;
    }
    rv = behind->C_DigestInit(session, mech);
    if (rv == CKR_OK) {
        begin(mech, CK_INVALID_HANDLE);
    }
    return after("C_DigestInit", rv);
}

/* The operation that a function belongs to, once more. */
static void
begin_again(const char *function, CK_SESSION_HANDLE session)
{
    if (begun.mech.mechanism == CK_UNAVAILABLE_INFORMATION) {
        return;
    }
    if (strncmp(function, "C_Digest", 8) == 0) {
        (void)behind->C_DigestInit(session, &begun.mech);
    } else {
        CK_RV (*init)(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE) =
            strncmp(function, "C_Encrypt", 9) == 0          ? behind->C_EncryptInit
            : strncmp(function, "C_Decrypt", 9) == 0        ? behind->C_DecryptInit
            : strncmp(function, "C_SignRecover", 13) == 0   ? behind->C_SignRecoverInit
            : strncmp(function, "C_VerifyRecover", 15) == 0 ? behind->C_VerifyRecoverInit
            : strncmp(function, "C_Verify", 8) == 0         ? behind->C_VerifyInit
                                                            : behind->C_SignInit;

        (void)init(session, &begun.mech, begun.key);
    }
}

/* What is done to output after the call. */
static void
distort(const char *function, CK_SESSION_HANDLE session, CK_RV rv, CK_BYTE *out, CK_ULONG room,
        CK_ULONG *out_len)
{
    CK_ULONG len = out_len != NULL ? *out_len : 0;

    if (!errs(function)) {
        return;
    }
    if (rv != CKR_OK) {
        if (rv == CKR_BUFFER_TOO_SMALL && does("mute")) {
            *out_len = 0;
        } else if (rv != CKR_BUFFER_TOO_SMALL && rv != CKR_OPERATION_NOT_INITIALIZED &&
                   does("keep")) {
            begin_again(function, session);
        }
        return;
    }
    if (out == NULL) {
        *out_len -= does("told") && len > 0;
        return;
    }
    if (does("overrun")) {
        out[room] = 0;
    } else if (does("under")) {
        out[-1] ^= 1;
    } else if (does("spoil") && len > 0) {
        out[0] ^= 1;
    } else if (does("last") && len > 0) {
        out[len - 1] ^= 1;
    } else if (does("short") && len > 0) {
        *out_len -= 1;
    } else if (does("long")) {
        *out_len += 1;
    } else if (does("stay")) {
        begin_again(function, session);
    }
}

/* Functions that take input and give output, and those that give output. */
#define TURNS(X)                    \
    X(C_Encrypt)                    \
    X(C_EncryptUpdate)              \
    X(C_Decrypt)                    \
    X(C_DecryptUpdate)              \
    X(C_Digest)                     \
    X(C_Sign)                       \
    X(C_SignRecover)                \
    X(C_VerifyRecover)
#define GIVES(X)                    \
    X(C_EncryptFinal)               \
    X(C_DecryptFinal)               \
    X(C_DigestFinal)                \
    X(C_SignFinal)
#define TAKES(X)                    \
    X(C_DigestUpdate)               \
    X(C_SignUpdate)                 \
    X(C_VerifyUpdate)
/* What else a result is changed to. */
static CK_RV
twist(const char *function, CK_RV rv, CK_BYTE *out)
{
    static CK_BYTE half[32];
    static bool signs, failed;

    if (errs(function) && does("apart") && out != NULL && (rv != CKR_OK || out[0] != 's')) {
        rv = failed ? CKR_ENCRYPTED_DATA_INVALID : CKR_DATA_INVALID;
        failed = true;
        return rv;
    }
    if (errs(function) && does("stale") && rv == CKR_OK && out != NULL) {
        memcpy(signs ? out : half, signs ? half : out, sizeof half);
        signs = true;
    }
    return rv;
}

#define TURN(name)                                                                      \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, \
                                CK_BYTE *out, CK_ULONG *out_len)                        \
    {                                                                                   \
        CK_ULONG room = out_len != NULL ? *out_len : 0, enough = sizeof(CK_BYTE[8192]); \
        CK_BYTE place[8192];                                                            \
        CK_RV rv;                                                                       \
                                                                                        \
        if (stops(#name, &rv)) {                                                        \
            return rv;                                                                  \
        }                                                                               \
        rv = behind->name(session, in, in_len, out, out_len);                           \
        if (errs(#name) && does("end") && out_len != NULL &&                            \
            (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && out == NULL))) {            \
            (void)behind->name(session, in, in_len, place, &enough);                    \
        }                                                                               \
        distort(#name, session, rv, out, room, out_len);                                \
        return after(#name, twist(#name, rv, out));                         \
    }
TURNS(TURN)

#define GIVE(name)                                                                      \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_BYTE *out, CK_ULONG *out_len) \
    {                                                                                   \
        CK_ULONG room = out_len != NULL ? *out_len : 0, enough = sizeof(CK_BYTE[8192]); \
        CK_BYTE place[8192];                                                            \
        CK_RV rv;                                                                       \
                                                                                        \
        if (stops(#name, &rv)) {                                                        \
            return rv;                                                                  \
        }                                                                               \
        rv = behind->name(session, out, out_len);                                       \
        if (errs(#name) && does("end") && out_len != NULL &&                            \
            (rv == CKR_BUFFER_TOO_SMALL || (rv == CKR_OK && out == NULL))) {            \
            (void)behind->name(session, place, &enough);                                \
        }                                                                               \
        distort(#name, session, rv, out, room, out_len);                                \
        return after(#name, rv);                                                        \
    }
GIVES(GIVE)

#define TAKE(name)                                                                       \
    static CK_RV special_##name(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len) \
    {                                                                                    \
        CK_RV rv;                                                                        \
                                                                                         \
        if (stops(#name, &rv)) {                                                         \
            return rv;                                                                   \
        }                                                                                \
        rv = behind->name(session, in, in_len);                                          \
        if (errs(#name) && rv == CKR_OK && does("twice")) {                              \
            (void)behind->name(session, in, in_len);                                     \
        }                                                                                \
        if (errs(#name) && rv != CKR_OK && rv != CKR_OPERATION_NOT_INITIALIZED &&        \
            does("keep")) {                                                              \
            begin_again(#name, session);                                                 \
        }                                                                                \
        return after(#name, rv);                                                         \
    }
TAKES(TAKE)

static CK_RV
special_C_Verify(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *sig,
                 CK_ULONG sig_len)
{
    CK_RV rv;

    if (stops("C_Verify", &rv)) {
        return rv;
    }
    rv = behind->C_Verify(session, in, in_len, sig, sig_len);
    if (errs("C_Verify") && rv != CKR_OPERATION_NOT_INITIALIZED &&
        does(rv == CKR_OK ? "stay" : "keep")) {
        begin_again("C_Verify", session);
    }
    return after("C_Verify", rv);
}

static CK_RV
special_C_VerifyFinal(CK_SESSION_HANDLE session, CK_BYTE *sig, CK_ULONG sig_len)
{
    CK_RV rv;

    if (stops("C_VerifyFinal", &rv)) {
        return rv;
    }
    rv = behind->C_VerifyFinal(session, sig, sig_len);
    if (errs("C_VerifyFinal") && rv != CKR_OPERATION_NOT_INITIALIZED &&
        does(rv == CKR_OK ? "stay" : "keep")) {
        begin_again("C_VerifyFinal", session);
    }
    return after("C_VerifyFinal", rv);
}

static CK_RV
special_C_GetOperationState(CK_SESSION_HANDLE session, CK_BYTE *state, CK_ULONG *len)
{
    CK_RV rv;

    if (stops("C_GetOperationState", &rv)) {
        return rv;
    }
    if (errs("C_GetOperationState") && does("leak") && state != NULL) {
        memcpy(state, last_value, sizeof last_value);
        *len = sizeof last_value;
        return CKR_OK;
    }
    return after("C_GetOperationState", behind->C_GetOperationState(session, state, len));
}

/* ---- sessions ---- */

/* A PIN is read wherever it is said to be. */
static CK_RV
special_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
    static volatile CK_UTF8CHAR first;
    CK_RV rv;

    if (errs("C_Login") && does("crash")) {
        if (pin == NULL) {
            first = *pin;
            (void)first;
        }
    } else if (stops("C_Login", &rv)) {
        return rv;
    }
    rv = after("C_Login", behind->C_Login(session, user, pin, pin_len));
    if (told("MUTANT_LOG")[0] != '\0') {
        FILE *log = fopen(told("MUTANT_LOG"), "a");

        if (log != NULL) {
            fprintf(log, "%lx\n", rv);
            fclose(log);
        }
    }
    return rv;
}

static CK_RV
special_C_GetSessionInfo(CK_SESSION_HANDLE session, CK_SESSION_INFO *info)
{
    CK_RV rv;

    if (stops("C_GetSessionInfo", &rv)) {
        return rv;
    }
    rv = behind->C_GetSessionInfo(session, info);
    if (errs("C_GetSessionInfo") && rv == CKR_OK) {
        info->state ^= does("state");
        info->flags ^= does("flags") ? CKF_RW_SESSION : 0;
        info->slotID += does("slot");
    }
    return after("C_GetSessionInfo", rv);
}

static CK_RV
special_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most,
                      CK_ULONG *count)
{
    CK_RV rv;

    if (stops("C_FindObjects", &rv)) {
        return rv;
    }
    rv = behind->C_FindObjects(session, objects, most, count);
    if (errs("C_FindObjects") && rv == CKR_OK && does("none")) {
        *count = 0;
    }
    return after("C_FindObjects", rv);
}

/* ---- templates ---- */

static CK_ATTRIBUTE *
named(CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_ATTRIBUTE_TYPE type = strtoul(told("MUTANT_ATTR"), NULL, 0);

    for (CK_ULONG i = 0; attrs != NULL && i < count; i++) {
        if (attrs[i].type == type) {
            return &attrs[i];
        }
    }
    return NULL;
}

static bool
refuses(const char *function, CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    return errs(function) && does("attr") && named(attrs, count) != NULL;
}

/* The template as it is passed on. */
static CK_ATTRIBUTE *
passed(const char *function, CK_ATTRIBUTE *attrs, CK_ULONG *count)
{
    static CK_ATTRIBUTE rest[2][64];
    static unsigned turn;
    CK_ATTRIBUTE *lost = named(attrs, *count), *copy = rest[turn++ % 2];
    CK_ULONG left = 0;

    if (!errs(function) || !does("lose") || lost == NULL || *count > 64) {
        return attrs;
    }
    for (CK_ULONG i = 0; i < *count; i++) {
        if (attrs[i].type != lost->type) {
            copy[left++] = attrs[i];
        }
    }
    *count = left;
    return copy;
}

static CK_RV
weakened(CK_RV rv, const CK_OBJECT_HANDLE *object)
{
    if (rv == CKR_OK) {
        weak[weak_count++ % 64] = *object;
    }
    return rv;
}

static bool
is_weak(CK_OBJECT_HANDLE object)
{
    for (size_t i = 0; i < weak_count && i < 64; i++) {
        if (weak[i] == object) {
            return true;
        }
    }
    return false;
}

static CK_RV
special_C_CreateObject(CK_SESSION_HANDLE session, CK_ATTRIBUTE *attrs, CK_ULONG count,
                       CK_OBJECT_HANDLE *object)
{
    CK_RV rv;

    if (stops("C_CreateObject", &rv)) {
        return rv;
    }
    if (refuses("C_CreateObject", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    for (CK_ULONG i = 0; attrs != NULL && i < count; i++) {
        if (attrs[i].type == CKA_VALUE && attrs[i].ulValueLen == sizeof last_value) {
            memcpy(last_value, attrs[i].pValue, sizeof last_value);
        }
    }
    if (errs("C_CreateObject") && does("same") && last_object != CK_INVALID_HANDLE) {
        *object = last_object;
        return CKR_OK;
    }
    attrs = passed("C_CreateObject", attrs, &count);
    rv = behind->C_CreateObject(session, attrs, count, object);
    if (errs("C_CreateObject") && does("fake") && rv != CKR_OK && object != NULL) {
        *object = 0x77770001;
        return CKR_OK;
    }
    if (rv == CKR_OK) {
        last_object = *object;
    }
    return after("C_CreateObject", rv);
}

static CK_RV
special_C_CopyObject(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
                     CK_ULONG count, CK_OBJECT_HANDLE *copy)
{
    CK_RV rv;

    if (stops("C_CopyObject", &rv)) {
        return rv;
    }
    if (refuses("C_CopyObject", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (errs("C_CopyObject") && does("weaken")) {
        return weakened(behind->C_CopyObject(session, object, NULL, 0, copy), copy);
    }
    attrs = passed("C_CopyObject", attrs, &count);
    return after("C_CopyObject", behind->C_CopyObject(session, object, attrs, count, copy));
}

static CK_RV
special_C_SetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                            CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_RV rv;

    if (stops("C_SetAttributeValue", &rv)) {
        return rv;
    }
    if (refuses("C_SetAttributeValue", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (errs("C_SetAttributeValue") && does("lose") && named(attrs, count) != NULL) {
        return CKR_OK;
    }
    return after("C_SetAttributeValue", behind->C_SetAttributeValue(session, object, attrs, count));
}

static CK_RV
special_C_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_ATTRIBUTE *attrs,
                      CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    CK_RV rv;

    if (stops("C_GenerateKey", &rv)) {
        return rv;
    }
    if (refuses("C_GenerateKey", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    attrs = passed("C_GenerateKey", attrs, &count);
    return after("C_GenerateKey", behind->C_GenerateKey(session, mech, attrs, count, key));
}

static CK_RV
special_C_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_ATTRIBUTE *first,
                          CK_ULONG first_count, CK_ATTRIBUTE *second, CK_ULONG second_count,
                          CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    CK_RV rv;

    if (stops("C_GenerateKeyPair", &rv)) {
        return rv;
    }
    if (refuses("C_GenerateKeyPair", first, first_count) ||
        refuses("C_GenerateKeyPair", second, second_count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    first = passed("C_GenerateKeyPair", first, &first_count);
    second = passed("C_GenerateKeyPair", second, &second_count);
    return after("C_GenerateKeyPair",
                 behind->C_GenerateKeyPair(session, mech, first, first_count, second, second_count,
                                           public, private));
}

/* PKCS #7 padding where there should be none; another IV. */
static CK_RV
special_C_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE wrapper,
                  CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_MECHANISM padded = { CKM_AES_KEY_WRAP_PKCS7, NULL, 0 };
    CK_ULONG room = out_len != NULL ? *out_len : 0;
    CK_RV rv;

    if (stops("C_WrapKey", &rv)) {
        return rv;
    }
    if (errs("C_WrapKey") && does("pad") && mech != NULL && mech->mechanism == CKM_AES_KEY_WRAP) {
        mech = &padded;
    }
    if (errs("C_WrapKey") && does("iv")) {
        mech = other_iv(mech);
    }
    rv = behind->C_WrapKey(session, mech, wrapper, key, out, out_len);
    distort("C_WrapKey", session, rv, out, room, out_len);
    return after("C_WrapKey", rv);
}

static CK_RV
special_C_UnwrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE wrapper,
                    CK_BYTE *in, CK_ULONG in_len, CK_ATTRIBUTE *attrs, CK_ULONG count,
                    CK_OBJECT_HANDLE *key)
{
    CK_RV rv;

    if (stops("C_UnwrapKey", &rv)) {
        return rv;
    }
    if (refuses("C_UnwrapKey", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    attrs = passed("C_UnwrapKey", attrs, &count);
    return after("C_UnwrapKey",
                 behind->C_UnwrapKey(session, mech, wrapper, in, in_len, attrs, count, key));
}

static CK_RV
special_C_DeriveKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE base,
                    CK_ATTRIBUTE *attrs, CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    CK_RV rv;

    if (stops("C_DeriveKey", &rv)) {
        return rv;
    }
    if (refuses("C_DeriveKey", attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    if (errs("C_DeriveKey") && does("weaken")) {
        CK_ULONG left = 0;
        CK_ATTRIBUTE rest[64];

        for (CK_ULONG i = 0; i < count && left < 64; i++) {
            if (attrs[i].type != CKA_SENSITIVE && attrs[i].type != CKA_EXTRACTABLE) {
                rest[left++] = attrs[i];
            }
        }
        return weakened(behind->C_DeriveKey(session, mech, base, rest, left, key), key);
    }
    attrs = passed("C_DeriveKey", attrs, &count);
    return after("C_DeriveKey", behind->C_DeriveKey(session, mech, base, attrs, count, key));
}

/* Attributes that keys do not have, and values that they do not have. */
static CK_RV
special_C_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                            CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_ATTRIBUTE *attr = named(attrs, count);
    CK_RV rv;

    if (stops("C_GetAttributeValue", &rv)) {
        return rv;
    }
    if (refuses("C_GetAttributeValue", attrs, count)) {
        attrs[0].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    rv = behind->C_GetAttributeValue(session, object, attrs, count);
    if (rv == CKR_ATTRIBUTE_SENSITIVE && is_weak(object)) {
        attrs[0].ulValueLen = 16;
        return CKR_OK;
    }
    if (errs("C_GetAttributeValue") && does("even") && rv == CKR_OK && attr != NULL &&
        attr->pValue != NULL) {
        ((CK_BYTE *)attr->pValue)[attr->ulValueLen - 1] ^= 1;
    }
    if (errs("C_GetAttributeValue") && rv == CKR_OK && attr != NULL && attr->pValue != NULL &&
        attr->ulValueLen > 0) {
        if (does("flip")) {
            *(CK_BYTE *)attr->pValue ^= 1;
        }
        attr->ulValueLen -= does("less");
    }
    if (errs("C_GetAttributeValue") && does("mute") && rv != CKR_OK && count > 0) {
        attrs[0].ulValueLen = 0;
    }
    return after("C_GetAttributeValue", rv);
}

static CK_FUNCTION_LIST list = {
    .version = { 2, 40 },
#define CK_FUNCTION_ROW(name, params, args) .name = mutant_##name,
#define CK_FUNCTION_ROWS_UNTIL 0x0228
#include "pkcs11_headers/include/pkcs11f.h"
};

__attribute__((visibility("default"))) CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
    CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
    void *library = dlopen(told("MUTANT_MODULE"), RTLD_NOW | RTLD_LOCAL);

    if (library != NULL) {
        *(void **)&get = dlsym(library, "C_GetFunctionList");
    }
    if (get == NULL || get(&behind) != CKR_OK) {
        return CKR_GENERAL_ERROR;
    }
#define SPECIAL(name) list.name = special_##name;
    BEGINS(SPECIAL)
    TURNS(SPECIAL)
    GIVES(SPECIAL)
    TAKES(SPECIAL)
    SPECIAL(C_Verify)
    SPECIAL(C_VerifyFinal)
    SPECIAL(C_DigestInit)
    SPECIAL(C_GetOperationState)
    SPECIAL(C_Login)
    SPECIAL(C_GetSessionInfo)
    SPECIAL(C_FindObjects)
    SPECIAL(C_CreateObject)
    SPECIAL(C_CopyObject)
    SPECIAL(C_SetAttributeValue)
    SPECIAL(C_GetAttributeValue)
    SPECIAL(C_GenerateKey)
    SPECIAL(C_GenerateKeyPair)
    SPECIAL(C_WrapKey)
    SPECIAL(C_UnwrapKey)
    SPECIAL(C_DeriveKey)
    *ret_list = &list;
    return CKR_OK;
}
