/* SPDX-License-Identifier: Apache-2.0
 *
 * What link.c and caller.c share of TLS; nothing outside net/ includes this.
 */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include "net/tls.h"

#include <openssl/ssl.h>

#define TLS_CERTIFICATE_ERROR "Certificate ERROR: [Certificate signature failure]"

/* A new connection under the context; NULL when memory is short. */
SSL *tls_connection(struct tls_context *context, int fd, bool server);
/* Gives it the connected socket, which stays its owner's. False when memory is short. */
MUST_USE bool tls_socket(SSL *ssl, int fd);
/* The peer's certificate, PEM, appended; nothing where it showed none. */
void tls_peer_certificate(const SSL *ssl, struct writer *out);
/* Does more follow what is written next? */
void tls_more(SSL *ssl, bool more);
/* Did the peer sign its own certificate? (tls_files.unowned) */
bool tls_is_unowned(const SSL *ssl);
/* Why the last call on ssl failed, one line; clears the library's queue. */
void tls_reason(SSL *ssl, int error, char *text, size_t size);

#endif
