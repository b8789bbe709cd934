/* SPDX-License-Identifier: Apache-2.0
 *
 * Owners' and nodes' keys on OpenSSL. The library's own texts go to the log here.
 */
#include "crypto/owner.h"

#include "base/log.h"
#include "crypto/algo.h"
#include "crypto/library.h"

#include <limits.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#define RSA_BITS_MIN 2048

struct owner_key {
    EVP_PKEY *pkey;
};

static X509 *
certificate_of_pem(view pem)
{
    BIO *in = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *certificate = in == NULL ? NULL : PEM_read_bio_X509(in, NULL, NULL, NULL);

    BIO_free(in);
    if (certificate == NULL) {
        library_report("read a certificate");
    }
    return certificate;
}

static bool
pkey_print(EVP_PKEY *pkey, uint8_t ret_print[OWNER_PRINT_LEN])
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(pkey, &der);
    bool made = len > 0 && algo_sha256(view_of(der, (size_t)len), ret_print);

    OPENSSL_free(der);
    return made;
}

bool
owner_print(view certificate, uint8_t ret_print[OWNER_PRINT_LEN])
{
    X509 *x509 = certificate_of_pem(certificate);
    bool made = x509 != NULL && pkey_print(X509_get0_pubkey(x509), ret_print);

    X509_free(x509);
    return made;
}

/* A context for OAEP with SHA-256, in the direction that begin gives; NULL
 * when it is no such key. */
static EVP_PKEY_CTX *
oaep(EVP_PKEY *pkey, int (*begin)(EVP_PKEY_CTX *ctx))
{
    EVP_PKEY_CTX *ctx = NULL;

    if (pkey == NULL || !EVP_PKEY_is_a(pkey, "RSA") || EVP_PKEY_get_bits(pkey) < RSA_BITS_MIN) {
        return NULL;
    }
    ctx = EVP_PKEY_CTX_new(pkey, NULL);
    if (ctx == NULL || begin(ctx) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, EVP_sha256()) != 1) {
        EVP_PKEY_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

bool
owner_seal(view certificate, view secret, struct writer *out)
{
    X509 *x509 = certificate_of_pem(certificate);
    EVP_PKEY_CTX *ctx = NULL;
    uint8_t sealed[OWNER_SEALED_MAX * 2];
    size_t len = sizeof sealed;
    bool done = false;

    if (x509 == NULL) {
        return false;
    }
    ctx = oaep(X509_get0_pubkey(x509), EVP_PKEY_encrypt_init);
    if (ctx == NULL) {
        log_err("an owner's key has to be RSA of at least %d bits", RSA_BITS_MIN);
    } else if (EVP_PKEY_encrypt(ctx, sealed, &len, secret.data, secret.len) != 1 ||
               len > OWNER_SEALED_MAX) {
        library_report("seal to an owner");
    } else {
        write_raw(out, view_of(sealed, len));
        done = writer_ok(out);
    }
    EVP_PKEY_CTX_free(ctx);
    X509_free(x509);
    return done;
}

struct asking {
    owner_ask *ask;
    void *arg;
};

static int
passphrase(char *room, int size, int writing, void *arg)
{
    const struct asking *asking = arg;
    struct secret *answer = asking->ask == NULL ? NULL : asking->ask(asking->arg);
    view text = secret_view(answer);
    int len = -1;

    UNUSED(writing);
    if (answer != NULL && text.len <= (size_t)size) {
        memcpy(room, text.data, text.len);
        len = (int)text.len;
    }
    secret_free(answer);
    return len;
}

struct owner_key *
owner_key_read(view pem, owner_ask *ask, void *arg)
{
    struct asking asking = { ask, arg };
    BIO *in = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.data, (int)pem.len);
    struct owner_key *key = in == NULL ? NULL : calloc(1, sizeof *key);

    if (key != NULL) {
        key->pkey = PEM_read_bio_PrivateKey(in, NULL, passphrase, &asking);
        if (key->pkey == NULL) {
            free(key);
            key = NULL;
        }
    }
    BIO_free(in);
    library_forget();
    return key;
}

struct owner_key *
owner_key_read_der(view der)
{
    const unsigned char *next = der.data;
    struct owner_key *key = der.len > LONG_MAX ? NULL : calloc(1, sizeof *key);

    if (key != NULL && (key->pkey = d2i_AutoPrivateKey(NULL, &next, (long)der.len)) == NULL) {
        free(key);
        key = NULL;
    }
    library_forget();
    return key;
}

void
owner_key_free(struct owner_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

bool
owner_key_print(const struct owner_key *key, uint8_t ret_print[OWNER_PRINT_LEN])
{
    return pkey_print(key->pkey, ret_print);
}

struct secret *
owner_key_open(const struct owner_key *key, view sealed)
{
    EVP_PKEY_CTX *ctx = oaep(key->pkey, EVP_PKEY_decrypt_init);
    struct secret *secret = secret_new(OWNER_SEALED_MAX * 2);
    size_t len = OWNER_SEALED_MAX * 2;

    if (ctx != NULL && secret != NULL &&
        EVP_PKEY_decrypt(ctx, secret_data(secret), &len, sealed.data, sealed.len) == 1) {
        secret_shorten(secret, len);
    } else {
        secret_free(secret);
        secret = NULL;
    }
    EVP_PKEY_CTX_free(ctx);
    library_forget();
    return secret;
}

/* Ed25519 has its hash within. */
static const EVP_MD *
pkey_hash(const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, "ED25519") || EVP_PKEY_is_a(pkey, "ED448") ? NULL : EVP_sha256();
}

bool
owner_key_sign(const struct owner_key *key, view in, struct writer *out)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t signature[OWNER_SEALED_MAX * 2];
    size_t len = sizeof signature;
    bool done = ctx != NULL &&
                EVP_DigestSignInit(ctx, NULL, pkey_hash(key->pkey), NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, signature, &len, in.data, in.len) == 1;

    if (done) {
        write_raw(out, view_of(signature, len));
    } else {
        library_report("sign");
    }
    EVP_MD_CTX_free(ctx);
    return done && writer_ok(out);
}

bool
owner_certificate_der(view pem, struct writer *out)
{
    X509 *x509 = certificate_of_pem(pem);
    unsigned char *der = NULL;
    int len = x509 == NULL ? 0 : i2d_X509(x509, &der);

    if (len > 0) {
        write_raw(out, view_of(der, (size_t)len));
    }
    OPENSSL_free(der);
    X509_free(x509);
    return len > 0 && writer_ok(out);
}

static bool
pkey_verifies(EVP_PKEY *pkey, view in, view signature)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool right = pkey != NULL && ctx != NULL &&
                 EVP_DigestVerifyInit(ctx, NULL, pkey_hash(pkey), NULL, pkey) == 1 &&
                 EVP_DigestVerify(ctx, signature.data, signature.len, in.data, in.len) == 1;

    EVP_MD_CTX_free(ctx);
    return right;
}

bool
owner_verify(view anchor, view certificate, view in, view signature)
{
    const unsigned char *next = certificate.data;
    X509 *root = certificate_of_pem(anchor);
    X509 *node = certificate.len > LONG_MAX ? NULL : d2i_X509(NULL, &next, (long)certificate.len);
    bool right = root != NULL && node != NULL && next == certificate.data + certificate.len &&
                 (X509_cmp(root, node) == 0 || X509_verify(node, X509_get0_pubkey(root)) == 1) &&
                 pkey_verifies(X509_get0_pubkey(node), in, signature);

    X509_free(node);
    X509_free(root);
    library_forget();
    return right;
}
