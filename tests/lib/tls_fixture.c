/* SPDX-License-Identifier: Apache-2.0
 *
 * Certificates on P-256, made anew for each test program.
 */
#include "lib/tls_fixture.h"

#include <assert.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define DAY (24 * 60 * 60)

struct identity {
    EVP_PKEY *key;
    X509 *certificate;
};

static void
must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "tls_fixture: %s\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

const char *
tls_fixture_path(struct tls_fixture *f, const char *name)
{
    static char paths[8][96];
    static unsigned count;
    char *path = paths[count++ % ARRAY_COUNT(paths)];

    snprintf(path, sizeof paths[0], "%s/%s", f->folder, name);
    return path;
}

static void
extension_add(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;

    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    must(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, "extension");
    X509_EXTENSION_free(extension);
}

static struct identity
identity_make(struct tls_fixture *f, const char *file, const char *cn, const struct identity *issuer,
              long until)
{
    static long serial;
    struct identity self = { EVP_EC_gen("P-256"), X509_new() };
    X509 *signer = issuer != NULL ? issuer->certificate : self.certificate;
    X509_NAME *name = X509_get_subject_name(self.certificate);
    char path[32];
    FILE *out;

    must(self.key != NULL && X509_set_version(self.certificate, 2) == 1 &&
             ASN1_INTEGER_set(X509_get_serialNumber(self.certificate), ++serial) == 1 &&
             X509_gmtime_adj(X509_getm_notBefore(self.certificate), -2 * DAY) != NULL &&
             X509_gmtime_adj(X509_getm_notAfter(self.certificate), until) != NULL &&
             X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)cn, -1,
                                        -1, 0) == 1 &&
             X509_set_issuer_name(self.certificate, X509_get_subject_name(signer)) == 1 &&
             X509_set_pubkey(self.certificate, self.key) == 1,
         cn);
    extension_add(self.certificate, signer, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    must(X509_sign(self.certificate, issuer != NULL ? issuer->key : self.key, EVP_sha256()) > 0,
         cn);
    snprintf(path, sizeof path, "%s.key", file);
    out = fopen(tls_fixture_path(f, path), "we");
    must(out != NULL && PEM_write_PrivateKey(out, self.key, NULL, NULL, 0, NULL, NULL) == 1, cn);
    fclose(out);
    snprintf(path, sizeof path, "%s.crt", file);
    out = fopen(tls_fixture_path(f, path), "we");
    must(out != NULL && PEM_write_X509(out, self.certificate) == 1, cn);
    fclose(out);
    return self;
}

static void
identity_clear(struct identity identity)
{
    EVP_PKEY_free(identity.key);
    X509_free(identity.certificate);
}

void
tls_fixture_init(struct tls_fixture *f)
{
    const char *base = getenv("TMPDIR");

    memset(f, 0, sizeof *f);
    snprintf(f->folder, sizeof f->folder, "%.40s/tls-XXXXXX", base == NULL ? "/tmp" : base);
    must(mkdtemp(f->folder) != NULL, "folder");

    struct identity owner = identity_make(f, "owner", "PO", NULL, 10 * DAY);
    struct identity stranger = identity_make(f, "stranger", "PO", NULL, 10 * DAY);
    struct identity ca = identity_make(f, "ca", "client CA", NULL, 10 * DAY);

    identity_clear(identity_make(f, "node", "HSM:1:PARTN:1", &owner, 10 * DAY));
    identity_clear(identity_make(f, "expired", "HSM:1:PARTN:1", &owner, -DAY));
    identity_clear(identity_make(f, "impostor", "HSM:1:PARTN:1", &stranger, 10 * DAY));
    identity_clear(identity_make(f, "client", "client", &ca, 10 * DAY));
    identity_clear(owner);
    identity_clear(stranger);
    identity_clear(ca);
}

void
tls_fixture_clear(struct tls_fixture *f)
{
    static const char *const names[] = { "owner", "stranger", "ca",    "node",
                                         "expired", "impostor", "client" };
    char file[32];

    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(file, sizeof file, "%s.crt", names[i]);
        unlink(tls_fixture_path(f, file));
        snprintf(file, sizeof file, "%s.key", names[i]);
        unlink(tls_fixture_path(f, file));
    }
    rmdir(f->folder);
}

static struct tls_context *
context_of(struct tls_fixture *f, const char *anchor, const char *name, bool server)
{
    char certificate[32] = "", key[32] = "", ca[32];
    struct tls_files files = { .require_peer = server };
    struct tls_context *context;

    if (anchor != NULL) {
        snprintf(ca, sizeof ca, "%s.crt", anchor);
        files.anchor = tls_fixture_path(f, ca);
    }
    if (name != NULL) {
        snprintf(certificate, sizeof certificate, "%s.crt", name);
        snprintf(key, sizeof key, "%s.key", name);
        files.certificate = tls_fixture_path(f, certificate);
        files.private_key = tls_fixture_path(f, key);
    }
    context = server ? tls_server_new(&files) : tls_client_new(&files);
    must(context != NULL, "context");
    return context;
}

struct tls_context *
tls_fixture_server(struct tls_fixture *f, const char *name, const char *ca)
{
    return context_of(f, ca, name, true);
}

struct tls_context *
tls_fixture_client(struct tls_fixture *f, const char *name)
{
    return context_of(f, "owner", name, false);
}

static uint64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void
wake(evutil_socket_t fd, short what, void *arg)
{
    UNUSED(fd);
    UNUSED(what);
    UNUSED(arg);
}

bool
loop_until(struct loop *loop, bool (*holds)(void *arg), void *arg, unsigned limit_ms)
{
    const uint64_t end = now_ms() + limit_ms;
    const struct timeval step = { 0, 2000 };

    while (holds == NULL || !holds(arg)) {
        if (now_ms() >= end) {
            return false;
        }
        event_base_once(loop_base(loop), -1, EV_TIMEOUT, wake, NULL, &step);
        event_base_loop(loop_base(loop), EVLOOP_ONCE);
    }
    return true;
}

void
loop_for(struct loop *loop, unsigned ms)
{
    (void)loop_until(loop, NULL, NULL, ms);
}
