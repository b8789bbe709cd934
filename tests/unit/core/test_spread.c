/* SPDX-License-Identifier: Apache-2.0
 *
 * Creations that are to be on several nodes before they count: three nodes on one store.
 */
#include "unit/core/core_test.h"

#include "core/follow.h"
#include "lib/nodes.h"
#include "store/memory.h"

#include <pthread.h>

#define CREATED LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "made"))
#define FOUND LIST(BYTES(LABEL, "made"))

static int
setup(void **state)
{
    struct nodes *n = nodes_new(POLICY_STANDARD);

    nodes_join_third(n);
    nodes_be_patient(n);
    *state = n;
    return 0;
}

static int
teardown(void **state)
{
    nodes_free(*state);
    return 0;
}

struct creation {
    pthread_t thread;
    struct app *app;
    struct writer request;
    bool again; /* under the number of before */
    bool pair;
    CK_RV rv;
};

static void *
creator(void *arg)
{
    struct creation *c = arg;
    view body;

    c->rv = (c->again ? app_repeat : app_call)(
        c->app, c->pair ? OPERATION_GENERATE_PAIR : OPERATION_OBJECT_CREATE,
        writer_view(&c->request), &body);
    return NULL;
}

static void
creation_begin(struct creation *c)
{
    const struct object_create_request one = { HANDLE_SESSION_FIRST, CREATED };
    const struct generate_pair_request two = {
        .mechanism = { .type = CKM_EC_KEY_PAIR_GEN },
        .public_handle = HANDLE_SESSION_FIRST,
        .private_handle = HANDLE_SESSION_FIRST + 1,
        .public_template = LIST(BYTES(EC_PARAMS, P256_OID), TOKEN_YES, BYTES(LABEL, "made")),
        .private_template = LIST(TOKEN_YES, BYTES(LABEL, "made")),
    };

    writer_init(&c->request, FRAME_BODY_MAX);
    if (c->pair) {
        generate_pair_request_write(&c->request, &two);
    } else {
        object_create_request_write(&c->request, &one);
    }
    pthread_create(&c->thread, NULL, creator, c);
}

static bool
creation_ends(struct creation *c, int ms)
{
    bool ended = thread_ends_within(c->thread, ms);

    if (ended) {
        writer_clear(&c->request);
    }
    return ended;
}

#define IN_TIME 20000

/* Searches from memory, without the other's revision. */
static size_t
on(struct hsm_fixture *f)
{
    struct app app;
    size_t count;

    assert_true(follow_catch_up(f->hsm));
    app_init(&app, f, USER1);
    app.patient = true;
    count = found(&app, FOUND);
    app_clear(&app);
    return count;
}

static void
it_is_acknowledged_when_as_many_have_it(void **state)
{
    struct nodes *n = *state;
    struct creation c = { .app = &n->cu1 };

    n->cu1.nodes = 2;
    memory_store_hold(n->two.outside.inner, true);
    creation_begin(&c);
    assert_true(creation_ends(&c, IN_TIME));    /* the third has it */
    assert_ok(c.rv);
    n->cu1.nodes = 3;
    creation_begin(&c);
    assert_false(creation_ends(&c, 300));
    memory_store_hold(n->two.outside.inner, false);
    assert_true(creation_ends(&c, IN_TIME));
    assert_ok(c.rv);
    assert_int_equal(on(&n->two), 2);
}

/* What others write meanwhile does not make the time run faster. */
static void
a_busy_store_leaves_it_the_same_time(void **state)
{
    struct nodes *n = *state;
    struct creation c = { .app = &n->cu1 };

    n->cu1.nodes = 3;
    memory_store_hold(n->two.outside.inner, true);
    creation_begin(&c);
    pause_ms(100);
    for (int i = 0; i < 1000; i++) {
        assert_true(follow_catch_up(n->three.hsm));
    }
    assert_true(follow_catch_up(n->one.hsm));
    assert_false(creation_ends(&c, 300));
    memory_store_hold(n->two.outside.inner, false);
    assert_true(creation_ends(&c, IN_TIME));
    assert_ok(c.rv);
    assert_int_equal(on(&n->two), 1);
}

static void
where_fewer_are_heard_of_nothing_is_made(void **state)
{
    struct nodes *n = *state;
    struct creation c = { .app = &n->cu1, .again = true };

    n->cu1.nodes = 4;
    assert_code(app_create(&n->cu1, CREATED, NULL), CKR_DEVICE_ERROR);
    n->cu1.nodes = 1;
    assert_int_equal(on(&n->one), 0);
    creation_begin(&c); /* nothing was kept of it, so it is done now */
    assert_true(creation_ends(&c, IN_TIME));
    assert_ok(c.rv);
    assert_int_equal(on(&n->one), 1);
    /* Session objects are nobody else's. */
    assert_ok(app_create(&n->cu1, LIST(AES_CREATE), NULL));
    n->cu1.nodes = 3;
    assert_ok(app_create(&n->cu1, CREATED, NULL));

    /* One ends, and is nobody who could have it. */
    hsm_close(n->three.hsm);
    n->three.hsm = NULL;
    assert_true(follow_catch_up(n->one.hsm));
    assert_code(app_create(&n->cu1, CREATED, NULL), CKR_DEVICE_ERROR);
    n->cu1.nodes = 2;
    assert_ok(app_create(&n->cu1, CREATED, NULL));
    assert_int_equal(on(&n->two), 3);
}

static void
what_too_few_have_is_taken_back(void **state)
{
    struct nodes *n = *state;

    n->cu1.nodes = 3;
    for (int i = 0; i < 2; i++) {
        struct creation c = { .app = &n->cu1, .pair = i == 1 };

        assert_true(follow_catch_up(n->two.hsm));
        hsm_beat(n->two.hsm);
        assert_true(follow_catch_up(n->one.hsm));
        memory_store_hold(n->two.outside.inner, true);
        creation_begin(&c);
        assert_false(creation_ends(&c, 300));
        outside_move_clock(&n->one.outside, LEASE_MS);
        assert_true(creation_ends(&c, IN_TIME));
        assert_code(c.rv, CKR_DEVICE_ERROR);
        memory_store_hold(n->two.outside.inner, false);
        for (size_t node = 0; node < 3; node++) {
            assert_int_equal(on(node == 0 ? &n->one : node == 1 ? &n->two : &n->three), 0);
        }
    }
}

/* The daemon asks again, there or elsewhere: it was made and taken back, and is not made again. */
static void
what_was_taken_back_stays_so(void **state)
{
    struct nodes *n = *state;
    struct creation c = { .app = &n->cu1 }, again = { .app = &n->cu1, .again = true };

    n->cu1.nodes = 3;
    memory_store_hold(n->two.outside.inner, true);
    creation_begin(&c);
    assert_false(creation_ends(&c, 300));
    outside_move_clock(&n->one.outside, LEASE_MS);
    assert_true(creation_ends(&c, IN_TIME));
    memory_store_hold(n->two.outside.inner, false);
    assert_true(follow_catch_up(n->two.hsm));
    hsm_beat(n->two.hsm);
    assert_true(follow_catch_up(n->one.hsm));

    creation_begin(&again);
    assert_true(creation_ends(&again, IN_TIME));
    assert_code(again.rv, CKR_DEVICE_ERROR);
    hsm_fixture_reopen(&n->one);
    assert_ok(app_attach(&n->cu1));
    n->cu1.request--;
    creation_begin(&again);
    assert_true(creation_ends(&again, IN_TIME));
    assert_code(again.rv, CKR_DEVICE_ERROR);
    assert_ok(app_move(&n->cu1, &n->two));
    creation_begin(&again);
    assert_true(creation_ends(&again, IN_TIME));
    assert_code(again.rv, CKR_DEVICE_ERROR);
    assert_int_equal(on(&n->one), 0);
}

/* The node that made it is no more; another one is asked, and sees to it. */
static void
a_repeat_looks_whether_as_many_have_it(void **state)
{
    struct nodes *n = *state;
    struct creation c = { .app = &n->cu1 }, again = { .app = &n->cu1, .again = true };

    creation_begin(&c);
    assert_true(creation_ends(&c, IN_TIME));
    assert_ok(c.rv);
    n->cu1.nodes = 3;
    creation_begin(&again);
    assert_true(creation_ends(&again, IN_TIME));
    assert_ok(again.rv);
    memory_store_hold(n->two.outside.inner, true);
    creation_begin(&again);
    assert_false(creation_ends(&again, 300));
    outside_move_clock(&n->one.outside, LEASE_MS);
    assert_true(creation_ends(&again, IN_TIME));
    assert_code(again.rv, CKR_DEVICE_ERROR);
    memory_store_hold(n->two.outside.inner, false);
    assert_int_equal(on(&n->three), 0);
}

static void
alone_one_is_all_there_is(void **state)
{
    struct fixture *f = *state;

    f->cu1.nodes = 2;
    assert_code(app_create(&f->cu1, CREATED, NULL), CKR_DEVICE_ERROR);
    f->cu1.nodes = 1;
    assert_ok(app_create(&f->cu1, CREATED, NULL));
}

#define NODES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        NODES(it_is_acknowledged_when_as_many_have_it),
        NODES(a_busy_store_leaves_it_the_same_time),
        NODES(where_fewer_are_heard_of_nothing_is_made),
        NODES(what_too_few_have_is_taken_back),
        NODES(what_was_taken_back_stays_so),
        NODES(a_repeat_looks_whether_as_many_have_it),
        STANDARD(alone_one_is_all_there_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
