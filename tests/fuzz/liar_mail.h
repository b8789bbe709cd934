/* SPDX-License-Identifier: Apache-2.0
 *
 * Mailboxes of the daemon that lies (liar.c): their memory is good, what is in it and what comes with
 * it need not be.
 */
#ifndef TESTS_FUZZ_LIAR_MAIL_H
#define TESTS_FUZZ_LIAR_MAIL_H

#include "base/bytes.h"
#include "wire/mailbox.h"

#include <sys/socket.h>

/* Nothing is in them. */
void mail_forget(void);
/* The descriptors that come with a mailbox: those, others, fewer. */
void mail_pass(struct msghdr *message);
/* The bits of those that have a request; they are taken away. */
uint64_t mail_asked(void);
/* The request, as it should be. */
view mail_request(uint32_t number);
/* Puts the reply there, or what is none. False: it stays on the socket. */
bool mail_answer(uint32_t number, view reply);

#endif
