/* SPDX-License-Identifier: Apache-2.0
 *
 * api/client.h without sockets: requests of the library go to an HSM in this process. They are
 * counted, and the next of a kind can be made to fail.
 */
#ifndef TESTS_UNIT_P11_TRANSPORT_H
#define TESTS_UNIT_P11_TRANSPORT_H

#include "api/call.h"
#include "core/hsm.h"

/* Whose HSM answers from now on. */
void transport_use(struct hsm *const *hsm);
/* Requests since the last reset: all, and those of one operation. */
unsigned transport_trips(void);
unsigned transport_count(enum operation operation);
void transport_reset(void);
/* Clients that are open. */
int transport_open(void);

/* client_open() fails. */
void transport_refuse(bool refuse);
/* The next request of the operation is answered with the code, and does not arrive. */
void transport_fail(enum operation operation, CK_RV code);
/* All contexts lose their login and objects, as when a node that knew them is gone. */
void transport_lose_contexts(void);
/* The change page of all clients. It is valid unless a test says otherwise, and shows what a test
 * writes there. */
struct page *transport_page(void);
/* Before a reply of that operation arrives, this happens to the page. */
void transport_during(enum operation operation, void (*act)(struct page *page));
/* The same, but the login is brought back by its ticket, as after a restart. */
void transport_restart(void);

#endif
