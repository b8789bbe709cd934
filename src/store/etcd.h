/* SPDX-License-Identifier: Apache-2.0
 *
 * The store of a cluster: keys under one prefix of an etcd (version 3.4 or later), which the
 * nodes share. A node that is not heard of by the majority of etcd's members writes nothing and
 * reads nothing new.
 */
#ifndef STORE_ETCD_H
#define STORE_ETCD_H

#include "core/ports.h"

struct etcd_settings {
    const char *endpoints;   /* see store/grpc.h; tried in turn */
    const char *ca;          /* PEM files; NULL: none */
    const char *certificate;
    const char *key;
    const char *prefix;      /* "/opencloudhsm/one/"; the whole store lies under it */
    uint32_t open_ms;        /* for how long an etcd that does not answer is asked; 0: 10,000 */
    bool (*wait)(void);      /* asked every second or two while none answers, in place of open_ms:
                                true: it is asked on. NULL: nobody waits */
    const uint8_t *restores; /* the store begins anew with this id (16 bytes), and nobody else opens
                                it before etcd_store_restored(); its records stay. NULL: as it is */
};

/*
 * Opens the store, or makes it with an id drawn from entropy where nothing lies under the prefix.
 * NULL, with a line in the log, when no endpoint answers in time or what is there is no
 * store.
 *
 * Revisions are etcd's, counted from the store's making. They rise with each transaction; those
 * that were submitted at once may share one. Completions come on the writer's thread.
 * A transaction that got no answer is asked again until it is known whether it happened, so what
 * waits behind it waits as long. There is no guard: etcd's members are trusted to keep what they
 * have; a record that was exchanged does not open.
 */
struct store *etcd_store_open(const struct etcd_settings *settings, struct entropy *entropy);
/* What was to be put into it is there. False, with a line in the log: it is not known to
 * be done, or somebody has begun another restore, from when on what is written here is
 * refused (STORE_CONFLICT). */
MUST_USE bool etcd_store_restored(struct store *store);

#endif
