/* SPDX-License-Identifier: Apache-2.0
 *
 * The guard over a store's records: whoever edits the file behind our back is noticed at the
 * next start, and honest work of any kind is not.
 */
#include "unit/store/store_fixture.h"

#include <sqlite3.h>

static const uint8_t key[32] = "the key of these tests";
static const uint8_t other_key[32] = "another";

static int
setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    fixture_folder(f);
    *state = f;
    return 0;
}

static int
teardown(void **state)
{
    struct fixture *f = *state;

    fixture_clean(f);
    free(f);
    return 0;
}

static struct store *
open_guarded(const struct fixture *f, const uint8_t *with)
{
    struct store *store = sqlite_store_open(f->path, &counting);

    assert_non_null(store);
    if (store->guard(store, with)) {
        return store;
    }
    store->close(store);
    return NULL;
}

/* Three records, one of them changed and one gone again. */
static void
work(const struct fixture *f)
{
    struct store *store = open_guarded(f, key);
    uint64_t revision;

    assert_non_null(store);
    put(store, "a", "1");
    put(store, "b", "2");
    put(store, "a", "3");
    put(store, "c", "4");
    delete(store, "b");
    assert_int_equal(put_if(store, "a", VIEW_TEXT("x"), 99, &revision), STORE_CONFLICT);
    store->close(store);
}

static void
edit(const struct fixture *f, const char *sql)
{
    sqlite3 *handle;

    assert_int_equal(sqlite3_open(f->path, &handle), SQLITE_OK);
    assert_int_equal(sqlite3_exec(handle, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_true(sqlite3_changes(handle) > 0);
    assert_int_equal(sqlite3_close(handle), SQLITE_OK);
}

static void
a_store_that_was_left_alone_opens_again(void **state)
{
    struct fixture *f = *state;
    struct store *store;

    work(f);
    store = open_guarded(f, key);
    assert_non_null(store);
    put(store, "d", "5");
    store->close(store);
    store = open_guarded(f, key);
    assert_non_null(store);
    assert_holds(store, "a=3@3 c=4@4 d=5@6 ");
    store->close(store);
}

static void
edits_behind_our_back_are_noticed(void **state)
{
    static const char *const edits[] = {
        "DELETE FROM record WHERE key = x'61'",
        "DELETE FROM record",
        "UPDATE record SET revision = 1 WHERE key = x'61'",
        "INSERT INTO record VALUES (x'62', x'32', 2)",
        "UPDATE record SET key = x'7a' WHERE key = x'63'",
        "UPDATE store SET revision = 4",
        "UPDATE store SET guard = x''",
        "UPDATE store SET guard = zeroblob(64)",
    };

    struct fixture *f = *state;

    for (size_t i = 0; i < ARRAY_COUNT(edits); i++) {
        work(f);
        edit(f, edits[i]);
        assert_null(open_guarded(f, key));
        fixture_clean(f);
        fixture_folder(f);
    }
}

static void
another_key_is_noticed(void **state)
{
    struct fixture *f = *state;

    work(f);

    assert_null(open_guarded(f, other_key));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_store_that_was_left_alone_opens_again, setup, teardown),
        cmocka_unit_test_setup_teardown(edits_behind_our_back_are_noticed, setup, teardown),
        cmocka_unit_test_setup_teardown(another_key_is_noticed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
