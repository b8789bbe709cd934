/* SPDX-License-Identifier: Apache-2.0
 *
 * p11bench - throughput and latency of any PKCS#11 module.
 *
 * Build:  cc -std=gnu11 -O2 -Wall -Wextra -Werror -I include/pkcs11_headers/include \
 *            -o p11bench bench/p11bench.c -ldl -lpthread
 * Use:    p11bench --module ./module.so --pin 1234 --op rsa2048-sign --threads 4 --seconds 3
 *         p11bench --op list
 *
 * Output: one CSV line per run:
 *   module,op,threads,ops,seconds,ops_per_s,p50_us,p99_us,p999_us,errors
 *
 * Every thread has its own session. The login is made once, by the main thread.
 * Keys are made by the module itself, CKA_SENSITIVE and CKA_PRIVATE are TRUE.
 * After the clock stops the last result of every thread is checked (the
 * signature is verified, the ciphertext decrypted), and a wrong result counts
 * as an error, so a module that answers fast but wrong does not look good.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "cryptoki.h"

/* ---------- small helpers ---------- */

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* CPU time of this process so far; tells more than the wall clock on a shared machine. */
static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void die(const char *what, CK_RV rv)
{
    fprintf(stderr, "p11bench: %s failed: rv=0x%08lx\n", what, (unsigned long)rv);
    _exit(2); /* other threads may be inside the module: no exit handlers */
}

static void *xcalloc(size_t n, size_t sz)
{
    void *p = calloc(n, sz);
    if (p == NULL) {
        fprintf(stderr, "p11bench: out of memory\n");
        exit(2);
    }
    return p;
}

/* Log-linear histogram of nanoseconds: 128 steps per power of two (<0.8 % error). */
#define SUB_BITS 7
#define SUB (1u << SUB_BITS)
#define NBUCKET ((64 - SUB_BITS) * SUB + SUB)
struct hist {
    uint64_t n;
    uint32_t b[NBUCKET];
};

static size_t bucket_of(uint64_t v)
{
    if (v < SUB)
        return (size_t)v;
    unsigned e = 63u - (unsigned)__builtin_clzll(v);
    return (size_t)((e - SUB_BITS + 1) * SUB + ((v >> (e - SUB_BITS)) & (SUB - 1)));
}

static uint64_t bucket_value(size_t i)
{
    if (i < SUB)
        return i;
    unsigned e = (unsigned)(i / SUB) + SUB_BITS - 1;
    return ((uint64_t)(SUB | (i % SUB)) << (e - SUB_BITS)) + (((uint64_t)1 << (e - SUB_BITS)) >> 1);
}

static void hist_add(struct hist *h, uint64_t v)
{
    h->n++;
    h->b[bucket_of(v)]++;
}

static double hist_q_us(const struct hist *h, double q)
{
    if (h->n == 0)
        return 0.0;
    uint64_t want = (uint64_t)(q * (double)(h->n - 1)) + 1, seen = 0;
    for (size_t i = 0; i < NBUCKET; i++) {
        seen += h->b[i];
        if (seen >= want)
            return (double)bucket_value(i) / 1000.0;
    }
    return 0.0;
}

/* ---------- options and operations ---------- */

enum kind {
    K_RSA_SIGN, K_RSA_VERIFY, K_EC_SIGN, K_EC_VERIFY, K_ECDH,
    K_GCM_ENC, K_GCM_DEC, K_CBC_ENC, K_CBC_DEC, K_HMAC, K_SHA, K_RAND,
    K_GEN_AES, K_GEN_EC, K_GEN_RSA, K_FIND, K_GETATTR, K_SESSION, K_LOGIN,
    K_INIT, K_COLD
};

struct op {
    const char *name;
    enum kind kind;
    unsigned param; /* modulus bits, curve bits or message bytes */
};

static const struct op ops[] = {
    {"rsa2048-sign", K_RSA_SIGN, 2048},     {"rsa3072-sign", K_RSA_SIGN, 3072},
    {"rsa4096-sign", K_RSA_SIGN, 4096},     {"rsa2048-verify", K_RSA_VERIFY, 2048},
    {"rsa3072-verify", K_RSA_VERIFY, 3072}, {"rsa4096-verify", K_RSA_VERIFY, 4096},
    {"p256-sign", K_EC_SIGN, 256},          {"p384-sign", K_EC_SIGN, 384},
    {"p256-verify", K_EC_VERIFY, 256},      {"p384-verify", K_EC_VERIFY, 384},
    {"p256-ecdh", K_ECDH, 256},
    {"aes256gcm-enc-16", K_GCM_ENC, 16},    {"aes256gcm-enc-1k", K_GCM_ENC, 1024},
    {"aes256gcm-enc-4k", K_GCM_ENC, 4096},  {"aes256gcm-enc-16k", K_GCM_ENC, 16384},
    {"aes256gcm-dec-16", K_GCM_DEC, 16},    {"aes256gcm-dec-1k", K_GCM_DEC, 1024},
    {"aes256gcm-dec-16k", K_GCM_DEC, 16384},
    {"aes256gcm-enc-100m", K_GCM_ENC, 100000000}, {"aes256gcm-dec-100m", K_GCM_DEC, 100000000},
    {"aes256cbc-enc-16", K_CBC_ENC, 16},    {"aes256cbc-enc-1k", K_CBC_ENC, 1024},
    {"aes256cbc-enc-16k", K_CBC_ENC, 16384},
    {"aes256cbc-dec-1k", K_CBC_DEC, 1024},  {"aes256cbc-dec-16k", K_CBC_DEC, 16384},
    {"hmac-sha256-16", K_HMAC, 16},         {"hmac-sha256-1k", K_HMAC, 1024},
    {"hmac-sha256-16k", K_HMAC, 16384},
    {"sha256-16", K_SHA, 16},               {"sha256-1k", K_SHA, 1024},
    {"sha256-16k", K_SHA, 16384},
    {"rand-32", K_RAND, 32},                {"rand-1k", K_RAND, 1024},
    {"keygen-aes", K_GEN_AES, 256},         {"keygen-ec", K_GEN_EC, 256},
    {"keygen-rsa2048", K_GEN_RSA, 2048},
    {"find-by-label", K_FIND, 0},           {"get-attribute", K_GETATTR, 0},
    {"open-close-session", K_SESSION, 0},   {"login", K_LOGIN, 0},
    {"initialize", K_INIT, 0},              {"cold-start", K_COLD, 0},
};

static struct {
    const char *module, *name, *pin, *init_string, *token_label;
    long slot;
    int threads, header, own_keys, no_destroy, keep, warm_ms, public_objects, cpu,
        populate_threads;
    double seconds;
    unsigned long objects;
    CK_BBOOL token_keys;
    const struct op *op;
} opt = {.slot = -1, .threads = 1, .seconds = 3.0, .warm_ms = 200, .populate_threads = 1};

static CK_FUNCTION_LIST_PTR P;
static CK_SLOT_ID slot_id;
static CK_SESSION_HANDLE master;
static CK_BBOOL yes = CK_TRUE, no = CK_FALSE;

/* How to give an IV for GCM: the caller's, or a zeroed buffer the module fills. */
static int gcm_module_iv;

struct keys {
    CK_OBJECT_HANDLE priv, pub, sec;
};

struct worker {
    pthread_t th;
    int id;
    CK_SESSION_HANDLE s;
    struct keys k;
    struct hist *h;
    uint64_t ops, errors, rng;
    CK_RV first_error;
    const char *first_what;
    CK_BYTE *msg, *out, *sig;
    CK_ULONG msg_len, out_len, sig_len;
    CK_BYTE iv[16];
    CK_BYTE peer[200];
    CK_ULONG peer_len;
    CK_OBJECT_HANDLE *made; /* objects left for after the run (--no-destroy) */
    size_t nmade, capmade;
};

static pthread_barrier_t start_line;
static atomic_int stop_flag, measuring;

static uint64_t rnd(struct worker *w)
{
    w->rng ^= w->rng << 13;
    w->rng ^= w->rng >> 7;
    w->rng ^= w->rng << 17;
    return w->rng;
}

/* ---------- key making ---------- */

static const CK_BYTE oid_p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};
static const CK_BYTE oid_p384[] = {0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22};

static CK_RV gen_secret(CK_SESSION_HANDLE s, CK_MECHANISM_TYPE mt, CK_ULONG len, CK_BBOOL token,
                        const char *label, CK_OBJECT_HANDLE *h)
{
    CK_MECHANISM m = {mt, NULL, 0};
    CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
    CK_KEY_TYPE kt = mt == CKM_AES_KEY_GEN ? CKK_AES : CKK_GENERIC_SECRET;
    CK_BBOOL *ed = mt == CKM_AES_KEY_GEN ? &yes : &no;
    CK_BBOOL *sv = mt == CKM_AES_KEY_GEN ? &no : &yes;
    CK_BBOOL *pr = opt.public_objects ? &no : &yes;
    CK_ATTRIBUTE t[] = {
        {CKA_CLASS, &cls, sizeof cls},   {CKA_KEY_TYPE, &kt, sizeof kt},
        {CKA_TOKEN, &token, 1},          {CKA_PRIVATE, pr, 1},
        {CKA_SENSITIVE, &yes, 1},        {CKA_VALUE_LEN, &len, sizeof len},
        {CKA_ENCRYPT, ed, 1},            {CKA_DECRYPT, ed, 1},
        {CKA_SIGN, sv, 1},               {CKA_VERIFY, sv, 1},
        {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
    };
    return P->C_GenerateKey(s, &m, t, sizeof t / sizeof t[0], h);
}

static CK_RV gen_pair(CK_SESSION_HANDLE s, int rsa, unsigned bits, CK_BBOOL token, int derive,
                      const char *label, CK_OBJECT_HANDLE *pub, CK_OBJECT_HANDLE *priv)
{
    CK_MECHANISM m = {rsa ? CKM_RSA_PKCS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_ULONG mb = bits;
    CK_BYTE exp3[] = {1, 0, 1};
    const CK_BYTE *oid = bits == 384 ? oid_p384 : oid_p256;
    CK_ULONG oid_len = bits == 384 ? sizeof oid_p384 : sizeof oid_p256;
    CK_BYTE id[4] = {0xb0, 0x0b, (CK_BYTE)(bits >> 8), (CK_BYTE)bits};
    CK_BBOOL *pr = opt.public_objects ? &no : &yes;
    CK_ATTRIBUTE tpub[] = {
        {CKA_TOKEN, &token, 1},   {CKA_VERIFY, &yes, 1},
        {CKA_PRIVATE, pr, 1},     {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
        {CKA_ID, id, sizeof id},  {CKA_MODULUS_BITS, &mb, sizeof mb},
        {CKA_PUBLIC_EXPONENT, exp3, sizeof exp3},
    };
    CK_ULONG npub = 7;
    if (!rsa) {
        tpub[5].type = CKA_EC_PARAMS;
        tpub[5].pValue = (void *)(uintptr_t)oid;
        tpub[5].ulValueLen = oid_len;
        npub = 6;
    }
    CK_ATTRIBUTE tpriv[] = {
        {CKA_TOKEN, &token, 1},     {CKA_PRIVATE, &yes, 1},
        {CKA_SENSITIVE, &yes, 1},   {CKA_LABEL, (void *)(uintptr_t)label, strlen(label)},
        {CKA_ID, id, sizeof id},    {CKA_SIGN, &yes, 1},
        {CKA_DERIVE, &yes, 1},
    };
    CK_ULONG npriv = derive ? 7 : 6;
    CK_RV rv = P->C_GenerateKeyPair(s, &m, tpub, npub, tpriv, npriv, pub, priv);
    if (rv != CKR_OK) { /* some modules refuse a private public key */
        tpub[2].pValue = &no;
        rv = P->C_GenerateKeyPair(s, &m, tpub, npub, tpriv, npriv, pub, priv);
    }
    return rv;
}

static void destroy_keys(CK_SESSION_HANDLE s, struct keys *k)
{
    if (k->priv)
        P->C_DestroyObject(s, k->priv);
    if (k->pub)
        P->C_DestroyObject(s, k->pub);
    if (k->sec)
        P->C_DestroyObject(s, k->sec);
    memset(k, 0, sizeof *k);
}

static void make_keys(CK_SESSION_HANDLE s, struct keys *k, int id)
{
    char label[64];
    CK_RV rv = CKR_OK;
    snprintf(label, sizeof label, "p11bench-tmp-%d-%d", (int)getpid(), id);
    memset(k, 0, sizeof *k);
    switch (opt.op->kind) {
    case K_RSA_SIGN: case K_RSA_VERIFY:
        rv = gen_pair(s, 1, opt.op->param, opt.token_keys, 0, label, &k->pub, &k->priv);
        break;
    case K_EC_SIGN: case K_EC_VERIFY:
        rv = gen_pair(s, 0, opt.op->param, opt.token_keys, 0, label, &k->pub, &k->priv);
        break;
    case K_ECDH:
        rv = gen_pair(s, 0, opt.op->param, opt.token_keys, 1, label, &k->pub, &k->priv);
        break;
    case K_GCM_ENC: case K_GCM_DEC: case K_CBC_ENC: case K_CBC_DEC: case K_GETATTR:
        rv = gen_secret(s, CKM_AES_KEY_GEN, 32, opt.token_keys, label, &k->sec);
        break;
    case K_HMAC:
        rv = gen_secret(s, CKM_GENERIC_SECRET_KEY_GEN, 32, opt.token_keys, label, &k->sec);
        break;
    default:
        break;
    }
    if (rv != CKR_OK)
        die("key generation", rv);
}

/* ---------- one operation ---------- */

static void object_label(char *buf, size_t n, unsigned long i)
{
    snprintf(buf, n, "p11bench-obj-%08lu", i);
}

static CK_RV sign_once(struct worker *w, CK_MECHANISM_TYPE mt, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM m = {mt, NULL, 0};
    CK_RV rv = P->C_SignInit(w->s, &m, key);
    if (rv != CKR_OK)
        return rv;
    w->sig_len = 1024;
    return P->C_Sign(w->s, w->msg, w->msg_len, w->sig, &w->sig_len);
}

static CK_RV verify_once(struct worker *w, CK_MECHANISM_TYPE mt, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM m = {mt, NULL, 0};
    CK_RV rv = P->C_VerifyInit(w->s, &m, key);
    if (rv != CKR_OK)
        return rv;
    return P->C_Verify(w->s, w->msg, w->msg_len, w->sig, w->sig_len);
}

static CK_RV crypt_once(struct worker *w, int gcm, int enc)
{
    CK_GCM_PARAMS gp;
    CK_MECHANISM m;
    CK_RV rv;
    if (gcm) {
        memset(&gp, 0, sizeof gp);
        gp.pIv = w->iv;
        gp.ulIvLen = 12;
        gp.ulIvBits = 96;
        gp.ulTagBits = 128;
        m.mechanism = CKM_AES_GCM;
        m.pParameter = &gp;
        m.ulParameterLen = sizeof gp;
        if (enc && gcm_module_iv)
            memset(w->iv, 0, sizeof w->iv);
        else if (enc)
            (*(uint64_t *)(void *)w->iv)++; /* a new IV for every message */
    } else {
        m.mechanism = CKM_AES_CBC;
        m.pParameter = w->iv;
        m.ulParameterLen = 16;
    }
    if (enc) {
        rv = P->C_EncryptInit(w->s, &m, w->k.sec);
        if (rv != CKR_OK)
            return rv;
        w->out_len = w->msg_len + 64;
        return P->C_Encrypt(w->s, w->msg, w->msg_len, w->out, &w->out_len);
    }
    rv = P->C_DecryptInit(w->s, &m, w->k.sec);
    if (rv != CKR_OK)
        return rv;
    w->sig_len = w->msg_len + 64;
    return P->C_Decrypt(w->s, w->out, w->out_len, w->sig, &w->sig_len);
}

static void remember(struct worker *w, CK_OBJECT_HANDLE h)
{
    if (w->nmade == w->capmade) {
        w->capmade = w->capmade ? w->capmade * 2 : 1024;
        w->made = realloc(w->made, w->capmade * sizeof *w->made);
        if (w->made == NULL)
            die("memory", CKR_HOST_MEMORY);
    }
    w->made[w->nmade++] = h;
}

static CK_RV dispose(struct worker *w, CK_OBJECT_HANDLE h)
{
    if (opt.no_destroy) {
        remember(w, h);
        return CKR_OK;
    }
    return P->C_DestroyObject(w->s, h);
}

static CK_RV one(struct worker *w, const char **what)
{
    CK_RV rv;
    CK_OBJECT_HANDLE h[4], h2;
    CK_ULONG n = 0;
    char label[64];
    *what = opt.op->name;
    switch (opt.op->kind) {
    case K_RSA_SIGN:
        return sign_once(w, CKM_RSA_PKCS, w->k.priv);
    case K_RSA_VERIFY:
        return verify_once(w, CKM_RSA_PKCS, w->k.pub);
    case K_EC_SIGN:
        return sign_once(w, CKM_ECDSA, w->k.priv);
    case K_EC_VERIFY:
        return verify_once(w, CKM_ECDSA, w->k.pub);
    case K_HMAC:
        return sign_once(w, CKM_SHA256_HMAC, w->k.sec);
    case K_GCM_ENC:
        return crypt_once(w, 1, 1);
    case K_GCM_DEC:
        return crypt_once(w, 1, 0);
    case K_CBC_ENC:
        return crypt_once(w, 0, 1);
    case K_CBC_DEC:
        return crypt_once(w, 0, 0);
    case K_SHA: {
        CK_MECHANISM m = {CKM_SHA256, NULL, 0};
        rv = P->C_DigestInit(w->s, &m);
        if (rv != CKR_OK)
            return rv;
        w->sig_len = 1024;
        return P->C_Digest(w->s, w->msg, w->msg_len, w->sig, &w->sig_len);
    }
    case K_RAND:
        return P->C_GenerateRandom(w->s, w->out, opt.op->param);
    case K_ECDH: {
        CK_ECDH1_DERIVE_PARAMS dp;
        memset(&dp, 0, sizeof dp);
        dp.kdf = CKD_NULL;
        dp.pPublicData = w->peer;
        dp.ulPublicDataLen = w->peer_len;
        CK_MECHANISM m = {CKM_ECDH1_DERIVE, &dp, sizeof dp};
        CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
        CK_KEY_TYPE kt = CKK_GENERIC_SECRET;
        CK_ULONG len = 32;
        CK_ATTRIBUTE t[] = {
            {CKA_CLASS, &cls, sizeof cls}, {CKA_KEY_TYPE, &kt, sizeof kt},
            {CKA_TOKEN, &no, 1},           {CKA_PRIVATE, &yes, 1},
            {CKA_SENSITIVE, &yes, 1},      {CKA_VALUE_LEN, &len, sizeof len},
        };
        rv = P->C_DeriveKey(w->s, &m, w->k.priv, t, 6, &h2);
        if (rv != CKR_OK)
            return rv;
        return P->C_DestroyObject(w->s, h2);
    }
    case K_GEN_AES:
        rv = gen_secret(w->s, CKM_AES_KEY_GEN, 32, opt.token_keys, "p11bench-gen", &h2);
        return rv != CKR_OK ? rv : dispose(w, h2);
    case K_GEN_EC: case K_GEN_RSA:
        rv = gen_pair(w->s, opt.op->kind == K_GEN_RSA, opt.op->param, opt.token_keys, 0,
                      "p11bench-gen", &h2, &h[0]);
        if (rv != CKR_OK)
            return rv;
        rv = dispose(w, h2);
        h2 = h[0];
        return rv != CKR_OK ? rv : dispose(w, h2);
    case K_FIND: {
        object_label(label, sizeof label, (unsigned long)(rnd(w) % opt.objects));
        CK_OBJECT_CLASS cls = CKO_SECRET_KEY;
        CK_ATTRIBUTE t[] = {{CKA_CLASS, &cls, sizeof cls}, {CKA_LABEL, label, strlen(label)}};
        rv = P->C_FindObjectsInit(w->s, t, 2);
        if (rv != CKR_OK)
            return rv;
        rv = P->C_FindObjects(w->s, h, 4, &n);
        CK_RV rv2 = P->C_FindObjectsFinal(w->s);
        if (rv == CKR_OK && n != 1)
            return CKR_GENERAL_ERROR; /* exactly one object has this label */
        return rv != CKR_OK ? rv : rv2;
    }
    case K_GETATTR: {
        CK_OBJECT_CLASS cls = 0;
        CK_KEY_TYPE kt = 0;
        CK_ATTRIBUTE t[] = {
            {CKA_CLASS, &cls, sizeof cls},
            {CKA_KEY_TYPE, &kt, sizeof kt},
            {CKA_LABEL, label, sizeof label},
        };
        rv = P->C_GetAttributeValue(w->s, w->k.sec, t, 3);
        return rv == CKR_OK && kt != CKK_AES ? CKR_GENERAL_ERROR : rv;
    }
    case K_SESSION: {
        CK_SESSION_HANDLE s;
        rv = P->C_OpenSession(slot_id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
        return rv != CKR_OK ? rv : P->C_CloseSession(s);
    }
    case K_LOGIN:
        rv = P->C_Login(w->s, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)opt.pin, strlen(opt.pin));
        return rv != CKR_OK ? rv : P->C_Logout(w->s);
    default:
        return CKR_FUNCTION_NOT_SUPPORTED;
    }
}

/* ---------- set-up and check of a worker ---------- */

static void prepare(struct worker *w)
{
    enum kind k = opt.op->kind;
    CK_RV rv = CKR_OK;
    size_t cap = (opt.op->param > 16384 ? opt.op->param : 16384) + 64;
    w->msg = xcalloc(1, cap);
    w->out = xcalloc(1, cap);
    w->sig = xcalloc(1, cap);
    w->h = xcalloc(1, sizeof *w->h);
    w->rng = 0x9e3779b97f4a7c15ull * (uint64_t)(w->id + 1);
    for (size_t i = 0; i < cap; i++)
        w->msg[i] = (CK_BYTE)rnd(w);
    rv = P->C_GenerateRandom(w->s, w->iv, sizeof w->iv);
    if (rv != CKR_OK)
        for (size_t i = 0; i < sizeof w->iv; i++)
            w->iv[i] = (CK_BYTE)rnd(w);
    rv = CKR_OK;
    if (k == K_RSA_SIGN || k == K_RSA_VERIFY) {
        static const CK_BYTE di[19] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01,
                                       0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};
        memcpy(w->msg, di, sizeof di);
        w->msg_len = sizeof di + 32;
    } else if (k == K_EC_SIGN || k == K_EC_VERIFY) {
        w->msg_len = opt.op->param / 8;
    } else {
        w->msg_len = opt.op->param;
    }
    if (opt.op->kind == K_ECDH) {
        CK_ATTRIBUTE a = {CKA_EC_POINT, w->peer, sizeof w->peer};
        rv = P->C_GetAttributeValue(w->s, w->k.pub, &a, 1);
        if (rv != CKR_OK)
            die("read of CKA_EC_POINT", rv);
        w->peer_len = a.ulValueLen;
        const char *what;
        if (one(w, &what) != CKR_OK && w->peer_len == 67) { /* try the raw point */
            memmove(w->peer, w->peer + 2, 65);
            w->peer_len = 65;
        }
    }
    if (k == K_RSA_VERIFY)
        rv = sign_once(w, CKM_RSA_PKCS, w->k.priv);
    else if (k == K_EC_VERIFY)
        rv = sign_once(w, CKM_ECDSA, w->k.priv);
    else if (k == K_GCM_ENC || k == K_GCM_DEC) {
        rv = crypt_once(w, 1, 1);
        if (rv != CKR_OK) {
            gcm_module_iv = 1; /* the module wants to make the IV itself */
            CK_RV rv2 = crypt_once(w, 1, 1);
            if (rv2 == CKR_OK) {
                if (w->id == 0)
                    fprintf(stderr, "p11bench: caller IV refused (0x%08lx), taking the module's\n",
                            (unsigned long)rv);
                rv = CKR_OK;
            }
        }
    } else if (k == K_CBC_DEC)
        rv = crypt_once(w, 0, 1);
    if (rv != CKR_OK)
        die("preparing the operation", rv);
}

/* Was the last result right? */
static CK_RV check(struct worker *w)
{
    CK_RV rv;
    switch (opt.op->kind) {
    case K_RSA_SIGN:
        return verify_once(w, CKM_RSA_PKCS, w->k.pub);
    case K_EC_SIGN:
        return verify_once(w, CKM_ECDSA, w->k.pub);
    case K_HMAC:
        return w->sig_len == 32 ? verify_once(w, CKM_SHA256_HMAC, w->k.sec) : CKR_GENERAL_ERROR;
    case K_SHA:
        return w->sig_len == 32 ? CKR_OK : CKR_GENERAL_ERROR;
    case K_GCM_ENC: case K_GCM_DEC: case K_CBC_ENC: case K_CBC_DEC:
        rv = crypt_once(w, opt.op->kind == K_GCM_ENC || opt.op->kind == K_GCM_DEC, 0);
        if (rv != CKR_OK)
            return rv;
        return w->sig_len == w->msg_len && memcmp(w->sig, w->msg, w->msg_len) == 0
                   ? CKR_OK : CKR_GENERAL_ERROR;
    default:
        return CKR_OK;
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    pthread_barrier_wait(&start_line);
    while (!stop_flag) {
        const char *what;
        uint64_t t0 = now_ns();
        CK_RV rv = one(w, &what);
        uint64_t t1 = now_ns();
        if (!measuring)
            continue;
        if (rv == CKR_OK) {
            w->ops++;
            hist_add(w->h, t1 - t0);
        } else {
            w->errors++;
            if (w->first_error == CKR_OK) {
                w->first_error = rv;
                w->first_what = what;
            }
        }
    }
    return NULL;
}

/* ---------- populate ---------- */

static unsigned long next_obj, populated;
static pthread_mutex_t pop_mu = PTHREAD_MUTEX_INITIALIZER;

static void *populate_thread(void *arg)
{
    CK_SESSION_HANDLE s;
    char label[64];
    (void)arg;
    CK_RV rv = P->C_OpenSession(slot_id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &s);
    if (rv != CKR_OK)
        die("C_OpenSession", rv);
    for (;;) {
        pthread_mutex_lock(&pop_mu);
        unsigned long i = next_obj++;
        pthread_mutex_unlock(&pop_mu);
        if (i >= opt.objects)
            break;
        CK_OBJECT_HANDLE h;
        object_label(label, sizeof label, i);
        rv = gen_secret(s, CKM_AES_KEY_GEN, 32, CK_TRUE, label, &h);
        if (rv != CKR_OK)
            die("populate: C_GenerateKey", rv);
        __atomic_add_fetch(&populated, 1, __ATOMIC_RELAXED);
    }
    P->C_CloseSession(s);
    return NULL;
}

/* Labels are dense from 0, so a binary search finds how many are there already. */
static int have_object(unsigned long i)
{
    char label[64];
    CK_OBJECT_HANDLE h;
    CK_ULONG n = 0;
    object_label(label, sizeof label, i);
    CK_ATTRIBUTE t[] = {{CKA_LABEL, label, strlen(label)}};
    if (P->C_FindObjectsInit(master, t, 1) != CKR_OK)
        return 0;
    P->C_FindObjects(master, &h, 1, &n);
    P->C_FindObjectsFinal(master);
    return n > 0;
}

static void populate(void)
{
    unsigned long lo = 0, hi = opt.objects;
    if (opt.objects == 0)
        return;
    if (have_object(opt.objects - 1))
        return;
    while (lo < hi) {
        unsigned long mid = lo + (hi - lo) / 2;
        if (have_object(mid))
            lo = mid + 1;
        else
            hi = mid;
    }
    next_obj = lo;
    uint64_t t0 = now_ns();
    pthread_t th[64];
    for (int i = 0; i < opt.populate_threads; i++)
        if (pthread_create(&th[i], NULL, populate_thread, NULL) != 0)
            die("pthread_create", CKR_HOST_MEMORY);
    for (int i = 0; i < opt.populate_threads; i++)
        pthread_join(th[i], NULL);
    double s = (double)(now_ns() - t0) / 1e9;
    fprintf(stderr, "p11bench: populated %lu token objects (from %lu) in %.2f s = %.1f/s\n",
            populated, lo, s, (double)populated / s);
}

/* ---------- main ---------- */

/* NSS reads one more pointer before pReserved; others see pReserved = string. */
struct init_args {
    CK_C_INITIALIZE_ARGS a;
    void *extra;
};

static CK_RV initialize(void)
{
    static struct init_args ia;
    memset(&ia, 0, sizeof ia);
    ia.a.flags = CKF_OS_LOCKING_OK;
    ia.a.pReserved = (void *)(uintptr_t)opt.init_string;
    return P->C_Initialize(&ia);
}

static void pick_slot(void)
{
    CK_SLOT_ID slots[256];
    CK_ULONG n = 256;
    CK_RV rv = P->C_GetSlotList(CK_TRUE, slots, &n);
    if (rv != CKR_OK || n == 0)
        die("C_GetSlotList (no token?)", rv);
    slot_id = slots[0];
    if (opt.slot >= 0)
        slot_id = (CK_SLOT_ID)opt.slot;
    if (opt.token_label != NULL) {
        size_t l = strlen(opt.token_label);
        for (CK_ULONG i = 0; i < n; i++) {
            CK_TOKEN_INFO ti;
            if (P->C_GetTokenInfo(slots[i], &ti) == CKR_OK && l <= 32 &&
                memcmp(ti.label, opt.token_label, l) == 0 && (l == 32 || ti.label[l] == ' ')) {
                slot_id = slots[i];
                return;
            }
        }
        die("no token has that label", CKR_TOKEN_NOT_PRESENT);
    }
}

static void open_master(int login)
{
    CK_RV rv = P->C_OpenSession(slot_id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &master);
    if (rv != CKR_OK)
        die("C_OpenSession", rv);
    if (login && opt.pin != NULL) {
        rv = P->C_Login(master, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)opt.pin, strlen(opt.pin));
        if (rv != CKR_OK && rv != CKR_USER_ALREADY_LOGGED_IN)
            die("C_Login", rv);
    }
}

static void print_line(const struct hist *h, uint64_t nops, double secs, uint64_t errors,
                       double cpu)
{
    if (opt.header)
        printf("module,op,threads,ops,seconds,ops_per_s,p50_us,p99_us,p999_us,errors%s\n",
               opt.cpu ? ",cpu_us_per_op" : "");
    printf("%s,%s,%d,%llu,%.3f,%.1f,%.1f,%.1f,%.1f,%llu", opt.name, opt.op->name, opt.threads,
           (unsigned long long)nops, secs, secs > 0 ? (double)nops / secs : 0.0,
           hist_q_us(h, 0.50), hist_q_us(h, 0.99), hist_q_us(h, 0.999),
           (unsigned long long)errors);
    if (opt.cpu)
        printf(",%.2f", nops ? cpu / (double)nops : 0.0);
    printf("\n");
    fflush(stdout);
}

/* initialize: C_Initialize alone. cold-start: until the first object is found. */
static int run_startup(void)
{
    struct hist *h = xcalloc(1, sizeof *h);
    uint64_t nops = 0, errors = 0, busy = 0, end = now_ns() + (uint64_t)(opt.seconds * 1e9);
    unsigned long want = opt.objects;
    CK_RV rv;
    if (want > 0) {
        if ((rv = initialize()) != CKR_OK)
            die("C_Initialize", rv);
        pick_slot();
        open_master(1);
        populate();
        P->C_Finalize(NULL);
    }
    double c0 = cpu_us();
    do {
        uint64_t t0 = now_ns();
        rv = initialize();
        uint64_t t1 = now_ns();
        if (rv != CKR_OK)
            die("C_Initialize", rv);
        if (opt.op->kind == K_COLD) {
            pick_slot();
            open_master(1);
            if (want > 0 && !have_object(want / 2))
                errors++;
            t1 = now_ns();
        }
        P->C_Finalize(NULL);
        nops++;
        busy += t1 - t0;
        hist_add(h, t1 - t0);
    } while (now_ns() < end);
    print_line(h, nops, (double)busy / 1e9, errors, cpu_us() - c0);
    return errors ? 1 : 0;
}

static void usage(void)
{
    fprintf(stderr,
            "usage: p11bench --module SO --op OP [--pin PIN] [--slot ID | --token LABEL]\n"
            "  [--threads N] [--seconds S] [--warmup-ms MS] [--keys session|token] [--own-keys]\n"
            "  [--objects N] [--no-destroy] [--keep] [--public] [--name TEXT] [--header]\n"
            "  [--cpu] [--populate-threads N] [--init-string TEXT]\n"
            "  --op list prints the operations.\n"
            "  --own-keys: a key per thread (default: all threads share one key)\n"
            "  --no-destroy: keygen-* leaves its keys until the clock has stopped\n"
            "  --keep: with --no-destroy, leaves them on the token for good\n"
            "  --cpu: one more column, CPU us (user+system) of this process per operation;\n"
            "    the daemon's and the server's CPU time is not in it\n"
            "  --public: AES and public keys with CKA_PRIVATE FALSE\n"
            "  --init-string: C_Initialize's pReserved text (NSS: configdir='sql:DIR' ...)\n");
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option lo[] = {
        {"module", 1, 0, 'm'},      {"pin", 1, 0, 'p'},        {"slot", 1, 0, 's'},
        {"token", 1, 0, 'T'},       {"threads", 1, 0, 't'},    {"seconds", 1, 0, 'S'},
        {"op", 1, 0, 'o'},          {"objects", 1, 0, 'n'},    {"keys", 1, 0, 'k'},
        {"own-keys", 0, 0, 'O'},    {"no-destroy", 0, 0, 'D'}, {"keep", 0, 0, 'K'},
        {"name", 1, 0, 'N'},        {"header", 0, 0, 'H'},     {"init-string", 1, 0, 'I'},
        {"warmup-ms", 1, 0, 'w'},   {"public", 0, 0, 'P'},
        {"cpu", 0, 0, 'C'},         {"populate-threads", 1, 0, 'j'},
        {0, 0, 0, 0},
    };
    const char *opname = NULL;
    int c;
    while ((c = getopt_long(argc, argv, "", lo, NULL)) != -1) {
        switch (c) {
        case 'm': opt.module = optarg; break;
        case 'p': opt.pin = optarg; break;
        case 's': opt.slot = strtol(optarg, NULL, 0); break;
        case 'T': opt.token_label = optarg; break;
        case 't': opt.threads = atoi(optarg); break;
        case 'S': opt.seconds = atof(optarg); break;
        case 'o': opname = optarg; break;
        case 'n': opt.objects = strtoul(optarg, NULL, 10); break;
        case 'k':
            if (strcmp(optarg, "session") != 0 && strcmp(optarg, "token") != 0)
                usage();
            opt.token_keys = strcmp(optarg, "token") == 0;
            break;
        case 'O': opt.own_keys = 1; break;
        case 'D': opt.no_destroy = 1; break;
        case 'K': opt.keep = 1; break;
        case 'N': opt.name = optarg; break;
        case 'H': opt.header = 1; break;
        case 'I': opt.init_string = optarg; break;
        case 'w': opt.warm_ms = atoi(optarg); break;
        case 'P': opt.public_objects = 1; break;
        case 'C': opt.cpu = 1; break;
        case 'j': opt.populate_threads = atoi(optarg); break;
        default: usage();
        }
    }
    if (opname == NULL)
        usage();
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (strcmp(opname, "list") == 0)
            puts(ops[i].name);
        else if (strcmp(opname, ops[i].name) == 0)
            opt.op = &ops[i];
    }
    if (strcmp(opname, "list") == 0)
        return 0;
    if (opt.op == NULL || opt.module == NULL || opt.threads < 1 || opt.threads > 4096 ||
        opt.populate_threads < 1 || opt.populate_threads > 64)
        usage();
    if (opt.op->kind == K_LOGIN && (opt.threads != 1 || opt.pin == NULL)) {
        fprintf(stderr, "p11bench: login is per application: needs --threads 1 and --pin\n");
        return 2;
    }
    if (opt.op->kind == K_FIND && opt.objects == 0)
        opt.objects = 100;
    if (opt.name == NULL) {
        const char *sl = strrchr(opt.module, '/');
        opt.name = sl ? sl + 1 : opt.module;
    }

    void *dl = dlopen(opt.module, RTLD_NOW | RTLD_LOCAL);
    if (dl == NULL) {
        fprintf(stderr, "p11bench: %s\n", dlerror());
        return 2;
    }
    CK_RV (*gfl)(CK_FUNCTION_LIST_PTR *);
    *(void **)(void *)&gfl = dlsym(dl, "C_GetFunctionList");
    if (gfl == NULL || gfl(&P) != CKR_OK || P == NULL) {
        fprintf(stderr, "p11bench: no C_GetFunctionList in %s\n", opt.module);
        return 2;
    }
    if (opt.op->kind == K_INIT || opt.op->kind == K_COLD)
        return run_startup();

    CK_RV rv = initialize();
    if (rv != CKR_OK)
        die("C_Initialize", rv);
    pick_slot();
    open_master(opt.op->kind != K_LOGIN);
    populate();

    struct worker *w = xcalloc((size_t)opt.threads, sizeof *w);
    struct keys shared;
    memset(&shared, 0, sizeof shared);
    if (!opt.own_keys)
        make_keys(master, &shared, 0);
    for (int i = 0; i < opt.threads; i++) {
        w[i].id = i;
        rv = P->C_OpenSession(slot_id, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL, &w[i].s);
        if (rv != CKR_OK)
            die("C_OpenSession", rv);
        if (opt.own_keys)
            make_keys(w[i].s, &w[i].k, i);
        else
            w[i].k = shared;
        prepare(&w[i]);
    }
    pthread_barrier_init(&start_line, NULL, (unsigned)opt.threads + 1);
    for (int i = 0; i < opt.threads; i++)
        if (pthread_create(&w[i].th, NULL, work, &w[i]) != 0)
            die("pthread_create", CKR_HOST_MEMORY);
    pthread_barrier_wait(&start_line);
    struct timespec ts = {opt.warm_ms / 1000, (opt.warm_ms % 1000) * 1000000L};
    nanosleep(&ts, NULL);
    uint64_t t0 = now_ns();
    double c0 = cpu_us();
    measuring = 1;
    ts.tv_sec = (time_t)opt.seconds;
    ts.tv_nsec = (long)((opt.seconds - (double)ts.tv_sec) * 1e9);
    nanosleep(&ts, NULL);
    stop_flag = 1;
    for (int i = 0; i < opt.threads; i++)
        pthread_join(w[i].th, NULL);
    double secs = (double)(now_ns() - t0) / 1e9;
    double cpu = cpu_us() - c0;

    struct hist *all = xcalloc(1, sizeof *all);
    uint64_t nops = 0, errors = 0;
    for (int i = 0; i < opt.threads; i++) {
        nops += w[i].ops;
        errors += w[i].errors;
        if (w[i].first_error != CKR_OK)
            fprintf(stderr, "p11bench: thread %d: %s: rv=0x%08lx\n", i, w[i].first_what,
                    (unsigned long)w[i].first_error);
        all->n += w[i].h->n;
        for (size_t b = 0; b < NBUCKET; b++)
            all->b[b] += w[i].h->b[b];
        rv = w[i].errors ? CKR_OK : check(&w[i]);
        if (rv != CKR_OK) {
            fprintf(stderr, "p11bench: thread %d: wrong result: rv=0x%08lx\n", i, (unsigned long)rv);
            errors++;
        }
    }
    print_line(all, nops, secs, errors, cpu);

    if (!opt.keep)
        for (int i = 0; i < opt.threads; i++)
            for (size_t j = 0; j < w[i].nmade; j++)
                P->C_DestroyObject(w[i].s, w[i].made[j]);
    for (int i = 0; i < opt.threads; i++) {
        if (opt.own_keys)
            destroy_keys(w[i].s, &w[i].k);
        P->C_CloseSession(w[i].s);
    }
    if (!opt.own_keys)
        destroy_keys(master, &shared);
    if (opt.pin != NULL && opt.op->kind != K_LOGIN)
        P->C_Logout(master);
    P->C_CloseSession(master);
    P->C_Finalize(NULL);
    return errors ? 1 : 0;
}
