/* SPDX-License-Identifier: Apache-2.0
 *
 * What a node tells of changes: each that another process may have to know, and no other.
 */
#include "unit/core/core_test.h"

struct told {
    bool all;
    size_t count;
    uint32_t handles[8];
};

static uint64_t boot, since;

/* Since the last time. */
static struct told
changes_of(struct fixture *f)
{
    struct changes_request m = { .boot = boot, .since = since };
    struct changes_reply reply = { 0 };
    struct told told = { 0 };

    assert_ok(app_send_changes(&f->nobody, &m, &reply));
    boot = reply.boot;
    since = reply.sequence;
    told.all = reply.all;
    told.count = number_array_count(reply.handles);
    for (size_t i = 0; i < size_min(told.count, ARRAY_COUNT(told.handles)); i++) {
        told.handles[i] = number_array_get(reply.handles, i);
    }
    return told;
}

static void
assert_quiet(struct fixture *f)
{
    struct told told = changes_of(f);

    assert_false(told.all);
    assert_int_equal(told.count, 0);
}

static void
assert_one(struct fixture *f, uint32_t handle)
{
    struct told told = changes_of(f);

    assert_false(told.all);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.handles[0], handle);
}

static void
assert_all(struct fixture *f)
{
    assert_true(changes_of(f).all);
}

static void
changed_and_removed_objects_are_told_once(void **state)
{
    struct fixture *f = *state;
    uint32_t key;

    boot = 1; /* of no node */
    assert_all(f);
    key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES, BOOL(MODIFIABLE, true)));
    assert_quiet(f); /* nobody can remember what was not there */
    assert_ok(app_set(&f->cu1, key, LIST(BYTES(LABEL, "x"))));
    assert_one(f, key);
    assert_quiet(f);
    assert_ok(app_destroy(&f->cu1, key));
    assert_one(f, key);
    assert_quiet(f);
}

static void
what_fails_or_is_ones_own_is_not_told(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    uint32_t own = create(&f->cu1, LIST(AES_CREATE));

    changes_of(f);
    assert_ok(app_set(&f->cu1, own, LIST(BYTES(LABEL, "x"))));
    assert_ok(app_destroy(&f->cu1, own));
    assert_code(app_destroy(&f->cu2, key), CKR_OBJECT_HANDLE_INVALID);
    assert_code(app_destroy(&f->cu1, 0x7777), CKR_OBJECT_HANDLE_INVALID);
    assert_code(app_set(&f->cu1, key, LIST(ULONG(CLASS, CKO_DATA))), CKR_ATTRIBUTE_READ_ONLY);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(app_destroy(&f->cu1, key), CKR_DEVICE_ERROR);
    assert_quiet(f);
}

static void
users_are_about_everything(void **state)
{
    struct fixture *f = *state;

    changes_of(f);
    assert_ok(app_set_password(&f->officer, ROLE_CU, USER1_NAME, "another password"));
    assert_all(f);
    assert_quiet(f);
    assert_ok(app_delete_user(&f->officer, ROLE_CU, USER2_NAME));
    assert_all(f);
    assert_quiet(f);
}

static void
who_was_away_too_long_is_told_so(void **state)
{
    struct changes changes = { .boot = 9 };
    struct writer out;
    bool all;

    UNUSED(state);
    assert_true(changes_init(&changes));
    writer_init(&out, CHANGES_KEPT * sizeof(uint32_t));
    for (uint32_t i = 1; i <= CHANGES_KEPT; i++) {
        changes_add(&changes, i);
    }
    assert_int_equal(changes_since(&changes, 9, 0, &out, &all), CHANGES_KEPT);
    assert_false(all);
    assert_int_equal(out.len, CHANGES_KEPT * sizeof(uint32_t));
    assert_int_equal(load_u32(out.data), 1);
    writer_reset(&out);
    changes_add(&changes, 1);
    changes_since(&changes, 9, 0, &out, &all);
    assert_true(all);
    changes_since(&changes, 9, 1, &out, &all);
    assert_false(all);
    assert_int_equal(load_u32(out.data), 2);
    assert_int_equal(load_u32(out.data + out.len - 4), 1);
    writer_reset(&out);
    /* Of another boot, or of no sequence of ours. */
    changes_since(&changes, 8, CHANGES_KEPT + 1, &out, &all);
    assert_true(all);
    changes_since(&changes, 9, CHANGES_KEPT + 2, &out, &all);
    assert_true(all);
    changes_since(&changes, 9, UINT64_MAX, &out, &all);
    assert_true(all);
    writer_clear(&out);
    changes_clear(&changes);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        STANDARD(changed_and_removed_objects_are_told_once),
        STANDARD(what_fails_or_is_ones_own_is_not_told),
        STANDARD(users_are_about_everything),
        cmocka_unit_test(who_was_away_too_long_is_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
