/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_util: the program. With `singlecmd` its arguments are commands, one after the
 * other; without, it asks for them. Exit status 0 done, 1 refused, 2 misused.
 */
#include "tools/util.h"

#include "tools/console.h"
#include "tools/host.h"
#include "tools/version.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMANDS_MAX 32u

static const char usage[] =
    "usage: azcloudhsm_util [--compat aws|azure] [--json] [singlecmd COMMAND [OPTION...] ...]\n"
    "Without singlecmd it asks for commands. `azcloudhsm_util singlecmd help` lists them.\n"
    "--json: listings go to standard output as one line of JSON each, all else to standard error.\n";

/* Connects, and says what the original says then. False: said why not. */
static bool
util_begin(struct util *util)
{
    struct client_options options = {
        .interface = INTERFACE_API,
        .unreachable_text =
            "Failed to connect socket, LIQUIDSECURITY: Daemon socket connection error",
    };
    struct token_reply token;
    struct call call;
    bool fips = false;

    printf("\n\tClient Version: %s\n\tSDK API Version: %s\n\tSDK Package Version: %s\n",
           TOOLS_VERSION, TOOLS_VERSION, TOOLS_VERSION);
    fflush(stdout);
    if (!appcfg_read(true, &util->config)) {
        return false;
    }
    if (util->config.tcp) {
        fprintf(stderr, "%s: SOCKET_TYPE=TCP is not offered here; use UNIXSOCKET\n",
                util->config.file);
        return false;
    }
    options.socket_path = util->config.socket_path;
    options.storage = &util->config.storage;

    const CK_RV rv = client_open(&options, &util->client);

    wipe(&util->config.storage, sizeof util->config.storage); /* the client has it */
    if (rv != CKR_OK) {
        return false;
    }
    /* A node that is down shows in what the commands print. */
    if (call_begin(util->client, &call) == CKR_OK &&
        call_send(&call, OPERATION_TOKEN, 0, 0) == CKR_OK &&
        token_reply_read(call.reply, &token)) {
        fips = token.policy == POLICY_FIPS;
        util->policy = (enum policy)token.policy;
    }
    call_end(&call);
    printf("\n\tCfm3Initialize() returned app id : 01000000\n\n\tsession_handle 1000000\n"
           "\n\tCurrent FIPS mode is: %08x\n",
           fips ? 2u : 0u);
    return true;
}

static void
util_end(struct util *util)
{
    client_close(util->client);
    util->client = NULL;
}

/* All commands are read before the first one runs: a misspelt one changes nothing. */
static enum status
single(struct util *util, char **words, size_t count)
{
    struct values commands[COMMANDS_MAX] = { 0 };
    size_t command_count = 0;
    enum status status = STATUS_DONE;
    bool offline = true;

    for (size_t at = 0; at < count;) {
        size_t used = 0;

        if (command_count == COMMANDS_MAX) {
            fprintf(stderr, "more than %u commands; start the tool again for the rest\n",
                    COMMANDS_MAX);
            status = STATUS_MISUSED;
            goto out;
        }
        if (!command_parse(&util_commands, words + at, count - at, &used,
                           &commands[command_count])) {
            status = STATUS_MISUSED;
            goto out;
        }
        offline = offline && ((commands[command_count].command->flags & COMMAND_OFFLINE) != 0 ||
                              commands[command_count].help);
        command_count++;
        at += used;
    }
    if (!offline && !util_begin(util)) {
        status = STATUS_REFUSED;
        goto out;
    }
    for (size_t i = 0; i < command_count && status == STATUS_DONE; i++) {
        status = command_run(util, &commands[i]);
    }
out:
    for (size_t i = 0; i < command_count; i++) {
        values_clear(&commands[i]);
    }
    return status == STATUS_LEAVE ? STATUS_DONE : status;
}

static enum status
line_run(struct util *util, char *line)
{
    char *words[COMMAND_WORDS_MAX];
    struct values values = { 0 };
    enum status status = STATUS_DONE;
    size_t count;
    size_t used = 0;

    if (!words_split(line, words, COMMAND_WORDS_MAX, &count)) {
        fputs("the line has too many words, or an open quote\n", stderr);
        return STATUS_MISUSED;
    }
    if (count == 0) {
        return STATUS_DONE;
    }
    if (!command_parse(&util_commands, words, count, &used, &values)) {
        return STATUS_MISUSED;
    }
    if (used < count) {
        fprintf(stderr, "%s: what is %s? One command stands on a line\n", values.command->name,
                words[used]);
        status = STATUS_MISUSED;
    } else {
        status = command_run(util, &values);
    }
    values_clear(&values);
    return status;
}

/* The worst that happened where a program speaks; a person has seen it. */
static enum status
interactive(struct util *util)
{
    enum status worst = STATUS_DONE;
    enum status status = STATUS_DONE;
    char *line;

    if (!util_begin(util)) {
        return STATUS_REFUSED;
    }
    putchar('\n');
    while (status != STATUS_LEAVE && (line = console_line("Command: ")) != NULL) {
        if (line[0] != '\0' && !command_line_is_secret(&util_commands, line)) {
            console_remember(line);
        }
        status = line_run(util, line);
        console_line_free(line);
        putchar('\n');
        fflush(stdout);
        if (status != STATUS_LEAVE && status > worst) {
            worst = status;
        }
    }
    return console_is_terminal() ? STATUS_DONE : worst;
}

/* What is printed for people goes to standard error from now on. */
static bool
json_begin(struct util *util)
{
    const int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);

    util->json = fd < 0 ? NULL : fdopen(fd, "w");
    return util->json != NULL && dup2(STDERR_FILENO, STDOUT_FILENO) >= 0;
}

/* The options before the commands; *ret_at is where those begin. */
static bool
options_read(struct util *util, int argc, char **argv, int *ret_at)
{
    int at = 1;

    for (; at < argc; at++) {
        if (strcmp(argv[at], "--json") == 0) {
            if (util->json == NULL && !json_begin(util)) {
                return false;
            }
        } else if (strcmp(argv[at], "--compat") == 0 && at + 1 < argc) {
            at++;
            util->aws = strcmp(argv[at], "aws") == 0;
            if (!util->aws && strcmp(argv[at], "azure") != 0) {
                return false;
            }
        } else {
            break;
        }
    }
    *ret_at = at;
    return true;
}

int
main(int argc, char **argv)
{
    struct util util = { .policy = POLICY_AZURE };
    enum status status;
    int at = 1;

    host_begin();
    console_begin();
    console_complete(&util_commands);
    if (!options_read(&util, argc, argv, &at)) {
        fputs(usage, stderr);
        return STATUS_MISUSED;
    }

    const bool is_single = at < argc && strcmp(argv[at], "singlecmd") == 0;

    if ((at < argc && !is_single) || (is_single && at + 1 == argc)) {
        const bool asked = strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0;

        fputs(usage, asked ? stdout : stderr);
        return asked ? STATUS_DONE : STATUS_MISUSED;
    }
    status = is_single ? single(&util, argv + at + 1, (size_t)(argc - at - 1))
                       : interactive(&util);
    util_end(&util);
    if (fflush(stdout) != 0 || (util.json != NULL && fclose(util.json) != 0)) {
        return STATUS_REFUSED;
    }
    return (int)status;
}
