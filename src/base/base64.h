/* SPDX-License-Identifier: Apache-2.0
 *
 * Base64 (RFC 4648): plain with padding, as values stand in JSON and keys in configurations, and
 * base64url without, as JWS has it.
 */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/bytes.h"

enum base64 { BASE64_PLAIN, BASE64_URL };

void base64_write(struct writer *w, enum base64 kind, view bytes);
/* Appends what text stands for. False, and nothing is appended, when it is not the one text of its
 * bytes: other letters, wrong padding, bits left over. */
MUST_USE bool base64_read(view text, enum base64 kind, struct writer *w);

#endif
