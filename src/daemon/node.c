/* SPDX-License-Identifier: Apache-2.0
 *
 * Links to the nodes: connect, keep alive by pings, connect again.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

#define BACKOFF_FIRST_MS 50u
#define BACKOFF_QUICK_MS 100u /* while requests may wait for it */
#define PINGS_MISSED_MAX 3u

static void node_link_connect(void *arg);

uint32_t
daemon_number(struct daemon *daemon)
{
    daemon->questions++;
    if (daemon->questions == 0) {
        daemon->questions = 1; /* 0 is nobody's */
    }
    return daemon->questions;
}

/* Soon, as long as requests wait for a node that is being restarted; then more and more rarely. */
static void
node_link_retry(struct node_link *link)
{
    struct daemon *daemon = link->node->daemon;
    uint64_t now = daemon_now();
    unsigned wait = link->backoff_ms == 0 ? BACKOFF_FIRST_MS : link->backoff_ms;

    if (daemon->stopping || link->node->gone) {
        return;
    }
    if (link->down_since == 0) {
        link->down_since = now;
    }
    link->backoff_ms = wait * 2;
    if (now - link->down_since < UNREACHABLE_MS) {
        link->backoff_ms = BACKOFF_QUICK_MS;
    }
    if (link->backoff_ms > daemon->settings.reconnect_interval_ms) {
        link->backoff_ms = daemon->settings.reconnect_interval_ms;
    }
    timer_free(link->retry);
    link->retry = timer_new(daemon->loop, wait, false, node_link_connect, link);
}

void
node_link_up(struct node_link *link)
{
    link->up = true;
    link->silent = 0;
    link->backoff_ms = 0;
    link->down_since = 0;
    log_inf("connected to %s (%s)", link->node->settings.name, link_name(link->link));
    feed_ask(link->node->daemon);
    roster_ask(link);
    route_node_up(link->node->daemon);
}

static void
on_node_up(void *arg, struct link *transport)
{
    struct node_link *link = arg;

    UNUSED(transport);
    link->greeted = true;
    link->silent = 0;
    roster_greet(link);
    if (!roster_doubts(link->node)) {
        node_link_up(link);
    }
}

static void
on_node_frame(void *arg, struct link *transport, const struct frame *frame, view body)
{
    struct node_link *link = arg;

    UNUSED(transport);
    link->silent = 0;
    route_reply(link->node->daemon, link, frame, body);
}

static void
node_link_drop(struct node_link *link, const char *reason)
{
    struct node *node = link->node;
    bool was_up = link->up;

    if (link->link == NULL) {
        return;
    }
    if (was_up || link->backoff_ms == 0) {
        log_wrn("%s (%s): %s", node->settings.name, link_name(link->link), reason);
    }
    if (strstr(reason, "Certificate ERROR") != NULL) {
        log_inf("shutdown_ssl_socket: SSL_shutdown sent close_notify alert");
    }
    link_free(link->link);
    link->link = NULL;
    link->up = false;
    link->greeted = false;
    if (!node_is_reached(node)) {
        node->release = 0; /* it may come back as another */
    }
    feed_link_down(node->daemon, link);
    route_node_down(node->daemon, link);
    node_link_retry(link);
}

static void
on_node_down(void *arg, struct link *transport, const char *reason)
{
    UNUSED(transport);
    node_link_drop(arg, reason);
}

static const struct link_events node_events = {
    .up = on_node_up,
    .frame = on_node_frame,
    .down = on_node_down,
};

static void
node_link_connect(void *arg)
{
    struct node_link *link = arg;
    struct node *node = link->node;
    int fd;

    if (link->link != NULL || node->gone || node->daemon->stopping) {
        return;
    }
    fd = resolver_connect(node->resolver, node->settings.client_port);
    if (fd < 0 && resolver_looks(node->resolver)) {
        return; /* until the name is known */
    }
    if (fd >= 0) {
        link->link = link_new(node->daemon->loop, fd, node->daemon->tls, false, &node_events,
                              link);
    }
    if (link->link == NULL) {
        node_link_retry(link);
    }
}

/* The look-up has ended. One that found nothing begins anew after a while. */
static void
on_resolved(void *arg)
{
    struct node *node = arg;

    for (size_t k = 0; k < NODE_LINKS; k++) {
        if (resolver_knows(node->resolver)) {
            node_link_connect(&node->links[k]);
        } else if (node->links[k].link == NULL) {
            node_link_retry(&node->links[k]);
        }
    }
}

void
node_links_begin(struct node *node)
{
    for (size_t k = 0; k < NODE_LINKS; k++) {
        node_link_connect(&node->links[k]);
    }
}

/* Where a further node goes: at the end, or, when that is reached, in the place of one that is no
 * more. NULL: there is none. */
static struct node *
node_place(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        if (daemon->node_count == SETTINGS_SERVERS_MAX && daemon->nodes[i].gone) {
            return &daemon->nodes[i];
        }
    }
    return daemon->node_count < SETTINGS_SERVERS_MAX ? &daemon->nodes[daemon->node_count] : NULL;
}

/* What contexts had at the node that was there before, they have nowhere. */
static void
node_place_clear(struct daemon *daemon, struct node *node)
{
    const unsigned place = (unsigned)(node - daemon->nodes);

    if (place == daemon->node_count) {
        daemon->node_count++;
        return;
    }
    for (struct context *context = daemon->contexts; context != NULL; context = context->next) {
        context->attachments[place] = (struct attachment){ .state = ATTACHMENT_NONE };
        if (context->home == place + 1) {
            copies_doubt(context, 0);
            context->home = 0;
        }
        if (context->copies.left == place + 1) {
            context->copies.left = 0;
        }
        context->near = context->near == place + 1 ? 0 : context->near;
    }
    resolver_free(node->resolver);
}

static struct node *
node_make(struct daemon *daemon, const struct settings_server *settings, bool learned)
{
    struct node *node = node_place(daemon);
    struct resolver *resolver;

    if (node == NULL) {
        log_wrn("%s: %u nodes are the most", settings->name, SETTINGS_SERVERS_MAX);
        return NULL;
    }
    resolver = resolver_new(daemon->loop, settings->hostname, on_resolved, node);
    if (resolver == NULL) {
        log_err("%s: no memory", settings->name);
        return NULL;
    }
    node_place_clear(daemon, node);
    *node = (struct node){ .daemon = daemon,
                           .index = (size_t)(node - daemon->nodes),
                           .learned = learned,
                           .settings = *settings,
                           .resolver = resolver };
    for (size_t k = 0; k < NODE_LINKS; k++) {
        node->links[k].node = node;
    }
    node_links_begin(node);
    return node;
}

struct node *
node_add(struct daemon *daemon, const struct settings_server *settings)
{
    return node_make(daemon, settings, false);
}

struct node *
node_learn(struct daemon *daemon, const struct settings_server *settings)
{
    return node_make(daemon, settings, true);
}

void
node_leave(struct node *node)
{
    node->gone = true;
    for (size_t k = 0; k < NODE_LINKS; k++) {
        node_link_drop(&node->links[k], "it is asked no more");
        timer_free(node->links[k].retry);
        node->links[k].retry = NULL;
    }
}

void
node_move(struct node *node, const struct settings_server *settings)
{
    struct resolver *resolver =
        resolver_new(node->daemon->loop, settings->hostname, on_resolved, node);

    if (resolver == NULL) {
        return;
    }
    for (size_t k = 0; k < NODE_LINKS; k++) {
        node_link_drop(&node->links[k], "it has moved");
    }
    resolver_free(node->resolver);
    node->resolver = resolver;
    snprintf(node->settings.hostname, sizeof node->settings.hostname, "%s", settings->hostname);
    node->settings.client_port = settings->client_port;
    node->settings.manage_port = settings->manage_port;
    node_links_begin(node);
}

void
node_start(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->settings.server_count; i++) {
        if (daemon->settings.servers[i].enable) {
            UNUSED(node_add(daemon, &daemon->settings.servers[i]));
        }
    }
}

void
nodes_stop(struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        for (size_t k = 0; k < NODE_LINKS; k++) {
            struct node_link *link = &daemon->nodes[i].links[k];

            timer_free(link->retry);
            link->retry = NULL;
            if (link->link != NULL) {
                link_free(link->link);
                link->link = NULL;
            }
            link->up = false;
            link->greeted = false;
        }
        resolver_free(daemon->nodes[i].resolver);
        daemon->nodes[i].resolver = NULL;
    }
}

/* The loop of the node answers pings itself, so silence means that it is gone. */
void
node_ping(void *arg)
{
    static const struct frame ping = { .operation = OPERATION_PING };
    struct daemon *daemon = arg;

    calm_look(daemon, daemon_now());
    feed_ask(daemon);
    roster_check(daemon);
    for (size_t i = 0; i < daemon->node_count; i++) {
        for (size_t k = 0; k < NODE_LINKS; k++) {
            struct node_link *link = &daemon->nodes[i].links[k];
            uint8_t header[FRAME_HEADER_LEN];

            if (!link->greeted) {
                continue;
            }
            /* Where there is nobody else to ask, one more tick costs nothing. */
            if (link->silent >= PINGS_MISSED_MAX +
                                    (node_has_other(daemon, &daemon->nodes[i]) ? 0u : 1u)) {
                node_link_drop(link, "no answer to pings");
                continue;
            }
            link->silent++;
            frame_encode(&ping, header);
            write_raw(link_output(link->link), view_of(header, sizeof header));
            link_flush(link->link);
        }
    }
}
