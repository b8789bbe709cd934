/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: the program. `run` is up, the command, down; the rest are the pieces.
 */
#include "tools/dev.h"

#include "tools/command.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN_FOLDER "azcloudhsm-dev.XXXXXX"

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
    const char *error = NULL;
    const struct command *command = name != NULL ? command_find(&commands, name, &error) : NULL;

    UNUSED(tool);
    if (name == NULL) {
        fputs("azcloudhsm_dev: a throwaway HSM. azcloudhsm_dev run -- COMMAND [ARGUMENT...]\n",
              stdout);
        command_list(&commands, stdout);
    } else if (command == NULL) {
        fprintf(stderr, "%s: %s\n", name, error);
        return STATUS_MISUSED;
    } else {
        command_help(command, stdout);
    }
    return STATUS_DONE;
}

/* The folder as an absolute path without anything that JSON or a shell would have to quote. */
static bool
dir_set(struct dev *dev, const char *path)
{
    char resolved[PATH_MAX];

    if (realpath(path, resolved) == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return false;
    }
    if (strlen(resolved) >= sizeof dev->dir - 64) {
        fprintf(stderr, "%s: the path is too long; take a shorter --dir\n", resolved);
        return false;
    }
    for (const char *c = resolved; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || strchr("\"\\'", *c) != NULL) {
            fprintf(stderr, "%s: take a --dir without quotes and backslashes\n", resolved);
            return false;
        }
    }
    memcpy(dev->dir, resolved, strlen(resolved) + 1);
    return true;
}

/* mkdir -p, the last one for us alone. */
static bool
folders_make(const char *path)
{
    char part[DEV_PATH_MAX];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        fprintf(stderr, "%s: the path is too long; take a shorter --dir\n", path);
        return false;
    }
    for (char *c = part + 1; *c != '\0'; c++) {
        if (*c == '/') {
            *c = '\0';
            (void)mkdir(part, 0777); /* what cannot be made shows at the last one */
            *c = '/';
        }
    }
    if (mkdir(part, 0700) < 0 && errno != EEXIST) {
        perror(part);
        return false;
    }
    return true;
}

/* --dir, the environment, or the usual place. */
static bool
dir_choose(const struct values *values, bool make, struct dev *dev)
{
    const char *given = values_text(values, "--dir");
    const char *home = getenv("HOME");
    char usual[DEV_PATH_MAX];

    if (given == NULL) {
        given = getenv("AZCLOUDHSM_DEV_DIR");
    }
    if (given == NULL && home != NULL) {
        snprintf(usual, sizeof usual, "%s/.local/state/azcloudhsm_dev", home);
        given = usual;
    }
    if (given == NULL) {
        fputs("which folder? give --dir D\n", stderr);
        return false;
    }
    return (!make || folders_make(given)) && dir_set(dev, given);
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

/* How many nodes D has, or will have. */
static bool
nodes_count(struct dev *dev)
{
    const unsigned asked = dev->node_count;
    char text[16];

    dev->node_count = asked == 0 ? 1 : asked;
    if (dev_exists(dev, "made")) {
        dev->node_count = 1;
        if (dev_read(dev, "node_count", text, sizeof text)) {
            dev->node_count = (unsigned)strtoul(text, NULL, 10);
        }
        if (dev->node_count < 1 || dev->node_count > DEV_NODES_MAX) {
            fprintf(stderr, "%s/node_count holds no number of nodes\n", dev->dir);
            dev->node_count = 1;
            return false;
        }
        if (asked != 0 && asked != dev->node_count) {
            fprintf(stderr, "--nodes %u: %s has %u; take another --dir\n", asked, dev->dir,
                    dev->node_count);
            return false;
        }
    }
    return true;
}

static bool
server_start(struct dev *dev, unsigned node)
{
    char name[64], path[DEV_PATH_MAX];

    /* What an earlier one left is no sign of readiness. */
    dev_node_file(node, "server.ports", name);
    return dev_path(dev, name, path) && (unlink(path) == 0 || errno == ENOENT) &&
           dev_start(dev, DEV_SERVER, node);
}

static bool
server_wait(struct dev *dev, unsigned node)
{
    return dev_wait(dev, DEV_SERVER, node) &&
           /* From now on the same ports, so that the daemon finds a restarted server. */
           dev_write_server(dev, node);
}

/* Starts those of the nodes from first on that do not run; they begin together. */
static bool
servers_up(struct dev *dev, unsigned first)
{
    bool fresh[DEV_NODES_MAX] = { false };
    bool ok = true;

    for (unsigned i = first; i < dev->node_count && ok; i++) {
        fresh[i] = dev_running(dev, DEV_SERVER, i) == 0;
        ok = !fresh[i] || server_start(dev, i);
    }
    for (unsigned i = first; i < dev->node_count && ok; i++) {
        ok = fresh[i] ? server_wait(dev, i) : dev_wait(dev, DEV_SERVER, i);
    }
    return ok;
}

/* Further nodes find the user when they open the store. */
static bool
join_all(struct dev *dev)
{
    if (dev->node_count > 1 && !dev_create_user(dev)) {
        return false;
    }
    for (unsigned i = 1; i < dev->node_count; i++) {
        if (!dev_join(dev, i)) {
            return false;
        }
    }
    return servers_up(dev, 1);
}

/* They stay, so that the daemon finds a restarted server. */
static bool
ports_draw(struct dev *dev)
{
    unsigned ports[DEV_PORTS_MAX];

    if (!dev_ports_choose(ports, 2 * dev->node_count)) {
        return false;
    }
    for (unsigned i = 0; i < dev->node_count; i++) {
        dev->nodes[i].client_port = ports[2 * i];
        dev->nodes[i].manage_port = ports[2 * i + 1];
    }
    return true;
}

/* Everything from nothing. Keys are made while the partition is initialised, or etcd begins. */
static bool
make_all(struct dev *dev)
{
    char path[DEV_PATH_MAX];

    if (dev_exists(dev, "node0")) {
        fprintf(stderr, "%s holds an HSM that was never finished; remove the folder\n", dev->dir);
        return false;
    }
    if (!dev_etcd_found(dev) || !dev_path(dev, "node0", path)) {
        return false;
    }
    if (mkdir(path, 0700) < 0) {
        perror(path);
        return false;
    }

    const bool several = dev->node_count > 1;

    if (!dev_write(dev, "node_count", "%u\n", dev->node_count) || !dev_etcd_make(dev) ||
        (several && !dev_certificates(dev)) || !dev_etcd_protect(dev) ||
        !ports_draw(dev) || !dev_write_server(dev, 0)) {
        return false;
    }

    pid_t pid = dev_initialize(dev);
    bool ok = pid > 0 && (several || dev_certificates(dev));

    /* Waited for in any case: no child is left behind. */
    if (pid > 0 && !dev_initialized(dev, pid)) {
        ok = false;
    }
    return ok && server_start(dev, 0) && server_wait(dev, 0) && dev_own(dev) && join_all(dev) &&
           dev_write_clients(dev) && dev_start(dev, DEV_DAEMON, 0) &&
           (several || dev_create_user(dev)) &&
           dev_write(dev, "made", "%s\n", dev->policy) && dev_wait(dev, DEV_DAEMON, 0);
}

/* Starts what is not running. */
static bool
start_rest(struct dev *dev)
{
    for (unsigned i = 0; i < dev->node_count; i++) {
        const pid_t server = dev_running(dev, DEV_SERVER, i);

        if (server != 0 && !dev_read_ports(dev, i)) {
            fprintf(stderr, "the server (pid %ld) has not come up; run down first\n",
                    (long)server);
            return false;
        }
    }
    if (!dev_etcd_start(dev) || !servers_up(dev, 0)) {
        return false;
    }
    if (dev_running(dev, DEV_DAEMON, 0) == 0 &&
        (!dev_write_clients(dev) || !dev_start(dev, DEV_DAEMON, 0))) {
        return false;
    }
    return dev_read_socket(dev) && dev_wait(dev, DEV_DAEMON, 0);
}

static bool
all_up(struct dev *dev)
{
    return nodes_count(dev) && dev_storage_begin(dev) &&
           (dev_exists(dev, "made") ? start_rest(dev) : make_all(dev)) && dev_storage_end(dev);
}

static bool
all_down(struct dev *dev)
{
    bool stopped = dev_stop(dev, DEV_DAEMON, 0);

    for (unsigned i = 0; i < dev->node_count; i++) {
        stopped = dev_stop(dev, DEV_SERVER, i) && stopped;
    }
    stopped = dev_etcd_stop(dev) && stopped;
    stopped = dev_storage_stop(dev) && stopped;
    dev_remove_socket(dev);
    return stopped;
}

static bool
all_run(const struct dev *dev)
{
    bool all = dev_running(dev, DEV_DAEMON, 0) != 0;

    for (unsigned i = 0; i < dev->node_count; i++) {
        all = all && dev_running(dev, DEV_SERVER, i) != 0;
    }
    return dev_etcd_print(dev, true) && all;
}

static void
server_print(struct dev *dev, unsigned node)
{
    const pid_t server = dev_running(dev, DEV_SERVER, node);
    char name[32] = "server";

    if (dev->node_count > 1) {
        snprintf(name, sizeof name, "server %u", node);
    }
    if (server != 0 && dev_read_ports(dev, node)) {
        printf("%s: running (pid %ld), client 127.0.0.1:%u, management 127.0.0.1:%u\n", name,
               (long)server, dev->nodes[node].client_port, dev->nodes[node].manage_port);
    } else {
        printf("%s: %s\n", name, server != 0 ? "starting" : "stopped");
    }
}

static void
status_print(struct dev *dev)
{
    const pid_t daemon = dev_running(dev, DEV_DAEMON, 0);

    (void)dev_etcd_print(dev, false);
    for (unsigned i = 0; i < dev->node_count; i++) {
        server_print(dev, i);
    }
    if (daemon != 0 && dev_read_socket(dev)) {
        printf("daemon: running (pid %ld), socket %s\n", (long)daemon, dev->socket_path);
    } else {
        puts("daemon: stopped");
    }
    dev_storage_print(dev);
}

/* What ran before an attempt: that stays. */
struct before {
    bool daemon, etcd;
    bool servers[DEV_NODES_MAX];
};

static void
before_look(const struct dev *dev, struct before *ret_before)
{
    ret_before->daemon = dev_running(dev, DEV_DAEMON, 0) != 0;
    ret_before->etcd = dev_etcd_print(dev, true);
    for (unsigned i = 0; i < dev->node_count; i++) {
        ret_before->servers[i] = dev_running(dev, DEV_SERVER, i) != 0;
    }
}

static void
before_restore(const struct dev *dev, const struct before *before)
{
    if (!before->daemon) {
        dev_stop(dev, DEV_DAEMON, 0);
    }
    for (unsigned i = 0; i < dev->node_count; i++) {
        if (!before->servers[i]) {
            dev_stop(dev, DEV_SERVER, i);
        }
    }
    if (!before->etcd) {
        dev_etcd_stop(dev);
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
    if (!new_read(values, dev) || !dir_choose(values, true, dev)) {
        return STATUS_MISUSED;
    }
    if (!dir_lock(tool)) {
        return STATUS_REFUSED;
    }

    struct before before;
    bool ok = nodes_count(dev);

    if (ok) {
        before_look(dev, &before);
        ok = all_up(dev);
        /* A failed call changes nothing: what ran before goes on. */
        if (!ok) {
            before_restore(dev, &before);
        }
    }
    dir_unlock(tool);
    if (!ok) {
        return STATUS_REFUSED;
    }
    status_print(dev);
    printf("next: eval \"$(azcloudhsm_dev env --dir '%s')\"\n", dev->dir);
    return STATUS_DONE;
}

static enum status
tool_down(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;

    if (!dir_choose(values, false, &tool->dev)) {
        return STATUS_MISUSED;
    }
    if (!dir_lock(tool)) {
        return STATUS_REFUSED;
    }

    bool ok = nodes_count(&tool->dev) && all_down(&tool->dev);

    dir_unlock(tool);
    return ok ? STATUS_DONE : STATUS_REFUSED;
}

static enum status
tool_status(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;

    if (!dir_choose(values, false, &tool->dev)) {
        return STATUS_MISUSED;
    }
    if (!nodes_count(&tool->dev)) {
        return STATUS_REFUSED;
    }
    status_print(&tool->dev);
    return all_run(&tool->dev) ? STATUS_DONE : STATUS_REFUSED;
}

static enum status
tool_env(void *opaque, const struct values *values)
{
    struct dev_tool *tool = opaque;
    const char *dir = tool->dev.dir;
    char module[DEV_PATH_MAX];

    if (!dir_choose(values, false, &tool->dev)) {
        return STATUS_MISUSED;
    }
    printf("export AZCLOUDHSM_APPLICATION_CFG='%s/azcloudhsm_application.cfg'\n", dir);
    printf("export AZCLOUDHSM_DEV_DIR='%s'\n", dir);
    if (dev_module_path(module)) {
        printf("export AZCLOUDHSM_PKCS11_MODULE='%s'\n", module);
    }
    return STATUS_DONE;
}

static bool
run_dir(const struct values *values, struct dev *dev, bool *ret_temporary)
{
    const char *given = values_text(values, "--dir");
    const char *base = getenv("TMPDIR");
    char path[DEV_PATH_MAX];

    *ret_temporary = false;
    if (given != NULL) {
        return folders_make(given) && dir_set(dev, given);
    }
    snprintf(path, sizeof path, "%s/" RUN_FOLDER, base != NULL && base[0] != '\0' ? base : "/tmp");
    if (mkdtemp(path) == NULL) {
        perror(path);
        return false;
    }
    *ret_temporary = true;
    return dir_set(dev, path);
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
    if (!new_read(values, dev) || !run_dir(values, dev, &temporary)) {
        return STATUS_MISUSED;
    }
    if (!dir_lock(tool)) {
        return STATUS_REFUSED;
    }

    bool ok = all_up(dev);

    /* The command may call azcloudhsm_dev itself. */
    dir_unlock(tool);
    if (ok) {
        status = dev_command(dev, tool->command);
    }
    all_down(dev);
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
