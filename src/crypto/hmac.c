/* SPDX-License-Identifier: Apache-2.0
 *
 * HMAC (RFC 2104), whole or cut to the length that the parameter names. A context prepared
 * with the key holds the hashed pads; each use starts from them, so the key is hashed once in
 * its life here.
 */
#include "crypto/digest.h"
#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static bool
hmac_prepare(struct ready *ready, const struct algo_key *key, enum hash hash)
{
    /* The library takes no const here, but only reads it. */
    char *name = (char *)(uintptr_t)hash_row(hash)->library_name;
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
        OSSL_PARAM_construct_end(),
    };
    view value = secret_view(key->value);

    ready->mac = EVP_MAC_CTX_new(library_hmac());
    return ready->mac != NULL && EVP_MAC_init(ready->mac, value.data, value.len, params) == 1;
}

static CK_RV
hmac_start(struct algo_op *op)
{
    const struct mechanism_row *row = op->call.row;
    const struct ready_setup setup = { .hash = row->hash };

    op->tag_len = row->out == OUT_mac ? params_tag_len(op->call.mechanism)
                                      : mechanism_mac_len(row);
    if (op->tag_len == 0 || op->tag_len > mechanism_mac_len(row)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    op->ready = ready_take(op->call.key, &setup);
    if (op->ready != NULL) {
        return EVP_MAC_init(op->ready->mac, NULL, 0, NULL) == 1
                   ? CKR_OK
                   : library_failed("start an HMAC again");
    }
    op->ready = ready_new(&setup);
    if (op->ready == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    return hmac_prepare(op->ready, op->call.key, row->hash) ? CKR_OK
                                                            : library_failed("start an HMAC");
}

static CK_RV
hmac_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(out);
    return in.len == 0 || EVP_MAC_update(op->ready->mac, in.data, in.len) == 1
               ? CKR_OK
               : library_failed("continue an HMAC");
}

static CK_RV
hmac_final(struct algo_op *op, view signature, struct writer *out)
{
    bool verify = op->call.function == CKF_VERIFY;
    uint8_t mac[DIGEST_MAX];
    size_t len = 0;
    CK_RV rv = CKR_OK;

    if (verify && signature.len != op->tag_len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    if (EVP_MAC_final(op->ready->mac, mac, &len, sizeof mac) != 1 || len < op->tag_len) {
        return library_failed("end an HMAC");
    }
    if (!verify) {
        write_raw(out, view_of(mac, op->tag_len));
    } else if (!view_equal_secret(view_of(mac, op->tag_len), signature)) {
        rv = CKR_SIGNATURE_INVALID;
    }
    wipe(mac, sizeof mac);
    ready_give(op->call.key, op->ready);
    op->ready = NULL;
    return rv;
}

const struct algo algo_hmac = {
    .kinds = 1u << KIND_GENERIC,
    .once = refuse_once,
    .start = hmac_start,
    .update = hmac_update,
    .final = hmac_final,
    .generate = refuse_generate,
};
