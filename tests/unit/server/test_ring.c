/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring: what was reserved fits, nothing is lost or changed on the way, and the order of one
 * thread is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/ring.h"

#include <pthread.h>
#include <sched.h>
#include <string.h>

#define THREADS 4
#define RECORDS 20000u

static void
no_more_than_its_places_are_reserved(void **state)
{
    struct ring *ring = ring_new(4);
    view record;

    UNUSED(state);
    for (int i = 0; i < 4; i++) {
        assert_true(ring_reserve(ring));
    }
    assert_false(ring_reserve(ring));
    ring_release(ring);
    assert_true(ring_reserve(ring));
    assert_true(ring_filling(ring));
    assert_false(ring_peek(ring, 0, &record));

    ring_put(ring, VIEW_TEXT("a"));
    ring_put(ring, VIEW_TEXT("b"));
    assert_true(ring_peek(ring, 1, &record));
    assert_true(view_equal(record, VIEW_TEXT("b")));
    assert_false(ring_reserve(ring)); /* peeked at, not taken */
    ring_take(ring, 2);
    assert_true(ring_reserve(ring));
    ring_free(ring);
}

struct job {
    struct ring *ring;
    uint32_t thread;
};

static void *
put_all(void *arg)
{
    struct job *job = arg;
    uint32_t pair[2] = { job->thread, 0 };

    for (; pair[1] < RECORDS; pair[1]++) {
        while (!ring_reserve(job->ring)) {
            sched_yield();
        }
        ring_put(job->ring, view_of(pair, sizeof pair));
    }
    return NULL;
}

static void
records_of_many_threads_arrive_once_and_in_order(void **state)
{
    struct ring *ring = ring_new(64);
    struct job jobs[THREADS];
    pthread_t threads[THREADS];
    uint32_t next[THREADS] = { 0 };
    size_t left = THREADS * RECORDS;
    view record;

    UNUSED(state);
    for (uint32_t i = 0; i < THREADS; i++) {
        jobs[i] = (struct job){ ring, i };
        assert_int_equal(pthread_create(&threads[i], NULL, put_all, &jobs[i]), 0);
    }
    while (left > 0) {
        size_t count = 0;

        for (; ring_peek(ring, count, &record); count++) {
            uint32_t pair[2];

            assert_int_equal(record.len, sizeof pair);
            memcpy(pair, record.data, sizeof pair);
            assert_int_equal(pair[1], next[pair[0]]++);
        }
        ring_take(ring, count);
        left -= count;
        sched_yield();
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_false(ring_peek(ring, 0, &record));
    ring_free(ring);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_its_places_are_reserved),
        cmocka_unit_test(records_of_many_threads_arrive_once_and_in_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
