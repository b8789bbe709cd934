/* SPDX-License-Identifier: Apache-2.0
 *
 * Two users of the module in one process, neither of whom knows of the other: this program, and
 * OpenSSL through libp11's engine. They share what PKCS #11 has once for each process, the login
 * and the end: whoever comes second is told that it has been done, and when one has finalised,
 * the other's calls fail and harm nothing.
 *
 *   company MODULE
 *
 * Exit status 77: there is no engine.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "p11.h"

#include <dirent.h>
#include <malloc.h>
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#define ROUNDS 60
#define WARM 10
#define GROWTH_MAX 16384
#define SIGNATURES 20
#define KEY_URI "pkcs11:object=company;type=private"

static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE private_key;
static atomic_int failed;

static int
descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int count = 0;

    while (dir != NULL && readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

static ENGINE *
engine_start(const char *module)
{
    ENGINE *engine = ENGINE_by_id("pkcs11");

    if (engine == NULL) {
        return NULL;
    }
    if (ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) != 1 ||
        ENGINE_ctrl_cmd_string(engine, "PIN", PIN, 0) != 1 || ENGINE_init(engine) != 1) {
        die("the engine does not start");
    }
    return engine;
}

/* Ours, whoever has initialised and logged in before. */
static void
begin(void)
{
    CK_ATTRIBUTE label = ATTR_BYTES(CKA_LABEL, "company", 7);
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE template[] = { label, ATTR(CKA_CLASS, class) };
    CK_RV rv = p11->C_Initialize(NULL);

    if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED) {
        MUST(rv);
    }
    session = p11_session();
    rv = p11_login(session, PIN);
    if (rv != CKR_USER_ALREADY_LOGGED_IN) {
        MUST(rv);
    }
    (void)p11_find(session, template, COUNT(template), &private_key, 1);
}

static bool
signs_directly(void)
{
    CK_MECHANISM mechanism = { CKM_ECDSA_SHA256, NULL, 0 };
    uint8_t in[10] = { 1 }, out[64];
    CK_ULONG len = sizeof out;

    return p11->C_SignInit(session, &mechanism, private_key) == CKR_OK &&
           p11->C_Sign(session, in, sizeof in, out, &len) == CKR_OK;
}

static bool
signs_by_openssl(EVP_PKEY *key)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t in[10] = { 1 }, out[80];
    size_t len = sizeof out;
    bool done = EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestSign(context, out, &len, in, sizeof in) == 1;

    EVP_MD_CTX_free(context);
    context = EVP_MD_CTX_new();
    done = done && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
           EVP_DigestVerify(context, out, len, in, sizeof in) == 1;
    EVP_MD_CTX_free(context);
    return done;
}

static void *
work(void *key)
{
    for (int i = 0; i < SIGNATURES; i++) {
        failed += !signs_by_openssl(key);
    }
    return NULL;
}

/* A key of the engine's and sessions of ours, both at once. */
static void
round_run(ENGINE *engine)
{
    EVP_PKEY *key = ENGINE_load_private_key(engine, KEY_URI, NULL, NULL);
    pthread_t thread;

    if (key == NULL) {
        die("the engine has no key");
    }
    begin();
    pthread_create(&thread, NULL, work, key);
    for (int i = 0; i < SIGNATURES; i++) {
        failed += !signs_directly();
    }
    MUST(p11->C_CloseSession(session));
    pthread_join(thread, NULL);
    EVP_PKEY_free(key);
}

int
main(int argc, char **argv)
{
    CK_OBJECT_HANDLE public = 0, private = 0;
    int before = 0, opened;
    size_t taken = 0, after;
    ENGINE *engine;
    EVP_PKEY *key;

    if (argc != 2) {
        die("usage: company MODULE");
    }
    OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_ALL_BUILTIN | OPENSSL_INIT_LOAD_CONFIG, NULL);
    p11_load(argv[1]);
    opened = descriptors();
    engine = engine_start(argv[1]);
    if (engine == NULL) {
        return 77;
    }
    begin();
    MUST(p11_generate_ec(session, "company", &public, &private));
    for (int i = 0; i < ROUNDS; i++) {
        round_run(engine);
        if (i == WARM) {
            before = descriptors();
            taken = mallinfo2().uordblks;
        }
    }
    after = mallinfo2().uordblks;
    check(failed == 0, "OpenSSL's engine and we sign side by side, %d times (%d failed)", ROUNDS,
          (int)failed);
    check(descriptors() == before, "no descriptor stays behind");
    check(after <= taken + GROWTH_MAX, "no memory stays behind (%zu bytes, then %zu)", taken,
          after);

    key = ENGINE_load_private_key(engine, KEY_URI, NULL, NULL);
    check(key != NULL && signs_by_openssl(key), "the engine has a key when we finalise");
    MUST(p11->C_Finalize(NULL));
    check(!signs_by_openssl(key), "its signatures fail then");
    EVP_PKEY_free(key);
    ENGINE_finish(engine);
    ENGINE_free(engine);
    check(descriptors() == opened, "no descriptor stays behind at the end");
    return checks_failed != 0;
}
