/* SPDX-License-Identifier: Apache-2.0
 *
 * Secret keys: parsing AES and generic ones, and generating all. Their bytes live in locked
 * memory and come from the entropy source that the caller brings.
 */
#include "crypto/digest.h"
#include "crypto/library.h"

#include <string.h>

#define CHECK_VALUE_LEN 3u

static CK_RV
value_parse(struct algo_key *key, view secrets)
{
    view value;

    if (!attributes_find(secrets, CKA_VALUE, &value) || value.len == 0) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    key->value = secret_dup(value);
    key->len = value.len;
    return key->value == NULL ? CKR_DEVICE_MEMORY : CKR_OK;
}

static CK_RV
aes_parse(struct algo_key *key, view attributes, view secrets)
{
    CK_RV rv = value_parse(key, secrets);

    UNUSED(attributes);
    return rv == CKR_OK && !secret_len_fits(CKK_AES, key->len) ? CKR_ATTRIBUTE_VALUE_INVALID : rv;
}

static CK_RV
generic_parse(struct algo_key *key, view attributes, view secrets)
{
    CK_RV rv = value_parse(key, secrets);

    UNUSED(attributes);
    return rv == CKR_OK && !secret_len_fits(kind_type(key->kind), key->len)
               ? CKR_ATTRIBUTE_VALUE_INVALID
               : rv;
}

/* IEEE 1619 and FIPS 140-3 IG C.I: two keys, and not the same one twice. */
static CK_RV
xts_parse(struct algo_key *key, view attributes, view secrets)
{
    CK_RV rv = generic_parse(key, attributes, secrets);
    view value;

    if (rv != CKR_OK) {
        return rv;
    }
    value = secret_view(key->value);
    return view_equal_secret(view_slice(value, 0, value.len / 2),
                             view_slice(value, value.len / 2, value.len))
               ? CKR_ATTRIBUTE_VALUE_INVALID
               : CKR_OK;
}

static CK_RV
secret_made(const struct algo_key *key, view check, view given, struct writer *attributes)
{
    CK_RV rv = made_bytes(CKA_CHECK_VALUE, view_slice(check, 0, CHECK_VALUE_LEN), true, given,
                          attributes);

    return rv == CKR_OK ? made_ulong(CKA_VALUE_LEN, key->len, given, attributes) : rv;
}

CK_RV
aes_zero_block(const struct algo_key *key, uint8_t out[BLOCK_LEN])
{
    static const uint8_t zeros[BLOCK_LEN];
    view value = secret_view(key->value);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    CK_RV rv = CKR_OK;
    int len = 0;

    if (ctx == NULL ||
        EVP_EncryptInit_ex2(ctx, library_cipher(MODE_ECB, value.len), value.data, NULL, NULL) !=
            1 ||
        EVP_CIPHER_CTX_set_padding(ctx, 0) != 1 ||
        EVP_EncryptUpdate(ctx, out, &len, zeros, BLOCK_LEN) != 1) {
        rv = library_failed("encrypt a block of zeros");
    }
    EVP_CIPHER_CTX_free(ctx);
    return rv;
}

/* PKCS #11 v3.1, 4.10.2: the start of a block of zeros, encrypted. */
static CK_RV
aes_made(const struct algo_key *key, view given, struct writer *attributes,
         struct writer *secrets)
{
    uint8_t block[BLOCK_LEN];
    CK_RV rv = aes_zero_block(key, block);

    UNUSED(secrets);
    if (rv == CKR_OK) {
        rv = secret_made(key, view_of(block, sizeof block), given, attributes);
    }
    wipe(block, sizeof block);
    return rv;
}

/* PKCS #11 v3.1, 6.8.1: of whatever is no block cipher's key, the start of the
 * SHA-1 hash of the value. */
static CK_RV
generic_made(const struct algo_key *key, view given, struct writer *attributes,
             struct writer *secrets)
{
    uint8_t hash[DIGEST_MAX];
    CK_RV rv = digest_once(HASH_SHA1, secret_view(key->value), hash);

    UNUSED(secrets);
    if (rv == CKR_OK) {
        rv = secret_made(key, view_of(hash, hash_row(HASH_SHA1)->length), given, attributes);
    }
    wipe(hash, sizeof hash);
    return rv;
}

const struct key_parser aes_parser = { aes_parse, aes_made };
const struct key_parser xts_parser = { xts_parse, generic_made };
const struct key_parser generic_parser = { generic_parse, generic_made };

static CK_RV
secret_generate(const struct mechanism_limit *limit, const struct mechanism_row *row,
                view template, struct algo_source source, struct writer *public_part,
                struct writer *private_part, struct writer *secrets)
{
    size_t unit = row->unit == UNIT_BITS ? 8 : 1;
    uint64_t len = secret_len_fixed(row->key_type);
    enum object_kind kind;
    uint8_t *space;

    UNUSED(public_part);
    UNUSED(private_part);
    if (!kind_of(CKO_SECRET_KEY, row->key_type, &kind)) {
        return CKR_MECHANISM_INVALID;
    }
    if (!attributes_ulong(template, CKA_VALUE_LEN, &len) && len == 0) {
        return CKR_TEMPLATE_INCOMPLETE;
    }
    if (len < limit->min / unit || len > limit->max / unit ||
        !secret_len_fits(row->key_type, len)) {
        return CKR_ATTRIBUTE_VALUE_INVALID;
    }
    write_u32(secrets, CKA_VALUE);
    write_u32(secrets, (uint32_t)len);
    space = write_space(secrets, (size_t)len);
    if (space == NULL) {
        return CKR_DEVICE_MEMORY;
    }
    if (!source.fill(source.arg, space, (size_t)len)) {
        return CKR_FUNCTION_FAILED;
    }
    algo_value_adjust(kind, space, (size_t)len);
    return CKR_OK;
}

const struct algo algo_secret = {
    .kinds = 0,
    .once = refuse_once,
    .start = refuse_start,
    .update = refuse_update,
    .final = refuse_final,
    .generate = secret_generate,
};
