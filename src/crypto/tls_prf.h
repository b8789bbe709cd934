/* SPDX-License-Identifier: Apache-2.0
 *
 * The PRF of TLS 1.2 (RFC 5246, 5), and of 1.0 and 1.1 where CKM_TLS_PRF stands in place of a
 * hash. Keys are derived with it, and Finished messages.
 */
#ifndef CRYPTO_TLS_PRF_H
#define CRYPTO_TLS_PRF_H

#include "base/bytes.h"
#include "pkcs11_headers/include/cryptoki.h"

#define TLS_SEEDS 5u

/* len bytes are appended to out. The label is the first of the seeds; empty ones do not count.
 * MECHANISM_PARAM_INVALID: a hash that is none. */
MUST_USE CK_RV tls_prf(view secret, uint32_t hash, const view seeds[TLS_SEEDS], size_t len,
                       struct writer *out);

#endif
