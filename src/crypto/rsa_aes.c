/* SPDX-License-Identifier: Apache-2.0
 *
 * CKM_RSA_AES_KEY_WRAP (PKCS #11 v3.1, 6.1.21): what is wrapped, by AES key wrap with padding
 * (RFC 5649) under a key drawn for it, which stands before it, encrypted by RSA with OAEP.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <openssl/rand.h>
#include <string.h>

#define AES_LEN_MAX 32u

/* OAEP with the caller's RSA key; in one go, as its own mechanism. */
static CK_RV
oaep_run(const struct algo_call *call, view in, struct writer *out)
{
    const struct mechanism oaep = {
        .type = CKM_RSA_PKCS_OAEP,
        .shape = PARAMS_oaep,
        .params.oaep = call->mechanism->params.rsa_aes.oaep,
    };

    return algo_once(call->rules, mechanism_row(oaep.type), call->function, &oaep, call->key, in,
                     VIEW_EMPTY, out);
}

CK_RV
kwp_run(const struct algo_call *call, view aes, view in, struct writer *out)
{
    const struct mechanism kwp = { .type = CKM_AES_KEY_WRAP_KWP, .shape = PARAMS_wrap_iv };
    struct algo_key *key = NULL;
    struct writer secrets;
    CK_RV rv;

    writer_init(&secrets, 64);
    attribute_write(&secrets, CKA_VALUE, aes);
    rv = writer_ok(&secrets)
             ? algo_key_new(KIND_AES, VIEW_EMPTY, writer_view(&secrets), &key)
             : CKR_DEVICE_MEMORY;
    writer_clear(&secrets);
    if (rv == CKR_OK) {
        rv = algo_once(call->rules, mechanism_row(kwp.type), call->function, &kwp, key, in,
                       VIEW_EMPTY, out);
    }
    algo_key_free(key);
    return rv;
}

static CK_RV
both_wrap(const struct algo_call *call, view in, struct writer *out)
{
    const size_t aes_len = call->mechanism->params.rsa_aes.aes_bits / 8;
    uint8_t aes[AES_LEN_MAX];
    CK_RV rv;

    if (RAND_priv_bytes(aes, (int)aes_len) != 1) {
        return library_failed("draw an AES key");
    }
    rv = oaep_run(call, view_of(aes, aes_len), out);
    if (rv == CKR_OK) {
        rv = kwp_run(call, view_of(aes, aes_len), in, out);
    }
    wipe(aes, sizeof aes);
    return rv;
}

/* Where the first half is wrong the second is looked at all the same, under a key that nobody
 * gets anything from: both halves have one code, and take as long. */
static CK_RV
both_unwrap(const struct algo_call *call, view in, struct writer *out)
{
    const size_t aes_len = call->mechanism->params.rsa_aes.aes_bits / 8;
    const size_t rsa_len = call->key->len, start = out->len;
    uint8_t aes[AES_LEN_MAX] = { 0 };
    struct writer found;
    CK_RV rv, rsa_rv;

    if (in.len <= rsa_len) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    writer_init(&found, rsa_len);
    rsa_rv = oaep_run(call, view_slice(in, 0, rsa_len), &found);
    if (rsa_rv == CKR_OK && found.len == aes_len) {
        memcpy(aes, found.data, aes_len);
    } else if (rsa_rv == CKR_OK) {
        rsa_rv = CKR_ENCRYPTED_DATA_INVALID;
    }
    rv = kwp_run(call, view_of(aes, aes_len), view_slice(in, rsa_len, in.len), out);
    if (rsa_rv != CKR_OK && rv != CKR_ENCRYPTED_DATA_LEN_RANGE) {
        writer_truncate(out, start);
        rv = rsa_rv;
    }
    writer_clear(&found);
    wipe(aes, sizeof aes);
    return rv;
}

static CK_RV
rsa_aes_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    const uint32_t aes_bits = call->mechanism->params.rsa_aes.aes_bits;

    UNUSED(signature);
    if (aes_bits != 128 && aes_bits != 192 && aes_bits != 256) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    return call->function == CKF_ENCRYPT ? both_wrap(call, in, out) : both_unwrap(call, in, out);
}

const struct algo algo_rsa_aes = {
    .kinds = 1u << KIND_RSA_PUBLIC | 1u << KIND_RSA_PRIVATE,
    .once = rsa_aes_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
