/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's metrics (docs/metrics.md). All is on its one loop, so what it counts anyway is
 * read when somebody asks. Where its port is 0, <state>/client.ports tells the one it got.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static size_t
node_links_up(const struct node *node)
{
    size_t up = 0;

    for (size_t i = 0; i < NODE_LINKS; i++) {
        up += node->links[i].up;
    }
    return up;
}

static size_t
node_release(const struct node *node)
{
    return node->release;
}

static size_t
node_is_up(const struct node *node)
{
    return node_links_up(node) > 0;
}

/* A family with one value for each node. */
static void
write_nodes(const struct daemon *daemon, enum metric metric,
            size_t (*value)(const struct node *node), struct writer *w)
{
    metric_head(w, metric);
    for (size_t i = 0; i < daemon->node_count; i++) {
        const struct node *node = &daemon->nodes[i];
        char name[2 * sizeof node->settings.name + 1];
        char labels[sizeof name + 16];

        metric_label(node->settings.name, name, sizeof name);
        snprintf(labels, sizeof labels, "node=\"%s\"", name);
        metric_value(w, metric, "", labels, value(node));
    }
}

static void
gauges_page(void *arg, struct writer *w)
{
    const struct daemon *daemon = arg;
    size_t contexts = 0;
    size_t peers = 0;
    size_t copies = 0;

    for (const struct context *c = daemon->contexts; c != NULL; c = c->next) {
        contexts++;
        peers += c->peers;
        copies += c->copies.count;
    }
    metric_single(w, METRIC_up, 1);
    meter_write(daemon->meter, w);
    metric_single(w, METRIC_contexts, contexts);
    metric_single(w, METRIC_copies, copies);
    metric_head(w, METRIC_connections);
    metric_value(w, METRIC_connections, "", "port=\"local\"", peers);
    metric_head(w, METRIC_queue);
    metric_value(w, METRIC_queue, "", "queue=\"pending\"", daemon->pending_count);
    write_nodes(daemon, METRIC_node_up, node_is_up, w);
    write_nodes(daemon, METRIC_links, node_links_up, w);
    write_nodes(daemon, METRIC_load, node_load, w);
    write_nodes(daemon, METRIC_node_release, node_release, w);
}

static void
ports_path(const struct daemon *daemon, char *path, size_t size)
{
    snprintf(path, size, "%s/client.ports", daemon->settings.state);
}

static bool
ports_write(const struct daemon *daemon)
{
    const char *address = daemon->settings.metrics;
    char path[600];
    FILE *file;

    if (daemon->settings.state[0] == '\0') {
        return true;
    }
    ports_path(daemon, path, sizeof path);
    file = fopen(path, "we");
    if (file == NULL ||
        fprintf(file, "metrics %.*s:%u\n", (int)(strrchr(address, ':') - address), address,
                scrape_port(daemon->scrape)) < 0 ||
        fclose(file) != 0) {
        log_err("%s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

bool
gauges_open(struct daemon *daemon)
{
    if (daemon->settings.metrics[0] == '\0') {
        return true;
    }
    daemon->meter = meter_new(false);
    daemon->scrape = daemon->meter == NULL ? NULL
                                           : scrape_new(daemon->loop, daemon->settings.metrics,
                                                        gauges_page, daemon);
    return daemon->scrape != NULL && ports_write(daemon);
}

void
gauges_close(struct daemon *daemon)
{
    char path[600];

    if (daemon->scrape != NULL && daemon->settings.state[0] != '\0') {
        ports_path(daemon, path, sizeof path);
        (void)unlink(path);
    }
    scrape_free(daemon->scrape);
    daemon->scrape = NULL;
}
