/* SPDX-License-Identifier: Apache-2.0
 *
 * By what a node is known to who connects: its key and certificates, which it keeps itself or
 * which are files, and the TLS that is made of them.
 */
#ifndef SERVER_IDENTITY_H
#define SERVER_IDENTITY_H

#include "core/hsm.h"
#include "net/settings.h"
#include "net/tls.h"
#include "server/folder.h"

struct identity {
    struct tls_context *client; /* for connections from now on */
    struct tls_context *manage; /* asks other nodes for their certificates, where there are any */
    uint64_t version;           /* of what it was made of; 0: files */
};

/* Made anew; what was there is released, or stays when this fails (false, logged). The node's part
 * in its cluster goes by the same. */
MUST_USE bool identity_make(struct identity *identity, struct folder *folder, struct hsm *hsm,
                            const struct server_settings *settings);
void identity_clear(struct identity *identity);

/* Key and certificates of the files that the settings name. False, logged. */
MUST_USE bool identity_read(const struct server_settings *settings,
                            struct hsm_identity *ret_identity);

/* The node's certificate alone, of the file; the caller's. NULL, logged. */
char *identity_certificate(const struct server_settings *settings);

/* The serial in the name of the certificate that the settings name; false, not logged: there is no
 * such file, or it has another kind of name. */
MUST_USE bool identity_serial(const struct server_settings *settings, char ret_serial[17]);

/* For the owner to sign: a new key (node.key of the state folder, or that which is there) and the
 * request, node.csr. Serial and fingerprint are printed. False, logged. */
MUST_USE bool identity_request(struct folder *folder, const char *serial);

#endif
