/* SPDX-License-Identifier: Apache-2.0
 *
 * A lane that does a lone write itself: when that is slow, and when the lane ends meanwhile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/app.h"
#include "net/link.h"
#include "server/lane.h"
#include "unit/rules/list.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIMIT_MS 30000
#define QUEUE_MAX 16u
#define TRIES 300u     /* within those a lane does a write itself, however busy the machine */
#define SLOW_US 60000u /* long enough for the lane's other thread to step in */
#define SLOW_MIN 3u    /* so many of them, and */
#define REST 60u       /* that many go to the pool then; there are some more */

struct fixture {
    struct hsm_fixture hsm;
    struct app app;
    struct lane_service service;
    struct lane *lane;
    int fd; /* of who asks */
};

static void (*submit_inner)(struct store *store, const struct store_txn *txn, store_done *done,
                            void *arg);
static _Atomic unsigned slow_us;
static _Atomic unsigned begun;
static _Atomic bool by_lane; /* the last one */

static void
submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    char name[16] = "";

    (void)pthread_getname_np(pthread_self(), name, sizeof name);
    atomic_store(&by_lane, strcmp(name, "lane") == 0);
    atomic_fetch_add(&begun, 1);
    usleep(atomic_load(&slow_us));
    submit_inner(store, txn, done, arg);
}

static int
setup(void **state)
{
    static const struct pool_work work = { lane_work, lane_give, 0 };
    struct fixture *f = calloc(1, sizeof *f);
    int fds[2];

    assert_non_null(f);
    hsm_fixture_init(&f->hsm, POLICY_STANDARD);
    app_init(&f->app, &f->hsm, USER1);
    submit_inner = f->hsm.outside.ports.store->submit;
    f->hsm.outside.ports.store->submit = submit;
    atomic_store(&slow_us, 0);
    f->service.hsm = f->hsm.hsm;
    for (size_t place = PLACE_CPU; place < ARRAY_COUNT(f->service.pools); place++) {
        f->service.pools[place] = pool_new("pool", 1, 0, QUEUE_MAX, &work);
        assert_non_null(f->service.pools[place]);
    }
    f->lane = lane_new(&f->service);
    assert_non_null(f->lane);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    f->fd = fds[0];

    struct link_pack pack = { .fd = fds[1] };

    lane_take(f->lane, &pack, PORTS_client);
    *state = f;
    return 0;
}

static void
lane_end(struct fixture *f)
{
    for (size_t place = PLACE_CPU; place < ARRAY_COUNT(f->service.pools); place++) {
        pool_stop(f->service.pools[place], lane_drop);
    }
    lane_free(f->lane);
    f->lane = NULL;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    if (f->lane != NULL) {
        lane_end(f);
    }
    for (size_t place = PLACE_CPU; place < ARRAY_COUNT(f->service.pools); place++) {
        pool_free(f->service.pools[place]);
    }
    close(f->fd);
    atomic_store(&slow_us, 0);
    app_clear(&f->app);
    hsm_fixture_clear(&f->hsm);
    free(f);
    return 0;
}

/* A write, all alone. */
static void
ask(struct fixture *f)
{
    const struct object_create_request m = {
        f->app.handle++,
        LIST(ULONG(CLASS, CKO_DATA), BYTES(VALUE, "data"), BOOL(TOKEN, true), BOOL(PRIVATE, false)),
    };
    struct frame frame = {
        .operation = OPERATION_OBJECT_CREATE,
        .flags = FRAME_READ_WRITE,
        .request = ++f->app.request,
        .session = f->app.session,
        .code = 1, /* all before are over */
        .revision = f->app.revision,
    };
    struct writer w;
    size_t start;

    memcpy(frame.context, f->app.context, FRAME_CONTEXT_LEN);
    writer_init(&w, FRAME_MAX);
    start = frame_begin(&w);
    object_create_request_write(&w, &m);
    assert_true(frame_end(&w, start, &frame));
    assert_int_equal(write(f->fd, w.data, w.len), w.len);
    writer_clear(&w);
}

static void
bytes_read(int fd, uint8_t *ret_bytes, size_t len)
{
    struct pollfd look = { .fd = fd, .events = POLLIN };

    for (size_t got = 0; got < len;) {
        ssize_t more;

        assert_int_equal(poll(&look, 1, LIMIT_MS), 1);
        more = read(fd, ret_bytes + got, len - got);
        assert_true(more > 0);
        got += (size_t)more;
    }
}

static void
answer_read(struct fixture *f)
{
    uint8_t head[FRAME_HEADER_LEN], body[1024];
    struct frame frame;

    bytes_read(f->fd, head, sizeof head);
    assert_true(frame_decode(head, &frame));
    assert_int_equal(frame.code, CKR_OK);
    assert_int_equal(frame.request, f->app.request);
    assert_in_range(frame.body_len, 0, sizeof body);
    bytes_read(f->fd, body, frame.body_len);
}

static void
begun_await(unsigned count)
{
    for (unsigned i = 0; i < LIMIT_MS && atomic_load(&begun) == count; i++) {
        usleep(1000);
    }
    assert_int_not_equal(atomic_load(&begun), count);
}

/* Writes until the lane does one itself, which is slow and under way when this returns. */
static void
lane_begins_a_slow_one(struct fixture *f)
{
    unsigned i;

    for (i = 0; i < TRIES; i++) {
        ask(f);
        answer_read(f);
        if (atomic_load(&by_lane)) {
            break;
        }
    }
    assert_in_range(i, 0, TRIES - 1);
    atomic_store(&slow_us, SLOW_US);
    for (i = 0; i < TRIES; i++) {
        const unsigned before = atomic_load(&begun);

        ask(f);
        begun_await(before);
        if (atomic_load(&by_lane)) {
            break;
        }
        answer_read(f);
    }
    assert_in_range(i, 0, TRIES - 1);
}

static void
after_slow_writes_the_next_ones_go_to_the_pool(void **state)
{
    struct fixture *f = *state;

    lane_begins_a_slow_one(f);
    answer_read(f);
    for (unsigned i = 1; i < SLOW_MIN; i++) {
        ask(f);
        answer_read(f);
    }
    atomic_store(&slow_us, 0);
    for (unsigned i = 0; i < REST; i++) {
        ask(f);
        answer_read(f);
        assert_false(atomic_load(&by_lane));
    }
}

static void
a_write_that_outlives_its_loop_is_over_with_the_lane(void **state)
{
    struct fixture *f = *state;

    lane_begins_a_slow_one(f);
    usleep(SLOW_US / 2);
    lane_end(f);
    assert_int_equal(atomic_load(&f->service.writers), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(after_slow_writes_the_next_ones_go_to_the_pool, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_write_that_outlives_its_loop_is_over_with_the_lane, setup,
                                        teardown),
    };

    return cmocka_run_group_tests_name("server/lane", tests, NULL, NULL);
}
