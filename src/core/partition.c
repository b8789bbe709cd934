/* SPDX-License-Identifier: Apache-2.0
 *
 * The partition as a whole: how it is opened, loaded and closed. How it is born is in birth.c.
 */
#include "core/birth.h"
#include "core/follow.h"
#include "core/journal.h"
#include "core/load.h"

#include "base/log.h"

#include <stdlib.h>
#include <string.h>

/* ---- opening ---- */

/* A record that says something when all others are known; one allocation holds key and value. */
struct later {
    struct later *next;
    view key;
    view value;
    uint64_t revision;
};

struct loading {
    struct hsm *hsm;
    bool partition;
    struct later *first;   /* in the order of keys */
    struct later **last;
    struct later **journal; /* the last of all, when that is a journal's; else NULL */
    const struct later *end; /* the last one of this node's journal */
    char refused[STORE_KEY_MAX + 1]; /* the record that is not understood */
    CK_RV rv;
};

static void
loading_clear(struct loading *loading)
{
    while (loading->first != NULL) {
        struct later *later = loading->first;

        loading->first = later->next;
        free(later);
    }
}

static struct later *
later_new(view key, view value, uint64_t revision)
{
    struct later *later = malloc(sizeof *later + key.len + value.len);
    uint8_t *bytes = (uint8_t *)(later + 1);

    if (later == NULL) {
        return NULL;
    }
    memcpy(bytes, key.data, key.len);
    if (value.len > 0) {
        memcpy(bytes + key.len, value.data, value.len);
    }
    *later = (struct later){ NULL, view_of(bytes, key.len), view_of(bytes + key.len, value.len),
                             revision };
    return later;
}

/* Of a journal only the last record counts, for it carries the chain's end: it takes the place of
 * the one before. The store's guard has seen that all are there; whether each follows the one
 * before it is for who reads the audit. */
static CK_RV
load_later(struct loading *loading, view key, view value, uint64_t revision)
{
    struct later *later = later_new(key, value, revision);
    char node[JOURNAL_NODE_MAX + 1], before[JOURNAL_NODE_MAX + 1];
    const bool journal = journal_name_parse(key, node);

    if (later == NULL) {
        return CKR_HOST_MEMORY;
    }
    if (journal && loading->journal != NULL &&
        journal_name_parse((*loading->journal)->key, before) && strcmp(node, before) == 0) {
        free(*loading->journal);
        loading->last = loading->journal;
    }
    loading->journal = journal ? loading->last : NULL;
    *loading->last = later;
    loading->last = &later->next;
    return CKR_OK;
}

static CK_RV
loaded_journal(struct loading *loading)
{
    struct hsm *hsm = loading->hsm;
    struct chain end = { .count = 0 };
    struct writer entry;
    CK_RV rv = CKR_OK;

    if (loading->end != NULL) {
        writer_init(&entry, CHAIN_RECORD_MAX);
        rv = journal_open(&hsm->sealer, loading->end->key, loading->end->value, &end, &entry);
        writer_clear(&entry);
    }
    if (rv == CKR_OK) {
        hsm->journal = (struct journal_keeper){ &hsm->sealer, hsm->node };
        journal_begin(hsm->ports.store, &hsm->journal, &end);
    } else {
        log_err("the audit journal's last record does not open");
    }
    return rv;
}

static bool
loading_goes(struct loading *loading, view key)
{
    if (loading->rv != CKR_OK) {
        memcpy(loading->refused, key.data, size_min(key.len, sizeof loading->refused - 1));
    }
    return loading->rv == CKR_OK;
}

/* What names no node and needs no other record is taken in at once. */
static bool
load_visit(void *arg, view key, view value, uint64_t revision)
{
    struct loading *loading = arg;
    struct hsm *hsm = loading->hsm;

    if (view_equal(key, PARTITION_NAME)) {
        loading->partition = partition_read(hsm, value);
        hsm->partition_revision = revision;
        loading->rv = loading->partition ? CKR_OK : CKR_GENERAL_ERROR;
    } else if (key.data[0] == 'f' || load_is_apart(key)) {
        loading->rv = load_later(loading, key, value, revision);
    } else {
        loading->rv = load_put(hsm, key, value, revision);
    }
    return loading_goes(loading, key);
}

static CK_RV
load_first(struct loading *loading, view key, view value, uint64_t revision)
{
    struct hsm *hsm = loading->hsm;
    struct chain before;
    CK_RV rv = journal_first_open(&hsm->sealer, key, value, &before);

    if (rv == CKR_OK) {
        hsm->journal_first = before.count + 1;
        hsm->journal_first_revision = revision;
    }
    return rv;
}

/* Which node this is says the partition's record; and failures are those of users. */
static void
load_kept(struct loading *loading, const struct later *later)
{
    struct hsm *hsm = loading->hsm;
    char node[JOURNAL_NODE_MAX + 1];

    if (owner_name_is(later->key)) {
        loading->rv = owner_load(&hsm->owner, &hsm->sealer, hsm->node, later->key, later->value,
                                 later->revision);
    } else if (journal_first_parse(later->key, node)) {
        loading->rv = strcmp(node, hsm->node) == 0
                          ? load_first(loading, later->key, later->value, later->revision)
                          : CKR_OK;
    } else if (journal_name_parse(later->key, node)) {
        loading->end = strcmp(node, hsm->node) == 0 ? later : loading->end;
    } else if (beat_name_is(later->key)) {
        follow_found(hsm, later->key, later->value, later->revision);
    } else {
        loading->rv = load_put(hsm, later->key, later->value, later->revision);
    }
}

/* What opens with the key and is not understood was written by another version. */
static bool
key_is_right(struct hsm *hsm)
{
    struct store *store = hsm->ports.store;
    struct writer record, plain;
    uint64_t revision, version;
    bool right;

    writer_init(&record, 2 * PARTITION_BYTES_MAX);
    writer_init(&plain, PARTITION_BYTES_MAX);
    right = store->get(store, PARTITION_NAME, &revision, &record) && revision != 0 &&
            (!record_is_known(writer_view(&record)) ||
             record_open(&hsm->sealer, PARTITION_NAME, 0, writer_view(&record), &version,
                         &plain) == CKR_OK);
    writer_clear(&record);
    writer_clear(&plain);
    return right;
}

static void
refusal_say(const struct loading *loading)
{
    if (loading->rv == CKR_HOST_MEMORY) {
        log_err("no memory for the records of the store");
    } else if (key_is_right(loading->hsm)) {
        log_err("record %s is of another format, or damaged: the store was written by another "
                "version, which can still open it",
                loading->refused);
    } else {
        log_err("record %s does not open: is it the master key of this store?", loading->refused);
    }
}

static CK_RV
hsm_load_with(struct store *store, struct loading *loading)
{
    bool all;

    if ((loading->rv = release_look(loading->hsm)) != CKR_OK) {
        return loading->rv;
    }
    all = store->load_all(store, load_visit, loading);
    if (loading->rv != CKR_OK) {
        refusal_say(loading);
        return loading->rv;
    }
    if (!all) {
        return CKR_DEVICE_ERROR;
    }
    if (!loading->partition) {
        return CKR_TOKEN_NOT_INITIALIZED;
    }
    for (const struct later *later = loading->first; later != NULL; later = later->next) {
        load_kept(loading, later);
        if (!loading_goes(loading, later->key)) {
            refusal_say(loading);
            return loading->rv;
        }
    }
    if (!owner_loaded(&loading->hsm->owner)) {
        log_err("a certificate is there without its key, or without its owner's");
        return CKR_GENERAL_ERROR;
    }
    return loaded_journal(loading);
}

static CK_RV
hsm_load(struct hsm *hsm)
{
    struct loading loading = { .hsm = hsm, .rv = CKR_OK };
    CK_RV rv;

    loading.last = &loading.first;
    rv = hsm_load_with(hsm->ports.store, &loading);
    loading_clear(&loading);
    return rv;
}

/* ---- heads of the audit ---- */

/* Where the chain stood behind that record. */
static bool
journal_chain_at(struct hsm *hsm, uint64_t count, struct chain *ret_chain)
{
    struct store *store = hsm->ports.store;
    const struct journal_name name = journal_name(hsm->node, count);
    struct writer value, entry;
    uint64_t revision = 0;
    bool known;

    writer_init(&value, STORE_VALUE_MAX);
    writer_init(&entry, CHAIN_RECORD_MAX);
    known = store->get(store, journal_name_view(&name), &revision, &value) &&
            revision != 0 &&
            journal_open(&hsm->sealer, journal_name_view(&name), writer_view(&value),
                         ret_chain, &entry) == CKR_OK;
    writer_clear(&entry);
    writer_clear(&value);
    return known;
}

#define DROP_COUNT (STORE_TXN_MAX - 1u) /* and the record that tells of it */

/* A piece of the oldest records, as many as a transaction takes. */
static bool
journal_drop(struct hsm *hsm)
{
    const uint64_t first = hsm->journal_first;
    const struct journal_name first_name = journal_first_name(hsm->node);
    const struct store_compare compare = { journal_name_view(&first_name),
                                           hsm->journal_first_revision };
    struct journal_name names[DROP_COUNT];
    struct store_change changes[STORE_TXN_MAX];
    struct chain before;
    struct writer record;
    uint64_t revision;
    bool dropped;

    for (unsigned i = 0; i < DROP_COUNT; i++) {
        names[i] = journal_name(hsm->node, first + i);
        changes[i] = (struct store_change){ .key = journal_name_view(&names[i]),
                                            .delete = true };
    }
    writer_init(&record, CHAIN_RECORD_MAX);
    dropped = journal_chain_at(hsm, first + DROP_COUNT - 1, &before) &&
              journal_first_seal(&hsm->sealer, hsm->node, &before, &record) == CKR_OK;
    if (dropped) {
        const struct store_txn txn = { &compare, 1, changes, STORE_TXN_MAX, VIEW_EMPTY };

        changes[DROP_COUNT] =
            (struct store_change){ journal_name_view(&first_name), writer_view(&record), false };
        dropped = hsm_commit(hsm, &txn, &revision) == CKR_OK;
    }
    if (dropped) {
        hsm->journal_first = first + DROP_COUNT;
        hsm->journal_first_revision = revision;
    }
    writer_clear(&record);
    return dropped;
}

/* What was not known to be done may have been done: then the store has gone on. */
static void
journal_first_look(struct hsm *hsm)
{
    struct store *store = hsm->ports.store;
    const struct journal_name name = journal_first_name(hsm->node);
    struct chain before;
    struct writer value;
    uint64_t revision = 0;

    writer_init(&value, STORE_VALUE_MAX);
    if (store->get(store, journal_name_view(&name), &revision, &value) &&
        revision > hsm->journal_first_revision &&
        journal_first_open(&hsm->sealer, journal_name_view(&name), writer_view(&value), &before) ==
            CKR_OK) {
        hsm->journal_first = before.count + 1;
        hsm->journal_first_revision = revision;
    }
    writer_clear(&value);
}

void
hsm_trim_journal(struct hsm *hsm, uint64_t keep, uint64_t limit_ms)
{
    struct clock *clock = hsm->ports.clock;
    uint64_t start = clock->monotonic(clock);
    struct chain end;

    hsm->ports.store->journal_end(hsm->ports.store, &end);
    if (hsm->journal_first == 0) {
        hsm->journal_first = 1;
    }
    /* In whole transactions, so that a busy node does not write one for each record. */
    while (end.count + 1 - hsm->journal_first >= keep + DROP_COUNT &&
           clock->monotonic(clock) - start < limit_ms) {
        if (!journal_drop(hsm)) {
            journal_first_look(hsm);
            break;
        }
    }
}

bool
hsm_audit_identity(struct hsm *hsm, uint8_t ret_store_id[16], uint8_t ret_key[AUDIT_KEY_LEN],
                   char *ret_serial)
{
    memcpy(ret_store_id, hsm->sealer.store_id, sizeof hsm->sealer.store_id);
    memcpy(ret_serial, hsm->node, sizeof hsm->node);
    return audit_public_key(&hsm->sealer, ret_key);
}

bool
hsm_audit_head(struct hsm *hsm, const struct chain *trail, struct writer *out)
{
    struct audit_head head = { .time = hsm->ports.clock->wall(hsm->ports.clock),
                               .trail = *trail };
    uint8_t seed[AUDIT_KEY_LEN];
    bool made;

    hsm->ports.store->journal_end(hsm->ports.store, &head.journal);
    made = audit_seed(&hsm->sealer, seed) && audit_head_write(out, &head, seed);
    wipe(seed, sizeof seed);
    return made;
}

static bool
locks_init(struct hsm *hsm)
{
    pthread_rwlockattr_t attributes;
    bool made;

    /* Searches come from many threads without a gap; a change must not wait for one. */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    made = pthread_rwlock_init(&hsm->lock, &attributes) == 0 &&
           pthread_mutex_init(&hsm->change, NULL) == 0 && quorum_init(&hsm->quorum) &&
           pthread_mutex_init(&hsm->numbers, NULL) == 0;
    pthread_rwlockattr_destroy(&attributes);
    for (uint32_t i = 0; i < PASSWORD_GATES; i++) {
        hsm->gates[i].user = GATE_USER_FIRST + i;
        made = pthread_mutex_init(&hsm->gates[i].lock, NULL) == 0 && made;
    }
    return made;
}

CK_RV
hsm_open(const struct hsm_ports *ports, view master_key, struct hsm **ret_hsm)
{
    struct hsm *hsm;
    uint8_t boot[sizeof(uint64_t)];
    CK_RV rv = CKR_HOST_MEMORY;

    if (master_key.len != HSM_MASTER_KEY_LEN) {
        return CKR_ARGUMENTS_BAD;
    }
    hsm = calloc(1, sizeof *hsm);
    if (hsm == NULL) {
        return CKR_HOST_MEMORY;
    }
    hsm->ports = *ports;
    table_init(&hsm->objects);
    table_init(&hsm->builtin);
    owner_init(&hsm->owner);
    hsm->sealer = (struct sealer){ .key = secret_dup(master_key), .entropy = ports->entropy };
    hsm->boot_sealer =
        (struct sealer){ .key = secret_new(HSM_MASTER_KEY_LEN), .entropy = ports->entropy };
    if (!locks_init(hsm) || !context_table_init(&hsm->contexts) ||
        !replies_init(&hsm->replies) || !logouts_init(&hsm->logouts) ||
        !tombs_init(&hsm->tombs) || !lates_init(&hsm->lates) ||
        !changes_init(&hsm->changes) || !follow_init(&hsm->follow) ||
        !keyed_init(&hsm->keyed, KEYED_MAX) || !numbers_init(&hsm->certificates) ||
        !admissions_init(&hsm->admissions) ||
        hsm->sealer.key == NULL || hsm->boot_sealer.key == NULL) {
        goto fail;
    }
    if (!ports->entropy->fill(ports->entropy, secret_data(hsm->boot_sealer.key),
                              HSM_MASTER_KEY_LEN) ||
        !ports->entropy->fill(ports->entropy, boot, sizeof boot)) {
        rv = CKR_FUNCTION_FAILED;
        goto fail;
    }
    hsm->changes.boot = load_u64(boot);
    ports->store->id(ports->store, hsm->sealer.store_id);
    memcpy(hsm->boot_sealer.store_id, hsm->sealer.store_id, sizeof hsm->sealer.store_id);
    hsm->wall_start = ports->clock->wall(ports->clock);
    hsm->monotonic_start = ports->clock->monotonic(ports->clock);
    atomic_init(&hsm->ticket_life, TICKET_LIFE_MS);
    atomic_init(&hsm->revision, ports->store->revision(ports->store));
    /* Login numbers of different boots must differ, and the wall clock may have been set back. */
    atomic_init(&hsm->logins, hsm->changes.boot >> 1);
    rv = partition_guard(ports->store, &hsm->sealer) ? hsm_load(hsm) : CKR_GENERAL_ERROR;
    for (enum object_kind kind = 0; kind < KIND_COUNT; kind++) {
        hsm->fitting[kind] = template_flags(hsm->rules, kind);
    }
    if (rv == CKR_OK) {
        rv = builtin_fill(&hsm->sealer, hsm->rules, &hsm->builtin);
    }
    if (rv == CKR_OK) {
        /* Who died and is long at loading was fenced meanwhile: what it had begun before, which is
         * over. */
        hsm_refresh_members(hsm);
        fence_begin(hsm);
    }
    if (rv == CKR_OK && !follow_start(hsm, atomic_load(&hsm->revision))) {
        rv = CKR_DEVICE_ERROR;
    }
    if (rv != CKR_OK) {
        goto fail;
    }
    *ret_hsm = hsm;
    return CKR_OK;
fail:
    hsm_close(hsm);
    return rv;
}

void
hsm_set_ticket_life(struct hsm *hsm, uint64_t ms)
{
    atomic_store(&hsm->ticket_life, ms);
}

void
hsm_close(struct hsm *hsm)
{
    if (hsm == NULL) {
        return;
    }
    follow_stop(hsm);
    if (hsm->journal.sealer != NULL) {
        journal_stop(hsm->ports.store);
    }
    follow_clear(&hsm->follow);
    context_table_clear(&hsm->contexts);
    replies_clear(&hsm->replies);
    logouts_clear(&hsm->logouts);
    tombs_clear(&hsm->tombs);
    lates_clear(&hsm->lates);
    changes_clear(&hsm->changes);
    keyed_clear(&hsm->keyed);
    containers_clear(&hsm->containers);
    numbers_clear(&hsm->certificates);
    table_clear(&hsm->objects);
    table_clear(&hsm->builtin);
    user_table_clear(&hsm->users);
    owner_clear(&hsm->owner);
    admissions_clear(&hsm->admissions);
    quorum_clear(&hsm->quorum);
    secret_free(hsm->sealer.key);
    secret_free(hsm->boot_sealer.key);
    pthread_rwlock_destroy(&hsm->lock);
    pthread_mutex_destroy(&hsm->change);
    for (size_t i = 0; i < PASSWORD_GATES; i++) {
        pthread_mutex_destroy(&hsm->gates[i].lock);
    }
    pthread_mutex_destroy(&hsm->numbers);
    free(hsm);
}
