/* SPDX-License-Identifier: Apache-2.0
 *
 * A bounded queue of small records from many threads to one, without a lock: a place is
 * reserved first, so putting in cannot fail. Records come out in the order of their putting.
 */
#ifndef SERVER_RING_H
#define SERVER_RING_H

#include "base/bytes.h"

#define RING_RECORD_MAX 300u

struct ring;

/* places: a power of two. NULL: no memory. */
struct ring *ring_new(size_t places);
void ring_free(struct ring *ring);

/* Any thread. */
MUST_USE bool ring_reserve(struct ring *ring);
void ring_release(struct ring *ring);
/* Into a reserved place; at most RING_RECORD_MAX bytes, copied. */
void ring_put(struct ring *ring, view record);
/* Are more than half of the places in use? */
bool ring_filling(struct ring *ring);

/* The one thread. The i-th that was not taken yet, valid until it is; false: not there (yet). */
MUST_USE bool ring_peek(struct ring *ring, size_t i, view *ret_record);
/* The first count leave. */
void ring_take(struct ring *ring, size_t count);

#endif
