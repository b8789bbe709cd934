/* SPDX-License-Identifier: Apache-2.0
 *
 * EdDSA, RFC 8032, in its pure form: the message is read twice, so one that comes in parts is
 * kept until its end. PKCS #11 v3.1, 6.3.15.
 */
#include "crypto/driver.h"
#include "crypto/library.h"
#include "crypto/pkey.h"

#define SIGNATURE_MAX (2 * 57u)         /* Ed448 */
#define MESSAGE_MAX (512u * 1024u)      /* what a node keeps for an operation */

static CK_RV
verify(const struct algo_key *key, view message, view signature)
{
    EVP_MD_CTX *ctx;
    bool ready, good;

    if (signature.len != 2 * key->len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    ctx = EVP_MD_CTX_new();
    ready = ctx != NULL &&
            EVP_DigestVerifyInit_ex(ctx, NULL, NULL, NULL, NULL, key->pkey, NULL) == 1;
    good = ready && EVP_DigestVerify(ctx, signature.data, signature.len, pkey_data(message),
                                     message.len) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ready) {
        return library_failed("prepare a key");
    }
    return good ? CKR_OK : CKR_SIGNATURE_INVALID;
}

static CK_RV
sign(const struct algo_call *call, view message, struct writer *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[SIGNATURE_MAX];
    size_t len = sizeof signature;
    CK_RV rv = CKR_OK;

    if (ctx == NULL ||
        EVP_DigestSignInit_ex(ctx, NULL, NULL, NULL, NULL, call->key->pkey, NULL) != 1 ||
        EVP_DigestSign(ctx, signature, &len, pkey_data(message), message.len) != 1) {
        rv = library_failed("sign");
    }
    EVP_MD_CTX_free(ctx);
    if (rv == CKR_OK && pkey_rechecks(call)) {
        rv = pkey_rechecked(verify(call->key, message, view_of(signature, len)));
    }
    if (rv == CKR_OK) {
        write_raw(out, view_of(signature, len));
    }
    wipe(signature, sizeof signature);
    return rv;
}

static CK_RV
sign_or_verify(const struct algo_call *call, view message, view signature, struct writer *out)
{
    return call->function == CKF_SIGN ? sign(call, message, out)
                                      : verify(call->key, message, signature);
}

static CK_RV
eddsa_start(struct algo_op *op)
{
    writer_init(&op->message, MESSAGE_MAX);
    return CKR_OK;
}

static CK_RV
eddsa_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(out);
    if (in.len > MESSAGE_MAX - op->message.len) {
        return CKR_TOKEN_RESOURCE_EXCEEDED;
    }
    write_raw(&op->message, in);
    return writer_ok(&op->message) ? CKR_OK : CKR_DEVICE_MEMORY;
}

static CK_RV
eddsa_final(struct algo_op *op, view signature, struct writer *out)
{
    return sign_or_verify(&op->call, writer_view(&op->message), signature, out);
}

const struct algo algo_eddsa = {
    .kinds = 1u << KIND_EDWARDS_PUBLIC | 1u << KIND_EDWARDS_PRIVATE,
    .once = refuse_once,
    .start = eddsa_start,
    .update = eddsa_update,
    .final = eddsa_final,
    .generate = refuse_generate,
};
