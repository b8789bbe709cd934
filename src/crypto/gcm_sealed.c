/* SPDX-License-Identifier: Apache-2.0
 *
 * The vendor's GCM: the IV is made by the HSM, never by the caller, and stands before the
 * ciphertext, so that nobody has to keep it. On decryption it is read from there.
 */
#include "crypto/driver.h"
#include "wire/frame.h"

#define IV_LEN 12u

static CK_RV
sealed_once(const struct algo_call *call, view in, view signature, struct writer *out)
{
    struct mechanism gcm = *call->mechanism;
    size_t added = IV_LEN + params_tag_len(&gcm);

    if (call->function == CKF_ENCRYPT) {
        if (gcm.params.gcm.iv.len != IV_LEN) {
            return CKR_MECHANISM_PARAM_INVALID;
        }
        /* There are no parts: what could not come back to be decrypted is not made. */
        if (in.len > FRAME_DATA_MAX - added) {
            return CKR_DATA_LEN_RANGE;
        }
        write_raw(out, gcm.params.gcm.iv);
    } else {
        if (in.len < added) {
            return CKR_ENCRYPTED_DATA_LEN_RANGE;
        }
        gcm.params.gcm.iv = view_slice(in, 0, IV_LEN);
        in = view_slice(in, IV_LEN, in.len);
    }
    gcm.type = CKM_AES_GCM;
    return algo_once(call->rules, mechanism_row(CKM_AES_GCM), call->function, &gcm, call->key, in,
                     signature, out);
}

const struct algo algo_gcm_sealed = {
    .kinds = 1u << KIND_AES,
    .once = sealed_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
