/* SPDX-License-Identifier: Apache-2.0
 *
 * Message-based encryption, whole and in parts, against the ordinary calls.
 */
#include "p11_test.h"

#define LONG_LEN 150000u

static CK_BYTE in[LONG_LEN], out[LONG_LEN], back[LONG_LEN], whole[LONG_LEN + 16];
static CK_BYTE aad[] = "associated";

static CK_GCM_MESSAGE_PARAMS
params(CK_BYTE iv[12], CK_BYTE tag[16], CK_GENERATOR_FUNCTION generator, CK_ULONG fixed)
{
    return (CK_GCM_MESSAGE_PARAMS){ iv, 12, fixed, generator, tag, 128 };
}

static CK_RV
encrypt(CK_GCM_MESSAGE_PARAMS p, CK_ULONG len)
{
    CK_ULONG out_len = sizeof out;

    return C_EncryptMessage(fixture.session, &p, sizeof p, aad, sizeof aad, in, len, out,
                            &out_len);
}

static CK_RV
decrypt(CK_GCM_MESSAGE_PARAMS p, CK_ULONG len)
{
    CK_ULONG back_len = sizeof back;

    return C_DecryptMessage(fixture.session, &p, sizeof p, aad, sizeof aad, out, len, back,
                            &back_len);
}

static void
messages_are_what_single_calls_give(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    const CK_ULONG lens[] = { 0, 1, 100, LONG_LEN };
    CK_BYTE iv[12] = "initialvecto", tag[16];
    CK_GCM_PARAMS plain = { iv, 12, 96, aad, sizeof aad, 128 };
    CK_MECHANISM gcm = { CKM_AES_GCM, &plain, sizeof plain };
    CK_OBJECT_HANDLE key = make_aes();

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        CK_ULONG len = sizeof whole;

        assert_ok(C_EncryptInit(session, &gcm, key));
        assert_ok(C_Encrypt(session, in, lens[i], whole, &len));
        assert_ok(C_MessageEncryptInit(session, &mechanism, key));
        assert_ok(encrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i]));
        assert_memory_equal(out, whole, lens[i]);
        assert_memory_equal(tag, whole + lens[i], 16);
        assert_ok(C_MessageEncryptFinal(session));

        assert_ok(C_MessageDecryptInit(session, &mechanism, key));
        assert_ok(decrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i]));
        assert_memory_equal(back, in, lens[i]);
        tag[3] ^= 1;
        memset(back, 0, sizeof back);
        assert_code(decrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i]),
                    CKR_AEAD_DECRYPT_FAILED);
        assert_int_equal(back[0], 0);
        tag[3] ^= 1;
        assert_ok(decrypt(params(iv, tag, CKG_NO_GENERATE, 0), lens[i])); /* it goes on */
        assert_ok(C_MessageDecryptFinal(session));
    }
}

/* The tag of ChaCha20-Poly1305 has one length, and the nonce's is told in bits. */
static void
chacha20_messages_are_what_single_calls_give(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_CHACHA20_POLY1305, NULL, 0 };
    CK_BYTE nonce[12] = "twelve bytes", tag[16];
    CK_SALSA20_CHACHA20_POLY1305_PARAMS plain = { nonce, 96, aad, sizeof aad };
    CK_SALSA20_CHACHA20_POLY1305_MSG_PARAMS p = { nonce, 96, tag };
    CK_MECHANISM single = { CKM_CHACHA20_POLY1305, &plain, sizeof plain };
    CK_OBJECT_HANDLE key = make_key_of(CKM_CHACHA20_KEY_GEN, 32);
    const CK_ULONG lens[] = { 0, 1, 100, LONG_LEN };

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        CK_ULONG len = sizeof whole, out_len = sizeof out, back_len = sizeof back;

        assert_ok(C_EncryptInit(session, &single, key));
        assert_ok(C_Encrypt(session, in, lens[i], whole, &len));
        assert_int_equal(len, lens[i] + 16);
        assert_ok(C_MessageEncryptInit(session, &mechanism, key));
        assert_ok(C_EncryptMessage(session, &p, sizeof p, aad, sizeof aad, in, lens[i], out,
                                   &out_len));
        assert_int_equal(out_len, lens[i]);
        assert_memory_equal(out, whole, lens[i]);
        assert_memory_equal(tag, whole + lens[i], 16);
        assert_ok(C_MessageEncryptFinal(session));

        assert_ok(C_MessageDecryptInit(session, &mechanism, key));
        assert_ok(C_DecryptMessage(session, &p, sizeof p, aad, sizeof aad, out, lens[i], back,
                                   &back_len));
        assert_memory_equal(back, in, lens[i]);
        tag[15] ^= 1;
        back_len = sizeof back;
        memset(back, 0, sizeof back);
        assert_code(C_DecryptMessage(session, &p, sizeof p, aad, sizeof aad, out, lens[i], back,
                                     &back_len), CKR_AEAD_DECRYPT_FAILED);
        assert_int_equal(back[0], 0);
        p.ulNonceLen = 64;
        assert_code(C_DecryptMessage(session, &p, sizeof p, aad, sizeof aad, out, lens[i], back,
                                     &back_len), CKR_MECHANISM_PARAM_INVALID);
        p.ulNonceLen = 96;
        assert_ok(C_MessageDecryptFinal(session));
    }
}

static void
ivs_are_drawn_after_their_fixed_bits(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_BYTE first[12] = "abcdefghijkl", second[12] = "abcdefghijkl", tag[16];
    CK_OBJECT_HANDLE key = make_aes();

    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(encrypt(params(first, tag, CKG_GENERATE_RANDOM, 28), 10));
    assert_ok(encrypt(params(second, tag, CKG_GENERATE, 28), 10));
    assert_memory_equal(first, "abc", 3);
    assert_int_equal(first[3] >> 4, 'd' >> 4);
    assert_memory_not_equal(first + 4, "efghijkl", 8);
    assert_memory_not_equal(first, second, 12);
    assert_code(encrypt(params(first, tag, CKG_GENERATE, 33), 10), CKR_MECHANISM_PARAM_INVALID);
    assert_code(encrypt(params(first, tag, 5, 0), 10), CKR_MECHANISM_PARAM_INVALID);
    assert_code(encrypt(params(first, tag, CKG_GENERATE_COUNTER, 96), 10),
                CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_MessageEncryptInit(session, NULL, 0));
    assert_ok(C_MessageDecryptInit(session, &mechanism, key));
    assert_ok(decrypt(params(second, tag, CKG_NO_GENERATE, 0), 10));
    assert_memory_equal(back, in, 10);
}

static void
messages_give_their_codes(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 }, ecb = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE iv[12] = { 1 }, tag[16];
    CK_GCM_MESSAGE_PARAMS p = params(iv, tag, CKG_NO_GENERATE, 0);
    CK_OBJECT_HANDLE key = make_aes();
    CK_ULONG len = 9;

    assert_code(encrypt(p, 10), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_MessageEncryptFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_MessageEncryptInit(session, &ecb, key), CKR_MECHANISM_INVALID);
    assert_code(C_MessageEncryptInit(session, &mechanism, make_generic()),
                CKR_KEY_TYPE_INCONSISTENT);
    assert_code(C_MessageEncryptInit(session, &mechanism, 0), CKR_KEY_HANDLE_INVALID);
    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_code(C_MessageEncryptInit(session, &mechanism, key), CKR_OPERATION_ACTIVE);
    assert_code(C_EncryptInit(session, &ecb, key), CKR_OPERATION_ACTIVE);
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len),
                CKR_BUFFER_TOO_SMALL);
    assert_int_equal(len, 10);
    assert_ok(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 20, NULL, &len));
    assert_int_equal(len, 20);
    assert_code(C_EncryptMessage(session, &p, sizeof p - 1, NULL, 0, in, 20, out, &len),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_EncryptMessage(session, NULL, 0, NULL, 0, in, 20, out, &len),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 1, in, 20, out, &len),
                CKR_ARGUMENTS_BAD);
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 20, out, NULL),
                CKR_ARGUMENTS_BAD);
    p.pTag = NULL;
    assert_code(encrypt(p, 10), CKR_MECHANISM_PARAM_INVALID);
    p.pTag = tag;
    p.ulTagBits = 136;
    assert_code(encrypt(p, 10), CKR_MECHANISM_PARAM_INVALID);
    p.ulTagBits = 128;
    assert_ok(encrypt(p, 10)); /* after all of that */
    assert_ok(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT));
    assert_code(encrypt(p, 10), CKR_OPERATION_NOT_INITIALIZED);
}

/* The counter stands where it should, begins at 0 and ends. */
static void
ivs_count_behind_their_fixed_bits(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_BYTE iv[12] = "abcdefghijkl", tag[16];
    CK_OBJECT_HANDLE key = make_aes();

    for (unsigned round = 0; round < 2; round++) {
        memcpy(iv, "abcdefghijkl", 12);
        assert_ok(C_MessageEncryptInit(session, &mechanism, key));
        for (CK_BYTE i = 0; i < 8; i++) {
            assert_ok(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 93), i));
            assert_memory_equal(iv, "abcdefghijk", 11);
            assert_int_equal(iv[11], ('l' & 0xf8) | i);
        }
        assert_code(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 93), 1),
                    CKR_MECHANISM_PARAM_INVALID);
        assert_ok(C_MessageEncryptFinal(session));
    }
    /* A message that fails has used its number. */
    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 32), 1));
    transport_fail(OPERATION_ENCRYPT, CKR_DEVICE_ERROR);
    assert_code(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 32), 1), CKR_DEVICE_ERROR);
    transport_fail(OPERATION_NONE, CKR_OK);
    assert_ok(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 32), 1));
    assert_memory_equal(iv, "abcd\0\0\0\0\0\0\0\2", 12);
    /* Fixed bits that change would make a number stand twice. */
    assert_code(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 40), 1),
                CKR_MECHANISM_PARAM_INVALID);
    iv[3] ^= 1;
    assert_code(encrypt(params(iv, tag, CKG_GENERATE_COUNTER, 32), 1),
                CKR_MECHANISM_PARAM_INVALID);
    assert_code(encrypt(params(iv, tag, CKG_GENERATE_COUNTER_XOR, 32), 1),
                CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_MessageEncryptFinal(session));
}

/* As TLS 1.3 has it: a number added to an IV that stays. */
static void
ivs_have_numbers_added(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_BYTE base[12] = "abcdefghijkl", iv[12], tag[16];
    CK_OBJECT_HANDLE key = make_aes();

    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    for (unsigned i = 0; i < 300; i++) {
        memcpy(iv, base, 12);
        assert_ok(encrypt(params(iv, tag, CKG_GENERATE_COUNTER_XOR, 32), 1));
        assert_memory_equal(iv, base, 10);
        assert_int_equal(iv[10], base[10] ^ i >> 8);
        assert_int_equal(iv[11], base[11] ^ (i & 0xff));
    }
    /* Added to what came out last, numbers would give the same IV again. */
    assert_code(encrypt(params(iv, tag, CKG_GENERATE_COUNTER_XOR, 32), 1),
                CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_MessageEncryptFinal(session));
}

/* ---- in parts ---- */

static CK_RV
encrypt_next(CK_GCM_MESSAGE_PARAMS p, CK_ULONG at, CK_ULONG len, CK_FLAGS flags)
{
    CK_ULONG out_len = len;
    CK_RV rv = C_EncryptMessageNext(fixture.session, &p, sizeof p, in + at, len, out + at,
                                    &out_len, flags);

    if (rv == CKR_OK) {
        assert_int_equal(out_len, len);
    }
    return rv;
}

static void
messages_in_parts_are_what_whole_ones_are(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    static const CK_ULONG sizes[] = { 1, 15, 16, 17, 5000, 65536, LONG_LEN };
    CK_BYTE iv[12] = "initialvecto", tag[16], part_tag[16];
    CK_GCM_MESSAGE_PARAMS p = params(iv, part_tag, CKG_NO_GENERATE, 0);
    CK_OBJECT_HANDLE key = make_aes();

    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        CK_ULONG len = sizes[i] < 20 ? 100 : LONG_LEN, step = sizes[i], out_len, at;

        assert_ok(C_MessageEncryptInit(session, &mechanism, key));
        assert_ok(encrypt(params(iv, tag, CKG_NO_GENERATE, 0), len));
        memcpy(whole, out, len);
        memset(out, 0, len);
        assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad));
        for (at = 0; len - at > step; at += step) {
            assert_ok(encrypt_next(p, at, step, 0));
        }
        assert_ok(encrypt_next(p, at, len - at, CKF_END_OF_MESSAGE));
        assert_memory_equal(out, whole, len);
        assert_memory_equal(tag, part_tag, 16);
        assert_ok(C_MessageEncryptFinal(session));

        assert_ok(C_MessageDecryptInit(session, &mechanism, key));
        assert_ok(C_DecryptMessageBegin(session, &p, sizeof p, aad, sizeof aad));
        memset(back, 0, sizeof back);
        for (at = 0; len - at > step; at += step) {
            out_len = sizeof back;
            assert_ok(C_DecryptMessageNext(session, &p, sizeof p, out + at, step, back, &out_len,
                                           0));
            assert_int_equal(out_len, 0); /* not before the tag */
        }
        out_len = len - 1;
        assert_code(C_DecryptMessageNext(session, &p, sizeof p, out + at, len - at, back, &out_len,
                                         CKF_END_OF_MESSAGE),
                    CKR_BUFFER_TOO_SMALL);
        assert_int_equal(out_len, len);
        assert_ok(C_DecryptMessageNext(session, &p, sizeof p, out + at, len - at, NULL, &out_len,
                                       CKF_END_OF_MESSAGE));
        assert_int_equal(out_len, len);
        assert_int_equal(back[0], 0);
        assert_ok(C_DecryptMessageNext(session, &p, sizeof p, out + at, len - at, back, &out_len,
                                       CKF_END_OF_MESSAGE));
        assert_int_equal(out_len, len);
        assert_memory_equal(back, in, len);
        /* A wrong tag ends the message and returns nothing; the process goes on. */
        assert_ok(C_DecryptMessageBegin(session, &p, sizeof p, aad, sizeof aad - 1));
        memset(back, 0, sizeof back);
        out_len = len;
        assert_code(C_DecryptMessageNext(session, &p, sizeof p, out, len, back, &out_len,
                                         CKF_END_OF_MESSAGE),
                    CKR_AEAD_DECRYPT_FAILED);
        assert_int_equal(back[0], 0);
        assert_int_equal(back[len - 1], 0);
        assert_ok(decrypt(p, len));
        assert_memory_equal(back, in, len);
        assert_ok(C_MessageDecryptFinal(session));
    }
}

static void
messages_in_parts_have_their_states(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_BYTE iv[12] = { 1 }, tag[16];
    CK_GCM_MESSAGE_PARAMS p = params(iv, tag, CKG_NO_GENERATE, 0), short_tag = p;
    CK_OBJECT_HANDLE key = make_aes();
    CK_ULONG len = 9;

    short_tag.ulTagBits = 96;
    assert_code(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0),
                CKR_OPERATION_NOT_INITIALIZED);
    assert_code(encrypt_next(p, 0, 1, 0), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_code(encrypt_next(p, 0, 1, 0), CKR_OPERATION_NOT_INITIALIZED);
    assert_code(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 1), CKR_ARGUMENTS_BAD);
    assert_code(C_EncryptMessageBegin(session, &p, 1, NULL, 0), CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    /* One message at a time. */
    assert_code(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0), CKR_OPERATION_ACTIVE);
    assert_code(encrypt(p, 10), CKR_OPERATION_ACTIVE);
    assert_code(C_MessageEncryptFinal(session), CKR_OPERATION_ACTIVE);
    /* A length, or no room for it: nothing is done. */
    assert_code(C_EncryptMessageNext(session, &p, sizeof p, in, 10, out, &len, 0),
                CKR_BUFFER_TOO_SMALL);
    assert_ok(C_EncryptMessageNext(session, &p, sizeof p, in, 20, NULL, &len, 0));
    assert_int_equal(len, 20);
    assert_ok(encrypt_next(p, 0, 20, 0));
    /* An error ends the message and not the process. */
    assert_code(C_EncryptMessageNext(session, &p, sizeof p, NULL, 10, out, &len, 0),
                CKR_ARGUMENTS_BAD);
    assert_code(encrypt_next(p, 20, 20, CKF_END_OF_MESSAGE), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    assert_ok(encrypt_next(p, 0, 20, 0));
    assert_code(encrypt_next(short_tag, 20, 20, CKF_END_OF_MESSAGE), CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    assert_code(C_EncryptMessageNext(session, &p, sizeof p, in, 1, out, NULL, 0),
                CKR_ARGUMENTS_BAD);
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    assert_code(encrypt_next(p, 0, 1, 2), CKR_ARGUMENTS_BAD);
    assert_ok(encrypt(p, 10));
    /* Cancelled with a message open. */
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    assert_ok(encrypt_next(p, 0, 20, 0));
    assert_ok(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT));
    assert_code(encrypt_next(p, 0, 20, 0), CKR_OPERATION_NOT_INITIALIZED);
    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    assert_ok(encrypt_next(p, 0, 20, 0));
    assert_ok(C_MessageEncryptInit(session, NULL, 0));
    assert_code(C_MessageEncryptFinal(session), CKR_OPERATION_NOT_INITIALIZED);
    /* What the HSM held is gone with it: an ordinary operation has the place. */
    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, NULL, 0));
    assert_ok(encrypt_next(p, 0, 0, 0));
    assert_ok(encrypt_next(p, 0, 0, CKF_END_OF_MESSAGE));
    assert_ok(C_MessageEncryptFinal(session));
}

/* The IV is told when it is made, before any part. */
static void
messages_in_parts_generate_their_iv(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };
    CK_BYTE iv[12] = "abcdefghijkl", tag[16];
    CK_GCM_MESSAGE_PARAMS p = params(iv, tag, CKG_GENERATE, 32);
    CK_OBJECT_HANDLE key = make_aes();

    assert_ok(C_MessageEncryptInit(session, &mechanism, key));
    assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad));
    assert_memory_equal(iv, "abcd", 4);
    assert_memory_not_equal(iv + 4, "efghijkl", 8);
    assert_ok(encrypt_next(p, 0, 100, 0));
    assert_ok(encrypt_next(p, 100, 100, CKF_END_OF_MESSAGE));
    assert_ok(C_MessageEncryptFinal(session));
    assert_ok(C_MessageDecryptInit(session, &mechanism, key));
    assert_ok(decrypt(p, 200));
    assert_memory_equal(back, in, 200);
    assert_ok(C_MessageDecryptFinal(session));
}

/* ---- CCM ---- */

static void
ccm_messages_are_what_single_calls_give(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_CCM, NULL, 0 };
    static const CK_ULONG lens[] = { 0, 1, 100, 65000 };
    CK_BYTE nonce[12] = "initialvecto", mac[8];
    CK_OBJECT_HANDLE key = make_aes();

    for (size_t i = 0; i < ARRAY_COUNT(lens); i++) {
        CK_ULONG len = sizeof whole, out_len, half = lens[i] / 2;
        CK_CCM_PARAMS plain = { lens[i], nonce, 12, aad, sizeof aad, 8 };
        CK_MECHANISM ccm = { CKM_AES_CCM, &plain, sizeof plain };
        CK_CCM_MESSAGE_PARAMS p = { lens[i], nonce, 12, 0, CKG_NO_GENERATE, mac, 8 };

        assert_ok(C_EncryptInit(session, &ccm, key));
        assert_ok(C_Encrypt(session, in, lens[i], whole, &len));
        assert_ok(C_MessageEncryptInit(session, &mechanism, key));
        out_len = lens[i];
        assert_ok(C_EncryptMessage(session, &p, sizeof p, aad, sizeof aad, in, lens[i], out,
                                   &out_len));
        assert_memory_equal(out, whole, lens[i]);
        assert_memory_equal(mac, whole + lens[i], 8);
        memset(mac, 0, 8);
        assert_ok(C_EncryptMessageBegin(session, &p, sizeof p, aad, sizeof aad));
        out_len = half;
        assert_ok(C_EncryptMessageNext(session, &p, sizeof p, in, half, out, &out_len, 0));
        out_len = lens[i] - half;
        assert_ok(C_EncryptMessageNext(session, &p, sizeof p, in + half, lens[i] - half,
                                       out + half, &out_len, CKF_END_OF_MESSAGE));
        assert_memory_equal(out, whole, lens[i]);
        assert_memory_equal(mac, whole + lens[i], 8);
        p.ulDataLen++;
        out_len = sizeof out;
        assert_code(C_EncryptMessage(session, &p, sizeof p, aad, sizeof aad, in, lens[i], out,
                                     &out_len),
                    CKR_DATA_LEN_RANGE);
        p.ulDataLen--;
        assert_ok(C_MessageEncryptFinal(session));

        assert_ok(C_MessageDecryptInit(session, &mechanism, key));
        assert_ok(C_DecryptMessageBegin(session, &p, sizeof p, aad, sizeof aad));
        out_len = 0;
        assert_ok(C_DecryptMessageNext(session, &p, sizeof p, whole, half, back, &out_len, 0));
        out_len = lens[i];
        assert_ok(C_DecryptMessageNext(session, &p, sizeof p, whole + half, lens[i] - half, back,
                                       &out_len, CKF_END_OF_MESSAGE));
        assert_int_equal(out_len, lens[i]);
        assert_memory_equal(back, in, lens[i]);
        mac[0] ^= 1;
        assert_code(C_DecryptMessage(session, &p, sizeof p, aad, sizeof aad, whole, lens[i], back,
                                     &out_len),
                    CKR_AEAD_DECRYPT_FAILED);
        assert_ok(C_MessageDecryptFinal(session));
    }
}

static void
ccm_nonces_are_generated(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_CCM, NULL, 0 };
    CK_BYTE nonce[13] = "initialvector", mac[8];
    CK_CCM_MESSAGE_PARAMS p = { 10, nonce, 13, 40, CKG_GENERATE, mac, 8 };
    CK_ULONG len = 10;

    assert_ok(C_MessageEncryptInit(session, &mechanism, make_aes()));
    assert_ok(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len));
    assert_memory_equal(nonce, "initi", 5);
    assert_memory_not_equal(nonce + 5, "alvector", 8);
    p.nonceGenerator = CKG_GENERATE_COUNTER;
    assert_ok(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len));
    assert_ok(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len));
    assert_memory_equal(nonce, "initi\0\0\0\0\0\0\0\1", 13);
    p.ulMACLen = 17;
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len),
                CKR_MECHANISM_PARAM_INVALID);
    p.ulMACLen = 8;
    p.ulDataLen = (CK_ULONG)1 << 32;
    assert_code(C_EncryptMessage(session, &p, sizeof p, NULL, 0, in, 10, out, &len),
                CKR_MECHANISM_PARAM_INVALID);
    assert_ok(C_SessionCancel(session, CKF_MESSAGE_ENCRYPT));
}

static void
mechanisms_say_that_they_take_messages(void **state)
{
    static const struct {
        CK_MECHANISM_TYPE type;
        CK_FLAGS flags;
    } rows[] = {
        { CKM_AES_GCM, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE },
        { CKM_AES_CCM, CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MULTI_MESSAGE },
        { CKM_AES_CBC_PAD, 0 },
    };
    const CK_FLAGS all = CKF_MESSAGE_ENCRYPT | CKF_MESSAGE_DECRYPT | CKF_MESSAGE_SIGN |
                         CKF_MESSAGE_VERIFY | CKF_MULTI_MESSAGE;

    UNUSED(state);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        CK_MECHANISM_INFO info;

        assert_ok(C_GetMechanismInfo(SLOT, rows[i].type, &info));
        assert_int_equal(info.flags & all, rows[i].flags);
    }
}

static void
azure_has_no_messages(void **state)
{
    CK_SESSION_HANDLE session = ((struct fixture *)*state)->session;
    CK_MECHANISM mechanism = { CKM_AES_GCM, NULL, 0 };

    assert_code(C_MessageEncryptInit(session, &mechanism, make_aes()),
                CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_MessageDecryptFinal(session), CKR_FUNCTION_NOT_SUPPORTED);
    assert_code(C_EncryptMessageBegin(session, NULL, 0, NULL, 0), CKR_FUNCTION_NOT_SUPPORTED);
}

int
main(void)
{
    const struct CMUnitTest standard[] = {
        TEST(messages_are_what_single_calls_give),
        TEST(chacha20_messages_are_what_single_calls_give),
        TEST(ivs_are_drawn_after_their_fixed_bits),
        TEST(messages_give_their_codes),
        TEST(ivs_count_behind_their_fixed_bits),
        TEST(ivs_have_numbers_added),
        TEST(messages_in_parts_are_what_whole_ones_are),
        TEST(messages_in_parts_have_their_states),
        TEST(messages_in_parts_generate_their_iv),
        TEST(ccm_messages_are_what_single_calls_give),
        TEST(ccm_nonces_are_generated),
        TEST(mechanisms_say_that_they_take_messages),
    };
    const struct CMUnitTest azure[] = {
        TEST(azure_has_no_messages),
    };

    fill_bytes(in, sizeof in);
    return cmocka_run_group_tests(standard, group_standard, group_teardown) +
           cmocka_run_group_tests(azure, group_azure, group_teardown);
}
