/* SPDX-License-Identifier: Apache-2.0
 *
 * Which kind of container a URL names, and the names of blobs.
 */
#include "certs/blob.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDLE_FIRST 0xfff00000u
#define HANDLE_LAST 0xfffffffeu

static _Thread_local uint64_t until = UINT64_MAX;

void
blob_until(uint64_t end_ms)
{
    until = end_ms;
}

uint64_t
blob_end(void)
{
    return until;
}

struct blob_container *
blob_open(const struct blob_settings *settings)
{
    if (strncmp(settings->url, "file:///", 8) == 0) {
        return folder_open(settings);
    }
    if (strncmp(settings->url, "https://", 8) == 0) {
        return azure_open(settings);
    }
    log_err("CERTSTORAGE_URL: it begins with https:// or file:///");
    return NULL;
}

void
blob_close(struct blob_container *container)
{
    if (container != NULL) {
        container->ops->close(container);
    }
}

void
blob_name(uint32_t handle, char ret_name[BLOB_NAME_MAX])
{
    snprintf(ret_name, BLOB_NAME_MAX, BLOB_PREFIX "%u", (unsigned)handle);
}

bool
blob_name_parse(const char *name, uint32_t *ret_handle)
{
    const char *digits = name + strlen(BLOB_PREFIX);
    char again[BLOB_NAME_MAX];
    unsigned long handle;

    if (strncmp(name, BLOB_PREFIX, strlen(BLOB_PREFIX)) != 0 || strlen(digits) != 10) {
        return false;
    }
    handle = strtoul(digits, NULL, 10);
    if (handle < HANDLE_FIRST || handle > HANDLE_LAST) {
        return false;
    }
    blob_name((uint32_t)handle, again);
    if (strcmp(again, name) != 0) {
        return false;
    }
    *ret_handle = (uint32_t)handle;
    return true;
}
