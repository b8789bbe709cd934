/* SPDX-License-Identifier: Apache-2.0
 *
 * Birth and opening. A birth that fails or is cut short leaves at most a master key without a
 * partition; the next attempt takes that key, so it is never replaced under a store.
 */
#include "server/partition.h"

#include "base/log.h"
#include "core/owner.h"
#include "server/audit.h"
#include "server/backup.h"
#include "server/clock.h"
#include "server/cluster.h"
#include "server/entropy.h"
#include "server/identity.h"
#include "server/process.h"
#include "store/etcd.h"
#include "store/etcd_restore.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_LEN 512u
#define SERIAL_BYTES 8u
#define LACKING_VARIABLE "AZCLOUDHSM_TEST_LACKING_USER"

/* The first line of standard input, byte by byte, as what follows is not ours. */
static struct secret *
line_read(void)
{
    struct secret *line = secret_new(LINE_MAX_LEN);
    size_t len = 0;
    ssize_t got = 1;

    if (line == NULL) {
        return NULL;
    }

    uint8_t *data = secret_data(line);

    while (len < LINE_MAX_LEN && (got = read(STDIN_FILENO, data + len, 1)) == 1 &&
           data[len] != '\n') {
        len++;
    }
    if (got < 0 || len == LINE_MAX_LEN) {
        secret_free(line);
        return NULL;
    }
    if (len > 0 && data[len - 1] == '\r') {
        len--;
    }
    secret_shorten(line, len);
    return line;
}

static const char *
set_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

#define STORE_PAUSE_S 1u

/* A service waits for what it needs: etcd may begin after it, or be away when it begins anew. */
static bool
store_wait(void)
{
    return !process_pause(STORE_PAUSE_S, "etcd");
}

static struct etcd_settings
etcd_of(const struct settings_store *settings)
{
    return (struct etcd_settings){
        .endpoints = settings->endpoints,
        .ca = set_or_null(settings->ca),
        .certificate = set_or_null(settings->certificate),
        .key = set_or_null(settings->private_key),
        .prefix = settings->prefix,
    };
}

struct store *
partition_store(const struct folder *folder, const struct settings_store *settings,
                struct entropy *entropy, bool waits)
{
    struct etcd_settings etcd = etcd_of(settings);
    char path[FOLDER_PATH_MAX];

    if (settings->etcd) {
        etcd.wait = waits ? store_wait : NULL;
        return etcd_store_open(&etcd, entropy);
    }
    folder_path(folder, PARTITION_STORE_NAME, path);
    return sqlite_store_open(path, entropy);
}

bool
partition_restore(const struct settings_store *settings, struct store *from)
{
    const struct etcd_settings etcd = etcd_of(settings);

    return etcd_restore(&etcd, entropy_host(), from);
}

static bool
ports_open(struct folder *folder, const struct settings_store *settings, bool waits,
           struct hsm_ports *ret_ports)
{
    char path[FOLDER_PATH_MAX];
    struct hsm_ports ports = { .clock = clock_host(), .entropy = entropy_host() };

    folder_path(folder, PARTITION_AUDIT_NAME, path);
    ports.audit = audit_open(path);
    if (ports.audit == NULL) {
        return false;
    }
    ports.store = partition_store(folder, settings, ports.entropy, waits);
    if (ports.store == NULL) {
        audit_close(ports.audit);
        return false;
    }
    *ret_ports = ports;
    return true;
}

static void
ports_close(struct hsm_ports *ports)
{
    if (ports->store != NULL) {
        ports->store->close(ports->store);
    }
    audit_close(ports->audit);
    *ports = (struct hsm_ports){ .store = NULL };
}

static bool
refuse_any(void *arg, view key, view value, uint64_t revision)
{
    UNUSED(key);
    UNUSED(value);
    UNUSED(revision);
    *(bool *)arg = true;
    return false;
}

/* The key that is there, or a new one. */
static struct secret *
key_make(struct folder *folder, struct entropy *entropy)
{
    struct secret *key = NULL;

    if (!folder_key_read(folder, PARTITION_KEY_NAME, HSM_MASTER_KEY_LEN, &key)) {
        return NULL;
    }
    if (key != NULL) {
        log_inf("using the %s that is there", PARTITION_KEY_NAME);
        return key;
    }
    key = secret_new(HSM_MASTER_KEY_LEN);
    if (key == NULL || !entropy->fill(entropy, secret_data(key), HSM_MASTER_KEY_LEN) ||
        !folder_key_write(folder, PARTITION_KEY_NAME, secret_view(key))) {
        secret_free(key);
        return NULL;
    }
    return key;
}

/* The serial of this node: what its file says, or the certificate; else a new one. It goes to the
 * file. */
static bool
node_name(struct folder *folder, const struct server_settings *settings, char ret_node[17])
{
    struct entropy *entropy = entropy_host();
    uint8_t random[SERIAL_BYTES];
    char certified[17];
    char text[2 * SERIAL_BYTES + 2] = "";
    const bool is_certified = identity_serial(settings, certified);

    if (!folder_read(folder, PARTITION_NODE_NAME, text, sizeof text)) {
        return false;
    }
    text[strcspn(text, "\n")] = '\0';
    if (text[0] == '\0') {
        if (is_certified) {
            memcpy(ret_node, certified, sizeof certified);
        } else if (entropy->fill(entropy, random, sizeof random)) {
            hex_encode(view_of(random, sizeof random), ret_node);
        } else {
            return false;
        }
        snprintf(text, sizeof text, "%s\n", ret_node);
        return folder_write(folder, PARTITION_NODE_NAME, text);
    }
    if (!owner_node_valid(text)) {
        log_err("%s holds no serial of at most 16 letters and digits", PARTITION_NODE_NAME);
        return false;
    }
    if (is_certified && strcmp(certified, text) != 0) {
        log_wrn("%s says %s, but the certificate is for %s", PARTITION_NODE_NAME, text, certified);
    }
    memcpy(ret_node, text, strlen(text) + 1);
    return true;
}

static bool
birth_run(struct folder *folder, const struct server_settings *settings, struct hsm_ports *ports,
          const struct partition_plan *plan, view password)
{
    uint8_t random[SERIAL_BYTES];
    char serial[2 * SERIAL_BYTES + 1];
    bool found = false;
    bool made = false;

    if (!ports->store->load_all(ports->store, refuse_any, &found)) {
        if (found) {
            log_err("a partition exists already");
        }
        return false;
    }
    if (settings->store.etcd) {
        if (!node_name(folder, settings, serial)) {
            return false;
        }
    } else if (ports->entropy->fill(ports->entropy, random, sizeof random)) {
        hex_encode(view_of(random, sizeof random), serial);
    } else {
        return false;
    }

    const struct hsm_birth birth = { plan->policy,  plan->switches, plan->label, serial,
                                     plan->officer, password };
    struct secret *key = key_make(folder, ports->entropy);

    if (key != NULL) {
        CK_RV rv = hsm_initialize(ports, secret_view(key), &birth);

        made = rv == CKR_OK;
        if (made && plan->officer == NULL) {
            log_inf("partition \"%s\" made: serial %s, policy %s%s%s; it has no owner yet",
                    plan->label, serial, policy_name(plan->policy),
                    plan->switches[0] == '\0' ? "" : " with ", plan->switches);
        } else if (made) {
            log_inf("partition \"%s\" made: serial %s, policy %s%s%s, officer %s", plan->label,
                    serial, policy_name(plan->policy), plan->switches[0] == '\0' ? "" : " with ",
                    plan->switches, plan->officer);
        } else {
            log_err("the partition was not made: %s", return_name(rv));
        }
    }
    secret_free(key);
    return made;
}

bool
partition_make(const struct server_settings *settings, const struct partition_plan *plan)
{
    struct folder *folder = folder_open(settings->state);
    struct secret *password = NULL;
    struct hsm_ports ports = { .store = NULL };
    bool made = false;

    if (folder == NULL) {
        return false;
    }
    password = plan->officer == NULL ? NULL : line_read();
    if (password == NULL && plan->officer != NULL) {
        log_err("no password: give it as one line on standard input");
        goto out;
    }
    made = ports_open(folder, &settings->store, false, &ports) &&
           birth_run(folder, settings, &ports, plan, secret_view(password));
out:
    ports_close(&ports);
    secret_free(password);
    folder_close(folder);
    return made;
}

bool
partition_request(const struct server_settings *settings)
{
    struct folder *folder = folder_open(settings->state);
    char serial[17];
    bool made = folder != NULL && node_name(folder, settings, serial) &&
                identity_request(folder, serial);

    folder_close(folder);
    return made;
}

/* The master key: of the state folder, or of another node, when *ret_given is true. NULL: there is
 * none. False, logged. */
static bool
key_find(struct folder *folder, const struct server_settings *settings, struct secret **ret_key,
         uint8_t ret_store_id[16], bool *ret_given)
{
    struct secret *key = NULL;

    *ret_given = false;
    if (!folder_key_read(folder, PARTITION_KEY_NAME, HSM_MASTER_KEY_LEN, &key)) {
        return false;
    }
    if (key == NULL && settings->store.etcd && settings->join_count > 0) {
        *ret_given = cluster_join(settings, &key, ret_store_id);
        if (!*ret_given) {
            return false;
        }
    }
    *ret_key = key;
    return true;
}

/* A key that another node gave is kept when it has proved to be this store's. */
static CK_RV
hsm_open_with(struct folder *folder, struct partition *partition, view key,
              const uint8_t *given_for)
{
    struct store *store = partition->ports.store;
    uint8_t id[16];
    CK_RV rv;

    store->id(store, id);
    if (given_for != NULL && memcmp(id, given_for, sizeof id) != 0) {
        log_err("join: the master key that was given is that of another store");
        return CKR_GENERAL_ERROR;
    }
    rv = hsm_open(&partition->ports, key, &partition->hsm);
    if (rv == CKR_OK && given_for != NULL &&
        !folder_key_write(folder, PARTITION_KEY_NAME, key)) {
        rv = CKR_DEVICE_ERROR;
    }
    return rv;
}

/* Once. An etcd that goes away meanwhile is waited for anew, in a store that is opened anew. */
static CK_RV
hsm_find(struct folder *folder, const struct server_settings *settings, view key,
         const uint8_t *given_for, struct backups *backups, struct partition *partition)
{
    const bool shared = settings->store.etcd;
    CK_RV rv;

    do {
        if (!ports_open(folder, &settings->store, true, &partition->ports)) {
            return CKR_FUNCTION_CANCELED; /* logged */
        }
        partition->ports.backups = backups;
        partition->ports.node = shared ? partition->node : NULL;
        rv = hsm_open_with(folder, partition, key, given_for);
        if (rv != CKR_DEVICE_ERROR || partition->hsm != NULL || !shared) {
            return rv;
        }
        log_wrn("the records were not read to their end: once more");
        ports_close(&partition->ports);
    } while (!process_pause(STORE_PAUSE_S, "etcd"));
    return CKR_FUNCTION_CANCELED;
}

static void
lack_for_tests(struct hsm *hsm)
{
    const char *lacking = getenv(LACKING_VARIABLE);

    if (lacking != NULL && lacking[0] != '\0') {
        log_wrn("%s: logins of %s fail; this is for tests alone", LACKING_VARIABLE, lacking);
        hsm_lack_user(hsm, view_str(lacking));
    }
}

bool
partition_open(struct folder *folder, const struct server_settings *settings, bool accept_older,
               struct backups *backups, struct partition *ret_partition)
{
    struct partition partition = { .hsm = NULL };
    struct secret *key = NULL;
    uint8_t store_id[16];
    bool given;
    CK_RV rv = CKR_TOKEN_NOT_INITIALIZED;

    if ((settings->store.etcd && !node_name(folder, settings, partition.node)) ||
        !key_find(folder, settings, &key, store_id, &given)) {
        return false;
    }
    if (key != NULL) {
        rv = hsm_find(folder, settings, secret_view(key), given ? store_id : NULL, backups,
                      &partition);
        secret_free(key);
    }
    if (rv == CKR_OK) {
        lack_for_tests(partition.hsm);
    }
    if (rv == CKR_OK && backups != NULL) {
        backup_begin(backups, partition.ports.store, partition.hsm);
    }
    if (rv == CKR_TOKEN_NOT_INITIALIZED) {
        log_err("there is no partition; make one with --initialize");
    } else if (rv != CKR_OK && rv != CKR_FUNCTION_CANCELED) {
        log_err("the partition does not open: %s", return_name(rv));
    }
    if (rv == CKR_OK && !audit_start(partition.ports.audit, partition.hsm, accept_older)) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        partition_close(&partition);
        return false;
    }
    *ret_partition = partition;
    return true;
}

void
partition_close(struct partition *partition)
{
    audit_stop(partition->ports.audit);
    if (partition->hsm != NULL) {
        hsm_close(partition->hsm);
        partition->hsm = NULL;
    }
    ports_close(&partition->ports);
}
