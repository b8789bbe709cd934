/* SPDX-License-Identifier: Apache-2.0
 *
 * Change pages (wire/page.h) that daemons have handed over, one by each since the client was
 * opened. Any thread may look at the current one at any time, without a lock, so none is unmapped
 * before the end; a client that has seen a thousand daemons takes no more.
 */
#ifndef API_PAGE_H
#define API_PAGE_H

#include "wire/page.h"

#include <sys/types.h>

#define PAGES_MAX 1024u

struct pages {
    const struct page *_Atomic current;
    const struct page *mapped[PAGES_MAX];
    size_t count;
    dev_t device; /* of the current one's memory */
    ino_t inode;
};

/* The current one is never valid until one is taken. */
void pages_init(struct pages *pages);
void pages_clear(struct pages *pages);
/* Maps what the daemon passed; the descriptor stays the caller's. One thread at a time. What is
 * no page, or could shrink under our eyes, is not taken; nor is the current one
 * again. */
void pages_take(struct pages *pages, int fd);

#endif
