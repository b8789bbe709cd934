/* SPDX-License-Identifier: Apache-2.0
 *
 * What session objects are no more. A sealed copy (core/copy.h) outlives its object; so when an
 * object of which there is one is destroyed or changed, that is stored first, under "d/" and the
 * thirty-two hexadecimal digits of its CKA_UNIQUE_ID, until the copy's time is over. A copy of a
 * version below the one that is stored opens no more, on no node.
 */
#ifndef CORE_TOMB_H
#define CORE_TOMB_H

#include "core/copy.h"

#include <pthread.h>

#define TOMB_NAME_LEN (2u + 2u * COPY_IDENTITY_LEN)
#define TOMB_VERSION_ALL UINT64_MAX /* it was destroyed */

struct tomb {
    uint8_t identity[COPY_IDENTITY_LEN];
    uint8_t context[FRAME_CONTEXT_LEN];
    uint32_t handle;
    uint64_t version;  /* the lowest that may still live */
    uint64_t until;    /* hsm_time() */
    uint64_t boot;     /* of the node that wrote it */
    uint64_t revision; /* of the store's record */
};

struct tomb_name {
    char text[TOMB_NAME_LEN + 1];
};
struct tomb_name tomb_name(const uint8_t identity[COPY_IDENTITY_LEN]);
view tomb_name_view(const struct tomb_name *name);
MUST_USE bool tomb_name_parse(view key, uint8_t ret_identity[COPY_IDENTITY_LEN]);

/* The sealed record, appended to out. */
MUST_USE CK_RV tomb_record(const struct sealer *sealer, const struct tomb *tomb,
                           struct writer *out);
/* ret_tomb->identity names the record. CKR_GENERAL_ERROR: it does not open or read. */
MUST_USE CK_RV tomb_from_record(const struct sealer *sealer, view record, uint64_t revision,
                                struct tomb *ret_tomb);

struct tomb_entry;

struct tombs {
    pthread_mutex_t lock;
    struct tomb_entry **buckets; /* under lock */
    size_t count;                /* under lock */
};

MUST_USE bool tombs_init(struct tombs *tombs);
void tombs_clear(struct tombs *tombs);

/* In two steps, as the second must not fail: NULL when memory is short. */
struct tomb_entry *tomb_entry_new(const struct tomb *tomb);
void tomb_entry_free(struct tomb_entry *entry);
/* In place of one of the same object and a lower revision. */
void tombs_take(struct tombs *tombs, struct tomb_entry *entry, uint64_t revision);

/* The lowest version that may live, and the revision of the record; 0 and 0: there is none. */
uint64_t tombs_version(struct tombs *tombs, const uint8_t identity[COPY_IDENTITY_LEN],
                       uint64_t *ret_revision);
/* Forgets those whose time is over; gone is called for each. */
void tombs_sweep(struct tombs *tombs, uint64_t now,
                 void (*gone)(void *arg, const uint8_t identity[COPY_IDENTITY_LEN]), void *arg);

#endif
