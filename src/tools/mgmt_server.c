/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_mgmt_util: its connections to the servers, and the commands about them.
 */
#include "tools/mgmt.h"

#include "tools/console.h"

#include <string.h>

/* Longer than any password check waits in a node's queue. */
#define CALL_LIMIT_MS 65000u

static const char certificate_error[] = "Certificate ERROR: [Certificate signature failure]";

bool
mgmt_trust(struct mgmt *mgmt)
{
    const struct client_settings *settings = &mgmt->settings;
    const struct tls_files files = {
        .anchor = settings->anchor,
        .certificate = settings->certificate[0] != '\0' ? settings->certificate : NULL,
        .private_key = settings->private_key[0] != '\0' ? settings->private_key : NULL,
        .unowned = true,
    };
    struct tls_context *tls = tls_client_new(&files);

    if (tls == NULL) {
        puts(certificate_error);
        return false;
    }
    tls_context_free(mgmt->tls);
    mgmt->tls = tls;
    return true;
}

bool
mgmt_permits(struct mgmt *mgmt, const struct command *command)
{
    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        if (caller_is_unowned(server->caller) && (command->flags & COMMAND_UNOWNED) == 0) {
            printf("%s failed: server %u(%s) has no owner yet; see getCertReq and storeCert\n",
                   command->name, server->number, server->settings->hostname);
            return false;
        }
    }
    return true;
}

static void
server_e2e(const struct mgmt_server *server)
{
    if (caller_is_unowned(server->caller)) {
        printf("Server %u(%s) has no owner yet, so nothing proves that it is the server you mean\n",
               server->number, server->settings->hostname);
    } else {
        printf("E2E enabled on server %u(%s)\n", server->number, server->settings->hostname);
    }
}

static bool
server_connect(struct mgmt *mgmt, struct mgmt_server *server)
{
    const struct settings_server *settings = server->settings;
    char error[512];

    printf("\nConnecting to 'server %u': hostname '%s', port %u...\n", server->number,
           settings->hostname, settings->manage_port);
    fflush(stdout);
    server->login[0] = '\0';
    server->caller = caller_open(settings->hostname, settings->manage_port, mgmt->tls,
                                 CALL_LIMIT_MS, error, sizeof error);
    if (server->caller == NULL) {
        printf("%s\nServer %u is not connected\n", error, server->number);
        return false;
    }
    printf("Received server version\n"
           "Connected to 'server %u': hostname '%s', port %u.\n",
           server->number, settings->hostname, settings->manage_port);
    server_e2e(server);
    return true;
}

static bool
in_scope(const struct mgmt *mgmt, const struct mgmt_server *server)
{
    return mgmt->scope == NULL || mgmt->scope == server;
}

size_t
mgmt_connect(struct mgmt *mgmt)
{
    size_t count = 0;

    for (size_t i = 0; i < mgmt->server_count; i++) {
        struct mgmt_server *server = &mgmt->servers[i];

        if (in_scope(mgmt, server) &&
            (server->caller != NULL || server_connect(mgmt, server))) {
            count++;
        }
    }
    return count;
}

static void
server_disconnect(struct mgmt_server *server)
{
    caller_close(server->caller);
    server->caller = NULL;
    server->login[0] = '\0';
}

void
mgmt_disconnect(struct mgmt *mgmt)
{
    for (size_t i = 0; i < mgmt->server_count; i++) {
        server_disconnect(&mgmt->servers[i]);
    }
}

size_t
mgmt_connected(const struct mgmt *mgmt)
{
    size_t count = 0;

    for (size_t i = 0; i < mgmt->server_count; i++) {
        count += in_scope(mgmt, &mgmt->servers[i]) && mgmt->servers[i].caller != NULL;
    }
    return count;
}

struct mgmt_server *
mgmt_next(struct mgmt *mgmt, const struct mgmt_server *before)
{
    size_t i = before == NULL ? 0 : (size_t)(before - mgmt->servers) + 1;

    while (i < mgmt->server_count &&
           (!in_scope(mgmt, &mgmt->servers[i]) || mgmt->servers[i].caller == NULL)) {
        i++;
    }
    return i < mgmt->server_count ? &mgmt->servers[i] : NULL;
}

CK_RV
mgmt_call(struct mgmt_server *server, enum operation operation, const struct writer *body,
          view *ret_reply)
{
    if (!writer_ok(body)) {
        return CKR_HOST_MEMORY;
    }
    if (server->caller == NULL) {
        return CKR_DEVICE_ERROR;
    }

    CK_RV rv = caller_call(server->caller, operation, writer_view(body), ret_reply);

    if (rv == CKR_DEVICE_ERROR) {
        server_disconnect(server);
    }
    return rv;
}

static struct mgmt_server *
server_numbered(struct mgmt *mgmt, uint32_t number)
{
    for (size_t i = 0; i < mgmt->server_count; i++) {
        if (mgmt->servers[i].number == number) {
            return &mgmt->servers[i];
        }
    }
    fprintf(stderr, "there is no server %u; getClusterInfo lists them\n", (unsigned)number);
    return NULL;
}

enum status
mgmt_server(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    struct mgmt_server *server = server_numbered(mgmt, values_number(values, "number", 0));

    if (server == NULL) {
        return STATUS_MISUSED;
    }
    if (server->caller == NULL && !server_connect(mgmt, server)) {
        return STATUS_REFUSED;
    }
    mgmt->scope = server;
    return STATUS_DONE;
}

enum status
mgmt_exit(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;

    UNUSED(values);
    mgmt->scope = NULL;
    return STATUS_DONE;
}

bool
mgmt_connect_anew(struct mgmt *mgmt, struct mgmt_server *server)
{
    server_disconnect(server);
    return server_connect(mgmt, server);
}

enum status
mgmt_reconnect(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;

    UNUSED(values);
    return mgmt_connect_anew(mgmt, mgmt->scope) ? STATUS_DONE : STATUS_REFUSED;
}

enum status
mgmt_enable_e2e(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;

    UNUSED(values);
    for (struct mgmt_server *server = NULL; (server = mgmt_next(mgmt, server)) != NULL;) {
        server_e2e(server);
    }
    return STATUS_DONE;
}

/* Strings that are not UTF-8 cannot come here: the settings were JSON themselves. */
json_t *
mgmt_json_connection(const struct mgmt_server *server)
{
    return json_pack("{s:i,s:s,s:s,s:i,s:b,s:s}", "id", (int)server->number, "name",
                     server->settings->name, "hostname", server->settings->hostname, "port",
                     (int)server->settings->manage_port, "connected", server->caller != NULL,
                     "login", server->login);
}

enum status
mgmt_info(void *tool, const struct values *values)
{
    struct mgmt *mgmt = tool;
    const struct mgmt_server *server;

    if (strcmp(values_text(values, "what"), "server") != 0) {
        fprintf(stderr, "info: %s: info server NUMBER is all there is\n",
                values_text(values, "what"));
        return STATUS_MISUSED;
    }
    server = server_numbered(mgmt, values_number(values, "number", 0));
    if (server == NULL) {
        return STATUS_MISUSED;
    }
    if (values_given(values, "--json")) {
        json_t *list = json_array();

        json_array_append_new(list, mgmt_json_connection(server));
        return mgmt_json_print(list, STATUS_DONE);
    }
    printf("%-6s%-16s%-32s%-8s%-16s%-12s%s\n", "Id", "Name", "Hostname", "Port", "State",
           "Partition", "LoginState");
    printf("%-6u%-16s%-32s%-8u%-16s%-12s%s%s%s\n", server->number, server->settings->name,
           server->settings->hostname, server->settings->manage_port,
           server->caller != NULL ? "Connected" : "Not connected", "PARTITION_1",
           server->login[0] != '\0' ? "Logged in as '" : "Not logged in", server->login,
           server->login[0] != '\0' ? "'" : "");
    return STATUS_DONE;
}
