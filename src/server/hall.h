/* SPDX-License-Identifier: Apache-2.0
 *
 * The hall: where connections shake hands before they come to a lane, on a thread of its own
 * that gives way to those of the lanes. So whoever opens connections, in good form or not,
 * takes no turn of a request's.
 */
#ifndef SERVER_HALL_H
#define SERVER_HALL_H

#include "net/tls.h"

struct hall;
struct hosts;
struct link_pack;

/* Who is through. On the hall's thread; pack is the callee's (net/link.h). */
typedef void hall_passed(void *arg, struct link_pack *pack, unsigned port);

/* Starts the thread; signals are blocked by the caller. hosts: told who is through; it outlives the
 * hall. NULL with a line in the log. */
struct hall *hall_new(struct hosts *hosts, hall_passed *passed, void *arg);
/* From any thread. Takes fd, and a reference of tls; port goes to passed(). */
void hall_take(struct hall *hall, int fd, struct tls_context *tls, unsigned port);
/* Ends the thread, then the connections that are still there. NULL is fine. */
void hall_free(struct hall *hall);

#endif
