/* SPDX-License-Identifier: Apache-2.0
 *
 * Processes of threads that do everything at once for some time: each checks what it gets, and
 * what it made it takes away. The first process forks while its threads are in the middle of
 * calls.
 *
 *   mixed MODULE SECONDS PROCESSES THREADS
 *
 * It prints `running` when a quarter of the time is over, then TAP lines.
 */
#include "p11.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#define FAILURES_SHOWN 5u
#define DATA_MAX 20000u
#define WRONG CKR_VENDOR_DEFINED /* success with something else than it should be */

/* The keys of all processes: token objects. */
static CK_OBJECT_HANDLE ec_public, ec_private, rsa_public, rsa_private, aes, hmac;
static atomic_bool done;
static unsigned process; /* which one this is */

struct worker {
    unsigned number;
    pthread_t thread;
    CK_SESSION_HANDLE session;
    uint64_t seed;
    uint8_t data[DATA_MAX], out[DATA_MAX + 64], back[DATA_MAX + 64];
    uint64_t good, bad;
};

static uint32_t
draw(struct worker *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % below;
}

/* Some bytes in data. */
static CK_ULONG
draw_data(struct worker *w, uint32_t max)
{
    CK_ULONG len = draw(w, max + 1);

    for (CK_ULONG i = 0; i < len; i++) {
        w->data[i] = (uint8_t)(w->seed >> (i % 8 * 8)) ^ (uint8_t)i;
    }
    return len;
}

/* ---- what they do ---- */

static CK_RV
sign_verify(struct worker *w, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE signs,
            CK_OBJECT_HANDLE verifies)
{
    CK_ULONG len = draw_data(w, 2000), made = sizeof w->out;
    CK_RV rv;

    if ((rv = p11->C_SignInit(w->session, mechanism, signs)) != CKR_OK ||
        (rv = p11->C_Sign(w->session, w->data, len, w->out, &made)) != CKR_OK ||
        (rv = p11->C_VerifyInit(w->session, mechanism, verifies)) != CKR_OK ||
        (rv = p11->C_Verify(w->session, w->data, len, w->out, made)) != CKR_OK ||
        (rv = p11->C_VerifyInit(w->session, mechanism, verifies)) != CKR_OK) {
        return rv;
    }
    w->out[draw(w, (uint32_t)made)] ^= (uint8_t)(1u << draw(w, 8));
    rv = p11->C_Verify(w->session, w->data, len, w->out, made);
    return rv == CKR_SIGNATURE_INVALID ? CKR_OK : WRONG;
}

static CK_RV
do_ecdsa(struct worker *w)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };

    return sign_verify(w, &mechanism, ec_private, ec_public);
}

static CK_RV
do_rsa(struct worker *w)
{
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };

    return sign_verify(w, &mechanism, rsa_private, rsa_public);
}

static CK_RV
do_hmac(struct worker *w)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };

    return sign_verify(w, &mechanism, hmac, hmac);
}

static CK_RV
do_gcm(struct worker *w)
{
    uint8_t iv[12];
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .ulTagBits = 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG len = draw_data(w, DATA_MAX), made = sizeof w->out, got = sizeof w->back;
    CK_RV rv;

    memset(iv, (int)draw(w, 255) + 1, sizeof iv);
    if ((rv = p11->C_EncryptInit(w->session, &mechanism, aes)) != CKR_OK ||
        (rv = p11->C_Encrypt(w->session, w->data, len, w->out, &made)) != CKR_OK ||
        (rv = p11->C_DecryptInit(w->session, &mechanism, aes)) != CKR_OK ||
        (rv = p11->C_Decrypt(w->session, w->out, made, w->back, &got)) != CKR_OK) {
        return rv;
    }
    return made == len + 16 && got == len && memcmp(w->data, w->back, len) == 0 ? CKR_OK : WRONG;
}

/* In parts there, in one piece back. */
static CK_RV
do_cbc(struct worker *w)
{
    uint8_t iv[16] = { 1, 2, 3 };
    CK_MECHANISM mechanism = { CKM_AES_CBC_PAD, iv, sizeof iv };
    CK_ULONG len = draw_data(w, DATA_MAX), made = 0, got = sizeof w->back, piece, room;
    CK_RV rv = p11->C_EncryptInit(w->session, &mechanism, aes);

    for (CK_ULONG at = 0; at < len && rv == CKR_OK; at += piece, made += room) {
        piece = 1 + draw(w, 7000);
        piece = piece < len - at ? piece : len - at;
        room = sizeof w->out - made;
        rv = p11->C_EncryptUpdate(w->session, w->data + at, piece, w->out + made, &room);
    }
    room = sizeof w->out - made;
    if (rv != CKR_OK || (rv = p11->C_EncryptFinal(w->session, w->out + made, &room)) != CKR_OK ||
        (rv = p11->C_DecryptInit(w->session, &mechanism, aes)) != CKR_OK ||
        (rv = p11->C_Decrypt(w->session, w->out, made + room, w->back, &got)) != CKR_OK) {
        return rv;
    }
    return got == len && memcmp(w->data, w->back, len) == 0 ? CKR_OK : WRONG;
}

static CK_RV
do_digest(struct worker *w)
{
    CK_MECHANISM mechanism = { CKM_SHA384, NULL, 0 };
    CK_ULONG len = draw_data(w, DATA_MAX), half = draw(w, (uint32_t)len + 1), one = 48, two = 48;
    CK_RV rv;

    if ((rv = p11->C_DigestInit(w->session, &mechanism)) != CKR_OK ||
        (rv = p11->C_Digest(w->session, w->data, len, w->out, &one)) != CKR_OK ||
        (rv = p11->C_DigestInit(w->session, &mechanism)) != CKR_OK ||
        (rv = p11->C_DigestUpdate(w->session, w->data, half)) != CKR_OK ||
        (rv = p11->C_DigestUpdate(w->session, w->data + half, len - half)) != CKR_OK ||
        (rv = p11->C_DigestFinal(w->session, w->back, &two)) != CKR_OK) {
        return rv;
    }
    return one == 48 && two == 48 && memcmp(w->out, w->back, 48) == 0 ? CKR_OK : WRONG;
}

static CK_RV
do_random(struct worker *w)
{
    uint8_t zeros[32] = { 0 };
    CK_RV rv;

    memset(w->out, 0, sizeof zeros);
    rv = p11->C_GenerateRandom(w->session, w->out, sizeof zeros);
    return rv == CKR_OK && memcmp(w->out, zeros, sizeof zeros) == 0 ? WRONG : rv;
}

/* A session key, used, copied to the token by wrapping, and gone. */
static CK_RV
do_keys(struct worker *w)
{
    CK_MECHANISM make = { CKM_AES_KEY_GEN, NULL, 0 }, kw = { CKM_AES_KEY_WRAP, NULL, 0 };
    CK_MECHANISM ecb = { CKM_AES_ECB, NULL, 0 };
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_ULONG size = 16u + 8u * draw(w, 3), len = 64, one = 16, two = 16, told = 0;
    CK_OBJECT_HANDLE key = 0, again = 0;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, size), ATTR(CKA_ENCRYPT, yes),
                                ATTR(CKA_EXTRACTABLE, yes) };
    CK_ATTRIBUTE back[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type),
                            ATTR(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE ask = ATTR(CKA_VALUE_LEN, told);
    CK_RV rv;

    draw_data(w, 16);
    if ((rv = p11->C_GenerateKey(w->session, &make, template, COUNT(template), &key)) != CKR_OK) {
        return rv;
    }
    if ((rv = p11->C_WrapKey(w->session, &kw, aes, key, w->back, &len)) != CKR_OK ||
        (rv = p11->C_UnwrapKey(w->session, &kw, aes, w->back, len, back, COUNT(back), &again)) !=
            CKR_OK ||
        (rv = p11->C_EncryptInit(w->session, &ecb, key)) != CKR_OK ||
        (rv = p11->C_Encrypt(w->session, w->data, 16, w->out, &one)) != CKR_OK ||
        (rv = p11->C_EncryptInit(w->session, &ecb, again)) != CKR_OK ||
        (rv = p11->C_Encrypt(w->session, w->data, 16, w->back, &two)) != CKR_OK ||
        (rv = p11->C_GetAttributeValue(w->session, again, &ask, 1)) != CKR_OK ||
        (rv = p11->C_DestroyObject(w->session, key)) != CKR_OK ||
        (rv = p11->C_DestroyObject(w->session, again)) != CKR_OK) {
        return rv;
    }
    return told == size && memcmp(w->out, w->back, 16) == 0 &&
                   p11->C_EncryptInit(w->session, &ecb, key) == CKR_KEY_HANDLE_INVALID
               ? CKR_OK
               : WRONG;
}

/* A token object that is made, found, renamed, found under its new name and destroyed. */
static CK_RV
do_token_object(struct worker *w)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE object = 0, found[2];
    char label[64], renamed[64];
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), ATTR(CKA_TOKEN, yes),
                                ATTR_BYTES(CKA_LABEL, label, 0), ATTR_BYTES(CKA_VALUE, "x", 1) };
    CK_ATTRIBUTE change = ATTR_BYTES(CKA_LABEL, renamed, 0);
    CK_RV rv;

    template[2].ulValueLen =
        (CK_ULONG)snprintf(label, sizeof label, "mixed-%u-%u", process, w->number);
    change.ulValueLen = (CK_ULONG)snprintf(renamed, sizeof renamed, "renamed-%s", label);
    if ((rv = p11->C_CreateObject(w->session, template, COUNT(template), &object)) != CKR_OK) {
        return rv;
    }
    if (p11_find_label(w->session, label, found, 2) != 1 || found[0] != object) {
        return WRONG;
    }
    if ((rv = p11->C_SetAttributeValue(w->session, object, &change, 1)) != CKR_OK) {
        return rv;
    }
    if (p11_find_label(w->session, label, found, 2) != 0 ||
        p11_find_label(w->session, renamed, found, 2) != 1 || found[0] != object) {
        return WRONG;
    }
    if ((rv = p11->C_DestroyObject(w->session, object)) != CKR_OK) {
        return rv;
    }
    return p11_find_label(w->session, renamed, found, 2) == 0 ? CKR_OK : WRONG;
}

/* One that is closed with an operation and an object in it. */
static CK_RV
do_session(struct worker *w)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 }, make = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG size = 16;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, size) };
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    CK_SESSION_INFO info;
    CK_RV rv = p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session);

    if (rv != CKR_OK) {
        return rv;
    }
    if ((rv = p11->C_GenerateKey(session, &make, template, COUNT(template), &key)) != CKR_OK ||
        (rv = p11->C_DigestInit(session, &mechanism)) != CKR_OK ||
        (rv = p11->C_DigestUpdate(session, w->data, 100)) != CKR_OK ||
        (rv = p11->C_GetSessionInfo(session, &info)) != CKR_OK ||
        (rv = p11->C_CloseSession(session)) != CKR_OK) {
        return rv;
    }
    return info.state == CKS_RO_USER_FUNCTIONS &&
                   p11->C_GetSessionInfo(session, &info) == CKR_SESSION_HANDLE_INVALID
               ? CKR_OK
               : WRONG;
}

static const struct {
    const char *name;
    CK_RV (*call)(struct worker *w);
    unsigned share; /* of all calls */
} calls[] = {
    { "ecdsa", do_ecdsa, 8 },   { "rsa", do_rsa, 1 },           { "hmac", do_hmac, 8 },
    { "gcm", do_gcm, 8 },       { "cbc", do_cbc, 4 },           { "digest", do_digest, 8 },
    { "random", do_random, 8 }, { "session keys", do_keys, 4 }, { "session", do_session, 4 },
    { "token object", do_token_object, 1 },
};

static void *
work(void *arg)
{
    struct worker *w = arg;
    unsigned all = 0;

    for (size_t i = 0; i < COUNT(calls); i++) {
        all += calls[i].share;
    }
    while (!done) {
        unsigned at = draw(w, all);
        size_t which = 0;
        CK_RV rv;

        while (at >= calls[which].share) {
            at -= calls[which++].share;
        }
        rv = calls[which].call(w);
        w->good += rv == CKR_OK;
        w->bad += rv != CKR_OK;
        if (rv != CKR_OK && w->bad <= FAILURES_SHOWN) {
            printf("# process %u, thread %u, %s: 0x%08lx%s\n", process, w->number,
                   calls[which].name, rv, rv == WRONG ? " (a wrong result)" : "");
            fflush(stdout);
        }
    }
    return NULL;
}

/* ---- forks ---- */

/* What a child of a process in full swing does: it begins anew, works and ends. */
static int
child(void)
{
    uint8_t random[16];
    CK_SESSION_HANDLE session;
    CK_SESSION_INFO info;

    if (p11->C_GetSessionInfo(1, &info) != CKR_CRYPTOKI_NOT_INITIALIZED) {
        return 1;
    }
    if (p11->C_Initialize(NULL) != CKR_OK ||
        p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK ||
        p11_login(session, PIN) != CKR_OK ||
        p11->C_GenerateRandom(session, random, sizeof random) != CKR_OK) {
        return 2;
    }
    return p11->C_Finalize(NULL) == CKR_OK ? 0 : 3;
}

/* Waits for it, 20 s at most. */
static int
child_status(pid_t pid)
{
    int status = 0;

    for (int i = 0; i < 2000; i++) {
        if (waitpid(pid, &status, WNOHANG) == pid) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
        usleep(10000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return 255;
}

static unsigned
fork_until(uint64_t end, unsigned *ret_forks)
{
    unsigned bad = 0;

    for (*ret_forks = 0; now_ms() < end; ++*ret_forks) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            _exit(child());
        }
        status = pid < 0 ? 254 : child_status(pid);
        if (status != 0) {
            printf("# child %u: status %d\n", *ret_forks, status);
            bad++;
        }
        usleep(200000);
    }
    return bad;
}

/* ---- processes ---- */

static void
keys_make(CK_SESSION_HANDLE session)
{
    CK_MECHANISM make_rsa = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM make_aes = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_MECHANISM make_secret = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG bits = 2048, size = 32;
    CK_ATTRIBUTE public[] = { ATTR(CKA_TOKEN, yes), ATTR(CKA_MODULUS_BITS, bits),
                              ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_TOKEN, yes), ATTR(CKA_SIGN, yes) };
    CK_ATTRIBUTE secret[] = { ATTR(CKA_TOKEN, yes),   ATTR(CKA_VALUE_LEN, size),
                              ATTR(CKA_ENCRYPT, yes), ATTR(CKA_DECRYPT, yes),
                              ATTR(CKA_WRAP, yes),    ATTR(CKA_UNWRAP, yes) };
    CK_ATTRIBUTE mac[] = { ATTR(CKA_TOKEN, yes), ATTR(CKA_VALUE_LEN, size), ATTR(CKA_SIGN, yes),
                           ATTR(CKA_VERIFY, yes) };

    MUST(p11_generate_ec(session, "mixed", &ec_public, &ec_private));
    MUST(p11->C_GenerateKeyPair(session, &make_rsa, public, COUNT(public), private, COUNT(private),
                                &rsa_public, &rsa_private));
    MUST(p11->C_GenerateKey(session, &make_aes, secret, COUNT(secret), &aes));
    MUST(p11->C_GenerateKey(session, &make_secret, mac, COUNT(mac), &hmac));
}

static size_t
objects_count(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE found[100];
    CK_ULONG count = 0;
    size_t all = 0;

    MUST(p11->C_FindObjectsInit(session, NULL, 0));
    do {
        MUST(p11->C_FindObjects(session, found, COUNT(found), &count));
        all += count;
    } while (count > 0);
    MUST(p11->C_FindObjectsFinal(session));
    return all;
}

/* Exit status of a process: 0, or 1 when something went wrong. */
static int
process_run(uint64_t end, unsigned threads, bool forks)
{
    CK_C_INITIALIZE_ARGS args = { .flags = CKF_OS_LOCKING_OK };
    struct worker *workers = calloc(threads, sizeof *workers);
    CK_OBJECT_HANDLE none[1];
    CK_SESSION_HANDLE session;
    uint64_t good = 0, bad = 0;
    unsigned forked = 0, forks_bad = 0;

    MUST(p11->C_Initialize(&args));
    session = p11_session();
    MUST(p11_login(session, PIN));
    /* In policy azure a handle works once it has been found. */
    (void)p11_find_label(session, "mixed", none, 1);
    for (unsigned i = 0; i < threads; i++) {
        workers[i].number = i;
        workers[i].seed = process * 1000u + i + 1;
        workers[i].session = p11_session();
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0) {
            die("no thread");
        }
    }
    if (forks) {
        forks_bad = fork_until(end, &forked);
    }
    while (now_ms() < end) {
        usleep(10000);
    }
    done = true;
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(workers[i].thread, NULL);
        good += workers[i].good;
        bad += workers[i].bad;
    }
    printf("# process %u: %lu good, %lu bad, %u forks, %u of them bad\n", process,
           (unsigned long)good, (unsigned long)bad, forked, forks_bad);
    fflush(stdout);
    free(workers);
    MUST(p11->C_Finalize(NULL));
    return bad > 0 || forks_bad > 0 || good < threads;
}

int
main(int argc, char **argv)
{
    const unsigned processes = argc == 5 ? (unsigned)atoi(argv[3]) : 0;
    const uint64_t time = argc == 5 ? 1000u * (uint64_t)atoi(argv[2]) : 0;
    CK_SESSION_HANDLE session;
    pid_t pids[64];
    size_t before, after;
    uint64_t start;

    if (processes == 0 || processes > COUNT(pids)) {
        die("usage: mixed MODULE SECONDS PROCESSES THREADS");
    }
    session = p11_start(argv[1], PIN);
    keys_make(session);
    before = objects_count(session);
    MUST(p11->C_Finalize(NULL));
    start = now_ms();
    for (process = 0; process < processes; process++) {
        fflush(stdout);
        pids[process] = fork();
        if (pids[process] == 0) {
            _exit(process_run(start + time, (unsigned)atoi(argv[4]), process == 0));
        }
    }
    usleep((useconds_t)(time * 250));
    puts("running");
    fflush(stdout);
    for (process = 0; process < processes; process++) {
        int status = -1;

        waitpid(pids[process], &status, 0);
        check(WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "process %u saw no error and no wrong result", process);
    }
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    MUST(p11_login(session, PIN));
    after = objects_count(session);
    check(before == after, "no object is left (%zu before, %zu after)", before, after);
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
