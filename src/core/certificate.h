/* SPDX-License-Identifier: Apache-2.0
 *
 * Seed 002 sets CKA_TOKEN of a stored certificate to FALSE: then it is an object of the session
 * that did it, under the handle that it has; TRUE brings it back. Both store the change; object is
 * the next version of old. Under the lock of changes.
 */
#ifndef CORE_CERTIFICATE_H
#define CORE_CERTIFICATE_H

#include "core/state.h"

MUST_USE CK_RV certificate_leave(struct request *r, const struct object *old,
                                 struct object *object);
/* With the number that it had: CKR_FUNCTION_FAILED when that is another's by now. One that was made
 * as a session object never had one (CKR_ATTRIBUTE_READ_ONLY): a copy has. */
MUST_USE CK_RV certificate_return(struct request *r, const struct object *old,
                                  struct object *object);

#endif
