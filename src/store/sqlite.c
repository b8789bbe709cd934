/* SPDX-License-Identifier: Apache-2.0
 *
 * The store on SQLite: the writer thread with its queue, and the store's table of functions. Who
 * submits alone, as the one before did, writes by himself: the writer would have to be woken,
 * and he to be woken by it. Each transaction of several runs in a savepoint of the group's SQL
 * transaction, so that one that fails leaves the others alone. How the file is made and
 * checked is in database.c.
 */
#include "store/sqlite.h"

#include "base/clock.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/database.h"
#include "store/guard.h"
#include "store/txn.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Bounds the time for which the first of a group waits for the last. */
#define GROUP_MAX 1024u
#define GET_WAIT_MS 1000u
/* A group that takes longer hangs on the disk. What comes from then on is refused at once, and so
 * has certainly not happened, until the disk is back. */
#define HANG_MS STORE_WAIT_MS

struct submission {
    struct submission *next;
    const struct store_txn *txn; /* one that was queued: a copy */
    store_done *done;
    void *arg;
    enum store_result result;
    uint64_t revision;
};

struct sqlite {
    struct store store; /* first, so that a store is its sqlite */
    pthread_t writer;

    pthread_mutex_t queue_lock;
    pthread_cond_t queue_filled;
    struct submission *first; /* under queue_lock, as all to .closing */
    struct submission **last;
    uint64_t revision;         /* changed by who runs a group alone */
    bool busy;                 /* a group runs, */
    uint64_t busy_since;       /* from then on (milliseconds) */
    bool refuses;              /* some were refused as it hangs, and the log said so */
    struct chain journal_end;  /* of the last group */
    size_t group_last;         /* how many the last one had */
    bool closing;

    pthread_mutex_t database_lock;
    struct database *database; /* under database_lock */
    struct guard guard;        /* under database_lock */
    struct journal journal;    /* under database_lock */
};

/* Under queue_lock. */
static bool
is_hanging(struct sqlite *sqlite)
{
    if (!sqlite->busy || clock_ms(CLOCK_MONOTONIC) - sqlite->busy_since <= HANG_MS) {
        return false;
    }
    if (!sqlite->refuses) {
        sqlite->refuses = true;
        log_err("store: the disk does not answer; writes are refused until it does");
    }
    return true;
}

static bool
hangs(struct sqlite *sqlite)
{
    bool hanging;

    pthread_mutex_lock(&sqlite->queue_lock);
    hanging = is_hanging(sqlite);
    pthread_mutex_unlock(&sqlite->queue_lock);
    return hanging;
}

/* The lock of the database, for who does not wait for it as long as the disk wants. */
static bool
database_take(struct sqlite *sqlite, unsigned limit_ms)
{
    return pthread_mutex_trylock(&sqlite->database_lock) == 0 ||
           (!hangs(sqlite) && lock_within(&sqlite->database_lock, limit_ms));
}

/* Under queue_lock. */
static void
busy_begin(struct sqlite *sqlite)
{
    sqlite->busy = true;
    sqlite->busy_since = clock_ms(CLOCK_MONOTONIC);
}

static bool
compares_hold(struct database *database, const struct store_txn *txn, enum store_result *ret_result)
{
    for (size_t i = 0; i < txn->compare_count; i++) {
        uint64_t revision;

        if (!database_revision_of(database, txn->compares[i].key, &revision)) {
            *ret_result = STORE_FAILED;
            return false;
        }
        if (revision != txn->compares[i].revision) {
            *ret_result = STORE_CONFLICT;
            return false;
        }
    }
    return true;
}

/* The revision of a record before the transaction; mostly its compare, which has held, tells. */
static bool
revision_before(struct sqlite *sqlite, const struct store_txn *txn, size_t change,
                uint64_t *ret_revision)
{
    const view key = txn->changes[change].key;

    if (!sqlite->guard.on) {
        *ret_revision = 0; /* nobody asks */
        return true;
    }
    for (size_t i = 0; i < change; i++) {
        if (view_equal(txn->changes[i].key, key)) {
            return database_revision_of(sqlite->database, key, ret_revision);
        }
    }
    for (size_t i = 0; i < txn->compare_count; i++) {
        if (view_equal(txn->compares[i].key, key)) {
            *ret_revision = txn->compares[i].revision;
            return true;
        }
    }
    return database_revision_of(sqlite->database, key, ret_revision);
}

/* The record leaves the sum as it was, and enters it as it is going to be. */
static bool
change_run(struct sqlite *sqlite, const struct store_change *change, uint64_t before,
           uint64_t revision)
{
    struct database *database = sqlite->database;

    if (sqlite->guard.on &&
        ((before != 0 && !guard_remove(&sqlite->guard, change->key, before)) ||
         (!change->delete && !guard_add(&sqlite->guard, change->key, revision)))) {
        return false;
    }
    return change->delete ? database_delete(database, change->key)
                          : database_put(database, change->key, change->value, revision);
}

static bool
changes_run(struct sqlite *sqlite, const struct store_txn *txn, uint64_t revision)
{
    struct journal_record record;
    uint64_t before;

    for (size_t i = 0; i < txn->change_count; i++) {
        if (!revision_before(sqlite, txn, i, &before) ||
            !change_run(sqlite, txn->changes + i, before, revision)) {
            return false;
        }
    }
    return txn->journal.len == 0 ||
           (journal_make(&sqlite->journal, txn->journal, &record) &&
            database_revision_of(sqlite->database, record.change.key, &before) &&
            change_run(sqlite, &record.change, before, revision));
}

/* alone: nobody else is in the group, so that a failure may undo all of it. */
static enum store_result
submission_run(struct sqlite *sqlite, const struct store_txn *txn, bool alone, uint64_t revision)
{
    struct database *database = sqlite->database;
    const struct guard before = sqlite->guard;
    const struct chain journal_before = sqlite->journal.end;
    enum store_result result;

    if (!compares_hold(database, txn, &result)) {
        return result;
    }
    if (!alone && !database_step(database, DATABASE_SAVEPOINT)) {
        return STORE_FAILED;
    }
    if (changes_run(sqlite, txn, revision)) {
        return alone || database_step(database, DATABASE_RELEASE) ? STORE_OK : STORE_FAILED;
    }
    sqlite->guard = before;
    sqlite->journal.end = journal_before;
    if (alone) {
        database_rollback(database);
        return STORE_FAILED;
    }
    /* SQLite may have undone the whole group already (disk full, no memory). */
    if (database_in_transaction(database) &&
        (!database_step(database, DATABASE_ROLLBACK_TO) ||
         !database_step(database, DATABASE_RELEASE))) {
        database_rollback(database);
    }
    return STORE_FAILED;
}

static bool
revision_write(struct sqlite *sqlite, uint64_t revision)
{
    uint8_t value[GUARD_VALUE_LEN];

    if (!sqlite->guard.on) {
        return database_set_revision(sqlite->database, revision, VIEW_EMPTY);
    }
    return guard_value(&sqlite->guard, revision, value) &&
           database_set_revision(sqlite->database, revision, view_of(value, sizeof value));
}

/* Runs all of the group, or marks all as failed. The revision that it reached. */
static uint64_t
group_run(struct sqlite *sqlite, struct submission *group, uint64_t revision)
{
    struct database *database = sqlite->database;
    const struct guard before = sqlite->guard;
    const struct chain journal_before = sqlite->journal.end;
    uint64_t reached = revision;
    bool good = database_step(database, DATABASE_BEGIN);

    for (struct submission *s = group; good && s != NULL; s = s->next) {
        s->result = submission_run(sqlite, s->txn, group->next == NULL, reached + 1);
        good = database_in_transaction(database);
        if (s->result == STORE_OK) {
            reached++;
        }
        s->revision = reached;
    }
    if (good && reached == revision) {
        database_rollback(database);        /* only refusals: nothing to write */
        return revision;
    }
    if (good && revision_write(sqlite, reached) &&
        database_step(database, DATABASE_COMMIT)) {
        database_worked(database);
        return reached;
    }
    database_rollback(database);
    sqlite->guard = before;
    sqlite->journal.end = journal_before;
    for (struct submission *s = group; s != NULL; s = s->next) {
        s->result = STORE_FAILED;
        s->revision = revision;
    }
    return revision;
}

/* Waits for submissions; NULL when the store closes and none are left. Else the store is busy. */
static struct submission *
group_take(struct sqlite *sqlite)
{
    struct submission *group;

    pthread_mutex_lock(&sqlite->queue_lock);
    while (sqlite->busy || (sqlite->first == NULL && !sqlite->closing)) {
        pthread_cond_wait(&sqlite->queue_filled, &sqlite->queue_lock);
    }
    group = sqlite->first;
    if (group != NULL) {
        struct submission *end = group;
        size_t count = 1;

        for (; count < GROUP_MAX && end->next != NULL; count++) {
            end = end->next;
        }
        sqlite->first = end->next;
        if (sqlite->first == NULL) {
            sqlite->last = &sqlite->first;
        }
        end->next = NULL;
        busy_begin(sqlite);
        sqlite->group_last = count;
    }
    pthread_mutex_unlock(&sqlite->queue_lock);
    return group;
}

/* Runs a group while the store is busy with it, and is busy no more. */
static void
group_write(struct sqlite *sqlite, struct submission *group)
{
    struct chain end;
    uint64_t revision;

    pthread_mutex_lock(&sqlite->database_lock);
    revision = group_run(sqlite, group, sqlite->revision);
    end = sqlite->journal.end;
    pthread_mutex_unlock(&sqlite->database_lock);

    pthread_mutex_lock(&sqlite->queue_lock);
    sqlite->revision = revision;
    sqlite->journal_end = end;
    sqlite->busy = false;
    if (sqlite->refuses) {
        sqlite->refuses = false;
        log_inf("store: the disk answers again");
    }
    if (sqlite->first != NULL || sqlite->closing) {
        pthread_cond_signal(&sqlite->queue_filled);
    }
    pthread_mutex_unlock(&sqlite->queue_lock);
}

static void
group_end(struct submission *group)
{
    while (group != NULL) {
        struct submission *next = group->next;

        group->done(group->arg, group->result, group->revision);
        free((void *)(uintptr_t)group->txn);
        free(group);
        group = next;
    }
}

static void *
sqlite_write(void *arg)
{
    struct sqlite *sqlite = arg;
    struct submission *group;

    while ((group = group_take(sqlite)) != NULL) {
        group_write(sqlite, group);
        group_end(group);
    }
    return NULL;
}

static void
sqlite_submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    struct sqlite *sqlite = (struct sqlite *)store;
    const bool fits = txn_fits(txn) && !hangs(sqlite);
    struct submission *submission = fits ? calloc(1, sizeof *submission) : NULL;

    if (submission == NULL || (submission->txn = txn_dup(txn)) == NULL) {
        free(submission);
        done(arg, STORE_FAILED, 0);
        return;
    }
    submission->done = done;
    submission->arg = arg;
    pthread_mutex_lock(&sqlite->queue_lock);
    *sqlite->last = submission;
    sqlite->last = &submission->next;
    if (!sqlite->busy) {
        pthread_cond_signal(&sqlite->queue_filled);
    }
    pthread_mutex_unlock(&sqlite->queue_lock);
}

/* Is nobody else there, and was nobody the last time? Then the store is busy for the caller. */
static bool
is_alone(struct sqlite *sqlite)
{
    bool alone;

    pthread_mutex_lock(&sqlite->queue_lock);
    alone = !sqlite->busy && sqlite->first == NULL && !sqlite->closing && sqlite->group_last == 1;
    if (alone) {
        busy_begin(sqlite);
    }
    pthread_mutex_unlock(&sqlite->queue_lock);
    return alone;
}

static bool
sqlite_commit_alone(struct store *store, const struct store_txn *txn,
                    enum store_result *ret_result, uint64_t *ret_revision)
{
    struct sqlite *sqlite = (struct sqlite *)store;
    struct submission submission = { .txn = txn };

    if (!txn_fits(txn) || !is_alone(sqlite)) {
        return false;
    }
    group_write(sqlite, &submission);
    *ret_result = submission.result;
    if (submission.result == STORE_OK) {
        *ret_revision = submission.revision;
    }
    return true;
}

static void
sqlite_id(struct store *store, uint8_t ret_id[16])
{
    /* Read once at the opening, so no lock. */
    memcpy(ret_id, database_id(((struct sqlite *)store)->database), 16);
}

static bool
sqlite_load_all(struct store *store, store_visit *visit, void *arg)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    if (!database_take(sqlite, STORE_WAIT_MS)) {
        return false;
    }

    bool loaded = database_each(sqlite->database, visit, arg);

    pthread_mutex_unlock(&sqlite->database_lock);
    return loaded;
}

/* A commit may take as long as the disk wants; who only looks does not wait for it for ever. */
static bool
sqlite_get(struct store *store, view key, uint64_t *ret_revision, struct writer *out)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    if (!database_take(sqlite, GET_WAIT_MS)) {
        return false;
    }

    bool got = database_get(sqlite->database, key, ret_revision, out);

    pthread_mutex_unlock(&sqlite->database_lock);
    return got;
}

static bool
sqlite_next_numbers(struct store *store, const char *counter, uint32_t count, uint64_t start,
                    uint64_t *ret_first)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    if (!database_take(sqlite, STORE_WAIT_MS)) {
        return false;
    }

    bool given = database_next_numbers(sqlite->database, counter, count, start, ret_first);

    pthread_mutex_unlock(&sqlite->database_lock);
    return given;
}

static bool
sqlite_each_number(struct store *store, store_count *count, void *arg)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    if (!database_take(sqlite, STORE_WAIT_MS)) {
        return false;
    }

    bool told = database_each_number(sqlite->database, count, arg);

    pthread_mutex_unlock(&sqlite->database_lock);
    return told;
}

static uint64_t
sqlite_revision(struct store *store)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    pthread_mutex_lock(&sqlite->queue_lock);

    uint64_t revision = sqlite->revision;

    pthread_mutex_unlock(&sqlite->queue_lock);
    return revision;
}

static bool
sqlite_backup(struct store *store, const char *path)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    if (!database_take(sqlite, STORE_WAIT_MS)) {
        return false;
    }

    bool copied = database_copy(sqlite->database, path);

    pthread_mutex_unlock(&sqlite->database_lock);
    return copied;
}

struct counting {
    struct guard *guard;
    size_t records;
};

static bool
count_record(void *arg, view key, view value, uint64_t revision)
{
    struct counting *counting = arg;

    UNUSED(value);
    counting->records++;
    return guard_add(counting->guard, key, revision);
}

/* Under the lock of the database. Do the records add up to what was left? */
static bool
guard_holds(struct sqlite *sqlite, uint64_t revision)
{
    struct counting counting = { .guard = &sqlite->guard };
    uint8_t stored[GUARD_VALUE_LEN];
    uint8_t counted[GUARD_VALUE_LEN];
    size_t len;

    if (!database_guard(sqlite->database, stored, sizeof stored, &len) ||
        !database_each_name(sqlite->database, count_record, &counting)) {
        return false;
    }
    if (len == 0 && counting.records == 0) {
        return true; /* newly made */
    }
    if (!guard_value(&sqlite->guard, revision, counted) ||
        !view_equal(view_of(stored, len), view_of(counted, sizeof counted))) {
        log_err("store: its records are not those that were left: some were changed, removed or "
                "put back behind our back, or the master key is another; restore a backup");
        return false;
    }
    return true;
}

static bool
sqlite_guard(struct store *store, const uint8_t key[32])
{
    struct sqlite *sqlite = (struct sqlite *)store;
    uint64_t revision = store->revision(store);
    bool holds;

    pthread_mutex_lock(&sqlite->database_lock);
    sqlite->guard = (struct guard){ .on = true };
    memcpy(sqlite->guard.key, key, sizeof sqlite->guard.key);
    holds = guard_holds(sqlite, revision);
    pthread_mutex_unlock(&sqlite->database_lock);
    return holds;
}

static void
sqlite_journal(struct store *store, const struct chain *end, store_entry *entry, void *arg)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    pthread_mutex_lock(&sqlite->database_lock);
    sqlite->journal = (struct journal){ *end, entry, arg };
    pthread_mutex_unlock(&sqlite->database_lock);
    pthread_mutex_lock(&sqlite->queue_lock);
    sqlite->journal_end = *end;
    pthread_mutex_unlock(&sqlite->queue_lock);
}

static void
sqlite_journal_end(struct store *store, struct chain *ret_end)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    pthread_mutex_lock(&sqlite->queue_lock);
    *ret_end = sqlite->journal_end;
    pthread_mutex_unlock(&sqlite->queue_lock);
}

static void
sqlite_free(struct sqlite *sqlite)
{
    database_close(sqlite->database);
    pthread_cond_destroy(&sqlite->queue_filled);
    pthread_mutex_destroy(&sqlite->queue_lock);
    pthread_mutex_destroy(&sqlite->database_lock);
    wipe(&sqlite->guard, sizeof sqlite->guard);
    free(sqlite);
}

static void
sqlite_close(struct store *store)
{
    struct sqlite *sqlite = (struct sqlite *)store;

    pthread_mutex_lock(&sqlite->queue_lock);
    sqlite->closing = true;
    pthread_cond_signal(&sqlite->queue_filled);
    pthread_mutex_unlock(&sqlite->queue_lock);
    pthread_join(sqlite->writer, NULL);
    sqlite_free(sqlite);
}

struct store *
sqlite_store_open(const char *path, struct entropy *entropy)
{
    struct sqlite *sqlite = calloc(1, sizeof *sqlite);

    if (sqlite == NULL) {
        log_err("store: %s: no memory", path);
        return NULL;
    }
    sqlite->store = (struct store){
        .id = sqlite_id,
        .load_all = sqlite_load_all,
        .get = sqlite_get,
        .submit = sqlite_submit,
        .commit_alone = sqlite_commit_alone,
        .next_numbers = sqlite_next_numbers,
        .each_number = sqlite_each_number,
        .guard = sqlite_guard,
        .journal = sqlite_journal,
        .journal_end = sqlite_journal_end,
        .revision = sqlite_revision,
        .backup = sqlite_backup,
        .close = sqlite_close,
    };
    sqlite->last = &sqlite->first;
    sqlite->group_last = 1;
    pthread_mutex_init(&sqlite->queue_lock, NULL);
    pthread_cond_init(&sqlite->queue_filled, NULL);
    pthread_mutex_init(&sqlite->database_lock, NULL);
    sqlite->database = database_open(path, entropy, &sqlite->revision);
    if (sqlite->database == NULL) {
        goto fail;
    }
    if (pthread_create(&sqlite->writer, NULL, sqlite_write, sqlite) != 0) {
        log_err("store: %s: the writer's thread does not start", path);
        goto fail;
    }
    return &sqlite->store;
fail:
    sqlite_free(sqlite);
    return NULL;
}
