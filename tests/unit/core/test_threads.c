/* SPDX-License-Identifier: Apache-2.0
 *
 * Many threads on one HSM: each makes, finds, uses, changes and destroys, in contexts of its
 * own and in one that all share, while users come and go. What one thread made it finds; what
 * it destroyed is gone; nothing else is promised but that nothing breaks.
 */
#include "unit/core/core_test.h"

#define THREADS 8
#define ROUNDS 120u

struct worker {
    struct fixture *f;
    pthread_t thread;
    unsigned number;
    struct app own;
    struct app common; /* the shared context, with this thread's request numbers */
    const char *failed;
};

/* cmocka's asserts are for the test's thread; a worker notes the first claim that fails. */
#define CLAIM(claim)           \
    do {                       \
        if (!(claim)) {        \
            w->failed = #claim; \
            return;            \
        }                      \
    } while (0)

static view
list_into(uint8_t *room, size_t size, const struct item *items, size_t count)
{
    struct writer w;

    writer_init_fixed(&w, room, size);
    for (size_t i = 0; i < count; i++) {
        switch (items[i].form) {
        case ITEM_BOOL:
            attribute_write_bool(&w, items[i].type, items[i].number != 0);
            break;
        case ITEM_ULONG:
            attribute_write_ulong(&w, items[i].type, items[i].number);
            break;
        case ITEM_BYTES:
            attribute_write(&w, items[i].type, items[i].bytes);
            break;
        }
    }
    return writer_view(&w);
}

/* LIST() with memory of the thread's own. */
#define OWN_LIST(room, ...)                                        \
    list_into(room, sizeof room, (const struct item[]){ __VA_ARGS__ }, \
              sizeof((const struct item[]){ __VA_ARGS__ }) / sizeof(struct item))

static void
work_on_keys(struct worker *w, struct app *app, bool token)
{
    uint8_t room[1024], change[64];
    char label[32];
    struct key_info key = { 0 };
    uint8_t cipher[16];
    uint32_t found;
    size_t count;
    view out;

    snprintf(label, sizeof label, "thread %u", w->number);
    CLAIM(app_generate(app, CKM_AES_KEY_GEN,
                       OWN_LIST(room, AES_GENERATE, BOOL(TOKEN, token),
                                VIEW(CKA_LABEL, view_str(label))), &key) == CKR_OK);
    CLAIM(app_find(app, OWN_LIST(room, VIEW(CKA_LABEL, view_str(label))), 8, &found, 1,
                   &count) == CKR_OK && count >= 1);
    CLAIM(app_encrypt(app, mechanism_plain(CKM_AES_ECB), key.handle,
                      VIEW_TEXT("0123456789abcdef"), &out) == CKR_OK);
    memcpy(cipher, out.data, sizeof cipher);
    CLAIM(app_set(app, key.handle, OWN_LIST(change, BYTES(LABEL, "changed"))) == CKR_OK);
    CLAIM(app_start(app, CKF_DECRYPT, mechanism_plain(CKM_AES_ECB), key.handle) == CKR_OK);
    CLAIM(app_update(app, CKF_DECRYPT, view_of(cipher, 16), &out) == CKR_OK);
    CLAIM(view_equal(out, VIEW_TEXT("0123456789abcdef")));
    CLAIM(app_final(app, CKF_DECRYPT, VIEW_EMPTY, &out) == CKR_OK);
    CLAIM(app_destroy(app, key.handle) == CKR_OK);
    CLAIM(!app_finds(app, key.handle));
}

static void
work_on_signatures(struct worker *w, struct app *app)
{
    uint8_t room[1024], other[256];
    struct key_info public = { 0 }, private = { 0 };
    uint8_t signature[64];
    view out;

    CLAIM(app_generate_pair(app, CKM_EC_KEY_PAIR_GEN,
                            OWN_LIST(room, BYTES(EC_PARAMS, P256_OID), VERIFY_USES),
                            OWN_LIST(other, SIGN_USES), &public, &private) == CKR_OK);
    CLAIM(app_sign(app, mechanism_plain(CKM_ECDSA_SHA256), private.handle, VIEW_TEXT("data"),
                   &out) == CKR_OK && out.len == 64);
    memcpy(signature, out.data, 64);
    CLAIM(app_verify(app, mechanism_plain(CKM_ECDSA_SHA256), public.handle, VIEW_TEXT("data"),
                     view_of(signature, 64)) == CKR_OK);
    CLAIM(app_destroy(app, public.handle) == CKR_OK);
    CLAIM(app_destroy(app, private.handle) == CKR_OK);
}

/* All threads on one key, and on one object that anyone may have destroyed. */
static void
work_on_what_all_share(struct worker *w, unsigned round)
{
    struct app *app = &w->common;
    uint8_t room[256];
    struct session_close_reply closed;
    struct attribute attribute;
    view out;
    CK_RV rv;

    app->session = 100 + round % 3;
    app->handle = HANDLE_SESSION_FIRST + 1000000 + w->number % 2;
    (void)app_create(app, OWN_LIST(room, PRIVATE_DATA), NULL);
    rv = app_set(app, HANDLE_SESSION_FIRST + 1000000, OWN_LIST(room, BYTES(LABEL, "mine")));
    CLAIM(rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID);
    rv = app_get(app, HANDLE_SESSION_FIRST + 1000000, CKA_LABEL, &attribute);
    CLAIM(rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID);
    rv = app_destroy(app, HANDLE_SESSION_FIRST + 1000001);
    CLAIM(rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID);
    rv = app_start(app, CKF_DIGEST, mechanism_plain(CKM_SHA256), 0);
    CLAIM(rv == CKR_OK || rv == CKR_DEVICE_MEMORY); /* one of a higher number may be there */
    rv = app_update(app, CKF_DIGEST, VIEW_TEXT("data"), &out);
    CLAIM(rv == CKR_OK || rv == CKR_OPERATION_NOT_INITIALIZED);
    rv = app_final(app, CKF_DIGEST, VIEW_EMPTY, &out);
    CLAIM(rv == CKR_OK || rv == CKR_OPERATION_NOT_INITIALIZED);
    if (round % 16 == w->number) {
        CLAIM(app_send_session_close(app, NULL, &closed) == CKR_OK);
    }
}

static void
work_on_users(struct worker *w)
{
    struct app officer;
    char name[16];

    app_init(&officer, &w->f->hsm, OFFICER_USER);
    officer.port = PORTS_manage;
    snprintf(name, sizeof name, "user_%u", w->number);
    CLAIM(app_make_user(&officer, ROLE_CU, name, "password") == CKR_OK);
    CLAIM(app_set_password(&officer, ROLE_CU, name, "passw0rd") == CKR_OK);
    CLAIM(app_logout(&officer) == CKR_OK);
    officer.port = PORTS_client;
    CLAIM(app_login(&officer, ROLE_CU, name, "password") == CKR_PIN_INCORRECT);
    CLAIM(app_login(&officer, ROLE_CU, name, "passw0rd") == CKR_OK);
    CLAIM(app_detach(&officer) == CKR_OK);
    app_clear(&officer);
}

static void *
worker_run(void *arg)
{
    struct worker *w = arg;

    for (unsigned round = 0; round < ROUNDS && w->failed == NULL; round++) {
        work_on_keys(w, &w->own, round % 4 == 0);
        if (w->failed == NULL) {
            work_on_signatures(w, &w->own);
        }
        if (w->failed == NULL) {
            work_on_what_all_share(w, round);
        }
        if (w->failed == NULL && round == ROUNDS / 2 && w->number % 4 == 0) {
            work_on_users(w);
        }
        if (round % 32 == w->number) {
            hsm_sweep(w->f->hsm.hsm, UINT64_MAX);
        }
    }
    return NULL;
}

static void
eight_threads_do_everything_at_once(void **state)
{
    struct fixture *f = *state;
    static struct worker workers[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        struct worker *w = &workers[i];

        *w = (struct worker){ .f = f, .number = i };
        app_init(&w->own, &f->hsm, i % 2 == 0 ? USER1 : USER2);
        app_init(&w->common, &f->hsm, USER1);
        memcpy(w->common.context, f->cu1.context, FRAME_CONTEXT_LEN);
        w->common.request = UINT64_C(1000000) * (i + 1);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        app_clear(&workers[i].own);
        app_clear(&workers[i].common);
    }

    for (unsigned i = 0; i < THREADS; i++) {
        if (workers[i].failed != NULL) {
            fail_msg("thread %u: %s", i, workers[i].failed);
        }
    }
    /* Nothing but the two new users is left, and it opens. */
    assert_int_equal(outside_count(&f->hsm.outside, "o/"), 0);
    assert_int_equal(outside_count(&f->hsm.outside, "u/"), 6);
    hsm_fixture_reopen(&f->hsm);
}

/* ---- fairness ---- */

#define OBJECTS 5000u
#define CHANGES 200u
#define FINDS_MAX 2000u /* that may pass a waiting change; it was 10,000 once */

static _Atomic bool finding;
static _Atomic unsigned finds;

static void *
find_on(void *arg)
{
    struct app *app = arg;
    size_t count;

    while (atomic_load(&finding)) {
        (void)app_find(app, VIEW_EMPTY, FIND_MAX, NULL, 0, &count);
        atomic_fetch_add(&finds, 1);
    }
    return NULL;
}

/* Searches that overlap without a gap once kept every change waiting, some for seconds. */
static void
searches_do_not_keep_changes_waiting(void **state)
{
    struct fixture *f = *state;
    static struct app apps[THREADS];
    pthread_t threads[THREADS];
    unsigned worst = 0;

    for (unsigned i = 0; i < OBJECTS; i++) {
        create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));
    }
    atomic_store(&finding, true);
    atomic_store(&finds, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        app_init(&apps[i], &f->hsm, USER2);
        assert_int_equal(pthread_create(&threads[i], NULL, find_on, &apps[i]), 0);
    }
    for (unsigned i = 0; i < CHANGES && worst < FINDS_MAX; i++) {
        unsigned before = atomic_load(&finds);
        unsigned passed;

        create(&f->cu1, LIST(PUBLIC_DATA, TOKEN_YES));
        passed = atomic_load(&finds) - before;
        worst = passed > worst ? passed : worst;
    }
    atomic_store(&finding, false);
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        app_clear(&apps[i]);
    }

    assert_true(worst < FINDS_MAX);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        AZURE(eight_threads_do_everything_at_once),
        AZURE(searches_do_not_keep_changes_waiting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
