/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of azcloudhsm_mgmt_util, and its connections.
 */
#include "tools/mgmt.h"

/* Longer than any password check waits in a node's queue. */
#define CALL_LIMIT_MS 65000u

static enum status help(void *tool, const struct values *values);

static enum status
leave(void *tool, const struct values *values)
{
    UNUSED(tool);
    UNUSED(values);
    return STATUS_LEAVE;
}

/* clang-format off */
#define USER                                                                            \
        { "type",     "TYPE",     ARGUMENT_ROLE,   NEED_ALWAYS, 0, 0, "type of the user: PRECO, CO, CU, AU" }, \
        { "user",     "USER",     ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0, "name of the user" }
#define PASSWORD                                                                        \
        { "password", "PASSWORD", ARGUMENT_SECRET, NEED_ALWAYS, 0, 0, "password; -hpswd asks for it without showing it" }

static const struct command rows[] = {
    { "loginHSM",   mgmt_login,           false, "logs a user in on all servers", { USER, PASSWORD } },
    { "logoutHSM",  mgmt_logout,          false, "logs the user out on all servers", { { 0 } } },
    { "createUser", mgmt_create_user,     false, "creates a user", { USER, PASSWORD } },
    { "deleteUser", mgmt_delete_user,     false, "deletes a user who owns no keys", { USER } },
    { "changePswd", mgmt_change_password, false, "changes a password, and unlocks the user", { USER, PASSWORD } },
    { "listUsers",  mgmt_list_users,      false, "lists the users of each server", { { 0 } } },
    { "help",       help,                 true,  "lists the commands, or explains one", {
        { "command",  "COMMAND",  ARGUMENT_TEXT,   NEED_NOT,    0, 0, "which one" } } },
    { "quit",       leave,                true,  "ends this tool", { { 0 } } },
};
/* clang-format on */

const struct command_table mgmt_commands = { rows, ARRAY_COUNT(rows), true };

static enum status
help(void *tool, const struct values *values)
{
    const char *name = values_text(values, "command");
    const char *error = NULL;

    UNUSED(tool);
    if (name == NULL) {
        command_list(&mgmt_commands, stdout);
        return STATUS_DONE;
    }

    const struct command *command = command_find(&mgmt_commands, name, &error);

    if (command == NULL) {
        fprintf(stderr, "%s: %s\n", name, error);
        return STATUS_MISUSED;
    }
    command_help(command, stdout);
    return STATUS_DONE;
}

static bool
server_connect(struct mgmt *mgmt, struct mgmt_server *server)
{
    const struct settings_server *settings = server->settings;
    char error[512];

    printf("\nConnecting to 'server %u': hostname '%s', port %u...\n", server->number,
           settings->hostname, settings->manage_port);
    fflush(stdout);
    server->caller = caller_open(settings->hostname, settings->manage_port, mgmt->tls,
                                 CALL_LIMIT_MS, error, sizeof error);
    if (server->caller == NULL) {
        printf("%s\nServer %u is not connected\n", error, server->number);
        return false;
    }
    printf("Connected to 'server %u': hostname '%s', port %u.\n"
           "E2E enabled on server %u(%s)\n",
           server->number, settings->hostname, settings->manage_port, server->number,
           settings->hostname);
    return true;
}

size_t
mgmt_connect(struct mgmt *mgmt)
{
    size_t count = 0;

    for (size_t i = 0; i < mgmt->server_count; i++) {
        struct mgmt_server *server = &mgmt->servers[i];

        if (server->caller != NULL || server_connect(mgmt, server)) {
            count++;
        }
    }
    return count;
}

void
mgmt_disconnect(struct mgmt *mgmt)
{
    for (size_t i = 0; i < mgmt->server_count; i++) {
        caller_close(mgmt->servers[i].caller);
        mgmt->servers[i].caller = NULL;
    }
}

CK_RV
mgmt_call(struct mgmt_server *server, enum operation operation, const struct writer *body,
          view *ret_reply)
{
    if (!writer_ok(body)) {
        return CKR_HOST_MEMORY;
    }

    CK_RV rv = caller_call(server->caller, operation, writer_view(body), ret_reply);

    if (rv == CKR_DEVICE_ERROR) {
        caller_close(server->caller);
        server->caller = NULL;
    }
    return rv;
}
