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

bool
file_is_special(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

bool
file_write(const char *path, view bytes)
{
    char name[4096];
    const bool special = file_is_special(path);
    const int len = snprintf(name, sizeof name, special ? "%s" : "%s.XXXXXX", path);
    bool ok;
    int fd;

    if (len < 0 || (size_t)len >= sizeof name) {
        errno = ENAMETOOLONG;
        return failed(path);
    }
    fd = special ? open(name, O_WRONLY | O_CLOEXEC | O_NOCTTY) : mkostemp(name, O_CLOEXEC);
    if (fd < 0) {
        return failed(path);
    }
    ok = all_written(fd, bytes) && (special || fsync(fd) == 0);
    ok = (close(fd) == 0 || errno == EINTR) && ok;
    ok = ok && (special || rename(name, path) == 0);
    if (!ok) {
        failed(path);
        if (!special) {
            unlink(name);
        }
    }
    return ok;
}
