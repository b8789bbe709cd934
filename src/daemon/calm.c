/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether this host has a processor to spare. To be woken costs a process that waits for a reply
 * more than to look for it for some microseconds; but only where nobody else wants the processor.
 */
#include "daemon/daemon.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#define CALM_MS 1100u /* four looks, for one may fall on a moment when node and daemon both run */

/* That this process may run on. */
static unsigned
processors(void)
{
    cpu_set_t set;

    return sched_getaffinity(0, sizeof set, &set) == 0 ? (unsigned)CPU_COUNT(&set) : 1;
}

/* "0.20 0.18 0.12 1/80 11206": averages, running of all, the last number. */
bool
calm_read(const char *text, unsigned *ret_running)
{
    return sscanf(text, "%*f %*f %*f %u/", ret_running) == 1;
}

static bool
is_calm(void)
{
    char text[128];
    unsigned running;
    ssize_t len;
    int fd;

    if (processors() < 2 || (fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC)) < 0) {
        return false;
    }
    len = read(fd, text, sizeof text - 1);
    close(fd);
    if (len <= 0) {
        return false;
    }
    text[len] = '\0';
    return calm_read(text, &running) && running <= processors();
}

void
calm_look(struct daemon *daemon, uint64_t now)
{
    if (!is_calm()) {
        return; /* once is no proof of the contrary */
    }
    daemon->calm_until = now + CALM_MS;
    if (daemon->page != NULL) {
        page_calm(daemon->page, daemon->calm_until);
    }
}
