/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: the nodes that share the records. What one server of them is told, all
 * know.
 */
#include "tools/mgmt.h"

#include "tools/code.h"

#include <string.h>

#define NODES_BYTES_MAX FRAME_BODY_MAX

/* Appended to out as they stand in the reply; empty where the server is alone and of a release that
 * does not tell of itself. */
static CK_RV
nodes_fetch(struct mgmt_server *server, struct writer *out, bool *ret_alone)
{
    struct nodes_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, 16);
    rv = mgmt_call(server, OPERATION_NODES, &body, &bytes);
    writer_clear(&body);
    if (rv == CKR_OK && !nodes_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        write_raw(out, reply.nodes.bytes);
        *ret_alone = reply.self == 0;
        rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
    }
    return rv;
}

/* Pairs of id and release; empty where the server is of a release that does not tell. */
static CK_RV
releases_fetch(struct mgmt_server *server, struct writer *out)
{
    struct cluster_reply reply;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, 16);
    rv = mgmt_call(server, OPERATION_CLUSTER, &body, &bytes);
    writer_clear(&body);
    if (rv == CKR_FUNCTION_NOT_SUPPORTED) {
        return CKR_OK;
    }
    if (rv == CKR_OK && !cluster_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv == CKR_OK) {
        write_raw(out, reply.releases.bytes);
        rv = writer_ok(out) ? CKR_OK : CKR_HOST_MEMORY;
    }
    return rv;
}

/* 0: not known. One that is alone has number 0 there. */
static unsigned
release_of(view releases, uint32_t id)
{
    const struct number_array numbers = { releases };

    for (size_t i = 0; i + 1 < number_array_count(numbers); i += 2) {
        if (number_array_get(numbers, i) == id || number_array_get(numbers, i) == 0) {
            return number_array_get(numbers, i + 1);
        }
    }
    return 0;
}

static void
print_text(view print, char ret_text[2 * NODE_PRINT_LEN + 1])
{
    hex_encode(print, ret_text);
}

static json_t *
node_json(const struct node_info *node, view releases)
{
    char print[2 * NODE_PRINT_LEN + 1];

    print_text(node->print, print);
    return json_pack("{s:i,s:s#,s:s,s:s#,s:i,s:i,s:b,s:i}", "id", (int)node->id, "serial",
                     (const char *)node->serial.data, (int)node->serial.len, "key", print,
                     "hostname", (const char *)node->hostname.data, (int)node->hostname.len,
                     "client_port", (int)node->client_port, "port", (int)node->manage_port,
                     "present", node->present, "release", (int)release_of(releases, node->id));
}

/* ---- getClusterInfo ---- */

static void
info_line(unsigned id, view hostname, unsigned port)
{
    printf("%-12u%-48.*s%u\n", id, (int)hostname.len, (const char *)hostname.data, port);
}

/* A server that is alone knows of no others: then it is as the settings have them. */
static void
info_print(const struct mgmt *mgmt, const struct mgmt_server *from, view nodes, bool alone)
{
    struct reader r = reader_of(nodes);
    struct node_info node;

    printf("Cluster info from server %u(%s):\n\n", from->number, from->settings->hostname);
    printf("%-12s%-48s%s\n", "Node Id", "Hostname", "Port");
    while (!alone && node_array_next(&r, &node)) {
        if (node.present) {
            info_line(node.id, node.hostname, node.manage_port);
        }
    }
    for (size_t i = 0; alone && i < mgmt->server_count; i++) {
        const struct mgmt_server *server = &mgmt->servers[i];

        info_line(server->number + 1, view_str(server->settings->hostname),
                  server->settings->manage_port);
    }
    putchar('\n');
}

static void
info_json(json_t *list, const struct mgmt_server *server, view nodes, view releases)
{
    struct reader r = reader_of(nodes);
    json_t *entry = mgmt_json_connection(server);
    json_t *array = json_array();
    struct node_info node;

    while (node_array_next(&r, &node)) {
        json_array_append_new(array, node_json(&node, releases));
    }
    json_object_set_new(entry, "nodes", array);
    json_array_append_new(list, entry);
}

enum status
mgmt_cluster_info(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    bool json = values_given(values, "--json");
    json_t *list = json_array();

    for (size_t i = 0; i < mgmt->server_count; i++) {
        struct mgmt_server *server = &mgmt->servers[i];
        struct writer nodes, releases;
        bool alone = true;

        if (mgmt->scope != NULL && mgmt->scope != server && !json) {
            continue;
        }
        writer_init(&nodes, NODES_BYTES_MAX);
        writer_init(&releases, NODES_BYTES_MAX);
        /* One without an owner, or of an older release, does not tell. */
        if (server->caller == NULL || nodes_fetch(server, &nodes, &alone) != CKR_OK ||
            (json && releases_fetch(server, &releases) != CKR_OK)) {
            writer_reset(&nodes);
        }
        if (json) {
            info_json(list, server, writer_view(&nodes), writer_view(&releases));
        } else if (server->caller != NULL) {
            info_print(mgmt, server, writer_view(&nodes), alone);
        } else {
            printf("Server %u is not connected\n", server->number);
        }
        writer_clear(&releases);
        writer_clear(&nodes);
    }
    if (json) {
        return mgmt_json_print(list, STATUS_DONE);
    }
    json_decref(list);
    return STATUS_DONE;
}

/* ---- the list ---- */

static void
nodes_print(const struct mgmt_server *server, view nodes, view releases)
{
    struct reader r = reader_of(nodes);
    struct node_info node;
    char print[2 * NODE_PRINT_LEN + 1];

    printf("Nodes on server %u(%s):\n\n", server->number, server->settings->hostname);
    printf("%-12s%-20s%-10s%-32s%-8s%-9s%s\n", "Node Id", "Serial", "State", "Hostname", "Port",
           "Release", "Key");
    while (node_array_next(&r, &node)) {
        const unsigned release = release_of(releases, node.id);
        char known[16] = "-";

        if (release != 0) {
            snprintf(known, sizeof known, "%u", release);
        }
        print_text(node.print, print);
        printf("%-12u%-20.*s%-10s%-32.*s%-8u%-9s%s\n", (unsigned)node.id, (int)node.serial.len,
               (const char *)node.serial.data, node.present ? "present" : "listed",
               (int)node.hostname.len, (const char *)node.hostname.data, node.manage_port, known,
               print);
    }
    putchar('\n');
}

enum status
mgmt_list_nodes(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    enum status status = STATUS_DONE;
    json_t *list = values_given(values, "--json") ? json_array() : NULL;

    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        struct writer nodes, releases;
        bool alone;
        CK_RV rv;

        writer_init(&nodes, NODES_BYTES_MAX);
        writer_init(&releases, NODES_BYTES_MAX);
        rv = nodes_fetch(server, &nodes, &alone);
        if (rv == CKR_OK) {
            rv = releases_fetch(server, &releases);
        }
        if (rv != CKR_OK) {
            mgmt_failed("listNodes", "listing nodes", server, rv);
            status = STATUS_REFUSED;
        } else if (list != NULL) {
            info_json(list, server, writer_view(&nodes), writer_view(&releases));
        } else {
            nodes_print(server, writer_view(&nodes), writer_view(&releases));
        }
        writer_clear(&releases);
        writer_clear(&nodes);
    }
    return list == NULL ? status : mgmt_json_print(list, status);
}

/* To the first server that is there: the list is one. */
static CK_RV
ask_one(struct mgmt *mgmt, enum operation operation, const struct writer *body, view *ret_reply,
        const struct mgmt_server **ret_server)
{
    struct mgmt_server *server = mgmt_next(mgmt, NULL);

    *ret_server = server;
    return mgmt_call(server, operation, body, ret_reply);
}

enum status
mgmt_add_node(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    uint8_t print[NODE_PRINT_LEN];
    size_t len = 0;
    struct node_add_request request = { .serial = view_str(values_text(values, "serial")),
                                        .print = view_of(print, sizeof print) };
    struct node_add_reply reply = { .id = 0 };
    const struct mgmt_server *server;
    struct writer body;
    view bytes;
    CK_RV rv;

    if (!hex_decode(values_text(values, "fingerprint"), print, sizeof print, &len) ||
        len != sizeof print) {
        fprintf(stderr, "addNode: FINGERPRINT has 64 hexadecimal digits\n");
        return STATUS_MISUSED;
    }
    writer_init(&body, MGMT_BODY_MAX);
    node_add_request_write(&body, &request);
    rv = ask_one(mgmt, OPERATION_NODE_ADD, &body, &bytes, &server);
    writer_clear(&body);
    if (rv == CKR_OK && !node_add_reply_read(bytes, &reply)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        mgmt_failed("addNode", "adding node", server, rv);
        return STATUS_REFUSED;
    }
    printf("addNode success on server %u(%s): node id %u\n", server->number,
           server->settings->hostname, (unsigned)reply.id);
    return STATUS_DONE;
}

enum status
mgmt_remove_node(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const struct node_remove_request request = { .id = values_number(values, "id", 0) };
    const struct mgmt_server *server;
    struct writer body;
    view bytes;
    CK_RV rv;

    writer_init(&body, MGMT_BODY_MAX);
    node_remove_request_write(&body, &request);
    rv = ask_one(mgmt, OPERATION_NODE_REMOVE, &body, &bytes, &server);
    writer_clear(&body);
    if (rv != CKR_OK) {
        mgmt_failed("removeNode", "removing node", server, rv);
        return STATUS_REFUSED;
    }
    printf("removeNode success on server %u(%s)\n", server->number, server->settings->hostname);
    return STATUS_DONE;
}
