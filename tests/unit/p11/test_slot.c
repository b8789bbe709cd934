/* SPDX-License-Identifier: Apache-2.0
 *
 * C_WaitForSlotEvent: the change page says whether a node is there.
 */
#include "p11_test.h"

#include <pthread.h>
#include <time.h>

static void
node_lost(void)
{
    atomic_store(&transport_page()->valid_until, 1);
}

static void
node_back(void)
{
    atomic_store(&transport_page()->valid_until, UINT64_MAX);
}

static void
events_are_told_once(void **state)
{
    CK_SLOT_ID slot = 0;

    UNUSED(state);
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
    node_lost();
    assert_ok(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
    assert_int_equal(slot, SLOT);
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
    node_back();
    assert_ok(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL));
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, NULL, NULL), CKR_ARGUMENTS_BAD);
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, &slot), CKR_ARGUMENTS_BAD);
}

/* Where there is no page at all nothing is known. */
static void
a_page_that_never_was_tells_nothing(void **state)
{
    CK_SLOT_ID slot = 0;

    UNUSED(state);
    atomic_store(&transport_page()->valid_until, 0);
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
    node_back();
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_NO_EVENT);
}

static void *
waiter(void *arg)
{
    CK_SLOT_ID slot = 0;

    *(CK_RV *)arg = C_WaitForSlotEvent(0, &slot, NULL);
    return NULL;
}

static const struct timespec moment = { 0, 120000000 };

static void
a_waiting_thread_hears_of_it(void **state)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    pthread_t thread;

    UNUSED(state);
    assert_int_equal(pthread_create(&thread, NULL, waiter, &rv), 0);
    nanosleep(&moment, NULL);
    node_lost();
    pthread_join(thread, NULL);
    assert_code(rv, CKR_OK);
    node_back();
}

static void
finalize_ends_the_wait(void **state)
{
    CK_RV rv = CKR_GENERAL_ERROR;
    pthread_t thread;

    UNUSED(state);
    assert_int_equal(pthread_create(&thread, NULL, waiter, &rv), 0);
    nanosleep(&moment, NULL);
    assert_ok(C_Finalize(NULL));
    pthread_join(thread, NULL);
    assert_code(rv, CKR_CRYPTOKI_NOT_INITIALIZED);
    assert_ok(C_Initialize(NULL));
}

static void
azure_waits_for_nothing(void **state)
{
    CK_SLOT_ID slot = 0;

    UNUSED(state);
    assert_code(C_WaitForSlotEvent(CKF_DONT_BLOCK, &slot, NULL), CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(events_are_told_once),
        TEST(a_page_that_never_was_tells_nothing),
        TEST(a_waiting_thread_hears_of_it),
        TEST(finalize_ends_the_wait),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_waits_for_nothing),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
