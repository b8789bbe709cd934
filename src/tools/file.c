/* SPDX-License-Identifier: Apache-2.0
 *
 * Read straight into locked memory; written beside the old file and put in its place.
 */
#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
failed(const char *path)
{
    fprintf(stderr, "%s: %s\n", path, strerror(errno));
    return false;
}

/* True at the end of the file, with what there was. */
static bool
all_read(int fd, uint8_t *data, size_t size, size_t *ret_len)
{
    size_t len = 0;

    while (len < size) {
        const ssize_t got = read(fd, data + len, size - len);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return false;
        }
        if (got == 0) {
            break;
        }
        len += (size_t)got;
    }
    *ret_len = len;
    return true;
}

struct secret *
file_read(const char *path, size_t max)
{
    struct secret *secret = NULL;
    struct stat status;
    size_t len = 0;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = false;

    if (fd < 0) {
        failed(path);
        return NULL;
    }
    if (fstat(fd, &status) < 0) {
        failed(path);
        goto out;
    }

    /* What is no regular file has no size to tell; one byte more shows that it goes on. */
    const size_t size =
        S_ISREG(status.st_mode) ? size_min((size_t)status.st_size, max) + 1 : max + 1;

    if ((secret = secret_new(size)) == NULL) {
        fprintf(stderr, "%s: out of memory\n", path);
        goto out;
    }
    if (!all_read(fd, secret_data(secret), size, &len)) {
        failed(path);
        goto out;
    }
    if (len == size) {
        fprintf(stderr, "%s: longer than %zu bytes\n", path, max);
        goto out;
    }
    secret_shorten(secret, len);
    ok = true;
out:
    close(fd);
    if (!ok) {
        secret_free(secret);
        secret = NULL;
    }
    return secret;
}

static bool
all_written(int fd, view bytes)
{
    while (bytes.len > 0) {
        const ssize_t put = write(fd, bytes.data, bytes.len);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return false;
        }
        bytes = view_slice(bytes, (size_t)put, bytes.len);
    }
    return true;
}

/* Is it where standard output goes? */
static bool
is_output(const struct stat *status)
{
    struct stat output;

    return fstat(STDOUT_FILENO, &output) == 0 && output.st_dev == status->st_dev &&
           output.st_ino == status->st_ino;
}

bool
file_is_special(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && (!S_ISREG(status.st_mode) || is_output(&status));
}

int
file_open_special(const char *path)
{
    struct stat status;

    if (stat(path, &status) == 0 && is_output(&status)) {
        fflush(stdout); /* behind what was said, and before what will be */
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    }
    return open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
}

bool
file_place(const char *path, char ret_place[FILE_PATH_MAX])
{
    struct stat status;
    char *real = lstat(path, &status) == 0 && S_ISLNK(status.st_mode) ? realpath(path, NULL) : NULL;
    const int len = snprintf(ret_place, FILE_PATH_MAX, "%s", real != NULL ? real : path);

    free(real);
    if (len < 0 || len >= (int)FILE_PATH_MAX) {
        errno = ENAMETOOLONG;
        return failed(path);
    }
    return true;
}

/* As the one that is there; a new one as whoever asks for files makes them. */
static bool
mode_share(int fd, const char *place)
{
    struct stat status;
    mode_t mask;

    if (stat(place, &status) == 0) {
        if (fchown(fd, status.st_uid, status.st_gid) != 0) {
            errno = 0; /* then it is ours */
        }
        return fchmod(fd, status.st_mode & 0777) == 0;
    }
    mask = umask(0);
    umask(mask);
    return fchmod(fd, 0666 & ~mask) == 0;
}

static bool
special_put(const char *path, view bytes)
{
    const int fd = file_open_special(path);
    bool ok = fd >= 0 && all_written(fd, bytes);

    if (!ok) {
        failed(path);
    }
    if (fd >= 0 && close(fd) != 0 && errno != EINTR && ok) {
        ok = failed(path);
    }
    return ok;
}

static bool
file_put(const char *path, view bytes, bool shared)
{
    char place[FILE_PATH_MAX];
    char name[FILE_PATH_MAX + sizeof ".XXXXXX"];
    bool ok;
    int fd;

    if (file_is_special(path)) {
        return special_put(path, bytes);
    }
    if (!file_place(path, place)) {
        return false;
    }
    snprintf(name, sizeof name, "%s.XXXXXX", place);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        return failed(path);
    }
    ok = (!shared || mode_share(fd, place)) && all_written(fd, bytes) && fsync(fd) == 0;
    ok = (close(fd) == 0 || errno == EINTR) && ok;
    ok = ok && rename(name, place) == 0;
    if (!ok) {
        failed(path);
        unlink(name);
    }
    return ok;
}

bool
file_write(const char *path, view bytes)
{
    return file_put(path, bytes, false);
}

bool
file_write_shared(const char *path, view bytes)
{
    return file_put(path, bytes, true);
}
