/* SPDX-License-Identifier: Apache-2.0
 *
 * TLS 1.3 for both ends. The trust anchor is PO.crt: a node's certificate has to chain to it;
 * no host names are compared. Failures are translated here, once, with the seeds' texts.
 */
#ifndef NET_TLS_H
#define NET_TLS_H

#include "base/bytes.h"

struct tls_context; /* counted: a link keeps the one it began with while it is replaced */

struct tls_files {
    const char *anchor;       /* who signs the peer: PO.crt at a client, client_ca at a node */
    const char *certificate;  /* own chain, PEM; NULL at a client without one */
    const char *private_key;
    bool require_peer;        /* a node: refuse clients without a certificate of the anchor */
    bool ask_peer;            /* a node: asks clients for a certificate and takes any, or none;
                                 whoever uses it looks who signed it (link_certificate()) */
    view own_certificate;     /* in place of the files, where they are not empty: PEM, */
    view own_private_key;     /* PKCS #8, */
    view own_anchor;          /* PEM */
    bool unowned;             /* a client: also takes a node that signed its own certificate, which
                                 has no owner; the anchor may be missing then */
};

/*
 * NULL, with one line in the log that names the file and what is wrong with it.
 * For a client, anchor is needed. The process ignores SIGPIPE from then on.
 */
struct tls_context *tls_server_new(const struct tls_files *files);
struct tls_context *tls_client_new(const struct tls_files *files);
struct tls_context *tls_context_ref(struct tls_context *context);
void tls_context_free(struct tls_context *context);

#endif
