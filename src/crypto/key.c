/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys by kind: a table of parsers, and what they share for the attributes that the HSM adds
 * by itself. Certificates have no key, but a check value.
 */
#include "crypto/key.h"

#include "crypto/digest.h"
#include "crypto/library.h"
#include "crypto/ready.h"

#include <assert.h>
#include <openssl/bn.h>
#include <openssl/x509.h>
#include <stdlib.h>

#define CHECK_VALUE_LEN 3u

static const struct key_parser *const parsers[KIND_COUNT] = {
    [KIND_RSA_PUBLIC] = &rsa_public_parser,
    [KIND_RSA_PRIVATE] = &rsa_private_parser,
    [KIND_EC_PUBLIC] = &ec_public_parser,
    [KIND_EC_PRIVATE] = &ec_private_parser,
    [KIND_EDWARDS_PUBLIC] = &okp_public_parser,
    [KIND_EDWARDS_PRIVATE] = &okp_private_parser,
    [KIND_MONTGOMERY_PUBLIC] = &okp_public_parser,
    [KIND_MONTGOMERY_PRIVATE] = &okp_private_parser,
    [KIND_AES] = &aes_parser,
    [KIND_GENERIC] = &generic_parser,
    [KIND_DES] = &des_parser,
    [KIND_RC4] = &generic_parser,
    [KIND_CHACHA20] = &generic_parser,
    [KIND_AES_XTS] = &xts_parser,
};

CK_RV
algo_key_new(enum object_kind kind, view attributes, view secrets, struct algo_key **ret_key)
{
    assert(kind < KIND_COUNT && parsers[kind] != NULL);

    struct algo_key *key = calloc(1, sizeof *key);
    CK_RV rv = CKR_DEVICE_MEMORY;

    if (key == NULL) {
        return rv;
    }
    key->kind = kind;
    key->pool = ready_pool_new();
    if (key->pool != NULL) {
        rv = parsers[kind]->parse(key, attributes, secrets);
    }
    library_forget();
    if (rv != CKR_OK) {
        algo_key_free(key);
        return rv;
    }
    *ret_key = key;
    return CKR_OK;
}

CK_RV
algo_key_check(const struct algo_key *key)
{
    CK_RV rv = key->kind == KIND_RSA_PUBLIC || key->kind == KIND_RSA_PRIVATE ? rsa_check(key)
                                                                             : CKR_OK;

    library_forget();
    return rv;
}

void
algo_key_free(struct algo_key *key)
{
    if (key == NULL) {
        return;
    }
    ready_pool_free(key->pool);
    EVP_PKEY_free(key->pkey);
    secret_free(key->value);
    free(key);
}

CK_RV
made_bytes(CK_ATTRIBUTE_TYPE type, view value, bool may_be_empty, view given,
           struct writer *attributes)
{
    view there;

    if (!attributes_find(given, type, &there)) {
        attribute_write(attributes, type, value);
        return CKR_OK;
    }
    if ((there.len == 0 && may_be_empty) || view_equal(there, value)) {
        return CKR_OK;
    }
    return CKR_ATTRIBUTE_VALUE_INVALID;
}

CK_RV
made_ulong(CK_ATTRIBUTE_TYPE type, uint64_t value, view given, struct writer *attributes)
{
    uint8_t bytes[8];

    store_u64(bytes, value);
    return made_bytes(type, view_of(bytes, sizeof bytes), false, given, attributes);
}

CK_RV
made_public_key_info(const struct algo_key *key, view given, struct writer *attributes)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    CK_RV rv;

    if (len <= 0) {
        return library_failed("encode a public key");
    }
    rv = made_bytes(CKA_PUBLIC_KEY_INFO, view_of(der, (size_t)len), true, given, attributes);
    OPENSSL_free(der);
    return rv;
}

bool
key_number_write(struct writer *w, CK_ATTRIBUTE_TYPE type, const BIGNUM *number, size_t len)
{
    size_t number_len = size_max(len, (size_t)BN_num_bytes(number));

    write_u32(w, (uint32_t)type);
    write_u32(w, (uint32_t)number_len);

    uint8_t *space = write_space(w, number_len);

    return space == NULL || BN_bn2binpad(number, space, (int)number_len) >= 0;
}

/* PKCS #11 v3.1, 4.6.3: of a certificate, the first three bytes of the SHA-1 hash of it. */
static CK_RV
certificate_made(view given, struct writer *attributes)
{
    uint8_t hash[DIGEST_MAX];
    view value;
    CK_RV rv;

    if (!attributes_find(given, CKA_VALUE, &value) || value.len == 0) {
        return CKR_OK; /* kept elsewhere, under CKA_URL */
    }
    rv = digest_once(HASH_SHA1, value, hash);
    if (rv != CKR_OK) {
        return rv;
    }
    return made_bytes(CKA_CHECK_VALUE, view_of(hash, CHECK_VALUE_LEN), true, given, attributes);
}

CK_RV
algo_key_made(enum object_kind kind, const struct algo_key *key, view given,
              struct writer *attributes, struct writer *secrets)
{
    CK_RV rv = CKR_OK;

    if (kind == KIND_X509) {
        rv = certificate_made(given, attributes);
    } else if (key != NULL) {
        assert(key->kind == kind);
        rv = parsers[kind]->made(key, given, attributes, secrets);
    }
    library_forget();
    return rv;
}
