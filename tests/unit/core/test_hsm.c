/* SPDX-License-Identifier: Apache-2.0
 *
 * The door: who may ask what on which port, where a request is handled, and what becomes of
 * one that comes twice.
 */
#include "unit/core/core_test.h"

#define GARBAGE VIEW_TEXT("no body of any message reads like this")

/* ---- rights ---- */

enum { NOBODY, CU, CO, ASKERS };

/* By hand, and not from the table that the core reads: who may ask, and on which ports. */
static const struct right {
    enum operation operation;
    bool may[ASKERS];          /* in azure and fips */
    bool standard_may[ASKERS]; /* in standard */
    bool client;
    bool manage;
} rights[] = {
    /* clang-format off */
    /*                                azure: none CU CO  standard: none CU CO  ports */
    { OPERATION_DETACH,         { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_PING,           { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_CHANGES,        { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_TOKEN,          { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_LOGIN,          { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_LOGOUT,         { false, true,  true  }, { false, true,  true  }, true,  true  },
    { OPERATION_SESSION_CLOSE,  { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_RENEW,          { false, true,  true  }, { false, true,  true  }, true,  true  },
    { OPERATION_AUTHENTICATE,   { false, true,  true  }, { false, true,  true  }, true,  false },
    { OPERATION_PIN_SET,        { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_PIN_INIT,       { false, false, true  }, { false, false, true  }, true,  false },
    { OPERATION_RANDOM,         { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_SEED,           { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_FIND,           { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_CREATE,  { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_OBJECT_COPY,    { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_DESTROY, { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_GET,     { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_SET,     { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_SIZE,    { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_MASK,    { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_OBJECT_UNMASK,  { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_TOKEN_SIGN,     { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_TOKEN_SETTLE,   { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_TOKEN_DROP,     { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_TOKEN_CHECK,    { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_GENERATE_KEY,   { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_GENERATE_PAIR,  { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_WRAP,           { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_UNWRAP,         { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_DERIVE,         { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_ENCRYPT,        { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_DECRYPT,        { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_SIGN,           { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_VERIFY,         { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_DIGEST,         { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_SIGN_RECOVER,   { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_VERIFY_RECOVER, { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_START,          { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_UPDATE,         { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_FINAL,          { false, true,  false }, { true,  true,  true  }, true,  false },
    { OPERATION_CANCEL,         { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_KEY_DETAILS,    { false, true,  false }, { true,  true,  true  }, true,  true  },
    { OPERATION_USER_LIST,      { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_USER_CREATE,    { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_USER_DELETE,    { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_USER_PASSWORD,  { false, true,  true  }, { false, true,  true  }, false, true  },
    { OPERATION_KEY_LIST,       { false, true,  true  }, { false, true,  true  }, false, true  },
    { OPERATION_KEY_LOOK,       { false, true,  true  }, { false, true,  true  }, false, true  },
    { OPERATION_KEY_SHARE,      { false, true,  true  }, { false, true,  true  }, true,  true  },
    { OPERATION_KEY_OWNER,      { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_KEY_SET,        { false, true,  true  }, { false, true,  true  }, false, true  },
    { OPERATION_BACKUP,         { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_BACKUP_READ,    { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_RESTORE_WRITE,  { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_RESTORE,        { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_NODES,          { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_CLUSTER,        { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_POLICY_SET,     { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_NODE_ADD,       { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_NODE_REMOVE,    { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_JOIN,           { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_JOIN_KEY,       { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_COPIES,         { true,  true,  true  }, { true,  true,  true  }, true,  false },
    { OPERATION_CERT_REQUEST,   { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_CERT_GET,       { true,  true,  true  }, { true,  true,  true  }, true,  true  },
    { OPERATION_CERT_STORE,     { false, true,  true  }, { false, true,  true  }, false, true  },
    { OPERATION_CHALLENGE,         { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_OFFICER_UNLOCK,    { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_USER_UNLOCK,       { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_FACTOR_CHALLENGE,  { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_LOGIN_SIGNED,      { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_USER_CREATE_SIGNED, { false, false, true }, { false, false, true  }, false, true  },
    { OPERATION_USER_PASSWORD_SIGNED, { false, true, true }, { false, true, true  }, false, true  },
    { OPERATION_USER_MASK,         { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_USER_UNMASK,       { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_USER_RENAME,       { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_USER_CLOSE,        { false, true,  true  }, { false, true,  true  }, false, true  },
    { OPERATION_QUORUM_KEY,        { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_QUORUM_SET,        { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_QUORUM_GET,        { true,  true,  true  }, { true,  true,  true  }, false, true  },
    { OPERATION_QUORUM_TIME,       { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_QUORUM_TOKEN,      { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_QUORUM_APPROVE,    { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_QUORUM_LIST,       { false, false, true  }, { false, false, true  }, false, true  },
    { OPERATION_QUORUM_DELETE,     { false, false, true  }, { false, false, true  }, false, true  },
    /* clang-format on */
};

static void
every_operation_has_its_rights_written_down(void **state)
{
    size_t count;
    const struct operation_row *rows = operation_rows(&count);

    UNUSED(state);
    for (size_t i = 0; i < count; i++) {
        bool written = rows[i].ports == PORTS_unix || rows[i].operation == OPERATION_ATTACH;

        for (size_t k = 0; k < ARRAY_COUNT(rights); k++) {
            written = written || rights[k].operation == rows[i].operation;
        }
        if (!written) {
            fail_msg("who may ask for %s?", rows[i].name);
        }
    }
}

/* Permission is asked before the body is read, so garbage tells who would have been let in. */
static void
each_operation_is_for_those_who_may(void **state)
{
    struct fixture *f = *state;
    struct app *askers[ASKERS] = { &f->nobody, &f->cu1, &f->officer };
    const unsigned ports[] = { PORTS_client, PORTS_manage, PORTS_unix };
    struct hsm_state before = hsm_fixture_state(&f->hsm);
    view body;

    for (size_t i = 0; i < ARRAY_COUNT(rights); i++) {
        for (size_t k = 0; k < ASKERS * ARRAY_COUNT(ports); k++) {
            const struct right *right = &rights[i];
            const bool *may = f->hsm.policy == POLICY_STANDARD ? right->standard_may : right->may;
            size_t asker = k % ASKERS;
            unsigned port = ports[k / ASKERS];
            CK_RV expected = may[asker] ? CODE_BAD_FRAME : CKR_USER_NOT_LOGGED_IN;

            if (port == PORTS_unix || !(port == PORTS_client ? right->client : right->manage)) {
                expected = CKR_FUNCTION_NOT_SUPPORTED;
            }
            askers[asker]->port = port;
            if (app_call(askers[asker], right->operation, GARBAGE, &body) != expected) {
                print_error("%s, asker %zu, port %u: ", operation_row((uint16_t)right->operation)
                                                            ->name, asker, port);
                assert_code(askers[asker]->answer.code, expected);
            }
        }
    }
    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
}

static void
an_unknown_operation_is_not_supported(void **state)
{
    struct fixture *f = *state;
    view body;

    for (unsigned operation = 0; operation <= UINT16_MAX; operation++) {
        if (operation_row((uint16_t)operation) == NULL) {
            assert_code(app_call(&f->cu1, (enum operation)operation, VIEW_EMPTY, &body),
                        CKR_FUNCTION_NOT_SUPPORTED);
        }
    }
}

/* ---- places ---- */

/* Requests that cannot be answered on a loop, and where they belong. */
struct later {
    enum operation operation;
    enum hsm_place place;
    struct writer body;
};

struct later_keys {
    struct pair rsa;
    struct pair ec; /* P-384 */
    uint32_t token;
};

#define LATER_MAX 16

static struct later *
later_add(struct later *rows, size_t *count, enum operation operation, enum hsm_place place)
{
    assert_true(*count < LATER_MAX);
    rows[*count] = (struct later){ .operation = operation, .place = place };
    writer_init(&rows[*count].body, FRAME_BODY_MAX);
    return &rows[(*count)++];
}

#define HANDLE_0 VIEW_TEXT("\0\0\0\0")
#define HANDLE_105 VIEW_TEXT("\x69\0\0\x80")
#define GENERIC_32 ULONG(KEY_TYPE, CKK_GENERIC_SECRET), ULONG(VALUE_LEN, 32)
#define P384_POINT                                                                     \
    "\x04\xaa\x87\xca\x22\xbe\x8b\x05\x37\x8e\xb1\xc7\x1e\xf3\x20\xad\x74\x6e\x1d\x3b\x62" \
    "\x8b\xa7\x9b\x98\x59\xf7\x41\xe0\x82\x54\x2a\x38\x55\x02\xf2\x5d\xbf\x55\x29\x6c" \
    "\x3a\x54\x5e\x38\x72\x76\x0a\xb7\x36\x17\xde\x4a\x96\x26\x2c\x6f\x5d\x9e\x98\xbf" \
    "\x92\x92\xdc\x29\xf8\xf4\x1d\xbd\x28\x9a\x14\x7c\xe9\xda\x31\x13\xb5\xf0\xb8\xc0" \
    "\x0a\x60\xb1\xce\x1d\x7e\x81\x9d\x7a\x43\x1d\x7c\x90\xea\x0e\x5f"

#define LATER(OPERATION, name, place, ...)                                                   \
    name##_request_write(&later_add(rows, &count, OPERATION_##OPERATION, place)->body,      \
                         &(struct name##_request){ __VA_ARGS__ })

static size_t
later_rows(struct later *rows, const struct later_keys *keys)
{
    struct mechanism rsa = mechanism_plain(CKM_SHA256_RSA_PKCS);
    struct mechanism ecdsa = mechanism_plain(CKM_ECDSA_SHA256);
    struct mechanism aes = mechanism_plain(CKM_AES_KEY_GEN);
    struct mechanism ecdh = { CKM_ECDH1_DERIVE, PARAMS_ecdh, { { VIEW_EMPTY } } };
    view ec_params = LIST(BYTES(EC_PARAMS, P256_OID));
    size_t count = 0;

    ecdh.params.ecdh = (struct params_ecdh){ CKD_NULL, VIEW_EMPTY, VIEW_TEXT(P384_POINT) };
    LATER(LOGIN, login, PLACE_SLOW, ROLE_CU, VIEW_TEXT(USER1_NAME), VIEW_TEXT(USER1_PASSWORD));
    LATER(OBJECT_CREATE, object_create, PLACE_STORE, 0, LIST(PRIVATE_DATA, TOKEN_YES));
    LATER(OBJECT_COPY, object_copy, PLACE_STORE, keys->token, 0, VIEW_EMPTY);
    LATER(OBJECT_UNMASK, object_unmask, PLACE_STORE, GARBAGE, 0, false);
    LATER(OBJECT_SET, object_set, PLACE_STORE, keys->token, LIST(BYTES(LABEL, "x")));
    LATER(OBJECT_DESTROY, object_destroy, PLACE_STORE, keys->token);
    LATER(GENERATE_KEY, generate_key, PLACE_STORE, aes, 0, LIST(AES_GENERATE, TOKEN_YES));
    LATER(GENERATE_PAIR, generate_pair, PLACE_STORE, mechanism_plain(CKM_EC_KEY_PAIR_GEN), 0,
          HANDLE_SESSION_FIRST + 100, LIST(BYTES(EC_PARAMS, P256_OID), TOKEN_YES), VIEW_EMPTY);
    LATER(GENERATE_PAIR, generate_pair, PLACE_CPU, mechanism_plain(CKM_EC_KEY_PAIR_GEN),
          HANDLE_SESSION_FIRST + 101, HANDLE_SESSION_FIRST + 102, ec_params, VIEW_EMPTY);
    LATER(GENERATE_PAIR, generate_pair, PLACE_SLOW, mechanism_plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
          HANDLE_SESSION_FIRST + 103, HANDLE_SESSION_FIRST + 104,
          LIST(ULONG(MODULUS_BITS, 1024)), VIEW_EMPTY);
    LATER(DERIVE, derive, PLACE_CPU, ecdh, keys->ec.private, { HANDLE_105 },
          LIST(GENERIC_32), VIEW_EMPTY);
    LATER(DERIVE, derive, PLACE_STORE, ecdh, keys->ec.private, { HANDLE_0 },
          LIST(GENERIC_32, TOKEN_YES), VIEW_EMPTY);
    LATER(SIGN, sign, PLACE_CPU, rsa, keys->rsa.private, APP_ROOM_MAX, GARBAGE);
    LATER(SIGN, sign, PLACE_CPU, ecdsa, keys->ec.private, APP_ROOM_MAX, GARBAGE);
    LATER(VERIFY, verify, PLACE_CPU, ecdsa, keys->ec.public, GARBAGE, GARBAGE);
    LATER(FINAL, final, PLACE_CPU, CKF_SIGN, 0, VIEW_EMPTY);
    return count;
}
#undef LATER

static struct later_keys
later_keys(struct app *app)
{
    struct later_keys keys;

    keys.rsa = generate_pair(app, CKM_RSA_PKCS_KEY_PAIR_GEN,
                             LIST(ULONG(MODULUS_BITS, 1024), VERIFY_USES), LIST(SIGN_USES));
    keys.ec = generate_pair(app, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P384_OID), VERIFY_USES),
                            LIST(SIGN_USES, BOOL(DERIVE, true)));
    keys.token = create(app, LIST(PRIVATE_DATA, TOKEN_YES));
    assert_ok(app_start(app, CKF_SIGN, mechanism_plain(CKM_SHA256_RSA_PKCS), keys.rsa.private));
    return keys;
}

static void
what_is_put_off_has_had_no_effect(void **state)
{
    struct fixture *f = *state;
    struct later_keys keys = later_keys(&f->cu1);
    struct later rows[LATER_MAX];
    size_t count = later_rows(rows, &keys);
    static const enum hsm_place places[] = { PLACE_LOOP, PLACE_CPU, PLACE_STORE };

    for (size_t i = 0; i < count; i++) {
        struct app *app = rows[i].operation == OPERATION_LOGIN ? &f->nobody : &f->cu1;
        struct hsm_state before = hsm_fixture_state(&f->hsm);
        size_t objects = app_count(app);
        size_t lines = outside_audit_count(&f->hsm.outside);
        uint64_t revision = app->answer.revision;

        for (size_t k = 0; k < ARRAY_COUNT(places); k++) {
            enum hsm_place place = places[k];

            if (places[k] == rows[i].place) {
                continue;
            }
            assert_true(app_put_off(app, rows[i].operation, writer_view(&rows[i].body), places[k],
                                    &place));
            assert_int_equal(place, rows[i].place);
        }
        assert_int_equal(app_count(app), objects);
        assert_int_equal(app->answer.revision, revision);
        assert_int_equal(app_failures(app, USER1_NAME), 0);
        assert_int_equal(outside_audit_count(&f->hsm.outside), lines);
        assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
        writer_clear(&rows[i].body);
    }
}

static void
what_was_put_off_is_done_where_it_was_sent(void **state)
{
    struct fixture *f = *state;
    struct later_keys keys = later_keys(&f->cu1);
    struct later rows[LATER_MAX];
    size_t count = later_rows(rows, &keys);

    for (size_t i = 0; i < count; i++) {
        struct app *app = rows[i].operation == OPERATION_LOGIN ? &f->nobody : &f->cu1;
        CK_RV expected = rows[i].operation == OPERATION_VERIFY          ? CKR_SIGNATURE_LEN_RANGE
                         : rows[i].operation == OPERATION_OBJECT_UNMASK ? CKR_WRAPPED_KEY_INVALID
                                                                        : CKR_OK;
        enum hsm_place place;

        assert_false(app_put_off(app, rows[i].operation, writer_view(&rows[i].body),
                                 rows[i].place, &place));
        assert_code(app->answer.code, expected);
        writer_clear(&rows[i].body);
    }
}

static void
everything_can_be_done_at_the_slow_place(void **state)
{
    struct fixture *f = *state;
    struct later_keys keys = later_keys(&f->cu1);
    struct later rows[LATER_MAX];
    size_t count = later_rows(rows, &keys);

    for (size_t i = 0; i < count; i++) {
        struct app *app = rows[i].operation == OPERATION_LOGIN ? &f->nobody : &f->cu1;
        enum hsm_place place;

        assert_false(app_put_off(app, rows[i].operation, writer_view(&rows[i].body), PLACE_SLOW,
                                 &place));
        writer_clear(&rows[i].body);
    }
}

/* A loop serves many connections: whatever it does for one must not wait for a change that is
 * being stored, or for a password that is being hashed. */
static void
nothing_on_a_loop_waits_for_slow_work_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct hsm *hsm = f->hsm.hsm;
    uint32_t token = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    uint32_t key, data;
    view out;

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    assert_ok(app_logout(&f->nobody));
    data = create(&f->cu1, LIST(PRIVATE_DATA));
    pthread_mutex_lock(&hsm->change);
    pthread_mutex_lock(&password_gate(hsm, VIEW_TEXT(USER1_NAME))->lock);
    pthread_mutex_lock(&hsm->numbers);

    assert_ok(app_login(&f->nobody, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE));
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key,
                          VIEW_TEXT("0123456789abcdef"), &out));
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), token,
                          VIEW_TEXT("0123456789abcdef"), &out));
    assert_true(app_finds(&f->cu1, token));
    (void)get_bool(&f->cu1, token, CKA_TOKEN);
    assert_ok(app_set(&f->cu1, data, LIST(BYTES(LABEL, "new"))));
    assert_ok(app_destroy(&f->cu1, data));
    assert_ok(app_detach(&f->nobody));
    assert_ok(app_attach(&f->nobody));
    (void)app_failures(&f->nobody, USER1_NAME);
    assert_ok(app_logout(&f->cu1));

    pthread_mutex_unlock(&hsm->change);
    pthread_mutex_unlock(&password_gate(hsm, VIEW_TEXT(USER1_NAME))->lock);
    pthread_mutex_unlock(&hsm->numbers);
}

/* ---- small requests ---- */

static void
the_token_says_what_it_was_born_as(void **state)
{
    struct fixture *f = *state;
    struct token_reply answer;

    assert_true(rules_switches_read(&f->hsm.hsm->rules, VIEW_TEXT("short_tags=on")));
    assert_ok(app_send_token(&f->nobody, NULL, &answer));

    assert_int_equal(answer.policy, f->hsm.policy);
    assert_view_equal(answer.switches, VIEW_TEXT("short_tags=on"));
    assert_view_equal(answer.label, VIEW_TEXT(FIXTURE_LABEL));
    assert_view_equal(answer.serial, VIEW_TEXT(FIXTURE_SERIAL));
}

static void
random_bytes_are_as_many_as_asked_for_and_new(void **state)
{
    struct fixture *f = *state;
    struct random_request m = { 32 };
    struct random_reply answer;
    uint8_t first[32];

    assert_ok(app_send_random(&f->cu1, &m, &answer));
    assert_int_equal(answer.data.len, 32);
    memcpy(first, answer.data.data, 32);
    assert_ok(app_send_random(&f->cu1, &m, &answer));
    assert_memory_not_equal(first, answer.data.data, 32);

    m.len = 0;
    assert_ok(app_send_random(&f->cu1, &m, &answer));
    assert_int_equal(answer.data.len, 0);
    m.len = FRAME_DATA_MAX;
    assert_ok(app_send_random(&f->cu1, &m, &answer));
    assert_int_equal(answer.data.len, FRAME_DATA_MAX);
    m.len++;
    assert_code(app_send_random(&f->cu1, &m, &answer), CODE_BAD_FRAME);
}

static void
without_entropy_there_are_no_random_bytes(void **state)
{
    struct fixture *f = *state;
    const struct random_request m = { 32 };
    struct random_reply answer;

    outside_fail(&f->hsm.outside, CALL_ENTROPY, 1);

    assert_code(app_send_random(&f->cu1, &m, &answer), CKR_FUNCTION_FAILED);
    assert_ok(app_send_random(&f->cu1, &m, &answer));
}

static void
a_seed_is_taken_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    const struct seed_request m = { GARBAGE };
    struct seed_reply answer;
    struct hsm_state before = hsm_fixture_state(&f->hsm);

    assert_ok(app_send_seed(&f->cu1, &m, &answer));

    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
}

static void
the_revision_rises_with_each_write_only(void **state)
{
    struct fixture *f = *state;
    uint64_t revision;

    (void)app_count(&f->cu1);
    revision = f->cu1.answer.revision;
    assert_int_equal(revision, f->hsm.outside.ports.store->revision(f->hsm.outside.ports.store));
    create(&f->cu1, LIST(PRIVATE_DATA));
    assert_int_equal(f->cu1.answer.revision, revision);
    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    assert_int_equal(f->cu1.answer.revision, revision + 1);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_int_equal(f->cu1.answer.revision, revision + 1);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation_has_its_rights_written_down),
        STANDARD(each_operation_is_for_those_who_may),
        AZURE(each_operation_is_for_those_who_may),
        FIPS(each_operation_is_for_those_who_may),
        AZURE(an_unknown_operation_is_not_supported),
        AZURE(what_is_put_off_has_had_no_effect),
        AZURE(what_was_put_off_is_done_where_it_was_sent),
        AZURE(everything_can_be_done_at_the_slow_place),
        AZURE(nothing_on_a_loop_waits_for_slow_work_elsewhere),
        FIPS(the_token_says_what_it_was_born_as),
        AZURE(random_bytes_are_as_many_as_asked_for_and_new),
        AZURE(without_entropy_there_are_no_random_bytes),
        AZURE(a_seed_is_taken_and_changes_nothing),
        AZURE(the_revision_rises_with_each_write_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
