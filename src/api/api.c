/* SPDX-License-Identifier: Apache-2.0
 *
 * What libazcloudhsm_api_socket.so exports: the public names over struct client, which is
 * what the opaque struct azcloudhsm is.
 */
#include <azurecloudhsm/azcloudhsm_api.h>

#include "api/call.h"

#include <string.h>

_Static_assert(AZCLOUDHSM_ROLE_CU == ROLE_CU && AZCLOUDHSM_ROLE_CO == ROLE_CO,
               "the public roles are the wire's");

static struct client *
client_of(struct azcloudhsm *hsm)
{
    return (struct client *)(void *)hsm;
}

PUBLIC unsigned long
azcloudhsm_open(struct azcloudhsm **ret_hsm)
{
    const struct client_options options = { .interface = INTERFACE_API };
    struct client *client = NULL;

    if (ret_hsm == NULL) {
        return CKR_ARGUMENTS_BAD;
    }

    CK_RV rv = client_open(&options, &client);

    if (rv == CKR_OK) {
        *ret_hsm = (struct azcloudhsm *)(void *)client;
    }
    return rv;
}

PUBLIC void
azcloudhsm_close(struct azcloudhsm *hsm)
{
    client_close(client_of(hsm));
}

PUBLIC unsigned long
azcloudhsm_login(struct azcloudhsm *hsm, uint32_t role, const char *user, const void *password,
                 size_t password_len)
{
    struct login_reply reply;
    struct call call;
    CK_RV rv;

    if (hsm == NULL || user == NULL || (password == NULL && password_len > 0)) {
        return CKR_ARGUMENTS_BAD;
    }

    const struct login_request request = {
        .role = role,
        .name = view_str(user),
        .password = view_of(password, password_len),
    };

    if ((rv = call_begin(client_of(hsm), &call)) != CKR_OK) {
        goto out;
    }
    login_request_write(call.body, &request);
    if ((rv = call_send(&call, OPERATION_LOGIN, 0, 0)) == CKR_OK &&
        !login_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
out:
    call_end(&call);
    return rv;
}

PUBLIC unsigned long
azcloudhsm_logout(struct azcloudhsm *hsm)
{
    struct call call;
    CK_RV rv;

    if (hsm == NULL) {
        return CKR_ARGUMENTS_BAD;
    }
    if ((rv = call_begin(client_of(hsm), &call)) == CKR_OK) {
        rv = call_send(&call, OPERATION_LOGOUT, 0, 0);
    }
    call_end(&call);
    return rv;
}

PUBLIC unsigned long
azcloudhsm_random(struct azcloudhsm *hsm, void *out, size_t len)
{
    const struct random_request request = { .len = (uint32_t)len };
    struct random_reply reply;
    struct call call;
    CK_RV rv;

    if (hsm == NULL || out == NULL || len > FRAME_DATA_MAX) {
        return CKR_ARGUMENTS_BAD;
    }
    if ((rv = call_begin(client_of(hsm), &call)) != CKR_OK) {
        goto out;
    }
    random_request_write(call.body, &request);
    if ((rv = call_send(&call, OPERATION_RANDOM, 0, 0)) != CKR_OK) {
        goto out;
    }
    if (!random_reply_read(call.reply, &reply) || reply.data.len != len) {
        rv = CKR_DEVICE_ERROR;
        goto out;
    }
    memcpy(out, reply.data.data, len);
out:
    call_end(&call);
    return rv;
}

PUBLIC const char *
azcloudhsm_error(unsigned long code)
{
    return return_name(code);
}
