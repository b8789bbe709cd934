/* SPDX-License-Identifier: Apache-2.0
 *
 * Unlocking while the outside world fails: for n from 1 on the n-th call to store, entropy or
 * audit fails. Nothing is half done then, and it works when it is tried again.
 */
#include "unit/core/core_test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define CALLS (CALL_SUBMIT | CALL_NUMBERS | CALL_ENTROPY | CALL_AUDIT)

/* What says that the officer's login, or the user's, failed once. */
static void
fail_once(struct fixture *f, uint32_t role, const char *name)
{
    assert_code(app_login(&f->nobody, role, name, "wrong one"), CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->nobody, name), 1);
}

static void
an_officer_unlocks_a_user_or_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct user_unlock_request m = { ROLE_CU, VIEW_TEXT(USER2_NAME) };
    struct user_unlock_reply answer;
    int n = 1;
    CK_RV rv;

    fail_once(f, ROLE_CU, USER2_NAME);
    for (;; n++) {
        outside_fail(&f->hsm.outside, CALLS, n);
        rv = app_send_user_unlock(&f->officer, &m, &answer);
        if (!outside_mend(&f->hsm.outside)) {
            break;
        }
        assert_true(rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_FAILED);
        assert_int_equal(app_failures(&f->nobody, USER2_NAME), 1);
    }
    assert_ok(rv);
    assert_true(n > 3);
    assert_int_equal(app_failures(&f->nobody, USER2_NAME), 0);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->nobody));
    assert_int_equal(app_failures(&f->nobody, USER2_NAME), 0);
}

/* ---- by the owner ---- */

/* From now on the node has an owner, whose key the test has. */
static EVP_PKEY *
owner_make(struct fixture *f)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    struct owner *owner = &f->hsm.hsm->owner;
    char *pem;

    assert_non_null(key);
    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    assert_int_equal(BIO_write(bio, "", 1), 1);
    (void)BIO_get_mem_data(bio, &pem);
    owner->key = secret_dup(VIEW_TEXT("not asked for"));
    owner->certs[0].pem = strdup(pem);
    owner->certs[1].pem = strdup("not asked for either");
    BIO_free(bio);
    return key;
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
challenge_get(struct app *app, struct writer *out)
{
    const struct challenge_request m = { VIEW_TEXT(OFFICER_NAME) };
    struct challenge_reply answer;
    CK_RV rv = app_send_challenge(app, &m, &answer);

    if (rv == CKR_OK) {
        writer_init(out, 1024);
        write_raw(out, answer.challenge);
    }
    return rv;
}

static CK_RV
unlock(struct app *app, view challenge, view signature)
{
    const struct officer_unlock_request m = { challenge, signature };
    struct officer_unlock_reply answer;

    return app_send_officer_unlock(app, &m, &answer);
}

static void
the_owner_unlocks_an_officer_or_changes_nothing(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY *key = owner_make(f);
    struct writer challenge, signature;
    int n = 1;
    CK_RV rv;

    f->nobody.port = PORTS_manage;
    fail_once(f, ROLE_CO, OFFICER_NAME);
    outside_fail(&f->hsm.outside, CALL_ENTROPY, 1);
    assert_code(challenge_get(&f->nobody, &challenge), CKR_FUNCTION_FAILED);
    assert_true(outside_mend(&f->hsm.outside));
    assert_ok(challenge_get(&f->nobody, &challenge));
    sign(key, writer_view(&challenge), &signature);
    for (;; n++) {
        outside_fail(&f->hsm.outside, CALLS, n);
        rv = unlock(&f->nobody, writer_view(&challenge), writer_view(&signature));
        if (!outside_mend(&f->hsm.outside)) {
            break;
        }
        assert_true(rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_FAILED);
        assert_int_equal(app_failures(&f->nobody, OFFICER_NAME), 1);
        /* Nor is anybody logged in by it. */
        assert_code(app_set_password(&f->nobody, ROLE_CO, OFFICER_NAME, "password9"),
                    CKR_USER_NOT_LOGGED_IN);
    }
    assert_ok(rv);
    assert_true(n > 3);
    assert_int_equal(app_failures(&f->nobody, OFFICER_NAME), 0);
    assert_ok(app_set_password(&f->nobody, ROLE_CO, OFFICER_NAME, "password9"));
    assert_ok(app_detach(&f->nobody));
    assert_ok(app_attach(&f->nobody));
    assert_code(unlock(&f->nobody, writer_view(&challenge), writer_view(&signature)),
                CODE_CHALLENGE_BAD);
    writer_clear(&challenge);
    writer_clear(&signature);
    EVP_PKEY_free(key);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(an_officer_unlocks_a_user_or_changes_nothing),
        AZURE(the_owner_unlocks_an_officer_or_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
