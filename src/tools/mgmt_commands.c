/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of azcloudhsm_mgmt_util's commands, made of the rows of mgmt_commands.def, and help.
 */
#include "tools/mgmt.h"

/* clang-format off */
#define NONE { 0 }
#define MGMT_JSON \
        { "--json",   NULL,       ARGUMENT_FLAG,   NEED_NOT,    0, 0, "as JSON, on one line" }
#define MGMT_USER                                                                            \
        { "type",     "TYPE",     ARGUMENT_ROLE,   NEED_ALWAYS, 0, 0, "type of the user: PRECO, CO, CU, AU" }, \
        { "user",     "USER",     ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0, "name of the user" }
#define MGMT_SECOND_FACTOR                                                                   \
        { "-2fa",     "FILE",     ARGUMENT_TEXT,   NEED_NOT,    0, 0,                        \
          "a second factor of a CO, RSA of 2048 bits: what it is to sign is written there, and read back" }
#define MGMT_PASSWORD                                                                        \
        { "password", "PASSWORD", ARGUMENT_SECRET, NEED_ALWAYS, 0, 0,                        \
          "password; -hpswd asks for it without showing it, -hpswd=fd:N reads it from a descriptor, -hpswd=env:NAME from the environment" }
/* clang-format on */

/* COMMAND( quit, mgmt_quit, COMMAND_OFFLINE, "ends this tool", NONE ) becomes
 * { "quit", mgmt_quit, COMMAND_OFFLINE, "ends this tool", { { 0 } } }, */
#define COMMAND(name, run, flags, help, ...) { #name, run, flags, help, { __VA_ARGS__ } },
static const struct command rows[] = {
#include "tools/mgmt_commands.def"
};
#undef COMMAND

const struct command_table mgmt_commands = { rows, ARRAY_COUNT(rows), true };

enum status
mgmt_help(void *tool, const struct values *values)
{
    UNUSED(tool);
    return command_explain(&mgmt_commands, values_text(values, "command"));
}

enum status
mgmt_quit(void *tool, const struct values *values)
{
    UNUSED(tool);
    UNUSED(values);
    return STATUS_LEAVE;
}
