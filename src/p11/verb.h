/* SPDX-License-Identifier: Apache-2.0
 *
 * What the functions that take data in one part do otherwise than each other: their request, and
 * how its reply reads.
 */
#ifndef P11_VERB_H
#define P11_VERB_H

#include "p11/task.h"

#include "api/call.h"

struct verb {
    CK_FLAGS function;
    enum operation request;
    CK_RV too_long; /* answers input that a mechanism without parts cannot have */
    void (*ask)(struct call *call, const struct task *task, view in, view signature, uint32_t max);
    bool (*hear)(view body, view *ret_data, view *ret_iv);
};

/* function is one of those with such a request. */
const struct verb *verb_of(CK_FLAGS function);

#endif
