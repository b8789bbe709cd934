/* SPDX-License-Identifier: Apache-2.0
 *
 * certificates MODULE STEP [NAME:PASSWORD]: the tutorial's functions (sample/certificates.c) in turn,
 * and what they leave. TAP. STEP:
 *
 *   seed        the tutorial's snippets, as they stand
 *   create N    N certificates; prints their handles
 *   count N     there are N of them
 *   import FILE an RSA pair of a JWK, with the id "outside"
 *   label HANDLE TEXT  sets it
 *   distrusts LABEL  the one of that label is not trusted, whatever its token says
 *   refused     the storage cannot be reached: certificates are CKR_DEVICE_ERROR
 *   fails A B   a search gives code A, a creation code B, each within 30 s
 *   keys        keys are found and sign all the same
 *   quick N     of N certificates one is found by its id within 5 ms
 *   attributes  each attribute of the tutorial's table is created, read, found and changed
 */
#include "cryptoki.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

CK_FUNCTION_LIST_PTR func_list;

int create_cert(CK_SESSION_HANDLE session_rw, CK_OBJECT_HANDLE_PTR cert_handle);
int delete_cert(CK_SESSION_HANDLE session_rw, CK_OBJECT_HANDLE cert_handle);
int copy_cert(CK_SESSION_HANDLE session_rw, CK_OBJECT_HANDLE cert_handle,
              CK_OBJECT_HANDLE_PTR copied_cert_handle);
int get_cert_attribute(CK_SESSION_HANDLE session_rw, CK_OBJECT_HANDLE_PTR cert_handle);
int set_cert_attribute(CK_SESSION_HANDLE session_rw, CK_OBJECT_HANDLE_PTR cert_handle);
int find_cert(CK_SESSION_HANDLE session_rw, CK_OBJECT_HANDLE cert_handle);

static int failed;
static CK_OBJECT_CLASS certificate = CKO_CERTIFICATE;
static CK_CERTIFICATE_TYPE x509 = CKC_X_509;
static CK_BBOOL yes = CK_TRUE;

static void
check(const char *what, CK_RV rv, CK_RV wanted)
{
    printf("%s - %s\n", rv == wanted ? "ok" : "not ok", what);
    if (rv != wanted) {
        printf("#   0x%lx, not 0x%lx\n", rv, wanted);
        failed = 1;
    }
    fflush(stdout);
}

static CK_ULONG
count_of(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count, CK_OBJECT_HANDLE *first)
{
    CK_OBJECT_HANDLE found[64];
    CK_ULONG got, total = 0;
    CK_RV rv = func_list->C_FindObjectsInit(session, template, count);

    if (rv != CKR_OK) {
        printf("# C_FindObjectsInit: 0x%lx\n", rv);
        return (CK_ULONG)-1;
    }
    do {
        rv = func_list->C_FindObjects(session, found, 64, &got);
        if (rv != CKR_OK) {
            printf("# C_FindObjects: 0x%lx\n", rv);
            total = (CK_ULONG)-1;
            break;
        }
        if (first != NULL && total == 0 && got > 0) {
            *first = found[0];
        }
        total += got;
    } while (got > 0);
    (void)func_list->C_FindObjectsFinal(session);
    return total;
}

static CK_ULONG
certificates(CK_SESSION_HANDLE session)
{
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &certificate, sizeof certificate } };

    return count_of(session, template, 1, NULL);
}

static void
seed(CK_SESSION_HANDLE session)
{
    CK_OBJECT_HANDLE first = 0, second = 0, third = 0;

    check("create_cert", (CK_RV)create_cert(session, &first), CKR_OK);
    check("the first handle is 4293918720", first, 0xfff00000ul);
    check("get_cert_attribute", (CK_RV)get_cert_attribute(session, &first), CKR_OK);
    (void)find_cert(session, first); /* it ends without a return */
    check("copy_cert", (CK_RV)copy_cert(session, first, &second), CKR_OK);
    check("the copy has the next handle", second, first + 1);
    check("there are two", certificates(session), 2);
    check("set_cert_attribute", (CK_RV)set_cert_attribute(session, &second), CKR_OK);
    check("create_cert again", (CK_RV)create_cert(session, &third), CKR_OK);
    check("with the handle after it", third, first + 2);
    check("there are three", certificates(session), 3);
    check("delete_cert", (CK_RV)delete_cert(session, third), CKR_OK);
    check("delete_cert of one of the session", (CK_RV)delete_cert(session, second), CKR_OK);
    check("there is one", certificates(session), 1);
}

static void
create(CK_SESSION_HANDLE session, CK_ULONG count)
{
    CK_RV rv = CKR_OK;

    for (CK_ULONG i = 0; i < count && rv == CKR_OK; i++) {
        char id[16];
        CK_OBJECT_HANDLE handle = 0;
        CK_ATTRIBUTE template[] = {
            { CKA_CLASS, &certificate, sizeof certificate },
            { CKA_CERTIFICATE_TYPE, &x509, sizeof x509 },
            { CKA_TOKEN, &yes, sizeof yes },
            { CKA_LABEL, "many", 4 },
            { CKA_SUBJECT, "s", 1 },
            { CKA_ID, id, (CK_ULONG)snprintf(id, sizeof id, "%lu", i) },
            { CKA_VALUE, "v", 1 },
        };

        rv = func_list->C_CreateObject(session, template, 7, &handle);
        if (rv == CKR_OK) {
            printf("# made %lu\n", handle);
            fflush(stdout);
        }
    }
    check("create", rv, CKR_OK);
}

/* ---- the table ---- */

static CK_BBOOL no = CK_FALSE;
static CK_ULONG number_one = 1, number_two = 2;
static CK_MECHANISM_TYPE sha256 = CKM_SHA256;

#define NUMBER(name, value) { CKA_##name, &(value), sizeof(value) }
#define TEXT(name, text) { CKA_##name, text, sizeof(text) - 1 }

static CK_ATTRIBUTE made[] = {
    NUMBER(CLASS, certificate),
    NUMBER(CERTIFICATE_TYPE, x509),
    NUMBER(TOKEN, yes),
    NUMBER(PRIVATE, no),
    NUMBER(MODIFIABLE, yes),
    TEXT(LABEL, "K\xc3\xb6nig \"/\\\n"),
    NUMBER(COPYABLE, yes),
    NUMBER(DESTROYABLE, yes),
    NUMBER(TRUSTED, no),
    NUMBER(CERTIFICATE_CATEGORY, number_one),
    TEXT(CHECK_VALUE, "\x83\x2f\x5a"),
    TEXT(START_DATE, "20260102"),
    TEXT(END_DATE, "20270304"),
    TEXT(PUBLIC_KEY_INFO, "info\x00\xff"),
    TEXT(SUBJECT, "subject\x00\x80"),
    TEXT(ID, "\x00\x01 table"),
    TEXT(ISSUER, "issuer"),
    TEXT(SERIAL_NUMBER, "serial"),
    TEXT(VALUE, "\x30\x82value"),
    TEXT(URL, "https://example.com/a?b=c&d"),
    TEXT(HASH_OF_SUBJECT_PUBLIC_KEY, "hash one"),
    TEXT(HASH_OF_ISSUER_PUBLIC_KEY, "hash two"),
    NUMBER(JAVA_MIDP_SECURITY_DOMAIN, number_two),
    NUMBER(NAME_HASH_ALGORITHM, sha256),
};

static CK_ATTRIBUTE changed[] = {
    TEXT(LABEL, "another"),
    NUMBER(CERTIFICATE_CATEGORY, number_two),
    TEXT(CHECK_VALUE, "abc"),
    TEXT(START_DATE, ""),
    TEXT(END_DATE, "20280304"),
    TEXT(PUBLIC_KEY_INFO, ""),
    TEXT(SUBJECT, "other subject"),
    TEXT(ID, "other id"),
    TEXT(ISSUER, "other issuer"),
    TEXT(SERIAL_NUMBER, ""),
    TEXT(VALUE, "nonsense"),
    TEXT(URL, ""),
    TEXT(HASH_OF_SUBJECT_PUBLIC_KEY, "x"),
    TEXT(HASH_OF_ISSUER_PUBLIC_KEY, "y"),
    NUMBER(JAVA_MIDP_SECURITY_DOMAIN, number_one),
    NUMBER(PRIVATE, yes),
    NUMBER(DESTROYABLE, no),
    NUMBER(DESTROYABLE, yes),
    NUMBER(TOKEN, no),
    NUMBER(TOKEN, yes),
    NUMBER(COPYABLE, no),
    NUMBER(CLASS, certificate),
    NUMBER(CERTIFICATE_TYPE, x509),
    NUMBER(TRUSTED, no),
    NUMBER(MODIFIABLE, no),
};

static int
is_so(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE handle, const CK_ATTRIBUTE *wanted)
{
    char room[256];
    CK_ATTRIBUTE got = { wanted->type, NULL, 0 };
    CK_RV rv = func_list->C_GetAttributeValue(session, handle, &got, 1);

    if (rv == CKR_OK && got.ulValueLen == wanted->ulValueLen) {
        got.pValue = room;
        rv = func_list->C_GetAttributeValue(session, handle, &got, 1);
    }
    if (rv != CKR_OK || got.ulValueLen != wanted->ulValueLen ||
        memcmp(room, wanted->pValue, wanted->ulValueLen) != 0) {
        printf("# attribute 0x%lx: 0x%lx, length %lu\n", wanted->type, rv, got.ulValueLen);
        return 0;
    }
    return 1;
}

static void
attributes(CK_SESSION_HANDLE session)
{
    const CK_ULONG count = sizeof made / sizeof *made;
    CK_OBJECT_HANDLE handle = 0, first = 0;
    CK_ULONG wrong = 0;

    check("create with every attribute", func_list->C_CreateObject(session, made, count, &handle),
          CKR_OK);
    for (CK_ULONG i = 0; i < count; i++) {
        CK_ATTRIBUTE by[2] = { made[15], made[i] };

        wrong += !is_so(session, handle, &made[i]);
        if (count_of(session, by, 2, &first) != 1 || first != handle) {
            printf("# not found by attribute 0x%lx\n", made[i].type);
            wrong++;
        }
    }
    check("each is read and found", wrong, 0);
    for (CK_ULONG i = 0; i < sizeof changed / sizeof *changed; i++) {
        CK_RV rv = func_list->C_SetAttributeValue(session, handle, &changed[i], 1);

        if (rv != CKR_OK || !is_so(session, handle, &changed[i])) {
            printf("# attribute 0x%lx, change %lu: 0x%lx\n", changed[i].type, i, rv);
            wrong++;
        }
    }
    check("each is changed", wrong, 0);
    check("what may not be modified is not",
          func_list->C_SetAttributeValue(session, handle, changed, 1), CKR_ACTION_PROHIBITED);

    CK_ATTRIBUTE bad[] = { TEXT(LABEL, "bad"), TEXT(MODULUS, "m") };
    CK_ATTRIBUTE label = TEXT(LABEL, "many");

    check("make one more", func_list->C_CreateObject(session, made, count, &handle), CKR_OK);
    check("an attribute outside of the table is refused",
          func_list->C_SetAttributeValue(session, handle, bad, 2), CKR_TEMPLATE_INCONSISTENT);
    check("and nothing changed", (CK_RV)is_so(session, handle, &made[5]), 1);
    check("a copy with a template is refused",
          func_list->C_CopyObject(session, handle, &label, 1, &first), CKR_TEMPLATE_INCONSISTENT);
    for (CK_ULONG i = 0; i < 2; i++) {
        CK_ATTRIBUTE trusted[] = { NUMBER(TRUSTED, yes) };

        check("trust is a crypto officer's",
              func_list->C_SetAttributeValue(session, handle, trusted, 1), CKR_ATTRIBUTE_READ_ONLY);
    }
    for (CK_ULONG i = 0; i < 4; i++) {
        static const CK_ULONG needed[] = { 0, 1, 14, 18 }; /* of made */
        CK_ATTRIBUTE less[sizeof made / sizeof *made];
        CK_ULONG left = 0;

        for (CK_ULONG k = 0; k < count; k++) {
            if (k != needed[i]) {
                less[left++] = made[k];
            }
        }
        check("without one of the minimum there is none",
              func_list->C_CreateObject(session, less, left, &first), CKR_TEMPLATE_INCOMPLETE);
    }
}

static CK_RV
find_code(CK_SESSION_HANDLE session, CK_ATTRIBUTE *template, CK_ULONG count)
{
    CK_OBJECT_HANDLE found[8];
    CK_ULONG got;
    CK_RV rv = func_list->C_FindObjectsInit(session, template, count);

    if (rv == CKR_OK) {
        rv = func_list->C_FindObjects(session, found, 8, &got);
        (void)func_list->C_FindObjectsFinal(session);
    }
    return rv;
}

static void
distrusts(CK_SESSION_HANDLE session, char *label)
{
    CK_ATTRIBUTE by[] = { { CKA_LABEL, label, strlen(label) }, { CKA_TRUSTED, &no, sizeof no } };
    CK_ATTRIBUTE trusted = { CKA_TRUSTED, &yes, sizeof yes };
    CK_OBJECT_HANDLE handle = 0;

    check("it is found as one without trust", count_of(session, by, 2, &handle), 1);
    check("and says so", (CK_RV)is_so(session, handle, &by[1]), 1);
    check("no search for trust finds any", count_of(session, &trusted, 1, NULL), 0);
}

static void
refused(CK_SESSION_HANDLE session)
{
    CK_ATTRIBUTE class = { CKA_CLASS, &certificate, sizeof certificate };
    CK_OBJECT_HANDLE handle;

    check("a search is a device error", find_code(session, &class, 1), CKR_DEVICE_ERROR);
    check("a creation, too",
          func_list->C_CreateObject(session, made, sizeof made / sizeof *made, &handle),
          CKR_DEVICE_ERROR);
}

static void
keys(CK_SESSION_HANDLE session)
{
    CK_OBJECT_CLASS private = CKO_PRIVATE_KEY;
    CK_ATTRIBUTE class = { CKA_CLASS, &private, sizeof private };
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_BYTE signature[512];
    CK_ULONG len = sizeof signature;
    CK_OBJECT_HANDLE key = 0;
    CK_RV rv;

    check("a private key is found", count_of(session, &class, 1, &key) > 0, 1);
    rv = func_list->C_SignInit(session, &mechanism, key);
    if (rv == CKR_OK) {
        rv = func_list->C_Sign(session, (CK_BYTE *)"data", 4, signature, &len);
    }
    check("and signs", rv, CKR_OK);
}

static void
fails(CK_SESSION_HANDLE session, CK_RV search, CK_RV creation)
{
    CK_ATTRIBUTE class = { CKA_CLASS, &certificate, sizeof certificate };
    CK_OBJECT_HANDLE handle;
    struct timespec from, between, to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    check("search", find_code(session, &class, 1), search);
    clock_gettime(CLOCK_MONOTONIC, &between);
    check("creation", func_list->C_CreateObject(session, made, sizeof made / sizeof *made, &handle),
          creation);
    clock_gettime(CLOCK_MONOTONIC, &to);
    printf("# %ld and %ld s\n", between.tv_sec - from.tv_sec, to.tv_sec - between.tv_sec);
    check("the search ends within 30 s", between.tv_sec - from.tv_sec < 30, 1);
    check("the creation, too", to.tv_sec - between.tv_sec < 30, 1);
}

static int
by_time(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static void
quick(CK_SESSION_HANDLE session, CK_ULONG count)
{
    double times[100];

    check("all are there", certificates(session), count);
    for (CK_ULONG i = 0; i < 100; i++) {
        char id[16];
        CK_ATTRIBUTE template[] = {
            { CKA_CLASS, &certificate, sizeof certificate },
            { CKA_ID, id, (CK_ULONG)snprintf(id, sizeof id, "%lu", i * 97 % count) },
        };
        struct timespec from, to;

        clock_gettime(CLOCK_MONOTONIC, &from);
        if (count_of(session, template, 2, NULL) != 1) {
            check("each is found", 0, 1);
        }
        clock_gettime(CLOCK_MONOTONIC, &to);
        times[i] = (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
    }
    qsort(times, 100, sizeof *times, by_time);
    printf("# by id: median %.2f ms, at most %.2f ms\n", times[50], times[99]);
    check("one is found by its id within 5 ms", times[50] < 5.0, 1);
}

/* ---- a pair from outside ---- */

static size_t
member(const char *json, const char *name, CK_BYTE *out)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    char key[16];
    const char *at;
    unsigned long bits = 0, count = 0;
    size_t len = 0;

    snprintf(key, sizeof key, "\"%s\": \"", name);
    at = strstr(json, key);
    for (at = at == NULL ? "\"" : at + strlen(key); *at != '"'; at++) {
        bits = (bits << 6 | (unsigned long)(strchr(letters, *at) - letters)) & 0xffffff;
        if (++count % 4 != 1) {
            out[len++] = (CK_BYTE)(bits >> (6 - 2 * ((count - 1) % 4)));
        }
    }
    return len;
}

static void
import(CK_SESSION_HANDLE session, const char *path)
{
    static CK_OBJECT_CLASS public = CKO_PUBLIC_KEY, private = CKO_PRIVATE_KEY;
    static CK_KEY_TYPE rsa = CKK_RSA;
    static CK_BYTE numbers[8][600];
    char json[8192] = "";
    CK_OBJECT_HANDLE handle;
    FILE *file = fopen(path, "r");

    if (file == NULL || fread(json, 1, sizeof json - 1, file) == 0) {
        check("read the pair", 1, 0);
        return;
    }
    fclose(file);

#define PART(i, name) numbers[i], member(json, name, numbers[i])
    CK_ATTRIBUTE publics[] = {
        NUMBER(CLASS, public), NUMBER(KEY_TYPE, rsa), NUMBER(TOKEN, yes), NUMBER(VERIFY, yes),
        TEXT(ID, "outside"), { CKA_MODULUS, PART(0, "n") }, { CKA_PUBLIC_EXPONENT, PART(1, "e") },
    };
    CK_ATTRIBUTE privates[] = {
        NUMBER(CLASS, private), NUMBER(KEY_TYPE, rsa), NUMBER(TOKEN, yes), NUMBER(SIGN, yes),
        TEXT(ID, "outside"), { CKA_MODULUS, PART(0, "n") }, { CKA_PUBLIC_EXPONENT, PART(1, "e") },
        { CKA_PRIVATE_EXPONENT, PART(2, "d") }, { CKA_PRIME_1, PART(3, "p") },
        { CKA_PRIME_2, PART(4, "q") }, { CKA_EXPONENT_1, PART(5, "dp") },
        { CKA_EXPONENT_2, PART(6, "dq") }, { CKA_COEFFICIENT, PART(7, "qi") },
    };

    check("public key", func_list->C_CreateObject(session, publics, 7, &handle), CKR_OK);
    check("private key", func_list->C_CreateObject(session, privates, 13, &handle), CKR_OK);
}

int
main(int argc, char *argv[])
{
    CK_RV (*list)(CK_FUNCTION_LIST_PTR_PTR) = NULL;
    CK_SESSION_HANDLE session = 0;
    CK_ULONG number = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    const char *pin = getenv("PIN");
    void *module = argc > 2 ? dlopen(argv[1], RTLD_NOW) : NULL;
    CK_RV rv;

    if (module == NULL) {
        fprintf(stderr, "certificates: %s\n", argc > 2 ? dlerror() : "MODULE STEP [N]");
        return 2;
    }
    *(void **)&list = dlsym(module, "C_GetFunctionList");
    if (list == NULL || list(&func_list) != CKR_OK ||
        (rv = func_list->C_Initialize(NULL)) != CKR_OK ||
        (rv = func_list->C_OpenSession(1, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL, NULL,
                                       &session)) != CKR_OK ||
        (pin != NULL && (rv = func_list->C_Login(session, CKU_USER, (CK_UTF8CHAR *)(size_t)pin,
                                                 strlen(pin))) != CKR_OK)) {
        fprintf(stderr, "certificates: no session\n");
        return 2;
    }
    if (strcmp(argv[2], "seed") == 0) {
        seed(session);
    } else if (strcmp(argv[2], "create") == 0) {
        create(session, number);
    } else if (strcmp(argv[2], "count") == 0) {
        check("so many are there", certificates(session), number);
    } else if (strcmp(argv[2], "distrusts") == 0) {
        distrusts(session, argv[3]);
    } else if (strcmp(argv[2], "refused") == 0) {
        refused(session);
    } else if (strcmp(argv[2], "fails") == 0) {
        fails(session, strtoul(argv[3], NULL, 0), strtoul(argv[4], NULL, 0));
    } else if (strcmp(argv[2], "keys") == 0) {
        keys(session);
    } else if (strcmp(argv[2], "quick") == 0) {
        quick(session, number);
    } else if (strcmp(argv[2], "import") == 0) {
        import(session, argv[3]);
    } else if (strcmp(argv[2], "label") == 0) {
        CK_ATTRIBUTE label = { CKA_LABEL, argv[4], strlen(argv[4]) };

        check("label", func_list->C_SetAttributeValue(session, number, &label, 1), CKR_OK);
    } else if (strcmp(argv[2], "attributes") == 0) {
        attributes(session);
    }
    (void)func_list->C_Finalize(NULL);
    return failed;
}
