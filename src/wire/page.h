/* SPDX-License-Identifier: Apache-2.0
 *
 * The change page: memory that the daemon shares with the libraries of its host, for reading. It
 * tells whether what a library remembers about an object is still so, without a trip.
 *
 * The daemon raises counters as soon as it hears of a change: that it carried itself before its
 * reply is passed on, those of other hosts by asking a node every 250 ms. It moves valid_until on
 * as long as the node answers; after it, nothing that is remembered counts.
 *
 * A library reads page_sequence() before a request, and keeps page_stamp() with what the reply
 * told about an object if the sequence is still the same. What it keeps is good as long as the
 * page is valid and its stamp is the same.
 */
#ifndef WIRE_PAGE_H
#define WIRE_PAGE_H

#include "base/base.h"

#include <stdatomic.h>
#include <stddef.h>

#define PAGE_COUNTERS 1024u /* by handle, modulo their number */
#define PAGE_NO_STAMP 0u    /* is never the stamp of anything */

struct page {
    _Atomic uint64_t valid_until; /* CLOCK_MONOTONIC, in milliseconds */
    _Atomic uint64_t sequence;    /* changes so far, from a number that was drawn */
    _Atomic uint64_t all;         /* those that are about every object */
    _Atomic uint64_t objects[PAGE_COUNTERS];
    /* So long this host has a processor to spare: who waits for a reply may look for it instead of
     * sleeping. CLOCK_MONOTONIC, in milliseconds. Not in the pages of older daemons, which end
     * before it; behind their end is 0. */
    _Atomic uint64_t calm_until;
};
#define PAGE_LEN_MIN offsetof(struct page, calm_until)

/* now: CLOCK_MONOTONIC in milliseconds. */
bool page_is_valid(const struct page *page, uint64_t now);
bool page_is_calm(const struct page *page, uint64_t now);
uint64_t page_sequence(const struct page *page);
uint64_t page_stamp(const struct page *page, uint32_t handle);

/* The daemon's side. start: drawn, so that no stamp is like one of another daemon. */
void page_init(struct page *page, uint64_t start);
void page_change(struct page *page, uint32_t handle);
void page_change_all(struct page *page);
void page_extend(struct page *page, uint64_t until);
void page_calm(struct page *page, uint64_t until);

#endif
