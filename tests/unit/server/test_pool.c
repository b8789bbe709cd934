/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker pool: all that was put is worked or dropped, never both; a full pool refuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define JOBS 1000u

static _Atomic unsigned worked;
static unsigned dropped;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned begun;

static void
work(struct queue_item *item)
{
    free(item);
    atomic_fetch_add(&worked, 1);
}

/* Stands still while the test holds the gate. */
static void
work_at_gate(struct queue_item *item)
{
    atomic_fetch_add(&begun, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    work(item);
}

static void
drop(struct queue_item *item)
{
    free(item);
    dropped++;
}

static int
setup(void **state)
{
    (void)state;
    worked = 0;
    dropped = 0;
    begun = 0;
    return 0;
}

static bool
put(struct pool *pool, uint8_t who)
{
    uint8_t context[FRAME_CONTEXT_LEN] = { who };
    struct queue_item *item = calloc(1, sizeof *item);
    bool taken = pool_put(pool, context, item);

    if (!taken) {
        free(item);
    }
    return taken;
}

static void
each_item_is_worked_or_dropped_once(void **state)
{
    struct pool *pool = pool_new("test", 4, 0, JOBS, work);

    (void)state;
    for (unsigned i = 0; i < JOBS; i++) {
        assert_true(put(pool, (uint8_t)i));
    }
    pool_stop(pool, drop);

    assert_int_equal(worked + dropped, JOBS);
    pool_free(pool);
}

static void
full_pool_refuses(void **state)
{
    struct pool *pool = pool_new("test", 1, 0, 2, work_at_gate);

    (void)state;
    pthread_mutex_lock(&gate);
    assert_true(put(pool, 1));
    while (begun == 0) {                    /* now it waits at the gate, not in the queue */
    }
    assert_true(put(pool, 1));
    assert_true(put(pool, 2));
    assert_false(put(pool, 3));
    pthread_mutex_unlock(&gate);
    pool_stop(pool, drop);

    assert_int_equal(worked + dropped, 3);
    assert_true(worked >= 1);
    pool_free(pool);
}

static void
stopped_pool_takes_nothing(void **state)
{
    struct pool *pool = pool_new("test", 2, 0, 10, work);

    (void)state;
    pool_stop(pool, drop);

    assert_false(put(pool, 1));
    assert_int_equal(worked + dropped, 0);
    pool_free(pool);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_item_is_worked_or_dropped_once, setup),
        cmocka_unit_test_setup(full_pool_refuses, setup),
        cmocka_unit_test_setup(stopped_pool_takes_nothing, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
