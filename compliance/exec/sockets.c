/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from a library to its device: connections that it opened, and a daemon behind them.
 */
#include "exec/faults.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILES 1024

static bool known[FILES];

static bool
is_socket(int fd)
{
    struct stat info;

    return fstat(fd, &info) == 0 && S_ISSOCK(info.st_mode);
}

void
sockets_begin(void)
{
    for (int fd = 0; fd < FILES; fd++) {
        known[fd] = is_socket(fd);
    }
}

unsigned
sockets_cut(void)
{
    unsigned count = 0;

    for (int fd = 0; fd < FILES; fd++) {
        count += !known[fd] && is_socket(fd) && shutdown(fd, SHUT_RDWR) == 0;
    }
    return count;
}

bool
daemon_stop(pid_t daemon, unsigned ms, pid_t *ret_child)
{
    struct timespec pause = { ms / 1000, ms % 1000 * 1000000L };

    if (kill(daemon, SIGSTOP) != 0) {
        return false;
    }
    *ret_child = fork();
    if (*ret_child == 0) {
        (void)nanosleep(&pause, NULL);
        (void)kill(daemon, SIGCONT);
        _exit(0);
    }
    if (*ret_child < 0) {
        (void)kill(daemon, SIGCONT);
        return false;
    }
    return true;
}
