/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts of OpenSSL, counted. The library's own texts go to the log here; whoever is above
 * gets one line.
 */
#include "net/tls_private.h"

#include "base/log.h"
#include "wire/frame.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A chunk of data in its records; taken when there is something to read and given back then. */
#define READ_BUFFER_LEN (FRAME_DATA_MAX + 8192u)

struct tls_context {
    _Atomic unsigned refs;
    SSL_CTX *ctx;
    bool verify_peer;
};

static void
tls_error(const char *what, const char *file)
{
    char text[256] = "no reason given";
    unsigned long code = ERR_peek_error();

    if (code != 0) {
        ERR_error_string_n(code, text, sizeof text);
    }
    ERR_clear_error();
    log_err("%s %s: %s", what, file == NULL ? "" : file, text);
}

/* From memory: what the node itself keeps. */
static bool
context_load_own(struct tls_context *context, const struct tls_files *files)
{
    BIO *bio = BIO_new_mem_buf(files->own_certificate.data, (int)files->own_certificate.len);
    const unsigned char *at = files->own_private_key.data;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &at, (long)files->own_private_key.len);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool loaded = certificate != NULL && key != NULL &&
                  SSL_CTX_use_certificate(context->ctx, certificate) == 1 &&
                  SSL_CTX_use_PrivateKey(context->ctx, key) == 1 &&
                  SSL_CTX_check_private_key(context->ctx) == 1;

    if (!loaded) {
        tls_error("the node's own certificate", NULL);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return loaded;
}

static X509 *
own_anchor(const struct tls_files *files)
{
    BIO *bio = BIO_new_mem_buf(files->own_anchor.data, (int)files->own_anchor.len);
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);

    BIO_free(bio);
    if (certificate == NULL) {
        tls_error("the owner's certificate", NULL);
    }
    return certificate;
}

static bool
context_load(struct tls_context *context, const struct tls_files *files)
{
    if (files->own_certificate.len > 0 && !context_load_own(context, files)) {
        return false;
    }
    if (files->own_anchor.len > 0) {
        X509 *anchor = own_anchor(files);
        bool added = anchor != NULL &&
                     X509_STORE_add_cert(SSL_CTX_get_cert_store(context->ctx), anchor) == 1;

        X509_free(anchor);
        if (!added) {
            return false;
        }
    }
    if (files->certificate != NULL && files->certificate[0] != '\0') {
        if (SSL_CTX_use_certificate_chain_file(context->ctx, files->certificate) != 1) {
            tls_error("certificate", files->certificate);
            return false;
        }
        if (files->private_key == NULL ||
            SSL_CTX_use_PrivateKey_file(context->ctx, files->private_key, SSL_FILETYPE_PEM) != 1 ||
            SSL_CTX_check_private_key(context->ctx) != 1) {
            tls_error("private key", files->private_key);
            return false;
        }
    }
    if (files->anchor != NULL && files->anchor[0] != '\0') {
        if (SSL_CTX_load_verify_file(context->ctx, files->anchor) != 1) {
            tls_error("trust anchor", files->anchor);
            return false;
        }
    }
    return true;
}

static struct tls_context *
context_new(const struct tls_files *files, const SSL_METHOD *method)
{
    struct tls_context *context = calloc(1, sizeof *context);

    if (context == NULL) {
        return NULL;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* BIOs of OpenSSL's own write with write() */
    atomic_init(&context->refs, 1);
    context->ctx = SSL_CTX_new(method);
    if (context->ctx == NULL ||
        SSL_CTX_set_min_proto_version(context->ctx, TLS1_3_VERSION) != 1) {
        tls_error("TLS", NULL);
        tls_context_free(context);
        return NULL;
    }
    SSL_CTX_set_mode(context->ctx,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                         SSL_MODE_RELEASE_BUFFERS); /* thousands of quiet connections */
    SSL_CTX_set_options(context->ctx, SSL_OP_CLEANSE_PLAINTEXT); /* PINs pass here */
    SSL_CTX_set_read_ahead(context->ctx, 1);
    SSL_CTX_set_default_read_buffer_len(context->ctx, READ_BUFFER_LEN);
    if (!context_load(context, files)) {
        tls_context_free(context);
        return NULL;
    }
    return context;
}

/* Who signed it is looked at elsewhere, and answered there. */
static int
verify_any(int good, X509_STORE_CTX *ctx)
{
    UNUSED(good);
    UNUSED(ctx);
    return 1;
}

struct tls_context *
tls_server_new(const struct tls_files *files)
{
    struct tls_context *context = context_new(files, TLS_server_method());

    if (context == NULL) {
        return NULL;
    }
    if (files->own_anchor.len > 0 || (files->anchor != NULL && files->anchor[0] != '\0')) {
        STACK_OF(X509_NAME) *names =
            files->own_anchor.len > 0 ? NULL : SSL_load_client_CA_file(files->anchor);

        if (names != NULL) {
            SSL_CTX_set_client_CA_list(context->ctx, names);
        }
        SSL_CTX_set_verify(context->ctx,
                           SSL_VERIFY_PEER |
                               (files->require_peer ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                           NULL);
    }
    if (files->ask_peer) {
        SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, verify_any);
    }
    SSL_CTX_set_session_id_context(context->ctx, (const unsigned char *)"hsm", 3);
    SSL_CTX_set_num_tickets(context->ctx, 0);
    return context;
}

/*
 * A certificate that signed itself is no owner's work: whoever connects sees it by the result of
 * the verification, which stays (tls_is_unowned()).
 */
static int
verify_unowned(int good, X509_STORE_CTX *ctx)
{
    return good == 1 || (X509_STORE_CTX_get_error(ctx) == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT &&
                         X509_STORE_CTX_get_error_depth(ctx) == 0);
}

bool
tls_is_unowned(const SSL *ssl)
{
    return SSL_get_verify_result(ssl) == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT;
}

struct tls_context *
tls_client_new(const struct tls_files *files)
{
    struct tls_context *context;

    struct tls_files found = *files;

    if (files->unowned && files->anchor != NULL && access(files->anchor, F_OK) != 0) {
        found.anchor = NULL;
    } else if (files->anchor == NULL || files->anchor[0] == '\0') {
        log_err("no trust anchor: copy PO.crt to this host");
        return NULL;
    }
    context = context_new(&found, TLS_client_method());
    if (context != NULL) {
        SSL_CTX_set_verify(context->ctx, SSL_VERIFY_PEER, files->unowned ? verify_unowned : NULL);
    }
    return context;
}

struct tls_context *
tls_context_ref(struct tls_context *context)
{
    atomic_fetch_add(&context->refs, 1);
    return context;
}

void
tls_context_free(struct tls_context *context)
{
    if (context == NULL || atomic_fetch_sub(&context->refs, 1) != 1) {
        return;
    }
    SSL_CTX_free(context->ctx);
    free(context);
}

SSL *
tls_connection(struct tls_context *context, int fd, bool server)
{
    SSL *ssl = SSL_new(context->ctx);

    if (ssl == NULL || !tls_socket(ssl, fd)) {
        SSL_free(ssl);
        ERR_clear_error();
        return NULL;
    }
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    return ssl;
}

void
tls_reason(SSL *ssl, int error, char *text, size_t size)
{
    int saved = errno;
    unsigned long code = ERR_peek_error();

    if (!SSL_is_server(ssl) && SSL_get_verify_result(ssl) != X509_V_OK &&
        !SSL_is_init_finished(ssl)) {
        log_err("the node's certificate: %s",
                X509_verify_cert_error_string(SSL_get_verify_result(ssl)));
        snprintf(text, size, "%s", TLS_CERTIFICATE_ERROR);
    } else if (error == SSL_ERROR_ZERO_RETURN) {
        snprintf(text, size, "closed by the peer");
    } else if (code != 0) {
        const char *reason = ERR_reason_error_string(code);

        snprintf(text, size, "TLS: %s", reason == NULL ? "failed" : reason);
    } else if (saved != 0) {
        snprintf(text, size, "%s", strerror(saved));
    } else {
        snprintf(text, size, "closed by the peer");
    }
    ERR_clear_error();
}

void
tls_peer_certificate(const SSL *ssl, struct writer *out)
{
    X509 *certificate = SSL_get0_peer_certificate(ssl);
    BIO *bio = certificate == NULL ? NULL : BIO_new(BIO_s_mem());
    char *text = NULL;

    if (bio != NULL && PEM_write_bio_X509(bio, certificate) == 1) {
        long len = BIO_get_mem_data(bio, &text);

        write_raw(out, view_of(text, (size_t)len));
    }
    BIO_free(bio);
    ERR_clear_error();
}
