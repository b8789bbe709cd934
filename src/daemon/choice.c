/* SPDX-License-Identifier: Apache-2.0
 *
 * Which node does it. What any node can do goes where the context was last, so that what leaves
 * together travels together and a write is read where it was made; to the least busy one as soon
 * as that has clearly less to do. What is tied to one node's memory goes to the context's home.
 */
#include "daemon/daemon.h"

#define SLACK 2u       /* requests more than the least busy node has */
#define SUSPECT 2u     /* pings without an answer: others are preferred */
#define START_MS 1000u /* of a daemon, for all nodes to come up */
#define TOGETHER 8u    /* requests more on a link, so that they leave in one record */
#define TOGETHER_BYTES 8192u

bool
node_is_reached(const struct node *node)
{
    for (size_t k = 0; k < NODE_LINKS; k++) {
        if (node->links[k].up) {
            return true;
        }
    }
    return false;
}

bool
nodes_are_there(const struct daemon *daemon)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        if (node_is_reached(&daemon->nodes[i])) {
            return true;
        }
    }
    return false;
}

static bool
is_well(const struct node_link *link)
{
    return link->up && link->silent < SUSPECT && link_backlog(link->link) < NODE_OUTPUT_HIGH;
}

static bool
node_is_well(const struct node *node)
{
    for (size_t k = 0; k < NODE_LINKS; k++) {
        if (is_well(&node->links[k])) {
            return true;
        }
    }
    return false;
}

bool
node_has_other(const struct daemon *daemon, const struct node *node)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        if (&daemon->nodes[i] != node && node_is_well(&daemon->nodes[i])) {
            return true;
        }
    }
    return false;
}

bool
node_has_later(const struct daemon *daemon, const struct node *node, uint32_t avoid)
{
    for (size_t i = 0; i < daemon->node_count; i++) {
        const struct node *other = &daemon->nodes[i];

        if (other != node && (avoid & (UINT32_C(1) << i)) == 0 && node_is_well(other) &&
            (other->release == 0 || other->release > node->release)) {
            return true;
        }
    }
    return false;
}

size_t
node_load(const struct node *node)
{
    size_t load = 0;

    for (size_t k = 0; k < NODE_LINKS; k++) {
        load += node->links[k].load;
    }
    return load;
}

/* Is something about to leave on it, which a small request may join? One record, one write and one
 * wake-up of the node serve them all. */
static bool
is_leaving(const struct node_link *link)
{
    const size_t waits = link_backlog(link->link);

    return waits > 0 && waits < TOGETHER_BYTES;
}

struct node_link *
node_best_link(struct node *node, const struct context *context)
{
    const struct attachment *at = &context->attachments[node->index];
    struct node_link *best = NULL;

    /* Until ATTACH is answered all goes the way it went, for order is kept there only. */
    if (at->state == ATTACHMENT_ASKED && at->link->up) {
        return at->link;
    }
    for (size_t k = 0; k < NODE_LINKS; k++) {
        struct node_link *link = &node->links[k];

        if (link->up && (best == NULL || is_well(link) > is_well(best) ||
                         (is_well(link) == is_well(best) && link->load < best->load))) {
            best = link;
        }
    }
    for (size_t k = 0; best != NULL && k < NODE_LINKS; k++) {
        struct node_link *link = &node->links[k];

        if (is_well(link) && is_leaving(link) && link->load < best->load + TOGETHER) {
            return link;
        }
    }
    return best;
}

/* Of two that may do it. */
static bool
is_better(const struct node *node, const struct node *than)
{
    const bool well = node_is_well(node);

    return well != node_is_well(than) ? well : node_load(node) < node_load(than);
}

/* Contexts begin at different nodes. */
static struct node *
node_least(struct daemon *daemon, const struct context *context, uint32_t avoid)
{
    const size_t first = daemon->node_count == 0 ? 0 : context->id[0] % daemon->node_count;
    struct node *least = NULL;

    for (size_t i = 0; i < daemon->node_count; i++) {
        struct node *node = &daemon->nodes[(first + i) % daemon->node_count];

        if (node_is_reached(node) && (avoid & (UINT32_C(1) << node->index)) == 0 &&
            (least == NULL || is_better(node, least))) {
            least = node;
        }
    }
    return least;
}

/* Where the context was last, while that is as good. */
static struct node *
node_near(struct daemon *daemon, const struct context *context, uint32_t avoid)
{
    struct node *least = node_least(daemon, context, avoid);
    struct node *near = context->near == 0 ? least : &daemon->nodes[context->near - 1];

    if (least == NULL || near == least || (avoid & (UINT32_C(1) << near->index)) != 0 ||
        !node_is_reached(near) || (node_is_well(least) && !node_is_well(near))) {
        return least;
    }
    return node_load(near) <= node_load(least) + SLACK ? near : least;
}

static uint64_t
lot_of(const struct node *node, const struct context *context)
{
    uint64_t key = node->id == 0 ? node->index : node->id;
    uint64_t lot = (load_u64(context->id) + key * 0x9e3779b97f4a7c15u) * 0xd6e8feb86659fd93u;

    return lot ^ lot >> 32;
}

/* A home is drawn by the context's name and the nodes' numbers, so that a restarted daemon finds it
 * again, in whichever order it hears of the nodes. */
static struct node *
node_drawn(struct daemon *daemon, const struct context *context)
{
    struct node *drawn = NULL;
    uint64_t most = 0;

    for (size_t i = 0; i < daemon->node_count; i++) {
        struct node *node = &daemon->nodes[i];
        uint64_t lot = lot_of(node, context);

        if (!node->gone && (drawn == NULL || lot > most)) {
            drawn = node;
            most = lot;
        }
    }
    return drawn;
}

/* The home that the daemon before left word of. */
static struct node *
node_before(struct daemon *daemon, const struct context *context)
{
    for (size_t i = 0; context->home_number != 0 && i < daemon->node_count; i++) {
        if (daemon->nodes[i].id == context->home_number && !daemon->nodes[i].gone) {
            return &daemon->nodes[i];
        }
    }
    return NULL;
}

/* The one before, or else the drawn one, is given a moment to come up, where it may have something; and
 * which one that was is known only when a node has said what numbers they have. */
static struct node *
node_home(struct daemon *daemon, struct context *context, enum tie tie, uint32_t avoid)
{
    const bool has = context->local || tie == TIE_step;
    const bool fresh = daemon_now() - daemon->started_at < START_MS;
    struct node *before = node_before(daemon, context);
    struct node *drawn = before != NULL ? before : node_drawn(daemon, context);
    const bool unknown = context->home_number != 0 && !daemon->rostered;
    struct node *home;

    if (drawn == NULL || (has && (unknown || (fresh && (!daemon->rostered ||
                                                        !node_is_reached(drawn)))))) {
        return NULL;
    }
    home = node_is_well(drawn) && (avoid & (UINT32_C(1) << drawn->index)) == 0
               ? drawn
               : node_near(daemon, context, avoid);
    if (home != NULL && before != NULL) {
        context->copies.left = 0;
        context->home_number = 0;
        if (home != before) {
            context->copies.left = (unsigned)before->index + 1;
            context->attachments[before->index] =
                (struct attachment){ .state = ATTACHMENT_NONE, .stale = true };
        }
    }
    return home;
}

struct node_link *
node_choose(struct daemon *daemon, struct context *context, enum tie tie, uint32_t avoid)
{
    struct node *node;

    if (tie != TIE_none && context->home != 0) {
        node = &daemon->nodes[context->home - 1];
        if (node_is_reached(node) && (avoid & (UINT32_C(1) << node->index)) == 0) {
            return node_best_link(node, context);
        }
        /* A home that is only behind keeps what it has. */
        if (tie == TIE_step || (node_is_reached(node) && context->local)) {
            return NULL;
        }
        node = node_near(daemon, context, avoid);
        if (node != NULL) {
            attachments_move(context);
        }
    } else if (tie != TIE_none) {
        node = node_home(daemon, context, tie, avoid);
    } else {
        node = node_near(daemon, context, avoid);
    }
    if (node == NULL) {
        return NULL;
    }
    if (tie != TIE_none) {
        context->home = (unsigned)node->index + 1;
    }
    if (tie == TIE_none || context->near == 0) {
        context->near = (unsigned)node->index + 1;
    }
    return node_best_link(node, context);
}
