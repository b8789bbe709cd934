/* SPDX-License-Identifier: Apache-2.0
 *
 * The commands of azcloudhsm_util, and the lines that several of them share.
 */
#include "tools/util.h"

#include "tools/code.h"

static enum status help(void *tool, const struct values *values);

static enum status
leave(void *tool, const struct values *values)
{
    UNUSED(tool);
    UNUSED(values);
    return STATUS_LEAVE;
}

/* clang-format off */
#define U32 UINT32_MAX
#define KEY_OPTIONS                                                                               \
        { "-l",                "LABEL",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "label of the key" }, \
        { "-id",               "ID",     ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "id of the key; no other key may have it" }, \
        { "-sess",             NULL,     ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "a session key: it ends with this tool" }, \
        { "-nex",              NULL,     ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "the key can never be extracted" }, \
        { "-wrap_with_trusted", "0/1",   ARGUMENT_SWITCH, NEED_NOT,    0, 1,   "may be wrapped by trusted keys alone" }, \
        { "-min_srv",          "COUNT",  ARGUMENT_NUMBER, NEED_NOT,    1, 1,   "nodes that must have the key (1: they share their keys)" }, \
        { "-timeout",          "SECONDS", ARGUMENT_NUMBER, NEED_NOT,   0, U32, "taken and not needed: see -min_srv" }

/*     argument          value    type            need         min max  help */
static const struct command rows[] = {
    { "loginHSM", util_login, false, "logs a user in", {
        { "-u",          "TYPE",  ARGUMENT_ROLE,   NEED_ALWAYS, 0, 0,   "type of the user: CU, CO" },
        { "-s",          "USER",  ARGUMENT_TEXT,   NEED_ALWAYS, 0, 0,   "name of the user" },
        { "-p",          "PASSWORD", ARGUMENT_SECRET, NEED_NOT, 0, 0,   "password" },
        { "-hpswd",      NULL,    ARGUMENT_FLAG,   NEED_NOT,    0, 0,   "asks for the password without showing it" } } },
    { "logoutHSM", util_logout, false, "logs the user out", { { 0 } } },
    { "genSymKey", util_gen_sym_key, false, "makes a symmetric key", {
        { "-t",          "TYPE",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "16 generic secret, 18 RC4, 21 triple DES, 31 AES" },
        { "-s",          "BYTES", ARGUMENT_NUMBER, NEED_ALWAYS, 1, 3584, "size of the key" },
        KEY_OPTIONS } },
    { "genRSAKeyPair", util_gen_rsa_pair, false, "makes an RSA key pair", {
        { "-m",          "BITS",  ARGUMENT_NUMBER, NEED_ALWAYS, 0, 65536, "size of the modulus: 2048 to 4096 in steps of 256" },
        { "-e",          "EXPONENT", ARGUMENT_NUMBER, NEED_ALWAYS, 65537, U32, "public exponent: odd, from 65537 on" },
        KEY_OPTIONS } },
    { "genECCKeyPair", util_gen_ecc_pair, false, "makes a key pair on an elliptic curve", {
        { "-i",          "CURVE", ARGUMENT_NUMBER, NEED_ALWAYS, 1, 29,  "2 P-256, 14 P-384, 15 P-521, 16 secp256k1, 28 Ed25519, 26 X25519" },
        KEY_OPTIONS } },
    { "findKey", util_find_key, false, "lists the handles of keys", {
        { "-c",          "CLASS", ARGUMENT_NUMBER, NEED_NOT,    2, 4,   "2 public, 3 private, 4 secret" },
        { "-t",          "TYPE",  ARGUMENT_NUMBER, NEED_NOT,    0, U32, "0 RSA, 3 EC, 16 generic secret, 31 AES" },
        { "-l",          "LABEL", ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "label of the key" },
        { "-id",         "ID",    ARGUMENT_TEXT,   NEED_NOT,    0, 0,   "id of the key" },
        { "-sess",       "0/1",   ARGUMENT_SWITCH, NEED_NOT,    0, 1,   "1: session keys alone; 0: the others alone" } } },
    { "getKeyInfo", util_key_info, false, "tells whose a key is", {
        { "-k",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key" } } },
    { "deleteKey", util_delete_key, false, "deletes a key; of a pair, one half", {
        { "-k",          "HANDLE", ARGUMENT_NUMBER, NEED_ALWAYS, 0, U32, "handle of the key" } } },
    { "listUsers", util_list_users, false, "lists the users", { { 0 } } },
    { "help", help, true, "lists the commands, or explains one", {
        { "command",     "COMMAND", ARGUMENT_TEXT, NEED_NOT,    0, 0,   "which one" } } },
    { "exit", leave, true, "ends this tool", { { 0 } } },
};
/* clang-format on */

const struct command_table util_commands = { rows, ARRAY_COUNT(rows), false };

static enum status
help(void *tool, const struct values *values)
{
    const char *name = values_text(values, "command");
    const char *error = NULL;

    UNUSED(tool);
    if (name == NULL) {
        command_list(&util_commands, stdout);
        return STATUS_DONE;
    }

    const struct command *command = command_find(&util_commands, name, &error);

    if (command == NULL) {
        fprintf(stderr, "%s: %s\n", name, error);
        return STATUS_MISUSED;
    }
    command_help(command, stdout);
    return STATUS_DONE;
}

enum status
util_returned(const char *name, CK_RV rv)
{
    const struct code *code = code_of(rv);

    printf("\n\t%s returned: 0x%02x : %s: %s\n", name, (unsigned)code->shown, code->class,
           code->text);
    return rv == CKR_OK ? STATUS_DONE : STATUS_REFUSED;
}

void
util_cluster(const struct util *util, CK_RV rv)
{
    const struct code *code = code_of(rv);

    if (util->aws) {
        printf("\n\tCluster Error Status\n\tNode id 0 and err state 0x%08x : %s: %s\n",
               (unsigned)code->shown, code->class, code->text);
    } else {
        printf("\n\tCluster Status:\n\tNode id 1 status: 0x%08x : %s: %s\n",
               (unsigned)code->shown, code->class, code->text);
    }
}
