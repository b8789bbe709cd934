/* SPDX-License-Identifier: Apache-2.0
 *
 * C_SignRecover and C_VerifyRecover: there and back, buffers, states and codes; and raw RSA
 * encryption, whose plaintext has the length of the modulus.
 */
#include "p11_test.h"

#define K 256u

static struct {
    CK_OBJECT_HANDLE public, private;
} rsa;

static CK_BYTE data[K], signature[K + 1], back[K + 1];
static CK_MECHANISM pkcs = { CKM_RSA_PKCS, NULL, 0 }, raw = { CKM_RSA_X_509, NULL, 0 };

static int
setup_pair(void **state)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 8 * K;
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_VERIFY_RECOVER, yes),
                              ATTR(CKA_VERIFY, yes), ATTR(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN_RECOVER, yes), ATTR(CKA_SIGN, yes),
                               ATTR(CKA_DECRYPT, yes) };

    setup(state);
    fill_bytes(data, sizeof data);
    data[0] = 1; /* below the modulus */
    assert_ok(C_GenerateKeyPair(fixture.session, &mechanism, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), &rsa.public, &rsa.private));
    transport_reset();
    return 0;
}

static void
sign(CK_MECHANISM *mechanism, size_t len)
{
    CK_ULONG out_len = K;

    assert_ok(C_SignRecoverInit(fixture.session, mechanism, rsa.private));
    assert_ok(C_SignRecover(fixture.session, data, len, signature, &out_len));
    assert_int_equal(out_len, K);
}

static CK_RV
recover(CK_MECHANISM *mechanism, CK_ULONG len, CK_ULONG *back_len)
{
    *back_len = sizeof back;
    assert_ok(C_VerifyRecoverInit(fixture.session, mechanism, rsa.public));
    return C_VerifyRecover(fixture.session, signature, len, back, back_len);
}

static void
data_comes_back_out_of_its_signature(void **state)
{
    static const size_t lengths[] = { 0, 1, 32, K - 12, K - 11 };
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ULONG len;

    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        sign(&pkcs, lengths[i]);
        assert_ok(recover(&pkcs, K, &len));
        assert_int_equal(len, lengths[i]);
        assert_memory_equal(back, data, len);
        /* It is what C_Sign makes. */
        assert_ok(C_VerifyInit(session, &pkcs, rsa.public));
        assert_ok(C_Verify(session, data, lengths[i], signature, K));
        sign(&raw, lengths[i]);
        assert_ok(recover(&raw, K, &len));
        assert_int_equal(len, K);
        assert_memory_equal(back + K - lengths[i], data, lengths[i]);
        for (size_t k = 0; k < K - lengths[i]; k++) {
            assert_int_equal(back[k], 0);
        }
    }
    transport_reset();
    sign(&pkcs, 32);
    assert_ok(recover(&pkcs, K, &len));
    assert_int_equal(transport_trips(), 2);
}

static void
lengths_are_told_and_nothing_is_used_up(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ULONG len = 0;

    assert_ok(C_SignRecoverInit(session, &pkcs, rsa.private));
    assert_ok(C_SignRecover(session, data, 20, NULL, &len));
    assert_int_equal(len, K);
    len = K - 1;
    assert_code(C_SignRecover(session, data, 20, signature, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, K);
    signature[K] = 0xcc;
    len = K + 1;
    assert_ok(C_SignRecover(session, data, 20, signature, &len));
    assert_int_equal(len, K);
    assert_int_equal(signature[K], 0xcc);
    assert_code(C_SignRecover(session, data, 20, signature, &len), CKR_OPERATION_NOT_INITIALIZED);

    assert_ok(C_VerifyRecoverInit(session, &pkcs, rsa.public));
    assert_ok(C_VerifyRecover(session, signature, K, NULL, &len));
    assert_true(len >= 20 && len <= K);
    len = 19;
    memset(back, 0xcc, sizeof back);
    assert_code(C_VerifyRecover(session, signature, K, back, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 20);
    assert_int_equal(back[0], 0xcc);
    assert_ok(C_VerifyRecover(session, signature, K, back, &len));
    assert_int_equal(len, 20);
    assert_memory_equal(back, data, 20);
    assert_int_equal(back[20], 0xcc);
    assert_code(C_VerifyRecover(session, signature, K, back, &len),
                CKR_OPERATION_NOT_INITIALIZED);
}

/* PKCS #11 v3.1, 5.16.2: what is wrong with the signature counts for more than the room. */
static void
wrong_signatures_have_their_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ULONG len;

    sign(&pkcs, 32);
    assert_code(recover(&pkcs, K - 1, &len), CKR_SIGNATURE_LEN_RANGE);
    assert_code(recover(&raw, K + 1, &len), CKR_SIGNATURE_LEN_RANGE);
    signature[9] ^= 1;
    assert_code(recover(&pkcs, K, &len), CKR_SIGNATURE_INVALID);
    assert_ok(C_VerifyRecoverInit(session, &pkcs, rsa.public));
    len = 1;
    assert_code(C_VerifyRecover(session, signature, K, back, &len), CKR_SIGNATURE_INVALID);
    memset(signature, 0xff, K);
    assert_code(recover(&pkcs, K, &len), CKR_SIGNATURE_INVALID);
    assert_code(recover(&raw, K, &len), CKR_SIGNATURE_INVALID);

    len = sizeof signature;
    assert_ok(C_SignRecoverInit(session, &pkcs, rsa.private));
    assert_code(C_SignRecover(session, data, K - 10, signature, &len), CKR_DATA_LEN_RANGE);
    assert_ok(C_SignRecoverInit(session, &raw, rsa.private));
    memset(back, 0xff, K);
    assert_code(C_SignRecover(session, back, K, signature, &len), CKR_DATA_INVALID);
    assert_ok(C_VerifyRecoverInit(session, &pkcs, rsa.public));
    assert_code(C_VerifyRecover(session, NULL, K, back, &len), CKR_ARGUMENTS_BAD);
    assert_ok(C_VerifyRecoverInit(session, &pkcs, rsa.public));
    assert_code(C_VerifyRecover(session, signature, ~(CK_ULONG)0, back, &len),
                CKR_SIGNATURE_LEN_RANGE);
}

/* A block of type 1 by hand: a fixed number of wrong ones. */
static void
padding_has_to_be_right(void **state)
{
    static const struct {
        size_t at;
        CK_BYTE value;
        CK_RV rv;
    } cases[] = {
        { 0, 0, CKR_OK },                /* nothing wrong */
        { 0, 1, CKR_SIGNATURE_INVALID }, /* no zero first */
        { 1, 2, CKR_SIGNATURE_INVALID }, /* another type */
        { 5, 0xfe, CKR_SIGNATURE_INVALID },
        { 9, 0, CKR_SIGNATURE_INVALID }, /* seven bytes of padding */
        { 10, 0, CKR_OK },               /* eight */
        { 100, 0xff, CKR_SIGNATURE_INVALID }, /* no zero at all: all is padding */
    };

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        CK_ULONG len;

        memset(data, 0xff, K);
        data[0] = 0;
        data[1] = 1;
        data[100] = 0;
        data[cases[i].at] = cases[i].value;
        sign(&raw, K);
        assert_code(recover(&pkcs, K, &len), cases[i].rv);
    }
}

/* Seed-requirements REQ-526, 529, 530, 533, 537, 538. */
static void
init_says_what_is_wrong(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM with = { CKM_RSA_PKCS, data, 4 }, hashed = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_OBJECT_HANDLE public, private, ec_public, ec_private;
    CK_ULONG len = 0;

    make_rsa(&public, &private);
    make_ec(&ec_public, &ec_private);
    assert_code(C_SignRecoverInit(session, &with, rsa.private), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_VerifyRecoverInit(session, &with, rsa.public), CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_SignRecoverInit(session, &hashed, rsa.private), CKR_MECHANISM_INVALID);
    assert_code(C_SignRecoverInit(session, &pkcs, 0x7777), CKR_KEY_HANDLE_INVALID);
    assert_code(C_VerifyRecoverInit(session, &pkcs, 0x7777), CKR_KEY_HANDLE_INVALID);
    assert_code(C_SignRecoverInit(session, &pkcs, rsa.public), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_VerifyRecoverInit(session, &pkcs, rsa.private), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_SignRecoverInit(session, &pkcs, ec_private), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_VerifyRecoverInit(session, &pkcs, make_aes()), CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_SignRecover(session, data, 1, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_VerifyRecover(session, data, K, back, &len), CKR_OPERATION_NOT_INITIALIZED);

    /* One operation at a time, and each function has its own. */
    assert_ok(C_SignRecoverInit(session, &pkcs, rsa.private));
    assert_code(C_SignInit(session, &pkcs, rsa.private), CKR_OPERATION_ACTIVE);
    assert_code(C_VerifyRecoverInit(session, &pkcs, rsa.public), CKR_OPERATION_ACTIVE);
    assert_code(C_Sign(session, data, 1, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_SignRecoverInit(session, NULL, 0)); /* ends it */
    assert_ok(C_VerifyRecoverInit(session, &pkcs, rsa.public));
    assert_ok(C_SessionCancel(session, CKF_VERIFY_RECOVER));
    assert_code(C_VerifyRecover(session, data, K, back, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void
the_right_to_recover_is_one_of_its_own(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE never = ATTR(CKA_SIGN_RECOVER, no), never_verify = ATTR(CKA_VERIFY_RECOVER, no);

    assert_ok(C_SetAttributeValue(session, rsa.private, &never, 1));
    assert_ok(C_SetAttributeValue(session, rsa.public, &never_verify, 1));
    assert_code(C_SignRecoverInit(session, &pkcs, rsa.private), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_code(C_VerifyRecoverInit(session, &pkcs, rsa.public), CKR_KEY_FUNCTION_NOT_PERMITTED);
    assert_ok(C_SignInit(session, &pkcs, rsa.private));
}

static void
a_cautious_key_wants_its_login(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 8 * K, len = K;
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN_RECOVER, yes), ATTR(CKA_ALWAYS_AUTHENTICATE, yes) };
    CK_OBJECT_HANDLE other = 0, key = 0;

    assert_ok(C_GenerateKeyPair(session, &mechanism, public, ARRAY_COUNT(public), private,
                                ARRAY_COUNT(private), &other, &key));
    assert_ok(C_SignRecoverInit(session, &pkcs, key));
    assert_code(C_SignRecover(session, data, 20, signature, &len), CKR_USER_NOT_LOGGED_IN);
    assert_ok(log_in(session, CKU_CONTEXT_SPECIFIC, PIN1));
    assert_ok(C_SignRecover(session, data, 20, signature, &len));
    assert_code(C_SignRecover(session, data, 20, signature, &len), CKR_OPERATION_NOT_INITIALIZED);
}

static void
raw_rsa_encrypts_blocks(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_ULONG len = 0;

    assert_ok(C_EncryptInit(session, &raw, rsa.public));
    assert_ok(C_Encrypt(session, data, 20, NULL, &len));
    assert_int_equal(len, K);
    assert_ok(C_Encrypt(session, data, 20, signature, &len));
    assert_ok(C_DecryptInit(session, &raw, rsa.private));
    assert_ok(C_Decrypt(session, signature, K, NULL, &len));
    assert_int_equal(len, K);
    len = K - 1;
    assert_code(C_Decrypt(session, signature, K, back, &len), CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, K);
    assert_ok(C_Decrypt(session, signature, K, signature, &len)); /* in place */
    assert_memory_equal(signature + K - 20, data, 20);
    assert_int_equal(signature[K - 21], 0);
    assert_ok(C_DecryptInit(session, &raw, rsa.private));
    assert_code(C_DecryptUpdate(session, signature, K, back, &len), CKR_OPERATION_NOT_INITIALIZED);
}

/* Seed-requirements C-6. */
static void
azure_has_no_such_functions(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE public, private;
    CK_ULONG len = sizeof back;

    make_rsa(&public, &private);
    assert_code(C_SignRecoverInit(session, &pkcs, private), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_SignRecover(session, data, 1, signature, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_VerifyRecoverInit(session, &pkcs, public), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_VerifyRecover(session, data, K, back, &len), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_SignRecoverInit(session + 1, &pkcs, private), CKR_SESSION_HANDLE_INVALID);
    assert_code(C_EncryptInit(session, &raw, public), CKR_MECHANISM_INVALID);
    assert_code(C_SignInit(session, &raw, private), CKR_MECHANISM_INVALID);
}

#define PAIR_TEST(name) cmocka_unit_test_setup_teardown(name, setup_pair, teardown)

int
main(void)
{
    const struct CMUnitTest standard[] = {
        PAIR_TEST(data_comes_back_out_of_its_signature),
        PAIR_TEST(lengths_are_told_and_nothing_is_used_up),
        PAIR_TEST(wrong_signatures_have_their_codes),
        PAIR_TEST(padding_has_to_be_right),
        PAIR_TEST(init_says_what_is_wrong),
        PAIR_TEST(the_right_to_recover_is_one_of_its_own),
        PAIR_TEST(a_cautious_key_wants_its_login),
        PAIR_TEST(raw_rsa_encrypts_blocks),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_has_no_such_functions),
    };

    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
