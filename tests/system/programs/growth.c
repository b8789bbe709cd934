/* SPDX-License-Identifier: Apache-2.0
 *
 * COUNT small operations by THREADS threads, each with a session of its own: random bytes, HMAC,
 * AES-GCM and, of each hundred, one P-256 signature; before them a tenth as many and 20,000. Says
 * when those are done, so that somebody can measure what has been taken by then, waits for a line on
 * standard input, and goes on.
 *
 *   growth MODULE COUNT THREADS
 */
#include "p11.h"

#include <pthread.h>
#include <stdatomic.h>

#define THREADS_MAX 64
#define WARM 20000

static CK_OBJECT_HANDLE aes, hmac, ec;
static _Atomic long left, late;

/* A machine that is busy enough makes a request late: CKR_DEVICE_ERROR, which is told and judged by who
 * called us. Nothing else may come. */
static void
attempt(CK_RV rv)
{
    if (rv == CKR_OK) {
        return;
    }
    if (rv != CKR_DEVICE_ERROR) {
        die("an operation failed with 0x%08lx", rv);
    }
    if (atomic_fetch_add(&late, 1) >= 100) {
        die("a hundred operations were late");
    }
}

static void
make_keys(CK_SESSION_HANDLE session)
{
    static CK_BYTE p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
    CK_MECHANISM aes_gen = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_MECHANISM generic = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_MECHANISM ec_gen = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_OBJECT_HANDLE public;
    CK_ATTRIBUTE cipher[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE mac[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes) };
    CK_ATTRIBUTE curve[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE signs[] = { ATTR(CKA_SIGN, yes) };

    MUST(p11->C_GenerateKey(session, &aes_gen, cipher, COUNT(cipher), &aes));
    MUST(p11->C_GenerateKey(session, &generic, mac, COUNT(mac), &hmac));
    MUST(p11->C_GenerateKeyPair(session, &ec_gen, curve, COUNT(curve), signs, 1, &public, &ec));
}

/* Init may ask the HSM as well, when the change page has run out. */
static void
sign(CK_SESSION_HANDLE session, CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_BYTE data[32] = { 1 }, out[128];
    CK_ULONG len = sizeof out;
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    attempt(rv == CKR_OK ? p11->C_Sign(session, data, sizeof data, out, &len) : rv);
}

static void
encrypt(CK_SESSION_HANDLE session)
{
    CK_BYTE iv[12] = { 0 }, data[100] = { 1 }, out[128];
    CK_GCM_PARAMS params = { iv, sizeof iv, 96, NULL, 0, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG len = sizeof out;
    CK_RV rv = p11->C_EncryptInit(session, &mechanism, aes);

    attempt(rv == CKR_OK ? p11->C_Encrypt(session, data, sizeof data, out, &len) : rv);
}

static void *
work(void *arg)
{
    CK_SESSION_HANDLE session = *(CK_SESSION_HANDLE *)arg;
    CK_BYTE bytes[32];

    for (long i; (i = atomic_fetch_sub(&left, 1)) > 0;) {
        if (i % 100 == 0) {
            sign(session, CKM_ECDSA, ec);
        } else if (i % 10 == 1) {
            sign(session, CKM_SHA256_HMAC, hmac);
        } else if (i % 10 == 2) {
            encrypt(session);
        } else {
            attempt(p11->C_GenerateRandom(session, bytes, sizeof bytes));
        }
    }
    return NULL;
}

static void
run(long count, CK_SESSION_HANDLE *sessions, int threads)
{
    pthread_t ids[THREADS_MAX];

    atomic_store(&left, count);
    for (int i = 0; i < threads; i++) {
        if (pthread_create(&ids[i], NULL, work, &sessions[i]) != 0) {
            die("a thread does not start");
        }
    }
    for (int i = 0; i < threads; i++) {
        pthread_join(ids[i], NULL);
    }
}

/* Two words, and a line back in between. */
static void
say(const char *word)
{
    char line[16];

    puts(word);
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL) {
        die("nobody listens");
    }
}

int
main(int argc, char **argv)
{
    CK_SESSION_HANDLE sessions[THREADS_MAX];
    long count;
    int threads;

    if (argc != 4 || (threads = atoi(argv[3])) < 1 || threads > THREADS_MAX) {
        die("growth MODULE COUNT THREADS");
    }
    count = atol(argv[2]);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    for (int i = 0; i < threads; i++) {
        MUST(p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &sessions[i]));
    }
    MUST(p11->C_Login(sessions[0], CKU_USER, (CK_UTF8CHAR_PTR)PIN, sizeof PIN - 1));
    make_keys(sessions[0]);
    run(count / 10 + WARM, sessions, threads);
    say("warm");
    run(count, sessions, threads);
    printf("%ld late\n", atomic_load(&late));
    say("done");
    MUST(p11->C_Finalize(NULL));
    return 0;
}
