/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: login and users. A command goes to every server in turn and says for
 * each how it went.
 */
#include "tools/mgmt.h"

#include "tools/code.h"
#include "tools/console.h"
#include "wire/role.h"

#define BODY_MAX 4096u

/* Shown before what a node keeps for itself until all of them were told. */
static const char caution[] =
    "\n*************************CAUTION********************************\n"
    "This is a CRITICAL operation, should be done on all nodes in the\n"
    "cluster. The server does NOT synchronize these changes\n"
    "automatically with the nodes on which this operation is not\n"
    "executed or failed, please ensure this operation is executed on\n"
    "all nodes in the cluster.\n"
    "****************************************************************\n\n";

static bool
confirmed(void)
{
    fputs(caution, stdout);
    return console_confirm("Do you want to continue(y/n)?");
}

/* What stands for the password in the line, or asks for it. NULL: none was given. */
static struct secret *
password_get(const struct values *values, bool twice)
{
    view given = values_secret(values, "password");

    if (!view_equal(given, VIEW_TEXT("-hpswd"))) {
        return secret_dup(given);
    }

    struct secret *password = console_secret("Enter password: ");

    if (password != NULL && twice) {
        struct secret *again = console_secret("Confirm password: ");

        if (again == NULL || !view_equal_secret(secret_view(password), secret_view(again))) {
            fputs("the passwords differ\n", stderr);
            secret_free(password);
            password = NULL;
        }
        secret_free(again);
    }
    return password;
}

/*
 * The same request to every server that is connected. act says what failed in the line for
 * the server: "creating user".
 */
static enum status
everywhere(struct mgmt *mgmt, const char *command, const char *act, enum operation operation,
           const struct writer *body)
{
    enum status status = STATUS_DONE;

    for (size_t i = 0; i < mgmt->server_count; i++) {
        struct mgmt_server *server = &mgmt->servers[i];
        view reply;

        if (server->caller == NULL) {
            continue;
        }

        CK_RV rv = mgmt_call(server, operation, body, &reply);

        if (rv == CKR_OK) {
            printf("%s success on server %u(%s)\n", command, server->number,
                   server->settings->hostname);
        } else {
            printf("%s failed: %s\n%s on server %u(%s) failed\n", command, code_of(rv)->text, act,
                   server->number, server->settings->hostname);
            status = STATUS_REFUSED;
        }
    }
    return status;
}

static size_t
connected_count(const struct mgmt *mgmt)
{
    size_t count = 0;

    for (size_t i = 0; i < mgmt->server_count; i++) {
        count += mgmt->servers[i].caller != NULL;
    }
    return count;
}

/* `Creating User cu1(CU) on 3 nodes` */
static void
say_begin(const struct mgmt *mgmt, const char *act, const struct values *values)
{
    printf("%s %s(%s) on %zu nodes\n", act, values_text(values, "user"),
           values_text(values, "type"), connected_count(mgmt));
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

    writer_init(&body, BODY_MAX);
    login_request_write(&body, &request);

    enum status status = everywhere(mgmt, "loginHSM", "login", OPERATION_LOGIN, &body);

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

    enum status status = everywhere(mgmt, "logoutHSM", "logout", OPERATION_LOGOUT, &body);

    writer_clear(&body);
    return status;
}

enum status
mgmt_create_user(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct secret *password;
    struct writer body;

    if (!confirmed()) {
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

    enum status status =
        everywhere(mgmt, "createUser", "creating user", OPERATION_USER_CREATE, &body);

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

    if (!confirmed()) {
        return STATUS_REFUSED;
    }
    writer_init(&body, BODY_MAX);
    user_delete_request_write(&body, &request);
    say_begin(mgmt, "Deleting user", values);

    enum status status =
        everywhere(mgmt, "deleteUser", "deleting user", OPERATION_USER_DELETE, &body);

    writer_clear(&body);
    return status;
}

enum status
mgmt_change_password(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct secret *password;
    struct writer body;

    if (!confirmed()) {
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

    enum status status =
        everywhere(mgmt, "changePswd", "changing password", OPERATION_USER_PASSWORD, &body);

    writer_clear(&body);
    secret_free(password);
    return status;
}

static void
users_print(const struct mgmt_server *server, struct user_array users)
{
    struct reader r = reader_of(users.bytes);
    struct user_info user;
    unsigned count = 0;

    while (user_array_next(&r, &user)) {
        count++;
    }
    printf("Users on server %u(%s):\nNumber of users found:%u\n\n", server->number,
           server->settings->hostname, count);
    printf("    %-18s  %-14s  %-33s  %-15s  %-22s  %s\n", "User Id", "User Type", "User Name",
           "MofnPubKey", "LoginFailureCnt", "2FA");
    r = reader_of(users.bytes);
    while (user_array_next(&r, &user)) {
        printf("    %-18u  %-14s  %-33.*s  %-15s  %-22u  %s\n", (unsigned)user.id,
               role_name(user.role), (int)user.name.len, (const char *)user.name.data,
               user.quorum_key ? "YES" : "NO", (unsigned)user.failures,
               user.second_factor ? "YES" : "NO");
    }
}

enum status
mgmt_list_users(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    enum status status = STATUS_DONE;
    struct writer body;

    UNUSED(values);
    writer_init(&body, BODY_MAX);
    for (size_t i = 0; i < mgmt->server_count; i++) {
        struct mgmt_server *server = &mgmt->servers[i];
        struct user_list_reply reply;
        view bytes;

        if (server->caller == NULL) {
            continue;
        }

        CK_RV rv = mgmt_call(server, OPERATION_USER_LIST, &body, &bytes);

        if (rv == CKR_OK && !user_list_reply_read(bytes, &reply)) {
            rv = CKR_DEVICE_ERROR;
        }
        if (rv == CKR_OK) {
            users_print(server, reply.users);
        } else {
            printf("listUsers failed: %s\nlisting users on server %u(%s) failed\n",
                   code_of(rv)->text, server->number, server->settings->hostname);
            status = STATUS_REFUSED;
        }
    }
    writer_clear(&body);
    return status;
}
