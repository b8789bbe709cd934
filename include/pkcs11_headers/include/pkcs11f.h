/* SPDX-License-Identifier: Apache-2.0
 *
 * The verbs of PKCS #11: every function of versions 2.40 to 3.2, one row each, in the order in
 * which the lists of functions hold them. There is no include guard: the file is included once
 * for each thing that is made of the rows. Before including it, define
 *
 *     CK_FUNCTION_ROW(name, params, args)   what a row becomes. params is the parenthesised list
 *                                           of parameters with their types, args the same list
 *                                           with the names alone: a forwarder is
 *                                           CK_RV name params { return forward_##name args; }
 *     CK_FUNCTION_ROWS_UNTIL                the last version wanted: 0x0228 (2.40, 68 rows),
 *                                           0x0300 (92 rows) or 0x0302 (104 rows). May be left
 *                                           out; the default is 0x0302.
 *
 * Both are undefined again at the end. Without CK_FUNCTION_ROW the file is empty. A row needs the
 * types of pkcs11t.h only when it is expanded with its params.
 */
#ifndef CK_FUNCTION_ROWS_UNTIL
#define CK_FUNCTION_ROWS_UNTIL 0x0302
#endif

/* clang-format off */

#ifdef CK_FUNCTION_ROW

/* The library. */
CK_FUNCTION_ROW(C_Initialize, (CK_VOID_PTR pInitArgs), (pInitArgs))
CK_FUNCTION_ROW(C_Finalize, (CK_VOID_PTR pReserved), (pReserved))
CK_FUNCTION_ROW(C_GetInfo, (CK_INFO_PTR pInfo), (pInfo))
CK_FUNCTION_ROW(C_GetFunctionList, (CK_FUNCTION_LIST_PTR_PTR ppFunctionList), (ppFunctionList))

/* Slots and tokens. */
CK_FUNCTION_ROW(C_GetSlotList,
    (CK_BBOOL tokenPresent, CK_SLOT_ID_PTR pSlotList, CK_ULONG_PTR pulCount),
    (tokenPresent, pSlotList, pulCount))
CK_FUNCTION_ROW(C_GetSlotInfo, (CK_SLOT_ID slotID, CK_SLOT_INFO_PTR pInfo), (slotID, pInfo))
CK_FUNCTION_ROW(C_GetTokenInfo, (CK_SLOT_ID slotID, CK_TOKEN_INFO_PTR pInfo), (slotID, pInfo))
CK_FUNCTION_ROW(C_GetMechanismList,
    (CK_SLOT_ID slotID, CK_MECHANISM_TYPE_PTR pMechanismList, CK_ULONG_PTR pulCount),
    (slotID, pMechanismList, pulCount))
CK_FUNCTION_ROW(C_GetMechanismInfo,
    (CK_SLOT_ID slotID, CK_MECHANISM_TYPE type, CK_MECHANISM_INFO_PTR pInfo),
    (slotID, type, pInfo))
CK_FUNCTION_ROW(C_InitToken,
    (CK_SLOT_ID slotID, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen, CK_UTF8CHAR_PTR pLabel),
    (slotID, pPin, ulPinLen, pLabel))
CK_FUNCTION_ROW(C_InitPIN,
    (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen),
    (hSession, pPin, ulPinLen))
CK_FUNCTION_ROW(C_SetPIN,
    (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pOldPin, CK_ULONG ulOldLen,
     CK_UTF8CHAR_PTR pNewPin, CK_ULONG ulNewLen),
    (hSession, pOldPin, ulOldLen, pNewPin, ulNewLen))

/* Sessions. */
CK_FUNCTION_ROW(C_OpenSession,
    (CK_SLOT_ID slotID, CK_FLAGS flags, CK_VOID_PTR pApplication, CK_NOTIFY Notify,
     CK_SESSION_HANDLE_PTR phSession),
    (slotID, flags, pApplication, Notify, phSession))
CK_FUNCTION_ROW(C_CloseSession, (CK_SESSION_HANDLE hSession), (hSession))
CK_FUNCTION_ROW(C_CloseAllSessions, (CK_SLOT_ID slotID), (slotID))
CK_FUNCTION_ROW(C_GetSessionInfo,
    (CK_SESSION_HANDLE hSession, CK_SESSION_INFO_PTR pInfo),
    (hSession, pInfo))
CK_FUNCTION_ROW(C_GetOperationState,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pOperationState, CK_ULONG_PTR pulOperationStateLen),
    (hSession, pOperationState, pulOperationStateLen))
CK_FUNCTION_ROW(C_SetOperationState,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pOperationState, CK_ULONG ulOperationStateLen,
     CK_OBJECT_HANDLE hEncryptionKey, CK_OBJECT_HANDLE hAuthenticationKey),
    (hSession, pOperationState, ulOperationStateLen, hEncryptionKey, hAuthenticationKey))
CK_FUNCTION_ROW(C_Login,
    (CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen),
    (hSession, userType, pPin, ulPinLen))
CK_FUNCTION_ROW(C_Logout, (CK_SESSION_HANDLE hSession), (hSession))

/* Objects. */
CK_FUNCTION_ROW(C_CreateObject,
    (CK_SESSION_HANDLE hSession, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount,
     CK_OBJECT_HANDLE_PTR phObject),
    (hSession, pTemplate, ulCount, phObject))
CK_FUNCTION_ROW(C_CopyObject,
    (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE_PTR pTemplate,
     CK_ULONG ulCount, CK_OBJECT_HANDLE_PTR phNewObject),
    (hSession, hObject, pTemplate, ulCount, phNewObject))
CK_FUNCTION_ROW(C_DestroyObject,
    (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject),
    (hSession, hObject))
CK_FUNCTION_ROW(C_GetObjectSize,
    (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ULONG_PTR pulSize),
    (hSession, hObject, pulSize))
CK_FUNCTION_ROW(C_GetAttributeValue,
    (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE_PTR pTemplate,
     CK_ULONG ulCount),
    (hSession, hObject, pTemplate, ulCount))
CK_FUNCTION_ROW(C_SetAttributeValue,
    (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hObject, CK_ATTRIBUTE_PTR pTemplate,
     CK_ULONG ulCount),
    (hSession, hObject, pTemplate, ulCount))
CK_FUNCTION_ROW(C_FindObjectsInit,
    (CK_SESSION_HANDLE hSession, CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulCount),
    (hSession, pTemplate, ulCount))
CK_FUNCTION_ROW(C_FindObjects,
    (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE_PTR phObject, CK_ULONG ulMaxObjectCount,
     CK_ULONG_PTR pulObjectCount),
    (hSession, phObject, ulMaxObjectCount, pulObjectCount))
CK_FUNCTION_ROW(C_FindObjectsFinal, (CK_SESSION_HANDLE hSession), (hSession))

/* Encryption. */
CK_FUNCTION_ROW(C_EncryptInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_Encrypt,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pEncryptedData,
     CK_ULONG_PTR pulEncryptedDataLen),
    (hSession, pData, ulDataLen, pEncryptedData, pulEncryptedDataLen))
CK_FUNCTION_ROW(C_EncryptUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen, CK_BYTE_PTR pEncryptedPart,
     CK_ULONG_PTR pulEncryptedPartLen),
    (hSession, pPart, ulPartLen, pEncryptedPart, pulEncryptedPartLen))
CK_FUNCTION_ROW(C_EncryptFinal,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pLastEncryptedPart,
     CK_ULONG_PTR pulLastEncryptedPartLen),
    (hSession, pLastEncryptedPart, pulLastEncryptedPartLen))

/* Decryption. */
CK_FUNCTION_ROW(C_DecryptInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_Decrypt,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedData, CK_ULONG ulEncryptedDataLen,
     CK_BYTE_PTR pData, CK_ULONG_PTR pulDataLen),
    (hSession, pEncryptedData, ulEncryptedDataLen, pData, pulDataLen))
CK_FUNCTION_ROW(C_DecryptUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart, CK_ULONG ulEncryptedPartLen,
     CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen),
    (hSession, pEncryptedPart, ulEncryptedPartLen, pPart, pulPartLen))
CK_FUNCTION_ROW(C_DecryptFinal,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pLastPart, CK_ULONG_PTR pulLastPartLen),
    (hSession, pLastPart, pulLastPartLen))

/* Digests. */
CK_FUNCTION_ROW(C_DigestInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism),
    (hSession, pMechanism))
CK_FUNCTION_ROW(C_Digest,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pDigest,
     CK_ULONG_PTR pulDigestLen),
    (hSession, pData, ulDataLen, pDigest, pulDigestLen))
CK_FUNCTION_ROW(C_DigestUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen),
    (hSession, pPart, ulPartLen))
CK_FUNCTION_ROW(C_DigestKey, (CK_SESSION_HANDLE hSession, CK_OBJECT_HANDLE hKey), (hSession, hKey))
CK_FUNCTION_ROW(C_DigestFinal,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pDigest, CK_ULONG_PTR pulDigestLen),
    (hSession, pDigest, pulDigestLen))

/* Signing, MACs. */
CK_FUNCTION_ROW(C_SignInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_Sign,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
     CK_ULONG_PTR pulSignatureLen),
    (hSession, pData, ulDataLen, pSignature, pulSignatureLen))
CK_FUNCTION_ROW(C_SignUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen),
    (hSession, pPart, ulPartLen))
CK_FUNCTION_ROW(C_SignFinal,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen),
    (hSession, pSignature, pulSignatureLen))
CK_FUNCTION_ROW(C_SignRecoverInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_SignRecover,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
     CK_ULONG_PTR pulSignatureLen),
    (hSession, pData, ulDataLen, pSignature, pulSignatureLen))

/* Verification. */
CK_FUNCTION_ROW(C_VerifyInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_Verify,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
     CK_ULONG ulSignatureLen),
    (hSession, pData, ulDataLen, pSignature, ulSignatureLen))
CK_FUNCTION_ROW(C_VerifyUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen),
    (hSession, pPart, ulPartLen))
CK_FUNCTION_ROW(C_VerifyFinal,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen),
    (hSession, pSignature, ulSignatureLen))
CK_FUNCTION_ROW(C_VerifyRecoverInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_VerifyRecover,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen, CK_BYTE_PTR pData,
     CK_ULONG_PTR pulDataLen),
    (hSession, pSignature, ulSignatureLen, pData, pulDataLen))

/* Two operations at once. */
CK_FUNCTION_ROW(C_DigestEncryptUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen, CK_BYTE_PTR pEncryptedPart,
     CK_ULONG_PTR pulEncryptedPartLen),
    (hSession, pPart, ulPartLen, pEncryptedPart, pulEncryptedPartLen))
CK_FUNCTION_ROW(C_DecryptDigestUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart, CK_ULONG ulEncryptedPartLen,
     CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen),
    (hSession, pEncryptedPart, ulEncryptedPartLen, pPart, pulPartLen))
CK_FUNCTION_ROW(C_SignEncryptUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen, CK_BYTE_PTR pEncryptedPart,
     CK_ULONG_PTR pulEncryptedPartLen),
    (hSession, pPart, ulPartLen, pEncryptedPart, pulEncryptedPartLen))
CK_FUNCTION_ROW(C_DecryptVerifyUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pEncryptedPart, CK_ULONG ulEncryptedPartLen,
     CK_BYTE_PTR pPart, CK_ULONG_PTR pulPartLen),
    (hSession, pEncryptedPart, ulEncryptedPartLen, pPart, pulPartLen))

/* Keys. */
CK_FUNCTION_ROW(C_GenerateKey,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_ATTRIBUTE_PTR pTemplate,
     CK_ULONG ulCount, CK_OBJECT_HANDLE_PTR phKey),
    (hSession, pMechanism, pTemplate, ulCount, phKey))
CK_FUNCTION_ROW(C_GenerateKeyPair,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_ATTRIBUTE_PTR pPublicKeyTemplate,
     CK_ULONG ulPublicKeyAttributeCount, CK_ATTRIBUTE_PTR pPrivateKeyTemplate,
     CK_ULONG ulPrivateKeyAttributeCount, CK_OBJECT_HANDLE_PTR phPublicKey,
     CK_OBJECT_HANDLE_PTR phPrivateKey),
    (hSession, pMechanism, pPublicKeyTemplate, ulPublicKeyAttributeCount, pPrivateKeyTemplate,
     ulPrivateKeyAttributeCount, phPublicKey, phPrivateKey))
CK_FUNCTION_ROW(C_WrapKey,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hWrappingKey,
     CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pWrappedKey, CK_ULONG_PTR pulWrappedKeyLen),
    (hSession, pMechanism, hWrappingKey, hKey, pWrappedKey, pulWrappedKeyLen))
CK_FUNCTION_ROW(C_UnwrapKey,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hUnwrappingKey,
     CK_BYTE_PTR pWrappedKey, CK_ULONG ulWrappedKeyLen, CK_ATTRIBUTE_PTR pTemplate,
     CK_ULONG ulAttributeCount, CK_OBJECT_HANDLE_PTR phKey),
    (hSession, pMechanism, hUnwrappingKey, pWrappedKey, ulWrappedKeyLen, pTemplate,
     ulAttributeCount, phKey))
CK_FUNCTION_ROW(C_DeriveKey,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hBaseKey,
     CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_OBJECT_HANDLE_PTR phKey),
    (hSession, pMechanism, hBaseKey, pTemplate, ulAttributeCount, phKey))

/* Random numbers. */
CK_FUNCTION_ROW(C_SeedRandom,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pSeed, CK_ULONG ulSeedLen),
    (hSession, pSeed, ulSeedLen))
CK_FUNCTION_ROW(C_GenerateRandom,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pRandomData, CK_ULONG ulRandomLen),
    (hSession, pRandomData, ulRandomLen))

/* Leftovers of parallel sessions; the wait for a slot event came with 2.01. */
CK_FUNCTION_ROW(C_GetFunctionStatus, (CK_SESSION_HANDLE hSession), (hSession))
CK_FUNCTION_ROW(C_CancelFunction, (CK_SESSION_HANDLE hSession), (hSession))
CK_FUNCTION_ROW(C_WaitForSlotEvent,
    (CK_FLAGS flags, CK_SLOT_ID_PTR pSlot, CK_VOID_PTR pReserved),
    (flags, pSlot, pReserved))

#if CK_FUNCTION_ROWS_UNTIL >= 0x0300

/* ---------------------------------------------------------------------------------------------- */
/* Since 3.0                                                                                      */
/* ---------------------------------------------------------------------------------------------- */

/* Interfaces, login by name, cancelling. */
CK_FUNCTION_ROW(C_GetInterfaceList,
    (CK_INTERFACE_PTR pInterfacesList, CK_ULONG_PTR pulCount),
    (pInterfacesList, pulCount))
CK_FUNCTION_ROW(C_GetInterface,
    (CK_UTF8CHAR_PTR pInterfaceName, CK_VERSION_PTR pVersion, CK_INTERFACE_PTR_PTR ppInterface,
     CK_FLAGS flags),
    (pInterfaceName, pVersion, ppInterface, flags))
CK_FUNCTION_ROW(C_LoginUser,
    (CK_SESSION_HANDLE hSession, CK_USER_TYPE userType, CK_UTF8CHAR_PTR pPin, CK_ULONG ulPinLen,
     CK_UTF8CHAR_PTR pUsername, CK_ULONG ulUsernameLen),
    (hSession, userType, pPin, ulPinLen, pUsername, ulUsernameLen))
CK_FUNCTION_ROW(C_SessionCancel, (CK_SESSION_HANDLE hSession, CK_FLAGS flags), (hSession, flags))

/* Message encryption: one key, many messages, each with its own parameter. */
CK_FUNCTION_ROW(C_MessageEncryptInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_EncryptMessage,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
     CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pPlaintext,
     CK_ULONG ulPlaintextLen, CK_BYTE_PTR pCiphertext, CK_ULONG_PTR pulCiphertextLen),
    (hSession, pParameter, ulParameterLen, pAssociatedData, ulAssociatedDataLen, pPlaintext,
     ulPlaintextLen, pCiphertext, pulCiphertextLen))
CK_FUNCTION_ROW(C_EncryptMessageBegin,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
     CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen),
    (hSession, pParameter, ulParameterLen, pAssociatedData, ulAssociatedDataLen))
CK_FUNCTION_ROW(C_EncryptMessageNext,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
     CK_BYTE_PTR pPlaintextPart, CK_ULONG ulPlaintextPartLen, CK_BYTE_PTR pCiphertextPart,
     CK_ULONG_PTR pulCiphertextPartLen, CK_FLAGS flags),
    (hSession, pParameter, ulParameterLen, pPlaintextPart, ulPlaintextPartLen, pCiphertextPart,
     pulCiphertextPartLen, flags))
CK_FUNCTION_ROW(C_MessageEncryptFinal, (CK_SESSION_HANDLE hSession), (hSession))

/* Message decryption. */
CK_FUNCTION_ROW(C_MessageDecryptInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_DecryptMessage,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
     CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen, CK_BYTE_PTR pCiphertext,
     CK_ULONG ulCiphertextLen, CK_BYTE_PTR pPlaintext, CK_ULONG_PTR pulPlaintextLen),
    (hSession, pParameter, ulParameterLen, pAssociatedData, ulAssociatedDataLen, pCiphertext,
     ulCiphertextLen, pPlaintext, pulPlaintextLen))
CK_FUNCTION_ROW(C_DecryptMessageBegin,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
     CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen),
    (hSession, pParameter, ulParameterLen, pAssociatedData, ulAssociatedDataLen))
CK_FUNCTION_ROW(C_DecryptMessageNext,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
     CK_BYTE_PTR pCiphertextPart, CK_ULONG ulCiphertextPartLen, CK_BYTE_PTR pPlaintextPart,
     CK_ULONG_PTR pulPlaintextPartLen, CK_FLAGS flags),
    (hSession, pParameter, ulParameterLen, pCiphertextPart, ulCiphertextPartLen, pPlaintextPart,
     pulPlaintextPartLen, flags))
CK_FUNCTION_ROW(C_MessageDecryptFinal, (CK_SESSION_HANDLE hSession), (hSession))

/* Message signing. */
CK_FUNCTION_ROW(C_MessageSignInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_SignMessage,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen, CK_BYTE_PTR pData,
     CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen),
    (hSession, pParameter, ulParameterLen, pData, ulDataLen, pSignature, pulSignatureLen))
CK_FUNCTION_ROW(C_SignMessageBegin,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen),
    (hSession, pParameter, ulParameterLen))
CK_FUNCTION_ROW(C_SignMessageNext,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen, CK_BYTE_PTR pData,
     CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG_PTR pulSignatureLen),
    (hSession, pParameter, ulParameterLen, pData, ulDataLen, pSignature, pulSignatureLen))
CK_FUNCTION_ROW(C_MessageSignFinal, (CK_SESSION_HANDLE hSession), (hSession))

/* Message verification. */
CK_FUNCTION_ROW(C_MessageVerifyInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey),
    (hSession, pMechanism, hKey))
CK_FUNCTION_ROW(C_VerifyMessage,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen, CK_BYTE_PTR pData,
     CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen),
    (hSession, pParameter, ulParameterLen, pData, ulDataLen, pSignature, ulSignatureLen))
CK_FUNCTION_ROW(C_VerifyMessageBegin,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen),
    (hSession, pParameter, ulParameterLen))
CK_FUNCTION_ROW(C_VerifyMessageNext,
    (CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen, CK_BYTE_PTR pData,
     CK_ULONG ulDataLen, CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen),
    (hSession, pParameter, ulParameterLen, pData, ulDataLen, pSignature, ulSignatureLen))
CK_FUNCTION_ROW(C_MessageVerifyFinal, (CK_SESSION_HANDLE hSession), (hSession))

#if CK_FUNCTION_ROWS_UNTIL >= 0x0302

/* ---------------------------------------------------------------------------------------------- */
/* Since 3.2                                                                                      */
/* ---------------------------------------------------------------------------------------------- */

/* Key encapsulation. */
CK_FUNCTION_ROW(C_EncapsulateKey,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hPublicKey,
     CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_BYTE_PTR pCiphertext,
     CK_ULONG_PTR pulCiphertextLen, CK_OBJECT_HANDLE_PTR phKey),
    (hSession, pMechanism, hPublicKey, pTemplate, ulAttributeCount, pCiphertext, pulCiphertextLen,
     phKey))
CK_FUNCTION_ROW(C_DecapsulateKey,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hPrivateKey,
     CK_ATTRIBUTE_PTR pTemplate, CK_ULONG ulAttributeCount, CK_BYTE_PTR pCiphertext,
     CK_ULONG ulCiphertextLen, CK_OBJECT_HANDLE_PTR phKey),
    (hSession, pMechanism, hPrivateKey, pTemplate, ulAttributeCount, pCiphertext, ulCiphertextLen,
     phKey))

/* Verification with the signature handed over first. */
CK_FUNCTION_ROW(C_VerifySignatureInit,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey,
     CK_BYTE_PTR pSignature, CK_ULONG ulSignatureLen),
    (hSession, pMechanism, hKey, pSignature, ulSignatureLen))
CK_FUNCTION_ROW(C_VerifySignature,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pData, CK_ULONG ulDataLen),
    (hSession, pData, ulDataLen))
CK_FUNCTION_ROW(C_VerifySignatureUpdate,
    (CK_SESSION_HANDLE hSession, CK_BYTE_PTR pPart, CK_ULONG ulPartLen),
    (hSession, pPart, ulPartLen))
CK_FUNCTION_ROW(C_VerifySignatureFinal, (CK_SESSION_HANDLE hSession), (hSession))

/* Validation; operations in the background. */
CK_FUNCTION_ROW(C_GetSessionValidationFlags,
    (CK_SESSION_HANDLE hSession, CK_SESSION_VALIDATION_FLAGS_TYPE type, CK_FLAGS_PTR pFlags),
    (hSession, type, pFlags))
CK_FUNCTION_ROW(C_AsyncComplete,
    (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pFunctionName, CK_ASYNC_DATA_PTR pResult),
    (hSession, pFunctionName, pResult))
CK_FUNCTION_ROW(C_AsyncGetID,
    (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pFunctionName, CK_ULONG_PTR pulID),
    (hSession, pFunctionName, pulID))
CK_FUNCTION_ROW(C_AsyncJoin,
    (CK_SESSION_HANDLE hSession, CK_UTF8CHAR_PTR pFunctionName, CK_ULONG ulID, CK_BYTE_PTR pData,
     CK_ULONG ulData),
    (hSession, pFunctionName, ulID, pData, ulData))

/* Wrapping with associated data. */
CK_FUNCTION_ROW(C_WrapKeyAuthenticated,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hWrappingKey,
     CK_OBJECT_HANDLE hKey, CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen,
     CK_BYTE_PTR pWrappedKey, CK_ULONG_PTR pulWrappedKeyLen),
    (hSession, pMechanism, hWrappingKey, hKey, pAssociatedData, ulAssociatedDataLen, pWrappedKey,
     pulWrappedKeyLen))
CK_FUNCTION_ROW(C_UnwrapKeyAuthenticated,
    (CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hUnwrappingKey,
     CK_BYTE_PTR pWrappedKey, CK_ULONG ulWrappedKeyLen, CK_ATTRIBUTE_PTR pTemplate,
     CK_ULONG ulAttributeCount, CK_BYTE_PTR pAssociatedData, CK_ULONG ulAssociatedDataLen,
     CK_OBJECT_HANDLE_PTR phKey),
    (hSession, pMechanism, hUnwrappingKey, pWrappedKey, ulWrappedKeyLen, pTemplate,
     ulAttributeCount, pAssociatedData, ulAssociatedDataLen, phKey))

#endif /* 0x0302 */
#endif /* 0x0300 */

#endif /* CK_FUNCTION_ROW */

/* clang-format on */

#undef CK_FUNCTION_ROW
#undef CK_FUNCTION_ROWS_UNTIL
