/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports are thin: each asks whether its call is the one to fail, then does its work.
 */
#include "lib/outside.h"

#include "core/audit.h"
#include "store/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define LINES_MAX (16u * 1024u * 1024u)

void
lib_does_not_hold(const char *file, int line, const char *claim)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, claim);
    abort();
}

static bool
outside_fails(struct outside *outside, enum outside_call call)
{
    if ((atomic_load(&outside->fail_calls) & call) == 0 ||
        atomic_fetch_sub(&outside->fail_in, 1) != 1) {
        return false;
    }
    atomic_store(&outside->failed, true);
    return true;
}

static _Thread_local struct outside *entered;

void
outside_enter(struct outside *outside)
{
    entered = outside;
}

bool
outside_memory_fails(void)
{
    return entered != NULL && outside_fails(entered, CALL_MEMORY);
}

/* ---- store ---- */

static struct outside *
store_outside(struct store *store)
{
    return ((struct outside_store *)store)->outside;
}

static void
outside_id(struct store *store, uint8_t ret_id[16])
{
    struct store *inner = store_outside(store)->inner;

    inner->id(inner, ret_id);
}

static bool
outside_load_all(struct store *store, store_visit *visit, void *arg)
{
    struct outside *outside = store_outside(store);

    if (outside_fails(outside, CALL_LOAD)) {
        return false;
    }
    return outside->inner->load_all(outside->inner, visit, arg);
}

static bool
outside_get(struct store *store, view key, uint64_t *ret_revision, struct writer *out)
{
    struct outside *outside = store_outside(store);

    return !outside_fails(outside, CALL_LOAD) &&
           outside->inner->get(outside->inner, key, ret_revision, out);
}

static void
ignore_done(void *arg, enum store_result result, uint64_t revision)
{
    UNUSED(arg);
    UNUSED(result);
    UNUSED(revision);
}

static void
outside_submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    struct outside *outside = store_outside(store);

    if (!outside_fails(outside, CALL_SUBMIT)) {
        outside->inner->submit(outside->inner, txn, done, arg);
        return;
    }
    if (atomic_load(&outside->fail_applied)) {
        outside->inner->submit(outside->inner, txn, ignore_done, NULL);
    }
    done(arg, STORE_FAILED, 0);
}

static void
counter_note(struct outside *outside, const char *name, uint64_t next)
{
    pthread_mutex_lock(&outside->lock);
    for (size_t i = 0; i < OUTSIDE_COUNTERS; i++) {
        struct outside_counter *counter = &outside->counters[i];

        if (counter->name[0] == '\0' || strcmp(counter->name, name) == 0) {
            snprintf(counter->name, sizeof counter->name, "%s", name);
            counter->next = next;
            break;
        }
    }
    pthread_mutex_unlock(&outside->lock);
}

static bool
outside_next_numbers(struct store *store, const char *counter, uint32_t count, uint64_t start,
                     uint64_t *ret_first)
{
    struct outside *outside = store_outside(store);

    if (outside_fails(outside, CALL_NUMBERS) ||
        !outside->inner->next_numbers(outside->inner, counter, count, start, ret_first)) {
        return false;
    }
    counter_note(outside, counter, *ret_first + count);
    return true;
}

static bool
outside_guard(struct store *store, const uint8_t key[32])
{
    struct outside *outside = store_outside(store);

    memcpy(outside->guard_key, key, sizeof outside->guard_key);
    return !atomic_load(&outside->spoiled);
}

static void
outside_journal(struct store *store, const struct chain *end, store_entry *entry, void *arg)
{
    struct outside *outside = store_outside(store);

    outside->journal_entry = entry;
    outside->journal_arg = arg;
    outside->inner->journal(outside->inner, end, entry, arg);
}

static void
outside_journal_end(struct store *store, struct chain *ret_end)
{
    struct store *inner = store_outside(store)->inner;

    inner->journal_end(inner, ret_end);
}

static uint64_t
outside_revision(struct store *store)
{
    struct store *inner = store_outside(store)->inner;

    return inner->revision(inner);
}

/* Memory may be short for who is told, too. */
static void
told_change(void *arg, const struct store_event *event)
{
    struct outside *outside = arg;

    outside_enter(outside);
    outside->watcher.change(outside->watcher.arg, event);
    outside_enter(NULL);
}

static void
told_reached(void *arg, uint64_t revision)
{
    struct outside *outside = arg;

    outside->watcher.reached(outside->watcher.arg, revision);
}

static void
told_lost(void *arg)
{
    struct outside *outside = arg;

    outside->watcher.lost(outside->watcher.arg);
}

static bool
outside_watch(struct store *store, uint64_t after, const struct store_watcher *watcher)
{
    struct outside *outside = store_outside(store);
    const struct store_watcher told = { told_change, told_reached, told_lost, outside };

    outside->watcher = *watcher;
    return outside->inner->watch(outside->inner, after, &told);
}

static void
outside_unwatch(struct store *store)
{
    struct store *inner = store_outside(store)->inner;

    inner->unwatch(inner);
}

static void
outside_fence(struct store *store, view key, uint64_t revision)
{
    struct store *inner = store_outside(store)->inner;

    inner->fence(inner, key, revision);
}

static bool
outside_list(struct store *store, store_visit *visit, void *arg, uint64_t *ret_revision)
{
    struct store *inner = store_outside(store)->inner;

    return inner->list(inner, visit, arg, ret_revision);
}

static bool
outside_backup(struct store *store, const char *path)
{
    UNUSED(store);
    UNUSED(path);
    return false;
}

static void
outside_close(struct store *store)
{
    UNUSED(store); /* the test's, not the HSM's */
}

/* ---- clock, entropy, audit ---- */

static uint64_t
outside_wall(struct clock *clock)
{
    return atomic_load(&((struct outside_clock *)clock)->outside->wall);
}

static uint64_t
outside_monotonic(struct clock *clock)
{
    struct outside *outside = ((struct outside_clock *)clock)->outside;

    if (atomic_load(&outside->jump_in) > 0 && atomic_fetch_sub(&outside->jump_in, 1) == 1) {
        outside_move_clock(outside, atomic_exchange(&outside->jump, 0));
    }
    return atomic_load(&outside->monotonic);
}

static bool
outside_fill(struct entropy *entropy, void *bytes, size_t len)
{
    struct outside *outside = ((struct outside_entropy *)entropy)->outside;
    uint8_t *at = bytes;

    if (outside_fails(outside, CALL_ENTROPY)) {
        return false;
    }
    if (atomic_load(&outside->jump_in) == 0) {
        outside_move_clock(outside, atomic_exchange(&outside->jump, 0));
    }
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        LIB_HOLDS(got > 0);
        at += got;
        len -= (size_t)got;
    }
    return true;
}

static bool
outside_reserve(struct audit *audit)
{
    struct outside *outside = ((struct outside_audit *)audit)->outside;

    if (outside_fails(outside, CALL_AUDIT)) {
        return false;
    }
    atomic_fetch_add(&outside->reserved, 1);
    return true;
}

static void
outside_release(struct audit *audit)
{
    struct outside *outside = ((struct outside_audit *)audit)->outside;

    LIB_HOLDS(atomic_fetch_sub(&outside->reserved, 1) > 0);
}

static void
outside_append(struct audit *audit, view bytes)
{
    struct outside *outside = ((struct outside_audit *)audit)->outside;
    struct audit_record record;

    outside_enter(NULL); /* the test's own memory */
    LIB_HOLDS(audit_record_read(bytes, &record));
    pthread_mutex_lock(&outside->lock);
    audit_record_text(&record, &outside->lines);
    write_u8(&outside->lines, '\n');
    outside->line_count++;
    LIB_HOLDS(writer_ok(&outside->lines));
    pthread_mutex_unlock(&outside->lock);
    outside_enter(outside);
    outside_release(audit);
}

/* ---- the test's side ---- */

static void
outside_start(struct outside *outside, struct store *inner)
{
    memset(outside, 0, sizeof *outside);
    outside->store.store = (struct store){
        .id = outside_id,
        .load_all = outside_load_all,
        .get = outside_get,
        .submit = outside_submit,
        .next_numbers = outside_next_numbers,
        .guard = outside_guard,
        .journal = outside_journal,
        .journal_end = outside_journal_end,
        .revision = outside_revision,
        .backup = outside_backup,
        .close = outside_close,
    };
    outside->store.outside = outside;
    outside->clock.clock = (struct clock){ outside_wall, outside_monotonic };
    outside->clock.outside = outside;
    outside->entropy.entropy = (struct entropy){ outside_fill };
    outside->entropy.outside = outside;
    outside->audit.audit = (struct audit){ outside_reserve, outside_append, outside_release };
    outside->audit.outside = outside;
    outside->ports = (struct hsm_ports){ .store = &outside->store.store,
                                         .clock = &outside->clock.clock,
                                         .entropy = &outside->entropy.entropy,
                                         .audit = &outside->audit.audit };
    outside->inner = inner;
    LIB_HOLDS(outside->inner != NULL);
    atomic_store(&outside->wall, OUTSIDE_START_MS);
    atomic_store(&outside->monotonic, 1000);
    pthread_mutex_init(&outside->lock, NULL);
    writer_init(&outside->lines, LINES_MAX);
}

void
outside_init(struct outside *outside)
{
    uint8_t id[16];

    LIB_HOLDS(getrandom(id, sizeof id, 0) == sizeof id);
    outside_start(outside, memory_store_new(id));
}

void
outside_init_share(struct outside *outside, struct outside *from)
{
    outside_start(outside, memory_store_share(from->inner));
}

void
outside_follow(struct outside *outside, const char *node)
{
    outside->store.store.watch = outside_watch;
    outside->store.store.unwatch = outside_unwatch;
    outside->store.store.fence = outside_fence;
    outside->store.store.list = outside_list;
    outside->ports.node = node;
}

static void
store_change(struct store *store, const struct store_change *change)
{
    const struct store_txn txn = { NULL, 0, change, 1, VIEW_EMPTY };
    uint64_t revision;

    LIB_HOLDS(store_commit(store, &txn, &revision) == STORE_OK);
}

static bool
copy_visit(void *arg, view key, view value, uint64_t revision)
{
    const struct store_change change = { key, value, false };

    UNUSED(revision);
    store_change(arg, &change);
    return true;
}

void
outside_init_copy(struct outside *outside, struct outside *from)
{
    uint8_t id[16];
    uint64_t first;

    from->inner->id(from->inner, id);
    outside_start(outside, memory_store_new(id));
    LIB_HOLDS(from->inner->load_all(from->inner, copy_visit, outside->inner));
    for (size_t i = 0; i < OUTSIDE_COUNTERS && from->counters[i].name[0] != '\0'; i++) {
        outside->counters[i] = from->counters[i];
        LIB_HOLDS(outside->inner->next_numbers(outside->inner, from->counters[i].name, 1,
                                               from->counters[i].next - 1, &first));
    }
}

void
outside_clear(struct outside *outside)
{
    LIB_HOLDS(atomic_load(&outside->reserved) == 0);
    outside->inner->close(outside->inner);
    writer_clear(&outside->lines);
    pthread_mutex_destroy(&outside->lock);
}

void
outside_fail(struct outside *outside, unsigned calls, int n)
{
    atomic_store(&outside->failed, false);
    atomic_store(&outside->fail_in, n);
    atomic_store(&outside->fail_calls, calls);
}

bool
outside_mend(struct outside *outside)
{
    atomic_store(&outside->fail_calls, 0);
    atomic_store(&outside->fail_applied, false);
    return atomic_load(&outside->failed);
}

void
outside_move_clock(struct outside *outside, uint64_t ms)
{
    atomic_fetch_add(&outside->wall, ms);
    atomic_fetch_add(&outside->monotonic, ms);
}

void
outside_jump(struct outside *outside, int n, uint64_t ms)
{
    atomic_store(&outside->jump_in, n);
    atomic_store(&outside->jump, ms);
}

void
outside_set_clock(struct outside *outside, uint64_t wall)
{
    atomic_store(&outside->wall, wall);
}

void
outside_put(struct outside *outside, const char *key, view value)
{
    const struct store_change change = { view_str(key), value, value.len == 0 };

    store_change(outside->inner, &change);
}

struct looking {
    const char *text;
    struct writer *out;
    size_t count;
    uint64_t hash;
};

static bool
record_visit(void *arg, view key, view value, uint64_t revision)
{
    struct looking *looking = arg;

    UNUSED(revision);
    if (view_equal(key, view_str(looking->text))) {
        write_raw(looking->out, value);
        looking->count++;
    }
    return true;
}

bool
outside_record(struct outside *outside, const char *key, struct writer *out)
{
    struct looking looking = { .text = key, .out = out };

    LIB_HOLDS(outside->inner->load_all(outside->inner, record_visit, &looking));
    return looking.count == 1;
}

static bool
count_visit(void *arg, view key, view value, uint64_t revision)
{
    struct looking *looking = arg;
    view prefix = view_str(looking->text);

    UNUSED(value);
    UNUSED(revision);
    if (view_equal(view_slice(key, 0, prefix.len), prefix)) {
        looking->count++;
    }
    return true;
}

size_t
outside_count(struct outside *outside, const char *prefix)
{
    struct looking looking = { .text = prefix };

    LIB_HOLDS(outside->inner->load_all(outside->inner, count_visit, &looking));
    return looking.count;
}

static uint64_t
hash_more(uint64_t hash, view bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        hash = (hash ^ bytes.data[i]) * 0x100000001b3u;
    }
    return (hash ^ bytes.len) * 0x100000001b3u;
}

static bool
hash_visit(void *arg, view key, view value, uint64_t revision)
{
    struct looking *looking = arg;

    UNUSED(revision);
    if (strchr(looking->text, key.data[0]) == NULL) {
        looking->hash = hash_more(hash_more(looking->hash, key), value);
    }
    return true;
}

uint64_t
outside_hash(struct outside *outside, const char *but)
{
    struct looking looking = { .text = but, .hash = 0xcbf29ce484222325u };

    LIB_HOLDS(outside->inner->load_all(outside->inner, hash_visit, &looking));
    return looking.hash;
}

size_t
outside_audit_count(struct outside *outside)
{
    size_t count;

    pthread_mutex_lock(&outside->lock);
    count = outside->line_count;
    pthread_mutex_unlock(&outside->lock);
    return count;
}

bool
outside_audit_has(struct outside *outside, const char *text)
{
    bool has;

    pthread_mutex_lock(&outside->lock);
    has = memmem(outside->lines.data, outside->lines.len, text, strlen(text)) != NULL;
    pthread_mutex_unlock(&outside->lock);
    return has;
}

bool
audit_append_text(struct audit *audit, const char *text)
{
    if (!audit->reserve(audit)) {
        return false;
    }
    audit->append(audit, view_str(text));
    return true;
}

void
pause_ms(long ms)
{
    const struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

    nanosleep(&time, NULL);
}

bool
thread_ends_within(pthread_t thread, long ms)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += ms / 1000;
    limit.tv_nsec += ms % 1000 * 1000000;
    limit.tv_sec += limit.tv_nsec / 1000000000;
    limit.tv_nsec %= 1000000000;
    return pthread_timedjoin_np(thread, NULL, &limit) == 0;
}
