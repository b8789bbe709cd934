/* SPDX-License-Identifier: Apache-2.0
 *
 * Where keys pass through a tool, nothing of them stays behind: not in memory that the library for
 * keys gives back, and not in a core file.
 */
#include "tools/host.h"

#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static void *
plain_alloc(size_t len, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    return len == 0 ? NULL : malloc(len);
}

static void
wiping_free(void *memory, const char *file, int line)
{
    UNUSED(file);
    UNUSED(line);
    if (memory != NULL) {
        wipe(memory, malloc_usable_size(memory));
        free(memory);
    }
}

static void *
wiping_realloc(void *memory, size_t len, const char *file, int line)
{
    void *other;

    if (len == 0) {
        wiping_free(memory, file, line);
        return NULL;
    }
    other = malloc(len);
    if (other != NULL && memory != NULL) {
        memcpy(other, memory, size_min(len, malloc_usable_size(memory)));
        wiping_free(memory, file, line);
    }
    return other;
}

void
host_begin(void)
{
    static const struct rlimit none = { 0, 0 };

    (void)setrlimit(RLIMIT_CORE, &none);
#ifndef __SANITIZE_ADDRESS__
    /* The leak detector looks at its own process the way that this forbids. */
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
#endif
    (void)CRYPTO_set_mem_functions(plain_alloc, wiping_realloc, wiping_free);
}
