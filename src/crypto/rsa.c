/* SPDX-License-Identifier: Apache-2.0
 *
 * RSA (RFC 8017): PKCS #1 v1.5 and PSS signatures over digests or over what the caller hands
 * in, PKCS #1 v1.5 and OAEP encryption.
 */
#include "crypto/library.h"
#include "crypto/rsa_raw.h"
#include "crypto/rsa_reject.h"

#include <openssl/crypto.h>
#include <openssl/rsa.h>
#include <string.h>

#define PKCS1_OVERHEAD 11u

/* ---- signatures ---- */

static struct ready_setup
setup_of(const struct algo_call *call)
{
    const struct mechanism *mechanism = call->mechanism;
    struct ready_setup setup = { .mode = RSA_PKCS1_PADDING, .hash = call->row->hash };

    if (mechanism->shape == PARAMS_pss) {
        setup.mode = RSA_PKCS1_PSS_PADDING;
        setup.hash = hash_by_mechanism(mechanism->params.pss.hash);
        setup.mgf = hash_by_mgf(mechanism->params.pss.mgf);
        setup.number = mechanism->params.pss.salt_len;
    } else if (mechanism->shape == PARAMS_oaep) {
        setup.mode = RSA_PKCS1_OAEP_PADDING;
        setup.hash = hash_by_mechanism(mechanism->params.oaep.hash);
        setup.mgf = hash_by_mgf(mechanism->params.oaep.mgf);
    }
    return setup;
}

/* Core has asked params_check(); what would crash here is refused once more. */
static bool
setup_fits(const struct ready_setup *setup)
{
    return setup->mode == RSA_PKCS1_PADDING ||
           (setup->hash != HASH_NONE && setup->mgf != HASH_NONE && setup->number <= RSA_LEN_MAX);
}

/*
 * RFC 8017, 9.2: 00 01 ff .. ff 00 and what was signed. Compared as a whole: the library's own
 * way takes the padding off first, and then takes no message for an error.
 */
static bool
pkcs1_matches(view block, view data)
{
    size_t pad_end = block.len - data.len - 1;
    bool good = block.data[0] == 0 && block.data[1] == 1 && block.data[pad_end] == 0;

    for (size_t i = 2; i < pad_end; i++) {
        good = good && block.data[i] == 0xff;
    }
    return good && view_equal(view_slice(block, pad_end + 1, data.len), data);
}

/* data is shorter than the modulus by PKCS1_OVERHEAD or more, the signature as long as it. */
static CK_RV
verify_raw(const struct algo_call *call, view data, view signature)
{
    uint8_t block[RSA_LEN_MAX];
    CK_RV rv = rsa_raw(call->key, CKF_ENCRYPT, signature, CKR_SIGNATURE_INVALID, block);

    if (rv != CKR_OK) {
        return rv;
    }
    return pkcs1_matches(view_of(block, call->key->len), data) ? CKR_OK : CKR_SIGNATURE_INVALID;
}

static CK_RV
verify(const struct algo_call *call, const struct ready_setup *setup, view digest, view signature)
{
    return setup->hash == HASH_NONE ? verify_raw(call, digest, signature)
                                    : pkey_verify(call->key, *setup, digest, signature);
}

static CK_RV
sign(const struct algo_call *call, const struct ready_setup *setup, view digest,
     struct writer *out)
{
    size_t len = call->key->len;
    uint8_t *signature = write_space(out, len);
    CK_RV rv;

    if (signature == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    rv = pkey_sign(call->key, *setup, digest, signature, &len);
    return rv == CKR_OK && pkey_rechecks(call)
               ? pkey_rechecked(verify(call, setup, digest, view_of(signature, len)))
               : rv;
}

/* What stands behind 00 01, eight or more ff, and 00. */
static CK_RV
recover(const struct algo_call *call, view signature, struct writer *out)
{
    uint8_t block[RSA_LEN_MAX];
    const size_t len = call->key->len;
    size_t at = 2;
    CK_RV rv = rsa_raw(call->key, CKF_ENCRYPT, signature, CKR_SIGNATURE_INVALID, block);

    if (rv != CKR_OK) {
        return rv;
    }
    while (at < len && block[at] == 0xff) {
        at++;
    }
    if (block[0] != 0 || block[1] != 1 || at == len || block[at] != 0 ||
        at + 1 < PKCS1_OVERHEAD) {
        return CKR_SIGNATURE_INVALID;
    }
    write_raw(out, view_slice(view_of(block, len), at + 1, len));
    return CKR_OK;
}

static CK_RV
sign_or_verify(const struct algo_call *call, const struct ready_setup *setup, view digest,
               view signature, struct writer *out)
{
    switch (call->function) {
    case CKF_SIGN:
    case CKF_SIGN_RECOVER:
        return sign(call, setup, digest, out);
    case CKF_VERIFY_RECOVER:
        return recover(call, digest, out);
    default:
        return verify(call, setup, digest, signature);
    }
}

/* The lengths that are wrong whatever the bytes are. */
static CK_RV
signature_lengths(const struct algo_call *call, const struct ready_setup *setup, size_t in_len,
                  size_t signature_len)
{
    size_t key_len = call->key->len;

    if (call->function == CKF_VERIFY_RECOVER) {
        return in_len != key_len ? CKR_SIGNATURE_LEN_RANGE : CKR_OK;
    }
    if (setup->mode == RSA_PKCS1_PSS_PADDING) {
        if (in_len != hash_row(setup->hash)->length) {
            return CKR_DATA_LEN_RANGE;
        }
    } else if (key_len < PKCS1_OVERHEAD || in_len > key_len - PKCS1_OVERHEAD) {
        return CKR_DATA_LEN_RANGE;
    }
    return call->function == CKF_VERIFY && signature_len != key_len ? CKR_SIGNATURE_LEN_RANGE
                                                                    : CKR_OK;
}

static CK_RV
rsa_start(struct algo_op *op)
{
    op->setup = setup_of(&op->call);
    return setup_fits(&op->setup) ? digest_start(op) : CKR_MECHANISM_PARAM_INVALID;
}

static CK_RV
rsa_final(struct algo_op *op, view signature, struct writer *out)
{
    uint8_t digest[DIGEST_MAX];
    size_t len = 0;
    CK_RV rv;

    if (op->call.function == CKF_VERIFY && signature.len != op->call.key->len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    rv = digest_end(op, digest, &len);
    if (rv == CKR_OK) {
        rv = sign_or_verify(&op->call, &op->setup, view_of(digest, len), signature, out);
    }
    wipe(digest, sizeof digest);
    return rv;
}

/* ---- encryption ---- */

/* A label is the context's from then on, so one with a label is not kept for others. */
static CK_RV
label_set(EVP_PKEY_CTX *ctx, view label)
{
    void *copy = OPENSSL_memdup(label.data, label.len);

    if (copy == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    if (EVP_PKEY_CTX_set0_rsa_oaep_label(ctx, copy, (int)label.len) != 1) {
        OPENSSL_free(copy);
        return library_failed("set a label");
    }
    return CKR_OK;
}

static view
label_of(const struct mechanism *mechanism)
{
    return mechanism->shape == PARAMS_oaep ? mechanism->params.oaep.label : VIEW_EMPTY;
}

static CK_RV
crypt_ready(const struct algo_call *call, struct ready_setup setup, struct ready **ret_ready)
{
    struct ready *ready = NULL;
    CK_RV rv;

    setup.function = (uint32_t)call->function;
    rv = pkey_ready(call->key, &setup, &ready);
    if (rv == CKR_OK && label_of(call->mechanism).len > 0) {
        rv = label_set(ready->pkey, label_of(call->mechanism));
    }
    if (rv != CKR_OK) {
        ready_free(ready);
        return rv;
    }
    *ret_ready = ready;
    return CKR_OK;
}

static void
crypt_done(const struct algo_call *call, struct ready *ready)
{
    if (label_of(call->mechanism).len > 0) {
        ready_free(ready);
    } else {
        ready_give(call->key, ready);
    }
}

static CK_RV
encrypt(const struct algo_call *call, const struct ready_setup *setup, view in,
        struct writer *out)
{
    size_t overhead = setup->mode == RSA_PKCS1_OAEP_PADDING ? 2 + 2 * hash_row(setup->hash)->length
                                                            : PKCS1_OVERHEAD;
    size_t len = call->key->len;
    struct ready *ready = NULL;
    uint8_t *space;
    CK_RV rv;

    if (len < overhead || in.len > len - overhead) {
        return CKR_DATA_LEN_RANGE;
    }
    space = write_space(out, len);
    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    if ((rv = crypt_ready(call, *setup, &ready)) != CKR_OK) {
        return rv;
    }
    if (EVP_PKEY_encrypt(ready->pkey, space, &len, pkey_data(in), in.len) != 1) {
        ready_free(ready);
        return library_failed("encrypt with RSA");
    }
    crypt_done(call, ready);
    return CKR_OK;
}

static CK_RV
oaep_decrypt(const struct algo_call *call, const struct ready_setup *setup, view in,
             struct writer *out)
{
    uint8_t block[RSA_LEN_MAX];
    size_t len = sizeof block;
    struct ready *ready = NULL;
    CK_RV rv;

    if ((rv = crypt_ready(call, *setup, &ready)) != CKR_OK) {
        return rv;
    }
    if (EVP_PKEY_decrypt(ready->pkey, block, &len, in.data, in.len) == 1) {
        write_raw(out, view_of(block, len));
    } else {
        rv = CKR_ENCRYPTED_DATA_INVALID;
    }
    crypt_done(call, ready);
    wipe(block, sizeof block);
    return rv;
}

static CK_RV
decrypt(const struct algo_call *call, const struct ready_setup *setup, view in,
        struct writer *out)
{
    if (in.len != call->key->len) {
        return CKR_ENCRYPTED_DATA_LEN_RANGE;
    }
    return setup->mode == RSA_PKCS1_PADDING ? rsa_reject_decrypt(call->key, in, out)
                                            : oaep_decrypt(call, setup, in, out);
}

static CK_RV
rsa_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    struct ready_setup setup = setup_of(call);
    CK_RV rv;

    if (call->row->out == OUT_raw) {
        return rsa_raw_once(call, in, signature, out);
    }
    if (!setup_fits(&setup)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    switch (call->function) {
    case CKF_ENCRYPT:
        return encrypt(call, &setup, in, out);
    case CKF_DECRYPT:
        return decrypt(call, &setup, in, out);
    default:
        rv = signature_lengths(call, &setup, in.len, signature.len);
        return rv == CKR_OK ? sign_or_verify(call, &setup, in, signature, out) : rv;
    }
}

const struct algo algo_rsa = {
    .kinds = 1u << KIND_RSA_PUBLIC | 1u << KIND_RSA_PRIVATE,
    .once = rsa_once,
    .start = rsa_start,
    .update = digest_update,
    .final = rsa_final,
    .generate = rsa_generate,
};
