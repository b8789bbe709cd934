/* SPDX-License-Identifier: Apache-2.0
 *
 * An application whose HSM's disk hangs while the file exists (hanging.c): what needs the disk is
 * answered within its limit, what does not goes on, and all is well when the disk is back.
 *
 *   unsynced MODULE FILE
 */
#include "p11.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define WRITERS 6u
#define LIMIT_MS 20000u /* of a call that needs the disk: the daemon gives it 15 s, the library 16 */
#define GOES_ON_MS 10000u /* of one that does not, on the busiest of machines */
#define BACK_MS 60000u

static _Atomic unsigned at_work;

struct writer {
    unsigned number;
    CK_OBJECT_HANDLE key;
    CK_RV rv;
    uint64_t took;
    pthread_t thread;
};

/* One creates, one destroys, one changes; and again. */
static void *
write_one(void *arg)
{
    struct writer *writer = arg;
    CK_SESSION_HANDLE session = p11_session();
    CK_ATTRIBUTE changed = ATTR_BYTES(CKA_LABEL, "changed", 7);
    CK_OBJECT_HANDLE key;
    const uint64_t began = now_ms();

    switch (writer->number % 3) {
    case 0:
        writer->rv = p11_generate_aes(session, "made", &key);
        break;
    case 1:
        writer->rv = p11->C_DestroyObject(session, writer->key);
        break;
    default:
        writer->rv = p11->C_SetAttributeValue(session, writer->key, &changed, 1);
        break;
    }
    writer->took = now_ms() - began;
    atomic_fetch_sub(&at_work, 1);
    return NULL;
}

static void
writer_begin(struct writer *writer)
{
    atomic_fetch_add(&at_work, 1);
    if (pthread_create(&writer->thread, NULL, write_one, writer) != 0) {
        die("no thread");
    }
}

/* ---- what goes on ---- */

static CK_RV
sign(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_BYTE digest[32] = { 1 }, signature[64];
    CK_ULONG len = sizeof signature;
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    return rv == CKR_OK ? p11->C_Sign(session, digest, sizeof digest, signature, &len) : rv;
}

/* Slow work of the node, for which it has few threads. */
static CK_RV
generate_rsa(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 2048;
    CK_BYTE exponent[] = { 1, 0, 1 };
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_PUBLIC_EXPONENT, exponent),
                              ATTR(CKA_TOKEN, no), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_TOKEN, no), ATTR(CKA_SIGN, yes) };
    CK_OBJECT_HANDLE handles[2];
    CK_RV rv = p11->C_GenerateKeyPair(session, &mechanism, public, COUNT(public), private,
                                      COUNT(private), &handles[0], &handles[1]);

    return rv;
}

/* While others write. */
static void
go_on(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE token_key)
{
    uint64_t longest = 0;
    unsigned rounds = 0, failed = 0;

    for (; atomic_load(&at_work) > 0; rounds++) {
        const uint64_t began = now_ms();
        CK_BYTE bytes[16];
        CK_OBJECT_HANDLE key;

        failed += p11->C_GenerateRandom(session, bytes, sizeof bytes) != CKR_OK;
        failed += sign(session, token_key) != CKR_OK;
        failed += p11_generate_aes(session, NULL, &key) != CKR_OK;
        failed += p11_find_label(session, "signs", NULL, 0) != 2;
        failed += rounds % 10 == 0 && generate_rsa(session) != CKR_OK;
        longest = now_ms() - began > longest ? now_ms() - began : longest;
        usleep(20000);
    }
    check(failed == 0, "what needs no disk goes on (%u rounds, %u failed)", rounds, failed);
    check(longest < GOES_ON_MS, "and soon (the longest took %llu ms)", (unsigned long long)longest);
}

int
main(int argc, char **argv)
{
    struct writer writers[WRITERS];
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE public, private, key;
    uint64_t began;
    unsigned late = 0, wrong = 0;
    int file;

    if (argc != 3) {
        die("usage: unsynced MODULE FILE");
    }
    session = p11_start(argv[1], PIN);
    MUST(p11_generate_ec(session, "signs", &public, &private));
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .number = i };
        MUST(p11_generate_aes(session, "kept", &writers[i].key));
    }
    file = open(argv[2], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0) {
        die("%s", argv[2]);
    }
    close(file);

    /* The first of them writes alone, and it is its thread that hangs. */
    writer_begin(&writers[1]);
    usleep(500000);
    for (unsigned i = 0; i < WRITERS; i++) {
        if (i != 1) {
            writer_begin(&writers[i]);
        }
    }
    go_on(session, private);
    for (unsigned i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        printf("# writer %u: 0x%08lx after %llu ms\n", i, writers[i].rv,
               (unsigned long long)writers[i].took);
        late += writers[i].took > LIMIT_MS;
        wrong += writers[i].rv != CKR_DEVICE_ERROR;
    }
    check(late == 0, "what needs the disk is answered within its limit (%u late)", late);
    check(wrong == 0, "and that it is not known to be done (%u were told other things)", wrong);
    began = now_ms();
    check_code(p11_generate_aes(session, "late", &key), CKR_DEVICE_ERROR,
               "who comes later is refused");
    check(now_ms() - began < GOES_ON_MS, "at once (%llu ms)", (unsigned long long)(now_ms() - began));

    unlink(argv[2]);
    began = now_ms();
    while (p11_generate_aes(session, "after", &key) != CKR_OK && now_ms() - began < BACK_MS) {
        usleep(10000);
    }
    check(p11_find_label(session, "after", NULL, 0) == 1, "it is made once the disk is back");
    check(p11_find_label(session, "late", NULL, 0) == 0, "what was refused was not");
    /* Both waited for the disk before it was known to hang, so the store has them. */
    began = now_ms();
    while (p11_find_label(session, "made", NULL, 0) != 2 && now_ms() - began < BACK_MS) {
        usleep(100000);
    }
    check(p11_find_label(session, "made", NULL, 0) == 2, "what nobody waited for shows");
    check(sign(session, private) == CKR_OK, "the key still signs");
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
