/* SPDX-License-Identifier: Apache-2.0
 *
 * A node without an owner: what it answers, and what a certificate has to be.
 */
#include "unit/core/core_test.h"

#include "crypto/cert.h"

struct bench {
    struct hsm_fixture f; /* only its outside and its HSM */
    struct app app;
};

static void
bench_open(struct bench *b)
{
    view key = view_of(fixture_master_key, sizeof fixture_master_key);

    assert_ok(hsm_open(&b->f.outside.ports, key, &b->f.hsm));
}

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    const struct hsm_birth birth = { POLICY_AZURE, "", "label", "0123456789abcdef", NULL,
                                     VIEW_EMPTY };

    assert_non_null(b);
    outside_init(&b->f.outside);
    assert_ok(hsm_initialize(&b->f.outside.ports,
                             view_of(fixture_master_key, sizeof fixture_master_key), &birth));
    bench_open(b);
    app_init(&b->app, &b->f, APP_NOBODY);
    b->app.port = PORTS_manage;
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    app_clear(&b->app);
    hsm_fixture_clear(&b->f);
    free(b);
    return 0;
}

static void
it_speaks_of_its_owner_only(void **state)
{
    struct bench *b = *state;
    size_t count;
    const struct operation_row *rows = operation_rows(&count);
    view body;

    for (size_t i = 0; i < count; i++) {
        enum operation operation = rows[i].operation;

        switch (operation) {
        case OPERATION_HELLO:
        case OPERATION_MAILBOX:
        case OPERATION_STORAGE_STATE:
        case OPERATION_ATTACH:
        case OPERATION_DETACH:
        case OPERATION_PING:
        case OPERATION_CHANGES:
        case OPERATION_LOGIN:
        case OPERATION_LOGOUT:
        case OPERATION_CERT_REQUEST:
        case OPERATION_CERT_GET:
        case OPERATION_CERT_STORE:
            continue;
        default:
            break;
        }
        b->app.port = (rows[i].ports & PORTS_manage) != 0 ? PORTS_manage : PORTS_client;
        assert_code(app_call(&b->app, operation, VIEW_TEXT("x"), &body), CODE_UNOWNED);
    }
    b->app.port = PORTS_client;
    assert_code(app_login(&b->app, ROLE_PRECO, HSM_FACTORY_OFFICER, HSM_FACTORY_PASSWORD),
                CODE_UNOWNED);
    b->app.port = PORTS_manage;
    assert_code(app_login(&b->app, ROLE_CO, HSM_FACTORY_OFFICER, HSM_FACTORY_PASSWORD),
                CODE_UNOWNED);
    assert_code(app_login(&b->app, ROLE_PRECO, HSM_FACTORY_OFFICER, "wrongpassword"),
                CKR_PIN_INCORRECT);
    assert_ok(app_login(&b->app, ROLE_PRECO, HSM_FACTORY_OFFICER, HSM_FACTORY_PASSWORD));
}

static void
its_key_stays_and_is_not_in_the_store(void **state)
{
    struct bench *b = *state;
    struct hsm_identity before, after;

    assert_true(hsm_identity_get(b->f.hsm, &before));
    assert_false(before.owned);
    assert_null(before.owner);
    hsm_close(b->f.hsm);
    bench_open(b);
    assert_true(hsm_identity_get(b->f.hsm, &after));
    assert_true(view_equal(secret_view(before.private_key), secret_view(after.private_key)));

    struct writer record;

    writer_init(&record, 8192);
    assert_true(outside_record(&b->f.outside, "n/0123456789abcdef/00000001", &record));
    assert_null(memmem(record.data, record.len, secret_view(after.private_key).data + 36, 32));
    writer_clear(&record);
    hsm_identity_clear(&before);
    hsm_identity_clear(&after);
}

/* Its key and certificates are files; it does not wait for an owner of its own. */
static void
another_node_of_the_store_has_no_part_in_its_key(void **state)
{
    struct bench *b = *state;
    struct hsm_identity identity = { .version = 0 };
    char name[CERT_NAME_MAX + 1];

    hsm_close(b->f.hsm);
    b->f.outside.ports.node = "b000000000000000";
    bench_open(b);

    assert_false(hsm_identity_get(b->f.hsm, &identity));
    hsm_identity_name(b->f.hsm, name, sizeof name);
    assert_string_equal(name, "HSM:b000000000000000:PARTN:1,for non-FIPS mode");
}

static CK_RV
store(struct bench *b, uint32_t type, view pem)
{
    const struct cert_store_request m = { type, pem };
    struct cert_store_reply answer;

    return app_send_cert_store(&b->app, &m, &answer);
}

static void
certificates_that_are_none_are_refused(void **state)
{
    struct bench *b = *state;
    struct hsm_identity identity;

    assert_true(hsm_identity_get(b->f.hsm, &identity));
    assert_code(store(b, CERT_OWNER, VIEW_TEXT("x")), CKR_USER_NOT_LOGGED_IN);
    assert_ok(app_login(&b->app, ROLE_PRECO, HSM_FACTORY_OFFICER, HSM_FACTORY_PASSWORD));
    assert_code(store(b, 1, VIEW_TEXT("x")), CODE_CERT_NONE);
    assert_code(store(b, CERT_NODE, VIEW_TEXT("x")), CODE_CERT_ORDER);
    assert_code(store(b, CERT_OWNER, VIEW_EMPTY), CODE_CERT_BAD);
    assert_code(store(b, CERT_OWNER, VIEW_TEXT("x")), CODE_CERT_BAD);
    /* The node's own: it signed itself, but may sign nothing. */
    assert_code(store(b, CERT_OWNER, view_str(identity.certificate)), CODE_CERT_OWNER);
    assert_int_equal(outside_count(&b->f.outside, "c/"), 0);
    hsm_identity_clear(&identity);
}

static void
a_signature_is_by_that_key_over_those_bytes(void **state)
{
    struct bench *b = *state;
    struct hsm_identity identity;
    struct writer key;

    assert_true(hsm_identity_get(b->f.hsm, &identity));
    writer_init(&key, 1024);
    assert_ok(cert_public_key(view_str(identity.certificate), &key));
    assert_code(cert_verify(writer_view(&key), VIEW_TEXT("data"), VIEW_EMPTY),
                CKR_SIGNATURE_INVALID);
    assert_code(cert_verify(writer_view(&key), VIEW_TEXT("data"), VIEW_TEXT("signature")),
                CKR_SIGNATURE_INVALID);
    assert_code(cert_verify(VIEW_EMPTY, VIEW_TEXT("data"), VIEW_TEXT("x")), CKR_SIGNATURE_INVALID);
    assert_code(cert_public_key(VIEW_TEXT("x"), &key), CODE_CERT_BAD);
    writer_clear(&key);
    hsm_identity_clear(&identity);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_speaks_of_its_owner_only, setup, teardown),
        cmocka_unit_test_setup_teardown(its_key_stays_and_is_not_in_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(another_node_of_the_store_has_no_part_in_its_key, setup, teardown),
        cmocka_unit_test_setup_teardown(certificates_that_are_none_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_signature_is_by_that_key_over_those_bytes, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
