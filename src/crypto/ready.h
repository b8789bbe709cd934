/* SPDX-License-Identifier: Apache-2.0
 *
 * Contexts of the library that are prepared with a key and wait in it for their next use:
 * making one costs more than most operations. A context is taken out by one thread, used,
 * and given back after success; after a failure it is freed. No locks.
 */
#ifndef CRYPTO_READY_H
#define CRYPTO_READY_H

#include "crypto/key.h"

#include <openssl/evp.h>

/* What a context is prepared for. Compared as bytes: no padding, all of it set. */
struct ready_setup {
    uint32_t function; /* CKF_ bit, 0 when it serves them all */
    uint32_t mode;     /* enum cipher_mode, or the padding of RSA */
    uint32_t hash;     /* enum hash */
    uint32_t mgf;      /* enum hash */
    uint32_t number;   /* length of the IV or of the salt */
};

struct ready {
    struct ready_setup setup;
    /* One of them is set. */
    EVP_CIPHER_CTX *cipher;
    EVP_MAC_CTX *mac;
    EVP_PKEY_CTX *pkey;
};

/* Without contexts; NULL when memory is short. */
MUST_USE struct ready *ready_new(const struct ready_setup *setup);
void ready_free(struct ready *ready);

MUST_USE struct ready_pool *ready_pool_new(void);
/* Frees all that wait in it. */
void ready_pool_free(struct ready_pool *pool);

/* One that was prepared for just this, now the caller's; NULL when none waits. */
struct ready *ready_take(const struct algo_key *key, const struct ready_setup *setup);
/* Swallows it. */
void ready_give(const struct algo_key *key, struct ready *ready);

#endif
