/* SPDX-License-Identifier: Apache-2.0
 *
 * One request that arrives twice at the same moment: a daemon that lost its link has sent it
 * again on another while the node was still at it. Both have to get the one reply.
 */
#include "unit/core/core_test.h"

#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 2000u
#define TOGETHER 3u

struct arrival {
    struct app app;
    pthread_barrier_t *start;
    pthread_barrier_t *end;
    const struct writer *body;
    enum operation operation;
    CK_RV code;
    uint32_t handle;
    pthread_t thread;
};

static atomic_bool over;

static void *
arrive(void *arg)
{
    struct arrival *arrival = arg;
    view body;

    for (;;) {
        pthread_barrier_wait(arrival->start);
        if (over) {
            return NULL;
        }
        body = VIEW_EMPTY;
        arrival->code =
            app_call(&arrival->app, arrival->operation, writer_view(arrival->body), &body);
        arrival->handle = arrival->code == CKR_OK && body.len >= 8 ? load_u32(body.data + 4) : 0;
        pthread_barrier_wait(arrival->end);
    }
}

/* One round: all of them ask under the next number. */
static void
ask(struct arrival *arrivals, enum operation operation, const struct writer *body)
{
    for (size_t i = 0; i < TOGETHER; i++) {
        arrivals[i].operation = operation;
        arrivals[i].body = body;
    }
    pthread_barrier_wait(arrivals[0].start);
    pthread_barrier_wait(arrivals[0].end);
    for (size_t i = 0; i < TOGETHER; i++) {
        assert_int_equal(arrivals[i].code, CKR_OK);
        assert_int_equal(arrivals[i].handle, arrivals[0].handle);
    }
}

static void
arrivals_at_once_get_the_same_reply(void **state)
{
    struct fixture *f = *state;
    const struct object_create_request token = { 0, LIST(PRIVATE_DATA, TOKEN_YES) };
    struct arrival arrivals[TOGETHER];
    pthread_barrier_t start, end;
    struct writer body;

    over = false;
    writer_init(&body, 1024);
    pthread_barrier_init(&start, NULL, TOGETHER + 1);
    pthread_barrier_init(&end, NULL, TOGETHER + 1);
    for (size_t i = 0; i < TOGETHER; i++) {
        arrivals[i] = (struct arrival){ .app = f->cu1, .start = &start, .end = &end };
        writer_init(&arrivals[i].app.reply, FRAME_MAX);
        assert_int_equal(pthread_create(&arrivals[i].thread, NULL, arrive, &arrivals[i]), 0);
    }
    for (uint32_t round = 0; round < ROUNDS; round++) {
        const struct object_create_request session = { HANDLE_SESSION_FIRST + round,
                                                       LIST(PRIVATE_DATA) };
        struct object_destroy_request destroy = { 0 };

        writer_reset(&body);
        object_create_request_write(&body, round % 2 == 0 ? &token : &session);
        ask(arrivals, OPERATION_OBJECT_CREATE, &body);
        destroy.object = arrivals[0].handle;
        writer_reset(&body);
        object_destroy_request_write(&body, &destroy);
        ask(arrivals, OPERATION_OBJECT_DESTROY, &body);
    }
    over = true;
    pthread_barrier_wait(&start);
    for (size_t i = 0; i < TOGETHER; i++) {
        pthread_join(arrivals[i].thread, NULL);
        writer_clear(&arrivals[i].app.reply);
    }

    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 0);
    pthread_barrier_destroy(&start);
    pthread_barrier_destroy(&end);
    writer_clear(&body);
}

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate_setup_teardown(arrivals_at_once_get_the_same_reply,
                                                 fixture_setup, fixture_teardown,
                                                 (void *)(uintptr_t)&standard_policy),
    };

    return cmocka_run_group_tests_name("core/together", tests, NULL, NULL);
}
