/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a store lies in etcd: the prefix of its keys, the revision that its own are counted from,
 * and what is known of the etcd behind it. Any thread may use it.
 */
#ifndef STORE_ETCD_PLACE_H
#define STORE_ETCD_PLACE_H

#include "core/ports.h"
#include "store/grpc.h"

#define ETCD_PREFIX_MAX 128u
#define ETCD_NAME_MAX (ETCD_PREFIX_MAX + 2u + STORE_KEY_MAX)

/* A key in etcd; room for one byte more. */
struct etcd_name {
    char text[ETCD_NAME_MAX + 1];
    size_t len;
};

struct etcd_place {
    char prefix[ETCD_PREFIX_MAX + 1]; /* ends in a slash */
    uint64_t base;                    /* etcd's revision when the store was made */
    uint64_t cluster;                 /* etcd's name of itself */
    _Atomic uint64_t revision;        /* of the last transaction that was seen, ours */
    _Atomic uint64_t answered;        /* etcd's, in the last answer to a transaction */
    atomic_bool refused;              /* it is not the etcd that it was; so until the next start */
    atomic_bool trouble;              /* and it was logged */
    atomic_bool stop;                 /* calls end */
};

/* folder: "k/", or "id" with an empty key. */
void etcd_name_make(const struct etcd_place *place, const char *folder, view key,
                    struct etcd_name *ret_name);
view etcd_name_view(const struct etcd_name *name);
/* The first key after all that begin with a name that ends in a slash. */
void etcd_name_end(const struct etcd_name *name, struct etcd_name *ret_end);

/* Revisions of the store as etcd's, and back; 0 is no record in both. */
uint64_t etcd_absolute(const struct etcd_place *place, uint64_t revision);
uint64_t etcd_relative(const struct etcd_place *place, uint64_t revision);
void etcd_revision_seen(struct etcd_place *place, uint64_t revision);
/* False, with a line in the log, where an answer to the writer (revision: etcd's) is another
 * etcd's, or one's that was set back to an older state; and ever after. */
MUST_USE bool etcd_same(struct etcd_place *place, uint64_t cluster, uint64_t revision);
void etcd_refuse(struct etcd_place *place);

/* One line in the log for each trouble and for its end. */
void etcd_trouble(struct etcd_place *place, const struct grpc *grpc);
void etcd_works(struct etcd_place *place);

/* Milliseconds that never go back. */
uint64_t etcd_now(void);
#define ETCD_ATTEMPT_MS 2000u /* for one call */
#define ETCD_GIVE_UP_MS 4000u /* for calls that find no endpoint */
/* A moment between attempts. */
void etcd_pause(void);

#endif
