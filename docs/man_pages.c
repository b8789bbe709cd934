/* SPDX-License-Identifier: Apache-2.0
 *
 * Prints a man page: of a tool, made of the rows of its commands, or of another program, made of
 * what it is and how it is called. The build installs them; nobody keeps a second list of commands.
 *
 *   man_pages PROGRAM >PROGRAM.1
 */
#include "tools/mgmt.h"
#include "tools/util.h"

#include <string.h>

static const struct program {
    const char *name;
    unsigned section;
    const char *what;
    const char *call;
    const char *text;
    const struct command_table *commands;
} pages[] = {
    { "azcloudhsm_util", 1, "key tool for crypto users",
      "azcloudhsm_util [singlecmd loginHSM -u CU -s USER -p PASSWORD COMMAND ...]",
      "Works over the client daemon of this host. With singlecmd it logs in and runs one command; "
      "without, it asks for commands line by line.",
      &util_commands },
    { "azcloudhsm_mgmt_util", 1, "management tool for officers and owners of keys",
      "azcloudhsm_mgmt_util azcloudhsm_mgmt_util.cfg | azcloudhsm_resource.cfg",
      "Talks to the management port of each server of its configuration, and trusts those that "
      "PO.crt has signed. Commands come from standard input; their names may be cut short as long "
      "as they stay unique.",
      &mgmt_commands },
    { "azcloudhsm_server", 8, "one HSM node",
      "azcloudhsm_server azcloudhsm_server.cfg [--accept-older-store | --initialize ... | --audit ...]",
      "Keeps keys and users, and does the cryptography. --help lists all ways to call it; the "
      "configuration's keys are in docs/manual.md.",
      NULL },
    { "azcloudhsm_client", 8, "client daemon of an application host",
      "azcloudhsm_client azcloudhsm_client.cfg | azcloudhsm_resource.cfg",
      "Carries the requests of all applications of this host to the nodes. SIGHUP reads the "
      "configuration again.",
      NULL },
    { "azcloudhsm_dev", 1, "a throwaway HSM for a laptop or CI",
      "azcloudhsm_dev up | down | status | env | run [--dir DIR] [--policy POLICY] [--switches LIST] "
      "[--nodes COUNT] [--certstore KIND] [-- COMMAND]",
      "Starts server and daemon with users and certificates of their own, and runs a command with "
      "them. Its passwords are known to all: it is for trying and testing.",
      NULL },
    { "azcloudhsm_etcd", 8, "the etcd of a cluster of nodes",
      "azcloudhsm_etcd make | protect | identity | status | snapshot | ... DIR ...",
      "Makes certificates and configuration of etcd's members, lets the nodes in, and keeps it "
      "well. Without arguments it lists all ways to call it; docs/cluster.md tells when to call "
      "what.",
      NULL },
    { "pkpspeed", 1, "how fast the HSM is through the daemon of this host",
      "pkpspeed -s USER -p PASSWORD | -hpswd [-c CIPHER] [-t THREADS] [-d BYTES] [-m BITS] "
      "[-n SECONDS] [-j]",
      "Asks what to measure; with -c it asks nothing, and with -j it prints JSON. -p -hpswd=fd:N "
      "and -p -hpswd=env:NAME say where the password comes from; -hpswd alone asks for it.",
      NULL },
};

/* A line of roff: no control character at its start, no escapes of its own. */
static void
say(const char *text)
{
    if (*text == '.' || *text == '\'') {
        fputs("\\&", stdout);
    }
    for (; *text != '\0'; text++) {
        if (*text == '\\') {
            fputs("\\e", stdout);
        } else if (*text == '-') {
            fputs("\\-", stdout);
        } else {
            putchar(*text);
        }
    }
}

static void
argument_name(const struct argument *argument)
{
    const bool option = argument->name[0] == '-';

    if (option) {
        say(argument->name);
    }
    if (argument->what != NULL) {
        printf("%s\\fI", option ? " " : "");
        say(argument->what);
        fputs("\\fR", stdout);
    }
}

static void
command_page(const struct command *command)
{
    printf(".SS ");
    say(command->name);
    printf("\n\\fB");
    say(command->name);
    printf("\\fR");
    for (size_t i = 0; i < COMMAND_ARGUMENTS_MAX && command->arguments[i].name != NULL; i++) {
        const bool optional = command->arguments[i].need == NEED_NOT;

        fputs(optional ? " [" : " ", stdout);
        argument_name(&command->arguments[i]);
        fputs(optional ? "]" : "", stdout);
    }
    printf("\n.PP\n");
    say(command->help);
    printf(".\n");
    for (size_t i = 0; i < COMMAND_ARGUMENTS_MAX && command->arguments[i].name != NULL; i++) {
        printf(".TP\n");
        argument_name(&command->arguments[i]);
        printf("\n");
        say(command->arguments[i].help);
        printf("\n");
    }
}

static void
page_print(const struct program *program)
{
    printf(".TH %s %u \"\" OpenCloudHSM\n.SH NAME\n%s \\- ", program->name, program->section, program->name);
    say(program->what);
    printf("\n.SH SYNOPSIS\n");
    say(program->call);
    printf("\n.SH DESCRIPTION\n");
    say(program->text);
    printf("\n");
    if (program->commands != NULL) {
        printf(".SH COMMANDS\n");
        for (size_t i = 0; i < program->commands->count; i++) {
            command_page(&program->commands->rows[i]);
        }
    }
    printf(".SH EXIT STATUS\n0 done, 1 refused, 2 misused.\n");
}

int
main(int argc, char **argv)
{
    for (size_t i = 0; argc == 2 && i < ARRAY_COUNT(pages); i++) {
        if (strcmp(argv[1], pages[i].name) == 0) {
            page_print(&pages[i]);
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    fputs("usage: man_pages PROGRAM\n", stderr);
    return 2;
}
