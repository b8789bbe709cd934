/* SPDX-License-Identifier: Apache-2.0
 *
 * What the store on etcd promises beyond the contract: each transaction happens once, also when
 * its answer is lost; nodes see each other; an etcd that is away, foreign or set back is told
 * from one that works.
 */
#include "unit/store/etcd_fixture.h"
#include "unit/store/store_fixture.h"

#include "store/etcd.h"
#include "store/etcd_place.h"
#include "store/etcd_restore.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

static struct etcd_member member;

/* ---- a link between store and etcd that loses answers ---- */

struct link {
    int listener;
    unsigned upstream;
    char endpoint[64];
    pthread_t thread;
    atomic_bool stop;
    atomic_int lose;   /* answers still to be lost: what comes back is dropped, and the link cut */
    atomic_int lost;
    atomic_bool hold;  /* nothing is carried, as when etcd is stopped */
};

static int
loopback(unsigned port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

struct pipe_ends {
    struct link *link;
    int near, far;
};

static bool
carry(int from, int to)
{
    char bytes[16384];
    ssize_t got = read(from, bytes, sizeof bytes);

    return got > 0 && write(to, bytes, (size_t)got) == got;
}

/* One connection. A loss begins with the next request after it was ordered: it goes through to
 * etcd, and when the answer comes both ends are closed. */
static void *
pipe_run(void *arg)
{
    struct pipe_ends *ends = arg;
    struct link *link = ends->link;
    struct pollfd fds[2] = { { ends->near, POLLIN, 0 }, { ends->far, POLLIN, 0 } };
    bool asked = false, going = true;

    while (going && !atomic_load(&link->stop)) {
        if (atomic_load(&link->hold)) {
            usleep(20000);
            continue;
        }
        if (poll(fds, 2, 20) <= 0) {
            continue;
        }
        if (fds[0].revents != 0) {
            asked = atomic_load(&link->lose) > 0;
            going = carry(ends->near, ends->far);
        }
        if (going && fds[1].revents != 0) {
            if (asked) {
                /* Long enough for etcd to have carried it out. */
                usleep(20000);
                atomic_fetch_sub(&link->lose, 1);
                atomic_fetch_add(&link->lost, 1);
                break;
            }
            going = carry(ends->far, ends->near);
        }
    }
    close(ends->near);
    close(ends->far);
    free(ends);
    return NULL;
}

static void *
link_run(void *arg)
{
    struct link *link = arg;
    pthread_t pipes[256];
    size_t count = 0;

    while (!atomic_load(&link->stop)) {
        struct pollfd fd = { link->listener, POLLIN, 0 };

        if (poll(&fd, 1, 20) > 0 && count < ARRAY_COUNT(pipes)) {
            struct pipe_ends *ends = malloc(sizeof *ends);

            ends->link = link;
            ends->near = accept(link->listener, NULL, NULL);
            ends->far = loopback(link->upstream);
            pthread_create(&pipes[count++], NULL, pipe_run, ends);
        }
    }
    for (size_t i = 0; i < count; i++) {
        pthread_join(pipes[i], NULL);
    }
    return NULL;
}

static void
link_begin(struct link *link)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;

    memset(link, 0, sizeof *link);
    link->upstream = (unsigned)atoi(strrchr(member.endpoint, ':') + 1);
    link->listener = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(link->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(link->listener, 16), 0);
    assert_int_equal(getsockname(link->listener, (struct sockaddr *)&address, &len), 0);
    snprintf(link->endpoint, sizeof link->endpoint, "https://127.0.0.1:%u",
             ntohs(address.sin_port));
    assert_int_equal(pthread_create(&link->thread, NULL, link_run, link), 0);
}

static void
link_end(struct link *link)
{
    atomic_store(&link->stop, true);
    pthread_join(link->thread, NULL);
    close(link->listener);
}

/* ---- stores ---- */

static struct store *
open_at(const char *endpoints, const char *prefix)
{
    const struct etcd_settings settings = {
        .endpoints = endpoints,
        .ca = member.ca,
        .certificate = member.certificate,
        .key = member.key,
        .prefix = prefix,
    };

    return etcd_store_open(&settings, &counting);
}

static void
a_transaction_whose_answer_was_lost_happened_once(void **state)
{
    struct link link;
    struct store *store;
    char value[8];

    UNUSED(state);
    link_begin(&link);
    store = open_at(link.endpoint, "/lost/");
    assert_non_null(store);
    for (unsigned i = 1; i <= 20; i++) {
        snprintf(value, sizeof value, "%u", i);
        atomic_store(&link.lose, (int)(i % 3));
        /* Without a compare of its own: a second one would be seen in the revision alone. */
        assert_int_equal(put(store, "a", value), i);
        atomic_store(&link.lose, 0);
    }
    assert_true(atomic_load(&link.lost) >= 15);
    assert_int_equal(store->revision(store), 20);
    assert_holds(store, "a=20@20 ");
    store->close(store);
    link_end(&link);
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* It takes connections as before, and is silent. How long a write takes then. */
static uint64_t
write_beside_a_stopped_member(const char *prefix)
{
    struct link link;
    struct store *store;
    char endpoints[200];
    uint64_t took;

    link_begin(&link);
    snprintf(endpoints, sizeof endpoints, "%s,%s", link.endpoint, member.endpoint);
    store = open_at(endpoints, prefix);
    assert_non_null(store);
    assert_int_equal(put(store, "a", "1"), 1);
    atomic_store(&link.hold, true);
    took = now_ms();
    assert_int_equal(put(store, "a", "2"), 2);
    took = now_ms() - took;
    atomic_store(&link.hold, false);
    assert_holds(store, "a=2@2 ");
    store->close(store);
    link_end(&link);
    return took;
}

/* On a busy machine more than once: what is usual there takes its time, too. */
static void
a_member_that_is_stopped_is_not_waited_for_long(void **state)
{
    uint64_t took = UINT64_MAX;

    UNUSED(state);
    for (unsigned i = 0; i < 5 && took >= ETCD_ATTEMPT_MS; i++) {
        char prefix[40];

        snprintf(prefix, sizeof prefix, "/stopped%u/", i);
        took = write_beside_a_stopped_member(prefix);
    }
    assert_in_range(took, 0, ETCD_ATTEMPT_MS - 1);
}

static void
a_block_of_numbers_is_never_given_twice_when_answers_are_lost(void **state)
{
    struct link link;
    struct store *store;
    uint64_t first, before = 0;

    UNUSED(state);
    link_begin(&link);
    store = open_at(link.endpoint, "/numbers/");
    assert_non_null(store);
    for (int i = 0; i < 8; i++) {
        atomic_store(&link.lose, i % 3);
        assert_true(store->next_numbers(store, "n", 10, 1, &first));
        assert_true(first >= before + (before == 0 ? 1 : 10));
        before = first;
        atomic_store(&link.lose, 0);
    }
    store->close(store);
    link_end(&link);
}

static void
two_nodes_have_one_store(void **state)
{
    struct store *one = open_at(member.endpoint, "/two/");
    struct store *two = open_at(member.endpoint, "/two/");
    uint8_t id_one[16], id_two[16];
    uint64_t revision, first;

    UNUSED(state);
    assert_non_null(one);
    assert_non_null(two);
    one->id(one, id_one);
    two->id(two, id_two);
    assert_memory_equal(id_one, id_two, sizeof id_one);

    revision = put(one, "a", "1");
    assert_int_equal(put_if(two, "a", VIEW_TEXT("2"), 0, &revision), STORE_CONFLICT);
    assert_int_equal(put_if(two, "a", VIEW_TEXT("2"), revision, &revision), STORE_OK);
    assert_int_equal(put_if(one, "a", VIEW_TEXT("3"), 1, &revision), STORE_CONFLICT);
    assert_holds(one, "a=2@2 ");
    assert_true(one->next_numbers(one, "n", 10, 1, &first));
    assert_true(two->next_numbers(two, "n", 10, 1, &first));
    assert_int_equal(first, 11);
    one->close(one);
    two->close(two);
}

static void
what_was_acknowledged_is_there_after_etcd_was_killed(void **state)
{
    struct store *store = open_at(member.endpoint, "/killed/");
    char name[32];

    UNUSED(state);
    assert_non_null(store);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "%d.%02d", round, i);
            put(store, name, "x");
        }
        etcd_stop(&member);
        etcd_run(&member);
    }
    /* It comes back within the time that a transaction waits. */
    put(store, "z", "x");
    assert_int_equal(store->revision(store), 61);
    store->close(store);
    store = open_at(member.endpoint, "/killed/");
    assert_non_null(store);
    assert_int_equal(put(store, "z", "y"), 63);     /* the mark of the first was removed */
    store->close(store);
}

static void
an_etcd_that_is_away_is_a_failure_within_the_limit(void **state)
{
    struct store *store = open_at(member.endpoint, "/away/");
    const struct store_change change = { VIEW_TEXT("a"), VIEW_TEXT("1"), false };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };
    struct writer value;
    uint64_t revision;

    UNUSED(state);
    assert_non_null(store);
    etcd_stop(&member);
    assert_int_equal(store_commit(store, &txn, &revision), STORE_FAILED);
    writer_init(&value, 16);
    assert_false(store->get(store, VIEW_TEXT("a"), &revision, &value));
    assert_false(store->next_numbers(store, "n", 1, 1, &revision));
    writer_clear(&value);
    etcd_run(&member);
    while (store_commit(store, &txn, &revision) != STORE_OK) {
    }
    assert_holds(store, "a=1@1 ");
    store->close(store);
}

static void
of_several_endpoints_one_that_works_is_found(void **state)
{
    char endpoints[160];
    struct store *store;

    UNUSED(state);
    snprintf(endpoints, sizeof endpoints, "https://127.0.0.1:1,%s,https://127.0.0.1:2",
             member.endpoint);
    store = open_at(endpoints, "/several/");
    assert_non_null(store);
    assert_int_equal(put(store, "a", "1"), 1);
    store->close(store);
}

static void
a_load_of_many_pages_has_each_record_once(void **state)
{
    struct store *store = open_at(member.endpoint, "/pages/");
    char names[STORE_TXN_MAX][8];
    struct store_change changes[STORE_TXN_MAX];
    const struct store_txn txn = { NULL, 0, changes, STORE_TXN_MAX, VIEW_EMPTY };
    uint64_t revision;
    struct writer w;

    UNUSED(state);
    assert_non_null(store);
    for (int i = 0; i < 40; i++) {
        for (size_t k = 0; k < STORE_TXN_MAX; k++) {
            snprintf(names[k], sizeof names[k], "%05zu", (size_t)i * STORE_TXN_MAX + k);
            changes[k] = (struct store_change){ view_str(names[k]), VIEW_EMPTY, false };
        }
        assert_int_equal(store_commit(store, &txn, &revision), STORE_OK);
    }
    writer_init(&w, 1 << 20);
    assert_true(store->load_all(store, append, &w));
    write_u8(&w, 0);
    for (size_t i = 0, at = 0; i < 40 * STORE_TXN_MAX; i++) {
        char expected[32];
        int len = snprintf(expected, sizeof expected, "%05zu=@%zu ", i, i / STORE_TXN_MAX + 1);

        assert_memory_equal(w.data + at, expected, (size_t)len);
        at += (size_t)len;
    }
    writer_clear(&w);
    store->close(store);
}

static void
what_is_no_store_is_refused(void **state)
{
    struct store *store = open_at(member.endpoint, "/outer/inner/");
    const struct etcd_settings stranger = {
        .endpoints = member.endpoint, .ca = member.ca, .prefix = "/several/", .open_ms = 100
    };

    UNUSED(state);
    assert_non_null(store);
    store->close(store);
    assert_null(open_at(member.endpoint, "/outer/"));
    assert_null(open_at(member.endpoint, "no slash at the end"));
    assert_null(open_at("http://127.0.0.1:2379", "/a/"));
    assert_null(open_at("", "/a/"));
    assert_null(etcd_store_open(&stranger, &counting));     /* shows no certificate */
}

/* A snapshot of before is put back behind the node's back. */
static void
an_etcd_that_was_set_back_is_refused_until_the_next_start(void **state)
{
    struct store *store = open_at(member.endpoint, "/back/");
    const struct store_change change = { VIEW_TEXT("a"), VIEW_TEXT("1"), false };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_EMPTY };
    char command[512];
    uint64_t revision;

    UNUSED(state);
    assert_non_null(store);
    put(store, "a", "0");
    etcd_stop(&member);
    snprintf(command, sizeof command, "cp -r '%s/data' '%s/old'", member.folder, member.folder);
    assert_int_equal(system(command), 0);
    etcd_run(&member);
    etcd_await(&member);
    for (int i = 0; i < 3; i++) {
        put(store, "b", "1");
    }
    etcd_stop(&member);
    snprintf(command, sizeof command, "rm -rf '%s/data' && mv '%s/old' '%s/data'", member.folder,
             member.folder, member.folder);
    assert_int_equal(system(command), 0);
    etcd_run(&member);
    etcd_await(&member);
    for (int i = 0; i < 8; i++) {           /* also when its revision is higher again */
        assert_int_equal(store_commit(store, &txn, &revision), STORE_FAILED);
    }
    store->close(store);
    store = open_at(member.endpoint, "/back/");
    assert_non_null(store);
    assert_int_equal(store_commit(store, &txn, &revision), STORE_OK);
    store->close(store);
}

/* ---- a backup from another engine ---- */

struct failing {
    store_visit *visit;
    void *arg;
    int left; /* visits that go well */
};

static bool
failing_visit(void *arg, view key, view value, uint64_t revision)
{
    struct failing *failing = arg;

    return failing->left-- > 0 && failing->visit(failing->arg, key, value, revision);
}

static bool (*whole_load)(struct store *store, store_visit *visit, void *arg);

static bool
cut_load(struct store *store, store_visit *visit, void *arg)
{
    struct failing failing = { visit, arg, 100 };

    return whole_load(store, failing_visit, &failing);
}

static bool
collect(void *arg, view key, view value, uint64_t revision)
{
    struct writer *w = arg;

    assert_true(revision > 0);
    write_raw(w, key);
    write_u8(w, '=');
    write_raw(w, value);
    write_u8(w, ' ');
    return true;
}

static void
records_of_another_store_take_the_place_of_what_is_there(void **state)
{
    const struct etcd_settings settings = { .endpoints = member.endpoint, .ca = member.ca,
                                            .certificate = member.certificate, .key = member.key,
                                            .prefix = "/restored/", .open_ms = 3000 };
    const uint8_t id[16] = "sixteen bytes..";
    struct store *from = memory_store_new(id), *store;
    struct writer expected, got;
    uint8_t there[16];
    uint64_t first = 0;
    char key[32];

    UNUSED(state);
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "o/%08x", (unsigned)i);
        (void)put(from, key, "new");
    }
    assert_true(from->next_numbers(from, "handle", 1024, 0x40000, &first));
    writer_init(&expected, 1 << 16);
    writer_init(&got, 1 << 16);
    assert_true(from->load_all(from, collect, &expected));
    (void)put(from, "h/00000001", "a node of before");
    (void)put(from, "l/a", "its beat");
    store = etcd_store_open(&settings, &counting);
    (void)put(store, "o/00000001", "old");
    (void)put(store, "u/00000001", "old");
    store->close(store);

    /* Cut short: nobody opens half of it. */
    whole_load = from->load_all;
    from->load_all = cut_load;
    assert_false(etcd_restore(&settings, &counting, from));
    assert_null(etcd_store_open(&settings, &counting));

    from->load_all = whole_load;
    assert_true(etcd_restore(&settings, &counting, from));
    store = etcd_store_open(&settings, &counting);
    assert_non_null(store);
    store->id(store, there);
    assert_memory_equal(there, id, sizeof id);
    assert_true(store->load_all(store, collect, &got));
    assert_int_equal(got.len, expected.len);
    assert_memory_equal(got.data, expected.data, got.len);
    assert_true(store->next_numbers(store, "handle", 1, 0x40000, &first));
    assert_int_equal(first, 0x40000 + 1024);
    writer_clear(&got);
    writer_clear(&expected);
    store->close(store);
    from->close(from);
}

/* Of two that restore the second one goes on, and what the first one had under way is not taken. */
static void
a_restore_that_began_anew_takes_nothing_of_the_one_before(void **state)
{
    const uint8_t id[16] = "sixteen bytes..";
    struct etcd_settings settings = { .endpoints = member.endpoint, .ca = member.ca,
                                      .certificate = member.certificate, .key = member.key,
                                      .prefix = "/twice/", .open_ms = 3000, .restores = id };
    const struct store_change removal = { VIEW_TEXT("o/00000001"), VIEW_EMPTY, true };
    const struct store_txn late = { .changes = &removal, .change_count = 1 };
    struct store *first = etcd_store_open(&settings, &counting), *second, *store;
    struct writer value;
    uint64_t revision;

    UNUSED(state);
    assert_non_null(first);
    (void)put(first, "o/00000001", "first");
    second = etcd_store_open(&settings, &counting);
    assert_non_null(second);
    (void)put(second, "o/00000001", "second");
    assert_true(store_commit(first, &late, &revision) != STORE_OK);
    assert_false(etcd_store_restored(first));
    first->close(first);
    settings.restores = NULL;
    assert_null(etcd_store_open(&settings, &counting));
    (void)put(second, "o/00000002", "second");
    assert_true(etcd_store_restored(second));
    assert_true(etcd_store_restored(second)); /* as when the first answer is lost */
    second->close(second);

    store = etcd_store_open(&settings, &counting);
    assert_non_null(store);
    writer_init(&value, 64);
    assert_true(store->get(store, VIEW_TEXT("o/00000001"), &revision, &value));
    assert_int_equal(value.len, strlen("second"));
    assert_memory_equal(value.data, "second", value.len);
    writer_clear(&value);
    store->close(store);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_transaction_whose_answer_was_lost_happened_once),
        cmocka_unit_test(a_member_that_is_stopped_is_not_waited_for_long),
        cmocka_unit_test(a_block_of_numbers_is_never_given_twice_when_answers_are_lost),
        cmocka_unit_test(two_nodes_have_one_store),
        cmocka_unit_test(what_was_acknowledged_is_there_after_etcd_was_killed),
        cmocka_unit_test(an_etcd_that_is_away_is_a_failure_within_the_limit),
        cmocka_unit_test(of_several_endpoints_one_that_works_is_found),
        cmocka_unit_test(a_load_of_many_pages_has_each_record_once),
        cmocka_unit_test(what_is_no_store_is_refused),
        cmocka_unit_test(records_of_another_store_take_the_place_of_what_is_there),
        cmocka_unit_test(a_restore_that_began_anew_takes_nothing_of_the_one_before),
        cmocka_unit_test(an_etcd_that_was_set_back_is_refused_until_the_next_start),
    };
    int failed;

    if (!etcd_installed()) {
        printf("ok - etcd # SKIP it is not installed\n");
        return 0;
    }
    signal(SIGPIPE, SIG_IGN);
    etcd_begin(&member);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    etcd_end(&member);
    return failed;
}
