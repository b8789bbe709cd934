/* SPDX-License-Identifier: Apache-2.0
 *
 * What the C_ functions of encryption, decryption, digests, signatures and verification have
 * in common: arguments, the output convention (PKCS #11 v3.1, 5.2), and states.
 */
#ifndef P11_CRYPT_H
#define P11_CRYPT_H

#include "base/base.h"
#include "pkcs11_headers/include/cryptoki.h"

/* C_Encrypt, C_Decrypt, C_Digest, C_Sign. */
MUST_USE CK_RV crypt_single(CK_SESSION_HANDLE handle, CK_FLAGS function, const void *in,
                            CK_ULONG in_len, void *out, CK_ULONG *out_len);
/* C_EncryptUpdate, C_DecryptUpdate. */
MUST_USE CK_RV crypt_update(CK_SESSION_HANDLE handle, CK_FLAGS function, const void *in,
                            CK_ULONG in_len, void *out, CK_ULONG *out_len);
/* C_EncryptFinal, C_DecryptFinal. */
MUST_USE CK_RV crypt_final(CK_SESSION_HANDLE handle, CK_FLAGS function, void *out,
                           CK_ULONG *out_len);
/* C_DigestUpdate, C_SignUpdate, C_VerifyUpdate. */
MUST_USE CK_RV crypt_gather(CK_SESSION_HANDLE handle, CK_FLAGS function, const void *in,
                            CK_ULONG in_len);
/* C_DigestFinal, C_SignFinal. */
MUST_USE CK_RV crypt_gathered(CK_SESSION_HANDLE handle, CK_FLAGS function, void *out,
                              CK_ULONG *out_len);
/* C_Verify, and C_VerifyFinal with final true. */
MUST_USE CK_RV crypt_verify(CK_SESSION_HANDLE handle, bool final, const void *in, CK_ULONG in_len,
                            const void *signature, CK_ULONG signature_len);

#endif
