/* SPDX-License-Identifier: Apache-2.0
 *
 * Buffers with a page behind them that nobody may touch.
 */
#include "exec/guard.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PATTERN 0xa5

bool
guard_init(struct guard *guard)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    uint8_t *memory = mmap(NULL, GUARD_MOST + page, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        return false;
    }
    guard->start = memory;
    guard->end = memory + GUARD_MOST;
    return mprotect(guard->end, page, PROT_NONE) == 0;
}

void
guard_clear(struct guard *guard)
{
    munmap(guard->start, GUARD_MOST + (size_t)sysconf(_SC_PAGESIZE));
    guard->start = guard->end = NULL;
}

uint8_t *
guard_tail(struct guard *guard, size_t len)
{
    memset(guard->end - len - 64, PATTERN, len + 64);
    return guard->end - len;
}

bool
guard_intact(const struct guard *guard, size_t len)
{
    for (size_t i = 1; i <= 64; i++) {
        if (*(guard->end - len - i) != PATTERN) {
            return false;
        }
    }
    return true;
}
