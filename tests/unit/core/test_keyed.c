/* SPDX-License-Identifier: Apache-2.0
 *
 * Parsed keys within their budget: who loses one, and that nobody notices.
 */
#include "unit/core/core_test.h"

#include <pthread.h>

/* ---- the ring ---- */

static bool used[16];
static unsigned looks;

static bool
is_used(void *arg, uint32_t handle)
{
    bool was = used[handle];

    UNUSED(arg);
    looks++;
    used[handle] = false;
    return was;
}

static void
the_one_not_used_of_late_goes(void **state)
{
    struct keyed keyed;

    UNUSED(state);
    assert_true(keyed_init(&keyed, 3));
    memset(used, 0, sizeof used);
    for (uint32_t handle = 1; handle <= 3; handle++) {
        assert_int_equal(keyed_enter(&keyed, handle, is_used, NULL), 0);
    }
    used[1] = true;
    assert_int_equal(keyed_enter(&keyed, 4, is_used, NULL), 2);
    used[3] = true;
    assert_int_equal(keyed_enter(&keyed, 5, is_used, NULL), 1);
    keyed_clear(&keyed);
}

static bool
all_used(void *arg, uint32_t handle)
{
    UNUSED(arg);
    UNUSED(handle);
    looks++;
    return true;
}

static void
where_all_are_used_one_goes_all_the_same(void **state)
{
    struct keyed keyed;

    UNUSED(state);
    assert_true(keyed_init(&keyed, 100));
    for (uint32_t handle = 1; handle <= 100; handle++) {
        assert_int_equal(keyed_enter(&keyed, handle, all_used, NULL), 0);
    }
    looks = 0;
    assert_int_not_equal(keyed_enter(&keyed, 101, all_used, NULL), 0);
    assert_int_equal(looks, KEYED_LOOKS);
    keyed_clear(&keyed);
}

/* ---- in the HSM ---- */

#define KEYS 12u
#define BUDGET 4u

/* Token objects with a parsed key. */
static size_t
parsed(struct hsm *hsm)
{
    size_t count = 0;

    for (struct object *object = table_next(&hsm->objects, 0); object != NULL;
         object = table_next(&hsm->objects, object->handle)) {
        count += atomic_load(&object->key) != NULL;
    }
    return count;
}

static void
shrink(struct hsm *hsm)
{
    keyed_clear(&hsm->keyed);
    assert_true(keyed_init(&hsm->keyed, BUDGET));
}

static void
make_keys(struct fixture *f, uint32_t keys[KEYS])
{
    for (size_t i = 0; i < KEYS; i++) {
        keys[i] = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    }
}

static void
many_keys_take_turns_within_the_budget(void **state)
{
    struct fixture *f = *state;
    struct mechanism ecb = mechanism_plain(CKM_AES_ECB);
    uint8_t first[16];
    uint32_t keys[KEYS];
    view out;

    shrink(f->hsm.hsm);
    make_keys(f, keys);
    assert_ok(app_encrypt(&f->cu1, ecb, keys[0], VIEW_TEXT("0123456789abcdef"), &out));
    memcpy(first, out.data, sizeof first);
    for (size_t round = 0; round < 3; round++) {
        for (size_t i = 0; i < KEYS; i++) {
            assert_ok(app_encrypt(&f->cu1, ecb, keys[i], VIEW_TEXT("0123456789abcdef"), &out));
            assert_view_equal(out, view_of(first, sizeof first));
            assert_true(parsed(f->hsm.hsm) <= BUDGET);
        }
    }
    assert_int_equal(parsed(f->hsm.hsm), BUDGET);
    /* One without a parsed key is changed and removed like any other. */
    for (size_t i = 0; i < KEYS; i++) {
        assert_ok(app_set(&f->cu1, keys[i], LIST(BYTES(LABEL, "x"))));
        assert_ok(app_encrypt(&f->cu1, ecb, keys[i], VIEW_TEXT("0123456789abcdef"), &out));
        assert_ok(app_destroy(&f->cu1, keys[i]));
    }
    assert_int_equal(parsed(f->hsm.hsm), 0);
}

static void
a_running_operation_keeps_its_key(void **state)
{
    struct fixture *f = *state;
    uint32_t keys[KEYS];
    view out;

    shrink(f->hsm.hsm);
    make_keys(f, keys);
    assert_ok(app_start(&f->cu1, CKF_ENCRYPT, mechanism_plain(CKM_AES_ECB), keys[0]));
    for (size_t i = 1; i < KEYS; i++) {
        assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), keys[i],
                              VIEW_TEXT("0123456789abcdef"), &out));
    }
    assert_ok(app_update(&f->cu1, CKF_ENCRYPT, VIEW_TEXT("0123456789abcdef"), &out));
    assert_int_equal(out.len, 16);
    assert_ok(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &out));
}

struct worker {
    struct fixture *f;
    struct app app;
    const uint32_t *keys;
    unsigned seed;
};

static void *
work(void *arg)
{
    struct worker *worker = arg;
    view out;

    for (size_t i = 0; i < 400; i++) {
        worker->seed = worker->seed * 1664525u + 1013904223u;
        assert_ok(app_encrypt(&worker->app, mechanism_plain(CKM_AES_ECB),
                              worker->keys[(worker->seed >> 16) % KEYS],
                              VIEW_TEXT("0123456789abcdef"), &out));
    }
    return NULL;
}

static void
threads_take_keys_from_each_other(void **state)
{
    struct fixture *f = *state;
    struct worker workers[4];
    pthread_t threads[ARRAY_COUNT(workers)];
    uint32_t keys[KEYS];

    shrink(f->hsm.hsm);
    make_keys(f, keys);
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        workers[i] = (struct worker){ .f = f, .keys = keys, .seed = (unsigned)i };
        app_init(&workers[i].app, &f->hsm, USER1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(workers); i++) {
        pthread_join(threads[i], NULL);
        app_clear(&workers[i].app);
    }
    /* One that lost the race for its place is over the budget until it is parsed again. */
    assert_true(parsed(f->hsm.hsm) <= BUDGET + ARRAY_COUNT(workers));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_one_not_used_of_late_goes),
        cmocka_unit_test(where_all_are_used_one_goes_all_the_same),
        STANDARD(many_keys_take_turns_within_the_budget),
        STANDARD(a_running_operation_keeps_its_key),
        STANDARD(threads_take_keys_from_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
