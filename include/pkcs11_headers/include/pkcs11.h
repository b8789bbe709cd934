/* SPDX-License-Identifier: Apache-2.0
 *
 * The functions of PKCS #11: prototypes, pointer types (CK_C_Sign for C_Sign) and the three lists
 * of function pointers, all made of the rows of pkcs11f.h. Types, numbers and the platform words
 * (CK_PTR, CK_DECLARE_FUNCTION and so on, which an includer may define first) come from pkcs11t.h.
 */
#ifndef OPENCLOUDHSM_PKCS11_H
#define OPENCLOUDHSM_PKCS11_H

#include "pkcs11t.h"

#ifdef __cplusplus
extern "C" {
#endif

/* extern CK_RV C_CloseSession(CK_SESSION_HANDLE hSession); */
#define CK_FUNCTION_ROW(name, params, args) extern CK_DECLARE_FUNCTION(CK_RV, name) params;
#include "pkcs11f.h"

/* typedef CK_RV (*CK_C_CloseSession)(CK_SESSION_HANDLE hSession); */
#define CK_FUNCTION_ROW(name, params, args)                                                        \
    typedef CK_DECLARE_FUNCTION_POINTER(CK_RV, CK_##name) params;
#include "pkcs11f.h"

#ifdef _WIN32
#pragma pack(push, 1)
#endif

/* CK_C_CloseSession C_CloseSession; */
struct CK_FUNCTION_LIST {
    CK_VERSION version;
#define CK_FUNCTION_ROW(name, params, args) CK_##name name;
#define CK_FUNCTION_ROWS_UNTIL 0x0228
#include "pkcs11f.h"
};

struct CK_FUNCTION_LIST_3_0 {
    CK_VERSION version;
#define CK_FUNCTION_ROW(name, params, args) CK_##name name;
#define CK_FUNCTION_ROWS_UNTIL 0x0300
#include "pkcs11f.h"
};

struct CK_FUNCTION_LIST_3_2 {
    CK_VERSION version;
#define CK_FUNCTION_ROW(name, params, args) CK_##name name;
#define CK_FUNCTION_ROWS_UNTIL 0x0302
#include "pkcs11f.h"
};

#ifdef _WIN32
#pragma pack(pop)
#endif

#ifdef __cplusplus
}
#endif

#endif /* OPENCLOUDHSM_PKCS11_H */
