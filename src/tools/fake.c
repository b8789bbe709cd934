/* SPDX-License-Identifier: Apache-2.0
 *
 * RSAPrivateKey (RFC 8017), ECPrivateKey (RFC 5915) and PrivateKeyInfo (RFC 8410) with a pattern in
 * the place of each secret number.
 */
#include "tools/fake.h"

#include <limits.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define MARK VIEW_TEXT("\xea\xfc\xfc\xee")
#define DER_MAX 16384u
#define NUMBER_MAX 2048u
#define PEM_MAX 65536u
#define SEED_LEN 32u
#define SEED_448_LEN 57u

/* Mark, handle, and marks up to the end. */
static void
pattern_write(struct writer *w, size_t len, uint64_t handle)
{
    uint8_t *space = write_space(w, len);
    uint8_t number[8];

    store_u64(number, handle);
    for (size_t i = 0; space != NULL && i < len; i++) {
        space[i] = i >= MARK.len && i < MARK.len + sizeof number ? number[i - MARK.len]
                                                                 : MARK.data[i % MARK.len];
    }
}

/* ---- DER ---- */

static void
head_write(struct writer *w, uint8_t tag, size_t len)
{
    write_u8(w, tag);
    if (len < 0x80) {
        write_u8(w, (uint8_t)len);
    } else if (len < 0x100) {
        write_u8(w, 0x81);
        write_u8(w, (uint8_t)len);
    } else {
        write_u8(w, 0x82);
        write_u8(w, (uint8_t)(len >> 8));
        write_u8(w, (uint8_t)len);
    }
}

static void
element_write(struct writer *w, uint8_t tag, view contents)
{
    head_write(w, tag, contents.len);
    write_raw(w, contents);
}

static void
integer_write(struct writer *w, view number)
{
    const bool high = number.len > 0 && number.data[0] >= 0x80;

    head_write(w, V_ASN1_INTEGER, number.len + high);
    if (high) {
        write_u8(w, 0);
    }
    write_raw(w, number);
}

static void
pattern_integer_write(struct writer *w, size_t len, uint64_t handle)
{
    head_write(w, V_ASN1_INTEGER, len + 1); /* the mark begins with a high bit */
    write_u8(w, 0);
    pattern_write(w, len, handle);
}

/* ---- what the keys look like ---- */

static bool
number_of(const EVP_PKEY *pkey, const char *name, struct writer *out)
{
    BIGNUM *number = NULL;
    uint8_t *space;
    bool ok = EVP_PKEY_get_bn_param(pkey, name, &number) == 1 &&
              BN_num_bytes(number) <= (int)NUMBER_MAX &&
              (space = write_space(out, (size_t)BN_num_bytes(number))) != NULL &&
              BN_bn2bin(number, space) > 0;

    BN_free(number);
    return ok;
}

static bool
rsa_write(const EVP_PKEY *pkey, uint64_t handle, struct writer *out)
{
    struct writer n;
    struct writer e;
    bool ok;

    writer_init(&n, NUMBER_MAX);
    writer_init(&e, NUMBER_MAX);
    ok = number_of(pkey, OSSL_PKEY_PARAM_RSA_N, &n) && number_of(pkey, OSSL_PKEY_PARAM_RSA_E, &e);
    if (ok) {
        integer_write(out, VIEW_TEXT("\0"));
        integer_write(out, writer_view(&n));
        integer_write(out, writer_view(&e));
        pattern_integer_write(out, n.len, handle);
        for (unsigned i = 0; i < 5; i++) { /* two primes, two exponents, a coefficient */
            pattern_integer_write(out, n.len / 2, handle);
        }
    }
    writer_clear(&n);
    writer_clear(&e);
    return ok;
}

/* The curve's identifier and the point, as they stand in the public key. */
static bool
ec_write(const EVP_PKEY *pkey, view curve, view point, uint64_t handle, struct writer *out)
{
    BIGNUM *order = NULL;
    struct writer bits;
    bool ok = EVP_PKEY_get_bn_param(pkey, OSSL_PKEY_PARAM_EC_ORDER, &order) == 1;

    writer_init(&bits, NUMBER_MAX);
    if (ok) {
        const size_t len = (size_t)BN_num_bytes(order);

        integer_write(out, VIEW_TEXT("\1"));
        head_write(out, V_ASN1_OCTET_STRING, len);
        pattern_write(out, len, handle);
        element_write(out, 0xa0, curve);
        write_u8(&bits, 0);
        write_raw(&bits, point);
        head_write(out, 0xa1, bits.len + (bits.len < 0x80 ? 2 : bits.len < 0x100 ? 3 : 4));
        element_write(out, V_ASN1_BIT_STRING, writer_view(&bits));
    }
    writer_clear(&bits);
    BN_free(order);
    return ok;
}

static void
edwards_write(view identifier, size_t len, uint64_t handle, struct writer *out)
{
    integer_write(out, VIEW_TEXT("\0"));
    element_write(out, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, identifier);
    head_write(out, V_ASN1_OCTET_STRING, len + 2);
    head_write(out, V_ASN1_OCTET_STRING, len);
    pattern_write(out, len, handle);
}

/* The DER of an object identifier. */
static bool
oid_write(const ASN1_OBJECT *object, struct writer *out)
{
    unsigned char *der = NULL;
    const int len = i2d_ASN1_OBJECT(object, &der);

    if (len > 0) {
        write_raw(out, view_of(der, (size_t)len));
    }
    OPENSSL_free(der);
    return len > 0;
}

/* The contents of the outermost sequence, and the name that PEM has for it. */
static bool
body_write(const EVP_PKEY *pkey, X509_PUBKEY *info, uint64_t handle, struct writer *out,
           const char **ret_name)
{
    const int type = EVP_PKEY_get_base_id(pkey);
    ASN1_OBJECT *algorithm = NULL;
    const unsigned char *point = NULL;
    const void *value = NULL;
    X509_ALGOR *algor = NULL;
    struct writer oid;
    int value_type = 0;
    int point_len = 0;
    bool ok = false;

    writer_init(&oid, 64);
    if (X509_PUBKEY_get0_param(&algorithm, &point, &point_len, &algor, info) != 1) {
        return false;
    }
    switch (type) {
    case EVP_PKEY_RSA:
        *ret_name = PEM_STRING_RSA;
        ok = rsa_write(pkey, handle, out);
        break;
    case EVP_PKEY_EC:
        *ret_name = PEM_STRING_ECPRIVATEKEY;
        X509_ALGOR_get0(NULL, &value_type, &value, algor);
        ok = value_type == V_ASN1_OBJECT && oid_write(value, &oid) &&
             ec_write(pkey, writer_view(&oid), view_of(point, (size_t)point_len), handle, out);
        break;
    case EVP_PKEY_ED25519:
    case EVP_PKEY_ED448:
        *ret_name = PEM_STRING_PKCS8INF;
        ok = oid_write(algorithm, &oid);
        edwards_write(writer_view(&oid), type == EVP_PKEY_ED448 ? SEED_448_LEN : SEED_LEN, handle,
                      out);
        break;
    default:
        break;
    }
    writer_clear(&oid);
    return ok && writer_ok(out);
}

static bool
armour(const char *name, view body, struct writer *pem)
{
    struct writer der;
    BIO *bio = BIO_new(BIO_s_mem());
    char *text = NULL;
    long len;
    bool ok;

    writer_init(&der, DER_MAX);
    element_write(&der, V_ASN1_SEQUENCE | V_ASN1_CONSTRUCTED, body);
    ok = bio != NULL && writer_ok(&der) &&
         PEM_write_bio(bio, name, "", der.data, (long)der.len) > 0 &&
         (len = BIO_get_mem_data(bio, &text)) > 0;
    if (ok) {
        write_raw(pem, view_of(text, (size_t)len));
    }
    BIO_free(bio);
    writer_clear(&der);
    return ok && writer_ok(pem);
}

bool
fake_write(view public_info, uint64_t handle, struct writer *pem)
{
    const unsigned char *at = public_info.data;
    X509_PUBKEY *info = public_info.len > DER_MAX
                            ? NULL
                            : d2i_X509_PUBKEY(NULL, &at, (long)public_info.len);
    const EVP_PKEY *pkey = info == NULL ? NULL : X509_PUBKEY_get0(info);
    const char *name = NULL;
    struct writer body;
    bool ok;

    writer_init(&body, DER_MAX);
    ok = pkey != NULL && body_write(pkey, info, handle, &body, &name) &&
         armour(name, writer_view(&body), pem);
    writer_clear(&body);
    X509_PUBKEY_free(info);
    ERR_clear_error();
    return ok;
}

/* ---- reading ---- */

/* A private key that is somebody's has mark, eight bytes and mark in it once in 2^64. */
static bool
pattern_find(view der, uint64_t *ret_handle)
{
    for (size_t i = 0; i + 2 * MARK.len + 8 <= der.len; i++) {
        if (view_equal(view_slice(der, i, MARK.len), MARK) &&
            view_equal(view_slice(der, i + MARK.len + 8, MARK.len), MARK)) {
            *ret_handle = load_u64(der.data + i + MARK.len);
            return true;
        }
    }
    return false;
}

/* No key here has a password, and nobody is asked for one. */
static int
no_password(char *buffer, int size, int writing, void *arg)
{
    UNUSED(buffer);
    UNUSED(size);
    UNUSED(writing);
    UNUSED(arg);
    return -1;
}

enum fake
fake_read(view pem, uint64_t *ret_handle)
{
    BIO *bio = pem.len == 0 || pem.len > PEM_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    unsigned char *der = NULL;
    const unsigned char *at;
    char *name = NULL;
    char *header = NULL;
    EVP_PKEY *pkey = NULL;
    enum fake fake = FAKE_UNREADABLE;
    long len = 0;

    /* What stands before the key (curve parameters, say) is passed over. */
    while (bio != NULL && fake == FAKE_UNREADABLE &&
           PEM_read_bio(bio, &name, &header, &der, &len) == 1) {
        if (strstr(name, "PRIVATE KEY") != NULL) {
            at = der;
            if (pattern_find(view_of(der, (size_t)len), ret_handle)) {
                fake = FAKE_HANDLE;
            } else if ((pkey = d2i_AutoPrivateKey(NULL, &at, len)) != NULL) {
                fake = FAKE_REAL;
            }
        }
        EVP_PKEY_free(pkey);
        pkey = NULL;
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(der, (size_t)len);
    }
    if (fake == FAKE_UNREADABLE && bio != NULL && BIO_reset(bio) >= 0 &&
        (pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL)) != NULL) {
        fake = FAKE_REAL;
    }
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    ERR_clear_error();
    return fake;
}
