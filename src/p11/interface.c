/* SPDX-License-Identifier: Apache-2.0
 *
 * The lists of functions, made of the rows of pkcs11f.h, and the interfaces that offer them.
 * The lists are constant: an application that writes into them is stopped by the system.
 */
#include "p11/slot.h"

#include <string.h>

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
/* .C_Sign = C_Sign, */
static const CK_FUNCTION_LIST functions_2_40 = {
    .version = { 2, 40 },
#define CK_FUNCTION_ROW(name, params, args) .name = name,
#define CK_FUNCTION_ROWS_UNTIL 0x0228
#include "pkcs11_headers/include/pkcs11f.h"
    .C_GetMechanismList = slot_mechanisms_2_40, /* in the place of the row's */
};
#pragma GCC diagnostic pop

static const CK_FUNCTION_LIST_3_0 functions_3_0 = {
    .version = { 3, 0 },
#define CK_FUNCTION_ROW(name, params, args) .name = name,
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11_headers/include/pkcs11f.h"
};

static const char interface_name[] = "PKCS 11";

/* The first is the one given to who has no wish. Not constant, unlike the lists: pkcs11-spy
 * puts its own list into the interface that it was given. */
static struct offer {
    CK_VERSION version;
    CK_INTERFACE interface;
} offers[] = {
    { { 3, 0 },
      { (CK_UTF8CHAR_PTR)(uintptr_t)interface_name, (void *)(uintptr_t)&functions_3_0,
        CKF_INTERFACE_FORK_SAFE } },
    { { 2, 40 },
      { (CK_UTF8CHAR_PTR)(uintptr_t)interface_name, (void *)(uintptr_t)&functions_2_40,
        CKF_INTERFACE_FORK_SAFE } },
};

PUBLIC CK_RV
C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR ppFunctionList)
{
    if (ppFunctionList == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    *ppFunctionList = (CK_FUNCTION_LIST_PTR)(uintptr_t)&functions_2_40;
    return CKR_OK;
}

PUBLIC CK_RV
C_GetInterfaceList(CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount)
{
    const CK_ULONG count = ARRAY_COUNT(offers);

    if (pulCount == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if (pInterfacesList != NULL && *pulCount < count) {
        *pulCount = count;
        return CKR_BUFFER_TOO_SMALL;
    }
    *pulCount = count;
    for (CK_ULONG i = 0; i < count && pInterfacesList != NULL; i++) {
        pInterfacesList[i] = offers[i].interface;
    }
    return CKR_OK;
}

static bool
offer_fits(const struct offer *offer, const char *name, const CK_VERSION *version, CK_FLAGS flags)
{
    return (name == NULL || strcmp(name, interface_name) == 0) &&
           (version == NULL || (version->major == offer->version.major &&
                                version->minor == offer->version.minor)) &&
           (flags & ~offer->interface.flags) == 0;
}

PUBLIC CK_RV
C_GetInterface(CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion,
               CK_INTERFACE_PTR_PTR ppInterface, CK_FLAGS flags)
{
    if (ppInterface == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    for (size_t i = 0; i < ARRAY_COUNT(offers); i++) {
        if (offer_fits(&offers[i], (const char *)pInterfaceName, pVersion, flags)) {
            *ppInterface = &offers[i].interface;
            return CKR_OK;
        }
    }
    return CKR_ARGUMENTS_BAD;
}
