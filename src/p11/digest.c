/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Digest*.
 */
#include "p11/crypt.h"
#include "p11/task.h"

PUBLIC CK_RV
C_DigestInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism)
{
    return task_init(hSession, CKF_DIGEST, pMechanism, CK_INVALID_HANDLE);
}

PUBLIC CK_RV
C_Digest(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pDigest,
         CK_ULONG_PTR pulDigestLen)
{
    return crypt_single(hSession, CKF_DIGEST, pData, ulDataLen, pDigest, pulDigestLen);
}

PUBLIC CK_RV
C_DigestUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen)
{
    return crypt_gather(hSession, CKF_DIGEST, pPart, ulPartLen);
}

PUBLIC CK_RV
C_DigestKey(CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hKey)
{
    return crypt_digest_key(hSession, hKey);
}

PUBLIC CK_RV
C_DigestFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pDigest, CK_ULONG_PTR pulDigestLen)
{
    return crypt_gathered(hSession, CKF_DIGEST, pDigest, pulDigestLen);
}
