/* SPDX-License-Identifier: Apache-2.0
 *
 * Another policy for the partition, by an officer. It is stored, and taken up when the partition is
 * opened the next time, which is asked for at once: what the tables say is fixed while it is
 * open. Objects stay as they are; those whose attributes the new policy refuses are not to be used
 * (object_fits_policy()), but may be looked at and deleted.
 */
#include "core/birth.h"

#include <string.h>

/* Token keys that will not fit. */
static uint32_t
unusable_count(struct hsm *hsm, struct rules rules)
{
    struct template_flags fitting[KIND_COUNT];
    uint32_t count = 0;

    for (enum object_kind kind = 0; kind < KIND_COUNT; kind++) {
        fitting[kind] = template_flags(rules, kind);
    }
    pthread_rwlock_rdlock(&hsm->lock);
    for (const struct object *object = table_next(&hsm->objects, 0); object != NULL;
         object = table_next(&hsm->objects, object->handle)) {
        count += kind_is_key(object->kind) &&
                 !template_flags_fit(fitting[object->kind], object->info.flags);
    }
    pthread_rwlock_unlock(&hsm->lock);
    return count;
}

/* The record that is there: its place in the store, and its version. */
static CK_RV
partition_find(struct hsm *hsm, uint64_t *ret_revision, uint64_t *ret_version)
{
    struct store *store = hsm->ports.store;
    struct writer record, plain;
    CK_RV rv = CKR_DEVICE_ERROR;

    writer_init(&record, 2 * PARTITION_BYTES_MAX);
    writer_init(&plain, PARTITION_BYTES_MAX);
    if (store->get(store, PARTITION_NAME, ret_revision, &record) && *ret_revision != 0) {
        rv = record_open(&hsm->sealer, PARTITION_NAME, 0, writer_view(&record), ret_version,
                         &plain);
    }
    writer_clear(&record);
    writer_clear(&plain);
    return rv;
}

/* Under the lock for changes. */
static CK_RV
policy_keep(struct request *r, struct rules rules)
{
    struct hsm *hsm = r->hsm;
    char switches[RULES_SWITCHES_TEXT_MAX + 1] = "";
    struct writer text, record;
    uint64_t revision = 0;
    uint64_t version = 0;
    CK_RV rv;

    writer_init_fixed(&text, switches, RULES_SWITCHES_TEXT_MAX);
    rules_switches_write(rules, &text);

    const struct hsm_birth birth = { .policy = rules.policy,
                                     .switches = switches,
                                     .label = hsm->label,
                                     .serial = hsm->serial };
    const struct policy_set_reply answer = { .unusable = unusable_count(hsm, rules) };

    writer_init(&record, STORE_VALUE_MAX);
    if ((rv = partition_find(hsm, &revision, &version)) == CKR_OK &&
        (rv = partition_write(&hsm->sealer, &birth, version + 1, &record)) == CKR_OK) {
        const struct store_compare compare = { PARTITION_NAME, revision };
        const struct store_change change = { PARTITION_NAME, writer_view(&record), false };

        policy_set_reply_write(r->reply, &answer);
        rv = request_commit(r, &compare, 1, &change, 1, &revision);
    }
    writer_clear(&record);
    return rv;
}

CK_RV
handle_POLICY_SET(struct request *r)
{
    struct hsm *hsm = r->hsm;
    struct policy_set_request m;
    struct quorum_token *token = NULL;
    struct rules rules = { POLICY_AZURE, INTERFACE_P11, 0 };
    CK_RV rv;

    if (!policy_set_request_read(r->body, &m) || m.switches.len > RULES_SWITCHES_TEXT_MAX) {
        return CODE_BAD_FRAME;
    }
    if (m.policy >= POLICY_COUNT) {
        return CKR_ARGUMENTS_BAD;
    }
    rules.policy = (enum policy)m.policy;
    note_detail(r, "policy=%s was=%s switches=%.*s", policy_name(rules.policy),
                policy_name(hsm->rules.policy), (int)size_min(m.switches.len, 128),
                (const char *)m.switches.data);
    if (!rules_switches_read(&rules, m.switches)) {
        note_detail(r, "policy=%s was=%s", policy_name(rules.policy),
                    policy_name(hsm->rules.policy)); /* the text may be anything */
        return CKR_ARGUMENTS_BAD;
    }
    if (!request_may(r, PLACE_STORE)) {
        return CODE_LATER;
    }
    if ((rv = hsm_change_begin(hsm)) != CKR_OK) {
        return rv;
    }
    rv = quorum_take(r, quorum_settings_service(&hsm->quorum), &token);
    if (rv == CKR_OK) {
        rv = quorum_done(r, token, policy_keep(r, rules));
    }
    hsm_change_end(hsm);
    if (rv == CKR_OK) {
        hsm_renew(hsm);
    }
    return rv;
}
