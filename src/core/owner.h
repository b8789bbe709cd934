/* SPDX-License-Identifier: Apache-2.0
 *
 * Ownership: the node's key, the owner's certificate (PO.crt) and the node's (POAC.crt), which
 * the owner signed. Each is a sealed record. Of what several nodes share, the owner is one:
 * c/00000004; key and certificate are each node's own: n/<its serial>/00000001 and
 * n/<its serial>/00000008. Until the last one is there the node has no owner and answers nothing
 * but what leads to it. A node whose key and certificates are files has none of its own here.
 */
#ifndef CORE_OWNER_H
#define CORE_OWNER_H

#include "core/record.h"

#include <stdatomic.h>

#define OWNER_CERTS 2u

#define OWNER_KEY_NUMBER 1u
#define OWNER_NAME_MAX 27u

/* The name of a node's own record. */
struct owner_name {
    char text[OWNER_NAME_MAX + 1];
    size_t len;
};
struct owner_name owner_name(const char *node, uint32_t number);
view owner_name_view(const struct owner_name *name);
/* Is it the name of some node's own record? */
bool owner_name_is(view key);
/* A serial: 1 to 16 letters and digits. */
bool owner_node_valid(const char *node);

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
MUST_USE CK_RV owner_key_record(const struct sealer *sealer, const struct owner_name *name,
                                struct writer *out);

/* While loading: records n/, those of other nodes are passed over; and c/. */
MUST_USE CK_RV owner_load(struct owner *owner, const struct sealer *sealer, const char *node,
                          view name, view record, uint64_t revision);
MUST_USE CK_RV owner_load_cert(struct owner *owner, const struct sealer *sealer, uint32_t type,
                               view record, uint64_t revision);
/* Of the certificate that nodes share; 0: there is none. Under the HSM's lock. */
uint64_t owner_revision(const struct owner *owner);
/* When all is loaded. False: the node's certificate without its key or without its owner's. */
MUST_USE bool owner_loaded(struct owner *owner);

#endif
