/* SPDX-License-Identifier: Apache-2.0
 *
 * Objects and their records: what is stored comes back, secret parts stay sealed until they
 * are used, and nothing foreign opens.
 */
#include "unit/core/core_test.h"

#define HANDLE 0x40000u

struct bench {
    struct outside outside;
    struct sealer sealer;
    struct object *object; /* an AES key with two shares */
    struct writer record;
};

static view
key_attributes(void)
{
    return LIST(ULONG(CLASS, CKO_SECRET_KEY), ULONG(KEY_TYPE, CKK_AES), ULONG(VALUE_LEN, 32),
                BOOL(TOKEN, true), BOOL(PRIVATE, true), BOOL(ENCRYPT, true),
                BYTES(LABEL, "a label"));
}

static struct object_parts
key_parts(void)
{
    static const uint32_t shares[] = { 4, 5 };

    return (struct object_parts){
        .handle = HANDLE,
        .kind = KIND_AES,
        .owner = 3,
        .version = 7,
        .shares = shares,
        .share_count = ARRAY_COUNT(shares),
        .attributes = key_attributes(),
        .secrets = LIST(BYTES(VALUE, AES_BYTES)),
    };
}

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct object_parts parts = key_parts();

    assert_non_null(b);
    outside_init(&b->outside);
    b->sealer.key = secret_dup(view_of(fixture_master_key, sizeof fixture_master_key));
    b->sealer.entropy = b->outside.ports.entropy;
    assert_ok(object_new(&b->sealer, &parts, &b->object));
    writer_init(&b->record, STORE_VALUE_MAX);
    assert_ok(object_record(&b->sealer, b->object, &b->record));
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    object_unref(b->object);
    writer_clear(&b->record);
    secret_free(b->sealer.key);
    outside_clear(&b->outside);
    free(b);
    return 0;
}

/* The code of reading it back. */
static CK_RV
read_as(struct bench *b, uint32_t handle, view record)
{
    struct object *object = NULL;
    CK_RV rv = object_from_record(&b->sealer, handle, record, 1, &object);

    assert_int_equal(rv == CKR_OK, object != NULL);
    object_unref(object);
    return rv;
}

static CK_RV
secrets_code(struct bench *b, const struct object *object)
{
    struct writer out;
    CK_RV rv;

    writer_init(&out, ATTRIBUTES_BYTES_MAX);
    rv = object_open_secrets(&b->sealer, object, &out);
    assert_true(rv == CKR_OK || out.len == 0);
    writer_clear(&out);
    return rv;
}

static void
its_facts_are_read_from_the_attributes(void **state)
{
    struct bench *b = *state;

    assert_int_equal(b->object->info.handle, HANDLE);
    assert_int_equal(b->object->info.class, CKO_SECRET_KEY);
    assert_int_equal(b->object->info.bits, 256);
    assert_true(object_is_token(b->object));
    assert_true(object_is_private(b->object));
}

static void
a_record_gives_the_same_object_again(void **state)
{
    struct bench *b = *state;
    struct object *again = NULL;
    struct writer secrets;

    assert_ok(object_from_record(&b->sealer, HANDLE, writer_view(&b->record), 12, &again));

    assert_int_equal(again->kind, KIND_AES);
    assert_int_equal(again->owner, 3);
    assert_int_equal(again->version, 7);
    assert_int_equal(again->revision, 12);
    assert_int_equal(again->share_count, 2);
    assert_int_equal(again->shares[0], 4);
    assert_int_equal(again->shares[1], 5);
    assert_memory_equal(&again->info, &b->object->info, sizeof again->info);
    assert_view_equal(object_attributes(again), key_attributes());
    writer_init(&secrets, ATTRIBUTES_BYTES_MAX);
    assert_ok(object_open_secrets(&b->sealer, again, &secrets));
    assert_view_equal(writer_view(&secrets), LIST(BYTES(VALUE, AES_BYTES)));
    writer_clear(&secrets);
    object_unref(again);
}

static void
neither_label_nor_value_stands_in_the_record(void **state)
{
    struct bench *b = *state;

    assert_null(memmem(b->record.data, b->record.len, "label", 5));
    assert_null(memmem(b->record.data, b->record.len, AES_BYTES, 8));
}

static void
the_value_stays_sealed_in_memory(void **state)
{
    struct bench *b = *state;

    assert_int_equal(b->object->sealed_len,
                     LIST(BYTES(VALUE, AES_BYTES)).len + RECORD_OVERHEAD);
    assert_null(memmem(b->object->sealed, b->object->sealed_len, AES_BYTES, 8));
}

static void
a_record_spoiled_in_any_byte_is_found_out(void **state)
{
    struct bench *b = *state;

    for (size_t i = 0; i < b->record.len; i++) {
        struct object *object = NULL;
        CK_RV rv;

        b->record.data[i] ^= 0x10;
        rv = object_from_record(&b->sealer, HANDLE, writer_view(&b->record), 1, &object);
        if (rv == CKR_OK) {
            rv = secrets_code(b, object); /* the secrets are looked at when they are used */
        }
        assert_code(rv, CKR_GENERAL_ERROR);
        object_unref(object);
        b->record.data[i] ^= 0x10;
    }
}

static void
a_record_of_another_handle_does_not_open(void **state)
{
    struct bench *b = *state;

    assert_code(read_as(b, HANDLE + 1, writer_view(&b->record)), CKR_GENERAL_ERROR);
}

static void
a_record_cut_anywhere_in_its_head_does_not_open(void **state)
{
    struct bench *b = *state;
    size_t head_len = 4 + load_u32(b->record.data);

    for (size_t len = 0; len < head_len; len++) {
        assert_code(read_as(b, HANDLE, view_of(b->record.data, len)), CKR_GENERAL_ERROR);
    }
}

/* Head of one version and secrets of another: both are this object's, but no such record was
 * ever written. */
static void
secrets_of_another_version_do_not_open(void **state)
{
    struct bench *b = *state;
    struct object_parts parts = key_parts();
    struct object *newer = NULL;
    struct object *mixed = NULL;
    struct writer record;

    parts.version = 8;
    assert_ok(object_new(&b->sealer, &parts, &newer));
    writer_init(&record, STORE_VALUE_MAX);
    write_raw(&record, view_slice(writer_view(&b->record), 0, 4 + load_u32(b->record.data)));
    write_raw(&record, view_of(newer->sealed, newer->sealed_len));

    assert_ok(object_from_record(&b->sealer, HANDLE, writer_view(&record), 1, &mixed));
    assert_code(secrets_code(b, mixed), CKR_GENERAL_ERROR);

    writer_clear(&record);
    object_unref(newer);
    object_unref(mixed);
}

static void
a_record_of_two_kinds_is_none(void **state)
{
    struct bench *b = *state;
    static const enum object_kind kinds[] = { KIND_DATA, KIND_RSA_PRIVATE, KIND_GENERIC };

    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++) {
        struct object_parts parts = key_parts();
        struct object *object = NULL;
        struct writer record;

        parts.kind = kinds[i];
        assert_ok(object_new(&b->sealer, &parts, &object));
        writer_init(&record, STORE_VALUE_MAX);
        assert_ok(object_record(&b->sealer, object, &record));
        assert_code(read_as(b, HANDLE, writer_view(&record)), CKR_GENERAL_ERROR);
        writer_clear(&record);
        object_unref(object);
    }
}

static void
without_its_key_it_is_the_same(void **state)
{
    struct bench *b = *state;
    const struct algo_key *key = NULL;
    struct object *without;
    struct writer record;
    bool parsed;

    assert_ok(object_key(&b->sealer, b->object, &key, &parsed));
    without = object_without_key(b->object);
    assert_non_null(without);
    assert_null(atomic_load(&without->key));
    assert_int_equal(without->revision, b->object->revision);
    writer_init(&record, STORE_VALUE_MAX);
    assert_ok(object_record(&b->sealer, without, &record));
    assert_ok(read_as(b, HANDLE, writer_view(&record)));
    assert_ok(object_key(&b->sealer, without, &key, &parsed));
    assert_true(parsed);
    writer_clear(&record);
    object_unref(without);
}

static void
the_key_is_parsed_once(void **state)
{
    struct bench *b = *state;
    const struct algo_key *first = NULL;
    const struct algo_key *second = NULL;
    bool parsed;

    assert_ok(object_key(&b->sealer, b->object, &first, &parsed));
    assert_true(parsed);
    assert_ok(object_key(&b->sealer, b->object, &second, &parsed));
    assert_false(parsed);

    assert_non_null(first);
    assert_ptr_equal(first, second);
}

static void
a_key_with_a_spoiled_value_is_not_used(void **state)
{
    struct bench *b = *state;
    bool parsed;
    const struct algo_key *key = NULL;

    b->object->sealed[b->object->sealed_len - 1] ^= 1;

    assert_code(object_key(&b->sealer, b->object, &key, &parsed), CKR_GENERAL_ERROR);
    assert_null(key);
}

static void
an_object_without_secrets_has_none(void **state)
{
    struct bench *b = *state;
    const struct object_parts parts = { .handle = HANDLE, .kind = KIND_DATA, .version = 1 };
    struct object *object = NULL;

    assert_ok(object_new(&b->sealer, &parts, &object));

    assert_int_equal(object->sealed_len, 0);
    assert_ok(secrets_code(b, object));
    assert_int_equal(object->info.class, UINT32_MAX);
    object_unref(object);
}

static void
without_entropy_there_is_no_object(void **state)
{
    struct bench *b = *state;
    struct object_parts parts = key_parts();
    struct object *object = NULL;

    outside_fail(&b->outside, CALL_ENTROPY, 1);

    assert_code(object_new(&b->sealer, &parts, &object), CKR_FUNCTION_FAILED);
    assert_null(object);
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(its_facts_are_read_from_the_attributes),
        BENCH(a_record_gives_the_same_object_again),
        BENCH(neither_label_nor_value_stands_in_the_record),
        BENCH(the_value_stays_sealed_in_memory),
        BENCH(a_record_spoiled_in_any_byte_is_found_out),
        BENCH(a_record_of_another_handle_does_not_open),
        BENCH(a_record_cut_anywhere_in_its_head_does_not_open),
        BENCH(secrets_of_another_version_do_not_open),
        BENCH(a_record_of_two_kinds_is_none),
        BENCH(without_its_key_it_is_the_same),
        BENCH(the_key_is_parsed_once),
        BENCH(a_key_with_a_spoiled_value_is_not_used),
        BENCH(an_object_without_secrets_has_none),
        BENCH(without_entropy_there_is_no_object),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
