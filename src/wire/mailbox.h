/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes: memory that the daemon shares with one application process, so that a small request
 * and its reply need no socket. The process has one for each of its busy connections; what does
 * not fit goes the connection's own way, and so does everything of those that have none.
 *
 * The process writes a frame into a mailbox, says so in its state, sets its bit in asked, and
 * rings the bell (an eventfd) only if the daemon is not awake. The daemon copies the frame before
 * it looks at it, and later puts the reply in its place. One request at a time is in a mailbox:
 *
 *    EMPTY ---process---> ASKED ---daemon---> ANSWERED ---process---> EMPTY
 *                           |    \--daemon---> ELSEWHERE (the reply is on the socket) -> EMPTY
 *                        process: AWAITED, it sleeps on the state (futex(2)); the daemon wakes it
 *
 * Neither believes the other more than it would on a socket. The memory cannot shrink (it is
 * sealed), and a connection that ends is noticed on its socket, so who sleeps looks there.
 */
#ifndef WIRE_MAILBOX_H
#define WIRE_MAILBOX_H

#include "base/base.h"

#include <stdatomic.h>
#include <stdalign.h>

#define MAILBOXES 64u /* of one process: one for each bit of .asked */
#define MAILBOX_SIZE 20480u /* 16 KiB of data, and what belongs to it */
#define MAILBOX_ROOM (MAILBOX_SIZE - 64u)
#define MAILBOX_PAGE 4096u
#define MAILBOX_LINE 64u /* what processors hand to each other */

enum mailbox_state {
    MAILBOX_EMPTY,
    MAILBOX_ASKED,
    MAILBOX_AWAITED,
    MAILBOX_ANSWERED,
    MAILBOX_ELSEWHERE
};

struct mailbox {
    _Atomic uint32_t state;
    uint32_t len; /* of the frame: header and body */
    uint8_t unused[56];
    uint8_t frame[MAILBOX_ROOM];
};

struct mailroom_memory {
    alignas(MAILBOX_LINE) _Atomic uint64_t asked; /* a bit for each mailbox with a request */
    alignas(MAILBOX_LINE) _Atomic uint32_t awake; /* the daemon looks by itself */
    alignas(MAILBOX_PAGE) struct mailbox boxes[MAILBOXES];
};

_Static_assert(sizeof(struct mailbox) == MAILBOX_SIZE, "the layout is shared");
_Static_assert(sizeof(struct mailroom_memory) == MAILBOX_PAGE + MAILBOXES * MAILBOX_SIZE,
               "the layout is shared");

#endif
