/* SPDX-License-Identifier: Apache-2.0
 *
 * The second factor of officers: what opens with password and signature, and all that does not.
 */
#include "unit/core/core_test.h"

#include "core/factor.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define NAME "second"
#define OTHER "third"
#define PASSWORD "password2"
#define ANOTHER "password3"

struct signature {
    uint8_t bytes[512];
    size_t len;
};

static view
bytes_of(const struct signature *signature)
{
    return view_of(signature->bytes, signature->len);
}

/* As `openssl pkeyutl -sign -pkeyopt digest:sha256` does. */
static struct signature
sign(EVP_PKEY *key, const uint8_t digest[CHALLENGE_DIGEST_LEN])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    struct signature signature = { .len = sizeof signature.bytes };

    assert_int_equal(EVP_PKEY_sign_init(ctx), 1);
    assert_true(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) > 0);
    assert_int_equal(EVP_PKEY_sign(ctx, signature.bytes, &signature.len, digest,
                                   CHALLENGE_DIGEST_LEN), 1);
    EVP_PKEY_CTX_free(ctx);
    return signature;
}

static void
pem_of(EVP_PKEY *key, struct writer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *pem;
    long len;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    len = BIO_get_mem_data(bio, &pem);
    writer_init(out, 8192);
    write_raw(out, view_of(pem, (size_t)len));
    BIO_free(bio);
}

static CK_RV
draw(struct app *app, uint32_t purpose, uint32_t role, const char *name,
     uint8_t digest[CHALLENGE_DIGEST_LEN])
{
    const struct factor_challenge_request m = { purpose, role, view_str(name) };
    struct factor_challenge_reply answer;
    CK_RV rv = app_send_factor_challenge(app, &m, &answer);

    if (rv == CKR_OK) {
        assert_int_equal(answer.digest.len, CHALLENGE_DIGEST_LEN);
        memcpy(digest, answer.digest.data, CHALLENGE_DIGEST_LEN);
    }
    return rv;
}

static struct signature
drawn(struct app *app, uint32_t purpose, const char *name, EVP_PKEY *key)
{
    uint8_t digest[CHALLENGE_DIGEST_LEN];

    assert_ok(draw(app, purpose, ROLE_CO, name, digest));
    return sign(key, digest);
}

static CK_RV
login(struct app *app, const char *name, const char *password, view signature)
{
    const struct login_signed_request m = { ROLE_CO, view_str(name), view_str(password),
                                            signature };
    struct login_signed_reply answer;

    return app_send_login_signed(app, &m, &answer);
}

static CK_RV
make(struct app *app, uint32_t role, const char *name, view pem, view signature)
{
    const struct user_create_signed_request m = { role, view_str(name), VIEW_TEXT(PASSWORD), pem,
                                                  signature };
    struct user_create_signed_reply answer;

    return app_send_user_create_signed(app, &m, &answer);
}

static CK_RV
change(struct app *app, const char *name, const char *password, view pem, view signature)
{
    const struct user_password_signed_request m = { ROLE_CO, view_str(name), view_str(password),
                                                    pem, signature };
    struct user_password_signed_reply answer;

    return app_send_user_password_signed(app, &m, &answer);
}

static bool
has_factor(struct app *app, const char *name)
{
    const struct user_list_request all = { 0, 0 };
    struct user_list_reply answer;
    struct user_info user;

    assert_ok(app_send_user_list(app, &all, &answer));
    for (struct reader r = reader_of(answer.users.bytes); user_array_next(&r, &user);) {
        if (view_equal(user.name, view_str(name))) {
            return user.second_factor;
        }
    }
    fail_msg("there is no %s", name);
    return false;
}

/* An officer NAME with that key, and nobody on the port for management. */
static EVP_PKEY *
begin(struct fixture *f)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct signature signature;
    struct writer pem;

    assert_non_null(key);
    f->nobody.port = PORTS_manage;
    pem_of(key, &pem);
    signature = drawn(&f->officer, CHALLENGE_KEY, NAME, key);
    assert_ok(make(&f->officer, ROLE_CO, NAME, writer_view(&pem), bytes_of(&signature)));
    writer_clear(&pem);
    return key;
}

static void
again(struct fixture *f)
{
    assert_ok(app_detach(&f->nobody));
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));
}

static void
password_and_signature_open_and_neither_alone(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    struct signature signature;

    assert_true(has_factor(&f->nobody, NAME));
    assert_false(has_factor(&f->nobody, OFFICER_NAME));
    assert_true(outside_audit_has(&f->hsm.outside, "2fa=yes"));

    /* The password alone: on both ports, right or wrong, and nothing is counted. */
    f->cu1.ticket_len = 0;
    assert_ok(app_logout(&f->cu1));
    assert_code(app_login(&f->cu1, ROLE_CO, NAME, PASSWORD), CODE_SECOND_FACTOR);
    assert_code(app_login(&f->nobody, ROLE_CO, NAME, PASSWORD), CODE_SECOND_FACTOR);
    assert_code(app_login(&f->nobody, ROLE_CO, NAME, "wrong one"), CODE_SECOND_FACTOR);
    assert_int_equal(app_failures(&f->nobody, NAME), 0);

    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_code(login(&f->nobody, NAME, "wrong one", bytes_of(&signature)), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, NAME), 1);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)));
    assert_int_equal(app_failures(&f->nobody, NAME), 0);
    assert_ok(app_make_user(&f->nobody, ROLE_CU, "cu9", "password")); /* he is an officer */
    assert_ok(app_logout(&f->nobody));

    /* Now the quick way is open to the password, and not to it alone. */
    assert_code(login(&f->nobody, NAME, PASSWORD, VIEW_EMPTY), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, NAME), 1);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)));
    assert_true(outside_audit_has(&f->hsm.outside, "LOGIN_SIGNED"));
    EVP_PKEY_free(key);
}

/* Each is a wrong password to who asks: the code, the count. */
static void
what_does_not_fit_is_a_wrong_password(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    EVP_PKEY *other = EVP_RSA_gen(2048);
    uint8_t digest[CHALLENGE_DIGEST_LEN];
    struct signature signature, old, good;

    /* None drawn; drawn for something else, or somebody else; another's key; altered. */
    memset(digest, 1, sizeof digest);
    signature = sign(key, digest);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_KEY, NAME, key);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, OFFICER_NAME, key);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, other);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, NAME), 4);
    good = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&good)));
    assert_ok(app_logout(&f->nobody));

    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    signature.bytes[100] ^= 1;
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    /* It was good once, also where it did not fit. */
    signature.bytes[100] ^= 1;
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    /* A newer challenge ends the one before. */
    old = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&old)), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, NAME), 3);
    good = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&good)));
    assert_ok(app_logout(&f->nobody));
    /* A second time. */
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&good)), CKR_PIN_INCORRECT);
    /* In another session than the one that drew it. */
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    again(f);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    /* Too late. */
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    outside_move_clock(&f->hsm.outside, CHALLENGE_LIFE_MS);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, NAME), 3);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    outside_move_clock(&f->hsm.outside, CHALLENGE_LIFE_MS - 1);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)));
    assert_ok(app_logout(&f->nobody));

    /* Five lock, and then the right ones do not help. */
    for (int i = 0; i < 5; i++) {
        assert_code(login(&f->nobody, NAME, PASSWORD, VIEW_EMPTY), CKR_PIN_INCORRECT);
    }
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_LOCKED);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void
who_is_not_there_or_has_none_gets_a_challenge_too(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    struct signature signature;
    uint8_t digest[CHALLENGE_DIGEST_LEN];

    signature = drawn(&f->nobody, CHALLENGE_LOGIN, "nobody", key);
    assert_code(login(&f->nobody, "nobody", PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, "no name: 1", key);
    assert_code(login(&f->nobody, "no name: 1", PASSWORD, bytes_of(&signature)),
                CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, OFFICER_NAME, key);
    assert_code(login(&f->nobody, OFFICER_NAME, OFFICER_PASSWORD, bytes_of(&signature)),
                CKR_PIN_INCORRECT);
    assert_ok(app_login(&f->nobody, ROLE_CO, OFFICER_NAME, OFFICER_PASSWORD));
    assert_code(draw(&f->nobody, 0, ROLE_CO, NAME, digest), CKR_ARGUMENTS_BAD);
    assert_code(draw(&f->nobody, 3, ROLE_CO, NAME, digest), CKR_ARGUMENTS_BAD);
    outside_fail(&f->hsm.outside, CALL_ENTROPY, 1);
    assert_code(draw(&f->nobody, CHALLENGE_LOGIN, ROLE_CO, NAME, digest), CKR_FUNCTION_FAILED);
    assert_true(outside_mend(&f->hsm.outside));
    EVP_PKEY_free(key);
}

static void
who_cannot_sign_registers_no_key(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    EVP_PKEY *other = EVP_RSA_gen(2048);
    EVP_PKEY *large = EVP_RSA_gen(3072);
    EVP_PKEY *curve = EVP_EC_gen("P-256");
    struct writer pem, other_pem, large_pem, curve_pem;
    struct signature signature;

    pem_of(key, &pem);
    pem_of(other, &other_pem);
    pem_of(large, &large_pem);
    pem_of(curve, &curve_pem);

    signature = drawn(&f->officer, CHALLENGE_KEY, OTHER, key);
    assert_code(make(&f->officer, ROLE_CO, OTHER, writer_view(&other_pem), bytes_of(&signature)),
                CKR_SIGNATURE_INVALID);
    /* It was used up. */
    assert_code(make(&f->officer, ROLE_CO, OTHER, writer_view(&pem), bytes_of(&signature)),
                CKR_SIGNATURE_INVALID);
    signature = drawn(&f->officer, CHALLENGE_LOGIN, OTHER, key);
    assert_code(make(&f->officer, ROLE_CO, OTHER, writer_view(&pem), bytes_of(&signature)),
                CKR_SIGNATURE_INVALID);
    signature = drawn(&f->officer, CHALLENGE_KEY, "fourth", key);
    assert_code(make(&f->officer, ROLE_CO, OTHER, writer_view(&pem), bytes_of(&signature)),
                CKR_SIGNATURE_INVALID);
    /* No RSA of 2048 bits; no officer. */
    signature = drawn(&f->officer, CHALLENGE_KEY, OTHER, large);
    assert_code(make(&f->officer, ROLE_CO, OTHER, writer_view(&large_pem), bytes_of(&signature)),
                CODE_CERT_BAD);
    signature = drawn(&f->officer, CHALLENGE_KEY, OTHER, curve);
    assert_code(make(&f->officer, ROLE_CO, OTHER, writer_view(&curve_pem), bytes_of(&signature)),
                CODE_CERT_BAD);
    signature = drawn(&f->officer, CHALLENGE_KEY, OTHER, key);
    assert_code(make(&f->officer, ROLE_CO, OTHER, VIEW_TEXT("pem"), bytes_of(&signature)),
                CODE_CERT_BAD);
    signature = drawn(&f->officer, CHALLENGE_KEY, OTHER, key);
    assert_code(make(&f->officer, ROLE_CU, OTHER, writer_view(&pem), bytes_of(&signature)),
                CKR_USER_TYPE_INVALID);
    /* Nor did any of them make the user. */
    assert_code(app_set_password(&f->officer, ROLE_CO, OTHER, ANOTHER), CODE_USER_UNKNOWN);

    writer_clear(&pem);
    writer_clear(&other_pem);
    writer_clear(&large_pem);
    writer_clear(&curve_pem);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
    EVP_PKEY_free(large);
    EVP_PKEY_free(curve);
}

static void
a_key_is_changed_and_taken_away(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    EVP_PKEY *other = EVP_RSA_gen(2048);
    struct signature signature;
    struct writer pem;

    pem_of(other, &pem);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)));
    signature = drawn(&f->nobody, CHALLENGE_KEY, NAME, key);
    assert_code(change(&f->nobody, NAME, ANOTHER, writer_view(&pem), bytes_of(&signature)),
                CKR_SIGNATURE_INVALID);
    signature = drawn(&f->nobody, CHALLENGE_KEY, NAME, other);
    assert_ok(change(&f->nobody, NAME, ANOTHER, writer_view(&pem), bytes_of(&signature)));
    again(f);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_code(login(&f->nobody, NAME, ANOTHER, bytes_of(&signature)), CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, other);
    assert_ok(login(&f->nobody, NAME, ANOTHER, bytes_of(&signature)));

    /* Without -2fa it ends. */
    assert_ok(app_set_password(&f->nobody, ROLE_CO, NAME, PASSWORD));
    assert_false(has_factor(&f->nobody, NAME));
    again(f);
    assert_ok(app_login(&f->nobody, ROLE_CO, NAME, PASSWORD));
    /* And one who had none gets one. */
    signature = drawn(&f->nobody, CHALLENGE_KEY, NAME, other);
    assert_ok(change(&f->nobody, NAME, ANOTHER, writer_view(&pem), bytes_of(&signature)));
    assert_true(has_factor(&f->nobody, NAME));
    again(f);
    assert_code(app_login(&f->nobody, ROLE_CO, NAME, ANOTHER), CODE_SECOND_FACTOR);
    writer_clear(&pem);
    EVP_PKEY_free(key);
    EVP_PKEY_free(other);
}

static void
a_factor_is_there_after_a_restart_and_a_challenge_is_not(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    struct signature signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);

    hsm_fixture_reopen(&f->hsm);
    f->nobody.ticket_len = 0;
    assert_ok(app_attach(&f->nobody));
    assert_true(has_factor(&f->nobody, NAME));
    assert_code(app_login(&f->nobody, ROLE_CO, NAME, PASSWORD), CODE_SECOND_FACTOR);
    assert_code(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    assert_ok(login(&f->nobody, NAME, PASSWORD, bytes_of(&signature)));
    EVP_PKEY_free(key);
}

static void
whatever_fails_outside_lets_nobody_in(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    int n = 1;
    CK_RV rv;

    for (;; n++) {
        struct signature signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);

        outside_fail(&f->hsm.outside, CALL_SUBMIT | CALL_ENTROPY | CALL_AUDIT, n);
        rv = login(&f->nobody, NAME, PASSWORD, bytes_of(&signature));
        if (!outside_mend(&f->hsm.outside)) {
            break;
        }
        assert_true(rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_FAILED);
        assert_code(app_make_user(&f->nobody, ROLE_CU, "cu9", "password"), CKR_USER_NOT_LOGGED_IN);

        const struct user_unlock_request unlock = { ROLE_CO, VIEW_TEXT(NAME) };
        struct user_unlock_reply none;

        assert_ok(app_send_user_unlock(&f->officer, &unlock, &none));
    }
    assert_ok(rv);
    assert_true(n > 1);
    EVP_PKEY_free(key);
}

/* The daemon that lost its link asks again. */
static void
a_login_that_is_asked_twice_is_one(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = begin(f);
    struct signature signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    struct login_signed_request m = { ROLE_CO, VIEW_TEXT(NAME), VIEW_TEXT("wrong one"),
                                      bytes_of(&signature) };
    struct writer w;
    view reply;

    writer_init(&w, 4096);
    login_signed_request_write(&w, &m);
    assert_code(app_call(&f->nobody, OPERATION_LOGIN_SIGNED, writer_view(&w), &reply),
                CKR_PIN_INCORRECT);
    assert_code(app_repeat(&f->nobody, OPERATION_LOGIN_SIGNED, writer_view(&w), &reply),
                CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, NAME), 1);

    signature = drawn(&f->nobody, CHALLENGE_LOGIN, NAME, key);
    m.password = VIEW_TEXT(PASSWORD);
    writer_reset(&w);
    login_signed_request_write(&w, &m);
    assert_ok(app_call(&f->nobody, OPERATION_LOGIN_SIGNED, writer_view(&w), &reply));
    assert_ok(app_repeat(&f->nobody, OPERATION_LOGIN_SIGNED, writer_view(&w), &reply));
    assert_int_equal(app_failures(&f->nobody, NAME), 0);
    writer_clear(&w);
    EVP_PKEY_free(key);
}

/* ---- two nodes ---- */

static void
all_nodes_ask_for_it_each_with_its_own_challenge(void **state)
{
    struct hsm_fixture one, two;
    struct app officer, here, there;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct signature signature;
    struct writer pem;

    UNUSED(state);
    hsm_fixture_init(&one, POLICY_AZURE);
    hsm_fixture_follow(&one, "A1");
    hsm_fixture_join(&two, &one, "B2");
    app_init(&officer, &one, OFFICER_USER);
    app_init(&here, &one, APP_NOBODY);
    app_init(&there, &two, APP_NOBODY);
    officer.port = here.port = there.port = PORTS_manage;
    officer.patient = here.patient = there.patient = true;

    /* As long as a node may be of a release that could not read the record, there is none. */
    pem_of(key, &pem);
    one.hsm->release.number = 1;
    signature = drawn(&officer, CHALLENGE_KEY, NAME, key);
    assert_code(make(&officer, ROLE_CO, NAME, writer_view(&pem), bytes_of(&signature)),
                CKR_FUNCTION_NOT_SUPPORTED);
    one.hsm->release.number = 2;
    signature = drawn(&officer, CHALLENGE_KEY, NAME, key);
    assert_ok(make(&officer, ROLE_CO, NAME, writer_view(&pem), bytes_of(&signature)));
    there.revision = officer.revision;
    assert_true(has_factor(&there, NAME));
    assert_code(app_login(&there, ROLE_CO, NAME, PASSWORD), CODE_SECOND_FACTOR);

    signature = drawn(&here, CHALLENGE_LOGIN, NAME, key);
    assert_code(login(&there, NAME, PASSWORD, bytes_of(&signature)), CKR_PIN_INCORRECT);
    here.revision = there.revision;
    assert_int_equal(app_failures(&here, NAME), 1);
    /* A count that the other node changes meanwhile: the request runs again, with its challenge. */
    for (int i = 0; i < 3; i++) {
        signature = drawn(&there, CHALLENGE_LOGIN, NAME, key);
        assert_code(login(&here, NAME, PASSWORD, VIEW_EMPTY), CKR_PIN_INCORRECT);
        assert_ok(login(&there, NAME, PASSWORD, bytes_of(&signature)));
        assert_ok(app_logout(&there));
        here.revision = there.revision;
        assert_int_equal(app_failures(&here, NAME), 0);
    }

    writer_clear(&pem);
    EVP_PKEY_free(key);
    app_clear(&officer);
    app_clear(&here);
    app_clear(&there);
    hsm_fixture_clear(&two);
    hsm_fixture_clear(&one);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(password_and_signature_open_and_neither_alone),
        AZURE(what_does_not_fit_is_a_wrong_password),
        AZURE(who_is_not_there_or_has_none_gets_a_challenge_too),
        AZURE(who_cannot_sign_registers_no_key),
        AZURE(a_key_is_changed_and_taken_away),
        AZURE(a_factor_is_there_after_a_restart_and_a_challenge_is_not),
        AZURE(whatever_fails_outside_lets_nobody_in),
        AZURE(a_login_that_is_asked_twice_is_one),
        cmocka_unit_test(all_nodes_ask_for_it_each_with_its_own_challenge),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
