/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that runs out when a test says so: the program's malloc stands before the C library's, for
 * the module too. Under a sanitizer, which has its own, and with other C libraries it never does.
 */
#include "exec/faults.h"

#include <errno.h>
#include <stdlib.h>

#if !FAULTS_INSIDE

bool
memory_can_fail(void)
{
    return false;
}

void
memory_fail(long count)
{
    (void)count;
}

bool
memory_failed(void)
{
    return false;
}

#else

/* Of the C library, under the names that it keeps for such as us. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);

static long left;               /* allocations up to the one that fails; 0 for none */
static bool failed;

static bool
fails(void)
{
    if (left == 0 || --left > 0) {
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

__attribute__((visibility("default"))) void *
malloc(size_t size)
{
    return fails() ? NULL : __libc_malloc(size);
}

__attribute__((visibility("default"))) void *
calloc(size_t count, size_t size)
{
    return fails() ? NULL : __libc_calloc(count, size);
}

__attribute__((visibility("default"))) void *
realloc(void *memory, size_t size)
{
    return fails() ? NULL : __libc_realloc(memory, size);
}

bool
memory_can_fail(void)
{
    return true;
}

void
memory_fail(long count)
{
    failed = false;
    left = count;
}

bool
memory_failed(void)
{
    left = 0;
    return failed;
}

#endif
