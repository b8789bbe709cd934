/* SPDX-License-Identifier: Apache-2.0
 *
 * Waiting for a store transaction: it may end at once, on another thread, or too late.
 */
#include "unit/core/core_test.h"

#include <unistd.h>

/* A store that ends its transaction when and as the test says. */
struct slow {
    struct store store;
    enum store_result result;
    uint64_t revision;
    useconds_t delay_us;
    store_done *done;
    void *arg;
    pthread_t thread;
};

static void *
end_later(void *arg)
{
    struct slow *slow = arg;

    usleep(slow->delay_us);
    slow->done(slow->arg, slow->result, slow->revision);
    return NULL;
}

static void
submit_at_once(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    struct slow *slow = (struct slow *)store;

    UNUSED(txn);
    done(arg, slow->result, slow->revision);
}

static void
submit_on_a_thread(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    struct slow *slow = (struct slow *)store;

    UNUSED(txn);
    slow->done = done;
    slow->arg = arg;
    assert_int_equal(pthread_create(&slow->thread, NULL, end_later, slow), 0);
}

static void
the_end_may_come_before_submit_returns(void **state)
{
    struct slow slow = { .store.submit = submit_at_once, .result = STORE_OK, .revision = 7 };
    uint64_t revision = 0;

    UNUSED(state);
    assert_int_equal(store_commit(&slow.store, &(struct store_txn){ 0 }, &revision), STORE_OK);
    assert_int_equal(revision, 7);
}

static void
the_end_may_come_on_another_thread(void **state)
{
    struct slow slow = { .store.submit = submit_on_a_thread, .result = STORE_OK, .revision = 7 };
    uint64_t revision;

    UNUSED(state);
    for (unsigned i = 0; i < 200; i++) {
        revision = 0;
        slow.delay_us = i % 4 == 0 ? 500 : 0;
        assert_int_equal(store_commit(&slow.store, &(struct store_txn){ 0 }, &revision),
                         STORE_OK);
        assert_int_equal(revision, 7);
        pthread_join(slow.thread, NULL);
    }
}

static void
a_revision_comes_with_success_only(void **state)
{
    struct slow slow = { .store.submit = submit_at_once, .revision = 7 };
    uint64_t revision = 99;

    UNUSED(state);
    slow.result = STORE_CONFLICT;
    assert_int_equal(store_commit(&slow.store, &(struct store_txn){ 0 }, &revision),
                     STORE_CONFLICT);
    slow.result = STORE_FAILED;
    assert_int_equal(store_commit(&slow.store, &(struct store_txn){ 0 }, &revision),
                     STORE_FAILED);
    assert_int_equal(revision, 99);
}

/* Nobody waits longer than the limit, and who comes after it finds nothing to spoil. */
static void
an_end_that_comes_too_late_is_heard_by_nobody(void **state)
{
    struct slow slow = { .store.submit = submit_on_a_thread, .result = STORE_OK, .revision = 7,
                         .delay_us = (STORE_WAIT_MS + 300) * 1000 };
    uint64_t revision = 99;

    UNUSED(state);
    assert_int_equal(store_commit(&slow.store, &(struct store_txn){ 0 }, &revision),
                     STORE_UNKNOWN);
    assert_int_equal(revision, 99);
    pthread_join(slow.thread, NULL);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_end_may_come_before_submit_returns),
        cmocka_unit_test(the_end_may_come_on_another_thread),
        cmocka_unit_test(a_revision_comes_with_success_only),
        cmocka_unit_test(an_end_that_comes_too_late_is_heard_by_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
