/* SPDX-License-Identifier: Apache-2.0
 *
 * Tickets: a login outlives a restart of the node for the context and the uid that it was
 * given to, and for nobody and nothing else.
 */
#include "unit/core/core_test.h"

#include "core/ticket.h"

/* After a restart or another loss of the context: does its ticket make it a user again? */
static bool
revives(struct app *app)
{
    view random;

    assert_ok(app_attach(app));
    /* In policy azure whoever gets random bytes is a crypto user. */
    return app_call(app, OPERATION_RANDOM, VIEW_TEXT("\x01\0\0\0"), &random) == CKR_OK;
}

static void
what_was_sealed_opens_alike(void **state)
{
    struct fixture *f = *state;
    const struct sealer sealer = hsm_fixture_sealer(&f->hsm);
    const struct ticket ticket = { "context", 1, 2, ROLE_CU, 4, 5, 6 };
    struct ticket again;
    struct writer w;

    writer_init(&w, 256);
    assert_ok(ticket_seal(&sealer, &ticket, &w));

    assert_true(ticket_open(&sealer, writer_view(&w), &again));
    assert_memory_equal(again.context, ticket.context, FRAME_CONTEXT_LEN);
    assert_int_equal(again.uid, 1);
    assert_int_equal(again.user, 2);
    assert_int_equal(again.role, ROLE_CU);
    assert_int_equal(again.user_version, 4);
    assert_int_equal(again.login, 5);
    assert_int_equal(again.expires, 6);
    writer_clear(&w);
}

static void
a_ticket_spoiled_in_any_byte_or_cut_does_not_open(void **state)
{
    struct fixture *f = *state;
    const struct sealer sealer = hsm_fixture_sealer(&f->hsm);
    struct app *app = &f->cu1;
    struct ticket ticket;

    for (size_t i = 0; i < app->ticket_len; i++) {
        assert_false(ticket_open(&sealer, view_of(app->ticket, i), &ticket));
        app->ticket[i] ^= 1;
        assert_false(ticket_open(&sealer, view_of(app->ticket, app->ticket_len), &ticket));
        app->ticket[i] ^= 1;
    }
    assert_true(ticket_open(&sealer, view_of(app->ticket, app->ticket_len), &ticket));
}

static void
the_ticket_of_a_login_outlives_a_restart(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    hsm_fixture_reopen(&f->hsm);

    assert_true(revives(&f->nobody));
}

static void
without_a_ticket_nothing_is_revived(void **state)
{
    struct fixture *f = *state;

    hsm_fixture_reopen(&f->hsm);
    f->cu1.ticket_len = 0;

    assert_false(revives(&f->cu1));
}

static void
another_contexts_ticket_is_worth_nothing(void **state)
{
    struct fixture *f = *state;

    hsm_fixture_reopen(&f->hsm);
    memcpy(f->nobody.ticket, f->cu1.ticket, f->cu1.ticket_len);
    f->nobody.ticket_len = f->cu1.ticket_len;

    assert_false(revives(&f->nobody));
}

static void
another_uid_cannot_use_the_ticket(void **state)
{
    struct fixture *f = *state;

    hsm_fixture_reopen(&f->hsm);
    f->cu1.uid++;

    assert_false(revives(&f->cu1));
}

static void
a_ticket_of_before_the_password_change_is_void(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another1"));
    hsm_fixture_reopen(&f->hsm);

    assert_false(revives(&f->cu1));
    assert_true(revives(&f->cu2));
}

static void
a_ticket_of_a_deleted_user_is_void(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER1_NAME));
    hsm_fixture_reopen(&f->hsm);

    assert_false(revives(&f->cu1));
}

static void
a_ticket_ends_with_its_life(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS);
    hsm_fixture_reopen(&f->hsm);
    assert_true(revives(&f->nobody));

    outside_move_clock(&f->hsm.outside, 1);
    hsm_fixture_reopen(&f->hsm);
    assert_false(revives(&f->nobody));
}

/* The clock of the host is somebody else's business, and is set now and then. */
static void
setting_the_clock_changes_no_life(void **state)
{
    static const uint64_t clocks[] = { 0, 1, OUTSIDE_START_MS / 2, OUTSIDE_START_MS * 2,
                                       UINT64_MAX };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(clocks); i++) {
        assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
        outside_set_clock(&f->hsm.outside, clocks[i]);
        hsm_sweep(f->hsm.hsm, 1000000);
        assert_ok(app_detach(&f->nobody));
        assert_true(revives(&f->nobody));
        assert_ok(app_logout(&f->nobody));
    }
    /* Also over a restart under the clock of long ago: the numbers of logins stay new. */
    outside_set_clock(&f->hsm.outside, 1);
    for (size_t i = 0; i < 3; i++) {
        hsm_fixture_reopen(&f->hsm);
        assert_ok(app_attach(&f->nobody));
        assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
        assert_ok(app_logout(&f->nobody));
    }
}

static void
a_ticket_of_another_partition_is_void(void **state)
{
    struct fixture *f = *state;
    struct hsm_fixture other;

    hsm_fixture_init(&other, POLICY_FIPS);
    app_ticket(&f->cu1, &other, USER1, UINT64_MAX);
    hsm_fixture_reopen(&f->hsm);

    assert_false(revives(&f->cu1));
    hsm_fixture_clear(&other);
}

static void
a_ticket_gives_no_role_that_its_user_has_not(void **state)
{
    struct fixture *f = *state;
    const struct sealer sealer = hsm_fixture_sealer(&f->hsm);
    struct ticket ticket = { .uid = f->cu1.uid, .user = OFFICER_USER, .role = ROLE_CU,
                             .user_version = 1, .expires = UINT64_MAX };
    struct writer w;

    memcpy(ticket.context, f->cu1.context, FRAME_CONTEXT_LEN);
    writer_init_fixed(&w, f->cu1.ticket, sizeof f->cu1.ticket);
    assert_ok(ticket_seal(&sealer, &ticket, &w));
    hsm_fixture_reopen(&f->hsm);

    assert_false(revives(&f->cu1));
}

/* A sealed record is no ticket, whoever sealed it. */
static void
a_record_is_no_ticket(void **state)
{
    struct fixture *f = *state;
    const struct sealer sealer = hsm_fixture_sealer(&f->hsm);
    struct ticket ticket;
    struct writer w;
    uint8_t plain[FRAME_CONTEXT_LEN + 36] = { 0 };

    writer_init(&w, 256);
    assert_ok(record_seal(&sealer, VIEW_TEXT("u/00000001"), 0, 1, view_of(plain, sizeof plain),
                          &w));

    assert_false(ticket_open(&sealer, writer_view(&w), &ticket));
    writer_clear(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(what_was_sealed_opens_alike),
        AZURE(a_ticket_spoiled_in_any_byte_or_cut_does_not_open),
        AZURE(the_ticket_of_a_login_outlives_a_restart),
        AZURE(without_a_ticket_nothing_is_revived),
        AZURE(another_contexts_ticket_is_worth_nothing),
        AZURE(another_uid_cannot_use_the_ticket),
        AZURE(a_ticket_of_before_the_password_change_is_void),
        AZURE(a_ticket_of_a_deleted_user_is_void),
        AZURE(a_ticket_ends_with_its_life),
        AZURE(setting_the_clock_changes_no_life),
        AZURE(a_ticket_of_another_partition_is_void),
        AZURE(a_ticket_gives_no_role_that_its_user_has_not),
        AZURE(a_record_is_no_ticket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
