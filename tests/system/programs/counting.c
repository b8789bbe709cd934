/* SPDX-License-Identifier: Apache-2.0
 *
 * Counts who asks the heap for memory, by the object that the caller's code is in. Loaded with
 * LD_PRELOAD into the processes of an HSM and into an application; the counts are a file of four
 * numbers, $COUNTING/<pid>, that anyone may read while they grow: our code, the crypto library, all
 * the rest, and bytes in use (of all).
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))
#define RANGES_MAX 64

enum { OURS, CRYPTO, REST, USED, KINDS };

struct range {
    uintptr_t first, last;
    int kind;
};

static struct range ranges[RANGES_MAX];
static _Atomic size_t range_count;
static _Atomic uint64_t none[KINDS];
static _Atomic uint64_t *counts = none;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void __libc_free(void *memory);

static int
add(struct dl_phdr_info *info, size_t size, void *arg)
{
    const size_t count = atomic_load(&range_count);
    const char *name = strrchr(info->dlpi_name, '/');
    int kind = info->dlpi_name[0] == '\0' || strstr(info->dlpi_name, "azcloudhsm") != NULL ? OURS
               : name != NULL && (strstr(name, "crypto") != NULL || strstr(name, "libssl") != NULL)
                   ? CRYPTO
                   : REST;

    (void)size;
    (void)arg;
    for (size_t i = 0; i < info->dlpi_phnum && atomic_load(&range_count) < RANGES_MAX; i++) {
        const uintptr_t first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X) != 0 &&
            kind != REST) {
            ranges[count] = (struct range){ first, first + info->dlpi_phdr[i].p_memsz, kind };
            atomic_store(&range_count, count + 1);
        }
    }
    return 0;
}

/* Again after something was loaded. */
EXPORTED void counting_look(void);
EXPORTED void
counting_look(void)
{
    atomic_store(&range_count, 0);
    dl_iterate_phdr(add, NULL);
}

__attribute__((constructor)) static void
begin(void)
{
    const char *folder = getenv("COUNTING");
    char path[256];
    void *shared;
    int fd;

    counting_look();
    if (folder == NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/%d", folder, (int)getpid());
    fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || ftruncate(fd, sizeof none) != 0) {
        return;
    }
    shared = mmap(NULL, sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED) {
        counts = shared;
    }
}

static void
count(const void *caller)
{
    const uintptr_t at = (uintptr_t)caller;
    int kind = REST;

    for (size_t i = 0; i < atomic_load(&range_count); i++) {
        if (at >= ranges[i].first && at < ranges[i].last) {
            kind = ranges[i].kind;
        }
    }
    atomic_fetch_add(&counts[kind], 1);
}

static void *
taken(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_add(&counts[USED], malloc_usable_size(memory));
    }
    return memory;
}

EXPORTED void *
malloc(size_t size)
{
    count(__builtin_return_address(0));
    return taken(__libc_malloc(size));
}

EXPORTED void *
calloc(size_t number, size_t size)
{
    count(__builtin_return_address(0));
    return taken(__libc_calloc(number, size));
}

EXPORTED void *
realloc(void *memory, size_t size)
{
    count(__builtin_return_address(0));
    if (memory != NULL) {
        atomic_fetch_sub(&counts[USED], malloc_usable_size(memory));
    }
    return taken(__libc_realloc(memory, size));
}

EXPORTED void
free(void *memory)
{
    if (memory != NULL) {
        atomic_fetch_sub(&counts[USED], malloc_usable_size(memory));
    }
    __libc_free(memory);
}
