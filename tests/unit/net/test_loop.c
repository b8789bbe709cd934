/* SPDX-License-Identifier: Apache-2.0
 *
 * Work that other threads post, and loops that look for more before they sleep.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "net/loop.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#define POSTS 20000u

struct bench {
    struct loop *loop;
    _Atomic size_t done;
    bool lingers;
    size_t ticks;
};

static void
count(void *arg)
{
    struct bench *b = arg;

    atomic_fetch_add(&b->done, 1);
    if (b->lingers) {
        loop_linger(b->loop);
    }
}

/* Every third waits for what was posted, so that the loop has gone to sleep, or is about to. */
static void *
post_all(void *arg)
{
    struct bench *b = arg;

    for (size_t i = 1; i <= POSTS; i++) {
        if (!loop_post(b->loop, count, b)) {
            break;
        }
        while (i % 3 == 0 && atomic_load(&b->done) < i) {
            sched_yield();
        }
    }
    loop_stop(b->loop);
    return NULL;
}

static void
no_post_is_lost(void **state)
{
    UNUSED(state);
    for (unsigned i = 0; i < 2; i++) {
        struct bench b = { .loop = loop_new(), .lingers = i == 1 };
        pthread_t thread;

        assert_non_null(b.loop);
        assert_int_equal(pthread_create(&thread, NULL, post_all, &b), 0);
        loop_run(b.loop);
        pthread_join(thread, NULL);
        assert_int_equal(b.done, POSTS);
        loop_free(b.loop);
    }
}

static void
post_more(void *arg)
{
    struct bench *b = arg;

    if (atomic_fetch_add(&b->done, 1) + 1 == 3) {
        loop_stop(b->loop);
    } else {
        assert_true(loop_post(b->loop, post_more, b));
    }
}

/* As a daemon's does whose threads wait at its end for what they ask of it. */
static void
a_loop_that_was_stopped_runs_again(void **state)
{
    struct bench b = { .loop = loop_new() };

    UNUSED(state);
    assert_non_null(b.loop);
    loop_stop(b.loop);
    loop_run(b.loop);
    assert_true(loop_post(b.loop, post_more, &b));
    loop_run(b.loop);
    assert_int_equal(b.done, 3);
    loop_free(b.loop);
}

static void
tick(void *arg)
{
    struct bench *b = arg;

    loop_linger(b->loop);
    if (++b->ticks == 10) {
        loop_stop(b->loop);
    }
}

/* Ten looks of 60 us in half a second. */
static void
who_lingers_in_vain_sleeps(void **state)
{
    struct bench b = { .loop = loop_new() };
    struct timer *timer = timer_new(b.loop, 50, true, tick, &b);
    struct timespec before, after;

    UNUSED(state);
    assert_non_null(timer);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    loop_run(b.loop);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    assert_in_range((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec,
                    0, 60000000);
    timer_free(timer);
    loop_free(b.loop);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_post_is_lost),
        cmocka_unit_test(a_loop_that_was_stopped_runs_again),
        cmocka_unit_test(who_lingers_in_vain_sleeps),
    };

    return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
