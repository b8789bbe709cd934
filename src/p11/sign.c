/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Sign* and C_Verify*.
 */
#include "p11/crypt.h"
#include "p11/task.h"

PUBLIC CK_RV
C_SignInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return task_init(hSession, CKF_SIGN, pMechanism, hKey);
}

PUBLIC CK_RV
C_Sign(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
       CK_ULONG_PTR pulSignatureLen)
{
    return crypt_single(hSession, CKF_SIGN, pData, ulDataLen, pSignature, pulSignatureLen);
}

PUBLIC CK_RV
C_SignUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    return crypt_gather(hSession, CKF_SIGN, pPart, ulPartLen);
}

PUBLIC CK_RV
C_SignFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen)
{
    return crypt_gathered(hSession, CKF_SIGN, pSignature, pulSignatureLen);
}

PUBLIC CK_RV
C_VerifyInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return task_init(hSession, CKF_VERIFY, pMechanism, hKey);
}

PUBLIC CK_RV
C_Verify(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
         CK_ULONG ulSignatureLen)
{
    return crypt_verify(hSession, false, pData, ulDataLen, pSignature, ulSignatureLen);
}

PUBLIC CK_RV
C_VerifyUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    return crypt_gather(hSession, CKF_VERIFY, pPart, ulPartLen);
}

PUBLIC CK_RV
C_VerifyFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen)
{
    return crypt_verify(hSession, true, NULL, 0, pSignature, ulSignatureLen);
}
