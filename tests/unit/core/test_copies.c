/* SPDX-License-Identifier: Apache-2.0
 *
 * Session objects outlive the node that has them, by sealed copies that a daemon keeps: after a
 * restart of the one node, and on another one. And what a copy is not good for.
 */
#include "unit/core/core_test.h"

#include "base/lock.h"
#include "core/copies.h"
#include "lib/nodes.h"
#include "store/memory.h"

#include <unistd.h>

/* ---- the daemon's part ---- */

#define KEPT_MAX 400u

struct kept {
    uint32_t handle;
    uint32_t session;
    uint64_t version;
    uint8_t sealed[COPY_MAX];
    size_t len;
};

/* What a daemon would have of one context; empty when a test begins. */
static struct {
    struct kept kept[KEPT_MAX];
    size_t count;
    bool more;
} keeper;

static int
setup(void **state)
{
    keeper.count = 0;
    return fixture_setup(state);
}

static struct kept *
kept_find(uint32_t handle)
{
    for (size_t i = 0; i < keeper.count; i++) {
        if (keeper.kept[i].handle == handle) {
            return &keeper.kept[i];
        }
    }
    return NULL;
}

static void
kept_take(const struct copy_info *info)
{
    struct kept *kept = kept_find(info->handle);

    if (kept == NULL) {
        assert_true(keeper.count < KEPT_MAX);
        kept = &keeper.kept[keeper.count++];
    }
    kept->handle = info->handle;
    kept->session = info->session;
    kept->version = info->version;
    kept->len = info->sealed.len;
    memcpy(kept->sealed, info->sealed.data, info->sealed.len);
}

static size_t
kept_reply(const struct copies_reply *m)
{
    struct reader r = reader_of(m->copies.bytes);
    struct copy_info info;

    while (copy_array_next(&r, &info)) {
        kept_take(&info);
    }
    for (size_t i = 0; i < number_array_count(m->gone); i++) {
        struct kept *kept = kept_find(number_array_get(m->gone, i));

        if (kept != NULL) {
            *kept = keeper.kept[--keeper.count];
        }
    }
    keeper.more = m->more;
    return number_array_count(m->gone);
}

/* What came before the last reply; false: nothing did. */
static bool
kept_told(const struct app *app)
{
    struct copies_reply m;

    if (app->told.len == 0) {
        return false;
    }
    assert_true(copies_reply_read(writer_view(&app->told), &m));
    assert_false(m.asked);
    (void)kept_reply(&m);
    return true;
}

/* From now on copies come. */
static void
keep(struct app *app)
{
    struct copies_reply answer;

    assert_ok(app_send_copies(app, &(struct copies_request){ .after = 0 }, &answer));
    assert_true(answer.asked);
    (void)kept_reply(&answer);
}

/* Hands all copies in; *ret_gone: how many are not good. */
static CK_RV
revive(struct app *app, size_t *ret_gone)
{
    struct copies_reply answer;
    struct writer copies;
    CK_RV rv;

    writer_init(&copies, FRAME_BODY_MAX);
    for (size_t i = 0; i < keeper.count; i++) {
        const struct kept *kept = &keeper.kept[i];
        const struct copy_info info = { kept->handle, kept->session, kept->version,
                                        view_of(kept->sealed, kept->len) };

        copy_info_write(&copies, &info);
    }
    assert_true(writer_ok(&copies));

    /* None are wanted in turn: what they were given for is as good as it was. */
    const struct copies_request m = { { writer_view(&copies) }, UINT32_MAX };

    rv = app_send_copies(app, &m, &answer);
    writer_clear(&copies);
    if (rv == CKR_OK) {
        *ret_gone = kept_reply(&answer);
    }
    return rv;
}

static size_t
refused(struct app *app)
{
    size_t gone = 0;

    assert_ok(revive(app, &gone));
    return gone;
}

static bool
works(struct app *app, uint32_t key)
{
    view out;
    CK_RV rv = app_encrypt(app, mechanism_iv(CKM_AES_CBC, VIEW_TEXT("0123456789abcdef")), key,
                           VIEW_TEXT("fedcba9876543210"), &out);

    if (rv != CKR_OK) {
        assert_code(rv, CKR_KEY_HANDLE_INVALID);
    }
    return rv == CKR_OK;
}

#define SESSION_KEY LIST(AES_CREATE, BYTES(LABEL, "mine"))

/* A session key of which there is a copy. */
static uint32_t
copied(struct app *app)
{
    uint32_t key;

    keep(app);
    key = create(app, SESSION_KEY);
    assert_true(kept_told(app));
    assert_int_equal(keeper.count, 1);
    return key;
}

static void
restart(struct fixture *f, struct app *app)
{
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(app));
}

/* ---- what is sealed ---- */

#define CONTEXT_A ((const uint8_t *)"context a.......")
#define CONTEXT_B ((const uint8_t *)"context b.......")

static void
what_was_sealed_opens_alike(void **state)
{
    struct fixture *f = *state;
    struct sealer sealer = hsm_fixture_sealer(&f->hsm);
    const struct copy copy = { .handle = 0x80000001, .session = 2, .version = 3, .uid = 4,
                               .login = 5, .node = "A1", .boot = 6, .until = 7,
                               .kind = KIND_AES, .owner = 8,
                               .attributes = LIST(BYTES(LABEL, "open")),
                               .secrets = LIST(BYTES(VALUE, "secret")) };
    struct writer sealed, plain;
    struct copy again;

    writer_init(&sealed, COPY_MAX);
    writer_init(&plain, COPY_MAX);
    assert_ok(copy_seal(&sealer, CONTEXT_A, &copy, &sealed));

    assert_false(copy_open(&sealer, CONTEXT_B, writer_view(&sealed), &plain, &again));
    writer_reset(&plain);
    assert_true(copy_open(&sealer, CONTEXT_A, writer_view(&sealed), &plain, &again));
    assert_int_equal(again.handle, copy.handle);
    assert_int_equal(again.session, 2);
    assert_int_equal(again.version, 3);
    assert_int_equal(again.uid, 4);
    assert_int_equal(again.login, 5);
    assert_string_equal(again.node, "A1");
    assert_int_equal(again.boot, 6);
    assert_int_equal(again.until, 7);
    assert_int_equal(again.kind, KIND_AES);
    assert_int_equal(again.owner, 8);
    assert_view_equal(again.attributes, copy.attributes);
    assert_view_equal(again.secrets, copy.secrets);
    writer_clear(&sealed);
    writer_clear(&plain);
}

/* ---- one node that is started again ---- */

/* The copy came as far as the daemon, the reply did not: the request comes again. */
static void
what_nobody_was_told_of_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct key_info info;
    uint32_t key = copied(&f->cu1);

    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 0);
    f->cu1.handle = key;
    assert_int_equal(create(&f->cu1, SESSION_KEY), key);
    assert_true(kept_told(&f->cu1));
    assert_true(works(&f->cu1, key));
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "mine"))), 1);
    f->cu1.handle = key; /* what was made here is another's */
    assert_code(app_create(&f->cu1, SESSION_KEY, &info), CKR_ARGUMENTS_BAD);
    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 0);
    assert_true(works(&f->cu1, key));
}

static void
a_session_key_works_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct mechanism cbc = mechanism_iv(CKM_AES_CBC, VIEW_TEXT("0123456789abcdef"));
    uint8_t before[16];
    uint32_t key = copied(&f->cu1), made;
    view out;

    made = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE));
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 2);
    assert_ok(app_encrypt(&f->cu1, cbc, made, VIEW_TEXT("fedcba9876543210"), &out));
    memcpy(before, out.data, sizeof before);

    restart(f, &f->cu1);
    assert_false(works(&f->cu1, key));
    assert_int_equal(refused(&f->cu1), 0);

    assert_true(works(&f->cu1, key));
    assert_view_equal(get(&f->cu1, key, CKA_LABEL), VIEW_TEXT("mine"));
    assert_ok(app_encrypt(&f->cu1, cbc, made, VIEW_TEXT("fedcba9876543210"), &out));
    assert_view_equal(out, view_of(before, sizeof before));
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "mine"))), 1);
    assert_true(outside_audit_has(&f->hsm.outside, "revived=2 refused=0"));
}

static void
it_does_so_again_and_again(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);

    for (int i = 0; i < 3; i++) {
        restart(f, &f->cu1);
        assert_int_equal(refused(&f->cu1), 0);
        assert_int_equal(refused(&f->cu1), 0); /* twice is once */
        assert_true(works(&f->cu1, key));
        assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "mine"))), 1);
    }
}

static void
pairs_and_their_changes_too(void **state)
{
    struct fixture *f = *state;
    struct mechanism ecdsa = mechanism_plain(CKM_ECDSA);
    struct pair pair;
    uint8_t kept_signature[64];
    view signature;

    keep(&f->cu1);
    pair = generate_pair(&f->cu1, CKM_EC_KEY_PAIR_GEN,
                         LIST(BYTES(EC_PARAMS, P256_OID), VERIFY_USES), LIST(SIGN_USES));
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 2);
    assert_ok(app_set(&f->cu1, pair.private, LIST(BYTES(LABEL, "other"))));
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 2);
    assert_int_equal(kept_find(pair.private)->version, 2);

    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 0);

    assert_view_equal(get(&f->cu1, pair.private, CKA_LABEL), VIEW_TEXT("other"));
    assert_ok(app_sign(&f->cu1, ecdsa, pair.private, VIEW_TEXT("0123456789abcdef0123456789abcdef"),
                       &signature));
    memcpy(kept_signature, signature.data, sizeof kept_signature);
    assert_ok(app_verify(&f->cu1, ecdsa, pair.public,
                         VIEW_TEXT("0123456789abcdef0123456789abcdef"),
                         view_of(kept_signature, sizeof kept_signature)));
}

static void
who_keeps_nothing_gets_nothing(void **state)
{
    struct fixture *f = *state;

    (void)create(&f->cu1, SESSION_KEY);
    assert_int_equal(f->cu1.told.len, 0);
}

static void
token_objects_have_no_copies(void **state)
{
    struct fixture *f = *state;
    uint32_t key;

    keep(&f->cu1);
    key = create(&f->cu1, LIST(AES_CREATE, TOKEN_YES));
    assert_int_equal(f->cu1.told.len, 0);
    assert_ok(app_destroy(&f->cu1, key));
    assert_int_equal(f->cu1.told.len, 0);
    assert_ok(app_find(&f->cu1, LIST(BYTES(LABEL, "mine")), FIND_MAX, NULL, 0, &(size_t){ 0 }));
    assert_int_equal(f->cu1.told.len, 0);
}

/* A reply that was lost is asked for again: its copy comes again, too. */
static void
a_repeat_brings_the_copy_again(void **state)
{
    struct fixture *f = *state;
    struct writer body;
    view reply;

    keep(&f->cu1);
    writer_init(&body, 4096);
    object_create_request_write(
        &body, &(struct object_create_request){ f->cu1.handle++, SESSION_KEY });
    assert_ok(app_call(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&body), &reply));
    writer_reset(&f->cu1.told);
    assert_ok(app_repeat(&f->cu1, OPERATION_OBJECT_CREATE, writer_view(&body), &reply));
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 1);
    writer_clear(&body);
}

/* Who changes another object may wait for the store for seconds; no loop stands still so long. */
static void
a_copy_does_not_wait_for_who_changes_another_object(void **state)
{
    struct fixture *f = *state;
    struct context *context = context_find(&f->hsm.hsm->contexts, f->cu1.context);
    uint32_t key;

    keep(&f->cu1);
    for (size_t i = 0; i < CONTEXT_CHANGES; i++) {
        pthread_mutex_lock(&context->changes[i]);
    }
    key = generate(&f->cu1, CKM_AES_KEY_GEN, LIST(AES_GENERATE));
    for (size_t i = 0; i < CONTEXT_CHANGES; i++) {
        pthread_mutex_unlock(&context->changes[i]);
    }
    context_unref(context);
    assert_int_equal(f->cu1.place_count, 0); /* made on the loop */
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 1);

    assert_ok(app_destroy(&f->cu1, key));
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 1);
}

/* It goes with its session, and its end was not stored. */
static void
what_is_made_while_its_session_closes_has_no_copy(void **state)
{
    struct fixture *f = *state;
    struct context *context = context_find(&f->hsm.hsm->contexts, f->cu1.context);

    keep(&f->cu1);
    context->closing = true;
    context->closing_session = f->cu1.session;
    (void)create(&f->cu1, SESSION_KEY);
    (void)kept_told(&f->cu1);
    assert_int_equal(keeper.count, 0);
    context->closing_session = f->cu1.session + 1;
    (void)create(&f->cu1, SESSION_KEY);
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 1);
    context_unref(context);
}

/* A daemon that was started anew has nothing, and gets all; in pieces where it is much. */
static void
all_copies_are_handed_over_when_asked_for(void **state)
{
    struct fixture *f = *state;
    struct copies_reply answer;
    static const char filler[] = "0123456789012345678901234567890123456789012345678901234567890123";
    uint8_t value[1024];
    uint32_t after = 0;
    unsigned pieces = 0;

    for (size_t i = 0; i < sizeof value; i++) {
        value[i] = (uint8_t)filler[i % 64];
    }
    for (int i = 0; i < 300; i++) {
        struct writer template;

        writer_init(&template, 4096);
        write_raw(&template, LIST(ULONG(CLASS, CKO_DATA), BOOL(PRIVATE, true)));
        attribute_write(&template, CKA_VALUE, view_of(value, sizeof value));
        (void)create(&f->cu1, writer_view(&template));
        writer_clear(&template);
    }
    do {
        assert_ok(app_send_copies(&f->cu1, &(struct copies_request){ .after = after }, &answer));
        (void)kept_reply(&answer);
        after = keeper.kept[keeper.count - 1].handle;
        pieces++;
    } while (keeper.more);
    assert_int_equal(keeper.count, 300);
    assert_true(pieces > 1);
}

/* ---- what a copy is not good for ---- */

/* Whoever brings the copy: the key is not there. */
static void
assert_refused(struct fixture *f, struct app *app, uint32_t key)
{
    assert_int_equal(refused(app), 1);
    assert_int_equal(keeper.count, 0);
    assert_false(works(&f->cu1, key));
}

static void
an_altered_copy_does_not_open(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);
    const struct kept whole = keeper.kept[0];
    struct kept *kept = &keeper.kept[0];

    restart(f, &f->cu1);
    for (size_t i = 0; i < whole.len; i += 13) {
        *kept = whole;
        kept->sealed[i] ^= 1;
        assert_int_equal(refused(&f->cu1), 1);
        keeper.count = 1;
    }
    for (size_t len = 0; len < whole.len; len += 17) {
        *kept = whole;
        kept->len = len;
        assert_int_equal(refused(&f->cu1), 1);
        keeper.count = 1;
    }
    *kept = whole;
    kept->handle++;
    assert_refused(f, &f->cu1, key);
}

static void
a_copy_of_another_login_does_not_open(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);

    hsm_fixture_reopen(&f->hsm);
    app_ticket(&f->cu1, &f->hsm, USER1, UINT64_MAX); /* the same user, context and uid */
    assert_ok(app_attach(&f->cu1));
    assert_refused(f, &f->cu1, key);
}

static void
a_copy_without_a_login_does_not_open(void **state)
{
    struct fixture *f = *state;

    (void)copied(&f->cu1);
    f->cu1.ticket_len = 0;
    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 1);
    assert_false(outside_audit_has(&f->hsm.outside, "revived=0 refused=1"));
}

static void
a_copy_of_another_context_does_not_open(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);

    restart(f, &f->cu1);
    assert_ok(app_attach(&f->cu2));
    assert_refused(f, &f->cu2, key);
}

static void
a_copy_of_a_login_that_was_ended_does_not_open(void **state)
{
    struct fixture *f = *state;

    (void)copied(&f->cu1);
    assert_ok(app_logout(&f->cu1));
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1)); /* its ticket is of no use */
    assert_int_equal(refused(&f->cu1), 1);
}

static void
a_copy_ends_with_its_time(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);

    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS + 1);
    restart(f, &f->cu1); /* this ticket lives for ever */
    assert_refused(f, &f->cu1, key);
}

static void
copies_are_renewed_when_asked_for(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);

    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS - 1);
    keep(&f->cu1);
    outside_move_clock(&f->hsm.outside, TICKET_LIFE_MS - 1);
    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 0);
    assert_true(works(&f->cu1, key));
}

static void
what_was_destroyed_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);
    const struct kept stolen = keeper.kept[0];

    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 0);
    assert_ok(app_destroy(&f->cu1, key));
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 1);
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 0);

    keeper.kept[keeper.count++] = stolen;
    assert_int_equal(refused(&f->cu1), 1); /* at once, */
    keeper.kept[keeper.count++] = stolen;
    restart(f, &f->cu1);
    assert_refused(f, &f->cu1, key); /* and later */
}

static void
what_went_with_its_session_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    struct session_close_reply answer;
    uint32_t key = copied(&f->cu1);
    const struct kept stolen = keeper.kept[0];
    uint32_t other;

    f->cu1.session = 2;
    other = create(&f->cu1, SESSION_KEY);
    assert_true(kept_told(&f->cu1));
    f->cu1.session = 1;
    assert_ok(app_send_session_close(&f->cu1, NULL, &answer));
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 1);
    assert_true(works(&f->cu1, other));
    assert_false(works(&f->cu1, key));

    assert_true(keeper.count == 2);
    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 1);
    assert_true(works(&f->cu1, other));
    assert_false(works(&f->cu1, stolen.handle));
}

/* More than one transaction takes. */
static void
all_of_a_session_is_ended(void **state)
{
    struct fixture *f = *state;
    struct session_close_reply answer;

    keep(&f->cu1);
    for (unsigned i = 0; i < 2 * STORE_TXN_MAX + 3; i++) {
        (void)create(&f->cu1, LIST(PRIVATE_DATA));
        assert_true(kept_told(&f->cu1));
    }
    f->cu1.session = 0;
    assert_ok(app_send_session_close(&f->cu1, NULL, &answer));
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 2 * STORE_TXN_MAX + 3);
    restart(f, &f->cu1);
    assert_int_equal(refused(&f->cu1), 2 * STORE_TXN_MAX + 3);
    assert_ok(app_attach(&f->cu2));
    assert_int_equal(app_count(&f->cu1), app_count(&f->cu2));
}

struct closing {
    struct app *app;
    CK_RV rv;
};

static void *
close_run(void *arg)
{
    struct closing *closing = arg;
    struct session_close_reply answer;

    closing->rv = app_send_session_close(closing->app, NULL, &answer);
    return NULL;
}

/* Who logs in takes the context's lock under the HSM's. */
static void
a_session_that_closes_waits_for_the_hsm_without_its_contexts_lock(void **state)
{
    struct fixture *f = *state;
    struct context *context = context_find(&f->hsm.hsm->contexts, f->cu1.context);
    struct closing closing = { &f->cu1, CKR_OK };
    bool begun = false, free_of_it = true;
    pthread_t thread;

    keep(&f->cu1);
    (void)create(&f->cu1, SESSION_KEY);
    pthread_rwlock_wrlock(&f->hsm.hsm->lock);
    assert_int_equal(pthread_create(&thread, NULL, close_run, &closing), 0);
    while (!begun && (free_of_it = lock_within(&context->lock, 2000))) {
        begun = context->closing;
        pthread_mutex_unlock(&context->lock);
    }
    pause_ms(50);
    free_of_it = free_of_it && lock_within(&context->lock, 2000);
    if (free_of_it) {
        pthread_mutex_unlock(&context->lock);
    }
    pthread_rwlock_unlock(&f->hsm.hsm->lock);
    pthread_join(thread, NULL);
    assert_true(free_of_it);
    assert_ok(closing.rv);
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 1);
    context_unref(context);
}

static void
an_older_version_does_not_come_back(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);
    const struct kept stolen = keeper.kept[0];

    assert_ok(app_set(&f->cu1, key, LIST(BOOL(ENCRYPT, false))));
    assert_true(kept_told(&f->cu1));

    restart(f, &f->cu1);
    keeper.kept[keeper.count++] = stolen;
    assert_int_equal(refused(&f->cu1), 1);
    assert_false(get_bool(&f->cu1, key, CKA_ENCRYPT));
    assert_int_equal(found(&f->cu1, LIST(BYTES(LABEL, "mine"))), 1);
}

/* The node forgets the context, and is the same boot: whoever brings the copy might have it twice. */
static void
a_copy_does_not_open_where_it_was_given(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);

    assert_ok(app_detach(&f->cu1));
    assert_ok(app_attach(&f->cu1));
    assert_refused(f, &f->cu1, key);
}

static void
what_is_too_large_has_no_copy(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);
    struct writer template;
    uint8_t *value = calloc(1, 2 * COPY_MAX);
    uint32_t large;

    writer_init(&template, 4 * COPY_MAX);
    write_raw(&template, LIST(ULONG(CLASS, CKO_DATA), BOOL(PRIVATE, true)));
    attribute_write(&template, CKA_VALUE, view_of(value, COPY_MAX));
    large = create(&f->cu1, writer_view(&template));
    (void)kept_told(&f->cu1);
    assert_null(kept_find(large));
    assert_ok(app_destroy(&f->cu1, large));
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 0);

    /* One that grows loses it. */
    writer_truncate(&template, 0);
    attribute_write(&template, CKA_LABEL, view_of(value, COPY_MAX));
    assert_ok(app_set(&f->cu1, key, writer_view(&template)));
    assert_true(kept_told(&f->cu1));
    assert_int_equal(keeper.count, 0);
    assert_int_equal(outside_count(&f->hsm.outside, "d/"), 1);
    writer_clear(&template);
    free(value);
}

static void
what_cannot_be_recorded_is_not_done(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);
    struct outside *outside = &f->hsm.outside;
    struct session_close_reply answer;

    outside_fail(outside, CALL_SUBMIT, 1);
    assert_code(app_destroy(&f->cu1, key), CKR_DEVICE_ERROR);
    assert_true(outside_mend(outside));
    assert_true(works(&f->cu1, key));
    outside_fail(outside, CALL_SUBMIT, 1);
    assert_code(app_set(&f->cu1, key, LIST(BOOL(ENCRYPT, false))), CKR_DEVICE_ERROR);
    assert_true(outside_mend(outside));
    assert_true(works(&f->cu1, key));
    outside_fail(outside, CALL_SUBMIT, 1);
    assert_code(app_send_session_close(&f->cu1, NULL, &answer), CKR_DEVICE_ERROR);
    assert_true(outside_mend(outside));
    assert_false(works(&f->cu1, key)); /* but for this, which nobody asks for twice */
}

static void
records_go_when_their_time_is_over(void **state)
{
    struct fixture *f = *state;
    uint32_t key = copied(&f->cu1);
    struct outside *outside = &f->hsm.outside;

    assert_ok(app_destroy(&f->cu1, key));
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(outside, "d/"), 1);
    outside_move_clock(outside, TICKET_LIFE_MS + 60001);
    hsm_sweep(f->hsm.hsm, UINT64_MAX);
    assert_int_equal(outside_count(outside, "d/"), 0);
}

/* ---- two nodes ---- */

static uint32_t session_key; /* made on the first */

static int
nodes_setup(void **state)
{
    struct nodes *n = nodes_new(POLICY_AZURE);

    nodes_enter(n);
    keeper.count = 0;
    session_key = copied(&n->cu1);
    *state = n;
    return 0;
}

static int
nodes_teardown(void **state)
{
    nodes_free(*state);
    return 0;
}

static void
a_copy_opens_when_the_issuers_lease_is_over(void **state)
{
    struct nodes *n = *state;
    size_t gone;

    assert_ok(app_move(&n->cu1, &n->two));
    assert_code(revive(&n->cu1, &gone), CODE_LAGGING); /* it may live */
    assert_false(works(&n->cu1, session_key));
    outside_move_clock(&n->two.outside, LEASE_MS - 1);
    assert_code(revive(&n->cu1, &gone), CODE_LAGGING);
    hsm_beat(n->one.hsm); /* it does */
    assert_true(follow_catch_up(n->two.hsm));
    outside_move_clock(&n->two.outside, LEASE_MS - 1);
    assert_code(revive(&n->cu1, &gone), CODE_LAGGING);
    outside_move_clock(&n->two.outside, 1);

    assert_int_equal(refused(&n->cu1), 0);
    assert_true(works(&n->cu1, session_key));
}

/* The issuer was heard when this one was stopped: what it has not heard since says nothing. */
static void
a_node_that_was_stopped_takes_nobody_for_over(void **state)
{
    struct nodes *n = *state;
    size_t gone;

    assert_ok(app_move(&n->cu1, &n->two));
    outside_jump(&n->two.outside, 0, LEASE_MS); /* while it asks the store */
    assert_code(revive(&n->cu1, &gone), CODE_LAGGING);
    assert_false(works(&n->cu1, session_key));
}

static void
it_opens_at_once_when_the_issuer_has_begun_anew(void **state)
{
    struct nodes *n = *state;

    hsm_fixture_reopen(&n->one);
    assert_ok(app_move(&n->cu1, &n->two));
    assert_int_equal(refused(&n->cu1), 0);
    assert_true(works(&n->cu1, session_key));
}

/* What lives again is the second node's, and so are its copies: it dies, and the first has it. */
static void
it_goes_on_from_node_to_node(void **state)
{
    struct nodes *n = *state;

    hsm_fixture_reopen(&n->one);
    assert_ok(app_move(&n->cu1, &n->two));
    assert_int_equal(refused(&n->cu1), 0);
    keep(&n->cu1);
    hsm_fixture_reopen(&n->two);
    assert_ok(app_move(&n->cu1, &n->one));
    assert_int_equal(refused(&n->cu1), 0);
    assert_true(works(&n->cu1, session_key));
}

static void
a_destruction_is_known_on_the_other_node(void **state)
{
    struct nodes *n = *state;
    const struct kept stolen = keeper.kept[0];
    uint64_t revision;

    assert_ok(app_destroy(&n->cu1, session_key));
    hsm_fixture_reopen(&n->one);
    assert_ok(app_move(&n->cu1, &n->two));
    revision = n->cu1.revision;
    n->cu1.revision = 0; /* tells nothing of what it has seen */
    keeper.kept[0] = stolen;
    keeper.count = 1;
    assert_int_equal(refused(&n->cu1), 1);
    assert_false(works(&n->cu1, session_key));
    n->cu1.revision = revision;
}

/* A node that was cut off, and comes back, has it still; it hears of the end like all others. */
static void
a_destruction_reaches_who_still_has_it(void **state)
{
    struct nodes *n = *state;
    struct app there = n->cu1;

    writer_init(&there.reply, FRAME_MAX);
    writer_init(&there.told, FRAME_MAX);
    outside_move_clock(&n->two.outside, LEASE_MS);
    assert_ok(app_move(&n->cu1, &n->two));
    assert_int_equal(refused(&n->cu1), 0);
    assert_true(works(&there, session_key));
    there.request += 100;

    assert_ok(app_destroy(&n->cu1, session_key));
    assert_true(follow_catch_up(n->one.hsm));
    there.patient = true;
    assert_false(works(&there, session_key));
    app_clear(&there);
}

static void
a_change_reaches_who_still_has_it(void **state)
{
    struct nodes *n = *state;
    struct app there = n->cu1;

    writer_init(&there.reply, FRAME_MAX);
    writer_init(&there.told, FRAME_MAX);
    outside_move_clock(&n->two.outside, LEASE_MS);
    assert_ok(app_move(&n->cu1, &n->two));
    assert_int_equal(refused(&n->cu1), 0);
    there.request += 100;

    assert_ok(app_set(&n->cu1, session_key, LIST(BOOL(ENCRYPT, false))));
    assert_true(follow_catch_up(n->one.hsm));
    there.patient = true;
    assert_false(works(&there, session_key));
    assert_false(get_bool(&n->cu1, session_key, CKA_ENCRYPT));
    app_clear(&there);
}

static void
a_node_that_does_not_hear_the_store_opens_none(void **state)
{
    struct nodes *n = *state;
    size_t gone;

    hsm_fixture_reopen(&n->one);
    assert_ok(app_move(&n->cu1, &n->two));
    memory_store_cut(n->two.outside.inner, true);
    assert_code(revive(&n->cu1, &gone), CODE_LAGGING);
    memory_store_cut(n->two.outside.inner, false);
    assert_true(follow_catch_up(n->two.hsm));
    assert_int_equal(refused(&n->cu1), 0);
}

/* A connection was lost, and no more: what is there needs no store. */
static void
what_is_there_is_there_without_the_store(void **state)
{
    struct nodes *n = *state;
    size_t gone = 1;

    assert_true(follow_catch_up(n->one.hsm));
    memory_store_cut(n->one.outside.inner, true);
    assert_ok(revive(&n->cu1, &gone));
    memory_store_cut(n->one.outside.inner, false);
    assert_int_equal(gone, 0);
    assert_true(works(&n->cu1, session_key));
}

static void
ends_that_were_not_told_are_found_by_comparing(void **state)
{
    struct nodes *n = *state;
    const struct kept stolen = keeper.kept[0];

    assert_true(follow_catch_up(n->two.hsm));
    memory_store_drop(n->two.outside.inner, true);
    assert_ok(app_destroy(&n->cu1, session_key));
    memory_store_drop(n->two.outside.inner, false);
    hsm_compare(n->two.hsm);
    hsm_fixture_reopen(&n->one);
    assert_ok(app_move(&n->cu1, &n->two));
    keeper.kept[0] = stolen;
    keeper.count = 1;
    assert_int_equal(refused(&n->cu1), 1);
}

#define ALONE_IN(policy, test)                                             \
    cmocka_unit_test_prestate_setup_teardown(test, setup, fixture_teardown, \
                                             (void *)(uintptr_t)&policy)
#define ALONE(test) ALONE_IN(azure_policy, test)
#define NODES(test) cmocka_unit_test_setup_teardown(test, nodes_setup, nodes_teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        ALONE(what_was_sealed_opens_alike),
        ALONE(a_session_key_works_after_a_restart),
        ALONE_IN(standard_policy, a_session_key_works_after_a_restart),
        ALONE(what_nobody_was_told_of_is_made_anew),
        ALONE(it_does_so_again_and_again),
        ALONE(pairs_and_their_changes_too),
        ALONE(who_keeps_nothing_gets_nothing),
        ALONE(token_objects_have_no_copies),
        ALONE(a_repeat_brings_the_copy_again),
        ALONE(a_copy_does_not_wait_for_who_changes_another_object),
        ALONE(what_is_made_while_its_session_closes_has_no_copy),
        ALONE(all_copies_are_handed_over_when_asked_for),
        ALONE(an_altered_copy_does_not_open),
        ALONE(a_copy_of_another_login_does_not_open),
        ALONE(a_copy_without_a_login_does_not_open),
        ALONE(a_copy_of_another_context_does_not_open),
        ALONE(a_copy_of_a_login_that_was_ended_does_not_open),
        ALONE(a_copy_ends_with_its_time),
        ALONE(copies_are_renewed_when_asked_for),
        ALONE(what_was_destroyed_does_not_come_back),
        ALONE(what_went_with_its_session_does_not_come_back),
        ALONE(all_of_a_session_is_ended),
        ALONE(a_session_that_closes_waits_for_the_hsm_without_its_contexts_lock),
        ALONE(an_older_version_does_not_come_back),
        ALONE(a_copy_does_not_open_where_it_was_given),
        ALONE(what_is_too_large_has_no_copy),
        ALONE(what_cannot_be_recorded_is_not_done),
        ALONE(records_go_when_their_time_is_over),
        NODES(a_copy_opens_when_the_issuers_lease_is_over),
        NODES(a_node_that_was_stopped_takes_nobody_for_over),
        NODES(it_opens_at_once_when_the_issuer_has_begun_anew),
        NODES(it_goes_on_from_node_to_node),
        NODES(a_destruction_is_known_on_the_other_node),
        NODES(a_destruction_reaches_who_still_has_it),
        NODES(a_change_reaches_who_still_has_it),
        NODES(a_node_that_does_not_hear_the_store_opens_none),
        NODES(what_is_there_is_there_without_the_store),
        NODES(ends_that_were_not_told_are_found_by_comparing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
