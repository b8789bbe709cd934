/* SPDX-License-Identifier: Apache-2.0
 *
 * The service manager's notify protocol, spoken without its library.
 */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

#include "base/base.h"

/* "READY=1", "STOPPING=1", ...; silent when nobody asked for it ($NOTIFY_SOCKET). */
void notify_send(const char *state);
/* "RELOADING=1" with the time that the protocol wants beside it. */
void notify_reloading(void);

#endif
