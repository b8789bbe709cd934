/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects that are there: read, changed, copied, destroyed, and by whom not.
 */
#include "unit/core/core_test.h"

/* A key with a value that may be read. */
#define OPEN_AES AES_CREATE, BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true)
#define PLAIN VIEW_TEXT("0123456789abcdef")

/* ---- reading ---- */

static void
secret_parts_show_only_where_they_may(void **state)
{
    struct fixture *f = *state;
    uint32_t open = create(&f->cu1, LIST(OPEN_AES));
    uint32_t sensitive = create(&f->cu1, LIST(AES_CREATE, BOOL(SENSITIVE, true),
                                              BOOL(EXTRACTABLE, true)));
    uint32_t bound = create(&f->cu1, LIST(AES_CREATE, BOOL(SENSITIVE, false),
                                          BOOL(EXTRACTABLE, false)));

    assert_view_equal(get(&f->cu1, open, CKA_VALUE), VIEW_TEXT(AES_BYTES));
    assert_int_equal(get_status(&f->cu1, sensitive, CKA_VALUE), ATTRIBUTE_SENSITIVE);
    assert_int_equal(get_status(&f->cu1, bound, CKA_VALUE), ATTRIBUTE_SENSITIVE);
}

static void
no_part_of_a_private_key_shows_in_azure(void **state)
{
    static const CK_ATTRIBUTE_TYPE rsa[] = { CKA_PRIVATE_EXPONENT, CKA_PRIME_1, CKA_PRIME_2,
                                             CKA_EXPONENT_1, CKA_EXPONENT_2, CKA_COEFFICIENT };
    struct fixture *f = *state;
    struct pair pair = generate_pair(&f->cu1, CKM_RSA_PKCS_KEY_PAIR_GEN,
                                     LIST(ULONG(MODULUS_BITS, 1024)), VIEW_EMPTY);
    uint32_t key;

    for (size_t i = 0; i < ARRAY_COUNT(rsa); i++) {
        assert_int_equal(get_status(&f->cu1, pair.private, rsa[i]), ATTRIBUTE_SENSITIVE);
        assert_int_equal(get_status(&f->cu1, pair.public, rsa[i]), ATTRIBUTE_UNKNOWN);
    }
    assert_int_equal(get(&f->cu1, pair.private, CKA_MODULUS).len, 128);

    pair = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN, LIST(BYTES(EC_PARAMS, P256_OID)),
                         VIEW_EMPTY);
    assert_int_equal(get_status(&f->cu1, pair.private, CKA_VALUE), ATTRIBUTE_SENSITIVE);
    assert_view_equal(get(&f->cu1, pair.private, CKA_EC_PARAMS), VIEW_TEXT(P256_OID));

    key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE));
    assert_int_equal(get_status(&f->cu1, key, CKA_VALUE), ATTRIBUTE_SENSITIVE);
}

static void
a_secret_value_is_not_found_by_searching_for_it(void **state)
{
    struct fixture *f = *state;

    create(&f->cu1, LIST(AES_CREATE, BOOL(SENSITIVE, true)));

    assert_int_equal(found(&f->cu1, LIST(BYTES(VALUE, AES_BYTES))), 0);
}

static void
attributes_come_in_the_order_they_are_asked_for(void **state)
{
    static const CK_ATTRIBUTE_TYPE types[] = { CKA_LABEL, CKA_MODULUS, CKA_VALUE, CKA_CLASS,
                                               CKA_LABEL };
    static const int expected[] = { ATTRIBUTE_PRESENT, ATTRIBUTE_UNKNOWN, ATTRIBUTE_SENSITIVE,
                                    ATTRIBUTE_PRESENT, ATTRIBUTE_PRESENT };
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, BYTES(LABEL, "label")));
    struct object_get_reply answer;
    struct attribute attribute;
    struct writer w;

    writer_init(&w, 64);
    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        number_write(&w, (uint32_t)types[i]);
    }
    const struct object_get_request m = { key, { writer_view(&w) } };

    assert_ok(app_send_object_get(&f->cu1, &m, &answer));

    struct reader r = reader_of(answer.attributes);

    for (size_t i = 0; i < ARRAY_COUNT(types); i++) {
        assert_true(attributes_next(&r, &attribute));
        assert_int_equal(attribute.type, types[i]);
        assert_int_equal(attribute.status, expected[i]);
    }
    assert_false(attributes_next(&r, &attribute));
    writer_clear(&w);
}

static void
the_owner_of_an_object_is_told(void **state)
{
    struct fixture *f = *state;
    struct key_details_request m = { create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES)) };
    struct key_details_reply answer;

    assert_ok(app_send_key_details(&f->cu2, &m, &answer));
    assert_int_equal(answer.owner, USER1);
    assert_int_equal(number_array_count(answer.shared), 0);

    m.object = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    assert_code(app_send_key_details(&f->cu2, &m, &answer), CKR_OBJECT_HANDLE_INVALID);
}

/* ---- other people's objects ---- */

/* Whatever is asked about it: there is no such object. */
static void
assert_not_there(struct app *app, uint32_t object)
{
    struct attribute attribute;
    view out;

    assert_false(app_finds(app, object));
    assert_code(app_get(app, object, CKA_LABEL, &attribute), CKR_OBJECT_HANDLE_INVALID);
    assert_code(app_set(app, object, LIST(BYTES(LABEL, "mine"))), CKR_OBJECT_HANDLE_INVALID);
    assert_code(app_copy(app, object, VIEW_EMPTY, NULL), CKR_OBJECT_HANDLE_INVALID);
    assert_code(app_destroy(app, object), CKR_OBJECT_HANDLE_INVALID);
    assert_code(app_encrypt(app, mechanism_plain(CKM_AES_ECB), object, PLAIN, &out),
                CKR_KEY_HANDLE_INVALID);
    assert_code(app_sign(app, mechanism_plain(CKM_SHA256_HMAC), object, PLAIN, &out),
                CKR_KEY_HANDLE_INVALID);
    assert_code(app_start(app, CKF_DECRYPT, mechanism_plain(CKM_AES_ECB), object),
                CKR_KEY_HANDLE_INVALID);
}

static void
private_objects_of_others_are_not_there(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    assert_not_there(&f->cu2, key);
    f->officer.port = PORTS_client;
    assert_not_there(&f->officer, key);
    assert_not_there(&f->nobody, key);
    assert_true(app_finds(&f->cu1, key));
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 1);
}

static void
what_never_was_is_not_there_either(void **state)
{
    static const uint32_t handles[] = { 0, 1, HANDLE_TOKEN_FIRST, HANDLE_SESSION_FIRST,
                                        HANDLE_CERTIFICATE_FIRST, UINT32_MAX };
    struct fixture *f = *state;
    struct attribute attribute;

    for (size_t i = 0; i < ARRAY_COUNT(handles); i++) {
        assert_code(app_get(&f->cu1, handles[i], CKA_LABEL, &attribute),
                    CKR_OBJECT_HANDLE_INVALID);
        assert_code(app_destroy(&f->cu1, handles[i]), CKR_OBJECT_HANDLE_INVALID);
    }
}

static void
a_private_object_is_gone_with_the_login(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    assert_ok(app_logout(&f->cu1));
    assert_not_there(&f->cu1, key);

    assert_ok(app_login(&f->cu1, ROLE_CU, USER2_NAME, USER2_PASSWORD));
    assert_not_there(&f->cu1, key);
    assert_ok(app_logout(&f->cu1));
    assert_ok(app_login(&f->cu1, ROLE_CU, USER1_NAME, USER1_PASSWORD));
    assert_true(app_finds(&f->cu1, key));
}

static void
public_objects_of_others_can_be_read_but_not_changed_in_azure(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));

    assert_view_equal(get(&f->cu2, data, CKA_VALUE), VIEW_TEXT("data"));
    assert_view_equal(get(&f->nobody, data, CKA_VALUE), VIEW_TEXT("data"));
    assert_code(app_set(&f->cu2, data, LIST(BYTES(LABEL, "mine"))), CKR_ACTION_PROHIBITED);
    assert_code(app_destroy(&f->cu2, data), CKR_ACTION_PROHIBITED);
    assert_code(app_set(&f->nobody, data, LIST(BYTES(LABEL, "mine"))), CKR_USER_NOT_LOGGED_IN);
    assert_code(app_destroy(&f->nobody, data), CKR_USER_NOT_LOGGED_IN);
}

/* Usage Guide, "Permitted object accesses": any read-write session changes public objects. */
static void
public_objects_of_others_are_open_in_standard(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));

    f->officer.port = PORTS_client;
    assert_ok(app_set(&f->nobody, data, LIST(BYTES(LABEL, "nobody's"))));
    assert_ok(app_set(&f->cu2, data, LIST(BYTES(LABEL, "cu2's"))));
    assert_ok(app_set(&f->officer, data, LIST(BYTES(LABEL, "officer's"))));
    f->cu2.read_write = false;
    assert_code(app_destroy(&f->cu2, data), CKR_SESSION_READ_ONLY);
    f->cu2.read_write = true;
    assert_ok(app_destroy(&f->cu2, data));
}

static void
what_nobody_made_anyone_may_remove(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->nobody, LIST(PUBLIC_DATA, TOKEN_YES));

    assert_ok(app_set(&f->cu2, data, LIST(BYTES(LABEL, "mine"))));
    assert_ok(app_destroy(&f->cu2, data));
}

/* ---- sharing ---- */

/* No operation shares yet: the record is written anew, as one would write it, and read. */
static void
share(struct fixture *f, uint32_t handle, uint32_t user)
{
    const struct sealer sealer = hsm_fixture_sealer(&f->hsm);
    struct record_name name = record_name('o', handle);
    struct object *object = NULL;
    struct object *shared = NULL;
    struct writer record, secrets;

    writer_init(&record, STORE_VALUE_MAX);
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    assert_true(outside_record(&f->hsm.outside, name.text, &record));
    assert_ok(object_from_record(&sealer, handle, writer_view(&record), 1, &object));
    assert_ok(object_open_secrets(&sealer, object, &secrets));

    const struct object_parts parts = {
        .handle = handle,
        .kind = object->kind,
        .owner = object->owner,
        .version = object->version + 1,
        .shares = &user,
        .share_count = 1,
        .attributes = object_attributes(object),
        .secrets = writer_view(&secrets),
    };

    assert_ok(object_new(&sealer, &parts, &shared));
    writer_reset(&record);
    assert_ok(object_record(&sealer, shared, &record));
    outside_put(&f->hsm.outside, name.text, writer_view(&record));
    object_unref(object);
    object_unref(shared);
    writer_clear(&record);
    writer_clear(&secrets);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_ok(app_attach(&f->cu2));
}

static void
sharing_gives_the_use_of_an_object_and_no_more(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    const struct key_details_request m = { key };
    struct key_details_reply answer;
    view out;

    share(f, key, USER2);

    assert_true(app_finds(&f->cu2, key));
    assert_ok(app_encrypt(&f->cu2, mechanism_plain(CKM_AES_ECB), key, PLAIN, &out));
    assert_code(app_set(&f->cu2, key, LIST(BYTES(LABEL, "mine"))), CKR_ACTION_PROHIBITED);
    assert_code(app_destroy(&f->cu2, key), CKR_ACTION_PROHIBITED);
    /* A copy would be the other user's own, and outlive the sharing. */
    assert_code(app_copy(&f->cu2, key, VIEW_EMPTY, NULL), CKR_ACTION_PROHIBITED);
    assert_ok(app_send_key_details(&f->cu2, &m, &answer));
    assert_int_equal(answer.owner, USER1);
    assert_int_equal(number_array_count(answer.shared), 1);
    assert_int_equal(number_array_get(answer.shared, 0), USER2);
}

static void
a_shared_object_stays_shared_when_its_owner_changes_it(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));

    share(f, key, USER2);
    assert_ok(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"))));

    assert_view_equal(get(&f->cu2, key, CKA_LABEL), VIEW_TEXT("new"));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu2));
    assert_true(app_finds(&f->cu2, key));
}

/* ---- changing ---- */

static void
a_change_is_seen_by_all_and_after_a_restart(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES, BYTES(LABEL, "old")));

    assert_ok(app_set(&f->cu1, data, LIST(BYTES(LABEL, "new"), BYTES(APPLICATION, "app"))));

    assert_view_equal(get(&f->cu2, data, CKA_LABEL), VIEW_TEXT("new"));
    assert_int_equal(found(&f->cu2, LIST(BYTES(LABEL, "old"))), 0);
    assert_int_equal(found(&f->cu2, LIST(BYTES(LABEL, "new"))), 1);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_view_equal(get(&f->cu1, data, CKA_LABEL), VIEW_TEXT("new"));
    assert_view_equal(get(&f->cu1, data, CKA_APPLICATION), VIEW_TEXT("app"));
    assert_view_equal(get(&f->cu1, data, CKA_VALUE), VIEW_TEXT("data"));
}

static void
a_changed_key_works_on(void **state)
{
    struct fixture *f = *state;
    uint32_t token = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    uint32_t session = create(&f->cu1, LIST(AES_CREATE));
    view out;
    uint8_t first[16];

    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), token, PLAIN, &out));
    memcpy(first, out.data, sizeof first);

    assert_ok(app_set(&f->cu1, token, LIST(BYTES(LABEL, "new"))));
    assert_ok(app_set(&f->cu1, session, LIST(BYTES(LABEL, "new"))));
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), token, PLAIN, &out));
    assert_view_equal(out, view_of(first, sizeof first));
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), session, PLAIN, &out));
    assert_view_equal(out, view_of(first, sizeof first));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), token, PLAIN, &out));
    assert_view_equal(out, view_of(first, sizeof first));
}

static void
one_way_attributes_go_one_way(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(OPEN_AES));

    assert_ok(app_set(&f->cu1, key, LIST(BOOL(SENSITIVE, false), BOOL(EXTRACTABLE, true))));
    assert_ok(app_set(&f->cu1, key, LIST(BOOL(SENSITIVE, true), BOOL(EXTRACTABLE, false),
                                         BOOL(WRAP_WITH_TRUSTED, true), BOOL(COPYABLE, false))));

    assert_code(app_set(&f->cu1, key, LIST(BOOL(SENSITIVE, false))), CKR_ATTRIBUTE_READ_ONLY);
    assert_code(app_set(&f->cu1, key, LIST(BOOL(EXTRACTABLE, true))), CKR_ATTRIBUTE_READ_ONLY);
    assert_code(app_set(&f->cu1, key, LIST(BOOL(WRAP_WITH_TRUSTED, false))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(app_set(&f->cu1, key, LIST(BOOL(COPYABLE, true))), CKR_ATTRIBUTE_READ_ONLY);
    assert_int_equal(get_status(&f->cu1, key, CKA_VALUE), ATTRIBUTE_SENSITIVE);
}

static void
a_refused_change_changes_nothing(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, "old")));
    struct hsm_state before = hsm_fixture_state(&f->hsm);

    assert_code(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"), BOOL(TOKEN, false))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"), BYTES(VALUE, "new"))),
                CKR_ATTRIBUTE_READ_ONLY);
    assert_code(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"), ULONG(MODULUS_BITS, 1))),
                CKR_TEMPLATE_INCONSISTENT);
    assert_code(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"), BYTES(ENCRYPT, "no"))),
                CKR_ATTRIBUTE_VALUE_INVALID);
    assert_code(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"), VIEW(0x80001234, VIEW_EMPTY))),
                CKR_ATTRIBUTE_TYPE_INVALID);
    f->cu1.read_write = false;
    assert_code(app_set(&f->cu1, key, LIST(BYTES(LABEL, "new"))), CKR_SESSION_READ_ONLY);

    assert_view_equal(get(&f->cu1, key, CKA_LABEL), VIEW_TEXT("old"));
    assert_true(hsm_state_equal(before, hsm_fixture_state(&f->hsm)));
}

static void
what_is_not_modifiable_is_not_modified(void **state)
{
    struct fixture *f = *state;
    uint32_t token = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES, BOOL(MODIFIABLE, false)));
    uint32_t session = create(&f->cu1, LIST(PRIVATE_DATA, BOOL(MODIFIABLE, false)));

    assert_code(app_set(&f->cu1, token, LIST(BYTES(LABEL, "new"))), CKR_ACTION_PROHIBITED);
    assert_code(app_set(&f->cu1, session, LIST(BYTES(LABEL, "new"))), CKR_ACTION_PROHIBITED);
    assert_ok(app_destroy(&f->cu1, token));
}

static void
a_session_object_changes_without_the_store(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PRIVATE_DATA));
    size_t records = outside_count(&f->hsm.outside, "");

    assert_ok(app_set(&f->cu1, data, LIST(BYTES(LABEL, "new"))));

    assert_int_equal(f->cu1.place_count, 0);
    assert_view_equal(get(&f->cu1, data, CKA_LABEL), VIEW_TEXT("new"));
    assert_int_equal(outside_count(&f->hsm.outside, ""), records);
}

/* ---- destroying ---- */

static void
a_destroyed_object_is_gone_for_all_and_for_ever(void **state)
{
    struct fixture *f = *state;
    uint32_t data = create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));
    uint32_t session = create(&f->cu1, LIST(PRIVATE_DATA));

    assert_ok(app_destroy(&f->cu1, data));
    assert_ok(app_destroy(&f->cu1, session));

    assert_false(app_finds(&f->cu1, data));
    assert_false(app_finds(&f->cu2, data));
    assert_false(app_finds(&f->cu1, session));
    assert_code(app_destroy(&f->cu1, data), CKR_OBJECT_HANDLE_INVALID);
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 0);
    assert_true(outside_audit_has(&f->hsm.outside, "OBJECT_DESTROY user=3 role=CU object=262144 code=CKR_OK"));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    assert_int_equal(app_count(&f->cu1), 0);
}

static void
what_is_not_destroyable_stays(void **state)
{
    struct fixture *f = *state;
    uint32_t token = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES, BOOL(DESTROYABLE, false)));
    uint32_t session = create(&f->cu1, LIST(PRIVATE_DATA, BOOL(DESTROYABLE, false)));

    assert_code(app_destroy(&f->cu1, token), CKR_ACTION_PROHIBITED);
    assert_code(app_destroy(&f->cu1, session),
                f->hsm.policy == POLICY_STANDARD ? CKR_ACTION_PROHIBITED : CKR_OK);
    assert_true(app_finds(&f->cu1, token));
}

static void
a_token_object_is_not_destroyed_read_only(void **state)
{
    struct fixture *f = *state;
    uint32_t token = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    uint32_t session = create(&f->cu1, LIST(PRIVATE_DATA));

    f->cu1.read_write = false;
    assert_code(app_destroy(&f->cu1, token), CKR_SESSION_READ_ONLY);
    assert_ok(app_destroy(&f->cu1, session));
    assert_true(app_finds(&f->cu1, token));
}

/* ---- trust ---- */

/* CKA_TRUSTED is the officer's to give, whoever owns the object. */
static void
an_officer_trusts_what_a_user_made(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BOOL(PRIVATE, false)));

    f->officer.port = PORTS_client;
    assert_code(app_set(&f->cu1, key, LIST(BOOL(TRUSTED, true))), CKR_ATTRIBUTE_READ_ONLY);
    assert_ok(app_set(&f->officer, key, LIST(BOOL(TRUSTED, true))));

    assert_true(get_bool(&f->cu1, key, CKA_TRUSTED));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(secret_parts_show_only_where_they_may),
        AZURE(no_part_of_a_private_key_shows_in_azure),
        STANDARD(a_secret_value_is_not_found_by_searching_for_it),
        AZURE(attributes_come_in_the_order_they_are_asked_for),
        AZURE(the_owner_of_an_object_is_told),
        STANDARD(private_objects_of_others_are_not_there),
        AZURE(what_never_was_is_not_there_either),
        STANDARD(a_private_object_is_gone_with_the_login),
        AZURE(public_objects_of_others_can_be_read_but_not_changed_in_azure),
        STANDARD(public_objects_of_others_are_open_in_standard),
        STANDARD(what_nobody_made_anyone_may_remove),
        STANDARD(sharing_gives_the_use_of_an_object_and_no_more),
        AZURE(sharing_gives_the_use_of_an_object_and_no_more),
        AZURE(a_shared_object_stays_shared_when_its_owner_changes_it),
        AZURE(a_change_is_seen_by_all_and_after_a_restart),
        AZURE(a_changed_key_works_on),
        STANDARD(one_way_attributes_go_one_way),
        AZURE(a_refused_change_changes_nothing),
        AZURE(what_is_not_modifiable_is_not_modified),
        AZURE(a_session_object_changes_without_the_store),
        AZURE(a_destroyed_object_is_gone_for_all_and_for_ever),
        STANDARD(what_is_not_destroyable_stays),
        AZURE(what_is_not_destroyable_stays),
        AZURE(a_token_object_is_not_destroyed_read_only),
        STANDARD(an_officer_trusts_what_a_user_made),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
