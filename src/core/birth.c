/* SPDX-License-Identifier: Apache-2.0
 *
 * The birth of a partition in an empty store: its record, its first users, the node's own key.
 */
#include "core/birth.h"

#include <stdio.h>
#include <string.h>

#define OFFICER_ID 1u
#define SERVICE_ID 2u
#define SERVICE_NAME "app_user"

#define GUARD_USE VIEW_TEXT("store guard")

bool
hsm_guard_key(view master_key, const uint8_t store_id[16], uint8_t ret_key[32])
{
    struct sealer sealer = { .key = secret_dup(master_key) };
    bool made;

    memcpy(sealer.store_id, store_id, sizeof sealer.store_id);
    made = sealer.key != NULL && sealer_derive(&sealer, GUARD_USE, ret_key);
    secret_free(sealer.key);
    return made;
}

bool
partition_guard(struct store *store, const struct sealer *sealer)
{
    uint8_t key[32];
    bool whole;

    if (store->guard == NULL) {
        return true;
    }
    whole = sealer_derive(sealer, GUARD_USE, key) && store->guard(store, key);
    wipe(key, sizeof key);
    return whole;
}

CK_RV
partition_write(const struct sealer *sealer, const struct hsm_birth *birth, uint64_t version,
                struct writer *out)
{
    struct writer plain;
    CK_RV rv = CKR_HOST_MEMORY;

    writer_init(&plain, PARTITION_BYTES_MAX);
    write_u8(&plain, (uint8_t)birth->policy);
    write_bytes(&plain, view_str(birth->switches));
    write_bytes(&plain, view_str(birth->label));
    write_bytes(&plain, view_str(birth->serial));
    if (writer_ok(&plain)) {
        rv = record_seal(sealer, PARTITION_NAME, 0, version, writer_view(&plain), out);
    }
    writer_clear(&plain);
    return rv;
}

bool
partition_read(struct hsm *hsm, view record)
{
    struct writer plain;
    struct reader r;
    uint64_t version;
    uint8_t policy;
    view switches, label, serial;
    bool read = false;

    writer_init(&plain, PARTITION_BYTES_MAX);
    if (record_open(&hsm->sealer, PARTITION_NAME, 0, record, &version, &plain) == CKR_OK) {
        r = reader_of(writer_view(&plain));
        read = read_u8(&r, &policy) && policy < POLICY_COUNT &&
               read_bytes(&r, RULES_SWITCHES_TEXT_MAX, &switches) &&
               read_bytes(&r, sizeof hsm->label - 1, &label) &&
               read_bytes(&r, sizeof hsm->serial - 1, &serial) && reader_done(&r);
        if (read) {
            hsm->rules = (struct rules){ (enum policy)policy, INTERFACE_P11, 0 };
            /* Of a later release: what it means is not known here. */
            read = rules_switches_read(&hsm->rules, switches);
            memcpy(hsm->label, label.data, label.len);
            memcpy(hsm->serial, serial.data, serial.len);
            snprintf(hsm->node, sizeof hsm->node, "%s",
                     hsm->ports.node == NULL ? hsm->serial : hsm->ports.node);
        }
    }
    writer_clear(&plain);
    return read;
}

/* password empty: nobody knows it. */
static CK_RV
birth_user(const struct sealer *sealer, uint32_t id, enum role role, const char *name,
           view password, struct writer *out)
{
    struct user user = { .id = id, .role = role, .version = 1 };
    CK_RV rv;

    snprintf(user.name, sizeof user.name, "%s", name);
    if (password.len > 0) {
        rv = user_set_password(sealer->entropy, &user, password);
    } else {
        rv = sealer->entropy->fill(sealer->entropy, user.salt, sizeof user.salt) &&
                     sealer->entropy->fill(sealer->entropy, user.hash, sizeof user.hash)
                 ? CKR_OK
                 : CKR_FUNCTION_FAILED;
    }
    if (rv == CKR_OK) {
        rv = user_record(sealer, &user, out);
    }
    wipe(&user, sizeof user);
    return rv;
}

static bool
any_visit(void *arg, view key, view value, uint64_t revision)
{
    bool *any = arg;

    UNUSED(key);
    UNUSED(value);
    UNUSED(revision);
    *any = true;
    return false;
}

/* Whatever a record is, it is not ours to write beside. */
static CK_RV
store_is_empty(struct store *store)
{
    bool any = false;

    if (store->load_all(store, any_visit, &any)) {
        return CKR_OK;
    }
    return any ? CKR_GENERAL_ERROR : CKR_DEVICE_ERROR;
}

CK_RV
hsm_initialize(const struct hsm_ports *ports, view master_key, const struct hsm_birth *birth)
{
    struct sealer sealer = { .entropy = ports->entropy };
    const bool unowned = birth->officer == NULL;
    const char *officer_text = unowned ? HSM_FACTORY_OFFICER : birth->officer;
    view password = unowned ? VIEW_TEXT(HSM_FACTORY_PASSWORD) : birth->officer_password;
    struct writer partition, officer, service, key;
    struct record_name officer_name = record_name('u', OFFICER_ID);
    struct record_name service_name = record_name('u', SERVICE_ID);
    struct owner_name key_name;
    struct rules rules = { birth->policy, INTERFACE_P11, 0 };
    uint64_t revision;
    CK_RV rv;

    if (master_key.len != HSM_MASTER_KEY_LEN || !user_name_valid(view_str(officer_text)) ||
        strlen(birth->label) > 32 || !owner_node_valid(birth->serial) ||
        strlen(birth->switches) > RULES_SWITCHES_TEXT_MAX ||
        !rules_switches_read(&rules, view_str(birth->switches))) {
        return CKR_ARGUMENTS_BAD;
    }
    if (!user_password_valid(password)) {
        return CKR_PIN_LEN_RANGE;
    }
    rv = store_is_empty(ports->store);
    if (rv != CKR_OK) {
        return rv;
    }
    key_name = owner_name(birth->serial, OWNER_KEY_NUMBER);
    writer_init(&partition, STORE_VALUE_MAX);
    writer_init(&officer, STORE_VALUE_MAX);
    writer_init(&service, STORE_VALUE_MAX);
    writer_init(&key, STORE_VALUE_MAX);
    sealer.key = secret_dup(master_key);
    if (sealer.key == NULL) {
        rv = CKR_HOST_MEMORY;
        goto out;
    }
    ports->store->id(ports->store, sealer.store_id);
    if (!partition_guard(ports->store, &sealer)) {
        rv = CKR_GENERAL_ERROR;
        goto out;
    }
    /* Nobody knows the service user's password: it belongs to the nodes themselves. */
    if ((rv = partition_write(&sealer, birth, 1, &partition)) != CKR_OK ||
        (rv = birth_user(&sealer, OFFICER_ID, unowned ? ROLE_PRECO : ROLE_CO, officer_text,
                         password, &officer)) != CKR_OK ||
        (rv = birth_user(&sealer, SERVICE_ID, ROLE_AU, SERVICE_NAME, VIEW_EMPTY, &service)) !=
            CKR_OK ||
        (unowned && (rv = owner_key_record(&sealer, &key_name, &key)) != CKR_OK)) {
        goto out;
    }

    const struct store_compare empty = { PARTITION_NAME, 0 };
    const struct store_change changes[] = {
        { PARTITION_NAME, writer_view(&partition), false },
        { record_name_view(&officer_name), writer_view(&officer), false },
        { record_name_view(&service_name), writer_view(&service), false },
        { owner_name_view(&key_name), writer_view(&key), false },
    };
    const struct store_txn txn = { &empty, 1, changes, ARRAY_COUNT(changes) - (unowned ? 0 : 1),
                                   VIEW_EMPTY };

    switch (store_commit(ports->store, &txn, &revision)) {
    case STORE_OK:
        rv = CKR_OK;
        break;
    case STORE_CONFLICT:
        rv = CKR_GENERAL_ERROR;
        break;
    case STORE_FAILED:
    case STORE_UNKNOWN:
        rv = CKR_DEVICE_ERROR;
        break;
    }
out:
    secret_free(sealer.key);
    writer_clear(&partition);
    writer_clear(&officer);
    writer_clear(&service);
    writer_clear(&key);
    return rv;
}
