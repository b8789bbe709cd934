/* SPDX-License-Identifier: Apache-2.0
 *
 * The library encodes and decodes, and we where it does not know enough; what was read is
 * written as attributes and parsed like any imported key, which checks it.
 */
#include "crypto/pkcs8.h"

#include "crypto/der.h"
#include "crypto/library.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <string.h>

CK_RV
algo_key_encode(const struct algo_key *key, struct writer *out)
{
    PKCS8_PRIV_KEY_INFO *info;
    unsigned char *der = NULL;
    int len;
    CK_RV rv = CKR_OK;

    if (key->pkey == NULL) {
        return CKR_KEY_NOT_WRAPPABLE;
    }
    info = EVP_PKEY2PKCS8(key->pkey);
    len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    if (len > 0) {
        write_raw(out, view_of(der, (size_t)len));
        rv = writer_ok(out) ? CKR_OK : CKR_DEVICE_MEMORY;
        OPENSSL_clear_free(der, (size_t)len);
    } else {
        rv = library_failed("encode a private key");
    }
    PKCS8_PRIV_KEY_INFO_free(info);
    library_forget();
    return rv;
}

static bool
is_zero(view v)
{
    for (size_t i = 0; i < v.len; i++) {
        if (v.data[i] != 0) {
            return false;
        }
    }
    return true;
}

static CK_RV
rsa_read(EVP_PKEY *pkey, struct writer *attributes, struct writer *secrets)
{
    struct writer public_part;
    BIGNUM *e = NULL;
    CK_RV rv = CKR_WRAPPED_KEY_INVALID;

    writer_init(&public_part, ATTRIBUTES_BYTES_MAX);
    if (EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_RSA_E, &e) == 1) {
        rv = rsa_pair_write(pkey, e, &public_part, attributes, secrets);
    }
    BN_free(e);
    writer_clear(&public_part);
    return rv;
}

/* By the object identifier: only curves with a name are ours. */
static const struct curve_row *
curve_of(EVP_PKEY *pkey)
{
    char name[80];
    uint8_t oid[32], *at = oid;
    size_t name_len = 0;
    const ASN1_OBJECT *object;
    int len;

    if (EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name,
                                       &name_len) != 1 ||
        (object = OBJ_nid2obj(OBJ_txt2nid(name))) == NULL ||
        (len = i2d_ASN1_OBJECT(object, NULL)) <= 0 || (size_t)len > sizeof oid) {
        return NULL;
    }
    return i2d_ASN1_OBJECT(object, &at) == len ? curve_by_params(view_of(oid, (size_t)len)) : NULL;
}

static CK_RV
ec_read(EVP_PKEY *pkey, struct writer *attributes, struct writer *secrets)
{
    const struct curve_row *curve = curve_of(pkey);
    struct writer public_part;
    CK_RV rv;

    if (curve == NULL) {
        return CKR_WRAPPED_KEY_INVALID;
    }
    writer_init(&public_part, ATTRIBUTES_BYTES_MAX);
    attribute_write(attributes, CKA_EC_PARAMS, view_of(curve->oid, curve->oid_len));
    rv = ec_pair_write(pkey, curve, &public_part, secrets);
    writer_clear(&public_part);
    return rv;
}

static const struct {
    enum object_kind kind;
    int library_id;
    CK_RV (*read)(EVP_PKEY *pkey, struct writer *attributes, struct writer *secrets);
} readers[] = {
    { KIND_RSA_PRIVATE, EVP_PKEY_RSA, rsa_read },
    { KIND_EC_PRIVATE, EVP_PKEY_EC, ec_read },
};

/*
 * RFC 8410, 7, by hand: our library knows version 1 alone, and others write the public key, too,
 * which makes it version 2. SEQUENCE { version, { algorithm }, OCTET STRING { OCTET STRING },
 * attributes [0], public key [1] }.
 */
static bool
okp_split(view der, bool zero_padded, view *ret_oid, view *ret_key, view *ret_public)
{
    struct reader outer = reader_of(der), r, inner;
    view contents, version, algorithm, wrapped, none;

    if (!der_read(&outer, DER_SEQUENCE, &contents) ||
        !(reader_done(&outer) || (zero_padded && is_zero(view_of(outer.next, outer.left))))) {
        return false;
    }
    r = reader_of(contents);
    if (!der_read(&r, DER_INTEGER, &version) || version.len != 1 || version.data[0] > 1 ||
        !der_read(&r, DER_SEQUENCE, &algorithm) || !der_read(&r, DER_OCTET_STRING, &wrapped)) {
        return false;
    }
    inner = reader_of(wrapped);
    if (!der_read(&inner, DER_OCTET_STRING, ret_key) || !reader_done(&inner)) {
        return false;
    }
    *ret_oid = algorithm;
    *ret_public = VIEW_EMPTY;
    inner = r;
    if (der_read(&inner, DER_ATTRIBUTES, &none)) {
        r = inner;
    }
    inner = r;
    if (version.data[0] == 1 && der_read(&inner, DER_PUBLIC_KEY, ret_public)) {
        r = inner;
    }
    return reader_done(&r);
}

/* A public key beside the private one has to be its own. */
static bool
public_fits(const struct curve_row *curve, view key, view public)
{
    EVP_PKEY *pkey;
    uint8_t bytes[1 + 57] = { 0 }; /* of a BIT STRING; Ed448 */
    size_t len = sizeof bytes - 1;
    bool fits;

    if (public.len == 0) {
        return true;
    }
    pkey = EVP_PKEY_new_raw_private_key_ex(NULL, curve->name, NULL, key.data, key.len);
    fits = pkey != NULL && EVP_PKEY_get_raw_public_key(pkey, bytes + 1, &len) == 1 &&
           view_equal(public, view_of(bytes, 1 + len));
    EVP_PKEY_free(pkey);
    return fits;
}

static CK_RV
okp_decode(view der, bool zero_padded, struct writer *attributes, struct writer *secrets)
{
    const struct curve_row *curve;
    view oid, key, public;

    if (!okp_split(der, zero_padded, &oid, &key, &public)) {
        return CKR_WRAPPED_KEY_INVALID;
    }
    curve = curve_by_params(oid);
    if (curve == NULL || curve->key_type == CKK_EC || key.len != curve_len(curve) ||
        !public_fits(curve, key, public)) {
        return CKR_WRAPPED_KEY_INVALID;
    }
    attribute_write(attributes, CKA_EC_PARAMS, oid);
    attribute_write(secrets, CKA_VALUE, key);
    return CKR_OK;
}

static CK_RV
library_decode(enum object_kind kind, view der, bool zero_padded, struct writer *attributes,
               struct writer *secrets)
{
    const unsigned char *at = der.data;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    EVP_PKEY *pkey = info == NULL ? NULL : EVP_PKCS82PKEY(info);
    CK_RV rv = CKR_WRAPPED_KEY_INVALID;

    if (pkey != NULL) {
        size_t used = (size_t)(at - der.data);

        if (zero_padded && is_zero(view_slice(der, used, der.len))) {
            used = der.len;
        }
        for (size_t i = 0; i < ARRAY_COUNT(readers) && used == der.len; i++) {
            if (readers[i].kind == kind && EVP_PKEY_get_base_id(pkey) == readers[i].library_id) {
                rv = readers[i].read(pkey, attributes, secrets);
            }
        }
    }
    EVP_PKEY_free(pkey);
    PKCS8_PRIV_KEY_INFO_free(info);
    return rv;
}

CK_RV
algo_key_decode(enum object_kind kind, view der, bool zero_padded, struct writer *attributes,
                struct writer *secrets)
{
    const bool okp = kind == KIND_EDWARDS_PRIVATE || kind == KIND_MONTGOMERY_PRIVATE;
    CK_RV rv = okp ? okp_decode(der, zero_padded, attributes, secrets)
                   : library_decode(kind, der, zero_padded, attributes, secrets);

    library_forget();
    return rv;
}
