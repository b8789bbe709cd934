/* SPDX-License-Identifier: Apache-2.0
 *
 * Token files, tokens over time, and the signatures of openssl that approve them.
 */
#include "unit/core/core_test.h"

#include "core/quorum.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

static struct writer
token_bytes(uint32_t id, const char *serial)
{
    static const uint8_t nonce[32] = { 7 };
    struct quorum_token_text token = { SERVICE_USERS, id, 1, "", 1000, VIEW_EMPTY };
    struct writer w;

    snprintf(token.serial, sizeof token.serial, "%s", serial);
    token.nonce = view_of(nonce, sizeof nonce);
    writer_init(&w, 4096);
    quorum_token_write(&w, &token);
    assert_true(writer_ok(&w));
    assert_int_equal(w.len, QUORUM_TOKEN_LEN);
    return w;
}

static void
a_token_is_these_bytes_and_no_others(void **state)
{
    struct writer w = token_bytes(0x01020304, "0123456789abcdef");
    struct quorum_token_text token;

    UNUSED(state);
    assert_true(quorum_token_read(writer_view(&w), &token));
    assert_memory_equal(w.data, "OCHT\x01\x03\0\0\x04\x03\x02\x01\x01\0\0\0" "0123456789abcdef", 32);
    for (size_t len = 0; len < w.len; len++) {
        assert_false(quorum_token_read(view_of(w.data, len), &token));
    }
    for (size_t at = 0; at < 8; at++) { /* magic, version, service, zero */
        w.data[at] ^= 0x40;
        assert_false(quorum_token_read(writer_view(&w), &token));
        w.data[at] ^= 0x40;
    }
    w.data[20] = 0; /* a text that ends, and goes on */
    assert_false(quorum_token_read(writer_view(&w), &token));
    writer_clear(&w);
}

static void
a_file_has_one_token_of_a_node(void **state)
{
    struct writer a = token_bytes(1, "a");
    struct writer b = token_bytes(2, "b");
    struct writer file;
    struct quorum_token_text token;
    view found;

    UNUSED(state);
    writer_init(&file, 8192);
    assert_false(quorum_file_find(VIEW_EMPTY, "a", &found));
    write_raw(&file, writer_view(&a));
    write_raw(&file, writer_view(&b));
    assert_true(quorum_file_find(writer_view(&file), "b", &found));
    assert_true(quorum_token_read(found, &token));
    assert_int_equal(token.id, 2);
    assert_false(quorum_file_find(writer_view(&file), "c", &found));
    assert_false(quorum_file_find(view_of(file.data, file.len - 1), "a", &found));
    write_raw(&file, writer_view(&b));
    assert_false(quorum_file_find(writer_view(&file), "b", &found));
    assert_true(quorum_file_find(writer_view(&file), "a", &found));
    while (file.len < (QUORUM_NODES_MAX + 1) * QUORUM_TOKEN_LEN) {
        write_raw(&file, writer_view(&b));
    }
    assert_false(quorum_file_find(writer_view(&file), "a", &found));
    writer_clear(&a);
    writer_clear(&b);
    writer_clear(&file);
}

/* ---- with keys ---- */

static CK_RV
draw(struct app *app, uint8_t token[QUORUM_TOKEN_LEN])
{
    const struct quorum_token_request m = { SERVICE_USERS, VIEW_TEXT(OFFICER_NAME) };
    struct quorum_token_reply answer;
    CK_RV rv = app_send_quorum_token(app, &m, &answer);

    if (rv == CKR_OK) {
        assert_int_equal(answer.token.len, QUORUM_TOKEN_LEN);
        memcpy(token, answer.token.data, QUORUM_TOKEN_LEN);
    }
    return rv;
}

static CK_RV
approve(struct app *app, const uint8_t token[QUORUM_TOKEN_LEN], const char *name, view signature)
{
    const struct quorum_approve_request m = { view_of(token, QUORUM_TOKEN_LEN), ROLE_CO,
                                              view_str(name), signature };
    struct quorum_approve_reply answer;

    return app_send_quorum_approve(app, &m, &answer);
}

static void
sign(EVP_PKEY *key, view in, struct writer *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t room[512];
    size_t len = sizeof room;

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, room, &len, in.data, in.len), 1);
    EVP_MD_CTX_free(ctx);
    writer_init(out, sizeof room);
    write_raw(out, view_of(room, len));
}

static CK_RV
enroll(struct app *app, const char *name, EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct quorum_key_reply answer;
    struct writer signature;
    char *pem;
    CK_RV rv;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    sign(key, VIEW_TEXT("proof"), &signature);

    long len = BIO_get_mem_data(bio, &pem);
    const struct quorum_key_request m = { ROLE_CO, view_str(name), VIEW_TEXT("proof"),
                                          writer_view(&signature), view_of(pem, (size_t)len) };

    rv = app_send_quorum_key(app, &m, &answer);
    writer_clear(&signature);
    BIO_free(bio);
    return rv;
}

struct officers {
    struct app second;
    EVP_PKEY *keys[2];
};

/* Two officers with keys, and M is 2. */
static void
officers_begin(struct fixture *f, struct officers *o)
{
    const struct quorum_set_request m = { SERVICE_USERS, 2 };
    struct quorum_set_reply answer;

    assert_ok(app_make_user(&f->officer, ROLE_CO, "second", "secondpassword"));
    app_init(&o->second, &f->hsm, APP_NOBODY);
    o->second.port = PORTS_manage;
    assert_ok(app_login(&o->second, ROLE_CO, "second", "secondpassword"));
    for (size_t i = 0; i < 2; i++) {
        o->keys[i] = EVP_RSA_gen(2048);
        assert_non_null(o->keys[i]);
    }
    assert_ok(enroll(&f->officer, OFFICER_NAME, o->keys[0]));
    assert_code(app_send_quorum_set(&f->officer, &m, &answer), CODE_QUORUM_SIZE);
    assert_code(enroll(&o->second, "second", o->keys[0]), CKR_ACTION_PROHIBITED);
    assert_ok(enroll(&o->second, "second", o->keys[1]));
    assert_ok(app_send_quorum_set(&f->officer, &m, &answer));
}

static void
officers_end(struct officers *o)
{
    EVP_PKEY_free(o->keys[0]);
    EVP_PKEY_free(o->keys[1]);
    app_clear(&o->second);
}

static void
both_approve(struct fixture *f, struct officers *o, const uint8_t token[QUORUM_TOKEN_LEN])
{
    static const char *const names[] = { OFFICER_NAME, "second" };

    for (size_t i = 0; i < 2; i++) {
        struct writer signature;

        sign(o->keys[i], view_of(token, QUORUM_TOKEN_LEN), &signature);
        assert_ok(approve(&f->officer, token, names[i], writer_view(&signature)));
        if (i == 0) { /* one is not two */
            assert_code(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"), CODE_QUORUM);
        }
        assert_code(approve(&f->officer, token, names[i], writer_view(&signature)),
                    CODE_TOKEN_TWICE);
        assert_code(approve(&f->officer, token, names[1 - i], writer_view(&signature)),
                    CKR_SIGNATURE_INVALID);
        writer_clear(&signature);
    }
}

static void
an_act_takes_a_token_that_m_approved(void **state)
{
    struct fixture *f = *state;
    struct officers o;
    uint8_t token[QUORUM_TOKEN_LEN];

    officers_begin(f, &o);
    assert_code(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"), CODE_QUORUM);
    assert_ok(draw(&f->officer, token));
    assert_code(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"), CODE_QUORUM);
    both_approve(f, &o, token);
    assert_code(app_make_user(&o.second, ROLE_CU, "cu9", "password9"), CODE_QUORUM);
    assert_code(app_make_user(&f->officer, ROLE_CU, USER1_NAME, "password9"), CODE_USER_EXISTS);
    assert_ok(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"));
    assert_code(app_make_user(&f->officer, ROLE_CU, "cu8", "password8"), CODE_QUORUM);
    assert_code(approve(&f->officer, token, "second", VIEW_TEXT("x")), CODE_TOKEN_UNKNOWN);
    assert_code(app_delete_user(&f->officer, ROLE_CU, "cu9"), CODE_QUORUM);
    assert_code(app_delete_user(&f->officer, ROLE_CO, "second"), CODE_QUORUM_SIZE);
    assert_code(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "password9"), CODE_QUORUM);
    assert_ok(app_set_password(&o.second, ROLE_CO, "second", "secondpassword2"));
    officers_end(&o);
}

static void
a_token_ends_with_its_time_and_its_login(void **state)
{
    struct fixture *f = *state;
    struct officers o;
    uint8_t token[QUORUM_TOKEN_LEN];

    officers_begin(f, &o);
    assert_ok(draw(&f->officer, token));
    both_approve(f, &o, token);
    outside_move_clock(&f->hsm.outside, QUORUM_TIME * 1000);
    assert_code(approve(&f->officer, token, "second", VIEW_TEXT("x")), CODE_TOKEN_EXPIRED);
    assert_code(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"), CODE_QUORUM);

    assert_ok(draw(&f->officer, token));
    assert_code(approve(&o.second, token, "second", VIEW_TEXT("x")), CODE_TOKEN_USER);
    assert_ok(app_logout(&f->officer));
    assert_ok(app_login(&f->officer, ROLE_CO, OFFICER_NAME, OFFICER_PASSWORD));
    assert_code(approve(&f->officer, token, "second", VIEW_TEXT("x")), CODE_TOKEN_USER);
    officers_end(&o);
}

/* Each refusal is in the audit, by the name of its code. */
static void
refusals_are_audited(void **state)
{
    struct fixture *f = *state;
    struct officers o;
    struct writer signature;
    uint8_t token[QUORUM_TOKEN_LEN];
    uint8_t other[QUORUM_TOKEN_LEN];
    const struct quorum_set_request many = { SERVICE_USERS, 3 };
    struct quorum_set_reply answer;
    static const char *const lines[] = {
        "QUORUM_APPROVE user=1 role=CO code=CODE_TOKEN_TWICE",     /* duplicate */
        "QUORUM_APPROVE user=1 role=CO code=CKR_SIGNATURE_INVALID", /* another's signature */
        "QUORUM_APPROVE user=1 role=CO code=CODE_TOKEN_UNKNOWN",   /* replay */
        "QUORUM_APPROVE user=1 role=CO code=CODE_TOKEN_BAD",       /* of another node */
        "QUORUM_APPROVE user=5 role=CO code=CODE_TOKEN_USER",      /* drawn by another */
        "QUORUM_APPROVE user=1 role=CO code=CODE_TOKEN_EXPIRED",
        "QUORUM_APPROVE user=1 role=CO code=CODE_TOKEN_APPROVER",
        "QUORUM_SET user=1 role=CO code=CODE_QUORUM_SIZE",         /* M too large */
        "USER_CREATE user=1 role=CO code=CODE_QUORUM",
    };

    officers_begin(f, &o);
    assert_ok(draw(&f->officer, token));
    both_approve(f, &o, token);
    assert_ok(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"));
    assert_code(approve(&f->officer, token, "second", VIEW_TEXT("x")), CODE_TOKEN_UNKNOWN);
    assert_ok(draw(&f->officer, token));
    memcpy(other, token, sizeof other);
    other[16] ^= 1; /* in the serial */
    assert_code(approve(&f->officer, other, "second", VIEW_TEXT("x")), CODE_TOKEN_BAD);
    assert_code(approve(&f->officer, token, "nobody", VIEW_TEXT("x")), CODE_TOKEN_APPROVER);
    assert_code(approve(&o.second, token, "second", VIEW_TEXT("x")), CODE_TOKEN_USER);
    assert_code(app_send_quorum_set(&f->officer, &many, &answer), CODE_QUORUM_SIZE);
    outside_move_clock(&f->hsm.outside, QUORUM_TIME * 1000);
    sign(o.keys[0], view_of(token, sizeof token), &signature);
    assert_code(approve(&f->officer, token, OFFICER_NAME, writer_view(&signature)),
                CODE_TOKEN_EXPIRED);
    writer_clear(&signature);

    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        if (!outside_audit_has(&f->hsm.outside, lines[i])) {
            fail_msg("not in the audit: %s", lines[i]);
        }
    }
    officers_end(&o);
}

/* ---- the outside world fails ---- */

#define CALLS (CALL_SUBMIT | CALL_NUMBERS | CALL_ENTROPY | CALL_AUDIT)

struct agreed {
    struct officers officers;
    uint8_t token[QUORUM_TOKEN_LEN];
    struct writer signature; /* of the second officer */
};

static CK_RV
act_draw(struct fixture *f, struct agreed *a)
{
    return draw(&f->officer, a->token);
}

static CK_RV
act_approve(struct fixture *f, struct agreed *a)
{
    return approve(&f->officer, a->token, "second", writer_view(&a->signature));
}

static CK_RV
act_make(struct fixture *f, struct agreed *a)
{
    UNUSED(a);
    return app_make_user(&f->officer, ROLE_CU, "cu9", "password9");
}

static CK_RV
act_delete(struct fixture *f, struct agreed *a)
{
    UNUSED(a);
    return app_delete_user(&f->officer, ROLE_CU, USER2_NAME);
}

static CK_RV
act_password(struct fixture *f, struct agreed *a)
{
    UNUSED(a);
    return app_set_password(&f->officer, ROLE_CU, USER1_NAME, "password9");
}

static CK_RV
act_set(struct fixture *f, struct agreed *a)
{
    const struct quorum_set_request m = { SERVICE_USERS, 2 };
    struct quorum_set_reply answer;

    UNUSED(a);
    return app_send_quorum_set(&f->officer, &m, &answer);
}

static CK_RV
act_time(struct fixture *f, struct agreed *a)
{
    const struct quorum_time_request m = { 900 };
    struct quorum_time_reply answer;

    UNUSED(a);
    return app_send_quorum_time(&f->officer, &m, &answer);
}

static CK_RV
act_enroll(struct fixture *f, struct agreed *a)
{
    return enroll(&f->officer, OFFICER_NAME, a->officers.keys[0]);
}

/* What the quorum has, of what an act may change. */
struct quorum_seen {
    struct hsm_state state;
    struct quorum_get_reply settings;
    size_t keys;
    size_t tokens;
    uint32_t approvals;
};

static struct quorum_seen
quorum_look(struct fixture *f)
{
    struct quorum *quorum = &f->hsm.hsm->quorum;
    struct quorum_seen seen = { .state = hsm_fixture_state(&f->hsm),
                                .keys = quorum->key_count,
                                .tokens = quorum->token_count };

    for (const struct quorum_token *token = quorum->tokens; token != NULL; token = token->next) {
        seen.approvals += token->approvals;
    }
    assert_ok(app_send_quorum_get(&f->officer, NULL, &seen.settings));
    return seen;
}

static bool
quorum_seen_equal(const struct quorum_seen *a, const struct quorum_seen *b)
{
    return hsm_state_equal(a->state, b->state) && a->keys == b->keys && a->tokens == b->tokens &&
           a->approvals == b->approvals && a->settings.needed_users == b->settings.needed_users &&
           a->settings.needed_misc == b->settings.needed_misc &&
           a->settings.seconds == b->settings.seconds;
}

/* A token that was approved is there again after each failure: the act is tried with the same one
 * until it succeeds. */
static void
acts_of_the_quorum_succeed_or_change_nothing(void **state)
{
    static const struct {
        const char *name;
        CK_RV (*act)(struct fixture *f, struct agreed *a);
        bool agreed; /* takes a token */
        int calls;   /* at least */
    } acts[] = {
        { "draw", act_draw, false, 2 },     { "approve", act_approve, false, 1 },
        { "make", act_make, true, 5 },      { "delete", act_delete, true, 3 },
        { "password", act_password, true, 4 }, { "set", act_set, true, 3 },
        { "time", act_time, true, 3 },      { "enroll", act_enroll, false, 3 },
    };
    struct fixture *f = *state;
    struct agreed a;

    officers_begin(f, &a.officers);
    assert_ok(draw(&f->officer, a.token));
    sign(a.officers.keys[1], view_of(a.token, sizeof a.token), &a.signature);
    for (size_t i = 0; i < ARRAY_COUNT(acts); i++) {
        struct quorum_seen before;
        int n = 1;
        CK_RV rv;

        if (acts[i].agreed) {
            assert_ok(draw(&f->officer, a.token));
            both_approve(f, &a.officers, a.token);
        }
        if (acts[i].act == act_approve) {
            writer_clear(&a.signature);
            sign(a.officers.keys[1], view_of(a.token, sizeof a.token), &a.signature);
        }
        before = quorum_look(f);
        for (;; n++) {
            struct quorum_seen after;

            outside_fail(&f->hsm.outside, CALLS, n);
            rv = acts[i].act(f, &a);
            if (!outside_mend(&f->hsm.outside)) {
                break;
            }
            if (rv != CKR_DEVICE_ERROR && rv != CKR_FUNCTION_FAILED) {
                fail_msg("%s, call %d: %s", acts[i].name, n, return_name(rv));
            }
            after = quorum_look(f);
            if (!quorum_seen_equal(&before, &after)) {
                fail_msg("%s, call %d: something changed", acts[i].name, n);
            }
        }
        if (rv != CKR_OK || n <= acts[i].calls) {
            fail_msg("%s: %s after %d calls", acts[i].name, return_name(rv), n - 1);
        }
        if (acts[i].agreed) {
            assert_code(acts[i].act(f, &a), acts[i].act == act_delete ? CODE_USER_UNKNOWN
                                                                      : CODE_QUORUM);
        }
    }
    writer_clear(&a.signature);
    officers_end(&a.officers);
}

static void
keys_and_m_outlive_a_restart_and_tokens_do_not(void **state)
{
    struct fixture *f = *state;
    struct officers o;
    struct quorum_get_reply got;
    uint8_t token[QUORUM_TOKEN_LEN];

    officers_begin(f, &o);
    assert_ok(draw(&f->officer, token));
    both_approve(f, &o, token);
    hsm_fixture_reopen(&f->hsm);
    f->officer.ticket_len = 0;
    assert_ok(app_attach(&f->officer));
    assert_ok(app_login(&f->officer, ROLE_CO, OFFICER_NAME, OFFICER_PASSWORD));
    assert_ok(app_send_quorum_get(&f->officer, NULL, &got));
    assert_int_equal(got.needed_users, 2);
    assert_int_equal(got.needed_misc, 0);
    assert_code(approve(&f->officer, token, "second", VIEW_TEXT("x")), CODE_TOKEN_UNKNOWN);
    assert_code(app_make_user(&f->officer, ROLE_CU, "cu9", "password9"), CODE_QUORUM);
    assert_true(quorum_has_key(&f->hsm.hsm->quorum, OFFICER_USER));
    officers_end(&o);
}

static void
who_was_let_in_to_change_his_password_gets_no_ticket(void **state)
{
    struct fixture *f = *state;
    struct context *context = context_find(&f->hsm.hsm->contexts, f->nobody.context);
    struct renew_reply answer;

    assert_non_null(context);
    context_login(context, ROLE_PRECO, OFFICER_USER, 77);
    assert_code(app_send_renew(&f->nobody, NULL, &answer), CKR_USER_NOT_LOGGED_IN);
    context_login(context, ROLE_CO, OFFICER_USER, 77);
    assert_ok(app_send_renew(&f->nobody, NULL, &answer));
    context_unref(context);
}

/* ---- many users ---- */

#define MANY 10000u

static void
ten_thousand_users_are_listed_by_pages_in_no_time(void **state)
{
    struct fixture *f = *state;
    const struct user sample = *user_by_id(&f->hsm.hsm->users, USER1);
    struct user_list_request page = { 0, 0 };
    struct user_list_reply answer = { .more = true };
    struct user_info user = { .id = 0 };
    size_t count = 0;
    size_t pages = 0;

    for (uint32_t i = 0; i < MANY; i++) {
        struct user one = sample;
        struct record_name name = record_name('u', 100 + i);
        struct writer record;

        one.id = 100 + i;
        snprintf(one.name, sizeof one.name, "many%u", (unsigned)i);
        writer_init(&record, 2048);
        assert_ok(user_record(&f->hsm.hsm->sealer, &one, &record));
        outside_put(&f->hsm.outside, name.text, writer_view(&record));
        writer_clear(&record);
    }
    hsm_fixture_reopen(&f->hsm);
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));

    clock_t begin = clock();

    while (answer.more) {
        uint32_t before = page.after;

        assert_ok(app_send_user_list(&f->nobody, &page, &answer));

        struct reader r = reader_of(answer.users.bytes);

        while (user_array_next(&r, &user)) {
            assert_true(user.id > page.after);
            page.after = user.id;
            count++;
        }
        pages++;
        assert_true(page.after > before);
    }
    assert_true(clock() - begin < 2 * CLOCKS_PER_SEC);
    assert_int_equal(count, MANY + 4);
    assert_int_equal(pages, (MANY + 4 + USERS_PAGE_MAX - 1) / USERS_PAGE_MAX);
    page = (struct user_list_request){ 0, 3 };
    assert_ok(app_send_user_list(&f->nobody, &page, &answer));
    assert_true(answer.more);
    page = (struct user_list_request){ 0xffffffffu, 0 };
    assert_ok(app_send_user_list(&f->nobody, &page, &answer));
    assert_false(answer.more);
    assert_int_equal(answer.users.bytes.len, 0);
    page = (struct user_list_request){ 0, USERS_PAGE_MAX + 1 };
    assert_code(app_send_user_list(&f->nobody, &page, &answer), CODE_BAD_FRAME);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_these_bytes_and_no_others),
        cmocka_unit_test(a_file_has_one_token_of_a_node),
        AZURE(an_act_takes_a_token_that_m_approved),
        AZURE(refusals_are_audited),
        AZURE(a_token_ends_with_its_time_and_its_login),
        AZURE(acts_of_the_quorum_succeed_or_change_nothing),
        AZURE(keys_and_m_outlive_a_restart_and_tokens_do_not),
        AZURE(who_was_let_in_to_change_his_password_gets_no_ticket),
        AZURE(ten_thousand_users_are_listed_by_pages_in_no_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
