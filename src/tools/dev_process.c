/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: server, daemon and the user's command as processes. Server and daemon are
 * known by their pid files and by the configuration in their arguments, so that another
 * azcloudhsm_dev, or none, may have started them.
 */
#include "tools/dev.h"

#include "api/call.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STEP_MS 2

static const struct program {
    const char *name; /* beside this program */
    bool each;        /* one for each node, with its files in the node's folder */
    const char *config;
    const char *pid_file;
    const char *log;
    const char *what;
} programs[] = {
    [DEV_SERVER] = { "azcloudhsm_server", true, "azcloudhsm_server.cfg", "server.pid", "server.log",
                     "server" },
    [DEV_DAEMON] = { "azcloudhsm_client", false, "azcloudhsm_client.cfg", "client.pid",
                     "client.log", "daemon" },
};

/* The name in D of a program's file. */
struct name {
    char text[64];
};

static struct name
name_of(enum dev_program which, unsigned node, const char *file)
{
    struct name name;

    if (programs[which].each) {
        dev_node_file(node, file, name.text);
    } else {
        snprintf(name.text, sizeof name.text, "%s", file);
    }
    return name;
}

static bool
config_path(const struct dev *dev, enum dev_program which, unsigned node, char *path)
{
    const struct name name = name_of(which, node, programs[which].config);

    return dev_path(dev, name.text, path);
}

static sigset_t held;
static sigset_t before;

void
dev_hold_signals(void)
{
    sigemptyset(&held);
    sigaddset(&held, SIGCHLD);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGHUP);
    sigprocmask(SIG_BLOCK, &held, &before);
}

bool
dev_interrupted(void)
{
    sigset_t pending;

    sigpending(&pending);
    return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1 ||
           sigismember(&pending, SIGHUP) == 1;
}

static void
pause_ms(unsigned ms)
{
    const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    nanosleep(&time, NULL);
}

/* Where something of ours is, from the folder of this program. Prints nothing. */
static bool
beside(const char *name, char *path)
{
    char self[DEV_PATH_MAX];
    char raw[2 * DEV_PATH_MAX];
    char resolved[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);

    if (len <= 0) {
        return false;
    }
    self[len] = '\0';
    *strrchr(self, '/') = '\0';
    snprintf(raw, sizeof raw, "%s/%s", self, name);
    if (realpath(raw, resolved) == NULL || strlen(resolved) >= DEV_PATH_MAX) {
        return false;
    }
    memcpy(path, resolved, strlen(resolved) + 1);
    return true;
}

bool
dev_program_path(const char *name, char *path)
{
    if (!beside(name, path)) {
        fprintf(stderr, "%s is not there; it is installed beside azcloudhsm_dev\n", name);
        return false;
    }
    return true;
}

bool
dev_module_path(char *path)
{
    /* Installed, or where the build leaves it. */
    if (beside("../lib64/libazcloudhsm_pkcs11.so", path) ||
        beside("libazcloudhsm_pkcs11.so", path)) {
        return true;
    }
    fputs("libazcloudhsm_pkcs11.so is not there; it is installed in lib64\n", stderr);
    return false;
}

/* Is this process one that was started with that argument? A zombie has no arguments. */
static bool
process_has_argument(pid_t pid, const char *argument)
{
    char path[64];
    char text[DEV_TEXT_MAX];
    size_t len = 0;
    ssize_t got;

    snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)pid);

    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    while ((got = read(fd, text + len, sizeof text - 1 - len)) > 0) {
        len += (size_t)got;
    }
    close(fd);
    text[len] = '\0';
    for (size_t at = 0; at < len; at += strlen(text + at) + 1) {
        if (strcmp(text + at, argument) == 0) {
            return true;
        }
    }
    return false;
}

pid_t
dev_process(const struct dev *dev, const char *pid_file, const char *argument)
{
    char text[64];
    long pid = dev_read(dev, pid_file, text, sizeof text) ? strtol(text, NULL, 10) : 0;

    return pid > 1 && process_has_argument((pid_t)pid, argument) ? (pid_t)pid : 0;
}

pid_t
dev_running(const struct dev *dev, enum dev_program which, unsigned node)
{
    const struct name pid_file = name_of(which, node, programs[which].pid_file);
    char config[DEV_PATH_MAX];

    return config_path(dev, which, node, config) ? dev_process(dev, pid_file.text, config) : 0;
}

/* In the child: what the program is born with. Does not return. */
static void
program_exec(const struct dev *dev, int input, int log, char **arguments, pid_t parent)
{
    if (!dev->detach && prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() != parent) {
        _exit(127); /* the parent died before the promise was made */
    }
    setsid(); /* Ctrl-C is for the user's command */
    sigprocmask(SIG_SETMASK, &before, NULL);
    dup2(input, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    execvp(arguments[0], arguments);
    fprintf(stderr, "%s: %s\n", arguments[0], strerror(errno));
    _exit(127);
}

static int
log_open(const struct dev *dev, const char *name)
{
    char path[DEV_PATH_MAX];
    int log = -1;

    if (dev_path(dev, name, path)) {
        log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (log < 0) {
            perror(path);
        }
    }
    return log;
}

/* The end of the log on stderr: a temporary D is about to go, with the log in it. */
void
dev_log_show(const struct dev *dev, const char *log_name)
{
    char path[DEV_PATH_MAX];
    char text[DEV_TEXT_MAX];
    FILE *log = dev_path(dev, log_name, path) ? fopen(path, "re") : NULL;

    if (log == NULL) {
        return;
    }
    if (fseek(log, -(long)sizeof text, SEEK_END) != 0) {
        rewind(log);
    }
    fwrite(text, 1, fread(text, 1, sizeof text, log), stderr);
    fclose(log);
}

pid_t
dev_spawn(const struct dev *dev, const char *log_name, char **arguments)
{
    const pid_t parent = getpid();
    int log = log_open(dev, log_name);
    int input = log < 0 ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
    pid_t pid = -1;

    if (input >= 0) {
        fflush(NULL);
        pid = fork();
        if (pid == 0) {
            program_exec(dev, input, log, arguments, parent);
        }
        close(input);
    }
    if (log >= 0) {
        close(log);
    }
    if (pid < 0) {
        perror(arguments[0]);
    }
    return pid;
}

bool
dev_run(const struct dev *dev, const char *log, char **arguments)
{
    pid_t pid = dev_spawn(dev, log, arguments);
    int status = -1;

    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    if (pid <= 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fprintf(stderr, "%s failed:\n", arguments[0]);
        dev_log_show(dev, log);
        return false;
    }
    return true;
}

pid_t
dev_initialize(const struct dev *dev)
{
    char path[DEV_PATH_MAX];
    char config[DEV_PATH_MAX];
    char policy[16];
    char switches[RULES_SWITCHES_TEXT_MAX + 1];
    char *arguments[] = { path, config, "--initialize", "--policy", policy, "--switches", switches,
                          NULL };

    snprintf(policy, sizeof policy, "%s", dev->policy);
    snprintf(switches, sizeof switches, "%s", dev->switches);
    return dev_program_path(programs[DEV_SERVER].name, path) &&
                   config_path(dev, DEV_SERVER, 0, config)
               ? dev_spawn(dev, name_of(DEV_SERVER, 0, programs[DEV_SERVER].log).text, arguments)
               : -1;
}

bool
dev_initialized(const struct dev *dev, pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fputs("the partition could not be initialised:\n", stderr);
        dev_log_show(dev, name_of(DEV_SERVER, 0, programs[DEV_SERVER].log).text);
        return false;
    }
    return true;
}

static pid_t started[ARRAY_COUNT(programs)][DEV_NODES_MAX]; /* by this process */

bool
dev_start(const struct dev *dev, enum dev_program which, unsigned node)
{
    const struct name log = name_of(which, node, programs[which].log);
    char path[DEV_PATH_MAX];
    char config[DEV_PATH_MAX];
    char *arguments[] = { path, config, NULL };

    if (!dev_program_path(programs[which].name, path) ||
        !config_path(dev, which, node, config)) {
        return false;
    }
    started[which][node] = dev_spawn(dev, log.text, arguments);
    return started[which][node] > 0;
}

static bool
daemon_listens(const struct dev *dev)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool ok;

    snprintf(address.sun_path, sizeof address.sun_path, "%.*s", (int)sizeof address.sun_path - 1,
             dev->socket_path);
    ok = fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return ok;
}

/* Does a node answer through the daemon? */
static bool
daemon_answers(const struct dev *dev)
{
    const struct client_options options = {
        .interface = INTERFACE_API,
        .socket_path = dev->socket_path,
        .unreachable_text = "the daemon does not answer",
    };
    struct client *client;
    struct call call;
    bool ok;

    if (client_open(&options, &client) != CKR_OK) {
        return false;
    }
    ok = call_begin(client, &call) == CKR_OK && call_send(&call, OPERATION_TOKEN, 0, 0) == CKR_OK;
    call_end(&call);
    client_close(client);
    return ok;
}

static bool
program_is_ready(struct dev *dev, enum dev_program which, unsigned node)
{
    if (which == DEV_SERVER) {
        return dev_read_ports(dev, node);
    }
    return daemon_listens(dev) && daemon_answers(dev);
}

bool
dev_wait(struct dev *dev, enum dev_program which, unsigned node)
{
    const struct name log = name_of(which, node, programs[which].log);
    const struct program *program = &programs[which];
    int status;

    for (int waited = 0; waited < DEV_READY_MS; waited += STEP_MS) {
        if (program_is_ready(dev, which, node)) {
            return true;
        }
        if (dev_interrupted()) {
            fputs("interrupted\n", stderr);
            return false;
        }
        if (started[which][node] > 0 && waitpid(started[which][node], &status, WNOHANG) > 0) {
            started[which][node] = 0;
            fprintf(stderr, "the %s ended at once:\n", program->what);
            dev_log_show(dev, log.text);
            return false;
        }
        pause_ms(STEP_MS);
    }
    fprintf(stderr, "the %s is not ready after %d s:\n", program->what, DEV_READY_MS / 1000);
    dev_log_show(dev, log.text);
    return false;
}

/* Waits until the process is gone; a child is reaped. */
static bool
process_ends(pid_t pid, const char *argument, int limit_ms)
{
    for (int waited = 0; waited < limit_ms; waited += STEP_MS) {
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        if (!process_has_argument(pid, argument)) {
            return true;
        }
        pause_ms(STEP_MS);
    }
    return false;
}

bool
dev_end(pid_t pid, const char *argument, const char *what)
{
    kill(pid, SIGTERM);
    if (process_ends(pid, argument, DEV_STOP_MS)) {
        return true;
    }
    kill(pid, SIGKILL);
    if (process_ends(pid, argument, DEV_STOP_MS)) {
        return true;
    }
    fprintf(stderr, "the %s (pid %ld) cannot be stopped\n", what, (long)pid);
    return false;
}

bool
dev_stop(const struct dev *dev, enum dev_program which, unsigned node)
{
    char config[DEV_PATH_MAX];
    pid_t pid = dev_running(dev, which, node);

    /* One that was killed while it started has no pid file yet. */
    if (pid == 0 && started[which][node] > 0 &&
        waitpid(started[which][node], NULL, WNOHANG) == 0) {
        pid = started[which][node];
    }
    started[which][node] = 0;
    return pid == 0 || (config_path(dev, which, node, config) &&
                        dev_end(pid, config, programs[which].what));
}

static void
command_exec(const struct dev *dev, char **command)
{
    char path[DEV_PATH_MAX];

    if (dev_path(dev, "azcloudhsm_application.cfg", path)) {
        setenv("AZCLOUDHSM_APPLICATION_CFG", path, 1);
    }
    setenv("AZCLOUDHSM_DEV_DIR", dev->dir, 1);
    if (dev_module_path(path)) {
        setenv("AZCLOUDHSM_PKCS11_MODULE", path, 1);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    execvp(command[0], command);
    fprintf(stderr, "%s: %s\n", command[0], strerror(errno));
    _exit(errno == ENOENT ? 127 : 126);
}

/*
 * Waits for the command. What asks us to end is handed on to it; Ctrl-C at the terminal has
 * reached it by itself. One that does not end then is killed.
 */
static int
command_wait(pid_t pid)
{
    const struct timespec limit = { .tv_sec = DEV_STOP_MS / 1000 };
    bool ending = false;
    int status;

    for (;;) {
        siginfo_t info;
        int number = ending ? sigtimedwait(&held, &info, &limit) : sigwaitinfo(&held, &info);

        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        if (number < 0 && errno == EAGAIN) {
            kill(pid, SIGKILL);
        } else if (number > 0 && number != SIGCHLD && info.si_code <= 0) {
            kill(pid, number);
            ending = ending || number != SIGINT;
        }
    }
}

int
dev_command(const struct dev *dev, char **command)
{
    fflush(NULL);

    pid_t pid = fork();

    if (pid == 0) {
        command_exec(dev, command);
    }
    if (pid < 0) {
        perror("fork");
        return 126;
    }
    return command_wait(pid);
}
