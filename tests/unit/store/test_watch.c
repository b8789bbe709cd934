/* SPDX-License-Identifier: Apache-2.0
 *
 * What a watcher of a store is told, on the engines that several nodes can share.
 */
#include "unit/store/etcd_fixture.h"
#include "unit/store/store_fixture.h"

#include "store/etcd.h"

#include <pthread.h>

#define AWAIT_MS 20000

static struct etcd_member member;

struct engine {
    struct store *(*open)(struct fixture *f, struct store *other);
    void (*lose)(struct fixture *f, struct store *store);
};

/* ---- engines ---- */

static struct store *
memory_open(struct fixture *f, struct store *other)
{
    UNUSED(f);
    return other == NULL ? memory_store_new((const uint8_t *)"0123456789abcdef")
                         : memory_store_share(other);
}

static void
memory_lose(struct fixture *f, struct store *store)
{
    UNUSED(f);
    memory_store_lose(store);
}

static struct store *
etcd_open(struct fixture *f, struct store *other)
{
    const struct etcd_settings settings = {
        .endpoints = member.endpoint,
        .ca = member.ca,
        .certificate = member.certificate,
        .key = member.key,
        .prefix = f->prefix,
    };
    static int count;

    if (other == NULL) {
        snprintf(f->prefix, sizeof f->prefix, "/watch/%d/", ++count);
    }
    return etcd_store_open(&settings, &counting);
}

/* etcd forgets what was before: whoever asks for it is told so. */
static void
etcd_lose(struct fixture *f, struct store *store)
{
    char command[1024];

    UNUSED(f);
    UNUSED(store);
    snprintf(command, sizeof command,
             "export ETCDCTL_API=3; e=\"etcdctl --endpoints %s --cacert %s --cert %s --key %s\"; "
             "r=$($e get x -w json | sed 's/.*\"revision\":\\([0-9]*\\).*/\\1/') && "
             "$e compact $r >/dev/null",
             member.endpoint, member.ca, member.certificate, member.key);
    assert_int_equal(system(command), 0);
}

static const struct engine memory_engine = { memory_open, memory_lose };
static const struct engine etcd_engine = { etcd_open, etcd_lose };

/* ---- who is told ---- */

struct told {
    pthread_mutex_t lock;
    pthread_cond_t more;
    struct writer text; /* under lock, as all below */
    uint64_t reached;
    uint64_t last;
    int lost;
};

static void
on_change(void *arg, const struct store_event *event)
{
    struct told *told = arg;

    pthread_mutex_lock(&told->lock);
    assert_true(event->revision > told->reached && event->revision >= told->last);
    told->last = event->revision;
    append(&told->text, event->key, event->deleted ? VIEW_TEXT("-") : event->value,
           event->revision);
    pthread_mutex_unlock(&told->lock);
}

static void
on_reached(void *arg, uint64_t revision)
{
    struct told *told = arg;

    pthread_mutex_lock(&told->lock);
    told->reached = revision;
    pthread_cond_broadcast(&told->more);
    pthread_mutex_unlock(&told->lock);
}

static void
on_lost(void *arg)
{
    struct told *told = arg;

    pthread_mutex_lock(&told->lock);
    told->lost++;
    pthread_cond_broadcast(&told->more);
    pthread_mutex_unlock(&told->lock);
}

static void
told_begin(struct told *told)
{
    memset(told, 0, sizeof *told);
    pthread_mutex_init(&told->lock, NULL);
    pthread_cond_init(&told->more, NULL);
    writer_init(&told->text, 1 << 16);
}

static void
told_end(struct told *told)
{
    writer_clear(&told->text);
    pthread_cond_destroy(&told->more);
    pthread_mutex_destroy(&told->lock);
}

static struct store_watcher
watcher_of(struct told *told)
{
    return (struct store_watcher){ on_change, on_reached, on_lost, told };
}

/* Waits until all up to that revision was told, and so many were lost. */
static void
told_await(struct told *told, uint64_t revision, int lost)
{
    struct timespec limit;

    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += AWAIT_MS / 1000;
    pthread_mutex_lock(&told->lock);
    while ((told->reached < revision || told->lost < lost) &&
           pthread_cond_timedwait(&told->more, &told->lock, &limit) == 0) {
    }
    assert_true(told->reached >= revision);
    assert_true(told->lost >= lost);
    pthread_mutex_unlock(&told->lock);
}

static void
assert_told(struct told *told, const char *expected)
{
    pthread_mutex_lock(&told->lock);
    write_u8(&told->text, 0);
    assert_string_equal((const char *)told->text.data, expected);
    writer_truncate(&told->text, told->text.len - 1);
    pthread_mutex_unlock(&told->lock);
}

/* ---- the fixture: two handles ---- */

struct pair {
    struct fixture f;
    struct store *one;
    struct store *two;
    struct told told; /* by the second */
};

static int
setup(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);

    pair->f.engine = *state;
    pair->one = pair->f.engine->open(&pair->f, NULL);
    assert_non_null(pair->one);
    pair->two = pair->f.engine->open(&pair->f, pair->one);
    assert_non_null(pair->two);
    told_begin(&pair->told);
    *state = pair;
    return 0;
}

static int
teardown(void **state)
{
    struct pair *pair = *state;

    pair->two->close(pair->two);
    pair->one->close(pair->one);
    told_end(&pair->told);
    free(pair);
    return 0;
}

static void
watch(struct pair *pair, uint64_t after)
{
    const struct store_watcher watcher = watcher_of(&pair->told);

    assert_true(pair->two->watch(pair->two, after, &watcher));
}

/* ---- tests ---- */

static void
changes_of_all_are_told_in_order(void **state)
{
    struct pair *pair = *state;
    const struct store_change changes[] = {
        { VIEW_TEXT("b"), VIEW_TEXT("2"), false },
        { VIEW_TEXT("a"), VIEW_EMPTY, true },
        { VIEW_TEXT("c"), VIEW_EMPTY, false },
    };
    const struct store_txn txn = { NULL, 0, changes, 3, VIEW_EMPTY };
    uint64_t revision;

    watch(pair, 0);
    assert_int_equal(put(pair->one, "a", "1"), 1);
    assert_int_equal(put(pair->two, "a", "own"), 2);
    assert_int_equal(store_commit(pair->one, &txn, &revision), STORE_OK);
    delete(pair->one, "b");
    told_await(&pair->told, 4, 0);
    if (pair->f.engine == &etcd_engine) {
        /* A transaction's changes come in the order of keys or as they were made, who knows. */
        view text = writer_view(&pair->told.text);

        assert_non_null(memmem(text.data, text.len, "a=1@1 a=own@2 ", 14));
        assert_non_null(memmem(text.data, text.len, "b=2@3 ", 6));
        assert_non_null(memmem(text.data, text.len, "a=-@3 ", 6));
        assert_non_null(memmem(text.data, text.len, "c=@3 ", 5));
        assert_non_null(memmem(text.data, text.len, "b=-@4 ", 6));
    } else {
        assert_told(&pair->told, "a=1@1 a=own@2 b=2@3 a=-@3 c=@3 b=-@4 ");
    }
}

static void
what_came_before_is_not_told_and_what_came_after_is(void **state)
{
    struct pair *pair = *state;
    uint64_t after;

    watch(pair, 0);
    put(pair->one, "a", "1");
    after = put(pair->one, "b", "2");
    told_await(&pair->told, after, 0);
    pair->two->unwatch(pair->two);
    put(pair->one, "c", "3");
    assert_told(&pair->told, "a=1@1 b=2@2 ");

    watch(pair, after);
    told_await(&pair->told, 3, 0);
    assert_told(&pair->told, "a=1@1 b=2@2 c=3@3 ");
}

static void
changes_that_cannot_be_told_are_said_to_be_lost(void **state)
{
    struct pair *pair = *state;
    uint64_t revision;

    watch(pair, 0);
    told_await(&pair->told, put(pair->one, "a", "1"), 0);
    pair->two->unwatch(pair->two);
    put(pair->one, "a", "2");
    put(pair->one, "a", "3");
    pair->f.engine->lose(&pair->f, pair->two);
    watch(pair, 1);
    told_await(&pair->told, 3, 1);
    revision = put(pair->one, "b", "1");
    told_await(&pair->told, revision, 1);

    pthread_mutex_lock(&pair->told.lock);
    assert_null(memmem(pair->told.text.data, pair->told.text.len, "a=2@", 4));
    assert_non_null(memmem(pair->told.text.data, pair->told.text.len, "b=1@", 4));
    pthread_mutex_unlock(&pair->told.lock);
}

static void
a_list_has_keys_and_revisions(void **state)
{
    struct pair *pair = *state;
    struct writer w;
    uint64_t revision = 0;

    put(pair->one, "b", "1");
    put(pair->one, "a", "2");
    writer_init(&w, 1 << 10);
    assert_true(pair->two->list(pair->two, append, &w, &revision));
    write_u8(&w, 0);
    assert_string_equal((const char *)w.data, "a=@2 b=@1 ");
    assert_true(revision >= 2);
    writer_clear(&w);
}

static bool
count_number(void *arg, view counter, uint64_t next)
{
    char text[64];

    snprintf(text, sizeof text, "%.*s=%llu ", (int)counter.len, (const char *)counter.data,
             (unsigned long long)next);
    write_raw(arg, view_str(text));
    return true;
}

static enum store_result
put_try(struct store *store, const char *key)
{
    const struct store_change change = { view_str(key), VIEW_TEXT("x"), false };
    const struct store_txn txn = { .changes = &change, .change_count = 1 };
    uint64_t revision = 0;

    return store_commit(store, &txn, &revision);
}

static void
nothing_is_written_behind_a_fence_that_moved(void **state)
{
    struct pair *pair = *state;
    struct store *one = pair->one, *two = pair->two;
    uint64_t revision = put(one, "fence", "a");

    two->fence(two, VIEW_TEXT("fence"), revision);
    assert_int_equal(put_try(two, "a"), STORE_OK);
    assert_int_equal(put_try(one, "fence"), STORE_OK);
    assert_int_equal(put_try(two, "b"), STORE_CONFLICT);
    assert_int_equal(put_try(two, "a"), STORE_CONFLICT);
    assert_int_equal(put_try(one, "b"), STORE_OK); /* it is the other handle's */
    two->fence(two, VIEW_EMPTY, 0);
    assert_int_equal(put_try(two, "c"), STORE_OK);
}

static void
counters_are_told_with_their_next_number(void **state)
{
    struct pair *pair = *state;
    struct writer w;
    uint64_t first;

    assert_true(pair->one->next_numbers(pair->one, "handle", 10, 5, &first));
    assert_true(pair->two->next_numbers(pair->two, "handle", 10, 5, &first));
    assert_true(pair->one->next_numbers(pair->one, "user", 1, 3, &first));
    writer_init(&w, 1 << 10);
    assert_true(pair->two->each_number(pair->two, count_number, &w));
    write_u8(&w, 0);
    assert_string_equal((const char *)w.data, "handle=25 user=4 ");
    writer_clear(&w);
}

/* ---- etcd alone ---- */

static void
a_watch_outlives_its_etcd(void **state)
{
    struct pair *pair = *state;
    char expected[256] = "";
    uint64_t revision = 0;

    watch(pair, 0);
    for (int i = 0; i < 3; i++) {
        char text[32];

        revision = put(pair->one, "a", "x");
        snprintf(text, sizeof text, "a=x@%d ", (int)revision);
        strcat(expected, text);
        etcd_stop(&member);
        etcd_run(&member);
        etcd_await(&member);
        revision = put(pair->one, "b", "y");
        snprintf(text, sizeof text, "b=y@%d ", (int)revision);
        strcat(expected, text);
    }
    told_await(&pair->told, revision, 0);
    assert_told(&pair->told, expected);     /* each once, none is missing */
}

/* clang-format off */
#define ON(engine, name) \
    { #engine ": " #name, name, setup, teardown, (void *)(uintptr_t)&engine##_engine }

#define CONTRACT(engine) \
        ON(engine, changes_of_all_are_told_in_order), \
        ON(engine, what_came_before_is_not_told_and_what_came_after_is), \
        ON(engine, changes_that_cannot_be_told_are_said_to_be_lost), \
        ON(engine, a_list_has_keys_and_revisions), \
        ON(engine, nothing_is_written_behind_a_fence_that_moved), \
        ON(engine, counters_are_told_with_their_next_number)
/* clang-format on */

int
main(void)
{
    const struct CMUnitTest memory[] = { CONTRACT(memory) };
    const struct CMUnitTest etcd[] = { CONTRACT(etcd), ON(etcd, a_watch_outlives_its_etcd) };
    int failed = cmocka_run_group_tests(memory, NULL, NULL);

    if (!etcd_installed()) {
        printf("ok - etcd # SKIP it is not installed\n");
        return failed;
    }
    etcd_begin(&member);
    failed += cmocka_run_group_tests(etcd, NULL, NULL);
    etcd_end(&member);
    return failed;
}
