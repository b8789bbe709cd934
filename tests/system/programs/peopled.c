/* SPDX-License-Identifier: Apache-2.0
 *
 * Puts users into the partition of a server that does not run: COUNT crypto users user0, user1 ...
 * with the password of the user LIKE. createUser takes a tenth of a second each, for the password.
 *
 *   peopled STATE_FOLDER LIKE COUNT
 */
#include "core/state.h"
#include "lib/outside.h"
#include "store/sqlite.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH 64u

static bool
key_read(const char *folder, uint8_t key[HSM_MASTER_KEY_LEN])
{
    char path[512];
    FILE *file;
    bool read;

    snprintf(path, sizeof path, "%s/master.key", folder);
    file = fopen(path, "re");
    read = file != NULL && fread(key, 1, HSM_MASTER_KEY_LEN, file) == HSM_MASTER_KEY_LEN;
    if (file != NULL) {
        fclose(file);
    }
    return read;
}

/* Some more of them, numbered from there on; false when the store does not take them. */
static bool
users_put(struct hsm *hsm, const struct user *like, uint64_t first, uint32_t from, uint32_t count)
{
    struct store *store = hsm->ports.store;
    struct record_name names[BATCH];
    struct writer records[BATCH];
    struct store_change changes[BATCH];
    uint64_t revision;
    bool put = true;

    for (uint32_t i = 0; i < count; i++) {
        struct user user = *like;

        user.id = (uint32_t)(first + from + i);
        snprintf(user.name, sizeof user.name, "user%u", (unsigned)(from + i));
        names[i] = record_name('u', user.id);
        writer_init(&records[i], 2048);
        put = user_record(&hsm->sealer, &user, &records[i]) == CKR_OK && put;
        changes[i] = (struct store_change){ record_name_view(&names[i]), writer_view(&records[i]),
                                            false };
    }

    const struct store_txn txn = { NULL, 0, changes, count, VIEW_EMPTY };

    put = put && store_commit(store, &txn, &revision) == STORE_OK;
    for (uint32_t i = 0; i < count; i++) {
        writer_clear(&records[i]);
    }
    return put;
}

int
main(int argc, char **argv)
{
    static struct outside outside;
    struct hsm_ports ports;
    struct hsm *hsm = NULL;
    const struct user *like;
    uint8_t key[HSM_MASTER_KEY_LEN];
    char path[512];
    uint64_t first;
    uint32_t count;
    CK_RV rv;

    if (argc != 4 || !key_read(argv[1], key)) {
        fputs("usage: peopled STATE_FOLDER LIKE COUNT\n", stderr);
        return 2;
    }
    count = (uint32_t)strtoul(argv[3], NULL, 10);
    outside_init(&outside);
    ports = outside.ports;
    snprintf(path, sizeof path, "%s/store.db", argv[1]);
    ports.store = sqlite_store_open(path, ports.entropy);
    rv = ports.store == NULL ? CKR_DEVICE_ERROR
                             : hsm_open(&ports, view_of(key, sizeof key), &hsm);
    like = rv == CKR_OK ? user_named(&hsm->users, view_str(argv[2])) : NULL;
    if (like == NULL ||
        !ports.store->next_numbers(ports.store, "user", count, USER_FIRST_ID, &first)) {
        fprintf(stderr, "%s does not open, or has no user %s\n", path, argv[2]);
        return 1;
    }
    for (uint32_t i = 0; i < count; i += BATCH) {
        if (!users_put(hsm, like, first, i, count - i < BATCH ? count - i : BATCH)) {
            fprintf(stderr, "%s takes no more\n", path);
            return 1;
        }
    }
    hsm_close(hsm);
    ports.store->close(ports.store);
    return 0;
}
