/* SPDX-License-Identifier: Apache-2.0
 *
 * A PKCS #11 module that passes every call on to another one and does one thing wrong. The suite
 * has to notice. The environment tells what:
 *
 *     MUTANT_MODULE      the module behind
 *     MUTANT_FN          the function that errs, C_SignInit
 *     MUTANT_FROM        where it would return this number ...
 *     MUTANT_TO          ... it returns that one
 *     MUTANT_DO          or it does this when it is called: crash, hang, exit, overrun (writes behind
 *                        the output), close (all descriptors), spoil (the first byte of the output),
 *                        attr (refuses templates with the attribute of number MUTANT_ATTR)
 */
#include "pkcs11_headers/include/cryptoki.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static CK_FUNCTION_LIST *behind;

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

static void
before(const char *function)
{
    if (!errs(function)) {
        return;
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
#define CK_FUNCTION_ROW(name, params, args)     \
    static CK_RV mutant_##name params           \
    {                                           \
        before(#name);                          \
        return after(#name, behind->name args); \
    }
#define CK_FUNCTION_ROWS_UNTIL 0x0228
#include "pkcs11_headers/include/pkcs11f.h"

static CK_RV
mutant_Encrypt(CK_SESSION_HANDLE session, CK_BYTE *in, CK_ULONG in_len, CK_BYTE *out,
               CK_ULONG *out_len)
{
    CK_ULONG room = out_len != NULL ? *out_len : 0;
    CK_RV rv;

    before("C_Encrypt");
    rv = behind->C_Encrypt(session, in, in_len, out, out_len);
    if (errs("C_Encrypt") && rv == CKR_OK && out != NULL) {
        if (does("overrun")) {
            out[room] = 0;
        }
        if (does("spoil")) {
            out[0] ^= 1;
        }
    }
    return after("C_Encrypt", rv);
}

/* The IV that was asked for is not the one that is used. */
static CK_RV
mutant_EncryptInit(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE key)
{
    CK_GCM_PARAMS params;
    CK_BYTE iv[64] = { 0 };
    CK_MECHANISM other;

    before("C_EncryptInit");
    if (errs("C_EncryptInit") && does("spoil") && mech != NULL && mech->mechanism == CKM_AES_GCM &&
        mech->pParameter != NULL && mech->ulParameterLen == sizeof params) {
        memcpy(&params, mech->pParameter, sizeof params);
        if (params.ulIvLen <= sizeof iv) {
            params.pIv = iv;
        }
        other = (CK_MECHANISM){ CKM_AES_GCM, &params, sizeof params };
        return behind->C_EncryptInit(session, &other, key);
    }
    return after("C_EncryptInit", behind->C_EncryptInit(session, mech, key));
}

/* A PIN is read wherever it is said to be. */
static CK_RV
mutant_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
    static volatile CK_UTF8CHAR first;

    if (errs("C_Login") && does("crash") && pin == NULL) {
        first = *pin;
        (void)first;
    }
    return after("C_Login", behind->C_Login(session, user, pin, pin_len));
}

static bool
refuses(const CK_ATTRIBUTE *attrs, CK_ULONG count)
{
    CK_ATTRIBUTE_TYPE type = strtoul(told("MUTANT_ATTR"), NULL, 0);

    for (CK_ULONG i = 0; does("attr") && attrs != NULL && i < count; i++) {
        if (attrs[i].type == type) {
            return true;
        }
    }
    return false;
}

static CK_RV
mutant_GenerateKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_ATTRIBUTE *attrs,
                   CK_ULONG count, CK_OBJECT_HANDLE *key)
{
    before("C_GenerateKey");
    if (errs("C_GenerateKey") && refuses(attrs, count)) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    return after("C_GenerateKey", behind->C_GenerateKey(session, mech, attrs, count, key));
}

static CK_RV
mutant_GenerateKeyPair(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_ATTRIBUTE *first,
                       CK_ULONG first_count, CK_ATTRIBUTE *second, CK_ULONG second_count,
                       CK_OBJECT_HANDLE *public, CK_OBJECT_HANDLE *private)
{
    before("C_GenerateKeyPair");
    if (errs("C_GenerateKeyPair") &&
        (refuses(first, first_count) || refuses(second, second_count))) {
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    return after("C_GenerateKeyPair",
                 behind->C_GenerateKeyPair(session, mech, first, first_count, second, second_count,
                                           public, private));
}

/* PKCS #7 padding where there should be none. */
static CK_RV
mutant_WrapKey(CK_SESSION_HANDLE session, CK_MECHANISM *mech, CK_OBJECT_HANDLE wrapper,
               CK_OBJECT_HANDLE key, CK_BYTE *out, CK_ULONG *out_len)
{
    CK_MECHANISM padded = { CKM_AES_KEY_WRAP_PKCS7, NULL, 0 };

    before("C_WrapKey");
    if (errs("C_WrapKey") && does("spoil") && mech != NULL && mech->mechanism == CKM_AES_KEY_WRAP) {
        mech = &padded;
    }
    return after("C_WrapKey", behind->C_WrapKey(session, mech, wrapper, key, out, out_len));
}

/* Attributes that keys do not have. */
static CK_RV
mutant_GetAttributeValue(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, CK_ATTRIBUTE *attrs,
                         CK_ULONG count)
{
    before("C_GetAttributeValue");
    if (errs("C_GetAttributeValue") && refuses(attrs, count)) {
        attrs[0].ulValueLen = CK_UNAVAILABLE_INFORMATION;
        return CKR_ATTRIBUTE_TYPE_INVALID;
    }
    return after("C_GetAttributeValue", behind->C_GetAttributeValue(session, object, attrs, count));
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
    list.C_Encrypt = mutant_Encrypt;
    list.C_EncryptInit = mutant_EncryptInit;
    list.C_Login = mutant_Login;
    list.C_WrapKey = mutant_WrapKey;
    list.C_GetAttributeValue = mutant_GetAttributeValue;
    list.C_GenerateKey = mutant_GenerateKey;
    list.C_GenerateKeyPair = mutant_GenerateKeyPair;
    *ret_list = &list;
    return CKR_OK;
}
