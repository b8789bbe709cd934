/* SPDX-License-Identifier: Apache-2.0
 *
 * getrandom() without flags: it waits until the kernel's pool is seeded, and afterwards never.
 */
#include "server/entropy.h"

#include "base/log.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

static bool
entropy_fill(struct entropy *entropy, void *bytes, size_t len)
{
    uint8_t *next = bytes;

    UNUSED(entropy);
    while (len > 0) {
        ssize_t got = getrandom(next, len, 0);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            log_err("no random bytes from the kernel: %s", strerror(errno));
            return false;
        }
        next += got;
        len -= (size_t)got;
    }
    return true;
}

struct entropy *
entropy_host(void)
{
    static struct entropy host = { entropy_fill };

    return &host;
}
