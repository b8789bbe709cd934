/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's side of the mailboxes of one application process (wire/mailbox.h): which link has
 * which, and who looks into them.
 */
#ifndef NET_MAILROOM_H
#define NET_MAILROOM_H

#include "net/link.h"

struct mailroom;

/* New memory and its bell, on that loop. NULL: the system gives none. */
struct mailroom *mailroom_new(struct loop *loop);
/* No link may have a mailbox of it any more. */
void mailroom_free(struct mailroom *room);

/* What the process needs: its memory, its bell. Both stay the room's. */
#define MAILROOM_FDS 2u
void mailroom_fds(const struct mailroom *room, int ret_fds[MAILROOM_FDS]);

/* A plain link has a mailbox from now on, until it ends; *ret_number is which. False: all are
 * taken, or it has one already: it gets no descriptors again, which wait on its socket unread and
 * count for all of us. */
MUST_USE bool mailroom_give(struct mailroom *room, struct link *link, uint32_t *ret_number);

/* For links: theirs is free again. */
void mailroom_take_back(struct mailroom *room, uint32_t number);

#endif
