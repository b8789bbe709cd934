/* SPDX-License-Identifier: Apache-2.0
 *
 * Message-based calls: their arguments, and a look at what they give back.
 */
#ifndef COMPLIANCE_MESSAGE_H
#define COMPLIANCE_MESSAGE_H

#include "exec/run.h"

#define MESSAGE_ROOM 512                /* bytes of a message that tests make of parts */

/* As bind_step and check_step, for functions of messages. */
bool message_bind(struct runner *runner, const struct work *work, const struct mstate *state,
                  const struct step *step, struct bag *bag);
enum detail message_check(struct runner *runner, const struct work *work,
                          const struct mstate *state, const struct step *step,
                          const struct bag *bag, CK_RV rv);

#endif /* COMPLIANCE_MESSAGE_H */
