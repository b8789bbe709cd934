/* SPDX-License-Identifier: Apache-2.0
 *
 * For the programs that system tests run against the module: loading it, going through a session
 * and results as TAP lines. Only the public headers are known here, as in any application.
 */
#ifndef TESTS_SYSTEM_P11_H
#define TESTS_SYSTEM_P11_H

#include "pkcs11_headers/include/cryptoki.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SLOT 1
#define PIN "cu1:user1234"
#define UNUSED_HERE __attribute__((unused))

/* { CKA_LABEL, value } for an object with a size, and for bytes of a counted length. */
#define ATTR(type, object) { (type), &(object), sizeof(object) }
#define ATTR_BYTES(type, bytes, len) { (type), (void *)(bytes), (CK_ULONG)(len) }
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#if defined(__SANITIZE_ADDRESS__)
/* These programs end without giving back what they took; the module, the daemon and the server
 * are looked at elsewhere. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *
__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* The module's functions, once p11_load() was called. */
static CK_FUNCTION_LIST_PTR p11;

static CK_BBOOL yes UNUSED_HERE = CK_TRUE;
static CK_BBOOL no UNUSED_HERE = CK_FALSE;

/* The program cannot go on. */
static inline _Noreturn void __attribute__((format(printf, 1, 2)))
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("Bail out! ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
    _Exit(2); /* threads may be inside the module */
}

/* A call that this test takes for granted. */
#define MUST(call)                                      \
    do {                                                \
        CK_RV must_rv = (call);                         \
        if (must_rv != CKR_OK) {                        \
            die("%s: 0x%08lx", #call, must_rv);         \
        }                                               \
    } while (0)

static int checks_failed UNUSED_HERE;

static inline bool __attribute__((format(printf, 2, 3)))
check(bool held, const char *format, ...)
{
    va_list args;

    checks_failed += !held;
    va_start(args, format);
    fputs(held ? "ok - " : "not ok - ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
    fflush(stdout);
    return held;
}

static inline void
check_code(CK_RV rv, CK_RV wanted, const char *name)
{
    if (!check(rv == wanted, "%s", name)) {
        printf("#   0x%08lx instead of 0x%08lx\n", rv, wanted);
        fflush(stdout);
    }
}

static inline uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* *p11 is set; the handle is for dlclose(). */
static inline void *
p11_load(const char *path)
{
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    CK_C_GetFunctionList get;

    if (handle == NULL) {
        die("%s", dlerror());
    }
    *(void **)&get = dlsym(handle, "C_GetFunctionList");
    if (get == NULL) {
        die("%s: no C_GetFunctionList", path);
    }
    MUST(get(&p11));
    return handle;
}

static inline CK_SESSION_HANDLE
p11_session(void)
{
    CK_SESSION_HANDLE session = 0;

    MUST(p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    return session;
}

static inline CK_RV
p11_login(CK_SESSION_HANDLE session, const char *pin)
{
    return p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)pin, strlen(pin));
}

/* Load, C_Initialize, a session, C_Login. */
static inline CK_SESSION_HANDLE UNUSED_HERE
p11_start(const char *path, const char *pin)
{
    CK_SESSION_HANDLE session;

    p11_load(path);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    MUST(p11_login(session, pin));
    return session;
}

/* An AES key for encryption: a token object if it has a label, else a session object. */
static inline CK_RV UNUSED_HERE
p11_generate_aes(CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *ret_key)
{
    CK_MECHANISM mechanism = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_VALUE_LEN, len),
        ATTR(CKA_ENCRYPT, yes),
        ATTR(CKA_DECRYPT, yes),
        { CKA_TOKEN, label != NULL ? &yes : &no, sizeof yes },
        ATTR_BYTES(CKA_LABEL, label, label != NULL ? strlen(label) : 0),
    };

    return p11->C_GenerateKey(session, &mechanism, template, COUNT(template), ret_key);
}

/* A P-256 pair for signatures, token objects if it has a label. */
static inline CK_RV UNUSED_HERE
p11_generate_ec(CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *ret_public,
                CK_OBJECT_HANDLE *ret_private)
{
    static const uint8_t p256[] = "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    CK_MECHANISM mechanism = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_BBOOL *token = label != NULL ? &yes : &no;
    size_t label_len = label != NULL ? strlen(label) : 0;
    CK_ATTRIBUTE public[] = {
        ATTR_BYTES(CKA_EC_PARAMS, p256, sizeof p256 - 1),
        ATTR(CKA_VERIFY, yes),
        { CKA_TOKEN, token, sizeof *token },
        ATTR_BYTES(CKA_LABEL, label, label_len),
    };
    CK_ATTRIBUTE private[] = {
        ATTR(CKA_SIGN, yes),
        { CKA_TOKEN, token, sizeof *token },
        ATTR_BYTES(CKA_LABEL, label, label_len),
    };

    return p11->C_GenerateKeyPair(session, &mechanism, public, COUNT(public), private,
                                  COUNT(private), ret_public, ret_private);
}

/* ECDSA with the one key, looked at with the other. */
static inline CK_RV UNUSED_HERE
p11_sign_and_verify(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE private, CK_OBJECT_HANDLE public,
                    uint8_t *message, CK_ULONG message_len)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    uint8_t signature[64];
    CK_ULONG len = sizeof signature;
    CK_RV rv;

    if ((rv = p11->C_SignInit(session, &mechanism, private)) != CKR_OK ||
        (rv = p11->C_Sign(session, message, message_len, signature, &len)) != CKR_OK ||
        (rv = p11->C_VerifyInit(session, &mechanism, public)) != CKR_OK) {
        return rv;
    }
    return p11->C_Verify(session, message, message_len, signature, len);
}

/* How many objects match, and the first max handles. */
static inline CK_ULONG UNUSED_HERE
p11_find(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG template_count,
         CK_OBJECT_HANDLE *ret_found, CK_ULONG max)
{
    CK_ULONG total = 0, count = 0;

    MUST(p11->C_FindObjectsInit(session, template, template_count));
    do {
        CK_OBJECT_HANDLE some[64];

        MUST(p11->C_FindObjects(session, some, COUNT(some), &count));
        for (CK_ULONG i = 0; i < count; i++, total++) {
            if (total < max) {
                ret_found[total] = some[i];
            }
        }
    } while (count > 0);
    MUST(p11->C_FindObjectsFinal(session));
    return total;
}

static inline CK_ULONG UNUSED_HERE
p11_find_label(CK_SESSION_HANDLE session, const char *label, CK_OBJECT_HANDLE *ret_found,
               CK_ULONG max)
{
    CK_ATTRIBUTE template[] = { ATTR_BYTES(CKA_LABEL, label, strlen(label)) };

    return p11_find(session, template, COUNT(template), ret_found, max);
}

#endif
