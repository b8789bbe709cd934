/* SPDX-License-Identifier: Apache-2.0
 *
 * XChaCha20: ChaCha20 with a nonce of 192 bits, of which the first 128 make a key of their own
 * (draft-irtf-cfrg-xchacha-03).
 */
#ifndef CRYPTO_XCHACHA_H
#define CRYPTO_XCHACHA_H

#include "base/bytes.h"

#define XCHACHA_NONCE_LEN 24u
#define XCHACHA_KEY_NONCE_LEN 16u /* the part that goes into the key */

/* HChaCha20. key has 32 bytes, nonce XCHACHA_KEY_NONCE_LEN. False when the library fails. */
MUST_USE bool xchacha_key(view key, const uint8_t *nonce, uint8_t out[32]);

#endif
