/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: login and users. A command goes to every server in turn and says for
 * each how it went.
 */
#include "tools/mgmt.h"

#include "tools/console.h"
#include "wire/role.h"

#define BODY_MAX 4096u
#define USERS_BYTES_MAX (8u * 1024u * 1024u) /* of one server, all pages */

/* What stands for the password in the line, or asks for it. NULL: none was given. */
static struct secret *
password_get(const struct values *values, bool twice)
{
    return console_password(values_secret(values, "password"), twice);
}

/* `Creating User cu1(CU) on 3 nodes` */
static void
say_begin(const struct mgmt *mgmt, const char *act, const struct values *values)
{
    printf("%s %s(%s) on %zu nodes\n", act, values_text(values, "user"),
           values_text(values, "type"), mgmt_connected(mgmt));
}

static bool
login_show(void *arg, struct mgmt_server *server, view reply)
{
    UNUSED(reply);
    snprintf(server->login, sizeof server->login, "%s", (const char *)arg);
    return true;
}

static bool
logout_show(void *arg, struct mgmt_server *server, view reply)
{
    UNUSED(arg);
    UNUSED(reply);
    server->login[0] = '\0';
    return true;
}

enum status
mgmt_login(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct secret *password = password_get(values, false);
    struct writer body;

    if (password == NULL) {
        return STATUS_MISUSED;
    }

    const struct login_request request = {
        .role = values_number(values, "type", ROLE_NONE),
        .name = view_str(values_text(values, "user")),
        .password = secret_view(password),
    };

    /* No officer's password for a server that nobody vouches for. */
    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        if (caller_is_unowned(server->caller) && request.role != ROLE_PRECO) {
            mgmt_failed("loginHSM", "login", server, CODE_UNOWNED);
            secret_free(password);
            return STATUS_REFUSED;
        }
    }
    writer_init(&body, BODY_MAX);
    login_request_write(&body, &request);

    char login[sizeof mgmt->servers[0].login];

    snprintf(login, sizeof login, "%.40s(%s)", values_text(values, "user"),
             role_name(request.role));

    const struct mgmt_step step = { "loginHSM", "login",   OPERATION_LOGIN, ASK_NOT,
                                    login_show, login, false };
    enum status status = mgmt_everywhere(mgmt, &step, &body);

    writer_clear(&body);
    secret_free(password);
    return status;
}

enum status
mgmt_logout(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct writer body;

    UNUSED(values);
    writer_init(&body, BODY_MAX);

    const struct mgmt_step step = { "logoutHSM", "logout", OPERATION_LOGOUT, ASK_NOT,
                                    logout_show, NULL,     false };
    enum status status = mgmt_everywhere(mgmt, &step, &body);

    writer_clear(&body);
    return status;
}

enum status
mgmt_create_user(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct secret *password;
    struct writer body;

    if (!mgmt_confirmed()) {
        return STATUS_REFUSED;
    }
    if ((password = password_get(values, true)) == NULL) {
        return STATUS_MISUSED;
    }

    const struct user_create_request request = {
        .role = values_number(values, "type", ROLE_NONE),
        .name = view_str(values_text(values, "user")),
        .password = secret_view(password),
    };

    writer_init(&body, BODY_MAX);
    user_create_request_write(&body, &request);
    say_begin(mgmt, "Creating User", values);

    const struct mgmt_step step = { .command = "createUser",
                                    .act = "creating user",
                                    .operation = OPERATION_USER_CREATE,
                                    .ask = ASK_ABORT };
    enum status status = mgmt_everywhere(mgmt, &step, &body);

    writer_clear(&body);
    secret_free(password);
    return status;
}

enum status
mgmt_delete_user(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const struct user_delete_request request = {
        .role = values_number(values, "type", ROLE_NONE),
        .name = view_str(values_text(values, "user")),
    };
    struct writer body;

    if (!mgmt_confirmed()) {
        return STATUS_REFUSED;
    }
    writer_init(&body, BODY_MAX);
    user_delete_request_write(&body, &request);
    say_begin(mgmt, "Deleting user", values);

    const struct mgmt_step step = { .command = "deleteUser",
                                    .act = "deleting user",
                                    .operation = OPERATION_USER_DELETE,
                                    .ask = ASK_ROLL_BACK };
    enum status status = mgmt_everywhere(mgmt, &step, &body);

    writer_clear(&body);
    return status;
}

enum status
mgmt_change_password(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct secret *password;
    struct writer body;

    if (!mgmt_confirmed()) {
        return STATUS_REFUSED;
    }
    if ((password = password_get(values, true)) == NULL) {
        return STATUS_MISUSED;
    }

    const struct user_password_request request = {
        .role = values_number(values, "type", ROLE_NONE),
        .name = view_str(values_text(values, "user")),
        .password = secret_view(password),
    };

    writer_init(&body, BODY_MAX);
    user_password_request_write(&body, &request);
    say_begin(mgmt, "Changing password for", values);

    const struct mgmt_step step = { .command = "changePswd",
                                    .act = "changing password",
                                    .operation = OPERATION_USER_PASSWORD,
                                    .ask = ASK_ABORT };
    enum status status = mgmt_everywhere(mgmt, &step, &body);

    writer_clear(&body);
    secret_free(password);
    return status;
}

static json_t *
user_json(const struct user_info *user)
{
    return json_pack("{s:i,s:s,s:s%,s:b,s:i,s:b}", "id", (int)user->id, "type",
                     role_name(user->role), "name", (const char *)user->name.data,
                     user->name.len, "mofn_key", user->quorum_key, "failures",
                     (int)user->failures, "second_factor", user->second_factor);
}

static void
users_json(const struct mgmt_server *server, view users, json_t *list)
{
    struct reader r = reader_of(users);
    struct user_info user;
    json_t *found = json_array();
    json_t *entry = mgmt_json_server(server);

    while (user_array_next(&r, &user)) {
        json_array_append_new(found, user_json(&user));
    }
    json_object_set_new(entry, "users", found);
    json_array_append_new(list, entry);
}

static void
users_print(const struct mgmt_server *server, view users)
{
    struct reader r = reader_of(users);
    struct user_info user;
    unsigned count = 0;

    while (user_array_next(&r, &user)) {
        count++;
    }
    printf("Users on server %u(%s):\nNumber of users found:%u\n\n", server->number,
           server->settings->hostname, count);
    printf("    %-18s  %-14s  %-33s  %-15s  %-22s  %s\n", "User Id", "User Type", "User Name",
           "MofnPubKey", "LoginFailureCnt", "2FA");
    r = reader_of(users);
    while (user_array_next(&r, &user)) {
        printf("    %-18u  %-14s  %-33.*s  %-15s  %-22u  %s\n", (unsigned)user.id,
               role_name(user.role), (int)user.name.len, (const char *)user.name.data,
               user.quorum_key ? "YES" : "NO", (unsigned)user.failures,
               user.second_factor ? "YES" : "NO");
    }
}

/* All pages of one server, one after the other, as they stand in the replies. */
static CK_RV
users_fetch(struct mgmt_server *server, struct writer *users)
{
    struct user_list_request request = { .after = 0, .max = USERS_PAGE_MAX };
    struct user_list_reply reply = { .more = true };
    CK_RV rv = CKR_OK;

    while (rv == CKR_OK && reply.more) {
        struct writer body;
        struct reader r;
        struct user_info user;
        view bytes;

        writer_init(&body, BODY_MAX);
        user_list_request_write(&body, &request);
        rv = mgmt_call(server, OPERATION_USER_LIST, &body, &bytes);
        writer_clear(&body);
        if (rv != CKR_OK) {
            break;
        }
        if (!user_list_reply_read(bytes, &reply)) {
            return CKR_DEVICE_ERROR;
        }
        write_raw(users, reply.users.bytes);
        r = reader_of(reply.users.bytes);
        if (reply.more && reply.users.bytes.len == 0) {
            return CKR_DEVICE_ERROR;
        }
        while (user_array_next(&r, &user)) {
            request.after = user.id;
        }
    }
    return rv == CKR_OK && !writer_ok(users) ? CKR_HOST_MEMORY : rv;
}

enum status
mgmt_list_users(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    enum status status = STATUS_DONE;
    json_t *list = values_given(values, "--json") ? json_array() : NULL;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct writer users;
        CK_RV rv;

        writer_init(&users, USERS_BYTES_MAX);
        rv = users_fetch(server, &users);
        if (rv != CKR_OK) {
            mgmt_failed("listUsers", "listing users", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            users_json(server, writer_view(&users), list);
        } else {
            users_print(server, writer_view(&users));
        }
        writer_clear(&users);
    }
    return list != NULL ? mgmt_json_print(list, status) : status;
}
