/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrapping with a key whose value the script knows, so that the openssl command can undo it, and
 * unwrapping what the openssl command has wrapped. All keys are session objects.
 *
 *   wrapped MODULE MECHANISM KEK wrap VALUE OUT          an AES key of that value
 *   wrapped MODULE MECHANISM KEK wrap-rsa OUT SIGNATURE  a new private key, and what it signs
 *   wrapped MODULE MECHANISM KEK unwrap IN OUT           an AES key: OUT is a block of zeros under it
 *   wrapped MODULE MECHANISM KEK unwrap-rsa IN SIGNATURE
 *
 * KEK and VALUE in hexadecimal; an RSA KEK is MODULUS:PRIVATE-EXPONENT, with 65537. The signature is CKM_SHA256_RSA_PKCS over "message".
 */
#include "p11.h"

#define MESSAGE "message"

static CK_BYTE iv[16];
static CK_RSA_PKCS_OAEP_PARAMS oaep = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED, NULL, 0 };
static CK_RSA_AES_KEY_WRAP_PARAMS rsa_aes = { 256, &oaep };

static const struct {
    const char *name;
    CK_MECHANISM mechanism;
} rows[] = {
    { "AES_KEY_WRAP", { CKM_AES_KEY_WRAP, NULL, 0 } },
    { "AES_KEY_WRAP_PAD", { CKM_AES_KEY_WRAP_PAD, NULL, 0 } },
    { "NO_PAD", { CKM_CLOUDHSM_AES_KEY_WRAP_NO_PAD, NULL, 0 } },
    { "ZERO_PAD", { CKM_CLOUDHSM_AES_KEY_WRAP_ZERO_PAD, NULL, 0 } },
    { "AES_CBC_PAD", { CKM_AES_CBC_PAD, iv, sizeof iv } },
    { "RSA_AES_KEY_WRAP", { CKM_RSA_AES_KEY_WRAP, &rsa_aes, sizeof rsa_aes } },
    { "RSA_PKCS_OAEP", { CKM_RSA_PKCS_OAEP, &oaep, sizeof oaep } },
    { "RSA_PKCS", { CKM_RSA_PKCS, NULL, 0 } },
};

static CK_SESSION_HANDLE session;

static CK_ULONG
from_hex(const char *text, CK_BYTE *out, size_t size)
{
    size_t len = strlen(text) / 2;

    for (size_t i = 0; i < len && len <= size; i++) {
        unsigned byte;

        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            die("no hexadecimal: %s", text);
        }
        out[i] = (CK_BYTE)byte;
    }
    return len;
}

static CK_OBJECT_HANDLE
import(const char *value)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_AES;
    CK_BYTE bytes[64];
    CK_ULONG len = from_hex(value, bytes, sizeof bytes);
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),       ATTR(CKA_KEY_TYPE, type), ATTR_BYTES(CKA_VALUE, bytes, len),
        ATTR(CKA_EXTRACTABLE, yes),   ATTR(CKA_WRAP, yes),      ATTR(CKA_UNWRAP, yes),
    };

    MUST(p11->C_CreateObject(session, template, COUNT(template), &key));
    return key;
}

/* The half of the pair that wraps, or the one that unwraps. */
static CK_OBJECT_HANDLE
import_rsa(const char *modulus, const char *exponent, bool wraps)
{
    CK_OBJECT_CLASS class = wraps ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY;
    CK_KEY_TYPE type = CKK_RSA;
    CK_BYTE n[512], d[512], e[] = { 1, 0, 1 };
    CK_ULONG n_len = from_hex(modulus, n, sizeof n), d_len = from_hex(exponent, d, sizeof d);
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE template[] = {
        ATTR(CKA_CLASS, class),
        ATTR(CKA_KEY_TYPE, type),
        ATTR_BYTES(CKA_MODULUS, n, n_len),
        ATTR_BYTES(CKA_PUBLIC_EXPONENT, e, sizeof e),
        { wraps ? CKA_WRAP : CKA_UNWRAP, &yes, sizeof yes },
        ATTR_BYTES(CKA_PRIVATE_EXPONENT, d, d_len),
    };

    MUST(p11->C_CreateObject(session, template, COUNT(template) - (wraps ? 1 : 0), &key));
    return key;
}

static CK_OBJECT_HANDLE
import_kek(char *text, bool wraps)
{
    char *exponent = strchr(text, ':');

    if (exponent == NULL) {
        return import(text);
    }
    *exponent = '\0';
    return import_rsa(text, exponent + 1, wraps);
}

static void
save(const char *name, const void *bytes, size_t len)
{
    FILE *file = fopen(name, "wb");

    if (file == NULL || fwrite(bytes, 1, len, file) != len || fclose(file) != 0) {
        die("cannot write %s", name);
    }
}

static CK_ULONG
load(const char *name, CK_BYTE *bytes, size_t size)
{
    FILE *file = fopen(name, "rb");
    size_t len = file == NULL ? 0 : fread(bytes, 1, size, file);

    if (len == 0) {
        die("cannot read %s", name);
    }
    fclose(file);
    return len;
}

static void
sign(CK_OBJECT_HANDLE key, const char *name)
{
    CK_MECHANISM mechanism = { CKM_SHA256_RSA_PKCS, NULL, 0 };
    CK_BYTE signature[512];
    CK_ULONG len = sizeof signature;

    MUST(p11->C_SignInit(session, &mechanism, key));
    MUST(p11->C_Sign(session, (CK_BYTE_PTR)(uintptr_t)MESSAGE, sizeof MESSAGE - 1, signature,
                     &len));
    save(name, signature, len);
}

static CK_OBJECT_HANDLE
make_rsa(void)
{
    CK_MECHANISM mechanism = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 };
    CK_ULONG bits = 2048;
    CK_ATTRIBUTE public[] = { ATTR(CKA_MODULUS_BITS, bits), ATTR(CKA_VERIFY, yes) };
    CK_ATTRIBUTE private[] = { ATTR(CKA_SIGN, yes), ATTR(CKA_EXTRACTABLE, yes) };
    CK_OBJECT_HANDLE one, other;

    MUST(p11->C_GenerateKeyPair(session, &mechanism, public, COUNT(public), private,
                                COUNT(private), &one, &other));
    return other;
}

static void
wrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE kek, CK_OBJECT_HANDLE key, const char *name)
{
    CK_BYTE blob[4096];
    CK_ULONG len = 0, needed;

    MUST(p11->C_WrapKey(session, mechanism, kek, key, NULL, &len));
    needed = len;
    MUST(p11->C_WrapKey(session, mechanism, kek, key, blob, &len));
    if (len != needed) {
        die("%lu bytes after %lu were announced", len, needed);
    }
    save(name, blob, len);
}

static CK_OBJECT_HANDLE
unwrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE kek, const char *name, bool rsa)
{
    CK_OBJECT_CLASS class = rsa ? CKO_PRIVATE_KEY : CKO_SECRET_KEY;
    CK_KEY_TYPE type = rsa ? CKK_RSA : CKK_AES;
    CK_BYTE blob[4096];
    CK_ULONG len = load(name, blob, sizeof blob);
    CK_OBJECT_HANDLE key;
    CK_ATTRIBUTE template[] = { ATTR(CKA_CLASS, class), ATTR(CKA_KEY_TYPE, type),
                                { rsa ? CKA_SIGN : CKA_ENCRYPT, &yes, sizeof yes } };

    MUST(p11->C_UnwrapKey(session, mechanism, kek, blob, len, template, COUNT(template), &key));
    return key;
}

static void
encrypt_zeros(CK_OBJECT_HANDLE key, const char *name)
{
    CK_MECHANISM mechanism = { CKM_AES_ECB, NULL, 0 };
    CK_BYTE block[16] = { 0 };
    CK_ULONG len = sizeof block;

    MUST(p11->C_EncryptInit(session, &mechanism, key));
    MUST(p11->C_Encrypt(session, block, sizeof block, block, &len));
    save(name, block, len);
}

int
main(int argc, char **argv)
{
    CK_MECHANISM mechanism = { CK_UNAVAILABLE_INFORMATION, NULL, 0 };
    CK_OBJECT_HANDLE kek, key;
    const char *what;

    if (argc != 7) {
        die("usage: see the source");
    }
    what = argv[4];
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (strcmp(rows[i].name, argv[2]) == 0) {
            mechanism = rows[i].mechanism;
        }
    }
    session = p11_start(argv[1], PIN);
    kek = import_kek(argv[3], strncmp(what, "wrap", 4) == 0);
    if (strcmp(what, "wrap") == 0) {
        wrap(&mechanism, kek, import(argv[5]), argv[6]);
    } else if (strcmp(what, "wrap-rsa") == 0) {
        key = make_rsa();
        wrap(&mechanism, kek, key, argv[5]);
        sign(key, argv[6]);
    } else if (strcmp(what, "unwrap") == 0) {
        encrypt_zeros(unwrap(&mechanism, kek, argv[5], false), argv[6]);
    } else if (strcmp(what, "unwrap-rsa") == 0) {
        sign(unwrap(&mechanism, kek, argv[5], true), argv[6]);
    } else {
        die("what is %s?", what);
    }
    MUST(p11->C_Finalize(NULL));
    return 0;
}
