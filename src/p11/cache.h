/* SPDX-License-Identifier: Apache-2.0
 *
 * What this process knows about objects, by handle: filled by the replies that name objects,
 * so that the first C_SignInit with a key asks nobody. Any thread may call.
 */
#ifndef P11_CACHE_H
#define P11_CACHE_H

#include "rules/key.h"

struct cache;

MUST_USE struct cache *cache_new(void);
void cache_free(struct cache *cache);

/* Adds or replaces. stamp: by which the change page shows whether it is still so; PAGE_NO_STAMP
 * where that is not known. session: the one that a session object belongs to; 0 leaves that as
 * it is. False: memory is short. */
MUST_USE bool cache_put(struct cache *cache, const struct key_info *info, uint64_t stamp,
                        uint32_t session);
MUST_USE bool cache_get(struct cache *cache, uint32_t handle, struct key_info *ret_info,
                        uint64_t *ret_stamp);
/* It is still one that this process was told of, but not as it was. */
void cache_doubt(struct cache *cache, uint32_t handle);
void cache_drop(struct cache *cache, uint32_t handle);
/* After a logout handles of private objects are invalid for ever (PKCS #11 v3.1, 5.6.9). */
void cache_drop_private(struct cache *cache);
void cache_drop_session(struct cache *cache, uint32_t session);

#endif
