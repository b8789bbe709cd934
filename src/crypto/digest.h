/* SPDX-License-Identifier: Apache-2.0
 *
 * Hashing for whoever needs it: the digest mechanisms and the signatures that hash first.
 * Only files of crypto/ include this.
 */
#ifndef CRYPTO_DIGEST_H
#define CRYPTO_DIGEST_H

#include "crypto/driver.h"

#define DIGEST_MAX 64u

/* out has as many bytes as the hash is long; what is behind them stays as it was. */
MUST_USE CK_RV digest_once(enum hash hash, view in, uint8_t out[DIGEST_MAX]);

/* The digest of op->call.row->hash, in op->md. */
MUST_USE CK_RV digest_start(struct algo_op *op);
MUST_USE CK_RV digest_update(struct algo_op *op, view in, struct writer *out);
MUST_USE CK_RV digest_end(struct algo_op *op, uint8_t out[DIGEST_MAX], size_t *ret_len);

#endif
