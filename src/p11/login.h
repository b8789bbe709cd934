/* SPDX-License-Identifier: Apache-2.0
 *
 * The login of the context, shared by all its sessions.
 */
#ifndef P11_LOGIN_H
#define P11_LOGIN_H

#include "p11/library.h"

/* PKCS #11 v3.1, 5.6.2: with the last session the login ends. */
void login_end_without_sessions(struct library *library);

/* A PIN `user:password`, cut at the first colon. False when it cannot be one. Without a
 * colon the user is `user` if that is allowed. Views into pin. */
MUST_USE bool login_pin_parse(view pin, bool without_colon, view *ret_name, view *ret_password);

#endif
