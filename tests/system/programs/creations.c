/* SPDX-License-Identifier: Apache-2.0
 *
 * Creations that a killed server must not lose.
 *
 *   creations make MODULE PREFIX COUNT     makes token keys PREFIX-0, PREFIX-1, ...: AES keys and,
 *                                          each third time, EC pairs. Prints the label when the
 *                                          HSM has acknowledged it; ends at the first refusal.
 *   creations check MODULE PREFIX COUNT    reads those labels from standard input; each must be
 *                                          there and work. What nobody acknowledged may be there,
 *                                          whole, or not.
 */
#include "p11.h"

static void
label_of(const char *prefix, long i, char label[64])
{
    snprintf(label, 64, "%s-%ld", prefix, i);
}

static bool
is_pair(long i)
{
    return i % 3 == 2;
}

static int
make(const char *prefix, long count)
{
    CK_SESSION_HANDLE session = p11_session();

    MUST(p11_login(session, PIN));
    for (long i = 0; i < count; i++) {
        CK_OBJECT_HANDLE key = 0, public = 0;
        uint64_t start = now_ms();
        char label[64];
        CK_RV rv;

        label_of(prefix, i, label);
        rv = is_pair(i) ? p11_generate_ec(session, label, &public, &key)
                        : p11_generate_aes(session, label, &key);
        if (rv != CKR_OK) {
            bool timely = now_ms() - start < 20000;

            fprintf(stderr, "%s: 0x%08lx after %lu ms\n", label, rv,
                    (unsigned long)(now_ms() - start));
            return rv == CKR_DEVICE_ERROR && timely ? 0 : 1;
        }
        printf("%s\n", label);
        fflush(stdout);
    }
    fprintf(stderr, "all were made\n");
    return 0;
}

static bool
aes_works(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key)
{
    uint8_t iv[16] = { 1 }, in[32] = "thirty-two bytes of some message", out[32], back[32];
    CK_MECHANISM mechanism = { CKM_AES_CBC, iv, sizeof iv };
    CK_ULONG out_len = sizeof out, back_len = sizeof back;

    return p11->C_EncryptInit(session, &mechanism, key) == CKR_OK &&
           p11->C_Encrypt(session, in, sizeof in, out, &out_len) == CKR_OK &&
           p11->C_DecryptInit(session, &mechanism, key) == CKR_OK &&
           p11->C_Decrypt(session, out, out_len, back, &back_len) == CKR_OK &&
           back_len == sizeof in && memcmp(in, back, sizeof in) == 0;
}

static bool
pair_works(CK_SESSION_HANDLE session, const CK_OBJECT_HANDLE keys[2])
{
    uint8_t in[32] = { 7 }, signature[64];
    CK_MECHANISM mechanism = { CKM_ECDSA, NULL, 0 };
    CK_ULONG signature_len = sizeof signature;
    CK_OBJECT_HANDLE private = 0, public = 0;

    for (size_t i = 0; i < 2; i++) {
        CK_OBJECT_CLASS class = 0;
        CK_ATTRIBUTE attribute = ATTR(CKA_CLASS, class);

        MUST(p11->C_GetAttributeValue(session, keys[i], &attribute, 1));
        if (class == CKO_PRIVATE_KEY) {
            private = keys[i];
        } else if (class == CKO_PUBLIC_KEY) {
            public = keys[i];
        }
    }
    return p11->C_SignInit(session, &mechanism, private) == CKR_OK &&
           p11->C_Sign(session, in, sizeof in, signature, &signature_len) == CKR_OK &&
           p11->C_VerifyInit(session, &mechanism, public) == CKR_OK &&
           p11->C_Verify(session, in, sizeof in, signature, signature_len) == CKR_OK;
}

static int
check_all(const char *prefix, long count)
{
    CK_SESSION_HANDLE session = p11_session();
    long acknowledged = 0, there = 0, lost = 0, half = 0, broken = 0;
    bool *known = calloc((size_t)count, sizeof *known);
    char line[64];

    while (fgets(line, sizeof line, stdin) != NULL) {
        const char *dash = strrchr(line, '-');
        long i = dash != NULL ? strtol(dash + 1, NULL, 10) : -1;

        if (i >= 0 && i < count) {
            known[i] = true;
            acknowledged++;
        }
    }
    MUST(p11_login(session, PIN));
    for (long i = 0; i < count; i++) {
        CK_OBJECT_HANDLE keys[3];
        CK_ULONG found, whole = is_pair(i) ? 2 : 1;
        char label[64];

        label_of(prefix, i, label);
        found = p11_find_label(session, label, keys, COUNT(keys));
        if (found == 0) {
            lost += known[i];
            continue;
        }
        there++;
        if (found != whole) {
            half++;
        } else if (is_pair(i) ? !pair_works(session, keys) : !aes_works(session, keys[0])) {
            broken++;
        }
    }
    free(known);
    printf("# %ld acknowledged, %ld there\n", acknowledged, there);
    check(lost == 0, "%s: every acknowledged key is there (%ld lost)", prefix, lost);
    check(half == 0, "%s: none is half there or twice (%ld)", prefix, half);
    check(broken == 0, "%s: each works (%ld do not)", prefix, broken);
    /* One creation can be under way when the server dies, not more. */
    check(there <= acknowledged + 1, "%s: at most one more than acknowledged", prefix);
    return checks_failed != 0;
}

int
main(int argc, char **argv)
{
    int status;

    if (argc != 5) {
        die("usage: creations make|check MODULE PREFIX COUNT");
    }
    p11_load(argv[2]);
    MUST(p11->C_Initialize(NULL));
    status = (strcmp(argv[1], "make") == 0 ? make : check_all)(argv[3], strtol(argv[4], NULL, 10));
    MUST(p11->C_Finalize(NULL));
    return status;
}
