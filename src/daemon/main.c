/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_client CFG: assembly of the daemon. It listens before any node is reached, so
 * that applications find it; what they ask waits until a node is there.
 */
#include "daemon/copies_file.h"
#include "daemon/storage.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOCKET_FOLDER "/run/azurecloudhsm"
#define SOCKET_GROUP "azurecloudhsm"
#define PING_MS 250u
#define CHECK_MS 100u
#define DRAIN_MS 2000u
#define GIVE_WAY_US 100u

uint64_t
daemon_now(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

static struct tls_context *
daemon_tls(const struct client_settings *settings)
{
    const struct tls_files files = {
        .anchor = settings->anchor,
        .certificate = settings->certificate[0] == '\0' ? NULL : settings->certificate,
        .private_key = settings->private_key[0] == '\0' ? NULL : settings->private_key,
    };

    return tls_client_new(&files);
}

/* The group of the packages may use the socket; where there is none, everyone may, for the
 * context's key and the login protect what is behind it (DESIGN section 3). */
static bool
daemon_listen(struct daemon *daemon)
{
    const struct group *group = getgrnam(SOCKET_GROUP);
    unsigned mode = daemon->settings.socket_mode;

    if (daemon->settings.socket_path[0] != '\0') {
        snprintf(daemon->socket_path, sizeof daemon->socket_path, "%s",
                 daemon->settings.socket_path);
    } else {
        if (mkdir(SOCKET_FOLDER, 0755) != 0 && errno != EEXIST) {
            log_err("%s: %s; run as root, or set client.socket_path", SOCKET_FOLDER,
                    strerror(errno));
            return false;
        }
        snprintf(daemon->socket_path, sizeof daemon->socket_path, "%s/daemon-%u.sock",
                 SOCKET_FOLDER, daemon->settings.daemon_id);
    }
    if (mode == 0) {
        mode = group == NULL ? 0666 : 0660;
    }
    daemon->listener =
        listener_unix_new(daemon->loop, daemon->socket_path, mode, peer_accepted, daemon);
    if (daemon->listener == NULL) {
        return false;
    }
    if (group != NULL && daemon->settings.socket_mode == 0 &&
        chown(daemon->socket_path, (uid_t)-1, group->gr_gid) != 0) {
        log_wrn("%s: group %s: %s", daemon->socket_path, SOCKET_GROUP, strerror(errno));
    }
    return true;
}

/* <state>/client.pid: who to send signals to. */
static bool
pid_write(const struct client_settings *settings)
{
    char path[600];
    FILE *file;

    if (settings->state[0] == '\0') {
        return true;
    }
    snprintf(path, sizeof path, "%s/client.pid", settings->state);
    file = fopen(path, "we");
    if (file == NULL || fprintf(file, "%ld\n", (long)getpid()) < 0 || fclose(file) != 0) {
        log_err("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* Unless it is another's: of a daemon that runs already, or of our successor. */
static void
pid_remove(const struct client_settings *settings)
{
    char path[600];
    long pid = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/client.pid", settings->state);
    file = settings->state[0] == '\0' ? NULL : fopen(path, "re");
    if (file == NULL) {
        return;
    }
    if (fscanf(file, "%ld", &pid) == 1 && pid == (long)getpid()) {
        (void)unlink(path);
    }
    fclose(file);
}

/* Without one in the settings, what systemd gives (StateDirectory=). */
static void
state_find(struct client_settings *settings)
{
    const char *given = getenv("STATE_DIRECTORY");

    if (settings->state[0] == '\0' && given != NULL && given[0] == '/' &&
        strlen(given) < sizeof settings->state && strchr(given, ':') == NULL) {
        snprintf(settings->state, sizeof settings->state, "%s", given);
    }
}

static void
on_check(void *arg)
{
    struct daemon *daemon = arg;

    route_check(daemon);
    peers_check(daemon);
    contexts_check(daemon);
    copies_files_sweep(daemon);
    if (daemon->stopping) {
        peers_stop(daemon);
        if (daemon->pending_count == 0 && !storage_is_busy(daemon)) {
            loop_stop(daemon->loop);
        }
    }
}

static void
on_give_up(void *arg)
{
    struct daemon *daemon = arg;

    log_wrn("%zu requests were not answered in time", daemon->pending_count);
    loop_stop(daemon->loop);
}

static void
on_stop(void *arg)
{
    struct daemon *daemon = arg;

    if (daemon->stopping) {
        return;
    }
    log_inf("stopping");
    daemon->stopping = true;
    listener_free(daemon->listener);
    daemon->listener = NULL;
    peers_stop(daemon);
    daemon->give_up = timer_new(daemon->loop, DRAIN_MS, false, on_give_up, daemon);
    if (daemon->give_up == NULL) {
        loop_stop(daemon->loop);
    }
}

static void
on_reload(void *arg)
{
    struct daemon *daemon = arg;
    struct client_settings *settings = calloc(1, sizeof *settings);
    struct tls_context *tls;

    if (settings == NULL || !client_settings_read(daemon->settings_path, settings)) {
        log_wrn("the settings stay as they were");
        free(settings);
        return;
    }
    log_set_level(settings->log_level);
    tls = daemon_tls(settings);
    free(settings);
    if (tls == NULL) {
        log_wrn("the certificates stay as they were");
        return;
    }
    tls_context_free(daemon->tls);
    daemon->tls = tls;
    log_inf("reloaded: certificates for new connections, log level");
}

static bool
daemon_start(struct daemon *daemon)
{
    daemon->loop = loop_new();
    if (daemon->loop == NULL) {
        return false;
    }
    daemon->tls = daemon_tls(&daemon->settings);
    if (daemon->tls == NULL) {
        /* The node cannot be known for what it is, so there is nothing to connect to. */
        log_err("Certificate ERROR: [Certificate signature failure]: copy the owner's PO.crt "
                "to %s",
                daemon->settings.anchor);
        log_inf("shutdown_ssl_socket: SSL_shutdown sent close_notify alert");
        return false;
    }
    daemon->started_at = daemon_now();
    daemon->unreachable_since = daemon->started_at;
    page_open(daemon);
    daemon->watches[0] = signal_watch_new(daemon->loop, SIGTERM, on_stop, daemon);
    daemon->watches[1] = signal_watch_new(daemon->loop, SIGINT, on_stop, daemon);
    daemon->watches[2] = signal_watch_new(daemon->loop, SIGHUP, on_reload, daemon);
    daemon->ping = timer_new(daemon->loop, PING_MS, true, node_ping, daemon);
    daemon->check = timer_new(daemon->loop, CHECK_MS, true, on_check, daemon);
    if (daemon->watches[0] == NULL || daemon->watches[1] == NULL || daemon->watches[2] == NULL ||
        daemon->ping == NULL || daemon->check == NULL || !daemon_listen(daemon) ||
        !gauges_open(daemon) ||
        !pid_write(&daemon->settings)) {
        return false;
    }
    copies_files_open(daemon);
    node_start(daemon);
    known_load(daemon);
    return true;
}

static void
daemon_clear(struct daemon *daemon)
{
    listener_free(daemon->listener);
    gauges_close(daemon);
    daemon->stopping = true;
    storage_clear(daemon);
    pendings_clear(daemon);
    nodes_stop(daemon);
    peers_clear(daemon);
    contexts_clear(daemon);
    index_clear(&daemon->owners);
    for (size_t i = 0; i < ARRAY_COUNT(daemon->watches); i++) {
        signal_watch_free(daemon->watches[i]);
    }
    timer_free(daemon->ping);
    timer_free(daemon->check);
    timer_free(daemon->give_up);
    page_close(daemon);
    tls_context_free(daemon->tls);
    meter_free(daemon->meter);
    loop_free(daemon->loop);
    pid_remove(&daemon->settings);
}

/* As many descriptors as there may be; what one uid's connections take leaves some for others. */
static size_t
descriptors_raise(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0) {
        return UID_PEERS_MAX / 16;
    }
    files.rlim_cur = files.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0) {
        log_inf("the limit of descriptors stays as it is");
    }
    return size_max(size_min((size_t)files.rlim_max / 4 * 3, UID_PEERS_MAX), 16);
}

/* It sees PINs and data: no core file, no other process's look. */
static void
process_harden(void)
{
    const struct rlimit none = { 0, 0 };

    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)signal(SIGPIPE, SIG_IGN);
}

int
main(int argc, char *argv[])
{
    static struct daemon daemon;
    bool started;

    if (argc != 2 || argv[1][0] == '-') {
        fprintf(stderr, "usage: %s azcloudhsm_client.cfg | azcloudhsm_resource.cfg\n", argv[0]);
        return 2;
    }
    process_harden();
    daemon.uid_peers_max = descriptors_raise();
    daemon.settings_path = argv[1];
    if (!client_settings_read(argv[1], &daemon.settings)) {
        return 1;
    }
    log_set_level(daemon.settings.log_level);
    state_find(&daemon.settings);
    started = daemon_start(&daemon);
    if (started) {
        log_inf("listening on %s for %zu nodes", daemon.socket_path, daemon.node_count);
        loop_give_way(daemon.loop, GIVE_WAY_US);
        loop_run(daemon.loop);
    }
    daemon_clear(&daemon);
    if (started) {
        log_inf("stopped");
    }
    return started ? 0 : 1;
}
