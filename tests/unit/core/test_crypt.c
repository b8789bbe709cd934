/* SPDX-License-Identifier: Apache-2.0
 *
 * Cryptography as the core guards it: what a key may be used for, what becomes of output
 * without room, who makes the IV, and what ends a running operation.
 */
#include "unit/core/core_test.h"

#define PLAIN VIEW_TEXT("0123456789abcdef")
#define ZERO_IV VIEW_TEXT("\0\0\0\0\0\0\0\0\0\0\0\0")
#define OTHER_IV VIEW_TEXT("twelve bytes")

static uint32_t
aes(struct app *app)
{
    return create(app, LIST(AES_CREATE));
}

static struct mechanism
ecb(void)
{
    return mechanism_plain(CKM_AES_ECB);
}

/* ---- what a key is for ---- */

static void
a_key_does_what_its_flags_say_and_no_more(void **state)
{
    static const struct {
        CK_ATTRIBUTE_TYPE flag;
        CK_FLAGS function;
    } rows[] = { { CKA_ENCRYPT, CKF_ENCRYPT }, { CKA_DECRYPT, CKF_DECRYPT },
                 { CKA_SIGN, CKF_SIGN }, { CKA_VERIFY, CKF_VERIFY } };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        bool mac = rows[i].function == CKF_SIGN || rows[i].function == CKF_VERIFY;
        struct mechanism m = mac ? mechanism_plain(CKM_SHA256_HMAC) : ecb();
        struct item items[] = { ULONG(CLASS, CKO_SECRET_KEY),
                                ULONG(KEY_TYPE, mac ? CKK_GENERIC_SECRET : CKK_AES),
                                BYTES(VALUE, AES_BYTES), AES_USES };
        uint32_t key;

        key = create(&f->cu1, list_of(items, ARRAY_COUNT(items)));
        assert_ok(app_start(&f->cu1, rows[i].function, m, key));
        for (size_t k = 0; k < ARRAY_COUNT(items); k++) {
            items[k].number = items[k].type == rows[i].flag ? false : items[k].number;
        }
        key = create(&f->cu1, list_of(items, ARRAY_COUNT(items)));
        assert_code(app_start(&f->cu1, rows[i].function, m, key), CKR_KEY_FUNCTION_NOT_PERMITTED);
    }
}

static void
data_is_no_key(void **state)
{
    struct fixture *f = *state;
    view out;

    assert_code(app_encrypt(&f->cu1, ecb(), create(&f->cu1, LIST(PRIVATE_DATA)), PLAIN, &out),
                CKR_KEY_HANDLE_INVALID);
}

static void
a_key_may_list_its_mechanisms(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE,
                                        BYTES(ALLOWED_MECHANISMS, "\x81\x10\0\0\0\0\0\0"
                                                                  "\x85\x10\0\0\0\0\0\0")));
    uint32_t none = create(&f->cu1, LIST(AES_CREATE, BYTES(ALLOWED_MECHANISMS, "")));
    view out;

    assert_ok(app_encrypt(&f->cu1, ecb(), key, PLAIN, &out));
    assert_ok(app_encrypt(&f->cu1, mechanism_iv(CKM_AES_CBC_PAD, PLAIN), key, PLAIN, &out));
    assert_code(app_encrypt(&f->cu1, mechanism_iv(CKM_AES_CBC, PLAIN), key, PLAIN, &out),
                CKR_MECHANISM_INVALID);
    assert_code(app_start(&f->cu1, CKF_DECRYPT, mechanism_iv(CKM_AES_CBC, PLAIN), key),
                CKR_MECHANISM_INVALID);
    assert_code(app_encrypt(&f->cu1, ecb(), none, PLAIN, &out), CKR_MECHANISM_INVALID);
}

static void
curves_sign_where_policy_and_interface_let_them(void **state)
{
    struct fixture *f = *state;
    struct pair pair = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                                     LIST(BYTES(EC_PARAMS, P521_OID), VERIFY_USES, TOKEN_YES),
                                     LIST(SIGN_USES, TOKEN_YES));
    struct app tools;
    view out;
    CK_RV rv;

    rv = app_sign(&f->cu1, mechanism_plain(CKM_ECDSA_SHA256), pair.private, PLAIN, &out);
    assert_code(rv, f->hsm.policy == POLICY_STANDARD ? CKR_OK : CKR_KEY_SIZE_RANGE);

    /* The tools sign with every curve. */
    app_init(&tools, &f->hsm, USER1);
    assert_ok(app_detach(&tools));
    tools.interface = INTERFACE_API;
    assert_ok(app_attach(&tools));
    assert_ok(app_sign(&tools, mechanism_plain(CKM_ECDSA_SHA256), pair.private, PLAIN, &out));
    app_clear(&tools);
}

static void
small_rsa_keys_are_no_use_in_fips(void **state)
{
    struct fixture *f = *state;
    struct key_info public = { 0 };
    view out;
    static uint8_t modulus[128];

    memset(modulus, 0xc5, sizeof modulus);
    assert_ok(app_create(&f->cu1, LIST(ULONG(CLASS, CKO_PUBLIC_KEY), ULONG(KEY_TYPE, CKK_RSA),
                                       VIEW(CKA_MODULUS, view_of(modulus, sizeof modulus)),
                                       BYTES(PUBLIC_EXPONENT, "\x01\0\x01"),
                                       BOOL(ENCRYPT, true)), &public));

    assert_code(app_encrypt(&f->cu1, mechanism_plain(CKM_RSA_PKCS), public.handle, PLAIN, &out),
                f->hsm.policy == POLICY_FIPS ? CKR_KEY_SIZE_RANGE : CKR_OK);
}

static void
without_a_login_the_standard_lets_public_keys_work(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->nobody, LIST(AES_CREATE, BOOL(PRIVATE, false)));
    view out;

    assert_ok(app_encrypt(&f->nobody, ecb(), key, PLAIN, &out));
    assert_ok(app_digest(&f->nobody, CKM_SHA256, PLAIN, &out));
}

static void
a_parameter_has_to_fit_its_mechanism(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    struct mechanism gcm = mechanism_gcm(OTHER_IV, VIEW_EMPTY, 128);
    view out;

    assert_code(app_encrypt(&f->cu1, mechanism_iv(CKM_AES_ECB, PLAIN), key, PLAIN, &out),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_CBC), key, PLAIN, &out),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(app_encrypt(&f->cu1, mechanism_iv(CKM_AES_CBC, VIEW_TEXT("short")), key, PLAIN,
                            &out), CKR_MECHANISM_PARAM_INVALID);
    gcm.params.gcm.iv = VIEW_EMPTY;
    assert_code(app_encrypt(&f->cu1, gcm, key, PLAIN, &out), CKR_MECHANISM_PARAM_INVALID);
    gcm = mechanism_gcm(OTHER_IV, VIEW_EMPTY, 129);
    assert_code(app_encrypt(&f->cu1, gcm, key, PLAIN, &out), CKR_MECHANISM_PARAM_INVALID);
    gcm.type = CKM_AES_CBC;
    assert_code(app_encrypt(&f->cu1, gcm, key, PLAIN, &out), CKR_MECHANISM_PARAM_INVALID);
}

/* ---- room ---- */

static void
too_little_room_is_told_the_length_and_gets_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    struct encrypt_request m = { mechanism_iv(CKM_AES_CBC_PAD, PLAIN), key, 0, PLAIN };
    struct encrypt_reply answer;

    for (m.max = 0; m.max < 32; m.max++) {
        assert_code(app_send_encrypt(&f->cu1, &m, &answer), CKR_BUFFER_TOO_SMALL);
        assert_int_equal(f->cu1.needed, 32);
    }
    assert_ok(app_send_encrypt(&f->cu1, &m, &answer));
    assert_int_equal(answer.data.len, 32);
}

static void
every_function_with_output_tells_the_length(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    uint32_t mac = generate(&f->cu1, CKM_GENERIC_SECRET_KEY_GEN, LIST(AES_GENERATE));
    struct decrypt_request decrypt = { ecb(), key, 15, PLAIN };
    struct sign_request sign = { mechanism_plain(CKM_SHA256_HMAC), mac, 31, PLAIN };
    struct digest_request digest = { mechanism_plain(CKM_SHA_1), 19, PLAIN };

    assert_code(app_send_decrypt(&f->cu1, &decrypt, &(struct decrypt_reply){ 0 }),
                CKR_BUFFER_TOO_SMALL);
    assert_int_equal(f->cu1.needed, 16);
    assert_code(app_send_sign(&f->cu1, &sign, &(struct sign_reply){ 0 }), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(f->cu1.needed, 32);
    assert_code(app_send_digest(&f->cu1, &digest, &(struct digest_reply){ 0 }),
                CKR_BUFFER_TOO_SMALL);
    assert_int_equal(f->cu1.needed, 20);
}

/* ---- generated IVs ---- */

static void
twelve_zero_bytes_ask_for_an_iv(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    struct encrypt_request m = { mechanism_gcm(ZERO_IV, VIEW_EMPTY, 128), key, APP_ROOM_MAX,
                                 PLAIN };
    struct encrypt_reply answer;
    uint8_t iv[2][12], cipher[32];
    view out;

    for (size_t i = 0; i < 2; i++) {
        assert_ok(app_send_encrypt(&f->cu1, &m, &answer));
        assert_int_equal(answer.iv.len, 12);
        assert_int_equal(answer.data.len, sizeof cipher);
        memcpy(iv[i], answer.iv.data, 12);
        memcpy(cipher, answer.data.data, sizeof cipher);
    }
    assert_memory_not_equal(iv[0], iv[1], 12);
    assert_memory_not_equal(iv[1], ZERO_IV.data, 12);

    assert_ok(app_decrypt(&f->cu1, mechanism_gcm(view_of(iv[1], 12), VIEW_EMPTY, 128), key,
                          view_of(cipher, sizeof cipher), &out));
    assert_view_equal(out, PLAIN);
    /* Zero bytes ask for nothing on the way back. */
    assert_code(app_decrypt(&f->cu1, mechanism_gcm(ZERO_IV, VIEW_EMPTY, 128), key,
                            view_of(cipher, sizeof cipher), &out), CKR_ENCRYPTED_DATA_INVALID);
}

static void
a_generated_iv_comes_with_the_data_only(void **state)
{
    struct fixture *f = *state;
    struct encrypt_request m = { mechanism_gcm(ZERO_IV, VIEW_EMPTY, 128), aes(&f->cu1), 31, PLAIN };
    struct encrypt_reply answer;

    assert_code(app_send_encrypt(&f->cu1, &m, &answer), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(f->cu1.needed, 32);
    m.max = 32;
    outside_fail(&f->hsm.outside, CALL_ENTROPY, 1);
    assert_code(app_send_encrypt(&f->cu1, &m, &answer), CKR_FUNCTION_FAILED);
    assert_ok(app_send_encrypt(&f->cu1, &m, &answer));
}

static void
an_operation_in_parts_gets_its_iv_at_the_start(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    const struct start_request m = { CKF_ENCRYPT, mechanism_gcm(ZERO_IV, VIEW_EMPTY, 128), key,
                                     false };
    struct start_reply answer;
    uint8_t iv[12], cipher[32];
    view first, last, out;

    assert_ok(app_send_start(&f->cu1, &m, &answer));
    assert_int_equal(answer.iv.len, 12);
    memcpy(iv, answer.iv.data, 12);
    assert_ok(app_update(&f->cu1, CKF_ENCRYPT, PLAIN, &first));
    assert_int_equal(first.len, 16);
    memcpy(cipher, first.data, 16);
    assert_ok(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &last));
    assert_int_equal(last.len, 16);
    memcpy(cipher + 16, last.data, 16);

    assert_ok(app_decrypt(&f->cu1, mechanism_gcm(view_of(iv, 12), VIEW_EMPTY, 128), key,
                          view_of(cipher, sizeof cipher), &out));
    assert_view_equal(out, PLAIN);
}

static void
a_callers_iv_is_honoured_but_in_fips(void **state)
{
    struct fixture *f = *state;
    const struct encrypt_request m = { mechanism_gcm(OTHER_IV, VIEW_EMPTY, 128), aes(&f->cu1),
                                       APP_ROOM_MAX, PLAIN };
    struct encrypt_reply answer;
    CK_RV rv = app_send_encrypt(&f->cu1, &m, &answer);

    if (f->hsm.policy == POLICY_FIPS) {
        assert_code(rv, CKR_MECHANISM_PARAM_INVALID);
    } else {
        assert_ok(rv);
        assert_int_equal(answer.iv.len, 0);
    }
}

static void
the_standards_zero_iv_is_an_iv(void **state)
{
    struct fixture *f = *state;
    const struct encrypt_request m = { mechanism_gcm(ZERO_IV, VIEW_EMPTY, 128), aes(&f->cu1),
                                       APP_ROOM_MAX, PLAIN };
    struct encrypt_reply answer;
    uint8_t first[32];

    assert_ok(app_send_encrypt(&f->cu1, &m, &answer));
    assert_int_equal(answer.iv.len, 0);
    memcpy(first, answer.data.data, sizeof first);
    assert_ok(app_send_encrypt(&f->cu1, &m, &answer));
    assert_view_equal(answer.data, view_of(first, sizeof first));
}

/* ---- running operations ---- */

static void
without_a_start_nothing_runs(void **state)
{
    static const CK_FLAGS functions[] = { CKF_ENCRYPT, CKF_DECRYPT, CKF_SIGN, CKF_VERIFY,
                                          CKF_DIGEST, CKF_WRAP, 0, 0xffffffff };
    struct fixture *f = *state;
    view out;

    assert_ok(app_start(&f->cu1, CKF_ENCRYPT, ecb(), aes(&f->cu1)));
    assert_ok(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &out));
    for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
        assert_code(app_update(&f->cu1, functions[i], PLAIN, &out), CKR_OPERATION_NOT_INITIALIZED);
        assert_code(app_final(&f->cu1, functions[i], VIEW_EMPTY, &out),
                    CKR_OPERATION_NOT_INITIALIZED);
    }
}

static void
only_five_functions_can_be_started(void **state)
{
    static const CK_FLAGS functions[] = { 0, CKF_WRAP, CKF_DERIVE, CKF_GENERATE,
                                          CKF_ENCRYPT | CKF_DECRYPT, CKF_SIGN_RECOVER };
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    struct start_request m = { CKF_ENCRYPT, mechanism_gcm(OTHER_IV, VIEW_EMPTY, 128), key, true };
    struct start_reply answer;

    for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
        assert_code(app_start(&f->cu1, functions[i], ecb(), key), CODE_BAD_FRAME);
    }
    /* A pass for the tag is of an AEAD's decryption only. */
    assert_code(app_send_start(&f->cu1, &m, &answer), CODE_BAD_FRAME);
    m.function = CKF_DECRYPT;
    m.mechanism = ecb();
    assert_code(app_send_start(&f->cu1, &m, &answer), CODE_BAD_FRAME);
}

static void
an_error_ends_the_operation(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    view out;

    assert_ok(app_start(&f->cu1, CKF_ENCRYPT, ecb(), key));
    assert_ok(app_update(&f->cu1, CKF_ENCRYPT, VIEW_TEXT("not a block"), &out));
    assert_code(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &out), CKR_DATA_LEN_RANGE);
    assert_code(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &out), CKR_OPERATION_NOT_INITIALIZED);
}

static void
two_functions_run_side_by_side(void **state)
{
    struct fixture *f = *state;
    uint32_t key = aes(&f->cu1);
    view out;

    assert_ok(app_start(&f->cu1, CKF_ENCRYPT, ecb(), key));
    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    assert_ok(app_update(&f->cu1, CKF_ENCRYPT, PLAIN, &out));
    assert_ok(app_update(&f->cu1, CKF_DIGEST, PLAIN, &out));
    assert_int_equal(out.len, 0);
    assert_ok(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &out));
    assert_int_equal(out.len, 32);
    assert_ok(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &out));
}

/* What must not go on: model-notes 10, rule 8. */

static uint32_t
started(struct app *app, view template)
{
    uint32_t key = create(app, template);
    view out;

    assert_ok(app_start(app, CKF_ENCRYPT, ecb(), key));
    assert_ok(app_update(app, CKF_ENCRYPT, PLAIN, &out));
    return key;
}

static void
assert_ended(struct app *app)
{
    view out;

    assert_code(app_update(app, CKF_ENCRYPT, PLAIN, &out), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(app_final(app, CKF_ENCRYPT, VIEW_EMPTY, &out), CKR_OPERATION_NOT_INITIALIZED);
}

static void
logout_ends_what_runs_with_a_key(void **state)
{
    struct fixture *f = *state;

    started(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    assert_ok(app_logout(&f->cu1));
    assert_ok(app_login(&f->cu1, ROLE_CU, USER1_NAME, USER1_PASSWORD));

    assert_ended(&f->cu1);
}

static void
logout_ends_a_digest_with_a_private_key_in_it(void **state)
{
    struct fixture *f = *state;
    view out;

    for (int private = 0; private < 2; private++) {
        uint32_t key = create(&f->cu1, LIST(AES_CREATE, BOOL(PRIVATE, private != 0)));

        assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
        assert_ok(app_digest_key(&f->cu1, key));
        assert_ok(app_logout(&f->cu1));
        assert_code(app_final(&f->cu1, CKF_DIGEST, VIEW_EMPTY, &out),
                    private != 0 ? CKR_OPERATION_NOT_INITIALIZED : CKR_OK);
        assert_ok(app_login(&f->cu1, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    }
}

static void
azure_digests_no_keys(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE));

    assert_ok(app_start(&f->cu1, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0));
    assert_code(app_digest_key(&f->cu1, key), CKR_FUNCTION_NOT_SUPPORTED);
}

static CK_RV
authenticate(struct app *app, uint32_t key, view name, view password)
{
    const struct authenticate_request m = { CKF_SIGN, key, name, password };
    struct authenticate_reply answer;

    return app_send_authenticate(app, &m, &answer);
}

#define OWN VIEW_TEXT(USER1_PASSWORD)
#define HASH VIEW_TEXT("0123456789abcdef0123456789abcdef")

static void
make_cautious(struct app *app, uint32_t *ret_key)
{
    struct key_info public, private;

    assert_ok(app_generate_pair(app, CKM_EC_KEY_PAIR_GEN,
                                LIST(BYTES(EC_PARAMS, P256_OID), VERIFY_USES),
                                LIST(SIGN_USES, BOOL(ALWAYS_AUTHENTICATE, true)), &public,
                                &private));
    *ret_key = private.handle;
}

static void
a_key_that_always_authenticates_is_used_once_a_time(void **state)
{
    struct fixture *f = *state;
    struct mechanism ecdsa = mechanism_plain(CKM_ECDSA);
    struct mechanism parts = mechanism_plain(CKM_ECDSA_SHA256);
    struct sign_request small = { .mechanism = ecdsa, .max = 10, .data = HASH };
    struct sign_reply answer;
    uint32_t key;
    view out;

    make_cautious(&f->cu1, &key);
    small.key = key;
    assert_code(app_sign(&f->cu1, ecdsa, key, HASH, &out), CKR_USER_NOT_LOGGED_IN);
    assert_code(app_start(&f->cu1, CKF_SIGN, parts, key), CKR_USER_NOT_LOGGED_IN);

    assert_ok(authenticate(&f->cu1, key, VIEW_EMPTY, OWN));
    assert_code(app_send_sign(&f->cu1, &small, &answer), CKR_BUFFER_TOO_SMALL);
    assert_ok(app_sign(&f->cu1, ecdsa, key, HASH, &out));
    assert_code(app_sign(&f->cu1, ecdsa, key, HASH, &out), CKR_USER_NOT_LOGGED_IN);

    assert_ok(authenticate(&f->cu1, key, VIEW_TEXT(USER1_NAME), OWN));
    assert_ok(app_start(&f->cu1, CKF_SIGN, parts, key));
    assert_code(app_sign(&f->cu1, ecdsa, key, HASH, &out), CKR_USER_NOT_LOGGED_IN);

    assert_ok(authenticate(&f->cu1, key, VIEW_EMPTY, OWN));
    assert_code(app_update(&f->cu1, CKF_SIGN, HASH, &out), CKR_OPERATION_NOT_INITIALIZED);
}

static void
a_permit_is_for_one_session_and_key(void **state)
{
    struct fixture *f = *state;
    struct mechanism ecdsa = mechanism_plain(CKM_ECDSA);
    uint32_t key, other;
    view out;

    make_cautious(&f->cu1, &key);
    make_cautious(&f->cu1, &other);
    assert_ok(authenticate(&f->cu1, key, VIEW_EMPTY, OWN));
    assert_code(app_sign(&f->cu1, ecdsa, other, HASH, &out), CKR_USER_NOT_LOGGED_IN);
    assert_ok(authenticate(&f->cu1, key, VIEW_EMPTY, OWN));
    f->cu1.session = 2;
    assert_code(app_sign(&f->cu1, ecdsa, key, HASH, &out), CKR_USER_NOT_LOGGED_IN);
    f->cu1.session = 1;
    assert_ok(app_sign(&f->cu1, ecdsa, key, HASH, &out));
}

static void
only_the_users_own_password_permits(void **state)
{
    struct fixture *f = *state;
    struct mechanism ecdsa = mechanism_plain(CKM_ECDSA);
    uint32_t key, plain = create(&f->cu1, LIST(AES_CREATE));
    view out;

    make_cautious(&f->cu1, &key);
    assert_code(authenticate(&f->cu1, plain, VIEW_EMPTY, OWN), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(authenticate(&f->cu1, 0x7fffff00, VIEW_EMPTY, OWN), CKR_KEY_HANDLE_INVALID);
    assert_code(authenticate(&f->cu1, key, VIEW_TEXT(USER2_NAME), VIEW_TEXT(USER2_PASSWORD)),
                CKR_PIN_INCORRECT);
    assert_code(authenticate(&f->cu1, key, VIEW_EMPTY, VIEW_TEXT("wrong password")),
                CKR_PIN_INCORRECT);
    assert_int_equal(app_failures(&f->cu1, USER1_NAME), 1);
    assert_code(app_sign(&f->cu1, ecdsa, key, HASH, &out), CKR_USER_NOT_LOGGED_IN);
    assert_ok(authenticate(&f->cu1, key, VIEW_EMPTY, OWN));
    assert_int_equal(app_failures(&f->cu1, USER1_NAME), 0);

    for (unsigned i = 0; i < USER_FAILURES_MAX; i++) {
        assert_code(authenticate(&f->cu1, key, VIEW_EMPTY, VIEW_TEXT("wrong password")),
                    CKR_PIN_INCORRECT);
    }
    assert_code(authenticate(&f->cu1, key, VIEW_EMPTY, OWN), CKR_PIN_LOCKED);
    assert_code(authenticate(&f->cu1, key, VIEW_EMPTY, OWN), CKR_USER_NOT_LOGGED_IN);
}

static void
a_destroyed_key_runs_no_further(void **state)
{
    struct fixture *f = *state;
    struct app other;
    uint32_t token = started(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    app_init(&other, &f->hsm, USER1);
    assert_ok(app_destroy(&other, token));
    assert_ended(&f->cu1);

    assert_ok(app_destroy(&f->cu1, started(&f->cu1, LIST(AES_CREATE))));
    assert_ended(&f->cu1);
    app_clear(&other);
}

static void
a_key_that_lost_its_right_runs_no_further(void **state)
{
    struct fixture *f = *state;
    uint32_t key = started(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    assert_ok(app_set(&f->cu1, key, LIST(BOOL(ENCRYPT, false))));

    assert_ended(&f->cu1);
}

static void
a_new_label_does_not_disturb(void **state)
{
    struct fixture *f = *state;
    uint32_t key = started(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    view out;

    assert_ok(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"))));

    assert_ok(app_update(&f->cu1, CKF_ENCRYPT, PLAIN, &out));
    assert_int_equal(out.len, 16);
    assert_ok(app_final(&f->cu1, CKF_ENCRYPT, VIEW_EMPTY, &out));
}

static void
dates_bound_the_use_where_the_switch_says_so(void **state)
{
    struct fixture *f = *state;
    const struct mechanism ecb = mechanism_plain(CKM_AES_ECB);
    const view block = VIEW_TEXT("0123456789abcdef");
    const uint64_t day = 24u * 60u * 60u * 1000u;
    uint32_t key;
    view out;
    /* OUTSIDE_START_MS is 22:13 of that Tuesday. */
    const struct {
        uint64_t wall;
        CK_RV rv;
    } days[] = {
        { OUTSIDE_START_MS - day, CKR_KEY_FUNCTION_NOT_PERMITTED },
        { OUTSIDE_START_MS, CKR_OK },
        { OUTSIDE_START_MS + day, CKR_OK },
        { OUTSIDE_START_MS + 2 * day, CKR_KEY_FUNCTION_NOT_PERMITTED },
    };

    assert_true(rules_switches_read(&f->hsm.hsm->rules, VIEW_TEXT("enforce_dates=on")));
    key = generate(&f->cu1, CKM_AES_KEY_GEN,
                   LIST(ULONG(VALUE_LEN, 16), BOOL(ENCRYPT, true), BYTES(START_DATE, "20231114"),
                        BYTES(END_DATE, "20231115")));
    for (size_t i = 0; i < ARRAY_COUNT(days); i++) {
        outside_set_clock(&f->hsm.outside, days[i].wall);
        assert_code(app_encrypt(&f->cu1, ecb, key, block, &out), days[i].rv);
    }
    assert_ok(app_set(&f->cu1, key, LIST(BYTES(END_DATE, ""))));
    assert_ok(app_encrypt(&f->cu1, ecb, key, block, &out));

    assert_true(rules_switches_read(&f->hsm.hsm->rules, VIEW_TEXT("enforce_dates=off")));
    outside_set_clock(&f->hsm.outside, days[0].wall);
    assert_ok(app_encrypt(&f->cu1, ecb, key, block, &out));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(dates_bound_the_use_where_the_switch_says_so),
        STANDARD(dates_bound_the_use_where_the_switch_says_so),
        AZURE(a_key_does_what_its_flags_say_and_no_more),
        AZURE(data_is_no_key),
        AZURE(a_key_may_list_its_mechanisms),
        STANDARD(curves_sign_where_policy_and_interface_let_them),
        AZURE(curves_sign_where_policy_and_interface_let_them),
        FIPS(curves_sign_where_policy_and_interface_let_them),
        AZURE(small_rsa_keys_are_no_use_in_fips),
        FIPS(small_rsa_keys_are_no_use_in_fips),
        STANDARD(without_a_login_the_standard_lets_public_keys_work),
        AZURE(a_parameter_has_to_fit_its_mechanism),
        AZURE(too_little_room_is_told_the_length_and_gets_nothing),
        AZURE(every_function_with_output_tells_the_length),
        AZURE(twelve_zero_bytes_ask_for_an_iv),
        FIPS(twelve_zero_bytes_ask_for_an_iv),
        AZURE(a_generated_iv_comes_with_the_data_only),
        AZURE(an_operation_in_parts_gets_its_iv_at_the_start),
        STANDARD(a_callers_iv_is_honoured_but_in_fips),
        AZURE(a_callers_iv_is_honoured_but_in_fips),
        FIPS(a_callers_iv_is_honoured_but_in_fips),
        STANDARD(the_standards_zero_iv_is_an_iv),
        AZURE(without_a_start_nothing_runs),
        AZURE(only_five_functions_can_be_started),
        AZURE(an_error_ends_the_operation),
        AZURE(two_functions_run_side_by_side),
        AZURE(logout_ends_what_runs_with_a_key),
        STANDARD(logout_ends_a_digest_with_a_private_key_in_it),
        AZURE(azure_digests_no_keys),
        AZURE(a_key_that_always_authenticates_is_used_once_a_time),
        AZURE(a_permit_is_for_one_session_and_key),
        AZURE(only_the_users_own_password_permits),
        AZURE(a_destroyed_key_runs_no_further),
        AZURE(a_key_that_lost_its_right_runs_no_further),
        AZURE(a_new_label_does_not_disturb),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
