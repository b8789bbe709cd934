/* SPDX-License-Identifier: Apache-2.0
 *
 * Small operations, and what they ask of the heap: a line for each operation and process with the
 * allocations of our code, of the crypto library and of the rest, all for COUNT operations. With
 * counting.c preloaded into all of them.
 *
 *   allocations MODULE COUNT [NAME FILE]...
 */
#include "p11.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#define PROCESSES_MAX 4
#define WARM 300

static struct process {
    const char *name;
    const volatile uint64_t *counts;
    uint64_t before[3];
} processes[PROCESSES_MAX];
static int process_count;

static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE aes, hmac, ec, rsa;
static CK_BYTE data[1024], out[2048];

static void
process_add(const char *name, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    void *counts = fd < 0 ? MAP_FAILED : mmap(NULL, 32, PROT_READ, MAP_SHARED, fd, 0);

    if (counts == MAP_FAILED || process_count == PROCESSES_MAX) {
        die("%s: %s", name, path);
    }
    processes[process_count++] = (struct process){ .name = name, .counts = counts };
}

static void
make_keys(void)
{
    static CK_BYTE p256[] = { 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7 };
    CK_MECHANISM aes_gen = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_MECHANISM generic = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_MECHANISM ec_gen = { CKM_EC_KEY_PAIR_GEN, NULL, 0 };
    CK_MECHANISM rsa_gen = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG len = 32, bits = 2048;
    CK_OBJECT_HANDLE public;
    CK_ATTRIBUTE cipher[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_ENCRYPT, yes) };
    CK_ATTRIBUTE mac[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes) };
    CK_ATTRIBUTE curve[] = { ATTR(CKA_EC_PARAMS, p256), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE modulus[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE signs[] = { ATTR(CKA_SIGN, yes) };

    MUST(p11->C_GenerateKey(session, &aes_gen, cipher, COUNT(cipher), &aes));
    MUST(p11->C_GenerateKey(session, &generic, mac, COUNT(mac), &hmac));
    MUST(p11->C_GenerateKeyPair(session, &ec_gen, curve, COUNT(curve), signs, 1, &public, &ec));
    MUST(p11->C_GenerateKeyPair(session, &rsa_gen, modulus, COUNT(modulus), signs, 1, &public,
                                &rsa));
}

static void
random_32(void)
{
    MUST(p11->C_GenerateRandom(session, out, 32));
}

static void
sign(CK_MECHANISM_TYPE type, CK_OBJECT_HANDLE key, CK_ULONG len)
{
    CK_MECHANISM mechanism = { type, NULL, 0 };
    CK_ULONG out_len = sizeof out;

    MUST(p11->C_SignInit(session, &mechanism, key));
    MUST(p11->C_Sign(session, data, len, out, &out_len));
}

static void
hmac_sign(void)
{
    sign(CKM_SHA256_HMAC, hmac, sizeof data);
}

static void
p256_sign(void)
{
    sign(CKM_ECDSA, ec, 32);
}

static void
rsa_sign(void)
{
    sign(CKM_SHA256_RSA_PKCS, rsa, 32);
}

static void
gcm_encrypt(void)
{
    CK_BYTE iv[12] = { 0 };
    CK_GCM_PARAMS params = { iv, sizeof iv, 96, NULL, 0, 128 };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG out_len = sizeof out;

    MUST(p11->C_EncryptInit(session, &mechanism, aes));
    MUST(p11->C_Encrypt(session, data, sizeof data, out, &out_len));
}

static void
digest(void)
{
    CK_MECHANISM mechanism = { CKM_SHA256, NULL, 0 };
    CK_ULONG out_len = sizeof out;

    MUST(p11->C_DigestInit(session, &mechanism));
    MUST(p11->C_Digest(session, data, sizeof data, out, &out_len));
}

static const struct {
    const char *name;
    void (*act)(void);
} operations[] = {
    { "random", random_32 },  { "hmac", hmac_sign },   { "gcm", gcm_encrypt },
    { "digest", digest },     { "p256", p256_sign },   { "rsa2048", rsa_sign },
};

int
main(int argc, char **argv)
{
    void (*look)(void);
    char own[256];
    long count;

    if (argc < 3) {
        die("allocations MODULE COUNT [NAME FILE]...");
    }
    count = atol(argv[2]);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    *(void **)&look = dlsym(RTLD_DEFAULT, "counting_look");
    if (look == NULL) {
        die("counting.c is not loaded");
    }
    look();
    snprintf(own, sizeof own, "%s/%d", getenv("COUNTING"), (int)getpid());
    process_add("library", own);
    for (int i = 3; i + 1 < argc; i += 2) {
        process_add(argv[i], argv[i + 1]);
    }
    MUST(p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &session));
    MUST(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)PIN, sizeof PIN - 1));
    make_keys();
    for (size_t k = 0; k < COUNT(operations); k++) {
        for (long i = 0; i < WARM; i++) {
            operations[k].act();
        }
        for (int p = 0; p < process_count; p++) {
            for (int kind = 0; kind < 3; kind++) {
                processes[p].before[kind] = processes[p].counts[kind];
            }
        }
        for (long i = 0; i < count; i++) {
            operations[k].act();
        }
        for (int p = 0; p < process_count; p++) {
            printf("%s %s %llu %llu %llu\n", operations[k].name, processes[p].name,
                   (unsigned long long)(processes[p].counts[0] - processes[p].before[0]),
                   (unsigned long long)(processes[p].counts[1] - processes[p].before[1]),
                   (unsigned long long)(processes[p].counts[2] - processes[p].before[2]));
        }
    }
    MUST(p11->C_Finalize(NULL));
    return 0;
}
