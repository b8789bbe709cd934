/* SPDX-License-Identifier: Apache-2.0 */
#include "server/identity.h"

#include "base/log.h"
#include "crypto/cert.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *
set_or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

/* ---- files ---- */

/* A small file as a whole, in a writer that wipes. */
static bool
file_read(const char *path, struct writer *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t *room = write_space(out, CERT_PEM_MAX);
    ssize_t got = fd < 0 || room == NULL ? -1 : read(fd, room, CERT_PEM_MAX);

    if (got < 0) {
        log_err("%s: %s", path, strerror(errno));
    } else {
        writer_truncate(out, (size_t)got);
    }
    if (fd >= 0) {
        close(fd);
    }
    return got >= 0;
}

static char *
file_text(const char *path)
{
    struct writer text;
    char *copy = NULL;

    writer_init(&text, CERT_PEM_MAX + 1);
    if (file_read(path, &text)) {
        write_u8(&text, 0);
        copy = writer_ok(&text) ? strdup((const char *)text.data) : NULL;
    }
    writer_clear(&text);
    return copy;
}

static struct secret *
file_key(const char *path)
{
    struct writer pem, der;
    struct secret *key = NULL;

    writer_init(&pem, CERT_PEM_MAX);
    writer_init(&der, CERT_PEM_MAX);
    if (file_read(path, &pem)) {
        if (cert_key_read(writer_view(&pem), &der) == CKR_OK) {
            key = secret_dup(writer_view(&der));
        } else {
            log_err("%s: no private key, or one with a password", path);
        }
    }
    writer_clear(&der);
    writer_clear(&pem);
    return key;
}

bool
identity_read(const struct server_settings *settings, struct hsm_identity *ret_identity)
{
    struct hsm_identity identity = { .owned = true };

    identity.private_key = file_key(settings->private_key);
    identity.certificate = file_text(settings->certificate);
    identity.owner = file_text(settings->owner_certificate);
    if (identity.private_key == NULL || identity.certificate == NULL || identity.owner == NULL) {
        hsm_identity_clear(&identity);
        return false;
    }
    *ret_identity = identity;
    return true;
}

char *
identity_certificate(const struct server_settings *settings)
{
    return file_text(settings->certificate);
}

/* ---- TLS ---- */

/*
 * Whom TLS lets in. Without a CA for clients, those that the owner signed are the only ones that
 * can count, and without an owner nobody's certificate does. On the port for management nodes are
 * let in by their owner's signature too; where nobody has to show a certificate, it is asked for
 * and taken as it is, as the core looks who signed it.
 */
static struct tls_context *
tls_of(struct tls_files files, const struct server_settings *settings, bool owned, bool nodes)
{
    files.anchor = owned ? set_or_null(settings->client_ca) : NULL;
    files.require_peer = owned && settings->require_client_certificate;
    if (nodes && !files.require_peer) {
        files.anchor = NULL;
        files.own_anchor = VIEW_EMPTY;
        files.ask_peer = true;
    } else if (!nodes && (files.anchor != NULL || !files.require_peer)) {
        files.own_anchor = VIEW_EMPTY;
    }
    return tls_server_new(&files);
}

static bool
tls_both(const struct tls_files *files, const struct server_settings *settings, bool owned,
         struct identity *ret_identity)
{
    ret_identity->client = tls_of(*files, settings, owned, false);
    ret_identity->manage = !settings->store.etcd ? NULL : tls_of(*files, settings, owned, true);
    return ret_identity->client != NULL &&
           (ret_identity->manage != NULL || !settings->store.etcd);
}

/* Who has no owner is told apart by a fingerprint, which the owner compares. */
static void
identity_say(const struct hsm_identity *own)
{
    uint8_t print[CERT_FINGERPRINT_LEN];
    char text[2 * CERT_FINGERPRINT_LEN + 1];

    if (!own->owned && cert_fingerprint(view_str(own->certificate), print) == CKR_OK) {
        hex_encode(view_of(print, sizeof print), text);
        log_inf("this node has no owner yet; SHA-256 of its public key: %s", text);
    }
}

/* The same as files of the state folder, for who works with those (backups, other programs). */
static void
identity_write(struct folder *folder, const struct hsm_identity *own)
{
    struct writer key;

    if (!own->owned) {
        return;
    }
    writer_init(&key, CERT_PEM_MAX);

    bool made = cert_key_pem(secret_view(own->private_key), &key) == CKR_OK;

    write_u8(&key, 0);
    if (!made || !writer_ok(&key) || !folder_write(folder, "node.key", (const char *)key.data) ||
        !folder_write(folder, "node.crt", own->certificate) ||
        !folder_write(folder, "PO.crt", own->owner)) {
        log_wrn("node.key, node.crt and PO.crt of the state folder stay as they were");
    }
    writer_clear(&key);
}

/* What the node keeps itself. */
static bool
identity_of_node(struct identity *ret_identity, struct folder *folder,
                 const struct server_settings *settings, const struct hsm_identity *own)
{
    const struct tls_files files = {
        .own_certificate = view_str(own->certificate),
        .own_private_key = secret_view(own->private_key),
        .own_anchor = own->owned ? view_str(own->owner) : VIEW_EMPTY,
    };

    identity_say(own);
    identity_write(folder, own);
    return tls_both(&files, settings, own->owned, ret_identity);
}

static bool
identity_of_files(struct identity *ret_identity, const struct server_settings *settings,
                  const struct hsm_identity *own)
{
    const struct tls_files files = {
        .certificate = settings->certificate,
        .private_key = settings->private_key,
        .own_anchor = own->owner != NULL ? view_str(own->owner) : VIEW_EMPTY,
    };

    return tls_both(&files, settings, true, ret_identity);
}

/* Of files, PO.crt is needed only where it decides who is let in, or who is a node. */
static bool
own_read(const struct server_settings *settings, struct hsm_identity *own)
{
    const bool needed = settings->store.etcd || (settings->require_client_certificate &&
                                                 settings->client_ca[0] == '\0');

    return !needed || identity_read(settings, own);
}

bool
identity_make(struct identity *identity, struct folder *folder, struct hsm *hsm,
              const struct server_settings *settings)
{
    struct identity made = { .version = 0 };
    struct hsm_identity own = { .version = 0 };
    bool good;

    if (hsm_identity_get(hsm, &own)) {
        made.version = own.version;
        good = identity_of_node(&made, folder, settings, &own);
    } else {
        good = own_read(settings, &own) && identity_of_files(&made, settings, &own);
    }
    good = good && hsm_set_identity(hsm, &own);
    hsm_identity_clear(&own);
    if (!good) {
        identity_clear(&made);
        return false;
    }
    identity_clear(identity);
    *identity = made;
    return true;
}

void
identity_clear(struct identity *identity)
{
    tls_context_free(identity->client);
    tls_context_free(identity->manage);
    *identity = (struct identity){ .version = 0 };
}

bool
identity_serial(const struct server_settings *settings, char ret_serial[17])
{
    char *pem = access(settings->certificate, R_OK) == 0 ? file_text(settings->certificate) : NULL;
    bool found = pem != NULL && cert_member_serial(view_str(pem), ret_serial) == CKR_OK;

    free(pem);
    return found;
}

/* ---- the request of a node that is to join ---- */

#define KEY_NAME "node.key"
#define REQUEST_NAME "node.csr"

static bool
text_write(struct folder *folder, const char *name, struct writer *text)
{
    write_u8(text, 0);
    return writer_ok(text) && folder_write(folder, name, (const char *)text->data);
}

static struct secret *
key_make(struct folder *folder)
{
    char path[FOLDER_PATH_MAX];
    struct writer der, pem;
    struct secret *key = NULL;

    folder_path(folder, KEY_NAME, path);
    if (access(path, F_OK) == 0) {
        return file_key(path);
    }
    writer_init(&der, CERT_PEM_MAX);
    writer_init(&pem, CERT_PEM_MAX);
    if (cert_key_new(&der) == CKR_OK && cert_key_pem(writer_view(&der), &pem) == CKR_OK &&
        text_write(folder, KEY_NAME, &pem)) {
        key = secret_dup(writer_view(&der));
    }
    writer_clear(&pem);
    writer_clear(&der);
    return key;
}

bool
identity_request(struct folder *folder, const char *serial)
{
    struct secret *key = key_make(folder);
    char name[CERT_NAME_MAX + 1], text[2 * CERT_FINGERPRINT_LEN + 1], path[FOLDER_PATH_MAX];
    uint8_t print[CERT_FINGERPRINT_LEN];
    struct writer pem;
    bool made;

    snprintf(name, sizeof name, "HSM:%s:PARTN:1", serial);
    writer_init(&pem, CERT_PEM_MAX);
    made = key != NULL && cert_request(secret_view(key), name, &pem) == CKR_OK &&
           cert_fingerprint(writer_view(&pem), print) == CKR_OK &&
           text_write(folder, REQUEST_NAME, &pem);
    if (made) {
        hex_encode(view_of(print, sizeof print), text);
        folder_path(folder, REQUEST_NAME, path);
        printf("%s: for the owner to sign\naddNode %s %s\n", path, serial, text);
    }
    writer_clear(&pem);
    secret_free(key);
    return made;
}
