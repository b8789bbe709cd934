/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that hangs, for a server: while the file $HANGING exists no sync comes back. Loaded with
 * LD_PRELOAD.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

static void
hang(void)
{
    const char *path = getenv("HANGING");

    while (path != NULL && strcmp(program_invocation_short_name, "azcloudhsm_server") == 0 &&
           access(path, F_OK) == 0) {
        usleep(5000);
    }
}

static int
sync_really(const char *name, int fd)
{
    int (*real)(int fd);

    hang();
    *(void **)&real = dlsym(RTLD_NEXT, name);
    return real(fd);
}

EXPORTED int
fsync(int fd)
{
    return sync_really("fsync", fd);
}

EXPORTED int
fdatasync(int fd)
{
    return sync_really("fdatasync", fd);
}
