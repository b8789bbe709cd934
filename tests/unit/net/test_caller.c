/* SPDX-License-Identifier: Apache-2.0
 *
 * The blocking caller against a node on a thread of its own: what it is told when it is let in
 * or not, answers, and limits of time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/caller.h"
#include "net/link.h"

#include "lib/tls_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct fixture {
    struct tls_fixture tls;
    struct loop *loop;
    struct tls_context *context;
    struct listener *listener;
    struct link *links[4];
    size_t link_count;
    pthread_t thread;
    bool running;
    _Atomic int silent_at; /* no answer to that operation */
    _Atomic int refuse;
    _Atomic size_t detached;
};

static void
on_frame(void *arg, struct link *link, const struct frame *frame, view body)
{
    struct fixture *f = arg;

    if (frame->operation == OPERATION_DETACH) {
        f->detached++;
    }
    if (frame->operation == f->silent_at) {
        return;
    }
    frame_reply(link_output(link), frame,
                frame->operation == f->refuse ? (uint32_t)CKR_DEVICE_MEMORY : CKR_OK, 0, body);
    link_flush(link);
}

static void
on_down(void *arg, struct link *link, const char *reason)
{
    struct fixture *f = arg;

    UNUSED(reason);
    for (size_t i = 0; i < f->link_count; i++) {
        if (f->links[i] == link) {
            f->links[i] = NULL;
        }
    }
    link_free(link);
}

static const struct link_events events = { NULL, on_frame, on_down };

static void
on_accepted(void *arg, int fd)
{
    struct fixture *f = arg;

    if (f->link_count < ARRAY_COUNT(f->links)) {
        f->links[f->link_count++] = link_new(f->loop, fd, f->context, true, &events, f);
    } else {
        close(fd);
    }
}

static void *
run(void *arg)
{
    loop_run(((struct fixture *)arg)->loop);
    return NULL;
}

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    tls_fixture_init(&f->tls);
    f->silent_at = f->refuse = -1;
    f->loop = loop_new();
    f->listener = listener_new(f->loop, "127.0.0.1:0", on_accepted, f);
    assert_non_null(f->listener);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    if (f->running) {
        loop_stop(f->loop);
        pthread_join(f->thread, NULL);
    }
    for (size_t i = 0; i < f->link_count; i++) {
        link_free(f->links[i]);
    }
    listener_free(f->listener);
    loop_free(f->loop);
    tls_context_free(f->context);
    tls_fixture_clear(&f->tls);
    free(f);
    return 0;
}

static void
node_run(struct fixture *f, const char *name, const char *ca)
{
    f->context = tls_fixture_server(&f->tls, name, ca);
    assert_int_equal(pthread_create(&f->thread, NULL, run, f), 0);
    f->running = true;
}

static struct caller *
open_as(struct fixture *f, const char *name, unsigned timeout_ms, char error[256])
{
    struct tls_context *tls = tls_fixture_client(&f->tls, name);
    struct caller *caller;

    error[0] = '\0';
    caller = caller_open("127.0.0.1", listener_port(f->listener), tls, timeout_ms, error, 256);
    tls_context_free(tls);
    return caller;
}

static void
calls_are_answered_and_the_end_is_said(void **state)
{
    struct fixture *f = *state;
    uint8_t *large = malloc(FRAME_BODY_MAX);
    char error[256];
    struct caller *caller;
    view reply;

    node_run(f, "node", "ca");
    caller = open_as(f, "client", 3000, error);
    assert_non_null(caller);
    memset(large, 7, FRAME_BODY_MAX);

    assert_int_equal(caller_call(caller, OPERATION_USER_LIST, VIEW_TEXT("body"), &reply), CKR_OK);
    assert_true(view_equal(reply, VIEW_TEXT("body")));
    assert_int_equal(caller_call(caller, OPERATION_USER_LIST, view_of(large, FRAME_BODY_MAX),
                                 &reply),
                     CKR_OK);
    assert_int_equal(reply.len, FRAME_BODY_MAX);
    assert_memory_equal(reply.data, large, FRAME_BODY_MAX);
    assert_int_equal(caller_call(caller, OPERATION_USER_LIST, VIEW_EMPTY, &reply), CKR_OK);
    assert_int_equal(reply.len, 0);
    caller_close(caller);
    assert_int_equal(f->detached, 1);
    free(large);
}

static void
a_refusal_is_handed_on(void **state)
{
    struct fixture *f = *state;
    char error[256];
    struct caller *caller;
    view reply;

    f->refuse = OPERATION_USER_CREATE;
    node_run(f, "node", NULL);
    caller = open_as(f, NULL, 3000, error);
    assert_non_null(caller);

    assert_int_equal(caller_call(caller, OPERATION_USER_CREATE, VIEW_EMPTY, &reply),
                     CKR_DEVICE_MEMORY);
    assert_int_equal(reply.len, 0);
    caller_close(caller);
}

static void
another_anchor_is_a_signature_failure(void **state)
{
    struct fixture *f = *state;
    char error[256];

    node_run(f, "impostor", NULL);

    assert_null(open_as(f, NULL, 3000, error));
    assert_string_equal(error, "Certificate ERROR: [Certificate signature failure]");
}

static void
without_a_certificate_the_node_does_not_take_us_in(void **state)
{
    struct fixture *f = *state;
    char error[256];

    node_run(f, "node", "ca");

    assert_null(open_as(f, NULL, 3000, error));
    assert_true(error[0] != '\0');
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void
a_silent_node_has_its_limit(void **state)
{
    struct fixture *f = *state;
    char error[256];
    struct caller *caller;
    uint64_t start;
    view reply;

    f->silent_at = OPERATION_USER_LIST;
    node_run(f, "node", NULL);
    caller = open_as(f, NULL, 300, error);
    assert_non_null(caller);
    start = now_ms();

    assert_int_equal(caller_call(caller, OPERATION_USER_LIST, VIEW_EMPTY, &reply),
                     CKR_DEVICE_ERROR);

    assert_in_range(now_ms() - start, 250, 20000);
    /* What comes late is no answer to the next question: the connection is over. */
    assert_int_equal(caller_call(caller, OPERATION_TOKEN, VIEW_EMPTY, &reply), CKR_DEVICE_ERROR);
    caller_close(caller);
}

static void
a_node_that_does_not_shake_hands_has_its_limit(void **state)
{
    struct fixture *f = *state;
    char error[256];
    uint64_t start = now_ms();

    /* It listens, and nobody is at home. */
    assert_null(open_as(f, NULL, 300, error));

    assert_string_equal(error, "no answer in time");
    assert_in_range(now_ms() - start, 250, 20000);
}

static void
nobody_there_is_told(void **state)
{
    struct fixture *f = *state;
    struct tls_context *tls = tls_fixture_client(&f->tls, NULL);
    unsigned port = listener_port(f->listener);
    char error[256] = "";

    listener_free(f->listener);

    assert_null(caller_open("127.0.0.1", port, tls, 300, error, sizeof error));

    assert_true(error[0] != '\0');
    tls_context_free(tls);
    f->listener = listener_new(f->loop, "127.0.0.1:0", on_accepted, f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(calls_are_answered_and_the_end_is_said),
        TEST(a_refusal_is_handed_on),
        TEST(another_anchor_is_a_signature_failure),
        TEST(without_a_certificate_the_node_does_not_take_us_in),
        TEST(a_silent_node_has_its_limit),
        TEST(a_node_that_does_not_shake_hands_has_its_limit),
        TEST(nobody_there_is_told),
    };

    return cmocka_run_group_tests_name("net/caller", tests, NULL, NULL);
}
