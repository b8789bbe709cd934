/* SPDX-License-Identifier: Apache-2.0
 *
 * Two operations in one session, the calls that serve both, and keys in digests.
 */
#include "p11_test.h"

#define LONG_LEN 150000u /* some frames, no whole number of blocks */

static CK_BYTE iv[16];
static CK_BYTE in[LONG_LEN], cipher[LONG_LEN + 32], alone[LONG_LEN + 32], plain[LONG_LEN + 32];

static CK_ULONG
digest_of(const CK_BYTE *data, size_t len, CK_BYTE out[32])
{
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };
    CK_ULONG out_len = 32;

    assert_ok(C_DigestInit(fixture.session, &sha));
    assert_ok(C_Digest(fixture.session, (CK_BYTE_PTR)(uintptr_t)data, len, out, &out_len));
    return out_len;
}

static CK_ULONG
encrypted_alone(CK_OBJECT_HANDLE key, size_t len)
{
    CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, 16 };
    CK_ULONG out_len = sizeof alone;

    assert_ok(C_EncryptInit(fixture.session, &cbc, key));
    assert_ok(C_Encrypt(fixture.session, in, len, alone, &out_len));
    return out_len;
}

/* Pieces of growing lengths, so that some end within blocks and one is longer than a frame. */
static size_t
next_piece(size_t at, size_t len)
{
    size_t piece = at / 2 + 7;

    return piece < len - at ? piece : len - at;
}

typedef CK_RV (*dual_call)(CK_SESSION_HANDLE, CK_BYTE_PTR, CK_ULONG, CK_BYTE_PTR, CK_ULONG_PTR);

static CK_ULONG
run(dual_call call, const CK_BYTE *from, size_t len, CK_BYTE *to, size_t size)
{
    CK_ULONG given = 0, part;

    for (size_t at = 0, piece; at < len; at += piece) {
        piece = next_piece(at, len);
        part = size - given;
        assert_ok(call(fixture.session, (CK_BYTE_PTR)(uintptr_t)from + at, piece, to + given,
                       &part));
        given += part;
    }
    return given;
}

static void
what_is_encrypted_is_digested(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM cbc = { CKM_AES_CBC_PAD, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_BYTE expected[32], digest[32];
    CK_ULONG whole = encrypted_alone(key, LONG_LEN), given, last, len = 32;

    digest_of(in, LONG_LEN, expected);
    assert_ok(C_EncryptInit(session, &cbc, key));
    assert_ok(C_DigestInit(session, &sha));
    given = run(C_DigestEncryptUpdate, in, LONG_LEN, cipher, sizeof cipher);
    last = sizeof cipher - given;
    assert_ok(C_EncryptFinal(session, cipher + given, &last));
    assert_int_equal(given + last, whole);
    assert_memory_equal(cipher, alone, whole);
    assert_ok(C_DigestFinal(session, digest, &len));
    assert_memory_equal(digest, expected, 32);

    assert_ok(C_DecryptInit(session, &cbc, key));
    assert_ok(C_DigestInit(session, &sha));
    given = run(C_DecryptDigestUpdate, cipher, whole, plain, sizeof plain);
    last = sizeof plain - given;
    assert_ok(C_DecryptFinal(session, plain + given, &last));
    /* PKCS #11 v3.1, 5.17.2: the last part is the application's to digest. */
    assert_ok(C_DigestUpdate(session, plain + given, last));
    len = 32;
    assert_ok(C_DigestFinal(session, digest, &len));
    assert_memory_equal(digest, expected, 32);
    assert_int_equal(given + last, LONG_LEN);
    assert_memory_equal(plain, in, LONG_LEN);
}

static void
what_is_encrypted_is_signed_and_verified(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM ctr = { CKM_AES_CBC_PAD, iv, 16 }, hmac = { CKM_SHA256_HMAC, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes(), secret = make_generic();
    CK_BYTE expected[32], mac[32];
    CK_ULONG given, last, len = 32, whole;

    assert_ok(C_SignInit(session, &hmac, secret));
    assert_ok(C_Sign(session, in, LONG_LEN, expected, &len));
    assert_ok(C_SignInit(session, &hmac, secret));
    assert_ok(C_EncryptInit(session, &ctr, key));
    given = run(C_SignEncryptUpdate, in, LONG_LEN, cipher, sizeof cipher);
    last = sizeof cipher - given;
    assert_ok(C_EncryptFinal(session, cipher + given, &last));
    whole = given + last;
    len = 32;
    assert_ok(C_SignFinal(session, mac, &len));
    assert_memory_equal(mac, expected, 32);

    for (unsigned wrong = 0; wrong < 2; wrong++) {
        assert_ok(C_DecryptInit(session, &ctr, key));
        assert_ok(C_VerifyInit(session, &hmac, secret));
        given = run(C_DecryptVerifyUpdate, cipher, whole, plain, sizeof plain);
        last = sizeof plain - given;
        assert_ok(C_DecryptFinal(session, plain + given, &last));
        assert_memory_equal(plain, in, LONG_LEN);
        assert_ok(C_VerifyUpdate(session, plain + given, last));
        mac[0] ^= (CK_BYTE)wrong;
        assert_code(C_VerifyFinal(session, mac, 32), wrong ? CKR_SIGNATURE_INVALID : CKR_OK);
    }
}

static void
a_buffer_too_small_moves_neither(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_BYTE expected[32], digest[32];
    CK_ULONG len, last = 0;

    encrypted_alone(key, 64);
    digest_of(in, 64, expected);
    assert_ok(C_DigestInit(session, &sha));
    assert_ok(C_EncryptInit(session, &cbc, key));
    len = 0;
    assert_ok(C_DigestEncryptUpdate(session, in, 64, NULL, &len));
    assert_int_equal(len, 64);
    len = 63;
    assert_code(C_DigestEncryptUpdate(session, in, 64, cipher, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 64);
    assert_ok(C_DigestEncryptUpdate(session, in, 64, cipher, &len));
    assert_memory_equal(cipher, alone, 64);
    assert_ok(C_EncryptFinal(session, cipher, &last));
    len = 32;
    assert_ok(C_DigestFinal(session, digest, &len));
    assert_memory_equal(digest, expected, 32);
}

static void
the_output_may_lie_on_the_input(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_BYTE expected[32], digest[32];
    CK_ULONG len = 64;

    encrypted_alone(key, 64);
    digest_of(in, 64, expected);
    memcpy(cipher, in, 64);
    assert_ok(C_DigestInit(session, &sha));
    assert_ok(C_EncryptInit(session, &cbc, key));
    assert_ok(C_DigestEncryptUpdate(session, cipher, 64, cipher, &len));
    assert_memory_equal(cipher, alone, 64);
    len = 32;
    assert_ok(C_DigestFinal(session, digest, &len));
    assert_memory_equal(digest, expected, 32);
}

static void
both_have_to_be_active(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_BYTE out[64];
    CK_ULONG len = sizeof out;

    assert_code(C_DigestEncryptUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_EncryptInit(session, &cbc, key));
    assert_code(C_DigestEncryptUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_DigestInit(session, &sha));
    assert_code(C_SignEncryptUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_DecryptDigestUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_DigestEncryptUpdate(session, in, 16, out, NULL), CKR_ARGUMENTS_BAD);
    /* that ended both */
    assert_code(C_DigestUpdate(session, in, 16), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_EncryptUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void
either_of_a_pair_is_cancelled_alone(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_BYTE out[64];
    CK_ULONG len = sizeof out;

    assert_ok(C_EncryptInit(session, &cbc, key));
    assert_ok(C_DigestInit(session, &sha));
    assert_ok(C_SessionCancel(session, CKF_ENCRYPT));
    assert_code(C_EncryptUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_DigestUpdate(session, in, 16));
    assert_ok(C_EncryptInit(session, &cbc, key));
    assert_ok(C_SessionCancel(session, CKF_ENCRYPT | CKF_DIGEST | CKF_SIGN));
    assert_code(C_DigestUpdate(session, in, 16), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_EncryptUpdate(session, in, 16, out, &len), CKR_OPERATION_NOT_INITIALIZED);
}

/* ---- keys in digests ---- */

static CK_OBJECT_HANDLE
make_secret(size_t len, CK_BBOOL *sensitive)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type), { CKA_SENSITIVE, sensitive, 1 },
        { CKA_VALUE, in, len },
    };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_CreateObject(fixture.session, template, ARRAY_COUNT(template), &key));
    return key;
}

static void
a_key_is_digested_where_it_is(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_secret(40, &yes);
    CK_BYTE expected[32], digest[32];
    CK_ULONG len = 32;

    memcpy(plain, "before", 6);
    memcpy(plain + 6, in, 40);
    memcpy(plain + 46, "after", 5);
    memcpy(plain + 51, in, 40);
    digest_of(plain, 91, expected);
    assert_ok(C_DigestInit(session, &sha));
    assert_ok(C_DigestUpdate(session, (CK_BYTE_PTR)(uintptr_t) "before", 6));
    assert_ok(C_DigestKey(session, key));
    assert_ok(C_DigestUpdate(session, (CK_BYTE_PTR)(uintptr_t) "after", 5));
    assert_ok(C_DigestKey(session, key));
    assert_ok(C_DigestFinal(session, digest, &len));
    assert_memory_equal(digest, expected, 32);
}

static void
not_every_key_is_digested(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE public, private;
    const struct {
        CK_OBJECT_HANDLE key;
        CK_RV rv;
    } rows[] = {
        { make_secret(14, &yes), CKR_OK },
        { make_secret(13, &yes), CKR_KEY_SIZE_RANGE }, /* could be found by trying */
        { make_secret(13, &no), CKR_OK },
        { (make_ec(&public, &private), public), CKR_KEY_INDIGESTIBLE },
        { private, CKR_KEY_INDIGESTIBLE },
        { 0x7fffff00, CKR_KEY_HANDLE_INVALID },
    };

    assert_code(C_DigestKey(session, rows[0].key), CKR_OPERATION_NOT_INITIALIZED);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        assert_ok(C_DigestInit(session, &sha));
        assert_code(C_DigestKey(session, rows[i].key), rows[i].rv);
        assert_ok(C_SessionCancel(session, CKF_DIGEST));
    }
}

static void
a_digest_of_a_key_ends_with_the_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 };
    CK_BYTE digest[32];
    CK_ULONG len = 32;

    assert_ok(C_DigestInit(session, &sha));
    assert_ok(C_DigestKey(session, make_secret(32, &yes)));
    assert_ok(C_Logout(session));
    assert_code(C_DigestFinal(session, digest, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void
azure_has_none_of_these(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM cbc = { CKM_AES_CBC, iv, 16 }, sha = { CKM_SHA256, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes();
    CK_TOKEN_INFO token;
    CK_BYTE out[64];
    CK_ULONG len = sizeof out;

    assert_ok(C_EncryptInit(session, &cbc, key));
    assert_code(C_DigestInit(session, &sha), CKR_OPERATION_ACTIVE);
    assert_code(C_DigestEncryptUpdate(session, in, 16, out, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_DecryptDigestUpdate(session, in, 16, out, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_SignEncryptUpdate(session, in, 16, out, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_DecryptVerifyUpdate(session, in, 16, out, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_DigestKey(session, key), CKR_FUNCTION_NOT_SUPPORTED);
    assert_ok(C_GetTokenInfo(SLOT, &token));
    assert_int_equal(token.flags & CKF_DUAL_CRYPTO_OPERATIONS, 0);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(what_is_encrypted_is_digested),
        TEST(what_is_encrypted_is_signed_and_verified),
        TEST(a_buffer_too_small_moves_neither),
        TEST(the_output_may_lie_on_the_input),
        TEST(both_have_to_be_active),
        TEST(either_of_a_pair_is_cancelled_alone),
        TEST(a_key_is_digested_where_it_is),
        TEST(not_every_key_is_digested),
        TEST(a_digest_of_a_key_ends_with_the_login),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_has_none_of_these),
    };

    fill_bytes(in, sizeof in);
    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
