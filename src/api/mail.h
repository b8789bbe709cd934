/* SPDX-License-Identifier: Apache-2.0
 *
 * The application's side of mailboxes (wire/mailbox.h). The memory is mapped once for all
 * connections that the same daemon has given a mailbox, and goes with the last of them.
 */
#ifndef API_MAIL_H
#define API_MAIL_H

#include "base/bytes.h"
#include "wire/mailbox.h"

#define MAIL_FDS 2u

struct mail;

/* What came with a mailbox: memory and bell, which are the callee's from now on. known, or NULL, is
 * returned once more if it is that memory. NULL: it is not to be used. */
struct mail *mail_open(struct mail *known, const int fds[MAIL_FDS]);
struct mail *mail_ref(struct mail *mail);
/* NULL is fine. */
void mail_release(struct mail *mail);

/* Puts a request into a mailbox, and wakes the daemon if it has to be. At most MAILBOX_ROOM bytes. */
void mail_put(struct mail *mail, uint32_t number, view header, view body);
/* Once more, if the daemon has not taken the request. */
void mail_ring(struct mail *mail, uint32_t number);
/* Not ASKED: the reply is there. */
enum mailbox_state mail_state(struct mail *mail, uint32_t number);
/* Sleeps until the reply is there, for that many nanoseconds at most, or less. */
void mail_sleep(struct mail *mail, uint32_t number, long nanoseconds);
/* The length that the reply claims, at most MAILBOX_ROOM. */
size_t mail_len(const struct mail *mail, uint32_t number);
/* The reply, of at most size bytes; its length, 0 when it has none that fits. */
size_t mail_get(struct mail *mail, uint32_t number, uint8_t *room, size_t size);
/* The mailbox is empty again, and what was in it wiped. */
void mail_clear(struct mail *mail, uint32_t number);

#endif
