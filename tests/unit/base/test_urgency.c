/* SPDX-License-Identifier: Apache-2.0
 *
 * When a thread gives up being urgent, and when it takes it back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/urgency.h"

#include <pthread.h>
#include <sched.h>
#include <time.h>

#define US UINT64_C(1000)

struct course {
    struct urgency urgency;
    uint64_t now;
    uint64_t waited;
    uint64_t turns;
};

/* 100 ms in which it had so many turns and waited so long before each. */
static bool
pass(struct course *c, uint64_t turns, uint64_t wait_us)
{
    c->now += 100;
    c->turns += turns;
    c->waited += turns * wait_us * US;
    c->urgency.low = urgency_judge(&c->urgency, c->now, c->waited, c->turns);
    return c->urgency.low;
}

static struct course
course_new(void)
{
    return (struct course){ .urgency = { .more = 100 * US, .rest = 2000 }, .now = 1000000 };
}

static void
it_is_low_once_it_knows_what_is_usual(void **state)
{
    struct course c = course_new();

    UNUSED(state);
    assert_false(pass(&c, 5, 50)); /* says too little; adds to the next */
    assert_true(pass(&c, 500, 50));
    assert_true(pass(&c, 500, 190)); /* not more than 2 * 50 + 100 */
    assert_true(pass(&c, 3, 9000));  /* says too little */
}

static void
it_is_urgent_when_it_waits_too_long_and_for_longer_each_time(void **state)
{
    struct course c = course_new();
    unsigned rests[2] = { 0, 0 };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(rests); i++) {
        while (!pass(&c, 500, 50)) {
            rests[i]++;
        }
        assert_false(pass(&c, 500, 250));
    }
    assert_int_equal(rests[0], 0);
    assert_in_range(rests[1], 18, 20);
    rests[0] = 0;
    while (!pass(&c, 500, 50)) {
        rests[0]++;
    }
    assert_in_range(rests[0], 38, 40);
}

/* What is usual changes with what else is done here. */
static void
it_looks_again_what_is_usual(void **state)
{
    struct course c = course_new();
    unsigned low = 0;

    UNUSED(state);
    assert_true(pass(&c, 500, 50));
    while (pass(&c, 500, 190)) {
        low++;
    }
    assert_in_range(low, 95, 100);
    assert_true(pass(&c, 500, 90));
    assert_true(pass(&c, 500, 270));
}

static void *
policy_run(void *arg)
{
    *(int *)arg = sched_getscheduler(0);
    return NULL;
}

/* Of a thread that this one makes. */
static int
policy_of_new(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int policy = -1;

    pthread_attr_init(&attributes);
    urgency_attributes(&attributes);
    assert_int_equal(pthread_create(&thread, &attributes, policy_run, &policy), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
    return policy;
}

struct busy {
    struct urgency urgency;
    int policy; /* while it is low */
    int of_new;
    int policy_after;
};

static void *
busy_run(void *arg)
{
    struct busy *busy = arg;
    struct urgency *urgency = &busy->urgency;
    struct timespec pause = { .tv_nsec = 1000000 };

    urgency_start(urgency, 1000000); /* whatever else this machine does */
    for (unsigned i = 0; i < 5000 && !urgency->fixed && !urgency->low; i++) {
        nanosleep(&pause, NULL);
        urgency_look(urgency);
    }
    busy->policy = sched_getscheduler(0);
    busy->of_new = policy_of_new();
    urgency_hold();
    urgency_look(urgency);
    busy->policy_after = sched_getscheduler(0);
    return NULL;
}

static void
run(void *(*call)(void *arg), struct busy *busy)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, call, busy), 0);
    pthread_join(thread, NULL);
}

/* Where the kernel counts turns. */
static void
a_thread_changes_its_own_policy(void **state)
{
    struct busy busy;

    UNUSED(state);
    run(busy_run, &busy);
    if (busy.urgency.fixed) {
        skip();
    }
    assert_int_equal(busy.policy, SCHED_BATCH);
    assert_int_equal(busy.of_new, SCHED_OTHER);
    assert_int_equal(busy.policy_after, SCHED_OTHER);
    assert_false(busy.urgency.low);
}

static void *
chosen_run(void *arg)
{
    const struct sched_param none = { 0 };
    struct busy *busy = arg;

    if (sched_setscheduler(0, SCHED_BATCH, &none) == 0) {
        urgency_start(&busy->urgency, 0);
        busy->of_new = policy_of_new();
    }
    return NULL;
}

/* By whoever started the process. */
static void
a_policy_that_was_chosen_is_handed_on(void **state)
{
    struct busy busy = { .of_new = -1 };

    UNUSED(state);
    run(chosen_run, &busy);
    assert_true(busy.urgency.fixed);
    assert_int_equal(busy.of_new, SCHED_BATCH);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_low_once_it_knows_what_is_usual),
        cmocka_unit_test(it_is_urgent_when_it_waits_too_long_and_for_longer_each_time),
        cmocka_unit_test(it_looks_again_what_is_usual),
        cmocka_unit_test(a_thread_changes_its_own_policy),
        cmocka_unit_test(a_policy_that_was_chosen_is_handed_on),
    };

    return cmocka_run_group_tests_name("base/urgency", tests, NULL, NULL);
}
