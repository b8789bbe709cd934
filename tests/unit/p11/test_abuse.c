/* SPDX-License-Identifier: Apache-2.0
 *
 * What applications do that they should not: no pointers, lengths without sense, templates that
 * lie anywhere; and from several threads at once, sessions closed, logged out and finalised under
 * the feet of calls. Each call returns a code that fits, and afterwards all is as it should be.
 */
#include "p11_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#define WORKERS 5
#define SESSIONS 6
#define STRESS_MS 1500
#define HUGE ((CK_ULONG)-1)

/* ---- arguments ---- */

static void
refused_check(CK_RV rv, const char *what, int line)
{
    if (rv == CKR_OK || !return_is_known(rv)) {
        print_error("%s: %s\n", what, return_name(rv));
        _fail(__FILE__, line);
    }
}

#define refused(call) refused_check(call, #call, __LINE__)

static void
calls_without_pointers_are_refused(void **state)
{
    CK_SESSION_HANDLE s = ((struct fixture *)*state)->session;
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 }, gcm = { CKM_AES_GCM, NULL, 0 };
    CK_MECHANISM pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 }, aes = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes(), object;
    CK_ULONG len = 0;
    CK_BYTE byte = 0;

    refused(C_GetInfo(NULL));
    refused(C_GetFunctionList(NULL));
    refused(C_GetSlotList(CK_TRUE, NULL, NULL));
    refused(C_GetSlotInfo(SLOT, NULL));
    refused(C_GetTokenInfo(SLOT, NULL));
    refused(C_GetMechanismList(SLOT, NULL, NULL));
    refused(C_GetMechanismInfo(SLOT, CKM_AES_GCM, NULL));
    refused(C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, NULL));
    refused(C_GetSessionInfo(s, NULL));
    refused(C_Login(s, CKU_USER, NULL, 8));
    refused(C_LoginUser(s, CKU_USER, NULL, 8, NULL, 8));
    refused(C_CreateObject(s, NULL, 1, &object));
    refused(C_CreateObject(s, NULL, 0, NULL));
    refused(C_CopyObject(s, key, NULL, 1, &object));
    refused(C_CopyObject(s, key, NULL, 0, NULL));
    refused(C_DestroyObject(s, 0));
    refused(C_GetObjectSize(s, key, NULL));
    refused(C_GetAttributeValue(s, key, NULL, 1));
    refused(C_SetAttributeValue(s, key, NULL, 1));
    refused(C_FindObjectsInit(s, NULL, 1));
    assert_ok(C_FindObjectsInit(s, NULL, 0));
    refused(C_FindObjects(s, NULL, 1, &len));
    refused(C_FindObjects(s, &object, 1, NULL));
    assert_ok(C_FindObjectsFinal(s));
    refused(C_EncryptInit(s, NULL, key));
    refused(C_EncryptInit(s, &gcm, key));
    refused(C_DigestInit(s, NULL));
    assert_ok(C_DigestInit(s, &sha));
    refused(C_Digest(s, NULL, 1, &byte, &len));
    assert_ok(C_DigestInit(s, &sha));
    refused(C_Digest(s, &byte, 1, &byte, NULL));
    assert_ok(C_DigestInit(s, &sha));
    refused(C_DigestUpdate(s, NULL, 1));
    refused(C_GenerateKey(s, NULL, NULL, 0, &object));
    refused(C_GenerateKey(s, &aes, NULL, 0, NULL));
    refused(C_GenerateKey(s, &aes, NULL, 3, &object));
    refused(C_GenerateKeyPair(s, NULL, NULL, 0, NULL, 0, &object, &object));
    refused(C_GenerateKeyPair(s, &pair, NULL, 1, NULL, 1, &object, &object));
    refused(C_GenerateKeyPair(s, &pair, NULL, 0, NULL, 0, NULL, NULL));
    refused(C_WrapKey(s, NULL, 0, 0, NULL, NULL));
    refused(C_UnwrapKey(s, NULL, 0, NULL, 1, NULL, 1, NULL));
    refused(C_DeriveKey(s, NULL, 0, NULL, 1, NULL));
    refused(C_GenerateRandom(s, NULL, 1));
    refused(C_SeedRandom(s, NULL, 1));
    assert_ok(C_SessionCancel(s, ~(CK_FLAGS)0));
}

/* Lengths that no memory has are refused before anything is read or written there. */
static void
lengths_without_sense_are_refused(void **state)
{
    CK_SESSION_HANDLE s = ((struct fixture *)*state)->session;
    CK_MECHANISM sha = { CKM_SHA256, NULL, 0 }, aes = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_BYTE bytes[16] = { 'c', 'u', '1', ':' };
    CK_GCM_PARAMS gcm = { bytes, HUGE, HUGE, bytes, HUGE, 128 };
    CK_MECHANISM lies[] = { { CKM_AES_GCM, &gcm, sizeof gcm }, { CKM_AES_GCM, &gcm, HUGE },
                            { CKM_AES_CBC, bytes, HUGE }, { CKM_AES_ECB, bytes, HUGE } };
    CK_ATTRIBUTE label = { CKA_LABEL, bytes, HUGE };
    CK_OBJECT_HANDLE key = make_aes(), mac = make_generic(), object;
    CK_MECHANISM hmac = { CKM_SHA256_HMAC, NULL, 0 };
    CK_ULONG len = HUGE;

    refused(C_CreateObject(s, &label, 1, &object));
    refused(C_CreateObject(s, &label, HUGE, &object));
    refused(C_CopyObject(s, key, &label, HUGE, &object));
    refused(C_SetAttributeValue(s, key, &label, 1));
    refused(C_SetAttributeValue(s, key, &label, HUGE));
    refused(C_GetAttributeValue(s, key, &label, HUGE));
    refused(C_FindObjectsInit(s, &label, 1));
    refused(C_FindObjectsInit(s, &label, HUGE));
    refused(C_GenerateKey(s, &aes, &label, HUGE, &object));
    for (size_t i = 0; i < ARRAY_COUNT(lies); i++) {
        refused(C_EncryptInit(s, &lies[i], key));
    }
    assert_ok(C_DigestInit(s, &sha));
    refused(C_Digest(s, bytes, HUGE, bytes, &len));
    assert_ok(C_DigestInit(s, &sha));
    refused(C_DigestUpdate(s, bytes, HUGE));
    assert_ok(C_VerifyInit(s, &hmac, mac));
    refused(C_Verify(s, bytes, 1, bytes, HUGE));
    refused(C_GenerateRandom(s, bytes, HUGE));
    refused(C_SeedRandom(s, bytes, HUGE));
    assert_ok(C_Logout(s));
    refused(C_Login(s, CKU_USER, bytes, HUGE));
    refused(C_LoginUser(s, CKU_USER, bytes, HUGE, bytes, HUGE));
    assert_int_equal(bytes[0], 'c');
    assert_ok(log_in(s, CKU_USER, PIN1));
}

static void
templates_may_lie_anywhere(void **state)
{
    CK_SESSION_HANDLE s = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE key = make_aes();
    CK_BYTE room[1 + 2 * sizeof(CK_ATTRIBUTE)], out[1 + sizeof(CK_ULONG)], label[8];
    CK_ATTRIBUTE asked[2] = { { CKA_VALUE_LEN, out + 1, sizeof(CK_ULONG) },
                              { CKA_LABEL, label, sizeof label } };
    CK_ATTRIBUTE *unaligned = (void *)(room + 1);
    CK_ATTRIBUTE name = TEXT(CKA_LABEL, "odd");
    CK_ULONG value_len;

    memcpy(room + 1, &name, sizeof name);
    assert_ok(C_SetAttributeValue(s, key, unaligned, 1));
    memcpy(room + 1, asked, sizeof asked);
    assert_ok(C_GetAttributeValue(s, key, unaligned, 2));

    memcpy(asked, room + 1, sizeof asked);
    memcpy(&value_len, out + 1, sizeof value_len);
    assert_int_equal(value_len, 32);
    assert_int_equal(asked[1].ulValueLen, 3);
    assert_memory_equal(label, "odd", 3);
}

/* A million attributes, which are all there: too many, whatever they say. */
static void
a_million_attributes_are_refused(void **state)
{
    enum { MILLION = 1000000 };
    CK_SESSION_HANDLE s = ((struct fixture *)*state)->session;
    CK_ATTRIBUTE *many = calloc(MILLION, sizeof *many), small[2];
    CK_MECHANISM aes = { CKM_AES_KEY_GEN, NULL, 0 }, pair = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_OBJECT_HANDLE key = make_aes(), object = 77, other = 77;
    CK_ATTRIBUTE nested = { CKA_WRAP_TEMPLATE, many, MILLION * sizeof *many };

    assert_non_null(many);
    for (size_t i = 0; i < MILLION; i++) {
        many[i] = (CK_ATTRIBUTE)TEXT(CKA_LABEL, "the same");
    }
    refused(C_CreateObject(s, many, MILLION, &object));
    refused(C_CopyObject(s, key, many, MILLION, &object));
    refused(C_SetAttributeValue(s, key, many, MILLION));
    refused(C_FindObjectsInit(s, many, MILLION));
    refused(C_GenerateKey(s, &aes, many, MILLION, &object));
    refused(C_GenerateKeyPair(s, &pair, many, MILLION, many, MILLION, &object, &other));
    refused(C_UnwrapKey(s, &aes, key, (CK_BYTE *)"blob", 4, many, MILLION, &object));
    refused(C_DeriveKey(s, &aes, key, many, MILLION, &object));
    refused(C_SetAttributeValue(s, key, &nested, 1));
    refused(C_CreateObject(s, &nested, 1, &object));
    refused(C_GetAttributeValue(s, key, many, MILLION));
    /* Templates in templates, without end: this one holds itself. */
    small[0] = (CK_ATTRIBUTE){ CKA_WRAP_TEMPLATE, small, sizeof small };
    small[1] = (CK_ATTRIBUTE)TEXT(CKA_LABEL, "round");
    refused(C_SetAttributeValue(s, key, small, 2));
    refused(C_CreateObject(s, small, 2, &object));
    refused(C_FindObjectsInit(s, small, 2));
    refused(C_GetAttributeValue(s, key, small, 2));
    assert_int_equal(object, 77);
    assert_int_equal(other, 77);
    free(many);
    assert_ok(C_SessionCancel(s, ~(CK_FLAGS)0));
}

/* Of every mechanism, parameters of every length up to beyond its structure, full of ones: what is
 * in them are lengths that no memory has. And no parameter with a length. */
static void
absurd_parameters_are_refused(void **state)
{
    typedef CK_RV init_function(CK_SESSION_HANDLE, CK_MECHANISM *, CK_OBJECT_HANDLE);
    static init_function *const inits[] = { C_EncryptInit, C_DecryptInit, C_SignInit, C_VerifyInit,
                                            C_SignRecoverInit, C_VerifyRecoverInit,
                                            C_MessageEncryptInit, C_MessageDecryptInit };
    CK_SESSION_HANDLE s = ((struct fixture *)*state)->session;
    CK_OBJECT_HANDLE public, private, keys[4], object = 77;
    CK_MECHANISM_TYPE types[400];
    CK_ULONG count = ARRAY_COUNT(types), taken = 0;
    CK_BYTE ones[256], blob[64] = { 0 };

    memset(ones, 0xff, sizeof ones);
    make_rsa(&public, &private);
    keys[0] = make_aes();
    keys[1] = make_generic();
    keys[2] = public;
    keys[3] = private;
    assert_ok(C_GetMechanismList(SLOT, types, &count));
    for (CK_ULONG i = 0; i < count; i++) {
        for (CK_ULONG len = 1; len <= sizeof ones; len += len < 130 ? 1 : 63) {
            CK_MECHANISM mechanism = { types[i], ones, len };
            CK_ULONG out_len = sizeof blob;
            CK_OBJECT_HANDLE key = keys[(i + len) % 4];

            for (size_t k = 0; k < ARRAY_COUNT(inits); k++) {
                CK_RV rv = inits[k](s, &mechanism, key);

                assert_true(return_is_known(rv));
                taken += rv == CKR_OK;
                assert_ok(C_SessionCancel(s, ~(CK_FLAGS)0));
            }
            refused(C_WrapKey(s, &mechanism, key, keys[1], blob, &out_len));
            refused(C_UnwrapKey(s, &mechanism, key, blob, sizeof blob, NULL, 0, &object));
            refused(C_DeriveKey(s, &mechanism, key, NULL, 0, &object));
            mechanism.pParameter = NULL;
            refused(C_DeriveKey(s, &mechanism, key, NULL, 0, &object));
            refused(C_WrapKey(s, &mechanism, key, keys[1], blob, &out_len));
            for (size_t k = 0; k < 4; k++) {
                CK_RV rv = inits[k](s, &mechanism, key);

                assert_true(rv != CKR_OK && return_is_known(rv));
            }
        }
    }
    assert_int_equal(object, 77);
    /* IVs of ones are IVs; nothing else was. */
    assert_in_range(taken, 1, 200);
    assert_ok(C_SessionCancel(s, ~(CK_FLAGS)0));
}

/* ---- threads ---- */

static _Atomic CK_SESSION_HANDLE sessions[SESSIONS];
static _Atomic CK_OBJECT_HANDLE the_key;
static atomic_bool stop;
static atomic_uint done, strange;

static bool
fits(CK_RV rv)
{
    static const CK_RV codes[] = {
        CKR_OK,
        CKR_CRYPTOKI_NOT_INITIALIZED,
        CKR_CRYPTOKI_ALREADY_INITIALIZED,
        CKR_SESSION_HANDLE_INVALID,
        CKR_USER_NOT_LOGGED_IN,
        CKR_USER_ALREADY_LOGGED_IN,
        CKR_KEY_HANDLE_INVALID,
        CKR_OBJECT_HANDLE_INVALID,
        CKR_OPERATION_ACTIVE,
        CKR_OPERATION_NOT_INITIALIZED,
        CKR_DEVICE_ERROR, /* an operation of parts that went with its session */
    };

    for (size_t i = 0; i < ARRAY_COUNT(codes); i++) {
        if (codes[i] == rv) {
            return true;
        }
    }
    return false;
}

#define NOTE(call) note(call, #call)

static CK_RV
note(CK_RV rv, const char *what)
{
    if (!fits(rv)) {
        print_error("%s: 0x%lx\n", what, rv);
        strange++;
    }
    done += rv == CKR_OK;
    return rv;
}

static void
open_one(unsigned i)
{
    CK_SESSION_HANDLE session;

    if (NOTE(C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session)) ==
        CKR_OK) {
        CK_SESSION_HANDLE was = atomic_exchange(&sessions[i], session);

        NOTE(C_CloseSession(was));
    }
}

static void
sign_in(CK_SESSION_HANDLE s)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_BYTE in[8] = { 0 }, out[32];
    CK_ULONG len = sizeof out;

    if (NOTE(C_SignInit(s, &mechanism, the_key)) != CKR_OK) {
        return;
    }
    NOTE(C_SignUpdate(s, in, sizeof in));
    NOTE(C_SignFinal(s, out, &len));
}

static void
digest_in(CK_SESSION_HANDLE s)
{
    static CK_BYTE in[100000];
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_BYTE out[32];
    CK_ULONG len = sizeof out;

    if (NOTE(C_DigestInit(s, &mechanism)) == CKR_OK) {
        NOTE(C_DigestUpdate(s, in, sizeof in));
        NOTE(C_DigestFinal(s, out, &len));
    }
}

static void
find_in(CK_SESSION_HANDLE s)
{
    CK_ATTRIBUTE template[] = { TEXT(CKA_LABEL, "stress") };
    CK_OBJECT_HANDLE found = 0;
    CK_ULONG count = 0;

    if (NOTE(C_FindObjectsInit(s, template, 1)) == CKR_OK &&
        NOTE(C_FindObjects(s, &found, 1, &count)) == CKR_OK && count == 1) {
        the_key = found;
    }
    NOTE(C_FindObjectsFinal(s));
}

static void
object_in(CK_SESSION_HANDLE s)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), TEXT(CKA_LABEL, "passing") };
    CK_ATTRIBUTE label = { CKA_LABEL, NULL, 0 };
    CK_OBJECT_HANDLE object = 0;

    if (NOTE(C_CreateObject(s, template, 2, &object)) == CKR_OK) {
        NOTE(C_GetAttributeValue(s, object, &label, 1));
        NOTE(C_DestroyObject(s, object));
    }
}

static void *
work(void *arg)
{
    static void (*const acts[])(CK_SESSION_HANDLE) = { sign_in, sign_in, digest_in, find_in,
                                                       object_in };
    uint32_t x = (uint32_t)(uintptr_t)arg;

    while (!stop) {
        x = x * 1664525u + 1013904223u;

        unsigned i = (x >> 8) % SESSIONS, act = (x >> 16) % (ARRAY_COUNT(acts) + 1);

        if (act == ARRAY_COUNT(acts)) {
            open_one(i);
        } else {
            acts[act](sessions[i]);
        }
    }
    return NULL;
}

static void
log_in_again(void)
{
    CK_SESSION_HANDLE s = sessions[0];

    if (NOTE(log_in(s, CKU_USER, PIN1)) == CKR_OK) {
        find_in(s);
    }
}

/* The key that all sign with: a token object. */
static void
make_key(CK_SESSION_HANDLE s)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes),
                                ATTR(CKA_VERIFY, yes), ATTR(CKA_TOKEN, yes),
                                TEXT(CKA_LABEL, "stress") };
    CK_OBJECT_HANDLE key = 0;

    assert_ok(C_GenerateKey(s, &mechanism, template, ARRAY_COUNT(template), &key));
    the_key = key;
}

/* Sessions are closed, all at once too, logins end, and at times so does the library. */
static void
calls_survive_what_others_end(void **state)
{
    pthread_t workers[WORKERS];
    struct timespec start, now;
    unsigned round = 0, before;

    UNUSED(state);
    make_key(fixture.session);
    for (unsigned i = 0; i < SESSIONS; i++) {
        sessions[i] = open_session(CKF_RW_SESSION);
    }
    for (uintptr_t i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_create(&workers[i], NULL, work, (void *)(i + 1)), 0);
    }
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        pause_ms(2);
        switch (round++ % 4) {
        case 0:
            NOTE(C_Logout(sessions[1]));
            break;
        case 1:
            NOTE(C_CloseAllSessions(SLOT));
            break;
        case 2:
            NOTE(C_Finalize(NULL));
            NOTE(C_Initialize(NULL));
            break;
        default:
            break;
        }
        open_one(0);
        log_in_again();
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 <
             STRESS_MS);
    before = done;
    stop = true;
    for (unsigned i = 0; i < WORKERS; i++) {
        assert_int_equal(pthread_join(workers[i], NULL), 0);
    }

    assert_int_equal(strange, 0);
    assert_true(before > 10 * round);
    assert_ok(C_CloseAllSessions(SLOT));
    fixture.session = open_session(CKF_RW_SESSION);
    assert_ok(log_in(fixture.session, CKU_USER, PIN1));
    find_in(fixture.session);
    before = done;
    sign_in(fixture.session);
    assert_int_equal(done, before + 3);
    assert_int_equal(transport_open(), 1); /* who was finalised has left nothing */
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(calls_without_pointers_are_refused),
        TEST(lengths_without_sense_are_refused),
        TEST(templates_may_lie_anywhere),
        TEST(a_million_attributes_are_refused),
        TEST(absurd_parameters_are_refused),
        TEST(calls_survive_what_others_end),
    };

    return cmocka_run_group_tests(tests, group_standard, group_teardown);
}
