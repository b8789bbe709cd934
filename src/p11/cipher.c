/* SPDX-License-Identifier: Apache-2.0
 *
 * C_Encrypt* and C_Decrypt*.
 */
#include "p11/crypt.h"
#include "p11/task.h"

PUBLIC CK_RV
C_EncryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return task_init(hSession, CKF_ENCRYPT, pMechanism, hKey);
}

PUBLIC CK_RV
C_Encrypt(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen,
          CK_BYTE_PTR pEncryptedData, CK_ULONG_PTR pulEncryptedDataLen)
{
    return crypt_single(hSession, CKF_ENCRYPT, pData, ulDataLen, pEncryptedData,
                        pulEncryptedDataLen);
}

PUBLIC CK_RV
C_EncryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen,
                CK_BYTE_PTR pEncryptedPart, CK_ULONG_PTR pulEncryptedPartLen)
{
    return crypt_update(hSession, CKF_ENCRYPT, pPart, ulPartLen, pEncryptedPart,
                        pulEncryptedPartLen);
}

PUBLIC CK_RV
C_EncryptFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pLastEncryptedPart,
               CK_ULONG_PTR pulLastEncryptedPartLen)
{
    return crypt_final(hSession, CKF_ENCRYPT, pLastEncryptedPart, pulLastEncryptedPartLen);
}

PUBLIC CK_RV
C_DecryptInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return task_init(hSession, CKF_DECRYPT, pMechanism, hKey);
}

PUBLIC CK_RV
C_Decrypt(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedData, CK_ULONG ulEncryptedDataLen,
          CK_BYTE_PTR pData, CK_ULONG_PTR pulDataLen)
{
    return crypt_single(hSession, CKF_DECRYPT, pEncryptedData, ulEncryptedDataLen, pData,
                        pulDataLen);
}

PUBLIC CK_RV
C_DecryptUpdate(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart, CK_ULONG ulEncryptedPartLen,
                CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen)
{
    return crypt_update(hSession, CKF_DECRYPT, pEncryptedPart, ulEncryptedPartLen, pPart,
                        pulPartLen);
}

PUBLIC CK_RV
C_DecryptFinal(CK_SESSION_HANDLE hSession, CK_BYTE_PTR pLastPart, CK_ULONG_PTR pulLastPartLen)
{
    return crypt_final(hSession, CKF_DECRYPT, pLastPart, pulLastPartLen);
}
