/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the program. Its argument is azcloudhsm_mgmt_util.cfg or
 * azcloudhsm_resource.cfg; its commands come from standard input. Exit status 0 done,
 * 1 refused, 2 misused.
 */
#include "tools/mgmt.h"

#include "tools/console.h"
#include "tools/version.h"

#include <signal.h>
#include <string.h>

static const char usage[] =
    "usage: azcloudhsm_mgmt_util azcloudhsm_mgmt_util.cfg | azcloudhsm_resource.cfg\n";

static bool
mgmt_begin(struct mgmt *mgmt, const char *path)
{
    const struct client_settings *settings = &mgmt->settings;

    if (!client_settings_read(path, &mgmt->settings)) {
        return false;
    }
    for (size_t i = 0; i < settings->server_count; i++) {
        if (settings->servers[i].enable) {
            mgmt->servers[mgmt->server_count] = (struct mgmt_server){
                .settings = &settings->servers[i],
                .number = (unsigned)i,
            };
            mgmt->server_count++;
        }
    }
    if (mgmt->server_count == 0) {
        fprintf(stderr, "%s: no server is enabled\n", path);
        return false;
    }
    return true;
}

static enum status
line_run(struct mgmt *mgmt, char *line)
{
    char *words[COMMAND_WORDS_MAX];
    struct values values = { 0 };
    enum status status;
    size_t count;
    size_t used = 0;

    if (!words_split(line, words, COMMAND_WORDS_MAX, &count)) {
        fputs("the line has too many words, or an open quote\n", stderr);
        return STATUS_MISUSED;
    }
    if (count == 0) {
        return STATUS_DONE;
    }
    if (!command_parse(&mgmt_commands, words, count, &used, &values)) {
        return STATUS_MISUSED;
    }
    if (used < count) {
        fprintf(stderr, "%s: there is one argument too many\n", values.command->name);
        status = STATUS_MISUSED;
    } else if (!values.help && (values.command->flags & COMMAND_SERVER) != 0 &&
               mgmt->scope == NULL) {
        fprintf(stderr, "%s: is for one server; say which: server 0\n", values.command->name);
        status = STATUS_MISUSED;
    } else if (!values.help && (values.command->flags & COMMAND_OFFLINE) == 0 &&
               (mgmt_connect(mgmt) == 0 || !mgmt_permits(mgmt, values.command))) {
        status = STATUS_REFUSED;
    } else {
        status = command_run(mgmt, &values);
    }
    values_clear(&values);
    return status;
}

static enum status
interactive(struct mgmt *mgmt)
{
    enum status worst = STATUS_DONE;
    enum status status = STATUS_DONE;

    while (status != STATUS_LEAVE) {
        putchar('\n');

        char prompt[32] = "cloudmgmt>";

        if (mgmt->scope != NULL) {
            snprintf(prompt, sizeof prompt, "server%u>", mgmt->scope->number);
        }

        char *line = console_line(prompt);

        if (line == NULL) {
            break;
        }
        if (line[0] != '\0' && !command_line_is_secret(&mgmt_commands, line)) {
            console_remember(line);
        }
        status = line_run(mgmt, line);
        console_line_free(line);
        fflush(stdout);
        if (status != STATUS_LEAVE && status > worst) {
            worst = status;
        }
    }
    return console_is_terminal() ? STATUS_DONE : worst;
}

int
main(int argc, char **argv)
{
    static struct mgmt mgmt;
    enum status status;

    console_begin();
    console_complete(&mgmt_commands);
    signal(SIGPIPE, SIG_IGN);
    log_set_level(LOG_LEVEL_WRN);
    if (argc == 2 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)) {
        fputs(usage, stdout);
        return STATUS_DONE;
    }
    if (argc != 2 || argv[1][0] == '-') {
        fputs(usage, stderr);
        return STATUS_MISUSED;
    }
    printf("Liquidsec MGMT Util Version : %s\nSDK API Version : %s\nSDK Package Version : %s\n",
           TOOLS_VERSION, TOOLS_VERSION, TOOLS_VERSION);
    if (!mgmt_begin(&mgmt, argv[1])) {
        return STATUS_MISUSED;
    }
    puts("\nConnecting to the server(s), it may take time\n"
         "depending on the server(s) load, please wait...");
    fflush(stdout);
    if (!mgmt_trust(&mgmt)) {
        return STATUS_REFUSED;
    }
    status = mgmt_connect(&mgmt) > 0 ? interactive(&mgmt) : STATUS_REFUSED;
    mgmt_disconnect(&mgmt);
    tls_context_free(mgmt.tls);
    if (fflush(stdout) != 0) {
        return STATUS_REFUSED;
    }
    return (int)status;
}
