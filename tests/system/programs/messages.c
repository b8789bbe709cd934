/* SPDX-License-Identifier: Apache-2.0
 *
 * The message functions of the 3.0 interface, each done well, done wrong and left unfinished: whole and
 * in parts, to a query, into too little room, with a wrong tag, and at the end of the session.
 *
 *   messages MODULE
 */
#include "p11.h"

#define LEN 70000u

static CK_FUNCTION_LIST_3_0_PTR f;
static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, public_key, private_key;
static CK_BYTE in[LEN], out[LEN + 16], back[LEN + 16];
static CK_BYTE iv[12], tag[16], aad[20];

static CK_GCM_MESSAGE_PARAMS
params(CK_GENERATOR_FUNCTION generator)
{
    return (CK_GCM_MESSAGE_PARAMS){ iv, sizeof iv, 0, generator, tag, 128 };
}

static void
whole(void)
{
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_GCM_MESSAGE_PARAMS p = params(CKG_GENERATE_RANDOM), again = params(CKG_NO_GENERATE);
    CK_ULONG len = 0, back_len = sizeof back;

    check(f->C_MessageEncryptInit(session, &mechanism, aes) == CKR_OK, "an encryption begins");
    check(f->C_EncryptMessage(session, &p, sizeof p, aad, sizeof aad, in, LEN, NULL, &len) == CKR_OK &&
              len == LEN,
          "a query");
    len = 10;
    check(f->C_EncryptMessage(session, &p, sizeof p, aad, sizeof aad, in, LEN, out, &len) ==
              CKR_BUFFER_TOO_SMALL,
          "too little room");
    len = sizeof out;
    check(f->C_EncryptMessage(session, &p, sizeof p, aad, sizeof aad, in, LEN, out, &len) == CKR_OK &&
              len == LEN,
          "a message");
    check(f->C_EncryptMessage(session, NULL, 0, aad, sizeof aad, in, LEN, out, &len) != CKR_OK,
          "no parameters");
    check(f->C_MessageEncryptFinal(session) == CKR_OK, "its end");
    check(f->C_MessageDecryptInit(session, &mechanism, aes) == CKR_OK, "a decryption begins");
    check(f->C_DecryptMessage(session, &again, sizeof again, aad, sizeof aad, out, LEN, back, &back_len) ==
                  CKR_OK &&
              back_len == LEN && memcmp(in, back, LEN) == 0,
          "the message again");
    tag[3] ^= 1;
    back_len = sizeof back;
    check(f->C_DecryptMessage(session, &again, sizeof again, aad, sizeof aad, out, LEN, back, &back_len) ==
              CKR_AEAD_DECRYPT_FAILED,
          "a wrong tag");
    tag[3] ^= 1;
    check(f->C_MessageDecryptFinal(session) == CKR_OK, "its end");
}

static void
parts(void)
{
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_GCM_MESSAGE_PARAMS p = params(CKG_GENERATE_RANDOM), again = params(CKG_NO_GENERATE);
    CK_ULONG len = sizeof out, used = 0;
    CK_RV rv = f->C_MessageEncryptInit(session, &mechanism, aes);

    if (rv == CKR_OK) {
        rv = f->C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad);
    }
    for (CK_ULONG at = 0; at < LEN && rv == CKR_OK; at += 7000) {
        len = sizeof out - used;
        rv = f->C_EncryptMessageNext(session, &p, sizeof p, in + at, 7000, out + used, &len,
                                     at + 7000 == LEN ? CKF_END_OF_MESSAGE : 0);
        used += len;
    }
    check(rv == CKR_OK && used == LEN, "a message in parts");
    check(f->C_EncryptMessageNext(session, &p, sizeof p, in, 10, out, &len, 0) != CKR_OK,
          "a part of none");
    check(f->C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad) == CKR_OK,
          "another that is left");
    check(f->C_MessageEncryptFinal(session) == CKR_OPERATION_ACTIVE, "no end in its middle");
    check(f->C_SessionCancel(session, CKF_MESSAGE_ENCRYPT) == CKR_OK, "it is cancelled");
    rv = f->C_MessageDecryptInit(session, &mechanism, aes);
    len = sizeof back;
    if (rv == CKR_OK) {
        rv = f->C_DecryptMessageBegin(session, &again, sizeof again, aad, sizeof aad);
    }
    check(rv == CKR_OK, "a decryption in parts begins");
    rv = f->C_DecryptMessageNext(session, &again, sizeof again, out, LEN, back, &len, CKF_END_OF_MESSAGE);
    check(rv == CKR_AEAD_DECRYPT_FAILED, "and ends with a tag that is another's");
    check(f->C_MessageDecryptFinal(session) == CKR_OK, "its end");
}

static void
signatures(void)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    CK_BYTE signature[64];
    CK_ULONG len = sizeof signature;
    CK_RV rv = f->C_MessageSignInit(session, &mechanism, private_key);

    check(rv == CKR_OK, "signatures begin");
    if (rv == CKR_OK) {
        check(f->C_SignMessage(session, NULL, 0, in, 100, NULL, &len) == CKR_OK, "a query");
        check(f->C_SignMessage(session, NULL, 0, in, 100, signature, &len) == CKR_OK, "a signature");
        check(f->C_SignMessageBegin(session, NULL, 0) == CKR_OK, "one in parts");
        len = sizeof signature;
        check(f->C_SignMessageNext(session, NULL, 0, in, 50, NULL, NULL) == CKR_OK &&
                  f->C_SignMessageNext(session, NULL, 0, in + 50, 50, signature, &len) == CKR_OK,
              "its parts");
        check(f->C_MessageSignFinal(session) == CKR_OK, "its end");
        check(f->C_MessageVerifyInit(session, &mechanism, public_key) == CKR_OK, "a verification");
        check(f->C_VerifyMessage(session, NULL, 0, in, 100, signature, len) == CKR_OK, "it is good");
        signature[5] ^= 1;
        check(f->C_VerifyMessage(session, NULL, 0, in, 100, signature, len) == CKR_SIGNATURE_INVALID,
              "another is not");
        check(f->C_VerifyMessageBegin(session, NULL, 0) == CKR_OK &&
                  f->C_VerifyMessageNext(session, NULL, 0, in, 100, NULL, 0) == CKR_OK,
              "one that is left");
        check(f->C_SessionCancel(session, CKF_MESSAGE_VERIFY) == CKR_OK, "it is cancelled");
    }
}

/* What is running when the session ends. */
static void
left(void)
{
    CK_MECHANISM gcm = { CKM_AES_GCM, NULL, 0 };
    CK_GCM_MESSAGE_PARAMS p = params(CKG_GENERATE_RANDOM);
    CK_ULONG len = sizeof out;

    check(f->C_MessageEncryptInit(session, &gcm, aes) == CKR_OK &&
              f->C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad) == CKR_OK &&
              f->C_EncryptMessageNext(session, &p, sizeof p, in, 5000, out, &len, 0) == CKR_OK,
          "one that nobody ends");
    check(f->C_SessionCancel(session, CKF_MESSAGE_ENCRYPT) == CKR_OK, "it is cancelled");
    check(f->C_MessageEncryptInit(session, &gcm, aes) == CKR_OK &&
              f->C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad) == CKR_OK,
          "and one more");
}

int
main(int argc, char **argv)
{
    CK_RV (*get)(CK_UTF8CHAR_PTR name, CK_VERSION_PTR version, CK_INTERFACE_PTR_PTR found, CK_FLAGS flags);
    CK_VERSION version = { 3, 0 };
    CK_INTERFACE_PTR found = NULL;
    void *module;

    if (argc != 2) {
        die("usage: messages MODULE");
    }
    module = p11_load(argv[1]);
    *(void **)&get = dlsym(module, "C_GetInterface");
    if (get == NULL || get((CK_UTF8CHAR_PTR) "PKCS 11", &version, &found, 0) != CKR_OK) {
        die("there is no interface 3.0");
    }
    f = found->pFunctionList;
    MUST(f->C_Initialize(NULL));
    session = p11_session();
    MUST(p11_login(session, PIN));
    MUST(p11_generate_aes(session, "messages", &aes));
    MUST(p11_generate_ec(session, "messages", &public_key, &private_key));
    memset(in, 'i', sizeof in);
    for (int i = 0; i < 3; i++) {
        whole();
        parts();
        signatures();
    }
    left();
    MUST(f->C_CloseSession(session));
    MUST(f->C_Finalize(NULL));
    return checks_failed != 0;
}
