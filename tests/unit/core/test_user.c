/* SPDX-License-Identifier: Apache-2.0
 *
 * Users: their table, their records, and what a password has to be.
 */
#include "unit/core/core_test.h"

struct bench {
    struct outside outside;
    struct sealer sealer;
    struct user_table table;
};

static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);

    assert_non_null(b);
    outside_init(&b->outside);
    b->sealer.key = secret_dup(view_of(fixture_master_key, sizeof fixture_master_key));
    b->sealer.entropy = b->outside.ports.entropy;
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    user_table_clear(&b->table);
    secret_free(b->sealer.key);
    outside_clear(&b->outside);
    free(b);
    return 0;
}

static void
put(struct bench *b, uint32_t id, uint32_t role, const char *name)
{
    struct user user = { .id = id, .role = role };

    snprintf(user.name, sizeof user.name, "%s", name);
    assert_true(user_table_reserve(&b->table));
    user_table_put(&b->table, &user);
}

/* ---- the table ---- */

static void
users_are_found_by_number_and_by_name(void **state)
{
    struct bench *b = *state;

    put(b, 5, ROLE_CU, "five");
    put(b, 3, ROLE_CO, "three");

    assert_string_equal(user_by_id(&b->table, 5)->name, "five");
    assert_int_equal(user_named(&b->table, VIEW_TEXT("three"))->id, 3);
    assert_int_equal(user_by_name(&b->table, ROLE_CO, VIEW_TEXT("three"))->id, 3);
    assert_null(user_by_name(&b->table, ROLE_CU, VIEW_TEXT("three")));
    assert_null(user_by_id(&b->table, 4));
    assert_null(user_named(&b->table, VIEW_TEXT("thre")));
    assert_null(user_named(&b->table, VIEW_EMPTY));
}

static void
users_stand_in_the_order_of_numbers(void **state)
{
    struct bench *b = *state;

    for (uint32_t i = 0; i < 100; i++) {
        put(b, 1 + i * 37 % 101, ROLE_CU, "u");
    }

    assert_int_equal(b->table.count, 100);
    for (size_t i = 1; i < b->table.count; i++) {
        assert_true(b->table.users[i - 1].id < b->table.users[i].id);
    }
}

static void
a_user_of_the_same_number_takes_the_place(void **state)
{
    struct bench *b = *state;

    put(b, 1, ROLE_CU, "old");
    put(b, 1, ROLE_CO, "new");

    assert_int_equal(b->table.count, 1);
    assert_string_equal(user_by_id(&b->table, 1)->name, "new");
}

static void
a_removed_user_is_gone_and_the_others_stay(void **state)
{
    struct bench *b = *state;

    put(b, 1, ROLE_CU, "one");
    put(b, 2, ROLE_CU, "two");
    put(b, 3, ROLE_CU, "three");

    assert_true(user_table_remove(&b->table, 2));
    assert_false(user_table_remove(&b->table, 2));
    assert_null(user_by_id(&b->table, 2));
    assert_string_equal(user_by_id(&b->table, 3)->name, "three");
    assert_int_equal(b->table.count, 2);
}

/* ---- names and passwords ---- */

static void
names_are_letters_digits_and_underscores(void **state)
{
    UNUSED(state);
    assert_true(user_name_valid(VIEW_TEXT("a")));
    assert_true(user_name_valid(VIEW_TEXT("crypto_USER_09")));
    assert_true(user_name_valid(VIEW_TEXT("abcdefghijklmnopqrstuvwxyz01234")));
    assert_false(user_name_valid(VIEW_TEXT("abcdefghijklmnopqrstuvwxyz012345")));
    assert_false(user_name_valid(VIEW_EMPTY));
    assert_false(user_name_valid(VIEW_TEXT("a:b")));
    assert_false(user_name_valid(VIEW_TEXT("a b")));
    assert_false(user_name_valid(VIEW_TEXT("a\n")));
    assert_false(user_name_valid(VIEW_TEXT("\xc3\xa4")));
    assert_false(user_name_valid(VIEW_TEXT("a\0b")));
}

static void
passwords_have_8_to_32_bytes(void **state)
{
    UNUSED(state);
    assert_false(user_password_valid(VIEW_TEXT("1234567")));
    assert_true(user_password_valid(VIEW_TEXT("12345678")));
    assert_true(user_password_valid(VIEW_TEXT("12345678901234567890123456789012")));
    assert_false(user_password_valid(VIEW_TEXT("123456789012345678901234567890123")));
    assert_false(user_password_valid(VIEW_EMPTY));
}

static void
only_the_password_is_the_password(void **state)
{
    struct bench *b = *state;
    struct user user = { .id = 3, .known = true };

    assert_ok(user_set_password(b->sealer.entropy, &user, VIEW_TEXT("password")));

    assert_false(user.known);
    assert_true(user_check_password(&user, VIEW_TEXT("password")));
    assert_false(user_check_password(&user, VIEW_TEXT("Password")));
    assert_false(user_check_password(&user, VIEW_TEXT("passwor")));
    assert_false(user_check_password(&user, VIEW_EMPTY));
}

static void
the_same_password_is_hashed_with_another_salt(void **state)
{
    struct bench *b = *state;
    struct user one = { .id = 3 };
    struct user two = { .id = 4 };

    assert_ok(user_set_password(b->sealer.entropy, &one, VIEW_TEXT("password")));
    assert_ok(user_set_password(b->sealer.entropy, &two, VIEW_TEXT("password")));

    assert_memory_not_equal(one.salt, two.salt, sizeof one.salt);
    assert_memory_not_equal(one.hash, two.hash, sizeof one.hash);
}

static void
without_entropy_there_is_no_salt(void **state)
{
    struct bench *b = *state;
    struct user user = { .id = 3 };

    outside_fail(&b->outside, CALL_ENTROPY, 1);

    assert_code(user_set_password(b->sealer.entropy, &user, VIEW_TEXT("password")),
                CKR_FUNCTION_FAILED);
}

static void
the_quick_hash_is_bound_to_boot_user_and_version(void **state)
{
    const struct user user = { .id = 3, .version = 1 };
    const struct user other = { .id = 4, .version = 1 };
    const struct user newer = { .id = 3, .version = 2 };
    const view boot = view_of(fixture_master_key, 32);
    uint8_t boot2[32] = { 1 };
    uint8_t hash[6][32];

    UNUSED(state);
    assert_true(user_quick_hash(boot, &user, VIEW_TEXT("password"), hash[0]));
    assert_true(user_quick_hash(boot, &user, VIEW_TEXT("password"), hash[1]));
    assert_true(user_quick_hash(boot, &other, VIEW_TEXT("password"), hash[2]));
    assert_true(user_quick_hash(boot, &newer, VIEW_TEXT("password"), hash[3]));
    assert_true(user_quick_hash(boot, &user, VIEW_TEXT("passworD"), hash[4]));
    assert_true(user_quick_hash(view_of(boot2, 32), &user, VIEW_TEXT("password"), hash[5]));

    assert_memory_equal(hash[0], hash[1], 32);
    for (size_t i = 2; i < ARRAY_COUNT(hash); i++) {
        assert_memory_not_equal(hash[0], hash[i], 32);
    }
}

/* ---- records ---- */

static struct user
sample(void)
{
    return (struct user){ .id = 3,
                          .role = ROLE_CU,
                          .name = "cu1",
                          .salt = { 1, 2, 3 },
                          .hash = { 4, 5, 6 },
                          .version = 9 };
}

static void
a_record_gives_the_same_user_again(void **state)
{
    struct bench *b = *state;
    const struct user user = sample();
    struct user again = { 0 };
    struct writer w;

    writer_init(&w, 1024);
    assert_ok(user_record(&b->sealer, &user, &w));
    assert_ok(user_from_record(&b->sealer, 3, writer_view(&w), 12, &again));

    assert_int_equal(again.id, 3);
    assert_int_equal(again.role, ROLE_CU);
    assert_string_equal(again.name, "cu1");
    assert_memory_equal(again.salt, user.salt, sizeof user.salt);
    assert_memory_equal(again.hash, user.hash, sizeof user.hash);
    assert_int_equal(again.version, 9);
    assert_int_equal(again.revision, 12);
    assert_int_equal(again.failures, 0);
    assert_false(again.known);
    assert_code(user_from_record(&b->sealer, 4, writer_view(&w), 12, &again), CKR_GENERAL_ERROR);
    writer_clear(&w);
}

/* Nodes and stores of before know no closed users; the others they go on to read. */
static void
only_who_is_closed_has_the_later_form(void **state)
{
    struct bench *b = *state;
    struct user user = sample();
    struct user again = { .closed = true };
    struct writer w;

    writer_init(&w, 1024);
    assert_ok(user_record(&b->sealer, &user, &w));
    assert_int_equal(w.len, RECORD_OVERHEAD + 4 + 4 + 3 + USER_SALT_LEN + USER_HASH_LEN);
    assert_ok(user_from_record(&b->sealer, 3, writer_view(&w), 12, &again));
    assert_false(again.closed);

    user.closed = true;
    writer_reset(&w);
    assert_ok(user_record(&b->sealer, &user, &w));
    assert_ok(user_from_record(&b->sealer, 3, writer_view(&w), 12, &again));
    assert_true(again.closed);
    writer_clear(&w);
}

/* A user's record with a name that could not have been made is no user. */
static void
a_record_with_a_bad_name_does_not_read(void **state)
{
    struct bench *b = *state;
    struct user user = sample();
    struct user again = { 0 };
    struct writer w;

    snprintf(user.name, sizeof user.name, "a b");
    writer_init(&w, 1024);
    assert_ok(user_record(&b->sealer, &user, &w));

    assert_code(user_from_record(&b->sealer, 3, writer_view(&w), 12, &again), CKR_GENERAL_ERROR);
    writer_clear(&w);
}

static void
failures_are_a_record_of_their_own(void **state)
{
    struct bench *b = *state;
    const struct user user = sample();
    uint32_t failures = 0;
    struct writer w;

    writer_init(&w, 256);
    assert_ok(failures_record(&b->sealer, &user, 4, &w));

    assert_ok(failures_from_record(&b->sealer, 3, writer_view(&w), &failures));
    assert_int_equal(failures, 4);
    failures = 99;
    assert_code(failures_from_record(&b->sealer, 4, writer_view(&w), &failures),
                CKR_GENERAL_ERROR);
    assert_int_equal(failures, 99);
    writer_clear(&w);
}

#define BENCH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(users_are_found_by_number_and_by_name),
        BENCH(users_stand_in_the_order_of_numbers),
        BENCH(a_user_of_the_same_number_takes_the_place),
        BENCH(a_removed_user_is_gone_and_the_others_stay),
        cmocka_unit_test(names_are_letters_digits_and_underscores),
        cmocka_unit_test(passwords_have_8_to_32_bytes),
        BENCH(only_the_password_is_the_password),
        BENCH(the_same_password_is_hashed_with_another_salt),
        BENCH(without_entropy_there_is_no_salt),
        cmocka_unit_test(the_quick_hash_is_bound_to_boot_user_and_version),
        BENCH(a_record_gives_the_same_user_again),
        BENCH(only_who_is_closed_has_the_later_form),
        BENCH(a_record_with_a_bad_name_does_not_read),
        BENCH(failures_are_a_record_of_their_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
