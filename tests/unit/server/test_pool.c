/* SPDX-License-Identifier: Apache-2.0
 *
 * The worker pool: all that was put is worked or dropped, never both; a full pool refuses; what is
 * worked is given back, alone or together.
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
#include <string.h>
#include <unistd.h>

#define JOBS 1000u
#define LONG_US 60000000u
#define SHORT_US 20000u

struct job {
    struct queue_item item;
    char name;
};

static _Atomic unsigned worked;
static _Atomic unsigned given;
static unsigned dropped;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static _Atomic unsigned begun;

static char story[64]; /* of one thread: names of what it ran, and as capitals of what it gave */
static size_t told;
static _Atomic bool over;

static bool
work(struct queue_item *item)
{
    (void)item;
    atomic_fetch_add(&worked, 1);
    return true;
}

/* Stands still while the test holds the gate. */
static bool
work_at_gate(struct queue_item *item)
{
    atomic_fetch_add(&begun, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    return work(item);
}

static void
give(struct queue_item *item)
{
    free(item);
    atomic_fetch_add(&given, 1);
}

/* b takes longer than the short time; w until all others are over, and nothing is told of it; x
 * goes elsewhere, as a job that is sent to another pool. */
static bool
work_and_tell(struct queue_item *item)
{
    const char name = ((struct job *)item)->name;

    if (name == 'w') {
        while (!over) {
        }
        return true;
    }
    story[told++] = name;
    work_at_gate(item);
    if (name == 'b') {
        usleep(2 * SHORT_US);
    }
    if (name == 'x') {
        free(item);
        atomic_fetch_add(&given, 1);
        return false;
    }
    return true;
}

static void
give_and_tell(struct queue_item *item)
{
    if (((struct job *)item)->name != 'w') {
        story[told++] = (char)(((struct job *)item)->name - 'a' + 'A');
    }
    give(item);
}

static const struct pool_work plain = { work, give, 0 };
static const struct pool_work gated = { work_at_gate, give, 0 };
static const struct pool_work gathers = { work, give, LONG_US };
static const struct pool_work tells = { work_and_tell, give_and_tell, 0 };
static const struct pool_work gathers_and_tells = { work_and_tell, give_and_tell, LONG_US };
static const struct pool_work gathers_shortly = { work_and_tell, give_and_tell, SHORT_US };

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
    given = 0;
    dropped = 0;
    begun = 0;
    return 0;
}

static bool
put_named(struct pool *pool, uint8_t who, char name)
{
    uint8_t context[FRAME_CONTEXT_LEN] = { who };
    struct job *job = calloc(1, sizeof *job);
    bool taken;

    job->name = name;
    taken = pool_put(pool, context, &job->item);
    if (!taken) {
        free(job);
    }
    return taken;
}

static bool
put(struct pool *pool, uint8_t who)
{
    return put_named(pool, who, 'a');
}

static void
each_item_is_worked_or_dropped_once(void **state)
{
    static const struct pool_work *const works[] = { &plain, &gathers };

    (void)state;
    for (size_t way = 0; way < ARRAY_COUNT(works); way++) {
        struct pool *pool = pool_new("test", 4, 0, JOBS, works[way]);

        worked = given = dropped = 0;
        for (unsigned i = 0; i < JOBS; i++) {
            assert_true(put(pool, (uint8_t)(i / 8)));
        }
        pool_stop(pool, drop);

        assert_int_equal(worked + dropped, JOBS);
        assert_int_equal(given, worked);
        pool_free(pool);
    }
}

static void
full_pool_refuses(void **state)
{
    struct pool *pool = pool_new("test", 1, 0, 2, &gated);

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
    struct pool *pool = pool_new("test", 2, 0, 10, &plain);

    (void)state;
    pool_stop(pool, drop);

    assert_false(put(pool, 1));
    assert_int_equal(worked + dropped, 0);
    pool_free(pool);
}

/* What becomes of items: a letter for each and, before it, a figure for its context. Of two threads
 * one has the w, which comes first. */
static const char *
story_of(const struct pool_work *work, const char *items)
{
    const bool two = items[1] == 'w';
    struct pool *pool = pool_new("test", two ? 2 : 1, 0, 20, work);
    const unsigned count = (unsigned)strlen(items) / 2;

    memset(story, 0, sizeof story);
    told = 0;
    begun = given = 0;
    over = false;
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < count; i++) {
        assert_true(put_named(pool, (uint8_t)items[2 * i], items[2 * i + 1]));
        while (begun == 0 && items[2 * i + 1] != 'w') { /* then all others wait together */
        }
    }
    pthread_mutex_unlock(&gate);
    while (given + two < count) {
    }
    over = true;
    pool_stop(pool, drop);
    pool_free(pool);
    assert_int_equal(dropped, 0);
    return story;
}

static void
each_is_given_at_once_where_none_are_gathered(void **state)
{
    (void)state;
    assert_string_equal(story_of(&tells, "1a1c1d"), "aAcCdD");
}

static void
those_of_one_context_are_given_together(void **state)
{
    (void)state;
    assert_string_equal(story_of(&gathers_and_tells, "1a1c1d1e"), "acdeACDE");
}

static void
nobody_waits_for_what_another_asked_for(void **state)
{
    (void)state;
    assert_string_equal(story_of(&gathers_and_tells, "1a2c3d"), "aAcCdD");
    assert_string_equal(story_of(&gathers_and_tells, "1a1c2d1e"), "acACdDeE");
}

static void
gathering_ends_in_time(void **state)
{
    (void)state;
    assert_string_equal(story_of(&gathers_shortly, "1b1b1b"), "bBbBbB");
}

static void
gathering_ends_before_a_thread_finds_nothing(void **state)
{
    (void)state;
    assert_string_equal(story_of(&gathers_and_tells, "1w1a1c1d1e"), "acdACDeE");
}

static void
what_went_elsewhere_is_not_given(void **state)
{
    (void)state;
    assert_string_equal(story_of(&gathers_and_tells, "1a1x1c1d"), "axcdACD");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_item_is_worked_or_dropped_once, setup),
        cmocka_unit_test_setup(full_pool_refuses, setup),
        cmocka_unit_test_setup(stopped_pool_takes_nothing, setup),
        cmocka_unit_test_setup(each_is_given_at_once_where_none_are_gathered, setup),
        cmocka_unit_test_setup(those_of_one_context_are_given_together, setup),
        cmocka_unit_test_setup(nobody_waits_for_what_another_asked_for, setup),
        cmocka_unit_test_setup(gathering_ends_in_time, setup),
        cmocka_unit_test_setup(gathering_ends_before_a_thread_finds_nothing, setup),
        cmocka_unit_test_setup(what_went_elsewhere_is_not_given, setup),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
