/* SPDX-License-Identifier: Apache-2.0
 *
 * jansson reads the JSON; a small cursor over it knows file and path of the field, and finds
 * the line again in the text, for jansson keeps none.
 */
#include "net/settings_private.h"

#include "net/scrape.h"
#include "wire/frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX (256u * 1024u)
#define ANCHOR_FALLBACK "/opt/azurecloudhsm/cert/PO.crt"
#define CLIENT_PORT 2224u
#define MANAGE_PORT 2225u

/* ---- where in the file ---- */

/* The line of a field: of `"field"` after `"section"`. */
static unsigned
line_of(const struct section *section, const char *field)
{
    char quoted[128];
    const char *at = section->source->text;
    const char *found;
    unsigned line = 1;

    if (section->name[0] != '\0') {
        snprintf(quoted, sizeof quoted, "\"%s\"", section->name);
        found = strstr(at, quoted);
        at = found == NULL ? at : found;
    }
    snprintf(quoted, sizeof quoted, "\"%s\"", field);
    found = strstr(at, quoted);
    for (const char *c = section->source->text; found != NULL && c < found; c++) {
        line += *c == '\n';
    }
    return line;
}

void
refuse(const struct section *section, const char *field, const char *want)
{
    log_err("%s:%u: %s%s%s: want %s", section->source->path, line_of(section, field),
            section->name, section->name[0] == '\0' ? "" : ".", field, want);
    section->source->wrong = true;
}

/* ---- fields ---- */

json_t *
field(const struct section *section, const char *name)
{
    return section->object == NULL ? NULL : json_object_get(section->object, name);
}

void
take_text(const struct section *section, const char *name, char *out, size_t size)
{
    json_t *value = field(section, name);

    if (value == NULL) {
        return;
    }
    if (!json_is_string(value)) {
        refuse(section, name, "a string");
    } else if (strlen(json_string_value(value)) >= size) {
        refuse(section, name, "a shorter string");
    } else {
        snprintf(out, size, "%s", json_string_value(value));
    }
}

/* A number, or the digits of one in a string, as the original's files have both. */
void
take_number(const struct section *section, const char *name, long min, long max, long *out)
{
    json_t *value = field(section, name);
    const char *text;
    char *end;
    long number;

    if (value == NULL) {
        return;
    }
    if (json_is_integer(value)) {
        json_int_t integer = json_integer_value(value);

        if (integer < min || integer > max) {
            refuse(section, name, "a number in range");
            return;
        }
        *out = (long)integer;
        return;
    }
    text = json_string_value(value);
    if (text == NULL || text[0] == '\0') {
        refuse(section, name, "a number");
        return;
    }
    errno = 0;
    number = strtol(text, &end, 10);
    if (errno != 0 || *end != '\0' || number < min || number > max) {
        refuse(section, name, "a number in range");
        return;
    }
    *out = number;
}

/* true and false, or the original's "yes" and "no". */
void
take_flag(const struct section *section, const char *name, bool *out)
{
    json_t *value = field(section, name);
    const char *text;

    if (value == NULL) {
        return;
    }
    text = json_string_value(value);
    if (json_is_boolean(value)) {
        *out = json_is_true(value);
    } else if (text != NULL && (strcasecmp(text, "yes") == 0 || strcasecmp(text, "no") == 0)) {
        *out = strcasecmp(text, "yes") == 0;
    } else {
        refuse(section, name, "true or false (or \"yes\" or \"no\")");
    }
}

void
take_level(const struct section *section, const char *name, enum log_level *out)
{
    char text[32] = "";

    take_text(section, name, text, sizeof text);
    if (text[0] != '\0' && !log_level_parse(text, out)) {
        refuse(section, name, "ERROR, WARNING, INFO or DEBUG");
    }
}

/* A path, from the file's folder when it is relative. */
void
take_path(const struct section *section, const char *name, const char *folder, char *out,
          size_t size)
{
    char text[512] = "";
    int len;

    take_text(section, name, text, sizeof text);
    if (text[0] == '\0') {
        return;
    }
    len = text[0] == '/' || folder[0] == '\0' ? snprintf(out, size, "%s", text)
                                              : snprintf(out, size, "%s/%s", folder, text);
    if (len < 0 || (size_t)len >= size) {
        refuse(section, name, "a shorter path");
    }
}

static void
take_mode(const struct section *section, const char *name, unsigned *out)
{
    char text[16] = "";
    char *end;
    unsigned long mode;

    take_text(section, name, text, sizeof text);
    if (text[0] == '\0') {
        return;
    }
    mode = strtoul(text, &end, 8);
    if (*end != '\0' || mode > 0777) {
        refuse(section, name, "an octal mode like \"0660\"");
        return;
    }
    *out = (unsigned)mode;
}

/* What is told without asking who wants to know stays on this machine. */
void
take_metrics(const struct section *section, char *out, size_t size)
{
    char text[128] = "";

    take_text(section, "metrics", text, sizeof text);
    if (text[0] != '\0' && !scrape_is_loopback(text)) {
        refuse(section, "metrics", "an address HOST:PORT with 127.0.0.1, [::1] or localhost");
    } else {
        snprintf(out, size, "%s", text);
    }
}

/* A section of that name; .object is NULL when there is none. */
struct section
take_section(const struct section *section, const char *name)
{
    json_t *value = field(section, name);

    if (value != NULL && !json_is_object(value)) {
        refuse(section, name, "an object");
        value = NULL;
    }
    return (struct section){ section->source, value, name };
}

/* What nobody asks for is passed over, with a line. */
void
say_unknown(const struct section *section, const char *const *known)
{
    const char *key;
    json_t *value;

    if (section->object == NULL) {
        return;
    }
    json_object_foreach(section->object, key, value)
    {
        size_t i = 0;

        while (known[i] != NULL && strcmp(known[i], key) != 0) {
            i++;
        }
        if (known[i] == NULL) {
            log_inf("%s:%u: %s%s%s is not known and passed over", section->source->path,
                    line_of(section, key), section->name, section->name[0] == '\0' ? "" : ".",
                    key);
        }
    }
}

/* ---- files ---- */

static char *
file_read(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text;
    size_t len;

    if (file == NULL) {
        log_err("%s: %s", path, strerror(errno));
        return NULL;
    }
    text = malloc(FILE_MAX + 1);
    if (text == NULL) {
        fclose(file);
        return NULL;
    }
    len = fread(text, 1, FILE_MAX + 1, file);

    /* A folder opens, and does not read. */
    const int why = ferror(file) ? errno : 0;

    fclose(file);
    if (why != 0) {
        log_err("%s: %s", path, strerror(why));
        free(text);
        return NULL;
    }
    if (len > FILE_MAX) {
        log_err("%s: larger than %u bytes", path, FILE_MAX);
        free(text);
        return NULL;
    }
    text[len] = '\0';
    return text;
}

json_t *
source_open(const char *path, struct source *source)
{
    const char *slash = strrchr(path, '/');
    json_error_t error;
    json_t *root;

    *source = (struct source){ .path = path };
    if (slash == NULL) {
        snprintf(source->folder, sizeof source->folder, ".");
    } else {
        snprintf(source->folder, sizeof source->folder, "%.*s",
                 slash == path ? 1 : (int)(slash - path), path);
    }
    source->text = file_read(path);
    if (source->text == NULL) {
        return NULL;
    }
    root = json_loads(source->text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        log_err("%s:%d: %s", path, error.line, error.text);
    } else if (!json_is_object(root)) {
        log_err("%s:1: want an object", path);
        json_decref(root);
        root = NULL;
    }
    return root;
}

/* ---- client ---- */

static const char *const root_known[] = { "client", "dualfactor", "loadbalance", "server", "ssl",
                                          "servers", "scard", NULL };
static const char *const client_known[] = {
    "CriticalAlertScript", "create_object_minimum_nodes", "daemon_id", "e2e_owner_crt_path",
    "enable_3des_key_reuse", "log_level", "reconnect_attempts", "reconnect_interval",
    "socket_type", "sslreneg", "tcp_port", "workers", "zoneid", "socket_path", "socket_mode",
    "certstorage_ca", "certstorage_metadata", "metrics",
    "state", NULL
};
static const char *const server_known[] = {
    "hostname", "port", "client_port", "management_port", "name", "enable", "CAfile", "CApath",
    "certificate", "pkey", "e2e_encryption", "server_ssl", "ssl_ciphers", NULL
};
static const char *const ssl_known[] = { "CApath", "certificate", "pkey",
                                         "server_ch_ssl_ciphers", "server_ssl", NULL };

static void
take_server(const struct section *section, const char *port_name, unsigned port_default,
            struct client_settings *settings)
{
    struct settings_server *server;
    struct section e2e = take_section(section, "e2e_encryption");
    long client_port = CLIENT_PORT;
    long manage_port = MANAGE_PORT;
    long port = port_default;

    say_unknown(section, server_known);
    if (settings->server_count == SETTINGS_SERVERS_MAX) {
        refuse(section, "hostname", "fewer servers");
        return;
    }
    server = &settings->servers[settings->server_count];
    *server = (struct settings_server){ .enable = true };
    snprintf(server->name, sizeof server->name, "hsm%zu", settings->server_count + 1);
    take_text(section, "name", server->name, sizeof server->name);
    take_text(section, "hostname", server->hostname, sizeof server->hostname);
    if (server->hostname[0] == '\0') {
        refuse(section, "hostname", "a host name");
        return;
    }
    take_flag(section, "enable", &server->enable);
    take_number(section, "port", 1, 65535, &port);
    *(strcmp(port_name, "client_port") == 0 ? &client_port : &manage_port) = port;
    take_number(section, "client_port", 1, 65535, &client_port);
    take_number(section, "management_port", 1, 65535, &manage_port);
    server->client_port = (unsigned)client_port;
    server->manage_port = (unsigned)manage_port;
    take_path(section, "certificate", section->source->folder, settings->certificate,
              sizeof settings->certificate);
    take_path(section, "pkey", section->source->folder, settings->private_key,
              sizeof settings->private_key);
    take_path(&e2e, "owner_cert_path", section->source->folder, settings->anchor,
              sizeof settings->anchor);
    settings->server_count++;
}

static void
take_servers(const struct section *root, struct client_settings *settings)
{
    json_t *array = field(root, "servers");
    size_t i;
    json_t *value;

    if (array == NULL) {
        return;
    }
    if (!json_is_array(array)) {
        refuse(root, "servers", "a list");
        return;
    }
    json_array_foreach(array, i, value)
    {
        const struct section server = { root->source, value, "servers" };

        if (!json_is_object(value)) {
            refuse(root, "servers", "a list of objects");
            return;
        }
        take_server(&server, "manage_port", MANAGE_PORT, settings);
    }
}

static void
take_client(const struct section *root, struct client_settings *settings)
{
    struct section client = take_section(root, "client");
    struct section server = take_section(root, "server");
    struct section ssl = take_section(root, "ssl");
    const char *folder = root->source->folder;
    long daemon_id = settings->daemon_id;
    long interval = 3;
    long nodes = 1;

    say_unknown(&client, client_known);
    say_unknown(&ssl, ssl_known);
    take_number(&client, "daemon_id", 1, 65535, &daemon_id);
    take_path(&client, "e2e_owner_crt_path", folder, settings->anchor, sizeof settings->anchor);
    take_level(&client, "log_level", &settings->log_level);
    take_number(&client, "reconnect_interval", 1, 3600, &interval);
    take_number(&client, "create_object_minimum_nodes", 1, FRAME_NODES_MAX, &nodes);
    take_path(&client, "socket_path", folder, settings->socket_path,
              sizeof settings->socket_path);
    take_mode(&client, "socket_mode", &settings->socket_mode);
    take_path(&client, "certstorage_ca", folder, settings->certstorage_ca,
              sizeof settings->certstorage_ca);
    take_text(&client, "certstorage_metadata", settings->certstorage_metadata,
              sizeof settings->certstorage_metadata);
    take_metrics(&client, settings->metrics, sizeof settings->metrics);
    take_path(&client, "state", folder, settings->state, sizeof settings->state);
    settings->daemon_id = (unsigned)daemon_id;
    settings->reconnect_interval_ms = (unsigned)interval * 1000u;
    settings->minimum_nodes = (unsigned)nodes;
    if (server.object != NULL) {
        take_server(&server, "client_port", CLIENT_PORT, settings);
    }
    take_path(&ssl, "certificate", folder, settings->certificate, sizeof settings->certificate);
    take_path(&ssl, "pkey", folder, settings->private_key, sizeof settings->private_key);
}

/* PO.crt beside the file's folder, else where the packages put it. */
static void
anchor_default(const struct source *source, struct client_settings *settings)
{
    int len;

    if (settings->anchor[0] != '\0') {
        return;
    }
    len = snprintf(settings->anchor, sizeof settings->anchor, "%s/../cert/PO.crt",
                   source->folder);
    if (len < 0 || (size_t)len >= sizeof settings->anchor ||
        access(settings->anchor, R_OK) != 0) {
        snprintf(settings->anchor, sizeof settings->anchor, "%s", ANCHOR_FALLBACK);
    }
}

bool
client_settings_read(const char *path, struct client_settings *ret_settings)
{
    struct client_settings *settings = calloc(1, sizeof *settings);
    struct source source;
    json_t *json = source_open(path, &source);
    const struct section root = { &source, json, "" };
    bool good = false;

    if (settings != NULL && json != NULL) {
        settings->daemon_id = 1;
        settings->log_level = LOG_LEVEL_INF;
        say_unknown(&root, root_known);
        take_client(&root, settings);
        take_servers(&root, settings);
        anchor_default(&source, settings);
        if (settings->server_count == 0 && !source.wrong) {
            log_err("%s:1: no server: want servers[].hostname or server.hostname", path);
            source.wrong = true;
        }
        good = !source.wrong;
    }
    if (good) {
        *ret_settings = *settings;
    }
    json_decref(json);
    free(source.text);
    free(settings);
    return good;
}
