/* SPDX-License-Identifier: Apache-2.0
 *
 * An application whose HSM dies while it works: one thread for each kind of call, each calling
 * without end.
 *
 *   killed MODULE
 *
 * A driver speaks to it by lines. It prints `running` when every thread had a success, `down` when
 * every thread met a failure after the word `kill` or `stop` came on standard input, `back` when after the
 * word `started` every one succeeds again; `end` ends it. Then it prints TAP lines: codes and
 * durations of all failed calls.
 */
#include "p11.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define LIMIT_MS 10000u

static atomic_int phase;         /* raised by one with each word from the driver */
static atomic_bool done;
static CK_OBJECT_HANDLE aes, ec_public, ec_private;

/* The longest single call of this thread, while the server was dead, and while it was silent. */
static _Thread_local uint64_t longest[2];
static atomic_int silent;

#define TIMED(call)                    \
    ({                                 \
        uint64_t timed_start = now_ms(); \
        timed(timed_start, (call));    \
    })

static CK_RV
timed(uint64_t start, CK_RV rv)
{
    uint64_t took = now_ms() - start;

    longest[silent] = took > longest[silent] ? took : longest[silent];
    return rv;
}

struct worker {
    const char *name;
    CK_RV (*call)(CK_SESSION_HANDLE session);
    pthread_t thread;
    CK_SESSION_HANDLE session;
    atomic_int good_in, bad_in;  /* the last phase with a success, with a failure */
    atomic_ulong code;           /* the first failure's, by preference one that is not expected */
    uint64_t longest[2];
    uint64_t good, bad;
};

static CK_RV
call_sign(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    uint8_t in[100] = { 1 }, out[64];
    CK_ULONG out_len = sizeof out;
    CK_RV rv = TIMED(p11->C_SignInit(session, &mechanism, ec_private));

    return rv != CKR_OK ? rv : TIMED(p11->C_Sign(session, in, sizeof in, out, &out_len));
}

static CK_RV
call_encrypt(CK_SESSION_HANDLE session)
{
    uint8_t iv[12] = { 1 }, in[1000] = { 1 }, out[1016];
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .ulTagBits = 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG out_len = sizeof out;
    CK_RV rv = TIMED(p11->C_EncryptInit(session, &mechanism, aes));

    return rv != CKR_OK ? rv : TIMED(p11->C_Encrypt(session, in, sizeof in, out, &out_len));
}

/* Many steps that belong together: this one may lose its middle. */
static CK_RV
call_encrypt_parts(CK_SESSION_HANDLE session)
{
    static uint8_t in[200000];
    uint8_t iv[16] = { 1 };
    CK_MECHANISM mechanism = { CKM_AES_CBC, iv, sizeof iv };
    uint8_t *out = malloc(sizeof in + 16);
    CK_ULONG out_len;
    CK_RV rv = TIMED(p11->C_EncryptInit(session, &mechanism, aes));

    for (int i = 0; rv == CKR_OK && i < 5; i++) {
        out_len = sizeof in + 16;
        rv = TIMED(p11->C_EncryptUpdate(session, in, sizeof in, out, &out_len));
    }
    if (rv == CKR_OK) {
        out_len = sizeof in;
        rv = TIMED(p11->C_EncryptFinal(session, out, &out_len));
    }
    free(out);
    return rv;
}

static CK_RV
call_find(CK_SESSION_HANDLE session)
{
    CK_ATTRIBUTE template[] = { ATTR_BYTES(CKA_LABEL, "killed", 6) };
    CK_OBJECT_HANDLE found[4];
    CK_ULONG count = 0;
    CK_RV rv = TIMED(p11->C_FindObjectsInit(session, template, 1));

    if (rv == CKR_OK && (rv = TIMED(p11->C_FindObjects(session, found, 4, &count))) == CKR_OK) {
        rv = TIMED(p11->C_FindObjectsFinal(session));
        if (rv == CKR_OK && count != 3) {
            rv = CKR_FUNCTION_FAILED; /* a wrong answer */
        }
    }
    return rv;
}

static CK_RV
call_random(CK_SESSION_HANDLE session)
{
    uint8_t out[32];

    return TIMED(p11->C_GenerateRandom(session, out, sizeof out));
}

static CK_RV
call_generate(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    CK_RV rv = TIMED(p11_generate_ec(session, NULL, &public, &private));

    if (rv == CKR_OK) {
        rv = TIMED(p11->C_DestroyObject(session, public));
        if (rv == CKR_OK || rv == CKR_OBJECT_HANDLE_INVALID) {
            rv = TIMED(p11->C_DestroyObject(session, private));
        }
        if (rv == CKR_OBJECT_HANDLE_INVALID) {
            rv = CKR_DEVICE_ERROR; /* session objects die with their server */
        }
    }
    return rv;
}

static struct worker workers[] = {
    { .name = "C_Sign", .call = call_sign },
    { .name = "C_Encrypt", .call = call_encrypt },
    { .name = "C_EncryptUpdate", .call = call_encrypt_parts },
    { .name = "C_FindObjects", .call = call_find },
    { .name = "C_GenerateRandom", .call = call_random },
    { .name = "C_GenerateKeyPair", .call = call_generate },
};

/* GENERAL_ERROR is the daemon's absence; it stands beside the device errors. */
static bool
is_device_error(CK_RV rv)
{
    return rv == CKR_DEVICE_ERROR || rv == CKR_DEVICE_REMOVED || rv == CKR_TOKEN_NOT_PRESENT ||
           rv == CKR_GENERAL_ERROR;
}

static void *
work(void *arg)
{
    struct worker *worker = arg;

    while (!done) {
        int in = phase;
        CK_RV rv = worker->call(worker->session);

        if (rv == CKR_OK) {
            worker->good++;
            worker->good_in = in;
        } else {
            worker->bad++;
            worker->bad_in = in;
            if (worker->code == CKR_OK || !is_device_error(rv)) {
                worker->code = rv;
            }
            usleep(20000);
        }
    }
    memcpy(worker->longest, longest, sizeof longest);
    return NULL;
}

/* Waits until every worker has met a success (or a failure) in the present phase. */
static bool
all_met(bool good)
{
    for (int tries = 0; tries < 6000; tries++) {
        size_t met = 0;

        for (size_t i = 0; i < COUNT(workers); i++) {
            met += (good ? workers[i].good_in : workers[i].bad_in) >= phase;
        }
        if (met == COUNT(workers)) {
            return true;
        }
        usleep(10000);
    }
    for (size_t i = 0; i < COUNT(workers); i++) {
        if ((good ? workers[i].good_in : workers[i].bad_in) < phase) {
            printf("# %s did not %s, last code 0x%08lx\n", workers[i].name,
                   good ? "succeed" : "fail", workers[i].code);
        }
    }
    return false;
}

static void
say(const char *word)
{
    puts(word);
    fflush(stdout);
}

int
main(int argc, char **argv)
{
    CK_SESSION_HANDLE session;
    char line[32];

    if (argc != 2) {
        die("usage: killed MODULE");
    }
    session = p11_start(argv[1], PIN);
    MUST(p11_generate_aes(session, "killed", &aes));
    MUST(p11_generate_ec(session, "killed", &ec_public, &ec_private));
    phase = 1;
    for (size_t i = 0; i < COUNT(workers); i++) {
        workers[i].session = p11_session();
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    if (!all_met(true)) {
        die("not every call works to begin with");
    }
    say("running");

    while (fgets(line, sizeof line, stdin) != NULL && strncmp(line, "end", 3) != 0) {
        bool started = strncmp(line, "started", 7) == 0;

        silent = strncmp(line, "stop", 4) == 0 || silent;
        phase++;
        check(all_met(started), started ? "every call works again" : "every call fails");
        say(started ? "back" : "down");
    }
    done = true;
    for (size_t i = 0; i < COUNT(workers); i++) {
        struct worker *worker = &workers[i];

        pthread_join(worker->thread, NULL);
        printf("# %s: %lu good, %lu failed, longest %lu ms, %lu ms\n", worker->name,
               (unsigned long)worker->good, (unsigned long)worker->bad,
               (unsigned long)worker->longest[0], (unsigned long)worker->longest[1]);
        check(worker->longest[0] < LIMIT_MS, "%s always returns within 10 seconds", worker->name);
        check(worker->longest[1] < 2 * LIMIT_MS, "%s does not wait for a silent server",
              worker->name);
        if (!check(is_device_error(worker->code), "%s fails with a device error alone",
                   worker->name)) {
            printf("#   0x%08lx\n", worker->code);
        }
    }
    MUST(p11->C_DestroyObject(session, aes));
    MUST(p11->C_DestroyObject(session, ec_public));
    MUST(p11->C_DestroyObject(session, ec_private));
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
