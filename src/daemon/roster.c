/* SPDX-License-Identifier: Apache-2.0
 *
 * The roster: which nodes there are. The settings name one or some; any of them tells where all
 * those are that share its records. One that was taken off the list is asked no more.
 */
#include "daemon/daemon.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void
word_send(struct node_link *link, enum operation operation)
{
    const struct frame ask = { .operation = (uint16_t)operation };
    uint8_t header[FRAME_HEADER_LEN];

    frame_encode(&ask, header);
    write_raw(link_output(link->link), view_of(header, sizeof header));
    link_flush(link->link);
}

void
roster_ask(struct node_link *link)
{
    word_send(link, OPERATION_NODES);
    link->node->daemon->roster_asked_at = daemon_now();
}

/* ---- whose they are ---- */

static bool
store_is_known(const struct daemon *daemon)
{
    static const uint8_t none[STORE_ID_LEN];

    return memcmp(daemon->store, none, sizeof none) != 0;
}

bool
roster_doubts(const struct node *node)
{
    return node->learned && store_is_known(node->daemon);
}

void
roster_greet(struct node_link *link)
{
    word_send(link, OPERATION_CLUSTER);
}

/* The settings are right, and lead elsewhere now: what was told there counts no more. */
static void
store_change(struct daemon *daemon, const struct node *by)
{
    log_wrn("%s is of another store than before: nodes that were learned are forgotten",
            by->settings.name);
    daemon->roster_revision = 0;
    for (size_t i = 0; i < daemon->node_count; i++) {
        struct node *node = &daemon->nodes[i];

        if (node->learned && !node->gone) {
            node_leave(node);
        }
        node->id = 0;
    }
    known_forget(daemon);
}

void
roster_greeted(struct node_link *link, const struct frame *frame, view body)
{
    struct node *node = link->node;
    struct daemon *daemon = node->daemon;
    struct cluster_reply told;
    bool other;

    /* One of before does not know the question. */
    if (frame->code == CKR_OK && cluster_reply_read(body, &told) &&
        told.store.len == sizeof daemon->store) {
        other = store_is_known(daemon) &&
                memcmp(told.store.data, daemon->store, sizeof daemon->store) != 0;
        if (other && node->learned) {
            log_wrn("%s is of another store: it is asked no more", node->settings.name);
            node->id = 0;
            node_leave(node);
            return;
        }
        if (other) {
            store_change(daemon, node);
        }
        memcpy(daemon->store, told.store.data, sizeof daemon->store);
    }
    if (!link->up) {
        node_link_up(link);
    }
}

/* Each time another one, so that none tells for ever what only it believes. */
void
roster_check(struct daemon *daemon)
{
    if (daemon->node_count == 0 || daemon_now() - daemon->roster_asked_at < ROSTER_MS) {
        return;
    }
    for (size_t i = 1; i <= daemon->node_count; i++) {
        struct node *node = &daemon->nodes[(daemon->roster_turn + i) % daemon->node_count];

        for (size_t k = 0; k < NODE_LINKS; k++) {
            if (node->links[k].up) {
                daemon->roster_turn = node->index;
                roster_ask(&node->links[k]);
                return;
            }
        }
    }
}

static struct node *
roster_find(struct daemon *daemon, uint32_t id)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        if (daemon->nodes[i].id == id) {
            return &daemon->nodes[i];
        }
    }
    return NULL;
}

static bool
is_at(const struct node *node, const struct node_info *info)
{
    return node->settings.client_port == info->client_port &&
           view_equal(view_str(node->settings.hostname), info->hostname);
}

/* One of the settings that has not been reached yet, and is not known by its number. */
static struct node *
roster_find_at(struct daemon *daemon, const struct node_info *info)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        if (daemon->nodes[i].id == 0 && is_at(&daemon->nodes[i], info)) {
            return &daemon->nodes[i];
        }
    }
    return NULL;
}

static bool
settings_of(const struct node_info *info, struct settings_server *ret_settings)
{
    struct settings_server settings = { .client_port = info->client_port,
                                        .manage_port = info->manage_port,
                                        .enable = true };

    if (info->hostname.len == 0 || info->hostname.len >= sizeof settings.hostname) {
        return false;
    }
    memcpy(settings.hostname, info->hostname.data, info->hostname.len);
    snprintf(settings.name, sizeof settings.name, "node %u", (unsigned)info->id);
    *ret_settings = settings;
    return true;
}

void
roster_enter(struct daemon *daemon, const struct node_info *info)
{
    struct node *node = roster_find(daemon, info->id);
    struct settings_server settings;

    if (node == NULL && (node = roster_find_at(daemon, info)) != NULL) {
        node->id = info->id;
    }
    if (node != NULL && node->gone) {
        node->gone = false;
        node_links_begin(node);
    }
    if (!info->present || (node != NULL && (is_at(node, info) || node_is_reached(node))) ||
        !settings_of(info, &settings)) {
        return;
    }
    if (node != NULL) {
        log_inf("%s has moved to %s:%u", node->settings.name, settings.hostname,
                settings.client_port);
        node_move(node, &settings);
        return;
    }
    node = node_learn(daemon, &settings);
    if (node != NULL) {
        node->id = info->id;
        log_inf("%s is at %s:%u", settings.name, settings.hostname, settings.client_port);
    }
}

/* The number of who answered. Two names of the settings may be one node. */
static void
roster_know(struct daemon *daemon, struct node *node, uint32_t id)
{
    struct node *other = roster_find(daemon, id);

    if (other == node) {
        return;
    }
    if (other != NULL && !other->gone && node_is_reached(other)) {
        log_inf("%s is %s", node->settings.name, other->settings.name);
        node_leave(node);
        return;
    }
    if (other != NULL) {
        other->id = 0;
        node_leave(other);
    }
    node->id = id;
}

static bool
is_listed(struct node_array nodes, uint32_t id)
{
    struct reader r = reader_of(nodes.bytes);
    struct node_info info;

    while (node_array_next(&r, &info)) {
        if (info.id == id) {
            return true;
        }
    }
    return false;
}

void
roster_answer(struct daemon *daemon, struct node_link *link, const struct frame *frame, view body)
{
    struct nodes_reply told;
    struct node_info info;
    struct reader r;

    daemon->rostered = true; /* one that does not know the question is alone */
    if (frame->code != CKR_OK || !nodes_reply_read(body, &told) || told.self == 0 ||
        !is_listed(told.nodes, told.self)) {
        return;
    }
    roster_know(daemon, link->node, told.self);
    /* What a node that was away tells may be old. */
    if (told.revision < daemon->roster_revision) {
        return;
    }
    daemon->roster_revision = told.revision;
    r = reader_of(told.nodes.bytes);
    while (node_array_next(&r, &info)) {
        roster_enter(daemon, &info);
    }
    for (size_t i = 0; i < daemon->node_count; i++) {
        struct node *node = &daemon->nodes[i];

        if (node->id != 0 && !node->gone && !is_listed(told.nodes, node->id)) {
            log_inf("%s is no node of the cluster any more", node->settings.name);
            node_leave(node);
        }
    }
    known_save(daemon);
}
