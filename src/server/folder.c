/* SPDX-License-Identifier: Apache-2.0
 *
 * The state folder through one descriptor, so that nobody can exchange it underneath.
 */
#include "server/folder.h"

#include "base/log.h"
#include "server/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_NAME "server.lock"

struct folder {
    int fd;
    int lock;
    char path[FOLDER_PATH_MAX - 64]; /* room for a name */
};

static bool
folder_failed(const struct folder *folder, const char *name)
{
    log_err("%s/%s: %s", folder->path, name, strerror(errno));
    return false;
}

/* looks: nothing is made; and root may look at what is another's, which he can read anyway. */
static bool
folder_enter(struct folder *folder, bool looks)
{
    struct stat st;

    if (!looks && mkdir(folder->path, 0700) != 0 && errno != EEXIST) {
        log_err("state folder %s: %s", folder->path, strerror(errno));
        return false;
    }
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->fd < 0 || fstat(folder->fd, &st) != 0) {
        log_err("state folder %s: %s", folder->path, strerror(errno));
        return false;
    }
    if ((st.st_mode & 077) != 0) {
        log_err("state folder %s is open to others; make it its owner's alone: chmod 700",
                folder->path);
        return false;
    }
    if (st.st_uid != geteuid() && !(looks && geteuid() == 0)) {
        log_err("state folder %s belongs to user %lu, and this is user %lu; do this as that user, "
                "or chown it", folder->path, (unsigned long)st.st_uid, (unsigned long)geteuid());
        return false;
    }
    return true;
}

/* *ret_held: another has the lock, which is not logged. */
static bool
folder_lock(struct folder *folder, bool looks, bool *ret_held)
{
    const int makes = looks ? 0 : O_CREAT;

    folder->lock = openat(folder->fd, LOCK_NAME, O_RDWR | makes | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (folder->lock < 0 && looks && errno == ENOENT) {
        return true; /* no server was ever there */
    }
    if (folder->lock < 0) {
        return folder_failed(folder, LOCK_NAME);
    }
    if (flock(folder->lock, LOCK_EX | LOCK_NB) != 0) {
        *ret_held = errno == EWOULDBLOCK;
        return *ret_held ? false : folder_failed(folder, LOCK_NAME);
    }
    return true;
}

/* NULL, logged. One that another holds is given all the same. */
static struct folder *
folder_get(const char *path, bool looks, bool *ret_held)
{
    struct folder *folder = calloc(1, sizeof *folder);

    if (folder == NULL || strlen(path) >= sizeof folder->path) {
        log_err("state folder %s: %s", path, folder == NULL ? "no memory" : "path too long");
        free(folder);
        return NULL;
    }
    strcpy(folder->path, path);
    folder->fd = -1;
    folder->lock = -1;
    *ret_held = false;
    if (!folder_enter(folder, looks) || (!folder_lock(folder, looks, ret_held) && !*ret_held)) {
        folder_close(folder);
        return NULL;
    }
    return folder;
}

struct folder *
folder_open(const char *path)
{
    bool held;
    struct folder *folder = folder_get(path, false, &held);

    if (folder != NULL && held) {
        log_err("another server holds %s", path);
        folder_close(folder);
        return NULL;
    }
    return folder;
}

struct folder *
folder_look(const char *path, bool *ret_running)
{
    return folder_get(path, true, ret_running);
}

bool
folder_become_owner(const struct folder *folder)
{
    struct stat st;

    if (fstat(folder->fd, &st) != 0) {
        log_err("state folder %s: %s", folder->path, strerror(errno));
        return false;
    }
    return st.st_uid == geteuid() || process_become(st.st_uid, st.st_gid);
}

void
folder_close(struct folder *folder)
{
    if (folder == NULL) {
        return;
    }
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    if (folder->fd >= 0) {
        close(folder->fd);
    }
    free(folder);
}

void
folder_path(const struct folder *folder, const char *name, char path[FOLDER_PATH_MAX])
{
    snprintf(path, FOLDER_PATH_MAX, "%s/%s", folder->path, name);
}

/* Makes the file and fills it; what was begun is removed when it fails. */
static bool
folder_fill(struct folder *folder, const char *name, int flags, view bytes)
{
    int fd = openat(folder->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

    if (fd < 0) {
        return folder_failed(folder, name);
    }

    ssize_t wrote = write(fd, bytes.data, bytes.len);
    bool good = wrote >= 0 && (size_t)wrote == bytes.len && fsync(fd) == 0;

    if (wrote >= 0 && (size_t)wrote < bytes.len) {
        errno = ENOSPC;
    }
    if (!good) {
        (void)folder_failed(folder, name);
        unlinkat(folder->fd, name, 0);
    }
    close(fd);
    return good;
}

bool
folder_write(struct folder *folder, const char *name, const char *text)
{
    char half[64];

    snprintf(half, sizeof half, "%.50s.new", name);
    if (!folder_fill(folder, half, O_TRUNC, view_str(text))) {
        return false;
    }
    if (renameat(folder->fd, half, folder->fd, name) != 0) {
        return folder_failed(folder, name);
    }
    return true;
}

bool
folder_read(struct folder *folder, const char *name, char *ret_text, size_t size)
{
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got = 0;

    if (fd < 0 && errno != ENOENT) {
        return folder_failed(folder, name);
    }
    if (fd >= 0) {
        got = read(fd, ret_text, size);
        close(fd);
    }
    if (got < 0 || (size_t)got == size) {
        errno = got < 0 ? errno : EFBIG;
        return folder_failed(folder, name);
    }
    ret_text[got] = '\0';
    return true;
}

void
folder_remove(struct folder *folder, const char *name)
{
    unlinkat(folder->fd, name, 0);
}

bool
folder_key_write(struct folder *folder, const char *name, view key)
{
    if (!folder_fill(folder, name, O_EXCL, key)) {
        return false;
    }
    if (fsync(folder->fd) != 0) {
        (void)folder_failed(folder, name);
        unlinkat(folder->fd, name, 0);
        return false;
    }
    return true;
}

/* Exactly len bytes, in a file that is its owner's alone. */
static bool
key_read(struct folder *folder, const char *name, int fd, struct secret *key, size_t len)
{
    struct stat st;

    if (fstat(fd, &st) != 0) {
        return folder_failed(folder, name);
    }
    if (!S_ISREG(st.st_mode) || (st.st_mode & 077) != 0) {
        log_err("%s/%s is open to others; chmod 600 it", folder->path, name);
        return false;
    }
    if ((size_t)st.st_size != len) {
        log_err("%s/%s has %lld bytes, not %zu", folder->path, name, (long long)st.st_size, len);
        return false;
    }
    if (read(fd, secret_data(key), len) != (ssize_t)len) {
        return folder_failed(folder, name);
    }
    return true;
}

bool
folder_key_read(struct folder *folder, const char *name, size_t len, struct secret **ret_key)
{
    int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT) {
        *ret_key = NULL;
        return true;
    }
    if (fd < 0) {
        return folder_failed(folder, name);
    }

    struct secret *key = secret_new(len);
    bool good = key != NULL && key_read(folder, name, fd, key, len);

    close(fd);
    if (!good) {
        secret_free(key);
        return false;
    }
    *ret_key = key;
    return true;
}
