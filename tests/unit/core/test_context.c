/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts: they come and go, and what belongs to a context goes with its session, its login
 * or itself.
 */
#include "unit/core/core_test.h"

static size_t
contexts(struct fixture *f)
{
    struct hsm_counts counts;

    hsm_count(f->hsm.hsm, &counts);
    return counts.contexts;
}

/* ---- coming and going ---- */

static void
an_unknown_context_is_told_so_for_every_operation(void **state)
{
    struct fixture *f = *state;
    struct hsm_state before;
    size_t count;
    const struct operation_row *rows = operation_rows(&count);
    view body;

    assert_ok(app_detach(&f->cu1));
    before = hsm_fixture_state(&f->hsm);

    for (size_t i = 0; i < count; i++) {
        enum operation operation = rows[i].operation;
        CK_RV expected = CODE_UNKNOWN_CONTEXT;

        if (operation == OPERATION_ATTACH) {
            continue;
        }
        f->cu1.port = (rows[i].ports & PORTS_client) != 0 ? PORTS_client : PORTS_manage;
        if (rows[i].ports == PORTS_unix) {
            expected = CKR_FUNCTION_NOT_SUPPORTED;
        } else if (operation == OPERATION_CHANGES) {
            expected = CODE_BAD_FRAME; /* it wants a body, and no context */
        } else if (operation == OPERATION_DETACH || operation == OPERATION_PING ||
                   operation == OPERATION_NODES || operation == OPERATION_CLUSTER) {
            expected = CKR_OK;
        }
        assert_code(app_call(&f->cu1, operation, VIEW_EMPTY, &body), expected);
    }
    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
}

static void
attaching_twice_is_one_context(void **state)
{
    struct fixture *f = *state;
    size_t before = contexts(f);

    assert_ok(app_attach(&f->nobody));
    assert_ok(app_attach(&f->nobody));

    assert_int_equal(contexts(f), before);
}

static void
attaching_again_keeps_login_and_objects(void **state)
{
    struct fixture *f = *state;
    uint32_t object = create(&f->cu1, LIST(PRIVATE_DATA));

    f->cu1.ticket_len = 0;
    assert_ok(app_attach(&f->cu1));

    assert_true(app_finds(&f->cu1, object));
}

static void
the_reply_to_attach_names_store_and_role(void **state)
{
    struct fixture *f = *state;
    const struct attach_request m = { FRAME_VERSION, INTERFACE_P11, 1000, 1, VIEW_EMPTY };
    struct attach_reply answer;
    uint8_t id[16];

    f->hsm.outside.ports.store->id(f->hsm.outside.ports.store, id);
    assert_ok(app_send_attach(&f->cu1, &m, &answer));

    assert_int_equal(answer.version, FRAME_VERSION);
    assert_view_equal(answer.store, view_of(id, sizeof id));
    assert_int_equal(answer.role, ROLE_CU);
}

static void
another_version_or_interface_is_refused(void **state)
{
    struct fixture *f = *state;
    struct attach_request m = { FRAME_VERSION + 2, INTERFACE_P11, 1000, 1, VIEW_EMPTY };
    struct attach_reply answer;
    size_t before;

    assert_ok(app_detach(&f->nobody));
    before = contexts(f);
    assert_code(app_send_attach(&f->nobody, &m, &answer), CODE_RELEASE);
    m.version = FRAME_VERSION - 2;
    assert_code(app_send_attach(&f->nobody, &m, &answer), CODE_RELEASE);
    m.version = UINT32_MAX;
    assert_code(app_send_attach(&f->nobody, &m, &answer), CODE_RELEASE);
    m.version = FRAME_VERSION - 1; /* as a release before and one after says */
    assert_ok(app_send_attach(&f->nobody, &m, &answer));
    assert_int_equal(answer.version, FRAME_VERSION);
    m.version = FRAME_VERSION + 1;
    assert_ok(app_send_attach(&f->nobody, &m, &answer));
    assert_ok(app_detach(&f->nobody));
    m.version = FRAME_VERSION;
    m.interface = INTERFACE_COUNT;
    assert_code(app_send_attach(&f->nobody, &m, &answer), CODE_BAD_FRAME);

    assert_int_equal(contexts(f), before);
}

static void
a_detached_context_is_gone_with_all_it_had(void **state)
{
    struct fixture *f = *state;
    uint32_t object = create(&f->nobody, LIST(PUBLIC_DATA));

    assert_ok(app_detach(&f->nobody));
    assert_ok(app_detach(&f->nobody));
    assert_ok(app_attach(&f->nobody));

    assert_false(app_finds(&f->nobody, object));
    assert_code(app_destroy(&f->nobody, object), CKR_OBJECT_HANDLE_INVALID);
}

static void
contexts_are_told_apart_by_all_of_their_id(void **state)
{
    struct fixture *f = *state;
    uint32_t object = create(&f->nobody, LIST(PUBLIC_DATA));

    for (size_t i = 0; i < FRAME_CONTEXT_LEN; i++) {
        f->nobody.context[i] ^= 1;
        assert_ok(app_attach(&f->nobody));
        assert_false(app_finds(&f->nobody, object));
        assert_ok(app_detach(&f->nobody));
        f->nobody.context[i] ^= 1;
    }
    assert_true(app_finds(&f->nobody, object));
}

static void
a_sweep_forgets_idle_contexts_only(void **state)
{
    struct fixture *f = *state;
    outside_move_clock(&f->hsm.outside, 10000);
    (void)app_count(&f->cu1);
    outside_move_clock(&f->hsm.outside, 10000);

    hsm_sweep(f->hsm.hsm, 15000);

    assert_int_equal(contexts(f), 1);
    assert_int_equal(app_count(&f->cu1), 0);
    hsm_sweep(f->hsm.hsm, 15000);
    assert_int_equal(contexts(f), 1);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(contexts(f), 1);
}

/* ---- sessions and their objects ---- */

static void
session_objects_go_with_their_session(void **state)
{
    struct fixture *f = *state;
    struct session_close_reply answer;
    uint32_t one, two;

    one = create(&f->cu1, LIST(PRIVATE_DATA));
    f->cu1.session = 2;
    two = create(&f->cu1, LIST(PUBLIC_DATA));
    f->cu1.session = 1;
    assert_true(app_finds(&f->cu1, two)); /* seen from every session of the application */

    assert_ok(app_send_session_close(&f->cu1, NULL, &answer));
    assert_false(app_finds(&f->cu1, one));
    assert_true(app_finds(&f->cu1, two));

    f->cu1.session = 0;
    assert_ok(app_send_session_close(&f->cu1, NULL, &answer));
    assert_false(app_finds(&f->cu1, two));
}

static void
token_objects_outlive_session_and_context(void **state)
{
    struct fixture *f = *state;
    struct session_close_reply answer;
    uint32_t object = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));

    assert_ok(app_send_session_close(&f->cu1, NULL, &answer));
    assert_ok(app_detach(&f->cu1));
    assert_ok(app_attach(&f->cu1));

    assert_true(app_finds(&f->cu1, object));
}

static void
logout_takes_private_session_objects_only(void **state)
{
    struct fixture *f = *state;
    uint32_t private = create(&f->cu1, LIST(PRIVATE_DATA));
    uint32_t public = create(&f->cu1, LIST(PUBLIC_DATA));

    assert_ok(app_logout(&f->cu1));
    assert_true(app_finds(&f->cu1, public));
    assert_false(app_finds(&f->cu1, private));

    assert_ok(app_login(&f->cu1, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    assert_false(app_finds(&f->cu1, private));
}

static void
session_objects_belong_to_their_context(void **state)
{
    struct fixture *f = *state;
    struct app other;
    uint32_t object = create(&f->cu1, LIST(PUBLIC_DATA));

    app_init(&other, &f->hsm, USER1);

    assert_false(app_finds(&other, object));
    assert_code(app_destroy(&other, object), CKR_OBJECT_HANDLE_INVALID);
    /* The same number is another object there. */
    assert_int_equal(create(&other, LIST(PUBLIC_DATA, BYTES(LABEL, "other"))), object);
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "other"))), 0);
    app_clear(&other);
}

static void
session_objects_are_not_stored(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    assert_ok(app_send_ping(&f->cu1, NULL, &(struct ping_reply){}));
    revision = f->cu1.answer.revision;
    create(&f->cu1, LIST(PRIVATE_DATA));

    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 0);
    assert_int_equal(f->cu1.answer.revision, revision);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_int_equal(app_count(&f->cu1), 0);
}

static void
a_context_holds_so_many_session_objects_and_no_more(void **state)
{
    struct fixture *f = *state;
    struct key_info info;
    uint32_t first = 0;

    for (unsigned i = 0; i < CONTEXT_OBJECTS_MAX; i++) {
        uint32_t object = create(&f->nobody, LIST(PUBLIC_DATA));

        first = i == 0 ? object : first;
    }

    assert_code(app_create(&f->nobody, LIST(PUBLIC_DATA), &info), CKR_DEVICE_MEMORY);
    assert_int_equal(app_count(&f->nobody), CONTEXT_OBJECTS_MAX);
    assert_ok(app_destroy(&f->nobody, first));
    assert_ok(app_create(&f->nobody, LIST(PUBLIC_DATA), &info));
}

/* ---- running operations ---- */

static void
a_session_runs_one_operation_of_each_function(void **state)
{
    struct fixture *f = *state;
    view digest;

    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    assert_ok(app_update(&f->cu1, CKF_DIGEST, VIEW_TEXT("forgotten"), &digest));
    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA_1), 0));

    assert_ok(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest));
    assert_int_equal(digest.len, 20);
    assert_code(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest),
                CKR_OPERATION_NOT_INITIALIZED);
}

static void
sessions_do_not_share_operations(void **state)
{
    struct fixture *f = *state;
    view digest;

    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    f->cu1.session = 2;
    assert_code(app_update(&f->cu1, CKF_DIGEST, VIEW_TEXT("a"), &digest),
                CKR_OPERATION_NOT_INITIALIZED);
    assert_code(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest),
                CKR_OPERATION_NOT_INITIALIZED);

    f->cu1.session = 1;
    assert_ok(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest));
}

static void
operations_end_with_their_session(void **state)
{
    struct fixture *f = *state;
    struct session_close_reply answer;
    view digest;

    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    assert_ok(app_send_session_close(&f->cu1, NULL, &answer));

    assert_code(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest),
                CKR_OPERATION_NOT_INITIALIZED);
}

static void
operations_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    const struct cancel_request m = { CKF_DIGEST };
    struct cancel_reply answer;
    view digest;

    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    assert_ok(app_send_cancel(&f->cu1, &m, &answer));
    assert_ok(app_send_cancel(&f->cu1, &m, &answer));

    assert_code(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest),
                CKR_OPERATION_NOT_INITIALIZED);
}

static void
a_context_runs_so_many_operations_and_no_more(void **state)
{
    struct fixture *f = *state;
    view digest;

    for (unsigned i = 0; i < CONTEXT_RUNNING_MAX; i++) {
        f->cu1.session = i + 1;
        assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    }
    f->cu1.session++;
    assert_code(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0),
                CKR_DEVICE_MEMORY);

    f->cu1.session = 1;
    assert_ok(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &digest));
    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
}

static void
there_is_an_end_of_contexts_and_room_again(void **state)
{
    static struct context_table table;
    uint8_t id[FRAME_CONTEXT_LEN] = { 0 };
    bool is_new;

    UNUSED(state);
    assert_true(context_table_init(&table));
    for (uint32_t i = 0; i < CONTEXTS_MAX; i++) {
        store_u32(id, i);
        context_unref(context_attach(&table, id, &is_new));
        assert_true(is_new);
    }
    store_u32(id, CONTEXTS_MAX);
    assert_null(context_attach(&table, id, &is_new));
    store_u32(id, 7);

    struct context *seven = context_attach(&table, id, &is_new); /* who is there is served */

    assert_non_null(seven);
    assert_false(is_new);
    context_unref(seven);
    context_detach(&table, id);
    store_u32(id, CONTEXTS_MAX);
    seven = context_attach(&table, id, &is_new);
    assert_non_null(seven);
    context_unref(seven);
    context_table_clear(&table);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_is_an_end_of_contexts_and_room_again),
        STANDARD(an_unknown_context_is_told_so_for_every_operation),
        STANDARD(attaching_twice_is_one_context),
        STANDARD(attaching_again_keeps_login_and_objects),
        STANDARD(the_reply_to_attach_names_store_and_role),
        STANDARD(another_version_or_interface_is_refused),
        STANDARD(a_detached_context_is_gone_with_all_it_had),
        STANDARD(contexts_are_told_apart_by_all_of_their_id),
        STANDARD(a_sweep_forgets_idle_contexts_only),
        STANDARD(session_objects_go_with_their_session),
        STANDARD(token_objects_outlive_session_and_context),
        STANDARD(logout_takes_private_session_objects_only),
        STANDARD(session_objects_belong_to_their_context),
        STANDARD(session_objects_are_not_stored),
        STANDARD(a_context_holds_so_many_session_objects_and_no_more),
        STANDARD(a_session_runs_one_operation_of_each_function),
        STANDARD(sessions_do_not_share_operations),
        STANDARD(operations_end_with_their_session),
        STANDARD(operations_can_be_cancelled),
        STANDARD(a_context_runs_so_many_operations_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
