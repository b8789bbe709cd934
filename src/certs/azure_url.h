/* SPDX-License-Identifier: Apache-2.0
 *
 * The URL of a container: https://ACCOUNT.blob.core.windows.net/CONTAINER, or
 * https://HOST/ACCOUNT/CONTAINER as Azurite has it: the number of names in the path tells.
 */
#ifndef CERTS_AZURE_URL_H
#define CERTS_AZURE_URL_H

#include "base/base.h"

#define AZURE_URL_MAX 2048u

struct azure_url {
    char base[AZURE_URL_MAX];      /* https://host/container, without a query */
    char path[AZURE_URL_MAX];      /* of it: /container */
    char account[256];
    char signature[AZURE_URL_MAX]; /* a shared access signature, "" for none */
};

/* Into a struct of zeros. False: it is none. */
MUST_USE bool azure_url_read(const char *url, struct azure_url *ret_url);
/* Whose host is it? A token opens all that the identity may, so not everyone is shown one. */
MUST_USE bool azure_url_is_azure(const struct azure_url *u);

#endif
