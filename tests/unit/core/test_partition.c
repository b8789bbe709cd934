/* SPDX-License-Identifier: Apache-2.0
 *
 * A partition's birth in an empty store, and what does not open.
 */
#include "unit/core/core_test.h"

#include <stdio.h>
#include <unistd.h>

struct bench {
    struct outside outside;
    struct hsm_birth birth;
};

static view
master_key(void)
{
    return view_of(fixture_master_key, sizeof fixture_master_key);
}

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    outside_init(&b->outside);
    b->birth = (struct hsm_birth){ POLICY_AZURE, "", "label", "serial", "admin",
                                   VIEW_TEXT("adminpassword") };
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    outside_clear(&b->outside);
    free(b);
    return 0;
}

static CK_RV
initialize(struct bench *b)
{
    return hsm_initialize(&b->outside.ports, master_key(), &b->birth);
}

static CK_RV
open_with(struct outside *outside, view key)
{
    struct hsm *hsm = NULL;
    CK_RV rv = hsm_open(&outside->ports, key, &hsm);

    assert_int_equal(rv == CKR_OK, hsm != NULL);
    hsm_close(hsm);
    return rv;
}

/* ---- birth ---- */

static void
an_unborn_store_does_not_open(void **state)
{
    struct bench *b = *state;

    assert_code(open_with(&b->outside, master_key()), CKR_TOKEN_NOT_INITIALIZED);
}

static void
a_born_partition_opens_with_one_officer(void **state)
{
    struct bench *b = *state;
    struct hsm *hsm = NULL;
    struct hsm_counts counts;

    assert_ok(initialize(b));
    assert_ok(hsm_open(&b->outside.ports, master_key(), &hsm));

    hsm_count(hsm, &counts);
    assert_int_equal(counts.users, 2); /* the officer and the service's own */
    assert_int_equal(counts.objects, 0);
    assert_int_equal(counts.contexts, 0);
    hsm_close(hsm);
}

static void
switches_are_for_life(void **state)
{
    struct bench *b = *state;
    struct hsm *hsm = NULL;

    b->birth.switches = "no_such_switch=on";
    assert_code(initialize(b), CKR_ARGUMENTS_BAD);
    b->birth.switches = "enforce_dates=on,wrap_iv=on";
    assert_ok(initialize(b));
    assert_ok(hsm_open(&b->outside.ports, master_key(), &hsm));

    assert_true(rules_switch_on(hsm->rules, SWITCH_enforce_dates));
    assert_true(rules_switch_on(hsm->rules, SWITCH_wrap_iv));
    assert_false(rules_switch_on(hsm->rules, SWITCH_so_login));
    hsm_close(hsm);
}

static void
nothing_is_born_twice(void **state)
{
    struct bench *b = *state;
    uint64_t before;

    assert_ok(initialize(b));
    before = outside_hash(&b->outside, "");
    b->birth.policy = POLICY_STANDARD;

    assert_code(initialize(b), CKR_GENERAL_ERROR);
    assert_true(outside_hash(&b->outside, "") == before);
}

/* Somebody's store that has lost its partition, or a store of something else. */
static void
a_store_that_is_not_empty_is_left_alone(void **state)
{
    struct bench *b = *state;

    outside_put(&b->outside, "o/00040000", VIEW_TEXT("something"));

    assert_code(initialize(b), CKR_GENERAL_ERROR);
    assert_int_equal(outside_count(&b->outside, ""), 1);
}

static void
a_birth_wants_a_name_and_a_password(void **state)
{
    struct bench *b = *state;

    b->birth.officer = "ad:min";
    assert_code(initialize(b), CKR_ARGUMENTS_BAD);
    b->birth.officer = "";
    assert_code(initialize(b), CKR_ARGUMENTS_BAD);
    b->birth.officer = "admin";
    b->birth.officer_password = VIEW_TEXT("short");
    assert_code(initialize(b), CKR_PIN_LEN_RANGE);
    b->birth.officer_password = VIEW_TEXT("adminpassword");
    b->birth.label = "a label of more than thirty-two characters";
    assert_code(initialize(b), CKR_ARGUMENTS_BAD);
    b->birth.label = "label";
    b->birth.serial = "a serial that is too long";
    assert_code(initialize(b), CKR_ARGUMENTS_BAD);

    assert_int_equal(outside_count(&b->outside, ""), 0);
}

static void
a_master_key_has_32_bytes(void **state)
{
    struct bench *b = *state;

    assert_code(hsm_initialize(&b->outside.ports, view_slice(master_key(), 0, 31), &b->birth),
                CKR_ARGUMENTS_BAD);
    assert_code(hsm_initialize(&b->outside.ports, VIEW_EMPTY, &b->birth), CKR_ARGUMENTS_BAD);
    assert_ok(initialize(b));
    assert_code(open_with(&b->outside, view_slice(master_key(), 0, 31)), CKR_ARGUMENTS_BAD);
    assert_code(open_with(&b->outside, VIEW_EMPTY), CKR_ARGUMENTS_BAD);
}

static void
a_birth_that_fails_leaves_an_empty_store(void **state)
{
    struct bench *b = *state;
    int n = 1;
    CK_RV rv;

    for (;; n++) {
        outside_fail(&b->outside, CALL_ANY, n);
        rv = initialize(b);
        if (!outside_mend(&b->outside)) {
            break;
        }
        assert_int_not_equal(rv, CKR_OK);
        assert_int_equal(outside_count(&b->outside, ""), 0);
    }
    assert_ok(rv);
    assert_true(n > 6);
    assert_ok(open_with(&b->outside, master_key()));
}

/* ---- opening ---- */

static void
another_master_key_opens_nothing(void **state)
{
    struct bench *b = *state;
    uint8_t other[HSM_MASTER_KEY_LEN];

    assert_ok(initialize(b));
    memcpy(other, fixture_master_key, sizeof other);
    other[31] ^= 1;

    assert_code(open_with(&b->outside, view_of(other, sizeof other)), CKR_GENERAL_ERROR);
    assert_ok(open_with(&b->outside, master_key()));
}

/* What the log says of an opening that fails. */
static void
assert_said(struct outside *outside, view key, const char *part, const char *not_part)
{
    char text[2048] = "";
    FILE *file = tmpfile();
    int kept = dup(STDERR_FILENO);

    assert_non_null(file);
    assert_true(kept >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0);
    assert_code(open_with(outside, key), CKR_GENERAL_ERROR);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    rewind(file);
    assert_true(fread(text, 1, sizeof text - 1, file) > 0);
    fclose(file);
    assert_non_null(strstr(text, part));
    assert_null(strstr(text, not_part));
}

/* A key that is right is not blamed for records of another version. */
static void
the_format_is_told_from_the_key(void **state)
{
    struct bench *b = *state;
    uint8_t other[HSM_MASTER_KEY_LEN];
    struct writer record;

    assert_ok(initialize(b));
    memcpy(other, fixture_master_key, sizeof other);
    other[0] ^= 1;
    assert_said(&b->outside, view_of(other, sizeof other), "is it the master key", "format");

    writer_init(&record, STORE_VALUE_MAX);
    assert_true(outside_record(&b->outside, "u/00000001", &record));
    record.data[0]++;
    outside_put(&b->outside, "u/00000001", writer_view(&record));
    assert_said(&b->outside, master_key(), "record u/00000001 is of another format",
                "is it the master key");
    record.data[0]--;
    outside_put(&b->outside, "u/00000001", writer_view(&record));
    writer_reset(&record);
    assert_true(outside_record(&b->outside, "partition", &record));
    record.data[0]++;
    outside_put(&b->outside, "partition", writer_view(&record));
    assert_said(&b->outside, master_key(), "record partition is of another format",
                "is it the master key");
    writer_clear(&record);
}

/* The engine keeps a hash over all records; its key is the partition's, and none of the store's. */
static void
the_store_is_guarded_with_a_key_of_its_own(void **state)
{
    static const uint8_t zeros[32];
    struct bench *b = *state;
    uint8_t key[32];

    assert_ok(initialize(b));
    memcpy(key, b->outside.guard_key, sizeof key);
    assert_memory_not_equal(key, zeros, sizeof key);
    assert_memory_not_equal(key, fixture_master_key, sizeof key);
    memset(b->outside.guard_key, 0, sizeof b->outside.guard_key);
    assert_ok(open_with(&b->outside, master_key()));
    assert_memory_equal(b->outside.guard_key, key, sizeof key);

    atomic_store(&b->outside.spoiled, true);
    assert_code(open_with(&b->outside, master_key()), CKR_GENERAL_ERROR);
}

static void
an_opening_that_fails_leaves_no_hsm(void **state)
{
    struct bench *b = *state;
    int n = 1;
    CK_RV rv;

    assert_ok(initialize(b));
    for (;; n++) {
        outside_fail(&b->outside, CALL_ANY, n);
        rv = open_with(&b->outside, master_key());
        if (!outside_mend(&b->outside)) {
            break;
        }
        assert_int_not_equal(rv, CKR_OK);
    }
    assert_ok(rv);
    assert_true(n > 2);
}

/* ---- a store with everything in it, and what may happen to its records ---- */

static void
fill(struct fixture *f)
{
    create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));
    assert_code(app_login(&f->nobody, ROLE_CU, USER2_NAME, "wrong one"), CKR_PIN_INCORRECT);
}

struct keys {
    char names[32][STORE_KEY_MAX];
    size_t count;
};

static bool
keys_visit(void *arg, view key, view value, uint64_t revision)
{
    struct keys *keys = arg;

    UNUSED(value);
    UNUSED(revision);
    assert_true(keys->count < ARRAY_COUNT(keys->names) && key.len < STORE_KEY_MAX);
    memcpy(keys->names[keys->count++], key.data, key.len);
    return true;
}

static struct keys *
keys_of(struct outside *outside)
{
    struct keys *keys = calloc(1, sizeof *keys);

    assert_non_null(keys);
    assert_true(outside->inner->load_all(outside->inner, keys_visit, keys));
    return keys;
}

static void
a_record_spoiled_anywhere_is_found_out_at_the_start(void **state)
{
    struct fixture *f = *state;
    struct keys *keys;

    fill(f);
    keys = keys_of(&f->hsm.outside);
    /* partition, users, objects, replies, failures of two; whatever the journal has */
    assert_int_equal(keys->count - outside_count(&f->hsm.outside, "j/"), 1 + 4 + 2 + 2 + 1);
    for (size_t i = 0; i < keys->count; i++) {
        if (keys->names[i][0] == 'j' && i + 1 < keys->count && keys->names[i + 1][0] == 'j') {
            continue; /* of the journal only the end is opened at the start */
        }
        struct writer record;
        size_t step = 7;

        writer_init(&record, STORE_VALUE_MAX);
        assert_true(outside_record(&f->hsm.outside, keys->names[i], &record));
        if (keys->names[i][0] == 'o') {
            record.len = 4 + load_u32(record.data); /* its secrets are looked at in use */
        }
        for (size_t at = 0; at < record.len; at += step) {
            record.data[at] ^= 1;
            outside_put(&f->hsm.outside, keys->names[i], writer_view(&record));
            assert_code(hsm_fixture_try_open(&f->hsm), CKR_GENERAL_ERROR);
            record.data[at] ^= 1;
        }
        outside_put(&f->hsm.outside, keys->names[i], writer_view(&record));
        assert_ok(hsm_fixture_try_open(&f->hsm));
        writer_clear(&record);
    }
    free(keys);
}

static void
a_record_under_another_name_is_found_out(void **state)
{
    static const char *const names[] = { "o/00040007", "u/00000009", "o/0004000G", "f/00000003",
                                         "x/00000001", "o/", "o", "partitio", "partition2",
                                         "r/00000000000000000000000000000000/0000000000000001" };
    struct fixture *f = *state;
    struct keys *keys;

    fill(f);
    keys = keys_of(&f->hsm.outside);
    for (size_t i = 0; i < keys->count; i++) {
        struct writer record;

        writer_init(&record, STORE_VALUE_MAX);
        assert_true(outside_record(&f->hsm.outside, keys->names[i], &record));
        for (size_t k = 0; k < ARRAY_COUNT(names); k++) {
            outside_put(&f->hsm.outside, names[k], writer_view(&record));
            assert_code(hsm_fixture_try_open(&f->hsm), CKR_GENERAL_ERROR);
            outside_put(&f->hsm.outside, names[k], VIEW_EMPTY);
        }
        writer_clear(&record);
    }
    assert_ok(hsm_fixture_try_open(&f->hsm));
    free(keys);
}

/* The same number in other letters is another key of the store, and an old record may be kept
 * there until the present one is gone. */
static void
a_record_has_one_name(void **state)
{
    struct fixture *f = *state;
    struct store *store = f->hsm.outside.ports.store;
    struct writer record;
    uint64_t first;

    assert_true(store->next_numbers(store, "handle", 1, 0x4abcd, &first));
    assert_int_equal(create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES)), 0x4abce);
    writer_init(&record, STORE_VALUE_MAX);
    assert_true(outside_record(&f->hsm.outside, "o/0004abce", &record));

    outside_put(&f->hsm.outside, "o/0004ABCE", writer_view(&record));

    assert_code(hsm_fixture_try_open(&f->hsm), CKR_GENERAL_ERROR);
    writer_clear(&record);
}

static void
secrets_spoiled_in_the_store_are_found_out_in_use(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    struct writer record;
    view out;

    writer_init(&record, STORE_VALUE_MAX);
    assert_true(outside_record(&f->hsm.outside, "o/00040000", &record));
    record.data[record.len - 1] ^= 1;
    outside_put(&f->hsm.outside, "o/00040000", writer_view(&record));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));

    assert_true(app_finds(&f->cu1, key));
    assert_code(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key,
                            VIEW_TEXT("0123456789abcdef"), &out), CKR_GENERAL_ERROR);
    writer_clear(&record);
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(an_unborn_store_does_not_open),
        BENCH(a_born_partition_opens_with_one_officer),
        BENCH(switches_are_for_life),
        BENCH(nothing_is_born_twice),
        BENCH(a_store_that_is_not_empty_is_left_alone),
        BENCH(a_birth_wants_a_name_and_a_password),
        BENCH(a_master_key_has_32_bytes),
        BENCH(a_birth_that_fails_leaves_an_empty_store),
        BENCH(another_master_key_opens_nothing),
        BENCH(the_format_is_told_from_the_key),
        BENCH(the_store_is_guarded_with_a_key_of_its_own),
        BENCH(an_opening_that_fails_leaves_no_hsm),
        AZURE(a_record_spoiled_anywhere_is_found_out_at_the_start),
        AZURE(a_record_under_another_name_is_found_out),
        AZURE(a_record_has_one_name),
        AZURE(secrets_spoiled_in_the_store_are_found_out_in_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
