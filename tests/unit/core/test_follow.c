/* SPDX-License-Identifier: Apache-2.0
 *
 * Two nodes on one store: what happens on one is so on the other, what happens on both at once
 * happens in some order, and who does not hear of the other does not act as if he did.
 */
#include "unit/core/core_test.h"

#include "core/follow.h"
#include "lib/nodes.h"
#include "store/memory.h"

#include <pthread.h>
#include <unistd.h>

static int
setup(void **state)
{
    struct nodes *n = nodes_new(POLICY_STANDARD);

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

/* Has seen what the other one has. */
static void
sees(struct app *app, const struct app *seen)
{
    app->revision = seen->revision > app->revision ? seen->revision : app->revision;
}

#define CREATED LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "made"))

/* ---- what one does, the other knows ---- */

static void
an_object_is_the_same_on_both(void **state)
{
    struct nodes *n = *state;
    uint32_t key = create(&n->cu1, CREATED);

    sees(&n->other, &n->cu1);
    assert_view_equal(get(&n->other, key, CKA_LABEL), VIEW_TEXT("made"));
    assert_int_equal(found(&n->other, LIST(BYTES(LABEL, "made"))), 1);

    assert_ok(app_set(&n->other, key, LIST(BYTES(LABEL, "changed"))));
    sees(&n->cu1, &n->other);
    assert_view_equal(get(&n->cu1, key, CKA_LABEL), VIEW_TEXT("changed"));
    assert_int_equal(found(&n->cu1, LIST(BYTES(LABEL, "made"))), 0);

    assert_ok(app_destroy(&n->cu1, key));
    sees(&n->other, &n->cu1);
    assert_code(app_destroy(&n->other, key), CKR_OBJECT_HANDLE_INVALID);
    assert_int_equal(found(&n->other, LIST(BYTES(LABEL, "changed"))), 0);
}

static void
handles_are_never_given_by_both(void **state)
{
    struct nodes *n = *state;

    for (int i = 0; i < 20; i++) {
        uint32_t a = create(&n->cu1, CREATED);
        uint32_t b = create(&n->other, CREATED);

        assert_int_not_equal(a, b);
    }
    sees(&n->cu1, &n->other);
    assert_int_equal(found(&n->cu1, LIST(BYTES(LABEL, "made"))), 40);
}

static void
what_was_made_elsewhere_is_found_though_it_was_not_told_yet(void **state)
{
    struct nodes *n = *state;
    uint32_t key = create(&n->cu1, CREATED);
    struct attribute attribute;

    /* Nothing tells this one how far it has to see. */
    assert_ok(app_get(&n->other, key, CKA_LABEL, &attribute));
    assert_code(app_get(&n->other, key + 1, CKA_LABEL, &attribute), CKR_OBJECT_HANDLE_INVALID);
}

static void
a_node_that_is_behind_says_so(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    struct attribute attribute;
    uint32_t key;

    n->other.patient = false;
    memory_store_hold(store, true);
    key = create(&n->cu1, CREATED);
    assert_code(app_get(&n->other, key, CKA_LABEL, &attribute), CODE_LAGGING);
    sees(&n->other, &n->cu1);
    assert_code(app_find(&n->other, VIEW_EMPTY, FIND_MAX, NULL, 0, NULL), CODE_LAGGING);
    assert_code(app_get(&n->other, key, CKA_LABEL, &attribute), CODE_LAGGING);
    memory_store_hold(store, false);
    assert_true(follow_await(n->two.hsm, n->cu1.revision, 5000));
    assert_ok(app_get(&n->other, key, CKA_LABEL, &attribute));
}

static void
changes_of_others_move_the_page(void **state)
{
    struct nodes *n = *state;
    uint32_t key = create(&n->cu1, CREATED);
    struct changes_request m = { 0, 0 };
    struct changes_reply before, after;

    sees(&n->other, &n->cu1);
    (void)get(&n->other, key, CKA_LABEL);
    assert_ok(app_send_changes(&n->other, &m, &before));
    m = (struct changes_request){ before.boot, before.sequence };
    assert_ok(app_set(&n->cu1, key, LIST(BYTES(LABEL, "changed"))));
    sees(&n->other, &n->cu1);
    (void)get(&n->other, key, CKA_LABEL);
    assert_ok(app_send_changes(&n->other, &m, &after));

    assert_false(after.all);
    assert_int_equal(after.handles.bytes.len, 4);
    assert_int_equal(load_u32(after.handles.bytes.data), key);

    m.since = after.sequence;
    assert_ok(app_set_password(&n->officer, ROLE_CU, USER2_NAME, "another1234"));
    sees(&n->other, &n->officer);
    (void)get(&n->other, key, CKA_LABEL);
    assert_ok(app_send_changes(&n->other, &m, &after));
    assert_true(after.all);
}

static void
users_are_the_same_on_both(void **state)
{
    struct nodes *n = *state;
    struct app app;

    assert_ok(app_make_user(&n->officer, ROLE_CU, "new", "password1"));
    app_init(&app, &n->two, APP_NOBODY);
    app.patient = true;
    sees(&app, &n->officer);
    assert_ok(app_login(&app, ROLE_CU, "new", "password1"));
    create(&app, CREATED);
    app_logout(&app);

    assert_ok(app_set_password(&n->officer, ROLE_CU, "new", "password2"));
    sees(&app, &n->officer);
    assert_code(app_login(&app, ROLE_CU, "new", "password1"), CKR_PIN_INCORRECT);
    assert_ok(app_login(&app, ROLE_CU, "new", "password2"));
    app_clear(&app);
}

/* Its daemon asks another node, with what that one has to know first. */
static void
a_login_is_taken_up_when_the_node_knows_its_user(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    struct app app;
    struct attribute attribute;
    uint32_t key;

    memory_store_hold(store, true);
    assert_ok(app_make_user(&n->officer, ROLE_CU, "new", "password1"));
    app_init(&app, &n->one, APP_NOBODY);
    assert_ok(app_login(&app, ROLE_CU, "new", "password1"));
    key = create(&app, CREATED);

    assert_ok(app_move(&app, &n->two));
    assert_code(app_get(&app, key, CKA_LABEL, &attribute), CODE_LAGGING);
    memory_store_hold(store, false);
    assert_true(follow_await(n->two.hsm, app.revision, 5000));
    app.revision = 0; /* what came with the ticket counts for all that come after it */
    assert_ok(app_get(&app, key, CKA_LABEL, &attribute));
    app_clear(&app);
}

static void
a_login_that_is_over_is_not_taken_up_by_who_has_not_heard(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    struct app app;
    struct context *context;

    app_init(&app, &n->one, APP_NOBODY);
    assert_ok(app_login(&app, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    assert_true(follow_catch_up(n->two.hsm));
    memory_store_hold(store, true);
    assert_ok(app_logout(&app));
    assert_ok(app_move(&app, &n->two));
    context = context_find(&n->two.hsm->contexts, app.context);
    assert_non_null(context);
    assert_int_equal(context_identity(context).role, ROLE_NONE);
    context_unref(context);
    memory_store_hold(store, false);
    app.patient = true;
    assert_code(app_create(&app, CREATED, NULL), CKR_USER_NOT_LOGGED_IN);
    app_clear(&app);
}

static void
who_was_deleted_is_nobody_anywhere(void **state)
{
    struct nodes *n = *state;

    (void)found(&n->cu2, VIEW_EMPTY);
    assert_ok(app_delete_user(&n->officer, ROLE_CU, USER2_NAME));
    /* When it is answered every node knows of it. */
    assert_code(app_create(&n->cu2, CREATED, NULL), CKR_USER_NOT_LOGGED_IN);
    assert_code(app_login(&n->cu2, ROLE_CU, USER2_NAME, USER2_PASSWORD), CKR_PIN_INCORRECT);
}

static void
failed_logins_count_wherever_they_are_made(void **state)
{
    struct nodes *n = *state;
    struct app a, b;

    app_init(&a, &n->one, APP_NOBODY);
    app_init(&b, &n->two, APP_NOBODY);
    a.patient = b.patient = true;
    for (unsigned i = 0; i < USER_FAILURES_MAX; i++) {
        assert_code(app_login(i % 2 == 0 ? &a : &b, ROLE_CU, USER2_NAME, "wrong password"),
                    CKR_PIN_INCORRECT);
    }
    assert_code(app_login(&b, ROLE_CU, USER2_NAME, USER2_PASSWORD), CKR_PIN_LOCKED);
    assert_int_equal(app_failures(&n->officer, USER2_NAME), USER_FAILURES_MAX);
    app_clear(&a);
    app_clear(&b);
}

static void
a_login_goes_with_its_ticket_and_ends_with_its_logout(void **state)
{
    struct nodes *n = *state;
    struct app app;
    uint32_t key;

    app_init(&app, &n->one, APP_NOBODY);
    app.patient = true;
    assert_ok(app_login(&app, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    key = create(&app, CREATED);
    assert_ok(app_move(&app, &n->two));
    assert_view_equal(get(&app, key, CKA_LABEL), VIEW_TEXT("made"));
    assert_ok(app_logout(&app));
    app.hsm = &n->one.hsm;
    app.outside = &n->one.outside;
    assert_code(app_create(&app, CREATED, NULL), CKR_USER_NOT_LOGGED_IN);
    assert_ok(app_detach(&app));
    assert_ok(app_attach(&app));        /* with the old ticket */
    assert_code(app_create(&app, CREATED, NULL), CKR_USER_NOT_LOGGED_IN);
    app_clear(&app);
}

static void *
let_go_soon(void *store)
{
    usleep(50000);
    memory_store_hold(store, false);
    return NULL;
}

/* A creation whose reply was lost with its node comes again to the other, which knows of it, or
 * finds out when it does the same. */
static void
a_repeat_on_another_node_gets_the_first_reply(void **state)
{
    struct nodes *n = *state;
    const struct object_create_request m = { HANDLE_SESSION_FIRST, CREATED };
    struct store *store = n->two.outside.inner;
    struct object_create_reply answer;
    struct writer w;
    uint32_t first;
    view body;

    for (int held = 0; held < 2; held++) {
        uint64_t seen = n->cu1.revision;
        size_t before = found(&n->cu1, LIST(BYTES(LABEL, "made")));

        pthread_t soon;

        memory_store_hold(store, held == 1);
        writer_init(&w, FRAME_BODY_MAX);
        object_create_request_write(&w, &m);
        assert_ok(app_call(&n->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
        assert_true(object_create_reply_read(body, &answer));
        first = info_array_get(answer.made, 0).handle;
        assert_ok(app_move(&n->cu1, &n->two));
        n->cu1.revision = seen;             /* the reply never came */
        if (held == 0) {
            assert_true(follow_catch_up(n->two.hsm));
        }
        pthread_create(&soon, NULL, let_go_soon, store);
        assert_ok(app_repeat(&n->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
        assert_true(object_create_reply_read(body, &answer));
        assert_int_equal(info_array_get(answer.made, 0).handle, first);
        pthread_join(soon, NULL);
        assert_int_equal(found(&n->cu1, LIST(BYTES(LABEL, "made"))), before + 1);
        assert_ok(app_move(&n->cu1, &n->one));
        writer_clear(&w);
    }
}

static void
settings_of_the_quorum_are_the_same_on_both(void **state)
{
    struct nodes *n = *state;
    const struct quorum_time_request m = { 77 };
    struct quorum_time_reply done;
    struct quorum_get_reply answer;

    assert_ok(app_send_quorum_time(&n->officer, &m, &done));
    assert_ok(app_move(&n->officer, &n->two));
    assert_ok(app_send_quorum_get(&n->officer, NULL, &answer));
    assert_int_equal(answer.seconds, 77);
    assert_ok(app_send_quorum_time(&n->officer, &(struct quorum_time_request){ 78 }, &done));
    assert_ok(app_move(&n->officer, &n->one));
    assert_ok(app_send_quorum_time(&n->officer, &(struct quorum_time_request){ 79 }, &done));
}

/* ---- at once ---- */

struct writer_thread {
    pthread_t thread;
    struct app *app;
    uint32_t object;
    int count;
    int done;
    int refused;
};

static void *
setter(void *arg)
{
    struct writer_thread *t = arg;
    char label[16];

    for (int i = 0; i < t->count; i++) {
        snprintf(label, sizeof label, "%d", i);

        CK_RV rv = app_set(t->app, t->object, LIST(BYTES(LABEL, label)));

        t->done += rv == CKR_OK;
        t->refused += rv != CKR_OK;
    }
    return NULL;
}

static void
both_at_once(void *(*run)(void *arg), struct writer_thread *a, struct writer_thread *b)
{
    pthread_create(&a->thread, NULL, run, a);
    pthread_create(&b->thread, NULL, run, b);
    pthread_join(a->thread, NULL);
    pthread_join(b->thread, NULL);
}

static void
writers_of_one_object_on_both_lose_nothing(void **state)
{
    struct nodes *n = *state;
    uint32_t key = create(&n->cu1, CREATED);
    struct writer_thread a = { .app = &n->cu1, .object = key, .count = 50 };
    struct writer_thread b = { .app = &n->other, .object = key, .count = 50 };
    struct object *one, *two;

    both_at_once(setter, &a, &b);
    assert_int_equal(a.refused + b.refused, 0);
    assert_true(follow_catch_up(n->one.hsm));
    assert_true(follow_catch_up(n->two.hsm));
    one = table_find(&n->one.hsm->objects, key);
    two = table_find(&n->two.hsm->objects, key);
    assert_int_equal(one->version, 1 + a.done + b.done);    /* each on top of the one before */
    assert_int_equal(one->version, two->version);
    assert_int_equal(one->revision, two->revision);
}

static void *
destroyer(void *arg)
{
    struct writer_thread *t = arg;
    CK_RV rv = app_destroy(t->app, t->object);

    t->done = rv == CKR_OK;
    t->refused = rv == CKR_OBJECT_HANDLE_INVALID;
    return NULL;
}

static void
an_object_is_destroyed_by_one_of_them(void **state)
{
    struct nodes *n = *state;

    for (int i = 0; i < 20; i++) {
        uint32_t key = create(&n->cu1, CREATED);
        struct writer_thread a = { .app = &n->cu1, .object = key };
        struct writer_thread b = { .app = &n->other, .object = key };

        sees(&n->other, &n->cu1);
        both_at_once(destroyer, &a, &b);
        assert_int_equal(a.done + b.done, 1);
        assert_int_equal(a.refused + b.refused, 1);
    }
}

static void *
user_maker(void *arg)
{
    struct writer_thread *t = arg;
    CK_RV rv = app_make_user(t->app, ROLE_CU, "twice", "password1");

    t->done = rv == CKR_OK;
    t->refused = rv == CODE_USER_EXISTS;
    return NULL;
}

static void
a_name_is_given_to_one_user(void **state)
{
    struct nodes *n = *state;
    struct writer_thread a = { .app = &n->officer }, b;
    struct app officer;

    app_init(&officer, &n->two, OFFICER_USER);
    officer.patient = true;
    officer.port = PORTS_manage;
    b = (struct writer_thread){ .app = &officer };
    both_at_once(user_maker, &a, &b);
    assert_int_equal(a.done + b.done, 1);
    assert_int_equal(a.refused + b.refused, 1);
    app_clear(&officer);
}

static void *
object_maker(void *arg)
{
    struct writer_thread *t = arg;

    for (int i = 0; i < t->count; i++) {
        struct key_info info;
        CK_RV rv = app_create(t->app, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "crowd")), &info);

        t->done += rv == CKR_OK;
        if (rv == CKR_OK && i % 3 == 0) {
            t->done -= app_destroy(t->app, info.handle) == CKR_OK;
        }
    }
    return NULL;
}

static void
what_both_make_at_once_is_on_both(void **state)
{
    struct nodes *n = *state;
    struct writer_thread a = { .app = &n->cu1, .count = 60 };
    struct writer_thread b = { .app = &n->other, .count = 60 };

    both_at_once(object_maker, &a, &b);
    assert_int_equal(a.done, 40);
    assert_int_equal(b.done, 40);
    sees(&n->cu1, &n->other);
    sees(&n->other, &n->cu1);
    assert_int_equal(found(&n->cu1, LIST(BYTES(LABEL, "crowd"))), 80);
    assert_int_equal(found(&n->other, LIST(BYTES(LABEL, "crowd"))), 80);
}

/* ---- journals ---- */

static void
each_node_has_a_journal_of_its_own(void **state)
{
    struct nodes *n = *state;
    struct chain one, two;
    struct store *a = n->one.outside.ports.store, *b = n->two.outside.ports.store;

    for (int i = 0; i < 5; i++) {
        create(&n->cu1, CREATED);
        create(&n->other, CREATED);
    }
    a->journal_end(a, &one);
    b->journal_end(b, &two);
    assert_int_equal(outside_count(&n->one.outside, "j/" NODE_ONE "/"), one.count);
    assert_int_equal(outside_count(&n->one.outside, "j/" NODE_TWO "/"), two.count);

    hsm_fixture_reopen(&n->two);            /* goes on where it ended */
    assert_ok(app_attach(&n->other));
    create(&n->other, CREATED);
    b->journal_end(b, &two);
    assert_int_equal(outside_count(&n->one.outside, "j/" NODE_TWO "/"), two.count);
}

/* ---- what is not told ---- */

static void
changes_that_were_not_told_are_found_by_comparing(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    uint32_t changed = create(&n->cu1, CREATED), gone = create(&n->cu1, CREATED), made;

    assert_true(follow_catch_up(n->two.hsm));
    memory_store_drop(store, true);
    made = create(&n->cu1, CREATED);
    assert_ok(app_set(&n->cu1, changed, LIST(BYTES(LABEL, "changed"))));
    outside_move_clock(&n->one.outside, LEASE_MS);  /* nobody waits for the other */
    assert_ok(app_destroy(&n->cu1, gone));
    assert_ok(app_delete_user(&n->officer, ROLE_CU, USER2_NAME));
    memory_store_drop(store, false);
    assert_true(follow_catch_up(n->two.hsm));       /* it believes to know all */
    assert_view_equal(get(&n->other, changed, CKA_LABEL), VIEW_TEXT("made"));
    assert_view_equal(get(&n->other, gone, CKA_LABEL), VIEW_TEXT("made"));

    hsm_compare(n->two.hsm);
    assert_view_equal(get(&n->other, changed, CKA_LABEL), VIEW_TEXT("changed"));
    assert_view_equal(get(&n->other, made, CKA_LABEL), VIEW_TEXT("made"));
    assert_false(app_finds(&n->other, gone));
    assert_code(app_create(&n->cu2, CREATED, NULL), CKR_USER_NOT_LOGGED_IN);
}

/* Records that are no objects: of certificates that are kept elsewhere, of numbers that rest, replies. */
static void
all_kinds_of_records_are_compared(void **state)
{
    struct nodes *n = *state;
    struct hsm *two = n->two.hsm;
    struct store *store = n->two.outside.inner;
    const struct token_record token = { .has_now = true, .version = 1 };
    const struct token_name names[] = { token_name((const uint8_t *)"0123456789abcdef", 0xfff00001),
                                        token_name((const uint8_t *)"0123456789abcdef", 0xfff00002) };
    const struct record_name rest = record_name('d', 0xfff00003);
    const struct record_name owner = record_name('c', CERT_OWNER);
    struct reply_key reply = { .request = n->cu1.request + 1, .operation = OPERATION_OBJECT_CREATE };
    struct writer value;
    const struct container *container;

    memcpy(reply.context, n->cu1.context, FRAME_CONTEXT_LEN);
    writer_init(&value, 4096);
    assert_ok(token_record_seal(&two->sealer, &names[0], &token, &value));
    outside_put(&n->one.outside, names[0].text, writer_view(&value));
    assert_true(follow_catch_up(two));
    memory_store_drop(store, true);
    outside_put(&n->one.outside, names[0].text, VIEW_EMPTY);
    writer_reset(&value);
    assert_ok(token_record_seal(&two->sealer, &names[1], &token, &value));
    outside_put(&n->one.outside, names[1].text, writer_view(&value));
    writer_reset(&value);
    assert_ok(rest_record(&two->sealer, 0xfff00003, 1000, &value));
    outside_put(&n->one.outside, rest.text, writer_view(&value));
    writer_reset(&value);
    assert_ok(record_seal(&two->sealer, record_name_view(&owner), 0, 1, VIEW_TEXT("an owner"),
                          &value));
    outside_put(&n->one.outside, owner.text, writer_view(&value));
    (void)create(&n->cu1, CREATED);
    memory_store_drop(store, false);
    assert_true(follow_catch_up(two));
    writer_reset(&value);
    assert_false(replies_find(&two->replies, &reply, &value));

    hsm_compare(two);
    container = container_find(&two->containers, VIEW_TEXT("0123456789abcdef"), false);
    assert_non_null(container);
    assert_null(container_record(container, 0xfff00001));
    assert_non_null(container_record(container, 0xfff00002));
    assert_true(numbers_knows(&two->certificates, 0xfff00003));
    assert_true(owner_revision(&two->owner) != 0);
    assert_true(replies_find(&two->replies, &reply, &value));
    writer_clear(&value);
}

static void
changes_that_cannot_be_told_are_looked_at(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    uint32_t key = create(&n->cu1, CREATED);

    assert_true(follow_catch_up(n->two.hsm));
    memory_store_hold(store, true);
    assert_ok(app_set(&n->cu1, key, LIST(BYTES(LABEL, "changed"))));
    memory_store_lose(store);
    memory_store_hold(store, false);
    assert_true(follow_catch_up(n->two.hsm));
    assert_view_equal(get(&n->other, key, CKA_LABEL), VIEW_TEXT("changed"));
}

/* ---- revocation and fencing ---- */

static void
a_destruction_waits_until_all_know_of_it(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    struct writer_thread t = { .app = &n->cu1, .object = create(&n->cu1, CREATED) };

    memory_store_hold(store, true);
    pthread_create(&t.thread, NULL, destroyer, &t);
    assert_false(thread_ends_within(t.thread, 300));
    memory_store_hold(store, false);
    assert_true(thread_ends_within(t.thread, 5000));
    assert_int_equal(t.done, 1);
}

struct repeat_thread {
    pthread_t thread;
    struct app *app;
    uint32_t object;
    CK_RV rv;
};

static void *
repeater(void *arg)
{
    struct repeat_thread *t = arg;
    uint8_t room[8];
    struct writer w;
    view body;

    writer_init_fixed(&w, room, sizeof room);
    object_destroy_request_write(&w, &(struct object_destroy_request){ t->object });
    t->rv = app_repeat(t->app, OPERATION_OBJECT_DESTROY, writer_view(&w), &body);
    return NULL;
}

/* Its daemon lost patience, and asks another node. */
static void
a_destruction_that_comes_again_waits_as_well(void **state)
{
    struct nodes *n = *state;
    struct app app = n->cu1;
    struct writer_thread first = { .app = &n->cu1, .object = create(&n->cu1, CREATED) };
    struct repeat_thread t = { .app = &app, .object = first.object };

    nodes_join_third(n);
    memory_store_hold(n->three.outside.inner, true);
    app.request = n->cu1.request;
    writer_init(&app.reply, FRAME_MAX);
    assert_ok(app_move(&app, &n->two));
    app.request++; /* the destruction's */
    pthread_create(&first.thread, NULL, destroyer, &first);
    assert_false(thread_ends_within(first.thread, 200));
    pthread_create(&t.thread, NULL, repeater, &t);
    assert_false(thread_ends_within(t.thread, 300));
    memory_store_hold(n->three.outside.inner, false);
    assert_true(thread_ends_within(t.thread, 5000));
    assert_true(thread_ends_within(first.thread, 5000));
    assert_ok(t.rv);
    assert_int_equal(first.done, 1);
    app_clear(&app);
}

static void
a_destruction_does_not_wait_for_one_whose_lease_is_over(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    struct writer_thread t = { .app = &n->cu1, .object = create(&n->cu1, CREATED) };

    memory_store_hold(store, true);
    pthread_create(&t.thread, NULL, destroyer, &t);
    assert_false(thread_ends_within(t.thread, 300));
    outside_move_clock(&n->one.outside, LEASE_MS);
    assert_true(thread_ends_within(t.thread, 5000));
    memory_store_hold(store, false);
}

static void
nobody_waits_for_a_node_that_was_stopped(void **state)
{
    struct nodes *n = *state;
    struct writer_thread t = { .app = &n->cu1, .object = create(&n->cu1, CREATED) };

    hsm_close(n->two.hsm);
    n->two.hsm = NULL;
    assert_true(follow_catch_up(n->one.hsm));
    pthread_create(&t.thread, NULL, destroyer, &t);
    assert_true(thread_ends_within(t.thread, 1000));
}

static void
a_node_that_is_cut_off_uses_keys_for_so_long(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    uint32_t key = create(&n->cu1, CREATED);
    struct attribute attribute;

    sees(&n->other, &n->cu1);
    assert_ok(app_get(&n->other, key, CKA_LABEL, &attribute));
    n->other.patient = false;
    memory_store_cut(store, true);
    outside_move_clock(&n->two.outside, STALE_MS);
    assert_ok(app_get(&n->other, key, CKA_LABEL, &attribute));
    hsm_set_stale_limit(n->two.hsm, 0);
    assert_code(app_get(&n->other, key, CKA_LABEL, &attribute), CODE_LAGGING);
    hsm_set_stale_limit(n->two.hsm, STALE_MS);
    outside_move_clock(&n->two.outside, 1);
    assert_code(app_get(&n->other, key, CKA_LABEL, &attribute), CODE_LAGGING);
    assert_code(app_send_changes(&n->other, &(struct changes_request){ 0 },
                                 &(struct changes_reply){ 0 }),
                CODE_LAGGING);
    hsm_beat(n->two.hsm);                   /* in vain */
    assert_code(app_get(&n->other, key, CKA_LABEL, &attribute), CODE_LAGGING);

    memory_store_cut(store, false);
    hsm_beat(n->two.hsm);
    n->other.patient = true;
    assert_true(follow_catch_up(n->two.hsm));
    assert_ok(app_get(&n->other, key, CKA_LABEL, &attribute));
}

static void
without_the_store_nothing_is_changed(void **state)
{
    struct nodes *n = *state;
    struct store *store = n->two.outside.inner;
    uint32_t key = create(&n->cu1, CREATED);

    sees(&n->other, &n->cu1);
    (void)get(&n->other, key, CKA_LABEL);
    memory_store_cut(store, true);
    assert_code(app_create(&n->other, CREATED, NULL), CKR_DEVICE_ERROR);
    assert_code(app_set(&n->other, key, LIST(BYTES(LABEL, "no"))), CKR_DEVICE_ERROR);
    assert_int_equal(found(&n->other, LIST(BYTES(LABEL, "made"))), 1);  /* from memory */
    memory_store_cut(store, false);
    assert_ok(app_set(&n->other, key, LIST(BYTES(LABEL, "yes"))));
}

#define NODES(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        NODES(an_object_is_the_same_on_both),
        NODES(handles_are_never_given_by_both),
        NODES(what_was_made_elsewhere_is_found_though_it_was_not_told_yet),
        NODES(a_node_that_is_behind_says_so),
        NODES(changes_of_others_move_the_page),
        NODES(users_are_the_same_on_both),
        NODES(a_login_is_taken_up_when_the_node_knows_its_user),
        NODES(a_login_that_is_over_is_not_taken_up_by_who_has_not_heard),
        NODES(who_was_deleted_is_nobody_anywhere),
        NODES(failed_logins_count_wherever_they_are_made),
        NODES(a_login_goes_with_its_ticket_and_ends_with_its_logout),
        NODES(a_repeat_on_another_node_gets_the_first_reply),
        NODES(settings_of_the_quorum_are_the_same_on_both),
        NODES(writers_of_one_object_on_both_lose_nothing),
        NODES(an_object_is_destroyed_by_one_of_them),
        NODES(a_name_is_given_to_one_user),
        NODES(what_both_make_at_once_is_on_both),
        NODES(each_node_has_a_journal_of_its_own),
        NODES(changes_that_were_not_told_are_found_by_comparing),
        NODES(all_kinds_of_records_are_compared),
        NODES(changes_that_cannot_be_told_are_looked_at),
        NODES(a_destruction_waits_until_all_know_of_it),
        NODES(a_destruction_that_comes_again_waits_as_well),
        NODES(a_destruction_does_not_wait_for_one_whose_lease_is_over),
        NODES(nobody_waits_for_a_node_that_was_stopped),
        NODES(a_node_that_is_cut_off_uses_keys_for_so_long),
        NODES(without_the_store_nothing_is_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
