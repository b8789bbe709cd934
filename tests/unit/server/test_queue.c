/* SPDX-License-Identifier: Apache-2.0
 *
 * The fair queue: contexts in turn, each in its own order, bounded in all.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/queue.h"

struct job {
    struct queue_item item;
    char name;
};

static struct job jobs[4096];
static size_t job_count;

static bool
put(struct queue *queue, char context_name, char name)
{
    uint8_t context[FRAME_CONTEXT_LEN] = { 0 };
    struct job *job = &jobs[job_count++ % ARRAY_COUNT(jobs)];

    context[FRAME_CONTEXT_LEN - 1] = (uint8_t)context_name; /* all in one bucket */
    job->name = name;
    return queue_put(queue, context, &job->item);
}

static char
take(struct queue *queue)
{
    struct queue_item *item = queue_take(queue);

    return item == NULL ? '-' : ((struct job *)item)->name;
}

static void
one_context_is_served_in_order(void **state)
{
    struct queue *queue = queue_new(10);

    (void)state;
    assert_true(put(queue, 'a', '1'));
    assert_true(put(queue, 'a', '2'));
    assert_true(put(queue, 'a', '3'));

    assert_int_equal(take(queue), '1');
    assert_int_equal(take(queue), '2');
    assert_int_equal(take(queue), '3');
    assert_int_equal(take(queue), '-');
    queue_free(queue);
}

static void
contexts_are_served_in_turn(void **state)
{
    struct queue *queue = queue_new(100);
    char order[16] = "";
    char turns[16] = "";

    (void)state;
    for (char name = '1'; name <= '5'; name++) {
        assert_true(put(queue, 'a', name));
    }
    assert_true(put(queue, 'b', 'x'));
    assert_true(put(queue, 'b', 'y'));
    assert_true(put(queue, 'c', 'z'));
    for (size_t i = 0; queue_count(queue) > 0; i++) {
        turns[i] = (char)queue_turn(queue)[FRAME_CONTEXT_LEN - 1];
        order[i] = take(queue);
    }

    assert_string_equal(order, "1xz2y345");
    assert_string_equal(turns, "abcabaaa");
    assert_null(queue_turn(queue));
    queue_free(queue);
}

static void
newcomer_waits_for_one_turn_of_a_flood(void **state)
{
    struct queue *queue = queue_new(2000);

    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(put(queue, 'a', 'f'));
    }
    assert_int_equal(take(queue), 'f');
    assert_true(put(queue, 'b', 'n'));

    assert_int_equal(take(queue), 'f');
    assert_int_equal(take(queue), 'n');
    while (take(queue) != '-') {
    }
    queue_free(queue);
}

static void
full_queue_refuses_and_has_room_after_a_take(void **state)
{
    struct queue *queue = queue_new(2);

    (void)state;
    assert_true(put(queue, 'a', '1'));
    assert_true(put(queue, 'b', '2'));
    assert_false(put(queue, 'a', '3'));
    assert_false(put(queue, 'c', '4'));     /* leaves no empty line behind */
    assert_int_equal(queue_count(queue), 2);

    assert_int_equal(take(queue), '1');
    assert_true(put(queue, 'c', '5'));
    assert_int_equal(take(queue), '2');
    assert_int_equal(take(queue), '5');
    assert_int_equal(take(queue), '-');
    queue_free(queue);
}

static void
context_that_was_empty_comes_back(void **state)
{
    struct queue *queue = queue_new(10);

    (void)state;
    for (int i = 0; i < 3; i++) {
        assert_true(put(queue, 'a', '1'));
        assert_true(put(queue, 'b', '2'));
        assert_int_equal(take(queue), '1');
        assert_int_equal(take(queue), '2');
        assert_int_equal(take(queue), '-');
    }
    queue_free(queue);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_context_is_served_in_order),
        cmocka_unit_test(contexts_are_served_in_turn),
        cmocka_unit_test(newcomer_waits_for_one_turn_of_a_flood),
        cmocka_unit_test(full_queue_refuses_and_has_room_after_a_take),
        cmocka_unit_test(context_that_was_empty_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
