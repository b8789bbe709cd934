/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens of a managed identity: this machine's metadata service gives them, for the identity of the
 * machine itself or for one that was assigned to it and is named by its client id.
 */
#ifndef CERTS_IDENTITY_H
#define CERTS_IDENTITY_H

#include "certs/http.h"

#define IDENTITY_TOKEN_MAX 8192u

struct identity;

/* metadata "": the usual address. client_id "": the machine's own identity. */
MUST_USE struct identity *identity_new(struct http *http, const char *metadata,
                                       const char *client_id);
void identity_free(struct identity *identity);

/* "Authorization: Bearer ..." that is good for a while; renew: the last one was refused. False:
 * there is none, which was logged. */
MUST_USE bool identity_header(struct identity *identity, bool renew, char *out, size_t size);

/* The service's answer; *ret_life in seconds. For tests and fuzzers, too. */
MUST_USE bool identity_read(view json, char *ret_token, size_t size, uint64_t *ret_life);

#endif
