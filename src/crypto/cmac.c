/* SPDX-License-Identifier: Apache-2.0
 *
 * CMAC (NIST SP 800-38B, RFC 4493) with AES or Triple-DES, whole or cut to the length that the
 * parameter names, and Poly1305 (RFC 8439). A context is made for each use: that the library
 * starts one again without its key is true of some of its releases only.
 */
#include "crypto/driver.h"
#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

static bool
cmac_prepare(struct ready *ready, const struct algo_key *key, enum cipher_mode mode)
{
    view value = secret_view(key->value);
    /* The library takes no const here, but only reads it. */
    char *name =
        (char *)(uintptr_t)EVP_CIPHER_get0_name(library_cipher(mode, value.len));
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, name, 0),
        OSSL_PARAM_construct_end(),
    };

    ready->mac = EVP_MAC_CTX_new(library_cmac());
    return ready->mac != NULL && EVP_MAC_init(ready->mac, value.data, value.len, params) == 1;
}

static bool
poly1305_prepare(struct ready *ready, const struct algo_key *key)
{
    view value = secret_view(key->value);

    ready->mac = EVP_MAC_CTX_new(library_poly1305());
    return ready->mac != NULL && EVP_MAC_init(ready->mac, value.data, value.len, NULL) == 1;
}

static CK_RV
mac_start(struct algo_op *op)
{
    const struct ready_setup setup = { .function = (uint32_t)op->call.function };
    const struct mechanism_row *row = op->call.row;
    bool done;

    op->tag_len = params_tag_len(op->call.mechanism);
    if (op->tag_len == 0 || op->tag_len > mechanism_mac_len(row)) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    op->ready = ready_new(&setup);
    if (op->ready == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    done = row->driver == DRIVER_poly1305
               ? poly1305_prepare(op->ready, op->call.key)
               : cmac_prepare(op->ready, op->call.key, cipher_row(row)->mode);
    return done ? CKR_OK : library_failed("start a MAC");
}

static CK_RV
mac_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(out);
    return in.len == 0 || EVP_MAC_update(op->ready->mac, in.data, in.len) == 1
               ? CKR_OK
               : library_failed("continue a MAC");
}

static CK_RV
mac_final(struct algo_op *op, view signature, struct writer *out)
{
    bool verify = op->call.function == CKF_VERIFY;
    uint8_t mac[BLOCK_LEN];
    size_t len = 0;
    CK_RV rv = CKR_OK;

    if (verify && signature.len != op->tag_len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    if (EVP_MAC_final(op->ready->mac, mac, &len, sizeof mac) != 1 || len < op->tag_len) {
        return library_failed("end a MAC");
    }
    if (!verify) {
        write_raw(out, view_of(mac, op->tag_len));
    } else if (!view_equal_secret(view_of(mac, op->tag_len), signature)) {
        rv = CKR_SIGNATURE_INVALID;
    }
    wipe(mac, sizeof mac);
    return rv;
}

const struct algo algo_cmac = {
    .kinds = 1u << KIND_AES | 1u << KIND_DES,
    .once = refuse_once,
    .start = mac_start,
    .update = mac_update,
    .final = mac_final,
    .generate = refuse_generate,
};

const struct algo algo_poly1305 = {
    .kinds = 1u << KIND_CHACHA20,
    .once = refuse_once,
    .start = mac_start,
    .update = mac_update,
    .final = mac_final,
    .generate = refuse_generate,
};
