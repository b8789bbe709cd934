/* SPDX-License-Identifier: Apache-2.0
 *
 * How long it takes to refuse what is badly padded, in each way in which it can be: the ways of a
 * kind take turns, in an order drawn anew for each round. Lines "KIND WAY MICROSECONDS". Blocks are
 * made with the raw mechanisms of policy standard.
 *
 *   paddings MODULE COUNT
 */
#include "p11.h"

#define SIZE 256u   /* of the modulus, in bytes */
#define BLOCKS 1024u /* bytes of a ciphertext of AES */
#define WAYS 4u

static CK_SESSION_HANDLE session;
static CK_OBJECT_HANDLE public_key, private_key, aes;
static CK_BYTE iv[16];
static CK_MECHANISM raw = { CKM_RSA_X_509, NULL, 0 };
static CK_MECHANISM pkcs1 = { CKM_RSA_PKCS, NULL, 0 };
static CK_RSA_PKCS_OAEP_PARAMS oaep_params = { CKM_SHA256, CKG_MGF1_SHA256, CKZ_DATA_SPECIFIED,
                                               NULL, 0 };
static CK_MECHANISM oaep = { CKM_RSA_PKCS_OAEP, &oaep_params, sizeof oaep_params };
static CK_MECHANISM cbc = { CKM_AES_CBC, iv, sizeof iv };
static CK_MECHANISM cbc_pad = { CKM_AES_CBC_PAD, iv, sizeof iv };

static CK_BYTE blobs[WAYS][BLOCKS];
static CK_ULONG blob_len;

static double
microseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void
keys_make(void)
{
    CK_MECHANISM pair = { CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0 }, one = { CKM_AES_KEY_GEN, NULL, 0 };
    CK_ULONG bits = 8 * SIZE, len = 32;
    CK_ATTRIBUTE public[] = { { CKA_MODULUS_BITS, &bits, sizeof bits }, { CKA_ENCRYPT, &yes, 1 } };
    CK_ATTRIBUTE private[] = { { CKA_DECRYPT, &yes, 1 }, { CKA_UNWRAP, &yes, 1 } };
    CK_ATTRIBUTE secret[] = { { CKA_VALUE_LEN, &len, sizeof len }, { CKA_ENCRYPT, &yes, 1 },
                              { CKA_DECRYPT, &yes, 1 },            { CKA_UNWRAP, &yes, 1 } };

    MUST(p11->C_GenerateKeyPair(session, &pair, public, 2, private, 2, &public_key, &private_key));
    MUST(p11->C_GenerateKey(session, &one, secret, 4, &aes));
}

/* A block of RSA's as it is under the padding, encrypted. */
static void
rsa_way(unsigned way, const CK_BYTE block[SIZE])
{
    blob_len = BLOCKS;
    MUST(p11->C_EncryptInit(session, &raw, public_key));
    MUST(p11->C_Encrypt(session, (CK_BYTE *)(uintptr_t)block, SIZE, blobs[way], &blob_len));
}

/* Good; the wrong type; a first byte that is no zero; no zero that ends the padding. */
static void
pkcs1_ways(void)
{
    CK_BYTE block[SIZE];

    for (unsigned way = 0; way < WAYS; way++) {
        memset(block, 0x5a, sizeof block);
        block[0] = way == 2 ? 1 : 0;
        block[1] = way == 1 ? 1 : 2;
        if (way != 3) {
            block[SIZE - 101] = 0;
        }
        rsa_way(way, block);
    }
}

/* A first byte that is no zero; another label; nothing right; no one that ends the padding. */
static void
oaep_ways(void)
{
    CK_BYTE block[SIZE], good[SIZE], text[100] = { 1 };
    CK_ULONG len = BLOCKS;

    MUST(p11->C_EncryptInit(session, &oaep, public_key));
    MUST(p11->C_Encrypt(session, text, sizeof text, blobs[0], &len));
    len = sizeof good;
    MUST(p11->C_DecryptInit(session, &raw, private_key));
    MUST(p11->C_Decrypt(session, blobs[0], SIZE, good, &len));
    for (unsigned way = 0; way < WAYS; way++) {
        memcpy(block, good, SIZE);
        if (way == 0) {
            block[0] = 1;
        } else if (way == 1) {
            block[1 + 32 + 5] ^= 1; /* in the label's hash */
        } else if (way == 2) {
            memset(block + 1, 0x33, SIZE - 1);
        } else {
            block[SIZE - sizeof text - 1] ^= 1; /* the one */
        }
        rsa_way(way, block);
    }
}

/* Of 16 bytes: none; more than a block; one that is not like the others; the first of all. */
static void
cbc_ways(void)
{
    static CK_BYTE plain[BLOCKS];

    for (unsigned way = 0; way < WAYS; way++) {
        memset(plain, 0x11, sizeof plain);
        memset(plain + BLOCKS - 16, 16, 16);
        if (way == 0) {
            plain[BLOCKS - 1] = 0;
        } else if (way == 1) {
            plain[BLOCKS - 1] = 17;
        } else {
            plain[BLOCKS - (way == 2 ? 2 : 16)] = 3;
        }
        blob_len = BLOCKS;
        MUST(p11->C_EncryptInit(session, &cbc, aes));
        MUST(p11->C_Encrypt(session, plain, BLOCKS, blobs[way], &blob_len));
    }
}

/* ---- the measuring ---- */

static double
decrypt(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, CK_BYTE *blob)
{
    CK_BYTE out[BLOCKS];
    CK_ULONG len = sizeof out;
    double start;

    MUST(p11->C_DecryptInit(session, mechanism, key));
    start = microseconds();
    (void)p11->C_Decrypt(session, blob, blob_len, out, &len);
    return microseconds() - start;
}

static double
unwrap(CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, CK_BYTE *blob)
{
    CK_OBJECT_CLASS class = CKO_SECRET_KEY;
    CK_KEY_TYPE type = CKK_GENERIC_SECRET;
    CK_ATTRIBUTE template[] = { { CKA_CLASS, &class, sizeof class },
                                { CKA_KEY_TYPE, &type, sizeof type } };
    CK_OBJECT_HANDLE made = 0;
    double start = microseconds(), took;
    CK_RV rv = p11->C_UnwrapKey(session, mechanism, key, blob, blob_len, template, 2, &made);

    took = microseconds() - start;
    if (rv == CKR_OK) {
        MUST(p11->C_DestroyObject(session, made));
    }
    return took;
}

static void
measure(const char *name, CK_MECHANISM *mechanism, CK_OBJECT_HANDLE key, unsigned count,
        double (*one)(CK_MECHANISM *, CK_OBJECT_HANDLE, CK_BYTE *))
{
    for (unsigned i = 0; i < count; i++) {
        unsigned order[WAYS] = { 0, 1, 2, 3 };

        for (unsigned k = WAYS - 1; k > 0; k--) {
            unsigned other = (unsigned)random() % (k + 1), was = order[k];

            order[k] = order[other];
            order[other] = was;
        }
        for (unsigned k = 0; k < WAYS; k++) {
            printf("%s %u %.2f\n", name, order[k], one(mechanism, key, blobs[order[k]]));
        }
    }
}

int
main(int argc, char **argv)
{
    unsigned count;

    if (argc != 3) {
        die("usage: paddings MODULE COUNT");
    }
    count = (unsigned)atoi(argv[2]);
    p11_load(argv[1]);
    MUST(p11->C_Initialize(NULL));
    session = p11_session();
    MUST(p11_login(session, PIN));
    keys_make();
    pkcs1_ways();
    measure("pkcs1", &pkcs1, private_key, count, decrypt);
    measure("pkcs1-unwrap", &pkcs1, private_key, count, unwrap);
    oaep_ways();
    measure("oaep", &oaep, private_key, count, decrypt);
    measure("oaep-unwrap", &oaep, private_key, count, unwrap);
    cbc_ways();
    measure("cbc-pad", &cbc_pad, aes, count, decrypt);
    measure("cbc-pad-unwrap", &cbc_pad, aes, count, unwrap);
    MUST(p11->C_Finalize(NULL));
    return 0;
}
