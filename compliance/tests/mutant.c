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
 *       together   returns CKR_FUNCTION_FAILED while another thread is in the function
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
 *       weaken           makes a copy, or derives a key, whose value can be read whatever it is; wraps
 *                        the last key that was created, whatever protects it
 *       leak             C_GetOperationState shows the last key that was created
 *       fake             takes an object that it should refuse
 *       again            C_CreateObject makes another one beside it
 *       both             C_CopyObject changes the object as well as the copy
 *       same             C_CreateObject gives the handle of the object before
 *       apart            answers bad input one way and then another; what begins with s is good
 *       stale            C_Sign gives the first half of an earlier signature
 *       even             tells another last byte of the attribute
 *       tag, nonce       of a message: tells another tag, or another nonce
 *       aad              of a message: forgets the associated data
 *       go               of a message: the last part is not the last
 *       once             returns CKR_DEVICE_ERROR the tenth time; counts in the file MUTANT_ONCE
 *
 * In the file MUTANT_LOG each login leaves a line: the code.
 */
#include "tests/mutant.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

CK_FUNCTION_LIST_3_0 mutant_behind;

const char *
mutant_told(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? text : "";
}

bool
mutant_errs(const char *function)
{
    return strcmp(mutant_told("MUTANT_FN"), function) == 0;
}

bool
mutant_does(const char *what)
{
    return strcmp(mutant_told("MUTANT_DO"), what) == 0;
}

/* Counts across processes: each call is a byte of a file. */
static bool
is_tenth(void)
{
    int fd = open(mutant_told("MUTANT_ONCE"), O_CREAT | O_APPEND | O_WRONLY, 0600);
    bool tenth = fd >= 0 && write(fd, "", 1) == 1 && lseek(fd, 0, SEEK_CUR) == 10;

    if (fd >= 0) {
        close(fd);
    }
    return tenth;
}

/* True when the call is not to be passed on; *ret_rv is its answer then. */
bool
mutant_stops(const char *function, CK_RV *ret_rv)
{
    if (!mutant_errs(function)) {
        return false;
    }
    if (mutant_does("crash")) {
        raise(SIGSEGV);
    }
    if (mutant_does("hang")) {
        for (;;) {
            pause();
        }
    }
    if (mutant_does("exit")) {
        exit(0);
    }
    if (mutant_does("close")) {
        for (int fd = 0; fd < 256; fd++) {
            close(fd);
        }
    }
    if (mutant_does("together")) {
        static atomic_int inside;
        bool alone = atomic_fetch_add(&inside, 1) == 0;

        usleep(2000);
        atomic_fetch_sub(&inside, 1);
        *ret_rv = CKR_FUNCTION_FAILED;
        return !alone;
    }
    *ret_rv = mutant_does("once") ? CKR_DEVICE_ERROR : CKR_OK;
    return mutant_does("drop") || (mutant_does("once") && is_tenth());
}

CK_RV
mutant_after(const char *function, CK_RV rv)
{
    if (mutant_errs(function) && mutant_told("MUTANT_FROM")[0] != '\0' &&
        rv == strtoul(mutant_told("MUTANT_FROM"), NULL, 0)) {
        return strtoul(mutant_told("MUTANT_TO"), NULL, 0);
    }
    return rv;
}

/* Every function, as it is passed on. */
#define CK_FUNCTION_ROW(name, params, args)                                                  \
    static CK_RV mutant_##name params                                                        \
    {                                                                                        \
        CK_RV rv;                                                                            \
                                                                                             \
        return mutant_stops(#name, &rv) ? rv : mutant_after(#name, mutant_behind.name args); \
    }
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"

/* ---- sessions ---- */

/* A PIN is read wherever it is said to be. */
static CK_RV
special_C_Login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR *pin, CK_ULONG pin_len)
{
    static volatile CK_UTF8CHAR first;
    CK_RV rv;

    if (mutant_errs("C_Login") && mutant_does("crash")) {
        if (pin == NULL) {
            first = *pin;
            (void)first;
        }
    } else if (mutant_stops("C_Login", &rv)) {
        return rv;
    }
    rv = mutant_after("C_Login", mutant_behind.C_Login(session, user, pin, pin_len));
    if (mutant_told("MUTANT_LOG")[0] != '\0') {
        FILE *log = fopen(mutant_told("MUTANT_LOG"), "a");

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

    if (mutant_stops("C_GetSessionInfo", &rv)) {
        return rv;
    }
    rv = mutant_behind.C_GetSessionInfo(session, info);
    if (mutant_errs("C_GetSessionInfo") && rv == CKR_OK) {
        info->state ^= mutant_does("state");
        info->flags ^= mutant_does("flags") ? CKF_RW_SESSION : 0;
        info->slotID += mutant_does("slot");
    }
    return mutant_after("C_GetSessionInfo", rv);
}

static CK_RV
special_C_FindObjects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE *objects, CK_ULONG most,
                      CK_ULONG *count)
{
    CK_RV rv;

    if (mutant_stops("C_FindObjects", &rv)) {
        return rv;
    }
    rv = mutant_behind.C_FindObjects(session, objects, most, count);
    if (mutant_errs("C_FindObjects") && rv == CKR_OK && mutant_does("none")) {
        *count = 0;
    }
    return mutant_after("C_FindObjects", rv);
}

/* ---- lists ---- */

static CK_FUNCTION_LIST old_list = {
    .version = { 2, 40 },
#define CK_FUNCTION_ROW(name, params, args) .name = mutant_##name,
#define CK_FUNCTION_ROWS_UNTIL 0x0228
#include "pkcs11_headers/include/pkcs11f.h"
};

static CK_FUNCTION_LIST_3_0 list = {
    .version = { 3, 0 },
#define CK_FUNCTION_ROW(name, params, args) .name = mutant_##name,
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"
};

static bool opened, is_new;

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST **ret_list);
__attribute__((visibility("default"))) CK_RV C_GetInterfaceList(CK_INTERFACE *ret_interfaces,
                                                                CK_ULONG *count);
__attribute__((visibility("default"))) CK_RV C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version,
                                                            CK_INTERFACE **ret_interface,
                                                            CK_FLAGS flags);

static bool
open_behind(void)
{
    CK_RV (*get)(CK_FUNCTION_LIST **) = NULL;
    CK_RV (*get_interface)(CK_UTF8CHAR *, CK_VERSION *, CK_INTERFACE **, CK_FLAGS) = NULL;
    void *library = opened ? NULL : dlopen(mutant_told("MUTANT_MODULE"), RTLD_NOW | RTLD_LOCAL);
    CK_FUNCTION_LIST *old = NULL;
    CK_INTERFACE *interface = NULL;
    CK_VERSION version = { 3, 0 };

    if (library != NULL) {
        *(void **)&get = dlsym(library, "C_GetFunctionList");
        *(void **)&get_interface = dlsym(library, "C_GetInterface");
    }
    if (get == NULL || get(&old) != CKR_OK) {
        return opened;
    }
    opened = true;
    memcpy(&mutant_behind, old, sizeof *old);
    if (get_interface != NULL &&
        get_interface((CK_UTF8CHAR *)(uintptr_t) "PKCS 11", &version, &interface, 0) == CKR_OK) {
        memcpy(&mutant_behind, interface->pFunctionList, sizeof mutant_behind);
        is_new = true;
    }
    mutant_operations(&list);
    mutant_objects(&list);
    mutant_messages(&list);
    list.C_GetFunctionList = C_GetFunctionList;
    list.C_GetInterfaceList = C_GetInterfaceList;
    list.C_GetInterface = C_GetInterface;
    list.C_Login = special_C_Login;
    list.C_GetSessionInfo = special_C_GetSessionInfo;
    list.C_FindObjects = special_C_FindObjects;
    memcpy(&old_list, &list, sizeof old_list);
    old_list.version = (CK_VERSION){ 2, 40 };
    return true;
}

CK_RV
C_GetFunctionList(CK_FUNCTION_LIST **ret_list)
{
    if (ret_list == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!open_behind()) {
        return CKR_GENERAL_ERROR;
    }
    *ret_list = &old_list;
    return CKR_OK;
}

static CK_INTERFACE interfaces[] = {
    { (CK_UTF8CHAR *)(uintptr_t) "PKCS 11", &list, 0 },
    { (CK_UTF8CHAR *)(uintptr_t) "PKCS 11", &old_list, 0 },
};

CK_RV
C_GetInterfaceList(CK_INTERFACE *ret_interfaces, CK_ULONG *count)
{
    CK_ULONG room, have;

    if (!open_behind() || count == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    room = *count;
    have = is_new ? 2 : 1;
    *count = have;
    if (ret_interfaces == NULL) {
        return CKR_OK;
    }
    if (room < have) {
        return CKR_BUFFER_TOO_SMALL;
    }
    memcpy(ret_interfaces, interfaces + 2 - have, have * sizeof *interfaces);
    return CKR_OK;
}

CK_RV
C_GetInterface(CK_UTF8CHAR *name, CK_VERSION *version, CK_INTERFACE **ret_interface, CK_FLAGS flags)
{
    if (!open_behind() || ret_interface == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    for (size_t i = is_new ? 0 : 1; i < 2; i++) {
        const CK_VERSION *has = interfaces[i].pFunctionList;

        if ((name == NULL || strcmp((const char *)name, "PKCS 11") == 0) && flags == 0 &&
            (version == NULL || (version->major == has->major && version->minor == has->minor))) {
            *ret_interface = &interfaces[i];
            return CKR_OK;
        }
    }
    return CKR_FUNCTION_FAILED;
}
