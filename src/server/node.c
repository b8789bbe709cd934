/* SPDX-License-Identifier: Apache-2.0
 *
 * Assembly. The main thread runs a loop of its own for listeners, signals and timers; the
 * connections live on the lanes.
 */
#include "server/node.h"

#include "base/log.h"
#include "net/hosts.h"
#include "net/link.h"
#include "server/audit.h"
#include "server/backup.h"
#include "server/cluster.h"
#include "server/gauges.h"
#include "server/hall.h"
#include "server/identity.h"
#include "server/lane.h"
#include "server/notify.h"
#include "server/partition.h"
#include "server/process.h"
#include "server/ticker.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANES_MAX 256u
#define STORE_THREADS 64u /* they wait; as many as that share one commit */
#define CPU_QUEUE_MAX 4096u
#define SLOW_QUEUE_MAX 256u
#define STORE_QUEUE_MAX 4096u
#define SLOW_NICE 5
#define GATHER_US 1500u /* three signatures with P-384, one alone of RSA's with 4096 bits */
#define DRAIN_MS 5000u
#define END_MS 15000u /* then it ends, whatever it waits for; where etcd is silent it takes 13 s */
#define SWEEP_MS 10000u
#define LEAVE_MS 1000u
#define BEAT_MS 1000u
#define COMPARE_MS (10u * 60u * 1000u)
#define TRIM_MS 1000u /* of a sweep, at most, for old records of the journal */
/* Contexts go when their daemon says so; this is for those whose daemon died. */
#define CONTEXT_IDLE_MS (24u * 60u * 60u * 1000u)

#define PORTS_NAME "server.ports"
#define PID_NAME "server.pid"

/* One kind of listener: its addresses and what came of them. */
struct gate {
    struct node *node;
    unsigned port;
    struct listener *listeners[8];
    size_t count;
};

struct node {
    struct renewal renewal; /* first, so that it is the node */
    const char *settings_path;
    struct folder *folder;
    struct partition partition;
    struct loop *loop;
    struct identity identity;
    struct lane_service service;
    struct lane **lanes;
    size_t lane_count;
    size_t lane_next; /* the hall's */
    struct hosts *hosts;
    struct hall *hall;
    struct gate client;
    struct gate manage;
    struct signal_watch *watches[3];
    struct timer *leave_timer;
    struct timer *drain_timer;
    struct ticker *end; /* from the moment on at which it begins to end */
    struct ticker *sweeps;
    struct ticker *beats;    /* of a node among several */
    struct ticker *compares;
    size_t draining; /* lanes that still are; counted on the main loop */
    bool stopping;
    bool again; /* start anew: with a backup that was restored, or another policy */
    struct backups *backups;
    struct gauges *gauges; /* NULL: no metrics */
    _Atomic uint64_t journal_limit;
};

static bool
node_identify(struct node *node, const struct server_settings *settings)
{
    return identity_make(&node->identity, node->folder, node->partition.hsm, settings);
}

/* The owner has come, or his certificate was renewed. */
static void
node_identity_renew(struct node *node)
{
    struct server_settings settings;

    if (server_settings_read(node->settings_path, &settings) && node_identify(node, &settings)) {
        log_inf("new certificates for new connections");
    } else {
        log_wrn("the certificates stay as they were");
    }
}

static void
gate_accepted(void *arg, int fd)
{
    struct gate *gate = arg;
    struct node *node = gate->node;

    if (node->identity.version != 0 &&
        node->identity.version != hsm_identity_version(node->partition.hsm)) {
        node_identity_renew(node);
    }

    struct tls_context *tls = gate->port == PORTS_manage && node->identity.manage != NULL
                                  ? node->identity.manage
                                  : node->identity.client;

    hall_take(node->hall, fd, tls, gate->port);
}

static void
node_passed(void *arg, struct link_pack *pack, unsigned port)
{
    struct node *node = arg;

    lane_take(node->lanes[node->lane_next++ % node->lane_count], pack, port);
}

static bool
gate_open(struct gate *gate, struct node *node, unsigned port, const char (*addresses)[128],
          size_t count)
{
    gate->node = node;
    gate->port = port;
    for (size_t i = 0; i < count && i < ARRAY_COUNT(gate->listeners); i++) {
        gate->listeners[i] = listener_new(node->loop, addresses[i], gate_accepted, gate);
        if (gate->listeners[i] == NULL) {
            return false;
        }
        listener_hosts(gate->listeners[i], node->hosts);
        gate->count++;
    }
    return true;
}

static void
gate_close(struct gate *gate)
{
    while (gate->count > 0) {
        listener_free(gate->listeners[--gate->count]);
    }
}

/* Lines "<name> HOST:PORT", with the ports that the listeners got. */
static void
gate_print(const struct gate *gate, const char *name, const char (*addresses)[128], char *text,
           size_t size)
{
    for (size_t i = 0; i < gate->count; i++) {
        const char *colon = strrchr(addresses[i], ':');
        size_t host_len = colon == NULL ? strlen(addresses[i]) : (size_t)(colon - addresses[i]);
        size_t len = strlen(text);

        snprintf(text + len, size - len, "%s %.*s:%u\n", name, (int)host_len, addresses[i],
                 listener_port(gate->listeners[i]));
    }
}

static bool
node_tell(struct node *node, const struct server_settings *settings)
{
    char text[4096] = "";
    char pid[32];

    gate_print(&node->client, "client", settings->listen, text, sizeof text);
    gate_print(&node->manage, "management", settings->listen_management, text, sizeof text);
    if (node->gauges != NULL) {
        const size_t len = strlen(text);

        snprintf(text + len, sizeof text - len, "metrics %.*s:%u\n",
                 (int)(strrchr(settings->metrics, ':') - settings->metrics), settings->metrics,
                 gauges_port(node->gauges));
    }
    snprintf(pid, sizeof pid, "%ld\n", (long)getpid());
    return folder_write(node->folder, PID_NAME, pid) &&
           folder_write(node->folder, PORTS_NAME, text);
}

/* "2224 on HOST:PORT, HOST:PORT" */
static void
gate_describe(const struct gate *gate, unsigned number, const char (*addresses)[128], char *text,
              size_t size)
{
    int len = snprintf(text, size, "%u on", number);

    for (size_t i = 0; i < gate->count && len > 0 && (size_t)len < size; i++) {
        const char *colon = strrchr(addresses[i], ':');
        size_t host_len = colon == NULL ? strlen(addresses[i]) : (size_t)(colon - addresses[i]);

        len += snprintf(text + len, size - (size_t)len, "%s %.*s:%u", i == 0 ? "" : ",",
                        (int)host_len, addresses[i], listener_port(gate->listeners[i]));
    }
}

static void
node_ready(const struct node *node, const struct server_settings *settings)
{
    struct hsm_counts counts;
    char client[512];
    char manage[512];

    hsm_count(node->partition.hsm, &counts);
    log_inf("partition open: %zu objects, %zu users; %zu loops", counts.objects, counts.users,
            node->lane_count);
    gate_describe(&node->client, 2224, settings->listen, client, sizeof client);
    gate_describe(&node->manage, 2225, settings->listen_management, manage, sizeof manage);
    log_inf("ready: %s, %s", client, manage);
    notify_send("READY=1");
}

static void
node_set_audit(struct node *node, const struct server_settings *settings)
{
    audit_set(node->partition.ports.audit, settings->audit_syslog,
              (uint64_t)settings->audit_limit << 20);
    atomic_store(&node->journal_limit, settings->journal_limit);
}

static void
node_reload(void *arg)
{
    struct node *node = arg;
    struct server_settings settings;

    if (node->stopping) {
        return;
    }
    notify_reloading();
    if (server_settings_read(node->settings_path, &settings)) {
        log_set_level(settings.log_level);
        node_set_audit(node, &settings);
        if (node_identify(node, &settings)) {
            log_inf("reloaded: certificates for new connections, log level");
        } else {
            log_wrn("the certificates stay as they were");
        }
    } else {
        log_wrn("the settings stay as they were");
    }
    notify_send("READY=1");
}

static void
node_drained(void *arg)
{
    struct node *node = arg;

    if (--node->draining == 0) {
        loop_stop(node->loop);
    }
}

/* On a lane's thread. When memory is short the drain timer ends the wait. */
static void
node_lane_drained(void *arg)
{
    struct node *node = arg;

    if (!loop_post(node->loop, node_drained, node)) {
        log_wrn("no memory to end early");
    }
}

static void
node_give_up(void *arg)
{
    struct node *node = arg;

    log_wrn("some requests were not answered in time");
    loop_stop(node->loop);
}

/* Threads that wait for a disk that hangs, or are in the middle of a long backup, cannot be ended,
 * but the process can: nothing that was answered is only in its memory. */
static void
node_end_late(void *arg)
{
    UNUSED(arg);
    log_err("not ended after %u seconds, as the disk, the store or a long request is not done: it "
            "ends without that; what was acknowledged is kept, but the audit trail may lack what "
            "was last", END_MS / 1000);
    _exit(1);
}

static void
node_end_begin(struct node *node)
{
    sigset_t all, before;

    if (node->end != NULL) {
        return;
    }
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    node->end = ticker_new(END_MS, node_end_late, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void
node_stop(void *arg)
{
    struct node *node = arg;

    if (node->stopping) {
        return;
    }
    node->stopping = true;
    node_end_begin(node);
    log_inf(node->again ? "starting anew" : "stopping");
    if (!node->again) {
        notify_send("STOPPING=1");
    }
    gate_close(&node->client);
    gate_close(&node->manage);
    gauges_close(node->gauges);
    node->drain_timer = timer_new(node->loop, DRAIN_MS, false, node_give_up, node);
    node->draining = node->lane_count;
    for (size_t i = 0; i < node->lane_count; i++) {
        lane_drain(node->lanes[i], node_lane_drained, node);
    }
    if (node->drain_timer == NULL) {
        loop_stop(node->loop);
    }
}

/* An officer took it off the list of nodes. */
static void
node_leave(void *arg)
{
    struct node *node = arg;

    if (!node->stopping && hsm_is_removed(node->partition.hsm)) {
        log_wrn("this node was removed from the cluster: it forgets the master key and ends");
        folder_remove(node->folder, PARTITION_KEY_NAME);
        node_stop(node);
    }
}

static void
node_sweep(void *arg)
{
    struct node *node = arg;
    const uint64_t limit = atomic_load(&node->journal_limit);

    hsm_sweep(node->partition.hsm, CONTEXT_IDLE_MS);
    if (limit > 0) {
        hsm_trim_journal(node->partition.hsm, limit, TRIM_MS);
    }
}

static void
node_beat(void *arg)
{
    hsm_beat(arg);
}

static void
node_compare(void *arg)
{
    hsm_compare(arg);
}

/* In threads of their own: all of it may wait for the store, and a comparison takes long. */
static bool
node_start_tickers(struct node *node)
{
    struct hsm *hsm = node->partition.hsm;

    return (node->sweeps = ticker_new(SWEEP_MS, node_sweep, node)) != NULL &&
           (node->beats = ticker_new(BEAT_MS, node_beat, hsm)) != NULL &&
           (node->compares = ticker_new(COMPARE_MS, node_compare, hsm)) != NULL;
}

static void
node_restart(void *arg)
{
    struct node *node = arg;

    if (!node->stopping) {
        node->again = true;
        notify_reloading();
        node_stop(node);
    }
}

/* On a pool's thread; the reply leaves before the lanes are drained. */
static void
node_restored(void *arg)
{
    struct node *node = arg;

    if (!loop_post(node->loop, node_restart, node)) {
        log_wrn("restart this server: a backup was restored");
    }
}

/* The same: the partition has another policy. */
static void
node_renew(struct renewal *renewal)
{
    if (!loop_post(((struct node *)renewal)->loop, node_restart, renewal)) {
        log_wrn("restart this server: the partition has another policy");
    }
}

static bool
node_start_backups(struct node *node, const struct server_settings *settings)
{
    const struct backup_plan plan = { settings, node_restored, node };

    node->backups = backup_new(node->folder, &plan);
    return node->backups != NULL && backup_settle(node->folder, &settings->store);
}

static bool
node_start_pools(struct node *node)
{
    static const struct pool_work work = { lane_work, lane_give, 0 };
    static const struct pool_work short_work = { lane_work, lane_give, GATHER_US };
    size_t cores = process_cores();
    struct pool **pools = node->service.pools;

    return (pools[PLACE_CPU] = pool_new("cpu", cores, 0, CPU_QUEUE_MAX, &short_work)) != NULL &&
           (pools[PLACE_SLOW] = pool_new("slow", size_max(cores / 2, 1), SLOW_NICE,
                                         SLOW_QUEUE_MAX, &work)) != NULL &&
           (pools[PLACE_STORE] = pool_new("store", STORE_THREADS, 0, STORE_QUEUE_MAX,
                                          &work)) != NULL;
}

static bool
node_start_hall(struct node *node)
{
    return (node->hosts = hosts_new()) != NULL &&
           (node->hall = hall_new(node->hosts, node_passed, node)) != NULL;
}

static bool
node_start_lanes(struct node *node, unsigned loops)
{
    size_t count = size_min(loops == 0 ? process_cores() : loops, LANES_MAX);

    node->lanes = calloc(count, sizeof *node->lanes);
    while (node->lanes != NULL && node->lane_count < count) {
        struct lane *lane = lane_new(&node->service);

        if (lane == NULL) {
            return false;
        }
        node->lanes[node->lane_count++] = lane;
    }
    return node->lanes != NULL;
}

static bool
node_watch(struct node *node)
{
    node->watches[0] = signal_watch_new(node->loop, SIGTERM, node_stop, node);
    node->watches[1] = signal_watch_new(node->loop, SIGINT, node_stop, node);
    node->watches[2] = signal_watch_new(node->loop, SIGHUP, node_reload, node);
    node->leave_timer = timer_new(node->loop, LEAVE_MS, true, node_leave, node);
    return node->watches[0] != NULL && node->watches[1] != NULL && node->watches[2] != NULL &&
           node->leave_timer != NULL;
}

/* Signals are the main loop's: every thread is started with them blocked. */
static bool
node_start_threads(struct node *node, const struct server_settings *settings, bool accept_older)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);

    bool good = node_start_backups(node, settings) &&
                partition_open(node->folder, settings, accept_older, node->backups,
                               &node->partition);

    if (good) {
        node_set_audit(node, settings);
        node->service.hsm = node->partition.hsm;
        node->service.meter = gauges_meter(node->gauges);
        hsm_set_watch(node->partition.hsm, gauges_watch(node->gauges));
        node->renewal.again = node_renew;
        hsm_set_renewal(node->partition.hsm, &node->renewal);
        hsm_set_ticket_life(node->partition.hsm, settings->ticket_life * (uint64_t)1000);
        hsm_set_stale_limit(node->partition.hsm, settings->stale_limit * (uint64_t)1000);
        good = node_start_pools(node) && node_start_lanes(node, settings->loops) &&
               node_start_hall(node) &&
               node_start_tickers(node);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return good;
}

/* A removed node that was away then forgets the master key now. */
static bool
node_enter(struct node *node, const struct server_settings *settings)
{
    struct hsm *hsm = node->partition.hsm;
    const bool entered = cluster_enter(hsm, settings, listener_port(node->client.listeners[0]),
                                       listener_port(node->manage.listeners[0]));

    if (!entered && hsm_is_removed(hsm)) {
        folder_remove(node->folder, PARTITION_KEY_NAME);
    }
    if (entered && hsm_keep_ticket_life(hsm) != CKR_OK) {
        log_err("the store does not take how long tickets live (ticket_life)");
        return false;
    }
    return entered;
}

static bool
node_start(struct node *node, const struct server_settings *settings, bool accept_older)
{
    return (node->folder = folder_open(settings->state)) != NULL &&
           (node->loop = loop_new()) != NULL && node_watch(node) &&
           (settings->metrics[0] == '\0' || (node->gauges = gauges_new()) != NULL) &&
           node_start_threads(node, settings, accept_older) && node_identify(node, settings) &&
           gate_open(&node->client, node, PORTS_client, settings->listen,
                     settings->listen_count) &&
           gate_open(&node->manage, node, PORTS_manage, settings->listen_management,
                     settings->listen_management_count) &&
           (node->gauges == NULL ||
            gauges_listen(node->gauges, node->loop, settings->metrics, &node->service)) &&
           node_enter(node, settings) && node_tell(node, settings);
}

/* In the order that lets everything away come home: pools, lanes, then what they used. */
static void
node_clear(struct node *node)
{
    node_end_begin(node);
    gate_close(&node->client);
    gate_close(&node->manage);
    gauges_close(node->gauges);
    hall_free(node->hall);
    for (size_t i = 0; i < ARRAY_COUNT(node->service.pools); i++) {
        if (node->service.pools[i] != NULL) {
            pool_stop(node->service.pools[i], lane_drop);
        }
    }
    while (node->lane_count > 0) {
        lane_free(node->lanes[--node->lane_count]);
    }
    free(node->lanes);
    hosts_free(node->hosts);
    for (size_t i = 0; i < ARRAY_COUNT(node->service.pools); i++) {
        pool_free(node->service.pools[i]);
    }
    ticker_free(node->sweeps);
    ticker_free(node->beats);
    ticker_free(node->compares);
    partition_close(&node->partition);
    gauges_free(node->gauges);
    backup_free(node->backups);
    for (size_t i = 0; i < ARRAY_COUNT(node->watches); i++) {
        signal_watch_free(node->watches[i]);
    }
    timer_free(node->leave_timer);
    timer_free(node->drain_timer);
    loop_free(node->loop);
    identity_clear(&node->identity);
    if (node->folder != NULL) {
        folder_remove(node->folder, PORTS_NAME);
        folder_remove(node->folder, PID_NAME);
    }
    folder_close(node->folder);
    ticker_free(node->end);
}

/* Who knows the port that ":0" was given finds the node there when it starts anew. */
static void
address_keep(char *address, size_t size, unsigned port)
{
    char *colon = strrchr(address, ':');

    if (colon != NULL && strcmp(colon, ":0") == 0) {
        snprintf(colon, size - (size_t)(colon - address), ":%u", port);
    }
}

static void
gate_keep(const struct gate *gate, char (*addresses)[128])
{
    for (size_t i = 0; i < gate->count; i++) {
        address_keep(addresses[i], sizeof addresses[i], listener_port(gate->listeners[i]));
    }
}

static void
node_keep(const struct node *node, struct server_settings *settings)
{
    gate_keep(&node->client, settings->listen);
    gate_keep(&node->manage, settings->listen_management);
    if (node->gauges != NULL) {
        address_keep(settings->metrics, sizeof settings->metrics, gauges_port(node->gauges));
    }
}

int
node_run(const char *path, const struct server_settings *given, bool accept_older)
{
    struct server_settings kept = *given;
    const struct server_settings *settings = &kept;
    bool started;
    bool again;

    do {
        struct node node = { .settings_path = path };

        started = node_start(&node, settings, accept_older);
        if (started) {
            node_ready(&node, settings);
            node_keep(&node, &kept);
            loop_run(node.loop);
        }
        node_clear(&node);
        again = started && node.again;
    } while (again);
    if (started) {
        log_inf("stopped");
    }
    return started ? 0 : 1;
}
