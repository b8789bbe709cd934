/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_server.cfg.
 */
#include "net/settings_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const node_known[] = {
    "listen", "listen_management", "state", "certificate", "private_key", "owner_certificate",
    "client_ca", "require_client_certificate", "log_level", "loops",
    "ticket_life", "backup_owners", "backup_needed", "audit_syslog", "audit_limit",
    "journal_limit", "metrics", "store", "stale_limit",
    "address", "join", NULL
};
static const char *const store_known[] = { "engine", "endpoints", "prefix", "ca", "certificate",
                                           "private_key", NULL };

/* Certificates of those who can open a backup, and how many it takes. */
static void
take_owners(const struct section *root, struct server_settings *settings)
{
    json_t *array = field(root, "backup_owners");
    long needed = 1;
    size_t i;
    json_t *value;

    if (array == NULL) {
        return;
    }
    if (!json_is_array(array) || json_array_size(array) == 0 ||
        json_array_size(array) > ARRAY_COUNT(settings->backup_owners)) {
        refuse(root, "backup_owners", "a list of 1 to 16 certificates");
        return;
    }
    json_array_foreach(array, i, value)
    {
        const char *name = json_string_value(value);
        int len = name == NULL ? -1
                  : name[0] == '/'
                      ? snprintf(settings->backup_owners[i], 512, "%s", name)
                      : snprintf(settings->backup_owners[i], 512, "%s/%s", settings->state, name);

        if (len < 0 || len >= 512) {
            refuse(root, "backup_owners", "a list of file names");
            return;
        }
    }
    settings->backup_owner_count = json_array_size(array);
    take_number(root, "backup_needed", 1, (long)settings->backup_owner_count, &needed);
    settings->backup_needed = (unsigned)needed;
}

static void
take_addresses(const struct section *root, const char *name, char (*out)[128], size_t *ret_count)
{
    json_t *array = field(root, name);
    size_t i;
    json_t *value;

    if (array == NULL) {
        return;
    }
    if (!json_is_array(array) || json_array_size(array) == 0 || json_array_size(array) > 8) {
        refuse(root, name, "a list of 1 to 8 strings HOST:PORT");
        return;
    }
    json_array_foreach(array, i, value)
    {
        if (!json_is_string(value) || strlen(json_string_value(value)) >= 128) {
            refuse(root, name, "a list of strings HOST:PORT");
            return;
        }
        snprintf(out[i], 128, "%s", json_string_value(value));
    }
    *ret_count = json_array_size(array);
}

/* One text or a list of them, into one with commas. */
static void
take_endpoints(const struct section *store, char *out, size_t size)
{
    json_t *value = field(store, "endpoints");
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *text =
            json_string_value(json_is_array(value) ? json_array_get(value, i) : value);
        int more = text == NULL || text[0] == '\0'
                       ? -1
                       : snprintf(out + len, size - len, "%s%s", i == 0 ? "" : ",", text);

        if (more < 0 || (size_t)more >= size - len) {
            refuse(store, "endpoints", "a list of strings https://HOST:PORT");
            out[0] = '\0';
            return;
        }
        len += (size_t)more;
    }
    if (len == 0) {
        refuse(store, "endpoints", "a list of strings https://HOST:PORT");
    }
}

static void
take_store(const struct section *root, struct server_settings *settings)
{
    const struct section store = take_section(root, "store");
    struct settings_store *out = &settings->store;
    char engine[16] = "sqlite";
    size_t len;

    say_unknown(&store, store_known);
    take_text(&store, "engine", engine, sizeof engine);
    out->etcd = strcmp(engine, "etcd") == 0;
    if (!out->etcd && strcmp(engine, "sqlite") != 0) {
        refuse(&store, "engine", "sqlite or etcd");
    }
    if (!out->etcd) {
        return;
    }
    take_endpoints(&store, out->endpoints, sizeof out->endpoints);
    take_text(&store, "prefix", out->prefix, sizeof out->prefix);
    len = strlen(out->prefix);
    if (len < 2 || out->prefix[len - 1] != '/') {
        refuse(&store, "prefix", "a string that ends in a slash, as \"/opencloudhsm/one/\"");
    }
    take_path(&store, "ca", settings->state, out->ca, sizeof out->ca);
    take_path(&store, "certificate", settings->state, out->certificate, sizeof out->certificate);
    take_path(&store, "private_key", settings->state, out->private_key, sizeof out->private_key);
}

bool
server_settings_read(const char *path, struct server_settings *ret_settings)
{
    struct server_settings *settings = calloc(1, sizeof *settings);
    struct source source;
    json_t *json = source_open(path, &source);
    const struct section root = { &source, json, "" };
    bool good = false;
    long loops = 0;
    long ticket_life = 600;
    long stale_limit = 300;
    long audit_limit = 4096;
    long journal_limit = 1000000;

    if (settings != NULL && json != NULL) {
        settings->log_level = LOG_LEVEL_INF;
        snprintf(settings->listen[0], sizeof settings->listen[0], "0.0.0.0:2224");
        snprintf(settings->listen_management[0], sizeof settings->listen_management[0],
                 "0.0.0.0:2225");
        settings->listen_count = 1;
        settings->listen_management_count = 1;
        snprintf(settings->state, sizeof settings->state, "/var/lib/azurecloudhsm");
        say_unknown(&root, node_known);
        take_addresses(&root, "listen", settings->listen, &settings->listen_count);
        take_addresses(&root, "listen_management", settings->listen_management,
                       &settings->listen_management_count);
        take_path(&root, "state", source.folder, settings->state, sizeof settings->state);
        snprintf(settings->certificate, sizeof settings->certificate, "%.480s/node.crt",
                 settings->state);
        snprintf(settings->private_key, sizeof settings->private_key, "%.480s/node.key",
                 settings->state);
        snprintf(settings->owner_certificate, sizeof settings->owner_certificate,
                 "%.480s/PO.crt", settings->state);
        take_path(&root, "certificate", settings->state, settings->certificate,
                  sizeof settings->certificate);
        take_path(&root, "private_key", settings->state, settings->private_key,
                  sizeof settings->private_key);
        take_path(&root, "owner_certificate", settings->state, settings->owner_certificate,
                  sizeof settings->owner_certificate);
        take_path(&root, "client_ca", settings->state, settings->client_ca,
                  sizeof settings->client_ca);
        take_flag(&root, "require_client_certificate", &settings->require_client_certificate);
        take_level(&root, "log_level", &settings->log_level);
        take_number(&root, "loops", 0, 256, &loops);
        take_number(&root, "ticket_life", 2, 86400, &ticket_life);
        take_number(&root, "stale_limit", 0, 86400, &stale_limit);
        take_path(&root, "audit_syslog", settings->state, settings->audit_syslog,
                  sizeof settings->audit_syslog);
        take_number(&root, "audit_limit", 0, 1 << 30, &audit_limit);
        take_number(&root, "journal_limit", 0, 1 << 30, &journal_limit);
        settings->audit_limit = (unsigned)audit_limit;
        settings->journal_limit = (unsigned)journal_limit;
        take_metrics(&root, settings->metrics, sizeof settings->metrics);
        take_owners(&root, settings);
        take_store(&root, settings);
        take_addresses(&root, "join", settings->join, &settings->join_count);
        take_text(&root, "address", settings->address, sizeof settings->address);
        settings->ticket_life = (unsigned)ticket_life;
        settings->stale_limit = (unsigned)stale_limit;
        settings->loops = (unsigned)loops;
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
