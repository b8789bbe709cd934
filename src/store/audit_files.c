/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit_files.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIGITS 16u

struct audit_file
audit_file_name(uint64_t first)
{
    struct audit_file file;

    snprintf(file.name, sizeof file.name, "%016" PRIx64 ".trail", first);
    return file;
}

static bool
name_is_ours(const char *name)
{
    return strlen(name) == AUDIT_FILE_NAME_LEN &&
           strspn(name, "0123456789abcdef") == DIGITS && strcmp(name + DIGITS, ".trail") == 0;
}

static int
file_order(const void *a, const void *b)
{
    return strcmp(((const struct audit_file *)a)->name, ((const struct audit_file *)b)->name);
}

static bool
files_read(DIR *dir, struct audit_file **files, size_t *count)
{
    const struct dirent *found;
    size_t size = 0;

    while (errno = 0, (found = readdir(dir)) != NULL) {
        if (!name_is_ours(found->d_name)) {
            continue;
        }
        if (*count == size) {
            struct audit_file *more;

            size = size * 2 + 16;
            more = reallocarray(*files, size, sizeof **files);
            if (more == NULL) {
                return false;
            }
            *files = more;
        }
        memcpy((*files)[(*count)++].name, found->d_name, AUDIT_FILE_NAME_LEN + 1);
    }
    return errno == 0;
}

bool
audit_files_list(int folder, struct audit_file **ret_files, size_t *ret_count)
{
    struct audit_file *files = NULL;
    size_t count = 0;
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    bool read = dir != NULL && files_read(dir, &files, &count);

    if (!read) {
        log_err("audit trail: its folder does not read: %s", strerror(errno));
        free(files);
    }
    if (dir != NULL) {
        closedir(dir);
    } else if (fd >= 0) {
        close(fd);
    }
    if (read) {
        if (count > 1) {
            qsort(files, count, sizeof *files, file_order);
        }
        *ret_files = files;
        *ret_count = count;
    }
    return read;
}

static void
bytes_walk(view bytes, struct chain *chain, audit_visit *visit, void *arg, size_t *ret_left)
{
    struct reader r = reader_of(bytes);
    struct audit_entry entry;
    bool first = true;

    while (trail_entry_read(&r, first, chain, &entry.kind, &entry.body)) {
        entry.number = chain->count;
        first = false;
        if (!visit(arg, &entry)) {
            break;
        }
    }
    *ret_left = r.left;
}

bool
audit_file_walk(int folder, const struct audit_file *file, struct chain *chain,
                audit_visit *visit, void *arg, size_t *ret_left)
{
    int fd = openat(folder, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat status;
    void *bytes = NULL;
    size_t size = 0;

    if (fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) {
        size = (size_t)status.st_size;
        bytes = size == 0 ? NULL : mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    } else {
        bytes = MAP_FAILED;
    }
    if (bytes == MAP_FAILED) {
        log_err("audit trail: %s does not read: %s", file->name, strerror(errno));
    } else {
        bytes_walk(view_of(bytes, size), chain, visit, arg, ret_left);
        if (bytes != NULL) {
            munmap(bytes, size);
        }
    }
    if (fd >= 0) {
        close(fd);
    }
    return bytes != MAP_FAILED;
}
