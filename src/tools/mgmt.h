/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the management tool. It talks to each node's management port itself,
 * and trusts the nodes that PO.crt has signed. Its commands are rows of mgmt_commands.
 */
#ifndef TOOLS_MGMT_H
#define TOOLS_MGMT_H

#include "net/caller.h"
#include "net/settings.h"
#include "tools/command.h"

struct mgmt_server {
    const struct settings_server *settings;
    unsigned number;       /* `server 0` */
    struct caller *caller; /* NULL: not connected */
};

struct mgmt {
    struct client_settings settings;
    struct tls_context *tls;
    struct mgmt_server servers[SETTINGS_SERVERS_MAX];
    size_t server_count;
};

extern const struct command_table mgmt_commands;

/* Connects to each server that has no connection, with the lines for it; the number of
 * connections there are then. */
size_t mgmt_connect(struct mgmt *mgmt);
void mgmt_disconnect(struct mgmt *mgmt);

/* One call to one server; a lost connection is closed. */
CK_RV mgmt_call(struct mgmt_server *server, enum operation operation, const struct writer *body,
                view *ret_reply);

enum status mgmt_login(void *tool, const struct values *values);
enum status mgmt_logout(void *tool, const struct values *values);
enum status mgmt_create_user(void *tool, const struct values *values);
enum status mgmt_delete_user(void *tool, const struct values *values);
enum status mgmt_change_password(void *tool, const struct values *values);
enum status mgmt_list_users(void *tool, const struct values *values);

#endif
