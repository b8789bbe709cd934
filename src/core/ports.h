/* SPDX-License-Identifier: Apache-2.0
 *
 * Ports: the outside world of the HSM, handed in as four small tables of functions. Tests
 * replace them to make the n-th call fail.
 */
#ifndef CORE_PORTS_H
#define CORE_PORTS_H

#include "base/bytes.h"
#include "core/chain.h"
#include "rules/rules.h"

/* Milliseconds. wall: since 1970, for records and expiry. monotonic: never goes back. */
struct clock {
    uint64_t (*wall)(struct clock *clock);
    uint64_t (*monotonic)(struct clock *clock);
};

struct entropy {
    /* len random bytes; false when there are none. */
    bool (*fill)(struct entropy *entropy, void *bytes, size_t len);
};

/*
 * The audit trail. Room for a record (core/audit.h) is reserved before an act and filled after
 * it, so that an act that could not be recorded is not begun.
 */
struct audit {
    /* Never waits. False: no more can be recorded now. */
    bool (*reserve)(struct audit *audit);
    /* Uses up one reservation; the record is copied and is in the trail within moments. */
    void (*append)(struct audit *audit, view record);
    /* Gives one reservation back. */
    void (*release)(struct audit *audit);
};

/*
 * The store: keys to opaque values, each with the revision of the transaction that wrote it.
 * Revisions rise by one with each transaction and never go back. Acknowledged is durable.
 */
enum store_result {
    STORE_OK,
    STORE_CONFLICT, /* a compare did not hold; nothing was written */
    STORE_FAILED,   /* not written, as far as the store can tell; logged with its own text */
    STORE_UNKNOWN   /* no answer within the limit of store_commit(): written, or will be, or not */
};

#define STORE_KEY_MAX 256u
#define STORE_VALUE_MAX (512u * 1024u)
#define STORE_TXN_MAX 64u /* compares of a transaction, and changes, but for a journal entry */

struct store_compare {
    view key;
    uint64_t revision; /* the record's present revision; 0: there is no such record */
};

struct store_change {
    view key;
    view value;
    bool delete;
};

struct store_txn {
    const struct store_compare *compares;
    size_t compare_count;
    const struct store_change *changes;
    size_t change_count;
    view journal; /* at most CHAIN_RECORD_MAX bytes for the journal; empty: none */
};

/*
 * Makes the store's record of a journal entry: moves the chain over it, and appends key and
 * value. The engine calls it when the transaction's compares have held, one at a time in the
 * order of revisions; a transaction that fails afterwards leaves the chain as it was. It must not
 * call the store.
 */
typedef bool store_entry(void *arg, struct chain *chain, view journal, struct writer *key,
                         struct writer *value);

/* A change that was committed, by whoever has this store open. */
struct store_event {
    view key;
    view value;
    bool deleted;
    uint64_t revision;
};

/* Who wants to hear of changes. Called on a thread of the engine, one call at a time. */
struct store_watcher {
    /* In the order of revisions, all of one revision before the next. */
    void (*change)(void *arg, const struct store_event *event);
    /* All changes up to that revision have been told. */
    void (*reached)(void *arg, uint64_t revision);
    /* Some cannot be told any more: what is in the store has to be looked at instead. It goes on
     * with those that come after this call began. */
    void (*lost)(void *arg);
    void *arg;
};

/* May be called on any thread, before or after submit() returns. */
typedef void store_done(void *arg, enum store_result result, uint64_t revision);
/* Return false to stop. */
typedef bool store_visit(void *arg, view key, view value, uint64_t revision);
typedef bool store_count(void *arg, view counter, uint64_t next);

struct store {
    /* 16 bytes that name this store for ever, drawn when it was made. */
    void (*id)(struct store *store, uint8_t ret_id[16]);
    /* Every record, in the order of keys. False when reading failed or visit stopped it. */
    bool (*load_all)(struct store *store, store_visit *visit, void *arg);
    /* The revision of a record (0: there is none); its value is appended to out. False when reading
     * failed, or the store was busy for a second. */
    bool (*get)(struct store *store, view key, uint64_t *ret_revision, struct writer *out);
    /* All or nothing; what txn points at is copied before submit returns. */
    void (*submit)(struct store *store, const struct store_txn *txn, store_done *done, void *arg);
    /* For who waits anyway, and nobody of whom waits without a limit: when nobody else writes, and
     * nobody did the last time, on this thread, which takes as long as the disk. False: it is not
     * done; submit it. NULL: never. */
    bool (*commit_alone)(struct store *store, const struct store_txn *txn,
                         enum store_result *ret_result, uint64_t *ret_revision);
    /* A block of numbers never given before, also after a crash: *ret_first .. +count-1. */
    bool (*next_numbers)(struct store *store, const char *counter, uint32_t count,
                         uint64_t start, uint64_t *ret_first);
    /* The counters that numbers were taken of, each with the next one. NULL
     * where there is no backup. */
    bool (*each_number)(struct store *store, store_count *count, void *arg);
    /* Keeps a keyed hash over all records from now on, where the engine has one (else NULL).
     * Called once, before the first transaction. False: these are not the records that were
     * left, which was logged. */
    bool (*guard)(struct store *store, const uint8_t key[32]);
    /* Transactions may have journal entries from now on; end is that of those that are there.
     * Called before the first of them, and once more without an entry: then there is nobody who
     * makes them any more, those that have one fail, and none is under way when it comes back. */
    void (*journal)(struct store *store, const struct chain *end, store_entry *entry, void *arg);
    /* The chain's end with the last transaction that was acknowledged. */
    void (*journal_end)(struct store *store, struct chain *ret_end);
    /* The revision of the last transaction. */
    uint64_t (*revision)(struct store *store);
    /* Tells of the changes after that revision, until unwatch(), which waits for a call that is
     * under way. One watcher at a time. Both NULL where nobody else writes. False: logged. */
    bool (*watch)(struct store *store, uint64_t after, const struct store_watcher *watcher);
    void (*unwatch)(struct store *store);
    /* From now on transactions of this handle are done only while that record is at this revision,
     * else they are STORE_CONFLICT; an empty key: whatever there is. NULL where watch is. */
    void (*fence)(struct store *store, view key, uint64_t revision);
    /* As load_all() with empty values; *ret_revision is the one at which this is what there is.
     * NULL where watch is. */
    bool (*list)(struct store *store, store_visit *visit, void *arg, uint64_t *ret_revision);
    /* A consistent copy into a file that does not exist yet. */
    bool (*backup)(struct store *store, const char *path);
    void (*close)(struct store *store);
};

/*
 * Submits and waits for the end, at most STORE_WAIT_MS. What the store calls a
 * failure is looked at once more, as a commit may have reached the disk and failed after that: when
 * the first value of the transaction is found there as it was to be written (a sealed one is like
 * no other), it is STORE_OK.
 */
/* In a cluster a write has 15 s: a daemon gives it to up to three nodes, for one that does not
 * reach the store must not have them all. */
#define STORE_WAIT_MS 5000u
MUST_USE enum store_result store_commit(struct store *store, const struct store_txn *txn,
                                        uint64_t *ret_revision);
/* The same for who may be kept as long as the disk takes: alone, where that can be. */
MUST_USE enum store_result store_commit_alone(struct store *store, const struct store_txn *txn,
                                              uint64_t *ret_revision);

/*
 * As one of these two. With STORE_UNKNOWN *ret_late, which may be NULL, is the transaction with its
 * changes, whose end can be asked for; untouched where memory is short. Free it at any time.
 */
struct store_late;
MUST_USE enum store_result store_commit_late(struct store *store, const struct store_txn *txn,
                                             bool alone, uint64_t *ret_revision,
                                             struct store_late **ret_late);
/* Is it known what became of it? */
MUST_USE bool store_late_ended(struct store_late *late, enum store_result *ret_result,
                               uint64_t *ret_revision);
/* Valid with late. */
const struct store_change *store_late_changes(const struct store_late *late, size_t *ret_count);
void store_late_free(struct store_late *late);

/*
 * Backups, as the edge keeps them: one that was made and one that is coming in, both gone with the
 * process. All may wait for the store and the disk. CKR_DEVICE_ERROR: logged.
 */
struct backups {
    /* Seals all of the store (core/archive.h) to the owners; it takes the place of one made
     * before. What is named is told in its header. */
    CK_RV (*make)(struct backups *backups, const uint8_t store_id[16], const char *serial,
                  const char *label, uint64_t *ret_size);
    /* At most max bytes from offset on, appended to out; none are behind its end. */
    CK_RV (*read)(struct backups *backups, uint64_t offset, size_t max, struct writer *out);
    /* The next bytes of one that comes in; offset 0 begins it. CKR_ARGUMENTS_BAD: they are not
     * the next, CKR_DEVICE_MEMORY: it is too large. */
    CK_RV (*take)(struct backups *backups, uint64_t offset, view bytes);
    /* Checks all of what came in, and only then arranges that this partition ends, and begins
     * anew as that one. CODE_BAD_BACKUP. */
    CK_RV (*restore)(struct backups *backups, view key);
};

/* Who can end the partition, when the requests that are there are answered, and open it again. */
struct renewal {
    /* From any thread; comes back at once. */
    void (*again)(struct renewal *renewal);
};

/* Who wants to know how long the store takes. */
struct stopwatch {
    uint64_t (*start)(struct stopwatch *watch);
    /* What start() gave. */
    void (*stop)(struct stopwatch *watch, uint64_t started, bool good);
};

struct hsm_ports {
    struct store *store;
    struct clock *clock;
    struct entropy *entropy;
    struct audit *audit;
    struct backups *backups; /* NULL: there is no such thing here */
    const char *node;        /* the serial of this node, where several share the store; NULL: the
                                partition's own. At most 16 letters and digits. */
    uint32_t release;        /* that this node is of; 0: frame_version */
    struct stopwatch *watch; /* NULL: nobody; see hsm_set_watch() */
};

#endif
