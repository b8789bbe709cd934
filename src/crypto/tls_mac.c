/* SPDX-License-Identifier: Apache-2.0
 *
 * The MAC of TLS Finished messages (RFC 5246, 7.4.9): the PRF of the master secret over a label
 * and what is signed, which is the hash of the handshake.
 */
#include "crypto/driver.h"
#include "crypto/tls_prf.h"

#define DATA_MAX 512u /* far more than any hash; the library's seeds end at 1,024 */

static CK_RV
tls_mac_start(struct algo_op *op)
{
    const struct params_tls_mac *params = &op->call.mechanism->params.tls_mac;

    if (op->call.mechanism->shape != PARAMS_tls_mac || params->len == 0 ||
        params->len > TLS_MAC_MAX) {
        return CKR_MECHANISM_PARAM_INVALID;
    }
    op->tag_len = params->len;
    op->setup.hash = params->hash;
    op->setup.number = params->side;
    writer_init(&op->message, DATA_MAX);
    return CKR_OK;
}

static CK_RV
tls_mac_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(out);
    if (in.len > DATA_MAX - op->message.len) {
        return CKR_DATA_LEN_RANGE;
    }
    write_raw(&op->message, in);
    return writer_ok(&op->message) ? CKR_OK : CKR_DEVICE_MEMORY;
}

static CK_RV
tls_mac_final(struct algo_op *op, view signature, struct writer *out)
{
    const view seeds[TLS_SEEDS] = {
        op->setup.number == TLS_MAC_SERVER ? VIEW_TEXT("server finished")
                                           : VIEW_TEXT("client finished"),
        writer_view(&op->message),
    };
    bool verify = op->call.function == CKF_VERIFY;
    struct writer mac;
    CK_RV rv;

    if (verify && signature.len != op->tag_len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    writer_init(&mac, TLS_MAC_MAX);
    rv = tls_prf(secret_view(op->call.key->value), op->setup.hash, seeds, op->tag_len, &mac);
    if (rv == CKR_OK && !verify) {
        write_raw(out, writer_view(&mac));
    } else if (rv == CKR_OK && !view_equal_secret(writer_view(&mac), signature)) {
        rv = CKR_SIGNATURE_INVALID;
    }
    writer_clear(&mac);
    return rv;
}

const struct algo algo_tls_mac = {
    .kinds = 1u << KIND_GENERIC,
    .once = refuse_once,
    .start = tls_mac_start,
    .update = tls_mac_update,
    .final = tls_mac_final,
    .generate = refuse_generate,
};
