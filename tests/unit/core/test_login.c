/* SPDX-License-Identifier: Apache-2.0
 *
 * Logins: who gets in, what a wrong password costs, when a user is locked, and that the
 * right one of before costs nothing again.
 */
#include "unit/core/core_test.h"

static CK_RV
login(struct app *app, const char *password)
{
    return app_login(app, ROLE_CU, USER1_NAME, password);
}

static void
wrong_logins(struct app *app, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_code(login(app, "wrong one"), CKR_PIN_INCORRECT);
    }
}

static void
the_right_password_logs_in(void **state)
{
    struct fixture *f = *state;
    const struct login_request m = { ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT(USER1_PASSWORD) };
    struct login_reply answer;

    assert_ok(app_send_login(&f->nobody, &m, &answer));

    assert_int_equal(answer.user, USER1);
    assert_int_equal(answer.role, ROLE_CU);
    assert_true(answer.ticket.len > 0);
}

static void
a_wrong_password_is_refused_and_counted(void **state)
{
    struct fixture *f = *state;

    assert_code(login(&f->nobody, "wrong one"), CKR_PIN_INCORRECT);

    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 1);
    assert_int_equal(app_failures(&f->nobody, USER2_NAME), 0);
    assert_code(app_logout(&f->nobody), CKR_USER_NOT_LOGGED_IN);
}

static void
almost_the_password_is_wrong_too(void **state)
{
    struct fixture *f = *state;

    assert_code(login(&f->nobody, ""), CKR_PIN_INCORRECT);
    assert_code(login(&f->nobody, "user123"), CKR_PIN_INCORRECT);
    assert_code(login(&f->nobody, "user12345"), CKR_PIN_INCORRECT);
    assert_code(login(&f->nobody, "User1234"), CKR_PIN_INCORRECT);
}

static void
an_unknown_name_looks_like_a_wrong_password(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->nobody;

    assert_code(app_login(app, ROLE_CU, "nobody", USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_int_equal(app->place_count, 1);
    assert_int_equal(app->places[0], PLACE_SLOW);
    assert_code(app_login(app, ROLE_CU, "", USER1_PASSWORD), CKR_PIN_INCORRECT);
}

static uint64_t
writes(struct fixture *f)
{
    return f->hsm.outside.ports.store->revision(f->hsm.outside.ports.store);
}

/* Known, unknown, impossible or locked: one write, so that time does not tell them apart. */
static void
every_failure_costs_the_same_write(void **state)
{
    static const char *const names[] = { USER1_NAME, "nobody", "", "no\nname", USER1_NAME };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        for (unsigned k = 0; k < USER_FAILURES_MAX; k++) {
            uint64_t before = writes(f);

            assert_int_not_equal(app_login(&f->nobody, ROLE_CU, names[i], "wrong one"), CKR_OK);
            assert_int_equal(writes(f), before + 1);
        }
    }
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), USER_FAILURES_MAX);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->nobody));
    assert_code(app_login(&f->nobody, ROLE_CU, "nobody", "wrong one"), CKR_PIN_INCORRECT);
}

struct attempt {
    struct app app;
    const char *password;
    pthread_t thread;
    CK_RV rv;
};

static void *
attempt_run(void *arg)
{
    struct attempt *attempt = arg;

    attempt->rv = login(&attempt->app, attempt->password);
    return NULL;
}

/* How many of these logins at once end with that code? */
static unsigned
at_once(struct fixture *f, unsigned count, const char *password, CK_RV code)
{
    static struct attempt attempts[16];
    unsigned ended = 0;

    assert_true(count <= ARRAY_COUNT(attempts));
    for (unsigned i = 0; i < count; i++) {
        attempts[i] = (struct attempt){ .password = password };
        app_init(&attempts[i].app, &f->hsm, APP_NOBODY);
        assert_int_equal(pthread_create(&attempts[i].thread, NULL, attempt_run, &attempts[i]), 0);
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(attempts[i].thread, NULL);
        ended += attempts[i].rv == code;
        app_clear(&attempts[i].app);
    }
    return ended;
}

static void
right_logins_at_once_never_lock(void **state)
{
    struct fixture *f = *state;

    wrong_logins(&f->nobody, USER_FAILURES_MAX - 1);

    assert_int_equal(at_once(f, 12, USER1_PASSWORD, CKR_OK), 12);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
}

static void
of_wrong_logins_at_once_five_are_checked(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(at_once(f, 12, "wrong one", CKR_PIN_INCORRECT), USER_FAILURES_MAX);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), USER_FAILURES_MAX);
    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_PIN_LOCKED);
}

static void
a_user_has_one_role_only(void **state)
{
    struct fixture *f = *state;

    assert_code(app_login(&f->nobody, ROLE_CO, USER1_NAME, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_code(app_login(&f->nobody, ROLE_CU, OFFICER_NAME, OFFICER_PASSWORD),
                CKR_PIN_INCORRECT);
    assert_code(app_login(&f->nobody, ROLE_NONE, USER1_NAME, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_code(app_login(&f->nobody, 99, USER1_NAME, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    assert_ok(app_login(&f->nobody, ROLE_CO, OFFICER_NAME, OFFICER_PASSWORD));
}

static void
who_is_in_cannot_log_in_again(void **state)
{
    struct fixture *f = *state;

    assert_code(app_login(&f->cu1, ROLE_CU, USER2_NAME, USER2_PASSWORD),
                CKR_USER_ALREADY_LOGGED_IN);
    assert_code(app_login(&f->cu1, ROLE_CO, OFFICER_NAME, OFFICER_PASSWORD),
                CKR_USER_ANOTHER_ALREADY_LOGGED_IN);
    assert_code(app_login(&f->cu1, ROLE_CU, USER1_NAME, "wrong one"),
                CKR_USER_ALREADY_LOGGED_IN);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
}

static void
after_logout_another_user_may_come(void **state)
{
    struct fixture *f = *state;

    assert_ok(app_logout(&f->cu1));
    assert_code(app_logout(&f->cu1), CKR_USER_NOT_LOGGED_IN);
    assert_ok(app_login(&f->cu1, ROLE_CU, USER2_NAME, USER2_PASSWORD));
}

static void
a_login_is_one_contexts_own(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->cu1));

    assert_ok(app_logout(&f->nobody));
}

/* ---- quick logins ---- */

static void
the_same_password_is_quick_the_second_time(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_int_equal(f->nobody.place_count, 1);
    assert_int_equal(f->nobody.places[0], PLACE_SLOW);
    assert_ok(app_logout(&f->nobody));
    revision = f->nobody.answer.revision;

    assert_ok(login(&f->nobody, USER1_PASSWORD));

    assert_int_equal(f->nobody.place_count, 0);
    assert_int_equal(f->nobody.answer.revision, revision); /* nothing was written */
}

static void
a_wrong_password_is_never_quick(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));

    assert_code(login(&f->nobody, "wrong one"), CKR_PIN_INCORRECT);
    assert_int_equal(f->nobody.places[0], PLACE_SLOW);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 1);
}

static void
after_a_restart_the_password_is_checked_anew(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    hsm_fixture_reopen(&f->hsm);
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_int_equal(f->nobody.place_count, 1);
}

static void
after_a_change_the_old_password_is_wrong(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));
    assert_ok(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another1"));

    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_ok(login(&f->nobody, "another1"));
}

/* ---- tickets ---- */

/* Takes the context up anew, with the ticket that the app has; is somebody logged in then? */
static bool
ticket_holds(struct fixture *f, bool restart)
{
    if (restart) {
        hsm_fixture_reopen(&f->hsm);
    } else {
        assert_ok(app_detach(&f->nobody));
    }
    assert_ok(app_attach(&f->nobody));
    return app_send_renew(&f->nobody, NULL, &(struct renew_reply){ 0 }) == CKR_OK;
}

static void
renew(struct fixture *f)
{
    struct renew_reply answer;

    assert_ok(app_send_renew(&f->nobody, NULL, &answer));
    assert_int_equal(answer.life, TICKET_LIFE_MS);
    assert_true(answer.ticket.len <= sizeof f->nobody.ticket);
    memcpy(f->nobody.ticket, answer.ticket.data, answer.ticket.len);
    f->nobody.ticket_len = answer.ticket.len;
}

static void
a_ticket_gives_the_login_back_for_ten_minutes(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));

    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS);
    assert_true(ticket_holds(f, true));
    outside_move_clock(&f->hsm.outside, 1);
    assert_false(ticket_holds(f, true));
}

static void
a_login_that_is_used_gets_new_tickets(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    for (int i = 0; i < 3; i++) {
        outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS - 1);
        renew(f);
    }
    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS - 1);

    assert_true(ticket_holds(f, true));
}

/* As a daemon does after a login at another node: the node has another one of that context, or none. */
static void
another_login_takes_the_place_of_the_one_before(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->nobody;
    struct renew_reply answer;
    uint8_t first[sizeof app->ticket];
    size_t first_len;

    assert_ok(login(app, USER1_PASSWORD));
    first_len = app->ticket_len;
    memcpy(first, app->ticket, first_len);
    assert_ok(app_attach(app)); /* the same one changes nothing */
    assert_ok(app_send_renew(app, NULL, &answer));
    assert_ok(app_detach(app));
    app->ticket_len = 0;
    assert_ok(app_attach(app));
    assert_ok(app_login(app, ROLE_CU, USER2_NAME, USER2_PASSWORD));

    memcpy(app->ticket, first, first_len);
    app->ticket_len = first_len;
    assert_ok(app_attach(app));
    assert_ok(app_logout(app)); /* of the first one */
    assert_false(ticket_holds(f, false));

    /* One that has ended ends what is there, too: it is not the context's login any more. */
    assert_ok(app_login(app, ROLE_CU, USER2_NAME, USER2_PASSWORD));
    memcpy(app->ticket, first, first_len);
    app->ticket_len = first_len;
    assert_ok(app_attach(app));
    assert_code(app_send_renew(app, NULL, &answer), CKR_USER_NOT_LOGGED_IN);

    /* What is no ticket changes nothing. */
    app->ticket_len = 0;
    assert_ok(app_login(app, ROLE_CU, USER2_NAME, USER2_PASSWORD));
    app->ticket[0] ^= 1;
    assert_ok(app_attach(app));
    assert_ok(app_send_renew(app, NULL, &answer));
}

static void
without_a_login_there_is_nothing_to_renew(void **state)
{
    struct fixture *f = *state;
    struct renew_reply answer;

    assert_code(app_send_renew(&f->nobody, NULL, &answer), CKR_USER_NOT_LOGGED_IN);
}

static void
after_a_logout_no_ticket_brings_the_login_back(void **state)
{
    struct fixture *f = *state;
    uint8_t first[sizeof f->nobody.ticket];
    size_t first_len;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    first_len = f->nobody.ticket_len;
    memcpy(first, f->nobody.ticket, first_len);
    renew(f);
    assert_true(ticket_holds(f, false)); /* it would */
    assert_ok(app_logout(&f->nobody));

    assert_false(ticket_holds(f, false));
    assert_false(ticket_holds(f, true));
    memcpy(f->nobody.ticket, first, first_len);
    f->nobody.ticket_len = first_len;
    assert_false(ticket_holds(f, true));
}

static void
a_new_login_after_a_logout_has_its_own_ticket(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));
    assert_ok(login(&f->nobody, USER1_PASSWORD));

    assert_true(ticket_holds(f, true));
}

static void
an_ended_login_is_remembered_as_long_as_its_tickets_live(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));
    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS + LIFE_MARGIN_MS);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(&f->hsm.outside, "t/"), 1);
    hsm_fixture_reopen(&f->hsm);

    outside_move_clock(&f->hsm.outside, 1);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(&f->hsm.outside, "t/"), 0);
}

static void
a_logout_that_cannot_be_stored_did_not_happen(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(app_logout(&f->nobody), CKR_DEVICE_ERROR);
    assert_true(outside_mend(&f->hsm.outside));

    renew(f);
    assert_ok(app_logout(&f->nobody));
}

/* ---- locking ---- */

static void
five_failures_lock_the_user(void **state)
{
    struct fixture *f = *state;

    wrong_logins(&f->nobody, USER_FAILURES_MAX);

    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_PIN_LOCKED);
    assert_code(login(&f->nobody, "wrong one"), CKR_PIN_LOCKED);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), USER_FAILURES_MAX);
}

static void
success_sets_the_count_back(void **state)
{
    struct fixture *f = *state;

    wrong_logins(&f->nobody, USER_FAILURES_MAX - 1);
    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));

    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    wrong_logins(&f->nobody, 1);
    assert_ok(login(&f->nobody, USER1_PASSWORD));
}

/* Else a few typing errors in as many months would lock out whoever logs in quickly. */
static void
after_a_failure_the_right_password_is_slow_once(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));
    wrong_logins(&f->nobody, 2);

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_int_equal(f->nobody.place_count, 1);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    assert_ok(app_logout(&f->nobody));
    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_int_equal(f->nobody.place_count, 0);
}

static void
a_locked_user_is_not_let_in_quickly_either(void **state)
{
    struct fixture *f = *state;

    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));
    wrong_logins(&f->nobody, USER_FAILURES_MAX);

    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_PIN_LOCKED);
}

static void
who_was_in_stays_in_when_the_user_is_locked(void **state)
{
    struct fixture *f = *state;
    view random;

    wrong_logins(&f->nobody, USER_FAILURES_MAX);

    assert_ok(app_call(&f->cu1, OPERATION_RANDOM, VIEW_TEXT("\x01\0\0\0"), &random));
}

static void
a_lock_outlives_a_restart(void **state)
{
    struct fixture *f = *state;

    wrong_logins(&f->nobody, USER_FAILURES_MAX);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->nobody));

    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_PIN_LOCKED);
}

static void
the_officers_new_password_unlocks(void **state)
{
    struct fixture *f = *state;

    wrong_logins(&f->nobody, USER_FAILURES_MAX);
    assert_ok(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another1"));

    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_PIN_INCORRECT);
    assert_ok(login(&f->nobody, "another1"));

    hsm_fixture_reopen(&f->hsm);
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));
    assert_ok(login(&f->nobody, "another1"));
}

/* ---- the order of things ---- */

static void
the_failure_is_durable_before_the_password_is_looked_at(void **state)
{
    struct fixture *f = *state;

    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_DEVICE_ERROR);
    assert_code(app_logout(&f->nobody), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);

    /* The second write is the one that sets the count back. */
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 2);
    assert_code(login(&f->nobody, USER1_PASSWORD), CKR_DEVICE_ERROR);
    assert_code(app_logout(&f->nobody), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 1);

    outside_mend(&f->hsm.outside);
    assert_ok(login(&f->nobody, USER1_PASSWORD));
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
}

static void
a_failed_login_is_in_the_audit(void **state)
{
    struct fixture *f = *state;

    assert_code(login(&f->nobody, "wrong one"), CKR_PIN_INCORRECT);

    assert_true(outside_audit_has(&f->hsm.outside, "LOGIN user=3 role=CU code=CKR_PIN_INCORRECT"));
    assert_true(outside_audit_has(&f->hsm.outside, "name=cu1"));
    assert_false(outside_audit_has(&f->hsm.outside, "wrong one"));
}

static void
without_the_audit_no_password_is_looked_at(void **state)
{
    struct fixture *f = *state;

    outside_fail(&f->hsm.outside, CALL_AUDIT, 1);
    assert_code(login(&f->nobody, "wrong one"), CKR_FUNCTION_FAILED);
    assert_true(outside_mend(&f->hsm.outside));
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
}

/* Names are anyone's text: none may end the line, or pass for another field of it. */
static void
no_name_can_forge_an_audit_line(void **state)
{
    struct fixture *f = *state;
    size_t lines = outside_audit_count(&f->hsm.outside);

    assert_code(app_login(&f->nobody, ROLE_CU, "x\n1 context=0 user=1 USER_DELETE id=3", "p"),
                CKR_PIN_INCORRECT);
    assert_code(app_login(&f->nobody, ROLE_CU, "x role=2 refused=CKR_OK", "p"),
                CKR_PIN_INCORRECT);

    assert_int_equal(outside_audit_count(&f->hsm.outside), lines + 2);
    assert_false(outside_audit_has(&f->hsm.outside, "USER_DELETE"));
    assert_false(outside_audit_has(&f->hsm.outside, "role=2"));
}

static void
a_repeated_login_gets_the_first_reply(void **state)
{
    struct fixture *f = *state;
    struct writer w;
    view first, second;
    uint8_t ticket[256];
    const struct login_request m = { ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT(USER1_PASSWORD) };

    writer_init(&w, 256);
    login_request_write(&w, &m);
    assert_ok(app_call(&f->nobody, OPERATION_LOGIN, writer_view(&w), &first));
    assert_true(first.len <= sizeof ticket);
    memcpy(ticket, first.data, first.len);

    assert_ok(app_repeat(&f->nobody, OPERATION_LOGIN, writer_view(&w), &second));
    assert_view_equal(second, view_of(ticket, second.len));
    assert_int_equal(f->nobody.place_count, 0);
    writer_clear(&w);
}

static void
an_attempt_that_is_repeated_counts_once(void **state)
{
    struct fixture *f = *state;
    struct login_request m = { ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT("wrong one") };
    struct writer w;
    uint64_t number, after;
    size_t lines;
    view reply;

    writer_init(&w, 256);
    login_request_write(&w, &m);
    assert_code(app_call(&f->nobody, OPERATION_LOGIN, writer_view(&w), &reply), CKR_PIN_INCORRECT);
    number = f->nobody.request;
    lines = outside_audit_count(&f->hsm.outside);
    assert_code(app_repeat(&f->nobody, OPERATION_LOGIN, writer_view(&w), &reply),
                CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 1);
    assert_int_equal(outside_audit_count(&f->hsm.outside), lines);

    /* No other password is looked at under that number. */
    writer_reset(&w);
    m.password = VIEW_TEXT(USER1_PASSWORD);
    login_request_write(&w, &m);
    after = f->nobody.request;
    f->nobody.request = number;
    assert_code(app_repeat(&f->nobody, OPERATION_LOGIN, writer_view(&w), &reply),
                CKR_PIN_INCORRECT);
    f->nobody.request = after;
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 1);
    assert_ok(app_call(&f->nobody, OPERATION_LOGIN, writer_view(&w), &reply));
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    writer_clear(&w);
}

struct twin {
    struct fixture *f;
    struct frame frame;
    view body;
    uint32_t code;
};

static void *
twin_run(void *arg)
{
    static const struct hsm_peer peer = { .port = PORTS_client, .name = "twin" };
    struct twin *twin = arg;
    struct hsm_told told;
    struct writer reply;

    writer_init(&reply, FRAME_MAX);
    assert_int_equal(hsm_handle(twin->f->hsm.hsm, &peer, PLACE_SLOW, &twin->frame, twin->body,
                                &reply, &told),
                     HSM_DONE);
    twin->code = told.code;
    writer_clear(&reply);
    return NULL;
}

/* The connection is lost while the password is looked at, and the request comes on another one. */
static void
also_while_the_first_is_looked_at(void **state)
{
    struct fixture *f = *state;
    const struct login_request m = { ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT("wrong one") };
    struct twin twins[3];
    pthread_t threads[ARRAY_COUNT(twins)];
    struct writer w;

    writer_init(&w, 256);
    login_request_write(&w, &m);
    for (size_t i = 0; i < ARRAY_COUNT(twins); i++) {
        twins[i] = (struct twin){ .f = f,
                                  .frame = { .operation = OPERATION_LOGIN, .request = 1000 },
                                  .body = writer_view(&w) };
        memcpy(twins[i].frame.context, f->nobody.context, FRAME_CONTEXT_LEN);
        assert_int_equal(pthread_create(&threads[i], NULL, twin_run, &twins[i]), 0);
    }
    for (size_t i = 0; i < ARRAY_COUNT(twins); i++) {
        pthread_join(threads[i], NULL);
        assert_code(twins[i].code, CKR_PIN_INCORRECT);
    }
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 1);
    writer_clear(&w);
}

static void
a_login_is_taken_at_the_slow_place_only(void **state)
{
    struct fixture *f = *state;
    struct app *app = &f->nobody;
    struct hsm_state before = hsm_fixture_state(&f->hsm);
    struct writer w;
    const struct login_request m = { ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT("wrong one") };
    static const enum hsm_place places[] = { PLACE_LOOP, PLACE_CPU, PLACE_STORE };

    writer_init(&w, 256);
    login_request_write(&w, &m);
    for (size_t i = 0; i < ARRAY_COUNT(places); i++) {
        enum hsm_place place = places[i];

        assert_true(app_put_off(app, OPERATION_LOGIN, writer_view(&w), places[i], &place));
        assert_int_equal(place, PLACE_SLOW);
    }
    assert_int_equal(app_failures(app, USER1_NAME), 0);
    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
    writer_clear(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(the_right_password_logs_in),
        AZURE(a_wrong_password_is_refused_and_counted),
        AZURE(almost_the_password_is_wrong_too),
        AZURE(an_unknown_name_looks_like_a_wrong_password),
        AZURE(every_failure_costs_the_same_write),
        AZURE(right_logins_at_once_never_lock),
        AZURE(of_wrong_logins_at_once_five_are_checked),
        AZURE(a_user_has_one_role_only),
        AZURE(who_is_in_cannot_log_in_again),
        AZURE(after_logout_another_user_may_come),
        AZURE(a_login_is_one_contexts_own),
        AZURE(the_same_password_is_quick_the_second_time),
        AZURE(a_wrong_password_is_never_quick),
        AZURE(after_a_restart_the_password_is_checked_anew),
        AZURE(after_a_change_the_old_password_is_wrong),
        AZURE(a_ticket_gives_the_login_back_for_ten_minutes),
        AZURE(a_login_that_is_used_gets_new_tickets),
        AZURE(another_login_takes_the_place_of_the_one_before),
        AZURE(without_a_login_there_is_nothing_to_renew),
        AZURE(after_a_logout_no_ticket_brings_the_login_back),
        AZURE(a_new_login_after_a_logout_has_its_own_ticket),
        AZURE(an_ended_login_is_remembered_as_long_as_its_tickets_live),
        AZURE(a_logout_that_cannot_be_stored_did_not_happen),
        AZURE(five_failures_lock_the_user),
        AZURE(success_sets_the_count_back),
        AZURE(after_a_failure_the_right_password_is_slow_once),
        AZURE(a_locked_user_is_not_let_in_quickly_either),
        AZURE(who_was_in_stays_in_when_the_user_is_locked),
        AZURE(a_lock_outlives_a_restart),
        AZURE(the_officers_new_password_unlocks),
        AZURE(the_failure_is_durable_before_the_password_is_looked_at),
        AZURE(a_failed_login_is_in_the_audit),
        AZURE(without_the_audit_no_password_is_looked_at),
        AZURE(no_name_can_forge_an_audit_line),
        AZURE(a_repeated_login_gets_the_first_reply),
        AZURE(an_attempt_that_is_repeated_counts_once),
        AZURE(also_while_the_first_is_looked_at),
        AZURE(a_login_is_taken_at_the_slow_place_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
