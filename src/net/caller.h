/* SPDX-License-Identifier: Apache-2.0
 *
 * A blocking TLS connection to a node's management port (2225), for tools that do one thing
 * after the other. It attaches a context of its own; every wait has a limit.
 */
#ifndef NET_CALLER_H
#define NET_CALLER_H

#include "net/tls.h"
#include "wire/message.h"

struct caller;

/* Connects, shakes hands, attaches. NULL, with the reason in error (one line, the seeds'
 * text where there is one: `Certificate ERROR: [Certificate signature failure]`). */
struct caller *caller_open(const char *host, unsigned port, struct tls_context *tls,
                           unsigned timeout_ms, char *error, size_t error_size);
/* body: what the operation's NAME_write wrote. *ret_reply is borrowed until the next call.
 * The code of the reply, or CKR_DEVICE_ERROR when the connection is gone. */
CK_RV caller_call(struct caller *caller, enum operation operation, view body, view *ret_reply);
/* Does the node say that it has no owner? Then nobody vouches for it: see tls_files.unowned. */
bool caller_is_unowned(const struct caller *caller);
/* Which store the node's revisions count: 16 bytes. */
view caller_store(const struct caller *caller);
/* The highest revision of it that was heard of; one that was heard of elsewhere counts from now on:
 * the node answers when it has seen it, or CODE_LAGGING after some seconds. */
uint64_t caller_revision(const struct caller *caller);
void caller_see(struct caller *caller, uint64_t revision);
void caller_close(struct caller *caller);

#endif
