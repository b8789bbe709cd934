/* SPDX-License-Identifier: Apache-2.0
 *
 * Digests. The same steps are the first half of every signature that hashes its data.
 */
#include "crypto/digest.h"

#include "crypto/library.h"

CK_RV
digest_once(enum hash hash, view in, uint8_t out[DIGEST_MAX])
{
    return EVP_Digest(in.data, in.len, out, NULL, library_hash(hash), NULL) == 1
               ? CKR_OK
               : library_failed("compute a digest");
}

CK_RV
digest_start(struct algo_op *op)
{
    op->md = EVP_MD_CTX_new();
    if (op->md == NULL ||
        EVP_DigestInit_ex2(op->md, library_hash(op->call.row->hash), NULL) != 1) {
        return library_failed("start a digest");
    }
    return CKR_OK;
}

CK_RV
digest_update(struct algo_op *op, view in, struct writer *out)
{
    UNUSED(out);
    return in.len == 0 || EVP_DigestUpdate(op->md, in.data, in.len) == 1
               ? CKR_OK
               : library_failed("continue a digest");
}

CK_RV
digest_end(struct algo_op *op, uint8_t out[DIGEST_MAX], size_t *ret_len)
{
    unsigned len = 0;

    if (EVP_DigestFinal_ex(op->md, out, &len) != 1) {
        return library_failed("end a digest");
    }
    *ret_len = len;
    return CKR_OK;
}

static CK_RV
digest_final(struct algo_op *op, view signature, struct writer *out)
{
    uint8_t digest[DIGEST_MAX];
    size_t len = 0;
    CK_RV rv = digest_end(op, digest, &len);

    UNUSED(signature);
    if (rv == CKR_OK) {
        write_raw(out, view_of(digest, len));
    }
    wipe(digest, sizeof digest);
    return rv;
}

const struct algo algo_digest = {
    .kinds = 0,
    .once = refuse_once,
    .start = digest_start,
    .update = digest_update,
    .final = digest_final,
    .generate = refuse_generate,
};
