/* SPDX-License-Identifier: Apache-2.0
 *
 * One datagram per state to the socket that the service manager named.
 */
#include "server/notify.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void
notify_send(const char *state)
{
    const char *name = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = { .sun_family = AF_UNIX };

    if (name == NULL || (name[0] != '/' && name[0] != '@')) {
        return;
    }

    size_t len = strlen(name);

    if (len >= sizeof to.sun_path) {
        return;
    }
    memcpy(to.sun_path, name, len);
    if (name[0] == '@') {
        to.sun_path[0] = '\0';      /* a name without a file */
    }

    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);

    if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
                         to_len) < 0) {
        log_wrn("service manager not told \"%s\": %s", state, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
}

void
notify_reloading(void)
{
    struct timespec now = { 0, 0 };
    char state[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
    notify_send(state);
}
