/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: login, logout and the list of users.
 */
#include "tools/util.h"

#include "tools/console.h"
#include "wire/role.h"

static CK_RV
login(struct util *util, uint32_t role, const char *name, view password)
{
    const struct login_request request = {
        .role = role,
        .name = view_str(name),
        .password = password,
    };
    struct login_reply reply;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        login_request_write(call.body, &request);
        rv = call_send(&call, OPERATION_LOGIN, 0, 0);
    }
    if (rv == CKR_OK && !login_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    call_end(&call);
    return rv;
}

enum status
util_login(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct secret *asked = NULL;
    view password = values_secret(values, "-p");

    if (values_given(values, "-p") == values_given(values, "-hpswd")) {
        fputs("loginHSM: give the password with -p, or -hpswd to be asked for it\n", stderr);
        return STATUS_MISUSED;
    }
    if (values_given(values, "-hpswd")) {
        asked = console_secret("Enter password: ");
        if (asked == NULL) {
            return STATUS_MISUSED;
        }
        password = secret_view(asked);
    }

    CK_RV rv = login(util, values_number(values, "-u", ROLE_NONE), values_text(values, "-s"),
                     password);
    enum status status = util_returned("Cfm3LoginHSM", rv);

    util_cluster(util, rv);
    secret_free(asked);
    return status;
}

enum status
util_logout(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    UNUSED(values);
    if (rv == CKR_OK) {
        rv = call_send(&call, OPERATION_LOGOUT, 0, 0);
    }
    call_end(&call);

    enum status status = util_returned("Cfm3LogoutHSM", rv);

    util_cluster(util, rv);
    return status;
}

static void
users_print(struct user_array users)
{
    struct reader r = reader_of(users.bytes);
    struct user_info user;
    unsigned count = 0;

    while (user_array_next(&r, &user)) {
        count++;
    }
    printf("\n\tNumber Of Users found %u\n\n", count);
    printf("\t%-10s  %-10s  %-14s  %-32s  %-12s  %-16s  %s\n", "Index", "User ID", "User Type",
           "User Name", "MofnPubKey", "LoginFailureCnt", "2FA");
    r = reader_of(users.bytes);
    for (unsigned i = 1; user_array_next(&r, &user); i++) {
        printf("\t%-10u  %-10u  %-14s  %-32.*s  %-12s  %-16u  %s\n", i, (unsigned)user.id,
               role_name(user.role), (int)user.name.len, (const char *)user.name.data,
               user.quorum_key ? "YES" : "NO", (unsigned)user.failures,
               user.second_factor ? "YES" : "NO");
    }
}

enum status
util_list_users(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct user_list_reply reply;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    UNUSED(values);
    if (rv == CKR_OK) {
        rv = call_send(&call, OPERATION_USER_LIST, 0, 0);
    }
    if (rv == CKR_OK && !user_list_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        users_print(reply.users);
    }
    call_end(&call);
    return util_returned("Cfm3ListUsers", rv);
}
