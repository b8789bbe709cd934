/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder as container: one file for each blob. A file is written beside its place, brought to the
 * disk and linked or renamed into it, so it is there whole or not at all; changes take turns by a
 * lock on the folder, so a draft that is there while nobody has the lock was left by one who was
 * killed, and is removed. The tag of a file is made of its inode, size and times.
 */
#include "certs/blob.h"

#include "base/log.h"
#include "certs/token.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DRAFT_PREFIX "." BLOB_PREFIX

struct folder {
    struct blob_container container;
    int fd;
    char path[512];
};

static enum blob_result
failed(const struct folder *folder, const char *what)
{
    log_err("certificate storage %s: %s: %s; see that the folder is there and the disk not full",
            folder->path, what, strerror(errno));
    return BLOB_FAILED;
}

static void
tag_of(const struct stat *status, char ret_tag[BLOB_TAG_MAX])
{
    snprintf(ret_tag, BLOB_TAG_MAX, "%llx-%llx-%llx.%lx", (unsigned long long)status->st_ino,
             (unsigned long long)status->st_size, (unsigned long long)status->st_ctim.tv_sec,
             (unsigned long)status->st_ctim.tv_nsec);
}

/* Each change opens the folder anew: a lock belongs to a descriptor. -1 with errno. */
static int
folder_lock(const struct folder *folder)
{
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0 && flock(fd, LOCK_EX) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static bool
file_read(int fd, struct writer *out)
{
    uint8_t block[16384];
    ssize_t got;

    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        write_raw(out, view_of(block, (size_t)got));
    }
    return true;
}

static enum blob_result
folder_get(struct blob_container *container, uint32_t handle, const char *tag, struct writer *out,
           char ret_tag[BLOB_TAG_MAX])
{
    struct folder *folder = (struct folder *)container;
    char name[BLOB_NAME_MAX], found[BLOB_TAG_MAX];
    struct stat status;
    enum blob_result result = BLOB_OK;
    int fd;

    blob_name(handle, name);
    fd = openat(folder->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? BLOB_NONE : failed(folder, name);
    }
    if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size > TOKEN_MAX) {
        log_err("certificate storage %s: %s is no token", folder->path, name);
        close(fd);
        return BLOB_FAILED;
    }
    tag_of(&status, found);
    if (tag[0] != '\0' && strcmp(tag, found) == 0) {
        result = BLOB_SAME;
    } else if (!file_read(fd, out)) {
        result = failed(folder, name);
    } else {
        memcpy(ret_tag, found, BLOB_TAG_MAX);
    }
    close(fd);
    return result;
}

/* 1: it is, 0: it is not, -1: there is none. */
static int
has_tag(const struct folder *folder, const char *name, const char *tag)
{
    char found[BLOB_TAG_MAX];
    struct stat status;

    if (fstatat(folder->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
        return -1;
    }
    tag_of(&status, found);
    return strcmp(found, tag) == 0;
}

static bool
file_write(int fd, view text)
{
    while (text.len > 0) {
        ssize_t done = write(fd, text.data, text.len);

        if (done < 0 && errno != EINTR) {
            return false;
        }
        if (done > 0) {
            text = view_slice(text, (size_t)done, text.len);
        }
    }
    return fsync(fd) == 0;
}

static enum blob_result
folder_put(struct blob_container *container, uint32_t handle, const char *tag, view text,
           char ret_tag[BLOB_TAG_MAX])
{
    struct folder *folder = (struct folder *)container;
    char name[BLOB_NAME_MAX], draft[BLOB_NAME_MAX + 32];
    enum blob_result result = BLOB_OK;
    struct stat status;
    int lock = folder_lock(folder);
    int fd = -1;

    blob_name(handle, name);
    snprintf(draft, sizeof draft, DRAFT_PREFIX "%u.%ld", (unsigned)handle, (long)getpid());
    if (lock < 0) {
        return failed(folder, "lock");
    }
    if (tag[0] != '\0' && has_tag(folder, name, tag) != 1) {
        result = BLOB_CONFLICT;
        goto out;
    }
    (void)unlinkat(folder->fd, draft, 0);
    fd = openat(folder->fd, draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 || !file_write(fd, text)) {
        result = failed(folder, name);
        goto out;
    }
    if (tag[0] == '\0' ? linkat(folder->fd, draft, folder->fd, name, 0) != 0
                       : renameat(folder->fd, draft, folder->fd, name) != 0) {
        result = errno == EEXIST ? BLOB_CONFLICT : failed(folder, name);
        goto out;
    }
    if (tag[0] == '\0') {
        (void)unlinkat(folder->fd, draft, 0); /* before the tag is taken: it counts links */
    }
    if (fsync(folder->fd) != 0 || fstat(fd, &status) != 0) {
        (void)failed(folder, name);
        result = BLOB_UNKNOWN;
        goto out;
    }
    tag_of(&status, ret_tag);
out:
    if (fd >= 0) {
        (void)unlinkat(folder->fd, draft, 0);
        close(fd);
    }
    close(lock);
    return result;
}

static enum blob_result
folder_remove(struct blob_container *container, uint32_t handle, const char *tag)
{
    struct folder *folder = (struct folder *)container;
    char name[BLOB_NAME_MAX];
    enum blob_result result = BLOB_OK;
    int lock = folder_lock(folder);

    blob_name(handle, name);
    if (lock < 0) {
        return failed(folder, "lock");
    }
    if (tag[0] != '\0' && has_tag(folder, name, tag) == 0) {
        result = BLOB_CONFLICT;
    } else if (unlinkat(folder->fd, name, 0) != 0) {
        result = errno == ENOENT ? BLOB_NONE : failed(folder, name);
    } else if (fsync(folder->fd) != 0) {
        (void)failed(folder, name);
        result = BLOB_UNKNOWN;
    }
    close(lock);
    return result;
}

static enum blob_result
folder_list(struct blob_container *container, blob_visit *visit, void *arg)
{
    struct folder *folder = (struct folder *)container;
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    const struct dirent *entry;
    enum blob_result result = BLOB_OK;

    if (directory == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return failed(folder, "list");
    }
    while ((entry = readdir(directory)) != NULL) {
        char tag[BLOB_TAG_MAX];
        struct stat status;
        uint32_t handle;

        if (!blob_name_parse(entry->d_name, &handle) ||
            fstatat(folder->fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISREG(status.st_mode)) {
            continue;
        }
        tag_of(&status, tag);
        if (!visit(arg, handle, tag)) {
            result = BLOB_FAILED;
            break;
        }
    }
    closedir(directory);
    return result;
}

/* Drafts of those who were killed. Who is writing at this moment does it the next time. */
static void
drafts_sweep(const struct folder *folder)
{
    int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory;
    const struct dirent *entry;

    if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) != 0 || (directory = fdopendir(fd)) == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return;
    }
    while ((entry = readdir(directory)) != NULL) {
        if (strncmp(entry->d_name, DRAFT_PREFIX, strlen(DRAFT_PREFIX)) == 0 &&
            unlinkat(fd, entry->d_name, 0) == 0) {
            log_inf("certificate storage %s: %s was left by a write that was cut off; removed",
                    folder->path, entry->d_name);
        }
    }
    closedir(directory); /* and the lock is given back */
}

static void
folder_close(struct blob_container *container)
{
    struct folder *folder = (struct folder *)container;

    close(folder->fd);
    free(folder);
}

/* The daemon may have more rights than who asks: it works in that user's folders alone. */
static bool
is_theirs(const struct folder *folder, uint32_t uid)
{
    struct stat status;

    if (fstat(folder->fd, &status) != 0) {
        return false;
    }
    if (uid == 0 || uid == geteuid() || status.st_uid == uid) {
        return true;
    }
    log_err("certificate storage %s: the folder is not of uid %u, who asks for it", folder->path,
            (unsigned)uid);
    return false;
}

struct blob_container *
folder_open(const struct blob_settings *settings)
{
    static const struct blob_ops ops = { folder_get, folder_put, folder_remove, folder_list,
                                         folder_close };
    struct folder *folder = calloc(1, sizeof *folder);

    if (folder == NULL) {
        return NULL;
    }
    folder->container.ops = &ops;
    folder->fd = -1;
    if ((size_t)snprintf(folder->path, sizeof folder->path, "%s", settings->url + 7) >=
        sizeof folder->path) {
        log_err("CERTSTORAGE_URL: the folder's name is too long");
        free(folder);
        return NULL;
    }
    folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder->fd < 0) {
        (void)failed(folder, "open");
    }
    if (folder->fd < 0 || !is_theirs(folder, settings->uid)) {
        if (folder->fd >= 0) {
            close(folder->fd);
        }
        free(folder);
        return NULL;
    }
    drafts_sweep(folder);
    return &folder->container;
}
