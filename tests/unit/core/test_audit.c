/* SPDX-License-Identifier: Apache-2.0
 *
 * Audit: records and their texts, heads, the files' entries, and what the core records of what
 * it does, in the journal and in the trail.
 */
#include "unit/core/core_test.h"

#include "core/audit.h"
#include "core/journal.h"
#include "core/trail.h"
#include "crypto/algo.h"

static const struct audit_record sample = {
    .time = 1700000000123u,
    .revision = 7,
    .connection = 3,
    .mechanism = CKM_AES_GCM,
    .user = 3,
    .object = 0x40000,
    .code = CKR_OK,
    .operation = OPERATION_ENCRYPT,
    .role = ROLE_CU,
    .context = { 1, 2, 3, 4, 5, 6, 7, 8 },
    .from = { (const uint8_t *)"10.0.0.1:4711", 13 },
    .detail = { (const uint8_t *)"name=x", 6 },
};

static view
sample_bytes(const struct audit_record *record, uint8_t *room, size_t size)
{
    struct writer w;

    writer_init_fixed(&w, room, size);
    audit_record_write(&w, record);
    assert_true(writer_ok(&w));
    return writer_view(&w);
}

static void
a_record_comes_back_and_a_cut_one_does_not(void **state)
{
    uint8_t room[512], again[512];
    view bytes = sample_bytes(&sample, room, sizeof room);
    struct audit_record record;

    UNUSED(state);
    assert_true(audit_record_read(bytes, &record));

    assert_view_equal(sample_bytes(&record, again, sizeof again), bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_false(audit_record_read(view_of(bytes.data, len), &record));
    }
}

static void
a_record_reads_as_line_and_as_json(void **state)
{
    struct writer text, json;

    UNUSED(state);
    writer_init(&text, 1024);
    writer_init(&json, 1024);

    audit_record_text(&sample, &text);
    audit_record_json(&sample, &json);

    assert_view_equal(writer_view(&text),
                      VIEW_TEXT("2023-11-14T22:13:20.123Z ENCRYPT user=3 role=CU object=262144 "
                                "mechanism=CKM_AES_GCM code=CKR_OK from=10.0.0.1:4711 "
                                "connection=3 context=0102030405060708 revision=7 name=x"));
    assert_view_equal(writer_view(&json),
                      VIEW_TEXT("{\"time\":\"2023-11-14T22:13:20.123Z\",\"operation\":\"ENCRYPT\","
                                "\"user\":3,\"role\":\"CU\",\"object\":262144,"
                                "\"mechanism\":\"CKM_AES_GCM\",\"code\":\"CKR_OK\","
                                "\"from\":\"10.0.0.1:4711\",\"connection\":3,"
                                "\"context\":\"0102030405060708\",\"revision\":7,"
                                "\"detail\":\"name=x\"}"));
    writer_clear(&text);
    writer_clear(&json);
}

static void
a_text_that_could_leave_its_place_is_not_written(void **state)
{
    static const char *const texts[] = { "a\nb", "a\"b", "a\\b", "a\x7f", "\xc3\xa4" };
    uint8_t room[512];
    struct audit_record record;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct audit_record bad = sample;

        bad.detail = view_str(texts[i]);
        assert_true(audit_record_read(sample_bytes(&bad, room, sizeof room), &record));
        assert_view_equal(record.detail, VIEW_TEXT("?"));
    }
}

/* ---- heads and entries ---- */

static const uint8_t seed[AUDIT_KEY_LEN] = "this is the seed of a test's key";

static void
a_head_is_good_under_its_key_and_as_it_was_signed(void **state)
{
    struct audit_head head = { .time = 5, .trail = { .count = 6 }, .journal = { .count = 7 } };
    uint8_t key[AUDIT_KEY_LEN], other[AUDIT_KEY_LEN] = { 0 };
    uint8_t room[512];
    struct audit_head read;
    struct writer w;

    UNUSED(state);
    writer_init_fixed(&w, room, sizeof room);
    assert_true(audit_head_write(&w, &head, seed));
    assert_true(algo_ed25519_public(seed, key));

    assert_true(audit_head_read(writer_view(&w), key, &read));
    assert_int_equal(read.time, 5);
    assert_int_equal(read.trail.count, 6);
    assert_int_equal(read.journal.count, 7);
    assert_false(audit_head_read(writer_view(&w), other, &read));
    for (size_t i = 0; i < w.len; i++) {
        room[i] ^= 1;
        assert_false(audit_head_read(writer_view(&w), key, &read));
        room[i] ^= 1;
    }
}

/* RFC 8032, 7.1, test 2. */
static void
heads_are_signed_with_ed25519(void **state)
{
    uint8_t secret[32], public_key[32], made[32], signature[64], expected[64];
    const uint8_t message = 0x72;
    size_t len;

    UNUSED(state);
    assert_true(hex_decode("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                           secret, 32, &len));
    assert_true(hex_decode("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
                           public_key, 32, &len));
    assert_true(hex_decode("92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                           "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
                           expected, 64, &len));

    assert_true(algo_ed25519_public(secret, made));
    assert_true(algo_ed25519_sign(secret, view_of(&message, 1), signature));

    assert_memory_equal(made, public_key, 32);
    assert_memory_equal(signature, expected, 64);
    assert_true(algo_ed25519_verify(public_key, view_of(&message, 1), signature));
}

/* A file of three records, in w. */
static void
file_write(struct writer *w, struct chain *chain)
{
    const struct trail_begin begin = { .time = 1, .before = *chain, .node = VIEW_TEXT("node") };
    uint8_t room[512];
    struct writer body;

    writer_init_fixed(&body, room, sizeof room);
    trail_begin_write(&body, &begin);
    assert_true(trail_entry_write(w, chain, TRAIL_BEGIN, writer_view(&body)));
    assert_true(trail_entry_write(w, chain, TRAIL_RECORD, VIEW_TEXT("one")));
    assert_true(trail_entry_write(w, chain, TRAIL_RECORD, VIEW_TEXT("two")));
    assert_true(trail_entry_write(w, chain, TRAIL_RECORD, VIEW_TEXT("three")));
}

static size_t
file_count(view bytes, struct chain *ret_end)
{
    struct reader r = reader_of(bytes);
    enum trail_kind kind;
    size_t count = 0;
    view body;

    *ret_end = (struct chain){ .count = 0 };
    while (trail_entry_read(&r, count == 0, ret_end, &kind, &body)) {
        count++;
    }
    return count;
}

static void
a_file_reads_from_where_its_chain_stood(void **state)
{
    struct chain chain = { .count = 41, .hash = { 9 } };
    struct chain end;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 4096);
    file_write(&w, &chain);

    assert_int_equal(file_count(writer_view(&w), &end), 4);
    assert_true(chain_equal(&chain, &end));
    assert_int_equal(end.count, 45);
    writer_clear(&w);
}

static void
no_changed_byte_of_a_file_passes(void **state)
{
    struct chain chain = { .count = 0 };
    struct chain end;
    struct writer w;

    UNUSED(state);
    writer_init(&w, 4096);
    file_write(&w, &chain);

    for (size_t i = 0; i < w.len; i++) {
        w.data[i] ^= 0x10;
        assert_true(file_count(writer_view(&w), &end) < 4);
        w.data[i] ^= 0x10;
    }
    writer_clear(&w);
}

/* ---- what the core records ---- */

struct entries {
    struct fixture *f;
    struct chain chain;
    char text[8192];
    size_t len;
};

static bool
entries_visit(void *arg, view key, view value, uint64_t revision)
{
    struct entries *entries = arg;
    const struct sealer sealer = hsm_fixture_sealer(&entries->f->hsm);
    struct audit_record record;
    struct writer entry, text;
    struct chain end;
    char node[JOURNAL_NODE_MAX + 1];

    UNUSED(revision);
    if (!journal_name_parse(key, node)) {
        return true;
    }
    writer_init(&entry, CHAIN_RECORD_MAX);
    writer_init(&text, 1024);
    assert_ok(journal_open(&sealer, key, value, &end, &entry));
    assert_true(chain_add(&entries->chain, writer_view(&entry)));
    assert_true(chain_equal(&entries->chain, &end));
    assert_true(audit_record_read(writer_view(&entry), &record));
    audit_record_text(&record, &text);
    assert_true(entries->len + text.len + 2 < sizeof entries->text);
    memcpy(entries->text + entries->len, text.data, text.len);
    entries->len += text.len;
    entries->text[entries->len++] = '\n';
    writer_clear(&entry);
    writer_clear(&text);
    return true;
}

/* All of the journal as lines; its chain is held to be whole. */
static void
journal_read(struct fixture *f, struct entries *ret_entries)
{
    *ret_entries = (struct entries){ .f = f };
    assert_true(f->hsm.outside.inner->load_all(f->hsm.outside.inner, entries_visit, ret_entries));
}

static void
what_is_stored_takes_its_record_into_the_journal(void **state)
{
    struct fixture *f = *state;
    struct entries entries;
    uint32_t data;

    data = create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    assert_ok(app_set(&f->cu1, data, LIST(BYTES(LABEL, "new"))));
    assert_ok(app_destroy(&f->cu1, data));
    journal_read(f, &entries);

    assert_non_null(strstr(entries.text, "OBJECT_CREATE user=3 role=CU object=262144 code=CKR_OK"));
    assert_non_null(strstr(entries.text, "OBJECT_SET user=3 role=CU object=262144 code=CKR_OK"));
    assert_non_null(
        strstr(entries.text, "OBJECT_DESTROY user=3 role=CU object=262144 code=CKR_OK"));
    assert_null(strstr(entries.text, "new"));
}

static void
a_failed_login_is_in_the_journal_before_the_password_is_looked_at(void **state)
{
    struct fixture *f = *state;
    struct entries before, after;

    journal_read(f, &before);
    assert_code(app_login(&f->nobody, ROLE_CU, USER1_NAME, "wrong one"), CKR_PIN_INCORRECT);
    journal_read(f, &after);

    assert_int_equal(after.chain.count, before.chain.count + 1);
    assert_non_null(strstr(after.text + before.len,
                           "LOGIN user=3 role=CU code=CKR_PIN_INCORRECT"));
}

static void
an_act_that_fails_leaves_no_entry_and_a_whole_chain(void **state)
{
    struct fixture *f = *state;
    struct entries before, after;

    journal_read(f, &before);
    outside_fail(&f->hsm.outside, CALL_SUBMIT, 1);
    assert_code(app_create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES), NULL), CKR_DEVICE_ERROR);
    assert_true(outside_mend(&f->hsm.outside));
    (void)create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    journal_read(f, &after);

    assert_int_equal(after.chain.count, before.chain.count + 1);
    assert_true(outside_audit_has(&f->hsm.outside, "code=CKR_DEVICE_ERROR"));
}

static void
the_journal_goes_on_after_a_restart(void **state)
{
    struct fixture *f = *state;
    struct entries before, after;

    (void)create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    journal_read(f, &before);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    (void)create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    journal_read(f, &after);

    assert_true(after.chain.count > before.chain.count);
}

static void
a_use_is_recorded_with_key_mechanism_and_outcome(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE));
    char text[160];
    view out;

    assert_ok(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key,
                          VIEW_TEXT("0123456789abcdef"), &out));
    assert_code(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key, VIEW_TEXT("0"), &out),
                CKR_DATA_LEN_RANGE);

    snprintf(text, sizeof text, "ENCRYPT user=3 role=CU object=%u mechanism=CKM_AES_ECB "
             "code=CKR_OK from=test connection=1", (unsigned)key);
    assert_true(outside_audit_has(&f->hsm.outside, text));
    assert_true(outside_audit_has(&f->hsm.outside, "mechanism=CKM_AES_ECB code=CKR_DATA_LEN"));
}

static void
without_the_audit_no_key_is_used(void **state)
{
    struct fixture *f = *state;
    uint32_t key = create(&f->cu1, LIST(AES_CREATE));
    view out = VIEW_EMPTY;

    outside_fail(&f->hsm.outside, CALL_AUDIT, 1);
    assert_code(app_encrypt(&f->cu1, mechanism_plain(CKM_AES_ECB), key,
                            VIEW_TEXT("0123456789abcdef"), &out), CKR_FUNCTION_FAILED);
    assert_true(outside_mend(&f->hsm.outside));

    assert_int_equal(out.len, 0);
}

/* Its oldest records, and no more than those; the chain goes on from where it stood. */
static void
the_journal_lets_its_oldest_go(void **state)
{
    struct fixture *f = *state;
    struct object_destroy_reply destroyed;
    size_t count;

    for (unsigned i = 0; i < 50; i++) {
        const struct object_destroy_request m = { create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES)) };

        assert_code(app_send_object_destroy(&f->cu1, &m, &destroyed), CKR_OK);
    }
    count = outside_count(&f->hsm.outside, "j/");
    assert_true(count >= 100);

    hsm_trim_journal(f->hsm.hsm, count, 1000);
    assert_int_equal(outside_count(&f->hsm.outside, "j/"), count);
    hsm_trim_journal(f->hsm.hsm, 20, 1000);
    assert_true(outside_count(&f->hsm.outside, "j/") >= 20);
    assert_true(outside_count(&f->hsm.outside, "j/") < 20 + STORE_TXN_MAX);
    assert_int_equal(outside_count(&f->hsm.outside, "i/" FIXTURE_SERIAL), 1);

    hsm_fixture_reopen(&f->hsm);
    count = outside_count(&f->hsm.outside, "j/");
    hsm_trim_journal(f->hsm.hsm, count, 1000);
    assert_int_equal(outside_count(&f->hsm.outside, "j/"), count);
}

/* That was not known to have happened: the node still believes what was before. */
static void
what_was_let_go_unheard_is_looked_up(void **state)
{
    struct fixture *f = *state;
    struct object_destroy_reply destroyed;
    const uint64_t first = f->hsm.hsm->journal_first;
    const uint64_t revision = f->hsm.hsm->journal_first_revision;
    size_t count;

    for (unsigned i = 0; i < 100; i++) {
        const struct object_destroy_request m = { create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES)) };

        assert_code(app_send_object_destroy(&f->cu1, &m, &destroyed), CKR_OK);
    }
    count = outside_count(&f->hsm.outside, "j/");
    hsm_trim_journal(f->hsm.hsm, count - STORE_TXN_MAX, 1000);
    assert_true(outside_count(&f->hsm.outside, "j/") < count);
    f->hsm.hsm->journal_first = first;
    f->hsm.hsm->journal_first_revision = revision;

    hsm_trim_journal(f->hsm.hsm, 20, 1000);
    hsm_trim_journal(f->hsm.hsm, 20, 1000);
    assert_true(outside_count(&f->hsm.outside, "j/") >= 20);
    assert_true(outside_count(&f->hsm.outside, "j/") < 20 + STORE_TXN_MAX);
}

/* What nobody waited for may still be with the store when the partition goes, and its keys with it. */
static void
nobody_keeps_the_journal_after_the_end(void **state)
{
    struct fixture *f = *state;
    struct store *store = f->hsm.outside.ports.store;
    const struct store_change change = { VIEW_TEXT("o/00050000"), VIEW_TEXT("1"), false };
    const struct store_txn txn = { NULL, 0, &change, 1, VIEW_TEXT("entry") };
    uint64_t revision;

    hsm_close(f->hsm.hsm);
    f->hsm.hsm = NULL;
    assert_int_equal(store_commit(store, &txn, &revision), STORE_FAILED);
    hsm_fixture_reopen(&f->hsm);
    assert_ok(app_attach(&f->cu1));
    (void)create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
}

/* A mark that was forged, or of another store, is none. */
static void
where_the_journal_begins_is_sealed(void **state)
{
    struct fixture *f = *state;

    outside_put(&f->hsm.outside, "i/" FIXTURE_SERIAL, VIEW_TEXT("0123456789012345678901234567890123456789"));
    assert_code(hsm_fixture_try_open(&f->hsm), CKR_GENERAL_ERROR);
}

/* Who is logged in and asks for what is not his; not what is never recorded, and not who is nobody:
 * he could fill the trail. */
static void
what_the_role_forbids_is_recorded(void **state)
{
    struct fixture *f = *state;
    const struct user_delete_request user = { ROLE_CU, VIEW_TEXT(USER2_NAME) };
    struct user_delete_reply deleted;
    struct quorum_list_reply listed;
    size_t count;

    f->cu1.port = PORTS_manage;
    assert_code(app_send_user_delete(&f->cu1, &user, &deleted), CKR_USER_NOT_LOGGED_IN);
    assert_true(outside_audit_has(&f->hsm.outside,
                                  "USER_DELETE user=3 role=CU code=CKR_USER_NOT_LOGGED_IN"));

    count = outside_audit_count(&f->hsm.outside);
    f->nobody.port = PORTS_manage;
    assert_code(app_send_user_delete(&f->nobody, &user, &deleted), CKR_USER_NOT_LOGGED_IN);
    assert_code(app_send_quorum_list(&f->cu1, NULL, &listed), CKR_USER_NOT_LOGGED_IN);
    assert_int_equal(outside_audit_count(&f->hsm.outside), count);

    outside_fail(&f->hsm.outside, CALL_AUDIT, 1);
    assert_code(app_send_user_delete(&f->cu1, &user, &deleted), CKR_FUNCTION_FAILED);
    assert_true(outside_mend(&f->hsm.outside));
}

static void
no_record_holds_the_contexts_id(void **state)
{
    struct fixture *f = *state;
    char id[2 * FRAME_CONTEXT_LEN + 1];

    (void)create(&f->cu1, LIST(PRIVATE_DATA, TOKEN_YES));
    hex_encode(view_of(f->cu1.context, FRAME_CONTEXT_LEN), id);
    id[16] = '\0';

    assert_true(outside_audit_count(&f->hsm.outside) > 0);
    assert_false(outside_audit_has(&f->hsm.outside, id));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_comes_back_and_a_cut_one_does_not),
        cmocka_unit_test(a_record_reads_as_line_and_as_json),
        cmocka_unit_test(a_text_that_could_leave_its_place_is_not_written),
        cmocka_unit_test(a_head_is_good_under_its_key_and_as_it_was_signed),
        cmocka_unit_test(heads_are_signed_with_ed25519),
        cmocka_unit_test(a_file_reads_from_where_its_chain_stood),
        cmocka_unit_test(no_changed_byte_of_a_file_passes),
        AZURE(what_is_stored_takes_its_record_into_the_journal),
        AZURE(a_failed_login_is_in_the_journal_before_the_password_is_looked_at),
        AZURE(an_act_that_fails_leaves_no_entry_and_a_whole_chain),
        AZURE(the_journal_goes_on_after_a_restart),
        AZURE(a_use_is_recorded_with_key_mechanism_and_outcome),
        AZURE(without_the_audit_no_key_is_used),
        AZURE(what_the_role_forbids_is_recorded),
        AZURE(the_journal_lets_its_oldest_go),
        AZURE(what_was_let_go_unheard_is_looked_up),
        AZURE(nobody_keeps_the_journal_after_the_end),
        AZURE(where_the_journal_begins_is_sealed),
        AZURE(no_record_holds_the_contexts_id),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
