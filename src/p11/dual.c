/* SPDX-License-Identifier: Apache-2.0
 *
 * The calls that serve two operations at once (PKCS #11 v3.1, 5.17).
 */
#include "p11/crypt.h"
#include "p11/task.h"

PUBLIC CK_RV
C_DigestEncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen,
                      CK_BYTE_PTR pEncryptedPart, CK_ULONG_PTR pulEncryptedPartLen)
{
    return crypt_dual(hSession, FUNCTION_DigestEncryptUpdate, CKF_ENCRYPT, CKF_DIGEST, pPart,
                      ulPartLen, pEncryptedPart, pulEncryptedPartLen);
}

PUBLIC CK_RV
C_DecryptDigestUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart,
                      CK_ULONG ulEncryptedPartLen, CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen)
{
    return crypt_dual(hSession, FUNCTION_DecryptDigestUpdate, CKF_DECRYPT, CKF_DIGEST,
                      pEncryptedPart, ulEncryptedPartLen, pPart, pulPartLen);
}

PUBLIC CK_RV
C_SignEncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen,
                    CK_BYTE_PTR pEncryptedPart, CK_ULONG_PTR pulEncryptedPartLen)
{
    return crypt_dual(hSession, FUNCTION_SignEncryptUpdate, CKF_ENCRYPT, CKF_SIGN, pPart,
                      ulPartLen, pEncryptedPart, pulEncryptedPartLen);
}

PUBLIC CK_RV
C_DecryptVerifyUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart,
                      CK_ULONG ulEncryptedPartLen, CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen)
{
    return crypt_dual(hSession, FUNCTION_DecryptVerifyUpdate, CKF_DECRYPT, CKF_VERIFY,
                      pEncryptedPart, ulEncryptedPartLen, pPart, pulPartLen);
}
