/* SPDX-License-Identifier: Apache-2.0
 *
 * From a row to its deriver, and what is the same for all: does the base key fit, nothing
 * appended on failure, no error of the library left behind.
 */
#include "crypto/derive.h"

#include "crypto/library.h"

#include <assert.h>

static const struct deriver *const derivers[DRIVER_COUNT] = {
    [DRIVER_ecdh] = &ecdh_deriver,
    [DRIVER_kbkdf] = &kbkdf_deriver,
    [DRIVER_tls] = &tls_deriver,
    [DRIVER_mix] = &mix_deriver,
    [DRIVER_hkdf] = &hkdf_deriver,
};

CK_RV
algo_derive(struct rules rules, const struct algo_derivation *d, struct writer *out)
{
    const struct deriver *deriver = derivers[d->row->driver];
    size_t start = out->len;
    CK_RV rv;

    if (deriver == NULL) {
        return CKR_MECHANISM_INVALID;
    }
    if ((deriver->kinds >> d->base->kind & 1) == 0) {
        return CKR_KEY_TYPE_INCONSISTENT;
    }
    rv = deriver->derive(rules, d, out);
    if (rv == CKR_OK && !writer_ok(out)) {
        rv = CKR_DEVICE_MEMORY;
    }
    if (rv != CKR_OK) {
        writer_truncate(out, start);
    }
    library_forget();
    return rv;
}

const struct algo algo_derived = {
    .kinds = 0,
    .once = refuse_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = refuse_generate,
};
