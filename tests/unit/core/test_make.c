/* SPDX-License-Identifier: Apache-2.0
 *
 * How objects come to be: who may have them, which numbers they get, what the HSM adds.
 */
#include "unit/core/core_test.h"

#include "core/make.h"

#define UNAVAILABLE 0xffffffffffffffffu
#define CERTIFICATE_CREATE                                                        \
    ULONG(CLASS, CKO_CERTIFICATE), ULONG(CERTIFICATE_TYPE, CKC_X_509), BYTES(SUBJECT, "s"), \
        BYTES(VALUE, "v")

/* The code of a creation, and that a refused one leaves nothing. */
static CK_RV
create_code(struct app *app, view template)
{
    struct key_info info = { 0 };
    size_t before = app_count(app);
    CK_RV rv = app_create(app, template, &info);

    assert_int_equal(app_count(app), before + (rv == CKR_OK ? 1 : 0));
    assert_int_equal(rv == CKR_OK, info.handle != 0);
    return rv;
}

/* ---- who may have what ---- */

static void
private_objects_are_for_crypto_users(void **state)
{
    struct fixture *f = *state;

    f->officer.port = PORTS_client;
    assert_code(create_code(&f->nobody, LIST(PRIVATE_DATA)), CKR_USER_NOT_LOGGED_IN);
    assert_code(create_code(&f->officer, LIST(PRIVATE_DATA)), CKR_USER_NOT_LOGGED_IN);
    assert_code(create_code(&f->nobody, LIST(AES_CREATE)), CKR_USER_NOT_LOGGED_IN);
    assert_ok(create_code(&f->cu1, LIST(PRIVATE_DATA)));
    assert_ok(create_code(&f->cu1, LIST(AES_CREATE)));
}

static void
public_objects_are_for_everyone(void **state)
{
    struct fixture *f = *state;

    f->officer.port = PORTS_client;
    assert_ok(create_code(&f->nobody, LIST(PUBLIC_DATA)));
    assert_ok(create_code(&f->officer, LIST(PUBLIC_DATA)));
    assert_ok(create_code(&f->cu1, LIST(PUBLIC_DATA)));
}

static void
token_objects_want_a_read_write_session(void **state)
{
    struct fixture *f = *state;

    f->cu1.read_write = false;
    assert_code(create_code(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES)), CKR_SESSION_READ_ONLY);
    assert_code(create_code(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES)), CKR_SESSION_READ_ONLY);
    assert_ok(create_code(&f->cu1, LIST(PRIVATE_DATA)));
    assert_code(app_generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, TOKEN_YES), NULL),
                CKR_SESSION_READ_ONLY);
    f->cu1.read_write = true;
    assert_ok(create_code(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES)));
}

/* ---- what the policies impose ---- */

static void
azure_keys_are_private_and_sensitive(void **state)
{
    struct fixture *f = *state;
    uint32_t key;

    assert_code(create_code(&f->cu1, LIST(AES_CREATE, BOOL(PRIVATE, false))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(create_code(&f->cu1, LIST(AES_CREATE, BOOL(SENSITIVE, false))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(app_generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE, BOOL(PRIVATE, false)),
                             NULL), CKR_TEMPLATE_INCONSISTENT);
    assert_ok(create_code(&f->cu1, LIST(PUBLIC_DATA)));

    key = create(&f->cu1, LIST(AES_CREATE));
    assert_true(get_bool(&f->cu1, key, CKA_PRIVATE));
    assert_true(get_bool(&f->cu1, key, CKA_SENSITIVE));
    assert_true(get_bool(&f->cu1, key, CKA_EXTRACTABLE));
}

static void
standard_keys_are_what_they_are_asked_to_be(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, BOOL(PRIVATE, false)));

    assert_false(get_bool(&f->cu1, key, CKA_PRIVATE));
    assert_false(get_bool(&f->cu1, key, CKA_SENSITIVE));
    assert_true(app_finds(&f->cu1, key));
    /* A public key of nobody's login: the standard asks for none. */
    key = create(&f->nobody, LIST(AES_CREATE, BOOL(PRIVATE, false)));
    assert_true(app_finds(&f->nobody, key));
}

/* ---- templates ---- */

#define DES_CREATE(type, value) \
    ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, type), BYTES(VALUE, value)

/* Seed-requirements REQ-118: no DES in fips. What no mechanism of the policy takes has no use. */
static void
a_key_is_of_a_type_that_the_policy_offers(void **state)
{
    struct fixture *f = *state;
    const enum policy policy = f->hsm.policy;
    const CK_RV single = policy == POLICY_FIPS ? CKR_ATTRIBUTE_VALUE_INVALID : CKR_OK;
    const CK_RV two = policy == POLICY_STANDARD ? CKR_OK : CKR_ATTRIBUTE_VALUE_INVALID;

    assert_code(create_code(&f->cu1, LIST(DES_CREATE(CKK_DES, "aaaaaaaa"))), single);
    assert_code(create_code(&f->cu1, LIST(DES_CREATE(CKK_DES2, "aaaaaaaabbbbbbbb"))), two);
    assert_ok(create_code(&f->cu1, LIST(DES_CREATE(CKK_DES3, "aaaaaaaabbbbbbbbdddddddd"))));
    /* 'c' has four ones. */
    assert_code(create_code(&f->cu1, LIST(DES_CREATE(CKK_DES3, "aaaaaaaabbbbbbbbcccccccc"))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(create_code(&f->cu1, LIST(DES_CREATE(CKK_DES3, "aaaaaaaabbbbbbbb"))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(create_code(&f->cu1, LIST(DES_CREATE(CKK_DES3, "aaaaaaaabbbbbbbbdddddddd"),
                                          ULONG(VALUE_LEN, 24))),
                CKR_TEMPLATE_INCONSISTENT);
}

static void
a_template_has_to_name_one_thing(void **state)
{
#define REFUSED(rv, ...) assert_code(create_code(&f->cu1, LIST(__VA_ARGS__)), CKR_##rv)
#define SECRET_KEY ULONG(CLASS, CKO_SECRET_KEY)
#define DATA ULONG(CLASS, CKO_DATA)
    struct fixture *f = *state;

    REFUSED(TEMPLATE_INCOMPLETE, BYTES(VALUE, "x"));
    REFUSED(TEMPLATE_INCOMPLETE, SECRET_KEY);
    REFUSED(TEMPLATE_INCOMPLETE, ULONG(CLASS, CKO_CERTIFICATE));
    REFUSED(TEMPLATE_INCOMPLETE, SECRET_KEY, ULONG(KEY_TYPE, CKK_AES));
    REFUSED(ATTRIBUTE_VALUE_INVALID, ULONG(CLASS, CKO_HW_FEATURE), ULONG(KEY_TYPE, 0));
    REFUSED(ATTRIBUTE_VALUE_INVALID, BYTES(CLASS, "four"));
    REFUSED(ATTRIBUTE_VALUE_INVALID, SECRET_KEY, BYTES(KEY_TYPE, ""));
    REFUSED(ATTRIBUTE_VALUE_INVALID, SECRET_KEY, ULONG(KEY_TYPE, CKK_BLOWFISH));
    REFUSED(ATTRIBUTE_VALUE_INVALID, SECRET_KEY, ULONG(KEY_TYPE, CKK_AES), BYTES(VALUE, "short"));
    REFUSED(ATTRIBUTE_READ_ONLY, AES_CREATE, BOOL(LOCAL, true));
    REFUSED(ATTRIBUTE_READ_ONLY, DATA, BYTES(UNIQUE_ID, "x"));
    REFUSED(TEMPLATE_INCONSISTENT, DATA, BOOL(SENSITIVE, true));
    REFUSED(TEMPLATE_INCONSISTENT, DATA, BYTES(LABEL, "a"), BYTES(LABEL, "b"));
    REFUSED(ATTRIBUTE_TYPE_INVALID, DATA, VIEW(0x80001234, VIEW_EMPTY));
    assert_ok(create_code(&f->cu1, LIST(DATA)));
#undef REFUSED
#undef SECRET_KEY
#undef DATA
}

/* ---- what the HSM adds ---- */

static void
a_created_key_has_no_history_here(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, BOOL(SENSITIVE, true),
                                        BOOL(EXTRACTABLE, false)));

    assert_false(get_bool(&f->cu1, key, CKA_LOCAL));
    assert_true(get_ulong(&f->cu1, key, CKA_KEY_GEN_MECHANISM) == UNAVAILABLE);
    assert_false(get_bool(&f->cu1, key, CKA_ALWAYS_SENSITIVE));
    assert_false(get_bool(&f->cu1, key, CKA_NEVER_EXTRACTABLE));
    assert_int_equal(get_ulong(&f->cu1, key, CKA_VALUE_LEN), 32);
    assert_int_equal(get(&f->cu1, key, CKA_CHECK_VALUE).len, 3);
}

static void
a_generated_key_remembers_how_it_began(void **state)
{
    struct fixture *f = *state;
    uint32_t hard = generate(&f->cu1, CKM_AES_KEY_GEN,
                             LIST(AES_GENERATE, BOOL(SENSITIVE, true),
                                  BOOL(EXTRACTABLE, false)));
    uint32_t soft = generate(&f->cu1, CKM_AES_KEY_GEN,
                             LIST(AES_GENERATE, BOOL(SENSITIVE, false),
                                  BOOL(EXTRACTABLE, true)));

    assert_true(get_bool(&f->cu1, hard, CKA_LOCAL));
    assert_int_equal(get_ulong(&f->cu1, hard, CKA_KEY_GEN_MECHANISM), CKM_AES_KEY_GEN);
    assert_true(get_bool(&f->cu1, hard, CKA_ALWAYS_SENSITIVE));
    assert_true(get_bool(&f->cu1, hard, CKA_NEVER_EXTRACTABLE));
    assert_false(get_bool(&f->cu1, soft, CKA_ALWAYS_SENSITIVE));
    assert_false(get_bool(&f->cu1, soft, CKA_NEVER_EXTRACTABLE));

    /* What was soft once was not always hard. */
    assert_ok(app_set(&f->cu1, soft, LIST(BOOL(SENSITIVE, true), BOOL(EXTRACTABLE, false))));
    assert_false(get_bool(&f->cu1, soft, CKA_ALWAYS_SENSITIVE));
    assert_false(get_bool(&f->cu1, soft, CKA_NEVER_EXTRACTABLE));
}

static void
every_object_has_an_id_of_its_own(void **state)
{
    struct fixture *f = *state;
    uint8_t first[64];
    view id = get(&f->cu1, create(&f->cu1, LIST(PUBLIC_DATA)), CKA_UNIQUE_ID);
    size_t len = id.len;
    uint32_t other;

    assert_in_range(len, 16, sizeof first);
    memcpy(first, id.data, len);
    other = create(&f->cu1, LIST(PUBLIC_DATA));
    assert_false(view_equal(get(&f->cu1, other, CKA_UNIQUE_ID), view_of(first, len)));
}

/* ---- numbers ---- */

static void
each_kind_of_object_has_its_numbers(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES)), HANDLE_TOKEN_FIRST);
    assert_int_equal(create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES)), HANDLE_TOKEN_FIRST + 1);
    assert_int_equal(create(&f->cu1, LIST(CERTIFICATE_CREATE, TOKEN_YES)),
                     HANDLE_CERTIFICATE_FIRST);
    f->cu1.handle = 0x80001234;
    assert_int_equal(create(&f->cu1, LIST(PUBLIC_DATA)), 0x80001234);
}

static void
a_session_object_wants_a_free_number_of_its_range(void **state)
{
    static const uint32_t refused[] = { 0, 1, HANDLE_TOKEN_FIRST, HANDLE_TOKEN_LAST,
                                        HANDLE_CERTIFICATE_FIRST, UINT32_MAX };
    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(refused); i++) {
        f->cu1.handle = refused[i];
        assert_code(create_code(&f->cu1, LIST(PUBLIC_DATA)), CKR_ARGUMENTS_BAD);
    }
    f->cu1.handle = HANDLE_SESSION_LAST;
    assert_ok(create_code(&f->cu1, LIST(PUBLIC_DATA)));
    f->cu1.handle = HANDLE_SESSION_LAST;
    assert_code(create_code(&f->cu1, LIST(PUBLIC_DATA)), CKR_ARGUMENTS_BAD);
}

static void
numbers_are_never_given_again(void **state)
{
    struct fixture *f = *state;
    uint32_t last = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint32_t handle = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));

        assert_true(handle > last);
        last = handle;
        assert_ok(app_destroy(&f->cu1, handle));
        if (i % 2 == 1) {
            hsm_fixture_reopen(&f->hsm);
            assert_ok(app_attach(&f->cu1));
        }
    }
}

static void
a_block_of_numbers_is_followed_by_another(void **state)
{
    struct fixture *f = *state;

    for (uint32_t i = 0; i < 1500; i++) {
        assert_int_equal(create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES)), HANDLE_TOKEN_FIRST + i);
    }
}

static void
when_the_numbers_are_used_up_there_is_no_object(void **state)
{
    struct fixture *f = *state;

    for (uint32_t handle = HANDLE_CERTIFICATE_FIRST; handle < HANDLE_CERTIFICATE_LAST; handle++) {
        numbers_load(&f->hsm.hsm->certificates, handle, 0);
    }

    assert_int_equal(create(&f->cu1, LIST(CERTIFICATE_CREATE, TOKEN_YES)),
                     HANDLE_CERTIFICATE_LAST);
    assert_code(create_code(&f->cu1, LIST(CERTIFICATE_CREATE, TOKEN_YES)), CKR_DEVICE_MEMORY);
    assert_code(create_code(&f->cu1, LIST(CERTIFICATE_CREATE, TOKEN_YES)), CKR_DEVICE_MEMORY);
}

/* ---- the store ---- */

static void
a_created_object_is_there_after_a_restart(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "kept")));
    view plain = VIEW_TEXT("0123456789abcdef");
    view out;
    uint8_t cipher[16];

    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key, plain, &out));
    memcpy(cipher, out.data, sizeof cipher);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));

    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "kept"))), 1);
    assert_ok(app_decrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key,
                          view_of(cipher, sizeof cipher), &out));
    assert_view_equal(out, plain);
}

static void
neither_label_nor_value_is_in_the_store(void **state)
{
    struct fixture *f = *state;
    struct writer record;

    create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "kept secret")));

    writer_init(&record, STORE_VALUE_MAX);
    assert_true(outside_record(&f->hsm.outside, "o/00040000", &record));
    assert_null(memmem(record.data, record.len, "kept", 4));
    assert_null(memmem(record.data, record.len, AES_BYTES, 8));
    writer_clear(&record);
}

static void
a_repeated_creation_makes_one_object(void **state)
{
    struct fixture *f = *state;
    const struct object_create_request m = { 0, LIST(PRIVATE_DATA, TOKEN_YES) };
    struct writer w;
    view body;
    uint32_t handle;

    writer_init(&w, FRAME_BODY_MAX);
    object_create_request_write(&w, &m);
    assert_ok(app_call(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    handle = load_u32(body.data + 4);
    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    assert_int_equal(load_u32(body.data + 4), handle);

    /* Also after the node was restarted between the two. */
    hsm_fixture_reopen(&f->hsm);
    f->cu1.request -= 1; /* attaching is a request of its own */
    assert_ok(app_attach(&f->cu1));
    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&w), &body));
    assert_int_equal(load_u32(body.data + 4), handle);
    assert_int_equal(app_count(&f->cu1), 1);
    writer_clear(&w);
}

static void
a_creation_and_a_generation_are_in_the_audit(void **state)
{
    struct fixture *f = *state;

    create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE));

    assert_true(outside_audit_has(&f->hsm.outside, "OBJECT_CREATE user=3 role=CU object=262144"));
    assert_true(outside_audit_has(&f->hsm.outside, "GENERATE_KEY user=3 role=CU object=2147483649 mechanism=CKM_AES_KEY_GEN code=CKR_OK"));
}

static void
without_a_login_only_so_many_objects_are_stored(void **state)
{
    struct fixture *f = *state;
    uint32_t first = 0;
    struct key_info info;

    for (unsigned i = 0; i < UNOWNED_MAX; i++) {
        assert_ok(app_create(&f->nobody, LIST(PUBLIC_DATA, TOKEN_YES), &info));
        first = first == 0 ? info.handle : first;
    }
    assert_code(app_create(&f->nobody, LIST(PUBLIC_DATA, TOKEN_YES), &info), CKR_DEVICE_MEMORY);
    assert_ok(app_create(&f->nobody, LIST(PUBLIC_DATA), &info));
    assert_ok(app_create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES), &info));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->nobody));
    assert_code(app_create(&f->nobody, LIST(PUBLIC_DATA, TOKEN_YES), &info), CKR_DEVICE_MEMORY);

    assert_ok(app_destroy(&f->nobody, first));
    assert_ok(app_create(&f->nobody, LIST(PUBLIC_DATA, TOKEN_YES), &info));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(private_objects_are_for_crypto_users),
        AZURE(public_objects_are_for_everyone),
        AZURE(token_objects_want_a_read_write_session),
        AZURE(azure_keys_are_private_and_sensitive),
        FIPS(azure_keys_are_private_and_sensitive),
        STANDARD(standard_keys_are_what_they_are_asked_to_be),
        AZURE(a_template_has_to_name_one_thing),
        STANDARD(a_key_is_of_a_type_that_the_policy_offers),
        AZURE(a_key_is_of_a_type_that_the_policy_offers),
        FIPS(a_key_is_of_a_type_that_the_policy_offers),
        STANDARD(a_created_key_has_no_history_here),
        STANDARD(a_generated_key_remembers_how_it_began),
        AZURE(every_object_has_an_id_of_its_own),
        AZURE(each_kind_of_object_has_its_numbers),
        AZURE(a_session_object_wants_a_free_number_of_its_range),
        AZURE(numbers_are_never_given_again),
        AZURE(a_block_of_numbers_is_followed_by_another),
        AZURE(when_the_numbers_are_used_up_there_is_no_object),
        AZURE(a_created_object_is_there_after_a_restart),
        AZURE(neither_label_nor_value_is_in_the_store),
        AZURE(a_repeated_creation_makes_one_object),
        AZURE(a_creation_and_a_generation_are_in_the_audit),
        AZURE(without_a_login_only_so_many_objects_are_stored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
