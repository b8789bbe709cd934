/* SPDX-License-Identifier: Apache-2.0
 *
 * ECDSA. Signatures are r || s, each as long as the order (PKCS #11 v3.1, 6.3.1); the library
 * speaks DER, so they are put in and taken out of it here.
 */
#include "crypto/der.h"
#include "crypto/library.h"
#include "crypto/pkey.h"

#define ORDER_LEN_MAX 66u                        /* P-521 */
#define DER_MAX (2 * (ORDER_LEN_MAX + 1 + 2) + 4) /* two numbers, their heads, one around */

/* DigestInfo and padding have no place here; the digest itself is what is signed. */
static const struct ready_setup setup = { 0 };

static CK_RV
verify(const struct algo_call *call, view digest, view signature)
{
    uint8_t der[DER_MAX];
    struct writer w;

    if (signature.len != 2 * call->key->len) {
        return CKR_SIGNATURE_LEN_RANGE;
    }
    writer_init_fixed(&w, der, sizeof der);
    der_signature_write(&w, signature);
    return pkey_verify(call->key, setup, digest, writer_view(&w));
}

static CK_RV
sign(const struct algo_call *call, view digest, struct writer *out)
{
    uint8_t der[DER_MAX];
    size_t der_len = sizeof der;
    size_t len = call->key->len;
    uint8_t *signature = write_space(out, 2 * len);
    CK_RV rv;

    if (signature == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    if ((rv = pkey_sign(call->key, setup, digest, der, &der_len)) != CKR_OK) {
        return rv;
    }
    if (!der_signature_read(view_of(der, der_len), signature, len)) {
        return library_failed("encode a signature");
    }
    return pkey_rechecks(call)
               ? pkey_rechecked(verify(call, digest, view_of(signature, 2 * len)))
               : CKR_OK;
}

static CK_RV
sign_or_verify(const struct algo_call *call, view digest, view signature, struct writer *out)
{
    return call->function == CKF_SIGN ? sign(call, digest, out)
                                      : verify(call, digest, signature);
}

/* Whatever the length of the data: the library takes its leftmost bits, as many as the order. */
static CK_RV
ec_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    return sign_or_verify(call, in, signature, out);
}

static CK_RV
ec_final(struct algo_op *op, view signature, struct writer *out)
{
    uint8_t digest[DIGEST_MAX];
    size_t len = 0;
    CK_RV rv = digest_end(op, digest, &len);

    if (rv == CKR_OK) {
        rv = sign_or_verify(&op->call, view_of(digest, len), signature, out);
    }
    wipe(digest, sizeof digest);
    return rv;
}

const struct algo algo_ec = {
    .kinds = 1u << KIND_EC_PUBLIC | 1u << KIND_EC_PRIVATE,
    .once = ec_once,
    .start = digest_start,
    .update = digest_update,
    .final = ec_final,
    .generate = ec_generate,
};
