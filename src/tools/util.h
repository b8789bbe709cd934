/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: the key tool for crypto users, over the daemon of this host. Its commands
 * are rows of util_commands; its output follows the original's lines.
 */
#ifndef TOOLS_UTIL_H
#define TOOLS_UTIL_H

#include "api/appcfg.h"
#include "api/client.h"
#include "tools/command.h"

struct util {
    struct client *client;
    struct appcfg config;
    bool aws; /* the cluster block in its older form */
    uint32_t session_objects; /* made so far */
};

extern const struct command_table util_commands;

/* Session of the tool's requests: its session keys end with it. */
#define UTIL_SESSION 1u

/* `<tab>NAME returned: 0x00 : HSM Return: SUCCESS`. DONE for CKR_OK, else REFUSED. */
enum status util_returned(const char *name, CK_RV rv);
/* The block that tells each node's answer. */
void util_cluster(const struct util *util, CK_RV rv);

enum status util_login(void *tool, const struct values *values);
enum status util_logout(void *tool, const struct values *values);
enum status util_list_users(void *tool, const struct values *values);
enum status util_gen_sym_key(void *tool, const struct values *values);
enum status util_gen_rsa_pair(void *tool, const struct values *values);
enum status util_gen_ecc_pair(void *tool, const struct values *values);
enum status util_find_key(void *tool, const struct values *values);
enum status util_key_info(void *tool, const struct values *values);
enum status util_delete_key(void *tool, const struct values *values);

#endif
