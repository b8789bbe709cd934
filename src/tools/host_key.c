/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys in PEM.
 */
#include "tools/host.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define KEY_TYPE_NONE ((CK_KEY_TYPE)0xffffffff)

/* A password is nobody's to give here. */
static int
no_password(char *buffer, int size, int writing, void *arg)
{
    UNUSED(buffer);
    UNUSED(size);
    UNUSED(writing);
    UNUSED(arg);
    return -1;
}

static const struct pkey_row {
    int id;
    CK_KEY_TYPE type;
} pkey_rows[] = {
    { EVP_PKEY_RSA, CKK_RSA },
    { EVP_PKEY_EC, CKK_EC },
    { EVP_PKEY_ED25519, CKK_EC_EDWARDS },
    { EVP_PKEY_ED448, CKK_EC_EDWARDS },
    { EVP_PKEY_X25519, CKK_EC_MONTGOMERY },
    { EVP_PKEY_X448, CKK_EC_MONTGOMERY },
    { EVP_PKEY_DSA, CKK_DSA },
};

static CK_KEY_TYPE
pkey_type(const EVP_PKEY *pkey)
{
    for (size_t i = 0; i < ARRAY_COUNT(pkey_rows); i++) {
        if (pkey != NULL && EVP_PKEY_get_base_id(pkey) == pkey_rows[i].id) {
            return pkey_rows[i].type;
        }
    }
    return KEY_TYPE_NONE;
}

static BIO *
bio_of(view pem)
{
    return pem.len == 0 || pem.len > HOST_KEY_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
}

struct secret *
host_private_read(view pem, CK_KEY_TYPE *ret_type)
{
    BIO *bio = bio_of(pem);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    PKCS8_PRIV_KEY_INFO *p8 = pkey == NULL ? NULL : EVP_PKEY2PKCS8(pkey);
    struct secret *info = NULL;
    unsigned char *der = NULL;
    int len = 0;

    if (p8 != NULL && pkey_type(pkey) != KEY_TYPE_NONE &&
        (len = i2d_PKCS8_PRIV_KEY_INFO(p8, &der)) > 0) {
        *ret_type = pkey_type(pkey);
        info = secret_dup(view_of(der, (size_t)len));
    }
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(p8);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    return info;
}

/* Puts DER into PEM, in memory that is wiped. */
static bool
armour(const char *name, view der, struct writer *pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    long len = 0;
    bool ok = bio != NULL && der.len <= HOST_KEY_MAX &&
              PEM_write_bio(bio, name, "", der.data, (long)der.len) > 0 &&
              (len = BIO_get_mem_data(bio, &text)) > 0;

    if (ok) {
        write_raw(pem, view_of(text, (size_t)len));
    }
    if (len > 0) {
        wipe(text, (size_t)len);
    }
    BIO_free(bio);
    return ok && writer_ok(pem);
}

bool
host_private_write(view info, struct writer *pem)
{
    return armour(PEM_STRING_PKCS8INF, info, pem);
}

bool
host_public_write(view info, struct writer *pem)
{
    return armour(PEM_STRING_PUBLIC, info, pem);
}

static bool
number_add(const EVP_PKEY *pkey, const char *name, CK_ATTRIBUTE_TYPE type, struct writer *out)
{
    uint8_t bytes[2048];
    BIGNUM *number = NULL;
    bool ok = EVP_PKEY_get_bn_param(pkey, name, &number) == 1 &&
              BN_num_bytes(number) <= (int)sizeof bytes;

    if (ok) {
        const int len = BN_bn2bin(number, bytes);

        attribute_write(out, type, view_of(bytes, (size_t)len));
    }
    BN_free(number);
    return ok;
}

static bool
oid_add(const ASN1_OBJECT *object, struct writer *out)
{
    unsigned char *der = NULL;
    const int len = object == NULL ? 0 : i2d_ASN1_OBJECT(object, &der);

    if (len > 0) {
        attribute_write(out, CKA_EC_PARAMS, view_of(der, (size_t)len));
    }
    OPENSSL_free(der);
    return len > 0;
}

/* Curve and point as they stand in a SubjectPublicKeyInfo. */
static bool
point_add(const EVP_PKEY *pkey, CK_KEY_TYPE type, struct writer *out)
{
    X509_PUBKEY *info = NULL;
    ASN1_OBJECT *algorithm = NULL;
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    X509_ALGOR *algor = NULL;
    const unsigned char *point = NULL;
    const void *value = NULL;
    unsigned char *der = NULL;
    int value_type = 0;
    int len = 0;
    bool ok = string != NULL && X509_PUBKEY_set(&info, (EVP_PKEY *)(uintptr_t)pkey) == 1 &&
              X509_PUBKEY_get0_param(&algorithm, &point, &len, &algor, info) == 1;

    if (ok && type == CKK_EC) {
        X509_ALGOR_get0(NULL, &value_type, &value, algor);
        algorithm = NULL;
        ok = value_type == V_ASN1_OBJECT && oid_add(value, out);
    } else {
        ok = ok && oid_add(algorithm, out);
    }
    ok = ok && ASN1_OCTET_STRING_set(string, point, len) == 1 &&
         (len = i2d_ASN1_OCTET_STRING(string, &der)) > 0;
    if (ok) {
        attribute_write(out, CKA_EC_POINT, view_of(der, (size_t)len));
    }
    OPENSSL_free(der);
    ASN1_OCTET_STRING_free(string);
    X509_PUBKEY_free(info);
    return ok;
}

bool
host_public_read(view pem, CK_KEY_TYPE *ret_type, struct writer *attributes)
{
    BIO *bio = bio_of(pem);
    EVP_PKEY *pkey = bio == NULL ? NULL : PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL);
    const CK_KEY_TYPE type = pkey_type(pkey);
    bool ok = false;

    if (type == CKK_RSA) {
        ok = number_add(pkey, OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS, attributes) &&
             number_add(pkey, OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT, attributes);
    } else if (type != KEY_TYPE_NONE && type != CKK_DSA) {
        ok = point_add(pkey, type, attributes);
    }
    *ret_type = type;
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    return ok;
}

bool
host_public_check(view info, uint8_t ret_check[3])
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    size_t len;

    if (info.len == 0 ||
        EVP_Q_digest(NULL, "SHA1", NULL, info.data, info.len, digest, &len) != 1) {
        return false;
    }
    memcpy(ret_check, digest, 3);
    return true;
}
