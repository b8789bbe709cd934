/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: which folder is D. What it holds is dev_files.c's.
 */
#include "tools/dev.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define RUN_FOLDER "azcloudhsm-dev.XXXXXX"

/* The folder as an absolute path without anything that JSON or a shell would have to quote. */
static bool
dir_set(struct dev *dev, const char *path)
{
    char resolved[PATH_MAX];

    if (realpath(path, resolved) == NULL) {
        fprintf(stderr, "%s: %s%s\n", path, strerror(errno),
                errno == ENOENT ? "; azcloudhsm_dev up makes an HSM in it" : "");
        return false;
    }
    if (strlen(resolved) >= sizeof dev->dir - 64) {
        fprintf(stderr, "%s: the path is too long; take a shorter --dir\n", resolved);
        return false;
    }
    for (const char *c = resolved; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || strchr("\"\\'", *c) != NULL) {
            fprintf(stderr, "%s: take a --dir without quotes and backslashes\n", resolved);
            return false;
        }
    }
    memcpy(dev->dir, resolved, strlen(resolved) + 1);
    return true;
}

/* mkdir -p, the last one for us alone. */
static bool
folders_make(const char *path)
{
    char part[DEV_PATH_MAX];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        fprintf(stderr, "%s: the path is too long; take a shorter --dir\n", path);
        return false;
    }
    for (char *c = part + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(part, 0777); /* what cannot be made shows at the last one */
            *c = '/';
        }
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST) {
        perror(part);
        return false;
    }
    return true;
}

bool
dev_folder_choose(struct dev *dev, const char *given, bool make)
{
    const char *home = getenv("HOME");
    char usual[DEV_PATH_MAX];

    if (given == NULL) {
        given = getenv("AZCLOUDHSM_DEV_DIR");
    }
    if (given == NULL && home != NULL) {
        snprintf(usual, sizeof usual, "%s/.local/state/azcloudhsm_dev", home);
        given = usual;
    }
    if (given == NULL) {
        fputs("which folder? give --dir D\n", stderr);
        return false;
    }
    return (!make || folders_make(given)) && dir_set(dev, given);
}

bool
dev_folder_new(struct dev *dev, const char *given, bool *ret_temporary)
{
    const char *base = getenv("TMPDIR");
    char path[DEV_PATH_MAX];

    *ret_temporary = false;
    if (given != NULL) {
        return folders_make(given) && dir_set(dev, given);
    }
    snprintf(path, sizeof path, "%s/" RUN_FOLDER, base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(path) == NULL) {
        perror(path);
        return false;
    }
    *ret_temporary = true;
    return dir_set(dev, path);
}
