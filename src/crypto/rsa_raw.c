/* SPDX-License-Identifier: Apache-2.0
 *
 * The RSA primitives (RFC 8017, 5), and CKM_RSA_X_509, which is nothing else (PKCS #11 v3.1,
 * 6.1.13): data is filled up with zeros in front to the length of the modulus.
 */
#include "crypto/rsa_raw.h"

#include "crypto/library.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>
#include <string.h>

/* What is compared is ciphertext, or what the caller handed in; its time tells no secret. */
static CK_RV
below_modulus(const struct algo_key *key, view block, bool *ret_below)
{
    uint8_t modulus[RSA_LEN_MAX];
    BIGNUM *n = NULL;

    if (EVP_PKEY_get_bn_param(key->pkey, OSSL_PKEY_PARAM_RSA_N, &n) != 1 ||
        BN_bn2binpad(n, modulus, (int)block.len) < 0) {
        BN_free(n);
        return library_failed("read an RSA key");
    }
    BN_free(n);
    *ret_below = memcmp(block.data, modulus, block.len) < 0;
    return CKR_OK;
}

static CK_RV
power(const struct algo_key *key, CK_FLAGS function, view block, uint8_t *out)
{
    const struct ready_setup setup = { .function = (uint32_t)function, .mode = RSA_NO_PADDING };
    struct ready *ready = NULL;
    size_t len = block.len;
    int done;
    CK_RV rv = pkey_ready(key, &setup, &ready);

    if (rv != CKR_OK) {
        return rv;
    }
    done = function == CKF_ENCRYPT
               ? EVP_PKEY_encrypt(ready->pkey, out, &len, block.data, block.len)
               : EVP_PKEY_decrypt(ready->pkey, out, &len, block.data, block.len);
    if (done != 1 || len != block.len) {
        ready_free(ready);
        return library_failed("compute with an RSA key");
    }
    ready_give(key, ready);
    return CKR_OK;
}

CK_RV
rsa_raw(const struct algo_key *key, CK_FLAGS function, view number, CK_RV too_big, uint8_t *out)
{
    uint8_t block[RSA_LEN_MAX];
    const size_t pad = key->len - number.len;
    bool below = false;
    CK_RV rv;

    memset(block, 0, pad);
    if (number.len > 0) {
        memcpy(block + pad, number.data, number.len);
    }
    rv = below_modulus(key, view_of(block, key->len), &below);
    if (rv == CKR_OK) {
        rv = below ? power(key, function, view_of(block, key->len), out) : too_big;
    }
    wipe(block, key->len);
    return rv;
}

/* ---- CKM_RSA_X_509 ---- */

/* Is the signature, raised to e, the data with zeros before it? */
static CK_RV
verify(const struct algo_call *call, view data, view signature)
{
    const size_t len = call->key->len, pad = len - data.len;
    uint8_t block[RSA_LEN_MAX];
    bool good = true;
    CK_RV rv = rsa_raw(call->key, CKF_ENCRYPT, signature, CKR_SIGNATURE_INVALID, block);

    if (rv != CKR_OK) {
        return rv;
    }
    for (size_t i = 0; i < pad; i++) {
        good = good && block[i] == 0;
    }
    return good && view_equal(view_of(block + pad, data.len), data) ? CKR_OK
                                                                    : CKR_SIGNATURE_INVALID;
}

static CK_RV
compute(const struct algo_call *call, view in, struct writer *out)
{
    const bool public = call->function == CKF_ENCRYPT || call->function == CKF_VERIFY_RECOVER;
    const bool signs = call->function == CKF_SIGN || call->function == CKF_SIGN_RECOVER;
    const CK_RV too_big = call->function == CKF_DECRYPT          ? CKR_ENCRYPTED_DATA_INVALID
                          : call->function == CKF_VERIFY_RECOVER ? CKR_SIGNATURE_INVALID
                                                                 : CKR_DATA_INVALID;
    const size_t len = call->key->len;
    uint8_t *space = write_space(out, len);
    CK_RV rv;

    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    rv = rsa_raw(call->key, public ? CKF_ENCRYPT : CKF_DECRYPT, in, too_big, space);
    return rv == CKR_OK && signs && pkey_rechecks(call)
               ? pkey_rechecked(verify(call, in, view_of(space, len)))
               : rv;
}

CK_RV
rsa_raw_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    const size_t len = call->key->len;

    if (call->function == CKF_DECRYPT && in.len != len) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    if (call->function == CKF_VERIFY_RECOVER && in.len != len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    if (in.len > len) {
        return CKR_DATA_LEN_RANGE;
    }
    if (call->function != CKF_VERIFY) {
        return compute(call, in, out);
    }
    return signature.len != len ? CKR_SIGNATURE_LEN_RANGE : verify(call, in, signature);
}
