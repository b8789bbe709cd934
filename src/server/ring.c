/* SPDX-License-Identifier: Apache-2.0
 *
 * Places are handed out by one counter. As many are in use as were reserved and not taken, at
 * most all; so who puts finds his place empty, whatever the order in which others arrive.
 */
#include "server/ring.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct place {
    _Atomic uint64_t ready; /* number of the record in it, from 1 */
    uint32_t len;
    uint8_t bytes[RING_RECORD_MAX];
};

struct ring {
    size_t places;
    _Atomic size_t used;
    _Atomic uint64_t head; /* number of the next to put */
    uint64_t tail;         /* of the next to take; the one thread's */
    struct place *place;
};

struct ring *
ring_new(size_t places)
{
    struct ring *ring = calloc(1, sizeof *ring);

    if (ring != NULL) {
        ring->places = places;
        ring->place = calloc(places, sizeof *ring->place);
    }
    if (ring == NULL || ring->place == NULL) {
        free(ring);
        return NULL;
    }
    return ring;
}

void
ring_free(struct ring *ring)
{
    if (ring != NULL) {
        free(ring->place);
        free(ring);
    }
}

bool
ring_reserve(struct ring *ring)
{
    if (atomic_fetch_add(&ring->used, 1) < ring->places) {
        return true;
    }
    atomic_fetch_sub(&ring->used, 1);
    return false;
}

void
ring_release(struct ring *ring)
{
    atomic_fetch_sub(&ring->used, 1);
}

bool
ring_filling(struct ring *ring)
{
    return atomic_load_explicit(&ring->used, memory_order_relaxed) > ring->places / 2;
}

void
ring_put(struct ring *ring, view record)
{
    uint64_t number = atomic_fetch_add(&ring->head, 1);
    struct place *place = &ring->place[number & (ring->places - 1)];

    assert(record.len <= RING_RECORD_MAX);
    memcpy(place->bytes, record.data, record.len);
    place->len = (uint32_t)record.len;
    atomic_store_explicit(&place->ready, number + 1, memory_order_release);
}

bool
ring_peek(struct ring *ring, size_t i, view *ret_record)
{
    uint64_t number = ring->tail + i;
    struct place *place = &ring->place[number & (ring->places - 1)];

    if (i >= ring->places ||
        atomic_load_explicit(&place->ready, memory_order_acquire) != number + 1) {
        return false;
    }
    *ret_record = view_of(place->bytes, place->len);
    return true;
}

void
ring_take(struct ring *ring, size_t count)
{
    ring->tail += count;
    atomic_fetch_sub(&ring->used, count);
}
