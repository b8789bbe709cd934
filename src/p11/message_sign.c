/* SPDX-License-Identifier: Apache-2.0
 *
 * Messages that are signed and verified (PKCS #11 v3.1, 5.14 and 5.16). Mechanism and parameter are
 * those of Init; what is here has none of its own for a message.
 */
#include "p11/crypt.h"
#include "p11/message.h"

static CK_RV
parameter_check(const void *parameter, CK_ULONG len)
{
    UNUSED(parameter);
    return len == 0 ? CKR_OK : CKR_MECHANISM_PARAM_INVALID;
}

/* PKCS #11 v3.1, 5.14.3 and 5.16.3. */
static CK_RV
begin(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function,
      const void *parameter, CK_ULONG parameter_len)
{
    struct message m;
    CK_RV rv = message_enter(handle, called, function, MESSAGE_BEGIN, &m);

    if (rv != CKR_OK) {
        return rv;
    }
    rv = m.part->row->multi ? parameter_check(parameter, parameter_len)
                            : CKR_OPERATION_NOT_INITIALIZED;
    return message_leave(&m, MESSAGE_BEGIN, rv == CKR_OK ? MESSAGE_OPEN : MESSAGE_OVER, rv);
}

/* A part that others follow. */
static CK_RV
part(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS function, const void *parameter,
     CK_ULONG parameter_len, const void *in, CK_ULONG in_len)
{
    struct message m;
    CK_RV rv = message_enter(handle, called, function, MESSAGE_NEXT, &m);

    if (rv != CKR_OK) {
        return rv;
    }
    rv = parameter_check(parameter, parameter_len);
    if (rv == CKR_OK) {
        rv = crypt_message_part(m.session, m.part, in, in_len);
    }
    return message_leave(&m, MESSAGE_NEXT, rv == CKR_OK ? MESSAGE_OPEN : MESSAGE_OVER, rv);
}

/* The whole, or the last part. */
static CK_RV
sign(CK_SESSION_HANDLE handle, enum rules_function called, enum message_call call,
     const void *parameter, CK_ULONG parameter_len, const void *in, CK_ULONG in_len, void *out,
     CK_ULONG *out_len)
{
    struct message m;
    bool asked = false;
    CK_RV rv = message_enter(handle, called, CKF_MESSAGE_SIGN, call, &m);

    if (rv != CKR_OK) {
        return rv;
    }
    rv = parameter_check(parameter, parameter_len);
    if (rv == CKR_OK) {
        rv = crypt_message_sign(m.session, m.part, in, in_len, out, out_len, &asked);
    }
    return message_leave(&m, call, asked ? MESSAGE_ASKED : MESSAGE_OVER, rv);
}

static CK_RV
verify(CK_SESSION_HANDLE handle, enum rules_function called, enum message_call call,
       const void *parameter, CK_ULONG parameter_len, const void *in, CK_ULONG in_len,
       const void *signature, CK_ULONG signature_len)
{
    struct message m;
    CK_RV rv = message_enter(handle, called, CKF_MESSAGE_VERIFY, call, &m);

    if (rv != CKR_OK) {
        return rv;
    }
    rv = parameter_check(parameter, parameter_len);
    if (rv == CKR_OK) {
        rv = crypt_message_verify(m.session, m.part, in, in_len, signature, signature_len);
    }
    return message_leave(&m, call, MESSAGE_OVER, rv);
}

/* ---- the calls ---- */

PUBLIC CK_RV
C_MessageSignInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return message_init(hSession, FUNCTION_MessageSignInit, CKF_MESSAGE_SIGN, pMechanism, hKey);
}

PUBLIC CK_RV
C_SignMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
              CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
              CK_ULONG_PTR pulSignatureLen)
{
    return sign(hSession, FUNCTION_SignMessage, MESSAGE_WHOLE, pParameter, ulParameterLen, pData,
                ulDataLen, pSignature, pulSignatureLen);
}

PUBLIC CK_RV
C_SignMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen)
{
    return begin(hSession, FUNCTION_SignMessageBegin, CKF_MESSAGE_SIGN, pParameter, ulParameterLen);
}

PUBLIC CK_RV
C_SignMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                  CK_BYTE_PTR pDataPart, CK_ULONG ulDataPartLen, CK_BYTE_PTR pSignature,
                  CK_ULONG_PTR pulSignatureLen)
{
    /* PKCS #11 v3.1, 5.14.4: nowhere to put a length means that more follows. */
    return pulSignatureLen == NULL
               ? part(hSession, FUNCTION_SignMessageNext, CKF_MESSAGE_SIGN, pParameter,
                      ulParameterLen, pDataPart, ulDataPartLen)
               : sign(hSession, FUNCTION_SignMessageNext, MESSAGE_NEXT, pParameter, ulParameterLen,
                      pDataPart, ulDataPartLen, pSignature, pulSignatureLen);
}

PUBLIC CK_RV
C_MessageSignFinal(CK_SESSION_HANDLE hSession)
{
    return message_final(hSession, FUNCTION_MessageSignFinal, CKF_MESSAGE_SIGN);
}

PUBLIC CK_RV
C_MessageVerifyInit(CK_SESSION_HANDLE hSession, CK_MECHANISM_PTR pMechanism, CK_OBJECT_HANDLE hKey)
{
    return message_init(hSession, FUNCTION_MessageVerifyInit, CKF_MESSAGE_VERIFY, pMechanism, hKey);
}

PUBLIC CK_RV
C_VerifyMessage(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                CK_BYTE_PTR pData, CK_ULONG ulDataLen, CK_BYTE_PTR pSignature,
                CK_ULONG ulSignatureLen)
{
    return verify(hSession, FUNCTION_VerifyMessage, MESSAGE_WHOLE, pParameter, ulParameterLen,
                  pData, ulDataLen, pSignature, ulSignatureLen);
}

PUBLIC CK_RV
C_VerifyMessageBegin(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen)
{
    return begin(hSession, FUNCTION_VerifyMessageBegin, CKF_MESSAGE_VERIFY, pParameter,
                 ulParameterLen);
}

PUBLIC CK_RV
C_VerifyMessageNext(CK_SESSION_HANDLE hSession, CK_VOID_PTR pParameter, CK_ULONG ulParameterLen,
                    CK_BYTE_PTR pDataPart, CK_ULONG ulDataPartLen, CK_BYTE_PTR pSignature,
                    CK_ULONG ulSignatureLen)
{
    /* PKCS #11 v3.1, 5.16.4: no signature means that more follows. */
    return pSignature == NULL
               ? part(hSession, FUNCTION_VerifyMessageNext, CKF_MESSAGE_VERIFY, pParameter,
                      ulParameterLen, pDataPart, ulDataPartLen)
               : verify(hSession, FUNCTION_VerifyMessageNext, MESSAGE_NEXT, pParameter,
                        ulParameterLen, pDataPart, ulDataPartLen, pSignature, ulSignatureLen);
}

PUBLIC CK_RV
C_MessageVerifyFinal(CK_SESSION_HANDLE hSession)
{
    return message_final(hSession, FUNCTION_MessageVerifyFinal, CKF_MESSAGE_VERIFY);
}
