/* SPDX-License-Identifier: Apache-2.0
 *
 * One writer, many readers. The sequence is raised before the counter: who has seen the counter
 * of after the change sees the sequence of after it too, and keeps no stamp.
 */
#include "wire/page.h"

#include <assert.h>

/* What older daemons did not have lies in their last page of memory. */
static_assert(PAGE_LEN_MIN / 4096 == (sizeof(struct page) - 1) / 4096, "calm_until");

/* Counters begin below 2^62 and rise by one, so their sum is neither 0 nor ever the same again. */
#define START_MASK ((UINT64_C(1) << 61) - 1)

bool
page_is_valid(const struct page *page, uint64_t now)
{
    return now < atomic_load_explicit(&page->valid_until, memory_order_acquire);
}

bool
page_is_calm(const struct page *page, uint64_t now)
{
    return now < atomic_load_explicit(&page->calm_until, memory_order_relaxed);
}

uint64_t
page_sequence(const struct page *page)
{
    return atomic_load_explicit(&page->sequence, memory_order_acquire);
}

uint64_t
page_stamp(const struct page *page, uint32_t handle)
{
    uint64_t all = atomic_load_explicit(&page->all, memory_order_acquire);

    return all + atomic_load_explicit(&page->objects[handle % PAGE_COUNTERS],
                                      memory_order_acquire);
}

void
page_init(struct page *page, uint64_t start)
{
    start = (start & START_MASK) + 1;
    atomic_store(&page->valid_until, 0);
    atomic_store(&page->calm_until, 0);
    atomic_store(&page->sequence, start);
    atomic_store(&page->all, start);
    for (size_t i = 0; i < PAGE_COUNTERS; i++) {
        atomic_store(&page->objects[i], start);
    }
}

void
page_change(struct page *page, uint32_t handle)
{
    atomic_fetch_add(&page->sequence, 1);
    atomic_fetch_add(&page->objects[handle % PAGE_COUNTERS], 1);
}

void
page_change_all(struct page *page)
{
    atomic_fetch_add(&page->sequence, 1);
    atomic_fetch_add(&page->all, 1);
}

void
page_extend(struct page *page, uint64_t until)
{
    atomic_store_explicit(&page->valid_until, until, memory_order_release);
}

void
page_calm(struct page *page, uint64_t until)
{
    atomic_store_explicit(&page->calm_until, until, memory_order_relaxed);
}
