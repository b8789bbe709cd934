/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that hangs for longer than anybody waits, and then writes all the same: the HSM comes to
 * know what became of it.
 */
#include "unit/core/core_test.h"

#include "store/txn.h"

#define HELD_MAX 8u
#define LATE BYTES(LABEL, "late")

/* ---- a store that keeps what is submitted to itself ---- */

static struct held {
    struct store_txn *txn;
    store_done *done;
    void *arg;
} held[HELD_MAX];
static size_t held_count;
static pthread_mutex_t held_lock = PTHREAD_MUTEX_INITIALIZER;
static void (*submit_really)(struct store *store, const struct store_txn *txn, store_done *done,
                             void *arg);

static void
submit_held(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    UNUSED(store);
    pthread_mutex_lock(&held_lock);
    assert_true(held_count < HELD_MAX);
    held[held_count++] = (struct held){ txn_dup(txn), done, arg };
    pthread_mutex_unlock(&held_lock);
}

static void
hang(struct fixture *f)
{
    struct store *store = f->hsm.outside.ports.store;

    submit_really = store->submit;
    store->submit = submit_held;
}

/* How many it writes now, if it writes. */
static size_t
hang_no_more(struct fixture *f, bool writes)
{
    struct store *store = f->hsm.outside.ports.store;
    const size_t count = held_count;

    store->submit = submit_really;
    for (size_t i = 0; i < count; i++) {
        if (writes) {
            store->submit(store, held[i].txn, held[i].done, held[i].arg);
        } else {
            held[i].done(held[i].arg, STORE_FAILED, 0);
        }
        free(held[i].txn);
    }
    held_count = 0;
    return count;
}

/* ---- three who write while it hangs ---- */

struct late_writers {
    struct fixture *f;
    uint32_t destroyed;
    struct writer create; /* a request's body */
    CK_RV codes[3];
    pthread_t threads[3];
};

static void *
destroy_run(void *arg)
{
    struct late_writers *w = arg;

    w->codes[0] = app_destroy(&w->f->cu1, w->destroyed);
    return NULL;
}

static void *
create_run(void *arg)
{
    struct late_writers *w = arg;
    view body;

    w->codes[1] = app_call(&w->f->cu2, OPERATION_OBJECT_CREATE, writer_view(&w->create), &body);
    return NULL;
}

static void *
login_run(void *arg)
{
    struct late_writers *w = arg;

    w->codes[2] = app_login(&w->f->nobody, ROLE_CU, USER1_NAME, "not this one");
    return NULL;
}

static void
write_late(struct late_writers *w, struct fixture *f, bool writes)
{
    static void *(*const runs[])(void *arg) = { destroy_run, create_run, login_run };
    const struct object_create_request create_m = { 0, LIST(PRIVATE_DATA, TOKEN_YES, LATE) };

    *w = (struct late_writers){ .f = f };
    w->destroyed = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    (void)create(&f->cu2, LIST(PRIVATE_DATA, TOKEN_YES)); /* numbers are there */
    writer_init(&w->create, FRAME_BODY_MAX);
    object_create_request_write(&w->create, &create_m);
    hang(f);
    for (size_t i = 0; i < ARRAY_COUNT(runs); i++) {
        assert_int_equal(pthread_create(&w->threads[i], NULL, runs[i], w), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(runs); i++) {
        pthread_join(w->threads[i], NULL);
        assert_code(w->codes[i], CKR_DEVICE_ERROR);
    }
    hsm_sweep(f->hsm.hsm, UINT64_MAX); /* nothing has ended */
    assert_int_equal(hang_no_more(f, writes), ARRAY_COUNT(runs));
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
}

/* ---- tests ---- */

static void
what_was_written_late_is_known(void **state)
{
    struct fixture *f = *state;
    struct late_writers w;
    struct attribute attribute;
    view body;

    write_late(&w, f, true);
    assert_code(app_get(&f->cu1, w.destroyed, CKA_LABEL, &attribute), CKR_OBJECT_HANDLE_INVALID);
    assert_ok(app_repeat(&f->cu2, OPERATION_OBJECT_CREATE, writer_view(&w.create), &body));
    assert_int_equal(found(&f->cu2, LIST(LATE)), 1);
    assert_int_equal(app_failures(&f->officer, USER1_NAME), 1);
    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    writer_clear(&w.create);
}

static void
what_was_not_written_after_all_is_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct late_writers w;
    view body;

    write_late(&w, f, false);
    assert_int_equal(found(&f->cu2, LIST(LATE)), 0);
    assert_int_equal(app_failures(&f->officer, USER1_NAME), 0);
    assert_ok(app_destroy(&f->cu1, w.destroyed));
    assert_ok(app_call(&f->cu2, OPERATION_OBJECT_CREATE, writer_view(&w.create), &body));
    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    writer_clear(&w.create);
}

/* Nobody is there any more to be told, or to write the journal. */
static void
it_may_end_after_the_partition(void **state)
{
    struct fixture *f = *state;
    struct late_writers w = { .f = f };

    hang(f);
    assert_int_equal(pthread_create(&w.threads[0], NULL, login_run, &w), 0);
    pthread_join(w.threads[0], NULL);
    hsm_close(f->hsm.hsm);
    f->hsm.hsm = NULL;
    assert_int_equal(hang_no_more(f, true), 1);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->officer));
    assert_int_equal(app_failures(&f->officer, USER1_NAME), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(what_was_written_late_is_known),
        AZURE(what_was_not_written_after_all_is_as_it_was),
        AZURE(it_may_end_after_the_partition),
    };

    return cmocka_run_group_tests_name("core/lates", tests, NULL, NULL);
}
