/* SPDX-License-Identifier: Apache-2.0
 *
 * azcloudhsm_dev: keys and certificates. PO.key is RSA-2048, as the seeds make it; the others
 * are on P-256, which is made in no time. The node makes its own; here the owner signs it.
 */
#include "tools/dev.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#define DAYS 3650
#define SERIAL_BITS 127

/* One certificate with its key. issuer NULL: it signs itself, and may sign others. */
struct identity {
    const char *key_file;
    const char *certificate_file;
    bool rsa;
    char name[128]; /* CN */
    const char *host; /* NULL, or of a server: subjectAltName */
    EVP_PKEY *key;
    X509 *certificate;
};

static FILE *
file_create(const struct dev *dev, const char *name)
{
    char path[DEV_PATH_MAX];

    if (!dev_path(dev, name, path)) {
        return NULL;
    }

    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (file == NULL) {
        perror(path);
        if (fd >= 0) {
            close(fd);
        }
    }
    return file;
}

static bool
identity_write(const struct dev *dev, const struct identity *identity)
{
    FILE *file = file_create(dev, identity->key_file);
    bool ok = file != NULL &&
              PEM_write_PrivateKey(file, identity->key, NULL, NULL, 0, NULL, NULL) == 1;

    if (file != NULL && fclose(file) != 0) {
        ok = false;
    }
    file = ok ? file_create(dev, identity->certificate_file) : NULL;
    ok = file != NULL && PEM_write_X509(file, identity->certificate) == 1;
    if (file != NULL && fclose(file) != 0) {
        ok = false;
    }
    return ok;
}

static bool
extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool ok;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    ok = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool
serial_set(X509 *certificate)
{
    BIGNUM *number = BN_new();
    bool ok = number != NULL &&
              BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;

    BN_free(number);
    return ok;
}

static bool
certificate_sign(struct identity *identity, const struct identity *issuer)
{
    const struct identity *signer = issuer != NULL ? issuer : identity;
    X509 *certificate = X509_new();
    X509_NAME *name = certificate != NULL ? X509_get_subject_name(certificate) : NULL;

    identity->certificate = certificate;
    return certificate != NULL && X509_set_version(certificate, X509_VERSION_3) == 1 &&
           serial_set(certificate) &&
           X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), DAYS, 0, NULL) != NULL &&
           X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                      (const unsigned char *)"azcloudhsm_dev", -1, -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)identity->name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, X509_get_subject_name(signer->certificate)) == 1 &&
           X509_set_pubkey(certificate, identity->key) == 1 &&
           extension_add(certificate, signer->certificate, NID_subject_key_identifier, "hash") &&
           (issuer == NULL || extension_add(certificate, signer->certificate,
                                            NID_authority_key_identifier, "keyid")) &&
           extension_add(certificate, signer->certificate, NID_basic_constraints,
                         issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           extension_add(certificate, signer->certificate, NID_key_usage,
                         issuer != NULL           ? "critical,digitalSignature"
                         : identity->host != NULL ? "critical,digitalSignature,keyCertSign"
                                                  : "critical,keyCertSign,cRLSign") &&
           (identity->host == NULL || extension_add(certificate, signer->certificate,
                                                    NID_subject_alt_name, identity->host)) &&
           X509_sign(certificate, signer->key, EVP_sha256()) > 0;
}

static bool
identity_make(const struct dev *dev, struct identity *identity, const struct identity *issuer)
{
    identity->key = identity->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");

    bool ok = identity->key != NULL && certificate_sign(identity, issuer) &&
              identity_write(dev, identity);

    if (!ok) {
        fprintf(stderr, "%s cannot be made: %s\n", identity->certificate_file,
                ERR_peek_error() != 0 ? ERR_reason_error_string(ERR_peek_error())
                                      : "writing failed");
    }
    return ok;
}

static void
identity_clear(struct identity *identity)
{
    EVP_PKEY_free(identity->key);
    X509_free(identity->certificate);
}

/* The owner's key and certificate, as they are in D. */
static bool
owner_read(const struct dev *dev, struct identity *owner)
{
    char path[DEV_PATH_MAX];
    FILE *file = dev_path(dev, owner->key_file, path) ? fopen(path, "re") : NULL;

    if (file != NULL) {
        owner->key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
        fclose(file);
    }
    file = dev_path(dev, owner->certificate_file, path) ? fopen(path, "re") : NULL;
    if (file != NULL) {
        owner->certificate = PEM_read_X509(file, NULL, NULL, NULL);
        fclose(file);
    }
    return owner->key != NULL && owner->certificate != NULL;
}

/* A node's certificate in that file, for who has key; its name is taken over. */
static bool
node_sign(const struct dev *dev, const struct identity *owner, X509 *node, EVP_PKEY *key,
          const char *file_name)
{
    FILE *file = NULL;
    bool ok = X509_set_version(node, X509_VERSION_3) == 1 && serial_set(node) &&
              X509_gmtime_adj(X509_getm_notBefore(node), -3600) != NULL &&
              X509_time_adj_ex(X509_getm_notAfter(node), DAYS, 0, NULL) != NULL &&
              X509_set_issuer_name(node, X509_get_subject_name(owner->certificate)) == 1 &&
              X509_set_pubkey(node, key) == 1 &&
              extension_add(node, owner->certificate, NID_authority_key_identifier, "keyid") &&
              extension_add(node, owner->certificate, NID_basic_constraints,
                            "critical,CA:FALSE") &&
              extension_add(node, owner->certificate, NID_key_usage,
                            "critical,digitalSignature") &&
              X509_sign(node, owner->key, EVP_sha256()) > 0 &&
              (file = file_create(dev, file_name)) != NULL;

    if (ok) {
        ok = PEM_write_X509(file, node) == 1;
        ok = fclose(file) == 0 && ok;
    }
    if (!ok) {
        fprintf(stderr, "%s cannot be made\n", file_name);
    }
    return ok;
}

bool
dev_certify_node(const struct dev *dev, unsigned number, const char *serial)
{
    struct identity owner = { .key_file = "PO.key", .certificate_file = "PO.crt" };
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *node = X509_new();
    FILE *file = NULL;
    char name[64], subject[64];
    bool ok;

    snprintf(subject, sizeof subject, "HSM:%s:PARTN:1", serial);
    dev_node_file(number, "node.key", name);
    ok = key != NULL && node != NULL && owner_read(dev, &owner) &&
         X509_NAME_add_entry_by_txt(X509_get_subject_name(node), "CN", MBSTRING_ASC,
                                    (const unsigned char *)subject, -1, -1, 0) == 1 &&
         (file = file_create(dev, name)) != NULL;
    if (ok) {
        ok = PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1;
        ok = fclose(file) == 0 && ok;
    }
    dev_node_file(number, "node.crt", name);
    ok = ok && node_sign(dev, &owner, node, key, name);
    EVP_PKEY_free(key);
    X509_free(node);
    identity_clear(&owner);
    return ok;
}

static X509_REQ *
request_read(view request)
{
    BIO *bio = BIO_new_mem_buf(request.data, (int)request.len);
    X509_REQ *read = bio == NULL ? NULL : PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);

    BIO_free(bio);
    return read;
}

bool
dev_sign_node(const struct dev *dev, view request)
{
    struct identity owner = { .key_file = "PO.key", .certificate_file = "PO.crt" };
    X509_REQ *asked = request_read(request);
    X509 *node = X509_new();
    bool ok = asked != NULL && node != NULL && owner_read(dev, &owner) &&
              X509_set_subject_name(node, X509_REQ_get_subject_name(asked)) == 1 &&
              node_sign(dev, &owner, node, X509_REQ_get0_pubkey(asked), "POAC.crt");

    X509_REQ_free(asked);
    X509_free(node);
    identity_clear(&owner);
    return ok;
}

bool
dev_certificates(const struct dev *dev)
{
    struct identity owner = { "PO.key", "PO.crt", true, "PO", NULL, NULL, NULL };
    struct identity ca = { "client_ca.key", "client_ca.crt", false, "client CA", NULL, NULL, NULL };
    struct identity client = { "client.key", "client.crt", false, "client", NULL, NULL, NULL };
    bool ok = identity_make(dev, &ca, NULL) && identity_make(dev, &client, &ca) &&
              identity_make(dev, &owner, NULL);

    identity_clear(&owner);
    identity_clear(&ca);
    identity_clear(&client);
    return ok;
}

bool
dev_storage_certificate(const struct dev *dev)
{
    struct identity server = { "certstorage.key", "certstorage.crt", false, "127.0.0.1",
                               "IP:127.0.0.1", NULL, NULL };
    bool ok = identity_make(dev, &server, NULL);

    identity_clear(&server);
    return ok;
}
