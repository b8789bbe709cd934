/* SPDX-License-Identifier: Apache-2.0
 *
 * The states of operations (model-notes 4.1 to 4.4), the same rows for every kind.
 */
#include "p11_test.h"

#include <stdio.h>

enum act {
    INIT,
    SINGLE,
    SINGLE_QUERY,
    SINGLE_SHORT, /* a buffer that is too small */
    SINGLE_BAD,   /* an error */
    UPDATE,
    UPDATE_QUERY,
    UPDATE_BAD,
    FINAL,
    FINAL_QUERY,
    FINAL_SHORT,
    FINAL_BAD
};

static struct {
    CK_OBJECT_HANDLE aes;
    CK_OBJECT_HANDLE generic;
    CK_BYTE in[60];
    CK_BYTE cipher[64];  /* in, encrypted with CBC_PAD */
    CK_BYTE mac[32];     /* of in */
} made;

static CK_BYTE iv[16];

struct kind {
    const char *name;
    CK_FLAGS function;
    CK_MECHANISM mechanism;
    CK_OBJECT_HANDLE *key;
    CK_RV (*init)(CK_SESSION_HANDLE, CK_MECHANISM_PTR, CK_OBJECT_HANDLE);
    CK_RV (*single)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
    CK_RV (*update)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);
    CK_RV (*final)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG_PTR);
    const CK_BYTE *in;
    CK_ULONG in_len;
    bool update_output;
};

static CK_RV
digest_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key)
{
    UNUSED(key);
    return C_DigestInit(session, mechanism);
}

static CK_RV
digest_update(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG len, CK_BYTE_PTR out,
              CK_ULONG_PTR out_len)
{
    UNUSED(out);
    UNUSED(out_len);
    return C_DigestUpdate(session, in, len);
}

static CK_RV
sign_update(CK_SESSION_HANDLE session, CK_BYTE_PTR in, CK_ULONG len, CK_BYTE_PTR out,
            CK_ULONG_PTR out_len)
{
    UNUSED(out);
    UNUSED(out_len);
    return C_SignUpdate(session, in, len);
}

static const struct kind kinds[] = {
    { "encrypt", CKF_ENCRYPT, { CKM_AES_CBC_PAD, iv, 16 }, &made.aes, C_EncryptInit, C_Encrypt,
      C_EncryptUpdate, C_EncryptFinal, made.in, sizeof made.in, true },
    { "decrypt", CKF_DECRYPT, { CKM_AES_CBC_PAD, iv, 16 }, &made.aes, C_DecryptInit, C_Decrypt,
      C_DecryptUpdate, C_DecryptFinal, made.cipher, sizeof made.cipher, true },
    { "digest", CKF_DIGEST, { CKM_SHA256, NULL, 0 }, &made.aes, digest_init, C_Digest,
      digest_update, C_DigestFinal, made.in, sizeof made.in, false },
    { "sign", CKF_SIGN, { CKM_SHA256_HMAC, NULL, 0 }, &made.generic, C_SignInit, C_Sign,
      sign_update, C_SignFinal, made.in, sizeof made.in, false },
};

static CK_RV
act(const struct kind *kind, enum act what)
{
    CK_SESSION_HANDLE session = fixture.session;
    CK_MECHANISM mechanism = kind->mechanism;
    CK_BYTE *in = (CK_BYTE *)(uintptr_t)kind->in;
    CK_BYTE out[256];
    CK_ULONG len = sizeof out, none = 0;

    switch (what) {
    case INIT:
        return kind->init(session, &mechanism, *kind->key);
    case SINGLE:
        return kind->single(session, in, kind->in_len, out, &len);
    case SINGLE_QUERY:
        return kind->single(session, in, kind->in_len, NULL, &len);
    case SINGLE_SHORT:
        return kind->single(session, in, kind->in_len, out, &none);
    case SINGLE_BAD:
        return kind->single(session, NULL, 1, out, &len);
    case UPDATE:
        return kind->update(session, in, kind->in_len, out, &len);
    case UPDATE_QUERY:
        return kind->update(session, in, kind->in_len, NULL, &len);
    case UPDATE_BAD:
        return kind->update(session, NULL, 1, out, &len);
    case FINAL:
        return kind->final(session, out, &len);
    case FINAL_QUERY:
        return kind->final(session, NULL, &len);
    case FINAL_SHORT:
        return kind->final(session, out, &none);
    case FINAL_BAD:
        return kind->final(session, out, NULL);
    }
    return CKR_GENERAL_ERROR;
}

static bool
is_active(const struct kind *kind)
{
    CK_RV rv = act(kind, INIT);

    if (rv == CKR_OK) {
        assert_ok(C_SessionCancel(fixture.session, kind->function));
        return false;
    }
    assert_code(rv, CKR_OPERATION_ACTIVE);
    return true;
}

#define OA CKR_OPERATION_ACTIVE
#define ONI CKR_OPERATION_NOT_INITIALIZED
#define AB CKR_ARGUMENTS_BAD
#define BTS CKR_BUFFER_TOO_SMALL

/* Acts to get to a state, then the act that is looked at, its code, and whether it stays. */
static const struct row {
    enum act before[3];
    size_t before_count;
    enum act act;
    CK_RV code;
    bool stays;
    bool only_update_output; /* Update gives output, so it has queries */
} rows[] = {
    /* I */
    { { 0 }, 0, SINGLE, ONI, false, false },
    { { 0 }, 0, SINGLE_QUERY, ONI, false, false },
    { { 0 }, 0, UPDATE, ONI, false, false },
    { { 0 }, 0, FINAL, ONI, false, false },
    /* A */
    { { INIT }, 1, INIT, OA, true, false },
    { { INIT }, 1, SINGLE, CKR_OK, false, false },
    { { INIT }, 1, SINGLE_QUERY, CKR_OK, true, false },
    { { INIT }, 1, SINGLE_SHORT, BTS, true, false },
    { { INIT }, 1, SINGLE_BAD, AB, false, false },
    { { INIT }, 1, UPDATE, CKR_OK, true, false },
    { { INIT }, 1, UPDATE_QUERY, CKR_OK, true, true },
    { { INIT }, 1, UPDATE_BAD, AB, false, false },
    { { INIT }, 1, FINAL_BAD, AB, false, false },
    /* after an Update that was only asked it is still fresh */
    { { INIT, UPDATE_QUERY }, 2, SINGLE, CKR_OK, false, true },
    /* Q */
    { { INIT, SINGLE_QUERY }, 2, INIT, OA, true, false },
    { { INIT, SINGLE_QUERY }, 2, SINGLE, CKR_OK, false, false },
    { { INIT, SINGLE_QUERY }, 2, SINGLE_QUERY, CKR_OK, true, false },
    { { INIT, SINGLE_SHORT }, 2, SINGLE, CKR_OK, false, false },
    { { INIT, SINGLE_SHORT }, 2, SINGLE_BAD, AB, false, false },
    { { INIT, SINGLE_QUERY }, 2, UPDATE, OA, false, false },
    { { INIT, SINGLE_QUERY }, 2, FINAL, OA, false, false },
    /* M */
    { { INIT, UPDATE }, 2, INIT, OA, true, false },
    { { INIT, UPDATE }, 2, SINGLE, OA, false, false },
    { { INIT, UPDATE }, 2, SINGLE_QUERY, OA, false, false },
    { { INIT, UPDATE }, 2, UPDATE, CKR_OK, true, false },
    { { INIT, UPDATE }, 2, UPDATE_BAD, AB, false, false },
    { { INIT, UPDATE }, 2, FINAL, CKR_OK, false, false },
    { { INIT, UPDATE }, 2, FINAL_QUERY, CKR_OK, true, false },
    { { INIT, UPDATE }, 2, FINAL_SHORT, BTS, true, false },
    { { INIT, UPDATE }, 2, FINAL_BAD, AB, false, false },
    /* F */
    { { INIT, UPDATE, FINAL_QUERY }, 3, INIT, OA, true, false },
    { { INIT, UPDATE, FINAL_QUERY }, 3, SINGLE, OA, false, false },
    { { INIT, UPDATE, FINAL_QUERY }, 3, FINAL, CKR_OK, false, false },
    { { INIT, UPDATE, FINAL_SHORT }, 3, FINAL, CKR_OK, false, false },
    { { INIT, UPDATE, FINAL_SHORT }, 3, FINAL_SHORT, BTS, true, false },
    { { INIT, UPDATE, FINAL_QUERY }, 3, FINAL_QUERY, CKR_OK, true, false },
};

static void
operations_go_through_their_states(void **state)
{
    UNUSED(state);
    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
            const struct kind *kind = &kinds[k];
            const struct row *row = &rows[i];
            char what[64];

            if (row->only_update_output && !kind->update_output) {
                continue;
            }
            snprintf(what, sizeof what, "%s, row %zu", kind->name, i);
            for (size_t b = 0; b < row->before_count; b++) {
                CK_RV rv = act(kind, row->before[b]);

                if (rv != CKR_OK && rv != CKR_BUFFER_TOO_SMALL) {
                    code_check(rv, CKR_OK, what, __FILE__, __LINE__);
                }
            }
            code_check(act(kind, row->act), row->code, what, __FILE__, __LINE__);
            if (is_active(kind) != row->stays) {
                print_error("%s: stays is %d\n", what, row->stays);
                fail();
            }
            assert_ok(C_SessionCancel(fixture.session, kind->function));
        }
    }
}

static void
verification_always_ends(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };

    assert_code(C_Verify(session, made.in, 1, made.mac, 32), ONI);
    assert_ok(C_VerifyInit(session, &mechanism, made.generic));
    assert_ok(C_Verify(session, made.in, sizeof made.in, made.mac, 32));
    assert_code(C_Verify(session, made.in, sizeof made.in, made.mac, 32), ONI);
    assert_ok(C_VerifyInit(session, &mechanism, made.generic));
    assert_code(C_Verify(session, made.in, sizeof made.in - 1, made.mac, 32),
                CKR_SIGNATURE_INVALID);
    assert_ok(C_VerifyInit(session, &mechanism, made.generic));
    assert_code(C_Verify(session, made.in, sizeof made.in, made.mac, 31),
                CKR_SIGNATURE_LEN_RANGE);
    assert_ok(C_VerifyInit(session, &mechanism, made.generic));
    assert_code(C_Verify(session, made.in, sizeof made.in, NULL, 32), AB);
    assert_ok(C_VerifyInit(session, &mechanism, made.generic));
    assert_ok(C_VerifyUpdate(session, made.in, 10));
    assert_code(C_Verify(session, made.in, sizeof made.in, made.mac, 32), OA);
    assert_ok(C_VerifyInit(session, &mechanism, made.generic));
    assert_ok(C_VerifyUpdate(session, made.in, 10));
    assert_ok(C_VerifyUpdate(session, made.in + 10, sizeof made.in - 10));
    assert_ok(C_VerifyFinal(session, made.mac, 32));
    assert_code(C_VerifyFinal(session, made.mac, 32), ONI);
}

/* model-notes 4.3: two operations in one session only where a dual call serves them. */
static void
only_dual_pairs_coexist(void **state)
{
    /* encrypt, decrypt, digest, sign */
    static const bool pairs[ARRAY_COUNT(kinds)][ARRAY_COUNT(kinds)] = {
        { false, false, true, true },
        { false, false, true, false },
        { true, true, false, false },
        { true, false, false, false },
    };

    UNUSED(state);
    for (size_t a = 0; a < ARRAY_COUNT(kinds); a++) {
        for (size_t b = 0; b < ARRAY_COUNT(kinds); b++) {
            assert_ok(act(&kinds[a], INIT));
            assert_code(act(&kinds[b], INIT), pairs[a][b] ? CKR_OK : OA);
            for (size_t c = 0; pairs[a][b] && c < ARRAY_COUNT(kinds); c++) {
                assert_code(act(&kinds[c], INIT), OA); /* no third */
            }
            if (a != b) {
                assert_code(act(&kinds[b], SINGLE), pairs[a][b] ? CKR_OK : ONI);
            }
            assert_ok(act(&kinds[a], SINGLE)); /* untouched by all of that */
        }
    }
}

static void
no_mechanism_cancels(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        assert_code(kinds[k].init(session, NULL, 0), AB);
        assert_ok(act(&kinds[k], INIT));
        assert_ok(act(&kinds[k], UPDATE));
        assert_ok(kinds[k].init(session, NULL, 0));
        assert_false(is_active(&kinds[k]));
    }
    assert_ok(C_SessionCancel(session, 0));
    assert_ok(C_SessionCancel(session, CKF_ENCRYPT | CKF_SIGN));
    assert_code(C_SessionCancel(session + 1, 0), CKR_SESSION_HANDLE_INVALID);
}

static void
an_abandoned_operation_is_cancelled_at_the_hsm(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;

    assert_ok(act(&kinds[0], INIT));
    assert_ok(act(&kinds[0], UPDATE));
    transport_reset();
    assert_ok(C_SessionCancel(session, CKF_ENCRYPT));
    assert_int_equal(transport_count(OPERATION_CANCEL), 1);
    assert_ok(act(&kinds[3], INIT));
    assert_ok(act(&kinds[3], UPDATE));
    transport_reset();
    assert_ok(C_SessionCancel(session, CKF_SIGN)); /* what is gathered here is nobody's business */
    assert_int_equal(transport_trips(), 0);
}

static void
init_gives_its_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 }, unknown = { 0x7fff1234, NULL, 0 };
    CK_MECHANISM short_iv = { CKM_AES_CBC, iv, 15 }, cbc = { CKM_AES_CBC, iv, 16 };
    CK_MECHANISM no_iv = { CKM_AES_CBC, NULL, 16 };
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE data[] = { ATTR(CKA_CLASS, class), ATTR(CKA_PRIVATE, no) };
    CK_OBJECT_HANDLE object = 0, public, private;

    assert_ok(C_CreateObject(session, data, 2, &object));
    make_ec(&public, &private);
    transport_reset();
    assert_code(C_SignInit(session + 1, &hmac, made.generic), CKR_SESSION_HANDLE_INVALID);
    assert_code(C_SignInit(session, &unknown, made.generic), CKR_MECHANISM_INVALID);
    assert_code(C_EncryptInit(session, &hmac, made.generic), CKR_MECHANISM_INVALID);
    assert_code(C_EncryptInit(session, &short_iv, made.aes), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_EncryptInit(session, &no_iv, made.aes), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_EncryptInit(session, &cbc, object), CKR_KEY_HANDLE_INVALID);
    assert_int_equal(transport_trips(), 0);
    assert_code(C_EncryptInit(session, &cbc, made.generic), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_SignInit(session, &hmac, made.aes), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_EncryptInit(session, &cbc, 0), CKR_KEY_HANDLE_INVALID);
    assert_code(C_EncryptInit(session, &cbc, 0x7fffff00), CKR_KEY_HANDLE_INVALID);
    hmac.mechanism = CKM_ECDSA;
    assert_code(C_SignInit(session, &hmac, public), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_VerifyInit(session, &hmac, private), CKR_KEY_TYPE_INCONSISTENT);
    assert_ok(C_SignInit(session, &hmac, private));
    assert_code(C_SignUpdate(session, made.in, 4), ONI); /* ECDSA has no parts */
    assert_code(C_SignFinal(session, NULL, NULL), ONI);
}

static int
setup_task(void **state)
{
    CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, 16 }, hmac = { CKM_SHA256_HMAC, NULL, 0 };
    CK_ULONG len = sizeof made.cipher;

    setup(state);
    fill_bytes(made.in, sizeof made.in);
    made.aes = make_aes();
    made.generic = make_generic();
    assert_ok(C_EncryptInit(fixture.session, &cbc, made.aes));
    assert_ok(C_Encrypt(fixture.session, made.in, sizeof made.in, made.cipher, &len));
    assert_int_equal(len, sizeof made.cipher);
    len = sizeof made.mac;
    assert_ok(C_SignInit(fixture.session, &hmac, made.generic));
    assert_ok(C_Sign(fixture.session, made.in, sizeof made.in, made.mac, &len));
    return 0;
}

#define TASK_TEST(name) cmocka_unit_test_setup_teardown(name, setup_task, teardown)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TASK_TEST(operations_go_through_their_states),
        TASK_TEST(verification_always_ends),
        TASK_TEST(only_dual_pairs_coexist),
        TASK_TEST(no_mechanism_cancels),
        TASK_TEST(an_abandoned_operation_is_cancelled_at_the_hsm),
        TASK_TEST(init_gives_its_codes),
    };

    return cmocka_run_group_tests(tests, group_standard, group_teardown);
}
