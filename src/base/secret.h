/* SPDX-License-Identifier: Apache-2.0
 *
 * Secrets: key material, PINs, unwrapped blobs. A secret lives in memory that is locked
 * where the limit allows, left out of core dumps, and wiped on release.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

/* Overwrites memory with zeros in a way the compiler may not remove. wipe(NULL, 0) is fine. */
void wipe(void *memory, size_t len);

struct secret;

/* len bytes of zeros; NULL when memory is short. */
MUST_USE struct secret *secret_new(size_t len);
/* A copy of the bytes. */
MUST_USE struct secret *secret_dup(view bytes);
void secret_free(struct secret *secret);

/* Borrowed, valid until secret_free(); secret_view(NULL) is empty. */
view secret_view(const struct secret *secret);
uint8_t *secret_data(struct secret *secret);
/* Makes the secret shorter; the rest is wiped. len is at most the present length. */
void secret_shorten(struct secret *secret, size_t len);

#endif
