/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: all of D's programs together: made, started, stopped, looked at.
 */
#include "tools/dev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool
dev_count_nodes(struct dev *dev)
{
    const unsigned asked = dev->node_count;
    char text[16];

    dev->node_count = asked == 0 ? 1 : asked;
    /* It is there before the HSM is whole: down stops all of one that was never finished, too. */
    if (dev_exists(dev, "made") || dev_exists(dev, "node_count")) {
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
        fprintf(stderr,
                "%s holds an HSM that was never finished; run down, and remove the folder\n",
                dev->dir);
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

bool
dev_up(struct dev *dev)
{
    return dev_count_nodes(dev) && dev_storage_begin(dev) &&
           (dev_exists(dev, "made") ? start_rest(dev) : make_all(dev)) && dev_storage_end(dev);
}

bool
dev_down(struct dev *dev)
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

bool
dev_is_up(const struct dev *dev)
{
    bool all = dev_running(dev, DEV_DAEMON, 0) != 0;

    for (unsigned i = 0; i < dev->node_count; i++) {
        all = all && dev_running(dev, DEV_SERVER, i) != 0;
    }
    return dev_etcd_print(dev, true) && dev_storage_runs(dev) && all;
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

void
dev_print(struct dev *dev)
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

void
dev_before_look(const struct dev *dev, struct dev_before *ret_before)
{
    ret_before->daemon = dev_running(dev, DEV_DAEMON, 0) != 0;
    ret_before->etcd = dev_etcd_print(dev, true);
    for (unsigned i = 0; i < dev->node_count; i++) {
        ret_before->servers[i] = dev_running(dev, DEV_SERVER, i) != 0;
    }
}

void
dev_before_restore(const struct dev *dev, const struct dev_before *before)
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
