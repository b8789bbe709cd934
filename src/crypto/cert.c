/* SPDX-License-Identifier: Apache-2.0
 *
 * X.509, as far as a node needs it.
 */
#include "crypto/cert.h"

#include "crypto/library.h"
#include "wire/frame.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>

#define SELF_DAYS 365
#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 256
#define SERIAL_BITS 127

static CK_RV
bio_take(BIO *bio, struct writer *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    if (len <= 0) {
        return CKR_DEVICE_MEMORY;
    }
    write_raw(out, view_of(text, (size_t)len));
    return writer_ok(out) ? CKR_OK : CKR_DEVICE_MEMORY;
}

static EVP_PKEY *
key_read(view key)
{
    const unsigned char *at = key.data;
    EVP_PKEY *pkey = d2i_AutoPrivateKey(NULL, &at, (long)key.len);

    library_forget();
    return pkey;
}

CK_RV
cert_key_new(struct writer *out)
{
    EVP_PKEY *pkey = EVP_EC_gen("P-256");
    PKCS8_PRIV_KEY_INFO *info = pkey == NULL ? NULL : EVP_PKEY2PKCS8(pkey);
    unsigned char *der = NULL;
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);
    CK_RV rv = CKR_OK;

    if (len <= 0) {
        rv = library_failed("make the node's key");
    } else {
        write_raw(out, view_of(der, (size_t)len));
        rv = writer_ok(out) ? CKR_OK : CKR_DEVICE_MEMORY;
    }
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(pkey);
    return rv;
}

CK_RV
cert_key_pem(view key, struct writer *out)
{
    EVP_PKEY *pkey = key_read(key);
    BIO *bio = BIO_new(BIO_s_secmem());
    CK_RV rv;

    if (pkey != NULL && bio != NULL &&
        PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1) {
        rv = bio_take(bio, out);
    } else {
        rv = library_failed("write the node's key");
    }
    BIO_free(bio);
    EVP_PKEY_free(pkey);
    return rv;
}

static bool
name_fill(X509_NAME *name, const char *common)
{
    const struct {
        const char *type;
        const char *value;
    } parts[] = { { "C", "US" },      { "ST", "CA" },     { "O", "Cavium" },
                  { "OU", "N3FIPS" }, { "L", "SanJose" }, { "CN", common } };
    bool filled = true;

    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        filled = filled && X509_NAME_add_entry_by_txt(
                               name, parts[i].type, MBSTRING_ASC,
                               (const unsigned char *)parts[i].value, -1, -1, 0) == 1;
    }
    return filled;
}

CK_RV
cert_request(view key, const char *name, struct writer *out)
{
    EVP_PKEY *pkey = key_read(key);
    X509_REQ *request = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    CK_RV rv;

    if (pkey != NULL && request != NULL && bio != NULL &&
        X509_REQ_set_version(request, X509_REQ_VERSION_1) == 1 &&
        name_fill(X509_REQ_get_subject_name(request), name) &&
        X509_REQ_set_pubkey(request, pkey) == 1 &&
        X509_REQ_sign(request, pkey, EVP_sha256()) > 0 &&
        PEM_write_bio_X509_REQ(bio, request) == 1) {
        rv = bio_take(bio, out);
    } else {
        rv = library_failed("make the request for a certificate");
    }
    BIO_free(bio);
    X509_REQ_free(request);
    EVP_PKEY_free(pkey);
    return rv;
}

static bool
serial_draw(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool drawn = number != NULL &&
                 BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
                 BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return drawn;
}

CK_RV
cert_self(view key, const char *name, uint64_t now, struct writer *out)
{
    EVP_PKEY *pkey = key_read(key);
    X509 *certificate = X509_new();
    BIO *bio = BIO_new(BIO_s_mem());
    time_t from = (time_t)(now / 1000) - 3600;
    CK_RV rv;

    if (pkey != NULL && certificate != NULL && bio != NULL &&
        X509_set_version(certificate, X509_VERSION_3) == 1 && serial_draw(certificate) &&
        ASN1_TIME_set(X509_getm_notBefore(certificate), from) != NULL &&
        ASN1_TIME_adj(X509_getm_notAfter(certificate), from, SELF_DAYS, 0) != NULL &&
        name_fill(X509_get_subject_name(certificate), name) &&
        X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
        X509_set_pubkey(certificate, pkey) == 1 &&
        X509_sign(certificate, pkey, EVP_sha256()) > 0 &&
        PEM_write_bio_X509(bio, certificate) == 1) {
        rv = bio_take(bio, out);
    } else {
        rv = library_failed("make a certificate");
    }
    BIO_free(bio);
    X509_free(certificate);
    EVP_PKEY_free(pkey);
    return rv;
}

/* ---- what comes from outside ---- */

static int
no_password(char *buffer, int size, int writing, void *arg)
{
    UNUSED(buffer);
    UNUSED(size);
    UNUSED(writing);
    UNUSED(arg);
    return -1;
}

/* The one certificate of the text; text before and after it is passed over, as openssl does. */
static X509 *
certificate_read(view pem)
{
    BIO *bio = pem.len == 0 || pem.len > CERT_PEM_MAX ? NULL
                                                      : BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);
    X509 *second = certificate == NULL ? NULL : PEM_read_bio_X509(bio, NULL, no_password, NULL);

    if (second != NULL) {
        X509_free(second);
        X509_free(certificate);
        certificate = NULL;
    }
    BIO_free(bio);
    library_forget();
    return certificate;
}

static bool
key_is_strong(EVP_PKEY *key)
{
    int bits = key == NULL ? 0 : EVP_PKEY_get_bits(key);

    switch (key == NULL ? 0 : EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
        return bits >= RSA_BITS_MIN;
    case EVP_PKEY_EC:
        return bits >= EC_BITS_MIN;
    default:
        return false;
    }
}

static bool
time_is_good(const X509 *certificate, uint64_t now)
{
    time_t when = (time_t)(now / 1000);

    return X509_cmp_time(X509_get0_notBefore(certificate), &when) < 0 &&
           X509_cmp_time(X509_get0_notAfter(certificate), &when) > 0;
}

CK_RV
cert_check_owner(view owner, uint64_t now)
{
    X509 *certificate = certificate_read(owner);
    CK_RV rv = CKR_OK;

    if (certificate == NULL) {
        return CODE_CERT_BAD;
    }

    EVP_PKEY *key = X509_get0_pubkey(certificate);

    if (!key_is_strong(key) || X509_check_ca(certificate) < 1 ||
        X509_NAME_cmp(X509_get_subject_name(certificate),
                      X509_get_issuer_name(certificate)) != 0 ||
        X509_verify(certificate, key) != 1) {
        rv = CODE_CERT_OWNER;
    } else if (!time_is_good(certificate, now)) {
        rv = CODE_CERT_TIME;
    }
    X509_free(certificate);
    library_forget();
    return rv;
}

static bool
name_is(X509 *certificate, const char *name)
{
    char text[CERT_NAME_MAX + 1];
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                        sizeof text);

    return len > 0 && (size_t)len < sizeof text && strcmp(text, name) == 0;
}

static CK_RV
chain_check(X509 *owner, X509 *node, uint64_t now)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    CK_RV rv = CKR_DEVICE_MEMORY;

    if (store != NULL && ctx != NULL && X509_STORE_add_cert(store, owner) == 1 &&
        X509_STORE_CTX_init(ctx, store, node, NULL) == 1 &&
        X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) == 1) {
        X509_STORE_CTX_set_time(ctx, 0, (time_t)(now / 1000));
        if (X509_verify_cert(ctx) == 1) {
            rv = CKR_OK;
        } else {
            int error = X509_STORE_CTX_get_error(ctx);

            rv = error == X509_V_ERR_CERT_HAS_EXPIRED || error == X509_V_ERR_CERT_NOT_YET_VALID
                     ? CODE_CERT_TIME
                     : CODE_CERT_CHAIN;
        }
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    return rv;
}

CK_RV
cert_check_node(view owner, view node, view key, const char *name, uint64_t now)
{
    X509 *owner_certificate = certificate_read(owner);
    X509 *certificate = certificate_read(node);
    EVP_PKEY *pkey = key_read(key);
    CK_RV rv;

    if (owner_certificate == NULL || certificate == NULL) {
        rv = CODE_CERT_BAD;
    } else if (pkey == NULL) {
        rv = CKR_DEVICE_MEMORY;
    } else if (EVP_PKEY_eq(X509_get0_pubkey(certificate), pkey) != 1 ||
               !name_is(certificate, name)) {
        rv = CODE_CERT_KEY;
    } else {
        rv = chain_check(owner_certificate, certificate, now);
    }
    EVP_PKEY_free(pkey);
    X509_free(certificate);
    X509_free(owner_certificate);
    library_forget();
    return rv;
}

/* "HSM:" serial ":PARTN:" digits, and then the end or a comma. */
static bool
name_parse(const char *name, char ret_serial[CERT_SERIAL_MAX + 1])
{
    static const char letters[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const char *at = name + 4;
    size_t len;
    size_t digits;

    if (strncmp(name, "HSM:", 4) != 0) {
        return false;
    }
    len = strspn(at, letters);
    if (len == 0 || len > CERT_SERIAL_MAX || strncmp(at + len, ":PARTN:", 7) != 0) {
        return false;
    }
    digits = strspn(at + len + 7, "0123456789");
    if (digits == 0 || (at[len + 7 + digits] != '\0' && at[len + 7 + digits] != ',')) {
        return false;
    }
    memcpy(ret_serial, at, len);
    ret_serial[len] = '\0';
    return true;
}

static CK_RV
member_serial(X509 *certificate, char ret_serial[CERT_SERIAL_MAX + 1])
{
    char text[CERT_NAME_MAX + 1];
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, text,
                                        sizeof text);

    /* What has a NUL within is longer than it looks. */
    return len > 0 && (size_t)len == strlen(text) && name_parse(text, ret_serial) ? CKR_OK
                                                                                  : CODE_CERT_KEY;
}

CK_RV
cert_member_serial(view node, char ret_serial[CERT_SERIAL_MAX + 1])
{
    X509 *certificate = certificate_read(node);
    CK_RV rv = certificate == NULL ? CODE_CERT_BAD : member_serial(certificate, ret_serial);

    X509_free(certificate);
    library_forget();
    return rv;
}

CK_RV
cert_check_member(view owner, view node, uint64_t now, char ret_serial[CERT_SERIAL_MAX + 1])
{
    X509 *owner_certificate = certificate_read(owner);
    X509 *certificate = certificate_read(node);
    CK_RV rv = CODE_CERT_BAD;

    if (owner_certificate != NULL && certificate != NULL) {
        rv = chain_check(owner_certificate, certificate, now);
        if (rv == CKR_OK) {
            rv = member_serial(certificate, ret_serial);
        }
    }
    X509_free(certificate);
    X509_free(owner_certificate);
    library_forget();
    return rv;
}

CK_RV
cert_key_read(view pem, struct writer *out)
{
    BIO *bio = pem.len == 0 || pem.len > CERT_PEM_MAX ? NULL
                                                      : BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    PKCS8_PRIV_KEY_INFO *info = key == NULL ? NULL : EVP_PKEY2PKCS8(key);
    unsigned char *der = NULL;
    int len = info == NULL ? -1 : i2d_PKCS8_PRIV_KEY_INFO(info, &der);

    if (len > 0) {
        write_raw(out, view_of(der, (size_t)len));
    }
    OPENSSL_clear_free(der, len > 0 ? (size_t)len : 0);
    PKCS8_PRIV_KEY_INFO_free(info);
    EVP_PKEY_free(key);
    BIO_free(bio);
    library_forget();
    return len <= 0 ? CODE_CERT_BAD : writer_ok(out) ? CKR_OK : CKR_DEVICE_MEMORY;
}

CK_RV
cert_sign(view key, view data, struct writer *out)
{
    EVP_PKEY *pkey = key_read(key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t len = 0;
    uint8_t *room = NULL;
    bool good = pkey != NULL && ctx != NULL &&
                EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestSign(ctx, NULL, &len, data.data, data.len) == 1 &&
                (room = write_space(out, len)) != NULL;
    const size_t start = good ? out->len - len : 0;

    good = good && EVP_DigestSign(ctx, room, &len, data.data, data.len) == 1;
    if (good) {
        writer_truncate(out, start + len);
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(pkey);
    return good ? CKR_OK : library_failed("sign with the node's key");
}

CK_RV
cert_public_key(view pem, struct writer *out)
{
    X509 *certificate = certificate_read(pem);
    BIO *bio = pem.len == 0 || pem.len > CERT_PEM_MAX ? NULL
                                                      : BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = certificate != NULL ? X509_get_pubkey(certificate)
                    : bio != NULL       ? PEM_read_bio_PUBKEY(bio, NULL, no_password, NULL)
                                        : NULL;
    unsigned char *der = NULL;
    int len = key_is_strong(key) ? i2d_PUBKEY(key, &der) : -1;

    if (len > 0) {
        write_raw(out, view_of(der, (size_t)len));
    }
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    BIO_free(bio);
    X509_free(certificate);
    library_forget();
    return len <= 0 ? CODE_CERT_BAD : writer_ok(out) ? CKR_OK : CKR_DEVICE_MEMORY;
}

CK_RV
cert_verify(view public_key, view data, view signature)
{
    const unsigned char *at = public_key.data;
    EVP_PKEY *key = public_key.len == 0 ? NULL : d2i_PUBKEY(NULL, &at, (long)public_key.len);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = key != NULL && ctx != NULL && signature.len > 0 &&
                EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
                EVP_DigestVerify(ctx, signature.data, signature.len, data.data, data.len) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    library_forget();
    return good ? CKR_OK : CKR_SIGNATURE_INVALID;
}

CK_RV
cert_fingerprint(view pem, uint8_t ret_print[CERT_FINGERPRINT_LEN])
{
    X509 *certificate = certificate_read(pem);
    BIO *bio = pem.len == 0 || pem.len > CERT_PEM_MAX ? NULL
                                                      : BIO_new_mem_buf(pem.data, (int)pem.len);
    X509_REQ *request = certificate == NULL && bio != NULL
                            ? PEM_read_bio_X509_REQ(bio, NULL, no_password, NULL)
                            : NULL;
    EVP_PKEY *key = certificate != NULL ? X509_get0_pubkey(certificate)
                    : request != NULL   ? X509_REQ_get0_pubkey(request)
                                        : NULL;
    unsigned char *der = NULL;
    int len = key == NULL ? -1 : i2d_PUBKEY(key, &der);
    bool made = len > 0 && EVP_Digest(der, (size_t)len, ret_print, NULL, EVP_sha256(), NULL) == 1;

    OPENSSL_free(der);
    X509_REQ_free(request);
    BIO_free(bio);
    X509_free(certificate);
    library_forget();
    return made ? CKR_OK : CODE_CERT_BAD;
}
