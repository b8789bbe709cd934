/* SPDX-License-Identifier: Apache-2.0
 *
 * Members: the nodes that share a store, records h/<number>. A crypto officer puts a node on the
 * list by its serial and the fingerprint of its key; then it may ask a member for the master key.
 * A node that has the master key enters itself when it starts, and says where it is reached. A
 * node that was removed stays on the list as such, so that it does not come back.
 */
#ifndef CORE_MEMBER_H
#define CORE_MEMBER_H

#include "core/hsm.h"
#include "core/record.h"

#define MEMBERS_MAX 256u /* with those that were removed */
#define MEMBERS_LIVE_MAX 32u
#define MEMBER_PRINT_LEN 32u

enum member_state {
    MEMBER_LISTED = 1,  /* an officer entered it */
    MEMBER_IN = 2,      /* it has the master key */
    MEMBER_REMOVED = 3  /* for ever */
};

struct member {
    uint32_t number;                 /* its node id, from 1 */
    enum member_state state;
    char serial[17];
    uint8_t print[MEMBER_PRINT_LEN]; /* SHA-256 of its public key */
    char hostname[HSM_HOSTNAME_MAX + 1]; /* "" until it was up */
    uint16_t client_port;
    uint16_t manage_port;
    uint32_t release;                /* that it was of when it was up last */
    uint32_t fenced;                 /* how often (fence.h) */
    uint64_t version;
    uint64_t revision;
};

/* Guarded by the HSM's lock. */
struct members {
    struct member members[MEMBERS_MAX]; /* by rising number */
    size_t count;
};

struct record_name member_name(uint32_t number);
/* The sealed record of member->version. */
MUST_USE CK_RV member_record(const struct sealer *sealer, const struct member *member,
                             struct writer *out);
MUST_USE CK_RV member_from_record(const struct sealer *sealer, uint32_t number, view record,
                                  uint64_t revision, struct member *ret_member);

/* Adds it, or takes the place of that number. False: there is no room. */
MUST_USE bool members_put(struct members *members, const struct member *member);
/* Also one that was removed. */
struct member *members_by_serial(struct members *members, view serial);

#endif
