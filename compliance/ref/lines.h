/* SPDX-License-Identifier: Apache-2.0
 *
 * What mechanisms that wrap make of bytes under an AES key, at home.
 */
#ifndef COMPLIANCE_LINES_H
#define COMPLIANCE_LINES_H

#include "ref/ref.h"

bool ref_line_seal(CK_MECHANISM_TYPE mech, const uint8_t *key, size_t key_len, const uint8_t *in,
                   size_t len, uint8_t *ret_out, size_t *ret_len);
bool ref_line_open(CK_MECHANISM_TYPE mech, const uint8_t *key, size_t key_len, const uint8_t *in,
                   size_t len, uint8_t *ret_out, size_t *ret_len);

/* RFC 3394 by somebody who decrypts single blocks. False when he does not, or nothing comes of it. */
typedef CK_RV (*ref_block_opener)(void *context, const uint8_t in[16], uint8_t ret_out[16]);

bool ref_unwrap_by(ref_block_opener opener, void *context, const uint8_t *in, size_t len,
                   uint8_t *ret_out, size_t *ret_len);

#endif /* COMPLIANCE_LINES_H */
