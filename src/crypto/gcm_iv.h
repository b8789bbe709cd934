/* SPDX-License-Identifier: Apache-2.0
 *
 * GCM takes IVs of any length, the library only up to 128 bytes. A longer one is folded: there
 * is one IV of 16 bytes that leads to the same counter block. Only files of crypto/ include
 * this.
 */
#ifndef CRYPTO_GCM_IV_H
#define CRYPTO_GCM_IV_H

#include "crypto/key.h"

#define GCM_IV_LIBRARY_MAX 128u
#define GCM_IV_FOLDED_LEN 16u

/* hash_key: H, the block of zeros encrypted. iv: not of twelve bytes, those go another way. */
void gcm_iv_fold(const uint8_t hash_key[16], view iv, uint8_t out[GCM_IV_FOLDED_LEN]);

/* The IV as the library takes it: itself, or folded into room. */
MUST_USE CK_RV gcm_iv_fit(const struct algo_key *key, view iv, uint8_t room[GCM_IV_FOLDED_LEN],
                          view *ret_iv);

#endif
