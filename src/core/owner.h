/* SPDX-License-Identifier: Apache-2.0
 *
 * Ownership: the node's key, the owner's certificate (PO.crt) and the node's (POAC.crt), which
 * the owner signed. Each is a sealed record: n/00000001, c/00000004, c/00000008. Until the last
 * one is there the node has no owner and answers nothing but what leads to it.
 */
#ifndef CORE_OWNER_H
#define CORE_OWNER_H

#include "core/record.h"

#include <stdatomic.h>

#define OWNER_CERTS 2u

struct owner_cert {
    uint32_t type;
    char *pem; /* NULL: there is none */
    uint64_t version;
    uint64_t revision;
};

/* Guarded by the HSM's lock, but for what is atomic. */
struct owner {
    struct secret *key; /* PKCS #8; NULL: key and certificates are files, the owner as well */
    struct owner_cert certs[OWNER_CERTS]; /* PO.crt, POAC.crt */
    _Atomic bool missing;                 /* nobody owns this node yet */
    _Atomic uint64_t version;             /* rises with each change */
};

/* Empty, for an HSM that begins to load. */
void owner_init(struct owner *owner);
void owner_clear(struct owner *owner);

/* Of a partition that is born without an officer: the sealed record of a new key. */
MUST_USE CK_RV owner_key_record(const struct sealer *sealer, struct writer *out);
struct record_name owner_key_name(void);

/* While loading: records n/ and c/. */
MUST_USE CK_RV owner_load_key(struct owner *owner, const struct sealer *sealer, uint32_t number,
                              view record);
MUST_USE CK_RV owner_load_cert(struct owner *owner, const struct sealer *sealer, uint32_t type,
                               view record, uint64_t revision);
/* When all is loaded. False: a certificate without a key. */
MUST_USE bool owner_loaded(struct owner *owner);

#endif
