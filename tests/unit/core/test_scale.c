/* SPDX-License-Identifier: Apache-2.0
 *
 * A large partition: management answers within its time, page by page. With FULL in the environment it
 * has 10,000 users and 100,000 keys, and prints how long each took; else a hundredth of that.
 */
#include "unit/core/core_test.h"

#include <time.h>

#define LIMIT_MS 2000u
#define MARK "the one"
#define OTHERS "the others"

static size_t
scale(size_t full)
{
    const char *asked = getenv("FULL");

    return asked != NULL && asked[0] != '\0' ? full : full / 100;
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void
took(const char *what, uint64_t began)
{
    const uint64_t ms = now_ms() - began;

    print_message("%s: %u ms\n", what, (unsigned)ms);
    if (ms > LIMIT_MS) {
        fail_msg("%s took %u ms", what, (unsigned)ms);
    }
}

/* Users as they would be, without an hour of scrypt. */
static void
users_add(struct fixture *f, size_t count)
{
    struct hsm *hsm = f->hsm.hsm;

    for (size_t i = 0; i < count; i++) {
        struct user user = { .id = 1000 + (uint32_t)i, .role = ROLE_CU, .version = 1 };

        snprintf(user.name, sizeof user.name, "user%zu", i);
        pthread_rwlock_wrlock(&hsm->lock);
        assert_true(user_table_reserve(&hsm->users));
        user_table_put(&hsm->users, &user);
        pthread_rwlock_unlock(&hsm->lock);
    }
}

static size_t
users_list(struct fixture *f)
{
    struct user_list_request m = { 0, 0 };
    struct user_list_reply answer = { .more = true };
    size_t count = 0;

    while (answer.more) {
        struct user_info user;
        struct reader r;

        assert_ok(app_send_user_list(&f->officer, &m, &answer));
        r = reader_of(answer.users.bytes);
        while (user_array_next(&r, &user)) {
            m.after = user.id;
            count++;
        }
    }
    return count;
}

static size_t
keys_list(struct fixture *f, uint32_t of)
{
    struct key_list_request m = { .user = of };
    struct key_list_reply answer = { .more = true };
    size_t count = 0;

    while (answer.more) {
        size_t page;

        assert_ok(app_send_key_list(&f->officer, &m, &answer));
        page = number_array_count(answer.handles);
        count += page;
        m.after = page == 0 ? m.after : number_array_get(answer.handles, page - 1);
    }
    return count;
}

static size_t
keys_find(struct fixture *f, const char *label)
{
    struct find_request m = { LIST(VIEW(CKA_LABEL, view_str(label))), 0, FIND_MAX };
    struct find_reply answer = { .more = true };
    size_t count = 0;

    while (answer.more) {
        size_t page;

        assert_ok(app_send_find(&f->cu1, &m, &answer));
        page = info_array_count(answer.found);
        count += page;
        m.after = page == 0 ? m.after : info_array_get(answer.found, page - 1).handle;
    }
    return count;
}

static void
everything_answers_in_time(void **state)
{
    struct fixture *f = *state;
    const size_t users = scale(10000);
    const size_t keys = scale(100000);
    uint64_t began = now_ms();
    uint32_t last = 0;

    users_add(f, users);
    for (size_t i = 0; i < keys; i++) {
        last = create(&f->cu1, i + 1 == keys ? LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, MARK))
                                             : LIST(AES_CREATE, TOKEN_YES, BYTES(LABEL, OTHERS)));
    }
    print_message("%zu users and %zu keys, made in %u ms\n", users, keys,
                  (unsigned)(now_ms() - began));

    began = now_ms();
    assert_int_equal(users_list(f), users + 4);
    took("listUsers", began);
    began = now_ms();
    assert_int_equal(keys_list(f, 0), keys);
    took("findAllKeys 0", began);
    began = now_ms();
    assert_int_equal(keys_list(f, 1005), 0);
    took("findAllKeys of a user without keys", began);

    const struct find_request find = { LIST(BYTES(LABEL, MARK)), 0, FIND_MAX };
    struct find_reply found;

    began = now_ms();
    assert_ok(app_send_find(&f->cu1, &find, &found));
    assert_int_equal(info_array_count(found.found), 1);
    took("findKey -l", began);
    began = now_ms();
    assert_int_equal(keys_find(f, OTHERS), keys - 1);
    took("findKey -l of the label of all others", began);
    began = now_ms();
    assert_ok(app_make_user(&f->officer, ROLE_CU, "one_more", "password"));
    took("createUser", began);
    began = now_ms();
    assert_ok(app_delete_user(&f->officer, ROLE_CU, "one_more"));
    took("deleteUser", began);
    began = now_ms();
    assert_code(app_delete_user(&f->officer, ROLE_CU, USER1_NAME), CODE_USER_OWNS_KEYS);
    took("deleteUser of one who owns keys", began);

    const struct key_owner_request give = { last, USER2 };
    struct key_owner_reply given;

    began = now_ms();
    assert_ok(app_send_key_owner(&f->officer, &give, &given));
    took("modifyKeyOwner", began);

    const struct policy_set_request policy = { POLICY_STANDARD, VIEW_EMPTY };
    struct policy_set_reply set;

    began = now_ms();
    assert_ok(app_send_policy_set(&f->officer, &policy, &set));
    took("setPolicy", began);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(everything_answers_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
