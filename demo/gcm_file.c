/* SPDX-License-Identifier: Apache-2.0
 *
 * An application of the HSM in one file: encrypts and decrypts files with an AES key that never
 * leaves the HSM. It knows PKCS #11 alone and would work with any module.
 *
 *   gcm_file encrypt|decrypt MODULE PIN LABEL IN OUT
 *
 * The result of encryption is 12 bytes of IV, the ciphertext, and 16 bytes of tag. Decryption
 * writes nothing unless the tag is right.
 */
#include "pkcs11_headers/include/cryptoki.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOT 1
#define PIECE (1u << 20)
#define IV_LEN 12u
#define TAG_LEN 16u

static CK_FUNCTION_LIST_PTR p11;
static CK_SESSION_HANDLE session;

static void
fail(const char *what)
{
    fprintf(stderr, "gcm_file: %s\n", what);
    exit(1);
}

static void
must(CK_RV rv, const char *function)
{
    if (rv != CKR_OK) {
        fprintf(stderr, "gcm_file: %s failed: 0x%08lx\n", function, rv);
        exit(1);
    }
}

static void
begin(const char *module, char *pin)
{
    void *library = dlopen(module, RTLD_NOW);
    CK_C_GetFunctionList get_function_list = NULL;

    if (library != NULL) {
        *(void **)&get_function_list = dlsym(library, "C_GetFunctionList");
    }
    if (get_function_list == NULL) {
        fail(dlerror());
    }
    must(get_function_list(&p11), "C_GetFunctionList");
    must(p11->C_Initialize(NULL), "C_Initialize");
    must(p11->C_OpenSession(SLOT, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
    must(p11->C_Login(session, CKU_USER, (CK_UTF8CHAR_PTR)pin, strlen(pin)), "C_Login");
}

static CK_OBJECT_HANDLE
find_key(char *label)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_ATTRIBUTE template[] = {
        { CKA_CLASS, &class, sizeof class },
        { CKA_LABEL, label, strlen(label) },
    };
    CK_OBJECT_HANDLE key = 0;
    CK_ULONG count = 0;

    must(p11->C_FindObjectsInit(session, template, 2), "C_FindObjectsInit");
    must(p11->C_FindObjects(session, &key, 1, &count), "C_FindObjects");
    must(p11->C_FindObjectsFinal(session), "C_FindObjectsFinal");
    if (count != 1) {
        fail("there is no such key");
    }
    return key;
}

static void
write_all(FILE *out, const void *bytes, size_t len)
{
    if (fwrite(bytes, 1, len, out) != len) {
        fail("cannot write");
    }
}

static void
encrypt(CK_OBJECT_HANDLE key, FILE *in, FILE *out)
{
    CK_BYTE iv[IV_LEN], *piece = malloc(PIECE), *result = malloc(PIECE + TAG_LEN);
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = IV_LEN, .ulIvBits = 8 * IV_LEN,
                             .ulTagBits = 8 * TAG_LEN };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG result_len;
    size_t len;

    must(p11->C_GenerateRandom(session, iv, IV_LEN), "C_GenerateRandom");
    must(p11->C_EncryptInit(session, &mechanism, key), "C_EncryptInit");
    write_all(out, iv, IV_LEN);
    while ((len = fread(piece, 1, PIECE, in)) > 0) {
        result_len = PIECE + TAG_LEN;
        must(p11->C_EncryptUpdate(session, piece, len, result, &result_len), "C_EncryptUpdate");
        write_all(out, result, result_len);
    }
    result_len = PIECE + TAG_LEN;
    must(p11->C_EncryptFinal(session, result, &result_len), "C_EncryptFinal");
    write_all(out, result, result_len);
    free(piece);
    free(result);
}

static void
decrypt(CK_OBJECT_HANDLE key, FILE *in, FILE *out)
{
    CK_BYTE iv[IV_LEN], *piece = malloc(PIECE), *result = malloc(PIECE);
    CK_GCM_PARAMS params = { .pIv = iv, .ulIvLen = IV_LEN, .ulIvBits = 8 * IV_LEN,
                             .ulTagBits = 8 * TAG_LEN };
    CK_MECHANISM mechanism = { CKM_AES_GCM, &params, sizeof params };
    CK_ULONG result_len, total = 0;
    size_t len;

    if (fread(iv, 1, IV_LEN, in) != IV_LEN) {
        fail("the file is too short");
    }
    must(p11->C_DecryptInit(session, &mechanism, key), "C_DecryptInit");
    while ((len = fread(piece, 1, PIECE, in)) > 0) {
        /* Before the tag is known to be right there is no plaintext to be had. */
        result_len = PIECE;
        must(p11->C_DecryptUpdate(session, piece, len, result, &result_len), "C_DecryptUpdate");
        write_all(out, result, result_len);
        total += len;
    }
    result = realloc(result, total + 1);
    result_len = total;
    must(p11->C_DecryptFinal(session, result, &result_len), "C_DecryptFinal");
    write_all(out, result, result_len);
    free(piece);
    free(result);
}

int
main(int argc, char **argv)
{
    FILE *in, *out;
    int encrypts;

    if (argc != 7 || (strcmp(argv[1], "encrypt") != 0 && strcmp(argv[1], "decrypt") != 0)) {
        fail("usage: gcm_file encrypt|decrypt MODULE PIN LABEL IN OUT");
    }
    encrypts = argv[1][0] == 'e';
    in = fopen(argv[5], "rb");
    out = fopen(argv[6], "wb");
    if (in == NULL || out == NULL) {
        fail("cannot open the files");
    }
    begin(argv[2], argv[3]);
    (encrypts ? encrypt : decrypt)(find_key(argv[4]), in, out);
    must(p11->C_Finalize(NULL), "C_Finalize");
    if (fclose(out) != 0) {
        fail("cannot write");
    }
    return 0;
}
