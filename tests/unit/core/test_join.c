/* SPDX-License-Identifier: Apache-2.0
 *
 * Handing over the master key: to the node that is on the list, with its own key, in this exchange;
 * to nobody else, and by each its own answer.
 */
#include "unit/core/core_test.h"

#include "core/join.h"
#include "crypto/cert.h"

#include <time.h>
#include <unistd.h>

#define MEMBER "a000000000000000"
#define NEWCOMER "b000000000000000"
#define PEM_MAX 16384

/* Certificates, each with its key: signed by PO.crt but for stranger. */
static const char *const names[] = { "PO", "member", "newcomer", "other", "expired", "stranger",
                                     "nameless", "unlisted" };
enum { PO, MEMBER_NODE, NEW, OTHER, EXPIRED, STRANGER, NAMELESS, UNLISTED, NAMES };

static char folder[64];
static char certificates[NAMES][PEM_MAX];
static struct secret *keys[NAMES];

struct bench {
    struct fixture f;
    struct app app; /* a newcomer's connection */
};

static void
file_take(const char *name, const char *end, char text[PEM_MAX])
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s.%s", folder, name, end);
    file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, PEM_MAX - 1, file)] = '\0';
    fclose(file);
}

static int
group_setup(void **state)
{
    static const char script[] =
        "cd '%s' && exec >/dev/null 2>&1 && new='openssl req -newkey ec -pkeyopt"
        " ec_paramgen_curve:P-256 -nodes' &&"
        " $new -x509 -subj /CN=owner -keyout PO.key -out PO.crt -days 2 &&"
        " $new -x509 -subj /CN=owner -keyout PO2.key -out PO2.crt -days 2 &&"
        " make() { $new -subj \"/CN=$2\" -keyout $1.key -out $1.csr &&"
        "  openssl x509 -req -in $1.csr -CA $3.crt -CAkey $3.key -CAcreateserial $4 -out $1.crt; } &&"
        " gone='-days -1' && if openssl x509 -help 2>&1 | grep -q not_after; then"
        "  gone='-not_before 20200101000000Z -not_after 20200102000000Z'; fi &&" /* from 3.4 on */
        " make member HSM:" MEMBER ":PARTN:1 PO '-days 2' &&"
        " make newcomer HSM:" NEWCOMER ":PARTN:1 PO '-days 2' &&"
        " make other HSM:" NEWCOMER ":PARTN:1 PO '-days 2' &&"
        " make expired HSM:" NEWCOMER ":PARTN:1 PO \"$gone\" &&"
        " make stranger HSM:" NEWCOMER ":PARTN:1 PO2 '-days 2' &&"
        " make nameless hsm.example PO '-days 2' &&"
        " make unlisted HSM:c000000000000000:PARTN:1 PO '-days 2'";
    const char *base = getenv("TMPDIR");
    char command[4096], pem[PEM_MAX];
    struct writer der;

    UNUSED(state);
    snprintf(folder, sizeof folder, "%.40s/join-XXXXXX", base == NULL ? "/tmp" : base);
    assert_non_null(mkdtemp(folder));
    snprintf(command, sizeof command, script, folder);
    assert_int_equal(system(command), 0);
    for (size_t i = 0; i < NAMES; i++) {
        file_take(names[i], "crt", certificates[i]);
        file_take(names[i], "key", pem);
        writer_init(&der, PEM_MAX);
        assert_ok(cert_key_read(view_str(pem), &der));
        keys[i] = secret_dup(writer_view(&der));
        writer_clear(&der);
    }
    return 0;
}

static int
group_teardown(void **state)
{
    char command[128];

    UNUSED(state);
    for (size_t i = 0; i < NAMES; i++) {
        secret_free(keys[i]);
    }
    snprintf(command, sizeof command, "rm -r '%s'", folder);
    return system(command);
}

static uint64_t
now(void)
{
    return (uint64_t)time(NULL) * 1000;
}

/* A member that is one of a cluster, and knows its own certificate. */
static int
setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    struct hsm_identity identity = { .owned = true,
                                     .private_key = keys[MEMBER_NODE],
                                     .certificate = certificates[MEMBER_NODE],
                                     .owner = certificates[PO] };
    struct hsm_place_of_node place = { .hostname = "hsm1" };

    assert_non_null(b);
    hsm_fixture_init(&b->f.hsm, POLICY_STANDARD);
    b->f.hsm.outside.ports.node = MEMBER;
    outside_set_clock(&b->f.hsm.outside, now());
    hsm_fixture_reopen(&b->f.hsm);
    app_init(&b->f.officer, &b->f.hsm, OFFICER_USER);
    b->f.officer.port = PORTS_manage;
    app_init(&b->app, &b->f.hsm, APP_NOBODY);
    b->app.port = PORTS_manage;
    assert_ok(cert_fingerprint(view_str(certificates[MEMBER_NODE]), place.print));
    assert_ok(hsm_enter(b->f.hsm.hsm, &place));
    assert_true(hsm_set_identity(b->f.hsm.hsm, &identity));
    *state = b;
    return 0;
}

static int
teardown(void **state)
{
    struct bench *b = *state;

    app_clear(&b->app);
    app_clear(&b->f.officer);
    hsm_fixture_clear(&b->f.hsm);
    free(b);
    return 0;
}

static void
listed(struct bench *b, int who)
{
    uint8_t print[32];
    const struct node_add_request m = { VIEW_TEXT(NEWCOMER), view_of(print, sizeof print) };
    struct node_add_reply answer;

    assert_ok(cert_fingerprint(view_str(certificates[who]), print));
    assert_ok(app_send_node_add(&b->f.officer, &m, &answer));
}

static struct join_identity
identity_of(int who)
{
    return (struct join_identity){ view_str(certificates[who]), secret_view(keys[who]),
                                   view_str(certificates[PO]) };
}

/* All of it, with that certificate in TLS and in what is signed. */
static CK_RV
join(struct bench *b, int who, struct secret **ret_master)
{
    const struct join_identity identity = identity_of(who);
    struct joiner joiner;
    struct writer body;
    view reply;
    CK_RV rv;

    b->app.certificate = view_str(certificates[who]);
    writer_init(&body, 65536);
    rv = join_begin(&joiner, &identity, b->f.hsm.outside.ports.entropy, now(), &body);
    if (rv == CKR_OK) {
        rv = app_call(&b->app, OPERATION_JOIN, writer_view(&body), &reply);
    }
    if (rv == CKR_OK) {
        writer_reset(&body);
        rv = join_go_on(&joiner, reply, now(), &body);
    }
    if (rv == CKR_OK) {
        rv = app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&body), &reply);
    }
    if (rv == CKR_OK) {
        rv = join_end(&joiner, reply, ret_master);
    }
    writer_clear(&body);
    join_clear(&joiner);
    return rv;
}

/* What JOIN says to that certificate, whatever its holder thinks of it. */
static CK_RV
refused(struct bench *b, int who)
{
    static const uint8_t nonce[32] = { 1 }, share[32] = { 9 };
    const struct join_request m = { JOIN_VERSION, view_of(nonce, 32), view_of(share, 32) };
    struct join_reply answer;

    b->app.certificate = who < 0 ? VIEW_EMPTY : view_str(certificates[who]);
    return app_send_join(&b->app, &m, &answer);
}

static void
a_listed_node_gets_the_master_key(void **state)
{
    struct bench *b = *state;
    struct secret *master = NULL;
    struct hsm_state before;

    listed(b, NEW);
    before = hsm_fixture_state(&b->f.hsm);
    assert_ok(join(b, NEW, &master));
    assert_view_equal(secret_view(master), view_of(fixture_master_key, sizeof fixture_master_key));
    assert_false(hsm_state_equal(before, hsm_fixture_state(&b->f.hsm)));
    assert_true(outside_audit_has(&b->f.hsm.outside, "JOIN_KEY"));
    assert_true(outside_audit_has(&b->f.hsm.outside, "id=2 serial=" NEWCOMER " key="));
    secret_free(master);

    master = NULL; /* it has lost it, and asks again */
    assert_ok(join(b, NEW, &master));
    secret_free(master);
}

static void
the_reply_has_no_key_in_the_open(void **state)
{
    struct bench *b = *state;
    struct secret *master = NULL;

    listed(b, NEW);
    assert_ok(join(b, NEW, &master));
    assert_null(memmem(b->app.reply.data, b->app.reply.len, fixture_master_key, 8));
    secret_free(master);
}

static void
others_are_refused_each_by_its_reason(void **state)
{
    struct bench *b = *state;
    struct secret *master = NULL;

    assert_code(refused(b, NEW), CODE_NODE_UNKNOWN);
    listed(b, NEW);
    assert_code(refused(b, -1), CODE_CERT_NONE);
    assert_code(refused(b, OTHER), CODE_NODE_KEY);
    assert_code(refused(b, EXPIRED), CODE_CERT_TIME);
    assert_code(refused(b, STRANGER), CODE_CERT_CHAIN);
    assert_code(refused(b, NAMELESS), CODE_CERT_KEY);
    assert_code(refused(b, UNLISTED), CODE_NODE_UNKNOWN);
    assert_code(refused(b, PO), CODE_CERT_KEY);
    assert_ok(refused(b, NEW));
    assert_true(outside_audit_has(&b->f.hsm.outside, "JOIN"));

    /* A newcomer sees at once what is wrong with its own. */
    assert_code(join(b, EXPIRED, &master), CODE_CERT_TIME);
    assert_code(join(b, STRANGER, &master), CODE_CERT_CHAIN);
    assert_null(master);

    b->f.hsm.outside.ports.node = NULL;
    hsm_fixture_reopen(&b->f.hsm);
    app_clear(&b->app);
    app_init(&b->app, &b->f.hsm, APP_NOBODY);
    b->app.port = PORTS_manage;
    assert_code(refused(b, NEW), CODE_NODE_ALONE);
}

/* The signature of one exchange is of no use in another, and none is used twice. */
static void
what_was_said_before_does_not_count_again(void **state)
{
    const struct join_identity identity = identity_of(NEW);
    struct bench *b = *state;
    struct joiner joiner;
    struct writer hello, first, second;
    view reply;

    listed(b, NEW);
    b->app.certificate = view_str(certificates[NEW]);
    writer_init(&hello, 1000);
    writer_init(&first, 10000);
    writer_init(&second, 10000);
    assert_ok(join_begin(&joiner, &identity, b->f.hsm.outside.ports.entropy, now(), &hello));

    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&hello), &reply));
    assert_ok(join_go_on(&joiner, reply, now(), &first));
    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&hello), &reply));
    assert_ok(join_go_on(&joiner, reply, now(), &second));
    assert_code(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&first), &reply),
                CKR_SIGNATURE_INVALID);
    /* What failed is over. */
    assert_code(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&second), &reply),
                CODE_JOIN_STATE);

    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&hello), &reply));
    writer_reset(&first);
    assert_ok(join_go_on(&joiner, reply, now(), &first));
    /* Somebody else's certificate on the connection. */
    b->app.certificate = view_str(certificates[OTHER]);
    assert_code(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&first), &reply), CODE_NODE_KEY);
    b->app.certificate = view_str(certificates[NEW]);

    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&hello), &reply));
    writer_reset(&first);
    assert_ok(join_go_on(&joiner, reply, now(), &first));
    assert_ok(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&first), &reply));
    assert_code(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&first), &reply),
                CODE_JOIN_STATE);

    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&hello), &reply));
    writer_reset(&first);
    assert_ok(join_go_on(&joiner, reply, now(), &first));
    outside_move_clock(&b->f.hsm.outside, ADMISSION_LIFE_MS + 1);
    assert_code(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&first), &reply),
                CODE_JOIN_STATE);
    writer_clear(&hello);
    writer_clear(&first);
    writer_clear(&second);
    join_clear(&joiner);
}

static void
who_was_removed_meanwhile_gets_nothing(void **state)
{
    const struct join_identity identity = identity_of(NEW);
    const struct node_remove_request m = { 2 };
    struct node_remove_reply answer;
    struct bench *b = *state;
    struct joiner joiner;
    struct writer body;
    view reply;

    listed(b, NEW);
    b->app.certificate = view_str(certificates[NEW]);
    writer_init(&body, 10000);
    assert_ok(join_begin(&joiner, &identity, b->f.hsm.outside.ports.entropy, now(), &body));
    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&body), &reply));
    writer_reset(&body);
    assert_ok(join_go_on(&joiner, reply, now(), &body));
    assert_ok(app_send_node_remove(&b->f.officer, &m, &answer));
    assert_code(app_call(&b->app, OPERATION_JOIN_KEY, writer_view(&body), &reply),
                CODE_NODE_UNKNOWN);
    writer_clear(&body);
    join_clear(&joiner);
}

/* Every bit of a member's answer counts, and its certificate is one of a node of the owner's. */
static void
a_newcomer_looks_who_answers(void **state)
{
    const struct join_identity identity = identity_of(NEW);
    struct bench *b = *state;
    struct joiner joiner;
    struct join_reply answer, changed;
    struct writer body, copy, sent;
    view reply;

    listed(b, NEW);
    b->app.certificate = view_str(certificates[NEW]);
    writer_init(&body, 10000);
    writer_init(&copy, 65536);
    writer_init(&sent, 65536);
    assert_ok(join_begin(&joiner, &identity, b->f.hsm.outside.ports.entropy, now(), &body));
    assert_ok(app_call(&b->app, OPERATION_JOIN, writer_view(&body), &reply));
    write_raw(&copy, reply);
    assert_true(join_reply_read(writer_view(&copy), &answer));
    for (int i = 0; i < 4; i++) {
        uint8_t store[16], nonce[32], share[32];

        memcpy(store, answer.store.data, sizeof store);
        memcpy(nonce, answer.nonce.data, sizeof nonce);
        memcpy(share, answer.share.data, sizeof share);
        changed = answer;
        changed.store = view_of(store, sizeof store);
        changed.nonce = view_of(nonce, sizeof nonce);
        changed.share = view_of(share, sizeof share);
        store[0] ^= i == 0;
        nonce[31] ^= i == 1;
        share[5] ^= i == 2;
        changed.certificate = i == 3 ? view_str(certificates[UNLISTED]) : answer.certificate;
        writer_reset(&sent);
        join_reply_write(&sent, &changed);
        writer_reset(&body);
        assert_code(join_go_on(&joiner, writer_view(&sent), now(), &body), CKR_SIGNATURE_INVALID);
    }
    changed = answer;
    changed.certificate = view_str(certificates[STRANGER]);
    writer_reset(&sent);
    join_reply_write(&sent, &changed);
    assert_code(join_go_on(&joiner, writer_view(&sent), now(), &body), CODE_CERT_CHAIN);
    changed.certificate = view_str(certificates[PO]);
    writer_reset(&sent);
    join_reply_write(&sent, &changed);
    assert_code(join_go_on(&joiner, writer_view(&sent), now(), &body), CODE_CERT_KEY);
    assert_code(join_go_on(&joiner, VIEW_TEXT("x"), now(), &body), CODE_BAD_FRAME);

    struct secret *master = NULL;
    static const uint8_t nothing[48];
    const struct join_key_reply wrong = { 2, view_of(nothing, sizeof nothing) };

    assert_ok(join_go_on(&joiner, writer_view(&copy), now(), &body));
    writer_reset(&sent);
    join_key_reply_write(&sent, &wrong);
    assert_code(join_end(&joiner, writer_view(&sent), &master), CKR_ENCRYPTED_DATA_INVALID);
    assert_null(master);
    writer_clear(&body);
    writer_clear(&copy);
    writer_clear(&sent);
    join_clear(&joiner);
}

static void
a_share_of_small_order_gets_nothing(void **state)
{
    static const uint8_t nonce[32] = { 1 }, share[32];
    const struct join_request m = { JOIN_VERSION, view_of(nonce, 32), view_of(share, 32) };
    struct join_talk talk = { .member = { .serial = MEMBER }, .newcomer = { .serial = NEWCOMER } };
    struct bench *b = *state;
    struct join_reply answer;
    struct join_key_reply last;
    struct writer text, signature;
    uint8_t hash[JOIN_HASH_LEN];

    listed(b, NEW);
    b->app.certificate = view_str(certificates[NEW]);
    assert_ok(app_send_join(&b->app, &m, &answer));
    memcpy(talk.store_id, answer.store.data, 16);
    memcpy(talk.newcomer.nonce, nonce, 32);
    memcpy(talk.member.nonce, answer.nonce.data, 32);
    memcpy(talk.member.share, answer.share.data, 32);
    assert_ok(cert_fingerprint(view_str(certificates[NEW]), talk.newcomer.print));
    assert_ok(cert_fingerprint(answer.certificate, talk.member.print));
    assert_true(join_hash(&talk, hash));
    writer_init(&text, 1000);
    writer_init(&signature, 1000);
    join_signed(&text, false, hash);
    assert_ok(cert_sign(secret_view(keys[NEW]), writer_view(&text), &signature));

    const struct join_key_request key = { writer_view(&signature) };

    assert_code(app_send_join_key(&b->app, &key, &last), CKR_ARGUMENTS_BAD);
    writer_clear(&text);
    writer_clear(&signature);
}

#define JOIN_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
    static const struct CMUnitTest tests[] = {
        JOIN_TEST(a_listed_node_gets_the_master_key),
        JOIN_TEST(the_reply_has_no_key_in_the_open),
        JOIN_TEST(others_are_refused_each_by_its_reason),
        JOIN_TEST(what_was_said_before_does_not_count_again),
        JOIN_TEST(who_was_removed_meanwhile_gets_nothing),
        JOIN_TEST(a_newcomer_looks_who_answers),
        JOIN_TEST(a_share_of_small_order_gets_nothing),
    };

    return cmocka_run_group_tests_name("core/join", tests, group_setup, group_teardown);
}
