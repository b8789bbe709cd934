/* SPDX-License-Identifier: Apache-2.0
 *
 * Appending and syncing. Whoever comes while a sync runs waits for the next one, which the
 * first of those who wait begins; so one sync covers all lines written before it began.
 */
#include "server/audit.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct trail {
    struct audit audit; /* first, so that an audit is its trail */
    int fd;
    pthread_mutex_t lock;
    pthread_cond_t synced_more;
    uint64_t written; /* lines; under lock, as all below */
    uint64_t synced;
    bool syncing;
    bool torn; /* the file ends in the middle of a line */
    int trouble; /* errno that was logged last, 0 when all is well */
};

static _Thread_local bool never_waits;

void
audit_thread_never_waits(void)
{
    never_waits = true;
}

static bool
trail_failed(struct trail *trail, const char *doing, int error)
{
    if (error != trail->trouble) {
        trail->trouble = error;
        log_err("audit trail: %s: %s; nothing that needs a record is done until it works",
                doing, strerror(error));
    }
    return false;
}

/* Under lock. A line that was cut short is closed before the next begins. */
static bool
trail_write(struct trail *trail, view line)
{
    struct iovec parts[] = {
        { (void *)(uintptr_t)"\n", trail->torn ? 1 : 0 },
        { (void *)(uintptr_t)line.data, line.len },
        { (void *)(uintptr_t)"\n", 1 },
    };
    size_t len = parts[0].iov_len + line.len + 1;
    ssize_t wrote = writev(trail->fd, parts, (int)ARRAY_COUNT(parts));

    if (wrote < 0) {
        return trail_failed(trail, "write", errno);
    }
    if ((size_t)wrote < len) {
        trail->torn = true;
        return trail_failed(trail, "write", ENOSPC);
    }
    trail->torn = false;
    trail->written++;
    return true;
}

/* Under lock, which is let go while the disk works. */
static bool
trail_sync(struct trail *trail)
{
    uint64_t covered = trail->written;
    int error;

    trail->syncing = true;
    pthread_mutex_unlock(&trail->lock);
    error = fdatasync(trail->fd) == 0 ? 0 : errno;
    pthread_mutex_lock(&trail->lock);
    trail->syncing = false;
    if (error == 0) {
        trail->synced = covered;
        trail->trouble = 0;
    }
    pthread_cond_broadcast(&trail->synced_more);
    return error == 0 || trail_failed(trail, "sync", error);
}

static bool
trail_append(struct audit *audit, view line)
{
    struct trail *trail = (struct trail *)audit;

    pthread_mutex_lock(&trail->lock);

    bool good = trail_write(trail, line);
    uint64_t mine = trail->written;

    while (good && !never_waits && trail->synced < mine) {
        if (trail->syncing) {
            pthread_cond_wait(&trail->synced_more, &trail->lock);
        } else {
            good = trail_sync(trail);
        }
    }
    pthread_mutex_unlock(&trail->lock);
    return good;
}

/* True when the file is not empty and its last line has no end: the host lost power. */
static bool
file_is_torn(int fd)
{
    off_t size = lseek(fd, 0, SEEK_END);
    char last = '\n';

    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

struct audit *
audit_open(const char *path)
{
    struct trail *trail = calloc(1, sizeof *trail);
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (trail == NULL || fd < 0) {
        log_err("audit trail %s: %s", path, strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        free(trail);
        return NULL;
    }
    trail->audit.append = trail_append;
    trail->fd = fd;
    trail->torn = file_is_torn(fd);
    pthread_mutex_init(&trail->lock, NULL);
    pthread_cond_init(&trail->synced_more, NULL);
    return &trail->audit;
}

void
audit_close(struct audit *audit)
{
    struct trail *trail = (struct trail *)audit;

    if (trail == NULL) {
        return;
    }
    (void)fdatasync(trail->fd);
    close(trail->fd);
    pthread_cond_destroy(&trail->synced_more);
    pthread_mutex_destroy(&trail->lock);
    free(trail);
}
