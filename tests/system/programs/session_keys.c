/* SPDX-License-Identifier: Apache-2.0
 *
 * An application that must not notice that the node which has its session objects dies: four
 * threads use session keys for some time, and no call may fail. What was taken from a key, or
 * destroyed, stays so.
 *
 *   session_keys MODULE SECONDS
 *
 * SIGTERM ends the time, and each thread makes one whole call after that. It prints `running` when all threads work, and TAP lines when the time is over.
 */
#include "p11.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 4u
#define FAILURES_SHOWN 20u
#define PART_LEN 60000u
#define PARTS 4u

struct worker {
    const char *name;
    CK_RV (*call)(struct worker *worker);
    pthread_t thread;
    CK_SESSION_HANDLE session;
    uint64_t good, failed, wrong;
    uint64_t longest;
};

static atomic_bool done;
static atomic_uint started;
static CK_OBJECT_HANDLE aes, ec_public, ec_private;
static uint8_t message[1000], expected[sizeof message];
static uint8_t long_message[PART_LEN * PARTS], long_expected[sizeof long_message];

#define WRONG CKR_VENDOR_DEFINED /* success with something else than it should be */

static CK_RV
ctr_init(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_AES_CTR_PARAMS params = { .ulCounterBits = 128 };
    CK_MECHANISM mechanism = { CKM_AES_CTR, &params, sizeof params };

    return p11->C_EncryptInit(session, &mechanism, key);
}

static CK_RV
encrypt(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, uint8_t out[sizeof expected])
{
    CK_ULONG len = sizeof expected;
    CK_RV rv = ctr_init(session, key);

    return rv != CKR_OK ? rv : p11->C_Encrypt(session, message, sizeof message, out, &len);
}

static CK_RV
encrypt_parts(CK_SESSION_HANDLE session, uint8_t *out)
{
    CK_ULONG len, total = 0;
    CK_RV rv = ctr_init(session, aes);

    for (size_t i = 0; rv == CKR_OK && i < PARTS; i++) {
        len = sizeof long_message - total;
        rv = p11->C_EncryptUpdate(session, long_message + i * PART_LEN, PART_LEN, out + total,
                                  &len);
        total += len;
    }
    if (rv == CKR_OK) {
        len = sizeof long_message - total;
        rv = p11->C_EncryptFinal(session, out + total, &len);
    }
    return rv;
}

static CK_RV
call_encrypt(struct worker *worker)
{
    uint8_t out[sizeof expected];
    CK_RV rv = encrypt(worker->session, aes, out);

    return rv == CKR_OK && memcmp(out, expected, sizeof out) != 0 ? WRONG : rv;
}

static CK_RV
call_parts(struct worker *worker)
{
    static uint8_t out[sizeof long_message];
    CK_RV rv = encrypt_parts(worker->session, out);

    return rv == CKR_OK && memcmp(out, long_expected, sizeof out) != 0 ? WRONG : rv;
}

static CK_RV
call_sign(struct worker *worker)
{
    CK_RV rv = p11_sign_and_verify(worker->session, ec_private, ec_public, message, sizeof message);

    return rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE ? WRONG : rv;
}

/* Keys that come and go. */
static CK_RV
call_make(struct worker *worker)
{
    uint8_t out[sizeof expected];
    CK_OBJECT_HANDLE key = 0;
    CK_RV rv;

    if ((rv = p11_generate_aes(worker->session, NULL, &key)) != CKR_OK ||
        (rv = encrypt(worker->session, key, out)) != CKR_OK ||
        (rv = p11->C_DestroyObject(worker->session, key)) != CKR_OK) {
        return rv;
    }
    return encrypt(worker->session, key, out) == CKR_KEY_HANDLE_INVALID ? CKR_OK : WRONG;
}

static struct worker workers[THREADS] = {
    { .name = "encrypt", .call = call_encrypt },
    { .name = "parts", .call = call_parts },
    { .name = "sign", .call = call_sign },
    { .name = "make", .call = call_make },
};

static void *
work(void *arg)
{
    struct worker *worker = arg;
    bool first = true, last;

    do {
        last = done; /* before it begins */

        uint64_t start = now_ms();
        CK_RV rv = worker->call(worker);
        uint64_t took = now_ms() - start;

        worker->longest = took > worker->longest ? took : worker->longest;
        if (rv == CKR_OK) {
            worker->good++;
            started += first;
            first = false;
        } else {
            if (worker->failed + worker->wrong < FAILURES_SHOWN) {
                printf("# %s: 0x%08lx after %lu ms, call %lu\n", worker->name, rv,
                       (unsigned long)took, (unsigned long)worker->good);
                fflush(stdout);
            }
            worker->wrong += rv == WRONG;
            worker->failed += rv != WRONG;
            usleep(10000);
        }
    } while (!last);
    return NULL;
}

static void
on_term(int number)
{
    (void)number;
    done = true;
}

int
main(int argc, char **argv)
{
    struct timespec pause = { .tv_nsec = 10000000 };
    CK_C_INITIALIZE_ARGS threads = { .flags = CKF_OS_LOCKING_OK };
    uint64_t failed = 0, wrong = 0, end;
    CK_OBJECT_HANDLE destroyed = 0, found[4];
    CK_ATTRIBUTE no_decrypt = { CKA_DECRYPT, &no, sizeof no };
    uint8_t out[sizeof expected];
    CK_SESSION_HANDLE session;
    CK_BBOOL decrypt = CK_TRUE;
    CK_ATTRIBUTE look = { CKA_DECRYPT, &decrypt, sizeof decrypt };

    if (argc != 3) {
        die("usage: session_keys MODULE SECONDS");
    }
    signal(SIGTERM, on_term);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(&threads));
    session = p11_session();
    MUST(p11_login(session, PIN));
    MUST(p11_generate_aes(session, NULL, &aes));
    MUST(p11_generate_aes(session, NULL, &destroyed));
    MUST(p11_generate_ec(session, NULL, &ec_public, &ec_private));
    MUST(p11->C_SetAttributeValue(session, aes, &no_decrypt, 1));
    MUST(p11->C_DestroyObject(session, destroyed));
    for (size_t i = 0; i < sizeof long_message; i++) {
        message[i % sizeof message] = (uint8_t)(i * 7);
        long_message[i] = (uint8_t)(i * 11);
    }
    MUST(encrypt(session, aes, expected));
    MUST(encrypt_parts(session, long_expected));
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].session = p11_session();
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    while (started < THREADS && !done) {
        usleep(1000);
    }
    puts("running");
    fflush(stdout);
    end = now_ms() + 1000u * (uint64_t)atoi(argv[2]);
    while (!done && now_ms() < end) {
        nanosleep(&pause, NULL);
    }
    done = true;
    for (size_t i = 0; i < THREADS; i++) {
        struct worker *worker = &workers[i];

        pthread_join(worker->thread, NULL);
        printf("# session keys, %s: %lu good, %lu failed, %lu wrong, longest %lu ms\n",
               worker->name, (unsigned long)worker->good, (unsigned long)worker->failed,
               (unsigned long)worker->wrong, (unsigned long)worker->longest);
        failed += worker->failed;
        wrong += worker->wrong;
    }
    check(failed == 0, "no operation with a session key failed (%lu did)", (unsigned long)failed);
    check(wrong == 0, "no result was wrong (%lu were)", (unsigned long)wrong);
    check(p11->C_GetAttributeValue(session, aes, &look, 1) == CKR_OK && !decrypt,
          "the right that was taken did not come back");
    check(encrypt(session, destroyed, out) == CKR_KEY_HANDLE_INVALID,
          "nor did the key that was destroyed");
    check(p11_find_label(session, "nothing", found, COUNT(found)) == 0, "searches work");
    MUST(p11->C_DestroyObject(session, aes));
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
