/* SPDX-License-Identifier: Apache-2.0
 *
 * DES keys of one, two and three parts. All work as three: with K, K, K Triple-DES is DES, and a
 * double-length key is K1, K2, K1 (PKCS #11 v3.1, 6.18). So nothing here needs the crypto
 * library's legacy algorithms.
 */
#include "crypto/key.h"
#include "crypto/library.h"

#include <string.h>

#define DES_LEN 8u
#define DES3_LEN 24u
#define CHECK_VALUE_LEN 3u

/* Odd parity (FIPS 46-3): the lowest bit of a byte makes the number of ones odd. */
static uint8_t
parity_right(uint8_t byte)
{
    unsigned ones = byte >> 1;

    ones ^= ones >> 4;
    ones ^= ones >> 2;
    ones ^= ones >> 1;
    return (uint8_t)((byte & 0xfe) | (~ones & 1));
}

void
algo_value_adjust(enum object_kind kind, uint8_t *value, size_t len)
{
    for (size_t i = 0; kind == KIND_DES && i < len; i++) {
        value[i] = parity_right(value[i]);
    }
}

static bool
parity_is_right(view value)
{
    unsigned wrong = 0;

    for (size_t i = 0; i < value.len; i++) {
        wrong |= (unsigned)(value.data[i] ^ parity_right(value.data[i]));
    }
    return wrong == 0;
}

static CK_RV
des_parse(struct algo_key *key, view attributes, view secrets)
{
    uint8_t parts[DES3_LEN];
    uint64_t type;
    view value;

    if (!attributes_find(secrets, CKA_VALUE, &value) || value.len == 0 ||
        value.len > DES3_LEN || value.len % DES_LEN != 0 || !parity_is_right(value) ||
        (attributes_ulong(attributes, CKA_KEY_TYPE, &type) && !secret_len_fits(type, value.len))) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    for (size_t i = 0; i < DES3_LEN; i++) {
        parts[i] = value.data[i % value.len];
    }
    key->value = secret_dup(view_of(parts, sizeof parts));
    key->len = value.len;
    wipe(parts, sizeof parts);
    return key->value == NULL ? CKR_DEVICE_MEMORY : CKR_OK;
}

/* PKCS #11 v3.1, 6.18.2: the start of a block of zeros, encrypted. */
static CK_RV
des_made(const struct algo_key *key, view given, struct writer *attributes,
         struct writer *secrets)
{
    static const uint8_t zeros[DES_LEN];
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t block[DES_LEN];
    int len = 0;
    CK_RV rv;

    UNUSED(secrets);
    if (ctx == NULL ||
        EVP_EncryptInit_ex2(ctx, library_cipher(MODE_DES3_ECB, DES3_LEN),
                            secret_view(key->value).data, NULL, NULL) != 1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
        EVP_EncryptUpdate(ctx, block, &len, zeros, DES_LEN) != 1) {
        rv = library_failed("encrypt a block of zeros");
    } else {
        rv = made_bytes(CKA_CHECK_VALUE, view_of(block, CHECK_VALUE_LEN), true, given, attributes);
    }
    EVP_CIPHER_CTX_free(ctx);
    wipe(block, sizeof block);
    return rv;
}

const struct key_parser des_parser = { des_parse, des_made };
