/* SPDX-License-Identifier: Apache-2.0
 *
 * What the samples share: the module, a session and its login. Each is compiled alone:
 *
 *   gcc -I/opt/azurecloudhsm/pkcs11_headers/include -o create create.c -ldl
 *   PIN=cu1:user1234 ./create certificate.der
 */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "cryptoki.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static CK_FUNCTION_LIST_PTR p11;

/* Ends the program when a call did not succeed. */
static void
must(const char *what, CK_RV rv)
{
    if (rv != CKR_OK) {
        fprintf(stderr, "%s: 0x%08lx\n", what, rv);
        exit(1);
    }
}

/* A read-write session of the user in $PIN; $MODULE is another place of the module. */
static CK_SESSION_HANDLE
session_open(void)
{
    const char *path = getenv("MODULE");
    char *pin = getenv("PIN");
    void *module = dlopen(path != NULL ? path : "/opt/azurecloudhsm/lib64/libazcloudhsm_pkcs11.so", RTLD_NOW);
    CK_C_GetFunctionList list = NULL;
    CK_SESSION_HANDLE session;

    if (module == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    *(void **)&list = dlsym(module, "C_GetFunctionList");
    must("C_GetFunctionList", list == NULL ? CKR_GENERAL_ERROR : list(&p11));
    must("C_Initialize", p11->C_Initialize(NULL));
    must("C_OpenSession", p11->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    if (pin != NULL) {
        must("C_Login", p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)));
    }
    return session;
}

/* The handle in the program's first argument. */
static inline CK_OBJECT_HANDLE
handle_of(int argc, char *argv[])
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s HANDLE ...\n", argv[0]);
        exit(2);
    }
    return strtoul(argv[1], NULL, 10);
}

#endif
