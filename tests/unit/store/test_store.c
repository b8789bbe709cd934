/* SPDX-License-Identifier: Apache-2.0
 *
 * The contract of struct store, run on every engine alike. What only a durable engine
 * promises is in test_sqlite.c.
 */
#include "unit/store/etcd_fixture.h"
#include "unit/store/store_fixture.h"

#include "store/etcd.h"

#include <pthread.h>
#include <stdatomic.h>

static struct etcd_member member;

struct engine {
    struct store *(*open)(struct fixture *f);
    int submitters;  /* of a race for one record; each loss costs an engine on the net a round trip */
    bool together;   /* transactions that were submitted at once may share a revision */
};

static struct store *
memory_open(struct fixture *f)
{
    UNUSED(f);
    return memory_store_new((const uint8_t *)"0123456789abcdef");
}

static struct store *
sqlite_open(struct fixture *f)
{
    return sqlite_store_open(f->path, &counting);
}

/* Each test has a prefix of its own. */
static struct store *
etcd_open(struct fixture *f)
{
    const struct etcd_settings settings = {
        .endpoints = member.endpoint,
        .ca = member.ca,
        .certificate = member.certificate,
        .key = member.key,
        .prefix = f->prefix,
    };
    static int count;

    snprintf(f->prefix, sizeof f->prefix, "/test/%d/", ++count);
    return etcd_store_open(&settings, &counting);
}

static const struct engine memory_engine = { memory_open, 64, false };
static const struct engine sqlite_engine = { sqlite_open, 64, false };
static const struct engine etcd_engine = { etcd_open, 8, true };

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->engine = *state;
    fixture_folder(f);
    f->store = f->engine->open(f);
    assert_non_null(f->store);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    f->store->close(f->store);
    fixture_clean(f);
    free(f);
    return 0;
}

static void
new_store_is_empty_at_revision_0(void **state)
{
    struct fixture *f = *state;

    assert_holds(f->store, "");
    assert_int_equal(f->store->revision(f->store), 0);
}

static void
revision_rises_by_one_with_each_transaction(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(put(f->store, "a", "1"), 1);
    assert_int_equal(put(f->store, "b", "2"), 2);
    assert_int_equal(put(f->store, "a", "3"), 3);
    assert_int_equal(f->store->revision(f->store), 3);
    assert_holds(f->store, "a=3@3 b=2@2 ");
}

static void
records_are_loaded_in_the_order_of_keys(void **state)
{
    struct fixture *f = *state;

    put(f->store, "b", "");
    put(f->store, "ab", "");
    put(f->store, "\xff", "");
    put(f->store, "a", "");
    put(f->store, "a\x01", "");

    assert_holds(f->store, "a=@4 a\x01=@5 ab=@2 b=@1 \xff=@3 ");
}

static void
compare_absent_holds_only_for_the_first(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 77;

    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("1"), 0, &revision), STORE_OK);
    assert_int_equal(revision, 1);
    revision = 77;
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 0, &revision), STORE_CONFLICT);

    assert_int_equal(revision, 77);         /* a failed call changes nothing */
    assert_holds(f->store, "a=1@1 ");
    assert_int_equal(f->store->revision(f->store), 1);
}

static void
compare_revision_holds_only_for_the_present_one(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    put(f->store, "x", "1");
    put(f->store, "a", "1");

    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 1, &revision), STORE_CONFLICT);
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 3, &revision), STORE_CONFLICT);
    assert_int_equal(put_if(f->store, "b", VIEW_TEXT("2"), 2, &revision), STORE_CONFLICT);
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 2, &revision), STORE_OK);
    assert_int_equal(revision, 3);
    assert_holds(f->store, "a=2@3 x=1@1 ");
}

static void
compare_absent_holds_after_a_delete(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    put(f->store, "a", "1");
    delete(f->store, "a");

    assert_holds(f->store, "");
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 1, &revision), STORE_CONFLICT);
    assert_int_equal(put_if(f->store, "a", VIEW_TEXT("2"), 0, &revision), STORE_OK);
    assert_int_equal(revision, 3);
}

static void
deleting_what_is_not_there_is_fine(void **state)
{
    struct fixture *f = *state;

    delete(f->store, "a");
    put(f->store, "b", "1");
    delete(f->store, "a");

    assert_holds(f->store, "b=1@2 ");
}

static void
a_record_can_be_got_with_its_revision(void **state)
{
    struct fixture *f = *state;
    uint64_t revision = 9;
    struct writer value;

    writer_init(&value, 16);
    assert_true(f->store->get(f->store, VIEW_TEXT("a"), &revision, &value));
    assert_int_equal(revision, 0);
    put(f->store, "a", "1");
    put(f->store, "b", "");
    put(f->store, "a", "22");
    assert_true(f->store->get(f->store, VIEW_TEXT("a"), &revision, &value));
    assert_int_equal(revision, 3);
    assert_int_equal(value.len, 2);
    assert_memory_equal(value.data, "22", 2);
    assert_true(f->store->get(f->store, VIEW_TEXT("b"), &revision, &value));
    assert_int_equal(revision, 2);
    assert_int_equal(value.len, 2);
    writer_clear(&value);
}

static void
several_changes_happen_together_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    struct store_compare compares[] = { { VIEW_TEXT("a"), 1 }, { VIEW_TEXT("c"), 0 } };
    const struct store_change changes[] = {
        { VIEW_TEXT("a"), VIEW_TEXT("2"), false },
        { VIEW_TEXT("b"), VIEW_EMPTY, true },
        { VIEW_TEXT("c"), VIEW_TEXT("3"), false },
        { VIEW_TEXT("d"), VIEW_TEXT("4"), false },
    };
    const struct store_txn txn = { compares, 2, changes, 4, VIEW_EMPTY };
    uint64_t revision;

    put(f->store, "a", "1");
    put(f->store, "b", "1");
    compares[1].revision = 9;               /* the last compare spoils it */
    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_CONFLICT);
    assert_holds(f->store, "a=1@1 b=1@2 ");

    compares[1].revision = 0;
    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_OK);
    assert_int_equal(revision, 3);
    assert_holds(f->store, "a=2@3 c=3@3 d=4@3 ");
}

static void
last_change_of_a_key_counts(void **state)
{
    struct fixture *f = *state;
    const struct store_change changes[] = {
        { VIEW_TEXT("a"), VIEW_TEXT("1"), false },
        { VIEW_TEXT("a"), VIEW_TEXT("2"), false },
        { VIEW_TEXT("b"), VIEW_TEXT("1"), false },
        { VIEW_TEXT("b"), VIEW_EMPTY, true },
    };
    const struct store_txn txn = { NULL, 0, changes, 4, VIEW_EMPTY };
    uint64_t revision;

    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_OK);

    assert_holds(f->store, "a=2@1 ");
}

static bool
measure(void *arg, view key, view value, uint64_t revision)
{
    size_t *sizes = arg;

    UNUSED(revision);
    sizes[0] = key.len;
    sizes[1] = value.len;
    return value.data[0] == 'v' && value.data[value.len - 1] == 'v';
}

static void
sizes_up_to_the_limits_are_kept_and_larger_refused(void **state)
{
    struct fixture *f = *state;
    char *key = calloc(1, STORE_KEY_MAX + 2);
    uint8_t *value = malloc(STORE_VALUE_MAX + 1);
    uint64_t revision = 0;
    size_t sizes[2] = { 0, 0 };

    memset(value, 'v', STORE_VALUE_MAX + 1);
    assert_int_equal(put_if(f->store, "a", view_of(value, STORE_VALUE_MAX + 1), 0, &revision),
                     STORE_FAILED);
    memset(key, 'k', STORE_KEY_MAX + 1);
    assert_int_equal(put_if(f->store, key, VIEW_TEXT("1"), 0, &revision), STORE_FAILED);
    assert_int_equal(put_if(f->store, "", VIEW_TEXT("1"), 0, &revision), STORE_FAILED);
    key[STORE_KEY_MAX] = '\0';
    assert_holds(f->store, "");

    assert_int_equal(put_if(f->store, key, view_of(value, STORE_VALUE_MAX), 0, &revision),
                     STORE_OK);
    assert_true(f->store->load_all(f->store, measure, sizes));
    assert_int_equal(sizes[0], STORE_KEY_MAX);
    assert_int_equal(sizes[1], STORE_VALUE_MAX);
    free(value);
    free(key);
}

static void
transaction_takes_64_changes_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct store_change changes[STORE_TXN_MAX + 1];
    char keys[STORE_TXN_MAX + 1][8];
    struct store_txn txn = { NULL, 0, changes, STORE_TXN_MAX + 1, VIEW_EMPTY };
    uint64_t revision;

    for (size_t i = 0; i <= STORE_TXN_MAX; i++) {
        snprintf(keys[i], sizeof keys[i], "%02zu", i);
        changes[i] = (struct store_change){ view_str(keys[i]), VIEW_TEXT("x"), false };
    }
    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_FAILED);
    assert_holds(f->store, "");

    txn.change_count = STORE_TXN_MAX;
    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_OK);
    for (size_t i = 0; i < STORE_TXN_MAX; i++) {
        changes[i].delete = true;
    }
    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_OK);
    assert_holds(f->store, "");
}

static bool
stop_at_once(void *arg, view key, view value, uint64_t revision)
{
    UNUSED(key);
    UNUSED(value);
    UNUSED(revision);
    ++*(int *)arg;
    return false;
}

static void
visit_that_stops_the_load_is_told_so(void **state)
{
    struct fixture *f = *state;
    int count = 0;

    put(f->store, "a", "1");
    put(f->store, "b", "1");

    assert_false(f->store->load_all(f->store, stop_at_once, &count));
    assert_int_equal(count, 1);
}

static void
numbers_come_in_blocks_from_the_start(void **state)
{
    struct fixture *f = *state;
    struct store *store = f->store;
    uint64_t first;

    assert_true(store->next_numbers(store, "handle", 1024, 0x40000, &first));
    assert_int_equal(first, 0x40000);
    assert_true(store->next_numbers(store, "handle", 1, 0x40000, &first));
    assert_int_equal(first, 0x40400);
    assert_true(store->next_numbers(store, "user", 1, 1, &first));
    assert_int_equal(first, 1);
    assert_true(store->next_numbers(store, "handle", 1, 0x50000, &first));
    assert_int_equal(first, 0x50000);       /* a later start is obeyed, an earlier one not */
    assert_true(store->next_numbers(store, "handle", 1, 1, &first));
    assert_int_equal(first, 0x50001);
}

static void
numbers_end_before_they_wrap(void **state)
{
    struct fixture *f = *state;
    struct store *store = f->store;
    uint64_t first = 7;

    assert_true(store->next_numbers(store, "n", 1, INT64_MAX - 4, &first));
    assert_false(store->next_numbers(store, "n", 1024, 1, &first));
    assert_int_equal(first, INT64_MAX - 4);
    assert_true(store->next_numbers(store, "n", 2, 1, &first));
}

static void
id_stays_the_same(void **state)
{
    struct fixture *f = *state;
    uint8_t before[16], after[16];

    f->store->id(f->store, before);
    put(f->store, "a", "1");
    f->store->id(f->store, after);

    assert_memory_equal(before, after, sizeof before);
}

#define SUBMITTERS_MAX 64
#define ROUNDS 16

struct race {
    struct store *store;
    _Atomic uint32_t committed;
    _Atomic uint32_t failed;
};

struct find {
    view key;
    uint64_t number;
    uint64_t revision;
};

static bool
find_number(void *arg, view key, view value, uint64_t revision)
{
    struct find *find = arg;

    if (view_equal(find->key, key)) {
        find->number = load_u64(value.data);
        find->revision = revision;
    }
    return true;
}

/* Adds one to the shared record again and again, each time under compare-revision. */
static void *
race_run(void *arg)
{
    struct race *race = arg;

    for (int round = 0; round < ROUNDS;) {
        struct find find = { VIEW_TEXT("shared"), 0, 0 };
        uint8_t value[8];
        uint64_t revision;

        (void)race->store->load_all(race->store, find_number, &find);
        store_u64(value, find.number + 1);

        enum store_result result = put_if(race->store, "shared", view_of(value, sizeof value),
                                          find.revision, &revision);

        if (result == STORE_OK) {
            atomic_fetch_add(&race->committed, 1);
            round++;
        } else if (result == STORE_FAILED) {
            atomic_fetch_add(&race->failed, 1);
            round++;
        }
    }
    return NULL;
}

static void
submitters_at_once_lose_no_update(void **state)
{
    struct fixture *f = *state;
    struct race race = { .store = f->store };
    struct find find = { VIEW_TEXT("shared"), 0, 0 };
    const int submitters = f->engine->submitters;
    const int sum = submitters * ROUNDS;
    pthread_t threads[SUBMITTERS_MAX];

    for (int i = 0; i < submitters; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, &race), 0);
    }
    for (int i = 0; i < submitters; i++) {
        pthread_join(threads[i], NULL);
    }

    assert_int_equal(race.failed, 0);
    assert_int_equal(race.committed, sum);
    assert_true(f->store->load_all(f->store, find_number, &find));
    assert_int_equal(find.number, sum);
    assert_int_equal(find.revision, sum);
    assert_int_equal(f->store->revision(f->store), sum);
}

struct tally {
    _Atomic int ok;
    _Atomic int conflict;
    _Atomic int failed;
    _Atomic uint64_t revisions;
};

static void
tally_done(void *arg, enum store_result result, uint64_t revision)
{
    struct tally *tally = arg;

    if (result == STORE_OK) {
        atomic_fetch_add(&tally->revisions, revision);
    }
    atomic_fetch_add(result == STORE_OK         ? &tally->ok
                     : result == STORE_CONFLICT ? &tally->conflict
                                                : &tally->failed, 1);
}

static void
conflicts_in_a_crowd_spoil_no_other(void **state)
{
    struct fixture *f = *state;
    struct tally tally = { 0, 0, 0, 0 };

    for (int i = 0; i < 64; i++) {
        char key[16];

        /* Every second one wants a record that is there to be absent. */
        snprintf(key, sizeof key, "%02d", i / 2);

        const struct store_compare compare = { view_str(key), 0 };
        const struct store_change change = { view_str(key), VIEW_TEXT("x"), false };
        const struct store_txn txn = { &compare, 1, &change, 1, VIEW_EMPTY };

        f->store->submit(f->store, &txn, tally_done, &tally);
        memset(key, '#', sizeof key);       /* submit has its own copy */
    }
    put(f->store, "z", "");                 /* comes after all of them */

    assert_int_equal(tally.ok, 32);
    assert_int_equal(tally.conflict, 32);
    if (!f->engine->together) {
        assert_int_equal(tally.revisions, 32 * 33 / 2);
        assert_int_equal(f->store->revision(f->store), 33);
    }
}

/* An entry maker without a seal: the key is the number, the value the chain's hash and the entry.
 * Every fifth entry cannot be made. */
static bool
plain_entry(void *arg, struct chain *chain, view journal, struct writer *key, struct writer *value)
{
    int *made = arg;
    char name[16];

    if (++*made % 5 == 0 || !chain_add(chain, journal)) {
        return false;
    }
    snprintf(name, sizeof name, "j/%08u", (unsigned)chain->count);
    write_raw(key, view_str(name));
    write_raw(value, view_of(chain->hash, CHAIN_HASH_LEN));
    write_raw(value, journal);
    return true;
}

static bool
follow(void *arg, view key, view value, uint64_t revision)
{
    struct chain *chain = arg;

    UNUSED(revision);
    if (key.data[0] == 'j') {
        assert_true(chain_add(chain, view_slice(value, CHAIN_HASH_LEN, value.len)));
        assert_memory_equal(chain->hash, value.data, CHAIN_HASH_LEN);
    }
    return true;
}

static void
a_journal_has_an_entry_for_each_that_was_written_and_no_hole(void **state)
{
    struct fixture *f = *state;
    const struct chain none = { .count = 0 };
    struct tally tally = { 0, 0, 0, 0 };
    struct chain end, followed = none;
    int made = 0;

    f->store->journal(f->store, &none, plain_entry, &made);
    for (int i = 0; i < 64; i++) {
        char key[16];

        snprintf(key, sizeof key, "%02d", i / 2);

        const struct store_compare compare = { view_str(key), 0 };
        const struct store_change change = { view_str(key), VIEW_TEXT("x"), false };
        const struct store_txn txn = { &compare, 1, &change, 1, view_str(key) };

        f->store->submit(f->store, &txn, tally_done, &tally);
    }
    put(f->store, "z", "");                 /* comes after all of them, and has no entry */
    f->store->journal_end(f->store, &end);
    assert_true(f->store->load_all(f->store, follow, &followed));

    assert_true(tally.failed > 0 && tally.conflict > 0);
    assert_int_equal(end.count, tally.ok);
    assert_true(chain_equal(&followed, &end));
}

static void
an_entry_before_there_is_a_journal_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct store_change change = { VIEW_TEXT("a"), VIEW_TEXT("1"), false };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_TEXT("an entry") };
    uint64_t revision;

    assert_int_equal(store_commit(f->store, &txn, &revision), STORE_FAILED);
    assert_holds(f->store, "");
}

/* clang-format off */
#define ON(engine, name) \
    { #engine ": " #name, name, setup, teardown, (void *)(uintptr_t)&engine##_engine }

#define CONTRACT(engine) { \
        ON(engine, new_store_is_empty_at_revision_0), \
        ON(engine, revision_rises_by_one_with_each_transaction), \
        ON(engine, records_are_loaded_in_the_order_of_keys), \
        ON(engine, compare_absent_holds_only_for_the_first), \
        ON(engine, compare_revision_holds_only_for_the_present_one), \
        ON(engine, compare_absent_holds_after_a_delete), \
        ON(engine, deleting_what_is_not_there_is_fine), \
        ON(engine, a_record_can_be_got_with_its_revision), \
        ON(engine, several_changes_happen_together_or_not_at_all), \
        ON(engine, last_change_of_a_key_counts), \
        ON(engine, sizes_up_to_the_limits_are_kept_and_larger_refused), \
        ON(engine, transaction_takes_64_changes_and_no_more), \
        ON(engine, visit_that_stops_the_load_is_told_so), \
        ON(engine, numbers_come_in_blocks_from_the_start), \
        ON(engine, numbers_end_before_they_wrap), \
        ON(engine, id_stays_the_same), \
        ON(engine, submitters_at_once_lose_no_update), \
        ON(engine, conflicts_in_a_crowd_spoil_no_other), \
        ON(engine, a_journal_has_an_entry_for_each_that_was_written_and_no_hole), \
        ON(engine, an_entry_before_there_is_a_journal_is_refused), \
    }
/* clang-format on */

int
main(void)
{
    const struct CMUnitTest memory[] = CONTRACT(memory);
    const struct CMUnitTest sqlite[] = CONTRACT(sqlite);
    const struct CMUnitTest etcd[] = CONTRACT(etcd);
    int failed = cmocka_run_group_tests(memory, NULL, NULL) +
                 cmocka_run_group_tests(sqlite, NULL, NULL);

    if (!etcd_installed()) {
        printf("ok - etcd # SKIP it is not installed\n");
        return failed;
    }
    etcd_begin(&member);
    failed += cmocka_run_group_tests(etcd, NULL, NULL);
    etcd_end(&member);
    return failed;
}
