/* SPDX-License-Identifier: Apache-2.0
 *
 * The file that tells an operator which node lacks a user (seeds/003): applications hear of a
 * failed login and no more, for the file is not theirs to make appear.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILES_MAX 100u /* of one daemon: nobody fills a disk by logging in */
#define FOLDER_VARIABLE "AZCLOUDHSM_ERROR_FOLDER"
#define STATUS "HSM Error: This user doesn't exist."

/* The SDK's folder: the one above that of this program, unless the environment names another. */
static bool
folder_find(char *folder, size_t size)
{
    const char *named = getenv(FOLDER_VARIABLE);
    ssize_t len;

    if (named != NULL && named[0] != '\0') {
        return (size_t)snprintf(folder, size, "%s", named) < size;
    }
    len = readlink("/proc/self/exe", folder, size - 1);
    if (len <= 0) {
        return false;
    }
    folder[len] = '\0';
    for (unsigned i = 0; i < 2; i++) {
        char *slash = strrchr(folder, '/');

        if (slash == NULL) {
            return false;
        }
        *slash = '\0';
    }
    return true;
}

/* What stands in it; NULL when memory is short. */
static char *
text_make(const struct node *node)
{
    char line[128];
    char *text;
    json_t *json;

    snprintf(line, sizeof line, "Node %zu Status: " STATUS, node->index + 1);
    json = json_pack("{s:s, s:[{s:i, s:s, s:s}], s:s}", "Command", "LOGIN", "Cluster Status", "Node",
                     (int)node->index + 1, "Name", node->settings.name, "Status", STATUS, "Summary",
                     line);
    text = json == NULL ? NULL : json_dumps(json, JSON_INDENT(4));
    json_decref(json);
    return text;
}

void
critical_user_missing(struct daemon *daemon, const struct node *node)
{
    char folder[512];
    char path[768];
    char *text = NULL;
    int fd;

    if (daemon->critical_files >= FILES_MAX || !folder_find(folder, sizeof folder) ||
        (text = text_make(node)) == NULL) {
        return;
    }
    snprintf(path, sizeof path, "%s/critical_err_info_%lld_%u", folder, (long long)time(NULL),
             daemon->critical_files++);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%s\n", text) < 0) {
        log_wrn("%s: %s; node %s lacks a user who logged in", path, strerror(errno),
                node->settings.name);
    } else {
        log_wrn("node %s lacks a user who logged in: see %s", node->settings.name, path);
    }
    if (fd >= 0) {
        close(fd);
    }
    free(text);
}
