/* SPDX-License-Identifier: Apache-2.0
 *
 * Which requests are about something that one node alone has of this process: session objects,
 * and permissions of AUTHENTICATE. They carry FRAME_LOCAL; all others any node may answer.
 */
#ifndef API_LOCAL_H
#define API_LOCAL_H

#include "wire/message.h"

/* *some: has this process had such things so far? Set as soon as a request makes one. */
MUST_USE bool request_is_local(enum interface interface, enum operation operation, view body,
                               _Atomic bool *some);

#endif
