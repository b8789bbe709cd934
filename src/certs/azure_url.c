/* SPDX-License-Identifier: Apache-2.0
 *
 * What a CERTSTORAGE_URL of Azure's kind says.
 */
#include "certs/azure_url.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool
azure_url_read(const char *url, struct azure_url *ret_url)
{
    const char *question = strchr(url, '?');
    struct azure_url *u = ret_url;
    size_t len = question == NULL ? strlen(url) : (size_t)(question - url);
    const char *host = url + strlen("https://");
    const char *path, *second, *dot;

    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    if (len >= sizeof u->base || strpbrk(url, " \t\"#\\") != NULL) {
        return false;
    }
    memcpy(u->base, url, len);
    if (question != NULL) {
        snprintf(u->signature, sizeof u->signature, "%s", question + 1);
    }
    path = strchr(u->base + (host - url), '/');
    if (path == NULL || path[1] == '\0' || strchr(u->base, '@') != NULL) {
        return false;
    }
    snprintf(u->path, sizeof u->path, "%s", path);
    second = strchr(u->path + 1, '/');
    dot = strpbrk(host, "./:");
    if (second != NULL) {
        snprintf(u->account, sizeof u->account, "%.*s", (int)(second - u->path - 1),
                 u->path + 1);
    } else {
        snprintf(u->account, sizeof u->account, "%.*s", dot == NULL ? 0 : (int)(dot - host),
                 host);
    }
    return second == NULL || strchr(second + 1, '/') == NULL;
}

bool
azure_url_is_azure(const struct azure_url *u)
{
    static const char *const ends[] = { ".core.windows.net", ".core.chinacloudapi.cn",
                                        ".core.usgovcloudapi.net", ".storage.azure.net" };
    char host[256];
    size_t len;

    snprintf(host, sizeof host, "%.*s", (int)strcspn(u->base + 8, "/"), u->base + 8);
    if (strncmp(host, "127.0.0.1:", 10) == 0 || strncmp(host, "localhost:", 10) == 0) {
        return true; /* Azurite */
    }
    len = strlen(host);
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        size_t end = strlen(ends[i]);

        if (len > end && strcasecmp(host + len - end, ends[i]) == 0) {
            return true;
        }
    }
    return false;
}
