/* SPDX-License-Identifier: Apache-2.0
 *
 * The way from a library to its device: connections that it opened, and a daemon behind them.
 */
#include "exec/faults.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

#if FAULTS_INSIDE

#define EXPORTED __attribute__((visibility("default")))

static long left;               /* transfers up to the one that fails; 0 for none */
static bool middle, failed;

/* How much of so many bytes is transferred; *ret_ends when the connection ends then. */
static size_t
part_of(int fd, size_t len, bool *ret_ends)
{
    *ret_ends = false;
    if (left == 0 || fd < 0 || fd >= FILES || known[fd] || !is_socket(fd) || --left > 0) {
        return len;
    }
    failed = true;
    if (!middle || len < 2) {
        (void)shutdown(fd, SHUT_RDWR);
        return len;
    }
    *ret_ends = true;
    return len / 2 < 16 ? len / 2 : 16;
}

static ssize_t
ended(int fd, ssize_t count, bool ends)
{
    if (ends) {
        (void)shutdown(fd, SHUT_RDWR);
    }
    return count;
}

EXPORTED ssize_t
send(int fd, const void *data, size_t len, int flags)
{
    bool ends;

    len = part_of(fd, len, &ends);
    return ended(fd, syscall(SYS_sendto, fd, data, len, flags, NULL, 0), ends);
}

EXPORTED ssize_t
recv(int fd, void *data, size_t len, int flags)
{
    bool ends;

    len = part_of(fd, len, &ends);
    return ended(fd, syscall(SYS_recvfrom, fd, data, len, flags, NULL, NULL), ends);
}

EXPORTED ssize_t
write(int fd, const void *data, size_t len)
{
    bool ends;

    len = part_of(fd, len, &ends);
    return ended(fd, syscall(SYS_write, fd, data, len), ends);
}

EXPORTED ssize_t
read(int fd, void *data, size_t len)
{
    bool ends;

    len = part_of(fd, len, &ends);
    return ended(fd, syscall(SYS_read, fd, data, len), ends);
}

/* Of a message the first piece, and not all of it. */
static struct msghdr
part_of_message(int fd, const struct msghdr *message, struct iovec *piece, bool *ret_ends)
{
    struct msghdr part = *message;
    size_t len = message->msg_iovlen > 0 ? message->msg_iov[0].iov_len : 0;
    size_t some = part_of(fd, len, ret_ends);

    if (*ret_ends) {
        *piece = (struct iovec){ message->msg_iov[0].iov_base, some };
        part.msg_iov = piece;
        part.msg_iovlen = 1;
    }
    return part;
}

EXPORTED ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    bool ends;
    struct iovec piece;
    struct msghdr part = part_of_message(fd, message, &piece, &ends);

    return ended(fd, syscall(SYS_sendmsg, fd, &part, flags), ends);
}

EXPORTED ssize_t
recvmsg(int fd, struct msghdr *message, int flags)
{
    bool ends;
    struct iovec piece;
    struct msghdr part = part_of_message(fd, message, &piece, &ends);
    ssize_t count = syscall(SYS_recvmsg, fd, &part, flags);

    message->msg_namelen = part.msg_namelen;
    message->msg_controllen = part.msg_controllen;
    message->msg_flags = part.msg_flags;
    return ended(fd, count, ends);
}

void
sockets_fail(long count, bool in_middle)
{
    failed = false;
    middle = in_middle;
    left = count;
}

bool
sockets_failed(void)
{
    left = 0;
    return failed;
}

#else

void
sockets_fail(long count, bool in_middle)
{
    (void)count, (void)in_middle;
}

bool
sockets_failed(void)
{
    return false;
}

#endif

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
