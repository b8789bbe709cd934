/* SPDX-License-Identifier: Apache-2.0
 *
 * What the C_ functions of encryption, decryption, digests, signatures and verification have
 * in common: arguments, the output convention (PKCS #11 v3.1, 5.2), and states.
 */
#ifndef P11_CRYPT_H
#define P11_CRYPT_H

#include "rules/rules.h"

struct session;
struct task;

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
/* C_DigestKey. */
MUST_USE CK_RV crypt_digest_key(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE key);
/*
 * The four calls for two operations: what is encrypted goes to the other as well, or what was
 * decrypted does. CKR_BUFFER_TOO_SMALL and a question for the length move neither.
 */
MUST_USE CK_RV crypt_dual(CK_SESSION_HANDLE handle, enum rules_function called, CK_FLAGS cipher,
                          CK_FLAGS other, const void *in, CK_ULONG in_len, void *out,
                          CK_ULONG *out_len);
/* C_DigestFinal, C_SignFinal. */
MUST_USE CK_RV crypt_gathered(CK_SESSION_HANDLE handle, CK_FLAGS function, void *out,
                              CK_ULONG *out_len);
/* C_Verify, and C_VerifyFinal with final true. */
MUST_USE CK_RV crypt_verify(CK_SESSION_HANDLE handle, bool final, const void *in, CK_ULONG in_len,
                            const void *signature, CK_ULONG signature_len);

/*
 * The same for a message (p11/message.h), whose task is not the session's and has no states: a part
 * that others follow, and what ends it, with the last part or the whole. *ret_asked: a length was
 * all that was given, and nothing taken.
 */
MUST_USE CK_RV crypt_message_part(struct session *session, struct task *task, const void *in,
                                  CK_ULONG in_len);
MUST_USE CK_RV crypt_message_sign(struct session *session, struct task *task, const void *in,
                                  CK_ULONG in_len, void *out, CK_ULONG *out_len, bool *ret_asked);
MUST_USE CK_RV crypt_message_verify(struct session *session, struct task *task, const void *in,
                                    CK_ULONG in_len, const void *signature,
                                    CK_ULONG signature_len);

#endif
