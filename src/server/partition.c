/* SPDX-License-Identifier: Apache-2.0
 *
 * Birth and opening. A birth that fails or is cut short leaves at most a master key without a
 * partition; the next attempt takes that key, so it is never replaced under a store.
 */
#include "server/partition.h"

#include "base/log.h"
#include "server/audit.h"
#include "server/backup.h"
#include "server/clock.h"
#include "server/entropy.h"
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

static bool
ports_open(struct folder *folder, struct hsm_ports *ret_ports)
{
    char path[FOLDER_PATH_MAX];
    struct hsm_ports ports = { .clock = clock_host(), .entropy = entropy_host() };

    folder_path(folder, PARTITION_AUDIT_NAME, path);
    ports.audit = audit_open(path);
    if (ports.audit == NULL) {
        return false;
    }
    folder_path(folder, PARTITION_STORE_NAME, path);
    ports.store = sqlite_store_open(path, ports.entropy);
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

static bool
birth_run(struct folder *folder, struct hsm_ports *ports, const struct partition_plan *plan,
          view password)
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
    if (!ports->entropy->fill(ports->entropy, random, sizeof random)) {
        return false;
    }
    hex_encode(view_of(random, sizeof random), serial);

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
partition_make(const char *state, const struct partition_plan *plan)
{
    struct folder *folder = folder_open(state);
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
    made = ports_open(folder, &ports) && birth_run(folder, &ports, plan, secret_view(password));
out:
    ports_close(&ports);
    secret_free(password);
    folder_close(folder);
    return made;
}

bool
partition_open(struct folder *folder, bool accept_older, struct backups *backups,
               struct partition *ret_partition)
{
    const char *lacking = getenv(LACKING_VARIABLE);
    struct partition partition = { .hsm = NULL };
    struct secret *key = NULL;
    CK_RV rv = CKR_TOKEN_NOT_INITIALIZED;

    if (!folder_key_read(folder, PARTITION_KEY_NAME, HSM_MASTER_KEY_LEN, &key)) {
        return false;
    }
    if (key != NULL) {
        if (!ports_open(folder, &partition.ports)) {
            secret_free(key);
            return false;
        }
        partition.ports.backups = backups;
        rv = hsm_open(&partition.ports, secret_view(key), &partition.hsm);
        secret_free(key);
        if (rv == CKR_OK && lacking != NULL && lacking[0] != '\0') {
            log_wrn("%s: logins of %s fail; this is for tests alone", LACKING_VARIABLE, lacking);
            hsm_lack_user(partition.hsm, view_str(lacking));
        }
    }
    if (rv == CKR_OK && backups != NULL) {
        backup_begin(backups, partition.ports.store, partition.hsm);
    }
    if (rv == CKR_TOKEN_NOT_INITIALIZED) {
        log_err("there is no partition; make one with --initialize");
    } else if (rv != CKR_OK) {
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
