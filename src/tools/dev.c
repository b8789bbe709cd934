/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: the program and its commands. `run` is up, the command, down.
 */
#include "tools/dev.h"

#include "tools/command.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

struct dev_tool {
    struct dev dev;
    char **command; /* what stands after --, NULL when nothing does */
    int lock;
};

static enum status tool_run(void *tool, const struct values *values);
static enum status tool_up(void *tool, const struct values *values);
static enum status tool_down(void *tool, const struct values *values);
static enum status tool_status(void *tool, const struct values *values);
static enum status tool_env(void *tool, const struct values *values);
static enum status tool_help(void *tool, const struct values *values);

/* clang-format off */
#define DIR \
        { "--dir",    "D",     ARGUMENT_TEXT,   NEED_NOT, 0, 0,   "its folder; $AZCLOUDHSM_DEV_DIR, else ~/.local/state/azcloudhsm_dev" }
#define NEW \
        { "--policy", "NAME",  ARGUMENT_TEXT,   NEED_NOT, 0, 0,   "azure (default), fips or standard; for a new folder" }, \
        { "--switches", "LIST", ARGUMENT_TEXT,  NEED_NOT, 0, 0,   "that are not to be as the policy has them: NAME=on,NAME=off" }, \
        { "--certstore", "KIND", ARGUMENT_TEXT, NEED_NOT, 0, 0,   "where certificates are kept: hsm (default), folder or azurite" }, \
        { "--nodes",  "COUNT", ARGUMENT_NUMBER, NEED_NOT, 1, DEV_NODES_MAX,  "that share one store: 1 (default) keeps it in SQLite, 2 to 8 in etcd; for a new folder" }

static const struct command rows[] = {
    { "run",    tool_run,    true, "makes an HSM, runs what stands after --, stops all; its status is the command's", {
        { "--dir",    "D",   ARGUMENT_TEXT,   NEED_NOT, 0, 0,   "its folder, which then stays; a temporary one by default" }, NEW } },
    { "up",     tool_up,     true, "starts what is not running; makes what is not there", { DIR, NEW } },
    { "down",   tool_down,   true, "stops server and daemon; the keys stay", { DIR } },
    { "status", tool_status, true, "tells what is running; exit status 0 when all is", { DIR } },
    { "env",    tool_env,    true, "prints export lines for a shell", { DIR } },
    { "help",   tool_help,   true, "lists the commands, or explains one", {
        { "command",  "COMMAND", ARGUMENT_TEXT, NEED_NOT, 0, 0, "which one" } } },
};
/* clang-format on */

static const struct command_table commands = { rows, ARRAY_COUNT(rows), false };

static enum status
tool_help(void *tool, const struct values *values)
{
    const char *name = values_text(values, "command");

    UNUSED(tool);
    if (name == NULL) {
        fputs("azcloudhsm_dev: a throwaway HSM. azcloudhsm_dev run -- COMMAND [ARGUMENT...]\n",
              stdout);
    }
    return command_explain(&commands, name);
}

static bool
new_read(const struct values *values, struct dev *dev)
{
    const char *name = values_text(values, "--policy");
    const char *switches = values_text(values, "--switches");
    const char *certstore = values_text(values, "--certstore");
    struct rules rules = { POLICY_AZURE, INTERFACE_P11, 0 };

    if (name != NULL && !policy_parse(name, &rules.policy)) {
        fprintf(stderr, "--policy %s: give azure, fips or standard\n", name);
        return false;
    }
    if (switches != NULL && !rules_switches_read(&rules, view_str(switches))) {
        fprintf(stderr, "--switches %s: see \"Switches\" in docs/pkcs11.md\n", switches);
        return false;
    }
    if (certstore != NULL && !dev_storage_parse(certstore)) {
        fprintf(stderr, "--certstore %s: give hsm, folder or azurite\n", certstore);
        return false;
    }
    dev->node_count = (unsigned)values_number(values, "--nodes", 0);
    dev->policy = policy_name(rules.policy);
    dev->switches = switches == NULL ? "" : switches;
    dev->certstore = certstore;
    return true;
}

/* One azcloudhsm_dev at a time changes a folder. */
static bool
dir_lock(struct dev_tool *tool)
{
    tool->lock = open(tool->dev.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tool->lock < 0 || flock(tool->lock, LOCK_EX) < 0) {
        perror(tool->dev.dir);
        return false;
    }
    return true;
}

static void
dir_unlock(struct dev_tool *tool)
{
    if (tool->lock >= 0) {
        close(tool->lock);
        tool->lock = -1;
    }
}

static enum status
tool_up(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;
    struct dev *dev = &tool->dev;

    dev->detach = true;
    if (tool->command != NULL) {
        fputs("up takes no command; run does\n", stderr);
        return STATUS_MISUSED;
    }
    if (!new_read(values, dev) || !dev_folder_choose(dev, values_text(values, "--dir"), true)) {
        return STATUS_MISUSED;
    }
    if (!dir_lock(tool)) {
        return STATUS_REFUSED;
    }

    struct dev_before before;
    bool ok = dev_count_nodes(dev);

    if (ok) {
        dev_before_look(dev, &before);
        ok = dev_up(dev);
        /* A failed call changes nothing: what ran before goes on. */
        if (!ok) {
            dev_before_restore(dev, &before);
        }
    }
    dir_unlock(tool);
    if (!ok) {
        return STATUS_REFUSED;
    }
    dev_print(dev);
    printf("next: eval \"$(azcloudhsm_dev env --dir '%s')\"\n", dev->dir);
    return STATUS_DONE;
}

static enum status
tool_down(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;

    if (!dev_folder_choose(&tool->dev, values_text(values, "--dir"), false)) {
        return STATUS_MISUSED;
    }
    if (!dir_lock(tool)) {
        return STATUS_REFUSED;
    }

    bool ok = dev_count_nodes(&tool->dev) && dev_down(&tool->dev);

    dir_unlock(tool);
    return ok ? STATUS_DONE : STATUS_REFUSED;
}

static enum status
tool_status(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;

    if (!dev_folder_choose(&tool->dev, values_text(values, "--dir"), false)) {
        return STATUS_MISUSED;
    }
    if (!dev_count_nodes(&tool->dev)) {
        return STATUS_REFUSED;
    }
    dev_print(&tool->dev);
    return dev_is_up(&tool->dev) ? STATUS_DONE : STATUS_REFUSED;
}

static enum status
tool_env(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;
    const char *dir = tool->dev.dir;
    char module[DEV_PATH_MAX];

    if (!dev_folder_choose(&tool->dev, values_text(values, "--dir"), false)) {
        return STATUS_MISUSED;
    }
    if (!dev_exists(&tool->dev, "made")) {
        fprintf(stderr, "%s holds no HSM; azcloudhsm_dev up makes one\n", dir);
        return STATUS_REFUSED;
    }
    printf("export AZCLOUDHSM_APPLICATION_CFG='%s/azcloudhsm_application.cfg'\n", dir);
    printf("export AZCLOUDHSM_DEV_DIR='%s'\n", dir);
    if (dev_module_path(module)) {
        printf("export AZCLOUDHSM_PKCS11_MODULE='%s'\n", module);
    }
    return STATUS_DONE;
}

static enum status
tool_run(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;
    struct dev *dev = &tool->dev;
    bool temporary;
    int status = STATUS_REFUSED;

    if (tool->command == NULL) {
        fputs("run what? azcloudhsm_dev run -- COMMAND [ARGUMENT...]\n", stderr);
        return STATUS_MISUSED;
    }
    if (!new_read(values, dev) || !dev_folder_new(dev, values_text(values, "--dir"), &temporary)) {
        return STATUS_MISUSED;
    }
    if (!dir_lock(tool)) {
        return STATUS_REFUSED;
    }

    bool ok = dev_up(dev);

    /* The command may call azcloudhsm_dev itself. */
    dir_unlock(tool);
    if (ok) {
        status = dev_command(dev, tool->command);
    }
    dev_down(dev);
    if (temporary) {
        dev_remove(dev);
    }
    /* The command's own status, which enum status has no name for. */
    exit(fflush(stdout) == 0 ? status : STATUS_REFUSED);
}

int
main(int argc, char **argv)
{
    struct dev_tool tool = { .lock = -1 };
    struct values values = { 0 };
    char help[] = "help";
    char *no_words[] = { help };
    size_t count = (size_t)argc - 1;
    size_t used = 0;

    for (int i = 1; i < argc && tool.command == NULL; i++) {
        if (strcmp(argv[i], "--") == 0 && i + 1 < argc) {
            tool.command = argv + i + 1;
            count = (size_t)i - 1;
        }
    }

    const bool asked = count > 0 && (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0);
    char **words = count == 0 || asked ? no_words : argv + 1;

    if (asked || count == 0) {
        count = 1;
    }
    if (!command_parse(&commands, words, count, &used, &values)) {
        return STATUS_MISUSED;
    }
    if (used < count) {
        fprintf(stderr, "what is %s? A command stands after --\n", words[used]);
        return STATUS_MISUSED;
    }
    dev_hold_signals();

    enum status status = command_run(&tool, &values);

    values_clear(&values);
    return fflush(stdout) == 0 ? (int)status : STATUS_REFUSED;
}
