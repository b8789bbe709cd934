/* SPDX-License-Identifier: Apache-2.0
 *
 * C_SignRecover* and C_VerifyRecover* (PKCS #11 v3.1, 5.14 and 5.16): signatures that the data can
 * be read from.
 */
#include "p11/crypt.h"
#include "p11/task.h"

/* Does the policy have the function? */
static CK_RV
offered(CK_SESSION_HANDLE handle, enum rules_function function)
{
    struct session *session;
    CK_RV rv = session_begin_offered(handle, function, &session);

    if (rv == CKR_OK) {
        session_end(session);
    }
    return rv;
}

PUBLIC CK_RV
C_SignRecoverInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    CK_RV rv = offered(hSession, FUNCTION_SignRecoverInit);

    return rv == CKR_OK ? task_init(hSession, CKF_SIGN_RECOVER, pMechanism, hKey) : rv;
}

PUBLIC CK_RV
C_SignRecover(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
              CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen)
{
    CK_RV rv = offered(hSession, FUNCTION_SignRecover);

    return rv == CKR_OK ? crypt_single(hSession, CKF_SIGN_RECOVER, pData, ulDataLen, pSignature,
                                       pulSignatureLen)
                        : rv;
}

PUBLIC CK_RV
C_VerifyRecoverInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    CK_RV rv = offered(hSession, FUNCTION_VerifyRecoverInit);

    return rv == CKR_OK ? task_init(hSession, CKF_VERIFY_RECOVER, pMechanism, hKey) : rv;
}

PUBLIC CK_RV
C_VerifyRecover(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen,
                CK_BYTE_PTR pData, CK_ULONG_PTR pulDataLen)
{
    CK_RV rv = offered(hSession, FUNCTION_VerifyRecover);

    return rv == CKR_OK ? crypt_single(hSession, CKF_VERIFY_RECOVER, pSignature, ulSignatureLen,
                                       pData, pulDataLen)
                        : rv;
}
