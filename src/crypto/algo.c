/* SPDX-License-Identifier: Apache-2.0
 *
 * From a row to its driver. Everything that is the same for all drivers happens here: does the
 * key fit, nothing appended on failure, no error of the library left behind.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <assert.h>
#include <stdlib.h>

static const struct algo *const drivers[DRIVER_COUNT] = {
    [DRIVER_digest] = &algo_digest,
    [DRIVER_hmac] = &algo_hmac,
    [DRIVER_cipher] = &algo_cipher,
    [DRIVER_cbcmac] = &algo_cbcmac,
    [DRIVER_ccm] = &algo_ccm,
    [DRIVER_cfb64] = &algo_cfb64,
    [DRIVER_stealing] = &algo_stealing,
    [DRIVER_cmac] = &algo_cmac,
    [DRIVER_poly1305] = &algo_poly1305,
    [DRIVER_tls_mac] = &algo_tls_mac,
    [DRIVER_gcm_sealed] = &algo_gcm_sealed,
    [DRIVER_gmac] = &algo_gmac,
    [DRIVER_kw] = &algo_kw,
    [DRIVER_tkw] = &algo_tkw,
    [DRIVER_rsa] = &algo_rsa,
    [DRIVER_rsa_aes] = &algo_rsa_aes,
    [DRIVER_ecdh_aes] = &algo_ecdh_aes,
    [DRIVER_ec] = &algo_ec,
    [DRIVER_eddsa] = &algo_eddsa,
    [DRIVER_secret] = &algo_secret,
    [DRIVER_ecdh] = &algo_derived,
    [DRIVER_kbkdf] = &algo_derived,
    [DRIVER_tls] = &algo_derived,
    [DRIVER_mix] = &algo_derived,
    [DRIVER_hkdf] = &algo_derived,
};

CK_RV
refuse_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    UNUSED(call);
    UNUSED(in);
    UNUSED(signature);
    UNUSED(out);
    return CKR_MECHANISM_INVALID;
}

CK_RV
refuse_start(struct algo_op *op)
{
    UNUSED(op);
    return CKR_MECHANISM_INVALID;
}

CK_RV
refuse_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(op);
    UNUSED(in);
    UNUSED(out);
    return CKR_MECHANISM_INVALID;
}

CK_RV
refuse_final(struct algo_op *op, view signature, struct writer *out)
{
    UNUSED(op);
    UNUSED(signature);
    UNUSED(out);
    return CKR_MECHANISM_INVALID;
}

CK_RV
refuse_generate(const struct mechanism_limit *limit, const struct mechanism_row *row,
                view template, struct algo_source source, struct writer *public_part,
                struct writer *private_part, struct writer *secrets)
{
    UNUSED(limit);
    UNUSED(row);
    UNUSED(template);
    UNUSED(source);
    UNUSED(public_part);
    UNUSED(private_part);
    UNUSED(secrets);
    return CKR_MECHANISM_INVALID;
}

/* Core has asked key_check(); this holds the drivers' own promise, a wrong key never crashes. */
static bool
key_fits(const struct algo *algo, const struct algo_call *call)
{
    const CK_FLAGS private_functions = CKF_SIGN | CKF_SIGN_RECOVER | CKF_DECRYPT;

    if (call->key == NULL || algo->kinds == 0) {
        return call->key == NULL && algo->kinds == 0;
    }
    if ((algo->kinds >> call->key->kind & 1) == 0) {
        return false;
    }
    return kind_class(call->key->kind) != CKO_PUBLIC_KEY ||
           (call->function & private_functions) == 0;
}

static void
op_clear(struct algo_op *op)
{
    EVP_MD_CTX_free(op->md);
    ready_free(op->ready);
    EVP_CIPHER_CTX_free(op->mac_cipher);
    writer_clear(&op->message);
    wipe(op, sizeof *op);
}

static CK_RV
run_parts(const struct algo *algo, const struct algo_call *call, view in, view signature,
          struct writer *out)
{
    struct algo_op op = { .algo = algo, .call = *call };
    CK_RV rv;

    if ((rv = algo->start(&op)) == CKR_OK && (rv = algo->update(&op, in, out)) == CKR_OK) {
        rv = algo->final(&op, signature, out);
    }
    op_clear(&op);
    return rv;
}

/* What every call ends with. */
static CK_RV
leave(CK_RV rv, struct writer *out, size_t start)
{
    if (rv != CKR_OK) {
        writer_truncate(out, start);
    }
    library_forget();
    return rv;
}

CK_RV
algo_once(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
          const struct mechanism *mechanism, const struct algo_key *key, view in, view signature,
          struct writer *out)
{
    const struct algo *algo = drivers[row->driver];
    const struct algo_call call = { rules, row, function, mechanism, key };
    size_t start = out->len;

    if (!key_fits(algo, &call)) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    return leave(row->multi ? run_parts(algo, &call, in, signature, out)
                            : algo->once(&call, in, signature, out),
                 out, start);
}

CK_RV
algo_start(struct rules rules, const struct mechanism_row *row, CK_FLAGS function,
           const struct mechanism *mechanism, const struct algo_key *key,
           struct algo_op **ret_op)
{
    const struct algo *algo = drivers[row->driver];
    const struct algo_call call = { rules, row, function, mechanism, key };
    struct algo_op *op;
    CK_RV rv;

    if (!row->multi) {
        return CKR_MECHANISM_INVALID;
    }
    if (!key_fits(algo, &call)) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    op = calloc(1, sizeof *op);
    if (op == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    op->algo = algo;
    op->call = call;
    rv = algo->start(op);
    op->call.mechanism = NULL; /* the caller's, who may let go of it now */
    library_forget();
    if (rv != CKR_OK) {
        algo_op_free(op);
        return rv;
    }
    *ret_op = op;
    return CKR_OK;
}

CK_RV
algo_update(struct algo_op *op, view in, struct writer *out)
{
    size_t start = out->len;

    return leave(op->algo->update(op, in, out), out, start);
}

CK_RV
algo_final(struct algo_op *op, view signature, struct writer *out)
{
    size_t start = out->len;

    return leave(op->algo->final(op, signature, out), out, start);
}

void
algo_op_free(struct algo_op *op)
{
    if (op == NULL) {
        return;
    }
    op_clear(op);
    free(op);
}

CK_RV
algo_generate(struct rules rules, const struct mechanism_row *row, view template,
              struct algo_source source, struct writer *public_part, struct writer *private_part,
              struct writer *secrets)
{
    size_t public_start = public_part->len;
    size_t private_start = private_part->len;
    size_t secrets_start = secrets->len;
    CK_RV rv = drivers[row->driver]->generate(mechanism_limit(rules, row), row, template, source,
                                              public_part, private_part, secrets);

    if (rv == CKR_OK &&
        (!writer_ok(public_part) || !writer_ok(private_part) || !writer_ok(secrets))) {
        rv = CKR_DEVICE_MEMORY;
    }
    if (rv != CKR_OK) {
        writer_truncate(public_part, public_start);
        writer_truncate(private_part, private_start);
        writer_truncate(secrets, secrets_start);
    }
    library_forget();
    return rv;
}
