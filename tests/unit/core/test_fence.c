/* SPDX-License-Identifier: Apache-2.0
 *
 * Two nodes on one store, one of which stands still: what it writes when it goes on.
 */
#include "unit/core/core_test.h"

#include "core/follow.h"
#include "lib/nodes.h"
#include "store/memory.h"

#include <pthread.h>
#include <unistd.h>

#define CREATED LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "made"))

static atomic_int renewed; /* how often the second was told to open anew */

static void
renew(struct renewal *renewal)
{
    UNUSED(renewal);
    atomic_fetch_add(&renewed, 1);
}

static int
setup(void **state)
{
    static struct renewal renewal = { .again = renew };
    struct nodes *n = nodes_new(POLICY_STANDARD);

    nodes_enter(n);
    atomic_store(&renewed, 0);
    hsm_set_renewal(n->two.hsm, &renewal);
    *state = n;
    return 0;
}

static int
teardown(void **state)
{
    nodes_free(*state);
    return 0;
}

/* The first node's time goes on; it hears itself all the while. */
static void
pass(struct nodes *n, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i += 4) {
        outside_move_clock(&n->one.outside, 4000);
        assert_true(follow_catch_up(n->one.hsm));
        hsm_beat(n->one.hsm);
    }
    assert_true(follow_catch_up(n->one.hsm));
}

static void
stand_still(struct nodes *n, bool still)
{
    memory_store_hold(n->two.outside.inner, still);
}

static CK_RV
made(struct app *app)
{
    app->revision = 0; /* it is not behind what the application has seen */
    return app_create(app, CREATED, NULL);
}

static void
who_stood_still_for_long_writes_nothing_more(void **state)
{
    struct nodes *n = *state;

    stand_still(n, true);
    pass(n, 44);
    assert_ok(made(&n->other)); /* not for so long */
    assert_int_equal(atomic_load(&renewed), 0);
    pass(n, 44);
    assert_code(made(&n->other), CODE_LAGGING);
    assert_int_equal(atomic_load(&renewed), 1);
    /* Nor is anything answered until it opens anew. */
    assert_code(app_get(&n->other, 0x40000, CKA_LABEL, &(struct attribute){ 0 }), CODE_LAGGING);

    stand_still(n, false);
    hsm_fixture_reopen(&n->two);
    assert_ok(hsm_fixture_enter(&n->two, "two"));
    assert_ok(app_attach(&n->other));
    assert_ok(made(&n->other));
    assert_true(follow_catch_up(n->one.hsm));
    assert_int_equal(found(&n->cu1, LIST(BYTES(LABEL, "made"))), 2);
}

static void
who_hears_that_it_was_fenced_opens_anew(void **state)
{
    struct nodes *n = *state;

    stand_still(n, true);
    pass(n, 68);
    assert_int_equal(atomic_load(&renewed), 0);
    stand_still(n, false);
    for (int i = 0; i < 500 && atomic_load(&renewed) == 0; i++) {
        usleep(10000);
    }
    assert_int_equal(atomic_load(&renewed), 1);
    assert_code(app_get(&n->other, 0x40000, CKA_LABEL, &(struct attribute){ 0 }), CODE_LAGGING);
}

static struct nodes *loading;
static bool (*whole_load)(struct store *store, store_visit *visit, void *arg);

/* As long as that takes where there is a million of keys. */
static bool
slow_load(struct store *store, store_visit *visit, void *arg)
{
    bool loaded = whole_load(store, visit, arg);

    store->load_all = whole_load;
    pass(loading, 68);
    return loaded;
}

static void
who_is_fenced_while_it_loads_loads_once(void **state)
{
    struct nodes *n = *state;
    struct store *store = &n->two.outside.store.store;
    const struct member *two;

    hsm_beat(n->two.hsm);
    assert_true(follow_catch_up(n->one.hsm));
    outside_move_clock(&n->two.outside, LEASE_MS); /* it dies: it does not say that it ends */
    loading = n;
    whole_load = store->load_all;
    store->load_all = slow_load;
    hsm_fixture_reopen(&n->two);
    assert_true(store->load_all == whole_load);
    two = members_by_serial(&n->two.hsm->members, VIEW_TEXT(NODE_TWO));
    assert_int_equal(two->fenced, 1);
    assert_true(follow_catch_up(n->two.hsm));
    assert_false(fence_is_lost(n->two.hsm));
    assert_ok(app_attach(&n->other));
    assert_ok(made(&n->other));
}

static void
who_was_removed_writes_nothing_more(void **state)
{
    struct nodes *n = *state;
    const struct node_remove_request m = { 2 };
    struct node_remove_reply answer;

    stand_still(n, true);
    assert_ok(made(&n->other));
    assert_ok(app_send_node_remove(&n->officer, &m, &answer));
    assert_true(made(&n->other) != CKR_OK);
    assert_true(follow_catch_up(n->one.hsm));
    assert_int_equal(found(&n->cu1, LIST(BYTES(LABEL, "made"))), 1);
    stand_still(n, false);
}

/* Who does not hear himself fences nobody, and not at once when he hears again. */
static void
who_does_not_hear_fences_nobody(void **state)
{
    struct nodes *n = *state;

    stand_still(n, true);
    for (int i = 0; i < 3; i++) {
        outside_move_clock(&n->one.outside, 40000);
        hsm_beat(n->one.hsm);
        assert_true(follow_catch_up(n->one.hsm));
    }
    pass(n, 44);
    assert_ok(made(&n->other));
    stand_still(n, false);
}

/* A node that moves writes its record itself. */
static void
who_moves_goes_on_writing(void **state)
{
    struct nodes *n = *state;

    assert_ok(hsm_fixture_enter(&n->two, "elsewhere"));
    assert_ok(made(&n->other));
    assert_true(follow_catch_up(n->two.hsm));
    assert_ok(made(&n->other));
    assert_int_equal(atomic_load(&renewed), 0);
    hsm_fixture_reopen(&n->two);
    assert_ok(app_attach(&n->other));
    assert_ok(made(&n->other));
}

static void (*whole_submit)(struct store *store, const struct store_txn *txn, store_done *done,
                            void *arg);

static void
unheard(void *arg, enum store_result result, uint64_t revision)
{
    UNUSED(arg);
    UNUSED(revision);
    assert_int_equal(result, STORE_OK);
}

/* The next one happens when nobody waits for it any more. */
static void
slow_submit(struct store *store, const struct store_txn *txn, store_done *done, void *arg)
{
    store->submit = whole_submit;
    whole_submit(store, txn, unheard, NULL);
    done(arg, STORE_UNKNOWN, 0);
}

static void
who_enters_by_a_slow_store_goes_on_writing(void **state)
{
    struct nodes *n = *state;
    struct store *store = &n->two.outside.store.store;

    whole_submit = store->submit;
    store->submit = slow_submit;
    assert_ok(hsm_fixture_enter(&n->two, "elsewhere"));
    assert_true(store->submit == whole_submit);
    assert_ok(made(&n->other));
    assert_true(follow_catch_up(n->two.hsm));
    assert_ok(made(&n->other));
    assert_int_equal(atomic_load(&renewed), 0);
}

/* What it did before it stood still, another one has done meanwhile: the reply is there as long as it
 * could be done again. */
static void
replies_stay_while_somebody_is_silent(void **state)
{
    struct nodes *n = *state;
    struct reply_key key = { .request = n->cu1.request + 1 };
    struct store *store = n->one.outside.inner;
    struct reply_name name;
    struct writer value;
    uint64_t revision = 0;

    memcpy(key.context, n->cu1.context, FRAME_CONTEXT_LEN);
    name = reply_name(&key);
    writer_init(&value, STORE_VALUE_MAX);
    assert_ok(made(&n->cu1));
    stand_still(n, true);
    outside_move_clock(&n->one.outside, REPLY_REST_MS + 1000);
    hsm_beat(n->one.hsm); /* it did not hear: who else did not is not known */
    assert_true(follow_catch_up(n->one.hsm));
    n->cu1.back = 1; /* all before is settled */
    for (int i = 0; i < 2; i++) {
        assert_ok(made(&n->cu1));
        assert_true(store->get(store, reply_name_view(&name), &revision, &value));
        assert_true(revision != 0);
    }
    pass(n, 68);
    assert_ok(made(&n->cu1));
    assert_true(store->get(store, reply_name_view(&name), &revision, &value));
    assert_int_equal(revision, 0);
    writer_clear(&value);
    stand_still(n, false);
}

/* The silent one's last beat is found at the start; that is not hearing it. */
static void
who_has_just_begun_takes_no_reply_away(void **state)
{
    struct nodes *n = *state;
    struct reply_key key = { .request = n->cu1.request + 1 };
    struct reply_name name;
    struct writer value;

    memcpy(key.context, n->cu1.context, FRAME_CONTEXT_LEN);
    name = reply_name(&key);
    writer_init(&value, STORE_VALUE_MAX);
    assert_ok(made(&n->cu1));
    hsm_beat(n->two.hsm);
    stand_still(n, true);
    pass(n, 56);
    hsm_fixture_reopen(&n->one);
    assert_ok(app_attach(&n->cu1));
    outside_move_clock(&n->one.outside, 1000);
    pass(n, 4);
    n->cu1.back = 1; /* all before is settled */
    for (int i = 0; i < 2; i++) {
        assert_ok(made(&n->cu1));
        assert_true(outside_record(&n->one.outside, name.text, &value));
    }
    pass(n, 68);
    assert_ok(made(&n->cu1));
    assert_false(outside_record(&n->one.outside, name.text, &value));
    writer_clear(&value);
    stand_still(n, false);
}

/* ---- who stood still while it worked ---- */

static size_t
session_objects(struct hsm *hsm)
{
    struct hsm_counts counts;

    hsm_count(hsm, &counts);
    return counts.session_objects;
}

static void
what_was_made_while_it_stood_still_is_not_there(void **state)
{
    struct nodes *n = *state;
    struct key_info info;
    view sessions = LIST(AES_GENERATE);

    outside_jump(&n->two.outside, 0, STALE_MS + 1000);
    assert_code(app_generate(&n->other, CKM_AES_KEY_GEN, sessions, &info), CODE_LAGGING);
    assert_int_equal(session_objects(n->two.hsm), 0);

    assert_true(follow_catch_up(n->two.hsm));
    n->other.request--; /* it comes again, and nothing was kept */
    assert_ok(app_generate(&n->other, CKM_AES_KEY_GEN, sessions, &info));
    assert_int_equal(session_objects(n->two.hsm), 1);
}

#define DOOR 2 /* looks at the clock before a handler runs */

static void
what_an_operation_gives_after_that_is_not_told(void **state)
{
    struct nodes *n = *state;
    const struct mechanism mechanism = { .type = CKM_SHA256_HMAC };
    view signature;
    uint32_t key = generate(&n->other, CKM_GENERIC_SECRET_KEY_GEN,
                            LIST(ULONG(VALUE_LEN, 32), TOKEN_YES, BOOL(SIGN, true)));

    assert_ok(app_start(&n->other, CKF_SIGN, mechanism, key));
    outside_jump(&n->two.outside, DOOR + 1, STALE_MS + 1000);
    assert_code(app_final(&n->other, CKF_SIGN, VIEW_EMPTY, &signature), CODE_LAGGING);
    assert_true(follow_catch_up(n->two.hsm));
    assert_ok(app_start(&n->other, CKF_SIGN, mechanism, key));
    assert_ok(app_final(&n->other, CKF_SIGN, VIEW_EMPTY, &signature));
}

/* ---- who is behind ---- */

static void *
let_go_soon(void *arg)
{
    usleep(30000);
    memory_store_hold(arg, false);
    return NULL;
}

static void
who_asks_for_what_never_was_holds_nobody_up(void **state)
{
    struct nodes *n = *state;
    struct app liar;
    struct attribute attribute;
    struct key_info info;
    pthread_t soon;
    CK_RV rv = CODE_LAGGING;

    app_init(&liar, &n->two, USER2);
    liar.revision = UINT64_MAX / 2;
    /* On a busy machine it is let go too late now and then. */
    for (int i = 0; i < 20 && rv == CODE_LAGGING; i++) {
        assert_true(follow_catch_up(n->two.hsm));
        stand_still(n, true);
        assert_code(app_get(&liar, 0x40000, CKA_LABEL, &attribute), CODE_LAGGING);

        assert_ok(app_create(&n->cu1, CREATED, &info));
        n->other.revision = n->cu1.revision;
        assert_int_equal(pthread_create(&soon, NULL, let_go_soon, n->two.outside.inner), 0);
        rv = app_get(&n->other, info.handle, CKA_LABEL, &attribute);
        pthread_join(soon, NULL);
    }
    assert_ok(rv);
    app_clear(&liar);
}

#define NODES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        NODES(who_stood_still_for_long_writes_nothing_more),
        NODES(who_hears_that_it_was_fenced_opens_anew),
        NODES(who_is_fenced_while_it_loads_loads_once),
        NODES(who_was_removed_writes_nothing_more),
        NODES(who_does_not_hear_fences_nobody),
        NODES(who_moves_goes_on_writing),
        NODES(who_enters_by_a_slow_store_goes_on_writing),
        NODES(replies_stay_while_somebody_is_silent),
        NODES(who_has_just_begun_takes_no_reply_away),
        NODES(what_was_made_while_it_stood_still_is_not_there),
        NODES(what_an_operation_gives_after_that_is_not_told),
        NODES(who_asks_for_what_never_was_holds_nobody_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
