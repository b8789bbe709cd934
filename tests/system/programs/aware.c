/* SPDX-License-Identifier: Apache-2.0
 *
 * aware MODULE PROBE_CFG LIMIT_MS ROUNDS
 *
 * Two processes. One makes a key, changes it and destroys it; the other, with its own application
 * configuration, has used the key before and calls C_SignInit after each step. What it is told
 * must be right at once, or LIMIT_MS after the step where the two are not on one daemon.
 */
#include "p11.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum step { MADE, FORBIDDEN, ALLOWED, DESTROYED, STEPS };

static const CK_RV expected[STEPS] = {
    [MADE] = CKR_OK,
    [FORBIDDEN] = CKR_KEY_FUNCTION_NOT_PERMITTED,
    [ALLOWED] = CKR_OK,
    [DESTROYED] = CKR_KEY_HANDLE_INVALID,
};

struct word {
    int step;
    CK_OBJECT_HANDLE key;
};

struct result {
    CK_RV first;    /* of the first C_SignInit */
    uint64_t late;  /* milliseconds until it was as expected, UINT64_MAX: never */
};

static bool
hear(int fd, void *word, size_t len)
{
    return read(fd, word, len) == (ssize_t)len;
}

static void
say(int fd, const void *word, size_t len)
{
    if (write(fd, word, len) != (ssize_t)len) {
        die("the other process has gone");
    }
}

/* ---- the one that uses the key ---- */

static CK_RV
init(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    CK_MECHANISM mechanism = { CKM_SHA256_HMAC, NULL, 0 };
    CK_BYTE mac[32];
    CK_ULONG len = sizeof mac;
    CK_RV rv = p11->C_SignInit(session, &mechanism, key);

    if (rv == CKR_OK) {
        /* Later than the check it may have been destroyed in truth. */
        CK_RV ended = p11->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)"abc", 3, mac, &len);

        (void)ended;
    }
    return rv;
}

static void
find(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE found[64];
    CK_ULONG count;

    MUST(p11->C_FindObjectsInit(session, NULL, 0));
    MUST(p11->C_FindObjects(session, found, COUNT(found), &count));
    MUST(p11->C_FindObjectsFinal(session));
}

static void
probe(const char *module, const char *config, uint64_t limit, int in, int out)
{
    CK_SESSION_HANDLE session;
    struct word word;

    setenv("AZCLOUDHSM_APPLICATION_CFG", config, 1);
    session = p11_start(module, PIN);
    while (hear(in, &word, sizeof word)) {
        struct result result = { .late = UINT64_MAX };
        uint64_t start = now_ms();
        CK_RV rv;

        if (word.step == MADE) {
            find(session);
        }
        result.first = init(session, word.key);
        for (rv = result.first; rv != expected[word.step] && now_ms() - start <= limit;
             rv = init(session, word.key)) {
            usleep(1000);
        }
        if (rv == expected[word.step]) {
            result.late = now_ms() - start;
        }
        say(out, &result, sizeof result);
    }
    p11->C_Finalize(NULL);
    _exit(0);
}

/* ---- the one that changes it ---- */

static CK_OBJECT_HANDLE
make(CK_SESSION_HANDLE session)
{
    CK_MECHANISM mechanism = { CKM_GENERIC_SECRET_KEY_GEN, NULL, 0 };
    CK_ULONG len = 32;
    CK_ATTRIBUTE template[] = { ATTR(CKA_VALUE_LEN, len), ATTR(CKA_SIGN, yes),
                                ATTR(CKA_TOKEN, yes) };
    CK_OBJECT_HANDLE key;

    MUST(p11->C_GenerateKey(session, &mechanism, template, COUNT(template), &key));
    return key;
}

static void
permit(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, CK_BBOOL *may)
{
    CK_ATTRIBUTE change = { CKA_SIGN, may, 1 };

    MUST(p11->C_SetAttributeValue(session, key, &change, 1));
}

/* Where the daemon's page is; NULL: it is not. */
static void *
page_address(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    void *address = NULL;

    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (strstr(line, "azcloudhsm_client changes") != NULL && strstr(line, " r--s") != NULL) {
            address = (void *)(uintptr_t)strtoull(line, NULL, 16);
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    return address;
}

/* Neither by this mapping nor by a descriptor that is opened anew. */
static bool
page_is_writable(void *address)
{
    char name[64];
    int fd;
    bool writable = mprotect(address, 4096, PROT_READ | PROT_WRITE) == 0;

    snprintf(name, sizeof name, "/proc/self/map_files/%lx-%lx", (unsigned long)address,
             (unsigned long)address + 3 * 4096);
    fd = open(name, O_RDWR);
    if (fd >= 0) { /* root may */
        writable |= pwrite(fd, "x", 1, 0) == 1;
        writable |= mmap(NULL, 4096, PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED;
        close(fd);
    }
    return writable;
}

int
main(int argc, char *argv[])
{
    int to[2], from[2];
    uint64_t limit, latest = 0;
    long rounds, wrong = 0;
    CK_SESSION_HANDLE session;
    void *page;

    if (argc != 5 || pipe(to) != 0 || pipe(from) != 0) {
        die("usage: aware MODULE PROBE_CFG LIMIT_MS ROUNDS");
    }
    limit = strtoull(argv[3], NULL, 10);
    rounds = strtol(argv[4], NULL, 10);
    if (fork() == 0) {
        close(to[1]);
        close(from[0]);
        probe(argv[1], argv[2], limit, to[0], from[1]);
    }
    close(to[0]);
    close(from[1]);
    session = p11_start(argv[1], PIN);
    page = page_address();
    check((page != NULL) == (getenv("AWARE_NO_PAGE") == NULL),
          "the daemon's page is there, or not where none comes through");
    check(page == NULL || !page_is_writable(page), "it is for reading");
    for (long i = 0; i < rounds; i++) {
        CK_OBJECT_HANDLE key = make(session);

        for (int step = MADE; step < STEPS; step++) {
            const struct word word = { step, key };
            struct result result = { .late = UINT64_MAX };

            if (step == FORBIDDEN || step == ALLOWED) {
                permit(session, key, step == ALLOWED ? &yes : &no);
            } else if (step == DESTROYED) {
                MUST(p11->C_DestroyObject(session, key));
            }
            say(to[1], &word, sizeof word);
            if (!hear(from[0], &result, sizeof result) || result.late == UINT64_MAX ||
                (limit == 0 && result.first != expected[step])) {
                printf("# step %d: 0x%08lx\n", step, result.first);
                wrong++;
            } else if (result.late > latest) {
                latest = result.late;
            }
        }
    }
    printf("# latest after %lu ms\n", (unsigned long)latest);
    check(wrong == 0, "each C_SignInit of the other process tells what is so");
    close(to[1]);
    wait(NULL);
    MUST(p11->C_Finalize(NULL));
    return checks_failed != 0;
}
