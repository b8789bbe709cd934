/* SPDX-License-Identifier: Apache-2.0
 *
 * An application that must not notice that its HSM dies and comes back: eight threads sign,
 * encrypt (also in parts), create and find with token objects for some time, and no call may fail.
 *
 *   chaos MODULE SECONDS PREFIX [FILE]
 *   chaos MODULE look FILE...
 *
 * SIGTERM ends the time. It prints `running` when all threads work, and TAP lines when the time is over and each object
 * was looked for: acknowledged ones are there once, destroyed ones are gone. FILE tells what is
 * to be there, also while it works: `look` finds it so, after whatever happened, and may be asked on
 * another node.
 */
#include "p11.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define THREADS 8u
#define OBJECTS_MAX 20000u
#define FAILURES_SHOWN 20u

struct worker {
    const char *name;
    size_t number;
    CK_RV (*call)(struct worker *worker);
    pthread_t thread;
    CK_SESSION_HANDLE session;
    uint64_t good, failed, wrong;
    uint64_t longest;
    uint64_t destroying; /* in this call; destructions may wait for every node, and count apart */
    uint64_t destroying_longest;
    size_t made;
    bool *gone; /* by the number of the object */
    bool *doubtful; /* nobody said how that one ended */
};

static atomic_bool done;
static atomic_uint started;
static const char *prefix;
static FILE *acknowledged; /* lines: label, how many there are to be, a handle */
static CK_OBJECT_HANDLE aes, ec_public, ec_private;
static uint8_t message[1000];
static uint8_t expected[sizeof message + 16];

#define WRONG CKR_VENDOR_DEFINED /* success with something else than it should be */

static CK_RV
call_sign(struct worker *worker)
{
    CK_RV rv = p11_sign_and_verify(worker->session, ec_private, ec_public, message, sizeof message);

    return rv == CKR_SIGNATURE_INVALID || rv == CKR_SIGNATURE_LEN_RANGE ? WRONG : rv;
}

static CK_RV
encrypt(CK_SESSION_HANDLE session, uint8_t out[sizeof expected])
{
    uint8_t iv[12] = { 1 };
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .ulTagBits = 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG len = sizeof expected;
    CK_RV rv = p11->C_EncryptInit(session, &mechanism, aes);

    if (rv == CKR_OK) {
        rv = p11->C_Encrypt(session, message, sizeof message, out, &len);
    }
    return rv == CKR_OK && len != sizeof expected ? WRONG : rv;
}

static CK_RV
call_encrypt(struct worker *worker)
{
    uint8_t out[sizeof expected];
    CK_RV rv = encrypt(worker->session, out);

    return rv == CKR_OK && memcmp(out, expected, sizeof expected) != 0 ? WRONG : rv;
}

/* A message in parts, long enough to be held by the node, and with pauses in which it may go. */
#define PARTS 6u
#define PART_LEN 30000u

static uint8_t long_message[PARTS * PART_LEN];
static uint8_t long_expected[sizeof long_message + 16];

static CK_RV
encrypt_parts(CK_SESSION_HANDLE session, uint8_t *out)
{
    static const struct timespec pause = { 0, 20000000 };
    uint8_t iv[12] = { 2 };
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = sizeof iv, .ulIvBits = 96, .ulTagBits = 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG total = 0;
    CK_ULONG len;
    CK_RV rv = p11->C_EncryptInit(session, &mechanism, aes);

    for (size_t i = 0; i < PARTS && rv == CKR_OK; i++) {
        len = sizeof long_expected - total;
        rv = p11->C_EncryptUpdate(session, long_message + i * PART_LEN, PART_LEN, out + total,
                                  &len);
        total += rv == CKR_OK ? len : 0;
        nanosleep(&pause, NULL);
    }
    if (rv != CKR_OK) {
        return rv;
    }
    len = sizeof long_expected - total;
    rv = p11->C_EncryptFinal(session, out + total, &len);
    return rv == CKR_OK && total + len != sizeof long_expected ? WRONG : rv;
}

static CK_RV
call_encrypt_parts(struct worker *worker)
{
    static uint8_t out[sizeof long_expected]; /* one thread's */
    CK_RV rv = encrypt_parts(worker->session, out);

    return rv == CKR_OK && memcmp(out, long_expected, sizeof out) != 0 ? WRONG : rv;
}

static size_t
label_of(const struct worker *worker, size_t number, char label[64])
{
    return (size_t)snprintf(label, 64, "%s-%zu-%zu", prefix, worker->number, number);
}

static int
wanted_of(const struct worker *worker, size_t number)
{
    return worker->gone[number] ? 0 : number % 4 == 3 ? 2 : 1;
}

/* Data, a key, a pair; now and then the last one is destroyed again. */
static CK_RV
call_create(struct worker *worker)
{
    CK_OBJECT_CLASS class = CKO_DATA;
    CK_OBJECT_HANDLE object = 0, public = 0;
    char label[64];
    size_t len = label_of(worker, worker->made, label);
    CK_ATTRIBUTE data[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_TOKEN, yes),
        ATTR_BYTES(CKA_LABEL, label, len),
        ATTR_BYTES(CKA_VALUE, message, 100),
    };
    CK_RV rv;

    if (worker->made == OBJECTS_MAX) {
        usleep(10000);
        return CKR_OK;
    }
    switch (worker->made % 4) {
    case 0:
    case 1:
        rv = p11->C_CreateObject(worker->session, data, COUNT(data), &object);
        break;
    case 2:
        rv = p11_generate_aes(worker->session, label, &object);
        break;
    default:
        rv = p11_generate_ec(worker->session, label, &public, &object);
        break;
    }
    if (rv == CKR_OK && worker->made % 4 == 1) {
        const uint64_t start = now_ms();

        rv = p11->C_DestroyObject(worker->session, object);
        worker->destroying = now_ms() - start;
        worker->gone[worker->made] = rv == CKR_OK;
    }
    worker->doubtful[worker->made] = rv != CKR_OK;
    if (acknowledged != NULL && rv == CKR_OK) {
        /* At once: this process may be killed with all the rest. */
        fprintf(acknowledged, "%s %d %lx\n", label, wanted_of(worker, worker->made), object);
        fflush(acknowledged);
    }
    worker->made++;
    return rv;
}

static CK_RV
call_find(struct worker *worker)
{
    CK_ATTRIBUTE template[] = { ATTR_BYTES(CKA_LABEL, prefix, strlen(prefix)) };
    CK_OBJECT_HANDLE found[8];
    CK_ULONG count = 0;
    CK_RV rv = p11->C_FindObjectsInit(worker->session, template, COUNT(template));

    if (rv == CKR_OK) {
        rv = p11->C_FindObjects(worker->session, found, COUNT(found), &count);
        if (rv == CKR_OK) {
            rv = p11->C_FindObjectsFinal(worker->session);
        } else {
            (void)p11->C_FindObjectsFinal(worker->session);
        }
    }
    return rv == CKR_OK && count != 3 ? WRONG : rv;
}

static void *
work(void *arg)
{
    struct worker *worker = arg;
    bool first = true;

    while (!done) {
        uint64_t start = now_ms();
        CK_RV rv = worker->call(worker);
        uint64_t took = now_ms() - start - worker->destroying;

        if (worker->destroying > worker->destroying_longest) {
            worker->destroying_longest = worker->destroying;
        }
        worker->destroying = 0;
        worker->longest = took > worker->longest ? took : worker->longest;
        if (rv == CKR_OK) {
            worker->good++;
            if (first) {
                started++;
                first = false;
            }
        } else {
            if (worker->failed + worker->wrong < FAILURES_SHOWN) {
                printf("# thread %zu, %s: 0x%08lx after %lu ms, call %lu\n", worker->number,
                       worker->name, rv, (unsigned long)took, (unsigned long)worker->good);
                fflush(stdout);
            }
            worker->wrong += rv == WRONG;
            worker->failed += rv != WRONG;
            usleep(10000);
        }
    }
    return NULL;
}

static struct worker workers[THREADS] = {
    { .name = "sign", .call = call_sign },     { .name = "sign", .call = call_sign },
    { .name = "encrypt", .call = call_encrypt }, { .name = "parts", .call = call_encrypt_parts },
    { .name = "create", .call = call_create }, { .name = "create", .call = call_create },
    { .name = "find", .call = call_find },     { .name = "find", .call = call_find },
};

/* What a creating thread left behind. */
static void
look(const struct worker *worker, CK_SESSION_HANDLE session, uint64_t *lost, uint64_t *twice,
     uint64_t *back)
{
    for (size_t i = 0; i < worker->made; i++) {
        CK_OBJECT_HANDLE found[3];
        CK_ULONG wanted = (CK_ULONG)wanted_of(worker, i);
        CK_ULONG count;
        char label[64];

        if (worker->doubtful[i]) {
            continue;
        }
        label_of(worker, i, label);
        count = p11_find_label(session, label, found, COUNT(found));
        if (worker->gone[i]) {
            *back += count > 0;
        } else {
            *lost += count < wanted;
            *twice += count > wanted;
        }
    }
}

/* What the files say is there, and nothing twice. */
static int
look_files(char **files)
{
    CK_SESSION_HANDLE session = p11_session();
    uint64_t all = 0, lost = 0, twice = 0, back = 0;

    MUST(p11_login(session, PIN));
    for (; *files != NULL; files++) {
        FILE *file = fopen(*files, "r");
        CK_OBJECT_HANDLE found[3];
        CK_OBJECT_HANDLE handle;
        unsigned wanted;
        char label[65];

        if (file == NULL) {
            die("%s is not there", *files);
        }
        /* A line without an end was written by who died over it; its object is there. */
        while (fscanf(file, "%64s %u %lx", label, &wanted, &handle) == 3) {
            CK_ULONG count = p11_find_label(session, label, found, COUNT(found));

            all++;
            lost += count < wanted;
            back += wanted == 0 && count > 0;
            twice += wanted > 0 && count > wanted;
            if (count != wanted && lost + back + twice <= FAILURES_SHOWN) {
                printf("# %s: %lu instead of %u; 0x%lx is there, 0x%lx was made\n", label, count,
                       wanted, count > 0 ? found[0] : 0, handle);
            }
        }
        fclose(file);
    }
    check(all > 0 && lost == 0, "every acknowledged object is there (%lu of %lu are not)",
          (unsigned long)lost, (unsigned long)all);
    check(twice == 0, "none is there twice (%lu are)", (unsigned long)twice);
    check(back == 0, "what was destroyed is gone (%lu are not)", (unsigned long)back);
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
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
    uint64_t failed = 0, wrong = 0, lost = 0, twice = 0, back = 0, made = 0, destroying = 0;
    CK_C_INITIALIZE_ARGS threads = { .flags = CKF_OS_LOCKING_OK };
    CK_SESSION_HANDLE session;

    if (argc < 4) {
        die("usage: chaos MODULE SECONDS PREFIX [FILE] | look FILE...");
    }
    signal(SIGTERM, on_term);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(&threads));
    if (strcmp(argv[2], "look") == 0) {
        return look_files(argv + 3);
    }
    prefix = argv[3];
    if (argc > 4 && (acknowledged = fopen(argv[4], "w")) == NULL) {
        die("%s cannot be written", argv[4]);
    }
    session = p11_session();
    MUST(p11_login(session, PIN));
    MUST(p11_generate_aes(session, prefix, &aes));
    MUST(p11_generate_ec(session, prefix, &ec_public, &ec_private));
    for (size_t i = 0; i < sizeof message; i++) {
        message[i] = (uint8_t)(i * 7);
    }
    for (size_t i = 0; i < sizeof long_message; i++) {
        long_message[i] = (uint8_t)(i * 11);
    }
    MUST(encrypt(session, expected));
    MUST(encrypt_parts(session, long_expected));
    for (size_t i = 0; i < THREADS; i++) {
        workers[i].number = i;
        workers[i].session = p11_session();
        workers[i].gone = calloc(OBJECTS_MAX, sizeof *workers[i].gone);
        workers[i].doubtful = calloc(OBJECTS_MAX, sizeof *workers[i].doubtful);
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    while (started < THREADS) {
        usleep(1000);
    }
    puts("running");
    fflush(stdout);
    for (int i = 0; i < 10 * atoi(argv[2]) && !done; i++) {
        usleep(100000);
    }
    done = true;
    for (size_t i = 0; i < THREADS; i++) {
        struct worker *worker = &workers[i];

        pthread_join(worker->thread, NULL);
        printf("# thread %zu, %s: %lu good, %lu failed, %lu wrong, longest %lu ms\n", i,
               worker->name, (unsigned long)worker->good, (unsigned long)worker->failed,
               (unsigned long)worker->wrong, (unsigned long)worker->longest);
        failed += worker->failed;
        wrong += worker->wrong;
        made += worker->made;
        if (worker->destroying_longest > destroying) {
            destroying = worker->destroying_longest;
        }
        look(worker, session, &lost, &twice, &back);
    }
    printf("# longest destruction %lu ms\n", (unsigned long)destroying);
    check(failed == 0, "no operation failed (%lu did)", (unsigned long)failed);
    check(wrong == 0, "no result was wrong (%lu were)", (unsigned long)wrong);
    check(lost == 0, "every acknowledged object is there (%lu of %lu are not)",
          (unsigned long)lost, (unsigned long)made);
    check(twice == 0, "none is there twice (%lu are)", (unsigned long)twice);
    check(back == 0, "what was destroyed is gone (%lu are not)", (unsigned long)back);
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
