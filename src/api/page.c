/* SPDX-License-Identifier: Apache-2.0
 *
 * A page that shrinks would kill the application that looks at it, so its seals are read first.
 */
#include "api/page.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

static const struct page nothing; /* valid until 0 */

void
pages_init(struct pages *pages)
{
    atomic_init(&pages->current, &nothing);
    pages->count = 0;
}

void
pages_clear(struct pages *pages)
{
    atomic_store(&pages->current, &nothing);
    while (pages->count > 0) {
        munmap((void *)(uintptr_t)pages->mapped[--pages->count], sizeof(struct page));
    }
}

void
pages_take(struct pages *pages, int fd)
{
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat status;
    const struct page *page;

    if (pages->count == PAGES_MAX || seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
        fstat(fd, &status) != 0 || status.st_size < (off_t)PAGE_LEN_MIN ||
        (pages->count > 0 && status.st_dev == pages->device && status.st_ino == pages->inode)) {
        return;
    }
    page = mmap(NULL, sizeof *page, PROT_READ, MAP_SHARED, fd, 0);
    if (page != MAP_FAILED) {
        pages->mapped[pages->count++] = page;
        pages->device = status.st_dev;
        pages->inode = status.st_ino;
        atomic_store(&pages->current, page);
    }
}
