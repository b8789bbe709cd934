/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: login, logout and the list of users.
 */
#include "tools/util.h"

#include "tools/console.h"
#include "wire/role.h"

#define USERS_BYTES_MAX (8u * 1024u * 1024u) /* all pages of the list */

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

/* From where the options say. NULL: said why. */
static struct secret *
password_read(const struct values *values)
{
    const bool asked = values_given(values, "-hpswd");

    if (values_given(values, "-p") == asked) {
        fputs("loginHSM: give the password with -p, or -hpswd to be asked for it\n", stderr);
        return NULL;
    }
    return console_password(asked ? VIEW_TEXT("-hpswd") : values_secret(values, "-p"), false);
}

enum status
util_login(void *tool, const struct values *values)
{
    struct util *util = tool;
    const uint32_t role = values_number(values, "-u", ROLE_NONE);
    const char *name = values_text(values, "-s");
    struct secret *password = password_read(values);
    CK_RV rv;

    if (password == NULL) {
        return STATUS_MISUSED;
    }
    rv = login(util, role, name, secret_view(password));

    enum status status = util_returned("Cfm3LoginHSM", rv);

    util_cluster(util, rv);
    secret_free(password);
    if (rv == CKR_OK) {
        util->role = role;
        snprintf(util->user, sizeof util->user, "%s", name);
    }
    return status;
}

enum status
util_login_status(void *tool, const struct values *values)
{
    struct util *util = tool;
    const bool in = util->user[0] != '\0';

    UNUSED(values);
    if (in) {
        printf("\n\tLogged in as '%s(%s)'\n", util->user, role_name(util->role));
    } else {
        printf("\n\tNot logged in\n");
    }
    util_json(util, json_pack("{s:b, s:s, s:s}", "logged_in", in, "user", util->user, "role",
                              in ? role_name(util->role) : ""));
    return util_returned("Cfm3LoginStatus", CKR_OK);
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
    if (rv == CKR_OK) {
        util->user[0] = '\0';
    }
    call_end(&call);

    enum status status = util_returned("Cfm3LogoutHSM", rv);

    util_cluster(util, rv);
    return status;
}

static void
users_print(const struct util *util, view users)
{
    struct reader r = reader_of(users);
    json_t *json = json_array();
    struct user_info user;
    unsigned count = 0;

    while (user_array_next(&r, &user)) {
        count++;
    }
    printf("\n\tNumber Of Users found %u\n\n", count);
    printf("\t%-10s  %-10s  %-14s  %-32s  %-12s  %-16s  %s\n", "Index", "User ID", "User Type",
           "User Name", "MofnPubKey", "LoginFailureCnt", "2FA");
    r = reader_of(users);
    for (unsigned i = 1; user_array_next(&r, &user); i++) {
        printf("\t%-10u  %-10u  %-14s  %-32.*s  %-12s  %-16u  %s\n", i, (unsigned)user.id,
               role_name(user.role), (int)user.name.len, (const char *)user.name.data,
               user.quorum_key ? "YES" : "NO", (unsigned)user.failures,
               user.second_factor ? "YES" : "NO");
        json_array_append_new(
            json, json_pack("{s:I, s:s, s:o, s:b, s:I, s:b}", "id", (json_int_t)user.id, "type",
                            role_name(user.role), "name", util_json_text(user.name),
                            "mofn_key", user.quorum_key, "failures",
                            (json_int_t)user.failures, "second_factor", user.second_factor));
    }
    util_json(util, json_pack("{s:I, s:o}", "count", (json_int_t)count, "users", json));
}

/* The users numbered above *after, appended; the last one's number is in *after then. */
static CK_RV
users_page(struct util *util, uint32_t *after, struct writer *users, bool *ret_more)
{
    const struct user_list_request m = { *after, USERS_PAGE_MAX };
    struct user_list_reply reply;
    struct call call;
    CK_RV rv = call_begin(util->client, &call);

    if (rv == CKR_OK) {
        user_list_request_write(call.body, &m);
        rv = call_send(&call, OPERATION_USER_LIST, 0, 0);
    }
    if (rv == CKR_OK && !user_list_reply_read(call.reply, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        struct reader r = reader_of(reply.users.bytes);
        struct user_info user = { .id = *after };

        write_raw(users, reply.users.bytes);
        while (user_array_next(&r, &user)) {
        }
        *ret_more = reply.more && user.id > *after;
        *after = user.id;
    }
    call_end(&call);
    return rv;
}

enum status
util_list_users(void *tool, const struct values *values)
{
    struct util *util = tool;
    struct writer users;
    uint32_t after = 0;
    bool more = true;
    CK_RV rv = CKR_OK;

    UNUSED(values);
    writer_init(&users, USERS_BYTES_MAX);
    while (rv == CKR_OK && more) {
        rv = users_page(util, &after, &users, &more);
    }
    if (rv == CKR_OK && writer_ok(&users)) {
        users_print(util, writer_view(&users));
    }
    writer_clear(&users);
    return util_returned("Cfm3ListUsers", rv);
}
