/* SPDX-License-Identifier: Apache-2.0
 *
 * The outside world fails: for every operation that writes, the n-th call to store, entropy
 * or audit fails, for n from 1 on until none does; and then each allocation of our own. Each time
 * the code is an error, nothing has changed, and the operation succeeds when it is tried again.
 */
#include "unit/core/core_test.h"

#include "core/follow.h"
#include "lib/nodes.h"

#define CALLS (CALL_SUBMIT | CALL_NUMBERS | CALL_ENTROPY | CALL_AUDIT)

/* What the operations of one test work on. */
struct tried {
    struct fixture *f;
    struct app *app;
    uint32_t token;
    uint32_t session;
    uint32_t pair; /* the private key */
    uint32_t secret; /* of these keys are derived */
    uint32_t agrees;
};

typedef CK_RV attempt(struct tried *tried);

/* All that can be seen from outside. */
struct seen {
    struct hsm_state state;
    size_t objects;       /* that the user finds */
    uint64_t attributes;  /* of the two objects worked on */
};

static uint64_t
attributes_hash(struct app *app, uint32_t object)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_UNIQUE_ID, CKA_ENCRYPT };
    uint64_t hash = 17;

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        struct attribute attribute = { 0 };

        hash = hash * 31 + app_get(app, object, types[i], &attribute);
        for (size_t k = 0; k < attribute.value.len; k++) {
            hash = hash * 31 + attribute.value.data[k];
        }
    }
    return hash;
}

static struct seen
look(struct tried *tried)
{
    return (struct seen){
        .state = hsm_fixture_state(&tried->f->hsm),
        .objects = app_count(&tried->f->cu1),
        .attributes = attributes_hash(&tried->f->cu1, tried->token) ^
                      attributes_hash(&tried->f->cu1, tried->session),
    };
}

static bool
seen_equal(struct seen a, struct seen b)
{
    return hsm_state_equal(a.state, b.state) && a.objects == b.objects &&
           a.attributes == b.attributes;
}

static bool
code_fits(unsigned calls, CK_RV rv)
{
    return rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_FAILED ||
           (calls == CALL_MEMORY && (rv == CKR_HOST_MEMORY || rv == CKR_DEVICE_MEMORY));
}

/* How many of these calls the operation makes when all is well. */
static int
fail_each_call(struct fixture *f, attempt *attempt, unsigned calls)
{
    struct tried tried = { .f = f, .app = &f->cu1 };
    struct seen before;
    int n = 1;
    CK_RV rv;

    tried.token = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "old")));
    tried.session = create(&f->cu1, LIST(AES_CREATE, BYTES(LABEL, "old")));
    tried.secret = generate(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN,
                            LIST(ULONG(VALUE_LEN, 32), BOOL(DERIVE, true)));
    tried.agrees = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                 LIST(BOOL(DERIVE, true))).private;
    before = look(&tried);
    for (;; n++) {
        outside_fail(&f->hsm.outside, calls, n);
        rv = attempt(&tried);
        if (!outside_mend(&f->hsm.outside)) {
            break;
        }
        if (rv == CKR_OK && calls == CALL_MEMORY) {
            fail_msg("allocation %d failed and nobody saw it", n);
        }
        if (!code_fits(calls, rv)) {
            fail_msg("call %d failed: %s", n, return_name(rv));
        }
        assert_true(seen_equal(before, look(&tried)));
        assert_ok(hsm_fixture_try_open(&f->hsm));
    }
    assert_ok(rv);
    assert_false(seen_equal(before, look(&tried)));
    /* Memory and store are of one mind. */
    before = look(&tried);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_int_equal(hsm_fixture_state(&f->hsm).objects, before.state.objects);
    assert_int_equal(hsm_fixture_state(&f->hsm).users, before.state.users);
    return n - 1;
}

/* The store says that it failed, and has done it: then it is done, here as there. */
static void
apply_all_the_same(struct fixture *f, attempt *attempt)
{
    struct tried tried = { .f = f, .app = &f->cu1 };
    struct seen after;

    tried.token = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "old")));
    tried.session = create(&f->cu1, LIST(AES_CREATE, BYTES(LABEL, "old")));
    tried.secret = generate(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN,
                            LIST(ULONG(VALUE_LEN, 32), BOOL(DERIVE, true)));
    tried.agrees = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                                 LIST(BOOL(DERIVE, true))).private;
    atomic_store(&f->hsm.outside.fail_applied, true);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_ok(attempt(&tried));
    outside_mend(&f->hsm.outside);
    after = look(&tried);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));

    assert_int_equal(hsm_fixture_state(&f->hsm).objects, after.state.objects);
    assert_int_equal(hsm_fixture_state(&f->hsm).users, after.state.users);
}

/* ---- the operations ---- */

static CK_RV
create_token(struct tried *tried)
{
    return app_create(tried->app, LIST(AES_CREATE, TOKEN_YES), NULL);
}

static CK_RV
create_session(struct tried *tried)
{
    return app_create(tried->app, LIST(AES_CREATE), NULL);
}

static CK_RV
create_certificate(struct tried *tried)
{
    return app_create(tried->app, LIST(ULONG(CLASS, CKO_CERTIFICATE),
                                      ULONG(CERTIFICATE_TYPE, CKC_X_509), BYTES(SUBJECT, "s"),
                                      BYTES(VALUE, "v"), TOKEN_YES), NULL);
}

static CK_RV
copy_token(struct tried *tried)
{
    return app_copy(tried->app, tried->token, VIEW_EMPTY, NULL);
}

static CK_RV
copy_session(struct tried *tried)
{
    return app_copy(tried->app, tried->session, VIEW_EMPTY, NULL);
}

static CK_RV
set_token(struct tried *tried)
{
    return app_set(tried->app, tried->token, LIST(BYTES(LABEL, "new")));
}

static CK_RV
set_session(struct tried *tried)
{
    return app_set(tried->app, tried->session, LIST(BYTES(LABEL, "new")));
}

static CK_RV
destroy_token(struct tried *tried)
{
    return app_destroy(tried->app, tried->token);
}

static CK_RV
destroy_session(struct tried *tried)
{
    return app_destroy(tried->app, tried->session);
}

static CK_RV
generate_token(struct tried *tried)
{
    return app_generate(tried->app, CKM_AES_KEY_GEN, LIST(AES_GENERATE, TOKEN_YES), NULL);
}

static CK_RV
generate_session(struct tried *tried)
{
    return app_generate(tried->app, CKM_GENERIC_SECRET_KEY_GEN, LIST(AES_GENERATE), NULL);
}

static CK_RV
generate_tokens(struct tried *tried)
{
    return app_generate_pair(tried->app, CKM_EC_KEY_PAIR_GEN,
                             LIST(BYTES(EC_PARAMS, P256_OID), TOKEN_YES), LIST(TOKEN_YES), NULL,
                             NULL);
}

static CK_RV
generate_sessions(struct tried *tried)
{
    return app_generate_pair(tried->app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                             VIEW_EMPTY, NULL, NULL);
}

static CK_RV
generate_token_and_session(struct tried *tried)
{
    return app_generate_pair(tried->app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                             LIST(TOKEN_YES), NULL, NULL);
}

static CK_RV
derive_session(struct tried *tried)
{
    struct mechanism m = { .type = CKM_ECDH1_DERIVE, .shape = PARAMS_ecdh };

    m.params.ecdh = (struct params_ecdh){ CKD_SHA256_KDF, VIEW_EMPTY, VIEW_TEXT(P256_POINT) };
    return app_derive(tried->app, m, tried->agrees,
                      LIST(ULONG(KEY_TYPE, CKK_AES), ULONG(VALUE_LEN, 32)), NULL);
}

static CK_RV
derive_tokens(struct tried *tried)
{
    view one = LIST(ULONG(KEY_TYPE, CKK_GENERIC_SECRET), ULONG(VALUE_LEN, 16), TOKEN_YES);
    struct derive_request m = {
        .mechanism = { .type = CKM_SP800_108_COUNTER_KDF, .shape = PARAMS_kbkdf },
        .key = tried->secret,
        .handles.bytes = VIEW_TEXT("\0\0\0\0\0\0\0\0"),
        .template = one,
        .more = LIST(VIEW(CKA_DERIVE_TEMPLATE, one)),
    };
    struct derive_reply answer;

    m.mechanism.params.kbkdf.prf = CKM_SHA256_HMAC;
    m.mechanism.params.kbkdf.items.count = 1;
    m.mechanism.params.kbkdf.items.item[0] =
        (struct params_item){ .type = CK_SP800_108_ITERATION_VARIABLE, .width = 8 };
    return app_send_derive(tried->app, &m, &answer);
}

static CK_RV
make_user(struct tried *tried)
{
    return app_make_user(&tried->f->officer, ROLE_CU, "cu3", "password");
}

static CK_RV
change_password(struct tried *tried)
{
    return app_set_password(&tried->f->officer, ROLE_CU, USER2_NAME, "password");
}

static CK_RV
delete_user(struct tried *tried)
{
    return app_delete_user(&tried->f->officer, ROLE_CU, USER2_NAME);
}

static CK_RV
share_key(struct tried *tried)
{
    const struct key_share_request m = { tried->token, USER2, true };
    struct key_share_reply answer;

    return app_send_key_share(tried->app, &m, &answer);
}

static CK_RV
give_key(struct tried *tried)
{
    const struct key_owner_request m = { tried->token, USER2 };
    struct key_owner_reply answer;

    return app_send_key_owner(&tried->f->officer, &m, &answer);
}

static CK_RV
trust_key(struct tried *tried)
{
    const struct key_set_request m = { tried->token, LIST(BOOL(TRUSTED, true)) };
    struct key_set_reply answer;

    return app_send_key_set(&tried->f->officer, &m, &answer);
}

static CK_RV
set_token_time(struct tried *tried)
{
    const struct quorum_time_request m = { 900 };
    struct quorum_time_reply answer;

    return app_send_quorum_time(&tried->f->officer, &m, &answer);
}

static CK_RV
set_policy(struct tried *tried)
{
    const struct policy_set_request m = { POLICY_AZURE, VIEW_TEXT("enforce_dates=on") };
    struct policy_set_reply answer;

    return app_send_policy_set(&tried->f->officer, &m, &answer);
}

/* A test of each, with the least number of calls that it has to make. */
#define FAULT_TEST(attempt, calls)                                  \
    static void                                                     \
    attempt##_succeeds_or_changes_nothing(void **state)             \
    {                                                               \
        assert_true(fail_each_call(*state, attempt, CALLS) >= (calls)); \
    }                                                               \
    static void                                                     \
    attempt##_is_done_when_the_store_has_done_it(void **state)      \
    {                                                               \
        apply_all_the_same(*state, attempt);                        \
    }                                                               \
    static void                                                     \
    attempt##_without_memory_changes_nothing(void **state)          \
    {                                                               \
        assert_true(fail_each_call(*state, attempt, CALL_MEMORY) > 0); \
    }

/* Id, value, head and reply each want entropy; then audit and transaction. The number is of a
 * block that the first attempt got. */
FAULT_TEST(create_token, 6)
FAULT_TEST(create_session, 3)
FAULT_TEST(create_certificate, 5)
FAULT_TEST(copy_token, 6)
FAULT_TEST(copy_session, 3)
FAULT_TEST(set_token, 5)
FAULT_TEST(set_session, 2)
FAULT_TEST(destroy_token, 3)
FAULT_TEST(destroy_session, 1)
FAULT_TEST(generate_token, 7)
FAULT_TEST(generate_session, 4)
FAULT_TEST(generate_tokens, 9)
FAULT_TEST(generate_sessions, 5)
FAULT_TEST(generate_token_and_session, 7)
FAULT_TEST(derive_session, 3)
FAULT_TEST(derive_tokens, 9)
FAULT_TEST(make_user, 5)
FAULT_TEST(change_password, 4)
FAULT_TEST(delete_user, 3)
FAULT_TEST(share_key, 3)
FAULT_TEST(give_key, 3)
FAULT_TEST(trust_key, 3)
FAULT_TEST(set_token_time, 3)
FAULT_TEST(set_policy, 3)

/* ---- what writes nothing ---- */

static CK_RV
find_all(struct tried *tried)
{
    uint32_t handles[8];
    size_t count;

    return app_find(tried->app, VIEW_EMPTY, 8, handles, 8, &count);
}

static CK_RV
get_label(struct tried *tried)
{
    struct attribute attribute;

    return app_get(tried->app, tried->token, CKA_LABEL, &attribute);
}

static CK_RV
encrypt_once(struct tried *tried)
{
    view out;

    return app_encrypt(tried->app, mechanism_gcm(VIEW_TEXT("0123456789ab"), VIEW_EMPTY, 128),
                       tried->token, VIEW_TEXT("some plaintext"), &out);
}

static CK_RV
encrypt_in_parts(struct tried *tried)
{
    view out;
    CK_RV rv = app_start(tried->app, CKF_ENCRYPT,
                         mechanism_gcm(VIEW_TEXT("0123456789ab"), VIEW_EMPTY, 128), tried->session);

    if (rv == CKR_OK) {
        rv = app_update(tried->app, CKF_ENCRYPT, VIEW_TEXT("some plaintext"), &out);
    }
    return rv == CKR_OK ? app_final(tried->app, CKF_ENCRYPT, VIEW_EMPTY, &out) : rv;
}

static CK_RV
sign_once(struct tried *tried)
{
    static const uint8_t digest[32];
    view out;

    return app_sign(tried->app, mechanism_plain(CKM_ECDSA), tried->pair,
                    view_of(digest, sizeof digest), &out);
}

static CK_RV
digest_once(struct tried *tried)
{
    view out;

    return app_digest(tried->app, CKM_SHA256, VIEW_TEXT("x"), &out);
}

static CK_RV
attach_again(struct tried *tried)
{
    CK_RV rv = app_detach(tried->app);

    return rv == CKR_OK ? app_attach(tried->app) : rv;
}

/* Each says that memory is short, or does without; and works when it is not. */
static void
reading_without_memory_fails_cleanly(void **state)
{
    static attempt *const attempts[] = { find_all,  get_label,   encrypt_once, encrypt_in_parts,
                                         sign_once, digest_once, attach_again };
    struct fixture *f = *state;
    struct key_info private_key;
    struct tried tried = { .f = f, .app = &f->cu1 };

    for (size_t i = 0; i < ARRAY_COUNT(attempts); i++) {
        struct hsm_state before;
        int n = 0;

        /* Made anew: the last of them ends the context, and a key that was used is parsed. */
        tried.token = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "old")));
        tried.session = create(&f->cu1, LIST(AES_CREATE));
        assert_ok(app_generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                                    LIST(BYTES(EC_PARAMS, P256_OID), TOKEN_YES),
                                    LIST(TOKEN_YES, BOOL(SIGN, true)), NULL, &private_key));
        tried.pair = private_key.handle;
        before = hsm_fixture_state(&f->hsm);
        do {
            CK_RV rv;

            outside_fail(&f->hsm.outside, CALL_MEMORY, ++n);
            rv = attempts[i](&tried);
            if (rv != CKR_OK && !code_fits(CALL_MEMORY, rv)) {
                fail_msg("attempt %zu, call %d failed: %s", i, n, return_name(rv));
            }
        } while (outside_mend(&f->hsm.outside));
        assert_ok(attempts[i](&tried));
        assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
    }
}

/* ---- the rest ---- */

/* A login writes nothing but its count of failures. */
static void
a_failing_login_counts_at_most_one_failure(void **state)
{
    struct fixture *f = *state;
    struct hsm_state before = hsm_fixture_state(&f->hsm);
    int n = 1;
    CK_RV rv;

    for (;; n++) {
        uint32_t failures = app_failures(&f->nobody, USER1_NAME);

        outside_fail(&f->hsm.outside, CALLS, n);
        rv = app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD);
        if (!outside_mend(&f->hsm.outside)) {
            break;
        }
        assert_true(rv == CKR_DEVICE_ERROR || rv == CKR_FUNCTION_FAILED);
        assert_code(app_logout(&f->nobody), CKR_USER_NOT_LOGGED_IN);
        assert_true(app_failures(&f->nobody, USER1_NAME) <= failures + 1);
        assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
    }
    assert_ok(rv);
    assert_int_equal(app_failures(&f->nobody, USER1_NAME), 0);
    assert_in_range(n, 6, 12); /* two transactions, each with a journal entry */
}

static void
what_only_reads_asks_the_audit_alone(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    view out;

    outside_fail(&f->hsm.outside, CALL_ANY & ~(unsigned)CALL_AUDIT, 1);

    assert_true(app_finds(&f->cu1, key));
    (void)get_bool(&f->cu1, key, CKA_TOKEN);
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key,
                          VIEW_TEXT("0123456789abcdef"), &out));
    assert_ok(app_digest(&f->cu1, CKM_SHA256, VIEW_TEXT("x"), &out));
    assert_ok(app_attach(&f->nobody));
    assert_ok(app_detach(&f->nobody));
    assert_false(outside_mend(&f->hsm.outside));
}

static void
a_reply_that_cannot_be_swept_is_swept_after_the_next_start(void **state)
{
    struct fixture *f = *state;

    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    outside_move_clock(&f->hsm.outside, REPLY_LIFE_MS + 1);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_true(outside_mend(&f->hsm.outside));
    assert_int_equal(outside_count(&f->hsm.outside, "r/"), 1);

    hsm_fixture_reopen(&f->hsm);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(&f->hsm.outside, "r/"), 0);
}

/* What another node tells, and there is no memory for it: it is looked at again before this one says
 * that it has come so far. */
static void
what_is_told_without_memory_is_there_all_the_same(void **state)
{
    struct nodes *n = nodes_new(POLICY_AZURE);
    int tried = 0;

    UNUSED(state);
    nodes_be_patient(n);
    for (bool failed = true; failed; tried++) {
        uint32_t made;

        outside_fail(&n->two.outside, CALL_MEMORY, tried + 1);
        made = create(&n->cu1, LIST(AES_CREATE, TOKEN_YES));
        assert_true(follow_catch_up(n->two.hsm));
        failed = outside_mend(&n->two.outside);
        assert_true(app_finds(&n->other, made));
    }
    assert_true(tried > 2);
    nodes_free(n);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(create_token_succeeds_or_changes_nothing),
        AZURE(create_token_without_memory_changes_nothing),
        AZURE(create_token_is_done_when_the_store_has_done_it),
        AZURE(create_session_succeeds_or_changes_nothing),
        AZURE(create_session_without_memory_changes_nothing),
        AZURE(create_session_is_done_when_the_store_has_done_it),
        AZURE(create_certificate_succeeds_or_changes_nothing),
        AZURE(create_certificate_without_memory_changes_nothing),
        AZURE(create_certificate_is_done_when_the_store_has_done_it),
        AZURE(copy_token_succeeds_or_changes_nothing),
        AZURE(copy_token_without_memory_changes_nothing),
        AZURE(copy_token_is_done_when_the_store_has_done_it),
        AZURE(copy_session_succeeds_or_changes_nothing),
        AZURE(copy_session_without_memory_changes_nothing),
        AZURE(copy_session_is_done_when_the_store_has_done_it),
        AZURE(set_token_succeeds_or_changes_nothing),
        AZURE(set_token_without_memory_changes_nothing),
        AZURE(set_token_is_done_when_the_store_has_done_it),
        AZURE(set_session_succeeds_or_changes_nothing),
        AZURE(set_session_without_memory_changes_nothing),
        AZURE(set_session_is_done_when_the_store_has_done_it),
        AZURE(destroy_token_succeeds_or_changes_nothing),
        AZURE(destroy_token_without_memory_changes_nothing),
        AZURE(destroy_token_is_done_when_the_store_has_done_it),
        AZURE(destroy_session_succeeds_or_changes_nothing),
        AZURE(destroy_session_without_memory_changes_nothing),
        AZURE(destroy_session_is_done_when_the_store_has_done_it),
        AZURE(generate_token_succeeds_or_changes_nothing),
        AZURE(generate_token_without_memory_changes_nothing),
        AZURE(generate_token_is_done_when_the_store_has_done_it),
        AZURE(generate_session_succeeds_or_changes_nothing),
        AZURE(generate_session_without_memory_changes_nothing),
        AZURE(generate_session_is_done_when_the_store_has_done_it),
        AZURE(generate_tokens_succeeds_or_changes_nothing),
        AZURE(generate_tokens_without_memory_changes_nothing),
        AZURE(generate_tokens_is_done_when_the_store_has_done_it),
        AZURE(generate_sessions_succeeds_or_changes_nothing),
        AZURE(generate_sessions_without_memory_changes_nothing),
        AZURE(generate_sessions_is_done_when_the_store_has_done_it),
        AZURE(generate_token_and_session_succeeds_or_changes_nothing),
        AZURE(generate_token_and_session_without_memory_changes_nothing),
        AZURE(generate_token_and_session_is_done_when_the_store_has_done_it),
        AZURE(derive_session_succeeds_or_changes_nothing),
        AZURE(derive_session_without_memory_changes_nothing),
        AZURE(derive_session_is_done_when_the_store_has_done_it),
        AZURE(derive_tokens_succeeds_or_changes_nothing),
        AZURE(derive_tokens_without_memory_changes_nothing),
        AZURE(derive_tokens_is_done_when_the_store_has_done_it),
        AZURE(make_user_succeeds_or_changes_nothing),
        AZURE(make_user_without_memory_changes_nothing),
        AZURE(make_user_is_done_when_the_store_has_done_it),
        AZURE(change_password_succeeds_or_changes_nothing),
        AZURE(change_password_without_memory_changes_nothing),
        AZURE(change_password_is_done_when_the_store_has_done_it),
        AZURE(delete_user_succeeds_or_changes_nothing),
        AZURE(delete_user_without_memory_changes_nothing),
        AZURE(delete_user_is_done_when_the_store_has_done_it),
        AZURE(share_key_succeeds_or_changes_nothing),
        AZURE(share_key_without_memory_changes_nothing),
        AZURE(share_key_is_done_when_the_store_has_done_it),
        AZURE(give_key_succeeds_or_changes_nothing),
        AZURE(give_key_without_memory_changes_nothing),
        AZURE(give_key_is_done_when_the_store_has_done_it),
        AZURE(trust_key_succeeds_or_changes_nothing),
        AZURE(trust_key_without_memory_changes_nothing),
        AZURE(trust_key_is_done_when_the_store_has_done_it),
        AZURE(set_token_time_succeeds_or_changes_nothing),
        AZURE(set_token_time_without_memory_changes_nothing),
        AZURE(set_token_time_is_done_when_the_store_has_done_it),
        AZURE(set_policy_succeeds_or_changes_nothing),
        AZURE(set_policy_without_memory_changes_nothing),
        AZURE(set_policy_is_done_when_the_store_has_done_it),
        AZURE(reading_without_memory_fails_cleanly),
        AZURE(a_failing_login_counts_at_most_one_failure),
        AZURE(what_only_reads_asks_the_audit_alone),
        cmocka_unit_test(what_is_told_without_memory_is_there_all_the_same),
        AZURE(a_reply_that_cannot_be_swept_is_swept_after_the_next_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
