/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests that come again: what changed something once does not change it twice, and says
 * what it said the first time.
 */
#include "unit/core/core_test.h"

/* ---- the table ---- */

static void
names_are_read_back_as_they_were_written(void **state)
{
    const struct reply_key key = { { 0xab, 0xcd, 1 }, 0x0123456789abcdef, OPERATION_LOGIN };
    struct reply_name name = reply_name(&key);
    struct reply_key again;

    UNUSED(state);
    assert_string_equal(name.text, "r/abcd0100000000000000000000000000/0123456789abcdef");
    assert_true(reply_name_parse(reply_name_view(&name), &again));
    assert_memory_equal(again.context, key.context, FRAME_CONTEXT_LEN);
    assert_true(again.request == key.request);

    for (size_t i = 0; i < REPLY_NAME_LEN; i++) {
        char kept = name.text[i];

        name.text[i] = 'G';
        assert_false(reply_name_parse(reply_name_view(&name), &again));
        name.text[i] = kept;
        assert_false(reply_name_parse(view_of(name.text, i), &again));
    }
    name.text[2] = 'A';
    assert_false(reply_name_parse(reply_name_view(&name), &again));
}

static size_t gone_count;

static void
count_gone(void *arg, const struct reply_key *key)
{
    UNUSED(arg);
    assert_int_equal(key->request, 2);
    gone_count++;
}

static void
keep(struct replies *replies, const struct reply_key *key, uint64_t at, bool stored, view body)
{
    struct writer out;
    struct reply_run run;

    writer_init(&out, 64);
    if (replies_enter(replies, &run, key, 0, &out) == REPLY_NEW) {
        replies_keep_run(replies, &run, at, stored, body);
        replies_leave(replies, &run);
    }
    writer_clear(&out);
}

static void
replies_are_kept_by_context_and_number_for_their_time(void **state)
{
    const struct reply_key one = { { 1 }, 1, 31 }, two = { { 1 }, 2, 31 };
    const struct reply_key other = { { 2 }, 1, 31 }, another = { { 1 }, 1, 32 };
    struct replies replies;
    struct writer out;

    UNUSED(state);
    assert_true(replies_init(&replies));
    writer_init(&out, 64);
    keep(&replies, &one, 100, false, VIEW_TEXT("one"));
    keep(&replies, &two, 100, true, VIEW_TEXT("two"));
    keep(&replies, &one, 200, false, VIEW_TEXT("not this one"));

    assert_true(replies_find(&replies, &one, &out));
    assert_view_equal(writer_view(&out), VIEW_TEXT("one"));
    assert_false(replies_find(&replies, &other, &out));
    assert_false(replies_find(&replies, &another, &out));

    gone_count = 0;
    replies_sweep(&replies, 100, count_gone, NULL);
    assert_true(replies_find(&replies, &two, &out));
    replies_sweep(&replies, 101, count_gone, NULL);
    assert_false(replies_find(&replies, &one, &out));
    assert_false(replies_find(&replies, &two, &out));
    assert_int_equal(gone_count, 1); /* the one that is in the store too */
    assert_int_equal(replies.count, 0);
    writer_clear(&out);
    replies_clear(&replies);
}

/* Enters and leaves; what came of it. */
static enum reply_state
look(struct replies *replies, const struct reply_key *key, uint64_t settled)
{
    struct writer out;
    struct reply_run run;
    enum reply_state state;

    writer_init(&out, 64);
    state = replies_enter(replies, &run, key, settled, &out);
    if (state == REPLY_NEW) {
        replies_leave(replies, &run);
    }
    writer_clear(&out);
    return state;
}

static void
what_is_settled_goes(void **state)
{
    const struct reply_key one = { { 1 }, 1, 31 }, two = { { 1 }, 2, 31 }, three = { { 1 }, 3, 31 };
    const struct reply_key four = { { 1 }, 4, 31 }, other = { { 2 }, 1, 31 };
    struct reply_key over[REPLIES_OVER_MAX];
    struct replies replies;
    struct reply_run run;
    struct writer out;

    UNUSED(state);
    assert_true(replies_init(&replies));
    writer_init(&out, 64);
    keep(&replies, &one, 100, false, VIEW_TEXT("one"));
    keep(&replies, &two, 100, true, VIEW_TEXT("two"));
    keep(&replies, &three, 100, true, VIEW_TEXT("three"));
    keep(&replies, &other, 100, false, VIEW_TEXT("other"));
    assert_int_equal(look(&replies, &one, 1), REPLY_KEPT);

    assert_int_equal(look(&replies, &three, 3), REPLY_KEPT);
    assert_int_equal(look(&replies, &one, 0), REPLY_SETTLED);
    assert_int_equal(look(&replies, &two, 2), REPLY_SETTLED);
    assert_int_equal(look(&replies, &other, 0), REPLY_KEPT);
    assert_int_equal(replies.count, 2);

    /* The record of the second goes with the next transaction, if there is one. */
    for (int committed = 0; committed < 2; committed++) {
        assert_int_equal(replies_enter(&replies, &run, &four, 3, &out), REPLY_NEW);
        assert_int_equal(replies_over(&replies, &run, UINT64_MAX, over), 1);
        assert_int_equal(over[0].request, 2);
        assert_int_equal(replies_over(&replies, &run, UINT64_MAX, over), 0);
        if (committed == 1) {
            replies_over_done(&run);
        }
        replies_leave(&replies, &run);
    }
    assert_int_equal(replies_enter(&replies, &run, &four, 3, &out), REPLY_NEW);
    assert_int_equal(replies_over(&replies, &run, UINT64_MAX, over), 0);
    assert_int_equal(replies_settled(&replies, &run), 3);

    /* It ends when nobody waits for it any more. */
    assert_int_equal(look(&replies, &(struct reply_key){ { 1 }, 5, 31 }, 5), REPLY_NEW);
    replies_keep_run(&replies, &run, 100, false, VIEW_TEXT("four"));
    replies_leave(&replies, &run);
    assert_int_equal(replies.count, 1); /* the other context's */
    writer_clear(&out);
    replies_clear(&replies);
}

/* Who settles nothing cannot fill the memory, and no request of its happens twice. */
static void
one_context_has_a_bounded_number(void **state)
{
    struct reply_key key = { { 1 }, 0, 31 };
    const struct reply_key first = { { 1 }, 1, 31 }, other = { { 2 }, 1, 31 };
    struct replies replies;

    UNUSED(state);
    assert_true(replies_init(&replies));
    keep(&replies, &other, 100, false, VIEW_TEXT("other"));
    for (unsigned i = 1; i <= 20000; i++) {
        key.request = i;
        keep(&replies, &key, 100, false, VIEW_EMPTY);
    }
    assert_int_equal(replies.count, 16384 + 1);
    assert_int_equal(look(&replies, &first, 0), REPLY_SETTLED);
    assert_int_equal(look(&replies, &key, 0), REPLY_KEPT);
    assert_int_equal(look(&replies, &other, 0), REPLY_KEPT);
    replies_clear(&replies);
}

/* ---- requests ---- */

/* The same request twice, in the same words. */
struct twice {
    enum operation operation;
    struct writer body;
    uint8_t reply[FRAME_BODY_MAX];
    size_t reply_len;
};

static void
first_time(struct app *app, struct twice *twice)
{
    view body;

    assert_ok(app_call(app, twice->operation, writer_view(&twice->body), &body));
    if (body.len > 0) {
        memcpy(twice->reply, body.data, body.len);
    }
    twice->reply_len = body.len;
}

static void
second_time(struct app *app, struct twice *twice)
{
    view body = VIEW_EMPTY;

    assert_ok(app_repeat(app, twice->operation, writer_view(&twice->body), &body));
    assert_view_equal(body, view_of(twice->reply, twice->reply_len));
    assert_int_equal(app->place_count, 0); /* it is answered on the loop */
}

#define TWICE(OPERATION, name, ...)                                                          \
    do {                                                                                     \
        static struct twice twice;                                                           \
        struct hsm_state after;                                                              \
                                                                                             \
        twice.operation = OPERATION_##OPERATION;                                             \
        writer_init(&twice.body, FRAME_BODY_MAX);                                            \
        name##_request_write(&twice.body, &(struct name##_request){ __VA_ARGS__ });          \
        first_time(app, &twice);                                                             \
        after = hsm_fixture_state(&f->hsm);                                                  \
        second_time(app, &twice);                                                            \
        assert_true(hsm_state_equal(after, hsm_fixture_state(&f->hsm)));                     \
        writer_clear(&twice.body);                                                           \
    } while (0)

static void
whatever_changes_something_changes_it_once(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->cu1;
    uint32_t object = create(app, LIST(PRIVATE_DATA, TOKEN_YES));
    uint32_t session = create(app, LIST(PRIVATE_DATA));
    struct pair pair = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                     LIST(BOOL(DERIVE, true)));
    struct mechanism ecdh = { CKM_ECDH1_DERIVE, PARAMS_ecdh, { { VIEW_EMPTY } } };

    ecdh.params.ecdh = (struct params_ecdh){ CKD_NULL, VIEW_EMPTY, VIEW_TEXT(P256_POINT) };
    TWICE(OBJECT_CREATE, object_create, 0, LIST(PRIVATE_DATA, TOKEN_YES));
    TWICE(OBJECT_CREATE, object_create, HANDLE_SESSION_FIRST + 100, LIST(PRIVATE_DATA));
    TWICE(OBJECT_COPY, object_copy, object, 0, VIEW_EMPTY);
    TWICE(OBJECT_SET, object_set, object, LIST(BYTES(LABEL, "x")));
    TWICE(OBJECT_SET, object_set, session, LIST(BYTES(LABEL, "x")));
    TWICE(OBJECT_DESTROY, object_destroy, object);
    TWICE(OBJECT_DESTROY, object_destroy, session);
    TWICE(GENERATE_KEY, generate_key, mechanism_plain(CKM_AES_KEY_GEN), 0,
          LIST(AES_GENERATE, TOKEN_YES));
    TWICE(GENERATE_PAIR, generate_pair, mechanism_plain(CKM_EC_KEY_PAIR_GEN), 0, 0,
          LIST(BYTES(EC_PARAMS, P256_OID), TOKEN_YES), LIST(TOKEN_YES));
    TWICE(DERIVE, derive, ecdh, pair.private, { VIEW_TEXT("\0\0\0\0") },
          LIST(ULONG(KEY_TYPE, CKK_GENERIC_SECRET), TOKEN_YES), VIEW_EMPTY);
    TWICE(LOGOUT, logout, );
    TWICE(LOGIN, login, ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT(USER1_PASSWORD));
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 6);

    app = &f->officer;
    TWICE(USER_CREATE, user_create, ROLE_CU, VIEW_TEXT("cu3"), VIEW_TEXT("password"));
    TWICE(USER_PASSWORD, user_password, ROLE_CU, VIEW_TEXT("cu3"), VIEW_TEXT("passw0rd"));
    TWICE(USER_DELETE, user_delete, ROLE_CU, VIEW_TEXT("cu3"));
}

static void
another_number_is_another_request(void **state)
{
    struct fixture *f = *state;
    uint32_t object = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));

    assert_ok(app_destroy(&f->cu1, object));
    assert_code(app_destroy(&f->cu1, object), CKR_OBJECT_HANDLE_INVALID);
}

static void
another_context_is_another_request(void **state)
{
    struct fixture *f = *state;

    f->cu2.request = f->cu1.request;
    create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));
    create(&f->cu2, LIST(PUBLIC_DATA, TOKEN_YES));

    assert_int_equal(app_count(&f->cu1), 2);
}

/* A number that was used already, by mistake or to provoke: no reply of another form, and no
 * second transaction under it. */
static void
a_used_number_is_no_repeat_of_another_operation(void **state)
{
    struct fixture *f = *state;
    const struct object_copy_request m = { create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES)), 0,
                                           VIEW_EMPTY };
    struct writer w;
    view body;

    writer_init(&w, 1024);
    object_copy_request_write(&w, &m);
    assert_code(app_repeat(&f->cu1, OPERATION_OBJECT_COPY, writer_view(&w), &body),
                CKR_DEVICE_ERROR);
    assert_int_equal(app_count(&f->cu1), 1);

    hsm_fixture_reopen(&f->hsm);
    f->cu1.request -= 2; /* those of counting and attaching */
    assert_ok(app_attach(&f->cu1));
    assert_code(app_repeat(&f->cu1, OPERATION_OBJECT_COPY, writer_view(&w), &body),
                CKR_DEVICE_ERROR);
    writer_clear(&w);
}

static void
without_a_number_nothing_is_changed(void **state)
{
    struct fixture *f = *state;

    f->cu1.request = UINT64_MAX; /* the next is 0 */
    assert_code(app_create(&f->cu1, LIST(PRIVATE_DATA), NULL), CODE_BAD_FRAME);
    f->cu1.request = UINT64_MAX;
    assert_int_equal(app_count(&f->cu1), 0);
    assert_ok(app_create(&f->cu1, LIST(PRIVATE_DATA), NULL));
}

static void
a_request_that_failed_is_tried_anew(void **state)
{
    struct fixture *f = *state;
    const struct object_create_request m = { 0, LIST(PRIVATE_DATA, TOKEN_YES) };
    struct writer w;
    view body;

    writer_init(&w, 1024);
    object_create_request_write(&w, &m);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(app_call(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body),
                CKR_DEVICE_ERROR);

    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    assert_int_equal(app_count(&f->cu1), 1);
    writer_clear(&w);
}

static void
what_changes_nothing_is_done_again(void **state)
{
    struct fixture *f = *state;
    uint8_t first[20];
    view body;

    assert_ok(app_call(&f->cu1, OPERATION_RANDOM, VIEW_TEXT("\x10\0\0\0"), &body));
    assert_int_equal(body.len, sizeof first);
    memcpy(first, body.data, sizeof first);
    assert_ok(app_repeat(&f->cu1, OPERATION_RANDOM, VIEW_TEXT("\x10\0\0\0"), &body));

    assert_memory_not_equal(body.data, first, sizeof first);
}

static void
what_is_stored_keeps_its_reply_there(void **state)
{
    struct fixture *f = *state;
    struct outside *outside = &f->hsm.outside;

    create(&f->cu1, LIST(PRIVATE_DATA));
    assert_int_equal(outside_count(outside, "r/"), 0);
    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    assert_int_equal(outside_count(outside, "r/"), 1);

    outside_move_clock(outside, REPLY_LIFE_MS);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(outside, "r/"), 1);
    outside_move_clock(outside, 1);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(outside, "r/"), 0);
    assert_int_equal(outside_count(outside, "o/"), 1);
}

/* A reply that is forgotten too soon lets a request happen twice. */
static void
setting_the_clock_forgets_no_reply(void **state)
{
    struct fixture *f = *state;
    view template = LIST(AES_CREATE, TOKEN_YES);
    struct object_create_request m = { .template = template };
    struct writer body;
    view first, again;
    uint8_t kept[256];
    size_t len;

    writer_init(&body, FRAME_BODY_MAX);
    object_create_request_write(&body, &m);
    assert_ok(app_call(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&body), &first));
    len = first.len;
    memcpy(kept, first.data, len);
    outside_set_clock(&f->hsm.outside, OUTSIDE_START_MS + 24u * 60u * 60u * 1000u);
    hsm_sweep(f->hsm.hsm, 1000000);
    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&body), &again));
    assert_view_equal(again, view_of(kept, len));
    writer_clear(&body);
}

static void
a_sweep_takes_few_transactions(void **state)
{
    struct fixture *f = *state;
    struct store *store = f->hsm.outside.ports.store;
    uint64_t revision;

    for (unsigned i = 0; i < 2 * STORE_TXN_MAX + 1; i++) {
        create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    }
    revision = store->revision(store);
    outside_move_clock(&f->hsm.outside, REPLY_LIFE_MS + 1);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);

    assert_int_equal(store->revision(store), revision + 3);
    assert_int_equal(outside_count(&f->hsm.outside, "r/"), 0);
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 2 * STORE_TXN_MAX + 1);
}

/* A reply that outlived a restart goes in its time too. */
static void
replies_of_before_a_restart_are_swept_too(void **state)
{
    struct fixture *f = *state;

    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    hsm_fixture_reopen(&f->hsm);
    outside_move_clock(&f->hsm.outside, REPLY_LIFE_MS + 1);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);

    assert_int_equal(outside_count(&f->hsm.outside, "r/"), 0);
}

/* The store said no but had done it: it is done, and a repeat must not do it again, now or after a
 * restart. */
static void
a_write_of_unknown_outcome_happens_once(void **state)
{
    struct fixture *f = *state;
    const struct object_create_request m = { 0, LIST(PRIVATE_DATA, TOKEN_YES) };
    struct writer w;
    uint64_t number;
    view body;

    writer_init(&w, 1024);
    object_create_request_write(&w, &m);
    atomic_store(&f->hsm.outside.fail_applied, true);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_ok(app_call(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    number = f->cu1.request;
    assert_true(outside_mend(&f->hsm.outside));
    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 1);
    assert_int_equal(app_count(&f->cu1), 1);

    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    f->cu1.request = number;
    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    assert_int_equal(load_u32(body.data + 4), HANDLE_TOKEN_FIRST);
    assert_int_equal(app_count(&f->cu1), 1);
    writer_clear(&w);
}

/* One record for each context that goes on, however much it does. */
static void
settled_replies_leave_the_store_with_the_next(void **state)
{
    struct fixture *f = *state;
    struct outside *outside = &f->hsm.outside;
    const struct object_create_request m = { 0, LIST(PRIVATE_DATA, TOKEN_YES) };
    struct writer w;
    uint64_t first, last;
    view body;

    f->cu1.back = 1;
    create(&f->cu1, m.template);
    first = f->cu1.request;
    for (int i = 0; i < 20; i++) {
        create(&f->cu1, m.template);
        assert_int_equal(outside_count(outside, "r/"), 1);
    }
    last = f->cu1.request;

    /* It comes again from somewhere, and nobody waits for it: not now, not after a restart. */
    writer_init(&w, 1024);
    object_create_request_write(&w, &m);
    for (int i = 0; i < 2; i++) {
        f->cu1.back = 0;
        f->cu1.request = first;
        assert_code(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body),
                    CKR_DEVICE_ERROR);
        f->cu1.request = last;
        assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
        assert_int_equal(outside_count(outside, "o/"), 21);
        hsm_fixture_reopen(&f->hsm);
        assert_ok(app_attach(&f->cu1));
    }
    writer_clear(&w);
}

/* What the store did not take is not forgotten: its record goes later. */
static void
a_commit_that_fails_removes_no_record_for_good(void **state)
{
    struct fixture *f = *state;
    struct outside *outside = &f->hsm.outside;

    f->cu1.back = 1;
    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    outside_fail(outside, CALL_SUBMIT, 1);
    assert_code(app_create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES), NULL), CKR_DEVICE_ERROR);
    assert_int_equal(outside_count(outside, "r/"), 1);
    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    assert_int_equal(outside_count(outside, "r/"), 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read_back_as_they_were_written),
        cmocka_unit_test(replies_are_kept_by_context_and_number_for_their_time),
        cmocka_unit_test(what_is_settled_goes),
        cmocka_unit_test(one_context_has_a_bounded_number),
        AZURE(settled_replies_leave_the_store_with_the_next),
        AZURE(a_commit_that_fails_removes_no_record_for_good),
        AZURE(whatever_changes_something_changes_it_once),
        AZURE(another_number_is_another_request),
        AZURE(another_context_is_another_request),
        AZURE(a_used_number_is_no_repeat_of_another_operation),
        AZURE(without_a_number_nothing_is_changed),
        AZURE(a_request_that_failed_is_tried_anew),
        AZURE(what_changes_nothing_is_done_again),
        AZURE(what_is_stored_keeps_its_reply_there),
        AZURE(a_sweep_takes_few_transactions),
        AZURE(setting_the_clock_forgets_no_reply),
        AZURE(replies_of_before_a_restart_are_swept_too),
        AZURE(a_write_of_unknown_outcome_happens_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
