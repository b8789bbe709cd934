/* SPDX-License-Identifier: Apache-2.0
 *
 * Tickets: what a successful login leaves with library and daemon, so that it outlives a
 * restart of the node. It lives for ten minutes, and is exchanged for a new one while the login is
 * used. Sealed with the master key over context, uid, user, the version of
 * the user's record, login number and expiry.
 */
#ifndef CORE_TICKET_H
#define CORE_TICKET_H

#include "core/record.h"
#include "wire/message.h"

#define TICKET_LIFE_MS (10u * 60u * 1000u) /* unless it is set otherwise */

struct ticket {
    uint8_t context[FRAME_CONTEXT_LEN];
    uint32_t uid;
    uint32_t user;
    uint32_t role;
    uint64_t user_version;
    uint64_t login;
    uint64_t expires; /* clock.wall */
};

/* Appended to out. */
MUST_USE CK_RV ticket_seal(const struct sealer *sealer, const struct ticket *ticket,
                           struct writer *out);
/* False when it does not open; whether it still holds is the caller's question. */
MUST_USE bool ticket_open(const struct sealer *sealer, view sealed, struct ticket *ret_ticket);

#endif
