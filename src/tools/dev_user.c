/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: the first crypto user, created as any other: by the officer, over the
 * management port.
 */
#include "tools/dev.h"

#include "net/caller.h"
#include "tools/code.h"

#include <stdio.h>

static CK_RV
officer_login(struct caller *caller)
{
    const struct login_request request = {
        .role = ROLE_CO,
        .name = VIEW_TEXT(DEV_OFFICER),
        .password = VIEW_TEXT(DEV_OFFICER_PASSWORD),
    };
    uint8_t buffer[256];
    struct writer body;
    view reply;

    writer_init_fixed(&body, buffer, sizeof buffer);
    login_request_write(&body, &request);
    return caller_call(caller, OPERATION_LOGIN, writer_view(&body), &reply);
}

static CK_RV
user_create(struct caller *caller)
{
    const struct user_create_request request = {
        .role = ROLE_CU,
        .name = VIEW_TEXT(DEV_USER),
        .password = VIEW_TEXT(DEV_USER_PASSWORD),
    };
    uint8_t buffer[256];
    struct writer body;
    view reply;

    writer_init_fixed(&body, buffer, sizeof buffer);
    user_create_request_write(&body, &request);
    return caller_call(caller, OPERATION_USER_CREATE, writer_view(&body), &reply);
}

bool
dev_create_user(const struct dev *dev)
{
    char anchor[DEV_PATH_MAX];
    char certificate[DEV_PATH_MAX];
    char private_key[DEV_PATH_MAX];
    char error[512];
    struct tls_context *tls;
    struct caller *caller;
    CK_RV rv = CKR_DEVICE_ERROR;

    if (!dev_path(dev, "PO.crt", anchor) || !dev_path(dev, "client.crt", certificate) ||
        !dev_path(dev, "client.key", private_key)) {
        return false;
    }

    const struct tls_files files = { anchor, certificate, private_key, false };

    if ((tls = tls_client_new(&files)) == NULL) {
        return false;
    }
    caller = caller_open("127.0.0.1", dev->manage_port, tls, DEV_WAIT_MS, error, sizeof error);
    if (caller == NULL) {
        fprintf(stderr, "%s\n", error);
    } else if ((rv = officer_login(caller)) != CKR_OK || (rv = user_create(caller)) != CKR_OK) {
        fprintf(stderr, "user %s could not be created: %s\n", DEV_USER, code_of(rv)->text);
    }
    caller_close(caller);
    tls_context_free(tls);
    return rv == CKR_OK;
}
