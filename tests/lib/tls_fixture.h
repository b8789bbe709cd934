/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder with keys and certificates for tests of TLS, and a loop that is run until something
 * holds.
 *
 *   owner.crt    signs node.crt and expired.crt      node.key, expired.key
 *   ca.crt       signs client.crt                    client.key
 *   stranger.crt has the owner's name and another key; signs impostor.crt (impostor.key)
 */
#ifndef TESTS_LIB_TLS_FIXTURE_H
#define TESTS_LIB_TLS_FIXTURE_H

#include "net/loop.h"
#include "net/tls.h"

struct tls_fixture {
    char folder[64];
};

void tls_fixture_init(struct tls_fixture *f);
void tls_fixture_clear(struct tls_fixture *f);
/* Of a file in the folder; valid until eight more were asked for. */
const char *tls_fixture_path(struct tls_fixture *f, const char *name);

/* name: "node", "expired" or "impostor"; ca: "ca", or NULL where clients are not asked. */
struct tls_context *tls_fixture_server(struct tls_fixture *f, const char *name, const char *ca);
/* name: "client" or "impostor", NULL for none. */
struct tls_context *tls_fixture_client(struct tls_fixture *f, const char *name);

/* Runs the loop until holds(arg), at most limit_ms. Did it? */
bool loop_until(struct loop *loop, bool (*holds)(void *arg), void *arg, unsigned limit_ms);
/* Runs the loop for that long. */
void loop_for(struct loop *loop, unsigned ms);

#endif
