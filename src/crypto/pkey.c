/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures are made over digests that are already there, on contexts that keep key, padding
 * and hash from one use to the next.
 */
#include "crypto/pkey.h"

#include "base/log.h"
#include "crypto/library.h"

#include <openssl/rsa.h>

static int
function_init(EVP_PKEY_CTX *ctx, uint32_t function)
{
    switch (function) {
    case CKF_SIGN:
        return EVP_PKEY_sign_init(ctx);
    case CKF_VERIFY:
        return EVP_PKEY_verify_init(ctx);
    case CKF_ENCRYPT:
        return EVP_PKEY_encrypt_init(ctx);
    default:
        return EVP_PKEY_decrypt_init(ctx);
    }
}

static bool
padding_set(EVP_PKEY_CTX *ctx, const struct ready_setup *setup)
{
    const EVP_MD *hash = setup->hash == HASH_NONE ? NULL : library_hash(setup->hash);
    const EVP_MD *mgf = setup->mgf == HASH_NONE ? NULL : library_hash(setup->mgf);

    if (setup->mode == 0) {
        return true;
    }
    if (EVP_PKEY_CTX_set_rsa_padding(ctx, (int)setup->mode) != 1) {
        return false;
    }
    switch (setup->mode) {
    case RSA_PKCS1_PSS_PADDING:
        return EVP_PKEY_CTX_set_signature_md(ctx, hash) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)setup->number) == 1;
    case RSA_PKCS1_OAEP_PADDING:
        return EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash) == 1 &&
               EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, mgf) == 1;
    default:
        return hash == NULL || EVP_PKEY_CTX_set_signature_md(ctx, hash) == 1;
    }
}

CK_RV
pkey_ready(const struct algo_key *key, const struct ready_setup *setup, struct ready **ret_ready)
{
    struct ready *ready = ready_take(key, setup);

    if (ready != NULL) {
        *ret_ready = ready;
        return CKR_OK;
    }
    ready = ready_new(setup);
    if (ready == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    ready->pkey = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    if (ready->pkey == NULL || function_init(ready->pkey, setup->function) != 1 ||
        !padding_set(ready->pkey, setup)) {
        ready_free(ready);
        return library_failed("prepare a key");
    }
    *ret_ready = ready;
    return CKR_OK;
}

CK_RV
pkey_sign(const struct algo_key *key, struct ready_setup setup, view digest, uint8_t *signature,
          size_t *ret_len)
{
    struct ready *ready = NULL;
    CK_RV rv;

    setup.function = CKF_SIGN;
    if ((rv = pkey_ready(key, &setup, &ready)) != CKR_OK) {
        return rv;
    }
    if (EVP_PKEY_sign(ready->pkey, signature, ret_len, pkey_data(digest), digest.len) != 1) {
        ready_free(ready);
        return library_failed("sign");
    }
    ready_give(key, ready);
    return CKR_OK;
}

CK_RV
pkey_verify(const struct algo_key *key, struct ready_setup setup, view digest, view signature)
{
    struct ready *ready = NULL;
    bool good;
    CK_RV rv;

    setup.function = CKF_VERIFY;
    if ((rv = pkey_ready(key, &setup, &ready)) != CKR_OK) {
        return rv;
    }
    /* Malformed ones give a negative number and an error; both say the same to the caller. */
    good = EVP_PKEY_verify(ready->pkey, pkey_data(signature), signature.len, pkey_data(digest),
                           digest.len) == 1;
    ready_give(key, ready);
    return good ? CKR_OK : CKR_SIGNATURE_INVALID;
}

bool
pkey_rechecks(const struct algo_call *call)
{
    return rules_switch_on(call->rules, SWITCH_verify_after_sign);
}

CK_RV
pkey_rechecked(CK_RV verified)
{
    if (verified == CKR_OK) {
        return CKR_OK;
    }
    log_err("a signature just made does not verify; it was not released, check this host");
    return CKR_FUNCTION_FAILED;
}
